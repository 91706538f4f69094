//! Reads values out of a tree that has been checked. What is missing or wrong has been reported: here it is `None`.

use std::time::Duration;

use super::grammar;
use super::node::{Node, Value};
use super::set::{ClusterRef, Located, Template};
use super::tables;

/// The text under a key, unescaped.
pub(super) fn text(node: &Node, key: &str) -> Option<String> {
    plain(node.get(key)?)
}

/// The same with its place.
pub(super) fn located(node: &Node, key: &str) -> Option<Located<String>> {
    located_item(node.get(key)?)
}

pub(super) fn located_item(node: &Node) -> Option<Located<String>> {
    Some(Located { value: plain(node)?, place: node.place.clone() })
}

fn plain(node: &Node) -> Option<String> {
    grammar::literal(node.text()?).ok()
}

/// A text that is never unescaped, such as a condition.
pub(super) fn verbatim(node: &Node, key: &str) -> Option<Located<String>> {
    let node = node.get(key)?;
    Some(Located { value: node.text()?.to_owned(), place: node.place.clone() })
}

/// The texts of a list.
pub(super) fn texts(node: &Node, key: &str) -> Vec<String> {
    node.get(key).into_iter().flat_map(Node::each).filter_map(|node| plain(&node)).collect()
}

/// The same with their places.
pub(super) fn located_texts(node: &Node, key: &str) -> Vec<Located<String>> {
    node.get(key).into_iter().flat_map(Node::each).filter_map(|node| located_item(&node)).collect()
}

pub(super) fn duration(node: &Node, key: &str, default: Duration) -> Duration {
    node.get(key).and_then(Node::text).and_then(|text| grammar::duration(text).ok()).unwrap_or(default)
}

pub(super) fn size(node: &Node, key: &str, default: u64) -> u64 {
    let read = |value: &Value| match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Text(text) => grammar::size(text).ok(),
        _ => None,
    };
    node.get(key).and_then(|node| read(&node.value)).unwrap_or(default)
}

/// A number between 0 and 1.
pub(super) fn share(node: &Node, key: &str, default: f64) -> f64 {
    match node.get(key).map(|node| &node.value) {
        Some(Value::Integer(0)) => 0.0,
        Some(Value::Integer(_)) => 1.0,
        Some(Value::Float(share)) => *share,
        _ => default,
    }
}

/// A whole number that is not negative.
pub(super) fn count(node: &Node, key: &str) -> Option<usize> {
    match node.get(key)?.value {
        Value::Integer(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// The word under a key, looked up in a table.
pub(super) fn choice<T: Copy>(node: &Node, key: &str, words: &[(&str, T)]) -> Option<T> {
    word(node.get(key)?, words)
}

pub(super) fn word<T: Copy>(node: &Node, words: &[(&str, T)]) -> Option<T> {
    let text = node.text()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

pub(super) fn template(node: &Node) -> Option<Template> {
    let parts = grammar::template(node.text()?).ok()?;
    Some(Template { parts, place: node.place.clone() })
}

/// The value of a credential.
pub(super) fn credential(node: &Node) -> Option<Template> {
    let parts = grammar::credential(node.text()?).ok()?;
    Some(Template { parts, place: node.place.clone() })
}

/// A map that names a cluster.
pub(super) fn cluster(node: &Node) -> Option<ClusterRef> {
    let headers = node.get("headers").map(Node::entries).unwrap_or_default();
    Some(ClusterRef {
        cluster: located(node, "cluster")?,
        authority: text(node, "authority"),
        path: text(node, "path"),
        timeout: duration(node, "timeout", tables::TIMEOUT),
        headers: headers
            .iter()
            .filter_map(|entry| Some((grammar::header(&entry.key).ok()?, template(&entry.value)?)))
            .collect(),
    })
}
