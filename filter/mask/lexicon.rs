//! Words of a policy set's own: code names, customers, products.
//!
//! Their beginnings are an Aho-Corasick automaton ([`Beginnings`]), which is walked from each place where a word may
//! start; where it is through, few words are left, and those lie sorted in one text: the walk narrows their range byte
//! by byte. So an automaton of all words, which takes seven megabytes for 100,000 of them and thirty to be made, is
//! never made, and the memory is the words' own, four bytes each, and at most some hundred kilobytes for the automaton.
//! A walk knows at each byte whether any longer word is left.
//!
//! Most places of a text begin no word. Vectors find those where one may start at all ([`Starts`]), and a set of hashes
//! sorts out nearly all of these ([`Sieve`]), before anything is walked.
//!
//! A word is found whole: where its edge is an ASCII letter, a digit or `_`, no such byte may stand beyond it, nor after
//! it the first byte of a letter of Latin, Greek, Cyrillic, Hebrew or Arabic script (`Jos` is not found in `José`).
mod beginnings;
mod sieve;
mod starts;

use std::ops::Range;

use aho_corasick::BuildError;
use beginnings::{Beginnings, State};
use sieve::Sieve;
use starts::{PLACES, Starts, inner};

use super::tables::Finder;

/// Most words of one set.
pub const MOST_WORDS: usize = 100_000;
/// Bytes of a word.
pub const LONGEST_WORD: usize = 256;
pub const SHORTEST_WORD: usize = 2;

/// Words to be found.
pub struct Lexicon {
    pub finder: Finder,
    ignore_case: bool,
    words: Sorted,
    beginnings: Beginnings,
    sieve: Sieve,
    starts: Starts,
}

/// Words in order, each once, in one text.
struct Sorted {
    text: Box<[u8]>,
    /// Where each word ends in the text.
    ends: Box<[u32]>,
}

/// The walk of one lexicon from a place where a word may start.
#[derive(Clone, Copy)]
pub struct WordWalk {
    at: At,
    len: usize,
    best: usize,
    over: bool,
}

/// Where a walk stands.
#[derive(Clone, Copy)]
enum At {
    /// In the automaton of beginnings.
    Beginning(State),
    /// Behind it: the words from the first to before the second begin like the value.
    Words(usize, usize),
}

/// A word that ends where a walk stands.
struct Ending {
    /// Whether no longer word begins like it.
    last: bool,
}

impl WordWalk {
    /// The longest word found, once the walk is over; 0: none.
    pub fn found(&self) -> Option<usize> {
        self.over.then_some(self.best)
    }
}

impl Lexicon {
    /// Of at most [`MOST_WORDS`] words, of [`SHORTEST_WORD`] to [`LONGEST_WORD`] bytes.
    ///
    /// # Errors
    /// The automaton grows too large, which that many words do not make it.
    #[inline(never)]
    pub fn new<'a>(
        words: impl IntoIterator<Item = &'a [u8]>,
        ignore_case: bool,
        finder: Finder,
    ) -> Result<Self, BuildError> {
        let words = Sorted::new(words, ignore_case);
        let most = beginnings::most_states(words.len());
        Self::within(words, ignore_case, finder, most)
    }

    /// The same, with at most so many states.
    fn within(words: Sorted, ignore_case: bool, finder: Finder, most: usize) -> Result<Self, BuildError> {
        let beginnings = Beginnings::new(&words, most)?;
        let sieve = Sieve::new(&words, ignore_case);
        let starts = Starts::new(words.iter().filter_map(|word| word.first().copied()), ignore_case);
        Ok(Self { finder, ignore_case, words, beginnings, sieve, starts })
    }

    /// How much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.words.bytes().saturating_add(self.beginnings.bytes()).saturating_add(self.sieve.bytes())
    }

    /// The first place at or after `at` where a word stands, or may where the text goes on; `before` stands before the
    /// text.
    pub fn next(&self, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let here = |place: &usize| self.stands(text, *place, end);
        if at == 0 && self.starts.one(before, *text.first()?) && here(&0) {
            return Some(0);
        }
        let mut base = at.max(1);
        while let Some(places) = self.starts.block(text, base) {
            if let Some(found) = set_bits(places).map(|bit| base.wrapping_add(bit)).find(here) {
                return Some(found);
            }
            base = base.wrapping_add(PLACES);
        }
        let pairs = text.get(base.wrapping_sub(1)..)?.windows(2).zip(base..);
        let mut starts =
            pairs.filter(|(pair, _)| matches!(pair, [last, this] if self.starts.one(*last, *this)));
        starts.find_map(|(_, place)| here(&place).then_some(place))
    }

    /// Whether a word stands at a place where one may start, or may where the text goes on.
    #[inline(always)]
    fn stands(&self, text: &[u8], place: usize, end: bool) -> bool {
        let Some(text) = text.get(place..) else { return false };
        self.sieve.lets_through(text) && self.begins(text, end)
    }

    fn begins(&self, text: &[u8], end: bool) -> bool {
        let mut walk = self.walk();
        self.go(&mut walk, text, end);
        walk.found() != Some(0)
    }

    /// Starts a walk.
    pub fn walk(&self) -> WordWalk {
        WordWalk { at: At::Beginning(self.beginnings.start()), len: 0, best: 0, over: false }
    }

    /// Goes on over the text, which starts where the value does; `end` says that it is whole.
    pub fn go(&self, walk: &mut WordWalk, text: &[u8], end: bool) {
        while !walk.over {
            let next = text.get(walk.len).copied();
            if let Some(ending) = self.ending(walk) {
                let edge =
                    walk.len.checked_sub(1).and_then(|last| text.get(last)).copied().is_some_and(inner);
                match next {
                    None if edge && !end => return,
                    Some(next) if edge && goes_on(next) => {}
                    _ => walk.best = walk.len,
                }
                walk.over = ending.last;
                self.pass(walk);
                if walk.over {
                    return;
                }
            }
            match next {
                Some(next) => self.step(walk, fold(self.ignore_case, next)),
                None if end => walk.over = true,
                None => return,
            }
        }
    }

    /// The word that ends where a walk stands, if one does.
    #[inline(always)]
    fn ending(&self, walk: &mut WordWalk) -> Option<Ending> {
        if let At::Beginning(state) = walk.at {
            let words = self.beginnings.words(state, walk.len)?;
            if walk.len < self.beginnings.depth() {
                return Some(Ending { last: !self.words.goes_on(words.start) });
            }
            walk.at = At::Words(words.start, words.end);
        }
        let At::Words(low, high) = walk.at else { return None };
        let ends = self.words.get(low).is_some_and(|word| word.len() == walk.len);
        ends.then(|| Ending { last: low.saturating_add(1) >= high })
    }

    /// Leaves the word behind that ends here.
    fn pass(&self, walk: &mut WordWalk) {
        if let At::Words(low, _) = &mut walk.at {
            *low = low.saturating_add(1);
        }
    }

    /// Keeps the words that go on with a byte.
    #[inline(always)]
    fn step(&self, walk: &mut WordWalk, byte: u8) {
        match &mut walk.at {
            At::Beginning(state) => {
                *state = self.beginnings.step(*state, byte);
                walk.over = self.beginnings.is_dead(*state);
            }
            At::Words(low, high) => {
                let range = self.words.narrow(*low..*high, walk.len, byte);
                (*low, *high) = (range.start, range.end);
                walk.over = range.is_empty();
            }
        }
        walk.len = walk.len.saturating_add(1);
    }
}

