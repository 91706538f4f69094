//! An exchange judged again, from its record, by another set: what that set would have decided.
//!
//! Judging follows the order of the exchange itself: connection, issuer, `allow`, operation, kinds that were not looked
//! into, size, denies, limits on vector stores, flags, approvals. A record does not tell everything that conditions may read (no
//! headers, no query, no text of the prompt): what hangs on that is named as unsure rather than guessed.
//!
//! Only the command has this; it is not part of the module.

mod recorded;

use std::collections::BTreeSet;

use recorded::Asking;
pub use recorded::Recorded;

use super::guard::Guard;
use super::head::Head;
use super::inquiry::add_each;
use super::lane::Lane;
use super::ledger::decision_of;
use super::masks::Masking;
use super::policy::Policy;
use super::refusal::{Code, Refusal};
use crate::config::set::{Kind, Match, Mode, PolicySet, Protocol, Unmatched};
use crate::mask::{Catalogue, Entities, UPSTREAM_CREDENTIAL};
use crate::policy::decision::ALLOW;
use crate::policy::{Approval, Condition, Court, Effect, EvalError, Rule, Variable, Verdict, rules};

/// What a set would have decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// The connection; empty: none matches.
    pub connection: String,
    /// Its policy; empty: it has none.
    pub policy: String,
    /// What would have been answered; `None`: the call would have gone on.
    pub refused: Option<Objection>,
    /// What enforcing everything would have answered, where a monitor mode keeps it from acting.
    pub would: Option<Objection>,
    /// Flags that hold.
    pub flags: Vec<String>,
    /// Conditions that cannot be decided from a record, and why.
    pub unsure: Vec<Unsure>,
    /// What of the request would have been put within bounds.
    pub bounded: Vec<&'static str>,
    /// Entities that were found and would have passed, of prompt and answer, with how often.
    pub passed: Vec<(&'static str, String, u64)>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// `deny` or `error`.
    pub decision: &'static str,
    /// Its code, as callers see it.
    pub reason: String,
    /// The rule; empty: none of them.
    pub rule: String,
}

/// A condition that cannot be decided from a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsure {
    /// The rule; `allow` for that.
    pub rule: String,
    /// What it could do.
    pub could: Could,
    /// What it reads that no record tells, or this one does not.
    pub needs: Vec<&'static str>,
}

/// What a condition does where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Could {
    /// Refuses.
    Refuse,
    /// Is written down as what enforce would do.
    Note,
    /// Flags.
    Flag,
}

/// Judges a recorded exchange by a set and its compiled form.
pub fn replay(set: &PolicySet, guard: &Guard, recorded: &Recorded) -> Replay {
    let mut judge = Judge {
        replay: Replay::default(),
        mode: guard.mode,
        catalogue: &guard.catalogue,
        approvals: Vec::new(),
    };
    let Some(lane) = lane(guard, recorded) else {
        if guard.unmatched == Unmatched::Deny {
            judge.object(Code::Forbidden, None);
        }
        return judge.replay;
    };
    judge.replay.connection.clone_from(&lane.connection.name.value);
    let Some(policy) = lane.policy.as_deref() else { return judge.replay };
    judge.replay.policy.clone_from(&policy.name);
    judge.mode = policy.mode;
    judge.all(set, lane, policy, recorded);
    judge.replay
}

/// The connection that a recorded exchange would be on: by its head, as far as the record tells it. Where connections are
/// told apart by what it does not tell (route, virtual host, cluster), the one of the recorded name.
fn lane<'g>(guard: &'g Guard, recorded: &Recorded) -> Option<&'g Lane> {
    let port = recorded.count("server.port").map(|port| format!(":{port}")).unwrap_or_default();
    let head = Head {
        method: recorded.text("http.request.method").to_owned(),
        authority: format!("{}{port}", recorded.text("server.address")),
        path: recorded.text("url.path").to_owned(),
        ..Head::default()
    };
    let hidden = |one: &Match| one.route.is_some() || one.virtual_host.is_some() || one.cluster.is_some();
    let hides =
        |lane: &Lane| lane.connection.matches.is_empty() || lane.connection.matches.iter().any(hidden);
    let named = guard
        .lanes
        .iter()
        .find(|lane| lane.connection.name.value == recorded.text("portcullis.connection") && hides(lane));
    let chosen = || guard.routes.choose(&head, &head.path).and_then(|at| guard.lanes.get(at));
    named.or_else(chosen).map(|lane| &**lane)
}

