//! Reading values out of a test file: what stands where it should not is told with its place.

use portcullis::config::node::{Node, Value};
use portcullis::config::{Problem, near};

use super::format::Section;

/// A map of which every key is known.
pub struct Map<'n> {
    node: &'n Node,
}

/// Problems as they are found; reading goes on, so that one run tells them all.
#[derive(Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Something is wrong with a value.
    pub fn about(&mut self, node: &Node, message: impl Into<String>) {
        self.0.push(Problem::error(&node.place, message));
    }

    /// The same, with what to do.
    pub fn advise(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem::error(&node.place, message).help(help));
    }

    /// A value that is something else than it should be.
    pub fn expected(&mut self, node: &Node, what: &str) {
        self.about(node, format!("expected {what}, found {}", node.value.kind()));
    }
}

impl<'n> Map<'n> {
    /// A map that may have the keys of a section.
    pub fn of(node: &'n Node, section: &Section, problems: &mut Problems) -> Self {
        let keys = section.names();
        if !matches!(node.value, Value::Map(_)) {
            problems.expected(node, "a map");
        }
        for entry in node.entries() {
            if keys.contains(&entry.key.as_str()) {
                continue;
            }
            let help = match near(&entry.key, keys.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", keys.join(", ")),
            };
            problems.0.push(Problem::error(&entry.place, "is not known here").help(help));
        }
        Self { node }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }

    /// The text under a key.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<String> {
        text(self.get(key)?, problems)
    }

    /// The whole number under a key, within bounds.
    pub fn number(&self, key: &str, least: i64, most: i64, problems: &mut Problems) -> Option<i64> {
        let node = self.get(key)?;
        match node.value {
            Value::Integer(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                problems.about(node, format!("expected a whole number from {least} to {most}"));
                None
            }
        }
    }

    /// The boolean under a key; without one, false.
    pub fn flag(&self, key: &str, problems: &mut Problems) -> bool {
        match self.get(key).map(|node| (node, &node.value)) {
            None => false,
            Some((_, Value::Bool(value))) => *value,
            Some((node, _)) => {
                problems.expected(node, "a boolean");
                false
            }
        }
    }

    /// The texts of the list under a key.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Option<Vec<String>> {
        let node = self.get(key)?;
        if !matches!(node.value, Value::List(_) | Value::Texts(_)) {
            problems.expected(node, "a list of texts");
            return None;
        }
        Some(node.each().filter_map(|item| text(&item, problems)).collect())
    }

    /// The map under a key, each value as a text; a number or boolean is written out.
    pub fn pairs(&self, key: &str, problems: &mut Problems) -> Vec<(String, Option<String>)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        if !matches!(node.value, Value::Map(_)) {
            problems.expected(node, "a map");
        }
        let entries = node.entries().iter();
        entries
            .filter_map(|entry| Some((entry.key.clone(), optional_text(&entry.value, problems)?)))
            .collect()
    }
}

/// A text; numbers and booleans are written out.
fn text(node: &Node, problems: &mut Problems) -> Option<String> {
    match optional_text(node, problems) {
        Some(None) => {
            problems.expected(node, "text");
            None
        }
        read => read.flatten(),
    }
}

/// The same, or nothing where nothing stands.
#[expect(clippy::option_option, reason = "not a text, no text, a text")]
fn optional_text(node: &Node, problems: &mut Problems) -> Option<Option<String>> {
    match &node.value {
        Value::Text(text) => Some(Some(text.clone())),
        Value::Integer(number) => Some(Some(number.to_string())),
        Value::Bool(value) => Some(Some(value.to_string())),
        Value::Null => Some(None),
        _ => {
            problems.expected(node, "text");
            None
        }
    }
}
