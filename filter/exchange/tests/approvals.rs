//! Rules that ask a human, and what rules say.

use super::records::delivered;
use super::*;

fn rig(rules: Value) -> Rig {
    Rig::with(|set| set["policies"][0]["rules"] = rules)
}

/// Asks a question whose body is this; the records it leaves.
fn asked(rig: &Rig, body: &str) -> Vec<Value> {
    let mut exchange = rig.ask(&["rag-users"]);
    if exchange.request_head(&rig.host, false) == Flow::Continue || rig.host.answers.borrow().is_empty() {
        rig.send(&mut exchange, body);
    }
    exchange.finish(&rig.host);
    delivered(rig)
}

fn told(rig: &Rig) -> String {
    let body: Value = serde_json::from_slice(&rig.refusal().body).unwrap();
    body["error"]["message"].as_str().unwrap().to_owned()
}

fn counted(rig: &Rig, metric: &str) -> bool {
    rig.host.counts.borrow().contains_key(metric)
}

#[test]
fn what_asks_a_human_is_refused_and_the_record_names_every_rule() {
    let rig = rig(json!([
        { "name": "tools", "approve": "llm.tools.exists(t, t.startsWith(\"db_\"))" },
        { "name": "long", "approve": "llm.prompt_chars > 3", "message": "Long prompts need a yes." },
        { "name": "watched", "approve": "true", "mode": "monitor" },
        { "name": "quiet", "approve": "false" },
    ]));
    let body = r#"{"model":"gpt-4o","tools":[{"type":"function","function":{"name":"db_read"}}],"messages":[{"role":"user","content":"Hello"}]}"#;
    let records = asked(&rig, body);
    let answer = rig.refusal();
    assert_eq!((answer.status, rig.code().as_str()), (409, "approval_pending"));
    let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| &value[..]);
    assert_eq!(header("retry-after"), Some(&b"60"[..]));
    assert_eq!(header("x-should-retry"), Some(&b"true"[..]));
    let message = r#"The rule "tools" asks a human to approve this request. Long prompts need a yes. (rules: tools, long)"#;
    assert_eq!(told(&rig), message);
    assert_eq!(records.len(), 1, "nothing went upstream");
    assert_eq!(records[0]["portcullis.decision"], "deny");
    assert_eq!(records[0]["portcullis.reason"], "approval_pending");
    assert_eq!(records[0]["portcullis.rule"], "tools");
    assert_eq!(records[0]["portcullis.approvals"], json!(["tools", "long", "watched"]));
    let metric = |rule: &str, outcome: &str| {
        format!("portcullis_rules_total{{policy=p,rule={rule},outcome={outcome}}}")
    };
    for (rule, outcome) in [("tools", "approve"), ("long", "approve"), ("watched", "would_approve")] {
        assert!(counted(&rig, &metric(rule, outcome)), "{rule}");
    }
    assert!(!counted(&rig, &metric("tools", "deny")));
}

#[test]
fn in_monitor_what_would_be_asked_is_recorded_and_the_request_goes_on() {
    for mode in ["policy", "rule"] {
        let rig = Rig::with(|set| {
            set["policies"][0]["rules"] = json!([{ "name": "ask", "approve": "llm.model == \"gpt-4o\"" }]);
            match mode {
                "policy" => set["policies"][0]["mode"] = json!("monitor"),
                _ => set["policies"][0]["rules"][0]["mode"] = json!("monitor"),
            }
        });
        let records = asked(&rig, QUESTION);
        assert!(rig.host.answers.borrow().is_empty(), "{mode}");
        assert_eq!(records[0]["portcullis.decision"], "allow");
        assert_eq!(records[0]["portcullis.would_reason"], "approval_pending");
        assert_eq!(records[0]["portcullis.would_rule"], "ask");
        assert_eq!(records[0]["portcullis.approvals"], json!(["ask"]));
    }
}

#[test]
fn a_rule_that_asks_within_a_policy_that_watches_asks() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mode"] = json!("monitor");
        set["policies"][0]["rules"] =
            json!([{ "name": "ask", "approve": "llm.model == \"gpt-4o\"", "mode": "enforce" }]);
    });
    asked(&rig, QUESTION);
    assert_eq!(rig.refusal().status, 409);
}

#[test]
fn nobody_is_asked_about_what_is_refused_anyway() {
    let blocked = Rig::with(|set| {
        set["policies"][0]["rules"] = json!([{ "name": "ask", "approve": "true" }]);
        set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["EMAIL_ADDRESS"], "operator": "block" });
    });
    asked(&blocked, &QUESTION.replace("Hello", "a@example.com"));
    assert_eq!(blocked.refusal().status, 403);
    let denied = rig(json!([{ "name": "ask", "approve": "true" }, { "name": "no", "deny": "llm.n == 1" }]));
    let records = asked(&denied, QUESTION);
    assert_eq!(denied.refusal().status, 403);
    assert_eq!(records[0]["portcullis.rule"], "no");
    assert!(records[0].get("portcullis.approvals").is_none());
}

