//! Where a value may start, by five bytes: the one before it and its first four.
//!
//! Sixteen buckets of detectors (one of them literals) each have five sets of bytes. A place is proposed when all five
//! bytes around it lie in the sets of one bucket. More is proposed than matches, never less. Sixteen places at once
//! are sorted out by vectors ([`super::blocks`]), what is left one by one.
use super::blocks::{Blocks, PLACES};
use super::literals::Literals;
use super::plan::Enabled;

/// The bucket of literals.
const LITERAL: u128 = 1 << 15;
/// All buckets, in the lowest lane.
const ALL: u128 = 0xffff;
/// Bits of a lane.
const LANE: u32 = 16;
/// The bytes of a value that are looked at.
const DEPTH: usize = 4;

/// What of a plan the automata have to look at from one place.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub at: usize,
    /// The plan's groups, as bits.
    pub groups: u32,
    /// The plan's lexicons, as bits.
    pub lexicons: u32,
    /// Whether a literal may start there.
    pub literal: bool,
}

/// For each byte, the buckets it fits, in lanes of sixteen bits: the lowest as a value's fourth byte, the next as its
/// third, and so on; the fifth as the byte before it.
pub struct Fingerprints {
    fits: Box<[u128; 256]>,
    blocks: Blocks,
    /// The plan's groups with a detector in each bucket, as bits.
    groups: [u32; 16],
    /// The buckets of which every detector asks for words before its values.
    asking: u128,
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
        let mut fits = Box::new([0u128; 256]);
        let mut held = [0u32; 16];
        let mut short = false;
        let (mut asking, mut free) = (0u128, LITERAL);
        for (group, at) in groups.iter().zip(0u32..) {
            let beginnings = group.tables.beginnings.iter().zip(group.detectors.iter()).zip(0u32..);
            for ((sets, detector), bit) in beginnings.filter(|(_, bit)| group.has(*bit)) {
                let Some(sets) = sets else { continue };
                let bucket = 1u128.wrapping_shl(detector.bucket);
                let side = if detector.finder.context.is_some() { &mut asking } else { &mut free };
                *side |= bucket;
                let held = usize::try_from(detector.bucket).ok().and_then(|bucket| held.get_mut(bucket));
                if let Some(held) = held {
                    *held |= 1u32.wrapping_shl(at);
                }
                short |= sets.last() == Some(&[u64::MAX; 4]);
                for (fits, byte) in fits.iter_mut().zip(0u8..=255) {
                    let before = group.startable(group.after(byte)).wrapping_shr(bit) & 1 == 1;
                    *fits |= if before { lane(bucket, 0) } else { 0 };
                    for (set, depth) in sets.iter().zip(1u32..) {
                        *fits |= if holds(set, byte) { lane(bucket, depth) } else { 0 };
                    }
                }
            }
        }
        for literal in literals.iter() {
            fits.iter_mut().for_each(|fits| *fits |= lane(LITERAL, 0));
            for (byte, depth) in literal.iter().take(DEPTH).zip(1u32..) {
                if let Some(fits) = fits.get_mut(usize::from(*byte)) {
                    *fits |= lane(LITERAL, depth);
                }
            }
        }
        let blocks = Blocks::new(|at, byte| {
            let fits = fits.get(usize::from(byte)).copied().unwrap_or(0);
            u32::try_from(at).map_or(0, |at| down(fits, at))
        });
        let empty = fits.iter().all(|fits| fits & ALL == 0);
        Self { fits, blocks, groups: held, asking: asking & !free, empty, short }
    }

    /// The first place at or after `at` where a value may start, if `plausible` leaves any groups of the buckets that it is
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
        mut plausible: impl FnMut(usize, u128) -> u32,
    ) -> Option<Proposal> {
        if self.empty {
            return None;
        }
        let mut propose = |at: usize, buckets: u128| {
            let groups = plausible(at, buckets);
            let literal = buckets & LITERAL != 0;
            (groups != 0 || literal).then_some(Proposal { at, groups, lexicons: 0, literal })
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
        mut propose: impl FnMut(usize, u128) -> Option<Proposal>,
    ) -> Option<Proposal> {
        let first = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let mut fitting = self.of(first) & lane(ALL, 0);
        for (place, byte) in (at..).zip(text.get(at..)?) {
            // The bucket's bit travels down the lanes, one a byte, as long as each byte fits.
            fitting = (fitting >> LANE | lane(ALL, 0)) & self.of(*byte);
            if fitting & ALL != 0
                && let Some(proposal) = propose(place.wrapping_sub(3), fitting & ALL)
            {
                return Some(proposal);
            }
        }
        if end && !self.short {
            return None;
        }
        [3u32, 2, 1].into_iter().find_map(|seen| {
            let fits = u128::from(down(fitting, seen));
            let start = text.len().checked_sub(usize::try_from(seen).ok()?).filter(|&start| start >= at)?;
            if fits != 0 { propose(start, fits) } else { None }
        })
    }

    /// The buckets that fit a place, if any; the text has all four bytes.
    #[inline(always)]
    fn at(&self, text: &[u8], place: usize, before: u8) -> Option<u128> {
        let before = place.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
        let [a, b, c, d] = *text.get(place..)?.first_chunk::<DEPTH>()?;
        let start = down(self.of(before), 0) & down(self.of(a), 1) & down(self.of(b), 2);
        let fits = start & down(self.of(c), 3) & down(self.of(d), 4);
        (fits != 0).then_some(fits.into())
    }

    /// The groups of some buckets; of those that ask for words only near such a word.
    #[inline(always)]
    pub fn groups(&self, buckets: u128, near: impl FnOnce() -> bool) -> u32 {
        let far = buckets & self.asking != 0 && !near();
        let (mut left, mut groups) = (if far { buckets & !self.asking } else { buckets }, 0);
        while left != 0 {
            let bucket = usize::try_from(left.trailing_zeros()).unwrap_or(0);
            groups |= self.groups.get(bucket).copied().unwrap_or(0);
            left &= left.wrapping_sub(1);
        }
        groups
    }

    #[inline(always)]
    fn of(&self, byte: u8) -> u128 {
        self.fits.get(usize::from(byte)).copied().unwrap_or(0)
    }
}

/// The buckets, in the lane of a place: 0 for the byte before the value, 1 for its first byte, and so on.
#[inline(always)]
fn lane(buckets: u128, place: u32) -> u128 {
    buckets.wrapping_shl(LANE.wrapping_mul(4u32.wrapping_sub(place)))
}

/// The buckets in the lane of a place.
#[inline(always)]
fn down(fits: u128, place: u32) -> u16 {
    u16::try_from(fits.wrapping_shr(LANE.wrapping_mul(4u32.wrapping_sub(place))) & ALL).unwrap_or(0)
}

pub fn holds(set: &[u64; 4], byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}
