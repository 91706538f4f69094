//! Builds the masker's automata from the table of detectors, and says which commit is being built.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs while building, on our own table"
)]
#[path = "build/buckets.rs"]
mod buckets;
#[path = "build/emit.rs"]
mod emit;
#[path = "filter/mask/grammar/mod.rs"]
#[allow(dead_code, reason = "the filter uses the rest")]
mod grammar;
#[path = "build/revision.rs"]
mod revision;
#[path = "build/table.rs"]
mod table;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, process};

const TABLE: &str = "filter/mask/detectors.toml";

fn main() {
    for watched in [TABLE, "filter/mask/grammar", "build.rs", "build"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    revision::emit();
    // A trap prints the names of functions. Tests, too, are linked for WebAssembly, and have theirs as they are.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "wasi") {
        println!("cargo::rustc-link-arg-cdylib=--demangle");
    }
    if let Err(error) = build_tables() {
        println!("cargo::error={TABLE}: {}", error.replace('\n', " "));
        process::exit(1);
    }
}

fn build_tables() -> Result<(), String> {
    let source = fs::read_to_string(TABLE).map_err(|e| e.to_string())?;
    let table = table::Table::parse(&source)?;
    let groups = table.groups();
    let tables = table::compile(&table, &groups)?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?);
    let write = |name: &str, text: String| fs::write(out.join(name), text).map_err(|e| e.to_string());
    write("mask_tables.rs", emit::tables(&table, &groups, &tables))?;
    write("mask_sizes.txt", sizes(&groups, &tables))?;
    write("mask_examples.rs", emit::examples(&table))
}

/// How large each group is: whoever adds rows looks here (`cat target/*/build/portcullis-*/out/mask_sizes.txt`).
fn sizes(groups: &[table::Group<'_>], tables: &[grammar::Tables]) -> String {
    let mut out = String::from("group           rows  states  classes   bytes\n");
    let mut sum = 0;
    for (group, tables) in groups.iter().zip(tables) {
        sum += tables.bytes();
        let (rows, states, classes) = (group.rows.len(), tables.states(), tables.classes);
        let _ = writeln!(out, "{:<14} {rows:>5} {states:>7} {classes:>8} {:>7}", group.name, tables.bytes());
    }
    let _ = writeln!(out, "{:<37} {sum:>7}", "all");
    out
}
