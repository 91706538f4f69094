//! Places of a text looked at by sixty-four.
//!
//! # Words
//!
//! Nearly all values start where a word does, and hold something that few words of prose do: a digit, a capital, a hyphen
//! after four letters. So bytes are of three kinds: small letters; *quiet* ones, which part words in prose (white space,
//! commas, quotes, all beyond ASCII); and *loud* ones, the rest. A place is worth a look when no word goes on over it,
//! and the first byte from there on that is no small letter is loud, and one of the next sixteen. That is told of
//! sixty-four places at once, by arithmetic on their bits.
//!
//! Values that may consist of small letters alone start long words: places are told where eight or sixteen bytes in a
//! row are not quiet. And those of which neither can be said (`basic `, then a password) share eight *buckets* of
//! beginnings of four bytes.
//!
//! # Vectors
//!
//! Sets of bytes are widened to what their halves allow: one table of sixteen entries is asked for the low four bits and
//! one for the high four, and a set stays where both agree. So a vector instruction looks sixteen bytes up at once. More
//! places are told than the sets themselves would, never fewer; whoever asks looks closer at those.
use super::grammar::{NEAR, Set, is_quiet};

/// Places that are looked at at once.
pub const PLACES: usize = 64;
/// Bytes that one vector holds.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
const LANES: usize = 16;
/// Bytes after a place in which a word shows that it is worth a look.
const AHEAD: usize = 16;
/// Vectors of a block.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
const VECTORS: usize = (PLACES + AHEAD) / LANES;
/// Bytes that are read for sixty-four places: the one before the first, and those after the last.
const BLOCK: usize = 1 + PLACES + AHEAD;
/// Fewer places than this are told faster one by one.
pub const FEWEST: usize = 24;

/// Bits of the table of kinds: bytes that close, those that values begin with which may start within a word, quiet ones.
const CLOSING: u8 = 0b0111;
const WITHIN: u8 = 0b1000;

/// What places are told by.
pub struct Blocks {
    kinds: Table,
    /// For each of the first bytes, the buckets that each byte fits.
    buckets: [Table; NEAR],
    /// The buckets that fit within words, too.
    within: u8,
    /// Whether there are any buckets.
    any: bool,
    /// Whether long words have sixteen bytes, not eight.
    long: bool,
}

/// For each half of a byte, sets of bytes as bits.
struct Table {
    low: [u8; 16],
    high: [u8; 16],
}

/// What was found from a place on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The first place that was looked at for the others.
    pub base: usize,
    /// The places that fit, as bits from there on.
    pub places: u64,
    /// The first place that was not looked at.
    pub to: usize,
}

/// The kinds of a block's bytes.
#[derive(Default, Clone, Copy)]
struct Kinds {
    small: Bits,
    quiet: Bits,
    closing: u64,
    within: u64,
    /// The places that fit a bucket, and those that fit one of values that may start within a word.
    buckets: u64,
    buckets_within: u64,
}

/// A bit for each place of a block, and for each byte ahead.
#[derive(Default, Clone, Copy)]
struct Bits {
    places: u64,
    ahead: u64,
}

impl Bits {
    /// So many bytes further on.
    #[inline(always)]
    fn on<const BY: u32>(self) -> Self {
        Self {
            places: self.places >> BY | self.ahead.wrapping_shl(u64::BITS.wrapping_sub(BY)),
            ahead: self.ahead >> BY,
        }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self { places: self.places & other.places, ahead: self.ahead & other.ahead }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self { places: self.places | other.places, ahead: self.ahead | other.ahead }
    }

    #[inline(always)]
    fn not(self) -> Self {
        Self { places: !self.places, ahead: !self.ahead }
    }
}

/// Sixteen bits of each.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
struct Lanes {
    small: u16,
    quiet: u16,
    closing: u16,
    within: u16,
    buckets: u16,
    buckets_within: u16,
}

impl Table {
    const EMPTY: Self = Self { low: [0; 16], high: [0; 16] };

