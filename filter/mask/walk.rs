//! Walks of the automaton from a place where a value may start.
use super::candidates::Candidate;
use super::plan::Prepared;
use super::swallow::Swallow;
use super::tables::{self, BEFORE_ANY, DEAD, DETECTORS, GROWING, LAST_END_ONLY, PAST_LIMIT, STARTS};
use super::text::Entity;

/// Bytes after which a walk is decided, whatever may follow.
pub const LIMIT: usize = 320;

/// What the walks from one place came to.
pub enum Verdict {
    /// The text so far does not decide.
    Undecided,
    /// No value starts here.
    Nothing,
    /// A value of so many bytes.
    Value { len: usize, entity: Entity },
    /// A value of at least so many bytes, longer than the limit: the rest is to be swallowed.
    Long { len: usize, entity: Entity, swallow: Swallow },
}

/// The walks from one place, one from each start of the automaton. They may rest between two pieces of the text.
pub struct Walks([Walk; 2]);

impl Walks {
    pub fn new() -> Self {
        Self(STARTS.map(|start| Walk { start, signature: 0, state: start, len: 0, ends: Vec::new() }))
    }

    /// Starts afresh, at a place after a byte of this signature; from those starts for which it was proposed.
    pub fn restart(&mut self, signature: u8, candidate: Candidate) {
        for (walk, proposed) in self.0.iter_mut().zip([candidate.plain, candidate.anchored]) {
            let state = if proposed { walk.start } else { DEAD };
            (walk.signature, walk.state, walk.len) = (signature, state, 0);
            walk.ends.clear();
        }
    }

    /// Goes on over the text, which starts where the value does; `end` says that it is whole.
    pub fn go(&mut self, plan: &Prepared, text: &[u8], end: bool) -> Verdict {
        let Self([tokens, anchored]) = self;
        // Both go as far as they can before one may leave the other waiting.
        let (tokens, anchored) = (tokens.go(plan, text, end), anchored.go(plan, text, end));
        let (Some(a), Some(b)) = (tokens, anchored) else { return Verdict::Undecided };
        let best = if b.rank() > a.rank() { b } else { a };
        let Some(detector) = best.detector.and_then(detector) else { return Verdict::Nothing };
        let (len, entity) = (best.len, detector.entity);
        match best.swallow {
            Some(swallow) => Verdict::Long { len, entity, swallow },
            None => Verdict::Value { len, entity },
        }
    }
}

struct Walk {
    start: u16,
    signature: u8,
    state: u16,
    len: usize,
    /// Where something accepted, in order.
    ends: Vec<End>,
}

#[derive(Clone, Copy)]
struct End {
    len: usize,
    detectors: u64,
}

/// The longest value that one walk found, if any.
#[derive(Default)]
struct Best {
    len: usize,
    detector: Option<u32>,
    swallow: Option<Swallow>,
}

impl Best {
    /// A longer value goes first, then the detector that stands first in the table.
    fn rank(&self) -> (usize, std::cmp::Reverse<u32>) {
        (self.len, std::cmp::Reverse(self.detector.unwrap_or(u32::MAX)))
    }
}

impl Walk {
    /// `None`: the text so far does not decide.
    fn go(&mut self, plan: &Prepared, text: &[u8], end: bool) -> Option<Best> {
        let (mut state, mut len) = (self.state, self.len);
        for &byte in text.get(len..).unwrap_or_default() {
            let flags = plan.flags(state, self.signature);
            if flags.accepts() {
                self.accept(plan, state, len, tables::before(byte));
            }
            if !flags.undecided() {
                (self.state, self.len) = (state, len);
                return Some(self.longest(text));
            }
            if len == LIMIT {
                (self.state, self.len) = (state, len);
                return Some(self.past_limit(plan, text));
            }
            state = tables::step(state, byte);
            len = len.wrapping_add(1);
        }
        (self.state, self.len) = (state, len);
        let flags = plan.flags(state, self.signature);
        if flags.undecided() && !end {
            return None;
        }
        if flags.accepts() {
            self.accept(plan, state, len, if end { u64::MAX } else { BEFORE_ANY });
        }
        Some(if len == LIMIT { self.past_limit(plan, text) } else { self.longest(text) })
    }

    fn accept(&mut self, plan: &Prepared, state: u16, len: usize, before: u64) {
        let detectors = tables::masks(state).0 & plan.startable(self.signature) & before;
        if detectors == 0 {
            return;
        }
        // Where only the last end counts, an earlier one need not be kept; and a walk that waited for the other sees
        // its last end again.
        while let Some(last) = self.ends.last_mut() {
            last.detectors &= !(detectors & LAST_END_ONLY);
            if last.detectors != 0 && last.len != len {
                break;
            }
            self.ends.pop();
        }
        self.ends.push(End { len, detectors });
    }

    /// The longest value that passes its validator; of equals, the first detector's.
    fn longest(&self, text: &[u8]) -> Best {
        let mut tried = 0;
        for end in self.ends.iter().rev() {
            let mut open = end.detectors & !(tried & LAST_END_ONLY);
            tried |= open;
            while open != 0 {
                let bit = open.trailing_zeros();
                open &= open.wrapping_sub(1);
                let value = text.get(..end.len).unwrap_or_default();
                if detector(bit).is_some_and(|d| d.validator.is_none_or(|valid| valid(value))) {
                    return Best { len: end.len, detector: Some(bit), swallow: None };
                }
            }
        }
        Best::default()
    }

    #[cold]
    fn past_limit(&self, plan: &Prepared, text: &[u8]) -> Best {
        let going = tables::masks(self.state).1 & plan.startable(self.signature);
        let unclosed = going & PAST_LIMIT;
        let mut best = self.longest(text);
        if unclosed != 0 {
            (best.len, best.detector) = (LIMIT, Some(unclosed.trailing_zeros()));
        }
        best.swallow = best
            .detector
            .filter(|bit| going & (GROWING | PAST_LIMIT) & 1u64.wrapping_shl(*bit) != 0)
            .map(|bit| Swallow::new(bit, self.state, LIMIT.saturating_sub(best.len)));
        best
    }
}

fn detector(bit: u32) -> Option<&'static tables::Detector> {
    DETECTORS.get(usize::try_from(bit).ok()?)
}
