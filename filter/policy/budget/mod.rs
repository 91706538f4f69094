//! Budgets: token buckets, and where they are kept.
//!
//! | file | holds |
//! |---|---|
//! | [`bucket`] | the arithmetic of one bucket |
//! | [`slot`] | the buckets whose keys fall together, as bytes |
//! | [`service`] | what a service that counts for many proxies is asked, and what it says |
//!
//! Nothing here knows the proxy: whoever keeps the bytes gives the time, and puts them back.

pub mod bucket;
pub mod service;
pub mod slot;

pub use bucket::{Bucket, Rate};
pub use slot::{Fingerprint, Slot, SlotFull};
