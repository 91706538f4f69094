//! What of a record is searched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Longest value that is searched for; longer ones are cut. PostgreSQL indexes no text beyond 2,700 bytes.
const LONGEST: usize = 1024;
/// Most values of one record.
const MOST: usize = 256;
/// Longest text of one record that is searched.
const LONGEST_TEXT: usize = 256 << 10;

/// A way to search: each has the name of its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `portcullis.identity.subject`
    Subject,
    /// One of `portcullis.identity.groups`
    Group,
    /// `portcullis.connection`
    Connection,
    /// `portcullis.policy`
    Policy,
    /// `portcullis.revision`
    Revision,
    /// `portcullis.decision`
    Decision,
    /// A rule that decided, flagged or asks a human, or would have
    Rule,
    /// An entity found in prompt or answer
    Entity,
    /// The model asked for, or the one that answered
    Model,
}

/// Kind, number in the database, the members of a record that hold its values.
pub const KINDS: [(Kind, i64, &[&str]); 9] = [
    (Kind::Subject, 1, &["portcullis.identity.subject"]),
    (Kind::Group, 2, &["portcullis.identity.groups"]),
    (Kind::Connection, 3, &["portcullis.connection"]),
    (Kind::Policy, 4, &["portcullis.policy"]),
    (Kind::Revision, 5, &["portcullis.revision"]),
    (Kind::Decision, 6, &["portcullis.decision"]),
    (
        Kind::Rule,
        7,
        &["portcullis.rule", "portcullis.flags", "portcullis.approvals", "portcullis.would_rule"],
    ),
    (Kind::Entity, 8, &["portcullis.prompt.entities", "portcullis.response.entities"]),
    (Kind::Model, 9, &["gen_ai.request.model", "gen_ai.response.model"]),
];

/// What a list of exchanges shows of one, and the member that holds it.
pub const SHOWN: [&str; 9] = [
    "user.id",
    "portcullis.connection",
    "portcullis.policy",
    "portcullis.revision",
    "portcullis.decision",
    "portcullis.reason",
    "portcullis.rule",
    "gen_ai.request.model",
    "portcullis.outcome",
];

/// How much a record tells of its exchange; a list shows what the greatest one says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A part.
    Part,
    /// The start.
    Start,
    /// The end.
    End,
}

/// What of a record of an exchange is searched.
#[derive(Debug, Clone)]
pub struct Indexed {
    /// Id of the exchange.
    pub exchange: String,
    /// Which of its records this is.
    pub rank: Rank,
    /// In the order of [`SHOWN`].
    pub shown: Vec<Option<String>>,
    /// Values, by the numbers of their kinds.
    pub marks: BTreeSet<(i64, String)>,
    /// What was said; empty: nothing is kept of it.
    pub text: String,
}

impl Indexed {
    /// Of a record; `None`: it belongs to no exchange.
    pub fn of(event: &str, record: &Map<String, Value>) -> Option<Self> {
        let rank = match event {
            "portcullis.exchange.start" => Rank::Start,
            "portcullis.exchange.part" => Rank::Part,
            "portcullis.exchange.end" => Rank::End,
            _ => return None,
        };
        let text = |name: &&str| record.get(*name).and_then(Value::as_str).map(clean);
        let marks = KINDS.iter().flat_map(|(_, number, members)| {
            let values = members.iter().filter_map(|name| record.get(*name)).flat_map(values);
            values.map(|value| (*number, clean(value)))
        });
        Some(Self {
            exchange: text(&"portcullis.exchange")?,
            rank,
            shown: SHOWN.iter().map(text).collect(),
            marks: marks.take(MOST).collect(),
            text: said(record),
        })
    }
}

/// The values of a member: a text, a list of texts, or the names of an object.
fn values(member: &Value) -> Vec<&str> {
    match member {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Object(members) => members.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value as it is searched for: PostgreSQL keeps no NUL in a text.
pub fn clean(text: &str) -> String {
    cut(text, LONGEST).replace('\0', "\u{fffd}")
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.split_at_checked(end).map_or("", |(head, _)| head)
}

/// Prompt and answer: each text put together from its pieces.
fn said(record: &Map<String, Value>) -> String {
    let mut all = String::new();
    for name in ["portcullis.prompt.texts", "portcullis.response.texts"] {
        let mut texts: BTreeMap<u64, String> = BTreeMap::new();
        for piece in record.get(name).and_then(Value::as_array).into_iter().flatten() {
            let (of, text) =
                (piece.get("of").and_then(Value::as_u64), piece.get("text").and_then(Value::as_str));
            texts.entry(of.unwrap_or_default()).or_default().push_str(text.unwrap_or_default());
        }
        for text in texts.values() {
            all.push_str(text);
            all.push('\n');
        }
    }
    cut(&all, LONGEST_TEXT).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_put_together_and_values_found_wherever_they_stand() {
        let record = json!({
            "portcullis.exchange": "x", "portcullis.rule": "cards", "portcullis.flags": ["injection"],
            "portcullis.prompt.entities": { "EMAIL_ADDRESS": 1 }, "gen_ai.request.model": "a\u{0}b",
            "portcullis.prompt.texts": [{ "of": 1, "text": "Who is Al" }, { "of": 2, "text": "Brief." }, { "of": 1, "text": "ice?" }],
        });
        let found = Indexed::of("portcullis.exchange.start", record.as_object().unwrap()).unwrap();
        assert_eq!(found.text, "Who is Alice?\nBrief.\n");
        let marks: Vec<_> = found.marks.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
        assert_eq!(marks, [(7, "cards"), (7, "injection"), (8, "EMAIL_ADDRESS"), (9, "a\u{fffd}b")]);
    }

    #[test]
    fn what_a_forged_record_holds_is_bounded() {
        let many: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        let record = json!({ "portcullis.exchange": "é".repeat(10_000), "portcullis.flags": many,
            "portcullis.prompt.texts": [{ "of": 1, "text": "é".repeat(300_000) }] });
        let found = Indexed::of("portcullis.exchange.end", record.as_object().unwrap()).unwrap();
        assert_eq!((found.exchange.len(), found.marks.len(), found.text.len()), (1024, 256, 256 << 10));
    }
}
