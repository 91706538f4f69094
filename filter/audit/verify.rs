//! What a list of records shows about its chains.
//!
//! A body is judged by its successor, which names its hash; the attribute `portcullis.chain.hash`, where the caller has
//! it, tells which of the two was changed. The last record of a chain has no successor: its hash attribute, and the
//! next anchor, are all that speaks for it. A gap that a later record of the chain declares is a known loss, no damage.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::chain::hash;

/// A record as stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The log body.
    pub body: &'a str,
    /// The attribute `portcullis.chain.hash`, where known.
    pub hash: Option<&'a str>,
}

/// Something that a reader should know; `at` counts records in the list from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Not a record.
    Unreadable {
        /// Which.
        at: usize,
    },
    /// The body is not the one that was chained.
    Changed {
        /// Chain.
        chain: String,
        /// Sequence number.
        seq: u64,
    },
    /// Two different bodies under one number: at least one is forged.
    Conflicting {
        /// Chain.
        chain: String,
        /// Sequence number.
        seq: u64,
    },
    /// The same body came again, as delivery at least once allows.
    Doubled {
        /// Chain.
        chain: String,
        /// Sequence number.
        seq: u64,
    },
    /// It stands after a record of a higher number.
    Reordered {
        /// Chain.
        chain: String,
        /// Sequence number.
        seq: u64,
    },
    /// Records are not there, and no record says why.
    Missing {
        /// Chain.
        chain: String,
        /// Lowest number.
        first: u64,
        /// Highest number.
        last: u64,
    },
    /// Records are not there, as a later record declares.
    Lost {
        /// Chain.
        chain: String,
        /// Lowest number.
        first: u64,
        /// Highest number.
        last: u64,
    },
}

impl Finding {
    /// Whether it speaks against the records; doubled, reordered and declared as lost happen in the course of things.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::Doubled { .. } | Self::Reordered { .. } | Self::Lost { .. })
    }
}

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "portcullis.chain.id")]
    chain: String,
    #[serde(rename = "portcullis.chain.seq")]
    seq: u64,
    #[serde(rename = "portcullis.chain.previous")]
    previous: Option<String>,
    #[serde(rename = "portcullis.dropped.ranges", default)]
    dropped: Vec<Dropped>,
    #[serde(rename = "portcullis.anchor.seq")]
    anchor_seq: Option<u64>,
    #[serde(rename = "portcullis.anchor.hash")]
    anchor_hash: Option<String>,
}

#[derive(Deserialize)]
struct Dropped {
    first: u64,
    last: u64,
    reason: String,
}

struct Link {
    hash: String,
    previous: Option<String>,
    anchor: Option<(u64, String)>,
}

#[derive(Default)]
struct Chain {
    links: BTreeMap<u64, Link>,
    dropped: Vec<Dropped>,
    highest: u64,
}

/// Looks at records of any number of chains; an empty answer means that every chain is whole from its first record to
/// the last one given.
pub fn verify<'a>(records: impl IntoIterator<Item = Stored<'a>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
    for (at, stored) in records.into_iter().enumerate() {
        match serde_json::from_str::<Read>(stored.body) {
            Ok(read) if read.seq > 0 => {
                chains.entry(read.chain.clone()).or_default().add(stored, read, &mut findings)
            }
            _ => findings.push(Finding::Unreadable { at }),
        }
    }
    for (id, chain) in &chains {
        chain.check(id, &mut findings);
    }
    findings
}

impl Chain {
    fn add(&mut self, stored: Stored<'_>, read: Read, findings: &mut Vec<Finding>) {
        let (chain, seq) = (read.chain, read.seq);
        let hash = hash(stored.body);
        if let Some(known) = self.links.get(&seq) {
            let same = known.hash == hash;
            findings.push(if same {
                Finding::Doubled { chain, seq }
            } else {
                Finding::Conflicting { chain, seq }
            });
            return;
        }
        if stored.hash.is_some_and(|said| said != hash) {
            findings.push(Finding::Changed { chain: chain.clone(), seq });
        }
        if seq < self.highest {
            findings.push(Finding::Reordered { chain, seq });
        }
        self.highest = self.highest.max(seq);
        self.dropped.extend(read.dropped);
        let anchor = read.anchor_seq.zip(read.anchor_hash);
        self.links.insert(seq, Link { hash, previous: read.previous, anchor });
    }

    fn check(&self, id: &str, findings: &mut Vec<Finding>) {
        let mut before: Option<(u64, &Link)> = None;
        for (seq, link) in &self.links {
            let first = before.map_or(1, |(seq, _)| seq.saturating_add(1));
            let whole =
                if first < *seq { self.gap(id, first, seq.saturating_sub(1), findings) } else { true };
            // Beyond a gap of records that were chained once, the predecessor's hash is nowhere to be had.
            let expected = before.map(|(_, link)| link.hash.as_str());
            if whole && link.previous.as_deref() != expected {
                // The predecessor if there is one: its hash attribute may have been changed with it.
                changed(id, before.map_or(*seq, |(seq, _)| seq), findings);
            }
            self.check_anchor(id, link, findings);
            before = Some((*seq, link));
        }
    }

