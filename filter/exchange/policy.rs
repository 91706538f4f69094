//! A policy, compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bounds::Limits;
use super::budgets::{self, Budgets};
use super::environment::Env;
use super::guard::condition_problem;
use super::masks::Masking;
use super::operations::{self, Operations};
use super::plans::Plans;
use super::recogniser::Recogniser;
use super::store_limits::StoreLimits;
use super::templates::template;
use crate::config::Problem;
use crate::config::set::{self, Bundle, Effect, Mode, Place};
use crate::mask::Entities;
use crate::order;
use crate::policy::rules::{self, Rule};
use crate::policy::{Condition, Expression, Phase, Variable};
use crate::protocol::Thinking;

/// A policy, compiled.
pub struct Policy {
    /// Name within the set.
    pub name: String,
    /// Digest of the policy alone.
    pub digest: String,
    /// Its mode.
    pub mode: Mode,
    /// `allow` and the rules.
    pub rules: rules::Policy,
    /// Who must say yes, by the rule that asks.
    pub approvers: BTreeMap<String, Approvers>,
    /// Whether a human may be asked, so that a request must be whole before it goes on.
    pub asks_humans: bool,
    /// Whether a rule that can refuse reads the body, so that headers are held until it is whole.
    pub holds_for_body: bool,
    /// Whether headers would be held for the body if everything in it were enforced.
    pub judges_body: bool,
    /// Whether whole answers are held until it is known that they hold no blocked value. Requests are held too then: a
    /// proxy that holds none of their heads would not hold an answer's either, and the answer would never come.
    pub blocks_answers: bool,
    /// What is masked in what is asked.
    pub prompt: Option<Masking>,
    /// What is masked in answers.
    pub response: Option<Masking>,
    /// Finds those of the entities that no pattern can.
    pub recogniser: Option<Rc<Recogniser>>,
    /// What becomes of a model's thinking in answers.
    pub thinking: Thinking,
    /// What may pass without being looked at.
    pub uninspected: set::Uninspected,
    /// The operations that it lets through.
    pub operations: Operations,
    /// What it lets through of what models can do.
    pub limits: Limits,
    /// How much may be used.
    pub budgets: Budgets,
    /// Largest request body, in bytes.
    pub max_request_bytes: usize,
    /// Every variable that a condition or a template reads.
    variables: BTreeSet<Variable>,
    /// Whether any condition or limit reads what a request asks for.
    pub reads_view: bool,
    /// Whether a request of which nothing is read may not pass for them.
    pub judges_view: bool,
    /// What may be read of vector stores.
    pub vector: Option<StoreLimits>,
}

/// Who must say yes to what a rule asks about.
pub struct Approvers {
    /// Groups of which each must have one; empty: whoever may.
    pub groups: Vec<String>,
    /// How many must.
    pub quorum: u32,
}

impl Policy {
    /// Whether a condition or a template reads a variable.
    pub fn reads(&self, variable: Variable) -> bool {
        self.variables.contains(&variable)
    }

    /// The entities that are masked in answers.
    pub fn masked_in_answers(&self) -> Entities {
        self.response.as_ref().map_or(Entities::NONE, Masking::entities)
    }
}

const HOLD_HEADERS: &str = "set allow_on_headers_stop_iteration on Envoy's plugin and bundle with --body-before-headers true; a WasmPlugin of Istio \
     cannot be told so: there, set these policies or rules to `mode: monitor`, or render a gateway with --image";

/// The recogniser of what a policy masks, where it masks what only one can find.
#[inline(never)]
fn recogniser_of(
    policy: &set::Policy,
    entities: Entities,
    recognisers: &[Rc<Recogniser>],
    problems: &mut Vec<Problem>,
) -> Option<Rc<Recogniser>> {
    let asked = |recogniser: &&Rc<Recogniser>| {
        recogniser.entities.iter().any(|(_, entity)| entities.contains(*entity))
    };
    let mut all = recognisers.iter().filter(asked);
    let first = all.next()?;
    if let Some(second) = all.next() {
        let message = format!(
            "the policy `{}` masks what two recognisers find: {} and {}",
            policy.name.value, first.name, second.name
        );
        let help = "an answer is given to one of them: leave the other's entities out";
        problems.push(Problem::error(&policy.name.place, message).help(help));
    }
    if policy.mask_prompt.as_ref().is_some_and(|mask| mask.restore) {
        // What is put back was hidden from the model, and would go to the recogniser instead.
        let message = format!(
            "the policy `{}` puts values back into answers that the recogniser {} would be sent",
            policy.name.value, first.name
        );
        let help = "take `restore` out of `mask.prompt`, or the recogniser's entities out of `mask.response`";
        problems.push(Problem::error(&policy.name.place, message).help(help));
    }
    Some(Rc::clone(first))
}

