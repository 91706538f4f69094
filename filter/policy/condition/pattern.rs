//! Patterns of conditions: those that are written out are compiled when the set loads, those that vary when they are met.
//!
//! Only whether a text matches is ever asked. `regex` prepares for more: where a match starts and what its groups hold
//! take a second automaton, backwards, and slots in the first. A set may hold a thousand patterns, so they are put
//! together here from the parts that `regex` itself is made of: its parser, its NFA, read by a DFA that is made as
//! texts ask for it, and, where that gives up (`\b` beside letters beyond ASCII, or a text that fills it again and
//! again), by stepping through the NFA itself. Both take time in proportion to the text.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Builder, Cache, Config, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{BuildError, Compiler, Config as NfaConfig, WhichCaptures};

/// Bound of what a pattern that is written out compiles to, in bytes.
pub(super) const PATTERN_SIZE: usize = 1 << 20;

/// Bound of what one that varies compiles to, in bytes.
const SMALL: usize = 64 << 10;

/// What a pattern may take while it is searched for, in bytes: a thousand of them have to fit into one module.
const PATTERN_CACHE: usize = 256 << 10;

/// How often its room may fill up in one text before the NFA is stepped through instead, and how many bytes must have
/// been read for each state by then.
const REFILLS: (usize, usize) = (3, 10);

thread_local! {
    /// Makes the NFAs. To set it up costs more than to compile a pattern, as it has a table for the ranges of UTF-8.
    static COMPILER: RefCell<Option<Compiler>> = const { RefCell::new(None) };
}

/// Frees what compiling patterns keeps for the next one: half a megabyte.
pub(crate) fn compiled_all() {
    COMPILER.with(|compiler| compiler.take());
}

/// A compiled pattern. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pattern(Arc<Automaton>);

struct Automaton {
    dfa: DFA,
    /// What the last search has made of it, for the next one.
    cache: Mutex<Option<Cache>>,
}

impl Pattern {
    /// Compiles a pattern in the syntax of `regex`, or says what is wrong with it.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        Self::within(PATTERN_SIZE, pattern)
    }

    /// Compiles a small one that is needed once, and keeps nothing for the next.
    pub(super) fn compile_small(pattern: &str) -> Result<Self, String> {
        let compiled = Self::within(SMALL, pattern);
        compiled_all();
        compiled
    }

    fn within(size: usize, pattern: &str) -> Result<Self, String> {
        let tree = regex_syntax::parse(pattern).map_err(|error| invalid(&error.to_string()))?;
        let refused = |error: BuildError| match error.size_limit() {
            Some(_) => too_large(),
            None => invalid(&error.to_string()),
        };
        let nfa = COMPILER.with(|compiler| {
            let mut compiler = compiler.borrow_mut();
            let compiler = compiler.get_or_insert_with(Compiler::new);
            let config = NfaConfig::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(size));
            compiler.configure(config).build_from_hir(&tree).map_err(refused)
        })?;
        let mut builder = Builder::new();
        builder.configure(
            Config::new()
                .unicode_word_boundary(true)
                .cache_capacity(PATTERN_CACHE)
                .skip_cache_capacity_check(true)
                .minimum_cache_clear_count(Some(REFILLS.0))
                .minimum_bytes_per_state(Some(REFILLS.1)),
        );
        let dfa = builder.build_from_nfa(nfa).map_err(|_| too_large())?;
        Ok(Self(Arc::new(Automaton { dfa, cache: Mutex::default() })))
    }

    /// Whether the pattern matches somewhere in a text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let Automaton { dfa, cache } = &*self.0;
        let kept = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = kept().take().unwrap_or_else(|| dfa.create_cache());
        let found = dfa.try_search_fwd(&mut made, &Input::new(text).earliest(true));
        *kept() = Some(made);
        found.map_or_else(|_| self.steps_to_match(text), |found| found.is_some())
    }

    fn steps_to_match(&self, text: &str) -> bool {
        let machine = PikeVM::new_from_nfa(self.0.dfa.get_nfa().clone());
        machine.is_ok_and(|machine| machine.is_match(&mut machine.create_cache(), text))
    }
}

/// Only a pattern that is written out is told so.
fn too_large() -> String {
    format!("the pattern compiles to more than {PATTERN_SIZE} bytes; repeat or count less in it")
}

/// The last line says what; the lines before draw the pattern.
fn invalid(error: &str) -> String {
    let reason = error.lines().last().unwrap_or("it cannot be parsed");
    format!("the pattern is not valid: {}", reason.strip_prefix("error: ").unwrap_or(reason))
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pattern")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// Pieces of patterns that concern all that is special here: Unicode, case, word boundaries, anchors, nothing at all.
    const PIECES: &[&str] = &[
        "a",
        "b",
        "é",
        "(?i)k",
        ".",
        "(?s).",
        "\\w",
        "\\b",
        "\\B",
        "(?-u:\\b)",
        "^",
        "$",
        "(?m)^",
        "\\d+",
        "[^a]",
        "x?",
        "(a|b|)",
        "(?:)",
        ".*",
        "(ab){2}",
        "ß",
        "\\pL",
        "\\s*",
    ];

    #[test]
    fn a_search_that_cannot_go_on_in_the_dfa_still_answers() {
        let pattern = Pattern::compile(r"\bsecret\b").unwrap();
        let quits = pattern.0.dfa.try_search_fwd(&mut pattern.0.dfa.create_cache(), &Input::new("é secret"));
        assert!(quits.is_err());
        assert!(pattern.is_match("é secret"));
        assert!(!pattern.is_match("ésecret"));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let refused = Pattern::compile(r"\pL{1000}\pL{1000}").unwrap_err();
        assert!(refused.contains("compiles to more than"), "{refused}");
        assert!(Pattern::compile(r"\pL{20}").is_ok() && Pattern::compile_small(r"\pL{20}").is_err());
    }

    #[test]
    fn clones_share_one_automaton() {
        let pattern = Pattern::compile("a+b").unwrap();
        let clone = pattern.clone();
        assert!(pattern.is_match("xaab") && clone.0.cache.lock().unwrap().is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_pattern_matches_where_the_regex_crate_says_so(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..6),
            texts in prop::collection::vec("[abkKéßS\u{212a} \nx1]{0,12}", 1..6),
        ) {
            let written = pieces.concat();
            let (Ok(expected), Ok(pattern)) = (Regex::new(&written), Pattern::compile(&written)) else {
                // What one refuses the other refuses.
                prop_assert!(Regex::new(&written).is_err() && Pattern::compile(&written).is_err(), "{}", written);
                return Ok(());
            };
            for text in texts {
                prop_assert_eq!(pattern.is_match(&text), expected.is_match(&text), "{} in {:?}", written, text);
            }
        }
    }
}
