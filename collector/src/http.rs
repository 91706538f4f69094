//! Which address does what.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::sync::watch;

use crate::body::Bounds;
use crate::ingest;
use crate::query::{exchanges, live, openapi, records};
use crate::store::Reader;
use crate::writer::Inlet;

/// What the addresses share.
pub struct App {
    /// Of bodies.
    pub bounds: Bounds,
    /// Where records go.
    pub inlet: Inlet,
    /// Where they are read.
    pub reader: Reader,
    /// Whether the collector was asked to stop: what has no end of its own ends then.
    pub stopping: watch::Receiver<bool>,
}

/// All addresses.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/logs", post(ingest::logs))
        .route("/api/exchanges", get(exchanges::list))
        .route("/api/exchanges/{id}", get(exchanges::one))
        .route("/api/records", get(records::records))
        .route("/api/live", get(live::live))
        .route("/api/openapi.json", get(openapi::openapi))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .with_state(Arc::new(app))
}

/// A refusal outside of OTLP (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "status": status.as_u16(), "title": title, "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
