//! The first four bytes of each detector's values, and detectors with like beginnings put into one of few buckets.
use crate::automaton::{Automaton, DEAD, STARTS};
use crate::table::Table;

/// Bytes of a value that a fingerprint looks at.
pub const DEPTH: usize = 4;
/// One bucket is left for literals.
const BUCKETS: usize = 7;

/// The bytes that may stand at one place, as bits.
pub type Set = [u64; 4];
pub type Sets = [Set; DEPTH];

/// For each detector without an anchor, its bucket and sets.
pub fn fingerprints(table: &Table, automaton: &Automaton) -> Vec<Option<(usize, Sets)>> {
    let plain = table.detectors.iter().map(|d| d.anchor.is_none()).enumerate();
    let mut groups: Vec<(Vec<usize>, Sets)> =
        plain.filter(|&(_, plain)| plain).map(|(bit, _)| (vec![bit], sets(automaton, bit))).collect();
    let own: Vec<(usize, Sets)> = groups.iter().map(|(bits, sets)| (bits[0], *sets)).collect();
    while groups.len() > BUCKETS {
        let pairs = (0..groups.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let rise = |&(a, b): &(usize, usize)| {
            let (a, b) = (&groups[a].1, &groups[b].1);
            chance(&union(a, b)) - chance(a) - chance(b)
        };
        let Some((a, b)) = pairs.min_by(|x, y| rise(x).total_cmp(&rise(y))) else { break };
        let (bits, sets) = groups.remove(a);
        groups[b].1 = union(&groups[b].1, &sets);
        groups[b].0.extend(bits);
    }
    let bucket = |bit| groups.iter().position(|(bits, _)| bits.contains(&bit)).unwrap_or(0);
    let mut of_detector = vec![None; table.detectors.len()];
    own.into_iter().for_each(|(bit, sets)| of_detector[bit] = Some((bucket(bit), sets)));
    of_detector
}

fn sets(automaton: &Automaton, bit: usize) -> Sets {
    let mask = 1u64 << bit;
    let mut sets = [[0; 4]; DEPTH];
    let mut level = vec![STARTS[0]];
    for set in &mut sets {
        let mut next = Vec::new();
        for (state, byte) in level.iter().flat_map(|&s| (0..=255u8).map(move |b| (s, b))) {
            let target = automaton.step(state, byte);
            if target != DEAD && (automaton.accept[target] | automaton.reach[target]) & mask != 0 {
                set[usize::from(byte >> 6)] |= 1 << (byte & 63);
                next.push(target);
            }
        }
        next.sort_unstable();
        next.dedup();
        level = next;
    }
    sets
}

fn union(a: &Sets, b: &Sets) -> Sets {
    std::array::from_fn(|depth| std::array::from_fn(|word| a[depth][word] | b[depth][word]))
}

/// About how often prose fits.
fn chance(sets: &Sets) -> f64 {
    sets.iter().map(share).product()
}

fn share(set: &Set) -> f64 {
    let weight = |byte: u8| match byte {
        b'a'..=b'z' => 3.0,
        b' ' => 16.0,
        b'A'..=b'Z' | b'0'..=b'9' => 0.3,
        _ => 0.05,
    };
    let held = (0..=255u8).filter(|b| set[usize::from(b >> 6)] >> (b & 63) & 1 == 1);
    held.map(weight).sum::<f64>() / (0..=255u8).map(weight).sum::<f64>()
}
