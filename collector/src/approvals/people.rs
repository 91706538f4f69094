//! The approvers' side: what waits, the whole of one, and the votes.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::desk::Busy;
use super::state::{Approver, Ballot, Refusal};
use super::view::{May, listed, whole};
use super::{is_id, json_answer};
use crate::access::{Caller, Glance, Role, Shown};
use crate::body::Coding;
use crate::http::{App, problem};
use crate::store::{Deed, Done, Page, StoreError, now};

/// Most bytes of a vote.
const MOST_BYTES: usize = 16 << 10;
/// Longest reason, in bytes.
const LONGEST_REASON: usize = 1000;
/// Approvals on a page, and most of them.
const PAGE: i64 = 50;
const MOST: i64 = 200;
/// What can be asked of a list.
pub const PARAMETERS: [(&str, &str); 3] = [
    ("state", "`pending`, `approved`, `denied`, `expired` or `spent`; left out: all."),
    ("cursor", "`next` of the page before."),
    ("limit", "Most approvals, 1 to 200; 50 if left out."),
];
/// States that can be asked for.
const STATES: [&str; 5] = ["pending", "approved", "denied", "expired", "spent"];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    reason: Option<String>,
}

/// How somebody votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Approve,
    Deny,
    BreakGlass,
}

/// `GET /api/approvals`: newest first.
pub async fn list(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Response {
    let page = match page(request.uri().query()) {
        Ok(page) => page,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, wrong),
    };
    // One more tells whether there is a next page.
    let found = app.approvals.reader.approvals(Page { most: page.most.saturating_add(1), ..page }).await;
    let mut found = match found {
        Ok(found) => found,
        Err(error) => return unread(&error),
    };
    let size = usize::try_from(page.most).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(number, _)| number.to_string());
    let (to, may) = seen_by(&caller);
    let shown: Vec<_> = found.iter().map(|(_, approval)| listed(approval, page.now, &to, may)).collect();
    let count = ("approvals", json!(shown.len()));
    seen(count, Map::from_iter([("approvals".to_owned(), json!(shown)), ("next".to_owned(), json!(next))]))
}

/// What somebody is shown, which is on record as often as it changes.
fn seen(what: (&'static str, Value), body: Map<String, Value>) -> Response {
    let glance = Glance::of(Value::Object(body.clone()).to_string().as_bytes());
    (Extension(Shown(vec![what])), Extension(glance), json_answer(body)).into_response()
}

fn page(query: Option<&str>) -> Result<Page, &'static str> {
    let mut page = Page { state: None, before: i64::MAX, most: PAGE, now: now() };
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let number = |value: &str| value.parse::<i64>().ok().filter(|number| *number > 0);
        match pair.split_once('=') {
            Some(("state", value)) => {
                let state = STATES.into_iter().find(|state| *state == value);
                page.state = Some(state.ok_or("`state` is pending, approved, denied, expired or spent")?);
            }
            Some(("cursor", value)) => {
                page.before = number(value).ok_or("`cursor` is `next` of the page before")?
            }
            Some(("limit", value)) => {
                let most = number(value).filter(|most| *most <= MOST);
                page.most = most.ok_or("`limit` is a number from 1 to 200")?;
            }
            _ => return Err("there is a parameter that is none of state, cursor, limit"),
        }
    }
    Ok(page)
}

/// `GET /api/approvals/{id}`
pub async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Response {
    if !is_id(&id) {
        return absent();
    }
    let (to, may) = seen_by(&caller);
    match app.approvals.reader.approval(&id).await {
        Ok(Some(approval)) => seen(("approval", json!(id)), whole(&approval, now(), &to, may)),
        Ok(None) => absent(),
        Err(error) => unread(&error),
    }
}

/// `POST /api/approvals/{id}/approve`
pub async fn approve(app: State<Arc<App>>, caller: Caller, id: Path<String>, request: Request) -> Response {
    vote(&app, &caller, id.0, How::Approve, request).await
}

/// `POST /api/approvals/{id}/deny`
pub async fn deny(app: State<Arc<App>>, caller: Caller, id: Path<String>, request: Request) -> Response {
    vote(&app, &caller, id.0, How::Deny, request).await
}

