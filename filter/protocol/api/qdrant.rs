//! Qdrant's REST API.
//!
//! Source: <https://api.qdrant.tech/api-reference>. The clients raise `UnexpectedResponse` with status and body.

use serde_json::Value;

use super::refusal::{JSON, bytes, object};
use super::{
    ANY, Api, Body, DELETE, Family, GET, Operation, PATCH, POST, PUT, READ, Root, Shape, Told, asks, row,
};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{self, COUNTS, LABEL, LABELS, MASK, MASKED, Place, Table, VECTOR, array};
use crate::protocol::store::qdrant;

/// Qdrant's API.
pub static QDRANT: Api = Api {
    name: "qdrant",
    title: "Qdrant",
    family: Family::Store,
    root: Root::Host,
    token_headers: &[("api-key", ""), ("authorization", "Bearer ")],
    operations: OPERATIONS,
    asking_headers: &[],
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
    asks("query", POST, "collections/{collection}/points/query", &qdrant::QUERY),
    asks("query", POST, "collections/{collection}/points/query/batch", &qdrant::QUERY_BATCH),
    asks("query", POST, "collections/{collection}/points/query/groups", &qdrant::QUERY_GROUPS),
    asks("query", POST, "collections/{collection}/points/search", &qdrant::SEARCH),
    asks("query", POST, "collections/{collection}/points/search/batch", &qdrant::SEARCH_BATCH),
    asks("query", POST, "collections/{collection}/points/search/groups", &qdrant::SEARCH_GROUPS),
    asks("query", POST, "collections/{collection}/points/search/matrix/pairs", &qdrant::MATRIX),
    asks("query", POST, "collections/{collection}/points/search/matrix/offsets", &qdrant::MATRIX),
    asks("query", POST, "collections/{collection}/points/recommend", &qdrant::SEARCH),
    asks("query", POST, "collections/{collection}/points/recommend/batch", &qdrant::SEARCH_BATCH),
    asks("query", POST, "collections/{collection}/points/recommend/groups", &qdrant::SEARCH_GROUPS),
    asks("query", POST, "collections/{collection}/points/discover", &qdrant::SEARCH),
    asks("query", POST, "collections/{collection}/points/discover/batch", &qdrant::SEARCH_BATCH),
    asks("query", POST, "collections/{collection}/points/count", &qdrant::COUNT),
    asks("query", POST, "collections/{collection}/facet", &qdrant::FACET),
    asks("fetch", POST, "collections/{collection}/points", &qdrant::POINTS),
    asks("fetch", GET, "collections/{collection}/points/{point}", &qdrant::POINT),
    asks("fetch", POST, "collections/{collection}/points/scroll", &qdrant::SCROLL),
    asks("fetch", GET, "collections", &qdrant::COLLECTIONS),
    asks("fetch", GET, "collections/{collection}", &qdrant::COLLECTIONS),
    asks("fetch", GET, "collections/{collection}/exists", &qdrant::COLLECTIONS),
    asks("fetch", GET, "collections/{collection}/aliases", &qdrant::COLLECTIONS),
    asks("fetch", GET, "aliases", &qdrant::COLLECTIONS),
    asks("fetch", READ, "", &qdrant::HEALTH),
    asks("fetch", READ, "healthz", &qdrant::HEALTH),
    asks("fetch", READ, "livez", &qdrant::HEALTH),
    asks("fetch", READ, "readyz", &qdrant::HEALTH),
    asks("upsert", PUT, "collections/{collection}/points", &qdrant::UPSERT),
    asks("upsert", POST, "collections/{collection}/points/batch", &qdrant::BATCH),
    asks("upsert", PUT, "collections/{collection}/points/vectors", &qdrant::UPSERT),
    asks("upsert", POST, "collections/{collection}/points/payload", &qdrant::UPSERT),
    asks("upsert", PUT, "collections/{collection}/points/payload", &qdrant::UPSERT),
    asks("delete", POST, "collections/{collection}/points/delete", &qdrant::DELETE),
    asks("delete", POST, "collections/{collection}/points/vectors/delete", &qdrant::DELETE),
    asks("delete", POST, "collections/{collection}/points/payload/delete", &qdrant::DELETE),
    asks("delete", POST, "collections/{collection}/points/payload/clear", &qdrant::DELETE),
    row("admin", PUT, "collections/{collection}", Body::Json),
    row("admin", PATCH, "collections/{collection}", Body::Json),
    asks("admin", DELETE, "collections/{collection}", &qdrant::DROP),
    asks("admin", PUT, "collections/{collection}/index", &qdrant::INDEX),
    asks("admin", DELETE, "collections/{collection}/index/{field}", &qdrant::DROP_INDEX),
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
        ("vector", &VECTOR),
        ("vectors", &VECTOR),
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
