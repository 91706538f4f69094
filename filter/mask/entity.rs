//! Sets of entities, and counts of them. Their names are known to a [`Catalogue`](super::Catalogue).
use super::text::Entity;

/// The upstream credential that the filter injects: not in the table, found by its very bytes.
pub const UPSTREAM_CREDENTIAL: Entity = Entity(511);

const WORDS: usize = 8;

/// A set of entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Entities([u64; WORDS]);

impl Entities {
    /// No entity.
    pub const NONE: Self = Self([0; WORDS]);
    /// How many there can be, with the upstream credential.
    pub const MOST: u16 = 512;

    /// The set whose bits these are.
    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        Self(words)
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.with(other, |own, other| own | other)
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.with(other, |own, other| own & other)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        self.with(other, |own, other| own & !other)
    }

    fn with(mut self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own = of(*own, other));
        self
    }

    /// Whether it holds an entity.
    pub fn contains(self, entity: Entity) -> bool {
        let word = self.0.get(usize::from(entity.0 >> 6)).copied().unwrap_or(0);
        word.wrapping_shr(u32::from(entity.0 & 63)) & 1 == 1
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// How many it holds.
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Its entities, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Entity> {
        (0..Self::MOST).map(Entity).filter(move |&entity| self.contains(entity))
    }
}

impl From<Entity> for Entities {
    fn from(entity: Entity) -> Self {
        let mut set = Self::NONE;
        if let Some(word) = set.0.get_mut(usize::from(entity.0 >> 6)) {
            *word = 1u64.wrapping_shl(u32::from(entity.0 & 63));
        }
        set
    }
}

impl FromIterator<Entity> for Entities {
    fn from_iter<I: IntoIterator<Item = Entity>>(entities: I) -> Self {
        entities.into_iter().fold(Self::NONE, |set, entity| set.union(entity.into()))
    }
}

/// How often each entity was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(Vec<(Entity, u64)>);

impl Found {
    /// Counts one more value.
    pub fn add(&mut self, entity: Entity) {
        match self.0.iter_mut().find(|(known, _)| *known == entity) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((entity, 1)),
        }
    }

    /// Counts all that another has found.
    pub fn merge(&mut self, other: &Self) {
        for &(entity, count) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| *known == entity) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => self.0.push((entity, count)),
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entities found, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Entity, u64)> {
        self.0.iter().copied()
    }

    /// The set of what was found.
    pub fn entities(&self) -> Entities {
        self.0.iter().map(|&(entity, _)| entity).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let numbers = [0, 1, 63, 64, 127, 200, 511];
        let set: Entities = numbers.map(Entity).into_iter().collect();
        assert_eq!(set.iter().map(|entity| entity.0).collect::<Vec<_>>(), numbers);
        assert_eq!(set.len(), 7);
        assert!(!set.contains(Entity(65)) && !set.contains(Entity(512)) && !set.contains(Entity(u16::MAX)));
        assert!(Entities::from(Entity(600)).is_empty());
        let other: Entities = [Entity(64), Entity(65)].into_iter().collect();
        assert_eq!(set.intersection(other), Entity(64).into());
        assert_eq!(other.without(set), Entity(65).into());
        assert_eq!(set.union(other).len(), 8);
    }

    #[test]
    fn counts_add_up() {
        let mut found = Found::default();
        found.add(Entity(1));
        found.add(Entity(0));
        let mut sum = found.clone();
        sum.merge(&found);
        assert_eq!(sum.iter().collect::<Vec<_>>(), [(Entity(1), 2), (Entity(0), 2)]);
        assert_eq!(sum.entities().len(), 2);
    }
}
