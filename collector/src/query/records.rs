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
use crate::store::{Reader, StoreError};

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
    let pages = Pages { reader, after, until, last, own: false };
    (Extension(shown), streamed("application/x-ndjson", pages, Pages::next)).into_response()
}

/// Records that are read page by page.
struct Pages {
    reader: Reader,
    after: i64,
    until: i64,
    /// The last one there was when this began.
    last: i64,
    /// Whether what comes now is the collector's own alone.
    own: bool,
}

impl Pages {
    /// What retention took away while this was read is explained by records that came meanwhile: they stand at the end,
    /// with the rest of their chain.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let mut records = match self.own {
            false => self.reader.records(self.after, self.until, PAGE).await?,
            true => self.reader.own(self.after, PAGE).await?,
        };
        if records.is_empty() && !self.own && self.reader.removed_since(self.last).await? {
            (self.own, self.after) = (true, self.until);
            records = self.reader.own(self.after, PAGE).await?;
        }
        let Some(last) = records.last().map(|record| record.id) else { return Ok(None) };
        self.after = last;
        Ok(Some((Bytes::from(records.iter().map(line).collect::<String>()), self)))
    }
}
