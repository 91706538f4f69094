//! The laws of every provider's stream, for recorded events.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Empty, Nothing, Simple, masked, masked_value};
use crate::mask::kept::{Book, Keeping};
use crate::mask::text::Masks;
use crate::mask::{Catalogue, Plan};
use crate::protocol::Unreadable;
use crate::protocol::json::queue::escape;
use crate::protocol::json::table::Table;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};

/// How events travel.
pub struct Wire {
    pub kind: BodyKind,
    /// The bytes of events: name (empty: none) and document.
    pub write: fn(&[(String, String)]) -> Vec<u8>,
    /// The same backwards, by other means than the engine's.
    pub read: fn(&[u8]) -> Vec<(String, String)>,
}

/// Server-sent events; the name is that of the `event:` line.
pub const SSE: Wire = Wire {
    kind: BodyKind::EventStream,
    write: |events| {
        let event = |(name, document): &(String, String)| match name.as_str() {
            "" => format!("data: {document}\n\n"),
            name => format!("event: {name}\ndata: {document}\n\n"),
        };
        events.iter().map(event).collect::<String>().into_bytes()
    },
    read: |bytes| {
        let text = std::str::from_utf8(bytes).unwrap();
        let field = |event: &str, name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start().to_owned()).unwrap_or_default()
        };
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        events.map(|event| (field(event, "event:"), field(event, "data:"))).collect()
    },
};

/// A recorded stream: what comes before a text, an event that carries a piece of it, and what comes behind it. In the
/// documents `?` stands for the piece, and behind it for the whole text; `#` for the event's number.
pub struct Recorded {
    pub table: &'static Table,
    pub wire: Wire,
    /// Name and document of each event.
    pub head: &'static [(&'static str, &'static str)],
    pub delta: (&'static str, &'static str),
    pub tail: &'static [(&'static str, &'static str)],
    /// Where the piece stands in the delta's document (a JSON pointer).
    pub at: &'static str,
    /// Whether the text is itself JSON.
    pub json: bool,
}

/// The value of a text that a plan finds.
const EMAIL: &str = "jane@example.com";

const TEXTS: &[&str] = &[
    "a SECRET b",
    "SECRET",
    "SECRE",
    "to jane@example.com, 12345 café",
    "😀 jane@exam",
    "A\nB \"quoted\\\" 999",
    "x",
    "",
    "nothing to see 12, 3",
];

