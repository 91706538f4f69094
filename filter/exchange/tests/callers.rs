//! Who gets through, with what.

use super::*;
use crate::host::Reply;

#[test]
fn an_allowed_request_goes_upstream_with_the_credential_and_without_the_token() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    rig.host.request.borrow_mut().extend([
        header("x-portcullis-policy", "mine"),
        header("x-http-method-override", "DELETE"),
        header("range", "bytes=0-3"),
        header("accept-encoding", "gzip"),
    ]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause, "held until the body is whole");
    assert_eq!(exchange.request_body(&rig.host, 0, false), Flow::Pause);
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Continue);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer sk-upstream-0123456789"));
    assert_eq!(rig.sent("accept-encoding").as_deref(), Some("identity"));
    for gone in ["x-portcullis-policy", "x-http-method-override", "range"] {
        assert_eq!(rig.sent(gone), None, "{gone}");
    }
    assert!(rig.host.answers.borrow().is_empty());
}

#[test]
fn the_token_may_come_where_the_sdk_puts_its_key_and_is_gone_from_there_too() {
    let rig = Rig::new();
    let token = rig.token(&["rag-users"]);
    rig.head("GET", "/v1/models?key=abc&x=1", &[("x-api-key", &token)]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, true), Flow::Continue);
    assert_eq!(rig.sent("x-api-key"), None);
    assert_eq!(rig.sent(":path").as_deref(), Some("/v1/models?x=1"));
}

#[test]
fn without_a_token_nothing_goes_upstream() {
    let rig = Rig::new();
    rig.head("POST", "/v1/chat/completions", &[("content-type", "application/json")]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    let answer = rig.refusal();
    assert_eq!((answer.status, rig.code().as_str()), (401, "unauthenticated"));
    let challenge = answer.headers.iter().find(|(name, _)| name == "www-authenticate").unwrap();
    assert_eq!(challenge.1, b"Bearer realm=\"portcullis\"");
    assert_eq!(rig.sent("authorization"), None);
    assert_eq!(exchange.request_body(&rig.host, 3, true), Flow::Pause, "what comes after is not let through");
}

#[test]
fn a_wrong_group_and_a_forbidden_model_are_refused() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["others"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "forbidden"));

    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.send(&mut exchange, &QUESTION.replace("gpt-4o", "gpt-5")), Flow::Pause);
    assert_eq!(rig.refusal().status, 403);
    assert!(String::from_utf8_lossy(&rig.refusal().body).contains("models"), "the rule is named");
}

#[test]
fn bodies_that_two_readers_could_read_differently_are_refused() {
    for body in [
        "{",
        r#"{"model":"gpt-4o","model":"gpt-5","messages":[]}"#,
        r#"{"model":"gpt-4o","Messages":[],"messages":[]}"#,
        "[]",
        "",
    ] {
        let rig = Rig::new();
        let mut exchange = rig.ask(&["rag-users"]);
        exchange.request_head(&rig.host, false);
        assert_eq!(rig.send(&mut exchange, body), Flow::Pause, "{body}");
        assert!(matches!(rig.refusal().status, 400 | 415), "{body}: {:?}", rig.refusal());
    }
}

