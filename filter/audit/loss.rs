//! Records that were lost, as a later record declares them.
//!
//! A lost record keeps its sequence number, so the gap shows; the declaration tells a loss that we know of from one
//! that somebody caused. The list is short whatever happens: neighbours merge, and beyond [`MAX_RANGES`] a range is
//! widened. A widened range may name records that did arrive; its count stays exact.

use super::value::Name;

/// Most ranges that one record declares.
pub const MAX_RANGES: usize = 16;

/// Why a record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The queue was full; the record was never chained, so its successor links to its predecessor.
    QueueFull,
    /// The collector refused its batch, or a part of it; it was chained.
    Rejected,
}

impl Why {
    /// The name that records use.
    pub fn name(self) -> Name {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
        }
    }
}

/// Lost records with sequence numbers from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// How many were lost.
    pub count: u64,
    /// Lowest sequence number.
    pub first: u64,
    /// Highest sequence number.
    pub last: u64,
    /// Why.
    pub why: Why,
}

/// Losses that no record has declared yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<Range>);

impl Losses {
    /// Adds one lost record.
    pub fn add(&mut self, seq: u64, why: Why) {
        self.merge(Range { count: 1, first: seq, last: seq, why });
    }

    /// Adds a range, as when the record that declared it was lost itself.
    pub fn merge(&mut self, range: Range) {
        let full = self.0.len() >= MAX_RANGES.saturating_sub(1);
        let fits = |known: &Range| {
            known.why == range.why && (full || known.last.checked_add(1) == Some(range.first))
        };
        match self.0.iter_mut().rev().find(|known| fits(known)) {
            Some(known) => {
                known.count = known.count.saturating_add(range.count);
                known.first = known.first.min(range.first);
                known.last = known.last.max(range.last);
            }
            None => self.0.push(range),
        }
    }

    /// Whether there is nothing to declare.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges.
    pub fn ranges(&self) -> &[Range] {
        &self.0
    }

    /// How many records were lost in all.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, range| sum.saturating_add(range.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_loss_stays_declared_and_the_list_short(
            losses in proptest::collection::vec((0..10_000_u64, any::<bool>()), 0..200),
        ) {
            let mut list = Losses::default();
            for (seq, full) in &losses {
                list.add(*seq, if *full { Why::QueueFull } else { Why::Rejected });
            }
            prop_assert!(list.ranges().len() <= MAX_RANGES);
            prop_assert_eq!(list.count(), losses.len() as u64);
            for (seq, full) in losses {
                let why = if full { Why::QueueFull } else { Why::Rejected };
                prop_assert!(list.ranges().iter().any(|r| r.why == why && r.first <= seq && seq <= r.last));
            }
        }
    }
}
