//! Where a value may start: proposed by fingerprints and by anchors, each looked for once per stretch of text.
use super::plan::Prepared;
use super::tables::{self, ANCHORS, Anchor, STARTS};

/// The bytes of a value that are tried before a walk is begun.
const GLIMPSE: usize = 12;

/// What is known of the places ahead in one stretch of text.
#[derive(Default)]
pub struct Ahead {
    plain: Next,
    anchored: [Next; ANCHORS.len()],
}

/// The next place that one generator proposes.
#[derive(Default, Clone, Copy)]
enum Next {
    #[default]
    Unknown,
    At(usize),
    Never,
}

/// A place where a value may start, and which of the automaton's starts it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub at: usize,
    pub plain: bool,
    pub anchored: bool,
}

impl Next {
    /// The place at or after `at`, asking anew when the known one has been passed.
    fn from(&mut self, at: usize, find: impl FnOnce() -> Option<usize>) -> usize {
        match *self {
            Self::At(place) if place >= at => place,
            Self::Never => usize::MAX,
            _ => {
                *self = find().map_or(Self::Never, Self::At);
                if let Self::At(place) = *self { place } else { usize::MAX }
            }
        }
    }
}

impl Prepared {
    /// The first place at or after `at` where a value may start, and the automaton has to decide.
    pub fn candidate(
        &self,
        ahead: &mut Ahead,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
    ) -> Option<Candidate> {
        let plain = ahead.plain.from(at, || {
            self.fingerprints.next(text, at, before, end, |start| self.survives(text, start, before))
        });
        let enabled = |anchor: &Anchor| self.enabled.wrapping_shr(anchor.detector) & 1 == 1;
        let anchors = ANCHORS.iter().zip(&mut ahead.anchored).filter(|(anchor, _)| enabled(anchor));
        let anchored = anchors.map(|(anchor, next)| next.from(at, || anchor.next(text, at, before, end)));
        let anchored = anchored.min().unwrap_or(usize::MAX);
        let first = plain.min(anchored);
        (first != usize::MAX).then_some(Candidate {
            at: first,
            plain: plain == first,
            anchored: anchored == first,
        })
    }
}

impl Prepared {
    /// Whether the automaton outlives a value's first bytes.
    fn survives(&self, text: &[u8], start: usize, before: u8) -> bool {
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let signature = tables::after(before);
        let mut state = STARTS[0];
        for &byte in text.get(start..).unwrap_or_default().iter().take(GLIMPSE) {
            state = tables::step(state, byte);
            let flags = self.flags(state, signature);
            if !flags.undecided() {
                return flags.accepts();
            }
            if flags.accepts() {
                return true;
            }
        }
        true
    }
}

impl Anchor {
    /// The first place at or after `at` where a value with this anchor may start: where the run before an anchor
    /// starts, or, in a text that goes on, the run at its end. No value starts within a run, for no value starts after
    /// a byte of it (build.rs sees to that).
    fn next(&self, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let anchors =
            memchr::memchr_iter(self.byte, text.get(at..)?).filter_map(|found| at.checked_add(found));
        let last = (!end).then_some(text.len());
        let start = |stop: usize| {
            let run = text.get(at..stop)?;
            let length =
                run.iter().rev().take(self.longest.wrapping_add(1)).take_while(|&&b| self.runs(b)).count();
            let start = stop.checked_sub(length)?;
            let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
            let startable = tables::startable(tables::after(before)).wrapping_shr(self.detector) & 1 == 1;
            (startable && length <= self.longest && start < text.len()).then_some(start)
        };
        anchors.chain(last).find_map(start)
    }

    fn runs(&self, byte: u8) -> bool {
        self.run.get(usize::from(byte)).copied().unwrap_or(false)
    }
}
