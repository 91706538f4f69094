//! What is old, or too much, goes with everything that was derived of it; that it went can be proved, and what somebody
//! else took out is still found.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis::audit::verify::{Finding, What};
use portcullis::audit::{EndRecord, Facts, Record, StartRecord, Text};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _};

use support::approval::{by_hand, get, open, question, vote};
use support::http::request;
use support::place::Place;
use support::worker::{Worker, id, log_records};
use support::{Collector, Records, eventually, on_every_database};

on_every_database!(
    what_is_old_goes_with_everything_derived_of_it,
    an_exchange_goes_as_a_whole_and_a_chain_from_its_beginning,
    a_chain_goes_on_and_what_comes_again_is_not_kept_anew,
    what_somebody_takes_out_is_found_beside_what_retention_removed,
    a_removal_stays_explained_when_its_record_goes_too,
    a_chain_that_comes_back_is_explained_anew,
    a_gap_is_told_before_it_goes_and_raises_no_alarm_after,
    values_that_nothing_had_any_more_are_found_again,
    more_than_there_is_room_for_goes_from_the_oldest_on,
    an_export_that_retention_overtakes_explains_itself,
    killed_in_the_middle_of_it_nothing_is_lost_or_unexplained,
    approvals_that_are_over_go_and_others_stay,
    a_database_of_the_release_before_is_taken_over,
);

const DAY: i64 = 86_400_000_000_000;
/// What a day is kept with.
const A_DAY: [&str; 2] = ["--keep-days", "1"];
/// The chain of the first worker.
const CHAIN: &str = "01010101010101010101010101010101";
const OWN: &str = "(SELECT c.id FROM chains c JOIN store s ON s.chain = c.chain)";

/// Before this all is old.
fn yesterday() -> i64 {
    i64::try_from(support::provider::seconds()).unwrap() * 1_000_000_000 - DAY
}

/// Makes records two days older, as the clock of the machine would.
fn age(place: &Place, which: &str) {
    let (before, after) = match place {
        Place::Sqlite(_) => ("DROP TRIGGER IF EXISTS records_stay", "SELECT 1"),
        Place::Postgres(_) => (
            "ALTER TABLE records DISABLE TRIGGER records_stay",
            "ALTER TABLE records ENABLE TRIGGER records_stay",
        ),
    };
    let statement =
        format!("{before}; UPDATE records SET arrived = arrived - {} WHERE {which}; {after}", 2 * DAY);
    assert!(by_hand(place, &statement), "{statement}");
}

/// A number out of the database.
fn count(place: &Place, statement: &str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&place.url()).await.unwrap();
        let row = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).fetch_one(&mut connection).await;
        let count = row.unwrap().try_get(0).unwrap();
        connection.close().await.unwrap();
        count
    })
}

fn metric(collector: &Collector, name: &str) -> i64 {
    let text = String::from_utf8(get(collector.address, "/metrics").body).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("portcullis_collector_{name} "))).unwrap();
    line.split_once(' ').unwrap().1.parse().unwrap()
}

/// Waits until so many records went through this collector.
fn removed(collector: &Collector, records: i64) {
    eventually(|| metric(collector, "records_removed_total"), |removed| *removed >= records);
}

fn damage(records: &Records) -> Vec<Finding> {
    records.report().findings.into_iter().filter(Finding::is_damage).collect()
}

/// Up to which number a chain was removed, as the records say, and how many records there were.
fn told(records: &Records, of: &str) -> Option<(u64, u64)> {
    records.report().findings.iter().find_map(|finding| match finding {
        Finding::OfChain { chain, last, what: What::Removed { records, .. }, .. } if chain == of => {
            Some((*last, *records))
        }
        _ => None,
    })
}

fn send(worker: &mut Worker, collector: &Collector, exchanges: usize) {
    (0..exchanges).for_each(|_| worker.exchange());
    assert!(worker.send(collector.address));
}

fn numbers(records: &Records, of: &str) -> Vec<u64> {
    let of_chain = records.bodies().filter(|body| body["portcullis.chain.id"] == of);
    of_chain.map(|body| body["portcullis.chain.seq"].as_u64().unwrap()).collect()
}

