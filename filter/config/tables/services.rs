//! What the module calls: recognisers, rate limits, approvals, the audit collector.

use std::time::Duration;

use super::{may, must};
use crate::config::schema::{
    AUTHORITY, ENTITY, Key, Kind, NAME, PATH, POINTER, PUBLIC_KEY, RECIPIENT, Section, TEMPLATE, TEXT,
};

pub(in crate::config) const TIMEOUT: Duration = Duration::from_secs(5);
pub(in crate::config) const APPROVAL_WAIT: Duration = Duration::from_secs(30);
pub(in crate::config) const APPROVAL_TTL: Duration = Duration::from_mins(15);
pub(in crate::config) const RATE_LIMIT_TIMEOUT: Duration = Duration::from_millis(500);
pub(in crate::config) const RECOGNISED: u64 = 256 << 10;
pub(in crate::config) const MIN_SCORE: f64 = 0.5;
pub(super) const CLUSTER: Key = must("cluster", Kind::Text(&TEXT), "Envoy's name of the cluster.");

pub(super) const CLUSTER_AUTHORITY: Key = may(
    "authority",
    Kind::Text(&AUTHORITY),
    "of the URI, else the cluster's name",
    "What is sent as `:authority`.",
);

pub(super) const CLUSTER_TIMEOUT: Key = may("timeout", CALL_TIMEOUT, "`5s`", "How long one call may take.");

pub(super) const CLUSTER_HEADERS: Key = may(
    "headers",
    Kind::Headers,
    "none",
    "Headers to send, each a name and a value in which `${env:NAME}` may stand.",
);

const CALL_TIMEOUT: Kind = Kind::Duration(Duration::from_millis(1), Duration::from_mins(5));

pub(super) const RECOGNISER: Section = Section {
    title: "Recognisers",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set."),
        CLUSTER,
        CLUSTER_AUTHORITY,
        may(
            "path",
            Kind::Text(&PATH),
            "`/analyze`",
            "Where the service takes a text, as Presidio's analyzer does.",
        ),
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        must(
            "entities",
            Kind::List(&Kind::Text(&ENTITY)),
            "What it finds: names that masks may then ask for, such as `PERSON` and `LOCATION`.",
        ),
        may("language", Kind::Text(&TEXT), "`en`", "Language of the texts, as the service names it."),
        may("min_score", Kind::Share, "`0.5`", "Findings that the service is less sure of do not count."),
        may(
            "max_bytes",
            Kind::Size(1 << 10, 1 << 20),
            "`256Ki`",
            "The largest answer that is held for it; a larger one is `uninspected: size`. Envoy's own buffer (1 MiB unless set) must be larger.",
        ),
    ],
};

pub(super) const RATE_LIMIT_SERVICE: Section = Section {
    title: "Rate limit service",
    keys: &[
        must(
            "cluster",
            Kind::Text(&TEXT),
            "Envoy's name of the cluster. The service speaks gRPC (`envoy.service.ratelimit.v3`), so the cluster must speak HTTP/2: `render envoy` sees to it.",
        ),
        CLUSTER_AUTHORITY,
        may("timeout", CALL_TIMEOUT, "`500ms`", "How long it may take to answer; a request waits no longer."),
        CLUSTER_HEADERS,
        may(
            "domain",
            Kind::Text(&TEXT),
            "`portcullis`",
            "Its name for all our limits. Sets of one domain share budgets where policy and budget have the same names.",
        ),
        may(
            "refunds",
            Kind::Flag,
            "`false`",
            "Whether it takes hits back (`is_negative_hits`, of Envoy 1.38's protocol): one that does not know them would charge them. Without, what a request set aside stays charged.",
        ),
        may(
            "on_failure",
            Kind::Choice(&["deny", "allow", "local"]),
            "`deny`",
            "What becomes of a request where it is down, slow, or not understood: refused with `guard_unavailable`, let go uncounted, or counted in a bucket of this Envoy.",
        ),
    ],
};

pub(super) const APPROVALS: Section = Section {
    title: "Approvals",
    keys: &[
        CLUSTER,
        CLUSTER_AUTHORITY,
        may(
            "path",
            Kind::Text(&PATH),
            "`/v1/approvals`",
            "Where the service speaks the protocol of [approvals.md](approvals.md).",
        ),
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        may(
            "wait",
            Kind::Duration(Duration::ZERO, Duration::from_mins(10)),
            "`30s`",
            "How long a request is held for its answer; then its caller gets 409 and asks again.",
        ),
        may(
            "ttl",
            Kind::Duration(Duration::from_secs(10), Duration::from_hours(168)),
            "`15m`",
            "How long an approval lives from its opening, given or not.",
        ),
        may(
            "ignore",
            Kind::List(&Kind::Text(&POINTER)),
            "nothing",
            "JSON pointers (RFC 6901) of what differs from one try to the next, such as `/metadata/request_time`: an approval does not bind it. It is shown to those who approve.",
        ),
        may(
            "mask",
            Kind::List(&Kind::Text(&ENTITY)),
            "`[PII, SECRETS]`",
            "Entities that are replaced in what is shown to those who approve. What only a recogniser finds is not among them.",
        ),
        may(
            "public_key",
            Kind::Text(&PUBLIC_KEY),
            "the cluster's TLS is trusted",
            "The service's public key: nothing goes upstream without its signature (Ed25519, in base64, as `portcullis audit public-key` prints it).",
        ),
    ],
};

pub(super) const AUDIT: Section = Section {
    title: "Audit",
    keys: &[
        CLUSTER,
        CLUSTER_AUTHORITY,
        may("path", Kind::Text(&PATH), "`/v1/logs`", "Where the collector takes OTLP logs over HTTP."),
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        may(
            "capture",
            Kind::Choice(&["none", "masked", "full"]),
            "`none`",
            "How much of prompt and answer records hold. `masked`: their texts, masked by `mask`, whatever was forwarded; of what is not text a digest. `full`: the same as they came, sealed to `recipients`, so that neither the collector nor who runs it can read them.",
        ),
        may(
            "recipients",
            Kind::List(&Kind::Text(&RECIPIENT)),
            "none",
            "With `capture: full`, the public keys of those who can read what was said (age, X25519): `age1…`, as `age-keygen` prints them.",
        ),
        may(
            "mask",
            Kind::List(&Kind::Text(&ENTITY)),
            "`[PII, SECRETS]`",
            "With `capture: masked`, the entities that are replaced in what records hold; with `full`, in the names that stand there unsealed (models, tools). What only a recogniser finds is not among them.",
        ),
        may(
            "delivery",
            Kind::Choice(&["before_forward", "async"]),
            "`async`",
            "`async`: batched, retried, bounded. `before_forward`: the same, and nothing goes upstream before the collector has taken the record of its start.",
        ),
        may(
            "encoding",
            Kind::Choice(&["json", "protobuf"]),
            "`json`",
            "How records are written down: OTLP in JSON, or in protobuf, for collectors that take nothing else.",
        ),
        may(
            "compression",
            Kind::Choice(&["none", "gzip"]),
            "`none`",
            "`gzip`: batches go compressed, where the way to the collector is long or is paid for.",
        ),
        may(
            "signing_key",
            Kind::Text(&TEMPLATE),
            "anchors are not signed",
            "The secret under which anchors are signed (Ed25519), `${env:NAME}`: 32 bytes of chance in base64, as `openssl rand -base64 32` gives them.",
        ),
    ],
};
