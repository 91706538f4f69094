//! The page, and the addresses that it alone asks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use portcullis::audit::record::Answered;
use portcullis::audit::{Decision, EndRecord, Facts, Record, StartRecord, Tally, Text};
use serde_json::Value;
use support::http::{Answer, request};
use support::place::Place;
use support::worker::{SECOND, START, Worker, batch_of, log_records};
use support::{Collector, eventually, on_every_database};

on_every_database!(
    a_time_is_told_in_numbers,
    what_is_missing_is_told,
    values_that_begin_so_are_offered,
    a_time_without_anything_is_told_too,
);

const HOUR: u64 = 3600 * SECOND;

fn get(collector: &Collector, path: &str) -> Answer {
    request(collector.address, "GET", path, &[], b"").unwrap()
}

fn json(collector: &Collector, path: &str) -> Value {
    let answer = get(collector, path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn tally(name: &str, count: u64) -> Tally {
    let mut tally = Tally::default();
    tally.add(name, count);
    tally
}

/// An exchange of alice, so many hours after the first.
fn exchange(worker: &mut Worker, id: &str, hours: u64, decision: Decision, rule: Option<&str>) {
    let facts = Facts {
        exchange: Text::from(id),
        subject: Some(Text::from("alice")),
        connection: Some(Text::from("chat")),
        model: Some(Text::from("gpt-4o")),
        decision: Some(decision),
        reason: rule.map(|_| "rate_limited"),
        rule: rule.map(Text::from),
        prompt_entities: tally("EMAIL_ADDRESS", 2),
        ..Facts::default()
    };
    let answered = Answered {
        input_tokens: Some(100.into()),
        output_tokens: Some(20.into()),
        response_entities: tally("EMAIL_ADDRESS", 3),
        budget_used: tally("user-tokens", 120),
        ..Answered::default()
    };
    let now = START + hours * HOUR;
    let start = StartRecord { facts: facts.clone(), ..StartRecord::default() };
    worker.recorder.record(now, &Record::Start(Box::new(start)));
    let end = EndRecord { facts, answered, ..EndRecord::default() };
    worker.recorder.record(now, &Record::End(Box::new(end)));
    worker.now = worker.now.max(now);
}

fn send(collector: &Collector, worker: &mut Worker) {
    let batch = worker.next().unwrap();
    assert_eq!(collector.json(&batch.body).body, b"{}");
    worker.taken(&batch);
}

/// Of all that has a name, what one member says.
fn of<'v>(rows: &'v Value, name: &str, value: &str, member: &str) -> &'v Value {
    let row = rows.as_array().unwrap().iter().find(|row| row[name] == value);
    &row.unwrap_or_else(|| panic!("no {value} in {rows}"))[member]
}

// START is 2026-11-22T15:59:21Z.
const FIVE_HOURS: &str = "since=2026-11-22T15:00:00Z&until=2026-11-22T20:00:00Z";

