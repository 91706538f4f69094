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
//! [`Stream::read`], [`Stream::before`] and [`Stream::edit`], in this order, and [`Stream::flush`] at the end.

mod count;
mod last;
mod notes;
mod tail;

use crate::mask::text::{Masks, TextMask};

use super::facts::Facts;
use super::json::nested::Nested;
use super::json::spans::Spans;
use super::json::table::{AXES, Field, Offset, Table};
use super::json::text::{End, Text};
use super::json::unescape::decoded;
use super::json::walk::Walk;
use super::json::{Edit, number};
use super::{Thinking, Unreadable};
use count::Count;
use last::Last;
use notes::{Edited, MAX_PIECES, Noter, Notes, Pattern, Site, Which, agrees};
use tail::Carrier;

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

/// How a text of the stream is masked.
enum Lane<T> {
    Text(Text<T>),
    Json(Nested<T>),
}

impl<T: TextMask> Lane<T> {
    fn push<M: Masks<Text = T>>(&mut self, raw: &[u8], end: End, edit: &mut Edit<'_, M>) {
        match self {
            Self::Text(text) => text.push(raw, end, edit),
            Self::Json(nested) => nested.push(raw, end, edit),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Text(text) => text.held(),
            Self::Json(nested) => nested.held(),
        }
    }

    fn spans(&self) -> Option<&Spans> {
        match self {
            Self::Text(text) => text.spans(),
            Self::Json(_) => None,
        }
    }
}

struct Channel<T> {
    key: Key,
    /// What a tail's event is made from.
    carrier: Carrier,
    /// The value read as the text's own, as written.
    own: Vec<u8>,
    lane: Lane<T>,
}

