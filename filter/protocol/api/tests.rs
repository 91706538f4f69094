use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::set::{Kind, Protocol};
use crate::pages;
use crate::protocol::rewrite::BodyKind;

mod answers;
mod requests;
mod stores;

fn name(api: &'static Api, method: &str, path: &str) -> &'static str {
    api.operation(method, path, std::iter::empty()).name
}

fn name_below(api: &'static Api, method: &str, path: &str, prefixes: &[&'static str]) -> &'static str {
    api.operation(method, path, prefixes.iter().copied()).name
}

/// A path that a pattern takes.
fn example(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| match segment {
        "**" => "any/thing".to_owned(),
        _ if segment.starts_with('<') => "docs".to_owned(),
        _ => match segment.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((_, end)) => format!("some{end}"),
            None => segment.to_owned(),
        },
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

#[test]
fn each_protocol_has_an_api_and_its_names_are_those_of_policies() {
    for (name, protocol) in Protocol::ALL {
        let found = APIS.iter().filter(|api| api.name == name).count();
        assert_eq!(found, usize::from(protocol != Protocol::None), "{name}");
    }
    for api in APIS {
        for operation in api.operations {
            let kinds = Kind::ALL.iter().map(|(_, name)| *name);
            assert!(operation.uninspected.is_none_or(|kind| kinds.clone().any(|known| known == kind)));
            let known = ["query", "fetch", "upsert", "delete", "admin"].contains(&operation.name);
            assert_eq!(known, api.family == Family::Store, "{} {}", api.name, operation.path);
        }
    }
}

#[test]
fn every_row_is_found_by_its_own_path_and_by_its_methods_alone() {
    for api in APIS {
        for operation in api.operations {
            let path = example(operation.path);
            let method = operation.methods.first().copied().unwrap_or("TRACE");
            let found = api.operation(method, &path, std::iter::empty());
            assert!(std::ptr::eq(found, operation), "{} {method} {path}: {found:?}", api.name);
            if !operation.methods.is_empty() {
                assert_eq!(name(api, "TRACE", &path), "unknown", "{} {path}", api.name);
            }
        }
    }
}

#[test]
fn the_most_specific_path_decides_and_its_methods_are_not_borrowed() {
    let path = |rest: &str| format!("/collections/docs/points{rest}");
    assert_eq!(name(&QDRANT, "POST", &path("/search")), "query");
    assert_eq!(name(&QDRANT, "GET", &path("/17")), "fetch");
    // A point cannot be called `search`, so that nobody reads this path in two ways.
    assert_eq!(name(&QDRANT, "GET", &path("/search")), "unknown");
    assert_eq!(name(&QDRANT, "POST", "/collections/aliases"), "admin");
    assert_eq!(name(&MILVUS, "POST", "/v2/vectordb/collections/list"), "fetch");
    assert_eq!(name(&MILVUS, "POST", "/v2/vectordb/collections/drop"), "admin");
    assert_eq!(name(&MILVUS, "POST", "/v2/vectordb/users/list"), "admin");
    assert_eq!(name(&OPENSEARCH, "POST", "/_bulk"), "upsert");
    assert_eq!(name(&OPENSEARCH, "PUT", "/_scripts"), "unknown");
    assert_eq!(name(&OPENSEARCH, "DELETE", "/_all"), "unknown");
    assert_eq!(name(&GEMINI, "POST", "/v1beta/models/gemini-pro:generateContent"), "chat");
    assert_eq!(name(&GEMINI, "POST", "/v1beta/models/gemini-pro"), "unknown");
    assert_eq!(name(&GEMINI, "POST", "/v1beta/models/:generateContent"), "unknown");
}

#[test]
fn what_stands_further_left_counts_for_more() {
    let rank = |pattern: &str| pattern::rank(pattern, &segments("a/b:c/d"));
    let order =
        ["**", "{x}/**", "{x}/{y}/{z}", "a/**", "a/{x}/d", "a/{x}:c/{y}", "a/b:c/**", "a/b:c/{x}", "a/b:c/d"];
    for pair in order.windows(2) {
        assert!(rank(pair[0]).is_some() && rank(pair[0]) < rank(pair[1]), "{pair:?}");
    }
    for pattern in ["a", "a/b:c", "a/b:c/d/e", "a/b:c/d/**", "a/b/d", "a/<x>/_d", "a/{x}:d/d", ""] {
        assert_eq!(rank(pattern), None, "{pattern}");
    }
    let long = |pattern: &str| pattern.split('/').count() < 32;
    assert!(APIS.iter().all(|api| api.operations.iter().all(|row| long(row.path))));
}

#[test]
fn words_alone_are_found_as_what_fits_closest_is() {
    for (api, row) in APIS.iter().flat_map(|api| api.operations.iter().map(move |row| (api, row))) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            let (found, closest) =
                (api.find(method, Some(row.path)), api.closest(method, &segments(row.path)));
            assert!(std::ptr::eq(found, closest), "{} {method} {}", api.name, row.path);
        }
    }
}

