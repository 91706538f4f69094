//! A tree of values, each with its place, whatever the syntax it was written in.
//!
//! Readers (`json`, the command line's YAML) build trees no deeper than [`MAX_DEPTH`] and keep what is written twice;
//! [`Node::settle`] then gives every value its key path and reports what no syntax may hold. So both worlds speak of
//! the same fault in the same words.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::list::{Items, TextList};
use super::path::Path;
use super::problem::{Problem, elsewhere};
use super::set::Place;

/// How deep maps and lists may nest. Readers stop there, so that nothing here recurses further.
pub const MAX_DEPTH: usize = 32;

/// The largest integer that JSON carries exactly (RFC 8785, RFC 7493).
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stood.
    pub place: Place,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number; [`Node::settle`] refuses what is not finite.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order; none, or not all of them texts.
    List(Vec<Node>),
    /// Texts in order.
    Texts(TextList),
    /// Values by key, in the order written.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stood.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Value {
    /// A number: whole ones as [`Value::Integer`], whatever the syntax made of them.
    pub fn number(number: f64) -> Self {
        const BOUND: f64 = 9_007_199_254_740_991.0;
        if number.fract() == 0.0 && (-BOUND..=BOUND).contains(&number) {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range of i64")]
            return Self::Integer(number as i64);
        }
        Self::Float(number)
    }

    /// What it is, as messages name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) | Self::Texts(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// A node at a place.
    pub fn new(value: Value, place: Place) -> Self {
        Self { value, place }
    }

    /// The value under a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a map; of anything else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list of other things than texts alone; of anything else none.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The items of any list, also of texts alone; of anything else none.
    pub fn each(&self) -> impl Iterator<Item = Cow<'_, Node>> {
        let texts = match &self.value {
            Value::Texts(list) => Some(list),
            _ => None,
        };
        let texts = texts.into_iter().flat_map(|list| list.nodes(&self.place));
        self.items().iter().map(Cow::Borrowed).chain(texts.map(Cow::Owned))
    }

    /// The texts of a list, as far as its items are texts.
    pub fn texts(&self) -> TextList {
        match &self.value {
            Value::Texts(list) => list.clone(),
            _ => {
                let texts = self.items().iter().filter(|node| node.text().is_some());
                match texts.cloned().collect::<Items>().into_value() {
                    Value::Texts(list) => list,
                    _ => TextList::default(),
                }
            }
        }
    }

    /// Takes the value of a key out of a map, and leaves an empty one of its kind.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let Value::Map(entries) = &mut self.value else { return None };
        let entry = entries.iter_mut().find(|entry| entry.key == key)?;
        let left = match &entry.value.value {
            Value::Map(_) => Value::Map(Vec::new()),
            Value::List(_) | Value::Texts(_) => Value::List(Vec::new()),
            other => other.clone(),
        };
        let left = Node::new(left, entry.value.place.clone());
        Some(std::mem::replace(&mut entry.value, left))
    }

    /// The text, where this is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Gives every value its key path (this one the empty path) and reports keys given twice, of which the first
    /// stays, and numbers that JSON cannot carry exactly.
    pub fn settle(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.settle_at(Path::default(), &mut problems);
        problems
    }

    fn settle_at(&mut self, path: Path, problems: &mut Vec<Problem>) {
        self.place.key = path;
        let place = &self.place;
        match &mut self.value {
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.settle_at(place.key.item(index), problems);
                }
            }
            Value::Map(entries) => settle_entries(entries, place, problems),
            Value::Integer(number) if !(-MAX_INTEGER..=MAX_INTEGER).contains(number) => {
                problems.push(
                    Problem::error(place, "is a number too large to be exact")
                        .help("numbers of a set are smaller; where text is meant, put it in quotes"),
                );
            }
            Value::Float(number) if !number.is_finite() => {
                problems.push(Problem::error(place, "is not a number that JSON can hold"));
            }
            _ => {}
        }
    }
}

fn settle_entries(entries: &mut Vec<Entry>, place: &Place, problems: &mut Vec<Problem>) {
    for entry in entries.iter_mut() {
        entry.place.key = place.key.key(&entry.key);
    }
    keep_first(entries, problems);
    for entry in entries.iter_mut() {
        entry.value.settle_at(entry.place.key.clone(), problems);
    }
}

/// Drops entries whose key stood before, and reports them.
fn keep_first(entries: &mut Vec<Entry>, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<String, Place> = HashMap::new();
    entries.retain(|entry| match seen.get(&entry.key) {
        None => {
            seen.insert(entry.key.clone(), entry.place.clone());
            true
        }
        Some(first) => {
            problems.push(twice(&entry.place, first));
            false
        }
    });
}

