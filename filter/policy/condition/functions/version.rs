//! Versions (Semantic Versioning 2.0.0), by the names that Kubernetes gave CEL for them.

use std::cmp::Ordering;

use cel::common::types::{CelInt, DYN_TYPE};
use cel::common::value::{CowVal, StaticVal, Val};
use semver::Version as Semver;

use super::{Failure, Outcome, boolean, failed, pay, text, wrong_type};

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version(Semver);

impl Val for Version {
    fn get_type(&self) -> &cel::common::types::Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static cel::common::types::Type {
        &DYN_TYPE
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self.0.cmp_precedence(&other.0) == Ordering::Equal)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for Version {}

/// Whether a text is a version.
pub(super) fn reads(text: &str) -> bool {
    Semver::parse(text).is_ok()
}

pub(super) fn semver<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let whole = text(&args, 0)?;
    pay(whole.len())?;
    let version = Semver::parse(whole).map_err(|_| failed(Failure::Version))?;
    Ok(CowVal::owned(Version(version)))
}

fn version<'a>(args: &'a [CowVal<'_, '_>], index: usize) -> Result<&'a Semver, cel::ExecutionError> {
    let found = args.get(index).and_then(|value| value.downcast_ref::<Version>()).map(|version| &version.0);
    found.ok_or_else(wrong_type)
}

/// Precedence alone: what was built how does not count.
fn order(args: &[CowVal<'_, '_>]) -> Result<Ordering, cel::ExecutionError> {
    Ok(version(args, 0)?.cmp_precedence(version(args, 1)?))
}

pub(super) fn compare_to<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(order(&args)? as i64)))
}

pub(super) fn is_greater_than<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(order(&args)? == Ordering::Greater))
}

pub(super) fn is_less_than<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    Ok(boolean(order(&args)? == Ordering::Less))
}

pub(super) fn major<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    number(version(&args, 0)?.major)
}

pub(super) fn minor<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    number(version(&args, 0)?.minor)
}

fn number<'b, 'v>(number: u64) -> Outcome<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(i64::try_from(number).unwrap_or(i64::MAX))))
}
