//! Builds the masker's automaton from the table of detectors, and says which commit is being built.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs while building, on our own table"
)]
#[path = "build/automaton.rs"]
mod automaton;
#[path = "build/checks.rs"]
mod checks;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/fingerprint.rs"]
mod fingerprint;
#[path = "build/revision.rs"]
mod revision;
#[path = "build/table.rs"]
mod table;

use std::path::PathBuf;
use std::{env, fs, process};

const TABLE: &str = "filter/mask/detectors.toml";

fn main() {
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    revision::emit();
    if let Err(error) = build_tables() {
        println!("cargo::error={TABLE}: {}", error.replace('\n', " "));
        process::exit(1);
    }
}

fn build_tables() -> Result<(), String> {
    let source = fs::read_to_string(TABLE).map_err(|e| e.to_string())?;
    let table = table::Table::parse(&source)?;
    checks::patterns(&table)?;
    let automaton = automaton::Automaton::build(&table)?;
    checks::automaton(&table, &automaton)?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?);
    let write = |name: &str, text: String| fs::write(out.join(name), text).map_err(|e| e.to_string());
    write("mask_tables.rs", emit::tables(&table, &automaton))?;
    write("mask_examples.rs", emit::examples(&table))
}
