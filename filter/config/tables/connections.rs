//! Where calls go: connections, what matches them, credentials.

use std::time::Duration;

use super::services::{CLUSTER, CLUSTER_AUTHORITY, CLUSTER_HEADERS, CLUSTER_TIMEOUT};
use super::{may, must};
use crate::config::schema::{
    AUTHORITY, CONDITION, CREDENTIAL_VALUE, HEADER, JSON_PATH, Kind, METHOD, NAME, PATH, PATH_PREFIX, PREFIX,
    RESOURCE_URI, SCOPE_TOKEN, Section, TEMPLATE, TEXT,
};
use crate::config::set::Protocol;

pub(in crate::config) const SECRET_REFRESH: Duration = Duration::from_mins(5);
pub(in crate::config) const SECRET_KEEP: Duration = Duration::from_hours(1);

pub(super) const CONNECTION: Section = Section {
    title: "Connections",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set."),
        must(
            "protocol",
            Kind::Choice(PROTOCOLS),
            "The API spoken (see [protocols.md](protocols.md)). `none` passes untouched and unrecorded: health checks, CORS preflight.",
        ),
        may(
            "match",
            Kind::OneOrMany(&Kind::Section(&MATCH)),
            "by route metadata alone",
            "Which requests these are; of a list, any. Route metadata `filter_metadata: { portcullis: { connection: NAME } }` overrides it.",
        ),
        may(
            "issuers",
            Kind::List(&Kind::Text(&NAME)),
            "the only issuer",
            "Whose tokens are accepted. Required where the set has several issuers.",
        ),
        may(
            "policy",
            Kind::Text(&NAME),
            "",
            "The policy that guards it. Required, except with `protocol: none`.",
        ),
        may(
            "credential",
            Kind::OneOrMany(&Kind::Section(&CREDENTIAL)),
            "none",
            "What the upstream sees instead of the caller's token ([operators.md](operators.md#credentials)). Of several for one header or parameter, the first whose `when` holds.",
        ),
        may(
            "token",
            Kind::Section(&TOKEN),
            "the protocol's own headers",
            "Where else the caller's token may come.",
        ),
        may(
            "answers",
            Kind::Section(&ANSWERS),
            "every string is masked",
            "Which values of JSON answers are texts. With `protocol: http` only.",
        ),
        may(
            "resource",
            Kind::Section(&RESOURCE),
            "not told",
            "What clients are told of the connection, so that they find where to get a token (RFC 9728; [identity.md](identity.md#clients-that-ask-where-to-log-in)).",
        ),
    ],
};

const RESOURCE: Section = Section {
    title: "Resource",
    keys: &[
        must(
            "uri",
            Kind::Text(&RESOURCE_URI),
            "The base URL by which clients know the connection, such as `https://rag.example.com/v1`.",
        ),
        may(
            "scopes",
            Kind::List(&Kind::Text(&SCOPE_TOKEN)),
            "none",
            "Scopes that clients should ask for. They are told, and what `allow` says counts.",
        ),
    ],
};

const ANSWERS: Section = Section {
    title: "Answers",
    keys: &[
        may(
            "text",
            Kind::List(&Kind::Text(&JSON_PATH)),
            "everything",
            "What stands at these paths, or below, is masked, and everything else is kept: name all that may hold text.",
        ),
        may(
            "keep",
            Kind::List(&Kind::Text(&JSON_PATH)),
            "nothing",
            "What stands at these paths, or below, is kept. The longest path that leads to a value decides.",
        ),
    ],
};

const MATCH: Section = Section {
    title: "Match",
    keys: &[
        may(
            "authority",
            Kind::Text(&AUTHORITY),
            "any",
            "Host, compared without case; without a port it holds for any.",
        ),
        may("path_prefix", Kind::Text(&PATH_PREFIX), "any", "Start of the path; it ends at a segment."),
        may("route", Kind::Text(&TEXT), "any", "Envoy's name of the route."),
        may("virtual_host", Kind::Text(&TEXT), "any", "Envoy's name of the virtual host."),
        may("cluster", Kind::Text(&TEXT), "any", "Envoy's name of the upstream cluster."),
        may("method", Kind::Text(&METHOD), "any", "Request method."),
    ],
};

const CREDENTIAL: Section = Section {
    title: "Credential",
    keys: &[
        may("header", Kind::Text(&HEADER), "", "Header to set. Either this or `query`."),
        may("query", Kind::Text(&NAME), "", "Parameter of the query to set; its value is percent-encoded."),
        must(
            "value",
            Kind::Text(&CREDENTIAL_VALUE),
            "Its value, such as `Bearer ${env:OPENAI_API_KEY}`, or `Bearer ${secret:NAME}` with one of `secrets`.",
        ),
        may(
            "when",
            Kind::Text(&CONDITION),
            "always",
            "For whom it is, such as `\"research\" in identity.groups`: CEL that reads what is known with the headers. Where none of a header or parameter holds, the request is refused (`forbidden`).",
        ),
    ],
};

const TOKEN: Section = Section {
    title: "Token",
    keys: &[must("headers", Kind::List(&Kind::Section(&TOKEN_HEADER)), "Headers in which a token may come.")],
};

const TOKEN_HEADER: Section = Section {
    title: "Token header",
    keys: &[
        must("name", Kind::Text(&HEADER), "The header."),
        may(
            "prefix",
            Kind::Text(&PREFIX),
            "none",
            "Text before the token, such as `Bearer `; compared without case.",
        ),
    ],
};

const PROTOCOLS: &[&str] = &{
    let mut names = [""; Protocol::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time, below the length of both")]
        {
            names[at] = Protocol::ALL[at].0;
        }
        at += 1;
    }
    names
};

pub(super) const SECRET: Section = Section {
    title: "Secrets",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set. Credentials hold it as `${secret:NAME}`."),
        CLUSTER,
        must(
            "path",
            Kind::Text(&PATH),
            "Where it is, as Vault's KV engine (version 2) has it: `/v1/MOUNT/data/PATH`.",
        ),
        CLUSTER_AUTHORITY,
        CLUSTER_TIMEOUT,
        CLUSTER_HEADERS,
        may(
            "token",
            Kind::Text(&TEMPLATE),
            "none",
            "What is sent as `x-vault-token`, `${env:NAME}`. None for an agent that puts its own.",
        ),
        may("field", Kind::Text(&TEXT), "`value`", "Which field of the secret it is, in `data.data`."),
        may(
            "refresh",
            Kind::Duration(Duration::from_secs(1), Duration::from_hours(24)),
            "`5m`",
            "Time between calls. After an upstream's 401 it is asked sooner.",
        ),
        may(
            "keep",
            Kind::Duration(Duration::from_secs(1), Duration::from_hours(168)),
            "`1h`",
            "How old a value may grow while the service is down; then calls that need it are refused with 503.",
        ),
    ],
};
