//! Server-sent events with a document each.
//!
//! An event that is like the one before, its lines and all, is neither cut from the bytes nor walked: it is compared
//! with that one where it stands, and what stays of such events is copied in one go.

use crate::mask::text::Masks;
use crate::protocol::bytes::after;
use crate::protocol::json::Edit;
use crate::protocol::json::table::Table;
use crate::protocol::json::text::{End, Text};
use crate::protocol::limit::Stopped;
use crate::protocol::sse::{Event, Frame, Framer, Lines, data_value, field_value};
use crate::protocol::stream::{Frames, Splice, Stream};
use crate::protocol::{Unreadable, Work};

use super::{Ledger, unblocked};

/// See the module.
pub(super) struct Events<M: Masks> {
    framer: Framer,
    stream: Stream<M>,
    /// Whether events are of kinds, so that their names matter.
    named: bool,
    head: Head,
    waiting: Vec<Vec<u8>>,
    /// Data of an event that has it on several lines, and what becomes of it.
    data: Vec<u8>,
    edited: Vec<u8>,
    alike: Option<&'static [u8]>,
}

/// The lines before an event's data that came last and needed no change, and the event's name in them.
#[derive(Debug, Default)]
struct Head {
    lines: Vec<u8>,
    name: Vec<u8>,
}

/// Server-sent events of our own.
struct Sse;

impl Frames for Sse {
    fn event(&mut self, name: &[u8], document: &[u8], out: &mut Vec<u8>) {
        if !name.is_empty() {
            [b"event: ", name, b"\n"].iter().for_each(|part| out.extend_from_slice(part));
        }
        [b"data: ", document, b"\n\n"].iter().for_each(|part| out.extend_from_slice(part));
    }
}

impl<M: Masks> Events<M> {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            framer: Framer::default(),
            stream: Stream::new(table),
            named: !table.event.kinds.is_empty(),
            head: Head::default(),
            waiting: Vec::new(),
            data: Vec::new(),
            edited: Vec::new(),
            alike: None,
        }
    }

    pub(super) fn stream(&mut self) -> &mut Stream<M> {
        &mut self.stream
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.framer.held().saturating_add(self.stream.held())
    }

    /// Ends the stream behind the last whole event: writes what is held of texts, and tells what its last events need.
    pub(super) fn stop(
        &mut self,
        masks: &M,
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> Result<Stopped, Unreadable> {
        let Self { stream, named, head, waiting, data, edited, alike, .. } = self;
        let named = *named;
        let mut writer =
            Writer { stream, named, head, waiting, data, edited, alike, masks, ledger, out, last: false };
        let mut stopped = Stopped::default();
        writer.whole_or_nothing(|writer| {
            let Ledger { tally, .. } = writer.ledger;
            stopped = writer.stream.stop(&mut Sse, &mut Edit::new(masks, writer.out, tally));
            writer.release()
        })?;
        Ok(stopped)
    }

    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        masks: &M,
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let Self { framer, stream, named, head, waiting, data, edited, alike } = self;
        let named = *named;
        let mut writer =
            Writer { stream, named, head, waiting, data, edited, alike, masks, ledger, out, last: false };
        let mut rest = bytes;
        while !rest.is_empty() {
            if framer.is_between() {
                let alike = writer.alike(rest, framer)?;
                rest = rest.get(alike..).unwrap_or_default();
            }
            let Some((frame, taken)) = framer.next(rest)? else { break };
            writer.frame(frame)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        if end {
            writer.last = true;
            framer.finish(|frame| writer.frame(frame))?;
            writer.whole_or_nothing(|writer| {
                let Ledger { tally, .. } = writer.ledger;
                writer.stream.flush(&mut Sse, &mut Edit::new(masks, writer.out, tally))?;
                writer.release()
            })?;
        }
        Ok(())
    }
}

struct Writer<'a, M: Masks> {
    stream: &'a mut Stream<M>,
    named: bool,
    head: &'a mut Head,
    /// Events that speak of text which is held.
    waiting: &'a mut Vec<Vec<u8>>,
    data: &'a mut Vec<u8>,
    edited: &'a mut Vec<u8>,
    /// What stands behind the document of the event read last, if the next one may be known by its likeness to it.
    alike: &'a mut Option<&'static [u8]>,
    masks: &'a M,
    ledger: &'a mut Ledger,
    out: &'a mut Vec<u8>,
    /// The stream ends with this frame.
    last: bool,
}

