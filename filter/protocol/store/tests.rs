//! What is read of requests to stores, by behaviour.

mod narrowed;
mod semantics;
mod views;
mod weaviate;

use super::*;
use crate::protocol::RequestError;
use crate::protocol::api::{APIS, Operation};

/// The operation of a method and a path (its query string behind a `?`), and what the request asks.
pub fn read(
    protocol: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (&'static Operation, Result<StoreView, RequestError>) {
    let api = APIS.into_iter().find(|api| api.name == protocol).unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let operation = api.operation(method, path, std::iter::empty());
    let asks = operation.asks.unwrap_or_else(|| panic!("{protocol} {path} is not read"));
    let named = api.named(operation, path, std::iter::empty()).unwrap();
    (operation, StoreView::read(asks, named, query, body.as_bytes()))
}

/// What rules are asked about, in one line each: collection, namespace, hits, filter.
pub fn parts(protocol: &str, method: &str, path: &str, body: &str) -> Vec<String> {
    let view = read(protocol, method, path, body).1.unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = |part: &Part| format!("{}|{}|{}|{}", part.collection, part.namespace, part.top_k, part.filter);
    view.parts.iter().map(line).collect()
}

/// Why a request is refused.
pub fn refused(protocol: &str, method: &str, path: &str, body: &str) -> String {
    match read(protocol, method, path, body).1 {
        Ok(view) => panic!("{path} {body}: {view:?}"),
        Err(error) => error.to_string(),
    }
}
