//! Which table reads an API's answers, where the API's own file does not hold it.

use super::json::table::{MASK, Table};

/// For an API that has no table of its own: every string, number and key is masked.
pub static EVERYTHING: Table = Table { root: &MASK };

/// Anthropic's answers.
pub const ANTHROPIC: &Table = &EVERYTHING;
/// Gemini's.
pub const GEMINI: &Table = &EVERYTHING;
/// Cohere's.
pub const COHERE: &Table = &EVERYTHING;
/// Bedrock's.
pub const BEDROCK: &Table = &EVERYTHING;
/// Ollama's.
pub const OLLAMA: &Table = &EVERYTHING;
