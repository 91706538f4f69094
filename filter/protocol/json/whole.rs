//! A document that is written as it is read: every string of it is a whole text.

use crate::mask::text::Masks;
use crate::protocol::facts::Facts;
use crate::protocol::{Thinking, Unreadable};

use super::nested::Nested;
use super::table::{Fact, Mark, Offset, OnText, Place};
use super::text::{End, Text};
use super::walk::{Visit, Walk};
use super::{Edit, Tally, number};

/// The string under way.
enum Open<T> {
    None,
    Text(Text<T>),
    /// Kept but for secrets; `None`: there are none to look for.
    Label(Option<Text<T>>),
    /// Not written.
    Gone,
    Nested(Nested<T>),
}

/// Edits one document.
pub(crate) struct Whole<M: Masks> {
    walk: Walk,
    open: Open<M::Text>,
    /// A text to be used again: its buffers are warm.
    spare: Option<Text<M::Text>>,
    /// Bytes of a character that is cut by the end of a piece.
    cut: Vec<u8>,
    empty: bool,
    signed: Signed,
}

/// What is known of the thinking that a signature may stand for.
#[derive(Debug, Default)]
struct Signed {
    thinking: Thinking,
    /// Values masked when the thinking under way began.
    before: Option<u64>,
    /// Something of it was changed.
    changed: bool,
}

impl<M: Masks> Whole<M> {
    pub(crate) fn new(root: &'static Place) -> Self {
        Self {
            walk: Walk::new(root),
            open: Open::None,
            spare: None,
            cut: Vec::new(),
            empty: true,
            signed: Signed::default(),
        }
    }

    pub(crate) fn set_thinking(&mut self, thinking: Thinking) {
        self.signed.thinking = thinking;
    }

    pub(crate) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    /// Raw bytes held.
    pub(crate) fn held(&self) -> usize {
        let text = match &self.open {
            Open::None | Open::Label(None) | Open::Gone => 0,
            Open::Label(Some(text)) => text.held(),
            Open::Text(text) => text.held(),
            Open::Nested(nested) => nested.held(),
        };
        text.saturating_add(self.cut.len())
    }

    /// Takes the next piece, cut anywhere. A body with nothing in it is no document and passes.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        edit: &mut Edit<'_, M>,
        facts: &mut Facts,
    ) -> Result<(), Unreadable> {
        self.empty &= bytes.is_empty();
        if self.empty {
            return Ok(());
        }
        let bytes = self.complete_character(bytes, edit, facts)?;
        let valid = valid_len(bytes)?;
        let (whole, rest) = bytes.split_at_checked(valid).unwrap_or((bytes, &[]));
        self.cut.extend_from_slice(rest);
        if end && !self.cut.is_empty() {
            return Err(Unreadable::Utf8);
        }
        self.step(whole, end, edit, facts)
    }

    /// Takes from `bytes` what is missing of a character cut before.
    fn complete_character<'a>(
        &mut self,
        mut bytes: &'a [u8],
        edit: &mut Edit<'_, M>,
        facts: &mut Facts,
    ) -> Result<&'a [u8], Unreadable> {
        while !self.cut.is_empty() {
            let Some((&byte, rest)) = bytes.split_first() else { break };
            self.cut.push(byte);
            bytes = rest;
            if valid_len(&self.cut)? == self.cut.len() {
                let character = std::mem::take(&mut self.cut);
                self.step(&character, false, edit, facts)?;
            }
        }
        Ok(bytes)
    }

    fn step(
        &mut self,
        bytes: &[u8],
        end: bool,
        edit: &mut Edit<'_, M>,
        facts: &mut Facts,
    ) -> Result<(), Unreadable> {
        let Self { open, spare, signed, .. } = self;
        let mut editor = Editor { open, spare, signed, edit, facts };
        self.walk.push(bytes, end, &mut editor)
    }
}

/// Bytes up to a character that may still be completed.
fn valid_len(bytes: &[u8]) -> Result<usize, Unreadable> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Unreadable::Utf8),
    }
}

struct Editor<'a, 'e, M: Masks> {
    open: &'a mut Open<M::Text>,
    spare: &'a mut Option<Text<M::Text>>,
    signed: &'a mut Signed,
    edit: &'a mut Edit<'e, M>,
    facts: &'a mut Facts,
}