/// `POST /api/approvals/{id}/break-glass`
pub async fn break_glass(
    app: State<Arc<App>>,
    caller: Caller,
    id: Path<String>,
    request: Request,
) -> Response {
    vote(&app, &caller, id.0, How::BreakGlass, request).await
}

async fn vote(app: &App, caller: &Caller, id: String, how: How, request: Request) -> Response {
    let role = if how == How::BreakGlass { Role::BreakGlass } else { Role::Approver };
    if !caller.roles.has(role) {
        return problem(StatusCode::FORBIDDEN, &format!("this takes the role {}", role.name()));
    }
    let ballot = match ballot(app, how, request).await {
        Ok(ballot) => ballot,
        Err(refused) => return *refused,
    };
    if !is_id(&id) {
        return absent();
    }
    let (by, may) = seen_by(caller);
    let deed = Deed::Vote { id, by: by.clone(), ballot };
    match app.approvals.desk.ask(deed).await {
        Ok(Done::Well(approval)) => json_answer(whole(&approval, now(), &by, may)),
        Ok(Done::Refused(refusal, approval)) => {
            let shown = whole(&approval, now(), &by, may);
            conflict(refusal, shown)
        }
        Ok(_) => absent(),
        Err(busy) => later(busy),
    }
}

/// Says too how the approval stands now, so that a page can show it.
fn conflict(refusal: Refusal, approval: Map<String, Value>) -> Response {
    let status = match refusal {
        Refusal::Own | Refusal::Stranger => StatusCode::FORBIDDEN,
        Refusal::Again | Refusal::Over(_) => StatusCode::CONFLICT,
    };
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "status": status.as_u16(), "title": title, "detail": refusal.to_string(), "approval": approval });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn ballot(app: &App, how: How, request: Request) -> Result<Ballot, Box<Response>> {
    let wrong = |status, detail: &str| Box::new(problem(status, detail));
    let failed = |failure: crate::otlp::answer::Failure| Box::new(problem(failure.status, &failure.message));
    let json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let json = json.map(|value| value.split(';').next().unwrap_or_default().trim());
    let coding = Coding::of(request.headers()).map_err(failed)?;
    if !json.is_some_and(|value| value.eq_ignore_ascii_case("application/json")) || coding != Coding::Identity
    {
        return Err(wrong(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is application/json, without content-encoding",
        ));
    }
    let (body, _held) = app.bounds.up_to(MOST_BYTES).read(request.into_body()).await.map_err(failed)?;
    let said: Said = if body.is_empty() { Ok(Said::default()) } else { serde_json::from_slice(&body) }
        .map_err(|_| wrong(StatusCode::BAD_REQUEST, "the body is { \"reason\": \"…\" }"))?;
    let reason = said.reason.as_deref().map(clean).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
        return Err(wrong(StatusCode::BAD_REQUEST, "the reason is longer than 1000 bytes"));
    }
    match (how, reason) {
        (How::Approve, reason) => Ok(Ballot::Approve(reason)),
        (How::Deny, Some(reason)) => Ok(Ballot::Deny(reason)),
        (How::BreakGlass, Some(reason)) => Ok(Ballot::BreakGlass(reason)),
        (_, None) => Err(wrong(StatusCode::BAD_REQUEST, "a reason is needed: { \"reason\": \"…\" }")),
    }
}

/// The caller of a denied call reads it in an error message: one line.
fn clean(reason: &str) -> String {
    reason.replace(char::is_control, " ").trim().to_owned()
}

fn seen_by(caller: &Caller) -> (Approver, May) {
    let may = May { vote: caller.roles.has(Role::Approver), break_glass: caller.roles.has(Role::BreakGlass) };
    (Approver { id: caller.id.clone(), name: caller.name.clone(), groups: caller.groups.clone() }, may)
}

fn absent() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no such approval")
}

fn later(busy: Busy) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, &busy.to_string())
}

fn unread(error: &StoreError) -> Response {
    tracing::error!(%error, "approvals were not read");
    problem(StatusCode::SERVICE_UNAVAILABLE, "approvals cannot be read now: come again")
}
