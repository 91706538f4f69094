//! `GET /api/values`: values that are there, for whoever begins to type one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::parameters::{Asked, VALUES};
use super::{unclear, unread};
use crate::http::App;

/// Most values.
const MOST: i64 = 20;

/// The first ones, in order.
pub async fn values(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = match Asked::of(&VALUES, request.uri().query()) {
        Ok(asked) => asked,
        Err(wrong) => return unclear(&wrong),
    };
    let Some(kind) = asked.of else { return unclear("of is missing: it says of which parameter") };
    match app.reader.values(kind, &asked.prefix, MOST).await {
        Ok(values) => {
            ([(CONTENT_TYPE, "application/json")], json!({ "values": values }).to_string()).into_response()
        }
        Err(error) => unread(&error),
    }
}
