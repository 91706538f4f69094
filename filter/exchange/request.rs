//! The request's half of an exchange: who calls, whether they may, what they ask, and what goes upstream.
//!
//! Every step that finds something wrong *objects*. In enforce an objection ends the exchange; in monitor it is
//! written down as what enforce would have done, and the step after it runs as if nothing had been found.

use std::rc::Rc;
use std::sync::Arc;

use super::head::{self, Head};
use super::inquiry::Inquiry;
use super::lane::Lane;
use super::policy::Policy;
use super::refusal::{Code, Refusal};
use super::worker::Refusal as IdentityRefusal;
use super::{Exchange, Stage, answer, metrics, resource};
use crate::audit::Recorded;
use crate::config::set::{Kind, Mode, Protocol, Unmatched};
use crate::host::{Flow, Host, Side};
use crate::identity::bearer::{self, BearerError};
use crate::identity::query::strip_query;
use crate::identity::{TokenError, Vouched};
use crate::policy::Variable;
use crate::protocol::api::{Body, Family};
use crate::urlpath;

/// The realm of our challenges.
pub(super) const REALM: &str = "portcullis";

/// How often keys are awaited for a request: a round that was under way when it came may still bring those of before, and so
/// may one that another worker had made.
const MOST_ROUNDS: u8 = 3;

/// Whether the step after may run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Go on.
    Next,
    /// Something is awaited; the exchange will be woken.
    Wait,
}

impl Exchange {
    /// The request's head came; `end` says that it has no body.
    pub fn request_head(&mut self, host: &dyn Host, end: bool) -> Flow {
        self.started = host.now();
        self.christen(host);
        let head = Head::take(host, self.worker.guard.routes.ask_virtual_host());
        self.inquiry = Inquiry { head, complete: end, ..Inquiry::default() };
        let outcome = self.open(host);
        // Where bodies have come, nobody asks again.
        if outcome == Ok(Flow::Pause) && !self.worker.bodies_come() {
            self.inquiry.received = received(host);
        }
        self.settle(host, outcome)
    }

    /// A piece of the request's body came; `size` bytes are buffered.
    pub fn request_body(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        match self.stage {
            Stage::AwaitKeys | Stage::AwaitBody => {
                self.worker.saw_body();
                let outcome = self.buffered(host, size, end);
                self.settle(host, outcome)
            }
            Stage::AwaitRates | Stage::AwaitRecord(_) => {
                // All that is buffered is shown each time.
                self.inquiry.size = 0;
                self.inquiry.body.clear();
                if !self.inquiry.complete {
                    self.capture_again();
                }
                self.observe(host, size, end);
                Flow::Pause
            }
            Stage::Forwarded => {
                self.observe(host, size, end);
                Flow::Continue
            }
            Stage::AwaitApproval | Stage::Refused => Flow::Pause,
            Stage::New | Stage::Off => Flow::Continue,
        }
    }

    /// The request ends with trailers: its body is whole.
    pub fn request_trailers(&mut self, host: &dyn Host) -> Flow {
        self.strip_trailers(host);
        match self.stage {
            Stage::AwaitKeys | Stage::AwaitBody => {
                let outcome = self.buffered(host, self.inquiry.size, true);
                self.settle(host, outcome)
            }
            Stage::AwaitRates | Stage::AwaitRecord(_) => {
                self.observe(host, 0, true);
                Flow::Pause
            }
            Stage::Forwarded => {
                self.observe(host, 0, true);
                Flow::Continue
            }
            Stage::AwaitApproval | Stage::Refused => Flow::Pause,
            Stage::New | Stage::Off => Flow::Continue,
        }
    }

    /// What must not go upstream as a header must not go as a trailer either.
    fn strip_trailers(&self, host: &dyn Host) {
        let Some(lane) = self.lane.as_ref().filter(|_| self.stage != Stage::Off) else { return };
        let trailers = host.trailers(Side::Request);
        for name in bearer::stripped(&trailers, &lane.token_headers) {
            host.remove_trailer(Side::Request, name);
        }
        self.strip_credential_trailers(host, lane);
    }

