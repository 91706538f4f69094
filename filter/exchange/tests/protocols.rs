//! Connections of every protocol: refusals, unread requests, unknown paths, masked answers.

use super::*;
use crate::config::set::Protocol;
use crate::protocol::api::{APIS, Family};

/// A path of each protocol that is known, with its method.
const KNOWN: [(&str, &str, &str); 13] = [
    ("openai", "POST", "/v1/chat/completions"),
    ("anthropic", "POST", "/v1/messages"),
    ("gemini", "POST", "/v1beta/models/gemini-2.5-flash:generateContent"),
    ("cohere", "POST", "/v2/chat"),
    ("bedrock", "POST", "/model/anthropic.claude-3/converse"),
    ("ollama", "POST", "/api/chat"),
    ("pinecone", "POST", "/query"),
    ("qdrant", "POST", "/collections/docs/points/search"),
    ("weaviate", "POST", "/v1/graphql"),
    ("chroma", "POST", "/api/v2/tenants/t/databases/d/collections/c/query"),
    ("milvus", "POST", "/v2/vectordb/entities/search"),
    ("opensearch", "POST", "/docs/_search"),
    ("http", "PATCH", "/rest/rows"),
];

/// One connection of this protocol for everything, and a policy whose rules need no body.
fn rig(protocol: &str, change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["connections"][1]["protocol"] = json!(protocol);
        set["connections"][1]["match"] = json!({ "path_prefix": "/" });
        set["policies"][0]["rules"] =
            json!([{ "name": "no-delete", "deny": "request.method == \"DELETE\"" }]);
        change(set);
    })
}

fn begin(rig: &Rig, method: &str, path: &str, more: &[(&str, &str)]) -> Exchange {
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    headers.extend_from_slice(more);
    rig.head(method, path, &headers);
    Exchange::begin(Rc::clone(&rig.worker), 7)
}

/// What goes out of a whole answer.
fn masked(rig: &Rig, exchange: &mut Exchange, answer: &str) -> String {
    rig.answer(exchange, "200", &[("content-type", "application/json")]);
    rig.piece(exchange, answer, true).unwrap()
}

fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    change(&mut set);
    let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
    match Worker::start(&host, &bundle(&set, true)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn each_protocol_lets_a_known_operation_pass_unread_and_masks_its_answer() {
    assert_eq!(KNOWN.len(), Protocol::ALL.len() - 1);
    for (protocol, method, path) in KNOWN {
        let rig = rig(protocol, |_| {});
        let mut exchange = begin(&rig, method, path, &[]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue, "{protocol}");
        *rig.host.request_body.borrow_mut() = br#"{"a":1,"a":2}"#.to_vec();
        assert_eq!(exchange.request_body(&rig.host, 13, true), Flow::Continue);
        assert!(rig.host.answers.borrow().is_empty(), "{protocol}");
        assert_eq!(rig.host.header(Side::Request, "authorization"), Some(format!("Bearer {CREDENTIAL}")));
        let answer = r#"{"x":"jane@example.com","y":[4111111111111111],"jane@example.com":1}"#;
        let seen = masked(&rig, &mut exchange, answer);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen, json!({ "x": "<EMAIL_ADDRESS>", "y": [0], "<EMAIL_ADDRESS>": 1 }), "{protocol}");
    }
}

