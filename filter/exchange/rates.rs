//! How much is left of budgets, in the headers of answers: the IETF's, and those that two providers' clients read.
//!
//! Sources: draft-ietf-httpapi-ratelimit-headers-10; OpenAI's and Anthropic's pages on rate limits.

use crate::audit::value::rfc3339;
use crate::policy::budget::Rate;

const SECOND: u64 = 1_000_000_000;

/// A budget as it stood when the request was let in, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Level {
    /// Its name.
    pub name: String,
    /// Whether it counts tokens; else requests.
    pub tokens: bool,
    /// Its rate.
    pub rate: Rate,
    /// What can still be taken.
    pub left: u64,
    /// Nanoseconds until it is full.
    pub full_in: u64,
}

/// Whether an answer's header speaks of the upstream's own rates: they are those of the connection's credential, and so
/// of all callers together.
pub(super) fn is_upstreams(name: &[u8]) -> bool {
    name == b"ratelimit"
        || [&b"ratelimit-"[..], b"x-ratelimit-", b"anthropic-ratelimit-"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// The names in which a provider's clients read a limit, what is left of it, and when it is whole again.
type Names = [&'static str; 3];

/// Those of requests, and those of tokens.
const OPENAI: [Names; 2] = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
];
const ANTHROPIC: [Names; 2] = [
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
];

/// The headers for these budgets on a connection of this protocol. `now`: nanoseconds since 1970.
pub(super) fn headers(levels: &[Level], protocol: &str, now: u64) -> Vec<(&'static str, String)> {
    if levels.is_empty() {
        return Vec::new();
    }
    let mut headers = Vec::with_capacity(8);
    headers.push(("ratelimit-policy", list(levels, policy)));
    headers.push(("ratelimit", list(levels, level)));
    let names = match protocol {
        "openai" => &OPENAI,
        "anthropic" => &ANTHROPIC,
        _ => return headers,
    };
    for (tokens, [limit, left, reset]) in [false, true].into_iter().zip(names) {
        let of = levels.iter().filter(|level| level.tokens == tokens);
        // Clients read one of each kind: the one that ends first.
        let Some(least) = of.min_by_key(|level| level.left) else { continue };
        let until = match protocol {
            "openai" => span(least.full_in),
            _ => moment(now.saturating_add(least.full_in)),
        };
        headers.push((limit, least.rate.limit().to_string()));
        headers.push((left, least.left.to_string()));
        headers.push((reset, until));
    }
    headers
}

fn list(levels: &[Level], one: fn(&mut String, &Level)) -> String {
    let mut list = String::with_capacity(levels.len().saturating_mul(64));
    for level in levels {
        list.push_str(if list.is_empty() { "\"" } else { ", \"" });
        // Names are letters, digits and `-_.`: nothing in them needs an escape.
        list.push_str(&level.name);
        list.push('"');
        one(&mut list, level);
    }
    list
}

fn policy(into: &mut String, level: &Level) {
    parameter(into, ";q=", level.rate.limit());
    parameter(into, ";w=", seconds(level.rate.per()));
    into.push_str(if level.tokens { ";qu=\"tokens\"" } else { "" });
}

fn level(into: &mut String, level: &Level) {
    parameter(into, ";r=", level.left);
    parameter(into, ";t=", seconds(level.full_in));
}

fn parameter(into: &mut String, name: &str, value: u64) {
    into.push_str(name);
    into.push_str(itoa::Buffer::new().format(value));
}

/// Whole seconds, rounded up.
pub(super) fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(SECOND)
}

/// As Go writes a duration: `6m0s`.
fn span(nanoseconds: u64) -> String {
    let all = seconds(nanoseconds);
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// RFC 3339 in whole seconds, rounded up.
fn moment(nanoseconds: u64) -> String {
    let whole = rfc3339(seconds(nanoseconds).saturating_mul(SECOND));
    let (seconds, _) = whole.split_once('.').unwrap_or((&whole, ""));
    format!("{seconds}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(protocol: &str) -> Vec<String> {
        let level = |name: &str, tokens, limit, left, full_in: u64| Level {
            name: name.to_owned(),
            tokens,
            rate: Rate::new(limit, 60 * SECOND),
            left,
            full_in: full_in * SECOND,
        };
        let levels = [
            level("user-tokens", true, 10_000, 9_000, 6),
            level("user-requests", false, 60, 59, 1),
            level("everyone", true, 5_000, 10, 4000),
        ];
        let headers = headers(&levels, protocol, 1_795_363_161 * SECOND);
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn every_budget_is_told_in_the_drafts_fields() {
        assert_eq!(
            told("gemini"),
            [
                "ratelimit-policy: \"user-tokens\";q=10000;w=60;qu=\"tokens\", \"user-requests\";q=60;w=60, \"everyone\";q=5000;w=60;qu=\"tokens\"",
                "ratelimit: \"user-tokens\";r=9000;t=6, \"user-requests\";r=59;t=1, \"everyone\";r=10;t=4000",
            ]
        );
    }

    #[test]
    fn clients_of_two_providers_read_the_budget_that_ends_first() {
        assert_eq!(
            told("openai")[2..],
            [
                "x-ratelimit-limit-requests: 60",
                "x-ratelimit-remaining-requests: 59",
                "x-ratelimit-reset-requests: 1s",
                "x-ratelimit-limit-tokens: 5000",
                "x-ratelimit-remaining-tokens: 10",
                "x-ratelimit-reset-tokens: 1h6m40s",
            ]
        );
        let anthropic = told("anthropic");
        assert_eq!(anthropic[7], "anthropic-ratelimit-tokens-reset: 2026-11-22T17:06:01Z");
        assert_eq!(anthropic[2], "anthropic-ratelimit-requests-limit: 60");
    }
}
