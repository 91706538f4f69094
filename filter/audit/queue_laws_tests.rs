//! Laws of the recorder, against a collector that fails at random.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::queue::{Limits, Recorded, Recorder};
use super::retry::Answer;
use super::samples_tests::{self as samples, START, bodies, log_records};
use super::verify::{Finding, Knowledge, Stored, What, verify};

fn small() -> Limits {
    Limits {
        bytes: 64 << 10,
        records: 12,
        part_bytes: 64 << 10,
        part_records: 4,
        refusal_bytes: 16 << 10,
        refusal_records: 3,
        batch_bytes: 20 << 10,
        batch_records: 5,
        ..Limits::default()
    }
}

const OK: Answer<'static> = Answer::Status { status: 200, retry_after: None, body: b"{}" };

fn status(status: u16) -> Answer<'static> {
    Answer::Status { status, retry_after: None, body: b"" }
}

fn seqs(bodies: &[String]) -> Vec<u64> {
    let seq = |body: &String| {
        serde_json::from_str::<Value>(body).unwrap()["portcullis.chain.seq"].as_u64().unwrap()
    };
    bodies.iter().map(seq).collect()
}

/// Delivers everything to a collector that takes it; the bodies in order of arrival.
fn drain(recorder: &mut Recorder, mut now: u64) -> Vec<String> {
    let mut stored = Vec::new();
    recorder.close(now);
    for _ in 0..1000 {
        if let Some(batch) = recorder.next_batch(now) {
            stored.extend(bodies(&batch.body));
            recorder.delivered(batch.ticket, now, &OK);
        } else {
            match recorder.wake_at() {
                Some(at) => now = now.max(at),
                None => return stored,
            }
        }
    }
    panic!("the queue never ran dry");
}

fn judged(bodies: &[String]) -> Vec<Finding> {
    let stored = bodies.iter().map(|body| Stored { body, attributes: &[] });
    verify(stored, &Knowledge::default()).findings
}

fn declared(body: &str) -> Vec<(u64, u64)> {
    let body: Value = serde_json::from_str(body).unwrap();
    let ranges = body["portcullis.dropped.ranges"].as_array().cloned().unwrap_or_default();
    ranges.iter().map(|r| (r["first"].as_u64().unwrap(), r["last"].as_u64().unwrap())).collect()
}

#[test]
fn a_record_waits_for_others_no_longer_than_the_age() {
    let mut recorder = samples::recorder(Limits::default());
    recorder.record(START, &samples::start());
    assert_eq!(recorder.next_batch(START), None);
    let due = recorder.wake_at().unwrap();
    assert_eq!(due, START + 200_000_000);
    assert_eq!(recorder.next_batch(due - 1), None);
    assert_eq!(recorder.next_batch(due).unwrap().records, 1);
}

#[test]
fn one_batch_at_a_time_and_the_same_again_after_a_failure() {
    let mut recorder = samples::recorder(small());
    (0..7).for_each(|_| _ = recorder.record(START, &samples::start()));
    let first = recorder.next_batch(START).unwrap();
    assert_eq!(recorder.next_batch(START), None);
    recorder.delivered(first.ticket, START, &status(503));
    let due = recorder.wake_at().unwrap();
    assert!(due - START >= 250_000_000 && due - START <= 500_000_000);
    assert_eq!(recorder.next_batch(due - 1), None);
    let again = recorder.next_batch(due).unwrap();
    assert_eq!(again.body, first.body);
    assert_ne!(again.ticket, first.ticket);
    recorder.delivered(first.ticket, due, &OK);
    assert_eq!(recorder.stats().delivered_total, 0, "an answer to a try that is over changes nothing");
    recorder.delivered(again.ticket, due, &OK);
    assert_eq!(recorder.stats().delivered_total, again.records as u64);
}

#[test]
fn retry_after_is_honoured() {
    let mut recorder = samples::recorder(small());
    recorder.record(START, &samples::start());
    let now = START + samples::SECOND;
    let batch = recorder.next_batch(now).unwrap();
    recorder.delivered(
        batch.ticket,
        now,
        &Answer::Status { status: 429, retry_after: Some(b"90"), body: b"" },
    );
    assert_eq!(recorder.next_batch(now + 89 * samples::SECOND), None);
    assert!(recorder.next_batch(now + 90 * samples::SECOND).is_some());
}

#[test]
fn a_call_that_is_never_answered_is_made_again() {
    let mut recorder = samples::recorder(Limits { anchor_every: Duration::from_secs(3600), ..small() });
    recorder.record(START, &samples::start());
    let sent = START + samples::SECOND;
    recorder.next_batch(sent).unwrap();
    let gone = recorder.wake_at().unwrap();
    assert_eq!(gone, sent + 60 * samples::SECOND);
    assert_eq!(recorder.next_batch(gone), None);
    assert!(recorder.next_batch(recorder.wake_at().unwrap()).is_some());
}

