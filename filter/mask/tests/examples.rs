//! The table's own examples.
use std::collections::BTreeSet;

use super::support::{everything, example, known, named, plan, rows, streamed, whole};

#[test]
fn each_detector_finds_its_examples_whole_and_nothing_else_in_them() {
    let mut wrong = Vec::new();
    for row in rows() {
        let plan = plan(named(row.entity));
        assert!(!row.matches.is_empty() && !row.misses.is_empty(), "{} has no examples", row.entity);
        let found = |text: &[u8]| whole(&plan, text).into_iter().map(|(range, _)| range).collect::<Vec<_>>();
        for written in row.matches {
            let (text, marks) = example(written);
            if found(&text) != marks {
                wrong.push((row.entity, *written, found(&text)));
            }
        }
        for written in row.misses {
            let (text, _) = example(written);
            if !found(&text).is_empty() {
                wrong.push((row.entity, *written, found(&text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn with_every_detector_on_examples_are_still_masked_where_they_are_marked() {
    let plan = everything();
    let mut leaked = Vec::new();
    for row in rows() {
        for written in row.matches {
            let (text, marks) = example(written);
            let masked: BTreeSet<usize> = whole(&plan, &text).into_iter().flat_map(|(r, _)| r).collect();
            if !marks.into_iter().flatten().all(|at| masked.contains(&at)) {
                leaked.push((row.entity, *written));
            }
        }
    }
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn examples_come_out_the_same_for_every_cut_in_two_and_byte_by_byte() {
    let plan = everything();
    for row in rows() {
        for written in row.matches.iter().chain(row.misses) {
            let (text, _) = example(written);
            let expected = whole(&plan, &text);
            for cut in (0..=text.len()).step_by(1 + text.len() / 40) {
                assert_eq!(streamed(&plan, &text, &[cut]).0, expected, "{written} cut at {cut}");
            }
            let every: Vec<usize> = (0..=text.len()).collect();
            assert_eq!(streamed(&plan, &text, &every).0, expected, "{written} byte by byte");
        }
    }
}

#[test]
fn what_is_often_mistaken_is_found_only_by_its_name() {
    for row in rows() {
        let entity = named(row.entity).iter().next().unwrap();
        let mistaken = row.tier == "D";
        assert_eq!(known().usual().contains(entity), !mistaken, "{}", row.entity);
        assert!(!mistaken || known().sets().all(|set| !named(set).contains(entity)), "{}", row.entity);
    }
}
