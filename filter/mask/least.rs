//! How long a number must be to hold a value.
//!
//! Most numbers of a document (pages, counts, scores) are shorter than anything that is looked for, and so need not be
//! searched. Validators are not asked: they only refuse more.

use std::collections::HashSet;

use super::plan::Enabled;
use super::tables::{DEAD, START};

/// What numbers are written with in JSON (RFC 8259, section 6).
const OF_NUMBERS: &[u8] = b"0123456789+-.eE";
/// Where no shorter value is found, this is told: longer numbers are rare.
const FARTHEST: usize = 20;

/// Bytes of the shortest value that some detector of the groups may find in a number.
pub fn least_number(groups: &[Enabled]) -> usize {
    groups.iter().map(least_of).min().unwrap_or(FARTHEST)
}

fn least_of(group: &Enabled) -> usize {
    let mut seen = HashSet::from([DEAD, START]);
    let mut states = vec![START];
    for len in 1..FARTHEST {
        let next = states.iter().flat_map(|state| OF_NUMBERS.iter().map(|byte| group.step(*state, *byte)));
        states = next.filter(|state| seen.insert(*state)).collect();
        if states.iter().any(|state| group.masks(*state).0 & group.enabled != 0) {
            return len;
        }
    }
    FARTHEST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::catalogue::Catalogue;
    use super::super::entity::{Entities, Found};
    use super::super::own::{Finds, OwnDetector};
    use super::super::plan::Plan;
    use super::super::text::Masks as _;
    use super::super::whole::mask_whole;

    fn usual() -> Plan {
        let known = Catalogue::built_in();
        Plan::new(&known, known.usual(), vec![b"12345678".to_vec()])
    }

    #[test]
    fn short_numbers_pass_and_long_ones_are_searched() {
        let plan = usual();
        for number in ["0", "-1.5", "2026"] {
            assert!(plan.passes_number(number.as_bytes()), "{number}");
        }
        for number in ["4111111111111111", "12345678"] {
            assert!(!plan.passes_number(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn what_a_set_looks_for_itself_may_be_short() {
        let own = |finds| OwnDetector { name: "BADGE".into(), finds, context: vec![] };
        let pattern = Finds::Pattern { pattern: "7[0-9]".into(), not_after: None, not_before: None };
        let words =
            Finds::Words { words: std::rc::Rc::new(vec!["12"].into_iter().collect()), ignore_case: false };
        for finds in [pattern, words] {
            let (known, faults) = Catalogue::with_own(&[own(finds)]);
            assert!(faults.is_empty());
            let plan = Plan::new(&known, known.all().without(Catalogue::built_in().all()), vec![]);
            assert!(!plan.passes_number(b"71") && !plan.passes_number(b"12"));
        }
    }

    proptest! {
        #[test]
        fn a_number_that_passes_holds_nothing(
            set in prop::sample::select(vec!["PII", "SECRETS", "FINANCIAL", "HEALTH", ""]), number in "-?[0-9]{1,9}(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?") {
            let known = Catalogue::built_in();
            let entities = if set.is_empty() { known.usual() } else { known.resolve(set).unwrap() };
            let plan = Plan::new(&known, entities, vec![b"12345678".to_vec()]);
            if plan.passes_number(number.as_bytes()) {
                let mut found = Found::default();
                prop_assert_eq!(mask_whole(&plan, number.as_bytes(), &mut found), None);
                prop_assert_eq!(found.iter().count(), 0);
            }
        }
    }

    #[test]
    fn nothing_sought_is_told_as_the_farthest() {
        let known = Catalogue::built_in();
        assert!(Plan::new(&known, Entities::NONE, vec![]).passes_number(b"4111111111111"));
    }
}