fn what_is_old_goes_with_everything_derived_of_it(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    send(&mut worker, &collector, 20);
    // With words, which are searched.
    let facts = Facts { exchange: Text::from("spoken"), ..Facts::default() };
    let body = json!({ "event.name": "portcullis.exchange.end", "time": "2026-11-01T00:00:00Z",
        "portcullis.chain.id": "f".repeat(32), "portcullis.chain.seq": 1, "portcullis.record": format!("{}-1", "f".repeat(32)),
        "portcullis.exchange": facts.exchange.as_str(),
        "portcullis.prompt.texts": [{ "of": 1, "text": "an unheard word" }] });
    let log = json!({ "body": { "stringValue": body.to_string() },
        "attributes": [{ "key": "portcullis.chain.id", "value": { "stringValue": "f".repeat(32) } }] });
    assert_eq!(collector.json(&support::worker::batch_of(&[log])).status, 200);
    assert_eq!(count(place, "SELECT COUNT(*) FROM records WHERE exchange IS NOT NULL"), 41);
    collector.stop();
    age(place, "1 = 1");
    let mut young = Worker::new(2);
    let collector = Collector::start(place, &A_DAY);
    removed(&collector, 41);
    send(&mut young, &collector, 3);
    for (table, rows) in [("exchanges", 3), ("gaps", 0), ("texts", 0)] {
        assert_eq!(count(place, &format!("SELECT COUNT(*) FROM {table}")), rows, "{table}");
    }
    assert_eq!(
        count(place, "SELECT COUNT(DISTINCT term) FROM marks"),
        count(place, "SELECT COUNT(*) FROM terms")
    );
    assert_eq!(
        count(place, "SELECT COUNT(*) FROM marks WHERE exchange NOT IN (SELECT id FROM exchanges)"),
        0
    );
    let bytes = count(place, "SELECT CAST(SUM(octet_length(body)) AS BIGINT) FROM records");
    assert_eq!(count(place, "SELECT bytes FROM store"), bytes);
    let records = collector.records();
    assert_eq!(damage(&records), []);
    assert_eq!((told(&records, CHAIN), records.taken()), (Some((40, 40)), 6));
    let found = get(collector.address, "/api/exchanges?text=unheard").json();
    assert_eq!(found["exchanges"].as_array().unwrap().len(), 0);
    assert!(
        metric(&collector, "bytes_removed_total") > 1000 && metric(&collector, "retention_failed_total") == 0
    );
    // The words of the record.
    let said = records.bodies().find(|body| body["event.name"] == "portcullis.collector.retention").unwrap();
    let chains = said["portcullis.retention.chains"].as_array().unwrap();
    let one = chains.iter().find(|one| one["chain"] == CHAIN).unwrap();
    assert_eq!((&one["first"], &one["last"], &one["why"]), (&json!(1), &json!(40), &json!("age")));
}

fn an_exchange_goes_as_a_whole_and_a_chain_from_its_beginning(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    let facts = |id: &str| Facts { exchange: Text::from(id), ..Facts::default() };
    let start =
        |id: &str| Record::Start(Box::new(StartRecord { facts: facts(id), ..StartRecord::default() }));
    let end = |id: &str| Record::End(Box::new(EndRecord { facts: facts(id), ..EndRecord::default() }));
    let of = |worker: &mut Worker, records: &[Record]| {
        records.iter().for_each(|record| _ = worker.recorder.record(worker.now, record));
        assert!(worker.send(collector.address));
    };
    of(&mut worker, &[start("a"), end("a"), start("b"), start("c"), end("c")]);
    let old = count(place, "SELECT MAX(id) FROM records");
    of(&mut worker, &[end("b"), start("d"), end("d")]);
    collector.stop();
    age(place, &format!("id <= {old}"));
    let mut collector = Collector::start(place, &A_DAY);
    removed(&collector, 2);
    // The second exchange is not over for long enough; the third one is, and stands behind its beginning.
    let records = collector.records();
    assert_eq!((damage(&records), numbers(&records, CHAIN)), (vec![], vec![3, 4, 5, 6, 7, 8]));
    assert_eq!(count(place, "SELECT COUNT(*) FROM exchanges"), 3);
    collector.stop();
    age(place, &format!("id > {old} AND seq <= 6"));
    let collector = Collector::start(place, &A_DAY);
    removed(&collector, 4);
    let records = collector.records();
    assert_eq!((damage(&records), numbers(&records, CHAIN)), (vec![], vec![7, 8]));
    assert_eq!(told(&records, CHAIN), Some((6, 6)));
}

