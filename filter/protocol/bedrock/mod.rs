//! Amazon Bedrock's runtime API.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html> and the user
//! guide's pages on the inference parameters of each model.

pub mod request;
mod table;
#[cfg(test)]
mod tests;

pub use table::ANSWERS;
