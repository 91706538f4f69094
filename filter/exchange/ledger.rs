//! The records of an exchange, and the counters that go with them.
//!
//! A start record is written when an exchange goes upstream, an end record when it is over, however. A refusal before
//! identity has an end record alone, in a queue of its own: a flood of bad tokens must evict nobody's record.

use super::inquiry::add_each;
use super::later::Question;
use super::masks::Masking;
use super::policy::Policy;
use super::refusal::{Code, Refusal};
use super::{Exchange, Stage, metrics};
use crate::audit::record::{Answered, Facts};
use crate::audit::{
    Decision, EndRecord, Members, Outcome, Path, Record, Recorded, Seconds, StartRecord, Text, Texts,
    TraceParent,
};
use crate::config::set::Mode;
use crate::host::Host;
use crate::mask::{self, Found};
use crate::policy::{Variable, rules};
use crate::protocol::request::RequestView;

impl Exchange {
    /// Records that the exchange goes upstream; once.
    pub(super) fn record_start(&mut self, host: &dyn Host) -> Option<Recorded> {
        if self.start_recorded {
            return None;
        }
        self.start_recorded = true;
        self.note_state(host, "allow");
        if !self.worker.audits() {
            return None;
        }
        let start = StartRecord { facts: self.record_facts(), captured: self.captured(host, false) };
        self.worker.record(host, &Record::Start(Box::new(start)))
    }

    /// Records how the exchange ended; once.
    pub(super) fn record_end(&mut self, host: &dyn Host) {
        if std::mem::replace(&mut self.end_recorded, true) {
            return;
        }
        if self.stage == Stage::Forwarded {
            self.record_start(host);
        }
        self.capture_ends(host);
        self.count(host);
        self.count_unspent(host);
        // What a recogniser is yet to be asked is counted, recorded or not.
        if !self.worker.audits() && !self.is_copying() {
            return;
        }
        let answered = self.record_answer(host);
        let captured = self.captured(host, true);
        let end = Box::new(EndRecord { facts: self.record_facts(), answered, captured });
        let before_identity =
            self.stage == Stage::Refused && self.inquiry.identity.is_none() && !self.start_recorded;
        if let Some((recogniser, text)) = self.question() {
            let policy = self.policy().map(|policy| policy.name.clone()).unwrap_or_default();
            let wanted = self.policy().map(Policy::masked_in_answers).unwrap_or_default();
            return self
                .worker
                .record_later(host, Question { recogniser, wanted, text, policy, record: end });
        }
        let record = if before_identity { Record::Refusal(end) } else { Record::End(end) };
        self.worker.record(host, &record);
    }

    /// What Envoy's own access log can print.
    pub(super) fn note_state(&self, host: &dyn Host, decision: &str) {
        host.set_state("portcullis.exchange", self.name.as_bytes());
        host.set_state("portcullis.decision", decision.as_bytes());
        if let Some(policy) = self.policy() {
            host.set_state("portcullis.policy", policy.name.as_bytes());
        }
    }

    fn decision(&self) -> Decision {
        match &self.refusal {
            None => Decision::Allow,
            Some(refusal) => decision_of(refusal.code),
        }
    }

