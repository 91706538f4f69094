//! The order in which a policy is judged, and the verdict.
//!
//! `allow`; then the denies in order, the first that holds answers; then the flags; then the approvals, of which every
//! one that holds is needed. What fails to evaluate denies: a policy that cannot be decided has not said yes. In monitor
//! mode a denial is only noted (`would`), and judging goes on as if it had not been.

use super::condition::{Condition, EvalError};
use super::rules::{Effect, Mode, Policy, Rule};
use super::variables::Facts;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A rule holds, or `allow` does not.
    Forbidden,
    /// A condition failed to evaluate.
    PolicyError,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The rule that refuses; `None`: `allow`.
    pub rule: Option<String>,
    /// What the caller is told. Names the rule or is the policy's own text; never holds anything of the prompt.
    pub message: String,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on: at once, or when every [`Verdict::approvals`] that acts is given.
    Allow,
    /// It is refused.
    Deny(Denial),
}

/// A rule that asks a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its name.
    pub rule: String,
    /// What the caller is told, as in [`Denial`].
    pub message: String,
    /// In monitor it is only noted.
    pub mode: Mode,
}

/// What a policy says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of it.
    pub decision: Decision,
    /// Whether `allow` is true, in any mode. The upstream credential is given to none for whom it is not.
    pub allowed: bool,
    /// The first denial that a monitor mode kept from acting: what enforcing everything would have answered.
    pub would: Option<Denial>,
    /// Flags that hold, in order. None are judged on a refused request.
    pub flags: Vec<String>,
    /// Approvals that are needed, in order. None are on a refused request.
    pub approvals: Vec<Approval>,
    /// Conditions that failed to evaluate, by rule (`allow` for that).
    pub errors: Vec<(String, EvalError)>,
}

impl Verdict {
    /// The refusal, if it is one.
    pub fn denial(&self) -> Option<&Denial> {
        match &self.decision {
            Decision::Allow => None,
            Decision::Deny(denial) => Some(denial),
        }
    }

    /// Applies a denial in a mode; true: it acts, and nothing more may deny.
    fn deny(&mut self, denial: Denial, mode: Mode) -> bool {
        match mode {
            Mode::Enforce => self.decision = Decision::Deny(denial),
            Mode::Monitor => {
                self.would.get_or_insert(denial);
            }
        }
        mode == Mode::Enforce
    }
}

/// The name under which `allow` stands in [`Verdict::errors`].
pub const ALLOW: &str = "allow";

/// Decides the conditions of a policy, which only orders them. A request is judged by its own facts; a recorded one is by
/// those that its record tells.
pub trait Court {
    /// Decides a condition of a rule, or `allow` where there is none; `None`: nobody can tell, and judging goes on as if
    /// it did not object.
    fn decide(&mut self, rule: Option<&Rule>, condition: &Condition) -> Option<Result<bool, EvalError>>;
    /// What the caller is told by a rule that holds.
    ///
    /// # Errors
    /// A value that cannot be had: the rule fails then.
    fn said(&mut self, rule: &Rule) -> Result<Option<String>, EvalError>;
}

/// The facts of a request are all there.
struct AtHand<'a>(&'a dyn Facts);

impl Court for AtHand<'_> {
    fn decide(&mut self, _: Option<&Rule>, condition: &Condition) -> Option<Result<bool, EvalError>> {
        Some(condition.evaluate(self.0))
    }

    fn said(&mut self, rule: &Rule) -> Result<Option<String>, EvalError> {
        rule.said(self.0)
    }
}

impl Policy {
    /// Judges `allow` alone, before any body; `None`: it reads the body.
    ///
    /// A refusal is final. Otherwise [`Policy::judge`] is still to come, with the body if [`Policy::needs_body`]
    /// says so; it judges `allow` again, over the same facts.
    pub fn judge_head(&self, facts: &dyn Facts) -> Option<Verdict> {
        self.judge_head_in(&mut AtHand(facts))
    }

    /// Judges everything.
    pub fn judge(&self, facts: &dyn Facts) -> Verdict {
        self.judge_in(&mut AtHand(facts))
    }

    /// As [`Policy::judge_head`], where conditions are decided otherwise.
    pub fn judge_head_in(&self, court: &mut dyn Court) -> Option<Verdict> {
        (!self.allow().reads_body()).then(|| self.begin(court).0)
    }

    /// As [`Policy::judge`], where conditions are decided otherwise.
    pub fn judge_in(&self, court: &mut dyn Court) -> Verdict {
        let (mut verdict, refused) = self.begin(court);
        if refused || self.denies(&mut verdict, court) {
            return verdict;
        }
        for rule in self.of(Effect::Flag) {
            if let Answer::Yes = decide(Some(rule), rule.condition(), court, &mut verdict) {
                verdict.flags.push(rule.name().to_owned());
            }
        }
        self.approvals(&mut verdict, court);
        verdict
    }

