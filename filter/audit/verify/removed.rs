//! Records that a store removed because their time was over, as its own chain says.
//!
//! What it says is cumulative: of a chain, the numbers from 1 to a last one, and the hash of that one. So the first
//! record that is still there can be held against it, and what is gone beyond it is missing as ever. Only a chain that
//! holds nothing but a store's own records is believed: no worker can say such a thing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Finding, What};

/// The event of a record that says what was removed.
pub const EVENT: &str = "portcullis.collector.retention";
/// How the events of a store's own records begin.
const OWN: &str = "portcullis.collector.";

/// What was removed of a chain: everything up to a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removal {
    /// The highest number.
    pub last: u64,
    /// The hash of the record that had it, in hexadecimal digits.
    pub hash: String,
    /// How many records there were.
    pub records: u64,
    /// `age` or `size`.
    pub why: String,
}

impl Removal {
    /// What a record says, by chains.
    pub(super) fn of(event: &str, body: &Map<String, Value>) -> Vec<(String, Self)> {
        if event != EVENT {
            return Vec::new();
        }
        let chains = body.get("portcullis.retention.chains").and_then(Value::as_array);
        chains.into_iter().flatten().filter_map(Self::one).collect()
    }

    fn one(said: &Value) -> Option<(String, Self)> {
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| said.get(name).and_then(Value::as_u64);
        let last = number("last").filter(|last| *last > 0)?;
        let (records, why) = (number("records").unwrap_or_default(), text("why").unwrap_or_default());
        Some((text("chain")?, Self { last, hash: text("hash")?, records, why }))
    }

    /// Whether a number is among them.
    pub(super) fn holds(&self, seq: u64) -> bool {
        seq <= self.last
    }
}

/// What the records of a list say was removed.
#[derive(Default)]
pub(super) struct Removals {
    /// By the chains that say it.
    said: BTreeMap<String, Vec<(String, Removal)>>,
    /// Chains that hold records of a worker.
    workers: BTreeSet<String>,
}

impl Removals {
    /// A record of a chain, and what it says.
    pub fn add(&mut self, chain: &str, event: &str, removed: Vec<(String, Removal)>) {
        if !event.starts_with(OWN) {
            if !self.workers.contains(chain) {
                self.workers.insert(chain.to_owned());
            }
            return;
        }
        if !removed.is_empty() {
            self.said.entry(chain.to_owned()).or_default().extend(removed);
        }
    }

    /// Of each chain the most that is said, with what is known from elsewhere. Two hashes of one number are a forgery.
    pub fn of_chains(
        self,
        known: &BTreeMap<String, Removal>,
        findings: &mut Vec<Finding>,
    ) -> BTreeMap<String, Removal> {
        let mut all: BTreeMap<String, BTreeSet<Removal>> = BTreeMap::new();
        let believed = self.said.into_iter().filter(|(chain, _)| !self.workers.contains(chain));
        for (chain, removal) in believed.flat_map(|(_, said)| said) {
            all.entry(chain).or_default().insert(removal);
        }
        for (chain, removal) in known {
            all.entry(chain.clone()).or_default().insert(removal.clone());
        }
        let mut most = BTreeMap::new();
        for (chain, said) in all {
            let mut hashes = BTreeMap::new();
            for removal in said {
                if hashes.insert(removal.last, removal.hash.clone()).is_some_and(|hash| hash != removal.hash)
                {
                    findings.push(Finding::one(&chain, removal.last, What::Conflicting));
                }
                most.insert(chain.clone(), removal);
            }
        }
        most
    }
}

/// As notes, of every chain.
pub(super) fn told(removed: &BTreeMap<String, Removal>) -> impl Iterator<Item = Finding> {
    removed.iter().map(|(chain, removal)| {
        let what = What::Removed { records: removal.records, why: removal.why.clone() };
        Finding::some(chain, 1, removal.last, what)
    })
}
