//! The tables of one group, as the masker reads them.
use std::borrow::Cow;
use std::collections::HashMap;

use super::automaton::{Automaton, START};
use super::fingerprint::{self, LongWord, NearSets, Start};
use super::transitions::Transitions;
use super::{Fault, Limits, MOST_PATTERNS, Row, Side, restart};

/// Bytes before a value by which the masker tells starts apart: a walk's flags have room for so many.
const MOST_SIGNATURES: usize = 16;
/// Bytes before an anchor.
const LONGEST_RUN: usize = 65;

/// One group: its automaton, and what stands around its values. Sets of patterns are bits, in the order of the rows.
pub struct Tables {
    /// The class of each byte.
    pub class_of: Cow<'static, [u8; 256]>,
    /// How many classes there are.
    pub classes: usize,
    /// The next state: `next[state * classes + class]`.
    pub next: Transitions,
    /// For each state, where its masks are.
    pub masks_of: Cow<'static, [u16]>,
    /// The patterns that accept in a state, and those that may accept after it. Few different pairs stand for all
    /// states.
    pub masks: Cow<'static, [(u64, u64)]>,
    /// The signature of each byte before a value.
    pub after: Cow<'static, [u8; 256]>,
    /// The patterns that may start under a signature.
    pub signatures: Cow<'static, [u64]>,
    /// The patterns that may end before each byte.
    pub before: Cow<'static, [u64; 256]>,
    /// Those that may end before any byte.
    pub before_any: u64,
    /// Those whose values may be longer than the masker's limit.
    pub growing: u64,
    /// Those that count as found when they reach the limit undecided.
    pub past_limit: u64,
    /// Those of which only the longest match needs to be tried.
    pub last_end_only: u64,
    /// Those that are not found by an anchor.
    pub unanchored: u64,
    /// How values of those may begin that do not begin like a long word.
    pub marks: Cow<'static, [Mark]>,
    /// Those that do.
    pub long_words: Cow<'static, [LongWord]>,
    /// The anchors.
    pub anchors: Cow<'static, [Anchor]>,
}

/// How values of a pattern may begin, and how that is told of many places at a time.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The pattern's bit.
    pub pattern: u32,
    /// One of few buckets, told apart by vectors; `None`: words tell where it may stand.
    pub bucket: Option<u32>,
    /// Whether a value may start within a word.
    pub within: bool,
    /// The first bytes.
    pub sets: NearSets,
}

/// A byte that every value of a pattern holds, and what may stand between the value's start and its first such byte.
#[derive(Clone)]
pub struct Anchor {
    /// The pattern's bit.
    pub pattern: u32,
    /// The byte.
    pub byte: u8,
    /// The bytes that may come before it.
    pub run: [bool; 256],
    /// How many of them at most.
    pub longest: usize,
}

impl Tables {
    /// The tables of a group, once it has passed all checks.
    pub fn compile(rows: &[Row], limits: &Limits) -> Result<Self, Fault> {
        let anchored = rows.iter().filter(|row| row.anchor.is_some()).count();
        if rows.len() > MOST_PATTERNS {
            return Err(Fault::new(format!("{} patterns in one group, at most {MOST_PATTERNS}", rows.len())));
        }
        if anchored > 0 && anchored < rows.len() {
            return Err(Fault::new("patterns with an anchor need a group of their own"));
        }
        let automaton = Automaton::build(&rows.iter().map(|row| &row.hir).collect::<Vec<_>>(), limits)?;
        for (at, row) in rows.iter().enumerate().filter(|_| limits.checked) {
            check(&automaton, at, row).map_err(|fault| fault.of(at))?;
        }
        let anchors = rows.iter().enumerate().filter_map(|(at, row)| Some((at, row, row.anchor?)));
        let anchors = anchors
            .map(|(at, row, byte)| anchor(&automaton, at, row, byte).map_err(|fault| fault.of(at)))
            .collect::<Result<Vec<_>, _>>()?;
        let (marks, long_words) = marks(&automaton, rows);
        let (masks_of, masks) = masks(&automaton)?;
        let (after, signatures) = signatures(rows)?;
        let ending = |byte: u8| bits(rows, |row| !holds(&row.not_before, byte));
        let before = of_bytes(ending);
        let unbounded = |row: &Row| row.hir.properties().maximum_len().is_none() && row.steady;
        Ok(Self {
            class_of: Cow::Owned(of_bytes(|byte| {
                automaton.class_of.get(usize::from(byte)).copied().unwrap_or(0)
            })),
            classes: automaton.classes,
            next: Transitions::Plain(automaton.next),
            masks_of: masks_of.into(),
            masks: masks.into(),
            after: Cow::Owned(after),
            signatures: signatures.into(),
            before_any: before.iter().fold(u64::MAX, |all, mask| all & mask),
            before: Cow::Owned(before),
            growing: bits(rows, unbounded),
            past_limit: bits(rows, |row| row.past_limit),
            last_end_only: bits(rows, |row| row.longest_only),
            unanchored: bits(rows, |row| row.anchor.is_none()),
            marks: marks.into(),
            long_words: long_words.into(),
            anchors: anchors.into(),
        })
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        self.masks_of.len()
    }

    /// Bytes of all that grows with the patterns.
    pub fn bytes(&self) -> usize {
        let next = self.next.len().saturating_add(self.masks_of.len()).saturating_mul(2);
        let wide = self.masks.len().saturating_mul(16).saturating_add(self.before.len().saturating_mul(8));
        next.saturating_add(wide).saturating_add(self.class_of.len()).saturating_add(self.after.len())
    }
}

fn of_bytes<T: Copy + Default>(of: impl FnMut(u8) -> T) -> [T; 256] {
    let mut all = [T::default(); 256];
    all.iter_mut().zip((0..=255).map(of)).for_each(|(own, value)| *own = value);
    all
}

