//! Qdrant's REST API.
//!
//! Source: <https://api.qdrant.tech/api-reference>. The clients raise `UnexpectedResponse` with status and body.

use serde_json::Value;

use super::refusal::{JSON, bytes, object};
use super::{ANY, Api, Body, DELETE, Family, GET, Operation, PATCH, POST, PUT, READ, Root, Shape, Told, row};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{self, COUNTS, LABEL, LABELS, MASK, MASKED, Place, Table, array};

/// Qdrant's API.
pub static QDRANT: Api = Api {
    name: "qdrant",
    title: "Qdrant",
    family: Family::Store,
    root: Root::Host,
    token_headers: &[("api-key", ""), ("authorization", "Bearer ")],
    operations: OPERATIONS,
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: None,
        about: "`UnexpectedResponse`, with status and body",
    },
    answers: &ANSWERS,
};

const OPERATIONS: &[Operation] = &[
    row("query", POST, "collections/{collection}/points/query", Body::Json),
    row("query", POST, "collections/{collection}/points/query/batch", Body::Json),
    row("query", POST, "collections/{collection}/points/query/groups", Body::Json),
    row("query", POST, "collections/{collection}/points/search", Body::Json),
    row("query", POST, "collections/{collection}/points/search/batch", Body::Json),
    row("query", POST, "collections/{collection}/points/search/groups", Body::Json),
    row("query", POST, "collections/{collection}/points/search/matrix/pairs", Body::Json),
    row("query", POST, "collections/{collection}/points/search/matrix/offsets", Body::Json),
    row("query", POST, "collections/{collection}/points/recommend", Body::Json),
    row("query", POST, "collections/{collection}/points/recommend/batch", Body::Json),
    row("query", POST, "collections/{collection}/points/recommend/groups", Body::Json),
    row("query", POST, "collections/{collection}/points/discover", Body::Json),
    row("query", POST, "collections/{collection}/points/discover/batch", Body::Json),
    row("query", POST, "collections/{collection}/points/count", Body::Json),
    row("query", POST, "collections/{collection}/facet", Body::Json),
    row("fetch", POST, "collections/{collection}/points", Body::Json),
    row("fetch", GET, "collections/{collection}/points/{point}", Body::None),
    row("fetch", POST, "collections/{collection}/points/scroll", Body::Json),
    row("fetch", GET, "collections", Body::None),
    row("fetch", GET, "collections/{collection}", Body::None),
    row("fetch", GET, "collections/{collection}/exists", Body::None),
    row("fetch", GET, "collections/{collection}/aliases", Body::None),
    row("fetch", GET, "aliases", Body::None),
    row("fetch", READ, "", Body::None),
    row("fetch", READ, "healthz", Body::None),
    row("fetch", READ, "livez", Body::None),
    row("fetch", READ, "readyz", Body::None),
    row("upsert", PUT, "collections/{collection}/points", Body::Json),
    row("upsert", POST, "collections/{collection}/points/batch", Body::Json),
    row("upsert", PUT, "collections/{collection}/points/vectors", Body::Json),
    row("upsert", POST, "collections/{collection}/points/payload", Body::Json),
    row("upsert", PUT, "collections/{collection}/points/payload", Body::Json),
    row("delete", POST, "collections/{collection}/points/delete", Body::Json),
    row("delete", POST, "collections/{collection}/points/vectors/delete", Body::Json),
    row("delete", POST, "collections/{collection}/points/payload/delete", Body::Json),
    row("delete", POST, "collections/{collection}/points/payload/clear", Body::Json),
    row("admin", PUT, "collections/{collection}", Body::Json),
    row("admin", PATCH, "collections/{collection}", Body::Json),
    row("admin", DELETE, "collections/{collection}", Body::None),
    row("admin", PUT, "collections/{collection}/index", Body::Json),
    row("admin", DELETE, "collections/{collection}/index/{field}", Body::None),
    row("admin", POST, "collections/aliases", Body::Json),
    row("admin", GET, "collections/{collection}/cluster", Body::None),
    row("admin", POST, "collections/{collection}/cluster", Body::Json),
    row("admin", PUT, "collections/{collection}/shards", Body::Json),
    row("admin", POST, "collections/{collection}/shards/delete", Body::Json),
    row("admin", GET, "collections/{collection}/snapshots", Body::None),
    row("admin", POST, "collections/{collection}/snapshots", Body::Any),
    row("admin", DELETE, "collections/{collection}/snapshots/{snapshot}", Body::None),
    row("admin", PUT, "collections/{collection}/snapshots/recover", Body::Json),
    row("admin", ANY, "cluster", Body::Any),
    row("admin", ANY, "cluster/**", Body::Any),
    row("admin", GET, "telemetry", Body::None),
    row("admin", GET, "metrics", Body::None),
    row("admin", ANY, "locks", Body::Any),
];

/// What collections answer. Ids of points, names of collections and the offset of the next page are kept; the id of a
/// group is a value of the payload.
static ANSWERS: Table = documents(&ANSWER);
static ANSWER: Place = table::object(&[("result", &RESULT), ("time", &COUNTS), ("usage", &COUNTS)]);
/// A point, an object that holds some, or an array of these: batches nest them.
static RESULT: Place = Place {
    fields: &[
        ("id", &LABEL),
        ("version", &COUNTS),
        ("score", &COUNTS),
        ("payload", &MASK),
        ("vector", &COUNTS),
        ("vectors", &COUNTS),
        ("shard_key", &LABEL),
        ("points", &RESULT),
        ("groups", &GROUPS),
        ("next_page_offset", &LABEL),
        ("count", &COUNTS),
        ("collections", &NAMES),
        ("aliases", &NAMES),
        ("pairs", &PAIRS),
        ("ids", &LABELS),
        ("scores", &COUNTS),
        ("offsets_row", &COUNTS),
        ("offsets_col", &COUNTS),
        ("operation_id", &COUNTS),
    ],
    items: &RESULT,
    ..MASKED
};
static GROUPS: Place = array(&GROUP);
static GROUP: Place = table::object(&[("id", &MASK), ("hits", &RESULT), ("lookup", &RESULT)]);
static NAMES: Place = array(&NAME);
static NAME: Place = table::object(&[("name", &LABEL), ("alias_name", &LABEL), ("collection_name", &LABEL)]);
static PAIRS: Place = array(&PAIR);
static PAIR: Place = table::object(&[("a", &LABEL), ("b", &LABEL), ("score", &COUNTS)]);

fn body(told: &Told<'_>) -> Vec<u8> {
    let status = object([("error", told.message.into()), ("code", told.code.into())]);
    bytes([("status", status), ("result", Value::Null), ("time", Value::from(0))])
}
