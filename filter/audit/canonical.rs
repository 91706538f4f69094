//! Canonical JSON (RFC 8785), written piece by piece.
//!
//! Strings are escaped as ECMAScript does: no more than must be, with the short escapes. Numbers are exact by their types
//! ([`super::value`]). Whoever writes an object sees to the order of its names.

use super::trace::to_hex;
use crate::plain::plain_len;

/// Writes a string.
pub fn string(out: &mut String, text: &str) {
    out.reserve(text.len().saturating_add(2));
    out.push('"');
    within(out, text);
    out.push('"');
}

/// Writes a text as it stands within a string.
pub fn within(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if let Ok(escaped) = std::str::from_utf8(&escaped(text.as_bytes())) {
        // It always is: what is plain stays, and an escape is ASCII.
        out.push_str(escaped);
    }
}

/// Whether a text stands in a string as it is.
pub fn is_plain(text: &str) -> bool {
    plain_len(text.as_bytes()) == text.len()
}

/// Writes a number.
pub fn number(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Writes an array.
pub fn list<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// Writes an object, whose names are in their order.
pub fn object<'n, T>(
    out: &mut String,
    members: impl Iterator<Item = (&'n str, T)>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

/// Bytes that are looked at together.
const STEP: usize = 16;

/// A text with its escapes. In JSON within JSON a quote comes every few letters: a step that holds one is written into room
/// of its own, and copied once.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(text.len() / 4).saturating_add(STEP));
    let (steps, rest) = text.as_chunks::<STEP>();
    for step in steps {
        if plain_len(step) == STEP {
            out.extend_from_slice(step);
        } else {
            escape_all(step, &mut out);
        }
    }
    escape_all(rest, &mut out);
    out
}

/// Writes no more than [`STEP`] bytes, each as it stands in a string.
fn escape_all(bytes: &[u8], out: &mut Vec<u8>) {
    // Two bytes are put for each, and the second counts where it is an escape.
    let mut room = [0; STEP * 2 + 1];
    let mut at = 0_usize;
    for &byte in bytes {
        let Some(&Escape { put, len }) = ESCAPES.get(usize::from(byte)) else { continue };
        if len == 0 {
            out.extend_from_slice(room.get(..at).unwrap_or_default());
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(to_hex(&[byte]).as_bytes());
            at = 0;
        } else if let Some(two) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *two = put;
            at = at.saturating_add(usize::from(len));
        }
    }
    out.extend_from_slice(room.get(..at).unwrap_or_default());
}

/// How a byte stands in a string.
#[derive(Clone, Copy)]
struct Escape {
    /// Itself, or a backslash and a letter.
    put: [u8; 2],
    /// How many of these; none: it is written by its number.
    len: u8,
}

/// By byte.
static ESCAPES: [Escape; 256] = escapes();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn escapes() -> [Escape; 256] {
    const SHORT: [[u8; 2]; 7] = [*b"\"\"", *b"\\\\", *b"\x08b", *b"\tt", *b"\nn", *b"\x0cf", *b"\rr"];
    let mut all = [Escape { put: [0; 2], len: 0 }; 256];
    let mut byte = u8::MAX;
    while byte >= 0x20 {
        all[byte as usize] = Escape { put: [byte, 0], len: 1 };
        byte -= 1;
    }
    let mut at = 0;
    while at < SHORT.len() {
        let [byte, letter] = SHORT[at];
        all[byte as usize] = Escape { put: [b'\\', letter], len: 2 };
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_string_is_written_as_canonical_json_has_it(
            text in "[\\x00-\\x22a\\\\/\\x7f-\u{a0}é\u{2028}😀]{0,60}|[a-z\"é]{0,80}|[\\x00-\\x1f]{0,60}",
        ) {
            let mut written = String::new();
            super::string(&mut written, &text);
            prop_assert_eq!(&written, &serde_json_canonicalizer::to_string(&text).unwrap());
        }
    }
}
