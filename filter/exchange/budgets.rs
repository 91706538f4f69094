//! Budgets: what a request takes of them before it goes upstream, and what its answer comes to in the end.
//!
//! A request is let in where every budget has room: each sets aside what the request may use at most (for tokens, the
//! estimated prompt and the bound on the answer), and where one has none, what the others set aside is put back. When
//! the exchange is over, what it used takes the place of what was set aside. In between the bucket can only be too empty,
//! never too full, so that callers at the same time cannot use together what each alone might.

use super::Exchange;
use super::buckets::{self, BucketError};
use super::guard::condition_problem;
use super::rates::{Level, seconds};
use super::refusal::{Code, Refusal, Wait};
use super::response::Answer;
use super::{metrics, rates};
use crate::audit::{Name, Tally};
use crate::config::Problem;
use crate::config::set::{self, Amount, Connection, Mode, Place};
use crate::host::{Header, Host, Side};
use crate::policy::budget::{Bucket, Fingerprint, Rate};
use crate::policy::{Condition, Expression, Facts};
use crate::protocol::Unreadable;
use crate::protocol::api::{Api, Body, Family};
use crate::protocol::limit::last_events;
use crate::protocol::request::tokens;
use crate::protocol::rewrite::BodyKind;

/// Bytes of an answer's text that are taken for a token where the provider does not report how many it had.
const BYTES_OF_A_TOKEN: u64 = 4;

/// Tokens that a stream takes at once where it goes on beyond what was set aside for it.
const MORE: u64 = 256;

/// A budget, compiled.
pub struct Budget {
    name: String,
    /// `None`: everyone's.
    key: Option<Expression>,
    tokens: bool,
    rate: Rate,
    /// The rate in words.
    told: String,
    clamp: bool,
    ends: bool,
    /// Whether it refuses; else it is only recorded what it would.
    acts: bool,
}

/// The budgets of a policy.
#[derive(Default)]
pub struct Budgets {
    all: Vec<Budget>,
}

impl Budgets {
    /// Compiles what a policy says; `mode` is the policy's.
    pub(super) fn compile(policy: &set::Policy, mode: Mode, problems: &mut Vec<Problem>) -> Self {
        let compiled = |written| Budget::compile(written, policy, mode, problems);
        Self { all: policy.budgets.iter().filter_map(compiled).collect() }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[cfg(test)]
    pub(super) fn first_rate(&self) -> Rate {
        self.all[0].rate
    }

    /// Whether one that acts must know the body.
    pub(super) fn holds_for_body(&self) -> bool {
        self.all.iter().any(|budget| budget.acts && budget.reads_body())
    }

    /// Whether one must know the body.
    pub(super) fn judges_body(&self) -> bool {
        self.all.iter().any(Budget::reads_body)
    }

    /// Whether tokens are counted, and callers held to it.
    fn counts_tokens(&self) -> bool {
        self.all.iter().any(|budget| budget.acts && budget.tokens)
    }

    /// The keys as conditions, to know what they read; everyone's has none.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Option<&Condition>> {
        self.all.iter().map(|budget| budget.key.as_ref().map(Expression::condition))
    }
}

impl Budget {
    fn compile(
        written: &set::Budget,
        policy: &set::Policy,
        mode: Mode,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let key = match &written.key {
            None => None,
            Some(key) => Some(condition_problem(key, Expression::compile_told(&key.value), problems)?),
        };
        let (tokens, limit) = match written.amount {
            Amount::Tokens(limit) => (true, limit),
            Amount::Requests(limit) => (false, limit),
        };
        if tokens && written.clamp.is_none() && policy.max_output_tokens.is_none() {
            let message = "counts tokens, and nothing bounds how many an answer may have";
            let help = "set `limits.max_output_tokens` in the policy, or `clamp: true` on the budget";
            problems.push(Problem::error(&written.name.place, message).help(help));
            return None;
        }
        let acts = written.mode.unwrap_or(mode) == Mode::Enforce;
        if let Some(clamp) = written.clamp.as_ref().filter(|_| acts && mode == Mode::Monitor) {
            let message = "changes requests, which a policy that only watches does not";
            let help = "leave it out, or set the budget's mode to monitor too";
            problems.push(Problem::error(clamp, message).help(help));
            return None;
        }
        let rate = Rate::new(limit, u64::try_from(written.per.as_nanos()).unwrap_or(u64::MAX));
        let unit = if tokens { "tokens" } else { "requests" };
        Some(Self {
            name: written.name.value.clone(),
            key,
            tokens,
            rate,
            told: format!("{limit} {unit} in {} s", seconds(rate.per())),
            clamp: written.clamp.is_some(),
            ends: written.ends,
            acts,
        })
    }

