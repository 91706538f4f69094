//! Where a value may start: proposed by fingerprints and by anchors, each looked for once per stretch of text.
use std::ops::Range;

use super::blocks::{FEWEST, Found, PLACES};
use super::grammar::{Anchor, DEPTH};
use super::heard::Heard;
use super::plan::{Enabled, Prepared};
use super::prefixes::{Begun, Of, Prefixes};
use super::rows::Rows;
use super::tables::START;
use super::tails::Tails;

/// Anchors in one plan; build.rs sees to it that there are not more.
const MOST_ANCHORS: usize = 8;

/// What of a plan the automata have to look at from one place.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub at: usize,
    /// The rows of which a value may start there.
    pub rows: Rows,
    /// The groups of which an anchor stands after it, as bits.
    pub anchored: u32,
    /// The plan's lexicons, as bits.
    pub lexicons: u32,
    /// The anchors for whose sake it is surely held, as bits ([`Tails`]).
    pub sure: u16,
}

/// What is known of the places ahead in one stretch of text.
#[derive(Default)]
pub struct Ahead {
    known: Option<Known>,
    /// Whether all of a place is asked for, even where less shows that it is held.
    all: bool,
}

#[derive(Default)]
struct Known {
    plain: Next,
    /// The rows that are proposed there.
    rows: Rows,
    /// The places that were looked at last; of those that fit, the ones that are still to be asked for.
    seen: Found,
    anchored: [Next; MOST_ANCHORS],
    words: Vec<Next>,
}

impl Ahead {
    /// Nothing yet; all of a place is to be asked for.
    pub fn all() -> Self {
        Self { known: None, all: true }
    }

    /// Whether all of a place is asked for.
    pub fn is_all(&self) -> bool {
        self.all
    }
}

/// The place after the next one that a generator proposes: 0 before it was asked, the highest number when it has no
/// more.
#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next(usize);

impl Next {
    const NEVER: Self = Self(usize::MAX);

    fn at(place: Option<usize>) -> Self {
        place.map_or(Self::NEVER, |place| Self(place.wrapping_add(1)))
    }

    /// Asks anew when the known place has been passed.
    #[inline(always)]
    fn known(&mut self, at: usize, find: impl FnOnce() -> Option<usize>) -> Self {
        if self.0 <= at {
            *self = Self::at(find());
        }
        *self
    }
}

/// A stretch of text, and what stands before it.
pub struct Stretch<'a> {
    pub text: &'a [u8],
    /// The byte before it.
    pub before: u8,
    /// The bytes before it, where a detector asks for them.
    pub past: &'a [u8],
    /// Whether the text ends with it.
    pub end: bool,
}

impl Stretch<'_> {
    #[inline(always)]
    fn before(&self, place: usize) -> u8 {
        place.checked_sub(1).and_then(|at| self.text.get(at)).copied().unwrap_or(self.before)
    }
}

impl Prepared {
    /// The first place at or after `at` where a value may start, and which automata have to decide.
    #[inline]
    pub fn candidate(
        &self,
        ahead: &mut Ahead,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        at: usize,
    ) -> Option<Candidate> {
        let &Stretch { text, before, end, .. } = stretch;
        if let Some(tails) = self.tails.as_ref().filter(|_| self.is_few(stretch, at)) {
            return self.candidate_of_few(tails, ahead.all, heard, stretch, at);
        }
        let Ahead { known, all: ask_all } = ahead;
        let Known { plain, rows, seen, anchored, words } = known.get_or_insert_default();
        let mut first = Next::NEVER;
        if self.may_hold_anchors(text, at, end) {
            for (anchor, next) in self.anchors.iter().zip(anchored.iter_mut()) {
                let find = || anchor.next(self.groups.get(anchor.group)?, text, at, before, end);
                first = first.min(next.known(at, find));
            }
        }
        // What is held from a word on at the end of the text is held whatever else may start in it.
        let place = first.0.wrapping_sub(1);
        let held = !end && !*ask_all && first != Next::NEVER && text.len().saturating_sub(place) < DEPTH;
        let limit = if held { place } else { text.len() };
        first = first.min(plain.known(at, || {
            let found = self.plain(seen, heard, stretch, at, limit)?;
            *rows = found.1;
            Some(found.0)
        }));
        if !self.lexicons.is_empty() {
            words.resize(self.lexicons.len(), Next::default());
            for (lexicon, next) in self.lexicons.iter().zip(words.iter_mut()) {
                first = first.min(next.known(at, || lexicon.next(text, at, before, end)));
            }
        }
        if first == Next::NEVER {
            return None;
        }
        let mut all = Candidate { at: first.0.wrapping_sub(1), ..Candidate::default() };
        if *plain == first {
            all.rows = *rows;
        }
        for (anchor, _) in self.anchors.iter().zip(anchored.iter()).filter(|(_, next)| **next == first) {
            all.anchored |= bit(anchor.group);
        }
        for (index, _) in words.iter().enumerate().filter(|(_, next)| **next == first) {
            all.lexicons |= bit(index);
        }
        Some(all)
    }

