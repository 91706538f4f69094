//! One worker: the compiled set, the issuers' keys, verified tokens, records, and the exchanges that wait.
//!
//! A worker belongs to one configuration. While Envoy drains the streams of an old one, two workers live side by side
//! and share nothing.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::guard::{Env, Guard};
use super::keys::{self, Keys};
use super::later::Later;
use super::metrics;
use crate::audit::otlp::Resource;
use crate::audit::{self, Answer, Limits, Record, Recorded, Recorder, Text};
use crate::config::Problem;
use crate::config::set::{self, Bundle, Place};
use crate::host::{Call, CallId, Host, Level, Reply};
use crate::identity::provider::FetchError;
use crate::identity::signature::Native;
use crate::identity::{self, Cache, Identity, TokenError, Verifier, cache};

/// How long a request may wait for a first body piece on a proxy that has not shown yet that it gives any.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// How long a request may wait for a round of fetching keys.
const ROUND_WAIT: Duration = Duration::from_secs(5);
/// How long a worker that was replaced waits for its collector.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// Why a token gives no identity.
pub enum Refusal {
    /// 401.
    Unauthenticated(TokenError),
    /// Keys are on their way: wait for those of this issuer, then ask again.
    Pending(usize),
    /// 503.
    Unavailable(FetchError),
}

struct Wait {
    context: u32,
    /// The issuer whose keys are awaited; `None`: a body.
    issuer: Option<usize>,
    deadline: u64,
}

/// One worker of one configuration.
pub struct Worker {
    /// The compiled set.
    pub guard: std::rc::Rc<Guard>,
    verifier: Verifier,
    keys: RefCell<Keys>,
    cache: RefCell<Cache>,
    recorder: RefCell<Recorder>,
    collector: Option<Collector>,
    waits: RefCell<Vec<Wait>>,
    bodies_come: Cell<bool>,
    pub(super) later: RefCell<Later>,
    leaving_since: Cell<Option<u64>>,
    queued: Cell<i64>,
    collector_down: Cell<bool>,
}

struct Collector {
    cluster: String,
    authority: String,
    path: String,
    timeout: Duration,
    headers: Vec<(String, String)>,
    /// The batch under way.
    flight: Cell<Option<(CallId, audit::Ticket)>>,
}

impl Worker {
    /// Starts on a plugin configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, as `portcullis check` would print it.
    pub fn start(host: &dyn Host, configuration: &[u8]) -> Result<Self, Vec<Problem>> {
        let (bundle, warnings) = Bundle::parse(configuration)?;
        for warning in warnings {
            host.log(Level::Warn, &warning.to_string());
        }
        Self::of(host, &bundle)
    }

    /// Starts on a bundle that has been read.
    ///
    /// # Errors
    /// What shows only when it is compiled for this proxy.
    pub fn of(host: &dyn Host, bundle: &Bundle) -> Result<Self, Vec<Problem>> {
        let env = |name: &str| host.env(name);
        let guard = Guard::compile(bundle, Some(&env))?;
        let keys = Keys::new(&bundle.set.issuers, host, &env)?;
        let mut problems = Vec::new();
        let collector = bundle.set.audit.as_ref().and_then(|audit| collector(audit, &env, &mut problems));
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut seed = [0; 32];
        let mut chain = [0; 16];
        if !host.random(&mut seed) || !host.random(&mut chain) {
            // Chains and exchanges are named by chance: two of one name would spoil the record of both.
            return Err(vec![Problem::error(&Place::default(), "the proxy gives no random bytes")]);
        }
        host.log(
            Level::Info,
            &format!(
                "portcullis {} (source {}) guards {} connections by revision {} ({})",
                env!("CARGO_PKG_VERSION"),
                env!("PORTCULLIS_SOURCE_REVISION"),
                guard.lanes.len(),
                guard.revision,
                guard.digest
            ),
        );
        Ok(Self {
            guard: guard.into(),
            verifier: Verifier::new(bundle.set.issuers.iter().map(issuer).collect()),
            keys: RefCell::new(keys),
            cache: RefCell::new(Cache::new(seed, cache::DEFAULT_ENTRIES)),
            recorder: RefCell::new(recorder(chain, host)),
            collector,
            waits: RefCell::default(),
            bodies_come: Cell::new(false),
            later: RefCell::default(),
            leaving_since: Cell::new(None),
            queued: Cell::new(0),
            collector_down: Cell::new(false),
        })
    }

