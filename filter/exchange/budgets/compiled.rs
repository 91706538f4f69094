//! Budgets, compiled: whose each is, what it counts, and what it does where it has no room.

use crate::config::Problem;
use crate::config::set::{self, Amount, Connection, Mode, Place};
use crate::exchange::guard::condition_problem;
use crate::exchange::rates::{Level, seconds};
use crate::policy::budget::{Bucket, Fingerprint, Rate};
use crate::policy::{Condition, EvalError, Expression, Facts};
use crate::protocol::api::{Api, Family};

/// A budget, compiled.
pub struct Budget {
    pub(super) name: String,
    /// `None`: everyone's.
    pub(super) key: Option<Expression>,
    pub(super) tokens: bool,
    pub(super) rate: Rate,
    /// The rate in words.
    pub(super) told: String,
    pub(super) clamp: bool,
    pub(super) ends: bool,
    /// Whether a service counts it.
    pub(super) global: bool,
    /// Whether it refuses; else it is only recorded what it would.
    pub(super) acts: bool,
}

/// The budgets of a policy.
#[derive(Default)]
pub struct Budgets {
    pub(super) all: Vec<Budget>,
}

impl Budgets {
    /// Compiles what a policy says; `mode` is the policy's.
    #[inline(never)]
    pub(in crate::exchange) fn compile(
        policy: &set::Policy,
        mode: Mode,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let compiled = |written| Budget::compile(written, policy, mode, problems);
        Self { all: policy.budgets.iter().filter_map(compiled).collect() }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[cfg(test)]
    pub(in crate::exchange) fn first_rate(&self) -> Rate {
        self.all[0].rate
    }

    /// Whether one that acts must know the body.
    pub(in crate::exchange) fn holds_for_body(&self) -> bool {
        self.all.iter().any(|budget| budget.acts && budget.reads_body())
    }

    /// Whether one that acts must know how many requests a batch holds.
    pub(in crate::exchange) fn holds_for_batches(&self) -> bool {
        self.all.iter().any(|budget| budget.acts)
    }

    /// Whether one must know the body.
    pub(in crate::exchange) fn judges_body(&self) -> bool {
        self.all.iter().any(Budget::reads_body)
    }

    /// Whether tokens are counted, and callers held to it.
    pub(super) fn counts_tokens(&self) -> bool {
        self.all.iter().any(|budget| budget.acts && budget.tokens)
    }

    /// The keys as conditions, to know what they read; everyone's has none.
    pub(in crate::exchange) fn conditions(&self) -> impl Iterator<Item = Option<&Condition>> {
        self.all.iter().map(|budget| budget.key.as_ref().map(Expression::condition))
    }
}

impl Budget {
    fn compile(
        written: &set::Budget,
        policy: &set::Policy,
        mode: Mode,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let key = match &written.key {
            None => None,
            Some(key) => Some(condition_problem(key, Expression::compile_key(&key.value), problems)?),
        };
        let (tokens, limit) = match written.amount {
            Amount::Tokens(limit) => (true, limit),
            Amount::Requests(limit) => (false, limit),
        };
        if tokens && written.clamp.is_none() && policy.max_output_tokens.is_none() {
            let message = "counts tokens, and nothing bounds how many an answer may have";
            let help = "set `limits.max_output_tokens` in the policy, or `clamp: true` on the budget";
            problems.push(Problem::error(&written.name.place, message).help(help));
            return None;
        }
        let acts = written.mode.unwrap_or(mode) == Mode::Enforce;
        if let Some(clamp) = written.clamp.as_ref().filter(|_| acts && mode == Mode::Monitor) {
            let message = "changes requests, which a policy that only watches does not";
            let help = "leave it out, or set the budget's mode to monitor too";
            problems.push(Problem::error(clamp, message).help(help));
            return None;
        }
        let rate = Rate::new(limit, u64::try_from(written.per.as_nanos()).unwrap_or(u64::MAX));
        let unit = if tokens { "tokens" } else { "requests" };
        Some(Self {
            name: written.name.value.clone(),
            key,
            tokens,
            rate,
            told: format!("{limit} {unit} in {} s", seconds(rate.per())),
            clamp: written.clamp.is_some(),
            ends: written.ends,
            global: written.global.is_some(),
            acts,
        })
    }

    pub(super) fn reads_body(&self) -> bool {
        self.tokens || self.key.as_ref().is_some_and(|key| key.condition().reads_body())
    }

    /// Whose it is for this request; `None`: everyone's.
    pub(super) fn whose(&self, facts: &dyn Facts) -> Result<Option<String>, EvalError> {
        self.key.as_ref().map(|key| key.evaluate(facts)).transpose()
    }

    /// The bucket of one key.
    pub(super) fn fingerprint(policy: &str, budget: &str, key: Option<&str>) -> Fingerprint {
        // No value of an expression is empty.
        Fingerprint::of(&[policy, budget, key.unwrap_or_default()])
    }

    pub(super) fn level(&self, bucket: &Bucket) -> Level {
        Level {
            name: self.name.clone(),
            tokens: self.tokens,
            rate: self.rate,
            left: bucket.left(),
            full_in: bucket.until_full(),
        }
    }
}

/// Budgets of tokens must lead to a model.
#[inline(never)]
pub fn check(connection: &Connection, api: Option<&Api>, policy: &set::Policy, problems: &mut Vec<Problem>) {
    if api.is_some_and(|api| api.family == Family::Model) {
        return;
    }
    let tokens = |budget: &&set::Budget| matches!(budget.amount, Amount::Tokens(_));
    for budget in policy.budgets.iter().filter(tokens) {
        let message = format!(
            "counts tokens, and the connection `{}` leads to no language model",
            connection.name.value
        );
        let help = "count `requests`, or give the connection a policy of its own";
        problems.push(Problem::error(&budget.name.place, message).help(help));
    }
}

/// The places of keys beside the keys, as [`Budgets::conditions`] gives them.
pub(in crate::exchange) fn keys<'c>(
    written: &'c set::Policy,
    compiled: &'c Budgets,
) -> impl Iterator<Item = (&'c Place, &'c Condition)> {
    let places = written.budgets.iter().map(|budget| budget.key.as_ref().map(|key| &key.place));
    places.zip(compiled.conditions()).filter_map(|(place, key)| Some((place?, key?)))
}
