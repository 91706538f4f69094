//! A policy set, compiled: what all exchanges of a worker share and none changes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bounds::{self, Limits};
use super::budgets::{self, Budgets};
use super::credentials::{self, Credential};
use super::detectors;
use super::limits::{self, StoreLimits};
use super::masks::{self, Masking};
use super::operations::{self, Operations};
use super::plans::Plans;
use super::recogniser::Recogniser;
use super::resource::Resource;
use super::route::Routes;
use super::templates::template;
use crate::audit::seal::Recipient;
use crate::config::Problem;
use crate::config::set::{
    self, Bundle, Connection, Effect, Expose, JwksSource, Located, Mode, Place, Proof, Protocol, Template,
    TemplatePart, Unmatched,
};
use crate::identity::KeySet;
use crate::identity::bearer::TokenHeader;
use crate::mask::{Catalogue, Entities, Plan};
use crate::policy::condition;
use crate::policy::rules::{self, Rule};
use crate::policy::{Condition, ConditionError, Expression, Phase, Variable};
use crate::protocol::Thinking;
use crate::protocol::answers::EVERYTHING;
use crate::protocol::api::{APIS, Api, Family};
use crate::protocol::json::paths::{self, PathsError};
use crate::protocol::json::table::Table;
use crate::secret::Held;

/// A policy set, compiled.
pub struct Guard {
    /// Default mode.
    pub mode: Mode,
    /// For requests that match no connection.
    pub unmatched: Unmatched,
    /// Which of our headers answers carry.
    pub expose: Expose,
    /// Commit of the policy repository.
    pub revision: String,
    /// Digest of the set.
    pub digest: String,
    /// Connections in order.
    pub lanes: Vec<Rc<Lane>>,
    /// Which of them a request is on.
    pub routes: Routes,
    /// The entities that are known, by name.
    pub catalogue: Catalogue,
    /// Every entity that a condition may ask for in a prompt.
    pub everything: Plan,
}

/// A connection with all that an exchange on it needs.
#[derive(Clone)]
pub struct Lane {
    /// The connection as written.
    pub connection: Connection,
    /// Its policy; `None` for `protocol: none`.
    pub policy: Option<Rc<Policy>>,
    /// Indexes of the issuers it accepts.
    pub issuers: Vec<usize>,
    /// The API spoken; `None` for `protocol: none`.
    pub api: Option<&'static Api>,
    /// The table that reads answers of operations that have none of their own.
    pub answers: &'static Table,
    /// Headers that may hold the caller's token.
    pub token_headers: Vec<TokenHeader>,
    /// What goes upstream in the token's stead.
    pub credentials: Vec<Credential>,
    /// Every form in which what is fixed of their values could come back.
    literals: Vec<Vec<u8>>,
    /// What clients are told of it, so that they find where to get a token.
    pub resource: Option<Rc<Resource>>,
    /// What is masked in answers: the policy's entities and the credential.
    pub plan: Plan,
    /// What monitor looks for in answers, without changing them.
    pub watch: Plan,
    /// The credential alone, which is covered in every mode.
    pub cover: Plan,
    /// What is kept of prompts and answers for the records; `None`: nothing.
    pub capture: Option<Capturing>,
    /// Whether the policy changes values in answers, beside the credential.
    pub masks_entities: bool,
    /// Whether vectors are left out of answers.
    pub drops_vectors: bool,
}

impl Lane {
    /// Whether a credential holds what a service keeps.
    pub(super) fn is_sourced(&self) -> bool {
        self.credentials.iter().any(Credential::is_sourced)
    }

    /// The same with what services keep at the moment: in its credentials, and among what answers must not repeat.
    /// Exchanges that have the one before end with it.
    pub(super) fn with_secrets<'h>(&self, held: &dyn Fn(usize) -> Option<&'h Held>) -> Self {
        let mut literals = self.literals.clone();
        let renewed = self.credentials.iter().map(|credential| credential.with_secrets(held, &mut literals));
        let credentials = renewed.collect();
        let capture = self.capture.as_ref().map(|kept| Capturing {
            plan: kept.plan.with_literals(literals.clone()),
            names: kept.names.with_literals(literals.clone()),
            ..kept.clone()
        });
        Self {
            credentials,
            capture,
            plan: self.plan.with_literals(literals.clone()),
            cover: self.cover.with_literals(literals),
            ..self.clone()
        }
    }
}

