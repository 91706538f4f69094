//! Places of a text looked at by sixty-four.
//!
//! # Words
//!
//! Nearly all values start where a word does, and hold something that few words of prose do: a digit. So bytes are of
//! three kinds: *loud* ones, the digits and `@`; *quiet* ones, which part words (white space, quotes, all beyond
//! ASCII); and *mild* ones, the rest. A place is worth a look when no word goes on over it, and the first byte from
//! there on that is not mild is loud; or when none of the fourteen bytes from there on is quiet, for values without a
//! loud byte are long. (Where a plan looks for shorter ones, eight bytes count.) That is told of sixty-four places at
//! once, by arithmetic on their bits.
//!
//! Values of which neither can be said (`basic `, then a password), and those that may start within words, share eight
//! *buckets* of beginnings of four bytes; of these two are looked at, the ones that tell most.
//!
//! # Bits
//!
//! The first place has the highest bit. So a sum of two numbers carries from a byte to the ones before it: added to a
//! run of mild bytes, the bit of its last one, if a loud one comes next, clears the run.
//!
//! # Vectors
//!
//! Sets of bytes are widened to what their halves allow: one table of sixteen entries is asked for the low four bits and
//! one for the high four, and a set stays where both agree. So a vector instruction looks sixteen bytes up at once. More
//! places are told than the sets themselves would, never fewer; whoever asks looks closer at those.
mod bits;
mod kinds;
mod tables;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::bits::{AHEAD, Bits};
use self::kinds::{CLOSING, Kinds, LOUD, QUIET};
use self::tables::{Table, set, widened};
use super::grammar::{LONG, NEAR, NearSets, Set, is_loud, is_quiet, share, union};

/// Places that are looked at at once.
pub const PLACES: usize = 64;
/// Bytes that are read for sixty-four places: the one before the first, and those after the last.
const BLOCK: usize = 1 + PLACES + AHEAD;
/// Fewer places than this are told faster one by one.
pub const FEWEST: usize = 24;

/// What places are told by.
pub struct Blocks {
    kinds: Table,
    /// Which two of the first bytes the buckets are told by.
    pub nth: [usize; 2],
    /// For each of them, the buckets that each byte fits.
    buckets: [Table; 2],
    /// The buckets that fit within words, too.
    within: u8,
    /// Whether there are any buckets.
    any: bool,
    /// The kind of each byte.
    kind_of: Box<[u8; 256]>,
    /// The places of a vector from the last on.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "elsewhere it is a constant"))]
    backwards: [u8; 16],
    /// Whether long words have [`LONG`] bytes, not eight.
    long: bool,
}

/// The beginning of some values.
pub struct Beginning {
    /// One of eight.
    pub bucket: u32,
    /// Whether they may start within a word.
    pub within: bool,
    /// Their first bytes.
    pub sets: NearSets,
}

/// What was found from a place on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The first place that was looked at for the others.
    base: usize,
    /// The places that fit, as bits from there on, the first one's the highest.
    places: u64,
    /// The first place that was not looked at.
    pub to: usize,
}

impl Found {
    /// Whether no place fits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.places == 0
    }
}

impl Iterator for Found {
    type Item = usize;

    /// The next of the places that fit.
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let nth = self.places.leading_zeros();
        let bit = FIRST.checked_shr(nth)?;
        self.places ^= bit;
        usize::try_from(nth).ok().map(|nth| self.base.wrapping_add(nth))
    }
}

/// The bit of a block's first place.
const FIRST: u64 = 1 << 63;

impl Blocks {
    /// Of the bytes after which no value starts but those of some beginnings, of whether long words have [`LONG`] bytes,
    /// and of the beginnings.
    pub fn new(closing: &Set, long: bool, beginnings: &[Beginning]) -> Self {
        let mut kinds = Table::EMPTY;
        kinds.add(closing, 0..3, |a, b| a & b);
        kinds.add(&set(is_loud), 3..5, |a, b| a | b);
        kinds.add(&set(|byte| byte.is_ascii() && is_quiet(byte)), 5..8, |a, b| a & b);
        let nth = telling(beginnings);
        let mut buckets = [Table::EMPTY; 2];
        for beginning in beginnings {
            for (table, nth) in buckets.iter_mut().zip(nth) {
                table.widen(beginning.sets.get(nth).unwrap_or(&[u64::MAX; 4]), beginning.bucket);
            }
        }
        let within = beginnings.iter().filter(|beginning| beginning.within);
        let within = within.fold(0, |all, beginning| all | 1u8.wrapping_shl(beginning.bucket));
        let backwards = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
        let mut kind_of = Box::new([0; 256]);
        for (kind, byte) in kind_of.iter_mut().zip(0..=255u8) {
            *kind = kinds.of(byte) | if byte.is_ascii() { 0 } else { QUIET };
        }
        Self { kinds, nth, buckets, within, any: !beginnings.is_empty(), kind_of, long, backwards }
    }

