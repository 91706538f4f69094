//! The small languages inside values: durations, sizes, names, header names, URIs, templates.
//!
//! Each is one function from text to a value, or to a sentence that says what was expected. The check of a set and its
//! reading use the same functions, so that nothing passes the one and fails the other.

use std::time::Duration;

use super::set::{TemplatePart, TextPart};
use crate::protocol::json::paths;
use crate::protocol::json::pointer::Pointer;
use crate::urlpath;

/// Why a value does not stand: what is wrong, and what to do where that is not plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// In one sentence; the value itself is named before it.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Longest name: names become labels of metrics, headers and record fields.
const MAX_NAME: usize = 64;

/// The name of an issuer, a connection, a policy or a rule.
pub(super) fn name(text: &str) -> Result<(), Fault> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let plain =
        text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && text.bytes().all(inner);
    if plain && text.len() <= MAX_NAME {
        return Ok(());
    }
    Err(Fault::new("is not a name").help(format!(
        "a name is 1 to {MAX_NAME} letters, digits, `-`, `_` or `.`, and starts with a letter or digit"
    )))
}

/// The name of an entity or of a set of entities.
pub(super) fn entity(text: &str) -> Result<(), Fault> {
    let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase()) && text.bytes().all(inner);
    if plain && text.len() <= MAX_NAME {
        return Ok(());
    }
    let fault = Fault::new("is not the name of an entity");
    let upper = text.to_ascii_uppercase().replace(['-', ' '], "_");
    if upper != text && entity(&upper).is_ok() {
        return Err(fault.help(format!("did you mean `{upper}`?")));
    }
    Err(fault.help("entities are written as `EMAIL_ADDRESS`"))
}

/// Text that is judged where it is compiled.
pub(super) fn filled(text: &str, what: &str) -> Result<(), Fault> {
    if text.trim().is_empty() { Err(Fault::new(format!("is an empty {what}"))) } else { Ok(()) }
}

/// Where a variable of the environment may stand.
const ENV_STANDS: &str = "it stands where a secret does: in a credential's `value`, the `headers` of a cluster, the `key` of pseudonyms, `client_secret`, `token` and `signing_key`";

/// Text that is not empty; `$${` stands for `${`.
pub(super) fn literal(text: &str) -> Result<String, Fault> {
    let parts = split_template(text)?;
    let mut plain = String::new();
    for part in parts {
        match part {
            Piece::Text(text) => plain.push_str(&text),
            Piece::Expression(inner) if inner.starts_with("env:") => {
                return Err(Fault::new("holds `${env:…}` where no secret belongs").help(ENV_STANDS));
            }
            Piece::Expression(_) => {
                return Err(Fault::new("holds `${…}`, which is not yet supported here")
                    .help("write `$${` for a literal `${`"));
            }
        }
    }
    if plain.trim().is_empty() { Err(Fault::new("is empty")) } else { Ok(plain) }
}

/// A CEL condition. Whether it compiles is judged where conditions are compiled.
pub(super) fn condition(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(
            Fault::new("is an empty condition").help("write `true` for a condition that always holds")
        );
    }
    Ok(())
}

/// The CEL that says whose a budget is.
pub(super) fn key(text: &str) -> Result<(), Fault> {
    filled(text, "key").map_err(|fault| {
        fault.help("say whose the budget is: `identity.id`, a claim, or `all` for one bucket for everyone")
    })
}

pub(super) enum Piece {
    Text(String),
    Expression(String),
}

/// Cuts text at `${…}`; `$${` is a literal `${`.
pub(super) fn split_template(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            plain.push_str(escaped);
            plain.push_str("${");
            rest = after;
            continue;
        }
        plain.push_str(before);
        let Some((inner, behind)) = after.split_once('}') else {
            return Err(Fault::new("holds a `${` that nothing closes").help("write `$${` for a literal `${`"));
        };
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Expression(inner.to_owned()));
        rest = behind;
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

/// The value of a header, in which `${env:NAME}` may stand.
pub(super) fn template(text: &str) -> Result<Vec<TemplatePart>, Fault> {
    header_value(text, environment)
}

/// The value of a credential, in which `${secret:NAME}` may stand as well.
pub(super) fn credential(text: &str) -> Result<Vec<TemplatePart>, Fault> {
    header_value(text, |inner| match inner.strip_prefix("secret:") {
        Some(secret) => name(secret).map(|()| TemplatePart::Secret(secret.to_owned())),
        None if !inner.starts_with("env:") => {
            Err(Fault::new("holds a `${…}` other than `${env:NAME}` and `${secret:NAME}`")
                .help("who calls is no part of a credential; write `$${` for a literal `${`"))
        }
        None => environment(inner),
    })
}

