//! The filter's side of the protocol (docs/approvals.md): open, wait, spend. Each can be sent again without harm.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::asked::{Asked, Binding, Exchange, MOST_BYTES};
use super::desk::Busy;
use super::state::{Approval, State as Stands};
use super::view::answer;
use super::{Service, is_id, json_answer, new_id};
use crate::body::Coding;
use crate::http::App;
use crate::otlp::answer::Failure;
use crate::store::{Deed, Done, StoreError, now};

/// Longest wait, in seconds.
const LONGEST_WAIT: u64 = 60;

/// A refusal: `{ "error": "…" }`.
struct Refused {
    status: StatusCode,
    body: Map<String, Value>,
}

#[derive(Deserialize)]
struct Spending {
    binding: Binding,
    exchange: Exchange,
}

/// `POST /v1/approvals`: the approval that answers for the call, or a new one.
pub async fn open(State(app): State<Arc<App>>, request: Request) -> Response {
    respond(opened(&app, request).await)
}

async fn opened(app: &App, request: Request) -> Result<Map<String, Value>, Refused> {
    let service = &app.approvals;
    let body = body(app, request).await?;
    let asked =
        Asked::of(&body).map_err(|unclear| Refused::new(StatusCode::BAD_REQUEST, &unclear.to_string()))?;
    // Filters ask again and again while somebody decides: that is read, and nobody has to wait for the one who writes.
    if let Some(approval) = service.reader.standing(&asked.binding, now()).await? {
        return Ok(answer(&approval, now()));
    }
    let id = new_id().map_err(StoreError::Random)?;
    let deed = Deed::Open { id, asked: Box::new(asked), room: service.room };
    match service.desk.ask(deed).await? {
        Done::Full { caller: true } => Err(Refused::later(
            "this caller has too many open approvals: some have to be decided, spent or expire first",
        )),
        Done::Full { caller: false } => Err(Refused::later(
            "there are too many open approvals: some have to be decided, spent or expire first",
        )),
        Done::Well(approval) => Ok(answer(&approval, now())),
        _ => Err(Refused::absent()),
    }
}

/// `GET /v1/approvals/{id}?wait=`: the state, once it is another than pending.
pub async fn wait(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    respond(waited(&app, &id, request.uri().query()).await)
}

async fn waited(app: &App, id: &str, query: Option<&str>) -> Result<Map<String, Value>, Refused> {
    let service = &app.approvals;
    let wait = seconds(query)?;
    if !is_id(id) {
        return Err(Refused::absent());
    }
    let mut listener = service.bell.listen(id);
    let until = Instant::now().checked_add(wait).unwrap_or_else(Instant::now);
    let mut stopping = app.stopping.clone();
    let mut place = None;
    loop {
        let approval = service.reader.approval(id).await?.ok_or_else(Refused::absent)?;
        let left = until.saturating_duration_since(Instant::now());
        if approval.state(now()) != Stands::Pending || left.is_zero() || *stopping.borrow() {
            return Ok(answer(&approval, now()));
        }
        if place.is_none() {
            let free = Arc::clone(&service.waiters).try_acquire_owned();
            place =
                Some(free.map_err(|_| Refused::later("too many wait for decisions already: come again"))?);
        }
        tokio::select! {
            () = listener.changed() => (),
            () = tokio::time::sleep(left.min(life(&approval))) => (),
            _ = stopping.changed() => return Ok(answer(&approval, now())),
        }
    }
}

/// How long it lives; a moment more, so that it is over then.
fn life(approval: &Approval) -> Duration {
    let left = u64::try_from(approval.expires.saturating_sub(now())).unwrap_or_default();
    Duration::from_nanos(left).saturating_add(Duration::from_millis(1))
}

fn seconds(query: Option<&str>) -> Result<Duration, Refused> {
    let mut wait = 0;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let seconds = pair.strip_prefix("wait=").and_then(|value| value.parse().ok());
        let seconds = seconds.filter(|seconds| *seconds <= LONGEST_WAIT);
        let wrong = || {
            Refused::new(
                StatusCode::BAD_REQUEST,
                "`wait` is a number of seconds from 0 to 60, and all there is",
            )
        };
        wait = seconds.ok_or_else(wrong)?;
    }
    Ok(Duration::from_secs(wait))
}

/// `POST /v1/approvals/{id}/spend`: once, by one exchange.
pub async fn spend(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    respond(spent(&app, id, request).await)
}

async fn spent(app: &App, id: String, request: Request) -> Result<Map<String, Value>, Refused> {
    let body = body(app, request).await?;
    let Spending { binding, exchange } = serde_json::from_slice(&body).map_err(|_| {
        let wrong = "the body is { \"binding\": 64 hexadecimal digits, \"exchange\": visible characters, at most 128 }";
        Refused::new(StatusCode::BAD_REQUEST, wrong)
    })?;
    if !is_id(&id) {
        return Err(Refused::absent());
    }
    match app.approvals.desk.ask(Deed::Spend { id, binding, exchange }).await? {
        Done::Well(approval) => Ok(verdict(&app.approvals, &approval)),
        Done::NotSpent(approval) => {
            let mut refused =
                Refused::new(StatusCode::CONFLICT, "this exchange cannot be let through on this approval");
            refused.body.extend(answer(&approval, now()));
            Err(refused)
        }
        _ => Err(Refused::absent()),
    }
}

/// Of a spent one.
fn verdict(service: &Service, approval: &Approval) -> Map<String, Value> {
    let mut verdict = answer(approval, now());
    if let (Some(key), Stands::Spent(exchange)) = (&service.key, approval.noted()) {
        let signature = key.sign_spent(&approval.id, approval.asked.binding.as_str(), exchange.as_str());
        verdict.insert("signature".to_owned(), json!(signature));
    }
    verdict
}

async fn body(app: &App, request: Request) -> Result<Vec<u8>, Refused> {
    if Coding::of(request.headers())? != Coding::Identity {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body comes without content-encoding",
        ));
    }
    let (body, _held) = app.bounds.up_to(MOST_BYTES).read(request.into_body()).await?;
    Ok(body)
}

fn respond(answer: Result<Map<String, Value>, Refused>) -> Response {
    match answer {
        Ok(body) => json_answer(body),
        Err(Refused { status, body }) => {
            let mut response = (status, json_answer(body)).into_response();
            if status == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
            }
            response
        }
    }
}

impl Refused {
    fn new(status: StatusCode, error: &str) -> Self {
        let mut body = Map::new();
        body.insert("error".to_owned(), json!(error));
        Self { status, body }
    }

    fn later(error: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    fn absent() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such approval")
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::new(failure.status, &failure.message)
    }
}

impl From<Busy> for Refused {
    fn from(busy: Busy) -> Self {
        Self::later(&busy.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an approval was not read");
        Busy::Database.into()
    }
}
