//! JSON within a JSON string (tool arguments), in one or many pieces, masked as it comes.
//!
//! The outer escapes are taken off first, the inner document is followed byte by byte, and each of its strings (keys
//! too) and numbers is a text of its own. Both levels may be cut anywhere, within an escape of an escape too.
//!
//! What is no JSON is masked as plain text from the token on that shows it; a bare number or word counts as read only
//! when what follows it shows that it was one, so that nothing that only looks like JSON at first is let through in
//! parts. Several documents one after the other are read as such.

use memchr::memchr;

use crate::mask::text::{Masks, TextMask};

use super::grammar::{Grammar, Scalar, Token};
use super::queue::{Drain, Level, Queue};
use super::spares::next_number;
use super::text::{End, Windows};
use super::unescape::{Step, Unescape, whole_escape};
use super::{Edit, number};

/// Longest number or word, with the spaces behind it, that is still read as one.
const MAX_SCALAR: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between strings and scalars.
    Between,
    String,
    Scalar,
    /// In the spaces behind a scalar.
    AfterScalar,
    /// In a number or word that is given out as it comes, as if it were a string.
    OpenScalar,
    /// In what turned out to be no JSON.
    Plain,
}

/// One document (or several) whose texts are masked by `T`.
pub(crate) struct Nested<T> {
    mask: T,
    /// For numbers, once there was one.
    number: Option<T>,
    queue: Queue,
    /// Decoded text of the string, not given to the masker yet.
    fresh: Vec<u8>,
    state: State,
    grammar: Grammar,
    scalar: Scalar,
    /// The scalar with the spaces behind it, decoded.
    word: Vec<u8>,
    /// How much of `word` is the scalar, and its raw bytes.
    word_len: usize,
    word_raw: usize,
    outer: Unescape,
    /// Raw bytes of the outer escape under way.
    outer_raw: Vec<u8>,
    inner: Unescape,
}

impl<T: TextMask> Nested<T> {
    pub(crate) fn new(mask: T) -> Self {
        Self {
            mask,
            number: None,
            queue: Queue::default(),
            fresh: Vec::new(),
            state: State::Between,
            grammar: Grammar::new(),
            scalar: Scalar::new(),
            word: Vec::new(),
            word_len: 0,
            word_raw: 0,
            outer: Unescape::new(),
            outer_raw: Vec::new(),
            inner: Unescape::new(),
        }
    }

    /// Raw bytes held.
    pub(crate) fn held(&self) -> usize {
        self.queue.len().saturating_add(self.outer_raw.len())
    }

