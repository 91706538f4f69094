//! Chroma's API, version 2.
//!
//! Source: <https://docs.trychroma.com/reference>, and the official client, which raises the class that `error` names.

use super::refusal::{JSON, bytes};
use super::{Api, Body, DELETE, Family, GET, Operation, PATCH, POST, PUT, Root, Shape, Told, asks, row};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{
    COUNTS, LABEL, LABELS, MASK, MASKED, OnNumber, OnText, Place, Table, VECTOR,
};
use crate::protocol::store::chroma;

/// Chroma's API.
pub static CHROMA: Api = Api {
    name: "chroma",
    title: "Chroma, version 2 of its API",
    family: Family::Store,
    root: Root::Host,
    token_headers: &[("x-chroma-token", ""), ("authorization", "Bearer ")],
    operations: OPERATIONS,
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: None,
        about: "`ChromaError` and its kinds, such as `AuthorizationError`",
    },
    answers: &ANSWERS,
};

/// A path below the collections of a database.
macro_rules! collections {
    ($rest:literal) => {
        concat!("api/v2/tenants/{tenant}/databases/{database}/collections", $rest)
    };
}

const OPERATIONS: &[Operation] = &[
    asks("query", POST, collections!("/{collection}/query"), &chroma::QUERY),
    row("query", POST, collections!("/{collection}/search"), Body::Json),
    asks("fetch", POST, collections!("/{collection}/get"), &chroma::GET),
    asks("fetch", GET, collections!("/{collection}/count"), &chroma::COUNT),
    asks("fetch", GET, collections!(""), &chroma::NAMES),
    asks("fetch", GET, collections!("/{collection}"), &chroma::NAMES),
    asks("fetch", GET, "api/v2/tenants/{tenant}/databases/{database}/collections_count", &chroma::NAMES),
    asks("fetch", GET, "api/v2/tenants/{tenant}/databases/{database}", &chroma::NAMES),
    asks("fetch", GET, "api/v2/tenants/{tenant}/databases", &chroma::NAMES),
    asks("fetch", GET, "api/v2/tenants/{tenant}", &chroma::NAMES),
    asks("fetch", GET, "api/v2", &chroma::HEALTH),
    asks("fetch", GET, "api/v2/heartbeat", &chroma::HEALTH),
    asks("fetch", GET, "api/v2/healthcheck", &chroma::HEALTH),
    asks("fetch", GET, "api/v2/version", &chroma::HEALTH),
    asks("fetch", GET, "api/v2/pre-flight-checks", &chroma::HEALTH),
    asks("fetch", GET, "api/v2/auth/identity", &chroma::HEALTH),
    asks("upsert", POST, collections!("/{collection}/add"), &chroma::WRITE),
    asks("upsert", POST, collections!("/{collection}/upsert"), &chroma::WRITE),
    asks("upsert", POST, collections!("/{collection}/update"), &chroma::WRITE),
    asks("delete", POST, collections!("/{collection}/delete"), &chroma::DELETE),
    asks("admin", POST, collections!(""), &chroma::CREATE),
    row("admin", PUT, collections!("/{collection}"), Body::Json),
    asks("admin", DELETE, collections!("/{collection}"), &chroma::DROP),
    row("admin", POST, collections!("/{collection}/fork"), Body::Json),
    row("admin", POST, "api/v2/tenants", Body::Json),
    row("admin", PATCH, "api/v2/tenants/{tenant}", Body::Json),
    asks("admin", POST, "api/v2/tenants/{tenant}/databases", &chroma::CREATE_DATABASE),
    asks("admin", DELETE, "api/v2/tenants/{tenant}/databases/{database}", &chroma::DROP),
    row("admin", POST, "api/v2/reset", Body::Any),
];

/// What collections answer: columns, a row for each entry, or for each query a list of rows. Ids, names and scores are kept.
static ANSWERS: Table = documents(&ANSWER);
static ANSWER: Place = Place {
    // The count of a collection is a number alone.
    number: OnNumber::Keep,
    fields: &[
        ("ids", &IDS),
        ("distances", &COUNTS),
        ("scores", &COUNTS),
        ("embeddings", &VECTOR),
        ("documents", &MASK),
        ("metadatas", &MASK),
        ("uris", &MASK),
        ("include", &LABELS),
        ("id", &LABEL),
        ("name", &LABEL),
        ("tenant", &LABEL),
        ("database", &LABEL),
        ("dimension", &COUNTS),
        ("nanosecond heartbeat", &COUNTS),
    ],
    // Collections.
    items: &ANSWER,
    ..MASKED
};
static IDS: Place = Place { text: OnText::Keep, number: OnNumber::Keep, items: &IDS, ..MASKED };

fn body(told: &Told<'_>) -> Vec<u8> {
    bytes([("error", kind(told.code).into()), ("message", told.message.into()), ("code", told.code.into())])
}

/// Chroma's name for the kind of error that `code` is.
fn kind(code: &str) -> &'static str {
    match code {
        "unauthenticated" | "forbidden" | "policy_error" | "approval_denied" => "AuthorizationError",
        "invalid_request" | "too_large" | "uninspectable" | "approval_pending" => "InvalidArgumentError",
        "rate_limited" => "RateLimitError",
        _ => "InternalError",
    }
}
