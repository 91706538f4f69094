//! [`Host`] on Envoy.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::TICK_MILLISECONDS;
use super::abi::{self, Buffer, Map, MetricKind, Stream};
use crate::host::{
    Call, CallError, CallId, Digest, Header, Host, Level, LocalAnswer, MOST_LABELS, Metric, Shared, Side,
};

/// Envoy, as the context that is effective at the time of a call.
pub(super) struct Envoy {
    /// The root's context.
    root: u32,
    /// The effective context.
    effective: Cell<u32>,
    /// When the event under way came, once somebody has asked: each question is a call into the proxy.
    now: Cell<Option<u64>>,
    /// Metrics are defined once: the proxy never forgets one. `None`: it refused.
    metrics: RefCell<Metrics>,
    /// Whether the next turn was asked for.
    hastened: Cell<bool>,
}

impl Envoy {
    /// Envoy as a root context sees it.
    pub(super) fn new(root: u32) -> Self {
        Self {
            root,
            effective: Cell::new(root),
            now: Cell::new(None),
            metrics: RefCell::default(),
            hastened: Cell::new(false),
        }
    }

    /// Notes that an event has come, and whose it is.
    pub(super) fn enter(&self, id: u32) {
        self.effective.set(id);
        self.now.set(None);
    }

    /// Makes the following calls act on another context; false when it is gone: then call nothing on its behalf.
    pub(super) fn act_as(&self, id: u32) -> bool {
        let there = abi::set_effective_context(id);
        if there {
            self.effective.set(id);
        }
        there
    }

    /// Goes back to turns at their usual times.
    pub(super) fn relax(&self) {
        if self.hastened.replace(false) {
            abi::set_tick_period(TICK_MILLISECONDS);
        }
    }

    fn metric(&self, metric: &Metric<'_>, kind: MetricKind) -> Option<u32> {
        if let Some(id) = self.metrics.borrow().get(metric) {
            return id;
        }
        let id = abi::define_metric(kind, &stat_name(metric));
        self.metrics.borrow_mut().add(metric, id);
        id
    }
}

/// The metrics that were defined, by a hash of name and values: asking for one takes no memory.
#[derive(Default)]
struct Metrics {
    hash: RandomState,
    known: HashMap<u64, Vec<Defined>>,
}

struct Defined {
    name: &'static str,
    values: [String; MOST_LABELS],
    id: Option<u32>,
}

impl Metrics {
    fn get(&self, metric: &Metric<'_>) -> Option<Option<u32>> {
        let alike = self.known.get(&self.hash.hash_one((metric.name, metric.values)))?;
        let is = |defined: &&Defined| defined.name == metric.name && defined.values == metric.values;
        alike.iter().find(is).map(|defined| defined.id)
    }

    #[cold]
    fn add(&mut self, metric: &Metric<'_>, id: Option<u32>) {
        let values = metric.values.map(str::to_owned);
        let hash = self.hash.hash_one((metric.name, metric.values));
        self.known.entry(hash).or_default().push(Defined { name: metric.name, values, id });
    }
}

/// Envoy's wasm metrics have no labels: they are written into the name, and `stats_tags` of the bootstrap (see
/// `portcullis render envoy`) reads them out again.
fn stat_name(metric: &Metric<'_>) -> String {
    let mut name = metric.name.to_owned();
    for (label, value) in metric.pairs() {
        name.push(';');
        name.push_str(label);
        name.push('=');
        name.extend(value.chars().map(|c| if matches!(c, '.' | ';' | '=') { '_' } else { c }));
    }
    name
}

fn headers_of(side: Side) -> Map {
    match side {
        Side::Request => Map::RequestHeaders,
        Side::Response => Map::ResponseHeaders,
    }
}

fn trailers_of(side: Side) -> Map {
    match side {
        Side::Request => Map::RequestTrailers,
        Side::Response => Map::ResponseTrailers,
    }
}

fn body_of(side: Side) -> Buffer {
    match side {
        Side::Request => Buffer::RequestBody,
        Side::Response => Buffer::ResponseBody,
    }
}

fn stream_of(side: Side) -> Stream {
    match side {
        Side::Request => Stream::Request,
        Side::Response => Stream::Response,
    }
}

impl Host for Envoy {
    fn now(&self) -> u64 {
        let now = self.now.get().unwrap_or_else(abi::now);
        self.now.set(Some(now));
        now
    }

    fn clock(&self) -> u64 {
        abi::now()
    }

    fn random(&self, into: &mut [u8]) -> bool {
        getrandom::fill(into).is_ok()
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        abi::log(level, message);
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        abi::property(path)
    }

