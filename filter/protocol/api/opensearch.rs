//! The REST API that OpenSearch and Elasticsearch share, as far as documents and searches go.
//!
//! Source: <https://docs.opensearch.org/latest/api-reference/>. The clients choose the class of an error by its status
//! and show `error.type` and `error.reason`. Elasticsearch's clients send an API key as `authorization: ApiKey`.

use serde_json::Value;

use super::refusal::{JSON, bytes, object};
use super::{ANY, Api, Body, DELETE, Family, GET, Operation, POST, PUT, READ, Root, Shape, Told, asks, row};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{
    self, COMPONENTS, COUNTS, DROP, FIELDS, LABEL, MASKED, Place, Table, array,
};
use crate::protocol::store::opensearch;

/// OpenSearch's API, and Elasticsearch's.
pub static OPENSEARCH: Api = Api {
    name: "opensearch",
    title: "OpenSearch and Elasticsearch",
    family: Family::Store,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer "), ("authorization", "ApiKey ")],
    operations: OPERATIONS,
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: None,
        about: "`TransportError` (`ApiError`) and its kinds, by status",
    },
    answers: &ANSWERS,
};

const ASK: &[&str] = &["GET", "POST"];
const WRITE: &[&str] = &["PUT", "POST"];

const OPERATIONS: &[Operation] = &[
    asks("query", ASK, "_search", &opensearch::SEARCH),
    asks("query", ASK, "<index>/_search", &opensearch::SEARCH),
    asks("query", ASK, "_msearch", &opensearch::MANY),
    asks("query", ASK, "<index>/_msearch", &opensearch::MANY),
    row("query", ASK, "_search/template", Body::Json),
    row("query", ASK, "<index>/_search/template", Body::Json),
    kept(ASK, "_search/scroll"),
    kept(DELETE, "_search/scroll"),
    asks("query", ASK, "_count", &opensearch::BY_QUERY),
    asks("query", ASK, "<index>/_count", &opensearch::BY_QUERY),
    row("query", ASK, "<index>/_explain/{id}", Body::Json),
    row("query", ASK, "<index>/_knn_search", Body::Json),
    row("query", ASK, "<index>/_validate/query", Body::Json),
    row("query", ASK, "<index>/_terms_enum", Body::Json),
    asks("query", POST, "<index>/_search/point_in_time", &opensearch::OPEN),
    kept(DELETE, "_search/point_in_time"),
    asks("query", POST, "<index>/_pit", &opensearch::OPEN),
    kept(DELETE, "_pit"),
    asks("fetch", READ, "<index>/_doc/{id}", &opensearch::DOCUMENT),
    source("<index>/_source/{id}"),
    asks("fetch", ASK, "_mget", &opensearch::DOCUMENTS),
    asks("fetch", ASK, "<index>/_mget", &opensearch::DOCUMENTS),
    row("fetch", ASK, "<index>/_termvectors/{id}", Body::Json),
    asks("fetch", READ, "", &opensearch::HEALTH),
    asks("fetch", READ, "<index>", &opensearch::NAMES),
    asks("fetch", GET, "<index>/_mapping", &opensearch::NAMES),
    asks("fetch", GET, "<index>/_settings", &opensearch::NAMES),
    row("fetch", ASK, "<index>/_field_caps", Body::Json),
    bulk("_bulk"),
    bulk("<index>/_bulk"),
    asks("upsert", POST, "<index>/_doc", &opensearch::WRITE),
    asks("upsert", WRITE, "<index>/_doc/{id}", &opensearch::WRITE),
    asks("upsert", WRITE, "<index>/_create/{id}", &opensearch::WRITE),
    asks("upsert", POST, "<index>/_update/{id}", &opensearch::WRITE),
    row("upsert", POST, "<index>/_update_by_query", Body::Json),
    asks("delete", DELETE, "<index>/_doc/{id}", &opensearch::DELETE),
    asks("delete", POST, "<index>/_delete_by_query", &opensearch::BY_QUERY),
    row("admin", PUT, "<index>", Body::Json),
    asks("admin", DELETE, "<index>", &opensearch::DELETE),
    row("admin", WRITE, "<index>/_mapping", Body::Json),
    row("admin", PUT, "<index>/_settings", Body::Json),
    row("admin", ASK, "<index>/_refresh", Body::None),
    row("admin", ASK, "<index>/_flush", Body::None),
    row("admin", POST, "<index>/_forcemerge", Body::None),
    row("admin", POST, "<index>/_open", Body::None),
    row("admin", POST, "<index>/_close", Body::None),
    row("admin", ANY, "<index>/_alias/{alias}", Body::Any),
    row("admin", ASK, "_refresh", Body::None),
    row("admin", ANY, "_aliases", Body::Any),
    row("admin", ANY, "_alias", Body::Any),
    row("admin", ANY, "_index_template/{name}", Body::Any),
    row("admin", ANY, "_cat/**", Body::Any),
    row("admin", ANY, "_cluster/**", Body::Any),
    row("admin", ANY, "_nodes/**", Body::Any),
];

