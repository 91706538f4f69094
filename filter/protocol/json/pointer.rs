//! JSON pointers (RFC 6901): where in a document a value stands.
//!
//! Found is what every reader of the document agrees on: a name that an object has twice leads nowhere.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// The way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(steps) = text.strip_prefix('/') else {
            return Err(if text.is_empty() {
                "the whole document has no name"
            } else {
                "it begins with no slash"
            });
        };
        steps.split('/').map(name).collect::<Result<_, _>>().map(Self)
    }

    /// Where the value stands in a document; `None`: it has none, or two, or is no JSON up to there.
    pub fn find(&self, document: &[u8]) -> Option<Range<usize>> {
        let mut value = document;
        for step in &self.0 {
            let mut reader = Deserializer::from_slice(value);
            value = Step(step).deserialize(&mut reader).ok()?.get().as_bytes();
        }
        // Both are the same bytes of memory.
        let start = value.as_ptr().addr().checked_sub(document.as_ptr().addr())?;
        let range = start..start.checked_add(value.len())?;
        document.get(range.clone()).map(|_| range)
    }
}

/// A name, unescaped.
fn name(step: &str) -> Result<String, &'static str> {
    let mut pieces = step.split('~');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match (piece.strip_prefix('0'), piece.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            _ => return Err("a `~` stands for itself as `~0`, a slash as `~1`"),
        };
        name.push(escaped);
        name.push_str(rest);
    }
    Ok(name)
}

/// One step into a value.
struct Step<'s>(&'s str);

impl Step<'_> {
    /// As a place in a list: digits, of which the first is zero only where it is alone.
    fn index(&self) -> Option<usize> {
        let canonical = self.0 == "0" || !self.0.starts_with('0');
        let digits = self.0.bytes().all(|byte| byte.is_ascii_digit());
        (canonical && digits).then(|| self.0.parse().ok())?
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = &'de RawValue;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = &'de RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "something that has `{}`", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != self.0 {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("twice"));
            }
        }
        found.ok_or_else(|| A::Error::custom("none"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let index = self.index().ok_or_else(|| A::Error::custom("no index"))?;
        for _ in 0..index {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Err(A::Error::custom("none"));
            }
        }
        let found = list.next_element()?.ok_or_else(|| A::Error::custom("none"))?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn found<'d>(pointer: &str, document: &'d str) -> Option<&'d str> {
        Pointer::parse(pointer).unwrap().find(document.as_bytes()).map(|range| &document[range])
    }

    #[test]
    fn a_pointer_leads_to_the_bytes_of_a_value() {
        let document = r#" { "a": [1, { "b/c": "x\n", "": {"~": 1.50} }], "d": null } "#;
        for (pointer, value) in [
            ("/a", Some(r#"[1, { "b/c": "x\n", "": {"~": 1.50} }]"#)),
            ("/a/0", Some("1")),
            ("/a/1/b~1c", Some(r#""x\n""#)),
            ("/a/1//~0", Some("1.50")),
            ("/d", Some("null")),
            ("/a/00", None),
            ("/a/+1", None),
            ("/a/2", None),
            ("/d/x", None),
            ("/e", None),
        ] {
            assert_eq!(found(pointer, document), value, "{pointer}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_leads_nowhere() {
        assert_eq!(found("/a/b", r#"{"a":{"b":1},"a":{"b":2}}"#), None);
        assert_eq!(found("/a", r#"{"a":1,"\u0061":2}"#), None);
        assert_eq!(found("/b", r#"{"a":1,"a":2,"b":3}"#), Some("3"), "others may");
    }

    #[test]
    fn a_pointer_is_written_as_it_was_read() {
        for text in ["/a/0/b~1c/~0", "//"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pointer_is_told() {
        for text in ["", "a", "/~", "/a~2"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }

    /// Documents whose names and indexes pointers may hit.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i8>().prop_map(Value::from),
            "[a-c\"~/]{0,3}".prop_map(Value::from)
        ];
        let any = leaf.prop_recursive(4, 24, 4, |inner| {
            let named = prop::collection::btree_map("[a-c0-2]?", inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                named.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        any.prop_map(|value| value.to_string())
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_reference_finds(document in json(), pointer in "(/[a-c0-2]?){1,4}") {
            let value: Value = serde_json::from_str(&document).unwrap();
            let expected = value.pointer(&pointer);
            let ours = found(&pointer, &document).map(|text| serde_json::from_str::<Value>(text).unwrap());
            prop_assert_eq!(ours.as_ref(), expected);
        }

        #[test]
        fn no_document_traps(document: Vec<u8>, pointer in "(/[a-c0-2]?){1,4}") {
            let _ = Pointer::parse(&pointer).unwrap().find(&document);
        }
    }
}
