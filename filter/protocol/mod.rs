//! What the bytes of each API mean, and the framings they share.
//!
//! Requests are read whole and strictly ([`openai`]): what a rule judges must be what the upstream reads. Responses are
//! rewritten as they come ([`rewrite`]): an API's answers are a table ([`json::table`]) that one engine reads, over two
//! framings, a JSON document and server-sent events ([`sse`]).

mod facts;
pub mod json;
pub mod openai;
pub mod problem;
pub mod rewrite;
pub mod sse;
mod stream;
pub mod strict;
#[cfg(test)]
mod testing;

use crate::mask::text::Entity;
pub use facts::Usage;
pub use strict::RequestError;

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
    /// Text of a choice behind the event that ended it: what was held of the text is gone by then, so that a value cut
    /// there could not be masked.
    #[error("the answer goes on behind its end")]
    TextAfterEnd,
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
