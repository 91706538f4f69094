//! Budgets: token buckets, and where they are kept.
//!
//! | file | holds |
//! |---|---|
//! | [`bucket`] | the arithmetic of one bucket |
//! | [`slot`] | the buckets whose keys fall together, as bytes |
//!
//! Nothing here knows the proxy: whoever keeps the bytes gives the time, and puts them back.

pub mod bucket;
pub mod slot;

pub use bucket::{Bucket, Rate};
pub use slot::{Fingerprint, Slot, SlotFull};
