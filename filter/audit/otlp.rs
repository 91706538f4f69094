//! Records as OpenTelemetry logs: OTLP/HTTP with JSON, posted to `/v1/logs`.
//!
//! Encoding by the OTLP specification, "JSON Protobuf Encoding": 64-bit integers as decimal strings, ids as hex,
//! names in lower camel case. A record is encoded once, when it is chained; a batch only joins records.

use super::chain::Draft;
use super::fields::{Value, list, string};
use super::record::Content;
use super::trace::to_hex;
use super::value::Text;

/// The schema that names and meanings of attributes follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

/// Fields that have places of their own in a log record.
const NOT_ATTRIBUTES: [&str; 4] = ["time", "trace_id", "span_id", "trace_flags"];

/// Who sends the records.
#[derive(Debug, Clone, Default)]
pub struct Resource {
    /// `service.version`: version of the filter.
    pub version: Text,
    /// `service.instance.id`: the proxy's own id, such as Envoy's node id.
    pub instance: Option<Text>,
    /// `host.name`.
    pub host: Option<Text>,
}

/// What stands before and after the records of a batch.
#[derive(Debug)]
pub(super) struct Envelope {
    before: String,
}

const AFTER: &str = "]}]}]}";

impl Envelope {
    pub(super) fn new(resource: &Resource) -> Self {
        let name = Text::from("portcullis");
        let attributes = [
            ("service.name", Some(&name)),
            ("service.version", Some(&resource.version)),
            ("service.instance.id", resource.instance.as_ref()),
            ("host.name", resource.host.as_ref()),
        ];
        let present = attributes.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let mut before = String::from(r#"{"resourceLogs":[{"resource":{"attributes":"#);
        list(&mut before, present, |out, (key, value)| {
            attribute(out, key, |out| text(out, value.as_str()));
        });
        before.push_str(r#"},"schemaUrl":""#);
        before.push_str(SCHEMA_URL);
        before.push_str(r#"","scopeLogs":[{"scope":{"name":"portcullis","version":"#);
        string(&mut before, resource.version.as_str());
        before.push_str(r#"},"schemaUrl":""#);
        before.push_str(SCHEMA_URL);
        before.push_str(r#"","logRecords":["#);
        Self { before }
    }

    /// A request body that holds these records.
    pub(super) fn seal<'a>(&self, records: impl Iterator<Item = &'a str> + Clone) -> Vec<u8> {
        let inner =
            records.clone().fold(0_usize, |sum, json| sum.saturating_add(json.len()).saturating_add(1));
        let outer = self.before.len().saturating_add(AFTER.len());
        let mut out = Vec::with_capacity(inner.saturating_add(outer));
        out.extend_from_slice(self.before.as_bytes());
        for (index, json) in records.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(json.as_bytes());
        }
        out.extend_from_slice(AFTER.as_bytes());
        out
    }
}

/// One log record.
pub(super) fn log_record(draft: &Draft<'_>, now: u64, content: Content<'_>) -> String {
    let mut out = String::with_capacity(draft.body.len().saturating_mul(4));
    let severity = content.severity();
    out.push_str(&format!(
        r#"{{"timeUnixNano":"{now}","observedTimeUnixNano":"{now}","severityNumber":{},"severityText":"{}","eventName":"{}""#,
        severity.number,
        severity.text,
        content.event(),
    ));
    if let Some(trace) = content.trace() {
        let (trace_id, span_id) = (to_hex(&trace.trace_id), to_hex(&trace.span_id));
        out.push_str(&format!(r#","flags":{},"traceId":"{trace_id}","spanId":"{span_id}""#, trace.flags));
    }
    out.push_str(r#","body":"#);
    text(&mut out, &draft.body);
    out.push_str(r#","attributes":["#);
    for (name, value) in draft.fields.iter() {
        if !NOT_ATTRIBUTES.contains(name)
            && !matches!(value, Value::Losses(_) | Value::Pieces(_) | Value::Sealed(_))
        {
            attribute(&mut out, name, |out| any_value(out, value));
            out.push(',');
        }
    }
    attribute(&mut out, "portcullis.chain.hash", |out| text(out, &draft.hash));
    out.push_str("]}");
    out
}

fn attribute(out: &mut String, key: &str, value: impl FnOnce(&mut String)) {
    out.push_str(r#"{"key":"#);
    string(out, key);
    out.push_str(r#","value":"#);
    value(out);
    out.push('}');
}

fn text(out: &mut String, value: &str) {
    out.push_str(r#"{"stringValue":"#);
    string(out, value);
    out.push('}');
}

fn texts<'a>(out: &mut String, values: impl Iterator<Item = &'a str>) {
    out.push_str(r#"{"arrayValue":{"values":"#);
    list(out, values, text);
    out.push_str("}}");
}

fn any_value(out: &mut String, value: &Value<'_>) {
    match value {
        Value::Text(value) => text(out, value),
        Value::Count(count) => out.push_str(&format!(r#"{{"intValue":"{}"}}"#, count.get())),
        Value::Seconds(seconds) => out.push_str(&format!(r#"{{"doubleValue":{}}}"#, seconds.decimal())),
        Value::Flag(flag) => out.push_str(&format!(r#"{{"boolValue":{flag}}}"#)),
        Value::List(items) => texts(out, items.iter().map(String::as_str)),
        Value::Tally(tally) => texts(out, tally.iter().map(|(name, _)| name)),
        Value::Claims(claims) => texts(out, claims.entries().iter().map(|(name, _)| name.as_str())),
        Value::Pieces(pieces) => texts(out, pieces.iter().map(|(_, text)| text)),
        Value::Sealed(sealed) => text(out, sealed.as_str()),
        Value::Losses(losses) => out.push_str(&format!(r#"{{"intValue":"{}"}}"#, losses.count())),
    }
}
