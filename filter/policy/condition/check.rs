//! Everything that can be known to be wrong with a condition before a request comes: names, types, functions,
//! patterns.
//!
//! The walk gives each expression a [`Type`]; where only evaluation can tell (claims), that is [`Type::Dyn`], which
//! goes with everything.

use std::collections::BTreeSet;

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::ConditionError;
use super::functions::SPACES;
use super::loops::Turn;
use super::parse::Places;
use super::pattern::Pattern;
use super::types::Type;
use crate::policy::variables::{self, Phase, TABLE, Variable};

/// What the check found out, beside that nothing is wrong.
pub(super) struct Checked {
    pub(super) reads: BTreeSet<Variable>,
    /// The compiled patterns, by the node of their text.
    pub(super) patterns: Vec<(u64, Pattern)>,
}

/// The names that a text may read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// The last phase.
    level: Phase,
    /// What the text is for.
    purpose: Purpose,
}

/// What a text is for, where what a prompt says has no place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Anything.
    Any,
    /// A caller is told of it.
    Told,
    /// It says whose a budget is.
    Key,
}

impl Names {
    /// All that are known by then.
    pub(super) fn until(level: Phase) -> Self {
        Self { level, purpose: Purpose::Any }
    }

    /// Those of which a caller may be told.
    pub(super) fn told() -> Self {
        Self { level: Phase::Body, purpose: Purpose::Told }
    }

    /// Those that may say whose a budget is.
    pub(super) fn key() -> Self {
        Self { level: Phase::Body, purpose: Purpose::Key }
    }

    /// Where what a prompt says has no place, and what to write instead; `None`: it has.
    fn without_prompt(self) -> Option<(&'static str, &'static str)> {
        match self.purpose {
            Purpose::Any => None,
            Purpose::Told => {
                Some(("what a caller is told", "a message names the rule, never what was found in a text"))
            }
            Purpose::Key => Some(("a budget's key", "key by who calls, such as `identity.id`")),
        }
    }
}

/// Checks a tree that must give `wanted`.
pub(super) fn check(
    source: &str,
    tree: &IdedExpr,
    names: Names,
    wanted: &Type,
) -> Result<Checked, ConditionError> {
    let mut checker =
        Checker { source, names, scope: Vec::new(), reads: BTreeSet::new(), patterns: Vec::new() };
    let result = checker.of(tree)?;
    if result != *wanted && !result.is_dyn() {
        let (what, help) = match wanted {
            Type::Text if names.purpose == Purpose::Key => {
                ("a budget's key", "take one text of it, or `string(…)` of a number")
            }
            Type::Text => ("what stands in `${…}`", "take one text of it"),
            _ => ("a condition", "compare it with something"),
        };
        let message = format!("gives {result}, and {what} must give {wanted}");
        return Err(checker.fault(tree, message).help(help));
    }
    Ok(Checked { reads: checker.reads, patterns: checker.patterns })
}

pub(super) type Outcome = Result<Type, ConditionError>;

pub(super) struct Checker<'s> {
    source: &'s str,
    names: Names,
    /// Loop variables, the innermost last.
    scope: Vec<(String, Type)>,
    reads: BTreeSet<Variable>,
    pub(super) patterns: Vec<(u64, Pattern)>,
}