    fn set_state(&self, name: &str, value: &[u8]) {
        abi::set_property(name, value);
    }

    fn headers(&self, side: Side) -> Vec<Header> {
        abi::map(headers_of(side))
    }

    fn set_header(&self, side: Side, name: &str, value: &[u8]) {
        abi::set(headers_of(side), name, value);
    }

    fn add_header(&self, side: Side, name: &str, value: &[u8]) {
        abi::add(headers_of(side), name, value);
    }

    fn remove_header(&self, side: Side, name: &str) {
        abi::remove(headers_of(side), name);
    }

    fn trailers(&self, side: Side) -> Vec<Header> {
        abi::map(trailers_of(side))
    }

    fn set_trailer(&self, side: Side, name: &str, value: &[u8]) {
        abi::set(trailers_of(side), name, value);
    }

    fn remove_trailer(&self, side: Side, name: &str) {
        abi::remove(trailers_of(side), name);
    }

    fn body(&self, side: Side, size: usize) -> Vec<u8> {
        // An end comes without a byte, and is no reason to go through the proxy.
        if size == 0 {
            return Vec::new();
        }
        abi::buffer(body_of(side), size).unwrap_or_default()
    }

    fn set_body(&self, side: Side, size: usize, with: &[u8]) -> bool {
        (size == 0 && with.is_empty()) || abi::set_buffer(body_of(side), size, with)
    }

    fn respond(&self, answer: &LocalAnswer) {
        let headers: Vec<(&str, &[u8])> =
            answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let grpc = answer.grpc_status.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
        abi::respond(answer.status, &headers, &answer.body, &answer.details, grpc);
    }

    fn resume(&self, side: Side) {
        abi::resume(stream_of(side));
    }

    fn reset(&self) {
        abi::close(Stream::Response);
    }

    fn hasten(&self) {
        if self.hastened.replace(true) {
            return;
        }
        // A stream's own turns are nobody's: they must be the root's.
        abi::set_effective_context(self.root);
        abi::set_tick_period(1);
        abi::set_effective_context(self.effective.get());
    }

    fn call(&self, call: &Call) -> Result<CallId, CallError> {
        let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = (!call.body.is_empty()).then_some(call.body.as_slice());
        proxy_wasm::hostcalls::dispatch_http_call(&call.cluster, headers, body, Vec::new(), call.timeout)
            .map_err(|status| match status {
                proxy_wasm::types::Status::BadArgument => CallError::UnknownCluster,
                _ => CallError::Unavailable,
            })
    }

    fn verify_signature(&self, digest: Digest, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        let digest = match digest {
            Digest::Sha256 => "sha256",
            Digest::Sha384 => "sha384",
            Digest::Sha512 => "sha512",
        };
        // Envoy's message `VerifySignatureArguments`: 1 hash, 2 key (DER), 3 signature, 4 text.
        let mut arguments = Vec::with_capacity(key.len().saturating_add(text.len()).saturating_add(512));
        for (tag, field) in [(0x0a_u8, digest.as_bytes()), (0x12, key), (0x1a, signature), (0x22, text)] {
            arguments.push(tag);
            varint(&mut arguments, field.len());
            arguments.extend_from_slice(field);
        }
        // A failed check answers without the bytes of `result: true`; a key the host cannot read is an error, and
        // then the module's own verifier decides.
        let answer = abi::foreign("verify_signature", &arguments).ok()?;
        Some(answer == [0x08, 0x01])
    }

    fn shared(&self, key: &str) -> Option<Shared> {
        abi::shared(key)
    }

    fn share(&self, key: &str, value: &[u8], seen: Option<u32>) -> bool {
        abi::share(key, value, seen.unwrap_or_default())
    }

    fn count(&self, metric: &Metric<'_>, by: u64) {
        if by == 0 {
            return;
        }
        if let (Some(id), Ok(by)) = (self.metric(metric, MetricKind::Counter), i64::try_from(by)) {
            abi::increment_metric(id, by);
        }
    }

    fn gauge(&self, metric: &Metric<'_>, value: u64) {
        if let Some(id) = self.metric(metric, MetricKind::Gauge) {
            abi::record_metric(id, value);
        }
    }

    fn shift(&self, metric: &Metric<'_>, by: i64) {
        if by == 0 {
            return;
        }
        if let Some(id) = self.metric(metric, MetricKind::Gauge) {
            abi::increment_metric(id, by);
        }
    }

    fn record(&self, metric: &Metric<'_>, value: u64) {
        if let Some(id) = self.metric(metric, MetricKind::Histogram) {
            abi::record_metric(id, value);
        }
    }
}

/// Protobuf's base-128 number.
fn varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap_or_default());
}