impl Sorted {
    fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>, ignore_case: bool) -> Self {
        let (mut text, mut places) = (Vec::new(), Vec::new());
        for word in words {
            let start = text.len();
            text.extend(word.iter().map(|&byte| fold(ignore_case, byte)));
            places.push(Place { key: key(word, ignore_case), start, end: text.len() });
        }
        let word = |place: &Place| text.get(place.start..place.end).unwrap_or_default();
        places.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| word(a).cmp(word(b))));
        places.dedup_by(|a, b| word(a) == word(b));
        let (mut sorted, mut ends) = (Vec::with_capacity(text.len()), Vec::with_capacity(places.len()));
        for place in &places {
            sorted.extend_from_slice(word(place));
            ends.push(u32::try_from(sorted.len()).unwrap_or(u32::MAX));
        }
        Self { text: sorted.into(), ends: ends.into() }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn bytes(&self) -> usize {
        self.text.len().saturating_add(self.ends.len().saturating_mul(4))
    }

    #[inline(always)]
    fn get(&self, index: usize) -> Option<&[u8]> {
        let place = |index: usize| usize::try_from(self.ends.get(index).copied().unwrap_or(0)).unwrap_or(0);
        let start = index.checked_sub(1).map_or(0, place);
        self.ends.get(index)?;
        self.text.get(start..place(index))
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Whether a longer word begins like one: it would stand right behind it.
    fn goes_on(&self, index: usize) -> bool {
        let longer = self.get(index.saturating_add(1));
        longer.zip(self.get(index)).is_some_and(|(longer, word)| longer.starts_with(word))
    }

    /// Those of some words, all alike before a place, that have a byte there.
    #[inline(always)]
    fn narrow(&self, range: Range<usize>, place: usize, byte: u8) -> Range<usize> {
        let at = |index| self.get(index).and_then(|word| word.get(place)).copied();
        let last = range.end.saturating_sub(1);
        // Mostly they are alike there too.
        if at(range.start) == Some(byte) && at(last) == Some(byte) {
            return range;
        }
        let low = partition(range.start, range.end, |index| at(index) < Some(byte));
        low..partition(low, range.end, |index| at(index) <= Some(byte))
    }
}

/// A word that is to be sorted.
struct Place {
    /// Its first bytes, which mostly decide.
    key: u64,
    start: usize,
    end: usize,
}

/// The first eight bytes, as a number that is ordered as they are.
fn key(word: &[u8], ignore_case: bool) -> u64 {
    let mut key = [0; 8];
    key.iter_mut().zip(word).for_each(|(held, &byte)| *held = fold(ignore_case, byte));
    u64::from_be_bytes(key)
}

/// The first index of which something does not hold.
fn partition(low: usize, high: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle.saturating_add(1) } else { high = middle }
    }
    low
}

fn set_bits(mut bits: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = usize::try_from(bits.trailing_zeros()).ok()?;
        let some = bits != 0;
        bits &= bits.wrapping_sub(1);
        some.then_some(bit)
    })
}

fn fold(ignore_case: bool, byte: u8) -> u8 {
    if ignore_case { byte.to_ascii_lowercase() } else { byte }
}

/// A byte before which a word that ends in a letter does not end.
fn goes_on(byte: u8) -> bool {
    inner(byte) || matches!(byte, 0xc3..=0xdf)
}

#[cfg(test)]
mod tests;
