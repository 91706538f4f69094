//! A stream of events, each a document that carries pieces of texts.
//!
//! Every event goes out when it comes, with as much of its texts as is safe by then, possibly nothing. What a masker
//! holds of a text goes out with the next event that carries a piece of it; before the event that ends its choice it
//! goes out in that event's own piece, or where that has none in an event made for it.
//!
//! An event is walked once; the walk notes what is to be edited and where, so that the event's end (why the choice
//! finished) is known before its first byte is written.

mod last;
mod notes;

use crate::mask::text::{Masks, TextMask};

use super::Unreadable;
use super::facts::Facts;
use super::json::nested::Nested;
use super::json::table::{Field, Part, Table};
use super::json::text::{End, Text};
use super::json::walk::Walk;
use super::json::{Edit, number};
use last::Last;
use notes::{Edited, Item, MAX_PIECES, Noter, Notes, Site};

/// Most texts that may be open at once.
pub(crate) const MAX_TEXTS: usize = 64;

/// The identifying values of a stream, in the order of [`Notes::envelope`].
const ENVELOPE: [&str; 4] = ["id", "object", "created", "model"];

/// Names one text of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    choice: u32,
    tool: u32,
    field: u8,
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
}

struct Channel<T> {
    key: Key,
    field: &'static Field,
    lane: Lane<T>,
}

/// See the module.
pub(crate) struct Stream<M: Masks> {
    walk: Walk,
    notes: Notes,
    channels: Vec<Channel<M::Text>>,
    spare: Option<Text<M::Text>>,
    last: Last,
    /// Choices that have ended, and whether all have.
    ended: Vec<u32>,
    all_ended: bool,
    /// The identifying values of the stream, as written.
    envelope: [Vec<u8>; 4],
}

impl<M: Masks> Stream<M> {
    pub(crate) fn new(table: &'static Table) -> Self {
        Self {
            walk: Walk::new(table.root),
            notes: Notes::default(),
            channels: Vec::new(),
            spare: None,
            last: Last::default(),
            ended: Vec::new(),
            all_ended: false,
            envelope: Default::default(),
        }
    }

    pub(crate) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    /// Raw bytes held of all texts.
    pub(crate) fn held(&self) -> usize {
        self.channels.iter().fold(0, |sum, channel| sum.saturating_add(channel.lane.held()))
    }

    /// Reads an event's document; [`Self::before`] and [`Self::edit`] then write it.
    pub(crate) fn read(&mut self, data: &[u8], facts: &mut Facts) -> Result<(), Unreadable> {
        if self.last.resembles(data, &mut self.notes.sites) {
            self.last.remember(data, &self.notes.sites);
            return Ok(());
        }
        self.last.forget();
        self.notes.clear();
        self.walk.restart();
        let mut noter = Noter { notes: &mut self.notes, facts, data };
        self.walk.push(data, true, &mut noter)?;
        if self.notes.full {
            return Err(Unreadable::TooManyTexts { limit: MAX_PIECES });
        }
        for (known, span) in self.envelope.iter_mut().zip(self.notes.envelope) {
            let Some((from, to)) = span else { continue };
            let value = data.get(from..to).unwrap_or_default();
            if known.as_slice() != value {
                known.clear();
                known.extend_from_slice(value);
            }
        }
        self.last.remember(data, &self.notes.sites);
        Ok(())
    }

    /// Writes the events that must come before this one: the tails of texts that end with it and have no piece in it.
    pub(crate) fn before(&mut self, last: bool, edit: &mut Edit<'_, M>) {
        let mut at = 0usize;
        while let Some(channel) = self.channels.get(at) {
            let key = channel.key;
            if !self.ends(key, last) || self.last_site(key).is_some() {
                at = at.saturating_add(1);
                continue;
            }
            let channel = self.channels.swap_remove(at);
            self.tail(channel, edit);
        }
    }

