//! Vector stores: what conditions see of a request, and what goes upstream under a policy's limits.

use super::*;

const SEARCH: &str = "/collections/docs/points/query";

/// A connection to a store, guarded by these rules and limits.
fn rig(protocol: &str, change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["connections"][1]["protocol"] = json!(protocol);
        set["connections"][1]["match"] = json!({ "path_prefix": "/" });
        set["policies"][0]["rules"] = json!([{ "name": "never", "deny": "false" }]);
        change(set);
    })
}

fn limited(protocol: &str, limits: Value) -> Rig {
    rig(protocol, |set| set["policies"][0]["vector"] = limits)
}

/// Sends a request; the status of our own answer, or what goes upstream: its path and its body.
fn send(rig: &Rig, method: &str, path: &str, body: &str) -> Result<(String, String), (u16, String)> {
    send_with(rig, method, path, body, &[])
}

fn send_with(
    rig: &Rig,
    method: &str,
    path: &str,
    body: &str,
    more: &[(&str, &str)],
) -> Result<(String, String), (u16, String)> {
    rig.host.answers.borrow_mut().clear();
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let length = body.len().to_string();
    let mut headers = vec![
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    headers.extend_from_slice(more);
    rig.head(method, path, &headers);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    let flow = exchange.request_head(&rig.host, body.is_empty());
    *rig.host.request_body.borrow_mut() = body.as_bytes().to_vec();
    if rig.host.answers.borrow().is_empty() && !body.is_empty() {
        assert_eq!(
            exchange.request_body(&rig.host, body.len(), true) == Flow::Continue,
            rig.host.answers.borrow().is_empty()
        );
    } else if body.is_empty() {
        assert_eq!(flow == Flow::Continue, rig.host.answers.borrow().is_empty());
    }
    if let Some(answer) = rig.host.answers.borrow().first() {
        return Err((answer.status, String::from_utf8_lossy(&answer.body).into_owned()));
    }
    let sent = String::from_utf8(rig.host.request_body.borrow().clone()).unwrap();
    assert_eq!(rig.sent("content-length"), Some(sent.len().to_string()));
    Ok((rig.sent(":path").unwrap(), sent))
}

fn status(outcome: &Result<(String, String), (u16, String)>) -> u16 {
    outcome.as_ref().map_or_else(|(status, _)| *status, |_| 200)
}

#[test]
fn a_rule_is_asked_about_every_query_of_a_request() {
    let rig = rig("qdrant", |set| {
        set["policies"][0]["rules"] = json!([
            { "name": "own", "deny": "!(vector.collection in [\"docs\"])" },
            { "name": "few", "deny": "vector.operation == \"query\" && vector.top_k > 20" },
            { "name": "filtered", "flag": "vector.filter.contains(\"secret\")" },
        ]);
    });
    let batch = |inner: &str| {
        send(&rig, "POST", "/collections/docs/points/query/batch", &format!(r#"{{"searches":[{inner}]}}"#))
    };
    assert_eq!(status(&batch(r#"{"query":[1],"limit":5},{"query":[1]}"#)), 200);
    assert_eq!(status(&batch(r#"{"query":[1],"limit":5},{"query":[1],"limit":21}"#)), 403);
    assert_eq!(status(&batch(r#"{"query":[1],"prefetch":{"limit":5000}}"#)), 403);
    assert_eq!(status(&batch(r#"{"query":1,"lookup_from":{"collection":"other"}}"#)), 403);
    assert_eq!(status(&send(&rig, "POST", "/collections/other/points/query", "{}")), 403);
    assert_eq!(status(&send(&rig, "GET", "/collections/docs", "")), 200);
    assert_eq!(status(&send(&rig, "GET", "/collections/other/exists", "")), 403);
}

#[test]
fn what_a_rule_cannot_see_is_refused_where_it_asks_and_passes_where_it_does_not() {
    let asks = |rule: &str| {
        rig("qdrant", |set| set["policies"][0]["rules"] = json!([{ "name": "r", "deny": rule }]))
    };
    let sees = asks("vector.collection == \"x\"");
    let cases = [
        ("POST", "/collections/docs/points/search", r#"{"limit":1,"top":2}"#, 400),
        ("POST", SEARCH, r#"{"limit":1,"limit":2}"#, 400),
        ("POST", SEARCH, r#"{"limit":1,"unknown":2}"#, 415),
        ("POST", SEARCH, r#"{"Limit":1}"#, 415),
        ("POST", "/collections/docs/points/query?limit=5", "{}", 415),
        ("PUT", "/collections/docs", r#"{"init_from":{"collection":"x"}}"#, 415),
        ("POST", "/collections/docs/points/query/", "{}", 415),
        ("POST", "/collections/docs/points/QUERY", "{}", 415),
        ("GET", "/collections/do%63s/points/1", "", 200),
        ("GET", "/collections/docs?a=1", "", 415),
    ];
    for (method, path, body, expected) in cases {
        assert_eq!(status(&send(&sees, method, path, body)), expected, "{path} {body}");
    }
    // The operation is known from the head alone.
    let operation = asks("vector.operation == \"admin\"");
    assert_eq!(status(&send(&operation, "POST", SEARCH, r#"{"limit":1,"unknown":2}"#)), 200);
    assert_eq!(status(&send(&operation, "GET", "/collections/docs?a=1", "")), 200);
    assert_eq!(status(&send(&operation, "PUT", "/collections/docs", "{}")), 403);
    let database = rig("milvus", |set| {
        set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "vector.collection == \"x\"" }]);
    });
    let path = "/v2/vectordb/entities/search";
    assert_eq!(status(&send(&database, "POST", path, r#"{"collectionName":"c"}"#)), 200);
    let elsewhere = send_with(&database, "POST", path, r#"{"collectionName":"c"}"#, &[("db-name", "other")]);
    assert_eq!(status(&elsewhere), 415);
}

#[test]
fn a_request_goes_upstream_narrowed() {
    let rig = limited(
        "qdrant",
        json!({
            "operations": ["query", "fetch"], "collections": ["docs", "hand*"], "filter": { "tenant": "${identity.subject}" },
            "max_top_k": 20, "vectors": "drop",
        }),
    );
    let body = r#"{ "query": [1.50], "limit": 100, "with_vector": true, "filter": {"must_not": []} }"#;
    let (path, sent) = send(&rig, "POST", SEARCH, body).unwrap();
    assert_eq!(path, SEARCH);
    assert_eq!(
        sent,
        r#"{ "query": [1.50], "limit": 20, "with_vector": false, "filter": {"must":[{"must_not": []},{"key":"tenant","match":{"value":"alice"}}]} }"#
    );
    let refused = [
        ("POST", "/collections/other/points/query", "{}", 403, "this collection"),
        ("POST", "/collections/docs/points", r#"{"ids":[1]}"#, 403, "takes no filter"),
        ("POST", "/collections/docs/points/delete", r#"{"points":[1]}"#, 403, "operation `delete`"),
        ("PUT", "/collections/handbook/points", r#"{"points":[]}"#, 403, "operation `upsert`"),
        ("POST", "/collections/docs/no/such", "{}", 403, "known operations"),
        ("POST", SEARCH, r#"{"x":1}"#, 415, "not known of this API"),
        ("POST", SEARCH, "", 400, "cut off"),
    ];
    for (method, path, body, expected, why) in refused {
        let (status, told) = send(&rig, method, path, body).unwrap_err();
        assert!(status == expected && told.contains(why), "{path} {body}: {status} {told}");
    }
    assert_eq!(status(&send(&rig, "POST", "/collections/handbook/points/scroll", "{}")), 200);
    assert_eq!(status(&send(&rig, "GET", "/healthz", "")), 200);
}

#[test]
fn a_query_string_goes_upstream_narrowed() {
    let rig = limited("pinecone", json!({ "namespaces": ["t-${identity.subject}"], "max_top_k": 20 }));
    let path = |path: &str| send(&rig, "GET", path, "").map(|(path, _)| path);
    assert_eq!(
        path("/vectors/list?limit=99&key=secret").unwrap(),
        "/vectors/list?limit=20&namespace=t%2Dalice"
    );
    assert_eq!(
        path("/vectors/fetch?ids=1&namespace=t-alice").unwrap(),
        "/vectors/fetch?ids=1&namespace=t-alice"
    );
    assert_eq!(path("/vectors/fetch?ids=1&namespace=t-bob").unwrap_err().0, 403);
    let (_, sent) = send(&rig, "POST", "/query", r#"{"topK":3}"#).unwrap();
    assert_eq!(sent, r#"{"namespace":"t-alice","topK":3}"#);
}

#[test]
fn what_may_pass_unread_does_not_pass_unlimited() {
    let limits = json!({ "filter": { "tenant": "${identity.subject}" } });
    let rig = rig("qdrant", |set| {
        set["policies"][0]["vector"] = limits;
        set["policies"][0]["uninspected"] = json!("allow");
        set["policies"][0]["limits"] = json!({ "max_request_bytes": 1024 });
    });
    let large = format!(r#"{{"query":[{}1]}}"#, "1,".repeat(1000));
    for (method, path, body) in [
        ("POST", SEARCH, r#"{"x":1}"#),
        ("POST", SEARCH, large.as_str()),
        ("POST", "/no/such", "{}"),
        ("PUT", "/collections/docs", "{}"),
        ("GET", "/collections/docs?x=1", ""),
    ] {
        assert_eq!(status(&send(&rig, method, path, body)), 415, "{path}");
    }
    let upgrade = send_with(&rig, "GET", "/collections", "", &[("connection", "upgrade"), ("upgrade", "x")]);
    assert_eq!(status(&upgrade), 415);
    let encoded = send_with(&rig, "POST", SEARCH, "{}", &[("content-encoding", "gzip")]);
    assert_eq!(status(&encoded), 415);
}

#[test]
fn limits_that_cannot_be_filled_in_refuse() {
    let rig = limited("qdrant", json!({ "filter": { "tenant": "${identity.claims.tenant}" } }));
    let (status, told) = send(&rig, "POST", SEARCH, "{}").unwrap_err();
    assert!(status == 403 && told.contains("`tenant` is not there"), "{told}");
}

#[test]
fn monitor_writes_down_what_exceeds_and_changes_nothing() {
    let rig = rig("qdrant", |set| {
        set["policies"][0]["mode"] = json!("monitor");
        set["policies"][0]["vector"] =
            json!({ "collections": ["docs"], "filter": { "tenant": "${identity.subject}" }, "max_top_k": 3 });
    });
    let would = |path: &str, body: &str| {
        let before = rig.host.counts.borrow().clone();
        let (_, sent) = send(&rig, "POST", path, body).unwrap();
        assert_eq!(sent, body);
        before
    };
    would(SEARCH, r#"{"query":[1],"limit":100}"#);
    would("/collections/other/points/query", "{}");
    would(SEARCH, r#"{"x":1}"#);
}

/// What a set with these limits is told at load.
fn told(protocol: &str, limits: &Value) -> Vec<String> {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    set["connections"][1]["protocol"] = json!(protocol);
    set["policies"][0]["rules"] = json!([{ "name": "never", "deny": "false" }]);
    set["policies"][0]["vector"] = limits.clone();
    let mut root = json::read(set.to_string().as_bytes()).unwrap();
    root.settle();
    let problems = match Bundle::of(&root, "c0ffee", HostPromises { body_before_headers: true }) {
        Err(problems) => problems,
        Ok((bundle, _)) => crate::exchange::guard::Guard::compile(&bundle, None).err().unwrap_or_default(),
    };
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn limits_that_mean_nothing_on_a_connection_are_refused_at_load() {
    let cases = [
        ("openai", json!({ "max_top_k": 3 }), "limits a vector store, which is not on the connection `chat`"),
        ("http", json!({ "operations": ["query"] }), "limits a vector store"),
        ("pinecone", json!({ "collections": ["a"] }), "names collections, which no request does"),
        ("opensearch", json!({ "namespaces": ["a"] }), "names namespaces, of which the store has none"),
        ("milvus", json!({ "filter": { "a.b": "x" } }), "names a field in another"),
        ("qdrant", json!({ "filter": { "$or": "x" } }), "is no name of a field"),
        ("qdrant", json!({ "filter": { "a": "x" }, "operations": ["upsert"] }), "which narrows no upsert"),
        ("qdrant", json!({ "filter": { "a": "${nothing}" } }), "unknown name `nothing`"),
        ("qdrant", json!({ "filter": { "a": "${identity.groups}" } }), "must give string"),
        ("qdrant", json!({ "collections": ["${vector.collection}"] }), "vector.collection"),
        ("qdrant", json!({ "namespaces": ["${env:X}"] }), "where no secret belongs"),
        ("qdrant", json!({ "on_excess": "deny" }), "has nothing to act on"),
        ("qdrant", json!({}), ""),
        ("qdrant", json!({ "max_top_k": 0 }), "max_top_k"),
        ("qdrant", json!({ "operations": ["search"] }), "operations"),
    ];
    for (protocol, limits, why) in cases {
        let told = told(protocol, &limits);
        assert!(told.iter().any(|told| told.contains(why)), "{protocol} {limits}: {told:?}");
    }
    let good = [
        ("weaviate", json!({ "operations": ["query"] })),
        (
            "weaviate",
            json!({ "vectors": "drop", "max_top_k": 3, "namespaces": ["a"], "filter": { "a": "x" } }),
        ),
        ("weaviate", json!({ "collections": ["Doc"], "max_top_k": 3, "on_excess": "deny" })),
        ("milvus", json!({ "vectors": "drop" })),
        ("opensearch", json!({ "operations": ["query"], "vectors": "drop" })),
        (
            "qdrant",
            json!({ "filter": { "a.b": "${identity.subject}" }, "operations": ["query", "delete"], "on_excess": "deny", "max_top_k": 3 }),
        ),
        ("milvus", json!({ "collections": ["*"], "namespaces": ["a"], "filter": { "a": "x" } })),
    ];
    for (protocol, limits) in good {
        assert_eq!(told(protocol, &limits), Vec::<String>::new(), "{protocol}");
    }
}

/// What comes out of an answer to this request, with a limit that leaves out vectors and nothing masked.
fn answered(rig: &Rig, method: &str, path: &str, body: &str, kind: &str, answer: &str) -> Option<String> {
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head(method, path, &[("authorization", &bearer), ("content-type", "application/json")]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    if exchange.request_head(&rig.host, body.is_empty()) == Flow::Pause && !body.is_empty() {
        assert_eq!(rig.send(&mut exchange, body), Flow::Continue, "{path}");
    }
    assert!(rig.host.answers.borrow().is_empty(), "{path}");
    if rig.answer(&mut exchange, "200", &[("content-type", kind), ("etag", "x")]) == Flow::Pause {
        return None;
    }
    rig.piece(&mut exchange, answer, true)
}

fn vectorless(protocol: &str, change: impl FnOnce(&mut Value)) -> Rig {
    rig(protocol, |set| {
        set["policies"][0]["vector"] = json!({ "vectors": "drop" });
        set["policies"][0].as_object_mut().unwrap().remove("mask");
        set["connections"][1].as_object_mut().unwrap().remove("credential");
        change(set);
    })
}

const JSON: &str = "application/json";
const HIT: &str =
    r#"{ "result":{"points":[ {"id":1,"vector":[0.10] ,"payload":{"mail":"jane@example.com"}}]}}"#;

#[test]
fn answers_come_without_vectors_and_otherwise_as_they_are() {
    let plain = vectorless("qdrant", |_| {});
    let seen = answered(&plain, "POST", SEARCH, r#"{"query":[1]}"#, JSON, HIT).unwrap();
    assert_eq!(seen, HIT.replace("[0.10]", "null"));
    assert!(plain.host.header(Side::Response, "etag").is_none(), "it names other bytes");
    assert_eq!(plain.sent("accept-encoding").as_deref(), Some("identity"));
    let one = r#"{"result":{"id":1,"vector":{"a":[1]}}}"#;
    let seen = answered(&plain, "GET", "/collections/docs/points/1", "", JSON, one).unwrap();
    assert_eq!(seen, r#"{"result":{"id":1,"vector":null}}"#);
    let masked = vectorless("qdrant", |set| {
        set["policies"][0]["mask"] = json!({ "response": { "entities": ["PII"] } });
    });
    let seen = answered(&masked, "POST", SEARCH, r#"{"query":[1]}"#, JSON, HIT).unwrap();
    assert_eq!(seen, HIT.replace("[0.10]", "null").replace("jane@example.com", "<EMAIL_ADDRESS>"));
    let graph = vectorless("weaviate", |_| {});
    let answer = r#"{"data":{"Get":{"Doc":[{"_additional":{"vector":[1]}}]}}}"#;
    let seen = answered(
        &graph,
        "POST",
        "/v1/graphql",
        r#"{"query":"{Get{Doc{_additional{vector}}}}"}"#,
        JSON,
        answer,
    )
    .unwrap();
    assert_eq!(seen, answer.replace("[1]", "null"));
}

#[test]
fn an_answer_that_cannot_be_read_does_not_pass_with_vectors_in_it() {
    let rig = vectorless("qdrant", |set| set["policies"][0]["uninspected"] = json!("allow"));
    let seen = answered(&rig, "POST", SEARCH, r#"{"query":[1]}"#, "application/cbor", "x");
    assert_eq!(seen, None);
    assert_eq!(rig.refusal().status, 502);
}

#[test]
fn in_monitor_vectors_stay() {
    let rig = vectorless("qdrant", |set| set["mode"] = json!("monitor"));
    let seen = answered(&rig, "POST", SEARCH, r#"{"query":[1],"with_vector":true}"#, JSON, HIT).unwrap();
    assert_eq!(seen, HIT);
}

const BULK: &str = "{\"index\":{\"_index\":\"docs\"}}\n{\"a\":1}\n";
const BULK_DELETE: &str = "{\"index\":{}}\n{\"a\":1}\n{\"delete\":{\"_id\":1}}\n";

fn bulk(rig: &Rig, body: &str) -> u16 {
    status(&send(rig, "POST", "/docs/_bulk", body))
}

#[test]
fn a_deletion_within_a_bulk_is_a_deletion() {
    let read = limited("opensearch", json!({ "operations": ["upsert"], "collections": ["docs"] }));
    assert_eq!((bulk(&read, BULK), bulk(&read, BULK_DELETE)), (200, 403));
    let other = BULK.replace("\"docs\"", "\"other\"");
    assert_eq!(bulk(&read, &other), 403);
    let both = limited("opensearch", json!({ "operations": ["upsert", "delete"], "collections": ["docs"] }));
    assert_eq!((bulk(&both, BULK), bulk(&both, BULK_DELETE)), (200, 200));
    // What is in it nobody reads.
    let blind = limited("opensearch", json!({ "operations": ["upsert"] }));
    assert_eq!((bulk(&blind, BULK), bulk(&blind, BULK_DELETE)), (403, 403));
    let open = limited("opensearch", json!({ "operations": ["upsert", "delete"] }));
    assert_eq!(bulk(&open, BULK_DELETE), 200);
    let unread = rig("opensearch", |set| {
        set["policies"][0]["vector"] = json!({ "operations": ["upsert"] });
        set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "vector.collection == \"x\"" }]);
        set["policies"][0]["uninspected"] = json!("allow");
    });
    assert_eq!((bulk(&unread, BULK), bulk(&unread, BULK_DELETE)), (200, 403));
    assert_eq!(bulk(&unread, "{\"reindex\":{}}\n{}\n"), 403, "it may delete, for all that was read");
}

#[test]
fn a_rule_on_deletions_holds_for_a_bulk() {
    let rule = |rule: &str| {
        rig("opensearch", |set| set["policies"][0]["rules"] = json!([{ "name": "r", "deny": rule }]))
    };
    // The operation alone is known from the head: such a request may be either.
    let head = rule("vector.operation == \"delete\"");
    assert_eq!((bulk(&head, BULK), bulk(&head, BULK_DELETE)), (403, 403));
    let read = rule("vector.operation == \"delete\" && vector.collection == \"docs\"");
    assert_eq!((bulk(&read, BULK), bulk(&read, BULK_DELETE)), (200, 403));
    let written = rule("vector.operation == \"upsert\" && vector.collection == \"docs\"");
    assert_eq!((bulk(&written, BULK), bulk(&written, "{\"delete\":{\"_id\":1}}\n")), (403, 200));
}

#[test]
fn what_a_store_keeps_of_a_search_is_read_on_where_references_may_pass() {
    let scroll = r#"{"scroll":"1m","scroll_id":"x"}"#;
    let pit = r#"{"pit":{"id":"x"},"size":900}"#;
    let requests = [("/_search/scroll", scroll), ("/_search", pit)];
    let with = |limits: Value, uninspected: Value| {
        rig("opensearch", |set| {
            set["policies"][0]["vector"] = limits;
            set["policies"][0]["uninspected"] = uninspected;
        })
    };
    let filter = json!({ "filter": { "tenant": "acme" }, "max_top_k": 20 });
    for (path, body) in requests {
        let closed = with(filter.clone(), json!({ "default": "deny", "allow": ["path", "schema"] }));
        let refused = send(&closed, "POST", path, body).unwrap_err();
        assert_eq!(refused.0, 415, "{path}");
        let open = with(filter.clone(), json!({ "default": "deny", "allow": ["reference"] }));
        let sent = send(&open, "POST", path, body).unwrap().1;
        assert_eq!(sent.contains(r#""tenant":{"value":"acme"}"#), path == "/_search", "{sent}");
        assert_eq!(
            status(&send(&with(json!({ "operations": ["query"] }), json!("deny")), "POST", path, body)),
            200
        );
    }
    // Of which index it is only the store knows.
    let named =
        with(json!({ "collections": ["docs"] }), json!({ "default": "deny", "allow": ["reference"] }));
    assert_eq!(status(&send(&named, "POST", "/docs/_search", pit)), 403);
    assert_eq!(status(&send(&named, "POST", "/docs/_search?scroll=1m", "{}")), 200);
    assert_eq!(status(&send(&named, "POST", "/docs/_pit?keep_alive=1m", "")), 200);
    assert_eq!(status(&send(&named, "POST", "/other/_pit?keep_alive=1m", "")), 403);
}

#[test]
fn a_document_in_graphql_goes_upstream_narrowed() {
    let rig = limited("weaviate", json!({ "filter": { "tenant": "${identity.subject}" }, "max_top_k": 5 }));
    let body = r#"{"query":"{ Get { Doc(limit: 9) { a } } }"}"#;
    let (path, sent) = send(&rig, "POST", "/v1/graphql", body).unwrap();
    assert_eq!(path, "/v1/graphql");
    assert!(sent.contains(r#"Doc(where:{path:[\"tenant\"],operator:Equal,valueText:\""#), "{sent}");
    assert!(sent.ends_with(r#"},limit: 5) { a } } }"}"#), "{sent}");
    let hidden = r#"{"query":"query Q($w: W) { Get { Doc(where: $w) { a } } }","variables":{"w":{}}}"#;
    assert_eq!(status(&send(&rig, "POST", "/v1/graphql", hidden)), 415);
    for name in ["x-openai-baseurl", "x-any-baseurl", "x-aws-endpoint", "x-azure-resource-name"] {
        let elsewhere = send_with(&rig, "POST", "/v1/graphql", body, &[(name, "https://mallory.example")]);
        assert_eq!(status(&elsewhere), 415, "{name}: hits would go past the mask");
    }
    assert_eq!(status(&send_with(&rig, "POST", "/v1/graphql", body, &[("x-openai-api-key", "k")])), 200);
    assert_eq!(status(&send(&rig, "GET", "/v1/graphql?query=%7BGet%7BDoc%7Ba%7D%7D%7D", "")), 415);
}
