//! What was decided against what would be.

use portcullis::exchange::replay::{Could, Objection, Recorded, Replay, Unsure};

/// Reasons for which no policy is the cause: such exchanges are not judged again.
const NOT_BY_POLICY: &[&str] = &["unauthenticated", "invalid_request", "guard_unavailable", "rate_limited"];
/// Reasons that came after the rules had let the call go on: budgets, and what the upstream answered.
const AFTERWARDS: &[&str] = &["rate_limited", "upstream_unreadable", "upstream_credential"];

/// One exchange, judged again.
#[derive(Debug)]
pub struct Judged {
    /// Its id.
    pub exchange: String,
    /// Who called.
    pub subject: String,
    /// The policy that judges now; empty: none.
    pub policy: String,
    /// What was answered.
    pub was: Outcome,
    /// What would be.
    pub now: Outcome,
    /// Conditions that the record cannot decide.
    pub unsure: Vec<Unsure>,
    /// What differs.
    pub changes: Vec<Change>,
}

/// What becomes of a call: it goes on, or is refused.
pub type Outcome = Option<Objection>;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Refused before or after, or for another reason.
    Decision(Outcome, Outcome),
    /// What enforcing everything would answer.
    Would(Outcome, Outcome),
    /// A flag that did not hold and does, or the other way.
    Flag(String, bool),
    /// What of the request is put within bounds and was not, or the other way.
    Bound(String, bool),
    /// Values that were masked and would pass: of prompt or answer, of which entity.
    Unmasked(&'static str, String),
}

impl Change {
    /// Whether it makes a difference to callers, not to the record alone.
    pub fn is_felt(&self) -> bool {
        !matches!(self, Self::Would(..) | Self::Flag(..))
    }
}

/// Why an exchange is not judged again; `None`: it is.
pub fn passed_over(recorded: &Recorded) -> Option<&str> {
    let reason = recorded.text("portcullis.reason");
    NOT_BY_POLICY.contains(&reason).then_some(reason)
}

/// Compares; `None`: the policy is the very same, so that nothing can differ.
pub fn compare(recorded: &Recorded, replay: Replay, unchanged: bool) -> Judged {
    let was = outcome(recorded, "portcullis.decision", "portcullis.reason", "portcullis.rule");
    let mut judged = Judged {
        exchange: recorded.text("portcullis.exchange").to_owned(),
        subject: recorded.text("user.id").to_owned(),
        policy: replay.policy.clone(),
        was: was.clone(),
        now: was,
        unsure: Vec::new(),
        changes: Vec::new(),
    };
    if unchanged {
        return judged;
    }
    judged.now.clone_from(&replay.refused);
    // Where a rule that may refuse cannot be told, neither can a call that nothing else refuses.
    let hangs = |could| replay.unsure.iter().any(|unsure| unsure.could == could);
    let open = replay.refused.is_none() && hangs(Could::Refuse);
    if !open && judged.was != judged.now {
        judged.changes.push(Change::Decision(judged.was.clone(), judged.now.clone()));
    }
    let would = outcome(recorded, "portcullis.would", "portcullis.would_reason", "portcullis.would_rule");
    let noted = replay.would.is_some() || !hangs(Could::Note);
    if !open && noted && judged.now.is_none() && judged.was.is_none() && would != replay.would {
        judged.changes.push(Change::Would(would, replay.would.clone()));
    }
    if judged.was.is_none() && judged.now.is_none() {
        judged.differences(recorded, &replay);
    }
    judged.unsure = replay.unsure;
    judged
}

fn outcome(recorded: &Recorded, decision: &str, reason: &str, rule: &str) -> Outcome {
    let reason = recorded.text(reason);
    let decision = match recorded.text(decision) {
        "deny" => "deny",
        "error" => "error",
        _ => return None,
    };
    if AFTERWARDS.contains(&reason) {
        return None;
    }
    Some(Objection { decision, reason: reason.to_owned(), rule: recorded.text(rule).to_owned() })
}

impl Judged {
    /// What differs where the call goes on before and after.
    fn differences(&mut self, recorded: &Recorded, replay: &Replay) {
        let unsure = |flag: &str| replay.unsure.iter().any(|unsure| unsure.rule == flag);
        let flags = recorded.list("portcullis.flags");
        let now: Vec<&str> = replay.flags.iter().map(String::as_str).collect();
        for (name, holds) in turned(&flags, &now) {
            if !unsure(&name) {
                self.changes.push(Change::Flag(name, holds));
            }
        }
        // Only what a record lets one judge again.
        let bounded = recorded.list("portcullis.bounded");
        let bounded: Vec<&str> = bounded.into_iter().filter(|name| *name == "max_output_tokens").collect();
        for (name, holds) in turned(&bounded, &replay.bounded) {
            self.changes.push(Change::Bound(name, holds));
        }
        for (side, entity, _) in &replay.passed {
            // What passed before is no change.
            let operators = recorded.tally(&format!("portcullis.{side}.operators"));
            let masked = operators.iter().any(|(operator, _)| !matches!(*operator, "none" | "flag"));
            if masked {
                self.changes.push(Change::Unmasked(side, entity.clone()));
            }
        }
    }

    /// Whether the record tells what would be decided.
    pub fn is_open(&self) -> bool {
        self.now.is_none() && self.unsure.iter().any(|unsure| unsure.could == Could::Refuse)
    }
}

/// What is in one list alone; `true`: in the second.
fn turned(before: &[&str], after: &[&str]) -> Vec<(String, bool)> {
    let gone = before.iter().filter(|name| !after.contains(name)).map(|name| ((*name).to_owned(), false));
    let come = after.iter().filter(|name| !before.contains(name)).map(|name| ((*name).to_owned(), true));
    gone.chain(come).collect()
}
