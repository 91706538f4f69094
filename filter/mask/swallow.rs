//! The rest of a value longer than the limit, taken in without keeping it.
//!
//! The detector that found the value goes on alone, in the same automaton: what follows belongs to the value up to the
//! detector's last accepting state. Only the bytes since then are held, and those are few.
use super::tables::{self, BEFORE_ANY, PAST_LIMIT};
use super::walk::LIMIT;

/// A long value on its way.
pub struct Swallow {
    detector: u64,
    state: u16,
    /// Bytes the automaton has read since the value's last end.
    seen: usize,
}

impl Swallow {
    /// Goes on from a state that the detector is in, `seen` bytes after the value's last known end.
    pub fn new(detector: u32, state: u16, seen: usize) -> Self {
        Self { detector: 1u64.wrapping_shl(detector), state, seen }
    }

    /// Reads on. The text starts at the value's last known end; gives the bytes of it that belong to the value, and
    /// whether the value is over.
    pub fn go(&mut self, text: &[u8], end: bool) -> (usize, bool) {
        let (mut at, mut gone) = (self.seen, 0usize);
        for &byte in text.get(at..).unwrap_or_default() {
            if self.accepts(tables::before(byte)) {
                gone = at;
            }
            if !self.goes_on() || at.wrapping_sub(gone) >= LIMIT {
                return (gone, true);
            }
            self.state = tables::step(self.state, byte);
            at = at.wrapping_add(1);
        }
        if self.accepts(if end { u64::MAX } else { BEFORE_ANY }) {
            gone = at;
        }
        self.seen = at.saturating_sub(gone);
        (gone, end)
    }

    fn accepts(&self, before: u64) -> bool {
        let (accept, reach) = tables::masks(self.state);
        self.detector & (accept & before | reach & PAST_LIMIT) != 0
    }

    fn goes_on(&self) -> bool {
        self.detector & tables::masks(self.state).1 != 0
    }
}
