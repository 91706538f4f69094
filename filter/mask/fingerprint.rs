//! Where a value may start, by five bytes: the one before it and its first four.
//!
//! Eight buckets of detectors (one of them literals) each have five sets of bytes. A place is proposed when all five
//! bytes around it lie in the sets of one bucket. More is proposed than matches, never less.
use super::literals::Literals;
use super::plan::Enabled;

/// The bucket of literals.
const LITERAL: u8 = 0x80;
/// The bytes of a value that are looked at.
const DEPTH: usize = 4;

/// What of a plan the automata have to look at from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub at: usize,
    /// The plan's groups, as bits.
    pub groups: u32,
}

/// For each byte, the buckets it fits: the lowest eight bits as a value's fourth byte, the next as its third, and so
/// on; the fifth eight as the byte before it.
pub struct Fingerprints {
    fits: Box<[u64; 256]>,
    /// The plan's groups with a detector in each bucket, as bits.
    groups: [u32; 8],
    empty: bool,
    /// Some value may be shorter than what is looked at.
    short: bool,
}

impl Fingerprints {
    pub fn new(groups: &[Enabled], literals: &Literals) -> Self {
        let mut all = Self { fits: Box::new([0; 256]), groups: [0; 8], empty: true, short: false };
        for (group, at) in groups.iter().zip(0u32..) {
            let beginnings = group.tables.beginnings.iter().zip(group.detectors.iter()).zip(0u32..);
            for ((sets, detector), bit) in beginnings.filter(|(_, bit)| group.has(*bit)) {
                let Some(sets) = sets else { continue };
                let bucket = 1u64.wrapping_shl(detector.bucket);
                if let Some(groups) =
                    usize::try_from(detector.bucket).ok().and_then(|b| all.groups.get_mut(b))
                {
                    *groups |= 1u32.wrapping_shl(at);
                }
                all.short |= sets.last() == Some(&[u64::MAX; 4]);
                for (fits, byte) in all.fits.iter_mut().zip(0u8..=255) {
                    let before = group.startable(group.after(byte)).wrapping_shr(bit) & 1 == 1;
                    *fits |= if before { bucket << 32 } else { 0 };
                    for (set, depth) in sets.iter().zip(1u32..) {
                        *fits |= if holds(set, byte) { lane(bucket, depth) } else { 0 };
                    }
                }
            }
        }
        for literal in literals.iter() {
            all.fits.iter_mut().for_each(|fits| *fits |= u64::from(LITERAL) << 32);
            for (byte, depth) in literal.iter().take(DEPTH).zip(1u32..) {
                if let Some(fits) = all.fits.get_mut(usize::from(*byte)) {
                    *fits |= lane(LITERAL.into(), depth);
                }
            }
        }
        all.empty = all.fits.iter().all(|fits| fits & 0xff == 0);
        all
    }

    /// The first place at or after `at` where a value may start, if `plausible` leaves any of the groups that it is
    /// asked about. At the end of a text that goes on, the bytes that are not there yet fit anything; `before` stands
    /// before the text.
    #[inline(always)]
    pub fn next(
        &self,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
        plausible: impl Fn(usize, u32) -> u32,
    ) -> Option<Proposal> {
        if self.empty {
            return None;
        }
        let propose = |at: usize, buckets: u64| {
            let groups = plausible(at, self.groups(buckets));
            (groups != 0 || buckets & u64::from(LITERAL) != 0).then_some(Proposal { at, groups })
        };
        let first = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let mut fitting = self.of(first) & 0xff << 32;
        for (place, byte) in (at..).zip(text.get(at..)?) {
            // The bucket's bit travels down the lanes, one a byte, as long as each byte fits.
            fitting = (fitting >> 8 | 0xff << 32) & self.of(*byte);
            if fitting & 0xff != 0
                && let Some(proposal) = propose(place.wrapping_sub(3), fitting & 0xff)
            {
                return Some(proposal);
            }
        }
        if end && !self.short {
            return None;
        }
        [3u32, 2, 1].into_iter().find_map(|seen| {
            let lane = 32u32.wrapping_sub(seen.wrapping_mul(8));
            let fits = fitting.wrapping_shr(lane) & 0xff;
            let start = text.len().checked_sub(usize::try_from(seen).ok()?).filter(|&start| start >= at)?;
            if fits != 0 { propose(start, fits) } else { None }
        })
    }

    #[cold]
    #[inline(never)]
    fn groups(&self, buckets: u64) -> u32 {
        let held =
            self.groups.iter().zip(0u32..).filter(|(_, bucket)| buckets.wrapping_shr(*bucket) & 1 == 1);
        held.fold(0, |all, (groups, _)| all | groups)
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
