//! One worker: the compiled set, the issuers' keys, verified tokens, records, and the exchanges that wait.
//!
//! A worker belongs to one configuration. While Envoy drains the streams of an old one, two workers live side by side
//! and share nothing.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::guard::Guard;
use super::keys::{self, Keys};
use super::metrics;
use super::refusal::Code;
use crate::audit::{self, Recorder};
use crate::config::problem::Problem;
use crate::config::set::{self, Bundle};
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
    leaving_since: Cell<Option<u64>>,
    queued: Cell<i64>,
}

struct Collector {
    cluster: String,
    authority: String,
    path: String,
    timeout: Duration,
    headers: Vec<(String, String)>,
    flights: RefCell<Vec<(CallId, audit::Ticket)>>,
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
        let env = |name: &str| host.env(name);
        let guard = Guard::compile(&bundle, Some(&env))?;
        let keys = Keys::new(&bundle.set.issuers, host, &env)?;
        let mut problems = Vec::new();
        let collector = bundle.set.audit.as_ref().and_then(|audit| collector(audit, &env, &mut problems));
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut seed = [0; 32];
        let mut chain = [0; 16];
        host.random(&mut seed);
        host.random(&mut chain);
        host.log(
            Level::Info,
            &format!(
                "portcullis {} guards {} connections by revision {} ({})",
                env!("CARGO_PKG_VERSION"),
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
            leaving_since: Cell::new(None),
            queued: Cell::new(0),
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
        let verdict = self.verifier.verify(token, accepted, now, |issuer| keys.state(issuer, now), &Proxy(host));
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
        self.delivered(host, call, reply);
        Vec::new()
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

fn collector(
    audit: &set::Audit,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<Collector> {
    let service = &audit.cluster;
    Some(Collector {
        headers: keys::headers(service, env, problems)?,
        cluster: service.cluster.value.clone(),
        authority: service.authority.clone().unwrap_or_else(|| service.cluster.value.clone()),
        path: service.path.clone().unwrap_or_else(|| "/v1/logs".to_owned()),
        timeout: service.timeout,
        flights: RefCell::default(),
    })
}
