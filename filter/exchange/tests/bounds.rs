//! What a policy lets through of what models can do.

use super::records::delivered;
use super::*;

/// A policy on chats that says this of models, and this of limits.
fn rig(llm: Value, limits: Value, mode: &str) -> Rig {
    Rig::with(|set| {
        set["mode"] = json!(mode);
        set["policies"][0]["llm"] = llm;
        set["policies"][0]["limits"] = limits;
    })
}

/// What goes upstream of a chat, and whether it goes.
fn sent(rig: &Rig, path: &str, body: &str) -> (Flow, String) {
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let length = body.len().to_string();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    rig.head("POST", path, &headers);
    rig.host.answers.borrow_mut().clear();
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    let flow = exchange.request_head(&rig.host, false);
    if !rig.host.answers.borrow().is_empty() {
        return (flow, String::new());
    }
    let flow = rig.send(&mut exchange, body);
    (flow, String::from_utf8(rig.host.request_body.borrow().clone()).unwrap())
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn an_answer_is_bounded_before_the_request_goes_upstream_and_its_length_is_told_anew() {
    let rig = rig(json!({}), json!({ "max_output_tokens": 9 }), "enforce");
    let (flow, body) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[],"max_tokens":5000}"#);
    assert_eq!((flow, body.as_str()), (Flow::Continue, r#"{"model":"gpt-4o","messages":[],"max_tokens":9}"#));
    assert_eq!(rig.host.header(Side::Request, "content-length"), Some(body.len().to_string()));
}

#[test]
fn rules_judge_what_was_asked_for_and_not_what_it_was_bounded_to() {
    let rig = Rig::with(|set| {
        set["policies"][0]["limits"] = json!({ "max_output_tokens": 9 });
        set["policies"][0]["rules"] = json!([{ "name": "greedy", "deny": "llm.max_output_tokens > 100" }]);
    });
    let (flow, _) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[],"max_tokens":5000}"#);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(rig.refusal().status, 403);
}

#[test]
fn a_prompt_is_masked_in_what_was_bounded() {
    let rig = Rig::with(|set| {
        set["policies"][0]["limits"] = json!({ "max_output_tokens": 9 });
        set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["PII"] });
    });
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"jane@example.com"}]}"#;
    let (flow, body) = sent(&rig, CHAT, body);
    let expected = r#"{"max_completion_tokens":9,"model":"gpt-4o","messages":[{"role":"user","content":"<EMAIL_ADDRESS>"}]}"#;
    assert_eq!((flow, body.as_str()), (Flow::Continue, expected));
}

#[test]
fn monitor_changes_nothing_and_records_what_would_have_been_bounded() {
    let rig = rig(json!({}), json!({ "max_output_tokens": 9 }), "monitor");
    let asked = r#"{"model":"gpt-4o","messages":[],"max_tokens":5000,"store":true}"#;
    let (flow, body) = sent(&rig, CHAT, asked);
    assert_eq!((flow, body.as_str()), (Flow::Continue, asked));
    let records = delivered(&rig);
    assert_eq!(records[0]["portcullis.bounded"], json!(["max_output_tokens", "store"]));
    assert_eq!(records[0]["portcullis.would"], Value::Null, "nothing would have been refused");
}

#[test]
fn an_operation_that_is_not_named_is_refused_before_its_body_is_read() {
    let rig = rig(json!({ "operations": ["chat", "models"] }), json!({}), "enforce");
    let (flow, _) = sent(&rig, "/v1/embeddings", "{}");
    assert_eq!(flow, Flow::Pause);
    let refusal = rig.refusal();
    assert_eq!(refusal.status, 403);
    let told = String::from_utf8(refusal.body).unwrap();
    assert!(told.contains("does not let the operation `embedding` through"), "{told}");
    let (flow, _) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[]}"#);
    assert_eq!(flow, Flow::Continue);
}

#[test]
fn an_unknown_operation_is_none_of_those_that_are_named_even_where_unknown_paths_pass() {
    let rig = Rig::with(|set| {
        set["policies"][0]["llm"] = json!({ "operations": ["chat"] });
        set["policies"][0]["uninspected"] = json!("allow");
        set["policies"][0]["rules"] =
            json!([{ "name": "no-delete", "deny": "request.method == \"DELETE\"" }]);
    });
    let (flow, _) = sent(&rig, "/v1/no/such/thing", "{}");
    assert_eq!(flow, Flow::Pause);
    assert_eq!(rig.refusal().status, 403);
}

