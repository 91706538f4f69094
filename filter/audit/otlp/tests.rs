//! The same records, whatever the encoding: JSON is what the others are compared with.

use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::audit::queue::{Batch, Limits};
use crate::audit::record::Record;
use crate::audit::samples::{self, SECOND, START, log_records};

/// The messages once more, by their numbers in the specification: what is written is not read by itself.
mod spec {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub struct Request {
        #[prost(message, repeated, tag = "1")]
        pub resource_logs: Vec<ResourceLogs>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct ResourceLogs {
        #[prost(message, optional, tag = "1")]
        pub resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        pub scope_logs: Vec<ScopeLogs>,
        #[prost(string, tag = "3")]
        pub schema_url: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Resource {
        #[prost(message, repeated, tag = "1")]
        pub attributes: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct ScopeLogs {
        #[prost(message, optional, tag = "1")]
        pub scope: Option<Scope>,
        #[prost(message, repeated, tag = "2")]
        pub log_records: Vec<LogRecord>,
        #[prost(string, tag = "3")]
        pub schema_url: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct Scope {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub version: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct LogRecord {
        #[prost(fixed64, tag = "1")]
        pub time_unix_nano: u64,
        #[prost(fixed64, tag = "11")]
        pub observed_time_unix_nano: u64,
        #[prost(int32, tag = "2")]
        pub severity_number: i32,
        #[prost(string, tag = "3")]
        pub severity_text: String,
        #[prost(message, optional, tag = "5")]
        pub body: Option<AnyValue>,
        #[prost(message, repeated, tag = "6")]
        pub attributes: Vec<KeyValue>,
        #[prost(uint32, tag = "7")]
        pub dropped_attributes_count: u32,
        #[prost(fixed32, tag = "8")]
        pub flags: u32,
        #[prost(bytes = "vec", tag = "9")]
        pub trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "10")]
        pub span_id: Vec<u8>,
        #[prost(string, tag = "12")]
        pub event_name: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct KeyValue {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(message, optional, tag = "2")]
        pub value: Option<AnyValue>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub struct AnyValue {
        #[prost(oneof = "Is", tags = "1, 2, 3, 4, 5")]
        pub is: Option<Is>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Is {
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
    pub struct ArrayValue {
        #[prost(message, repeated, tag = "1")]
        pub values: Vec<AnyValue>,
    }
}

fn in_json(value: &spec::AnyValue) -> Value {
    match value.is.as_ref().unwrap() {
        spec::Is::Text(text) => json!({ "stringValue": text }),
        spec::Is::Flag(flag) => json!({ "boolValue": flag }),
        spec::Is::Int(number) => json!({ "intValue": number.to_string() }),
        spec::Is::Double(number) => json!({ "doubleValue": number }),
        spec::Is::Array(array) => {
            json!({ "arrayValue": { "values": array.values.iter().map(in_json).collect::<Vec<_>>() } })
        }
    }
}

fn attributes(pairs: &[spec::KeyValue]) -> Value {
    pairs
        .iter()
        .map(|pair| json!({ "key": pair.key, "value": in_json(pair.value.as_ref().unwrap()) }))
        .collect()
}

/// A batch in protobuf as it would be in JSON.
fn translated(body: &[u8]) -> Value {
    let request = spec::Request::decode(body).unwrap();
    let [of_resource] = request.resource_logs.as_slice() else { panic!("one resource") };
    let [of_scope] = of_resource.scope_logs.as_slice() else { panic!("one scope") };
    let scope = of_scope.scope.as_ref().unwrap();
    let records = of_scope.log_records.iter().map(|record| {
        let mut out = json!({
            "timeUnixNano": record.time_unix_nano.to_string(),
            "observedTimeUnixNano": record.observed_time_unix_nano.to_string(),
            "severityNumber": record.severity_number,
            "severityText": record.severity_text,
            "eventName": record.event_name,
            "body": in_json(record.body.as_ref().unwrap()),
            "attributes": attributes(&record.attributes),
        });
        if !record.trace_id.is_empty() {
            let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            out["flags"] = record.flags.into();
            out["traceId"] = hex(&record.trace_id).into();
            out["spanId"] = hex(&record.span_id).into();
        }
        out
    });
    json!({ "resourceLogs": [{
        "resource": { "attributes": attributes(&of_resource.resource.as_ref().unwrap().attributes) },
        "schemaUrl": of_resource.schema_url,
        "scopeLogs": [{
            "scope": { "name": scope.name, "version": scope.version },
            "schemaUrl": of_scope.schema_url,
            "logRecords": records.collect::<Vec<_>>(),
        }],
    }]})
}

const ALL: [Wire; 4] = [
    Wire { encoding: Encoding::Json, gzip: false },
    Wire { encoding: Encoding::Json, gzip: true },
    Wire { encoding: Encoding::Protobuf, gzip: false },
    Wire { encoding: Encoding::Protobuf, gzip: true },
];

/// A record of each kind, and one that declares a loss.
fn batch(wire: Wire) -> Batch {
    let limits = Limits { records: 3, ..Limits::default() };
    let mut recorder = samples::recorder(limits).speaking(wire, &samples::resource());
    let records = [samples::start(), samples::part(), samples::end(), samples::refusal(), samples::start()];
    records.iter().for_each(|record: &Record| _ = recorder.record(START, record));
    recorder.record(START, &samples::start());
    recorder.close(START + 5);
    recorder.next_batch(START + SECOND).unwrap()
}

/// As a collector reads it, by the headers that came with it.
fn read(batch: &Batch) -> Value {
    let headers = batch.wire.headers();
    let plain = if headers.contains(&("content-encoding", "gzip")) {
        unpack(&batch.body)
    } else {
        batch.body.clone()
    };
    match headers[0] {
        ("content-type", "application/json") => serde_json::from_slice(&plain).unwrap(),
        ("content-type", "application/x-protobuf") => translated(&plain),
        other => panic!("{other:?}"),
    }
}

fn unpack(body: &[u8]) -> Vec<u8> {
    let (head, rest) = body.split_at(10);
    assert_eq!(head[..4], [0x1f, 0x8b, 8, 0]);
    let (deflated, tail) = rest.split_at(rest.len() - 8);
    let plain = miniz_oxide::inflate::decompress_to_vec(deflated).unwrap();
    assert_eq!(tail[..4], crc32fast::hash(&plain).to_le_bytes());
    assert_eq!(tail[4..], u32::try_from(plain.len()).unwrap().to_le_bytes());
    plain
}

#[test]
fn every_encoding_says_the_same() {
    let expected = read(&batch(Wire::default()));
    let records = log_records(expected.to_string().as_bytes());
    let events: Vec<&Value> = records.iter().map(|record| &record["eventName"]).collect();
    assert_eq!(events.len(), 6, "{events:?}");
    assert!(expected.to_string().contains("portcullis.dropped.count"));
    for wire in ALL {
        assert_eq!(read(&batch(wire)), expected, "{wire:?}");
    }
}

#[test]
fn protobuf_and_gzip_are_smaller() {
    let size = |at: usize| batch(ALL[at]).body.len();
    assert!(size(2) < size(0) && size(1) < size(2) && size(3) < size(2), "{:?}", [0, 1, 2, 3].map(size));
}