#[test]
fn what_cannot_be_looked_into_is_refused_by_its_kind() {
    let refused = |path: &str, content_type: &str| {
        let rig = Rig::new();
        let mut exchange = rig.ask(&["rag-users"]);
        let bearer = rig.sent("authorization").unwrap();
        rig.head("POST", path, &[("authorization", &bearer), ("content-type", content_type)]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
        rig.refusal().status
    };
    assert_eq!(refused("/v1/files", "application/json"), 415);
    assert_eq!(refused("/v1/chat/completions", "multipart/form-data; boundary=x"), 415);
    assert_eq!(refused("/v1/chat/completions", "application/json; charset=utf-16"), 415);
    assert_eq!(refused("/v1/../v1/chat/completions", "application/json"), 400);
    assert_eq!(refused("/elsewhere", "application/json"), 403);
}

#[test]
fn a_parameter_of_a_segment_leads_past_no_prefix_and_no_condition() {
    let rig = Rig::with(|set| {
        let strict = json!({ "name": "admin", "protocol": "http", "match": { "path_prefix": "/rest/admin" }, "policy": "none" });
        let lax = json!({ "name": "rest", "protocol": "http", "match": { "path_prefix": "/rest" }, "policy": "lax" });
        set["connections"].as_array_mut().unwrap().extend([strict, lax]);
        let deny = json!([{ "name": "closed", "deny": "request.url_path.startsWith(\"/rest/closed\")" }]);
        set["policies"].as_array_mut().unwrap().extend([
            json!({ "name": "none", "allow": "false" }),
            json!({ "name": "lax", "allow": "true", "rules": deny }),
        ]);
    });
    let status = |path: &str| {
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        rig.head("GET", path, &[("authorization", &bearer)]);
        rig.host.answers.borrow_mut().clear();
        Exchange::begin(Rc::clone(&rig.worker), 7).request_head(&rig.host, true);
        rig.host.answers.borrow().first().map_or(200, |answer| answer.status)
    };
    assert_eq!(status("/rest/open;a=1/b"), 200);
    for path in [
        "/rest/admin",
        "/rest/admin;x",
        "/rest;x/admin",
        "/rest;/admin;y/z",
        "/rest/closed;x",
        "/rest;x/closed",
    ] {
        assert_eq!(status(path), 403, "{path}");
    }
    for path in
        ["/;/rest/admin", "/rest/;x/admin", "/rest/admin%3bx", "/rest/x/..%3b/admin", "/rest/x/%2e%2e;/admin"]
    {
        assert_eq!(status(path), 400, "{path}");
    }
}

#[test]
fn a_body_above_the_limit_is_refused_before_it_is_whole() {
    let rig = Rig::with(|set| set["policies"][0]["limits"] = json!({ "max_request_bytes": "1Ki" }));
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(exchange.request_body(&rig.host, 1025, false), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (413, "too_large"));
}

#[test]
fn grpc_is_refused_in_its_own_words_and_never_held() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    let bearer = rig.sent("authorization").unwrap();
    rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    exchange.request_head(&rig.host, false);
    assert_eq!((rig.refusal().status, rig.refusal().grpc_status), (200, Some(12)));
    let headers = &rig.refusal().headers;
    let has = |name: &str| headers.iter().any(|(known, _)| known == name);
    assert!(has("x-portcullis-exchange") && has("cache-control"), "{headers:?}");
    let ours = |name: &str| name == "cache-control" || name.starts_with("x-portcullis-");
    assert!(headers.iter().all(|(name, _)| ours(name)), "nothing of HTTP's own answers: {headers:?}");
}

#[test]
fn a_grpc_refusal_names_its_policy_where_others_do() {
    let rig = Rig::with(|set| set["expose"] = json!("full"));
    let mut exchange = rig.ask(&["rag-users"]);
    let bearer = rig.sent("authorization").unwrap();
    rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    exchange.request_head(&rig.host, false);
    assert!(rig.refusal().headers.iter().any(|(name, _)| name == "x-portcullis-policy"));
    let rig = Rig::with(|set| set["expose"] = json!("none"));
    let mut exchange = rig.ask(&["rag-users"]);
    rig.head("POST", "/v1/x", &[("authorization", "Bearer x"), ("content-type", "application/grpc")]);
    exchange.request_head(&rig.host, false);
    let headers = rig.refusal().headers;
    assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["cache-control"]);
}

#[test]
fn what_only_looks_like_grpc_is_refused_with_a_status_that_http_clients_see() {
    for kind in
        ["application/grpc-web", "application/grpc-web-text", "Application/gRPC", "application/grpc;x=y"]
    {
        let rig = Rig::new();
        let mut exchange = rig.ask(&["rag-users"]);
        let bearer = rig.sent("authorization").unwrap();
        rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", kind)]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
        assert_eq!((rig.refusal().status, rig.refusal().grpc_status), (415, None), "{kind}");
        assert_eq!(rig.code(), "uninspectable");
    }
}

#[test]
fn a_body_that_announces_itself_as_too_large_is_refused_unread() {
    let rig = Rig::with(|set| set["policies"][0]["limits"] = json!({ "max_request_bytes": "1Ki" }));
    let mut exchange = rig.ask(&["rag-users"]);
    rig.host.request.borrow_mut().push(header("content-length", "1025"));
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (413, "too_large"));
}

