//! What is asked of Qdrant. Source: <https://api.qdrant.tech/api-reference>; other names of keys (`top`, `with_vectors`):
//! `lib/api/src/rest/schema.rs` of Qdrant. Shard keys are what other stores call namespaces.

use super::asks::{
    ANY, Asks, COLLECTION, Documents, FILTER, Language, NAMESPACE_OR_MORE, Query, ROWS, Reach, SCHEMA,
    SERVICE, TOP_K, TopK, UNFILTERED, UNNARROWED, VECTORS, Vectors, Written, bare, document, only, query,
};
use super::params::Param::{self, Pass};
use crate::protocol::request::table::{
    ANY_OBJECT, Fact, Mark, NOTHING, Object, OnString, Place, array, list, object,
};

const BY: Reach = Reach::Filtered("filter", Language::Conditions);
const SHARD: Option<Written> = Some(Written::Key("shard_key"));
const LIMIT: Option<TopK> = Some(TopK { at: Written::Key("limit"), default: 10 });

const READ: &[(&str, Param)] = &[("consistency", Pass), ("timeout", Pass)];
const WRITE: &[(&str, Param)] = &[("wait", Pass), ("ordering", Pass), ("timeout", Pass)];

/// A query with hits.
static HITS: Query =
    Query { reach: BY, top_k: LIMIT, namespace: SHARD, vectors: Vectors::Flag, operation: "" };
/// The same within another, whose shards it reads.
static PREFETCHED: Query = Query { namespace: Some(Written::Elsewhere), vectors: Vectors::Never, ..HITS };
/// Rows, counted or otherwise summed up.
static COUNTED: Query = Query { reach: BY, namespace: SHARD, ..UNFILTERED };
/// Rows by their ids.
static BY_ID: Query = Query { namespace: SHARD, vectors: Vectors::Flag, ..UNFILTERED };
/// Points of another collection whose vectors are asked for, none of which a filter narrows.
static OTHERS: Query = Query { namespace: SHARD, ..UNFILTERED };
/// Points of another collection that are put beside groups, of all its shards.
static JOINED: Query = Query { vectors: Vectors::Flag, ..UNFILTERED };

/// `/points/query`.
pub static QUERY: Asks = document(&QUERY_BODY, READ, &HITS);
static QUERY_BODY: Place = query(&HITS, &QUERY_FIELDS);
static QUERY_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("prefetch", &PREFETCHES),
    ("query", &ANY),
    ("using", &ANY),
    ("filter", &FILTER),
    ("params", &ANY),
    ("score_threshold", &ANY),
    ("limit", &TOP_K),
    ("offset", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
    ("with_payload", &ANY),
    ("lookup_from", &LOOKUP_FROM),
]);
static PREFETCHES: Place = list(&PREFETCH);
static PREFETCH: Place = query(&PREFETCHED, &PREFETCH_FIELDS);
static PREFETCH_FIELDS: Object = only(&[
    ("prefetch", &PREFETCHES),
    ("query", &ANY),
    ("using", &ANY),
    ("filter", &FILTER),
    ("params", &ANY),
    ("score_threshold", &ANY),
    ("limit", &TOP_K),
    ("lookup_from", &LOOKUP_FROM),
]);
static LOOKUP_FROM: Place = query(&OTHERS, &LOOKUP_FROM_FIELDS);
static LOOKUP_FROM_FIELDS: Object =
    only(&[("collection", &COLLECTION), ("vector", &ANY), ("shard_key", &NAMESPACE_OR_MORE)]);

/// `/points/query/batch`.
pub static QUERY_BATCH: Asks = document(&QUERY_BATCH_BODY, READ, &HITS);
static QUERY_BATCH_BODY: Place = object(&QUERY_BATCH_FIELDS);
static QUERY_BATCH_FIELDS: Object = only(&[("searches", &QUERIES)]);
static QUERIES: Place = array(&QUERY_BODY);

