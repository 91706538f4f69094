//! Beginnings that vectors have to tell, put together over all groups into the few buckets that they have.
use std::collections::BTreeMap;

use crate::grammar::{NEAR, NearSets, share};

/// What vectors see of sets: they look at a byte's low and high half apart (filter/mask/blocks.rs).
type Halves = [(u16, u16); NEAR];

/// Kinds of detectors that never share a bucket, for together the weak would draw the strong into one that fits every
/// word: those that nothing precedes, those that a word does, those that are often mistaken, and those that may start
/// within a word.
pub const KINDS: usize = 4;
/// Of eight buckets, one of which is left for literals: how many each kind has for itself.
const BUCKETS: [usize; KINDS] = [3, 2, 1, 1];

/// A beginning, or what was put together.
#[derive(Clone)]
pub struct Shared {
    pub kind: usize,
    pub sets: NearSets,
}

/// For each beginning its bucket; and the buckets. Two of the four bytes are looked at, the same of all.
pub fn assign(beginnings: &[Shared]) -> (Vec<usize>, Vec<Shared>) {
    let chances = Chances::new();
    let pairs = (0..NEAR).flat_map(|second| (0..second).map(move |first| [first, second]));
    let tried = pairs.map(|pair| assign_by(beginnings, |sets| chances.of(&halves(sets), pair)));
    let best = tried.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, of, buckets)| (of, buckets)).unwrap_or_default()
}

/// The same by some chance, with the sum of it over the buckets.
fn assign_by(beginnings: &[Shared], chance: impl Fn(&NearSets) -> f64) -> (f64, Vec<usize>, Vec<Shared>) {
    let (mut of, mut found) = (vec![0; beginnings.len()], Vec::new());
    for (kind, &share) in BUCKETS.iter().enumerate() {
        let own: Vec<usize> = (0..beginnings.len()).filter(|&at| beginnings[at].kind == kind).collect();
        let sets: Vec<NearSets> = own.iter().map(|&at| beginnings[at].sets).collect();
        let (places, held) = cluster(&sets, share, &chance);
        own.iter().zip(places).for_each(|(&at, place)| of[at] = found.len() + place);
        found.extend(held.into_iter().map(|sets| Shared { kind, sets }));
    }
    (found.iter().map(|shared: &Shared| chance(&shared.sets)).sum(), of, found)
}

/// Puts together, again and again, the two of which the union is looked up least more often than both.
fn cluster(all: &[NearSets], most: usize, chance: impl Fn(&NearSets) -> f64) -> (Vec<usize>, Vec<NearSets>) {
    let mut distinct: BTreeMap<NearSets, Vec<usize>> = BTreeMap::new();
    for (at, sets) in all.iter().enumerate() {
        distinct.entry(*sets).or_default().push(at);
    }
    let own = |(sets, members): (NearSets, Vec<usize>)| Cluster { cost: chance(&sets), sets, members };
    let mut clusters: Vec<Option<Cluster>> = distinct.into_iter().map(own).map(Some).collect();
    let rise = |a: &Cluster, b: &Cluster| chance(&both(&a.sets, &b.sets)) - a.cost - b.cost;
    // The best partner of each among those before it.
    let best = |clusters: &[Option<Cluster>], at: usize| {
        let own = clusters[at].as_ref()?;
        let others = clusters[..at].iter().enumerate().filter_map(|(b, other)| Some((b, other.as_ref()?)));
        others.map(|(b, other)| (rise(own, other), b)).min_by(|x, y| x.0.total_cmp(&y.0))
    };
    let mut partners: Vec<Option<(f64, usize)>> = (0..clusters.len()).map(|at| best(&clusters, at)).collect();
    while clusters.iter().flatten().count() > most {
        let pairs =
            partners.iter().enumerate().filter_map(|(at, partner)| partner.map(|(rise, b)| (rise, at, b)));
        let Some((_, from, to)) = pairs.min_by(|x, y| x.0.total_cmp(&y.0)) else { break };
        if let (Some(gone), Some(kept)) = (clusters[from].take(), clusters[to].as_mut()) {
            kept.members.extend(gone.members);
            kept.sets = both(&kept.sets, &gone.sets);
            kept.cost = chance(&kept.sets);
        }
        for at in 0..clusters.len() {
            let stale = at == from || at == to || partners[at].is_some_and(|(_, b)| b == from || b == to);
            if stale {
                partners[at] = best(&clusters, at);
            } else if at > to
                && let (Some(own), Some(grown)) = (&clusters[at], &clusters[to])
            {
                let rise = rise(own, grown);
                if partners[at].is_none_or(|(known, _)| rise < known) {
                    partners[at] = Some((rise, to));
                }
            }
        }
    }
    let mut of = vec![0; all.len()];
    let mut sets = Vec::new();
    for cluster in clusters.into_iter().flatten() {
        cluster.members.into_iter().for_each(|at| of[at] = sets.len());
        sets.push(cluster.sets);
    }
    (of, sets)
}

struct Cluster {
    sets: NearSets,
    cost: f64,
    members: Vec<usize>,
}

fn both(a: &NearSets, b: &NearSets) -> NearSets {
    let mut sets = *a;
    for (set, other) in sets.iter_mut().zip(b) {
        set.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
    }
    sets
}

fn halves(sets: &NearSets) -> Halves {
    sets.map(|set| {
        let held = |byte: &u8| set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
        let bits = |(low, high), byte: u8| (low | 1 << (byte & 15), high | 1 << (byte >> 4));
        (0..=255u8).filter(held).fold((0, 0), bits)
    })
}

/// About how often prose fits: for each high half, the share of the bytes with some of the lower and of the upper
/// eight low halves. Asked for a million times by an unoptimised build script.
struct Chances(Vec<f64>);

impl Chances {
    fn new() -> Self {
        let byte = |byte: usize| {
            let mut set = [0; 4];
            set[byte / 64] |= 1 << (byte % 64);
            share(&set)
        };
        let shares: Vec<f64> = (0..256).map(byte).collect();
        let of = |row: usize, bits: usize| {
            (0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| shares[row * 8 + bit]).sum()
        };
        Self((0..32 * 256).map(|at| of(at / 256, at % 256)).collect())
    }

    /// By the bytes at two places.
    fn of(&self, halves: &Halves, pair: [usize; 2]) -> f64 {
        let mut chance = 1.0;
        for (low, mut high) in pair.map(|nth| halves[nth]) {
            let (lower, upper) = (usize::from(low & 255), usize::from(low >> 8));
            let mut share = 0.0;
            while high != 0 {
                let row = high.trailing_zeros() as usize * 2;
                high &= high - 1;
                share += self.0[row * 256 + lower] + self.0[(row + 1) * 256 + upper];
            }
            chance *= share;
        }
        chance
    }
}