/// Compiles a policy; `None`: it cannot be, and why is said.
#[inline(never)]
pub(super) fn compile_policy(
    policy: &set::Policy,
    bundle: &Bundle,
    plans: &Plans<'_>,
    recognisers: &[Rc<Recogniser>],
    env: Option<&Env<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<Policy> {
    let before = problems.len();
    let mode = policy.mode.unwrap_or(bundle.set.mode);
    let allow =
        condition_problem(&policy.allow, Condition::compile(&policy.allow.value, Phase::Body), problems);
    let compiled: Vec<Rule> = policy.rules.iter().filter_map(|rule| compile_rule(rule, problems)).collect();
    let prompt = policy.mask_prompt.as_ref().and_then(|mask| Masking::compile(mask, plans, env, problems));
    let response =
        policy.mask_response.as_ref().and_then(|mask| Masking::compile(mask, plans, env, problems));
    let entities = response.as_ref().map_or(Entities::NONE, Masking::entities);
    let recogniser = recogniser_of(policy, entities, recognisers, problems);
    let (limits, operations) = (Limits::compile(policy), operations::compile(policy, problems));
    let vector = policy.vector.as_ref().map(|written| StoreLimits::compile(&written.value, problems));
    let budgets = Budgets::compile(policy, mode, problems);
    if problems.len() > before {
        return None;
    }
    let allow = allow?;
    let acts = |rule: &Rule| {
        rule.effect() != rules::Effect::Flag && rule.mode(mode_of(mode)) == rules::Mode::Enforce
    };
    let asks_humans = bundle.set.approvals.is_some()
        && compiled.iter().any(|rule| rule.effect() == rules::Effect::Approve && acts(rule));
    // A rule may enforce within a policy that only watches.
    let masks_prompt = mode == Mode::Enforce && prompt.as_ref().is_some_and(Masking::alters);
    let holds_for_body = mode == Mode::Enforce && allow.reads_body()
        || masks_prompt
        || asks_humans
        || mode == Mode::Enforce && limits.alters()
        || budgets.holds_for_body()
        || mode == Mode::Enforce && vector.as_ref().is_some_and(|limits| limits.reads_view)
        || compiled.iter().any(|rule| acts(rule) && rule.reads_body());
    let judges_body = allow.reads_body()
        || prompt.as_ref().is_some_and(Masking::alters)
        || limits.alters()
        || budgets.judges_body()
        || vector.as_ref().is_some_and(|limits| limits.reads_view)
        || compiled.iter().any(|rule| rule.effect() != rules::Effect::Flag && rule.reads_body());
    let blocks_answers = mode == Mode::Enforce && response.as_ref().is_some_and(Masking::blocks);
    if (holds_for_body || blocks_answers) && !bundle.host.body_before_headers {
        let what = match holds_for_body {
            true => "must read the body before a call goes on",
            false => "must read answers before they go out, for it blocks values in them",
        };
        let problem = Problem::error(
            &policy.name.place,
            format!("the policy `{}` {what}, and this proxy does not hold headers back", policy.name.value),
        );
        problems.push(problem.help(HOLD_HEADERS));
        return None;
    }
    if mode == Mode::Enforce && recogniser.is_some() && !bundle.host.body_before_headers {
        let problem = Problem::error(
            &policy.name.place,
            format!(
                "the policy `{}` must read answers whole before they go on, and this proxy does not hold headers back",
                policy.name.value
            ),
        );
        problems.push(problem.help(HOLD_HEADERS));
        return None;
    }
    let rules = rules::Policy::new(mode_of(mode), allow, compiled);
    let reads = |(_, condition): (_, &Condition)| condition.reads().iter().any(|variable| of_view(*variable));
    let judges = conditions(policy, &rules).chain(budgets::keys(policy, &budgets)).any(reads);
    let limits_view = |of: fn(&StoreLimits) -> bool| vector.as_ref().is_some_and(of);
    let reads_view = judges || limits_view(|limits| limits.reads_view);
    let judges_view = judges || limits_view(|limits| limits.judges_view);
    let keys = budgets.conditions().flatten().flat_map(|key| key.reads().iter().copied());
    let mut variables = BTreeSet::new();
    // One by one: `collect` would sort first, and sorting a type is much code.
    variables.extend(rules.variables().chain(vector.iter().flat_map(StoreLimits::variables)).chain(keys));
    Some(Policy {
        name: policy.name.value.clone(),
        digest: bundle.policy_digests.get(&policy.name.value).cloned().unwrap_or_default(),
        mode,
        approvers: approvers(policy),
        asks_humans,
        holds_for_body,
        judges_body,
        blocks_answers,
        prompt,
        response,
        recogniser,
        thinking: thinking_of(policy),
        uninspected: policy.uninspected.clone(),
        limits,
        operations,
        budgets,
        max_request_bytes: usize::try_from(policy.max_request_bytes).unwrap_or(usize::MAX),
        variables,
        reads_view,
        judges_view,
        vector,
        rules,
    })
}

#[inline(never)]
fn approvers(policy: &set::Policy) -> BTreeMap<String, Approvers> {
    let asking = policy.rules.iter().filter(|rule| rule.effect == Effect::Approve);
    let of = |rule: &set::Rule| Approvers { groups: rule.approvers.clone(), quorum: rule.quorum };
    order::map(asking.map(|rule| (rule.name.value.clone(), of(rule))))
}

fn thinking_of(policy: &set::Policy) -> Thinking {
    match policy.mask_response.as_ref().map(|mask| mask.thinking).unwrap_or_default() {
        set::Thinking::Mask => Thinking::Mask,
        set::Thinking::Exempt => Thinking::Exempt,
        set::Thinking::Drop => Thinking::Drop,
    }
}

#[inline(never)]
fn compile_rule(rule: &set::Rule, problems: &mut Vec<Problem>) -> Option<Rule> {
    let effect = match rule.effect {
        Effect::Deny => rules::Effect::Deny,
        Effect::Flag => rules::Effect::Flag,
        Effect::Approve => rules::Effect::Approve,
    };
    let compiled = Rule::compile(&rule.name.value, effect, &rule.condition.value, Phase::Body);
    let compiled = condition_problem(&rule.condition, compiled, problems)?;
    let message = rule.message.as_ref().map(|message| template(message, Expression::compile_told, problems));
    Some(compiled.with_message(message).with_mode(rule.mode.map(mode_of)))
}

fn mode_of(mode: Mode) -> rules::Mode {
    match mode {
        Mode::Enforce => rules::Mode::Enforce,
        Mode::Monitor => rules::Mode::Monitor,
    }
}

/// The conditions of a policy, and what stands in its messages, each with the place of its text.
pub(super) fn conditions<'c>(
    written: &'c set::Policy,
    compiled: &'c rules::Policy,
) -> impl Iterator<Item = (&'c Place, &'c Condition)> {
    let rule = |(written, compiled): (&'c set::Rule, &'c Rule)| {
        let said = written.message.as_ref().map_or(&written.name.place, |message| &message.place);
        let places = std::iter::once(&written.condition.place).chain(std::iter::repeat(said));
        places.zip(compiled.conditions())
    };
    let rules = written.rules.iter().zip(compiled.rules());
    std::iter::once((&written.allow.place, compiled.allow())).chain(rules.flat_map(rule))
}

/// Whether a variable is answered by what a request asks for, beyond its operation.
fn of_view(variable: Variable) -> bool {
    variable.phase() == Phase::Body
        && ["llm.", "prompt.", "vector."].iter().any(|root| variable.name().starts_with(root))
}
