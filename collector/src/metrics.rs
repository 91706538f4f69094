//! Numbers for Prometheus, and whether the collector is well.
//!
//! Counters are of the process, so they stand in statics: who counts needs no handle.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::http::{App, problem};

/// A number that only grows.
pub struct Counter {
    name: &'static str,
    help: &'static str,
    count: AtomicU64,
}

/// Records that are new and on the disk.
pub static KEPT: Counter = Counter::new("records_kept_total", "Records that were new and are on the disk.");
/// Records that were there already.
pub static DOUBLED: Counter = Counter::new("records_doubled_total", "Records that came again.");
/// Alarms about records.
pub static ALERTS: Counter = Counter::new("alerts_total", "Alarms that were raised about records.");
/// Commits that the database refused.
pub static FAILED: Counter =
    Counter::new("commits_failed_total", "Commits that failed: the records are asked for again.");
/// Requests that were sent away.
pub static BUSY: Counter =
    Counter::new("requests_refused_total", "Requests refused with 503: their content was not kept.");
/// Reads on record.
pub static READS: Counter = Counter::new("reads_recorded_total", "Reads of records, each on record itself.");
/// Reads that were not.
pub static UNREAD: Counter =
    Counter::new("reads_refused_total", "Reads that could not be recorded, and were refused.");
/// Records that retention removed.
pub static REMOVED: Counter =
    Counter::new("records_removed_total", "Records that retention removed through this collector.");
/// Their bodies.
pub static REMOVED_BYTES: Counter =
    Counter::new("bytes_removed_total", "Bytes of the bodies of records that retention removed.");
/// Retention that broke off.
pub static UNREMOVED: Counter =
    Counter::new("retention_failed_total", "Times that retention was broken off by the database.");
/// Requests without a good token.
pub static STRANGERS: Counter = Counter::new(
    "unauthenticated_total",
    "Requests refused because nobody said who asks, or a token did not hold.",
);
/// Requests of people without the role.
pub static FORBIDDEN: Counter = Counter::new("forbidden_total", "Requests refused for want of a role.");

const ALL: [&Counter; 12] = [
    &KEPT,
    &DOUBLED,
    &ALERTS,
    &FAILED,
    &BUSY,
    &READS,
    &UNREAD,
    &REMOVED,
    &REMOVED_BYTES,
    &UNREMOVED,
    &STRANGERS,
    &FORBIDDEN,
];

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, count: AtomicU64::new(0) }
    }

    /// Counts so many.
    pub fn add(&self, count: usize) {
        self.count.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn write(&self, out: &mut String) {
        let (name, help, count) = (self.name, self.help, self.count.load(Ordering::Relaxed));
        let _ = writeln!(
            out,
            "# HELP portcullis_collector_{name} {help}\n# TYPE portcullis_collector_{name} counter\n\
             portcullis_collector_{name} {count}"
        );
    }
}

/// `GET /metrics`
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut out = String::new();
    ALL.iter().for_each(|counter| counter.write(&mut out));
    let ready = app.reader.last().await;
    let gauge = |name: &str, help: &str, value: i64| {
        format!(
            "# HELP portcullis_collector_{name} {help}\n# TYPE portcullis_collector_{name} gauge\n\
             portcullis_collector_{name} {value}\n"
        )
    };
    out.push_str(&gauge("up", "Whether the database can be read.", i64::from(ready.is_ok())));
    if let Ok(last) = ready {
        out.push_str(&gauge("last_record", "Number of arrival of the last record in the database.", last));
    }
    if let Ok(bytes) = app.reader.content().await {
        out.push_str(&gauge("content_bytes", "What --keep-bytes is compared with.", bytes));
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out).into_response()
}

/// `GET /healthz`: the process answers.
pub async fn healthy() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// `GET /readyz`: it can take and show records.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    if *app.stopping.borrow() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the collector is stopping");
    }
    match app.reader.last().await {
        Ok(_) => ([(CACHE_CONTROL, "no-store")], "ok\n").into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            problem(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read")
        }
    }
}
