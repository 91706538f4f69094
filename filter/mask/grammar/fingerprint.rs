//! The first four bytes of each pattern's values.
use super::automaton::{Automaton, START};

/// Bytes of a value that a fingerprint looks at.
pub const DEPTH: usize = 4;

/// The bytes that may stand at one place, as bits.
pub type Set = [u64; 4];
/// The bytes that may stand at each of the first places.
pub type Sets = [Set; DEPTH];

/// The first bytes of a pattern's values; where a value is over, anything may follow.
pub fn sets(automaton: &Automaton, pattern: usize) -> Sets {
    let mask = 1u64.wrapping_shl(u32::try_from(pattern).unwrap_or(0));
    let mut sets = [[0; 4]; DEPTH];
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

/// What fits one or the other.
pub fn union(a: &Sets, b: &Sets) -> Sets {
    let mut sets = *a;
    for (set, other) in sets.iter_mut().zip(b) {
        set.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
    }
    sets
}

/// Bytes by how often a thousand bytes of prose, with figures in it, hold each: small letters, the space, digits, what
/// stands between digits, capitals, the rest.
const FREQUENCIES: [(Set, f64); 6] = [
    ([0, 0x07ff_fffe_0000_0000, 0, 0], 3.0),
    ([1 << 32, 0, 0, 0], 16.0),
    ([DIGITS, 0, 0, 0], 2.0),
    ([BETWEEN, 0, 0, 0], 1.0),
    ([0, CAPITALS, 0, 0], 0.3),
    ([!(DIGITS | BETWEEN | 1 << 32), !(CAPITALS | CAPITALS << 32), u64::MAX, u64::MAX], 0.05),
];
const DIGITS: u64 = 0x03ff << 48;
/// Of `-`, `.`, `/` and `:`.
const BETWEEN: u64 = 0b111 << 45 | 1 << 58;
const CAPITALS: u64 = 0x07ff_fffe;

/// About how often prose fits.
pub fn chance(sets: &Sets) -> f64 {
    sets.iter().map(share).product()
}

/// The share of such text that one set holds.
pub fn share(set: &Set) -> f64 {
    let count = |chosen: &Set, set: &Set| -> u32 {
        chosen.iter().zip(set).map(|(chosen, word)| (chosen & word).count_ones()).fold(0, u32::saturating_add)
    };
    let weight = |set: &Set| -> f64 {
        FREQUENCIES.iter().map(|(chosen, weight)| weight * f64::from(count(chosen, set))).sum()
    };
    weight(set) / weight(&[u64::MAX; 4])
}
