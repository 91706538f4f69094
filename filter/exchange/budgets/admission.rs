//! Admission: what a request may use at most, set aside in every budget or in none.

use super::compiled::{Budget, Budgets};
use super::shared::Question;
use super::{Cost, Held, Kept};
use crate::audit::Tally;
use crate::config::set::Mode;
use crate::exchange::buckets::{self, BucketError, Tune};
use crate::exchange::inquiry::add_each;
use crate::exchange::ratelimit::Limit;
use crate::exchange::rates::{Level, seconds};
use crate::exchange::refusal::{Code, Refusal, Wait};
use crate::exchange::{Exchange, metrics};
use crate::host::Host;
use crate::policy::budget::{Fingerprint, Rate};
use crate::protocol::api::Body;
use crate::protocol::request::{Request, RequestView, tokens};

/// Of a budget, the least that lets a request in, and the most that is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub least: u64,
    pub most: u64,
}

impl Cost {
    /// What cannot be read costs a token until it is known: an empty bucket keeps it out.
    const UNREAD: Self = Self { requests: 1, prompt: 1, output: Some(0), answers: 0 };

    /// With one request more, whose answers the policy bounds so.
    fn and(self, one: &RequestView, request: &Request, limit: Option<u64>) -> Self {
        // A number where the model does not look bounds nothing: what the policy puts beside it does.
        let most = request.given(one).into_iter().chain(limit).min();
        let generates = request.generates(&one.model);
        let answers = if generates { one.n.max(1) } else { 0 };
        let output = if generates { most.map(|most| most.saturating_mul(answers)) } else { Some(0) };
        Self {
            requests: self.requests.saturating_add(1),
            prompt: self.prompt,
            output: self.output.zip(output).map(|(sum, more)| sum.saturating_add(more)),
            answers: self.answers.saturating_add(answers),
        }
    }

    fn ask(self, budget: &Budget) -> Ask {
        if !budget.tokens {
            return Ask { least: self.requests, most: self.requests };
        }
        let most = self.prompt.saturating_add(self.output.unwrap_or(Rate::MAX_LIMIT));
        let least = self.prompt.saturating_add(self.answers);
        if budget.clamp { Ask { least: least.min(most), most } } else { Ask { least: most, most } }
    }
}