#[test]
fn a_body_that_outgrows_the_proxys_buffer_is_refused_in_our_words() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.answer(&mut exchange, "413", &[("content-type", "text/plain")]), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (413, "too_large"));
}

#[test]
fn a_body_where_the_api_has_none_is_not_let_through_unread() {
    let models = |body: &str| {
        let rig = Rig::new();
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        rig.head("GET", "/v1/models", &[("authorization", &bearer)]);
        let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
        let flow = rig.send(&mut exchange, body);
        let refused = rig.host.answers.borrow().first().map(|answer| answer.status);
        (flow, refused)
    };
    assert_eq!(models(QUESTION), (Flow::Pause, Some(415)));
    assert_eq!(models(""), (Flow::Continue, None));
}

#[test]
fn a_connection_without_a_protocol_passes_untouched_and_unrecorded() {
    let rig = Rig::new();
    rig.head("GET", "/healthz", &[("authorization", "Basic x"), ("x-portcullis-a", "b")]);
    let before = rig.host.request.borrow().clone();
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, true), Flow::Continue);
    exchange.finish(&rig.host);
    assert_eq!(*rig.host.request.borrow(), before);
    rig.pass(1);
    rig.worker.tick(&rig.host);
    assert!(rig.host.calls.borrow().is_empty(), "nothing is recorded");
}

#[test]
fn an_unmatched_request_passes_only_where_the_set_says_so() {
    let rig = Rig::with(|set| set["unmatched"] = json!("allow"));
    rig.head("GET", "/other", &[("authorization", "Basic x"), ("x-portcullis-a", "b")]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, true), Flow::Continue);
    assert_eq!(rig.sent("x-portcullis-a"), None);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Basic x"));

    let rig = Rig::new();
    rig.head("GET", "/other", &[]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, true), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "forbidden"));
}

#[test]
fn monitor_blocks_nothing_yet_sends_no_token_and_no_credential_for_strangers() {
    let rig = Rig::with(|set| set["mode"] = json!("monitor"));
    rig.head(
        "POST",
        "/v1/chat/completions",
        &[("authorization", "Bearer a.b.c"), ("accept-encoding", "gzip")],
    );
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    assert_eq!(rig.sent("authorization"), None);
    assert_eq!(rig.sent("accept-encoding").as_deref(), Some("gzip"), "nothing else is touched");
    assert_eq!(rig.send(&mut exchange, "{not json"), Flow::Continue);
    assert_eq!(*rig.host.request_body.borrow(), b"{not json");
    assert!(rig.host.answers.borrow().is_empty());

    let rig = Rig::with(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue, "bodies are not held");
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer sk-upstream-0123456789"));
}

fn discovered() -> Rig {
    Rig::with(|set| set["issuers"][0]["jwks"] = json!({ "cluster": "idp" }))
}

fn reply(rig: &Rig, body: &str) -> Vec<u32> {
    let id = rig.host.calls.borrow().last().unwrap().0;
    let reply = Reply::Answer { status: 200, headers: vec![], body: body.as_bytes().to_vec() };
    rig.worker.reply(&rig.host, id, &reply)
}

#[test]
fn a_request_before_the_first_keys_waits_for_them() {
    let rig = discovered();
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Pause);
    assert_eq!(rig.worker.tick(&rig.host), Vec::<u32>::new());
    let document = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") }).to_string();
    assert_eq!(reply(&rig, &document), Vec::<u32>::new());
    let ready = reply(&rig, &jwks(&rig.key).to_string());
    assert_eq!(ready, [7]);
    exchange.wake(&rig.host);
    assert_eq!(*rig.host.resumed.borrow(), [Side::Request]);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer sk-upstream-0123456789"));
    let called: Vec<String> =
        rig.host.calls.borrow().iter().map(|(_, call)| call.headers[3].1.clone()).collect();
    assert_eq!(called, ["/.well-known/openid-configuration", "/jwks"]);
}

/// A worker that has other keys than the token's, and its provider's document.
fn with_other_keys() -> (Rig, String) {
    with_keys_named("k0")
}

/// The same, and what these keys are called; the token's is `k1`.
fn with_keys_named(name: &str) -> (Rig, String) {
    let rig = discovered();
    let document = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") }).to_string();
    let mut old = jwks(&Ed25519KeyPair::generate());
    old["keys"][0]["kid"] = json!(name);
    rig.worker.tick(&rig.host);
    reply(&rig, &document);
    reply(&rig, &old.to_string());
    rig.pass(3);
    (rig, document)
}

