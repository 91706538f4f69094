//! `GET /api/exchanges`: those that are searched for, newest first; `GET /api/exchanges/{id}`: the whole of one.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use portcullis::audit::Text;
use serde_json::json;

use super::lines::{PAGE, line, streamed};
use super::parameters::{Asked, EXCHANGES, Format};
use super::{unclear, unread};
use crate::access::Shown;
use crate::http::{App, problem};
use crate::index::clean;
use crate::store::{Found, Kept, Reader, Search, StoreError};

/// Exchanges that are read at a time.
const BATCH: i64 = 200;

/// A page of them, or all.
pub async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = match Asked::of(&EXCHANGES, request.uri().query()) {
        Ok(asked) => asked,
        Err(wrong) => return unclear(&wrong),
    };
    if asked.format == Format::Json {
        return page(&app.reader, asked.search).await;
    }
    let left = if asked.limited { asked.search.most } else { i64::MAX };
    let walk =
        Walk { reader: app.reader.clone(), search: asked.search, left, found: VecDeque::new(), record: 0 };
    match asked.format {
        Format::Records => streamed("application/x-ndjson", walk, Walk::records),
        _ => streamed("application/x-ndjson", walk, Walk::exchanges),
    }
}

async fn page(reader: &Reader, search: Search) -> Response {
    let most = search.most;
    // One more tells whether there is a next page.
    let found = reader.exchanges(&Search { most: most.saturating_add(1), ..search }).await;
    let mut found = match found {
        Ok(found) => found,
        Err(error) => return unread(&error),
    };
    let size = usize::try_from(most).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|last| last.place.write());
    let count = Shown(vec![("exchanges", json!(found.len()))]);
    let shown: Vec<_> = found.into_iter().map(|one| one.shown).collect();
    let body = json!({ "exchanges": shown, "next": next }).to_string();
    (Extension(count), [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A walk through all that are found.
struct Walk {
    reader: Reader,
    search: Search,
    /// Exchanges that may still come.
    left: i64,
    /// Those whose records were not all read.
    found: VecDeque<Found>,
    /// The last record of the first of them.
    record: i64,
}

impl Walk {
    async fn next(&mut self) -> Result<Vec<Found>, StoreError> {
        self.search.most = BATCH.min(self.left);
        let found = self.reader.exchanges(&self.search).await?;
        self.left = self.left.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
        self.search.behind = found.last().map(|last| last.place).or(self.search.behind);
        Ok(found)
    }

    async fn exchanges(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let found = self.next().await?;
        if found.is_empty() {
            return Ok(None);
        }
        let lines: String = found.iter().map(|one| format!("{}\n", one.shown)).collect();
        Ok(Some((Bytes::from(lines), self)))
    }

    async fn records(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        loop {
            if self.found.is_empty() {
                self.found = self.next().await?.into();
            }
            let Some(first) = self.found.front() else { return Ok(None) };
            let records = self.reader.of_found(first.place.id, self.record, PAGE).await?;
            if let Some(last) = records.last() {
                self.record = last.id;
                return Ok(Some((Bytes::from(records.iter().map(line).collect::<String>()), self)));
            }
            self.found.pop_front();
            self.record = 0;
        }
    }
}

/// Where the body of one exchange stands.
struct Whole {
    reader: Reader,
    exchange: String,
    records: Vec<Kept>,
    after: Option<i64>,
    ended: bool,
}

/// All records of an exchange, in the order of their arrival.
pub async fn one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let exchange = clean(&id);
    let records = match app.reader.of_exchange(&exchange, 0, PAGE).await {
        Ok(records) if records.is_empty() => {
            return problem(StatusCode::NOT_FOUND, "there is no record of such an exchange");
        }
        Ok(records) => records,
        Err(error) => return unread(&error),
    };
    let shown = Shown(vec![("exchange", json!(Text::from(exchange.as_str()).as_str()))]);
    let whole = Whole { reader: app.reader.clone(), exchange, records, after: None, ended: false };
    (Extension(shown), streamed("application/json", whole, Whole::next)).into_response()
}

impl Whole {
    /// The bodies are JSON, and stand in the answer to the byte.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let mut out = String::new();
        match self.after {
            None => out = format!("{{\"portcullis.exchange\":{},\"records\":[", json!(self.exchange)),
            Some(after) => self.records = self.reader.of_exchange(&self.exchange, after, PAGE).await?,
        }
        for record in &self.records {
            out.push_str(if self.after.is_none() { "" } else { "," });
            out.push_str(&record.body);
            self.after = Some(record.id);
        }
        if self.records.is_empty() {
            out.push_str("]}");
            self.ended = true;
        }
        Ok(Some((Bytes::from(out), self)))
    }
}