    fn record_facts(&self) -> Facts {
        let inquiry = &self.inquiry;
        let head = &inquiry.head;
        let (host_name, port) = split_authority(&head.authority);
        let text = |text: &str| (!text.is_empty()).then(|| Text::from(text));
        let named = |names: &[String]| names.iter().map(|name| self.named(name)).collect::<Texts>();
        let policy = self.policy();
        let mut facts = Facts {
            exchange: Text::from(self.name.as_str()),
            client_address: text(&head.source_address),
            principal: text(&head.source_principal),
            connection: self.lane.as_ref().and_then(|lane| text(&lane.connection.name.value)),
            policy: policy.and_then(|policy| text(&policy.name)),
            mode: Some(if self.mode() == Mode::Enforce { "enforce" } else { "monitor" }),
            protocol: self.lane.as_ref().map(|_| self.protocol_name()),
            method: text(&head.method),
            path: Some(self.path()),
            server_address: text(host_name),
            server_port: port.map(Into::into),
            request_bytes: (inquiry.size > 0).then(|| to_u64(inquiry.size).into()),
            operation: inquiry.operation.map(|operation| Text::from(operation.name)),
            decision: Some(self.decision()),
            reason: self.refusal.as_ref().map(|refusal| refusal.code.name()),
            rule: self.refusal.as_ref().and_then(|refusal| refusal.rule.as_deref()).map(Text::from),
            would: inquiry.would.as_ref().map(|would| decision_of(would.code)),
            would_reason: inquiry.would.as_ref().map(|would| would.code.name()),
            would_rule: inquiry.would.as_ref().and_then(|would| would.rule.as_deref()).map(Text::from),
            bounded: inquiry.bounded.clone(),
            budget_reserved: self.spending.reserved.clone(),
            uninspected: inquiry.uninspected.iter().map(|kind| kind.name()).collect(),
            claims: self.claims(),
            revision: text(&self.worker.guard.revision),
            digest: text(&self.worker.guard.digest),
            policy_digest: policy.and_then(|policy| text(&policy.digest)),
            version: Some(Text::from(env!("CARGO_PKG_VERSION"))),
            trace: head.values("traceparent").next().and_then(TraceParent::parse),
            ..Facts::default()
        };
        if let Some(identity) = &inquiry.identity {
            facts.user_id = text(&identity.id);
            facts.subject = text(&identity.subject);
            facts.issuer = text(&identity.issuer);
            facts.groups = texts(&identity.groups);
        }
        if let Some(view) = &inquiry.view {
            facts.model = (!view.model.is_empty()).then(|| self.named(&view.model));
            if !view.items.is_empty() {
                facts.requests = Some(to_u64(view.items.len()).into());
                facts.models = self.several_models(view);
            }
            facts.stream = Some(view.stream);
            facts.messages = Some(to_u64(view.messages).into());
            facts.prompt_chars = Some(view.prompt_chars.into());
            facts.prompt_tokens = inquiry.prompt_tokens().map(Into::into);
            facts.tools = named(&view.tools);
            facts.max_output_tokens = view.max_output_tokens.map(Into::into);
            facts.choices = Some(view.n.into());
            facts.images = (view.images > 0).then(|| view.images.into());
            facts.references = texts(&view.references);
            facts.stored = view.stored.then_some(true);
        }
        if inquiry.operation.is_some_and(|operation| operation.kept) {
            facts.references.push("url.path");
        }
        if let Some(asked) = &inquiry.asked {
            let (collections, namespaces) = asked.names();
            facts.collections = named(&collections);
            facts.namespaces = named(&namespaces);
            let most = asked.parts.iter().map(|part| part.top_k).max().unwrap_or_default();
            facts.top_k = (most > 0).then(|| most.into());
        }
        facts.flags = texts(&inquiry.flags);
        for approval in &inquiry.approvals {
            facts.approvals.push(approval.rule.as_str());
        }
        facts.conditions = self.conditions();
        facts.approval = self.asking.id.as_deref().map(Text::from);
        facts.approved_by = texts(&self.asking.by);
        for (rule, error) in &inquiry.errors {
            facts.rule_errors.push(format!("{rule}: {error}"));
        }
        for note in &self.spending.notes {
            facts.rule_errors.push(note.as_str());
        }
        let masked = self.prompt_found();
        let mut sought = Vec::new();
        inquiry
            .sought
            .iter()
            .for_each(|sought_in| add_each(&mut sought, sought_in.entities.iter().collect()));
        for entity in sought {
            // The mask counts; a condition only asks.
            if !masked.iter().any(|seen| seen.entity == entity) {
                facts.prompt_entities.add(entity, 1);
            }
        }
        for seen in &masked {
            facts.prompt_entities.add(seen.entity, seen.count);
            facts.prompt_operators.add(seen.operator, seen.count);
        }
        facts
    }

    /// The models of a batch, where it asks for several.
    fn several_models(&self, view: &RequestView) -> Texts {
        let mut models: Vec<&str> = Vec::new();
        view.items.iter().for_each(|item| add_each(&mut models, vec![item.model.as_str()]));
        let named = models.iter().filter(|model| models.len() > 1 && !model.is_empty());
        named.map(|model| self.named(model)).collect()
    }

    /// The conditions of the rules that the record names.
    fn conditions(&self) -> Members {
        let mut conditions = Members::default();
        let Some(policy) = self.policy() else { return conditions };
        let inquiry = &self.inquiry;
        let decided =
            [&self.refusal, &inquiry.would].into_iter().flatten().filter_map(|refusal| refusal.rule.as_ref());
        let asked = inquiry.approvals.iter().map(|approval| &approval.rule);
        let named: Vec<&String> = decided.chain(&inquiry.flags).chain(asked).collect();
        for rule in policy.rules.rules().iter().filter(|rule| named.iter().any(|name| *name == rule.name())) {
            conditions.insert(rule.name(), &rule.source().into());
        }
        conditions
    }

