//! The masker of one text that comes in pieces.
use std::mem;
use std::rc::Rc;

use super::candidates::{Ahead, Stretch};
use super::context::Before;
use super::entity::UPSTREAM_CREDENTIAL;
use super::grammar::DEPTH;
use super::heard::Heard;
use super::held::Held;
use super::literals::Literal;
use super::operators::Operating;
use super::plan::Prepared;
use super::swallow::Swallow;
use super::text::{Sink, TextMask};
use super::walk::{Verdict, Walks};

/// A piece of so many bytes is joined to what was held, whatever that is.
const SHORT: usize = 64;
/// How much of a new piece is joined to what was held, before the rest is read in place.
const JOIN: usize = 512;

/// Masks one text as it is written. What it decides depends on the text alone, never on how it was cut.
#[derive(Clone)]
pub struct Masker {
    plan: Rc<Prepared>,
    /// The byte before what is undecided; a line end before the text.
    before: u8,
    /// Which of them were wanted words; a memory of what was read, nothing depends on it.
    heard: Heard,
    /// What is undecided, and the bytes before it.
    held: Held,
    /// The anchors for whose sake all of it is surely held, as bits: it is one short run ([`super::tails`]).
    sure: u16,
    doing: Doing,
    walks: Walks,
    operating: Operating,
}

#[derive(Clone)]
enum Doing {
    /// Looking for a place where a value may start.
    Seeking,
    /// Walking from the first undecided byte.
    Walking,
    /// Swallowing the rest of a value longer than the limit.
    Swallowing(Swallow),
}

