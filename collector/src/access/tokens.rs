//! Tokens of identity providers: verified as the filter verifies them, and what they grant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis::identity::provider::{Refetch, State};
use portcullis::identity::signature::NoNative;
use portcullis::identity::{Identity, Issuer, Proof, Refusal, TokenError, Verifier};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::caller::Caller;
use super::keys::{Keys, clock};
use super::provider::Client;
use super::settings::{AccessError, Trusted};

/// How long a request waits for keys that are on their way.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// Longest name of somebody, in characters.
const LONGEST_NAME: usize = 128;

/// The providers, and what their tokens grant.
pub struct Tokens {
    verifier: Verifier,
    /// By the verifier's numbers.
    known: Vec<Known>,
    /// Numbers of those whose tokens requests bring.
    bearers: Vec<usize>,
    /// The number of the one that people log in at.
    login: Option<usize>,
}

struct Known {
    trusted: Trusted,
    keys: Arc<Keys>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It does not hold.
    Token(TokenError),
    /// Nobody can say now.
    Unavailable,
}

impl Tokens {
    /// Of providers; the keys come once the tasks run.
    ///
    /// # Errors
    /// One of them is none, or people would log in at two.
    pub fn of(trusted: &[Trusted]) -> Result<Self, AccessError> {
        let (mut issuers, mut known) = (Vec::new(), Vec::new());
        let (mut bearers, mut login) = (Vec::new(), None);
        for trusted in trusted {
            let keys = Keys::of(&trusted.issuer)?;
            let mut add = |audiences: Vec<String>| {
                issuers.push(Issuer {
                    issuer: trusted.issuer.clone(),
                    audiences,
                    groups_claim: trusted.groups_claim.clone(),
                    leeway: LEEWAY,
                    proof: Proof::Signature,
                });
                known.push(Known { trusted: trusted.clone(), keys: Arc::clone(&keys) });
                issuers.len().saturating_sub(1)
            };
            if !trusted.audiences.is_empty() {
                bearers.push(add(trusted.audiences.clone()));
            }
            if let Some(client) = &trusted.client {
                if login.is_some() {
                    return Err(AccessError::Clients);
                }
                login = Some(add(vec![client.clone()]));
            }
        }
        Ok(Self { verifier: Verifier::new(issuers), known, bearers, login })
    }

    /// Tasks that keep keys fresh.
    pub fn keep(&self, client: &Client, stopping: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let mut started: Vec<&Arc<Keys>> = Vec::new();
        for known in &self.known {
            if !started.iter().any(|keys| Arc::ptr_eq(keys, &known.keys)) {
                started.push(&known.keys);
                tasks.spawn(Arc::clone(&known.keys).keep(client.clone(), stopping.clone()));
            }
        }
        tasks
    }

    /// Where people log in.
    pub fn login(&self) -> Option<&Trusted> {
        self.login.and_then(|login| self.known.get(login)).map(|known| &known.trusted)
    }

    /// Whether every provider's keys are there.
    pub fn are_ready(&self) -> bool {
        self.known.iter().all(|known| known.keys.look(|state| matches!(state, State::Ready(_))))
    }

    /// Who brings a token.
    ///
    /// # Errors
    /// It is not taken.
    pub async fn bearer(&self, token: &str) -> Result<Caller, Refused> {
        self.caller(&self.identity(token, &self.bearers).await?)
    }

    /// Who logged in, by the token that the provider gave for that, and its claims.
    ///
    /// # Errors
    /// It is not taken.
    pub async fn logged_in(&self, token: &str) -> Result<(Caller, Identity), Refused> {
        let login: Vec<usize> = self.login.into_iter().collect();
        let identity = self.identity(token, &login).await?;
        Ok((self.caller(&identity)?, identity))
    }

