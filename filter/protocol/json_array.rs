//! A stream written as one JSON array, each of whose items is an event (Gemini's `streamGenerateContent` without
//! `alt=sse`).
//!
//! An item goes out when its last byte has come. The framer tells items from what stands between them by brackets and
//! quotes alone; that an item is a document, and the only one in its place, is for whoever reads it to say. A body that
//! is no array is no stream.

use super::Unreadable;
use super::sse::MAX_EVENT;
use crate::plain::plain_len;

/// Room that is kept for the next item, in bytes.
const ROOM: usize = 1 << 10;

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Stands between items: goes out as it is.
    Pass(&'a [u8]),
    /// An item's bytes.
    Item(&'a [u8]),
    /// The bracket that closes the array comes next.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the array.
    Start,
    /// Behind its bracket: an item or the end.
    Open,
    /// Behind a comma: an item.
    Comma,
    /// Behind an item: a comma or the end.
    Item,
    /// Behind the array.
    End,
}

/// Where in an item the framer is.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    /// Looked at up to here.
    at: usize,
    depth: usize,
    string: bool,
    escape: bool,
}

/// Cuts an array into items.
#[derive(Debug)]
pub(super) struct Framer {
    at: At,
    /// The item under way, where it began in an earlier piece.
    buffer: Vec<u8>,
    scan: Scan,
    limit: usize,
    /// Bytes before the piece.
    offset: u64,
}

impl Default for Framer {
    fn default() -> Self {
        Self { at: At::Start, buffer: Vec::new(), scan: Scan::default(), limit: MAX_EVENT, offset: 0 }
    }
}

impl Framer {
    /// Bytes of the item under way.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next piece, cut anywhere, and gives out what is whole.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            let done = self.run(piece, each)?;
            buffer.extend_from_slice(piece.get(done..).unwrap_or_default());
        } else {
            buffer.extend_from_slice(piece);
            let done = self.run(&buffer, each)?;
            buffer.drain(..done.min(buffer.len()));
        }
        buffer.shrink_to(ROOM);
        if buffer.len() > self.limit {
            return Err(Unreadable::EventTooLong { limit: self.limit });
        }
        self.buffer = buffer;
        self.offset = self.offset.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// The bytes are all here.
    pub(super) fn finish(&self) -> Result<(), Unreadable> {
        if self.at == At::End { Ok(()) } else { Err(Unreadable::Truncated) }
    }

    /// Gives out what is whole in `bytes`, which begins with the item under way if there is one; returns how much that
    /// was.
    fn run(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<(), Unreadable>,
    ) -> Result<usize, Unreadable> {
        let mut given = 0usize;
        let mut at = 0usize;
        while let Some(&byte) = bytes.get(at) {
            if matches!(self.at, At::Open | At::Comma) && !is_between(byte) {
                pass(bytes, &mut given, at, each)?;
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(len) = self.scan.item(rest) else { return Ok(at) };
                self.scan = Scan::default();
                let item = rest.get(..len).unwrap_or(rest);
                if len > self.limit {
                    return Err(Unreadable::EventTooLong { limit: self.limit });
                }
                each(Piece::Item(item))?;
                self.at = At::Item;
                at = at.saturating_add(len);
                given = at;
                continue;
            }
            self.at = match (self.at, byte) {
                (here, b' ' | b'\t' | b'\r' | b'\n') => here,
                (At::Start, b'[') => At::Open,
                (At::Item, b',') => At::Comma,
                (At::Open | At::Item, b']') => {
                    pass(bytes, &mut given, at, each)?;
                    each(Piece::End)?;
                    At::End
                }
                _ => {
                    let at = self.offset.saturating_add(u64::try_from(at).unwrap_or(u64::MAX));
                    return Err(Unreadable::Json { at, reason: "unexpected character between events" });
                }
            };
            at = at.saturating_add(1);
        }
        pass(bytes, &mut given, at, each)?;
        Ok(at)
    }
}

impl Scan {
    /// Length of the item that `bytes` begins with; `None`: it goes on.
    fn item(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(&byte) = bytes.get(self.at) {
            let mut next = self.at.saturating_add(1);
            match byte {
                _ if self.escape => self.escape = false,
                b'\\' if self.string => self.escape = true,
                b'"' => self.string = !self.string,
                _ if self.string => {
                    let run = plain_len(bytes.get(self.at..).unwrap_or_default());
                    next = self.at.saturating_add(run.max(1));
                }
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                // Of a bare word or number: what ends it is not part of it.
                b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return Some(self.at),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 && !self.string && matches!(byte, b'}' | b']' | b'"') {
                return Some(next);
            }
            self.at = next;
        }
        None
    }
}

/// Whether `bytes` are one object, as far as brackets and quotes can tell.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.starts_with(b"{") && Scan::default().item(bytes) == Some(bytes.len())
}