fn a_chain_goes_on_and_what_comes_again_is_not_kept_anew(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &["--gap-seconds", "0"]);
    let first = worker.batch(5);
    assert_eq!(collector.json(&first.body).status, 200);
    worker.taken(&first);
    collector.stop();
    age(place, "1 = 1");
    let collector = Collector::start(place, &["--keep-days", "1", "--gap-seconds", "0"]);
    removed(&collector, 10);
    // The same again, and once more together with what follows.
    let second = worker.batch(2);
    let both = [log_records(&first.body), log_records(&second.body)].concat();
    for batch in [&first.body, &support::worker::batch_of(&both), &first.body] {
        let answer = collector.json(batch);
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    }
    worker.taken(&second);
    send(&mut worker, &collector, 1);
    let records = collector.records();
    assert_eq!((damage(&records), records.alerts()), (vec![], vec![]));
    assert_eq!(numbers(&records, CHAIN), (11..=16).collect::<Vec<_>>());
    // A record that does not follow what was removed is an alarm.
    let mut forged = Worker::new(1);
    (0..5).for_each(|_| forged.exchange());
    let mut log = log_records(&forged.next().unwrap().body).remove(9);
    let body = log["body"]["stringValue"].as_str().unwrap();
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["portcullis.chain.seq"] = json!(17);
    body["portcullis.record"] = json!(format!("{CHAIN}-17"));
    log = json!({ "body": { "stringValue": body.to_string() },
        "attributes": [{ "key": "portcullis.chain.id", "value": { "stringValue": CHAIN } }] });
    assert_eq!(collector.json(&support::worker::batch_of(&[log])).status, 200);
    assert_eq!(collector.records().alerts(), [("changed".to_owned(), 16, 16)]);
}

fn what_somebody_takes_out_is_found_beside_what_retention_removed(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    send(&mut worker, &collector, 5);
    let old = count(place, "SELECT MAX(id) FROM records");
    send(&mut worker, &collector, 5);
    collector.stop();
    age(place, &format!("id <= {old}"));
    let collector = Collector::start(place, &A_DAY);
    removed(&collector, 10);
    // The database itself refuses what is not said.
    assert!(!by_hand(place, "DELETE FROM records WHERE seq = 11"));
    let drop = match place {
        Place::Sqlite(_) => "DROP TRIGGER records_go",
        Place::Postgres(_) => "DROP TRIGGER records_go ON records",
    };
    assert!(by_hand(
        place,
        &format!("{drop}; DELETE FROM records WHERE seq IN (11, 12, 13) AND exchange IS NOT NULL")
    ));
    let found =
        |first, last| vec![Finding::OfChain { chain: CHAIN.to_owned(), first, last, what: What::Missing }];
    assert_eq!(damage(&collector.records()), found(11, 13));
    // Also where the table that retention goes by was changed with it.
    assert!(by_hand(place, "UPDATE removed SET last = 13"));
    assert_eq!(damage(&collector.records()), found(11, 13));
}

fn a_removal_stays_explained_when_its_record_goes_too(place: &Place) {
    let options = ["--keep-days", "1", "--gap-seconds", "360000"];
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &options);
    send(&mut worker, &collector, 5);
    // The twelfth is not there, so what stands behind it does not go before that was told.
    let mut logs = log_records(&worker.batch(2).body);
    logs.remove(1);
    assert_eq!(collector.json(&support::worker::batch_of(&logs)).status, 200);
    let missing = Finding::OfChain { chain: CHAIN.to_owned(), first: 12, last: 12, what: What::Missing };
    for round in 0..4 {
        collector.records();
        collector.stop();
        age(place, &format!("arrived > {}", yesterday()));
        collector = Collector::start(place, &options);
        removed(&collector, if round == 0 { 11 } else { 1 });
        let records = collector.records();
        assert_eq!(damage(&records), std::slice::from_ref(&missing), "round {round}");
        assert_eq!(told(&records, CHAIN), Some((11, 11)), "round {round}");
        assert_eq!(numbers(&records, CHAIN), [13, 14]);
        // What said it first is gone.
        let first = count(place, &format!("SELECT MIN(seq) FROM records WHERE chain = {OWN}"));
        assert!(first > 1, "{first}");
    }
}

