//! Why an evaluation stops, before it is put into words: most faults are outvoted by the other side of an `||`.

use super::EvalError;
use super::value::Text;
use crate::policy::variables::Variable;

/// Why an expression has no value.
pub(super) enum Fault<'a> {
    /// No entry of a map has this key.
    Entry(Text<'a>),
    /// No element of a list has this place.
    Element,
    /// Nobody knows this fact.
    Fact(Variable),
    /// The allowance is used up.
    Cost,
    /// A value is of another type than is needed.
    Type,
    /// Anything else, in words that hold nothing of a request.
    Other(&'static str),
}

impl Fault<'_> {
    /// What is told of it. A key is named if the policy's own text names it: it may be the caller's.
    pub(super) fn explain(&self, source: &str) -> EvalError {
        match self {
            Fault::Entry(key) if source.contains(&**key) => EvalError::Missing(format!("`{}`", &**key)),
            Fault::Entry(_) => EvalError::Missing("an entry".to_owned()),
            Fault::Element => EvalError::Missing("an element of a list".to_owned()),
            Fault::Fact(variable) => EvalError::Missing(format!("`{}`", variable.name())),
            Fault::Cost => EvalError::Cost,
            Fault::Type => EvalError::Type,
            Fault::Other(words) => EvalError::Other(words),
        }
    }
}
