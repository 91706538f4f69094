//! What a policy lets a request read of a vector store: compiled with the set, filled in for each caller, and written into
//! the request.

use super::Exchange;
use super::policy::Policy;
use super::prompt::GROWTH;
use super::refusal::{Code, Refusal};
use super::templates::template;
use crate::config::Problem;
use crate::config::set::{self, Connection, Kind, Located, Mode, VectorLimits};
use crate::host::{Host, Side};
use crate::identity::query::strip_query;
use crate::policy::{EvalError, Expression, Facts, Glob, Template, Variable};
use crate::protocol::api::{Api, Family};
use crate::protocol::store::{self, Excess, Language, Narrowed, Reach, expression};
use crate::urlpath;

/// Limits, compiled.
pub struct StoreLimits {
    /// Whether they limit more than operations, so that a request is read where it can be.
    pub(super) reads_view: bool,
    /// Whether a request that cannot be read may not pass for them.
    pub(super) judges_view: bool,
    collections: Vec<Template>,
    namespaces: Vec<Template>,
    filter: Vec<(String, Template)>,
    max_top_k: Option<u64>,
    /// Whether vectors are left out of what is asked for, and of what is answered.
    pub(super) drop_vectors: bool,
    clamp: bool,
}

impl StoreLimits {
    /// Compiles what a set says.
    pub(super) fn compile(written: &VectorLimits, problems: &mut Vec<Problem>) -> Self {
        let mut all = |texts: &[Located<set::Text>]| {
            let one = |text| template(text, Expression::compile, problems);
            texts.iter().map(one).collect::<Vec<Template>>()
        };
        let (collections, namespaces) = (all(&written.collections), all(&written.namespaces));
        let mut field = |(name, text): &(Located<String>, Located<set::Text>)| {
            (name.value.clone(), template(text, Expression::compile, problems))
        };
        let filter = written.filter.iter().map(&mut field).collect();
        Self {
            reads_view: judges_view(written) || written.drop_vectors,
            judges_view: judges_view(written),
            collections,
            namespaces,
            filter,
            max_top_k: written.max_top_k,
            drop_vectors: written.drop_vectors,
            clamp: !written.deny_excess,
        }
    }

    /// Whether a query of which only this is known would be let through, and then whether less would be asked for.
    ///
    /// # Errors
    /// The code of the refusal.
    #[cfg(any(test, not(target_arch = "wasm32")))]
    pub(super) fn admits(
        &self,
        facts: &dyn Facts,
        collection: &str,
        namespace: &str,
        top_k: u64,
    ) -> Result<bool, Code> {
        let filled = Filled::of(self, facts).map_err(|_| Code::PolicyError)?;
        let known =
            filled.collections.is_empty() || filled.collections.iter().any(|glob| glob.matches(collection));
        let own = filled.namespaces.is_empty() || filled.namespaces.iter().any(|name| name == namespace);
        let filled_in = self.clamp && namespace.is_empty() && filled.namespaces.len() == 1;
        let excess = self.max_top_k.is_some_and(|most| top_k > most);
        match known && (own || filled_in) && (self.clamp || !excess) {
            true => Ok(excess),
            false => Err(Code::Forbidden),
        }
    }

    /// What the templates read, one after the other.
    pub(super) fn variables(&self) -> impl Iterator<Item = Variable> {
        let filter = self.filter.iter().map(|(_, template)| template);
        self.collections.iter().chain(&self.namespaces).chain(filter).flat_map(Template::variables)
    }
}

/// Limits must mean something on the connection.
#[inline(never)]
pub(super) fn check(
    connection: &Connection,
    api: &Api,
    written: &Located<VectorLimits>,
    problems: &mut Vec<Problem>,
) {
    let (name, protocol) = (&connection.name.value, api.name);
    let on = format!("on the connection `{name}` (`protocol: {protocol}`)");
    let mut told = |place: &set::Place, what: &str, help: &str| {
        problems.push(Problem::error(place, format!("{what} {on}")).help(help));
    };
    let limits = &written.value;
    if api.family != Family::Store {
        return told(
            &written.place,
            "limits a vector store, which is not",
            "give the connection a policy of its own",
        );
    }
    let has = |of: &dyn Fn(&store::Query) -> bool| {
        api.operations.iter().filter_map(|operation| operation.asks).any(|asks| of(asks.query))
    };
    if let Some(first) = limits.collections.first()
        && protocol == "pinecone"
    {
        told(
            &first.place,
            "names collections, which no request does",
            "an index is a host: choose it by `match`",
        );
    }
    if let Some(first) = limits.namespaces.first()
        && !has(&|query| query.namespace.is_some())
    {
        told(&first.place, "names namespaces, of which the store has none,", "leave `namespaces` out");
    }
    let text = has(&|query| matches!(query.reach, Reach::Filtered(_, Language::Expression)));
    for (field, _) in limits.filter.iter().filter(|(field, _)| text && !expression::is_field(&field.value)) {
        told(
            &field.place,
            "names a field in another, which its filters write otherwise",
            "filter by a field of its own",
        );
    }
}

