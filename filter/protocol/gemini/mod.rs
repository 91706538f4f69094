//! Google's Gemini API, as Google AI Studio and Vertex AI serve it.
//!
//! Source: <https://ai.google.dev/api/generate-content> and
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse>.

pub mod request;
mod table;
#[cfg(test)]
mod tests;

pub use table::ANSWERS;
