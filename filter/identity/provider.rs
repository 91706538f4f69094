//! An issuer's keys: got, refreshed, and kept while the provider is down, as a state machine without I/O.
//!
//! The owner asks [`Provider::wanted`] at each tick (and whenever [`Provider::refetch`] said yes) for the next call,
//! makes it, and hands its result to [`Provider::received`]. One call is under way at a time. A round is the
//! discovery document and then the key set, or the key set alone.
//!
//! | while | callers meet |
//! |---|---|
//! | no keys yet, for less than [`Timing::patience`] | [`State::Pending`]: hold the request |
//! | no keys yet, for longer | [`State::Unavailable`]: 503, until keys come |
//! | keys younger than [`Timing::keep`] | [`State::Ready`], also while the provider is down |
//! | older keys | [`State::Unavailable`] |
//!
//! A set that arrives and is faulty, or that holds no usable key, counts as a failure: the keys at hand stay.
//! A set that arrives whole replaces the last one at once, so a key that the issuer took out is gone.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::discovery;
pub use super::discovery::{DocumentError, Fetch};
use super::keys::{KeyError, KeySet};
use super::round::Round;

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// OpenID Connect Discovery.
    Discovery {
        /// The issuer; the document must name it byte for byte.
        issuer: String,
        /// Where the document stands, instead of below the issuer.
        path: Option<String>,
    },
    /// A key set at an absolute http(s) URI.
    Uri {
        /// The URI.
        uri: String,
    },
    /// The key set itself: always ready, never fetched.
    Inline(KeySet),
}

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two successful rounds, less up to a tenth, so that workers and fleets do not ask in step.
    pub refresh: Duration,
    /// The pause after a first failure; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest pause after a failure. Of each pause a random half to whole is taken.
    pub retry_most: Duration,
    /// How long callers are held while there are no keys at all.
    pub patience: Duration,
    /// Never sooner than this, whatever the provider says of how long its keys may be used.
    pub least: Duration,
    /// How old keys may grow while the provider is down.
    pub keep: Duration,
    /// The least time between two calls for keys of which unknown keys ask for the second: well below
    /// [`Self::patience`], for whoever has such a token waits for it.
    pub throttle: Duration,
    /// When a call without an answer counts as failed; above the call's own timeout.
    pub lost: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            refresh: Duration::from_secs(600),
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(30),
            patience: Duration::from_secs(5),
            least: Duration::from_secs(30),
            keep: Duration::from_secs(24 * 3600),
            throttle: Duration::from_secs(2),
            lost: Duration::from_secs(60),
        }
    }
}

/// Why no answer came to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The call could not be made.
    #[error("could not be called")]
    Unreachable,
    /// The answer broke off.
    #[error("broke its answer off")]
    Broken,
    /// No answer within [`Timing::lost`].
    #[error("gave no answer")]
    Lost,
}

/// Why there are no (fresh) keys, for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing was asked, or nothing answered yet.
    #[error("the identity provider has not answered yet")]
    NotYet,
    /// No answer.
    #[error("the identity provider {0}")]
    NoAnswer(#[from] Failure),
    /// An answer other than 200.
    #[error("the identity provider answered with status {0}")]
    Status(u16),
    /// The discovery document is not usable.
    #[error("the discovery document {0}")]
    Document(#[from] DocumentError),
    /// The key set is not usable.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// The last keys are older than [`Timing::keep`].
    #[error("the last key set is too old")]
    Stale,
}

/// A source that can never work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an absolute http(s) URI without user information, query or fragment")]
pub struct SourceError;

/// What there is for callers.
#[derive(Debug, Clone, Copy)]
pub enum State<'k> {
    /// Keys.
    Ready(&'k KeySet),
    /// No keys yet: hold the request until [`Provider::received`], and ask again.
    Pending,
    /// No keys: refuse the request with 503.
    Unavailable {
        /// The last failure.
        reason: FetchError,
    },
}

/// What there is to wait for, after a token named a key that the set lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refetch {
    /// A round, under way or due soon: hold the request until [`Outcome::Keys`], and judge it again.
    UnderWay,
    /// Nothing: the set is as the provider has it. Refuse the token.
    Known,
    /// Nothing: the provider has not been had for longer than [`Timing::patience`]. Refuse the request with 503.
    Failing {
        /// The last failure.
        reason: FetchError,
    },
}

/// What an answer led to, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody waited for it.
    Ignored,
    /// The round goes on: ask [`Provider::wanted`] at once.
    Next,
    /// A key set is in place.
    Keys {
        /// Whether it differs from the last one; if so, [`Provider::generation`] has changed.
        changed: bool,
    },
    /// The round failed.
    Failed {
        /// Why.
        error: FetchError,
        /// When the next round begins.
        retry_in: Duration,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Document,
    Keys,
}

