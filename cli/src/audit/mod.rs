//! What an auditor asks of records: `audit verify`, `audit open`, `audit public-key`.

mod open;
mod report;

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use portcullis::audit::signature::{Signer, Witness};
use portcullis::audit::verify::{ChainReport, Finding, Knowledge, Report, Stored, Verifier};

use crate::records::{self, Origin};

/// Records were changed, or are not there.
const DAMAGE: u8 = 3;

/// What `audit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say whether records are whole: none missing, changed, forged.
    #[command(
        after_help = "Exit codes: 0 whole, 1 the records cannot be read, 2 wrong arguments, 3 damaged, or not signed where --key asks for it."
    )]
    Verify(Verify),
    /// Show what was said: prompts and answers, those that are sealed to you among them.
    #[command(
        after_help = "Exit codes: 0 all is shown, 1 the records or keys cannot be read, 2 wrong arguments, 3 something is sealed to others, or damaged."
    )]
    Open(open::Open),
    /// Print the public key of a signing key, which is read from the standard input.
    PublicKey,
}

/// What `audit verify` is told.
#[derive(Debug, Args)]
pub struct Verify {
    /// Records, a batch or a record in JSON a line, as an OpenTelemetry collector writes them: a file, `-` for the standard
    /// input, or the address of a Portcullis collector (with a token in PORTCULLIS_TOKEN, where it asks for one).
    #[arg(value_name = "FILE|URL")]
    records: Origin,
    /// A public key that anchors must be signed under, in base64. May be given several times, for keys that followed
    /// one another.
    #[arg(long = "key", value_name = "KEY", value_parser = witness)]
    keys: Vec<Witness>,
    /// The file holds a part of the chains, such as a day: what stands before each chain's first record is not missed.
    #[arg(long)]
    partial: bool,
    /// How results are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs, in JSON.
    Json,
}

/// What `audit verify` found.
pub struct Verified {
    report: Report,
    /// Log records of others in the same file.
    others: usize,
    /// Whether anchors must be signed.
    signed: bool,
}

impl Verified {
    fn damage(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|finding| finding.is_damage())
    }

    /// Chains that no signature vouches for as far as one should by now.
    fn unproven(&self) -> impl Iterator<Item = &ChainReport> {
        let newest = self.report.chains.iter().map(|chain| chain.times.1.as_str()).max().unwrap_or_default();
        self.report.chains.iter().filter(move |chain| self.signed && report::is_unproven(chain, newest))
    }

    fn is_whole(&self) -> bool {
        self.damage().next().is_none() && self.unproven().next().is_none()
    }
}

/// Runs one of them.
pub fn run(command: &Command) -> ExitCode {
    match command {
        Command::Verify(options) => verify(options),
        Command::Open(options) => open::open(options),
        Command::PublicKey => public_key(),
    }
}

fn verify(options: &Verify) -> ExitCode {
    let mut verifier = Verifier::default();
    let mut others = 0usize;
    let read = records::read(&options.records, |log| {
        if is_ours(&log) {
            verifier.add(Stored { body: &log.body, attributes: &log.attributes });
        } else {
            others = others.saturating_add(1);
        }
    });
    if let Err(error) = read {
        eprintln!("error: {}: {error}", options.records);
        return ExitCode::FAILURE;
    }
    let known =
        Knowledge { witnesses: options.keys.clone(), partial: options.partial, ..Knowledge::default() };
    let verified = Verified { report: verifier.report(&known), others, signed: !options.keys.is_empty() };
    if verified.report.chains.is_empty() && verified.report.findings.is_empty() {
        eprintln!("error: {}: holds no audit record", options.records);
        return ExitCode::FAILURE;
    }
    crate::commands::print(&match options.format {
        Format::Text => report::text(&verified),
        Format::Json => format!("{:#}\n", report::json(&verified)),
    });
    if verified.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGE) }
}

/// Whether a log record is an audit record, or was one: its attributes tell, should its body not.
fn is_ours(log: &records::Log) -> bool {
    log.record().is_some_and(|record| record.contains_key("portcullis.chain.id"))
        || log.attributes.iter().any(|(name, _)| name == "portcullis.chain.id")
}

fn witness(text: &str) -> Result<Witness, String> {
    Witness::of_public(text)
        .map_err(|error| format!("{error}; `portcullis audit public-key` prints the one of a signing key"))
}

fn public_key() -> ExitCode {
    let mut seed = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut seed) {
        eprintln!("error: the standard input cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    match Signer::of_seed(&seed) {
        Ok(signer) => {
            crate::commands::print(&format!("{}\n", signer.public()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the signing key {error}; make one with `openssl rand -base64 32`");
            ExitCode::FAILURE
        }
    }
}
