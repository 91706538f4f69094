//! Where JSON begins to be written otherwise than it is meant: at what a string of it must escape.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the start of `bytes` are neither `"`, `\` nor a control character.
#[inline]
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    // Two words at a time: in WebAssembly that is thrice as fast as one, and as vectors of bytes.
    let (pairs, rest) = bytes.as_chunks::<16>();
    let mut seen = 0usize;
    for pair in pairs {
        let (low, high) = halves(*pair);
        let (low, high) = (special(low), special(high));
        if low | high != 0 {
            let before = if low == 0 { 8u32.saturating_add(first(high)) } else { first(low) };
            return seen.saturating_add(usize::try_from(before).unwrap_or(0));
        }
        seen = seen.saturating_add(16);
    }
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return seen.saturating_add(usize::try_from(first(special)).unwrap_or(0));
        }
        seen = seen.saturating_add(8);
    }
    let tail = tail.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(tail.len());
    seen.saturating_add(tail)
}

#[inline]
fn halves(pair: [u8; 16]) -> (u64, u64) {
    let pair = u128::from_le_bytes(pair);
    let low = u64::try_from(pair & u128::from(u64::MAX)).unwrap_or(0);
    (low, u64::try_from(pair.wrapping_shr(64)).unwrap_or(0))
}

/// The place of the first byte whose high bit is set.
#[inline]
fn first(word: u64) -> u32 {
    word.trailing_zeros() / 8
}

/// The high bit of the first byte of `word` that is `"`, `\` or below 0x20 (bytes after it may be flagged wrongly).
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
    let quote = zero(word ^ ONES.wrapping_mul(0x22));
    let slash = zero(word ^ ONES.wrapping_mul(0x5c));
    (control | quote | slash) & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_len_is_the_place_of_the_first_special_byte(bytes in prop::collection::vec(prop_oneof![
            4 => any::<u8>(), 4 => 0x20u8..0x22, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => 0x1Eu8..0x22, 1 => 0x5Bu8..0x5E
        ], 0..40)) {
            let expected = bytes.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), expected);
        }
    }
}