    fn reads_body(&self) -> bool {
        self.tokens || self.key.as_ref().is_some_and(|key| key.condition().reads_body())
    }

    /// Whose bucket it is for this request.
    fn bucket(&self, policy: &str, facts: &dyn Facts) -> Result<Fingerprint, crate::policy::EvalError> {
        Ok(match &self.key {
            // No value of an expression is empty.
            None => Fingerprint::of(&[policy, &self.name, ""]),
            Some(key) => Fingerprint::of(&[policy, &self.name, &key.evaluate(facts)?]),
        })
    }

    fn level(&self, bucket: &Bucket) -> Level {
        Level {
            name: self.name.clone(),
            tokens: self.tokens,
            rate: self.rate,
            left: bucket.left(),
            full_in: bucket.until_full(),
        }
    }
}

/// Budgets of tokens must lead to a model.
pub fn check(connection: &Connection, api: Option<&Api>, policy: &set::Policy, problems: &mut Vec<Problem>) {
    if api.is_some_and(|api| api.family == Family::Model) {
        return;
    }
    let tokens = |budget: &&set::Budget| matches!(budget.amount, Amount::Tokens(_));
    for budget in policy.budgets.iter().filter(tokens) {
        let message = format!(
            "counts tokens, and the connection `{}` leads to no language model",
            connection.name.value
        );
        let help = "count `requests`, or give the connection a policy of its own";
        problems.push(Problem::error(&budget.name.place, message).help(help));
    }
}

/// The places of keys beside the keys, as [`Budgets::conditions`] gives them.
pub(super) fn keys<'c>(
    written: &'c set::Policy,
    compiled: &'c Budgets,
) -> impl Iterator<Item = (&'c Place, &'c Condition)> {
    let places = written.budgets.iter().map(|budget| budget.key.as_ref().map(|key| &key.place));
    places.zip(compiled.conditions()).filter_map(|(place, key)| Some((place?, key?)))
}

/// What a request may use of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// Tokens of the prompt, about.
    prompt: u64,
    /// Most tokens of all answers together; `None`: nothing bounds them.
    output: Option<u64>,
    /// Answers asked for.
    answers: u64,
}

/// Of a budget, the least that lets a request in, and the most that is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ask {
    least: u64,
    most: u64,
}

impl Cost {
    /// What cannot be read costs a token until it is known: an empty bucket keeps it out.
    const UNREAD: Self = Self { prompt: 1, output: Some(0), answers: 0 };

    fn ask(self, budget: &Budget) -> Ask {
        if !budget.tokens {
            return Ask { least: 1, most: 1 };
        }
        let most = self.prompt.saturating_add(self.output.unwrap_or(Rate::MAX_LIMIT));
        let least = self.prompt.saturating_add(self.answers);
        if budget.clamp { Ask { least: least.min(most), most } } else { Ask { least: most, most } }
    }
}

/// What is set aside in one bucket.
#[derive(Debug, Clone)]
struct Held {
    /// Which of the policy's budgets.
    at: usize,
    of: Fingerprint,
    reserved: u64,
}

