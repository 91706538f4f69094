//! Whether a path says the same to everybody who reads it.
//!
//! A policy judges the path it sees; the upstream may decode, merge or climb before it reads its own. Paths on which
//! the two could differ are refused, and what is left is compared in one form: percent-encoded characters that need
//! no encoding (RFC 3986, 2.3) are decoded, for upstreams must treat both alike.
//!
//! What stands behind a `;` in a segment is a parameter of it to some (servlet containers read `/admin;x` as `/admin`),
//! and a part of its name to others. Neither can be ruled out, so [`bare`] gives the path as the former read it.

use std::borrow::Cow;

/// Why a path is refused; safe to show to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Does not start with a slash.
    #[error("the path must start with `/`")]
    NotAbsolute,
    /// Control characters, spaces, non-ASCII, `#` or a backslash.
    #[error("the path holds a character that must not stand in a path")]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("the path holds a `%` without two hexadecimal digits")]
    Percent,
    /// `%2F`, `%5C`, `%3B`, `%00` or an encoded `%` before such.
    #[error("the path holds an encoded slash, backslash, semicolon, percent sign or control character")]
    Encoded,
    /// `//`, or `/;x/`.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// `.` or `..`, also before a `;`.
    #[error("the path holds a dot segment")]
    DotSegment,
}

/// Splits `:path` at its first `?`.
pub fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    }
}

/// Gives the one form in which a path (without its query) is matched and judged, or says why there is none.
pub fn canonical(path: &str) -> Result<Cow<'_, str>, PathError> {
    let Some(rest) = path.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b'#')) {
        return Err(PathError::Character);
    }
    let decoded = decode_unreserved(path)?;
    let rest = decoded.strip_prefix('/').unwrap_or(rest);
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        // Servlet containers cut a segment at `;` before they merge and climb.
        let name = name_of(segment);
        // A slash at the end is no empty segment; two are.
        if name.is_empty() && (segments.peek().is_some() || !segment.is_empty()) {
            return Err(PathError::EmptySegment);
        }
        if name == "." || name == ".." {
            return Err(PathError::DotSegment);
        }
    }
    Ok(decoded)
}

/// A segment without its parameters.
fn name_of(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

/// A path as whoever takes parameters off its segments reads it.
pub fn bare(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.split('/').map(name_of).collect::<Vec<_>>().join("/"))
}

fn decode_unreserved(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(char::from(byte));
            continue;
        }
        let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return Err(PathError::Percent) };
        let (Some(high_value), Some(low_value)) = (hex(high), hex(low)) else {
            return Err(PathError::Percent);
        };
        let value = (high_value << 4) | low_value;
        match value {
            b'/' | b'\\' | b';' | b'%' | 0..=0x1f | 0x7f => return Err(PathError::Encoded),
            b'-' | b'.' | b'_' | b'~' => decoded.push(char::from(value)),
            value if value.is_ascii_alphanumeric() => decoded.push(char::from(value)),
            _ => decoded.extend(['%', char::from(high), char::from(low)]),
        }
    }
    Ok(Cow::Owned(decoded))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether `path` lies under `prefix`, which ends at a segment: `/v1` holds for `/v1` and `/v1/chat`, not for `/v10`.
pub fn under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_stay_as_they_are() {
        for path in ["/", "/v1/chat/completions", "/v1/", "/a.b/..c/d..", "/a;b=1/c", "/caf%C3%A9", "/a%20b"]
        {
            assert_eq!(canonical(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn needless_encoding_is_read_as_the_upstream_reads_it() {
        assert_eq!(canonical("/%76%31/ch%61t").as_deref(), Ok("/v1/chat"));
    }

    #[test]
    fn a_path_that_two_readers_could_read_differently_is_refused() {
        for (path, error) in [
            ("v1", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("/a\\b", PathError::Character),
            ("/a b", PathError::Character),
            ("/a#b", PathError::Character),
            ("/caf\u{e9}", PathError::Character),
            ("/a%2", PathError::Percent),
            ("/a%zz", PathError::Percent),
            ("/a%2fb", PathError::Encoded),
            ("/a%2Fb", PathError::Encoded),
            ("/a%5cb", PathError::Encoded),
            ("/a%00b", PathError::Encoded),
            ("/admin%3bx", PathError::Encoded),
            ("/x/..%3B/admin", PathError::Encoded),
            ("/x/%2e%2e%3b/admin", PathError::Encoded),
            ("/a%252e%252e/b", PathError::Encoded),
            ("//a", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("/a//", PathError::EmptySegment),
            ("/;/admin", PathError::EmptySegment),
            ("/;x/admin", PathError::EmptySegment),
            ("/admin/;x", PathError::EmptySegment),
            ("/;", PathError::EmptySegment),
            ("/healthz/../v1/chat", PathError::DotSegment),
            ("/healthz/%2e%2E/v1", PathError::DotSegment),
            ("/healthz/..;x/v1", PathError::DotSegment),
            ("/healthz/.;/v1", PathError::DotSegment),
            ("/a/.", PathError::DotSegment),
        ] {
            assert_eq!(canonical(path), Err(error), "{path}");
        }
    }

    #[test]
    fn parameters_of_segments_are_taken_off() {
        for (path, read) in
            [("/admin", "/admin"), ("/admin;x", "/admin"), ("/a;x=1;y/admin;", "/a/admin"), ("/a;x/", "/a/")]
        {
            assert_eq!(bare(path), read, "{path}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        assert!(under("/v1", "/v1") && under("/v1/chat", "/v1") && under("/v1/chat", "/v1/"));
        assert!(!under("/v10", "/v1") && !under("/v", "/v1"));
        assert!(under("/anything", "/"));
    }

    proptest::proptest! {
        #[test]
        fn a_canonical_path_is_its_own_canonical_form(path in "/[a-z%0-9./;]{0,24}") {
            if let Ok(once) = canonical(&path) {
                let twice = canonical(&once).map(Cow::into_owned);
                proptest::prop_assert_eq!(twice, Ok(once.clone().into_owned()));
                // Nor does another reader find anything else to refuse.
                let bare = bare(&once).into_owned();
                let read = canonical(&bare).map(Cow::into_owned);
                proptest::prop_assert_eq!(read, Ok(bare));
            }
        }
    }
}
