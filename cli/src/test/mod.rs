//! Tests of policies: `test`.
//!
//! They stand beside the policies in `*_test.yaml`: who asks what, what the upstream would answer, and what must come
//! of it. Each is played by the code that runs in the module, on a proxy made of memory: the caller has a signed
//! token, the bodies are read, judged, rewritten and masked, and what a case calls the record is the one that would go
//! to the collector.
//!
//! | file | holds |
//! |---|---|
//! | [`format`], [`case`], [`read`] | a test file: its keys, what they give, how they are read |
//! | [`token`] | callers of tests, signed for |
//! | [`play`] | one case, played |
//! | [`judge`], [`events`] | what was expected against what came |
//! | [`coverage`] | which rules held in some case |
//! | [`report`] | what is printed |

mod case;
mod coverage;
mod events;
mod format;
mod judge;
mod play;
mod read;
mod report;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use portcullis::config::set::{Bundle, HostPromises, Place};
use portcullis::config::{Problem, parse};
use portcullis::exchange::guard::Guard;

use crate::report::Format;
use crate::source::{self, Source};
use coverage::Coverage;
use judge::Difference;
use play::Stage;

/// What `test` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// The policy set: a directory of *.yaml files with *_test.yaml beside them, or one file.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// How results are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only tests whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Fail where a rule held in no test.
    #[arg(long, conflicts_with = "only")]
    cover: bool,
}

/// What came of one case.
struct Tried {
    name: String,
    place: Place,
    differences: Vec<Difference>,
    /// What the filter logged in a case that failed.
    log: Vec<String>,
}

impl Tried {
    fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Plays all cases; the exit code is 1 where one fails, or the set or a test is wrong.
pub fn run(options: &Options) -> ExitCode {
    let mut source = source::read(&options.dir);
    match tried(&mut source, options) {
        Ok((tried, share)) => {
            crate::commands::print(&report::write(&tried, &share, options.format));
            let covered = !options.cover || share.never.is_empty();
            let fine = covered && tried.iter().all(Tried::holds);
            if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(mut problems) => {
            parse::sort(&mut problems);
            let text = crate::report::write(&problems, options.format, &source.texts);
            match options.format {
                Format::Text => eprint!("{text}"),
                Format::Json | Format::Github => crate::commands::print(&text),
            }
            ExitCode::FAILURE
        }
    }
}

fn tried(source: &mut Source, options: &Options) -> Result<(Vec<Tried>, coverage::Share), Vec<Problem>> {
    let bundle = bundle(source)?;
    let files = files(source, &options.dir)?;
    let mut coverage = Coverage::default();
    let mut tried = Vec::new();
    for file in files {
        let stage = Stage::set(bundle.clone(), &file.env)?;
        for case in file.cases.iter().filter(|case| wanted(case, options)) {
            tried.push(one(&stage, case, &mut coverage));
        }
    }
    if tried.is_empty() {
        return Err(vec![none(options)]);
    }
    Ok((tried, coverage.of(&bundle.set)))
}

/// Nothing was played, which must not pass for tests that hold.
fn none(options: &Options) -> Problem {
    match &options.only {
        Some(only) => source::about(&options.dir, &format!("has no test whose name holds `{only}`")),
        None => without(&options.dir),
    }
}

fn without(dir: &Path) -> Problem {
    source::about(dir, "has no tests").help("tests stand beside the policies, in files named *_test.yaml")
}

fn wanted(case: &case::Case, options: &Options) -> bool {
    options.only.as_ref().is_none_or(|text| case.name.contains(text.as_str()))
}

fn one(stage: &Stage, case: &case::Case, coverage: &mut Coverage) -> Tried {
    let (differences, log) = match stage.play(case) {
        Ok(outcome) => {
            coverage.add(&outcome.record);
            (judge::judge(case, &outcome), outcome.log)
        }
        Err(how) => (vec![Difference { what: "identity".to_owned(), how }], Vec::new()),
    };
    let log = if differences.is_empty() { Vec::new() } else { log };
    Tried { name: case.name.clone(), place: case.place.clone(), differences, log }
}

fn bundle(source: &Source) -> Result<Bundle, Vec<Problem>> {
    let root = source.root.as_ref().filter(|_| source.problems.is_empty());
    let Some(root) = root else { return Err(source.problems.clone()) };
    let host = HostPromises { body_before_headers: true };
    let (bundle, _) =
        Bundle::of(root, crate::revision::UNVERSIONED, host).map_err(|_| Guard::faults(root, host))?;
    let problems = crate::commands::compile_problems(&bundle);
    if problems.is_empty() { Ok(bundle) } else { Err(problems) }
}

/// The test files beside a set, read.
fn files(source: &mut Source, dir: &Path) -> Result<Vec<case::File>, Vec<Problem>> {
    let paths = source::tests(dir).map_err(|problem| vec![*problem])?;
    if paths.is_empty() {
        return Err(vec![without(dir)]);
    }
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let read = source.documents(&path).and_then(case::read);
        match read {
            Ok(file) => files.push(file),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}
