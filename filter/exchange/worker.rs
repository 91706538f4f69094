//! One worker: the compiled set, the issuers' keys, verified tokens, records, and the exchanges that wait.
//!
//! A worker belongs to one configuration. While Envoy drains the streams of an old one, two workers live side by side
//! and share nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::approvals::Approvals;
use super::buckets;
use super::collector::{self, Collector};
use super::credentials::Credential;
use super::guard::Guard;
use super::introspection::{Introspection, Said};
use super::keys::Keys;
use super::lane::Lane;
use super::later::Later;
use super::metrics;
use super::ratelimit::RateLimits;
use super::secrets::Secrets;
use super::succession;
use crate::audit::Recorder;
use crate::config::Problem;
use crate::config::set::{self, Bundle, Place};
use crate::host::{CallId, Host, Level, Reply};
use crate::identity::introspection::{AnswerError, Answered};
use crate::identity::patience::Patience;
use crate::identity::provider::{FetchError, Refetch};
use crate::identity::recent::Namer;
use crate::identity::signature::Native;
use crate::identity::token::MAX_TOKEN;
use crate::identity::{self, Cache, Identity, Proof, TokenError, Verifier, Vouched, cache, metadata};

/// How long a request may wait for a first body piece on a proxy that has not shown yet that it gives any.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// How long a request may wait for a round of fetching keys.
const ROUND_WAIT: Duration = Duration::from_secs(5);
/// Envoy's filter that verifies tokens, as it calls itself in metadata.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";
/// How long a worker that was replaced waits for its collector.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// Why a token gives no identity.
pub enum Refusal {
    /// 401.
    Unauthenticated(TokenError),
    /// Keys are on their way: wait for those of this issuer, then ask again.
    Pending(usize),
    /// Its issuer is asked about it: wait so long for the answer of this number, then ask again.
    Asked(u64, Duration),
    /// 503.
    Unavailable(FetchError),
    /// 503: its issuer said nothing of it.
    Unanswered(AnswerError),
    /// 503: too many came that do not hold, so new ones are not verified for a moment.
    Flooded,
}

struct Wait {
    what: Awaited,
    deadline: u64,
}

/// What an exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The keys of an issuer.
    Keys(usize),
    /// What an issuer says of the token of this number.
    Token(u64),
    /// The body, of a proxy that has not shown yet that it gives any.
    Body,
    /// That the collector has taken the record of this number.
    Record(u64),
    /// What the service says that asks humans.
    Approval,
}

