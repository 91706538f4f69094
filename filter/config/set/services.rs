//! What the module calls: rate limits, approvals, the audit collector.

use std::time::Duration;

use super::{Located, Template};

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
