//! JSON text to a tree: how a policy set reaches the module.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::list::Items;
use super::node::{Entry, MAX_DEPTH, Node, Value};
use super::problem::Problem;
use super::set::Place;

/// A set may be as deep inside a bundle as by itself.
const ENVELOPE: usize = 1;

/// Reads JSON text. Keys given twice are kept for [`Node::settle`] to report.
///
/// # Errors
/// One problem: the text is not JSON, or nests deeper than [`MAX_DEPTH`].
pub fn read(text: &[u8]) -> Result<Node, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let node = Reader { depth: ENVELOPE.saturating_add(MAX_DEPTH) }
        .deserialize(&mut reader)
        .and_then(|node| reader.end().map(|()| node));
    node.map_err(|error| Problem::error(&Place::default(), format!("is not the JSON we expect: {error}")))
}

/// Reads one value that may hold `depth` more levels.
struct Reader {
    depth: usize,
}

impl Reader {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format!("nested more than {MAX_DEPTH} deep"))),
        }
    }
}

fn node(value: Value) -> Node {
    Node::new(value, Place::default())
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(node(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(node(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(node(Value::Integer(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        // What does not fit is refused when the tree is settled, like anything above 2^53.
        Ok(node(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(node(Value::number(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(node(Value::Text(value.to_owned())))
    }
    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(node(Value::Text(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Items::default();
        while let Some(item) = seq.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(node(items.into_value()))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.deeper()?)?;
            entries.push(Entry { key, place: Place::default(), value });
        }
        Ok(node(Value::Map(entries)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_given_twice_are_kept_and_then_refused() {
        let mut root = read(br#"{"a":{"b":1,"b":2},"c":[{"d":1,"d":1}]}"#).unwrap();
        let told: Vec<String> = root.settle().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["a.b: is given twice", "c[0].d: is given twice"]);
        assert_eq!(root.get("a").unwrap().get("b").unwrap().value, Value::Integer(1), "the first stays");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(MAX_DEPTH + 1).as_bytes()).is_ok());
        for depth in [MAX_DEPTH + 2, 100, 100_000] {
            assert!(read(nested(depth).as_bytes()).is_err(), "{depth}");
        }
    }

    #[test]
    fn numbers_that_json_does_not_carry_exactly_are_refused() {
        for (text, fine) in [
            ("9007199254740991", true),
            ("-9007199254740991", true),
            ("9007199254740992", false),
            ("18446744073709551615", false),
            ("-9223372036854775808", false),
            ("1.5", true),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().settle().is_empty(), fine, "{text}");
        }
        assert_eq!(read(b"1.0").unwrap().value, Value::Integer(1), "proxies write whole numbers so");
    }

    #[test]
    fn what_follows_a_document_is_refused() {
        assert!(read(b"{} {}").is_err());
    }
}
