//! Answers that a recogniser reads.

use super::*;
use crate::config::Problem;
use crate::host::{CallError, CallId, Reply};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const BODY: &str = r#"{"choices":[{"message":{"content":"Ask Zoë Müller, a@example.com,"}},{"message":{"content":"or \u0042ob."}}]}"#;

fn rig(change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["recognisers"] = json!([{ "name": "presidio", "cluster": "presidio", "entities": ["PERSON", "LOCATION"], "max_bytes": "1Ki" }]);
        set["policies"][0]["mask"]["response"]["entities"] = json!(["PII", "PERSON"]);
        change(set);
    })
}

/// What the recogniser was asked last.
fn question(rig: &Rig) -> (CallId, Value) {
    let calls = rig.host.calls.borrow();
    let (id, call) = calls.last().unwrap();
    assert_eq!(call.cluster, "presidio");
    assert!(call.headers.contains(&(":path".to_owned(), "/analyze".to_owned())), "{:?}", call.headers);
    (*id, serde_json::from_slice(&call.body).unwrap())
}

fn findings(value: &Value) -> Reply {
    Reply::Answer { status: 200, headers: vec![], body: value.to_string().into_bytes() }
}

fn people() -> Reply {
    findings(&json!([
        { "entity_type": "PERSON", "start": 4, "end": 14, "score": 0.85 },
        { "entity_type": "PERSON", "start": 37, "end": 40, "score": 0.85 },
        { "entity_type": "PERSON", "start": 0, "end": 3, "score": 0.3 },
        { "entity_type": "LOCATION", "start": 0, "end": 3, "score": 0.9 }
    ]))
}

#[test]
fn names_are_masked_in_an_answer_that_is_held_head_and_all() {
    let rig = rig(|_| {});
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "200", &JSON), Flow::Pause);
    let (first, second) = BODY.split_at(40);
    assert_eq!(rig.piece(&mut exchange, first, false), None);
    assert_eq!(rig.piece(&mut exchange, second, true), None);
    let (call, asked) = question(&rig);
    assert_eq!(
        asked,
        json!({ "text": "Ask Zoë Müller, <EMAIL_ADDRESS>,\n\nor Bob.", "language": "en", "entities": ["PERSON"], "score_threshold": 0.5 }),
        "what the patterns mask reaches nobody, and only what the policy masks is asked for"
    );
    exchange.reply(&rig.host, call + 1, &people());
    assert!(rig.host.resumed.borrow().is_empty(), "another call's reply is nobody's");
    exchange.reply(&rig.host, call, &people());
    assert_eq!(*rig.host.resumed.borrow(), [Side::Response]);
    let seen = String::from_utf8(rig.host.response_body.borrow().clone()).unwrap();
    assert_eq!(
        seen,
        r#"{"choices":[{"message":{"content":"Ask <PERSON>, <EMAIL_ADDRESS>,"}},{"message":{"content":"or <PERSON>."}}]}"#
    );
    exchange.finish(&rig.host);
    let counts = rig.host.counts.borrow();
    assert_eq!(counts["portcullis_masked_total{policy=p,side=response,entity=PERSON,operator=replace}"], 2);
    assert_eq!(
        counts["portcullis_masked_total{policy=p,side=response,entity=EMAIL_ADDRESS,operator=replace}"],
        1
    );
}

#[test]
fn a_recogniser_that_gives_no_findings_refuses_the_exchange() {
    let replies = [
        Reply::Broken,
        Reply::Answer { status: 504, headers: vec![], body: vec![] },
        Reply::Answer { status: 200, headers: vec![], body: b"<html>".to_vec() },
        findings(&json!({ "error": "no such language" })),
        findings(&json!([{ "entity_type": "PERSON", "start": -1, "end": 2 }])),
    ];
    for reply in replies {
        let rig = rig(|_| {});
        let mut exchange = rig.allowed();
        rig.answer(&mut exchange, "200", &JSON);
        rig.piece(&mut exchange, BODY, true);
        let (call, _) = question(&rig);
        exchange.reply(&rig.host, call, &reply);
        assert_eq!((rig.refusal().status, rig.code().as_str()), (503, "guard_unavailable"), "{reply:?}");
        assert!(rig.host.resumed.borrow().is_empty());
    }
    let rig = rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    rig.host.refuse_calls.set(Some(CallError::Unavailable));
    assert_eq!(rig.piece(&mut exchange, BODY, true), None);
    assert_eq!(rig.code(), "guard_unavailable");
}

