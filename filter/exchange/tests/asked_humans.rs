//! Requests that wait for a human: what the service is asked, what it says, and what becomes of the request.

use super::records::delivered;
use super::*;
use crate::audit::signature::Signer;
use crate::host::{Call, CallError, CallId, Reply};

const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const RETRIED: [(&str, &str); 3] =
    [("x-stainless-retry-count", "1"), ("traceparent", "00-1-2-01"), ("idempotency-key", "k2")];

/// A rig beside a service that asks humans, whose rule asks about everything.
struct Desk {
    rig: Rig,
    seen: std::cell::Cell<usize>,
}

fn desk(change: impl FnOnce(&mut Value)) -> Desk {
    let rig = Rig::with(|set| {
        set["policies"][0]["rules"] =
            json!([{ "name": "ask", "approve": "llm.n == 1", "approvers": ["dba", "cto"], "quorum": 2 }]);
        set["approvals"] =
            json!({ "cluster": "approvals", "headers": { "authorization": "Bearer ${env:KEY}" } });
        change(set);
    });
    Desk { rig, seen: std::cell::Cell::default() }
}

fn usual() -> Desk {
    desk(|_| {})
}

fn said(body: &Value) -> Reply {
    Reply::Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

fn state(state: &str) -> Reply {
    said(
        &json!({ "id": "apr_1", "state": state, "expires": "2026-01-01T00:00:00Z", "by": ["i#bob"], "reason": "Not today.\n" }),
    )
}

fn header_of<'c>(call: &'c Call, name: &str) -> &'c str {
    call.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

impl Desk {
    /// The calls to the service since the last look.
    fn calls(&self) -> Vec<(CallId, Call)> {
        let calls = self.rig.host.calls.borrow();
        let new = calls.iter().skip(self.seen.replace(calls.len()));
        new.filter(|(_, call)| call.cluster == "approvals").cloned().collect()
    }

