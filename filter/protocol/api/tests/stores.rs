//! Answers of vector stores in their recorded shapes. A fixture says itself what becomes of each of its values, so that
//! no table is needed to know what is right: texts and keys that begin with `MASK` and numbers of 5,000,000 and more are
//! masked, `DROP` is left out with what holds it, and everything else is kept, whatever it looks like.

use serde_json::json;

use super::*;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::{Nothing, Simple, masked};

const LEAST_MASKED: u64 = 5_000_000;

fn expected(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("MASK") => Value::String(masked(text)),
        Value::Number(number) if number.as_u64().is_some_and(|number| number >= LEAST_MASKED) => {
            Value::from(0)
        }
        Value::Array(items) if items.contains(&json!("DROP")) => Value::Null,
        Value::Array(items) => Value::Array(items.iter().map(expected).collect()),
        Value::Object(fields) if fields.values().any(|value| *value == json!("DROP")) => Value::Null,
        Value::Object(fields) => {
            let key = |key: &str| if key.starts_with("MASK") { masked(key) } else { key.to_owned() };
            Value::Object(fields.iter().map(|(name, value)| (key(name), expected(value))).collect())
        }
        other => other.clone(),
    }
}

/// Answers by API, method and path.
fn fixtures() -> Vec<(&'static Api, &'static str, &'static str, Value)> {
    // Kept, though a masker would find something in it.
    let id = "SECRET-4111";
    let vector = json!([0.1234, -1.5e-3, 1_234_567]);
    let sparse = json!({ "indices": [1, 4_999_999], "values": [0.5, 12345.5] });
    let metadata = json!({
        "author": "MASK jane@example.com", "tags": ["MASK a SECRET", "MASK café", "plain"], "card": 41_111_111, "rank": 3,
        "MASK SECRET": true, "deep": [{ "note": "MASK A\nB SECRET" }], "none": null, "id": "MASK SECRET", "vector": ["MASK SECRET"],
    });
    let weaviate_class = json!([{
        "title": "MASK SECRET", "pages": 51_111_111, "tags": ["MASK SECRET"], "id": "MASK SECRET",
        "_additional": {
            "id": id, "distance": 0.1234, "certainty": 0.9, "score": "0.0163934", "vector": vector, "vectors": { "a": vector },
            "explainScore": "MASK SECRET", "generate": { "singleResult": "MASK SECRET", "error": "MASK SECRET" },
            "creationTimeUnix": "1700000000000", "rerank": [{ "score": 0.5 }],
        },
        "inPublication": [{ "name": "MASK SECRET", "_additional": { "id": id } }],
    }]);
    let hit = json!({
        "_index": "docs-1234", "_id": id, "_score": 1_234_567.5, "_version": 1_000_001, "_source": metadata,
        "fields": { "MASK SECRET": ["MASK SECRET", 51_111_111] }, "sort": ["MASK SECRET", 1_700_000_000_000_u64],
        "highlight": { "body": "DROP" }, "matched_queries": ["MASK SECRET"],
        "inner_hits": { "chunks": { "hits": { "total": { "value": 1_234_567, "relation": "eq" }, "hits": [{ "_id": id, "_source": { "a": "MASK SECRET" } }] } } },
    });
    let hits =
        json!({ "total": { "value": 1_234_567, "relation": "eq" }, "max_score": 12345.5, "hits": [hit] });
    vec![
        (
            &PINECONE,
            "POST",
            "/query",
            json!({
                "matches": [{ "id": id, "score": 12345.5, "values": vector, "sparseValues": sparse, "metadata": metadata }],
                "namespace": "tenant-12345", "usage": { "readUnits": 1_234_567 }, "results": [],
            }),
        ),
        (
            &PINECONE,
            "GET",
            "/vectors/fetch",
            json!({
                "vectors": { "SECRET-1": { "id": id, "values": vector, "metadata": metadata } }, "namespace": "", "usage": { "readUnits": 1 },
            }),
        ),
        (
            &PINECONE,
            "GET",
            "/vectors/list",
            json!({
                "vectors": [{ "id": id }], "pagination": { "next": "eyJSECRET12345" }, "namespace": "n",
            }),
        ),
        (
            &PINECONE,
            "POST",
            "/describe_index_stats",
            json!({
                "namespaces": { "SECRET": { "vectorCount": 1_234_567 } }, "dimension": 1536, "totalVectorCount": 4_999_999, "indexFullness": 0.12345,
            }),
        ),
        (
            &PINECONE,
            "POST",
            "/records/namespaces/n/search",
            json!({
                "result": { "hits": [{ "_id": id, "_score": 0.12345, "fields": metadata }] }, "usage": { "embed_total_tokens": 12345 },
            }),
        ),
        (
            &PINECONE,
            "POST",
            "/rerank",
            json!({
                "model": "bge-12345", "data": [{ "index": 0, "score": 0.12345, "document": metadata }], "usage": { "rerank_units": 1 },
            }),
        ),
        (
            &PINECONE,
            "POST",
            "/query",
            json!({ "code": 3, "message": "MASK SECRET", "details": ["MASK SECRET"] }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/search",
            json!({
                "result": [{
                    "id": 4_111_111, "version": 1_234_567, "score": 12345.5, "payload": metadata, "vector": { "dense": vector, "sparse": sparse, "multi": [vector] },
                    "shard_key": "SECRET", "order_value": 51_111_111,
                }, { "id": id, "score": 1, "payload": null }],
                "status": "ok", "time": 0.001_234, "usage": { "hardware": { "cpu": 1_234_567 } },
            }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/query",
            json!({
                "result": { "points": [{ "id": id, "score": 1, "payload": metadata, "vector": vector }] }, "status": "ok", "time": 1,
            }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/query/batch",
            json!({
                "result": [{ "points": [{ "id": id, "payload": metadata }] }], "status": "ok", "time": 1,
            }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/search/batch",
            json!({ "result": [[{ "id": id, "payload": metadata }]], "status": "ok" }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/scroll",
            json!({
                "result": { "points": [{ "id": id, "payload": metadata }], "next_page_offset": id }, "status": "ok",
            }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/points/search/groups",
            json!({
                "result": { "groups": [{ "id": "MASK SECRET", "hits": [{ "id": id, "payload": metadata }], "lookup": { "id": id, "payload": metadata } }] },
            }),
        ),
        (
            &QDRANT,
            "POST",
            "/collections/c/facet",
            json!({ "result": { "hits": [{ "value": "MASK SECRET", "count": 3 }] } }),
        ),
        (
            &QDRANT,
            "GET",
            "/collections/c/points/1",
            json!({ "result": { "id": 1_234_567, "payload": metadata, "vector": vector } }),
        ),
        (&QDRANT, "GET", "/collections", json!({ "result": { "collections": [{ "name": "SECRET" }] } })),
        (
            &QDRANT,
            "PUT",
            "/collections/c/points",
            json!({ "status": { "error": "MASK SECRET" }, "time": 0.1 }),
        ),
        (
            &WEAVIATE,
            "POST",
            "/v1/graphql",
            json!({
                "data": { "Get": { "Document": weaviate_class }, "Aggregate": { "Document": [{ "meta": { "count": 3 }, "title": { "topOccurrences": [{ "value": "MASK SECRET" }] } }] } },
                "errors": [{ "message": "MASK SECRET", "path": ["MASK SECRET"] }],
            }),
        ),
        (
            &WEAVIATE,
            "POST",
            "/v1/graphql/batch",
            json!([{ "data": { "Get": { "Document": weaviate_class } } }]),
        ),
        (
            &WEAVIATE,
            "POST",
            "/v1/graphql",
            json!({ "data": { "renamed": { "Document": [{ "title": "MASK SECRET" }] } } }),
        ),
        (
            &WEAVIATE,
            "GET",
            "/v1/objects",
            json!({
                "objects": [{ "class": "Doc12345", "id": id, "properties": metadata, "vector": vector, "creationTimeUnix": 1_234_567, "tenant": "SECRET" }],
                "totalResults": 1_234_567,
            }),
        ),
        (
            &WEAVIATE,
            "POST",
            "/v1/batch/objects",
            json!([{
                "class": "Doc", "id": id, "properties": metadata, "result": { "status": "FAILED", "errors": { "error": [{ "message": "MASK SECRET" }] } },
            }]),
        ),
        (
            &CHROMA,
            "POST",
            "/api/v2/tenants/t/databases/d/collections/c/query",
            json!({
                "ids": [[id]], "distances": [[1_234_567.5]], "embeddings": [[vector]], "documents": [["MASK a SECRET", null]],
                "metadatas": [[metadata, null]], "uris": [["MASK SECRET"]], "data": null, "include": ["documents"],
            }),
        ),
        (
            &CHROMA,
            "POST",
            "/api/v2/tenants/t/databases/d/collections/c/get",
            json!({
                "ids": [id], "embeddings": null, "documents": ["MASK a SECRET"], "metadatas": [metadata], "include": ["metadatas"],
            }),
        ),
        (
            &CHROMA,
            "GET",
            "/api/v2/tenants/t/databases/d/collections",
            json!([{
                "id": id, "name": "SECRET", "metadata": metadata, "dimension": 1536, "tenant": "SECRET", "database": "SECRET",
            }]),
        ),
        (&CHROMA, "GET", "/api/v2/tenants/t/databases/d/collections/c/count", json!(1_234_567)),
        (&CHROMA, "POST", "/api/v2/reset", json!({ "error": "MASK SECRET", "message": "MASK SECRET" })),
        (
            &MILVUS,
            "POST",
            "/v2/vectordb/entities/search",
            json!({
                "code": 0, "cost": 1_234_567, "topks": [1_234_567], "data": [{ "id": 4_111_111, "distance": 12345.5, "vector": vector, "title": "MASK SECRET", "pin": 51_111_111, "meta": metadata }],
            }),
        ),
        (
            &MILVUS,
            "POST",
            "/v2/vectordb/entities/insert",
            json!({ "code": 0, "data": { "insertCount": 1_234_567, "insertIds": [4_111_111, id] } }),
        ),
        (&MILVUS, "POST", "/v2/vectordb/entities/search", json!({ "code": 65535, "message": "MASK SECRET" })),
        (
            &OPENSEARCH,
            "POST",
            "/docs/_search",
            json!({
                "took": 1_234_567, "timed_out": false, "_shards": { "total": 1, "successful": 1, "failed": 0 }, "_scroll_id": "SECRET12345", "hits": hits,
                "aggregations": {
                    "authors": { "doc_count_error_upper_bound": 0, "sum_other_doc_count": 1_234_567, "buckets": [{
                        "key": "MASK SECRET", "doc_count": 1_234_567, "latest": { "hits": hits }, "cards": { "buckets": { "MASK SECRET": { "doc_count": 1_234_567, "key": 51_111_111 } } },
                    }] },
                    "most": { "value": 51_111_111, "value_as_string": "MASK SECRET" },
                },
                "suggest": { "s": [{ "text": "MASK SECRET", "options": [{ "text": "MASK SECRET", "score": 0.5 }] }] },
            }),
        ),
        (
            &OPENSEARCH,
            "POST",
            "/_msearch",
            json!({ "took": 3, "responses": [{ "hits": hits, "status": 200 }, { "error": { "type": "x", "reason": "MASK SECRET" }, "status": 400 }] }),
        ),
        (
            &OPENSEARCH,
            "GET",
            "/docs/_doc/1",
            json!({ "_index": "docs", "_id": id, "_version": 1_234_567, "found": true, "_source": metadata }),
        ),
        (
            &OPENSEARCH,
            "GET",
            "/docs/_source/1",
            json!({ "took": "MASK SECRET", "hits": 51_111_111, "_id": "MASK SECRET", "MASK SECRET": 1 }),
        ),
        (
            &OPENSEARCH,
            "POST",
            "/_mget",
            json!({ "docs": [{ "_index": "d", "_id": id, "_source": metadata }] }),
        ),
        (
            &OPENSEARCH,
            "POST",
            "/_bulk",
            json!({
                "took": 3, "errors": true, "items": [{ "index": { "_index": "d", "_id": id, "status": 400, "error": { "type": "x", "reason": "MASK SECRET", "caused_by": { "reason": "MASK SECRET" } } } }],
            }),
        ),
        (
            &OPENSEARCH,
            "POST",
            "/docs/_search",
            json!({ "error": { "root_cause": [{ "type": "x", "reason": "MASK SECRET" }], "reason": "MASK SECRET" }, "status": 400 }),
        ),
    ]
}

fn table_of(api: &'static Api, method: &str, path: &str) -> &'static Table {
    let operation = api.operation(method, path, std::iter::empty());
    assert_ne!(operation.name, "unknown", "{} {method} {path}", api.name);
    operation.answers.unwrap_or(api.answers)
}

#[test]
fn every_text_of_a_stores_answer_is_masked_and_what_identifies_or_measures_is_kept() {
    for (api, method, path, document) in fixtures() {
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, table_of(api, method, path), Simple);
        let mut out = Vec::new();
        rewriter.push(document.to_string().as_bytes(), true, &mut out).unwrap();
        let seen: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(seen, expected(&document), "{} {path}", api.name);
    }
}

#[test]
fn an_answer_cut_anywhere_is_the_same() {
    for (api, method, path, document) in fixtures() {
        let table = table_of(api, method, path);
        let bytes = document.to_string().into_bytes();
        let cut = |at: usize| {
            let (first, second) = bytes.split_at(at);
            let mut rewriter = ResponseRewriter::new(BodyKind::Json, table, Simple);
            let mut out = Vec::new();
            rewriter.push(first, false, &mut out).unwrap();
            rewriter.push(second, true, &mut out).unwrap();
            out
        };
        let whole = cut(0);
        for at in 1..=bytes.len() {
            assert_eq!(cut(at), whole, "{} {path} at {at}", api.name);
        }
    }
}

#[test]
fn a_policy_that_masks_nothing_changes_no_byte() {
    for (api, method, path, document) in fixtures() {
        let bytes = serde_json::to_vec_pretty(&document).unwrap();
        let rewriter = ResponseRewriter::new(BodyKind::Json, table_of(api, method, path), Nothing);
        let mut rewriter = rewriter.without_drops();
        let mut out = Vec::new();
        for piece in bytes.chunks(7) {
            rewriter.push(piece, false, &mut out).unwrap();
        }
        rewriter.push(&[], true, &mut out).unwrap();
        assert_eq!(out, bytes, "{} {path}", api.name);
    }
}
