//! What may be asked: policies, rules, budgets, limits.

use std::time::Duration;

use super::{Located, Mask, Mode, Place, Text};

/// What may be asked and what may be seen.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Name within the set.
    pub name: Located<String>,
    /// Overrides the set's mode.
    pub mode: Option<Mode>,
    /// CEL; who may use it at all.
    pub allow: Located<String>,
    /// In the order written.
    pub rules: Vec<Rule>,
    /// What is masked in what is asked.
    pub mask_prompt: Option<Mask>,
    /// What is masked in answers.
    pub mask_response: Option<Mask>,
    /// What may be asked of vector stores.
    pub vector: Option<Located<VectorLimits>>,
    /// What may pass without being looked at.
    pub uninspected: Uninspected,
    /// What is let through of what models can do.
    pub llm: Option<Llm>,
    /// How much may be used in a time.
    pub budgets: Vec<Budget>,
    /// Upper bound of a request body, in bytes.
    pub max_request_bytes: u64,
    /// Upper bound of an answer, in tokens.
    pub max_output_tokens: Option<u64>,
}

/// How much may be used in a time.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Name within the policy.
    pub name: Located<String>,
    /// CEL that gives text: whose it is; `None`: everyone's.
    pub key: Option<Located<String>>,
    /// Units, and how many.
    pub amount: Amount,
    /// The time in which they come back.
    pub per: Duration,
    /// Whether requests are put down to what is left.
    pub clamp: Option<Place>,
    /// Whether a stream that has nothing left is ended.
    pub ends: bool,
    /// Whether a service counts it, for all proxies that ask it; where that is said.
    pub global: Option<Place>,
    /// Overrides the policy's mode.
    pub mode: Option<Mode>,
}

/// Units of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Tokens of prompts and answers.
    Tokens(u64),
    /// Requests.
    Requests(u64),
}

/// What is let through of what models can do.
#[derive(Debug, Clone)]
pub struct Llm {
    /// The operations, by name; `None`: all that are known.
    pub operations: Option<Vec<Located<String>>>,
    /// Whether requests may refer to what the provider keeps.
    pub references: bool,
}

/// What may be asked of a vector store.
#[derive(Debug, Clone, Default)]
pub struct VectorLimits {
    /// Operations; empty: all.
    pub operations: Vec<Located<String>>,
    /// Collections, exact or with `*`; empty: all.
    pub collections: Vec<Located<Text>>,
    /// Parts of collections; empty: all.
    pub namespaces: Vec<Located<Text>>,
    /// Fields, and what each must be in every row that is read.
    pub filter: Vec<(Located<String>, Located<Text>)>,
    /// Most hits of a query.
    pub max_top_k: Option<u64>,
    /// Whether vectors are left out.
    pub drop_vectors: bool,
    /// Whether what exceeds is refused; else it is set right.
    pub deny_excess: bool,
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

impl Effect {
    /// All of them, by key.
    pub const ALL: [(&'static str, Effect); 3] =
        [("deny", Effect::Deny), ("approve", Effect::Approve), ("flag", Effect::Flag)];
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Name within the policy.
    pub name: Located<String>,
    /// What it does.
    pub effect: Effect,
    /// CEL.
    pub condition: Located<String>,
    /// What the caller is told, beside the rule's name.
    pub message: Option<Located<Text>>,
    /// Groups of which those who approve must have one; empty: whoever may.
    pub approvers: Vec<String>,
    /// How many must approve.
    pub quorum: u32,
    /// Overrides the policy's mode.
    pub mode: Option<Mode>,
}

/// Kinds of traffic that cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An operation we do not know.
    Path,
    /// A body of a type we do not read.
    ContentType,
    /// A content coding we do not decode.
    Encoding,
    /// A body above the limit.
    Size,
    /// What the provider keeps for others.
    Reference,
    /// CONNECT and upgrades.
    Upgrade,
    /// gRPC.
    Grpc,
    /// Audio.
    Audio,
    /// Images.
    Image,
    /// Multipart bodies.
    Multipart,
    /// Batches given as files.
    BatchFile,
    /// Partial content (206).
    Partial,
    /// JSON that is not shaped as the protocol has it.
    Schema,
    /// A streamed answer, where a recogniser would have to read it whole.
    Stream,
}

impl Kind {
    /// Every kind with the name that policies and records use.
    pub const ALL: [(Kind, &'static str); 14] = [
        (Kind::Path, "path"),
        (Kind::ContentType, "content_type"),
        (Kind::Encoding, "encoding"),
        (Kind::Size, "size"),
        (Kind::Reference, "reference"),
        (Kind::Upgrade, "upgrade"),
        (Kind::Grpc, "grpc"),
        (Kind::Audio, "audio"),
        (Kind::Image, "image"),
        (Kind::Multipart, "multipart"),
        (Kind::BatchFile, "batch_file"),
        (Kind::Partial, "partial"),
        (Kind::Schema, "schema"),
        (Kind::Stream, "stream"),
    ];

    /// The name that policies and records use.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// Which kinds of uninspected traffic pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uninspected {
    /// Whether a kind that is not named passes.
    pub default_allow: bool,
    /// Kinds that pass.
    pub allow: Vec<Kind>,
    /// Kinds that do not.
    pub deny: Vec<Kind>,
}

impl Uninspected {
    /// Whether traffic of this kind passes.
    pub fn allows(&self, kind: Kind) -> bool {
        if self.deny.contains(&kind) {
            return false;
        }
        self.default_allow || self.allow.contains(&kind)
    }
}
