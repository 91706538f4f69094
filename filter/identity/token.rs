//! One strict reading of a compact JWS (RFC 7515) that holds JWT claims (RFC 7519), as RFC 8725 advises.
//!
//! Nothing is verified here: a [`Token`] is what the text claims. Every refusal has a sentence that may be shown
//! to the caller, and a word for metrics and records; neither holds a piece of the token.
//!
//! Invariant: what this parser accepts, jwt-simple's own reading accepts too, so that its verdict on a token is
//! its verdict on the signature alone (see [`super::signature`]). The types of the registered members below exist
//! for that as much as for the RFCs; `every_token_we_accept_is_judged_by_its_signature_alone` holds it.

use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::base64url;
use super::json::{self, JsonError};

/// Longest token, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;
/// Longest first part, in bytes: jwt-simple's limit.
const MAX_HEADER: usize = 8192;
/// Longest `kid`, in bytes.
pub const MAX_KEY_ID: usize = 512;
/// Longest `sub`, in bytes; OpenID Connect allows 255.
pub const MAX_SUBJECT: usize = 1024;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// Above [`MAX_TOKEN`].
    #[error("the token is longer than 16384 bytes")]
    TooLong,
    /// Not three base64url parts.
    #[error("the token is not a JWT of three base64url parts")]
    Malformed,
    /// Five parts: JWE.
    #[error("encrypted tokens (JWE) are not supported")]
    Encrypted,
    /// Header or claims are not strict JSON.
    #[error("a part of the token {0}")]
    Json(JsonError),
    /// `alg` is missing or not in our list.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// `crit`, `b64`, `zip`, `enc`, `jwk` or `salt`.
    #[error("the token's header holds a member that is not supported")]
    HeaderMember,
    /// A header member of a wrong type or length.
    #[error("a member of the token's header has a wrong type or length")]
    HeaderType,
    /// `typ` is neither absent, `JWT` nor `at+jwt`.
    #[error("the token's type is neither JWT nor at+jwt")]
    Type,
    /// `cty`: a token within the token.
    #[error("nested tokens are not supported")]
    Nested,
    /// A registered claim of a wrong type or length.
    #[error("the token's claim `{0}` is missing, or has a wrong type or length")]
    Claim(&'static str),
    /// A registered claim that does not read as it is.
    #[error("the token's claim `{0}` holds control characters, or invisible ones that turn text round")]
    Characters(&'static str),
    /// A date that is none, such as one in milliseconds and more.
    #[error("the token's claim `{0}` lies beyond the year 9999; it counts seconds since 1970")]
    Date(&'static str),
    /// `iss` is of nobody accepted here.
    #[error("the token's issuer is not accepted here")]
    Issuer,
    /// `aud` names none of ours.
    #[error("the token is not meant for this audience")]
    Audience,
    /// `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The issuer has no such key.
    #[error("the token's key is not among its issuer's keys")]
    UnknownKey,
    /// The key of that id is not for that algorithm.
    #[error("the token's key does not fit its algorithm")]
    KeyAlgorithm,
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// The filter of the proxy that verifies such tokens has not vouched for it.
    #[error("the token was not verified by the proxy's own filter")]
    Unvouched,
    /// `cnf`: only who proves that a key is theirs may use it (RFC 7800), and such proof is not looked at here.
    #[error("the token is bound to a key, and whose key it is cannot be proved here")]
    Bound,
    /// The claims say that the groups are elsewhere.
    #[error(
        "the token says that its groups are elsewhere, since they are too many: have its issuer put fewer into it, or roles instead"
    )]
    GroupsElsewhere,
    /// No certificate of a trust domain that is accepted.
    #[error("no client certificate of a workload that is accepted here")]
    Certificate,
    /// Its issuer says that it is not, or no longer, one of its tokens.
    #[error("the token's issuer says that it does not hold, or no longer")]
    Inactive,
    /// Beside the token that the proxy's filter vouches for there is another.
    #[error("two tokens that differ")]
    Another,
}

