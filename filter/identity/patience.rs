//! How much of a worker's time tokens that do not hold may take.
//!
//! A token that nobody has seen before must be read and its signature verified before it can be refused, which takes up
//! to two milliseconds; whoever sends such tokens chooses how many come. So the time that refusals took is owed, to their
//! source and in all, and waits off by a share of the time that passes. While too much is owed, no new token is
//! verified: from that source, or from any. Tokens that were verified before go on.

use std::hash::{DefaultHasher, Hasher as _};

/// One nanosecond in so many, for all sources together.
const SHARE_OF_ALL: u64 = 4;
/// One nanosecond in so many, for a source.
const SHARE_OF_ONE: u64 = 8;
/// What all sources may owe, in nanoseconds.
const MOST_OF_ALL: u64 = 250_000_000;
/// What a source may owe.
const MOST_OF_ONE: u64 = 100_000_000;
/// Sources that are told apart; those of one hash share.
const SOURCES: usize = 64;
/// The last of them, all of whose bits are ones.
const LAST: u8 = 63;

/// What is owed.
#[derive(Debug, Clone)]
pub struct Patience {
    seed: u64,
    all: u64,
    sources: [u64; SOURCES],
    /// When it was last waited off, in nanoseconds.
    at: u64,
}

impl Patience {
    /// Nothing is owed. `seed` is random, so that nobody can choose whom to share with.
    pub fn new(seed: u64) -> Self {
        Self { seed, all: 0, sources: [0; SOURCES], at: 0 }
    }

    /// Whether a new token of this source (an address without its port) is to be verified at this time.
    pub fn has_any(&mut self, source: &str, now: u64) -> bool {
        self.wait_off(now);
        let place = self.place(source);
        self.all < MOST_OF_ALL && self.sources.get(place).is_some_and(|owed| *owed < MOST_OF_ONE)
    }

    /// To refuse a token of this source took so long, in nanoseconds.
    pub fn tried(&mut self, source: &str, took: u64) {
        self.all = self.all.saturating_add(took);
        let place = self.place(source);
        if let Some(owed) = self.sources.get_mut(place) {
            *owed = owed.saturating_add(took);
        }
    }

    fn wait_off(&mut self, now: u64) {
        // A clock that is set back takes nothing off.
        let passed = now.saturating_sub(self.at);
        self.at = now;
        self.all = self.all.saturating_sub(passed / SHARE_OF_ALL);
        for owed in &mut self.sources {
            *owed = owed.saturating_sub(passed / SHARE_OF_ONE);
        }
    }

    fn place(&self, source: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(source.as_bytes());
        let [first, ..] = hasher.finish().to_le_bytes();
        usize::from(first & LAST)
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
        let others = (0..200).filter(|number| patience.has_any(&format!("10.1.0.{number}"), START)).count();
        assert!(others > 180, "{others}");
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
