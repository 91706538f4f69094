//! A worker as the filter has one: the real recorder, with a clock of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis::audit::otlp::Resource;
use portcullis::audit::{Batch, EndRecord, Facts, Limits, Record, Recorder, StartRecord, Text};

use super::http::request;

pub const START: u64 = 1_795_363_161_000_000_000;
pub const SECOND: u64 = 1_000_000_000;

pub struct Worker {
    pub recorder: Recorder,
    pub now: u64,
    exchanges: u64,
    /// Ids of records that the collector acknowledged.
    pub acknowledged: BTreeSet<String>,
}

impl Worker {
    /// Whose chain is this number sixteen times.
    pub fn new(id: u8) -> Self {
        Self::with(id, Limits::default())
    }

    pub fn with(id: u8, limits: Limits) -> Self {
        let limits = Limits { longest_retry: Duration::from_secs(1), tries: 1_000_000, ..limits };
        let resource = Resource { version: Text::from("0.1.0"), ..Resource::default() };
        let recorder = Recorder::new([id; 16], &resource, limits);
        Self { recorder, now: START, exchanges: 0, acknowledged: BTreeSet::new() }
    }

    /// An exchange: two records.
    pub fn exchange(&mut self) {
        self.exchanges += 1;
        let facts = Facts {
            exchange: Text::from(format!("{}-{}", self.recorder.chain_id(), self.exchanges)),
            user_id: Some(Text::from("https://idp.example.com#alice")),
            groups: ["engineering", "rag-users"].into_iter().collect(),
            // What a caller may name a model.
            model: Some(Text::from("gpt-\u{0}\"'; DROP TABLE records; --\u{1f600}")),
            prompt_chars: Some(12.into()),
            stream: Some(true),
            ..Facts::default()
        };
        let start = StartRecord { facts: facts.clone(), ..StartRecord::default() };
        self.recorder.record(self.now, &Record::Start(Box::new(start)));
        self.recorder.record(self.now, &Record::End(Box::new(EndRecord { facts, ..EndRecord::default() })));
    }

    /// So many exchanges, as one batch.
    pub fn batch(&mut self, exchanges: usize) -> Batch {
        (0..exchanges).for_each(|_| self.exchange());
        self.next().expect("a batch")
    }

    /// What is to be sent, once its time has come.
    pub fn next(&mut self) -> Option<Batch> {
        // Longer than any wait.
        self.now += 2 * SECOND;
        self.recorder.next_batch(self.now)
    }

    /// The collector has it.
    pub fn taken(&mut self, batch: &Batch) {
        let answer = portcullis::audit::Answer::Status { status: 200, retry_after: None, body: b"{}" };
        self.recorder.delivered(batch.ticket, self.now, &answer);
    }

    /// Sends what is to be sent; true: it was acknowledged.
    pub fn send(&mut self, address: SocketAddr) -> bool {
        let Some(batch) = self.next() else { return false };
        let headers = [("content-type", "application/json")];
        let answer = request(address, "POST", "/v1/logs", &headers, &batch.body);
        let Ok(answer) = answer else {
            self.recorder.delivered(batch.ticket, self.now, &portcullis::audit::Answer::Broken);
            return false;
        };
        let status = portcullis::audit::Answer::Status {
            status: answer.status,
            retry_after: None,
            body: &answer.body,
        };
        self.recorder.delivered(batch.ticket, self.now, &status);
        let acknowledged = answer.status == 200 && answer.body == b"{}";
        assert!(acknowledged || answer.status == 503, "{answer:?}");
        if acknowledged {
            self.acknowledged.extend(ids(&batch.body));
        }
        acknowledged
    }
}

/// Ids of the records of a batch.
pub fn ids(batch: &[u8]) -> Vec<String> {
    log_records(batch).iter().map(|record| id(record["body"]["stringValue"].as_str().unwrap())).collect()
}

/// The id of a body.
pub fn id(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["portcullis.record"].as_str().unwrap().to_owned()
}

/// The log records of a batch.
pub fn log_records(batch: &[u8]) -> Vec<serde_json::Value> {
    let batch: serde_json::Value = serde_json::from_slice(batch).unwrap();
    batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone()
}

/// A batch of these log records.
pub fn batch_of(records: &[serde_json::Value]) -> Vec<u8> {
    let batch = serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    batch.to_string().into_bytes()
}
