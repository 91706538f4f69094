//! OTLP in protobuf as senders write it, by the crate of the specification's own messages.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

/// The message of a batch in JSON.
pub fn message(batch: &[u8]) -> ExportLogsServiceRequest {
    serde_json::from_slice(batch).unwrap()
}

/// A batch in JSON, as a collector between writes it anew.
pub fn protobuf(batch: &[u8]) -> Vec<u8> {
    let mut message = message(batch);
    for record in records(&mut message) {
        (record.trace_id, record.observed_time_unix_nano) = (vec![7; 16], 1);
    }
    message.encode_to_vec()
}

/// Its records.
pub fn records(message: &mut ExportLogsServiceRequest) -> impl Iterator<Item = &mut LogRecord> {
    let scopes = message.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
    scopes.flat_map(|scope| &mut scope.log_records)
}
