//! One chain, put together from what is there of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::parts::Parts;
use super::removed::Removal;
use super::succession::Ended;
use super::{ChainReport, Finding, Knowledge, Stored, What};
use crate::audit::chain::hash;
use crate::audit::projection::disagreements;

/// What a record says of its chain.
pub(super) struct Read {
    pub chain: String,
    pub event: String,
    /// What it says was removed, by chains.
    pub removed: Vec<(String, Removal)>,
    seq: u64,
    hash: String,
    /// Its hash attribute.
    said: Option<String>,
    disagreeing: Vec<String>,
    dropped: Vec<Dropped>,
    pub ended: Option<Ended>,
    /// The exchange that begins or ends with it, or of which it is a part.
    exchange: Option<(String, Half)>,
    link: Link,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Start,
    Part(u64),
    /// With so many parts before.
    End(u64),
}

/// Records that one declares as lost.
struct Dropped {
    first: u64,
    last: u64,
    count: u64,
    /// Whether they were never chained, so that the links around them fit.
    unchained: bool,
}

struct Link {
    hash: String,
    previous: Option<String>,
    anchor: Option<Anchor>,
    time: String,
}

/// A place that an anchor vouches for.
struct Anchor {
    seq: u64,
    hash: String,
    signature: Option<String>,
}

/// The records of a chain, by their numbers.
#[derive(Default)]
pub(super) struct Chain {
    links: BTreeMap<u64, Link>,
    dropped: Vec<Dropped>,
    highest: u64,
    started: BTreeSet<String>,
    ended: BTreeSet<String>,
    parts: Parts,
}

impl Read {
    pub fn of(stored: Stored<'_>) -> Option<Self> {
        let body: Map<String, Value> = serde_json::from_str(stored.body).ok()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let seq = number("portcullis.chain.seq").filter(|seq| *seq > 0)?;
        let event = text("event.name")?;
        let half = match event.as_str() {
            "portcullis.exchange.start" => Some(Half::Start),
            "portcullis.exchange.part" => number("portcullis.part").map(Half::Part),
            "portcullis.exchange.end" => Some(Half::End(number("portcullis.parts").unwrap_or_default())),
            _ => None,
        };
        let anchor = number("portcullis.anchor.seq").zip(text("portcullis.anchor.hash"));
        let anchor =
            anchor.map(|(seq, hash)| Anchor { seq, hash, signature: text("portcullis.anchor.signature") });
        let said = stored.attributes.iter().find(|(name, _)| name == "portcullis.chain.hash");
        let said = said.and_then(|(_, value)| value.get("stringValue")?.as_str());
        let ranges = body.get("portcullis.dropped.ranges").and_then(Value::as_array);
        let hash = hash(stored.body);
        let chain = text("portcullis.chain.id")?;
        Some(Self {
            ended: Ended::of(&chain, &body),
            chain,
            removed: Removal::of(&event, &body),
            event,
            seq,
            hash: hash.clone(),
            said: said.map(str::to_owned),
            disagreeing: disagreements(&body, stored.attributes),
            dropped: ranges.into_iter().flatten().filter_map(Dropped::of).collect(),
            exchange: text("portcullis.exchange").zip(half),
            link: Link {
                hash,
                previous: text("portcullis.chain.previous"),
                anchor,
                time: text("time").unwrap_or_default(),
            },
        })
    }
}

impl Dropped {
    fn of(range: &Value) -> Option<Self> {
        Some(Self {
            first: range.get("first")?.as_u64()?,
            last: range.get("last")?.as_u64()?,
            count: range.get("count").and_then(Value::as_u64).unwrap_or(1),
            unchained: range.get("reason")?.as_str()? == "queue_full",
        })
    }

    fn holds(&self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }
}

impl Chain {
    /// The highest number that is there, or that a record declares as lost.
    pub fn last(&self) -> u64 {
        let declared = self.dropped.iter().map(|lost| lost.last).max().unwrap_or_default();
        self.highest.max(declared)
    }

    /// Hash of the body of this number, if it is there.
    pub fn hash_of(&self, seq: u64) -> Option<&String> {
        self.links.get(&seq).map(|link| &link.hash)
    }

    pub fn add(&mut self, read: Read, findings: &mut Vec<Finding>) {
        let mut tell = |what| findings.push(Finding::one(&read.chain, read.seq, what));
        if let Some(known) = self.links.get(&read.seq) {
            tell(if known.hash == read.hash { What::Doubled } else { What::Conflicting });
            return;
        }
        if read.said.is_some_and(|said| said != read.hash) {
            tell(What::Changed);
        }
        if !read.disagreeing.is_empty() {
            tell(What::Disagreeing(read.disagreeing));
        }
        if read.seq < self.highest {
            tell(What::Reordered);
        }
        self.highest = self.highest.max(read.seq);
        self.dropped.extend(read.dropped);
        match read.exchange {
            Some((id, Half::Start)) => _ = self.started.insert(id),
            Some((id, Half::Part(number))) => self.parts.came(id, number, read.seq),
            Some((id, Half::End(parts))) => {
                self.parts.end(&id, parts, read.seq);
                self.ended.insert(id);
            }
            None => {}
        }
        self.links.insert(read.seq, read.link);
    }

