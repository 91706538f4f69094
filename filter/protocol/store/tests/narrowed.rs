//! What becomes of a request under a policy's limits.

use super::*;

/// Limits that let everything through.
pub fn open<'p>() -> Limits<'p> {
    Limits {
        collection: None,
        namespaces: None,
        filter: &[],
        max_top_k: None,
        drop_vectors: false,
        clamp: true,
    }
}

/// What goes upstream: path with query, and body.
pub fn sent(
    protocol: &str,
    method: &str,
    path: &str,
    body: &str,
    limits: &Limits<'_>,
) -> Result<(String, String), Excess> {
    let (operation, view) = read(protocol, method, path, body);
    let view = view.unwrap_or_else(|error| panic!("{path} {body}: {error}"));
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let narrowed = narrow(&view, operation.name == "delete", limits, query, body.as_bytes())?;
    let path = narrowed.query.map_or_else(|| path.to_owned(), |query| format!("{bare}?{query}"));
    let body = narrowed.body.map_or_else(|| body.to_owned(), |body| String::from_utf8(body).unwrap());
    Ok((path, body))
}

fn body(protocol: &str, path: &str, body: &str, limits: &Limits<'_>) -> String {
    sent(protocol, "POST", path, body, limits).unwrap_or_else(|excess| panic!("{path} {body}: {excess}")).1
}

fn tenant() -> Vec<(String, String)> {
    vec![("tenant".to_owned(), "acme".to_owned())]
}

const SCROLL: &str = "/collections/docs/points/scroll";
const GET: &str = "/api/v2/tenants/t/databases/d/collections/c/get";
const SEARCH: &str = "/v2/vectordb/entities/search";

