//! Approvals as they are shown: to the filter, which needs the state, and to people, who need everything.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::state::{Approval, Approver, Ballot, Cast, State, Vote};

/// As the protocol answers.
pub fn answer(approval: &Approval, now: i64) -> Map<String, Value> {
    let state = approval.state(now);
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| _ = answer.insert(name.to_owned(), value);
    put("id", json!(approval.id));
    put("state", json!(state.name()));
    put("expires", json!(seconds(approval.expires)));
    match state {
        State::Approved => put("by", json!(approval.by())),
        State::Denied => {
            put("by", json!(approval.by()));
            put("reason", json!(approval.reason()));
        }
        State::Spent(exchange) => {
            put("by", json!(approval.by()));
            put("exchange", json!(exchange.as_str()));
        }
        State::Pending | State::Expired => (),
    }
    answer
}

/// As a list shows it to somebody.
pub fn listed(approval: &Approval, now: i64, to: &Approver, may: May) -> Map<String, Value> {
    let asked = &approval.asked;
    let mut shown = answer(approval, now);
    if let Some(spent) = shown.remove("exchange") {
        shown.insert("spent_by".to_owned(), spent);
    }
    let mut put = |name: &str, value: Value| _ = shown.insert(name.to_owned(), value);
    put("opened", json!(seconds(approval.opened)));
    put("exchange", json!(asked.exchange.as_str()));
    put("caller", json!(asked.caller));
    put("connection", json!(asked.shown.connection));
    put("policy", json!(asked.shown.policy));
    put("revision", json!(asked.shown.revision));
    put("digest", json!(asked.shown.digest));
    put("request", json!(asked.shown.request));
    put("entities", json!(asked.shown.entities));
    put("flags", json!(asked.shown.flags));
    let rules = asked.rules.iter().zip(approval.yes()).map(|(rule, yes)| {
        json!({ "rule": rule.rule, "message": rule.message, "approvers": rule.approvers,
            "quorum": rule.quorum, "approved_by": yes })
    });
    put("rules", rules.collect());
    put("votes", approval.votes().iter().map(|vote| voted(approval, vote)).collect());
    put("may", may.of(approval, now, to));
    shown
}

/// The whole of it: the prompt too, and what the binding leaves out.
pub fn whole(approval: &Approval, now: i64, to: &Approver, may: May) -> Map<String, Value> {
    let mut shown = listed(approval, now, to, may);
    shown.insert("binding".to_owned(), json!(approval.asked.binding.as_str()));
    shown.insert("prompt".to_owned(), json!(approval.asked.shown.prompt));
    shown.insert("ignored".to_owned(), json!(approval.asked.shown.ignored));
    shown
}

/// What somebody's roles allow.
#[derive(Debug, Clone, Copy)]
pub struct May {
    /// To vote.
    pub vote: bool,
    /// To do without the votes of others.
    pub break_glass: bool,
}

impl May {
    /// What somebody can do now, and why not.
    fn of(self, approval: &Approval, now: i64, who: &Approver) -> Value {
        let text = String::new;
        let can = |role: bool, ballot: Ballot| match approval.may(now, who, &ballot) {
            _ if !role => Err("your role does not allow it".to_owned()),
            may => may.map_err(|refusal| refusal.to_string()),
        };
        let approve = can(self.vote, Ballot::Approve(None));
        let deny = can(self.vote, Ballot::Deny(text()));
        let break_glass = can(self.break_glass, Ballot::BreakGlass(text()));
        json!({ "approve": approve.is_ok(), "deny": deny.is_ok(), "break_glass": break_glass.is_ok(),
            "why_not": approve.err() })
    }
}

fn voted(approval: &Approval, vote: &Vote) -> Value {
    let (what, rules) = match &vote.cast {
        Cast::Approve { rules, .. } => ("approve", rules.as_slice()),
        Cast::Deny { .. } => ("deny", &[][..]),
        Cast::BreakGlass { .. } => ("break_glass", &[][..]),
    };
    let rules = rules.iter().filter_map(|rule| approval.asked.rules.get(*rule));
    let rules: Vec<&str> = rules.map(|rule| rule.rule.as_str()).collect();
    json!({ "by": vote.by, "name": vote.name, "time": seconds(vote.at), "vote": what, "reason": vote.reason(),
        "rules": rules })
}

/// A time, in whole seconds; never later than it is.
pub fn seconds(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}
