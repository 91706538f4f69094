//! The bytes of OTLP over HTTP: requests in, answers out.
//!
//! Of a request only what the store needs is read: the log records, of each the body and the attributes. Both encodings
//! become the same [`Log`]. A request is walked record by record, so that what a record costs once it is decoded is
//! bounded by its own size and not by the request's.

pub mod answer;
mod json;
mod protobuf;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

/// Most log records in a request.
pub const MOST_RECORDS: usize = 8192;
/// Most bytes of one log record, encoded.
pub const LONGEST_RECORD: usize = 1 << 20;

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`
    Json,
    /// `application/x-protobuf`
    Protobuf,
}

/// A log record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// The body; `None`: it is no text.
    pub body: Option<String>,
    /// Names and values, the values as OTLP writes them in JSON.
    pub attributes: Vec<(String, Value)>,
}

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The envelope or a record is not what it should be.
    #[error("the body is no ExportLogsServiceRequest: {0}")]
    Malformed(String),
    /// Too many records.
    #[error("more than {MOST_RECORDS} log records in one request: send smaller batches")]
    TooMany,
    /// A record is too long.
    #[error("log record {0} is longer than {LONGEST_RECORD} bytes")]
    TooLong(usize),
}

impl Encoding {
    /// Of a request; `None`: another one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(CONTENT_TYPE).iter();
        let (one, None) = (given.next()?.to_str().ok()?, given.next()) else { return None };
        let media = one.split(';').next().unwrap_or_default().trim();
        [Self::Json, Self::Protobuf].into_iter().find(|encoding| media.eq_ignore_ascii_case(encoding.name()))
    }

    /// The media type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// Hands out the records of a request, in order.
    ///
    /// # Errors
    /// It is none, or beyond a bound.
    pub fn decode(self, body: &[u8], take: impl FnMut(Log)) -> Result<(), DecodeError> {
        match self {
            Self::Json => json::decode(body, take),
            Self::Protobuf => protobuf::decode(body, take),
        }
    }
}

/// Counts records against their bounds.
#[derive(Default)]
struct Count(usize);

impl Count {
    fn next(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.0 = self.0.saturating_add(1);
        if self.0 > MOST_RECORDS {
            return Err(DecodeError::TooMany);
        }
        if bytes > LONGEST_RECORD { Err(DecodeError::TooLong(self.0)) } else { Ok(()) }
    }
}
