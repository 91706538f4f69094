//! Nothing goes upstream before the collector has the record of its start.

use super::records::delivered;
use super::*;
use crate::host::{Call, CallError, CallId, Reply};

fn rig() -> Rig {
    Rig::with(first)
}

fn first(set: &mut Value) {
    set["audit"] = json!({ "cluster": "audit", "delivery": "before_forward", "timeout": "5s" });
}

/// A whole request that everything but the record allows.
fn asked(rig: &Rig, context: u32) -> Exchange {
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    rig.head("POST", "/v1/chat/completions", &headers);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), context);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Pause);
    exchange
}

/// The worker's next turn; the exchanges that it wakes.
fn turn(rig: &Rig) -> Vec<u32> {
    rig.host.hastened.set(false);
    rig.worker.tick(&rig.host)
}

fn calls(rig: &Rig) -> Vec<(CallId, Call)> {
    rig.host.calls.borrow().clone()
}

/// The collector's answer to the last batch; the exchanges that it wakes.
fn reply(rig: &Rig, status: u16, body: &[u8]) -> Vec<u32> {
    let (id, _) = calls(rig).pop().expect("a batch");
    let reply = Reply::Answer { status, headers: Vec::new(), body: body.to_vec() };
    rig.worker.reply(&rig.host, id, &reply)
}

fn went(rig: &Rig) -> bool {
    rig.host.resumed.borrow().contains(&Side::Request)
}

#[test]
fn a_request_goes_on_when_the_collector_has_its_record() {
    let rig = rig();
    let mut exchange = asked(&rig, 7);
    assert!(rig.host.hastened.get(), "it does not wait for others");
    assert!(turn(&rig).is_empty());
    let (_, call) = calls(&rig).pop().expect("a batch");
    let batch = String::from_utf8(call.body).unwrap();
    assert!(batch.contains("portcullis.exchange.start") && batch.contains("alice"), "{batch}");
    assert!(!went(&rig) && rig.sent("authorization").unwrap() != format!("Bearer {CREDENTIAL}"));
    assert_eq!(reply(&rig, 200, b"{}"), [7]);
    exchange.wake(&rig.host);
    assert!(went(&rig));
    assert_eq!(rig.sent("authorization").unwrap(), format!("Bearer {CREDENTIAL}"));
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(records.len(), 1, "its start is recorded once");
    assert_eq!(records[0]["event.name"], "portcullis.exchange.end");
}

#[test]
fn what_the_collector_does_not_take_is_refused_and_never_goes_upstream() {
    let rejected = br#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#;
    for (status, body) in [(500, &b""[..]), (503, b""), (400, b""), (401, b""), (200, rejected)] {
        let rig = rig();
        let mut exchange = asked(&rig, 7);
        turn(&rig);
        assert_eq!(reply(&rig, status, body), [7], "{status}");
        exchange.wake(&rig.host);
        assert!(!went(&rig), "{status}");
        assert_eq!((rig.refusal().status, rig.code().as_str()), (503, "guard_unavailable"));
        exchange.finish(&rig.host);
        rig.pass(60);
        let records = delivered(&rig);
        let end = records.iter().find(|record| record["event.name"] == "portcullis.exchange.end");
        if let Some(end) = end {
            assert_eq!(end["portcullis.outcome"], "refused");
            assert_eq!(end["portcullis.decision"], "error");
        }
    }
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    for error in [CallError::Unavailable, CallError::UnknownCluster] {
        let rig = rig();
        let mut exchange = asked(&rig, 7);
        rig.host.refuse_calls.set(Some(error));
        assert_eq!(turn(&rig), [7]);
        exchange.wake(&rig.host);
        assert_eq!(rig.code(), "guard_unavailable");
        assert!(!went(&rig));
    }
}

#[test]
fn a_slow_collector_refuses_when_a_call_to_it_may_take_no_longer() {
    let rig = rig();
    let mut exchange = asked(&rig, 7);
    turn(&rig);
    rig.pass(4);
    assert!(turn(&rig).is_empty());
    rig.pass(1);
    assert_eq!(turn(&rig), [7]);
    exchange.wake(&rig.host);
    assert_eq!(rig.code(), "guard_unavailable");
    // What it says now comes too late.
    assert!(reply(&rig, 200, b"{}").is_empty());
    exchange.wake(&rig.host);
    assert!(!went(&rig));
}

