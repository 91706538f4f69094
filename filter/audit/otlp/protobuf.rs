//! OTLP in protobuf, by the numbers of `opentelemetry/proto/logs/v1/logs.proto` and its kin.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Attribute, Log, Resource, SCHEMA_URL, SERVICE};

/// `LogRecord`.
#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(int32, tag = "2")]
    severity: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(fixed32, tag = "8")]
    flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    observed: u64,
    #[prost(string, tag = "12")]
    event: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

/// `Resource`.
#[derive(Clone, PartialEq, Message)]
struct Attributed {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

/// `ExportLogsServiceRequest.resource_logs`.
const RESOURCE_LOGS: u32 = 1;
/// `ResourceLogs.resource`, and `ScopeLogs.scope`.
const OF: u32 = 1;
/// `ResourceLogs.scope_logs`, and `ScopeLogs.log_records`.
const INNER: u32 = 2;
/// `schema_url` of both.
const SCHEMA: u32 = 3;

/// What stands around the records of a batch: fields of both messages, encoded.
#[derive(Debug)]
pub(super) struct Envelope {
    resource: Vec<u8>,
    scope: Vec<u8>,
    schema: Vec<u8>,
}

impl Envelope {
    pub fn new(resource: &Resource) -> Self {
        let attributes = resource.attributes();
        let attributes =
            attributes.map(|(key, value)| KeyValue { key: key.into(), value: Some(text(value)) }).collect();
        let scope = Scope { name: SERVICE.into(), version: resource.version.as_str().into() };
        let encoded = |number, content: &[u8]| {
            let mut out = Vec::new();
            field(&mut out, number, content);
            out
        };
        Self {
            resource: encoded(OF, &Attributed { attributes }.encode_to_vec()),
            scope: encoded(OF, &scope.encode_to_vec()),
            schema: encoded(SCHEMA, SCHEMA_URL.as_bytes()),
        }
    }

    pub fn seal<'a>(&self, records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        /// A key of one byte, and the longest length.
        const MOST_BEFORE: usize = 11;
        let room = |sum: usize, record: &[u8]| sum.saturating_add(record.len()).saturating_add(MOST_BEFORE);
        let mut logs = Vec::with_capacity(records.clone().fold(1024, room));
        logs.extend_from_slice(&self.scope);
        for record in records {
            field(&mut logs, INNER, record);
        }
        logs.extend_from_slice(&self.schema);
        let mut of_resource = Vec::with_capacity(room(1024, &logs));
        of_resource.extend_from_slice(&self.resource);
        field(&mut of_resource, INNER, &logs);
        of_resource.extend_from_slice(&self.schema);
        let mut out = Vec::with_capacity(room(0, &of_resource));
        field(&mut out, RESOURCE_LOGS, &of_resource);
        out
    }
}

pub(super) fn log_record(log: &Log<'_>) -> Vec<u8> {
    let (severity, trace) = (log.severity(), log.trace());
    let attributes = log.attributes();
    let record = LogRecord {
        time: log.now,
        severity: i32::from(severity.number),
        severity_text: severity.text.into(),
        body: Some(text(&log.draft.body)),
        attributes: attributes
            .map(|(name, value)| KeyValue { key: name.into(), value: Some(any(&value)) })
            .collect(),
        flags: trace.map_or(0, |trace| u32::from(trace.flags)),
        trace_id: trace.map_or_else(Vec::new, |trace| trace.trace_id.to_vec()),
        span_id: trace.map_or_else(Vec::new, |trace| trace.span_id.to_vec()),
        observed: log.now,
        event: log.event().into(),
    };
    record.encode_to_vec()
}

fn text(value: &str) -> AnyValue {
    AnyValue { kind: Some(Kind::Text(value.to_owned())) }
}

fn any(value: &Attribute<'_>) -> AnyValue {
    let kind = match value {
        Attribute::Text(value) => return text(value),
        Attribute::Texts(values) => {
            Kind::Array(ArrayValue { values: values.iter().map(|value| text(value)).collect() })
        }
        Attribute::Count(count) => Kind::Int(i64::try_from(*count).unwrap_or(i64::MAX)),
        // Read as whoever reads the body does, so that both are the same number.
        Attribute::Decimal(decimal) => Kind::Double(decimal.parse().unwrap_or_default()),
        Attribute::Flag(flag) => Kind::Flag(*flag),
    };
    AnyValue { kind: Some(kind) }
}

fn field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(u64::try_from(content.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(content);
}

/// What a collector answers: `ExportLogsServiceResponse`, as far as it is read.
#[derive(Clone, PartialEq, Message)]
struct Taken {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

/// How many records an answer says were not taken; one that cannot be read counts as 0.
pub(in crate::audit) fn rejected_records(answer: &[u8]) -> u64 {
    let partial = Taken::decode(answer).ok().and_then(|taken| taken.partial_success);
    partial.and_then(|partial| u64::try_from(partial.rejected).ok()).unwrap_or_default()
}
