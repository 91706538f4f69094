//! Addresses that read.
//!
//! | file | idea |
//! |---|---|
//! | [`parameters`] | what may be asked: one table, which is also what the description says |
//! | [`lines`] | records as lines that the commands read, page by page |
//! | [`records`] | `GET /api/records`: all, as they came |
//! | [`exchanges`] | `GET /api/exchanges`: by what they are searched by, and one of them |
//! | [`live`] | `GET /api/live`: as they come |
//! | [`overview`] | `GET /api/overview`: what happened, in numbers |
//! | [`values`] | `GET /api/values`: for whoever begins to type one |
//! | [`openapi`] | `GET /api/openapi.json` |

pub mod exchanges;
mod lines;
pub mod live;
pub mod openapi;
pub mod overview;
mod parameters;
pub mod records;
pub mod values;

use axum::http::StatusCode;
use axum::response::Response;

use crate::http::problem;
use crate::store::StoreError;

/// The store cannot be read now.
fn unread(error: &StoreError) -> Response {
    tracing::error!(%error, "records were not read");
    problem(StatusCode::SERVICE_UNAVAILABLE, "the records cannot be read now: come again")
}

/// Something was asked that there is no answer to.
fn unclear(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, detail)
}
