//! Where a value may start: proposed by fingerprints and by anchors, each looked for once per stretch of text.
use super::fingerprint::{Proposal, Seen};
use super::grammar::Anchor;
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
    seen: Seen,
    anchored: [Next; MOST_ANCHORS],
}

/// The next place that one generator proposes.
#[derive(Default, Clone, Copy)]
enum Next {
    #[default]
    Unknown,
    At(Proposal),
    Never,
}

impl Next {
    /// The place at or after `at`, asking anew when the known one has been passed.
    #[inline(always)]
    fn from(&mut self, at: usize, find: impl FnOnce() -> Option<Proposal>) -> Option<Proposal> {
        match *self {
            Self::At(known) if known.at >= at => Some(known),
            Self::Never => None,
            _ => {
                let found = find();
                *self = found.map_or(Self::Never, Self::At);
                found
            }
        }
    }
}

impl Prepared {
    /// The first place at or after `at` where a value may start, and which automata have to decide.
    #[inline]
    pub fn candidate(
        &self,
        ahead: &mut Ahead,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
    ) -> Option<Proposal> {
        let mut first = ahead.plain.from(at, || {
            let plausible = |start, groups| self.survivors(groups, text, start, before);
            self.fingerprints.next(&mut ahead.seen, text, at, before, end, plausible)
        });
        for ((index, anchor), next) in self.anchors.iter().zip(&mut ahead.anchored) {
            let found = next.from(at, || {
                let at = anchor.next(self.groups.get(*index)?, text, at, before, end)?;
                Some(Proposal { at, groups: bit(*index), literal: false })
            });
            let Some(found) = found else { continue };
            first = match first {
                Some(known) if known.at < found.at => Some(known),
                Some(known) if known.at == found.at => {
                    Some(Proposal { groups: known.groups | found.groups, ..known })
                }
                _ => Some(found),
            };
        }
        first
    }

    /// Those of some groups in which the walk of some detector outlives a value's first bytes.
    fn survivors(&self, groups: u32, text: &[u8], start: usize, before: u8) -> u32 {
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let mut left = groups;
        let mut survivors = 0;
        while left != 0 {
            let index = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            let group = usize::try_from(index).ok().and_then(|index| self.groups.get(index));
            if group.is_some_and(|group| group.survives(text.get(start..).unwrap_or_default(), before)) {
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
    fn survives(&self, value: &[u8], before: u8) -> bool {
        let active = self.starting(before, value);
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

impl Anchor {
    /// The first place at or after `at` where a value with this anchor may start: where the run before an anchor
    /// starts, or, in a text that goes on, the run at its end. No value starts within a run, for no value starts after
    /// a byte of it (build.rs sees to that).
    fn next(&self, group: &Enabled, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let anchors =
            memchr::memchr_iter(self.byte, text.get(at..)?).filter_map(|found| at.checked_add(found));
        let last = (!end).then_some(text.len());
        let start = |stop: usize| {
            let run = text.get(at..stop)?;
            let length =
                run.iter().rev().take(self.longest.wrapping_add(1)).take_while(|&&b| self.runs(b)).count();
            let start = stop.checked_sub(length)?;
            let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
            let startable = group.startable(group.after(before)).wrapping_shr(self.pattern) & 1 == 1;
            (startable && length <= self.longest && start < text.len()).then_some(start)
        };
        anchors.chain(last).find_map(start)
    }

    fn runs(&self, byte: u8) -> bool {
        self.run.get(usize::from(byte)).copied().unwrap_or(false)
    }
}
