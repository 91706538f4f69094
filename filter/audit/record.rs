//! The records.
//!
//! Each field is declared once, with its name in the record and what it means; the struct, the body, the attributes
//! and the table in `docs/audit-record.md` all come from that declaration. Names are OpenTelemetry's where there is
//! one (semantic conventions 1.41.0), else `portcullis.*`; none is a prefix of another at a dot, for some stores turn
//! dots into objects. There is no field for a token or a header, so none can be recorded by mistake; texts of bodies have their own
//! ([`super::captured`]).

use super::captured::{Captured, PartRecord};
use super::fields::{Field, Fields};
use super::loss::Losses;
use super::names::Place;
use super::trace::TraceParent;
use super::value::{Count, Members, Name, Path, Seconds, Tally, Text, Texts};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The exchange may go on.
    Allow,
    /// Refused: the caller, or what was asked, is at fault.
    Deny,
    /// Refused because the guard could not decide or the upstream could not be used safely.
    Error,
}

impl Decision {
    /// The name that records use.
    pub fn name(self) -> Name {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller got the whole answer of the upstream.
    Complete,
    /// We answered; the upstream saw nothing.
    Refused,
    /// We answered or cut the answer, after the upstream was asked.
    BrokenOff,
    /// The caller left.
    ClientGone,
    /// The upstream broke the answer off.
    UpstreamReset,
    /// A deadline passed.
    TimedOut,
}

impl Outcome {
    /// The name that records use.
    pub fn name(self) -> Name {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::BrokenOff => "broken_off",
            Self::ClientGone => "client_gone",
            Self::UpstreamReset => "upstream_reset",
            Self::TimedOut => "timed_out",
        }
    }
}