/// Whether requests must be read to know whether they may.
fn judges_view(limits: &VectorLimits) -> bool {
    !limits.collections.is_empty()
        || !limits.namespaces.is_empty()
        || !limits.filter.is_empty()
        || limits.max_top_k.is_some()
}

/// Limits, filled in for a caller.
struct Filled {
    collections: Vec<Glob>,
    namespaces: Vec<String>,
    filter: Vec<(String, String)>,
}

impl Filled {
    fn of(limits: &StoreLimits, facts: &dyn Facts) -> Result<Self, EvalError> {
        let fill = |(name, template): &(String, Template)| Ok((name.clone(), template.fill(facts)?));
        Ok(Self {
            collections: limits
                .collections
                .iter()
                .map(|template| Ok(Glob::new(&template.pieces(facts)?)))
                .collect::<Result<_, _>>()?,
            namespaces: limits
                .namespaces
                .iter()
                .map(|template| template.fill(facts))
                .collect::<Result<_, _>>()?,
            filter: limits.filter.iter().map(fill).collect::<Result<_, _>>()?,
        })
    }
}

impl Exchange {
    /// Writes the policy's limits into the request, or says how it exceeds them; `held`: it is still in the proxy's hands.
    pub(super) fn narrow(&mut self, host: &dyn Host, held: bool) -> Result<(), Refusal> {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return Ok(()) };
        let reads = |limits: &&StoreLimits| limits.judges_view || limits.reads_view && self.has_views();
        let Some(limits) = policy.vector.as_ref().filter(reads) else { return Ok(()) };
        let narrowed = match self.narrowed(limits) {
            Ok(narrowed) => narrowed,
            Err(refusal) => return self.object(refusal),
        };
        if !held || self.mode() != Mode::Enforce {
            return Ok(());
        }
        if let Some(body) = narrowed.body {
            if body.len() > self.inquiry.size.max(policy.max_request_bytes.saturating_add(GROWTH)) {
                let message = "the body, with the policy's limits in it, is larger than the policy allows";
                return Err(Refusal::new(Code::TooLarge, message).because("vector"));
            }
            self.send_body(host, &body)?;
        }
        if let Some(query) = narrowed.query {
            let whole = self.stripped_path();
            let path = format!("{}?{query}", urlpath::split(&whole).0);
            host.set_header(Side::Request, ":path", path.as_bytes());
            self.inquiry.head.path = path;
        }
        Ok(())
    }

    fn narrowed(&self, limits: &StoreLimits) -> Result<Narrowed, Refusal> {
        let (Some(asked), Some(operation)) = (&self.inquiry.asked, self.inquiry.operation) else {
            let allows = |policy: &Policy| policy.uninspected.allows(Kind::Reference);
            let kept = self.inquiry.operation.is_some_and(|operation| operation.kept);
            if kept && self.policy().is_some_and(allows) {
                return Ok(Narrowed::default());
            }
            // What else may pass unread may not pass unlimited.
            let message =
                "the policy limits what is read of the store, and this request cannot be looked into";
            return Err(Refusal { message: message.to_owned(), ..Refusal::uninspected(Kind::Schema) });
        };
        let filled = Filled::of(limits, &self.facts()).map_err(|error| {
            let message = format!("the policy's limits on vector stores could not be decided: {error}");
            Refusal::new(Code::PolicyError, message).because("policy_error")
        })?;
        let may = |name: &str| filled.collections.iter().any(|glob| glob.matches(name));
        let bounds = store::Limits {
            collection: if filled.collections.is_empty() { None } else { Some(&may) },
            namespaces: if filled.namespaces.is_empty() { None } else { Some(&filled.namespaces) },
            filter: &filled.filter,
            max_top_k: limits.max_top_k,
            drop_vectors: limits.drop_vectors,
            clamp: limits.clamp,
        };
        let path = self.stripped_path();
        let query = urlpath::split(&path).1.unwrap_or_default();
        let narrowed = store::narrow(asked, operation.name == "delete", &bounds, query, &self.inquiry.body);
        narrowed.map_err(|error| match error {
            Excess::Filter(_) => Refusal::new(Code::InvalidRequest, error.to_string()).because("vector"),
            error => excess(error.to_string()),
        })
    }

    /// Path and query as they go upstream.
    pub(super) fn stripped_path(&self) -> String {
        let path = &self.inquiry.head.path;
        strip_query(path).unwrap_or_else(|| path.clone())
    }
}

fn excess(message: String) -> Refusal {
    Refusal::new(Code::Forbidden, message).because("vector")
}
