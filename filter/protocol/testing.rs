//! Maskers small enough to be seen through, for tests.

pub mod asked;
pub mod doors;
pub mod recorded;
pub mod wires;

use serde_json::Value;

use crate::mask::text::{Entity, Masks, Sink, TextMask};

pub const LITERALS: &[(&str, &str)] =
    &[("SECRET", "<S>"), ("jane@example.com", "\"mail\\"), ("café", "<C>"), ("😀", "<U>"), ("A\nB", "<L>")];
pub const DIGITS: usize = 4;

/// Replaces the literals, and runs of at least four digits; holds exactly what may still become one.
#[derive(Debug, Clone, Copy)]
pub struct Simple;

#[derive(Debug, Default)]
pub struct SimpleText {
    held: Vec<u8>,
}

enum Verdict {
    Undecided,
    Plain,
    Match(usize, u16, &'static str),
}

fn look(rest: &[u8], end: bool) -> Verdict {
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 {
        if digits == rest.len() && !end {
            return Verdict::Undecided;
        }
        if digits >= DIGITS {
            return Verdict::Match(digits, 0, "<N>");
        }
        return Verdict::Plain;
    }
    for (at, (literal, with)) in LITERALS.iter().enumerate() {
        if rest.starts_with(literal.as_bytes()) {
            return Verdict::Match(literal.len(), at as u16 + 1, with);
        }
        if literal.as_bytes().starts_with(rest) && !end {
            return Verdict::Undecided;
        }
    }
    Verdict::Plain
}

impl TextMask for SimpleText {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        self.held.extend_from_slice(text);
        let mut at = 0;
        while at < self.held.len() {
            match look(&self.held[at..], end) {
                Verdict::Undecided => break,
                Verdict::Plain => {
                    // A run of fewer digits is passed whole: a number begins where its first digit stands.
                    let digits = self.held[at..].iter().take_while(|b| b.is_ascii_digit()).count().max(1);
                    sink.keep(digits);
                    at += digits;
                }
                Verdict::Match(len, entity, with) => {
                    // In two calls, as a long value would be.
                    sink.replace(1, Entity(entity), with.as_bytes());
                    sink.swallow(len - 1);
                    at += len;
                }
            }
        }
        self.held.drain(..at);
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn again(&self) -> Option<Self> {
        Some(Self { held: self.held.clone() })
    }
}

impl Masks for Simple {
    type Text = SimpleText;

    fn begin(&self) -> SimpleText {
        SimpleText::default()
    }
}

/// Finds nothing, holds nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl TextMask for Nothing {
    fn push(&mut self, text: &[u8], _end: bool, sink: &mut dyn Sink) {
        sink.keep(text.len());
    }

    fn held(&self) -> usize {
        0
    }
}

impl Masks for Nothing {
    type Text = Self;

    fn masks_numbers(&self) -> bool {
        false
    }

    fn begin(&self) -> Self {
        Self
    }
}

/// Knows that there is nothing to find.
#[derive(Debug, Clone, Copy)]
pub struct Empty;

impl Masks for Empty {
    type Text = Nothing;

    fn begin(&self) -> Nothing {
        Nothing
    }

    fn finds_nothing(&self) -> bool {
        true
    }
}

/// What [`Simple`] makes of a whole text, written without any of the code under test.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        if digits >= DIGITS {
            out.push_str("<N>");
            rest = &rest[digits..];
        } else if digits > 0 {
            out.push_str(&rest[..digits]);
            rest = &rest[digits..];
        } else if let Some((literal, with)) = LITERALS.iter().find(|(literal, _)| rest.starts_with(literal)) {
            out.push_str(with);
            rest = &rest[literal.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Every string, key and number of a document masked.
pub fn masked_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked(text)),
        Value::Array(items) => Value::Array(items.iter().map(masked_value).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(k, v)| (masked(k), masked_value(v))).collect())
        }
        Value::Number(number) if masked(&number.to_string()) != number.to_string() => Value::from(0),
        other => other.clone(),
    }
}
