//! Issuers that are asked about tokens (RFC 7662): whose turn it is to be asked about, and the calls under way.
//!
//! A token is asked about once, however many callers bring it at the same time. The worker asks, not an exchange: the
//! answer is everybody's, and comes even when the caller who brought the token first has left.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::environment::{Env, fill};
use super::metrics;
use super::service::{Asked, Service};
use crate::config::Problem;
use crate::config::set::{self, Issuer};
use crate::host::{CallId, Host, Level, Reply};
use crate::identity::introspection::{AnswerError, Answered, encoded, question};
use crate::identity::provider::Failure;
use crate::identity::recent::{Name, Namer};
use crate::identity::{Answers, Identity, Verifier};

/// Most calls under way at once: so much of an issuer one worker may take.
const MOST_CALLS: usize = 32;
/// Most tokens that wait for their call.
const MOST_WAITING: usize = 256;
/// How long past its own timeout a call may be without an answer until it counts as lost.
const GRACE: Duration = Duration::from_secs(1);

/// What is known of a token.
pub(super) enum Said {
    /// Its caller.
    Caller(Arc<Identity>),
    /// Nobody.
    Not(Answered),
    /// It is being asked about: wait so long for the answer of this number.
    Asked(u64, Duration),
}

/// The issuers of one worker that are asked.
pub(super) struct Introspection {
    /// In the order of the set; none for those that are not asked.
    slots: Vec<Option<Slot>>,
    names: Namer,
    answers: Answers,
    waiting: VecDeque<Question>,
    calls: BTreeMap<CallId, Question>,
}

struct Slot {
    issuer: String,
    service: Service,
    authorization: Option<String>,
    max_age: Duration,
    /// The last fault that was logged: an issuer that is down is one line, not one each call.
    logged: Option<AnswerError>,
}

struct Question {
    name: Name,
    issuer: usize,
    /// Empty once it was asked.
    token: String,
    /// Until when there is sense in an answer.
    deadline: u64,
}

impl Introspection {
    /// Prepares those of the issuers that are asked. `names` makes names that nobody else can.
    pub fn new(
        issuers: &[Issuer],
        names: Namer,
        env: &Env<'_>,
        problems: &mut Vec<Problem>,
    ) -> Introspection {
        let slots = issuers.iter().map(|issuer| slot(issuer, issuer.proof.introspection()?, env, problems));
        Self {
            slots: slots.collect(),
            names,
            answers: Answers::default(),
            waiting: VecDeque::new(),
            calls: BTreeMap::new(),
        }
    }

    /// What the issuer says of a token. `again`: it was awaited long enough.
    pub fn said(&mut self, host: &dyn Host, issuer: usize, token: &str, again: bool) -> Said {
        let (name, now) = (self.names.name(token), host.now());
        match self.answers.get(&name, issuer, now) {
            Some(Ok(identity)) => return Said::Caller(identity),
            Some(Err(why)) => return Said::Not(why),
            None if again => return Said::Not(AnswerError::NoAnswer(Failure::Lost).into()),
            None => {}
        }
        let Some(slot) = self.slots.get(issuer).and_then(Option::as_ref) else {
            return Said::Not(AnswerError::NoAnswer(Failure::Unreachable).into());
        };
        let long = slot.service.timeout.saturating_add(GRACE);
        let asked = Said::Asked(number(&name), long);
        let same = |question: &Question| question.name == name && question.issuer == issuer;
        if self.calls.values().any(same) || self.waiting.iter().any(same) {
            return asked;
        }
        if self.waiting.len() >= MOST_WAITING {
            host.count(&metrics::introspection(&slot.issuer, "crowded"), 1);
            return Said::Not(AnswerError::Crowded.into());
        }
        let deadline = after(now, long);
        self.waiting.push_back(Question { name, issuer, token: token.to_owned(), deadline });
        host.hasten();
        asked
    }

