//! Which address does what.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use crate::body::Bounds;
use crate::store::Reader;
use crate::writer::Inlet;
use crate::{export, ingest};

/// What the addresses share.
pub struct App {
    /// Of bodies.
    pub bounds: Bounds,
    /// Where records go.
    pub inlet: Inlet,
    /// Where they are read.
    pub reader: Reader,
}

/// All addresses.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/logs", post(ingest::logs))
        .route("/api/records", get(export::records))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .with_state(Arc::new(app))
}

/// A refusal outside of OTLP (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "status": status.as_u16(), "title": title, "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
