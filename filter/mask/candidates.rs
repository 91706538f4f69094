//! Where a value may start.
use super::plan::Prepared;
use super::tables::{self, STARTS};

impl Prepared {
    /// The first place at or after `at` where a value may start, and the automaton has to decide.
    pub fn candidate(&self, text: &[u8], at: usize, before: u8, _end: bool) -> Option<usize> {
        let mut signature =
            tables::after(at.checked_sub(1).and_then(|i| text.get(i)).copied().unwrap_or(before));
        for (&byte, place) in text.get(at..)?.iter().zip(at..) {
            if STARTS.iter().any(|&start| self.flags(tables::step(start, byte), signature).undecided())
                || self.literals.iter().any(|l| l.first() == Some(&byte))
            {
                return Some(place);
            }
            signature = tables::after(byte);
        }
        None
    }
}
