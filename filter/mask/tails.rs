//! Runs at the end of a text that may go on to an anchor.
//!
//! Nearly every piece of a stream ends within a word, and a word may become an address: whatever comes of it, it is held.
//! So the runs before all anchors are followed at once, back from the text's end, each byte by one look at a table.
use super::grammar::Anchor;
use super::plan::Enabled;

/// What may stand before the anchors of a plan.
pub struct Tails {
    /// For each byte, the anchors before which it may stand, as bits.
    runs: Box<[u16; 256]>,
    /// For each byte, those whose runs may start after it.
    after: Box<[u16; 256]>,
    every: u16,
    tails: Vec<Tail>,
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
        let (runs, after) = (Box::new([0; 256]), Box::new([0; 256]));
        let mut all = Self { runs, after, every: 0, tails: Vec::new() };
        for (group, bit) in groups.iter().zip(0u32..) {
            for anchor in group.tables.anchors.iter().filter(|anchor| group.has(anchor.pattern)) {
                all.add(group, 1u32.wrapping_shl(bit), anchor)?;
            }
        }
        Some(all)
    }

    fn add(&mut self, group: &Enabled, bit: u32, anchor: &Anchor) -> Option<()> {
        let nth = u32::try_from(self.tails.len()).ok()?;
        let own = 1u16.checked_shl(nth)?;
        let starts = |byte: u8| group.startable(group.after(byte)).wrapping_shr(anchor.pattern) & 1 == 1;
        let held = self.runs.iter_mut().zip(self.after.iter_mut());
        for (((runs, after), of_run), byte) in held.zip(anchor.run).zip(0..=255u8) {
            *runs |= if of_run { own } else { 0 };
            *after |= if starts(byte) { own } else { 0 };
        }
        self.every |= own;
        self.tails.push(Tail { group: bit, longest: anchor.longest });
        Some(())
    }

    /// The first place from one on where a run starts that goes on to the text's end, and the groups of the anchors that
    /// may come after it, as bits. `before` stands before the text.
    pub fn find(&self, text: &[u8], from: usize, before: u8) -> Option<(usize, u32)> {
        let (passed, rest) = text.split_at_checked(from)?;
        let mut bytes = rest.iter().rev();
        let mut found = None;
        let mut runs = self.every;
        let mut length = 0usize;
        while runs != 0 {
            let (last, on) = match bytes.next() {
                Some(&byte) => (byte, runs & of(&self.runs, byte)),
                None => (passed.last().copied().unwrap_or(before), 0),
            };
            let starting = runs & !on & of(&self.after, last);
            if starting != 0 && length > 0 {
                found = self.starting(starting, length).map(|groups| (length, groups)).or(found);
            }
            runs = on;
            length = length.wrapping_add(1);
        }
        found.map(|(length, groups)| (text.len().saturating_sub(length), groups))
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

#[inline(always)]
fn of(table: &[u16; 256], byte: u8) -> u16 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}