impl<M: Masks> Editor<'_, '_, M> {
    fn begin(&mut self, on: OnText) {
        if let Some(open) = self.begin_signed(on) {
            *self.open = open;
            return;
        }
        let mask = self.edit.masks.begin();
        *self.open = match (on, self.spare.take()) {
            (OnText::Json(_) | OnText::Nested, spare) => {
                *self.spare = spare;
                Open::Nested(Nested::new(mask))
            }
            (_, Some(mut text)) => {
                text.restart(mask);
                Open::Text(text)
            }
            (_, None) => Open::Text(Text::new(mask)),
        };
    }
}

impl<M: Masks> Editor<'_, '_, M> {
    /// Begins thinking or its signature, where that is not just a text.
    fn begin_signed(&mut self, on: OnText) -> Option<Open<M::Text>> {
        let thinking = match on {
            OnText::Thinking => true,
            OnText::Text(field) | OnText::Json(field) => field.thinking,
            _ => false,
        };
        let signature = matches!(on, OnText::Signature);
        if !thinking && !signature {
            return None;
        }
        let kept = || Open::Label(self.edit.masks.begin_label().map(Text::new));
        match self.signed.thinking {
            Thinking::Drop => Some(Open::Gone),
            Thinking::Exempt => Some(kept()),
            Thinking::Mask if thinking => {
                self.signed.before = Some(self.edit.tally.count());
                None
            }
            Thinking::Mask if std::mem::take(&mut self.signed.changed) => Some(Open::Gone),
            Thinking::Mask => Some(kept()),
        }
    }
}

impl<M: Masks> Visit for Editor<'_, '_, M> {
    fn pass(&mut self, bytes: &[u8]) {
        self.edit.out.extend_from_slice(bytes);
    }

    fn enter(&mut self, mark: Mark) {
        self.facts.enter(mark);
    }

    fn text(&mut self, on: OnText, _path: u32, piece: &[u8], _at: usize, end: bool) {
        if matches!(self.open, Open::None) {
            self.begin(on);
        }
        let until = if end { End::Text } else { End::Piece };
        match self.open {
            Open::Label(Some(label)) => self.edit.label(label, piece, until),
            Open::Label(None) => self.edit.out.extend_from_slice(piece),
            Open::None | Open::Gone => {}
            Open::Text(text) => text.push(piece, until, self.edit),
            Open::Nested(nested) => nested.push(piece, until, self.edit),
        }
        if !end {
            return;
        }
        if let Open::Text(text) = std::mem::replace(self.open, Open::None) {
            *self.spare = Some(text);
        }
        if let Some(before) = self.signed.before.take() {
            self.signed.changed |= self.edit.tally.count() != before;
        }
    }

    fn label(&mut self, piece: &[u8], _at: usize, end: bool) {
        if matches!(self.open, Open::None) {
            *self.open = Open::Label(self.edit.masks.begin_label().map(Text::new));
        }
        let until = if end { End::Text } else { End::Piece };
        match self.open {
            Open::Label(Some(label)) => self.edit.label(label, piece, until),
            _ => self.edit.out.extend_from_slice(piece),
        }
        if end {
            *self.open = Open::None;
        }
    }

    fn key(&mut self, piece: &[u8], at: usize, end: bool) {
        self.text(OnText::Mask, 0, piece, at, end);
    }

    fn number(&mut self, text: &[u8], _at: usize) {
        number(text, self.edit);
    }

    fn offset(&mut self, _offset: &'static Offset, number: &[u8], _at: usize) {
        let same = self.edit.tally.count() == 0;
        self.edit.out.extend_from_slice(if same { number } else { b"0" });
    }

    fn dropped(&mut self, with: &'static str, _from: usize, _to: usize) {
        self.edit.out.extend_from_slice(with.as_bytes());
    }

    fn read(&mut self, fact: Fact, value: &[u8], _at: usize) {
        self.facts.read(fact, value);
    }
}

impl<'e, M> Edit<'e, M> {
    /// The same edit with counts of its own place.
    pub(crate) fn new(masks: &'e M, out: &'e mut Vec<u8>, tally: &'e mut Tally) -> Self {
        Self { masks, out, tally }
    }

    /// Writes a piece of a label. What is found counts, what is kept is no text that was delivered.
    pub(crate) fn label(&mut self, label: &mut Text<M::Text>, piece: &[u8], end: End)
    where
        M: Masks,
    {
        let mut aside = Tally::default();
        label.push(piece, end, &mut Edit::new(self.masks, self.out, &mut aside));
        for &(entity, count) in aside.found() {
            (0..count).for_each(|_| self.tally.find(entity));
        }
    }
}
