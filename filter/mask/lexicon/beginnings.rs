//! The beginnings of words, as an Aho-Corasick automaton.
//!
//! The automaton holds every word up to some depth: the whole of it where there are few, the first ten bytes or so of
//! 100,000. The depth is the greatest that keeps within [`most_states`], so that neither the automaton nor making it (the
//! crate makes a noncontiguous one first, at some hundred bytes a state) takes what a worker cannot spare. It is walked
//! from one place only (`Anchored::Yes`): a word starts at a word's start, and what failure transitions would find
//! elsewhere does not count.
use std::ops::Range;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::{contiguous, noncontiguous};
use aho_corasick::{Anchored, BuildError, MatchKind};

use super::Sorted;

/// Dense states are quicker, and take a kilobyte each where words have bytes of all kinds: the first one alone is dense.
const DENSE_DEPTH: usize = 1;

/// A state of the automaton.
pub type State = StateID;

/// The automaton of the first bytes of words.
pub struct Beginnings {
    automaton: contiguous::NFA,
    start: State,
    /// Bytes of the longest beginning.
    depth: usize,
    /// The first word of each beginning, in order; behind them the number of words.
    firsts: Box<[u32]>,
}

/// How many states the automaton of so many words may have, about twenty bytes each: little enough for sixteen lists.
pub fn most_states(words: usize) -> usize {
    8192usize.saturating_add(words.div_euclid(4))
}

impl Beginnings {
    /// Of at most so many states, as far as one byte of each word allows.
    pub fn new(words: &Sorted, most: usize) -> Result<Self, BuildError> {
        let depth = depth(words, most);
        let (mut firsts, mut beginnings): (Vec<u32>, Vec<&[u8]>) = Default::default();
        for (word, at) in words.iter().zip(0u32..) {
            let beginning = word.get(..depth).unwrap_or(word);
            if beginnings.last() != Some(&beginning) {
                beginnings.push(beginning);
                firsts.push(at);
            }
        }
        firsts.push(u32::try_from(words.len()).unwrap_or(u32::MAX));
        // Of all kinds this is the one under which a state says of its own beginning alone that it matches.
        let kind = MatchKind::LeftmostLongest;
        let large = noncontiguous::NFA::builder()
            .match_kind(kind)
            .dense_depth(DENSE_DEPTH)
            .prefilter(false)
            .build(&beginnings)?;
        let automaton =
            contiguous::NFA::builder().dense_depth(DENSE_DEPTH).build_from_noncontiguous(&large)?;
        // An NFA has both starts.
        let start = automaton.start_state(Anchored::Yes).unwrap_or_default();
        Ok(Self { automaton, start, depth, firsts: firsts.into() })
    }

    pub fn bytes(&self) -> usize {
        self.automaton.memory_usage().saturating_add(self.firsts.len().saturating_mul(4))
    }

    /// Bytes of the longest beginning: what begins like one is decided by the words themselves.
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub fn start(&self) -> State {
        self.start
    }

    #[inline(always)]
    pub fn step(&self, state: State, byte: u8) -> State {
        self.automaton.next_state(Anchored::Yes, state, byte)
    }

    #[inline(always)]
    pub fn is_dead(&self, state: State) -> bool {
        self.automaton.is_dead(state)
    }

    /// The words that begin with all `len` bytes on the way to a state, where a beginning ends there.
    #[inline(always)]
    pub fn words(&self, state: State, len: usize) -> Option<Range<usize>> {
        if !self.automaton.is_match(state) {
            return None;
        }
        let beginning = self.automaton.match_pattern(state, 0);
        // A state also matches where a beginning ends that started later: not at its place.
        if self.automaton.pattern_len(beginning) != len {
            return None;
        }
        let first = |at: usize| self.firsts.get(at).and_then(|first| usize::try_from(*first).ok());
        let at = beginning.as_usize();
        Some(first(at)?..first(at.saturating_add(1))?)
    }
}

/// The greatest depth down to which a trie of words has no more than some states; at least one.
fn depth(words: &Sorted, most: usize) -> usize {
    let mut states: Vec<usize> = Vec::new();
    let mut last: &[u8] = &[];
    for word in words.iter() {
        states.resize(states.len().max(word.len()), 0);
        let shared = last.iter().zip(word).take_while(|(a, b)| a == b).count();
        states.iter_mut().take(word.len()).skip(shared).for_each(|states| *states = states.saturating_add(1));
        last = word;
    }
    let sums = states.iter().scan(0usize, |sum, states| {
        *sum = sum.saturating_add(*states);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= most).count().max(1)
}
