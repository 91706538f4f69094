//! `portcullis audit` as people run it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis::audit::chain::Head;
use portcullis::audit::otlp::Resource;
use portcullis::audit::signature::Signer;
use portcullis::audit::{Answer, EndRecord, Facts, Limits, Record, Recorder, StartRecord, Text};
use serde_json::Value;
use support::{directory, run, text};

/// RFC 8032, section 7.1, the first test.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const START: u64 = 1_795_363_161_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// What a collector got: a batch a line. Two exchanges in each, one of them without an end in the last.
fn batches(signed: bool, seconds: u64) -> Vec<String> {
    chain(7, signed, 0, seconds)
}

/// The same of a chain of its own, from some second on.
fn chain(id: u8, signed: bool, from: u64, seconds: u64) -> Vec<String> {
    let mut recorder = Recorder::new([id; 16], &Resource::default(), Limits::default());
    if signed {
        recorder = recorder.signing(Signer::of_seed(SEED).unwrap());
    }
    let mut lines = Vec::new();
    for at in 0..seconds {
        let now = START + (from + at) * SECOND;
        let facts = |name: &str| Facts {
            exchange: Text::from(format!("{name}-{at}")),
            user_id: Some(Text::from("https://idp.example.com#alice")),
            ..Facts::default()
        };
        let start =
            |name| Record::Start(Box::new(StartRecord { facts: facts(name), ..StartRecord::default() }));
        let end = |name| Record::End(Box::new(EndRecord { facts: facts(name), ..EndRecord::default() }));
        let mut records = vec![start("a"), start("b"), end("a")];
        records.extend((at + 1 < seconds).then(|| end("b")));
        for record in &records {
            recorder.record(now, record);
        }
        if let Some(batch) = recorder.next_batch(now + SECOND / 2) {
            lines.push(String::from_utf8(batch.body).unwrap());
            let taken = Answer::Status { status: 200, retry_after: None, body: &[] };
            recorder.delivered(batch.ticket, now + SECOND / 2, &taken);
        }
    }
    lines
}

fn verified(lines: &[String], arguments: &[&str]) -> (String, i32) {
    let directory = directory(&[("records.jsonl", &lines.join("\n"))]);
    let output = run(directory.path(), &[&["audit", "verify", "records.jsonl"], arguments].concat());
    (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn whole_records_are_said_to_be_whole() {
    let (said, code) = verified(&batches(false, 90), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("vouched for up to number "), "{said}");
    assert!(said.contains("begun and without an end: b-89\n"), "{said}");
    assert!(said.contains("whole: 36"), "{said}");
}

#[test]
fn a_signature_is_asked_for_where_a_key_is_given() {
    let (said, code) = verified(&batches(true, 90), &["--key", PUBLIC]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("by a signed anchor"), "{said}");
    let (said, code) = verified(&batches(false, 90), &["--key", PUBLIC]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("an anchor without a signature") && said.contains("DAMAGED: 1 finding"), "{said}");
    let other = Signer::of_seed(PUBLIC).unwrap().public();
    let (said, code) = verified(&batches(true, 90), &["--key", &other]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("whose signature holds under none of the keys"), "{said}");
    // After a change of keys both are given.
    assert_eq!(verified(&batches(true, 90), &["--key", &other, "--key", PUBLIC]).1, 0);
}

#[test]
fn a_chain_that_was_cut_before_its_first_anchor_or_had_none_shows_where_a_key_is_given() {
    let lines = batches(true, 400);
    let without: Vec<String> = lines.into_iter().filter(|line| !line.contains("chain.anchor")).collect();
    let (said, code) = verified(&without, &["--key", PUBLIC, "--partial"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("no record is vouched for by a signed anchor: DAMAGE"), "{said}");
}

#[test]
fn short_chains_without_an_anchor_do_not_stand_for_one_that_was_taken_out() {
    let last = chain(9, true, 600, 90);
    let (said, code) = verified(&[chain(8, true, 0, 30), last.clone()].concat(), &["--key", PUBLIC]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("no record is vouched for by a signed anchor: DAMAGE"), "{said}");
    // Of a chain that has just begun none has come yet.
    assert_eq!(verified(&[chain(8, true, 670, 10), last].concat(), &["--key", PUBLIC]).1, 0);
}

#[test]
fn every_damage_is_named_with_its_place() {
    let whole = batches(true, 90);
    let changed: Vec<String> = whole.iter().map(|line| line.replace("a-7", "x-7")).collect();
    let (said, code) = verified(&changed, &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("number 29: changed since it was written"), "{said}");

    let mut missing = whole.clone();
    missing.remove(3);
    let (said, code) = verified(&missing, &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("numbers 13 to 16: not there, and no record says why"), "{said}");

    let mut hidden = whole.clone();
    let attribute = r#"{"key":"user.id","value":{"stringValue":"https://idp.example.com#alice"}}"#;
    assert!(hidden[0].contains(attribute));
    hidden[0] = hidden[0].replacen(attribute, &attribute.replace("alice", "mallory"), 1);
    let (said, code) = verified(&hidden, &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("number 1: attributes say something else than the record: user.id"), "{said}");

    let twice = [whole.clone(), vec![whole[0].clone()]].concat();
    let (said, code) = verified(&twice, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("note: number 1: delivered more than once"), "{said}");
}

#[test]
fn a_part_of_the_records_is_judged_by_itself() {
    let part = &batches(true, 90)[20..];
    assert_eq!(verified(part, &[]).1, 3);
    let (said, code) = verified(part, &["--partial", "--key", PUBLIC]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("numbers 81 to "), "{said}");
}

#[test]
fn programs_read_the_same() {
    let mut lines = batches(true, 3);
    lines.remove(1);
    let (said, code) = verified(&lines, &["--format", "json"]);
    let read: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, 3);
    assert_eq!(read["whole"], false);
    assert_eq!(read["chains"][0]["open"], serde_json::json!(["b-2"]));
    assert_eq!(read["findings"][0]["what"], "missing");
    assert_eq!((&read["findings"][0]["first"], &read["findings"][0]["last"]), (&5.into(), &8.into()));
}

#[test]
fn what_is_no_file_of_records_is_an_error() {
    let (said, code) = verified(&["{\"a\":1}".to_owned()], &[]);
    assert_eq!(code, 1);
    assert!(said.contains("records.jsonl: line 1 holds no audit record"), "{said}");
    let foreign = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    let (said, code) = verified(&[foreign.to_owned()], &[]);
    assert_eq!((code, said.contains("holds no audit record")), (1, true), "{said}");
    let (said, code) = verified(&batches(false, 1), &["--key", "AAAA"]);
    assert_eq!(code, 2);
    assert!(said.contains("does not hold 32 bytes but 3"), "{said}");
}

#[test]
fn the_public_key_of_a_signing_key_is_printed() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["audit", "public-key"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{SEED}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), format!("{PUBLIC}\n"));
}

