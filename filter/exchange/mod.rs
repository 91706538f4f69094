//! One exchange: a request with its response, as a state machine. The only place that orders the steps.
//!
//! ```text
//! head -> connection -> identity -> allow -> body, if the policy needs it -> view -> rules
//!      -> credential -> upstream -> answer's head -> masked stream -> record
//! ```
//!
//! | file | holds |
//! |---|---|
//! | [`guard`], [`lane`], [`policy`] | a policy set, compiled: what all exchanges of a worker share; of it a connection, a policy |
//! | [`environment`] | the proxy's environment, and what it fills in |
//! | [`worker`] | keys, records and waits of one worker |
//! | [`head`], [`route`] | reading a request's head, and which connection it is on |
//! | [`request`] | the request's half, in order |
//! | [`credentials`] | what the upstream sees in the place of the caller's token |
//! | [`prompt`] | what is asked, masked |
//! | [`response`], [`answer`], [`blocked`] | the response's half |
//! | [`recogniser`], [`recognition`], [`later`] | asking a service for what no pattern finds; the answer, or in monitor the record, that waits for it |
//! | [`masks`] | a policy's masks, compiled |
//! | [`store_limits`], [`bounds`] | what a policy lets a request read of a vector store; of what models can do |
//! | [`resource`] | what clients are told of a connection before they have a token |
//! | [`approval`], [`approvals`], [`binding`], [`shown`] | rules that ask a human; the service that does; what an approval is for; what those who approve see |
//! | [`inquiry`] | what has been learnt of a request, and the facts that conditions read of it |
//! | [`budgets`], [`buckets`], [`ratelimit`], [`rates`] | what a request takes of budgets, where they are kept, here or by a service, and what callers are told of them |
//! | [`capture`], [`captures`] | what is kept of prompt and answer for the records; the same, compiled |
//! | [`ledger`] | the records of an exchange |
//! | [`succession`] | the chains of the proxy's workers: which goes on from one that ended |
//! | [`introspection`] | asking issuers about tokens that nobody else can read |
//! | [`secrets`] | what services keep, fetched for credentials |
//! | [`health`] | what the log says of a service that is down |
//! | [`service`] | calls to key servers, the collector and recognisers |
//! | [`refusal`] | what a caller is told |
//! | [`metrics`] | the table of metrics |
//! | `replay` (not in the module) | a recorded exchange judged by another set |

pub mod answer;
mod approval;
mod approvals;
mod asked;
mod binding;
mod blocked;
mod bounds;
mod buckets;
mod budgets;
mod capture;
pub mod captures;
mod collector;
mod credentials;
mod detectors;
pub mod environment;
pub mod guard;
pub mod head;
mod health;
mod inquiry;
mod introspection;
mod keys;
pub mod lane;
mod later;
mod ledger;
pub mod masks;
pub mod metrics;
mod operations;
mod plans;
pub mod policy;
mod prompt;
mod ratelimit;
mod rates;
mod recogniser;
mod recognition;
pub mod refusal;
#[cfg(any(test, not(target_arch = "wasm32")))]
pub mod replay;
mod request;
mod resource;
mod response;
pub mod route;
mod secrets;
mod service;
mod shown;
mod store_limits;
mod succession;
mod templates;
#[cfg(test)]
mod tests;
pub mod worker;

use std::rc::Rc;

use crate::config::set::{Expose, Mode};
use crate::host::{CallId, Host, Reply};
use crate::mask::operators::restore::Restoration;
use crate::mask::{Found, Plan};
use approval::Asking;
use budgets::Spending;
use capture::Capture;
use inquiry::Inquiry;
use lane::Lane;
use policy::Policy;
use refusal::Refusal;
use response::Answer;
pub use worker::Worker;

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing came yet.
    New,
    /// Held until the issuer's keys are there, or it has answered about the token.
    AwaitKeys,
    /// Held until the body is whole.
    AwaitBody,
    /// Held until a human has said yes.
    AwaitApproval,
    /// Held until the rate limit service has answered.
    AwaitRates,
    /// Held until the collector has the record of its start, by its number.
    AwaitRecord(u64),
    /// Went upstream.
    Forwarded,
    /// Answered by us.
    Refused,
    /// None of our business: passes as it is.
    Off,
}

