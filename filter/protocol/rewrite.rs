//! An answer on its way to the caller, rewritten as it comes.
//!
//! What holds, for any way of cutting the bytes into pieces and a text into events:
//!
//! * each text, put together again by the caller, is the masker's work on the whole text;
//! * bytes outside edited strings are the bytes that came; an answer in which nothing is found goes out unchanged,
//!   but for values that the table drops and for where a text is cut between events;
//! * the output is valid JSON, event by event;
//! * after [`Unreadable`] nothing more goes out: of a stream, what went out before ends with a whole event.

mod sniff;

use crate::mask::text::{Entity, Masks};

use super::facts::Facts;
use super::json::table::Table;
use super::json::text::{End, Text};
use super::json::whole::Whole;
use super::json::{Edit, Tally};
use super::sse::{Event, Frame, Framer, Lines, data_value};
use super::stream::Stream;
use super::{Unreadable, Usage};

/// What a response's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON document.
    Json,
    /// Server-sent events with a JSON document each.
    EventStream,
    /// Text that has no structure.
    Text,
}

enum Body<M: Masks> {
    Json(Box<Whole<M>>),
    Events(Box<Events<M>>),
    Text(Box<Text<M::Text>>),
    /// Unreadable: nothing more goes out.
    Broken(Unreadable),
}

struct Events<M: Masks> {
    framer: Framer,
    stream: Stream<M>,
    /// Data of an event that has it on several lines, and what becomes of it.
    data: Vec<u8>,
    edited: Vec<u8>,
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
    body: Body<M>,
    ledger: Ledger,
    drops: bool,
    /// Nothing came yet.
    fresh: bool,
}

impl<M: Masks> ResponseRewriter<M> {
    /// A rewriter for a response of `kind`. Values that `table` drops (log-probabilities) are written `null`.
    pub fn new(kind: BodyKind, table: &'static Table, masks: M) -> Self {
        let body = Self::body(kind, table, &masks);
        Self { masks, table, body, ledger: Ledger::default(), drops: true, fresh: true }
    }

    fn body(kind: BodyKind, table: &'static Table, masks: &M) -> Body<M> {
        match kind {
            BodyKind::Json => Body::Json(Box::new(Whole::new(table.root))),
            BodyKind::EventStream => Body::Events(Box::new(Events {
                framer: Framer::default(),
                stream: Stream::new(table),
                data: Vec::new(),
                edited: Vec::new(),
            })),
            BodyKind::Text => Body::Text(Box::new(Text::bare(masks.begin()))),
        }
    }

    /// For a policy that masks no entity: what the table would drop is masked like any other text, so that an answer
    /// in which `masks` finds nothing goes out unchanged.
    #[must_use]
    pub fn without_drops(mut self) -> Self {
        self.drops = false;
        self.keep_drops();
        self
    }

    fn keep_drops(&mut self) {
        match &mut self.body {
            Body::Json(whole) => whole.walk().without_drops(),
            Body::Events(events) => events.stream.walk().without_drops(),
            Body::Text(_) | Body::Broken(_) => {}
        }
    }

    /// Takes the next bytes, cut anywhere, and appends to `out` what may go out. `end`: the body is whole (call it
    /// with no bytes where the end shows later); it must be called once, or held text is lost.
    ///
    /// A text is read as what its first bytes show: servers label JSON and streams as plain text, or not at all, and
    /// their readers do not mind. Give it as many bytes at first as there are.
    pub fn push(&mut self, bytes: &[u8], end: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if std::mem::take(&mut self.fresh) && matches!(self.body, Body::Text(_)) {
            self.fresh = bytes.is_empty() && !end;
            if let Some(kind) = sniff::kind(bytes) {
                return self.push_as(kind, bytes, end, out);
            }
        }
        self.step(bytes, end, out)
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
        self.body = Self::body(kind, self.table, &self.masks);
        if !self.drops {
            self.keep_drops();
        }
        let result = self.step(bytes, end, out);
        if result.is_ok() || !end || matches!(result, Err(Unreadable::Blocked { .. })) {
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
        };
        let result = result.and_then(|()| unblocked(&self.ledger.tally));
        if let Err(why) = &result {
            self.body = Body::Broken(why.clone());
        }
        result
    }

    /// Bytes taken and not given out: text that is not yet safe, and an event or number that is not yet whole.
    pub fn held(&self) -> usize {
        match &self.body {
            Body::Json(whole) => whole.held(),
            Body::Events(events) => events.framer.held().saturating_add(events.stream.held()),
            Body::Text(text) => text.held(),
            Body::Broken(_) => 0,
        }
    }

    /// Masked values so far, by entity.
    pub fn found(&self) -> &[(Entity, u64)] {
        self.ledger.tally.found()
    }

    /// Names of the prompt that were taken back.
    pub fn restored(&self) -> u64 {
        self.ledger.tally.restored()
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
        let Self { framer, stream, data, edited } = self;
        let mut writer = Writer { stream, data, edited, masks, ledger, out, last: false };
        framer.push(bytes, |frame| writer.frame(frame))?;
        if end {
            writer.last = true;
            framer.finish(|frame| writer.frame(frame))?;
            writer.whole_or_nothing(|writer| {
                let Ledger { tally, .. } = writer.ledger;
                writer.stream.flush(&mut Edit::new(masks, writer.out, tally));
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Whether nothing was found so far with which the answer must end.
fn unblocked(tally: &Tally) -> Result<(), Unreadable> {
    tally.blocked().map_or(Ok(()), |entity| Err(Unreadable::Blocked { entity }))
}

struct Writer<'a, M: Masks> {
    stream: &'a mut Stream<M>,
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
        if let Some((head, data, tail)) = event.single() {
            if is_control(data) {
                return self.control(data, event);
            }
            self.before(data)?;
            self.lines(head);
            let Ledger { tally, .. } = self.ledger;
            self.stream.edit(data, self.last, &mut Edit::new(self.masks, self.out, tally))?;
            self.lines(tail);
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
        self.before(data)?;
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

    fn before(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        std::str::from_utf8(data).map_err(|_| Unreadable::Utf8)?;
        self.stream.read(data, &mut self.ledger.facts)?;
        self.stream.before(self.last, &mut Edit::new(self.masks, self.out, &mut self.ledger.tally));
        Ok(())
    }

    /// An event without a document: the one that ends the stream, or one that says nothing.
    fn control(&mut self, data: &[u8], event: &Event<'_>) -> Result<(), Unreadable> {
        if !data.trim_ascii().is_empty() {
            let tally: &mut Tally = &mut self.ledger.tally;
            self.stream.flush(&mut Edit::new(self.masks, self.out, tally));
        }
        self.lines(event.raw);
        Ok(())
    }
}

/// Whether data is `[DONE]`, or nothing.
fn is_control(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.is_empty() || data == b"[DONE]"
}

#[cfg(test)]
mod tests;
