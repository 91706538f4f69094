//! A token in, an [`Identity`] or a [`Refusal`] out.
//!
//! The cheap questions come first (shape, issuer, audience, time), so that a flood of worthless tokens costs no
//! cryptography and fetches no keys. Nothing of a token is handed on unless its signature held.

use std::time::Duration;

use serde_json::{Map, Value};

use super::groups;
use super::introspection::{self, Answered};
use super::keys::{KeySet, Miss};
use super::provider::{Failure, FetchError, State};
use super::signature::{self, Native};
use super::token::{self, Claims, Token, TokenError};
use crate::order;

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
    /// What vouches for its tokens.
    pub proof: Proof,
}

/// What vouches for an issuer's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Their signatures.
    Signature,
    /// A filter of the proxy, which leaves the claims that it verified under this name.
    Proxy {
        /// The name.
        payload: String,
    },
    /// The issuer itself, asked about each (RFC 7662).
    Introspection,
    /// The caller's certificate, which the proxy verified: the issuer is a SPIFFE trust domain.
    Certificate,
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
    /// Whether the token grants a scope, by `scope` (RFC 9068) or `scp`, each a text or a list.
    pub fn has_scope(&self, scope: &str) -> bool {
        ["scope", "scp"].iter().filter_map(|name| self.claims.get(*name)).any(|claim| match claim {
            Value::String(text) => text.split(' ').any(|granted| granted == scope),
            Value::Array(list) => list.iter().any(|granted| granted == scope),
            _ => false,
        })
    }

    /// The claim at a path of names, where it is there.
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        groups::find(&self.claims, path)
    }
}