    /// What was awaited has come, or has been awaited long enough. Called from outside the stream's own events.
    pub fn wake(&mut self, host: &dyn Host) {
        let outcome = match self.stage {
            Stage::AwaitKeys => self.keys_came(host),
            Stage::AwaitBody if !self.inquiry.complete && self.inquiry.size == 0 => self.without_a_body(host),
            Stage::AwaitRecord(seq) => self.recorded(host, seq),
            Stage::AwaitApproval => self.approval_due(host),
            _ => return,
        };
        self.go_on(host, outcome);
    }

    /// Acts upon what came of an event that is not the stream's own.
    pub(super) fn go_on(&mut self, host: &dyn Host, outcome: Result<Flow, Refusal>) {
        match outcome {
            Ok(Flow::Continue) => host.resume(Side::Request),
            Ok(Flow::Pause) => {}
            Err(refusal) => self.refuse(host, &refusal),
        }
    }

    /// No body has come for a while, and none ever came to this worker: either the caller is slow, or the proxy gives
    /// none while headers are held. The bytes that the proxy counts tell which.
    fn without_a_body(&self, host: &dyn Host) -> Result<Flow, Refusal> {
        let slow_caller = self.inquiry.received.is_some() && received(host) == self.inquiry.received;
        if slow_caller || self.worker.bodies_come() {
            self.worker.await_body(host, self.context);
            return Ok(Flow::Pause);
        }
        host.count(&metrics::error("headers_not_held"), 1);
        Err(Refusal::new(
            Code::GuardUnavailable,
            "the policy must read the body before the call goes on, but the proxy gives none while headers \
             are held: set allow_on_headers_stop_iteration on the plugin",
        )
        .because("headers_not_held"))
    }

    fn settle(&mut self, host: &dyn Host, outcome: Result<Flow, Refusal>) -> Flow {
        match outcome {
            Ok(flow) => flow,
            Err(refusal) => {
                self.refuse(host, &refusal);
                Flow::Pause
            }
        }
    }

    /// Objects: ends the exchange in enforce, writes it down in monitor.
    pub(super) fn object(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if self.mode() == Mode::Enforce {
            return Err(refusal);
        }
        self.inquiry.would.get_or_insert(refusal);
        Ok(())
    }

    /// Traffic that cannot be looked into: passes where the policy says so.
    pub(super) fn uninspected(&mut self, kind: Kind) -> Result<(), Refusal> {
        self.inquiry.uninspected.insert(kind);
        if self.policy().is_some_and(|policy| policy.uninspected.allows(kind)) {
            return Ok(());
        }
        self.object(Refusal::uninspected(kind))
    }

    fn open(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        let canonical = urlpath::canonical(self.inquiry.head.path_part()).map(std::borrow::Cow::into_owned);
        self.inquiry.path = canonical.clone().unwrap_or_else(|_| self.inquiry.head.path_part().to_owned());
        let bare = urlpath::bare(&self.inquiry.path);
        self.inquiry.bare_path = (bare != self.inquiry.path).then(|| bare.into_owned());
        let guard = Rc::clone(&self.worker.guard);
        if canonical.is_ok()
            && let Some(answer) = resource::described(&guard, &self.inquiry.head, &self.inquiry.path)
        {
            self.stage = Stage::Off;
            host.respond(&answer);
            return Ok(Flow::Pause);
        }
        let chosen = guard.routes.choose(&self.inquiry.head, &self.inquiry.path);
        self.lane = chosen.and_then(|at| self.worker.lane(at));
        self.learn(host);
        if let Err(error) = canonical {
            self.object(Refusal::new(Code::InvalidRequest, error.to_string()).because("path"))?;
        }
        let Some(lane) = self.lane.clone() else { return self.unmatched(host) };
        if lane.connection.protocol == Protocol::None {
            self.stage = Stage::Off;
            return Ok(Flow::Continue);
        }
        if let Some(kind) = self.inquiry.head.tunnel() {
            self.inquiry.tunnel = true;
            self.uninspected(kind)?;
        }
        match self.identify(host, &lane)? {
            Step::Next => self.identified(host),
            Step::Wait => Ok(Flow::Pause),
        }
    }

