//! The policy set as types: what the rest of the filter reads after parsing.
//!
//! Nothing here is compiled: conditions are still text, entity names still names. Whoever compiles them
//! (`exchange::guard`) reports a fault at the [`Place`] that came with the value.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::list::TextList;
use super::path::Path;

/// Where a value stood in what the operator wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// File name as given on the command line; empty when the set came as a plugin configuration.
    pub file: Rc<str>,
    /// Line, from 1; 0 when not known.
    pub line: u32,
    /// Column of the value's first character, from 1; 0 when not known.
    pub column: u32,
    /// Path of the key, such as `policies[0].rules[2].deny`.
    pub key: Path,
}

/// A value with the place it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stood.
    pub place: Place,
}

/// Whether a decision acts or is only recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decisions act.
    #[default]
    Enforce,
    /// Decisions are recorded and change nothing.
    Monitor,
}

/// What happens to a request that matches no connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// Refused.
    #[default]
    Deny,
    /// Passes, stripped of our own headers, unrecorded.
    Allow,
    /// Passes and is recorded.
    Monitor,
}

/// Which of our headers an answer carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expose {
    /// `x-portcullis-exchange`.
    #[default]
    Id,
    /// Also `x-portcullis-policy`.
    Full,
    /// Neither.
    None,
}

/// A whole policy set, version 1.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// Default mode of policies.
    pub mode: Mode,
    /// Who signs callers' tokens.
    pub issuers: Vec<Issuer>,
    /// Secrets that services keep, for credentials to hold.
    pub secrets: Vec<Secret>,
    /// What callers may reach; the first match wins.
    pub connections: Vec<Connection>,
    /// The policies that connections name.
    pub policies: Vec<Policy>,
    /// Detectors beside the built-in ones.
    pub detectors: Vec<Detector>,
    /// Services that find in whole texts what no pattern can.
    pub recognisers: Vec<Recogniser>,
    /// Where records go.
    pub audit: Option<Audit>,
    /// Who counts what many proxies share.
    pub rate_limit_service: Option<RateLimitService>,
    /// Who asks the humans whom rules ask; `None`: nobody does.
    pub approvals: Option<Approvals>,
    /// For requests that match no connection.
    pub unmatched: Unmatched,
    /// Which of our headers answers carry.
    pub expose: Expose,
}

/// An OpenID provider whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Name within the set.
    pub name: Located<String>,
    /// The `iss` claim, compared byte for byte.
    pub issuer: Located<String>,
    /// At least one where there are tokens: their `aud` must hold one of them.
    pub audiences: Vec<String>,
    /// What vouches for its tokens.
    pub proof: Proof,
    /// Dotted path of the groups claim, split at the dots.
    pub groups_claim: Vec<String>,
    /// Tolerance for `exp` and `nbf`.
    pub leeway: Duration,
}

/// What vouches for an issuer's tokens.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Their signatures, under these keys.
    Keys(JwksSource),
    /// Envoy's own `jwt_authn`, which stands before the module in the chain.
    Proxy(JwtAuthn),
    /// The issuer itself, asked about each token (RFC 7662).
    Introspection(Introspection),
    /// There are none: callers show certificates, and the issuer is a SPIFFE trust domain.
    Certificate,
}

impl Proof {
    /// The keys that the module itself verifies signatures with.
    pub fn keys(&self) -> Option<&JwksSource> {
        match self {
            Proof::Keys(keys) => Some(keys),
            Proof::Proxy(_) | Proof::Introspection(_) | Proof::Certificate => None,
        }
    }

    /// Where the issuer is asked about tokens.
    pub fn introspection(&self) -> Option<&Introspection> {
        match self {
            Proof::Introspection(introspection) => Some(introspection),
            _ => None,
        }
    }
}

/// Where an issuer is asked about tokens (RFC 7662), and what of its answers is kept.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// The cluster; its path is always given.
    pub cluster: ClusterRef,
    /// Name and secret by which the module is known there; `None`: by the cluster's headers, if at all.
    pub client: Option<(String, Template)>,
    /// The longest time for which an answer counts.
    pub max_age: Duration,
}

/// Tokens whose signatures Envoy's `jwt_authn` verifies.
#[derive(Debug, Clone)]
pub struct JwtAuthn {
    /// Name in its dynamic metadata under which it leaves the claims (`payload_in_metadata`).
    pub payload: String,
    /// Where it gets the keys; only for a rendered Envoy.
    pub keys: Option<JwksSource>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone)]
