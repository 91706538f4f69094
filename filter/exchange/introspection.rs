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
use crate::identity::patience::Patience;
use crate::identity::provider::Failure;
use crate::identity::recent::{Name, Namer};
use crate::identity::{Answers, Identity, Verifier};

/// Most calls under way at once: so much of an issuer one worker may take.
const MOST_CALLS: usize = 32;
/// Most tokens that wait for their call.
const MOST_WAITING: usize = 256;
/// What a token costs its source that its issuer does not hold for one, as if it had been verified here, in nanoseconds.
const REFUSED: u64 = 2_000_000;
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
    /// Too many came that do not hold: it is not asked about.
    Flooded,
}

/// The issuers of one worker that are asked.
pub(super) struct Introspection {
    /// In the order of the set; none for those that are not asked.
    slots: Vec<Option<Slot>>,
    names: Namer,
    answers: Answers,
    waiting: VecDeque<Question>,
    calls: BTreeMap<CallId, Question>,
    /// Those that had to leave their place in the queue.
    left: Vec<u64>,
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
    /// The address that brought the token first.
    source: String,
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
            left: Vec::new(),
        }
    }

    /// What the issuer says of a token. `again`: it was awaited long enough.
    pub fn said(
        &mut self,
        host: &dyn Host,
        (issuer, token): (usize, &str),
        again: bool,
        source: &dyn Fn() -> String,
        patience: &mut Patience,
    ) -> Said {
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
        let source = source();
        if !patience.has_any(&source, now) {
            return Said::Flooded;
        }
        if self.waiting.len() >= MOST_WAITING && !self.make_room(host, &source) {
            self.count_crowded(host, issuer);
            return Said::Not(AnswerError::Crowded.into());
        }
        let deadline = after(now, long);
        self.waiting.push_back(Question { name, issuer, source, token: token.to_owned(), deadline });
        host.hasten();
        asked
    }

    /// Makes the calls that there is room for. Only from the root: replies go to whoever calls. Gives the numbers of those
    /// whose wait is over.
    pub fn ask(&mut self, host: &dyn Host) -> Vec<u64> {
        let now = host.now();
        let mut over = std::mem::take(&mut self.left);
        let lost: Vec<CallId> =
            self.calls.iter().filter(|(_, question)| now >= question.deadline).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(question) = self.calls.remove(&id) {
                over.push(self.silence(host, &question, Failure::Lost));
            }
        }
        while self.calls.len() < MOST_CALLS {
            let Some(question) = self.next() else { break };
            over.extend(self.call(host, question));
        }
        over
    }

    /// The question whose turn it is: the first of the source that has the fewest calls under way, so that one source has
    /// all of them only while no other asks.
    fn next(&mut self) -> Option<Question> {
        let busy = count(self.calls.values());
        let calls = |question: &Question| busy.get(question.source.as_str()).copied().unwrap_or_default();
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, question)| calls(question))?;
        self.waiting.remove(at)
    }

    /// Has the last question of the source that has most of them leave for one of this source, which has fewer.
    fn make_room(&mut self, host: &dyn Host, source: &str) -> bool {
        let waiting = count(&self.waiting);
        let own = waiting.get(source).copied().unwrap_or_default();
        let Some((most, _)) = waiting
            .into_iter()
            .filter(|(_, many)| *many > own.saturating_add(1))
            .max_by_key(|(_, many)| *many)
        else {
            return false;
        };
        let Some(at) = self.waiting.iter().rposition(|question| question.source == most) else {
            return false;
        };
        let Some(question) = self.waiting.remove(at) else { return false };
        self.count_crowded(host, question.issuer);
        self.left.push(number(&question.name));
        true
    }

    fn count_crowded(&self, host: &dyn Host, issuer: usize) {
        if let Some(slot) = self.slots.get(issuer).and_then(Option::as_ref) {
            host.count(&metrics::introspection(&slot.issuer, "crowded"), 1);
        }
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
        (verifier, patience): (&Verifier, &mut Patience),
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
        if let Err(Answered::Refused(_)) = &answered {
            patience.tried(&question.source, REFUSED);
        }
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

/// How many questions each source has among these.
fn count<'q>(questions: impl IntoIterator<Item = &'q Question>) -> BTreeMap<&'q str, usize> {
    let mut counts = BTreeMap::new();
    for question in questions {
        let many: &mut usize = counts.entry(question.source.as_str()).or_default();
        *many = many.saturating_add(1);
    }
    counts
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