macro_rules! record {
    ($(#[doc = $about:literal])* $type:ident { $($(#[doc = $doc:literal])+ $name:literal $field:ident: $kind:ty,)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default)]
        pub struct $type {
            $($(#[doc = $doc])+ pub $field: $kind,)*
        }

        impl $type {
            /// Names of the fields with their meanings.
            pub const FIELDS: &'static [(Name, Name)] = &[$(($name, concat!($($doc),+)),)*];

            pub(in crate::audit) fn put<'a>(&'a self, out: &mut Fields<'a>) {
                $(Field::put(&self.$field, const { $crate::audit::names::Place::of($name) }, out);)*
            }
        }
    };
}

pub(super) use record;

record! {
    /// Who asked what, and what was decided: known before anything goes upstream, repeated in the end record (where
    /// it may have grown), so that one record tells the whole story.
    Facts {
        /// Id of the exchange: ties start and end together, and to `x-portcullis-exchange`.
        "portcullis.exchange" exchange: Text,
        /// Caller: issuer and subject as `issuer#subject`.
        "user.id" user_id: Option<Text>,
        /// Caller's `sub` claim.
        "portcullis.identity.subject" subject: Option<Text>,
        /// Caller's `iss` claim.
        "portcullis.identity.issuer" issuer: Option<Text>,
        /// Caller's groups.
        "portcullis.identity.groups" groups: Texts,
        /// Address that the connection came from.
        "client.address" client_address: Option<Text>,
        /// SPIFFE id of the peer's certificate.
        "portcullis.source.principal" principal: Option<Text>,
        /// Connection of the policy set.
        "portcullis.connection" connection: Option<Text>,
        /// Policy that judged.
        "portcullis.policy" policy: Option<Text>,
        /// `enforce` or `monitor`.
        "portcullis.mode" mode: Option<Name>,
        /// Protocol of the connection.
        "portcullis.protocol" protocol: Option<Name>,
        /// Request method.
        "http.request.method" method: Option<Text>,
        /// Request path, never its query.
        "url.path" path: Option<Path>,
        /// Host that was asked, without port.
        "server.address" server_address: Option<Text>,
        /// Port in the host that was asked.
        "server.port" server_port: Option<Count>,
        /// Bytes of the request's body.
        "http.request.body.size" request_bytes: Option<Count>,
        /// Operation, as rules see `llm.operation`.
        "portcullis.llm.operation" operation: Option<Text>,
        /// Model asked for.
        "gen_ai.request.model" model: Option<Text>,
        /// Requests of a batch; absent where the request is one by itself. What else is told of them is of all together: sums,
        /// the largest bound, every name once.
        "portcullis.llm.requests" requests: Option<Count>,
        /// Models that the requests of a batch ask for, where they ask for several.
        "portcullis.llm.models" models: Texts,
        /// Whether a stream was asked for.
        "gen_ai.request.stream" stream: Option<bool>,
        /// Messages in the request.
        "portcullis.llm.messages" messages: Option<Count>,
        /// Characters of the prompt.
        "portcullis.llm.prompt_chars" prompt_chars: Option<Count>,
        /// About how many tokens they are, where a rule asks.
        "portcullis.llm.prompt_tokens" prompt_tokens: Option<Count>,
        /// Names of the tools offered.
        "portcullis.llm.tools" tools: Texts,
        /// Limit on output tokens asked for.
        "gen_ai.request.max_tokens" max_output_tokens: Option<Count>,
        /// Answers that are written (`llm.n`).
        "gen_ai.request.choice.count" choices: Option<Count>,
        /// Images in the request.
        "portcullis.llm.images" images: Option<Count>,
        /// Where the request refers to what the provider keeps: the places in it, never what is referred to.
        "portcullis.llm.references" references: Texts,
        /// Whether the provider is asked to keep its answer; absent where the API keeps none.
        "portcullis.llm.stored" stored: Option<bool>,
        /// Collections of a vector store that are asked.
        "portcullis.vector.collections" collections: Texts,
        /// Parts of them: namespaces, shard keys, tenants, partitions.
        "portcullis.vector.namespaces" namespaces: Texts,
        /// Most hits that one of the queries asks for.
        "portcullis.vector.top_k" top_k: Option<Count>,
        /// `allow`, `deny` or `error`: what was done.
        "portcullis.decision" decision: Option<Decision>,
        /// Code of the refusal, as callers see it.
        "portcullis.reason" reason: Option<Name>,
        /// Rule that decided, or budget.
        "portcullis.rule" rule: Option<Text>,
        /// Flag rules that held.
        "portcullis.flags" flags: Texts,
        /// Rules that ask a human and held: every one that enforces is needed.
        "portcullis.approvals" approvals: Texts,
        /// The approval that was asked for, by its service's name.
        "portcullis.approval" approval: Option<Text>,
        /// Who approved it, or denied it.
        "portcullis.approval_by" approved_by: Texts,
        /// What enforce would have decided, in monitor mode.
        "portcullis.would" would: Option<Decision>,
        /// Code of the refusal that enforce would have given.
        "portcullis.would_reason" would_reason: Option<Name>,
        /// Rule that would have decided, or budget.
        "portcullis.would_rule" would_rule: Option<Text>,
        /// Conditions of the rules that decided, flagged or ask a human, or would have, as the policy has them: by rule.
        "portcullis.conditions" conditions: Members,
        /// Rules whose condition failed to evaluate.
        "portcullis.rule_errors" rule_errors: Texts,
        /// Entities found in the prompt, with counts.
        "portcullis.prompt.entities" prompt_entities: Tally,
        /// What became of the values that the mask found there: operators with counts, `none` in monitor.
        "portcullis.prompt.operators" prompt_operators: Tally,
        /// What of the request the policy put within its bounds (`max_output_tokens`, `store`), or in monitor would have;
        /// `budget`: the answer was put down to what a budget had left. `stream_options`: the stream was asked for its usage.
        "portcullis.bounded" bounded: Vec<Name>,
        /// What was set aside in budgets, by budget: tokens, or requests.
        "portcullis.budget.reserved" budget_reserved: Tally,
        /// Kinds of traffic that passed without being looked at.
        "portcullis.uninspected" uninspected: Vec<Name>,
        /// Claims that rules read, with their values.
        "portcullis.claims" claims: Members,
        /// Commit of the policy repository, `-dirty` where so.
        "portcullis.revision" revision: Option<Text>,
        /// `sha256:` digest of the policy set.
        "portcullis.digest" digest: Option<Text>,
        /// `sha256:` digest of the policy.
        "portcullis.policy_digest" policy_digest: Option<Text>,
        /// Version of the filter.
        "portcullis.version" version: Option<Text>,
        /// From `traceparent`: lower-case hex.
        "trace_id" trace: Option<TraceParent>,
    }
}

record! {
    /// What came back.
    Answered {
        /// How it ended: `complete`, `refused`, `broken_off`, `client_gone`, `upstream_reset` or `timed_out`.
        "portcullis.outcome" outcome: Option<Outcome>,
        /// Status that the caller got.
        "http.response.status_code" status: Option<Count>,
        /// Status that the upstream gave.
        "portcullis.upstream_status" upstream_status: Option<Count>,
        /// Entities found in the answer, with counts.
        "portcullis.response.entities" response_entities: Tally,
        /// What became of them: operators with counts, `none` in monitor.
        "portcullis.response.operators" response_operators: Tally,
        /// Names of the prompt in whose place the answer got the values back: how many.
        "portcullis.response.restored" response_restored: Option<Count>,
        /// Bytes of the answer's body, as the caller got them.
        "http.response.body.size" response_bytes: Option<Count>,
        /// Tokens of the prompt, as the provider counts.
        "gen_ai.usage.input_tokens" input_tokens: Option<Count>,
        /// Tokens of the answer, as the provider counts.
        "gen_ai.usage.output_tokens" output_tokens: Option<Count>,
        /// What was used of budgets, by budget.
        "portcullis.budget.used" budget_used: Tally,
        /// What told how many tokens were used: `usage` (the provider), `estimate` (of what was delivered), `returned` (the
        /// upstream refused or failed: none), `reservation` (nobody: what was set aside).
        "portcullis.budget.settled_by" budget_settled_by: Option<Name>,
        /// Why the model stopped, one for each choice.
        "gen_ai.response.finish_reasons" finish_reasons: Texts,
        /// Model that answered.
        "gen_ai.response.model" response_model: Option<Text>,
        /// Provider's id of the answer.
        "gen_ai.response.id" response_id: Option<Text>,
        /// Seconds from the request's head to the answer's last byte.
        "portcullis.duration" duration: Option<Seconds>,
        /// Seconds from the request's head to the answer's first body byte.
        "portcullis.first_byte" first_byte: Option<Seconds>,
    }
}

record! {
    /// Refusals before identity that were counted instead of recorded one by one.
    Summary {
        /// How many.
        "portcullis.summed.count" count: Count,
        /// How many for each reason.
        "portcullis.summed.reasons" reasons: Tally,
        /// Time of the first.
        "portcullis.summed.since" since: Text,
        /// Time of the last.
        "portcullis.summed.until" until: Text,
    }
}

record! {
    /// The head of the chain, said aloud.
    Anchor {
        /// Sequence number of the last chained record.
        "portcullis.anchor.seq" seq: Count,
        /// Hash of the last chained record's body.
        "portcullis.anchor.hash" hash: Text,
        /// Ed25519 signature of chain, number and hash, in base64; where the set has a `signing_key`.
        "portcullis.anchor.signature" signature: Option<Text>,
    }
}

record! {
    /// What binds a record to those before; in every record.
    Link {
        /// Id of the chain: one root context of one worker. 32 hex digits.
        "portcullis.chain.id" chain: Text,
        /// Place in the chain, from 1.
        "portcullis.chain.seq" seq: Count,
        /// Hash of the body before, absent in the first: sha256, 64 hex digits.
        "portcullis.chain.previous" previous: Option<Text>,
        /// Unique id of the record: chain id, `-`, sequence number.
        "portcullis.record" record: Text,
        /// Records lost since the last declaration: how many.
        "portcullis.dropped.count" dropped: Option<Count>,
        /// The same as ranges: `count`, `first`, `last`, `reason` (`queue_full`, `rejected`). In the body alone.
        "portcullis.dropped.ranges" losses: Losses,
        /// A chain that ended, by the `portcullis.record` of its last record: this chain goes on from it.
        "portcullis.chain.predecessor" predecessor: Option<Text>,
        /// Hash of that record's body.
        "portcullis.chain.predecessor_hash" predecessor_hash: Option<Text>,
    }
}

/// Fields that follow from others: name, meaning.
pub const DERIVED: &[(Name, Name)] = &[
    ("event.name", " Which record it is."),
    ("time", " When it was written: RFC 3339, UTC, nanoseconds."),
    ("span_id", " From `traceparent`, beside `trace_id`: lower-case hex."),
    ("trace_flags", " The same."),
    ("gen_ai.operation.name", " OpenTelemetry's name of the operation."),
    ("gen_ai.provider.name", " OpenTelemetry's name of the protocol's provider."),
    ("gen_ai.response.time_to_first_chunk", " `portcullis.first_byte`, where a stream was asked for."),
];

/// Our operations with OpenTelemetry's names; others have none.
const OPERATIONS: [(&str, Name); 4] =
    [("chat", "chat"), ("responses", "chat"), ("completion", "text_completion"), ("embedding", "embeddings")];

/// Our protocols with OpenTelemetry's names of their providers.
const PROVIDERS: [(&str, Name); 1] = [("openai", "openai")];

fn look_up(table: &[(&str, Name)], key: Option<&str>) -> Option<Name> {
    table.iter().find(|(ours, _)| Some(*ours) == key).map(|(_, theirs)| *theirs)
}

impl Facts {
    fn put_all<'a>(&'a self, out: &mut Fields<'a>) {
        self.put(out);
        let operation = look_up(&OPERATIONS, self.operation.as_ref().map(Text::as_str));
        if let Some(name) = operation {
            out.text(const { Place::of("gen_ai.operation.name") }, name);
        }
        if let Some(name) = look_up(&PROVIDERS, self.protocol) {
            out.text(const { Place::of("gen_ai.provider.name") }, name);
        }
    }
}

/// An exchange was judged; where it is allowed, the upstream is asked next.
#[derive(Debug, Clone, Default)]
pub struct StartRecord {
    /// Who, what, decision.
    pub facts: Facts,
    /// What is kept of the prompt.
    pub captured: Captured,
}

/// An exchange is over.
#[derive(Debug, Clone, Default)]
pub struct EndRecord {
    /// Who, what, decision, as last known.
    pub facts: Facts,
    /// What came back.
    pub answered: Answered,
    /// What is kept of prompt and answer, and is in no record before.
    pub captured: Captured,
}

/// What callers of [`super::Recorder::record`] hand in.
#[derive(Debug, Clone)]
pub enum Record {
    /// `portcullis.exchange.start`.
    Start(Box<StartRecord>),
    /// `portcullis.exchange.part`.
    Part(Box<PartRecord>),
    /// `portcullis.exchange.end`.
    End(Box<EndRecord>),
    /// `portcullis.exchange.end` of a refusal before identity: has a small queue of its own and is summed up beyond it.
    Refusal(Box<EndRecord>),
}

/// How serious a record is, in OpenTelemetry's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Severity {
    pub number: u8,
    pub text: Name,
}

