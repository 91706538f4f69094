//! A stream of events, each a document that carries pieces of texts.
//!
//! Every event goes out when it comes, with as much of its texts as is safe by then, possibly nothing. What a masker
//! holds of a text goes out with the next event that carries a piece of it; before the event that ends its choice it
//! goes out in that event's own piece, or where that has none in an event made for it.
//!
//! An event is walked once; the walk notes what is to be edited and where, so that the event's end (why the choice
//! finished) is known before its first byte is written.

use crate::mask::text::{Masks, TextMask};

use super::Unreadable;
use super::facts::{Facts, is_end};
use super::json::grammar::plain_len;
use super::json::nested::Nested;
use super::json::table::{Fact, Field, Mark, OnText, Part, Table};
use super::json::text::{End, Text};
use super::json::walk::{Visit, Walk};
use super::json::{Edit, Tally, number};

/// Most texts that may be open at once.
pub(crate) const MAX_TEXTS: usize = 64;

/// Most values to edit in one event, and most pieces of texts, choices or tool calls among them. What more costs grows
/// with the square.
const MAX_SITES: usize = 16_384;
const MAX_PIECES: usize = 1024;

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

/// What to do at a place of the event.
#[derive(Debug, Clone, Copy)]
enum Site {
    /// A piece of a text; the position of its choice and tool call among those of the event.
    Piece {
        field: &'static Field,
        json: bool,
        choice: Option<usize>,
        tool: Option<usize>,
    },
    Text,
    Key,
    Number,
    Drop,
}

impl Site {
    /// Whether any other string in its place leaves the document's meaning to the walk as it is.
    fn is_free(self) -> bool {
        matches!(self, Self::Piece { .. } | Self::Text)
    }
}

#[derive(Debug, Clone, Copy)]
struct Edited {
    site: Site,
    from: usize,
    to: usize,
}

/// A choice or a tool call within an event.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// As the event says; else its position.
    index: u32,
    finished: bool,
}

/// What the walk through one event noted.
#[derive(Debug, Default)]
struct Notes {
    sites: Vec<Edited>,
    choices: Vec<Item>,
    tools: Vec<Item>,
    /// Tool calls of the choice under way begin here.
    first_tool: usize,
    pieces: usize,
    failed: bool,
    /// There is more in the event than may be.
    full: bool,
    /// Where the identifying values stand, quotes included.
    envelope: [Option<(usize, usize)>; 4],
}

const ENVELOPE: [&str; 4] = ["id", "object", "created", "model"];

impl Notes {
    fn clear(&mut self) {
        self.sites.clear();
        self.sites.shrink_to(64);
        self.choices.clear();
        self.tools.clear();
        self.first_tool = 0;
        self.pieces = 0;
        self.failed = false;
        self.full = false;
        self.envelope = [None; 4];
    }

    fn push(&mut self, site: Site, from: usize, len: usize) {
        let pieces = usize::from(matches!(site, Site::Piece { .. }));
        self.pieces = self.pieces.saturating_add(pieces);
        if self.sites.len() >= MAX_SITES || self.pieces > MAX_PIECES {
            self.full = true;
            return;
        }
        self.sites.push(Edited { site, from, to: from.saturating_add(len) });
    }
}

/// The walk's visitor.
struct Noter<'a> {
    notes: &'a mut Notes,
    facts: &'a mut Facts,
    data: &'a [u8],
}