    fn check_anchor(&self, id: &str, link: &Link, findings: &mut Vec<Finding>) {
        let Some((seq, hash)) = &link.anchor else { return };
        if self.links.get(seq).is_some_and(|anchored| anchored.hash != *hash) {
            changed(id, *seq, findings);
        }
    }

    /// Reports a gap; true where none of its records was ever chained, so that the links around it must fit.
    fn gap(&self, id: &str, first: u64, last: u64, findings: &mut Vec<Finding>) -> bool {
        let mut next = first;
        let mut never_chained = true;
        while next <= last {
            let holding: Vec<_> =
                self.dropped.iter().filter(|lost| lost.first <= next && next <= lost.last).collect();
            let chain = id.to_owned();
            let until = if holding.is_empty() {
                never_chained = false;
                self.dropped
                    .iter()
                    .map(|lost| lost.first)
                    .filter(|start| *start > next)
                    .min()
                    .map_or(last, |start| start.saturating_sub(1))
            } else {
                never_chained &= holding.iter().all(|lost| lost.reason == "queue_full");
                holding.iter().map(|lost| lost.last).max().unwrap_or(next)
            };
            let until = until.min(last);
            findings.push(if holding.is_empty() {
                Finding::Missing { chain, first: next, last: until }
            } else {
                Finding::Lost { chain, first: next, last: until }
            });
            next = until.saturating_add(1);
        }
        never_chained
    }
}

fn changed(id: &str, seq: u64, findings: &mut Vec<Finding>) {
    let finding = Finding::Changed { chain: id.to_owned(), seq };
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::queue::Limits;
    use crate::audit::samples::{self, SECOND, START, log_records};

    const CHAIN: &str = "5f0e8a1142c94d7b903a1cee2766b4d8";

    fn stored() -> Vec<(String, String)> {
        let mut recorder = samples::recorder(Limits::default());
        for n in 0..4 {
            recorder.record(START + n, &samples::start());
        }
        recorder.close(START + 5);
        let batch = recorder.next_batch(START + SECOND).unwrap();
        let attribute = |record: &serde_json::Value| {
            let attributes = record["attributes"].as_array().unwrap();
            let hash = attributes.iter().find(|a| a["key"] == "portcullis.chain.hash").unwrap();
            hash["value"]["stringValue"].as_str().unwrap().to_owned()
        };
        log_records(&batch.body)
            .iter()
            .map(|record| (record["body"]["stringValue"].as_str().unwrap().to_owned(), attribute(record)))
            .collect()
    }

    fn judge(records: &[(String, String)], hashes: bool) -> Vec<Finding> {
        verify(records.iter().map(|(body, hash)| Stored { body, hash: hashes.then_some(hash.as_str()) }))
    }

    fn chain() -> String {
        CHAIN.to_owned()
    }

    #[test]
    fn a_whole_chain_shows_nothing() {
        assert_eq!(stored().len(), 5);
        assert_eq!(judge(&stored(), true), []);
        assert_eq!(judge(&stored(), false), []);
    }

    #[test]
    fn a_missing_record_shows_at_any_place_but_the_tail() {
        for gone in 0..4 {
            let mut records = stored();
            records.remove(gone);
            let seq = gone as u64 + 1;
            assert_eq!(judge(&records, true), [Finding::Missing { chain: chain(), first: seq, last: seq }]);
        }
    }

    #[test]
    fn a_changed_record_shows_even_with_its_hash_rewritten() {
        for at in 0..4 {
            let mut records = stored();
            records[at].0 = records[at].0.replace("alice", "mallo");
            let finding = Finding::Changed { chain: chain(), seq: at as u64 + 1 };
            assert_eq!(judge(&records, true), std::slice::from_ref(&finding), "by its own hash");
            records[at].1 = hash(&records[at].0);
            assert_eq!(judge(&records, true), std::slice::from_ref(&finding), "by its successor");
            assert_eq!(judge(&records, false), [finding]);
        }
    }

    #[test]
    fn a_changed_tail_shows_by_its_hash() {
        let mut records = stored();
        records[4].0 = records[4].0.replace("anchor.seq\":4", "anchor.seq\":3");
        assert!(judge(&records, true).contains(&Finding::Changed { chain: chain(), seq: 5 }));
    }

    #[test]
    fn a_reordered_record_shows() {
        let mut records = stored();
        records.swap(1, 2);
        assert_eq!(judge(&records, true), [Finding::Reordered { chain: chain(), seq: 2 }]);
    }

    #[test]
    fn a_doubled_record_shows_and_a_forged_double_is_told_from_it() {
        let mut records = stored();
        records.push(records[2].clone());
        assert_eq!(judge(&records, true), [Finding::Doubled { chain: chain(), seq: 3 }]);
        records[5].0 = records[5].0.replace("alice", "mallo");
        assert_eq!(judge(&records, true), [Finding::Conflicting { chain: chain(), seq: 3 }]);
    }

    #[test]
    fn a_record_renumbered_into_a_gap_shows() {
        let mut records = stored();
        records.remove(1);
        records[1].0 = records[1].0.replace("chain.seq\":3", "chain.seq\":2");
        assert!(judge(&records, false).iter().any(Finding::is_damage));
    }

    #[test]
    fn what_is_no_record_is_said() {
        let records = vec![("{}".to_owned(), String::new())];
        assert_eq!(judge(&records, true), [Finding::Unreadable { at: 0 }]);
    }
}
