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

pub(crate) mod clean;
pub(crate) mod grammar;
pub(crate) mod link;
pub(crate) mod nested;
pub(crate) mod number;
pub mod paths;
pub(crate) mod plain;
pub mod pointer;
pub(crate) mod queue;
pub(crate) mod spans;
pub(crate) mod spares;
pub mod table;
pub(crate) mod text;
pub(crate) mod unescape;
pub(crate) mod walk;
pub(crate) mod whole;

use crate::mask::text::{Entity, Masks};
use text::{End, Text};

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

    /// Counts what was found elsewhere.
    pub(crate) fn add_found(&mut self, other: &Self) {
        for &(entity, count) in other.found() {
            (0..count).for_each(|_| self.find(entity));
        }
        self.blocked = self.blocked.or(other.blocked);
    }

    /// Takes away from both what they have in common, of what was found and delivered.
    pub(crate) fn offset(&mut self, other: &mut Self) {
        for (entity, count) in &mut self.found {
            let Some((_, known)) = other.found.iter_mut().find(|(known, _)| known == entity) else {
                continue;
            };
            let same = (*count).min(*known);
            (*count, *known) = (count.saturating_sub(same), known.saturating_sub(same));
        }
        for (count, known) in
            [(&mut self.delivered, &mut other.delivered), (&mut self.restored, &mut other.restored)]
        {
            let same = (*count).min(*known);
            (*count, *known) = (count.saturating_sub(same), known.saturating_sub(same));
        }
        self.found.retain(|(_, count)| *count > 0);
    }

    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.add_found(other);
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.restored = self.restored.saturating_add(other.restored);
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

/// The raw bytes of a value, or of a part of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    /// What stays before them and is not written yet: it is written with them, and only with them.
    pub(crate) before: &'a [u8],
    pub(crate) bytes: &'a [u8],
    /// Whether they are known to hold no escape, nor to go on one.
    pub(crate) plain: bool,
}

impl<'a> Raw<'a> {
    /// Bytes with nothing before them.
    pub(crate) fn alone(bytes: &'a [u8]) -> Self {
        Self { before: &[], bytes, plain: false }
    }

    /// Leaves them out. False: there are none, and nothing is written.
    pub(crate) fn drop(&self, out: &mut Vec<u8>) -> bool {
        self.instead(b"", out)
    }

    /// Writes something else in their place, unless it is the same. False: it is, and nothing is written.
    pub(crate) fn instead(&self, with: &[u8], out: &mut Vec<u8>) -> bool {
        if with == self.bytes {
            return false;
        }
        out.extend_from_slice(self.before);
        out.extend_from_slice(with);
        true
    }
}

/// What an edit needs beside its text.
pub(crate) struct Edit<'a, M> {
    pub(crate) masks: &'a M,
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) tally: &'a mut Tally,
}

impl<'e, M> Edit<'e, M> {
    /// The same edit with counts of its own place.
    pub(crate) fn new(masks: &'e M, out: &'e mut Vec<u8>, tally: &'e mut Tally) -> Self {
        Self { masks, out, tally }
    }

    /// Writes a piece of a label, as [`Text::edit`] does. What is found counts, what is kept is no text that was
    /// delivered.
    pub(crate) fn label(&mut self, label: &mut Text<M::Text>, piece: Raw<'_>, end: End) -> bool
    where
        M: Masks,
    {
        let mut aside = Tally::default();
        let written = label.edit(piece, end, &mut Edit::new(self.masks, self.out, &mut aside));
        self.tally.add_found(&aside);
        written
    }
}
