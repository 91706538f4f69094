//! The worker's side of the collector: records on their way to it, and the exchanges that may not go on before it has
//! taken the record of their start.
//!
//! One batch is on its way at a time, so records arrive in the order of their chain. An exchange that waits makes the
//! batch go at once, by a turn of the worker that it asks for: many that wait share a batch. When a batch fails, all that
//! wait are refused: what cannot be recorded does not go upstream.

use std::cell::Cell;
use std::fmt::Display;
use std::time::Duration;

use super::environment::{Env, fill};
use super::health::Health;
use super::metrics;
use super::service::{Asked, Service};
use super::worker::{Awaited, Worker};
use crate::audit::otlp::{Encoding, Resource, Wire};
use crate::audit::signature::Signer;
use crate::audit::{self, Answer, Fate, Limits, Record, Recorded, Recorder, Text};
use crate::config::Problem;
use crate::config::set::{self, Delivery, Template};
use crate::host::{CallId, Host, Level, Reply};

/// Longest wait after a failure where calls wait for records: they shall go on soon after the collector does.
const RETRY_SOON: Duration = Duration::from_secs(1);
/// Tries of a batch there, for its records are not given up sooner than otherwise.
const TRIES: u32 = 60;
/// Most bytes that are compressed at once: the worker does nothing else meanwhile.
const MOST_PACKED: usize = 64 << 10;

/// The collector of a worker.
pub(super) struct Collector {
    service: Service,
    /// Whether calls wait for their record.
    before_forward: bool,
    /// The batch under way.
    flight: Cell<Option<(CallId, audit::Ticket)>>,
    /// The last record that it has taken.
    taken: Cell<u64>,
    /// Whether it took the last batch.
    health: Health,
}

impl Collector {
    pub(super) fn of(audit: &set::Audit, env: &Env<'_>, problems: &mut Vec<Problem>) -> Option<Self> {
        Some(Self {
            service: Service::compile(&audit.cluster, Some(env), problems)?,
            before_forward: audit.delivery == Delivery::BeforeForward,
            flight: Cell::new(None),
            taken: Cell::new(0),
            health: Health::new("the collector takes no records", "the collector takes records again"),
        })
    }
}

/// How the set wants its records written down.
fn wire(audit: &set::Audit) -> Wire {
    let encoding = match audit.encoding {
        set::Encoding::Json => Encoding::Json,
        set::Encoding::Protobuf => Encoding::Protobuf,
    };
    Wire { encoding, gzip: audit.compression == set::Compression::Gzip }
}

/// Who signs the anchors of a set's records.
pub(super) fn signer(template: &Template, env: &Env<'_>, problems: &mut Vec<Problem>) -> Option<Signer> {
    let seed = fill(template, env, &mut Vec::new(), problems)?;
    let signer = Signer::of_seed(&seed);
    let wrong = |error| {
        Problem::error(&template.place, format!("the key that anchors are signed under {error}"))
            .help("make one with `openssl rand -base64 32`")
    };
    signer.map_err(|error| problems.push(wrong(error))).ok()
}

/// The recorder of a worker.
pub(super) fn recorder(
    chain: [u8; 16],
    host: &dyn Host,
    audit: Option<&set::Audit>,
    signer: Option<Signer>,
) -> Recorder {
    let node = host.property(&["xds", "node", "id"]).filter(|id| !id.is_empty());
    let resource = Resource {
        version: Text::from(env!("CARGO_PKG_VERSION")),
        instance: node.map(|id| Text::lossy(&id)),
        host: None,
    };
    let wire = audit.map(wire).unwrap_or_default();
    let mut limits = Limits::default();
    if audit.is_some_and(|audit| audit.delivery == Delivery::BeforeForward) {
        limits = Limits { longest_retry: RETRY_SOON, tries: TRIES, ..limits };
    }
    if wire.gzip {
        limits.batch_bytes = MOST_PACKED;
    }
    let recorder = Recorder::new(chain, &resource, limits).speaking(wire, &resource);
    match signer {
        Some(signer) => recorder.signing(signer),
        None => recorder,
    }
}

impl Worker {
    /// Whether exchanges are recorded.
    pub(super) fn audits(&self) -> bool {
        self.collector.is_some()
    }

    /// Takes a record for the collector; `None`: there is none.
    pub(super) fn record(&self, host: &dyn Host, record: &Record) -> Option<Recorded> {
        self.collector.as_ref()?;
        if !self.recorder.borrow().has_begun() {
            self.succeed(host);
        }
        let recorded = self.recorder.borrow_mut().record(host.now(), record);
        if let Recorded::Lost(seq) = recorded {
            host.count(&metrics::records("dropped"), 1);
            host.log(Level::Debug, &format!("the queue of records is full: record {seq} is lost"));
        }
        Some(recorded)
    }

