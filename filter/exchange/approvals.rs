//! The worker's side of the service that asks humans: what it is told, what it answers.
//!
//! The protocol is written down in `docs/approvals.md`, so that others can serve it: *open* (the service finds the approval
//! of a binding, or begins one), *wait*, *spend*. Each can be asked again without harm.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::environment::Env;
use super::health::Health;
use super::service::{Asked, Service};
use crate::audit::signature::Witness;
use crate::config::Problem;
use crate::config::set;
use crate::host::{Call, Reply};
use crate::protocol::json::pointer::Pointer;

/// Longest wait of one call, in seconds: what is longer is asked again.
const LONG_POLL: u64 = 20;
/// Longest id.
const MAX_ID: usize = 64;
/// Most characters of an approver's words, for callers and records.
const MAX_REASON: usize = 300;
/// Most approvers that a record names.
const MAX_BY: usize = 16;

const JSON: &[(&str, &str)] = &[("content-type", "application/json"), ("accept", "application/json")];

/// The service, compiled.
#[derive(Debug)]
pub(super) struct Approvals {
    service: Service,
    /// How long an exchange is held for its approval.
    pub wait: Duration,
    ttl: Duration,
    /// What of a body an approval does not bind.
    pub ignore: Vec<Pointer>,
    witness: Option<Witness>,
    /// Whether it says what becomes of approvals.
    pub health: Health,
}

/// Where an approval is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Not everybody who must has said yes.
    Pending,
    /// May be spent.
    Approved,
    /// Somebody said no.
    Denied,
    /// Its time is over.
    Expired,
    /// It let a call through.
    Spent,
}

/// What the service says of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Said {
    pub id: String,
    pub state: State,
    /// The words of who said no.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who said yes, or no.
    #[serde(default)]
    pub by: Vec<String>,
    /// Which exchange spent it.
    #[serde(default)]
    exchange: Option<String>,
    #[serde(default)]
    signature: Option<String>,
}

/// Why nothing is known of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SaidError {
    /// No answer came.
    #[error("no answer came")]
    Broken,
    /// A status that is none of the protocol's.
    #[error("it answered with status {0}")]
    Status(u16),
    /// The answer is not what the protocol says.
    #[error("its answer is none of the protocol")]
    Form,
    /// An approval is said to be spent, and nothing proves it.
    #[error("its signature does not hold")]
    Signature,
}

/// A request for an approval.
#[derive(Debug, Serialize)]
pub(super) struct Opening<'a> {
    pub binding: &'a str,
    pub exchange: &'a str,
    pub caller: Caller<'a>,
    pub connection: &'a str,
    pub policy: &'a str,
    pub revision: &'a str,
    pub digest: &'a str,
    pub request: Described<'a>,
    pub rules: Vec<Rule<'a>>,
    pub prompt: Shown,
    pub entities: BTreeMap<String, u64>,
    pub flags: &'a [String],
    pub ignored: BTreeMap<String, String>,
    pub ttl: u64,
}

/// Who asks.
#[derive(Debug, Serialize)]
pub(super) struct Caller<'a> {
    pub id: &'a str,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub groups: &'a [String],
}

/// What is asked for, in short.
#[derive(Debug, Serialize)]
pub(super) struct Described<'a> {
    pub method: &'a str,
    pub authority: &'a str,
    pub path: String,
    pub content_type: String,
    pub operation: &'a str,
    pub model: String,
    pub size: usize,
}

/// A rule that asks.
#[derive(Debug, Serialize)]
pub(super) struct Rule<'a> {
    pub rule: &'a str,
    pub message: String,
    pub approvers: &'a [String],
    pub quorum: u32,
}

/// What approvers see of what is asked: its texts, masked.
#[derive(Debug, Default, Serialize)]
pub(super) struct Shown {
    pub text: String,
    pub cut: bool,
}

#[derive(Serialize)]
struct Spending<'a> {
    binding: &'a str,
    exchange: &'a str,
}

impl Approvals {
    pub(super) fn of(written: &set::Approvals, env: &Env<'_>, problems: &mut Vec<Problem>) -> Option<Self> {
        let pointers = written.ignore.iter().filter_map(|pointer| Pointer::parse(&pointer.value).ok());
        let witness = match &written.public_key {
            None => None,
            Some(key) => match Witness::of_public(&key.value) {
                Ok(witness) => Some(witness),
                Err(error) => {
                    let problem = Problem::error(&key.place, error.to_string());
                    problems
                        .push(problem.help("`portcullis audit public-key` prints the one of a signing key"));
                    return None;
                }
            },
        };
        Some(Self {
            service: Service::compile(&written.cluster, Some(env), problems)?,
            wait: written.wait,
            ttl: written.ttl,
            ignore: pointers.collect(),
            witness,
            health: Health::new(
                "the service for approvals does not say",
                "the service for approvals answers again",
            ),
        })
    }

