//! Text taken apart, put together and searched.

use cel::ExecutionError;
use cel::common::types::{CelList, CelString};
use cel::common::value::{CowVal, Val};
use regex::{Regex, RegexBuilder};

use super::{Failure, Outcome, boolean, elements, failed, pay, text, wrong_type};
use crate::policy::condition::MAX_TEXT;
use crate::policy::condition::pattern::Pattern;

/// Longest pattern that is not written out, in bytes.
const MAX_PATTERN: usize = 128;

/// Bound of what it compiles to, in bytes.
const PATTERN_SIZE: usize = 64 << 10;

/// What compiling one costs, in bytes of text: an evaluation can do it four times.
const COMPILING: usize = MAX_TEXT / 4;

pub(super) fn contains<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (whole, part) = (text(&args, 0)?, text(&args, 1)?);
    pay(whole.len())?;
    Ok(boolean(whole.contains(part)))
}

pub(super) fn starts_with<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(text(&args, 0)?.starts_with(text(&args, 1)?)))
}

pub(super) fn ends_with<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(text(&args, 0)?.ends_with(text(&args, 1)?)))
}

pub(super) fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    // An automaton reads slower than a comparison.
    pay(whole.len().saturating_mul(2))?;
    if let Some(pattern) = args.get(1).and_then(|value| value.downcast_ref::<Pattern>()) {
        return Ok(boolean(pattern.is_match(whole)));
    }
    Ok(boolean(compiled_now(text(&args, 1)?)?.is_match(whole)))
}

/// A pattern that varies is compiled for each evaluation, and so must be small.
fn compiled_now(pattern: &str) -> Result<Regex, ExecutionError> {
    pay(COMPILING)?;
    if pattern.len() > MAX_PATTERN {
        return Err(failed(Failure::Pattern));
    }
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build();
    built.map_err(|_| failed(Failure::Pattern))
}

pub(super) fn lower_ascii<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    pay(whole.len())?;
    Ok(CowVal::owned(CelString::from(whole.to_ascii_lowercase())))
}

pub(super) fn lower<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    // A letter may become several.
    pay(whole.len().saturating_mul(2))?;
    Ok(owned(whole.to_lowercase()))
}

pub(super) fn upper_ascii<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    pay(whole.len())?;
    Ok(owned(whole.to_ascii_uppercase()))
}

pub(super) fn trim<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    pay(whole.len())?;
    Ok(owned(whole.trim().to_owned()))
}

/// As in CEL's extension for strings, nothing between two characters is where an empty separator stands.
pub(super) fn split<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (whole, at) = (text(&args, 0)?, text(&args, 1)?);
    pay(whole.len().saturating_mul(2))?;
    let count =
        if at.is_empty() { whole.chars().count() } else { whole.matches(at).count().saturating_add(1) };
    elements(count)?;
    let piece = |piece: &str| Box::new(CelString::from(piece.to_owned())) as Box<dyn Val + 'v>;
    let pieces: Vec<_> = match at.is_empty() {
        true => whole.chars().map(|one| piece(one.encode_utf8(&mut [0; 4]))).collect(),
        false => whole.split(at).map(piece).collect(),
    };
    Ok(CowVal::owned(CelList::from(pieces)))
}

pub(super) fn join<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let between = text(&args, 1)?;
    let mut joined = String::new();
    for (index, element) in super::list(&args, 0)?.iter().enumerate() {
        let element = element.downcast_ref::<CelString>().map(CelString::inner).ok_or_else(wrong_type)?;
        pay(between.len().saturating_add(element.len()).saturating_mul(2))?;
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(element);
    }
    Ok(owned(joined))
}

fn owned<'b, 'v>(text: String) -> CowVal<'b, 'v> {
    CowVal::owned(CelString::from(text))
}
