//! Which values are equal, and which come first.
//!
//! Numbers compare by what they mean, whatever they are written as: `1 == 1.0`. Other values of different types are
//! never equal, and have no order.

use std::cmp::Ordering;

use super::fault::Fault;
use super::meter::Meter;
use super::value::{List, Map, Value};

/// Whether two values are equal.
pub(super) fn equal<'a>(meter: &Meter, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Fault<'a>> {
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => return texts(meter, left, right),
        (Value::List(left), Value::List(right)) => return lists(meter, left, right),
        (Value::Map(left), Value::Map(right)) => return maps(meter, *left, *right),
        (Value::Network(left), Value::Network(right)) => left.trunc() == right.trunc(),
        // Precedence alone: what was built how does not count.
        (Value::Version(left), Value::Version(right)) => left.cmp_precedence(right) == Ordering::Equal,
        _ => numbers(left, right) == Some(Ordering::Equal),
    })
}

fn texts<'a>(meter: &Meter, left: &str, right: &str) -> Result<bool, Fault<'a>> {
    if left.len() != right.len() {
        return Ok(false);
    }
    meter.text(left.len())?;
    Ok(left == right)
}

fn lists<'a>(meter: &Meter, left: &List<'_>, right: &List<'_>) -> Result<bool, Fault<'a>> {
    if left.len() != right.len() {
        return Ok(false);
    }
    meter.elements(left.len())?;
    for (left, right) in left.iter().zip(right.iter()) {
        if !equal(meter, &left, &right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps<'a>(meter: &Meter, left: Map<'_>, right: Map<'_>) -> Result<bool, Fault<'a>> {
    meter.elements(left.at_most().saturating_add(right.at_most()))?;
    let keys = left.keys();
    if keys.len() != right.keys().len() {
        return Ok(false);
    }
    for key in keys {
        let (Some(left), Some(right)) = (left.get(key), right.get(key)) else { return Ok(false) };
        if !equal(meter, &left, &right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a list has an element that equals a value.
pub(super) fn holds<'a>(meter: &Meter, list: &List<'_>, one: &Value<'_>) -> Result<bool, Fault<'a>> {
    meter.elements(list.len())?;
    for member in list.iter() {
        if equal(meter, &member, one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How two values are ordered; `None`: not at all, as one is NaN.
pub(super) fn order<'a>(
    meter: &Meter,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Option<Ordering>, Fault<'a>> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            meter.text(left.len().min(right.len()))?;
            Ok(Some((**left).cmp(&**right)))
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (
            Value::Int(_) | Value::UInt(_) | Value::Double(_),
            Value::Int(_) | Value::UInt(_) | Value::Double(_),
        ) => Ok(numbers(left, right)),
        _ => Err(Fault::Type),
    }
}

/// How two numbers are ordered; `None`: one is none, or NaN.
fn numbers(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    let whole = |value: &Value<'_>| match value {
        Value::Int(int) => Some(i128::from(*int)),
        Value::UInt(uint) => Some(i128::from(*uint)),
        _ => None,
    };
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Double(left), right) => against(*left, whole(right)?),
        (left, Value::Double(right)) => against(*right, whole(left)?).map(Ordering::reverse),
        (left, right) => Some(whole(left)?.cmp(&whole(right)?)),
    }
}

/// How a double is ordered against a whole number that 65 bits hold, exactly.
fn against(double: f64, whole: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // What lies beyond is cut to the ends of an i128, which still lie beyond. Whole parts convert exactly.
    let order = (double.trunc() as i128).cmp(&whole);
    Some(order.then_with(|| double.fract().partial_cmp(&0.0).unwrap_or(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_what_they_mean() {
        use Ordering::{Equal, Greater, Less};
        let two_63 = 9_223_372_036_854_775_808.0;
        for (left, right, wanted) in [
            (Value::Int(1), Value::Double(1.0), Some(Equal)),
            (Value::Int(1), Value::Double(1.5), Some(Less)),
            (Value::Int(-1), Value::Double(-1.5), Some(Greater)),
            (Value::Int(i64::MAX), Value::Double(two_63), Some(Less)),
            (Value::UInt(1 << 63), Value::Double(two_63), Some(Equal)),
            (Value::UInt(u64::MAX), Value::Int(-1), Some(Greater)),
            (Value::UInt(u64::MAX), Value::Double(f64::INFINITY), Some(Less)),
            (Value::Int(i64::MIN), Value::Double(f64::NEG_INFINITY), Some(Greater)),
            (Value::Int((1 << 53) + 1), Value::Double(9_007_199_254_740_992.0), Some(Greater)),
            (Value::Int(0), Value::Double(f64::NAN), None),
            (Value::Double(f64::NAN), Value::Double(f64::NAN), None),
            (Value::Int(0), Value::Null, None),
        ] {
            assert_eq!(numbers(&left, &right), wanted);
            assert_eq!(numbers(&right, &left), wanted.map(Ordering::reverse));
        }
    }
}