impl TextMask for Masker {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        if self.sure != 0 && self.goes_on(text, end) {
            self.held.add(text);
        } else if end && self.held.is_empty() {
            self.read(text, end, sink);
        } else if text.len() <= SHORT {
            self.join_all(text, end, sink);
        } else {
            let rest = self.join(text, end, sink);
            if !rest.is_empty() {
                self.read(rest, end, sink);
            }
        }
        if end {
            self.before = b'\n';
            self.held.forget();
            self.heard = Heard::default();
            self.doing = Doing::Seeking;
        }
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Masker {
    pub(super) fn new(plan: Rc<Prepared>, operating: Operating) -> Self {
        Self {
            plan,
            before: b'\n',
            heard: Heard::default(),
            held: Held::default(),
            sure: 0,
            doing: Doing::Seeking,
            walks: Walks::new(),
            operating,
        }
    }

    /// Whether there is nothing to look for.
    pub(super) fn idle(&self) -> bool {
        self.plan.is_idle()
    }

    /// Whether another masker of the same plan will decide the same, whatever comes.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let doing = match (&self.doing, &other.doing) {
            (Doing::Swallowing(_), _) | (_, Doing::Swallowing(_)) => false,
            // Where a value may start follows from what is held.
            _ => true,
        };
        let ((past, held), (other_past, other_held)) = (self.held.both(), other.held.both());
        let past = !self.plan.asks_context || past == other_past;
        doing && self.before == other.before && held == other_held && past
    }

    /// Whether a text only makes a run longer that is surely held.
    #[inline(always)]
    fn goes_on(&mut self, text: &[u8], end: bool) -> bool {
        let Some(tails) = self.plan.tails.as_ref().filter(|_| !end) else { return false };
        if self.held.len().saturating_add(text.len()) >= DEPTH {
            return false;
        }
        self.sure = text.iter().fold(self.sure, |sure, &byte| tails.goes_on(sure, byte));
        self.sure != 0
    }

    /// Decides a text in its place, before which nothing is held.
    fn read(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let held = mem::take(&mut self.held);
        let done = self.run(held.both().0, text, end, sink);
        self.held = held;
        if !end {
            self.held.pass_by(text, done);
        }
    }

    /// Decides what is held and a text after it.
    fn join_all(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let mut joined = mem::take(&mut self.held);
        joined.add(text);
        let (past, held) = joined.both();
        let done = self.run(past, held, end, sink);
        joined.pass(done);
        self.held = joined;
    }

    /// Decides what is held with the help of a long text's first bytes. Gives back what was not touched: when something
    /// is held after it, nothing.
    fn join<'t>(&mut self, text: &'t [u8], end: bool, sink: &mut dyn Sink) -> &'t [u8] {
        let mut rest = text;
        while !self.held.is_empty() {
            let (first, later) = rest.split_at(rest.len().min(JOIN));
            let last = later.is_empty();
            self.join_all(first, end && last, sink);
            if last {
                return &[];
            }
            let left = self.held.len();
            if let Some(at) = first.len().checked_sub(left) {
                self.held.drop_last(left);
                return rest.get(at..).unwrap_or_default();
            }
            rest = later;
        }
        rest
    }

    /// Decides as much of the text as it can, from its first undecided byte on, and says how much.
    fn run(&mut self, past: &[u8], text: &[u8], end: bool, sink: &mut dyn Sink) -> usize {
        self.sure = 0;
        let mut kept = 0;
        let mut at = 0;
        let mut ahead = Ahead::default();
        loop {
            match &mut self.doing {
                Doing::Seeking => {
                    let stretch = Stretch { text, before: self.before, past, end };
                    match self.plan.candidate(&mut ahead, &mut self.heard, &stretch, at) {
                        Some(candidate) => {
                            at = candidate.at;
                            let before = byte_before(text, at, self.before);
                            let value = text.get(at..).unwrap_or_default();
                            if !end && value.len() < DEPTH {
                                if candidate.is_open(&self.plan, before, value) {
                                    self.sure = candidate.sure;
                                    break;
                                }
                                if !ahead.is_all() {
                                    ahead = Ahead::all();
                                    continue;
                                }
                            }
                            let near = || self.heard.near(&self.plan.wanted, past, text, at);
                            self.walks.restart(&self.plan, before, &candidate, near);
                            self.doing = Doing::Walking;
                        }
                        None => {
                            at = text.len();
                            break;
                        }
                    }
                }
                Doing::Walking => {
                    let (len, entity, then) = match self.verdict(past, text, at, end) {
                        Verdict::Undecided => break,
                        Verdict::Nothing => {
                            at = at.wrapping_add(1);
                            self.doing = Doing::Seeking;
                            continue;
                        }
                        Verdict::Value { len, entity } => (len, entity, Doing::Seeking),
                        Verdict::Long { len, entity, swallow } => (len, entity, Doing::Swallowing(swallow)),
                    };
                    keep(sink, at.saturating_sub(kept));
                    let value = text.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default();
                    let long = matches!(then, Doing::Swallowing(_));
                    self.operating.value(value, long, entity, self.plan.catalogue.replacement(entity), sink);
                    at = at.saturating_add(len);
                    kept = at;
                    self.doing = then;
                }
                Doing::Swallowing(swallow) => {
                    let (gone, over) = swallow.go(&self.plan, text.get(at..).unwrap_or_default(), end);
                    if gone > 0 {
                        self.operating.rest(gone, sink);
                    }
                    at = at.saturating_add(gone);
                    kept = at;
                    if !over {
                        break;
                    }
                    self.doing = Doing::Seeking;
                }
            }
        }
        keep(sink, at.saturating_sub(kept));
        self.before = byte_before(text, at, self.before);
        if self.plan.asks_context {
            self.heard.pass(at);
        }
        at
    }

    /// Whether a value starts at a place: the longest of what the detectors and the literals say.
    fn verdict(&mut self, past: &[u8], text: &[u8], at: usize, end: bool) -> Verdict {
        let value = text.get(at..).unwrap_or_default();
        let before = Before::new(past, text, at);
        if !self.walks.literal {
            return self.walks.go(&self.plan, value, end, &before);
        }
        let literal = match self.plan.literals.find(value, end) {
            Literal::Undecided => return Verdict::Undecided,
            Literal::Found(len) => len,
            Literal::Nothing => 0,
        };
        match self.walks.go(&self.plan, value, end, &before) {
            Verdict::Nothing if literal > 0 => Verdict::Value { len: literal, entity: UPSTREAM_CREDENTIAL },
            Verdict::Value { len, .. } | Verdict::Long { len, .. } if literal >= len => {
                Verdict::Value { len: literal, entity: UPSTREAM_CREDENTIAL }
            }
            verdict => verdict,
        }
    }
}

fn keep(sink: &mut dyn Sink, len: usize) {
    if len > 0 {
        sink.keep(len);
    }
}

fn byte_before(text: &[u8], at: usize, before: u8) -> u8 {
    at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before)
}