/// Whom the proxy's own filter vouches for.
#[derive(Debug, Clone, PartialEq)]
pub enum Vouched {
    /// Nobody: it left no claims.
    Nobody,
    /// Somebody of an issuer that is not accepted here.
    Foreign,
    /// This caller.
    Caller(Identity),
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
        let (index, issuer) = self.issuer_of(&token.claims, accepted)?;
        check_time(&token.claims, issuer, now)?;
        if issuer.proof != Proof::Signature {
            return Err(TokenError::Unvouched.into());
        }
        match keys(index) {
            State::Ready(keys) => check_signature(&token, index, keys, native)?,
            State::Pending => return Err(Refusal::KeysPending(index)),
            State::Unavailable { reason } => return Err(Refusal::KeysUnavailable { issuer: index, reason }),
        }
        Ok(identity(token.claims, index, issuer)?)
    }

    /// Whether a caller's token still holds at `now`, as far as its own end goes.
    pub fn is_current(&self, identity: &Identity, now: u64) -> bool {
        let leeway = self.issuers.get(identity.issuer_index).map(|issuer| issuer.leeway).unwrap_or_default();
        let leeway = u64::try_from(leeway.as_nanos()).unwrap_or(u64::MAX);
        now < identity.expires.saturating_add(leeway)
    }

    /// Whether callers of an issuer bring a token that is read here, or asked about.
    pub fn reads_tokens(&self, issuer: usize) -> bool {
        let read = |issuer: &Issuer| matches!(issuer.proof, Proof::Signature | Proof::Introspection);
        self.issuers.get(issuer).is_some_and(read)
    }

    /// The one of the `accepted` issuers that is to be asked about a token: its own, where the token says whose it is.
    /// Others are shown none that is not theirs.
    pub fn introspected(&self, text: &str, accepted: &[usize]) -> Option<usize> {
        let asked = |index: &&usize| {
            self.issuers.get(**index).is_some_and(|issuer| issuer.proof == Proof::Introspection)
        };
        let index = accepted.iter().find(asked)?;
        let claimed = token::claimed_issuer(text);
        let own = |claimed: String| self.issuers.get(*index).is_some_and(|issuer| issuer.issuer == claimed);
        claimed.is_none_or(own).then_some(*index)
    }

    /// The caller of a token, by what its issuer answered about it.
    ///
    /// # Errors
    /// The token is refused, or the answer is none.
    pub fn answered(
        &self,
        index: usize,
        now: u64,
        answer: Result<(u16, &[u8]), Failure>,
    ) -> Result<Identity, Answered> {
        let issuer = self.issuers.get(index).ok_or(TokenError::Issuer)?;
        let claims = introspection::read(answer?, issuer)?;
        if !issuer.audiences.is_empty()
            && !claims.audiences.iter().any(|audience| issuer.audiences.contains(audience))
        {
            return Err(TokenError::Audience.into());
        }
        check_time(&claims, issuer, now)?;
        Ok(identity(claims, index, issuer)?)
    }

    /// Whether one of the `accepted` issuers has its tokens verified by the proxy.
    pub fn asks_proxy(&self, accepted: &[usize]) -> bool {
        self.payloads(accepted).next().is_some()
    }

    /// The caller whose claims the proxy's own filter verified. `payload` gives the claims that it left under a name;
    /// `beside` is the token that is still in the request, if any: it must be the same one.
    ///
    /// # Errors
    /// The claims do not hold, several were left that are accepted here, or `beside` is another token.
    pub fn vouched<'p>(
        &self,
        payload: impl Fn(&str) -> Option<&'p Map<String, Value>>,
        beside: Option<&str>,
        accepted: &[usize],
        now: u64,
    ) -> Result<Vouched, TokenError> {
        let mut names: Vec<&str> = self.payloads(accepted).collect();
        order::sort(&mut names);
        names.dedup();
        let (mut foreign, mut found) = (false, None);
        for (name, claims) in names.into_iter().filter_map(|name| Some((name, payload(name)?))) {
            let by_name = |index: &usize| self.payload_of(*index) == Some(name);
            let mine: Vec<usize> = accepted.iter().copied().filter(by_name).collect();
            let of_ours = |index: &usize| self.issuers.get(*index).map(|issuer| issuer.issuer.as_str());
            let iss = claims.get("iss").and_then(Value::as_str);
            if iss.is_none() || !mine.iter().any(|index| of_ours(index) == iss) {
                foreign = true;
                continue;
            }
            if found.replace((mine, claims)).is_some() {
                return Err(TokenError::Another);
            }
        }
        let Some((mine, claims)) = found else {
            return Ok(if foreign { Vouched::Foreign } else { Vouched::Nobody });
        };
        let claims = token::read_claims(claims.clone())?;
        if beside.is_some_and(|text| !token::parse(text).is_ok_and(|token| token.claims.names_same(&claims)))
        {
            return Err(TokenError::Another);
        }
        let (index, issuer) = self.issuer_of(&claims, &mine)?;
        check_time(&claims, issuer, now)?;
        Ok(Vouched::Caller(identity(claims, index, issuer)?))
    }

    fn payloads<'v>(&'v self, accepted: &'v [usize]) -> impl Iterator<Item = &'v str> {
        accepted.iter().filter_map(|index| self.payload_of(*index))
    }

    fn payload_of(&self, index: usize) -> Option<&str> {
        match &self.issuers.get(index)?.proof {
            Proof::Proxy { payload } => Some(payload),
            Proof::Signature | Proof::Introspection | Proof::Certificate => None,
        }
    }

    /// Whether no token counts with any of the `accepted` issuers.
    pub fn only_certificates(&self, accepted: &[usize]) -> bool {
        let mut issuers = accepted.iter().filter_map(|index| self.issuers.get(*index)).peekable();
        issuers.peek().is_some() && issuers.all(|issuer| issuer.proof == Proof::Certificate)
    }

    /// The workload that a SPIFFE id names, where one of the `accepted` issuers is its trust domain.
    pub fn certified(&self, principal: &str, accepted: &[usize]) -> Option<Identity> {
        let of_domain = |index: &usize| {
            let issuer = self.issuers.get(*index)?;
            let path = principal.strip_prefix(&issuer.issuer)?;
            let whole = path.len() > 1 && path.starts_with('/');
            (issuer.proof == Proof::Certificate && whole).then_some((*index, issuer))
        };
        let (issuer_index, issuer) = accepted.iter().find_map(of_domain)?;
        if principal.len() > token::MAX_SUBJECT || token::has_control(principal) {
            return None;
        }
        let claims = [("iss", issuer.issuer.as_str()), ("sub", principal)];
        Some(Identity {
            id: format!("{}#{principal}", issuer.issuer),
            subject: principal.to_owned(),
            issuer: issuer.issuer.clone(),
            issuer_index,
            groups: Vec::new(),
            groups_malformed: false,
            claims: claims.map(|(name, value)| (name.to_owned(), Value::from(value))).into_iter().collect(),
            // As long as its connection.
            expires: u64::MAX,
        })
    }

    /// By `iss`, and by `aud` where the same issuer is configured twice.
    fn issuer_of(&self, claims: &Claims, accepted: &[usize]) -> Result<(usize, &Issuer), TokenError> {
        let mut refusal = TokenError::Issuer;
        for index in accepted {
            let Some(issuer) = self.issuers.get(*index) else { continue };
            if issuer.issuer != claims.issuer {
                continue;
            }
            if claims.audiences.iter().any(|audience| issuer.audiences.contains(audience)) {
                return Ok((*index, issuer));
            }
            refusal = TokenError::Audience;
        }
        Err(refusal)
    }
}

/// RFC 7519 sections 4.1.4 and 4.1.5: `now` must be before `exp`, and not before `nbf`.
fn check_time(claims: &Claims, issuer: &Issuer, now: u64) -> Result<(), TokenError> {
    let leeway = u64::try_from(issuer.leeway.as_nanos()).unwrap_or(u64::MAX);
    if now >= claims.expires.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    match claims.not_before {
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
    // An issuer may change its keys without a trace in the token: it names none, or gives a new one the old one's name.
    Err(Refusal::UnknownKey { issuer, error: TokenError::Signature })
}

fn identity(claims: Claims, issuer_index: usize, issuer: &Issuer) -> Result<Identity, TokenError> {
    if groups::are_elsewhere(&claims.all, &issuer.groups_claim) {
        return Err(TokenError::GroupsElsewhere);
    }
    let groups = groups::read(&claims.all, &issuer.groups_claim);
    Ok(Identity {
        id: format!("{}#{}", claims.issuer, claims.subject),
        subject: claims.subject,
        issuer: claims.issuer,
        issuer_index,
        groups: groups.names,
        groups_malformed: groups.malformed,
        claims: claims.all,
        expires: claims.expires,
    })
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "vouched_tests.rs"]
mod vouched_tests;