struct Judge<'g> {
    replay: Replay,
    mode: Mode,
    catalogue: &'g Catalogue,
    /// What a human would be asked for.
    approvals: Vec<Approval>,
}

/// The operators after which a value is not seen.
const MASKING: &[&str] = &["replace", "mask", "pseudonym", "redact", "block"];

/// Whether anything more is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl Judge<'_> {
    /// Objects in the mode of the policy.
    fn object(&mut self, code: Code, rule: Option<&str>) -> Next {
        self.object_in(self.mode, code, rule)
    }

    fn object_in(&mut self, mode: Mode, code: Code, rule: Option<&str>) -> Next {
        let objection = Objection {
            decision: decision_of(code).name(),
            reason: code.name().to_owned(),
            rule: rule.unwrap_or_default().to_owned(),
        };
        if mode == Mode::Enforce {
            self.replay.refused = Some(objection);
            return Next::Stop;
        }
        self.replay.would.get_or_insert(objection);
        Next::Go
    }

    fn all(&mut self, set: &PolicySet, lane: &Lane, policy: &Policy, recorded: &Recorded) {
        if lane.connection.protocol == Protocol::None {
            return;
        }
        let asking = &Asking {
            recorded,
            connection: &lane.connection.name.value,
            protocol: lane.connection.protocol.name(),
            collection: "",
            namespace: "",
        };
        let steps: [&mut dyn FnMut(&mut Self) -> Next; 8] = [
            &mut |judge| judge.identity(set, lane, recorded),
            &mut |judge| judge.head(policy, asking),
            &mut |judge| judge.operation(policy, recorded),
            &mut |judge| judge.uninspected(policy, recorded),
            &mut |judge| judge.rules(policy, asking),
            &mut |judge| judge.reach(policy, asking),
            &mut |judge| judge.blocks(policy, recorded),
            &mut |judge| judge.asks(recorded),
        ];
        for step in steps {
            if step(self) == Next::Stop {
                return;
            }
        }
        self.bounds(policy, recorded);
        self.passes("prompt", policy.prompt.as_ref(), recorded);
        self.passes("response", policy.response.as_ref(), recorded);
    }

    fn identity(&mut self, set: &PolicySet, lane: &Lane, recorded: &Recorded) -> Next {
        let issuer = recorded.text("portcullis.identity.issuer");
        let mut accepted = lane.issuers.iter().filter_map(|&at| set.issuers.get(at));
        if !issuer.is_empty() && accepted.any(|known| known.issuer.value == issuer) {
            return Next::Go;
        }
        self.object(Code::Unauthenticated, None)
    }

    /// What the policy's conditions come to before any body is read, where they need none.
    fn head(&mut self, policy: &Policy, asking: &Asking<'_>) -> Next {
        let mut court = Bench { unsure: &mut self.replay.unsure, policy: policy.rules.mode(), asking };
        match policy.rules.judge_head_in(&mut court) {
            Some(verdict) => self.verdict(&verdict),
            None => Next::Go,
        }
    }

    /// What they come to for each part of a vector store, or for all there is.
    fn rules(&mut self, policy: &Policy, asking: &Asking<'_>) -> Next {
        for (collection, namespace) in asking.recorded.parts() {
            let part = Asking { collection, namespace, ..*asking };
            let mut court =
                Bench { unsure: &mut self.replay.unsure, policy: policy.rules.mode(), asking: &part };
            let verdict = policy.rules.judge_in(&mut court);
            if self.verdict(&verdict) == Next::Stop {
                self.approvals.clear();
                return Next::Stop;
            }
            add_each(&mut self.replay.flags, verdict.flags);
            add_each(&mut self.approvals, verdict.approvals);
        }
        Next::Go
    }

    fn verdict(&mut self, verdict: &Verdict) -> Next {
        if let Some(would) = &verdict.would {
            self.object_in(Mode::Monitor, would.reason.into(), would.rule.as_deref());
        }
        match verdict.denial() {
            Some(denial) => self.object_in(Mode::Enforce, denial.reason.into(), denial.rule.as_deref()),
            None => Next::Go,
        }
    }

    /// Nobody is asked about what is refused anyway. Who said yes to a call has said it for the rules that asked then.
    fn asks(&mut self, recorded: &Recorded) -> Next {
        let mut approvals = std::mem::take(&mut self.approvals);
        let approved = recorded.text("portcullis.decision") == "allow"
            && !recorded.text("portcullis.approval").is_empty();
        if approved {
            let rules = recorded.list("portcullis.approvals");
            approvals.retain(|approval| !rules.contains(&approval.rule.as_str()));
        }
        let first = |mode: rules::Mode| approvals.iter().find(|approval| approval.mode == mode);
        let (mode, approval) = match (first(rules::Mode::Enforce), first(rules::Mode::Monitor)) {
            (Some(acts), _) => (Mode::Enforce, acts),
            (None, Some(noted)) => (Mode::Monitor, noted),
            (None, None) => return Next::Go,
        };
        self.object_in(mode, Code::ApprovalPending, Some(&approval.rule))
    }

    fn operation(&mut self, policy: &Policy, recorded: &Recorded) -> Next {
        let operation = recorded.text("portcullis.llm.operation");
        let Some(allowed) = &policy.operations else { return Next::Go };
        if allowed.iter().any(|name| name == operation) {
            return Next::Go;
        }
        self.object(Code::Forbidden, None)
    }

    /// Kinds of traffic that the record says were not looked into, and the size of the body.
    fn uninspected(&mut self, policy: &Policy, recorded: &Recorded) -> Next {
        let size = recorded.count("http.request.body.size").and_then(|size| usize::try_from(size).ok());
        let held = match self.mode {
            Mode::Enforce => policy.holds_for_body || policy.blocks_answers,
            Mode::Monitor => policy.judges_body,
        };
        let large = held && size.is_some_and(|size| size > policy.max_request_bytes);
        let kinds = recorded.list("portcullis.uninspected");
        let apart = |kind| matches!(kind, Kind::Size | Kind::Reference);
        let named = Kind::ALL.iter().filter(|(kind, name)| !apart(*kind) && kinds.contains(name));
        let mut kinds: Vec<Kind> = named.map(|(kind, _)| *kind).collect();
        kinds.extend(large.then_some(Kind::Size));
        kinds.retain(|kind| !policy.uninspected.allows(*kind));
        let (refers, stored) = (recorded.refers(), recorded.stored());
        let refused = policy.limits.refuses_reference(&policy.uninspected, refers, stored);
        kinds.extend(refused.then_some(Kind::Reference));
        for kind in kinds {
            if self.object(Refusal::uninspected(kind).code, None) == Next::Stop {
                return Next::Stop;
            }
        }
        Next::Go
    }

    /// Limits on vector stores.
    fn reach(&mut self, policy: &Policy, asking: &Asking<'_>) -> Next {
        let recorded = asking.recorded;
        let Some(limits) = &policy.vector else { return Next::Go };
        let needs = untold(recorded, limits.variables());
        if !needs.is_empty() {
            self.replay.unsure.push(Unsure {
                rule: "vector".to_owned(),
                could: could(policy.rules.mode()),
                needs,
            });
            return Next::Go;
        }
        let top_k = recorded.count("portcullis.vector.top_k").unwrap_or_default();
        for (collection, namespace) in recorded.parts() {
            match limits.admits(asking, collection, namespace, top_k) {
                Ok(clamped) => {
                    if clamped && !self.replay.bounded.contains(&"top_k") {
                        self.replay.bounded.push("top_k");
                    }
                }
                Err(code) => {
                    if self.object(code, None) == Next::Stop {
                        return Next::Stop;
                    }
                }
            }
        }
        Next::Go
    }

    /// Values that end a call, in what was asked or in what was answered.
    fn blocks(&mut self, policy: &Policy, recorded: &Recorded) -> Next {
        for (side, masking) in [("prompt", &policy.prompt), ("response", &policy.response)] {
            let found = recorded.tally(&format!("portcullis.{side}.entities"));
            let blocked =
                |name| masking.as_ref().is_some_and(|masking| self.becomes(masking, name, &["block"]));
            if found.into_iter().any(|(name, _)| blocked(name))
                && self.object(Code::Forbidden, None) == Next::Stop
            {
                return Next::Stop;
            }
        }
        Next::Go
    }

    /// Whether one of these operators is what a mask has for an entity.
    fn becomes(&self, masking: &Masking, name: &str, operators: &[&str]) -> bool {
        let entities = self.catalogue.resolve(name).unwrap_or(Entities::NONE);
        entities.iter().any(|entity| {
            masking.entities().contains(entity) && operators.contains(&masking.operator_name(entity))
        })
    }

    fn bounds(&mut self, policy: &Policy, recorded: &Recorded) {
        let asked = recorded.count("gen_ai.request.max_tokens");
        let generates =
            recorded.tells(Variable::LlmMessages) && recorded.count("portcullis.llm.messages").is_some();
        if let Some(most) = policy.limits.max_output_tokens()
            && generates
            && asked.is_none_or(|asked| asked > most)
        {
            self.replay.bounded.push("max_output_tokens");
        }
    }

    /// Entities that were found, and that the policy would have let pass.
    fn passes(&mut self, side: &'static str, masking: Option<&Masking>, recorded: &Recorded) {
        let acts = self.mode == Mode::Enforce;
        for (name, count) in recorded.tally(&format!("portcullis.{side}.entities")) {
            let masked = masking.filter(|_| acts).is_some_and(|masking| self.becomes(masking, name, MASKING));
            // The credential is covered whatever a policy says.
            if !masked && name != self.catalogue.name(UPSTREAM_CREDENTIAL) {
                self.replay.passed.push((side, name.to_owned(), count));
            }
        }
    }
}

