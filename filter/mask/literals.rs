//! Secrets known by their very bytes.
use memchr::memmem::Finder;

use crate::order;

/// A literal shorter than this would mask too much that is not secret.
const SHORTEST: usize = 8;

/// The literals of a plan.
pub struct Literals {
    all: Vec<Vec<u8>>,
    finders: Vec<Finder<'static>>,
}

/// What the literals say of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// The text ends within one.
    Undecided,
    /// The longest that stands here, by its length.
    Found(usize),
    /// None stands here.
    Nothing,
}

impl Literals {
    pub fn new(mut literals: Vec<Vec<u8>>) -> Self {
        literals.retain(|literal| literal.len() >= SHORTEST);
        order::sort(&mut literals);
        literals.dedup();
        let finders = literals.iter().map(|literal| Finder::new(literal).into_owned()).collect();
        Self { all: literals, finders }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes of the shortest; the most there can be where there is none.
    pub fn shortest(&self) -> usize {
        self.iter().map(<[u8]>::len).min().unwrap_or(usize::MAX)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.all.iter().map(Vec::as_slice)
    }

    /// Whether one stands anywhere in a text.
    pub fn stand_in(&self, text: &[u8]) -> bool {
        self.finders.iter().any(|finder| finder.find(text).is_some())
    }

    /// Whether one stands where the text starts; `end` says that the text is whole.
    pub fn find(&self, text: &[u8], end: bool) -> Literal {
        if !end && self.iter().any(|literal| literal.len() > text.len() && literal.starts_with(text)) {
            return Literal::Undecided;
        }
        let found = self.iter().filter(|literal| text.starts_with(literal)).map(<[u8]>::len).max();
        found.map_or(Literal::Nothing, Literal::Found)
    }
}
