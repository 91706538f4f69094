//! Weaviate's REST and GraphQL API. Its gRPC API cannot be looked into.
//!
//! Source: <https://docs.weaviate.io/weaviate/api/rest>. Errors of REST are `{"error": [{"message": "…"}]}`; the clients
//! raise by status and show the body.

use serde_json::Value;

use super::refusal::{JSON, bytes, object};
use super::{
    ANY, Api, Body, DELETE, Family, GET, Operation, PATCH, POST, PUT, READ, Root, Shape, Told, asks, row,
};
use crate::protocol::answers::documents;
use crate::protocol::json::table::{
    self, COUNTS, FIELDS, LABEL, MASKED, Place, Table, VECTOR, Vector, array,
};
use crate::protocol::store::weaviate;

/// Where the models are that the store gives texts to, and its own key: whoever answers there reads them unmasked. Source:
/// the modules of Weaviate, which look for these among the request's headers.
const ASKING: &[&str] =
    &["x-*-baseurl", "x-*-endpoint", "x-*-apiendpoint", "x-azure-resource-name", "x-azure-deployment-id"];

/// Weaviate's API.
pub static WEAVIATE: Api = Api {
    name: "weaviate",
    title: "Weaviate, REST and GraphQL",
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
        about: "`UnexpectedStatusCodeError` and its kinds, with the body",
    },
    answers: &ANSWERS,
};

const CHANGE: &[&str] = &["POST", "PUT", "DELETE"];

const OPERATIONS: &[Operation] = &[
    asks("query", POST, "v1/graphql", &weaviate::QUERY),
    asks("query", POST, "v1/graphql/batch", &weaviate::QUERIES),
    asks("fetch", GET, "v1/objects", &weaviate::OBJECTS),
    asks("fetch", READ, "v1/objects/{id}", &weaviate::OBJECT),
    asks("fetch", READ, "v1/objects/{class}/{id}", &weaviate::OBJECT),
    asks("fetch", GET, "v1/schema", &weaviate::CLASSES),
    asks("fetch", GET, "v1/schema/{class}", &weaviate::CLASSES),
    asks("fetch", GET, "v1/schema/{class}/tenants", &weaviate::TENANTS),
    asks("fetch", READ, "v1/schema/{class}/tenants/{tenant}", &weaviate::ONE_TENANT),
    asks("fetch", GET, "v1/meta", &weaviate::HEALTH),
    asks("fetch", READ, "v1/.well-known/live", &weaviate::HEALTH),
    asks("fetch", READ, "v1/.well-known/ready", &weaviate::HEALTH),
    asks("fetch", GET, "v1/.well-known/openid-configuration", &weaviate::HEALTH),
    asks("upsert", POST, "v1/objects", &weaviate::UPSERT),
    asks("upsert", POST, "v1/objects/validate", &weaviate::UPSERT),
    asks("upsert", PUT, "v1/objects/{id}", &weaviate::UPSERT),
    asks("upsert", PATCH, "v1/objects/{id}", &weaviate::UPSERT),
    asks("upsert", PUT, "v1/objects/{class}/{id}", &weaviate::UPSERT),
    asks("upsert", PATCH, "v1/objects/{class}/{id}", &weaviate::UPSERT),
    asks("upsert", &["POST", "PUT"], "v1/objects/{class}/{id}/references/{property}", &weaviate::REFERENCES),
    asks("upsert", POST, "v1/batch/objects", &weaviate::BATCH),
    asks("upsert", POST, "v1/batch/references", &weaviate::BATCH_REFERENCES),
    asks("delete", DELETE, "v1/objects/{id}", &weaviate::DELETE),
    asks("delete", DELETE, "v1/objects/{class}/{id}", &weaviate::DELETE),
    asks("delete", DELETE, "v1/objects/{class}/{id}/references/{property}", &weaviate::REFERENCES),
    asks("delete", DELETE, "v1/batch/objects", &weaviate::BATCH_DELETE),
    asks("admin", POST, "v1/schema", &weaviate::CLASS_WRITE),
    asks("admin", PUT, "v1/schema/{class}", &weaviate::CLASS_WRITE),
    asks("admin", DELETE, "v1/schema/{class}", &weaviate::DROP),
    asks("admin", POST, "v1/schema/{class}/properties", &weaviate::PROPERTY),
    asks("admin", CHANGE, "v1/schema/{class}/tenants", &weaviate::TENANTS_WRITE),
    row("admin", GET, "v1/schema/{class}/shards", Body::None),
    row("admin", PUT, "v1/schema/{class}/shards/{shard}", Body::Json),
    row("admin", GET, "v1/nodes", Body::None),
    row("admin", GET, "v1/nodes/{class}", Body::None),
    row("admin", ANY, "v1/backups/**", Body::Any),
    row("admin", ANY, "v1/authz/**", Body::Any),
    row("admin", ANY, "v1/users/**", Body::Any),
    row("admin", ANY, "v1/aliases", Body::Any),
    row("admin", ANY, "v1/aliases/{alias}", Body::Any),
    row("admin", ANY, "v1/cluster/**", Body::Any),
    row("admin", ANY, "v1/replication/**", Body::Any),
];