#[test]
fn a_token_under_new_keys_waits_while_their_provider_starts_anew() {
    let (rig, document) = with_other_keys();
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Pause);
    rig.worker.tick(&rig.host);
    let id = rig.host.calls.borrow().last().unwrap().0;
    let woken = rig.worker.reply(&rig.host, id, &Reply::Broken);
    assert_eq!(woken, Vec::<u32>::new(), "a round that failed says nothing of the token");
    rig.pass(1);
    assert_eq!(rig.worker.tick(&rig.host), Vec::<u32>::new());
    reply(&rig, &document);
    assert_eq!(reply(&rig, &jwks(&rig.key).to_string()), [7]);
    exchange.wake(&rig.host);
    assert_eq!(*rig.host.resumed.borrow(), [Side::Request]);
    assert!(rig.host.answers.borrow().is_empty());
}

#[test]
fn a_signature_that_does_not_hold_is_looked_at_once_more_under_newer_keys() {
    for (newer, allowed) in [(true, true), (false, false)] {
        let (rig, _) = with_keys_named("k1");
        let mut exchange = rig.ask(&["rag-users"]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
        assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Pause);
        assert!(rig.host.answers.borrow().is_empty());
        rig.worker.tick(&rig.host);
        let key = if newer { &rig.key } else { &Ed25519KeyPair::generate() };
        assert_eq!(reply(&rig, &jwks(key).to_string()), [7]);
        exchange.wake(&rig.host);
        assert_eq!(rig.host.resumed.borrow().contains(&Side::Request), allowed);
        if !allowed {
            assert_eq!((rig.refusal().status, rig.code().as_str()), (401, "unauthenticated"));
            let calls = rig.host.calls.borrow().len();
            let mut next = rig.ask(&["rag-users"]);
            assert_eq!(next.request_head(&rig.host, false), Flow::Pause);
            rig.worker.tick(&rig.host);
            assert_eq!(rig.host.calls.borrow().len(), calls, "the next look has to wait");
        }
    }
}

#[test]
fn a_token_under_an_unknown_key_is_no_fault_while_its_provider_is_away() {
    let (rig, _) = with_other_keys();
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    let mut woken = Vec::new();
    for _ in 0..6 {
        let before = rig.host.calls.borrow().len();
        woken.extend(rig.worker.tick(&rig.host));
        if rig.host.calls.borrow().len() > before {
            let id = rig.host.calls.borrow().last().unwrap().0;
            woken.extend(rig.worker.reply(&rig.host, id, &Reply::Broken));
        }
        rig.pass(1);
    }
    assert_eq!(woken, [7], "once, when it waited long enough");
    exchange.wake(&rig.host);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (503, "guard_unavailable"));
    let mut next = rig.ask(&["rag-users"]);
    rig.host.answers.borrow_mut().clear();
    assert_eq!(next.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.refusal().status, 503, "at once");
}

#[test]
fn keys_that_cannot_be_had_refuse_after_a_bound() {
    let rig = discovered();
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    rig.worker.tick(&rig.host);
    let id = rig.host.calls.borrow().last().unwrap().0;
    assert_eq!(
        rig.worker.reply(&rig.host, id, &Reply::Broken),
        Vec::<u32>::new(),
        "the next try may come in time"
    );
    rig.pass(6);
    assert_eq!(rig.worker.tick(&rig.host), [7]);
    exchange.wake(&rig.host);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (503, "guard_unavailable"));
}

#[test]
fn a_caller_who_is_slow_is_not_taken_for_a_proxy_that_gives_no_bodies() {
    let rig = Rig::new();
    let received = |bytes: u64| {
        rig.host
            .properties
            .borrow_mut()
            .insert("request.total_size".to_owned(), bytes.to_le_bytes().to_vec());
    };
    received(300);
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    for _ in 0..3 {
        rig.pass(3);
        assert_eq!(rig.worker.tick(&rig.host), [7]);
        exchange.wake(&rig.host);
        assert!(rig.host.answers.borrow().is_empty(), "nothing came to the proxy either");
    }
    received(301);
    rig.pass(3);
    assert_eq!(rig.worker.tick(&rig.host), [7]);
    exchange.wake(&rig.host);
    assert_eq!(rig.refusal().status, 503, "the proxy keeps what came to itself");
}

