//! The rest of a value longer than the limit, taken in without keeping it.
//!
//! The detector that found the value goes on alone, in the same automaton: what follows belongs to the value up to the
//! detector's last accepting state. Only the bytes since then are held, and those are few.
use super::plan::{Enabled, Prepared};
use super::walk::LIMIT;

/// A long value on its way.
#[derive(Debug, Clone, Copy)]
pub struct Swallow {
    /// The place of the detector's group in the plan.
    group: usize,
    detector: u64,
    state: u16,
    /// Bytes the automaton has read since the value's last end.
    seen: usize,
}

impl Swallow {
    /// Goes on from a state that the detector is in, `seen` bytes after the value's last known end.
    pub fn new(group: usize, detector: u32, state: u16, seen: usize) -> Self {
        Self { group, detector: 1u64.wrapping_shl(detector), state, seen }
    }

    /// Reads on. The text starts at the value's last known end; gives the bytes of it that belong to the value, and
    /// whether the value is over.
    pub fn go(&mut self, plan: &Prepared, text: &[u8], end: bool) -> (usize, bool) {
        let Some(group) = plan.groups.get(self.group) else { return (0, true) };
        let (steps, mut at, mut gone) = (group.steps(), self.seen, 0usize);
        for &byte in text.get(at..).unwrap_or_default() {
            if self.accepts(group, group.before(byte)) {
                gone = at;
            }
            if !self.goes_on(group) || at.wrapping_sub(gone) >= LIMIT {
                return (gone, true);
            }
            self.state = steps.step(self.state, byte);
            at = at.wrapping_add(1);
        }
        if self.accepts(group, if end { u64::MAX } else { group.tables.before_any }) {
            gone = at;
        }
        self.seen = at.saturating_sub(gone);
        (gone, end)
    }

    fn accepts(&self, group: &Enabled, before: u64) -> bool {
        let (accept, reach) = group.masks(self.state);
        self.detector & (accept & before | reach & group.tables.past_limit) != 0
    }

    fn goes_on(&self, group: &Enabled) -> bool {
        self.detector & group.masks(self.state).1 != 0
    }
}