/// What REST and GraphQL answer. Ids, names of classes and tenants, and scores are kept. Where a query renames `Get`,
/// nothing below it is known, and everything is masked.
static ANSWERS: Table = documents(&ANSWER);
/// An object, an object that holds some, or an array of these, as batches are answered.
static ANSWER: Place = Place {
    fields: &[
        ("data", &DATA),
        ("objects", &ANSWER),
        ("results", &RESULTS),
        ("totalResults", &COUNTS),
        ("class", &LABEL),
        ("id", &LABEL),
        ("tenant", &LABEL),
        ("name", &LABEL),
        ("properties", &PROPERTIES),
        ("vector", &VECTOR),
        ("vectors", &VECTOR),
        ("creationTimeUnix", &COUNTS),
        ("lastUpdateTimeUnix", &COUNTS),
        ("additional", &ADDITIONAL),
    ],
    other: &FIELDS,
    items: &ANSWER,
    ..MASKED
};
/// Of a batch of deletions.
static RESULTS: Place = table::object(&[
    ("objects", &ANSWER),
    ("matches", &COUNTS),
    ("limit", &COUNTS),
    ("successful", &COUNTS),
    ("failed", &COUNTS),
]);
static DATA: Place = Place { fields: &[("Get", &CLASSES), ("Explore", &HITS)], other: &FIELDS, ..MASKED };
static CLASSES: Place = Place { other: &HITS, ..MASKED };
static HITS: Place = array(&PROPERTIES);
/// What an object holds. References lead to other objects, which may carry `_additional` too; no property can be called so.
static PROPERTIES: Place =
    Place { fields: &[("_additional", &ADDITIONAL)], other: &PROPERTIES, items: &ITEMS, ..MASKED };
/// References, or values: a query may give a vector any name.
static ITEMS: Place = Place {
    fields: &[("_additional", &ADDITIONAL)],
    other: &PROPERTIES,
    items: &ITEMS,
    vector: Vector::Number,
    ..MASKED
};
static ADDITIONAL: Place = Place { other: &FIELDS, ..table::object(KNOWN) };
const KNOWN: &[(&str, &Place)] = &[
    ("id", &LABEL),
    ("vector", &VECTOR),
    ("vectors", &VECTOR),
    ("distance", &LABEL),
    ("certainty", &LABEL),
    ("score", &LABEL),
    ("creationTimeUnix", &LABEL),
    ("lastUpdateTimeUnix", &LABEL),
    ("featureProjection", &VECTOR),
];

fn body(told: &Told<'_>) -> Vec<u8> {
    let error = object([("message", told.message.into()), ("code", told.code.into())]);
    bytes([("error", Value::Array(vec![error]))])
}
