//! What was expected against what came: each difference is named, and shown so that people see it.

use std::fmt::Write as _;

use portcullis::host::Header;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::case::{Body, Case, Given, Message};
use super::events;
use super::play::{Outcome, Sent};

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, such as `decision` or `request.body`.
    pub what: String,
    /// How, in one line or several.
    pub how: String,
}

/// Compares what came of a case with what it expects; none: the case holds.
pub fn judge(case: &Case, outcome: &Outcome) -> Vec<Difference> {
    let mut judge = Judge { found: Vec::new() };
    judge.record(case, outcome);
    judge.refusal(case, outcome);
    let forwarded = outcome.request.is_some();
    if let Some(wanted) = case.expect.forwarded
        && wanted != forwarded
    {
        judge.found("forwarded", format!("expected {wanted}, got {forwarded}"));
    }
    let speaks_of_request = case.expect.request.speaks();
    match &outcome.request {
        Some(sent) => judge.message("request", &case.expect.request, sent, &case.request),
        None if speaks_of_request => judge.found("request", "nothing went upstream".to_owned()),
        None => {}
    }
    judge.message("answer", &case.expect.answer, &outcome.answer, &case.answer);
    judge.found
}

impl Message {
    fn speaks(&self) -> bool {
        let texts = !self.headers.is_empty() || !self.contains.is_empty() || !self.lacks.is_empty();
        texts || self.path.is_some() || self.status.is_some() || self.body.is_some() || self.unchanged
    }
}

struct Judge {
    found: Vec<Difference>,
}

impl Judge {
    fn found(&mut self, what: &str, how: String) {
        self.found.push(Difference { what: what.to_owned(), how });
    }

    fn record(&mut self, case: &Case, outcome: &Outcome) {
        if outcome.record.is_empty() && !case.expect.record.is_empty() {
            return self.found("record", "the exchange passes unrecorded".to_owned());
        }
        for (field, wanted) in &case.expect.record {
            let got = outcome.record.get(field).unwrap_or(&Value::Null);
            if got != wanted {
                let name = field.strip_prefix("portcullis.").unwrap_or(field);
                self.found(name, format!("expected {}, got {}", told(wanted), told(got)));
            }
        }
    }

    fn refusal(&mut self, case: &Case, outcome: &Outcome) {
        let Some(wanted) = &case.expect.message else { return };
        let body = String::from_utf8_lossy(&outcome.answer.body);
        let quoted = serde_json::to_string(wanted).unwrap_or_default();
        let inner = quoted.trim_matches('"');
        if !body.contains(wanted.as_str()) && !body.contains(inner) {
            self.found("message", format!("expected {wanted:?} in\n{body}"));
        }
    }

    fn message(&mut self, side: &str, wanted: &Message, got: &Sent, given: &Given) {
        let part = |name: &str| format!("{side}.{name}");
        if let Some(path) = &wanted.path
            && *path != got.path
        {
            self.found(&part("path"), format!("expected {path}, got {}", got.path));
        }
        if let Some(status) = wanted.status
            && status != i64::from(got.status)
        {
            self.found(&part("status"), format!("expected {status}, got {}", got.status));
        }
        for (name, value) in &wanted.headers {
            self.header(&part(&format!("headers.{name}")), name, value.as_deref(), &got.headers);
        }
        if wanted.unchanged && got.body != given.body {
            let (before, after) = (shown(&given.body), shown(&got.body));
            self.found(&part("body"), format!("is changed\n{}", differences(&before, &after)));
        }
        if let Some(body) = &wanted.body {
            self.body(&part("body"), body, got);
        }
        let text = String::from_utf8_lossy(&got.body);
        for wanted in wanted.contains.iter().filter(|wanted| !text.contains(wanted.as_str())) {
            self.found(&part("body"), format!("lacks {wanted:?}\n{}", shown(&got.body)));
        }
        for unwanted in wanted.lacks.iter().filter(|unwanted| text.contains(unwanted.as_str())) {
            self.found(&part("body"), format!("holds {unwanted:?}\n{}", shown(&got.body)));
        }
    }

    fn header(&mut self, what: &str, name: &str, wanted: Option<&str>, headers: &[Header]) {
        let values = headers.iter().filter(|(key, _)| key == name.as_bytes());
        let values: Vec<_> = values.map(|(_, value)| String::from_utf8_lossy(value)).collect();
        let got = if values.is_empty() { None } else { Some(values.join(", ")) };
        if got.as_deref() != wanted {
            let told = |value: Option<&str>| value.map_or("none".to_owned(), |value| format!("{value:?}"));
            self.found(what, format!("expected {}, got {}", told(wanted), told(got.as_deref())));
        }
    }

    fn body(&mut self, what: &str, wanted: &Body, got: &Sent) {
        let (wanted, came) = match wanted {
            Body::Text(text) if text.as_bytes() == got.body => return,
            Body::Text(text) => (text.clone(), String::from_utf8_lossy(&got.body).into_owned()),
            Body::Json(wanted) => match serde_json::from_slice::<Value>(&got.body) {
                Ok(came) if came == *wanted => return,
                Ok(came) => (pretty(wanted), pretty(&came)),
                Err(_) => (pretty(wanted), String::from_utf8_lossy(&got.body).into_owned()),
            },
            Body::Events(wanted) => {
                let came = events::read(&got.body);
                if events::same(wanted, &came) {
                    return;
                }
                let came: Vec<Value> = came.iter().map(events::Event::shown).collect();
                (lines(wanted), lines(&came))
            }
        };
        self.found(what, format!("differs\n{}", differences(&wanted, &came)));
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A body as people read it.
fn shown(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => pretty(&value),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// Lines that are only expected with `-`, lines that only came with `+`, and a few around them.
fn differences(wanted: &str, came: &str) -> String {
    let mut out = String::new();
    let diff = TextDiff::from_lines(wanted, came);
    for (at, group) in diff.grouped_ops(2).iter().enumerate() {
        if at > 0 {
            out.push_str("  …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let _ = writeln!(out, "{sign} {}", change.value().trim_end_matches('\n'));
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_was_expected_and_what_came() {
        let (a, b) = ("1\n2\n3\n4\n5\n6\n7\n8\n9", "1\nx\n3\n4\n5\n6\n7\n8\ny");
        assert_eq!(differences(a, b), "  1\n- 2\n+ x\n  3\n  4\n  …\n  7\n  8\n- 9\n+ y");
        assert_eq!(differences(a, a), "");
    }
}
