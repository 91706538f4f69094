//! Credentials: what the upstream sees in the place of the caller's token.
//!
//! A connection may have several, each in a header or in a parameter of the query. For each of these places the first whose
//! `when` holds goes upstream; a place for which none holds refuses the request, for without it the upstream would.

use std::rc::Rc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::environment::{Env, fill};
use super::guard::condition_problem;
use super::lane::Lane;
use super::refusal::{Code, Refusal};
use super::{Exchange, metrics};
use crate::config::Problem;
use crate::config::set::{self, Seat, Template, TemplatePart};
use crate::host::{Host, Side};
use crate::identity::bearer::{is_like, is_stripped};
use crate::identity::query::is_named;
use crate::policy::{Condition, Phase, Variable};
use crate::secret::Held;

/// What need not be encoded in a query (RFC 3986, 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A credential. It has no `Debug`, so that it reaches no log.
#[derive(Clone)]
pub struct Credential {
    seat: Seat,
    when: Option<Rc<Condition>>,
    parts: Rc<[Part]>,
    /// As it goes upstream; `None`: a service has not said yet what it is.
    value: Option<String>,
    /// Until when it may be used, in nanoseconds since 1970.
    until: u64,
}

/// A part of a credential's value.
enum Part {
    /// Fixed when the worker starts.
    Text(String),
    /// What a service keeps, by its place in the set.
    Secret(usize),
}

impl Credential {
    /// Whether a service keeps a part of it.
    pub(super) fn is_sourced(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Secret(_)))
    }

    /// The secrets in it, by their places in the set.
    pub(super) fn secrets(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(at) => Some(*at),
            Part::Text(_) => None,
        })
    }

    /// The same with what services keep at the moment; `literals` takes every form in which that could come back.
    pub(super) fn with_secrets<'h>(
        &self,
        held: &dyn Fn(usize) -> Option<&'h Held>,
        literals: &mut Vec<Vec<u8>>,
    ) -> Self {
        let (mut value, mut until) = (Some(String::new()), u64::MAX);
        for part in &*self.parts {
            let text = match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Secret(at) => held(*at).map(|held| {
                    until = until.min(held.until);
                    literals.push(held.value.clone().into_bytes());
                    held.value.as_str()
                }),
            };
            value = value.zip(text).map(|(value, text)| value + text);
        }
        if matches!(self.seat, Seat::Query(_)) {
            value = value.map(|value| {
                let encoded = utf8_percent_encode(&value, &RESERVED).to_string();
                if encoded != value {
                    literals.push(encoded.clone().into_bytes());
                }
                encoded
            });
        }
        Self { value, until, ..self.clone() }
    }
}

/// Compiles a connection's credentials; `secrets` takes every form in which their values could come back. `env` is `None` away
/// from any proxy: then there are none.
#[inline(never)]
pub(super) fn compile(
    written: &[set::Credential],
    named: &[set::Secret],
    env: Option<&Env<'_>>,
    secrets: &mut Vec<Vec<u8>>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Credential>> {
    let mut all = Vec::new();
    for credential in written {
        let when = match &credential.when {
            None => None,
            Some(when) => {
                let compiled = Condition::compile(&when.value, Phase::Head);
                Some(Rc::new(condition_problem(when, compiled, problems)?))
            }
        };
        let Some(env) = env else { continue };
        let parts = parts(&credential.value, named, env, secrets, problems)?;
        let unset = Credential { seat: credential.seat.clone(), when, parts, value: None, until: 0 };
        all.push(unset.with_secrets(&|_| None, secrets));
    }
    Some(all)
}

fn parts(
    value: &Template,
    named: &[set::Secret],
    env: &Env<'_>,
    secrets: &mut Vec<Vec<u8>>,
    problems: &mut Vec<Problem>,
) -> Option<Rc<[Part]>> {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Secret(name) => {
            named.iter().position(|secret| secret.name.value == *name).map(Part::Secret)
        }
        fixed => {
            let fixed = Template { parts: vec![fixed.clone()], place: value.place.clone() };
            fill(&fixed, env, secrets, problems).map(Part::Text)
        }
    };
    value.parts.iter().map(part).collect()
}

/// Whether the condition of one of them reads a variable.
pub(super) fn read(all: &[Credential], variable: Variable) -> bool {
    let reads = |condition: &Rc<Condition>| condition.reads().contains(&variable);
    all.iter().filter_map(|credential| credential.when.as_ref()).any(reads)
}

impl Exchange {
    /// Chooses those that go upstream.
    pub(super) fn choose_credentials(&mut self, host: &dyn Host) -> Result<(), Refusal> {
        let Some(lane) = self.lane.clone().filter(|_| self.inquiry.allowed) else { return Ok(()) };
        match self.chosen(&lane) {
            Ok(chosen) => {
                let usable = |at: &usize| {
                    let credential = lane.credentials.get(*at);
                    credential.is_some_and(|known| known.value.is_some() && host.now() < known.until)
                };
                if !chosen.iter().all(usable) {
                    host.count(&metrics::error("secret"), 1);
                    let message = "the connection's credential cannot be had at the moment";
                    return self.object(Refusal::new(Code::GuardUnavailable, message).because("secret"));
                }
                self.credentials = chosen;
                Ok(())
            }
            Err(refusal) => self.object(refusal),
        }
    }

