//! What has been learnt of a request, and the facts that conditions read of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Exchange;
use super::head::Head;
use super::policy::Policy;
use super::refusal::{Code, Refusal};
use crate::config::set::Kind;
use crate::host::Host;
use crate::identity::{Identity, bearer};
use crate::mask::Found;
use crate::policy::decision::{Denial, Reason};
use crate::policy::{Approval, Fact, Facts, Variable, rules};
use crate::protocol::RequestError;
use crate::protocol::api::{self, Api, Operation};
use crate::protocol::request::{RequestView, tokens};
use crate::protocol::store::StoreView;
use crate::urlpath;

/// What has been learnt of a request so far.
#[derive(Default)]
pub(super) struct Inquiry {
    pub head: Head,
    /// Canonical path, without query.
    pub path: String,
    /// The same without parameters of its segments, where it has some: what conditions see.
    pub bare_path: Option<String>,
    /// CONNECT, an upgrade or gRPC.
    pub tunnel: bool,
    /// The token, only while its issuer's keys are awaited.
    pub token: Option<String>,
    /// How often keys were awaited already.
    pub awaited_keys: u8,
    pub identity: Option<Arc<Identity>>,
    /// Whether `allow` held for a verified identity.
    pub allowed: bool,
    pub operation: Option<&'static Operation>,
    /// Bytes of the request that the proxy had received with its head, where it counts them.
    pub received: Option<u64>,
    /// Body bytes seen.
    pub size: usize,
    pub body: Vec<u8>,
    /// The whole body as it came, where a human may be asked about it.
    pub came: Vec<u8>,
    /// Whether the body is whole.
    pub complete: bool,
    /// Whether the body is of a kind that cannot be read.
    pub unreadable: bool,
    /// The model that the path names.
    pub path_model: String,
    /// What the body asks for, where it was read.
    pub view: Option<RequestView>,
    /// What was looked for in it, request by request.
    pub sought: Vec<Sought>,
    /// What is asked of a vector store, where it was read.
    pub asked: Option<StoreView>,
    /// The part of either that conditions are asked about: a request of a batch, a query of several.
    pub part: usize,
    /// The operation that conditions are asked about, where a request that is not read may be several.
    pub acting: Option<&'static str>,
    /// What the policy's mask found in the prompt.
    pub found: Found,
    /// What of the request was put within the policy's bounds, or would have been.
    pub bounded: Vec<&'static str>,
    pub uninspected: BTreeSet<Kind>,
    /// What enforce would have answered.
    pub would: Option<Refusal>,
    pub flags: Vec<String>,
    /// Rules that ask a human and held, in order.
    pub approvals: Vec<Approval>,
    /// Conditions that failed, by rule, with why.
    pub errors: Vec<(String, String)>,
    /// Request headers as conditions see them, where one asks.
    pub headers: Vec<(String, String)>,
    pub seconds: i64,
}

/// What was looked for in a request to a model, where a condition or a budget asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    /// About how many tokens the prompt is.
    pub tokens: Option<u64>,
    /// Entities of the prompt.
    pub entities: Vec<String>,
}

impl Inquiry {
    /// About how many tokens all prompts are, where somebody asks.
    pub fn prompt_tokens(&self) -> Option<u64> {
        let tokens = self.sought.iter().filter_map(|sought| sought.tokens);
        tokens.reduce(u64::saturating_add)
    }

    /// How many things conditions are asked about, one after the other.
    pub fn parts(&self) -> usize {
        let requests = self.view.as_ref().map_or(1, |view| view.requests().len());
        self.asked.as_ref().map_or(requests, |asked| asked.parts.len().max(1))
    }

    fn request(&self) -> Option<&RequestView> {
        self.view.as_ref().and_then(|view| view.requests().get(self.part))
    }
}

