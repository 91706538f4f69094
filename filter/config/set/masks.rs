//! What is masked, and how; detectors of a set's own, recognisers.

use super::{ClusterRef, Located, Template};
use crate::config::list::TextList;

/// What is masked, and how.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Entities and sets of entities, by name; not empty.
    pub entities: Vec<Located<String>>,
    /// What becomes of a value.
    pub operator: Operator,
    /// What becomes of a model's thinking.
    pub thinking: Thinking,
    /// Entities, and sets of them, of which something else becomes.
    pub overrides: Vec<(Located<String>, Operator)>,
    /// In prompts: whether what stands for a value is taken back in the answer.
    pub restore: bool,
}

/// What becomes of a model's thinking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Masked; its signature goes where that changed something.
    #[default]
    Mask,
    /// Kept, with its signature.
    Exempt,
    /// Neither is given out.
    Drop,
}

/// What becomes of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Operator {
    /// `<EMAIL_ADDRESS>` stands for it.
    #[default]
    Replace,
    /// It is covered in part.
    Mask {
        /// Letters and digits that stay at its start.
        keep_first: usize,
        /// The same at its end.
        keep_last: usize,
        /// What covers the others: printable ASCII.
        character: u8,
    },
    /// A name of its own stands for it.
    Pseudonym {
        /// The secret under which names are made.
        key: Template,
        /// Where a name holds; without parts: the whole set.
        scope: Scope,
    },
    /// Nothing stands for it.
    Redact,
    /// The text ends before it.
    Block,
    /// It stays, and is counted.
    Flag,
}

/// Text in which `${identity.…}` may stand; `$${` is a literal `${`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The parts, in order.
    pub parts: Vec<ScopePart>,
}

/// A part of a [`Scope`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopePart {
    /// Text as it stands.
    Text(String),
    /// `identity.id`.
    Id,
    /// `identity.subject`.
    Subject,
    /// `identity.issuer`.
    Issuer,
    /// `identity.claims.…`: the names on the way.
    Claim(Vec<String>),
}

/// A detector beside the built-in ones.
#[derive(Debug, Clone)]
pub struct Detector {
    /// The entity that it finds.
    pub name: Located<String>,
    /// What a value looks like.
    pub finds: Finds,
    /// Phrases, one of which must stand before a value; empty: no matter what stands there.
    pub context: Vec<Located<String>>,
}

/// What a value looks like.
#[derive(Debug, Clone)]
pub enum Finds {
    /// A pattern.
    Pattern {
        /// In the grammar of the built-in detectors.
        pattern: Located<String>,
        /// A class of bytes after which no value starts.
        not_after: Option<Located<String>>,
        /// A class of bytes before which no value ends.
        not_before: Option<Located<String>>,
    },
    /// One of some words.
    Words {
        /// The words, with the place of their list.
        words: Located<TextList>,
        /// Whether the case of ASCII letters does not matter.
        ignore_case: bool,
    },
}

/// A service that finds in whole texts what no pattern can, by the API of Presidio's analyzer.
#[derive(Debug, Clone)]
pub struct Recogniser {
    /// Name within the set.
    pub name: Located<String>,
    /// The service; path defaults to `/analyze`.
    pub cluster: ClusterRef,
    /// What it finds, by name; not empty.
    pub entities: Vec<Located<String>>,
    /// The texts' language, as the service names it.
    pub language: String,
    /// Findings it is less sure of do not count; 0 to 1.
    pub min_score: f64,
    /// Largest answer that is given to it, in bytes.
    pub max_bytes: u64,
}
