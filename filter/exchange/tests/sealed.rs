//! Records that hold what was said as it was said, for auditors alone.

use std::io::Read as _;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use base64::engine::general_purpose::STANDARD;

use super::answers::{EVENT, delta};
use super::captures::{json_answer, question, said, take_batches, texts};
use super::records::delivered;
use super::*;
use crate::config::Problem;

const EMAIL: &str = "jane@example.com";

/// A set that seals to these auditors.
fn sealing(recipients: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let key = Ed25519KeyPair::generate();
    let mut set = set(&key);
    set["audit"] = json!({ "cluster": "audit", "capture": "full", "recipients": recipients });
    change(&mut set);
    set
}

fn rig(auditors: &[&Identity]) -> Rig {
    let recipients: Vec<String> = auditors.iter().map(|one| one.to_public().to_string()).collect();
    Rig::with(|set| {
        set["audit"]["capture"] = json!("full");
        set["audit"]["recipients"] = json!(recipients);
        set["policies"][0]["mask"]["response"]["entities"] = json!(["PII"]);
        set["policies"][0].as_object_mut().unwrap().remove("rules");
    })
}

/// Puts what this auditor can read in the place of what is sealed; how many were sealed.
fn open(records: &mut [Value], auditor: &Identity) -> usize {
    let mut count = 0;
    for record in records {
        for side in ["prompt", "response"] {
            let Some(sealed) = record[format!("portcullis.{side}.sealed")].as_str() else { continue };
            let file = STANDARD.decode(sealed).unwrap();
            let decryptor = age::Decryptor::new(&file[..]).unwrap();
            let mut reader = decryptor.decrypt([auditor as &dyn age::Identity].into_iter()).unwrap();
            let mut json = String::new();
            reader.read_to_string(&mut json).unwrap();
            record[format!("portcullis.{side}.texts")] = serde_json::from_str(&json).unwrap();
            count += 1;
        }
    }
    count
}

#[test]
fn every_auditor_reads_what_was_said_and_the_collector_none_of_it() {
    let auditors = [Identity::generate(), Identity::generate()];
    for auditor in &auditors {
        let rig = rig(&[&auditors[0], &auditors[1]]);
        let mut exchange = rig.ask(&["rag-users"]);
        exchange.request_head(&rig.host, false);
        rig.send(&mut exchange, &question(&format!("Hello, I am {EMAIL}")));
        let mut records =
            json_answer(&rig, &mut exchange, &said(&format!("write to {EMAIL} with {CREDENTIAL}")));
        let seen = serde_json::to_string(&records).unwrap();
        assert!(!seen.contains(EMAIL) && !seen.contains("Be brief") && !seen.contains("write to"), "{seen}");
        assert_eq!(records[0]["portcullis.capture"], "full");
        assert_eq!(open(&mut records, auditor), 2);
        assert_eq!(texts(&records, "prompt"), ["Be brief.".to_owned(), format!("Hello, I am {EMAIL}")]);
        // What nobody may ever read is not even sealed.
        assert_eq!(texts(&records, "response"), [format!("write to {EMAIL} with <UPSTREAM_CREDENTIAL>")]);
    }
}

#[test]
fn a_connection_without_a_credential_seals_as_much() {
    let auditor = Identity::generate();
    let rig = Rig::with(|set| {
        set["audit"]["capture"] = json!("full");
        set["audit"]["recipients"] = json!([auditor.to_public().to_string()]);
        set["connections"][1].as_object_mut().unwrap().remove("credential");
        let policy = set["policies"][0].as_object_mut().unwrap();
        policy.remove("mask");
        policy.remove("rules");
    });
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &question(EMAIL));
    let mut records = json_answer(&rig, &mut exchange, &said(EMAIL));
    assert_eq!(open(&mut records, &auditor), 2);
    assert_eq!(texts(&records, "prompt"), ["Be brief.", EMAIL]);
    assert_eq!(texts(&records, "response"), [EMAIL]);
}

#[test]
fn attributes_have_nothing_of_what_is_sealed() {
    let auditor = Identity::generate();
    let rig = rig(&[&auditor]);
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &question("Hello"));
    delivered(&rig);
    let calls = rig.host.calls.borrow();
    let batch: Value = serde_json::from_slice(&calls.last().unwrap().1.body).unwrap();
    let record = &batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert!(record["body"]["stringValue"].as_str().unwrap().contains("portcullis.prompt.sealed"));
    assert!(!record["attributes"].to_string().contains("sealed"), "{record}");
}

#[test]
fn a_long_stream_is_sealed_part_by_part() {
    let auditor = Identity::generate();
    let rig = rig(&[&auditor]);
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, &question("Hello"));
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    let word = "a \u{1}\" word that is escaped ";
    let event = delta(json!(word).to_string().trim_matches('"'));
    for _ in 0..3000 {
        rig.piece(&mut exchange, &event, false);
    }
    let mut records = delivered(&rig);
    rig.piece(&mut exchange, "data: [DONE]\n\n", true);
    exchange.finish(&rig.host);
    take_batches(&rig, &mut records);
    assert!(open(&mut records, &auditor) > 5);
    assert_eq!(texts(&records, "response"), [word.repeat(3000)]);
    assert!(records.last().unwrap()["portcullis.parts"].as_u64().unwrap() >= 4, "{:?}", records.last());
}

fn problems(recipients: &Value, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let set = sealing(recipients, change);
    let host = Memory::default();
    let mut root = json::read(set.to_string().as_bytes()).unwrap();
    let told = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect();
    let mut faults = root.settle();
    match Bundle::of(&root, "c0ffee", HostPromises { body_before_headers: true }) {
        Ok((bundle, _)) if faults.is_empty() => {
            let bundle = bundle.encode(&root).unwrap().into_bytes();
            Worker::start(&host, &bundle).err().map(told).unwrap_or_default()
        }
        Ok(_) => told(faults),
        Err(more) => {
            faults.extend(more);
            told(faults)
        }
    }
}

#[test]
fn what_nobody_could_open_or_everybody_is_refused_when_the_set_loads() {
    let auditor = Identity::generate();
    let public = json!([auditor.to_public().to_string()]);
    let find = |problems: Vec<String>, what: &str| {
        assert!(problems.iter().any(|problem| problem.contains(what)), "{what}: {problems:?}");
    };
    find(problems(&json!(["age1nothing"]), |_| {}), "audit.recipients[0]: is no recipient of age");
    let secret = json!([auditor.to_string().expose_secret()]);
    let told = problems(&secret, |_| {});
    find(told.clone(), "is a secret key");
    assert!(!format!("{told:?}").contains(auditor.to_string().expose_secret()), "{told:?}");
    let without = |set: &mut Value| {
        set["audit"].as_object_mut().unwrap().remove("recipients");
    };
    find(problems(&public, without), "has nobody who could read");
    find(
        problems(&public, |set| set["audit"]["capture"] = json!("masked")),
        "has no effect without `capture: full`",
    );
}
