//! Rules that ask a human.
//!
//! The request is judged whole first: nobody is asked about what is refused anyway. Then it is held while the service that
//! asks ([`approvals`](super::approvals)) has no answer, for as long as the set says. An approval that was given lets the
//! request go on its way as if it came just now: its token is looked at again, budgets are asked, and last of all, before
//! the first byte goes upstream, the approval is *spent*. Of everything that can break off in between, nothing lets the
//! request through: what is not said to be spent by this very exchange is not.

use std::fmt::Display;
use std::time::Duration;

use super::approvals::{self, Said, SaidError, State};
use super::inquiry::add_each;
use super::introspection::after;
use super::refusal::{Code, Refusal};
use super::{Exchange, Stage, metrics};
use crate::host::{Call, CallId, Flow, Host, Reply};
use crate::policy::{Approval, rules};

/// How often a question is put again that had no answer.
const MOST_FAILURES: u8 = 3;
/// How long until it is put again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long past its own timeout a call may be without an answer until it counts as lost.
const GRACE: Duration = Duration::from_secs(1);

/// What is put to the service next, or was last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    /// Nothing: no human is asked.
    #[default]
    None,
    Open,
    Wait,
    /// A human said yes.
    Granted,
    Spend,
    /// This exchange has it.
    Spent,
}

/// The approval of an exchange.
#[derive(Debug, Default)]
pub(super) struct Asking {
    step: Step,
    pub binding: String,
    /// The service's name of the approval.
    pub id: Option<String>,
    /// Who said yes, or no.
    pub by: Vec<String>,
    call: Option<CallId>,
    /// When the last question was put.
    put: u64,
    failures: u8,
    /// Until when the request is held.
    deadline: u64,
}

