//! Milvus's filters, which are text: read as far as is needed to know where they end.
//!
//! A caller's filter is put into brackets and the policy's behind it. That holds only if the caller's closes no bracket
//! that it has not opened, and if Milvus's reader and this one agree on where each string ends. Source of the grammar:
//! `internal/parser/planparserv2/Plan.g4` of Milvus.

/// Deepest nesting that is read.
const DEPTH: usize = 64;

/// Checks that a filter is one whole expression as far as strings and brackets go.
///
/// # Errors
/// What is wrong with it, or may be read otherwise by some version of Milvus.
pub fn check(text: &str) -> Result<(), &'static str> {
    let mut open: Vec<u8> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0usize;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let len = match byte {
            b'"' | b'\'' => string(rest, byte)?,
            b'(' | b'[' | b'{' => {
                if open.len() >= DEPTH {
                    return Err("nested too deeply");
                }
                open.push(byte);
                1
            }
            b')' | b']' | b'}' => {
                if open.pop() != Some(opening(byte)) {
                    return Err("a bracket that closes nothing");
                }
                1
            }
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'<' | b'>' | b'=' | b'!' | b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'~'
            | b',' | b'.' => 1,
            b'$' => meta(rest)?,
            _ if is_word(byte) => word(rest)?,
            _ => return Err("a character that stands in strings alone"),
        };
        at = at.saturating_add(len);
    }
    if open.is_empty() { Ok(()) } else { Err("a bracket that is not closed") }
}

fn opening(byte: u8) -> u8 {
    match byte {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A name, a word of the language or a number. Right before a quote some versions take it for a part of the string.
fn word(bytes: &[u8]) -> Result<usize, &'static str> {
    let len = bytes.iter().take_while(|byte| is_word(**byte)).count();
    match bytes.get(len) {
        Some(b'"' | b'\'') => Err("a string with something before its quote"),
        _ => Ok(len),
    }
}

/// `$meta`, the field of whatever has no field of its own.
fn meta(bytes: &[u8]) -> Result<usize, &'static str> {
    let name = bytes.get(1..).map_or(0, |rest| rest.iter().take_while(|byte| is_word(**byte)).count());
    let len = name.saturating_add(1);
    if bytes.get(..len) == Some(b"$meta") && !matches!(bytes.get(len), Some(b'"' | b'\'')) {
        Ok(len)
    } else {
        Err("a character that stands in strings alone")
    }
}

/// Length of a string with its quotes. Only escapes that all versions read are taken.
fn string(bytes: &[u8], quote: u8) -> Result<usize, &'static str> {
    let mut at = 1usize;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let len = match rest {
            [] | [b'\\'] => return Err("a string that is not closed"),
            [byte, ..] if *byte == quote => return Ok(at.saturating_add(1)),
            [b'\r' | b'\n', ..] => return Err("a line end in a string"),
            [
                b'\\',
                b'\'' | b'"' | b'?' | b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\' | b'0'..=b'7',
                ..,
            ] => 2,
            [b'\\', b'x', hex, ..] if hex.is_ascii_hexdigit() => 3,
            [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) => 6,
            [b'\\', ..] => return Err("an escape that not all versions of Milvus read"),
            _ => 1,
        };
        at = at.saturating_add(len);
    }
}

/// A text as a string of the language.
///
/// # Errors
/// Control characters.
pub fn quoted(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) {
        return Err("a control character in a value that the policy filters by");
    }
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted.push('"');
    Ok(quoted)
}

/// Whether a field's name can stand in an expression as it is.
pub fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_word) && !name.starts_with(|char: char| char.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_as_people_write_them_are_taken() {
        for filter in [
            "",
            "color like \"red%\" and likes > 50",
            "a in [1, 2, -3.5e-4] || not (b == 'it''s' )",
            "json_contains($meta[\"tags\"], 'x')",
            "a[\"b\"][0] != \"\\\"\\\\\\u00e9\\x41\\101\"",
            "age > {age} && name in {names}",
            "name == \"Zo\u{eb} ) or (\"",
            "TEXT_MATCH(text, 'a b') and 0 < x <= 0x1F",
        ] {
            assert_eq!(check(filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn what_would_break_out_of_brackets_or_be_read_otherwise_is_refused() {
        for filter in [
            "a == 1) or (1 == 1",
            "(a == 1",
            "a in [1, 2)",
            "a == \"x",
            "a == 'x\\'",
            "a == \"x\\q\"",
            "a == \"x\ny\"",
            "a == r\"x\\\"",
            "a == u8\"x\"",
            "a == $x",
            "a == `x`",
            "a == 1 -- \u{e9}",
            "a == 1; b",
            "a # b",
            "a == 1 \u{0}",
            "$meta\"x\"",
        ] {
            assert!(check(filter).is_err(), "{filter}");
        }
        assert!(check(&"(".repeat(65)).is_err());
    }

    #[test]
    fn a_value_is_quoted_whatever_it_is() {
        assert_eq!(quoted("a\" or \"\\").unwrap(), r#""a\" or \"\\""#);
        assert!(quoted("a\nb").is_err());
    }
}