    /// Makes the calls that there is room for. Only from the root: replies go to whoever calls. Gives the numbers of those
    /// whose wait is over.
    pub fn ask(&mut self, host: &dyn Host) -> Vec<u64> {
        let now = host.now();
        let mut over = Vec::new();
        let lost: Vec<CallId> =
            self.calls.iter().filter(|(_, question)| now >= question.deadline).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(question) = self.calls.remove(&id) {
                over.push(self.silence(host, &question, Failure::Lost));
            }
        }
        while self.calls.len() < MOST_CALLS {
            let Some(question) = self.waiting.pop_front() else { break };
            over.extend(self.call(host, question));
        }
        over
    }

    /// Asks about one token; gives its number where that cannot be done.
    fn call(&mut self, host: &dyn Host, mut question: Question) -> Option<u64> {
        let slot = self.slots.get(question.issuer).and_then(Option::as_ref)?;
        if host.now() >= question.deadline {
            return Some(self.silence(host, &question, Failure::Lost));
        }
        let mut headers =
            vec![("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        headers.extend(slot.authorization.iter().map(|value| ("authorization", value.as_str())));
        let asked = Asked { path: slot.service.path_or("/"), headers: &headers, ..Asked::POST };
        let body = self::question(&std::mem::take(&mut question.token));
        match host.call(&slot.service.call(&asked, body.into_bytes())) {
            Ok(id) => {
                question.deadline = after(host.now(), slot.service.timeout.saturating_add(GRACE));
                self.calls.insert(id, question);
                None
            }
            Err(_) => Some(self.silence(host, &question, Failure::Unreachable)),
        }
    }

    /// No answer will come.
    fn silence(&mut self, host: &dyn Host, question: &Question, failure: Failure) -> u64 {
        self.keep(host, question, Err(Answered::Unknown(failure.into())))
    }

    /// Takes a reply; gives the number of those who wait for it. `None`: it was not for us.
    pub fn reply(
        &mut self,
        host: &dyn Host,
        verifier: &Verifier,
        call: CallId,
        reply: &Reply,
    ) -> Option<u64> {
        let question = self.calls.remove(&call)?;
        if !self.waiting.is_empty() {
            host.hasten();
        }
        let answer = match reply {
            Reply::Broken => Err(Failure::Broken),
            Reply::Answer { status, body, .. } => Ok((*status, body.as_slice())),
        };
        let answered = verifier.answered(question.issuer, host.now(), answer);
        Some(self.keep(host, &question, answered))
    }

    fn keep(&mut self, host: &dyn Host, question: &Question, answer: Result<Identity, Answered>) -> u64 {
        if let Some(slot) = self.slots.get_mut(question.issuer).and_then(Option::as_mut) {
            slot.note(host, &answer);
            self.answers.put(question.name, question.issuer, answer, host.now(), slot.max_age);
        }
        number(&question.name)
    }
}

impl Slot {
    fn note(&mut self, host: &dyn Host, answer: &Result<Identity, Answered>) {
        let outcome = match answer {
            Ok(_) => "ok",
            Err(Answered::Refused(_)) => "refused",
            Err(Answered::Unknown(_)) => "failed",
        };
        host.count(&metrics::introspection(&self.issuer, outcome), 1);
        let error = match answer {
            Err(Answered::Unknown(error)) => Some(*error),
            _ => None,
        };
        match error {
            Some(error) if self.logged != Some(error) => {
                host.log(
                    Level::Warn,
                    &format!("issuer {}: nothing is known of tokens: {error}", self.issuer),
                );
            }
            None if self.logged.is_some() => {
                host.log(Level::Info, &format!("issuer {}: answers about tokens again", self.issuer));
            }
            _ => {}
        }
        self.logged = error;
    }
}

/// What stands for a token among those who wait.
fn number(name: &Name) -> u64 {
    name.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// So long after a moment, in nanoseconds.
pub(super) fn after(now: u64, long: Duration) -> u64 {
    now.saturating_add(u64::try_from(long.as_nanos()).unwrap_or(u64::MAX))
}

fn slot(
    issuer: &Issuer,
    written: &set::Introspection,
    env: &Env<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Slot> {
    let service = Service::compile(&written.cluster, Some(env), problems)?;
    let authorization = match &written.client {
        None => None,
        Some((id, secret)) => {
            let secret = fill(secret, env, &mut Vec::new(), problems)?;
            Some(format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(&secret)))))
        }
    };
    let issuer = issuer.name.value.clone();
    Some(Slot { issuer, service, authorization, max_age: written.max_age, logged: None })
}
