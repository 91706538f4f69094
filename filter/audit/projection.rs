//! Whether the attributes of a log record say what its body says.
//!
//! Searches read the attributes, the chain covers the body. An attribute that was changed in the store hides a record
//! from searches and breaks no chain, so readers compare. Attributes may be gone, and others may have come on the way:
//! those are the collector's affair.

use serde_json::{Map, Value};

/// Fields that the projection makes no attribute of, or that OpenTelemetry has a place for.
pub(super) const APART: &[&str] = &[
    "time",
    "trace_id",
    "span_id",
    "trace_flags",
    "portcullis.dropped.ranges",
    "portcullis.prompt.texts",
    "portcullis.prompt.sealed",
    "portcullis.response.texts",
    "portcullis.response.sealed",
];

/// The names of the attributes that say something else than the body. Names of ours that the body does not have count.
pub fn disagreements(body: &Map<String, Value>, attributes: &[(String, Value)]) -> Vec<String> {
    let ours = |name: &str| name.starts_with("portcullis.") && name != "portcullis.chain.hash";
    let disagrees = |(name, value): &&(String, Value)| match body.get(name) {
        Some(_) if APART.contains(&name.as_str()) => false,
        Some(said) => !agrees(said, value),
        None => ours(name),
    };
    attributes.iter().filter(disagrees).map(|(name, _)| name.clone()).collect()
}

/// Whether an attribute's value (an OTLP `AnyValue`) is what the projection makes of a member of the body.
fn agrees(said: &Value, attribute: &Value) -> bool {
    let one = |key: &str| attribute.get(key);
    match said {
        Value::String(text) => one("stringValue").and_then(Value::as_str) == Some(text),
        Value::Bool(flag) => one("boolValue").and_then(Value::as_bool) == Some(*flag),
        Value::Number(number) => {
            // Protobuf's JSON has whole numbers as text; those who write it anew may have none of that.
            let given = ["intValue", "doubleValue"].iter().find_map(|key| one(key));
            let given = given.and_then(|given| match given {
                Value::String(text) => text.parse().ok(),
                other => other.as_f64(),
            });
            given.is_some() && given == number.as_f64()
        }
        Value::Array(items) => elements(attribute).is_some_and(|given| {
            given.len() == items.len() && items.iter().zip(given).all(|(said, given)| agrees(said, given))
        }),
        // Of names with values, the names.
        Value::Object(members) => elements(attribute).is_some_and(|given| {
            let named = |given: &Value| {
                given
                    .get("stringValue")
                    .and_then(Value::as_str)
                    .is_some_and(|name| members.contains_key(name))
            };
            given.len() == members.len() && given.iter().all(named)
        }),
        Value::Null => false,
    }
}

fn elements(attribute: &Value) -> Option<&Vec<Value>> {
    attribute.get("arrayValue")?.get("values")?.as_array()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::queue::Limits;
    use crate::audit::samples_tests::{self as samples, SECOND, START, log_records};

    /// The body and the attributes of a record.
    fn sample() -> (Map<String, Value>, Vec<(String, Value)>) {
        let mut recorder = samples::recorder(Limits::default());
        recorder.record(START, &samples::end());
        let record = log_records(&recorder.next_batch(START + SECOND).unwrap().body).remove(0);
        let body = serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
        let attributes = record["attributes"].as_array().unwrap().iter();
        let attributes = attributes.map(|at| (at["key"].as_str().unwrap().to_owned(), at["value"].clone()));
        (body, attributes.collect())
    }

    #[test]
    fn what_was_written_agrees_whatever_a_collector_adds_or_leaves_out() {
        let (body, mut attributes) = sample();
        assert!(attributes.len() > 20);
        assert_eq!(disagreements(&body, &attributes), [""; 0]);
        attributes.push(("k8s.pod.name".into(), json!({ "stringValue": "x" })));
        attributes.remove(0);
        assert_eq!(disagreements(&body, &attributes), [""; 0]);
    }

    #[test]
    fn every_attribute_that_is_changed_shows() {
        let (body, attributes) = sample();
        for at in 0..attributes.len() {
            let mut changed = attributes.clone();
            changed[at].1 = json!({ "stringValue": "changed" });
            let name = changed[at].0.clone();
            let expected = if name == "portcullis.chain.hash" { vec![] } else { vec![name] };
            assert_eq!(disagreements(&body, &changed), expected);
        }
    }

    #[test]
    fn an_attribute_of_ours_that_the_body_does_not_have_shows() {
        let (body, mut attributes) = sample();
        attributes.push(("portcullis.would".into(), json!({ "stringValue": "deny" })));
        assert_eq!(disagreements(&body, &attributes), ["portcullis.would"]);
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let body = json!({ "n": 3, "s": 0.5 }).as_object().unwrap().clone();
        let given = |n: Value, s: Value| vec![("n".to_owned(), n), ("s".to_owned(), s)];
        for n in [json!({ "intValue": "3" }), json!({ "intValue": 3 })] {
            assert_eq!(disagreements(&body, &given(n, json!({ "doubleValue": 0.5 }))), [""; 0]);
        }
        let wrong = given(json!({ "intValue": "4" }), json!({ "stringValue": "0.5" }));
        assert_eq!(disagreements(&body, &wrong), ["n", "s"]);
    }
}
