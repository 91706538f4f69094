//! What the bytes of each API mean, and the framings they share.
//!
//! Requests are read whole and strictly, along a table of each provider ([`request`]): what a rule judges must be what the
//! upstream reads. Responses are rewritten as they come ([`rewrite`]): an API's answers are a table ([`json::table`]) that
//! one engine reads, over these framings:
//!
//! | framing | media type | file |
//! |---|---|---|
//! | one document | `application/json`, `…+json` | [`json`] |
//! | server-sent events | `text/event-stream` | [`sse`] |
//! | a document a line, JSON text sequences | `application/x-ndjson`, `application/jsonl`, `application/json-seq` | `json_lines` |
//! | an array whose items are events | `application/json`, by protocol | `json_array` |
//! | AWS event stream | `application/vnd.amazon.eventstream` | [`aws_frames`] |
//!
//! What comes compressed all the same is unpacked first ([`coding`]).

pub mod answers;
pub mod anthropic;
pub mod api;
pub mod aws_frames;
pub mod bedrock;
pub(crate) mod bytes;
pub mod coding;
pub mod cohere;
mod facts;
pub mod gemini;
pub mod json;
mod json_array;
mod json_lines;
pub mod limit;
pub mod ollama;
pub mod openai;
mod patch;
pub mod problem;
pub mod request;
pub mod rewrite;
pub mod sse;
pub mod store;
mod stream;
#[cfg(test)]
mod testing;
pub mod usage;

use crate::mask::text::Entity;
pub use facts::{Usage, Work};
pub use request::RequestError;

/// Why an answer cannot be inspected. The caller fails closed: nothing after it goes out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The bytes are no JSON, or JSON that two readers may read differently.
    #[error("the answer is not readable JSON at byte {at}: {reason}")]
    Json {
        /// Offset in the document or in the event's data.
        at: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The body or an event ended within its document.
    #[error("the answer ended within a JSON document")]
    Truncated,
    /// Bytes that are no UTF-8.
    #[error("the answer is not UTF-8")]
    Utf8,
    /// An event longer than is read.
    #[error("an event is longer than {limit} bytes")]
    EventTooLong {
        /// The bound.
        limit: usize,
    },
    /// Compressed bytes that are damaged, end early or expand too far.
    #[error("the answer's content coding cannot be undone: {reason}")]
    Coding {
        /// What is wrong.
        reason: &'static str,
    },
    /// A binary frame that is damaged, or that two readers may read differently.
    #[error("a frame of the answer is not readable: {reason}")]
    Frame {
        /// What is wrong.
        reason: &'static str,
    },
    /// Text behind its end: what was held of it is out by then, so that a value cut there could not be masked. Behind a
    /// mere reason to stop that is so only where a value is cut.
    #[error("the answer goes on behind its end")]
    TextAfterEnd,
    /// An event whose name and whose document's kind are not the same: readers go by the one or the other.
    #[error("an event is called one thing by its framing and another by its document")]
    TwoNames,
    /// A value with which an answer may not go on: it is not in what went out, nor is anything after it.
    #[error("the policy lets no answer through that holds such a value")]
    Blocked {
        /// What it is.
        entity: Entity,
    },
    /// More texts at once, or in one event, than are followed.
    #[error("the answer carries more than {limit} texts at once")]
    TooManyTexts {
        /// The bound.
        limit: usize,
    },
}

/// What becomes of a model's thinking. Providers sign it, and take it back only as they gave it out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Masked like any text. Where that changed a block, its signature is written empty: the block shows what was
    /// thought, but cannot be sent back to the provider.
    #[default]
    Mask,
    /// Kept as it came, but for the injected credential, with its signature: it can be sent back.
    Exempt,
    /// Written empty, with its signature.
    Drop,
}
