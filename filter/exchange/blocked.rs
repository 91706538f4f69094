//! Answers that may turn out to be no answer: those of a policy that blocks.
//!
//! A stream goes out as it comes, and ends with the protocol's error event where a blocked value begins. Anything else
//! is held, head and body, until it is whole: then it goes out, or a refusal does in its stead. The bytes are held by
//! the module, rewritten as they come. At the end they go through the proxy's buffer, and no more may than it takes:
//! filled beyond, it would answer by itself, from within our own call.

use super::refusal::{Code, Refusal};
use super::{Exchange, metrics};
use crate::host::{Flow, Host, Side};
use crate::mask::Catalogue;
use crate::mask::text::Entity;
use crate::protocol::Unreadable;

/// Most bytes of an answer that are held: what Envoy's buffers take by default, and those that `render envoy` sets at
/// least.
pub(super) const MOST: usize = (1 << 20) - (4 << 10);

/// Why an answer that cannot go on is refused.
pub(super) fn refusal(catalogue: &Catalogue, why: &Unreadable) -> Refusal {
    match why {
        Unreadable::Blocked { entity } => blocked(catalogue, *entity),
        _ => Refusal::new(Code::UpstreamUnreadable, "the upstream's answer cannot be read further")
            .because("upstream_broken"),
    }
}

/// An answer that holds a blocked value.
pub(super) fn blocked(catalogue: &Catalogue, entity: Entity) -> Refusal {
    let message = format!("the policy lets no answer through that holds {}", catalogue.name(entity));
    Refusal::new(Code::Forbidden, message).because("blocked")
}

impl Exchange {
    /// A piece of an answer that goes out whole or not at all.
    pub(super) fn gather(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        let body = host.body(Side::Response, size);
        self.capture_answer(host, &body, end);
        let mut whole = self.answer.whole.take().unwrap_or_default();
        let outcome = match &mut self.answer.rewriter {
            Some(rewriter) => rewriter.push(&body, end, &mut whole),
            None => Ok(()),
        };
        self.answer.peak_held = self.answer.peak_held.max(whole.len());
        let outcome = outcome.map_err(|why| refusal(&self.worker.guard.catalogue, &why)).and_then(|()| {
            match whole.len() > MOST {
            true => Err(Refusal::new(
                Code::UpstreamUnreadable,
                format!(
                    "the answer is larger than {MOST} bytes, the most that is held to look for blocked values"
                ),
            )
            .because("upstream_size")),
            false => Ok(()),
        }
        });
        if let Err(refusal) = outcome {
            self.refuse_answer(host, &refusal);
            return Flow::Pause;
        }
        let out = if end { whole.as_slice() } else { &[] };
        if !host.set_body(Side::Response, size, out) {
            host.reset();
        }
        if end {
            self.answer.sent = u64::try_from(whole.len()).unwrap_or(u64::MAX);
            return Flow::Continue;
        }
        self.answer.whole = Some(whole);
        Flow::Pause
    }

    /// Answers in the upstream's stead, whose answer has not begun to go out.
    pub(super) fn refuse_answer(&mut self, host: &dyn Host, refusal: &Refusal) {
        self.answer.cut(refusal.reason.clone());
        if refusal.code == Code::UpstreamUnreadable {
            host.count(&metrics::error("upstream_unreadable"), 1);
        }
        self.refuse(host, refusal);
    }
}
