//! Short strings in which nothing was found.
//!
//! What a masker decides depends on the text alone, so a string that reads like one that came out as it came does so too.
//! The objects of a document have the same keys again and again, and often the same few values: they are searched once.

/// Longest string that is remembered, in bytes.
const LONGEST: usize = 24;
/// How many are, as a power of two. One more takes another's place.
const BITS: u32 = 6;

/// The bytes of a string, with zeros behind, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Short {
    words: [u64; LONGEST / 8],
    len: usize,
}

/// What is remembered of one document.
#[derive(Debug, Default)]
pub(crate) struct Clean {
    /// Each at the place that its bytes tell; none at all before the first.
    places: Vec<Option<Short>>,
}

impl Clean {
    /// Whether a string is remembered.
    pub(crate) fn holds(&self, string: &[u8]) -> bool {
        let Some(short) = Short::of(string) else { return false };
        self.places.get(short.place()).is_some_and(|held| *held == Some(short))
    }

    /// Remembers a string, as JSON writes it, in which nothing was found.
    pub(crate) fn remember(&mut self, string: &[u8]) {
        let Some(short) = Short::of(string) else { return };
        if self.places.is_empty() {
            self.places.resize(1usize.wrapping_shl(BITS), None);
        }
        if let Some(place) = self.places.get_mut(short.place()) {
            *place = Some(short);
        }
    }
}

impl Short {
    fn of(string: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..string.len())?.copy_from_slice(string);
        let (words, _) = bytes.as_chunks::<8>();
        let mut all = [0; LONGEST / 8];
        for (word, bytes) in all.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(Self { words: all, len: string.len() })
    }

    /// Where it is remembered: the upper bits of its bytes multiplied (Fibonacci hashing). So few fit into an index of 32
    /// bits too.
    fn place(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed =
            self.words.iter().fold(0u64, |mixed, word| (mixed.rotate_left(23) ^ word).wrapping_mul(ODD));
        usize::try_from(mixed.wrapping_shr(u64::BITS.wrapping_sub(BITS))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_keys_of_a_document_have_places_of_their_own() {
        let keys = ["id", "score", "metadata", "title", "page", "text", "type", "role", "content", "index"];
        let mut places: Vec<usize> =
            keys.iter().filter_map(|key| Some(Short::of(key.as_bytes())?.place())).collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() + 2 >= keys.len() && places.iter().all(|place| *place < 64), "{places:?}");
    }

    proptest! {
        #[test]
        fn only_what_was_remembered_is_held(
            clean in prop::collection::vec("[ab\\x00]{0,26}", 0..80), asked in prop::collection::vec("[ab\\x00]{0,26}", 0..80),
        ) {
            let mut known = Clean::default();
            clean.iter().for_each(|string| known.remember(string.as_bytes()));
            for string in asked.iter().chain(&clean) {
                prop_assert!(!known.holds(string.as_bytes()) || clean.contains(string));
            }
            if let Some(last) = clean.last() {
                prop_assert_eq!(known.holds(last.as_bytes()), last.len() <= LONGEST);
            }
        }
    }
}
