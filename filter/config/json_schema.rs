//! The format as a JSON Schema (2020-12), for editors: made of the tables that `check` reads.
//!
//! It knows names, types, words and bounds. What only the whole set shows (names that nothing has, conditions,
//! templates) is told by `portcullis check`. A file may hold a part of a set, so no key of the set itself is required.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::schema::{Key, Kind, Need, Section};
use super::tables::{SET, VERSION};

/// What durations look like, as in Envoy.
const DURATION: &str = "^[0-9]+(ms|s|m|h)$";
/// What sizes look like, as in Kubernetes.
const SIZE: &str = "^[0-9]+(Ki|Mi|Gi|k|M|G)?$";

/// The schema of a policy set.
pub fn json_schema() -> Value {
    let mut sections = Sections::default();
    let mut set = sections.object(&SET);
    set.remove("required");
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Portcullis policy set"));
    schema.extend(set);
    schema.insert("$defs".to_owned(), Value::Object(sections.done));
    Value::Object(schema)
}

/// The maps of the format, each described once.
#[derive(Default)]
struct Sections {
    done: Map<String, Value>,
}

impl Sections {
    fn object(&mut self, section: &Section) -> Map<String, Value> {
        let mut properties = Map::new();
        for key in section.keys {
            properties.insert(key.name.to_owned(), self.key(key));
        }
        let required = section.keys.iter().filter(|key| matches!(key.need, Need::Required));
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        object.insert("properties".to_owned(), Value::Object(properties));
        object.insert("additionalProperties".to_owned(), json!(false));
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        object
    }

    /// A key with what it means, and what holds without it.
    fn key(&mut self, key: &Key) -> Value {
        let about = match key.need {
            Need::Optional(default) if !default.is_empty() => format!("{} Default: {default}.", key.about),
            _ => key.about.to_owned(),
        };
        let mut value = self.kind(&key.kind);
        value.insert("description".to_owned(), json!(about));
        Value::Object(value)
    }

    /// Another section, by reference.
    fn section(&mut self, section: &Section) -> Value {
        let name = section.title.to_lowercase().replace(' ', "-");
        if !self.done.contains_key(&name) {
            // Named before it is described, for a map may hold its own kind.
            self.done.insert(name.clone(), Value::Null);
            let object = self.object(section);
            self.done.insert(name.clone(), Value::Object(object));
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn kind(&mut self, kind: &Kind) -> Map<String, Value> {
        let value = match kind {
            Kind::Text(form) => json!({ "type": "string", "title": form.name }),
            Kind::Version => json!({ "enum": [VERSION] }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Duration(least, most) => json!({
                "type": "string", "pattern": DURATION,
                "title": format!("a duration, {} to {}", seconds(*least), seconds(*most)),
            }),
            Kind::Size(least, most) => json!({ "anyOf": [
                { "type": "integer", "minimum": least, "maximum": most },
                { "type": "string", "pattern": SIZE },
            ] }),
            Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Kind::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Kind::Choice(words) => json!({ "enum": words }),
            Kind::Headers | Kind::Fields | Kind::Digests => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Kind::Map | Kind::KeySet => json!({ "type": "object" }),
            Kind::List(item) => {
                json!({ "type": "array", "minItems": 1, "items": Value::Object(self.kind(item)) })
            }
            Kind::OneOrMany(item) => {
                let one = Value::Object(self.kind(item));
                json!({ "anyOf": [one.clone(), { "type": "array", "minItems": 1, "items": one }] })
            }
            Kind::ChoiceOr(words, section) => {
                json!({ "anyOf": [{ "enum": words }, self.section(section)] })
            }
            Kind::Named(_, section) => {
                json!({ "type": "object", "additionalProperties": self.section(section) })
            }
            Kind::Section(section) => self.section(section),
        };
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{} s", duration.as_secs()),
        _ => format!("{} ms", duration.as_millis()),
    }
}
