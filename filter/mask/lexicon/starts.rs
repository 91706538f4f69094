//! Places where a word may start: at a byte that some word begins with, and not within letters and digits.
//!
//! Sixteen places at once. What a byte is, is asked of two tables of sixteen entries by its halves (as in
//! [`super::super::blocks`]): the low bits of an entry tell letters, digits and `_` exactly, the high bits what words begin
//! with, and some more.

/// Places in one block.
pub const PLACES: usize = 16;
/// Bits that tell a byte within words.
const INNER: u8 = 0x0f;
/// Bits that tell a byte that a word begins with.
const FIRST: u8 = 0xf0;

/// What bytes are, by their low and by their high half.
pub struct Starts {
    low: [u8; 16],
    high: [u8; 16],
}

impl Starts {
    /// Of the first bytes of words.
    pub fn new(firsts: impl Iterator<Item = u8>, ignore_case: bool) -> Self {
        let mut starts = Self { low: [0; 16], high: [0; 16] };
        (0..=255).filter(|&byte| inner(byte)).for_each(|byte| starts.add(byte, inner_row(byte)));
        for byte in firsts {
            starts.add(byte, first_row(byte));
            if ignore_case {
                let large = byte.to_ascii_uppercase();
                starts.add(large, first_row(large));
            }
        }
        starts
    }

    fn add(&mut self, byte: u8, bit: u8) {
        for (table, half) in [(&mut self.low, byte & 15), (&mut self.high, byte >> 4)] {
            if let Some(held) = table.get_mut(usize::from(half)) {
                *held |= bit;
            }
        }
    }

    fn kind(&self, byte: u8) -> u8 {
        let half = |table: &[u8; 16], at: u8| table.get(usize::from(at)).copied().unwrap_or(0);
        half(&self.low, byte & 15) & half(&self.high, byte >> 4)
    }

    /// Whether a word may start with a byte, after another.
    pub fn one(&self, last: u8, this: u8) -> bool {
        let (last, this) = (self.kind(last), self.kind(this));
        this & FIRST != 0 && (last & INNER == 0 || this & INNER == 0)
    }

    /// Where in the block from a place on (not the text's first) words may start, as bits; `None`: the rest of the text
    /// is too short for a block.
    #[inline(always)]
    pub fn block(&self, text: &[u8], base: usize) -> Option<u16> {
        let last = text.get(base.wrapping_sub(1)..)?.first_chunk()?;
        let this = text.get(base..)?.first_chunk()?;
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return Some(self.simd128(last, this));
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("ssse3") {
            // SAFETY: the processor has what the function needs.
            return Some(unsafe { self.ssse3(last, this) });
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        Some(self.plain(last, this))
    }

    #[cfg_attr(
        all(target_arch = "wasm32", target_feature = "simd128"),
        expect(dead_code, reason = "its twin")
    )]
    fn plain(&self, last: &[u8; PLACES], this: &[u8; PLACES]) -> u16 {
        let places = last.iter().zip(this).zip(0u32..).filter(|((last, this), _)| self.one(**last, **this));
        places.fold(0, |all, (_, bit)| all | 1u16.wrapping_shl(bit))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "ssse3")]
    fn ssse3(&self, last: &[u8; PLACES], this: &[u8; PLACES]) -> u16 {
        use std::arch::x86_64::*;
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
        };
        let (low, high, half) = (load(&self.low), load(&self.high), _mm_set1_epi8(15));
        let kinds = |bytes: __m128i| {
            let upper = _mm_and_si128(_mm_srli_epi16::<4>(bytes), half);
            _mm_and_si128(_mm_shuffle_epi8(low, _mm_and_si128(bytes, half)), _mm_shuffle_epi8(high, upper))
        };
        let lacks = |kinds: __m128i, bits: u8| {
            let bits = _mm_set1_epi8(i8::from_ne_bytes([bits]));
            _mm_cmpeq_epi8(_mm_and_si128(kinds, bits), _mm_setzero_si128())
        };
        let (last, this) = (kinds(load(last)), kinds(load(this)));
        let apart = _mm_or_si128(lacks(last, INNER), lacks(this, INNER));
        let places = _mm_movemask_epi8(_mm_andnot_si128(lacks(this, FIRST), apart));
        u16::try_from(places & 0xffff).unwrap_or(0)
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn simd128(&self, last: &[u8; PLACES], this: &[u8; PLACES]) -> u16 {
        use std::arch::wasm32::*;
        let load = |bytes: &[u8; 16]| {
            // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
            unsafe { v128_load(bytes.as_ptr().cast()) }
        };
        let (low, high, half) = (load(&self.low), load(&self.high), u8x16_splat(15));
        let kinds = |bytes: v128| {
            v128_and(u8x16_swizzle(low, v128_and(bytes, half)), u8x16_swizzle(high, u8x16_shr(bytes, 4)))
        };
        let lacks = |kinds: v128, bits: u8| u8x16_eq(v128_and(kinds, u8x16_splat(bits)), u8x16_splat(0));
        let (last, this) = (kinds(load(last)), kinds(load(this)));
        let apart = v128_or(lacks(last, INNER), lacks(this, INNER));
        u8x16_bitmask(v128_andnot(apart, lacks(this, FIRST)))
    }
}

/// A byte that is glued to its like.
pub fn inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The bit of letters, digits and `_`: high halves that have them at the same low halves share one.
fn inner_row(byte: u8) -> u8 {
    match byte >> 4 {
        3 => 1,
        4 | 6 => 2,
        5 => 4,
        _ => 8,
    }
}

/// The bit of a first byte: large letters, small letters, digits and signs, what is beyond ASCII.
fn first_row(byte: u8) -> u8 {
    match byte >> 4 {
        4 | 5 => 0x10,
        6 | 7 => 0x20,
        0..=3 => 0x40,
        _ => 0x80,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_find_what_single_bytes_find(
            firsts in proptest::collection::vec(any::<u8>(), 0..20), ignore_case: bool,
            text in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7f], 17..60),
        ) {
            let starts = Starts::new(firsts.iter().copied(), ignore_case);
            for base in 1..text.len() - 15 {
                let plain = starts.plain(text[base - 1..][..16].try_into().unwrap(), text[base..][..16].try_into().unwrap());
                prop_assert_eq!(starts.block(&text, base), Some(plain));
            }
            prop_assert_eq!(starts.block(&text, text.len() - 15), None);
        }

        #[test]
        fn no_start_is_missed_and_none_is_within_letters(firsts in proptest::collection::vec(any::<u8>(), 1..20), ignore_case: bool) {
            let starts = Starts::new(firsts.iter().copied(), ignore_case);
            for (last, this) in (0..=255).flat_map(|last| (0..=255).map(move |this| (last, this))) {
                let glued = inner(last) && inner(this);
                let first = firsts.contains(&this) || ignore_case && firsts.contains(&this.to_ascii_lowercase());
                prop_assert!(starts.one(last, this) || glued || !first, "{last} {this}");
                prop_assert!(!(starts.one(last, this) && glued), "{last} {this}");
            }
        }
    }
}
