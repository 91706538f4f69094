//! An answer on its way to the caller, rewritten as it comes.
//!
//! What holds, for any way of cutting the bytes into pieces and a text into events:
//!
//! * each text, put together again by the caller, is the masker's work on the whole text;
//! * bytes outside edited strings are the bytes that came; an answer in which nothing is found goes out unchanged,
//!   but for values that the table drops and for where a text is cut between events;
//! * the output is valid JSON, event by event;
//! * after [`Unreadable`] nothing more goes out.

mod documents;
mod frames;
mod sniff;

use crate::mask::text::{Entity, Masks};

use super::coding::{Coding, Decoder};
use super::facts::Facts;
use super::json::table::Table;
use super::json::text::{End, Text};
use super::json::whole::Whole;
use super::json::{Edit, Tally};
use super::sse::{Event, Frame, Framer, Lines, data_value, field_value};
use super::stream::{Frames, Stream};
use super::{Thinking, Unreadable, Usage};
use documents::{Documents, Framing};

/// What a response's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON document.
    Json,
    /// Server-sent events with a JSON document each.
    EventStream,
    /// A JSON document a line.
    JsonLines,
    /// A JSON array whose items are events; a body that is no array is [`BodyKind::Json`].
    JsonArray,
    /// AWS event stream: binary frames with a JSON document each.
    AwsFrames,
    /// Text that has no structure.
    Text,
}

impl BodyKind {
    /// How its documents are framed, where they are and it is not by server-sent events.
    fn framing(self) -> Option<Framing> {
        match self {
            Self::JsonLines => Some(Framing::Lines(Default::default())),
            Self::JsonArray => Some(Framing::Array(Default::default())),
            Self::AwsFrames => Some(Framing::Frames(Default::default())),
            Self::Json | Self::EventStream | Self::Text => None,
        }
    }
}

enum Body<M: Masks> {
    Json(Box<Whole<M>>),
    Events(Box<Events<M>>),
    Documents(Box<Documents<M>>),
    Text(Box<Text<M::Text>>),
    /// Unreadable: nothing more goes out.
    Broken(Unreadable),
}

struct Events<M: Masks> {
    framer: Framer,
    stream: Stream<M>,
    /// Whether events are of kinds, so that their names matter.
    named: bool,
    head: Head,
    waiting: Vec<Vec<u8>>,
    /// Data of an event that has it on several lines, and what becomes of it.
    data: Vec<u8>,
    edited: Vec<u8>,
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

/// The counts of an answer and the facts it stated.
#[derive(Debug, Default)]
struct Ledger {
    tally: Tally,
    facts: Facts,
}

/// Rewrites one response. See the module for what holds.
pub struct ResponseRewriter<M: Masks> {
    masks: M,
    table: &'static Table,
    decoder: Option<Box<Decoder>>,
    body: Body<M>,
    ledger: Ledger,
    drops: bool,
    thinking: Thinking,
    /// Nothing came yet.
    fresh: bool,
}

impl<M: Masks> ResponseRewriter<M> {
    /// A rewriter for a response of `kind`. Values that `table` drops (log-probabilities) are written `null`.
    pub fn new(kind: BodyKind, table: &'static Table, masks: M) -> Self {
        let body = Self::body(kind, table, &masks);
        let ledger = Ledger::default();
        let thinking = Thinking::default();
        Self { masks, table, decoder: None, body, ledger, drops: true, thinking, fresh: true }
    }

    /// For a response whose bytes come compressed: they are unpacked, and go out as they are then.
    #[must_use]
    pub fn coded(mut self, coding: Option<Coding>) -> Self {
        self.decoder = coding.map(|coding| Box::new(Decoder::new(coding)));
        self
    }

    fn body(kind: BodyKind, table: &'static Table, masks: &M) -> Body<M> {
        if let Some(framing) = kind.framing() {
            return Body::Documents(Box::new(Documents::new(framing, table)));
        }
        match kind {
            BodyKind::Text => Body::Text(Box::new(Text::bare(masks.begin()))),
            BodyKind::EventStream => Body::Events(Box::new(Events {
                framer: Framer::default(),
                stream: Stream::new(table),
                named: !table.event.kinds.is_empty(),
                head: Head::default(),
                waiting: Vec::new(),
                data: Vec::new(),
                edited: Vec::new(),
            })),
            _ => Body::Json(Box::new(Whole::new(table.root))),
        }
    }

