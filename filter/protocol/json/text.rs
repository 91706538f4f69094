//! One text in one or many JSON strings, masked as it comes.

use memchr::memchr;

use crate::mask::text::{Masks, TextMask};

use super::plain::Plain;
use super::queue::{Drain, Level, Queue, floor_char};
use super::spans::Spans;
use super::unescape::{Step, Unescape, whole_escape};
use super::{Edit, Raw};

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

    /// The same text once more, at the same place.
    pub(crate) fn again(&self) -> Option<Self> {
        let mask = self.mask.again()?;
        let (queue, escapes) = (self.queue.clone(), self.escapes);
        Some(Self { mask, queue, escapes, decoded: Vec::new(), level: self.level })
    }

    pub(crate) fn spans(&self) -> Option<&Spans> {
        self.queue.spans()
    }

    /// Raw bytes held.
    pub(crate) fn held(&self) -> usize {
        self.queue.len()
    }

    /// Takes the next raw bytes: whole characters.
    pub(crate) fn push<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        if !self.edit(Raw::alone(raw), end, edit) {
            edit.out.extend_from_slice(raw);
        }
    }

    /// The same. False: the bytes stay what they are, and are not written.
    pub(crate) fn edit<M: Masks<Text = T>>(
        &mut self,
        raw: Raw<'_>,
        end: End,
        edit: &mut Edit<'_, M>,
    ) -> bool {
        if raw.plain || self.is_plain(raw.bytes) {
            return self.plain(raw, end, edit);
        }
        edit.out.extend_from_slice(raw.before);
        for (window, end) in Windows::new(raw.bytes, end) {
            self.window(window, end, edit);
        }
        true
    }

    /// Whether the bytes are written as they are meant.
    fn is_plain(&self, raw: &[u8]) -> bool {
        self.level == Level::Bare || (self.escapes.is_idle() && memchr(b'\\', raw).is_none())
    }

    fn window<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        self.queue.extend(raw);
        let mut decoded = std::mem::take(&mut self.decoded);
        self.decode(raw, end, &mut decoded);
        let mut drain = Drain { queue: &mut self.queue, out: edit.out, tally: edit.tally, level: self.level };
        self.mask.push(&decoded, end == End::Text, &mut drain);
        decoded.clear();
        self.decoded = decoded;
        self.settle(end);
    }

    fn plain<M: Masks<Text = T>>(&mut self, raw: Raw<'_>, end: End, edit: &mut Edit<'_, M>) -> bool {
        let mut plain = Plain::new(&mut self.queue, raw, edit.out, edit.tally, self.level);
        self.mask.push(raw.bytes, end == End::Text, &mut plain);
        let written = plain.finish();
        self.settle(end);
        written
    }

    fn settle(&mut self, end: End) {
        if end == End::Text {
            self.queue.clear();
        } else {
            self.queue.settle();
        }
    }

    fn decode(&mut self, mut raw: &[u8], end: End, into: &mut Vec<u8>) {
        while let Some((&byte, rest)) = raw.split_first() {
            if self.escapes.is_idle() {
                if byte != b'\\' {
                    let run = memchr(b'\\', raw).unwrap_or(raw.len());
                    let (plain, rest) = raw.split_at_checked(run).unwrap_or((raw, &[]));
                    self.queue.run(plain.len());
                    into.extend_from_slice(plain);
                    raw = rest;
                    continue;
                }
                if let Some((len, char)) = whole_escape(raw) {
                    self.unit(len, char, into);
                    raw = raw.get(len..).unwrap_or_default();
                    continue;
                }
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
