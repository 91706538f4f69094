//! Anthropic's messages.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>, "Streaming messages" beside it, and the official clients, which
//! dispatch on the event's name and append what a delta carries to the block of its index.

mod batches;
pub mod request;
pub(in crate::protocol) mod table;

pub use batches::{BATCHES, RESULTS};
pub use table::ANSWERS;

#[cfg(test)]
mod tests;
