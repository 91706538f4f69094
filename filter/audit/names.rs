//! The names of all fields, in their order.
//!
//! Canonical JSON has its names in order. That order is found when the crate is compiled, from the declarations of the
//! fields, and each field is put at its place: no record has to sort, and none can hold a name twice.

use super::captured::{Captured, Part};
use super::record::{Anchor, Answered, DERIVED, Facts, Link, Summary};
use super::value::Name;

/// All declarations.
const DECLARED: [&[(Name, Name)]; 8] = [
    Facts::FIELDS,
    Answered::FIELDS,
    Captured::FIELDS,
    Part::FIELDS,
    Summary::FIELDS,
    Anchor::FIELDS,
    Link::FIELDS,
    DERIVED,
];

/// How many names there are.
pub const COUNT: usize = count();

/// All names, sorted. They are ASCII, so the order of their bytes is that of UTF-16, which RFC 8785 asks for.
pub const NAMES: [Name; COUNT] = sorted();

/// A name's place among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

impl Place {
    /// The place of a name that is declared; any other does not compile, so call it in `const { }`.
    #[allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        reason = "at compile time"
    )]
    pub const fn of(name: Name) -> Self {
        let mut at = 0;
        while at < COUNT {
            if !is_before(name, NAMES[at]) && !is_before(NAMES[at], name) {
                return Self(at);
            }
            at += 1;
        }
        panic!("no field is declared under this name")
    }

    /// All places, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).map(Self)
    }

    /// Its index in [`NAMES`].
    pub const fn index(self) -> usize {
        self.0
    }

    /// The name.
    pub fn name(self) -> Name {
        NAMES.get(self.0).copied().unwrap_or_default()
    }
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn count() -> usize {
    let (mut at, mut all) = (0, 0);
    while at < DECLARED.len() {
        all += DECLARED[at].len();
        at += 1;
    }
    all
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn sorted() -> [Name; COUNT] {
    let mut names = [""; COUNT];
    let (mut table, mut held) = (0, 0);
    while table < DECLARED.len() {
        let mut at = 0;
        while at < DECLARED[table].len() {
            insert(&mut names, held, DECLARED[table][at].0);
            (at, held) = (at + 1, held + 1);
        }
        table += 1;
    }
    names
}

/// Puts a name among the first few, which are sorted.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn insert(names: &mut [Name; COUNT], held: usize, name: Name) {
    let mut at = held;
    while at > 0 && is_before(name, names[at - 1]) {
        names[at] = names[at - 1];
        at -= 1;
    }
    names[at] = name;
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
const fn is_before(a: Name, b: Name) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_in_the_way_of_another() {
        // An attribute has no field of its own.
        let all = || NAMES.iter().copied().chain(["portcullis.chain.hash"]);
        for (at, name) in all().enumerate() {
            assert!(name.is_ascii());
            for (other_at, other) in all().enumerate() {
                assert!(
                    at == other_at || (name != other && !other.starts_with(&format!("{name}."))),
                    "{name} {other}"
                );
            }
        }
    }

    #[test]
    fn the_names_are_ascii_sorted_and_different() {
        assert!(NAMES.is_sorted_by(|a, b| a < b), "{NAMES:?}");
        for (at, name) in NAMES.iter().enumerate() {
            assert!(name.is_ascii() && !name.contains(['"', '\\']), "{name}");
            assert_eq!(Place::of(name).index(), at);
        }
    }
}