    /// By their places in the lane.
    fn chosen(&self, lane: &Lane) -> Result<Vec<usize>, Refusal> {
        let facts = self.facts();
        let mut seats: Vec<(&Seat, Option<usize>)> = Vec::new();
        for (at, credential) in lane.credentials.iter().enumerate() {
            let known = seats.iter().position(|(seat, _)| **seat == credential.seat);
            if known.and_then(|known| seats.get(known)).is_some_and(|(_, chosen)| chosen.is_some()) {
                continue;
            }
            let holds = match &credential.when {
                None => true,
                Some(when) => when.evaluate(&facts).map_err(|error| {
                    let message = format!("which credential is the caller's could not be decided: {error}");
                    Refusal::new(Code::PolicyError, message).because("credential")
                })?,
            };
            let chosen = holds.then_some(at);
            match known.and_then(|known| seats.get_mut(known)) {
                Some(seat) => seat.1 = chosen,
                None => seats.push((&credential.seat, chosen)),
            }
        }
        let missing = || {
            let message = "the connection has no credential for this caller";
            Refusal::new(Code::Forbidden, message).because("credential")
        };
        seats.into_iter().map(|(_, chosen)| chosen.ok_or_else(missing)).collect()
    }

    /// Puts them into the request, and takes out what the caller sent in their places, or in what an upstream could take
    /// for them. `path` is the request's, stripped of what else must not go upstream, where that changed it.
    /// Whatever must not go upstream on any connection has been taken away before.
    pub(super) fn inject(&mut self, host: &dyn Host, lane: &Lane, path: Option<String>) {
        let whole = path.clone().unwrap_or_else(|| self.inquiry.head.path.clone());
        let mut made = whole.clone();
        for credential in &lane.credentials {
            match &credential.seat {
                Seat::Header(name) => {
                    let headers = self.inquiry.head.headers.iter();
                    let alike = headers.filter(|(known, _)| is_like(known, name.as_bytes()));
                    // Those that go upstream on no connection are gone already.
                    for (known, _) in alike.filter(|(known, _)| !is_stripped(known, &lane.token_headers)) {
                        if let Ok(known) = std::str::from_utf8(known) {
                            host.remove_header(Side::Request, known);
                        }
                    }
                }
                Seat::Query(name) => made = without(&made, name),
            }
        }
        for credential in self.credentials.iter().filter_map(|at| lane.credentials.get(*at)) {
            let Some(value) = &credential.value else { continue };
            match &credential.seat {
                Seat::Header(name) => host.set_header(Side::Request, name, value.as_bytes()),
                Seat::Query(name) => {
                    let mark = if made.contains('?') { '&' } else { '?' };
                    made.push(mark);
                    made.push_str(name);
                    made.push('=');
                    made.push_str(value);
                }
            }
            self.credentialed = true;
        }
        if path.is_some() || made != whole {
            host.set_header(Side::Request, ":path", made.as_bytes());
        }
    }

    /// The same of trailers, in which no credential belongs.
    pub(super) fn strip_credential_trailers(&self, host: &dyn Host, lane: &Lane) {
        for (known, _) in host.trailers(Side::Request) {
            let like = |credential: &Credential| match &credential.seat {
                Seat::Header(name) => is_like(&known, name.as_bytes()),
                Seat::Query(_) => false,
            };
            if lane.credentials.iter().any(like)
                && let Ok(known) = std::str::from_utf8(&known)
            {
                host.remove_trailer(Side::Request, known);
            }
        }
    }
}

/// A path and query without the parameters of a name, however they are written: see [`is_named`].
fn without(path_and_query: &str, name: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query.to_owned() };
    let parameters = query.split_inclusive(['&', ';']);
    let kept: String = parameters.filter(|parameter| !is_named(parameter, name)).collect();
    let kept = kept.trim_end_matches(['&', ';']);
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_own_parameter_is_taken_out_however_it_is_written() {
        for path in ["/p?sig=x", "/p?SIG=x", "/p?%73ig=x", "/p?sig", "/p? sig=x;sig=y", "/p?sig=x&"] {
            assert_eq!(without(path, "sig"), "/p", "{path}");
        }
        for path in [
            "/p?+sig=1",
            "/p?sig+=1",
            "/p?$sig=1",
            "/p?%24sig=1",
            "/p?sig[]=1",
            "/p?sig%5B0%5D=1",
            "/p?sig%00=1",
        ] {
            assert_eq!(without(path, "sig"), "/p", "{path}");
            assert_eq!(without(path, "$sig"), "/p", "{path}");
        }
        assert_eq!(without("/p?a=1&sig=x&b=2", "sig"), "/p?a=1&b=2");
        assert_eq!(without("/p?signature=x", "sig"), "/p?signature=x");
        assert_eq!(without("/p?api_key=x", "api-key"), "/p");
        assert_eq!(without("/p", "sig"), "/p");
    }

    #[test]
    fn a_header_that_an_upstream_takes_for_ours_is_like_it() {
        assert!(is_like(b"X_Org-Key", b"x-org-key") && is_like(b"x-org-key", b"x-org-key"));
        assert!(!is_like(b"x-org-key2", b"x-org-key") && !is_like(b"xorgkey", b"x-org-key"));
    }
}
