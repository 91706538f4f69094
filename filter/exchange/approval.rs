//! Rules that ask a human. No service to ask is there yet, so what needs one is refused with `approval_pending`: it
//! comes last, after everything that refuses for good, so that nobody is asked about what would be refused anyway.

use super::Exchange;
use super::refusal::{Code, Refusal};
use crate::policy::{Approval, rules};

impl Exchange {
    /// Whether everything that the policy wants approved is.
    pub(super) fn ask_approval(&mut self) -> Result<(), Refusal> {
        let acts = |approval: &&Approval| approval.mode == rules::Mode::Enforce;
        if let Some(refusal) = pending(self.inquiry.approvals.iter().filter(acts)) {
            return Err(refusal);
        }
        if let Some(refusal) = pending(self.inquiry.approvals.iter()) {
            self.inquiry.would.get_or_insert(refusal);
        }
        Ok(())
    }
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
