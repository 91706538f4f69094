//! A policy set's own detectors: patterns in the grammar of the built-in ones, and words.
//!
//! They are compiled when the set loads, once for all workers' texts, within bounds on time and memory. They stand
//! after the built-in ones: of two equally long values the built-in one wins. Several may find the same entity, also a
//! built-in one.
use std::borrow::Cow;
use std::rc::Rc;

use super::context::Context;
use super::grammar::{self, Bytes, Limits, MOST_PATTERNS, Mark, NearSets, Row, Side, Tables};
use super::lexicon::{LONGEST_WORD, Lexicon, MOST_WORDS, SHORTEST_WORD};
use super::tables::{BUCKETS, Detector, ENTITIES, Finder, Group, SETS};
use super::text::Entity;
use super::walk::LIMIT;
use crate::texts::Texts;

/// Patterns of one set.
const MOST_OWN_PATTERNS: usize = 128;
/// Detectors by words of one set: each is looked up at every word of a text.
const MOST_LEXICONS: usize = 16;
/// Entities of one set.
const MOST_OWN_ENTITIES: usize = 128;
/// Groups that own patterns may take: a plan has room for the built-in ones and these.
const MOST_OWN_GROUPS: usize = 4;
/// Phrases of one detector.
const MOST_PHRASES: usize = 64;
/// What stands within words.
const WORD: &str = "[0-9A-Za-z_]";

/// One pattern: what a reader of a policy can still take in, and a tenth of a second at most.
const ALONE: Limits = Limits {
    nfa_states: 4096,
    raw_states: 2048,
    work: 1 << 20,
    bytes: 128 * 1024,
    minimise: true,
    checked: true,
};
/// Several together, each of them checked before.
const TOGETHER: Limits = Limits {
    nfa_states: 1 << 16,
    raw_states: 4096,
    work: 1 << 22,
    bytes: 256 * 1024,
    minimise: false,
    checked: false,
};
/// The fewest bytes of a value.
const SHORTEST: usize = 2;

/// A detector as a policy set describes it.
#[derive(Debug, Clone)]
pub struct OwnDetector {
    /// The entity that it finds.
    pub name: String,
    /// What a value looks like.
    pub finds: Finds,
    /// Phrases, one of which must stand within the 48 bytes before the value; none: no matter what stands there.
    pub context: Vec<String>,
}

/// What a value looks like.
#[derive(Debug, Clone)]
pub enum Finds {
    /// A pattern in the detectors' grammar.
    Pattern {
        /// The pattern.
        pattern: String,
        /// A class of bytes after which no value starts; `None`: letters, digits and `_`.
        not_after: Option<String>,
        /// A class of bytes before which no value ends; `None`: the same, or nothing for a pattern without an end.
        not_before: Option<String>,
    },
    /// One of some words.
    Words {
        /// The words.
        words: Rc<Texts>,
        /// Whether the case of ASCII letters does not matter.
        ignore_case: bool,
    },
}

/// What is wrong with a set's own detectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct OwnFault {
    /// The detector, by its place in the list.
    pub detector: usize,
    /// The part of it.
    pub part: Part,
    /// What is wrong, and what to do.
    pub why: String,
}

/// A part of a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its name.
    Name,
    /// Its pattern.
    Pattern,
    /// What may not stand before a value.
    NotAfter,
    /// What may not stand after a value.
    NotBefore,
    /// One of its words.
    Word(usize),
    /// Its words together.
    Words,
    /// One of its phrases.
    Context(usize),
}

/// A set's own detectors, compiled.
#[derive(Default)]
pub(super) struct Own {
    /// Names of the entities that are not built in.
    pub names: Vec<Box<str>>,
    pub groups: Vec<Rc<Group>>,
    pub lexicons: Vec<Rc<Lexicon>>,
}

struct Compiler {
    own: Own,
    faults: Vec<OwnFault>,
    words: usize,
    patterns: Vec<(usize, Row, Finder)>,
}

type Why = (Part, String);

