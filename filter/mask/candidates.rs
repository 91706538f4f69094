//! Where a value may start: proposed by fingerprints and by anchors, each looked for once per stretch of text.
use super::context::Past;
use super::fingerprint::{Proposal, Seen};
use super::grammar::Anchor;
use super::heard::Heard;
use super::plan::{Enabled, Prepared};
use super::tables::START;

/// The bytes of a value that are tried before a walk is begun.
const GLIMPSE: usize = 12;
/// Anchors in one plan; build.rs sees to it that there are not more.
const MOST_ANCHORS: usize = 8;

/// What is known of the places ahead in one stretch of text.
#[derive(Default)]
pub struct Ahead {
    plain: Next,
    /// What is proposed there.
    proposal: Proposal,
    seen: Seen,
    anchored: [Next; MOST_ANCHORS],
    words: Vec<Next>,
    pub heard: Heard,
}

/// The place after the next one that a generator proposes: 0 before it was asked, the highest number when it has no
/// more.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next(usize);

impl Next {
    const NEVER: Self = Self(usize::MAX);

    fn at(place: Option<usize>) -> Self {
        place.map_or(Self::NEVER, |place| Self(place.wrapping_add(1)))
    }

    /// Asks anew when the known place has been passed.
    #[inline(always)]
    fn known(&mut self, at: usize, find: impl FnOnce() -> Option<usize>) -> Self {
        if self.0 <= at {
            *self = Self::at(find());
        }
        *self
    }
}

impl Prepared {
    /// The first place at or after `at` where a value may start, and which automata have to decide.
    #[inline]
    pub fn candidate(
        &self,
        ahead: &mut Ahead,
        past: &Past,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
    ) -> Option<Proposal> {
        let Ahead { plain, proposal, seen, anchored, words, heard } = ahead;
        let mut first = plain.known(at, || {
            let plausible = |start, buckets| {
                let mut near = || heard.near(&self.wanted, past, text, start);
                let groups = self.fingerprints.groups(buckets, &mut near);
                self.survivors(groups, text, start, before, near)
            };
            *proposal = self.fingerprints.next(seen, text, at, before, end, plausible)?;
            Some(proposal.at)
        });
        for (anchor, next) in self.anchors.iter().zip(anchored.iter_mut()) {
            let find = || anchor.next(self.groups.get(anchor.group)?, text, at, before, end);
            first = first.min(next.known(at, find));
        }
        if !self.lexicons.is_empty() {
            words.resize(self.lexicons.len(), Next::default());
            for (lexicon, next) in self.lexicons.iter().zip(words.iter_mut()) {
                first = first.min(next.known(at, || lexicon.next(text, at, before, end)));
            }
        }
        if first == Next::NEVER {
            return None;
        }
        let mut all = if *plain == first { *proposal } else { Proposal::default() };
        all.at = first.0.wrapping_sub(1);
        for (anchor, _) in self.anchors.iter().zip(anchored.iter()).filter(|(_, next)| **next == first) {
            all.groups |= bit(anchor.group);
        }
        for (index, _) in words.iter().enumerate().filter(|(_, next)| **next == first) {
            all.lexicons |= bit(index);
        }
        Some(all)
    }

    /// Those of some groups in which the walk of some detector outlives a value's first bytes.
    fn survivors(
        &self,
        groups: u32,
        text: &[u8],
        start: usize,
        before: u8,
        mut near: impl FnMut() -> bool,
    ) -> u32 {
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let mut left = groups;
        let mut survivors = 0;
        while left != 0 {
            let index = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            let group = usize::try_from(index).ok().and_then(|index| self.groups.get(index));
            if group
                .is_some_and(|group| group.survives(text.get(start..).unwrap_or_default(), before, &mut near))
            {
                survivors |= 1u32.wrapping_shl(index);
            }
        }
        survivors
    }
}

fn bit(index: usize) -> u32 {
    u32::try_from(index).map_or(0, |index| 1u32.wrapping_shl(index))
}

impl Enabled {
    fn survives(&self, value: &[u8], before: u8, near: impl FnOnce() -> bool) -> bool {
        let active = self.starting(before, value, near);
        if active == 0 {
            return false;
        }
        let steps = self.steps();
        let mut state = START;
        for &byte in value.iter().take(GLIMPSE) {
            state = steps.step(state, byte);
            let (accept, reach) = steps.masks(state);
            if accept & active != 0 {
                return true;
            }
            if reach & active == 0 {
                return false;
            }
        }
        true
    }
}