/// One worker of one configuration.
pub struct Worker {
    /// The compiled set.
    pub guard: Rc<Guard>,
    /// The connections with what services keep for their credentials, as it is by now.
    lanes: RefCell<Vec<Rc<Lane>>>,
    secrets: RefCell<Secrets>,
    verifier: Verifier,
    keys: RefCell<Keys>,
    cache: RefCell<Cache>,
    patience: RefCell<Patience>,
    introspection: RefCell<Introspection>,
    pub(super) recorder: RefCell<Recorder>,
    pub(super) collector: Option<Collector>,
    pub(super) rate_limits: Option<RateLimits>,
    pub(super) approvals: Option<Approvals>,
    /// Calls that exchanges wait for, each with the exchange.
    asked: RefCell<BTreeMap<CallId, u32>>,
    /// By the proxy's name of the stream: each waits for one thing at a time.
    waits: RefCell<BTreeMap<u32, Wait>>,
    bodies_come: Cell<bool>,
    pub(super) later: RefCell<Later>,
    leaving_since: Cell<Option<u64>>,
    pub(super) queued: Cell<i64>,
    /// When the register of chains was told last.
    pub(super) said_where: Cell<u64>,
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
        let owner = Sha256::digest(&bundle.digest).into();
        let keys = Keys::new(&bundle.set.issuers, owner, host, &env)?;
        if bundle.set.policies.iter().any(|policy| !policy.budgets.is_empty()) {
            buckets::prepare(host);
        }
        if bundle.set.audit.is_some() {
            succession::prepare(host);
        }
        let mut problems = Vec::new();
        let collector = bundle.set.audit.as_ref().and_then(|audit| Collector::of(audit, &env, &mut problems));
        let rate_limits = bundle
            .set
            .rate_limit_service
            .as_ref()
            .and_then(|service| RateLimits::of(service, &env, &mut problems));
        let approvals =
            bundle.set.approvals.as_ref().and_then(|service| Approvals::of(service, &env, &mut problems));
        let signer = bundle.set.signing_key().and_then(|key| collector::signer(key, &env, &mut problems));
        let mut seed = [0; 16];
        let mut chain = [0; 16];
        let mut luck = [0; 8];
        if !host.random(&mut seed) || !host.random(&mut chain) || !host.random(&mut luck) {
            // Chains and exchanges are named by chance: two of one name would spoil the record of both.
            return Err(vec![Problem::error(&Place::default(), "the proxy gives no random bytes")]);
        }
        let secrets = Secrets::new(&bundle.set.secrets, host, &env, &mut problems);
        let introspection = Introspection::new(&bundle.set.issuers, Namer::new(seed), &env, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        host.log(
            Level::Info,
            &format!(
                "portcullis {} (source {}) guards {} {} by revision {} ({})",
                env!("CARGO_PKG_VERSION"),
                env!("PORTCULLIS_SOURCE_REVISION"),
                guard.lanes.len(),
                if guard.lanes.len() == 1 { "connection" } else { "connections" },
                guard.revision,
                guard.digest
            ),
        );
        Ok(Self {
            lanes: RefCell::new(guard.lanes.clone()),
            secrets: RefCell::new(secrets),
            guard: Rc::new(guard),
            verifier: Verifier::new(bundle.set.issuers.iter().map(issuer).collect()),
            keys: RefCell::new(keys),
            cache: RefCell::new(Cache::new(seed, cache::DEFAULT_ENTRIES)),
            patience: RefCell::new(Patience::new(u64::from_le_bytes(luck))),
            introspection: RefCell::new(introspection),
            recorder: RefCell::new(collector::recorder(chain, host, bundle.set.audit.as_ref(), signer)),
            collector,
            rate_limits,
            approvals,
            asked: RefCell::default(),
            waits: RefCell::default(),
            bodies_come: Cell::new(false),
            later: RefCell::default(),
            leaving_since: Cell::new(None),
            queued: Cell::new(0),
            said_where: Cell::new(0),
        })
    }

