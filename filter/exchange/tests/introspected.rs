//! Tokens that only their issuer can read: who waits for its answer, and what comes of it.

use super::*;
use crate::host::{CallError, Reply};

const TOKEN: &str = "0a1b2c-opaque.token";

fn rig(change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["issuers"][0].as_object_mut().unwrap().remove("jwks");
        set["issuers"][0]["introspection"] = json!({
            "cluster": "idp", "path": "/introspect", "client_id": "guard", "client_secret": "${env:SHORT}",
            "timeout": "2s", "max_age": "1m"
        });
        change(set);
    })
}

fn begin(rig: &Rig, context: u32, token: &str) -> (Exchange, Flow) {
    let bearer = format!("Bearer {token}");
    rig.head("GET", "/v1/models", &[("authorization", &bearer)]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), context);
    let flow = exchange.request_head(&rig.host, true);
    (exchange, flow)
}

fn alice() -> Value {
    json!({ "active": true, "sub": "alice", "aud": "rag", "groups": ["rag-users"] })
}

/// What the worker asked the issuer.
fn asked(rig: &Rig) -> Vec<crate::host::Call> {
    let calls = rig.host.calls.borrow();
    calls.iter().map(|(_, call)| call.clone()).filter(|call| call.cluster == "idp").collect()
}

/// The issuer answers the last question; gives who wakes.
fn answer(rig: &Rig, status: u16, body: &str) -> Vec<u32> {
    let calls = rig.host.calls.borrow();
    let id = calls.iter().rev().find(|(_, call)| call.cluster == "idp").unwrap().0;
    drop(calls);
    let reply = Reply::Answer { status, headers: vec![], body: body.as_bytes().to_vec() };
    rig.worker.reply(&rig.host, id, &reply)
}

