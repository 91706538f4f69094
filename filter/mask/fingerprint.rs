//! Where a value may start, by five bytes: the one before it and its first four.
//!
//! Eight buckets of detectors (one of them literals) each have five sets of bytes. A place is proposed when all five
//! bytes around it lie in the sets of one bucket. More is proposed than matches, never less.
use super::literals::Literals;
use super::tables::{DETECTORS, FINGERPRINTS, Fingerprint, after, startable};

/// The bucket of literals.
const LITERAL: u8 = 0x80;
/// The bytes of a value that are looked at.
const DEPTH: usize = 4;

/// For each byte, the buckets it fits: the lowest eight bits as a value's fourth byte, the next as its third, and so
/// on; the fifth eight as the byte before it.
pub struct Fingerprints {
    fits: Box<[u64; 256]>,
    empty: bool,
}

impl Fingerprints {
    pub fn new(enabled: u64, literals: &Literals) -> Self {
        let mut fits = Box::new([0u64; 256]);
        let chosen = DETECTORS.iter().zip(&FINGERPRINTS).zip(0u32..);
        let chosen = chosen.filter(|(_, bit)| enabled.wrapping_shr(*bit) & 1 == 1);
        for ((_, fingerprint), bit) in chosen {
            let Some(Fingerprint { bucket, sets }) = fingerprint else { continue };
            let bucket = 1u64.wrapping_shl(*bucket);
            for (fits, byte) in fits.iter_mut().zip(0u8..=255) {
                let before = startable(after(byte)).wrapping_shr(bit) & 1 == 1;
                *fits |= if before { bucket << 32 } else { 0 };
                for (set, depth) in sets.iter().zip(1u32..) {
                    *fits |= if holds(set, byte) { lane(bucket, depth) } else { 0 };
                }
            }
        }
        for literal in literals.iter() {
            fits.iter_mut().for_each(|fits| *fits |= u64::from(LITERAL) << 32);
            for (byte, depth) in literal.iter().take(DEPTH).zip(1u32..) {
                if let Some(fits) = fits.get_mut(usize::from(*byte)) {
                    *fits |= lane(LITERAL.into(), depth);
                }
            }
        }
        let empty = fits.iter().all(|fits| fits & 0xff == 0);
        Self { fits, empty }
    }

    /// The first place at or after `at` where a value may start, if `plausible` agrees. At the end of a text that goes
    /// on, the bytes that are not there yet fit anything; `before` stands before the text.
    #[inline(always)]
    pub fn next(
        &self,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
        plausible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.empty {
            return None;
        }
        let first = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let mut fitting = self.of(first) & 0xff << 32;
        for (place, byte) in (at..).zip(text.get(at..)?) {
            // The bucket's bit travels down the lanes, one a byte, as long as each byte fits.
            fitting = (fitting >> 8 | 0xff << 32) & self.of(*byte);
            if fitting & 0xff != 0 {
                let start = place.wrapping_sub(3);
                if fitting & u64::from(LITERAL) != 0 || plausible(start) {
                    return Some(start);
                }
            }
        }
        if end {
            return None;
        }
        [3u32, 2, 1].into_iter().find_map(|seen| {
            let lane = 32u32.wrapping_sub(seen.wrapping_mul(8));
            let fits = fitting.wrapping_shr(lane) & 0xff;
            let start = text.len().checked_sub(usize::try_from(seen).ok()?)?;
            (fits & u64::from(LITERAL) != 0 || fits != 0 && plausible(start)).then_some(start)
        })
    }

    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        self.fits.get(usize::from(byte)).copied().unwrap_or(0)
    }
}

/// The buckets, in the lane of a value's byte at a depth counted from one.
fn lane(buckets: u64, depth: u32) -> u64 {
    buckets.wrapping_shl(32u32.wrapping_sub(depth.wrapping_mul(8)))
}

fn holds(set: &[u64; 4], byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}
