//! Credentials that a service keeps.

use super::*;
use crate::host::{Call, Reply};

const FIRST: &str = "sk-first-0123456789";
const SECOND: &str = "sk-second-9876543210";

fn rig() -> Rig {
    Rig::with(|set| {
        set["connections"][1]["credential"]["value"] = json!("Bearer ${secret:openai}");
        set["secrets"] = json!([{
            "name": "openai", "cluster": "vault", "path": "/v1/secret/data/openai", "field": "api_key",
            "token": "${env:SHORT}", "refresh": "1m", "keep": "10m"
        }]);
    })
}

fn asked(rig: &Rig) -> Vec<Call> {
    let calls = rig.host.calls.borrow();
    calls.iter().map(|(_, call)| call.clone()).filter(|call| call.cluster == "vault").collect()
}

fn answer(rig: &Rig, status: u16, value: &str) {
    let calls = rig.host.calls.borrow();
    let id = calls.iter().rev().find(|(_, call)| call.cluster == "vault").unwrap().0;
    drop(calls);
    let body = json!({ "data": { "data": { "api_key": value } } }).to_string().into_bytes();
    rig.worker.reply(&rig.host, id, &Reply::Answer { status, headers: vec![], body });
}

fn give(rig: &Rig, value: &str) {
    rig.worker.tick(&rig.host);
    answer(rig, 200, value);
}

fn models(rig: &Rig) -> Exchange {
    rig.host.answers.borrow_mut().clear();
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head("GET", "/v1/models", &[("authorization", &bearer)]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, true);
    exchange
}

fn refused(rig: &Rig) -> bool {
    models(rig);
    let refused = !rig.host.answers.borrow().is_empty();
    if refused {
        assert_eq!((rig.refusal().status, rig.code().as_str()), (503, "guard_unavailable"));
        assert_ne!(rig.sent("authorization").as_deref(), Some("Bearer "));
    }
    refused
}

#[test]
fn a_call_is_refused_until_the_first_value_came_and_goes_upstream_with_it_then() {
    let rig = rig();
    assert!(refused(&rig));
    rig.worker.tick(&rig.host);
    let calls = asked(&rig);
    let sent = |name: &str| calls[0].headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!((sent(":method").as_str(), sent(":path").as_str()), ("GET", "/v1/secret/data/openai"));
    assert_eq!(sent("x-vault-token"), "short");
    answer(&rig, 200, FIRST);
    models(&rig);
    assert_eq!(rig.sent("authorization"), Some(format!("Bearer {FIRST}")));
}

#[test]
fn a_new_value_holds_for_what_begins_after_it_came() {
    let rig = rig();
    give(&rig, FIRST);
    let mut before = rig.ask(&["rag-users"]);
    before.request_head(&rig.host, false);
    let head = rig.host.request.borrow().clone();
    rig.pass(61);
    give(&rig, SECOND);
    models(&rig);
    assert_eq!(rig.sent("authorization"), Some(format!("Bearer {SECOND}")));
    *rig.host.request.borrow_mut() = head;
    assert_eq!(rig.send(&mut before, QUESTION), Flow::Continue);
    assert_eq!(rig.sent("authorization"), Some(format!("Bearer {FIRST}")));
}

#[test]
fn the_last_value_is_used_while_the_service_is_down_and_not_for_ever() {
    let rig = rig();
    give(&rig, FIRST);
    for _ in 0..9 {
        rig.pass(60);
        rig.worker.tick(&rig.host);
        answer(&rig, 503, SECOND);
        assert!(!refused(&rig));
    }
    rig.pass(61);
    assert!(refused(&rig), "it is too old");
    give(&rig, SECOND);
    assert!(!refused(&rig));
    assert_eq!(rig.sent("authorization"), Some(format!("Bearer {SECOND}")));
}

#[test]
fn answers_do_not_repeat_the_value_of_the_moment() {
    let rig = rig();
    give(&rig, FIRST);
    rig.pass(61);
    give(&rig, SECOND);
    let mut exchange = models(&rig);
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", "text/plain")]), Flow::Continue);
    let out = rig.piece(&mut exchange, &format!("your key is {SECOND}, is it?"), true).unwrap();
    assert!(!out.contains(SECOND) && out.contains("is it?"), "{out}");
}

#[test]
fn an_upstreams_refusal_makes_the_service_be_asked_sooner() {
    let rig = rig();
    give(&rig, FIRST);
    let mut exchange = models(&rig);
    rig.answer(&mut exchange, "401", &[("content-type", "application/json")]);
    rig.pass(1);
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 1, "it came a moment ago");
    rig.pass(5);
    rig.worker.tick(&rig.host);
    assert_eq!(asked(&rig).len(), 2);
}

#[test]
fn neither_value_nor_token_is_told_anywhere() {
    let rig = rig();
    give(&rig, FIRST);
    models(&rig).finish(&rig.host);
    rig.pass(61);
    rig.worker.tick(&rig.host);
    answer(&rig, 200, &format!("{FIRST}\n"));
    rig.pass(1);
    rig.worker.tick(&rig.host);
    let calls = rig.host.calls.borrow();
    let records = calls.iter().filter(|(_, call)| call.cluster == "audit").map(|(_, call)| call.body.clone());
    let lines = rig.host.lines.borrow().clone().into_iter().map(String::into_bytes);
    let told: Vec<Vec<u8>> = lines.chain(records).collect();
    assert!(told.iter().any(|text| String::from_utf8_lossy(text).contains("secret openai: no new value")));
    for text in told.iter().map(|bytes| String::from_utf8_lossy(bytes)) {
        assert!(!text.contains(FIRST) && !text.contains("short"), "{text}");
    }
}