impl TokenError {
    /// A stable word for metrics and records.
    pub fn word(self) -> &'static str {
        match self {
            TokenError::TooLong => "token_too_long",
            TokenError::Malformed => "token_malformed",
            TokenError::Encrypted => "token_encrypted",
            TokenError::Json(_) => "token_json",
            TokenError::Algorithm => "token_algorithm",
            TokenError::HeaderMember | TokenError::HeaderType => "token_header",
            TokenError::Type => "token_type",
            TokenError::Nested => "token_nested",
            TokenError::Claim(_) | TokenError::Characters(_) | TokenError::Date(_) => "token_claims",
            TokenError::Issuer => "token_issuer",
            TokenError::Audience => "token_audience",
            TokenError::Expired => "token_expired",
            TokenError::NotYetValid => "token_not_yet_valid",
            TokenError::UnknownKey => "token_unknown_key",
            TokenError::KeyAlgorithm => "token_key_algorithm",
            TokenError::Signature => "token_signature",
            TokenError::Unvouched => "token_unvouched",
            TokenError::Bound => "token_bound",
            TokenError::GroupsElsewhere => "token_groups_elsewhere",
            TokenError::Certificate => "certificate_missing",
            TokenError::Inactive => "token_inactive",
            TokenError::Another => "token_conflict",
        }
    }
}

/// A token as its text has it: nothing of it is true yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Token<'t> {
    /// The whole text.
    pub text: &'t str,
    /// What the signature covers: the first two parts with the dot between them.
    pub signed: &'t str,
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<String>,
    /// The third part, decoded; its length is not yet checked.
    pub signature: Vec<u8>,
    /// The claims.
    pub claims: Claims,
}

/// Claims, with the registered ones checked for their types.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `iss`, not empty.
    pub issuer: String,
    /// `sub`, not empty, without control characters.
    pub subject: String,
    /// `aud`, as a list.
    pub audiences: Vec<String>,
    /// `exp`, in nanoseconds since 1970; far futures saturate.
    pub expires: u64,
    /// `nbf`, likewise.
    pub not_before: Option<u64>,
    /// `iat`, likewise. Informative: clocks differ, and RFC 7519 gives it no part in validity.
    pub issued_at: Option<u64>,
    /// Every claim, the above among them.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Whether both speak of one token: all that tells tokens apart is the same. Other claims may have been written
    /// anew by whoever verified one of them.
    pub(super) fn names_same(&self, other: &Claims) -> bool {
        let times = |claims: &Claims| (claims.expires, claims.not_before, claims.issued_at);
        let id = |claims: &Claims| claims.all.get("jti").cloned();
        (&self.issuer, &self.subject, &self.audiences) == (&other.issuer, &other.subject, &other.audiences)
            && times(self) == times(other)
            && id(self) == id(other)
    }
}

/// Reads a token.
pub fn parse(text: &str) -> Result<Token<'_>, TokenError> {
    if text.len() > MAX_TOKEN {
        return Err(TokenError::TooLong);
    }
    let [first, second, third] = parts(text)?;
    let (signed, _) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
    if first.len() > MAX_HEADER {
        return Err(TokenError::HeaderType);
    }
    let header = decode_object(first)?;
    let algorithm = check_header(&header)?;
    let key_id = header.get("kid").and_then(Value::as_str).map(str::to_owned);
    let claims = read_claims(decode_object(second)?)?;
    let signature = base64url::decode(third).ok_or(TokenError::Malformed)?;
    Ok(Token { text, signed, algorithm, key_id, signature, claims })
}

fn parts(text: &str) -> Result<[&str; 3], TokenError> {
    let mut all = text.split('.');
    let mut next = || all.next().unwrap_or_default();
    let three = [next(), next(), next()];
    match all.count() {
        0 => {}
        2 => return Err(TokenError::Encrypted),
        _ => return Err(TokenError::Malformed),
    }
    if three.iter().any(|part| part.is_empty()) {
        return Err(TokenError::Malformed);
    }
    Ok(three)
}

fn decode_object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = base64url::decode(part).ok_or(TokenError::Malformed)?;
    json::object(&bytes).map_err(TokenError::Json)
}

/// Members that change what a token means or how it is verified. `jwk` brings a key of the token's own choice,
/// and `salt` means something to jwt-simple alone.
const REFUSED: [&str; 6] = ["crit", "b64", "zip", "enc", "jwk", "salt"];
/// Members that are strings where they are there (RFC 7515 section 4.1).
const STRINGS: [&str; 8] = ["alg", "typ", "cty", "kid", "jku", "x5u", "x5t", "x5t#S256"];

