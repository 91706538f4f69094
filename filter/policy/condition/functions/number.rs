//! Numbers of things, and things as numbers.

use cel::common::types::{CelDouble, CelInt, CelString, CelUInt};
use cel::common::value::CowVal;

use super::{Failure, Outcome, failed, pay, text, wrong_type};

pub(super) fn size<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    if let Some(whole) = value.downcast_ref::<CelString>() {
        pay(whole.len())?;
    }
    Ok(CowVal::owned(value.as_sizer().ok_or_else(wrong_type)?.size()))
}

pub(super) fn string<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    let out = if let Some(int) = value.downcast_ref::<CelInt>() {
        int.inner().to_string()
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        uint.inner().to_string()
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        double.inner().to_string()
    } else {
        let whole = text(&args, 0)?;
        pay(whole.len())?;
        whole.to_owned()
    };
    Ok(CowVal::owned(CelString::from(out)))
}

pub(super) fn int<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let value = args.first().ok_or_else(wrong_type)?;
    let out = if let Some(int) = value.downcast_ref::<CelInt>() {
        Some(*int.inner())
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        i64::try_from(*uint.inner()).ok()
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        whole(*double.inner())
    } else {
        text(&args, 0)?.parse().ok()
    };
    out.map(|int| CowVal::owned(CelInt::from(int))).ok_or_else(|| failed(Failure::Integer))
}

/// A double cut off at the point, if an `i64` holds it.
fn whole(double: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (double > -LIMIT && double < LIMIT).then_some(double as i64)
}