    /// Those of some few places of a text, sixty-four at most, that fit, the first one's bit the lowest. They are told one
    /// by one, from the last on, and only where a value `may` begin after one byte with another; `before` stands before
    /// the text.
    #[inline(always)]
    pub fn few(&self, text: &[u8], places: Range<usize>, before: u8, may: impl Fn(u8, u8) -> bool) -> u64 {
        let kind = |byte: u8| self.kind_of.get(usize::from(byte)).copied().unwrap_or(0);
        let some = text.get(..places.end).unwrap_or_default();
        // What comes after them may be loud.
        let (mut loud, mut quiet) = (true, usize::MAX);
        let mut told = 0u64;
        for place in places.rev() {
            let (Some(&byte), last) = (some.get(place), place.checked_sub(1)) else { continue };
            match kind(byte) {
                kind if kind & QUIET != 0 => (loud, quiet) = (false, place),
                kind => loud |= kind & LOUD != 0,
            }
            let last = last.and_then(|last| some.get(last)).copied().unwrap_or(before);
            let fits = may(last, byte)
                && (loud || quiet.wrapping_sub(place) >= self.longest() || self.fits_bucket(text, place));
            told = told << 1 | u64::from(fits);
        }
        told
    }

    /// Bytes of a long word.
    #[inline(always)]
    fn longest(&self) -> usize {
        if self.long { LONG } else { 8 }
    }

    /// Whether a place fits a bucket, as far as the text goes.
    #[inline(always)]
    fn fits_bucket(&self, text: &[u8], place: usize) -> bool {
        let mut told = self.buckets.iter().zip(self.nth);
        let fit = |all: u8, (table, nth): (&Table, usize)| {
            let byte = text.get(place.wrapping_add(nth));
            byte.map_or(all, |&byte| all & table.of(byte))
        };
        self.any && told.try_fold(0xff, |all, one| Some(fit(all, one)).filter(|all| *all != 0)).is_some()
    }

    /// The first places from one on (not the text's first) that fit. None: the rest of the text is too short.
    #[inline(never)]
    pub fn find(&self, text: &[u8], from: usize) -> Found {
        let mut base = from;
        while let Some(block) = text.get(base.wrapping_sub(1)..).and_then(|rest| rest.first_chunk()) {
            let places = self.places(block);
            let to = base.wrapping_add(PLACES);
            if places != 0 {
                return Found { base, places, to };
            }
            base = to;
        }
        Found { base, places: 0, to: base }
    }

    /// The same of the last places of a text: what may come after it is taken for what would make them fit.
    pub fn last(&self, text: &[u8], from: usize) -> Found {
        let mut block = [b'0'; BLOCK];
        let rest = text.get(from.wrapping_sub(1)..).unwrap_or_default();
        let len = rest.len().min(BLOCK);
        if let (Some(place), Some(rest)) = (block.get_mut(..len), rest.get(..len)) {
            place.copy_from_slice(rest);
        }
        let found = self.find(&block, 1);
        let count = len.saturating_sub(1).min(PLACES);
        // Beginnings that are not whole may go on as a bucket's do.
        let whole = rest.len().saturating_sub(NEAR).min(PLACES);
        let cut = if self.any { !first(whole) } else { 0 };
        Found { base: from, places: (found.places | cut) & first(count), to: from.wrapping_add(count) }
    }

    /// The places of a block that fit.
    #[inline]
    fn places(&self, block: &[u8; BLOCK]) -> u64 {
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return self.told(block, &self.kinds_simd128(block));
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("ssse3") {
            // SAFETY: the processor has what the function needs.
            return self.told(block, &unsafe { self.kinds_ssse3(block) });
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        self.told(block, &self.kinds_plain(block))
    }

    /// What the kinds of a block's bytes say of its places.
    #[inline(always)]
    fn told(&self, block: &[u8; BLOCK], kinds: &Kinds) -> u64 {
        let before = block.first().is_some_and(|&byte| self.kinds.of(byte) & CLOSING != 0);
        let closed = kinds.closing >> 1 | if before { FIRST } else { 0 };
        let one = kinds.quiet.nor(Bits::default());
        let mild = kinds.quiet.nor(kinds.loud);
        let two = one.and(one.on::<1>());
        let four = two.and(two.on::<2>());
        let eight = four.and(four.on::<4>());
        let words = if self.long { eight.and(eight.on::<{ LONG as u32 - 8 }>()) } else { eight };
        let worth = kinds.loud.places | mild.runs_before(kinds.loud) | words.places | kinds.buckets;
        worth & !closed | kinds.buckets_within
    }
}

/// The two of the first bytes by which prose fits some beginnings least often.
fn telling(beginnings: &[Beginning]) -> [usize; 2] {
    let mut unions: Vec<(u32, NearSets)> = Vec::new();
    for Beginning { bucket, sets, .. } in beginnings {
        match unions.iter_mut().find(|(known, _)| known == bucket) {
            Some((_, all)) => *all = union(all, sets),
            None => unions.push((*bucket, *sets)),
        }
    }
    let shares: Vec<_> = unions.iter().map(|(_, sets)| sets.map(|set| share(&widened(&set)))).collect();
    let of = |of: &[f64; NEAR], nth: usize| of.get(nth).copied().unwrap_or(1.0);
    let chance =
        |[one, other]: &[usize; 2]| shares.iter().map(|all| of(all, *one) * of(all, *other)).sum::<f64>();
    let pairs = (0..NEAR).flat_map(|second| (0..second).map(move |first| [first, second]));
    pairs.min_by(|a, b| chance(a).total_cmp(&chance(b))).unwrap_or([0, 1])
}

/// The bits of so many places.
fn first(count: usize) -> u64 {
    let left = u32::try_from(PLACES.saturating_sub(count)).unwrap_or(u64::BITS);
    u64::MAX.checked_shl(left).unwrap_or(0)
}