    /// Who calls, by this token. `again`: its keys were awaited once already, so nothing newer will come.
    pub(super) fn verify(
        &self,
        host: &dyn Host,
        token: &str,
        accepted: &[usize],
        again: bool,
    ) -> Result<std::sync::Arc<Identity>, Refusal> {
        let now = host.now();
        let keys = self.keys.borrow();
        if let Some(identity) =
            self.cache.borrow_mut().get(token, accepted, now, |issuer| keys.generation(issuer))
        {
            return Ok(identity);
        }
        let verdict =
            self.verifier.verify(token, accepted, now, |issuer| keys.state(issuer, now), &Proxy(host));
        let refusal = match verdict {
            Ok(identity) => {
                let generation = keys.generation(identity.issuer_index);
                let identity = std::sync::Arc::new(identity);
                self.cache.borrow_mut().put(token, std::sync::Arc::clone(&identity), generation);
                return Ok(identity);
            }
            Err(refusal) => refusal,
        };
        drop(keys);
        Err(match refusal {
            identity::Refusal::Unauthenticated(error) => Refusal::Unauthenticated(error),
            identity::Refusal::UnknownKey { issuer, error } => {
                if !again && self.keys.borrow_mut().refetch(issuer, now) {
                    Refusal::Pending(issuer)
                } else {
                    Refusal::Unauthenticated(error)
                }
            }
            identity::Refusal::KeysPending(issuer) => Refusal::Pending(issuer),
            identity::Refusal::KeysUnavailable { reason, .. } => Refusal::Unavailable(reason),
        })
    }

    /// An exchange waits for the keys of an issuer.
    pub(super) fn await_keys(&self, host: &dyn Host, context: u32, issuer: usize) {
        self.wait(host, context, Some(issuer), ROUND_WAIT);
    }

    /// An exchange waits for its body; it is woken if this proxy may be one that gives none.
    pub(super) fn await_body(&self, host: &dyn Host, context: u32) {
        if !self.bodies_come.get() {
            self.wait(host, context, None, BODY_WAIT);
        }
    }

    fn wait(&self, host: &dyn Host, context: u32, issuer: Option<usize>, long: Duration) {
        let long = u64::try_from(long.as_nanos()).unwrap_or(u64::MAX);
        let deadline = host.now().saturating_add(long);
        self.waits.borrow_mut().push(Wait { context, issuer, deadline });
    }

    /// A body came while headers were held: the proxy keeps its promise.
    pub(super) fn saw_body(&self) {
        self.bodies_come.set(true);
    }

    pub(super) fn bodies_come(&self) -> bool {
        self.bodies_come.get()
    }

    /// Looks after keys, records and waits; gives the exchanges to wake.
    pub fn tick(&self, host: &dyn Host) -> Vec<u32> {
        self.keys.borrow_mut().fetch(host);
        self.ask_later(host);
        self.send(host);
        let now = host.now();
        let keys = self.keys.borrow();
        self.wake(|wait| {
            let keys_settled = wait.issuer.is_some_and(|issuer| {
                matches!(keys.state(issuer, now), identity::provider::State::Unavailable { .. })
            });
            keys_settled || now >= wait.deadline
        })
    }

    /// Takes the reply to a call; gives the exchanges to wake.
    pub fn reply(&self, host: &dyn Host, call: CallId, reply: &Reply) -> Vec<u32> {
        let arrival = self.keys.borrow_mut().reply(host, call, reply);
        if let Some(arrival) = arrival {
            // A round that failed leaves those waiting who have no keys at all: the next round may come in time.
            let over = arrival.round_over && arrival.ready;
            return self.wake(|wait| over && wait.issuer == Some(arrival.issuer));
        }
        self.answered_later(host, call, reply);
        self.delivered(host, call, reply);
        Vec::new()
    }

    /// Takes a record for the collector.
    pub(super) fn record(&self, host: &dyn Host, record: &Record) {
        if self.collector.is_none() {
            return;
        }
        let recorded = self.recorder.borrow_mut().record(host.now(), record);
        if let Recorded::Lost(seq) = recorded {
            host.count(&metrics::records("dropped"), 1);
            host.log(Level::Debug, &format!("the queue of records is full: record {seq} is lost"));
        }
    }

