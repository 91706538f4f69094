//! JSON requests that every reader reads alike.
//!
//! A rule judges what this module reads, and the upstream acts on what its own parser reads. Where two parsers may
//! differ (a key that comes twice, bytes behind the document, text that is no UTF-8, nesting that one of them refuses)
//! the request is refused rather than judged.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a request body cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON (RFC 8259), nested deeper than 127 levels, or a number outside double precision.
    #[error("the body is not readable JSON at byte {offset}: {reason}")]
    Malformed {
        /// Offset of the byte at fault.
        offset: usize,
        /// What is wrong; never holds text of the body.
        reason: String,
    },
    /// A key that comes twice in one object.
    #[error("{path} comes twice: remove one")]
    Duplicate {
        /// Path of the key.
        path: String,
    },
    /// JSON of another shape than the API has, where text may hide.
    #[error("{path}: {reason}")]
    Schema {
        /// Path of the value.
        path: String,
        /// What was expected, or what cannot be read.
        reason: &'static str,
    },
}

impl RequestError {
    /// A shape that is not the API's.
    pub(crate) fn schema(path: &Path, reason: &'static str) -> Self {
        Self::Schema { path: path.to_string(), reason }
    }
}

/// The way to a value: keys and indexes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(String);

impl Path {
    /// Goes on to a key. One that does not look like a name of an API may be the caller's text: it is not shown.
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.push_key(key);
        path
    }

    /// Goes on to an item.
    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    fn push_key(&mut self, key: &str) {
        let is_name = key.len() <= 40
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_uppercase() || b == b'_');
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(if is_name { key } else { "*" });
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the body" } else { &self.0 })
    }
}

/// Reads a whole document.
///
/// # Errors
/// [`RequestError::Malformed`] and [`RequestError::Duplicate`].
pub fn parse(bytes: &[u8]) -> Result<Value, RequestError> {
    let text = std::str::from_utf8(bytes).map_err(|error| RequestError::Malformed {
        offset: error.valid_up_to(),
        reason: "not UTF-8".to_owned(),
    })?;
    let duplicate = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { duplicate: &duplicate }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match duplicate.into_inner() {
        Some(keys) => RequestError::Duplicate { path: duplicate_path(keys) },
        None => malformed(text, &error),
    })
}

fn malformed(text: &str, error: &serde_json::Error) -> RequestError {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let offset = before.fold(0usize, |sum, line| sum.saturating_add(line.len()));
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
    RequestError::Malformed { offset: offset.saturating_add(error.column().saturating_sub(1)), reason }
}

enum Step {
    Key(String),
    Index(usize),
}

/// From the steps, innermost first.
fn duplicate_path(steps: Vec<Step>) -> String {
    let path = steps.into_iter().rev().fold(Path::default(), |path, step| match step {
        Step::Key(key) => path.key(&key),
        Step::Index(index) => path.index(index),
    });
    path.to_string()
}

/// Reads a value, and notes the way to a key that comes twice.
#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<Vec<Step>>>,
}

impl Strict<'_> {
    /// On the way out of a failure, notes where it happened.
    fn note<T, E>(self, result: Result<T, E>, step: impl FnOnce() -> Step) -> Result<T, E> {
        if result.is_err()
            && let Some(steps) = self.duplicate.borrow_mut().as_mut()
        {
            steps.push(step());
        }
        result
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = self.note(items.next_element_seed(self), || Step::Index(array.len()))? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                *self.duplicate.borrow_mut() = Some(vec![Step::Key(key)]);
                return Err(de::Error::custom("a key comes twice"));
            }
            let value = self.note(entries.next_value_seed(self), || Step::Key(key.clone()))?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duplicate(body: &str) -> String {
        match parse(body.as_bytes()) {
            Err(RequestError::Duplicate { path }) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_document_is_read_as_serde_json_reads_it() {
        let body = r#" {"a":[1,-2,3.5,"x\u00e9\ud83d\ude00",null,true,{"b":{}}],"c":18446744073709551615} "#;
        assert_eq!(parse(body.as_bytes()).unwrap(), serde_json::from_str::<Value>(body).unwrap());
    }

    #[test]
    fn a_key_that_comes_twice_is_refused_at_every_depth_and_in_every_spelling() {
        assert_eq!(duplicate(r#"{"model":"a","model":"b"}"#), "model");
        assert_eq!(duplicate(r#"{"model":"a","mod\u0065l":"b"}"#), "model");
        assert_eq!(duplicate(r#"{"messages":[{},{"a":{"role":1,"role":1}}]}"#), "messages[1].a.role");
        assert_eq!(duplicate(r#"[[],[{"x":[0,{"y":1,"y":2}]}]]"#), "[1][0].x[1].y");
        // What may be the caller's text is not shown.
        assert_eq!(duplicate(r#"{"a b@c":1,"a b@c":1}"#), "*");
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (body, at) in [
            (&b"{"[..], 0),
            (b"", 0),
            (b"{}x", 2),
            (b"{} {}", 3),
            (b"{\n\"a\":01}", 6),
            (b"{\"a\":\"\xff\"}", 6),
            (b"{\"a\":NaN}", 5),
        ] {
            match parse(body) {
                Err(RequestError::Malformed { offset, .. }) => {
                    assert!(offset.abs_diff(at) <= 1, "{body:?}: {offset}");
                }
                other => panic!("{body:?}: {other:?}"),
            }
        }
        for body in [r#""\ud800""#, "1e999", "\u{feff}{}"] {
            assert!(matches!(parse(body.as_bytes()), Err(RequestError::Malformed { .. })), "{body}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(parse(deep(100).as_bytes()).is_ok());
        assert!(matches!(parse(deep(200).as_bytes()), Err(RequestError::Malformed { .. })));
        assert!(parse("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }
}
