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
pub(crate) mod number;
pub mod paths;
pub(crate) mod queue;
pub(crate) mod spans;
pub mod table;
pub(crate) mod text;
pub(crate) mod unescape;
pub(crate) mod walk;
pub(crate) mod whole;

use crate::mask::text::{Entity, Masks};

/// What was found and delivered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    found: Vec<(Entity, u64)>,
    delivered: u64,
    restored: u64,
    blocked: Option<Entity>,
}

impl Tally {
    /// Counts a masked value.
    pub(crate) fn find(&mut self, entity: Entity) {
        match self.found.iter_mut().find(|(known, _)| *known == entity) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.found.push((entity, 1)),
        }
    }

    /// Counts a value with which nothing may go out any more.
    pub(crate) fn block(&mut self, entity: Entity) {
        self.find(entity);
        self.blocked.get_or_insert(entity);
    }

    /// Counts a name that was taken back.
    pub(crate) fn restore(&mut self) {
        self.restored = self.restored.saturating_add(1);
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

    pub(crate) fn restored(&self) -> u64 {
        self.restored
    }

    pub(crate) fn blocked(&self) -> Option<Entity> {
        self.blocked
    }
}

/// What an edit needs beside its text.
pub(crate) struct Edit<'a, M> {
    pub(crate) masks: &'a M,
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) tally: &'a mut Tally,
}

/// Writes a number, or what stands in the place of one in which something is masked (see [`number::masked`]).
pub(crate) fn number<M: Masks>(raw: &[u8], edit: &mut Edit<'_, M>) {
    match number::masked(raw, edit.masks, edit.tally) {
        Some(masked) => edit.out.extend_from_slice(&masked),
        None => edit.out.extend_from_slice(raw),
    }
}