/// What an exchange has to do with budgets.
#[derive(Debug, Default)]
pub(super) struct Spending {
    held: Vec<Held>,
    /// Budgets that were asked, whatever they said.
    asked: Vec<usize>,
    /// Levels of those that act.
    pub levels: Vec<Level>,
    cost: Option<Cost>,
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

/// Why a budget does not let a request in.
enum Short {
    /// Too little is left.
    Left(Level, Wait),
    Error(BucketError),
}

impl Exchange {
    fn budgets(&self) -> Option<&Budgets> {
        self.policy().map(|policy| &policy.budgets).filter(|budgets| !budgets.is_empty())
    }

    /// Whether a stream that does not tell its usage is asked for it.
    pub(super) fn needs_usage(&self) -> bool {
        self.mode() == Mode::Enforce && self.budgets().is_some_and(Budgets::counts_tokens)
    }

    /// Takes of all budgets what the request may use, or of none. `last`: nothing more will be known of it.
    pub(super) fn admit(&mut self, host: &dyn Host, last: bool) -> Result<(), Refusal> {
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
        Ok(())
    }

    /// What the request may cost; `None`: nothing, for it asks no model anything.
    fn cost(&mut self) -> Option<Cost> {
        let counts = self.budgets().is_some_and(|budgets| budgets.all.iter().any(|budget| budget.tokens));
        let Some(operation) = self.inquiry.operation.filter(|_| counts && !self.inquiry.tunnel) else {
            return Some(Cost::UNREAD);
        };
        if operation.name == "count_tokens" {
            // Providers count for nothing.
            return Some(Cost { prompt: 0, ..Cost::UNREAD });
        }
        let (Some(view), Some(request)) = (&self.inquiry.view, operation.view) else {
            let asks = operation.body != Body::None;
            return Some(if asks { Cost::UNREAD } else { Cost { prompt: 0, ..Cost::UNREAD } });
        };
        let prompt = self.inquiry.prompt_tokens.unwrap_or_else(|| tokens::estimate(&view.text));
        let limit = self.policy().and_then(|policy| policy.limits.max_output_tokens());
        let one = match (view.max_output_tokens, limit) {
            (Some(asked), Some(limit)) => Some(asked.min(limit)),
            (asked, limit) => asked.or(limit),
        };
        let bounded = request.generates(&view.model);
        let answers = if bounded { view.n.max(1) } else { 0 };
        let output = if bounded { one.map(|one| one.saturating_mul(answers)) } else { Some(0) };
        let cost = Cost { prompt, output, answers };
        self.inquiry.prompt_tokens = Some(prompt);
        Some(cost)
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
        let of = budget.bucket(policy, &self.facts()).map_err(|error| {
            host.count(&metrics::budget(policy, &budget.name, "error"), 1);
            let message = format!("the key of the budget \"{}\" could not be decided: {error}", budget.name);
            named(budget, Refusal::new(Code::PolicyError, message).because("budget_key"))
        })?;
        let (reserved, level) = take(host, of, budget, ask).map_err(|short| {
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
        self.spending.held.push(Held { at, of, reserved });
        Ok(())
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
            if rest == 0 {
                continue;
            }
            let level = buckets::change(host, held.of, budget.rate, |bucket| {
                bucket.give_back(rest);
                budget.level(bucket)
            });
            if let Ok(level) = level {
                held.reserved = kept;
                let told = self.spending.levels.iter_mut().find(|told| told.name == level.name);
                told.into_iter().for_each(|told| *told = level.clone());
            }
        }
        self.spending.clamp = Some(each);
        self.note_reserved(budgets);
    }

    fn note_reserved(&mut self, budgets: &Budgets) {
        let mut reserved = Tally::default();
        for held in &self.spending.held {
            if let Some(budget) = budgets.all.get(held.at) {
                reserved.add(&budget.name, held.reserved);
            }
        }
        self.spending.reserved = reserved;
    }

    /// Puts back all that was set aside: the request does not go upstream.
    pub(super) fn give_back_budgets(&mut self, host: &dyn Host) {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return };
        for held in std::mem::take(&mut self.spending.held) {
            let Some(budget) = policy.budgets.all.get(held.at) else { continue };
            let given = buckets::change(host, held.of, budget.rate, |bucket| bucket.give_back(held.reserved));
            if given.is_err() {
                host.count(&metrics::error("budget_lost"), 1);
            }
        }
        self.spending.reserved = Tally::default();
    }

