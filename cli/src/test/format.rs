//! The keys of a test file: what readers accept, and what the page on tests says of them.

/// A map of a test file.
pub struct Section {
    /// Where it stands.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the test that writes the page"))]
    pub path: &'static str,
    /// Its keys, each with what it means.
    pub keys: &'static [(&'static str, &'static str)],
}

impl Section {
    /// The names of its keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|(name, _)| *name).collect()
    }
}

pub const FILE: Section = Section {
    path: "(the file)",
    keys: &[
        (
            "env",
            "Values for `${env:NAME}`. A variable that is not given here has a stand-in; the environment of whoever runs the tests is never read.",
        ),
        ("tests", "The cases."),
    ],
};

pub const CASE: Section = Section {
    path: "tests[]",
    keys: &[
        ("name", "The behaviour that the case protects; required, unique in the file."),
        ("identity", "Who calls. Without it, the call has no token."),
        ("request", "What is asked; required."),
        ("answer", "What the upstream answers, if it is asked: 200 with `{}` unless said otherwise."),
        ("expect", "What must come of it; required. Only what is written is looked at."),
        (
            "time",
            "When it happens, as in `2026-03-01T09:30:00Z`; without it, always the same moment (the start of 2026, UTC).",
        ),
        ("source", "`address` and `principal` (SPIFFE id) of the peer."),
        (
            "route",
            "What Envoy's route says: its `name`, `virtual_host`, `cluster`, and the `connection` in its metadata.",
        ),
        (
            "repeat",
            "The call is made so many times at the same moment, and the last one is looked at: budgets have what those before it left.",
        ),
        (
            "services",
            "What services (such as a recogniser) answer, by cluster, each written as an answer. Others are down, but for the collector of records, which takes them, and the rate limit service, which counts; with `body: OVER_LIMIT` it refuses. Of the service that asks humans the body is `APPROVED`, `DENIED` or `PENDING`, which it is unless said otherwise.",
        ),
    ],
};

pub const IDENTITY: Section = Section {
    path: "identity",
    keys: &[
        ("issuer", "Name of the issuer in the set; the first unless given."),
        ("subject", "`sub`; `alice` unless given."),
        ("groups", "Stands at the issuer's `groups_claim`."),
        (
            "claims",
            "Other claims, and other values for `iss`, `aud`, `exp` and the like; nothing takes a claim out.",
        ),
        ("header", "The header that carries the token: `authorization` unless given."),
    ],
};

pub const SOURCE: Section = Section {
    path: "source",
    keys: &[
        ("address", "Address of the caller, without port."),
        ("principal", "SPIFFE id of its certificate."),
    ],
};

pub const ROUTE: Section = Section {
    path: "route",
    keys: &[
        ("name", "Name of the route."),
        ("virtual_host", "Name of the virtual host."),
        ("cluster", "Name of the upstream's cluster."),
        ("connection", "Connection that the route's metadata names."),
    ],
};

pub const REQUEST: Section = Section {
    path: "request",
    keys: &[
        ("method", "`POST` with a body, else `GET`, unless given."),
        ("path", "With its query; required."),
        ("authority", "`:authority`; `upstream.example` unless given."),
        ("headers", "Further headers."),
        (
            "body",
            "A map or list is sent as JSON, keys in the order written, with its content type; text is sent as it stands.",
        ),
        ("pieces", "The body comes in pieces of so many bytes."),
    ],
};

pub const ANSWER: Section = Section {
    path: "answer",
    keys: &[
        ("status", "200 unless given."),
        ("headers", "Further headers."),
        ("body", "As of a request."),
        (
            "events",
            "Instead of a body: a stream. Each is sent as a server-sent event, or as a line where `content-type` says ndjson. `{ event: NAME, data: … }` gives an event a name.",
        ),
        ("pieces", "The body comes in pieces of so many bytes, whatever it says."),
    ],
};

pub const EXPECT: Section = Section {
    path: "expect",
    keys: &[
        ("decision", "`allow`, `deny` or `error`."),
        ("reason", "Code of the refusal, as callers see it."),
        ("rule", "The rule that decided."),
        ("flags", "The flag rules that held, all of them; `[]` is none."),
        ("would", "In monitor: what enforce would have decided."),
        ("would_reason", "In monitor: the code of that refusal."),
        ("would_rule", "In monitor: the rule that would have decided."),
        ("message", "Text that the refusal's body holds."),
        ("forwarded", "Whether the call goes upstream."),
        (
            "record",
            "Any fields of the end record with their values, by the names of the record; nothing is a field that is absent.",
        ),
        ("request", "What goes upstream."),
        ("answer", "What the caller gets."),
    ],
};

pub const SENT: Section = Section {
    path: "expect.request",
    keys: &[
        ("path", "The path with its query."),
        ("headers", "Headers with their values; nothing is a header that must not be there."),
        ("body", "A map or list: the same JSON, however it is written. Text: the same bytes."),
        ("unchanged", "`true`: the same bytes as were given."),
        ("contains", "Texts that stand in the body."),
        ("lacks", "Texts that must not."),
    ],
};

pub const SEEN: Section = Section {
    path: "expect.answer",
    keys: &[
        ("status", "The status."),
        ("headers", "As of a request."),
        ("body", "As of a request."),
        ("events", "The events of a stream, all of them in order, written as those of an answer."),
        ("unchanged", "As of a request."),
        ("contains", "As of a request."),
        ("lacks", "As of a request."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages;

    #[test]
    fn the_page_on_tests_tells_every_key() {
        let sections = [FILE, CASE, IDENTITY, REQUEST, ANSWER, SOURCE, ROUTE, EXPECT, SENT, SEEN];
        let rows = sections.iter().flat_map(|section| {
            section.keys.iter().enumerate().map(|(at, (name, about))| {
                let path = if at == 0 { format!("`{}`", section.path) } else { String::new() };
                vec![path, format!("`{name}`"), (*about).to_owned()]
            })
        });
        let table = pages::table(&["in", "key", "meaning"], rows.collect::<Vec<_>>());
        pages::keep("testing.md", &[("keys", table)]);
    }
}
