//! What a caller is told when a call does not go on.

use crate::config::set::Kind;
use crate::policy::Reason;
use crate::protocol::api::{Api, HTTP, Told};

/// Why an exchange was refused or broken off. The codes are part of the contract with callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No token, or none that holds.
    Unauthenticated,
    /// The policy says no.
    Forbidden,
    /// The request itself is wrong.
    InvalidRequest,
    /// The body is above the policy's limit.
    TooLarge,
    /// The policy wants to look into what cannot be looked into.
    Uninspectable,
    /// A condition could not be evaluated.
    PolicyError,
    /// A budget has no room.
    RateLimited,
    /// A human is to say yes first.
    ApprovalPending,
    /// A human has said no.
    ApprovalDenied,
    /// Something the guard needs is missing: keys, the proxy's promise.
    GuardUnavailable,
    /// What came from the upstream cannot be inspected.
    UpstreamUnreadable,
    /// The upstream refused our credential.
    UpstreamCredential,
}

/// Seconds after which a caller asks again whether a human has said yes.
const RETRY_AFTER: u32 = 60;

/// Code, its name, HTTP status, gRPC status (`grpc/status.h`), and whether a client may try again by itself.
const CODES: [(Code, &str, u16, u32, Option<bool>); 12] = [
    (Code::Unauthenticated, "unauthenticated", 401, 16, None),
    (Code::Forbidden, "forbidden", 403, 7, None),
    (Code::InvalidRequest, "invalid_request", 400, 3, None),
    (Code::TooLarge, "too_large", 413, 8, None),
    (Code::Uninspectable, "uninspectable", 415, 12, None),
    (Code::PolicyError, "policy_error", 403, 7, None),
    (Code::RateLimited, "rate_limited", 429, 8, None),
    (Code::ApprovalPending, "approval_pending", 409, 10, Some(true)),
    (Code::ApprovalDenied, "approval_denied", 403, 7, Some(false)),
    (Code::GuardUnavailable, "guard_unavailable", 503, 14, None),
    (Code::UpstreamUnreadable, "upstream_unreadable", 502, 13, Some(false)),
    (Code::UpstreamCredential, "upstream_credential", 502, 13, Some(false)),
];

impl From<Reason> for Code {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Forbidden => Self::Forbidden,
            Reason::PolicyError => Self::PolicyError,
        }
    }
}

impl Code {
    fn row(self) -> (&'static str, u16, u32, Option<bool>) {
        CODES.iter().find(|row| row.0 == self).map_or(("", 500, 13, None), |row| (row.1, row.2, row.3, row.4))
    }

    /// The name in error bodies, records and metrics.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The gRPC status.
    pub fn grpc_status(self) -> u32 {
        self.row().2
    }

    /// What `x-should-retry` tells the SDKs; `None`: their own rules are right.
    pub fn should_retry(self) -> Option<bool> {
        self.row().3
    }

    /// Whether it tells what became of an approval.
    pub fn of_approval(self) -> bool {
        matches!(self, Self::ApprovalPending | Self::ApprovalDenied)
    }

    /// In how many seconds it may try again, in `retry-after`; the SDKs wait for no more than a minute.
    pub fn retry_after(self) -> Option<u32> {
        (self == Self::ApprovalPending).then_some(RETRY_AFTER)
    }
}

/// When a budget has room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// In so many seconds, if nobody else takes it.
    Seconds(u64),
    /// Never: it is smaller than what is asked for.
    Never,
}

/// A refusal with what the caller and the record learn about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// For the caller; never holds what was found in a text.
    pub message: String,
    /// The rule that refused.
    pub rule: Option<String>,
    /// One word for records and metrics, finer than the code.
    pub reason: String,
    /// `www-authenticate`, on 401.
    pub challenge: Option<String>,
    /// When to try again, on 429.
    pub wait: Option<Wait>,
}

impl Refusal {
    /// A refusal whose reason is its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let reason = code.name().to_owned();
        Self { code, message: message.into(), rule: None, reason, challenge: None, wait: None }
    }

    /// The same with a finer reason.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Traffic that cannot be looked into, on a policy that does not let it pass.
    pub fn uninspected(kind: Kind) -> Self {
        let code = if kind == Kind::Size { Code::TooLarge } else { Code::Uninspectable };
        let message = match kind {
            Kind::Path => "this operation is not one that the policy can look into",
            Kind::ContentType => "the body must be application/json in UTF-8",
            Kind::Encoding => "the body must not be compressed: the policy has to read it",
            Kind::Size => "the body is larger than the policy allows",
            Kind::Upgrade => "upgrades and CONNECT cannot be looked into",
            Kind::Grpc => "gRPC cannot be looked into",
            Kind::Multipart => "multipart bodies cannot be looked into",
            Kind::Partial => "partial content cannot be looked into",
            Kind::Reference => "content that the provider keeps cannot be looked into",
            Kind::Audio | Kind::Image | Kind::BatchFile => "this kind of content cannot be looked into",
            Kind::Stream => "a streamed answer cannot be looked into",
            Kind::Schema => "the body is not shaped as the API has it",
        };
        Self::new(code, message).because(format!("uninspected_{}", kind.name()))
    }
}