    /// Sends the next batch, if its time has come. Only from the root.
    fn send(&self, host: &dyn Host) {
        let Some(collector) = &self.collector else { return };
        let Some(batch) = self.recorder.borrow_mut().next_batch(host.now()) else {
            self.show_queue(host);
            return;
        };
        let mut headers = vec![
            (":method".to_owned(), "POST".to_owned()),
            (":scheme".to_owned(), "http".to_owned()),
            (":authority".to_owned(), collector.authority.clone()),
            (":path".to_owned(), collector.path.clone()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(collector.headers.iter().cloned());
        let call = Call {
            cluster: collector.cluster.clone(),
            headers,
            body: batch.body,
            timeout: collector.timeout,
        };
        match host.call(&call) {
            Ok(id) => collector.flight.set(Some((id, batch.ticket))),
            Err(error) => {
                self.settle(host, batch.ticket, &Answer::Broken, &error.to_string());
            }
        }
        self.show_queue(host);
    }

    /// Takes the collector's answer to a batch.
    fn delivered(&self, host: &dyn Host, call: CallId, reply: &Reply) {
        let Some(collector) = &self.collector else { return };
        let Some((flight, ticket)) = collector.flight.get() else { return };
        if flight != call {
            return;
        }
        collector.flight.set(None);
        match reply {
            Reply::Broken => self.settle(host, ticket, &Answer::Broken, "its answer broke off"),
            Reply::Answer { status, headers, body } => {
                let retry_after = headers.iter().find(|(name, _)| name == b"retry-after");
                let retry_after = retry_after.map(|(_, value)| value.as_slice());
                let answer = Answer::Status { status: *status, retry_after, body };
                self.settle(host, ticket, &answer, &format!("it answered with status {status}"));
            }
        }
        self.show_queue(host);
    }

    fn settle(&self, host: &dyn Host, ticket: audit::Ticket, answer: &Answer<'_>, why: &str) {
        let mut recorder = self.recorder.borrow_mut();
        let before = recorder.stats();
        recorder.delivered(ticket, host.now(), answer);
        let after = recorder.stats();
        host.count(
            &metrics::records("delivered"),
            after.delivered_total.saturating_sub(before.delivered_total),
        );
        host.count(&metrics::records("dropped"), after.dropped_total.saturating_sub(before.dropped_total));
        let failed = after.failed_batches > before.failed_batches;
        if failed {
            host.count(&metrics::records("failed_batch"), 1);
        }
        // One line when it goes wrong, one when it is well again.
        if failed != self.collector_down.replace(failed) {
            let line = if failed {
                format!("the collector takes no records: {why}")
            } else {
                "the collector takes records again".to_owned()
            };
            host.log(if failed { Level::Warn } else { Level::Info }, &line);
        }
    }

    fn show_queue(&self, host: &dyn Host) {
        let queued = i64::try_from(self.recorder.borrow().stats().queued).unwrap_or(i64::MAX);
        let before = self.queued.replace(queued);
        host.shift(&metrics::queue(), queued.saturating_sub(before));
    }

    /// The configuration was replaced: sends what is left. True when there is nothing more to wait for.
    pub fn leave(&self, host: &dyn Host) -> bool {
        let now = host.now();
        let since = match self.leaving_since.get() {
            Some(since) => since,
            None => {
                self.leaving_since.set(Some(now));
                self.record_now(host);
                self.recorder.borrow_mut().close(now);
                self.send(host);
                now
            }
        };
        let waited = Duration::from_nanos(now.saturating_sub(since));
        let done = self.collector.is_none() || self.recorder.borrow().is_idle() || waited > LEAVE_WAIT;
        if done {
            host.shift(&metrics::queue(), self.queued.replace(0).saturating_neg());
        }
        done
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving_since.get().is_some()
    }

    fn wake(&self, ready: impl Fn(&Wait) -> bool) -> Vec<u32> {
        let mut woken = Vec::new();
        self.waits.borrow_mut().retain(|wait| {
            let ready = ready(wait);
            if ready {
                woken.push(wait.context);
            }
            !ready
        });
        woken
    }
}

/// The proxy's cryptography, as the verifier asks for it.
struct Proxy<'h>(&'h dyn Host);

impl Native for Proxy<'_> {
    fn verify(&self, digest: identity::Digest, spki: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        let digest = match digest {
            identity::Digest::Sha256 => crate::host::Digest::Sha256,
            identity::Digest::Sha384 => crate::host::Digest::Sha384,
            identity::Digest::Sha512 => crate::host::Digest::Sha512,
        };
        self.0.verify_signature(digest, spki, signature, text)
    }
}

fn issuer(issuer: &set::Issuer) -> identity::Issuer {
    identity::Issuer {
        issuer: issuer.issuer.value.clone(),
        audiences: issuer.audiences.clone(),
        groups_claim: issuer.groups_claim.clone(),
        leeway: issuer.leeway,
    }
}

fn collector(audit: &set::Audit, env: &Env<'_>, problems: &mut Vec<Problem>) -> Option<Collector> {
    let service = &audit.cluster;
    Some(Collector {
        headers: keys::headers(service, env, problems)?,
        cluster: service.cluster.value.clone(),
        authority: service.authority.clone().unwrap_or_else(|| service.cluster.value.clone()),
        path: service.path.clone().unwrap_or_else(|| "/v1/logs".to_owned()),
        timeout: service.timeout,
        flight: Cell::new(None),
    })
}

fn recorder(chain: [u8; 16], host: &dyn Host) -> Recorder {
    let node = host.property(&["xds", "node", "id"]).filter(|id| !id.is_empty());
    let resource = Resource {
        version: Text::from(env!("CARGO_PKG_VERSION")),
        instance: node.map(|id| Text::lossy(&id)),
        host: None,
    };
    Recorder::new(chain, &resource, Limits::default())
}
