//! One approval, as a state machine: pending → approved | denied | expired; approved → spent | expired.
//!
//! Pure: what it does follows from what happens and when, so that every order of events can be tried. The database keeps
//! what it holds, and lets one event happen at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::asked::{Asked, Binding, Exchange, Rule};

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The call.
    pub asked: Arc<Asked>,
    /// When it was opened, in nanoseconds since 1970.
    pub opened: i64,
    /// From when on it is over.
    pub expires: i64,
    state: State,
    votes: Vec<Vote>,
}

/// Where an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody, or not everybody, has said yes.
    Pending,
    /// May be spent.
    Approved,
    /// Will not be.
    Denied,
    /// Its time is over.
    Expired,
    /// This exchange was let through.
    Spent(Exchange),
}

/// Somebody who may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// `issuer#subject`
    pub id: String,
    /// To be shown to people.
    pub name: String,
    /// What rules may ask for.
    pub groups: BTreeSet<String>,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// The same, to be shown to people.
    pub name: String,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub cast: Cast,
}

/// What can be said, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "vote", rename_all = "snake_case")]
pub enum Cast {
    /// Yes, to the rules of these places, whose groups the approver had at that moment.
    Approve {
        /// Places in the list of rules.
        rules: Vec<usize>,
        /// In the approver's words.
        reason: Option<String>,
    },
    /// No.
    Deny {
        /// In the approver's words.
        reason: String,
    },
    /// Yes to everything, whoever else would have had to say it.
    BreakGlass {
        /// In the approver's words.
        reason: String,
    },
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ballot {
    /// Yes.
    Approve(Option<String>),
    /// No, because.
    Deny(String),
    /// Yes to everything, because.
    BreakGlass(String),
}

/// What happened. Each is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody is asked.
    Opened,
    /// The last vote was a yes.
    Voted,
    /// The last vote broke the glass.
    BrokenGlass,
    /// That was enough.
    Approved,
    /// The last vote was a no.
    Denied,
    /// Its time is over.
    Expired,
    /// An exchange was let through.
    Spent,
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is the approver's own call.
    #[error("nobody approves their own call: somebody else has to")]
    Own,
    /// No rule asks this one.
    #[error("none of the rules asks a group of yours")]
    Stranger,
    /// One vote a person.
    #[error("you have voted already")]
    Again,
    /// There is nothing to decide any more.
    #[error("this approval is not pending any more: it is {0}")]
    Over(&'static str),
}

/// What spending did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// It is spent now, by this exchange.
    Now,
    /// This exchange spent it before; its answer was lost.
    Before,
    /// Not by this exchange.
    No,
}

impl State {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Spent(_) => "spent",
        }
    }

    /// By its name; the exchange belongs to a spent one alone.
    pub fn named(name: &str, exchange: Option<Exchange>) -> Option<Self> {
        Some(match (name, exchange) {
            ("pending", None) => Self::Pending,
            ("approved", None) => Self::Approved,
            ("denied", None) => Self::Denied,
            ("expired", None) => Self::Expired,
            ("spent", Some(exchange)) => Self::Spent(exchange),
            _ => return None,
        })
    }
}

impl Approval {
    /// A new one.
    pub fn open(id: String, asked: Arc<Asked>, now: i64) -> Self {
        let life = i64::from(asked.ttl).saturating_mul(1_000_000_000);
        let expires = now.saturating_add(life);
        Self { id, asked, opened: now, expires, state: State::Pending, votes: Vec::new() }
    }

    /// As it was kept.
    pub fn kept(id: String, asked: Arc<Asked>, times: (i64, i64), state: State, votes: Vec<Vote>) -> Self {
        Self { id, asked, opened: times.0, expires: times.1, state, votes }
    }

    /// Where it stands: what is to be spent or decided is over with its time, whether or not somebody noted that.
    pub fn state(&self, now: i64) -> State {
        match self.state {
            State::Pending | State::Approved if now >= self.expires => State::Expired,
            _ => self.state.clone(),
        }
    }

    /// Where it stands in the database.
    pub fn noted(&self) -> &State {
        &self.state
    }

    /// Whether it answers for its call, so that no other is opened.
    pub fn answers(&self, now: i64) -> bool {
        now < self.expires && matches!(self.state, State::Pending | State::Approved | State::Denied)
    }

    /// What was said.
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// Somebody says yes or no.
    ///
    /// # Errors
    /// It does not count, and nothing happened.
    pub fn vote(&mut self, now: i64, by: &Approver, ballot: Ballot) -> Result<Vec<Event>, Refusal> {
        self.may(now, by, &ballot)?;
        let (cast, event) = match ballot {
            Ballot::Approve(reason) => {
                (Cast::Approve { rules: self.rules_of(by).collect(), reason }, Event::Voted)
            }
            Ballot::Deny(reason) => (Cast::Deny { reason }, Event::Denied),
            Ballot::BreakGlass(reason) => (Cast::BreakGlass { reason }, Event::BrokenGlass),
        };
        self.votes.push(Vote { by: by.id.clone(), name: by.name.clone(), at: now, cast });
        if event == Event::Denied {
            self.state = State::Denied;
            return Ok(vec![event]);
        }
        if !self.satisfied() {
            return Ok(vec![event]);
        }
        self.state = State::Approved;
        Ok(vec![event, Event::Approved])
    }