    /// The exchange is over: what it used takes the place of what was set aside.
    pub(super) fn settle_budgets(&mut self, host: &dyn Host) {
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
                true => spent.tokens.unwrap_or(held.reserved),
                false => u64::from(spent.served),
            };
            let settled = buckets::change(host, held.of, budget.rate, |bucket| {
                bucket.give_back(held.reserved.saturating_sub(used));
                bucket.charge(used.saturating_sub(held.reserved));
            });
            if settled.is_err() {
                host.count(&metrics::error("budget_lost"), 1);
            }
            self.spending.used.add(&budget.name, used);
            host.count(&metrics::used(&policy.name, &budget.name), used);
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
            return Spent { tokens: Some(0), served, by: "returned" };
        }
        let delivered = delivered(answer);
        let Some(delivered) = delivered else {
            // Nothing came, or nothing that could be read.
            let tokens = (answer.status == 0).then_some(prompt);
            let by = if tokens.is_some() { "estimate" } else { "reservation" };
            return Spent { tokens, served, by };
        };
        if known && answer.ended && answer.cut.is_none() {
            let parts = usage.prompt.unwrap_or(0).saturating_add(usage.completion.unwrap_or(0));
            return Spent { tokens: Some(parts.max(usage.total.unwrap_or(0))), served, by: "usage" };
        }
        let answered = usage.completion.unwrap_or(0).max(delivered);
        let tokens = usage.prompt.unwrap_or(prompt).saturating_add(answered);
        Spent { tokens: Some(tokens), served, by: "estimate" }
    }

    /// Whether the stream is one that is ended where a budget is.
    pub(super) fn ends_stream(&self) -> bool {
        let ends = |budget: &Budget| budget.ends && budget.acts;
        self.mode() == Mode::Enforce
            && self.budgets().is_some_and(|budgets| budgets.all.iter().any(ends))
            && self.inquiry.view.as_ref().is_some_and(|view| view.stream)
    }

    /// Ends a stream that goes on beyond what was set aside for it, where its budget has nothing left.
    pub(super) fn end_at_limit(&mut self, host: &dyn Host, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let rewriter = self.answer.rewriter.as_ref();
        let goes_on = rewriter.is_some_and(|rewriter| rewriter.finish_reason().is_empty());
        if !goes_on || !self.ends_stream() || !self.is_used_up(host) {
            return Ok(());
        }
        let tokens = delivered(&self.answer).unwrap_or_default();
        let stopped = match &mut self.answer.rewriter {
            Some(rewriter) => rewriter.stop(out)?,
            None => None,
        };
        let Some(stopped) = stopped else { return Ok(()) };
        let answers = self.spending.cost.map_or(1, |cost| cost.answers);
        let operation = self.inquiry.operation.map_or("", |operation| operation.name);
        let ending = self.lane.as_ref().and_then(|lane| lane.api).and_then(|api| api.refusals.ending);
        let failed = || {
            let refusal = Refusal::new(Code::RateLimited, "the budget is used up");
            let ending = ending.filter(|ending| ending.framing == BodyKind::EventStream)?;
            Some((ending.event)(&refusal.told()))
        };
        let last = last_events(self.protocol_name(), operation, &stopped, answers, tokens);
        out.extend(last.or_else(failed).unwrap_or_default());
        self.answer.cut("budget".to_owned());
        Ok(())
    }

    /// Whether a budget that ends streams has nothing left for what this one is above what was set aside.
    fn is_used_up(&mut self, host: &dyn Host) -> bool {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return false };
        let ends = |budget: &Budget| budget.ends && budget.acts;
        if !policy.budgets.all.iter().any(ends) {
            return false;
        }
        let Some(delivered) = delivered(&self.answer) else { return false };
        let used = self.spending.cost.map_or(0, |cost| cost.prompt).saturating_add(delivered);
        let mut over = false;
        for held in &mut self.spending.held {
            let Some(budget) = policy.budgets.all.get(held.at).filter(|budget| ends(budget)) else {
                continue;
            };
            while used > held.reserved && !over {
                let more = MORE.max(used.saturating_sub(held.reserved));
                let got = buckets::change(host, held.of, budget.rate, |bucket| {
                    let more = more.min(bucket.left());
                    bucket.take(more);
                    more
                });
                match got {
                    Ok(more) if more > 0 => held.reserved = held.reserved.saturating_add(more),
                    _ => over = true,
                }
            }
        }
        over
    }

    /// Tells what is left of budgets in an answer's headers, in the place of what the upstream tells of its own.
    pub(super) fn tell_rates(&self, host: &dyn Host, headers: &[Header]) {
        if self.mode() != Mode::Enforce || self.spending.levels.is_empty() {
            return;
        }
        for (name, _) in headers.iter().filter(|(name, _)| rates::is_upstreams(name)) {
            if let Ok(name) = std::str::from_utf8(name) {
                host.remove_header(Side::Response, name);
            }
        }
        for (name, value) in self.rates(host) {
            host.set_header(Side::Response, &name, value.as_bytes());
        }
    }

    /// The same for an answer of ours.
    pub(super) fn rates(&self, host: &dyn Host) -> Vec<(String, String)> {
        rates::headers(&self.spending.levels, self.protocol_name(), host.now())
    }
}

