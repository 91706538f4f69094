//! Pinecone's API, of indexes (data plane) and of the project (control plane).
//!
//! Source: <https://docs.pinecone.io/reference/api/errors> and the official Python and TypeScript clients, which choose
//! the class of an error by its status.

use super::refusal::{JSON, bytes, object, rpc_status};
use super::{ANY, Api, Body, DELETE, Family, GET, Operation, PATCH, POST, Root, Shape, Told, asks, row};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{self, COUNTS, LABEL, MASK, MASKED, Place, Table, VECTOR, array};
use crate::protocol::store::pinecone;

/// Pinecone's API.
pub static PINECONE: Api = Api {
    name: "pinecone",
    title: "Pinecone",
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
        about: "`PineconeApiException` and its kinds, by status",
    },
    answers: &ANSWERS,
};

const OPERATIONS: &[Operation] = &[
    asks("query", POST, "query", &pinecone::QUERY),
    asks("query", POST, "records/namespaces/{namespace}/search", &pinecone::RECORDS),
    asks("query", POST, "rerank", &pinecone::MODEL),
    asks("query", POST, "embed", &pinecone::MODEL),
    asks("fetch", GET, "vectors/fetch", &pinecone::FETCH),
    asks("fetch", POST, "vectors/fetch_by_metadata", &pinecone::FETCH_BY_METADATA),
    asks("fetch", GET, "vectors/list", &pinecone::LIST),
    asks("fetch", &["GET", "POST"], "describe_index_stats", &pinecone::STATS),
    asks("fetch", GET, "namespaces", &pinecone::NAMESPACE_LIST),
    asks("fetch", GET, "namespaces/{namespace}", &pinecone::ONE_NAMESPACE),
    asks("fetch", GET, "indexes", &pinecone::INDEX),
    asks("fetch", GET, "indexes/{index}", &pinecone::INDEX),
    asks("fetch", GET, "models", &pinecone::MODELS),
    asks("fetch", GET, "models/{model}", &pinecone::MODELS),
    asks("upsert", POST, "vectors/upsert", &pinecone::UPSERT),
    asks("upsert", POST, "vectors/update", &pinecone::UPDATE),
    asks("upsert", POST, "records/namespaces/{namespace}/upsert", &pinecone::UPSERT_RECORDS),
    asks("delete", POST, "vectors/delete", &pinecone::DELETE),
    asks("delete", DELETE, "namespaces/{namespace}", &pinecone::ONE_NAMESPACE),
    row("admin", POST, "namespaces", Body::Json),
    row("admin", POST, "indexes", Body::Json),
    row("admin", POST, "indexes/create-for-model", Body::Json),
    row("admin", PATCH, "indexes/{index}", Body::Json),
    asks("admin", DELETE, "indexes/{index}", &pinecone::DROP),
    row("admin", ANY, "indexes/{index}/backups", Body::Any),
    row("admin", ANY, "backups", Body::Any),
    row("admin", ANY, "backups/**", Body::Any),
    row("admin", ANY, "restore-jobs", Body::Any),
    row("admin", ANY, "restore-jobs/**", Body::Any),
    row("admin", ANY, "collections", Body::Any),
    row("admin", ANY, "collections/{collection}", Body::Any),
    row("admin", ANY, "bulk/imports", Body::Any),
    row("admin", ANY, "bulk/imports/{import}", Body::Any),
];

/// What indexes and the project answer. Ids, names of indexes and namespaces, and page tokens are kept.
static ANSWERS: Table = documents(&ANSWER);
static ANSWER: Place = table::object(&[
    ("matches", &RECORDS),
    ("results", &RESULTS),
    ("vectors", &VECTORS),
    ("result", &RESULT),
    ("namespace", &LABEL),
    ("namespaces", &NAMESPACES),
    ("pagination", &PAGINATION),
    ("usage", &COUNTS),
    ("data", &DATA),
    ("model", &LABEL),
    ("indexes", &INDEXES),
    ("name", &LABEL),
    ("host", &LABEL),
    ("id", &LABEL),
    ("dimension", &COUNTS),
    ("totalVectorCount", &COUNTS),
    ("indexFullness", &COUNTS),
]);
/// As a hit has it that is asked for without.
static NO_VALUES: Place = table::vectors("[]");
/// Clients take no record without any.
static ONE_VALUE: Place = table::vectors("[0]");
static RECORDS: Place = array(&RECORD);
static RECORD: Place = table::object(&[
    ("id", &LABEL),
    ("score", &COUNTS),
    ("values", &NO_VALUES),
    ("sparseValues", &VECTOR),
    ("sparse_values", &VECTOR),
    ("metadata", &MASK),
]);
/// Of queries with several vectors, as older indexes answer them.
static RESULTS: Place = array(&QUERY_RESULT);
static QUERY_RESULT: Place = table::object(&[("matches", &RECORDS), ("namespace", &LABEL)]);
/// A list of ids, or records by their ids.
static VECTORS: Place = Place { items: &FETCHED, other: &FETCHED, mask_keys: false, ..MASKED };
static FETCHED: Place = table::object(&[
    ("id", &LABEL),
    ("values", &ONE_VALUE),
    ("sparseValues", &VECTOR),
    ("sparse_values", &VECTOR),
    ("metadata", &MASK),
]);
/// Of records whose text Pinecone embeds itself.
static RESULT: Place = table::object(&[("hits", &HITS)]);
static HITS: Place = array(&HIT);
static HIT: Place = table::object(&[("_id", &LABEL), ("_score", &COUNTS), ("fields", &MASK)]);
/// Counts by name, or a list.
static NAMESPACES: Place = Place { items: &NAMESPACE, other: &COUNTS, mask_keys: false, ..MASKED };
static NAMESPACE: Place = table::object(&[("name", &LABEL), ("record_count", &COUNTS)]);
static PAGINATION: Place = table::object(&[("next", &LABEL)]);
/// Of `embed` and `rerank`.
static DATA: Place = array(&DATUM);
static DATUM: Place = table::object(&[
    ("index", &COUNTS),
    ("score", &COUNTS),
    ("values", &COUNTS),
    ("sparse_values", &COUNTS),
    ("sparse_indices", &COUNTS),
    ("document", &MASK),
]);
static INDEXES: Place = array(&INDEX);
static INDEX: Place = table::object(&[("name", &LABEL), ("host", &LABEL), ("dimension", &COUNTS)]);

fn body(told: &Told<'_>) -> Vec<u8> {
    let details = object([("code", told.code.into())]);
    let error = object([
        ("code", rpc_status(told.code).into()),
        ("message", told.message.into()),
        ("details", details),
    ]);
    bytes([("error", error), ("status", told.status.into())])
}