/// Decides conditions by what a record tells.
struct Bench<'a> {
    unsure: &'a mut Vec<Unsure>,
    policy: rules::Mode,
    asking: &'a Asking<'a>,
}

impl Bench<'_> {
    /// What these conditions read that the record does not tell.
    fn untold<'c>(&self, conditions: impl Iterator<Item = &'c Condition>) -> Vec<&'static str> {
        untold(self.asking.recorded, conditions.flat_map(Condition::reads).copied())
    }
}

/// Which of these the record does not tell.
fn untold(recorded: &Recorded, read: impl Iterator<Item = Variable>) -> Vec<&'static str> {
    let unique: BTreeSet<Variable> = read.filter(|variable| !recorded.tells(*variable)).collect();
    unique.into_iter().map(Variable::name).collect()
}

impl Court for Bench<'_> {
    fn decide(&mut self, rule: Option<&Rule>, condition: &Condition) -> Option<Result<bool, EvalError>> {
        let outcome = condition.evaluate(self.asking);
        let needs = self.untold(std::iter::once(condition));
        if outcome.is_ok() || needs.is_empty() {
            return Some(outcome);
        }
        let could = match rule {
            Some(rule) if rule.effect() == Effect::Flag => Could::Flag,
            Some(rule) => could(rule.mode(self.policy)),
            None => could(self.policy),
        };
        let unsure = Unsure { rule: rule.map_or(ALLOW, Rule::name).to_owned(), could, needs };
        add_each(self.unsure, vec![unsure]);
        None
    }

    /// Words that hang on what no record tells are taken to have been found.
    fn said(&mut self, rule: &Rule) -> Result<Option<String>, EvalError> {
        match rule.said(self.asking) {
            Err(_) if !self.untold(rule.conditions()).is_empty() => Ok(None),
            said => said,
        }
    }
}

fn could(mode: rules::Mode) -> Could {
    if mode == rules::Mode::Enforce { Could::Refuse } else { Could::Note }
}

/// Rules of a set that read something, by policy and rule.
pub fn readers(guard: &Guard, variable: Variable) -> BTreeSet<String> {
    let policies = guard.lanes.iter().filter_map(|lane| lane.policy.as_deref());
    let rules = policies.flat_map(|policy| {
        let rules = policy.rules.rules().iter().map(|rule| (rule.name(), rule.condition()));
        rules
            .chain([("allow", policy.rules.allow())])
            .filter(|(_, condition)| condition.reads().contains(&variable))
            .map(|(rule, _)| format!("{}/{rule}", policy.name))
    });
    rules.collect()
}
