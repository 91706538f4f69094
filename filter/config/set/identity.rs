//! Who calls: issuers, and how their tokens are verified.

use std::time::Duration;

use super::{ClusterRef, Located, Template};

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