    /// Judges the approvals: all of them, for a human sees at once what is asked, and one that fails refuses.
    fn approvals(&self, verdict: &mut Verdict, court: &mut dyn Court) {
        let (mut needed, mut refused) = (Vec::new(), false);
        for rule in self.of(Effect::Approve) {
            let mode = rule.mode(self.mode());
            match holds(rule, court, verdict) {
                None => {}
                Some(Ok(own)) => {
                    let name = rule.name();
                    let usual = || format!("The rule \"{name}\" asks a human to approve this request.");
                    let message = own.unwrap_or_else(usual);
                    needed.push(Approval { rule: name.to_owned(), message, mode });
                }
                Some(Err(())) => {
                    let denial = denial(Reason::PolicyError, Some(rule.name()), None);
                    // The first that acts has answered.
                    refused = refused || verdict.deny(denial, mode);
                }
            }
        }
        if !refused {
            verdict.approvals = needed;
        }
    }

    fn of(&self, effect: Effect) -> impl Iterator<Item = &Rule> {
        self.rules().iter().filter(move |rule| rule.effect() == effect)
    }

    /// A verdict on `allow`; true: it refuses.
    fn begin(&self, court: &mut dyn Court) -> (Verdict, bool) {
        let mut verdict = Verdict {
            decision: Decision::Allow,
            allowed: false,
            would: None,
            flags: Vec::new(),
            approvals: Vec::new(),
            errors: Vec::new(),
        };
        let denial = match decide(None, self.allow(), court, &mut verdict) {
            Answer::Yes => {
                verdict.allowed = true;
                return (verdict, false);
            }
            Answer::Untold => return (verdict, false),
            Answer::No => denial(Reason::Forbidden, None, None),
            Answer::Failed => denial(Reason::PolicyError, None, None),
        };
        let refused = verdict.deny(denial, self.mode());
        (verdict, refused)
    }

    /// Judges the denies; true: one refuses.
    fn denies(&self, verdict: &mut Verdict, court: &mut dyn Court) -> bool {
        self.of(Effect::Deny).any(|rule| {
            let denial = match holds(rule, court, verdict) {
                None => return false,
                Some(Ok(own)) => denial(Reason::Forbidden, Some(rule.name()), own),
                Some(Err(())) => denial(Reason::PolicyError, Some(rule.name()), None),
            };
            verdict.deny(denial, rule.mode(self.mode()))
        })
    }
}

/// Whether a rule holds, with its own words for it; an error, of its condition or its words, is noted under its name.
fn holds(rule: &Rule, court: &mut dyn Court, verdict: &mut Verdict) -> Option<Result<Option<String>, ()>> {
    match decide(Some(rule), rule.condition(), court, verdict) {
        Answer::No | Answer::Untold => None,
        Answer::Failed => Some(Err(())),
        Answer::Yes => Some(court.said(rule).map_err(|error| {
            verdict.errors.push((rule.name().to_owned(), error));
        })),
    }
}

/// What a condition comes to.
enum Answer {
    Yes,
    No,
    Failed,
    Untold,
}

/// Has a condition decided; an error is noted under the rule's name.
fn decide(
    rule: Option<&Rule>,
    condition: &Condition,
    court: &mut dyn Court,
    verdict: &mut Verdict,
) -> Answer {
    match court.decide(rule, condition) {
        None => Answer::Untold,
        Some(Ok(true)) => Answer::Yes,
        Some(Ok(false)) => Answer::No,
        Some(Err(error)) => {
            verdict.errors.push((rule.map_or(ALLOW, Rule::name).to_owned(), error));
            Answer::Failed
        }
    }
}

/// A refusal in words. A rule's own message says why it forbids, so it is not given for a rule that failed.
fn denial(reason: Reason, rule: Option<&str>, message: Option<String>) -> Denial {
    let message = match (reason, rule, message) {
        (Reason::Forbidden, _, Some(own)) => own,
        (Reason::Forbidden, Some(rule), None) => format!("The rule \"{rule}\" forbids this request."),
        (Reason::Forbidden, None, None) => "You are not allowed to use this.".to_owned(),
        (Reason::PolicyError, Some(rule), _) => format!("The rule \"{rule}\" could not be decided."),
        (Reason::PolicyError, None, _) => {
            "It could not be decided whether you are allowed to use this.".to_owned()
        }
    };
    Denial { reason, rule: rule.map(str::to_owned), message }
}

#[cfg(test)]
mod tests;