    /// The one call since the last look.
    fn call(&self) -> (CallId, Call) {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "one question at a time");
        calls.remove(0)
    }

    fn begun(&self, body: &str, more: &[(&str, &str)]) -> Exchange {
        self.rig.host.answers.borrow_mut().clear();
        self.rig.host.resumed.borrow_mut().clear();
        let mut exchange = self.rig.ask(&["rag-users"]);
        self.rig.host.request.borrow_mut().extend(more.iter().map(|(name, value)| header(name, value)));
        assert_eq!(exchange.request_head(&self.rig.host, false), Flow::Pause);
        assert_eq!(self.rig.send(&mut exchange, body), Flow::Pause, "it waits");
        exchange
    }

    fn asked(&self) -> (Exchange, Value) {
        let exchange = self.begun(QUESTION, &[]);
        let opening = serde_json::from_slice(&self.call().1.body).unwrap();
        self.seen.set(self.seen.get() - 1);
        (exchange, opening)
    }

    /// The binding that a request is asked about with.
    fn binding(&self, body: &str, more: &[(&str, &str)]) -> String {
        let mut exchange = self.begun(body, more);
        let opening: Value = serde_json::from_slice(&self.call().1.body).unwrap();
        exchange.finish(&self.rig.host);
        opening["binding"].as_str().unwrap().to_owned()
    }

    fn answer(&self, exchange: &mut Exchange, reply: &Reply) {
        let (id, _) = self.call();
        exchange.reply(&self.rig.host, id, reply);
    }

    /// What spending the approval is answered with.
    fn spent(&self, exchange: &Exchange) -> Value {
        json!({ "id": "apr_1", "state": "spent", "exchange": exchange.name, "by": ["i#bob"] })
    }

    fn went(&self) -> bool {
        let went = self.rig.host.resumed.borrow().contains(&Side::Request);
        assert_eq!(went, self.rig.sent("authorization").as_deref() == Some(&*format!("Bearer {CREDENTIAL}")));
        went
    }

    fn status(&self) -> u16 {
        assert!(!self.went());
        self.rig.refusal().status
    }

    fn told(&self) -> String {
        let body: Value = serde_json::from_slice(&self.rig.refusal().body).unwrap();
        body["error"]["message"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> Option<String> {
        let refusal = self.rig.refusal();
        let found = refusal.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    }

    /// A worker's turn after so many seconds; exchanges whose wait is over are woken.
    fn turn(&self, exchange: &mut Exchange, seconds: u64) {
        self.rig.pass(seconds);
        if self.rig.worker.tick(&self.rig.host).contains(&7) {
            exchange.wake(&self.rig.host);
        }
    }
}

#[test]
fn an_approved_request_is_spent_before_it_goes_upstream() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    let (id, open) = desk.call();
    assert_eq!((header_of(&open, ":method"), header_of(&open, ":path")), ("POST", "/v1/approvals"));
    assert_eq!(header_of(&open, "authorization"), format!("Bearer {CREDENTIAL}"), "as the set says");
    exchange.reply(&desk.rig.host, id, &state("pending"));
    let (id, wait) = desk.call();
    assert_eq!(
        (header_of(&wait, ":method"), header_of(&wait, ":path")),
        ("GET", "/v1/approvals/apr_1?wait=20")
    );
    assert!(wait.timeout.as_secs() >= 20);
    assert!(!desk.went());
    exchange.reply(&desk.rig.host, id, &state("approved"));
    let (id, spend) = desk.call();
    assert!(!desk.went(), "not before it is spent");
    assert_eq!(header_of(&spend, ":path"), "/v1/approvals/apr_1/spend");
    let body: Value = serde_json::from_slice(&spend.body).unwrap();
    assert_eq!(body["exchange"], exchange.name);
    exchange.reply(&desk.rig.host, id, &said(&desk.spent(&exchange)));
    assert!(desk.went());
    desk.rig.answer(&mut exchange, "200", &[]);
    exchange.finish(&desk.rig.host);
    let records = delivered(&desk.rig);
    for record in &records {
        assert_eq!(record["portcullis.decision"], "allow");
        assert_eq!(record["portcullis.approval"], "apr_1");
        assert_eq!(record["portcullis.approval_by"], json!(["i#bob"]));
    }
    assert_eq!(records.len(), 2);
    let counted =
        desk.rig.host.counts.borrow().get("portcullis_approvals_total{policy=p,outcome=spent}").copied();
    assert_eq!(counted, Some(1));
}

#[test]
fn those_who_approve_see_who_asks_what_and_why_without_what_is_masked() {
    let desk = desk(|set| {
        set["approvals"]["ignore"] = json!(["/user", "/none"]);
        set["policies"][0]["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "hello", "flag": "prompt.text.contains(\"Hello\")" }));
    });
    let body = r#"{"model":"gpt-4o","user":"bob@example.com","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello, I am alice@exa\u006dple.com"}]}"#;
    desk.begun(body, &[]);
    let opening: Value = serde_json::from_slice(&desk.call().1.body).unwrap();
    assert_eq!(
        opening["caller"],
        json!({ "id": format!("{ISSUER}#alice"), "issuer": ISSUER, "subject": "alice", "groups": ["rag-users"] })
    );
    assert_eq!(
        opening["prompt"],
        json!({ "text": "<EMAIL_ADDRESS>\n\nBe kind.\n\nHello, I am <EMAIL_ADDRESS>", "cut": false })
    );
    assert_eq!(opening["ignored"], json!({ "/user": "\"<EMAIL_ADDRESS>\"" }));
    assert_eq!(opening["entities"], json!({ "EMAIL_ADDRESS": 2 }));
    assert_eq!(opening["flags"], json!(["hello"]));
    assert_eq!(
        opening["rules"],
        json!([{ "rule": "ask", "message": "The rule \"ask\" asks a human to approve this request.", "approvers": ["dba", "cto"], "quorum": 2 }])
    );
    assert_eq!(opening["request"]["operation"], "chat");
    assert_eq!(opening["request"]["model"], "gpt-4o");
    assert_eq!(
        (&opening["policy"], &opening["revision"], &opening["ttl"]),
        (&json!("p"), &json!("c0ffee"), &json!(900))
    );
    assert!(!opening.to_string().contains("@"), "{opening}");
}

