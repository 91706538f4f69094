//! Text taken apart, put together and searched.

use super::{Fault, List, Meter, Outcome, Value, list, text};
use crate::policy::condition::MAX_TEXT;
use crate::policy::condition::pattern::Pattern;

/// Longest pattern that is not written out, in bytes.
const MAX_PATTERN: usize = 128;

/// What compiling one costs, in bytes of text: an evaluation can do it four times.
const COMPILING: usize = MAX_TEXT / 4;

const NO_PATTERN: Fault<'static> =
    Fault::Other("matches() of something that is no pattern, or is a large one");

pub(super) fn contains<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (whole, part) = (text(args, 0)?, text(args, 1)?);
    meter.text(whole.len())?;
    Ok(Value::Bool(whole.contains(part)))
}

pub(super) fn starts_with<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (whole, start) = (text(args, 0)?, text(args, 1)?);
    meter.text(start.len())?;
    Ok(Value::Bool(whole.starts_with(start)))
}

pub(super) fn ends_with<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (whole, end) = (text(args, 0)?, text(args, 1)?);
    meter.text(end.len())?;
    Ok(Value::Bool(whole.ends_with(end)))
}

/// With a pattern that varies, and so is compiled now.
pub(super) fn matches<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    // An automaton reads slower than a comparison.
    meter.text(whole.len().saturating_mul(2))?;
    Ok(Value::Bool(compiled_now(meter, text(args, 1)?)?.is_match(whole)))
}

/// It is compiled for each evaluation, and so must be small.
fn compiled_now(meter: &Meter, pattern: &str) -> Result<Pattern, Fault<'static>> {
    meter.text(COMPILING)?;
    if pattern.len() > MAX_PATTERN {
        return Err(NO_PATTERN);
    }
    Pattern::compile_small(pattern).map_err(|_| NO_PATTERN)
}

pub(super) fn lower_ascii<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    meter.text(whole.len())?;
    Ok(Value::made(whole.to_ascii_lowercase()))
}

pub(super) fn upper_ascii<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    meter.text(whole.len())?;
    Ok(Value::made(whole.to_ascii_uppercase()))
}

pub(super) fn lower<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    // A letter may become several.
    meter.text(whole.len().saturating_mul(2))?;
    Ok(Value::made(whole.to_lowercase()))
}

pub(super) fn trim<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    meter.text(whole.len())?;
    Ok(Value::made(whole.trim()))
}

/// As in CEL's extension for strings, nothing between two characters is where an empty separator stands.
pub(super) fn split<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (whole, at) = (text(args, 0)?, text(args, 1)?);
    meter.text(whole.len().saturating_mul(2))?;
    let count =
        if at.is_empty() { whole.chars().count() } else { whole.matches(at).count().saturating_add(1) };
    meter.elements(count)?;
    let pieces = match at.is_empty() {
        true => whole.chars().map(|one| Value::made(&*one.encode_utf8(&mut [0; 4]))).collect(),
        false => whole.split(at).map(Value::made).collect(),
    };
    Ok(Value::List(List::Made(pieces)))
}

pub(super) fn join<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let between = text(args, 1)?;
    let mut joined = String::new();
    for (index, element) in list(args, 0)?.iter().enumerate() {
        let Value::Text(element) = element else { return Err(Fault::Type) };
        meter.text(between.len().saturating_add(element.len()).saturating_mul(2))?;
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(&element);
    }
    Ok(Value::made(joined))
}
