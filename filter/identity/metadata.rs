//! Claims that a filter of the proxy verified, out of its dynamic metadata.
//!
//! The proxy gives all of a stream's metadata as one protobuf message (`envoy.config.core.v3.Metadata`), which is read
//! as it is: asked for claim by claim it would give values without their types, and `"1"` could not be told from `1`.
//! Callers cannot write metadata. Its numbers are doubles: a whole number up to 2^53 is the integer that the token had,
//! and larger ones have lost digits.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// Deepest nesting of lists and maps, as in a token of ours.
const MAX_DEPTH: u8 = 32;
/// Largest whole number that a double holds exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The maps that one filter left, by name; what is no map is left out.
///
/// `None`: the bytes are no such message.
pub fn of_filter(metadata: &[u8], filter: &str) -> Option<BTreeMap<String, Map<String, Value>>> {
    let mut found = BTreeMap::new();
    for field in Fields(metadata) {
        // `map<string, Struct> filter_metadata = 1`
        let (1, Wire::Bytes(entry)) = field? else { continue };
        let (name, inner) = map_entry(entry)?;
        if name != filter {
            continue;
        }
        for (name, value) in structure(inner, 0)? {
            if let Value::Object(claims) = value {
                found.insert(name, claims);
            }
        }
    }
    Some(found)
}

/// `Struct { map<string, Value> fields = 1 }`
fn structure(bytes: &[u8], depth: u8) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for field in Fields(bytes) {
        let (1, Wire::Bytes(entry)) = field? else { continue };
        let (name, inner) = map_entry(entry)?;
        object.insert(name.to_owned(), value(inner, depth)?);
    }
    Some(object)
}

/// `Value { oneof: null = 1, number = 2, string = 3, bool = 4, struct = 5, list = 6 }`
fn value(bytes: &[u8], depth: u8) -> Option<Value> {
    let inner = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    let mut found = Value::Null;
    for field in Fields(bytes) {
        found = match field? {
            (1, Wire::Number(_)) => Value::Null,
            (2, Wire::Fixed(bits)) => number(f64::from_bits(bits))?,
            (3, Wire::Bytes(text)) => Value::String(str::from_utf8(text).ok()?.to_owned()),
            (4, Wire::Number(truth)) => Value::Bool(truth != 0),
            (5, Wire::Bytes(object)) => Value::Object(structure(object, inner)?),
            (6, Wire::Bytes(list)) => Value::Array(items(list, inner)?),
            _ => continue,
        };
    }
    Some(found)
}

/// `ListValue { repeated Value values = 1 }`
fn items(bytes: &[u8], depth: u8) -> Option<Vec<Value>> {
    let mut list = Vec::new();
    for field in Fields(bytes) {
        if let (1, Wire::Bytes(item)) = field? {
            list.push(value(item, depth)?);
        }
    }
    Some(list)
}

fn number(double: f64) -> Option<Value> {
    if double.fract() == 0.0 && double.abs() <= MAX_EXACT {
        // Exact: whole, and within 2^53.
        return Some(Value::from(double as i64));
    }
    Number::from_f64(double).map(Value::Number)
}

/// An entry of a map: `key = 1`, `value = 2`.
fn map_entry(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (mut name, mut value) = ("", &[][..]);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(text)) => name = str::from_utf8(text).ok()?,
            (2, Wire::Bytes(inner)) => value = inner,
            _ => {}
        }
    }
    Some((name, value))
}

/// A field's value on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire<'b> {
    /// A varint.
    Number(u64),
    /// Eight bytes.
    Fixed(u64),
    /// Four bytes, which nothing here has.
    Short,
    /// So many bytes.
    Bytes(&'b [u8]),
}

