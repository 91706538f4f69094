//! A stream of events, each a document that carries pieces of texts.
//!
//! Every event goes out when it comes, with as much of its texts as is safe by then, possibly nothing. What a masker
//! holds of a text goes out with the next event that carries a piece of it; before the event that ends it, in that
//! event's own piece, or where that has none in an event made for it.
//!
//! An event is walked once; the walk notes what is to be edited and where, so that all that the event says of its texts
//! (which they are, whether they end) is known before its first byte is written, whatever the order of its keys.
//!
//! How events are cut from the bytes, and how one is written, is the framing's affair: it gives each event's document to
//! [`Stream::read`], [`Stream::before`] and [`Stream::edit`], in this order, and [`Stream::flush`] at the end. An event
//! that is like the one before ([`Stream::resembles`]) is written by [`Stream::edit_alike`] alone.

mod channel;
mod count;
mod edit;
mod notes;
mod shape;
mod tail;

use crate::mask::text::Masks;

use super::facts::Facts;
use super::json::Edit;
use super::json::spans::Spans;
use super::json::spares::Spares;
use super::json::table::{AXES, Field, Table};
use super::json::unescape::decoded;
use super::json::walk::Walk;
use super::limit::Stopped;
use super::{Thinking, Unreadable};
use channel::{Channel, Until};
use count::Count;
pub(crate) use edit::Splice;
use notes::{Edited, MAX_PIECES, Noter, Notes, Pattern, Site, Which};
use shape::Shape;
#[cfg(test)]
pub(crate) use shape::Watched;

/// Most texts that may be open at once.
pub(crate) const MAX_TEXTS: usize = 64;

/// Most ends that are remembered: of choices, outputs, blocks and their parts.
const MAX_ENDS: usize = 4096;

/// Most texts of which it is remembered where they were changed, when they are over.
const MAX_SPANS: usize = 256;

/// Longest name of an event.
const MAX_NAME: usize = 256;

/// An index for each axis; what has none has [`NO_INDEX`].
type Indexes = [u32; AXES];
const NO_INDEX: u32 = u32::MAX;

/// Writes events of our own.
pub(crate) trait Frames {
    /// Appends an event with this document; `name` is empty where it has none.
    fn event(&mut self, name: &[u8], document: &[u8], out: &mut Vec<u8>);
}

/// Names one text of the stream: by its indexes, and by its field or its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    at: Indexes,
    what: u64,
}

/// See the module.
pub(crate) struct Stream<M: Masks> {
    table: &'static Table,
    walk: Walk,
    notes: Notes,
    thinking: Thinking,
    channels: Vec<Channel<M::Text>>,
    /// Texts that were finished, as they would go on.
    finished: Vec<Channel<M::Text>>,
    spares: Spares<M>,
    shape: Shape,
    /// The name and the kind of the event read last.
    name: Vec<u8>,
    kind: Vec<u8>,
    /// What has ended, and whether all has.
    ended: Vec<Pattern>,
    /// What ends with the event read last because nobody could go on with it.
    closed: Vec<Pattern>,
    all_ended: bool,
    /// The identifying values of the stream, as written.
    envelope: [Vec<u8>; 4],
    own: Vec<u8>,
    /// The index of the event read last on the first axis, unless that event ended what it is of.
    open: Option<u32>,
    count: Count,
    /// First indexes of the items whose thinking was changed.
    changed: Vec<u32>,
    /// Where texts that are over were changed.
    spans: Vec<(Key, Spans)>,
}

impl<M: Masks> Stream<M> {
    pub(crate) fn new(table: &'static Table) -> Self {
        Self {
            table,
            walk: Walk::new(table.event),
            notes: Notes::default(),
            thinking: Thinking::default(),
            channels: Vec::new(),
            finished: Vec::new(),
            spares: Spares::default(),
            shape: Shape::default(),
            name: Vec::new(),
            kind: Vec::new(),
            ended: Vec::new(),
            closed: Vec::new(),
            all_ended: false,
            envelope: Default::default(),
            own: Vec::new(),
            open: None,
            count: Count::default(),
            changed: Vec::new(),
            spans: Vec::new(),
        }
    }

    pub(crate) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    pub(crate) fn set_thinking(&mut self, thinking: Thinking) {
        self.thinking = thinking;
    }

    /// Raw bytes held of all texts.
    pub(crate) fn held(&self) -> usize {
        self.channels.iter().fold(0, |sum, channel| sum.saturating_add(channel.held()))
    }

