//! The policy set: what operators write, parsed strictly, with every error saying where and what to do.
pub mod set;
