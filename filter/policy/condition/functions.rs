//! The functions that conditions may call: what they take, what they give, what they do.
//!
//! The checker knows them by this table, and so does what prepares a condition for evaluation. Each pays for the text
//! it works on.

use std::borrow::Cow;

use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::evaluate::Outcome;
use super::fault::Fault;
use super::meter::Meter;
use super::types::Type;
use super::value::{List, Value};
use crate::policy::Variable;

mod network;
mod number;
mod set;
mod text;
mod time;
mod version;

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Text.
    Text,
    /// A pattern. One that is written out is compiled when the set loads.
    Pattern,
    /// Text, a list or a map.
    Sized,
    /// Text or a number.
    Scalar,
    /// A time, as `request.time`.
    Time,
    /// A list of text.
    Texts,
    /// Any list.
    List,
    /// A list of what the list before it may hold.
    Alike,
    /// Text of a network; one that is written out is tried when the set loads.
    NetworkText,
    /// What `cidr` gives.
    Network,
    /// Text of a version; likewise.
    VersionText,
    /// What `semver` gives.
    Version,
}

impl Takes {
    pub(super) fn accepts(self, given: &Type) -> bool {
        match self {
            _ if given.is_dyn() => true,
            Takes::Text | Takes::Pattern | Takes::NetworkText | Takes::VersionText => *given == Type::Text,
            Takes::Time => *given == Type::Int,
            Takes::Texts => matches!(given, Type::List(of) if of.comparable(&Type::Text)),
            Takes::List | Takes::Alike => matches!(given, Type::List(_)),
            Takes::Network => *given == Type::Network,
            Takes::Version => *given == Type::Version,
            Takes::Sized => matches!(given, Type::Text | Type::List(_) | Type::Map(_)),
            Takes::Scalar => *given == Type::Text || given.is_number(),
        }
    }

    /// Whether a text that is written out can be what is needed.
    pub(super) fn reads(self, written: &str) -> bool {
        match self {
            Takes::NetworkText => network::reads(written),
            Takes::VersionText => version::reads(written),
            _ => true,
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Takes::Text | Takes::Pattern => "a string",
            Takes::NetworkText => "a network, such as \"10.0.0.0/8\",",
            Takes::VersionText => "a version, such as \"1.2.3\",",
            Takes::Time => "an int, such as request.time,",
            Takes::Texts => "a list of strings",
            Takes::List | Takes::Alike => "a list",
            Takes::Network => "what `cidr` gives",
            Takes::Version => "what `semver` gives",
            Takes::Sized => "a string, list or map",
            Takes::Scalar => "a string or number",
        }
    }
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `x.f(y)`
    Method,
    /// `f(x)`
    Plain,
    /// Both.
    Either,
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Bool,
    Int,
    Text,
    TextList,
    Network,
    Version,
}

impl From<Gives> for Type {
    fn from(gives: Gives) -> Type {
        match gives {
            Gives::Bool => Type::Bool,
            Gives::Int => Type::Int,
            Gives::Text => Type::Text,
            Gives::TextList => Type::list(Type::Text),
            Gives::Network => Type::Network,
            Gives::Version => Type::Version,
        }
    }
}

/// What a function does with what it is given, the receiver first.
pub(super) type Run = for<'a> fn(&Meter, &[Value<'a>]) -> Outcome<'a>;

/// The most that a function is given.
pub(super) const MAX_ARGUMENTS: usize = 2;

/// A row of the table.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) style: Style,
    /// The receiver, if any, first.
    pub(super) takes: &'static [Takes],
    pub(super) gives: Gives,
    /// How it is written, for messages.
    pub(super) usage: &'static str,
    does: Does,
}

/// How a row is carried out.
enum Does {
    Call(Run),
    /// As the one before; of what is written out it is made when the set loads.
    Made(Run),
    /// It is another way to write this.
    Variable(Variable),
}