/// `/points/query/groups`.
pub static QUERY_GROUPS: Asks = document(&QUERY_GROUPS_BODY, READ, &HITS);
static QUERY_GROUPS_BODY: Place = query(&HITS, &QUERY_GROUPS_FIELDS);
static QUERY_GROUPS_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("prefetch", &PREFETCHES),
    ("query", &ANY),
    ("using", &ANY),
    ("filter", &FILTER),
    ("params", &ANY),
    ("score_threshold", &ANY),
    ("limit", &TOP_K),
    ("group_by", &ANY),
    ("group_size", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
    ("with_payload", &ANY),
    ("lookup_from", &LOOKUP_FROM),
    ("with_lookup", &WITH_LOOKUP),
]);
/// A collection's name, or an object with it: points that the groups' values name are put beside them, unfiltered.
static WITH_LOOKUP: Place = Place {
    string: OnString::Read(Fact::Collection),
    mark: Some(Mark::Query(&JOINED)),
    object: Some(&WITH_LOOKUP_FIELDS),
    ..NOTHING
};
static WITH_LOOKUP_FIELDS: Object = only(&[
    ("collection", &COLLECTION),
    ("with_payload", &ANY),
    ("with_vectors", &VECTORS),
    ("with_vector", &VECTORS),
]);

/// `/points/search`, `/points/discover`, `/points/recommend`: as they were before `query`.
pub static SEARCH: Asks = document(&SEARCH_BODY, READ, &HITS);
static SEARCH_BODY: Place = query(&HITS, &SEARCH_FIELDS);
static SEARCH_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("vector", &ANY),
    ("target", &ANY),
    ("context", &ANY),
    ("positive", &ANY),
    ("negative", &ANY),
    ("strategy", &ANY),
    ("using", &ANY),
    ("lookup_from", &LOOKUP_FROM),
    ("filter", &FILTER),
    ("params", &ANY),
    ("limit", &TOP_K),
    ("top", &TOP_K),
    ("offset", &ANY),
    ("with_payload", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
    ("score_threshold", &ANY),
]);
/// The same in batches.
pub static SEARCH_BATCH: Asks = document(&SEARCH_BATCH_BODY, READ, &HITS);
static SEARCH_BATCH_BODY: Place = object(&SEARCH_BATCH_FIELDS);
static SEARCH_BATCH_FIELDS: Object = only(&[("searches", &SEARCHES)]);
static SEARCHES: Place = array(&SEARCH_BODY);
/// The same in groups.
pub static SEARCH_GROUPS: Asks = document(&SEARCH_GROUPS_BODY, READ, &HITS);
static SEARCH_GROUPS_BODY: Place = query(&HITS, &SEARCH_GROUPS_FIELDS);
static SEARCH_GROUPS_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("vector", &ANY),
    ("positive", &ANY),
    ("negative", &ANY),
    ("strategy", &ANY),
    ("using", &ANY),
    ("lookup_from", &LOOKUP_FROM),
    ("filter", &FILTER),
    ("params", &ANY),
    ("limit", &TOP_K),
    ("with_payload", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
    ("score_threshold", &ANY),
    ("group_by", &ANY),
    ("group_size", &ANY),
    ("with_lookup", &WITH_LOOKUP),
]);

/// `/points/search/matrix/…`: a sample of points, and the distances between.
pub static MATRIX: Asks = document(&MATRIX_BODY, READ, &SAMPLED);
static SAMPLED: Query = Query { top_k: Some(TopK { at: Written::Key("sample"), default: 10 }), ..COUNTED };
static MATRIX_BODY: Place = query(&SAMPLED, &MATRIX_FIELDS);
static MATRIX_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("filter", &FILTER),
    ("sample", &TOP_K),
    ("limit", &ANY),
    ("using", &ANY),
]);

/// `/points/count`.
pub static COUNT: Asks = document(&COUNT_BODY, READ, &COUNTED);
static COUNT_BODY: Place = query(&COUNTED, &COUNT_FIELDS);
static COUNT_FIELDS: Object =
    only(&[("shard_key", &NAMESPACE_OR_MORE), ("filter", &FILTER), ("exact", &ANY)]);
