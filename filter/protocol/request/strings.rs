//! JSON strings as they came: where they end, whether all readers read them alike, and what they mean.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memchr;

use crate::plain::plain_len;

/// A string without its quotes, escapes and all; they have been found to be JSON's.
#[derive(Debug, Clone, Copy)]
pub(in crate::protocol) struct Raw<'b> {
    /// The bytes that came.
    pub text: &'b str,
    /// Whether there is an escape among them.
    pub escaped: bool,
    /// Where they stand in the body.
    pub at: usize,
}

impl<'b> Raw<'b> {
    /// The string whose first byte is at `at`; nothing where there is none.
    pub fn at(body: &'b str, at: usize) -> Self {
        let (to, escaped) = end(body.as_bytes(), at).unwrap_or_default();
        Self { text: body.get(at..to).unwrap_or_default(), escaped, at }
    }

    /// What it means.
    pub fn decoded(&self) -> Cow<'b, str> {
        if !self.escaped {
            return Cow::Borrowed(self.text);
        }
        let mut decoded = String::with_capacity(self.text.len());
        self.append_to(&mut decoded);
        Cow::Owned(decoded)
    }

    /// Writes what it means behind a text.
    pub fn append_to(&self, text: &mut String) {
        if !self.escaped {
            return text.push_str(self.text);
        }
        let mut rest = self.text;
        loop {
            // Text in another script is one escape behind the other: nothing need be searched for then.
            while rest.as_bytes().first() == Some(&b'\\') {
                let (char, len) = meaning(rest.as_bytes());
                text.push(char);
                rest = rest.get(len..).unwrap_or_default();
            }
            let slash = memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            let (plain, escapes) = rest.split_at_checked(slash).unwrap_or((rest, ""));
            text.push_str(plain);
            if escapes.is_empty() {
                return;
            }
            rest = escapes;
        }
    }

    /// Compares what two mean.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self.escaped, other.escaped) {
            (false, false) => self.text.cmp(other.text),
            _ => self.decoded().cmp(&other.decoded()),
        }
    }
}

/// What the escape at the start of `bytes` means, and its length; a string's escapes have been checked by [`end`].
fn meaning(bytes: &[u8]) -> (char, usize) {
    let means = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return code_point(bytes),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (means, 2)
}

fn code_point(bytes: &[u8]) -> (char, usize) {
    let first = hex(bytes, 2).unwrap_or_default();
    let (char, len) = match char::from_u32(u32::from(first)) {
        Some(char) => (Some(char), 6),
        None => {
            let pair = [first, hex(bytes, 8).unwrap_or_default()];
            (char::decode_utf16(pair).next().and_then(Result::ok), 12)
        }
    };
    (char.unwrap_or(char::REPLACEMENT_CHARACTER), len)
}

/// The four hex digits at `at`.
fn hex(bytes: &[u8], at: usize) -> Option<u16> {
    let digits: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    let [a, b, c, d] = digits.map(|digit| NIBBLES.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT));
    let value = a.wrapping_shl(12) | b.wrapping_shl(8) | c.wrapping_shl(4) | d;
    // What is no digit has the one bit that no digit has.
    ((a | b | c | d) < NO_DIGIT).then_some(value)
}

const NO_DIGIT: u16 = 0x10;

/// The value of each byte as a hex digit.
static NIBBLES: [u16; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0_u16;
    while value < 16 {
        let digits = b"0123456789abcdef";
        // Within a const the index is checked when this is compiled.
        #[allow(clippy::indexing_slicing)]
        let digit = digits[value as usize];
        #[allow(clippy::indexing_slicing)]
        {
            values[digit as usize] = value;
            values[digit.to_ascii_uppercase() as usize] = value;
        }
        value = value.wrapping_add(1);
    }
    values
};

/// Where something is wrong, and what.
type Fault = (usize, &'static str);

/// Finds the quote that closes the string whose first byte is at `from`, and whether there are escapes before it.
///
/// # Errors
/// Where it is no string of JSON, or one that readers read differently (half a surrogate), and why.
pub(in crate::protocol) fn end(bytes: &[u8], from: usize) -> Result<(usize, bool), Fault> {
    let (mut at, mut escaped) = (from, false);
    loop {
        if bytes.get(at) != Some(&b'\\') {
            at = at.saturating_add(plain_len(bytes.get(at..).unwrap_or_default()));
        }
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                let len = escape(bytes.get(at..).unwrap_or_default()).map_err(|reason| (at, reason))?;
                at = at.saturating_add(len);
            }
            Some(_) => return Err((at, "a control character in a string")),
            None => return Err((at, "the document ends within a string")),
        }
    }
}

/// Length of the escape at the start of `bytes`.
fn escape(bytes: &[u8]) -> Result<usize, &'static str> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match hex(bytes, 2) {
            None => Err("an escape without its four hex digits"),
            Some(0xD800..=0xDBFF) => match (bytes.get(6), bytes.get(7), hex(bytes, 8)) {
                (Some(b'\\'), Some(b'u'), Some(0xDC00..=0xDFFF)) => Ok(12),
                _ => Err("half a surrogate"),
            },
            Some(0xDC00..=0xDFFF) => Err("half a surrogate"),
            Some(_) => Ok(6),
        },
        _ => Err("an unknown escape"),
    }
}

/// The value of the key that `is` the one sought, of the object whose first byte behind the brace is at `from`; found
/// without reading the object: what it is decides by which table it is read. Of what is no JSON this says anything.
pub(super) fn value_of<'b>(body: &'b str, from: usize, is: impl Fn(&Raw<'b>) -> bool) -> Sought<'b> {
    let bytes = body.as_bytes();
    let mut at = from;
    loop {
        at = spaces(bytes, at);
        if bytes.get(at) != Some(&b'"') {
            return Sought::Missing;
        }
        let Some((name, behind)) = string(body, at) else { return Sought::Missing };
        at = spaces(bytes, spaces(bytes, behind).saturating_add(1));
        if is(&name) {
            return match string(body, at) {
                Some((value, _)) => Sought::Text(value),
                None if bytes.get(at) == Some(&b'n') => Sought::Missing,
                None => Sought::Other,
            };
        }
        at = spaces(bytes, skip(bytes, at));
        if bytes.get(at) != Some(&b',') {
            return Sought::Missing;
        }
        at = at.saturating_add(1);
    }
}

/// What stands at a key that was looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sought<'b> {
    /// A string.
    Text(Raw<'b>),
    /// Something that is no string.
    Other,
    /// Nothing, or null.
    Missing,
}

/// The string whose opening quote is at `at`, and the place behind its closing one.
fn string(body: &str, at: usize) -> Option<(Raw<'_>, usize)> {
    let bytes = body.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let from = at.saturating_add(1);
    let (to, escaped) = end(bytes, from).ok()?;
    Some((Raw { text: body.get(from..to)?, escaped, at: from }, to.saturating_add(1)))
}

/// The place behind the spaces at `at`.
pub(in crate::protocol) fn spaces(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    at.saturating_add(blank)
}

/// The place behind the value at `at`.
fn skip(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match end(bytes, at.saturating_add(1)) {
                Ok((to, _)) => at = to,
                Err(_) => return bytes.len(),
            },
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' if depth <= 1 => {
                // One that was not opened closes what is around the value.
                return if depth == 1 { at.saturating_add(1) } else { at };
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return at,
            _ => {}
        }
        at = at.saturating_add(1);
    }
    at
}
