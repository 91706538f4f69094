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
    if plain_len(text.as_bytes()) == text.len() {
        out.push_str(text);
    } else if let Ok(escaped) = std::str::from_utf8(&escaped(text.as_bytes())) {
        // It always is: what is plain stays, and an escape is ASCII.
        out.push_str(escaped);
    }
    out.push('"');
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
/// What one byte becomes at most: `\u001f`.
const LONGEST: usize = 6;

/// A text with its escapes. In JSON within JSON a quote comes every few letters: a step that holds one is written byte by
/// byte into room of its own, and copied once.
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
    let mut room = [0; STEP * LONGEST];
    let mut free = room.iter_mut();
    let mut put = |byte| {
        if let Some(slot) = free.next() {
            *slot = byte;
        }
    };
    for &byte in bytes {
        match ESCAPES.get(usize::from(byte)).copied().unwrap_or(PLAIN) {
            PLAIN => put(byte),
            HEX => b"\\u00".iter().copied().chain(to_hex(&[byte]).bytes()).for_each(&mut put),
            letter => [b'\\', letter].into_iter().for_each(&mut put),
        }
    }
    let left = free.len();
    out.extend_from_slice(room.get(..room.len().saturating_sub(left)).unwrap_or_default());
}

/// It stands as it is.
const PLAIN: u8 = 0;
/// It is written by its number.
const HEX: u8 = b'u';

/// What stands behind the backslash of each byte's escape.
static ESCAPES: [u8; 256] = escapes();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn escapes() -> [u8; 256] {
    let mut all = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        all[control] = HEX;
        control += 1;
    }
    all[b'"' as usize] = b'"';
    all[b'\\' as usize] = b'\\';
    all[0x08] = b'b';
    all[b'\t' as usize] = b't';
    all[b'\n' as usize] = b'n';
    all[0x0c] = b'f';
    all[b'\r' as usize] = b'r';
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
