//! The issuers' keys of one worker: whose turn it is to fetch, and the calls under way.
//!
//! The workers of a proxy fetch once for all: what one of them fetched, or failed to, the others find in what they share.

use std::time::Duration;

use super::environment::Env;
use super::metrics;
use super::service::{Asked, Service};
use crate::config::Problem;
use crate::config::set::{Issuer, JwksSource};
use crate::host::{CallId, Host, Level, Reply};
use crate::identity::provider::{Failure, FetchError, Outcome, Refetch, Source, State, Timing};
use crate::identity::round::{self, Owner, Round};
use crate::identity::{KeySet, Provider};

/// The keys of all issuers, in the order of the set; none for those whose tokens something else vouches for.
pub(super) struct Keys {
    slots: Vec<Option<Slot>>,
}

struct Slot {
    issuer: String,
    provider: Provider,
    service: Option<Service>,
    flight: Option<CallId>,
    /// Where workers find each other's keys.
    shared: String,
    /// The configuration to whose workers these are.
    owner: Owner,
    /// The last fault that was logged: a provider that is down is one line, not one each try.
    logged: Option<FetchError>,
}

/// What a reply did to the keys of an issuer.
pub(super) struct Arrival {
    /// Index of the issuer.
    pub issuer: usize,
    /// Whether it brought keys: those of this moment.
    pub keys: bool,
}

impl Keys {
    /// Prepares the issuers' sources.
    /// `owner` stands for the configuration: workers of another one may fetch otherwise.
    pub fn new(
        issuers: &[Issuer],
        owner: Owner,
        host: &dyn Host,
        env: &Env<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let keys = |issuer: &Issuer| slot(issuer, issuer.proof.keys()?, owner, host, env, &mut problems);
        let slots: Vec<Option<Slot>> = issuers.iter().map(keys).collect();
        slots.iter().flatten().for_each(|slot| slot.prepare(host));
        if problems.is_empty() { Ok(Self { slots }) } else { Err(problems) }
    }

    /// The state of an issuer's keys.
    pub fn state(&self, issuer: usize, now: u64) -> State<'_> {
        self.slot(issuer)
            .map_or(State::Unavailable { reason: FetchError::NotYet }, |slot| slot.provider.state(now))
    }

    /// Changes whenever an issuer's keys do.
    pub fn generation(&self, issuer: usize) -> u64 {
        self.slot(issuer).map_or(0, |slot| slot.provider.generation())
    }

    fn slot(&self, issuer: usize) -> Option<&Slot> {
        self.slots.get(issuer)?.as_ref()
    }

    /// Asks for a newer set.
    pub fn refetch(&mut self, issuer: usize, now: u64, since: u64) -> Refetch {
        let slot = self.slots.get_mut(issuer).and_then(Option::as_mut);
        slot.map_or(Refetch::Known, |slot| slot.provider.refetch(now, since))
    }

    /// Makes the calls whose time has come. Only from the root: replies go to whoever calls. Gives the issuers whose keys
    /// another worker had.
    pub fn fetch(&mut self, host: &dyn Host) -> Vec<usize> {
        let mut came = Vec::new();
        for (issuer, slot) in self.slots.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            if slot.fetch(host) {
                came.push(issuer);
            }
            if let Some(age) = slot.provider.age(host.now()) {
                host.gauge(&metrics::key_age(&slot.issuer), age.as_secs());
            }
        }
        came
    }

    /// Takes a reply; `None`: it was not for us.
    pub fn reply(&mut self, host: &dyn Host, call: CallId, reply: &Reply) -> Option<Arrival> {
        let slots = self.slots.iter_mut().enumerate();
        let mut slots = slots.filter_map(|(issuer, slot)| Some((issuer, slot.as_mut()?)));
        let (issuer, slot) = slots.find(|(_, slot)| slot.flight == Some(call))?;
        slot.flight = None;
        let answer = match reply {
            Reply::Broken => Err(Failure::Broken),
            Reply::Answer { status, body, .. } => Ok((*status, body.as_slice())),
        };
        let outcome = slot.provider.received(host.now(), answer);
        slot.note(host, &outcome);
        match outcome {
            Outcome::Next => slot.call(host),
            Outcome::Keys { .. } => slot.tell(host, reply),
            Outcome::Failed { .. } => slot.publish(host, slot.provider.round()),
            Outcome::Ignored => {}
        }
        Some(Arrival { issuer, keys: matches!(outcome, Outcome::Keys { .. }) })
    }
}

/// Whose turn it is.
enum Turn {
    Ours,
    Others,
    /// Nobody's: the keys are there.
    Over(Outcome),
}

impl Slot {
    /// Makes the place that workers share, before any of them uses it: see [`super::buckets::prepare`].
    fn prepare(&self, host: &dyn Host) {
        if self.service.is_some() && host.shared(&self.shared).is_none() {
            host.share(&self.shared, &[], None);
        }
    }

    /// Whether another worker had keys that are newer.
    fn fetch(&mut self, host: &dyn Host) -> bool {
        if self.service.is_some() && self.provider.is_due(host.now()) {
            match self.turn(host) {
                Turn::Ours => {}
                Turn::Others => return false,
                Turn::Over(outcome) => {
                    self.in_place(host, &outcome);
                    return true;
                }
            }
        }
        self.call(host);
        false
    }