fn a_chain_that_comes_back_is_explained_anew(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    send(&mut worker, &collector, 5);
    for round in 0..2 {
        collector.stop();
        age(place, &format!("arrived > {}", yesterday()));
        collector = Collector::start(place, &A_DAY);
        removed(&collector, if round == 0 { 10 } else { 1 });
    }
    assert_eq!(told(&collector.records(), CHAIN), None, "nothing is there that it would explain");
    send(&mut worker, &collector, 2);
    let records = collector.records();
    assert_eq!((damage(&records), records.alerts()), (vec![], vec![]));
    assert_eq!((told(&records, CHAIN), numbers(&records, CHAIN)), (Some((10, 10)), vec![11, 12, 13, 14]));
}

fn a_gap_is_told_before_it_goes_and_raises_no_alarm_after(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &["--gap-seconds", "3600"]);
    let mut all = log_records(&worker.batch(5).body);
    let late = all.remove(4);
    assert_eq!(collector.json(&support::worker::batch_of(&all)).status, 200);
    collector.stop();
    age(place, "1 = 1");
    let mut collector = Collector::start(place, &["--keep-days", "1", "--gap-seconds", "3600"]);
    removed(&collector, 4);
    assert_eq!(numbers(&collector.records(), CHAIN), (6..=10).collect::<Vec<_>>(), "the gap is waited out");
    collector.stop();
    // Raises the alarm, and then removes.
    let mut collector = Collector::start(place, &["--gap-seconds", "0"]);
    eventually(|| collector.records().alerts().len(), |alerts| *alerts == 1);
    collector.stop();
    let collector = Collector::start(place, &A_DAY);
    removed(&collector, 5);
    let records = collector.records();
    assert_eq!((told(&records, CHAIN), records.taken()), (Some((10, 9)), 0));
    let answer = collector.json(&support::worker::batch_of(&[late]));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    let records = collector.records();
    assert_eq!((records.alerts(), records.taken()), (vec![("missing".to_owned(), 5, 5)], 0));
    assert_eq!((damage(&records), count(place, "SELECT COUNT(*) FROM gaps")), (vec![], 0));
}

fn values_that_nothing_had_any_more_are_found_again(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    send(&mut worker, &collector, 2);
    collector.stop();
    age(place, "1 = 1");
    // This one knows the numbers of values, and does not remove.
    let other = matches!(place, Place::Postgres(_)).then(|| Collector::start(place, &[]));
    if let Some(other) = &other {
        let mut known = Worker::new(2);
        send(&mut known, other, 1);
        age(place, "1 = 1");
    }
    let collector = Collector::start(place, &A_DAY);
    removed(&collector, if other.is_some() { 6 } else { 4 });
    assert_eq!(count(place, "SELECT COUNT(*) FROM terms"), 0);
    let mut last = Worker::new(3);
    send(&mut last, other.as_ref().unwrap_or(&collector), 1);
    send(&mut worker, &collector, 1);
    let found = get(collector.address, "/api/exchanges?group=engineering&group=rag-users").json();
    assert_eq!(found["exchanges"].as_array().unwrap().len(), 2);
}

