//! What is asked of OpenSearch and Elasticsearch. Source: <https://docs.opensearch.org/latest/api-reference/search-apis/search/>
//! and <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search>. The collection is an index or a
//! pattern of names, as it is asked for, or several with commas between; the filter is the query, which may look things up
//! in other indexes.

use super::asks::{
    ANY, Asks, Documents, Language, Query, ROWS, Reach, SCHEMA, SERVICE, TOP_K, TopK, UNFILTERED, UNNARROWED,
    UNREAD, Vectors, Written, bare, document, only, query,
};
use super::params::Param::{self, Pass};
use crate::protocol::request::table::{
    ANY_OBJECT, Fact, Mark, NOTHING, Object, OnFlag, OnNumber, OnString, Place, UNKNOWN, array, list, object,
};

const BY: Reach = Reach::Filtered("query", Language::Clause);

/// What most requests may say, of what is answered and how.
macro_rules! params {
    ($($more:tt)*) => {
        &[
            ("pretty", Pass), ("human", Pass), ("error_trace", Pass), ("filter_path", Pass), ("timeout", Pass),
            ("routing", Pass), ("preference", Pass), ("refresh", Pass), ("realtime", Pass), ("version", Pass),
            ("allow_no_indices", Pass), ("ignore_unavailable", Pass), ("expand_wildcards", Pass), ("ignore_throttled", Pass),
            ("_source", Pass), ("_source_includes", Pass), ("_source_excludes", Pass), ("stored_fields", Pass),
            $($more)*
        ]
    };
}
const COMMON: &[(&str, Param)] = params!();
/// A search may be a parameter too: what it finds, no filter in the body narrows.
const SEARCHING: &[(&str, Param)] = params!(
    ("size", Param::TopK),
    ("from", Pass),
    ("q", Param::Unnarrowed),
    ("analyzer", Pass),
    ("analyze_wildcard", Pass),
    ("default_operator", Pass),
    ("df", Pass),
    ("lenient", Pass),
    ("sort", Pass),
    ("track_scores", Pass),
    ("track_total_hits", Pass),
    ("docvalue_fields", Pass),
    ("explain", Pass),
    ("seq_no_primary_term", Pass),
    ("terminate_after", Pass),
    ("typed_keys", Pass),
    ("rest_total_hits_as_int", Pass),
    ("request_cache", Pass),
    ("search_type", Pass),
    ("batched_reduce_size", Pass),
    ("ccs_minimize_roundtrips", Pass),
    ("max_concurrent_shard_requests", Pass),
    ("max_concurrent_searches", Pass),
    ("pre_filter_shard_size", Pass),
    ("conflicts", Pass),
    ("wait_for_completion", Pass),
    ("requests_per_second", Pass),
    ("slices", Pass),
    ("max_docs", Pass),
    ("scroll_size", Pass),
    ("min_score", Pass),
    // What is read on of it later is another request.
    ("scroll", Pass)
);

static HITS: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("size"), default: 10 }),
    namespace: None,
    vectors: Vectors::Field,
    operation: "",
};
/// `_search`.
pub static SEARCH: Asks = Asks { body: Documents::Optional(&SEARCH_BODY), params: SEARCHING, query: &HITS };
static SEARCH_BODY: Place = query(&HITS, &SEARCH_FIELDS);
static SEARCH_FIELDS: Object = only(&[
    ("query", &CLAUSE_FILTER),
    ("knn", &NEIGHBOURS),
    ("size", &TOP_K),
    ("from", &ANY),
    ("sort", &CLAUSE),
    ("search_after", &ANY),
    ("_source", &ANY),
    ("fields", &ANY),
    ("stored_fields", &ANY),
    ("docvalue_fields", &ANY),
    ("track_total_hits", &ANY),
    ("track_scores", &ANY),
    ("min_score", &ANY),
    ("timeout", &ANY),
    ("terminate_after", &ANY),
    ("explain", &ANY),
    ("version", &ANY),
    ("seq_no_primary_term", &ANY),
    // Names the terms of all rows that a pattern stands for.
    ("profile", &UNNARROWED),
    ("highlight", &CLAUSE),
    ("post_filter", &CLAUSE),
    ("rescore", &CLAUSE),
    ("collapse", &CLAUSE),
    ("indices_boost", &ANY),
    // Some of them are of all rows, whatever the query is.
    ("aggs", &JOINED),
    ("aggregations", &JOINED),
    ("slice", &ANY),
    ("pit", &PIT),
]);
/// A point in time: of which indexes only the store knows.
static PIT: Place = Place { mark: Some(Mark::Reference), object: Some(&ANY_OBJECT), ..NOTHING };