#[test]
fn a_token_is_asked_about_once_and_its_caller_waits_for_the_answer() {
    let rig = rig(|_| {});
    let (mut first, flow) = begin(&rig, 7, TOKEN);
    assert_eq!(flow, Flow::Pause);
    let (mut second, flow) = begin(&rig, 8, TOKEN);
    assert_eq!(flow, Flow::Pause);
    assert!(rig.host.hastened.get(), "nobody waits for the next usual turn");
    assert_eq!(rig.worker.tick(&rig.host), Vec::<u32>::new());
    let calls = asked(&rig);
    assert_eq!(calls.len(), 1);
    let sent = |name: &str| calls[0].headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!((sent(":method").as_str(), sent(":path").as_str()), ("POST", "/introspect"));
    assert_eq!(sent("authorization"), "Basic Z3VhcmQ6c2hvcnQ=");
    assert_eq!(sent("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(calls[0].body, b"token=0a1b2c-opaque.token&token_type_hint=access_token");
    assert_eq!(answer(&rig, 200, &alice().to_string()), [7, 8]);
    first.wake(&rig.host);
    second.wake(&rig.host);
    assert_eq!(*rig.host.resumed.borrow(), [Side::Request, Side::Request]);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer sk-upstream-0123456789"));
    let (_, flow) = begin(&rig, 9, TOKEN);
    assert_eq!(flow, Flow::Continue, "the answer counts for a while");
    rig.pass(61);
    let (_, flow) = begin(&rig, 10, TOKEN);
    assert_eq!(flow, Flow::Pause, "and not for longer");
}

#[test]
fn an_answer_never_counts_beyond_the_tokens_end() {
    let rig = rig(|_| {});
    let (_exchange, _) = begin(&rig, 7, TOKEN);
    rig.worker.tick(&rig.host);
    let mut alice = alice();
    alice["exp"] = json!(rig.host.now.get() / 1_000_000_000 + 5);
    answer(&rig, 200, &alice.to_string());
    assert_eq!(begin(&rig, 8, TOKEN).1, Flow::Continue);
    rig.pass(6);
    assert_eq!(begin(&rig, 9, TOKEN).1, Flow::Pause);
}

#[test]
fn what_the_issuer_takes_for_none_of_its_tokens_is_refused_and_not_asked_about_again() {
    let rig = rig(|_| {});
    let (mut exchange, _) = begin(&rig, 7, TOKEN);
    rig.worker.tick(&rig.host);
    assert_eq!(answer(&rig, 200, r#"{"active":false}"#), [7]);
    exchange.wake(&rig.host);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (401, "unauthenticated"));
    rig.host.answers.borrow_mut().clear();
    assert_eq!(begin(&rig, 8, TOKEN).1, Flow::Pause);
    assert_eq!(rig.refusal().status, 401, "at once");
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 1);
}

#[test]
fn an_issuer_that_says_nothing_of_the_token_is_no_fault_of_the_caller() {
    for (status, body) in
        [(500, ""), (401, "{}"), (504, ""), (200, "<html>"), (200, r#"{"active":"true","sub":"a"}"#)]
    {
        let rig = rig(|_| {});
        let (mut exchange, _) = begin(&rig, 7, TOKEN);
        rig.worker.tick(&rig.host);
        assert_eq!(answer(&rig, status, body), [7], "{status} {body}");
        exchange.wake(&rig.host);
        assert_eq!(
            (rig.refusal().status, rig.code().as_str()),
            (503, "guard_unavailable"),
            "{status} {body}"
        );
        assert!(
            rig.host
                .lines
                .borrow()
                .iter()
                .any(|line| line.contains("issuer corp: nothing is known of tokens"))
        );
        rig.pass(2);
        rig.host.answers.borrow_mut().clear();
        assert_eq!(begin(&rig, 8, TOKEN).1, Flow::Pause);
        assert!(rig.host.answers.borrow().is_empty(), "it is asked again soon");
    }
}

#[test]
fn nobody_waits_for_ever() {
    let rig = rig(|_| {});
    let (mut exchange, _) = begin(&rig, 7, TOKEN);
    rig.worker.tick(&rig.host);
    rig.pass(4);
    assert_eq!(rig.worker.tick(&rig.host), [7], "without any answer, and without the proxy's own");
    exchange.wake(&rig.host);
    assert_eq!(rig.refusal().status, 503);
}

#[test]
fn an_issuer_that_cannot_be_called_refuses_at_once() {
    let rig = rig(|_| {});
    rig.host.refuse_calls.set(Some(CallError::Unavailable));
    let (mut exchange, _) = begin(&rig, 7, TOKEN);
    assert_eq!(rig.worker.tick(&rig.host), [7]);
    exchange.wake(&rig.host);
    assert_eq!(rig.refusal().status, 503);
}

#[test]
fn a_flood_of_tokens_takes_a_bounded_share_of_the_issuer() {
    let rig = rig(|_| {});
    let mut exchanges = Vec::new();
    for number in 0..400 {
        exchanges.push(begin(&rig, number, &format!("flood{number}")));
    }
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 32);
    let refused = rig.host.answers.borrow().len();
    assert_eq!(refused, 400 - 256, "what is beyond the queue is refused and not held");
    assert!(rig.host.answers.borrow().iter().all(|answer| answer.status == 503));
}

#[test]
fn monitor_waits_only_where_the_connection_has_a_credential() {
    let rig = rig(|set| set["mode"] = json!("monitor"));
    assert_eq!(begin(&rig, 7, TOKEN).1, Flow::Pause, "it would go without, and fail");
    let rig = self::rig(|set| {
        set["mode"] = json!("monitor");
        set["connections"][1].as_object_mut().unwrap().remove("credential");
    });
    assert_eq!(begin(&rig, 7, TOKEN).1, Flow::Continue);
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 1, "the next one is known");
}

#[test]
fn neither_the_token_nor_the_clients_secret_is_in_a_log_or_a_refusal() {
    let rig = rig(|_| {});
    let (mut exchange, _) = begin(&rig, 7, TOKEN);
    rig.worker.tick(&rig.host);
    answer(&rig, 500, &format!("{TOKEN} short"));
    exchange.wake(&rig.host);
    exchange.finish(&rig.host);
    rig.pass(1);
    rig.worker.tick(&rig.host);
    let calls = rig.host.calls.borrow();
    let records = calls.iter().filter(|(_, call)| call.cluster == "audit").map(|(_, call)| call.body.clone());
    let told: Vec<Vec<u8>> = rig.host.lines.borrow().iter().map(|line| line.clone().into_bytes()).collect();
    let told: Vec<Vec<u8>> = told.into_iter().chain(records).chain([rig.refusal().body]).collect();
    assert!(told.len() > 2);
    for text in told.iter().map(|bytes| String::from_utf8_lossy(bytes)) {
        assert!(!text.contains(TOKEN) && !text.contains("Z3VhcmQ6c2hvcnQ="), "{text}");
    }
}

#[test]
fn what_comes_of_a_body_while_its_caller_is_asked_about_is_read_like_the_rest() {
    let rig = rig(|set| {
        set["policies"][0]["rules"] = json!([{ "name": "hello", "flag": "prompt.text.contains(\"Hello\")" }]);
        set["audit"]["capture"] = json!("masked");
    });
    let bearer = format!("Bearer {TOKEN}");
    let head = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    rig.head("POST", "/v1/chat/completions", &head);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    let (first, second) = QUESTION.split_at(20);
    *rig.host.request_body.borrow_mut() = first.as_bytes().to_vec();
    assert_eq!(exchange.request_body(&rig.host, first.len(), false), Flow::Pause);
    rig.worker.tick(&rig.host);
    answer(&rig, 200, &alice().to_string());
    exchange.wake(&rig.host);
    assert_eq!(*rig.host.resumed.borrow(), [Side::Request], "nothing that is enforced reads the body");
    *rig.host.request_body.borrow_mut() = second.as_bytes().to_vec();
    assert_eq!(exchange.request_body(&rig.host, second.len(), true), Flow::Continue);
    assert_eq!(exchange.inquiry.flags, ["hello"]);
    exchange.finish(&rig.host);
    rig.pass(1);
    rig.worker.tick(&rig.host);
    let kept = super::captures::texts(&super::records::delivered(&rig), "prompt");
    assert!(kept.iter().any(|text| text.contains("Hello")), "{kept:?}");
}

/// A token that comes from this address.
fn begin_from(rig: &Rig, address: &str, context: u32, token: &str) -> (Exchange, Flow) {
    let properties = &rig.host.properties;
    properties.borrow_mut().insert("source.address".to_owned(), format!("{address}:4711").into_bytes());
    begin(rig, context, token)
}

#[test]
fn one_address_takes_no_call_that_another_waits_for() {
    let rig = rig(|_| {});
    let mut exchanges = Vec::new();
    for number in 0..400 {
        exchanges.push(begin_from(&rig, "10.0.0.1", number, &format!("flood{number}")));
    }
    let refused = rig.host.answers.borrow().len();
    let (_other, flow) = begin_from(&rig, "10.0.0.2", 1000, TOKEN);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(rig.host.answers.borrow().len(), refused, "another leaves its place");
    let woken = rig.worker.tick(&rig.host);
    assert_eq!(woken, [255], "the last of those that waited");
    let calls = asked(&rig);
    assert_eq!(calls.len(), 32);
    let own = calls.iter().filter(|call| String::from_utf8_lossy(&call.body).contains(TOKEN)).count();
    assert_eq!(own, 1, "its turn comes before those of the crowd");
}

#[test]
fn who_brings_many_tokens_that_do_not_hold_is_asked_about_no_more_for_a_while() {
    let rig = rig(|set| set["issuers"][0]["introspection"]["max_age"] = json!("1s"));
    let mut exchanges = Vec::new();
    let mut asked_about = 0;
    for number in 0..80 {
        exchanges.push(begin_from(&rig, "10.0.0.1", number, &format!("bad{number}")));
        rig.worker.tick(&rig.host);
        if asked(&rig).len() > asked_about {
            asked_about = asked(&rig).len();
            answer(&rig, 200, r#"{"active":false}"#);
        }
    }
    assert_eq!(asked_about, 50);
    assert!(rig.host.answers.borrow().iter().any(|answer| answer.status == 503));
    begin_from(&rig, "10.0.0.2", 1000, TOKEN);
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 51, "others are asked about");
    rig.pass(2);
    begin_from(&rig, "10.0.0.1", 1001, "another");
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 52);
}
