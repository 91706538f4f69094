//! Policy: what a caller may ask, decided from facts.
//!
//! A policy is one condition that says who may use it at all (`allow`) and rules in order. A condition is CEL text;
//! it becomes a [`Condition`] once, when the set loads, and everything that can be wrong with it is found then:
//! names, types, functions, patterns, length, depth. What is left for the exchange is cheap and bounded.
//!
//! | file | holds |
//! |---|---|
//! | [`variables`] | the one table of names that conditions read, and the trait that answers them |
//! | [`condition`] | CEL text to a checked, bounded, quick condition |
//! | [`rules`] | policies and rules, compiled from plain text |
//! | [`template`] | text in which `${…}` stands |
//! | [`decision`] | the order in which they are judged, and the verdict |
//! | [`budget`] | token buckets |
//!
//! Nothing here knows Envoy, tokens or providers: facts come through [`Facts`].

pub mod budget;
pub mod condition;
pub mod decision;
pub mod rules;
pub mod template;
pub mod variables;

#[cfg(test)]
mod testing;

pub use condition::{Condition, ConditionError, EvalError, Expression};
pub use decision::{Approval, Court, Decision, Denial, Reason, Verdict};
pub use rules::{Effect, Mode, Policy, Rule};
pub use template::{Glob, Template};
pub use variables::{Fact, Facts, Phase, Variable};