    /// Whether a text that goes on is so short that what may start in it is told byte by byte.
    #[inline(always)]
    fn is_few(&self, stretch: &Stretch<'_>, at: usize) -> bool {
        let &Stretch { text, end, .. } = stretch;
        let anchors = || {
            let rest = text.get(at..).unwrap_or_default();
            let all = rest.iter().fold(0, |all, &byte| all | self.of_anchors(byte)) & ANCHOR;
            all != 0 && self.anchors.iter().any(|anchored| anchored.stands_in(text, at))
        };
        text.len() <= FEWEST && !end && self.lexicons.is_empty() && !anchors()
    }

    /// The same of a short text that goes on and holds no anchor.
    fn candidate_of_few(
        &self,
        tails: &Tails,
        all: bool,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        at: usize,
    ) -> Option<Candidate> {
        let &Stretch { text, before, .. } = stretch;
        let tail = tails.find(text, at, before);
        let limit = match tail {
            None => text.len(),
            Some(tail) if !all && text.len().saturating_sub(tail.at) < DEPTH => tail.at,
            Some(tail) => tail.at.saturating_add(1),
        };
        let plain = self.with_prefixes(|prefixes| self.plain_of_few(prefixes, heard, stretch, at..limit));
        let Some((at, rows)) = plain else {
            return tail.map(|tail| Candidate {
                at: tail.at,
                anchored: tail.groups,
                sure: tail.sure,
                ..Candidate::default()
            });
        };
        let anchored = tail.filter(|tail| tail.at == at).map_or(0, |tail| tail.groups);
        Some(Candidate { at, rows, anchored, ..Candidate::default() })
    }

    /// The first of some places, told one by one, where a value without an anchor may start, and of which rows.
    #[inline(always)]
    fn plain_of_few(
        &self,
        prefixes: &mut Prefixes,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        places: Range<usize>,
    ) -> Option<(usize, Rows)> {
        let &Stretch { text, before, .. } = stretch;
        let mut left = places;
        while !left.is_empty() {
            let some = left.start..left.end.min(left.start.saturating_add(PLACES));
            left.start = some.end;
            let start = some.start;
            let mut told = self.blocks.few(text, some, before, |last, byte| prefixes.may_begin(last, byte));
            while told != 0 {
                let place = start.wrapping_add(usize::try_from(told.trailing_zeros()).unwrap_or(0));
                told &= told.wrapping_sub(1);
                if let Some(begun) =
                    prefixes.begin(stretch.before(place), text.get(place..).unwrap_or_default())
                    && let Some(rows) = self.plausible(prefixes, heard, stretch, place, begun)
                {
                    return Some((place, rows));
                }
            }
        }
        None
    }

