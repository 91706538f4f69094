//! What can be found, by name.
use std::fmt;
use std::rc::Rc;

use super::entity::{Entities, Found, UPSTREAM_CREDENTIAL};
use super::lexicon::Lexicon;
use super::own::{Own, OwnDetector, OwnFault};
use super::tables::{AnyGroup, ENTITIES, GROUPS, SETS, USUAL};
use super::text::Entity;
use crate::order;

/// The name of [`UPSTREAM_CREDENTIAL`].
pub(super) const CREDENTIAL: &str = "UPSTREAM_CREDENTIAL";

/// The entities that are known: the built-in ones, and a policy set's own. Clones are cheap.
#[derive(Clone)]
pub struct Catalogue(Rc<Known>);

struct Known {
    /// Names of a policy set's own entities, which are numbered after the built-in ones.
    own: Vec<Box<str>>,
    groups: Vec<AnyGroup>,
    lexicons: Vec<Rc<Lexicon>>,
    /// `<NAME>` for each entity, by number.
    replacements: Vec<Box<[u8]>>,
}

/// How it begins that nobody finds an entity.
pub const UNFOUND: &str = "no detector finds ";

/// A name that is neither an entity nor a set of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownEntity {
    /// The name as given.
    pub name: String,
    /// The known name nearest to it, if one is near.
    pub suggestion: Option<String>,
}