pub enum JwksSource {
    /// OIDC discovery through an Envoy cluster: `<issuer>/.well-known/openid-configuration`, then its `jwks_uri`.
    Discovery {
        /// The cluster.
        cluster: ClusterRef,
        /// Time between refreshes.
        refresh: Duration,
    },
    /// A key set at a URI through an Envoy cluster.
    Uri {
        /// The cluster.
        cluster: ClusterRef,
        /// Absolute URI; its authority and path are used.
        uri: String,
        /// Time between refreshes.
        refresh: Duration,
    },
    /// The key set itself, as JSON text `{"keys":[…]}`.
    Inline(Located<String>),
}

impl JwksSource {
    /// The cluster through which they are fetched.
    pub fn cluster(&self) -> Option<&ClusterRef> {
        match self {
            JwksSource::Discovery { cluster, .. } | JwksSource::Uri { cluster, .. } => Some(cluster),
            JwksSource::Inline(_) => None,
        }
    }
}

/// A service behind an Envoy cluster.
#[derive(Debug, Clone)]
pub struct ClusterRef {
    /// Envoy's name of the cluster.
    pub cluster: Located<String>,
    /// `:authority`; `None`: from the URI, or the cluster's name.
    pub authority: Option<String>,
    /// Path; `None`: the default of its purpose.
    pub path: Option<String>,
    /// How long one call may take.
    pub timeout: Duration,
    /// Headers to add, name and template (may hold `${env:NAME}`).
    pub headers: Vec<(String, Template)>,
}

/// Text in which `${env:NAME}` may stand; `$${` is a literal `${`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// The parts, in order.
    pub parts: Vec<TemplatePart>,
    /// Where it stood.
    pub place: Place,
}

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text as it stands.
    Text(String),
    /// The value of an environment variable of Envoy's process.
    Env(String),
    /// The value of the [`Secret`] of that name; in credentials only.
    Secret(String),
}

/// The API spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's API and its dialects.
    OpenAi,
    /// Anthropic's API.
    Anthropic,
    /// Google Gemini's API.
    Gemini,
    /// Cohere's API.
    Cohere,
    /// Amazon Bedrock's runtime API.
    Bedrock,
    /// Ollama's own API.
    Ollama,
    /// Pinecone's API.
    Pinecone,
    /// Qdrant's REST API.
    Qdrant,
    /// Weaviate's REST and GraphQL API.
    Weaviate,
    /// Chroma's API.
    Chroma,
    /// Milvus's REST API.
    Milvus,
    /// OpenSearch's API, and Elasticsearch's.
    OpenSearch,
    /// Any other API over HTTP.
    Http,
    /// Not looked at: passes untouched and unrecorded.
    None,
}

impl Protocol {
    /// Every protocol with the name that sets and records use.
    pub const ALL: [(&'static str, Protocol); 14] = [
        ("openai", Protocol::OpenAi),
        ("anthropic", Protocol::Anthropic),
        ("gemini", Protocol::Gemini),
        ("cohere", Protocol::Cohere),
        ("bedrock", Protocol::Bedrock),
        ("ollama", Protocol::Ollama),
        ("pinecone", Protocol::Pinecone),
        ("qdrant", Protocol::Qdrant),
        ("weaviate", Protocol::Weaviate),
        ("chroma", Protocol::Chroma),
        ("milvus", Protocol::Milvus),
        ("opensearch", Protocol::OpenSearch),
        ("http", Protocol::Http),
        ("none", Protocol::None),
    ];

    /// The name that sets and records use.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, protocol)| *protocol == self).map_or("", |(name, _)| name)
    }
}

/// A way to an upstream, and the policy that guards it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Name within the set.
    pub name: Located<String>,
    /// The API spoken on it.
    pub protocol: Protocol,
    /// Any of these; empty: only route metadata chooses it.
    pub matches: Vec<Match>,
    /// Names of issuers; never empty unless `protocol` is [`Protocol::None`].
    pub issuers: Vec<Located<String>>,
    /// Name of the policy; `None` only for [`Protocol::None`].
    pub policy: Option<Located<String>>,
    /// What the upstream wants to see instead of the caller's token, in the order written.
    pub credentials: Vec<Credential>,
    /// Headers in which a token may come, beside the protocol's own; empty: the protocol's own.
    pub token_headers: Vec<TokenHeader>,
    /// Which of an answer's values are texts; only with [`Protocol::Http`].
    pub answers: Answers,
    /// What clients are told of it, so that they find where to get a token.
    pub resource: Option<Resource>,
}

