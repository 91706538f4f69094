//! What is held back, and for how long.
use super::support::{Spans, everything, known, name, named, streamed, whole};
use crate::mask::text::{Masks, TextMask};
use crate::mask::{Entities, Plan};

fn plan(names: &[&str]) -> Plan {
    let entities = names.iter().map(|name| named(name));
    Plan::new(&known(), entities.fold(Entities::NONE, Entities::union), Vec::new())
}

/// What is held after a text that goes on.
fn held(plan: &Plan, text: &[u8]) -> usize {
    let mut masker = plan.begin();
    masker.push(text, false, &mut Spans::default());
    masker.held()
}

#[test]
fn only_what_may_still_become_a_value_is_held() {
    let all = Plan::new(&known(), known().usual(), Vec::new());
    assert_eq!(held(&all, b"nothing. "), 0);
    assert_eq!(held(&all, b"some words"), 5, "a word may be an e-mail's local part");
    assert_eq!(held(&all, b"mail jane@example"), 12);
    assert_eq!(held(&all, b"mail jane@example "), 0);
    assert_eq!(held(&all, "caf\u{e9}".as_bytes()), 0);
    assert_eq!(held(&all, &[b'a'; 65]), 0, "a local part has 64 bytes at most");
    assert_eq!(held(&all, &[b'a'; 64]), 64);
}

#[test]
fn detectors_that_are_off_neither_match_nor_hold() {
    let ssn = plan(&["US_SSN"]);
    assert_eq!(held(&ssn, b"some words"), 0);
    assert_eq!(held(&ssn, b"jane@example"), 0);
    assert_eq!(held(&ssn, b"n 536-90-43"), 9);
    assert_eq!(held(&ssn, b"n 4111 1111"), 0, "nine bare digits may be one only after its word");
    assert_eq!(held(&ssn, b"ssn 4111 1111"), 4);
    assert_eq!(held(&ssn, b"n 536 "), 4);
    assert_eq!(whole(&ssn, b"jane@example.com"), []);
    let nothing = Plan::new(&known(), Entities::NONE, Vec::new());
    assert!(nothing.is_empty());
    assert_eq!(held(&nothing, b"jane@example.com -----BEGIN PRIVATE KEY-----"), 0);
}

#[test]
fn what_needs_no_look_at_the_next_byte_goes_at_once() {
    let keys = plan(&["PRIVATE_KEY"]);
    let block = b"-----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----";
    assert_eq!(held(&keys, block), 0);
    assert_eq!(held(&plan(&["US_SSN"]), b"536-90-4399"), 11, "another digit would undo it");
    assert_eq!(held(&plan(&["US_SSN"]), b"536-90-4399."), 0);
}

#[test]
fn a_literal_is_held_while_the_text_ends_within_it() {
    let plan = Plan::new(&known(), Entities::NONE, vec![b"very-secret".to_vec()]);
    assert_eq!(held(&plan, b"a very"), 4);
    assert_eq!(held(&plan, b"a very-secre"), 10);
    assert_eq!(held(&plan, b"a very-secreT"), 0);
    assert_eq!(held(&plan, b"a very-secret"), 0);
}

#[test]
fn the_end_releases_what_was_held() {
    let mut masker = everything().begin();
    let mut sink = Spans::default();
    masker.push(b"call me at jane@example", false, &mut sink);
    assert_eq!((sink.at, masker.held()), (11, 12));
    masker.push(b"", true, &mut sink);
    assert_eq!((sink.at, masker.held()), (23, 0));
    assert_eq!(sink.spans, []);
}

#[test]
fn a_long_key_is_swallowed_in_little_memory() {
    let plan = everything();
    let mut text = b"key:\n-----BEGIN RSA PRIVATE KEY-----\n".to_vec();
    let start = 5;
    for _ in 0..160 {
        text.extend_from_slice(b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKB\n");
    }
    text.extend_from_slice(b"-----END RSA PRIVATE KEY-----");
    let end = text.len();
    text.extend_from_slice(b"\nand jane@example.com\n");
    for size in [1, 3, 7, 64, 321, 4096, 20000] {
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        let (spans, most) = streamed(&plan, &text, &cuts);
        let found: Vec<_> = spans.iter().map(|(range, entity)| (range.clone(), name(*entity))).collect();
        assert_eq!(found[0], (start..end, "PRIVATE_KEY".into()), "pieces of {size}");
        assert_eq!(found[1].1, "EMAIL_ADDRESS");
        assert!(found.len() == 2 && most <= 320, "{most} bytes held with pieces of {size}");
    }
}

#[test]
fn a_long_token_is_swallowed_to_its_end_and_no_further() {
    let plan = everything();
    let (header, payload) = ("eyJ".to_owned() + &"hbGc".repeat(10), "eyJ".to_owned() + &"zdWI".repeat(1000));
    let token = format!("{header}.{payload}.{}", "SflK".repeat(20));
    // A header that carries a key is longer than the limit all by itself.
    let long_header = format!("eyJ{}.eyJ{}.abc", "hbGc".repeat(200), "zdWI".repeat(1000));
    let github = format!("ghp_{}", "aB3d".repeat(500));
    for (value, entity) in [(token, "JWT"), (long_header, "JWT"), (github, "GITHUB_TOKEN")] {
        let text = format!("take {value} and go");
        for size in [1, 5, 319, 320, 321, 1000, 9000] {
            let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
            let (spans, most) = streamed(&plan, text.as_bytes(), &cuts);
            let found: Vec<_> = spans.iter().map(|(range, entity)| (range.clone(), name(*entity))).collect();
            assert_eq!(found, [(5..5 + value.len(), entity.to_owned())], "pieces of {size}");
            assert!(most <= 320, "{most} bytes held with pieces of {size}");
        }
    }
}

#[test]
fn a_masker_begins_anew_after_the_end() {
    let mut masker = everything().begin();
    let mut first = Spans::default();
    masker.push(b"x", true, &mut first);
    let mut second = Spans::default();
    masker.push(b"jane@example.com", true, &mut second);
    assert_eq!(second.spans.len(), 1, "the x before the end is no left neighbour");
}
