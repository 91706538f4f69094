//! Where values of a plan may start, told by their first four bytes.
//!
//! Beginnings that are alike share one of 128 cells (one of them is for literals), which are asked byte by byte. That is
//! exact but for what shares a cell, and too slow for every place: vectors tell which places are worth it
//! ([`super::blocks`]). More is proposed than matches, never less; [`super::beginnings`] looks closer.
use super::blocks::Blocks;
use super::grammar::{DEPTH, NEAR, Set};
use super::literals::Literals;
use super::plan::Enabled;

/// The bucket of literals.
const LITERAL: u32 = 7;
/// The cell of literals.
pub const LITERALS: u32 = 127;

/// What tells places byte by byte.
pub struct Cells {
    /// For each of the first bytes, the cells that fit each byte.
    cells: Box<[[u128; 256]; NEAR]>,
    /// The bytes of the long words that values begin with, and how many stand there at least.
    of_runs: Set,
    run: usize,
}

impl Cells {
    fn add(&mut self, cell: u32, sets: &[Set; NEAR]) {
        for (cells, set) in self.cells.iter_mut().zip(sets) {
            let held = cells.iter_mut().zip(0u8..=255).filter(|(_, byte)| holds(set, *byte));
            held.for_each(|(cells, _)| *cells |= 1u128.wrapping_shl(cell));
        }
    }

    /// The cells of values that may start with these bytes. Of fewer than are looked at: of those that are there.
    #[inline(always)]
    pub fn of(&self, text: &[u8]) -> u128 {
        let of = |(cells, byte): (&[u128; 256], &u8)| cells.get(usize::from(*byte)).copied().unwrap_or(0);
        if let Some(first) = text.first_chunk::<NEAR>() {
            return self.cells.iter().zip(first).map(of).fold(u128::MAX, |all, cells| all & cells);
        }
        self.cells.iter().zip(text).map(of).fold(u128::MAX, |all, cells| all & cells)
    }

    /// Whether a text starts with a long word, as far as it goes.
    #[inline(always)]
    pub fn like_a_long_word(&self, text: &[u8]) -> bool {
        text.iter().take(self.run).all(|&byte| holds(&self.of_runs, byte))
    }
}

/// What tells the places of a plan: coarsely for vectors, and closer.
pub fn fingerprints(groups: &[Enabled], literals: &Literals) -> (Blocks, Cells) {
    let mut cells = Cells { cells: Box::new([[0; 256]; NEAR]), of_runs: [0; 4], run: DEPTH.wrapping_mul(2) };
    let (mut closing, mut within) = ([u64::MAX; 4], [0; 4]);
    for group in groups {
        add_group(group, &mut cells, &mut closing, &mut within);
    }
    let mut blocks = Blocks::new(&closing, &within, cells.run > DEPTH);
    let marks =
        groups.iter().flat_map(|group| group.tables.marks.iter().filter(|mark| group.has(mark.pattern)));
    for (mark, bucket) in marks.filter_map(|mark| Some((mark, mark.bucket?))) {
        blocks.add(bucket, mark.within, &mark.sets);
    }
    for literal in literals.iter() {
        let mut sets = [[0; 4]; NEAR];
        sets.iter_mut().zip(literal).for_each(|(set, byte)| insert(set, *byte));
        cells.add(LITERALS, &sets);
        blocks.add(LITERAL, true, &sets);
    }
    (blocks, cells)
}

/// What a group adds: `closing` loses the bytes after which its values may start, unless they may start within words
/// all the same; `within` gains the first bytes of those.
fn add_group(group: &Enabled, cells: &mut Cells, closing: &mut Set, within: &mut Set) {
    let mut inside = 0u64;
    for mark in group.tables.marks.iter().filter(|mark| group.has(mark.pattern)) {
        cells.add(mark.cell, &mark.sets);
        if mark.within {
            inside |= 1u64.wrapping_shl(mark.pattern);
            if mark.bucket.is_none() {
                let [first, ..] = mark.sets;
                within.iter_mut().zip(first).for_each(|(all, set)| *all |= set);
            }
        }
    }
    for word in group.tables.long_words.iter().filter(|word| group.has(word.pattern)) {
        cells.of_runs.iter_mut().zip(word.of).for_each(|(all, set)| *all |= set);
        // Vectors look at so many bytes, or at half of them.
        cells.run = if word.length < cells.run { DEPTH } else { cells.run };
    }
    let unanchored = group.tables.beginnings.iter().zip(0u32..).filter(|(sets, _)| sets.is_some());
    for (_, pattern) in unanchored.filter(|(_, pattern)| group.has(*pattern)) {
        let bit = 1u64.wrapping_shl(pattern);
        let after = |byte: u8| group.startable(group.after(byte)) & bit != 0;
        if inside & bit == 0 {
            (0u8..=255).filter(|&byte| after(byte)).for_each(|byte| remove(closing, byte));
        }
    }
}

/// Adds a byte to a set.
pub fn insert(set: &mut Set, byte: u8) {
    if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
        *word |= 1u64.wrapping_shl(u32::from(byte & 63));
    }
}

fn remove(set: &mut Set, byte: u8) {
    if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
        *word &= !1u64.wrapping_shl(u32::from(byte & 63));
    }
}

/// Whether a set holds a byte.
pub fn holds(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}
