//! Strict JSON for what strangers send: one reading only.
//!
//! Two parsers that disagree on a repeated member are a way round a check, so a member that comes twice is an
//! error at every level; nesting is bounded, so that no document can exhaust the stack. What serde_json refuses
//! by itself stays refused: trailing text, lone surrogates, numbers beyond f64, a byte order mark.
//!
//! The value is built by a visitor of ours and not by `serde_json::Value`'s, which gives a private meaning to one
//! member name when the feature `raw_value` is on.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of lists and objects.
const MAX_DEPTH: u8 = 32;

/// Why a text is not JSON that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("is not JSON")]
    Syntax,
    /// A member comes twice in one object.
    #[error("names a member twice")]
    Duplicate,
    /// Nested too deep.
    #[error("is nested too deep")]
    Deep,
    /// JSON, but not an object.
    #[error("is not a JSON object")]
    NotAnObject,
}

/// Parses an object.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let fault = Cell::new(JsonError::Syntax);
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: 0, fault: &fault }.deserialize(&mut json).map_err(|_| fault.get())?;
    json.end().map_err(|_| JsonError::Syntax)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

#[derive(Clone, Copy)]
struct Strict<'f> {
    depth: u8,
    fault: &'f Cell<JsonError>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            self.fault.set(JsonError::Deep);
            return Err(E::custom("too deep"));
        }
        Ok(Strict { depth: self.depth.saturating_add(1), ..self })
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

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                self.fault.set(JsonError::Duplicate);
                return Err(A::Error::custom("duplicate"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_that_comes_twice_is_refused_at_every_level() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"a":2}}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::Duplicate), "{text}");
        }
        assert!(object(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(31).as_bytes()).is_ok());
        assert_eq!(object(nested(32).as_bytes()), Err(JsonError::Deep));
        assert_eq!(object(nested(100_000).as_bytes()), Err(JsonError::Deep));
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        for text in ["", " ", "{", "{}{}", "{} x", "{\"a\":1e999}", "{\"a\":NaN}", "\u{feff}{}", "{'a':1}"] {
            assert_eq!(object(text.as_bytes()), Err(JsonError::Syntax), "{text}");
        }
        assert_eq!(object(br#"{"a":"\ud800"}"#), Err(JsonError::Syntax));
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        assert_eq!(object(b"[]"), Err(JsonError::NotAnObject));
    }

    #[test]
    fn no_member_name_has_a_private_meaning() {
        let text = br#"{"a":{"$serde_json::private::RawValue":"{\"admin\":true}"}}"#;
        let member = object(text).unwrap().remove("a").unwrap();
        assert_eq!(member.get("$serde_json::private::RawValue"), Some(&json!("{\"admin\":true}")));
        assert_eq!(member.get("admin"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&bytes);
        }

        #[test]
        fn what_we_accept_means_what_serde_json_reads(text in r#"\{("[ab]":(1|\[\]|\{"a":[0-9.e-]{1,4}\}),?){0,3}\}"#) {
            if let Ok(ours) = object(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::Object(ours));
            }
        }
    }
}
