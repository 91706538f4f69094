//! Streams as lists of events, for cases to compare.
//!
//! This reads what the filter wrote, so it shares no code with it: the framing of server-sent events (WHATWG HTML,
//! 9.2.6) and lines of JSON.

use serde_json::{Value, json};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of a server-sent event that has one.
    pub name: Option<String>,
    /// As JSON; as text where it is none, such as `[DONE]`.
    pub data: Value,
}

impl Event {
    fn of(name: Option<String>, data: &str) -> Self {
        Self { name, data: serde_json::from_str(data).unwrap_or_else(|_| data.into()) }
    }

    /// As cases write it.
    pub fn shown(&self) -> Value {
        match &self.name {
            None => self.data.clone(),
            Some(name) => json!({ "event": name, "data": self.data }),
        }
    }

    /// Whether this is what a case wrote: with its name, or by its data alone.
    fn is(&self, wanted: &Value) -> bool {
        self.data == *wanted || self.shown() == *wanted
    }
}

/// Whether these events are those that a case wrote.
pub fn same(wanted: &[Value], came: &[Event]) -> bool {
    wanted.len() == came.len() && came.iter().zip(wanted).all(|(event, wanted)| event.is(wanted))
}

/// The events of a body: server-sent events where a line starts as one, else lines of JSON.
pub fn read(body: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\r', "\n");
    let sse = text.lines().any(|line| line.starts_with("data:") || line.starts_with("event:"));
    if !sse {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        return lines.map(|line| Event::of(None, line)).collect();
    }
    text.split("\n\n").filter_map(event).collect()
}

fn event(block: &str) -> Option<Event> {
    let field = |line: &str, name: &str| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        Some(value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    let data: Vec<String> = block.lines().filter_map(|line| field(line, "data")).collect();
    if data.is_empty() {
        return None;
    }
    Some(Event::of(block.lines().find_map(|line| field(line, "event")), &data.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_in_every_line_ending() {
        for end in ["\n", "\r\n", "\r"] {
            let body =
                format!(": hello{end}{end}event: a{end}data: {{\"b\":1}}{end}{end}data: [DONE]{end}{end}");
            let events = read(body.as_bytes());
            assert!(same(&[json!({"event": "a", "data": {"b": 1}}), json!("[DONE]")], &events), "{events:?}");
            assert!(same(&[json!({"b": 1}), json!("[DONE]")], &events), "a name need not be written");
            assert!(!same(&[json!({"b": 2}), json!("[DONE]")], &events));
            assert!(!same(&[json!({"b": 1})], &events));
        }
    }

    #[test]
    fn lines_of_json_are_events_too() {
        assert!(same(&[json!({"a": 1}), json!({"a": 2})], &read(b"{\"a\":1}\n{\"a\":2}\n")));
    }
}
