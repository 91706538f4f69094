//! The functions that conditions may call: what they take, what they give, what they do.
//!
//! The checker knows them by this table; the evaluator has nothing but them (`cel`'s own standard functions are not
//! loaded: several recompile, copy or scan without bound). Each pays for the text it works on.

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelDouble, CelInt, CelString, CelUInt, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};
use regex::Regex;

use super::meter;
use super::types::Type;

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Text.
    Text,
    /// A pattern, written out: it is compiled when the set loads.
    Pattern,
    /// Text, a list or a map.
    Sized,
    /// Text or a number.
    Scalar,
}

impl Takes {
    pub(super) fn accepts(self, given: &Type) -> bool {
        match self {
            _ if given.is_dyn() => true,
            Takes::Text | Takes::Pattern => *given == Type::Text,
            Takes::Sized => matches!(given, Type::Text | Type::List(_) | Type::Map(_)),
            Takes::Scalar => *given == Type::Text || given.is_number(),
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Takes::Text | Takes::Pattern => "a string",
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

/// A row of the table.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) style: Style,
    /// The receiver, if any, first.
    pub(super) takes: &'static [Takes],
    pub(super) gives: Type,
    /// How it is written, for messages.
    pub(super) usage: &'static str,
    run: cel::common::functions::Function,
}

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        style: Style::Either,
        takes: &[Takes::Sized],
        gives: Type::Int,
        usage: "size(x)",
        run: size,
    },
    Function {
        name: "contains",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Type::Bool,
        usage: "text.contains(part)",
        run: contains,
    },
    Function {
        name: "startsWith",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Type::Bool,
        usage: "text.startsWith(prefix)",
        run: starts_with,
    },
    Function {
        name: "endsWith",
        style: Style::Method,
        takes: &[Takes::Text, Takes::Text],
        gives: Type::Bool,
        usage: "text.endsWith(suffix)",
        run: ends_with,
    },
    Function {
        name: "matches",
        style: Style::Either,
        takes: &[Takes::Text, Takes::Pattern],
        gives: Type::Bool,
        usage: "text.matches(\"pattern\")",
        run: matches,
    },
    Function {
        name: "lowerAscii",
        style: Style::Method,
        takes: &[Takes::Text],
        gives: Type::Text,
        usage: "text.lowerAscii()",
        run: lower_ascii,
    },
    Function {
        name: "string",
        style: Style::Plain,
        takes: &[Takes::Scalar],
        gives: Type::Text,
        usage: "string(x)",
        run: string,
    },
    Function {
        name: "int",
        style: Style::Plain,
        takes: &[Takes::Scalar],
        gives: Type::Int,
        usage: "int(x)",
        run: int,
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
        let takes = function.takes.iter().map(|_| DYN_TYPE).collect();
        env.add_overload(function.name, function.name, takes, function.run)?;
    }
    env.add_overload(ADD, ADD, vec![DYN_TYPE, DYN_TYPE], add)?;
    Ok(Arc::new(env))
}

/// A pattern compiled when the set loaded, as a value that reaches [`matches`].
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl Val for Pattern {
    fn get_type(&self) -> &cel::common::types::Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static cel::common::types::Type {
        &DYN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl cel::common::value::StaticVal for Pattern {}

type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn wrong_type() -> ExecutionError {
    ExecutionError::UnexpectedType { got: String::new(), want: String::new() }
}

fn failed(message: &'static str) -> ExecutionError {
    ExecutionError::function_error("", message)
}

fn pay(bytes: usize) -> Result<(), ExecutionError> {
    if meter::text(bytes) { Ok(()) } else { Err(failed("cost")) }
}

fn text<'a>(args: &'a [CowVal<'_, '_>], index: usize) -> Result<&'a str, ExecutionError> {
    args.get(index)
        .and_then(|value| value.downcast_ref::<CelString>())
        .map(CelString::inner)
        .ok_or_else(wrong_type)
}

fn boolean<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(cel::common::types::CelBool::from(value))
}

fn contains<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (whole, part) = (text(&args, 0)?, text(&args, 1)?);
    pay(whole.len())?;
    Ok(boolean(whole.contains(part)))
}

fn starts_with<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(text(&args, 0)?.starts_with(text(&args, 1)?)))
}

fn ends_with<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(text(&args, 0)?.ends_with(text(&args, 1)?)))
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    let pattern = args.get(1).and_then(|value| value.downcast_ref::<Pattern>()).ok_or_else(wrong_type)?;
    // An automaton reads slower than a comparison.
    pay(whole.len().saturating_mul(2))?;
    Ok(boolean(pattern.0.is_match(whole)))
}

fn lower_ascii<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    pay(whole.len())?;
    Ok(CowVal::owned(CelString::from(whole.to_ascii_lowercase())))
}

fn size<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    if let Some(whole) = value.downcast_ref::<CelString>() {
        pay(whole.len())?;
    }
    Ok(CowVal::owned(value.as_sizer().ok_or_else(wrong_type)?.size()))
}

fn string<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    let out = if let Some(int) = value.downcast_ref::<CelInt>() {
        int.inner().to_string()
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        uint.inner().to_string()
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        double.inner().to_string()
    } else {
        let whole = text(&args, 0)?;
        pay(whole.len())?;
        whole.to_owned()
    };
    Ok(CowVal::owned(CelString::from(out)))
}

fn int<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    let out = if let Some(int) = value.downcast_ref::<CelInt>() {
        Some(*int.inner())
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        i64::try_from(*uint.inner()).ok()
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        whole(*double.inner())
    } else {
        text(&args, 0)?.parse().ok()
    };
    out.map(|int| CowVal::owned(CelInt::from(int)))
        .ok_or_else(|| failed("int() of something that is no integer"))
}

/// A double cut off at the point, if an `i64` holds it.
fn whole(double: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (double > -LIMIT && double < LIMIT).then_some(double as i64)
}

fn add<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (Some(left), Some(right)) = (args.first(), args.get(1)) else { return Err(wrong_type()) };
    for part in [left, right] {
        if let Some(text) = part.downcast_ref::<CelString>() {
            pay(text.len())?;
        } else if let Some(elements) = part.as_sizer() {
            let count = usize::try_from(*elements.size().inner()).unwrap_or(usize::MAX);
            if !meter::elements(count) {
                return Err(failed("cost"));
            }
        }
    }
    let sum = left.as_adder().ok_or_else(wrong_type)?.add(right.as_ref())?;
    Ok(CowVal::Owned(sum.into_owned()))
}
