//! Answers whose documents are framed otherwise than by server-sent events.
//!
//! The engine ([`Stream`]) is the same: each document is an event, and what a masker holds of a text goes out with a
//! later one. Documents that the engine makes for the tails of texts it writes as server-sent events; they are put
//! into the framing of the answer here, before the document that ended the text, or behind the last.

use crate::mask::text::Masks;
use crate::protocol::Unreadable;
use crate::protocol::json::Edit;
use crate::protocol::json::table::Table;
use crate::protocol::sse::{Lines, data_value};
use crate::protocol::stream::Stream;
use crate::protocol::{aws_frames, json_array, json_lines};

use super::Ledger;

/// How documents follow each other.
pub(super) enum Framing {
    Lines(json_lines::Framer),
    Array(json_array::Framer),
    Frames(aws_frames::Framer),
}

/// See the module.
pub(super) struct Documents<M: Masks> {
    framing: Framing,
    stream: Stream<M>,
    scratch: Scratch,
}

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Scratch {
    /// Documents that the engine made.
    tails: Vec<u8>,
    /// A frame's document before and after.
    pub document: Vec<u8>,
    pub edited: Vec<u8>,
    /// Whether frames carry their documents in base64.
    pub chunked: bool,
}

impl<M: Masks> Documents<M> {
    pub(super) fn new(framing: Framing, table: &'static Table) -> Self {
        Self { framing, stream: Stream::new(table), scratch: Scratch::default() }
    }

    pub(super) fn without_drops(&mut self) {
        self.stream.walk().without_drops();
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self.framing, Framing::Array(_))
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        let framed = match &self.framing {
            Framing::Lines(lines) => lines.held(),
            Framing::Array(array) => array.held(),
            Framing::Frames(frames) => frames.held(),
        };
        framed.saturating_add(self.stream.held())
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        masks: &M,
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let Self { framing, stream, scratch } = self;
        let mut writer = Writer { stream, scratch, masks, ledger, out };
        match framing {
            Framing::Lines(framer) => writer.lines(framer, bytes, end),
            Framing::Array(framer) => writer.array(framer, bytes, end),
            Framing::Frames(framer) => writer.frames(framer, bytes, end),
        }
    }
}

pub(super) struct Writer<'a, M: Masks> {
    stream: &'a mut Stream<M>,
    pub scratch: &'a mut Scratch,
    pub masks: &'a M,
    pub ledger: &'a mut Ledger,
    pub out: &'a mut Vec<u8>,
}

impl<M: Masks> Writer<'_, M> {
    fn lines(&mut self, framer: &mut json_lines::Framer, bytes: &[u8], end: bool) -> Result<(), Unreadable> {
        let mut separated = framer.separated;
        let mut each = |line: json_lines::Line<'_>, open: bool| match line {
            json_lines::Line::Pass(bytes) => {
                separated |= bytes.contains(&json_lines::SEPARATOR);
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            json_lines::Line::Document(data) => {
                self.read(data)?;
                // The separator of the line stands before them already.
                self.tails(open, |tail, out| {
                    out.extend_from_slice(tail);
                    out.extend_from_slice(if separated { b"\n\x1e" } else { b"\n" });
                    Ok(())
                })?;
                self.write(data, open)
            }
        };
        framer.push(bytes, &mut each)?;
        if !end {
            return Ok(());
        }
        framer.finish(&mut each)?;
        self.flush(|tail, out| {
            out.extend_from_slice(if separated { b"\x1e" } else { b"" });
            out.extend_from_slice(tail);
            out.push(b'\n');
            Ok(())
        })
    }

    fn array(&mut self, framer: &mut json_array::Framer, bytes: &[u8], end: bool) -> Result<(), Unreadable> {
        framer.push(bytes, &mut |piece| match piece {
            json_array::Piece::Pass(bytes) => {
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            json_array::Piece::Item(data) => {
                self.read(data)?;
                self.tails(false, |tail, out| {
                    out.extend_from_slice(tail);
                    out.extend_from_slice(b",\n");
                    Ok(())
                })?;
                self.write(data, false)
            }
            // Where there are tails, an item went before them.
            json_array::Piece::End => self.flush(|tail, out| {
                out.extend_from_slice(b",\n");
                out.extend_from_slice(tail);
                Ok(())
            }),
        })?;
        if end { framer.finish() } else { Ok(()) }
    }

    /// Reads a document; [`Self::tails`] and [`Self::write`] then write what comes of it.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        std::str::from_utf8(data).map_err(|_| Unreadable::Utf8)?;
        self.stream.read(data, &mut self.ledger.facts)
    }

    /// Writes the documents that must come before the one that was read.
    pub(super) fn tails(
        &mut self,
        last: bool,
        write: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.scratch.tails.clear();
        let mut edit = Edit::new(self.masks, &mut self.scratch.tails, &mut self.ledger.tally);
        self.stream.before(last, &mut edit);
        self.made(write)
    }

    /// Writes the tails of all texts.
    pub(super) fn flush(
        &mut self,
        write: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.scratch.tails.clear();
        let mut edit = Edit::new(self.masks, &mut self.scratch.tails, &mut self.ledger.tally);
        self.stream.flush(&mut edit);
        self.made(write)
    }

    /// Puts the documents that the engine made into the answer's framing.
    fn made(
        &mut self,
        mut write: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        for (_, line) in Lines(&self.scratch.tails) {
            if let Some(document) = data_value(line) {
                write(document, self.out)?;
            }
        }
        Ok(())
    }

    /// Writes the document that was read.
    fn write(&mut self, data: &[u8], last: bool) -> Result<(), Unreadable> {
        let mut edit = Edit::new(self.masks, self.out, &mut self.ledger.tally);
        self.stream.edit(data, last, &mut edit)
    }

    /// The same, into [`Scratch::edited`].
    pub(super) fn edit(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        self.scratch.edited.clear();
        let mut edit = Edit::new(self.masks, &mut self.scratch.edited, &mut self.ledger.tally);
        self.stream.edit(data, false, &mut edit)
    }
}