    async fn identity(&self, token: &str, accepted: &[usize]) -> Result<Identity, Refused> {
        let since = clock();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                // Before the look, so that no answer comes unseen between the two.
                let mut answers: Vec<_> = self.known.iter().map(|known| known.keys.answers()).collect();
                let refusal = match self.judge(token, accepted) {
                    Ok(identity) => return Ok(identity),
                    Err(refusal) => refusal,
                };
                let issuer = match refusal {
                    Refusal::Unauthenticated(error) => return Err(Refused::Token(error)),
                    Refusal::KeysUnavailable { .. } => return Err(Refused::Unavailable),
                    Refusal::KeysPending(issuer) => issuer,
                    Refusal::UnknownKey { issuer, error } => {
                        let keys = self.known.get(issuer).map(|known| &known.keys);
                        match keys.map_or(Refetch::Known, |keys| keys.refetch(since)) {
                            Refetch::UnderWay => issuer,
                            Refetch::Known => return Err(Refused::Token(error)),
                            Refetch::Failing { .. } => return Err(Refused::Unavailable),
                        }
                    }
                };
                let Some(answer) = answers.get_mut(issuer) else { return Err(Refused::Unavailable) };
                // An answer may come that changes nothing, so the time is looked at too.
                let _ = tokio::time::timeout(Duration::from_secs(1), answer.changed()).await;
            }
        });
        waited.await.unwrap_or(Err(Refused::Unavailable))
    }

    fn judge(&self, token: &str, accepted: &[usize]) -> Result<Identity, Refusal> {
        // The number of the issuer is known once the token is read, and its keys are looked at under a lock.
        let unread = self.verifier.verify(token, accepted, clock(), |_| State::Pending, &NoNative);
        let index = match unread {
            Err(Refusal::KeysPending(index)) => index,
            Err(refusal) => return Err(refusal),
            // Without a key nothing holds.
            Ok(_) => return Err(Refusal::Unauthenticated(TokenError::Signature)),
        };
        let known = self.known.get(index).ok_or(Refusal::Unauthenticated(TokenError::Issuer))?;
        known.keys.look(|state| self.verifier.verify(token, accepted, clock(), |_| state, &NoNative))
    }

    fn caller(&self, identity: &Identity) -> Result<Caller, Refused> {
        let known = self.known.get(identity.issuer_index).ok_or(Refused::Unavailable)?;
        Ok(caller(&known.trusted, identity))
    }
}

fn caller(trusted: &Trusted, identity: &Identity) -> Caller {
    let values = identity.claim(&trusted.roles_claim).map(values).unwrap_or_default();
    let granted = trusted.grants.iter().filter(|(value, _)| values.contains(value.as_str()));
    Caller {
        id: identity.id.clone(),
        name: name(identity),
        groups: identity.groups.iter().cloned().collect(),
        roles: granted.map(|(_, role)| *role).collect(),
    }
}

/// The values of a claim, read as groups are: a list of texts, or one text split at spaces and commas.
fn values(claim: &Value) -> BTreeSet<&str> {
    match claim {
        Value::String(text) => text.split([' ', ',']).filter(|value| !value.is_empty()).collect(),
        // Half a list would grant what nobody wrote.
        Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<_>>().unwrap_or_default(),
        _ => BTreeSet::new(),
    }
}

fn name(identity: &Identity) -> String {
    let claims = ["name", "preferred_username", "email"].into_iter();
    let mut names = claims.filter_map(|claim| identity.claims.get(claim)?.as_str());
    let name = names.find(|name| !name.trim().is_empty()).unwrap_or(&identity.subject);
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_come_of_whole_values_alone() {
        for (claim, wanted) in [
            (json!("a b,c"), &["a", "b", "c"][..]),
            (json!(["a b", "c"]), &["a b", "c"]),
            (json!(["a", 1]), &[]),
            (json!({ "a": true }), &[]),
            (json!(true), &[]),
        ] {
            assert_eq!(values(&claim), wanted.iter().copied().collect(), "{claim}");
        }
    }
}
