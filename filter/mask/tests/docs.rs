//! The table of detectors in `docs/masking.md`.
use super::support::{everything, example, known, named, rows, whole};
use crate::mask::UPSTREAM_CREDENTIAL;
use crate::pages;

/// What is checked beside the pattern, for the entities of which something is.
const CHECKS: &[(&str, &str)] = &[
    ("OPENAI_KEY", "the form without a kind (`sk-…`) has two digits at least"),
    ("IBAN_CODE", "the country's length, and the check digits (ISO 7064)"),
    ("CREDIT_CARD", "a network's range, a length that it issues, and the check digit (Luhn)"),
    ("US_SSN", "area, group and serial that can be; separators are needed"),
    ("PHONE_NUMBER", "an assigned country code after `+`; without it North American numbers with separators"),
    ("IP_ADDRESS", "it parses; IPv6 has two groups and five hex digits at least"),
];

/// Most characters of a secret's example.
const SHOWN: usize = 26;

/// As much of a secret's example as nobody takes for a leak: half of it at most, and no detector finds it.
fn cut(secret: &str) -> String {
    let most = SHOWN.min(secret.len() / 2);
    let mut shown = (0..=most).rev().map(|len| &secret[..len]);
    let harmless = shown.find(|shown| whole(&everything(), shown.as_bytes()).is_empty());
    format!("{}…", harmless.unwrap())
}

fn look(entity: &str) -> String {
    let secret = known().names(named("SECRETS")).any(|name| name == entity);
    let shown = rows().into_iter().filter(|row| row.entity == entity).map(|row| {
        let (text, marks) = example(row.matches[0]);
        let value = String::from_utf8_lossy(&text[marks[0].clone()]).into_owned();
        if secret { cut(&value) } else { value }
    });
    let shown: Vec<String> = shown.collect();
    pages::words(shown.iter().map(String::as_str))
}

fn sets(entity: &str) -> String {
    let known = known();
    pages::words(known.sets().filter(|set| known.names(named(set)).any(|name| name == entity)))
}

fn checks(entity: &str) -> String {
    CHECKS.iter().find(|(of, _)| *of == entity).map_or("", |(_, check)| check).to_owned()
}

#[test]
fn the_page_lists_the_detectors() {
    let known = known();
    let rows = known
        .names(known.all())
        .map(|entity| vec![pages::words([entity]), sets(entity), look(entity), checks(entity)]);
    let table = pages::table(&["entity", "sets", "looks like", "also checked"], rows.collect::<Vec<_>>());
    pages::keep("masking.md", &[("detectors", table)]);
    assert!(pages::read("masking.md").contains(known.name(UPSTREAM_CREDENTIAL)));
}

#[test]
fn every_check_is_told() {
    let mut checked: Vec<&str> =
        rows().iter().filter(|row| row.validator.is_some()).map(|row| row.entity).collect();
    checked.dedup();
    let told: Vec<&str> = CHECKS.iter().map(|(entity, _)| *entity).collect();
    assert_eq!(checked, told);
}