    /// Whether a vote would count.
    ///
    /// # Errors
    /// Why it would not.
    pub fn may(&self, now: i64, by: &Approver, ballot: &Ballot) -> Result<(), Refusal> {
        match self.state(now) {
            State::Pending => (),
            state => return Err(Refusal::Over(state.name())),
        }
        if matches!(ballot, Ballot::BreakGlass(_)) {
            return Ok(());
        }
        if matches!(ballot, Ballot::Approve(_)) && by.id == self.asked.caller.id {
            return Err(Refusal::Own);
        }
        if self.votes.iter().any(|vote| vote.by == by.id) {
            return Err(Refusal::Again);
        }
        if self.rules_of(by).next().is_none() {
            return Err(Refusal::Stranger);
        }
        Ok(())
    }

    /// Places of the rules that ask a group of this one.
    fn rules_of(&self, by: &Approver) -> impl Iterator<Item = usize> {
        let asks = |rule: &Rule| {
            rule.approvers.is_empty() || rule.approvers.iter().any(|group| by.groups.contains(group))
        };
        let rules = self.asked.rules.iter().enumerate();
        rules.filter(move |(_, rule)| asks(rule)).map(|(place, _)| place)
    }

    /// Those who said yes to each rule.
    pub fn yes(&self) -> Vec<BTreeSet<&str>> {
        let mut yes: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for vote in &self.votes {
            if let Cast::Approve { rules, .. } = &vote.cast {
                rules.iter().for_each(|rule| _ = yes.entry(*rule).or_default().insert(&vote.by));
            }
        }
        let rules = 0..self.asked.rules.len();
        rules.map(|rule| yes.remove(&rule).unwrap_or_default()).collect()
    }

    /// Whether everybody who is asked said yes, whatever came of it since.
    pub fn is_approved(&self) -> bool {
        self.state != State::Denied && self.satisfied()
    }

    fn satisfied(&self) -> bool {
        if self.votes.iter().any(|vote| matches!(vote.cast, Cast::BreakGlass { .. })) {
            return true;
        }
        let enough = |(rule, yes): (&Rule, BTreeSet<&str>)| {
            usize::try_from(rule.quorum).is_ok_and(|quorum| yes.len() >= quorum)
        };
        self.asked.rules.iter().zip(self.yes()).all(enough)
    }

    /// Who decided: those who approved, or the one who denied.
    pub fn by(&self) -> BTreeSet<&str> {
        let denied = self.state == State::Denied;
        let decided = |vote: &&Vote| matches!(vote.cast, Cast::Deny { .. }) == denied;
        self.votes.iter().filter(decided).map(|vote| vote.by.as_str()).collect()
    }