fn a_time_is_told_in_numbers(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(1);
    exchange(&mut worker, "x-1", 0, Decision::Allow, None);
    exchange(&mut worker, "x-2", 1, Decision::Allow, None);
    exchange(&mut worker, "x-3", 1, Decision::Deny, Some("user-tokens"));
    exchange(&mut worker, "x-4", 2, Decision::Error, None);
    exchange(&mut worker, "x-5", 30, Decision::Deny, Some("of-another-day"));
    send(&collector, &mut worker);
    let told = json(&collector, &format!("/api/overview?{FIVE_HOURS}"));
    let sum = |decision: &str| {
        told["decisions"].as_array().unwrap().iter().filter_map(|one| one[decision].as_u64()).sum::<u64>()
    };
    assert_eq!((sum("allow"), sum("deny"), sum("error"), sum("other")), (2, 1, 1, 0), "{told}");
    assert_eq!(told["from"], told["since"]);
    let pieces = told["decisions"].as_array().unwrap();
    assert_eq!((told["width"].as_u64(), pieces.len()), (Some(300), 60));
    assert_eq!(pieces[0]["time"], "2026-11-22T15:00:00.000000000Z");
    assert_eq!(of(&told["rules"], "value", "user-tokens", "exchanges"), 1);
    assert_eq!(of(&told["entities"], "value", "EMAIL_ADDRESS", "exchanges"), 4);
    assert_eq!(of(&told["subjects"], "value", "alice", "exchanges"), 4);
    assert_eq!(of(&told["models"], "value", "gpt-4o", "exchanges"), 4);
    assert_eq!(of(&told["budgets"], "name", "user-tokens", "refused"), 1);
    assert_eq!(of(&told["budgets"], "name", "user-tokens", "used"), 480);
    assert!(!told.to_string().contains("of-another-day"), "{told}");
    let read = &told["read"];
    assert_eq!((&read["exchanges"], &read["whole"]), (&4.into(), &true.into()));
    assert_eq!((&read["input_tokens"], &read["output_tokens"]), (&400.into(), &80.into()));
    assert_eq!(read["entities"]["EMAIL_ADDRESS"], 20);
    assert_eq!((&told["alarms"], &told["missing"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    for query in ["since=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z", "since=soon", "bogus=1"] {
        assert_eq!(get(&collector, &format!("/api/overview?{query}")).status, 400, "{query}");
    }
}

fn what_is_missing_is_told(place: &Place) {
    let collector = Collector::start(place, &["--gap-seconds", "0"]);
    let mut worker = Worker::new(2);
    let batch = worker.batch(2);
    let records = log_records(&batch.body);
    assert_eq!(collector.json(&batch_of(&[records[0].clone(), records[3].clone()])).status, 200);
    let told = eventually(
        || json(&collector, "/api/overview"),
        |told| told["alarms"].as_array().is_some_and(|alarms| !alarms.is_empty()),
    );
    assert_eq!(told["alarms"][0]["portcullis.alert.what"], "missing");
    let missing = &told["missing"][0];
    assert_eq!(
        (&missing["first"], &missing["last"], &missing["alarmed"]),
        (&2.into(), &3.into(), &true.into())
    );
    assert_eq!(missing["chain"], worker.recorder.chain_id());
    // What came after all is an alarm of the past.
    assert_eq!(collector.json(&batch_of(&records[1..3])).status, 200);
    let told = json(&collector, "/api/overview");
    assert_eq!(told["missing"], Value::Array(vec![]));
    assert_eq!(told["alarms"][0]["portcullis.alert.what"], "arrived");
}

fn values_that_begin_so_are_offered(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut worker = Worker::new(3);
    for rule in ["cards", "caf\u{e9}", "ca%", "CARDS", "models"] {
        exchange(&mut worker, rule, 0, Decision::Deny, Some(rule));
    }
    (0..30).for_each(|n| exchange(&mut worker, &format!("y-{n}"), 0, Decision::Deny, Some(&format!("z{n}"))));
    send(&collector, &mut worker);
    let offered = |query: &str| {
        let told = json(&collector, &format!("/api/values?{query}"));
        let mut values: Vec<String> = serde_json::from_value(told["values"].clone()).unwrap();
        values.sort();
        values
    };
    assert_eq!(offered("of=rule&prefix=ca"), ["ca%", "caf\u{e9}", "cards"]);
    assert_eq!(offered("of=rule&prefix=ca%25"), ["ca%"]);
    assert_eq!(offered("of=rule&prefix=z").len(), 20);
    assert_eq!(offered("of=subject"), ["alice"]);
    assert!(offered("of=subject&prefix=%27%20OR%201%3D1").is_empty());
    for query in ["", "of=text", "of=cursor", "of=bogus", "prefix=a"] {
        assert_eq!(get(&collector, &format!("/api/values?{query}")).status, 400, "{query}");
    }
}

fn a_time_without_anything_is_told_too(place: &Place) {
    let collector = Collector::start(place, &[]);
    for query in [
        "",
        "?since=1970-01-01T00:00:00Z&until=2200-01-01T00:00:00Z",
        "?since=2200-01-01T00:00:00Z&until=2200-01-01T00:00:01Z",
    ] {
        let told = json(&collector, &format!("/api/overview{query}"));
        assert!((1..=98).contains(&told["decisions"].as_array().unwrap().len()), "{told}");
    }
}

/// Whether or not `make console` came first.
#[test]
fn the_page_may_run_its_own_script_alone() {
    let collector = Collector::start(&Place::sqlite(), &[]);
    let page = get(&collector, "/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let body = String::from_utf8(page.body.clone()).unwrap();
    let built = body.contains("/assets/");
    assert!(built || body.contains("built without the console: run <code>make console</code>"), "{body}");
    for path in ["/", "/assets/none.js", "/assets/..%2findex.html", "/assets/%00"] {
        let answer = get(&collector, path);
        assert_eq!(answer.status, if path == "/" { 200 } else { 404 }, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    }
    // All that it names is there, under its own name.
    for path in body.split('"').filter(|text| text.starts_with("/assets/")) {
        let answer = get(&collector, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("cache-control").unwrap().contains("immutable"), "{path}");
    }
    assert!(!body.contains("<script>") && !body.contains("style="), "{body}");
}
