//! An answer on its way to the caller, rewritten as it comes.
//!
//! What holds, for any way of cutting the bytes into pieces and a text into events:
//!
//! * each text, put together again by the caller, is the masker's work on the whole text;
//! * bytes outside edited strings are the bytes that came; an answer in which nothing is found goes out unchanged,
//!   but for values that the table drops and for where a text is cut between events;
//! * the output is valid JSON, event by event;
//! * after [`Unreadable`] nothing more goes out: of a stream, what went out before ends with a whole event.

mod answers;
mod documents;
mod events;
mod frames;
mod sniff;

use crate::mask::text::{Entity, Masks};

use super::coding::{Coding, Decoder};
use super::facts::Facts;
use super::json::table::Table;
use super::json::text::{End, Text};
use super::json::whole::Whole;
use super::json::{Edit, Tally};
use super::limit::Stopped;
use super::{Thinking, Unreadable, Usage, Work};
use answers::Answers;
use documents::{Documents, Framing};
use events::Events;

/// What a response's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON document.
    Json,
    /// Server-sent events with a JSON document each.
    EventStream,
    /// A JSON document a line.
    JsonLines,
    /// Whole answers, one a line, that have nothing to do with one another.
    Answers,
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
            Self::Json | Self::Answers | Self::EventStream | Self::Text => None,
        }
    }
}

enum Body<M: Masks> {
    Json(Box<Whole<M>>),
    Answers(Box<Answers<M>>),
    Events(Box<Events<M>>),
    Documents(Box<Documents<M>>),
    Text(Box<Text<M::Text>>),
    /// Unreadable: nothing more goes out.
    Broken(Unreadable),
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
    vectorless: bool,
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
        Self {
            masks,
            table,
            decoder: None,
            body,
            ledger,
            drops: true,
            vectorless: false,
            thinking,
            fresh: true,
        }
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
            BodyKind::Answers => Body::Answers(Box::new(Answers::new(table))),
            BodyKind::EventStream => Body::Events(Box::new(Events::new(table))),
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

    /// For a policy that leaves out vectors: what the table knows as such is written otherwise, whatever `masks` finds.
    #[must_use]
    pub fn without_vectors(mut self) -> Self {
        self.vectorless = true;
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

    #[cfg(test)]
    fn watched(&mut self) -> Option<&mut super::stream::Watched> {
        match &mut self.body {
            Body::Events(events) => Some(events.stream().watched()),
            Body::Documents(documents) => Some(documents.stream().watched()),
            _ => None,
        }
    }

    /// For tests: walks every event.
    #[cfg(test)]
    fn unlike(mut self) -> Self {
        self.watched().unwrap().off = true;
        self
    }

    /// For tests: how many events were known by their likeness.
    #[cfg(test)]
    fn alike(&mut self) -> usize {
        self.watched().unwrap().known
    }

    fn configure(&mut self) {
        let walk = match &mut self.body {
            Body::Json(whole) => {
                whole.set_thinking(self.thinking);
                whole.walk()
            }
            Body::Answers(answers) => {
                answers.whole().set_thinking(self.thinking);
                answers.whole().walk()
            }
            Body::Events(events) => {
                events.stream().set_thinking(self.thinking);
                events.stream().walk()
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
        if self.vectorless {
            walk.without_vectors();
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
        if result.is_ok() || !end || !text || matches!(result, Err(Unreadable::Blocked { .. })) {
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
            Body::Answers(answers) => {
                answers.push(bytes, end, &mut Edit::new(&self.masks, out, tally), facts)
            }
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
        let result = result.and_then(|()| unblocked(&self.ledger.tally));
        result.map_err(|why| self.fail(why))
    }

    /// Ends a stream of server-sent events behind the last whole event: appends to `out` what was held of its texts, and
    /// tells what its last events need. Nothing may be pushed any more. `None`: it is no such stream.
    ///
    /// # Errors
    /// As of [`Self::push`].
    pub fn stop(&mut self, out: &mut Vec<u8>) -> Result<Option<Stopped>, Unreadable> {
        let Body::Events(events) = &mut self.body else { return Ok(None) };
        events.stop(&self.masks, &mut self.ledger, out).map(Some).map_err(|why| self.fail(why))
    }

    /// Bytes taken and not given out: text that is not yet safe, and an event or number that is not yet whole.
    pub fn held(&self) -> usize {
        let packed = self.decoder.as_ref().is_some_and(|decoder| !decoder.is_whole());
        let held = match &self.body {
            Body::Json(whole) => whole.held(),
            Body::Answers(answers) => answers.held(),
            Body::Events(events) => events.held(),
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

    /// Whether it came to what cannot be read, and gives out nothing more. What a policy blocks it could read.
    pub fn is_unreadable(&self) -> bool {
        matches!(&self.body, Body::Broken(why) if !matches!(why, Unreadable::Blocked { .. }))
    }

    /// Why the choice that ended last ended; empty before.
    pub fn finish_reason(&self) -> &str {
        &self.ledger.facts.finish
    }

    /// How far the work is that was asked for.
    pub fn work(&self) -> Work {
        self.ledger.facts.work
    }

    /// Whether all that was asked for was answered: of a stream, its own end came.
    pub fn is_done(&self) -> bool {
        let streams = matches!(self.body, Body::Events(_) | Body::Documents(_));
        !self.failed() && (!streams || !self.finish_reason().is_empty() || self.work() == Work::Over)
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

/// Whether nothing was found so far with which the answer must end.
fn unblocked(tally: &Tally) -> Result<(), Unreadable> {
    tally.blocked().map_or(Ok(()), |entity| Err(Unreadable::Blocked { entity }))
}

#[cfg(test)]
mod tests;
