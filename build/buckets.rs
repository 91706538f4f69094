//! Detectors with like beginnings put into one of few buckets, over all groups.
use std::collections::BTreeMap;

use crate::grammar::{DEPTH, Set, share};

/// The byte before a value, and its first bytes.
pub type Places = [Set; DEPTH + 1];

/// What vectors see of sets: they look at a byte's low and high half apart (filter/mask/blocks.rs).
type Halves = [(u16, u16); DEPTH + 1];

/// Of sixteen buckets, one of which is left for literals: how many each kind of detectors has for itself: those that nothing precedes, those that a word does, and
/// those that are often mistaken. Together, the weak would draw the strong into a bucket that fits every word.
const SHARES: [usize; 3] = [12, 2, 1];

/// For each beginning, given with its kind and its group, its bucket, and what fits each bucket.
pub fn assign(beginnings: &[(usize, usize, Places)]) -> (Vec<usize>, Vec<Places>) {
    let (mut of, mut sets) = (vec![0; beginnings.len()], Vec::new());
    for (kind, share) in SHARES.into_iter().enumerate() {
        let own: Vec<usize> = (0..beginnings.len()).filter(|&at| beginnings[at].0 == kind).collect();
        let places: Vec<(usize, Places)> =
            own.iter().map(|&at| (beginnings[at].1, beginnings[at].2)).collect();
        let (buckets, held) = assign_kind(&places, share);
        own.iter().zip(buckets).for_each(|(&at, bucket)| of[at] = sets.len() + bucket);
        sets.extend(held);
    }
    (of, sets)
}

fn assign_kind(beginnings: &[(usize, Places)], most: usize) -> (Vec<usize>, Vec<Places>) {
    let mut distinct: BTreeMap<Places, Vec<usize>> = BTreeMap::new();
    for (at, (_, sets)) in beginnings.iter().enumerate() {
        distinct.entry(*sets).or_default().push(at);
    }
    let chances = Chances::new();
    let bucket = |(sets, members): (Places, Vec<usize>)| {
        let groups = members.iter().fold(0, |groups, &at| groups | 1 << beginnings[at].0);
        Bucket::new(sets, members, groups, &chances)
    };
    let mut buckets: Vec<Option<Bucket>> = distinct.into_iter().map(bucket).map(Some).collect();
    let rise = |a: &Bucket, b: &Bucket| {
        cost(chances.of(&joined(&a.halves, &b.halves)), a.groups | b.groups) - a.cost - b.cost
    };
    // The best partner of each bucket among those before it.
    let best = |buckets: &[Option<Bucket>], at: usize| {
        let own = buckets[at].as_ref()?;
        let others = buckets[..at].iter().enumerate().filter_map(|(b, other)| Some((b, other.as_ref()?)));
        others.map(|(b, other)| (rise(own, other), b)).min_by(|x, y| x.0.total_cmp(&y.0))
    };
    let mut partners: Vec<Option<(f64, usize)>> = (0..buckets.len()).map(|at| best(&buckets, at)).collect();
    while buckets.iter().flatten().count() > most {
        let pairs =
            partners.iter().enumerate().filter_map(|(at, partner)| partner.map(|(rise, b)| (rise, at, b)));
        let Some((_, from, to)) = pairs.min_by(|x, y| x.0.total_cmp(&y.0)) else { break };
        if let (Some(gone), Some(kept)) = (buckets[from].take(), buckets[to].as_mut()) {
            kept.members.extend(gone.members);
            kept.sets = both(&kept.sets, &gone.sets);
            kept.halves = joined(&kept.halves, &gone.halves);
            kept.groups |= gone.groups;
            kept.cost = cost(chances.of(&kept.halves), kept.groups);
        }
        for at in 0..buckets.len() {
            let stale = at == from || at == to || partners[at].is_some_and(|(_, b)| b == from || b == to);
            if stale {
                partners[at] = best(&buckets, at);
            } else if at > to
                && let (Some(own), Some(grown)) = (&buckets[at], &buckets[to])
            {
                let rise = rise(own, grown);
                if partners[at].is_none_or(|(known, _)| rise < known) {
                    partners[at] = Some((rise, to));
                }
            }
        }
    }
    let mut of = vec![0; beginnings.len()];
    let mut sets = Vec::new();
    for bucket in buckets.into_iter().flatten() {
        bucket.members.into_iter().for_each(|at| of[at] = sets.len());
        sets.push(bucket.sets);
    }
    (of, sets)
}

struct Bucket {
    sets: Places,
    halves: Halves,
    /// Its detectors' groups, as bits: each is asked at every place that fits.
    groups: u64,
    cost: f64,
    members: Vec<usize>,
}

impl Bucket {
    fn new(sets: Places, members: Vec<usize>, groups: u64, chances: &Chances) -> Self {
        let halves = sets.map(|set| {
            let held = |byte: &u8| set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
            let bits = |(low, high), byte: u8| (low | 1 << (byte & 15), high | 1 << (byte >> 4));
            (0..=255u8).filter(held).fold((0, 0), bits)
        });
        Self { sets, halves, groups, cost: cost(chances.of(&halves), groups), members }
    }
}

/// What looking closer costs: where a bucket fits a good part of all places, nothing else should share it.
fn cost(chance: f64, groups: u64) -> f64 {
    chance * f64::from(1 + groups.count_ones())
}

fn both(a: &Places, b: &Places) -> Places {
    let mut sets = *a;
    for (set, other) in sets.iter_mut().zip(b) {
        set.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
    }
    sets
}

fn joined(a: &Halves, b: &Halves) -> Halves {
    std::array::from_fn(|place| (a[place].0 | b[place].0, a[place].1 | b[place].1))
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

    fn of(&self, halves: &Halves) -> f64 {
        let mut chance = 1.0;
        for &(low, mut high) in halves {
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