fn twice(place: &Place, first: &Place) -> Problem {
    let at = if first.file.is_empty() { String::new() } else { format!(", first at {}", spot(first)) };
    Problem::error(place, format!("is given twice{at}"))
}

fn spot(place: &Place) -> String {
    elsewhere(&Place { key: Path::default(), ..place.clone() })
}

/// Makes one map of several documents: lists under the same key are put one after the other, `version` may stand in
/// each, and anything else stands once.
pub fn merge(documents: Vec<Node>) -> (Node, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut merged: Vec<Entry> = Vec::new();
    let place = documents.first().map(|document| document.place.clone()).unwrap_or_default();
    for document in documents {
        let Value::Map(mut entries) = document.value else {
            let found = document.value.kind();
            problems.push(
                Problem::error(&document.place, format!("expected a map, found {found}"))
                    .help("a document of a policy set starts with keys such as `policies:`"),
            );
            continue;
        };
        for entry in &mut entries {
            entry.place.key = Path::default().key(&entry.key);
        }
        // Twice in one document is a fault even for a list.
        keep_first(&mut entries, &mut problems);
        for entry in entries {
            match merged.iter_mut().find(|before| before.key == entry.key) {
                Some(before) => append(before, entry, &mut problems),
                None => merged.push(entry),
            }
        }
    }
    (Node::new(Value::Map(merged), place), problems)
}

fn append(before: &mut Entry, mut entry: Entry, problems: &mut Vec<Problem>) {
    if let (Value::List(all), Value::List(more)) = (&mut before.value.value, &mut entry.value.value) {
        all.append(more);
        return;
    }
    let is_list = |node: &Node| matches!(node.value, Value::List(_) | Value::Texts(_));
    if is_list(&before.value) && is_list(&entry.value) {
        let all = before.value.each().chain(entry.value.each()).map(Cow::into_owned);
        before.value.value = all.collect::<Items>().into_value();
        return;
    }
    if entry.key == "version" && before.value.value == entry.value.value {
        return;
    }
    let help = "lists of several documents are put together; everything else stands once";
    problems.push(twice(&entry.place, &before.place).help(help));
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(items) => serializer.collect_seq(items),
            Value::Texts(list) => list.serialize(serializer),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &entry.value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::json;

    fn told(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    fn documents(texts: &[&str]) -> Vec<Node> {
        texts.iter().map(|text| json::read(text.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn documents_are_put_together_list_by_list() {
        let (mut root, problems) = merge(documents(&[
            r#"{"version":1,"policies":[{"name":"a"}],"mode":"enforce"}"#,
            r#"{"version":1,"policies":[{"name":"b"}]}"#,
        ]));
        assert_eq!(told(&problems), [""; 0]);
        assert_eq!(told(&root.settle()), [""; 0]);
        assert_eq!(
            serde_json::to_string(&root).unwrap(),
            r#"{"version":1,"policies":[{"name":"a"},{"name":"b"}],"mode":"enforce"}"#
        );
        assert_eq!(
            root.get("policies").unwrap().items()[1].get("name").unwrap().place.key,
            "policies[1].name"
        );
    }

    #[test]
    fn what_stands_once_is_refused_twice() {
        let refused = |texts: &[&str]| told(&merge(documents(texts)).1).join("\n");
        assert!(refused(&[r#"{"mode":"a"}"#, r#"{"mode":"a"}"#]).starts_with("mode: is given twice"));
        assert!(refused(&[r#"{"audit":{}}"#, r#"{"audit":{}}"#]).starts_with("audit: is given twice"));
        assert!(refused(&[r#"{"version":1}"#, r#"{"version":2}"#]).starts_with("version: is given twice"));
        assert!(
            refused(&[r#"{"policies":[]}"#, r#"{"policies":{}}"#]).starts_with("policies: is given twice")
        );
        assert_eq!(
            refused(&[r#"{"policies":[]}"#, r#"{"policies":[],"policies":[]}"#]),
            "policies: is given twice"
        );
        assert!(refused(&["{}", "[]"]).starts_with("expected a map, found a list"));
    }

    #[test]
    fn keys_that_are_no_words_cannot_forge_a_path() {
        let mut root = json::read(br#"{"a.b":{"":{"c\nd":1,"e-f_1":{}}}}"#).unwrap();
        root.settle();
        let inner = root.get("a.b").unwrap().get("").unwrap();
        assert_eq!(inner.place.key, "[`a.b`][``]");
        assert_eq!(inner.entries()[0].place.key, "[`a.b`][``][`c\\nd`]");
        assert_eq!(inner.entries()[1].place.key, "[`a.b`][``].e-f_1");
    }
}