    /// Adds a set under some bits: no more bytes than it holds are told apart where there are too few of them, but
    /// others that share halves with them are `joined`.
    fn add(&mut self, set: &Set, bits: std::ops::Range<u32>, joined: fn(u16, u16) -> u16) {
        let most = bits.len();
        for (bit, rectangle) in bits.zip(rectangles(set, most, joined)) {
            let bit = 1u8.wrapping_shl(bit);
            let Rectangle { low, high } = rectangle;
            for (halves, table) in [(low, &mut self.low), (high, &mut self.high)] {
                let held =
                    table.iter_mut().zip(0u32..).filter(|(_, half)| halves.wrapping_shr(*half) & 1 == 1);
                held.for_each(|(entry, _)| *entry |= bit);
            }
        }
    }

    fn of(&self, byte: u8) -> u8 {
        let half = |table: &[u8; 16], at: u8| table.get(usize::from(at)).copied().unwrap_or(0);
        half(&self.low, byte & 15) & half(&self.high, byte >> 4)
    }
}

/// Bytes that share their low halves: those of which both halves are in the sets.
#[derive(Clone, Copy)]
struct Rectangle {
    low: u16,
    high: u16,
}

/// At most so many rectangles that make up a set; where it has more, what is `joined` of some.
fn rectangles(set: &Set, most: usize, joined: fn(u16, u16) -> u16) -> Vec<Rectangle> {
    let holds = |byte: u32| set_holds(set, u8::try_from(byte).unwrap_or(0));
    let mut all: Vec<Rectangle> = Vec::new();
    for high in 0..16u32 {
        let low =
            (0..16).filter(|low| holds(high << 4 | low)).fold(0, |lows, low| lows | 1u16.wrapping_shl(low));
        let bit = 1u16.wrapping_shl(high);
        match all.iter_mut().find(|known| known.low == low) {
            _ if low == 0 => {}
            Some(known) => known.high |= bit,
            None => all.push(Rectangle { low, high: bit }),
        }
    }
    while all.len() > most {
        let Some(last) = all.pop() else { break };
        if let Some(other) = all.last_mut() {
            *other = Rectangle { low: joined(other.low, last.low), high: other.high | last.high };
        }
    }
    all
}

fn set_holds(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}

impl Blocks {
    /// Of the bytes after which no value starts but those of `first`, and of whether long words have sixteen bytes.
    pub fn new(closing: &Set, first: &Set, long: bool) -> Self {
        let mut kinds = Table::EMPTY;
        let mut quiet = [0; 4];
        for byte in (0..=255u8).filter(|&byte| is_quiet(byte)) {
            if let Some(word) = quiet.get_mut(usize::from(byte >> 6)) {
                *word |= 1u64.wrapping_shl(u32::from(byte & 63));
            }
        }
        kinds.add(closing, 0..3, |a, b| a & b);
        kinds.add(first, 3..4, |a, b| a | b);
        kinds.add(&quiet, 4..8, |a, b| a & b);
        Self { kinds, buckets: [Table::EMPTY; NEAR], within: 0, any: false, long }
    }

    /// Adds a beginning to a bucket.
    pub fn add(&mut self, bucket: u32, within: bool, sets: &[Set; NEAR]) {
        self.any = true;
        self.within |= u8::from(within).wrapping_shl(bucket);
        for (table, set) in self.buckets.iter_mut().zip(sets) {
            // One bit for all of it, so its rectangles are one.
            for rectangle in rectangles(set, usize::MAX, |a, b| a | b) {
                let bit = 1u8.wrapping_shl(bucket);
                let Rectangle { low, high } = rectangle;
                for (halves, table) in [(low, &mut table.low), (high, &mut table.high)] {
                    let held =
                        table.iter_mut().zip(0u32..).filter(|(_, half)| halves.wrapping_shr(*half) & 1 == 1);
                    held.for_each(|(entry, _)| *entry |= bit);
                }
            }
        }
    }