#[test]
fn a_store_s_query_is_shown_masked() {
    let desk = desk(|set| {
        set["connections"][1]["protocol"] = json!("qdrant");
        set["connections"][1]["match"] = json!({ "path_prefix": "/" });
        set["policies"][0]["rules"][0]["approve"] = json!("vector.top_k > 1");
    });
    let bearer = format!("Bearer {}", desk.rig.token(&["rag-users"]));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    desk.rig.head("POST", "/collections/docs/points/query", &headers);
    let mut exchange = Exchange::begin(Rc::clone(&desk.rig.worker), 7);
    exchange.request_head(&desk.rig.host, false);
    let body =
        r#"{"query":[0.1],"limit":2,"filter":{"must":[{"key":"mail","match":{"value":"a@example.com"}}]}}"#;
    desk.rig.send(&mut exchange, body);
    let opening: Value = serde_json::from_slice(&desk.call().1.body).unwrap();
    assert_eq!(opening["prompt"]["text"], body.replace("a@example.com", "<EMAIL_ADDRESS>"));
    assert_eq!(opening["request"]["path"], "/collections/docs/points/query");
}

#[test]
fn names_of_members_and_words_of_rules_are_shown_masked_too() {
    let desk = desk(|set| {
        set["connections"][1]["protocol"] = json!("http");
        set["policies"][0]["rules"] = json!([
            { "name": "ask", "approve": "request.method == \"POST\"", "message": "For ${request.query}." },
        ]);
    });
    let bearer = format!("Bearer {}", desk.rig.token(&["rag-users"]));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    desk.rig.head("POST", "/v1/rows?of=c@example.com", &headers);
    let mut exchange = Exchange::begin(Rc::clone(&desk.rig.worker), 7);
    exchange.request_head(&desk.rig.host, false);
    desk.rig.send(&mut exchange, r#"{"a@example.com":"b@example.com"}"#);
    let opening: Value = serde_json::from_slice(&desk.call().1.body).unwrap();
    assert_eq!(opening["prompt"]["text"], r#"{"<EMAIL_ADDRESS>":"<EMAIL_ADDRESS>"}"#);
    assert!(!opening.to_string().contains("@example.com"), "{opening}");
}

#[test]
fn while_nobody_answers_the_caller_gets_409_and_the_approval_s_name() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("pending"));
    desk.rig.pass(20);
    desk.answer(&mut exchange, &state("pending"));
    let (id, wait) = desk.call();
    assert_eq!(header_of(&wait, ":path"), "/v1/approvals/apr_1?wait=10", "what is left of 30 s");
    desk.rig.pass(10);
    exchange.reply(&desk.rig.host, id, &state("pending"));
    assert_eq!((desk.status(), desk.rig.code().as_str()), (409, "approval_pending"));
    assert_eq!(desk.header("x-portcullis-approval").as_deref(), Some("apr_1"));
    assert_eq!(desk.header("x-should-retry").as_deref(), Some("true"));
    assert!(desk.told().contains("apr_1") && desk.told().contains("\"ask\""), "{}", desk.told());
    exchange.finish(&desk.rig.host);
    let record = delivered(&desk.rig).remove(0);
    assert_eq!(
        (&record["portcullis.reason"], &record["portcullis.approval"]),
        (&json!("approval_pending"), &json!("apr_1"))
    );
}

#[test]
fn a_service_that_does_not_wait_is_not_asked_without_a_pause() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("pending"));
    desk.answer(&mut exchange, &state("pending"));
    assert!(desk.calls().is_empty(), "not at once");
    desk.turn(&mut exchange, 2);
    desk.answer(&mut exchange, &state("approved"));
    let spent = said(&desk.spent(&exchange));
    desk.answer(&mut exchange, &spent);
    assert!(desk.went());
}

#[test]
fn a_denied_request_tells_the_approver_s_reason_and_is_not_tried_again() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("denied"));
    assert_eq!((desk.status(), desk.rig.code().as_str()), (403, "approval_denied"));
    assert_eq!(
        desk.told(),
        "The rule \"ask\" asked a human to approve this request, who denied it: Not today."
    );
    assert_eq!(desk.header("x-should-retry").as_deref(), Some("false"));
    assert_eq!(desk.header("x-portcullis-approval").as_deref(), Some("apr_1"));
}