#[test]
fn whatever_is_spelled_otherwise_is_unknown() {
    for path in [
        "/v1/messages/",
        "/v1//messages",
        "//v1/messages",
        "/v1/Messages",
        "/v1/%6dessages",
        "/v1/messages;x",
        "/v2/messages",
        "/x/v1/messages",
        "v1/messages/x",
        "/v1/messages/batches/",
        "/v1/messages/batches/b/results/x",
        "/v1/complete",
        "/",
        "",
    ] {
        assert_eq!(name(&ANTHROPIC, "POST", path), "unknown", "{path}");
    }
    for method in ["GET", "DELETE", "post", "PUT", "OPTIONS"] {
        assert_eq!(name(&ANTHROPIC, method, "/v1/messages"), "unknown", "{method}");
    }
}

#[test]
fn an_api_stands_below_its_connections_prefix_too_and_two_meanings_are_none() {
    let below = |prefix, path: &str| name_below(&QDRANT, "POST", path, &[prefix]);
    assert_eq!(below("/qdrant", "/qdrant/collections/a/points/search"), "query");
    assert_eq!(below("/", "/collections/a/points/search"), "query");
    assert_eq!(below("/collections", "/collections/a/points/search"), "query");
    assert_eq!(below("/other", "/qdrant/collections/a/points/search"), "unknown");
    assert_eq!(below("/qdr", "/qdrant/collections/a/points/search"), "unknown");
    // Read with the prefix it creates an alias, read without it creates a collection's snapshot.
    let (prefix, path) = ("/collections/collections", "/collections/collections/collections/aliases");
    assert_eq!(name_below(&QDRANT, "POST", path, &[prefix]), "admin");
    assert_eq!(name_below(&OPENSEARCH, "POST", "/a/_search", &["/a"]), "unknown");
    assert_eq!(name_below(&HTTP, "POST", "/a/b", &["/a"]), "call");
}

#[test]
fn openais_paths_are_known_behind_any_version() {
    for base in ["", "/v1", "/api/v1", "/openai/v1", "/v1beta/openai", "/tenant/x/v1"] {
        let of = |method: &str, path: &str| name(&OPENAI, method, &format!("{base}{path}"));
        assert_eq!(of("POST", "/chat/completions"), "chat", "{base}");
        assert_eq!(of("POST", "/completions"), "completions");
        assert_eq!(of("POST", "/responses"), "responses");
        assert_eq!(of("POST", "/embeddings"), "embedding");
        assert_eq!(of("GET", "/models"), "models");
        assert_eq!(of("GET", "/models/gpt-4o"), "models");
        assert_eq!(of("POST", "/images/generations"), "image");
        assert_eq!(of("POST", "/audio/speech"), "audio");
    }
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/Chat/Completions",
        "/v1/%63hat/completions",
        "/v1/chat/completions;x",
        "/v1/files/chat/completions",
        "/openai/deployments/gpt/chat/completions",
        "/v1x/chat/completions",
        "v1/chat/completions/x",
        "/",
        "",
    ] {
        assert_eq!(name(&OPENAI, "POST", path), "unknown", "{path}");
    }
    assert_eq!(name(&OPENAI, "DELETE", "/v1/models/ft:x"), "unknown");
}

const CODES: [(&str, u16); 13] = [
    ("unauthenticated", 401),
    ("forbidden", 403),
    ("invalid_request", 400),
    ("too_large", 413),
    ("uninspectable", 415),
    ("policy_error", 403),
    ("rate_limited", 429),
    ("approval_pending", 409),
    ("approval_denied", 403),
    ("guard_unavailable", 503),
    ("upstream_unreadable", 502),
    ("upstream_credential", 502),
    ("anything", 500),
];

