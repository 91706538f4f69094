//! `GET /api/live`: records as they come, as server-sent events. The number of a record's arrival is the event's id, so a
//! reader that was cut off goes on where it was.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::parameters::{Asked, LIVE};
use super::{unclear, unread};
use crate::http::{App, problem};
use crate::store::{Kept, Reader};

/// Between looks: other collectors write too, so the database is what is looked at.
const PAUSE: Duration = Duration::from_millis(250);
/// How long one may follow without showing anew who one is. A reader that comes again goes on where it was.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Records that are read at a time.
const PAGE: i64 = 100;

struct Tail {
    reader: Reader,
    after: i64,
    stopping: watch::Receiver<bool>,
    until: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

/// From now on, or from a record on.
pub async fn live(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = match Asked::of(&LIVE, request.uri().query()) {
        Ok(asked) => asked,
        Err(wrong) => return unclear(&wrong),
    };
    let Ok(place) = Arc::clone(&app.followers).try_acquire_owned() else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too many follow already: come again");
    };
    let header = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let seen = header.and_then(|value| value.parse::<i64>().ok()).or(asked.after);
    let after = match seen {
        Some(seen) => seen,
        None => match app.reader.last().await {
            Ok(last) => last,
            Err(error) => return unread(&error),
        },
    };
    let until = app.access.asks().then(|| Instant::now().checked_add(LONGEST)).flatten();
    let tail =
        Tail { reader: app.reader.clone(), after, stopping: app.stopping.clone(), until, _place: place };
    let events = stream::unfold(tail, |mut tail| async move {
        let records = tail.next().await?;
        Some((stream::iter(records.into_iter().map(event)), tail))
    });
    Sse::new(events.flatten()).keep_alive(KeepAlive::default()).into_response()
}

impl Tail {
    /// `None`: the collector stops, the time is over, or the store cannot be read; the reader comes again.
    async fn next(&mut self) -> Option<Vec<Kept>> {
        loop {
            if *self.stopping.borrow() || self.until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            let records = self.reader.records(self.after, i64::MAX, PAGE).await;
            let records = records
                .inspect_err(|error| tracing::error!(%error, "records were not read to their end"))
                .ok()?;
            if let Some(last) = records.last() {
                self.after = last.id;
                return Some(records);
            }
            tokio::select! {
                _ = self.stopping.changed() => return None,
                () = tokio::time::sleep(PAUSE) => (),
            }
        }
    }
}

/// A body holds no line break: it is canonical JSON.
fn event(record: Kept) -> Result<Event, Infallible> {
    let body = record.body.replace(['\r', '\n'], " ");
    Ok(Event::default().id(record.id.to_string()).data(body))
}
