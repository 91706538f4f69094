//! The exchanges of a file of records.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::records::{self, Log, Origin, ReadError};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// End records, in order.
    pub ended: Vec<Map<String, Value>>,
    /// Other records of ours: starts, anchors, summaries.
    pub others: usize,
    /// Refusals that were summed up instead of recorded one by one.
    pub summed: u64,
}

/// Reads records, as [`records::read`] does. Each counts once, however often it was delivered.
///
/// # Errors
/// The file cannot be read, or a line is no record.
pub fn read(origin: &Origin) -> Result<Exchanges, ReadError> {
    let mut gathering = Gathering::default();
    records::read(origin, |log| gathering.add(&log))?;
    Ok(gathering.exchanges)
}

#[derive(Default)]
struct Gathering {
    exchanges: Exchanges,
    seen: HashSet<String>,
}

impl Gathering {
    fn add(&mut self, log: &Log) {
        let Some(record) = log.record() else { return };
        let id = record.get("portcullis.record").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() || self.seen.insert(id.to_owned()) {
            self.exchanges.add(record);
        }
    }
}

impl Exchanges {
    /// Whether nothing was there that could be judged, or belongs to what can.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.others == 0
    }

    fn add(&mut self, record: Map<String, Value>) {
        match record.get("event.name").and_then(Value::as_str) {
            Some("portcullis.exchange.end") => self.ended.push(record),
            Some("portcullis.exchange.summary") => {
                let count = record.get("portcullis.summed.count").and_then(Value::as_u64);
                self.summed = self.summed.saturating_add(count.unwrap_or_default());
                self.others = self.others.saturating_add(1);
            }
            Some(name) if name.starts_with("portcullis.") => self.others = self.others.saturating_add(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_lines(lines: &str) -> Result<Exchanges, ReadError> {
        let mut gathering = Gathering::default();
        records::lines(lines.as_bytes(), |log| gathering.add(&log))?;
        Ok(gathering.exchanges)
    }

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
        let read = read_lines(&format!("{one}\n\n{batch}\n")).unwrap();
        assert_eq!((read.ended.len(), read.others), (1, 1));
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let read = read_lines("{\"resourceLogs\":[]}\n{\"a\":1}\n");
        assert!(read.unwrap_err().to_string().starts_with("line 2 holds no audit record"));
    }
}