fn more_than_there_is_room_for_goes_from_the_oldest_on(place: &Place) {
    const ROOM: i64 = 1 << 20;
    let mut collector = Collector::start(place, &[]);
    let mut workers: Vec<Worker> = (1..=4).map(Worker::new).collect();
    for _ in 0..6 {
        workers.iter_mut().for_each(|worker| send(worker, &collector, 50));
    }
    let before = metric(&collector, "content_bytes");
    assert!(before > ROOM, "{before}");
    collector.stop();
    let collector = Collector::start(place, &["--keep-bytes", &ROOM.to_string()]);
    eventually(|| metric(&collector, "content_bytes"), |bytes| *bytes <= ROOM);
    let records = collector.records();
    assert_eq!(damage(&records), []);
    for worker in &mut workers {
        let chain = worker.recorder.chain_id().to_owned();
        let left = numbers(&records, &chain);
        assert!(
            left.len().is_multiple_of(2) && left.last() == Some(&600),
            "exchanges go as a whole: {}",
            left.len()
        );
        assert_eq!(told(&records, &chain).map_or(1, |(last, _)| last + 1), left[0]);
        send(worker, &collector, 1);
    }
    assert_eq!(damage(&collector.records()), []);
    // Nothing goes while there is room, also of the collector's own.
    let gone = metric(&collector, "records_removed_total");
    assert!(gone > 0 && gone < 2400, "{gone}");
    assert!(collector.records().alerts().is_empty());
}

fn an_export_that_retention_overtakes_explains_itself(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    (0..40).for_each(|_| send(&mut worker, &collector, 50));
    collector.stop();
    age(place, "seq <= 3000");
    let collector = Collector::start(place, &A_DAY);
    let over = AtomicBool::new(false);
    let exports = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut exports = Vec::new();
            while !over.load(Ordering::Relaxed) {
                exports.push(collector.records());
            }
            exports
        });
        eventually(|| metric(&collector, "records_removed_total"), |removed| *removed >= 3000);
        over.store(true, Ordering::Relaxed);
        reading.join().unwrap()
    });
    for (at, export) in exports.iter().enumerate() {
        assert_eq!(damage(export), [], "export {at} of {}", exports.len());
    }
    let last = u64::try_from(count(place, "SELECT MAX(seq) FROM records")).unwrap();
    let left = numbers(&collector.records(), CHAIN);
    assert!(left == (3001..=last).collect::<Vec<_>>(), "{:?} to {:?}, {last}", left.first(), left.last());
    let counts: Vec<usize> = exports.iter().map(Records::taken).collect();
    println!("records in {} exports: {counts:?}", exports.len());
}

fn killed_in_the_middle_of_it_nothing_is_lost_or_unexplained(place: &Place) {
    let lives = if matches!(place, Place::Sqlite(_)) { 36 } else { 18 };
    let mut workers: Vec<Worker> = (1..=3).map(Worker::new).collect();
    let (mut broken, mut went) = (0, 0);
    for life in 0..lives {
        let mut collector = Collector::start(place, &[]);
        workers.iter_mut().for_each(|worker| (0..4).for_each(|_| send(worker, &collector, 40)));
        collector.kill();
        age(place, &format!("arrived > {}", yesterday()));
        let gone = "SELECT CAST(COALESCE(SUM(records), 0) AS BIGINT) FROM removed";
        let before = count(place, gone);
        let mut collector = Collector::start(place, &A_DAY);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in &mut workers {
                let (over, address) = (&over, collector.address);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        worker.exchange();
                        worker.send(address);
                    }
                });
            }
            // At first before it did anything, or while it does; then between two commits, or within the second.
            if life % 3 > 0 {
                eventually(|| count(place, gone), |gone| *gone > before);
            }
            std::thread::sleep(std::time::Duration::from_millis(life * 37 % 120));
            collector.kill();
            over.store(true, Ordering::Relaxed);
        });
        let old = format!("SELECT COUNT(*) FROM records WHERE arrived < {}", yesterday());
        let removed = count(place, gone) > before;
        went += i64::from(removed);
        broken += i64::from(removed && count(place, &old) > 0);
        if life % 5 == 0 || life + 1 == lives {
            let collector = Collector::start(place, &[]);
            workers.iter_mut().for_each(|worker| while worker.send(collector.address) {});
            judge(&workers, &collector, life);
        }
    }
    println!("{lives} lives: {went} removed something, {broken} of them not all");
    assert!(went > 0 && broken > 0, "{went} {broken}");
}

