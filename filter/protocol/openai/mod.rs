//! OpenAI's API, and the many that copy it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>, the official Python client, and the fields that
//! compatible providers add (reasoning text of DeepSeek, xAI, Mistral, OpenRouter).

mod table;

pub use table::ANSWERS;
