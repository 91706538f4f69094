//! Sixteen places of a text looked at in one go.
//!
//! A place fits a bucket when the byte before it and its first four bytes lie in the bucket's five sets. Each set is
//! widened to what its bytes' halves allow: byte by byte, one table of sixteen entries is asked for the low four bits
//! and one for the high four, and a bucket stays where both agree. So a vector instruction looks sixteen bytes up at
//! once. More places fit than do by the sets themselves; whoever asks looks closer at those.

/// Bytes of a window: those of a place, which are looked at for each of sixteen places.
const WINDOW: usize = 5;
/// Places in one block.
pub const PLACES: usize = 16;
/// Bytes that are read for a block: from the byte before its first place to the fourth byte of its last.
const BLOCK: usize = PLACES + WINDOW - 1;

/// For each byte of the window, the buckets that fit its low and its high half.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub struct Blocks {
    low: [[u8; 16]; WINDOW],
    high: [[u8; 16]; WINDOW],
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
    pub fn new(fits: impl Fn(usize, u8) -> u8) -> Self {
        let mut blocks = Self { low: [[0; 16]; WINDOW], high: [[0; 16]; WINDOW] };
        for (at, (low, high)) in blocks.low.iter_mut().zip(&mut blocks.high).enumerate() {
            for byte in 0..=255u8 {
                let buckets = fits(at, byte);
                if let (Some(low), Some(high)) =
                    (low.get_mut(usize::from(byte & 15)), high.get_mut(usize::from(byte >> 4)))
                {
                    *low |= buckets;
                    *high |= buckets;
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
            let fits = |place: &usize| {
                let window = block.iter().skip(*place).zip(self.low.iter().zip(&self.high));
                window
                    .fold(0xff, |all, (byte, (low, high))| all & half(low, byte & 15) & half(high, byte >> 4))
                    != 0
            };
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
        let (low, high) = (self.low.each_ref().map(table), self.high.each_ref().map(table));
        let mut base = from;
        while let Some(block) = block(text, base) {
            let mut fits = _mm_set1_epi8(-1);
            for (at, (low, high)) in low.iter().zip(&high).enumerate() {
                let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk()) else { break };
                let bytes = table(bytes);
                let upper = _mm_and_si128(_mm_srli_epi16::<4>(bytes), half);
                let both = _mm_and_si128(
                    _mm_shuffle_epi8(*low, _mm_and_si128(bytes, half)),
                    _mm_shuffle_epi8(*high, upper),
                );
                fits = _mm_and_si128(fits, both);
            }
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
        let (low, high) = (self.low.each_ref().map(table), self.high.each_ref().map(table));
        let mut base = from;
        while let Some(block) = block(text, base) {
            let mut fits = u8x16_splat(0xff);
            for (at, (low, high)) in low.iter().zip(&high).enumerate() {
                let Some(bytes) = block.get(at..).and_then(|rest| rest.first_chunk()) else { break };
                let bytes = table(bytes);
                let both = v128_and(
                    u8x16_swizzle(*low, v128_and(bytes, half)),
                    u8x16_swizzle(*high, u8x16_shr(bytes, 4)),
                );
                fits = v128_and(fits, both);
            }
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
            let some = |at: usize, byte: u8| if held(at, byte) { 1 << (at % 3) | 16 } else { 8 };
            for blocks in [Blocks::new(some), Blocks::new(|at, byte| u8::from(held(at, byte)))] {
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
            let fits = |at: usize, byte: u8| u8::from(at == 0 || byte.is_ascii_digit()) | u8::from(byte == b'x') << 1;
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