const fn function(
    usage: &'static str,
    name: &'static str,
    style: Style,
    takes: &'static [Takes],
    gives: Gives,
    does: Does,
) -> Function {
    Function { name, style, takes, gives, usage, does }
}

pub(super) static FUNCTIONS: &[Function] = &[
    function("size(x)", "size", Style::Either, &[Takes::Sized], Gives::Int, Does::Call(number::size)),
    function(
        "text.contains(part)",
        "contains",
        Style::Method,
        &[Takes::Text, Takes::Text],
        Gives::Bool,
        Does::Call(text::contains),
    ),
    function(
        "text.startsWith(prefix)",
        "startsWith",
        Style::Method,
        &[Takes::Text, Takes::Text],
        Gives::Bool,
        Does::Call(text::starts_with),
    ),
    function(
        "text.endsWith(suffix)",
        "endsWith",
        Style::Method,
        &[Takes::Text, Takes::Text],
        Gives::Bool,
        Does::Call(text::ends_with),
    ),
    function(
        "text.matches(\"pattern\")",
        "matches",
        Style::Either,
        &[Takes::Text, Takes::Pattern],
        Gives::Bool,
        Does::Call(text::matches),
    ),
    function(
        "text.lowerAscii()",
        "lowerAscii",
        Style::Method,
        &[Takes::Text],
        Gives::Text,
        Does::Call(text::lower_ascii),
    ),
    function(
        "text.upperAscii()",
        "upperAscii",
        Style::Method,
        &[Takes::Text],
        Gives::Text,
        Does::Call(text::upper_ascii),
    ),
    function("text.lower()", "lower", Style::Method, &[Takes::Text], Gives::Text, Does::Call(text::lower)),
    function("text.trim()", "trim", Style::Method, &[Takes::Text], Gives::Text, Does::Call(text::trim)),
    function(
        "text.split(separator)",
        "split",
        Style::Method,
        &[Takes::Text, Takes::Text],
        Gives::TextList,
        Does::Call(text::split),
    ),
    function(
        "list.join(separator)",
        "join",
        Style::Method,
        &[Takes::Texts, Takes::Text],
        Gives::Text,
        Does::Call(text::join),
    ),
    function("string(x)", "string", Style::Plain, &[Takes::Scalar], Gives::Text, Does::Call(number::string)),
    function("int(x)", "int", Style::Plain, &[Takes::Scalar], Gives::Int, Does::Call(number::int)),
    function(
        "sets.contains(whole, part)",
        "sets.contains",
        Style::Plain,
        &[Takes::List, Takes::Alike],
        Gives::Bool,
        Does::Call(set::contains),
    ),
    function(
        "sets.equivalent(list, list)",
        "sets.equivalent",
        Style::Plain,
        &[Takes::List, Takes::Alike],
        Gives::Bool,
        Does::Call(set::equivalent),
    ),
    function(
        "sets.intersects(list, list)",
        "sets.intersects",
        Style::Plain,
        &[Takes::List, Takes::Alike],
        Gives::Bool,
        Does::Call(set::intersects),
    ),
    function(
        "cidr(\"10.0.0.0/8\")",
        "cidr",
        Style::Plain,
        &[Takes::NetworkText],
        Gives::Network,
        Does::Made(network::cidr),
    ),
    function(
        "cidr(\"10.0.0.0/8\").containsIP(address)",
        "containsIP",
        Style::Method,
        &[Takes::Network, Takes::Text],
        Gives::Bool,
        Does::Call(network::contains_ip),
    ),
    function(
        "semver(\"1.2.3\")",
        "semver",
        Style::Plain,
        &[Takes::VersionText],
        Gives::Version,
        Does::Made(version::semver),
    ),
    function(
        "version.compareTo(semver(\"1.2.3\"))",
        "compareTo",
        Style::Method,
        &[Takes::Version, Takes::Version],
        Gives::Int,
        Does::Call(version::compare_to),
    ),
    function(
        "version.isGreaterThan(semver(\"1.2.3\"))",
        "isGreaterThan",
        Style::Method,
        &[Takes::Version, Takes::Version],
        Gives::Bool,
        Does::Call(version::is_greater_than),
    ),
    function(
        "version.isLessThan(semver(\"1.2.3\"))",
        "isLessThan",
        Style::Method,
        &[Takes::Version, Takes::Version],
        Gives::Bool,
        Does::Call(version::is_less_than),
    ),
    function(
        "version.major()",
        "major",
        Style::Method,
        &[Takes::Version],
        Gives::Int,
        Does::Call(version::major),
    ),
    function(
        "version.minor()",
        "minor",
        Style::Method,
        &[Takes::Version],
        Gives::Int,
        Does::Call(version::minor),
    ),
    function("now()", "now", Style::Plain, &[], Gives::Int, Does::Variable(Variable::RequestTime)),
    function(
        "request.time.getDayOfWeek()",
        "getDayOfWeek",
        Style::Method,
        &[Takes::Time],
        Gives::Int,
        Does::Call(time::day_of_week),
    ),
    function(
        "request.time.getHours()",
        "getHours",
        Style::Method,
        &[Takes::Time],
        Gives::Int,
        Does::Call(time::hours),
    ),
    function(
        "request.time.getMinutes()",
        "getMinutes",
        Style::Method,
        &[Takes::Time],
        Gives::Int,
        Does::Call(time::minutes),
    ),
];