    /// What the whole shows, where so much of it was `removed`; `None`: there is no record.
    pub fn check(
        &self,
        id: &str,
        known: &Knowledge,
        removed: Option<&Removal>,
        findings: &mut Vec<Finding>,
    ) -> Option<ChainReport> {
        let ((first, begins), (last, ends)) =
            self.links.first_key_value().zip(self.links.last_key_value())?;
        let mut before: Option<(u64, &str)> = None;
        for (seq, link) in &self.links {
            // What was removed while the records were read may be there in part.
            let left = removed.is_some_and(|removed| removed.holds(*seq));
            if let Some(removed) = removed.filter(|removed| follows(removed, *seq, before, known.partial)) {
                before = Some((removed.last, &removed.hash));
            }
            let expected = match before {
                Some((seq, _)) => seq.saturating_add(1),
                None if known.partial || left => *seq,
                None => 1,
            };
            let whole = expected >= *seq || !left && self.gap(id, expected, seq.saturating_sub(1), findings);
            let linked = match before {
                // Of a part, the first record's predecessor is not there.
                None => known.partial || left || link.previous.is_none(),
                Some((_, before)) => link.previous.as_deref() == Some(before),
            };
            // Beyond a gap of records that were chained once, the predecessor's hash is nowhere to be had.
            if whole && !linked {
                // The predecessor if it is there: its hash attribute may have been changed with it.
                let there = before.map(|(seq, _)| seq).filter(|seq| self.links.contains_key(seq));
                changed(id, there.unwrap_or(*seq), findings);
            }
            if removed.is_some_and(|removed| removed.last == *seq && removed.hash != link.hash) {
                changed(id, *seq, findings);
            }
            before = Some((*seq, &link.hash));
        }
        let lost = self.dropped.iter().fold(0, |sum: u64, lost| sum.saturating_add(lost.count));
        findings.extend(self.parts.check(id, known.partial || removed.is_some(), lost));
        let vouched =
            self.links.iter().filter_map(|(seq, link)| self.anchor(id, *seq, link, known, removed, findings));
        Some(ChainReport {
            id: id.to_owned(),
            records: self.links.len(),
            first: *first,
            last: *last,
            times: (begins.time.clone(), ends.time.clone()),
            anchored: vouched.last(),
            open: self.started.difference(&self.ended).cloned().collect(),
        })
    }

    /// What an anchor vouches for, and when it did. It stands behind what it names, and vouches for itself as well.
    fn anchor(
        &self,
        id: &str,
        at: u64,
        link: &Link,
        known: &Knowledge,
        removed: Option<&Removal>,
        findings: &mut Vec<Finding>,
    ) -> Option<(u64, String)> {
        let Anchor { seq, hash, signature } = link.anchor.as_ref()?;
        if !known.witnesses.is_empty() {
            let signed = signature.as_ref().map(|signature| {
                known.witnesses.iter().any(|witness| witness.signed(id, *seq, hash, signature))
            });
            let wrong = match signed {
                Some(true) => None,
                Some(false) => Some(What::Forged),
                None => Some(What::Unsigned),
            };
            if let Some(wrong) = wrong {
                findings.push(Finding::one(id, at, wrong));
                return None;
            }
        }
        let gone = removed.filter(|removed| removed.last == *seq).map(|removed| &removed.hash);
        let anchored = self.links.get(seq).map(|link| &link.hash).or(gone);
        if anchored.is_some_and(|anchored| anchored != hash) {
            changed(id, *seq, findings);
            return None;
        }
        anchored.map(|_| (*seq, link.time.clone()))
    }

    /// Reports a gap; true where none of its records was ever chained, so that the links around it must fit.
    fn gap(&self, id: &str, first: u64, last: u64, findings: &mut Vec<Finding>) -> bool {
        let mut next = first;
        let mut never_chained = true;
        while next <= last {
            let holding: Vec<_> = self.dropped.iter().filter(|lost| lost.holds(next)).collect();
            let until = if holding.is_empty() {
                never_chained = false;
                let later = self.dropped.iter().map(|lost| lost.first).filter(|start| *start > next);
                later.min().map_or(last, |start| start.saturating_sub(1))
            } else {
                never_chained &= holding.iter().all(|lost| lost.unchained);
                holding.iter().map(|lost| lost.last).max().unwrap_or(next)
            };
            let until = until.min(last);
            let what = if holding.is_empty() { What::Missing } else { What::Lost };
            findings.push(Finding::some(id, next, until, what));
            next = until.saturating_add(1);
        }
        never_chained
    }
}

/// Whether a record is to be held against what was removed before it, rather than against the record `before`. Of a part of
/// the records, only where it is the very next.
fn follows(removed: &Removal, seq: u64, before: Option<(u64, &str)>, partial: bool) -> bool {
    let next = removed.last.saturating_add(1);
    let behind = if partial && before.is_none() { seq == next } else { seq >= next };
    behind && before.is_none_or(|(before, _)| before < removed.last)
}

fn changed(id: &str, seq: u64, findings: &mut Vec<Finding>) {
    let finding = Finding::one(id, seq, What::Changed);
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}