#[test]
fn what_is_not_spent_by_this_exchange_lets_nothing_through() {
    let others = |exchange: &Exchange| {
        vec![
            json!({ "id": "apr_1", "state": "spent", "exchange": "another" }),
            json!({ "id": "apr_1", "state": "spent" }),
            json!({ "id": "apr_2", "state": "spent", "exchange": exchange.name }),
            json!({ "id": "apr_1", "state": "approved", "exchange": exchange.name }),
            json!({ "id": "apr_1", "state": "expired", "exchange": exchange.name }),
            json!({ "id": "apr_1", "state": "denied", "exchange": exchange.name }),
            json!({ "id": "apr_1", "state": "pending", "exchange": exchange.name }),
        ]
    };
    for at in 0..7 {
        let desk = usual();
        let mut exchange = desk.begun(QUESTION, &[]);
        desk.answer(&mut exchange, &state("approved"));
        let answer = said(&others(&exchange)[at]);
        for _ in 0..4 {
            for (id, _) in desk.calls() {
                exchange.reply(&desk.rig.host, id, &answer);
            }
            desk.turn(&mut exchange, 2);
        }
        assert!(desk.status() >= 400, "{at}");
    }
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again_and_three_are_enough() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("approved"));
    desk.answer(&mut exchange, &Reply::Broken);
    assert!(desk.calls().is_empty(), "not at once");
    desk.turn(&mut exchange, 2);
    // The service's answer never comes, nor the proxy's about it.
    desk.call();
    desk.turn(&mut exchange, 7);
    desk.turn(&mut exchange, 2);
    let spent = said(&desk.spent(&exchange));
    desk.answer(&mut exchange, &spent);
    assert!(desk.went());

    let mut exchange = desk.begun(QUESTION, &[]);
    for _ in 0..2 {
        desk.answer(&mut exchange, &Reply::Answer { status: 503, headers: Vec::new(), body: Vec::new() });
        assert!(desk.rig.host.answers.borrow().is_empty());
        desk.turn(&mut exchange, 2);
    }
    desk.answer(&mut exchange, &state("maybe"));
    assert_eq!((desk.status(), desk.rig.code().as_str()), (503, "guard_unavailable"));
}

#[test]
fn a_service_that_cannot_be_called_refuses_at_once() {
    for error in [CallError::UnknownCluster, CallError::Unavailable] {
        let desk = usual();
        desk.rig.host.refuse_calls.set(Some(error));
        desk.begun(QUESTION, &[]);
        assert_eq!((desk.status(), desk.rig.code().as_str()), (503, "guard_unavailable"), "{error}");
    }
}

#[test]
fn a_service_that_forgot_an_approval_is_asked_to_begin_it_again() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("pending"));
    desk.answer(&mut exchange, &Reply::Answer { status: 404, headers: Vec::new(), body: Vec::new() });
    desk.turn(&mut exchange, 2);
    let (id, open) = desk.call();
    assert_eq!(header_of(&open, ":method"), "POST");
    exchange.reply(&desk.rig.host, id, &said(&json!({ "id": "apr_9", "state": "pending" })));
    assert!(header_of(&desk.call().1, ":path").contains("apr_9"));
}

#[test]
fn an_unsigned_verdict_is_none_where_the_set_has_a_key() {
    let signer = Signer::of_seed(SEED).unwrap();
    let signed = |binding: &str, exchange: &str| signer.sign_spent("apr_1", binding, exchange);
    let outcome = |sign: &dyn Fn(&str, &str) -> Option<String>| {
        let desk =
            desk(|set| set["approvals"]["public_key"] = json!(Signer::of_seed(SEED).unwrap().public()));
        let (mut exchange, opening) = desk.asked();
        desk.answer(&mut exchange, &state("approved"));
        let mut answer = desk.spent(&exchange);
        answer["signature"] = json!(sign(opening["binding"].as_str().unwrap(), &exchange.name));
        desk.answer(&mut exchange, &said(&answer));
        desk.went()
    };
    assert!(outcome(&|binding, exchange| Some(signed(binding, exchange))));
    assert!(!outcome(&|_, _| None));
    assert!(!outcome(&|_, exchange| Some(signed("other", exchange))));
    assert!(!outcome(&|binding, _| Some(signed(binding, "other"))));
    assert!(!outcome(&|_, _| Some("AAAA".to_owned())));
}

