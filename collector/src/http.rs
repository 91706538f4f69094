//! Which address does what.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use crate::access::{self, Access, Ledger, guarded};
use crate::approvals::{Service, filter, people};
use crate::body::Bounds;
use crate::metrics;
use crate::query::{exchanges, live, openapi, overview, records, values};
use crate::store::Reader;
use crate::writer::Inlet;
use crate::{console, grpc, ingest};

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
    /// Who may do what.
    pub access: Arc<Access>,
    /// Approvals.
    pub approvals: Service,
}

/// What is served.
pub struct Routers {
    /// Over HTTP/1.1: all addresses but one.
    pub http: Router,
    /// Over gRPC: that one.
    pub grpc: Router,
}

/// All addresses.
pub fn routers(app: App, ledger: Ledger) -> Routers {
    let app = Arc::new(app);
    Routers { grpc: of_grpc(Arc::clone(&app), ledger.clone()), http: of_http(app, ledger) }
}

fn of_grpc(app: Arc<App>, ledger: Ledger) -> Router {
    let access = Arc::clone(&app.access);
    let method = Router::new().route(grpc::EXPORT, post(grpc::export)).with_state(app);
    guarded(method, access, ledger)
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such method") })
        .layer(middleware::from_fn(speaking_grpc))
}

/// Whoever does not speak gRPC is told so in HTTP; whoever does, everything in gRPC.
async fn speaking_grpc(request: Request, next: Next) -> Response {
    if !grpc::is_grpc(request.headers()) {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type is application/grpc");
    }
    grpc::told(next.run(request).await).await
}

fn of_http(app: Arc<App>, ledger: Ledger) -> Router {
    let reading = Router::new()
        .route("/api/exchanges", get(exchanges::list))
        .route("/api/exchanges/{id}", get(exchanges::one))
        .route("/api/records", get(records::records))
        .route("/api/live", get(live::live))
        .route("/api/overview", get(overview::overview))
        .route("/api/values", get(values::values))
        .route("/api/openapi.json", get(openapi::openapi));
    let access = Arc::clone(&app.access);
    let all = Router::new()
        .route("/v1/logs", post(ingest::logs))
        .route("/v1/approvals", post(filter::open))
        .route("/v1/approvals/{id}", get(filter::wait))
        .route("/v1/approvals/{id}/spend", post(filter::spend))
        .route("/api/approvals", get(people::list))
        .route("/api/approvals/{id}", get(people::one))
        .route("/api/approvals/{id}/approve", post(people::approve))
        .route("/api/approvals/{id}/deny", post(people::deny))
        .route("/api/approvals/{id}/break-glass", post(people::break_glass))
        .merge(reading)
        .merge(console::routes())
        .route("/api/me", get(access::me))
        .merge(access::browser::routes())
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(metrics::healthy))
        .route("/readyz", get(metrics::ready))
        .with_state(app);
    // What each of them needs stands in the table of `access`.
    guarded(all, access, ledger)
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this address") })
}

/// A refusal outside of OTLP (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "status": status.as_u16(), "title": title, "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