/// Answers the names of conditions.
pub(super) struct RequestFacts<'a> {
    exchange: &'a Exchange,
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        let inquiry = &self.exchange.inquiry;
        let view = inquiry.request();
        let sought = inquiry.sought.get(inquiry.part);
        let part = inquiry.asked.as_ref().and_then(|asked| asked.parts.get(inquiry.part));
        let identity = inquiry.identity.as_deref();
        let text = |part: fn(&Identity) -> &str| {
            identity.map_or(Fact::Str(""), |identity| Fact::Str(part(identity)))
        };
        let count = |count: u64| Fact::Int(i64::try_from(count).unwrap_or(i64::MAX));
        match variable {
            Variable::IdentityId => text(|identity| &identity.id),
            Variable::IdentitySubject => text(|identity| &identity.subject),
            Variable::IdentityIssuer => text(|identity| &identity.issuer),
            Variable::IdentityGroups => {
                Fact::List(identity.map_or(&[], |identity| identity.groups.as_slice()))
            }
            Variable::IdentityClaims => {
                identity.map_or(Fact::Missing, |identity| Fact::Json(&identity.claims))
            }
            Variable::SourceAddress => Fact::Str(&inquiry.head.source_address),
            Variable::SourcePrincipal => Fact::Str(&inquiry.head.source_principal),
            Variable::RequestMethod => Fact::Str(&inquiry.head.method),
            Variable::RequestPath => Fact::Str(&inquiry.head.path),
            Variable::RequestUrlPath => Fact::Str(inquiry.bare_path.as_ref().unwrap_or(&inquiry.path)),
            Variable::RequestQuery => Fact::Str(urlpath::split(&inquiry.head.path).1.unwrap_or_default()),
            Variable::RequestHost => Fact::Str(&inquiry.head.authority),
            Variable::RequestHeaders => Fact::Map(&inquiry.headers),
            Variable::RequestTime => Fact::Int(inquiry.seconds),
            Variable::RequestSize => count(u64::try_from(inquiry.size).unwrap_or(u64::MAX)),
            Variable::TargetName => {
                Fact::Str(self.exchange.lane.as_ref().map_or("", |lane| &lane.connection.name.value))
            }
            Variable::TargetProtocol => Fact::Str(self.exchange.protocol_name()),
            Variable::TargetRoute => Fact::Str(&inquiry.head.route),
            Variable::LlmOperation => Fact::Str(inquiry.operation.map_or("", |operation| operation.name)),
            Variable::LlmModel => Fact::Str(view.map_or("", |view| &view.model)),
            Variable::LlmStream => Fact::Bool(view.is_some_and(|view| view.stream)),
            Variable::LlmMaxOutputTokens => {
                count(view.and_then(|view| view.max_output_tokens).unwrap_or_default())
            }
            Variable::LlmMessages => {
                count(view.map_or(0, |view| u64::try_from(view.messages).unwrap_or(u64::MAX)))
            }
            Variable::LlmPromptChars => count(view.map_or(0, |view| view.prompt_chars)),
            Variable::LlmPromptTokens => count(sought.and_then(|sought| sought.tokens).unwrap_or_default()),
            Variable::LlmTools => Fact::List(view.map_or(&[], |view| view.tools.as_slice())),
            Variable::LlmImages => count(view.map_or(0, |view| view.images)),
            Variable::LlmN => count(view.map_or(0, |view| view.n)),
            Variable::PromptText => Fact::Str(view.map_or("", |view| &view.text)),
            Variable::PromptEntities => Fact::List(sought.map_or(&[], |sought| sought.entities.as_slice())),
            Variable::VectorOperation => match (part.map(|part| part.operation), inquiry.operation) {
                (Some(own), _) if !own.is_empty() => Fact::Str(own),
                (_, Some(operation)) => Fact::Str(inquiry.acting.unwrap_or(operation.name)),
                (_, None) => Fact::Str(""),
            },
            Variable::VectorCollection => Fact::Str(part.map_or("", |part| &part.collection)),
            Variable::VectorNamespace => Fact::Str(part.map_or("", |part| &part.namespace)),
            Variable::VectorTopK => count(part.map_or(0, |part| part.top_k)),
            Variable::VectorFilter => Fact::Str(part.map_or("", |part| &part.filter)),
        }
    }
}

