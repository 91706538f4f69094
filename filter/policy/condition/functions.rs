//! The functions that conditions may call: what they take, what they give, what they do.
//!
//! The checker knows them by this table; the evaluator has nothing but them (`cel`'s own standard functions are not
//! loaded: several recompile, copy or scan without bound). Each pays for the text it works on.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, Expr, IdedExpr};
use cel::common::types::{CelList, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

use super::meter;
use super::types::Type;
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

/// A row of the table.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) style: Style,
    /// The receiver, if any, first.
    pub(super) takes: &'static [Takes],
    pub(super) gives: Gives,
    /// How it is written, for messages.
    pub(super) usage: &'static str,
    run: Run,
}

/// What a function does.
enum Run {
    Call(cel::common::functions::Function),
    /// As the one before; of what is written out it is made when the set loads.
    Made(cel::common::functions::Function),
    /// It is another way to write this.
    Variable(Variable),
}

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        style: Style::Either,
        takes: &[Takes::Sized],
        gives: Gives::Int,
        usage: "size(x)",
        run: Run::Call(number::size),
    },
    Function {
        name: "contains",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Gives::Bool,
        usage: "text.contains(part)",
        run: Run::Call(text::contains),
    },
    Function {
        name: "startsWith",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Gives::Bool,
        usage: "text.startsWith(prefix)",
        run: Run::Call(text::starts_with),
    },
    Function {
        name: "endsWith",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Gives::Bool,
        usage: "text.endsWith(suffix)",
        run: Run::Call(text::ends_with),
    },
    Function {
        name: "matches",
        style: Style::Either,
        takes: &[Takes::Text, Takes::Pattern],
        gives: Gives::Bool,
        usage: "text.matches(\"pattern\")",
        run: Run::Call(text::matches),
    },
    Function {
        name: "lowerAscii",
        style: Style::Method,
        takes: &[Takes::Text],
        gives: Gives::Text,
        usage: "text.lowerAscii()",
        run: Run::Call(text::lower_ascii),
    },
    Function {
        name: "upperAscii",
        style: Style::Method,
        takes: &[Takes::Text],
        gives: Gives::Text,
        usage: "text.upperAscii()",
        run: Run::Call(text::upper_ascii),
    },
    Function {
        name: "lower",
        style: Style::Method,
        takes: &[Takes::Text],
        gives: Gives::Text,
        usage: "text.lower()",
        run: Run::Call(text::lower),
    },
    Function {
        name: "trim",
        style: Style::Method,
        takes: &[Takes::Text],
        gives: Gives::Text,
        usage: "text.trim()",
        run: Run::Call(text::trim),
    },
    Function {
        name: "split",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Gives::TextList,
        usage: "text.split(separator)",
        run: Run::Call(text::split),
    },
    Function {
        name: "join",
        style: Style::Method,
        takes: &[Takes::Texts, Takes::Text],
        gives: Gives::Text,
        usage: "list.join(separator)",
        run: Run::Call(text::join),
    },
    Function {
        name: "string",
        style: Style::Plain,
        takes: &[Takes::Scalar],
        gives: Gives::Text,
        usage: "string(x)",
        run: Run::Call(number::string),
    },
    Function {
        name: "int",
        style: Style::Plain,
        takes: &[Takes::Scalar],
        gives: Gives::Int,
        usage: "int(x)",
        run: Run::Call(number::int),
    },
    Function {
        name: "sets.contains",
        style: Style::Plain,
        takes: &[Takes::List, Takes::Alike],
        gives: Gives::Bool,
        usage: "sets.contains(whole, part)",
        run: Run::Call(set::contains),
    },
    Function {
        name: "sets.equivalent",
        style: Style::Plain,
        takes: &[Takes::List, Takes::Alike],
        gives: Gives::Bool,
        usage: "sets.equivalent(list, list)",
        run: Run::Call(set::equivalent),
    },
    Function {
        name: "sets.intersects",
        style: Style::Plain,
        takes: &[Takes::List, Takes::Alike],
        gives: Gives::Bool,
        usage: "sets.intersects(list, list)",
        run: Run::Call(set::intersects),
    },
    Function {
        name: "cidr",
        style: Style::Plain,
        takes: &[Takes::NetworkText],
        gives: Gives::Network,
        usage: "cidr(\"10.0.0.0/8\")",
        run: Run::Made(network::cidr),
    },
    Function {
        name: "containsIP",
        style: Style::Method,
        takes: &[Takes::Network, Takes::Text],
        gives: Gives::Bool,
        usage: "cidr(\"10.0.0.0/8\").containsIP(address)",
        run: Run::Call(network::contains_ip),
    },
    Function {
        name: "semver",
        style: Style::Plain,
        takes: &[Takes::VersionText],
        gives: Gives::Version,
        usage: "semver(\"1.2.3\")",
        run: Run::Made(version::semver),
    },
    Function {
        name: "compareTo",
        style: Style::Method,
        takes: &[Takes::Version, Takes::Version],
        gives: Gives::Int,
        usage: "version.compareTo(semver(\"1.2.3\"))",
        run: Run::Call(version::compare_to),
    },
    Function {
        name: "isGreaterThan",
        style: Style::Method,
        takes: &[Takes::Version, Takes::Version],
        gives: Gives::Bool,
        usage: "version.isGreaterThan(semver(\"1.2.3\"))",
        run: Run::Call(version::is_greater_than),
    },
    Function {
        name: "isLessThan",
        style: Style::Method,
        takes: &[Takes::Version, Takes::Version],
        gives: Gives::Bool,
        usage: "version.isLessThan(semver(\"1.2.3\"))",
        run: Run::Call(version::is_less_than),
    },
    Function {
        name: "major",
        style: Style::Method,
        takes: &[Takes::Version],
        gives: Gives::Int,
        usage: "version.major()",
        run: Run::Call(version::major),
    },
    Function {
        name: "minor",
        style: Style::Method,
        takes: &[Takes::Version],
        gives: Gives::Int,
        usage: "version.minor()",
        run: Run::Call(version::minor),
    },
    Function {
        name: "now",
        style: Style::Plain,
        takes: &[],
        gives: Gives::Int,
        usage: "now()",
        run: Run::Variable(Variable::RequestTime),
    },
    Function {
        name: "getDayOfWeek",
        style: Style::Method,
        takes: &[Takes::Time],
        gives: Gives::Int,
        usage: "request.time.getDayOfWeek()",
        run: Run::Call(time::day_of_week),
    },
    Function {
        name: "getHours",
        style: Style::Method,
        takes: &[Takes::Time],
        gives: Gives::Int,
        usage: "request.time.getHours()",
        run: Run::Call(time::hours),
    },
    Function {
        name: "getMinutes",
        style: Style::Method,
        takes: &[Takes::Time],
        gives: Gives::Int,
        usage: "request.time.getMinutes()",
        run: Run::Call(time::minutes),
    },
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
        match self.run {
            Run::Variable(variable) => Some(variable),
            Run::Call(_) | Run::Made(_) => None,
        }
    }

    /// What it makes of a text that is written out, if it makes something of it once.
    pub(super) fn made(&self, written: &str) -> Option<Box<dyn Val>> {
        let Run::Made(run) = self.run else { return None };
        meter::begin();
        let made = run(vec![CowVal::owned(CelString::from(written.to_owned()))]).ok()?;
        Some(made.into_owned())
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

/// Name of the addition that pays for what it copies; no condition can write it.
pub(super) const ADD: &str = "@add";

/// An environment with these functions and no others, built once; `None`: a name stands twice in the table.
pub(super) fn environment() -> Option<Arc<Env>> {
    static BUILT: LazyLock<Option<Arc<Env>>> = LazyLock::new(|| build().ok());
    BUILT.clone()
}

fn build() -> Result<Arc<Env>, cel::DeclarationError> {
    let mut env = Env::default();
    for function in FUNCTIONS {
        let (Run::Call(run) | Run::Made(run)) = function.run else { continue };
        let takes = function.takes.iter().map(|_| DYN_TYPE).collect();
        env.add_overload(function.name, function.name, takes, run)?;
    }
    env.add_overload(ADD, ADD, vec![DYN_TYPE, DYN_TYPE], add)?;
    Ok(Arc::new(env))
}

type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn wrong_type() -> ExecutionError {
    ExecutionError::UnexpectedType { got: String::new(), want: String::new() }
}

/// Why a function may fail, in words that hold nothing of a request.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Integer,
    Network,
    Address,
    Version,
    Pattern,
    Cost,
}

