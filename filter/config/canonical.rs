//! Trees as canonical JSON (RFC 8785), written as they are walked.
//!
//! The digest of a set with a large dictionary would otherwise take its text several times over.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::node::{Entry, Node, Value};
use crate::order;

/// `sha256:…` over the canonical JSON of a settled tree.
///
/// # Errors
/// The tree holds a number that JSON cannot, which a settled tree does not.
pub(super) fn digest(node: &Node) -> io::Result<String> {
    let mut hash = io::BufWriter::new(Hashing(Sha256::new()));
    write(node, &mut hash)?;
    let hash = hash.into_inner().map_err(|error| error.into_error())?.0.finalize();
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No deeper than trees are ([`super::node::MAX_DEPTH`]).
fn write(node: &Node, out: &mut impl Write) -> io::Result<()> {
    match &node.value {
        Value::Null => out.write_all(b"null"),
        Value::Bool(value) => write!(out, "{value}"),
        // As ECMAScript writes it, for it is below 2^53.
        Value::Integer(value) => write!(out, "{value}"),
        Value::Float(value) => out.write_all(&serde_json_canonicalizer::to_vec(value)?),
        Value::Text(value) => text(value, out),
        Value::List(items) => row(out, [b'[', b']'], items.iter(), write),
        Value::Texts(list) => row(out, [b'[', b']'], list.texts().iter(), text),
        Value::Map(entries) => {
            let mut entries: Vec<&Entry> = entries.iter().collect();
            order::sort_by(&mut entries, |a, b| a.key.encode_utf16().cmp(b.key.encode_utf16()));
            row(out, [b'{', b'}'], entries.into_iter(), |entry, out| {
                text(&entry.key, out)?;
                out.write_all(b":")?;
                write(&entry.value, out)
            })
        }
    }
}

fn text(text: &str, out: &mut impl Write) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

fn row<T, W: Write>(
    out: &mut W,
    [open, close]: [u8; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    out.write_all(&[open])?;
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write(item, out)?;
    }
    out.write_all(&[close])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;
    use crate::config::json;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "(.|[\u{0}-\u{1f}\"\\\\/\u{7f}\u{2028}😀]){0,8}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                // Beyond the basic plane the order of UTF-16 is not that of UTF-8.
                prop::collection::btree_map("[a-cA\u{e9}\u{ffee}😀\n\"]{0,2}", inner, 0..6)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Sha256 of the canonical JSON, had by other means: `printf … | sha256sum`.
    #[test]
    fn the_digest_is_sha256_of_the_canonical_json() {
        let root = json::read("{ \"b\": 1.0, \"a\": \"é\" }".as_bytes()).unwrap();
        assert_eq!(
            digest(&root).unwrap(),
            "sha256:aa58fba8483623bed37c1b02edfccbdd9a53123837c20bfa4cb4049993a2872e"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical(json in any_json()) {
            let mut root = json::read(json.to_string().as_bytes()).unwrap();
            prop_assume!(root.settle().is_empty());
            let mut written = Vec::new();
            write(&root, &mut written).unwrap();
            let written = String::from_utf8(written).unwrap();
            prop_assert_eq!(&written, &serde_json_canonicalizer::pipe(&written).unwrap());
            prop_assert_eq!(written, serde_json_canonicalizer::to_string(&root).unwrap());
        }
    }
}