    /// Whether an anchor may stand after a place, or the run before one at the text's end.
    #[inline(always)]
    fn may_hold_anchors(&self, text: &[u8], at: usize, end: bool) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        // A long text is searched for each.
        rest.len() > FEWEST
            || !end && rest.last().is_some_and(|&byte| self.of_anchors(byte) & OF_RUN != 0)
            || rest.iter().fold(0, |all, &byte| all | self.of_anchors(byte)) & ANCHOR != 0
    }

    fn of_anchors(&self, byte: u8) -> u8 {
        self.anchor_bytes.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// The first place from `at` up to a limit where a value without an anchor may start, and of which rows. `seen`
    /// remembers, for the same text, what was looked at.
    fn plain(
        &self,
        seen: &mut Found,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        at: usize,
        limit: usize,
    ) -> Option<(usize, Rows)> {
        self.with_prefixes(|prefixes| self.plain_by(prefixes, seen, heard, stretch, at..limit))
    }

    /// Does something with the prefixes.
    #[inline(always)]
    fn with_prefixes<T>(&self, act: impl FnOnce(&mut Prefixes) -> T) -> T {
        // What is told does not depend on what was told before: were it in use, another would do.
        let mut kept = self.prefixes.try_borrow_mut();
        let mut other;
        let prefixes = match &mut kept {
            Ok(kept) => &mut **kept,
            Err(_) => {
                other = Prefixes::new(&self.groups, &self.literals);
                &mut other
            }
        };
        act(prefixes)
    }

    fn plain_by(
        &self,
        prefixes: &mut Prefixes,
        seen: &mut Found,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        places: Range<usize>,
    ) -> Option<(usize, Rows)> {
        let (text, Range { start: at, end: limit }) = (stretch.text, places);
        if at == 0
            && text.len() > FEWEST
            && let Some(rows) = self.plausible(prefixes, heard, stretch, 0, Begun::UNKNOWN)
        {
            return Some((0, rows));
        }
        loop {
            for place in seen.by_ref() {
                // They are places after the first.
                let Some((&last, value)) = text.get(place.wrapping_sub(1)..).and_then(<[u8]>::split_first)
                else {
                    continue;
                };
                if place >= at
                    && let Some(begun) = prefixes.begin(last, value)
                    && let Some(rows) = self.plausible(prefixes, heard, stretch, place, begun)
                {
                    return Some((place, rows));
                }
            }
            let from = at.max(seen.to).max(1);
            let left = text.len().saturating_sub(from);
            if left < FEWEST || from >= limit {
                break;
            }
            *seen = self.blocks.find(text, from);
            if seen.is_empty() && text.len().saturating_sub(seen.to) >= FEWEST {
                *seen = self.blocks.last(text, seen.to);
            }
        }
        // The last places, where there is no room for vectors.
        self.plain_of_few(prefixes, heard, stretch, at.max(seen.to)..limit)
    }

    /// The rows of which a value may start at a place, if any.
    #[inline(never)]
    fn plausible(
        &self,
        prefixes: &mut Prefixes,
        heard: &mut Heard,
        stretch: &Stretch<'_>,
        place: usize,
        begun: Begun,
    ) -> Option<Rows> {
        let value = stretch.text.get(place..).unwrap_or_default();
        let of = Of { groups: &self.groups, literals: &self.literals, rows: &self.rows };
        let near = || heard.near(&self.wanted, stretch.past, stretch.text, place);
        let rows = prefixes.rows(&of, stretch.before(place), value, begun, near);
        let rows = if rows.is_empty() { rows } else { self.rows.through(rows, &self.groups, value) };
        (!rows.is_empty()).then_some(rows)
    }
}

fn bit(index: usize) -> u32 {
    u32::try_from(index).map_or(0, |index| 1u32.wrapping_shl(index))
}

/// A byte that some plan's value is found by, and one that may stand before it.
const ANCHOR: u8 = 1;
const OF_RUN: u8 = 2;

/// What each byte is to some anchors.
pub fn anchor_bytes(anchors: &[Anchored]) -> Box<[u8; 256]> {
    let mut all = Box::new([0; 256]);
    for anchor in anchors.iter().flat_map(|anchored| &anchored.anchors) {
        for ((held, byte), of_run) in all.iter_mut().zip(0u8..=255).zip(anchor.run) {
            *held |= if byte == anchor.byte { ANCHOR } else { 0 };
            *held |= if of_run { OF_RUN } else { 0 };
        }
    }
    all
}

/// Bytes after an anchor that are looked at before its run is.
const LOOK: usize = 4;
/// Bytes in which the next anchor is looked for before a call searches the rest.
const NEAR: usize = 8;

/// The anchors of one of the plan's groups that are the same byte.
pub struct Anchored {
    /// Its group's place.
    group: usize,
    byte: u8,
    /// The values that have it.
    anchors: Vec<Anchor>,
    /// For each byte, at which of the first places after the anchor it may stand, as bits.
    follows: Box<[u8; 256]>,
    /// The bytes that may stand right before the anchor.
    before: Box<[bool; 256]>,
    /// Whether a value may start with the anchor itself.
    bare: bool,
}

