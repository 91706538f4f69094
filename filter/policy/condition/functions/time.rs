//! Parts of a time, which is seconds since 1970 in UTC. Names and counting are those of CEL's timestamps.

use cel::common::types::CelInt;
use cel::common::value::CowVal;

use super::{Outcome, wrong_type};

const DAY: i64 = 86_400;

pub(super) fn day_of_week<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    // 1970 began on a Thursday.
    part(&args, |seconds| seconds.div_euclid(DAY).saturating_add(4).rem_euclid(7))
}

pub(super) fn hours<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    part(&args, |seconds| seconds.rem_euclid(DAY).div_euclid(3600))
}

pub(super) fn minutes<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    part(&args, |seconds| seconds.rem_euclid(3600).div_euclid(60))
}

fn part<'b, 'v>(args: &[CowVal<'_, '_>], of: fn(i64) -> i64) -> Outcome<'b, 'v> {
    let seconds = args.first().and_then(|value| value.downcast_ref::<CelInt>()).ok_or_else(wrong_type)?;
    Ok(CowVal::owned(CelInt::from(of(*seconds.inner()))))
}
