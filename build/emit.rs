//! Writes the tables as Rust source: plain arrays, so that no target's byte order matters.
use std::collections::HashMap;
use std::fmt::Write as _;

use crate::automaton::Automaton;
use crate::table::{Detector, Table};
use crate::{checks, fingerprint};

pub fn tables(table: &Table, automaton: &Automaton) -> String {
    let mut out = String::from("// Written by build.rs.\n");
    masks(&mut out, automaton);
    array(&mut out, "BYTE_CLASS", "u8", &automaton.class_of);
    array(&mut out, "NEXT", "u16", &automaton.next);
    let _ = writeln!(out, "pub const CLASSES: usize = {};", automaton.classes);
    boundaries(&mut out, table);
    detectors(&mut out, table);
    fingerprints(&mut out, table, automaton);
    anchors(&mut out, table, automaton);
    entities(&mut out, table);
    out
}

/// The examples and the patterns as written, for tests.
pub fn examples(table: &Table) -> String {
    let mut out = String::from("// Written by build.rs.\n[\n");
    for d in &table.detectors {
        let set = |bytes: &[bool]| (0..256).filter(|&b| bytes[b]).map(|b| b as u8).collect::<Vec<_>>();
        let _ = writeln!(
            out,
            "Row {{ entity: {:?}, pattern: {:?}, not_after: &{:?}, not_before: &{:?}, validator: {}, longest_only: {}, matches: &{:?}, misses: &{:?} }},",
            d.entity,
            d.pattern,
            set(&d.left),
            set(&d.right),
            validator(d),
            d.longest_only,
            d.matches,
            d.misses
        );
    }
    out + "]\n"
}

fn array<T: std::fmt::Debug>(out: &mut String, name: &str, of: &str, values: &[T]) {
    let _ = writeln!(out, "pub static {name}: [{of}; {}] = {values:?};", values.len());
}

/// Few different pairs of masks stand for all states.
fn masks(out: &mut String, automaton: &Automaton) {
    let mut ids = HashMap::new();
    let mut pairs = Vec::new();
    let of_state: Vec<u16> = automaton
        .accept
        .iter()
        .zip(&automaton.reach)
        .map(|pair| {
            *ids.entry(pair).or_insert_with(|| {
                pairs.push((*pair.0, *pair.1));
                pairs.len() as u16 - 1
            })
        })
        .collect();
    array(out, "MASKS_OF", "u16", &of_state);
    array(out, "MASKS", "(u64, u64)", &pairs);
}

/// Which detectors may start after each byte, by one of few signatures, and which may end before it.
fn boundaries(out: &mut String, table: &Table) {
    let allowed = |byte: usize, side: fn(&Detector) -> &Vec<bool>| {
        table.detectors.iter().enumerate().fold(0u64, |m, (bit, d)| m | u64::from(!side(d)[byte]) << bit)
    };
    let mut signatures: Vec<u64> = Vec::new();
    let of_byte: Vec<u8> = (0..256)
        .map(|byte| {
            let mask = allowed(byte, |d| &d.left);
            let at = signatures.iter().position(|&s| s == mask).unwrap_or_else(|| {
                signatures.push(mask);
                signatures.len() - 1
            });
            at as u8
        })
        .collect();
    array(out, "AFTER", "u8", &of_byte);
    array(out, "SIGNATURES", "u64", &signatures);
    let before: Vec<u64> = (0..256).map(|byte| allowed(byte, |d| &d.right)).collect();
    array(out, "BEFORE", "u64", &before);
    let free = (0..256).fold(u64::MAX, |m, byte| m & allowed(byte, |d| &d.right));
    let _ = writeln!(out, "pub const BEFORE_ANY: u64 = {free};");
}

fn validator(d: &Detector) -> String {
    d.validator.as_ref().map_or("None".into(), |name| format!("Some(validators::{name})"))
}

fn detectors(out: &mut String, table: &Table) {
    let entities = table.entities();
    let _ = writeln!(out, "pub static DETECTORS: [Detector; {}] = [", table.detectors.len());
    for d in &table.detectors {
        let entity = entities.iter().position(|&e| e == d.entity).unwrap_or(0);
        let validator = validator(d);
        let _ = writeln!(out, "    Detector {{ entity: Entity({entity}), validator: {validator}}},");
    }
    out.push_str("];\n");
    let mask = |of: fn(&Detector) -> bool| {
        table.detectors.iter().enumerate().fold(0u64, |m, (bit, d)| m | u64::from(of(d)) << bit)
    };
    let unbounded =
        |d: &Detector| d.hir().is_ok_and(|hir| hir.properties().maximum_len().is_none()) && steady(d);
    let _ = writeln!(out, "pub const GROWING: u64 = {};", mask(unbounded));
    let _ = writeln!(out, "pub const PAST_LIMIT: u64 = {};", mask(|d| d.past_limit));
    let _ = writeln!(
        out,
        "pub const LAST_END_ONLY: u64 = {};",
        mask(|d| d.longest_only || d.validator.is_none())
    );
}

/// Whether a longer match of the detector is valid when a shorter one was.
fn steady(d: &Detector) -> bool {
    d.validator.as_deref().is_none_or(|name| name == "two_digits")
}

fn fingerprints(out: &mut String, table: &Table, automaton: &Automaton) {
    let rows = fingerprint::fingerprints(table, automaton);
    let _ = writeln!(out, "pub static FINGERPRINTS: [Option<Fingerprint>; {}] = [", rows.len());
    for row in rows {
        let _ = match row {
            Some((bucket, sets)) => {
                writeln!(out, "    Some(Fingerprint {{ bucket: {bucket}, sets: {sets:?} }}),")
            }
            None => writeln!(out, "    None,"),
        };
    }
    out.push_str("];\n");
}

fn anchors(out: &mut String, table: &Table, automaton: &Automaton) {
    let mut rows = Vec::new();
    for (bit, d) in table.detectors.iter().enumerate() {
        let Some(anchor) = d.anchor else { continue };
        match checks::run_before_anchor(automaton, bit, anchor as u8) {
            Ok((run, _)) if (0..256).any(|b| run[b] && !d.left[b]) => {
                println!(
                    "cargo::error={}: not_after must hold all that may come before the anchor",
                    d.entity
                );
            }
            Ok((run, longest)) => rows.push((bit, anchor as u8, run, longest)),
            Err(why) => println!("cargo::error={}: {why}", d.entity),
        }
    }
    let _ = writeln!(out, "pub static ANCHORS: [Anchor; {}] = [", rows.len());
    for (bit, byte, run, longest) in rows {
        let _ = writeln!(
            out,
            "    Anchor {{ detector: {bit}, byte: {byte}, run: {run:?}, longest: {longest} }},"
        );
    }
    out.push_str("];\n");
}

fn entities(out: &mut String, table: &Table) {
    let names = table.entities();
    array(out, "ENTITIES", "&str", &names);
    let mut sets: Vec<(&str, u64)> = Vec::new();
    for d in &table.detectors {
        for set in &d.sets {
            let at = sets.iter().position(|(name, _)| name == set).unwrap_or_else(|| {
                sets.push((set, 0));
                sets.len() - 1
            });
            let entity = names.iter().position(|&e| e == d.entity).unwrap_or(0);
            sets[at].1 |= 1 << entity;
        }
    }
    array(out, "SETS", "(&str, u64)", &sets);
}
