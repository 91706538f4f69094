//! A secret that a service keeps (Vault's KV engine, version 2, and what has its API): got, refreshed, and kept while the
//! service is down, as a state machine without I/O.
//!
//! The owner asks [`Source::is_due`] at each tick, makes the call, and hands its result to [`Source::received`]. One call is
//! under way at a time.
//!
//! | while | callers meet |
//! |---|---|
//! | no value came yet | nothing to send: 503 |
//! | the value is younger than [`Timing::keep`] | the value, also while the service is down |
//! | it is older | 503 |
//!
//! A value that cannot be used counts as a failure: the value at hand stays. Nothing here has a `Debug` that would show it.

use std::time::Duration;

use serde_json::Value;

/// Largest answer, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 8 * 1024;

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two successful calls, less up to a tenth, so that workers and fleets do not ask in step.
    pub refresh: Duration,
    /// How old a value may grow while the service is down.
    pub keep: Duration,
    /// How long a call may take until it counts as lost; above its own timeout.
    pub lost: Duration,
}

/// The pause after a first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest pause after a failure. Of each pause a random half to whole is taken.
const RETRY_MOST: Duration = Duration::from_secs(30);
/// The least time between two calls of which an upstream's refusal asks for the second.
const THROTTLE: Duration = Duration::from_secs(5);

/// Why there is no (new) value, for the operator's log. None holds a piece of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The call could not be made.
    #[error("the service could not be called")]
    Unreachable,
    /// The answer broke off.
    #[error("the service broke its answer off")]
    Broken,
    /// No answer came.
    #[error("the service gave no answer")]
    Lost,
    /// An answer other than 200.
    #[error("the service answered with status {0}")]
    Status(u16),
    /// Above [`MAX_ANSWER`].
    #[error("the service's answer is larger than 64 KiB")]
    TooLarge,
    /// Not JSON.
    #[error("the service's answer is not JSON")]
    Json,
    /// `data.data` has no such field, or it is no text.
    #[error("the service's answer has no text of that field in `data.data`")]
    Field,
    /// A value that no header can hold.
    #[error("the value is empty, longer than 8 KiB, or holds other than printable ASCII")]
    Unusable,
}

/// What an answer led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody waited for it.
    Ignored,
    /// A value is in place.
    Held {
        /// Whether it is another than before.
        changed: bool,
    },
    /// There is no new value.
    Failed(FetchError),
}

/// A value, and until when it may be used.
#[derive(Clone)]
pub struct Held {
    /// The value.
    pub value: String,
    /// In nanoseconds since 1970.
    pub until: u64,
}

/// One secret.
pub struct Source {
    field: String,
    timing: Timing,
    held: Option<Held>,
    next_at: u64,
    asked: u64,
    under_way: bool,
    failures: u32,
    random: u64,
}

impl Source {
    /// A source that begins now. `seed` spreads the calls of many workers: any random number.
    pub fn new(field: String, timing: Timing, now: u64, seed: u64) -> Self {
        Self {
            field,
            timing,
            held: None,
            next_at: now,
            asked: now,
            under_way: false,
            failures: 0,
            random: seed | 1,
        }
    }

    /// Whether a call is due. Whoever is told so makes it and owes [`Source::received`].
    pub fn is_due(&mut self, now: u64) -> bool {
        if self.under_way {
            if now < after(self.asked, self.timing.lost) {
                return false;
            }
            self.fail(now);
        }
        if now < self.next_at {
            return false;
        }
        (self.under_way, self.asked) = (true, now);
        true
    }

    /// Takes the answer to the call: status and body, or why there is none.
    pub fn received(&mut self, now: u64, answer: Result<(u16, &[u8]), FetchError>) -> Outcome {
        if !std::mem::take(&mut self.under_way) {
            return Outcome::Ignored;
        }
        match answer.and_then(|(status, body)| read(status, body, &self.field)) {
            Ok(value) => {
                let changed = self.held.as_ref().is_none_or(|held| held.value != value);
                self.held = Some(Held { value, until: after(now, self.timing.keep) });
                self.failures = 0;
                let early = self.draw(nanoseconds(self.timing.refresh) / 10);
                self.next_at = after(now, self.timing.refresh).saturating_sub(early);
                Outcome::Held { changed }
            }
            Err(error) => {
                self.fail(now);
                Outcome::Failed(error)
            }
        }
    }

    /// An upstream refused the value: it may have been changed there. Asks sooner, though not at every refusal.
    pub fn doubt(&mut self, now: u64) {
        if self.failures == 0 {
            self.next_at = self.next_at.min(after(self.asked, THROTTLE).max(now));
        }
    }

    /// The last value, as long as it may be used.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    fn fail(&mut self, now: u64) {
        self.under_way = false;
        let doubled = RETRY_FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let pause = nanoseconds(doubled.min(RETRY_MOST));
        self.failures = self.failures.saturating_add(1);
        let pause = pause.saturating_sub(self.draw(pause / 2));
        self.next_at = now.saturating_add(pause);
    }

    /// A number below `bound`, by xorshift: spreads calls, keeps no secret.
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.checked_rem(bound).unwrap_or(0)
    }
}