#[test]
fn an_answer_without_findings_goes_out_as_the_patterns_left_it() {
    let rig = rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    rig.piece(&mut exchange, BODY, true);
    exchange.reply(&rig.host, question(&rig).0, &findings(&json!([])));
    let seen = String::from_utf8(rig.host.response_body.borrow().clone()).unwrap();
    assert_eq!(seen, BODY.replace("a@example.com", "<EMAIL_ADDRESS>"));

    let rig = self::rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    assert_eq!(rig.piece(&mut exchange, r#"{"choices":[]}"#, true).as_deref(), Some(r#"{"choices":[]}"#));
    assert!(
        rig.host.calls.borrow().iter().all(|(_, call)| call.cluster != "presidio"),
        "nothing to ask about"
    );
}

#[test]
fn what_a_recogniser_cannot_read_whole_is_a_kind_of_uninspected() {
    let rig = rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "text/event-stream")]);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (502, "upstream_unreadable"));

    let rig = self::rig(|_| {});
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.send(&mut exchange, &QUESTION.replacen("{", r#"{"stream":true,"#, 1)), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (415, "uninspectable"));

    let rig = self::rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    assert_eq!(rig.piece(&mut exchange, &" ".repeat(2000), false), None);
    assert_eq!(rig.code(), "upstream_unreadable");

    let rig = self::rig(|set| set["policies"][0]["uninspected"] = json!({ "allow": ["stream", "size"] }));
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", "text/event-stream")]), Flow::Continue);
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a@example.com \"}}]}\n\n";
    let seen = rig.piece(&mut exchange, event, false).unwrap();
    assert!(seen.contains("<EMAIL_ADDRESS>"), "the patterns still hold: {seen}");

    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    let long = format!("{}{BODY}", " ".repeat(2000));
    let seen = rig.piece(&mut exchange, &long, true).unwrap();
    assert!(seen.contains("<EMAIL_ADDRESS>") && seen.contains("Müller"), "{seen}");
}

#[test]
fn an_answer_whose_head_says_that_it_is_too_long_to_be_given_is_not_held_for_it() {
    let head = [JSON[0], ("content-length", "2000")];
    let rig = self::rig(|_| {});
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &head);
    assert_eq!(rig.code(), "upstream_unreadable");

    let rig = self::rig(|set| set["policies"][0]["uninspected"] = json!({ "allow": ["size"] }));
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "200", &head), Flow::Continue);
    let seen = rig.piece(&mut exchange, BODY, false).unwrap();
    assert!(seen.contains("<EMAIL_ADDRESS>") && seen.contains("Müller"), "{seen}");
}

#[test]
fn an_answer_that_grows_beyond_the_proxys_buffer_is_refused_before_it_is_put_there() {
    let rig = rig(|set| set["recognisers"][0]["max_bytes"] = json!("1Mi"));
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    let body = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "a@b.co ".repeat(100_000));
    assert_eq!(rig.piece(&mut exchange, &body, true), None);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (502, "upstream_unreadable"));
    assert_eq!(rig.host.response_body.borrow().len(), body.len(), "nothing was put into the buffer");
}

#[test]
fn monitor_holds_nothing_and_records_what_was_recognised() {
    let rig = rig(|set| set["mode"] = json!("monitor"));
    for reply in [people(), Reply::Broken] {
        let mut exchange = rig.allowed();
        assert_eq!(rig.answer(&mut exchange, "200", &JSON), Flow::Continue);
        assert_eq!(rig.piece(&mut exchange, BODY, true).as_deref(), Some(BODY));
        exchange.finish(&rig.host);
        rig.worker.tick(&rig.host);
        let (call, asked) = question(&rig);
        assert_eq!(asked["text"], "Ask Zoë Müller, <EMAIL_ADDRESS>,\n\nor Bob.");
        rig.worker.reply(&rig.host, call, &reply);
    }
    let records = super::records::delivered(&rig);
    let ends: Vec<_> = records.iter().filter(|record| record["portcullis.outcome"].is_string()).collect();
    assert_eq!(ends[0]["portcullis.response.entities"], json!({ "EMAIL_ADDRESS": 1, "PERSON": 2 }));
    assert_eq!(ends[1]["portcullis.response.entities"], json!({ "EMAIL_ADDRESS": 1 }));
    assert_eq!(ends[1]["portcullis.rule_errors"], json!(["recogniser presidio: it cannot be reached"]));
}

#[test]
fn a_worker_that_leaves_records_what_it_never_asked() {
    let rig = rig(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &JSON);
    rig.piece(&mut exchange, BODY, true);
    exchange.finish(&rig.host);
    rig.worker.leave(&rig.host);
    let calls = rig.host.calls.borrow();
    let batch = String::from_utf8(calls.last().unwrap().1.body.clone()).unwrap();
    assert!(batch.contains("the configuration was replaced"), "{batch}");
}

fn refused(change: impl FnOnce(&mut Value), body_before_headers: bool) -> Vec<String> {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    set["recognisers"] = json!([{ "name": "presidio", "cluster": "presidio", "entities": ["PERSON"] }]);
    set["policies"][0]["mask"]["response"]["entities"] = json!(["PERSON"]);
    change(&mut set);
    let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
    let mut root = json::read(set.to_string().as_bytes()).unwrap();
    assert_eq!(root.settle(), []);
    let problems: Result<Vec<u8>, Vec<Problem>> =
        Bundle::of(&root, "c0ffee", HostPromises { body_before_headers })
            .map(|(bundle, _)| bundle.encode(&root).unwrap().into_bytes());
    let problems = problems.and_then(|bundle| Worker::start(&host, &bundle).map(drop));
    problems.unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn recognisers_that_cannot_work_are_refused_at_load() {
    let told = refused(|set| set["policies"][0]["rules"] = json!([{ "name": "a", "flag": "true" }]), false);
    assert!(told[0].contains("must read answers whole"), "{told:?}");
    let told = refused(|set| set["recognisers"] = json!([]), true);
    assert!(told[0].contains("recognisers"), "{told:?}");
    let told = refused(
        |set| set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["PII"], "restore": true }),
        true,
    );
    assert!(told[0].contains("puts values back"), "{told:?}");
    let two = |second: Value| {
        move |set: &mut Value| {
            set["recognisers"].as_array_mut().unwrap().push(second);
            set["policies"][0]["mask"]["response"]["entities"] = json!(["PERSON", "LOCATION"]);
        }
    };
    let told = refused(two(json!({ "name": "b", "cluster": "b", "entities": ["PERSON", "LOCATION"] })), true);
    assert!(told[0].contains("`PERSON` is found already"), "{told:?}");
    let told = refused(two(json!({ "name": "b", "cluster": "b", "entities": ["LOCATION"] })), true);
    assert!(told[0].contains("two recognisers find"), "{told:?}");
    let told =
        refused(two(json!({ "name": "b", "cluster": "b", "entities": ["LOCATION"], "min_score": 2 })), true);
    assert!(told[0].contains("between 0 and 1"), "{told:?}");
}
