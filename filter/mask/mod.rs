//! Finding and masking what a policy names, in text that comes in pieces.
pub mod text;
