//! The table's own examples.
use std::collections::BTreeSet;
use std::ops::Range;

use super::support::{everything, example, known, named, plan, rows, streamed, whole};

#[test]
fn each_detector_finds_its_examples_whole_and_nothing_else_in_them() {
    for row in rows() {
        let plan = plan(named(row.entity));
        assert!(!row.matches.is_empty() && !row.misses.is_empty(), "{} has no examples", row.entity);
        for written in row.matches {
            let (text, marks) = example(written);
            let found: Vec<Range<usize>> = whole(&plan, &text).into_iter().map(|(range, _)| range).collect();
            assert_eq!(found, marks, "{}: {written}", row.entity);
        }
        for written in row.misses {
            let (text, _) = example(written);
            assert_eq!(whole(&plan, &text), [], "{}: {written}", row.entity);
        }
    }
}

#[test]
fn with_every_detector_on_examples_are_still_masked_where_they_are_marked() {
    let plan = everything();
    for row in rows() {
        for written in row.matches {
            let (text, marks) = example(written);
            let masked: BTreeSet<usize> = whole(&plan, &text).into_iter().flat_map(|(r, _)| r).collect();
            let marked = marks.into_iter().flatten().all(|at| masked.contains(&at));
            assert!(marked, "{}: {written}", row.entity);
        }
    }
}

#[test]
fn examples_come_out_the_same_for_every_cut_in_two_and_byte_by_byte() {
    let plan = everything();
    for row in rows() {
        for written in row.matches.iter().chain(row.misses) {
            let (text, _) = example(written);
            let expected = whole(&plan, &text);
            for cut in 0..=text.len() {
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
