//! What the workers of a proxy share of an issuer's keys: whose turn it is to fetch them, and what was fetched.
//!
//! One worker takes the lease and fetches; the others take what it left. It is bytes, since the proxy shares nothing else,
//! and belongs to one configuration: what another one left is not read.

use std::time::Duration;

use super::keys::MAX_KEY_SET;

/// What stands for a configuration.
pub type Owner = [u8; 32];

const FORMAT: u8 = 1;
/// Format, owner and six numbers.
const HEAD: usize = 1 + 32 + 6 * 8;
/// No bound by the provider.
const NO_AGE: u64 = u64::MAX;

/// The last round of fetching an issuer's keys. Times are nanoseconds since 1970; 0: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Until when nobody else asks: a call is under way, or one failed a moment ago.
    pub lease: u64,
    /// Since when every round has failed.
    pub failing_since: u64,
    /// How many rounds have failed since.
    pub failures: u64,
    /// When the call was made that brought the keys.
    pub asked: u64,
    /// When they came.
    pub fetched: u64,
    /// How long they may be used without asking again, as their provider has it.
    pub max_age: Option<Duration>,
    /// The key set as it came; empty: none yet.
    pub keys: Vec<u8>,
}

impl Round {
    /// Nothing has been fetched, and it is anybody's turn.
    pub const NONE: Round = Round {
        lease: 0,
        failing_since: 0,
        failures: 0,
        asked: 0,
        fetched: 0,
        max_age: None,
        keys: Vec::new(),
    };

    /// Reads what workers of this configuration left; [`Round::NONE`] for anything else.
    pub fn read(bytes: &[u8], owner: &Owner) -> Round {
        Self::parse(bytes, owner).unwrap_or(Self::NONE)
    }

    fn parse(bytes: &[u8], owner: &Owner) -> Option<Round> {
        let (head, keys) = bytes.split_at_checked(HEAD)?;
        let ([format], head) = head.split_first_chunk()?;
        let (by, mut numbers) = head.split_first_chunk::<32>()?;
        if *format != FORMAT || by != owner || keys.len() > MAX_KEY_SET {
            return None;
        }
        let mut number = || {
            let (first, rest) = numbers.split_first_chunk()?;
            numbers = rest;
            Some(u64::from_le_bytes(*first))
        };
        Some(Round {
            lease: number()?,
            failing_since: number()?,
            failures: number()?,
            asked: number()?,
            fetched: number()?,
            max_age: number().filter(|age| *age != NO_AGE).map(Duration::from_nanos),
            keys: keys.to_vec(),
        })
    }

    /// As bytes.
    pub fn write(&self, owner: &Owner) -> Vec<u8> {
        let age = self.max_age.map_or(NO_AGE, |age| u64::try_from(age.as_nanos()).unwrap_or(NO_AGE));
        let mut bytes = vec![FORMAT];
        bytes.extend(owner);
        for number in [self.lease, self.failing_since, self.failures, self.asked, self.fetched, age] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(&self.keys);
        bytes
    }
}

/// How long an answer may be used without asking again: `max-age` of `cache-control` (RFC 9111 section 5.2.2.1).
pub fn max_age<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Option<Duration> {
    let controls = headers.filter(|(name, _)| name.eq_ignore_ascii_case(b"cache-control"));
    let seconds = |directive: &str| {
        let (name, value) = directive.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("max-age").then_some(seconds)
    };
    let ages = controls
        .filter_map(|(_, value)| std::str::from_utf8(value).ok()?.split(',').filter_map(seconds).min());
    ages.min().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_same_configuration_alone() {
        let round = Round {
            lease: 1,
            failing_since: 2,
            failures: 6,
            asked: 3,
            fetched: 4,
            max_age: Some(Duration::from_secs(5)),
            keys: b"{}".to_vec(),
        };
        let bytes = round.write(&[1; 32]);
        assert_eq!(Round::read(&bytes, &[1; 32]), round);
        assert_eq!(Round::read(&bytes, &[2; 32]), Round::NONE);
        assert_eq!(Round::read(&Round::NONE.write(&[1; 32]), &[1; 32]), Round::NONE);
        let mut huge = round.write(&[1; 32]);
        huge.resize(HEAD + MAX_KEY_SET + 1, b' ');
        assert_eq!(Round::read(&huge, &[1; 32]), Round::NONE);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left(tail in proptest::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [&[FORMAT][..], &[0; 32], &tail].concat();
            let read = Round::read(&bytes, &[0; 32]);
            prop_assert!(read == Round::NONE || read.write(&[0; 32]) == bytes);
        }
    }

    #[test]
    fn the_shortest_age_counts_and_nothing_else_does() {
        let age = |values: &[&str]| {
            max_age(values.iter().map(|value| (&b"Cache-Control"[..], value.as_bytes())))
                .map(|age| age.as_secs())
        };
        assert_eq!(age(&["public, max-age=3600, must-revalidate"]), Some(3600));
        assert_eq!(age(&["MAX-AGE=60", "max-age=\"30\""]), Some(30));
        assert_eq!(age(&["max-age=0"]), Some(0));
        for none in [
            "no-cache",
            "",
            "s-maxage=5",
            "max-age",
            "max-age=-1",
            "max-age=x",
            "max-age=99999999999999999999",
        ] {
            assert_eq!(age(&[none]), None, "{none}");
        }
        assert_eq!(max_age([(&b"expires"[..], &b"max-age=5"[..])].into_iter()), None);
    }
}