static NEAR: Query = Query {
    reach: Reach::Filtered("filter", Language::Clause),
    top_k: Some(TopK { at: Written::Key("k"), default: 10 }),
    namespace: None,
    vectors: Vectors::Never,
    operation: "",
};
/// Elasticsearch's: hits beside those of the query.
static NEIGHBOURS: Place = list(&NEIGHBOUR);
static NEIGHBOUR: Place = query(&NEAR, &NEIGHBOUR_FIELDS);
static NEIGHBOUR_FIELDS: Object = only(&[
    ("field", &ANY),
    ("query_vector", &ANY),
    ("query_vector_builder", &CLAUSE),
    ("k", &TOP_K),
    ("num_candidates", &ANY),
    ("similarity", &ANY),
    ("boost", &ANY),
    ("filter", &CLAUSE_FILTER),
    ("rescore_vector", &ANY),
]);

/// A query, or a part of one.
static CLAUSE: Place = Place {
    string: OnString::Text,
    number: OnNumber::Text,
    flag: OnFlag::Keep,
    items: Some(&CLAUSE),
    object: Some(&CLAUSE_FIELDS),
    ..NOTHING
};
/// The whole of one.
static CLAUSE_FILTER: Place = Place { mark: Some(Mark::Filter), object: Some(&CLAUSE_FIELDS), ..NOTHING };
/// By these keys a query reads documents of other indexes, or hides what it is; of fields that are called so, it does not.
static CLAUSE_FIELDS: Object = Object {
    fields: &[
        ("index", &LOOKUP),
        ("_index", &LOOKUP),
        ("indexed_shape", &UNREAD),
        ("wrapper", &UNREAD),
        ("template", &UNREAD),
        ("percolate", &UNREAD),
        // Terms of a document that is named, and documents that hits are joined with: whosever they are.
        ("more_like_this", &JOINED),
        ("inner_hits", &JOINED),
    ],
    other: &CLAUSE,
    ..UNKNOWN
};
static JOINED: Place = Place {
    mark: Some(Mark::Unnarrowed),
    flag: OnFlag::Keep,
    items: Some(&CLAUSE),
    object: Some(&CLAUSE_FIELDS),
    ..NOTHING
};
static LOOKUP: Place = Place {
    string: OnString::Read(Fact::Collections),
    mark: Some(Mark::Query(&ROWS_OF_OTHERS)),
    object: Some(&CLAUSE_FIELDS),
    ..NOTHING
};

static ROWS_OF_OTHERS: Query = UNFILTERED;

static COUNTED: Query = Query { reach: BY, ..UNFILTERED };
/// `_count`, `_delete_by_query`.
pub static BY_QUERY: Asks =
    Asks { body: Documents::Optional(&BY_QUERY_BODY), params: SEARCHING, query: &COUNTED };
static BY_QUERY_BODY: Place = query(&COUNTED, &BY_QUERY_FIELDS);
static BY_QUERY_FIELDS: Object = only(&[("query", &CLAUSE_FILTER), ("max_docs", &ANY), ("conflicts", &ANY)]);

/// `_msearch`: a line that says where, then one that says what.
pub static MANY: Asks =
    Asks { body: Documents::Pairs(&HEADER, &SEARCH_BODY), params: SEARCHING, query: &HITS };
