//! What tables of vector stores have beside those of models: which queries a request makes, and what of them is narrowed
//! where.

use super::params::Param;
use crate::protocol::request::table::{
    ANYTHING, Fact, Mark, NOTHING, Object, OnFlag, OnNumber, OnString, Place, UNKNOWN,
};

/// An operation's requests.
#[derive(Debug)]
pub struct Asks {
    /// What the body is.
    pub body: Documents,
    /// The parameters that the query string may have; any other is refused.
    pub params: &'static [(&'static str, Param)],
    /// What is asked where the body has no query of its own.
    pub query: &'static Query,
}

/// What a body is.
#[derive(Debug)]
pub enum Documents {
    /// None.
    None,
    /// One document.
    One(&'static Place),
    /// One, or none at all.
    Optional(&'static Place),
    /// Documents in lines, all of them alike.
    Lines(&'static Place),
    /// Documents in lines, by turns of these two.
    Pairs(&'static Place, &'static Place),
    /// Documents in lines: one that makes a query, then one that says more of it, but for one query that stands alone.
    Actions(&'static Place, &'static Place, &'static Query),
}

/// A query, of which a request may make several: what it reads, and at which of its keys it is narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// What it reads.
    pub reach: Reach,
    /// Where it says how many hits it wants.
    pub top_k: Option<TopK>,
    /// Where it says which part of a collection it means; `None`: it cannot.
    pub namespace: Option<Written>,
    /// Whether vectors come with what it reads.
    pub vectors: Vectors,
    /// The operation that it is, where it may be another than its request's; else empty.
    pub operation: &'static str,
}

/// What a query reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing of any collection: whether the store is well, what version it is.
    Service,
    /// Names and settings, no rows.
    Schema,
    /// What the queries within it read.
    Within,
    /// Rows, of which a filter at this key takes some, written in this language.
    Filtered(&'static str, Language),
    /// Rows, and no filter can be given.
    Unfiltered,
}

/// In which language a filter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Pinecone's and Chroma's: conditions by field, `$and`, `$eq`.
    Fields,
    /// Qdrant's: `must` with a list of conditions.
    Conditions,
    /// Milvus's: text.
    Expression,
    /// That of OpenSearch and Elasticsearch: `bool`, `term`.
    Clause,
    /// Weaviate's: `operator` with `operands`, or with `path` and a value.
    Where,
    /// The same as a value of GraphQL.
    Graph,
}

/// A bound on hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopK {
    /// Where it is written.
    pub at: Written,
    /// What holds where it is not; [`u64::MAX`]: there is no bound.
    pub default: u64,
}

/// Where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// At this key of the query's object.
    Key(&'static str),
    /// At this key, as a list.
    List(&'static str),
    /// At this parameter of the query string.
    Param(&'static str),
    /// In the path, or in what is around the query.
    Elsewhere,
}

/// Whether vectors come with the rows that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// They do not.
    Never,
    /// Where the value at a key is neither false nor null; where there is none they do not come.
    Flag,
    /// Where the key's list of columns names them so.
    Column(&'static str),
    /// Where the parameter names one of these, with commas between.
    Listed(&'static [&'static str]),
    /// Where fields of the query ask for them.
    Cut,
    /// They do, and nothing can be said against it: the answer is left without.
    Always,
    /// A vector is a field like any other, and nobody can tell which.
    Field,
}

/// What queries are built from: rows, read without a filter.
pub const UNFILTERED: Query =
    Query { reach: Reach::Unfiltered, top_k: None, namespace: None, vectors: Vectors::Never, operation: "" };

/// Nothing of any collection.
pub const SERVICE: Query = Query { reach: Reach::Service, ..UNFILTERED };
/// Names and settings.
pub const SCHEMA: Query = Query { reach: Reach::Schema, ..UNFILTERED };
/// Rows by whatever names them, or rows that are written.
pub const ROWS: Query = UNFILTERED;

/// Requests without a body.
pub const fn bare(query: &'static Query, params: &'static [(&'static str, Param)]) -> Asks {
    Asks { body: Documents::None, params, query }
}

/// Requests whose body is one document.
pub const fn document(
    body: &'static Place,
    params: &'static [(&'static str, Param)],
    query: &'static Query,
) -> Asks {
    Asks { body: Documents::One(body), params, query }
}

/// A query at a place: an object and nothing else.
pub const fn query(query: &'static Query, object: &'static Object) -> Place {
    Place { object: Some(object), mark: Some(Mark::Query(query)), ..NOTHING }
}

/// Where something stands that no table of a store knows: it might ask for anything.
pub static UNREAD: Place = Place { why: "not known of this API", ..NOTHING };

/// An object of these fields and no others.
pub const fn only(fields: &'static [(&'static str, &'static Place)]) -> Object {
    Object { fields, other: &UNREAD, ..UNKNOWN }
}

/// Whatever it is, it is for the store alone.
pub static ANY: Place = ANYTHING;
/// A filter: an object and nothing else.
pub static FILTER: Place =
    Place { mark: Some(Mark::Filter), object: Some(&crate::protocol::request::table::ANY_OBJECT), ..NOTHING };
/// A filter that is text.
pub static EXPRESSION: Place = Place { string: OnString::Read(Fact::Expression), ..NOTHING };
/// How many hits are asked for.
pub static TOP_K: Place = Place { number: OnNumber::Read(Fact::TopK), ..NOTHING };
/// A collection's name.
pub static COLLECTION: Place = Place { string: OnString::Read(Fact::Collection), ..NOTHING };
/// The name of a class: a collection's, whose first letter the store takes for a large one.
pub static CLASS: Place = Place { string: OnString::Read(Fact::Class), ..NOTHING };
/// The address of an object: it names its class.
pub static BEACON: Place = Place { string: OnString::Read(Fact::Beacon), ..NOTHING };
/// Steps from property to class to property.
pub static STEPS: Place = Place { items: Some(&STEP), mark: Some(Mark::Steps), ..NOTHING };
static STEP: Place = Place { string: OnString::Read(Fact::Step), ..NOTHING };
/// A document in GraphQL.
pub static GRAPH: Place = Place { string: OnString::Read(Fact::Graph), ..NOTHING };
/// A database's name.
pub static DATABASE: Place = Place { string: OnString::Read(Fact::Database), ..NOTHING };
/// A namespace's name.
pub static NAMESPACE: Place =
    Place { string: OnString::Read(Fact::Namespace), mark: Some(Mark::Namespace), ..NOTHING };
/// Names of namespaces.
pub static NAMESPACES: Place = Place { items: Some(&NAMED), mark: Some(Mark::Namespace), ..NOTHING };
/// One of them or several.
pub static NAMESPACE_OR_MORE: Place =
    Place { string: OnString::Read(Fact::Namespace), items: Some(&NAMED), ..NAMESPACES };
static NAMED: Place = Place { string: OnString::Read(Fact::Namespace), ..NOTHING };
/// Whether vectors are asked for, or which of them.
pub static VECTORS: Place =
    Place { flag: OnFlag::Keep, items: Some(&ANY), mark: Some(Mark::Vectors), ..NOTHING };
/// Columns that are asked for.
pub static INCLUDE: Place = Place { items: Some(&COLUMN), ..NOTHING };
static COLUMN: Place = Place { string: OnString::Read(Fact::Include), ..NOTHING };
/// What reads rows that no filter of its query narrows.
pub static UNNARROWED: Place = Place { mark: Some(Mark::Unnarrowed), ..ANYTHING };