    /// The first places from one on (not the text's first) that fit. None: the rest of the text is too short.
    #[inline]
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
        let places = self.places(&block);
        let count = len.saturating_sub(1).min(PLACES);
        let mask =
            u64::MAX.checked_shr(u32::try_from(PLACES.saturating_sub(count)).unwrap_or(0)).unwrap_or(0);
        // Beginnings that are not whole may go on as a bucket's do.
        let whole = rest.len().saturating_sub(NEAR).min(PLACES);
        let cut =
            !u64::MAX.checked_shr(u32::try_from(PLACES.saturating_sub(whole)).unwrap_or(0)).unwrap_or(0);
        let cut = if self.any { cut } else { 0 };
        Found { base: from, places: (places | cut) & mask, to: from.wrapping_add(count) }
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
        let open = !(kinds.closing << 1 | u64::from(before));
        let spoken = kinds.quiet.not();
        // Small letters, then a loud byte: after one, two, four and eight letters more.
        let (mut speaks, mut small) = (spoken.and(kinds.small.not()), kinds.small);
        speaks = speaks.or(small.and(speaks.on::<1>()));
        small = small.and(small.on::<1>());
        speaks = speaks.or(small.and(speaks.on::<2>()));
        small = small.and(small.on::<2>());
        speaks = speaks.or(small.and(speaks.on::<4>()));
        small = small.and(small.on::<4>());
        speaks = speaks.or(small.and(speaks.on::<8>()));
        let two = spoken.and(spoken.on::<1>());
        let four = two.and(two.on::<2>());
        let eight = four.and(four.on::<4>());
        let words = open & if self.long { eight.and(eight.on::<8>()).places } else { eight.places };
        let told = (open | kinds.within) & speaks.places | open & kinds.buckets | kinds.buckets_within;
        told | words
    }

    #[cfg_attr(
        all(target_arch = "wasm32", target_feature = "simd128"),
        expect(dead_code, reason = "its twin")
    )]
    fn kinds_plain(&self, block: &[u8; BLOCK]) -> Kinds {
        let bytes = || block.iter().skip(1).zip(0u32..);
        let of = |is: &dyn Fn(u8) -> bool| {
            let bits = bytes()
                .filter(|(byte, _)| is(**byte))
                .fold(0u128, |all, (_, at)| all | 1u128.wrapping_shl(at));
            Bits { places: low(bits), ahead: low(bits >> PLACES) }
        };
        let fitting = |at: usize| {
            let first = block.iter().skip(at.wrapping_add(1)).zip(&self.buckets);
            if self.any { first.fold(0xff, |all, (byte, table)| all & table.of(*byte)) } else { 0 }
        };
        let places = |mask: u8| {
            let places = (0..PLACES).zip(0u32..).filter(|(place, _)| fitting(*place) & mask != 0);
            places.fold(0u64, |all, (_, at)| all | 1u64.wrapping_shl(at))
        };
        Kinds {
            small: of(&|byte| byte.is_ascii_lowercase()),
            quiet: of(&|byte| self.kinds.of(byte) > WITHIN | CLOSING),
            closing: of(&|byte| self.kinds.of(byte) & CLOSING != 0).places,
            within: of(&|byte| self.kinds.of(byte) & WITHIN != 0).places,
            buckets: places(0xff),
            buckets_within: places(self.within),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "ssse3")]
    fn kinds_ssse3(&self, block: &[u8; BLOCK]) -> Kinds {
        use std::arch::x86_64::*;
        let half = _mm_set1_epi8(15);
        let zero = _mm_setzero_si128();
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
        };
        let table = |table: &Table| (load(&table.low), load(&table.high));
        let look_up = |bytes, (low, high)| {
            let (lower, upper) =
                (_mm_and_si128(bytes, half), _mm_and_si128(_mm_srli_epi16::<4>(bytes), half));
            _mm_and_si128(_mm_shuffle_epi8(low, lower), _mm_shuffle_epi8(high, upper))
        };
        let bits = |bytes| u16::try_from(_mm_movemask_epi8(bytes) & 0xffff).unwrap_or(0);
        let some = |bytes| !bits(_mm_cmpeq_epi8(bytes, zero));
        let splat = |byte: u8| _mm_set1_epi8(byte.cast_signed());
        let kinds = table(&self.kinds);
        let buckets = self.buckets.each_ref().map(table);
        let within = splat(self.within);
        gather(|at| {
            let part = |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(load);
            let bytes = part(at).unwrap_or(zero);
            let kind = look_up(bytes, kinds);
            let small = _mm_add_epi8(bytes, splat(0x80 - b'a'));
            let fits = if self.any && at <= PLACES {
                let first =
                    buckets.iter().zip(at..).filter_map(|(table, at)| Some(look_up(part(at)?, *table)));
                first.fold(splat(0xff), |all, fits| _mm_and_si128(all, fits))
            } else {
                zero
            };
            Lanes {
                small: bits(_mm_cmplt_epi8(small, splat(0x80 + 26))),
                quiet: some(_mm_andnot_si128(half, kind)),
                closing: some(_mm_and_si128(kind, splat(CLOSING))),
                within: some(_mm_and_si128(kind, splat(WITHIN))),
                buckets: some(fits),
                buckets_within: some(_mm_and_si128(fits, within)),
            }
        })
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline(always)]
    fn kinds_simd128(&self, block: &[u8; BLOCK]) -> Kinds {
        use std::arch::wasm32::*;
        let half = u8x16_splat(15);
        let zero = u8x16_splat(0);
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { v128_load(bytes.as_ptr().cast()) }
        };
        let table = |table: &Table| (load(&table.low), load(&table.high));
        let look_up = |bytes, (low, high)| {
            v128_and(u8x16_swizzle(low, v128_and(bytes, half)), u8x16_swizzle(high, u8x16_shr(bytes, 4)))
        };
        let some = |bytes| u8x16_bitmask(u8x16_ne(bytes, zero));
        let kinds = table(&self.kinds);
        let buckets = self.buckets.each_ref().map(table);
        let within = u8x16_splat(self.within);
        gather(|at| {
            let part = |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(load);
            let bytes = part(at).unwrap_or(zero);
            let kind = look_up(bytes, kinds);
            let fits = if self.any && at <= PLACES {
                let first =
                    buckets.iter().zip(at..).filter_map(|(table, at)| Some(look_up(part(at)?, *table)));
                first.fold(u8x16_splat(0xff), |all, fits| v128_and(all, fits))
            } else {
                zero
            };
            let any = v128_any_true(fits);
            Lanes {
                small: u8x16_bitmask(u8x16_lt(u8x16_sub(bytes, u8x16_splat(b'a')), u8x16_splat(26))),
                quiet: u8x16_bitmask(u8x16_gt(kind, half)),
                closing: some(v128_and(kind, u8x16_splat(CLOSING))),
                within: some(v128_and(kind, u8x16_splat(WITHIN))),
                buckets: if any { some(fits) } else { 0 },
                buckets_within: if any { some(v128_and(fits, within)) } else { 0 },
            }
        })
    }
}