/// What an exchange used.
struct Spent {
    /// `None`: nobody knows, and what was set aside is used.
    tokens: Option<u64>,
    /// Whether it counts as a request.
    served: bool,
    by: Name,
}

/// Tokens of the answer that went out, about; `None`: it was not read.
fn delivered(answer: &Answer) -> Option<u64> {
    let rewriter = answer.rewriter.as_ref()?;
    Some(rewriter.delivered().div_ceil(BYTES_OF_A_TOKEN))
}

/// Takes as much as there is between what is needed and what is asked for.
fn take(host: &dyn Host, of: Fingerprint, budget: &Budget, ask: Ask) -> Result<(u64, Level), Short> {
    let taken = buckets::change(host, of, budget.rate, |bucket| {
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

fn refused(budget: &Budget, ask: Ask, short: Short) -> Refusal {
    let Budget { name, told, .. } = budget;
    let limited = |message, wait| Refusal {
        wait: Some(wait),
        ..Refusal::new(Code::RateLimited, message).because("budget")
    };
    let refusal = match short {
        Short::Left(_, Wait::Never) => {
            let message = format!(
                "the request may use {} tokens, more than the budget \"{name}\" ever holds ({told})",
                ask.least
            );
            limited(message, Wait::Never)
        }
        Short::Left(_, Wait::Seconds(seconds)) => {
            let message = format!("the budget \"{name}\" is used up ({told}): try again in {seconds} s");
            limited(message, Wait::Seconds(seconds))
        }
        Short::Error(BucketError::Full(full)) => {
            let message = format!("the budget \"{name}\" has no room for one more caller at the moment");
            let wait = Wait::Seconds(seconds(full.free_in).max(1));
            Refusal { reason: "budget_slots".to_owned(), ..limited(message, wait) }
        }
        Short::Error(BucketError::Contended) => {
            let message = format!("the budget \"{name}\" cannot be counted at the moment");
            Refusal::new(Code::GuardUnavailable, message).because("budget_contended")
        }
    };
    named(budget, refusal)
}

fn named(budget: &Budget, refusal: Refusal) -> Refusal {
    Refusal { rule: Some(budget.name.clone()), ..refusal }
}