    /// Reads an event's document; [`Self::before`] and [`Self::edit`] then write it. `name` is what the framing calls
    /// the event, and empty where it does not.
    pub(crate) fn read(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Result<(), Unreadable> {
        self.shape.forget();
        self.walk_through(name, data, facts)?;
        self.check_name(name, data)?;
        if self.walk.is_late() {
            let kind = std::mem::take(&mut self.kind);
            let result = self.walk_through(&kind, data, facts);
            self.kind = kind;
            result?;
        }
        self.notes.finish();
        if let Some(open) = self.notes.scope() {
            self.open = open;
        }
        self.remember_envelope(data);
        Ok(())
    }

    fn walk_through(&mut self, kind: &[u8], data: &[u8], facts: &mut Facts) -> Result<(), Unreadable> {
        self.notes.clear();
        self.walk.restart(kind);
        self.walk.push(data, true, &mut Noter { notes: &mut self.notes, facts, data })?;
        if self.notes.full {
            return Err(Unreadable::TooManyTexts { limit: MAX_PIECES });
        }
        if self.notes.astray {
            return Err(Unreadable::Json { at: 0, reason: "an index that is none" });
        }
        Ok(())
    }

    /// Some readers go by the name that comes beside the document, others by the kind within it: they must agree.
    fn check_name(&mut self, name: &[u8], data: &[u8]) -> Result<(), Unreadable> {
        self.name.clear();
        self.name.extend_from_slice(name);
        let (from, to) = self.walk.kind().unwrap_or_default();
        let raw = data.get(from..to).unwrap_or_default();
        let mut buffer = [0u8; MAX_NAME];
        let kind = if raw.len() > MAX_NAME { raw } else { decoded(raw, &mut buffer) };
        let kind = if self.walk.kind().is_some() { kind } else { name };
        self.kind.clear();
        self.kind.extend_from_slice(kind);
        if name.is_empty() || kind == name || self.table.event.kinds.is_empty() {
            return Ok(());
        }
        Err(Unreadable::TwoNames)
    }

    fn remember_envelope(&mut self, data: &[u8]) {
        let known = self.envelope.iter_mut().chain([&mut self.own]);
        for (known, span) in known.zip(self.notes.envelope.into_iter().chain([self.notes.own])) {
            let Some((from, to)) = span else { continue };
            let value = data.get(from..to).unwrap_or_default();
            if known.as_slice() != value {
                known.clear();
                known.extend_from_slice(value);
            }
        }
    }

    /// Writes the events that must come before this one: the tails of texts that end with it and have no piece in it.
    pub(crate) fn before(
        &mut self,
        last: bool,
        frames: &mut dyn Frames,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        let mut at = 0usize;
        while let Some(channel) = self.channels.get(at) {
            let key = channel.key;
            let until = self.until(key, last);
            if until == Until::More || self.has_piece(key) {
                at = at.saturating_add(1);
                continue;
            }
            let channel = self.channels.remove(at);
            self.tail(channel, until, frames, edit)?;
        }
        Ok(())
    }

    /// Writes the tails of all texts, each in an event of its own.
    pub(crate) fn flush(
        &mut self,
        frames: &mut dyn Frames,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        self.all_ended = true;
        let mut result = Ok(());
        for channel in std::mem::take(&mut self.channels) {
            result = result.and(self.tail(channel, Until::End, frames, edit));
        }
        result
    }

    /// Writes the tails of all texts, and tells what the last events of a stream need that is ended here.
    pub(crate) fn stop(&mut self, frames: &mut dyn Frames, edit: &mut Edit<'_, M>) -> Stopped {
        // A tail that cannot go out stays away: the stream ends here in any case.
        let _ = self.flush(frames, edit);
        let mut envelope = Vec::new();
        self.envelope(&mut Edit::new(edit.masks, &mut envelope, edit.tally));
        Stopped { envelope, open: self.open }
    }

    fn key(&self, which: Which, at: Indexes) -> Key {
        let what = match which {
            Which::Text(field) | Which::Json(field) => u64::from(field.id),
            Which::Path(path) => {
                // Events of kinds that are not known share one place.
                let kind = self.kind.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
                });
                (kind ^ u64::from(path)).wrapping_mul(0x0100_0000_01b3) | 1 << 63
            }
        };
        Key { at, what }
    }

    fn site_key(&self, edited: &Edited) -> Option<Key> {
        match edited.site {
            Site::Piece { which, at } => Some(self.key(which, self.notes.indexes(&at))),
            _ => None,
        }
    }

    fn has_piece(&self, key: Key) -> bool {
        self.notes.sites.iter().any(|site| self.site_key(site) == Some(key))
    }

    /// How far the text goes by the event read last.
    fn until(&self, key: Key, last: bool) -> Until {
        if last || self.notes.ends(&key.at) {
            return Until::End;
        }
        if self.notes.finishes(&key.at) { Until::Finish } else { Until::More }
    }

    /// Whether the event read last speaks of text that is held, so that it should wait.
    pub(crate) fn waits(&self, data: &[u8]) -> bool {
        if !self.notes.offsets || self.notes.ends_any() {
            return false;
        }
        self.notes.sites.iter().any(|site| {
            let Site::Offset { offset, at } = site.site else { return false };
            let key = self.key(Which::Text(offset.field), self.notes.indexes(&at));
            let held = self.channels.iter().find(|channel| channel.key == key && channel.held() > 0);
            let decided = held.and_then(|channel| channel.spans()).map(|spans| spans.decided(offset.unit));
            let number = parsed(data.get(site.from..site.to).unwrap_or_default());
            matches!((decided, number), (Some(decided), Some(number)) if number > decided)
        })
    }

    /// The event read last goes out later than it came.
    pub(crate) fn reorder(&mut self) {
        self.count.reorder();
    }

    /// Whether the event read last ends any text.
    pub(crate) fn ends_any(&self) -> bool {
        self.notes.ends_any()
    }

    /// Remembers of a text that is over where it was changed, and of one that is finished how it would go on.
    fn leave(&mut self, channel: Channel<M::Text>) {
        let spans = channel.spans().filter(|spans| !spans.is_empty());
        if let (Some(spans), true) = (spans, self.spans.len() < MAX_SPANS) {
            self.spans.push((channel.key, spans.clone()));
        }
        if channel.goes_on() && self.finished.len() < MAX_TEXTS {
            self.finished.push(channel);
        } else if self.notes.finishes(&channel.key.at) {
            self.closed.push(channel.key.at.map(Some));
        }
    }
}

fn parsed(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

fn is_thinking(which: Which) -> bool {
    matches!(which, Which::Text(Field { thinking: true, .. }) | Which::Json(Field { thinking: true, .. }))
}

#[cfg(test)]
mod tests;
