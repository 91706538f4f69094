//! Killed at any moment, the collector loses nothing that it acknowledged, and keeps nothing twice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::place::Place;
use support::worker::{Worker, id};
use support::{Collector, on_every_database};

/// Workers that send at the same time.
const WORKERS: u8 = 4;

on_every_database!(
    nothing_acknowledged_is_lost_and_nothing_is_doubled,
    the_same_of_collectors_that_share_a_database
);

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    /// Below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// When a life ends: after so many acknowledgements, and a while. So it is a moment of work on a machine of any speed.
struct Moment {
    acknowledgements: u64,
    after: Duration,
}

impl Moment {
    fn of(chance: &mut Chance) -> Self {
        Self { acknowledgements: chance.below(5), after: Duration::from_micros(chance.below(20_000)) }
    }

    fn wait(&self, acknowledged: &AtomicU64) {
        let until = Instant::now() + Duration::from_millis(500);
        while acknowledged.load(Ordering::Relaxed) < self.acknowledgements && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(self.after);
    }
}

fn lives(place: &Place) -> u32 {
    match place {
        Place::Sqlite(_) => 240,
        Place::Postgres(_) => 60,
    }
}

/// Lets workers send to these collectors until `kill` is back; gives how many acknowledgements there were.
fn under_load(workers: &mut [Worker], addresses: &[SocketAddr], kill: impl FnOnce(&AtomicU64)) -> u64 {
    let (over, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for (at, worker) in workers.iter_mut().enumerate() {
            let (over, acknowledged) = (&over, &acknowledged);
            scope.spawn(move || {
                let mut turn = at;
                while !over.load(Ordering::Relaxed) {
                    // What would be lost on this side shows nothing of the other.
                    if worker.recorder.stats().queued < 100 {
                        (0..1 + turn % 5).for_each(|_| worker.exchange());
                    }
                    let taken = worker.send(addresses[turn % addresses.len()]);
                    acknowledged.fetch_add(taken.into(), Ordering::Relaxed);
                    if !taken {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    turn += 1;
                }
            });
        }
        kill(&acknowledged);
        over.store(true, Ordering::Relaxed);
    });
    acknowledged.into_inner()
}

/// Everything that was acknowledged is there, everything is there once, every chain is whole; no alarm was raised.
fn judge(workers: &[Worker], collector: &Collector, life: u32) {
    let records = collector.records();
    let kept: Vec<String> = records.0.iter().map(|(body, _)| id(body)).collect();
    let once: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(once.len(), kept.len(), "doubled after life {life}");
    for worker in workers {
        let lost: Vec<&String> = worker.acknowledged.iter().filter(|id| !once.contains(id)).collect();
        assert!(lost.is_empty(), "lost after life {life}: {lost:?}");
    }
    records.assert_whole();
    assert_eq!(records.alerts(), []);
}

fn nothing_acknowledged_is_lost_and_nothing_is_doubled(place: &Place) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut workers: Vec<Worker> = (1..=WORKERS).map(Worker::new).collect();
    let (mut acknowledged, mut broken) = (0, 0);
    for life in 0..lives(place) {
        let mut collector = Collector::start(place, &[]);
        if life % 40 == 0 {
            judge(&workers, &collector, life);
        }
        let moment = Moment::of(&mut chance);
        let taken = under_load(&mut workers, &[collector.address], |acknowledged| {
            moment.wait(acknowledged);
            collector.kill();
        });
        acknowledged += taken;
        broken += u64::from(taken > 0);
    }
    let collector = Collector::start(place, &[]);
    // What was on its way comes again.
    workers.iter_mut().for_each(|worker| while worker.send(collector.address) {});
    judge(&workers, &collector, lives(place));
    // The test tried what it says: most lives ended in the middle of work.
    assert!(broken > u64::from(lives(place)) / 2, "{broken} lives took something");
    println!("{acknowledged} requests acknowledged in {} lives", lives(place));
}

/// One of two is killed while the other goes on; workers send to both by turns.
fn the_same_of_collectors_that_share_a_database(place: &Place) {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let mut workers: Vec<Worker> = (1..=WORKERS).map(Worker::new).collect();
    let stays = Collector::start(place, &[]);
    for life in 0..lives(place) / 6 {
        let mut dies = Collector::start(place, &[]);
        let moment = Moment::of(&mut chance);
        under_load(&mut workers, &[stays.address, dies.address], |acknowledged| {
            moment.wait(acknowledged);
            dies.kill();
        });
        if life % 10 == 0 {
            judge(&workers, &stays, life);
        }
    }
    workers.iter_mut().for_each(|worker| while worker.send(stays.address) {});
    judge(&workers, &stays, lives(place) / 6);
}