/// Everything that was acknowledged is there, or is among what was removed, as the records say; nothing is there twice; no
/// alarm was raised.
fn judge(workers: &[Worker], collector: &Collector, life: u64) {
    let records = collector.records();
    assert_eq!(damage(&records), [], "life {life}");
    assert_eq!(records.alerts(), []);
    let kept: Vec<String> = records.0.iter().map(|(body, _)| id(body)).collect();
    let once: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(once.len(), kept.len());
    for worker in workers {
        let chain = worker.recorder.chain_id();
        let gone = told(&records, chain).map_or(0, |(last, _)| last);
        for id in worker.acknowledged.iter().filter(|id| !once.contains(id)) {
            let number: u64 = id.rsplit_once('-').unwrap().1.parse().unwrap();
            assert!(number <= gone, "{id} was lost: {gone} went");
        }
    }
}

fn approvals_that_are_over_go_and_others_stay(place: &Place) {
    let mut collector = Collector::start(place, &[]);
    let (denied, pending) =
        (open(collector.address, &question(1, "e1")), open(collector.address, &question(2, "e2")));
    assert_eq!(vote(collector.address, &denied, "deny", &json!({ "reason": "no" })).status, 200);
    collector.stop();
    assert!(by_hand(
        place,
        &format!("UPDATE approvals SET expires = expires - {} WHERE state = 'denied'", 2 * DAY)
    ));
    let collector = Collector::start(place, &A_DAY);
    let status = |id: &str| get(collector.address, &format!("/api/approvals/{id}")).status;
    eventually(|| status(&denied), |status| *status == 404);
    assert_eq!(status(&pending), 200);
}

fn a_database_of_the_release_before_is_taken_over(place: &Place) {
    let mut worker = Worker::new(1);
    let mut collector = Collector::start(place, &[]);
    send(&mut worker, &collector, 3);
    collector.stop();
    let trigger = match place {
        Place::Sqlite(_) => "DROP TRIGGER records_go",
        Place::Postgres(_) => "DROP TRIGGER records_go ON records",
    };
    let before = format!(
        "{trigger}; DROP TABLE removed; ALTER TABLE store DROP COLUMN bytes; ALTER TABLE store DROP COLUMN forgotten; \
         UPDATE store SET version = 1"
    );
    assert!(by_hand(place, &before));
    age(place, "1 = 1");
    let collector = Collector::start(place, &A_DAY);
    send(&mut worker, &collector, 1);
    removed(&collector, 6);
    let records = collector.records();
    assert_eq!((damage(&records), numbers(&records, CHAIN)), (vec![], vec![7, 8]));
    let bytes = count(place, "SELECT CAST(SUM(octet_length(body)) AS BIGINT) FROM records");
    assert_eq!(count(place, "SELECT bytes FROM store"), bytes);
}

/// Both remove, and records come to both.
#[test]
fn of_two_collectors_on_one_database_one_removes_at_a_time() {
    let place = Place::postgres();
    let mut workers: Vec<Worker> = (1..=3).map(Worker::new).collect();
    let mut collector = Collector::start(&place, &[]);
    workers.iter_mut().for_each(|worker| (0..20).for_each(|_| send(worker, &collector, 50)));
    collector.stop();
    age(&place, "1 = 1");
    let old = count(&place, "SELECT COUNT(*) FROM records");
    let both = [Collector::start(&place, &A_DAY), Collector::start(&place, &A_DAY)];
    std::thread::scope(|scope| {
        for worker in &mut workers {
            let both = &both;
            scope.spawn(move || (0..40).for_each(|turn| send(worker, &both[turn % 2], 2)));
        }
    });
    let gone = || both.iter().map(|one| metric(one, "records_removed_total")).sum::<i64>();
    eventually(gone, |gone| *gone >= old);
    assert_eq!(gone(), old, "each went once");
    for collector in &both {
        judge(&workers, collector, 0);
        assert_eq!(metric(collector, "retention_failed_total"), 0);
    }
    let answer = request(both[0].address, "GET", "/api/exchanges?limit=1000", &[], b"").unwrap().json();
    assert_eq!(answer["exchanges"].as_array().unwrap().len(), 240);
}

#[test]
fn what_would_keep_nothing_is_refused() {
    for (option, value) in
        [("--keep-days", "0"), ("--keep-bytes", "1000"), ("--keep-days", "-1"), ("--keep-bytes", "many")]
    {
        let program = env!("CARGO_BIN_EXE_portcullis-collector");
        let output = std::process::Command::new(program).args([option, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{option} {value}: {output:?}");
    }
}
