//! Connections of every protocol: refusals, unread requests, unknown paths, masked answers.

use super::*;
use crate::config::set::Protocol;

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
    let host = Fake { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Fake::default() };
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
    assert_eq!(with("openai"), Vec::<String>::new());
    assert_eq!(
        with("anthropic"),
        [
            format!(
                "policies[0].rules[1].deny: reads `llm.model`, which is not yet supported with `protocol: anthropic` (connection `chat`){HELP}"
            ),
            format!(
                "policies[0].rules[2].flag: reads `prompt.text`, which is not yet supported with `protocol: anthropic` (connection `chat`){HELP}"
            ),
        ]
    );
    assert_eq!(
        with("qdrant")[0],
        format!(
            "policies[0].rules[1].deny: reads `llm.model`, but the connection `chat` leads to a vector store (`protocol: qdrant`){HELP}"
        )
    );
    assert_eq!(with("http").len(), 2);
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
