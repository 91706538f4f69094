//! OTLP over gRPC: `LogsService/Export`, one message in, one message out. What is in them is as over HTTP.
//!
//! The frame of a message is five bytes, so it is read here: then a body counts against the same bounds, while it comes,
//! as every other body does.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message as _;
use prost_types::{Any, Duration};
use serde_json::Value;
use tonic_types::Status;
use tonic_types::pb::RetryInfo;

use crate::body::Coding;
use crate::http::App;
use crate::ingest;
use crate::metrics;
use crate::otlp::Encoding;
use crate::otlp::answer::{Failure, taken_message};

/// The address of the method.
pub const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// Its media type; what follows it names the encoding.
const MEDIA: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// Bytes before a message: whether it is compressed, and how long it is.
const FRAME: usize = 5;
/// Most bytes of a refusal that is told anew.
const REFUSAL: usize = 16 << 10;
/// What stands in `grpc-message` as it is.
const PLAIN: &AsciiSet = &CONTROLS.add(b'%');

/// A status of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Code {
    /// Of what HTTP would say.
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::InvalidArgument,
            StatusCode::REQUEST_TIMEOUT => Self::DeadlineExceeded,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::PermissionDenied,
            StatusCode::PAYLOAD_TOO_LARGE => Self::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::Unimplemented
            }
            _ => Self::Internal,
        }
    }
}

/// Takes the records of one message.
pub async fn export(State(app): State<Arc<App>>, request: Request) -> Response {
    match take(app, request).await {
        Ok((rejected, message)) => kept(&taken_message(rejected, message)),
        Err(failure) => {
            if failure.status == StatusCode::SERVICE_UNAVAILABLE {
                metrics::BUSY.add(1);
            }
            refusal(failure.status, &failure.message)
        }
    }
}

async fn take(app: Arc<App>, request: Request) -> Result<(usize, String), Failure> {
    let named = coding(request.headers());
    let (mut bytes, held) = app.bounds.read(request.into_body()).await?;
    let coding = match unframe(&mut bytes)? {
        false => Coding::Identity,
        true => named?,
    };
    ingest::keep(app, Encoding::Protobuf, coding, bytes, held).await
}

/// How messages that are compressed are.
fn coding(headers: &HeaderMap) -> Result<Coding, Failure> {
    match headers.get(ENCODING).map(HeaderValue::as_bytes) {
        Some(b"gzip") => Ok(Coding::Gzip),
        Some(b"identity") | None => {
            Err(Failure::new(StatusCode::BAD_REQUEST, "the message is compressed, and nothing says how"))
        }
        Some(_) => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "grpc-encoding is gzip, identity, or left out",
        )),
    }
}

/// Leaves the message alone; true: it is compressed.
fn unframe(bytes: &mut Vec<u8>) -> Result<bool, Failure> {
    let wrong = |message| Failure::new(StatusCode::BAD_REQUEST, message);
    let Some(([compressed, length @ ..], message)) = bytes.split_first_chunk::<FRAME>() else {
        return Err(wrong("the message broke off"));
    };
    if u32::try_from(message.len()) != Ok(u32::from_be_bytes(*length)) {
        return Err(wrong("there is no single message of the length that it says"));
    }
    let compressed = match compressed {
        0 => false,
        1 => true,
        _ => return Err(wrong("the message has a flag that is unknown")),
    };
    bytes.drain(..FRAME);
    Ok(compressed)
}

/// Everything is kept, but for what the message says.
fn kept(message: &[u8]) -> Response {
    let mut framed = Vec::with_capacity(FRAME.saturating_add(message.len()));
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    ([(CONTENT_TYPE, MEDIA), (ACCEPTED, "identity,gzip")], Body::new(body)).into_response()
}

/// Nothing is kept: a status alone.
fn refusal(status: StatusCode, message: &str) -> Response {
    let code = Code::of(status);
    let mut response = ([(CONTENT_TYPE, MEDIA), (ACCEPTED, "identity,gzip")], Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(STATUS, HeaderValue::from(u16::from(code as u8)));
    if let Ok(message) = HeaderValue::from_str(&utf8_percent_encode(message, PLAIN).to_string()) {
        headers.insert(MESSAGE, message);
    }
    if code == Code::Unavailable
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(again(message)))
    {
        headers.insert(DETAILS, details);
    }
    response
}

/// That it may come again, and when.
fn again(message: &str) -> Vec<u8> {
    let retry = RetryInfo { retry_delay: Some(Duration { seconds: 1, nanos: 0 }) };
    let retry =
        Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: retry.encode_to_vec() };
    Status { code: Code::Unavailable as i32, message: message.to_owned(), details: vec![retry] }
        .encode_to_vec()
}

/// Whether somebody speaks gRPC.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rest = media.strip_prefix(MEDIA);
    rest.is_some_and(|rest| rest.is_empty() || rest == "+proto" || rest.starts_with(';'))
}

/// What the guard refuses, and addresses where there is nothing, as gRPC says it.
pub async fn told(response: Response) -> Response {
    if is_grpc(response.headers()) {
        return response;
    }
    let status = response.status();
    let body = to_bytes(response.into_body(), REFUSAL).await.unwrap_or_default();
    let detail = serde_json::from_slice::<Value>(&body).ok();
    let detail = detail.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    refusal(status, detail.unwrap_or_else(|| status.canonical_reason().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_lies_is_refused() {
        let of = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            unframe(&mut bytes).map(|compressed| (compressed, bytes)).map_err(|failure| failure.status)
        };
        assert_eq!(of(&[0, 0, 0, 0, 2, 8, 9]), Ok((false, vec![8, 9])));
        assert_eq!(of(&[1, 0, 0, 0, 0]), Ok((true, vec![])));
        let bad: [&[u8]; 6] = [
            &[],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 3, 8, 9],
            &[0, 0, 0, 0, 1, 8, 9],
            &[2, 0, 0, 0, 0],
            &[0, 255, 255, 255, 255],
        ];
        for bytes in bad {
            assert_eq!(of(bytes), Err(StatusCode::BAD_REQUEST), "{bytes:?}");
        }
    }

    #[test]
    fn media_types_of_others_are_not_grpc() {
        for (media, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x", true),
            ("application/grpc-web", false),
            ("application/grpc+json", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
            assert_eq!(is_grpc(&headers), is, "{media}");
        }
    }
}