impl<M: Masks> Writer<'_, M> {
    /// Writes the events at the beginning of `bytes` that are like the one read last; how many bytes that were.
    fn alike(&mut self, bytes: &[u8], framer: &Framer) -> Result<usize, Unreadable> {
        let Some(tail) = *self.alike else { return Ok(0) };
        let mut splice = Splice::new(bytes);
        let mut at = 0usize;
        while let Some((from, to)) = self.next_alike(bytes, at) {
            let next = to.saturating_add(tail.len());
            if !framer.takes(next.saturating_sub(at)) {
                break;
            }
            let (written, mut unwritten) = (self.out.len(), splice);
            let result = self.edit_alike((from, to), &mut splice);
            if let Err(why) = result.and_then(|()| unblocked(&self.ledger.tally)) {
                // Nothing of this event, but all before it.
                self.out.truncate(written);
                unwritten.flush(at, self.out);
                return Err(why);
            }
            at = next;
        }
        splice.flush(at, self.out);
        Ok(at)
    }

    fn edit_alike(&mut self, document: (usize, usize), splice: &mut Splice<'_>) -> Result<(), Unreadable> {
        let Ledger { tally, facts } = self.ledger;
        self.stream.edit_alike(document, splice, facts, &mut Edit::new(self.masks, self.out, tally))
    }

    /// Where the document stands in the event that begins there, if that is like the last.
    fn next_alike(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let tail = (*self.alike)?;
        let rest = after(bytes.get(at..)?, &self.head.lines)?;
        let len = self.stream.resembles(rest)?;
        after(rest.get(len..)?, tail)?;
        let from = at.saturating_add(self.head.lines.len());
        Some((from, from.saturating_add(len)))
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<(), Unreadable> {
        self.whole_or_nothing(|writer| match frame {
            Frame::Pass(bytes) => {
                writer.lines(bytes);
                Ok(())
            }
            Frame::Event(event) => writer.event(&event),
        })
    }

    /// Writes what it is told to, or where that cannot be done to its end nothing: half an event would swallow the one
    /// that ends the stream.
    fn whole_or_nothing(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let before = self.out.len();
        let result = write(self).and_then(|()| unblocked(&self.ledger.tally));
        if result.is_err() {
            self.out.truncate(before);
        }
        result
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Unreadable> {
        // One that was cut from the bytes may be like the last as well.
        let alike = self.next_alike(event.raw, 0).filter(|_| !self.last);
        if let Some(document) = alike {
            let mut splice = Splice::new(event.raw);
            self.edit_alike(document, &mut splice)?;
            splice.flush(event.raw.len(), self.out);
            return Ok(());
        }
        *self.alike = None;
        if let Some((head, data, tail)) = event.single() {
            if is_control(data) {
                return self.control(data, event);
            }
            let known = head == self.head.lines && is_blank(tail);
            let mut name = if known { None } else { Some(self.name(event)?) };
            self.read(name, data)?;
            if self.stream.waits(data) && self.waiting.len() < MAX_WAITING {
                self.stream.reorder();
                self.waiting.push(event.raw.to_vec());
                return Ok(());
            }
            self.before()?;
            if !self.waiting.is_empty() && self.stream.ends_any() {
                self.release()?;
                name = Some(self.name(event)?);
                self.read(name, data)?;
            }
            match name {
                None => self.out.extend_from_slice(head),
                Some(name) => self.head(head, name),
            }
            let Ledger { tally, .. } = self.ledger;
            self.stream.edit(data, self.last, &mut Edit::new(self.masks, self.out, tally))?;
            self.lines(tail);
            if !self.waiting.is_empty() {
                return self.release();
            }
            if head == self.head.lines && self.stream.has_shape() {
                *self.alike = TAILS.into_iter().find(|known| *known == tail);
            }
            return Ok(());
        }
        let mut data = std::mem::take(self.data);
        data.clear();
        event.data(&mut data);
        let result = self.many(&data, event);
        *self.data = data;
        result
    }

    /// An event whose data is on several lines, or that has none.
    fn many(&mut self, data: &[u8], event: &Event<'_>) -> Result<(), Unreadable> {
        if is_control(data) {
            return self.control(data, event);
        }
        let name = self.name(event)?;
        self.read(Some(name), data)?;
        self.before()?;
        self.edited.clear();
        let Ledger { tally, .. } = self.ledger;
        self.stream.edit(data, self.last, &mut Edit::new(self.masks, self.edited, tally))?;
        let mut written = Vec::new();
        event.write(self.edited, self.edited == data, &mut written);
        self.lines(&written);
        Ok(())
    }

    /// Writes lines that are not data. Clients do not read comments and unknown fields, but who looks at the wire does:
    /// each is a text of its own.
    fn lines(&mut self, lines: &[u8]) {
        for (whole, line) in Lines(lines) {
            if line.is_empty() || data_value(line).is_some() {
                self.out.extend_from_slice(whole);
                continue;
            }
            let Ledger { tally, .. } = self.ledger;
            let mut text = Text::bare(self.masks.begin());
            text.push(line, End::Text, &mut Edit::new(self.masks, self.out, tally));
            self.out.extend_from_slice(whole.get(line.len()..).unwrap_or_default());
        }
    }

    /// Writes the lines before the data, and remembers them if they went out as they are.
    fn head(&mut self, head: &[u8], name: &[u8]) {
        let from = self.out.len();
        self.lines(head);
        self.head.lines.clear();
        self.head.name.clear();
        if head.len() <= MAX_HEAD && self.out.get(from..) == Some(head) {
            self.head.lines.extend_from_slice(head);
            self.head.name.extend_from_slice(name);
        }
    }

    /// The name of an event, where names matter: it stands in one of its lines.
    fn name<'e>(&self, event: &Event<'e>) -> Result<&'e [u8], Unreadable> {
        if !self.named {
            return Ok(&[]);
        }
        let mut names = Lines(event.raw).filter_map(|(_, line)| field_value(line, b"event"));
        match (names.next(), names.next()) {
            (_, Some(_)) => Err(Unreadable::TwoNames),
            (None | Some(b"message"), None) => Ok(&[]),
            (Some(name), None) => Ok(name),
        }
    }

    /// Reads an event. `name`: none if it is that of the last event's head.
    fn read(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<(), Unreadable> {
        std::str::from_utf8(data).map_err(|_| Unreadable::Utf8)?;
        let name = name.unwrap_or(&self.head.name);
        self.stream.read(name, data, &mut self.ledger.facts)
    }

    /// Writes the events that waited, as far as the text that they speak of is out by now.
    fn release(&mut self) -> Result<(), Unreadable> {
        // Each of them either goes out, or waits again and then so do those behind it.
        for raw in std::mem::take(self.waiting) {
            if !self.waiting.is_empty() {
                self.waiting.push(raw);
                continue;
            }
            Framer::default().push(&raw, |frame| self.frame(frame))?;
        }
        Ok(())
    }

    /// Writes what must come before the event that was read.
    fn before(&mut self) -> Result<(), Unreadable> {
        let mut edit = Edit::new(self.masks, self.out, &mut self.ledger.tally);
        self.stream.before(self.last, &mut Sse, &mut edit)
    }

    /// An event without a document: the one that ends the stream, or one that says nothing.
    fn control(&mut self, data: &[u8], event: &Event<'_>) -> Result<(), Unreadable> {
        if !data.trim_ascii().is_empty() {
            let Ledger { tally, facts } = self.ledger;
            facts.work = Work::Over;
            self.stream.flush(&mut Sse, &mut Edit::new(self.masks, self.out, tally))?;
            self.release()?;
        }
        self.lines(event.raw);
        Ok(())
    }
}

/// Most events that wait.
const MAX_WAITING: usize = 16;

/// Longest head that is remembered.
const MAX_HEAD: usize = 1024;

/// What may stand behind the document of an event that is known by its likeness: whatever follows, the event ends there.
const TAILS: [&[u8]; 2] = [b"\n\n", b"\r\n\r\n"];

fn is_blank(tail: &[u8]) -> bool {
    tail.iter().all(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Whether data is `[DONE]`, or nothing.
fn is_control(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.is_empty() || data == b"[DONE]"
}