    /// The claims that conditions may have read: all, where one reads them, so that they can judge again.
    fn claims(&self) -> Members {
        let mut claims = Members::default();
        let reads = self.policy().is_some_and(|policy| policy.reads(Variable::IdentityClaims));
        if let (true, Some(identity)) = (reads, &self.inquiry.identity) {
            for (name, value) in &identity.claims {
                claims.insert(name, value);
            }
        }
        claims
    }

    fn record_answer(&self, host: &dyn Host) -> Answered {
        let now = host.now();
        let since = |time: u64| Seconds::from_nanos(time.saturating_sub(self.started));
        let answer = &self.answer;
        let mut answered = Answered {
            outcome: Some(self.outcome(host)),
            status: self.status().map(|status| u64::from(status).into()),
            upstream_status: (answer.status > 0).then(|| u64::from(answer.status).into()),
            response_bytes: self.forwarded.then(|| answer.sent.into()),
            duration: Some(since(now)),
            first_byte: (answer.first_byte > 0).then(|| since(answer.first_byte)),
            response_restored: self
                .answer
                .rewriter
                .as_ref()
                .and_then(|rewriter| (rewriter.restored() > 0).then(|| rewriter.restored().into())),
            budget_used: self.spending.used.clone(),
            budget_settled_by: self.spending.settled_by,
            ..Answered::default()
        };
        for seen in self.response_found() {
            answered.response_entities.add(seen.entity, seen.count);
            answered.response_operators.add(seen.operator, seen.count);
        }
        if let Some(rewriter) = &answer.rewriter {
            let usage = rewriter.usage();
            // An upstream may write anything where an identifier belongs.
            let text = |text: &str| (!text.is_empty()).then(|| self.recordable(text));
            answered.input_tokens = usage.prompt.map(Into::into);
            answered.output_tokens = usage.completion.map(Into::into);
            answered.response_model = text(rewriter.model());
            answered.response_id = text(rewriter.id());
            if !rewriter.finish_reason().is_empty() {
                answered.finish_reasons.push(self.recordable(rewriter.finish_reason()));
            }
        }
        answered
    }

    /// What the upstream called something, without what the policy masks, and what is masked in records.
    fn recordable(&self, label: &str) -> Text {
        let mask = |plan| mask::mask_whole(plan, label.as_bytes(), &mut Found::default());
        match self.lane.as_ref().and_then(|lane| mask(&lane.plan)) {
            Some(masked) => self.named(&String::from_utf8_lossy(&masked)),
            None => self.named(label),
        }
    }

    /// What a caller or an upstream called something, without what is masked in records.
    fn named(&self, label: &str) -> Text {
        match self.masked_in_records(label.as_bytes()) {
            Some(masked) => Text::lossy(&masked),
            None => Text::from(label),
        }
    }

    /// The path, in the same way.
    fn path(&self) -> Path {
        let path = self.inquiry.head.path_part().as_bytes();
        Path::of(&self.masked_in_records(path).unwrap_or_else(|| path.to_vec()))
    }

    fn masked_in_records(&self, text: &[u8]) -> Option<Vec<u8>> {
        let plan = &self.lane.as_ref()?.capture.as_ref()?.names;
        mask::mask_whole(plan, text, &mut Found::default())
    }

