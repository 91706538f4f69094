//! Words of a policy set's own: code names, customers, products.
//!
//! The words lie sorted in one text; a walk narrows the range of those that begin like the value, byte by byte. So the
//! memory is the words' own and four bytes each, nothing is built beyond sorting, and a walk knows at each byte
//! whether any longer word is left. A set of their beginnings sorts out most places of a text that begin none.
//!
//! A word is found whole: where its edge is an ASCII letter, a digit or `_`, no such byte may stand beyond it, nor after
//! it the first byte of a letter of Latin, Greek, Cyrillic, Hebrew or Arabic script (`Jos` is not found in `José`).
use super::tables::Finder;

/// Most words of one set.
pub const MOST_WORDS: usize = 100_000;
/// Bytes of a word.
pub const LONGEST_WORD: usize = 256;
pub const SHORTEST_WORD: usize = 2;
/// Bytes of a word that its beginning is told by.
const BEGINNING: usize = 4;

/// A byte that is glued to its like.
const INNER: u8 = 1;
/// A byte that some word begins with.
const FIRST: u8 = 2;

/// Words to be found.
pub struct Lexicon {
    pub finder: Finder,
    ignore_case: bool,
    text: Box<[u8]>,
    /// Where each word ends in the text.
    ends: Box<[u32]>,
    /// What each byte may be: [`INNER`], [`FIRST`].
    bytes: Box<[u8; 256]>,
    /// A set of the beginnings' hashes, as bits; a power of two of words.
    beginnings: Box<[u64]>,
    /// Whether some words have two and three bytes.
    short: [bool; 2],
}

/// The walk of one lexicon from a place where a word may start.
#[derive(Clone, Copy)]
pub struct WordWalk {
    /// The words that begin like the value.
    low: usize,
    high: usize,
    len: usize,
    best: usize,
    over: bool,
}

impl WordWalk {
    /// The longest word found, once the walk is over; 0: none.
    pub fn found(&self) -> Option<usize> {
        self.over.then_some(self.best)
    }
}