/// Bytes after an anchor that are looked at before its run is.
const LOOK: usize = 4;
/// Bytes in which the next anchor is looked for before a call searches the rest.
const NEAR: usize = 8;

/// An anchor of one of the plan's groups.
pub struct Anchored {
    /// Its group's place.
    group: usize,
    anchor: Anchor,
    /// For each byte, at which of the first places after the anchor it may stand, as bits.
    follows: Box<[u8; 256]>,
}

impl Anchored {
    pub fn new(index: usize, group: &Enabled, anchor: &Anchor) -> Self {
        let steps = group.steps();
        let mask = 1u64.wrapping_shl(anchor.pattern);
        let after = |states: &[u16], byte: u8| -> Vec<u16> {
            let targets = states.iter().map(|&state| steps.step(state, byte));
            let alive = |state: &u16| (steps.masks(*state).0 | steps.masks(*state).1) & mask != 0;
            targets.filter(alive).collect()
        };
        let all_after = |states: &[u16]| -> Vec<u16> {
            let mut targets: Vec<u16> = (0..=255).flat_map(|byte| after(states, byte)).collect();
            targets.sort_unstable();
            targets.dedup();
            targets
        };
        let mut level = vec![START];
        let mut states = Vec::new();
        for _ in 0..=anchor.longest {
            states.extend(after(&level, anchor.byte));
            let run = (0..=255).filter(|&byte| byte != anchor.byte);
            level = run.flat_map(|byte| after(&level, byte)).collect();
            level.sort_unstable();
            level.dedup();
        }
        let mut follows = Box::new([0; 256]);
        for place in 0..LOOK {
            states.sort_unstable();
            states.dedup();
            let bit = u32::try_from(place).map_or(0, |place| 1u8.wrapping_shl(place));
            // Where a value may be over, anything follows.
            let over = states.iter().any(|&state| steps.masks(state).0 & mask != 0);
            for (held, byte) in follows.iter_mut().zip(0..=255) {
                *held |= if over || !after(&states, byte).is_empty() { bit } else { 0 };
            }
            if over {
                follows.iter_mut().for_each(|held| *held |= u8::MAX.wrapping_mul(bit));
                break;
            }
            states = all_after(&states);
        }
        Self { group: index, anchor: anchor.clone(), follows }
    }

    /// The first place at or after `at` where a value with this anchor may start: where the run before an anchor
    /// starts, or, in a text that goes on, the run at its end. No value starts within a run, for no value starts after
    /// a byte of it (build.rs sees to that).
    fn next(&self, group: &Enabled, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let mut from = at;
        while let Some(stop) = self.find(text, from) {
            if self.fits(text, stop)
                && let Some(start) = self.start(group, text, at, stop, before)
            {
                return Some(start);
            }
            from = stop.wrapping_add(1);
        }
        if end {
            None
        } else {
            self.start(group, text, at, text.len(), before).filter(|&start| start < text.len())
        }
    }

    #[inline(always)]
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let is = |byte: &u8| *byte == self.anchor.byte;
        let (near, far) = text.get(from..)?.split_at_checked(NEAR).unwrap_or((text.get(from..)?, &[]));
        let found = near.iter().position(is);
        let found = found.or_else(|| memchr::memchr(self.anchor.byte, far)?.checked_add(NEAR));
        from.checked_add(found?)
    }

    /// Whether what follows the anchor may; what is not there yet may be anything.
    #[inline(always)]
    fn fits(&self, text: &[u8], stop: usize) -> bool {
        let next = text.get(stop.wrapping_add(1)..).unwrap_or_default();
        let bits = next.iter().take(LOOK).zip(0u32..);
        bits.map(|(byte, bit)| self.follows.get(usize::from(*byte)).copied().unwrap_or(0).wrapping_shr(bit))
            .fold(1, |all, fits| all & fits)
            == 1
    }

    /// Where the run before a place starts, if a value may.
    fn start(&self, group: &Enabled, text: &[u8], at: usize, stop: usize, before: u8) -> Option<usize> {
        let run = text.get(at..stop)?;
        let longest = self.anchor.longest;
        let length = run.iter().rev().take(longest.wrapping_add(1)).take_while(|&&b| self.runs(b)).count();
        let start = stop.checked_sub(length)?;
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let startable = group.startable(group.after(before)).wrapping_shr(self.anchor.pattern) & 1 == 1;
        (startable && length <= longest).then_some(start)
    }

    fn runs(&self, byte: u8) -> bool {
        self.anchor.run.get(usize::from(byte)).copied().unwrap_or(false)
    }
}