/// A protected resource, as RFC 9728 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its identifier: an absolute URI as clients know the connection.
    pub uri: String,
    /// Scopes that tokens for it should have.
    pub scopes: Vec<String>,
}

/// Which values of a JSON answer are texts, by paths. The longest path that leads to a value decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// What stands at these paths or below is masked; empty: everything is.
    pub text: Vec<Located<String>>,
    /// What stands at these paths or below is kept.
    pub keep: Vec<Located<String>>,
}

/// A header that may hold the caller's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHeader {
    /// Lower case.
    pub name: String,
    /// Text before the token, such as `Bearer `; compared without case.
    pub prefix: String,
}

/// Conditions on a request's head; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// `:authority`, compared without case; a port in it counts only where the pattern has one.
    pub authority: Option<String>,
    /// Ends at a segment: `/v1` holds for `/v1` and `/v1/chat`, not for `/v10`.
    pub path_prefix: Option<String>,
    /// Envoy's route name.
    pub route: Option<String>,
    /// Envoy's virtual host name.
    pub virtual_host: Option<String>,
    /// Envoy's upstream cluster name.
    pub cluster: Option<String>,
    /// `:method`.
    pub method: Option<String>,
}

/// A secret that a service keeps, by the API of Vault's KV engine, version 2.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Name within the set.
    pub name: Located<String>,
    /// The service; its path is always given.
    pub cluster: ClusterRef,
    /// What the module shows it, in `x-vault-token`.
    pub token: Option<Template>,
    /// Which field of `data.data` the value is.
    pub field: String,
    /// Time between calls.
    pub refresh: Duration,
    /// How old a value may grow while the service is down.
    pub keep: Duration,
}

/// An upstream credential.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Where it stands in the request.
    pub seat: Seat,
    /// Its value.
    pub value: Template,
    /// CEL: for whom it is; `None`: for everyone.
    pub when: Option<Located<String>>,
}

/// Where a credential stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// In the header of this name, lower case.
    Header(String),
    /// In the query's parameter of this name.
    Query(String),
}

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

/// Who counts what many proxies share: `envoy.service.ratelimit.v3`.
#[derive(Debug, Clone)]
pub struct RateLimitService {
    /// The service; it speaks HTTP/2.
    pub cluster: ClusterRef,
    /// Its name for all our limits.
    pub domain: String,
    /// Whether it takes hits back.
    pub refunds: bool,
    /// What happens where it does not answer.
    pub on_failure: OnFailure,
}

/// What happens to a request that a service does not answer for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on, uncounted.
    Allow,
    /// The proxy counts it by itself.
    Local,
}

/// Who asks the humans whom rules ask.
#[derive(Debug, Clone)]
pub struct Approvals {
    /// The service; path defaults to `/v1/approvals`.
    pub cluster: ClusterRef,
    /// How long a request is held for its answer.
    pub wait: Duration,
    /// How long an approval lives.
    pub ttl: Duration,
    /// JSON pointers of what an approval does not bind.
    pub ignore: Vec<Located<String>>,
    /// What is masked in what approvers see: entities, and sets of them.
    pub mask: Vec<Located<String>>,
    /// The key under which the service signs, in base64.
    pub public_key: Option<Located<String>>,
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

/// Text in which `${…}` may stand, each holding CEL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The parts, in order.
    pub parts: Vec<TextPart>,
}

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextPart {
    /// Text as it stands.
    Text(String),
    /// CEL that gives text.
    Expression(String),
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

/// What is masked, and how.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Entities and sets of entities, by name; not empty.
    pub entities: Vec<Located<String>>,
    /// What becomes of a value.
    pub operator: Operator,
    /// What becomes of a model's thinking.
    pub thinking: Thinking,
    /// Entities, and sets of them, of which something else becomes.
    pub overrides: Vec<(Located<String>, Operator)>,
    /// In prompts: whether what stands for a value is taken back in the answer.
    pub restore: bool,
}

/// What becomes of a model's thinking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Masked; its signature goes where that changed something.
    #[default]
    Mask,
    /// Kept, with its signature.
    Exempt,
    /// Neither is given out.
    Drop,
}