const INFO: Severity = Severity { number: 9, text: "INFO" };
const WARN: Severity = Severity { number: 13, text: "WARN" };
const ERROR: Severity = Severity { number: 17, text: "ERROR" };

/// What one record of the chain says, beside its link.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Start(&'a StartRecord),
    Part(&'a PartRecord),
    End(&'a EndRecord),
    Summary(&'a Summary),
    Anchor(&'a Anchor),
}

impl<'a> Content<'a> {
    pub(super) fn event(self) -> Name {
        match self {
            Self::Start(_) => "portcullis.exchange.start",
            Self::Part(_) => "portcullis.exchange.part",
            Self::End(_) => "portcullis.exchange.end",
            Self::Summary(_) => "portcullis.exchange.summary",
            Self::Anchor(_) => "portcullis.chain.anchor",
        }
    }

    pub(super) fn trace(self) -> Option<TraceParent> {
        match self {
            Self::Start(start) => start.facts.trace,
            Self::End(end) => end.facts.trace,
            Self::Part(_) | Self::Summary(_) | Self::Anchor(_) => None,
        }
    }

    pub(super) fn severity(self) -> Severity {
        let (decision, outcome) = match self {
            Self::Start(start) => (start.facts.decision, None),
            Self::End(end) => (end.facts.decision, end.answered.outcome),
            Self::Summary(_) => return WARN,
            Self::Part(_) | Self::Anchor(_) => return INFO,
        };
        match (decision, outcome) {
            (Some(Decision::Error), _) => ERROR,
            (Some(Decision::Deny), _) => WARN,
            (_, None | Some(Outcome::Complete | Outcome::ClientGone)) => INFO,
            (_, Some(_)) => WARN,
        }
    }

    pub(super) fn put(self, out: &mut Fields<'a>) {
        out.text(const { Place::of("event.name") }, self.event());
        match self {
            Self::Start(start) => {
                start.facts.put_all(out);
                start.captured.put(out);
            }
            Self::Part(part) => part.put_all(out),
            Self::End(end) => {
                end.facts.put_all(out);
                end.answered.put(out);
                end.captured.put(out);
                if end.facts.stream == Some(true) {
                    let place = const { Place::of("gen_ai.response.time_to_first_chunk") };
                    Field::put(&end.answered.first_byte, place, out);
                }
            }
            Self::Summary(summary) => summary.put(out),
            Self::Anchor(anchor) => anchor.put(out),
        }
    }
}
