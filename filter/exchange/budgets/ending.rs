//! Ending: a stream that goes on beyond what was set aside for it is ended where its budget has nothing left.

use super::{Kept, delivered};
use crate::exchange::Exchange;
use crate::exchange::buckets::{self, Tune};
use crate::exchange::refusal::{Code, Refusal};
use crate::host::Host;
use crate::protocol::Unreadable;
use crate::protocol::limit::last_events;
use crate::protocol::rewrite::BodyKind;

/// Tokens that a stream takes at once where it goes on beyond what was set aside for it.
const MORE: u64 = 256;

impl Exchange {
    /// Ends a stream that goes on beyond what was set aside for it, where its budget has nothing left.
    pub(in crate::exchange) fn end_at_limit(
        &mut self,
        host: &dyn Host,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let rewriter = self.answer.rewriter.as_ref();
        let goes_on = rewriter.is_some_and(|rewriter| rewriter.finish_reason().is_empty());
        if !self.spending.ends || !goes_on || !self.is_used_up(host) {
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
        let Some(delivered) = delivered(&self.answer) else { return false };
        let used = self.spending.cost.map_or(0, |cost| cost.prompt).saturating_add(delivered);
        if !self.spending.held.iter().any(|held| held.ends && used > held.reserved) {
            return false;
        }
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return false };
        let mut over = false;
        for held in self.spending.held.iter_mut().filter(|held| held.ends) {
            let Some(budget) = policy.budgets.all.get(held.at) else { continue };
            let Kept::Here(of) = held.kept else { continue };
            while used > held.reserved && !over {
                let more = MORE.max(used.saturating_sub(held.reserved));
                let got = buckets::change(host, of, Tune::Kept(budget.rate), |bucket| {
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
}