    /// Takes of the head what the connection's conditions read, and records show.
    fn learn(&mut self, host: &dyn Host) {
        let reads = |variable| self.lane.as_ref().is_some_and(|lane| lane.reads(variable));
        let address = self.worker.records() || reads(Variable::SourceAddress);
        self.inquiry.head.learn(host, address, reads(Variable::TargetRoute));
    }

    fn unmatched(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        match self.worker.guard.unmatched {
            Unmatched::Allow => {
                strip_own(host, &self.inquiry.head);
                self.stage = Stage::Off;
                return Ok(Flow::Continue);
            }
            Unmatched::Monitor => {}
            Unmatched::Deny => self.object(
                Refusal::new(Code::Forbidden, "no connection is open for this request").because("unmatched"),
            )?,
        }
        strip_own(host, &self.inquiry.head);
        self.stage = Stage::Forwarded;
        self.forwarded = true;
        self.record_start(host);
        Ok(Flow::Continue)
    }

    /// Who calls: by what the proxy's own filter verified, or by the token in the request.
    fn identify(&mut self, host: &dyn Host, lane: &Lane) -> Result<Step, Refusal> {
        if self.worker.only_certificates(&lane.issuers) {
            // SDKs send a key whether they have one or not.
            return self.certify(lane, TokenError::Certificate);
        }
        let found = bearer::find(&self.inquiry.head.headers, &lane.token_headers).map(str::to_owned);
        let none = matches!(found, Err(BearerError::Missing | BearerError::Scheme));
        if none || found.is_ok() {
            let refusal = match self.worker.vouched(host, found.as_deref().ok(), &lane.issuers) {
                Ok(Vouched::Caller(identity)) => {
                    self.inquiry.identity = Some(Arc::new(identity));
                    return Ok(Step::Next);
                }
                Ok(Vouched::Foreign) if none => Some(TokenError::Issuer),
                Ok(Vouched::Foreign | Vouched::Nobody) => None,
                Err(error) => Some(error),
            };
            if let Some(error) = refusal {
                self.object(unauthenticated(&error.to_string(), error.word(), true))?;
                return Ok(Step::Next);
            }
        }
        match found {
            Ok(token) => self.verify(host, token),
            Err(error) => {
                let principal = &self.inquiry.head.source_principal;
                if none && let Some(identity) = self.worker.certified(principal, &lane.issuers) {
                    self.inquiry.identity = Some(Arc::new(identity));
                    return Ok(Step::Next);
                }
                // RFC 6750, 3.1: a request without a token, or with credentials of another kind, is challenged without an
                // error code.
                let came = !none;
                self.object(unauthenticated(&error.to_string(), error.word(), came))?;
                Ok(Step::Next)
            }
        }
    }

    fn certify(&mut self, lane: &Lane, otherwise: TokenError) -> Result<Step, Refusal> {
        match self.worker.certified(&self.inquiry.head.source_principal, &lane.issuers) {
            Some(identity) => self.inquiry.identity = Some(Arc::new(identity)),
            None => self.object(unauthenticated(&otherwise.to_string(), otherwise.word(), false))?,
        }
        Ok(Step::Next)
    }