/// `/facet`.
pub static FACET: Asks = document(&FACET_BODY, READ, &FACETED);
static FACETED: Query = Query { top_k: LIMIT, ..COUNTED };
static FACET_BODY: Place = query(&FACETED, &FACET_FIELDS);
static FACET_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("key", &ANY),
    ("filter", &FILTER),
    ("limit", &TOP_K),
    ("exact", &ANY),
]);

/// `/points/scroll`.
pub static SCROLL: Asks = document(&SCROLL_BODY, READ, &HITS);
static SCROLL_BODY: Place = query(&HITS, &SCROLL_FIELDS);
static SCROLL_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("offset", &ANY),
    ("limit", &TOP_K),
    ("filter", &FILTER),
    ("with_payload", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
    ("order_by", &ANY),
]);
/// `POST /points`: by ids.
pub static POINTS: Asks = document(&POINTS_BODY, READ, &BY_ID);
static POINTS_BODY: Place = query(&BY_ID, &POINTS_FIELDS);
static POINTS_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("ids", &ANY),
    ("with_payload", &ANY),
    ("with_vector", &VECTORS),
    ("with_vectors", &VECTORS),
]);
/// `GET /points/{point}`: with all that it has.
pub static POINT: Asks = bare(&WHOLE, READ);
static WHOLE: Query = Query { vectors: Vectors::Always, ..UNFILTERED };

/// Names and settings of collections.
pub static COLLECTIONS: Asks = bare(&SCHEMA, &[]);
/// Whether the store is well.
pub static HEALTH: Asks = bare(&SERVICE, &[]);

/// Points that are written.
pub static UPSERT: Asks = document(&UPSERT_BODY, WRITE, &PUT);
static PUT: Query = Query { namespace: SHARD, ..UNFILTERED };
static UPSERT_BODY: Place = query(&PUT, &UPSERT_FIELDS);
static UPSERT_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    ("points", &ANY),
    ("batch", &ANY),
    ("update_filter", &ANY),
    ("update_mode", &ANY),
    ("payload", &ANY),
    ("key", &ANY),
    ("filter", &FILTER),
]);
/// Points that are deleted, or what of them is: by ids, or by a filter, or by both.
pub static DELETE: Asks = document(&DELETE_BODY, WRITE, &DELETED);
static DELETED: Query = Query { reach: BY, namespace: SHARD, ..UNFILTERED };
static DELETE_BODY: Place = query(&DELETED, &DELETE_FIELDS);
static DELETE_FIELDS: Object = only(&[
    ("shard_key", &NAMESPACE_OR_MORE),
    // Either names what is meant; of points named by ids, no filter holds some back.
    ("points", &UNNARROWED),
    ("filter", &FILTER),
    ("vector", &ANY),
    ("keys", &ANY),
]);
/// Several operations on points at once, each under its name.
pub static BATCH: Asks = document(&BATCH_BODY, WRITE, &ROWS);
static BATCH_BODY: Place = object(&BATCH_FIELDS);
static BATCH_FIELDS: Object = only(&[("operations", &OPERATIONS)]);
static OPERATIONS: Place = array(&OPERATION);
static OPERATION: Place = object(&OPERATION_FIELDS);
static OPERATION_FIELDS: Object = only(&[
    ("upsert", &UPSERT_BODY),
    ("set_payload", &UPSERT_BODY),
    ("overwrite_payload", &UPSERT_BODY),
    ("update_vectors", &UPSERT_BODY),
    ("delete", &BATCHED_DELETE),
    ("delete_vectors", &BATCHED_DELETE),
    ("delete_payload", &BATCHED_DELETE),
    ("clear_payload", &BATCHED_DELETE),
]);
static BATCHED_DELETE: Place = query(&PUT, &DELETE_FIELDS);
/// An index of a field.
pub static INDEX: Asks = Asks { body: Documents::One(&ANY_DOCUMENT), params: WRITE, query: &SCHEMA };
static ANY_DOCUMENT: Place = object(&ANY_OBJECT);
/// An index of a field that is deleted.
pub static DROP_INDEX: Asks = bare(&SCHEMA, WRITE);
/// A collection that is deleted, with all its rows.
pub static DROP: Asks = bare(&ROWS, WRITE);
