//! Many short texts kept as one, so that a list of 100,000 words is not 100,000 allocations.

use std::fmt;

use serde::ser::{Serialize, Serializer};

/// Texts in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// All of them, one behind the other.
    joined: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    /// Puts one behind the others.
    pub fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The one at a place.
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.joined.get(start..end)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at).unwrap_or_default())
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.joined.len()
    }

    /// Gives back what memory was set aside for more.
    pub fn shrink_to_fit(&mut self) {
        self.joined.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut texts = Self::default();
        all.into_iter().for_each(|text| texts.push(text.as_ref()));
        texts.shrink_to_fit();
        texts
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_in_stands_at_its_place(all in prop::collection::vec(".{0,4}", 0..8)) {
            let texts: Texts = all.iter().collect();
            prop_assert_eq!(texts.len(), all.len());
            prop_assert_eq!(texts.is_empty(), all.is_empty());
            prop_assert_eq!(texts.bytes(), all.concat().len());
            prop_assert!(texts.iter().eq(all.iter().map(String::as_str)));
            prop_assert_eq!(texts.get(all.len()), None);
            prop_assert_eq!(serde_json::to_string(&texts).unwrap(), serde_json::to_string(&all).unwrap());
            prop_assert_eq!(format!("{texts:?}"), format!("{all:?}"));
        }
    }
}
