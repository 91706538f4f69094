//! OTLP in protobuf as senders write it, by numbers of its own: what the collector reads is not judged by itself.

use prost::Message;
use serde_json::Value;

#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(message, repeated, tag = "1")]
    pub resources: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scopes: Vec<ScopeLogs>,
    #[prost(string, tag = "3")]
    pub schema: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    pub records: Vec<LogRecord>,
    #[prost(string, tag = "3")]
    pub schema: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub time: u64,
    #[prost(int32, tag = "2")]
    pub severity: i32,
    #[prost(string, tag = "3")]
    pub severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    pub trace: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    pub observed: u64,
    #[prost(string, tag = "12")]
    pub event: String,
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
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5")]
    pub kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
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

#[derive(Clone, PartialEq, Message)]
pub struct Response {
    #[prost(message, optional, tag = "1")]
    pub partial: Option<Partial>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Partial {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// A batch in JSON, as a collector between writes it anew.
pub fn protobuf(batch: &[u8]) -> Vec<u8> {
    let batch: Value = serde_json::from_slice(batch).unwrap();
    let all = |value: &Value, name: &str| value[name].as_array().unwrap().clone();
    let record = |record: &Value| LogRecord {
        time: record["timeUnixNano"].as_str().unwrap().parse().unwrap(),
        severity: 9,
        severity_text: "INFO".to_owned(),
        body: Some(any(&record["body"])),
        attributes: all(record, "attributes").iter().map(pair).collect(),
        trace: vec![7; 16],
        observed: 1,
        event: record["eventName"].as_str().unwrap().to_owned(),
    };
    let scope = |scope: &Value| ScopeLogs {
        records: all(scope, "logRecords").iter().map(record).collect(),
        schema: "schema".to_owned(),
    };
    let resource = |resource: &Value| ResourceLogs {
        resource: Some(Resource {
            attributes: all(&resource["resource"], "attributes").iter().map(pair).collect(),
        }),
        scopes: all(resource, "scopeLogs").iter().map(scope).collect(),
        schema: "schema".to_owned(),
    };
    Request { resources: all(&batch, "resourceLogs").iter().map(resource).collect() }.encode_to_vec()
}

fn pair(pair: &Value) -> KeyValue {
    KeyValue { key: pair["key"].as_str().unwrap().to_owned(), value: Some(any(&pair["value"])) }
}

fn any(value: &Value) -> AnyValue {
    let (name, value) = value.as_object().unwrap().iter().next().unwrap();
    let kind = match name.as_str() {
        "stringValue" => Kind::Text(value.as_str().unwrap().to_owned()),
        "boolValue" => Kind::Flag(value.as_bool().unwrap()),
        "intValue" => Kind::Int(value.as_str().unwrap().parse().unwrap()),
        "doubleValue" => Kind::Double(value.as_f64().unwrap()),
        "arrayValue" => {
            Kind::Array(ArrayValue { values: value["values"].as_array().unwrap().iter().map(any).collect() })
        }
        other => panic!("{other}"),
    };
    AnyValue { kind: Some(kind) }
}
