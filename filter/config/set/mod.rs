//! The policy set as types: what the rest of the filter reads after parsing.
//!
//! Nothing here is compiled: conditions are still text, entity names still names. Whoever compiles them
//! (`exchange::guard`) reports a fault at the [`Place`] that came with the value.

mod connections;
mod identity;
mod masks;
mod policies;
mod services;

pub use connections::{
    Answers, Connection, Credential, Match, Protocol, Resource, Seat, Secret, TokenHeader,
};
pub use identity::{Introspection, Issuer, JwksSource, JwtAuthn, Proof};
pub use masks::{Detector, Finds, Mask, Operator, Recogniser, Scope, ScopePart, Thinking};
pub use policies::{Amount, Budget, Effect, Kind, Llm, Policy, Rule, Uninspected, VectorLimits};
pub use services::{
    Approvals, Audit, Capture, ClusterRef, Compression, Delivery, Encoding, OnFailure, RateLimitService,
};

use std::collections::BTreeMap;
use std::rc::Rc;

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
