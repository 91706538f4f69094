//! The first eight bytes of each pattern's values.
use std::collections::BTreeMap;

use super::automaton::{Automaton, START};

/// Bytes of a value that are looked at before it is walked.
pub const DEPTH: usize = 8;
/// Those of them that vectors look at.
pub const NEAR: usize = 4;

/// The bytes that may stand at one place, as bits.
pub type Set = [u64; 4];
/// The bytes that may stand at each of the first places.
pub type Sets = [Set; DEPTH];

/// The first bytes of a pattern's values; where a value is over, anything may follow.
pub fn sets(automaton: &Automaton, pattern: usize) -> Sets {
    let mut sets = [[0; 4]; DEPTH];
    sets.iter_mut().zip(levels(automaton, pattern, DEPTH)).for_each(|(set, level)| *set = level);
    sets
}

/// The same, as many as are asked for.
fn levels(automaton: &Automaton, pattern: usize, depth: usize) -> Vec<Set> {
    let mask = 1u64.wrapping_shl(u32::try_from(pattern).unwrap_or(0));
    let mut sets = vec![[0; 4]; depth];
    let mut level = vec![START];
    let mut over = false;
    for set in &mut sets {
        over |= level.iter().any(|&state| automaton.accept(state) & mask != 0);
        if over {
            *set = [u64::MAX; 4];
            continue;
        }
        let mut next = Vec::new();
        for (byte, target) in level.iter().flat_map(|&state| automaton.edges(state, mask)) {
            if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
                *word |= 1u64.wrapping_shl(u32::from(byte & 63));
            }
            next.push(target);
        }
        next.sort_unstable();
        next.dedup();
        level = next;
    }
    sets
}

/// The first of them.
pub type NearSets = [Set; NEAR];

/// The first four bytes of a pattern's values, in several sets of which each says what goes together: of `ab_|xy-` they
/// hold `ab_` and `xy-`, but not `ay-`. Where a value is over, anything may follow.
fn beginnings(automaton: &Automaton, mask: u64) -> Vec<NearSets> {
    let mut all = Vec::new();
    follow(automaton, mask, START, &mut Vec::new(), &mut all);
    while join(&mut all) {}
    while all.len() > MOST_BEGINNINGS {
        let Some(last) = all.pop() else { break };
        if let Some(other) = all.last_mut() {
            *other = union(other, &last);
        }
    }
    all
}

/// Beginnings of one pattern: further ones are put together.
const MOST_BEGINNINGS: usize = 48;

fn follow(automaton: &Automaton, mask: u64, state: usize, path: &mut Vec<Set>, all: &mut Vec<NearSets>) {
    let over = automaton.accept(state) & mask != 0;
    if over || path.len() == NEAR {
        let at = |place: usize| path.get(place).copied().unwrap_or([u64::MAX; 4]);
        all.push([at(0), at(1), at(2), at(3)]);
        return;
    }
    let mut targets: BTreeMap<usize, Set> = BTreeMap::new();
    for (byte, target) in automaton.edges(state, mask) {
        if let Some(word) = targets.entry(target).or_default().get_mut(usize::from(byte >> 6)) {
            *word |= 1u64.wrapping_shl(u32::from(byte & 63));
        }
    }
    for (target, set) in targets {
        path.push(set);
        follow(automaton, mask, target, path, all);
        path.pop();
    }
}

/// Puts two together that differ in one place alone, or of which one holds the other.
fn join(all: &mut Vec<NearSets>) -> bool {
    let differences = |a: &NearSets, b: &NearSets| a.iter().zip(b).filter(|(a, b)| a != b).count();
    for second in 1..all.len() {
        for first in 0..second {
            let (Some(a), Some(b)) = (all.get(first), all.get(second)) else { continue };
            let both = union(a, b);
            if differences(a, b) <= 1 || both == *a || both == *b {
                if let Some(kept) = all.get_mut(first) {
                    *kept = both;
                }
                all.swap_remove(second);
                return true;
            }
        }
    }
    false
}

/// What fits one or the other.
pub fn union(a: &NearSets, b: &NearSets) -> NearSets {
    let mut sets = *a;
    for (set, other) in sets.iter_mut().zip(b) {
        set.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
    }
    sets
}

/// Bytes that part words, and that hardly any value begins with: white space, quotes and all beyond ASCII. The others are
/// mild, but for the loud. (Commas and the like would part words too, but a space comes after them anyway.)
pub fn is_quiet(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' ' | b'"' | 0x80..)
}

/// Bytes that few words of prose hold, and nearly all values.
pub fn is_loud(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'@'
}

/// Bytes that hardly any word of prose has, where none of them is quiet.
pub const LONG: usize = 14;

