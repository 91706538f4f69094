//! Audit records as they travel: OpenTelemetry's logs in JSON, of which each body is a record.

mod origin;

use std::io::{self, BufRead};

pub use origin::Origin;
use serde_json::{Map, Value};

/// A log record: the body, which is the audit record, and what a collector kept beside it.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The body, to the byte.
    pub body: String,
    /// Names and values, as OTLP writes them.
    pub attributes: Vec<(String, Value)>,
}

/// Why records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A collector cannot be asked.
    #[error("cannot be asked: {0}")]
    Call(Box<ureq::Error>),
    /// A token would be sent without TLS.
    #[error(
        "is asked without TLS, where the token in PORTCULLIS_TOKEN could be read on the way: use https, or a tunnel to localhost"
    )]
    Readable,
    /// A collector gives none.
    #[error("answered with status {status}: {said}; {help}")]
    Status {
        /// Of the answer.
        status: u16,
        /// What it says.
        said: String,
        /// What can be done.
        help: &'static str,
    },
    /// A line is none of ours.
    #[error(
        "line {line} holds no audit record: a line is one batch or one log record as the collector wrote it (OTLP in JSON), or the body of one"
    )]
    Line {
        /// From 1.
        line: usize,
    },
}

impl Log {
    /// The audit record; `None`: it is none.
    pub fn record(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(&self.body).ok().filter(|record: &Map<_, _>| record.contains_key("event.name"))
    }
}

/// Reads records in their order, one batch or one record a line.
///
/// # Errors
/// They cannot be read, or a line is no record.
pub fn read(origin: &Origin, take: impl FnMut(Log)) -> Result<(), ReadError> {
    lines(origin.open()?, take)
}

/// The same of lines.
///
/// # Errors
/// They cannot be read, or one is no record.
pub fn lines(lines: impl BufRead, mut take: impl FnMut(Log)) -> Result<(), ReadError> {
    for (at, line) in lines.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        of_line(&line).ok_or(ReadError::Line { line: at.saturating_add(1) })?.into_iter().for_each(&mut take);
    }
    Ok(())
}

fn of_line(line: &[u8]) -> Option<Vec<Log>> {
    match serde_json::from_slice(line).ok()? {
        Value::Object(record) if record.contains_key("event.name") => {
            let body = std::str::from_utf8(line).ok()?.trim().to_owned();
            Some(vec![Log { body, attributes: Vec::new() }])
        }
        Value::Object(batch) if batch.contains_key("resourceLogs") => Some(logs(&Value::Object(batch))),
        Value::Object(record) if record.contains_key("body") => {
            Some(log(&Value::Object(record)).into_iter().collect())
        }
        _ => None,
    }
}

/// The records of one batch (an `ExportLogsServiceRequest`), in order; what is none is passed over.
pub fn of_batch(json: &[u8]) -> Vec<Map<String, Value>> {
    let Ok(batch) = serde_json::from_slice::<Value>(json) else { return Vec::new() };
    logs(&batch).iter().filter_map(Log::record).collect()
}

fn logs(batch: &Value) -> Vec<Log> {
    let scopes = list(batch, "resourceLogs").iter().flat_map(|resource| list(resource, "scopeLogs"));
    let logs = scopes.flat_map(|scope| list(scope, "logRecords"));
    logs.filter_map(log).collect()
}

fn log(log: &Value) -> Option<Log> {
    let body = log.get("body")?.get("stringValue")?.as_str()?.to_owned();
    let attribute = |attribute: &Value| {
        Some((attribute.get("key")?.as_str()?.to_owned(), attribute.get("value")?.clone()))
    };
    Some(Log { body, attributes: list(log, "attributes").iter().filter_map(attribute).collect() })
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
