//! What a policy lets through of what models can do: references to what the provider keeps, and bounds on answers, put
//! into the request on its way upstream.
//!
//! Rules have judged the request as it came; the record tells what it asked for, and what was bounded. In monitor, and
//! where the body went by without being held, nothing is changed and the record tells what would have been.

use super::Exchange;
use super::refusal::Refusal;
use crate::config::Problem;
use crate::config::set::{self, Connection, Kind, Mode};
use crate::protocol::api::{Api, Family};
use crate::protocol::request::{Bounded, Bounds, REPORTS, bound};

/// What a policy says of models.
#[derive(Debug, Default)]
pub struct Limits {
    /// Whether what the provider keeps may be referred to; `None`: as `uninspected` says.
    references: Option<bool>,
    /// What requests are bounded to.
    bounds: Bounds,
}

impl Limits {
    /// What a policy is written to say.
    pub fn compile(policy: &set::Policy) -> Self {
        let references = policy.llm.as_ref().map(|llm| llm.references);
        let bounds = Bounds {
            max_output_tokens: policy.max_output_tokens,
            forget: references == Some(false),
            report_usage: false,
        };
        Self { references, bounds }
    }

    /// Whether what the provider keeps, or is asked to keep, is written down as not looked into.
    fn notes_reference(&self, refers: bool, stored: bool) -> bool {
        // Where references are denied, nothing is stored: the request is made to ask for it no more.
        refers || (stored && self.references.is_none())
    }

    /// Whether a request may not pass for it.
    pub(super) fn refuses_reference(&self, others: &set::Uninspected, refers: bool, stored: bool) -> bool {
        match self.references {
            Some(allowed) => refers && !allowed,
            None => (refers || stored) && !others.allows(Kind::Reference),
        }
    }

    /// Most tokens of one answer.
    pub(super) fn max_output_tokens(&self) -> Option<u64> {
        self.bounds.max_output_tokens
    }

    /// Whether requests are changed, so that their bodies must be held.
    pub fn alters(&self) -> bool {
        !self.bounds.is_none()
    }
}

/// A policy that speaks of models must lead to one.
#[inline(never)]
pub fn check(connection: &Connection, api: Option<&Api>, policy: &set::Policy, problems: &mut Vec<Problem>) {
    if api.is_some_and(|api| api.family == Family::Model) {
        return;
    }
    let said =
        [(policy.llm.is_some(), "llm"), (policy.max_output_tokens.is_some(), "limits.max_output_tokens")];
    let place = connection.policy.as_ref().map_or(&connection.name.place, |name| &name.place);
    for (_, key) in said.into_iter().filter(|(is, _)| *is) {
        let message = format!(
            "the policy `{}` has `{key}`, and the connection `{}` leads to no language model",
            policy.name.value, connection.name.value
        );
        let help = "give the connection a policy of its own";
        problems.push(Problem::error(place, message).help(help));
    }
}

impl Exchange {
    fn limits(&self) -> Option<&Limits> {
        self.policy().map(|policy| &policy.limits)
    }

    /// What is asked about what the provider keeps, where the policy does not let it be.
    pub(super) fn judge_references(&mut self, refers: bool, stored: bool) -> Result<(), Refusal> {
        let Some(policy) = self.policy() else { return Ok(()) };
        let refuses = policy.limits.refuses_reference(&policy.uninspected, refers, stored);
        if policy.limits.notes_reference(refers, stored) {
            self.inquiry.uninspected.insert(Kind::Reference);
        }
        if refuses { self.object(Refusal::uninspected(Kind::Reference)) } else { Ok(()) }
    }

    /// Whether the body is bounded on its way upstream.
    pub(super) fn bounds_request(&self) -> bool {
        self.limits().is_some_and(Limits::alters) || self.needs_usage()
    }

    /// Whether a budget bounds the answer, and the policy's own limit does not.
    fn is_clamped(&self) -> bool {
        let most = self.limits().and_then(|limits| limits.bounds.max_output_tokens);
        self.spending.clamp.is_some_and(|clamp| most.is_none_or(|most| clamp < most))
    }

    /// The policy's bounds, and those of budgets for this request.
    fn bounds(&self) -> Bounds {
        let bounds = self.limits().map(|limits| limits.bounds).unwrap_or_default();
        let both = bounds.max_output_tokens.into_iter().chain(self.spending.clamp);
        Bounds { max_output_tokens: both.min(), report_usage: self.needs_usage(), ..bounds }
    }

    /// Puts the body that was read within the policy's bounds; `None`: it is, or must stay as it is.
    pub(super) fn bound(&mut self, body: &[u8], held: bool) -> Result<Option<Vec<u8>>, Refusal> {
        let bounds = self.bounds();
        if bounds.is_none() {
            return Ok(None);
        }
        let request = self.inquiry.operation.and_then(|operation| operation.view);
        let (Some(request), Some(view)) = (request, &self.inquiry.view) else { return Ok(None) };
        let bounded = match bound(request, view, body, &bounds) {
            Ok(Some(bounded)) => bounded,
            Ok(None) => return Ok(None),
            Err(error) => {
                let refusal = Refusal::uninspected(Kind::Schema);
                return self.object(Refusal { message: error.to_string(), ..refusal }).map(|()| None);
            }
        };
        let Bounded { body, mut changed } = bounded;
        if self.is_clamped() {
            changed.iter_mut().filter(|name| **name == "max_output_tokens").for_each(|name| *name = "budget");
        }
        let acts = held && self.mode() == Mode::Enforce;
        self.spending.hides_usage = acts && changed.contains(&REPORTS);
        self.inquiry.bounded = changed;
        Ok(acts.then_some(body))
    }
}