    fn verify(&mut self, host: &dyn Host, token: String) -> Result<Step, Refusal> {
        let Some(lane) = self.lane.clone() else { return Ok(Step::Next) };
        let again = self.inquiry.awaited_keys >= MOST_ROUNDS;
        let from = || self.inquiry.head.address(host);
        // Tunnels are never held, and monitor delays nothing, but where a call would go upstream without the connection's
        // credential, for want of its caller's name, and fail.
        let holds = (self.mode() == Mode::Enforce || !lane.credentials.is_empty()) && !self.inquiry.tunnel;
        let refusal = match self.worker.verify(host, (&token, &from), &lane.issuers, self.started, again) {
            Ok(identity) => {
                self.inquiry.identity = Some(identity);
                return Ok(Step::Next);
            }
            Err(IdentityRefusal::Pending(issuer)) => {
                if holds && !again {
                    self.inquiry.token = Some(token);
                    self.inquiry.awaited_keys = self.inquiry.awaited_keys.saturating_add(1);
                    self.stage = Stage::AwaitKeys;
                    self.worker.await_keys(host, self.context, issuer);
                    return Ok(Step::Wait);
                }
                keys_unavailable("keys_pending")
            }
            Err(IdentityRefusal::Asked(number, long)) => {
                if holds {
                    self.inquiry.token = Some(token);
                    // Once: an answer that does not come in time does not come.
                    self.inquiry.awaited_keys = MOST_ROUNDS;
                    self.stage = Stage::AwaitKeys;
                    self.worker.await_answer(host, self.context, number, long);
                    return Ok(Step::Wait);
                }
                unanswered("introspection_pending")
            }
            Err(IdentityRefusal::Unanswered(_)) => {
                host.count(&metrics::error("introspection"), 1);
                unanswered("introspection")
            }
            Err(IdentityRefusal::Unavailable(_)) => {
                host.count(&metrics::error("keys_unavailable"), 1);
                keys_unavailable("keys_unavailable")
            }
            Err(IdentityRefusal::Flooded) => {
                host.count(&metrics::error("token_flood"), 1);
                flooded()
            }
            Err(IdentityRefusal::Unauthenticated(error)) => {
                unauthenticated(&error.to_string(), error.word(), true)
            }
        };
        self.object(refusal)?;
        Ok(Step::Next)
    }

    fn keys_came(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.asking.is_granted() {
            return self.let_go(host);
        }
        let Some(token) = self.inquiry.token.take() else { return Ok(Flow::Pause) };
        match self.verify(host, token)? {
            Step::Next => self.identified(host),
            Step::Wait => Ok(Flow::Pause),
        }
    }

    /// Looks at the caller again, who waited for a human; false: what is known of them has to be awaited.
    pub(super) fn verify_again(&mut self, host: &dyn Host) -> Result<bool, Refusal> {
        let (Some(lane), Some(before)) = (self.lane.clone(), self.inquiry.identity.clone()) else {
            return Ok(true);
        };
        let token = bearer::find(&self.inquiry.head.headers, &lane.token_headers).map(str::to_owned);
        let Some(token) = token.ok().filter(|_| self.worker.reads_tokens_of(before.issuer_index)) else {
            // Their proxy vouched for them, and can be asked no more.
            return if self.worker.is_current(&before, host.now()) { Ok(true) } else { Err(expired()) };
        };
        let again = self.inquiry.awaited_keys >= MOST_ROUNDS;
        let from = || self.inquiry.head.address(host);
        let refusal = match self.worker.verify(host, (&token, &from), &lane.issuers, self.started, again) {
            Ok(now) if *now == *before => return Ok(true),
            Ok(_) => changed(),
            Err(IdentityRefusal::Pending(issuer)) if !again => {
                self.inquiry.awaited_keys = self.inquiry.awaited_keys.saturating_add(1);
                self.stage = Stage::AwaitKeys;
                self.worker.await_keys(host, self.context, issuer);
                return Ok(false);
            }
            Err(IdentityRefusal::Asked(number, long)) => {
                self.inquiry.awaited_keys = MOST_ROUNDS;
                self.stage = Stage::AwaitKeys;
                self.worker.await_answer(host, self.context, number, long);
                return Ok(false);
            }
            Err(IdentityRefusal::Unauthenticated(error)) => {
                unauthenticated(&error.to_string(), error.word(), true)
            }
            Err(IdentityRefusal::Flooded) => flooded(),
            Err(IdentityRefusal::Unanswered(_)) => unanswered("introspection"),
            Err(IdentityRefusal::Pending(_) | IdentityRefusal::Unavailable(_)) => {
                keys_unavailable("keys_unavailable")
            }
        };
        Err(refusal)
    }