    /// For a policy that masks no entity: what the table would drop is masked like any other text, so that an answer
    /// in which `masks` finds nothing goes out unchanged.
    #[must_use]
    pub fn without_drops(mut self) -> Self {
        self.drops = false;
        self.configure();
        self
    }

    /// Does this with a model's thinking.
    #[must_use]
    pub fn with_thinking(mut self, thinking: Thinking) -> Self {
        self.thinking = thinking;
        self.configure();
        self
    }

    fn configure(&mut self) {
        let walk = match &mut self.body {
            Body::Json(whole) => {
                whole.set_thinking(self.thinking);
                whole.walk()
            }
            Body::Events(events) => {
                events.stream.set_thinking(self.thinking);
                events.stream.walk()
            }
            Body::Documents(documents) => {
                documents.stream().set_thinking(self.thinking);
                documents.stream().walk()
            }
            Body::Text(_) | Body::Broken(_) => return,
        };
        if !self.drops {
            walk.without_drops();
        }
    }

    /// Takes the next bytes, cut anywhere, and appends to `out` what may go out. `end`: the body is whole (call it
    /// with no bytes where the end shows later); it must be called once, or held text is lost.
    ///
    /// A text is read as what its first bytes show: servers label JSON and streams as plain text, or not at all, and
    /// their readers do not mind. Give it as many bytes at first as there are.
    pub fn push(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if let Body::Broken(why) = &self.body {
            return Err(why.clone());
        }
        let Some(mut decoder) = self.decoder.take() else { return self.plain(bytes, end, out) };
        let mut text = Vec::new();
        let mut unpacked = decoder.push(bytes, &mut |part| {
            text.extend_from_slice(part);
            Ok(())
        });
        if end {
            unpacked = unpacked.and_then(|()| decoder.finish());
        }
        self.decoder = Some(decoder);
        // What came before the damage is not given out either: it may be damaged as well.
        unpacked.map_err(|why| self.fail(why))?;
        self.plain(&text, end, out)
    }

    /// Takes bytes that are not compressed.
    fn plain(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if std::mem::take(&mut self.fresh) {
            let array = matches!(&self.body, Body::Documents(documents) if documents.is_array());
            let blank = if array { bytes.trim_ascii().is_empty() } else { bytes.is_empty() };
            self.fresh = blank && !end;
            if let Some(kind) = self.sniff(bytes).filter(|_| !self.fresh) {
                return self.push_as(kind, bytes, end, out);
            }
        }
        self.step(bytes, end, out)
    }

    /// What the first bytes show the body to be, where that is not what it was said to be.
    fn sniff(&self, bytes: &[u8]) -> Option<BodyKind> {
        match &self.body {
            Body::Text(_) => sniff::kind(bytes),
            Body::Documents(documents) if documents.is_array() => {
                (bytes.trim_ascii_start().first() != Some(&b'[')).then_some(BodyKind::Json)
            }
            _ => None,
        }
    }

    fn fail(&mut self, why: Unreadable) -> Unreadable {
        self.body = Body::Broken(why.clone());
        why
    }

    /// Takes the first bytes of a text that looks like something else; if the whole is none after all, it is text.
    fn push_as(
        &mut self,
        kind: BodyKind,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let before = out.len();
        let text = matches!(self.body, Body::Text(_));
        self.body = Self::body(kind, self.table, &self.masks);
        self.configure();
        let result = self.step(bytes, end, out);
        if result.is_ok() || !end || !text {
            return result;
        }
        out.truncate(before);
        self.ledger = Ledger::default();
        self.body = Self::body(BodyKind::Text, self.table, &self.masks);
        self.step(bytes, end, out)
    }

