//! AWS event streams, as Bedrock sends them.
//!
//! What an event is stands in a header of its frame; it is the event's name to the engine, which reads the payload as
//! the table has it for events of that name. Frames of `InvokeModelWithResponseStream` carry the model's own document
//! in base64 (`{"bytes": "…", "p": "padding"}`), and it is that document which the engine reads.
//!
//! Headers are texts too: each is masked for itself. An exception ends the stream, whatever the table knows of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mask::text::Masks;
use crate::protocol::Unreadable;
use crate::protocol::aws_frames::{self, Frame, Framer, Header, Value};
use crate::protocol::json::spares::Spares;
use crate::protocol::json::table::{Fact, LABEL, MASKED, Mark, Offset, OnText, Place};
use crate::protocol::json::text::{End, Text};
use crate::protocol::json::walk::{Part, Visit, Walk};
use crate::protocol::json::{Edit, Raw};
use crate::protocol::json_array::is_object;
use crate::protocol::stream::Frames;

use super::documents::{Carried, Writer};
use super::unblocked;

/// The kind of a frame that carries its document in base64.
const CHUNK: &str = "chunk";

/// The payload of such a frame: all but the document is masked.
static ENVELOPE: Place = Place { fields: &[("bytes", &LABEL)], ..MASKED };

impl<M: Masks> Writer<'_, M> {
    pub(super) fn frames(&mut self, framer: &mut Framer, bytes: &[u8], end: bool) -> Result<(), Unreadable> {
        framer.push(bytes, &mut |frame| self.frame(&frame))?;
        if !end {
            return Ok(());
        }
        framer.finish()?;
        self.flush_frames()
    }

    fn flush_frames(&mut self) -> Result<(), Unreadable> {
        let mut made = Made::new(self.scratch.carried);
        self.flush(&mut made)?;
        made.written
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Unreadable> {
        let headers = frame.headers()?;
        let (kind, failed) = kind(&headers);
        if failed {
            self.ledger.facts.failed = true;
            self.flush_frames()?;
        }
        let masked: Vec<_> =
            headers.iter().map(|header| (self.text(header.name), self.header(header))).collect();
        let payload = self.payload(kind, frame.payload)?;
        unblocked(&self.ledger.tally)?;
        if payload.is_none() && masked.iter().all(|(name, value)| name.is_none() && value.is_none()) {
            self.out.extend_from_slice(frame.raw);
            return Ok(());
        }
        let new = headers.iter().zip(&masked);
        let headers: Vec<_> =
            new.map(|(header, (name, value))| header.with(name.as_deref(), value.as_deref())).collect();
        aws_frames::write(&headers, payload.as_deref().unwrap_or(frame.payload), self.out)
    }

    /// What becomes of a header's value; `None`: it stays.
    fn header(&mut self, header: &Header<'_>) -> Option<Vec<u8>> {
        match header.value {
            Value::Text(text) | Value::Bytes(text) => self.text(text),
            Value::Number(bytes) => {
                let text = integer(bytes).to_string();
                let mut out = Vec::new();
                let mut edit = Edit::new(self.masks, &mut out, &mut self.ledger.tally);
                Spares::default()
                    .edit_number(Raw::alone(text.as_bytes()), &mut edit)
                    .then(|| vec![0; bytes.len()])
            }
            Value::Other(_) => None,
        }
    }

    /// What becomes of a text without escapes; `None`: it stays.
    fn text(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        let mut edit = Edit::new(self.masks, &mut out, &mut self.ledger.tally);
        Text::bare(self.masks.begin()).push(text, End::Text, &mut edit);
        (out != text).then_some(out)
    }

    /// What becomes of a payload; `None`: it stays.
    fn payload(&mut self, kind: &str, payload: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        if payload.trim_ascii().is_empty() {
            return Ok(None);
        }
        if kind == CHUNK {
            if let Some(changed) = self.chunk(payload)? {
                return Ok(changed);
            }
            self.scratch.carried = Carried::Plain;
        }
        if !is_object(payload) {
            return Err(Unreadable::Frame { reason: "its payload is no JSON object" });
        }
        // A chunk is no event's name: what it is, its document says.
        self.document_of(if kind == CHUNK { "" } else { kind }, payload)?;
        let edited = &self.scratch.edited;
        Ok((edited != payload).then(|| edited.clone()))
    }

    /// Edits a document, and writes the frames that must come before its own.
    fn document_of(&mut self, kind: &str, document: &[u8]) -> Result<(), Unreadable> {
        let mut made = Made::new(self.scratch.carried);
        self.edited(kind.as_bytes(), document, &mut made)?;
        made.written
    }

    /// Reads the document that a payload carries in base64; `None` without one, `Some(None)`: it stays.
    #[expect(clippy::option_option, reason = "whether there is one, and whether it changes")]
    fn chunk(&mut self, payload: &[u8]) -> Result<Option<Option<Vec<u8>>>, Unreadable> {
        std::str::from_utf8(payload).map_err(|_| Unreadable::Utf8)?;
        let mut parts = Parts::default();
        Walk::new(&ENVELOPE).push(payload, true, &mut parts)?;
        if !parts.0.iter().any(|(part, ..)| *part == Piece::Document) {
            return Ok(None);
        }
        self.scratch.carried = Carried::Packed;
        let mut made = Vec::with_capacity(payload.len());
        let mut given = 0usize;
        for (part, from, to) in parts.0 {
            made.extend_from_slice(payload.get(given..from).unwrap_or_default());
            given = to;
            let raw = payload.get(from..to).unwrap_or_default();
            let mut edit = Edit::new(self.masks, &mut made, &mut self.ledger.tally);
            match part {
                Piece::Document => self.packed(raw, &mut made)?,
                Piece::Number => {
                    if !Spares::default().edit_number(Raw::alone(raw), &mut edit) {
                        made.extend_from_slice(raw);
                    }
                }
                Piece::Text => Text::new(self.masks.begin()).push(raw, End::Text, &mut edit),
            }
        }
        made.extend_from_slice(payload.get(given..).unwrap_or_default());
        Ok(Some((made != payload).then_some(made)))
    }

    /// A document in base64, and what becomes of it.
    fn packed(&mut self, raw: &[u8], made: &mut Vec<u8>) -> Result<(), Unreadable> {
        // Some writers of JSON escape the slash, which base64 has.
        let plain: Vec<u8> = raw.iter().copied().filter(|&byte| byte != b'\\').collect();
        let document =
            STANDARD.decode(plain).map_err(|_| Unreadable::Frame { reason: "its bytes are no base64" })?;
        if document.trim_ascii().is_empty() {
            made.extend_from_slice(raw);
            return Ok(());
        }
        self.document_of("", &document)?;
        if self.scratch.edited == document {
            made.extend_from_slice(raw);
        } else {
            made.extend_from_slice(STANDARD.encode(&self.scratch.edited).as_bytes());
        }
        Ok(())
    }
}

