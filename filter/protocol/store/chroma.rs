//! What is asked of Chroma, version 2 of its API. Source: <https://docs.trychroma.com/reference>. The path names tenant and
//! collection, the latter by its UUID or its name.

use super::asks::{
    ANY, Asks, COLLECTION, FILTER, INCLUDE, Language, Query, Reach, SCHEMA, SERVICE, TOP_K, TopK, UNFILTERED,
    Vectors, Written, bare, document, only, query,
};
use super::params::Param::{self, Pass};
use crate::protocol::request::table::{ANY_OBJECT, Object, Place, object};

const BY: Reach = Reach::Filtered("where", Language::Fields);
const TENANT: Option<Written> = Some(Written::Elsewhere);
const COLUMN: Vectors = Vectors::Column("embeddings");
/// Of how many hits are passed over or given, where that is a parameter: no more than a body says.
const PAGE: &[(&str, Param)] = &[];

static NEAREST: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("n_results"), default: 10 }),
    namespace: TENANT,
    vectors: COLUMN,
    operation: "",
};
/// `/query`.
pub static QUERY: Asks = document(&QUERY_BODY, PAGE, &NEAREST);
static QUERY_BODY: Place = query(&NEAREST, &QUERY_FIELDS);
static QUERY_FIELDS: Object = only(&[
    ("query_embeddings", &ANY),
    ("query_texts", &ANY),
    ("n_results", &TOP_K),
    ("ids", &ANY),
    ("where", &FILTER),
    ("where_document", &ANY),
    ("include", &INCLUDE),
]);

static LISTED: Query = Query {
    reach: BY,
    top_k: Some(TopK { at: Written::Key("limit"), default: u64::MAX }),
    namespace: TENANT,
    vectors: COLUMN,
    operation: "",
};
/// `/get`.
pub static GET: Asks = document(&GET_BODY, PAGE, &LISTED);
static GET_BODY: Place = query(&LISTED, &GET_FIELDS);
static GET_FIELDS: Object = only(&[
    ("ids", &ANY),
    ("where", &FILTER),
    ("where_document", &ANY),
    ("limit", &TOP_K),
    ("offset", &ANY),
    ("include", &INCLUDE),
]);

static DELETED: Query = Query { reach: BY, namespace: TENANT, ..UNFILTERED };
/// `/delete`.
pub static DELETE: Asks = document(&DELETE_BODY, PAGE, &DELETED);
static DELETE_BODY: Place = query(&DELETED, &DELETE_FIELDS);
static DELETE_FIELDS: Object = only(&[("ids", &ANY), ("where", &FILTER), ("where_document", &ANY)]);

static WITHIN: Query = Query { namespace: TENANT, ..UNFILTERED };
/// `/count`: of all rows.
pub static COUNT: Asks = bare(&WITHIN, &[]);
/// `/add`, `/upsert`, `/update`.
pub static WRITE: Asks = document(&WRITE_BODY, &[], &WITHIN);
static WRITE_BODY: Place = query(&WITHIN, &WRITE_FIELDS);
static WRITE_FIELDS: Object =
    only(&[("ids", &ANY), ("embeddings", &ANY), ("metadatas", &ANY), ("documents", &ANY), ("uris", &ANY)]);

static OF_TENANT: Query = Query { namespace: TENANT, ..SCHEMA };
/// Names and settings of a tenant's collections and databases.
pub static NAMES: Asks = bare(&OF_TENANT, &[("limit", Pass), ("offset", Pass)]);
/// A collection or a database that is deleted, with all its rows.
pub static DROP: Asks = bare(&WITHIN, &[]);
/// Whether the store is well, and whose a token is.
pub static HEALTH: Asks = bare(&SERVICE, &[]);
/// A collection that is made, or found where it is there already: by a name that only the body has.
pub static CREATE: Asks = document(&CREATE_BODY, &[], &OF_TENANT);
static CREATE_BODY: Place = query(&OF_TENANT, &CREATE_FIELDS);
static CREATE_FIELDS: Object = only(&[
    ("name", &COLLECTION),
    ("metadata", &ANY),
    ("configuration", &ANY),
    ("schema", &ANY),
    ("get_or_create", &ANY),
]);
/// A database or a tenant that is made.
pub static CREATE_DATABASE: Asks = document(&ANY_DOCUMENT, &[], &OF_TENANT);
static ANY_DOCUMENT: Place = object(&ANY_OBJECT);