/// Why a budget does not let a request in.
enum Short {
    /// Too little is left.
    Left(Level, Wait),
    Error(BucketError),
}
impl Exchange {
    /// Takes of all budgets what the request may use, or of none. `last`: nothing more will be known of it.
    pub(in crate::exchange) fn admit(&mut self, host: &dyn Host, last: bool) -> Result<(), Refusal> {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return Ok(()) };
        if policy.budgets.is_empty() {
            return Ok(());
        }
        let Some(cost) = self.cost() else { return Ok(()) };
        for (at, budget) in policy.budgets.all.iter().enumerate() {
            if self.spending.asked.contains(&at) || !(budget.acts || last) {
                continue;
            }
            self.spending.asked.push(at);
            let Err(refusal) = self.reserve(host, &policy.name, at, budget, cost) else { continue };
            if budget.acts {
                self.give_back_budgets(host);
                return Err(refusal);
            }
            self.inquiry.would.get_or_insert(refusal);
        }
        self.spending.cost = Some(cost);
        self.share_clamp(host, &policy.budgets, cost);
        let streams =
            self.mode() == Mode::Enforce && self.inquiry.view.as_ref().is_some_and(|view| view.stream);
        self.spending.ends = streams && self.spending.held.iter().any(|held| held.ends);
        Ok(())
    }

    /// What the request may cost; `None`: nothing, for it asks no model anything.
    fn cost(&mut self) -> Option<Cost> {
        let counts = self.budgets().is_some_and(|budgets| budgets.all.iter().any(|budget| budget.tokens));
        let Some(operation) = self.inquiry.operation.filter(|_| counts && !self.inquiry.tunnel) else {
            let requests = self.inquiry.view.as_ref().map_or(1, |view| view.requests().len());
            return Some(Cost { requests: u64::try_from(requests).unwrap_or(u64::MAX), ..Cost::UNREAD });
        };
        if operation.name == "count_tokens" {
            // Providers count for nothing.
            return Some(Cost { prompt: 0, ..Cost::UNREAD });
        }
        let (Some(view), Some(request)) = (&self.inquiry.view, operation.view) else {
            let asks = operation.body != Body::None;
            return Some(if asks { Cost::UNREAD } else { Cost { prompt: 0, ..Cost::UNREAD } });
        };
        for (sought, one) in self.inquiry.sought.iter_mut().zip(view.requests()) {
            sought.tokens.get_or_insert_with(|| tokens::estimate(&one.text));
        }
        let limit = self.policy().and_then(|policy| policy.limits.max_output_tokens());
        let prompt = self.inquiry.prompt_tokens().unwrap_or_default();
        let nothing = Cost { requests: 0, prompt, output: Some(0), answers: 0 };
        Some(view.requests().iter().fold(nothing, |sum, one| sum.and(one, request, limit)))
    }

    /// Whose a budget is for this request. All requests of a batch are one caller's: what they use is told by one answer.
    fn whose(&mut self, budget: &Budget) -> Result<Option<String>, Refusal> {
        let parts = if budget.reads_body() { self.inquiry.parts() } else { 1 };
        let mut keys: Vec<Option<String>> = Vec::new();
        for part in 0..parts {
            self.inquiry.part = part;
            let key = budget.whose(&self.facts());
            self.inquiry.part = 0;
            let key = key.map_err(|error| {
                let message =
                    format!("the key of the budget \"{}\" could not be decided: {error}", budget.name);
                named(budget, Refusal::new(Code::PolicyError, message).because("budget_key"))
            })?;
            add_each(&mut keys, vec![key]);
        }
        if keys.len() > 1 {
            let message = format!(
                "what is asked counts for several keys of the budget \"{}\": ask it apart",
                budget.name
            );
            return Err(named(budget, Refusal::new(Code::Forbidden, message).because("budget_key")));
        }
        Ok(keys.pop().flatten())
    }

    fn reserve(
        &mut self,
        host: &dyn Host,
        policy: &str,
        at: usize,
        budget: &Budget,
        cost: Cost,
    ) -> Result<(), Refusal> {
        let ask = cost.ask(budget);
        if ask.most == 0 {
            return Ok(());
        }
        let key = self
            .whose(budget)
            .inspect_err(|_| host.count(&metrics::budget(policy, &budget.name, "error"), 1))?;
        if !budget.global {
            let of = Budget::fingerprint(policy, &budget.name, key.as_deref());
            return self.take(host, policy, at, budget, of, ask);
        }
        if ask.most > budget.rate.limit() {
            let outcome = if budget.acts { "limited" } else { "would_limit" };
            host.count(&metrics::budget(policy, &budget.name, outcome), 1);
            return Err(too_much(budget, ask));
        }
        let limit = Limit { policy: policy.to_owned(), budget: budget.name.clone(), key };
        let question = Question { at, limit, hits: ask.most, acts: budget.acts, call: None };
        self.spending.questions.push(question);
        Ok(())
    }

    /// Takes of a bucket of this proxy.
    pub(super) fn take(
        &mut self,
        host: &dyn Host,
        policy: &str,
        at: usize,
        budget: &Budget,
        of: Fingerprint,
        ask: Ask,
    ) -> Result<(), Refusal> {
        let (reserved, level) = take(host, of, self.tune(budget), budget, ask).map_err(|short| {
            if let Short::Left(level, _) = &short
                && budget.acts
            {
                self.spending.levels.push(level.clone());
            }
            let outcome = match (&short, budget.acts) {
                (Short::Error(BucketError::Contended), _) => "error",
                (_, true) => "limited",
                (_, false) => "would_limit",
            };
            host.count(&metrics::budget(policy, &budget.name, outcome), 1);
            refused(budget, ask, short)
        })?;
        host.count(&metrics::budget(policy, &budget.name, "admitted"), 1);
        if budget.acts {
            self.spending.levels.push(level);
        }
        let ends = budget.ends && budget.acts;
        self.spending.held.push(Held { at, kept: Kept::Here(of), reserved, ends });
        Ok(())
    }

    /// A set that was replaced gives no rates any longer.
    fn tune(&self, budget: &Budget) -> Tune {
        match self.worker.is_leaving() {
            true => Tune::Kept(budget.rate),
            false => Tune::To(budget.rate),
        }
    }

    /// Where budgets have less left than was asked for, the answer is bounded by the least of them, and the others get
    /// the rest back.
    fn share_clamp(&mut self, host: &dyn Host, budgets: &Budgets, cost: Cost) {
        let enforce = self.mode() == Mode::Enforce;
        let output = |held: &Held| held.reserved.saturating_sub(cost.prompt);
        let budget = |held: &Held| budgets.all.get(held.at);
        let clamps = |held: &&Held| budget(held).is_some_and(|budget| budget.clamp && budget.acts && enforce);
        let least = self.spending.held.iter().filter(clamps).map(output).min();
        let Some(least) = least.filter(|least| cost.output.is_none_or(|asked| *least < asked)) else {
            return self.note_reserved(budgets);
        };
        let each = least.checked_div(cost.answers).unwrap_or_default();
        let kept = cost.prompt.saturating_add(each.saturating_mul(cost.answers));
        for held in &mut self.spending.held {
            let Some(budget) = budgets.all.get(held.at).filter(|budget| budget.tokens) else { continue };
            let rest = held.reserved.saturating_sub(kept);
            let Kept::Here(of) = held.kept else { continue };
            if rest == 0 {
                continue;
            }
            let level = buckets::change(host, of, Tune::Kept(budget.rate), |bucket| {
                bucket.give_back(rest);
                budget.level(bucket)
            });
            if let Ok(level) = level {
                held.reserved = kept;
                let told = self.spending.levels.iter_mut().find(|told| told.name == level.name);
                told.into_iter().for_each(|told| *told = level.clone());
            }
        }
        for question in &mut self.spending.questions {
            if budgets.all.get(question.at).is_some_and(|budget| budget.tokens) {
                question.hits = question.hits.min(kept);
            }
        }
        self.spending.clamp = Some(each);
        self.note_reserved(budgets);
    }

    pub(super) fn note_reserved(&mut self, budgets: &Budgets) {
        let mut reserved = Tally::default();
        for held in &self.spending.held {
            if let Some(budget) = budgets.all.get(held.at) {
                reserved.add(&budget.name, held.reserved);
            }
        }
        self.spending.reserved = reserved;
    }
}

