//! An exchange judged again, from its record, by another set: what that set would have decided.
//!
//! Judging follows the order of the exchange itself: connection, issuer, `allow`, operation, kinds that were not looked
//! into, size, denies, limits on vector stores, flags, approvals. A record does not tell everything that conditions may read (no
//! headers, no query, no text of the prompt): what hangs on that is named as unsure rather than guessed.
//!
//! Only the command has this; it is not part of the module.

mod recorded;

use std::collections::BTreeSet;

pub use recorded::Recorded;

use super::guard::{Guard, Lane, Policy};
use super::head::Head;
use super::ledger::decision_of;
use super::masks::Masking;
use super::refusal::{Code, Refusal};
use crate::config::set::{Kind, Match, Mode, PolicySet, Protocol, Unmatched};
use crate::mask::{Catalogue, Entities, UPSTREAM_CREDENTIAL};
use crate::policy::variables::TABLE;
use crate::policy::{Condition, Effect, EvalError, Variable};

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
    let mut judge = Judge { replay: Replay::default(), mode: guard.mode, catalogue: &guard.catalogue };
    let Some(lane) = lane(guard, recorded) else {
        if guard.unmatched == Unmatched::Deny {
            judge.object(Code::Forbidden, None);
        }
        return judge.replay;
    };
    let name = &lane.connection.name.value;
    judge.replay.connection.clone_from(name);
    let Some(policy) = lane.policy.as_deref() else { return judge.replay };
    judge.replay.policy.clone_from(&policy.name);
    judge.mode = policy.mode;
    let recorded = recorded.clone().on(name, lane.connection.protocol.name());
    judge.all(set, lane, policy, &recorded);
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
        let steps: [&mut dyn FnMut(&mut Self) -> Next; 8] = [
            &mut |judge| judge.identity(set, lane, recorded),
            &mut |judge| judge.allow(policy, recorded),
            &mut |judge| judge.operation(policy, recorded),
            &mut |judge| judge.uninspected(policy, recorded),
            &mut |judge| judge.refusing(policy, recorded, Effect::Deny, denied),
            &mut |judge| judge.refusing(policy, recorded, Effect::Approve, undecided),
            &mut |judge| judge.reach(policy, recorded),
            &mut |judge| judge.blocks(policy, recorded),
        ];
        for step in steps {
            if step(self) == Next::Stop {
                return;
            }
        }
        self.flags(policy, recorded);
        // As nobody is asked about what is refused anyway.
        if self.refusing(policy, recorded, Effect::Approve, asked) == Next::Stop {
            return;
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

    /// Decides a condition; `None`: it cannot be told.
    fn decide(
        &mut self,
        rule: &str,
        could: Could,
        condition: &Condition,
        facts: &Recorded,
    ) -> Option<Result<bool, EvalError>> {
        let outcome = condition.evaluate(facts);
        let untold = |variable: &&Variable| !facts.tells(**variable);
        let needs: Vec<&str> =
            condition.reads().iter().filter(untold).map(|variable| variable.name()).collect();
        if outcome.is_ok() || needs.is_empty() {
            return Some(outcome);
        }
        let unsure = Unsure { rule: rule.to_owned(), could, needs };
        if !self.replay.unsure.contains(&unsure) {
            self.replay.unsure.push(unsure);
        }
        None
    }

    fn allow(&mut self, policy: &Policy, recorded: &Recorded) -> Next {
        match self.decide("allow", could(self.mode), policy.rules.allow(), recorded) {
            None | Some(Ok(true)) => Next::Go,
            Some(Ok(false)) => self.object(Code::Forbidden, None),
            Some(Err(_)) => self.object(Code::PolicyError, None),
        }
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
        let named = Kind::ALL.iter().filter(|(kind, name)| *kind != Kind::Size && kinds.contains(name));
        let mut kinds: Vec<Kind> = named.map(|(kind, _)| *kind).collect();
        kinds.extend(large.then_some(Kind::Size));
        for kind in kinds.into_iter().filter(|kind| !policy.uninspected.allows(*kind)) {
            if self.object(Refusal::uninspected(kind).code, None) == Next::Stop {
                return Next::Stop;
            }
        }
        Next::Go
    }

    /// Rules of this effect, and what a request gets for what a condition comes to.
    fn refusing(&mut self, policy: &Policy, recorded: &Recorded, effect: Effect, code: Answered) -> Next {
        for (collection, namespace) in recorded.parts() {
            let part = recorded.asking(&collection, &namespace);
            for rule in policy.rules.rules().iter().filter(|rule| rule.effect() == effect) {
                let acts = rule.mode(policy.rules.mode()) == crate::policy::Mode::Enforce;
                let mode = if acts { Mode::Enforce } else { Mode::Monitor };
                let outcome = self.decide(rule.name(), could(mode), rule.condition(), &part);
                let Some(code) = outcome.as_ref().and_then(code) else { continue };
                if self.object_in(mode, code, Some(rule.name())) == Next::Stop {
                    return Next::Stop;
                }
            }
        }
        Next::Go
    }

    fn flags(&mut self, policy: &Policy, recorded: &Recorded) {
        for (collection, namespace) in recorded.parts() {
            let part = recorded.asking(&collection, &namespace);
            for rule in policy.rules.rules().iter().filter(|rule| rule.effect() == Effect::Flag) {
                let holds = self.decide(rule.name(), Could::Flag, rule.condition(), &part);
                if matches!(holds, Some(Ok(true)))
                    && !self.replay.flags.iter().any(|flag| flag == rule.name())
                {
                    self.replay.flags.push(rule.name().to_owned());
                }
            }
        }
    }

    /// Limits on vector stores.
    fn reach(&mut self, policy: &Policy, recorded: &Recorded) -> Next {
        let Some(limits) = &policy.vector else { return Next::Go };
        let reads = |variable| limits.templates().any(|template| template.reads(variable));
        let untold = TABLE.iter().filter(|entry| !recorded.tells(entry.variable) && reads(entry.variable));
        let needs: Vec<&str> = untold.map(|entry| entry.name).collect();
        if !needs.is_empty() {
            self.replay.unsure.push(Unsure { rule: "vector".to_owned(), could: could(self.mode), needs });
            return Next::Go;
        }
        let top_k = recorded.count("portcullis.vector.top_k").unwrap_or_default();
        for (collection, namespace) in recorded.parts() {
            match limits.admits(recorded, &collection, &namespace, top_k) {
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

/// What a request gets for what a rule's condition comes to.
type Answered = fn(&Result<bool, EvalError>) -> Option<Code>;

fn denied(outcome: &Result<bool, EvalError>) -> Option<Code> {
    match outcome {
        Ok(holds) => holds.then_some(Code::Forbidden),
        Err(_) => Some(Code::PolicyError),
    }
}

/// Of an approval: it cannot be decided.
fn undecided(outcome: &Result<bool, EvalError>) -> Option<Code> {
    outcome.is_err().then_some(Code::PolicyError)
}

/// Of an approval: it is needed.
fn asked(outcome: &Result<bool, EvalError>) -> Option<Code> {
    matches!(outcome, Ok(true)).then_some(Code::ApprovalPending)
}

fn could(mode: Mode) -> Could {
    if mode == Mode::Enforce { Could::Refuse } else { Could::Note }
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
