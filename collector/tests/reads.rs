//! Whoever reads is on record.
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

use serde_json::json;
use support::access::{WRITER, asking, get, send};
use support::http::request;
use support::place::Place;
use support::provider::Provider;
use support::worker::Worker;
use support::{Collector, eventually, on_every_database};

on_every_database!(
    a_read_is_on_record_before_it_is_answered,
    reads_of_all_collectors_are_one_chain,
    looks_at_approvals_are_on_record_once_until_what_they_show_changes,
);

fn a_read_is_on_record_before_it_is_answered(place: &Place) {
    let provider = Provider::start();
    let collector = asking(place, &provider);
    assert_eq!(send(&collector, &mut Worker::new(1), 3, Some(WRITER)), 200);
    let alice = provider.bearer("alice", &["readers"]);
    let bob = provider.bearer("bob", &["admins"]);
    assert_eq!(get(&collector, "/api/exchanges?limit=2&text=x%00%20y", Some(&alice)).status, 200);
    let list = get(&collector, "/api/exchanges?limit=2", Some(&alice)).json();
    let id = list["exchanges"][0]["portcullis.exchange"].as_str().unwrap().to_owned();
    assert_eq!(get(&collector, &format!("/api/exchanges/{id}"), Some(&bob)).status, 200);
    // What shows nothing is no read.
    assert_eq!(get(&collector, "/api/exchanges/none", Some(&bob)).status, 404);
    assert_eq!(get(&collector, "/api/exchanges?limit=x", Some(&bob)).status, 400);
    assert_eq!(get(&collector, "/api/openapi.json", Some(&bob)).status, 200);
    assert_eq!(get(&collector, "/api/records", None).status, 401);
    // A tail is on record at its beginning.
    let mut tail = TcpStream::connect(collector.address).unwrap();
    let head = format!("GET /api/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\n\r\n");
    tail.write_all(head.as_bytes()).unwrap();
    assert!(tail.read(&mut [0; 16]).unwrap() > 0);
    assert_eq!(get(&collector, "/api/records?after=1", Some(&bob)).status, 200);

    let export = get(&collector, "/api/records", Some(&bob));
    let records = support::Records::of(std::str::from_utf8(&export.body).unwrap());
    records.assert_whole();
    let reads = records.reads();
    let seen: Vec<_> = reads
        .iter()
        .map(|read| {
            let text =
                |name: &str| read.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            let caller = text("portcullis.read.caller");
            (
                caller.rsplit('#').next().unwrap().to_owned(),
                text("portcullis.read.address"),
                text("portcullis.read.query"),
            )
        })
        .collect();
    let read =
        |caller: &str, address: &str, query: &str| (caller.to_owned(), address.to_owned(), query.to_owned());
    assert_eq!(
        seen,
        [
            read("alice", "/api/exchanges", "limit=2&text=x%00%20y"),
            read("alice", "/api/exchanges", "limit=2"),
            read("bob", &format!("/api/exchanges/{id}"), ""),
            read("alice", "/api/live", ""),
            read("bob", "/api/records", "after=1"),
        ]
    );
    assert_eq!(reads[0]["portcullis.read.exchanges"], 0);
    assert_eq!(reads[1]["portcullis.read.exchanges"], 2);
    assert_eq!(reads[2]["portcullis.read.exchange"], id.as_str());
    assert_eq!(
        (&reads[4]["portcullis.read.after"], reads[4]["portcullis.read.last"].as_u64() > Some(6)),
        (&json!(1), true)
    );
    // One record for each, that of the export before among them.
    let again = get(&collector, "/api/records", Some(&bob));
    assert_eq!(
        support::Records::of(std::str::from_utf8(&again.body).unwrap()).reads().len(),
        reads.len() + 1
    );
}

fn looks_at_approvals_are_on_record_once_until_what_they_show_changes(place: &Place) {
    use support::approval::{approve, open, question};
    let collector = Collector::start(place, &[]);
    let (list, pending) = ("/api/approvals", "/api/approvals?state=pending");
    // As a page does that is open.
    let look = |path: &str| (0..20).for_each(|_| assert_eq!(get(&collector, path, None).status, 200));
    look(list);
    let id = open(collector.address, &question(1, "x-1"));
    let one = format!("/api/approvals/{id}");
    look(list);
    look(pending);
    look(&one);
    assert_eq!(get(&collector, "/api/approvals/apr_00000000000000000000000000000000", None).status, 404);
    // The filter's own waits are no looks.
    assert_eq!(get(&collector, &format!("/v1/approvals/{id}"), None).status, 200);
    approve(collector.address, &id);
    look(&one);
    look(list);
    let records = collector.records();
    records.assert_whole();
    let text = |read: &serde_json::Map<_, serde_json::Value>, name: &str| {
        read.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let seen: Vec<_> = records
        .reads()
        .iter()
        .map(|read| {
            let count = read.get("portcullis.read.approvals").and_then(serde_json::Value::as_u64);
            let query = text(read, "portcullis.read.query");
            (text(read, "portcullis.read.address"), query, text(read, "portcullis.read.approval"), count)
        })
        .collect();
    let of =
        |path: &str, query: &str, id: &str, count| (path.to_owned(), query.to_owned(), id.to_owned(), count);
    assert_eq!(
        seen,
        [
            of(list, "", "", Some(0)),
            of(list, "", "", Some(1)),
            of(list, "state=pending", "", Some(1)),
            of(&one, "", &id, None),
            of(&one, "", &id, None),
            of(list, "", "", Some(1)),
        ]
    );
}

fn reads_of_all_collectors_are_one_chain(place: &Place) {
    let collectors = [Collector::start(place, &[]), Collector::start(place, &[])];
    let mut worker = Worker::new(1);
    assert_eq!(send(&collectors[0], &mut worker, 2, None), 200);
    let threads: Vec<_> = (0..40)
        .map(|n| {
            let address = collectors[n % 2].address;
            std::thread::spawn(move || request(address, "GET", "/api/exchanges", &[], b"").unwrap().status)
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 200));
    let records = collectors[1].records();
    records.assert_whole();
    assert_eq!(records.reads().len(), 40);
    assert!(records.reads().iter().all(|read| read["portcullis.read.caller"] == "local"));
}

#[test]
fn a_read_that_cannot_be_recorded_is_refused() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &[]);
    assert_eq!(send(&collector, &mut Worker::new(1), 1, None), 200);
    assert_eq!(get(&collector, "/api/exchanges", None).status, 200);
    // Another program holds the database for longer than the collector waits.
    let file = place.url().strip_prefix("sqlite:").unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lock = runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};
        sqlx::any::install_default_drivers();
        let mut lock = sqlx::AnyConnection::connect(&format!("sqlite:{file}")).await.unwrap();
        lock.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.unwrap();
        lock
    });
    for path in ["/api/exchanges", "/api/records", "/api/live", "/api/approvals"] {
        let answer = get(&collector, path, None);
        assert_eq!(answer.status, 503, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("portcullis.exchange"), "{answer:?}");
    }
    drop(lock);
    eventually(|| get(&collector, "/api/exchanges", None).status, |status| *status == 200);
}