/// What becomes of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Operator {
    /// `<EMAIL_ADDRESS>` stands for it.
    #[default]
    Replace,
    /// It is covered in part.
    Mask {
        /// Letters and digits that stay at its start.
        keep_first: usize,
        /// The same at its end.
        keep_last: usize,
        /// What covers the others: printable ASCII.
        character: u8,
    },
    /// A name of its own stands for it.
    Pseudonym {
        /// The secret under which names are made.
        key: Template,
        /// Where a name holds; without parts: the whole set.
        scope: Scope,
    },
    /// Nothing stands for it.
    Redact,
    /// The text ends before it.
    Block,
    /// It stays, and is counted.
    Flag,
}

/// Text in which `${identity.…}` may stand; `$${` is a literal `${`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The parts, in order.
    pub parts: Vec<ScopePart>,
}

/// A part of a [`Scope`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopePart {
    /// Text as it stands.
    Text(String),
    /// `identity.id`.
    Id,
    /// `identity.subject`.
    Subject,
    /// `identity.issuer`.
    Issuer,
    /// `identity.claims.…`: the names on the way.
    Claim(Vec<String>),
}

/// A detector beside the built-in ones.
#[derive(Debug, Clone)]
pub struct Detector {
    /// The entity that it finds.
    pub name: Located<String>,
    /// What a value looks like.
    pub finds: Finds,
    /// Phrases, one of which must stand before a value; empty: no matter what stands there.
    pub context: Vec<Located<String>>,
}

/// What a value looks like.
#[derive(Debug, Clone)]
pub enum Finds {
    /// A pattern.
    Pattern {
        /// In the grammar of the built-in detectors.
        pattern: Located<String>,
        /// A class of bytes after which no value starts.
        not_after: Option<Located<String>>,
        /// A class of bytes before which no value ends.
        not_before: Option<Located<String>>,
    },
    /// One of some words.
    Words {
        /// The words, with the place of their list.
        words: Located<TextList>,
        /// Whether the case of ASCII letters does not matter.
        ignore_case: bool,
    },
}

/// A service that finds in whole texts what no pattern can, by the API of Presidio's analyzer.
#[derive(Debug, Clone)]
pub struct Recogniser {
    /// Name within the set.
    pub name: Located<String>,
    /// The service; path defaults to `/analyze`.
    pub cluster: ClusterRef,
    /// What it finds, by name; not empty.
    pub entities: Vec<Located<String>>,
    /// The texts' language, as the service names it.
    pub language: String,
    /// Findings it is less sure of do not count; 0 to 1.
    pub min_score: f64,
    /// Largest answer that is given to it, in bytes.
    pub max_bytes: u64,
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

/// How records are delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Batched, retried, bounded.
    #[default]
    Async,
    /// The same, and nothing goes upstream before the collector has the record of its start.
    BeforeForward,
}

/// How records are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// OTLP in JSON.
    #[default]
    Json,
    /// OTLP in protobuf.
    Protobuf,
}

/// How batches of records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// How much of prompt and answer a record holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Capture {
    /// Neither.
    #[default]
    None,
    /// Their texts, masked by `audit.mask`.
    Masked,
    /// Their texts as they came, sealed to `audit.recipients`.
    Full,
}

/// Where records go.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The collector; path defaults to `/v1/logs`.
    pub cluster: ClusterRef,
    /// How much a record holds.
    pub capture: Capture,
    /// What is masked in it: entities, and sets of them.
    pub mask: Vec<Located<String>>,
    /// To whom what is not masked is sealed: recipients of age.
    pub recipients: Vec<Located<String>>,
    /// How records are delivered.
    pub delivery: Delivery,
    /// How records are written down.
    pub encoding: Encoding,
    /// Whether batches are compressed.
    pub compression: Compression,
    /// The secret that anchors are signed under.
    pub signing_key: Option<Template>,
}

/// What the host promises to do, as the operator set it up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostPromises {
    /// `allow_on_headers_stop_iteration`: headers can be held back until the body has been read.
    pub body_before_headers: bool,
}

/// The plugin configuration: a set with what identifies it.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// The set.
    pub set: PolicySet,
    /// Commit of the policy repository, `-dirty` where so; `unversioned` outside a repository.
    pub revision: String,
    /// `sha256:…` over the canonical JSON of the set.
    pub digest: String,
    /// The same for each policy, by name.
    pub policy_digests: BTreeMap<String, String>,
    /// What the host promises.
    pub host: HostPromises,
}
