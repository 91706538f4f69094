//! Milvus's REST API, version 2. Its gRPC API cannot be looked into.
//!
//! Source: <https://milvus.io/api-reference/restful/v2.5.x/About.md>; codes: `pkg/util/merr/errors.go` of Milvus.

use serde_json::Value;

use super::refusal::{JSON, object};
use super::{Api, Body, Family, Operation, POST, Root, Shape, Told, asks, row};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{self, COUNTS, FIELDS, LABEL, LABELS, MASKED, Place, Table, VECTOR};
use crate::protocol::store::milvus;

/// The database, where the body names none: `internal/distributed/proxy/httpserver/handler_v2.go` of Milvus.
const ASKING: &[&str] = &["db-name"];

/// Milvus's API.
pub static MILVUS: Api = Api {
    name: "milvus",
    title: "Milvus, version 2 of its REST API",
    family: Family::Store,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer ")],
    operations: OPERATIONS,
    asking_headers: ASKING,
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: None,
        about: "a `code` that is not 0, and the HTTP status",
    },
    answers: &ANSWERS,
};

const OPERATIONS: &[Operation] = &[
    asks("query", POST, "v2/vectordb/entities/search", &milvus::SEARCH),
    asks("query", POST, "v2/vectordb/entities/advanced_search", &milvus::HYBRID),
    asks("query", POST, "v2/vectordb/entities/hybrid_search", &milvus::HYBRID),
    asks("query", POST, "v2/vectordb/entities/query", &milvus::QUERY),
    asks("fetch", POST, "v2/vectordb/entities/get", &milvus::GET),
    asks("fetch", POST, "v2/vectordb/collections/list", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/collections/describe", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/collections/has", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/collections/get_stats", &milvus::STATS),
    asks("fetch", POST, "v2/vectordb/collections/get_load_state", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/partitions/list", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/partitions/has", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/partitions/get_stats", &milvus::STATS),
    asks("fetch", POST, "v2/vectordb/indexes/list", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/indexes/describe", &milvus::DESCRIBE),
    asks("fetch", POST, "v2/vectordb/aliases/list", &milvus::DESCRIBE),
    row("fetch", POST, "v2/vectordb/aliases/describe", Body::Json),
    row("fetch", POST, "v2/vectordb/databases/list", Body::Json),
    row("fetch", POST, "v2/vectordb/databases/describe", Body::Json),
    write("v2/vectordb/entities/insert"),
    write("v2/vectordb/entities/upsert"),
    asks("delete", POST, "v2/vectordb/entities/delete", &milvus::DELETE),
    row("admin", POST, "v2/vectordb/collections/**", Body::Json),
    row("admin", POST, "v2/vectordb/partitions/**", Body::Json),
    row("admin", POST, "v2/vectordb/indexes/**", Body::Json),
    row("admin", POST, "v2/vectordb/aliases/**", Body::Json),
    row("admin", POST, "v2/vectordb/databases/**", Body::Json),
    row("admin", POST, "v2/vectordb/users/**", Body::Json),
    row("admin", POST, "v2/vectordb/roles/**", Body::Json),
    row("admin", POST, "v2/vectordb/privilege_groups/**", Body::Json),
    row("admin", POST, "v2/vectordb/resource_groups/**", Body::Json),
    row("admin", POST, "v2/vectordb/jobs/**", Body::Json),
];

const fn write(path: &'static str) -> Operation {
    Operation { answers: Some(&WRITTEN), ..asks("upsert", POST, path, &milvus::WRITE) }
}

/// What is answered to new entities.
static WRITTEN: Table = documents(&WRITE_ANSWER);
static WRITE_ANSWER: Place = table::object(&[("code", &COUNTS), ("cost", &COUNTS), ("data", &WRITE_DATA)]);
static WRITE_DATA: Place = table::object(&[
    ("insertIds", &LABELS),
    ("upsertIds", &LABELS),
    ("insertCount", &COUNTS),
    ("upsertCount", &COUNTS),
]);

/// What collections answer. A hit is one flat object: its id and distance are kept, and the numbers of vectors where they
/// stand in a field called `vector`, `embedding` or alike; any other field is text, and its numbers too.
static ANSWERS: Table = documents(&ANSWER);
static ANSWER: Place = table::object(&[
    ("code", &COUNTS),
    ("cost", &COUNTS),
    ("topks", &COUNTS),
    ("scores", &COUNTS),
    ("data", &DATA),
]);
/// Hits, lists of them, names of collections, or an object that describes one.
static DATA: Place = Place {
    fields: &[
        ("id", &LABEL),
        ("distance", &COUNTS),
        ("score", &COUNTS),
        ("vector", &VECTOR),
        ("vectors", &VECTOR),
        ("embedding", &VECTOR),
        ("embeddings", &VECTOR),
    ],
    other: &FIELDS,
    items: &DATA,
    ..MASKED
};

fn body(told: &Told<'_>) -> Vec<u8> {
    let body = object([
        ("code", number(told.code).into()),
        ("message", format!("{} ({})", told.message, told.code).into()),
        ("data", Value::Null),
    ]);
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Milvus's number for the kind of error that `code` is.
fn number(code: &str) -> u16 {
    match code {
        "unauthenticated" => 1800,
        "forbidden" | "policy_error" | "approval_denied" => 1401,
        "invalid_request" | "too_large" | "uninspectable" | "approval_pending" => 1100,
        "rate_limited" => 8,
        "guard_unavailable" => 2,
        _ => 5,
    }
}
