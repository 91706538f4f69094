//! What an approval binds: who asks what, where, under which policy. Two requests have one binding only where a human
//! who said yes to one has said yes to the other.
//!
//! Left out is what differs from one try of the same call to the next: the token, headers of retries and tracing, and what
//! the set ignores of the body. Every part goes into the digest with its length, so none can pass for two others.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::Exchange;
use crate::audit::trace::to_hex;
use crate::config::set::Protocol;
use crate::host::Header;
use crate::order;
use crate::protocol::json::pointer::Pointer;

/// Headers that change what the upstreams of known protocols do, beside those that say who calls.
const SEMANTIC: [&str; 18] = [
    "accept-profile",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-profile",
    "content-type",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "prefer",
    "range",
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-trace",
    "x-goog-user-project",
    "x-pinecone-api-version",
];

/// Of a protocol that is not known any header may change what its upstream does, but for these, which differ from one try
/// to the next, or stand for the body and the caller, which are bound by themselves. Of what proxies put on none is here that
/// can lead a request elsewhere, or name another host or path (`x-forwarded-host`, `x-envoy-original-dst-host`).
const VOLATILE: [&str; 27] = [
    "accept-encoding",
    "authorization",
    "b3",
    "baggage",
    "connection",
    "content-length",
    "date",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "uber-trace-id",
    "user-agent",
    "via",
    "x-api-key",
    "x-correlation-id",
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-peer-metadata",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-request-id",
];

/// Beginnings of more such names: of tracing and retries, and those that no upstream sees.
const VOLATILE_FAMILIES: [&str; 6] =
    ["x-amzn-trace-", "x-b3-", "x-cloud-trace-", "x-datadog-", "x-portcullis-", "x-stainless-"];

fn is_volatile(name: &[u8]) -> bool {
    VOLATILE.iter().any(|volatile| volatile.as_bytes() == name)
        || VOLATILE_FAMILIES.iter().any(|family| name.starts_with(family.as_bytes()))
}

/// Puts parts together that cannot be told from other parts by shifting their limits.
struct Parts(Sha256);

impl Parts {
    fn part(&mut self, part: &[u8]) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_le_bytes());
        self.0.update(part);
    }

    fn list<'p>(&mut self, parts: impl IntoIterator<Item = &'p [u8]>) {
        let parts: Vec<&[u8]> = parts.into_iter().collect();
        self.part(parts.len().to_string().as_bytes());
        parts.into_iter().for_each(|part| self.part(part));
    }
}

/// Of a body what lies between the places that are left out; they may overlap.
fn kept(body: &[u8], mut left_out: Vec<Range<usize>>) -> Vec<&[u8]> {
    order::sort_by(&mut left_out, |a, b| (a.start, a.end).cmp(&(b.start, b.end)));
    let (mut pieces, mut from) = (Vec::new(), 0);
    for range in left_out {
        if range.start >= from {
            pieces.push(body.get(from..range.start).unwrap_or_default());
            from = range.end;
        }
    }
    pieces.push(body.get(from..).unwrap_or_default());
    pieces
}

impl Exchange {
    /// The binding of this request, whose body is whole: a SHA-256 digest in hexadecimal digits.
    pub(super) fn binding(&self, rules: &[&str], ignore: &[Pointer]) -> String {
        let inquiry = &self.inquiry;
        let head = &inquiry.head;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let identity = inquiry.identity.as_deref();
        let mut parts = Parts(Sha256::default());
        let facts = [
            "portcullis.approval.v1".to_owned(),
            text(identity.map(|identity| identity.issuer.as_str())),
            text(identity.map(|identity| identity.subject.as_str())),
            text(self.lane.as_ref().map(|lane| lane.connection.name.value.as_str())),
            text(self.policy().map(|policy| policy.name.as_str())),
            text(self.policy().map(|policy| policy.digest.as_str())),
            head.method.clone(),
            head.authority.clone(),
            self.stripped_path(),
        ];
        parts.list(facts.iter().map(String::as_bytes));
        parts.list(rules.iter().map(|rule| rule.as_bytes()));
        self.bind_headers(&mut parts);
        let found: Vec<_> = ignore.iter().filter_map(|pointer| pointer.find(&inquiry.came)).collect();
        parts.list(kept(&inquiry.came, found));
        to_hex(&parts.0.finalize())
    }

    fn bind_headers(&self, parts: &mut Parts) {
        let head = &self.inquiry.head;
        if self.lane.as_ref().is_none_or(|lane| lane.connection.protocol != Protocol::Http) {
            return SEMANTIC.into_iter().for_each(|name| parts.list(head.values(name)));
        }
        let bound = |(name, _): &&Header| !name.starts_with(b":") && !is_volatile(name);
        let mut headers: Vec<&Header> = head.headers.iter().filter(bound).collect();
        // The values of one name stay in their order.
        order::sort_by(&mut headers, |(a, _), (b, _)| a.cmp(b));
        parts.list(headers.into_iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_body_leaves_its_limits() {
        let pieces = |ranges: &[Range<usize>]| kept(b"abcdef", ranges.to_vec());
        assert_eq!(pieces(&[]), [&b"abcdef"[..]]);
        assert_eq!(pieces(&[4..5, 1..2]), [&b"a"[..], b"cd", b"f"]);
        assert_eq!(pieces(&[1..4, 2..3]), [&b"a"[..], b"ef"], "one within another");
        assert_eq!(pieces(&[0..2, 2..6]), [&b""[..], b"", b""]);
    }

    #[test]
    fn headers_that_say_who_calls_and_headers_of_retries_bind_nothing() {
        assert!(SEMANTIC.is_sorted() && VOLATILE.is_sorted() && VOLATILE_FAMILIES.is_sorted());
        for name in
            ["authorization", "x-api-key", "idempotency-key", "x-stainless-retry-count", "traceparent"]
        {
            assert!(!SEMANTIC.contains(&name) && is_volatile(name.as_bytes()), "{name}");
        }
    }
}
