//! Sets of entities, by name.
use std::fmt;

use super::tables::{ENTITIES, SETS};
use super::text::Entity;

/// The upstream credential that the filter injects: not in the table, found by its very bytes.
pub const UPSTREAM_CREDENTIAL: Entity = Entity(63);

impl Entity {
    /// The name that policies, records and replacements use.
    pub fn name(self) -> &'static str {
        if self == UPSTREAM_CREDENTIAL {
            return "UPSTREAM_CREDENTIAL";
        }
        ENTITIES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }

    fn bit(self) -> u64 {
        1u64.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// A set of entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Entities(u64);

/// A name that is neither an entity nor a set of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownEntity {
    /// The name as given.
    pub name: String,
    /// The known name nearest to it, if one is near.
    pub suggestion: Option<&'static str>,
}

impl fmt::Display for UnknownEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no detector finds {}", self.name)?;
        self.suggestion.map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

impl Entities {
    /// No entity.
    pub const NONE: Self = Self(0);

    /// The entities that a name stands for: an entity's own (`EMAIL_ADDRESS`), or a set's (`PII`).
    pub fn resolve(name: &str) -> Result<Self, UnknownEntity> {
        let set = SETS.iter().find(|(set, _)| *set == name).map(|&(_, mask)| Self(mask));
        let entity = || Self::all().iter().find(|entity| entity.name() == name).map(Self::from);
        set.or_else(entity).ok_or_else(|| UnknownEntity { name: name.into(), suggestion: nearest(name) })
    }

    /// All that the table of detectors finds.
    pub fn all() -> Self {
        (0..ENTITIES.len()).filter_map(|at| u16::try_from(at).ok()).map(Entity).collect()
    }

    /// The names of the sets.
    pub fn sets() -> impl Iterator<Item = &'static str> {
        SETS.iter().map(|&(name, _)| name)
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds an entity.
    pub fn contains(self, entity: Entity) -> bool {
        self.0 & entity.bit() != 0
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many it holds.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(0)
    }

    /// Its entities, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Entity> {
        (0..64).map(Entity).filter(move |&entity| self.contains(entity))
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(Entity::name)
    }
}

impl From<Entity> for Entities {
    fn from(entity: Entity) -> Self {
        Self(entity.bit())
    }
}

impl FromIterator<Entity> for Entities {
    fn from_iter<I: IntoIterator<Item = Entity>>(entities: I) -> Self {
        entities.into_iter().fold(Self::NONE, |set, entity| set.union(entity.into()))
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let known = Entities::sets().chain(Entities::all().names());
    let scored = known.map(|known| (strsim::jaro_winkler(&upper, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.8).map(|(_, known)| known)
}

/// How often each entity was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(Vec<(Entity, u64)>);

impl Found {
    /// Counts one more value.
    pub fn add(&mut self, entity: Entity) {
        self.add_many(entity, 1);
    }

    /// Counts more values of one entity.
    pub fn add_many(&mut self, entity: Entity, more: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == entity) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.0.push((entity, more)),
        }
    }

    /// Counts all that another has found.
    pub fn merge(&mut self, other: &Self) {
        for &(entity, count) in &other.0 {
            self.add_many(entity, count);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entities found, each once, in the order of their names.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.iter().map(|(entity, _)| entity.name()).collect();
        names.sort_unstable();
        names
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
    fn a_name_is_an_entity_or_a_set() {
        let email = Entities::resolve("EMAIL_ADDRESS").unwrap();
        assert_eq!(email.names().collect::<Vec<_>>(), ["EMAIL_ADDRESS"]);
        let pii = Entities::resolve("PII").unwrap();
        let financial: Vec<_> = Entities::resolve("FINANCIAL").unwrap().names().collect();
        assert_eq!(financial, ["STRIPE_KEY", "IBAN_CODE", "CREDIT_CARD"]);
        assert!(email.iter().all(|entity| pii.contains(entity)) && pii.len() > 5);
        assert!(pii.iter().all(|e| !Entities::resolve("SECRETS").unwrap().contains(e)));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = Entities::resolve("EMAIL").unwrap_err();
        assert_eq!(error.to_string(), "no detector finds EMAIL; did you mean EMAIL_ADDRESS?");
        assert_eq!(Entities::resolve("secrets").unwrap_err().suggestion, Some("SECRETS"));
        assert_eq!(Entities::resolve("zzz").unwrap_err().suggestion, None);
        assert_eq!(Entities::resolve("PERSON").unwrap_err().suggestion, None);
    }

    #[test]
    fn every_entity_and_set_resolves_by_its_own_name() {
        for entity in Entities::all().iter() {
            assert_eq!(Entities::resolve(entity.name()), Ok(entity.into()));
        }
        assert!(Entities::sets().all(|set| !Entities::resolve(set).unwrap().is_empty()));
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