    /// What the policy's mask found in the prompt.
    fn prompt_found(&self) -> Vec<Seen<'_>> {
        let masking = self.policy().and_then(|policy| policy.prompt.as_ref());
        self.seen(&self.inquiry.found, masking)
    }

    /// What was found in the answer: head, body and trailers.
    fn response_found(&self) -> Vec<Seen<'_>> {
        let mut found = self.found.clone();
        for (entity, count) in self.answer.rewriter.iter().flat_map(|rewriter| rewriter.found()) {
            found.add_many(*entity, *count);
        }
        self.seen(&found, self.policy().and_then(|policy| policy.response.as_ref()))
    }

    fn seen(&self, found: &Found, masking: Option<&Masking>) -> Vec<Seen<'_>> {
        let Some(lane) = &self.lane else { return Vec::new() };
        let enforce = self.mode() == Mode::Enforce;
        let operator = |entity| match masking {
            Some(masking) if enforce => masking.operator_name(entity),
            // The credential is covered in every mode, with or without a mask.
            _ if entity == mask::UPSTREAM_CREDENTIAL => "replace",
            _ => "none",
        };
        let one =
            |(entity, count)| Seen { entity: lane.plan.name_of(entity), count, operator: operator(entity) };
        found.iter().map(one).collect()
    }

    /// The status that the caller got; `None` where none went out.
    fn status(&self) -> Option<u16> {
        match &self.refusal {
            // Where a stream was broken off, its head was out already.
            Some(refusal) if self.stage == Stage::Refused => Some(refusal.code.status()),
            _ => (self.answer.status > 0).then_some(self.answer.status),
        }
    }

    fn outcome(&self, host: &dyn Host) -> Outcome {
        if self.refusal.is_some() {
            return if self.forwarded { Outcome::BrokenOff } else { Outcome::Refused };
        }
        if self.answer.cut.is_some() {
            return Outcome::BrokenOff;
        }
        let details = host.property(&["response", "code_details"]).unwrap_or_default();
        let details = String::from_utf8_lossy(&details);
        if self.answer.ended && details == "via_upstream" {
            return Outcome::Complete;
        }
        if details.contains("timeout") {
            Outcome::TimedOut
        } else if details.contains("downstream") {
            Outcome::ClientGone
        } else if details.contains("upstream") && !details.starts_with("via_upstream") {
            Outcome::UpstreamReset
        } else if self.answer.ended {
            Outcome::Complete
        } else {
            Outcome::ClientGone
        }
    }

    fn count(&self, host: &dyn Host) {
        let connection = self.lane.as_ref().map_or("", |lane| lane.connection.name.value.as_str());
        let policy = self.policy().map_or("", |policy| policy.name.as_str());
        let (decision, reason) = match (&self.refusal, &self.inquiry.would) {
            (Some(refusal), _) => (decision_of(refusal.code).name(), refusal.reason.as_str()),
            (None, Some(would)) => ("would_refuse", would.reason.as_str()),
            (None, None) => ("allow", ""),
        };
        host.count(&metrics::decision(connection, policy, decision, reason), 1);
        // Approvals are counted one by one below.
        let ruled = |refusal: &'_ Refusal| match refusal.code {
            Code::ApprovalPending | Code::ApprovalDenied => None,
            // As are budgets.
            _ if refusal.of_budget() => None,
            _ => refusal.rule.clone(),
        };
        let rules = [
            (self.refusal.as_ref().and_then(ruled), "deny"),
            (self.inquiry.would.as_ref().and_then(ruled), "would_deny"),
        ];
        for (rule, outcome) in rules {
            if let Some(rule) = rule {
                host.count(&metrics::rule(policy, &rule, outcome), 1);
            }
        }
        for approval in &self.inquiry.approvals {
            let outcome = match approval.mode {
                rules::Mode::Enforce => "approve",
                rules::Mode::Monitor => "would_approve",
            };
            host.count(&metrics::rule(policy, &approval.rule, outcome), 1);
        }
        for flag in &self.inquiry.flags {
            host.count(&metrics::rule(policy, flag, "flag"), 1);
        }
        for (rule, _) in &self.inquiry.errors {
            host.count(&metrics::rule(policy, rule, "error"), 1);
        }
        for (side, found) in [("prompt", self.prompt_found()), ("response", self.response_found())] {
            for seen in found {
                host.count(&metrics::masked(policy, side, seen.entity, seen.operator), seen.count);
            }
        }
        for kind in &self.inquiry.uninspected {
            host.count(&metrics::uninspected(policy, kind.name()), 1);
        }
        if self.answer.rewriter.is_some() {
            host.record(&metrics::held(policy), to_u64(self.answer.peak_held));
        }
    }
}

/// How often an entity was found, and what became of it.
struct Seen<'a> {
    entity: &'a str,
    count: u64,
    operator: &'static str,
}

/// Whether a refusal lays the fault with the caller or with the guard and its surroundings.
pub(super) fn decision_of(code: Code) -> Decision {
    match code {
        Code::GuardUnavailable | Code::PolicyError | Code::UpstreamUnreadable | Code::UpstreamCredential => {
            Decision::Error
        }
        Code::Unauthenticated
        | Code::Forbidden
        | Code::InvalidRequest
        | Code::RateLimited
        | Code::ApprovalPending
        | Code::ApprovalDenied
        | Code::TooLarge
        | Code::Uninspectable => Decision::Deny,
    }
}

fn texts(items: &[String]) -> Texts {
    let mut texts = Texts::default();
    for item in items {
        texts.push(item.as_str());
    }
    texts
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Host and port of an authority.
fn split_authority(authority: &str) -> (&str, Option<u64>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, port.parse().ok())
        }
        _ => (authority, None),
    }
}
