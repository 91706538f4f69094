//! What stands in Weaviate's GraphQL documents, as data for [`super::graph`]. Source:
//! <https://docs.weaviate.io/weaviate/api/graphql>, and `adapters/handlers/graphql/local` of Weaviate.

use super::asks::{Language, Query, Reach, TopK, UNFILTERED, Vectors, Written};

/// Hits of a class. Without a bound there may be none: a search by distance finds all that are near enough.
pub static HITS: Query = Query {
    reach: Reach::Filtered("where", Language::Graph),
    top_k: Some(TopK { at: Written::Key("limit"), default: u64::MAX }),
    namespace: Some(Written::Key("tenant")),
    vectors: Vectors::Cut,
    operation: "",
};
/// Hits of a class, summed up.
pub static SUMS: Query = Query { top_k: None, vectors: Vectors::Never, ..HITS };
/// What is near in any class.
pub static EXPLORED: Query =
    Query { top_k: Some(TopK { at: Written::Key("limit"), default: u64::MAX }), ..UNFILTERED };
/// Objects that others refer to, whosever they are.
pub static REFERRED: Query = UNFILTERED;

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// For the store alone.
    Pass,
    /// A filter.
    Where,
    /// A bound on hits.
    Limit,
    /// A part of the class.
    Tenant,
    /// Steps from property to class to property.
    Path,
}

/// The arguments of a field.
pub type Args = &'static [(&'static str, Arg)];

/// What stands in the arguments of searches of any kind.
macro_rules! searching {
    ($($more:tt)*) => {
        &[
            ("nearVector", Arg::Pass), ("nearText", Arg::Pass), ("nearObject", Arg::Pass), ("nearImage", Arg::Pass),
            ("nearAudio", Arg::Pass), ("nearVideo", Arg::Pass), ("nearDepth", Arg::Pass), ("nearThermal", Arg::Pass),
            ("nearIMU", Arg::Pass), ("limit", Arg::Limit),
            $($more)*
        ]
    };
}
/// Of a class under `Get`.
pub static GET: Args = searching!(
    ("where", Arg::Where),
    ("tenant", Arg::Tenant),
    ("hybrid", Arg::Pass),
    ("bm25", Arg::Pass),
    ("ask", Arg::Pass),
    ("offset", Arg::Pass),
    ("after", Arg::Pass),
    ("autocut", Arg::Pass),
    ("sort", Arg::Pass),
    ("group", Arg::Pass),
    ("groupBy", Arg::Pass),
    ("consistencyLevel", Arg::Pass)
);
/// Of a class under `Aggregate`.
pub static AGGREGATE: Args = searching!(
    ("where", Arg::Where),
    ("tenant", Arg::Tenant),
    ("hybrid", Arg::Pass),
    ("ask", Arg::Pass),
    ("objectLimit", Arg::Pass),
    ("groupBy", Arg::Path)
);
/// Of `Explore`.
pub static EXPLORE: Args = searching!(("offset", Arg::Pass));

/// Keys of a filter that hold what is compared.
pub static VALUES: &[&str] =
    &["valueText", "valueString", "valueInt", "valueNumber", "valueBoolean", "valueDate", "valueGeoRange"];
/// Keys and arguments at which a variable hides nothing that is judged.
pub static OPEN: &[&str] = &[
    "valueText",
    "valueString",
    "valueInt",
    "valueNumber",
    "valueBoolean",
    "valueDate",
    "vector",
    "concepts",
    "query",
    "question",
    "id",
    "certainty",
    "distance",
    "maxVectorDistance",
    "alpha",
    "force",
    "weight",
    "properties",
    "image",
    "audio",
    "video",
    "depth",
    "thermal",
    "imu",
    "offset",
    "after",
    "autocut",
    "prompt",
    "task",
    "latitude",
    "longitude",
    "max",
];

/// What stands below `_additional`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Neither a vector nor other objects.
    Plain,
    /// A vector.
    Vector,
    /// Hits of a group.
    Group,
    /// What a model makes of the hits.
    Generated,
}

/// What `_additional` may hold.
pub static ADDITIONAL: &[(&str, More)] = &[
    ("id", More::Plain),
    ("vector", More::Vector),
    ("vectors", More::Vector),
    ("featureProjection", More::Vector),
    ("group", More::Group),
    ("certainty", More::Plain),
    ("distance", More::Plain),
    ("score", More::Plain),
    ("explainScore", More::Plain),
    ("creationTimeUnix", More::Plain),
    ("lastUpdateTimeUnix", More::Plain),
    ("isConsistent", More::Plain),
    ("classification", More::Plain),
    ("interpretation", More::Plain),
    ("nearestNeighbors", More::Plain),
    ("semanticPath", More::Plain),
    ("generate", More::Generated),
    ("rerank", More::Plain),
    ("answer", More::Plain),
    ("summary", More::Plain),
    ("tokens", More::Plain),
    ("__typename", More::Plain),
];

/// What a model may be told. Which model, at which address: that would take the hits past whoever masks the answer.
pub static TOLD: &[&str] = &["singleResult", "groupedResult", "prompt", "task", "properties", "debug"];
