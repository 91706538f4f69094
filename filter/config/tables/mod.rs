//! The format, version 1: every key.
//!
//! Each file holds the sections of one room; what checks a set, its reference page and its JSON schema are made of them.

mod connections;
mod identity;
mod masks;
mod policies;
mod services;

pub(super) use connections::{SECRET_KEEP, SECRET_REFRESH};
pub(super) use identity::{LEEWAY, MAX_AGE, MTLS, REFRESH};
pub(super) use policies::{MAX_REQUEST, RULE};
pub(super) use services::{APPROVAL_TTL, APPROVAL_WAIT, MIN_SCORE, RATE_LIMIT_TIMEOUT, RECOGNISED, TIMEOUT};

use super::schema::{Key, Kind, Need, REVISION, Section, TEXT};
use connections::{CONNECTION, SECRET};
use identity::ISSUER;
use masks::DETECTOR;
use policies::POLICY;
use services::{APPROVALS, AUDIT, RATE_LIMIT_SERVICE, RECOGNISER};

/// The version of the format.
pub(super) const VERSION: i64 = 1;

/// The version of the bundle's envelope.
pub(super) const FORMAT: i64 = 1;

const MODES: &[&str] = &["enforce", "monitor"];

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