    /// Who calls, by this token, which came at `since` from the address that `source` gives. `again`: its keys were awaited
    /// long enough.
    pub(super) fn verify(
        &self,
        host: &dyn Host,
        (token, source): (&str, &dyn Fn() -> String),
        accepted: &[usize],
        since: u64,
        again: bool,
    ) -> Result<std::sync::Arc<Identity>, Refusal> {
        if let Some(issuer) = self.verifier.introspected(token, accepted) {
            return self.introspected(host, (token, source), issuer, again);
        }
        let now = host.now();
        let keys = self.keys.borrow();
        if let Some(identity) =
            self.cache.borrow_mut().get(token, accepted, now, |issuer| keys.generation(issuer))
        {
            return Ok(identity);
        }
        let source = source();
        if !self.patience.borrow_mut().has_any(&source, now) {
            return Err(Refusal::Flooded);
        }
        let began = host.clock();
        let verdict =
            self.verifier.verify(token, accepted, now, |issuer| keys.state(issuer, now), &Proxy(host));
        let took = host.clock().saturating_sub(began);
        let bad = match &verdict {
            Err(identity::Refusal::Unauthenticated(_)) => true,
            Err(identity::Refusal::UnknownKey { error, .. }) => *error == TokenError::Signature,
            _ => false,
        };
        if bad {
            self.patience.borrow_mut().tried(&source, took);
        }
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
                let refetch = self.keys.borrow_mut().refetch(issuer, now, since);
                // A key that may be on its way is no fault of the caller's: keys change.
                if !bad && !matches!(refetch, Refetch::UnderWay) {
                    self.patience.borrow_mut().tried(&source, took);
                }
                match refetch {
                    Refetch::UnderWay if again => Refusal::Unavailable(FetchError::NotYet),
                    Refetch::UnderWay => Refusal::Pending(issuer),
                    Refetch::Known => Refusal::Unauthenticated(error),
                    Refetch::Failing { reason } => Refusal::Unavailable(reason),
                }
            }
            identity::Refusal::KeysPending(issuer) => Refusal::Pending(issuer),
            identity::Refusal::KeysUnavailable { reason, .. } => Refusal::Unavailable(reason),
        })
    }

    /// Who calls, as the token's issuer says.
    fn introspected(
        &self,
        host: &dyn Host,
        (token, source): (&str, &dyn Fn() -> String),
        issuer: usize,
        again: bool,
    ) -> Result<std::sync::Arc<Identity>, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Unauthenticated(TokenError::TooLong));
        }
        let patience = &mut self.patience.borrow_mut();
        match self.introspection.borrow_mut().said(host, (issuer, token), again, source, patience) {
            Said::Caller(identity) => Ok(identity),
            Said::Asked(number, long) => Err(Refusal::Asked(number, long)),
            Said::Flooded => Err(Refusal::Flooded),
            Said::Not(Answered::Refused(error)) => Err(Refusal::Unauthenticated(error)),
            Said::Not(Answered::Unknown(error)) => Err(Refusal::Unanswered(error)),
        }
    }

    /// A connection, by its place in the set.
    pub(super) fn lane(&self, at: usize) -> Option<Rc<Lane>> {
        self.lanes.borrow().get(at).map(Rc::clone)
    }

    /// An upstream refused these credentials of a connection: those that services keep may be others by now.
    pub(super) fn doubt_secrets(&self, host: &dyn Host, lane: &Lane, sent: &[usize]) {
        let sent = sent.iter().filter_map(|at| lane.credentials.get(*at));
        self.secrets.borrow_mut().doubt(host, sent.flat_map(Credential::secrets));
    }

    /// The workload that the caller's certificate names.
    pub(super) fn certified(&self, principal: &str, accepted: &[usize]) -> Option<Identity> {
        self.verifier.certified(principal, accepted)
    }

    /// Whether no token counts with these issuers.
    pub(super) fn only_certificates(&self, accepted: &[usize]) -> bool {
        self.verifier.only_certificates(accepted)
    }

    /// Whom the proxy's own filter vouches for. Only in the request's head phase. `beside`: the token in the request.
    pub(super) fn vouched(
        &self,
        host: &dyn Host,
        beside: Option<&str>,
        accepted: &[usize],
    ) -> Result<Vouched, TokenError> {
        if !self.verifier.asks_proxy(accepted) {
            return Ok(Vouched::Nobody);
        }
        let left =
            host.property(&["metadata"]).and_then(|metadata| metadata::of_filter(&metadata, JWT_AUTHN));
        let left = left.unwrap_or_default();
        self.verifier.vouched(|name| left.get(name), beside, accepted, host.now())
    }

    /// An exchange waits for the keys of an issuer.
    pub(super) fn await_keys(&self, host: &dyn Host, context: u32, issuer: usize) {
        self.wait(host, context, Awaited::Keys(issuer), ROUND_WAIT);
    }

    /// An exchange waits for what an issuer says of its token.
    pub(super) fn await_answer(&self, host: &dyn Host, context: u32, number: u64, long: Duration) {
        self.wait(host, context, Awaited::Token(number), long);
    }

    /// An exchange waits for its body; it is woken if this proxy may be one that gives none.
    pub(super) fn await_body(&self, host: &dyn Host, context: u32) {
        if !self.bodies_come.get() {
            self.wait(host, context, Awaited::Body, BODY_WAIT);
        }
    }

    /// Whether a caller's token has not come to its end.
    pub(super) fn is_current(&self, identity: &Identity, now: u64) -> bool {
        self.verifier.is_current(identity, now)
    }

    /// Whether callers of an issuer bring a token that is read here, or asked about.
    pub(super) fn reads_tokens_of(&self, issuer: usize) -> bool {
        self.verifier.reads_tokens(issuer)
    }

    /// An exchange waits for what the service says that asks humans.
    pub(super) fn await_approval(&self, host: &dyn Host, context: u32, long: Duration) {
        self.wait(host, context, Awaited::Approval, long);
    }

    /// An exchange waits for the reply to this call.
    pub(super) fn asks(&self, call: CallId, context: u32) {
        self.asked.borrow_mut().insert(call, context);
    }

    /// The exchange that waits for the reply to a call, and is not told of it by the proxy itself.
    pub fn asker(&self, call: CallId) -> Option<u32> {
        self.asked.borrow().get(&call).copied()
    }

    /// Nobody waits any longer for this call.
    pub(super) fn forget_asked(&self, call: CallId) {
        self.asked.borrow_mut().remove(&call);
    }

    pub(super) fn wait(&self, host: &dyn Host, context: u32, what: Awaited, long: Duration) {
        let long = u64::try_from(long.as_nanos()).unwrap_or(u64::MAX);
        let deadline = host.now().saturating_add(long);
        self.waits.borrow_mut().insert(context, Wait { what, deadline });
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
        let came = self.keys.borrow_mut().fetch(host);
        self.secrets.borrow_mut().fetch(host);
        self.ask_later(host);
        self.pay(host);
        let mut woken = self.send(host);
        self.say_where(host);
        let now = host.now();
        let silent = self.introspection.borrow_mut().ask(host);
        let keys = self.keys.borrow();
        let settled = |what| match what {
            Awaited::Keys(issuer) => {
                let state = keys.state(issuer, now);
                came.contains(&issuer) || matches!(state, identity::provider::State::Unavailable { .. })
            }
            Awaited::Token(number) => silent.contains(&number),
            Awaited::Body | Awaited::Record(_) | Awaited::Approval => false,
        };
        woken.extend(self.woken(|what, deadline| settled(what) || now >= deadline));
        woken
    }

    /// Takes the reply to a call; gives the exchanges to wake.
    pub fn reply(&self, host: &dyn Host, call: CallId, reply: &Reply) -> Vec<u32> {
        let arrival = self.keys.borrow_mut().reply(host, call, reply);
        if let Some(arrival) = arrival {
            // A round that failed leaves all waiting: the next round may come in time.
            return self.woken(|what, _| arrival.keys && what == Awaited::Keys(arrival.issuer));
        }
        let secret = self.secrets.borrow_mut().reply(host, call, reply);
        if let Some(renewed) = secret {
            if renewed {
                self.secrets.borrow().renew(&mut self.lanes.borrow_mut());
            }
            return Vec::new();
        }
        let patience = &mut self.patience.borrow_mut();
        let said = self.introspection.borrow_mut().reply(host, (&self.verifier, patience), call, reply);
        if let Some(number) = said {
            return self.woken(|what, _| what == Awaited::Token(number));
        }
        self.answered_later(host, call, reply);
        self.paid(host, call, reply);
        self.delivered(host, call, reply)
    }

    /// The configuration was replaced: sends what is left. True when there is nothing more to wait for.
    pub fn leave(&self, host: &dyn Host) -> bool {
        let now = host.now();
        let since = match self.leaving_since.get() {
            Some(since) => since,
            None => {
                self.leaving_since.set(Some(now));
                self.record_now(host);
                self.pay(host);
                self.recorder.borrow_mut().close(now);
                // The next turn wakes them.
                for context in self.send(host) {
                    self.wait(host, context, Awaited::Record(u64::MAX), Duration::ZERO);
                }
                now
            }
        };
        let waited = Duration::from_nanos(now.saturating_sub(since));
        let recorded = self.collector.is_none() || self.recorder.borrow().is_idle();
        let done = recorded && self.is_paid() || waited > LEAVE_WAIT;
        if done {
            self.end_chain(host);
            host.shift(&metrics::queue(), self.queued.replace(0).saturating_neg());
        }
        done
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving_since.get().is_some()
    }

    /// The exchanges whose wait, for what and until when, is over.
    pub(super) fn woken(&self, ready: impl Fn(Awaited, u64) -> bool) -> Vec<u32> {
        let mut woken = Vec::new();
        self.waits.borrow_mut().retain(|context, wait| {
            let ready = ready(wait.what, wait.deadline);
            if ready {
                woken.push(*context);
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
        proof: match &issuer.proof {
            set::Proof::Keys(_) => Proof::Signature,
            set::Proof::Proxy(filter) => Proof::Proxy { payload: filter.payload.clone() },
            set::Proof::Introspection(_) => Proof::Introspection,
            set::Proof::Certificate => Proof::Certificate,
        },
    }
}
