//! The commit that is being built, as `PORTCULLIS_SOURCE_REVISION`; `unknown` outside a repository.
//!
//! The variable of the same name in the environment wins, for builds from an archive. Git's own files are watched,
//! and only those that exist: a watched file that is missing would make every build a rebuild.
use std::path::Path;
use std::process::Command;

const NAME: &str = "PORTCULLIS_SOURCE_REVISION";

pub fn emit() {
    println!("cargo::rerun-if-env-changed={NAME}");
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let given = std::env::var(NAME).ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(|| git(&["rev-parse", "HEAD"])).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env={NAME}={revision}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