    fn step(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Ledger { tally, facts } = &mut self.ledger;
        let result = match &mut self.body {
            Body::Broken(why) => return Err(why.clone()),
            Body::Json(whole) => whole.push(bytes, end, &mut Edit::new(&self.masks, out, tally), facts),
            // Text in UTF-16 or UTF-32 would pass for text in which nothing is found.
            Body::Text(_) if self.drops && memchr::memchr(0, bytes).is_some() => Err(Unreadable::Utf8),
            Body::Text(text) => {
                let until = if end { End::Text } else { End::Piece };
                text.push(bytes, until, &mut Edit::new(&self.masks, out, tally));
                Ok(())
            }
            Body::Events(events) => events.push(bytes, end, &self.masks, &mut self.ledger, out),
            Body::Documents(documents) => documents.push(bytes, end, &self.masks, &mut self.ledger, out),
        };
        result.map_err(|why| self.fail(why))
    }

    /// Bytes taken and not given out: text that is not yet safe, and an event or number that is not yet whole.
    pub fn held(&self) -> usize {
        let packed = self.decoder.as_ref().is_some_and(|decoder| !decoder.is_whole());
        let held = match &self.body {
            Body::Json(whole) => whole.held(),
            Body::Events(events) => events.framer.held().saturating_add(events.stream.held()),
            Body::Documents(documents) => documents.held(),
            Body::Text(text) => text.held(),
            Body::Broken(_) => 0,
        };
        // Of compressed bytes the end is still to come, and with it their check sum.
        held.saturating_add(usize::from(packed))
    }

    /// Masked values so far, by entity.
    pub fn found(&self) -> &[(Entity, u64)] {
        self.ledger.tally.found()
    }

    /// Bytes of text that went out, in UTF-8, masks included: strings and keys that the table does not keep.
    pub fn delivered(&self) -> u64 {
        self.ledger.tally.delivered()
    }

    /// Tokens, as far as the provider has reported them.
    pub fn usage(&self) -> Usage {
        self.ledger.facts.usage
    }

    /// Why the choice that ended last ended; empty before.
    pub fn finish_reason(&self) -> &str {
        &self.ledger.facts.finish
    }

    /// The model that answers, as it calls itself; empty where it does not.
    pub fn model(&self) -> &str {
        &self.ledger.facts.model
    }

    /// The provider's identifier of the answer; empty where it gives none.
    pub fn id(&self) -> &str {
        &self.ledger.facts.id
    }

    /// Whether the answer says that it failed.
    pub fn failed(&self) -> bool {
        self.ledger.facts.failed
    }
}

impl<M: Masks> Events<M> {
    fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        masks: &M,
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let Self { framer, stream, named, head, waiting, data, edited } = self;
        let named = *named;
        let mut writer =
            Writer { stream, named, head, waiting, data, edited, masks, ledger, out, last: false };
        framer.push(bytes, |frame| writer.frame(frame))?;
        if end {
            writer.last = true;
            framer.finish(|frame| writer.frame(frame))?;
            let Ledger { tally, .. } = writer.ledger;
            writer.stream.flush(&mut Sse, &mut Edit::new(masks, writer.out, tally));
            writer.release()?;
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
    masks: &'a M,
    ledger: &'a mut Ledger,
    out: &'a mut Vec<u8>,
    /// The stream ends with this frame.
    last: bool,
}

impl<M: Masks> Writer<'_, M> {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), Unreadable> {
        match frame {
            Frame::Pass(bytes) => {
                self.lines(bytes);
                Ok(())
            }
            Frame::Event(event) => self.event(&event),
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Unreadable> {
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
            self.before();
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
            return if self.waiting.is_empty() { Ok(()) } else { self.release() };
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
        self.before();
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
    fn before(&mut self) {
        let mut edit = Edit::new(self.masks, self.out, &mut self.ledger.tally);
        self.stream.before(self.last, &mut Sse, &mut edit);
    }

    /// An event without a document: the one that ends the stream, or one that says nothing.
    fn control(&mut self, data: &[u8], event: &Event<'_>) -> Result<(), Unreadable> {
        if !data.trim_ascii().is_empty() {
            let tally: &mut Tally = &mut self.ledger.tally;
            self.stream.flush(&mut Sse, &mut Edit::new(self.masks, self.out, tally));
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

fn is_blank(tail: &[u8]) -> bool {
    tail.iter().all(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Whether data is `[DONE]`, or nothing.
fn is_control(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.is_empty() || data == b"[DONE]"
}

#[cfg(test)]
mod tests;