impl Lexicon {
    /// Of at most [`MOST_WORDS`] words, none longer than [`LONGEST_WORD`].
    pub fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>, ignore_case: bool, finder: Finder) -> Self {
        let folded = |word: &[u8]| word.iter().map(|&byte| fold(ignore_case, byte)).collect::<Vec<u8>>();
        let mut words: Vec<Vec<u8>> = words.into_iter().map(folded).collect();
        words.sort_unstable();
        words.dedup();
        let slots = words.len().saturating_mul(16).next_power_of_two().max(64);
        let mut all = Self {
            finder,
            ignore_case,
            text: words.concat().into(),
            ends: Box::default(),
            bytes: Box::new(std::array::from_fn(|byte| {
                u8::try_from(byte).map_or(0, |byte| if inner(byte) { INNER } else { 0 })
            })),
            beginnings: vec![0; slots / 64].into(),
            short: [false; 2],
        };
        let (mut ends, mut end) = (Vec::with_capacity(words.len()), 0usize);
        for word in &words {
            end = end.saturating_add(word.len());
            ends.push(u32::try_from(end).unwrap_or(u32::MAX));
            all.add(word);
        }
        all.ends = ends.into();
        all
    }

    fn add(&mut self, word: &[u8]) {
        for byte in 0..=255u8 {
            if word.first() == Some(&fold(self.ignore_case, byte))
                && let Some(may) = self.bytes.get_mut(usize::from(byte))
            {
                *may |= FIRST;
            }
        }
        if let Some(short) = word.len().checked_sub(SHORTEST_WORD).and_then(|at| self.short.get_mut(at)) {
            *short = true;
        }
        let beginning = word.get(..BEGINNING).unwrap_or(word);
        let (at, bit) = self.slot(hash(beginning.iter().copied()));
        if let Some(slot) = self.beginnings.get_mut(at) {
            *slot |= bit;
        }
    }

    /// How much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let ends = self.ends.len().saturating_mul(4);
        self.text.len().saturating_add(ends).saturating_add(self.beginnings.len().saturating_mul(8))
    }

    /// The first place at or after `at` where a word may start; `before` stands before the text.
    pub fn next(&self, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let may = |byte: u8| self.bytes.get(usize::from(byte)).copied().unwrap_or(0);
        let mut last = may(at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before));
        for (place, &byte) in (at..).zip(text.get(at..)?) {
            let this = may(byte);
            let glued = last & this & INNER != 0;
            last = this;
            if this & FIRST != 0 && !glued && self.may_begin(text.get(place..)?, end) {
                return Some(place);
            }
        }
        None
    }

    fn may_begin(&self, text: &[u8], end: bool) -> bool {
        let known = |len: usize| {
            let bytes = text.get(..len).map(|bytes| bytes.iter().map(|&byte| fold(self.ignore_case, byte)));
            bytes.is_some_and(|bytes| {
                let (at, bit) = self.slot(hash(bytes));
                self.beginnings.get(at).is_some_and(|slot| slot & bit != 0)
            })
        };
        let [two, three] = self.short;
        known(BEGINNING) || two && known(2) || three && known(3) || !end && text.len() < BEGINNING
    }

    fn slot(&self, hash: u32) -> (usize, u64) {
        let slot =
            usize::try_from(hash).unwrap_or(0) & self.beginnings.len().saturating_mul(64).saturating_sub(1);
        (slot / 64, 1u64.wrapping_shl(u32::try_from(slot & 63).unwrap_or(0)))
    }

    /// Starts a walk.
    pub fn walk(&self) -> WordWalk {
        WordWalk { low: 0, high: self.ends.len(), len: 0, best: 0, over: false }
    }

    /// Goes on over the text, which starts where the value does; `end` says that it is whole.
    pub fn go(&self, walk: &mut WordWalk, text: &[u8], end: bool) {
        while !walk.over {
            let next = text.get(walk.len).copied();
            let word = self.word(walk.low).filter(|word| walk.len > 0 && word.len() == walk.len);
            if let Some(word) = word {
                let edge = word.last().copied().is_some_and(inner);
                match next {
                    None if edge && !end => return,
                    Some(next) if edge && goes_on(next) => {}
                    _ => walk.best = walk.len,
                }
                walk.low = walk.low.saturating_add(1);
                walk.over = walk.low >= walk.high;
                continue;
            }
            match next {
                Some(next) => self.narrow(walk, fold(self.ignore_case, next)),
                None if end => walk.over = true,
                None => return,
            }
        }
    }

    /// Keeps the words that go on with a byte.
    fn narrow(&self, walk: &mut WordWalk, byte: u8) {
        let at = |index| self.word(index).and_then(|word| word.get(walk.len)).copied().unwrap_or(0);
        let low = partition(walk.low, walk.high, |index| at(index) < byte);
        walk.high = partition(low, walk.high, |index| at(index) <= byte);
        walk.low = low;
        walk.len = walk.len.saturating_add(1);
        walk.over = walk.low >= walk.high;
    }

    fn word(&self, index: usize) -> Option<&[u8]> {
        let place = |index: usize| usize::try_from(self.ends.get(index).copied().unwrap_or(0)).unwrap_or(0);
        let start = index.checked_sub(1).map_or(0, place);
        self.ends.get(index)?;
        self.text.get(start..place(index))
    }
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

fn fold(ignore_case: bool, byte: u8) -> u8 {
    if ignore_case { byte.to_ascii_lowercase() } else { byte }
}

/// A byte that is glued to its like.
fn inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A byte before which a word that ends in a letter does not end.
fn goes_on(byte: u8) -> bool {
    inner(byte) || matches!(byte, 0xc3..=0xdf)
}

/// FNV-1a, folded so that the low bits tell.
fn hash(bytes: impl Iterator<Item = u8>) -> u32 {
    let hash = bytes.fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash ^ hash.wrapping_shr(15)
}
