//! Where in a request the caller's token comes, and which headers of the caller never go upstream.
//!
//! SDKs put a key into a header of their own; there the token comes too. A request may carry it twice, as long as
//! both are one and the same: of two tokens that differ, somebody else might believe the other one.

use crate::order;

/// A header that may hold a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHeader {
    /// Lower case.
    pub name: String,
    /// Text before the token, such as `Bearer `; compared without case.
    pub prefix: String,
}

/// Headers in which the protocols' SDKs put their API key; always looked at, beside `authorization`.
pub const SDK_HEADERS: [&str; 4] = ["x-api-key", "api-key", "x-goog-api-key", "x-chroma-token"];

/// Never sent upstream, whatever they hold: credentials, and what makes an upstream read another method or path
/// than the policy did.
const STRIPPED: [&str; 15] = [
    "authorization",
    "proxy-authorization",
    "apikey",
    "access-token",
    "auth-token",
    "id-token",
    "ocp-apim-subscription-key",
    "x-amz-security-token",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
];
/// Ours: a caller must not speak in our name.
const STRIPPED_PREFIX: &[u8] = b"x-portcullis-";

/// Why a request has no token that we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BearerError {
    /// No header that may hold a token.
    #[error("no token: send it as `authorization: Bearer`, or in your SDK's API key setting")]
    Missing,
    /// Two tokens that differ, or two authorization headers of different schemes.
    #[error("two tokens that differ")]
    Conflict,
    /// Bytes that no token has.
    #[error("the token header holds characters that no token has")]
    Malformed,
    /// `authorization` with another scheme, or a header without its configured prefix.
    #[error("the authorization scheme is not Bearer")]
    Scheme,
}

impl BearerError {
    /// A stable word for metrics and records.
    pub fn word(self) -> &'static str {
        match self {
            BearerError::Missing => "token_missing",
            BearerError::Conflict => "token_conflict",
            BearerError::Malformed => "token_header_malformed",
            BearerError::Scheme => "token_scheme",
        }
    }
}

/// The caller's token. `headers` have lower-case names; `configured` are the connection's own token headers.
///
/// An `authorization` of another scheme beside a token in another header is passed over (and stripped); an empty
/// SDK header counts as absent, for some SDKs always send theirs.
pub fn find<'h>(
    headers: &'h [(Vec<u8>, Vec<u8>)],
    configured: &[TokenHeader],
) -> Result<&'h str, BearerError> {
    let mut token: Option<&'h str> = None;
    let mut other_scheme: Option<BearerError> = None;
    let mut schemes = Schemes::default();
    for (name, value) in headers {
        let prefixes = prefixes(name, configured);
        if prefixes.is_empty() {
            continue;
        }
        let read = read_any(value, &prefixes);
        if name == b"authorization" {
            schemes.note(&read);
        }
        match read {
            Ok(None) => {}
            Ok(Some(found)) if token.is_none_or(|known| known == found) => token = Some(found),
            Ok(Some(_)) => return Err(BearerError::Conflict),
            Err(BearerError::Scheme) => other_scheme = Some(BearerError::Scheme),
            Err(error) => return Err(error),
        }
    }
    if schemes.differ() {
        return Err(BearerError::Conflict);
    }
    token.ok_or(other_scheme.unwrap_or(BearerError::Missing))
}

/// Which schemes the authorization headers of a request have.
#[derive(Default)]
struct Schemes {
    bearer: bool,
    other: bool,
}

impl Schemes {
    fn note(&mut self, read: &Result<Option<&str>, BearerError>) {
        match read {
            Ok(_) => self.bearer = true,
            Err(_) => self.other = true,
        }
    }

    fn differ(&self) -> bool {
        self.bearer && self.other
    }
}

/// The prefixes under which a header may hold a token; none for a header that may not. A configured prefix takes
/// the place of the usual one.
fn prefixes<'p>(name: &[u8], configured: &'p [TokenHeader]) -> Vec<&'p str> {
    let own: Vec<&str> = configured
        .iter()
        .filter(|header| header.name.as_bytes() == name)
        .map(|header| header.prefix.as_str())
        .collect();
    if !own.is_empty() {
        return own;
    }
    if name == b"authorization" {
        return vec!["Bearer "];
    }
    if SDK_HEADERS.iter().any(|known| known.as_bytes() == name) { vec![""] } else { Vec::new() }
}

/// Reads what stands behind the prefix that the value has.
fn read_any<'v>(value: &'v [u8], prefixes: &[&str]) -> Result<Option<&'v str>, BearerError> {
    let reads = prefixes.iter().map(|prefix| read(value, prefix));
    reads.reduce(|one, other| if one == Err(BearerError::Scheme) { other } else { one }).unwrap_or(Ok(None))
}

