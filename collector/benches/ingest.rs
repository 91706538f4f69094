//! How many records a second the collector takes: workers send batches that were made before, one after the other.
//!
//! `make bench-store` builds the binary to ship and measures that one; `POSTGRES=1`: on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use portcullis::audit::{Facts, Limits, Record, StartRecord, Text};
use support::Collector;
use support::place::Place;
use support::worker::Worker;

/// Workers that send at the same time.
const WORKERS: u8 = 16;
/// Batches of each.
const BATCHES: usize = 40;
/// Exchanges in a batch: a start and an end each.
const EXCHANGES: usize = 50;

fn batches(id: u8) -> Vec<Vec<u8>> {
    let mut worker = Worker::with(id, Limits { batch_records: 2 * EXCHANGES, ..Limits::default() });
    // Longer than the sample of the docs, so that the figure is none for toys.
    let facts = Facts {
        tools: (0..8).map(|n| format!("tool-{n}-of-the-handbook")).collect(),
        digest: Some(Text::from("d".repeat(200))),
        ..Facts::default()
    };
    let padding = Record::Start(Box::new(StartRecord { facts, ..StartRecord::default() }));
    let batch = |_| {
        (0..EXCHANGES - 1).for_each(|_| worker.exchange());
        (0..2).for_each(|_| _ = worker.recorder.record(worker.now, &padding));
        let batch = worker.next().expect("a batch");
        worker.taken(&batch);
        batch.body
    };
    (0..BATCHES).map(batch).collect()
}

fn main() {
    let all: Vec<Vec<Vec<u8>>> = (1..=WORKERS).map(batches).collect();
    let bytes: usize = all.iter().flatten().map(Vec::len).sum();
    let place = if std::env::var_os("POSTGRES").is_some() { Place::postgres() } else { Place::sqlite() };
    let collector = Collector::start(&place, &[]);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for batches in &all {
            let collector = &collector;
            scope.spawn(move || {
                for batch in batches {
                    let answer = collector.json(batch);
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
    let took = start.elapsed();
    let records = f64::from(WORKERS) * (BATCHES * EXCHANGES * 2) as f64;
    println!(
        "{records} records ({} bytes each on the wire) in {:.2} s: {:.0} a second",
        bytes / (WORKERS as usize * BATCHES * EXCHANGES * 2),
        took.as_secs_f64(),
        records / took.as_secs_f64()
    );
    assert_eq!(collector.records().taken(), WORKERS as usize * BATCHES * EXCHANGES * 2);
}
