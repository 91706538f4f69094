//! Which address does what.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use crate::body::Bounds;
use crate::query::{exchanges, live, openapi, overview, records, values};
use crate::store::Reader;
use crate::writer::Inlet;
use crate::{console, ingest};

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
    /// Readers that follow live.
    pub followers: Arc<Semaphore>,
    /// Whether only this machine is to read.
    pub local: bool,
}

/// All addresses.
pub fn router(app: App) -> Router {
    let reading = Router::new()
        .route("/api/exchanges", get(exchanges::list))
        .route("/api/exchanges/{id}", get(exchanges::one))
        .route("/api/records", get(records::records))
        .route("/api/live", get(live::live))
        .route("/api/overview", get(overview::overview))
        .route("/api/values", get(values::values))
        .route("/api/openapi.json", get(openapi::openapi));
    let reading = if app.local { reading.layer(middleware::from_fn(local)) } else { reading };
    Router::new()
        .route("/v1/logs", post(ingest::logs))
        .merge(reading)
        .merge(console::routes())
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .with_state(Arc::new(app))
}

/// A page from anywhere can point a name of its own at this machine, and have the reader's browser ask under that name.
async fn local(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_local(host) {
        return next.run(request).await;
    }
    problem(StatusCode::FORBIDDEN, "records are read under the address of this machine, not under a name")
}

/// Whether a host, with or without a port, is an address or `localhost`.
fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok()
}

/// A refusal outside of OTLP (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "status": status.as_u16(), "title": title, "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_local() {
        for host in ["127.0.0.1:4318", "localhost", "localhost:1", "[::1]:4318", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["", "evil.example:4318", "127.0.0.1.evil.example", "localhost.evil.example:80", ":80"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
