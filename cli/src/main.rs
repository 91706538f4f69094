//! `portcullis`: checks, bundles and renders policy sets.

mod audit;
mod commands;
mod envoy;
mod mask;
mod records;
mod report;
mod revision;
mod simulate;
mod source;
mod test;
mod yaml;

#[cfg(test)]
#[path = "../../filter/pages.rs"]
#[allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "of tests, which use a part of it"
)]
mod pages;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::run(commands::Arguments::parse())
}