/// The kind of a frame's event, and whether it says that the answer failed. A kind that is no plain name is empty.
fn kind<'a>(headers: &[Header<'a>]) -> (&'a str, bool) {
    let text = |name: &str| {
        let found = headers.iter().find(|header| header.name == name.as_bytes());
        found.and_then(|header| if let Value::Text(text) = header.value { Some(text) } else { None })
    };
    let failed = text(":exception-type").is_some()
        || text(":error-code").is_some()
        || matches!(text(":message-type"), Some(b"exception" | b"error"));
    let kind = if failed { text(":exception-type") } else { text(":event-type") };
    let plain = |text: &&[u8]| {
        text.len() <= 64 && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let kind = kind.filter(plain).and_then(|text| std::str::from_utf8(text).ok());
    (kind.unwrap_or_default(), failed)
}

fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |value: i64, byte| value.wrapping_shl(8) | i64::from(*byte))
}

/// Frames of our own.
struct Made {
    carried: Carried,
    written: Result<(), Unreadable>,
}

impl Made {
    fn new(carried: Carried) -> Self {
        Self { carried, written: Ok(()) }
    }
}

impl Frames for Made {
    fn event(&mut self, name: &[u8], document: &[u8], out: &mut Vec<u8>) {
        let named = self.carried == Carried::Named;
        let kind = if named { std::str::from_utf8(name).unwrap_or_default() } else { CHUNK };
        let headers = [
            Header::text(":event-type", kind),
            Header::text(":content-type", "application/json"),
            Header::text(":message-type", "event"),
        ];
        let packed = || format!("{{\"bytes\":\"{}\"}}", STANDARD.encode(document)).into_bytes();
        let payload = if self.carried == Carried::Packed { packed() } else { document.to_vec() };
        let written = aws_frames::write(&headers, &payload, out);
        self.written = std::mem::replace(&mut self.written, Ok(())).and(written);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Document,
    Text,
    Number,
}

/// The places of a payload that may change.
#[derive(Debug, Default)]
struct Parts(Vec<(Piece, usize, usize)>);

impl Parts {
    fn note(&mut self, piece: Piece, part: &Part<'_>) -> bool {
        self.0.push((piece, part.at, part.at.saturating_add(part.raw.bytes.len())));
        true
    }
}

impl Visit for Parts {
    fn pass(&mut self, _bytes: &[u8]) {}

    fn enter(&mut self, _mark: Mark) {}

    fn text(&mut self, _on: OnText, _path: u32, part: &Part<'_>) -> bool {
        self.note(Piece::Text, part)
    }

    fn label(&mut self, part: &Part<'_>) -> bool {
        self.note(Piece::Document, part)
    }

    fn key(&mut self, part: &Part<'_>) -> bool {
        self.note(Piece::Text, part)
    }

    fn number(&mut self, part: &Part<'_>) -> bool {
        self.note(Piece::Number, part)
    }

    fn offset(&mut self, _offset: &'static Offset, _part: &Part<'_>) -> bool {
        false
    }

    fn dropped(&mut self, _with: &'static str, _from: usize, _to: usize) {}

    fn read(&mut self, _fact: Fact, _value: &[u8], _at: usize) {}
}
