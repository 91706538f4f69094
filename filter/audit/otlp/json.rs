//! OTLP in JSON, by the specification's "JSON Protobuf Encoding": 64-bit integers as decimal strings, ids as hex, names
//! in lower camel case.

use super::{Attribute, Log, Resource, SCHEMA_URL, SERVICE};
use crate::audit::canonical::{list, number, string};
use crate::audit::trace::to_hex;

/// What stands before and after the records of a batch.
#[derive(Debug)]
pub(super) struct Envelope {
    before: String,
}

const AFTER: &str = "]}]}]}";

impl Envelope {
    pub fn new(resource: &Resource) -> Self {
        let mut before = String::from(r#"{"resourceLogs":[{"resource":{"attributes":"#);
        list(&mut before, resource.attributes(), |out, (key, value)| {
            attribute(out, key, |out| text(out, value));
        });
        before.push_str(&format!(
            r#"}},"schemaUrl":"{SCHEMA_URL}","scopeLogs":[{{"scope":{{"name":"{SERVICE}""#
        ));
        before.push_str(r#","version":"#);
        string(&mut before, resource.version.as_str());
        before.push_str(&format!(r#"}},"schemaUrl":"{SCHEMA_URL}","logRecords":["#));
        Self { before }
    }

    pub fn seal<'a>(&self, records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        let inner =
            records.clone().fold(0_usize, |sum, json| sum.saturating_add(json.len()).saturating_add(1));
        let outer = self.before.len().saturating_add(AFTER.len());
        let mut out = Vec::with_capacity(inner.saturating_add(outer));
        out.extend_from_slice(self.before.as_bytes());
        for (index, json) in records.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(json);
        }
        out.extend_from_slice(AFTER.as_bytes());
        out
    }
}

pub(super) fn log_record(log: &Log<'_>) -> String {
    let mut out = String::with_capacity(log.draft.body.len().saturating_mul(4));
    let (now, severity) = (log.now, log.severity());
    out.push_str(&format!(
        r#"{{"timeUnixNano":"{now}","observedTimeUnixNano":"{now}","severityNumber":{},"severityText":"{}","eventName":"{}""#,
        severity.number,
        severity.text,
        log.event(),
    ));
    if let Some(trace) = log.trace() {
        let (trace_id, span_id) = (to_hex(&trace.trace_id), to_hex(&trace.span_id));
        out.push_str(&format!(r#","flags":{},"traceId":"{trace_id}","spanId":"{span_id}""#, trace.flags));
    }
    out.push_str(r#","body":{"stringValue":""#);
    log.draft.fields.body_within(&mut out);
    out.push_str(r#""},"attributes":"#);
    list(&mut out, log.attributes(), |out, (name, value)| attribute(out, name, |out| any_value(out, &value)));
    out.push('}');
    out
}

/// Writes an attribute. The keys are our own names, which need no escapes.
fn attribute(out: &mut String, key: &str, value: impl FnOnce(&mut String)) {
    out.push_str(r#"{"key":""#);
    out.push_str(key);
    out.push_str(r#"","value":"#);
    value(out);
    out.push('}');
}

fn text(out: &mut String, value: &str) {
    out.push_str(r#"{"stringValue":"#);
    string(out, value);
    out.push('}');
}

fn any_value(out: &mut String, value: &Attribute<'_>) {
    match value {
        Attribute::Text(value) => text(out, value),
        Attribute::Texts(values) => {
            out.push_str(r#"{"arrayValue":{"values":"#);
            list(out, values, |out, value| text(out, value));
            out.push_str("}}");
        }
        Attribute::Count(count) => {
            out.push_str(r#"{"intValue":""#);
            number(out, *count);
            out.push_str(r#""}"#);
        }
        Attribute::Decimal(decimal) => {
            out.push_str(r#"{"doubleValue":"#);
            out.push_str(decimal);
            out.push('}');
        }
        Attribute::Flag(true) => out.push_str(r#"{"boolValue":true}"#),
        Attribute::Flag(false) => out.push_str(r#"{"boolValue":false}"#),
    }
}
