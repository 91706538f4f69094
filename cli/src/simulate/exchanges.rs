//! The exchanges of a file of records.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use crate::records;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// End records, in order.
    pub ended: Vec<Map<String, Value>>,
    /// Other records: starts, anchors, summaries.
    pub others: usize,
    /// Refusals that were summed up instead of recorded one by one.
    pub summed: u64,
}

/// Why a file of records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is none of ours.
    #[error(
        "line {line} holds no audit record: a line is one batch as the collector wrote it (OTLP logs in JSON), or one record"
    )]
    Line {
        /// From 1.
        line: usize,
    },
}

/// Reads records, one batch or one record a line; `-` is the standard input. Each record counts once, however often it was
/// delivered.
///
/// # Errors
/// The file cannot be read, or a line is no record.
pub fn read(path: &Path) -> Result<Exchanges, ReadError> {
    if path == Path::new("-") {
        return read_lines(io::stdin().lock());
    }
    read_lines(BufReader::new(File::open(path)?))
}

fn read_lines(lines: impl BufRead) -> Result<Exchanges, ReadError> {
    let mut exchanges = Exchanges::default();
    let mut seen = std::collections::HashSet::new();
    for (at, line) in lines.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let records = of_line(&line).ok_or(ReadError::Line { line: at.saturating_add(1) })?;
        for record in records {
            let id = record.get("portcullis.record").and_then(Value::as_str).unwrap_or_default();
            if id.is_empty() || seen.insert(id.to_owned()) {
                exchanges.add(record);
            }
        }
    }
    Ok(exchanges)
}

fn of_line(line: &[u8]) -> Option<Vec<Map<String, Value>>> {
    match serde_json::from_slice(line).ok()? {
        Value::Object(record) if record.contains_key("event.name") => Some(vec![record]),
        Value::Object(batch) if batch.contains_key("resourceLogs") => Some(records::of_batch(line)),
        _ => None,
    }
}

impl Exchanges {
    fn add(&mut self, record: Map<String, Value>) {
        match record.get("event.name").and_then(Value::as_str) {
            Some("portcullis.exchange.end") => self.ended.push(record),
            Some("portcullis.exchange.summary") => {
                let count = record.get("portcullis.summed.count").and_then(Value::as_u64);
                self.summed = self.summed.saturating_add(count.unwrap_or_default());
                self.others = self.others.saturating_add(1);
            }
            _ => self.others = self.others.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_and_single_records_are_read_and_doubles_count_once() {
        let one = r#"{"event.name":"portcullis.exchange.end","portcullis.record":"a-1"}"#;
        let log = |body: &str| format!(r#"{{"body":{{"stringValue":{}}}}}"#, Value::from(body));
        let other = r#"{"event.name":"portcullis.chain.anchor","portcullis.record":"a-2"}"#;
        let batch = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{},{}]}}]}}]}}"#,
            log(one),
            log(other)
        );
        let read = read_lines(format!("{one}\n\n{batch}\n").as_bytes()).unwrap();
        assert_eq!((read.ended.len(), read.others), (1, 1));
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let read = read_lines("{\"resourceLogs\":[]}\n{\"a\":1}\n".as_bytes());
        assert!(read.unwrap_err().to_string().starts_with("line 2 holds no audit record"));
    }
}
