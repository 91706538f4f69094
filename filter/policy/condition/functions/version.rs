//! Versions (Semantic Versioning 2.0.0), by the names that Kubernetes gave CEL for them.

use std::cmp::Ordering;
use std::sync::Arc;

use semver::Version;

use super::{Fault, Meter, Outcome, Value, text};

const NO_VERSION: Fault<'static> = Fault::Other("semver() of something that is no version");

/// Whether a text is a version.
pub(super) fn reads(text: &str) -> bool {
    Version::parse(text).is_ok()
}

pub(super) fn semver<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let whole = text(args, 0)?;
    meter.text(whole.len())?;
    let version = Version::parse(whole).map_err(|_| NO_VERSION)?;
    Ok(Value::Version(Arc::new(version)))
}

fn version<'v>(args: &'v [Value<'_>], index: usize) -> Result<&'v Version, Fault<'static>> {
    match args.get(index) {
        Some(Value::Version(version)) => Ok(version),
        _ => Err(Fault::Type),
    }
}

/// Precedence alone: what was built how does not count.
fn order(args: &[Value<'_>]) -> Result<Ordering, Fault<'static>> {
    Ok(version(args, 0)?.cmp_precedence(version(args, 1)?))
}

pub(super) fn compare_to<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Int(order(args)? as i64))
}

pub(super) fn is_greater_than<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(order(args)?.is_gt()))
}

pub(super) fn is_less_than<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(order(args)?.is_lt()))
}

pub(super) fn major<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    number(version(args, 0)?.major)
}

pub(super) fn minor<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    number(version(args, 0)?.minor)
}

fn number<'a>(number: u64) -> Outcome<'a> {
    Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}