/// Reads `prefix token`; `None`: empty. After a prefix that ends in a space more spaces may follow (RFC 9110
/// section 11.4). A token has the characters of RFC 6750's b64token.
fn read<'v>(value: &'v [u8], prefix: &str) -> Result<Option<&'v str>, BearerError> {
    let value = value.trim_ascii();
    let prefix = prefix.as_bytes();
    if value.is_empty() {
        return if prefix.is_empty() { Ok(None) } else { Err(BearerError::Scheme) };
    }
    let scheme = prefix.trim_ascii_end();
    let (start, rest) = value.split_at_checked(scheme.len()).ok_or(BearerError::Scheme)?;
    if !start.eq_ignore_ascii_case(scheme) {
        return Err(BearerError::Scheme);
    }
    let spaced = scheme.len() < prefix.len();
    if spaced && !rest.is_empty() && !rest.starts_with(b" ") {
        return Err(BearerError::Scheme);
    }
    let token = if spaced { rest.trim_ascii_start() } else { rest };
    if token.is_empty() || !token.iter().all(|byte| TOKEN.get(usize::from(*byte)) == Some(&true)) {
        return Err(BearerError::Malformed);
    }
    str::from_utf8(token).map(Some).map_err(|_| BearerError::Malformed)
}

/// By byte, whether a token may have it: told at once, for tokens are the longest of what a request's head holds.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static TOKEN: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        all[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        byte += 1;
    }
    all
};

/// Whether a header of the caller must not go upstream: every token header, used or not, what is listed above, and
/// whatever is like one of these ([`is_like`]).
pub fn is_stripped(name: &[u8], configured: &[TokenHeader]) -> bool {
    let own = || configured.iter().any(|header| is_like(name, header.name.as_bytes()));
    let known = || STRIPPED.iter().chain(&SDK_HEADERS).any(|known| is_like(name, known.as_bytes()));
    let ours = name.get(..STRIPPED_PREFIX.len()).is_some_and(|start| is_like(start, STRIPPED_PREFIX));
    ours || known() || own()
}

/// Whether an upstream may take one header's name for another's: many cannot tell an underscore from a hyphen (CGI, WSGI).
pub fn is_like(one: &[u8], other: &[u8]) -> bool {
    let read = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.iter().map(read).eq(other.iter().map(read))
}

/// The names among a request's headers that must not go upstream, each once.
pub fn stripped<'h>(headers: &'h [(Vec<u8>, Vec<u8>)], configured: &[TokenHeader]) -> Vec<&'h str> {
    let mut names: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| is_stripped(name, configured))
        .filter_map(|(name, _)| str::from_utf8(name).ok())
        .collect();
    order::sort(&mut names);
    names.dedup();
    names
}

/// The value of `www-authenticate` (RFC 6750 section 3). Without an error for a request that brought no token;
/// the error code is then absent, as the RFC wants it.
pub fn challenge(realm: &str, error: Option<&str>) -> String {
    let realm = quotable(realm);
    match error {
        None => format!("Bearer realm=\"{realm}\""),
        Some(description) => {
            let description = quotable(description);
            format!("Bearer realm=\"{realm}\", error=\"invalid_token\", error_description=\"{description}\"")
        }
    }
}

/// The challenge with where its resource is described (RFC 9728 section 5.1), and with the scopes to ask for.
pub fn described(challenge: String, metadata: &str, scopes: &[String]) -> String {
    let metadata = format!("{challenge}, resource_metadata=\"{}\"", quotable(metadata));
    match scopes {
        [] => metadata,
        scopes => format!("{metadata}, scope=\"{}\"", quotable(&scopes.join(" "))),
    }
}

/// The challenge of a request whose token grants too little (RFC 6750 section 3.1).
pub fn insufficient(realm: &str) -> String {
    format!("Bearer realm=\"{}\", error=\"insufficient_scope\"", quotable(realm))
}