/// Several documents written, or deleted.
const fn bulk(path: &'static str) -> Operation {
    Operation { also: Some("delete"), ..asks("upsert", WRITE, path, &opensearch::BULK) }
}

/// What the store keeps of a search is read on, or no longer kept: whose it was nothing tells.
const fn kept(methods: &'static [&'static str], path: &'static str) -> Operation {
    Operation { kept: true, ..row("query", methods, path, Body::Json) }
}

/// The document itself is the answer: no word of it is the API's.
const fn source(path: &'static str) -> Operation {
    Operation { answers: Some(&SOURCE), ..asks("fetch", READ, path, &opensearch::DOCUMENT) }
}

static SOURCE: Table = documents(&FIELDS);

/// What searches and documents are answered with. Ids, names of indexes, scores, counts and cursors are kept. Highlights
/// cut words with tags of the caller's choice, so that a value could stand in pieces: they are left out.
static ANSWERS: Table = documents(&ANSWER);
static ANSWER: Place = Place {
    fields: &[
        ("hits", &HITS),
        ("took", &COUNTS),
        ("_shards", &SHARDS),
        ("aggregations", &AGGREGATIONS),
        ("responses", &ANSWERS_OF_MANY),
        ("docs", &HIT_LIST),
        ("items", &ITEMS),
        ("count", &COUNTS),
        ("status", &COUNTS),
        ("_scroll_id", &LABEL),
        ("pit_id", &LABEL),
        ("id", &LABEL),
        ("_index", &LABEL),
        ("_id", &LABEL),
        ("_version", &COUNTS),
        ("_seq_no", &COUNTS),
        ("_primary_term", &COUNTS),
        ("get", &HIT),
        ("total", &COUNTS),
        ("updated", &COUNTS),
        ("deleted", &COUNTS),
    ],
    other: &FIELDS,
    ..MASKED
};
static ANSWERS_OF_MANY: Place = array(&ANSWER);
static SHARDS: Place =
    table::object(&[("total", &COUNTS), ("successful", &COUNTS), ("skipped", &COUNTS), ("failed", &COUNTS)]);
static HITS: Place =
    Place { fields: &[("total", &TOTAL), ("max_score", &COUNTS), ("hits", &HIT_LIST)], ..MASKED };
static TOTAL: Place = table::object(&[("value", &COUNTS), ("relation", &LABEL)]);
static HIT_LIST: Place = array(&HIT);
static HIT: Place = table::object(&[
    ("_index", &LABEL),
    ("_id", &LABEL),
    ("_score", &COUNTS),
    ("_version", &COUNTS),
    ("_seq_no", &COUNTS),
    ("_primary_term", &COUNTS),
    ("_source", &FIELDS),
    ("fields", &FIELDS),
    ("ignored_field_values", &FIELDS),
    ("highlight", &DROP),
    ("inner_hits", &INNER),
]);
/// By name.
static INNER: Place = Place { other: &ANSWER, ..MASKED };
/// By name. The keys of buckets are values of documents, and so are least, greatest and top ones.
static AGGREGATIONS: Place = Place { other: &AGGREGATION, ..MASKED };
static AGGREGATION: Place = Place {
    fields: &[
        ("buckets", &BUCKETS),
        ("doc_count", &COUNTS),
        ("doc_count_error_upper_bound", &COUNTS),
        ("sum_other_doc_count", &COUNTS),
        ("hits", &HITS),
    ],
    other: &AGGREGATION,
    items: &COMPONENTS,
    ..MASKED
};
/// A list, or an object by key.
static BUCKETS: Place = Place { items: &AGGREGATION, other: &AGGREGATION, ..MASKED };
/// Of a bulk request, each by what was done.
static ITEMS: Place = array(&ITEM);
static ITEM: Place = Place { other: &ANSWER, ..MASKED };

fn body(told: &Told<'_>) -> Vec<u8> {
    let cause = || {
        object([
            ("type", kind(told.code).into()),
            ("reason", told.message.into()),
            ("code", told.code.into()),
        ])
    };
    let mut error = cause();
    if let Value::Object(error) = &mut error {
        error.insert("root_cause".to_owned(), Value::Array(vec![cause()]));
    }
    bytes([("error", error), ("status", told.status.into())])
}

/// The store's name for the kind of error that `code` is.
fn kind(code: &str) -> &'static str {
    match code {
        "unauthenticated" | "forbidden" | "policy_error" | "approval_denied" => "security_exception",
        "invalid_request" | "uninspectable" | "too_large" => "illegal_argument_exception",
        "approval_pending" => "version_conflict_engine_exception",
        "rate_limited" => "rejected_execution_exception",
        _ => "status_exception",
    }
}
