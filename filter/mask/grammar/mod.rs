//! From patterns to tables: what a detector may be, and how a group of them becomes one automaton.
//!
//! build.rs includes this room by its path and writes the tables of the built-in detectors into the source; the filter
//! uses the same code for the detectors of a policy set, when the set loads. So both obey the same law and the same
//! checks:
//!
//! - ASCII bytes alone: no Unicode classes, no look-around, no repeat counted above 64. What may stand before and after
//!   a value is said by two sets of bytes instead.
//! - A run of bytes starts one value at most: a pattern that goes on without end excludes its own alphabet before it,
//!   else such a run would cost the square of its length.
//! - From every state of the automaton a match can follow, so that nothing is held in vain.
//! - A group has at most 64 patterns, and its automaton a bounded size. Patterns are grouped because the states of
//!   patterns that run side by side multiply, and because what a plan does not ask for shall cost it nothing.
mod automaton;
mod fingerprint;
mod pattern;
mod restart;
mod subsets;
mod tables;
mod transitions;

#[allow(unused_imports, reason = "the build script and the filter each use a part")]
pub use self::{
    automaton::{Automaton, DEAD, START},
    fingerprint::{
        DEPTH, LONG, LongWord, NEAR, NearSets, Set, Sets, chance, is_loud, is_quiet, share, union,
    },
    pattern::{Bytes, byte_set, parse},
    tables::{Anchor, Mark, Tables},
    transitions::Transitions,
};

use regex_syntax::hir::Hir;

/// Patterns in one group: one bit each.
pub const MOST_PATTERNS: usize = 64;

/// One pattern with what is asked of its surroundings.
#[derive(Clone)]
pub struct Row {
    /// The pattern, as [`parse`] gives it.
    pub hir: Hir,
    /// The value does not start right after one of these.
    pub not_after: Bytes,
    /// The value does not end right before one of these.
    pub not_before: Bytes,
    /// A byte that every value holds, after few others: values are found by it rather than by their first bytes.
    pub anchor: Option<u8>,
    /// Whether a match may turn out to be none: a validator is asked, or the words before it.
    pub doubtful: bool,
    /// Only the longest match is tried against the validator.
    pub longest_only: bool,
    /// Whether a longer match is a value if a shorter one is.
    pub steady: bool,
    /// A value still undecided at the masker's limit counts as found.
    pub past_limit: bool,
}

/// How large a group may become.
pub struct Limits {
    /// States of the nondeterministic automaton.
    pub nfa_states: usize,
    /// States before equal ones are merged.
    pub raw_states: usize,
    /// Steps of the construction.
    pub work: usize,
    /// Bytes of transitions in the end.
    pub bytes: usize,
    /// Whether equal states are merged: takes longer than all the rest.
    pub minimise: bool,
    /// Whether each pattern is checked; `false` where each has been, alone.
    pub checked: bool,
}

/// Why a group of patterns cannot be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Fault {
    /// The pattern at fault, where it is one alone.
    pub row: Option<usize>,
    /// The side at fault, where it is not the pattern itself.
    pub side: Option<Side>,
    /// What is wrong, and what to do.
    pub why: String,
}

/// What is said of the bytes around a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `not_after`
    Before,
    /// `not_before`
    After,
}

impl Fault {
    pub fn new(why: impl Into<String>) -> Self {
        Self { row: None, side: None, why: why.into() }
    }

    pub fn at(side: Side, why: impl Into<String>) -> Self {
        Self { side: Some(side), ..Self::new(why) }
    }

    #[must_use]
    pub fn of(self, row: usize) -> Self {
        Self { row: Some(row), ..self }
    }
}
