//! The kinds of a block's bytes: told by vectors where there are some, else one by one.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
use super::super::grammar::NEAR;
use super::bits::{AHEAD, Bits, OF_AHEAD};
use super::tables::Table;
use super::{BLOCK, Blocks, PLACES};

/// Bytes that one vector holds.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
const LANES: usize = 16;
/// Bits of the table of kinds: bytes after which hardly any value starts, loud ones, and quiet ones of ASCII.
pub const CLOSING: u8 = 0b0000_0111;
pub const LOUD: u8 = 0b0001_1000;
pub const QUIET: u8 = 0b1110_0000;
/// What moves the bits of a kind to the upper end, so that the lowest of them is where that of the quiet ones is, or one
/// higher.
const CLOSING_UP: u32 = 5;
const LOUD_UP: u32 = 3;
/// What makes the highest bit of a byte say whether one of its upper three, or two, is set, added to it up to 255.
const UPPER_THREE: u8 = 0x80 - 0b0010_0000;
const UPPER_TWO: u8 = 0x80 - 0b0100_0000;

/// The kinds of a block's bytes.
#[derive(Default, Clone, Copy)]
pub struct Kinds {
    pub loud: Bits,
    pub quiet: Bits,
    pub closing: u64,
    /// The places that fit a bucket, and those that fit one of values that may start within a word.
    pub buckets: u64,
    pub buckets_within: u64,
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

impl Blocks {
    #[cfg_attr(
        all(target_arch = "wasm32", target_feature = "simd128"),
        expect(dead_code, reason = "its twin")
    )]
    pub fn kinds_plain(&self, block: &[u8; BLOCK]) -> Kinds {
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
    pub fn kinds_ssse3(&self, block: &[u8; BLOCK]) -> Kinds {
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
    pub fn kinds_simd128(&self, block: &[u8; BLOCK]) -> Kinds {
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