impl Visit for Noter<'_> {
    fn pass(&mut self, _bytes: &[u8]) {}

    fn enter(&mut self, mark: Mark) {
        self.facts.enter(mark);
        if self.notes.choices.len().max(self.notes.tools.len()) >= MAX_PIECES {
            self.notes.full = true;
            return;
        }
        let item =
            |position: usize| Item { index: u32::try_from(position).unwrap_or(u32::MAX), finished: false };
        match mark {
            Mark::Failure => self.notes.failed = true,
            Mark::Choice => {
                self.notes.choices.push(item(self.notes.choices.len()));
                self.notes.first_tool = self.notes.tools.len();
            }
            Mark::Tool => {
                let position = self.notes.tools.len().saturating_sub(self.notes.first_tool);
                self.notes.tools.push(item(position));
            }
        }
    }

    fn text(&mut self, on: OnText, piece: &[u8], at: usize, _end: bool) {
        let tool = self.notes.tools.len();
        let tool = tool.checked_sub(1).filter(|_| tool > self.notes.first_tool);
        let choice = self.notes.choices.len().checked_sub(1);
        let site = match on {
            OnText::Text(field) => Site::Piece { field, json: false, choice, tool },
            OnText::Json(field) => Site::Piece { field, json: true, choice, tool },
            OnText::Keep | OnText::Read(_) | OnText::Mask => Site::Text,
        };
        self.notes.push(site, at, piece.len());
    }

    fn key(&mut self, piece: &[u8], at: usize, _end: bool) {
        self.notes.push(Site::Key, at, piece.len());
    }

    fn number(&mut self, text: &[u8], at: usize) {
        self.notes.push(Site::Number, at, text.len());
    }

    fn dropped(&mut self, from: usize, to: usize) {
        self.notes.push(Site::Drop, from, to.saturating_sub(from));
    }

    fn read(&mut self, fact: Fact, value: &[u8], at: usize) {
        let index = || std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        let to = at.saturating_add(value.len());
        let quoted = self.data.get(to) == Some(&b'"');
        let quote = usize::from(quoted);
        let span = Some((at.saturating_sub(quote), to.saturating_add(quote)));
        let [id, object, created, model] = &mut self.notes.envelope;
        match fact {
            Fact::Id => *id = span,
            Fact::Object => *object = span,
            Fact::Created => *created = span,
            Fact::Model => *model = span,
            Fact::Choice => set_index(&mut self.notes.choices, index()),
            Fact::Tool => set_index(&mut self.notes.tools, index()),
            Fact::Finish if !is_end(value) => {}
            Fact::Finish => {
                if let Some(choice) = self.notes.choices.last_mut() {
                    choice.finished = true;
                }
            }
            _ => {}
        }
        self.facts.read(fact, value);
    }
}

fn set_index(items: &mut [Item], index: Option<u32>) {
    if let (Some(item), Some(index)) = (items.last_mut(), index) {
        item.index = index;
    }
}

/// The document of the event before.
///
/// The events of a stream differ in little but their texts. One that differs from the event before in nothing but the
/// insides of free strings means the same to the walk, which it is spared: its sites are those of the event before,
/// moved. Escapes in such a string are left to the walk.
#[derive(Debug, Default)]
struct Last {
    data: Vec<u8>,
    /// Where the sites stand in the document at hand.
    moved: Vec<(usize, usize)>,
}

impl Last {
    /// Longest document, and most sites, that are worth remembering.
    const MAX_BYTES: usize = 4096;
    const MAX_SITES: usize = 16;

    fn forget(&mut self) {
        self.data.clear();
    }

    fn remember(&mut self, data: &[u8], sites: &[Edited]) {
        self.data.clear();
        if data.len() <= Self::MAX_BYTES && sites.len() <= Self::MAX_SITES {
            self.data.extend_from_slice(data);
        }
    }

    /// Whether `data` is such a document; its sites then are the new ones.
    fn resembles(&mut self, data: &[u8], sites: &mut [Edited]) -> bool {
        if self.data.is_empty() || !self.moves(data, sites) {
            return false;
        }
        for (site, (from, to)) in sites.iter_mut().zip(&self.moved) {
            (site.from, site.to) = (*from, *to);
        }
        true
    }

    /// Notes where the sites stand in `data`; false where it differs in more.
    fn moves(&mut self, data: &[u8], sites: &[Edited]) -> bool {
        self.moved.clear();
        let (mut old, mut new) = (0usize, 0usize);
        for site in sites {
            let same = site.from.saturating_sub(old);
            let from = new.saturating_add(same);
            if !site.site.is_free() {
                let len = site.to.saturating_sub(site.from);
                self.moved.push((from, from.saturating_add(len)));
                continue;
            }
            if self.data.get(old..site.from) != data.get(new..from) {
                return false;
            }
            let rest = data.get(from..).unwrap_or_default();
            let to = from.saturating_add(plain_len(rest));
            if data.get(to) != Some(&b'"') {
                return false;
            }
            self.moved.push((from, to));
            (old, new) = (site.to, to);
        }
        self.data.get(old..) == data.get(new..)
    }
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
                Part::Envelope => self.write_envelope(edit.out),
            }
        }
        edit.out.extend_from_slice(b"}\n\n");
    }

    fn write_envelope(&self, out: &mut Vec<u8>) {
        for (key, value) in ENVELOPE.iter().zip(&self.envelope).filter(|(_, value)| !value.is_empty()) {
            for part in [b"\"", key.as_bytes(), b"\":", value, b","] {
                out.extend_from_slice(part);
            }
        }
    }
}

fn decimal(index: u32, out: &mut Vec<u8>) {
    let index = if index == u32::MAX { 0 } else { index };
    out.extend_from_slice(index.to_string().as_bytes());
}

/// The counts of an answer and the facts it stated.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) tally: Tally,
    pub(crate) facts: Facts,
}
