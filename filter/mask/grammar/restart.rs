//! What a pattern that goes on without end may not do.
//!
//! A run of bytes that could start a value at every byte would cost the square of its length. And a value that may not
//! end before the bytes that it goes on over would never be found where it is longer than the masker's memory.
use super::automaton::{Automaton, DEAD, START};

/// A byte that keeps the automaton going without end and undecided, and after which the pattern may start again.
/// `doubtful`: whether a match may turn out to be none.
pub fn unbounded(automaton: &Automaton, pattern: usize, doubtful: bool, not_after: &[bool]) -> Option<u8> {
    let mask = 1u64.wrapping_shl(u32::try_from(pattern).unwrap_or(0));
    let open =
        |state| automaton.reach(state) & mask != 0 && (doubtful || automaton.accept(state) & mask == 0);
    let edges = |state| automaton.edges(state, mask).filter(|&(_, target)| target != DEAD && open(target));
    let components = components(automaton.states(), |state| edges(state).map(|(_, target)| target).collect());
    let component = |state: usize| components.get(state).copied().unwrap_or(usize::MAX);
    let mut seen = vec![false; automaton.states()];
    let mut todo = vec![START];
    while let Some(state) = todo.pop() {
        match seen.get_mut(state) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        for (byte, target) in edges(state) {
            let excluded = not_after.get(usize::from(byte)).copied().unwrap_or(false);
            if component(state) == component(target) && !excluded {
                return Some(byte);
            }
            todo.push(target);
        }
    }
    None
}

/// A byte over which a pattern goes on without end after a whole match, though a value may not end before it.
pub fn endless(automaton: &Automaton, pattern: usize, not_before: &[bool]) -> Option<u8> {
    let mask = 1u64.wrapping_shl(u32::try_from(pattern).unwrap_or(0));
    let edges = |state| automaton.edges(state, mask);
    let components = components(automaton.states(), |state| edges(state).map(|(_, target)| target).collect());
    let component = |state: usize| components.get(state).copied().unwrap_or(usize::MAX);
    let matched = (START..automaton.states()).filter(|&state| automaton.accept(state) & mask != 0);
    let goes_on = matched.flat_map(|state| edges(state).map(move |(byte, target)| (state, byte, target)));
    let endless = goes_on.filter(|&(state, _, target)| component(state) == component(target));
    let mut bytes = endless.map(|(_, byte, _)| byte);
    bytes.find(|byte| not_before.get(usize::from(*byte)).copied().unwrap_or(false))
}

/// The strongly connected component of each state (Kosaraju).
fn components(states: usize, edges: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let forward: Vec<Vec<usize>> = (0..states)
        .map(|state| {
            let mut targets = edges(state);
            targets.sort_unstable();
            targets.dedup();
            targets
        })
        .collect();
    let mut backward = vec![Vec::new(); states];
    for (state, targets) in forward.iter().enumerate() {
        for &target in targets {
            if let Some(sources) = backward.get_mut(target) {
                sources.push(state);
            }
        }
    }
    let order = finished(&forward);
    let mut component = vec![usize::MAX; states];
    for &root in order.iter().rev() {
        let mut todo = vec![root];
        while let Some(state) = todo.pop() {
            if let Some(own) = component.get_mut(state).filter(|own| **own == usize::MAX) {
                *own = root;
                todo.extend(backward.get(state).into_iter().flatten());
            }
        }
    }
    component
}

/// The states in the order in which a search in depth is done with them.
fn finished(forward: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; forward.len()];
    for root in 0..forward.len() {
        let mut stack = vec![(root, 0usize)];
        while let Some((state, child)) = stack.pop() {
            if child == 0 {
                match seen.get_mut(state) {
                    Some(seen) if !*seen => *seen = true,
                    _ => continue,
                }
            }
            match forward.get(state).and_then(|targets| targets.get(child)) {
                Some(&target) => stack.extend([(state, child.saturating_add(1)), (target, 0)]),
                None => order.push(state),
            }
        }
    }
    order
}