/// Answers one request so, and gives what came.
fn collector(answer: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let came = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, came)
}

fn answered(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn asked(address: &str, token: Option<&str>) -> (String, i32) {
    let directory = directory(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(directory.path()).args(["audit", "verify", address]).env_remove("PORTCULLIS_TOKEN");
    if let Some(token) = token {
        command.env("PORTCULLIS_TOKEN", token);
    }
    let output = command.output().unwrap();
    (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn a_collector_is_asked_for_its_records_with_the_token_of_the_environment() {
    let (address, came) =
        collector(answered("200 OK", "application/x-ndjson", &batches(false, 3).join("\n")));
    let (said, code) = asked(&address, Some("a.b.c"));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("whole: "), "{said}");
    let request = came.join().unwrap();
    assert!(request.starts_with("GET /api/records HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("\r\nauthorization: bearer a.b.c\r\n"), "{request}");
}

#[test]
fn what_a_collector_refuses_is_said_with_what_can_be_done() {
    let problem = r#"{"title":"Unauthorized","status":401,"detail":"the token is over"}"#;
    let (address, came) = collector(answered("401 Unauthorized", "application/problem+json", problem));
    let (said, code) = asked(&address, None);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("/api/records: answered with status 401: the token is over; set PORTCULLIS_TOKEN"),
        "{said}"
    );
    assert!(!came.join().unwrap().to_ascii_lowercase().contains("authorization"));
}

#[test]
fn a_token_does_not_follow_to_another_place() {
    let head = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/api/records\r\ncontent-length: 0\r\n\r\n";
    let (address, came) = collector(head.to_owned());
    let (said, code) = asked(&address, Some("secret"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("status 302") && said.contains("give the address that it leads to"), "{said}");
    came.join().unwrap();
}

#[test]
fn records_that_break_off_are_not_taken_for_all_of_them() {
    let body = batches(false, 3).join("\n");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 100);
    let (address, came) = collector(head + &body + "\n");
    let (said, code) = asked(&address, None);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot be read"), "{said}");
    came.join().unwrap();
}

#[test]
fn a_collector_that_is_not_there_is_said() {
    let (said, code) = asked("http://127.0.0.1:9", None);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("http://127.0.0.1:9/api/records: cannot be asked: "), "{said}");
}

#[test]
fn a_chain_that_is_gone_shows_though_none_of_its_records_is_there() {
    let mut recorder = Recorder::new([9; 16], &Resource::default(), Limits::default());
    recorder.succeed(Head { chain: "07".repeat(16), seq: 12, hash: "a".repeat(64) });
    recorder.record(START, &Record::End(Box::default()));
    let batch = recorder.next_batch(START + SECOND).unwrap();
    let lines = [String::from_utf8(batch.body).unwrap()];
    let (said, code) = verified(&lines, &[]);
    assert_eq!(code, 3, "{said}");
    let (gone, next) = ("07".repeat(16), "09".repeat(16));
    let expected = format!(
        "chain {gone}\n  DAMAGE: numbers 1 to 12: not there, though chain {next} goes on from the last of them\n"
    );
    assert!(said.contains(&expected), "{said}");
    let (said, code) = verified(&lines, &["--format", "json"]);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &json["findings"][0]["what"], &json["findings"][0]["successor"]),
        (3, &"cut_off".into(), &next.into())
    );
    assert_eq!(verified(&lines, &["--partial"]).1, 0);
}