#[test]
fn a_binding_is_the_same_for_a_retry_and_another_for_another_call() {
    let desk = desk(|set| set["approvals"]["ignore"] = json!(["/metadata/request_time"]));
    let body = |time: &str, text: &str| {
        format!(
            r#"{{"model":"gpt-4o","metadata":{{"request_time":{time}}},"messages":[{{"role":"user","content":"{text}"}}]}}"#
        )
    };
    let first = desk.binding(&body("1", "Hello"), &[]);
    assert_eq!(first.len(), 64);
    assert_eq!(desk.binding(&body("1", "Hello"), &RETRIED), first);
    assert_eq!(desk.binding(&body("\"later\"", "Hello"), &[]), first, "what is ignored");
    assert_ne!(desk.binding(&body("1", "Hello!"), &[]), first);
    assert_ne!(desk.binding(&format!("{} ", body("1", "Hello")), &[]), first, "to the byte");
    for header in [("openai-beta", "assistants=v2"), ("anthropic-beta", "x"), ("openai-project", "p")] {
        assert_ne!(desk.binding(&body("1", "Hello"), &[header]), first, "{header:?}");
    }
    // What an ignored value holds must not be able to stand for what is bound.
    let twice = r#"{"model":"gpt-4o","metadata":{"request_time":1},"messages":[{"role":"user","content":"Hello"}],"x":1}"#;
    assert_ne!(desk.binding(twice, &[]), first);
}

#[test]
fn where_the_protocol_is_not_known_a_binding_holds_every_header_that_may_mean_something() {
    let desk = desk(|set| {
        set["connections"][1]["protocol"] = json!("http");
        set["policies"][0]["rules"] = json!([{ "name": "ask", "approve": "request.method == 'POST'" }]);
        set["policies"][0].as_object_mut().unwrap().remove("mask");
    });
    let said = [("x-dry-run", "true"), ("x-tag", "a"), ("x-tag", "b")];
    let first = desk.binding(QUESTION, &said);
    // What would have the upstream, or a proxy on the way, take the approved call for another.
    for name in [
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-envoy-original-dst-host",
        "x-http-method-override",
        "cookie",
    ] {
        let headers = [&said[..], &[(name, "other")]].concat();
        assert_ne!(desk.binding(QUESTION, &headers), first, "{name}");
    }
    for name in ["x-forwarded-for", "x-envoy-attempt-count", "x-request-id", "x-datadog-trace-id"] {
        let headers = [&said[..], &[(name, "other")]].concat();
        assert_eq!(desk.binding(QUESTION, &headers), first, "{name}");
    }
    let retried = [&RETRIED[..], &[("x-tag", "a"), ("x-dry-run", "true"), ("x-tag", "b")]].concat();
    assert_eq!(desk.binding(QUESTION, &retried), first, "a retry, its headers in another order");
    for headers in [
        &[("x-dry-run", "false"), ("x-tag", "a"), ("x-tag", "b")][..],
        &[("x-tag", "a"), ("x-tag", "b")],
        &[("x-dry-run", "true"), ("x-tag", "b"), ("x-tag", "a")],
        &[("x-dry-run", "true"), ("x-tag", "a"), ("x-tag", "b"), ("x-new", "1")],
    ] {
        assert_ne!(desk.binding(QUESTION, headers), first, "{headers:?}");
    }
}

