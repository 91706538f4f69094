//! `GET /api/records`: all records in the order of their arrival, one a line.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::lines::{PAGE, line, streamed};
use super::parameters::{Asked, RECORDS};
use super::{unclear, unread};
use crate::access::Shown;
use crate::http::App;

/// All records, or a piece of them.
pub async fn records(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = match Asked::of(&RECORDS, request.uri().query()) {
        Ok(asked) => asked,
        Err(wrong) => return unclear(&wrong),
    };
    let last = match app.reader.last().await {
        Ok(last) => last,
        Err(error) => return unread(&error),
    };
    let (after, until) = (asked.after.unwrap_or_default(), asked.last.map_or(last, |asked| asked.min(last)));
    let reader = app.reader.clone();
    let shown = Shown(vec![("after", json!(after)), ("last", json!(until))]);
    let records = streamed("application/x-ndjson", after, move |after| {
        let reader = reader.clone();
        async move {
            let records = reader.records(after, until, PAGE).await?;
            let Some(last) = records.last().map(|record| record.id) else { return Ok(None) };
            Ok(Some((Bytes::from(records.iter().map(line).collect::<String>()), last)))
        }
    });
    (Extension(shown), records).into_response()
}