#[test]
fn those_that_wait_share_a_batch_and_the_next_goes_when_it_is_answered() {
    let rig = rig();
    let mut exchanges: Vec<Exchange> = (1..=3).map(|context| asked(&rig, context)).collect();
    turn(&rig);
    assert_eq!(calls(&rig).len(), 1);
    let mut late = asked(&rig, 4);
    assert!(turn(&rig).is_empty());
    assert_eq!(calls(&rig).len(), 1, "one batch at a time");
    assert_eq!(reply(&rig, 200, b"{}"), [1, 2, 3]);
    assert_eq!(calls(&rig).len(), 2, "nobody waits for the worker's next turn");
    exchanges.iter_mut().for_each(|exchange| exchange.wake(&rig.host));
    assert_eq!(rig.host.resumed.borrow().len(), 3);
    late.wake(&rig.host);
    assert_eq!(rig.code(), "guard_unavailable", "woken before its record was taken, it does not go on");
}

#[test]
fn calls_go_on_soon_after_the_collector_does() {
    let rig = rig();
    let mut lost = asked(&rig, 1);
    turn(&rig);
    reply(&rig, 503, b"");
    lost.wake(&rig.host);
    lost.finish(&rig.host);
    rig.host.answers.borrow_mut().clear();
    let mut next = asked(&rig, 2);
    rig.pass(2);
    turn(&rig);
    let woken = reply(&rig, 200, b"{}");
    assert!(woken.is_empty(), "that was the batch before");
    assert_eq!(reply(&rig, 200, b"{}"), [2]);
    next.wake(&rig.host);
    assert!(went(&rig) && rig.host.answers.borrow().is_empty());
}

#[test]
fn a_body_that_nobody_needs_is_read_while_it_waits() {
    let rig = Rig::with(|set| {
        first(set);
        set["policies"][0].as_object_mut().unwrap().remove("rules");
    });
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause);
    let (some, all) = (&QUESTION[..10], QUESTION);
    *rig.host.request_body.borrow_mut() = some.as_bytes().to_vec();
    assert_eq!(exchange.request_body(&rig.host, some.len(), false), Flow::Pause);
    *rig.host.request_body.borrow_mut() = all.as_bytes().to_vec();
    assert_eq!(exchange.request_body(&rig.host, all.len(), true), Flow::Pause);
    turn(&rig);
    assert_eq!(reply(&rig, 200, b"{}"), [7]);
    exchange.wake(&rig.host);
    assert!(went(&rig));
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(records[0]["gen_ai.request.model"], "gpt-4o");
    assert_eq!(records[0]["http.request.body.size"], all.len());
}

#[test]
fn a_caller_that_leaves_while_it_waits_is_recorded_as_gone() {
    let rig = rig();
    let mut exchange = asked(&rig, 7);
    rig.host
        .properties
        .borrow_mut()
        .insert("response.code_details".into(), b"downstream_remote_disconnect".to_vec());
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    let outcomes: Vec<_> = records.iter().map(|record| &record["portcullis.outcome"]).collect();
    assert_eq!(outcomes, [&Value::Null, &json!("client_gone")]);
}

#[test]
fn monitor_waits_for_nothing() {
    let rig = Rig::with(|set| {
        first(set);
        set["mode"] = json!("monitor");
    });
    rig.allowed();
}

#[test]
fn a_tunnel_which_is_never_held_is_refused() {
    let rig = Rig::with(|set| {
        first(set);
        set["policies"][0]["uninspected"] = json!({ "default": "deny", "allow": ["grpc", "path"] });
        set["policies"][0].as_object_mut().unwrap().remove("rules");
    });
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head("POST", "/v1/x.Y/Z", &[("authorization", &bearer), ("content-type", "application/grpc")]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.refusal().grpc_status, Some(14));
    assert!(calls(&rig).is_empty());
}

#[test]
fn with_the_queue_full_a_call_is_refused_at_once() {
    let rig = rig();
    let mut refused = 0;
    for context in 0..5000 {
        rig.host.answers.borrow_mut().clear();
        let mut exchange = Exchange::begin(Rc::clone(&rig.worker), context);
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        rig.head(
            "POST",
            "/v1/chat/completions",
            &[("authorization", &bearer), ("content-type", "application/json")],
        );
        exchange.request_head(&rig.host, false);
        rig.send(&mut exchange, QUESTION);
        refused += rig.host.answers.borrow().len();
        if refused > 0 {
            break;
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(rig.code(), "guard_unavailable");
    assert!(!went(&rig));
}