#[test]
fn a_path_that_the_api_has_not_is_refused_unless_the_policy_lets_it_pass_and_masked_then() {
    for (protocol, _, _) in KNOWN {
        if protocol == "http" {
            continue;
        }
        let refused = rig(protocol, |_| {});
        let mut exchange = begin(&refused, "POST", "/v1/no/such/thing", &[]);
        assert_eq!(exchange.request_head(&refused.host, false), Flow::Pause, "{protocol}");
        assert_eq!(refused.host.answers.borrow()[0].status, 415);
        let allowed = rig(protocol, |set| set["policies"][0]["uninspected"] = json!({ "allow": ["path"] }));
        let mut exchange = begin(&allowed, "POST", "/v1/no/such/thing", &[]);
        assert_eq!(exchange.request_head(&allowed.host, false), Flow::Continue, "{protocol}");
        let seen = masked(&allowed, &mut exchange, r#"["jane@example.com"]"#);
        assert_eq!(seen, r#"["<EMAIL_ADDRESS>"]"#);
    }
}

#[test]
fn a_refusal_comes_in_the_protocols_own_shape() {
    for (protocol, _, path) in KNOWN {
        let rig = rig(protocol, |_| {});
        let mut exchange = begin(&rig, "DELETE", path, &[]);
        exchange.request_head(&rig.host, true);
        let answers = rig.host.answers.borrow();
        let answer = &answers[0];
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let api = crate::protocol::api::APIS.into_iter().find(|api| api.name == protocol).unwrap();
        let told = crate::protocol::api::Told { code: "x", status: answer.status, message: "y" };
        let shape: Value = serde_json::from_slice(&(api.refusals.body)(&told)).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&body), keys(&shape), "{protocol}");
        let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        assert_eq!(header("content-type").unwrap(), api.refusals.content_type.as_bytes());
        assert_eq!(header("x-amzn-errortype").is_some(), protocol == "bedrock");
    }
}

#[test]
fn a_condition_that_asks_what_an_unread_request_says_is_refused_at_load() {
    let with = |protocol: &str| {
        problems(|set| {
            set["connections"][1]["protocol"] = json!(protocol);
            set["policies"][0]["rules"] = json!([
                { "name": "head", "deny": "request.method == \"DELETE\" || request.size > 10" },
                { "name": "model", "deny": "llm.model == \"x\"" },
                { "name": "text", "flag": "prompt.text.contains(\"x\")" },
            ]);
        })
    };
    const HELP: &str = "\n  help: conditions on identity, source, request and target work there: give the connection a policy of its own";
    for api in APIS.into_iter().filter(|api| api.family == Family::Model) {
        assert_eq!(with(api.name), Vec::<String>::new(), "{}", api.name);
    }
    assert_eq!(
        with("qdrant")[0],
        format!(
            "policies[0].rules[1].deny: reads `llm.model`, but the connection `chat` leads to a vector store (`protocol: qdrant`){HELP}"
        )
    );
    assert_eq!(with("http").len(), 2);
}

#[test]
fn a_mask_of_prompts_is_refused_at_load_where_nobody_reads_them() {
    let told = |protocol: &str| {
        problems(|set| {
            set["connections"][1]["protocol"] = json!(protocol);
            set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "false" }]);
            set["policies"][0]["mask"] = json!({ "prompt": { "entities": ["PII"] } });
        })
    };
    for api in APIS {
        assert_eq!(told(api.name).is_empty(), api.family == Family::Model, "{}", api.name);
    }
}

