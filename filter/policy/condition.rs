//! Conditions: CEL text, compiled once, evaluated for every request.
//!
//! Three steps when a set loads: `bounds` and `parse` make a syntax tree that nothing can overflow on, `check` finds
//! every wrong name, type, function and pattern, `resolve` makes a `program` of it in which nothing is left to be
//! looked up. Then [`Condition::evaluate`] only reads facts. Text from outside appears in no error: neither in a
//! [`ConditionError`], which quotes the policy alone, nor in an [`EvalError`].
//!
//! The syntax is read by the `cel` crate, whose interpreter the tests hold `evaluate` to. It is not used itself: it
//! boxes every value, copies lists to walk them, and counts no cost.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::variables::{Facts, Phase, Variable};
use check::Names;
use evaluate::Evaluation;
use program::Node;
use types::Type;
use value::Value;

mod arithmetic;
mod bounds;
mod check;
mod compare;
mod evaluate;
mod fault;
mod functions;
mod loops;
mod meter;
mod operators;
mod parse;
mod pattern;
mod program;
#[cfg(test)]
pub(crate) mod reference;
mod resolve;
mod types;
mod value;

#[cfg(test)]
mod tests;

pub use bounds::{MAX_DEPTH, MAX_LENGTH};
pub use meter::{MAX_TEXT, MAX_TURNS};
pub(crate) use pattern::compiled_all;

/// Why a condition cannot be used, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", .help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default())]
pub struct ConditionError {
    /// Where the fault begins, in bytes from the start of the text; at most its length.
    pub offset: usize,
    /// How long the faulty piece is, in bytes; 0: a place between two.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ConditionError {
    fn new(offset: usize, len: usize, message: impl Into<String>) -> ConditionError {
        ConditionError { offset, len, message: message.into(), help: None }
    }

    /// The same with its place at whole characters of the text, for the lexer counts bytes.
    fn within(self, source: &str) -> ConditionError {
        let offset = source.floor_char_boundary(self.offset);
        let end = source.ceil_char_boundary(self.offset.saturating_add(self.len).min(source.len()));
        ConditionError { offset, len: end.saturating_sub(offset), ..self }
    }

    fn help(self, help: impl Into<String>) -> ConditionError {
        ConditionError { help: Some(help.into()), ..self }
    }

    fn maybe_help(self, help: Option<String>) -> ConditionError {
        ConditionError { help, ..self }
    }
}

/// Why an evaluation gave no answer. Never holds a value of the request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvalError {
    /// A claim, header, list element or fact that is not there; named where the policy's text names it.
    #[error("{0} is not there")]
    Missing(String),
    /// More turns of loops, or more work on text, than one evaluation may take.
    #[error("it costs more than an evaluation may")]
    Cost,
    /// A value is of another type than the condition needs.
    #[error("a value is of the wrong type")]
    Type,
    /// Anything else, such as a division by zero.
    #[error("{0}")]
    Other(&'static str),
}

/// A condition, ready to be evaluated. Cheap to clone.
#[derive(Clone)]
pub struct Condition {
    inner: Arc<Inner>,
}

struct Inner {
    source: String,
    program: Node,
    reads: BTreeSet<Variable>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.inner.source).finish()
    }
}

impl Condition {
    /// Compiles CEL text. `level` is the last phase whose names it may read: [`Phase::Body`] for conditions that
    /// can wait for the body, as all can on a host that holds headers back.
    ///
    /// # Errors
    /// Whatever is wrong with the text, the first thing found.
    pub fn compile(source: &str, level: Phase) -> Result<Condition, ConditionError> {
        Self::prepare(source, Names::until(level), &Type::Bool).map_err(|error| error.within(source))
    }

    fn prepare(source: &str, names: Names, wanted: &Type) -> Result<Condition, ConditionError> {
        let tree = parse::parse(source)?;
        let checked = check::check(source, &tree, names, wanted)?;
        let program = resolve::resolve(&tree, checked.patterns)
            .ok_or_else(|| ConditionError::new(0, source.len(), "cannot be evaluated"))?;
        let inner = Inner { source: source.to_owned(), program, reads: checked.reads };
        Ok(Condition { inner: Arc::new(inner) })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The variables it reads.
    pub fn reads(&self) -> &BTreeSet<Variable> {
        &self.inner.reads
    }

    /// Whether it can be decided only with the body.
    pub fn reads_body(&self) -> bool {
        self.inner.reads.iter().any(|variable| variable.phase() == Phase::Body)
    }

    /// Decides it for one request. Cost is bounded by [`MAX_TURNS`] and [`MAX_TEXT`].
    ///
    /// # Errors
    /// [`EvalError`]; as in CEL, `false && error` is false and `true || error` is true.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<bool, EvalError> {
        self.value(facts, |value| match value {
            Value::Bool(holds) => Ok(holds),
            _ => Err(EvalError::Type),
        })
    }

    fn value<T>(
        &self,
        facts: &dyn Facts,
        take: fn(Value<'_>) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let value = Evaluation::new(facts).of(&self.inner.program);
        take(value.map_err(|fault| fault.explain(&self.inner.source))?)
    }
}

/// What stands in a `${…}`: CEL that gives text, compiled as conditions are.
#[derive(Debug, Clone)]
pub struct Expression(Condition);

impl Expression {
    /// Compiles CEL text that is known with the request's head.
    ///
    /// # Errors
    /// Whatever is wrong with the text, the first thing found.
    pub fn compile(source: &str) -> Result<Expression, ConditionError> {
        let compiled = Condition::prepare(source, Names::until(Phase::Head), &Type::Text);
        compiled.map(Expression).map_err(|error| error.within(source))
    }

    /// Compiles CEL text whose value a caller is told: it may read what the body asks for, and nothing of the prompt.
    ///
    /// # Errors
    /// As for [`Self::compile`].
    pub fn compile_told(source: &str) -> Result<Expression, ConditionError> {
        let compiled = Condition::prepare(source, Names::told(), &Type::Text);
        compiled.map(Expression).map_err(|error| error.within(source))
    }

    /// Compiles CEL text that says whose a budget is: it may read the same.
    ///
    /// # Errors
    /// As for [`Self::compile`].
    pub fn compile_key(source: &str) -> Result<Expression, ConditionError> {
        let compiled = Condition::prepare(source, Names::key(), &Type::Text);
        compiled.map(Expression).map_err(|error| error.within(source))
    }

    /// The condition's names and bounds.
    pub fn condition(&self) -> &Condition {
        &self.0
    }

    /// Its value for one request.
    ///
    /// # Errors
    /// [`EvalError`], as of a condition; also where the text is empty.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<String, EvalError> {
        self.0.value(facts, |value| match value {
            Value::Text(text) if text.is_empty() => Err(EvalError::Other("a text is empty")),
            Value::Text(text) => Ok((*text).to_owned()),
            _ => Err(EvalError::Type),
        })
    }
}