fn header_value(
    text: &str,
    expression: impl Fn(&str) -> Result<TemplatePart, Fault>,
) -> Result<Vec<TemplatePart>, Fault> {
    let mut parts = Vec::new();
    for piece in split_template(text)? {
        match piece {
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => {
                if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                    return Err(Fault::new(
                        "holds what no header may: control characters or other than ASCII",
                    ));
                }
                parts.push(TemplatePart::Text(text));
            }
            Piece::Expression(inner) => parts.push(expression(&inner)?),
        }
    }
    if parts.is_empty() { Err(Fault::new("is empty")) } else { Ok(parts) }
}

/// Text in which `${…}` may stand, each holding CEL. Whether that compiles is judged where conditions are compiled.
pub(super) fn text_template(text: &str) -> Result<Vec<TextPart>, Fault> {
    let mut parts = Vec::new();
    for piece in split_template(text)? {
        match piece {
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => parts.push(TextPart::Text(text)),
            Piece::Expression(inner) if inner.trim_start().starts_with("env:") => {
                return Err(Fault::new("holds `${env:…}` where no secret belongs").help(ENV_STANDS));
            }
            Piece::Expression(inner) if inner.trim().is_empty() => {
                return Err(
                    Fault::new("holds an empty `${}`").help("write CEL, such as `${identity.claims.tenant}`")
                );
            }
            Piece::Expression(inner) => parts.push(TextPart::Expression(inner)),
        }
    }
    let said = |part: &TextPart| !matches!(part, TextPart::Text(text) if text.trim().is_empty());
    if parts.iter().any(said) { Ok(parts) } else { Err(Fault::new("is empty")) }
}

/// A field of a store's rows.
pub(super) fn field(text: &str) -> Result<(), Fault> {
    let whole = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(plain) && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
    };
    if text.len() <= 128 && text.split('.').all(whole) {
        return Ok(());
    }
    Err(Fault::new("is no name of a field")
        .help("a name is letters, digits and `_`, does not start with a digit, and has dots between names"))
}

fn environment(inner: &str) -> Result<TemplatePart, Fault> {
    if inner.starts_with("secret:") {
        return Err(Fault::new("holds `${secret:…}`, which stands in the values of credentials only")
            .help("take it from the environment of Envoy: `${env:NAME}`"));
    }
    let Some(name) = inner.strip_prefix("env:") else {
        return Err(Fault::new("holds a `${…}` other than `${env:NAME}`, which is not yet supported here")
            .help("write `$${` for a literal `${`"));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(plain) || name.bytes().next().is_none_or(|byte| byte.is_ascii_digit()) {
        return Err(Fault::new("does not name an environment variable in `${env:…}`")
            .help("a name is letters, digits and `_`, and does not start with a digit"));
    }
    Ok(TemplatePart::Env(name.to_owned()))
}

/// A duration, as Envoy writes them.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    let fault =
        || Fault::new("is not a duration").help("write a whole number and its unit: 500ms, 30s, 10m or 1h");
    let (number, unit) = number_and_unit(text).ok_or_else(fault)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err(fault()),
    };
    milliseconds.map(Duration::from_millis).ok_or_else(fault)
}

/// A number of bytes, as Kubernetes writes them.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let fault = || {
        Fault::new("is not a size")
            .help("write bytes, or a whole number and its unit: 512Ki, 1Mi, 1Gi, 500k, 1M")
    };
    let (number, unit) = number_and_unit(text).ok_or_else(fault)?;
    let factor = match unit {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(fault()),
    };
    number.checked_mul(factor).ok_or_else(fault)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// A duration as we write it back: in the largest unit that divides it.
pub(super) fn write_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(factor) {
            return format!("{}{unit}", milliseconds.div_euclid(factor));
        }
    }
    format!("{milliseconds}ms")
}

/// A size as we write it back.
pub(super) fn write_size(bytes: u64) -> String {
    for (unit, factor) in [("Gi", 1_u64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
        if bytes > 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes.div_euclid(factor));
        }
    }
    bytes.to_string()
}

