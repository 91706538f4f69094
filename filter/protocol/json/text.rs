//! One text in one or many JSON strings, masked as it comes.

use memchr::memchr;

use crate::mask::text::{Masks, TextMask};

use super::Edit;
use super::queue::{Drain, Level, Queue, floor_char};
use super::spans::Spans;
use super::unescape::{Step, Unescape};

/// Where a piece of raw bytes ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Within the string.
    Piece,
    /// With its string; the text goes on in another one.
    String,
    /// With the text.
    Text,
}

/// Longest piece that is worked on at once: it bounds the buffers, whatever the length of what comes.
const WINDOW: usize = 4096;

/// Cuts raw bytes between characters; the end belongs to the last window, and there is always one.
pub(crate) struct Windows<'a> {
    raw: &'a [u8],
    end: Option<End>,
}

impl<'a> Windows<'a> {
    pub(crate) fn new(raw: &'a [u8], end: End) -> Self {
        Self { raw, end: Some(end) }
    }
}

impl<'a> Iterator for Windows<'a> {
    type Item = (&'a [u8], End);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.end?;
        if self.raw.len() <= WINDOW {
            self.end = None;
            return Some((self.raw, end));
        }
        let (window, rest) = self.raw.split_at_checked(floor_char(self.raw, WINDOW))?;
        self.raw = rest;
        Some((window, End::Piece))
    }
}

/// A text whose masker is `T`.
pub(crate) struct Text<T> {
    mask: T,
    queue: Queue,
    escapes: Unescape,
    /// Decoded text for the masker; empty between calls.
    decoded: Vec<u8>,
    level: Level,
}

impl<T: TextMask> Text<T> {
    /// Text in JSON strings.
    pub(crate) fn new(mask: T) -> Self {
        Self::at(Level::Json, mask)
    }

    /// Text that is not escaped at all.
    pub(crate) fn bare(mask: T) -> Self {
        Self::at(Level::Bare, mask)
    }

    fn at(level: Level, mask: T) -> Self {
        Self { mask, queue: Queue::default(), escapes: Unescape::new(), decoded: Vec::new(), level }
    }

    /// Remembers where the text is changed.
    pub(crate) fn tracked(mut self) -> Self {
        self.queue.track(true);
        self
    }

    pub(crate) fn spans(&self) -> Option<&Spans> {
        self.queue.spans()
    }

    /// Forgets the text and begins another.
    pub(crate) fn restart(&mut self, mask: T) {
        self.queue.track(false);
        self.mask = mask;
        self.queue.clear();
        self.escapes = Unescape::new();
    }

    /// Raw bytes held.
    pub(crate) fn held(&self) -> usize {
        self.queue.len()
    }

    /// Takes the next raw bytes: whole characters.
    pub(crate) fn push<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        for (window, end) in Windows::new(raw, end) {
            self.window(window, end, edit);
        }
    }

    fn window<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        self.queue.extend(raw);
        let plain = self.level == Level::Bare || (self.escapes.is_idle() && memchr(b'\\', raw).is_none());
        if plain {
            self.queue.run(raw.len());
            self.give(raw, end, edit);
        } else {
            let mut decoded = std::mem::take(&mut self.decoded);
            self.decode(raw, end, &mut decoded);
            self.give(&decoded, end, edit);
            decoded.clear();
            self.decoded = decoded;
        }
        if end == End::Text {
            self.queue.clear();
        } else {
            self.queue.settle();
        }
    }

    fn give<M: Masks<Text = T>>(&mut self, text: &[u8], end: End, edit: &mut Edit<'_, M>) {
        let mut drain = Drain { queue: &mut self.queue, out: edit.out, tally: edit.tally, level: self.level };
        self.mask.push(text, end == End::Text, &mut drain);
    }

    fn decode(&mut self, mut raw: &[u8], end: End, into: &mut Vec<u8>) {
        while let Some((&byte, rest)) = raw.split_first() {
            if self.escapes.is_idle() && byte != b'\\' {
                let run = memchr(b'\\', raw).unwrap_or(raw.len());
                let (plain, rest) = raw.split_at_checked(run).unwrap_or((raw, &[]));
                self.queue.run(plain.len());
                into.extend_from_slice(plain);
                raw = rest;
                continue;
            }
            match self.escapes.step(if byte.is_ascii() { byte } else { 0xFF }, 1) {
                Step::More => raw = rest,
                Step::Char { raw: len, char } => {
                    self.unit(len, char, into);
                    raw = rest;
                }
                Step::Lone { raw: len } | Step::Bad { raw: len } => {
                    self.unit(len, char::REPLACEMENT_CHARACTER, into);
                }
            }
        }
        if end == End::Piece {
            return;
        }
        if let Some(len) = self.escapes.finish() {
            self.unit(len, char::REPLACEMENT_CHARACTER, into);
        }
    }

    fn unit(&mut self, raw: usize, char: char, into: &mut Vec<u8>) {
        self.queue.escape(raw, char.len_utf8());
        into.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
