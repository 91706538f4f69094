//! Names that stood for values in a prompt, taken back in the answer to it.
//!
//! A prompt's values went upstream as names ([`super::prompt`]); where the model repeats a name, the caller gets the
//! value back. The names are those of one prompt and live as long as its exchange: nothing that one exchange was told
//! can be had in another, and a name that the prompt did not get is text like any other.
//!
//! # Order
//!
//! A text is cut at its names. What stands between them is masked, each stretch as a text of its own; what is put in a
//! name's place is the caller's own and is not. So a value that the answer holds beside a name is masked as ever, and a
//! value that the caller sent comes back even where the answer's mask names its entity. That is a function of the text
//! alone. Held back for the names' sake is only a text's end that begins one: from a `<` on.
use std::rc::Rc;

use crate::mask::Views;
use crate::mask::plan::Plan;
use crate::mask::text::{Masks, Sink, TextMask};
use crate::order;

/// The names of one prompt with what they stood for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restoration {
    /// By name, in order. A name is `<…>` without another bracket.
    names: Vec<(Vec<u8>, Vec<u8>)>,
    longest: usize,
}

/// What stands at a `<`.
enum Look<'n> {
    /// A name of so many bytes, and its value.
    Name(usize, &'n [u8]),
    /// The text ends within what may be a name.
    Undecided,
    /// No name.
    Nothing,
}

impl Restoration {
    /// Names in angle brackets, with values. What is no such name is left out.
    pub fn new(names: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let is_name = |name: &[u8]| match name {
            [b'<', inner @ .., b'>'] => !inner.iter().any(|byte| matches!(byte, b'<' | b'>')),
            _ => false,
        };
        let mut names: Vec<_> = names.into_iter().filter(|(name, _)| is_name(name)).collect();
        order::sort_by(&mut names, Ord::cmp);
        names.dedup_by(|a, b| a.0 == b.0);
        let longest = names.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        Self { names, longest }
    }

    /// Whether there is nothing to take back.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What stands where the text starts, which is at a `<`.
    fn look(&self, text: &[u8], end: bool) -> Look<'_> {
        let head = text.get(..self.longest.min(text.len())).unwrap_or(text);
        let Some(close) = memchr::memchr(b'>', head) else {
            let first = self.names.partition_point(|(name, _)| name.as_slice() < head);
            let begins = self.names.get(first).is_some_and(|(name, _)| name.starts_with(head));
            let cut = head.len() == text.len() && !end;
            return if begins && cut { Look::Undecided } else { Look::Nothing };
        };
        let len = close.saturating_add(1);
        let name = head.get(..len).unwrap_or(head);
        match self.names.binary_search_by(|(known, _)| known.as_slice().cmp(name)) {
            Ok(at) => self.names.get(at).map_or(Look::Nothing, |(_, value)| Look::Name(len, value)),
            Err(_) => Look::Nothing,
        }
    }
}

/// Masks texts by a plan, and takes back the names of a prompt.
pub struct Restoring {
    plan: Plan,
    names: Rc<Restoration>,
}

impl Restoring {
    /// Without names it is the plan.
    pub fn new(plan: Plan, names: Rc<Restoration>) -> Self {
        Self { plan, names }
    }
}

impl Masks for Restoring {
    type Text = RestoringText;

    fn begin(&self) -> RestoringText {
        RestoringText { masker: self.plan.begin(), names: Rc::clone(&self.names), held: Vec::new() }
    }

    fn finds_nothing(&self) -> bool {
        self.names.is_empty() && self.plan.finds_nothing()
    }

    fn is_reusable(&self) -> bool {
        self.plan.is_reusable()
    }

    fn masks_numbers(&self) -> bool {
        self.plan.masks_numbers()
    }

    fn begin_number(&self) -> RestoringText {
        RestoringText { masker: self.plan.begin_number(), names: Rc::default(), held: Vec::new() }
    }

    fn begin_label(&self) -> Option<RestoringText> {
        let masker = self.plan.begin_label()?;
        Some(RestoringText { masker, names: Rc::default(), held: Vec::new() })
    }

    fn passes(&self, text: &[u8]) -> bool {
        self.names.is_empty() && self.plan.passes(text)
    }

    fn passes_number(&self, number: &[u8]) -> bool {
        self.plan.passes_number(number)
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        self.plan.may_hold(label)
    }
}

/// One text. See the module.
pub struct RestoringText {
    masker: Views,
    names: Rc<Restoration>,
    /// The text's end, where it may begin a name.
    held: Vec<u8>,
}

impl TextMask for RestoringText {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        if self.names.is_empty() {
            return self.masker.push(text, end, sink);
        }
        if self.held.is_empty() {
            let from = self.run(text, end, sink);
            self.held.extend_from_slice(text.get(from..).unwrap_or_default());
            return;
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend_from_slice(text);
        let from = self.run(&joined, end, sink);
        joined.drain(..from.min(joined.len()));
        self.held = joined;
    }

    fn held(&self) -> usize {
        self.masker.held().saturating_add(self.held.len())
    }

    fn again(&self) -> Option<Self> {
        let masker = self.masker.again()?;
        Some(Self { masker, names: Rc::clone(&self.names), held: self.held.clone() })
    }
}

impl RestoringText {
    /// Gives the text to the masker but for its names; says from where on it cannot be decided yet.
    fn run(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) -> usize {
        let names = Rc::clone(&self.names);
        let (mut from, mut at) = (0usize, 0usize);
        let stretch = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        while let Some(found) = memchr::memchr(b'<', stretch(at, text.len())) {
            let start = at.saturating_add(found);
            match names.look(stretch(start, text.len()), end) {
                Look::Name(len, value) => {
                    self.masker.push(stretch(from, start), true, sink);
                    sink.restore(len, value);
                    from = start.saturating_add(len);
                    at = from;
                }
                Look::Undecided => {
                    self.masker.push(stretch(from, start), false, sink);
                    return start;
                }
                Look::Nothing => at = start.saturating_add(1),
            }
        }
        self.masker.push(stretch(from, text.len()), end, sink);
        text.len()
    }
}
