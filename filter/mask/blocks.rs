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
use std::ops::Range;

use super::grammar::{LONG, NEAR, NearSets, Set, is_loud, is_quiet, share, union};

/// Places that are looked at at once.
pub const PLACES: usize = 64;
/// Bytes that one vector holds.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
const LANES: usize = 16;
/// Bytes after a place in which a word shows that it is worth a look.
const AHEAD: usize = 16;
/// The bits of as many bytes.
const OF_AHEAD: u64 = (1 << AHEAD) - 1;
/// Bytes that are read for sixty-four places: the one before the first, and those after the last.
const BLOCK: usize = 1 + PLACES + AHEAD;
/// Fewer places than this are told faster one by one.
pub const FEWEST: usize = 24;

/// Bits of the table of kinds: bytes after which hardly any value starts, loud ones, and quiet ones of ASCII.
const CLOSING: u8 = 0b0000_0111;
const LOUD: u8 = 0b0001_1000;
const QUIET: u8 = 0b1110_0000;
/// What moves the bits of a kind to the upper end, so that the lowest of them is where that of the quiet ones is, or one
/// higher.
const CLOSING_UP: u32 = 5;
const LOUD_UP: u32 = 3;
/// What makes the highest bit of a byte say whether one of its upper three, or two, is set, added to it up to 255.
const UPPER_THREE: u8 = 0x80 - 0b0010_0000;
const UPPER_TWO: u8 = 0x80 - 0b0100_0000;

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

/// For each half of a byte, sets of bytes as bits.
struct Table {
    low: [u8; 16],
    high: [u8; 16],
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

/// The kinds of a block's bytes.
#[derive(Default, Clone, Copy)]
struct Kinds {
    loud: Bits,
    quiet: Bits,
    closing: u64,
    /// The places that fit a bucket, and those that fit one of values that may start within a word.
    buckets: u64,
    buckets_within: u64,
}

/// A bit for each place of a block, and for each byte ahead.
#[derive(Default, Clone, Copy)]
struct Bits {
    places: u64,
    /// The lowest sixteen.
    ahead: u64,
}

impl Bits {
    /// Those so many bytes further on.
    #[inline(always)]
    fn on<const BY: u32>(self) -> Self {
        const { assert!(BY < AHEAD as u32) };
        let last = self.ahead.wrapping_shr((AHEAD as u32).wrapping_sub(BY));
        Self { places: self.places << BY | last, ahead: self.ahead << BY & OF_AHEAD }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self { places: self.places & other.places, ahead: self.ahead & other.ahead }
    }

    /// Neither the one nor the other.
    #[inline(always)]
    fn nor(self, other: Self) -> Self {
        Self { places: !(self.places | other.places), ahead: !(self.ahead | other.ahead) & OF_AHEAD }
    }

    /// The places in runs that end right before one of the others.
    #[inline(always)]
    fn runs_before(self, other: Self) -> u64 {
        let last = other.on::<1>().and(self);
        let ahead = self.ahead.wrapping_add(last.ahead).wrapping_shr(AHEAD as u32);
        self.places & !self.places.wrapping_add(last.places).wrapping_add(ahead)
    }
}

/// Sixteen bits of each.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Default, Clone, Copy)]
struct Lanes {
    loud: u16,
    quiet: u16,
    closing: u16,
    buckets: u16,
    buckets_within: u16,
}

impl Table {
    const EMPTY: Self = Self { low: [0; 16], high: [0; 16] };

    /// Adds a set under some bits: no more bytes than it holds are told apart where there are too few of them, but
    /// others that share halves with them are `joined`.
    fn add(&mut self, set: &Set, bits: std::ops::Range<u32>, joined: fn(u16, u16) -> u16) {
        let most = bits.len();
        bits.zip(rectangles(set, most, joined)).for_each(|(bit, rectangle)| self.put(bit, rectangle));
    }

    /// Adds a set under one bit, with the bytes that share halves with its own.
    fn widen(&mut self, set: &Set, bit: u32) {
        rectangles(set, usize::MAX, |a, b| a | b).into_iter().for_each(|rectangle| self.put(bit, rectangle));
    }

