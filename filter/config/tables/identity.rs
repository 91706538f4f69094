//! Who calls: issuers, their keys, introspection.

use std::time::Duration;

use super::services::{CLUSTER_AUTHORITY, CLUSTER_HEADERS, CLUSTER_TIMEOUT};
use super::{may, must};
use crate::config::schema::{CLAIM, Kind, NAME, PATH, Section, TEMPLATE, TEXT, URI};

pub(in crate::config) const LEEWAY: Duration = Duration::from_secs(30);
pub(in crate::config) const MAX_AGE: Duration = Duration::from_mins(1);
pub(in crate::config) const REFRESH: Duration = Duration::from_mins(10);

/// What of Envoy's is believed of who calls.
const VERIFIERS: &[&str] = &["envoy.filters.http.jwt_authn", MTLS];

/// In the place of one: the caller's certificate is what counts.
pub(in crate::config) const MTLS: &str = "mtls";

pub(super) const ISSUER: Section = Section {
    title: "Issuers",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set."),
        must(
            "issuer",
            Kind::Text(&TEXT),
            "The token's `iss`, compared byte for byte; with `verified_by: mtls` the trust domain, `spiffe://…`.",
        ),
        may(
            "audiences",
            Kind::List(&Kind::Text(&TEXT)),
            "",
            "The token's `aud` must hold one of them. Required, except with `introspection` and `verified_by: mtls`.",
        ),
        may(
            "jwks",
            Kind::Section(&JWKS),
            "",
            "Where the keys come from. With `verified_by` for `render envoy` alone, which writes them into Envoy's filter.",
        ),
        may(
            "introspection",
            Kind::Section(&INTROSPECTION),
            "",
            "Where the issuer is asked about its tokens (RFC 7662), in the place of `jwks`: for tokens that nobody else can read ([identity.md](identity.md#opaque-tokens)).",
        ),
        may(
            "verified_by",
            Kind::Choice(VERIFIERS),
            "the module itself",
            "`envoy.filters.http.jwt_authn`: Envoy's own filter, before the module in the chain, verifies the signatures and leaves the claims in its dynamic metadata; `iss`, `aud`, `exp` and `nbf` are still checked here ([identity.md](identity.md#tokens-that-envoy-verifies)). `mtls`: there are no tokens; callers are known by the SPIFFE id of their client certificate ([identity.md](identity.md#workloads-with-certificates)).",
        ),
        may(
            "payload_in_metadata",
            Kind::Text(&TEXT),
            "the issuer's `name`",
            "With `envoy.filters.http.jwt_authn`: the name under which that filter leaves the claims, as its own `payload_in_metadata` has it.",
        ),
        may(
            "groups_claim",
            Kind::OneOrMany(&Kind::Text(&CLAIM)),
            "`groups`",
            "The claim that holds the caller's groups: a dotted path, or a list of names where a name has dots itself.",
        ),
        may(
            "leeway",
            Kind::Duration(Duration::ZERO, Duration::from_mins(5)),
            "`30s`",
            "How far clocks may differ.",
        ),
    ],
};

const JWKS: Section = Section {
    title: "Keys of an issuer",
    keys: &[
        may(
            "cluster",
            Kind::Text(&TEXT),
            "",
            "Envoy cluster of the identity provider. Without `uri`, the keys are found by OIDC discovery from `issuer`.",
        ),
        may("uri", Kind::Text(&URI), "by discovery", "Where the key set is, through the cluster."),
        may(
            "refresh",
            Kind::Duration(Duration::from_secs(1), Duration::from_hours(24)),
            "`10m`",
            "The longest time between fetches; a shorter `max-age` of the key set is honoured, down to 30 s.",
        ),
        CLUSTER_AUTHORITY,
        may(
            "path",
            Kind::Text(&PATH),
            "of `issuer`, with `/.well-known/openid-configuration`",
            "Path of the discovery document. Not with `uri`.",
        ),
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        may(
            "inline",
            Kind::KeySet,
            "",
            "The key set itself, `{ keys: […] }`, instead of everything else here. Public keys only.",
        ),
    ],
};

const INTROSPECTION: Section = Section {
    title: "Introspection",
    keys: &[
        must("cluster", Kind::Text(&TEXT), "Envoy cluster of the issuer."),
        must("path", Kind::Text(&PATH), "Path of its introspection endpoint, such as `/oauth2/introspect`."),
        CLUSTER_AUTHORITY,
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        may(
            "client_id",
            Kind::Text(&TEXT),
            "",
            "Who the module is to the endpoint (`client_secret_basic`). With `client_secret`. An endpoint that wants a bearer token instead gets it by `headers`.",
        ),
        may("client_secret", Kind::Text(&TEMPLATE), "", "Its secret, `${env:NAME}`."),
        may(
            "max_age",
            Kind::Duration(Duration::from_secs(1), Duration::from_hours(1)),
            "`1m`",
            "The longest time for which an answer counts: so long a token that was taken back may pass. Never beyond its `exp`.",
        ),
    ],
};
