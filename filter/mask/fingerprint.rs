//! Where a value may start, by five bytes: the one before it and its first four.
//!
//! Eight buckets of detectors (one of them literals) each have five sets of bytes. A place is proposed when all five
//! bytes around it lie in the sets of one bucket. More is proposed than matches, never less. Sixteen places at once
//! are sorted out by vectors ([`super::blocks`]), what is left one by one.
use super::blocks::{Blocks, PLACES};
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
    /// Whether a literal may start there.
    pub literal: bool,
}

/// For each byte, the buckets it fits: the lowest eight bits as a value's fourth byte, the next as its third, and so
/// on; the fifth eight as the byte before it.
pub struct Fingerprints {
    fits: Box<[u64; 256]>,
    blocks: Blocks,
    /// For each set of buckets, the plan's groups with a detector in one of them, as bits.
    groups: Box<[u32; 256]>,
    empty: bool,
    /// Some value may be shorter than what is looked at.
    short: bool,
}

/// A block of places that was looked at, and the places in it that fit and are still to be asked for.
#[derive(Default, Clone, Copy)]
pub struct Seen {
    base: usize,
    places: u16,
    /// Places before this one were looked at.
    to: usize,
}

impl Fingerprints {
    pub fn new(groups: &[Enabled], literals: &Literals) -> Self {
        let mut fits = Box::new([0u64; 256]);
        let mut held = [0u32; 8];
        let mut short = false;
        for (group, at) in groups.iter().zip(0u32..) {
            let beginnings = group.tables.beginnings.iter().zip(group.detectors.iter()).zip(0u32..);
            for ((sets, detector), bit) in beginnings.filter(|(_, bit)| group.has(*bit)) {
                let Some(sets) = sets else { continue };
                let bucket = 1u64.wrapping_shl(detector.bucket);
                let held = usize::try_from(detector.bucket).ok().and_then(|bucket| held.get_mut(bucket));
                if let Some(held) = held {
                    *held |= 1u32.wrapping_shl(at);
                }
                short |= sets.last() == Some(&[u64::MAX; 4]);
                for (fits, byte) in fits.iter_mut().zip(0u8..=255) {
                    let before = group.startable(group.after(byte)).wrapping_shr(bit) & 1 == 1;
                    *fits |= if before { bucket << 32 } else { 0 };
                    for (set, depth) in sets.iter().zip(1u32..) {
                        *fits |= if holds(set, byte) { lane(bucket, depth) } else { 0 };
                    }
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
        let mut of_buckets = Box::new([0; 256]);
        for (groups, buckets) in of_buckets.iter_mut().zip(0u32..) {
            let held = held.iter().zip(0u32..).filter(|(_, bucket)| buckets.wrapping_shr(*bucket) & 1 == 1);
            *groups = held.fold(0, |all, (groups, _)| all | groups);
        }
        let blocks = Blocks::new(|at, byte| {
            let fits = fits.get(usize::from(byte)).copied().unwrap_or(0);
            let lane = u32::try_from(at).map_or(0, |at| 32u32.wrapping_sub(at.wrapping_mul(8)));
            u8::try_from(fits.wrapping_shr(lane) & 0xff).unwrap_or(0)
        });
        let empty = fits.iter().all(|fits| fits & 0xff == 0);
        Self { fits, blocks, groups: of_buckets, empty, short }
    }

    /// The first place at or after `at` where a value may start, if `plausible` leaves any of the groups that it is
    /// asked about. At the end of a text that goes on, the bytes that are not there yet fit anything; `before` stands
    /// before the text. `seen` remembers, for the same text, what was looked at.
    #[inline(always)]
    pub fn next(
        &self,
        seen: &mut Seen,
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
            let literal = buckets & u64::from(LITERAL) != 0;
            (groups != 0 || literal).then_some(Proposal { at, groups, literal })
        };
        if at == 0 && text.len() > PLACES {
            let proposal = self.at(text, 0, before).and_then(|buckets| propose(0, buckets));
            if proposal.is_some() {
                return proposal;
            }
        }
        while text.len() > PLACES {
            while seen.places != 0 {
                let place =
                    seen.base.wrapping_add(usize::try_from(seen.places.trailing_zeros()).unwrap_or(0));
                seen.places &= seen.places.wrapping_sub(1);
                let buckets = if place < at { None } else { self.at(text, place, before) };
                let proposal = buckets.and_then(|buckets| propose(place, buckets));
                if proposal.is_some() {
                    return proposal;
                }
            }
            let found = self.blocks.find(text, at.max(seen.to).max(1));
            (seen.base, seen.places) = (found.base, found.places);
            if found.places == 0 {
                seen.to = found.base;
                break;
            }
            seen.to = found.base.wrapping_add(PLACES);
        }
        self.last(text, at.max(seen.to), before, end, propose)
    }

    /// The last places of a text, where there is no room for vectors.
    fn last(
        &self,
        text: &[u8],
        at: usize,
        before: u8,
        end: bool,
        propose: impl Fn(usize, u64) -> Option<Proposal>,
    ) -> Option<Proposal> {
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

    /// The buckets that fit a place, if any; the text has all four bytes.
    #[inline(always)]
    fn at(&self, text: &[u8], place: usize, before: u8) -> Option<u64> {
        let before = place.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let [a, b, c, d] = *text.get(place..)?.first_chunk::<DEPTH>()?;
        let first = self.of(before) >> 32 & self.of(a) >> 24 & self.of(b) >> 16;
        let fits = first & self.of(c) >> 8 & self.of(d) & 0xff;
        (fits != 0).then_some(fits)
    }

    #[inline(always)]
    fn groups(&self, buckets: u64) -> u32 {
        usize::try_from(buckets).ok().and_then(|buckets| self.groups.get(buckets)).copied().unwrap_or(0)
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

pub fn holds(set: &[u64; 4], byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}