#[test]
fn a_batch_that_only_ever_fails_the_collector_gives_way() {
    let mut recorder = samples::recorder(small());
    recorder.record(START, &samples::start());
    let mut now = START + samples::SECOND;
    for _ in 0..8 {
        let batch = recorder.next_batch(now).unwrap();
        recorder.delivered(batch.ticket, now, &status(500));
        now += 60 * samples::SECOND;
    }
    assert_eq!(recorder.stats().dropped_total, 1);
}

#[test]
fn what_a_full_queue_loses_is_declared_by_number() {
    let mut recorder = samples::recorder(small());
    let fates: Vec<_> = (0..15).map(|_| recorder.record(START, &samples::start())).collect();
    let lost: Vec<_> =
        fates.iter().filter_map(|f| if let Recorded::Lost(n) = f { Some(*n) } else { None }).collect();
    assert!(lost.len() >= 3 && lost.last() == Some(&15));
    assert_eq!(recorder.stats().dropped_total, lost.len() as u64);
    let batch = recorder.next_batch(START).unwrap();
    recorder.delivered(batch.ticket, START, &OK);
    assert_eq!(recorder.record(START, &samples::end()), Recorded::Queued(16));
    let mut stored = bodies(&batch.body);
    stored.extend(drain(&mut recorder, START));
    let teller = stored.iter().find(|body| seqs(std::slice::from_ref(body)) == [16]).unwrap();
    let body: Value = serde_json::from_str(teller).unwrap();
    assert_eq!(body["portcullis.dropped.count"], lost.len());
    assert_eq!(
        body["portcullis.dropped.ranges"],
        serde_json::json!([{"count": lost.len(), "first": lost[0], "last": 15, "reason": "queue_full"}])
    );
    let findings = judged(&stored);
    assert!(matches!(findings[..], [Finding::OfChain { last: 15, what: What::Lost, .. }]), "{findings:?}");
}

#[test]
fn a_flood_of_refusals_costs_no_other_record() {
    let mut recorder = samples::recorder(small());
    let mut summed = 0;
    for round in 0..4 {
        assert!(matches!(recorder.record(START + round, &samples::end()), Recorded::Queued(_)));
        for _ in 0..1000 {
            summed += u64::from(recorder.record(START + round, &samples::refusal()) == Recorded::Summed);
        }
    }
    assert_eq!(summed, 3997);
    let stats = recorder.stats();
    assert_eq!((stats.queued, stats.dropped_total, stats.summed_total), (7, 0, 3997));
    let stored = drain(&mut recorder, START + 4);
    let records: Vec<Value> = stored.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let sums: Vec<_> = records.iter().filter(|r| r["event.name"] == "portcullis.exchange.summary").collect();
    assert_eq!(sums.len(), 1);
    assert_eq!(sums[0]["portcullis.summed.count"], 3997);
    assert_eq!(sums[0]["portcullis.summed.reasons"], serde_json::json!({"unauthenticated": 3997}));
    assert_eq!(judged(&stored), []);
}

#[test]
fn a_flood_of_parts_costs_no_start_and_no_end() {
    let mut recorder = samples::recorder(Limits { part_records: 3, ..Limits::default() });
    let mut lost = 0;
    for round in 0..4 {
        assert!(matches!(recorder.record(START + round, &samples::start()), Recorded::Queued(_)));
        for _ in 0..1000 {
            lost += u64::from(matches!(recorder.record(START + round, &samples::part()), Recorded::Lost(_)));
        }
        assert!(matches!(recorder.record(START + round, &samples::end()), Recorded::Queued(_)));
    }
    assert_eq!((lost, recorder.stats().queued, recorder.stats().dropped_total), (3997, 11, 3997));
}

#[test]
fn anchors_follow_records_and_stop_when_nothing_happens() {
    let mut recorder = samples::recorder(Limits::default());
    recorder.record(START, &samples::start());
    let batch = recorder.next_batch(START + samples::SECOND).unwrap();
    recorder.delivered(batch.ticket, START + samples::SECOND, &OK);
    assert_eq!(recorder.wake_at(), Some(START + 60 * samples::SECOND));
    assert_eq!(recorder.next_batch(START + 60 * samples::SECOND), None);
    let batch = recorder.next_batch(recorder.wake_at().unwrap()).unwrap();
    let anchor = &log_records(&batch.body)[0];
    assert_eq!(anchor["eventName"], "portcullis.chain.anchor");
    let body: Value = serde_json::from_str(anchor["body"]["stringValue"].as_str().unwrap()).unwrap();
    assert_eq!(body["portcullis.anchor.seq"], 1);
    assert_eq!(body["portcullis.anchor.hash"], body["portcullis.chain.previous"]);
    recorder.delivered(batch.ticket, START + 61 * samples::SECOND, &OK);
    assert_eq!(recorder.wake_at(), None);
    assert!(recorder.is_idle());
}

