//! The table of detectors in `docs/detectors.md`.
use super::support::{Row, example, known, named, plan, rows, whole};
use crate::mask::{Plan, UPSTREAM_CREDENTIAL};
use crate::pages;

/// Most characters of a secret's example.
const SHOWN: usize = 26;

/// As much of a secret's example as nobody takes for a leak: half of it at most, and no detector finds it.
fn cut(secret: &str, plan: &Plan) -> String {
    let most = SHOWN.min(secret.len() / 2);
    let mut shown = (0..=most).rev().map(|len| &secret[..len]);
    let harmless = shown.find(|shown| whole(plan, shown.as_bytes()).is_empty());
    format!("{}…", harmless.unwrap())
}

fn look(entity: &str, plan: &Plan) -> String {
    let secret = known().names(named("SECRETS")).any(|name| name == entity);
    let shown = rows().into_iter().filter(|row| row.entity == entity).map(|row| {
        let (text, marks) = example(row.matches[0]);
        let value = String::from_utf8_lossy(&text[marks[0].clone()]).into_owned();
        if secret { cut(&value, plan) } else { value }
    });
    let shown: Vec<String> = shown.collect();
    pages::words(shown.iter().map(String::as_str))
}

fn sets(entity: &str) -> String {
    let known = known();
    pages::words(known.sets().filter(|set| known.names(named(set)).any(|name| name == entity)))
}

/// What is said of an entity's rows, each thing once.
fn said<'a>(entity: &str, of: impl Fn(&Row) -> &'a str) -> Vec<&'a str> {
    let mut said: Vec<&str> = Vec::new();
    for row in rows().iter().filter(|row| row.entity == entity) {
        if !of(row).is_empty() && !said.contains(&of(row)) {
            said.push(of(row));
        }
    }
    said
}

/// The words of which one must stand before a value, for the rows that need one.
fn context(entity: &str) -> String {
    let rows = rows();
    let mut words: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.entity == entity) {
        words.extend(row.context.iter().filter(|word| !words.contains(*word)).collect::<Vec<_>>());
    }
    pages::words(words.into_iter().take(4)) + if words_more(entity) { ", …" } else { "" }
}

fn words_more(entity: &str) -> bool {
    rows().iter().filter(|row| row.entity == entity).any(|row| row.context.len() > 4)
}

#[test]
fn the_page_lists_the_detectors() {
    let (known, plan) = (known(), plan(known().usual()));
    let rows = known.names(known.all()).map(|entity| {
        vec![
            pages::words([entity]),
            said(entity, |row| row.tier).join(", "),
            sets(entity),
            look(entity, &plan),
            said(entity, |row| row.about).join("; "),
            context(entity),
        ]
    });
    let heads = ["entity", "tier", "sets", "looks like", "also checked", "only after"];
    let table = pages::table(&heads, rows.collect::<Vec<_>>());
    pages::keep("detectors.md", &[("detectors", table)]);
    assert!(pages::read("masking.md").contains(known.name(UPSTREAM_CREDENTIAL)));
}

#[test]
fn every_check_is_told() {
    let untold: Vec<&str> = rows()
        .iter()
        .filter(|row| row.validator.is_some() && row.about.is_empty())
        .map(|row| row.entity)
        .collect();
    assert_eq!(untold, [""; 0]);
}
