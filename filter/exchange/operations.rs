//! The operations that a policy lets through: of models and of vector stores alike.

use super::Exchange;
use super::refusal::{Code, Refusal};
use crate::config::set::{self, Located};
use crate::config::{Problem, near, one_of};
use crate::protocol::api::{self, APIS, Family};

/// Their names; `None`: all may be done.
pub type Operations = Option<Vec<String>>;

/// What a policy is written to say. Those of models are looked up here, for no table of the format knows them.
pub(super) fn compile(policy: &set::Policy, problems: &mut Vec<Problem>) -> Operations {
    let of_models = policy.llm.as_ref().and_then(|llm| llm.operations.as_ref());
    let of_stores = policy.vector.as_ref().map(|vector| &vector.value.operations);
    of_models.into_iter().flatten().for_each(|name| check(name, problems));
    let written = of_models.or(of_stores.filter(|names| !names.is_empty()))?;
    Some(written.iter().map(|name| name.value.clone()).collect())
}

fn check(written: &Located<String>, problems: &mut Vec<Problem>) {
    let models = APIS.iter().filter(|api| api.family == Family::Model);
    let names = models.flat_map(|api| api.operations.iter().map(|operation| operation.name));
    let known: std::collections::BTreeSet<&str> = names.collect();
    if known.contains(written.value.as_str()) {
        return;
    }
    let message = format!("no model's API has an operation `{}`", written.value);
    let problem = Problem::error(&written.place, message);
    problems.push(match near(&written.value, known.iter().copied()) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")),
        None => problem.help(format!("known are {}", one_of(known))),
    });
}

impl Exchange {
    /// Whether what is done may be done at all. A tunnel is no known operation: nobody sees what is done in it.
    pub(super) fn judge_operation(&mut self) -> Result<(), Refusal> {
        let operation = self.inquiry.operation.unwrap_or(&api::UNKNOWN);
        let Some(allowed) = self.policy().and_then(|policy| policy.operations.as_ref()) else {
            return Ok(());
        };
        if allowed.iter().any(|name| name == operation.name) {
            return Ok(());
        }
        self.closed(operation.name)
    }

    /// Judges the other operation that parts of a request may be: where they are, and where nobody has read whether.
    pub(super) fn judge_also(&mut self) -> Result<(), Refusal> {
        let Some(also) = self.inquiry.operation.and_then(|operation| operation.also) else { return Ok(()) };
        let allowed = self.policy().and_then(|policy| policy.operations.as_ref());
        let closed = allowed.is_some_and(|allowed| !allowed.iter().any(|name| name == also));
        let asked = self.inquiry.asked.as_ref();
        let does = asked.is_none_or(|asked| asked.parts.iter().any(|part| part.operation == also));
        if closed && does { self.closed(also) } else { Ok(()) }
    }

    fn closed(&mut self, operation: &str) -> Result<(), Refusal> {
        let message = match operation == api::UNKNOWN.name {
            true => "the policy lets known operations through alone, and this is none".to_owned(),
            false => format!("the policy does not let the operation `{operation}` through"),
        };
        self.object(Refusal::new(Code::Forbidden, message).because("operation"))
    }
}
