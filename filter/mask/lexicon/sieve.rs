//! What tells, by a text's next bytes, that no word begins with them.
//!
//! A set of the words' first bytes, as bits at their hashes: eight bytes of a word that has as many, else four, three or
//! two. More passes than begins a word, one place in sixteen or so; never less.
use super::Sorted;

/// Bytes of a beginning, with an odd factor that spreads them.
const KINDS: [(usize, u64); 4] = [
    (8, 0x9e37_79b9_7f4a_7c15),
    (4, 0xd6e8_feb8_6659_fd93),
    (3, 0xa076_1d64_78bd_642f),
    (2, 0xe703_7ed1_a0b4_28db),
];
/// Bits for each word.
const BITS: usize = 16;
/// What makes small letters of capitals, and of other bytes something that does no harm to a hash.
const SMALL: u64 = 0x2020_2020_2020_2020;

pub struct Sieve {
    /// A power of two of them.
    bits: Box<[u64]>,
    /// How far a hash is shifted to be a bit's place.
    shift: u32,
    /// What is looked at, for each kind that words have: which bytes, and the factor.
    kinds: Vec<(u64, u64)>,
    /// Set in every byte before it is hashed.
    fold: u64,
}

impl Sieve {
    pub fn new(words: &Sorted, ignore_case: bool) -> Self {
        let slots = words.len().saturating_mul(BITS).next_power_of_two().max(64);
        let mut sieve = Self {
            bits: vec![0; slots.div_euclid(64)].into(),
            shift: u64::BITS.saturating_sub(slots.trailing_zeros()),
            kinds: Vec::new(),
            fold: if ignore_case { SMALL } else { 0 },
        };
        for word in words.iter() {
            let Some(&(len, factor)) = KINDS.iter().find(|(len, _)| *len <= word.len()) else { continue };
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(word.iter().take(len)).for_each(|(held, byte)| *held = *byte);
            let mask = u64::MAX.wrapping_shr(
                u32::try_from(len).map_or(0, |len| 64u32.saturating_sub(len.saturating_mul(8))),
            );
            if !sieve.kinds.contains(&(mask, factor)) {
                sieve.kinds.push((mask, factor));
            }
            let (at, bit) = sieve.slot(u64::from_le_bytes(bytes), (mask, factor));
            if let Some(bits) = sieve.bits.get_mut(at) {
                *bits |= bit;
            }
        }
        sieve
    }

    pub fn bytes(&self) -> usize {
        self.bits.len().saturating_mul(8)
    }

    /// Whether a word may begin like a text; of a short text it is not told.
    #[inline(always)]
    pub fn lets_through(&self, text: &[u8]) -> bool {
        let Some(bytes) = text.first_chunk() else { return true };
        let bytes = u64::from_le_bytes(*bytes);
        self.kinds.iter().any(|kind| {
            let (at, bit) = self.slot(bytes, *kind);
            self.bits.get(at).is_some_and(|bits| bits & bit != 0)
        })
    }

    #[inline(always)]
    fn slot(&self, bytes: u64, (mask, factor): (u64, u64)) -> (usize, u64) {
        let place = ((bytes | self.fold) & mask).wrapping_mul(factor).wrapping_shr(self.shift);
        let at = usize::try_from(place.wrapping_shr(6)).unwrap_or(usize::MAX);
        (at, 1u64.wrapping_shl(u32::try_from(place & 63).unwrap_or(0)))
    }
}
