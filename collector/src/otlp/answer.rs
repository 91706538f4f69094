//! Answers as the OTLP specification wants them, in the encoding of the request.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};
use tonic_types::Status;

use super::Encoding;

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of the answer.
    pub status: StatusCode,
    /// For whoever runs the sender.
    pub message: String,
}

/// As a message of protobuf.
pub fn taken_message(rejected: usize, message: String) -> Vec<u8> {
    let rejected_log_records = i64::try_from(rejected).unwrap_or(i64::MAX);
    let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: message };
    ExportLogsServiceResponse { partial_success: (rejected > 0).then_some(partial) }.encode_to_vec()
}

/// Everything is kept, but for so many records, and why.
pub fn taken(encoding: Encoding, rejected: usize, message: String) -> Response {
    let body = match encoding {
        Encoding::Protobuf => taken_message(rejected, message),
        Encoding::Json if rejected == 0 => b"{}".to_vec(),
        Encoding::Json => text(json!({
            "partialSuccess": { "rejectedLogRecords": rejected.to_string(), "errorMessage": message }
        })),
    };
    answer(encoding, StatusCode::OK, body)
}

impl Failure {
    /// With a status and words.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Nothing of it is kept; it may come again.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// The answer.
    pub fn answer(self, encoding: Encoding) -> Response {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            crate::metrics::BUSY.add(1);
        }
        let code = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => 14, // UNAVAILABLE
            StatusCode::PAYLOAD_TOO_LARGE => 8,    // RESOURCE_EXHAUSTED
            StatusCode::REQUEST_TIMEOUT => 4,      // DEADLINE_EXCEEDED
            _ => 3,                                // INVALID_ARGUMENT
        };
        let (status, message) = (self.status, self.message);
        let body = match encoding {
            Encoding::Protobuf => Status { code, message, details: Vec::new() }.encode_to_vec(),
            Encoding::Json => text(json!({ "code": code, "message": message })),
        };
        let mut answer = answer(encoding, status, body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

fn text(value: Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn answer(encoding: Encoding, status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, encoding.name())], body).into_response()
}