/// Documents for texts that are JSON. Keys are sorted and there are no blanks, so that the text can be compared.
const DOCUMENTS: &[&str] =
    &[r#"{"a":"SECRET","n":[1,{"b":"jane@example.com"}]}"#, r#"{"a\nb":"café \"SECRE"}"#, "{}"];

impl Recorded {
    /// All laws.
    pub fn laws(&self) {
        for text in if self.json { DOCUMENTS } else { TEXTS } {
            let chars: Vec<char> = text.chars().collect();
            for size in [1, 2, 3, 5, 7, 100] {
                let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
                self.law(text, &pieces);
            }
            for cut in 0..=chars.len() {
                let (before, after) = chars.split_at(cut);
                self.law(text, &[before.iter().collect(), after.iter().collect()]);
            }
        }
        self.every_cut_of_the_wire();
        self.a_copy_is_masked();
    }

    fn events(&self, text: &str, pieces: &[String]) -> Vec<(String, String)> {
        let own = |events: &[(&str, &str)]| -> Vec<(String, String)> {
            events.iter().map(|(name, document)| ((*name).to_owned(), (*document).to_owned())).collect()
        };
        let fill = |document: &str, text: &str| document.replace('?', &quoted(text));
        let mut events = own(self.head);
        for piece in pieces {
            events.push((self.delta.0.to_owned(), fill(self.delta.1, piece)));
        }
        events.extend(own(self.tail).into_iter().map(|(name, document)| (name, fill(&document, text))));
        for (number, (_, document)) in events.iter_mut().enumerate() {
            *document = document.replace('#', &number.to_string());
        }
        events
    }

    fn masked(&self, text: &str) -> String {
        if self.json {
            return masked_value(&serde_json::from_str(text).unwrap()).to_string();
        }
        masked(text)
    }

    fn law(&self, text: &str, pieces: &[String]) {
        let events = self.events(text, pieces);
        let input = (self.wire.write)(&events);
        let out = self.run(Simple, &input, usize::MAX).unwrap();
        let seen = (self.wire.read)(&out);
        let shown = String::from_utf8_lossy(&out);
        // Every event is there, in its order, with perhaps one more before the tail.
        let added = seen.len() - events.len();
        assert!(added <= 1, "{text:?} {pieces:?}: {shown}");
        let tail = seen.len() - self.tail.len();
        let delta: Value =
            serde_json::from_str(&self.events(text, &[String::new()])[self.head.len()].1).unwrap();
        let mut joined = String::new();
        for (name, document) in &seen[self.head.len()..tail] {
            assert_eq!(name, self.delta.0, "{shown}");
            let document: Value = serde_json::from_str(document).unwrap();
            joined += document.pointer(self.at).and_then(Value::as_str).unwrap_or_else(|| panic!("{shown}"));
            assert_like(&document, &delta, "", self.at);
        }
        // What comes behind repeats the masked text; a text that is empty there takes what was held.
        for ((name, document), (was, pattern)) in seen[tail..].iter().zip(self.tail) {
            assert_eq!(name, was);
            let pattern = pattern.replace('?', &quoted(&self.masked(text))).replace('#', "0");
            let expected: Value = serde_json::from_str(&pattern).unwrap();
            let document: Value = serde_json::from_str(document).unwrap();
            let takes_tail = expected.pointer(self.at) == Some(&Value::from(""));
            assert_like(&document, &expected, "", if takes_tail { self.at } else { "/-" });
            joined +=
                document.pointer(self.at).and_then(Value::as_str).filter(|_| takes_tail).unwrap_or_default();
        }
        assert_eq!(joined, self.masked(text), "{pieces:?}: {shown}");
        self.assert_numbers(&seen);
        // Without anything to mask, nothing changes.
        let same = if self.json { self.run(Empty, &input, 7) } else { self.run(Nothing, &input, 7) }.unwrap();
        assert_eq!(String::from_utf8_lossy(&same), String::from_utf8_lossy(&input));
    }

    fn assert_numbers(&self, seen: &[(String, String)]) {
        if !self.delta.1.contains('#') {
            return;
        }
        for (number, (_, document)) in seen.iter().enumerate() {
            let document: Value = serde_json::from_str(document).unwrap();
            assert_eq!(document["sequence_number"], number, "{document}");
        }
    }

    fn every_cut_of_the_wire(&self) {
        let text = if self.json { DOCUMENTS[0] } else { TEXTS[3] };
        let pieces: Vec<String> =
            text.chars().collect::<Vec<_>>().chunks(6).map(|piece| piece.iter().collect()).collect();
        let input = (self.wire.write)(&self.events(text, &pieces));
        let whole = self.run(Simple, &input, usize::MAX).unwrap();
        for cut in 0..=input.len() {
            let mut rewriter = self.rewriter(Simple);
            let mut out = Vec::new();
            let (before, after) = input.split_at(cut);
            rewriter.push(before, false, &mut out).unwrap();
            rewriter.push(after, false, &mut out).unwrap();
            rewriter.push(b"", true, &mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole), "cut at {cut}");
        }
        assert_eq!(self.run(Simple, &input, 1).unwrap(), whole);
    }

    /// A copy of the texts for records is masked as a whole, however they were cut, and whenever it was taken.
    fn a_copy_is_masked(&self) {
        let text = if self.json { DOCUMENTS[0] } else { TEXTS[3] };
        let catalogue = Catalogue::built_in();
        let plan = Plan::new(&catalogue, catalogue.resolve("PII").unwrap(), Vec::new());
        let masked =
            if self.json { "<EMAIL_ADDRESS>".to_owned() } else { text.replace(EMAIL, "<EMAIL_ADDRESS>") };
        for size in [1, 3, 7, 100] {
            let chars: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
            let input = (self.wire.write)(&self.events(text, &pieces));
            for cut in [1, 5, usize::MAX] {
                let book = Book::default();
                let mut rewriter = self.rewriter(Keeping::new(plan.clone(), book.clone()));
                let (mut out, mut texts) = (Vec::new(), BTreeMap::<u64, String>::new());
                let mut read = |piece: &[u8], end| {
                    rewriter.push(piece, end, &mut out).unwrap();
                    for (of, piece) in book.take() {
                        texts.entry(of).or_default().push_str(&piece);
                    }
                };
                input.chunks(cut).for_each(|piece| read(piece, false));
                read(b"", true);
                assert!(texts.values().any(|text| *text == masked), "{size} {cut}: {texts:?}");
                assert!(!format!("{texts:?}").contains(EMAIL), "{size} {cut}: {texts:?}");
            }
        }
    }

    fn rewriter<M: Masks>(&self, masks: M) -> ResponseRewriter<M> {
        ResponseRewriter::new(self.wire.kind, self.table, masks)
    }

    fn run<M: Masks>(&self, masks: M, input: &[u8], size: usize) -> Result<Vec<u8>, Unreadable> {
        let mut rewriter = self.rewriter(masks);
        let mut out = Vec::new();
        for piece in input.chunks(size) {
            rewriter.push(piece, false, &mut out)?;
        }
        rewriter.push(b"", true, &mut out)?;
        assert_eq!(rewriter.held(), 0);
        Ok(out)
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    escape(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

/// Whether all that `document` says, `expected` says too; but for the text, the number, and padding.
fn assert_like(document: &Value, expected: &Value, path: &str, text: &str) {
    if path == text || path == "/sequence_number" || path == "/obfuscation" {
        return;
    }
    match (document, expected) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, value) in fields {
                let path = format!("{path}/{key}");
                let other = others.get(key).unwrap_or_else(|| panic!("{path} is not in {expected}"));
                assert_like(value, other, &path, text);
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            assert!(items.len() <= others.len(), "{path}: {document} is not {expected}");
            for (at, (item, other)) in items.iter().zip(others).enumerate() {
                assert_like(item, other, &format!("{path}/{at}"), text);
            }
        }
        _ => assert_eq!(document, expected, "{path}"),
    }
}