/// Whether a byte cannot begin an item.
fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | b':')
}

fn pass(
    bytes: &[u8],
    given: &mut usize,
    to: usize,
    each: &mut impl FnMut(Piece<'_>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let between = bytes.get(*given..to).unwrap_or_default();
    *given = to;
    if between.is_empty() { Ok(()) } else { each(Piece::Pass(between)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The items of a stream, and all its bytes put together again.
    fn items(pieces: &[&[u8]]) -> Result<(Vec<String>, Vec<u8>), Unreadable> {
        let (mut items, mut all, mut ends) = (Vec::new(), Vec::new(), 0);
        let mut framer = Framer::default();
        let mut each = |piece: Piece<'_>| {
            match piece {
                Piece::Pass(bytes) => all.extend_from_slice(bytes),
                Piece::Item(bytes) => {
                    items.push(String::from_utf8(bytes.to_vec()).unwrap());
                    all.extend_from_slice(bytes);
                }
                Piece::End => ends += 1,
            }
            Ok(())
        };
        for piece in pieces {
            framer.push(piece, &mut each)?;
        }
        framer.finish()?;
        assert_eq!((framer.held(), ends), (0, 1));
        Ok((items, all))
    }

    const STREAM: &str =
        " [{\"a\":\"]}\\\"\\\\\",\"b\":[{}]}\n,\r\n{\"é\":\"\\\\\"} , [1,[2]],\"x,\\\"]\",12 ,true,{}\n]\n ";

    #[test]
    fn items_are_the_same_at_every_cut_and_no_byte_is_lost() {
        let expected = [
            "{\"a\":\"]}\\\"\\\\\",\"b\":[{}]}",
            "{\"é\":\"\\\\\"}",
            "[1,[2]]",
            "\"x,\\\"]\"",
            "12",
            "true",
            "{}",
        ];
        let bytes = STREAM.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (seen, all) = items(&[&bytes[..first], &bytes[first..second], &bytes[second..]]).unwrap();
                assert_eq!(
                    (seen, all),
                    (expected.map(String::from).to_vec(), bytes.to_vec()),
                    "{first} {second}"
                );
            }
        }
        assert_eq!(items(&bytes.chunks(1).collect::<Vec<_>>()).unwrap().0, expected);
    }

    #[test]
    fn an_item_goes_out_with_its_last_byte() {
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        let mut each = |piece: Piece<'_>| {
            if let Piece::Item(bytes) = piece {
                seen.push(bytes.len());
            }
            Ok(())
        };
        framer.push(b"[{\"a\":", &mut each).unwrap();
        framer.push(b"1}", &mut each).unwrap();
        framer.push(b"\n,{}", &mut each).unwrap();
        assert_eq!(seen, [7, 2]);
    }

    #[test]
    fn what_is_no_array_of_items_is_refused() {
        for bad in
            ["[", "[{}", "[{},", "[,]", "[{},]", "[{}{}]", "[{}]]", "{}", "[{}]x", "[:]", "[}", "[{}}]", ""]
        {
            assert!(items(&[bad.as_bytes()]).is_err(), "{bad}");
            assert!(items(&bad.as_bytes().chunks(1).collect::<Vec<_>>()).is_err(), "{bad}");
        }
        assert_eq!(items(&[b"[]"]), Ok((Vec::new(), b"[]".to_vec())));
        let long = format!("[\"{}\"]", "x".repeat(MAX_EVENT));
        let error = Err(Unreadable::EventTooLong { limit: MAX_EVENT });
        assert_eq!(items(&[long.as_bytes()]), error);
        assert_eq!(items(&long.as_bytes().chunks(5000).collect::<Vec<_>>()), error);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(|value| value.map_or(Value::Null, Value::Bool)),
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\\\[\\]{},: é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::btree_map("[a-z\"]{1,3}", inner, 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_array_comes_apart_into_its_items(values in prop::collection::vec(value(), 0..6), pretty: bool, size in 1usize..40) {
            let array = Value::Array(values.clone());
            let text = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) }.unwrap();
            let (seen, all) = items(&text.as_bytes().chunks(size).collect::<Vec<_>>()).unwrap();
            let seen: Vec<Value> = seen.iter().map(|item| serde_json::from_str(item).unwrap()).collect();
            prop_assert_eq!(seen, values);
            prop_assert_eq!(all, text.into_bytes());
        }
    }
}