/// What is kept of prompts and answers for the records.
#[derive(Clone)]
pub struct Capturing {
    /// What is masked in it: the entities of `audit.mask` and the connection's credential; of what is sealed, that alone.
    pub plan: Plan,
    /// What is masked in the names that records give to models, tools and the like: the entities of `audit.mask`, and it.
    pub names: Plan,
    /// How it is kept, as records name it.
    pub how: &'static str,
    /// To whom it is sealed; `None`: it is not.
    pub recipients: Option<Rc<[Recipient]>>,
}

/// What records hold of prompts and answers, whatever the connection.
struct Captures {
    /// What is masked in texts.
    texts: Entities,
    /// What is masked in names.
    names: Entities,
    recipients: Option<Rc<[Recipient]>>,
}

impl Captures {
    /// On a connection with these secrets.
    fn on(&self, plans: &Plans<'_>, secrets: &[Vec<u8>]) -> Capturing {
        Capturing {
            plan: plans.get(self.texts, secrets.to_vec()),
            names: plans.get(self.names, secrets.to_vec()),
            how: if self.recipients.is_some() { "full" } else { "masked" },
            recipients: self.recipients.clone(),
        }
    }
}

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

/// The proxy's environment: the value of a variable, where it is set and let through.
pub type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Guard {
    /// Compiles a set. `env` gives the values of the proxy's environment; `None` where only the set itself is
    /// checked, away from any proxy.
    pub fn compile(bundle: &Bundle, env: Option<&Env<'_>>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let set = &bundle.set;
        let named = set.recognisers.iter().flat_map(|recogniser| &recogniser.entities);
        let catalogue = detectors::compile(&set.detectors, &mut problems)
            .naming(named.map(|entity| entity.value.as_str()));
        let number = |name: &str| catalogue.number(name);
        let compiled = |written| Recogniser::compile(written, &number, env, &mut problems).map(Rc::new);
        let recognisers: Vec<Rc<Recogniser>> = set.recognisers.iter().filter_map(compiled).collect();
        let plans = Plans::new(&catalogue);
        let captures = captures(set, &plans, &mut problems);
        let mut policies = BTreeMap::new();
        for policy in &set.policies {
            let compiled = compile_policy(policy, bundle, &plans, &recognisers, env, &mut problems);
            if let Some(compiled) = compiled {
                policies.insert(policy.name.value.clone(), Rc::new(compiled));
            }
        }
        for issuer in &set.issuers {
            check_keys(issuer, &mut problems);
        }
        let lanes = set
            .connections
            .iter()
            .filter_map(|connection| {
                compile_lane(connection, set, &policies, &plans, captures.as_ref(), env, &mut problems)
            })
            .map(Rc::new)
            .collect();
        condition::compiled_all();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            mode: set.mode,
            unmatched: set.unmatched,
            expose: set.expose,
            revision: bundle.revision.clone(),
            digest: bundle.digest.clone(),
            lanes,
            routes: Routes::new(&set.connections),
            everything: plans.get(asked_of_prompts(set, &catalogue), Vec::new()),
            catalogue,
        })
    }
}

/// A key set given inline is read when the worker starts; what is wrong with it is told as early.
fn check_keys(issuer: &set::Issuer, problems: &mut Vec<Problem>) {
    let keys = match &issuer.proof {
        Proof::Keys(keys) => Some(keys),
        Proof::Proxy(filter) => filter.keys.as_ref(),
        Proof::Introspection(_) | Proof::Certificate => None,
    };
    if let Some(JwksSource::Inline(text)) = keys
        && let Err(error) = KeySet::parse(text.value.as_bytes())
    {
        problems.push(Problem::error(&text.place, error.to_string()));
    }
}

