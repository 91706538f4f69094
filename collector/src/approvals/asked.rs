//! What a filter asks: read, and within bounds. What is shown to approvers is kept as it came, but for its length.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most bytes of the body of a request.
pub const MOST_BYTES: usize = 1 << 20;
/// Most bytes of the prompt that are kept.
const MOST_PROMPT: usize = 64 << 10;
/// Most bytes of all that is kept but the prompt.
const MOST_KEPT: usize = 64 << 10;
/// Most rules of one call.
const MOST_RULES: usize = 64;
/// Most groups of one rule, and most people that one may ask for.
const MOST_GROUPS: usize = 64;
const MOST_PEOPLE: u32 = 64;
/// Longest names: of rules and groups, and of callers, which PostgreSQL has to index.
const LONGEST_NAME: usize = 256;
const LONGEST_CALLER: usize = 2048;
/// Longest time that an approval lives, in seconds.
const LONGEST_LIFE: u32 = 30 * 24 * 60 * 60;

/// SHA-256 that names a call, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Binding(String);

/// Id of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Exchange(String);

/// Who wants to make the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// `issuer#subject`
    pub id: String,
    /// The rest of what is known, to be shown.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A rule that asks a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub rule: String,
    /// What it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Groups of which an approver must have one; empty: any approver.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// How many different people must approve.
    #[serde(default = "one")]
    pub quorum: u32,
}

/// A call, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which call.
    pub binding: Binding,
    /// The exchange that asked first.
    pub exchange: Exchange,
    /// Who calls.
    pub caller: Requester,
    /// Rules that all must be satisfied.
    pub rules: Vec<Rule>,
    /// Seconds that the approval lives.
    pub ttl: u32,
    /// What is shown beside that.
    #[serde(flatten)]
    pub shown: Shown,
}

/// What approvers see of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// The connection of the policy set.
    pub connection: String,
    /// The policy that asks.
    pub policy: String,
    /// Commit of the policy repository.
    pub revision: String,
    /// Of the policy.
    pub digest: String,
    /// The request view.
    pub request: Map<String, Value>,
    /// What is said, masked.
    pub prompt: Prompt,
    /// Entities found there, and how often.
    pub entities: Map<String, Value>,
    /// Rules that flagged.
    pub flags: Vec<String>,
    /// What the binding leaves out.
    pub ignored: Map<String, Value>,
}

/// What is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// The text, masked.
    pub text: String,
    /// Whether that is not all of it.
    pub cut: bool,
}

/// Why something cannot be asked. Nothing of what came is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// No JSON, or a member is missing or of another kind.
    #[error("the body is no question for an approval: {0}")]
    Json(String),
    /// A member is beyond its bounds.
    #[error("`{0}` {1}")]
    Member(&'static str, String),
    /// More than is kept.
    #[error("what is to be shown, the prompt apart, is longer than {MOST_KEPT} bytes")]
    Large,
}

fn one() -> u32 {
    1
}

impl Asked {
    /// Of the body of a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(body: &[u8]) -> Result<Self, Unclear> {
        let mut asked: Self = serde_json::from_slice(body).map_err(|error| Unclear::Json(plain(&error)))?;
        asked.check()?;
        let text = &mut asked.shown.prompt.text;
        let kept = cut(text, MOST_PROMPT).len();
        if kept < text.len() {
            text.truncate(kept);
            asked.shown.prompt.cut = true;
        }
        if asked.size() > MOST_KEPT.saturating_add(text_size(&asked.shown.prompt.text)) {
            return Err(Unclear::Large);
        }
        Ok(asked)
    }

    fn check(&self) -> Result<(), Unclear> {
        named("caller.id", &self.caller.id, LONGEST_CALLER)?;
        between("ttl", self.ttl, 1, LONGEST_LIFE)?;
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            return Err(Unclear::Member("rules", format!("holds 1 to {MOST_RULES} rules")));
        }
        for rule in &self.rules {
            named("rules.rule", &rule.rule, LONGEST_NAME)?;
            between("rules.quorum", rule.quorum, 1, MOST_PEOPLE)?;
            if rule.approvers.len() > MOST_GROUPS {
                return Err(Unclear::Member(
                    "rules.approvers",
                    format!("holds at most {MOST_GROUPS} groups"),
                ));
            }
            rule.approvers.iter().try_for_each(|group| named("rules.approvers", group, LONGEST_NAME))?;
        }
        Ok(())
    }

    /// Bytes of JSON.
    fn size(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    /// As it is kept, and as it is hashed: what an approver is shown.
    pub fn document(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn text_size(text: &str) -> usize {
    serde_json::to_vec(text).map_or(usize::MAX, |bytes| bytes.len())
}

/// Where and what, without the values that `serde` repeats.
fn plain(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    let known = ["missing field", "duplicate field", "a binding is", "an exchange is"];
    match known.iter().any(|known| what.starts_with(known)) {
        true => what,
        false if error.is_data() => format!("a member is not of the kind that it must be, at {place}"),
        false => format!("it is no JSON, at {place}"),
    }
}

fn named(member: &'static str, text: &str, longest: usize) -> Result<(), Unclear> {
    if text.is_empty() || text.len() > longest || text.chars().any(char::is_control) {
        let wrong = format!("is a text of 1 to {longest} bytes, without control characters");
        return Err(Unclear::Member(member, wrong));
    }
    Ok(())
}

fn between(member: &'static str, number: u32, least: u32, most: u32) -> Result<(), Unclear> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(Unclear::Member(member, format!("is a number from {least} to {most}")))
}

/// As much of a text as fits.
pub fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.split_at_checked(end).map_or("", |(head, _)| head)
}

impl TryFrom<String> for Binding {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == 64 {
            return Ok(Self(text));
        }
        Err("a binding is 64 hexadecimal digits in lower case")
    }
}