static HEADER: Place = object(&HEADER_FIELDS);
static HEADER_FIELDS: Object = only(&[
    ("index", &INDEXES),
    ("routing", &ANY),
    ("preference", &ANY),
    ("search_type", &ANY),
    ("request_cache", &ANY),
    ("allow_no_indices", &ANY),
    ("ignore_unavailable", &ANY),
    ("expand_wildcards", &ANY),
    ("ccs_minimize_roundtrips", &ANY),
]);
static INDEXES: Place = Place { items: Some(&INDEX), ..INDEX };
static INDEX: Place = Place { string: OnString::Read(Fact::Collections), ..NOTHING };

static WHOLE: Query = Query { vectors: Vectors::Field, ..UNFILTERED };
/// A document by its id.
pub static DOCUMENT: Asks = bare(&WHOLE, COMMON);
/// Documents by their ids.
pub static DOCUMENTS: Asks = document(&DOCUMENTS_BODY, COMMON, &WHOLE);
static DOCUMENTS_BODY: Place = object(&DOCUMENTS_FIELDS);
static DOCUMENTS_FIELDS: Object = only(&[("ids", &ANY), ("docs", &DOCS)]);
static DOCS: Place = array(&DOC);
static DOC: Place = object(&DOC_FIELDS);
static DOC_FIELDS: Object = only(&[
    ("_index", &INDEX),
    ("_id", &ANY),
    ("_source", &ANY),
    ("routing", &ANY),
    ("stored_fields", &ANY),
    ("version", &ANY),
]);

/// A document that is written.
pub static WRITE: Asks = document(&ANY_DOCUMENT, WRITING, &ROWS);
static ANY_DOCUMENT: Place = object(&ANY_OBJECT);
const WRITING: &[(&str, Param)] = params!(
    ("op_type", Pass),
    ("if_seq_no", Pass),
    ("if_primary_term", Pass),
    ("version_type", Pass),
    ("wait_for_active_shards", Pass),
    ("require_alias", Pass)
);
/// `_bulk`: a line that says what is done where, then the document, but for deletions.
pub static BULK: Asks = Asks {
    body: Documents::Actions(&ACTION, &ANY_DOCUMENT, &BULK_DELETED),
    params: params!(
        ("wait_for_active_shards", Pass),
        ("require_alias", Pass),
        ("require_data_stream", Pass),
        ("type", Pass)
    ),
    query: &BULK_WRITTEN,
};
static BULK_WRITTEN: Query = Query { operation: "upsert", ..ROWS };
static BULK_DELETED: Query = Query { operation: "delete", ..ROWS };
static ACTION: Place = object(&ACTION_FIELDS);
static ACTION_FIELDS: Object =
    only(&[("index", &WRITES), ("create", &WRITES), ("update", &WRITES), ("delete", &DELETES)]);
static WRITES: Place = query(&BULK_WRITTEN, &TARGET_FIELDS);
static DELETES: Place = query(&BULK_DELETED, &TARGET_FIELDS);
static TARGET_FIELDS: Object = only(&[
    ("_index", &INDEX),
    ("_id", &ANY),
    ("routing", &ANY),
    ("version", &ANY),
    ("version_type", &ANY),
    ("if_seq_no", &ANY),
    ("if_primary_term", &ANY),
    ("require_alias", &ANY),
    ("retry_on_conflict", &ANY),
]);
/// A point in time that is opened: nothing is read of the indexes yet.
pub static OPEN: Asks = bare(&SCHEMA, params!(("keep_alive", Pass), ("allow_partial_pit_creation", Pass)));
/// A document that is deleted, or an index with all of them.
pub static DELETE: Asks = bare(&ROWS, WRITING);
/// Names and settings.
pub static NAMES: Asks =
    bare(&SCHEMA, params!(("include_defaults", Pass), ("flat_settings", Pass), ("local", Pass)));
/// What the store is.
pub static HEALTH: Asks = bare(&SERVICE, COMMON);
