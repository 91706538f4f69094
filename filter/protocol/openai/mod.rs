//! OpenAI's API, and the many that copy it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>, the official Python client, and the fields that
//! compatible providers add (reasoning text of DeepSeek, xAI, Mistral, OpenRouter).

mod refusal;
pub mod request;
mod responses;
pub(in crate::protocol) mod table;
mod threads;

pub use refusal::{CONTENT_TYPE, error_body, error_event};
pub use table::ANSWERS;

#[cfg(test)]
mod tests;
