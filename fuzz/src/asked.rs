//! Requests: what is read of a body is what a strict reader reads, and what a policy writes into it holds.
use portcullis::protocol::api::{APIS, Body, Operation};
use portcullis::protocol::request::{Bounds, RequestView, bound};
use portcullis::protocol::store::{Limits, StoreView, Where, narrow};

use crate::split;

/// Most tokens and most hits that the policy lets one ask for.
const MOST: u64 = 10;
/// Nesting beyond which the other reader gives up.
const DEEP: usize = 100;

/// The operation that a seed chooses among those that `of` takes.
fn chosen(seed: u64, of: impl Fn(&Operation) -> bool) -> Option<&'static Operation> {
    let operations: Vec<&Operation> =
        APIS.iter().flat_map(|api| api.operations).filter(|operation| of(operation)).collect();
    operations.get(usize::try_from(seed).ok()? % operations.len()).copied()
}

/// What was read as one JSON document is one to another reader too; where a body may be left out, there is none.
fn is_json(operation: &Operation, body: &[u8]) {
    let nested = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if operation.body == Body::Json && !body.is_empty() && nested < DEEP {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok(), "one reader takes it alone");
    }
}

/// A request to a model, read and put within bounds.
pub fn of_a_model(input: &[u8]) {
    let Some((seed, body)) = split(input) else { return };
    let Some(operation) = chosen(seed, |operation| operation.view.is_some()) else { return };
    let Some(request) = operation.view else { return };
    let Ok(view) = RequestView::read(request, "gpt-4o", body) else { return };
    is_json(operation, body);
    let bounds = Bounds { max_output_tokens: Some(MOST), forget: true, report_usage: true };
    let Ok(Some(bounded)) = bound(request, &view, body, &bounds) else { return };
    let again = RequestView::read(request, "gpt-4o", &bounded.body).expect("what was bounded is a request");
    assert!(again.max_output_tokens.is_none_or(|tokens| tokens <= MOST), "{again:?}");
    assert!(!again.stored, "the provider keeps nothing");
    let texts = |view: &RequestView| view.requests().iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&again), texts(&view), "a bound changes no prompt");
    let twice = bound(request, &again, &bounded.body, &bounds).expect("what was bounded can be bounded");
    assert!(twice.is_none_or(|twice| twice.body == bounded.body), "what is within bounds stays");
}

/// A request to a vector store, read and narrowed: its query string is what comes before the first line feed.
pub fn of_a_store(input: &[u8]) {
    let Some((seed, payload)) = split(input) else { return };
    let Some(operation) = chosen(seed, |operation| operation.asks.is_some()) else { return };
    let Some(asks) = operation.asks else { return };
    let at = payload.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (query, body) = payload.split_at(at);
    let Ok(query) = std::str::from_utf8(query) else { return };
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let place = || Where { collections: vec!["docs".to_owned()], namespaces: vec!["acme".to_owned()] };
    let Ok(view) = StoreView::read(asks, place(), query, body) else { return };
    is_json(operation, body);
    let namespaces = ["acme".to_owned()];
    let filter = [("tenant".to_owned(), "a\"'\\c}m{e".to_owned())];
    let limits = Limits {
        collection: Some(&|name| name == "docs"),
        namespaces: Some(&namespaces),
        filter: &filter,
        max_top_k: Some(MOST),
        drop_vectors: false,
        clamp: true,
    };
    let Ok(narrowed) = narrow(&view, operation.name == "delete", &limits, query, body) else { return };
    let (query, body) =
        (narrowed.query.as_deref().unwrap_or(query), narrowed.body.as_deref().unwrap_or(body));
    let again = StoreView::read(asks, place(), query, body).expect("what was narrowed is a request");
    for part in &again.parts {
        assert!(part.top_k <= MOST, "{again:?}");
        assert!(part.collection == "docs" || part.collection.is_empty(), "{again:?}");
        assert!(part.namespace == "acme" || part.namespace.is_empty(), "{again:?}");
    }
}
