//! `audit open`: what was said, as it was said, for whoever holds a key that it is sealed to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use age::{Decryptor, Identity, IdentityFile};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value};

use super::Format;
use crate::records::{self, Origin};

/// Something could not be opened.
const UNOPENED: u8 = 3;

/// The two sides of an exchange, as records and people call them.
const SIDES: [(&str, &str); 2] = [("prompt", "prompt"), ("response", "answer")];

/// What `audit open` is told.
#[derive(Debug, Args)]
pub struct Open {
    /// Records, a batch or a record in JSON a line, as an OpenTelemetry collector writes them: a file, `-` for the standard
    /// input, or the address of a Portcullis collector (with a token in PORTCULLIS_TOKEN, where it asks for one).
    #[arg(value_name = "FILE|URL")]
    records: Origin,
    /// A file with secret keys, as `age-keygen` writes it. May be given several times.
    #[arg(short, long = "identity", value_name = "FILE", required = true)]
    identities: Vec<PathBuf>,
    /// This exchange alone.
    #[arg(long, value_name = "ID")]
    exchange: Option<String>,
    /// How it is written: exchange by exchange for people, or as the records, one a line, with their texts in the place of
    /// what was sealed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why something sealed cannot be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("is not base64")]
    Base64,
    #[error("is sealed to others: no key that was given opens it")]
    NoKey,
    #[error("is damaged: {0}")]
    Damaged(String),
}

type Identities = Vec<Box<dyn Identity + Send + Sync>>;

pub fn open(options: &Open) -> ExitCode {
    match run(options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(UNOPENED),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// How many texts could not be opened.
fn run(options: &Open) -> Result<usize, String> {
    let mut identities = Identities::new();
    for path in &options.identities {
        identities.extend(read_identities(path)?);
    }
    let (mut opened, mut faults) = (Vec::new(), 0usize);
    records::read(&options.records, |log| {
        let Some(mut record) = log.record() else { return };
        let id = text(&record, "portcullis.exchange").to_owned();
        if id.is_empty() || options.exchange.as_ref().is_some_and(|wanted| *wanted != id) {
            return;
        }
        for (side, _) in SIDES {
            if let Err(error) = open_side(&mut record, side, &identities) {
                faults = faults.saturating_add(1);
                let name = text(&record, "portcullis.record");
                eprintln!("{}: the {side} in record {} {error}", safe(&id), safe(name));
            }
        }
        opened.push(record);
    })
    .map_err(|error| format!("{}: {error}", options.records))?;
    if opened.is_empty() {
        return Err(match &options.exchange {
            Some(id) => format!("{}: holds no record of the exchange {id}", options.records),
            None => format!("{}: holds no record of an exchange", options.records),
        });
    }
    crate::commands::print(&match options.format {
        Format::Json => opened.into_iter().map(|record| Value::Object(record).to_string() + "\n").collect(),
        Format::Text => exchanges(&opened),
    });
    Ok(faults)
}

fn read_identities(path: &Path) -> Result<Identities, String> {
    let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let file = std::fs::File::open(path).map_err(|error| fault(&error))?;
    let read = IdentityFile::from_buffer(BufReader::new(file))
        .map_err(|error| fault(&format!("holds no secret key of age ({error})")))?;
    let identities = read.into_identities().map_err(|error| fault(&error))?;
    if identities.is_empty() {
        return Err(fault(&"holds no secret key of age; `age-keygen` makes one"));
    }
    Ok(identities)
}

/// Puts the texts of one side in the place of what they were sealed as.
fn open_side(record: &mut Map<String, Value>, side: &str, identities: &Identities) -> Result<(), OpenError> {
    let Some(Value::String(sealed)) = record.get(&format!("portcullis.{side}.sealed")) else { return Ok(()) };
    let texts = opened(sealed, identities)?;
    record.remove(&format!("portcullis.{side}.sealed"));
    record.insert(format!("portcullis.{side}.texts"), texts);
    Ok(())
}

fn opened(sealed: &str, identities: &Identities) -> Result<Value, OpenError> {
    let file = STANDARD.decode(sealed).map_err(|_| OpenError::Base64)?;
    let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged(error.to_string());
    let decryptor = Decryptor::new(&file[..]).map_err(|error| damaged(&error))?;
    let keys = identities.iter().map(|identity| &**identity as &dyn Identity);
    let mut reader = decryptor.decrypt(keys).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => OpenError::NoKey,
        other => damaged(&other),
    })?;
    let mut json = Vec::new();
    reader.read_to_end(&mut json).map_err(|error| damaged(&error))?;
    serde_json::from_slice(&json).map_err(|error| damaged(&error))
}

fn text<'r>(record: &'r Map<String, Value>, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Exchanges in the order of their first records, with their texts.
fn exchanges(records: &[Map<String, Value>]) -> String {
    let mut order: Vec<&str> = Vec::new();
    for record in records {
        let id = text(record, "portcullis.exchange");
        if !order.contains(&id) {
            order.push(id);
        }
    }
    let mut out = String::new();
    for id in order {
        let of: Vec<_> = records.iter().filter(|record| text(record, "portcullis.exchange") == id).collect();
        if !out.is_empty() {
            out.push('\n');
        }
        let first = |name: &str| of.iter().map(|record| text(record, name)).find(|text| !text.is_empty());
        let known =
            ["time", "user.id", "portcullis.connection", "gen_ai.request.model", "portcullis.decision"];
        let known: Vec<&str> = known.into_iter().filter_map(first).collect();
        // Writing to a text does not fail.
        let _ = writeln!(out, "{}", safe(&format!("{id}  {}", known.join("  "))).replace('\n', " "));
        for (side, called) in SIDES {
            write_side(&mut out, &of, side, called);
        }
    }
    out
}

fn write_side(out: &mut String, records: &[&Map<String, Value>], side: &str, called: &str) {
    let mut texts: BTreeMap<u64, String> = BTreeMap::new();
    for record in records {
        let pieces = record.get(&format!("portcullis.{side}.texts")).and_then(Value::as_array);
        for piece in pieces.into_iter().flatten() {
            let number = piece.get("of").and_then(Value::as_u64).unwrap_or_default();
            texts
                .entry(number)
                .or_default()
                .push_str(piece.get("text").and_then(Value::as_str).unwrap_or_default());
        }
    }
    let cut = records
        .iter()
        .map(|record| text(record, &format!("portcullis.{side}.cut")))
        .find(|cut| !cut.is_empty());
    if texts.is_empty() && cut.is_none() {
        return;
    }
    let _ = writeln!(out, "  {called}");
    for (number, text) in texts {
        let _ = writeln!(out, "    {number:>3}  {}", safe(&text).replace('\n', "\n         "));
    }
    if let Some(cut) = cut {
        let _ = writeln!(out, "    cut: {}", safe(cut));
    }
}

/// A text that came from outside, without what would steer a terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}
