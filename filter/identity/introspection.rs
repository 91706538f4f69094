//! What an issuer answers about a token (RFC 7662): the question's body, and one strict reading of the answer.
//!
//! | the answer | callers meet |
//! |---|---|
//! | `active: false` | 401: it is no token of the issuer's, or no longer |
//! | `active: true` for somebody else, or for nobody (no `sub`) | 401 |
//! | anything but 200 with a strict JSON object and `active` as a boolean | 503: nothing was said of the token |
//!
//! An issuer's answer is believed as a signature would be, and held to the same `iss`, `aud`, `exp` and `nbf`. Of these
//! an answer may leave `iss` and `exp` out: who was asked is known, and the answer itself is not kept for long.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::provider::Failure;
use super::token::{self, Claims, TokenError};
use super::verify::Issuer;

/// Largest answer, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;

/// What need not be encoded in a form.
const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// Why nothing is known of a token, for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// No answer.
    #[error("the issuer {0}")]
    NoAnswer(#[from] Failure),
    /// An answer other than 200; with 401 or 403 the issuer does not know the module.
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// Above [`MAX_ANSWER`].
    #[error("the issuer's answer is larger than 64 KiB")]
    TooLarge,
    /// Not strict JSON.
    #[error("the issuer's answer {0}")]
    Json(JsonError),
    /// `active` is missing, or no boolean.
    #[error("the issuer's answer has no `active` that is true or false")]
    Active,
    /// More is to be asked already than can be.
    #[error("too many tokens wait to be asked about")]
    Crowded,
}

/// Why an answer gives no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The token is refused: 401.
    Refused(TokenError),
    /// Nothing is known of it: 503.
    Unknown(AnswerError),
}

impl From<TokenError> for Answered {
    fn from(error: TokenError) -> Self {
        Self::Refused(error)
    }
}

impl From<AnswerError> for Answered {
    fn from(error: AnswerError) -> Self {
        Self::Unknown(error)
    }
}

impl From<Failure> for Answered {
    fn from(failure: Failure) -> Self {
        Self::Unknown(failure.into())
    }
}

/// The body of the question about a token (RFC 7662 section 2.1).
pub fn question(token: &str) -> String {
    format!("token={}&token_type_hint=access_token", encoded(token))
}

/// What stands before and after the colon in the module's own `authorization` (RFC 6749 section 2.3.1).
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &FORM).to_string()
}

/// The claims of an answer of an issuer.
pub(super) fn read((status, body): (u16, &[u8]), issuer: &Issuer) -> Result<Claims, Answered> {
    if status != 200 {
        return Err(AnswerError::Status(status).into());
    }
    if body.len() > MAX_ANSWER {
        return Err(AnswerError::TooLarge.into());
    }
    let mut all = json::object(body).map_err(AnswerError::Json)?;
    match all.remove("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(TokenError::Inactive.into()),
        _ => return Err(AnswerError::Active.into()),
    }
    if is_another_kind(&all) {
        return Err(TokenError::Type.into());
    }
    if !all.contains_key("iss") {
        all.insert("iss".to_owned(), Value::from(issuer.issuer.clone()));
    }
    let claims = token::read_claims_until(all, Some(u64::MAX))?;
    if claims.issuer != issuer.issuer {
        return Err(TokenError::Issuer.into());
    }
    Ok(claims)
}

/// Whether it is a token of another kind: endpoints answer for refresh tokens as well (RFC 7662 section 2.1), and a token
/// that is bound to a key proves nothing without that key.
fn is_another_kind(all: &Map<String, Value>) -> bool {
    let among = |name: &str, known: &[&str]| {
        let word = all.get(name).and_then(Value::as_str);
        word.is_some_and(|word| known.iter().any(|known| known.eq_ignore_ascii_case(word)))
    };
    let foreign = all.get("token_type").is_some_and(|kind| !kind.is_null())
        && !among("token_type", &["bearer", "access_token", "access-token"]);
    foreign
        || among("token_use", &["refresh_token", "id", "refresh"])
        || among("typ", &["refresh", "offline", "id"])
}

#[cfg(test)]
#[path = "introspection_tests.rs"]
mod tests;