    fn put(&mut self, bit: u32, Rectangle { low, high }: Rectangle) {
        let bit = 1u8.wrapping_shl(bit);
        for (halves, table) in [(low, &mut self.low), (high, &mut self.high)] {
            let held = table.iter_mut().zip(0u32..).filter(|(_, half)| halves.wrapping_shr(*half) & 1 == 1);
            held.for_each(|(entry, _)| *entry |= bit);
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
        // Beginnings that are not whole may go on as a bucket's do.
        let whole = rest.len().saturating_sub(NEAR).min(PLACES);
        let cut = if self.any { !first(whole) } else { 0 };
        Found { base: from, places: (places | cut) & first(count), to: from.wrapping_add(count) }
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

    #[cfg_attr(
        all(target_arch = "wasm32", target_feature = "simd128"),
        expect(dead_code, reason = "its twin")
    )]
    fn kinds_plain(&self, block: &[u8; BLOCK]) -> Kinds {
        let of = |is: &dyn Fn(u8) -> bool| {
            let bits = block.iter().skip(1).fold(0u128, |all, byte| all << 1 | u128::from(is(*byte)));
            Bits { places: low(bits >> AHEAD), ahead: low(bits) & OF_AHEAD }
        };
        let fitting = |at: usize| {
            let mut told = self.buckets.iter().zip(self.nth);
            let fit = |all: u8, (table, nth): (&Table, usize)| {
                let byte = block.get(at.wrapping_add(1).wrapping_add(nth)).copied().unwrap_or(0);
                all & table.of(byte)
            };
            if self.any { told.try_fold(0xff, |all, one| Some(fit(all, one))).unwrap_or(0) } else { 0 }
        };
        let places =
            |mask: u8| (0..PLACES).fold(0u64, |all, place| all << 1 | u64::from(fitting(place) & mask != 0));
        Kinds {
            loud: of(&|byte| self.kinds.of(byte) & LOUD != 0),
            quiet: of(&|byte| !byte.is_ascii() || self.kinds.of(byte) & QUIET != 0),
            closing: of(&|byte| self.kinds.of(byte) & CLOSING != 0).places,
            buckets: places(0xff),
            buckets_within: places(self.within),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "ssse3")]
    fn kinds_ssse3(&self, block: &[u8; BLOCK]) -> Kinds {
        use std::arch::x86_64::*;
        let half = _mm_set1_epi8(15);
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
        };
        let splat = |byte: u8| _mm_set1_epi8(byte.cast_signed());
        let backwards = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let part = |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(load).unwrap_or(half);
        let table = |table: &Table| (load(&table.low), load(&table.high));
        let look_up = |bytes, (low, high)| {
            let (lower, upper) =
                (_mm_and_si128(bytes, half), _mm_and_si128(_mm_srli_epi16::<4>(bytes), half));
            _mm_and_si128(_mm_shuffle_epi8(low, lower), _mm_shuffle_epi8(high, upper))
        };
        let bits = |bytes| u16::try_from(_mm_movemask_epi8(bytes) & 0xffff).unwrap_or(0);
        let kinds = table(&self.kinds);
        let [first, second] = self.buckets.each_ref().map(table);
        let [one, other] = self.nth.map(|nth| nth & (NEAR - 1));
        let within = splat(self.within);
        gather(|at| {
            let bytes = _mm_shuffle_epi8(part(at), backwards);
            let kind = look_up(bytes, kinds);
            let quiet = _mm_or_si128(bytes, _mm_adds_epu8(kind, splat(UPPER_THREE)));
            let loud = _mm_adds_epu8(_mm_slli_epi16::<{ LOUD_UP as i32 }>(kind), splat(UPPER_TWO));
            let told = Lanes { loud: bits(loud), quiet: bits(quiet), ..Lanes::default() };
            if at > PLACES {
                return told;
            }
            let closing = _mm_adds_epu8(_mm_slli_epi16::<{ CLOSING_UP as i32 }>(kind), splat(UPPER_THREE));
            let told = Lanes { closing: bits(closing), ..told };
            if !self.any {
                return told;
            }
            let fits = |nth: usize, table| look_up(part(at.wrapping_add(nth)), table);
            let fits = _mm_shuffle_epi8(_mm_and_si128(fits(one, first), fits(other, second)), backwards);
            let some = |fits| bits(_mm_adds_epu8(fits, splat(0x7f)));
            Lanes { buckets: some(fits), buckets_within: some(_mm_and_si128(fits, within)), ..told }
        })
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline(always)]
    fn kinds_simd128(&self, block: &[u8; BLOCK]) -> Kinds {
        use std::arch::wasm32::*;
        let half = u8x16_splat(15);
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { v128_load(bytes.as_ptr().cast()) }
        };
        let part = |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(load).unwrap_or(half);
        // It is loaded, for what is known to be constant would be made anew for each vector.
        let order = load(&self.backwards);
        let table = |table: &Table| (load(&table.low), load(&table.high));
        // Processors of PCs shift no single bytes: sixteen bits are, and the rest is cleared.
        let look_up = |bytes, (low, high)| {
            let (lower, upper) = (v128_and(bytes, half), v128_and(u16x8_shr(bytes, 4), half));
            v128_and(u8x16_swizzle(low, lower), u8x16_swizzle(high, upper))
        };
        let kinds = table(&self.kinds);
        let [first, second] = self.buckets.each_ref().map(table);
        let [one, other] = self.nth.map(|nth| nth & (NEAR - 1));
        let within = u8x16_splat(self.within);
        gather(|at| {
            let bytes = u8x16_swizzle(part(at), order);
            let kind = look_up(bytes, kinds);
            let quiet = v128_or(bytes, u8x16_add_sat(kind, u8x16_splat(UPPER_THREE)));
            let loud = u8x16_add_sat(u16x8_shl(kind, LOUD_UP), u8x16_splat(UPPER_TWO));
            let told = Lanes { loud: u8x16_bitmask(loud), quiet: u8x16_bitmask(quiet), ..Lanes::default() };
            if at > PLACES {
                return told;
            }
            let closing = u8x16_add_sat(u16x8_shl(kind, CLOSING_UP), u8x16_splat(UPPER_THREE));
            let told = Lanes { closing: u8x16_bitmask(closing), ..told };
            if !self.any {
                return told;
            }
            let fits = |nth: usize, table| look_up(part(at.wrapping_add(nth)), table);
            let fits = u8x16_swizzle(v128_and(fits(one, first), fits(other, second)), order);
            let some = |fits| u8x16_bitmask(u8x16_add_sat(fits, u8x16_splat(0x7f)));
            Lanes { buckets: some(fits), buckets_within: some(v128_and(fits, within)), ..told }
        })
    }
}

