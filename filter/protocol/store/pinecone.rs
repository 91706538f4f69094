//! What is asked of Pinecone. Source: <https://docs.pinecone.io/reference/api/2025-10/data-plane/query>. Its JSON is that
//! of Protocol Buffers: keys may be written with underscores too. The collection is the index, which the host names.

use super::asks::{
    ANY, Asks, Documents, FILTER, Language, NAMESPACE, Query, ROWS, Reach, SCHEMA, SERVICE, TOP_K, TopK,
    UNFILTERED, VECTORS, Vectors, Written, bare, document, only, query,
};
use super::params::Param::{self, Many, Pass};
use crate::protocol::request::table::{ANY_OBJECT, Naming, Object, Place, array, object};

const BY: Reach = Reach::Filtered("filter", Language::Fields);
const NAMED: Option<Written> = Some(Written::Key("namespace"));

const fn proto(fields: &'static [(&'static str, &'static Place)]) -> Object {
    Object { naming: Naming::Protobuf, ..only(fields) }
}

static SEARCH: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("topK"), default: 0 }),
    namespace: NAMED,
    vectors: Vectors::Flag,
    operation: "",
};
/// `POST /query`.
pub static QUERY: Asks = document(&QUERY_BODY, &[], &SEARCH);
static QUERY_BODY: Place = query(&SEARCH, &QUERY_FIELDS);
static QUERY_FIELDS: Object = proto(&[
    ("vector", &ANY),
    ("sparseVector", &ANY),
    ("id", &ANY),
    ("topK", &TOP_K),
    ("filter", &FILTER),
    ("namespace", &NAMESPACE),
    ("includeValues", &VECTORS),
    ("includeMetadata", &ANY),
    ("scanFactor", &ANY),
    ("maxCandidates", &ANY),
]);

static TEXTS: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("top_k"), default: 0 }),
    namespace: Some(Written::Elsewhere),
    vectors: Vectors::Never,
    operation: "",
};
/// `POST /records/namespaces/{namespace}/search`: of text that Pinecone embeds itself.
pub static RECORDS: Asks = document(&RECORDS_BODY, &[], &TEXTS);
static RECORDS_BODY: Place = object(&RECORDS_FIELDS);
static RECORDS_FIELDS: Object =
    Object { required: &["query"], ..only(&[("query", &RECORDS_QUERY), ("fields", &ANY), ("rerank", &ANY)]) };
static RECORDS_QUERY: Place = query(&TEXTS, &RECORDS_QUERY_FIELDS);
static RECORDS_QUERY_FIELDS: Object = only(&[
    ("inputs", &ANY),
    ("top_k", &TOP_K),
    ("filter", &FILTER),
    ("vector", &ANY),
    ("id", &ANY),
    ("match_terms", &ANY),
]);

/// `POST /rerank`, `POST /embed`: of no index.
pub static MODEL: Asks = document(&ANY_DOCUMENT, &[], &SERVICE);
static ANY_DOCUMENT: Place = object(&ANY_OBJECT);

static BY_ID: Query =
    Query { namespace: Some(Written::Param("namespace")), vectors: Vectors::Always, ..UNFILTERED };
/// `GET /vectors/fetch`.
pub static FETCH: Asks = bare(&BY_ID, &[("ids", Many), ("namespace", Param::Namespace)]);
static IDS: Query = Query {
    top_k: Some(TopK { at: Written::Param("limit"), default: 100 }),
    namespace: Some(Written::Param("namespace")),
    ..UNFILTERED
};
/// `GET /vectors/list`: ids alone.
pub static LIST: Asks = bare(
    &IDS,
    &[("prefix", Pass), ("limit", Param::TopK), ("paginationToken", Pass), ("namespace", Param::Namespace)],
);
static BY_METADATA: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("limit"), default: 100 }),
    namespace: NAMED,
    vectors: Vectors::Always,
    operation: "",
};
/// `POST /vectors/fetch_by_metadata`.
pub static FETCH_BY_METADATA: Asks = document(&BY_METADATA_BODY, &[], &BY_METADATA);
static BY_METADATA_BODY: Place = query(&BY_METADATA, &BY_METADATA_FIELDS);
static BY_METADATA_FIELDS: Object =
    proto(&[("namespace", &NAMESPACE), ("filter", &FILTER), ("limit", &TOP_K), ("paginationToken", &ANY)]);

/// `GET` and `POST /describe_index_stats`: counts of all namespaces.
pub static STATS: Asks = Asks { body: Documents::Optional(&STATS_BODY), params: &[], query: &STATS_QUERY };
static STATS_QUERY: Query = Query { reach: BY, ..UNFILTERED };
static STATS_BODY: Place = query(&STATS_QUERY, &STATS_FIELDS);
static STATS_FIELDS: Object = proto(&[("filter", &FILTER)]);
/// `GET /namespaces`: names of all.
pub static NAMESPACE_LIST: Asks =
    bare(&ROWS, &[("limit", Pass), ("paginationToken", Pass), ("prefix", Pass)]);
/// `GET` and `DELETE /namespaces/{namespace}`.
pub static ONE_NAMESPACE: Asks = bare(&WITHIN, &[]);
static WITHIN: Query = Query { namespace: Some(Written::Elsewhere), ..UNFILTERED };
/// `GET /models`, `GET /models/{model}`.
pub static MODELS: Asks = bare(&SERVICE, &[("type", Pass), ("vector_type", Pass)]);
/// `GET /indexes`, `GET /indexes/{index}`.
pub static INDEX: Asks = bare(&SCHEMA, &[]);
/// `DELETE /indexes/{index}`, with all its rows.
pub static DROP: Asks = bare(&ROWS, &[]);

static WRITTEN: Query = Query { namespace: NAMED, ..UNFILTERED };
/// `POST /vectors/upsert`.
pub static UPSERT: Asks = document(&UPSERT_BODY, &[], &WRITTEN);
static UPSERT_BODY: Place = query(&WRITTEN, &UPSERT_FIELDS);
static UPSERT_FIELDS: Object = proto(&[("vectors", &ROWS_OF_ANYTHING), ("namespace", &NAMESPACE)]);
static ROWS_OF_ANYTHING: Place = array(&ANY);
/// `POST /records/namespaces/{namespace}/upsert`: a record a line.
pub static UPSERT_RECORDS: Asks = Asks { body: Documents::Lines(&ANY_DOCUMENT), params: &[], query: &WITHIN };
/// `POST /vectors/update`: of one record by its id, or of all that a filter finds.
pub static UPDATE: Asks = document(&UPDATE_BODY, &[], &WRITTEN);
static UPDATE_BODY: Place = query(&WRITTEN, &UPDATE_FIELDS);
static UPDATE_FIELDS: Object = proto(&[
    ("id", &ANY),
    ("values", &ANY),
    ("sparseValues", &ANY),
    ("setMetadata", &ANY),
    ("namespace", &NAMESPACE),
    ("filter", &FILTER),
    ("dryRun", &ANY),
]);
/// `POST /vectors/delete`: by ids, all, or what a filter finds; of these only one.
pub static DELETE: Asks = document(&DELETE_BODY, &[], &WRITTEN);
static DELETE_BODY: Place = query(&WRITTEN, &DELETE_FIELDS);
static DELETE_FIELDS: Object =
    proto(&[("ids", &ANY), ("deleteAll", &ANY), ("namespace", &NAMESPACE), ("filter", &FILTER)]);
