//! Killed at any moment while exchanges spend approvals, the collector spends none twice, and what it answered stays.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::approval::{get, open, post, question, spend, vote};
use support::place::Place;
use support::{Collector, on_every_database};

/// Exchanges that want the same approval.
const RIVALS: usize = 4;
/// Approvals of one life.
const EACH: usize = 6;
/// They stay open from life to life.
const ROOM: [&str; 4] = ["--max-approvals", "100000", "--max-approvals-per-caller", "100000"];

on_every_database!(nothing_is_spent_twice_and_an_answered_spend_stays_spent);

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn lives(place: &Place) -> usize {
    match place {
        Place::Sqlite(_) => 60,
        Place::Postgres(_) => 30,
    }
}

/// Which exchanges were let through, by approval: as they heard it.
type Through = BTreeMap<String, BTreeSet<String>>;

/// Every rival opens, approves as somebody would, and spends, until its collector is dead.
fn rival(collector: &Collector, calls: &[usize], name: &str, answered: &AtomicU64) -> Vec<(String, String)> {
    let address = collector.address;
    let exchange = |call: usize| format!("{name}-{call}");
    let mut through = Vec::new();
    for call in calls {
        let Ok(opened) = post(address, "/v1/approvals", &question(*call, &exchange(*call))) else { break };
        let Some(id) = opened.json()["id"].as_str().map(str::to_owned) else { continue };
        // Of all who approve one is first; the others are refused.
        if post(address, &format!("/api/approvals/{id}/approve"), &json!({})).is_err() {
            break;
        }
        let Ok(answer) = spend(address, &id, *call, &exchange(*call)) else { break };
        assert!([200, 409, 503].contains(&answer.status), "{answer:?}");
        if answer.status == 200 {
            assert_eq!(answer.json()["exchange"], exchange(*call));
            through.push((id, exchange(*call)));
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    through
}

/// Whoever heard yes hears it again, nobody else ever does.
fn judge(collector: &Collector, through: &Through, calls: &BTreeMap<String, usize>) {
    for (id, exchanges) in through {
        assert_eq!(exchanges.len(), 1, "{id} let through {exchanges:?}");
        let exchange = exchanges.first().unwrap();
        let call = calls[id];
        let again = spend(collector.address, id, call, exchange).unwrap();
        assert_eq!((again.status, &again.json()["exchange"]), (200, &json!(exchange)), "{id}");
        let other = spend(collector.address, id, call, "another").unwrap();
        assert_eq!((other.status, &other.json()["exchange"]), (409, &json!(exchange)), "{id}");
        assert_eq!(vote(collector.address, id, "deny", &json!({ "reason": "late" })).status, 409);
    }
}

fn nothing_is_spent_twice_and_an_answered_spend_stays_spent(place: &Place) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut through, mut calls) = (Through::new(), BTreeMap::new());
    // On a server another collector goes on while this one dies, and is asked too.
    let stays = matches!(place, Place::Postgres(_)).then(|| Collector::start(place, &ROOM));
    let mut broken = 0;
    for life in 0..lives(place) {
        let mut dies = Collector::start(place, &ROOM);
        let mine: Vec<usize> = (life * EACH..(life + 1) * EACH).collect();
        let answered = AtomicU64::new(0);
        let (until, after) = (chance.below(8), Duration::from_micros(chance.below(5_000)));
        let heard = thread::scope(|scope| {
            let rivals: Vec<_> = (0..RIVALS)
                .map(|at| {
                    let (mine, answered) = (&mine, &answered);
                    let asked = if at % 2 == 0 { &dies } else { stays.as_ref().unwrap_or(&dies) };
                    scope.spawn(move || rival(asked, mine, &format!("life-{life}-{at}"), answered))
                })
                .collect();
            let patience = Instant::now() + Duration::from_secs(5);
            while answered.load(Ordering::Relaxed) < until && Instant::now() < patience {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(after);
            dies.signal();
            rivals.into_iter().flat_map(|rival| rival.join().unwrap()).collect::<Vec<_>>()
        });
        dies.kill();
        broken += u64::from(answered.into_inner() < (RIVALS * EACH) as u64);
        // Whoever heard nothing asks again.
        let again = Collector::start(place, &ROOM);
        for call in &mine {
            // Spent ones are found by the list alone.
            let id = open(again.address, &question(*call, "look"));
            calls.insert(id, *call);
        }
        let listed = get(again.address, "/api/approvals?limit=200").json();
        for one in listed["approvals"].as_array().unwrap() {
            let id = one["id"].as_str().unwrap();
            let whole = get(again.address, &format!("/api/approvals/{id}")).json();
            let call = usize::from_str_radix(whole["binding"].as_str().unwrap(), 16).unwrap();
            calls.insert(id.to_owned(), call);
            if !mine.contains(&call) {
                continue;
            }
            for at in 0..RIVALS {
                let exchange = format!("life-{life}-{at}-{call}");
                let answer = spend(again.address, id, call, &exchange).unwrap();
                if answer.status == 200 {
                    through.entry(id.to_owned()).or_default().insert(exchange);
                }
            }
        }
        for (id, exchange) in heard {
            through.entry(id).or_default().insert(exchange);
        }
        let latest: Through = through
            .iter()
            .filter(|(id, _)| calls.get(*id).is_some_and(|call| mine.contains(call)))
            .map(|(id, exchanges)| (id.clone(), exchanges.clone()))
            .collect();
        judge(&again, &latest, &calls);
    }
    let last = Collector::start(place, &ROOM);
    judge(&last, &through, &calls);
    // The records say the same: each was approved and spent once.
    let records = last.records();
    records.assert_whole();
    let mut told: BTreeMap<(String, String), usize> = BTreeMap::new();
    for body in records.bodies().filter(|body| body.contains_key("portcullis.approval")) {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        *told.entry((text("portcullis.approval"), text("portcullis.approval.what"))).or_default() += 1;
    }
    for ((id, what), times) in &told {
        assert_eq!(*times, 1, "{id} {what}");
    }
    let spent = told.keys().filter(|(_, what)| what == "spent").count();
    assert_eq!(spent, through.len());
    assert!(spent > lives(place), "{spent} approvals were spent");
    assert!(broken > lives(place) as u64 / 2, "{broken} lives ended in the middle of work");
    println!("{spent} approvals spent in {} lives, of which {broken} broke off", lives(place));
}
