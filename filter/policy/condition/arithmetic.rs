//! `+` `-` `*` `/` `%` and the sign.

use super::fault::Fault;
use super::meter::Meter;
use super::value::{List, Value};

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

const TOO_LARGE: Fault<'static> = Fault::Other("a number is too large");
const BY_ZERO: Fault<'static> = Fault::Other("division by zero");

/// What two values give. As in CEL, both are of one type.
pub(super) fn apply<'a>(
    meter: &Meter,
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Result<Value<'a>, Fault<'a>> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => ints(operator, *left, *right).map(Value::Int),
        (Value::UInt(left), Value::UInt(right)) => uints(operator, *left, *right).map(Value::UInt),
        (Value::Double(left), Value::Double(right)) => doubles(operator, *left, *right).map(Value::Double),
        (Value::Text(left), Value::Text(right)) if operator == Operator::Add => {
            meter.text(left.len().saturating_add(right.len()))?;
            Ok(Value::made([&**left, &**right].concat()))
        }
        (Value::List(left), Value::List(right)) if operator == Operator::Add => {
            meter.elements(left.len().saturating_add(right.len()))?;
            Ok(Value::List(List::Made(left.iter().chain(right.iter()).collect())))
        }
        _ => Err(Fault::Type),
    }
}

/// A number with the other sign.
pub(super) fn negate<'a>(value: &Value<'a>) -> Result<Value<'a>, Fault<'a>> {
    match value {
        Value::Int(int) => int.checked_neg().map(Value::Int).ok_or(TOO_LARGE),
        Value::Double(double) => Ok(Value::Double(-double)),
        _ => Err(Fault::Type),
    }
}

/// Arithmetic of one kind of whole numbers: what does not fit is no number.
macro_rules! whole {
    ($operate:ident, $number:ty) => {
        fn $operate<'a>(operator: Operator, left: $number, right: $number) -> Result<$number, Fault<'a>> {
            let value = match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide | Operator::Modulo if right == 0 => return Err(BY_ZERO),
                Operator::Divide => left.checked_div(right),
                Operator::Modulo => left.checked_rem(right),
            };
            value.ok_or(TOO_LARGE)
        }
    };
}

whole!(ints, i64);
whole!(uints, u64);

/// As IEEE 754 has it: nothing fails.
#[allow(clippy::arithmetic_side_effects, reason = "doubles do not overflow, they become infinite")]
fn doubles<'a>(operator: Operator, left: f64, right: f64) -> Result<f64, Fault<'a>> {
    Ok(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => return Err(Fault::Type),
    })
}
