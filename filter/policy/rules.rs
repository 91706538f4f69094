//! Policies and rules, compiled from plain text.
//!
//! [`Rule::compile`] and [`Condition::compile`] take one text each, so that whoever knows where it stood can say so
//! when it is refused.

use super::condition::{Condition, ConditionError, EvalError};
use super::template::Template;
use super::variables::{Facts, Phase, Variable};

/// Most characters of a value that stands in what a caller is told; what is longer is cut.
pub const MAX_SAID: usize = 200;

/// Whether a decision acts or is only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It acts.
    Enforce,
    /// It is recorded and changes nothing.
    Monitor,
}

/// What a rule does when its condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Refuses the request.
    Deny,
    /// Records that it held.
    Flag,
    /// Asks a human before the request goes on.
    Approve,
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    effect: Effect,
    condition: Condition,
    source: String,
    message: Option<Template>,
    mode: Option<Mode>,
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// Whatever is wrong with the condition.
    pub fn compile(
        name: &str,
        effect: Effect,
        condition: &str,
        level: Phase,
    ) -> Result<Rule, ConditionError> {
        let source = condition.trim().to_owned();
        let condition = Condition::compile(condition, level)?;
        Ok(Rule { name: name.to_owned(), effect, condition, source, message: None, mode: None })
    }

    /// What the caller is told when the rule refuses or asks; `None`: a sentence that names the rule.
    #[must_use]
    pub fn with_message(self, message: Option<Template>) -> Rule {
        Rule { message, ..self }
    }

    /// Overrides the policy's mode, where given.
    #[must_use]
    pub fn with_mode(self, mode: Option<Mode>) -> Rule {
        Rule { mode, ..self }
    }

    /// Its name within the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// When it does it.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Its condition, as the policy has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the caller is told of a request, if the policy says so: its values literal, and each cut at [`MAX_SAID`].
    ///
    /// # Errors
    /// A value that cannot be had.
    pub fn said(&self, facts: &dyn Facts) -> Result<Option<String>, EvalError> {
        self.message.as_ref().map(|message| message.told(facts, MAX_SAID)).transpose()
    }

    /// Whether its verdict, or its words, need the request's body.
    pub fn reads_body(&self) -> bool {
        self.conditions().any(Condition::reads_body)
    }

    /// Its condition, and what stands in its message.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        std::iter::once(&self.condition).chain(self.message.iter().flat_map(Template::conditions))
    }

    /// Whether it acts within a policy of this mode.
    pub fn mode(&self, policy: Mode) -> Mode {
        self.mode.unwrap_or(policy)
    }
}

/// What may be asked, compiled.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
    allow: Condition,
    rules: Vec<Rule>,
}

impl Policy {
    /// A policy of these parts; rules stay in order.
    pub fn new(mode: Mode, allow: Condition, rules: Vec<Rule>) -> Policy {
        Policy { mode, allow, rules }
    }

    /// Whether it acts, where a rule does not say otherwise.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Who may use it at all.
    pub fn allow(&self) -> &Condition {
        &self.allow
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a verdict needs the request's body.
    pub fn needs_body(&self) -> bool {
        self.conditions().any(Condition::reads_body)
    }

    /// What its conditions and messages read, one after the other.
    pub fn variables(&self) -> impl Iterator<Item = Variable> {
        self.conditions().flat_map(Condition::reads).copied()
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        std::iter::once(&self.allow).chain(self.rules.iter().flat_map(Rule::conditions))
    }
}
