//! The bytes that wait for what comes after them, and the last ones that have passed before them.
use super::context::{KEPT, copy, last};

/// Bytes of room that are made at first.
const ROOM: usize = 256;

/// Bytes that are held. They grow at their end and pass at their start, and are moved but now and then.
#[derive(Default, Clone)]
pub struct Held {
    /// They stand from `start` to `end`, what has passed before them; what is behind means nothing.
    room: Vec<u8>,
    start: usize,
    end: usize,
}

impl Held {
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last bytes that have passed, and those that are held.
    #[inline(always)]
    pub fn both(&self) -> (&[u8], &[u8]) {
        let both = self.room.get(..self.end).unwrap_or_default();
        let (past, held) = both.split_at_checked(self.start).unwrap_or((both, &[]));
        (last(past), held)
    }

    /// Adds bytes at the end.
    #[inline]
    pub fn add(&mut self, text: &[u8]) {
        if self.end.saturating_add(text.len()) > self.room.len() {
            self.make_room(text.len());
        }
        let end = self.end.saturating_add(text.len());
        if let Some(place) = self.room.get_mut(self.end..end) {
            copy(place, text);
            self.end = end;
        }
    }

    #[cold]
    fn make_room(&mut self, more: usize) {
        let first = self.start.saturating_sub(KEPT);
        self.room.copy_within(first..self.end, 0);
        (self.start, self.end) = (self.start.saturating_sub(first), self.end.saturating_sub(first));
        let needed = self.end.saturating_add(more);
        if needed > self.room.len() {
            self.room.resize(needed.next_power_of_two().max(ROOM), 0);
        }
    }

    /// The first bytes pass.
    #[inline(always)]
    pub fn pass(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// The last bytes are held elsewhere.
    pub fn drop_last(&mut self, count: usize) {
        self.end = self.end.saturating_sub(count).max(self.start);
    }

    /// Nothing is held, and a text comes that is held from a place on.
    pub fn pass_by(&mut self, text: &[u8], held: usize) {
        let first = held.saturating_sub(KEPT);
        if first > 0 {
            self.forget();
        }
        self.add(text.get(first..).unwrap_or_default());
        self.pass(held.saturating_sub(first));
    }

    /// Another text begins.
    pub fn forget(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What may happen.
    #[derive(Debug, Clone)]
    enum Step {
        Add(usize),
        Pass(usize),
        DropLast(usize),
        PassBy(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0usize..90).prop_map(Step::Add),
            (0usize..90).prop_map(Step::Pass),
            (0usize..9).prop_map(Step::DropLast),
            (0usize..400, 0usize..400).prop_map(|(len, held)| Step::PassBy(len, held.min(len))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_added_is_held_until_it_passes(steps in proptest::collection::vec(step(), 1..60)) {
            let (mut held, mut past, mut expected, mut next) = (Held::default(), Vec::new(), Vec::new(), 0u8);
            let mut text = |len: usize| -> Vec<u8> {
                (0..len).map(|_| { next = next.wrapping_add(1); next }).collect()
            };
            for step in steps {
                match step {
                    Step::Add(more) => {
                        let text = text(more);
                        held.add(&text);
                        expected.extend(text);
                    }
                    Step::Pass(gone) => {
                        let gone = gone.min(expected.len());
                        held.pass(gone);
                        past.extend(expected.drain(..gone));
                    }
                    Step::DropLast(gone) => {
                        let left = expected.len() - gone.min(expected.len());
                        held.drop_last(expected.len() - left);
                        expected.truncate(left);
                    }
                    Step::PassBy(len, at) => {
                        held.pass(expected.len());
                        past.append(&mut expected);
                        let text = text(len);
                        held.pass_by(&text, at);
                        past.extend(&text[..at]);
                        expected.extend(&text[at..]);
                    }
                }
                prop_assert_eq!(held.both(), (last(&past), expected.as_slice()));
                prop_assert_eq!(held.len(), expected.len());
            }
        }
    }
}
