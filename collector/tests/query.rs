//! The addresses that read, as auditors and programs meet them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use portcullis::audit::record::Answered;
use portcullis::audit::{
    Captured, Decision, EndRecord, Facts, Part, PartRecord, Path, Pieces, Record, Recorder, StartRecord,
    Tally, Text,
};
use serde_json::Value;
use support::http::request;
use support::place::Place;
use support::worker::{SECOND, Worker};
use support::{Collector, on_every_database};

on_every_database!(
    exchanges_are_found_by_what_they_are,
    pages_hold_every_exchange_once_though_more_come,
    an_exchange_is_told_as_a_whole,
    the_commands_read_what_is_exported,
    what_comes_is_told_live_and_goes_on_where_it_was,
);

/// An exchange of a test.
#[derive(Clone)]
struct Call {
    id: &'static str,
    subject: &'static str,
    group: &'static str,
    model: &'static str,
    rule: Option<&'static str>,
    prompt: &'static str,
    answer: &'static str,
    entity: &'static str,
    /// What the start says, and the end.
    decisions: (Decision, Decision),
}

const CALM: Call = Call {
    id: "x-1",
    subject: "alice",
    group: "engineering",
    model: "gpt-4o",
    rule: None,
    prompt: "Who wrote the handbook?",
    answer: "Nobody knows, ask joe-at-example.com.",
    entity: "EMAIL_ADDRESS",
    decisions: (Decision::Allow, Decision::Allow),
};

impl Call {
    fn facts(&self, decision: Decision) -> Facts {
        let mut found = Tally::default();
        found.add(self.entity, 1);
        Facts {
            exchange: Text::from(self.id),
            user_id: Some(Text::from(format!("https://i.example#{}", self.subject))),
            subject: Some(Text::from(self.subject)),
            issuer: Some(Text::from("https://i.example")),
            groups: [self.group, "users"].into_iter().collect(),
            connection: Some(Text::from("chat")),
            policy: Some(Text::from("chat")),
            revision: Some(Text::from("3f2a9c1b")),
            method: Some(Text::from("POST")),
            path: Some(Path::of(b"/v1/chat/completions")),
            operation: Some(Text::from("chat")),
            model: Some(Text::from(self.model)),
            messages: Some(1.into()),
            prompt_chars: Some(20.into()),
            max_output_tokens: Some(500.into()),
            decision: Some(decision),
            rule: self.rule.map(Text::from),
            prompt_entities: found,
            ..Facts::default()
        }
    }

    fn said(text: &str) -> Pieces {
        let (head, tail) = text.split_at(text.len() / 2);
        Pieces::new(vec![(1, head.into()), (1, tail.into())])
    }

    fn start(&self) -> Record {
        let captured =
            Captured { capture: Some("masked"), prompt: Self::said(self.prompt), ..Captured::default() };
        Record::Start(Box::new(StartRecord { facts: self.facts(self.decisions.0), captured }))
    }

    fn end(&self) -> Record {
        let captured =
            Captured { capture: Some("masked"), response: Self::said(self.answer), ..Captured::default() };
        let answered = Answered {
            response_model: Some(Text::from(format!("{}-2026", self.model))),
            ..Answered::default()
        };
        Record::End(Box::new(EndRecord { facts: self.facts(self.decisions.1), answered, captured }))
    }
}

fn send(collector: &Collector, worker: &mut Worker, records: &[Record]) {
    for record in records {
        worker.recorder.record(worker.now, record);
    }
    let batch = worker.next().unwrap();
    let answer = collector.json(&batch.body);
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    worker.taken(&batch);
}

