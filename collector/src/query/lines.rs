//! Records as lines that `portcullis audit verify` and `portcullis simulate` read, page by page.

use std::future::Future;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use crate::store::{Kept, StoreError};

/// Records that are read at a time.
pub const PAGE: i64 = 100;

/// A log record, with the hash that it came with: should the store be changed, it no longer fits.
pub fn line(record: &Kept) -> String {
    let hash = json!({ "key": "portcullis.chain.hash", "value": { "stringValue": record.hash } });
    format!("{}\n", json!({ "body": { "stringValue": record.body }, "attributes": [hash] }))
}

/// A body that is read from the store as it is taken. Should the store fail it breaks off, which whoever reads it sees.
pub fn streamed<S, F, N>(content_type: &'static str, start: S, next: N) -> Response
where
    S: Send + 'static,
    F: Future<Output = Result<Option<(Bytes, S)>, StoreError>> + Send + 'static,
    N: Fn(S) -> F + Send + Clone + 'static,
{
    let pages = stream::try_unfold(start, move |state| {
        let next = next.clone();
        async move {
            next(state)
                .await
                .inspect_err(|error| tracing::error!(%error, "records were not read to their end"))
        }
    });
    ([(CONTENT_TYPE, content_type)], Body::from_stream(pages)).into_response()
}
