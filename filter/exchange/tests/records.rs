//! What is written down.

use super::*;
use crate::host::Reply;

/// Lets time pass until the collector is called; the records it is given.
pub(super) fn delivered(rig: &Rig) -> Vec<Value> {
    rig.pass(1);
    rig.worker.tick(&rig.host);
    let calls = rig.host.calls.borrow();
    let (_, call) = calls.last().expect("a call to the collector");
    assert_eq!(call.cluster, "audit");
    let batch: Value = serde_json::from_slice(&call.body).unwrap();
    let records = batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    records
        .iter()
        .map(|record| serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap())
        .collect()
}

#[test]
fn an_exchange_leaves_a_start_and_an_end_tied_to_the_policys_commit() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
    let body = r#"{"id":"c","model":"gpt-4o-x","choices":[{"message":{"content":"a@example.com"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    rig.piece(&mut exchange, body, true);
    rig.pass(1);
    rig.host.properties.borrow_mut().insert("response.code_details".into(), b"via_upstream".to_vec());
    exchange.finish(&rig.host);
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    let events: Vec<&str> = records.iter().map(|record| record["event.name"].as_str().unwrap()).collect();
    assert_eq!(events, ["portcullis.exchange.start", "portcullis.exchange.end"]);
    for record in &records {
        assert_eq!(record["portcullis.revision"], "c0ffee");
        assert_eq!(record["user.id"], format!("{ISSUER}#alice"));
        assert_eq!(record["portcullis.decision"], "allow");
        assert_eq!(record["gen_ai.request.model"], "gpt-4o");
        assert_eq!(record["portcullis.flags"], json!(["hello"]));
        let condition = r#"prompt.text.contains("Hello")"#;
        assert_eq!(record["portcullis.conditions"], json!({ "hello": condition }));
    }
    let end = &records[1];
    assert_eq!(end["portcullis.outcome"], "complete");
    assert_eq!(end["portcullis.response.entities"], json!({ "EMAIL_ADDRESS": 1 }));
    assert_eq!(end["gen_ai.usage.output_tokens"], 4);
    let everything = serde_json::to_string(&records).unwrap();
    assert!(!everything.contains("a@example") && !everything.contains(CREDENTIAL), "{everything}");
}

#[test]
fn a_refusal_is_recorded_once_with_its_rule() {
    let rig = Rig::new();
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &QUESTION.replace("gpt-4o", "gpt-5"));
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["portcullis.decision"], "deny");
    assert_eq!(records[0]["portcullis.rule"], "models");
    assert_eq!(records[0]["portcullis.conditions"]["models"], r#"!(llm.model in ["", "gpt-4o"])"#);
    assert_eq!(records[0]["portcullis.outcome"], "refused");
    let counts = rig.host.counts.borrow();
    assert_eq!(counts["portcullis_decisions_total{connection=chat,policy=p,decision=deny,reason=rule}"], 1);
}

#[test]
fn monitor_records_what_enforce_would_have_done() {
    let rig = Rig::with(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &QUESTION.replace("gpt-4o", "gpt-5"));
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(records[0]["portcullis.decision"], "allow");
    assert_eq!(records[0]["portcullis.would"], "deny");
    assert_eq!(records[0]["portcullis.would_rule"], "models");
    assert_eq!(records[0]["gen_ai.request.model"], "gpt-5");
}

#[test]
fn a_batch_that_the_collector_did_not_take_is_sent_again() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    exchange.finish(&rig.host);
    let first = delivered(&rig);
    let id = rig.host.calls.borrow().last().unwrap().0;
    rig.worker.reply(&rig.host, id, &Reply::Answer { status: 503, headers: vec![], body: vec![] });
    rig.pass(60);
    assert_eq!(delivered(&rig)[..2], first[..2]);
    assert_eq!(rig.host.calls.borrow().len(), 2);
    assert!(!rig.worker.leave(&rig.host), "not before the collector has them");
    let id = rig.host.calls.borrow().last().unwrap().0;
    rig.worker.reply(&rig.host, id, &Reply::Answer { status: 200, headers: vec![], body: vec![] });
    rig.pass(6);
    assert!(rig.worker.leave(&rig.host));
}

#[test]
fn monitor_records_that_a_body_would_have_been_too_large() {
    let rig = Rig::with(|set| {
        set["mode"] = json!("monitor");
        set["policies"][0]["limits"] = json!({ "max_request_bytes": 1024 });
    });
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    let question = QUESTION.replace("Hello", &"x".repeat(2000));
    assert_eq!(rig.send(&mut exchange, &question), Flow::Continue);
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    let end = records.last().unwrap();
    assert_eq!(end["portcullis.decision"], "allow");
    assert_eq!(end["portcullis.would_reason"], "too_large");
    assert_eq!(end["portcullis.uninspected"], json!(["size"]));
}
