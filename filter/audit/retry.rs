//! What a collector's answer means, and how long to wait before the next try.
//!
//! The OTLP specification ("Failures" under OTLP/HTTP) calls 429, 502, 503 and 504 retryable and nothing else. Records
//! are dearer than spans: 408 and a broken call are tried again without end, and other failures of the server a
//! few times, so that one batch it cannot digest does not stop those behind it for ever.

use std::time::Duration;

use super::otlp::protobuf;

/// The longest `retry-after` that is honoured.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How a call to the collector ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It could not be made, broke or timed out.
    Broken,
    /// The collector, or the proxy in its place, answered.
    Status {
        /// Status code.
        status: u16,
        /// Value of `retry-after`.
        retry_after: Option<&'a [u8]>,
        /// Body.
        body: &'a [u8],
    },
}

/// What to do with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the collector's now.
    Accepted,
    /// It will never be taken, or not wholly: declare its records lost.
    Rejected,
    /// Try again, as often as it takes, not before this time has passed.
    Retry(Duration),
    /// Try again a few times, then give up.
    RetryFew,
}

impl Answer<'_> {
    /// What the answer means.
    pub fn verdict(&self) -> Verdict {
        let Self::Status { status, retry_after, body } = *self else { return Verdict::Retry(Duration::ZERO) };
        match status {
            200..=299 if rejected_records(body) > 0 => Verdict::Rejected,
            200..=299 => Verdict::Accepted,
            408 | 429 | 502 | 503 | 504 => Verdict::Retry(retry_after.map_or(Duration::ZERO, seconds)),
            400..=499 => Verdict::Rejected,
            _ => Verdict::RetryFew,
        }
    }
}

/// Delay in seconds; the date form is taken for none (the back-off applies).
fn seconds(value: &[u8]) -> Duration {
    let seconds = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or_default()).min(LONGEST_WAIT)
}

/// How many records were not taken, in whichever of OTLP's encodings; a body that is in none counts as 0.
fn rejected_records(body: &[u8]) -> u64 {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(answer) => rejected_in_json(&answer),
        Err(_) => protobuf::rejected_records(body),
    }
}

/// `partialSuccess.rejectedLogRecords`, a number or (proto3 JSON) a string.
fn rejected_in_json(answer: &serde_json::Value) -> u64 {
    let Some(rejected) = answer.pointer("/partialSuccess/rejectedLogRecords") else { return 0 };
    rejected.as_u64().or_else(|| rejected.as_str().and_then(|text| text.parse().ok())).unwrap_or_default()
}

/// Exponential back-off with jitter: half of the wait is fixed, half random, so that workers do not come in step.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    random: u64,
}

impl Backoff {
    /// From the first wait to the longest; the seed should differ between workers.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, random: seed }
    }

    /// The wait after this many failures in a row, from 1.
    pub fn after(&mut self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1_u32.wrapping_shl(doublings)).min(self.longest);
        let half = u64::try_from(full.as_nanos() / 2).unwrap_or(u64::MAX);
        let jitter = self.next().checked_rem(half.saturating_add(1)).unwrap_or_default();
        Duration::from_nanos(half.saturating_add(jitter))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): spreads waits, protects nothing.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(status: u16, retry_after: Option<&str>, body: &str) -> Verdict {
        Answer::Status { status, retry_after: retry_after.map(str::as_bytes), body: body.as_bytes() }
            .verdict()
    }

    #[test]
    fn answers_mean_what_otlp_says() {
        assert_eq!(verdict(200, None, ""), Verdict::Accepted);
        assert_eq!(verdict(200, None, "{}"), Verdict::Accepted);
        assert_eq!(verdict(200, None, r#"{"partialSuccess":{}}"#), Verdict::Accepted);
        assert_eq!(verdict(200, None, r#"{"partialSuccess":{"rejectedLogRecords":"0"}}"#), Verdict::Accepted);
        assert_eq!(verdict(200, None, r#"{"partialSuccess":{"rejectedLogRecords":"2"}}"#), Verdict::Rejected);
        assert_eq!(verdict(200, None, r#"{"partialSuccess":{"rejectedLogRecords":2}}"#), Verdict::Rejected);
        assert_eq!(verdict(400, None, ""), Verdict::Rejected);
        assert_eq!(verdict(413, None, ""), Verdict::Rejected);
        assert_eq!(verdict(408, None, ""), Verdict::Retry(Duration::ZERO));
        assert_eq!(verdict(429, Some("7"), ""), Verdict::Retry(Duration::from_secs(7)));
        assert_eq!(verdict(503, Some("86400"), ""), Verdict::Retry(LONGEST_WAIT));
        assert_eq!(verdict(503, Some("Sun, 22 Nov 2026 15:59:21 GMT"), ""), Verdict::Retry(Duration::ZERO));
        assert_eq!(verdict(500, None, ""), Verdict::RetryFew);
        assert_eq!(verdict(302, None, ""), Verdict::RetryFew);
        assert_eq!(Answer::Broken.verdict(), Verdict::Retry(Duration::ZERO));
    }

    #[test]
    fn an_answer_in_protobuf_says_what_was_not_taken() {
        let answer = |body: &[u8]| Answer::Status { status: 200, retry_after: None, body }.verdict();
        assert_eq!(answer(b"\x0a\x00"), Verdict::Accepted);
        assert_eq!(answer(b"\x0a\x02\x08\x00"), Verdict::Accepted);
        assert_eq!(answer(b"\x0a\x02\x08\x02"), Verdict::Rejected);
        // A message of 123 bytes: its length is a brace, and what stands before it is white space.
        let mut long = b"\x0a\x7b\x08\x01\x12\x77".to_vec();
        long.resize(125, b'x');
        assert_eq!(answer(&long), Verdict::Rejected);
    }

    proptest! {
        #[test]
        fn waits_double_up_to_the_longest_and_half_is_random(failures in 1..100_u32, seed in any::<u64>()) {
            let (first, longest) = (Duration::from_millis(500), Duration::from_secs(30));
            let wait = Backoff::new(first, longest, seed).after(failures);
            let full = first.saturating_mul(2_u32.saturating_pow(failures - 1)).min(longest);
            prop_assert!(full / 2 <= wait && wait <= full);
        }

        #[test]
        fn no_answer_traps_it(
            status in any::<u16>(),
            after in proptest::collection::vec(any::<u8>(), 0..20),
            body in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let _ = Answer::Status { status, retry_after: Some(&after), body: &body }.verdict();
        }
    }
}