#[test]
fn a_filter_is_put_beside_the_callers_and_stands_alone_where_there_is_none() {
    let fields = tenant();
    let limits = Limits { filter: &fields, ..open() };
    let cases = [
        ("pinecone", "/query", r#"{"topK":1}"#, r#"{"filter":{"tenant":{"$eq":"acme"}},"topK":1}"#),
        (
            "pinecone",
            "/query",
            r#"{ "topK" : 1, "filter" : {"a" : 1} }"#,
            r#"{ "topK" : 1, "filter" : {"$and":[{"a" : 1},{"tenant":{"$eq":"acme"}}]} }"#,
        ),
        (
            "pinecone",
            "/query",
            r#"{"filter":null,"topK":1}"#,
            r#"{"filter":{"tenant":{"$eq":"acme"}},"topK":1}"#,
        ),
        ("chroma", GET, "{ }", r#"{"where":{"tenant":{"$eq":"acme"}} }"#),
        ("chroma", GET, r#"{"where":{ }}"#, r#"{"where":{"tenant":{"$eq":"acme"}}}"#),
        (
            "qdrant",
            SCROLL,
            r#"{"filter":{"should":[{"key":"a","match":{"value":1}}]}}"#,
            r#"{"filter":{"must":[{"should":[{"key":"a","match":{"value":1}}]},{"key":"tenant","match":{"value":"acme"}}]}}"#,
        ),
        ("qdrant", SCROLL, "{}", r#"{"filter":{"must":[{"key":"tenant","match":{"value":"acme"}}]}}"#),
        (
            "milvus",
            SEARCH,
            r#"{"collectionName":"c","filter":"a == \"x\" or b"}"#,
            r#"{"collectionName":"c","filter":"(a == \"x\" or b) and tenant == \"acme\""}"#,
        ),
        (
            "milvus",
            SEARCH,
            r#"{"collectionName":"c","filter":" "}"#,
            r#"{"collectionName":"c","filter":"tenant == \"acme\""}"#,
        ),
        (
            "milvus",
            SEARCH,
            r#"{"collectionName":"c"}"#,
            r#"{"filter":"tenant == \"acme\"","collectionName":"c"}"#,
        ),
        (
            "opensearch",
            "/docs/_search",
            r#"{"query":{"match":{"a":"b"}}}"#,
            r#"{"query":{"bool":{"must":[{"match":{"a":"b"}}],"filter":[{"term":{"tenant":{"value":"acme"}}}]}}}"#,
        ),
        (
            "opensearch",
            "/docs/_search",
            r#"{"size":3}"#,
            r#"{"query":{"bool":{"must":[{"match_all":{}}],"filter":[{"term":{"tenant":{"value":"acme"}}}]}},"size":3}"#,
        ),
        (
            "opensearch",
            "/docs/_search",
            r#"{"knn":{"field":"v","query_vector":[1]}}"#,
            r#"{"knn":{"filter":{"bool":{"must":[{"match_all":{}}],"filter":[{"term":{"tenant":{"value":"acme"}}}]}},"field":"v","query_vector":[1]}}"#,
        ),
    ];
    for (protocol, path, came, goes) in cases {
        assert_eq!(body(protocol, path, came, &limits), goes, "{protocol} {came}");
    }
}

#[test]
fn every_line_of_several_searches_is_narrowed_and_so_are_neighbours_and_query() {
    let fields = tenant();
    let limits = Limits { filter: &fields, max_top_k: Some(5), ..open() };
    let many = "{\"index\":\"a\"}\n{\"size\":9}\r\n{}\n{\"query\":{\"match_all\":{}}}\n";
    let goes = body("opensearch", "/docs/_msearch", many, &limits);
    let lines: Vec<&str> = goes.split('\n').collect();
    assert_eq!((lines[0], lines[2], lines[4]), ("{\"index\":\"a\"}", "{}", ""));
    for line in [lines[1], lines[3]] {
        assert_eq!(line.matches(r#""tenant""#).count(), 1, "{line}");
        assert!(line.contains(r#""size":5"#), "{line}");
    }
    assert!(lines[1].ends_with("}\r"));
    let both = r#"{"query":{"match_all":{}},"knn":[{"k":50},{"k":2,"filter":{"term":{"a":1}}}]}"#;
    let goes = body("opensearch", "/docs/_search", both, &limits);
    assert_eq!(goes.matches(r#""tenant""#).count(), 3, "{goes}");
    assert_eq!(goes.matches(r#""k":5,"#).count() + goes.matches(r#""k":5}"#).count(), 1, "{goes}");
}

#[test]
fn every_query_of_a_request_is_narrowed() {
    let fields = tenant();
    let limits = Limits { filter: &fields, max_top_k: Some(20), ..open() };
    let came = r#"{"prefetch":[{"prefetch":{"query":[1],"limit":500},"query":[1]}],"query":[1],"limit":30}"#;
    let goes = body("qdrant", "/collections/docs/points/query", came, &limits);
    assert_eq!(goes.matches(r#""key":"tenant""#).count(), 3, "{goes}");
    assert_eq!(goes.matches(r#""limit":20"#).count(), 2, "{goes}");
    let came = r#"{"searches":[{"vector":[1],"top":99},{"vector":[1],"limit":2}]}"#;
    let goes = body("qdrant", "/collections/docs/points/search/batch", came, &limits);
    assert_eq!(
        goes,
        concat!(
            r#"{"searches":[{"filter":{"must":[{"key":"tenant","match":{"value":"acme"}}]},"vector":[1],"top":20},"#,
            r#"{"filter":{"must":[{"key":"tenant","match":{"value":"acme"}}]},"vector":[1],"limit":2}]}"#
        )
    );
    let came = r#"{"collectionName":"c","search":[{"data":[[1]],"limit":3},{"data":[[1]],"filter":"a > 1"}],"limit":3}"#;
    let goes = body("milvus", "/v2/vectordb/entities/hybrid_search", came, &limits);
    assert_eq!(goes.matches(r#"tenant == \"acme\""#).count(), 2, "{goes}");
    assert!(goes.contains(r#""limit":20,"data""#), "the default is larger: {goes}");
}

#[test]
fn what_takes_no_filter_is_refused_where_the_policy_has_one() {
    let fields = tenant();
    let limits = Limits { filter: &fields, ..open() };
    let qdrant = "/collections/docs/points";
    let cases = [
        ("pinecone", "GET", "/vectors/fetch?ids=1", "", Excess::Unfiltered),
        ("pinecone", "GET", "/vectors/list", "", Excess::Unfiltered),
        ("pinecone", "POST", "/vectors/upsert", r#"{"vectors":[]}"#, Excess::Unfiltered),
        ("pinecone", "POST", "/vectors/delete", r#"{"deleteAll":true}"#, Excess::Unfiltered),
        ("pinecone", "DELETE", "/indexes/i", "", Excess::Unfiltered),
        ("pinecone", "POST", "/describe_index_stats", "", Excess::NoBody),
        ("qdrant", "GET", "/collections/docs/points/1", "", Excess::Unfiltered),
        ("qdrant", "POST", qdrant, r#"{"ids":[1]}"#, Excess::Unfiltered),
        ("qdrant", "DELETE", "/collections/docs", "", Excess::Unfiltered),
        (
            "qdrant",
            "POST",
            "/collections/docs/points/query",
            r#"{"query":1,"lookup_from":{"collection":"o"}}"#,
            Excess::Unfiltered,
        ),
        (
            "qdrant",
            "POST",
            "/collections/docs/points/query/groups",
            r#"{"query":[1],"group_by":"d","with_lookup":"o"}"#,
            Excess::Unfiltered,
        ),
        (
            "qdrant",
            "POST",
            "/collections/docs/points/delete",
            r#"{"points":[1],"filter":{"must":[{"has_id":[1]}]}}"#,
            Excess::Unnarrowed("points".to_owned()),
        ),
        ("qdrant", "POST", "/collections/docs/points/delete", r#"{"filter":{}}"#, Excess::Deletion),
        (
            "chroma",
            "POST",
            "/api/v2/tenants/t/databases/d/collections/c/delete",
            r#"{"ids":["1"]}"#,
            Excess::Deletion,
        ),
        ("chroma", "GET", "/api/v2/tenants/t/databases/d/collections/c/count", "", Excess::Unfiltered),
        ("chroma", "DELETE", "/api/v2/tenants/t/databases/d/collections/c", "", Excess::Unfiltered),
        ("opensearch", "POST", "/docs/_search?q=a", "{}", Excess::Unnarrowed("the parameter q".to_owned())),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"aggs":{"a":{"global":{}}}}"#,
            Excess::Unnarrowed("aggs".to_owned()),
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"knn":{"k":1},"aggs":{"a":{"global":{}}}}"#,
            Excess::Unnarrowed("aggs".to_owned()),
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"terms":{"a":{"index":"docs","id":"1","path":"p"}}}}"#,
            Excess::Unfiltered,
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"more_like_this":{"like":[{"_id":"1"}]}},"explain":true}"#,
            Excess::Unnarrowed("query.more_like_this".to_owned()),
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"has_parent":{"parent_type":"p","query":{},"inner_hits":{}}}}"#,
            Excess::Unnarrowed("query.has_parent.inner_hits".to_owned()),
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"wildcard":{"a":"*"}},"profile":true}"#,
            Excess::Unnarrowed("profile".to_owned()),
        ),
        ("opensearch", "GET", "/docs/_search", "", Excess::NoBody),
        ("opensearch", "GET", "/docs/_doc/1", "", Excess::Unfiltered),
        ("opensearch", "POST", "/docs/_mget", r#"{"ids":["1"]}"#, Excess::Unfiltered),
        ("opensearch", "POST", "/docs/_delete_by_query", "{}", Excess::Deletion),
        ("opensearch", "DELETE", "/docs", "", Excess::Unfiltered),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":{}}\n{}\n", Excess::Unfiltered),
        (
            "milvus",
            "POST",
            "/v2/vectordb/entities/get",
            r#"{"collectionName":"c","id":1}"#,
            Excess::Unfiltered,
        ),
        (
            "milvus",
            "POST",
            SEARCH,
            r#"{"filter":"a == 1) or (1 == 1"}"#,
            Excess::Filter("a bracket that closes nothing"),
        ),
    ];
    for (protocol, method, path, came, excess) in cases {
        assert_eq!(sent(protocol, method, path, came, &limits), Err(excess), "{path} {came}");
    }
    for (protocol, path) in
        [("qdrant", "/healthz"), ("qdrant", "/collections/docs"), ("chroma", "/api/v2/heartbeat")]
    {
        assert!(sent(protocol, "GET", path, "", &limits).is_ok(), "{path} reads no rows");
    }
}

#[test]
fn hits_are_clamped_or_refused() {
    let clamp = Limits { max_top_k: Some(20), ..open() };
    let cases = [
        ("pinecone", "/query", r#"{"topK":21}"#, r#"{"topK":20}"#),
        ("pinecone", "/query", r#"{"topK":20}"#, r#"{"topK":20}"#),
        (
            "pinecone",
            "/records/namespaces/n/search",
            r#"{"query":{"top_k":1000}}"#,
            r#"{"query":{"top_k":20}}"#,
        ),
        ("chroma", GET, r#"{"ids":["1"]}"#, r#"{"limit":20,"ids":["1"]}"#),
        ("chroma", GET, r#"{"limit":null}"#, r#"{"limit":20}"#),
        ("qdrant", SCROLL, r#"{"offset":3}"#, r#"{"offset":3}"#),
        ("milvus", SEARCH, r#"{"limit": 1e2}"#, ""),
        ("milvus", SEARCH, r#"{"collectionName":"c"}"#, r#"{"limit":20,"collectionName":"c"}"#),
    ];
    for (protocol, path, came, goes) in cases {
        if goes.is_empty() {
            refused(protocol, "POST", path, came);
            continue;
        }
        assert_eq!(body(protocol, path, came, &clamp), goes, "{came}");
        let deny = Limits { max_top_k: Some(20), clamp: false, ..open() };
        let outcome = sent(protocol, "POST", path, came, &deny);
        assert_eq!(outcome.is_err(), came != goes, "{came}");
    }
    let list = |path: &str| sent("pinecone", "GET", path, "", &clamp).unwrap().0;
    assert_eq!(list("/vectors/list?limit=%39%39&prefix=a"), "/vectors/list?limit=20&prefix=a");
    assert_eq!(list("/vectors/list"), "/vectors/list?limit=20");
    assert_eq!(list("/vectors/list?limit=3"), "/vectors/list?limit=3");
}

#[test]
fn a_namespace_is_one_of_those_that_may_be_asked_and_set_where_there_is_one() {
    let one = ["a/b \"c".to_owned()];
    let only = Limits { namespaces: Some(&one), ..open() };
    let own = r#"a/b \"c"#;
    let cases = [
        ("pinecone", "/query", r#"{"topK":1}"#.to_owned(), format!(r#"{{"namespace":"{own}","topK":1}}"#)),
        (
            "pinecone",
            "/query",
            r#"{"namespace":"","topK":1}"#.to_owned(),
            format!(r#"{{"namespace":"{own}","topK":1}}"#),
        ),
        ("qdrant", SCROLL, r#"{"shard_key":[]}"#.to_owned(), format!(r#"{{"shard_key":"{own}"}}"#)),
        ("qdrant", SCROLL, format!(r#"{{"shard_key":["{own}"]}}"#), format!(r#"{{"shard_key":["{own}"]}}"#)),
        (
            "milvus",
            SEARCH,
            r#"{"partitionNames":[]}"#.to_owned(),
            format!(r#"{{"partitionNames":["{own}"]}}"#),
        ),
    ];
    for (protocol, path, came, goes) in cases {
        assert_eq!(body(protocol, path, &came, &only), goes);
    }
    let fetched = sent("pinecone", "GET", "/vectors/fetch?ids=1", "", &only).unwrap().0;
    assert_eq!(fetched, "/vectors/fetch?ids=1&namespace=a%2Fb%20%22c");
    let two = ["a".to_owned(), "b".to_owned()];
    let either = Limits { namespaces: Some(&two), ..open() };
    let deny = Limits { namespaces: Some(&one), clamp: false, ..open() };
    for limits in [&either, &deny] {
        assert_eq!(sent("pinecone", "POST", "/query", r#"{"topK":1}"#, limits), Err(Excess::NoNamespace));
    }
    let other = [
        ("pinecone", "POST", "/query", r#"{"namespace":"c"}"#, Excess::Namespace),
        ("pinecone", "GET", "/vectors/fetch?namespace=c", "", Excess::Namespace),
        ("pinecone", "GET", "/namespaces", "", Excess::NoNamespace),
        ("pinecone", "DELETE", "/namespaces/c", "", Excess::Namespace),
        ("pinecone", "POST", "/describe_index_stats", "{}", Excess::NoNamespace),
        ("qdrant", "POST", SCROLL, r#"{"shard_key":["a","c"]}"#, Excess::Namespace),
        ("qdrant", "GET", "/collections/c/points/1", "", Excess::NoNamespace),
        (
            "qdrant",
            "POST",
            "/collections/c/points/query/groups",
            r#"{"shard_key":"a","with_lookup":"o"}"#,
            Excess::NoNamespace,
        ),
        ("chroma", "POST", GET, "{}", Excess::Namespace),
        ("milvus", "POST", "/v2/vectordb/entities/hybrid_search", r#"{"search":[{}]}"#, Excess::NoNamespace),
    ];
    for (protocol, method, path, came, excess) in other {
        assert_eq!(sent(protocol, method, path, came, &either), Err(excess), "{path} {came}");
    }
}

#[test]
fn a_collection_is_one_of_those_that_may_be_asked() {
    let may = |name: &str| name == "docs";
    let limits = Limits { collection: Some(&may), ..open() };
    assert!(sent("qdrant", "POST", SCROLL, "{}", &limits).is_ok());
    assert!(sent("qdrant", "GET", "/healthz", "", &limits).is_ok());
    let cases = [
        ("qdrant", "POST", "/collections/other/points/scroll", "{}", Excess::Collection),
        ("qdrant", "GET", "/collections", "", Excess::NoCollection),
        (
            "qdrant",
            "POST",
            "/collections/docs/points/query",
            r#"{"prefetch":{"lookup_from":{"collection":"other"}}}"#,
            Excess::Collection,
        ),
        ("milvus", "POST", SEARCH, r#"{"collectionName":"docs","dbName":"other"}"#, Excess::Collection),
        ("opensearch", "POST", "/docs,other/_search", "{}", Excess::Collection),
        ("opensearch", "POST", "/docs/_msearch", "{\"index\":\"docs,other\"}\n{}\n", Excess::Collection),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"aggs":{"a":{"filter":{"terms":{"a":{"index":"other","id":"1"}}}}}}"#,
            Excess::Collection,
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"sort":[{"a":{"nested":{"filter":{"terms":{"a":{"index":"other"}}}}}}]}"#,
            Excess::Collection,
        ),
        ("opensearch", "POST", "/do*/_search", "{}", Excess::Collection),
        ("opensearch", "POST", "/_search", "{}", Excess::NoCollection),
        ("opensearch", "POST", "/docs/_msearch", "{\"index\":\"other\"}\n{}\n", Excess::Collection),
        (
            "opensearch",
            "POST",
            "/docs/_mget",
            r#"{"docs":[{"_index":"other","_id":"1"}]}"#,
            Excess::Collection,
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"terms":{"a":{"index":"other"}}}}"#,
            Excess::Collection,
        ),
        ("opensearch", "POST", "/docs/_bulk", "{\"delete\":{\"_index\":\"other\"}}\n", Excess::Collection),
        ("opensearch", "POST", "/_bulk", "{\"delete\":{}}\n", Excess::NoCollection),
        ("opensearch", "POST", "/docs/_search", r#"{"pit":{"id":"x"}}"#, Excess::NoCollection),
        ("opensearch", "POST", "/other/_pit", "", Excess::Collection),
        ("milvus", "POST", "/v2/vectordb/collections/list", "{}", Excess::NoCollection),
        (
            "chroma",
            "POST",
            "/api/v2/tenants/t/databases/d/collections",
            r#"{"name":"x"}"#,
            Excess::Collection,
        ),
    ];
    for (protocol, method, path, came, excess) in cases {
        assert_eq!(sent(protocol, method, path, came, &limits), Err(excess), "{path} {came}");
    }
}

#[test]
fn vectors_are_not_asked_for() {
    let limits = Limits { drop_vectors: true, ..open() };
    let cases = [
        ("pinecone", "/query", r#"{"includeValues":true,"topK":1}"#, r#"{"includeValues":false,"topK":1}"#),
        ("pinecone", "/query", r#"{"topK":1}"#, r#"{"topK":1}"#),
        ("qdrant", SCROLL, r#"{"with_vectors":["a"]}"#, r#"{"with_vectors":false}"#),
        ("chroma", GET, r#"{"include":["embeddings"]}"#, r#"{"include":[]}"#),
        ("chroma", GET, r#"{"include":["documents" , "embeddings" ]}"#, r#"{"include":["documents"  ]}"#),
        ("chroma", GET, r#"{"include":["embeddings", "documents"]}"#, r#"{"include":[ "documents"]}"#),
    ];
    for (protocol, path, came, goes) in cases {
        assert_eq!(body(protocol, path, came, &limits), goes);
    }
    // What comes in any case is left out of the answer.
    for (protocol, path) in [("pinecone", "/vectors/fetch?ids=1"), ("qdrant", "/collections/docs/points/1")] {
        assert!(sent(protocol, "GET", path, "", &limits).is_ok(), "{path}");
    }
    let twice = r#"{"include":["embeddings","embeddings"]}"#;
    assert_eq!(sent("chroma", "POST", GET, twice, &limits), Err(Excess::Vectors));
}

#[test]
fn what_needs_no_change_keeps_its_bytes() {
    let names = ["n".to_owned()];
    let limits = Limits { namespaces: Some(&names), max_top_k: Some(20), drop_vectors: true, ..open() };
    let came = " {\"topK\" : 7,\"namespace\":\"\\u006e\" , \"vector\":[1.50, 2e1]}\n";
    assert_eq!(body("pinecone", "/query", came, &limits), came);
}
