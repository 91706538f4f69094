//! The format, version 1: every key.

use std::time::Duration;

use super::schema::{
    AUTHORITY, CHARACTER, CLAIM, CLASS, CONDITION, CREDENTIAL_VALUE, ENTITY, HEADER, JSON_PATH, Key, Kind,
    METHOD, NAME, Need, PATH, PATH_PREFIX, PATTERN, POINTER, PREFIX, PUBLIC_KEY, RECIPIENT, RESOURCE_URI,
    REVISION, SCOPE, SCOPE_TOKEN, Section, TEMPLATE, TEXT, TEXT_TEMPLATE, URI, WORD,
};
use super::set::{Kind as Uninspected, Protocol};
use crate::policy::budget::Rate;

/// The version of the format.
pub(super) const VERSION: i64 = 1;
/// The version of the bundle's envelope.
pub(super) const FORMAT: i64 = 1;

pub(super) const LEEWAY: Duration = Duration::from_secs(30);
pub(super) const MAX_AGE: Duration = Duration::from_mins(1);
pub(super) const SECRET_REFRESH: Duration = Duration::from_mins(5);
pub(super) const SECRET_KEEP: Duration = Duration::from_hours(1);
pub(super) const REFRESH: Duration = Duration::from_mins(10);
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const APPROVAL_WAIT: Duration = Duration::from_secs(30);
pub(super) const APPROVAL_TTL: Duration = Duration::from_mins(15);
pub(super) const RATE_LIMIT_TIMEOUT: Duration = Duration::from_millis(500);
pub(super) const MAX_REQUEST: u64 = 1 << 20;
pub(super) const RECOGNISED: u64 = 256 << 10;
pub(super) const MIN_SCORE: f64 = 0.5;

const MODES: &[&str] = &["enforce", "monitor"];
const PASS: &[&str] = &["deny", "allow"];
/// What of Envoy's is believed of who calls.
const VERIFIERS: &[&str] = &["envoy.filters.http.jwt_authn", MTLS];
/// In the place of one: the caller's certificate is what counts.
pub(super) const MTLS: &str = "mtls";

const fn must(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, need: Need::Required, about }
}

const fn may(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, need: Need::Optional(default), about }
}

/// What `portcullis bundle` prints and the module reads.
pub(super) const BUNDLE: Section = Section {
    title: "The bundle",
    keys: &[
        must("format", Kind::Version, "Version of this envelope: 1."),
        must("revision", Kind::Text(&REVISION), "Commit of the policy repository."),
        must("digest", Kind::Text(&TEXT), "sha256 of the set's canonical JSON."),
        must("policies", Kind::Digests, "The same of each policy, by name."),
        must("host", Kind::Section(&HOST), "What the host promises."),
        must("set", Kind::Map, "The policy set, as written."),
    ],
};

const HOST: Section = Section {
    title: "Host",
    keys: &[must(
        "body_before_headers",
        Kind::Flag,
        "Headers can be held back until the body has been read (`allow_on_headers_stop_iteration`).",
    )],
};

pub(super) const SET: Section = Section {
    title: "The set",
    keys: &[
        must("version", Kind::Version, "Version of this format: 1. It may stand in each document."),
        may(
            "mode",
            Kind::Choice(MODES),
            "`enforce`",
            "Whether decisions act, or are only recorded. Policies and rules may override it.",
        ),
        may("issuers", Kind::List(&Kind::Section(&ISSUER)), "", "Who signs callers' tokens."),
        must(
            "connections",
            Kind::List(&Kind::Section(&CONNECTION)),
            "What callers may reach. The first that matches a request is taken.",
        ),
        may("policies", Kind::List(&Kind::Section(&POLICY)), "", "What may be asked and what may be seen."),
        may(
            "detectors",
            Kind::List(&Kind::Section(&DETECTOR)),
            "the built-in ones",
            "What is found beside the built-in entities.",
        ),
        may(
            "recognisers",
            Kind::List(&Kind::Section(&RECOGNISER)),
            "none",
            "Services that find in whole texts what no pattern can: names, places, organisations.",
        ),
        may(
            "secrets",
            Kind::List(&Kind::Section(&SECRET)),
            "none",
            "Secrets that services keep, for credentials to hold ([operators.md](operators.md#credentials-from-a-secret-store)).",
        ),
        may("audit", Kind::Section(&AUDIT), "no records", "Where records go."),
        may(
            "approvals",
            Kind::Section(&APPROVALS),
            "nobody: what `approve` holds for is refused",
            "Who asks the humans that rules with `approve` want to be asked ([approvals.md](approvals.md)).",
        ),
        may(
            "rate_limit_service",
            Kind::Section(&RATE_LIMIT_SERVICE),
            "none",
            "Who counts budgets of `scope: global` ([budgets.md](budgets.md#budgets-of-a-fleet)).",
        ),
        may(
            "unmatched",
            Kind::Choice(&["deny", "allow", "monitor"]),
            "`deny`",
            "What happens to a request that matches no connection: refused, passed unrecorded, or passed and recorded.",
        ),
        may(
            "expose",
            Kind::Choice(&["id", "full", "none"]),
            "`id`",
            "Answers carry `x-portcullis-exchange` (`id`), `x-portcullis-policy` as well (`full`), or neither (`none`).",
        ),
    ],
};