/// Puts the bits of a block's vectors together; each is asked for by the place of its first byte in the block.
#[inline(always)]
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
fn gather(lanes: impl Fn(usize) -> Lanes) -> Kinds {
    // One after the other, so that each is compiled for its place.
    let all: [Lanes; VECTORS] =
        [lanes(1), lanes(1 + LANES), lanes(1 + 2 * LANES), lanes(1 + 3 * LANES), lanes(1 + PLACES)];
    let joined = |of: fn(&Lanes) -> u16| {
        let [a, b, c, d, ahead] = all.each_ref().map(|lanes| u64::from(of(lanes)));
        Bits { places: a | b << 16 | c << 32 | d << 48, ahead }
    };
    Kinds {
        small: joined(|lanes| lanes.small),
        quiet: joined(|lanes| lanes.quiet),
        closing: joined(|lanes| lanes.closing).places,
        within: joined(|lanes| lanes.within).places,
        buckets: joined(|lanes| lanes.buckets).places,
        buckets_within: joined(|lanes| lanes.buckets_within).places,
    }
}

fn low(bits: u128) -> u64 {
    u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn set(bytes: impl Iterator<Item = u8>) -> Set {
        let mut set = [0u64; 4];
        bytes.for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
        set
    }

    /// After letters and digits no value starts but one that begins with a hyphen, or with `x` and a digit.
    fn blocks(long: bool) -> Blocks {
        let words = set((0..=255u8).filter(u8::is_ascii_alphanumeric));
        let mut blocks = Blocks::new(&words, &set([b'-'].into_iter()), long);
        let digits = || set(b'0'..=b'9');
        blocks.add(2, false, &[set(b"ab".iter().copied()), digits(), set([b' '].into_iter()), digits()]);
        blocks.add(5, true, &[set([b'x'].into_iter()), digits(), digits(), set([b','].into_iter())]);
        blocks
    }

    /// What the module's head says, one place after the other.
    fn is_told(text: &[u8], place: usize, long: bool) -> bool {
        let closed = text[place - 1].is_ascii_alphanumeric();
        let rest = &text[place..];
        let letters = rest.iter().take(AHEAD).take_while(|byte| byte.is_ascii_lowercase()).count();
        let speaks = rest.get(letters).is_some_and(|byte| letters < AHEAD && !is_quiet(*byte));
        let run = if long { AHEAD } else { AHEAD / 2 };
        let word = rest.len() >= run && !rest[..run].iter().any(|byte| is_quiet(*byte));
        let digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
        let bucket = matches!(rest, [b'a' | b'b', _, b' ', ..]) && digit(1) && digit(3);
        let within = matches!(rest, [b'x', _, _, b',', ..]) && digit(1) && digit(2);
        (!closed || rest[0] == b'-') && speaks || !closed && (word || bucket) || within
    }

    fn told(blocks: &Blocks, text: &[u8]) -> Vec<usize> {
        let (mut all, mut at) = (Vec::new(), 1);
        while at < text.len() {
            let mut found = blocks.find(text, at);
            if found.places == 0 && found.to < text.len() {
                found = blocks.last(text, found.to);
            }
            all.extend((0..PLACES).filter(|bit| found.places >> bit & 1 == 1).map(|bit| found.base + bit));
            assert!(found.to > at);
            at = found.to;
        }
        all
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let word = select(vec![
            "the",
            "a1 2",
            "x12,",
            "-",
            "well-known",
            " ",
            ", ",
            "é",
            "AKIA",
            "0",
            "somethingquitelong",
            ".",
        ]);
        proptest::collection::vec(word, 1..80).prop_map(|words| words.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn no_place_is_missed_and_within_a_text_no_other_is_told(text in text(), long: bool) {
            let told = told(&blocks(long), &text);
            for place in 1..text.len() {
                let seen = told.contains(&place);
                let expected = is_told(&text, place, long);
                prop_assert!(seen || !expected, "{place} of {}", text.escape_ascii());
                // What comes after the text may be anything.
                let sure = place + AHEAD < text.len();
                prop_assert!(expected || !seen || !sure, "{place} of {}", text.escape_ascii());
            }
        }

        #[test]
        fn vectors_see_what_single_bytes_show(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7b], BLOCK),
            closing in any::<[u64; 4]>(), first in any::<[u64; 4]>(), sets in any::<[[u64; 4]; NEAR]>(), long: bool,
        ) {
            let mut blocks = Blocks::new(&closing, &first, long);
            blocks.add(1, true, &sets);
            blocks.add(4, false, &sets.map(|set| set.map(|word| !word)));
            let block: &[u8; BLOCK] = bytes.first_chunk().unwrap();
            prop_assert_eq!(blocks.places(block), blocks.told(block, &blocks.kinds_plain(block)));
        }
    }
}