    /// Why it was denied.
    pub fn reason(&self) -> Option<&str> {
        self.votes.iter().find_map(|vote| match &vote.cast {
            Cast::Deny { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    /// An exchange wants to be let through.
    pub fn spend(&mut self, now: i64, binding: &Binding, exchange: &Exchange) -> Spend {
        if *binding != self.asked.binding {
            return Spend::No;
        }
        match self.state(now) {
            State::Spent(by) if by == *exchange => Spend::Before,
            State::Approved => {
                self.state = State::Spent(exchange.clone());
                Spend::Now
            }
            _ => Spend::No,
        }
    }

    /// Notes that its time is over; whether that is new.
    pub fn expire(&mut self, now: i64) -> bool {
        let over = self.state(now);
        let new = over != self.state;
        self.state = over;
        new
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn approval(rules: Value) -> Approval {
        let asked = json!({ "binding": "0".repeat(64), "exchange": "x", "caller": { "id": "alice" },
            "rules": rules, "ttl": 10 });
        Approval::open("apr_".to_owned(), Arc::new(Asked::of(asked.to_string().as_bytes()).unwrap()), 0)
    }

    fn person(id: &str, groups: &[&str]) -> Approver {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Approver { id: id.to_owned(), name: id.to_owned(), groups }
    }

    fn yes() -> Ballot {
        Ballot::Approve(None)
    }

    fn no() -> Ballot {
        Ballot::Deny("no".to_owned())
    }

    #[test]
    fn nobody_approves_their_own_call_whatever_their_groups() {
        let mut own = approval(json!([{ "rule": "r", "approvers": ["dba"] }]));
        assert_eq!(own.vote(1, &person("alice", &["dba"]), yes()), Err(Refusal::Own));
        assert_eq!((own.state(1), own.votes().len()), (State::Pending, 0));
        // To withdraw it harms nobody.
        assert_eq!(own.vote(1, &person("alice", &["dba"]), no()), Ok(vec![Event::Denied]));
    }

    #[test]
    fn a_quorum_is_of_different_people() {
        let mut two = approval(json!([{ "rule": "r", "quorum": 2 }]));
        assert_eq!(two.vote(1, &person("bob", &[]), yes()), Ok(vec![Event::Voted]));
        assert_eq!(two.vote(2, &person("bob", &["x"]), yes()), Err(Refusal::Again));
        assert_eq!(two.vote(2, &person("bob", &[]), no()), Err(Refusal::Again));
        assert_eq!(two.state(2), State::Pending);
        assert_eq!(two.vote(3, &person("carol", &[]), yes()), Ok(vec![Event::Voted, Event::Approved]));
        assert_eq!(two.by().into_iter().collect::<Vec<_>>(), ["bob", "carol"]);
    }

    #[test]
    fn each_rule_is_for_its_own_groups_and_a_vote_counts_where_it_may() {
        let rules = json!([
            { "rule": "tools", "approvers": ["dba"], "quorum": 1 },
            { "rule": "money", "approvers": ["finance", "board"], "quorum": 2 },
        ]);
        let mut both = approval(rules);
        assert_eq!(both.vote(1, &person("eve", &["web"]), yes()), Err(Refusal::Stranger));
        assert_eq!(both.vote(1, &person("eve", &["DBA", "dba "]), no()), Err(Refusal::Stranger));
        assert_eq!(both.vote(1, &person("bob", &["dba", "board"]), yes()), Ok(vec![Event::Voted]));
        assert_eq!(both.vote(2, &person("carol", &["dba"]), yes()), Ok(vec![Event::Voted]));
        assert_eq!(both.state(2), State::Pending);
        let last = both.vote(3, &person("dan", &["finance"]), yes());
        assert_eq!(last, Ok(vec![Event::Voted, Event::Approved]));
    }

    #[test]
    fn one_denial_denies_and_its_reason_stays() {
        let mut denied = approval(json!([{ "rule": "r", "quorum": 2 }]));
        denied.vote(1, &person("bob", &[]), yes()).unwrap();
        assert_eq!(denied.vote(2, &person("carol", &[]), no()), Ok(vec![Event::Denied]));
        assert_eq!((denied.reason(), denied.by()), (Some("no"), BTreeSet::from(["carol"])));
        assert_eq!(denied.vote(3, &person("dan", &[]), yes()), Err(Refusal::Over("denied")));
        let broken = Ballot::BreakGlass("fire".to_owned());
        assert_eq!(denied.vote(3, &person("dan", &[]), broken), Err(Refusal::Over("denied")));
        // It answers for its call until its time is over, and is denied for ever.
        assert!(denied.answers(9_999_999_999) && !denied.answers(10_000_000_000));
        assert_eq!(denied.state(i64::MAX), State::Denied);
    }

    #[test]
    fn the_glass_satisfies_every_rule_also_for_ones_own_call_and_after_a_vote() {
        let rules = json!([{ "rule": "r", "approvers": ["dba"], "quorum": 3 }, { "rule": "s", "quorum": 2 }]);
        let mut own = approval(rules.clone());
        let broken = || Ballot::BreakGlass("fire".to_owned());
        let events = own.vote(1, &person("alice", &[]), broken());
        assert_eq!(events, Ok(vec![Event::BrokenGlass, Event::Approved]));
        let mut voted = approval(rules);
        voted.vote(1, &person("bob", &[]), yes()).unwrap();
        assert!(voted.vote(2, &person("bob", &[]), broken()).is_ok());
        assert_eq!(voted.state(2), State::Approved);
    }

    #[test]
    fn what_is_over_is_over_at_its_very_moment() {
        let mut late = approval(json!([{ "rule": "r" }]));
        let end = late.expires;
        assert_eq!(late.vote(end, &person("bob", &[]), yes()), Err(Refusal::Over("expired")));
        assert!(late.vote(end - 1, &person("bob", &[]), yes()).is_ok());
        let (binding, exchange) = (late.asked.binding.clone(), late.asked.exchange.clone());
        assert_eq!(late.clone().spend(end, &binding, &exchange), Spend::No);
        assert_eq!(late.spend(end - 1, &binding, &exchange), Spend::Now);
        assert_eq!(late.spend(end, &binding, &exchange), Spend::Before);
        assert!(!late.expire(end) && late.state(end) == State::Spent(exchange));
    }

    #[test]
    fn votes_are_kept_as_they_were_cast() {
        let mut kept = approval(json!([{ "rule": "r", "quorum": 9 }]));
        kept.vote(1, &person("bob", &[]), Ballot::Approve(Some("ok".to_owned()))).unwrap();
        kept.vote(2, &person("carol", &[]), no()).unwrap();
        let text = serde_json::to_string(kept.votes()).unwrap();
        let votes: Vec<Vote> = serde_json::from_str(&text).unwrap();
        let again =
            Approval::kept(kept.id.clone(), kept.asked.clone(), (0, kept.expires), State::Denied, votes);
        assert_eq!(again, kept);
    }
}
