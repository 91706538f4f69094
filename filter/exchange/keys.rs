//! The issuers' keys of one worker: whose turn it is to fetch, and the calls under way.

use super::guard::Env;
use super::metrics;
use super::service::{Asked, Service};
use crate::config::Problem;
use crate::config::set::{Issuer, JwksSource};
use crate::host::{CallId, Host, Level, Reply};
use crate::identity::provider::{Failure, FetchError, Outcome, Refetch, Source, State, Timing};
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
    pub fn new(issuers: &[Issuer], host: &dyn Host, env: &Env<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let keys = |issuer: &Issuer| slot(issuer, issuer.proof.keys()?, host, env, &mut problems);
        let slots = issuers.iter().map(keys).collect();
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

    /// Makes the calls whose time has come. Only from the root: replies go to whoever calls.
    pub fn fetch(&mut self, host: &dyn Host) {
        for slot in self.slots.iter_mut().flatten() {
            slot.fetch(host);
            if let Some(age) = slot.provider.age(host.now()) {
                host.gauge(&metrics::key_age(&slot.issuer), age.as_secs());
            }
        }
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
        if outcome == Outcome::Next {
            slot.fetch(host);
        }
        Some(Arrival { issuer, keys: matches!(outcome, Outcome::Keys { .. }) })
    }
}

impl Slot {
    fn fetch(&mut self, host: &dyn Host) {
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
            }
        }
    }

    fn note(&mut self, host: &dyn Host, outcome: &Outcome) {
        match outcome {
            Outcome::Keys { changed } => {
                host.count(&metrics::key_fetch(&self.issuer, "ok"), 1);
                if *changed || self.logged.is_some() {
                    host.log(Level::Info, &format!("issuer {}: keys are in place", self.issuer));
                }
                self.logged = None;
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
            Some(Slot { issuer, provider, service, flight: None, logged: None })
        }
        Err(error) => {
            problems.push(Problem::error(&issuer.issuer.place, error.to_string()));
            None
        }
    }
}
