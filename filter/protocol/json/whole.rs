//! A document that is written as it is read: every string of it is a whole text.

use crate::mask::text::Masks;
use crate::protocol::facts::Facts;
use crate::protocol::{Thinking, Unreadable};

use super::clean::Clean;
use super::link::Lead;
use super::spares::{Kind, Spares};
use super::table::{Fact, Mark, Offset, OnText, Place};
use super::text::End;
use super::walk::{Part, Visit, Walk};
use super::{Edit, Raw};

/// What the string under way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    /// A text.
    Text(Kind),
    /// Not written.
    Gone,
    /// An address, of which the beginning is not written.
    Link(Lead),
}

/// Edits one document.
pub(crate) struct Whole<M: Masks> {
    walk: Walk,
    open: Open,
    spares: Spares<M>,
    clean: Clean,
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
            spares: Spares::default(),
            clean: Clean::default(),
            cut: Vec::new(),
            empty: true,
            signed: Signed::default(),
        }
    }

    /// Begins another document of the same kind.
    pub(crate) fn restart(&mut self) {
        self.walk.restart(b"");
        self.open = Open::None;
        self.empty = true;
        self.signed = Signed { thinking: self.signed.thinking, ..Signed::default() };
    }

    pub(crate) fn set_thinking(&mut self, thinking: Thinking) {
        self.signed.thinking = thinking;
    }

    pub(crate) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    /// Raw bytes held.
    pub(crate) fn held(&self) -> usize {
        self.spares.held().saturating_add(self.cut.len())
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
        let Self { open, spares, clean, signed, .. } = self;
        let mut editor = Editor { open, spares, clean, signed, edit, facts };
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
    open: &'a mut Open,
    spares: &'a mut Spares<M>,
    clean: &'a mut Clean,
    signed: &'a mut Signed,
    edit: &'a mut Edit<'e, M>,
    facts: &'a mut Facts,
}

impl<M: Masks> Editor<'_, '_, M> {
    fn begin(&mut self, on: OnText) -> Open {
        self.begin_signed(on).unwrap_or(match on {
            OnText::Json(_) | OnText::Nested => Open::Text(Kind::Nested),
            OnText::Link => Open::Link(Lead::default()),
            _ => Open::Text(Kind::Text),
        })
    }

    /// Begins thinking or its signature, where that is not just a text.
    fn begin_signed(&mut self, on: OnText) -> Option<Open> {
        let thinking = match on {
            OnText::Thinking => true,
            OnText::Text(field) | OnText::Json(field) => field.thinking,
            _ => false,
        };
        let signature = matches!(on, OnText::Signature);
        if !thinking && !signature {
            return None;
        }
        match self.signed.thinking {
            Thinking::Drop => Some(Open::Gone),
            Thinking::Exempt => Some(Open::Text(Kind::Label)),
            Thinking::Mask if thinking => {
                self.signed.before = Some(self.edit.tally.count());
                None
            }
            Thinking::Mask if std::mem::take(&mut self.signed.changed) => Some(Open::Gone),
            Thinking::Mask => Some(Open::Text(Kind::Label)),
        }
    }

    /// Whether a whole text, as JSON writes it, surely comes out as it came and with nothing counted.
    fn passes(&self, text: &[u8]) -> bool {
        self.edit.masks.passes(text) || self.clean.holds(text)
    }

    /// A text that comes whole. What comes out as it came, with nothing counted, is remembered, unless texts are known by
    /// their order.
    fn whole(&mut self, part: &Part<'_>) -> bool {
        let found = self.edit.tally.count();
        let taken = self.piece(part);
        if !taken && self.edit.tally.count() == found && self.edit.masks.is_reusable() {
            self.clean.remember(part.raw.bytes);
        }
        taken
    }

    /// A piece of the string under way.
    fn piece(&mut self, part: &Part<'_>) -> bool {
        let end = if part.end { End::Text } else { End::Piece };
        match self.open {
            Open::None => false,
            Open::Gone => part.raw.drop(self.edit.out),
            Open::Text(kind) => self.spares.piece(*kind, part.raw, end, self.edit),
            Open::Link(lead) => {
                let (gone, rest) = lead.part(part.raw.bytes);
                if gone.is_empty() {
                    return self.spares.piece(Kind::Label, part.raw, end, self.edit);
                }
                self.edit.out.extend_from_slice(part.raw.before);
                if !self.spares.piece(
                    Kind::Label,
                    Raw { before: &[], bytes: rest, ..part.raw },
                    end,
                    self.edit,
                ) {
                    self.edit.out.extend_from_slice(rest);
                }
                true
            }
        }
    }

    fn open(&mut self, open: Open) {
        *self.open = open;
        match open {
            Open::Text(kind) => self.spares.begin(kind, self.edit.masks),
            Open::Link(_) => self.spares.begin(Kind::Label, self.edit.masks),
            Open::None | Open::Gone => {}
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

    fn text(&mut self, on: OnText, _path: u32, part: &Part<'_>) -> bool {
        let mut is_whole = false;
        if *self.open == Open::None {
            let open = self.begin(on);
            is_whole = part.end && open == Open::Text(Kind::Text);
            if is_whole && self.passes(part.raw.bytes) {
                self.signed.before = None;
                self.edit.tally.deliver(part.raw.bytes.len());
                return false;
            }
            self.open(open);
        }
        let taken = if is_whole { self.whole(part) } else { self.piece(part) };
        if part.end {
            *self.open = Open::None;
            if let Some(before) = self.signed.before.take() {
                self.signed.changed |= self.edit.tally.count() != before;
            }
        }
        taken
    }

    fn label(&mut self, part: &Part<'_>) -> bool {
        if *self.open == Open::None {
            if part.end {
                return self.spares.edit_label(part.raw, self.edit);
            }
            self.open(Open::Text(Kind::Label));
        }
        let taken = self.piece(part);
        if part.end {
            *self.open = Open::None;
        }
        taken
    }

    fn key(&mut self, part: &Part<'_>) -> bool {
        self.text(OnText::Mask, 0, part)
    }

    fn number(&mut self, part: &Part<'_>) -> bool {
        self.spares.edit_number(part.raw, self.edit)
    }

    fn offset(&mut self, _offset: &'static Offset, part: &Part<'_>) -> bool {
        self.edit.tally.count() > 0 && part.raw.instead(b"0", self.edit.out)
    }

    fn dropped(&mut self, with: &'static str, _from: usize, _to: usize) {
        self.edit.out.extend_from_slice(with.as_bytes());
    }

    fn read(&mut self, fact: Fact, value: &[u8], _at: usize) {
        self.facts.read(fact, value);
    }
}
