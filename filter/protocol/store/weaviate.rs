//! What is asked of Weaviate, over REST and in GraphQL ([`super::graph`]). Source: <https://docs.weaviate.io/weaviate/api/rest>
//! and `openapi-specs/schema.json` of Weaviate. Collections are classes, and parts of them tenants.

use super::asks::{
    ANY, Asks, BEACON, CLASS, GRAPH, Language, NAMESPACE, Query, Reach, SCHEMA, SERVICE, STEPS, TopK,
    UNFILTERED, Vectors, Written, bare, document, only, query,
};
use super::params::Param::{self, Pass};
use crate::protocol::request::table::{
    ANY_OBJECT, Fact, Mark, NOTHING, Object, OnString, Place, UNKNOWN, array, list, object,
};

const TENANT: Option<Written> = Some(Written::Key("tenant"));
const TENANT_PARAM: Option<Written> = Some(Written::Param("tenant"));

/// `POST /graphql`: every operation of its document, whichever is run.
pub static QUERY: Asks = document(&QUERY_BODY, &[], &SERVICE);
static QUERY_BODY: Place = object(&QUERY_FIELDS);
static QUERY_FIELDS: Object = Object {
    required: &["query"],
    ..only(&[("query", &GRAPH), ("operationName", &ANY), ("variables", &ANY)])
};
/// `POST /graphql/batch`.
pub static QUERIES: Asks = document(&QUERIES_BODY, &[], &SERVICE);
static QUERIES_BODY: Place = array(&QUERY_BODY);

/// Vectors among what comes with an object where it is asked for.
const INCLUDED: Vectors = Vectors::Listed(&["vector", "vectors", "featureprojection"]);

static LISTED: Query = Query {
    top_k: Some(TopK { at: Written::Param("limit"), default: u64::MAX }),
    namespace: TENANT_PARAM,
    vectors: INCLUDED,
    ..UNFILTERED
};
/// `GET /objects`: of a class, or of all.
pub static OBJECTS: Asks = bare(
    &LISTED,
    &[
        ("class", Param::Class),
        ("tenant", Param::Namespace),
        ("limit", Param::TopK),
        ("offset", Pass),
        ("after", Pass),
        ("sort", Pass),
        ("order", Pass),
        ("include", Param::Vectors),
    ],
);
static ONE: Query = Query { namespace: TENANT_PARAM, vectors: INCLUDED, ..UNFILTERED };
/// An object by its id.
pub static OBJECT: Asks = bare(
    &ONE,
    &[
        ("tenant", Param::Namespace),
        ("include", Param::Vectors),
        ("consistency_level", Pass),
        ("node_name", Pass),
    ],
);
/// What a write may say.
const WRITE: &[(&str, Param)] = &[("consistency_level", Pass)];
/// What one may say that names its tenant there.
const WRITE_WITHIN: &[(&str, Param)] = &[("consistency_level", Pass), ("tenant", Param::Namespace)];
/// `DELETE` of an object.
pub static DELETE: Asks = bare(&OF_TENANT, WRITE_WITHIN);
static OF_TENANT: Query = Query { namespace: TENANT_PARAM, ..UNFILTERED };

static PUT: Query = Query { namespace: TENANT, ..UNFILTERED };
/// An object that is written, or a part of it.
pub static UPSERT: Asks = document(&OBJECT_BODY, WRITE, &PUT);
static OBJECT_BODY: Place = query(&PUT, &OBJECT_FIELDS);
static OBJECT_FIELDS: Object = only(&[
    ("class", &CLASS),
    ("tenant", &NAMESPACE),
    ("id", &ANY),
    ("properties", &ANY),
    ("vector", &ANY),
    ("vectors", &ANY),
    ("vectorWeights", &ANY),
    ("additional", &ANY),
    ("creationTimeUnix", &ANY),
    ("lastUpdateTimeUnix", &ANY),
]);
/// `POST /batch/objects`.
pub static BATCH: Asks = document(&BATCH_BODY, WRITE, &PUT);
static BATCH_BODY: Place = object(&BATCH_FIELDS);
static BATCH_FIELDS: Object =
    Object { required: &["objects"], ..only(&[("fields", &ANY), ("objects", &BATCHED)]) };
static BATCHED: Place = array(&OBJECT_BODY);

static DELETED: Query =
    Query { reach: Reach::Filtered("where", Language::Where), namespace: TENANT_PARAM, ..UNFILTERED };
/// `DELETE /batch/objects`: what a filter finds.
pub static BATCH_DELETE: Asks = document(&BATCH_DELETE_BODY, WRITE_WITHIN, &OF_TENANT);
static BATCH_DELETE_BODY: Place = object(&BATCH_DELETE_FIELDS);
static BATCH_DELETE_FIELDS: Object = Object {
    required: &["match"],
    ..only(&[("match", &MATCH), ("output", &ANY), ("dryRun", &ANY), ("deletionTimeUnixMilli", &ANY)])
};
static MATCH: Place = query(&DELETED, &MATCH_FIELDS);
static MATCH_FIELDS: Object = only(&[("class", &CLASS), ("where", &FILTER)]);
static FILTER: Place = Place { mark: Some(Mark::Filter), ..WHERE };
static WHERE: Place = object(&WHERE_FIELDS);
static WHERE_FIELDS: Object = only(&[
    ("operator", &ANY),
    ("path", &STEPS),
    ("operands", &OPERANDS),
    ("valueText", &ANY),
    ("valueString", &ANY),
    ("valueInt", &ANY),
    ("valueNumber", &ANY),
    ("valueBoolean", &ANY),
    ("valueDate", &ANY),
    ("valueGeoRange", &ANY),
    ("valueTextArray", &ANY),
    ("valueStringArray", &ANY),
    ("valueIntArray", &ANY),
    ("valueNumberArray", &ANY),
    ("valueBooleanArray", &ANY),
    ("valueDateArray", &ANY),
]);
static OPERANDS: Place = array(&WHERE);