    fn turn(&mut self, host: &dyn Host) -> Turn {
        let now = host.now();
        let Some((bytes, seen)) = host.shared(&self.shared) else { return Turn::Ours };
        let mut round = Round::read(&bytes, &self.owner);
        if let Some(outcome) = self.provider.adopt(now, &round) {
            return Turn::Over(outcome);
        }
        if now < round.lease {
            if round.failing_since > 0 {
                self.provider.fails_elsewhere(&round);
            }
            return Turn::Others;
        }
        // Two calls, a document and its keys, and a moment.
        let timeout = self.service.as_ref().map_or(Duration::ZERO, |service| service.timeout);
        let long = timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
        round.lease = now.saturating_add(u64::try_from(long.as_nanos()).unwrap_or(u64::MAX));
        match host.share(&self.shared, &round.write(&self.owner), Some(seen)) {
            true => Turn::Ours,
            false => Turn::Others,
        }
    }

    /// Keys came: the others need not ask.
    fn tell(&mut self, host: &dyn Host, reply: &Reply) {
        let Reply::Answer { headers, body, .. } = reply else { return };
        let max_age = round::max_age(headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
        self.provider.usable_for(host.now(), max_age);
        self.publish(host, Round { max_age, keys: body.clone(), ..self.provider.round() });
    }

    /// What others should know. A worker that failed leaves the keys that are there.
    fn publish(&self, host: &dyn Host, mut round: Round) {
        let Some((bytes, seen)) = host.shared(&self.shared) else { return };
        let before = Round::read(&bytes, &self.owner);
        if round.keys.is_empty() {
            let Round { lease, failing_since, failures, .. } = round;
            round = Round { lease, failing_since, failures, ..before };
        }
        // Whoever was faster has it from the same provider.
        host.share(&self.shared, &round.write(&self.owner), Some(seen));
    }

    fn call(&mut self, host: &dyn Host) {
        let Some(service) = &self.service else { return };
        let Some(fetch) = self.provider.wanted(host.now()) else { return };
        let asked = Asked {
            method: "GET",
            scheme: fetch.scheme,
            authority: Some(&fetch.authority),
            path: &fetch.path,
            headers: &[("accept", "application/json")],
        };
        match host.call(&service.call(&asked, Vec::new())) {
            Ok(id) => self.flight = Some(id),
            Err(_) => {
                let outcome = self.provider.received(host.now(), Err(Failure::Unreachable));
                self.note(host, &outcome);
                self.publish(host, self.provider.round());
            }
        }
    }

    fn in_place(&mut self, host: &dyn Host, outcome: &Outcome) {
        if *outcome == (Outcome::Keys { changed: true }) || self.logged.is_some() {
            host.log(Level::Info, &format!("issuer {}: keys are in place", self.issuer));
        }
        self.logged = None;
    }

    fn note(&mut self, host: &dyn Host, outcome: &Outcome) {
        match outcome {
            Outcome::Keys { .. } => {
                host.count(&metrics::key_fetch(&self.issuer, "ok"), 1);
                self.in_place(host, outcome);
            }
            Outcome::Failed { error, .. } => {
                host.count(&metrics::key_fetch(&self.issuer, "failed"), 1);
                if self.logged != Some(*error) {
                    host.log(Level::Warn, &format!("issuer {}: no keys: {error}", self.issuer));
                }
                self.logged = Some(*error);
            }
            Outcome::Ignored | Outcome::Next => {}
        }
    }
}

fn slot(
    issuer: &Issuer,
    jwks: &JwksSource,
    owner: Owner,
    host: &dyn Host,
    env: &Env<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Slot> {
    let mut timing = Timing::default();
    let (source, service) = match jwks {
        JwksSource::Discovery { cluster, refresh } => {
            timing.refresh = *refresh;
            let source =
                Source::Discovery { issuer: issuer.issuer.value.clone(), path: cluster.path.clone() };
            (source, Some(Service::compile(cluster, Some(env), problems)?))
        }
        JwksSource::Uri { cluster, uri, refresh } => {
            timing.refresh = *refresh;
            (Source::Uri { uri: uri.clone() }, Some(Service::compile(cluster, Some(env), problems)?))
        }
        JwksSource::Inline(text) => match KeySet::parse(text.value.as_bytes()) {
            Ok(keys) => (Source::Inline(keys), None),
            Err(error) => {
                problems.push(Problem::error(&text.place, error.to_string()));
                return None;
            }
        },
    };
    let mut seed = [0; 8];
    host.random(&mut seed);
    match Provider::new(source, timing, host.now(), u64::from_le_bytes(seed)) {
        Ok(provider) => {
            let issuer = issuer.name.value.clone();
            let shared = format!("portcullis.keys.{issuer}");
            Some(Slot { issuer, provider, service, flight: None, shared, owner, logged: None })
        }
        Err(error) => {
            problems.push(Problem::error(&issuer.issuer.place, error.to_string()));
            None
        }
    }
}