impl TryFrom<String> for Exchange {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // It is signed as a line of its own.
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && (1..=128).contains(&text.len()) {
            return Ok(Self(text));
        }
        Err("an exchange is 1 to 128 visible characters of ASCII")
    }
}

impl From<Binding> for String {
    fn from(binding: Binding) -> Self {
        binding.0
    }
}

impl From<Exchange> for String {
    fn from(exchange: Exchange) -> Self {
        exchange.0
    }
}

impl Binding {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Exchange {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question() -> Value {
        json!({
            "binding": "ab".repeat(32), "exchange": "4a0c1f6e-6f2e-4c55-9f0e-6f8d9f0f3c11",
            "caller": { "id": "https://idp.example.com#alice", "groups": ["rag-users"] },
            "connection": "llm", "policy": "llm", "revision": "0b5c2e1", "digest": "d",
            "request": { "method": "POST", "size": 512 },
            "rules": [{ "rule": "db-tools", "message": "m", "approvers": ["dba"], "quorum": 2 }],
            "prompt": { "text": "user: \u{0}hi", "cut": false }, "entities": { "EMAIL_ADDRESS": 1 },
            "flags": ["injection"], "ignored": { "/metadata/request_time": "now" }, "ttl": 900, "later": true
        })
    }

    fn with(pointer: &str, value: Value) -> Result<Asked, Unclear> {
        let mut question = question();
        *question.pointer_mut(pointer).unwrap() = value;
        Asked::of(question.to_string().as_bytes())
    }

    #[test]
    fn a_question_reads_as_it_was_kept() {
        let asked = Asked::of(question().to_string().as_bytes()).unwrap();
        assert_eq!(asked.rules[0].approvers, ["dba"]);
        assert_eq!(asked.caller.more["groups"], json!(["rag-users"]));
        let kept: Asked = serde_json::from_str(&asked.document()).unwrap();
        assert_eq!(kept, asked);
    }

    #[test]
    fn what_cannot_be_asked_is_said_without_repeating_it() {
        let secret = "secret\nsecret";
        for (pointer, value, told) in [
            ("/binding", json!(secret), "64 hexadecimal digits"),
            ("/binding", json!("AB".repeat(32)), "lower case"),
            ("/exchange", json!(secret), "visible characters"),
            ("/exchange", json!(""), "visible characters"),
            ("/caller/id", json!(secret), "`caller.id`"),
            ("/caller/id", json!(""), "`caller.id`"),
            ("/caller/id", json!("x".repeat(3000)), "`caller.id`"),
            ("/rules", json!([]), "`rules`"),
            ("/rules", json!(vec![question()["rules"][0].clone(); 65]), "`rules`"),
            ("/rules/0/quorum", json!(0), "`rules.quorum`"),
            ("/rules/0/quorum", json!(-1), "kind"),
            ("/rules/0/rule", json!(secret), "`rules.rule`"),
            ("/rules/0/approvers", json!([""]), "`rules.approvers`"),
            ("/ttl", json!(0), "`ttl`"),
            ("/ttl", json!("secret"), "kind"),
            ("/ttl", json!(1e9), "kind"),
            ("/ttl", json!(100_000_000), "`ttl`"),
            ("/request", json!({ "path": "x".repeat(70_000) }), "longer than"),
        ] {
            let told_instead = with(pointer, value).unwrap_err().to_string();
            assert!(
                told_instead.contains(told) && !told_instead.contains("secret"),
                "{pointer}: {told_instead}"
            );
        }
        assert!(Asked::of(b"{").unwrap_err().to_string().contains("no JSON"));
        assert!(Asked::of(b"{}").unwrap_err().to_string().contains("missing field"));
        assert!(Asked::of("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_long_prompt_is_cut_and_says_so() {
        let asked = with("/prompt/text", json!("é\u{1}".repeat(100_000))).unwrap();
        assert!(asked.shown.prompt.cut && asked.shown.prompt.text.len() <= MOST_PROMPT);
        assert!(!with("/prompt/text", json!("short")).unwrap().shown.prompt.cut);
    }
}