/// A field of a secret, out of the answer of KV version 2: `{"data":{"data":{FIELD: …}}}`.
fn read(status: u16, body: &[u8], field: &str) -> Result<String, FetchError> {
    if status != 200 {
        return Err(FetchError::Status(status));
    }
    if body.len() > MAX_ANSWER {
        return Err(FetchError::TooLarge);
    }
    let answer: Value = serde_json::from_slice(body).map_err(|_| FetchError::Json)?;
    let data = answer.get("data").and_then(|data| data.get("data"));
    let value = data.and_then(|data| data.get(field)).and_then(Value::as_str).ok_or(FetchError::Field)?;
    let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if value.trim().is_empty() || value.len() > MAX_VALUE || !printable {
        return Err(FetchError::Unusable);
    }
    Ok(value.to_owned())
}

fn after(now: u64, long: Duration) -> u64 {
    now.saturating_add(nanoseconds(long))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const TIMING: Timing = Timing {
        refresh: Duration::from_secs(100),
        keep: Duration::from_secs(1000),
        lost: Duration::from_secs(6),
    };

    fn source() -> Source {
        Source::new("key".to_owned(), TIMING, 0, 42)
    }

    fn answer(value: &str) -> String {
        json!({ "data": { "data": { "key": value, "other": 1 }, "metadata": { "version": 3 } } }).to_string()
    }

    fn take(source: &mut Source, now: u64, value: &str) -> Outcome {
        assert!(source.is_due(now));
        source.received(now, Ok((200, answer(value).as_bytes())))
    }

    fn value(source: &Source) -> Option<&str> {
        source.held().map(|held| held.value.as_str())
    }

    #[test]
    fn a_value_is_asked_for_at_once_and_again_shortly_before_its_time() {
        let mut source = source();
        assert!(source.held().is_none());
        assert_eq!(take(&mut source, 0, "one"), Outcome::Held { changed: true });
        assert!(!source.is_due(89 * SECOND));
        assert_eq!(take(&mut source, 100 * SECOND, "one"), Outcome::Held { changed: false });
        assert_eq!(take(&mut source, 200 * SECOND, "two"), Outcome::Held { changed: true });
        assert_eq!(value(&source), Some("two"));
        assert_eq!(source.held().map(|held| held.until), Some(1200 * SECOND));
    }

    #[test]
    fn one_call_is_under_way_and_one_without_an_answer_is_given_up() {
        let mut source = source();
        assert!(source.is_due(0));
        assert!(!source.is_due(5 * SECOND));
        assert!(!source.is_due(6 * SECOND), "given up, and then a pause");
        assert!(source.is_due(7 * SECOND));
        source.received(7 * SECOND, Ok((200, answer("v").as_bytes())));
        assert_eq!(source.received(7 * SECOND, Ok((200, answer("w").as_bytes()))), Outcome::Ignored);
        assert_eq!(value(&source), Some("v"));
    }

    #[test]
    fn failures_pause_for_longer_and_longer_and_leave_the_value() {
        let mut source = source();
        take(&mut source, 0, "v");
        let mut now = 100 * SECOND;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert!(source.is_due(now));
            assert_eq!(source.received(now, Err(FetchError::Broken)), Outcome::Failed(FetchError::Broken));
            pauses.push(source.next_at - now);
            now = source.next_at;
        }
        assert!(pauses[0] >= SECOND / 4 && pauses[0] <= SECOND / 2, "{pauses:?}");
        assert!(pauses[11] >= 15 * SECOND && pauses[11] <= 30 * SECOND, "{pauses:?}");
        assert_eq!(value(&source), Some("v"));
        assert_eq!(source.held().map(|held| held.until), Some(1000 * SECOND), "by its own age");
    }

    #[test]
    fn what_is_no_usable_value_leaves_the_last_one() {
        let long = "x".repeat(MAX_VALUE + 1);
        let (empty, control, high) = (answer(" "), answer("a\nb"), answer("\u{e9}"));
        let huge = format!("{}{}", answer("v"), " ".repeat(MAX_ANSWER));
        for (status, body, error) in [
            (404, answer("v"), FetchError::Status(404)),
            (403, String::new(), FetchError::Status(403)),
            (200, "<html>".to_owned(), FetchError::Json),
            (200, String::new(), FetchError::Json),
            (200, "[".repeat(50_000), FetchError::Json),
            (200, r#"{"data":{"data":null}}"#.to_owned(), FetchError::Field),
            (200, r#"{"data":{"key":"v"}}"#.to_owned(), FetchError::Field),
            (200, r#"{"data":{"data":{"key":7}}}"#.to_owned(), FetchError::Field),
            (200, empty, FetchError::Unusable),
            (200, control, FetchError::Unusable),
            (200, high, FetchError::Unusable),
            (200, answer(&long), FetchError::Unusable),
            (200, huge, FetchError::TooLarge),
        ] {
            let mut source = source();
            take(&mut source, 0, "v");
            assert!(source.is_due(100 * SECOND));
            let outcome = source.received(100 * SECOND, Ok((status, body.as_bytes())));
            assert_eq!(outcome, Outcome::Failed(error), "{status}");
            assert_eq!(value(&source), Some("v"));
        }
    }

    #[test]
    fn a_refused_value_is_asked_for_sooner_though_not_at_each_refusal() {
        let mut source = source();
        take(&mut source, 0, "v");
        source.doubt(SECOND);
        assert!(!source.is_due(4 * SECOND), "it came a moment ago");
        assert!(source.is_due(5 * SECOND));
        source.doubt(6 * SECOND);
        source.received(6 * SECOND, Ok((200, answer("v").as_bytes())));
        assert!(!source.is_due(9 * SECOND));
    }
}
