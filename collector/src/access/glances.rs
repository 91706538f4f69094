//! Looks that come again and again. A page asks for what waits every few seconds; that somebody was shown the very same
//! once more says nothing, so one record tells of all of it: until what is shown changes, or an hour went by.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Uri;
use sha2::{Digest as _, Sha256};

/// Most looks that are remembered. What is forgotten is on record once more.
const MOST: usize = 4096;
/// How long one record tells of the same.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// sha256 of what is shown. Handlers leave it in the extensions of their answers where such looks come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance([u8; 32]);

/// Who looks where.
pub type Look = (String, String);

/// What was shown last.
#[derive(Debug, Default)]
pub struct Glances(Mutex<HashMap<Look, (Glance, Instant)>>);

impl Glance {
    /// Of a body.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

/// Of a caller and an address.
pub fn look(caller: &str, address: &Uri) -> Look {
    (caller.to_owned(), address.path_and_query().map_or_else(String::new, ToString::to_string))
}

impl Glances {
    /// Whether a record that is on the disk tells of it.
    pub fn is_told(&self, look: &Look, glance: Glance) -> bool {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(look).is_some_and(|(before, at)| *before == glance && at.elapsed() < LONGEST)
    }

    /// A record of it is on the disk.
    pub fn tell(&self, look: Look, glance: Glance) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(look, (glance, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_to_each_and_memory_is_bounded() {
        let glances = Glances::default();
        let (one, other) = (Glance::of(b"one"), Glance::of(b"other"));
        let of = |caller: &str| look(caller, &Uri::from_static("/api/approvals?state=pending"));
        assert!(!glances.is_told(&of("alice"), one));
        glances.tell(of("alice"), one);
        assert!(glances.is_told(&of("alice"), one));
        assert!(!glances.is_told(&of("alice"), other) && !glances.is_told(&of("bob"), one));
        assert!(!glances.is_told(&look("alice", &Uri::from_static("/api/approvals")), one));
        glances.tell(of("alice"), other);
        assert!(!glances.is_told(&of("alice"), one), "it changed back");
        (0..MOST * 2).for_each(|n| glances.tell(of(&n.to_string()), one));
        assert!(glances.0.lock().unwrap().len() <= MOST);
    }
}
