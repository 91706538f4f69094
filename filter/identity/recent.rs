//! A bounded map from what must not be kept itself, such as a token, to what was found of it a moment ago.
//!
//! Entries are named by a hash under a key of the worker's own, so that neither the map nor a dump of it holds a token.
//! It is SipHash-2-4 with 128 bits: without the key, which never leaves the worker, nobody can tell a name from a random
//! number, nor make two tokens of one name; and it takes a tenth of what SHA-256 does, once for each request.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// What stands for a token.
pub type Name = [u8; 16];

/// Makes names.
#[derive(Clone, Copy)]
pub struct Namer(SipHasher24);

impl std::fmt::Debug for Namer {
    // The key would be in what is printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Namer")
    }
}

impl Namer {
    /// `key` is random, and the worker's own.
    pub fn new(key: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&key))
    }

    /// The name of a token.
    pub fn name(&self, token: &str) -> Name {
        let mut hasher = self.0;
        hasher.write(token.as_bytes());
        hasher.finish128().as_bytes()
    }
}

/// A bounded map; the oldest entry makes room.
#[derive(Debug, Clone)]
pub struct Recent<V> {
    most: usize,
    entries: BTreeMap<Name, (V, u64)>,
    /// Entries by the turn in which they came.
    turns: BTreeMap<u64, Name>,
    turn: u64,
}

impl<V> Recent<V> {
    /// An empty map of at most `most` entries.
    pub fn new(most: usize) -> Self {
        Self { most, entries: BTreeMap::new(), turns: BTreeMap::new(), turn: 0 }
    }

    /// What is known under a name.
    pub fn get(&self, name: &Name) -> Option<&V> {
        self.entries.get(name).map(|(value, _)| value)
    }

    /// Puts a value in the place of what was known, if anything.
    pub fn put(&mut self, name: Name, value: V) {
        if self.most == 0 {
            return;
        }
        self.remove(&name);
        while self.entries.len() >= self.most {
            let Some((_, oldest)) = self.turns.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        self.turn = self.turn.wrapping_add(1);
        self.turns.insert(self.turn, name);
        self.entries.insert(name, (value, self.turn));
    }

    /// Forgets a name.
    pub fn remove(&mut self, name: &Name) {
        if let Some((_, turn)) = self.entries.remove(name) {
            self.turns.remove(&turn);
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_both_orders_stay_of_one_size() {
        let names = Namer::new([7; 16]);
        let mut recent = Recent::new(3);
        for round in 0_u32..1000 {
            recent.put(names.name(&(round % 7).to_string()), round);
            if round % 5 == 0 {
                recent.remove(&names.name(&(round % 11).to_string()));
            }
            assert!(recent.len() <= 3 && recent.turns.len() == recent.len());
        }
        recent.put(names.name("x"), 1);
        recent.put(names.name("y"), 2);
        recent.put(names.name("x"), 3);
        recent.put(names.name("z"), 4);
        recent.put(names.name("w"), 5);
        assert_eq!(recent.get(&names.name("y")), None, "what was put anew is younger");
        assert_eq!(recent.get(&names.name("x")), Some(&3));
        let mut none = Recent::new(0);
        none.put(names.name("x"), 1);
        assert!(none.is_empty());
    }
}
