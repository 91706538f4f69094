//! Parts of a time, which is seconds since 1970 in UTC. Names and counting are those of CEL's timestamps.

use super::{Fault, Meter, Outcome, Value};

const DAY: i64 = 86_400;

pub(super) fn day_of_week<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    // 1970 began on a Thursday.
    part(args, |seconds| seconds.div_euclid(DAY).saturating_add(4).rem_euclid(7))
}

pub(super) fn hours<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    part(args, |seconds| seconds.rem_euclid(DAY).div_euclid(3600))
}

pub(super) fn minutes<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    part(args, |seconds| seconds.rem_euclid(3600).div_euclid(60))
}

fn part<'a>(args: &[Value<'_>], of: fn(i64) -> i64) -> Outcome<'a> {
    match args.first() {
        Some(Value::Int(seconds)) => Ok(Value::Int(of(*seconds))),
        _ => Err(Fault::Type),
    }
}