    /// The caller is known (or monitor goes on without): decides what needs no body, then the rest or its wait.
    fn identified(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        self.stage = Stage::AwaitBody;
        self.prepare_head(host);
        self.judge_allow()?;
        self.inspectable()?;
        if self.needs_body() && !self.inquiry.complete {
            self.worker.await_body(host, self.context);
            return Ok(Flow::Pause);
        }
        self.conclude(host)
    }

    /// Whether operation and body are of kinds that can be looked into.
    fn inspectable(&mut self) -> Result<(), Refusal> {
        if self.inquiry.tunnel {
            self.inquiry.unreadable = true;
            return self.judge_operation();
        }
        let operation = self.find_operation();
        self.judge_operation()?;
        let family = self.lane.as_ref().and_then(|lane| lane.api).map(|api| api.family);
        if operation.kept && family == Some(Family::Model) {
            self.inquiry.uninspected.insert(Kind::Reference);
            self.judge_references(true, false)?;
        }
        if let Some(kind) = operation.uninspected {
            // Of some, what is asked can be read, and only what is answered cannot.
            self.inquiry.unreadable = operation.view.is_none();
            self.uninspected(kind_named(kind))?;
            if self.inquiry.unreadable {
                return Ok(());
            }
        }
        // A condition would judge a request of which nothing is read.
        let blind = match family {
            Some(Family::Store) => operation.asks.is_none(),
            _ => operation.has_body() && operation.view.is_none(),
        };
        let read = self.has_views();
        let needs = |policy: &Policy| if read { policy.reads_view } else { policy.judges_view };
        if blind && self.policy().is_some_and(needs) {
            self.inquiry.unreadable = true;
            return self.uninspected(if operation.kept { Kind::Reference } else { Kind::Path });
        }
        if self.needs_body() && self.inquiry.head.content_length().is_some_and(|size| self.over_limit(size)) {
            self.inquiry.unreadable = true;
            return self.uninspected(Kind::Size);
        }
        let empty = self.inquiry.complete && self.inquiry.size == 0;
        let kind = match operation.body {
            _ if empty => return Ok(()),
            Body::None | Body::Any => return Ok(()),
            Body::Json => self.inquiry.head.body_kind(head::json_type),
            Body::Lines => self.inquiry.head.body_kind(head::lines_type),
        };
        let Err(kind) = kind else { return Ok(()) };
        self.inquiry.unreadable = true;
        if self.holds_for_body() {
            return self.uninspected(kind);
        }
        self.inquiry.uninspected.insert(kind);
        Ok(())
    }

    fn buffered(&mut self, host: &dyn Host, size: usize, end: bool) -> Result<Flow, Refusal> {
        self.inquiry.size = size;
        if self.over_limit(size) {
            self.inquiry.unreadable = true;
            self.capture_too_large();
            self.uninspected(Kind::Size)?;
            if self.stage == Stage::AwaitBody {
                return self.conclude(host);
            }
            return Ok(Flow::Pause);
        }
        // Whoever waits for its caller's name may go on before the body is whole: what came till then is not shown again.
        let reads = self.has_views() || self.captures() || self.asks_humans();
        if reads && (end || self.stage == Stage::AwaitKeys) {
            self.inquiry.body = host.body(Side::Request, size);
        }
        if end {
            self.inquiry.complete = true;
            if self.stage == Stage::AwaitBody {
                return self.conclude(host);
            }
        }
        Ok(Flow::Pause)
    }