impl Asking {
    /// Whether a human has said yes, and the exchange is on its way with it.
    pub(super) fn is_granted(&self) -> bool {
        matches!(self.step, Step::Granted | Step::Spend | Step::Spent)
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

impl Exchange {
    /// Whether a human must say yes before the request goes on, and there is who asks them.
    pub(super) fn must_ask(&self) -> bool {
        self.worker.approvals.is_some() && self.acting().next().is_some()
    }

    pub(super) fn acting(&self) -> impl Iterator<Item = &Approval> {
        self.inquiry.approvals.iter().filter(|approval| approval.mode == rules::Mode::Enforce)
    }

    /// Names what an approval is to bind, before anything of the request is changed.
    pub(super) fn bind(&mut self) {
        let Some(service) = &self.worker.approvals else { return };
        let mut rules: Vec<&str> = Vec::new();
        add_each(&mut rules, self.acting().map(|approval| approval.rule.as_str()).collect());
        self.asking.binding = self.binding(&rules, &service.ignore);
    }

    /// Without a service what wants an approval is refused; what only watches is written down.
    pub(super) fn ask_approval(&mut self) -> Result<(), Refusal> {
        if !self.asking.is_granted()
            && let Some(refusal) = pending(self.acting())
        {
            return Err(refusal);
        }
        if let Some(refusal) = pending(self.inquiry.approvals.iter().filter(watches)) {
            self.inquiry.would.get_or_insert(refusal);
        }
        Ok(())
    }

    /// Holds the request until a human has said yes to it.
    pub(super) fn ask_human(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.inquiry.tunnel {
            return Err(unavailable("what cannot be held cannot wait for an approval"));
        }
        if !self.inquiry.complete {
            let message =
                "a request that a human is to approve must be within the policy's max_request_bytes";
            return Err(Refusal::new(Code::TooLarge, message).because("approvals"));
        }
        self.try_edits(host)?;
        let Some(service) = &self.worker.approvals else { return Ok(Flow::Pause) };
        self.asking.deadline = after(host.now(), service.wait);
        self.stage = Stage::AwaitApproval;
        self.put(host, Step::Open)
    }

    /// Whether what is done to the body would refuse it; nothing is done, and nothing is counted.
    fn try_edits(&mut self, host: &dyn Host) -> Result<(), Refusal> {
        let (body, found) = (self.inquiry.body.clone(), std::mem::take(&mut self.inquiry.found));
        let bounded = std::mem::take(&mut self.inquiry.bounded);
        let tried = self.edit_request(host, false);
        self.inquiry.body = body;
        tried?;
        (self.inquiry.found, self.inquiry.bounded) = (found, bounded);
        Ok(())
    }

    /// Spends the approval, if the request has one; then it goes on.
    pub(super) fn spend(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.asking.step != Step::Granted {
            return self.proceed(host);
        }
        self.asking.failures = 0;
        self.stage = Stage::AwaitApproval;
        self.put(host, Step::Spend)
    }

    /// Puts a question to the service.
    fn put(&mut self, host: &dyn Host, step: Step) -> Result<Flow, Refusal> {
        self.asking.step = step;
        let Some(call) = self.question_of(host, step) else {
            return Err(unavailable("nobody asks for approvals"));
        };
        let lost = call.timeout.saturating_add(GRACE);
        match host.call(&call) {
            Ok(id) => {
                (self.asking.call, self.asking.put) = (Some(id), host.now());
                self.worker.asks(id, self.context);
                self.worker.await_approval(host, self.context, lost);
                Ok(Flow::Pause)
            }
            Err(error) => {
                self.note_silence(host, &error);
                Err(unavailable(UNANSWERED))
            }
        }
    }

    fn question_of(&self, host: &dyn Host, step: Step) -> Option<Call> {
        let service = self.worker.approvals.as_ref()?;
        let Asking { binding, deadline, .. } = &self.asking;
        match step {
            Step::Open => Some(self.opening(service)),
            Step::Wait => {
                let left = Duration::from_nanos(deadline.saturating_sub(host.now()));
                Some(service.wait(self.asking.id(), left))
            }
            Step::Spend => Some(service.spend(self.asking.id(), binding, &self.name)),
            Step::None | Step::Granted | Step::Spent => None,
        }
    }

    /// Takes the reply to a call; false: it was none of these.
    pub(super) fn approvals_said(&mut self, host: &dyn Host, call: CallId, reply: &Reply) -> bool {
        if self.asking.call != Some(call) {
            return false;
        }
        self.worker.forget_asked(call);
        self.asking.call = None;
        if self.stage == Stage::AwaitApproval {
            let outcome = self.heard(host, approvals::said(reply));
            self.go_on(host, outcome);
        }
        true
    }

    /// The wait for an answer is over, or the pause after one that was none.
    pub(super) fn approval_due(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        match self.asking.call.take() {
            Some(call) => {
                self.worker.forget_asked(call);
                self.heard(host, Err(SaidError::Broken))
            }
            None => self.put(host, self.asking.step),
        }
    }

    /// Nobody waits for answers any longer.
    pub(super) fn forget_approval(&mut self) {
        if let Some(call) = self.asking.call.take() {
            self.worker.forget_asked(call);
        }
    }

    fn heard(&mut self, host: &dyn Host, said: Result<Said, SaidError>) -> Result<Flow, Refusal> {
        let known = |said: Said| match &self.asking.id {
            Some(id) if *id != said.id && self.asking.step != Step::Open => Err(SaidError::Form),
            _ => Ok(said),
        };
        match said.and_then(known).and_then(|said| Ok((self.grants(&said)?, said))) {
            Ok((granted, said)) => self.told(host, said, granted),
            Err(error) => self.unsaid(host, error),
        }
    }

    /// Whether the service says that the approval is spent, and by us.
    fn grants(&self, said: &Said) -> Result<bool, SaidError> {
        let Some(service) = self.worker.approvals.as_ref().filter(|_| self.asking.step == Step::Spend) else {
            return Ok(false);
        };
        service.grants(said, self.asking.id(), &self.asking.binding, &self.name)
    }

    fn told(&mut self, host: &dyn Host, said: Said, granted: bool) -> Result<Flow, Refusal> {
        self.asking.failures = 0;
        if let Some(service) = &self.worker.approvals {
            service.health.note(host, None);
        }
        self.asking.id = Some(said.id);
        if !said.by.is_empty() {
            self.asking.by = said.by;
        }
        match (self.asking.step, said.state) {
            (Step::Spend, _) if granted => {
                self.asking.step = Step::Spent;
                self.count_approval(host, "spent");
                self.proceed(host)
            }
            (_, State::Denied) => Err(self.denied(said.reason.as_deref())),
            (Step::Open | Step::Wait, State::Approved) => {
                self.inquiry.awaited_keys = 0;
                self.let_go(host)
            }
            (Step::Open | Step::Wait, State::Pending) if host.now() < self.asking.deadline => {
                self.wait_on(host)
            }
            // It may be asked for anew.
            _ => Err(self.not_yet()),
        }
    }

    /// Waits for what becomes of the approval. A service that does not wait itself is not asked without a pause.
    fn wait_on(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        if self.asking.step == Step::Wait && host.now() < after(self.asking.put, PAUSE) {
            self.worker.await_approval(host, self.context, PAUSE);
            return Ok(Flow::Pause);
        }
        self.put(host, Step::Wait)
    }

    /// There was no answer: asks again, some times.
    fn unsaid(&mut self, host: &dyn Host, error: SaidError) -> Result<Flow, Refusal> {
        self.note_silence(host, &error);
        self.asking.failures = self.asking.failures.saturating_add(1);
        if self.asking.failures >= MOST_FAILURES || error == SaidError::Signature {
            return Err(unavailable(UNANSWERED));
        }
        if self.asking.step == Step::Wait {
            // It may have begun anew without our approval.
            self.asking.step = Step::Open;
        }
        self.worker.await_approval(host, self.context, PAUSE);
        Ok(Flow::Pause)
    }

    fn note_silence(&self, host: &dyn Host, why: &dyn Display) {
        host.count(&metrics::error("approvals"), 1);
        if let Some(service) = &self.worker.approvals {
            service.health.note(host, Some(why));
        }
    }

    /// A human said yes: the request goes on as if it came now.
    pub(super) fn let_go(&mut self, host: &dyn Host) -> Result<Flow, Refusal> {
        self.asking.step = Step::Granted;
        self.inquiry.came = Vec::new();
        if !self.verify_again(host)? {
            return Ok(Flow::Pause);
        }
        self.admitted(host)
    }

    fn not_yet(&self) -> Refusal {
        let refusal = pending(self.acting())
            .unwrap_or_else(|| Refusal::new(Code::ApprovalPending, "A human is to approve this request."));
        let message = match &self.asking.id {
            Some(id) => format!("{} It waits as {id}: ask again.", refusal.message),
            None => refusal.message,
        };
        Refusal { message, ..refusal }
    }

    fn denied(&self, reason: Option<&str>) -> Refusal {
        let rule = self.acting().next().map(|approval| approval.rule.clone());
        let mut message = match &rule {
            Some(rule) => format!("The rule \"{rule}\" asked a human to approve this request, who denied it"),
            None => "A human was asked to approve this request, who denied it".to_owned(),
        };
        match reason.filter(|reason| !reason.is_empty()) {
            Some(reason) => message.push_str(&format!(": {reason}")),
            None => message.push('.'),
        }
        Refusal { rule, ..Refusal::new(Code::ApprovalDenied, message) }
    }

    fn count_approval(&self, host: &dyn Host, outcome: &str) {
        let policy = self.policy().map_or("", |policy| policy.name.as_str());
        host.count(&metrics::approval(policy, outcome), 1);
    }

    /// What became of the approval, where it did not let the request through.
    pub(super) fn count_unspent(&self, host: &dyn Host) {
        let outcome = match (self.asking.step, self.refusal.as_ref().map(|refusal| refusal.code)) {
            (Step::None | Step::Spent, _) => return,
            (_, Some(Code::ApprovalPending)) => "pending",
            (_, Some(Code::ApprovalDenied)) => "denied",
            _ => "broken_off",
        };
        self.count_approval(host, outcome);
    }
}

const UNANSWERED: &str = "the service that asks for approvals does not answer";

fn watches(approval: &&Approval) -> bool {
    approval.mode == rules::Mode::Monitor
}

fn unavailable(message: &str) -> Refusal {
    Refusal::new(Code::GuardUnavailable, message).because("approvals")
}

/// The refusal of a request that waits for these; `None`: for nothing.
fn pending<'a>(approvals: impl Iterator<Item = &'a Approval>) -> Option<Refusal> {
    let (mut message, mut names, mut first) = (String::new(), Vec::new(), None);
    for approval in approvals {
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(&approval.message);
        names.push(approval.rule.as_str());
        first.get_or_insert(approval.rule.clone());
    }
    let rule = Some(first?);
    // As for other rules: whoever asks the operator about it must be able to name them.
    if names.iter().any(|name| !message.contains(name)) {
        let what = if names.len() == 1 { "rule" } else { "rules" };
        message.push_str(&format!(" ({what}: {})", names.join(", ")));
    }
    Some(Refusal { rule, ..Refusal::new(Code::ApprovalPending, message) })
}
