//! Finding and masking what a policy names, in text that comes in pieces.
//!
//! # What is masked
//!
//! `detectors.toml` lists the detectors: a pattern, what may stand before and after the value, and often a validator
//! (a checksum, a parse) or words before it (`context`). A policy set may add its own (`own`), patterns and words. A text
//! is read from left to right. At each place the longest valid value over all detectors that the plan asks for is masked
//! (of equally long ones, the detector that stands first in the table), and reading goes on at its end; where no value
//! starts, at the next byte. So is the text as a reader takes it, with disguised characters undone (`views`); what
//! either reading finds is masked. That is a function of the text alone: however a stream is cut, its masked pieces are
//! the masked whole.
//!
//! # How
//!
//! build.rs makes an anchored automaton of each group of patterns (`grammar`). A walk from a place goes through the
//! groups in question, and ends when no detector that is asked for can match any more. If the text so far ends first,
//! everything from that place on is held back, and nothing else is: for each held byte some continuation would mask it,
//! and another would not. Validators are asked after the walk, the longest end first, and after them the words before
//! the value. A [`Catalogue`] knows the entities by name; a [`Plan`] restricts the automata to the entities asked for, so
//! that the others neither match nor hold. Plausible places are proposed cheaply (`candidates`); the automata alone
//! decide.
//!
//! What becomes of a value is its entity's operator ([`operators`]); the engine only says where it is.
//!
//! # Limits, in the open
//!
//! - A walk is decided after 320 bytes. A value that is longer (a key's body, a long token) is replaced once it is
//!   certain, and its rest is swallowed without being kept. Detectors that cannot grow so long are never cut. A JWT
//!   that is still within its header after 320 bytes counts as found.
//! - Never more than 320 bytes are held, or a literal's length if that is more; of disguised text some ten KiB at most.
//! - Patterns know ASCII only. Which other spellings are found is said in `disguise`, with those that are not: look-alike
//!   letters, `jane at example dot com`, any encoding but percent signs. Local parts beyond ASCII are cut at their last
//!   byte that is not ASCII.
//! - What stands before a value is known by one byte, or by the words within 48 bytes; nothing after it but the next
//!   byte. A value that needs such words is held only near a word of that kind, though it may be another detector's.
//! - Bare digits are masked as cards, and otherwise only after a word that tells what they are: ASCII words, in the
//!   languages of the countries in question. National telephone numbers are found where a policy names the country.
//! - Names, places, organisations and other things that no pattern can tell are not found at all.
//! - Held text may exceed the least possible by what validators know: sixteen digits with a wrong check digit are held
//!   until the byte after them.
mod blocks;
mod candidates;
mod catalogue;
mod context;
mod disguise;
mod entity;
mod fingerprint;
mod gates;
#[allow(dead_code, unreachable_pub, reason = "build.rs uses the rest")]
mod grammar;
mod heard;
mod held;
pub mod kept;
mod least;
mod lexicon;
mod literals;
mod masker;
pub mod operators;
mod own;
mod plan;
mod prefixes;
pub mod recognised;
mod rows;
mod swallow;
mod tables;
mod tails;
#[cfg(test)]
mod tests;
pub mod text;
mod validators;
mod views;
mod walk;
mod way;
mod whole;

pub use catalogue::{Catalogue, UNFOUND, UnknownEntity};
pub use entity::{Entities, Found, UPSTREAM_CREDENTIAL};
pub use own::{Finds, OwnDetector, OwnFault, Part};
pub use plan::Plan;
pub use views::Views;
pub use way::Way;
pub use whole::mask_whole;
