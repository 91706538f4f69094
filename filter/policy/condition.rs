//! Conditions: CEL text, compiled once, evaluated for every request.
//!
//! Three steps when a set loads: `bounds` and `parse` make a tree that nothing can overflow on, `check` finds
//! every wrong name, type, function and pattern, `rewrite` makes what is left quick and counts its cost. Then
//! [`Condition::evaluate`] only reads facts. Text from outside appears in no error: neither in a
//! [`ConditionError`], which quotes the policy alone, nor in an [`EvalError`].

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::common::types::CelBool;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value};
use thiserror::Error;

use super::variables::{Facts, Phase, Variable};
use check::Names;
use rewrite::{Parts, Use};
use types::Type;

mod bounds;
mod check;
mod functions;
mod loops;
mod meter;
mod operators;
mod parse;
mod pattern;
#[cfg(test)]
pub(crate) mod reference;
mod rewrite;
mod types;
mod values;

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
    tree: IdedExpr,
    parts: Parts,
    reads: BTreeSet<Variable>,
    env: Arc<Env>,
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
        let mut tree = parse::parse(source)?;
        let checked = check::check(source, &tree, names, wanted)?;
        let parts = rewrite::rewrite(&mut tree, checked.patterns);
        let env = functions::environment().ok_or_else(|| {
            ConditionError::new(0, source.len(), "the table of functions is at odds with itself")
        })?;
        let inner = Inner { source: source.to_owned(), tree, parts, reads: checked.reads, env };
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
        self.resolve(facts, |value| match value {
            Value::Bool(holds) => Ok(holds),
            _ => Err(EvalError::Type),
        })
    }

    fn resolve<T>(&self, facts: &dyn Facts, take: fn(Value) -> Result<T, EvalError>) -> Result<T, EvalError> {
        let inner = &*self.inner;
        let slots = inner.parts.slots.iter().map(|(variable, role)| {
            let fact = facts.fact(*variable);
            match role {
                Use::Whole => values::whole(fact),
                Use::Members => values::members(fact),
            }
        });
        let resolver = Resolver { slots: slots.collect(), parts: &inner.parts, yes: true.into() };
        let mut context = Context::with_env(Arc::clone(&inner.env));
        context.set_variable_resolver(&resolver);
        meter::begin();
        let outcome = match Value::resolve(&inner.tree, &context) {
            Ok(value) => take(value),
            // A value that `cel` cannot hand out is none of its own, and so neither bool nor text.
            Err(ExecutionError::UnsupportedTargetType { .. }) => Err(EvalError::Type),
            Err(error) => Err(inner.explain(&error)),
        };
        // An error within `||` can be outvoted; running out of budget cannot.
        if meter::is_spent() { Err(EvalError::Cost) } else { outcome }
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

    /// The condition's names and bounds.
    pub fn condition(&self) -> &Condition {
        &self.0
    }

    /// Its value for one request.
    ///
    /// # Errors
    /// [`EvalError`], as of a condition; also where the text is empty.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<String, EvalError> {
        self.0.resolve(facts, |value| match value {
            Value::String(text) if text.is_empty() => Err(EvalError::Other("a text is empty")),
            Value::String(text) => Ok(text.as_ref().clone()),
            _ => Err(EvalError::Type),
        })
    }
}

impl Inner {
    fn explain(&self, error: &ExecutionError) -> EvalError {
        match error {
            ExecutionError::NoSuchKey(key) if self.source.contains(key.as_str()) => {
                EvalError::Missing(format!("`{key}`"))
            }
            ExecutionError::NoSuchKey(_) => EvalError::Missing("an entry".to_owned()),
            ExecutionError::IndexOutOfBounds(_) => EvalError::Missing("an element of a list".to_owned()),
            ExecutionError::UndeclaredReference(name) => EvalError::Missing(match self.variable(name) {
                Some(variable) => format!("`{}`", variable.name()),
                None => "a value".to_owned(),
            }),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                EvalError::Other("division by zero")
            }
            ExecutionError::Overflow(..) => EvalError::Other("a number is too large"),
            ExecutionError::FunctionError { message, .. } => {
                functions::failure(message).map_or(EvalError::Type, EvalError::Other)
            }
            _ => EvalError::Type,
        }
    }

    fn variable(&self, name: &str) -> Option<Variable> {
        let index: usize = name.strip_prefix("@v")?.parse().ok()?;
        self.parts.slots.get(index).map(|(variable, _)| *variable)
    }
}

/// Answers the names that `rewrite` left in a tree.
struct Resolver<'f> {
    slots: Vec<Option<Box<dyn Val + 'f>>>,
    parts: &'f Parts,
    yes: CelBool,
}

impl VariableResolver for Resolver<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let (kind, index) = name.strip_prefix('@')?.split_at_checked(1)?;
        match kind {
            "v" => self.slots.get(index.parse::<usize>().ok()?)?.as_deref().map(CowVal::Borrowed),
            "p" => self.parts.patterns.get(index.parse::<usize>().ok()?).map(|value| CowVal::Borrowed(value)),
            "k" => {
                let value = self.parts.constants.get(index.parse::<usize>().ok()?)?;
                Some(CowVal::Borrowed(value.as_ref()))
            }
            "t" => meter::turn().then_some(CowVal::Borrowed(&self.yes)),
            _ => None,
        }
    }
}
