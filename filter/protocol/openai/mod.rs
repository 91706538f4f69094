//! OpenAI's API, and the many that copy it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>, the official Python client, and the fields that
//! compatible providers add (reasoning text of DeepSeek, xAI, Mistral, OpenRouter).

mod operation;
mod refusal;
mod request;
mod responses;
pub(in crate::protocol) mod table;

pub use operation::Operation;
pub use refusal::{CONTENT_TYPE, error_body, error_event};
pub use request::{Part, RequestView, Role};
pub use table::ANSWERS;

#[cfg(test)]
mod tests;