fn check_header(header: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenError::HeaderMember);
    }
    if STRINGS.iter().any(|name| header.get(*name).is_some_and(|value| !value.is_string())) {
        return Err(TokenError::HeaderType);
    }
    if header.get("x5c").is_some_and(|chain| strings(chain).is_none()) {
        return Err(TokenError::HeaderType);
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("kid").is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KEY_ID) {
        return Err(TokenError::HeaderType);
    }
    if text("typ").is_some_and(|kind| !is_token_type(kind)) {
        return Err(TokenError::Type);
    }
    if header.contains_key("cty") {
        return Err(TokenError::Nested);
    }
    text("alg").and_then(Algorithm::named).ok_or(TokenError::Algorithm)
}

/// RFC 7519 section 5.1 and RFC 9068 section 2.1. `application/jwt` is a legal spelling that jwt-simple does not
/// know and that nobody uses (RFC 7515 advises against it): refused, so that both readings agree.
fn is_token_type(kind: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| known.eq_ignore_ascii_case(kind))
}

/// What a JWT says of its issuer, without reading the rest: whose it may be, if it is one at all.
pub(super) fn claimed_issuer(text: &str) -> Option<String> {
    let [_, second, _] = parts(text).ok()?;
    let claims = decode_object(second).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// Reads the claims of a token, whatever vouches for them.
pub(super) fn read_claims(all: Map<String, Value>) -> Result<Claims, TokenError> {
    read_claims_until(all, None)
}

/// The same; `end` is when a token without `exp` ends: never without `end` for one that nobody can take back.
pub(super) fn read_claims_until(all: Map<String, Value>, end: Option<u64>) -> Result<Claims, TokenError> {
    let issuer = text_claim(&all, "iss", usize::MAX)?.ok_or(TokenError::Claim("iss"))?;
    let subject = text_claim(&all, "sub", MAX_SUBJECT)?.ok_or(TokenError::Claim("sub"))?;
    for (name, text) in [("iss", &issuer), ("sub", &subject)] {
        if text.is_empty() {
            return Err(TokenError::Claim(name));
        }
        if has_control(text) {
            return Err(TokenError::Characters(name));
        }
    }
    if all.contains_key("cnf") {
        return Err(TokenError::Bound);
    }
    // A security event (RFC 8417), such as a logout: its issuer, audience and subject may be an ID token's. What is to
    // be exchanged for tokens is none either; Keycloak says so in the claim `typ`, Cognito in `token_use`.
    let is = |name: &str, words: &[&str]| {
        let word = all.get(name).and_then(Value::as_str);
        word.is_some_and(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
    };
    if all.get("events").is_some_and(Value::is_object)
        || is("typ", &["refresh", "offline", "logout"])
        || is("token_use", &["refresh", "refresh_token"])
    {
        return Err(TokenError::Type);
    }
    for name in ["jti", "nonce"] {
        text_claim(&all, name, usize::MAX)?;
    }
    let audiences = match all.get("aud") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(list) => strings(list).ok_or(TokenError::Claim("aud"))?,
    };
    Ok(Claims {
        issuer,
        subject,
        audiences,
        expires: time_claim(&all, "exp")?.or(end).ok_or(TokenError::Claim("exp"))?,
        not_before: time_claim(&all, "nbf")?,
        issued_at: time_claim(&all, "iat")?,
        all,
    })
}

/// Also the invisible characters that turn text round (bidirectional controls): an id must read as it is.
pub(super) fn has_control(text: &str) -> bool {
    text.chars().any(|c| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn text_claim(
    all: &Map<String, Value>,
    name: &'static str,
    longest: usize,
) -> Result<Option<String>, TokenError> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= longest => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Claim(name)),
    }
}

/// The last second of the year 9999: no issuer means a later one.
const LATEST: u64 = 253_402_300_799;

/// A NumericDate (RFC 7519 section 2), which may have a fraction, as nanoseconds.
fn time_claim(all: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, TokenError> {
    const NANOSECONDS: u64 = 1_000_000_000;
    let Some(value) = all.get(name) else { return Ok(None) };
    match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) if seconds <= LATEST => Ok(Some(seconds.saturating_mul(NANOSECONDS))),
        (Some(_), _) => Err(TokenError::Date(name)),
        (None, Some(seconds)) if seconds > LATEST as f64 => Err(TokenError::Date(name)),
        // The cast saturates.
        (None, Some(seconds)) if seconds >= 0.0 => Ok(Some((seconds * 1e9) as u64)),
        _ => Err(TokenError::Claim(name)),
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
