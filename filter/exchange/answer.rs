//! What kind of body an answer has, and which of its headers must go when its bytes may change.

use super::head::utf8_charset;
use crate::config::set::Kind;
use crate::host::Header;
use crate::protocol::coding::{self, Coding};
use crate::protocol::rewrite::BodyKind;

/// Headers of an answer that speak of bytes we may change: coding, length, digests, validators, ranges.
pub const STALE: [&str; 8] = [
    "accept-ranges",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "repr-digest",
];

/// Headers of a request that ask for an answer we could not read, or for a part of one.
pub const ASKS: [&str; 6] = ["accept-encoding", "if-match", "if-none-match", "if-range", "range", "te"];

/// Headers of an answer that frame it: the proxy has read them, and gives out none that it did not understand.
const FRAMING: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// The length that an answer's head states, in bytes as they are sent.
pub fn length(headers: &[Header]) -> Option<usize> {
    let (_, value) = headers.iter().find(|(name, _)| name == b"content-length")?;
    let length: u64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

/// Whether trailers may follow the body, as far as the head says. HTTP/2 has them after any body; HTTP/1 only where a
/// `trailer` field announces them (RFC 9110, section 6.6.2: a sender should), and only its heads say how a body is framed
/// or what becomes of the connection.
pub fn trailers_may_follow(headers: &[Header]) -> bool {
    let has = |field: &[u8]| headers.iter().any(|(name, _)| name == field);
    has(b"trailer") || !(has(b"transfer-encoding") || has(b"connection"))
}

/// Whether a header's value is looked at for entities.
pub fn is_searched(name: &[u8]) -> bool {
    !name.starts_with(b":") && !FRAMING.iter().any(|framing| framing.as_bytes() == name)
}

/// The coding that must be undone before an answer can be read.
pub fn coding(headers: &[Header]) -> Result<Option<Coding>, Kind> {
    let values =
        headers.iter().filter(|(name, _)| name == b"content-encoding").map(|(_, value)| value.as_slice());
    coding::named(values).map_err(|coding::Unknown| Kind::Encoding)
}

/// The kind of body by which an answer can be read, or the kind of thing that cannot be. `lines`: where its type does not
/// tell what it is, it is whole answers in lines; an error is not.
pub fn body_kind(status: u16, headers: &[Header], lines: bool) -> Result<BodyKind, Kind> {
    let lines = lines && status < 300;
    if status == 206 {
        return Err(Kind::Partial);
    }
    let values = |name: &'static str| {
        headers.iter().filter(move |(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    };
    coding(headers)?;
    let mut types = values("content-type");
    // Without a type there is nothing to go by but the bytes: they are read as text, whose beginning may tell more.
    let Some(value) = types.next() else {
        return Ok(if lines { BodyKind::Answers } else { BodyKind::Text });
    };
    if types.next().is_some() {
        return Err(Kind::ContentType);
    }
    let value = std::str::from_utf8(value).map_err(|_| Kind::ContentType)?;
    let mut parts = value.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if !utf8_charset(parts) {
        return Err(Kind::ContentType);
    }
    match media.split_once('/') {
        Some(("application", "json" | "octet-stream" | "binary") | ("binary", _) | ("text", "plain"))
            if lines =>
        {
            Ok(BodyKind::Answers)
        }
        Some(("application", sub)) if lines && is_lines(sub) => Ok(BodyKind::Answers),
        Some(("text", "event-stream")) => Ok(BodyKind::EventStream),
        Some(("text", _)) => Ok(BodyKind::Text),
        Some(("application", "json")) => Ok(BodyKind::Json),
        Some(("application", sub)) if sub.ends_with("+json") => Ok(BodyKind::Json),
        Some(("application", sub)) if is_lines(sub) => Ok(BodyKind::JsonLines),
        Some(("application", "vnd.amazon.eventstream")) => Ok(BodyKind::AwsFrames),
        Some(("application", sub)) if sub.starts_with("grpc") => Err(Kind::Grpc),
        Some(("multipart", _)) => Err(Kind::Multipart),
        Some(("audio", _)) => Err(Kind::Audio),
        Some(("image", _)) => Err(Kind::Image),
        _ => Err(Kind::ContentType),
    }
}

/// The names under which documents go, one a line.
fn is_lines(sub: &str) -> bool {
    let name = sub.strip_prefix("x-").unwrap_or(sub);
    matches!(name, "ndjson" | "jsonl" | "jsonlines" | "json-lines" | "json-seq") || sub.ends_with("+json-seq")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(content_type: &str) -> Header {
        (b"content-type".to_vec(), content_type.as_bytes().to_vec())
    }

    fn kind(content_type: &str) -> Result<BodyKind, Kind> {
        body_kind(200, &[typed(content_type)], false)
    }

    fn head(fields: &[(&str, &str)]) -> Vec<Header> {
        fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_head_of_http_1_says_whether_trailers_may_follow_and_that_of_http_2_does_not() {
        assert!(trailers_may_follow(&head(&[("content-type", "text/plain")])));
        assert!(trailers_may_follow(&head(&[("content-length", "12")])));
        assert!(!trailers_may_follow(&head(&[("transfer-encoding", "chunked")])));
        assert!(!trailers_may_follow(&head(&[("connection", "close")])));
        assert!(trailers_may_follow(&head(&[("transfer-encoding", "chunked"), ("trailer", "x-sum")])));
    }

    #[test]
    fn a_length_is_read_where_it_is_a_number() {
        assert_eq!(length(&head(&[("content-length", "65536")])), Some(65_536));
        assert_eq!(length(&head(&[("content-length", "-1")])), None);
        assert_eq!(length(&head(&[("x", "1")])), None);
    }

    #[test]
    fn a_body_is_read_by_its_type_and_nothing_passes_for_another() {
        assert_eq!(kind("application/json"), Ok(BodyKind::Json));
        assert_eq!(kind("application/problem+json; charset=utf-8"), Ok(BodyKind::Json));
        assert_eq!(kind("Text/Event-Stream"), Ok(BodyKind::EventStream));
        assert_eq!(kind("text/html; charset=UTF-8"), Ok(BodyKind::Text));
        assert_eq!(kind("text/plain; charset=utf-16"), Err(Kind::ContentType));
        for lines in [
            "application/x-ndjson",
            "application/NDJSON; charset=utf-8",
            "application/jsonl",
            "application/json-seq",
        ] {
            assert_eq!(kind(lines), Ok(BodyKind::JsonLines), "{lines}");
        }
        assert_eq!(kind("application/vnd.amazon.eventstream"), Ok(BodyKind::AwsFrames));
        assert_eq!(kind("multipart/x-mixed-replace; boundary=x"), Err(Kind::Multipart));
        assert_eq!(kind("audio/mpeg"), Err(Kind::Audio));
        assert_eq!(kind("application/octet-stream"), Err(Kind::ContentType));
        assert_eq!(kind("application/grpc"), Err(Kind::Grpc));
        assert_eq!(body_kind(206, &[], false), Err(Kind::Partial));
        assert_eq!(body_kind(200, &[], false), Ok(BodyKind::Text));
    }

    #[test]
    fn one_known_coding_is_undone_and_no_other_is_read() {
        let header = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let read = |codings: &[&str]| {
            let mut headers = vec![header("content-type", "application/json")];
            headers.extend(codings.iter().map(|coding| header("content-encoding", coding)));
            body_kind(200, &headers, false).and_then(|_| coding(&headers))
        };
        assert_eq!(read(&["identity"]), Ok(None));
        assert_eq!(read(&["identity", "GZIP"]), Ok(Some(Coding::Gzip)));
        assert_eq!(read(&["deflate"]), Ok(Some(Coding::Deflate)));
        for unread in [&["br"][..], &["zstd"], &["gzip", "br"], &["gzip, gzip"]] {
            assert_eq!(read(unread), Err(Kind::Encoding), "{unread:?}");
        }
        let headers = [header("content-type", "application/json"), header("content-type", "text/plain")];
        assert_eq!(body_kind(200, &headers, false), Err(Kind::ContentType));
    }

    #[test]
    fn what_is_known_to_be_lines_is_read_as_lines_whatever_vague_type_it_has() {
        let lines = |status, content_type| body_kind(status, &[typed(content_type)], true);
        for vague in [
            "application/x-jsonl",
            "application/octet-stream",
            "application/binary",
            "application/json",
            "text/plain",
        ] {
            assert_eq!(lines(200, vague), Ok(BodyKind::Answers), "{vague}");
        }
        assert_eq!(body_kind(200, &[], true), Ok(BodyKind::Answers));
        assert_eq!(lines(404, "application/json"), Ok(BodyKind::Json));
        assert_eq!(lines(200, "text/plain; charset=utf-16"), Err(Kind::ContentType));
        assert_eq!(lines(200, "image/png"), Err(Kind::Image));
    }
}
