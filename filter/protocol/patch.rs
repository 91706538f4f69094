//! Changes to a text in place: bytes outside of what is changed are the bytes that came.

use std::ops::Range;

use crate::protocol::request::strings;

/// What is put in the place of what.
pub struct Patch<'b> {
    text: &'b [u8],
    edits: Vec<(Range<usize>, String)>,
}

impl<'b> Patch<'b> {
    /// Of this text, nothing yet.
    pub fn new(text: &'b [u8]) -> Self {
        Self { text, edits: Vec::new() }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts `with` in the place of these bytes. Places lie beside one another; the same change may be asked for again.
    pub fn put(&mut self, at: Range<usize>, with: impl Into<String>) {
        self.edits.push((at, with.into()));
    }

    /// Puts fields, each a key with its value, first into the JSON object that begins at a place, once for each object.
    /// False: no object does.
    #[must_use]
    pub fn enter(&mut self, object: usize, fields: &[String]) -> bool {
        if self.text.get(object) != Some(&b'{') {
            return false;
        }
        if fields.is_empty() {
            return true;
        }
        let inside = object.saturating_add(1);
        let is_empty = self.text.get(strings::spaces(self.text, inside)) == Some(&b'}');
        let comma = if is_empty { "" } else { "," };
        self.put(inside..inside, format!("{}{comma}", fields.join(",")));
        true
    }

    /// The text with its changes.
    pub fn apply(mut self) -> Vec<u8> {
        self.edits.sort_by_key(|(at, _)| (at.start, at.end));
        self.edits.dedup();
        let more = self.edits.iter().fold(0usize, |sum, (_, with)| sum.saturating_add(with.len()));
        let (mut out, mut given) = (Vec::with_capacity(self.text.len().saturating_add(more)), 0usize);
        for (at, with) in &self.edits {
            out.extend_from_slice(self.text.get(given..at.start).unwrap_or_default());
            out.extend_from_slice(with.as_bytes());
            given = at.end.max(given);
        }
        out.extend_from_slice(self.text.get(given..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        let mut patch = Patch::new(b"{ \"a\" : 1, \"b\":[]}");
        assert!(patch.is_empty());
        patch.put(8..9, "22");
        patch.put(8..9, "22");
        assert!(patch.enter(0, &["\"c\":3".to_owned(), "\"d\":4".to_owned()]));
        assert_eq!(patch.apply(), b"{\"c\":3,\"d\":4, \"a\" : 22, \"b\":[]}");
    }

    #[test]
    fn an_empty_object_gets_no_comma_and_what_is_no_object_no_field() {
        let field = ["\"a\":1".to_owned()];
        let mut patch = Patch::new(b"[{ \n}]");
        assert!(!patch.enter(0, &field) && !patch.enter(9, &field));
        assert!(patch.enter(1, &[]) && patch.is_empty());
        assert!(patch.enter(1, &field));
        assert_eq!(patch.apply(), b"[{\"a\":1 \n}]");
    }
}
