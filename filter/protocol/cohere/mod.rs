//! Cohere's API, version 2.
//!
//! Source: <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/v2/docs/streaming>.

pub mod request;
mod table;

pub use table::ANSWERS;

#[cfg(test)]
mod tests;
