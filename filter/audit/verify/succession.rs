//! Chains that others name as their predecessors: what was there of them is there still.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::chain::Chain;
use super::removed::Removal;
use super::{Finding, Knowledge, What};
use crate::audit::chain::Head;

/// A chain that a record says ended, and where.
pub(super) struct Ended {
    head: Head,
    /// The chain that says so.
    by: String,
}

impl Ended {
    pub fn of(by: &str, record: &Map<String, Value>) -> Option<Self> {
        let (chain, seq) = record.get("portcullis.chain.predecessor")?.as_str()?.rsplit_once('-')?;
        let hash = record.get("portcullis.chain.predecessor_hash")?.as_str()?.to_owned();
        let head = Head { chain: chain.to_owned(), seq: seq.parse().ok()?, hash };
        Some(Self { head, by: by.to_owned() })
    }

    /// The chain that ended.
    pub fn chain(&self) -> &str {
        &self.head.chain
    }

    /// What is missing of it, or was changed, where so much of it was removed.
    pub fn check(
        &self,
        chains: &BTreeMap<String, Chain>,
        removed: Option<&Removal>,
        known: &Knowledge,
    ) -> Option<Finding> {
        let Head { chain: id, seq, hash } = &self.head;
        if let Some(removal) = removed.filter(|removal| removal.holds(*seq)) {
            let other = removal.last == *seq && removal.hash != *hash;
            return other.then(|| Finding::one(id, *seq, What::Changed));
        }
        let after = match chains.get(id) {
            Some(chain) if chain.hash_of(*seq).is_some_and(|there| there != hash) => {
                return Some(Finding::one(id, *seq, What::Changed));
            }
            // What is missing in between has been told.
            Some(chain) => chain.last(),
            // Of a part of the records it may stand before.
            None if known.partial => return None,
            None => removed.map_or(0, |removal| removal.last),
        };
        let first = after.saturating_add(1);
        (first <= *seq).then(|| Finding::some(id, first, *seq, What::CutOff(self.by.clone())))
    }
}