impl Refusal {
    /// `x-should-retry`: the SDKs wait for no more than a minute.
    pub fn should_retry(&self) -> Option<bool> {
        match self.wait {
            Some(Wait::Seconds(seconds)) if seconds <= u64::from(RETRY_AFTER) => None,
            Some(_) => Some(false),
            None => self.code.should_retry(),
        }
    }

    /// `retry-after`, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self.wait {
            Some(Wait::Seconds(seconds)) => Some(seconds),
            Some(Wait::Never) => None,
            None => self.code.retry_after().map(u64::from),
        }
    }

    /// Whether it is a budget that refused, or could not be counted.
    pub fn of_budget(&self) -> bool {
        self.reason.starts_with("budget")
    }

    /// For the shapes of the APIs.
    pub fn told(&self) -> Told<'_> {
        Told { code: self.code.name(), status: self.code.status(), message: &self.message }
    }

    /// Headers and body, in the shape that the API's own SDK turns into its typed error; a problem document where no API
    /// is known.
    pub fn shaped(&self, api: Option<&Api>) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
        let (shape, told) = (&api.unwrap_or(&HTTP).refusals, self.told());
        let mut headers = vec![("content-type", shape.content_type)];
        headers.extend(shape.header.map(|(name, value)| (name, value(&told))));
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        (headers.collect(), (shape.body)(&told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_row() {
        for (code, name, status, ..) in CODES {
            assert_eq!((code.name(), code.status()), (name, status));
            assert!(!name.is_empty() && status >= 400);
        }
    }

    #[test]
    fn a_body_that_is_too_large_says_413_and_what_cannot_be_read_415() {
        assert_eq!(Refusal::uninspected(Kind::Size).code.status(), 413);
        assert_eq!(Refusal::uninspected(Kind::Multipart).code.status(), 415);
        assert_eq!(Refusal::uninspected(Kind::Multipart).reason, "uninspected_multipart");
    }

    fn about(code: Code) -> &'static str {
        match code {
            Code::Unauthenticated => {
                "No token and no client certificate, two tokens that differ, or one that does not hold. With `www-authenticate`."
            }
            Code::Forbidden => {
                "`allow`, a rule, `llm.operations` or `vector` says no, prompt or answer holds a value that the policy blocks, no credential is for the caller, or no connection is open for the request."
            }
            Code::InvalidRequest => {
                "A path or a body that two readers could read differently, or a body that is no JSON."
            }
            Code::TooLarge => {
                "The body is above the policy's `limits.max_request_bytes`, or masking made it much larger."
            }
            Code::Uninspectable => {
                "The request is of a kind that cannot be looked into, and `uninspected` does not let it pass."
            }
            Code::PolicyError => {
                "A condition could not be evaluated, such as one on a claim that is not there."
            }
            Code::RateLimited => {
                "A budget has no room for the request ([budgets.md](budgets.md)). With `retry-after`, unless the budget never holds so much, `ratelimit-policy` and `ratelimit`; `x-should-retry: false` where the wait is longer than 60 s."
            }
            Code::ApprovalPending => {
                "A rule asks a human first, and nobody has said yes yet. With `x-portcullis-approval`: the same request goes through once it is approved ([approvals.md](approvals.md))."
            }
            Code::ApprovalDenied => {
                "A human was asked and said no; the message has their reason. With `x-portcullis-approval`."
            }
            Code::GuardUnavailable => {
                "The guard lacks what it needs: the issuer's keys or its word on a token, a secret, the collector (`before_forward`), the service for approvals or for rate limits, a recogniser, or bodies before headers go on; or too many bad tokens come; or the request took another route than the one judged."
            }
            Code::UpstreamUnreadable => "The upstream's answer cannot be inspected, so it cannot be masked.",
            Code::UpstreamCredential => "The upstream answered 401 to the connection's credential.",
        }
    }

    #[test]
    fn the_page_lists_the_codes() {
        use crate::pages;
        let rows = CODES.iter().map(|(code, name, status, grpc, retry)| {
            let mut said = retry.map_or(String::new(), |retry| format!("`x-should-retry: {retry}`. "));
            if let Some(seconds) = code.retry_after() {
                said.push_str(&format!("`retry-after: {seconds}`. "));
            }
            vec![
                pages::words([*name]),
                status.to_string(),
                grpc.to_string(),
                format!("{said}{}", about(*code)),
            ]
        });
        let table = pages::table(&["code", "status", "gRPC status", "meaning"], rows.collect::<Vec<_>>());
        pages::keep("operators.md", &[("codes", table)]);
    }
}
