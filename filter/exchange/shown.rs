//! What those who approve are shown of a request: who asks what, why they are asked, and what is asked, masked as records
//! are.

use std::collections::BTreeMap;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::approvals::{Approvals, Caller, Described, Opening, Rule, Shown};
use super::{Exchange, answer};
use crate::audit::trace::to_hex;
use crate::host::Call;
use crate::mask::kept::{Book, Keeping};
use crate::mask::operators::restore::Restoring;
use crate::mask::{self, Found, Plan, Way};
use crate::order;
use crate::protocol::answers::EVERYTHING;
use crate::protocol::request::mask_prompt;
use crate::protocol::rewrite::ResponseRewriter;

/// Most bytes of what is asked that approvers are shown.
const MOST_SHOWN: usize = 16 << 10;
/// Most bytes of a value that an approval does not bind, as approvers are shown it.
const MOST_IGNORED: usize = 200;

impl Exchange {
    /// The question that is put to the service first.
    pub(super) fn opening(&self, service: &Approvals) -> Call {
        let inquiry = &self.inquiry;
        let (identity, policy) = (inquiry.identity.as_deref(), self.policy());
        let nobody = Vec::new();
        let mut rules: Vec<Rule<'_>> = Vec::new();
        for approval in self.acting() {
            // Parts of a batch may each want it, in words of their own.
            if rules.iter().any(|rule| rule.rule == approval.rule) {
                continue;
            }
            let approvers = policy.and_then(|policy| policy.approvers.get(&approval.rule));
            rules.push(Rule {
                rule: &approval.rule,
                message: self.shown_text(approval.message.as_bytes()),
                approvers: approvers.map_or(&nobody, |approvers| &approvers.groups),
                quorum: approvers.map_or(1, |approvers| approvers.quorum),
            });
        }
        let ignored = service.ignore.iter().filter_map(|pointer| {
            let value = inquiry.came.get(pointer.find(&inquiry.came)?)?;
            Some((pointer.to_string(), cut(&self.shown_text(value), MOST_IGNORED).0.to_owned()))
        });
        service.open(&Opening {
            binding: &self.asking.binding,
            exchange: &self.name,
            caller: Caller {
                id: identity.map_or("", |identity| &identity.id),
                issuer: identity.map_or("", |identity| &identity.issuer),
                subject: identity.map_or("", |identity| &identity.subject),
                groups: identity.map_or(&[], |identity| &identity.groups),
            },
            connection: self.lane.as_ref().map_or("", |lane| lane.connection.name.value.as_str()),
            policy: policy.map_or("", |policy| &policy.name),
            revision: &self.worker.guard.revision,
            digest: policy.map_or("", |policy| &policy.digest),
            request: Described {
                method: &inquiry.head.method,
                authority: &inquiry.head.authority,
                path: self.shown_text(self.stripped_path().as_bytes()),
                content_type: self.shown_header("content-type"),
                operation: inquiry.operation.map_or("", |operation| operation.name),
                model: self.shown_text(inquiry.view.as_ref().map_or("", |view| &view.model).as_bytes()),
                size: inquiry.came.len(),
            },
            rules,
            prompt: self.shown(),
            entities: self.shown_entities(),
            flags: &inquiry.flags,
            ignored: order::map(ignored),
            ttl: service.ttl(),
        })
    }

    fn shown_plan(&self) -> Option<&Plan> {
        self.lane.as_ref()?.shown.as_ref()
    }

    /// A text as approvers see it.
    fn shown_text(&self, text: &[u8]) -> String {
        let masked = self.shown_plan().and_then(|plan| mask::mask_whole(plan, text, &mut Found::default()));
        String::from_utf8_lossy(masked.as_deref().unwrap_or(text)).into_owned()
    }

    fn shown_header(&self, name: &str) -> String {
        self.inquiry.head.values(name).next().map(|value| self.shown_text(value)).unwrap_or_default()
    }

    /// What is asked, as approvers see it: a prompt's texts, else the whole document, else its digest.
    fn shown(&self) -> Shown {
        let text = self.shown_prompt().or_else(|| self.shown_document()).unwrap_or_else(|| {
            match self.inquiry.came.as_slice() {
                [] => String::new(),
                body => format!("sha256:{}", to_hex(&Sha256::digest(body))),
            }
        });
        let (text, cut) = cut(&text, MOST_SHOWN);
        Shown { text: text.to_owned(), cut }
    }

    /// What is masked in it, with counts.
    fn shown_entities(&self) -> BTreeMap<String, u64> {
        let (Some(plan), inquiry) = (self.shown_plan(), &self.inquiry) else { return BTreeMap::new() };
        let mut found = Found::default();
        match &inquiry.view {
            Some(view) => view.requests().iter().for_each(|one| {
                mask::mask_whole(plan, one.text.as_bytes(), &mut found);
            }),
            None => drop(mask::mask_whole(plan, &inquiry.came, &mut found)),
        }
        let name = |entity| self.worker.guard.catalogue.name(entity).to_owned();
        order::map(found.iter().map(|(entity, count)| (name(entity), count)))
    }

    fn shown_prompt(&self) -> Option<String> {
        let (plan, inquiry) = (self.shown_plan()?, &self.inquiry);
        let request = inquiry.operation.and_then(|operation| operation.view)?;
        let book = Book::default();
        let masks = Way::Keep(Keeping::new(plan.clone(), book.clone()));
        mask_prompt(request, &inquiry.path_model, &inquiry.came, &masks).ok()?;
        let mut texts: BTreeMap<u64, String> = BTreeMap::new();
        for (number, piece) in book.take() {
            texts.entry(number).or_default().push_str(&piece);
        }
        let texts: Vec<String> = texts.into_values().filter(|text| !text.trim().is_empty()).collect();
        Some(texts.join("\n\n"))
    }

    fn shown_document(&self) -> Option<String> {
        let kind = answer::body_kind(0, &self.inquiry.head.headers, false).ok()?;
        let masks = Way::Answer(Restoring::new(self.shown_plan()?.clone(), Rc::default()));
        let mut out = Vec::new();
        let mut reader = ResponseRewriter::new(kind, &EVERYTHING, masks);
        reader.push(&self.inquiry.came, true, &mut out).ok()?;
        // Names of members are texts too, where callers choose them.
        Some(self.shown_text(&out))
    }
}

/// The first bytes of a text, and whether there are more.
fn cut(text: &str, most: usize) -> (&str, bool) {
    match text.get(..text.floor_char_boundary(most)) {
        Some(head) if head.len() < text.len() => (head, true),
        _ => (text, false),
    }
}