    /// Writes the tails of all texts, each in an event of its own.
    pub(crate) fn flush(&mut self, edit: &mut Edit<'_, M>) {
        self.all_ended = true;
        for channel in std::mem::take(&mut self.channels) {
            self.tail(channel, edit);
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
                Site::Drop => edit.out.extend_from_slice(b"null"),
                Site::Text | Site::Key => self.whole(raw, edit),
                Site::Piece { field, json, choice, tool } => {
                    let key = self.key(field, choice, tool);
                    let again = || {
                        let mut later = sites.iter().skip(position.saturating_add(1));
                        later.any(|later| self.site_key(later) == Some(key))
                    };
                    let end = if self.ends(key, last) && !again() { End::Text } else { End::String };
                    result = self.piece(key, field, json, raw, end, edit);
                }
            }
            if result.is_err() {
                break;
            }
        }
        self.notes.sites = sites;
        edit.out.extend_from_slice(data.get(given..).unwrap_or_default());
        result.and_then(|()| self.note_ends(last))
    }

    /// Remembers which choices ended with the event read last.
    fn note_ends(&mut self, last: bool) -> Result<(), Unreadable> {
        self.all_ended |= last || self.notes.failed;
        for choice in self.notes.choices.iter().filter(|choice| choice.finished) {
            if self.ended.contains(&choice.index) {
                continue;
            }
            if self.ended.len() >= MAX_PIECES {
                return Err(Unreadable::TooManyTexts { limit: MAX_PIECES });
            }
            self.ended.push(choice.index);
        }
        Ok(())
    }

    fn key(&self, field: &Field, choice: Option<usize>, tool: Option<usize>) -> Key {
        let index = |items: &[Item], at: Option<usize>| {
            at.and_then(|at| items.get(at)).map_or(u32::MAX, |item| item.index)
        };
        Key {
            choice: index(&self.notes.choices, choice),
            tool: index(&self.notes.tools, tool),
            field: field.id,
        }
    }

    fn site_key(&self, edited: &Edited) -> Option<Key> {
        match edited.site {
            Site::Piece { field, choice, tool, .. } => Some(self.key(field, choice, tool)),
            _ => None,
        }
    }

    fn last_site(&self, key: Key) -> Option<usize> {
        self.notes.sites.iter().rposition(|site| self.site_key(site) == Some(key))
    }

    /// Whether the event read last ends this text.
    fn ends(&self, key: Key, last: bool) -> bool {
        last || self.notes.failed
            || self.notes.choices.iter().any(|choice| choice.finished && choice.index == key.choice)
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

    fn piece(
        &mut self,
        key: Key,
        field: &'static Field,
        json: bool,
        raw: &[u8],
        end: End,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        let open = self.channels.iter().position(|channel| channel.key == key);
        if let Some(channel) = open.and_then(|at| self.channels.get_mut(at)) {
            channel.lane.push(raw, end, edit);
            if let (Some(at), End::Text) = (open, end) {
                self.channels.swap_remove(at);
            }
            return Ok(());
        }
        if raw.is_empty() {
            return Ok(());
        }
        if self.all_ended || self.ended.contains(&key.choice) {
            return Err(Unreadable::TextAfterEnd);
        }
        if self.channels.len() >= MAX_TEXTS {
            return Err(Unreadable::TooManyTexts { limit: MAX_TEXTS });
        }
        let mask = edit.masks.begin();
        let lane = if json { Lane::Json(Nested::new(mask)) } else { Lane::Text(Text::new(mask)) };
        let mut channel = Channel { key, field, lane };
        channel.lane.push(raw, end, edit);
        if end != End::Text {
            self.channels.push(channel);
        }
        Ok(())
    }

    /// Ends a text; if something was held of it, writes it in an event of its own.
    fn tail(&self, mut channel: Channel<M::Text>, edit: &mut Edit<'_, M>) {
        let mut tail = Vec::new();
        channel.lane.push(&[], End::Text, &mut Edit::new(edit.masks, &mut tail, edit.tally));
        if tail.is_empty() {
            return;
        }
        edit.out.extend_from_slice(b"data: {");
        for part in channel.field.event {
            match part {
                Part::Literal(literal) => edit.out.extend_from_slice(literal.as_bytes()),
                Part::Text => edit.out.extend_from_slice(&tail),
                Part::Choice => decimal(channel.key.choice, edit.out),
                Part::Tool => decimal(channel.key.tool, edit.out),
                Part::Envelope => self.write_envelope(edit),
            }
        }
        edit.out.extend_from_slice(b"}\n\n");
    }

    fn write_envelope(&self, edit: &mut Edit<'_, M>) {
        for (key, value) in ENVELOPE.iter().zip(&self.envelope).filter(|(_, value)| !value.is_empty()) {
            for part in [b"\"", key.as_bytes(), b"\":"] {
                edit.out.extend_from_slice(part);
            }
            label(value, edit);
            edit.out.push(b',');
        }
    }
}

/// Writes a whole label.
fn label<M: Masks>(raw: &[u8], edit: &mut Edit<'_, M>) {
    // Nearly no label holds a secret, and asking costs less than a masker does.
    match Some(raw).filter(|raw| edit.masks.may_hold(raw)).and_then(|_| edit.masks.begin_label()) {
        Some(mask) => edit.label(&mut Text::new(mask), raw, End::Text),
        None => edit.out.extend_from_slice(raw),
    }
}

fn decimal(index: u32, out: &mut Vec<u8>) {
    let index = if index == u32::MAX { 0 } else { index };
    out.extend_from_slice(index.to_string().as_bytes());
}