/// The fields of a message, each with its number; `None` ends a message that is broken.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0_u32..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Wire<'b>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Fixed(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let count = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(count)?)
            }
            5 => {
                self.take(4)?;
                Wire::Short
            }
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Option<(u64, Wire<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Metadata as the proxy writes it, for tests.
#[cfg(test)]
pub(crate) mod written {
    use serde_json::{Map, Value};

    fn varint(mut value: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        out.push(value.to_le_bytes()[0]);
        out
    }

    pub(crate) fn bytes(field: u8, inner: &[u8]) -> Vec<u8> {
        [&[field << 3 | 2][..], &varint(inner.len()), inner].concat()
    }

    pub(crate) fn entry(name: &str, inner: &[u8]) -> Vec<u8> {
        bytes(1, &[bytes(1, name.as_bytes()), bytes(2, inner)].concat())
    }

    pub(crate) fn structure(object: &Map<String, Value>) -> Vec<u8> {
        object.iter().flat_map(|(name, item)| entry(name, &value(item))).collect()
    }

    fn value(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![8, 0],
            Value::Number(number) => [&[17][..], &number.as_f64().unwrap().to_le_bytes()].concat(),
            Value::String(text) => bytes(3, text.as_bytes()),
            Value::Bool(truth) => vec![32, u8::from(*truth)],
            Value::Object(object) => bytes(5, &structure(object)),
            Value::Array(list) => {
                bytes(6, &list.iter().flat_map(|item| bytes(1, &self::value(item))).collect::<Vec<_>>())
            }
        }
    }

    /// What `jwt_authn` leaves, beside another filter's.
    pub(crate) fn metadata(left: &Value) -> Vec<u8> {
        let other = serde_json::json!({ "mesh": { "sub": "of another filter" } });
        [
            entry("envoy.filters.http.other", &structure(other.as_object().unwrap())),
            entry("envoy.filters.http.jwt_authn", &structure(left.as_object().unwrap())),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::written::{bytes, entry, metadata};
    use super::*;

    const FILTER: &str = "envoy.filters.http.jwt_authn";

    fn read(left: &Value) -> Value {
        json!(of_filter(&metadata(left), FILTER).unwrap())
    }

    #[test]
    fn claims_keep_their_types() {
        let claims = json!({ "mesh": {
            "sub": "alice", "exp": 1_700_000_000, "level": 1.5, "one": "1", "admin": false, "none": null,
            "realm": { "roles": ["a", 1, ["b"], { "c": true }] }, "empty": {}, "list": [], "minus": -3
        } });
        assert_eq!(read(&claims), claims);
    }

    #[test]
    fn only_the_filters_own_maps_are_taken() {
        assert_eq!(
            read(&json!({ "mesh": "text", "list": [{}], "other": { "a": 1 } })),
            json!({ "other": { "a": 1 } })
        );
        assert_eq!(of_filter(&[], FILTER), Some(BTreeMap::new()));
        assert_eq!(of_filter(&metadata(&json!({})), "envoy.filters.http.jwt"), Some(BTreeMap::new()));
    }

    #[test]
    fn fields_of_other_numbers_are_passed_over() {
        let more = [metadata(&json!({ "m": { "a": 1 } })), bytes(2, b"typed"), vec![61, 1, 2, 3, 4]].concat();
        assert_eq!(of_filter(&more, FILTER), of_filter(&metadata(&json!({ "m": { "a": 1 } })), FILTER));
    }

    #[test]
    fn a_broken_message_gives_nothing_at_all() {
        let whole = metadata(&json!({ "m": { "a": "text" } }));
        for cut in 1..whole.len() {
            let read = of_filter(&whole[..cut], FILTER);
            assert!(read.is_none_or(|read| read.is_empty()), "{cut}");
        }
        let not_text = entry(FILTER, &entry("m", &bytes(5, &entry("a", &bytes(3, b"\xff")))));
        assert_eq!(of_filter(&not_text, FILTER), None);
        let mut deep = bytes(3, b"x");
        for _ in 0..200 {
            deep = bytes(6, &bytes(1, &deep));
        }
        assert_eq!(of_filter(&entry(FILTER, &entry("m", &deep)), FILTER), None);
        let infinite = [&[17][..], &f64::INFINITY.to_le_bytes()].concat();
        let infinite = entry(FILTER, &entry("m", &bytes(5, &entry("exp", &infinite))));
        assert_eq!(of_filter(&infinite, FILTER), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = of_filter(&bytes, FILTER);
            let _ = of_filter(&entry(FILTER, &bytes), FILTER);
            let _ = of_filter(&entry(FILTER, &entry("m", &bytes)), FILTER);
        }
    }
}
