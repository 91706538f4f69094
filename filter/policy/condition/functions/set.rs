//! Lists as sets: order and repeats do not count.

use super::super::compare::holds;
use super::{Fault, List, Meter, Outcome, Value, list};

pub(super) fn contains<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    has_all(meter, list(args, 0)?, list(args, 1)?).map(Value::Bool)
}

pub(super) fn equivalent<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (left, right) = (list(args, 0)?, list(args, 1)?);
    Ok(Value::Bool(has_all(meter, left, right)? && has_all(meter, right, left)?))
}

pub(super) fn intersects<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let (left, right) = (list(args, 0)?, list(args, 1)?);
    for one in left.iter() {
        if holds(meter, right, &one)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn has_all<'a>(meter: &Meter, whole: &List<'_>, part: &List<'_>) -> Result<bool, Fault<'a>> {
    for one in part.iter() {
        if !holds(meter, whole, &one)? {
            return Ok(false);
        }
    }
    Ok(true)
}