    /// Takes the next raw bytes: whole characters.
    pub(crate) fn push<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        for (window, end) in Windows::new(raw, end) {
            self.window(window, end, edit);
        }
    }

    fn window<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        self.decode(raw, end, edit);
        if end == End::Text {
            self.finish(edit);
            return;
        }
        if matches!(self.state, State::String | State::OpenScalar | State::Plain) {
            self.give(false, edit);
        }
        self.queue.settle();
    }

    /// Takes the outer escapes off.
    fn decode<M: Masks<Text = T>>(&mut self, mut raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        while let Some((&byte, rest)) = raw.split_first() {
            if self.outer.is_idle() {
                if byte != b'\\' {
                    let run = memchr(b'\\', raw).unwrap_or(raw.len());
                    let (plain, rest) = raw.split_at_checked(run).unwrap_or((raw, &[]));
                    self.run(plain, edit);
                    raw = rest;
                    continue;
                }
                if let Some((len, char)) = whole_escape(raw) {
                    let (escape, rest) = raw.split_at_checked(len).unwrap_or((raw, &[]));
                    self.character(char.encode_utf8(&mut [0; 4]).as_bytes(), escape, edit);
                    raw = rest;
                    continue;
                }
            }
            match self.outer.step(if byte.is_ascii() { byte } else { 0xFF }, 1) {
                Step::More => {
                    self.outer_raw.push(byte);
                    raw = rest;
                }
                Step::Char { char, .. } => {
                    self.outer_raw.push(byte);
                    self.escaped(self.outer_raw.len(), char, edit);
                    raw = rest;
                }
                Step::Lone { raw: len } | Step::Bad { raw: len } => {
                    self.escaped(len, char::REPLACEMENT_CHARACTER, edit);
                }
            }
        }
        if end == End::Piece {
            return;
        }
        if let Some(len) = self.outer.finish() {
            self.escaped(len, char::REPLACEMENT_CHARACTER, edit);
        }
    }

    /// A character that came as an outer escape: the first `len` bytes of `outer_raw`.
    fn escaped<M: Masks<Text = T>>(&mut self, len: usize, char: char, edit: &mut Edit<'_, M>) {
        let mut outer_raw = std::mem::take(&mut self.outer_raw);
        let raw = outer_raw.get(..len).unwrap_or(&outer_raw);
        self.character(char.encode_utf8(&mut [0; 4]).as_bytes(), raw, edit);
        outer_raw.drain(..len.min(outer_raw.len()));
        self.outer_raw = outer_raw;
    }

    /// Plain characters: neither quotes nor backslashes are among them.
    fn run<M: Masks<Text = T>>(&mut self, mut run: &[u8], edit: &mut Edit<'_, M>) {
        while let Some((byte, rest)) = run.split_first() {
            if matches!(self.state, State::String | State::Plain) && self.inner.is_idle() {
                return self.plain(run, run);
            }
            let byte = std::slice::from_ref(byte);
            self.character(byte, byte, edit);
            run = rest;
        }
    }

    /// One character of the inner document: `text` of it is what it means, `raw` how it came.
    fn character<M: Masks<Text = T>>(&mut self, text: &[u8], raw: &[u8], edit: &mut Edit<'_, M>) {
        let byte = text.first().copied().filter(u8::is_ascii).unwrap_or(0xFF);
        match self.state {
            State::Between => self.between(byte, text, raw, edit),
            State::Scalar | State::AfterScalar => self.in_scalar(byte, text, raw, edit),
            State::OpenScalar => self.in_open_scalar(byte, text, raw, edit),
            State::String => self.in_string(byte, text, raw, edit),
            State::Plain => self.in_plain(byte, text, raw),
        }
    }

    fn between<M: Masks<Text = T>>(&mut self, byte: u8, text: &[u8], raw: &[u8], edit: &mut Edit<'_, M>) {
        if self.grammar.is_done() && !byte.is_ascii_whitespace() {
            self.grammar = Grammar::new();
        }
        match self.grammar.byte(byte) {
            Ok(Token::Quote { .. }) => {
                edit.out.extend_from_slice(raw);
                self.begin(edit);
                self.state = State::String;
            }
            Ok(Token::Scalar) => {
                self.scalar = Scalar::new();
                self.word.clear();
                self.word_len = 0;
                self.word_raw = 0;
                if edit.masks.masks_numbers() {
                    self.state = State::Scalar;
                    return self.in_scalar(byte, text, raw, edit);
                }
                self.begin(edit);
                self.state = State::OpenScalar;
                self.in_open_scalar(byte, text, raw, edit);
            }
            Ok(_) => edit.out.extend_from_slice(raw),
            Err(_) => self.give_up(text, raw, edit),
        }
    }

    fn in_scalar<M: Masks<Text = T>>(&mut self, byte: u8, text: &[u8], raw: &[u8], edit: &mut Edit<'_, M>) {
        let room = self.word.len() < MAX_SCALAR;
        let goes_on = self.state == State::Scalar && room && self.scalar.step(byte);
        if goes_on {
            self.word_len = self.word_len.saturating_add(1);
            self.word_raw = self.word_raw.saturating_add(raw.len());
            return self.append_word(byte, raw);
        }
        if !self.scalar.is_whole() {
            return self.give_up(text, raw, edit);
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if room => {
                self.state = State::AfterScalar;
                self.append_word(byte, raw);
            }
            b',' | b']' | b'}' if self.grammar.depth() > 0 => {
                self.settle_scalar(edit);
                self.between(byte, text, raw, edit);
            }
            _ => self.give_up(text, raw, edit),
        }
    }

    fn in_open_scalar<M: Masks<Text = T>>(
        &mut self,
        byte: u8,
        text: &[u8],
        raw: &[u8],
        edit: &mut Edit<'_, M>,
    ) {
        if self.scalar.step(byte) {
            return self.plain(text, raw);
        }
        let delimited = byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}');
        if self.scalar.is_whole() && delimited {
            self.give(true, edit);
            self.queue.clear();
            self.state = State::Between;
            return self.between(byte, text, raw, edit);
        }
        self.state = State::Plain;
        self.in_plain(byte, text, raw);
    }

    fn append_word(&mut self, byte: u8, raw: &[u8]) {
        self.word.push(byte);
        self.queue.extend(raw);
        self.queue.escape(raw.len(), 1);
    }

    /// What is in `word` was a scalar.
    fn settle_scalar<M: Masks<Text = T>>(&mut self, edit: &mut Edit<'_, M>) {
        let raw = self.queue.raw();
        let word = self.word.get(..self.word_len).unwrap_or(&self.word);
        let mut masked = None;
        if self.scalar.is_number() {
            let mask = next_number(&mut self.number, edit.masks);
            masked = number::masked(word, mask, edit.tally);
        }
        if let Some(masked) = masked {
            edit.out.extend_from_slice(&masked);
            edit.out.extend_from_slice(raw.get(self.word_raw..).unwrap_or_default());
        } else {
            edit.out.extend_from_slice(raw);
        }
        edit.tally.deliver(self.word.len());
        self.queue.clear();
        self.word.clear();
        self.state = State::Between;
    }

    /// This is no JSON: plain text from the token under way on, the character included.
    fn give_up<M: Masks<Text = T>>(&mut self, text: &[u8], raw: &[u8], edit: &mut Edit<'_, M>) {
        self.begin_plain(edit);
        self.character(text, raw, edit);
    }

    /// A text begins.
    fn begin<M: Masks<Text = T>>(&mut self, edit: &mut Edit<'_, M>) {
        if !edit.masks.is_reusable() {
            self.mask = edit.masks.begin();
        }
    }

    fn begin_plain<M: Masks<Text = T>>(&mut self, edit: &mut Edit<'_, M>) {
        self.begin(edit);
        self.fresh.clear();
        self.fresh.append(&mut self.word);
        self.state = State::Plain;
    }

    fn in_string<M: Masks<Text = T>>(&mut self, byte: u8, text: &[u8], raw: &[u8], edit: &mut Edit<'_, M>) {
        if self.inner.is_idle() && byte == b'"' {
            self.give(true, edit);
            self.queue.clear();
            edit.out.extend_from_slice(raw);
            self.state = State::Between;
            return;
        }
        if self.inner.is_idle() && byte != b'\\' {
            return self.plain(text, raw);
        }
        match self.inner.step(byte, raw.len()) {
            Step::More => self.queue.extend(raw),
            Step::Char { raw: len, char } => {
                self.queue.extend(raw);
                self.unit(len, char);
            }
            Step::Lone { raw: len } => {
                self.unit(len, char::REPLACEMENT_CHARACTER);
                self.in_string(byte, text, raw, edit);
            }
            Step::Bad { raw: len } => {
                // The same text goes on: a value cut by the fault is still one value.
                self.unit(len, char::REPLACEMENT_CHARACTER);
                self.state = State::Plain;
                self.in_plain(byte, text, raw);
            }
        }
    }

    /// Of escapes, plain text knows `\uXXXX` alone (a document cut at its head shows no quote): any other backslash is
    /// a backslash.
    fn in_plain(&mut self, byte: u8, text: &[u8], raw: &[u8]) {
        if self.inner.is_idle() && byte != b'\\' {
            return self.plain(text, raw);
        }
        if self.inner.is_slash() && byte != b'u' {
            if let Some(len) = self.inner.finish() {
                self.unit(len, '\\');
            }
            return self.in_plain(byte, text, raw);
        }
        match self.inner.step(byte, raw.len()) {
            Step::More => self.queue.extend(raw),
            Step::Char { raw: len, char } => {
                self.queue.extend(raw);
                self.unit(len, char);
            }
            Step::Lone { raw: len } | Step::Bad { raw: len } => {
                self.unit(len, char::REPLACEMENT_CHARACTER);
                self.in_plain(byte, text, raw);
            }
        }
    }

    /// Characters that mean themselves.
    fn plain(&mut self, text: &[u8], raw: &[u8]) {
        self.queue.extend(raw);
        self.queue.escape(raw.len(), text.len());
        self.fresh.extend_from_slice(text);
    }

    /// An inner escape whose `raw` bytes are in the queue already.
    fn unit(&mut self, raw: usize, char: char) {
        self.queue.escape(raw, char.len_utf8());
        self.fresh.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn give<M: Masks<Text = T>>(&mut self, end: bool, edit: &mut Edit<'_, M>) {
        if end && let Some(len) = self.inner.finish() {
            self.unit(len, char::REPLACEMENT_CHARACTER);
        }
        let mut drain =
            Drain { queue: &mut self.queue, out: edit.out, tally: edit.tally, level: Level::JsonInJson };
        self.mask.push(&self.fresh, end, &mut drain);
        self.fresh.clear();
    }

    fn finish<M: Masks<Text = T>>(&mut self, edit: &mut Edit<'_, M>) {
        if matches!(self.state, State::Scalar | State::AfterScalar) {
            if self.scalar.is_whole() {
                self.settle_scalar(edit);
            } else {
                self.begin_plain(edit);
            }
        }
        if matches!(self.state, State::String | State::OpenScalar | State::Plain) {
            self.give(true, edit);
        }
        self.begin(edit);
        self.restart();
    }

    /// Another document may begin.
    fn restart(&mut self) {
        self.queue.clear();
        self.fresh.clear();
        self.state = State::Between;
        self.grammar = Grammar::new();
        self.word.clear();
        self.outer = Unescape::new();
        self.outer_raw.clear();
        self.inner = Unescape::new();
    }
}