#[test]
fn a_proxy_that_gives_no_bodies_is_told_by_name() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.worker.tick(&rig.host), Vec::<u32>::new());
    rig.pass(3);
    assert_eq!(rig.worker.tick(&rig.host), [7]);
    exchange.wake(&rig.host);
    assert_eq!(rig.refusal().status, 503);
    assert!(String::from_utf8_lossy(&rig.refusal().body).contains("allow_on_headers_stop_iteration"));
}

#[test]
fn a_host_that_holds_no_headers_back_is_refused_where_rules_read_bodies() {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
    let problems = Worker::start(&host, &bundle(&set(&key), false)).err().unwrap();
    assert!(problems[0].to_string().contains("allow_on_headers_stop_iteration"), "{problems:?}");
}

#[test]
fn a_credential_that_is_not_there_is_told_at_load() {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let problems = Worker::start(&Memory::default(), &bundle(&set(&key), true)).err().unwrap();
    assert!(problems[0].to_string().contains("`KEY` is not set"), "{problems:?}");
}

#[test]
fn a_token_does_not_go_upstream_as_a_trailer() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    *rig.host.request_body.borrow_mut() = QUESTION.as_bytes().to_vec();
    assert_eq!(exchange.request_body(&rig.host, QUESTION.len(), false), Flow::Pause);
    *rig.host.trailers.borrow_mut() = vec![header("authorization", "Bearer x"), header("x-sum", "1")];
    assert_eq!(exchange.request_trailers(&rig.host), Flow::Continue);
    assert_eq!(*rig.host.trailers.borrow(), [header("x-sum", "1")]);
}

#[test]
fn a_rule_that_enforces_within_a_watching_policy_holds_the_body_it_reads() {
    let rig = Rig::with(|set| {
        set["mode"] = json!("monitor");
        set["policies"][0]["rules"][0]["mode"] = json!("enforce");
    });
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Continue, "what it allows goes on");

    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.send(&mut exchange, &QUESTION.replace("gpt-4o", "gpt-5")), Flow::Pause);
    assert_eq!(rig.refusal().status, 403);
}

#[test]
fn a_tool_cannot_hide_behind_many_others() {
    let rig = Rig::with(|set| {
        set["policies"][0]["rules"] = json!([{ "name": "tools", "deny": "'db_drop' in llm.tools" }]);
    });
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    let named = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let tools: Vec<Value> = (0..2000).map(|_| named("harmless")).chain([named("db_drop")]).collect();
    let body = json!({ "model": "gpt-4o", "messages": [], "tools": tools }).to_string();
    assert_eq!(rig.send(&mut exchange, &body), Flow::Pause);
    assert_eq!(rig.refusal().status, 403);
}

#[test]
fn a_refusal_in_the_policys_own_words_still_names_the_rule() {
    let rig = Rig::with(|set| set["policies"][0]["rules"][0]["message"] = json!("Use gpt-4o."));
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &QUESTION.replace("gpt-4o", "gpt-5"));
    let body: Value = serde_json::from_slice(&rig.refusal().body).unwrap();
    assert_eq!(body["error"]["message"], "Use gpt-4o. (rule: models)");
}

#[test]
fn what_goes_through_a_tunnel_is_neither_held_nor_kept() {
    let rig = Rig::with(|set| set["policies"][0]["uninspected"] = json!({ "allow": ["grpc"] }));
    let mut exchange = rig.ask(&["rag-users"]);
    let bearer = rig.sent("authorization").unwrap();
    rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    for _ in 0..3 {
        *rig.host.request_body.borrow_mut() = vec![0; 1000];
        assert_eq!(exchange.request_body(&rig.host, 1000, false), Flow::Continue);
    }
    assert!(exchange.inquiry.body.is_empty());
}

