//! `POST /v1/logs` as senders meet it, and what the collector says of the chains that come.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use portcullis::audit::Limits;
use portcullis::audit::chain::hash;
use portcullis::audit::signature::Signer;
use prost::Message as _;
use serde_json::{Value, json};
use support::http::answer;
use support::otlp::protobuf;
use support::place::Place;
use support::worker::{Worker, batch_of, log_records};
use support::{Collector, eventually, on_every_database};
use tonic_types::Status;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
/// Gaps are alarms at once.
const HASTY: [&str; 2] = ["--gap-seconds", "0"];

on_every_database!(
    every_encoding_is_kept_to_the_byte,
    what_comes_twice_is_kept_once,
    what_is_no_record_of_ours_is_rejected_and_the_rest_is_kept,
    what_is_missing_is_an_alarm_and_so_is_its_coming,
    a_gap_within_one_commit_ends_where_its_records_are,
    what_comes_late_or_is_declared_is_no_alarm,
    every_change_is_an_alarm,
    the_chain_of_alarms_goes_on_after_a_restart,
    requests_under_way_end_before_it_stops,
    a_forged_record_costs_no_other,
);

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn bodies(batch: &[u8]) -> Vec<String> {
    let text = |record: &Value| record["body"]["stringValue"].as_str().unwrap().to_owned();
    log_records(batch).iter().map(text).collect()
}

fn every_encoding_is_kept_to_the_byte(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut sent = Vec::new();
    for (at, (format, zipped)) in
        [(JSON, false), (JSON, true), (PROTOBUF, false), (PROTOBUF, true)].into_iter().enumerate()
    {
        let mut worker = Worker::new(u8::try_from(at).unwrap() + 1);
        for _ in 0..3 {
            let batch = worker.batch(2 + at);
            worker.taken(&batch);
            let body = if format == JSON { batch.body.clone() } else { protobuf(&batch.body) };
            let (headers, body) =
                if zipped { (vec![format, GZIP], gzip(&body)) } else { (vec![format], body) };
            let answer = collector.post(&headers, &body);
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("content-type"), Some(format.1));
            assert_eq!(answer.body, if format == JSON { &b"{}"[..] } else { b"" });
            sent.extend(bodies(&batch.body));
        }
    }
    let records = collector.records();
    let kept: Vec<&String> = records.0.iter().map(|(body, _)| body).collect();
    assert_eq!(kept, sent.iter().collect::<Vec<_>>());
    records.assert_whole();
    assert_eq!(records.report().chains.len(), 4);
}

fn what_comes_twice_is_kept_once(place: &Place) {
    let collector = Collector::start(place, &HASTY);
    let mut worker = Worker::new(1);
    let batch = worker.batch(3);
    for _ in 0..3 {
        assert_eq!(collector.json(&batch.body).status, 200);
    }
    // Within one request too, and in part.
    worker.taken(&batch);
    let next = worker.batch(1);
    let twice = [log_records(&batch.body), log_records(&next.body), log_records(&next.body)].concat();
    assert_eq!(collector.json(&batch_of(&twice)).status, 200);
    let records = collector.records();
    assert_eq!((records.0.len(), records.taken()), (8, 8));
    records.assert_whole();
}

fn what_is_no_record_of_ours_is_rejected_and_the_rest_is_kept(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(1);
    let mut records = log_records(&worker.batch(1).body);
    records.insert(1, json!({ "body": { "stringValue": "GET / 200" }, "attributes": [] }));
    records.push(json!({ "body": { "kvlistValue": {} } }));
    let answer = collector.json(&batch_of(&records));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "2");
    let why = answer.json()["partialSuccess"]["errorMessage"].as_str().unwrap().to_owned();
    assert!(why.contains("2 are no audit records of Portcullis"), "{why}");

    // As a collector between sends them that reads bodies as JSON: said aloud, for a record was lost.
    let mut parsed = log_records(&Worker::new(2).batch(1).body).remove(0);
    parsed["body"] = json!({ "kvlistValue": { "values": [] } });
    let answer = collector.json(&batch_of(&[parsed]));
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");

    // In protobuf.
    let other = json!({ "timeUnixNano": "1", "eventName": "x", "body": { "stringValue": "GET / 200" }, "attributes": [] });
    let request = json!({ "resourceLogs": [{ "resource": { "attributes": [] }, "scopeLogs": [{ "logRecords": [other] }] }] });
    let answer = collector.post(&[PROTOBUF], &protobuf(request.to_string().as_bytes()));
    let said = ExportLogsServiceResponse::decode(answer.body.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!((answer.status, said.rejected_log_records), (200, 1));
    assert!(said.error_message.starts_with("1 are no audit records"), "{said:?}");

    let kept = collector.records();
    assert_eq!(kept.taken(), 2);
    assert_eq!(kept.alerts(), [("unreadable".to_owned(), 0, 0)]);
    kept.assert_whole();
}

