//! From many patterns to one deterministic automaton: the subset construction, bounded.
//!
//! A state is the set of places in all patterns where a text may be. It knows which patterns accept right here;
//! regex-automata's own automata know that one byte later, and hold its order of preference apart, which all matches
//! have no use for.
use std::collections::HashMap;
use std::rc::Rc;

use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, Transition, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::Hir;

use super::{Fault, Limits};

/// Bytes that a place takes, at the most.
const PLACE: usize = 128;

/// An automaton with states to spare. State 0 is the empty set.
pub struct Raw {
    pub class_of: Vec<u8>,
    /// For each state the next one by class of byte.
    pub rows: Vec<Vec<u32>>,
    /// Patterns, as bits, that accept in a state.
    pub accept: Vec<u64>,
    pub start: u32,
}

type Places = Rc<[StateID]>;

struct Construction<'a> {
    nfa: &'a NFA,
    limits: &'a Limits,
    ids: HashMap<Places, u32>,
    order: Vec<Places>,
    /// When a place was last put into a set.
    seen: Vec<u32>,
    round: u32,
    work: usize,
}

#[inline(never)]
pub fn determinise(patterns: &[&Hir], limits: &Limits) -> Result<Raw, Fault> {
    let large = || {
        let most = limits.nfa_states;
        Fault::new(format!(
            "has more than {most} places where a value may be: repeat less, or name fewer alternatives"
        ))
    };
    let config = Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(limits.nfa_states.saturating_mul(PLACE)));
    let nfa = Compiler::new().configure(config).build_many_from_hir(patterns).map_err(|_| large())?;
    if nfa.states().len() > limits.nfa_states {
        return Err(large());
    }
    let class_of: Vec<u8> = (0..=255u8).map(|byte| nfa.byte_classes().get(byte)).collect();
    let seen = vec![0; nfa.states().len()];
    let mut all =
        Construction { nfa: &nfa, limits, ids: HashMap::new(), order: Vec::new(), seen, round: 0, work: 0 };
    all.state(&[])?;
    let start = all.state(&[nfa.start_anchored()])?;
    let (mut rows, mut accept) = (Vec::new(), Vec::new());
    while let Some(places) = all.order.get(rows.len()).cloned() {
        accept.push(all.accepting(&places));
        rows.push(all.row(&places, &class_of)?);
    }
    Ok(Raw { class_of, rows, accept, start })
}

impl Construction<'_> {
    /// The number of the state with these places and all that can be reached from them without a byte.
    fn state(&mut self, from: &[StateID]) -> Result<u32, Fault> {
        self.round = self.round.wrapping_add(1);
        let (mut todo, mut places) = (from.to_vec(), Vec::new());
        while let Some(place) = todo.pop() {
            self.work = self.work.saturating_add(1);
            let Some(seen) = self.seen.get_mut(place.as_usize()) else { continue };
            if std::mem::replace(seen, self.round) == self.round {
                continue;
            }
            match self.nfa.state(place) {
                State::Union { alternates } => todo.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => todo.extend([*alt1, *alt2]),
                State::Capture { next, .. } | State::Look { next, .. } => todo.push(*next),
                State::Fail => {}
                _ => places.push(place),
            }
        }
        places.sort_unstable();
        let places: Places = places.into();
        if let Some(&known) = self.ids.get(&places) {
            return Ok(known);
        }
        let id = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        if self.order.len() >= self.limits.raw_states || self.work > self.limits.work {
            return Err(Fault::new(format!(
                "more than {} states: repeat less, or say more exactly what may stand where",
                self.limits.raw_states
            )));
        }
        self.order.push(Rc::clone(&places));
        self.ids.insert(places, id);
        Ok(id)
    }

    fn accepting(&self, places: &[StateID]) -> u64 {
        places.iter().fold(0, |mask, &place| match self.nfa.state(place) {
            State::Match { pattern_id } => mask | 1u64.wrapping_shl(pattern_id.as_u32()),
            _ => mask,
        })
    }

    fn row(&mut self, places: &[StateID], class_of: &[u8]) -> Result<Vec<u32>, Fault> {
        let classes = class_of.last().map_or(1, |&last| usize::from(last).saturating_add(1));
        let mut targets: Vec<Vec<StateID>> = vec![Vec::new(); classes];
        for &place in places {
            match self.nfa.state(place) {
                State::ByteRange { trans } => spread(trans, class_of, &mut targets),
                State::Sparse(sparse) => {
                    sparse.transitions.iter().for_each(|trans| spread(trans, class_of, &mut targets));
                }
                State::Dense(dense) => {
                    for byte in 0..=255 {
                        let next = dense.matches_byte(byte);
                        next.into_iter().for_each(|next| {
                            spread(&Transition { start: byte, end: byte, next }, class_of, &mut targets);
                        });
                    }
                }
                _ => {}
            }
        }
        let mut row: Vec<u32> = Vec::with_capacity(classes);
        let mut last: Option<(&[StateID], u32)> = None;
        for places in &targets {
            let id = match last {
                Some((known, id)) if known == places.as_slice() => id,
                _ => self.state(places)?,
            };
            last = Some((places, id));
            row.push(id);
        }
        Ok(row)
    }
}

/// Adds the target of a range of bytes to each of the range's classes; classes rise with the bytes.
fn spread(trans: &Transition, class_of: &[u8], targets: &mut [Vec<StateID>]) {
    let class = |byte: u8| class_of.get(usize::from(byte)).map_or(0, |&class| usize::from(class));
    for targets in targets.get_mut(class(trans.start)..=class(trans.end)).unwrap_or_default() {
        if targets.last() != Some(&trans.next) {
            targets.push(trans.next);
        }
    }
}
