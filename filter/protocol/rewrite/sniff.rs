//! What a body is that calls itself text, or nothing at all.

use super::BodyKind;
use crate::protocol::json_array::is_object;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The kind that the first bytes of a text show; `None`: it is text.
pub(super) fn kind(bytes: &[u8]) -> Option<BodyKind> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    if is_stream(bytes) {
        return Some(BodyKind::EventStream);
    }
    let lines = is_lines(bytes).then_some(BodyKind::JsonLines);
    lines.or_else(|| is_document(bytes.trim_ascii_start()).then_some(BodyKind::Json))
}

/// Lines each of which is an object, as far as the first two can tell.
fn is_lines(bytes: &[u8]) -> bool {
    let mut lines =
        bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.next().is_some_and(is_object) && lines.next().is_some_and(|line| line.starts_with(b"{"))
}

/// An object or an array, as far as two bytes can tell: `[INFO] ready` is none.
fn is_document(bytes: &[u8]) -> bool {
    let Some((&first, rest)) = bytes.split_first() else { return false };
    let second = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(second, None | Some(b'"' | b'}')),
        b'[' => matches!(second, None | Some(b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9')),
        b'"' => true,
        _ => false,
    }
}

/// Lines of a stream, one of which carries a document.
fn is_stream(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let field = |line: &[u8]| {
        [&b":"[..], b"data:", b"event:", b"id:", b"retry:"].iter().any(|name| line.starts_with(name))
    };
    lines.clone().next().is_some_and(field)
        && lines
            .any(|line| line.strip_prefix(b"data:").is_some_and(|data| is_document(data.trim_ascii_start())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_streams_are_known_by_their_first_bytes_and_prose_is_not_taken_for_them() {
        for (text, expected) in [
            ("{\"a\":1}", Some(BodyKind::Json)),
            ("\u{feff} \n[ {}]", Some(BodyKind::Json)),
            ("\"a text\"", Some(BodyKind::Json)),
            ("{\"a\":1}\n\n{\"a\"", Some(BodyKind::JsonLines)),
            ("{\"a\":1}\n", Some(BodyKind::Json)),
            ("{\"a\":\n{\"b\":1}}", Some(BodyKind::Json)),
            ("data: {}\n\n", Some(BodyKind::EventStream)),
            (": wait\n\nevent: x\r\ndata:{\"a\":1}", Some(BodyKind::EventStream)),
            ("", None),
            ("[INFO] ready", None),
            ("{braces} in prose", None),
            ("data: none\n", None),
            ("see\ndata: {}\n", None),
            (":-)", None),
        ] {
            assert_eq!(kind(text.as_bytes()), expected, "{text:?}");
        }
    }
}