/// `POST /batch/references`: from objects to objects, of which either names its class.
pub static BATCH_REFERENCES: Asks = document(&BATCH_REFERENCES_BODY, WRITE, &PUT);
static BATCH_REFERENCES_BODY: Place = array(&BATCH_REFERENCE);
static BATCH_REFERENCE: Place = query(&PUT, &BATCH_REFERENCE_FIELDS);
static BATCH_REFERENCE_FIELDS: Object = Object {
    required: &["from", "to"],
    ..only(&[("from", &BEACON), ("to", &BEACON), ("tenant", &NAMESPACE)])
};
/// References of an object, which the path names.
pub static REFERENCES: Asks = document(&REFERENCES_BODY, WRITE_WITHIN, &OF_TENANT);
static REFERENCES_BODY: Place = list(&REFERENCE);
static REFERENCE: Place = object(&REFERENCE_FIELDS);
static REFERENCE_FIELDS: Object =
    Object { required: &["beacon"], ..only(&[("beacon", &BEACON), ("href", &ANY)]) };

/// Objects that others refer to.
pub static REFERRED: Query = UNFILTERED;

/// Names and settings of classes.
pub static CLASSES: Asks = bare(&SCHEMA, &[("consistency", Pass)]);
/// A class that is made, or changed.
pub static CLASS_WRITE: Asks = document(&CLASS_BODY, &[], &SCHEMA);
static CLASS_BODY: Place = query(&SCHEMA, &CLASS_FIELDS);
static CLASS_FIELDS: Object = Object { fields: &[("class", &CLASS)], ..UNKNOWN };
/// A property that is added to one.
pub static PROPERTY: Asks = document(&ANY_DOCUMENT, &[], &SCHEMA);
static ANY_DOCUMENT: Place = object(&ANY_OBJECT);
/// A class that is deleted, with all its objects.
pub static DROP: Asks = bare(&UNFILTERED_ROWS, &[]);
static UNFILTERED_ROWS: Query = UNFILTERED;
/// Names of all tenants of a class.
pub static TENANTS: Asks = bare(&UNFILTERED_ROWS, &[("consistency", Pass)]);
/// One tenant, which the path names.
pub static ONE_TENANT: Asks = bare(&NAMED, &[("consistency", Pass)]);
static NAMED: Query = Query { namespace: Some(Written::Elsewhere), ..UNFILTERED };
/// Tenants that are made, changed or deleted with all their objects.
pub static TENANTS_WRITE: Asks = document(&TENANTS_BODY, &[], &NAMED);
static TENANTS_BODY: Place = array(&TENANT_OR_NAME);
static TENANT_OR_NAME: Place =
    Place { string: OnString::Read(Fact::Namespace), object: Some(&TENANT_FIELDS), ..NOTHING };
static TENANT_FIELDS: Object = Object {
    required: &["name"],
    ..only(&[
        ("name", &TENANT_NAME),
        ("activityStatus", &ANY),
        ("belongsToNodes", &ANY),
        ("dataVersion", &ANY),
    ])
};
static TENANT_NAME: Place = Place { string: OnString::Read(Fact::Namespace), ..NOTHING };
/// Whether the store is well, and what it is.
pub static HEALTH: Asks = bare(&SERVICE, &[]);

/// The name of a class as the store has it: its first letter is a large one, however it is written.
pub fn class_name(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

/// The class that the address of an object names: `weaviate://HOST/CLASS/ID`, or with a property behind. Of one without a
/// class nobody here can tell whose it is.
pub fn class_of(beacon: &str) -> Option<String> {
    let mut parts = beacon.strip_prefix("weaviate://")?.split('/').skip(1);
    let (class, id) = (parts.next()?, parts.next()?);
    let is_whole = !class.is_empty()
        && !id.is_empty()
        && class.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_whole.then(|| class_name(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_class() {
        let id = "36ddd591-2dee-4e7e-a3cc-eb86d30a4303";
        assert_eq!(class_of(&format!("weaviate://localhost/doc/{id}")).as_deref(), Some("Doc"));
        assert_eq!(class_of(&format!("weaviate://localhost/Doc/{id}/of")).as_deref(), Some("Doc"));
        for other in [
            format!("weaviate://localhost/{id}"),
            format!("http://localhost/Doc/{id}"),
            "weaviate://localhost/Doc".to_owned(),
            "weaviate://localhost/Doc/".to_owned(),
            format!("weaviate://localhost//{id}"),
            format!("weaviate://localhost/Doc%2f/{id}"),
        ] {
            assert_eq!(class_of(&other), None, "{other}");
        }
    }
}