impl Checker<'_> {
    pub(super) fn of(&mut self, expr: &IdedExpr) -> Outcome {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(of) => self.comprehension(expr, of),
            Expr::List(list) => self.list(&list.elements),
            Expr::Map(_) => Err(self.fault(expr, "a map written out is not supported")),
            Expr::Struct(_) => Err(self.fault(expr, "messages are not supported")),
            Expr::Unspecified => Err(self.fault(expr, "cannot be parsed")),
        }
    }

    /// An error at an expression with all that is under it.
    pub(super) fn fault(&self, expr: &IdedExpr, message: impl Into<String>) -> ConditionError {
        let (offset, len) = Places::of(self.source).span(expr);
        ConditionError::new(offset, len, message)
    }

    /// An error at the operator or the name of an expression.
    pub(super) fn fault_at_token(&self, expr: &IdedExpr, message: impl Into<String>) -> ConditionError {
        let (offset, len) = Places::of(self.source).token(expr);
        ConditionError::new(offset, len, message)
    }

    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Outcome {
        Ok(match literal {
            LiteralValue::Boolean(_) => Type::Bool,
            LiteralValue::Int(_) => Type::Int,
            LiteralValue::Double(_) => Type::Double,
            LiteralValue::String(_) => Type::Text,
            LiteralValue::Null => Type::Null,
            LiteralValue::UInt(_) => {
                return Err(self.fault(expr, "unsigned numbers are not supported").help("leave out the `u`"));
            }
            LiteralValue::Bytes(_) => {
                return Err(self.fault(expr, "bytes are not supported").help("leave out the `b`"));
            }
        })
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Outcome {
        let mut joined = None;
        for element in elements {
            let one = self.of(element)?;
            joined = Some(match joined {
                None => one,
                Some(so_far) => one.join(so_far),
            });
        }
        Ok(Type::list(joined.unwrap_or(Type::Dyn)))
    }

    fn local(&self, name: &str) -> Option<&Type> {
        self.scope.iter().rev().find(|(local, _)| local == name).map(|(_, of)| of)
    }

    fn ident(&self, expr: &IdedExpr, name: &str) -> Outcome {
        if let Some(local) = self.local(name) {
            return Ok(local.clone());
        }
        if let Some(field) = variables::fields(name).next() {
            return Err(self
                .fault(expr, format!("`{name}` is a group of names, not a value"))
                .help(format!("name one of its fields, such as `{name}.{field}`")));
        }
        let help = self.near_root(name).unwrap_or_else(|| format!("put a text in quotes: `\"{name}\"`"));
        Err(self.fault(expr, format!("unknown name `{name}`")).help(help))
    }

    fn near_root(&self, name: &str) -> Option<String> {
        let whole =
            TABLE.iter().find(|entry| entry.name.split_once('.').is_some_and(|(_, field)| field == name));
        if let Some(entry) = whole {
            return Some(format!("did you mean `{}`?", entry.name));
        }
        let roots = variables::roots().map(|root| -> &str { root });
        let near = nearest(name, roots.chain(self.scope.iter().map(|(local, _)| local.as_str())));
        near.map(|near| format!("did you mean `{near}`?"))
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Outcome {
        if let Some((root, field)) = name_of(select)
            && self.local(root).is_none()
        {
            let known = self.variable(expr, root, field)?;
            if !select.test {
                return Ok(known.shape().into());
            }
            let name = known.name();
            return Err(self.fault(&select.operand, format!("has({name}) is always true")).help(format!(
                "compare `{name}` with what it is when empty; has() is for claims and headers"
            )));
        }
        let operand = self.of(&select.operand)?;
        self.header_name(&select.operand, &select.field, expr)?;
        match operand {
            Type::Map(of) if !select.test => Ok(*of),
            Type::Dyn if !select.test => Ok(Type::Dyn),
            Type::Map(_) | Type::Dyn => Ok(Type::Bool),
            other => Err(self.fault(expr, format!("{other} has no field `{}`", select.field))),
        }
    }

    /// Looks a name up in the table and notes that it is read.
    fn variable(&mut self, expr: &IdedExpr, root: &str, field: &str) -> Result<Variable, ConditionError> {
        let name = format!("{root}.{field}");
        if let Some(known) = Variable::named(&name) {
            if let (true, Some((place, help))) = (root == "prompt", self.names.without_prompt()) {
                return Err(self.fault(expr, format!("`{name}` has no place in {place}")).help(help));
            }
            self.reads(expr, known)?;
            return Ok(known);
        }
        let error = self.fault(expr, format!("unknown name `{name}`"));
        let near = nearest(&name, TABLE.iter().map(|entry| entry.name));
        if let Some(near) = near {
            return Err(error.help(format!("did you mean `{near}`?")));
        }
        let fields: Vec<_> = variables::fields(root).collect();
        if fields.is_empty() {
            return Err(error.maybe_help(self.near_root(root)));
        }
        Err(error.help(format!("`{root}` has {}", fields.join(", "))))
    }

    /// Notes that a variable is read, if it is known by then.
    pub(super) fn reads(&mut self, expr: &IdedExpr, known: Variable) -> Result<(), ConditionError> {
        if known.phase() > self.names.level {
            let message =
                format!("`{}` is known only with the body, and this is decided before it", known.name());
            return Err(self.fault(expr, message));
        }
        self.reads.insert(known);
        Ok(())
    }

    /// A header name with capitals would match no request ever.
    pub(super) fn header_name(&self, map: &IdedExpr, key: &str, at: &IdedExpr) -> Result<(), ConditionError> {
        if variable_of(map) != Some(Variable::RequestHeaders)
            || !key.bytes().any(|byte| byte.is_ascii_uppercase())
        {
            return Ok(());
        }
        Err(self
            .fault(at, "names of request.headers are in lower case")
            .help(format!("write `{}`", key.to_ascii_lowercase())))
    }

    fn comprehension(&mut self, expr: &IdedExpr, of: &ComprehensionExpr) -> Outcome {
        let Some(turn) = Turn::of(of) else { return Err(self.fault(expr, "a loop of an unknown kind")) };
        let element = match self.of(&of.iter_range)? {
            Type::List(of) => *of,
            Type::Map(_) => Type::Text,
            Type::Dyn => Type::Dyn,
            other => {
                return Err(self.fault(&of.iter_range, format!("{other} is no list, so it cannot be walked")));
            }
        };
        if variables::roots().chain(SPACES.iter().copied()).any(|root| root == of.iter_var) {
            // The place of a loop is its parenthesis; the variable follows.
            let (offset, len) = Places::of(self.source).token(expr);
            let message = format!("the loop variable `{}` hides the name", of.iter_var);
            return Err(ConditionError::new(offset.saturating_add(len), of.iter_var.len(), message)
                .help("give it another name, such as `x`"));
        }
        self.scope.push((of.iter_var.clone(), element));
        let result = self.turn(&turn);
        self.scope.pop();
        result
    }

    /// What is evaluated in each turn of a loop, and what the loop gives.
    fn turn(&mut self, turn: &Turn<'_>) -> Outcome {
        match turn {
            Turn::Exists(holds) | Turn::All(holds) | Turn::ExistsOne(holds) => {
                self.needs_bool(holds)?;
                Ok(Type::Bool)
            }
            Turn::List { counts, element } => {
                if let Some(counts) = counts {
                    self.needs_bool(counts)?;
                }
                Ok(Type::list(self.of(element)?))
            }
        }
    }

    pub(super) fn needs_bool(&mut self, expr: &IdedExpr) -> Result<(), ConditionError> {
        match self.of(expr)? {
            Type::Bool | Type::Dyn => Ok(()),
            other => Err(self
                .fault(expr, format!("this is {other} where bool is needed"))
                .help("compare it with something")),
        }
    }
}

/// `root.field` of a selection on a plain name.
fn name_of(select: &SelectExpr) -> Option<(&str, &str)> {
    match &select.operand.expr {
        Expr::Ident(root) => Some((root, &select.field)),
        _ => None,
    }
}

/// The variable that an expression is, if it is one. Loop variables never bear the name of a root.
pub(super) fn variable_of(expr: &IdedExpr) -> Option<Variable> {
    match &expr.expr {
        Expr::Select(select) if !select.test => {
            let (root, field) = name_of(select)?;
            Variable::named(&format!("{root}.{field}"))
        }
        _ => None,
    }
}

/// The name that was meant, if one is near enough.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let enough = (name.len() / 4).clamp(1, 3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
