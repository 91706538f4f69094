//! Runs at the end of a text that may go on to an anchor.
//!
//! Nearly every piece of a stream ends within a word, and a word may become an address: whatever comes of it, it is held.
//! So the runs before all anchors are followed at once, back from the text's end, each byte by one look at a table.
use super::grammar::{Anchor, DEPTH};
use super::plan::Enabled;
use super::tables::START;

/// What may stand before the anchors of a plan.
pub struct Tails {
    /// For each byte, the anchors before which it may stand, as bits.
    runs: Box<[u16; 256]>,
    /// For each byte, those whose runs may start after it.
    after: Box<[u16; 256]>,
    /// For each byte, those before which a run of such bytes alone is held as long as it has not [`DEPTH`] of them,
    /// whatever comes.
    sure: Box<[u16; 256]>,
    every: u16,
    tails: Vec<Tail>,
}

/// A run that goes on to a text's end.
#[derive(Clone, Copy)]
pub struct Found {
    /// Where it starts.
    pub at: usize,
    /// The groups of the anchors that may come after it, as bits.
    pub groups: u32,
    /// Those anchors for whose sake it is surely held, as bits.
    pub sure: u16,
}

/// What a run before one anchor is.
struct Tail {
    /// Its group, as a bit.
    group: u32,
    /// How many bytes it has at most.
    longest: usize,
}

impl Tails {
    /// Of some groups' anchors that are looked for. `None`: there are too many.
    pub fn new(groups: &[Enabled]) -> Option<Self> {
        let empty = || Box::new([0; 256]);
        let mut all = Self { runs: empty(), after: empty(), sure: empty(), every: 0, tails: Vec::new() };
        let anchors = groups.iter().flat_map(|group| group.tables.anchors.iter()).map(|anchor| anchor.byte);
        let anchors: Vec<u8> = anchors.collect();
        for (group, bit) in groups.iter().zip(0u32..) {
            for anchor in group.tables.anchors.iter().filter(|anchor| group.has(anchor.pattern)) {
                all.add(group, 1u32.wrapping_shl(bit), anchor, &anchors)?;
            }
        }
        Some(all)
    }

    fn add(&mut self, group: &Enabled, bit: u32, anchor: &Anchor, anchors: &[u8]) -> Option<()> {
        let nth = u32::try_from(self.tails.len()).ok()?;
        let own = 1u16.checked_shl(nth)?;
        let starts = |byte: u8| group.startable(group.after(byte)).wrapping_shr(anchor.pattern) & 1 == 1;
        let held = self.runs.iter_mut().zip(self.after.iter_mut());
        for (((runs, after), of_run), byte) in held.zip(anchor.run).zip(0..=255u8) {
            *runs |= if of_run { own } else { 0 };
            *after |= if starts(byte) { own } else { 0 };
        }
        for byte in sure(group, anchor, anchors) {
            if let Some(sure) = self.sure.get_mut(usize::from(byte)) {
                *sure |= own;
            }
        }
        self.every |= own;
        self.tails.push(Tail { group: bit, longest: anchor.longest });
        Some(())
    }

    /// Those of some anchors before which a byte keeps a run surely held.
    #[inline(always)]
    pub fn goes_on(&self, sure: u16, byte: u8) -> u16 {
        sure & of(&self.sure, byte)
    }

    /// The first run from a place on that goes on to the text's end. `before` stands before the text.
    pub fn find(&self, text: &[u8], from: usize, before: u8) -> Option<Found> {
        let (passed, rest) = text.split_at_checked(from)?;
        let mut bytes = rest.iter().rev();
        let mut found = None;
        let (mut runs, mut sure) = (self.every, self.every);
        let mut length = 0usize;
        while runs != 0 {
            let (last, on) = match bytes.next() {
                Some(&byte) => (byte, runs & of(&self.runs, byte)),
                None => (passed.last().copied().unwrap_or(before), 0),
            };
            let starting = runs & !on & of(&self.after, last);
            if starting != 0 && length > 0 {
                let at = text.len().saturating_sub(length);
                let sure = if length < DEPTH { sure & starting } else { 0 };
                found = self.starting(starting, length).map(|groups| Found { at, groups, sure }).or(found);
            }
            sure &= of(&self.sure, last);
            runs = on;
            length = length.wrapping_add(1);
        }
        found
    }

    /// The groups of those anchors of which runs have such a length.
    #[inline(always)]
    fn starting(&self, mut anchors: u16, length: usize) -> Option<u32> {
        let mut groups = 0;
        while anchors != 0 {
            let nth = usize::try_from(anchors.trailing_zeros()).unwrap_or(0);
            anchors &= anchors.wrapping_sub(1);
            let tail = self.tails.get(nth).filter(|tail| length <= tail.longest);
            groups |= tail.map_or(0, |tail| tail.group);
        }
        (groups != 0).then_some(groups)
    }
}

/// The bytes of which no run, while it is short, can end what an anchor's detector may find.
fn sure(group: &Enabled, anchor: &Anchor, anchors: &[u8]) -> Vec<u8> {
    let mask = 1u64.wrapping_shl(anchor.pattern);
    if anchor.longest < DEPTH || group.asking & mask != 0 {
        return Vec::new();
    }
    let of_run = |byte: &u8| anchor.run.get(usize::from(*byte)).copied().unwrap_or(false);
    let mut bytes: Vec<u8> = (0..=255).filter(|byte| of_run(byte) && !anchors.contains(byte)).collect();
    while let Some(ends) = ends(group, mask, &bytes) {
        bytes.retain(|byte| *byte != ends);
    }
    bytes
}

/// A byte after which nothing more can match of a run of some bytes.
fn ends(group: &Enabled, mask: u64, bytes: &[u8]) -> Option<u8> {
    let mut level = vec![START];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for &state in &level {
            for &byte in bytes {
                let target = group.step(state, byte);
                if group.masks(target).1 & mask == 0 {
                    return Some(byte);
                }
                next.push(target);
            }
        }
        next.sort_unstable();
        next.dedup();
        level = next;
    }
    None
}

#[inline(always)]
fn of(table: &[u16; 256], byte: u8) -> u16 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}
