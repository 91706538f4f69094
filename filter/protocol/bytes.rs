//! Comparing bytes.
//!
//! WebAssembly has no `memcmp` but one that goes byte by byte, a nanosecond each; words are compared at once.

/// Whether two pieces are the same.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // The last word of each size may overlap the one before: so no byte is looked at by itself but where there are few.
    match a.len() {
        16.. => {
            let (blocks, rest) = a.as_chunks::<BLOCK>();
            let (others, other_rest) = b.as_chunks::<BLOCK>();
            let (words, _) = rest.as_chunks::<16>();
            let (other_words, _) = other_rest.as_chunks::<16>();
            blocks.iter().zip(others).all(|(a, b)| same_blocks(a, b))
                && words
                    .iter()
                    .zip(other_words)
                    .all(|(a, b)| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b))
                && a.last_chunk::<16>().map(|word| u128::from_ne_bytes(*word))
                    == b.last_chunk::<16>().map(|word| u128::from_ne_bytes(*word))
        }
        8.. => ends(a, b, u64::from_ne_bytes),
        4.. => ends(a, b, u32::from_ne_bytes),
        _ => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// Bytes that are compared at once where there are so many.
const BLOCK: usize = 64;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn same_blocks(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> bool {
    a == b
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn same_blocks(a: &[u8; BLOCK], b: &[u8; BLOCK]) -> bool {
    use std::arch::wasm32::*;
    let load = |bytes: &[u8; 16]| {
        // SAFETY: sixteen bytes are read of an array of sixteen; the instruction asks for no alignment.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    };
    let (vectors, _) = a.as_chunks::<16>();
    let (others, _) = b.as_chunks::<16>();
    let differs =
        vectors.iter().zip(others).fold(u64x2(0, 0), |all, (a, b)| v128_or(all, v128_xor(load(a), load(b))));
    !v128_any_true(differs)
}

/// Whether the first and the last word are the same.
#[inline]
fn ends<const N: usize, W: PartialEq>(a: &[u8], b: &[u8], word: impl Fn([u8; N]) -> W) -> bool {
    let first = |bytes: &[u8]| bytes.first_chunk::<N>().map(|bytes| word(*bytes));
    let last = |bytes: &[u8]| bytes.last_chunk::<N>().map(|bytes| word(*bytes));
    first(a) == first(b) && last(a) == last(b)
}

/// What is left of `bytes` behind `first`, with which they must begin.
#[inline]
pub(crate) fn after<'b>(bytes: &'b [u8], first: &[u8]) -> Option<&'b [u8]> {
    let (begin, rest) = bytes.split_at_checked(first.len())?;
    same(begin, first).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_compared_to_their_last_byte() {
        let bytes: Vec<u8> = (0..200).collect();
        for len in 0..bytes.len() {
            let (first, mut other) = (&bytes[..len], bytes.clone());
            assert!(same(first, &other[..len]));
            assert_eq!(after(&other, first), Some(&bytes[len..]));
            for at in 0..len {
                other[at] ^= 0x40;
                assert!(!same(first, &other[..len]), "{len} {at}");
                assert_eq!(after(&other, first), None, "{len} {at}");
                other[at] ^= 0x40;
            }
            let shorter = len.saturating_sub(1);
            assert_eq!(same(first, &other[..shorter]), len == 0);
            assert_eq!(after(&other[..shorter], first).is_some(), len == 0);
        }
    }
}