    /// How long an approval lives, in seconds.
    pub(super) fn ttl(&self) -> u64 {
        self.ttl.as_secs()
    }

    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.service.path_or("/v1/approvals"))
    }

    fn call(&self, asked: &Asked<'_>, body: Vec<u8>, long: u64) -> Call {
        let mut call = self.service.call(asked, body);
        call.timeout = call.timeout.saturating_add(Duration::from_secs(long));
        call
    }

    /// Asks for an approval; the same one where it was asked for before.
    #[inline(never)]
    pub(super) fn open(&self, opening: &Opening<'_>) -> Call {
        let body = serde_json::to_vec(opening).unwrap_or_default();
        self.call(&Asked { path: &self.path(""), headers: JSON, ..Asked::POST }, body, 0)
    }

    /// Waits for what becomes of one; at most so long.
    pub(super) fn wait(&self, id: &str, left: Duration) -> Call {
        let seconds = left.as_secs().clamp(1, LONG_POLL);
        let path = self.path(&format!("/{id}?wait={seconds}"));
        self.call(&Asked { method: "GET", path: &path, headers: JSON, ..Asked::POST }, Vec::new(), seconds)
    }

    /// Spends one.
    pub(super) fn spend(&self, id: &str, binding: &str, exchange: &str) -> Call {
        let body = serde_json::to_vec(&Spending { binding, exchange }).unwrap_or_default();
        let path = self.path(&format!("/{id}/spend"));
        self.call(&Asked { path: &path, headers: JSON, ..Asked::POST }, body, 0)
    }

    /// Whether the answer says that this exchange spent an approval, and may.
    pub(super) fn grants(
        &self,
        said: &Said,
        id: &str,
        binding: &str,
        exchange: &str,
    ) -> Result<bool, SaidError> {
        if said.state != State::Spent || said.exchange.as_deref() != Some(exchange) || said.id != id {
            return Ok(false);
        }
        let Some(witness) = &self.witness else { return Ok(true) };
        let signature = said.signature.as_deref().unwrap_or_default();
        if witness.signed_spent(id, binding, exchange, signature) {
            Ok(true)
        } else {
            Err(SaidError::Signature)
        }
    }
}

/// Reads an answer.
pub(super) fn said(reply: &Reply) -> Result<Said, SaidError> {
    let body = match reply {
        Reply::Broken => return Err(SaidError::Broken),
        // A conflict says how it is, as every answer does.
        Reply::Answer { status: 200 | 409, body, .. } => body,
        Reply::Answer { status, .. } => return Err(SaidError::Status(*status)),
    };
    let mut said: Said = serde_json::from_slice(body).map_err(|_| SaidError::Form)?;
    // It goes into paths, headers and records.
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if said.id.is_empty() || said.id.len() > MAX_ID || !said.id.bytes().all(word) {
        return Err(SaidError::Form);
    }
    said.by.truncate(MAX_BY);
    said.reason = said.reason.map(|reason| plain(&reason));
    Ok(said)
}

/// Words on one line, of no more length than fits a refusal.
fn plain(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_REASON).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Reply {
        Reply::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn answers_are_read_strictly() {
        let pending =
            said(&answer(200, r#"{"id":"apr_1","state":"pending","expires":"x","new":1}"#)).unwrap();
        assert_eq!((pending.id.as_str(), pending.state), ("apr_1", State::Pending));
        for (reply, error) in [
            (Reply::Broken, SaidError::Broken),
            (answer(503, r#"{"id":"apr_1","state":"approved"}"#), SaidError::Status(503)),
            (answer(404, ""), SaidError::Status(404)),
            (answer(200, ""), SaidError::Form),
            (answer(200, r#"{"id":"apr_1","state":"yes"}"#), SaidError::Form),
            (answer(200, r#"{"state":"approved"}"#), SaidError::Form),
            (answer(200, r#"{"id":"a/../b","state":"approved"}"#), SaidError::Form),
            (answer(200, "{\"id\":\"a\\r\\nx\",\"state\":\"approved\"}"), SaidError::Form),
            (answer(200, r#"{"id":"","state":"approved"}"#), SaidError::Form),
        ] {
            assert_eq!(said(&reply), Err(error), "{reply:?}");
        }
    }

    #[test]
    fn an_approvers_words_are_one_line() {
        let body = format!(r#"{{"id":"a","state":"denied","reason":"no\r\nno{}"}}"#, "o".repeat(999));
        let reason = said(&answer(200, &body)).unwrap().reason.unwrap();
        assert!(reason.starts_with("no  no") && reason.chars().count() == MAX_REASON);
    }
}
