//! What another set would have done with exchanges that were recorded: `simulate`.
//!
//! Each exchange is judged again from its end record, by the conditions of the set that is given, and compared with
//! what was decided then. What a record does not tell is named, not guessed.

mod change;
mod exchanges;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use portcullis::config::Problem;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::exchange::guard::Guard;
use portcullis::exchange::replay::{self, Recorded};
use portcullis::policy::Variable;

use crate::records::Origin;
use crate::source::{self, Source};
use change::{Change, Judged};
use exchanges::Exchanges;

/// Something would be answered otherwise, or no longer masked.
const CHANGES: u8 = 3;

/// What `simulate` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// Records, a batch or a record in JSON a line, as an OpenTelemetry collector writes them: a file, `-` for the standard
    /// input, or the address of a Portcullis collector (with a token in PORTCULLIS_TOKEN, where it asks for one).
    #[arg(long, value_name = "FILE|URL")]
    records: Origin,
    /// The policy set that judges: a directory of *.yaml files, or one file.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// How results are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Name the exchanges of each change.
    #[arg(long)]
    list: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// What came of it.
pub struct Simulated {
    judged: Vec<Judged>,
    /// Exchanges that no policy decided, by reason.
    passed_over: BTreeMap<String, usize>,
    notes: Vec<String>,
}

impl Simulated {
    /// Whether anything changes for callers.
    fn changes(&self) -> bool {
        self.judged.iter().any(|judged| judged.changes.iter().any(Change::is_felt))
    }
}

/// Judges all; the exit code is 3 where something would be answered otherwise, or no longer masked.
pub fn run(options: &Options) -> ExitCode {
    let source = source::read(&options.dir);
    match simulated(&source, options) {
        Ok(simulated) => {
            crate::commands::print(&match options.format {
                Format::Text => report::text(&simulated, options.list),
                Format::Json => report::json(&simulated),
            });
            if simulated.changes() { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS }
        }
        Err(problems) => {
            eprint!("{}", crate::report::write(&problems, crate::report::Format::Text, &source.texts));
            ExitCode::FAILURE
        }
    }
}

fn simulated(source: &Source, options: &Options) -> Result<Simulated, Vec<Problem>> {
    let root = source.root.as_ref().filter(|_| source.problems.is_empty());
    let Some(root) = root else { return Err(source.problems.clone()) };
    let host = HostPromises { body_before_headers: true };
    let (bundle, _) =
        Bundle::of(root, crate::revision::UNVERSIONED, host).map_err(|_| Guard::faults(root, host))?;
    let guard = Guard::compile(&bundle, None)?;
    let about = |what: &str| vec![source::about(Path::new(&options.records.to_string()), what)];
    let exchanges = exchanges::read(&options.records).map_err(|error| about(&error.to_string()))?;
    if exchanges.is_empty() {
        return Err(about("holds no audit record"));
    }
    Ok(judge(&bundle, &guard, exchanges))
}

fn judge(bundle: &Bundle, guard: &Guard, exchanges: Exchanges) -> Simulated {
    let mut simulated = Simulated { judged: Vec::new(), passed_over: BTreeMap::new(), notes: Vec::new() };
    for record in exchanges.ended {
        let recorded = Recorded::of(record);
        if let Some(reason) = change::passed_over(&recorded) {
            let count = simulated.passed_over.entry(reason.to_owned()).or_default();
            *count = count.saturating_add(1);
            continue;
        }
        let replay = replay::replay(&bundle.set, guard, &recorded);
        let digest = bundle.policy_digests.get(&replay.policy);
        let unchanged = digest.is_some_and(|digest| digest == recorded.text("portcullis.policy_digest"))
            && replay.connection == recorded.text("portcullis.connection");
        simulated.judged.push(change::compare(&recorded, replay, unchanged));
    }
    simulated.notes = notes(guard, exchanges.summed);
    simulated
}

fn notes(guard: &Guard, summed: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if summed > 0 {
        notes.push(format!("{summed} refusals before identity were summed up when they were recorded"));
    }
    if guard.lanes.iter().filter_map(|lane| lane.policy.as_ref()).any(|policy| !policy.budgets.is_empty()) {
        notes.push("budgets are not judged: what was left of them no record tells".to_owned());
    }
    let readers = replay::readers(guard, Variable::PromptEntities);
    if !readers.is_empty() {
        let readers: Vec<String> = readers.into_iter().collect();
        notes.push(format!(
            "{} read prompt.entities, of which records tell what the policy of that time looked for",
            readers.join(", ")
        ));
    }
    notes
}