    /// Everything that is needed is here: judges, and lets the request go upstream.
    fn conclude(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.inquiry.complete {
            if self.asks_humans() {
                self.inquiry.came.clone_from(&self.inquiry.body);
            }
            self.capture_held(host);
            self.read_view()?;
        } else {
            self.capture_early();
        }
        let streams = self.inquiry.view.as_ref().is_some_and(|view| view.stream);
        if streams && self.policy().is_some_and(|policy| policy.recogniser.is_some()) {
            self.uninspected(Kind::Stream)?;
        }
        // A body that goes by unheld is judged again at its end, by what only watches.
        self.judge(self.inquiry.complete)?;
        self.choose_credentials(host)?;
        self.settle_masks()?;
        let asks = self.must_ask();
        if asks {
            self.bind();
        }
        // What only watches has not seen the body yet.
        if self.inquiry.complete || self.mode() == Mode::Enforce {
            self.narrow(host, self.inquiry.complete)?;
        }
        if asks { self.ask_human(host) } else { self.admitted(host) }
    }

    /// The policy lets the request go on, and so do the humans it asks: budgets have their say, and the body is changed.
    pub(super) fn admitted(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        self.admit(host, self.inquiry.complete)?;
        if self.inquiry.complete {
            self.edit_request(host, true)?;
        }
        self.ask_approval()?;
        if self.ask_service(host)? {
            self.stage = Stage::AwaitRates;
            return Ok(Flow::Pause);
        }
        self.spend(host)
    }

    /// Nothing refuses the request: it goes on, once it is recorded where that must come first.
    pub(super) fn proceed(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.mode() == Mode::Enforce && self.worker.records_first() {
            return self.await_record(host);
        }
        self.forward(host);
        Ok(Flow::Continue)
    }

    /// The rate limit service has said all that the request waited for.
    pub(super) fn rates_came(&mut self, host: &dyn Host, outcome: Result<(), Refusal>) {
        if self.stage != Stage::AwaitRates {
            return;
        }
        let outcome = outcome.and_then(|()| self.spend(host));
        self.go_on(host, outcome);
    }

    /// Holds the request until the collector has the record of its start.
    fn await_record(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.inquiry.tunnel {
            return Err(unrecorded("what cannot be held cannot wait until it is recorded"));
        }
        let Some(Recorded::Queued(seq)) = self.record_start(host) else {
            return Err(unrecorded(NOT_RECORDED));
        };
        self.stage = Stage::AwaitRecord(seq);
        self.worker.await_record(host, self.context, seq);
        Ok(Flow::Pause)
    }

    fn recorded(&mut self, host: &dyn Host, seq: u64) -> Result<Flow, Refusal> {
        if !self.worker.has_recorded(seq) {
            return Err(unrecorded(NOT_RECORDED));
        }
        self.forward(host);
        Ok(Flow::Continue)
    }

    /// Reads the body that went by without being held, for the record and for rules that only watch.
    fn observe(&mut self, host: &dyn Host, size: usize, end: bool) {
        if self.inquiry.complete || self.policy().is_none() {
            return;
        }
        let captured = (size > 0 && self.captures()).then(|| host.body(Side::Request, size));
        if let Some(piece) = captured {
            self.capture_request(&piece);
        }
        if size > 0 && !self.inquiry.unreadable {
            self.inquiry.size = self.inquiry.size.saturating_add(size);
            if self.over_limit(self.inquiry.size) {
                self.inquiry.unreadable = true;
                self.inquiry.body = Vec::new();
                self.watch_size();
            } else if self.has_views() {
                self.inquiry.body.extend(host.body(Side::Request, size));
            }
        }
        if end {
            self.inquiry.complete = true;
            self.capture_prompt(host);
            // It went upstream already: what is objected to now can only be written down.
            let _too_late = self
                .read_view()
                .and_then(|()| self.judge(true))
                .and_then(|()| self.admit(host, true))
                .and_then(|()| self.narrow(host, false))
                .and_then(|()| self.edit_request(host, false))
                .and_then(|()| self.ask_approval())
                .and_then(|()| self.ask_service(host).map(drop));
            if self.forwarded {
                self.record_start(host);
            }
        }
    }