#[test]
fn a_tunnel_is_none_of_the_operations_that_are_named_even_where_upgrades_pass() {
    for operations in [None, Some(json!(["chat"]))] {
        let rig = Rig::with(|set| {
            set["policies"][0]["rules"] =
                json!([{ "name": "no-delete", "deny": "request.method == \"DELETE\"" }]);
            set["policies"][0]["uninspected"] = json!("allow");
            if let Some(operations) = &operations {
                set["policies"][0]["llm"] = json!({ "operations": operations, "references": "allow" });
            }
        });
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        let headers =
            [("authorization", bearer.as_str()), ("upgrade", "websocket"), ("connection", "upgrade")];
        rig.head("GET", "/v1/realtime", &headers);
        let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
        let flow = exchange.request_head(&rig.host, false);
        assert_eq!(flow, if operations.is_some() { Flow::Pause } else { Flow::Continue });
        assert_eq!(rig.host.answers.borrow().len(), usize::from(operations.is_some()));
    }
}

#[test]
fn what_the_provider_keeps_is_refused_and_nothing_new_is_kept() {
    let rig = Rig::with(|set| {
        set["policies"][0]["llm"] = json!({});
        set["policies"][0]["uninspected"] = json!("allow");
    });
    let (flow, _) =
        sent(&rig, "/v1/responses", r#"{"model":"gpt-4o","input":"a","previous_response_id":"r"}"#);
    assert_eq!(flow, Flow::Pause, "`uninspected` does not overrule it");
    assert_eq!(rig.refusal().status, 415);
    let (flow, body) = sent(&rig, "/v1/responses", r#"{"model":"gpt-4o","input":"a"}"#);
    assert_eq!((flow, body.as_str()), (Flow::Continue, r#"{"store":false,"model":"gpt-4o","input":"a"}"#));
}

#[test]
fn references_pass_where_the_policy_lets_them_whatever_else_is_uninspected() {
    let rig = rig(json!({ "references": "allow" }), json!({}), "enforce");
    let body = r#"{"model":"gpt-4o","input":"a","previous_response_id":"r","store":true}"#;
    assert_eq!(sent(&rig, "/v1/responses", body), (Flow::Continue, body.to_owned()));
}

#[test]
fn without_a_word_on_models_nothing_is_bounded_and_what_is_kept_is_uninspected() {
    let rig = Rig::new();
    let (flow, _) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[],"store":true}"#);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(rig.refusal().status, 415);
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    assert_eq!(sent(&rig, CHAT, body), (Flow::Continue, body.to_owned()));
}

#[test]
fn a_body_of_a_shape_that_is_not_the_apis_is_refused_rather_than_left_unbounded() {
    let rig = rig(json!({}), json!({ "max_output_tokens": 9 }), "enforce");
    let (flow, _) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[],"max_tokens":"5000"}"#);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(rig.refusal().status, 415);
    let (flow, _) = sent(&rig, CHAT, r#"{"model":"gpt-4o","messages":[],"Max_Tokens":5000}"#);
    assert_eq!(flow, Flow::Pause);
}

/// The status of our answer to a request without a body, or with one of this type.
fn status(rig: &Rig, method: &str, path: &str, kind: Option<&str>) -> u16 {
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(kind.map(|kind| ("content-type", kind)));
    rig.head(method, path, &headers);
    rig.host.answers.borrow_mut().clear();
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, kind.is_none());
    rig.host.answers.borrow().first().map_or(200, |answer| answer.status)
}

const KEPT: &[(&str, &str, &str)] = &[
    ("GET", "/v1/files", "files"),
    ("GET", "/v1/files/file-1/content", "files"),
    ("DELETE", "/v1/files/file-1", "files"),
    ("GET", "/v1/batches/b", "batches"),
    ("GET", "/v1/assistants/a", "assistants"),
    ("GET", "/v1/threads/t/messages", "threads"),
    ("DELETE", "/v1/threads/t", "threads"),
    ("GET", "/v1/threads/t", "threads"),
    ("DELETE", "/v1/threads/t/messages/m", "threads"),
    ("GET", "/v1/threads/t/runs", "threads"),
    ("GET", "/v1/threads/t/runs/r", "threads"),
    ("GET", "/v1/threads/t/runs/r/steps", "threads"),
    ("GET", "/v1/vector_stores/v/files", "vector_stores"),
    ("GET", "/v1/conversations/c/items", "conversations"),
    ("DELETE", "/v1/conversations/c/items/i", "conversations"),
    ("DELETE", "/v1/conversations/c", "conversations"),
    ("GET", "/v1/responses/resp_1", "stored"),
    ("GET", "/v1/responses/resp_1/input_items", "stored"),
    ("GET", "/v1/chat/completions", "stored"),
    ("GET", "/v1/chat/completions/c/messages", "stored"),
];

#[test]
fn what_the_provider_keeps_is_read_where_references_may_be() {
    let with = |change: fn(&mut Value)| Rig::with(|set| change(&mut set["policies"][0]));
    let usual = with(|_| {});
    let denied = with(|policy| {
        policy["llm"] = json!({});
        policy["uninspected"] = json!("allow");
    });
    let allowed = with(|policy| policy["llm"] = json!({ "references": "allow" }));
    let uninspected = with(|policy| policy["uninspected"] = json!({ "allow": ["reference"] }));
    for (method, path, _) in KEPT {
        assert_eq!(status(&usual, method, path, None), 415, "{path}");
        assert_eq!(status(&denied, method, path, None), 415, "{path}: whatever `uninspected` lets pass");
        assert_eq!(status(&allowed, method, path, None), 200, "{path}");
        assert_eq!(status(&uninspected, method, path, None), 200, "{path}");
    }
    let named =
        with(|policy| policy["llm"] = json!({ "references": "allow", "operations": ["chat", "files"] }));
    for (method, path, name) in KEPT {
        let expected = if *name == "files" { 200 } else { 403 };
        assert_eq!(status(&named, method, path, None), expected, "{path}");
    }
}

#[test]
fn what_the_provider_is_to_keep_is_a_kind_of_its_own_beside_the_reference() {
    let cases = [
        ("/v1/files", "multipart/form-data; boundary=x", "multipart"),
        ("/v1/uploads/u/parts", "multipart/form-data; boundary=x", "multipart"),
        ("/v1/batches", "application/json", "batch_file"),
        ("/v1/vector_stores", "application/json", "path"),
        ("/v1/vector_stores/v/files", "application/json", "path"),
        ("/v1/threads/t/no/such/thing", "application/json", "path"),
    ];
    for (path, kind, needed) in cases {
        let rig = |references: &str, uninspected: Value| {
            Rig::with(|set| {
                set["policies"][0]["llm"] = json!({ "references": references });
                set["policies"][0]["uninspected"] = uninspected;
            })
        };
        let post = |rig: &Rig| status(rig, "POST", path, Some(kind));
        assert_eq!(post(&rig("allow", json!("deny"))), 415, "{path}: references alone");
        assert_eq!(post(&rig("deny", json!("allow"))), 415, "{path}: the kind alone");
        assert_eq!(post(&rig("allow", json!({ "allow": [needed] }))), 200, "{path}");
    }
}

#[test]
fn what_is_said_in_what_the_provider_keeps_is_judged_masked_and_bounded() {
    let rig = |references: &str| {
        Rig::with(|set| {
            set["policies"][0]["llm"] = json!({ "references": references });
            set["policies"][0]["limits"] = json!({ "max_output_tokens": 9 });
            set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["PII"] });
            set["policies"][0]["rules"] =
                json!([{ "name": "word", "deny": "prompt.text.contains(\"forbidden\")" }]);
        })
    };
    let said = |text: &str| {
        [
            ("/v1/threads", json!({"messages": [{"role": "user", "content": text}]})),
            ("/v1/threads/t/messages", json!({"role": "user", "content": [{"type": "text", "text": text}]})),
            ("/v1/threads/t/runs", json!({"assistant_id": "a", "additional_instructions": text})),
            (
                "/v1/threads/runs",
                json!({"assistant_id": "a", "thread": {"messages": [{"role": "user", "content": text}]}}),
            ),
            (
                "/v1/threads/t/runs/r/submit_tool_outputs",
                json!({"tool_outputs": [{"tool_call_id": "c", "output": text}]}),
            ),
            ("/v1/assistants", json!({"model": "gpt-4o", "instructions": text})),
            ("/v1/conversations/c/items", json!({"items": [{"role": "user", "content": text}]})),
        ]
    };
    let (open, closed) = (rig("allow"), rig("deny"));
    for (path, body) in said("to jane@example.com") {
        let (flow, goes) = sent(&open, path, &body.to_string());
        assert_eq!(flow, Flow::Continue, "{path}");
        assert!(goes.contains("to <EMAIL_ADDRESS>") && !goes.contains("jane"), "{path}: {goes}");
        let bounded = path.ends_with("runs");
        assert_eq!(goes.contains(r#""max_completion_tokens":9"#), bounded, "{path}: {goes}");
        assert_eq!(sent(&closed, path, &body.to_string()).0, Flow::Pause, "{path}");
        assert_eq!(closed.refusal().status, 415, "{path}");
    }
    for (path, body) in said("a forbidden word") {
        assert_eq!(sent(&open, path, &body.to_string()).0, Flow::Pause, "{path}");
        assert_eq!(open.refusal().status, 403, "{path}");
    }
}

#[test]
fn a_rule_asks_about_how_many_tokens_a_prompt_is() {
    let rig = Rig::with(|set| {
        set["policies"][0]["rules"] = json!([{
            "name": "tokens", "deny": "llm.prompt_tokens > 50", "message": "${string(llm.prompt_tokens)} tokens are too many."
        }]);
    });
    let (flow, _) = sent(&rig, CHAT, &QUESTION.replace("Hello", &"word ".repeat(80)));
    assert_eq!(flow, Flow::Pause);
    let body: Value = serde_json::from_slice(&rig.refusal().body).unwrap();
    assert_eq!(body["error"]["message"], "55 tokens are too many.");
}
