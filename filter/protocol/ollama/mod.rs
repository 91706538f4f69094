//! Ollama's own API. Its copy of OpenAI's, below `/v1`, is read as OpenAI's.
//!
//! Source: <https://github.com/ollama/ollama/blob/main/docs/api.md>.

pub mod request;
mod table;
#[cfg(test)]
mod tests;

pub use table::ANSWERS;
