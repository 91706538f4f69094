//! What a table keeps: a value is put in every place of recorded documents, one place at a time.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Simple;
use crate::protocol::json::table::Table;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};

/// The keys whose strings, and whose numbers, go out as they came; an item of an array has its array's key. `named`: the
/// document is an event, and its type its name.
pub fn kept(table: &'static Table, kind: BodyKind, documents: &[&str]) -> (Vec<String>, Vec<String>) {
    let (mut strings, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for document in documents {
        let document: Value =
            serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
        let mut places = Vec::new();
        leaves(&document, "", &mut places);
        for (pointer, key) in places {
            let mut changed = document.clone();
            let place = changed.pointer_mut(&pointer).unwrap();
            let string = place.is_string();
            let value = if string { Value::from("SECRET") } else { Value::from(123_456) };
            if !string && !place.is_number() {
                continue;
            }
            *place = value;
            if leaks(table, kind, &changed) {
                if string {
                    strings.insert(key)
                } else {
                    numbers.insert(key)
                };
            }
        }
    }
    (strings.into_iter().collect(), numbers.into_iter().collect())
}

fn leaks(table: &'static Table, kind: BodyKind, document: &Value) -> bool {
    let input = match kind {
        BodyKind::EventStream => format!("data: {}\n\n", written(document)),
        _ => written(document),
    };
    let mut out = Vec::new();
    // What cannot be read does not go out either.
    let _ = ResponseRewriter::new(kind, table, Simple).push(input.as_bytes(), true, &mut out);
    let out = String::from_utf8(out).unwrap();
    out.contains("SECRET") || out.contains("123456")
}

/// The document with the type of each object in front, as providers write it.
fn written(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let (first, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(key, _)| *key == "type");
            let fields = first.into_iter().chain(rest);
            let fields: Vec<String> = fields
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), written(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn leaves(value: &Value, pointer: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| {
                leaves(value, &format!("{pointer}/{}", key.replace('/', "~1")), into)
            });
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| leaves(item, &format!("{pointer}/{at}"), into));
        }
        _ => {
            let key = pointer.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap_or_default();
            into.push((pointer.to_owned(), key.to_owned()));
        }
    }
}