    /// A body that went by was larger than the policy reads: where it would have been held, it would have been refused.
    fn watch_size(&mut self) {
        self.inquiry.uninspected.insert(Kind::Size);
        if self.mode() == Mode::Monitor && self.policy().is_some_and(|policy| policy.judges_body) {
            let _written_down = self.uninspected(Kind::Size);
        }
    }

    /// Sends the request on: without what was the caller's, with what is the connection's.
    fn forward(&mut self, host: &dyn Host) {
        self.stage = Stage::Forwarded;
        self.forwarded = true;
        let Some(lane) = self.lane.clone() else { return };
        for name in bearer::stripped(&self.inquiry.head.headers, &lane.token_headers) {
            host.remove_header(Side::Request, name);
        }
        let edits = self.masks_answer() || self.needs_usage();
        if edits && !self.inquiry.tunnel {
            for name in answer::ASKS {
                if self.inquiry.head.values(name).next().is_some() {
                    host.remove_header(Side::Request, name);
                }
            }
            host.set_header(Side::Request, "accept-encoding", b"identity");
        } else if !self.credentials.is_empty() && !self.inquiry.tunnel {
            // The credential is covered where answers are only watched too, and nothing that is packed can be covered.
            host.set_header(Side::Request, "accept-encoding", b"identity");
        }
        self.inject(host, &lane, strip_query(&self.inquiry.head.path));
        if self.inquiry.complete {
            self.record_start(host);
        }
    }
}

/// Bytes of the request that the proxy has received, in head and body (Envoy's attribute `request.total_size`).
fn received(host: &dyn Host) -> Option<u64> {
    let bytes = host.property(&["request", "total_size"])?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

/// No header of our own name travels upstream.
fn strip_own(host: &dyn Host, head: &Head) {
    for (name, _) in &head.headers {
        if name.starts_with(b"x-portcullis-")
            && let Ok(name) = std::str::from_utf8(name)
        {
            host.remove_header(Side::Request, name);
        }
    }
}

/// `came`: there is something to find fault with.
fn unauthenticated(message: &str, reason: &str, came: bool) -> Refusal {
    let challenge = Some(bearer::challenge(REALM, came.then_some(message)));
    Refusal { challenge, ..Refusal::new(Code::Unauthenticated, message).because(reason) }
}

/// The kind of `uninspected` that an operation is.
fn kind_named(name: &str) -> Kind {
    Kind::ALL.iter().find(|(_, known)| *known == name).map_or(Kind::Path, |(kind, _)| *kind)
}

const NOT_RECORDED: &str = "the audit collector has not taken the record of this call";

fn unrecorded(message: &str) -> Refusal {
    Refusal::new(Code::GuardUnavailable, message).because("not_recorded")
}

fn expired() -> Refusal {
    unauthenticated(&TokenError::Expired.to_string(), TokenError::Expired.word(), true)
}

/// What was judged of a caller no longer holds: it is asked again.
fn changed() -> Refusal {
    let message = "What is known of the caller has changed since a human was asked: ask again.";
    Refusal::new(Code::ApprovalPending, message).because("identity_changed")
}

fn unanswered(reason: &str) -> Refusal {
    Refusal::new(Code::GuardUnavailable, "the token's issuer cannot be asked about it at the moment")
        .because(reason)
}

fn flooded() -> Refusal {
    Refusal::new(Code::GuardUnavailable, "too many tokens that do not hold are brought at the moment")
        .because("token_flood")
}

fn keys_unavailable(reason: &str) -> Refusal {
    Refusal::new(Code::GuardUnavailable, "the identity provider's keys cannot be had at the moment")
        .because(reason)
}
