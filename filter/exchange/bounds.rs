//! What a policy lets through of what models can do: operations, references to what the provider keeps, and bounds on
//! answers, put into the request on its way upstream.
//!
//! Rules have judged the request as it came; the record tells what it asked for, and what was bounded. In monitor, and
//! where the body went by without being held, nothing is changed and the record tells what would have been.

use super::Exchange;
use super::refusal::{Code, Refusal};
use crate::config::set::{self, Connection, Kind, Mode};
use crate::config::{Problem, near, one_of};
use crate::protocol::api::{APIS, Api, Family};
use crate::protocol::request::{self, Bounded, Bounds};

/// What a policy says of models.
#[derive(Debug, Default)]
pub struct Limits {
    /// The operations that are let through; `None`: all.
    operations: Option<Vec<String>>,
    /// Whether what the provider keeps may be referred to; `None`: as `uninspected` says.
    references: Option<bool>,
    /// What requests are bounded to.
    bounds: Bounds,
}

impl Limits {
    /// What a policy is written to say.
    pub fn compile(policy: &set::Policy, problems: &mut Vec<Problem>) -> Self {
        let llm = policy.llm.as_ref();
        let operations = llm.and_then(|llm| llm.operations.as_ref());
        for operation in operations.into_iter().flatten() {
            let known = || known_operations();
            if !known().any(|name| name == operation.value) {
                let message = format!("no model's API has an operation `{}`", operation.value);
                let problem = Problem::error(&operation.place, message);
                problems.push(match near(&operation.value, known()) {
                    Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                    None => problem.help(format!("known are {}", one_of(known()))),
                });
            }
        }
        Self {
            operations: operations.map(|names| names.iter().map(|name| name.value.clone()).collect()),
            references: llm.map(|llm| llm.references),
            bounds: Bounds {
                max_output_tokens: policy.max_output_tokens,
                forget: llm.is_some_and(|llm| !llm.references),
            },
        }
    }

    /// Whether requests are changed, so that their bodies must be held.
    pub fn alters(&self) -> bool {
        !self.bounds.is_none()
    }
}

/// The operations of all models' APIs, in order of the alphabet.
fn known_operations() -> impl Iterator<Item = &'static str> {
    let models = APIS.iter().filter(|api| api.family == Family::Model);
    let names = models.flat_map(|api| api.operations.iter().map(|operation| operation.name));
    names.collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// A policy that speaks of models must lead to one.
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

    /// Whether the operation is one that the policy lets through.
    pub(super) fn judge_operation(&mut self, operation: &'static str) -> Result<(), Refusal> {
        let Some(allowed) = self.limits().and_then(|limits| limits.operations.as_ref()) else {
            return Ok(());
        };
        if allowed.iter().any(|name| name == operation) {
            return Ok(());
        }
        let message = match operation {
            "unknown" => "the policy lets known operations through alone, and this is none".to_owned(),
            name => format!("the policy does not let the operation `{name}` through"),
        };
        self.object(Refusal::new(Code::Forbidden, message).because("operation"))
    }

    /// What is asked about what the provider keeps, where the policy does not let it be.
    pub(super) fn judge_references(&mut self, found: bool, stored: bool) -> Result<(), Refusal> {
        match self.limits().and_then(|limits| limits.references) {
            Some(true) => Ok(()),
            // The request is made to ask for nothing that is kept.
            Some(false) if !found => Ok(()),
            Some(false) => {
                self.inquiry.uninspected.insert(Kind::Reference);
                self.object(Refusal::uninspected(Kind::Reference))
            }
            None if found || stored => self.uninspected(Kind::Reference),
            None => Ok(()),
        }
    }

    /// Whether the body is bounded on its way upstream.
    pub(super) fn bounds_request(&self) -> bool {
        self.limits().is_some_and(Limits::alters)
    }

    /// Puts the body that was read within the policy's bounds; `None`: it is, or must stay as it is.
    pub(super) fn bound(&mut self, body: &[u8], held: bool) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(limits) = self.limits().filter(|limits| limits.alters()) else { return Ok(None) };
        let Some(view) = self.inquiry.operation.and_then(|operation| operation.view) else { return Ok(None) };
        if self.inquiry.view.is_none() {
            return Ok(None);
        }
        let bounded = match request::bound(view, &self.inquiry.path_model, body, &limits.bounds) {
            Ok(Some(bounded)) => bounded,
            Ok(None) => return Ok(None),
            Err(error) => {
                let refusal = Refusal::uninspected(Kind::Schema);
                return self.object(Refusal { message: error.to_string(), ..refusal }).map(|()| None);
            }
        };
        let Bounded { body, changed } = bounded;
        self.inquiry.bounded = changed;
        Ok((held && self.mode() == Mode::Enforce).then_some(body))
    }
}
