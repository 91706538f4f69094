//! Text that needs no decoding, decided where it stands.
//!
//! Nearly all text is written as it is meant. Its bytes need not go through the queue: what is kept is copied at once,
//! and what is kept in one go with the bytes before it need not be copied at all yet. Only what stays undecided is
//! put into the queue, for the next piece.

use crate::mask::text::{Entity, Sink};

use super::queue::{Level, Queue, write};
use super::spans::Length;
use super::{Raw, Tally};

/// Applies a masker's decisions to what the queue holds and then to a piece behind it.
pub(crate) struct Plain<'a> {
    queue: &'a mut Queue,
    out: &'a mut Vec<u8>,
    tally: &'a mut Tally,
    level: Level,
    /// What goes out before anything else of this text; written with the first thing that cannot stay where it is.
    before: Option<&'a [u8]>,
    piece: &'a [u8],
    /// So much of the piece is decided, and so much of that was written or is gone.
    at: usize,
    done: usize,
}

impl<'a> Plain<'a> {
    pub(crate) fn new(
        queue: &'a mut Queue,
        Raw { before, bytes: piece, .. }: Raw<'a>,
        out: &'a mut Vec<u8>,
        tally: &'a mut Tally,
        level: Level,
    ) -> Self {
        let mut plain = Self { queue, out, tally, level, before: Some(before), piece, at: 0, done: 0 };
        if piece.first().is_some_and(continues) && !plain.queue.is_decided() {
            // A character that began in the queue ends there.
            plain.spill();
        }
        plain
    }

    /// Puts what is undecided into the queue. False: the piece is kept as a whole, and nothing was written.
    pub(crate) fn finish(mut self) -> bool {
        if self.before.is_some() && self.at >= self.piece.len() {
            return false;
        }
        self.spill();
        true
    }

    /// Writes what comes before the next decision.
    fn flush(&mut self) {
        if let Some(before) = self.before.take() {
            self.out.extend_from_slice(before);
        }
        self.out.extend_from_slice(self.piece.get(self.done..self.at).unwrap_or_default());
        self.done = self.at;
    }

    /// Leaves the rest of the piece to the queue.
    fn spill(&mut self) {
        self.flush();
        let rest = self.piece.get(self.at..).unwrap_or_default();
        self.queue.extend(rest);
        self.queue.run(rest.len());
        (self.piece, self.at, self.done) = (&[], 0, 0);
    }

    fn decide(&mut self, mut len: usize, keep: bool) {
        if !self.queue.is_decided() {
            self.flush();
            len = len.saturating_sub(self.queue.decide(len, keep, self.out));
        }
        if len == 0 {
            return;
        }
        let to = self.at.saturating_add(len).min(self.piece.len());
        if self.piece.get(to).is_some_and(continues) {
            // Within a character: it goes out whole or not at all, and the queue sees to that.
            self.spill();
            self.queue.decide(len, keep, self.out);
            return;
        }
        if let Some(spans) = self.queue.spans_mut() {
            spans.take(Length::of(self.piece.get(self.at..to).unwrap_or_default()), keep);
        }
        if !keep {
            self.flush();
            self.done = to;
        }
        self.at = to;
    }

    /// Writes what stands for the bytes that come next.
    fn instead(&mut self, with: &[u8]) {
        self.flush();
        write(self.level, with, self.out);
    }
}

/// Whether a byte goes on a character.
fn continues(byte: &u8) -> bool {
    byte & 0xC0 == 0x80
}

impl Sink for Plain<'_> {
    #[inline]
    fn keep(&mut self, len: usize) {
        self.decide(len, true);
        self.tally.deliver(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.tally.find(entity);
        self.tally.deliver(with.len());
        self.instead(with);
        if let Some(spans) = self.queue.spans_mut() {
            spans.begin(with);
        }
        self.decide(len, false);
    }

    fn swallow(&mut self, len: usize) {
        self.decide(len, false);
    }

    fn flag(&mut self, len: usize, entity: Entity) {
        self.tally.find(entity);
        self.keep(len);
    }

    fn block(&mut self, len: usize, entity: Entity) {
        self.tally.block(entity);
        self.swallow(len);
    }

    fn restore(&mut self, len: usize, with: &[u8]) {
        self.tally.restore();
        self.tally.deliver(with.len());
        self.instead(with);
        if let Some(spans) = self.queue.spans_mut() {
            spans.begin(with);
        }
        self.decide(len, false);
    }
}
