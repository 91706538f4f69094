//! What is asked of Milvus, version 2 of its REST API. Source: <https://milvus.io/api-reference/restful/v2.5.x/About.md>
//! and `internal/distributed/proxy/httpserver/request_v2.go` of Milvus. A filter is text; partitions are namespaces.

use super::asks::{
    ANY, Asks, COLLECTION, DATABASE, EXPRESSION, Language, NAMESPACE, NAMESPACES, Query, Reach, SCHEMA,
    TOP_K, TopK, UNFILTERED, Vectors, Written, document, only, query,
};
use crate::protocol::request::table::{Object, Place, array, object};

const BY: Reach = Reach::Filtered("filter", Language::Expression);
const PARTITIONS: Option<Written> = Some(Written::List("partitionNames"));
const PARTITION: Option<Written> = Some(Written::Key("partitionName"));
const LIMIT: Option<TopK> = Some(TopK { at: Written::Key("limit"), default: 100 });

static NEAREST: Query =
    Query { reach: BY, top_k: LIMIT, namespace: PARTITIONS, vectors: Vectors::Field, operation: "" };
/// `entities/search`.
pub static SEARCH: Asks = document(&SEARCH_BODY, &[], &NEAREST);
static SEARCH_BODY: Place = query(&NEAREST, &SEARCH_FIELDS);
static SEARCH_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionNames", &NAMESPACES),
    ("data", &ANY),
    ("annsField", &ANY),
    ("filter", &EXPRESSION),
    ("exprParams", &ANY),
    ("limit", &TOP_K),
    ("offset", &ANY),
    ("groupingField", &ANY),
    ("groupSize", &ANY),
    ("strictGroupSize", &ANY),
    ("outputFields", &ANY),
    ("searchParams", &PARAMS),
    ("params", &ANY),
    ("functionScore", &ANY),
    ("consistencyLevel", &ANY),
]);

/// The whole of a search in several fields; what narrows it are the searches within.
static FUSED: Query = Query {
    reach: Reach::Within,
    top_k: LIMIT,
    namespace: PARTITIONS,
    vectors: Vectors::Field,
    operation: "",
};
static ONE_OF: Query = Query { namespace: Some(Written::Elsewhere), vectors: Vectors::Never, ..NEAREST };
/// `entities/hybrid_search`, `entities/advanced_search`.
pub static HYBRID: Asks = document(&HYBRID_BODY, &[], &FUSED);
static HYBRID_BODY: Place = query(&FUSED, &HYBRID_FIELDS);
static HYBRID_FIELDS: Object = Object {
    required: &["search"],
    ..only(&[
        ("dbName", &DATABASE),
        ("collectionName", &COLLECTION),
        ("partitionNames", &NAMESPACES),
        ("search", &SEARCHES),
        ("rerank", &ANY),
        ("limit", &TOP_K),
        ("groupingField", &ANY),
        ("groupSize", &ANY),
        ("strictGroupSize", &ANY),
        ("outputFields", &ANY),
        ("functionScore", &ANY),
        ("consistencyLevel", &ANY),
    ])
};
static SEARCHES: Place = array(&SEARCH_IN);
static SEARCH_IN: Place = query(&ONE_OF, &SEARCH_IN_FIELDS);
static SEARCH_IN_FIELDS: Object = only(&[
    ("data", &ANY),
    ("annsField", &ANY),
    ("filter", &EXPRESSION),
    ("exprParams", &ANY),
    ("groupingField", &ANY),
    ("metricType", &ANY),
    ("limit", &TOP_K),
    ("offset", &ANY),
    ("params", &PARAMS),
]);
/// What else stood here would be one of the search's own settings, its bound among them.
static PARAMS: Place = object(&PARAMS_FIELDS);
static PARAMS_FIELDS: Object = only(&[
    ("metricType", &ANY),
    ("metric_type", &ANY),
    ("params", &ANY),
    ("ignoreGrowing", &ANY),
    ("ignore_growing", &ANY),
    ("roundDecimal", &ANY),
    ("round_decimal", &ANY),
    ("hints", &ANY),
]);

/// `entities/query`.
pub static QUERY: Asks = document(&QUERY_BODY, &[], &NEAREST);
static QUERY_BODY: Place = query(&NEAREST, &QUERY_FIELDS);
static QUERY_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionNames", &NAMESPACES),
    ("filter", &EXPRESSION),
    ("exprParams", &ANY),
    ("limit", &TOP_K),
    ("offset", &ANY),
    ("outputFields", &ANY),
    ("consistencyLevel", &ANY),
]);

static BY_ID: Query = Query { namespace: PARTITIONS, vectors: Vectors::Field, ..UNFILTERED };
/// `entities/get`: by ids.
pub static GET: Asks = document(&GET_BODY, &[], &BY_ID);
static GET_BODY: Place = query(&BY_ID, &GET_FIELDS);
static GET_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionNames", &NAMESPACES),
    ("id", &ANY),
    ("outputFields", &ANY),
    ("consistencyLevel", &ANY),
]);

static WRITTEN: Query = Query { namespace: PARTITION, ..UNFILTERED };
/// `entities/insert`, `entities/upsert`.
pub static WRITE: Asks = document(&WRITE_BODY, &[], &WRITTEN);
static WRITE_BODY: Place = query(&WRITTEN, &WRITE_FIELDS);
static WRITE_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionName", &NAMESPACE),
    ("data", &ANY),
]);

static DELETED: Query = Query { reach: BY, namespace: PARTITION, ..UNFILTERED };
/// `entities/delete`.
pub static DELETE: Asks = document(&DELETE_BODY, &[], &DELETED);
static DELETE_BODY: Place = query(&DELETED, &DELETE_FIELDS);
static DELETE_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionName", &NAMESPACE),
    ("filter", &EXPRESSION),
    ("exprParams", &ANY),
]);

/// Names and settings: of a collection, a partition, an index, an alias.
pub static DESCRIBE: Asks = document(&DESCRIBE_BODY, &[], &DESCRIBED);
static DESCRIBED: Query = SCHEMA;
static DESCRIBE_BODY: Place = query(&DESCRIBED, &DESCRIBE_FIELDS);
static DESCRIBE_FIELDS: Object = only(&[
    ("dbName", &DATABASE),
    ("collectionName", &COLLECTION),
    ("partitionName", &NAMESPACE),
    ("partitionNames", &NAMESPACES),
    ("indexName", &ANY),
]);
/// How many rows there are: of a collection or a partition.
pub static STATS: Asks = document(&STATS_BODY, &[], &COUNTED);
static COUNTED: Query = Query { namespace: PARTITION, ..UNFILTERED };
static STATS_BODY: Place = query(&COUNTED, &DESCRIBE_FIELDS);