/// Headers that belong to a connection or frame a message, not to its meaning (RFC 9110, 7.6.1).
const NOT_OURS: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The name of a header that a set may write or read; given back in lower case.
pub(super) fn header(text: &str) -> Result<String, Fault> {
    if text.starts_with(':') {
        return Err(Fault::new("is a pseudo-header, which a set cannot write"));
    }
    if !is_token(text) {
        return Err(Fault::new("is not the name of a header")
            .help("a header's name is letters, digits and any of !#$%&'*+-.^_`|~"));
    }
    let name = text.to_ascii_lowercase();
    if NOT_OURS.contains(&name.as_str()) {
        return Err(Fault::new("is a header of the connection itself, which a set cannot write"));
    }
    if name.starts_with("x-portcullis-") {
        return Err(Fault::new("is a header that Portcullis keeps for itself"));
    }
    Ok(name)
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A request method.
pub(super) fn method(text: &str) -> Result<(), Fault> {
    if !is_token(text) {
        return Err(Fault::new("is not a request method"));
    }
    let upper = text.to_ascii_uppercase();
    if upper != text {
        return Err(Fault::new("is not a request method, which has capitals")
            .help(format!("did you mean `{upper}`?")));
    }
    Ok(())
}

/// A host, with a port or without.
pub(super) fn authority(text: &str) -> Result<(), Fault> {
    if text.contains("://") {
        return Err(
            Fault::new("is a URI, not an authority").help("write the host alone, such as `api.example.com`")
        );
    }
    if text.contains('*') {
        return Err(Fault::new("holds a wildcard; an authority is compared whole"));
    }
    let fault = || Fault::new("is not an authority").help("write `host` or `host:port`");
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            address.parse::<std::net::Ipv6Addr>().map_err(|_| fault())?;
            if !rest.is_empty() && !rest.starts_with(':') {
                return Err(fault());
            }
            ("ipv6", rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(fault());
    }
    match port {
        Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() => {
            Err(fault())
        }
        _ => Ok(()),
    }
}

/// A path prefix of a match: one that a path that is let through can have.
pub(super) fn path_prefix(text: &str) -> Result<(), Fault> {
    path(text)?;
    if text.contains(['?', '#']) {
        return Err(Fault::new("holds more than a path: `?` and `#` never match"));
    }
    if let Some((before, _)) = text.split_once('*') {
        let whole = before.trim_end_matches('/');
        let whole = if whole.is_empty() { "/" } else { whole };
        return Err(Fault::new("holds a wildcard, and a path is compared as it is written")
            .help(format!("a prefix ends at a segment by itself: write `{whole}`")));
    }
    if text == "/" {
        return Ok(());
    }
    if let Some(trimmed) = text.strip_suffix('/') {
        return Err(Fault::new("ends with `/`")
            .help(format!("write `{trimmed}`: a prefix ends at a segment by itself")));
    }
    match urlpath::canonical(text) {
        Ok(same) if same == text => Ok(()),
        Ok(read) => Err(Fault::new("never matches: paths are compared without needless percent-encoding")
            .help(format!("write `{read}`"))),
        Err(error) => Err(Fault::new(format!("never matches, since such requests are refused: {error}"))),
    }
}

/// A path, as it stands in a request.
pub(super) fn path(text: &str) -> Result<(), Fault> {
    if !text.starts_with('/') {
        return Err(Fault::new("does not start with `/`"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::new("holds what no path may: spaces, control characters or other than ASCII"));
    }
    Ok(())
}

/// An absolute `http` or `https` URI: its authority and its path.
pub(super) fn uri(text: &str) -> Result<(&str, &str), Fault> {
    let fault = || Fault::new("is not an absolute URI").help("write `https://host/path`");
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(fault)?;
    let (host, behind) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at).ok_or_else(fault)?,
        None => (rest, "/"),
    };
    authority(host).map_err(|_| fault())?;
    path(behind).map_err(|_| fault())?;
    if behind.contains('#') {
        return Err(Fault::new("holds a fragment, which never travels"));
    }
    Ok((host, behind))
}

/// The identifier of a protected resource (RFC 9728 section 1.2): its authority and its path.
pub(super) fn resource(text: &str) -> Result<(&str, &str), Fault> {
    let (host, behind) = uri(text)?;
    if behind.contains('?') {
        return Err(Fault::new("holds a query, which no base URL has"));
    }
    if behind != "/" {
        path_prefix(behind)?;
    }
    Ok((host, behind))
}

/// A scope (RFC 6749 section 3.3).
pub(super) fn scope(text: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if !text.is_empty() && text.bytes().all(plain) { Ok(()) } else { Err(Fault::new("is not a scope")) }
}

