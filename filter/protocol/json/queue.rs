//! Raw bytes on their way through a masker.
//!
//! The masker speaks of decoded text; what goes out are raw bytes. The queue holds the raw bytes of what is not yet
//! decided and how long each piece of them is as text, and turns lengths of text into raw bytes that go out or vanish.
//!
//! A character goes out whole or not at all: where a decision cuts one (a masker may speak of single bytes), it waits
//! for its last byte, and goes out only if all of it was kept.

use crate::mask::text::{Entity, Sink};

use super::Tally;
use super::spans::{Length, Spans};

/// A run of plain characters (`raw == text`, any number of them), or some escapes that are alike: characters of `text`
/// bytes, each written in `raw` bytes (`raw > text`).
#[derive(Debug, Clone, Copy)]
struct Unit {
    raw: usize,
    text: usize,
    /// How many escapes; of a run it says nothing.
    count: usize,
}

impl Unit {
    fn is_plain(self) -> bool {
        self.raw == self.text
    }
}

/// How a replacement is written among the raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it is.
    Bare,
    /// Within a JSON string.
    Json,
    /// Within a string of JSON that is itself a JSON string.
    JsonInJson,
}

/// See the module.
#[derive(Debug, Default, Clone)]
pub(crate) struct Queue {
    raw: Vec<u8>,
    /// Raw bytes already gone.
    head: usize,
    units: Vec<Unit>,
    /// Units already gone.
    first: usize,
    /// Bytes of text decided of the character in front.
    lead: usize,
    /// Whether one of them was replaced.
    spoiled: bool,
    /// Where the text was changed, if that is asked for.
    spans: Option<Box<Spans>>,
}

impl Queue {
    /// Remembers from now on where the text is changed.
    pub(crate) fn track(&mut self, on: bool) {
        self.spans = on.then(Box::default);
    }

    pub(crate) fn spans(&self) -> Option<&Spans> {
        self.spans.as_deref()
    }

    pub(super) fn spans_mut(&mut self) -> Option<&mut Spans> {
        self.spans.as_deref_mut()
    }

    /// Whether nothing is left to decide.
    pub(super) fn is_decided(&self) -> bool {
        self.first >= self.units.len()
    }

    /// Appends raw bytes; their units follow by [`Self::run`] and [`Self::escape`].
    pub(crate) fn extend(&mut self, raw: &[u8]) {
        self.raw.extend_from_slice(raw);
    }

    /// The next `len` raw bytes are plain text: whole characters.
    pub(crate) fn run(&mut self, len: usize) {
        if len == 0 {
            return;
        }
        match self.units.last_mut() {
            Some(last) if last.is_plain() && last.text > 0 => {
                last.raw = last.raw.saturating_add(len);
                last.text = last.text.saturating_add(len);
            }
            _ => self.units.push(Unit { raw: len, text: len, count: 1 }),
        }
    }

    /// The next `raw` raw bytes are one character of `text` bytes.
    pub(crate) fn escape(&mut self, raw: usize, text: usize) {
        match self.units.last_mut() {
            _ if raw == text => self.run(raw),
            Some(last) if last.raw == raw && last.text == text && last.count > 0 => {
                last.count = last.count.saturating_add(1);
            }
            _ => self.units.push(Unit { raw, text, count: 1 }),
        }
    }

    /// Raw bytes held.
    pub(crate) fn len(&self) -> usize {
        self.raw.len().saturating_sub(self.head)
    }

    /// The raw bytes held.
    pub(crate) fn raw(&self) -> &[u8] {
        self.raw.get(self.head..).unwrap_or_default()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.head = 0;
        self.units.clear();
        self.first = 0;
        self.lead = 0;
        self.spoiled = false;
    }

    /// Frees the room of what is gone.
    pub(crate) fn settle(&mut self) {
        if self.head >= self.raw.len() {
            self.raw.clear();
        } else {
            self.raw.drain(..self.head);
        }
        self.head = 0;
        if self.first >= self.units.len() {
            self.units.clear();
        } else {
            self.units.drain(..self.first);
        }
        self.first = 0;
    }

