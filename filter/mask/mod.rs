//! Finding and masking what a policy names, in text that comes in pieces.
mod candidates;
mod entity;
mod literals;
mod masker;
mod plan;
mod swallow;
mod tables;
#[cfg(test)]
mod tests;
pub mod text;
mod validators;
mod walk;
mod whole;

pub use entity::{Entities, Found, UPSTREAM_CREDENTIAL, UnknownEntity};
pub use masker::Masker;
pub use plan::Plan;
pub use whole::{find_entities, mask_whole};