impl Anchored {
    /// Of a group's anchors that are looked for.
    pub fn of_group(index: usize, group: &Enabled) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for anchor in group.tables.anchors.iter().filter(|anchor| group.has(anchor.pattern)) {
            let follows = follows(group, anchor);
            let (accept, reach) = group.masks(group.step(START, anchor.byte));
            let is_bare = (accept | reach).wrapping_shr(anchor.pattern) & 1 == 1;
            match all.iter_mut().find(|known| known.byte == anchor.byte) {
                Some(known) => {
                    known.anchors.push(anchor.clone());
                    known.follows.iter_mut().zip(follows.iter()).for_each(|(all, more)| *all |= more);
                    known.before.iter_mut().zip(anchor.run).for_each(|(all, more)| *all |= more);
                    known.bare |= is_bare;
                }
                None => {
                    all.push(Self {
                        group: index,
                        byte: anchor.byte,
                        anchors: vec![anchor.clone()],
                        follows,
                        before: Box::new(anchor.run),
                        bare: is_bare,
                    });
                }
            }
        }
        all
    }

    /// The first place at or after `at` where a value with this anchor may start: where the run before an anchor
    /// starts, or, in a text that goes on, the run at its end. No value starts within a run, for no value starts after
    /// a byte of it (build.rs sees to that).
    fn next(&self, group: &Enabled, text: &[u8], at: usize, before: u8, end: bool) -> Option<usize> {
        let mut from = at;
        while let Some(stop) = self.find(text, from) {
            if self.may_end(text, at, stop)
                && self.fits(text, stop)
                && let Some(start) = self.start(group, text, at, stop, before)
            {
                return Some(start);
            }
            from = stop.wrapping_add(1);
        }
        if end {
            None
        } else {
            self.start(group, text, at, text.len(), before).filter(|&start| start < text.len())
        }
    }

    #[inline(always)]
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let is = |byte: &u8| *byte == self.byte;
        let rest = text.get(from..)?;
        let found = match rest.split_at_checked(NEAR) {
            None => rest.iter().position(is),
            Some((near, far)) => {
                let found = near.iter().position(is);
                found.or_else(|| memchr::memchr(self.byte, far)?.checked_add(NEAR))
            }
        };
        from.checked_add(found?)
    }

    /// Whether a value that starts at a place or after it may have come to an anchor.
    #[inline(always)]
    fn may_end(&self, text: &[u8], at: usize, stop: usize) -> bool {
        let before = stop.checked_sub(1).filter(|before| *before >= at).and_then(|before| text.get(before));
        let of_run = before.is_some_and(|byte| self.before.get(usize::from(*byte)).copied().unwrap_or(false));
        self.bare || of_run
    }

    /// Whether what follows the anchor may; what is not there yet may be anything.
    #[inline(always)]
    fn fits(&self, text: &[u8], stop: usize) -> bool {
        let next = text.get(stop.wrapping_add(1)..).unwrap_or_default();
        let may = |(byte, bit): (&u8, u32)| {
            self.follows.get(usize::from(*byte)).copied().unwrap_or(0).wrapping_shr(bit) & 1 == 1
        };
        next.iter().take(LOOK).zip(0u32..).all(may)
    }

    /// Whether it stands in a text, from a place on, where it may after a value that starts there or later.
    fn stands_in(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default().iter().zip(at..);
        let mut stops = rest.filter(|(byte, _)| **byte == self.byte);
        stops.any(|(_, stop)| self.may_end(text, at, stop) && self.fits(text, stop))
    }

    /// Where the first of the runs before a place starts, if a value may.
    #[inline(always)]
    fn start(&self, group: &Enabled, text: &[u8], at: usize, stop: usize, before: u8) -> Option<usize> {
        let run = text.get(at..stop)?;
        let starts = self.anchors.iter().filter_map(|anchor| {
            let of_run = |byte: &&u8| anchor.run.get(usize::from(**byte)).copied().unwrap_or(false);
            let length = run.iter().rev().take(anchor.longest.wrapping_add(1)).take_while(of_run).count();
            let start = stop.checked_sub(length)?;
            let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(before);
            let startable = group.startable(group.after(before)).wrapping_shr(anchor.pattern) & 1 == 1;
            (startable && length <= anchor.longest).then_some(start)
        });
        starts.min()
    }
}

/// For each byte, at which of the first places after an anchor it may stand, as bits.
fn follows(group: &Enabled, anchor: &Anchor) -> Box<[u8; 256]> {
    let steps = group.steps();
    let mask = 1u64.wrapping_shl(anchor.pattern);
    let after = |states: &[u16], byte: u8| -> Vec<u16> {
        let targets = states.iter().map(|&state| steps.step(state, byte));
        let alive = |state: &u16| (steps.masks(*state).0 | steps.masks(*state).1) & mask != 0;
        targets.filter(alive).collect()
    };
    let all_after = |states: &[u16]| -> Vec<u16> {
        let mut targets: Vec<u16> = (0..=255).flat_map(|byte| after(states, byte)).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    };
    let mut level = vec![START];
    let mut states = Vec::new();
    for _ in 0..=anchor.longest {
        states.extend(after(&level, anchor.byte));
        let run = (0..=255).filter(|&byte| byte != anchor.byte);
        level = run.flat_map(|byte| after(&level, byte)).collect();
        level.sort_unstable();
        level.dedup();
    }
    let mut follows = Box::new([0; 256]);
    for place in 0..LOOK {
        states.sort_unstable();
        states.dedup();
        let bit = u32::try_from(place).map_or(0, |place| 1u8.wrapping_shl(place));
        // Where a value may be over, anything follows.
        let over = states.iter().any(|&state| steps.masks(state).0 & mask != 0);
        for (held, byte) in follows.iter_mut().zip(0..=255) {
            *held |= if over || !after(&states, byte).is_empty() { bit } else { 0 };
        }
        if over {
            follows.iter_mut().for_each(|held| *held |= u8::MAX.wrapping_mul(bit));
            break;
        }
        states = all_after(&states);
    }
    follows
}
