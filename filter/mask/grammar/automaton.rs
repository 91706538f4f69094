//! One automaton for a group of patterns: anchored, deterministic, all matches.
//!
//! States from which nothing can match become the dead state, bytes that lead to the same states everywhere share a
//! class, and equal states are merged.
use std::collections::HashMap;
use std::hash::Hash;

use regex_syntax::hir::Hir;

use super::subsets::{self, Raw};
use super::{Fault, Limits};

/// Nothing can match any more.
pub const DEAD: usize = 0;
/// Before a value's first byte.
pub const START: usize = 1;

/// A group's automaton. Sets of patterns are bits, in the order of the patterns.
pub struct Automaton {
    /// The class of each byte.
    pub class_of: Vec<u8>,
    pub classes: usize,
    /// `next[state * classes + class]`
    pub next: Vec<u16>,
    /// Patterns that accept in a state.
    pub accept: Vec<u64>,
    /// Patterns that may accept after one more byte at least.
    pub reach: Vec<u64>,
}

impl Automaton {
    pub fn build(patterns: &[&Hir], limits: &Limits) -> Result<Self, Fault> {
        let raw = subsets::determinise(patterns, limits)?;
        let reach = reachable(&raw);
        let columns = columns(&raw);
        let block_of = if limits.minimise {
            minimise(&raw, &reach, &columns)
        } else {
            (0..raw.rows.len()).filter_map(|state| u32::try_from(state).ok()).collect()
        };
        let automaton = number(&raw, &reach, &columns, &block_of)?;
        let bytes = automaton.next.len().saturating_mul(2);
        if bytes > limits.bytes {
            return Err(Fault::new(format!(
                "{bytes} bytes of transitions in {} states, at most {}: repeat less, or name fewer alternatives",
                automaton.states(),
                limits.bytes
            )));
        }
        Ok(automaton)
    }

    pub fn states(&self) -> usize {
        self.accept.len()
    }

    pub fn step(&self, state: usize, byte: u8) -> usize {
        let class = self.class_of.get(usize::from(byte)).copied().unwrap_or(0);
        let at = state.saturating_mul(self.classes).saturating_add(class.into());
        self.next.get(at).copied().map_or(DEAD, usize::from)
    }

    /// The patterns that accept in a state.
    pub fn accept(&self, state: usize) -> u64 {
        self.accept.get(state).copied().unwrap_or(0)
    }

    /// The patterns that may accept after a state.
    pub fn reach(&self, state: usize) -> u64 {
        self.reach.get(state).copied().unwrap_or(0)
    }

    /// The patterns that a text in this state may still match, or does.
    pub fn alive(&self, state: usize) -> u64 {
        self.accept(state) | self.reach(state)
    }

    /// The states after each byte that keeps some of these patterns alive.
    pub fn edges(&self, state: usize, patterns: u64) -> impl Iterator<Item = (u8, usize)> {
        let steps = (0..=255u8).map(move |byte| (byte, self.step(state, byte)));
        steps.filter(move |&(_, target)| self.alive(target) & patterns != 0)
    }
}

/// For each state, the patterns that accept in some state after it.
#[inline(never)]
fn reachable(raw: &Raw) -> Vec<u64> {
    let targets: Vec<Vec<u32>> = raw.rows.iter().map(|row| distinct(row)).collect();
    let mut reach = vec![0u64; raw.rows.len()];
    loop {
        let mut changed = false;
        for (state, targets) in targets.iter().enumerate().rev() {
            let mask =
                targets.iter().fold(0, |mask, &target| mask | of(&raw.accept, target) | of(&reach, target));
            if let Some(known) = reach.get_mut(state) {
                changed |= mask != *known;
                *known = mask;
            }
        }
        if !changed {
            return reach;
        }
    }
}

fn of<T: Copy + Default>(values: &[T], state: u32) -> T {
    usize::try_from(state).ok().and_then(|state| values.get(state)).copied().unwrap_or_default()
}

fn distinct(row: &[u32]) -> Vec<u32> {
    let mut targets = row.to_vec();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// For each class of the raw automaton the first that equals it, by its place among the different ones.
struct Columns {
    class_of: Vec<u8>,
    /// One raw class of each.
    shown: Vec<usize>,
}

#[inline(never)]
fn columns(raw: &Raw) -> Columns {
    let classes = raw.rows.first().map_or(0, Vec::len);
    let mut ids: HashMap<Vec<u32>, u8> = HashMap::new();
    let mut shown = Vec::new();
    let merged: Vec<u8> = (0..classes)
        .map(|class| {
            let column = raw.rows.iter().map(|row| row.get(class).copied().unwrap_or(0)).collect();
            *ids.entry(column).or_insert_with(|| {
                shown.push(class);
                u8::try_from(shown.len().saturating_sub(1)).unwrap_or(u8::MAX)
            })
        })
        .collect();
    let class_of = raw.class_of.iter().map(|&class| of(&merged, class.into())).collect();
    Columns { class_of, shown }
}

/// Moore's partition refinement: states of one block accept the same and lead to the same blocks.
#[inline(never)]
fn minimise(raw: &Raw, reach: &[u64], columns: &Columns) -> Vec<u32> {
    let masks: Vec<(u64, u64)> = raw.accept.iter().copied().zip(reach.iter().copied()).collect();
    let (mut block_of, mut blocks) = partition(&masks);
    loop {
        let rows: Vec<Vec<u32>> = raw
            .rows
            .iter()
            .zip(&block_of)
            .map(|(row, &block)| {
                let targets =
                    columns.shown.iter().map(|&class| of(&block_of, row.get(class).copied().unwrap_or(0)));
                std::iter::once(block).chain(targets).collect()
            })
            .collect();
        let (finer, count) = partition(&rows);
        if count == blocks {
            return block_of;
        }
        (block_of, blocks) = (finer, count);
    }
}

fn partition<K: Hash + Eq>(keys: &[K]) -> (Vec<u32>, usize) {
    let mut ids: HashMap<&K, u32> = HashMap::new();
    let blocks = keys.iter().map(|key| {
        let fresh = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        *ids.entry(key).or_insert(fresh)
    });
    let blocks = blocks.collect();
    (blocks, ids.len())
}

/// Numbers the merged states breadth first, so that what is near the start lies together.
#[inline(never)]
fn number(raw: &Raw, reach: &[u64], columns: &Columns, block_of: &[u32]) -> Result<Automaton, Fault> {
    let alive = |state: u32| of(&raw.accept, state) | of(reach, state) != 0;
    let mut ids: HashMap<u32, usize> = HashMap::from([(of(block_of, raw.start), START)]);
    let mut order = vec![u32::MAX, raw.start];
    let mut next = vec![0u16; columns.shown.len()];
    let mut at = START;
    while let Some(row) = order.get(at).and_then(|&state| raw.rows.get(usize::try_from(state).ok()?)) {
        for &class in &columns.shown {
            let target = row.get(class).copied().unwrap_or(0);
            let id = if alive(target) {
                *ids.entry(of(block_of, target)).or_insert_with(|| {
                    order.push(target);
                    order.len().saturating_sub(1)
                })
            } else {
                DEAD
            };
            next.push(u16::try_from(id).map_err(|_| Fault::new("more than 65535 states"))?);
        }
        at = at.saturating_add(1);
    }
    let masks = |masks: &[u64]| order.iter().map(|&state| of(masks, state)).collect();
    Ok(Automaton {
        class_of: columns.class_of.clone(),
        classes: columns.shown.len(),
        next,
        accept: masks(&raw.accept),
        reach: masks(reach),
    })
}
