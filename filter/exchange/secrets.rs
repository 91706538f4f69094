//! The secrets that services keep, of one worker: the calls under way, and the connections that are given new values.

use std::rc::Rc;
use std::time::Duration;

use super::environment::{Env, fill};
use super::lane::Lane;
use super::metrics;
use super::service::{Asked, Service};
use crate::config::Problem;
use crate::config::set;
use crate::host::{CallId, Host, Level, Reply};
use crate::secret::{FetchError, Held, Outcome, Source, Timing};

/// How long past its own timeout a call may be without an answer until it counts as lost.
const GRACE: Duration = Duration::from_secs(1);

/// The secrets of a set, in its order.
pub(super) struct Secrets {
    slots: Vec<Slot>,
}

struct Slot {
    name: String,
    source: Source,
    service: Service,
    token: Option<String>,
    flight: Option<CallId>,
    /// The last fault that was logged: a service that is down is one line, not one each try.
    logged: Option<FetchError>,
}

impl Secrets {
    /// Prepares the sources.
    pub fn new(
        written: &[set::Secret],
        host: &dyn Host,
        env: &Env<'_>,
        problems: &mut Vec<Problem>,
    ) -> Secrets {
        let slots = written.iter().filter_map(|secret| slot(secret, host, env, problems));
        Self { slots: slots.collect() }
    }

    /// The value of one, by its place in the set.
    pub fn held(&self, at: usize) -> Option<&Held> {
        self.slots.get(at)?.source.held()
    }

    /// Makes the calls whose time has come. Only from the root: replies go to whoever calls.
    pub fn fetch(&mut self, host: &dyn Host) {
        for slot in &mut self.slots {
            slot.fetch(host);
        }
    }

    /// Takes a reply; gives whether it brought another value. `None`: it was not for us.
    pub fn reply(&mut self, host: &dyn Host, call: CallId, reply: &Reply) -> Option<bool> {
        let slot = self.slots.iter_mut().find(|slot| slot.flight == Some(call))?;
        slot.flight = None;
        let answer = match reply {
            Reply::Broken => Err(FetchError::Broken),
            Reply::Answer { status, body, .. } => Ok((*status, body.as_slice())),
        };
        let outcome = slot.source.received(host.now(), answer);
        slot.note(host, outcome);
        Some(matches!(outcome, Outcome::Held { .. }))
    }

    /// An upstream refused what came of them.
    pub fn doubt(&mut self, host: &dyn Host, all: impl Iterator<Item = usize>) {
        for at in all {
            if let Some(slot) = self.slots.get_mut(at) {
                slot.source.doubt(host.now());
            }
        }
    }

    /// The connections with the values of this moment; those without any stay the same.
    pub fn renew(&self, lanes: &mut [Rc<Lane>]) {
        for lane in lanes.iter_mut().filter(|lane| lane.is_sourced()) {
            *lane = Rc::new(lane.with_secrets(&|at| self.held(at)));
        }
    }
}

impl Slot {
    fn fetch(&mut self, host: &dyn Host) {
        if !self.source.is_due(host.now()) {
            return;
        }
        let mut headers = vec![("accept", "application/json"), ("x-vault-request", "true")];
        headers.extend(self.token.iter().map(|token| ("x-vault-token", token.as_str())));
        let path = self.service.path_or("/");
        let asked = Asked { method: "GET", path, headers: &headers, ..Asked::POST };
        match host.call(&self.service.call(&asked, Vec::new())) {
            Ok(id) => self.flight = Some(id),
            Err(_) => {
                let outcome = self.source.received(host.now(), Err(FetchError::Unreachable));
                self.note(host, outcome);
            }
        }
    }

    fn note(&mut self, host: &dyn Host, outcome: Outcome) {
        match outcome {
            Outcome::Held { changed } => {
                host.count(&metrics::secret_fetch(&self.name, "ok"), 1);
                if changed || self.logged.is_some() {
                    host.log(Level::Info, &format!("secret {}: a value is in place", self.name));
                }
                self.logged = None;
            }
            Outcome::Failed(error) => {
                host.count(&metrics::secret_fetch(&self.name, "failed"), 1);
                if self.logged != Some(error) {
                    host.log(Level::Warn, &format!("secret {}: no new value: {error}", self.name));
                }
                self.logged = Some(error);
            }
            Outcome::Ignored => {}
        }
    }
}

fn slot(written: &set::Secret, host: &dyn Host, env: &Env<'_>, problems: &mut Vec<Problem>) -> Option<Slot> {
    let service = Service::compile(&written.cluster, Some(env), problems)?;
    let token = match &written.token {
        Some(token) => Some(fill(token, env, &mut Vec::new(), problems)?),
        None => None,
    };
    let timing =
        Timing { refresh: written.refresh, keep: written.keep, lost: service.timeout.saturating_add(GRACE) };
    let mut seed = [0; 8];
    host.random(&mut seed);
    let source = Source::new(written.field.clone(), timing, host.now(), u64::from_le_bytes(seed));
    let name = written.name.value.clone();
    Some(Slot { name, source, service, token, flight: None, logged: None })
}