impl fmt::Display for UnknownEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{UNFOUND}{}", self.name)?;
        match &self.suggestion {
            Some(name) => write!(f, "; did you mean {name}?"),
            None => {
                f.write_str(": describe it in `detectors`, or name a service that finds it in `recognisers`")
            }
        }
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Catalogue {
    /// The built-in entities alone.
    pub fn built_in() -> Self {
        Self::of(Own::default())
    }

    /// The same, and names of what others than detectors find. Names beyond the number that there can be stay unknown.
    #[must_use]
    pub fn naming<'n>(self, names: impl Iterator<Item = &'n str>) -> Self {
        let mut own = self.0.own.clone();
        for name in names {
            let room = ENTITIES.len().saturating_add(own.len()) < usize::from(UPSTREAM_CREDENTIAL.0);
            if room && self.number(name).is_none() && !own.iter().any(|known| **known == *name) {
                own.push(name.into());
            }
        }
        let groups = self.0.groups.iter().filter_map(|group| match group {
            AnyGroup::Own(group) => Some(Rc::clone(group)),
            AnyGroup::BuiltIn(_) => None,
        });
        Self::of(Own { names: own, groups: groups.collect(), lexicons: self.0.lexicons.clone() })
    }

    /// The entity of a name.
    pub fn number(&self, name: &str) -> Option<Entity> {
        self.entities().find(|&(_, known)| known == name).map(|(entity, _)| entity)
    }

    /// The built-in entities and a policy set's own, with everything that is wrong with the set's detectors. Where
    /// something is, the catalogue knows the names that stand, so that what refers to them is not at fault too.
    pub fn with_own(detectors: &[OwnDetector]) -> (Self, Vec<OwnFault>) {
        let (own, faults) = Own::compile(detectors);
        (Self::of(own), faults)
    }

    fn of(own: Own) -> Self {
        let names = ENTITIES.iter().copied().chain(own.names.iter().map(|name| &**name));
        let replacements = names.map(|name| format!("<{name}>").into_bytes().into_boxed_slice()).collect();
        let groups = GROUPS.iter().map(AnyGroup::BuiltIn).chain(own.groups.into_iter().map(AnyGroup::Own));
        Self(Rc::new(Known {
            groups: groups.collect(),
            lexicons: own.lexicons,
            replacements,
            own: own.names,
        }))
    }

    /// The entities that a name stands for: an entity's own (`EMAIL_ADDRESS`), or a set's (`PII`).
    pub fn resolve(&self, name: &str) -> Result<Entities, UnknownEntity> {
        let set = SETS.iter().find(|(set, _)| *set == name).map(|&(_, words)| Entities::from_words(words));
        let entity = || self.entities().find(|&(_, known)| known == name).map(|(entity, _)| entity.into());
        set.or_else(entity).ok_or_else(|| UnknownEntity { name: name.into(), suggestion: self.nearest(name) })
    }

    /// The name that policies, records and replacements use.
    pub fn name(&self, entity: Entity) -> &str {
        if entity == UPSTREAM_CREDENTIAL {
            return CREDENTIAL;
        }
        let at = usize::from(entity.0);
        let own = || self.0.own.get(at.checked_sub(ENTITIES.len())?).map(|name| &**name);
        ENTITIES.get(at).copied().or_else(own).unwrap_or("UNKNOWN")
    }

    /// The names of some entities, in their order.
    pub fn names(&self, entities: Entities) -> impl Iterator<Item = &str> {
        entities.iter().map(|entity| self.name(entity))
    }

    /// The names of what was found, each once, in alphabetic order.
    pub fn names_of(&self, found: &Found) -> Vec<&str> {
        let mut names: Vec<&str> = self.names(found.entities()).collect();
        order::sort(&mut names);
        names
    }

    /// What is put in the place of a value: `<NAME>`.
    pub fn replacement(&self, entity: Entity) -> &[u8] {
        match self.0.replacements.get(usize::from(entity.0)) {
            Some(replacement) => replacement,
            None if entity == UPSTREAM_CREDENTIAL => b"<UPSTREAM_CREDENTIAL>",
            None => b"<UNKNOWN>",
        }
    }

    /// All that detectors find.
    pub fn all(&self) -> Entities {
        self.entities().map(|(entity, _)| entity).collect()
    }

    /// What is looked for where nobody says what: all but what is often mistaken (tier D).
    pub fn usual(&self) -> Entities {
        let own = self.entities().map(|(entity, _)| entity).skip(ENTITIES.len());
        Entities::from_words(USUAL).union(own.collect())
    }

    /// The names of the sets.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        SETS.iter().map(|&(name, _)| name)
    }

    /// Bytes that a policy set's own detectors take.
    pub fn own_bytes(&self) -> usize {
        let groups = self.0.groups.iter().skip(GROUPS.len()).map(|group| group.tables.bytes());
        groups.chain(self.0.lexicons.iter().map(|lexicon| lexicon.bytes())).fold(0, usize::saturating_add)
    }

    pub(super) fn groups(&self) -> &[AnyGroup] {
        &self.0.groups
    }

    pub(super) fn lexicons(&self) -> &[Rc<Lexicon>] {
        &self.0.lexicons
    }

    fn entities(&self) -> impl Iterator<Item = (Entity, &str)> {
        let names = ENTITIES.iter().copied().chain(self.0.own.iter().map(|name| &**name));
        (0u16..).map(Entity).zip(names)
    }

    fn names_known(&self) -> impl Iterator<Item = &str> {
        self.sets().chain(self.entities().map(|(_, name)| name))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        let scored = self.names_known().map(|known| (strsim::jaro_winkler(&upper, known), known));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.8);
        // Of short names hardly a letter is left to be alike: one typing error, or a country's name without the country.
        let slip = || self.names_known().find(|known| strsim::damerau_levenshtein(&upper, known) == 1);
        let ending = || {
            let ends = |known: &&str| known.strip_suffix(&*upper).is_some_and(|rest| rest.ends_with('_'));
            self.names_known().find(ends)
        };
        best.map(|(_, known)| known).or_else(slip).or_else(ending).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_entity_or_a_set() {
        let known = Catalogue::built_in();
        let email = known.resolve("EMAIL_ADDRESS").unwrap();
        assert_eq!(known.names(email).collect::<Vec<_>>(), ["EMAIL_ADDRESS"]);
        let pii = known.resolve("PII").unwrap();
        let financial = known.resolve("FINANCIAL").unwrap();
        assert!(known.names(financial).any(|name| name == "CREDIT_CARD"));
        assert!(known.names(financial).all(|name| name != "EMAIL_ADDRESS"));
        assert!(email.iter().all(|entity| pii.contains(entity)) && pii.len() > 5);
        assert!(pii.iter().all(|e| !known.resolve("SECRETS").unwrap().contains(e)));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let known = Catalogue::built_in();
        let error = known.resolve("EMAIL").unwrap_err();
        assert_eq!(error.to_string(), "no detector finds EMAIL; did you mean EMAIL_ADDRESS?");
        let suggestion = |name: &str| known.resolve(name).unwrap_err().suggestion;
        assert_eq!(suggestion("secrets").as_deref(), Some("SECRETS"));
        assert_eq!(suggestion("PPI").as_deref(), Some("PII"));
        assert_eq!(suggestion("SSN").as_deref(), Some("US_SSN"));
        assert_eq!(suggestion("zzz"), None);
        let error = known.resolve("PERSON").unwrap_err().to_string();
        assert!(error.ends_with("name a service that finds it in `recognisers`"), "{error}");
    }

    #[test]
    fn every_entity_and_set_resolves_by_its_own_name() {
        let known = Catalogue::built_in();
        for entity in known.all().iter() {
            assert_eq!(known.resolve(known.name(entity)), Ok(entity.into()));
        }
        assert!(known.sets().all(|set| !known.resolve(set).unwrap().is_empty()));
        assert!(!known.all().contains(UPSTREAM_CREDENTIAL));
        assert_eq!(known.name(UPSTREAM_CREDENTIAL), "UPSTREAM_CREDENTIAL");
        assert_eq!(known.replacement(UPSTREAM_CREDENTIAL), b"<UPSTREAM_CREDENTIAL>");
    }

    #[test]
    fn what_is_found_is_named_in_alphabetic_order() {
        let known = Catalogue::built_in();
        let mut found = Found::default();
        for name in ["US_SSN", "EMAIL_ADDRESS"] {
            found.add(known.resolve(name).unwrap().iter().next().unwrap());
        }
        found.add(UPSTREAM_CREDENTIAL);
        assert_eq!(known.names_of(&found), ["EMAIL_ADDRESS", "UPSTREAM_CREDENTIAL", "US_SSN"]);
    }
}