#[test]
fn a_binding_holds_caller_connection_method_path_and_rules() {
    let desk = usual();
    let first = desk.binding(QUESTION, &[]);
    let asked = |change: &dyn Fn(&mut Vec<Header>)| {
        desk.rig.host.answers.borrow_mut().clear();
        let mut exchange = desk.rig.ask(&["rag-users"]);
        change(&mut desk.rig.host.request.borrow_mut());
        exchange.request_head(&desk.rig.host, false);
        desk.rig.send(&mut exchange, QUESTION);
        exchange.finish(&desk.rig.host);
        let opening: Value = serde_json::from_slice(&desk.call().1.body).unwrap();
        opening["binding"].as_str().unwrap().to_owned()
    };
    let put = |name: &'static str, value: &'static str| {
        move |headers: &mut Vec<Header>| {
            let found = headers.iter_mut().find(|(key, _)| key == name.as_bytes()).unwrap();
            found.1 = value.as_bytes().to_vec();
        }
    };
    assert_eq!(asked(&|_| {}), first);
    assert_eq!(asked(&put(":path", "/v1/chat/completions?api_key=x")), first, "a token binds nothing");
    for change in [put(":path", "/v1/chat/completions?a=1"), put(":authority", "other.example.com")] {
        assert_ne!(asked(&change), first);
    }
    let others = renamed();
    assert_ne!(others.binding(QUESTION, &[]), first, "another rule, and another policy");
    let two = desk_of_two();
    assert_ne!(two.binding(QUESTION, &[]), first);
}

fn renamed() -> Desk {
    desk(|set| set["policies"][0]["rules"][0]["name"] = json!("other"))
}

fn desk_of_two() -> Desk {
    desk(|set| {
        set["policies"][0]["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "second", "approve": "true" }));
    })
}

#[test]
fn a_token_that_ended_while_a_human_thought_is_refused_and_the_approval_kept() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.rig.pass(2 * 3600);
    desk.answer(&mut exchange, &state("approved"));
    assert_eq!(desk.status(), 401);
    assert!(desk.calls().is_empty(), "nothing is spent");
}

#[test]
fn a_request_that_waits_for_a_human_holds_no_budget() {
    let desk = desk(|set| {
        set["policies"][0]["budgets"] = json!([{ "name": "b", "key": "all", "requests": 1, "per": "1h" }]);
    });
    let mut waiting = desk.begun(QUESTION, &[]);
    let (first, _) = desk.call();
    let mut other = desk.begun(QUESTION, &[]);
    desk.answer(&mut other, &state("approved"));
    let spent = said(&desk.spent(&other));
    desk.answer(&mut other, &spent);
    assert!(desk.went(), "the budget has room for one");
    desk.rig.host.resumed.borrow_mut().clear();
    waiting.reply(&desk.rig.host, first, &state("approved"));
    assert_eq!(desk.rig.refusal().status, 429);
    assert!(desk.calls().is_empty(), "the approval is not spent on what is refused");
}

#[test]
fn nobody_is_asked_about_what_masks_or_denies_refuse() {
    let blocked = desk(|set| {
        set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["EMAIL_ADDRESS"], "operator": "block" });
    });
    let mut exchange = blocked.rig.ask(&["rag-users"]);
    exchange.request_head(&blocked.rig.host, false);
    blocked.rig.send(&mut exchange, &QUESTION.replace("Hello", "a@example.com"));
    assert_eq!(blocked.status(), 403);
    assert!(blocked.calls().is_empty());
}

#[test]
fn a_masked_prompt_is_masked_once_it_is_approved_and_counted_once() {
    let desk = desk(|set| {
        set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["EMAIL_ADDRESS"] });
        set["policies"][0]["limits"] = json!({ "max_output_tokens": 10 });
    });
    let mut exchange = desk.begun(&QUESTION.replace("Hello", "a@example.com"), &[]);
    assert!(desk.rig.host.request_body.borrow().ends_with(b"a@example.com\"}]}"), "nothing is changed yet");
    desk.answer(&mut exchange, &state("approved"));
    let spent = said(&desk.spent(&exchange));
    desk.answer(&mut exchange, &spent);
    assert!(desk.went());
    let sent = String::from_utf8(desk.rig.host.request_body.borrow().clone()).unwrap();
    assert!(sent.contains("<EMAIL_ADDRESS>") && sent.contains("\"max_completion_tokens\":10"), "{sent}");
    exchange.finish(&desk.rig.host);
    let record = delivered(&desk.rig).remove(0);
    assert_eq!(record["portcullis.prompt.entities"], json!({ "EMAIL_ADDRESS": 1 }));
    assert_eq!(record["portcullis.bounded"], json!(["max_output_tokens"]));
}

