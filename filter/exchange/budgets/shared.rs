//! Budgets that a service counts for many proxies: asked when everything else has let a request go on.
//!
//! All of them are asked at once, and the request is held until each that acts has answered, or has had its time. What one
//! let in is given back where another refuses, if the service takes hits back; what it refused it keeps, for whether it
//! counted that differs from service to service. Where it does not answer, the set says what happens.

use super::admission::{self, Ask};
use super::compiled::Budget;
use super::{Held, Kept};
use crate::config::set::OnFailure;
use crate::exchange::ratelimit::{Limit, RateLimits, Silence};
use crate::exchange::rates::{Level, seconds};
use crate::exchange::refusal::{Code, Refusal};
use crate::exchange::{Exchange, Stage, metrics};
use crate::host::{CallId, Host, Reply};
use crate::policy::budget::Rate;
use crate::policy::budget::service::Said;

/// A question to the service, before it is put or on its way.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Which of the policy's budgets.
    pub at: usize,
    pub limit: Limit,
    pub hits: u64,
    /// Whether the request waits for the answer.
    pub acts: bool,
    pub call: Option<CallId>,
}

impl Exchange {
    /// Asks the service about every global budget that was not asked yet. True: the request must wait.
    ///
    /// # Errors
    /// A budget refuses, or none could be asked and the set says that this refuses.
    pub(in crate::exchange) fn ask_service(&mut self, host: &dyn Host) -> Result<bool, Refusal> {
        let worker = std::rc::Rc::clone(&self.worker);
        let Some(service) = &worker.rate_limits else { return Ok(false) };
        if self.inquiry.tunnel && self.spending.questions.iter().any(|question| question.acts) {
            self.spending.questions.clear();
            let message = "what cannot be held cannot wait for the rate limit service";
            return Err(Refusal::new(Code::GuardUnavailable, message).because("rate_limit_service"));
        }
        for mut question in std::mem::take(&mut self.spending.questions) {
            if question.call.is_some() {
                self.spending.questions.push(question);
                continue;
            }
            let Some(rate) = self.rate(question.at) else { continue };
            match service.ask(host, &question.limit, rate, question.hits) {
                Ok(call) => {
                    worker.asks(call, self.context);
                    question.call = Some(call);
                    self.spending.questions.push(question);
                }
                Err(error) => {
                    let silence = Silence::from(error);
                    service.note(host, Some(silence));
                    self.unanswered(host, service, &question, silence);
                }
            }
        }
        self.answered()
    }

    /// The exchange is over: nobody waits for answers any longer.
    pub(in crate::exchange) fn forget_questions(&mut self) {
        for call in std::mem::take(&mut self.spending.questions).iter().filter_map(|question| question.call) {
            self.worker.forget_asked(call);
        }
    }

    fn rate(&self, at: usize) -> Option<Rate> {
        Some(self.budgets()?.all.get(at)?.rate)
    }

    /// Whether the request must wait on; an error once no answer is missing and one was no.
    fn answered(&mut self) -> Result<bool, Refusal> {
        if self.spending.questions.iter().any(|question| question.acts) {
            return Ok(true);
        }
        self.spending.refusal.take().map_or(Ok(false), Err)
    }

    /// Takes the reply to a call; `None`: it was not one of these, or there is nothing to do.
    pub(in crate::exchange) fn service_said(
        &mut self,
        host: &dyn Host,
        call: CallId,
        reply: &Reply,
    ) -> Option<Result<(), Refusal>> {
        let at = self.spending.questions.iter().position(|question| question.call == Some(call))?;
        let question = self.spending.questions.swap_remove(at);
        let worker = std::rc::Rc::clone(&self.worker);
        worker.forget_asked(call);
        let service = worker.rate_limits.as_ref()?;
        match service.said(host, reply) {
            Ok(said) => self.judged(host, service, &question, said),
            Err(silence) => self.unanswered(host, service, &question, silence),
        }
        if !question.acts {
            return None;
        }
        match self.answered() {
            Ok(true) => None,
            Ok(false) => Some(Ok(())),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    fn judged(&mut self, host: &dyn Host, service: &RateLimits, question: &Question, said: Said) {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return };
        let Some(budget) = policy.budgets.all.get(question.at) else { return };
        let level = level(budget, said, host.now());
        // Services tell whole seconds, counted from the second that has begun.
        let until = seconds_begun(host.now()).saturating_add(level.full_in);
        let wait = seconds(level.full_in).max(1);
        if budget.acts && (said.over || said.left.is_some()) {
            self.spending.levels.push(level);
        }
        if !said.over {
            host.count(&metrics::budget(&policy.name, &budget.name, "admitted"), 1);
            let kept = Kept::Service { limit: question.limit.clone(), until };
            if self.stage == Stage::Refused || self.end_recorded {
                // The exchange is over, and nobody else will.
                service.owe(host, question.limit.clone(), budget.rate, question.hits, Some(until));
                return;
            }
            self.spending.held.push(Held { at: question.at, kept, reserved: question.hits, ends: false });
            self.note_reserved(&policy.budgets);
            return;
        }
        let outcome = if budget.acts { "limited" } else { "would_limit" };
        host.count(&metrics::budget(&policy.name, &budget.name, outcome), 1);
        let refusal = admission::used_up(budget, wait);
        match budget.acts {
            true => drop(self.spending.refusal.get_or_insert(refusal)),
            false => drop(self.inquiry.would.get_or_insert(refusal)),
        }
    }

    /// Nothing came that says yes or no.
    fn unanswered(&mut self, host: &dyn Host, service: &RateLimits, question: &Question, silence: Silence) {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return };
        let Some(budget) = policy.budgets.all.get(question.at) else { return };
        host.count(&metrics::budget(&policy.name, &budget.name, "error"), 1);
        self.spending.notes.push(format!("{}: the rate limit service: {silence}", budget.name));
        if !budget.acts {
            return;
        }
        match service.on_failure {
            OnFailure::Allow => {}
            OnFailure::Deny => {
                let message = format!(
                    "the rate limit service does not say whether the budget \"{}\" has room",
                    budget.name
                );
                let refusal = Refusal::new(Code::GuardUnavailable, message).because("rate_limit_service");
                self.spending.refusal.get_or_insert(admission::named(budget, refusal));
            }
            OnFailure::Local => {
                let key = question.limit.key.as_deref();
                let of = Budget::fingerprint(&policy.name, &budget.name, key);
                let ask = Ask { least: question.hits, most: question.hits };
                if let Err(refusal) = self.take(host, &policy.name, question.at, budget, of, ask) {
                    self.spending.refusal.get_or_insert(refusal);
                }
                self.note_reserved(&policy.budgets);
            }
        }
    }
}

fn seconds_begun(now: u64) -> u64 {
    now.saturating_sub(now.checked_rem(1_000_000_000).unwrap_or_default())
}

/// What a caller is told of a budget that a service counts.
fn level(budget: &Budget, said: Said, now: u64) -> Level {
    let rate = said.rate.unwrap_or(budget.rate);
    let window = rate.per().saturating_sub(now.checked_rem(rate.per()).unwrap_or_default());
    Level {
        name: budget.name.clone(),
        tokens: budget.tokens,
        rate,
        left: said.left.unwrap_or_default().min(rate.limit()),
        full_in: said.reset.unwrap_or(window).min(rate.per()),
    }
}
