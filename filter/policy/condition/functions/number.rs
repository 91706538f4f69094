//! Numbers of things, and things as numbers.

use super::{Fault, Meter, Outcome, Value};

const NO_INTEGER: Fault<'static> = Fault::Other("int() of something that is no integer");

pub(super) fn size<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let size = match args.first() {
        Some(Value::Text(text)) => {
            meter.text(text.len())?;
            text.chars().count()
        }
        Some(Value::List(list)) => list.len(),
        Some(Value::Map(map)) => {
            meter.elements(map.at_most())?;
            map.keys().len()
        }
        _ => return Err(Fault::Type),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

pub(super) fn string<'a>(_: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(match args.first() {
        Some(Value::Int(int)) => Value::made(int.to_string()),
        Some(Value::UInt(uint)) => Value::made(uint.to_string()),
        Some(Value::Double(double)) => Value::made(double.to_string()),
        Some(text @ Value::Text(_)) => text.clone(),
        _ => return Err(Fault::Type),
    })
}

pub(super) fn int<'a>(meter: &Meter, args: &[Value<'a>]) -> Outcome<'a> {
    let int = match args.first() {
        Some(Value::Int(int)) => Some(*int),
        Some(Value::UInt(uint)) => i64::try_from(*uint).ok(),
        Some(Value::Double(double)) => whole(*double),
        Some(Value::Text(text)) => {
            meter.text(text.len())?;
            text.parse().ok()
        }
        _ => return Err(Fault::Type),
    };
    int.map(Value::Int).ok_or(NO_INTEGER)
}

/// A double cut off at the point, if an `i64` holds it.
fn whole(double: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (double > -LIMIT && double < LIMIT).then_some(double as i64)
}