/// One request with its response.
pub struct Exchange {
    worker: Rc<Worker>,
    /// The proxy's name of the stream.
    context: u32,
    /// Our name of the exchange, in headers, records and logs.
    name: String,
    stage: Stage,
    /// Nanoseconds since 1970.
    started: u64,
    lane: Option<Rc<Lane>>,
    inquiry: Inquiry,
    answer: Answer,
    refusal: Option<Refusal>,
    spending: Spending,
    asking: Asking,
    /// What is masked in the answer; `None`: the lane's plan holds.
    plan: Option<Plan>,
    /// What stood for values in the prompt, and is taken back.
    names: Rc<Restoration>,
    /// Which of the connection's credentials go upstream.
    credentials: Vec<usize>,
    /// Whether one did.
    credentialed: bool,
    /// Bytes taken by the credential's cover and not yet sent.
    covered: Vec<u8>,
    /// What was masked in headers and trailers.
    found: Found,
    /// What is kept for the records.
    capture: Capture,
    start_recorded: bool,
    end_recorded: bool,
    /// Whether anything went upstream.
    forwarded: bool,
}

impl Exchange {
    /// Begins an exchange on the proxy's stream `context`.
    pub fn begin(worker: Rc<Worker>, context: u32) -> Self {
        Self {
            worker,
            context,
            name: String::new(),
            stage: Stage::New,
            started: 0,
            lane: None,
            inquiry: Inquiry::default(),
            answer: Answer::default(),
            refusal: None,
            spending: Spending::default(),
            asking: Asking::default(),
            plan: None,
            names: Rc::default(),
            credentials: Vec::new(),
            credentialed: false,
            covered: Vec::new(),
            found: Found::default(),
            capture: Capture::default(),
            start_recorded: false,
            end_recorded: false,
            forwarded: false,
        }
    }

    /// The stream is over, however it ended. Called once, while its attributes can still be read.
    pub fn finish(&mut self, host: &dyn Host) {
        if !matches!(self.stage, Stage::New | Stage::Off) {
            self.forget_questions();
            self.forget_approval();
            self.settle_budgets(host);
            self.record_end(host);
        }
    }

    /// The reply to a call that this exchange made came.
    pub fn reply(&mut self, host: &dyn Host, call: CallId, reply: &Reply) {
        if self.approvals_said(host, call, reply) {
            return;
        }
        match self.service_said(host, call, reply) {
            Some(outcome) => self.rates_came(host, outcome),
            None => self.recogniser_said(host, call, reply),
        }
    }

    /// Gives the exchange its name: a random UUID (RFC 9562, version 4).
    fn christen(&mut self, host: &dyn Host) {
        let mut bytes = [0; 16];
        host.random(&mut bytes);
        let bits = (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let mut name = String::with_capacity(36);
        for (at, digit) in hex.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                name.push('-');
            }
            name.push(digit);
        }
        self.name = name;
    }

    fn policy(&self) -> Option<&Policy> {
        self.lane.as_ref().and_then(|lane| lane.policy.as_deref())
    }

    fn mode(&self) -> Mode {
        self.policy().map_or(self.worker.guard.mode, |policy| policy.mode)
    }

    /// Whether the answer may come out other than it comes in.
    fn masks_answer(&self) -> bool {
        let masks = |lane: &Rc<Lane>| lane.masks_entities || lane.drops_vectors || !lane.cover.is_empty();
        self.mode() == Mode::Enforce && (self.lane.as_ref().is_some_and(masks) || !self.names.is_empty())
    }

    /// Whether a stream is written anew for a budget's sake: it has what its caller did not ask for, or may be ended.
    fn edits_stream(&self) -> bool {
        self.spending.hides_usage || self.spending.ends
    }

    /// What is looked for in the answer, and what becomes of it.
    fn answer_plan(&self, lane: &Lane) -> Plan {
        self.plan.as_ref().unwrap_or(&lane.plan).clone()
    }

    /// Our headers on answers, as the set exposes them.
    fn exposed(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if self.worker.guard.expose != Expose::None {
            headers.push(("x-portcullis-exchange", self.name.clone()));
        }
        if self.worker.guard.expose == Expose::Full
            && let Some(policy) = self.policy()
        {
            headers.push(("x-portcullis-policy", format!("{}@{}", policy.name, self.worker.guard.revision)));
        }
        headers
    }
}
