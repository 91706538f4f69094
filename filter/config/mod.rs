//! The policy set: what operators write, parsed strictly, with every error saying where and what to do.
//!
//! Text becomes a tree of [`node::Node`]s (YAML in the command line, JSON in the module), the tree is held against
//! the tables of the format (`schema`), and what stands is read into a [`set::PolicySet`]. The tree, not the set, is
//! what a bundle ships and what digests cover: what was written, in canonical form.
//!
//! Every fault of a set is a [`Problem`], and all of them are collected: nobody wants to learn of them one by one.

mod advice;
mod approvals;
mod audit;
mod budgets;
pub mod bundle;
mod canonical;
mod check;
mod connections;
mod detectors;
#[cfg(test)]
mod faults_tests;
mod grammar;
mod issuers;
pub mod json;
#[cfg(any(test, not(target_arch = "wasm32")))]
mod json_schema;
pub mod list;
mod masks;
pub mod node;
pub mod parse;
pub mod path;
mod policies;
mod problem;
mod read;
mod recognisers;
#[cfg(test)]
mod reference;
mod schema;
mod secrets;
pub mod set;
mod tables;
mod uses;

#[cfg(any(test, not(target_arch = "wasm32")))]
pub use json_schema::json_schema;
pub use problem::{Problem, Severity, near, one_of};
