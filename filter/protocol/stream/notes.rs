//! What the walk through one event notes: what is to be edited and where, and what the event says of its choices.

use crate::protocol::facts::{Facts, is_end};
use crate::protocol::json::table::{Fact, Field, Mark, OnText};
use crate::protocol::json::walk::Visit;

/// Most values to edit in one event, and most pieces of texts, choices or tool calls among them. What more costs grows
/// with the square.
pub(super) const MAX_SITES: usize = 16_384;
pub(super) const MAX_PIECES: usize = 1024;

/// What to do at a place of the event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Site {
    /// A piece of a text; the position of its choice and tool call among those of the event.
    Piece {
        field: &'static Field,
        json: bool,
        choice: Option<usize>,
        tool: Option<usize>,
    },
    Text,
    Label,
    Key,
    Number,
    Drop,
}

impl Site {
    /// Whether any other string in its place leaves the document's meaning to the walk as it is.
    pub(super) fn is_free(self) -> bool {
        matches!(self, Self::Piece { .. } | Self::Text)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Edited {
    pub(super) site: Site,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A choice or a tool call within an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// As the event says; else its position.
    pub(super) index: u32,
    pub(super) finished: bool,
}

/// What the walk through one event noted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) sites: Vec<Edited>,
    pub(super) choices: Vec<Item>,
    pub(super) tools: Vec<Item>,
    /// Tool calls of the choice under way begin here.
    pub(super) first_tool: usize,
    pub(super) pieces: usize,
    pub(super) failed: bool,
    /// There is more in the event than may be.
    pub(super) full: bool,
    /// Where the identifying values stand, quotes included.
    pub(super) envelope: [Option<(usize, usize)>; 4],
}

impl Notes {
    pub(super) fn clear(&mut self) {
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
pub(super) struct Noter<'a> {
    pub(super) notes: &'a mut Notes,
    pub(super) facts: &'a mut Facts,
    pub(super) data: &'a [u8],
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

    fn label(&mut self, piece: &[u8], at: usize, _end: bool) {
        self.notes.push(Site::Label, at, piece.len());
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

pub(super) fn set_index(items: &mut [Item], index: Option<u32>) {
    if let (Some(item), Some(index)) = (items.last_mut(), index) {
        item.index = index;
    }
}
