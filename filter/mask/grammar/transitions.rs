//! Where an automaton goes from each state: by far the largest part of a group's tables.
//!
//! Those of the built-in groups are a part of the filter packed (deflate, RFC 1951), a thirteenth of their size: the proxy
//! keeps the bytes of a module several times over, and copies them for each worker. A worker unpacks those of a group once
//! its policies ask for one of its entities.
use std::ops::Deref;
use std::sync::OnceLock;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

/// As small as it gets: it is done once, while building.
const LEVEL: u8 = 10;

/// The next states: `transitions[state * classes + class]`.
pub enum Transitions {
    /// As an automaton has them.
    Plain(Vec<u16>),
    /// Packed until they are first read.
    Packed(&'static [u8], usize, OnceLock<Vec<u16>>),
}

impl Transitions {
    /// Of what [`Self::pack`] made of so many.
    pub const fn packed(bytes: &'static [u8], count: usize) -> Self {
        Self::Packed(bytes, count, OnceLock::new())
    }

    /// Their bytes, the low one first, deflated.
    pub fn pack(&self) -> Vec<u8> {
        let bytes: Vec<u8> = self.iter().flat_map(|state| state.to_le_bytes()).collect();
        compress_to_vec(&bytes, LEVEL)
    }
}

/// Into a buffer of its size: a module's memory never shrinks. What is not what was packed would come out as zeros, from
/// which nothing matches; tests exclude it.
fn unpack(packed: &[u8], count: usize) -> Vec<u16> {
    let mut bytes = vec![0; count.saturating_mul(2)];
    let whole = decompress_slice_iter_to_slice(&mut bytes, std::iter::once(packed), false, true);
    debug_assert_eq!(whole, Ok(bytes.len()));
    bytes.as_chunks().0.iter().map(|two| u16::from_le_bytes(*two)).collect()
}

impl Deref for Transitions {
    type Target = [u16];

    #[inline(always)]
    fn deref(&self) -> &[u16] {
        match self {
            Self::Plain(states) => states,
            Self::Packed(bytes, count, plain) => plain.get_or_init(|| unpack(bytes, *count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(states in prop::collection::vec(any::<u16>(), 0..2000)) {
            let packed = Transitions::Plain(states.clone()).pack().leak();
            let unpacked = Transitions::packed(packed, states.len());
            prop_assert_eq!(&*unpacked, &states[..]);
            prop_assert_eq!(&*unpacked, &states[..], "nor is it another the second time");
        }
    }
}