fn get(collector: &Collector, path: &str) -> (u16, String) {
    let answer = request(collector.address, "GET", path, &[], b"").unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn page(collector: &Collector, query: &str) -> Value {
    let (status, body) = get(collector, &format!("/api/exchanges?{query}"));
    assert_eq!(status, 200, "{query}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Ids of the exchanges that are found.
fn found(collector: &Collector, query: &str) -> Vec<String> {
    let page = page(collector, query);
    let exchanges = page["exchanges"].as_array().unwrap().iter();
    exchanges.map(|one| one["portcullis.exchange"].as_str().unwrap().to_owned()).collect()
}

fn exchanges_are_found_by_what_they_are(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(1);
    let calls = [
        CALM,
        Call {
            id: "x-2",
            subject: "o'brien; --",
            group: "a b&c",
            prompt: "Cards, please: \u{0}\"'%_ *",
            ..CALM
        },
        Call { id: "x-3", model: "\u{0}\u{1f600}", rule: Some("cards"), entity: "CREDIT_CARD", ..CALM },
        // It was let go on, then refused, for it could not be recorded in time.
        Call { id: "x-4", decisions: (Decision::Allow, Decision::Error), ..CALM },
    ];
    let records: Vec<Record> = calls.iter().map(Call::start).collect();
    send(&collector, &mut worker, &records);
    let open = page(&collector, "");
    assert_eq!(open["exchanges"][0]["ended"], false);
    let records: Vec<Record> = calls.iter().map(Call::end).collect();
    send(&collector, &mut worker, &records);
    let all = ["x-4", "x-3", "x-2", "x-1"];
    let asked: [(&str, &[&str]); 27] = [
        ("", &all),
        ("subject=alice", &["x-4", "x-3", "x-1"]),
        ("subject=o%27brien%3B+--", &["x-2"]),
        ("subject=ALICE", &[]),
        ("subject=alice%25", &[]),
        ("group=a+b%26c", &["x-2"]),
        ("group=users&group=engineering", &["x-4", "x-3", "x-1"]),
        ("group=users&group=nobody", &[]),
        ("connection=chat&policy=chat&revision=3f2a9c1b", &all),
        ("decision=allow", &["x-3", "x-2", "x-1"]),
        ("decision=error", &["x-4"]),
        ("decision=error&subject=alice", &["x-4"]),
        ("rule=cards", &["x-3"]),
        ("entity=CREDIT_CARD", &["x-3"]),
        ("entity=EMAIL_ADDRESS&entity=CREDIT_CARD", &[]),
        ("model=gpt-4o", &["x-4", "x-2", "x-1"]),
        ("model=gpt-4o-2026", &["x-4", "x-2", "x-1"]),
        ("model=%00%F0%9F%98%80", &["x-3"]),
        ("text=HANDBOOK+wrote", &["x-4", "x-3", "x-1"]),
        ("text=cards", &["x-2"]),
        // As words, whatever stands between them; never as an operator.
        ("text=joe-at-example.com", &all),
        ("text=handbook+OR+cards", &[]),
        ("text=hand*", &[]),
        ("text=%22", &[]),
        ("since=2000-01-01T00:00:00Z&until=2099-01-01T00:00:00Z", &all),
        ("until=2000-01-01T00:00:00Z", &[]),
        ("since=2099-01-01T00:00:00Z&subject=alice", &[]),
    ];
    for (query, ids) in asked {
        assert_eq!(found(&collector, query), ids, "{query}");
    }
    let shown = &page(&collector, "rule=cards")["exchanges"][0];
    assert_eq!(shown["user.id"], "https://i.example#alice");
    assert_eq!((&shown["portcullis.rule"], &shown["ended"]), (&"cards".into(), &true.into()));
    for query in ["limit=0", "since=yesterday", "cursor=1", "bogus=1", "format=xml", "text=%ff"] {
        assert_eq!(get(&collector, &format!("/api/exchanges?{query}")).0, 400, "{query}");
    }
}

fn pages_hold_every_exchange_once_though_more_come(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(1);
    let mut expected = BTreeSet::new();
    for at in 0..7 {
        (0..15).for_each(|_| worker.exchange());
        let batch = worker.next().unwrap();
        assert_eq!(collector.json(&batch.body).status, 200);
        worker.taken(&batch);
        expected.extend((1..=15).map(|one| format!("{}-{}", worker.recorder.chain_id(), at * 15 + one)));
    }
    for filter in ["", "group=rag-users&group=engineering&"] {
        let (mut seen, mut query) = (Vec::new(), format!("{filter}limit=10"));
        loop {
            let page = page(&collector, &query);
            let exchanges = page["exchanges"].as_array().unwrap().iter();
            seen.extend(exchanges.map(|one| one["portcullis.exchange"].as_str().unwrap().to_owned()));
            // Newer ones do not move those that come next.
            let batch = worker.batch(3);
            assert_eq!(collector.json(&batch.body).status, 200);
            worker.taken(&batch);
            let Some(next) = page["next"].as_str() else { break };
            query = format!("{filter}limit=10&cursor={next}");
        }
        let once: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(once.len(), seen.len());
        assert!(once.is_superset(&expected));
    }
    let (_, lines) = get(&collector, "/api/exchanges?format=ndjson&until=2099-01-01T00:00:00Z");
    assert!(lines.lines().count() > 105);
    assert_eq!(get(&collector, "/api/exchanges?format=ndjson&limit=7").1.lines().count(), 7);
}

fn an_exchange_is_told_as_a_whole(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(1);
    send(&collector, &mut worker, &[CALM.start()]);
    let captured = Captured { response: Call::said("a long answer"), ..Captured::default() };
    let part = PartRecord { exchange: Text::from(CALM.id), part: Part { number: 1.into() }, captured };
    send(&collector, &mut worker, &[Record::Part(Box::new(part)), Call { id: "x-9", ..CALM }.start()]);
    send(&collector, &mut worker, &[CALM.end()]);
    let (status, body) = get(&collector, "/api/exchanges/x-1");
    assert_eq!(status, 200);
    let whole: Value = serde_json::from_str(&body).unwrap();
    let events = whole["records"].as_array().unwrap().iter();
    let events: Vec<&str> = events.map(|record| record["event.name"].as_str().unwrap()).collect();
    let event = |name: &str| format!("portcullis.exchange.{name}");
    assert_eq!(events, [event("start"), event("part"), event("end")]);
    // To the byte, so that whoever has it can hash it.
    let kept = collector.records();
    assert!(body.contains(&kept.0[0].0), "{body}");
    assert_eq!(found(&collector, "text=long+answer"), ["x-1"]);
    assert_eq!(get(&collector, "/api/exchanges/x-2").0, 404);
    assert_eq!(get(&collector, "/api/exchanges/%27%20OR%201%3D1").0, 404);
}

/// `portcullis`, which stands beside the collector once the workspace is built.
fn portcullis(arguments: &[&str], directory: &std::path::Path) -> Output {
    let command = PathBuf::from(env!("CARGO_BIN_EXE_portcullis-collector")).with_file_name("portcullis");
    assert!(command.exists(), "{} is not there: cargo build -p portcullis-cli", command.display());
    Command::new(command).args(arguments).current_dir(directory).output().unwrap()
}

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
    limits: { max_output_tokens: 1000 }
    mask: { response: { entities: [EMAIL_ADDRESS] } }
";

fn the_commands_read_what_is_exported(place: &Place) {
    let collector = Collector::start(place, &["--gap-seconds", "0"]);
    let mut worker = Worker::new(1);
    for call in [CALM, Call { id: "x-2", subject: "bob", model: "gpt-5", ..CALM }] {
        send(&collector, &mut worker, &[call.start(), call.end()]);
    }
    worker.recorder.close(worker.now);
    let anchor = worker.next().unwrap();
    assert_eq!(collector.json(&anchor.body).status, 200);
    // An alarm of the collector's own.
    let mut gone: Recorder = Worker::new(2).recorder;
    gone.record(worker.now, &CALM.start());
    gone.record(worker.now, &CALM.end());
    let batch = gone.next_batch(worker.now + SECOND).unwrap();
    let late = support::worker::log_records(&batch.body);
    assert_eq!(collector.json(&support::worker::batch_of(&late[1..])).status, 200);
    support::eventually(|| collector.records().alerts(), |alerts| alerts.len() == 1);

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let export = collector.export();
    write("all.jsonl", &export);
    let output = portcullis(&["audit", "verify", "all.jsonl"], directory.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("DAMAGED: 1 finding in ") && said.contains(" records of 3 chains"), "{said}");
    assert!(said.contains("number 1: not there, and no record says why"), "{said}");
    // The first chain alone is whole; changed by one letter it is not.
    let first: String = export.lines().take(5).map(|line| format!("{line}\n")).collect();
    write("first.jsonl", &first);
    let output = portcullis(&["audit", "verify", "first.jsonl"], directory.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("vouched for up to number 4 by an anchor"), "{said}");
    let records = collector.records();
    let last = records.0.iter().position(|(body, _)| body.contains("portcullis.alert.first")).unwrap();
    let tail = get(&collector, &format!("/api/records?after={last}&last={}", last + 1)).1;
    write("tail.jsonl", &tail.replace("portcullis.alert.first\\\":1", "portcullis.alert.first\\\":2"));
    let output = portcullis(&["audit", "verify", "tail.jsonl"], directory.path());
    assert_eq!(output.status.code(), Some(3), "{tail}");

    write("set.yaml", SET);
    let (_, records) = get(&collector, "/api/exchanges?format=records&subject=bob");
    assert_eq!(records.lines().count(), 2);
    write("bob.jsonl", &records);
    let output = portcullis(&["simulate", "--records", "bob.jsonl", "set.yaml"], directory.path());
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("models") && said.contains("https://i.example#bob"), "{said}");
    let output = portcullis(&["simulate", "--records", "all.jsonl", "set.yaml"], directory.path());
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("https://i.example#bob") && !said.contains("cannot be read"), "{said}");
}

/// So many events of a stream, as id and data.
fn events(
    collector: &Collector,
    query: &str,
    last: Option<i64>,
    count: usize,
    act: impl FnOnce(),
) -> Vec<(i64, String)> {
    let mut stream = TcpStream::connect(collector.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
    stream
        .write_all(format!("GET /api/live{query} HTTP/1.1\r\nhost: localhost\r\n{last}\r\n").as_bytes())
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("200"));
    assert!(lines.by_ref().any(|line| line.is_empty()));
    act();
    let mut events = Vec::new();
    let mut id = 0;
    while events.len() < count {
        let line = lines.next().unwrap();
        if let Some(said) = line.strip_prefix("id: ") {
            id = said.parse().unwrap();
        }
        // That somebody follows is a record too.
        let data = line.strip_prefix("data: ").filter(|data| !data.contains("portcullis.collector.read"));
        if let Some(data) = data {
            events.push((id, data.to_owned()));
        }
        if id > 0 && events.last().is_some_and(|(last, _)| *last == 0) {
            events.last_mut().unwrap().0 = id;
        }
    }
    events
}

fn what_comes_is_told_live_and_goes_on_where_it_was(place: &Place) {
    let (mut collector, other) = (Collector::start(place, &[]), Collector::start(place, &[]));
    let mut worker = Worker::new(1);
    send(&collector, &mut worker, &[CALM.start()]);
    // What another collector on the same database takes is told too; what was there before is not.
    let told = events(&collector, "", None, 2, || {
        send(&other, &mut worker, &[CALM.end(), Call { id: "x-2", ..CALM }.start()]);
    });
    let records = collector.records();
    let bodies = records.of_workers();
    assert_eq!(told.iter().map(|(_, body)| body).collect::<Vec<_>>(), [bodies[1], bodies[2]]);
    let again = events(&collector, "", Some(1), 2, || ());
    assert_eq!(again.iter().map(|(_, body)| body).collect::<Vec<_>>(), [bodies[1], bodies[2]]);
    assert_eq!(events(&collector, "?after=0", None, 1, || ())[0].1, bodies[0]);
    // A reader that never leaves does not keep it from stopping.
    let mut stream = TcpStream::connect(collector.address).unwrap();
    stream.write_all(b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let start = std::time::Instant::now();
    assert_eq!(collector.stop(), 0);
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[test]
fn what_is_described_is_there_and_what_is_not_is_refused() {
    let collector = Collector::start(&Place::sqlite(), &[]);
    let (status, body) = get(&collector, "/api/openapi.json");
    assert_eq!(status, 200);
    let described: Value = serde_json::from_str(&body).unwrap();
    let paths = described["paths"].as_object().unwrap();
    // Eight of them are of approvals.
    assert_eq!(paths.len(), 15);
    for (path, item) in paths {
        let has =
            |name: &str| item["get"]["parameters"].as_array().unwrap().iter().any(|one| one["name"] == name);
        if path.contains('{') || path.ends_with("openapi.json") || item.get("get").is_none() {
            continue;
        }
        assert_eq!(get(&collector, &format!("{path}?bogus=1")).0, 400, "{path}");
        assert!(["after", "cursor", "since", "of"].into_iter().any(has), "{path}");
    }
    // As a browser asks that was led here under a name of somebody else.
    let raw = support::http::request_as(collector.address, "evil.example", "/api/records").unwrap();
    assert_eq!(raw.status, 403);
    for path in ["/index.html", "/api", "/api/exchanges/", "/api/records/1"] {
        assert_eq!(get(&collector, path).0, 404, "{path}");
    }
}
