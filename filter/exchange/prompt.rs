//! What is asked, changed before it goes upstream: put within bounds, and masked.
//!
//! Rules have judged the prompt as it came; the record tells what was found in it. In monitor, and where the body went
//! by without being held, values are counted and nothing is changed.

use std::cell::RefCell;
use std::rc::Rc;

use super::Exchange;
use super::refusal::{Code, Refusal};
use crate::config::set::Mode;
use crate::host::{Host, Side};
use crate::mask::Way;
use crate::mask::operators::prompt::{Names, PromptMask};
use crate::mask::operators::{Operator, Operators};
use crate::protocol::request::mask_prompt;

/// How much a body may grow beyond the policy's limit: the proxy's buffer has room for it (`render envoy` makes twice as
/// much). Filled beyond, it would answer by itself, from within our own call.
pub(super) const GROWTH: usize = 128 << 10;

/// Headers of a request that speak of bytes we changed, beside its length.
const STALE: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];

impl Exchange {
    /// Whether the body is masked on its way upstream.
    pub(super) fn masks_prompt(&self) -> bool {
        self.mode() == Mode::Enforce
            && self.policy().and_then(|policy| policy.prompt.as_ref()).is_some_and(|masking| masking.alters())
    }

    /// Makes the operators whole that depend on who calls.
    pub(super) fn settle_masks(&mut self) -> Result<(), Refusal> {
        if self.mode() != Mode::Enforce {
            return Ok(());
        }
        let Some(lane) = self.lane.clone() else { return Ok(()) };
        let Some(masking) = lane.policy.as_ref().and_then(|policy| policy.response.as_ref()) else {
            return Ok(());
        };
        let operators = masking.operators(self.inquiry.identity.as_deref()).map_err(scope_missing)?;
        self.plan = Some(lane.plan.with_operators(operators));
        Ok(())
    }

    /// Bounds and masks the body that was read; `held`: it is still in the proxy's hands.
    pub(super) fn edit_request(&mut self, host: &dyn Host, held: bool) -> Result<(), Refusal> {
        let came = std::mem::take(&mut self.inquiry.body);
        let within = self.bound(&came, held)?;
        let masked = self.mask_prompt(within.as_ref().unwrap_or(&came), held)?;
        match masked.or(within) {
            Some(body) => self.send_body(host, &body),
            None => Ok(()),
        }
    }

    /// Masks the body that was read; `None`: it is as it was, or must stay so.
    fn mask_prompt(&mut self, body: &[u8], held: bool) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(policy) = self.lane.as_ref().and_then(|lane| lane.policy.clone()) else { return Ok(None) };
        let (Some(masking), Some(view)) = (&policy.prompt, &self.inquiry.view) else { return Ok(None) };
        let Some(request) = self.inquiry.operation.and_then(|operation| operation.view) else {
            return Ok(None);
        };
        let acts = held && self.masks_prompt();
        let operators = match acts {
            true => masking.operators(self.inquiry.identity.as_deref()).map_err(scope_missing)?,
            false => Rc::new(Operators::new(Operator::Flag)),
        };
        let texts: Vec<&str> = view.requests().iter().map(|one| one.text.as_str()).collect();
        let names = || Rc::new(RefCell::new(Names::beside(&texts.join("\n"))));
        let names = (acts && masking.restore).then(names);
        let mask = Way::Prompt(PromptMask::new(&masking.plan, operators, names.clone()));
        let masked = mask_prompt(request, &self.inquiry.path_model, body, &mask)
            .map_err(|error| Refusal::new(Code::InvalidRequest, error.to_string()).because("malformed"));
        drop(mask);
        let masked = match masked {
            Ok(masked) => masked,
            Err(refusal) => return self.object(refusal).map(|()| None),
        };
        for (entity, count) in &masked.found {
            self.inquiry.found.add_many(*entity, *count);
        }
        if let Some((entity, _)) = masked.found.iter().find(|(entity, _)| masking.blocks_entity(*entity)) {
            let message = format!(
                "the policy lets no prompt through that holds {}",
                self.worker.guard.catalogue.name(*entity)
            );
            self.object(Refusal::new(Code::Forbidden, message).because("blocked"))?;
        }
        if acts && masked.body.len() > body.len().max(policy.max_request_bytes.saturating_add(GROWTH)) {
            let message = "the body, its values masked, is larger than the policy allows";
            return Err(Refusal::new(Code::TooLarge, message).because("masked_size"));
        }
        if let Some(names) = names.and_then(Rc::into_inner) {
            self.names = Rc::new(names.into_inner().restoration());
        }
        Ok((acts && masked.body != body).then_some(masked.body))
    }

    /// Puts a changed body in the place of the one that came.
    pub(super) fn send_body(&self, host: &dyn Host, body: &[u8]) -> Result<(), Refusal> {
        if !host.set_body(Side::Request, self.inquiry.size, body) {
            let message = "the proxy does not let the body be changed";
            return Err(Refusal::new(Code::GuardUnavailable, message).because("body_gone"));
        }
        if self.inquiry.head.values("content-length").next().is_some() {
            host.set_header(Side::Request, "content-length", body.len().to_string().as_bytes());
        }
        for name in STALE {
            if self.inquiry.head.values(name).next().is_some() {
                host.remove_header(Side::Request, name);
            }
        }
        Ok(())
    }
}

fn scope_missing(message: String) -> Refusal {
    Refusal::new(Code::PolicyError, message).because("policy_error")
}