#[test]
fn a_refusal_is_json_that_says_message_and_code_whatever_they_hold() {
    for api in APIS {
        for (code, status) in CODES {
            let told = Told { code, status, message: "rule \"x\"\n\u{1F600}" };
            let body: Value = serde_json::from_slice(&(api.refusals.body)(&told)).unwrap();
            let written = body.to_string().to_lowercase();
            assert!(written.contains(r#"rule \"x\"\n"#), "{}: {written}", api.name);
            assert!(written.contains(code), "{}: {written}", api.name);
            let ending = api.refusals.ending.filter(|ending| ending.framing == BodyKind::EventStream);
            if let Some(ending) = ending {
                let event = String::from_utf8((ending.event)(&told)).unwrap();
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                assert!(serde_json::from_str::<Value>(data).is_ok(), "{}: {event}", api.name);
                assert!(event.ends_with("\n\n") && event.matches("\n\n").count() == 1, "{event}");
            }
        }
    }
}

#[test]
fn a_refusal_has_the_shape_that_the_protocols_sdk_reads() {
    let told = Told { code: "forbidden", status: 403, message: "no" };
    let body = |api: &Api| -> Value { serde_json::from_slice(&(api.refusals.body)(&told)).unwrap() };
    assert_eq!(body(&ANTHROPIC)["type"], "error");
    assert_eq!(body(&ANTHROPIC)["error"]["type"], "permission_error");
    assert!((ANTHROPIC.refusals.ending.unwrap().event)(&told).starts_with(b"event: error\ndata: {"));
    let line = (OLLAMA.refusals.ending.unwrap().event)(&told);
    assert_eq!(serde_json::from_slice::<Value>(line.strip_suffix(b"\n").unwrap()).unwrap()["error"], "no");
    assert_eq!(body(&GEMINI)["error"]["code"], 403);
    assert_eq!(body(&GEMINI)["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(body(&GEMINI)["error"]["details"][0]["reason"], "FORBIDDEN");
    assert_eq!(body(&COHERE)["message"], "no");
    let (header, value) = BEDROCK.refusals.header.unwrap();
    assert_eq!((header, value(&told)), ("x-amzn-errortype", "AccessDeniedException"));
    assert_eq!(body(&OLLAMA)["error"], "no");
    assert_eq!(body(&PINECONE)["error"]["code"], "PERMISSION_DENIED");
    assert_eq!(body(&QDRANT)["status"]["error"], "no");
    assert_eq!(body(&WEAVIATE)["error"][0]["message"], "no");
    assert_eq!(body(&CHROMA)["error"], "AuthorizationError");
    assert_eq!(body(&MILVUS)["code"], 1401);
    assert_eq!(body(&OPENSEARCH)["error"]["type"], "security_exception");
    assert_eq!(body(&OPENSEARCH)["error"]["root_cause"][0]["reason"], "no");
    assert_eq!(body(&OPENSEARCH)["status"], 403);
    assert_eq!(body(&HTTP)["title"], "forbidden");
}

proptest! {
    #[test]
    fn no_path_panics_and_none_is_two_things(path in "[/a-z_:.%]{0,24}", method in "[A-Z]{3,5}", prefix in "/[a-z]{0,3}") {
        for api in APIS {
            let bare = api.operation(&method, &path, std::iter::empty());
            let below = api.operation(&method, &path, std::iter::once(prefix.as_str()));
            // A prefix adds a meaning or takes the only one; it never gives a path another one.
            prop_assert!(std::ptr::eq(bare, below) || bare.is_unknown() || below.is_unknown());
        }
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

#[test]
fn the_page_lists_protocols_and_operations() {
    let protocols = APIS.iter().map(|api| {
        let headers = api.token_headers.iter().map(|(name, prefix)| match prefix.trim() {
            "" => code(name),
            prefix => code(&format!("{name}: {prefix} …")),
        });
        vec![
            code(api.name),
            api.title.to_owned(),
            headers.collect::<Vec<_>>().join(", "),
            api.refusals.about.to_owned(),
        ]
    });
    let protocols = pages::table(
        &["`protocol`", "API", "the token, beside `authorization: Bearer`", "what SDKs make of a refusal"],
        protocols.collect::<Vec<_>>(),
    );
    let rows = APIS.iter().flat_map(|api| operations(api));
    let operations = pages::table(&["protocol", "operation", "methods and paths"], rows.collect::<Vec<_>>());
    pages::keep("protocols.md", &[("protocols", protocols), ("operations", operations)]);
}

/// One row for each name of an operation.
fn operations(api: &Api) -> Vec<Vec<String>> {
    let mut names: Vec<&str> = Vec::new();
    for operation in api.operations {
        if !names.contains(&operation.name) {
            names.push(operation.name);
        }
    }
    let line = |operation: &Operation| {
        let methods =
            if operation.methods.is_empty() { "any".to_owned() } else { operation.methods.join("/") };
        let root = if api.root == Root::Version { "…/" } else { "/" };
        code(&format!("{methods} {root}{}", operation.path))
    };
    let row = |name: &str| {
        let paths = api.operations.iter().filter(|operation| operation.name == name).map(line);
        vec![code(api.name), code(name), paths.collect::<Vec<_>>().join(", ")]
    };
    names.into_iter().map(row).collect()
}
