//! Audit records as they travel: OpenTelemetry's logs in JSON, of which each body is a record.

use serde_json::{Map, Value};

/// The records of one batch (an `ExportLogsServiceRequest`), in order; what is none is passed over.
pub fn of_batch(json: &[u8]) -> Vec<Map<String, Value>> {
    let Ok(batch) = serde_json::from_slice::<Value>(json) else { return Vec::new() };
    let mut records = Vec::new();
    for resource in list(&batch, "resourceLogs") {
        for scope in list(resource, "scopeLogs") {
            records.extend(list(scope, "logRecords").iter().filter_map(record));
        }
    }
    records
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn record(log: &Value) -> Option<Map<String, Value>> {
    let body = log.get("body")?.get("stringValue")?.as_str()?;
    serde_json::from_str(body).ok()
}
