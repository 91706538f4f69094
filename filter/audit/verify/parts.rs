//! Parts of exchanges: numbered from 1 within each, and counted by the record of its end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, What};

/// The parts of a chain's exchanges.
#[derive(Default)]
pub(super) struct Parts(BTreeMap<String, Of>);

#[derive(Default)]
struct Of {
    there: BTreeSet<u64>,
    /// How many there should be, as far as it is known.
    count: u64,
    /// The record that told of the last one.
    seq: u64,
}

impl Parts {
    /// A part is there.
    pub fn came(&mut self, exchange: String, number: u64, seq: u64) {
        let of = self.0.entry(exchange).or_default();
        of.there.insert(number);
        (of.count, of.seq) = (of.count.max(number), of.seq.max(seq));
    }

    /// The exchange ended, after so many parts.
    pub fn end(&mut self, exchange: &str, parts: u64, seq: u64) {
        if parts > 0 {
            let of = self.0.entry(exchange.to_owned()).or_default();
            (of.count, of.seq) = (of.count.max(parts), seq);
        }
    }

    /// What is missing, where the chain declares so many records as lost. Of a `partial` chain, what stands before the first
    /// part that is there is not missed.
    pub fn check(&self, chain: &str, partial: bool, lost: u64) -> impl Iterator<Item = Finding> {
        self.0.iter().filter_map(move |(exchange, of)| {
            let first = if partial { *of.there.first()? } else { 1 };
            // A number that no exchange can have may stand in a forged record.
            let most = of.count.min(first.saturating_add(crate::audit::captured::MOST_PARTS));
            let missing: Vec<u64> = (first..=most).filter(|number| !of.there.contains(number)).collect();
            if missing.is_empty() {
                return None;
            }
            let declared = u64::try_from(missing.len()).is_ok_and(|missing| missing <= lost);
            let what = if declared { What::PartsLost } else { What::PartsMissing };
            Some(Finding::one(chain, of.seq, what(exchange.clone(), missing)))
        })
    }
}