/// What conditions can find in `prompt.entities`: the usual entities, and of the others those that one names.
fn asked_of_prompts(set: &set::PolicySet, catalogue: &Catalogue) -> Entities {
    let rules = set.policies.iter().flat_map(|policy| policy.rules.iter().map(|rule| &rule.condition));
    let conditions: Vec<_> = set.policies.iter().map(|policy| &policy.allow).chain(rules).collect();
    let named = |name: &str| conditions.iter().any(|condition| condition.value.contains(name));
    let others = catalogue.all().without(catalogue.usual());
    catalogue.usual().union(others.iter().filter(|&entity| named(catalogue.name(entity))).collect())
}

const HOLD_HEADERS: &str =
    "set allow_on_headers_stop_iteration on Envoy's plugin and bundle with --body-before-headers true";

/// The recogniser of what a policy masks, where it masks what only one can find.
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

fn compile_policy(
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
    // A rule may enforce within a policy that only watches.
    let masks_prompt = mode == Mode::Enforce && prompt.as_ref().is_some_and(Masking::alters);
    let holds_for_body = mode == Mode::Enforce && allow.reads_body()
        || masks_prompt
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
    let variables =
        rules.variables().chain(vector.iter().flat_map(StoreLimits::variables)).chain(keys).collect();
    Some(Policy {
        name: policy.name.value.clone(),
        digest: bundle.policy_digests.get(&policy.name.value).cloned().unwrap_or_default(),
        mode,
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

fn thinking_of(policy: &set::Policy) -> Thinking {
    match policy.mask_response.as_ref().map(|mask| mask.thinking).unwrap_or_default() {
        set::Thinking::Mask => Thinking::Mask,
        set::Thinking::Exempt => Thinking::Exempt,
        set::Thinking::Drop => Thinking::Drop,
    }
}

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

/// Says where in the condition a fault is: the text again, with a caret below.
pub(super) fn condition_problem<T>(
    source: &Located<String>,
    compiled: Result<T, ConditionError>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let error = match compiled {
        Ok(compiled) => return Some(compiled),
        Err(error) => error,
    };
    let message = format!("{}\n{}", error.message, caret(&source.value, error.offset, error.len));
    let problem = Problem::error(&source.place, message);
    problems.push(match error.help {
        Some(help) => problem.help(help),
        None => problem,
    });
    None
}

/// The line of a condition in which a fault is, with carets below the fault.
fn caret(source: &str, offset: usize, len: usize) -> String {
    let (before, after) = source.split_at_checked(offset).unwrap_or((source, ""));
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let head = before.get(line_start..).unwrap_or(before);
    let tail = after.split('\n').next().unwrap_or_default();
    let faulty = tail.get(..len.min(tail.len())).unwrap_or(tail);
    let width = faulty.chars().count().max(1);
    let indent: String = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("    {head}{tail}\n    {indent}{}", "^".repeat(width))
}

fn compile_lane(
    connection: &Connection,
    set: &set::PolicySet,
    policies: &BTreeMap<String, Rc<Policy>>,
    plans: &Plans<'_>,
    captures: Option<&Captures>,
    env: Option<&Env<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<Lane> {
    let policy = connection.policy.as_ref().and_then(|name| policies.get(&name.value)).map(Rc::clone);
    if policy.is_none() && connection.protocol != Protocol::None {
        // The policy itself did not compile, and said so.
        return None;
    }
    let api = APIS.into_iter().find(|api| api.name == connection.protocol.name());
    let written = policy
        .as_ref()
        .and_then(|compiled| set.policies.iter().find(|policy| policy.name.value == compiled.name));
    if let (Some(api), Some(written), Some(compiled)) = (api, written, &policy) {
        check_reads(connection, api, written, compiled, problems);
        let vector = written.vector.as_ref();
        vector.into_iter().for_each(|vector| limits::check(connection, api, vector, problems));
    }
    written.into_iter().for_each(|written| bounds::check(connection, api, written, problems));
    written.into_iter().for_each(|written| budgets::check(connection, api, written, problems));
    let answers = answers(connection, api, problems);
    if let Some(policy) = policy.as_ref().filter(|policy| policy.prompt.is_some())
        && !api.is_some_and(|api| api.family == Family::Model)
    {
        // Its requests are not read, so the mask would leave them as they are.
        let message = format!(
            "the policy `{}` masks prompts, which is not yet supported for this protocol",
            policy.name
        );
        let place = connection.policy.as_ref().map_or(&connection.name.place, |name| &name.place);
        problems
            .push(Problem::error(place, message).help("give the connection a policy without `mask.prompt`"));
        return None;
    }
    let mut secrets = Vec::new();
    let credentials =
        credentials::compile(&connection.credentials, &set.secrets, env, &mut secrets, problems)?;
    let response = policy.as_ref().and_then(|policy| policy.response.as_ref());
    let entities = response.map_or(Entities::NONE, Masking::entities);
    let issuers = set
        .issuers
        .iter()
        .enumerate()
        .filter(|(_, issuer)| connection.issuers.iter().any(|name| name.value == issuer.name.value))
        .map(|(index, _)| index)
        .collect();
    Some(Lane {
        resource: connection
            .resource
            .as_ref()
            .map(|written| Rc::new(Resource::new(connection, written, &set.issuers))),
        issuers,
        api,
        answers,
        token_headers: token_headers(connection, api),
        credentials,
        literals: secrets.clone(),
        plan: plans.get(entities, secrets.clone()),
        watch: plans.get(entities, Vec::new()),
        capture: captures.map(|captures| captures.on(plans, &secrets)),
        cover: plans.get(Entities::NONE, secrets),
        masks_entities: response.is_some_and(Masking::alters),
        drops_vectors: policy
            .as_ref()
            .and_then(|policy| policy.vector.as_ref())
            .is_some_and(|limits| limits.drop_vectors),
        policy,
        connection: connection.clone(),
    })
}

/// What records hold; `None`: no texts.
fn captures(set: &set::PolicySet, plans: &Plans<'_>, problems: &mut Vec<Problem>) -> Option<Captures> {
    let audit = set.audit.as_ref().filter(|audit| audit.capture != set::Capture::None)?;
    let mut all = Entities::NONE;
    for name in &audit.mask {
        let entities = masks::resolved(name, plans.catalogue(), problems);
        let known = plans.get(entities, Vec::new()).entities();
        if !entities.is_empty() && !entities.iter().any(|entity| known.contains(entity)) {
            let message =
                format!("only a recogniser finds `{}`, and it is not asked for records", name.value);
            problems.push(Problem::error(&name.place, message).help("name what a detector finds"));
        }
        all = all.union(entities);
    }
    if audit.capture == set::Capture::Masked {
        return Some(Captures { texts: all, names: all, recipients: None });
    }
    let recipient = |written: &Located<String>| {
        let parsed = Recipient::parse(&written.value);
        parsed.map_err(|error| problems.push(Problem::error(&written.place, error.to_string()))).ok()
    };
    let recipients: Vec<Recipient> = audit.recipients.iter().filter_map(recipient).collect();
    Some(Captures { texts: Entities::NONE, names: all, recipients: Some(recipients.into()) })
}

/// Where a token may come: as the connection says, else in the API's own headers.
fn token_headers(connection: &Connection, api: Option<&Api>) -> Vec<TokenHeader> {
    let header = |name: &str, prefix: &str| TokenHeader { name: name.to_owned(), prefix: prefix.to_owned() };
    if !connection.token_headers.is_empty() {
        let configured = connection.token_headers.iter();
        return configured.map(|configured| header(&configured.name, &configured.prefix)).collect();
    }
    api.into_iter().flat_map(|api| api.token_headers).map(|(name, prefix)| header(name, prefix)).collect()
}

/// The table for the connection's answers.
fn answers(connection: &Connection, api: Option<&Api>, problems: &mut Vec<Problem>) -> &'static Table {
    let written = &connection.answers;
    if written.text.is_empty() && written.keep.is_empty() {
        return api.map_or(&EVERYTHING, |api| api.answers);
    }
    let text = written.text.iter().map(|path| path.value.as_str());
    let keep = written.keep.iter().map(|path| path.value.as_str());
    paths::table(text, keep).unwrap_or_else(|error| {
        let both = |path: &&Located<String>| matches!(&error, PathsError::Both(both) if *both == path.value);
        let place = written.keep.iter().find(both).or(written.text.first()).or(written.keep.first());
        let place = place.map(|path| path.place.clone()).unwrap_or_default();
        problems.push(Problem::error(&place, error.to_string()));
        &EVERYTHING
    })
}

/// The conditions of a policy, and what stands in its messages, each with the place of its text.
fn conditions<'c>(
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

/// Conditions may ask only for what is read of a request on the connection.
fn check_reads(
    connection: &Connection,
    api: &Api,
    written: &set::Policy,
    compiled: &Policy,
    problems: &mut Vec<Problem>,
) {
    let foreign: &[&str] = match api.family {
        Family::Model => &["vector."],
        Family::Store => &["llm.", "prompt."],
        Family::Other => &["llm.", "prompt.", "vector."],
    };
    let keys = budgets::keys(written, &compiled.budgets);
    for (place, condition) in conditions(written, &compiled.rules).chain(keys) {
        let of = |variable: &&Variable| foreign.iter().any(|root| variable.name().starts_with(root));
        let Some(variable) = condition.reads().iter().find(of) else { continue };
        let (read, name, protocol) = (variable.name(), &connection.name.value, api.name);
        let leads = match (api.family, read.starts_with("vector.")) {
            (Family::Model, _) => "to a language model",
            (Family::Store, _) => "to a vector store",
            (Family::Other, true) => "to no vector store",
            (Family::Other, false) => "to no language model",
        };
        let message =
            format!("reads `{read}`, but the connection `{name}` leads {leads} (`protocol: {protocol}`)");
        let help = "conditions on identity, source, request and target work there: give the connection a policy of its own";
        problems.push(Problem::error(place, message).help(help));
    }
}

/// Puts the environment's values into a template; `secrets` takes each of them.
pub fn fill(
    template: &Template,
    env: &Env<'_>,
    secrets: &mut Vec<Vec<u8>>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            TemplatePart::Text(fixed) => text.push_str(fixed),
            // Where one may stand it is not filled in here: the grammar refuses it elsewhere.
            TemplatePart::Secret(_) => return None,
            TemplatePart::Env(name) => match env(name).filter(|value| !value.is_empty()) {
                Some(value) if value.bytes().any(|byte| byte.is_ascii_control()) => {
                    problems.push(unusable(
                        &template.place,
                        name,
                        "holds a line end or another control character",
                    ));
                    return None;
                }
                Some(value) => {
                    secrets.push(value.clone().into_bytes());
                    text.push_str(&value);
                }
                None => {
                    problems.push(unusable(
                        &template.place,
                        name,
                        "is not set, or the proxy does not let it through",
                    ));
                    return None;
                }
            },
        }
    }
    Some(text)
}

fn unusable(place: &Place, name: &str, what: &str) -> Problem {
    Problem::error(place, format!("the environment variable `{name}` {what}"))
        .help("list it in vm_config.environment_variables.host_env_keys and set it for Envoy's process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_the_fault() {
        assert_eq!(caret("a == llm.modle", 5, 9), "    a == llm.modle\n         ^^^^^^^^^");
        assert_eq!(caret("a &&\n  bad", 7, 3), "      bad\n      ^^^");
        assert_eq!(caret("a", 1, 0), "    a\n     ^");
        assert_eq!(caret("é == x", 6, 1), "    é == x\n         ^");
    }

    #[test]
    fn a_template_takes_its_values_from_the_environment_and_nothing_else() {
        let template = Template {
            parts: vec![TemplatePart::Text("Bearer ".into()), TemplatePart::Env("KEY".into())],
            place: Place::default(),
        };
        let (mut secrets, mut problems) = (Vec::new(), Vec::new());
        let filled = fill(&template, &|_| Some("sk-1".into()), &mut secrets, &mut problems);
        assert_eq!(filled.as_deref(), Some("Bearer sk-1"));
        assert_eq!(secrets, [b"sk-1".to_vec()]);
        for missing in [None, Some(String::new()), Some("a\nb".into())] {
            assert_eq!(fill(&template, &|_| missing.clone(), &mut secrets, &mut problems), None);
        }
        assert_eq!(problems.len(), 3);
    }
    /// What compiling a set with these detectors and this list of masked entities tells.
    fn told(detectors: &serde_json::Value, entity: &str) -> Vec<String> {
        let set = serde_json::json!({
            "version": 1,
            "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
            "connections": [
                { "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } },
            ],
            "policies": [{ "name": "p", "allow": "true", "mask": { "response": { "entities": [entity] } } }],
            "detectors": detectors,
        });
        let mut root = crate::config::json::read(set.to_string().as_bytes()).unwrap();
        assert_eq!(root.settle(), []);
        let (bundle, _) = Bundle::of(&root, "abc", set::HostPromises::default()).unwrap();
        let problems = Guard::compile(&bundle, None).map_or_else(|problems| problems, |_| Vec::new());
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_set_finds_what_its_own_detectors_describe() {
        let detectors = serde_json::json!([
            { "name": "CODENAME", "words": ["Bluebird"] },
            { "name": "CODENAME", "pattern": "XB-[0-9]{2}", "context": ["project"] },
        ]);
        assert_eq!(told(&detectors, "CODENAME"), [""; 0]);
        let unknown =
            "policies[0].mask.response.entities[0]: no detector finds CODENAMES; did you mean CODENAME?";
        assert_eq!(told(&detectors, "CODENAMES"), [unknown]);
    }

    #[test]
    fn records_are_masked_by_what_detectors_find() {
        let told = |mask: serde_json::Value| {
            let set = serde_json::json!({
                "version": 1,
                "issuers": [{ "name": "i", "issuer": "https://i", "audiences": ["a"], "jwks": { "cluster": "c" } }],
                "connections": [
                    { "name": "c", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/" } },
                ],
                "policies": [{ "name": "p", "allow": "true" }],
                "recognisers": [{ "name": "ner", "cluster": "ner", "entities": ["PERSON"] }],
                "audit": { "cluster": "audit", "capture": "masked", "mask": mask },
            });
            let mut root = crate::config::json::read(set.to_string().as_bytes()).unwrap();
            assert_eq!(root.settle(), []);
            let (bundle, _) = Bundle::of(&root, "abc", set::HostPromises::default()).unwrap();
            let problems = Guard::compile(&bundle, None).map_or_else(|problems| problems, |_| Vec::new());
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(serde_json::json!(["PII", "SECRETS"])), [""; 0]);
        assert_eq!(
            told(serde_json::json!(["PERSON", "SECRET"])),
            [
                "audit.mask[0]: only a recogniser finds `PERSON`, and it is not asked for records\n  help: name what a detector finds",
                "audit.mask[1]: no detector finds SECRET; did you mean SECRETS?",
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_detector_is_told_at_its_place_and_nothing_else() {
        let words = serde_json::json!([{ "name": "CODENAME", "words": ["Bluebird", "B"] }]);
        let short = "detectors[0].words[1]: `B` has 1 bytes; a word has 2 to 256";
        assert_eq!(told(&words, "CODENAME"), [short]);
        let pattern =
            serde_json::json!([{ "name": "SET", "pattern": "ab.c" }, { "name": "PII", "words": ["ab"] }]);
        assert_eq!(
            told(&pattern, "SET"),
            [
                "detectors[0].pattern: bytes beyond ASCII (also by `.` and `[^…]`): list the bytes that may stand there",
                "detectors[1].name: PII is a set of entities: choose another name",
            ]
        );
    }
}