/// RFC 6750 allows `error_description` the printable ASCII characters but `"` and `\`.
fn quotable(text: &str) -> String {
    let safe = |c: char| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '\'' };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(list: &[(&str, &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
        list.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect()
    }

    fn found(list: &[(&str, &[u8])]) -> Result<String, BearerError> {
        find(&headers(list), &[]).map(str::to_owned)
    }

    #[test]
    fn a_token_comes_as_bearer_whatever_the_case_and_the_spaces() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER    a.b.c", "  Bearer a.b.c \t"] {
            assert_eq!(found(&[("authorization", value.as_bytes())]), Ok("a.b.c".to_owned()), "{value:?}");
        }
    }

    #[test]
    fn a_token_comes_in_the_sdks_own_header() {
        for name in SDK_HEADERS {
            assert_eq!(found(&[("accept", b"*/*"), (name, b"a.b.c")]), Ok("a.b.c".to_owned()), "{name}");
        }
        assert_eq!(found(&[("x-other-key", b"a.b.c")]), Err(BearerError::Missing));
        assert_eq!(found(&[("x-api-key", b"")]), Err(BearerError::Missing));
    }

    #[test]
    fn a_configured_header_is_looked_at_with_its_prefix() {
        let own = [TokenHeader { name: "x-token".to_owned(), prefix: "Token ".to_owned() }];
        let find = |value: &[u8]| find(&headers(&[("x-token", value)]), &own).map(str::to_owned);
        assert_eq!(find(b"token a.b.c"), Ok("a.b.c".to_owned()));
        assert_eq!(find(b"a.b.c"), Err(BearerError::Scheme));
        assert_eq!(find(b"Tokena.b.c"), Err(BearerError::Scheme));
    }

    #[test]
    fn one_token_twice_is_one_token_and_two_that_differ_are_none() {
        assert_eq!(found(&[("authorization", b"Bearer a"), ("x-api-key", b"a")]), Ok("a".to_owned()));
        assert_eq!(
            found(&[("authorization", b"Bearer a"), ("authorization", b"bearer  a")]),
            Ok("a".to_owned())
        );
        let conflicts: [&[(&str, &[u8])]; 4] = [
            &[("authorization", b"Bearer a"), ("x-api-key", b"b")],
            &[("authorization", b"Bearer a"), ("authorization", b"Bearer b")],
            &[("authorization", b"Bearer a"), ("authorization", b"Basic a")],
            &[("authorization", b"Basic a"), ("authorization", b"Bearer a"), ("api-key", b"a")],
        ];
        for list in conflicts {
            assert_eq!(found(list), Err(BearerError::Conflict), "{list:?}");
        }
    }

    #[test]
    fn another_scheme_is_no_token() {
        for value in ["Basic dXNlcjpwYXNz", "Bearerx a", "a.b.c", "", "Digest x"] {
            assert_eq!(found(&[("authorization", value.as_bytes())]), Err(BearerError::Scheme), "{value:?}");
        }
        assert_eq!(found(&[("authorization", b"Basic x"), ("x-api-key", b"a")]), Ok("a".to_owned()));
    }

    #[test]
    fn bytes_that_no_token_has_are_refused() {
        let values: [&[u8]; 7] = [
            b"Bearer \xff\xfe",
            b"Bearer",
            b"Bearer a b",
            b"Bearer a, Bearer b",
            b"Bearer a\0",
            b"Bearer \"a\"",
            "Bearer \u{e4}".as_bytes(),
        ];
        for value in values {
            assert_eq!(found(&[("authorization", value)]), Err(BearerError::Malformed), "{value:?}");
        }
        assert_eq!(found(&[("x-api-key", b"\xff\xfe")]), Err(BearerError::Malformed));
    }

    #[test]
    fn no_token_header_goes_upstream_used_or_not() {
        let own = [TokenHeader { name: "x-token".to_owned(), prefix: String::new() }];
        let gone = [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "x-chroma-token",
            "x-token",
            "x-portcullis-exchange",
            "x-portcullis-",
            "x-http-method-override",
            "x-method-override",
            "x-original-method",
            "X-API-Key",
            "x_api_key",
            "apikey",
            "Access_Token",
            "x_portcullis_policy",
            "x_token",
        ];
        for name in gone {
            assert!(is_stripped(name.as_bytes(), &own), "{name}");
        }
        for name in ["accept", "x-portcullis", "content-type", "x-api-keys", "x-request-id", ":path"] {
            assert!(!is_stripped(name.as_bytes(), &own), "{name}");
        }
    }

    #[test]
    fn names_to_strip_come_once_each() {
        let list =
            headers(&[("x-api-key", b"a"), ("accept", b""), ("x-api-key", b"b"), ("authorization", b"")]);
        assert_eq!(stripped(&list, &[]), ["authorization", "x-api-key"]);
    }

    #[test]
    fn a_challenge_names_the_error_of_a_token_that_came() {
        assert_eq!(challenge("rag", None), "Bearer realm=\"rag\"");
        assert_eq!(
            challenge("rag", Some("the token has expired")),
            "Bearer realm=\"rag\", error=\"invalid_token\", error_description=\"the token has expired\""
        );
    }

    #[test]
    fn a_challenge_tells_where_its_resource_is_described() {
        let told = described(challenge("rag", None), "https://h/.well-known/oauth-protected-resource", &[]);
        assert_eq!(
            told,
            "Bearer realm=\"rag\", resource_metadata=\"https://h/.well-known/oauth-protected-resource\""
        );
        let told = described(insufficient("rag"), "https://h/\"x", &["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            told,
            "Bearer realm=\"rag\", error=\"insufficient_scope\", resource_metadata=\"https://h/'x\", scope=\"a b\""
        );
    }

    #[test]
    fn the_page_names_every_header_that_is_taken_away() {
        use crate::pages;
        let names = |names: &[&'static str]| format!("{}\n", pages::words(names.iter().copied()));
        pages::keep(
            "operators.md",
            &[("token headers", names(&SDK_HEADERS)), ("stripped headers", names(&STRIPPED))],
        );
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..32), prefix in ".{0,6}") {
            let own = [TokenHeader { name: "x-token".to_owned(), prefix }];
            let list = vec![(b"authorization".to_vec(), value.clone()), (b"x-token".to_vec(), value)];
            if let Ok(token) = find(&list, &own) {
                prop_assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
            }
        }

        #[test]
        fn no_text_breaks_out_of_a_challenge(realm in ".{0,16}", error in "(?s).{0,32}") {
            let value = challenge(&realm, Some(&error));
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(value.matches('"').count(), 6);
            prop_assert!(!value.contains('\\'));
        }
    }
}
