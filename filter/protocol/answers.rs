//! Which table reads an API's answers, where the API's own file does not hold it.

use super::json::table::{MASK, Place, Table};

/// For an API that has no table of its own: every string, number and key is masked.
pub static EVERYTHING: Table = documents(&MASK);

/// The table of an API that answers with whole documents; an event of a stream is one too.
pub const fn documents(root: &'static Place) -> Table {
    Table { root, event: root }
}

/// Anthropic's answers.
pub const ANTHROPIC: &Table = &super::anthropic::ANSWERS;
/// Gemini's.
pub const GEMINI: &Table = &super::gemini::ANSWERS;
/// Cohere's.
pub const COHERE: &Table = &super::cohere::ANSWERS;
/// Bedrock's.
pub const BEDROCK: &Table = &super::bedrock::ANSWERS;
/// Ollama's.
pub const OLLAMA: &Table = &super::ollama::ANSWERS;
