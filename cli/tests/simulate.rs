//! `portcullis simulate` as people run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod support;

use serde_json::{Value, json};
use support::{directory, run, text};

const SET: &str = "\
version: 1
issuers:
  - { name: corp, issuer: https://i.example, audiences: [rag], jwks: { cluster: idp } }
connections:
  - { name: chat, protocol: openai, policy: chat, match: { path_prefix: /v1 } }
policies:
  - name: chat
    allow: '\"users\" in identity.groups'
    rules:
      - { name: models, deny: 'llm.model != \"gpt-4o\"' }
      - { name: words, deny: 'prompt.text.contains(\"secret\")', mode: monitor }
      - { name: long, flag: llm.prompt_chars > 100 }
    limits: { max_output_tokens: 1000 }
    mask: { response: { entities: [EMAIL_ADDRESS] } }
";

/// The end record of a call that went on.
fn ended(subject: &str, changes: &Value) -> Value {
    let mut record = json!({
        "event.name": "portcullis.exchange.end",
        "portcullis.exchange": format!("x-{subject}"),
        "user.id": format!("https://i.example#{subject}"),
        "portcullis.identity.issuer": "https://i.example",
        "portcullis.identity.groups": ["users"],
        "portcullis.connection": "chat",
        "portcullis.decision": "allow",
        "http.request.method": "POST",
        "url.path": "/v1/chat/completions",
        "portcullis.llm.operation": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 500,
        "portcullis.llm.messages": 1,
        "portcullis.llm.prompt_chars": 20,
        "time": "2026-11-22T15:59:21.000000000Z",
    });
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn simulated(set: &str, records: &[Value], arguments: &[&str]) -> (String, i32) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let directory = directory(&[("set.yaml", set), ("records.jsonl", &lines)]);
    let output = run(directory.path(), &[&["simulate", "--records", "records.jsonl"], arguments].concat());
    (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn changes_are_told_by_rule_and_by_caller() {
    let refused =
        json!({ "portcullis.decision": "deny", "portcullis.reason": "forbidden", "portcullis.rule": "old" });
    let records = [
        ended("alice", &json!({ "gen_ai.request.model": "gpt-5" })),
        ended("bob", &json!({ "gen_ai.request.model": "gpt-5" })),
        ended("bob", &json!({ "gen_ai.request.model": "gpt-5", "portcullis.exchange": "x-2" })),
        ended("carol", &refused),
        ended("dave", &json!({ "portcullis.llm.prompt_chars": 200, "gen_ai.request.max_tokens": 2000 })),
        ended(
            "erin",
            &json!({
                "portcullis.response.entities": { "EMAIL_ADDRESS": 1, "CREDIT_CARD": 2 },
                "portcullis.response.operators": { "replace": 3 },
            }),
        ),
        ended("frank", &json!({ "portcullis.decision": "deny", "portcullis.reason": "unauthenticated" })),
        json!({ "event.name": "portcullis.chain.anchor" }),
        json!({ "event.name": "portcullis.exchange.summary", "portcullis.summed.count": 7 }),
    ];
    let (told, code) = simulated(SET, &records, &[]);
    assert_eq!(
        told,
        "\
6 exchanges judged again; not judged: 1 unauthenticated

  decision               was   would
  allow                    5       3
  forbidden                1       3

what changes
       3  allow -> forbidden (chat/models): https://i.example#bob 2, https://i.example#alice 1
       1  forbidden (old) -> allow: https://i.example#carol 1
       1  no longer masked in responses: CREDIT_CARD: https://i.example#erin 1
       1  would be bounded: max_output_tokens: https://i.example#dave 1
       1  would hold: flag chat/long: https://i.example#dave 1

what these records cannot tell
       3  chat/words: reads prompt.text
note: 7 refusals before identity were summed up when they were recorded
"
    );
    assert_eq!(code, 3);
    let (told, _) = simulated(SET, &records, &["--list"]);
    assert!(told.contains("\n          x-2\n"), "{told}");
}

#[test]
fn what_stays_the_same_is_told_so_and_the_exit_code_too() {
    let (told, code) = simulated(SET, &[ended("alice", &json!({}))], &[]);
    assert!(told.contains("\nnothing changes\n"), "{told}");
    assert_eq!(code, 0);
    // A flag is nothing that a caller feels.
    let (told, code) = simulated(SET, &[ended("alice", &json!({ "portcullis.flags": ["gone"] }))], &[]);
    assert!(told.contains("no longer hold: flag chat/gone"), "{told}");
    assert_eq!(code, 0);
}

#[test]
fn a_policy_that_is_the_very_same_changes_nothing() {
    let set = SET.replace(", mode: monitor", "");
    let directory = directory(&[("set.yaml", &set)]);
    let bundle = text(&run(directory.path(), &["bundle", "--revision", "r", "."]).stdout);
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    let same = json!({ "portcullis.policy_digest": bundle["policies"]["chat"] });
    let other = json!({ "portcullis.policy_digest": "sha256:0" });
    let (told, code) = simulated(&set, &[ended("alice", &same)], &[]);
    assert!(told.contains("allow                    1       1") && !told.contains("cannot"), "{told}");
    assert_eq!(code, 0);
    let (told, code) = simulated(&set, &[ended("alice", &other)], &[]);
    assert!(told.contains("cannot be told           0       1"), "{told}");
    assert_eq!(code, 0);
}

#[test]
fn monitor_tells_what_enforce_would_do() {
    let set = SET.replace("version: 1\n", "version: 1\nmode: monitor\n");
    let records = [ended("alice", &json!({ "gen_ai.request.model": "gpt-5" }))];
    let (told, code) = simulated(&set, &records, &[]);
    assert!(told.contains("monitor: allow -> forbidden (chat/models)"), "{told}");
    assert_eq!(code, 0);
}

#[test]
fn batches_of_a_collector_are_read_from_the_standard_input_too() {
    let body = ended("alice", &json!({ "gen_ai.request.model": "gpt-5" })).to_string();
    let batch = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "body": { "stringValue": body } }] }] }] });
    let (told, code) = simulated(SET, &[batch], &["--format", "json"]);
    let json: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &json["judged"], &json["same"]), (3, &json!(1), &json!(false)));
    assert_eq!(json["changes"][0]["exchanges"], json!(["x-alice"]));
    assert_eq!(
        json["exchanges"][0]["would"],
        json!({ "decision": "deny", "reason": "forbidden", "rule": "models" })
    );
}

#[test]
fn faults_are_told() {
    let (told, code) = simulated(SET, &[json!({ "a": 1 })], &[]);
    assert!(told.contains("records.jsonl: line 1 holds no audit record"), "{told}");
    assert_eq!(code, 1);
    let (told, code) = simulated(&SET.replace("llm.model", "llm.modle"), &[], &[]);
    assert!(told.contains("llm.modle"), "{told}");
    assert_eq!(code, 1);
    let directory = directory(&[("set.yaml", SET)]);
    let output = run(directory.path(), &["simulate", "--records", "none"]);
    assert!(text(&output.stderr).contains("none: cannot be read"), "{output:?}");
}

#[test]
fn records_that_are_not_there_do_not_pass_for_records_that_stay_the_same() {
    let foreign = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"{\"event.name\":\"x\"}"}}]}]}]}"#;
    for records in ["", "\n\n", foreign] {
        let directory = directory(&[("set.yaml", SET), ("records.jsonl", records)]);
        let output = run(directory.path(), &["simulate", "--records", "records.jsonl", "set.yaml"]);
        assert_eq!(output.status.code(), Some(1), "{records:?}: {output:?}");
        assert_eq!(text(&output.stderr), "error: records.jsonl: holds no audit record\n");
    }
}