impl Exchange {
    pub(super) fn facts(&self) -> RequestFacts<'_> {
        RequestFacts { exchange: self }
    }

    pub(super) fn protocol_name(&self) -> &'static str {
        self.lane.as_ref().map_or("", |lane| lane.connection.protocol.name())
    }

    /// Tells the operation, by method and path below the API's own root, and the model that the path names.
    pub(super) fn find_operation(&mut self) -> &'static Operation {
        let Some((lane, api)) = self.lane.as_ref().and_then(|lane| Some((lane, lane.api?))) else {
            return &api::UNKNOWN;
        };
        let prefixes = || lane.connection.matches.iter().filter_map(|one| one.path_prefix.as_deref());
        let operation = api.operation(&self.inquiry.head.method, &self.inquiry.path, prefixes());
        if operation.view.is_some_and(|request| request.path_model) {
            self.inquiry.path_model = api.model(operation, &self.inquiry.path, prefixes());
        }
        self.inquiry.operation = Some(operation);
        operation
    }

    /// Whether requests on the connection are read.
    pub(super) fn has_views(&self) -> bool {
        self.lane.as_ref().and_then(|lane| lane.api).is_some_and(Api::has_views)
    }

    /// Whether headers are held until the body is whole.
    pub(super) fn needs_body(&self) -> bool {
        (self.holds_for_body() || self.policy().is_some_and(|policy| policy.blocks_answers))
            && !self.inquiry.tunnel
            && (!self.inquiry.unreadable || self.asks_humans())
    }

    /// Whether a human may be asked about the request as it came, readable or not.
    pub(super) fn asks_humans(&self) -> bool {
        self.policy().is_some_and(|policy| policy.asks_humans)
    }

    /// Whether what is asked must be known before the request goes on.
    pub(super) fn holds_for_body(&self) -> bool {
        let batch =
            self.inquiry.operation.and_then(|operation| operation.view).is_some_and(|view| view.batch);
        let holds = |policy: &Policy| policy.holds_for_body || (batch && policy.budgets.holds_for_batches());
        self.policy().is_some_and(holds)
    }

    pub(super) fn over_limit(&self, size: usize) -> bool {
        self.policy().is_some_and(|policy| size > policy.max_request_bytes)
    }

    /// Prepares what conditions may ask of the head.
    pub(super) fn prepare_head(&mut self, host: &dyn Host) {
        self.inquiry.seconds = i64::try_from(host.now() / 1_000_000_000).unwrap_or(i64::MAX);
        if !self.lane.as_ref().is_some_and(|lane| lane.reads(Variable::RequestHeaders)) {
            return;
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        let token_headers = self.lane.as_ref().map_or(&[][..], |lane| &lane.token_headers);
        for (name, value) in &self.inquiry.head.headers {
            let name = String::from_utf8_lossy(name).into_owned();
            // The caller's token is nothing for conditions to read: claims are.
            if name.starts_with(':') || bearer::is_stripped(name.as_bytes(), token_headers) {
                continue;
            }
            let value = String::from_utf8_lossy(value);
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, joined)) => {
                    joined.push(',');
                    joined.push_str(&value);
                }
                None => headers.push((name, value.into_owned())),
            }
        }
        self.inquiry.headers = headers;
    }

    /// Judges `allow` where it needs no body.
    pub(super) fn judge_allow(&mut self) -> Result<(), Refusal> {
        let Some(policy) = self.policy() else { return Ok(()) };
        let Some(verdict) = policy.rules.judge_head(&self.facts()) else { return Ok(()) };
        self.inquiry.allowed = verdict.allowed && self.inquiry.identity.is_some();
        match verdict.denial().or(verdict.would.as_ref()) {
            Some(denial) => self.object(refusal_of(denial)),
            None => Ok(()),
        }
    }

    /// Judges everything; only refusals count, unless this is the `last` time and what is learnt is to be kept. A request
    /// of several queries is judged query by query: it goes on where all of them may.
    pub(super) fn judge(&mut self, last: bool) -> Result<(), Refusal> {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return Ok(()) };
        self.judge_also()?;
        let also = self.inquiry.operation.and_then(|operation| operation.also);
        let asked = self.inquiry.asked.as_ref();
        // Of a request that is not read, each thing is judged that it may be.
        let unread = also.is_some() && asked.is_none();
        let acting = [None, also];
        let parts = match unread {
            true => acting.len(),
            false if policy.reads_view || also.is_some() => self.inquiry.parts(),
            false => 1,
        };
        let mut all = self.inquiry.identity.is_some();
        let (mut flags, mut errors, mut approvals) = (Vec::new(), Vec::new(), Vec::new());
        let mut would = None;
        let mut refusal = None;
        for part in 0..parts {
            self.inquiry.part = part;
            self.inquiry.acting = acting.get(part).copied().flatten().filter(|_| unread);
            let verdict = policy.rules.judge(&self.facts());
            all &= verdict.allowed;
            refusal = verdict.denial().map(refusal_of);
            would = would.or_else(|| verdict.would.as_ref().map(refusal_of));
            add_each(&mut flags, verdict.flags);
            add_each(&mut approvals, verdict.approvals);
            let failed = verdict.errors.into_iter().map(|(rule, error)| (rule, error.to_string()));
            add_each(&mut errors, failed.collect());
            if refusal.is_some() {
                break;
            }
        }
        self.inquiry.part = 0;
        self.inquiry.allowed = all;
        if refusal.is_some() {
            approvals.clear();
        } else if !last {
            // What only watches has not seen the body yet.
            approvals.retain(|approval| approval.mode == rules::Mode::Enforce);
        }
        self.inquiry.approvals = approvals;
        if last || refusal.is_some() {
            if let Some(would) = would {
                self.inquiry.would.get_or_insert(would);
            }
            self.inquiry.flags = flags;
            self.inquiry.errors = errors;
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Reads the body as the API has it.
    pub(super) fn read_view(&mut self) -> Result<(), Refusal> {
        let Some(operation) = self.inquiry.operation else { return Ok(()) };
        let body = std::mem::take(&mut self.inquiry.body);
        if self.inquiry.unreadable || !self.has_views() {
            return Ok(());
        }
        if let Some(asks) = operation.asks {
            return self.read_asked(asks, body);
        }
        if !operation.has_body() {
            // Where the API has no body, nobody knows what one would mean to the upstream.
            return if body.is_empty() { Ok(()) } else { self.uninspected(Kind::Schema) };
        }
        let Some(request) = operation.view else { return Ok(()) };
        let view = match RequestView::read(request, &self.inquiry.path_model, &body) {
            Ok(view) => view,
            Err(error) => {
                self.inquiry.unreadable = true;
                return self.unreadable(error);
            }
        };
        let found = [(view.images > 0, Kind::Image), (view.audios > 0, Kind::Audio)];
        let (referring, stored) = (!view.references.is_empty(), view.stored);
        self.inquiry.sought = view.requests().iter().map(|request| self.seek(request)).collect();
        self.inquiry.view = Some(view);
        if self.policy().is_some_and(|policy| policy.prompt.is_some()) || self.bounds_request() {
            self.inquiry.body = body;
        }
        self.judge_references(referring, stored)?;
        for (present, kind) in found {
            if present {
                self.uninspected(kind)?;
            }
        }
        Ok(())
    }

    /// Looks in a request for what conditions ask about.
    fn seek(&self, request: &RequestView) -> Sought {
        let Some(policy) = self.policy() else { return Sought::default() };
        let guard = &self.worker.guard;
        let entities = policy.reads(Variable::PromptEntities).then(|| {
            let entities = guard.everything.find(request.text.as_bytes());
            guard.catalogue.names(entities).map(str::to_owned).collect()
        });
        Sought {
            tokens: policy.reads(Variable::LlmPromptTokens).then(|| tokens::estimate(&request.text)),
            entities: entities.unwrap_or_default(),
        }
    }

    /// A body that is no JSON is wrong; one of another shape is one that cannot be looked into.
    pub(super) fn unreadable(&mut self, error: RequestError) -> Result<(), Refusal> {
        self.inquiry.uninspected.insert(Kind::Schema);
        let refusal = match error {
            RequestError::Schema { .. } => {
                if self.policy().is_some_and(|policy| policy.uninspected.allows(Kind::Schema)) {
                    return Ok(());
                }
                Refusal::uninspected(Kind::Schema)
            }
            RequestError::Malformed { .. } | RequestError::Duplicate { .. } => {
                Refusal::new(Code::InvalidRequest, "").because("malformed")
            }
        };
        self.object(Refusal { message: error.to_string(), ..refusal })
    }
}

/// Adds what is not there yet.
pub(super) fn add_each<T: PartialEq>(to: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

fn refusal_of(denial: &Denial) -> Refusal {
    let reason = match (&denial.rule, denial.reason) {
        (Some(_), Reason::Forbidden) => "rule",
        (None, Reason::Forbidden) => "allow",
        (_, Reason::PolicyError) => "policy_error",
    };
    // A policy's own words need not name the rule, but whoever asks the operator about it must be able to.
    let message = match &denial.rule {
        Some(rule) if !denial.message.contains(rule.as_str()) => format!("{} (rule: {rule})", denial.message),
        _ => denial.message.clone(),
    };
    Refusal { rule: denial.rule.clone(), ..Refusal::new(denial.reason.into(), message).because(reason) }
}