impl Own {
    /// What stands of them, with its names, and everything that is wrong.
    pub fn compile(detectors: &[OwnDetector]) -> (Self, Vec<OwnFault>) {
        let mut compiler =
            Compiler { own: Self::default(), faults: Vec::new(), words: 0, patterns: Vec::new() };
        for (at, detector) in detectors.iter().enumerate() {
            if let Err((part, why)) = compiler.add(at, detector) {
                compiler.faults.push(OwnFault { detector: at, part, why });
            }
        }
        compiler.group();
        (compiler.own, compiler.faults)
    }
}

impl Compiler {
    #[inline(never)]
    fn add(&mut self, at: usize, detector: &OwnDetector) -> Result<(), Why> {
        let finder = Finder {
            entity: self.entity(&detector.name).map_err(|why| (Part::Name, why))?,
            order: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(0x1_0000),
            context: context(&detector.context)?,
        };
        match &detector.finds {
            Finds::Pattern { pattern, not_after, not_before } => {
                let row =
                    row(pattern, not_after.as_deref(), not_before.as_deref(), finder.context.is_some())?;
                if self.patterns.len() >= MOST_OWN_PATTERNS {
                    return Err((
                        Part::Pattern,
                        format!("is one pattern too many: at most {MOST_OWN_PATTERNS}"),
                    ));
                }
                self.patterns.push((at, row, finder));
            }
            Finds::Words { words, ignore_case } => {
                let lexicon = self.lexicon(words, *ignore_case, finder)?;
                self.own.lexicons.push(Rc::new(lexicon));
            }
        }
        Ok(())
    }

    fn entity(&mut self, name: &str) -> Result<Entity, String> {
        if SETS.iter().any(|(set, _)| *set == name) {
            return Err(format!("{name} is a set of entities: choose another name"));
        }
        if name == super::catalogue::CREDENTIAL {
            return Err(format!("{name} is the filter's own: choose another name"));
        }
        let known = ENTITIES.iter().copied().chain(self.own.names.iter().map(|name| &**name));
        let at = known.clone().position(|known| known == name).unwrap_or_else(|| known.count());
        if at >= ENTITIES.len().saturating_add(MOST_OWN_ENTITIES) {
            return Err(format!("is one entity too many: at most {MOST_OWN_ENTITIES} of a set's own"));
        }
        if at == ENTITIES.len().saturating_add(self.own.names.len()) {
            self.own.names.push(name.into());
        }
        u16::try_from(at).map(Entity).map_err(|_| "is one entity too many".into())
    }

    #[inline(never)]
    fn lexicon(&mut self, words: &Texts, ignore_case: bool, finder: Finder) -> Result<Lexicon, Why> {
        if self.own.lexicons.len() >= MOST_LEXICONS {
            let why =
                format!("is one list of words too many: at most {MOST_LEXICONS}; join those of one entity");
            return Err((Part::Words, why));
        }
        self.words = self.words.saturating_add(words.len());
        if self.words > MOST_WORDS {
            return Err((Part::Words, format!("more than {MOST_WORDS} words in the set")));
        }
        for (at, word) in words.iter().enumerate() {
            if !(SHORTEST_WORD..=LONGEST_WORD).contains(&word.len()) {
                let why = format!("has {} bytes; a word has {SHORTEST_WORD} to {LONGEST_WORD}", word.len());
                return Err((Part::Word(at), why));
            }
            if word.trim() != word || word.chars().any(char::is_control) {
                return Err((Part::Word(at), "has white space at an end, or a control character".into()));
            }
        }
        Lexicon::new(words.iter().map(str::as_bytes), ignore_case, finder)
            .map_err(|error| (Part::Words, format!("are too many together: {error}")))
    }

