//! Editing JSON in place, as it comes.
//!
//! A document is never built: [`walk`] follows its structure and knows by a [`table`] what each string and number is.
//! What the table keeps goes out as the same bytes. What it masks is decoded ([`unescape`]), given to a masker, and
//! the masker's decisions are applied to the raw bytes ([`queue`]): an escape that is kept goes out as it was written,
//! a value that is masked is seen whichever way it was written. Tool arguments are JSON within a JSON string and take
//! both steps twice ([`nested`]).
//!
//! Memory is bounded by what the masker holds, the nesting ([`grammar::MAX_DEPTH`]) and the longest number
//! ([`walk::MAX_TOKEN`]), whatever the length of the document or of one string.

pub(crate) mod grammar;
pub(crate) mod nested;
pub mod paths;
pub(crate) mod queue;
pub(crate) mod spans;
pub mod table;
pub(crate) mod text;
pub(crate) mod unescape;
pub(crate) mod walk;
pub(crate) mod whole;

use crate::mask::text::{Entity, Masks, Sink};

/// What was found and delivered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    found: Vec<(Entity, u64)>,
    delivered: u64,
}

impl Tally {
    /// Counts a masked value.
    pub(crate) fn find(&mut self, entity: Entity) {
        match self.found.iter_mut().find(|(known, _)| *known == entity) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.found.push((entity, 1)),
        }
    }

    /// Counts bytes of text on their way to the caller.
    pub(crate) fn deliver(&mut self, bytes: usize) {
        self.delivered = self.delivered.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Masked values.
    pub(crate) fn count(&self) -> u64 {
        self.found.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub(crate) fn found(&self) -> &[(Entity, u64)] {
        &self.found
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }
}

/// What an edit needs beside its text.
pub(crate) struct Edit<'a, M> {
    pub(crate) masks: &'a M,
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) tally: &'a mut Tally,
}

/// Counts what a masker would replace, and writes nothing.
struct Probe<'a> {
    tally: &'a mut Tally,
    replaced: bool,
}

impl Sink for Probe<'_> {
    fn keep(&mut self, _len: usize) {}

    fn replace(&mut self, _len: usize, entity: Entity, _with: &[u8]) {
        self.replaced = true;
        self.tally.find(entity);
    }

    fn swallow(&mut self, _len: usize) {}
}

/// Writes a number, or in the place of one in which something is to be masked a zero of the same length: `0` and
/// spaces. That is a whole number for every reader, where `0000` would not be JSON and `0.00` no integer.
pub(crate) fn number<M: Masks>(number: &[u8], edit: &mut Edit<'_, M>) {
    use crate::mask::text::TextMask;
    let mut probe = Probe { tally: edit.tally, replaced: false };
    edit.masks.begin().push(number, true, &mut probe);
    if probe.replaced {
        zero(number.len(), edit.out);
    } else {
        edit.out.extend_from_slice(number);
    }
}

fn zero(len: usize, out: &mut Vec<u8>) {
    out.push(b'0');
    out.extend(std::iter::repeat_n(b' ', len.saturating_sub(1)));
}
