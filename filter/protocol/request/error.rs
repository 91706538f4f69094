//! Why a request cannot be judged, and the way to the place where that shows.

use std::fmt;

use super::strings::Raw;

/// Why a request body cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON (RFC 8259), nested deeper than 127 levels, or a number outside double precision.
    #[error("the body is not readable JSON at byte {offset}: {reason}")]
    Malformed {
        /// Offset of the byte at fault.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key that comes twice in one object.
    #[error("{path} comes twice: remove one")]
    Duplicate {
        /// Path of the key.
        path: String,
    },
    /// JSON of another shape than the API has, where text may hide.
    #[error("{path}: {reason}")]
    Schema {
        /// Path of the value.
        path: String,
        /// What was expected, or what cannot be read.
        reason: &'static str,
    },
}

/// A step of the way to a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'b> {
    /// To the value of this key, which no table knows.
    Key(Raw<'b>),
    /// To the value of this field of a table.
    Field(&'static str),
    /// To this item.
    Index(usize),
}

/// A way, written as people write it: `messages[0].content`.
pub(super) struct Way<'w, 'b>(pub &'w [Step<'b>]);

impl fmt::Display for Way<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the body");
        }
        for (at, step) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) => write!(f, "{dot}{name}")?,
                Step::Key(key) => write!(f, "{dot}{}", shown(&key.decoded()))?,
            }
        }
        Ok(())
    }
}

/// A key that does not look like a name of an API may be the caller's text: it is not shown.
fn shown(key: &str) -> &str {
    let is_name = key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if is_name { key } else { "*" }
}
