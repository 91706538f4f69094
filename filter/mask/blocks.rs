//! Sixteen places of a text looked at in one go.
//!
//! A place fits a bucket when the byte before it and its first four bytes lie in the bucket's five sets. Each set is
//! widened to what its bytes' halves allow: byte by byte, one table of sixteen entries is asked for the low four bits
//! and one for the high four, and a bucket stays where both agree. So a vector instruction looks sixteen bytes up at
//! once. More places fit than do by the sets themselves; whoever asks looks closer at those. A table's entry has eight
//! bits, so that sixteen buckets take two rounds.

/// Bytes of a window: those of a place, which are looked at for each of sixteen places.
const WINDOW: usize = 5;
/// Places in one block.
pub const PLACES: usize = 16;
/// Bytes that are read for a block: from the byte before its first place to the fourth byte of its last.
const BLOCK: usize = PLACES + WINDOW - 1;

/// Rounds of eight buckets.
const ROUNDS: usize = 2;

/// For each round and each byte of the window, the buckets that fit its low and its high half.
pub struct Blocks {
    low: [[[u8; 16]; WINDOW]; ROUNDS],
    high: [[[u8; 16]; WINDOW]; ROUNDS],
}

/// What was found from a place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The first place of the block in which places fit; or, without such, the first place not looked at.
    pub base: usize,
    /// The places that fit, as bits. None: the rest of the text is too short for a block.
    pub places: u16,
}

impl Blocks {
    /// Of the buckets that each byte fits, at each place of the window.
    pub fn new(fits: impl Fn(usize, u8) -> u16) -> Self {
        let none = [[[0; 16]; WINDOW]; ROUNDS];
        let mut blocks = Self { low: none, high: none };
        for (round, (low, high)) in blocks.low.iter_mut().zip(&mut blocks.high).enumerate() {
            for (at, (low, high)) in low.iter_mut().zip(high).enumerate() {
                for byte in 0..=255u8 {
                    let buckets = fits(at, byte).to_le_bytes().get(round).copied().unwrap_or(0);
                    let low = low.get_mut(usize::from(byte & 15));
                    let high = high.get_mut(usize::from(byte >> 4));
                    low.into_iter().chain(high).for_each(|held| *held |= buckets);
                }
            }
        }
        blocks
    }