    /// The next `len` bytes of text go out or vanish, as far as the queue has them: how many it had.
    pub(super) fn decide(&mut self, len: usize, keep: bool, out: &mut Vec<u8>) -> usize {
        let mut left = len;
        while left > 0 {
            let Some(unit) = self.units.get(self.first).copied() else { break };
            let taken = match unit.is_plain() {
                true if self.lead == 0 => self.decide_run(unit, left, keep, out),
                false if self.lead == 0 && left >= unit.text => self.decide_escapes(unit, left, keep, out),
                _ => self.decide_character(unit, left, keep, out),
            };
            left = left.saturating_sub(taken);
        }
        len.saturating_sub(left)
    }

    /// Whole escapes.
    fn decide_escapes(&mut self, unit: Unit, len: usize, keep: bool, out: &mut Vec<u8>) -> usize {
        let count = len.checked_div(unit.text).unwrap_or(1).min(unit.count).max(1);
        let (raw, text) = (count.saturating_mul(unit.raw), count.saturating_mul(unit.text));
        if keep {
            out.extend_from_slice(self.raw().get(..raw).unwrap_or_default());
        }
        if let Some(spans) = &mut self.spans {
            spans.take(Length::characters(count, text), keep);
        }
        self.head = self.head.saturating_add(raw);
        self.escapes_gone(count);
        text
    }

    fn decide_run(&mut self, unit: Unit, len: usize, keep: bool, out: &mut Vec<u8>) -> usize {
        let taken = len.min(unit.text);
        let run = self.raw().get(..unit.text).unwrap_or_default();
        let whole = floor_char(run, taken);
        let decided = run.get(..whole).unwrap_or_default();
        if keep {
            out.extend_from_slice(decided);
        }
        let length = self.spans.is_some().then(|| Length::of(decided));
        if let (Some(spans), Some(length)) = (&mut self.spans, length) {
            spans.take(length, keep);
        }
        self.advance(whole, whole);
        self.lead = taken.saturating_sub(whole);
        self.spoiled = !keep && self.lead > 0;
        taken
    }

    fn decide_character(&mut self, unit: Unit, len: usize, keep: bool, out: &mut Vec<u8>) -> usize {
        let (raw, text) = if unit.is_plain() {
            let width = self.raw().first().map_or(1, |&b| width(b));
            let width = width.max(self.lead.saturating_add(1)).min(unit.text);
            (width, width)
        } else {
            (unit.raw, unit.text)
        };
        let taken = len.min(text.saturating_sub(self.lead)).max(1);
        self.lead = self.lead.saturating_add(taken);
        self.spoiled |= !keep;
        if self.lead >= text {
            if !self.spoiled {
                out.extend_from_slice(self.raw().get(..raw).unwrap_or_default());
            }
            if let Some(spans) = &mut self.spans {
                spans.take(Length::characters(1, text), !self.spoiled);
            }
            if unit.is_plain() {
                self.advance(raw, text);
            } else {
                self.head = self.head.saturating_add(raw);
                self.escapes_gone(1);
            }
            self.lead = 0;
            self.spoiled = false;
        }
        taken
    }

    fn escapes_gone(&mut self, count: usize) {
        let Some(unit) = self.units.get_mut(self.first) else { return };
        unit.count = unit.count.saturating_sub(count);
        if unit.count == 0 {
            self.first = self.first.saturating_add(1);
        }
    }

    fn advance(&mut self, raw: usize, text: usize) {
        self.head = self.head.saturating_add(raw);
        let Some(unit) = self.units.get_mut(self.first) else { return };
        unit.raw = unit.raw.saturating_sub(raw);
        unit.text = unit.text.saturating_sub(text);
        if unit.text == 0 {
            self.first = self.first.saturating_add(1);
        }
    }
}

/// The largest character boundary of `run` that is not above `at`; at most three bytes back.
pub(crate) fn floor_char(run: &[u8], at: usize) -> usize {
    let continues = |at: usize| run.get(at).is_some_and(|b| b & 0xC0 == 0x80);
    (0..4usize)
        .map(|back| at.saturating_sub(back))
        .find(|&candidate| candidate == 0 || !continues(candidate))
        .unwrap_or(at)
}