/// The bytes of which something holds.
fn set(is: impl Fn(u8) -> bool) -> Set {
    let mut set = [0u64; 4];
    for byte in (0..=255u8).filter(|&byte| is(byte)) {
        if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
            *word |= 1u64.wrapping_shl(u32::from(byte & 63));
        }
    }
    set
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

/// The bytes whose halves are those of some in a set.
fn widened(set: &Set) -> Set {
    let mut table = Table::EMPTY;
    table.widen(set, 0);
    self::set(|byte| table.of(byte) != 0)
}

/// The bits of so many places.
fn first(count: usize) -> u64 {
    let left = u32::try_from(PLACES.saturating_sub(count)).unwrap_or(u64::BITS);
    u64::MAX.checked_shl(left).unwrap_or(0)
}

/// Puts the bits of a block's vectors together; each is asked for by the place of its first byte in the block.
#[inline(always)]
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
fn gather(lanes: impl Fn(usize) -> Lanes) -> Kinds {
    // One after the other, so that each is compiled for its place.
    let all = [lanes(1), lanes(1 + LANES), lanes(1 + 2 * LANES), lanes(1 + 3 * LANES), lanes(1 + PLACES)];
    let joined = |of: fn(&Lanes) -> u16| {
        let [a, b, c, d, ahead] = all.each_ref().map(|lanes| u64::from(of(lanes)));
        Bits { places: a << 48 | b << 32 | c << 16 | d, ahead }
    };
    Kinds {
        loud: joined(|lanes| lanes.loud),
        quiet: joined(|lanes| lanes.quiet),
        closing: joined(|lanes| lanes.closing).places,
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
        let bytes: Vec<u8> = bytes.collect();
        super::set(|byte| bytes.contains(&byte))
    }

    /// After letters and loud no value starts but one that begins with `x` and two digits.
    fn blocks(long: bool) -> Blocks {
        let words = set((0..=255u8).filter(u8::is_ascii_alphanumeric));
        let digits = || set(b'0'..=b'9');
        let one = |bytes: &[u8]| set(bytes.iter().copied());
        let outside =
            Beginning { bucket: 2, within: false, sets: [one(b"ab"), digits(), one(b" "), digits()] };
        let within = Beginning { bucket: 5, within: true, sets: [one(b"x"), digits(), digits(), one(b",")] };
        let mut blocks = Blocks::new(&words, long, &[outside, within]);
        assert_eq!(blocks.nth.len(), 2);
        // Whichever tell most, these are asked here.
        (blocks.nth, blocks.buckets) = ([0, 2], [Table::EMPTY; 2]);
        [(2, one(b"ab"), one(b" ")), (5, one(b"x"), digits())].into_iter().for_each(
            |(bucket, first, third)| {
                blocks.buckets[0].widen(&first, bucket);
                blocks.buckets[1].widen(&third, bucket);
            },
        );
        blocks
    }

    /// What the module's head says, one place after the other.
    fn is_told(text: &[u8], place: usize, long: bool) -> Told {
        let closed = text[place - 1].is_ascii_alphanumeric();
        let rest = &text[place..];
        let mild = |byte: &u8| !is_quiet(*byte) && !is_loud(*byte);
        let letters = rest.iter().take_while(|byte| mild(byte)).count();
        let digit = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
        let loud = |at: usize| rest.get(at).is_some_and(|byte| is_loud(*byte));
        let run = if long { LONG } else { 8 };
        let word = rest.len() >= run && !rest[..run].iter().any(|byte| is_quiet(*byte));
        let bucket = matches!(rest, [b'a' | b'b', _, b' ', ..]);
        let within = matches!(rest, [b'x', ..]) && digit(2);
        Told {
            sure: !closed && (letters < AHEAD && loud(letters) || word || bucket) || within,
            may: !closed && loud(letters),
        }
    }

    /// Whether a place is told, and whether it may be: a loud byte that is far is seen from some places of a block.
    struct Told {
        sure: bool,
        may: bool,
    }

    fn told(blocks: &Blocks, text: &[u8]) -> Vec<usize> {
        let (mut all, mut at) = (Vec::new(), 1);
        while at < text.len() {
            let mut found = blocks.find(text, at);
            if found.is_empty() && found.to < text.len() {
                found = blocks.last(text, found.to);
            }
            all.extend(found);
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
            "@",
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
                let Told { sure, may } = is_told(&text, place, long);
                prop_assert!(seen || !sure, "{place} of {}", text.escape_ascii());
                // What comes after the text may be anything.
                let inside = place + AHEAD < text.len();
                prop_assert!(sure || may || !seen || !inside, "{place} of {}", text.escape_ascii());
            }
        }

        #[test]
        fn vectors_see_what_single_bytes_show(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7b], BLOCK),
            closing in any::<[u64; 4]>(), sets in any::<[[u64; 4]; NEAR]>(), long: bool, any: bool,
        ) {
            let one = Beginning { bucket: 1, within: true, sets };
            let other = Beginning { bucket: 4, within: false, sets: sets.map(|set| set.map(|word| !word)) };
            let some = [one, other];
            let blocks = Blocks::new(&closing, long, if any { &some } else { &[] });
            let block: &[u8; BLOCK] = bytes.first_chunk().unwrap();
            prop_assert_eq!(blocks.places(block), blocks.told(block, &blocks.kinds_plain(block)));
        }
    }

    proptest! {
        #[test]
        fn few_places_are_told_as_many_are(text in text(), long: bool, cut in any::<prop::sample::Index>()) {
            let blocks = blocks(long);
            let cut = 1 + cut.index(text.len());
            let text = &text[..cut.min(text.len())];
            let from = 1 + text.len().saturating_sub(60);
            let open = |last: u8, byte: u8| !last.is_ascii_alphanumeric() || byte == b'x';
            let told = blocks.few(text, from..text.len(), text[0], open);
            for place in from..text.len() {
                let Told { sure, may } = is_told(text, place, long);
                let seen = told >> (place - from) & 1 == 1;
                prop_assert!(seen || !sure, "{place} of {}", text.escape_ascii());
                // What comes after the text may be anything.
                let inside = text[place..].iter().any(|byte| is_quiet(*byte)) && place + 2 < text.len();
                prop_assert!(sure || may || !seen || !inside, "{place} of {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn buckets_are_told_by_the_bytes_that_are_rarest_in_prose() {
        let letters = set(b'a'..=b'z');
        let sets = [letters, set([b' '].into_iter()), set([b'x'].into_iter()), set([b'#'].into_iter())];
        assert_eq!(telling(&[Beginning { bucket: 0, within: false, sets }]), [2, 3]);
        let sets = [sets[3], letters, sets[2], letters];
        assert_eq!(telling(&[Beginning { bucket: 0, within: false, sets }]), [0, 2]);
    }
}