fn what_is_missing_is_an_alarm_and_so_is_its_coming(place: &Place) {
    let collector = Collector::start(place, &HASTY);
    let mut worker = Worker::new(1);
    let records = log_records(&worker.batch(5).body);
    assert_eq!(collector.json(&batch_of(&records[..3])).status, 200);
    assert_eq!(collector.json(&batch_of(&records[6..])).status, 200);
    let seen = eventually(|| collector.records().alerts(), |alerts| !alerts.is_empty());
    assert_eq!(seen, [("missing".to_owned(), 4, 6)]);
    // One comes: what is left of the gap is known already.
    assert_eq!(collector.json(&batch_of(&records[4..5])).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let alerts = collector.records().alerts();
    assert_eq!(alerts[1..], [("arrived".to_owned(), 5, 5)]);
    assert_eq!(collector.json(&batch_of(&records[3..6])).status, 200);
    let mut alerts = collector.records().alerts().split_off(2);
    alerts.sort();
    assert_eq!(alerts, [("arrived".to_owned(), 4, 4), ("arrived".to_owned(), 6, 6)]);
    // The first ones of a chain count too.
    let mut other = Worker::new(2);
    let records = log_records(&other.batch(2).body);
    assert_eq!(collector.json(&batch_of(&records[2..])).status, 200);
    let alerts = eventually(|| collector.records().alerts(), |alerts| alerts.len() > 4);
    assert_eq!(alerts[4], ("missing".to_owned(), 1, 2));
}

fn a_gap_within_one_commit_ends_where_its_records_are(place: &Place) {
    let collector = Collector::start(place, &HASTY);
    let mut worker = Worker::new(1);
    let records = log_records(&worker.batch(4).body);
    // Of a chain that is new, and of one that is known.
    for (some, missing, late) in [([0, 3], (2, 3), 1..3), ([4, 7], (6, 7), 5..7)] {
        assert_eq!(collector.json(&batch_of(&some.map(|at| records[at].clone()))).status, 200);
        let alerts = eventually(
            || collector.records().alerts(),
            |alerts| alerts.last().is_some_and(|last| last.0 == "missing"),
        );
        assert_eq!(alerts.last(), Some(&("missing".to_owned(), missing.0, missing.1)));
        assert_eq!(collector.json(&batch_of(&records[late])).status, 200);
        let arrived = collector.records().alerts().pop();
        assert_eq!(arrived, Some(("arrived".to_owned(), missing.0, missing.1)));
    }
}

fn what_comes_late_or_is_declared_is_no_alarm(place: &Place) {
    let collector = Collector::start(place, &["--gap-seconds", "2"]);
    let mut worker = Worker::new(1);
    let records = log_records(&worker.batch(3).body);
    for part in [&records[4..], &records[..2], &records[2..4]] {
        assert_eq!(collector.json(&batch_of(part)).status, 200);
    }
    // A worker whose queue overflowed: some never came to be, and the next record says so.
    let mut full = Worker::with(2, Limits { records: 4, ..Limits::default() });
    for _ in 0..2 {
        let batch = full.batch(4);
        assert_eq!(collector.json(&batch.body).status, 200);
        full.taken(&batch);
    }
    // One whose batch was rejected on the way: a record behind those that were chained already says so.
    let mut refused = Worker::with(3, Limits { batch_records: 2, ..Limits::default() });
    let first = refused.batch(2);
    let rejected = portcullis::audit::Answer::Status { status: 400, retry_after: None, body: b"" };
    refused.recorder.delivered(first.ticket, refused.now, &rejected);
    refused.exchange();
    while let Some(batch) = refused.next() {
        assert_eq!(collector.json(&batch.body).status, 200);
        refused.taken(&batch);
    }
    std::thread::sleep(std::time::Duration::from_millis(4500));
    let kept = collector.records();
    assert_eq!(kept.alerts(), []);
    let damage: Vec<_> = kept.report().findings.into_iter().filter(|finding| finding.is_damage()).collect();
    assert_eq!(damage, []);
    assert_eq!(kept.report().chains.len(), 3);
}

fn every_change_is_an_alarm(place: &Place) {
    // RFC 8032, section 7.1, the first test.
    let signer = Signer::of_seed("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let collector = Collector::start(place, &["--gap-seconds", "0", "--anchor-key", &signer.public()]);
    let mut expected = Vec::new();
    let mut alarm = |what: &str, seq: u64| {
        expected.push((what.to_owned(), seq, seq));
        assert_eq!(collector.records().alerts(), expected);
    };
    let at = |records: &[Value], index: usize| records[index].clone();
    let set_body = |record: &mut Value, body: String| record["body"]["stringValue"] = body.into();
    let attribute = |record: &Value, name: &str| {
        record["attributes"].as_array().unwrap().iter().position(|one| one["key"] == name).unwrap()
    };
    let said = |record: &Value| record["body"]["stringValue"].as_str().unwrap().to_owned();

    // A body that was changed, by its hash attribute.
    let records = log_records(&Worker::new(1).batch(2).body);
    let mut changed = at(&records, 0);
    let body =
        said(&changed).replace("\"portcullis.llm.prompt_chars\":12", "\"portcullis.llm.prompt_chars\":13");
    assert_ne!(body, said(&changed));
    set_body(&mut changed, body.clone());
    let chars = attribute(&changed, "portcullis.llm.prompt_chars");
    changed["attributes"][chars]["value"]["intValue"] = "13".into();
    assert_eq!(collector.json(&batch_of(&[changed.clone()])).status, 200);
    alarm("changed", 1);
    // The same with its hash made to fit: its successor tells.
    let place_of_hash = attribute(&changed, "portcullis.chain.hash");
    let mut worker = Worker::new(2);
    let records = log_records(&worker.batch(2).body);
    let mut changed = at(&records, 0);
    let body =
        said(&changed).replace("\"portcullis.llm.prompt_chars\":12", "\"portcullis.llm.prompt_chars\":13");
    changed["attributes"][chars]["value"]["intValue"] = "13".into();
    changed["attributes"][place_of_hash]["value"]["stringValue"] = hash(&body).into();
    set_body(&mut changed, body);
    assert_eq!(collector.json(&batch_of(&[changed])).status, 200);
    assert_eq!(collector.json(&batch_of(&records[1..2])).status, 200);
    alarm("changed", 1);
    // The one that is not changed comes too: one of the two is forged, and both are kept.
    assert_eq!(collector.json(&batch_of(&records[..1])).status, 200);
    alarm("conflicting", 1);
    // An attribute that says something else than the body.
    let mut hidden = at(&records, 2);
    let user = attribute(&hidden, "user.id");
    hidden["attributes"][user]["value"]["stringValue"] = "https://idp.example.com#mallory".into();
    assert_eq!(collector.json(&batch_of(&[hidden])).status, 200);
    alarm("disagreeing", 3);
    let records = collector.records();
    let last =
        records.bodies().filter(|body| body["event.name"] == "portcullis.collector.alert").last().unwrap();
    assert_eq!(last["portcullis.alert.attributes"], json!(["user.id"]));
    // Anchors under another key, and under none.
    let mut worker = Worker::new(3);
    let forger = Signer::of_seed(&signer.public()).unwrap();
    worker.recorder = std::mem::replace(&mut worker.recorder, Worker::new(4).recorder).signing(forger);
    worker.exchange();
    worker.recorder.close(worker.now);
    assert_eq!(collector.json(&worker.next().unwrap().body).status, 200);
    alarm("forged", 3);
    let mut worker = Worker::new(5);
    worker.exchange();
    worker.recorder.close(worker.now);
    let batch = worker.next().unwrap();
    assert_eq!(collector.json(&batch.body).status, 200);
    alarm("unsigned", 3);
    // What pretends to be the collector itself.
    let own =
        collector.records().bodies().last().unwrap()["portcullis.chain.id"].as_str().unwrap().to_owned();
    let text = |body: Value| json!({ "body": { "stringValue": body.to_string() } });
    let pretended = text(json!({
        "event.name": "portcullis.exchange.start", "portcullis.chain.id": own, "portcullis.chain.seq": 99,
        "portcullis.record": format!("{own}-99"), "time": "2026-11-22T15:59:34Z"
    }));
    let answer = collector.json(&batch_of(&[pretended]));
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");
    expected.push(("unreadable".to_owned(), 0, 0));
    assert_eq!(collector.records().alerts(), expected);
}

fn the_chain_of_alarms_goes_on_after_a_restart(place: &Place) {
    for life in 1..4 {
        let mut collector = Collector::start(place, &HASTY);
        let records = log_records(&Worker::new(life).batch(2).body);
        assert_eq!(collector.json(&batch_of(&records[2..])).status, 200);
        let alerts = eventually(|| collector.records().alerts(), |alerts| alerts.len() >= usize::from(life));
        assert_eq!(alerts, vec![("missing".to_owned(), 1, 2); life.into()]);
        assert_eq!(collector.stop(), 0);
    }
    let records = Collector::start(place, &HASTY).records();
    let own = records.bodies().find(|body| body["event.name"] == "portcullis.collector.alert").unwrap();
    let chains = records.report().chains;
    let own = chains.iter().find(|chain| own["portcullis.chain.id"] == *chain.id).unwrap();
    // Three alarms, and every look at them.
    let count = u64::try_from(records.alerts().len() + records.reads().len()).unwrap();
    assert_eq!((own.first, own.last, own.records as u64), (1, count, count));
}

fn requests_under_way_end_before_it_stops(place: &Place) {
    let mut collector = Collector::start(place, &[]);
    let batch = Worker::new(1).batch(2);
    let mut stream = TcpStream::connect(collector.address).unwrap();
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        batch.body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&batch.body[..10]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    collector.terminate();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(TcpStream::connect(collector.address).is_err(), "it takes no new connections");
    stream.write_all(&batch.body[10..]).unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    assert_eq!(answer(&raw).unwrap().status, 200);
    assert_eq!(collector.wait(), 0);
    assert_eq!(Collector::start(place, &[]).records().taken(), 4);
}

/// What no filter writes, and no database likes, is kept as it came; what comes with it is kept too.
fn a_forged_record_costs_no_other(place: &Place) {
    let collector = Collector::start(place, &HASTY);
    let chain = "0123456789abcdef0123456789abcdef";
    let words = |count: usize| (0..count).map(|n| format!("{n:x}")).collect::<Vec<_>>().join(" ");
    let forged: [(&str, Value); 7] = [
        ("user.id", json!("\u{0}".repeat(5000))),
        ("portcullis.exchange", json!("\u{0}é".repeat(5000))),
        ("portcullis.revision", json!("'; DROP TABLE records; --")),
        ("portcullis.flags", json!((0..5000).map(|n| format!("{n}{}", "x".repeat(90))).collect::<Vec<_>>())),
        ("portcullis.prompt.texts", json!([{ "of": 1, "text": "x".repeat(300_000) }])),
        ("portcullis.prompt.texts", json!([{ "of": 1, "text": words(60_000) }])),
        ("portcullis.parts", json!(9_007_199_254_740_991_u64)),
    ];
    let record = |(at, (name, value)): (usize, &(&str, Value))| {
        let seq = at + 1;
        let mut body = json!({
            "event.name": "portcullis.exchange.end", "portcullis.chain.id": chain, "portcullis.chain.seq": seq,
            "portcullis.record": format!("{chain}-{seq}"), "time": "2026-11-22T15:59:34Z", "portcullis.exchange": "x",
        });
        body[*name] = value.clone();
        json!({ "body": { "stringValue": body.to_string() } })
    };
    let mut records: Vec<Value> = forged.iter().enumerate().map(record).collect();
    records.extend(log_records(&Worker::new(1).batch(1).body));
    let answer = collector.json(&batch_of(&records));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]), "{answer:?}");
    let kept = collector.records();
    let said = |record: &Value| record["body"]["stringValue"].as_str().unwrap().to_owned();
    let mut bodies: Vec<String> = kept.0.iter().map(|(body, _)| body.clone()).collect();
    bodies.retain(|body| !body.contains("\"portcullis.collector."));
    let mut sent: Vec<String> = records.iter().map(said).collect();
    bodies.sort();
    sent.sort();
    assert_eq!(bodies, sent);
    // More declared losses than a recorder declares at once: it is none of ours.
    let many: Vec<Value> =
        (1..100).map(|n| json!({ "first": n, "last": n, "count": 1, "reason": "rejected" })).collect();
    let records: Vec<Value> =
        [("portcullis.dropped.ranges", json!(many))].iter().enumerate().map(record).collect();
    let answer = collector.json(&batch_of(&records));
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");
}

