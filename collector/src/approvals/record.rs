//! What happened to an approval, as a record of the collector's own chain.

use portcullis::audit::chain::hash;
use portcullis::audit::value::{Text, Texts, rfc3339};
use serde_json::{Map, Value, json};

use super::state::{Approval, Cast, Event, State, Vote};

/// The event of what happens to an approval.
pub const APPROVAL: &str = "portcullis.collector.approval";
/// The event of a vote that nobody else had to share.
pub const BREAK_GLASS: &str = "portcullis.collector.break_glass";

impl Event {
    /// Its name in records and notifications.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Voted => "voted",
            Self::BrokenGlass => "broken_glass",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Spent => "spent",
        }
    }

    /// The event of its record.
    pub fn record(self) -> &'static str {
        if self == Self::BrokenGlass { BREAK_GLASS } else { APPROVAL }
    }

    /// Whether it is the last vote.
    fn is_vote(self) -> bool {
        matches!(self, Self::Voted | Self::BrokenGlass | Self::Denied)
    }
}

/// The members of a record: who, what, which rules, until when; nothing of what was said to the model.
pub fn members(approval: &Approval, event: Event) -> Map<String, Value> {
    let asked = &approval.asked;
    let text = |text: &str| json!(Text::from(text).as_str());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| _ = members.insert(name.to_owned(), value);
    put("portcullis.approval", text(&approval.id));
    put("portcullis.approval.what", json!(event.name()));
    put("portcullis.approval.binding", text(asked.binding.as_str()));
    put("portcullis.approval.expires", json!(rfc3339(u64::try_from(approval.expires).unwrap_or_default())));
    put("portcullis.approval.rules", json!(list_of_rules(approval)));
    put("portcullis.approval.shown", json!(hash(&asked.document())));
    let exchange = match approval.noted() {
        State::Spent(exchange) => exchange,
        _ => &asked.exchange,
    };
    put("portcullis.exchange", text(exchange.as_str()));
    put("user.id", text(&asked.caller.id));
    let shown = &asked.shown;
    for (name, value) in [
        ("portcullis.connection", &shown.connection),
        ("portcullis.policy", &shown.policy),
        ("portcullis.revision", &shown.revision),
        ("portcullis.digest", &shown.digest),
    ] {
        if !value.is_empty() {
            put(name, text(value));
        }
    }
    if matches!(event, Event::Approved | Event::Spent) {
        put("portcullis.approval.by", list(approval.by()));
    }
    if let Some(vote) = approval.votes().last().filter(|_| event.is_vote()) {
        put("portcullis.approval.approver", text(&vote.by));
        if let Some(reason) = vote.reason() {
            put("portcullis.approval.reason", text(reason));
        }
    }
    members
}

impl Vote {
    /// Why, in the approver's words.
    pub fn reason(&self) -> Option<&str> {
        match &self.cast {
            Cast::Approve { reason, .. } => reason.as_deref(),
            Cast::Deny { reason } | Cast::BreakGlass { reason } => Some(reason),
        }
    }
}

fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    json!(items.into_iter().collect::<Texts>().items())
}

/// Names of the rules that ask.
pub fn list_of_rules(approval: &Approval) -> Vec<String> {
    approval.asked.rules.iter().map(|rule| rule.rule.as_str()).collect::<Texts>().items()
}
