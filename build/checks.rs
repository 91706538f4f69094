//! What the streaming engine cannot hold is refused while building.
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::automaton::{Automaton, DEAD, STARTS};
use crate::table::Table;

/// Counted repeats multiply states; the bound on long values lives in the masker instead.
const MOST_COUNTED: u32 = 64;
/// Candidates are found by the first four bytes, or by an anchor.
const SHORTEST: usize = 4;
const MOST_BYTES: usize = 500 * 1024;

/// What can be said of each pattern alone.
pub fn patterns(table: &Table) -> Result<(), String> {
    for detector in &table.detectors {
        let hir = detector.hir()?;
        let name = &detector.entity;
        pattern(&hir).map_err(|why| format!("{name}: {why}"))?;
        if detector.anchor.is_none() && hir.properties().minimum_len().is_none_or(|len| len < SHORTEST) {
            return Err(format!("{name}: matches fewer than {SHORTEST} bytes"));
        }
        if detector.left[b'\n' as usize] {
            return Err(format!(
                "{name}: not_after holds the line end, which stands for the start of the text"
            ));
        }
        if detector.longest_only && detector.validator.is_none() {
            return Err(format!("{name}: longest_only without a validator means nothing"));
        }
    }
    Ok(())
}

fn pattern(hir: &Hir) -> Result<(), String> {
    match hir.kind() {
        HirKind::Empty => Ok(()),
        HirKind::Look(look) => Err(format!("look-around ({look:?}): use not_after and not_before")),
        HirKind::Literal(literal) if literal.0.is_ascii() => Ok(()),
        HirKind::Class(Class::Bytes(bytes)) if bytes.is_ascii() => Ok(()),
        HirKind::Literal(_) | HirKind::Class(_) => Err("bytes beyond ASCII".into()),
        HirKind::Repetition(repeat) if repeat.min.max(repeat.max.unwrap_or(0)) > MOST_COUNTED => {
            Err(format!("a repeat counted above {MOST_COUNTED}"))
        }
        HirKind::Repetition(repeat) => pattern(&repeat.sub),
        HirKind::Capture(capture) => pattern(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().try_for_each(pattern),
    }
}

/// What shows only in the automaton.
pub fn automaton(table: &Table, automaton: &Automaton) -> Result<(), String> {
    let bytes = automaton.next.len() * 2;
    if bytes > MOST_BYTES {
        return Err(format!(
            "{bytes} bytes of transitions in {} states, at most {MOST_BYTES}",
            automaton.states()
        ));
    }
    for state in (0..automaton.states()).filter(|&s| s != DEAD) {
        if automaton.accept[state] | automaton.reach[state] == 0 {
            return Err(format!("state {state} is alive, yet nothing can match from it"));
        }
    }
    for (bit, detector) in table.detectors.iter().enumerate() {
        let name = &detector.entity;
        if STARTS.iter().all(|&start| automaton.reach[start] & 1 << bit == 0) {
            return Err(format!("{name}: can never match"));
        }
        if let Some(byte) = unbounded_restart(automaton, bit, detector.validator.is_some(), &detector.left) {
            let byte = byte.escape_ascii();
            return Err(format!(
                "{name}: a run of {byte} could start a value at every byte: add it to not_after"
            ));
        }
    }
    Ok(())
}

/// A byte that keeps the automaton going without end and undecided, and after which the detector may start again:
/// such a run would cost the square of its length.
fn unbounded_restart(automaton: &Automaton, bit: usize, validated: bool, not_after: &[bool]) -> Option<u8> {
    let mask = 1u64 << bit;
    let open = |s: usize| automaton.reach[s] & mask != 0 && (validated || automaton.accept[s] & mask == 0);
    let edges =
        |s: usize| (0..=255u8).map(move |b| (b, automaton.step(s, b))).filter(|&(_, t)| t != DEAD && open(t));
    let components = components(automaton.states(), |s| edges(s).map(|(_, t)| t).collect());
    let mut seen = vec![false; automaton.states()];
    let mut todo = STARTS.to_vec();
    while let Some(state) = todo.pop() {
        if std::mem::replace(&mut seen[state], true) {
            continue;
        }
        for (byte, target) in edges(state) {
            if components[state] == components[target] && !not_after[byte as usize] {
                return Some(byte);
            }
            todo.push(target);
        }
    }
    None
}

/// The strongly connected component of each state (Kosaraju).
fn components(states: usize, edges: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let forward: Vec<Vec<usize>> = (0..states)
        .map(|s| {
            let mut targets = edges(s);
            targets.sort_unstable();
            targets.dedup();
            targets
        })
        .collect();
    let mut backward = vec![Vec::new(); states];
    forward.iter().enumerate().for_each(|(s, targets)| targets.iter().for_each(|&t| backward[t].push(s)));
    let mut order = Vec::new();
    let mut seen = vec![false; states];
    for root in 0..states {
        let mut stack = vec![(root, 0)];
        while let Some((state, child)) = stack.pop() {
            if child == 0 && std::mem::replace(&mut seen[state], true) {
                continue;
            }
            match forward[state].get(child) {
                Some(&target) => stack.extend([(state, child + 1), (target, 0)]),
                None => order.push(state),
            }
        }
    }
    let mut component = vec![usize::MAX; states];
    for &root in order.iter().rev() {
        let mut stack = vec![root];
        while let Some(state) = stack.pop() {
            if component[state] == usize::MAX {
                component[state] = root;
                stack.extend(&backward[state]);
            }
        }
    }
    component
}

/// The bytes that may come before a detector's anchor, and how many at most.
pub fn run_before_anchor(
    automaton: &Automaton,
    bit: usize,
    anchor: u8,
) -> Result<(Vec<bool>, usize), String> {
    let mask = 1u64 << bit;
    let mut run = vec![false; 256];
    let mut level = vec![STARTS[1]];
    for depth in 0..=MOST_COUNTED as usize + 1 {
        let mut next = Vec::new();
        for &state in &level {
            if automaton.accept[state] & mask != 0 {
                return Err("matches without its anchor".into());
            }
            for byte in (0..=255u8).filter(|&b| b != anchor) {
                let target = automaton.step(state, byte);
                if target != DEAD && (automaton.accept[target] | automaton.reach[target]) & mask != 0 {
                    run[byte as usize] = true;
                    next.push(target);
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return Ok((run, depth));
        }
        level = next;
    }
    Err("may go without its anchor for too long".into())
}
