//! What issuers answered about tokens a moment ago (RFC 7662), and for how long it counts.
//!
//! | answer | counts for |
//! |---|---|
//! | a caller | the issuer's `max_age`, and never beyond the token's `exp` |
//! | refused | [`REFUSED`]: a token may become good, such as one whose time is to come |
//! | nothing | [`UNKNOWN`]: so that whoever waited learns of it, and whoever repeats it at once does not ask again |
//!
//! Refusals have a map of their own, so that a flood of worthless tokens makes nobody else be asked about again.

use std::sync::Arc;
use std::time::Duration;

use super::introspection::Answered;
use super::recent::{Name, Recent};
use super::verify::Identity;

/// How long a refusal counts.
pub const REFUSED: Duration = Duration::from_secs(10);
/// How long it counts that nothing is known.
pub const UNKNOWN: Duration = Duration::from_secs(1);
/// Most callers that are kept.
pub const MOST_KNOWN: usize = 1024;
/// Most refusals that are kept.
pub const MOST_REFUSED: usize = 1024;

/// An answer, and until when it counts.
type Kept<T> = (T, u64);

/// The answers of a worker.
#[derive(Debug, Clone)]
pub struct Answers {
    known: Recent<Kept<Arc<Identity>>>,
    refused: Recent<Kept<(usize, Answered)>>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { known: Recent::new(MOST_KNOWN), refused: Recent::new(MOST_REFUSED) }
    }
}

impl Answers {
    /// What the issuer of that index said of a token, where it still counts.
    pub fn get(&mut self, name: &Name, issuer: usize, now: u64) -> Option<Result<Arc<Identity>, Answered>> {
        if let Some((identity, until)) = self.known.get(name) {
            if now < *until && identity.issuer_index == issuer {
                return Some(Ok(Arc::clone(identity)));
            }
            self.known.remove(name);
        }
        let ((by, why), until) = self.refused.get(name)?;
        if now < *until && *by == issuer {
            return Some(Err(*why));
        }
        self.refused.remove(name);
        None
    }

    /// Keeps what the issuer of that index said of a token.
    pub fn put(
        &mut self,
        name: Name,
        issuer: usize,
        answer: Result<Identity, Answered>,
        now: u64,
        max_age: Duration,
    ) {
        let after = |age: Duration| now.saturating_add(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        match answer {
            Ok(identity) => {
                self.refused.remove(&name);
                let until = identity.expires.min(after(max_age));
                self.known.put(name, (Arc::new(identity), until));
            }
            Err(why) => {
                self.known.remove(&name);
                let age = match why {
                    Answered::Refused(_) => REFUSED,
                    Answered::Unknown(_) => UNKNOWN,
                };
                self.refused.put(name, ((issuer, why), after(age)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::introspection::AnswerError;
    use super::super::recent::Namer;
    use super::super::token::TokenError;
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const MINUTE: Duration = Duration::from_secs(60);

    fn name(token: &str) -> Name {
        Namer::new([7; 16]).name(token)
    }

    fn caller(expires: u64) -> Result<Identity, Answered> {
        Ok(Identity {
            id: "i#x".to_owned(),
            subject: "x".to_owned(),
            issuer: "i".to_owned(),
            issuer_index: 0,
            groups: Vec::new(),
            groups_malformed: false,
            claims: Map::new(),
            expires,
        })
    }

    fn subject(answers: &mut Answers, token: &str, now: u64) -> Option<Result<String, Answered>> {
        Some(answers.get(&name(token), 0, now)?.map(|identity| identity.subject.clone()))
    }

    #[test]
    fn a_caller_counts_for_the_stated_age_and_never_beyond_the_tokens_end() {
        let mut answers = Answers::default();
        answers.put(name("long"), 0, caller(u64::MAX), 0, MINUTE);
        answers.put(name("short"), 0, caller(5 * SECOND), 0, MINUTE);
        assert!(subject(&mut answers, "long", 60 * SECOND - 1).is_some());
        assert!(subject(&mut answers, "long", 60 * SECOND).is_none());
        assert!(subject(&mut answers, "short", 5 * SECOND - 1).is_some());
        assert!(subject(&mut answers, "short", 5 * SECOND).is_none());
    }

    #[test]
    fn refusals_count_briefly_and_silence_more_briefly() {
        let mut answers = Answers::default();
        let (refused, unknown) =
            (Answered::Refused(TokenError::Inactive), Answered::Unknown(AnswerError::Active));
        answers.put(name("bad"), 0, Err(refused), 0, MINUTE);
        answers.put(name("lost"), 0, Err(unknown), 0, MINUTE);
        assert_eq!(subject(&mut answers, "bad", 10 * SECOND - 1), Some(Err(refused)));
        assert_eq!(subject(&mut answers, "bad", 10 * SECOND), None);
        assert_eq!(subject(&mut answers, "lost", SECOND - 1), Some(Err(unknown)));
        assert_eq!(subject(&mut answers, "lost", SECOND), None);
    }

    #[test]
    fn the_last_answer_counts() {
        let mut answers = Answers::default();
        let refused = Answered::Refused(TokenError::Inactive);
        answers.put(name("t"), 0, caller(u64::MAX), 0, MINUTE);
        answers.put(name("t"), 0, Err(refused), 1, MINUTE);
        assert_eq!(subject(&mut answers, "t", 2), Some(Err(refused)), "a token that was taken back");
        answers.put(name("t"), 0, caller(u64::MAX), 3, MINUTE);
        assert_eq!(subject(&mut answers, "t", 4), Some(Ok("x".to_owned())));
    }

    #[test]
    fn what_one_issuer_said_is_nothing_that_another_said() {
        let mut answers = Answers::default();
        answers.put(name("t"), 0, caller(u64::MAX), 0, MINUTE);
        assert!(answers.get(&name("t"), 1, 1).is_none());
        answers.put(name("u"), 0, Err(Answered::Refused(TokenError::Inactive)), 0, MINUTE);
        assert!(answers.get(&name("u"), 1, 1).is_none());
    }

    #[test]
    fn a_flood_of_worthless_tokens_takes_no_room_from_good_ones() {
        let mut answers = Answers::default();
        answers.put(name("good"), 0, caller(u64::MAX), 0, MINUTE);
        for number in 0..3 * MOST_REFUSED {
            let refused = Err(Answered::Refused(TokenError::Inactive));
            answers.put(name(&number.to_string()), 0, refused, 0, MINUTE);
        }
        assert!(subject(&mut answers, "good", 1).is_some());
        assert_eq!(answers.refused.len(), MOST_REFUSED);
    }
}
