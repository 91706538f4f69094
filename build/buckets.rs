//! Detectors with like beginnings put into one of few buckets, over all groups.
use std::collections::BTreeMap;

use crate::grammar::{DEPTH, Set, share};

/// Sixteen bits of a lane, one of which is left for literals.
pub const BUCKETS: usize = 15;

/// The byte before a value, and its first bytes.
pub type Places = [Set; DEPTH + 1];

/// For each beginning its bucket, and what fits each bucket.
pub fn assign(beginnings: &[Places]) -> (Vec<usize>, Vec<Places>) {
    let mut distinct: BTreeMap<Places, Vec<usize>> = BTreeMap::new();
    for (at, sets) in beginnings.iter().enumerate() {
        distinct.entry(*sets).or_default().push(at);
    }
    let mut buckets: Vec<Option<(Places, Vec<usize>)>> = distinct.into_iter().map(Some).collect();
    let rise =
        |a: &Places, b: &Places| chance(&widened(&union(a, b))) - chance(&widened(a)) - chance(&widened(b));
    // The best partner of each bucket among those before it.
    let best = |buckets: &[Option<(Places, Vec<usize>)>], at: usize| {
        let own = buckets[at].as_ref()?.0;
        let others = buckets[..at].iter().enumerate().filter_map(|(b, other)| Some((b, other.as_ref()?)));
        others.map(|(b, other)| (rise(&own, &other.0), b)).min_by(|x, y| x.0.total_cmp(&y.0))
    };
    let mut partners: Vec<Option<(f64, usize)>> = (0..buckets.len()).map(|at| best(&buckets, at)).collect();
    while buckets.iter().flatten().count() > BUCKETS {
        let pairs =
            partners.iter().enumerate().filter_map(|(at, partner)| partner.map(|(rise, b)| (rise, at, b)));
        let Some((_, from, to)) = pairs.min_by(|x, y| x.0.total_cmp(&y.0)) else { break };
        if let (Some((sets, members)), Some(kept)) = (buckets[from].take(), buckets[to].as_mut()) {
            kept.0 = union(&kept.0, &sets);
            kept.1.extend(members);
        }
        for at in 0..buckets.len() {
            let stale = at == from || at == to || partners[at].is_some_and(|(_, b)| b == from || b == to);
            if stale {
                partners[at] = best(&buckets, at);
            } else if at > to
                && let (Some(own), Some(grown)) = (&buckets[at], &buckets[to])
            {
                let rise = rise(&own.0, &grown.0);
                if partners[at].is_none_or(|(known, _)| rise < known) {
                    partners[at] = Some((rise, to));
                }
            }
        }
    }
    let mut of = vec![0; beginnings.len()];
    let mut sets = Vec::new();
    for (union, members) in buckets.into_iter().flatten() {
        members.into_iter().for_each(|at| of[at] = sets.len());
        sets.push(union);
    }
    (of, sets)
}

fn union(a: &Places, b: &Places) -> Places {
    std::array::from_fn(|place| std::array::from_fn(|word| a[place][word] | b[place][word]))
}

/// About how often prose fits.
fn chance(places: &Places) -> f64 {
    places.iter().map(share).product()
}

/// What vectors cannot tell from the sets: they look at a byte's low and high half apart (filter/mask/blocks.rs).
fn widened(sets: &Places) -> Places {
    sets.map(|set: Set| {
        let held = |byte: u8| set[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
        let (mut low, mut high) = (0u16, 0u16);
        for byte in (0..=255u8).filter(|&byte| held(byte)) {
            low |= 1 << (byte & 15);
            high |= 1 << (byte >> 4);
        }
        let mut wide = [0; 4];
        for byte in (0..=255u8).filter(|byte| low >> (byte & 15) & 1 == 1 && high >> (byte >> 4) & 1 == 1) {
            wide[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        wide
    })
}