#[derive(Debug, Clone)]
enum Event {
    Start,
    Refusal,
    Tick,
    Answer(u16),
    Partial,
    Break,
    ClockBack,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Start),
        3 => Just(Event::Refusal),
        6 => Just(Event::Tick),
        3 => Just(Event::Answer(200)),
        2 => prop_oneof![Just(400_u16), Just(413), Just(429), Just(500), Just(503)].prop_map(Event::Answer),
        1 => Just(Event::Partial),
        1 => Just(Event::Break),
        1 => Just(Event::ClockBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_arrives_or_is_declared_lost(events in proptest::collection::vec((event(), 0..3_000_u64), 1..150)) {
        let limits = small();
        let mut recorder = samples::recorder(limits.clone());
        let mut now = START;
        let mut stored: Vec<String> = Vec::new();
        let mut sent: Option<super::Batch> = None;
        let mut summed = 0_u64;
        let mut highest = 0_u64;
        for (event, passed) in events {
            now += passed * 1_000_000;
            match event {
                Event::Start | Event::Refusal => {
                    let record = if matches!(event, Event::Start) { samples::start() } else { samples::refusal() };
                    match recorder.record(now, &record) {
                        Recorded::Queued(seq) | Recorded::Lost(seq) => highest = highest.max(seq),
                        Recorded::Summed => summed += 1,
                    }
                }
                Event::ClockBack => now -= now % 1_000_000_000,
                Event::Tick => if let Some(batch) = recorder.next_batch(now) {
                    let order = seqs(&bodies(&batch.body));
                    prop_assert!(order.is_sorted_by(|a, b| a < b), "order within a batch");
                    prop_assert_eq!(order.len(), batch.records);
                    sent = Some(batch);
                },
                Event::Answer(code) => if let Some(batch) = sent.take() {
                    recorder.delivered(batch.ticket, now, &status(code));
                    if code == 200 { stored.extend(bodies(&batch.body)); }
                },
                // The collector took the first record of the batch and says that it refused the rest.
                Event::Partial => if let Some(batch) = sent.take() {
                    let body = br#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#;
                    recorder.delivered(batch.ticket, now, &Answer::Status { status: 200, retry_after: None, body });
                    stored.extend(bodies(&batch.body).into_iter().take(1));
                },
                // It arrived, but the answer was lost: the same batch comes again.
                Event::Break => if let Some(batch) = sent.take() {
                    recorder.delivered(batch.ticket, now, &Answer::Broken);
                    stored.extend(bodies(&batch.body));
                },
            }
            let stats = recorder.stats();
            let most = limits.bytes + limits.refusal_bytes + 4 * 4096;
            prop_assert!(stats.bytes <= most as u64, "memory");
            prop_assert!(stats.queued <= (limits.records + limits.refusal_records + 4) as u64, "records");
        }
        if let Some(batch) = sent.take() {
            recorder.delivered(batch.ticket, now, &Answer::Broken);
        }
        stored.extend(drain(&mut recorder, now));

        let arrived: BTreeSet<u64> = seqs(&stored).into_iter().collect();
        let lost: Vec<_> = stored.iter().flat_map(|body| declared(body)).collect();
        for seq in 1..=arrived.last().copied().unwrap_or_default().max(highest) {
            prop_assert!(arrived.contains(&seq) || lost.iter().any(|(first, last)| *first <= seq && seq <= *last), "{seq}");
        }
        let in_summaries: u64 = stored.iter().collect::<BTreeSet<_>>().into_iter().map(|body| {
            serde_json::from_str::<Value>(body).unwrap()["portcullis.summed.count"].as_u64().unwrap_or_default()
        }).sum();
        prop_assert!(in_summaries <= summed);
        prop_assert_eq!(recorder.stats().summed_total, summed);
        prop_assert!(recorder.is_idle());
        prop_assert_eq!(recorder.stats().bytes, 0);
        let damage: Vec<_> = judged(&stored).into_iter().filter(Finding::is_damage).collect();
        prop_assert_eq!(damage, vec![]);
    }
}

#[test]
fn a_clock_set_back_delays_nothing() {
    let mut recorder = samples::recorder(Limits { batch_age: Duration::from_secs(5), ..Limits::default() });
    recorder.record(START, &samples::start());
    assert!(recorder.next_batch(START - 3600 * samples::SECOND).is_some());
}
