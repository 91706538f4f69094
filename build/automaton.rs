//! One automaton for all detectors: anchored, deterministic, all matches, minimal.
//!
//! It has two starts. Detectors with an anchor, such as the e-mail's, begin with a run of nearly any bytes; walked
//! together with the others they would multiply the states of every token by the length of that run.
//!
//! regex-automata determinises; what comes out is turned into states that know which detectors accept right here
//! (its own states know it one byte later), states from which nothing can match become the dead state, and equal
//! states are merged.
use std::collections::HashMap;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, syntax};
use regex_automata::{Anchored, Input, MatchKind};

use crate::table::Table;

pub const DEAD: usize = 0;
/// The start of the detectors without an anchor, and of those with one.
pub const STARTS: [usize; 2] = [1, 2];

pub struct Automaton {
    /// The class of each byte; bytes of one class lead to the same state everywhere.
    pub class_of: Vec<u8>,
    pub classes: usize,
    /// `next[state * classes + class]`
    pub next: Vec<u16>,
    /// Detectors, as bits, that accept in a state.
    pub accept: Vec<u64>,
    /// Detectors that may accept after one more byte at least.
    pub reach: Vec<u64>,
}

#[derive(Default)]
struct Raw {
    rows: Vec<Vec<u32>>,
    accept: Vec<u64>,
}

impl Automaton {
    pub fn build(table: &Table) -> Result<Self, String> {
        let part = |anchored| {
            let rows =
                table.detectors.iter().enumerate().filter(move |(_, d)| d.anchor.is_some() == anchored);
            rows.map(|(bit, d)| (bit, d.pattern.as_str())).collect::<Vec<_>>()
        };
        let mut raw = Raw::default();
        let starts = [determinise(&part(false), &mut raw)?, determinise(&part(true), &mut raw)?];
        let reach = reachable(&raw);
        let (class_of, columns) = byte_classes(&raw.rows);
        let block_of = minimise(&raw, &reach, &columns);
        Self::number(&raw, starts, &reach, class_of, &columns, &block_of)
    }

    pub fn states(&self) -> usize {
        self.accept.len()
    }

    pub fn step(&self, state: usize, byte: u8) -> usize {
        self.next[state * self.classes + self.class_of[byte as usize] as usize] as usize
    }

    /// Numbers the merged states breadth first, so that what is near the start lies together.
    fn number(
        raw: &Raw,
        starts: [u32; 2],
        reach: &[u64],
        class_of: Vec<u8>,
        columns: &[u8],
        block_of: &[u32],
    ) -> Result<Self, String> {
        let alive = |s: u32| raw.accept[s as usize] | reach[s as usize] != 0;
        let mut ids: HashMap<u32, usize> = HashMap::new();
        let mut order = vec![u32::MAX];
        for start in starts {
            ids.insert(block_of[start as usize], order.len());
            order.push(start);
        }
        let mut next = vec![0u16; columns.len()];
        let mut at = STARTS[0];
        while at < order.len() {
            for &byte in columns {
                let target = raw.rows[order[at] as usize][byte as usize];
                let id = if alive(target) {
                    *ids.entry(block_of[target as usize]).or_insert_with(|| {
                        order.push(target);
                        order.len() - 1
                    })
                } else {
                    DEAD
                };
                next.push(u16::try_from(id).map_err(|_| "more than 65535 states")?);
            }
            at += 1;
        }
        let of = |masks: &[u64]| order.iter().map(|&s| masks.get(s as usize).copied().unwrap_or(0)).collect();
        Ok(Self { class_of, classes: columns.len(), next, accept: of(&raw.accept), reach: of(reach) })
    }
}

/// Adds the states of the patterns' automaton, and gives its start.
fn determinise(patterns: &[(usize, &str)], raw: &mut Raw) -> Result<u32, String> {
    let dfa = dense::Builder::new()
        .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build_many(&patterns.iter().map(|&(_, pattern)| pattern).collect::<Vec<_>>())
        .map_err(|e| e.to_string())?;
    let first = raw.rows.len();
    let start =
        dfa.start_state_forward(&Input::new(b"").anchored(Anchored::Yes)).map_err(|e| e.to_string())?;
    let mut ids: HashMap<StateID, u32> = HashMap::from([(start, first as u32)]);
    let mut order = vec![start];
    while raw.rows.len() < first + order.len() {
        let state = order[raw.rows.len() - first];
        let row = (0..=255u8).map(|byte| {
            let target = dfa.next_state(state, byte);
            *ids.entry(target).or_insert_with(|| {
                order.push(target);
                (first + order.len() - 1) as u32
            })
        });
        raw.rows.push(row.collect());
        let last = dfa.next_eoi_state(state);
        let matches = if dfa.is_match_state(last) { dfa.match_len(last) } else { 0 };
        let bit = |i| patterns[dfa.match_pattern(last, i).as_usize()].0;
        raw.accept.push((0..matches).fold(0, |mask, i| mask | 1 << bit(i)));
    }
    Ok(first as u32)
}

/// For each state, the detectors that accept in some state after it.
fn reachable(raw: &Raw) -> Vec<u64> {
    let targets: Vec<Vec<u32>> = raw.rows.iter().map(|row| distinct(row)).collect();
    let mut reach = vec![0u64; raw.rows.len()];
    loop {
        let mut changed = false;
        for state in (0..reach.len()).rev() {
            let mask = targets[state].iter().fold(0, |m, &t| m | raw.accept[t as usize] | reach[t as usize]);
            changed |= mask != reach[state];
            reach[state] = mask;
        }
        if !changed {
            return reach;
        }
    }
}

fn distinct(row: &[u32]) -> Vec<u32> {
    let mut targets = row.to_vec();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// The class of each byte, and one byte of each class.
fn byte_classes(rows: &[Vec<u32>]) -> (Vec<u8>, Vec<u8>) {
    let mut ids: HashMap<Vec<u32>, u8> = HashMap::new();
    let mut columns = Vec::new();
    let class_of = (0..=255u8).map(|byte| {
        let column: Vec<u32> = rows.iter().map(|row| row[byte as usize]).collect();
        *ids.entry(column).or_insert_with(|| {
            columns.push(byte);
            (columns.len() - 1) as u8
        })
    });
    (class_of.collect(), columns)
}

/// Moore's partition refinement: states of one block accept the same and lead to the same blocks.
fn minimise(raw: &Raw, reach: &[u64], columns: &[u8]) -> Vec<u32> {
    let masks: Vec<(u64, u64)> = raw.accept.iter().copied().zip(reach.iter().copied()).collect();
    let (mut block_of, mut blocks) = partition(&masks);
    loop {
        let rows: Vec<Vec<u32>> = raw
            .rows
            .iter()
            .enumerate()
            .map(|(state, row)| {
                let targets = columns.iter().map(|&byte| block_of[row[byte as usize] as usize]);
                std::iter::once(block_of[state]).chain(targets).collect()
            })
            .collect();
        let (finer, count) = partition(&rows);
        if count == blocks {
            return block_of;
        }
        (block_of, blocks) = (finer, count);
    }
}

fn partition<K: std::hash::Hash + Eq>(keys: &[K]) -> (Vec<u32>, usize) {
    let mut ids: HashMap<&K, u32> = HashMap::new();
    let blocks = keys.iter().map(|key| {
        let fresh = ids.len() as u32;
        *ids.entry(key).or_insert(fresh)
    });
    let blocks = blocks.collect();
    (blocks, ids.len())
}
