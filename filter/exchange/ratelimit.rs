//! The worker's side of a rate limit service: questions on their way to it, and what is still owed to it.
//!
//! A question is a gRPC call, made as the HTTP call that it is: the proxy's own gRPC call ends the module where a cluster
//! is not there. What exchanges used beyond what they set aside, and what they give back, is put together by limit and sent
//! on the worker's turns: nobody waits for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::environment::Env;
use super::health::Health;
use super::metrics;
use super::service::{Asked, Service};
use super::worker::Worker;
use crate::config::Problem;
use crate::config::set::{self, OnFailure};
use crate::host::{CallError, CallId, Host, Reply};
use crate::policy::budget::Rate;
use crate::policy::budget::service::{self, Hits, Said, SaidError};

/// Most limits to which something is owed at once; what is owed to more is lost, and counted.
const OWED: usize = 4096;
/// Most calls that a turn makes.
const CALLS: usize = 64;

/// A limit of the service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Limit {
    pub policy: String,
    pub budget: String,
    /// `None`: everyone's.
    pub key: Option<String>,
}

/// Hits that nobody waits for.
#[derive(Debug, Clone, Copy)]
struct Owed {
    rate: Rate,
    hits: u64,
    /// When the window ends in which they were taken, in nanoseconds since 1970: after it there is nothing to give back.
    until: u64,
}

/// Why a service did not say whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    /// The call could not be made.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The call broke off.
    #[error("its answer broke off")]
    Broken,
    /// Another status than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// gRPC's status; `None`: it gave none.
    #[error("it answered with gRPC status {}", .0.map_or_else(|| "none".to_owned(), |status| status.to_string()))]
    Grpc(Option<u32>),
    /// An answer that says nothing.
    #[error(transparent)]
    Said(#[from] SaidError),
}

/// The rate limit service of a worker.
pub(super) struct RateLimits {
    service: Service,
    /// `grpc-timeout`.
    within: String,
    domain: String,
    /// Whether hits may be taken back.
    pub refunds: bool,
    /// What happens where it does not answer.
    pub on_failure: OnFailure,
    owed: RefCell<BTreeMap<(Limit, bool), Owed>>,
    /// Calls that nobody waits for.
    flights: RefCell<BTreeSet<CallId>>,
    health: Health,
}

impl RateLimits {
    pub(super) fn of(
        written: &set::RateLimitService,
        env: &Env<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        Some(Self {
            service: Service::compile(&written.cluster, Some(env), problems)?,
            within: format!("{}m", written.cluster.timeout.as_millis()),
            domain: written.domain.clone(),
            refunds: written.refunds,
            on_failure: written.on_failure,
            owed: RefCell::default(),
            flights: RefCell::default(),
            health: Health::new(
                "the rate limit service does not say",
                "the rate limit service answers again",
            ),
        })
    }

    fn call(
        &self,
        host: &dyn Host,
        limit: &Limit,
        rate: Rate,
        hits: u64,
        back: bool,
    ) -> Result<CallId, CallError> {
        // The key comes last: whatever stands in it, no service takes it for another budget's.
        let mut entries = vec![("policy", limit.policy.as_str()), ("budget", limit.budget.as_str())];
        entries.extend(limit.key.as_ref().map(|key| ("key", key.as_str())));
        let body = service::ask(&Hits { domain: &self.domain, entries: &entries, rate, hits, back });
        let asked = Asked {
            path: service::PATH,
            headers: &[
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("grpc-timeout", &self.within),
            ],
            ..Asked::POST
        };
        host.call(&self.service.call(&asked, body))
    }

    /// Asks whether so many hits may be.
    pub(super) fn ask(
        &self,
        host: &dyn Host,
        limit: &Limit,
        rate: Rate,
        hits: u64,
    ) -> Result<CallId, CallError> {
        self.call(host, limit, rate, hits, false)
    }

    /// Owes the service hits, or has it take some back, at the worker's next turn.
    pub(super) fn owe(&self, host: &dyn Host, limit: Limit, rate: Rate, hits: u64, back: Option<u64>) {
        if hits == 0 || back.is_some() && !self.refunds {
            return;
        }
        let until = back.unwrap_or(u64::MAX);
        let mut owed = self.owed.borrow_mut();
        let (full, key) = (owed.len() >= OWED, (limit, back.is_some()));
        match owed.get_mut(&key) {
            // What was taken in an earlier window must not be given back in a later one.
            Some(known) => {
                known.hits = known.hits.saturating_add(hits);
                known.until = known.until.min(until);
            }
            None if full => host.count(&metrics::error("budget_lost"), 1),
            None => drop(owed.insert(key, Owed { rate, hits, until })),
        }
    }

    /// Sends what is owed.
    fn send(&self, host: &dyn Host) {
        for _ in 0..CALLS {
            let Some(((limit, back), owed)) = self.owed.borrow_mut().pop_first() else { return };
            if back && host.now() >= owed.until {
                continue;
            }
            match self.call(host, &limit, owed.rate, owed.hits, back) {
                Ok(call) => drop(self.flights.borrow_mut().insert(call)),
                Err(_) => host.count(&metrics::error("budget_lost"), 1),
            }
        }
    }

    /// Takes the reply to a call that nobody waits for, if it is one.
    fn sent(&self, host: &dyn Host, call: CallId, reply: &Reply) {
        if self.flights.borrow_mut().remove(&call) && said(reply).is_err() {
            host.count(&metrics::error("budget_lost"), 1);
        }
    }

    /// What it said to a call that an exchange made; one line in the log when that goes wrong, one when it is well again.
    pub(super) fn said(&self, host: &dyn Host, reply: &Reply) -> Result<Said, Silence> {
        let said = said(reply);
        self.note(host, said.as_ref().err().copied());
        said
    }

    /// Notes whether it answers.
    pub(super) fn note(&self, host: &dyn Host, silence: Option<Silence>) {
        if silence.is_some() {
            host.count(&metrics::error("rate_limit_service"), 1);
        }
        self.health.note(host, silence.as_ref().map(|why| why as &dyn Display));
    }
}

/// Reads the reply to a call.
fn said(reply: &Reply) -> Result<Said, Silence> {
    let (headers, body) = match reply {
        Reply::Broken => return Err(Silence::Broken),
        Reply::Answer { status: 200, headers, body } => (headers, body),
        Reply::Answer { status, .. } => return Err(Silence::Status(*status)),
    };
    // In the trailers, or in the head of an answer that has nothing else.
    let status = headers.iter().rev().find(|(name, _)| name == b"grpc-status");
    let status = status.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    match status {
        Some(0) => Ok(service::said(body)?),
        other => Err(Silence::Grpc(other)),
    }
}

impl Worker {
    /// Sends what is owed to the rate limit service. Only from the root.
    pub(super) fn pay(&self, host: &dyn Host) {
        if let Some(service) = &self.rate_limits {
            service.send(host);
        }
    }

    /// Takes the reply to a call, if it is one of these.
    pub(super) fn paid(&self, host: &dyn Host, call: CallId, reply: &Reply) {
        if let Some(service) = &self.rate_limits {
            service.sent(host, call, reply);
        }
    }

    /// Whether the rate limit service has all that it is owed.
    pub(super) fn is_paid(&self) -> bool {
        self.rate_limits
            .as_ref()
            .is_none_or(|service| service.owed.borrow().is_empty() && service.flights.borrow().is_empty())
    }
}
