//! A token in, an [`Identity`] or a [`Refusal`] out.
//!
//! The cheap questions come first (shape, issuer, audience, time), so that a flood of worthless tokens costs no
//! cryptography and fetches no keys. Nothing of a token is handed on unless its signature held.

use std::time::Duration;

use serde_json::{Map, Value};

use super::groups;
use super::keys::{KeySet, Miss};
use super::provider::{FetchError, State};
use super::signature::{self, Native};
use super::token::{self, Token, TokenError};

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// A token's `aud` must hold one of them; none: no token passes.
    pub audiences: Vec<String>,
    /// The claim with the caller's groups, a dotted path split at its dots.
    pub groups_claim: Vec<String>,
    /// Tolerance for `exp` and `nbf`.
    pub leeway: Duration,
}

/// A caller whose token was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// `issuer#subject`.
    pub id: String,
    /// `sub`.
    pub subject: String,
    /// `iss`.
    pub issuer: String,
    /// Which of the verifier's issuers it is.
    pub issuer_index: usize,
    /// Names from the groups claim.
    pub groups: Vec<String>,
    /// The groups claim is there in a shape that we do not read: it grants nothing, and the operator should know.
    pub groups_malformed: bool,
    /// Every claim.
    pub claims: Map<String, Value>,
    /// `exp`, in nanoseconds since 1970.
    pub expires: u64,
}

impl Identity {
    /// The claim at a path of names, where it is there.
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        groups::find(&self.claims, path)
    }
}

/// Why there is no identity. The index is the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 401.
    Unauthenticated(TokenError),
    /// No key of the set at hand verifies it, and a newer set might: ask [`super::Provider::refetch`]. If it says
    /// yes, hold the request for that one round and verify again; otherwise, and after the round, refuse with
    /// `error`.
    UnknownKey {
        /// Whose keys.
        issuer: usize,
        /// What to tell the caller.
        error: TokenError,
    },
    /// The issuer's keys have not come yet: hold the request and verify again when they have.
    KeysPending(usize),
    /// The issuer's keys cannot be had: 503.
    KeysUnavailable {
        /// Whose keys.
        issuer: usize,
        /// For the operator.
        reason: FetchError,
    },
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Refusal::Unauthenticated(error)
    }
}

/// Judges tokens of several issuers.
#[derive(Debug, Clone)]
pub struct Verifier {
    issuers: Vec<Issuer>,
}

impl Verifier {
    /// A verifier; callers name an issuer by its place in this list.
    pub fn new(issuers: Vec<Issuer>) -> Verifier {
        Verifier { issuers }
    }

    /// The issuers, in the order given.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Verifies a token of one of the `accepted` issuers at the time `now` (nanoseconds since 1970).
    /// `keys` gives the state of an issuer's keys.
    pub fn verify<'k>(
        &self,
        text: &str,
        accepted: &[usize],
        now: u64,
        keys: impl FnOnce(usize) -> State<'k>,
        native: &dyn Native,
    ) -> Result<Identity, Refusal> {
        let token = token::parse(text)?;
        let (index, issuer) = self.issuer_of(&token, accepted)?;
        check_time(&token, issuer, now)?;
        match keys(index) {
            State::Ready(keys) => check_signature(&token, index, keys, native)?,
            State::Pending => return Err(Refusal::KeysPending(index)),
            State::Unavailable { reason } => return Err(Refusal::KeysUnavailable { issuer: index, reason }),
        }
        Ok(identity(token, index, issuer))
    }

    /// By `iss`, and by `aud` where the same issuer is configured twice.
    fn issuer_of(&self, token: &Token<'_>, accepted: &[usize]) -> Result<(usize, &Issuer), TokenError> {
        let mut refusal = TokenError::Issuer;
        for index in accepted {
            let Some(issuer) = self.issuers.get(*index) else { continue };
            if issuer.issuer != token.claims.issuer {
                continue;
            }
            if token.claims.audiences.iter().any(|audience| issuer.audiences.contains(audience)) {
                return Ok((*index, issuer));
            }
            refusal = TokenError::Audience;
        }
        Err(refusal)
    }
}

/// RFC 7519 sections 4.1.4 and 4.1.5: `now` must be before `exp`, and not before `nbf`.
fn check_time(token: &Token<'_>, issuer: &Issuer, now: u64) -> Result<(), TokenError> {
    let leeway = u64::try_from(issuer.leeway.as_nanos()).unwrap_or(u64::MAX);
    if now >= token.claims.expires.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    match token.claims.not_before {
        Some(start) if now.saturating_add(leeway) < start => Err(TokenError::NotYetValid),
        _ => Ok(()),
    }
}

fn check_signature(
    token: &Token<'_>,
    issuer: usize,
    keys: &KeySet,
    native: &dyn Native,
) -> Result<(), Refusal> {
    let candidates = match keys.find(token.algorithm, token.key_id.as_deref()) {
        Ok(candidates) => candidates,
        Err(Miss::Unknown) => return Err(Refusal::UnknownKey { issuer, error: TokenError::UnknownKey }),
        Err(Miss::Unfit) => return Err(TokenError::KeyAlgorithm.into()),
    };
    if candidates.iter().any(|key| signature::holds(token, key, native)) {
        return Ok(());
    }
    match token.key_id {
        Some(_) => Err(TokenError::Signature.into()),
        // An issuer that names no keys changes them without a trace in the token.
        None => Err(Refusal::UnknownKey { issuer, error: TokenError::Signature }),
    }
}

fn identity(token: Token<'_>, issuer_index: usize, issuer: &Issuer) -> Identity {
    let claims = token.claims;
    let groups = groups::read(&claims.all, &issuer.groups_claim);
    Identity {
        id: format!("{}#{}", claims.issuer, claims.subject),
        subject: claims.subject,
        issuer: claims.issuer,
        issuer_index,
        groups: groups.names,
        groups_malformed: groups.malformed,
        claims: claims.all,
        expires: claims.expires,
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