#[test]
fn a_query_of_a_batch_that_is_denied_is_not_asked_about_for_another() {
    let rig = Rig::with(|set| {
        set["connections"][1]["protocol"] = json!("qdrant");
        set["connections"][1]["match"] = json!({ "path_prefix": "/" });
        set["policies"][0]["rules"] = json!([
            { "name": "ask", "approve": "vector.top_k > 10" },
            { "name": "no", "deny": "vector.top_k > 100" },
        ]);
    });
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    for (limits, status) in [([11, 101], 403), ([1, 11], 409), ([11, 12], 409)] {
        rig.host.answers.borrow_mut().clear();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        rig.head("POST", "/collections/docs/points/query/batch", &headers);
        let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
        exchange.request_head(&rig.host, false);
        let searches = limits.map(|limit| json!({ "query": [1], "limit": limit }));
        rig.send(&mut exchange, &json!({ "searches": searches }).to_string());
        assert_eq!(rig.refusal().status, status, "{limits:?}");
    }
}

#[test]
fn an_approval_that_needs_no_body_is_asked_for_before_one_comes() {
    let rig = rig(json!([{ "name": "ask", "approve": "request.method == \"POST\"" }]));
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.refusal().status, 409);
    exchange.finish(&rig.host);
    assert_eq!(delivered(&rig)[0]["portcullis.approvals"], json!(["ask"]));
}

#[test]
fn a_grpc_call_that_asks_a_human_is_aborted() {
    let rig = Rig::with(|set| {
        set["policies"][0]["rules"] = json!([{ "name": "ask", "approve": "true" }]);
        set["policies"][0]["uninspected"] = json!("allow");
    });
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.refusal().grpc_status, Some(10));
}

#[test]
fn a_message_says_what_a_request_is_in_the_protocols_own_json() {
    let rig = rig(json!([{
        "name": "models", "deny": "llm.model != \"gpt-4o\"",
        "message": "${identity.subject} may not use ${llm.model}; $${this} stays.",
    }]));
    let model = r#"a\"},{\"code\":\"x\n${identity.id}"#;
    asked(&rig, &QUESTION.replace("gpt-4o", model));
    let plain: String = serde_json::from_str(&format!("\"{model}\"")).unwrap();
    assert_eq!(rig.code(), "forbidden");
    assert_eq!(told(&rig), format!("alice may not use {plain}; ${{this}} stays. (rule: models)"));
}

#[test]
fn a_message_that_reads_the_body_waits_for_it() {
    let rig = rig(json!([{
        "name": "shut", "deny": "request.method == \"POST\"", "message": "${llm.model} is closed.",
    }]));
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert!(rig.host.answers.borrow().is_empty());
    rig.send(&mut exchange, QUESTION);
    assert_eq!(told(&rig), "gpt-4o is closed. (rule: shut)");
}

#[test]
fn a_message_that_says_nothing_is_a_policy_error() {
    let rig = rig(json!([{ "name": "no", "deny": "true", "message": "For ${source.principal}." }]));
    let records = asked(&rig, QUESTION);
    assert_eq!((rig.code().as_str(), rig.refusal().status), ("policy_error", 403));
    assert_eq!(records[0]["portcullis.rule"], "no");
    assert_eq!(records[0]["portcullis.rule_errors"], json!(["no: a text is empty"]));
}

#[test]
fn a_message_that_cannot_be_compiled_is_told_with_its_place() {
    let faults = |protocol: &str, message: &str| {
        let key = Ed25519KeyPair::generate().with_key_id("k1");
        let mut set = set(&key);
        set["connections"][1]["protocol"] = json!(protocol);
        set["policies"][0]["rules"] =
            json!([{ "name": "no", "deny": "request.method == \"PUT\"", "message": message }]);
        let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
        let started = Worker::start(&host, &bundle(&set, true));
        started.map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
    };
    let place = "policies[0].rules[0].message: ";
    for (protocol, message, told) in [
        (
            "openai",
            "Not ${llm.modle}!",
            "unknown name `llm.modle`\n    llm.modle\n    ^^^^^^^^^\n  help: did you mean `llm.model`?",
        ),
        (
            "openai",
            "Not ${1 + 1}!",
            "gives int, and what stands in `${…}` must give string\n    1 + 1\n    ^^^^^\n  help: take one text of it",
        ),
        (
            "openai",
            "It says ${prompt.text}.",
            "`prompt.text` has no place in what a caller is told\n    prompt.text\n    ^^^^^^^^^^^\n  help: a message names the rule, never what was found in a text",
        ),
        (
            "qdrant",
            "Not ${llm.model}!",
            "reads `llm.model`, but the connection `chat` leads to a vector store (`protocol: qdrant`)\n  help: conditions on identity, source, request and target work there: give the connection a policy of its own",
        ),
    ] {
        let all: Vec<String> = faults(protocol, message);
        assert_eq!(all, [format!("{place}{told}")], "{protocol} {message}");
    }
}