#[test]
fn what_cannot_be_held_or_read_whole_is_not_let_through() {
    let tunnel = desk(|set| {
        set["policies"][0]["rules"][0]["approve"] = json!("true");
        set["policies"][0]["uninspected"] = json!("allow");
    });
    let bearer = format!("Bearer {}", tunnel.rig.token(&["rag-users"]));
    tunnel.rig.head("POST", "/v1/x", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    let mut exchange = Exchange::begin(Rc::clone(&tunnel.rig.worker), 7);
    exchange.request_head(&tunnel.rig.host, false);
    assert_eq!(tunnel.rig.refusal().grpc_status, Some(14));

    let large = desk(|set| {
        set["policies"][0]["rules"][0]["approve"] = json!("true");
        set["policies"][0]["uninspected"] = json!("allow");
        set["policies"][0]["limits"] = json!({ "max_request_bytes": 1024 });
    });
    let mut exchange = large.rig.ask(&["rag-users"]);
    exchange.request_head(&large.rig.host, false);
    large.rig.send(&mut exchange, &QUESTION.replace("Hello", &"x".repeat(2048)));
    assert_eq!(large.status(), 413);

    let unread = desk(|set| {
        set["policies"][0]["rules"][0]["approve"] = json!("true");
        set["policies"][0]["uninspected"] = json!("allow");
    });
    unread.rig.head(
        "POST",
        "/v1/files",
        &[("authorization", &bearer), ("content-type", "multipart/form-data; boundary=x")],
    );
    let bearer = format!("Bearer {}", unread.rig.token(&["rag-users"]));
    unread.rig.head(
        "POST",
        "/v1/files",
        &[("authorization", &bearer), ("content-type", "multipart/form-data; boundary=x")],
    );
    let mut exchange = Exchange::begin(Rc::clone(&unread.rig.worker), 7);
    assert_eq!(exchange.request_head(&unread.rig.host, false), Flow::Pause, "its bytes are bound");
    unread.rig.send(&mut exchange, "--x--");
    let opening: Value = serde_json::from_slice(&unread.call().1.body).unwrap();
    assert!(opening["prompt"]["text"].as_str().unwrap().starts_with("sha256:"), "{opening}");
}

#[test]
fn in_monitor_nobody_is_asked_and_nothing_waits() {
    let desk = desk(|set| set["policies"][0]["mode"] = json!("monitor"));
    let mut exchange = desk.rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&desk.rig.host, false), Flow::Continue);
    assert_eq!(desk.rig.send(&mut exchange, QUESTION), Flow::Continue);
    assert!(desk.calls().is_empty());
}

#[test]
fn a_caller_who_leaves_leaves_a_record_and_spends_nothing() {
    let desk = usual();
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("pending"));
    exchange.finish(&desk.rig.host);
    let (id, _) = desk.call();
    assert_eq!(desk.rig.worker.asker(id), None);
    exchange.reply(&desk.rig.host, id, &state("approved"));
    assert!(!desk.went() && desk.calls().is_empty());
    let records = delivered(&desk.rig);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["portcullis.outcome"], "client_gone");
    assert_eq!(records[0]["portcullis.approval"], "apr_1");
}

#[test]
fn under_before_forward_the_record_follows_the_spending() {
    let desk = desk(|set| set["audit"]["delivery"] = json!("before_forward"));
    let mut exchange = desk.begun(QUESTION, &[]);
    desk.answer(&mut exchange, &state("approved"));
    let spent = said(&desk.spent(&exchange));
    desk.answer(&mut exchange, &spent);
    assert!(!desk.went(), "it waits for its record");
    let records = delivered(&desk.rig);
    assert_eq!(records[0]["portcullis.approval"], "apr_1");
}