fn holds(set: &[bool], byte: u8) -> bool {
    set.get(usize::from(byte)).copied().unwrap_or(false)
}

fn bits(rows: &[Row], of: impl Fn(&Row) -> bool) -> u64 {
    let bit = |at: u32| 1u64.wrapping_shl(at);
    rows.iter().zip(0u32..).filter(|(row, _)| of(row)).fold(0, |mask, (_, at)| mask | bit(at))
}

/// What shows only in the automaton.
#[inline(never)]
fn check(automaton: &Automaton, at: usize, row: &Row) -> Result<(), Fault> {
    if holds(&row.not_after, b'\n') {
        let why = "holds the line end, which stands for the start of the text";
        return Err(Fault::at(Side::Before, why));
    }
    let mask = 1u64.wrapping_shl(u32::try_from(at).unwrap_or(0));
    if automaton.reach(START) & mask == 0 {
        return Err(Fault::new("can never match"));
    }
    if (START..automaton.states()).any(|state| automaton.alive(state) == 0) {
        return Err(Fault::new("a state is alive, yet nothing can match from it"));
    }
    if let Some(byte) = restart::unbounded(automaton, at, row.doubtful, &row.not_after) {
        let byte = byte.escape_ascii();
        let why = format!(
            "goes on without end over {byte}, and could start anew at every {byte}: put it into not_after"
        );
        return Err(Fault::new(why));
    }
    match restart::endless(automaton, at, &row.not_before) {
        None => Ok(()),
        Some(byte) => {
            let byte = byte.escape_ascii();
            let why = format!(
                "goes on over {byte} without end, and may not end before it: take it out of not_before"
            );
            Err(Fault::at(Side::After, why))
        }
    }
}

/// The beginnings of each row that is not found by an anchor, or the word that it begins with; each in the first bucket
/// that needs one.
#[inline(never)]
fn marks(automaton: &Automaton, rows: &[Row]) -> (Vec<Mark>, Vec<LongWord>) {
    let (mut marks, mut long_words) = (Vec::new(), Vec::new());
    for ((at, row), pattern) in
        rows.iter().enumerate().zip(0u32..).filter(|((_, row), _)| row.anchor.is_none())
    {
        let within = (0..=255u8).any(|byte| byte.is_ascii_alphanumeric() && !holds(&row.not_after, byte));
        match fingerprint::start(automaton, at) {
            Start::LongWord(word) if !within => long_words.push(word),
            Start::LongWord(_) => {
                let sets = fingerprint::sets(automaton, at);
                let [a, b, c, d, ..] = sets;
                marks.push(Mark { pattern, bucket: Some(0), within, sets: [a, b, c, d] });
            }
            Start::Beginnings(beginnings) => marks.extend(beginnings.into_iter().map(|(sets, told)| {
                let bucket = (within || !told).then_some(0);
                Mark { pattern, bucket, within, sets }
            })),
        }
    }
    (marks, long_words)
}

type Masks = (Vec<u16>, Vec<(u64, u64)>);

#[inline(never)]
fn masks(automaton: &Automaton) -> Result<Masks, Fault> {
    let mut ids = HashMap::new();
    let mut pairs = Vec::new();
    let of_state = (0..automaton.states()).map(|state| {
        let pair = (automaton.accept(state), automaton.reach(state));
        let id = *ids.entry(pair).or_insert_with(|| {
            pairs.push(pair);
            pairs.len().saturating_sub(1)
        });
        u16::try_from(id).map_err(|_| Fault::new("more than 65535 sets of patterns"))
    });
    let of_state = of_state.collect::<Result<_, _>>()?;
    Ok((of_state, pairs))
}

/// Which patterns may start after each byte, by one of few signatures.
#[inline(never)]
fn signatures(rows: &[Row]) -> Result<([u8; 256], Vec<u64>), Fault> {
    let mut signatures: Vec<u64> = Vec::new();
    let of_byte = of_bytes(|byte| {
        let mask = bits(rows, |row| !holds(&row.not_after, byte));
        let known = signatures.iter().position(|&known| known == mask);
        let at = known.unwrap_or_else(|| {
            signatures.push(mask);
            signatures.len().saturating_sub(1)
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    });
    if signatures.len() > MOST_SIGNATURES {
        return Err(Fault::new(format!(
            "what may stand before the values differs in {} ways, at most {MOST_SIGNATURES}: split the group",
            signatures.len()
        )));
    }
    Ok((of_byte, signatures))
}

/// The bytes that may come before a pattern's anchor, and how many at most.
#[inline(never)]
fn anchor(automaton: &Automaton, at: usize, row: &Row, byte: u8) -> Result<Anchor, Fault> {
    let mask = 1u64.wrapping_shl(u32::try_from(at).unwrap_or(0));
    let mut run = [false; 256];
    let mut level = vec![START];
    for longest in 0..=LONGEST_RUN {
        let mut next = Vec::new();
        for &state in &level {
            if automaton.accept(state) & mask != 0 {
                return Err(Fault::new("matches without its anchor"));
            }
            for (other, target) in automaton.edges(state, mask).filter(|&(other, _)| other != byte) {
                if let Some(held) = run.get_mut(usize::from(other)) {
                    *held = true;
                }
                next.push(target);
            }
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            if run.iter().zip(&row.not_after).any(|(run, excluded)| *run && !excluded) {
                return Err(Fault::new("not_after must hold all that may come before the anchor"));
            }
            return Ok(Anchor { pattern: u32::try_from(at).unwrap_or(0), byte, run, longest });
        }
        level = next;
    }
    Err(Fault::new("may go without its anchor for too long"))
}
