//! What vectors are told of a plan, so that they find the places where its values may start ([`super::blocks`]). More
//! places are told than values start at, never fewer; [`super::prefixes`] looks closer.
use super::blocks::{Beginning, Blocks};
use super::grammar::{LONG, NEAR, Set};
use super::literals::Literals;
use super::plan::Enabled;

/// The bucket of literals.
const LITERAL: u32 = 7;

/// What tells the places of a plan.
pub fn blocks(groups: &[Enabled], literals: &Literals) -> Blocks {
    let mut closing = [u64::MAX; 4];
    groups.iter().for_each(|group| open(group, &mut closing));
    let long_words = groups.iter().flat_map(|group| {
        group.tables.long_words.iter().filter(|word| group.has(word.pattern)).map(|word| word.length)
    });
    // Vectors look at so many bytes, or at as few as any has.
    let long = long_words.min().is_none_or(|length| length >= LONG);
    let marks =
        groups.iter().flat_map(|group| group.tables.marks.iter().filter(|mark| group.has(mark.pattern)));
    let beginnings = marks
        .filter_map(|mark| Some(Beginning { bucket: mark.bucket?, within: mark.within, sets: mark.sets }));
    let literals = literals.iter().map(|literal| {
        let mut sets = [[0; 4]; NEAR];
        sets.iter_mut().zip(literal).for_each(|(set, byte)| insert(set, *byte));
        Beginning { bucket: LITERAL, within: true, sets }
    });
    Blocks::new(&closing, long, &beginnings.chain(literals).collect::<Vec<_>>())
}

/// Takes the bytes out after which a group's values may start, but for those that buckets tell wherever they are.
fn open(group: &Enabled, closing: &mut Set) {
    let inside = group.tables.marks.iter().filter(|mark| mark.within);
    let inside = inside.fold(0u64, |all, mark| all | 1u64.wrapping_shl(mark.pattern));
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