impl Failure {
    const ALL: [Self; 6] =
        [Self::Integer, Self::Network, Self::Address, Self::Version, Self::Pattern, Self::Cost];

    fn words(self) -> &'static str {
        match self {
            Self::Integer => "int() of something that is no integer",
            Self::Network => "cidr() of something that is no network",
            Self::Address => "containsIP() of something that is no address",
            Self::Version => "semver() of something that is no version",
            Self::Pattern => "matches() of something that is no pattern, or is a large one",
            Self::Cost => "it costs too much",
        }
    }
}

/// The words of a failure of ours.
pub(super) fn failure(message: &str) -> Option<&'static str> {
    Failure::ALL.map(Failure::words).into_iter().find(|words| *words == message)
}

fn failed(failure: Failure) -> ExecutionError {
    ExecutionError::function_error("", failure.words())
}

fn pay(bytes: usize) -> Result<(), ExecutionError> {
    if meter::text(bytes) { Ok(()) } else { Err(failed(Failure::Cost)) }
}

fn text<'a>(args: &'a [CowVal<'_, '_>], index: usize) -> Result<&'a str, ExecutionError> {
    args.get(index)
        .and_then(|value| value.downcast_ref::<CelString>())
        .map(CelString::inner)
        .ok_or_else(wrong_type)
}

/// Pays for so many elements.
fn elements(count: usize) -> Result<(), ExecutionError> {
    if meter::elements(count) { Ok(()) } else { Err(failed(Failure::Cost)) }
}

fn list<'a, 'v>(args: &'a [CowVal<'_, 'v>], index: usize) -> Result<&'a [Box<dyn Val + 'v>], ExecutionError> {
    args.get(index)
        .and_then(|value| value.downcast_ref::<CelList<'v>>())
        .map(CelList::inner)
        .ok_or_else(wrong_type)
}

fn boolean<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(cel::common::types::CelBool::from(value))
}

fn add<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (Some(left), Some(right)) = (args.first(), args.get(1)) else { return Err(wrong_type()) };
    for part in [left, right] {
        if let Some(text) = part.downcast_ref::<CelString>() {
            pay(text.len())?;
        } else if let Some(elements) = part.as_sizer() {
            let count = usize::try_from(*elements.size().inner()).unwrap_or(usize::MAX);
            if !meter::elements(count) {
                return Err(failed(Failure::Cost));
            }
        }
    }
    let sum = left.as_adder().ok_or_else(wrong_type)?.add(right.as_ref())?;
    Ok(CowVal::Owned(sum.into_owned()))
}
