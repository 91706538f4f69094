//! What rules see of a request to each store.

use super::*;

const POINTS: &str = "/collections/docs/points";
const CHROMA: &str = "/api/v2/tenants/acme/databases/d/collections/c1";
const MILVUS: &str = "/v2/vectordb/entities";

#[test]
fn a_query_of_pinecone_is_its_namespace_hits_and_filter() {
    let body =
        r#"{"vector":[0.1],"topK":7,"namespace":"acme","filter":{"a":{"$eq":1}},"includeValues":true}"#;
    assert_eq!(parts("pinecone", "POST", "/query", body), [r#"|acme|7|{"a":{"$eq":1}}"#]);
    let other = r#"{"top_k":7,"include_values":true}"#;
    assert_eq!(parts("pinecone", "POST", "/query", other), ["||7|"]);
    let records = r#"{"query":{"inputs":{"text":"x"},"top_k":3,"filter":{"a":1}},"fields":["a"]}"#;
    assert_eq!(parts("pinecone", "POST", "/records/namespaces/acme/search", records), [r#"|acme|3|{"a":1}"#]);
    assert_eq!(parts("pinecone", "GET", "/vectors/fetch?ids=1&ids=2&namespace=n%20x", ""), ["|n x|0|"]);
    assert_eq!(parts("pinecone", "GET", "/vectors/list?prefix=a", ""), ["||100|"]);
    assert_eq!(parts("pinecone", "GET", "/vectors/list?limit=5&namespace=n", ""), ["|n|5|"]);
    assert_eq!(parts("pinecone", "GET", "/indexes/handbook", ""), ["handbook||0|"]);
}

#[test]
fn every_query_of_a_batch_is_seen() {
    let batch = r#"{"searches":[
        {"query":[1],"limit":3,"shard_key":"a"},
        {"query":[1],"limit":30,"shard_key":["b","c"],"filter":{"must":[]}},
        {"query":[1],"limit":3,"shard_key":"a"}
    ]}"#;
    assert_eq!(
        parts("qdrant", "POST", &format!("{POINTS}/query/batch"), batch),
        [r#"docs|a|3|"#, r#"docs|b|30|{"must":[]}"#, r#"docs|c|30|{"must":[]}"#]
    );
    let old = r#"{"searches":[{"vector":[1],"top":3},{"vector":[1],"limit":9}]}"#;
    assert_eq!(parts("qdrant", "POST", &format!("{POINTS}/search/batch"), old), ["docs||3|", "docs||9|"]);
    let hybrid = r#"{"search":[{"data":[[1]],"limit":5,"filter":"a > 1"},{"data":[[1]],"limit":900}],
        "limit":4,"collectionName":"docs","partitionNames":["p"]}"#;
    assert_eq!(
        parts("milvus", "POST", &format!("{MILVUS}/hybrid_search"), hybrid),
        ["docs|p|4|", "docs|p|5|a > 1", "docs|p|900|"]
    );
}

#[test]
fn queries_within_a_query_are_seen_and_so_are_other_collections() {
    let nested = r#"{"prefetch":{"prefetch":[{"query":[1],"limit":500}],"query":[1]},"query":[1],"limit":3,
        "lookup_from":{"collection":"secret","vector":"v"}}"#;
    assert_eq!(
        parts("qdrant", "POST", &format!("{POINTS}/query"), nested),
        ["docs||3|", "docs||10|", "docs||500|", "secret||0|"]
    );
    for lookup in [r#""secret""#, r#"{"collection":"secret"}"#] {
        let groups = format!(r#"{{"query":[1],"group_by":"d","with_lookup":{lookup}}}"#);
        assert_eq!(
            parts("qdrant", "POST", &format!("{POINTS}/query/groups"), &groups),
            ["docs||10|", "secret||0|"]
        );
    }
}

#[test]
fn chroma_and_milvus_say_where_their_rows_are() {
    let query =
        r#"{"query_embeddings":[[1]],"n_results":4,"where":{"a":1},"include":["documents","embeddings"]}"#;
    assert_eq!(parts("chroma", "POST", &format!("{CHROMA}/query"), query), [r#"c1|acme|4|{"a":1}"#]);
    assert_eq!(parts("chroma", "POST", &format!("{CHROMA}/query"), "{}"), ["c1|acme|10|"]);
    let all = u64::MAX;
    assert_eq!(parts("chroma", "POST", &format!("{CHROMA}/get"), "{}"), [format!("c1|acme|{all}|")]);
    assert_eq!(
        parts("chroma", "POST", "/api/v2/tenants/t/databases/d/collections", r#"{"name":"n"}"#),
        ["n|t|0|"]
    );
    let search = r#"{"collectionName":"docs","dbName":"other","data":[[1]],"filter":"a == \"b\""}"#;
    assert_eq!(parts("milvus", "POST", &format!("{MILVUS}/search"), search), [r#"other/docs||100|a == "b""#]);
    let default = r#"{"collectionName":"docs","dbName":"default","data":[[1]]}"#;
    assert_eq!(parts("milvus", "POST", &format!("{MILVUS}/search"), default), ["docs||100|"]);
}

#[test]
fn a_search_of_opensearch_is_of_every_index_that_it_names() {
    let body = r#"{"query":{"term":{"a":1}},"size":30}"#;
    let filter = r#"{"term":{"a":1}}"#;
    assert_eq!(parts("opensearch", "POST", "/docs/_search", body), [format!("docs||30|{filter}")]);
    assert_eq!(
        parts("opensearch", "POST", "/docs,logs-*/_search", body),
        [format!("docs||30|{filter}"), format!("logs-*||30|{filter}")]
    );
    assert_eq!(parts("opensearch", "GET", "/docs%2Csecret/_search?size=5", ""), ["docs||5|", "secret||5|"]);
    assert_eq!(parts("opensearch", "GET", "/_search", ""), ["||10|"]);
    let lookup = r#"{"query":{"terms":{"a":{"index":"secret","id":"1","path":"p"}}}}"#;
    let seen = parts("opensearch", "POST", "/docs/_search", lookup);
    assert!(seen.len() == 2 && seen[0].starts_with("docs||10|") && seen[1] == "secret||0|", "{seen:?}");
    let near = r#"{"knn":{"field":"v","query_vector":[1],"k":50,"num_candidates":100}}"#;
    assert_eq!(parts("opensearch", "POST", "/docs/_search", near), ["docs||10|", "docs||50|"]);
    let many = "{\"index\":[\"a\",\"b\"]}\n{\"size\":1}\n{}\n{\"size\":2}\n";
    assert_eq!(
        parts("opensearch", "POST", "/docs/_msearch", many),
        ["a||1|", "a||2|", "b||1|", "b||2|", "docs||1|", "docs||2|"]
    );
    let many = "{\"index\":\"a,b\"}\n{}\n";
    assert_eq!(parts("opensearch", "POST", "/_msearch", many), ["a||10|", "b||10|"]);
    let get = r#"{"docs":[{"_index":"secret","_id":"1"},{"_id":"2"}]}"#;
    assert_eq!(parts("opensearch", "POST", "/docs/_mget", get), ["docs||0|", "secret||0|"]);
}

#[test]
fn every_action_of_a_bulk_is_seen() {
    let bulk = "{\"index\":{\"_id\":1}}\n{\"a\":1}\n{\"delete\":{\"_index\":\"other\",\"_id\":2}}\r\n{\"create\":{\"_index\":\"docs\"}}\n{\"index\":\"x\"}\n{\"update\":{\"_index\":\"b\"}}\n{\"doc\":{}}\n{\"delete\":{}}";
    let view = read("opensearch", "POST", "/docs/_bulk", bulk).1.unwrap();
    let seen: Vec<(&str, &str)> = view.parts.iter().map(|part| (part.operation, &*part.collection)).collect();
    assert_eq!(seen, [("delete", "docs"), ("delete", "other"), ("upsert", "b"), ("upsert", "docs")]);
    assert_eq!(parts("opensearch", "PUT", "/_bulk", "{\"index\":{}}\n{}\n"), ["||0|"]);
    let many = "{\"index\":{}}\n{}\n".repeat(5000);
    assert_eq!(parts("opensearch", "POST", "/docs/_bulk", &many), ["docs||0|"]);
}

#[test]
fn what_a_store_keeps_of_a_search_is_a_reference() {
    let view = read("opensearch", "POST", "/_search", r#"{"pit":{"id":"x"},"size":3}"#).1.unwrap();
    assert_eq!((view.reference.as_deref(), view.parts[0].top_k), (Some("pit"), 3));
    let view = read("opensearch", "POST", "/docs/_search", r#"{"pit":{"id":"x"}}"#).1.unwrap();
    assert_eq!(view.parts[0].collection, "", "the path does not say of what it is");
    assert_eq!(parts("opensearch", "POST", "/docs/_search?scroll=1m", "{}"), ["docs||10|"]);
    assert_eq!(parts("opensearch", "POST", "/docs/_pit?keep_alive=1m", ""), ["docs||0|"]);
    assert_eq!(parts("opensearch", "POST", "/docs/_search/point_in_time?keep_alive=1m", ""), ["docs||0|"]);
}

#[test]
fn what_a_store_may_read_otherwise_is_refused() {
    let cases = [
        ("pinecone", "POST", "/query", r#"{"topK":1,"top_k":9}"#, "top_k comes twice"),
        ("pinecone", "POST", "/query", r#"{"TopK":1}"#, "TopK: a known key in other letters"),
        ("pinecone", "POST", "/query", r#"{"topK":1.5}"#, "expected a whole number"),
        ("pinecone", "POST", "/query", r#"{"topK":"7"}"#, "expected a whole number"),
        ("pinecone", "POST", "/query", r#"{"topK":1,"queries":[]}"#, "queries: not known of this API"),
        ("pinecone", "POST", "/query", r#"{"topK":1,"filter":"x"}"#, "filter: expected an object"),
        ("pinecone", "POST", "/query", r#"{"topK":1,"filter":{"a":1,"a":2}}"#, "comes twice"),
        ("pinecone", "POST", "/query?namespace=b", r#"{"topK":1}"#, "not known of this API"),
        ("pinecone", "POST", "/query", "", "cut off"),
        ("pinecone", "GET", "/vectors/fetch?namespace=a&namespace=b", "", "comes twice"),
        ("pinecone", "GET", "/vectors/fetch?namespace=a", "{}", "this operation has none"),
        ("qdrant", "POST", "/collections/c/points/search", r#"{"limit":1,"top":9}"#, "limit comes twice"),
        ("qdrant", "POST", "/collections/c/points/search", r#"{"limit":null,"top":9}"#, "limit comes twice"),
        ("qdrant", "POST", "/collections/c/points/scroll", r#"{"filters":{}}"#, "not known of this API"),
        ("qdrant", "POST", "/collections/c/points/query", r#"{"shard_key":{"target":"a"}}"#, "shard_key"),
        ("milvus", "POST", "/v2/vectordb/entities/search", r#"{"CollectionName":"a"}"#, "other letters"),
        (
            "milvus",
            "POST",
            "/v2/vectordb/entities/search",
            r#"{"collectionName":"a","searchParams":{"topk":9}}"#,
            "not known of this API",
        ),
        (
            "milvus",
            "POST",
            "/v2/vectordb/entities/hybrid_search",
            r#"{"collectionName":"a"}"#,
            "search: missing",
        ),
        (
            "opensearch",
            "POST",
            "/docs/_search",
            r#"{"query":{"wrapper":{"query":"eyJ9"}}}"#,
            "not known of this API",
        ),
        ("opensearch", "POST", "/docs/_search", r#"{"runtime_mappings":{}}"#, "not known of this API"),
        ("opensearch", "POST", "/docs/_search", r#"{"suggest":{}}"#, "not known of this API"),
        ("opensearch", "POST", "/docs/_search?size=5", r#"{"size":6}"#, "comes twice"),
        ("opensearch", "POST", "/docs/_search?source=%7B%7D", "{}", "not known of this API"),
        ("opensearch", "POST", "/docs/_search", r#"{"pit":"x"}"#, "expected an object"),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":{},\"delete\":{}}\n{}\n", "expected one of index"),
        ("opensearch", "POST", "/docs/_bulk", "{}\n{}\n", "expected one of index"),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":null}\n{}\n", "expected one of index"),
        ("opensearch", "POST", "/docs/_bulk", "{\"reindex\":{}}\n{}\n", "not known of this API"),
        ("opensearch", "POST", "/docs/_bulk", "{\"Index\":{}}\n{}\n", "other letters"),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":{}}\n", "cut off"),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":{}}\n\n{}\n", "cut off"),
        ("opensearch", "POST", "/docs/_bulk", "{\"delete\":{}}\n\n", "cut off"),
        (
            "opensearch",
            "POST",
            "/docs/_bulk",
            "{\"index\":{\"pipeline\":\"x\"}}\n{}\n",
            "not known of this API",
        ),
        ("opensearch", "POST", "/docs/_bulk?pipeline=x", "{\"delete\":{}}\n", "not known of this API"),
        ("opensearch", "POST", "/docs/_bulk", "{\"index\":{}}\n[]\n", "expected an object"),
        ("opensearch", "POST", "/docs/_msearch", "{}\n\n{}\n{}\n", "cut off"),
        ("opensearch", "POST", "/docs/_msearch", "{\"size\":1}\n{}\n", "not known of this API"),
        ("opensearch", "POST", "/docs/_search", r#"{"knn":{"filter":[]}}"#, "expected an object"),
        ("chroma", "POST", "/api/v2/tenants/t/databases/d/collections/c/get", "[]", "expected an object"),
        ("chroma", "POST", "/api/v2/tenants/t/databases/d/collections/c/get", "null", "expected an object"),
    ];
    for (protocol, method, path, body, why) in cases {
        let told = refused(protocol, method, path, body);
        assert!(told.contains(why), "{path} {body}: {told}");
    }
}

#[test]
fn more_queries_than_can_be_judged_are_refused() {
    let batch = |queries: &[String]| format!(r#"{{"searches":[{}]}}"#, queries.join(","));
    let path = format!("{POINTS}/search/batch");
    let unlike: Vec<String> = (1..=257).map(|limit| format!(r#"{{"limit":{limit}}}"#)).collect();
    assert!(refused("qdrant", "POST", &path, &batch(&unlike)).contains("not alike"));
    assert_eq!(parts("qdrant", "POST", &path, &batch(&unlike[..256])).len(), 256);
    let alike = vec![r#"{"limit":5}"#.to_owned(); 1024];
    assert_eq!(parts("qdrant", "POST", &path, &batch(&alike)), ["docs||5|"]);
    let more = vec![r#"{"limit":5}"#.to_owned(); 1025];
    assert!(refused("qdrant", "POST", &path, &batch(&more)).contains("too many queries"));
}

#[test]
fn each_operation_that_has_a_name_for_rules_is_read_or_known_not_to_be() {
    // What no rule sees is refused where a policy asks: administration, and what no table has yet.
    let unread: Vec<String> = APIS
        .into_iter()
        .filter(|api| {
            ["pinecone", "qdrant", "weaviate", "chroma", "milvus", "opensearch"].contains(&api.name)
        })
        .flat_map(|api| api.operations.iter().map(move |operation| (api, operation)))
        .filter(|(_, operation)| operation.asks.is_none() && operation.name != "admin")
        .map(|(api, operation)| format!("{} {}", api.name, operation.path))
        .collect();
    assert_eq!(
        unread,
        [
            "chroma api/v2/tenants/{tenant}/databases/{database}/collections/{collection}/search",
            "milvus v2/vectordb/aliases/describe",
            "milvus v2/vectordb/databases/list",
            "milvus v2/vectordb/databases/describe",
            "opensearch _search/template",
            "opensearch <index>/_search/template",
            "opensearch _search/scroll",
            "opensearch _search/scroll",
            "opensearch <index>/_explain/{id}",
            "opensearch <index>/_knn_search",
            "opensearch <index>/_validate/query",
            "opensearch <index>/_terms_enum",
            "opensearch _search/point_in_time",
            "opensearch _pit",
            "opensearch <index>/_termvectors/{id}",
            "opensearch <index>/_field_caps",
            "opensearch <index>/_update_by_query",
        ]
    );
}