#[derive(Debug, Clone)]
struct Held {
    keys: KeySet,
    digest: [u8; 32],
    fetched: u64,
    /// When the call was made that brought it.
    asked: u64,
}

/// The keys of one issuer.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The first call of a round; `None` for keys given inline.
    first: Option<(Step, Fetch)>,
    issuer: String,
    timing: Timing,
    started: u64,
    /// What discovery found last; forgotten when it fails to give keys.
    found: Option<Fetch>,
    /// The step to make when its time has come.
    next: Step,
    next_at: u64,
    under_way: Option<u64>,
    failures: u32,
    /// Since when every round has failed.
    failing_since: Option<u64>,
    error: FetchError,
    held: Option<Held>,
    generation: u64,
    random: u64,
}

impl Provider {
    /// A provider that begins now. `seed` spreads the calls of many workers: any random number.
    pub fn new(source: Source, timing: Timing, now: u64, seed: u64) -> Result<Provider, SourceError> {
        let (first, issuer, held) = match source {
            Source::Discovery { issuer, path } => {
                let mut fetch = Fetch::document_of(&issuer).ok_or(SourceError)?;
                if let Some(path) = path {
                    fetch.path = path;
                }
                (Some((Step::Document, fetch)), issuer, None)
            }
            Source::Uri { uri } => {
                let fetch = Fetch::absolute(&uri).ok_or(SourceError)?;
                (Some((Step::Keys, fetch)), String::new(), None)
            }
            Source::Inline(keys) => {
                (None, String::new(), Some(Held { keys, digest: [0; 32], fetched: now, asked: now }))
            }
        };
        Ok(Provider {
            next: first.as_ref().map_or(Step::Keys, |(step, _)| *step),
            first,
            issuer,
            timing,
            started: now,
            found: None,
            next_at: now,
            under_way: None,
            failures: 0,
            failing_since: None,
            error: FetchError::NotYet,
            held,
            generation: 0,
            random: seed | 1,
        })
    }

    /// Whether a call is due. Another worker may have made it: see [`Provider::adopt`].
    pub fn is_due(&self, now: u64) -> bool {
        self.first.is_some() && self.under_way.is_none() && now >= self.next_at
    }

    /// Takes the keys that another worker fetched, if they were asked for after those at hand. `None`: they are no newer.
    pub fn adopt(&mut self, now: u64, round: &Round) -> Option<Outcome> {
        let newer = self.held.as_ref().is_none_or(|held| held.asked < round.asked);
        if !newer || round.keys.is_empty() {
            return None;
        }
        let keys = KeySet::parse(&round.keys).ok()?;
        let changed = self.hold(now, round.asked, keys, Sha256::digest(&round.keys).into());
        if let Some(held) = &mut self.held {
            held.fetched = round.fetched.min(now);
        }
        let age = now.saturating_sub(round.fetched);
        self.next_at = self.next_at.saturating_sub(age).max(now);
        self.usable_for(round.fetched, round.max_age);
        Some(Outcome::Keys { changed })
    }

    /// Another worker has failed to get keys: this one, when its turn comes, pauses for as long.
    pub fn fails_elsewhere(&mut self, round: &Round) {
        self.failing_since.get_or_insert(round.failing_since);
        self.failures = self.failures.max(u32::try_from(round.failures).unwrap_or(u32::MAX));
    }

    /// How long the keys that came may be used without asking again, as their provider says.
    pub fn usable_for(&mut self, fetched: u64, max_age: Option<Duration>) {
        let Some(max_age) = max_age else { return };
        let age = nanoseconds(max_age.max(self.timing.least));
        self.next_at = self.next_at.min(fetched.saturating_add(age));
    }

    /// What others may know of the last round: when it was asked and came, since when it fails, and when the next begins.
    pub fn round(&self) -> Round {
        let held = self.held.as_ref();
        Round {
            asked: held.map_or(0, |held| held.asked),
            fetched: held.map_or(0, |held| held.fetched),
            failing_since: self.failing_since.unwrap_or(0),
            failures: u64::from(self.failures),
            lease: if self.failing_since.is_some() { self.next_at } else { 0 },
            ..Round::NONE
        }
    }

    /// The next call to make, if its time has come. Whoever takes it owes [`Provider::received`].
    pub fn wanted(&mut self, now: u64) -> Option<Fetch> {
        if let Some(since) = self.under_way {
            if now.saturating_sub(since) < nanoseconds(self.timing.lost) {
                return None;
            }
            self.fail(now, Failure::Lost.into());
        }
        if now < self.next_at {
            return None;
        }
        let (step, first) = self.first.as_ref()?;
        let fetch = if self.next == *step { first } else { self.found.as_ref()? }.clone();
        self.under_way = Some(now);
        Some(fetch)
    }

