//! Budgets: what a request takes of them before it goes upstream, and what its answer comes to in the end.
//!
//! A request is let in where every budget has room: each sets aside what the request may use at most (for tokens, the
//! estimated prompt and the bound on the answer), and where one has none, what the others set aside is put back. When
//! the exchange is over, what it used takes the place of what was set aside. In between the bucket can only be too empty,
//! never too full, so that callers at the same time cannot use together what each alone might.
//!
//! | file | holds |
//! |---|---|
//! | [`compiled`] | a policy's budgets, compiled |
//! | [`admission`] | what a request takes of them before it goes upstream |
//! | [`shared`] | those that a service counts for many proxies |
//! | [`ending`] | streams that go on beyond that |
//! | [`settling`] | what it used, in the end |

mod admission;
mod compiled;
mod ending;
mod settling;
mod shared;

pub(super) use compiled::keys;
pub use compiled::{Budgets, check};

use super::Exchange;
use super::ratelimit::Limit;
use super::rates::{self, Level};
use super::refusal::Refusal;
use super::response::Answer;
use crate::audit::{Name, Tally};
use crate::config::set::Mode;
use crate::host::{Header, Host, Side};
use crate::policy::budget::Fingerprint;
use shared::Question;

/// Bytes of an answer's text that are taken for a token where the provider does not report how many it had.
const BYTES_OF_A_TOKEN: u64 = 4;

/// What a request may use of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// Requests: those of a batch are several.
    requests: u64,
    /// Tokens of the prompt, about.
    prompt: u64,
    /// Most tokens of all answers together; `None`: nothing bounds them.
    output: Option<u64>,
    /// Answers asked for.
    answers: u64,
}

/// Who keeps what is set aside.
#[derive(Debug, Clone)]
enum Kept {
    /// A bucket of this proxy.
    Here(Fingerprint),
    /// A service, in a window that ends then (nanoseconds since 1970).
    Service { limit: Limit, until: u64 },
}

/// What is set aside of one budget.
#[derive(Debug, Clone)]
struct Held {
    /// Which of the policy's budgets.
    at: usize,
    kept: Kept,
    reserved: u64,
    /// Whether a stream ends where the bucket has no more.
    ends: bool,
}

/// What an exchange has to do with budgets.
#[derive(Debug, Default)]
pub(super) struct Spending {
    held: Vec<Held>,
    /// Budgets that were asked, whatever they said.
    asked: Vec<usize>,
    /// What is to be asked of the service, or was.
    questions: Vec<Question>,
    /// Why the service's answers refuse the request, while others are still missing.
    refusal: Option<Refusal>,
    /// What kept the service from being asked, for the record.
    pub notes: Vec<String>,
    /// Levels of those that act.
    pub levels: Vec<Level>,
    cost: Option<Cost>,
    /// Whether the answer is a stream that a budget may end.
    pub ends: bool,
    /// Most tokens of one answer, where less is left than was asked for.
    pub clamp: Option<u64>,
    /// Whether the stream was asked for its usage by us, and its caller is not to know.
    pub hides_usage: bool,
    /// By budget, for the record.
    pub reserved: Tally,
    /// The same, when it is over.
    pub used: Tally,
    /// What told how much was used.
    pub settled_by: Option<Name>,
}

impl Exchange {
    fn budgets(&self) -> Option<&Budgets> {
        self.policy().map(|policy| &policy.budgets).filter(|budgets| !budgets.is_empty())
    }

    /// Whether a stream that does not tell its usage is asked for it.
    pub(super) fn needs_usage(&self) -> bool {
        self.mode() == Mode::Enforce && self.budgets().is_some_and(Budgets::counts_tokens)
    }

    /// Tells what is left of budgets in an answer's headers, in the place of what the upstream tells of its own.
    pub(super) fn tell_rates(&self, host: &dyn Host, headers: &[Header]) {
        // A budget that acts does so in a policy that only watches too.
        if self.spending.levels.is_empty() {
            return;
        }
        for (name, _) in headers.iter().filter(|(name, _)| rates::is_upstreams(name)) {
            if let Ok(name) = std::str::from_utf8(name) {
                host.remove_header(Side::Response, name);
            }
        }
        for (name, value) in self.rates(host) {
            host.set_header(Side::Response, name, value.as_bytes());
        }
    }

    /// The same for an answer of ours.
    pub(super) fn rates(&self, host: &dyn Host) -> Vec<(&'static str, String)> {
        rates::headers(&self.spending.levels, self.protocol_name(), host.now())
    }
}

/// Tokens of the answer that went out, about; `None`: it was not read.
fn delivered(answer: &Answer) -> Option<u64> {
    let rewriter = answer.rewriter.as_ref()?;
    Some(rewriter.delivered().div_ceil(BYTES_OF_A_TOKEN))
}