/// See the module.
pub(crate) struct Stream<M: Masks> {
    table: &'static Table,
    walk: Walk,
    notes: Notes,
    thinking: Thinking,
    channels: Vec<Channel<M::Text>>,
    spare: Option<Text<M::Text>>,
    last: Last,
    /// The name and the kind of the event read last.
    name: Vec<u8>,
    kind: Vec<u8>,
    /// What has ended, and whether all has.
    ended: Vec<Pattern>,
    all_ended: bool,
    /// The identifying values of the stream, as written.
    envelope: [Vec<u8>; 4],
    own: Vec<u8>,
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
            spare: None,
            last: Last::default(),
            name: Vec::new(),
            kind: Vec::new(),
            ended: Vec::new(),
            all_ended: false,
            envelope: Default::default(),
            own: Vec::new(),
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
        self.channels.iter().fold(0, |sum, channel| sum.saturating_add(channel.lane.held()))
    }

    /// Reads an event's document; [`Self::before`] and [`Self::edit`] then write it. `name` is what the framing calls
    /// the event, and empty where it does not.
    pub(crate) fn read(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Result<(), Unreadable> {
        if name == self.name && self.last.resembles(data, &mut self.notes.sites) {
            self.last.remember(data, &self.notes.sites);
            return Ok(());
        }
        self.last.forget();
        self.walk_through(name, data, facts)?;
        self.check_name(name, data)?;
        if self.walk.is_late() {
            let kind = std::mem::take(&mut self.kind);
            let result = self.walk_through(&kind, data, facts);
            self.kind = kind;
            result?;
        }
        self.notes.finish();
        self.remember_envelope(data);
        self.last.remember(data, &self.notes.sites);
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
    pub(crate) fn before(&mut self, last: bool, frames: &mut dyn Frames, edit: &mut Edit<'_, M>) {
        let mut at = 0usize;
        while let Some(channel) = self.channels.get(at) {
            let key = channel.key;
            if !self.ends(key, last) || self.has_piece(key) {
                at = at.saturating_add(1);
                continue;
            }
            let channel = self.channels.remove(at);
            self.tail(channel, frames, edit);
        }
    }

    /// Writes the tails of all texts, each in an event of its own.
    pub(crate) fn flush(&mut self, frames: &mut dyn Frames, edit: &mut Edit<'_, M>) {
        self.all_ended = true;
        for channel in std::mem::take(&mut self.channels) {
            self.tail(channel, frames, edit);
        }
    }

    /// Writes the document read last. `last`: the stream ends with it.
    pub(crate) fn edit(&mut self, data: &[u8], last: bool, edit: &mut Edit<'_, M>) -> Result<(), Unreadable> {
        let mut given = 0usize;
        let sites = std::mem::take(&mut self.notes.sites);
        let mut result = Ok(());
        for (position, site) in sites.iter().enumerate() {
            edit.out.extend_from_slice(data.get(given..site.from).unwrap_or_default());
            given = site.to;
            let raw = data.get(site.from..site.to).unwrap_or_default();
            match site.site {
                Site::Number => number(raw, edit),
                Site::Label => label(raw, edit),
                Site::Drop(with) => edit.out.extend_from_slice(with.as_bytes()),
                Site::Text | Site::Key => self.whole(raw, edit),
                Site::Thinking => match self.thinking {
                    Thinking::Mask => self.whole(raw, edit),
                    Thinking::Exempt => label(raw, edit),
                    Thinking::Drop => {}
                },
                Site::Nested => Nested::new(edit.masks.begin()).push(raw, End::Text, edit),
                Site::Offset { offset, at } => {
                    let key = self.key(Which::Text(offset.field), self.notes.indexes(&at));
                    self.offset(key, offset, raw, edit.out);
                }
                Site::Sequence => self.count.write(raw, edit.out),
                Site::Signature { at } => self.signature(self.notes.indexes(&at), raw, edit),
                Site::Piece { which, at } => {
                    let key = self.key(which, self.notes.indexes(&at));
                    let again = || {
                        let mut later = sites.iter().skip(position.saturating_add(1));
                        later.any(|later| self.site_key(later) == Some(key))
                    };
                    let end = if self.ends(key, last) && !again() { End::Text } else { End::String };
                    result = self.piece(key, which, raw, end, edit);
                }
            }
            if result.is_err() {
                break;
            }
        }
        edit.out.extend_from_slice(data.get(given..).unwrap_or_default());
        let result = result.and_then(|()| self.carry(data, &sites, edit.masks));
        self.notes.sites = sites;
        result.and_then(|()| self.note_ends(last))
    }

    /// Remembers what ended with the event read last.
    fn note_ends(&mut self, last: bool) -> Result<(), Unreadable> {
        self.all_ended |= last;
        for new in &self.notes.ends {
            let covers = |known: &Pattern| known.iter().zip(new).all(|(a, b)| a.is_none() || a == b);
            if self.ended.iter().any(covers) {
                continue;
            }
            if self.ended.len() >= MAX_ENDS {
                return Err(Unreadable::TooManyTexts { limit: MAX_ENDS });
            }
            self.ended.push(*new);
        }
        Ok(())
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

    /// Whether the event read last ends this text.
    fn ends(&self, key: Key, last: bool) -> bool {
        last || self.notes.ends(&key.at)
    }

    fn whole(&mut self, raw: &[u8], edit: &mut Edit<'_, M>) {
        let mask = edit.masks.begin();
        let mut text = match self.spare.take() {
            Some(mut text) => {
                text.restart(mask);
                text
            }
            None => Text::new(mask),
        };
        text.push(raw, End::Text, edit);
        self.spare = Some(text);
    }

    fn signature(&mut self, at: Indexes, raw: &[u8], edit: &mut Edit<'_, M>) {
        let [first, ..] = at;
        if self.thinking != Thinking::Drop && !self.changed.contains(&first) {
            label(raw, edit);
        }
    }

    fn piece(
        &mut self,
        key: Key,
        which: Which,
        raw: &[u8],
        end: End,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        if !is_thinking(which) {
            return self.push(key, which, raw, end, edit);
        }
        if self.thinking == Thinking::Drop {
            return Ok(());
        }
        let before = edit.tally.count();
        let result = self.push(key, which, raw, end, edit);
        let [first, ..] = key.at;
        if edit.tally.count() != before && !self.changed.contains(&first) && self.changed.len() < MAX_ENDS {
            self.changed.push(first);
        }
        result
    }

    fn push(
        &mut self,
        key: Key,
        which: Which,
        raw: &[u8],
        end: End,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        if edit.masks.finds_nothing() {
            edit.tally.deliver(raw.len());
            edit.out.extend_from_slice(raw);
            return Ok(());
        }
        let open = self.channels.iter().position(|channel| channel.key == key);
        if let Some(channel) = open.and_then(|at| self.channels.get_mut(at)) {
            channel.lane.push(raw, end, edit);
            if channel.own != self.own {
                channel.own.clone_from(&self.own);
            }
            if let (Carrier::Field(field), Which::Text(last) | Which::Json(last)) =
                (&mut channel.carrier, which)
            {
                *field = last;
            }
            if let (Some(at), End::Text) = (open, end) {
                let channel = self.channels.swap_remove(at);
                self.remember_spans(&channel);
            }
            return Ok(());
        }
        if raw.is_empty() {
            return Ok(());
        }
        if self.all_ended || self.ended.iter().any(|pattern| agrees(pattern, &key.at)) {
            return Err(Unreadable::TextAfterEnd);
        }
        if self.channels.len() >= MAX_TEXTS {
            return Err(Unreadable::TooManyTexts { limit: MAX_TEXTS });
        }
        let exempt = self.thinking == Thinking::Exempt && is_thinking(which);
        let mask = if exempt { edit.masks.begin_label() } else { Some(edit.masks.begin()) };
        let Some(mask) = mask else {
            edit.out.extend_from_slice(raw);
            return Ok(());
        };
        let (lane, carrier) = match which {
            Which::Json(field) => (Lane::Json(Nested::new(mask)), Carrier::of(field)),
            Which::Text(field) => (Lane::Text(Text::new(mask).tracked()), Carrier::of(field)),
            Which::Path(_) => (Lane::Text(Text::new(mask)), Carrier::none()),
        };
        let mut channel = Channel { key, carrier, own: self.own.clone(), lane };
        channel.lane.push(raw, end, edit);
        if end == End::Text {
            self.remember_spans(&channel);
        } else {
            self.channels.push(channel);
        }
        Ok(())
    }

    /// Whether the event read last speaks of text that is held, so that it should wait.
    pub(crate) fn waits(&self, data: &[u8]) -> bool {
        if !self.notes.offsets || !self.notes.ends.is_empty() {
            return false;
        }
        self.notes.sites.iter().any(|site| {
            let Site::Offset { offset, at } = site.site else { return false };
            let key = self.key(Which::Text(offset.field), self.notes.indexes(&at));
            let held = self.channels.iter().find(|channel| channel.key == key && channel.lane.held() > 0);
            let decided =
                held.and_then(|channel| channel.lane.spans()).map(|spans| spans.decided(offset.unit));
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
        !self.notes.ends.is_empty()
    }

    fn remember_spans(&mut self, channel: &Channel<M::Text>) {
        let spans = channel.lane.spans().filter(|spans| !spans.is_empty());
        if let (Some(spans), true) = (spans, self.spans.len() < MAX_SPANS) {
            self.spans.push((channel.key, spans.clone()));
        }
    }

    /// Writes an offset into a text as the text went out.
    fn offset(&self, key: Key, offset: &Offset, raw: &[u8], out: &mut Vec<u8>) {
        let open = self.channels.iter().find(|channel| channel.key == key);
        let open = open.and_then(|channel| channel.lane.spans());
        let over = || self.spans.iter().find(|(over, _)| *over == key).map(|(_, spans)| spans);
        let (Some(spans), Some(number)) = (open.or_else(over), parsed(raw)) else {
            return out.extend_from_slice(raw);
        };
        match spans.map(number, offset.end, offset.unit) {
            Some(same) if same == number => out.extend_from_slice(raw),
            moved => out.extend_from_slice(moved.unwrap_or_default().to_string().as_bytes()),
        }
    }
}

fn parsed(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

fn is_thinking(which: Which) -> bool {
    matches!(which, Which::Text(Field { thinking: true, .. }) | Which::Json(Field { thinking: true, .. }))
}

/// Writes a whole label.
fn label<M: Masks>(raw: &[u8], edit: &mut Edit<'_, M>) {
    // Nearly no label holds a secret, and asking costs less than a masker does.
    match Some(raw).filter(|raw| edit.masks.may_hold(raw)).and_then(|_| edit.masks.begin_label()) {
        Some(mask) => edit.label(&mut Text::new(mask), raw, End::Text),
        None => edit.out.extend_from_slice(raw),
    }
}

#[cfg(test)]
mod tests;