/// Length of the UTF-8 character that `byte` begins.
fn width(byte: u8) -> usize {
    match byte {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

/// Applies a masker's decisions to a [`Queue`].
pub(crate) struct Drain<'a> {
    pub(crate) queue: &'a mut Queue,
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) tally: &'a mut Tally,
    pub(crate) level: Level,
}

impl Sink for Drain<'_> {
    #[inline]
    fn keep(&mut self, len: usize) {
        self.queue.decide(len, true, self.out);
        self.tally.deliver(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.tally.find(entity);
        self.tally.deliver(with.len());
        if let Some(spans) = &mut self.queue.spans {
            spans.begin(with);
        }
        write(self.level, with, self.out);
        self.queue.decide(len, false, self.out);
    }

    fn swallow(&mut self, len: usize) {
        self.queue.decide(len, false, self.out);
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
        if let Some(spans) = &mut self.queue.spans {
            spans.begin(with);
        }
        write(self.level, with, self.out);
        self.queue.decide(len, false, self.out);
    }
}

/// Writes a replacement so that it stays one piece of the string around it.
pub(crate) fn write(level: Level, with: &[u8], out: &mut Vec<u8>) {
    match level {
        Level::Bare => out.extend_from_slice(with),
        Level::Json => escape(String::from_utf8_lossy(with).as_bytes(), out),
        Level::JsonInJson => {
            let mut inner = Vec::with_capacity(with.len());
            escape(String::from_utf8_lossy(with).as_bytes(), &mut inner);
            escape(&inner, out);
        }
    }
}

/// Appends `text` escaped for the inside of a JSON string.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raw bytes of `é\u00e9a😀` and decisions about their nine bytes of text, one letter each: keep or replace.
    fn decide(decisions: &str) -> String {
        let mut queue = Queue::default();
        queue.extend("é\\u00e9a😀".as_bytes());
        queue.run(2);
        queue.escape(6, 2);
        queue.run(5);
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        for decision in decisions.bytes() {
            let mut drain = Drain { queue: &mut queue, out: &mut out, tally: &mut tally, level: Level::Json };
            match decision {
                b'k' => drain.keep(1),
                b'r' => drain.replace(1, Entity(0), b"*"),
                _ => drain.swallow(1),
            }
            queue.settle();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_character_goes_out_whole_or_not_at_all() {
        assert_eq!(decide("kkkkkkkkk"), "é\\u00e9a😀");
        assert_eq!(decide("k"), "");
        assert_eq!(decide("kk"), "é");
        assert_eq!(decide("kkk"), "é");
        assert_eq!(decide("kkkk"), "é\\u00e9");
        assert_eq!(decide("krkkkkkkk"), "*\\u00e9a😀");
        assert_eq!(decide("rkkkkkkkk"), "*\\u00e9a😀");
        assert_eq!(decide("kkkrskkkk"), "é*😀");
        assert_eq!(decide("kkkkkkkkr"), "é\\u00e9a*");
        assert_eq!(decide("kkkkkrkkk"), "é\\u00e9a*");
        assert_eq!(decide("rssssssss"), "*");
    }

    #[test]
    fn decisions_beyond_the_text_do_nothing() {
        assert_eq!(decide(&"k".repeat(30)), "é\\u00e9a😀");
    }

    #[test]
    fn a_replacement_stays_one_piece_of_the_string_around_it() {
        let written = |level| {
            let mut out = Vec::new();
            write(level, b"a\"\\\n\xff", &mut out);
            out
        };
        assert_eq!(written(Level::Bare), b"a\"\\\n\xff");
        let once: String =
            serde_json::from_slice(&[b"\"", &written(Level::Json)[..], b"\""].concat()).unwrap();
        assert_eq!(once, "a\"\\\n\u{fffd}");
        let twice: String =
            serde_json::from_slice(&[b"\"", &written(Level::JsonInJson)[..], b"\""].concat()).unwrap();
        assert_eq!(serde_json::from_str::<String>(&format!("\"{twice}\"")).unwrap(), once);
    }
}