/// A SPIFFE trust domain as a URI (SPIFFE-ID section 2.1).
pub(super) fn trust_domain(text: &str) -> Result<(), Fault> {
    let domain = text.strip_prefix("spiffe://").unwrap_or_default();
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    if !domain.is_empty() && domain.len() <= 255 && domain.bytes().all(plain) {
        return Ok(());
    }
    Err(Fault::new("is not a trust domain")
        .help("write `spiffe://` and the domain, such as `spiffe://cluster.local`"))
}

/// The segments of a claim's dotted path.
pub(super) fn claim_path(text: &str) -> Result<Vec<String>, Fault> {
    let segments: Vec<String> = literal(text)?.split('.').map(str::to_owned).collect();
    if segments.iter().any(String::is_empty) {
        return Err(Fault::new("holds an empty name between dots")
            .help("for a claim whose name has dots, write the path as a list of names"));
    }
    Ok(segments)
}

/// A path into a JSON answer.
pub(super) fn json_pointer(text: &str) -> Result<(), Fault> {
    match Pointer::parse(text) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Fault::new(format!("is not a JSON pointer: {reason}")).help(
            "write the names on the way to the value, each after a slash, such as `/metadata/request_time`",
        )),
    }
}

pub(super) fn json_path(text: &str) -> Result<(), Fault> {
    match paths::parse(text) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Fault::new(format!("is not a path: {reason}"))
            .help("write `$`, then `.name`, `['any name']`, `.*` or `[*]`, such as `$.results[*].body`")),
    }
}

/// Text before a token in its header.
pub(super) fn token_prefix(text: &str) -> Result<(), Fault> {
    let plain = literal(text)?;
    if plain.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Fault::new("holds what no header may: control characters or other than ASCII"))
}

/// What names the state of the repository that a set came from.
pub(super) fn revision(text: &str) -> Result<(), Fault> {
    if !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Fault::new("is not a revision").help("a revision is 1 to 128 ASCII characters without spaces"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_envoys_and_sizes_kubernetes() {
        for (text, milliseconds) in
            [("0s", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1d",
            "1 s",
            "1S",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, bytes) in
            [("0", 0), ("17", 17), ("512Ki", 524_288), ("1Mi", 1_048_576), ("1G", 1_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "Mi", "1mi", "1MiB", "1K", "1.5Mi", "-1", "99999999999999Gi"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn templates_keep_what_is_escaped() {
        let text = |text: &str| TemplatePart::Text(text.into());
        let env = |name: &str| TemplatePart::Env(name.into());
        assert_eq!(template("Bearer ${env:A_1}"), Ok(vec![text("Bearer "), env("A_1")]));
        assert_eq!(template("${env:A}${env:B}"), Ok(vec![env("A"), env("B")]));
        assert_eq!(template("$${env:A}$ {}"), Ok(vec![text("${env:A}$ {}")]));
        assert_eq!(template("$"), Ok(vec![text("$")]));
        for refused in ["", "${env:}", "${env:a-b}", "${a}", "${", "a\nb", "é"] {
            assert!(template(refused).is_err(), "{refused}");
        }
        assert_eq!(literal("a $${b}"), Ok("a ${b}".to_owned()));
    }

    #[test]
    fn authorities_and_uris_are_whole() {
        for text in ["a", "a.example", "a.example:443", "10.0.0.1:1", "[::1]", "[::1]:80", "svc_1.ns"] {
            assert_eq!(authority(text), Ok(()), "{text}");
        }
        for text in
            ["", ":80", "a:", "a:x", "a:65536", "a:+1", "[::1", "[a]", "[::1]x", "a/b", "a b", "u@a", "é"]
        {
            assert!(authority(text).is_err(), "{text}");
        }
        assert_eq!(uri("https://a.example:8/b?c=d"), Ok(("a.example:8", "/b?c=d")));
        assert_eq!(uri("http://a"), Ok(("a", "/")));
        for text in [
            "",
            "a",
            "/a",
            "ftp://a",
            "https:///a",
            "https://u@a/",
            "https://a b/",
            "https://a?b",
            "https://a/#b",
        ] {
            assert!(uri(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0_u64..1 << 40, bytes in any::<u64>()) {
            let time = Duration::from_millis(milliseconds);
            prop_assert_eq!(duration(&write_duration(time)), Ok(time));
            prop_assert_eq!(size(&write_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".{0,24}", odd in "[$\\{}:env/.%\\[\\]A0-9 ]{0,16}") {
            for text in [text, odd] {
                let _ = (name(&text), entity(&text), literal(&text), template(&text), duration(&text), size(&text));
                let _ = (header(&text), method(&text), authority(&text), path_prefix(&text), uri(&text), claim_path(&text));
            }
        }
    }
}
