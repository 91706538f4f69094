//! A connection, compiled: what an exchange on it needs.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::bounds;
use super::budgets;
use super::captures::{Captures, Capturing};
use super::credentials::{self, Credential};
use super::environment::Env;
use super::masks::Masking;
use super::plans::Plans;
use super::policy::{Policy, conditions};
use super::resource::Resource;
use super::store_limits;
use crate::config::Problem;
use crate::config::set::{self, Connection, Located, Protocol};
use crate::identity::bearer::TokenHeader;
use crate::mask::{Entities, Plan};
use crate::policy::Variable;
use crate::protocol::answers::EVERYTHING;
use crate::protocol::api::{APIS, Api, Family};
use crate::protocol::json::paths::{self, PathsError};
use crate::protocol::json::table::Table;
use crate::secret::Held;

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
    /// What is masked in what those see who approve requests; `None`: nobody does.
    pub shown: Option<Plan>,
    /// Whether the policy changes values in answers, beside the credential.
    pub masks_entities: bool,
    /// Whether vectors are left out of answers.
    pub drops_vectors: bool,
}

impl Lane {
    /// Whether a condition or a template of the connection or its policy reads a variable.
    pub(super) fn reads(&self, variable: Variable) -> bool {
        credentials::read(&self.credentials, variable)
            || self.policy.as_ref().is_some_and(|policy| policy.reads(variable))
    }

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
        let capture = self.capture.as_ref().map(|kept| kept.with_literals(&literals));
        let shown = self.shown.as_ref().map(|plan| plan.with_literals(literals.clone()));
        Self {
            credentials,
            capture,
            shown,
            plan: self.plan.with_literals(literals.clone()),
            cover: self.cover.with_literals(literals),
            ..self.clone()
        }
    }
}

/// Compiles a connection; `None`: it cannot be, and why is said.
#[inline(never)]
pub(super) fn compile_lane(
    connection: &Connection,
    set: &set::PolicySet,
    policies: &BTreeMap<String, Rc<Policy>>,
    plans: &Plans<'_>,
    (captures, shown): (Option<&Captures>, Option<Entities>),
    env: Option<&Env<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<Lane> {
    let policy = connection.policy.as_ref().and_then(|name| policies.get(&name.value)).map(Rc::clone);
    let api = APIS.into_iter().find(|api| api.name == connection.protocol.name());
    let written = connection
        .policy
        .as_ref()
        .and_then(|name| set.policies.iter().find(|policy| policy.name.value == name.value));
    if let (Some(api), Some(written)) = (api, written) {
        policy.iter().for_each(|compiled| check_reads(connection, api, written, compiled, problems));
        let vector = written.vector.as_ref();
        vector.into_iter().for_each(|vector| store_limits::check(connection, api, vector, problems));
    }
    written.into_iter().for_each(|written| bounds::check(connection, api, written, problems));
    written.into_iter().for_each(|written| budgets::check(connection, api, written, problems));
    if policy.is_none() && connection.protocol != Protocol::None {
        // The policy itself did not compile, and said so.
        return None;
    }
    let answers = answers(connection, api, problems);
    if let Some(policy) = policy.as_ref().filter(|policy| policy.prompt.is_some())
        && !api.is_some_and(|api| api.family == Family::Model)
    {
        // Its requests are not read, so the mask would leave them as they are.
        let message =
            format!("the policy `{}` masks prompts, and this protocol's requests hold none", policy.name);
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
        shown: shown.map(|entities| plans.get(entities, secrets.clone())),
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
#[inline(never)]
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

/// Conditions may ask only for what is read of a request on the connection.
#[inline(never)]
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