#[test]
fn what_holds_for_bodies_holds_for_those_that_nobody_reads() {
    // A rule on the size holds the body back; it is not looked into all the same.
    let rig = rig("qdrant", |set| {
        set["policies"][0]["rules"] = json!([{ "name": "large", "deny": "request.size > 1000" }]);
        set["policies"][0]["limits"] = json!({ "max_request_bytes": 2048 });
    });
    let path = "/collections/docs/points/search";
    let status = |more: &[(&str, &str)], body: &str| {
        rig.host.answers.borrow_mut().clear();
        let mut exchange = begin(&rig, "POST", path, more);
        if exchange.request_head(&rig.host, false) == Flow::Pause && rig.host.answers.borrow().is_empty() {
            rig.send(&mut exchange, body);
        }
        rig.host.answers.borrow().first().map(|answer| answer.status)
    };
    assert_eq!(status(&[], r#"{"a":1,"a":2}"#), None);
    assert_eq!(status(&[], "no JSON at all"), None);
    assert_eq!(status(&[], &"x".repeat(1500)), Some(403));
    assert_eq!(status(&[], &"x".repeat(2049)), Some(413));
    assert_eq!(status(&[("content-length", "3000")], ""), Some(413));
    assert_eq!(status(&[("content-encoding", "gzip")], "x"), Some(415));
    assert_eq!(status(&[("content-type", "text/plain")], "x"), Some(415), "two content types");
}

#[test]
fn a_token_comes_in_the_header_of_the_protocols_sdk_and_goes_no_further() {
    for api in crate::protocol::api::APIS {
        let (_, method, path) = KNOWN.into_iter().find(|(name, ..)| *name == api.name).unwrap();
        for (header, prefix) in api.token_headers {
            let rig =
                rig(api.name, |set| set["connections"][1]["credential"]["header"] = json!("x-upstream-key"));
            let value = format!("{prefix}{}", rig.token(&["rag-users"]));
            rig.head(method, path, &[(header, &value), ("content-type", "application/json")]);
            let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
            assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue, "{} {header}", api.name);
            assert_eq!(rig.host.header(Side::Request, header), None, "{} {header}", api.name);
        }
    }
}

#[test]
fn answers_of_any_api_are_masked_by_the_paths_of_their_connection() {
    let rig = rig("http", |set| {
        set["connections"][1]["answers"] =
            json!({ "text": ["$.rows[*].body"], "keep": ["$.rows[*].body.id"] });
    });
    let mut exchange = begin(&rig, "GET", "/rest/rows", &[]);
    exchange.request_head(&rig.host, true);
    let answer = r#"{"by":"jane@example.com","rows":[{"body":{"id":"a@example.com","x":"b@example.com"}}]}"#;
    let expected =
        r#"{"by":"jane@example.com","rows":[{"body":{"id":"a@example.com","x":"<EMAIL_ADDRESS>"}}]}"#;
    assert_eq!(masked(&rig, &mut exchange, answer), expected);
    let told = problems(|set| {
        set["connections"][1]["protocol"] = json!("http");
        set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "false" }]);
        set["connections"][1]["answers"] = json!({ "text": ["$.a", "$.b"], "keep": ["$['b']"] });
    });
    assert_eq!(told, ["connections[1].answers.keep[0]: $['b'] is both a text and kept"]);
}

#[test]
fn an_operation_that_is_not_read_is_none_that_conditions_on_its_body_can_pass() {
    for api in APIS.into_iter().filter(|api| api.family == Family::Model) {
        for operation in api.operations {
            let read = operation.view.is_some() || operation.uninspected.is_some();
            assert!(read || !operation.has_body(), "{} {}", api.name, operation.path);
        }
    }
}

/// A body for each of the protocols of models, with a model where the body names it.
fn body_of(protocol: &str, text: &str) -> String {
    let body = match protocol {
        "gemini" => json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] }),
        "bedrock" => json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] }),
        "ollama" => {
            json!({ "model": "m-1", "messages": [{ "role": "user", "content": text }], "stream": false })
        }
        _ => json!({ "model": "m-1", "messages": [{ "role": "user", "content": text }], "max_tokens": 9 }),
    };
    serde_json::to_string_pretty(&body).unwrap()
}

fn model_apis() -> impl Iterator<Item = (&'static str, &'static str)> {
    let known = KNOWN.into_iter();
    let model = |name: &str| APIS.into_iter().any(|api| api.name == name && api.family == Family::Model);
    known.filter(move |(name, ..)| model(name)).map(|(name, _, path)| (name, path))
}

