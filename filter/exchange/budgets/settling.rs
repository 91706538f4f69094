//! Settling: what an exchange used takes the place of what was set aside, and what did not go upstream is put back.

use super::{Held, Kept, delivered};
use crate::audit::{Name, Tally};
use crate::exchange::buckets::{self, Tune};
use crate::exchange::{Exchange, metrics};
use crate::host::Host;
use crate::policy::budget::Rate;
use crate::protocol::Work;

impl Exchange {
    /// Puts back all that was set aside: the request does not go upstream.
    pub(in crate::exchange) fn give_back_budgets(&mut self, host: &dyn Host) {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return };
        for held in std::mem::take(&mut self.spending.held) {
            let Some(budget) = policy.budgets.all.get(held.at) else { continue };
            self.change(host, held, budget.rate, 0);
        }
        self.spending.reserved = Tally::default();
    }

    /// The exchange is over: what it used takes the place of what was set aside.
    pub(in crate::exchange) fn settle_budgets(&mut self, host: &dyn Host) {
        let held = std::mem::take(&mut self.spending.held);
        if held.is_empty() {
            return;
        }
        if !self.forwarded {
            self.spending.held = held;
            return self.give_back_budgets(host);
        }
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return };
        let spent = self.spent();
        self.spending.settled_by = Some(spent.by);
        for held in held {
            let Some(budget) = policy.budgets.all.get(held.at) else { continue };
            let used = match budget.tokens {
                true => spent.tokens.unwrap_or(held.reserved.max(spent.least)),
                false if spent.served => held.reserved,
                false => 0,
            };
            self.change(host, held, budget.rate, used);
            self.spending.used.add(&budget.name, used);
            host.count(&metrics::used(&policy.name, &budget.name), used);
        }
    }

    /// Puts what was used in the place of what was set aside.
    fn change(&self, host: &dyn Host, held: Held, rate: Rate, used: u64) {
        let (rest, more) = (held.reserved.saturating_sub(used), used.saturating_sub(held.reserved));
        match held.kept {
            // To read a bucket costs more than all else here.
            Kept::Here(_) if rest == 0 && more == 0 => {}
            Kept::Here(of) => {
                let settled = buckets::change(host, of, Tune::Kept(rate), |bucket| {
                    // A bucket that became smaller may owe less than was taken of it: what is put back would be others'.
                    if bucket.rate().limit() >= rate.limit() {
                        bucket.give_back(rest);
                    }
                    bucket.charge(more);
                });
                if settled.is_err() {
                    host.count(&metrics::error("budget_lost"), 1);
                }
            }
            Kept::Service { limit, until } => {
                let Some(service) = &self.worker.rate_limits else { return };
                match more {
                    0 => service.owe(host, limit, rate, rest, Some(until)),
                    more => service.owe(host, limit, rate, more, None),
                }
            }
        }
    }

    /// What the exchange came to.
    fn spent(&self) -> Spent {
        let answer = &self.answer;
        let prompt = self.spending.cost.map_or(0, |cost| cost.prompt);
        let served = !(answer.status >= 500 || answer.status == 429);
        let usage = answer.rewriter.as_ref().map(|rewriter| rewriter.usage()).unwrap_or_default();
        let known = usage.prompt.is_some() || usage.completion.is_some() || usage.total.is_some();
        if answer.status >= 400 && !known {
            return Spent { tokens: Some(0), least: 0, served, by: "returned" };
        }
        if self.is_worked_out_later(known) {
            return Spent { tokens: None, least: 0, served, by: "reservation" };
        }
        let delivered = delivered(answer);
        let Some(delivered) = delivered else {
            // Nothing came, or nothing that could be read.
            let tokens = (answer.status == 0).then_some(prompt);
            let by = if tokens.is_some() { "estimate" } else { "reservation" };
            return Spent { tokens, least: 0, served, by };
        };
        let answers = self.spending.cost.is_none_or(|cost| cost.answers > 0);
        let told = usage.completion.is_some() || usage.total.is_some() || known && !answers;
        let total = usage.total.unwrap_or(0);
        if told && self.is_answered_whole() {
            let parts = usage.prompt.unwrap_or(0).saturating_add(usage.completion.unwrap_or(0));
            return Spent { tokens: Some(parts.max(total)), least: 0, served, by: "usage" };
        }
        // What an answer tells of itself before it is over may be what it came to by then, or less.
        let answered = usage.completion.unwrap_or(0).max(delivered);
        let tokens = usage.prompt.unwrap_or(prompt).saturating_add(answered).max(total);
        if answer.rewriter.as_ref().is_some_and(|rewriter| rewriter.is_unreadable()) {
            // The upstream wrote what nobody here could count.
            return Spent { tokens: None, least: tokens, served, by: "reservation" };
        }
        Spent { tokens: Some(tokens), least: 0, served, by: "estimate" }
    }

    /// Whether the answer came to the end that its provider gives it.
    fn is_answered_whole(&self) -> bool {
        let answer = &self.answer;
        let done = answer.rewriter.as_ref().is_some_and(|rewriter| rewriter.is_done());
        done && answer.ended && answer.cut.is_none()
    }

    /// Whether the work goes on behind this answer: what it comes to, only a later one tells, which anyone may fetch.
    /// `known`: this one tells a usage all the same.
    fn is_worked_out_later(&self, known: bool) -> bool {
        let batch =
            self.inquiry.operation.and_then(|operation| operation.view).is_some_and(|view| view.batch);
        let asked = self.inquiry.view.as_ref().is_some_and(|view| view.later);
        let work = self.answer.rewriter.as_ref().map(|rewriter| rewriter.work());
        batch || asked && !known || self.answer.ended && work == Some(Work::Pending)
    }
}

/// What an exchange used.
struct Spent {
    /// `None`: nobody knows, and what was set aside is used.
    tokens: Option<u64>,
    /// Where nobody knows, what is known to be used all the same.
    least: u64,
    /// Whether it counts as a request.
    served: bool,
    by: Name,
}
