//! How much of a worker's time tokens that do not hold may take.
//!
//! A token that nobody has seen before must be read and its signature verified before it can be refused, which takes up
//! to two milliseconds; whoever sends such tokens chooses how many come. So the time that refusals took is owed, to their
//! source and in all, and waits off by a share of the time that passes. While too much is owed, no new token is
//! verified: from that source, or from any. Tokens that were verified before go on.
//!
//! Each source has a place in two rows, and what it owes is the less of the two: whoever shares one of them with a source
//! that owes too much hardly shares the other.

use std::hash::{DefaultHasher, Hasher as _};

/// One nanosecond in so many, for all sources together.
const SHARE_OF_ALL: u64 = 4;
/// One nanosecond in so many, for a source.
const SHARE_OF_ONE: u64 = 8;
/// What all sources may owe, in nanoseconds.
const MOST_OF_ALL: u64 = 250_000_000;
/// What a source may owe.
const MOST_OF_ONE: u64 = 100_000_000;
/// Places of a row; sources of one hash share one.
const PLACES: usize = 512;
/// The last of them, all of whose bits are ones.
const LAST: u16 = 511;

/// What is owed.
#[derive(Debug, Clone)]
pub struct Patience {
    seed: u64,
    all: u64,
    rows: [[u64; PLACES]; 2],
    /// When it was last waited off, in nanoseconds.
    at: u64,
}

impl Patience {
    /// Nothing is owed. `seed` is random, so that nobody can choose whom to share with.
    pub fn new(seed: u64) -> Self {
        Self { seed, all: 0, rows: [[0; PLACES]; 2], at: 0 }
    }

    /// Whether a new token of this source (an address without its port) is to be verified at this time.
    pub fn has_any(&mut self, source: &str, now: u64) -> bool {
        self.wait_off(now);
        let [one, other] = self.places(source);
        let owed = |row: &[u64; PLACES], place: usize| row.get(place).copied().unwrap_or(u64::MAX);
        let [first, second] = &self.rows;
        self.all < MOST_OF_ALL && owed(first, one).min(owed(second, other)) < MOST_OF_ONE
    }

    /// To refuse a token of this source took so long, in nanoseconds.
    pub fn tried(&mut self, source: &str, took: u64) {
        self.all = self.all.saturating_add(took);
        let places = self.places(source);
        for (row, place) in self.rows.iter_mut().zip(places) {
            if let Some(owed) = row.get_mut(place) {
                *owed = owed.saturating_add(took);
            }
        }
    }

    fn wait_off(&mut self, now: u64) {
        // A clock that is set back takes nothing off.
        let passed = now.saturating_sub(self.at);
        self.at = now;
        self.all = self.all.saturating_sub(passed / SHARE_OF_ALL);
        for owed in self.rows.iter_mut().flatten() {
            *owed = owed.saturating_sub(passed / SHARE_OF_ONE);
        }
    }

    /// A source's place in each row.
    fn places(&self, source: &str) -> [usize; 2] {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(source.as_bytes());
        let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
        [[a, b], [c, d]].map(|bytes| usize::from(u16::from_le_bytes(bytes) & LAST))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_700_000_000 * SECOND;
    /// What a signature of PS512 takes in the module.
    const TOOK: u64 = 1_700_000;

    fn patient() -> Patience {
        let mut patience = Patience::new(7);
        assert!(patience.has_any("10.0.0.1", START));
        patience
    }

    /// Time spent on bad tokens of these sources, one each millisecond, over ten seconds.
    fn spent(sources: &[String]) -> u64 {
        let mut patience = patient();
        let mut spent = 0;
        for milliseconds in 0..10_000 {
            let source = &sources[milliseconds % sources.len()];
            if patience.has_any(source, START + milliseconds as u64 * 1_000_000) {
                patience.tried(source, TOOK);
                spent += TOOK;
            }
        }
        spent
    }

    #[test]
    fn a_flood_takes_a_share_of_the_time_whoever_sends_it() {
        let one = spent(&["10.0.0.1".to_owned()]);
        assert!(one <= 10 * SECOND / SHARE_OF_ONE + MOST_OF_ONE + TOOK, "{one}");
        assert!(one >= 10 * SECOND / SHARE_OF_ONE, "what is allowed can be used: {one}");
        let many: Vec<String> =
            (0..1000).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
        let many = spent(&many);
        assert!(many <= 10 * SECOND / SHARE_OF_ALL + MOST_OF_ALL + TOOK, "{many}");
    }

    #[test]
    fn a_flood_of_one_source_leaves_the_others_alone() {
        let mut patience = patient();
        while patience.has_any("10.0.0.1", START) {
            patience.tried("10.0.0.1", TOOK);
        }
        let kept_out = (0..5000)
            .filter(|number| !patience.has_any(&format!("10.1.{}.{}", number / 250, number % 250), START))
            .count();
        assert!(kept_out <= 1, "{kept_out}");
    }

    #[test]
    fn who_waits_is_heard_again() {
        let mut patience = patient();
        patience.tried("10.0.0.1", 10 * MOST_OF_ONE);
        assert!(!patience.has_any("10.0.0.1", START));
        assert!(!patience.has_any("10.0.0.1", START + SECOND));
        assert!(patience.has_any("10.0.0.1", START + 10 * SECOND));
    }

    #[test]
    fn a_few_bad_tokens_are_no_flood() {
        let mut patience = patient();
        for _ in 0..50 {
            assert!(patience.has_any("10.0.0.1", START));
            patience.tried("10.0.0.1", TOOK);
        }
    }

    proptest! {
        #[test]
        fn any_times_are_taken_without_a_panic(times in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..20)) {
            let mut patience = Patience::new(1);
            for (now, took) in times {
                let _ = patience.has_any("a", now);
                patience.tried("a", took);
            }
        }
    }
}