#[test]
fn answers_are_those_of_otlp() {
    let place = Place::sqlite();
    let collector =
        Collector::start(&place, &["--max-body-bytes", "20000", "--max-expanded-bytes", "100000"]);
    let batch = Worker::new(1).batch(1).body;
    let json = |answer: &support::http::Answer| {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        (answer.status, answer.json()["code"].as_i64().unwrap())
    };
    assert_eq!(json(&collector.json(b"{")), (400, 3));
    assert_eq!(json(&collector.json(b"[{}]x")), (400, 3));
    assert_eq!(json(&collector.post(&[("content-type", "text/plain")], &batch)), (415, 3));
    assert_eq!(json(&collector.post(&[], &batch)), (415, 3));
    assert_eq!(json(&collector.post(&[JSON, ("content-encoding", "br")], &batch)), (415, 3));
    assert_eq!(json(&collector.post(&[JSON, ("content-encoding", "gzip, gzip")], &batch)), (415, 3));
    assert_eq!(json(&collector.post(&[JSON, GZIP], &batch)), (400, 3));
    let zipped = gzip(&batch);
    assert_eq!(json(&collector.post(&[JSON, GZIP], &zipped[..zipped.len() - 9])), (400, 3));
    assert_eq!(json(&collector.json(&vec![b' '; 20_001])), (413, 8));
    assert_eq!(json(&collector.post(&[JSON, GZIP], &gzip(&vec![b' '; 10_000_000]))), (413, 8));
    // In the encoding that was asked in.
    let answer = collector.post(&[PROTOBUF], b"\xff\xff");
    let status = Status::decode(answer.body.as_slice()).unwrap();
    assert_eq!((answer.status, status.code), (400, 3));
    assert!(status.message.contains("ExportLogsServiceRequest"), "{status:?}");
    assert_eq!(answer.header("content-type"), Some("application/x-protobuf"));
    // Parameters of the media type, and an empty request, are well-formed.
    assert_eq!(collector.post(&[("content-type", "Application/JSON; charset=utf-8")], b"{}").status, 200);
    assert_eq!(collector.post(&[PROTOBUF], b"").status, 200);
    assert_eq!(collector.post(&[JSON, ("content-encoding", "identity")], &batch).status, 200);
    assert_eq!(collector.records().taken(), 2);
}

#[test]
fn what_is_too_much_at_one_time_is_asked_to_come_again() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &["--max-pending-bytes", "4096"]);
    let mut worker = Worker::new(1);
    let batch = worker.batch(20);
    assert!(batch.body.len() > 8192);
    let answer = collector.json(&batch.body);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.json()["code"], 14);
    // What was given up is given back.
    let small = Worker::new(2).batch(1);
    assert!(small.body.len() < 4096);
    for _ in 0..20 {
        assert_eq!(collector.json(&small.body).status, 200);
    }
    assert_eq!(collector.records().taken(), 2);
}

#[test]
fn it_does_not_listen_to_other_machines_unasked() {
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-collector"));
        command.args(["--listen", "0.0.0.0:0", "--database"]).args(more).output().unwrap()
    };
    let output = run(&["sqlite:/nowhere/audit.db"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--allow-unauthenticated"), "{said}");
    // Then it is the database that is not there, and its password is not shown.
    let output = run(&["postgres://me:secret@127.0.0.1:1/x", "--allow-unauthenticated"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the database: ") && !said.contains("secret"), "{said}");
}