#[test]
fn an_upgrade_that_is_refused_is_answered_as_any_call_is() {
    let rig = Rig::with(|set| set["policies"][0]["uninspected"] = json!({ "allow": ["upgrade", "grpc"] }));
    let told = format!(r#"{{"error":{{"message":"{} of jane@example.com"}}}}"#, super::CREDENTIAL);
    let asked = |sent: (&str, &str), status: &str, kind: &str| {
        let mut exchange = rig.ask(&["rag-users"]);
        let bearer = rig.sent("authorization").unwrap();
        rig.head("GET", "/v1/x", &[("authorization", &bearer), sent]);
        assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
        rig.answer(&mut exchange, status, &[("content-type", kind)]);
        rig.piece(&mut exchange, &told, true).unwrap_or_default()
    };
    let masked = r#"{"error":{"message":"<UPSTREAM_CREDENTIAL> of <EMAIL_ADDRESS>"}}"#;
    for status in ["200", "403", "426", "503"] {
        assert_eq!(asked(("upgrade", "websocket"), status, "application/json"), masked, "{status}");
        let grpc = ("content-type", "application/grpc");
        assert_eq!(asked(grpc, status, "application/json"), masked, "{status}");
    }
    // What goes through a tunnel that is open is not read.
    assert_eq!(asked(("upgrade", "websocket"), "101", "application/json"), told);
    assert_eq!(asked(("content-type", "application/grpc"), "200", "application/grpc+proto"), told);
}

#[test]
fn credentials_of_another_kind_are_challenged_without_an_error_code() {
    let rig = Rig::new();
    rig.head("GET", "/v1/models", &[("authorization", "Basic YTpi")]);
    Exchange::begin(Rc::clone(&rig.worker), 7).request_head(&rig.host, true);
    let answer = rig.refusal();
    let challenge = answer.headers.iter().find(|(name, _)| name == "www-authenticate").unwrap();
    assert_eq!((answer.status, challenge.1.as_slice()), (401, &b"Bearer realm=\"portcullis\""[..]));
}

#[test]
fn the_preflight_of_a_description_is_answered() {
    let rig =
        Rig::with(|set| set["connections"][1]["resource"] = json!({ "uri": "https://api.example.com/v1" }));
    rig.head(
        "OPTIONS",
        "/.well-known/oauth-protected-resource/v1",
        &[("access-control-request-method", "GET")],
    );
    assert_eq!(Exchange::begin(Rc::clone(&rig.worker), 7).request_head(&rig.host, true), Flow::Pause);
    let answer = rig.refusal();
    assert_eq!((answer.status, answer.body.as_slice()), (204, &b""[..]));
    let header = |name: &str| {
        let value = answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        value.map(|value| String::from_utf8(value).unwrap())
    };
    assert_eq!(header("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(header("access-control-allow-methods").as_deref(), Some("GET"));
    assert_eq!(header("access-control-allow-headers").as_deref(), Some("*"));
    assert_eq!(header("content-type"), None);
}

#[test]
fn a_credential_that_is_only_watched_comes_back_unpacked_so_that_it_can_be_covered() {
    let rig = Rig::with(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.ask(&["rag-users"]);
    rig.host.request.borrow_mut().extend([header("accept-encoding", "gzip"), header("range", "bytes=0-3")]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    assert_eq!(rig.sent("accept-encoding").as_deref(), Some("identity"));
    assert_eq!(rig.sent("range").as_deref(), Some("bytes=0-3"));
    let rig = Rig::with(|set| {
        set["mode"] = json!("monitor");
        set["connections"][1].as_object_mut().unwrap().remove("credential");
    });
    let mut exchange = rig.ask(&["rag-users"]);
    rig.host.request.borrow_mut().push(header("accept-encoding", "gzip"));
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.sent("accept-encoding").as_deref(), Some("gzip"));
}

#[test]
fn tokens_of_a_key_that_nobody_has_take_a_share_of_the_time_and_no_more() {
    let rig = Rig::new();
    let other = Ed25519KeyPair::generate().with_key_id("k2");
    let rig = Rig { key: other, ..rig };
    // Each reading of the clock is some time later.
    rig.host.step.set(2_000_000);
    let mut codes = Vec::new();
    for _ in 0..60 {
        rig.host.answers.borrow_mut().clear();
        let mut exchange = rig.ask(&["rag-users"]);
        exchange.request_head(&rig.host, false);
        codes.push(rig.refusal().status);
    }
    assert_eq!((codes[0], codes[59]), (401, 503), "{codes:?}");
}
