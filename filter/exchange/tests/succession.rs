//! Chains that go on from those that ended.

use super::*;
use crate::audit::{EndRecord, Record};
use crate::host::{CallId, Reply};

struct Fleet {
    host: Memory,
    set: Value,
}

impl Fleet {
    fn new() -> Self {
        let key = Ed25519KeyPair::generate().with_key_id("k1");
        let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
        host.now.set(1_800_000_000_000_000_000);
        Self { host, set: set(&key) }
    }

    fn worker(&self) -> Worker {
        Worker::start(&self.host, &bundle(&self.set, true)).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn pass(&self, seconds: u64, workers: &[&Worker]) {
        for _ in 0..seconds {
            self.host.now.set(self.host.now.get() + 1_000_000_000);
            for worker in workers {
                worker.tick(&self.host);
            }
        }
    }

    /// Lets a worker record something; what its collector is sent by then.
    fn records(&self, worker: &Worker) -> Vec<Value> {
        worker.record(&self.host, &Record::End(Box::<EndRecord>::default()));
        self.sent(worker)
    }

    /// What is sent after a second, and taken.
    fn sent(&self, worker: &Worker) -> Vec<Value> {
        let before = self.host.calls.borrow().len();
        self.pass(1, &[worker]);
        self.taken(worker, before)
    }

    fn taken(&self, worker: &Worker, before: usize) -> Vec<Value> {
        let calls: Vec<(CallId, Vec<u8>)> = self.host.calls.borrow()[before..]
            .iter()
            .filter(|(_, call)| call.cluster == "audit")
            .map(|(id, call)| (*id, call.body.clone()))
            .collect();
        let mut records = Vec::new();
        for (id, body) in calls {
            let batch: Value = serde_json::from_slice(&body).unwrap();
            let logs = batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone();
            records.extend(logs.iter().map(|log| {
                serde_json::from_str::<Value>(log["body"]["stringValue"].as_str().unwrap()).unwrap()
            }));
            let body = b"{}".to_vec();
            worker.reply(&self.host, id, &Reply::Answer { status: 200, headers: Vec::new(), body });
        }
        records
    }

    /// Takes leave of a worker; its last records.
    fn leave(&self, worker: &Worker) -> Vec<Value> {
        let before = self.host.calls.borrow().len();
        assert!(!worker.leave(&self.host), "its anchor is on its way");
        let last = self.taken(worker, before);
        assert!(worker.leave(&self.host));
        last
    }
}

fn predecessor(record: &Value) -> Option<&str> {
    record.get("portcullis.chain.predecessor").map(|name| name.as_str().unwrap())
}

#[test]
fn a_worker_that_begins_after_another_left_goes_on_from_its_last_record() {
    let fleet = Fleet::new();
    let old = fleet.worker();
    assert_eq!(predecessor(&fleet.records(&old)[0]), None, "the first has none");
    let last = fleet.leave(&old).pop().unwrap();
    assert_eq!(last["event.name"], "portcullis.chain.anchor");
    let (new, other) = (fleet.worker(), fleet.worker());
    let first = fleet.records(&new).remove(0);
    assert_eq!(predecessor(&first), last["portcullis.record"].as_str());
    assert_eq!(predecessor(&fleet.records(&new)[0]), None);
    assert_eq!(predecessor(&fleet.records(&other)[0]), None, "one chain goes on from it");
}

#[test]
fn a_worker_that_is_there_when_another_leaves_says_so_with_its_next_anchor() {
    let fleet = Fleet::new();
    let (old, new) = (fleet.worker(), fleet.worker());
    fleet.records(&old);
    assert_eq!(predecessor(&fleet.records(&new)[0]), None);
    let last = fleet.leave(&old).pop().unwrap();
    assert_eq!(predecessor(&fleet.records(&new)[0]), None);
    let before = fleet.host.calls.borrow().len();
    fleet.pass(61, &[&new]);
    let anchor = fleet.taken(&new, before).pop().unwrap();
    assert_eq!(anchor["event.name"], "portcullis.chain.anchor");
    assert_eq!(predecessor(&anchor), last["portcullis.record"].as_str());
}

#[test]
fn a_worker_that_crashed_is_named_when_it_is_silent_and_one_that_is_idle_is_not() {
    let fleet = Fleet::new();
    let (crashed, idle) = (fleet.worker(), fleet.worker());
    let last = fleet.records(&crashed).pop().unwrap();
    fleet.records(&idle);
    fleet.pass(30, &[&idle]);
    let (new, other) = (fleet.worker(), fleet.worker());
    assert_eq!(predecessor(&fleet.records(&new)[0]), last["portcullis.record"].as_str());
    assert_eq!(predecessor(&fleet.records(&other)[0]), None);
}

#[test]
fn a_worker_that_leaves_names_none() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.worker(), fleet.worker());
    fleet.records(&first);
    fleet.records(&second);
    fleet.leave(&first);
    let last = fleet.leave(&second);
    assert!(last.iter().all(|record| predecessor(record).is_none()), "it is named by one that stays");
}