/// Whether every value with such a beginning, read from its start, comes to a loud byte before a quiet one, or has as
/// many bytes as a long word of which none is quiet. `later`: whether that holds after the first four.
fn is_told(sets: &NearSets, later: bool) -> bool {
    for set in sets {
        if (0..=255u8).any(|byte| is_quiet(byte) && holds(set, byte)) {
            return false;
        }
        if !(0..=255u8).any(|byte| !is_loud(byte) && holds(set, byte)) {
            return true;
        }
    }
    later
}

/// Whether that holds of a pattern's values after their first four bytes.
fn is_told_later(automaton: &Automaton, mask: u64) -> bool {
    let mut level = vec![START];
    for depth in 0..LONG {
        let over = level.iter().any(|&state| depth > 0 && automaton.accept(state) & mask != 0);
        let edges = || level.iter().flat_map(|&state| automaton.edges(state, mask));
        if depth >= NEAR && (over || edges().any(|(byte, _)| is_quiet(byte))) {
            return false;
        }
        let mild = edges().filter(|(byte, _)| !is_loud(*byte) && !is_quiet(*byte));
        level = mild.map(|(_, target)| target).collect();
        level.sort_unstable();
        level.dedup();
    }
    true
}

/// How places are told where values of a pattern may start.
pub enum Start {
    /// By beginnings; of each, whether its words tell.
    Beginnings(Vec<(NearSets, bool)>),
    /// By the long word that all of them begin with.
    LongWord(LongWord),
}

/// The word that values begin with which is longer than most words are.
#[derive(Debug, Clone)]
pub struct LongWord {
    /// The pattern's bit.
    pub pattern: u32,
    /// Bytes that it has at least, [`DEPTH`] to [`LONG`]; none of them is quiet.
    pub length: usize,
    /// What it is made of.
    pub of: Set,
}

/// How places are told where values of a pattern may start.
pub fn start(automaton: &Automaton, pattern: usize) -> Start {
    let mask = 1u64.wrapping_shl(u32::try_from(pattern).unwrap_or(0));
    let later = is_told_later(automaton, mask);
    let beginnings = beginnings(automaton, mask);
    let beginnings: Vec<_> = beginnings.into_iter().map(|sets| (sets, is_told(&sets, later))).collect();
    let sets = levels(automaton, pattern, LONG);
    let of_words = |set: &Set| set.iter().zip(OF_WORDS).all(|(word, of_words)| word & !of_words == 0);
    let length = sets.iter().take_while(|set| of_words(set)).count();
    let common = sets.iter().take(NEAR).map(share).product::<f64>() > COMMON;
    let long = length == sets.len() || length >= DEPTH && common;
    if !long || beginnings.iter().all(|(_, told)| *told) {
        return Start::Beginnings(beginnings);
    }
    let mut of = [0; 4];
    for set in sets.iter().take(length) {
        of.iter_mut().zip(set).for_each(|(all, set)| *all |= set);
    }
    Start::LongWord(LongWord { pattern: u32::try_from(pattern).unwrap_or(0), length, of })
}

fn holds(set: &Set, byte: u8) -> bool {
    set.get(usize::from(byte >> 6)).is_some_and(|word| word.wrapping_shr(u32::from(byte & 63)) & 1 == 1)
}

/// Letters, digits, `+`, `/`, `_` and `-`.
const OF_WORDS: Set = [0x03ff << 48 | 1 << 43 | 1 << 45 | 1 << 47, 0x07ff_fffe_87ff_fffe, 0, 0];
/// Four letters in a row make up about a quarter of prose.
const COMMON: f64 = 0.04;

/// How often ten thousand bytes of prose, with figures in it, hold each small letter, from `a` on.
const LETTERS: [u16; 26] = [
    620, 113, 210, 322, 960, 169, 153, 461, 527, 12, 58, 304, 182, 511, 569, 146, 7, 453, 479, 685, 209, 74,
    179, 11, 149, 6,
];

/// How often they hold a byte.
fn frequency(byte: u8) -> f64 {
    match byte {
        b'a'..=b'z' => LETTERS.get(usize::from(byte.wrapping_sub(b'a'))).copied().unwrap_or(0).into(),
        b' ' => 1600.0,
        b'0'..=b'9' => 60.0,
        b'-' | b'.' | b'/' | b':' | b',' => 60.0,
        b'A'..=b'Z' => 20.0,
        _ => 4.0,
    }
}

/// The same, of all bytes.
const ALL: f64 = 12_000.0;

/// About how often prose fits.
pub fn chance(sets: &NearSets) -> f64 {
    sets.iter().map(share).product()
}

/// The share of such text that one set holds.
pub fn share(set: &Set) -> f64 {
    (0..=255u8).filter(|&byte| holds(set, byte)).map(frequency).sum::<f64>() / ALL
}