    /// Takes the answer to the call that [`Provider::wanted`] gave: status and body, or why there is none.
    pub fn received(&mut self, now: u64, answer: Result<(u16, &[u8]), Failure>) -> Outcome {
        let Some(asked) = self.under_way.take() else { return Outcome::Ignored };
        match self.read(now, asked, answer) {
            Ok(outcome) => outcome,
            Err(error) => self.fail(now, error),
        }
    }

    fn read(
        &mut self,
        now: u64,
        asked: u64,
        answer: Result<(u16, &[u8]), Failure>,
    ) -> Result<Outcome, FetchError> {
        let (status, body) = answer?;
        if status != 200 {
            return Err(FetchError::Status(status));
        }
        match self.next {
            Step::Document => {
                self.found = Some(discovery::read(body, &self.issuer)?);
                self.next = Step::Keys;
                self.next_at = now;
                Ok(Outcome::Next)
            }
            Step::Keys => {
                let keys = KeySet::parse(body)?;
                let changed = self.hold(now, asked, keys, Sha256::digest(body).into());
                Ok(Outcome::Keys { changed })
            }
        }
    }

    fn hold(&mut self, now: u64, asked: u64, keys: KeySet, digest: [u8; 32]) -> bool {
        let changed = self.held.as_ref().is_none_or(|held| held.digest != digest);
        if changed {
            self.generation = self.generation.wrapping_add(1);
        }
        self.held = Some(Held { keys, digest, fetched: now, asked });
        self.failures = 0;
        self.failing_since = None;
        let refresh = nanoseconds(self.timing.refresh);
        let early = self.draw(refresh / 10);
        self.rewind(now, refresh.saturating_sub(early));
        changed
    }

    fn fail(&mut self, now: u64, error: FetchError) -> Outcome {
        self.error = error;
        self.failing_since.get_or_insert(now);
        self.under_way = None;
        self.found = None;
        let doubled =
            self.timing.retry_first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let pause = nanoseconds(doubled.min(self.timing.retry_most));
        self.failures = self.failures.saturating_add(1);
        let pause = pause.saturating_sub(self.draw(pause / 2));
        self.rewind(now, pause);
        Outcome::Failed { error, retry_in: Duration::from_nanos(pause) }
    }

    /// The next round begins with its first step, after a pause.
    fn rewind(&mut self, now: u64, pause: u64) {
        self.next = self.first.as_ref().map_or(Step::Keys, |(step, _)| *step);
        self.next_at = now.saturating_add(pause);
    }

    /// A token that came at `since` names a key that the set lacks. The set may have changed, so only one that was asked
    /// for after the token came tells whether the key is the provider's; it is asked for no more often than
    /// [`Timing::throttle`] allows, and until then the token waits.
    ///
    /// While the provider cannot be had nobody can say what the set is: a provider that starts anew with other keys is
    /// away for a moment, and its new tokens are good.
    pub fn refetch(&mut self, now: u64, since: u64) -> Refetch {
        if self.first.is_none() {
            return Refetch::Known;
        }
        if let Some(failing) = self.failing_since {
            let short = now.saturating_sub(failing) < nanoseconds(self.timing.patience);
            return if short { Refetch::UnderWay } else { Refetch::Failing { reason: self.error } };
        }
        if self.under_way.is_some() {
            return Refetch::UnderWay;
        }
        let asked = self.held.as_ref().map(|held| held.asked);
        if asked.is_some_and(|asked| asked >= since) {
            return Refetch::Known;
        }
        let throttled = asked.map_or(now, |asked| asked.saturating_add(nanoseconds(self.timing.throttle)));
        self.next_at = self.next_at.min(throttled.max(now));
        if self.found.is_some() {
            self.next = Step::Keys;
        }
        Refetch::UnderWay
    }

    /// What there is for callers.
    pub fn state(&self, now: u64) -> State<'_> {
        match &self.held {
            Some(held) if self.first.is_none() || self.is_fresh(held, now) => State::Ready(&held.keys),
            Some(_) => State::Unavailable { reason: FetchError::Stale },
            None if now.saturating_sub(self.started) < nanoseconds(self.timing.patience) => State::Pending,
            None => State::Unavailable { reason: self.error },
        }
    }

    fn is_fresh(&self, held: &Held, now: u64) -> bool {
        now.saturating_sub(held.fetched) < nanoseconds(self.timing.keep)
    }

    /// Time since the keys at hand came; `None` without keys, and for keys given inline.
    pub fn age(&self, now: u64) -> Option<Duration> {
        self.first.as_ref()?;
        Some(Duration::from_nanos(now.saturating_sub(self.held.as_ref()?.fetched)))
    }

    /// Changes whenever the keys do.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A number below `bound`, by xorshift: spreads calls, keeps no secret.
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.checked_rem(bound).unwrap_or(0)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
