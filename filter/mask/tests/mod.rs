//! The masker against its table, against brute force, and against itself cut in pieces.
mod disguised;
mod docs;
mod examples;
mod holding;
mod own;
mod phones;
mod precision;
mod reference;
mod streaming;
mod support;
