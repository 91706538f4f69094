//! The set's own detectors, compiled; what is wrong with one is told at its place.

use std::rc::Rc;

use crate::config::Problem;
use crate::config::set::{Detector, Finds, Place};
use crate::mask::{self, Catalogue, OwnDetector, OwnFault, Part};

/// The built-in entities and those of the set.
#[inline(never)]
pub(super) fn compile(detectors: &[Detector], problems: &mut Vec<Problem>) -> Catalogue {
    let own: Vec<OwnDetector> = detectors.iter().map(own).collect();
    let (catalogue, faults) = Catalogue::with_own(&own);
    problems.extend(faults.iter().map(|fault| problem(detectors, fault)));
    catalogue
}

fn own(detector: &Detector) -> OwnDetector {
    let finds = match &detector.finds {
        Finds::Pattern { pattern, not_after, not_before } => mask::Finds::Pattern {
            pattern: pattern.value.clone(),
            not_after: not_after.as_ref().map(|class| class.value.clone()),
            not_before: not_before.as_ref().map(|class| class.value.clone()),
        },
        Finds::Words { words, ignore_case } => {
            mask::Finds::Words { words: Rc::clone(words.value.texts()), ignore_case: *ignore_case }
        }
    };
    let context = detector.context.iter().map(|phrase| phrase.value.clone()).collect();
    OwnDetector { name: detector.name.value.clone(), finds, context }
}

fn problem(detectors: &[Detector], fault: &OwnFault) -> Problem {
    let Some(detector) = detectors.get(fault.detector) else {
        return Problem::error(&Place::default(), fault.why.clone());
    };
    let name = &detector.name.place;
    let place = match (fault.part, &detector.finds) {
        (Part::Pattern, Finds::Pattern { pattern, .. }) => pattern.place.clone(),
        (Part::NotAfter, Finds::Pattern { not_after: Some(class), .. }) => class.place.clone(),
        (Part::NotBefore, Finds::Pattern { not_before: Some(class), .. }) => class.place.clone(),
        (Part::Words, Finds::Words { words, .. }) => words.place.clone(),
        (Part::Word(at), Finds::Words { words, .. }) => words.value.place(at, &words.place),
        (Part::Context(at), _) => detector.context.get(at).map_or(name, |phrase| &phrase.place).clone(),
        _ => name.clone(),
    };
    let value = match (fault.part, &detector.finds) {
        (Part::Word(at), Finds::Words { words, .. }) => {
            words.value.texts().get(at).filter(|word| word.len() <= 64)
        }
        _ => None,
    };
    let why =
        value.map_or_else(|| fault.why.clone(), |word| format!("`{}` {}", word.escape_debug(), fault.why));
    Problem::error(&place, why)
}
