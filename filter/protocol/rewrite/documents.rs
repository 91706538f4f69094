//! Answers whose documents are framed otherwise than by server-sent events.
//!
//! The engine ([`Stream`]) is the same: each document is an event, and what a masker holds of a text goes out with a
//! later one. Documents that the engine makes for the tails of texts are put into the framing of the answer: before the
//! document that ends the text, or behind the last.

use crate::mask::text::Masks;
use crate::protocol::Unreadable;
use crate::protocol::facts::Facts;
use crate::protocol::json::Edit;
use crate::protocol::json::table::Table;
use crate::protocol::stream::{Frames, Splice, Stream};
use crate::protocol::{aws_frames, json_array, json_lines};

use super::{Ledger, unblocked};

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

/// What is kept from frame to frame.
#[derive(Default)]
pub(super) struct Scratch {
    /// What became of a frame's document.
    pub edited: Vec<u8>,
    pub carried: Carried,
}

/// How frames carry documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Carried {
    /// As events under their names.
    #[default]
    Named,
    /// As chunks, in base64.
    Packed,
    /// As chunks, as they are: servers that stand in for the provider write so.
    Plain,
}

/// Documents of our own between these bytes.
struct Between(&'static [u8], &'static [u8]);

impl Frames for Between {
    fn event(&mut self, _name: &[u8], document: &[u8], out: &mut Vec<u8>) {
        [self.0, document, self.1].iter().for_each(|part| out.extend_from_slice(part));
    }
}

impl<M: Masks> Documents<M> {
    pub(super) fn new(framing: Framing, table: &'static Table) -> Self {
        Self { framing, stream: Stream::new(table), scratch: Scratch::default() }
    }

    pub(super) fn stream(&mut self) -> &mut Stream<M> {
        &mut self.stream
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
                // The separator of the line stands before it already.
                let mut between = Between(b"", if separated { b"\n\x1e" } else { b"\n" });
                self.document(data, open, &mut between)
            }
        };
        framer.push(bytes, &mut each)?;
        if !end {
            return Ok(());
        }
        framer.finish(&mut each)?;
        self.flush(&mut Between(if separated { b"\x1e" } else { b"" }, b"\n"))
    }

    fn array(&mut self, framer: &mut json_array::Framer, bytes: &[u8], end: bool) -> Result<(), Unreadable> {
        framer.push(bytes, &mut |piece| match piece {
            json_array::Piece::Pass(bytes) => {
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            json_array::Piece::Item(data) => self.document(data, false, &mut Between(b"", b",\n")),
            // Where there are tails, an item went before them.
            json_array::Piece::End => self.flush(&mut Between(b",\n", b"")),
        })?;
        if end { framer.finish() } else { Ok(()) }
    }

    /// A whole document. `last`: the stream ends with it.
    fn document(&mut self, data: &[u8], last: bool, frames: &mut dyn Frames) -> Result<(), Unreadable> {
        let alike = !last && self.is_alike(b"", data);
        if !alike {
            self.read(b"", data, last, frames)?;
        }
        let before = self.out.len();
        let Ledger { tally, facts } = self.ledger;
        let mut edit = Edit::new(self.masks, self.out, tally);
        let result = match alike {
            true => edit_alike(self.stream, data, facts, &mut edit),
            false => self.stream.edit(data, last, &mut edit),
        };
        let result = result.and_then(|()| unblocked(&self.ledger.tally));
        if result.is_err() {
            // Half a document would swallow the one that ends the answer.
            self.out.truncate(before);
        }
        result
    }

    /// Whether a document is like the one read last, and called the same.
    fn is_alike(&mut self, name: &[u8], data: &[u8]) -> bool {
        name == self.stream.name() && self.stream.resembles(data) == Some(data.len())
    }

    /// Edits a document into [`Scratch::edited`], and writes what must come before it.
    pub(super) fn edited(
        &mut self,
        name: &[u8],
        data: &[u8],
        frames: &mut dyn Frames,
    ) -> Result<(), Unreadable> {
        let alike = self.is_alike(name, data);
        if !alike {
            self.read(name, data, false, frames)?;
        }
        self.scratch.edited.clear();
        let Ledger { tally, facts } = self.ledger;
        let mut edit = Edit::new(self.masks, &mut self.scratch.edited, tally);
        match alike {
            true => edit_alike(self.stream, data, facts, &mut edit),
            false => self.stream.edit(data, false, &mut edit),
        }
    }

    /// Reads a document and writes what must come before it.
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        last: bool,
        frames: &mut dyn Frames,
    ) -> Result<(), Unreadable> {
        std::str::from_utf8(data).map_err(|_| Unreadable::Utf8)?;
        self.stream.read(name, data, &mut self.ledger.facts)?;
        self.stream.before(last, frames, &mut Edit::new(self.masks, self.out, &mut self.ledger.tally))
    }

    /// Writes the tails of all texts.
    pub(super) fn flush(&mut self, frames: &mut dyn Frames) -> Result<(), Unreadable> {
        self.stream.flush(frames, &mut Edit::new(self.masks, self.out, &mut self.ledger.tally))
    }
}

/// Writes a whole document that is like the one read last.
fn edit_alike<M: Masks>(
    stream: &mut Stream<M>,
    data: &[u8],
    facts: &mut Facts,
    edit: &mut Edit<'_, M>,
) -> Result<(), Unreadable> {
    let mut splice = Splice::new(data);
    stream.edit_alike((0, data.len()), &mut splice, facts, edit)?;
    splice.flush(data.len(), edit.out);
    Ok(())
}
