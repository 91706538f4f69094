//! Lists as sets: order and repeats do not count.

use cel::common::types::CelString;
use cel::common::value::{CowVal, Val};

use super::{Outcome, boolean, elements, list, pay};

pub(super) fn contains<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (whole, part) = (list(&args, 0)?, list(&args, 1)?);
    afford(whole, part)?;
    Ok(boolean(has_all(whole, part)))
}

pub(super) fn equivalent<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (left, right) = (list(&args, 0)?, list(&args, 1)?);
    afford(left, right)?;
    Ok(boolean(has_all(left, right) && has_all(right, left)))
}

pub(super) fn intersects<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Outcome<'b, 'v> {
    let (left, right) = (list(&args, 0)?, list(&args, 1)?);
    afford(left, right)?;
    Ok(boolean(left.iter().any(|one| has(right, one.as_ref()))))
}

type List<'a, 'v> = &'a [Box<dyn Val + 'v>];

fn has_all(whole: List<'_, '_>, part: List<'_, '_>) -> bool {
    part.iter().all(|one| has(whole, one.as_ref()))
}

fn has(list: List<'_, '_>, one: &dyn Val) -> bool {
    list.iter().any(|member| member.equals(one))
}

/// Pays for each of one compared with each of the other, both ways, all their text with it.
fn afford(left: List<'_, '_>, right: List<'_, '_>) -> Result<(), cel::ExecutionError> {
    elements(left.len().saturating_mul(right.len()))?;
    let text = |list: List<'_, '_>| {
        let length =
            |one: &(dyn Val + '_)| one.downcast_ref::<CelString>().map_or(0, |text| text.inner().len());
        list.iter().map(|one| length(one.as_ref())).fold(0, usize::saturating_add)
    };
    pay(text(left).saturating_mul(right.len()))?;
    pay(text(right).saturating_mul(left.len()))
}