/// Takes as much as there is between what is needed and what is asked for.
fn take(
    host: &dyn Host,
    of: Fingerprint,
    tune: Tune,
    budget: &Budget,
    ask: Ask,
) -> Result<(u64, Level), Short> {
    let taken = buckets::change(host, of, tune, |bucket| {
        let left = bucket.left();
        let taken = ask.most.min(left);
        if ask.least > left || !bucket.take(taken) {
            let wait =
                bucket.until(ask.least).map_or(Wait::Never, |wait| Wait::Seconds(seconds(wait).max(1)));
            return Err(Short::Left(budget.level(bucket), wait));
        }
        Ok((taken, budget.level(bucket)))
    });
    taken.map_err(Short::Error)?
}

fn limited(budget: &Budget, message: String, wait: Wait) -> Refusal {
    named(budget, Refusal { wait: Some(wait), ..Refusal::new(Code::RateLimited, message).because("budget") })
}

/// The refusal of a request that needs more than there ever is.
fn too_much(budget: &Budget, ask: Ask) -> Refusal {
    let Budget { name, told, .. } = budget;
    let many = match (budget.tokens, ask.least) {
        (true, tokens) => format!("may use {tokens} tokens"),
        (false, 1) => "counts as 1 request".to_owned(),
        (false, requests) => format!("counts as {requests} requests"),
    };
    let message = format!("the request {many}, more than the budget \"{name}\" ever holds ({told})");
    limited(budget, message, Wait::Never)
}

/// The refusal of a request for which too little is left.
pub(super) fn used_up(budget: &Budget, wait: u64) -> Refusal {
    let Budget { name, told, .. } = budget;
    let message = format!("the budget \"{name}\" is used up ({told}): try again in {wait} s");
    limited(budget, message, Wait::Seconds(wait))
}

fn refused(budget: &Budget, ask: Ask, short: Short) -> Refusal {
    let name = &budget.name;
    match short {
        Short::Left(_, Wait::Never) => too_much(budget, ask),
        Short::Left(_, Wait::Seconds(seconds)) => used_up(budget, seconds),
        Short::Error(BucketError::Full(full)) => {
            let message = format!("the budget \"{name}\" has no room for one more caller at the moment");
            let wait = Wait::Seconds(seconds(full.free_in).max(1));
            Refusal { reason: "budget_slots".to_owned(), ..limited(budget, message, wait) }
        }
        Short::Error(BucketError::Contended) => {
            let message = format!("the budget \"{name}\" cannot be counted at the moment");
            named(budget, Refusal::new(Code::GuardUnavailable, message).because("budget_contended"))
        }
    }
}

pub(super) fn named(budget: &Budget, refusal: Refusal) -> Refusal {
    Refusal { rule: Some(budget.name.clone()), ..refusal }
}