    /// The first block from a place on (not the text's first) that has places that fit.
    #[inline]
    pub fn find(&self, text: &[u8], from: usize) -> Found {
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return self.find_simd128(text, from);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("ssse3") {
            // SAFETY: the processor has what the function needs.
            return unsafe { self.find_ssse3(text, from) };
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        self.find_plain(text, from)
    }

    #[cfg_attr(
        all(target_arch = "wasm32", target_feature = "simd128"),
        expect(dead_code, reason = "its twin")
    )]
    fn find_plain(&self, text: &[u8], from: usize) -> Found {
        let half = |table: &[u8; 16], at: u8| table.get(usize::from(at)).copied().unwrap_or(0);
        let mut base = from;
        while let Some(block) = block(text, base) {
            let round = |place: usize, low: &[[u8; 16]; WINDOW], high: &[[u8; 16]; WINDOW]| {
                let window = block.iter().skip(place).zip(low.iter().zip(high));
                let both = window.map(|(byte, (low, high))| half(low, byte & 15) & half(high, byte >> 4));
                both.fold(0xff, |all, both| all & both)
            };
            let rounds = || self.low.iter().zip(&self.high);
            let fits = |place: &usize| rounds().any(|(low, high)| round(*place, low, high) != 0);
            let places = (0..PLACES).filter(fits).fold(0, |all, place| all | bit(place));
            if places != 0 {
                return Found { base, places };
            }
            base = base.wrapping_add(PLACES);
        }
        Found { base, places: 0 }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "ssse3")]
    fn find_ssse3(&self, text: &[u8], from: usize) -> Found {
        use std::arch::x86_64::*;
        let half = _mm_set1_epi8(15);
        let table = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
        };
        let tables = |tables: &[[u8; 16]; WINDOW]| tables.each_ref().map(table);
        let (low, high) = (self.low.each_ref().map(tables), self.high.each_ref().map(tables));
        let mut base = from;
        while let Some(block) = block(text, base) {
            let mut fits = [_mm_set1_epi8(-1); ROUNDS];
            for at in 0..WINDOW {
                let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk()) else { break };
                let bytes = table(bytes);
                let upper = _mm_and_si128(_mm_srli_epi16::<4>(bytes), half);
                let lower = _mm_and_si128(bytes, half);
                for (fits, (low, high)) in fits.iter_mut().zip(low.iter().zip(&high)) {
                    let (Some(low), Some(high)) = (low.get(at), high.get(at)) else { break };
                    let both = _mm_and_si128(_mm_shuffle_epi8(*low, lower), _mm_shuffle_epi8(*high, upper));
                    *fits = _mm_and_si128(*fits, both);
                }
            }
            let fits = fits.into_iter().fold(_mm_setzero_si128(), |all, fits| _mm_or_si128(all, fits));
            let none = _mm_movemask_epi8(_mm_cmpeq_epi8(fits, _mm_setzero_si128()));
            let places = !u16::try_from(none & 0xffff).unwrap_or(0);
            if places != 0 {
                return Found { base, places };
            }
            base = base.wrapping_add(PLACES);
        }
        Found { base, places: 0 }
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn find_simd128(&self, text: &[u8], from: usize) -> Found {
        use std::arch::wasm32::*;
        let half = u8x16_splat(15);
        let table = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { v128_load(bytes.as_ptr().cast()) }
        };
        let tables = |tables: &[[u8; 16]; WINDOW]| tables.each_ref().map(table);
        let (low, high) = (self.low.each_ref().map(tables), self.high.each_ref().map(tables));
        let mut base = from;
        while let Some(block) = block(text, base) {
            let mut fits = [u8x16_splat(0xff); ROUNDS];
            for at in 0..WINDOW {
                let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk()) else { break };
                let bytes = table(bytes);
                let (lower, upper) = (v128_and(bytes, half), u8x16_shr(bytes, 4));
                for (fits, (low, high)) in fits.iter_mut().zip(low.iter().zip(&high)) {
                    let (Some(low), Some(high)) = (low.get(at), high.get(at)) else { break };
                    *fits =
                        v128_and(*fits, v128_and(u8x16_swizzle(*low, lower), u8x16_swizzle(*high, upper)));
                }
            }
            let fits = fits.into_iter().fold(u8x16_splat(0), |all, fits| v128_or(all, fits));
            if v128_any_true(fits) {
                return Found { base, places: u8x16_bitmask(u8x16_ne(fits, u8x16_splat(0))) };
            }
            base = base.wrapping_add(PLACES);
        }
        Found { base, places: 0 }
    }
}

/// The bytes of the block whose first place is `base`.
#[inline(always)]
fn block(text: &[u8], base: usize) -> Option<&[u8; BLOCK]> {
    text.get(base.wrapping_sub(1)..)?.first_chunk()
}

fn bit(place: usize) -> u16 {
    u32::try_from(place).map_or(0, |place| 1u16.wrapping_shl(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_find_what_single_bytes_find(
            sets in proptest::collection::vec(any::<u64>(), 20),
            text in proptest::collection::vec(prop_oneof![any::<u8>(), 0x30u8..0x3a, 0x60..0x68u8], 0..200),
            from in 1usize..40,
        ) {
            let held = |at: usize, byte: u8| sets[at * 4 + usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
            let some = |at: usize, byte: u8| if held(at, byte) { 1 << (at % 3) | 1 << 9 } else { 1 << 8 };
            for blocks in [Blocks::new(some), Blocks::new(|at, byte| u16::from(held(at, byte)))] {
                let mut at = from;
                loop {
                    let found = blocks.find(&text, at);
                    prop_assert_eq!(found, blocks.find_plain(&text, at));
                    if found.places == 0 {
                        prop_assert!(found.base + BLOCK > text.len() + 1);
                        break;
                    }
                    at = found.base + PLACES;
                }
            }
        }

        #[test]
        fn no_place_is_missed(text in proptest::collection::vec(0x2eu8..0x7b, 21..120)) {
            let fits = |at: usize, byte: u8| u16::from(at == 0 || byte.is_ascii_digit()) << 8 | u16::from(byte == b'x');
            let blocks = Blocks::new(fits);
            let mut at = 1;
            loop {
                let found = blocks.find(&text, at);
                for place in at..(found.base + PLACES).min(text.len() - 4) {
                    let fit = text[place..place + 4].iter().all(u8::is_ascii_digit);
                    let seen = place >= found.base && found.places >> (place - found.base) & 1 == 1;
                    prop_assert!(!fit || seen || found.places == 0 && place >= found.base, "{place}");
                }
                if found.places == 0 {
                    break;
                }
                at = found.base + PLACES;
            }
        }
    }
}
