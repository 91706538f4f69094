//! What a list of records shows about its chains.
//!
//! A body is judged by its successor, which names its hash; the attribute `portcullis.chain.hash`, where the caller has
//! it, tells which of the two was changed. The last record of a chain has no successor: its hash attribute, and the
//! next anchor, are all that speaks for it. A gap that a later record of the chain declares is a known loss, no damage.
//!
//! A chain that was cut off, or taken out as a whole, shows by the chain that goes on from it.
//!
//! Signed anchors prove the records before them to a reader who knows the key: then an anchor without a signature that
//! holds speaks against its chain.

mod chain;
mod parts;
mod removed;
#[cfg(test)]
mod removed_tests;
mod succession;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use super::signature::Witness;
use chain::{Chain, Read};
pub use removed::{EVENT as RETENTION, Removal};
use removed::{Removals, told};
use succession::Ended;

/// A record as stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The log body.
    pub body: &'a str,
    /// The attributes, as far as they are known: names and OTLP values.
    pub attributes: &'a [(String, Value)],
}

/// What a reader knows beside the records.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Who may have signed anchors; empty: signatures are not looked at.
    pub witnesses: Vec<Witness>,
    /// The records are a part of longer chains: what stands before a chain's first is not missed.
    pub partial: bool,
    /// What was removed of chains, beside what the records themselves say of it.
    pub removed: BTreeMap<String, Removal>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// What a reader should know. Empty: every chain is whole from its first record to the last one given.
    pub findings: Vec<Finding>,
    /// The chains, by their ids.
    pub chains: Vec<ChainReport>,
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Its id.
    pub id: String,
    /// How many of its records are there, each once.
    pub records: usize,
    /// Lowest number.
    pub first: u64,
    /// Highest number.
    pub last: u64,
    /// Times of those two, as they say themselves (RFC 3339).
    pub times: (String, String),
    /// The highest number that an anchor vouches for (a signed one, where witnesses are known), and that anchor's time.
    pub anchored: Option<(u64, String)>,
    /// Exchanges that began here, and of whose end there is no record.
    pub open: Vec<String>,
}

/// Something that a reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Not a record; counted in the list from 0.
    Unreadable {
        /// Which.
        at: usize,
    },
    /// Something of one chain.
    OfChain {
        /// Its id.
        chain: String,
        /// The lowest number that it is about.
        first: u64,
        /// The highest.
        last: u64,
        /// What.
        what: What,
    },
}

/// What there is to know of some records of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The body is not the one that was chained.
    Changed,
    /// Two different bodies under one number: at least one is forged.
    Conflicting,
    /// These attributes say something else than the body.
    Disagreeing(Vec<String>),
    /// Records are not there, and no record says why.
    Missing,
    /// An anchor's signature is of none of the keys.
    Forged,
    /// An anchor has no signature, though there are keys.
    Unsigned,
    /// The same body came again, as delivery at least once allows.
    Doubled,
    /// It stands after a record of a higher number.
    Reordered,
    /// Records are not there, as a later record declares.
    Lost,
    /// The last records of a chain are not there, though the chain of this id names the last of them.
    CutOff(String),
    /// Records are not there, as the store that removed them says.
    Removed {
        /// How many there were.
        records: u64,
        /// `age` or `size`.
        why: String,
    },
    /// Parts of an exchange, by their numbers, are not there, and no record says why.
    PartsMissing(String, Vec<u64>),
    /// The same, and the chain declares as many records as lost.
    PartsLost(String, Vec<u64>),
}

impl Finding {
    /// Whether it speaks against the records; doubled, reordered, declared as lost and removed in time happen in the course
    /// of things.
    pub fn is_damage(&self) -> bool {
        let Self::OfChain { what, .. } = self else { return true };
        !matches!(
            what,
            What::Doubled | What::Reordered | What::Lost | What::Removed { .. } | What::PartsLost(..)
        )
    }

    fn one(chain: &str, seq: u64, what: What) -> Self {
        Self::some(chain, seq, seq, what)
    }

    fn some(chain: &str, first: u64, last: u64, what: What) -> Self {
        Self::OfChain { chain: chain.to_owned(), first, last, what }
    }
}

/// Looks at records of any number of chains, one after the other.
#[derive(Default)]
pub struct Verifier {
    chains: BTreeMap<String, Chain>,
    ended: Vec<Ended>,
    removals: Removals,
    findings: Vec<Finding>,
    seen: usize,
}

impl Verifier {
    /// Takes the next record.
    pub fn add(&mut self, stored: Stored<'_>) {
        match Read::of(stored) {
            Some(mut read) => {
                self.ended.extend(read.ended.take());
                self.removals.add(&read.chain, &read.event, std::mem::take(&mut read.removed));
                let chain = self.chains.entry(read.chain.clone()).or_default();
                chain.add(read, &mut self.findings);
            }
            None => self.findings.push(Finding::Unreadable { at: self.seen }),
        }
        self.seen = self.seen.saturating_add(1);
    }

    /// What all of them show.
    pub fn report(mut self, known: &Knowledge) -> Report {
        let removed = self.removals.of_chains(&known.removed, &mut self.findings);
        self.findings.extend(told(&removed));
        let checked = self
            .chains
            .iter()
            .filter_map(|(id, chain)| chain.check(id, known, removed.get(id), &mut self.findings));
        let chains = checked.collect();
        let cut_off: Vec<Finding> = self
            .ended
            .iter()
            .filter_map(|ended| ended.check(&self.chains, removed.get(ended.chain()), known))
            .collect();
        for finding in cut_off {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        Report { findings: self.findings, chains }
    }
}

/// Looks at all of some records.
pub fn verify<'a>(records: impl IntoIterator<Item = Stored<'a>>, known: &Knowledge) -> Report {
    let mut verifier = Verifier::default();
    records.into_iter().for_each(|record| verifier.add(record));
    verifier.report(known)
}
