//! Keys that come twice: of those that a table knows a bit is enough, the others are compared.

use super::strings::Raw;

/// Up to so many unknown keys of an object are compared one by one, as they come; more, when it ends.
const FEW: usize = 16;

/// Most unknown keys of one object.
const MOST: usize = 16_384;

/// The unknown keys of all objects that are open, the innermost object's last.
#[derive(Debug)]
pub(super) struct Keys<'b> {
    body: &'b str,
    /// Where they stand.
    keys: Vec<u32>,
}

/// Where the keys of an object begin.
#[derive(Debug)]
pub(super) struct Open(usize);

impl<'b> Keys<'b> {
    /// For a body of less than 4 GiB.
    pub fn new(body: &'b str) -> Self {
        Self { body, keys: Vec::new() }
    }

    /// An object begins.
    pub fn open(&self) -> Open {
        Open(self.keys.len())
    }

    fn of(&self, open: &Open) -> &[u32] {
        self.keys.get(open.0..).unwrap_or_default()
    }

    fn key(&self, at: u32) -> Raw<'b> {
        Raw::at(self.body, usize::try_from(at).unwrap_or(usize::MAX))
    }

    /// Remembers a key; whether it is known already that it came before.
    pub fn came_before(&mut self, open: &Open, key: Raw<'b>) -> bool {
        let before = self.of(open);
        let twice = before.len() < FEW && before.iter().any(|other| self.key(*other).compare(&key).is_eq());
        self.keys.push(u32::try_from(key.at).unwrap_or(u32::MAX));
        twice
    }

    /// The object ends: a key that came twice in it.
    ///
    /// # Errors
    /// There are too many to compare.
    pub fn close(&mut self, open: &Open) -> Result<Option<Raw<'b>>, &'static str> {
        let twice = match self.of(open).len() {
            0..=FEW => None,
            count if count > MOST => return Err("an object of too many keys"),
            _ => self.twice(open),
        };
        self.keys.truncate(open.0);
        Ok(twice)
    }

    /// A key that stands there twice. Sorted by a hash first, for comparing keys is dear where there are many.
    fn twice(&self, open: &Open) -> Option<Raw<'b>> {
        let hashed = |at: &u32| (hash(&self.key(*at).decoded()), *at);
        let mut order: Vec<(u32, u32)> = self.of(open).iter().map(hashed).collect();
        let same = |at: u32, other: u32| self.key(at).compare(&self.key(other));
        order.sort_unstable_by(|(a, at), (b, other)| a.cmp(b).then_with(|| same(*at, *other)));
        order.windows(2).find_map(|pair| match pair {
            [(a, at), (b, other)] if a == b && same(*at, *other).is_eq() => Some(self.key(*other)),
            _ => None,
        })
    }
}

/// FNV-1a.
fn hash(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
