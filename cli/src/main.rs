//! `portcullis`: checks, bundles and renders policy sets.

mod commands;
mod envoy;
mod mask;
mod report;
mod revision;
mod source;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::run(commands::Arguments::parse())
}