/// The macros, for messages: their calls never reach the checker unless they are misused.
pub(super) static MACROS: &[(&str, &str)] = &[
    ("has", "has(identity.claims.tenant)"),
    ("exists", "list.exists(x, condition)"),
    ("all", "list.all(x, condition)"),
    ("exists_one", "list.exists_one(x, condition)"),
    ("existsOne", "list.existsOne(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("map", "list.map(x, value)"),
];

/// The row of a function.
pub(super) fn named(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// The variable that it is another way to write.
    pub(super) fn variable(&self) -> Option<Variable> {
        match self.does {
            Does::Variable(variable) => Some(variable),
            Does::Call(_) | Does::Made(_) => None,
        }
    }

    /// What it does, if it is more than another way to write a variable.
    pub(super) fn run(&self) -> Option<Run> {
        match self.does {
            Does::Call(run) | Does::Made(run) => Some(run),
            Does::Variable(_) => None,
        }
    }

    /// What it makes of a text that is written out, if it makes something of it once.
    pub(super) fn made(&self, written: &str) -> Option<Value<'static>> {
        let Does::Made(run) = self.does else { return None };
        run(&Meter::new(), &[Value::made(written)]).ok()
    }
}

/// Names before a point that are no value, but the first half of functions' names.
pub(super) const SPACES: &[&str] = &["sets"];

/// A call: the function's name, and what it is given, the receiver first.
pub(super) fn called(call: &CallExpr) -> (Cow<'_, str>, Vec<&IdedExpr>) {
    let spaced = call.target.as_deref().and_then(|target| match &target.expr {
        Expr::Ident(space) if SPACES.contains(&space.as_str()) => Some(space),
        _ => None,
    });
    if let Some(space) = spaced {
        return (Cow::Owned(format!("{space}.{}", call.func_name)), call.args.iter().collect());
    }
    let given = call.target.as_deref().into_iter().chain(&call.args);
    (Cow::Borrowed(call.func_name.as_str()), given.collect())
}

fn text<'v>(args: &'v [Value<'_>], index: usize) -> Result<&'v str, Fault<'static>> {
    match args.get(index) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(Fault::Type),
    }
}

fn list<'v, 'a>(args: &'v [Value<'a>], index: usize) -> Result<&'v List<'a>, Fault<'static>> {
    match args.get(index) {
        Some(Value::List(list)) => Ok(list),
        _ => Err(Fault::Type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_is_given_more_than_there_is_room_for() {
        let most = FUNCTIONS.iter().map(|function| function.takes.len()).max();
        assert_eq!(most, Some(MAX_ARGUMENTS));
    }
}