const CLUSTER: Key = must("cluster", Kind::Text(&TEXT), "Envoy's name of the cluster.");
const CLUSTER_AUTHORITY: Key = may(
    "authority",
    Kind::Text(&AUTHORITY),
    "of the URI, else the cluster's name",
    "What is sent as `:authority`.",
);
const CLUSTER_TIMEOUT: Key = may("timeout", CALL_TIMEOUT, "`5s`", "How long one call may take.");
const CLUSTER_HEADERS: Key = may(
    "headers",
    Kind::Headers,
    "none",
    "Headers to send, each a name and a value in which `${env:NAME}` may stand.",
);
const CALL_TIMEOUT: Kind = Kind::Duration(Duration::from_millis(1), Duration::from_mins(5));

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

pub(super) const JWKS: Section = Section {
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

pub(super) const INTROSPECTION: Section = Section {
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

pub(super) const RESOURCE: Section = Section {
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

pub(super) const ANSWERS: Section = Section {
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

pub(super) const MATCH: Section = Section {
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

pub(super) const CREDENTIAL: Section = Section {
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

pub(super) const TOKEN: Section = Section {
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

pub(super) const POLICY: Section = Section {
    title: "Policies",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set."),
        may("mode", Kind::Choice(MODES), "the set's", "Overrides the set's mode."),
        must(
            "allow",
            Kind::Text(&CONDITION),
            "Who may use it at all; decided before any body is read where it can be.",
        ),
        may(
            "rules",
            Kind::List(&Kind::Section(&RULE)),
            "none",
            "Each has exactly one of `deny`, `approve` and `flag`.",
        ),
        may(
            "llm",
            Kind::Section(&LLM),
            "what `uninspected` says",
            "What is let through of what models can do.",
        ),
        may(
            "budgets",
            Kind::List(&Kind::Section(&BUDGET)),
            "none",
            "How much callers may use in a time ([budgets.md](budgets.md)). A request goes on where all of them have room.",
        ),
        may("limits", Kind::Section(&LIMITS), "", "Bounds."),
        may(
            "vector",
            Kind::Section(&VECTOR),
            "no limits",
            "What may be asked of a vector store. On connections to one only.",
        ),
        may(
            "mask",
            Kind::Section(&MASKS),
            "nothing is masked",
            "What models do not get to see of prompts, and callers of answers.",
        ),
        may(
            "uninspected",
            Kind::ChoiceOr(PASS, &UNINSPECTED),
            "`deny`",
            "What may pass without being looked at; `deny` and `allow` are short for `{ default: … }`.",
        ),
    ],
};

pub(super) const RULE: Section = Section {
    title: "Rules",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the policy. Refusals and records name it."),
        may(
            "deny",
            Kind::Text(&CONDITION),
            "",
            "Refuses the request where it holds. The first deny that holds answers.",
        ),
        may(
            "approve",
            Kind::Text(&CONDITION),
            "",
            "Holds the request until a human has said yes to it, where it holds ([approvals.md](approvals.md)). Without `approvals` in the set such a request is refused with `approval_pending`.",
        ),
        may(
            "approvers",
            Kind::List(&Kind::Text(&TEXT)),
            "whoever may approve",
            "With `approve`: groups of which those who say yes must have one.",
        ),
        may("quorum", Kind::Count(1, 16), "`1`", "With `approve`: how many different people must say yes."),
        may("flag", Kind::Text(&CONDITION), "", "Records that it held."),
        may(
            "message",
            Kind::Text(&TEXT_TEMPLATE),
            "none",
            "What the caller is told, with a deny or an approve; the name of the rule is added where it is not in it. In `${…}` CEL that gives text and reads nothing of `prompt`; of each value at most 200 characters are told.",
        ),
        may("mode", Kind::Choice(MODES), "the policy's", "Overrides the policy's mode."),
    ],
};

pub(super) const LLM: Section = Section {
    title: "Models",
    keys: &[
        may(
            "operations",
            Kind::List(&Kind::Text(&WORD)),
            "all that are known",
            "The operations that are let through, as conditions have them in `llm.operation` (see protocols.md).",
        ),
        may(
            "references",
            Kind::Choice(PASS),
            "`deny`",
            "Whether requests may refer to what the provider keeps: earlier answers, files, conversations. With `deny` the provider is told to keep nothing either (`store: false`).",
        ),
    ],
};

pub(super) const BUDGET: Section = Section {
    title: "Budgets",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the policy. Refusals, headers and records name it."),
        must(
            "key",
            Kind::Text(&CONDITION),
            "Whose budget it is: CEL that gives text, such as `identity.id`, and reads nothing of `prompt`. Each value has a bucket of its own. `all`: one bucket for everyone.",
        ),
        may(
            "tokens",
            Kind::Count(1, Rate::MAX_LIMIT),
            "",
            "Tokens of prompt and answer. On connections to models only. Either this or `requests`.",
        ),
        may("requests", Kind::Count(1, Rate::MAX_LIMIT), "", "Requests."),
        must(
            "per",
            Kind::Duration(Duration::from_secs(1), Duration::from_nanos(Rate::MAX_PER)),
            "The time in which an empty bucket is full again. It refills all the while.",
        ),
        may(
            "scope",
            Kind::Choice(&["local", "global"]),
            "`local`",
            "Who shares it: `local`, all workers of this Envoy; `global`, all Envoys that ask the `rate_limit_service`. A global one has a `per` of `1s`, `1m`, `1h` or `24h`, and neither `clamp` nor `at_limit: end`.",
        ),
        may(
            "clamp",
            Kind::Flag,
            "`false`",
            "With `tokens`: a request is put down to the output that is left, rather than refused where it could use more.",
        ),
        may(
            "at_limit",
            Kind::Choice(&["finish", "end"]),
            "`finish`",
            "With `tokens`: what becomes of a stream that goes on beyond what it reserved. `finish`: the bucket owes the rest. `end`: it takes more while there is some, and is then ended as if the model had reached its limit.",
        ),
        may("mode", Kind::Choice(MODES), "the policy's", "Overrides the policy's mode."),
    ],
};

pub(super) const LIMITS: Section = Section {
    title: "Limits",
    keys: &[
        may("max_request_bytes", Kind::Size(1 << 10, 64 << 20), "`1Mi`", "The largest request body."),
        may(
            "max_output_tokens",
            Kind::Count(1, 1 << 30),
            "the provider's",
            "The most tokens of one answer: a request that asks for more, or says nothing of it, is put down to it.",
        ),
    ],
};

pub(super) const VECTOR: Section = Section {
    title: "Vector",
    keys: &[
        may(
            "operations",
            Kind::List(&Kind::Choice(&["query", "fetch", "upsert", "delete", "admin"])),
            "all",
            "What may be done; the table of operations in [protocols.md](protocols.md#operations) says which requests are what.",
        ),
        may(
            "collections",
            Kind::List(&Kind::Text(&TEXT_TEMPLATE)),
            "all",
            "Collections that may be asked, exact or with `*` for any text without `/`, `:` and `,`. A request that names none is refused. Not with `pinecone`, where the host is the index.",
        ),
        may(
            "namespaces",
            Kind::List(&Kind::Text(&TEXT_TEMPLATE)),
            "all",
            "Parts of collections that may be asked (see `vector.namespace`), exact.",
        ),
        may(
            "filter",
            Kind::Fields,
            "none",
            "What these fields must be in every row that is read or deleted, such as `{ tenant: '${identity.claims.tenant}' }`: put beside the caller's own filter in the store's language, so that both must hold. What the store takes no filter for is refused.",
        ),
        may("max_top_k", Kind::Count(1, 1 << 20), "the store's", "Most hits of a query."),
        may(
            "vectors",
            Kind::Choice(&["keep", "drop"]),
            "`keep`",
            "`drop`: requests do not ask for vectors where the store can be told so, and answers are left without ([protocols.md](protocols.md#vectors)).",
        ),
        may(
            "on_excess",
            Kind::Choice(&["clamp", "deny"]),
            "`clamp`",
            "What becomes of a query that asks for more than `max_top_k`, and of one that names no namespace where only one may be asked: set right, or refused.",
        ),
    ],
};

pub(super) const MASKS: Section = Section {
    title: "Masks",
    keys: &[
        may(
            "prompt",
            Kind::Section(&PROMPT),
            "nothing",
            "What is masked in what is asked, before it goes upstream.",
        ),
        may("response", Kind::Section(&RESPONSE), "nothing", "What is masked in answers."),
    ],
};

/// What can become of a value.
const OPERATORS: &[&str] = &["replace", "mask", "pseudonym", "redact", "block", "flag"];

const ENTITIES: Key = must(
    "entities",
    Kind::List(&Kind::Text(&ENTITY)),
    "Entities, and sets of them such as `PII` and `SECRETS`.",
);
const OPERATOR: Key = may(
    "operator",
    Kind::Choice(OPERATORS),
    "`replace`",
    "What becomes of a value: `replace` puts `<EMAIL_ADDRESS>`, `mask` covers it, `pseudonym` puts `<EMAIL_ADDRESS_7f3a9c12ab34>`, `redact` leaves nothing, `block` refuses or ends the whole, `flag` counts it.",
);
const KEEP_FIRST: Key = may(
    "keep_first",
    Kind::Count(0, 16),
    "`0`",
    "With `mask`: letters and digits that stay at the value's start.",
);
const KEEP_LAST: Key =
    may("keep_last", Kind::Count(0, 16), "`0`", "With `mask`: letters and digits that stay at its end.");
const COVER: Key =
    may("character", Kind::Text(&CHARACTER), "`*`", "With `mask`: what stands for each that does not.");
const PSEUDONYM_KEY: Key = may(
    "key",
    Kind::Text(&TEMPLATE),
    "",
    "With `pseudonym`, and required there: the secret under which names are made, `${env:NAME}`; 16 bytes or more.",
);
const PSEUDONYM_SCOPE: Key = may(
    "scope",
    Kind::Text(&SCOPE),
    "the whole set",
    "With `pseudonym`: where a name holds, such as `${identity.claims.tenant}`. In another scope a value has another name.",
);
const OVERRIDES: Key = may(
    "overrides",
    Kind::Named(&ENTITY, &OVERRIDE),
    "none",
    "Other operators for some of the entities, or for sets of them; an entity's own goes before its set's.",
);

pub(super) const PROMPT: Section = Section {
    title: "A mask of prompts",
    keys: &[
        ENTITIES,
        OPERATOR,
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        PSEUDONYM_KEY,
        PSEUDONYM_SCOPE,
        OVERRIDES,
        may(
            "restore",
            Kind::Flag,
            "`false`",
            "Whether values that were replaced (`replace`, `pseudonym`) are put back in what the model answers, within that exchange.",
        ),
    ],
};

pub(super) const RESPONSE: Section = Section {
    title: "A mask of answers",
    keys: &[
        ENTITIES,
        OPERATOR,
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        PSEUDONYM_KEY,
        PSEUDONYM_SCOPE,
        OVERRIDES,
        may(
            "thinking",
            Kind::Choice(&["mask", "exempt", "drop"]),
            "`mask`",
            "What becomes of a model's thinking. Providers sign it, and take back only what they signed: `mask` masks it and \
             leaves the signature empty where that changed something, `exempt` keeps both as they came, `drop` leaves \
             both empty.",
        ),
    ],
};

const OVERRIDE: Section = Section {
    title: "An override",
    keys: &[
        must("operator", Kind::Choice(OPERATORS), "What becomes of a value, as above."),
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        may("key", Kind::Text(&TEMPLATE), "the mask's", "With `pseudonym`."),
        may("scope", Kind::Text(&SCOPE), "the mask's", "With `pseudonym`."),
    ],
};

pub(super) const DETECTOR: Section = Section {
    title: "Detectors",
    keys: &[
        must(
            "name",
            Kind::Text(&ENTITY),
            "The entity that it finds, as masks and `prompt.entities` name it. Several may find the same, also a built-in one.",
        ),
        may(
            "pattern",
            Kind::Text(&PATTERN),
            "",
            "What a value looks like: a regular expression over ASCII without look-around, such as `EMP-[0-9]{6}`. Either this or `words`.",
        ),
        may(
            "not_after",
            Kind::Text(&CLASS),
            "`[0-9A-Za-z_]`",
            "A class of characters right after which no value of the pattern starts; empty text: it may start anywhere.",
        ),
        may(
            "not_before",
            Kind::Text(&CLASS),
            "the same; empty for a pattern without an end",
            "A class of characters right before which no value of the pattern ends.",
        ),
        may(
            "words",
            Kind::List(&Kind::Text(&WORD)),
            "",
            "The values themselves, each found as a whole word. At most 100000 in the set.",
        ),
        may(
            "ignore_case",
            Kind::Flag,
            "`false`",
            "Whether capital and small ASCII letters of words are the same.",
        ),
        may(
            "context",
            Kind::List(&Kind::Text(&WORD)),
            "none is needed",
            "Words or phrases: a value counts only where one of them stands within the 48 bytes before it, in any case.",
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

const KINDS: &[&str] = &{
    let mut names = [""; Uninspected::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time, below the length of both")]
        {
            names[at] = Uninspected::ALL[at].1;
        }
        at += 1;
    }
    names
};

pub(super) const UNINSPECTED: Section = Section {
    title: "Uninspected",
    keys: &[
        may("default", Kind::Choice(PASS), "`deny`", "For kinds that are not named."),
        may("allow", Kind::List(&Kind::Choice(KINDS)), "none", "Kinds that pass."),
        may("deny", Kind::List(&Kind::Choice(KINDS)), "none", "Kinds that do not pass."),
    ],
};

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
