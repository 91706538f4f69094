//! `GET /api/records`: records as they came, one a line, as `portcullis audit verify` and `portcullis simulate` read them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use crate::http::{App, problem};
use crate::store::{Kept, Reader, StoreError};

/// Records that are read at a time.
const PAGE: i64 = 500;

/// What was asked for: `after`, `until` (numbers of arrival).
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    after: i64,
    until: Option<i64>,
}

impl Asked {
    fn of(query: Option<&str>) -> Option<Self> {
        let mut asked = Self::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let number = value.parse::<i64>().ok().filter(|number| *number >= 0)?;
            match name {
                "after" => asked.after = number,
                "until" => asked.until = Some(number),
                _ => return None,
            }
        }
        Some(asked)
    }
}

/// All records, or those behind one.
pub async fn records(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(asked) = Asked::of(request.uri().query()) else {
        let detail = "parameters are after and until, each the number of a record's arrival";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let last = match app.reader.last().await {
        Ok(last) => last,
        Err(error) => {
            tracing::error!(%error, "records were not read");
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the records cannot be read now: come again");
        }
    };
    let until = asked.until.map_or(last, |until| until.min(last));
    let lines = stream::try_unfold((app.reader.clone(), asked.after), move |(reader, after)| async move {
        let page = page(&reader, after, until).await;
        page.inspect_err(|error| tracing::error!(%error, "records were not read to their end"))
            .map(|page| page.map(|(lines, last)| (lines, (reader, last))))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

async fn page(reader: &Reader, after: i64, until: i64) -> Result<Option<(Bytes, i64)>, StoreError> {
    let records = reader.records(after, until, PAGE).await?;
    let Some(last) = records.last().map(|record| record.id) else { return Ok(None) };
    let lines: String = records.iter().map(line).collect();
    Ok(Some((Bytes::from(lines), last)))
}

/// A log record, with the hash that it came with: should the store be changed, it no longer fits.
fn line(record: &Kept) -> String {
    let hash = json!({ "key": "portcullis.chain.hash", "value": { "stringValue": record.hash } });
    format!("{}\n", json!({ "body": { "stringValue": record.body }, "attributes": [hash] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_parameter_is_refused() {
        assert_eq!(Asked::of(None), Some(Asked::default()));
        assert_eq!(Asked::of(Some("after=3&until=9")), Some(Asked { after: 3, until: Some(9) }));
        for query in ["after=-1", "after=x", "before=1", "after"] {
            assert_eq!(Asked::of(Some(query)), None, "{query}");
        }
    }
}
