//! Tokens that were verified a moment ago.
//!
//! A hit means: this very text held under this very key set of its issuer, and has not expired. Entries are named
//! by a hash of the whole token under a key of the worker's own, so that the cache holds no token.
//!
//! One cache belongs to one verifier: a policy set that changes brings a new verifier and an empty cache.

use std::sync::Arc;

use super::recent::{Namer, Recent};
use super::verify::Identity;

/// Most entries, by default.
pub const DEFAULT_ENTRIES: usize = 1024;

#[derive(Debug, Clone)]
struct Entry {
    identity: Arc<Identity>,
    generation: u64,
}

/// A bounded map from tokens to identities; the oldest entry makes room.
#[derive(Debug, Clone)]
pub struct Cache {
    names: Namer,
    entries: Recent<Entry>,
}

impl Cache {
    /// An empty cache of at most `most` entries; `key` is random.
    pub fn new(key: [u8; 16], most: usize) -> Cache {
        Cache { names: Namer::new(key), entries: Recent::new(most) }
    }

    /// The caller of this token, if one of the `accepted` issuers vouched for it under the keys it has now.
    /// `generation` gives that of an issuer's keys ([`super::Provider::generation`]).
    pub fn get(
        &mut self,
        token: &str,
        accepted: &[usize],
        now: u64,
        generation: impl FnOnce(usize) -> u64,
    ) -> Option<Arc<Identity>> {
        let name = self.names.name(token);
        let entry = self.entries.get(&name)?;
        let identity = &entry.identity;
        if now >= identity.expires || entry.generation != generation(identity.issuer_index) {
            self.entries.remove(&name);
            return None;
        }
        accepted.contains(&identity.issuer_index).then(|| Arc::clone(identity))
    }

    /// Remembers a token that was verified under the keys of that generation.
    pub fn put(&mut self, token: &str, identity: Arc<Identity>, generation: u64) {
        self.entries.put(self.names.name(token), Entry { identity, generation });
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn identity(subject: &str, issuer_index: usize, expires: u64) -> Arc<Identity> {
        Arc::new(Identity {
            id: format!("i#{subject}"),
            subject: subject.to_owned(),
            issuer: "i".to_owned(),
            issuer_index,
            groups: Vec::new(),
            groups_malformed: false,
            claims: Map::new(),
            expires,
        })
    }

    fn subject(cache: &mut Cache, token: &str, now: u64) -> Option<String> {
        cache.get(token, &[0], now, |_| 1).map(|identity| identity.subject.clone())
    }

    #[test]
    fn only_the_same_text_hits() {
        let mut cache = Cache::new(KEY, 4);
        cache.put("a.b.c", identity("x", 0, 100), 1);
        assert_eq!(subject(&mut cache, "a.b.c", 99), Some("x".to_owned()));
        assert_eq!(subject(&mut cache, "a.b.d", 99), None);
        assert_eq!(subject(&mut cache, "a.b.", 99), None);
    }

    #[test]
    fn an_entry_ends_with_its_token() {
        let mut cache = Cache::new(KEY, 4);
        cache.put("t", identity("x", 0, 100), 1);
        assert_eq!(subject(&mut cache, "t", 100), None);
        assert!(cache.is_empty());
    }

    #[test]
    fn an_entry_ends_with_its_issuers_keys() {
        let mut cache = Cache::new(KEY, 4);
        cache.put("t", identity("x", 3, 100), 1);
        assert!(cache.get("t", &[3], 0, |issuer| if issuer == 3 { 1 } else { 2 }).is_some());
        assert!(cache.get("t", &[3], 0, |_| 2).is_none());
        assert!(cache.get("t", &[3], 0, |_| 1).is_none());
    }

    #[test]
    fn an_issuer_accepted_elsewhere_is_not_accepted_here() {
        let mut cache = Cache::new(KEY, 4);
        cache.put("t", identity("x", 3, 100), 1);
        assert!(cache.get("t", &[0, 1], 0, |_| 1).is_none());
        assert!(cache.get("t", &[], 0, |_| 1).is_none());
        assert!(cache.get("t", &[1, 3], 0, |_| 1).is_some());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut cache = Cache::new(KEY, 2);
        for token in ["a", "b", "a", "c"] {
            cache.put(token, identity(token, 0, 100), 1);
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(subject(&mut cache, "b", 0), None);
        assert_eq!(subject(&mut cache, "a", 0), Some("a".to_owned()));
        assert_eq!(subject(&mut cache, "c", 0), Some("c".to_owned()));
    }

    #[test]
    fn it_stays_within_its_bound() {
        let mut cache = Cache::new(KEY, 3);
        for round in 0_u64..1000 {
            cache.put(&format!("{}", round % 7), identity("x", 0, round + 2), 1);
            subject(&mut cache, &format!("{}", round % 5), round);
            assert!(cache.len() <= 3);
        }
        assert!(Cache::new(KEY, 0).get("t", &[0], 0, |_| 1).is_none());
    }
}