    /// Puts the patterns into as few groups as hold them.
    #[inline(never)]
    fn group(&mut self) {
        let patterns = std::mem::take(&mut self.patterns);
        let mut todo: Vec<&[(usize, Row, Finder)]> = patterns.chunks(MOST_PATTERNS).rev().collect();
        while let Some(some) = todo.pop() {
            let rows: Vec<Row> = some.iter().map(|(_, row, _)| row.clone()).collect();
            match Tables::compile(&rows, &TOGETHER) {
                Ok(tables) if self.own.groups.len() < MOST_OWN_GROUPS => {
                    let finders = some.iter().map(|(_, _, finder)| finder.clone());
                    self.own.groups.push(Rc::new(group(tables, finders)));
                }
                Err(_) if some.len() > 1 => {
                    let (first, last) = some.split_at(some.len() / 2);
                    todo.extend([last, first]);
                }
                fault => {
                    let why =
                        "the patterns are too large together: repeat less, or list words instead".into();
                    let why = fault.err().map_or(why, |fault| fault.why);
                    let detector = some.first().map_or(0, |(at, _, _)| *at);
                    return self.faults.push(OwnFault { detector, part: Part::Pattern, why });
                }
            }
        }
    }
}

/// A pattern that has passed every check that concerns it alone.
#[inline(never)]
fn row(pattern: &str, not_after: Option<&str>, not_before: Option<&str>, doubtful: bool) -> Result<Row, Why> {
    let hir = grammar::parse(pattern, SHORTEST).map_err(|fault| (Part::Pattern, fault.why))?;
    let class = |part, class: &str| -> Result<Bytes, Why> {
        grammar::byte_set(class).map_err(|fault| (part, fault.why))
    };
    let (least, most) = (hir.properties().minimum_len(), hir.properties().maximum_len());
    // Of a value that goes on without end the longest is taken: its own bytes never stand right after it.
    let endless = most.is_none();
    let row = Row {
        not_after: class(Part::NotAfter, not_after.unwrap_or(WORD))?,
        not_before: class(Part::NotBefore, not_before.unwrap_or(if endless { "" } else { WORD }))?,
        hir,
        anchor: None,
        doubtful,
        longest_only: true,
        steady: true,
        past_limit: false,
    };
    let part = |side| match side {
        None => Part::Pattern,
        Some(Side::Before) => Part::NotAfter,
        Some(Side::After) => Part::NotBefore,
    };
    match Tables::compile(std::slice::from_ref(&row), &ALONE) {
        Ok(_) => {}
        Err(fault) => return Err((part(fault.side), fault.why)),
    }
    match most.or(least).filter(|long| *long > LIMIT) {
        None => Ok(row),
        Some(long) => Err((
            Part::Pattern,
            format!(
                "a value may have {long} bytes, and what is one must show within {LIMIT}: repeat less, or let its last \
                 part repeat without end (`+`), however long it then is"
            ),
        )),
    }
}

fn group(mut tables: Tables, finders: impl Iterator<Item = Finder>) -> Group {
    for mark in tables.marks.to_mut() {
        mark.bucket = mark.bucket.map(|_| least(&BUCKETS, mark));
    }
    let detectors = finders.map(|finder| Detector { validator: None, gate: None, finder });
    Group { detectors: Cow::Owned(detectors.collect()), tables }
}

/// The place of what would propose least more with a beginning.
fn least(all: &[(bool, NearSets)], mark: &Mark) -> u32 {
    let rise = |held: &NearSets| grammar::chance(&grammar::union(held, &mark.sets)) - grammar::chance(held);
    let like = all.iter().zip(0u32..).filter(|((within, _), _)| *within == mark.within);
    let rises = like.map(|((_, held), at)| (rise(held), at));
    rises.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0, |(_, place)| place)
}

#[inline(never)]
fn context(phrases: &[String]) -> Result<Option<Context>, Why> {
    if phrases.len() > MOST_PHRASES {
        let why = format!("is one phrase too many: at most {MOST_PHRASES}");
        return Err((Part::Context(MOST_PHRASES), why));
    }
    let mut all = Vec::new();
    for (at, phrase) in phrases.iter().enumerate() {
        let phrase = Context::phrase(phrase);
        if phrase.is_empty() {
            return Err((Part::Context(at), "has no word".into()));
        }
        all.push(Cow::Owned(phrase));
    }
    Ok((!all.is_empty()).then_some(Context(Cow::Owned(all))))
}
