//! What vectors are told of a plan, so that they find the places where its values may start ([`super::blocks`]). More
//! places are told than values start at, never fewer; [`super::prefixes`] looks closer.
use super::blocks::Blocks;
use super::grammar::{DEPTH, NEAR, Set};
use super::literals::Literals;
use super::plan::Enabled;

/// The bucket of literals.
const LITERAL: u32 = 7;

/// What tells the places of a plan.
pub fn blocks(groups: &[Enabled], literals: &Literals) -> Blocks {
    let (mut closing, mut within) = ([u64::MAX; 4], [0; 4]);
    groups.iter().for_each(|group| add_group(group, &mut closing, &mut within));
    let long_words = groups.iter().flat_map(|group| {
        group.tables.long_words.iter().filter(|word| group.has(word.pattern)).map(|word| word.length)
    });
    // Vectors look at so many bytes, or at half of them.
    let long = long_words.min().is_none_or(|length| length >= DEPTH.wrapping_mul(2));
    let mut blocks = Blocks::new(&closing, &within, long);
    let marks =
        groups.iter().flat_map(|group| group.tables.marks.iter().filter(|mark| group.has(mark.pattern)));
    for (mark, bucket) in marks.filter_map(|mark| Some((mark, mark.bucket?))) {
        blocks.add(bucket, mark.within, &mark.sets);
    }
    for literal in literals.iter() {
        let mut sets = [[0; 4]; NEAR];
        sets.iter_mut().zip(literal).for_each(|(set, byte)| insert(set, *byte));
        blocks.add(LITERAL, true, &sets);
    }
    blocks
}

/// What a group adds: `closing` loses the bytes after which its values may start, unless they may start within words
/// all the same; `within` gains the first bytes of those.
fn add_group(group: &Enabled, closing: &mut Set, within: &mut Set) {
    let mut inside = 0u64;
    for mark in group.tables.marks.iter().filter(|mark| group.has(mark.pattern) && mark.within) {
        inside |= 1u64.wrapping_shl(mark.pattern);
        if mark.bucket.is_none() {
            let [first, ..] = mark.sets;
            within.iter_mut().zip(first).for_each(|(all, set)| *all |= set);
        }
    }
    let after = |byte: u8| group.startable(group.after(byte)) & group.tables.unanchored & !inside != 0;
    (0u8..=255).filter(|&byte| after(byte)).for_each(|byte| remove(closing, byte));
}

/// Adds a byte to a set.
fn insert(set: &mut Set, byte: u8) {
    if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
        *word |= 1u64.wrapping_shl(u32::from(byte & 63));
    }
}

fn remove(set: &mut Set, byte: u8) {
    if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
        *word &= !1u64.wrapping_shl(u32::from(byte & 63));
    }
}