#[test]
fn rules_read_the_requests_of_every_model_api() {
    assert_eq!(model_apis().count(), 6);
    for (protocol, path) in model_apis() {
        let rig = rig(protocol, |set| {
            set["policies"][0]["rules"] = json!([
                { "name": "known", "deny": "llm.operation != \"chat\" || llm.model == \"\" || llm.messages != 1" },
                { "name": "bird", "deny": "prompt.text == \"Nightjar\"" },
                { "name": "cards", "deny": "\"CREDIT_CARD\" in prompt.entities" },
            ]);
        });
        let status = |body: &str| {
            rig.host.answers.borrow_mut().clear();
            let mut exchange = begin(&rig, "POST", path, &[]);
            assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause, "{protocol}");
            rig.send(&mut exchange, body);
            rig.host.answers.borrow().first().map(|answer| answer.status)
        };
        assert_eq!(status(&body_of(protocol, "Hello")), None, "{protocol}");
        assert_eq!(status(&body_of(protocol, "Nightjar")), Some(403), "{protocol}");
        assert_eq!(status(&body_of(protocol, "pay 4111 1111 1111 1111")), Some(403), "{protocol}");
        assert_eq!(status(r#"{"messages":[],"contents":[]}{}"#), Some(400), "{protocol}");
        assert_eq!(status(r#"{"messages":"x","contents":"x"}"#), Some(415), "{protocol}");
    }
}

#[test]
fn prompts_of_every_model_api_are_masked_and_the_rest_goes_on_byte_for_byte() {
    for (protocol, path) in model_apis() {
        let rig = rig(protocol, |set| {
            set["policies"][0]["mask"] = json!({ "prompt": { "entities": ["PII"], "restore": true } });
        });
        let mut exchange = begin(&rig, "POST", path, &[]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause, "{protocol}");
        let body = body_of(protocol, "I am jane@example.com, \"really\"");
        assert_eq!(rig.send(&mut exchange, &body), Flow::Continue, "{protocol}");
        let upstream = String::from_utf8(rig.host.request_body.borrow().clone()).unwrap();
        assert_eq!(upstream, body.replace("jane@example.com", "<EMAIL_ADDRESS_1>"), "{protocol}");
    }
}

#[test]
fn a_model_in_the_path_is_the_one_that_rules_read() {
    for (protocol, path, expected) in [
        ("gemini", "/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("gemini", "/v1beta/tunedModels/gemini-2.5-flash:generateContent", "tunedModels/gemini-2.5-flash"),
        (
            "gemini",
            "/v1/projects/p/locations/l/publishers/google/models/gemini-pro:generateContent",
            "gemini-pro",
        ),
        (
            "gemini",
            "/v1/projects/p/locations/l/publishers/acme/models/gemini-pro:generateContent",
            "acme/gemini-pro",
        ),
        (
            "bedrock",
            "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
            "anthropic.claude-3-haiku-20240307-v1:0",
        ),
        (
            "bedrock",
            "/model/anthropic.claude-3-haiku-20240307-v1:0/converse-stream",
            "anthropic.claude-3-haiku-20240307-v1:0",
        ),
    ] {
        let rig = rig(protocol, |set| {
            let rule = format!("llm.model != \"{expected}\"");
            set["policies"][0]["rules"] = json!([{ "name": "model", "deny": rule }]);
        });
        let mut exchange = begin(&rig, "POST", path, &[]);
        exchange.request_head(&rig.host, false);
        rig.send(&mut exchange, &body_of(protocol, "x"));
        assert_eq!(rig.host.answers.borrow().len(), 0, "{path}");
    }
}

#[test]
fn what_is_asked_of_an_image_or_a_voice_is_judged_where_its_kind_may_pass() {
    let status = |allow: Value, path: &str, body: &str| {
        let rig = rig("openai", |set| {
            set["policies"][0]["rules"] =
                json!([{ "name": "bird", "deny": "prompt.text.contains(\"Nightjar\")" }]);
            set["policies"][0]["uninspected"] = allow;
        });
        let mut exchange = begin(&rig, "POST", path, &[]);
        if exchange.request_head(&rig.host, false) == Flow::Pause && rig.host.answers.borrow().is_empty() {
            rig.send(&mut exchange, body);
        }
        rig.host.answers.borrow().first().map(|answer| answer.status)
    };
    let (none, both) = (json!("deny"), json!({ "allow": ["image", "audio"] }));
    for (path, field) in [("/v1/images/generations", "prompt"), ("/v1/audio/speech", "input")] {
        let body = |text: &str| json!({ "model": "m", field: text }).to_string();
        assert_eq!(status(none.clone(), path, &body("a cat")), Some(415), "{path}");
        assert_eq!(status(both.clone(), path, &body("a cat")), None, "{path}");
        assert_eq!(status(both.clone(), path, &body("a Nightjar")), Some(403), "{path}");
    }
}