    /// Whether calls are recorded.
    pub(super) fn records(&self) -> bool {
        self.collector.is_some()
    }

    /// Whether nothing may go upstream before the collector has the record of its start.
    pub(super) fn records_first(&self) -> bool {
        self.collector.as_ref().is_some_and(|collector| collector.before_forward)
    }

    /// An exchange waits until the collector has taken this record, no longer than one call to it may take.
    pub(super) fn await_record(&self, host: &dyn Host, context: u32, seq: u64) {
        let long = self.collector.as_ref().map(|collector| collector.service.timeout).unwrap_or_default();
        self.wait(host, context, Awaited::Record(seq), long);
        self.recorder.borrow_mut().hurry();
        host.hasten();
    }

    /// Whether the collector has taken this record: asked by the exchange that waited, when its wait is over.
    pub(super) fn has_recorded(&self, seq: u64) -> bool {
        self.collector.as_ref().is_some_and(|collector| seq <= collector.taken.get())
    }

    /// Sends the next batch, if its time has come; gives the exchanges to wake, where it cannot be sent. Only from the
    /// root.
    pub(super) fn send(&self, host: &dyn Host) -> Vec<u32> {
        let Some(collector) = &self.collector else { return Vec::new() };
        if !self.is_leaving() && self.recorder.borrow().anchor_is_due(host.now()) {
            self.succeed(host);
        }
        let Some(batch) = self.recorder.borrow_mut().next_batch(host.now()) else {
            self.show_queue(host);
            return Vec::new();
        };
        let asked = Asked {
            path: collector.service.path_or("/v1/logs"),
            headers: batch.wire.headers(),
            ..Asked::POST
        };
        let woken = match host.call(&collector.service.call(&asked, batch.body)) {
            Ok(id) => {
                collector.flight.set(Some((id, batch.ticket)));
                Vec::new()
            }
            Err(error) => self.settle(host, batch.ticket, &Answer::Broken, &error.to_string()),
        };
        self.show_queue(host);
        woken
    }

    /// Takes the collector's answer to a batch; gives the exchanges to wake.
    pub(super) fn delivered(&self, host: &dyn Host, call: CallId, reply: &Reply) -> Vec<u32> {
        let Some(collector) = &self.collector else { return Vec::new() };
        let Some((flight, ticket)) = collector.flight.get() else { return Vec::new() };
        if flight != call {
            return Vec::new();
        }
        collector.flight.set(None);
        let mut woken = match reply {
            Reply::Broken => self.settle(host, ticket, &Answer::Broken, "its answer broke off"),
            Reply::Answer { status, headers, body } => {
                let retry_after = headers.iter().find(|(name, _)| name == b"retry-after");
                let retry_after = retry_after.map(|(_, value)| value.as_slice());
                let answer = Answer::Status { status: *status, retry_after, body };
                self.settle(host, ticket, &answer, &format!("it answered with status {status}"))
            }
        };
        self.show_queue(host);
        if collector.before_forward {
            // Others may wait already for the batch after this one.
            woken.extend(self.send(host));
        }
        woken
    }

    fn settle(&self, host: &dyn Host, ticket: audit::Ticket, answer: &Answer<'_>, why: &str) -> Vec<u32> {
        let mut recorder = self.recorder.borrow_mut();
        let before = recorder.stats();
        let fate = recorder.delivered(ticket, host.now(), answer);
        let after = recorder.stats();
        drop(recorder);
        host.count(
            &metrics::records("delivered"),
            after.delivered_total.saturating_sub(before.delivered_total),
        );
        host.count(&metrics::records("dropped"), after.dropped_total.saturating_sub(before.dropped_total));
        let failed = after.failed_batches > before.failed_batches;
        if failed {
            host.count(&metrics::records("failed_batch"), 1);
        }
        if let Some(collector) = &self.collector {
            collector.health.note(host, failed.then_some(&why as &dyn Display));
        }
        match fate {
            Fate::Settled => Vec::new(),
            Fate::Failed => self.woken(|what, _| matches!(what, Awaited::Record(_))),
            Fate::Taken(last) => {
                if let Some(collector) = &self.collector {
                    collector.taken.set(last);
                }
                self.woken(|what, _| matches!(what, Awaited::Record(seq) if seq <= last))
            }
        }
    }

    fn show_queue(&self, host: &dyn Host) {
        let queued = i64::try_from(self.recorder.borrow().stats().queued).unwrap_or(i64::MAX);
        let before = self.queued.replace(queued);
        host.shift(&metrics::queue(), queued.saturating_sub(before));
    }
}
