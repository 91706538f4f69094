//! What the walk through one event notes: what is to be edited and where, and what the event says of its texts.

use crate::protocol::facts::{Facts, is_count, is_end};
use crate::protocol::json::table::{AXES, Fact, Field, Mark, Offset, OnText};
use crate::protocol::json::walk::{Part, Visit};

use super::{Indexes, NO_INDEX};

/// Most values to edit in one event, and most pieces of texts, choices or tool calls among them. What more costs grows
/// with the square.
pub(super) const MAX_SITES: usize = 16_384;
pub(super) const MAX_PIECES: usize = 1024;

/// Positions of a piece's items among those of the event.
type Positions = [Option<u16>; AXES];

/// Which text a piece belongs to, beside its indexes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Text(&'static Field),
    Json(&'static Field),
    /// The text at a path that the table does not know.
    Path(u32),
}

impl Which {
    /// Whether the event of its tail is made from the one that carried the text last.
    pub(super) fn is_carried(self) -> bool {
        match self {
            Self::Text(field) | Self::Json(field) => field.event.is_empty(),
            Self::Path(_) => true,
        }
    }
}

/// A number that stands for a name (FNV-1a).
fn number_of(name: &[u8]) -> u32 {
    let hash =
        name.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.min(NO_INDEX.wrapping_sub(1))
}

/// What to do at a place of the event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Site {
    Piece {
        which: Which,
        at: Positions,
    },
    Text,
    Nested,
    Thinking,
    /// `read`: its value says something.
    Label {
        read: bool,
    },
    Key,
    Number,
    Sequence,
    /// Stays, and is read again.
    Count(Fact),
    Offset {
        offset: &'static Offset,
        at: Positions,
    },
    Signature {
        at: Positions,
    },
    Drop(&'static str),
}

impl Site {
    /// Whether any other value of its kind in its place leaves the document's meaning to the walk as it is. What is
    /// dropped is no such value, but need not be looked at again.
    pub(super) fn is_free(self) -> bool {
        match self {
            Self::Piece { .. } | Self::Text | Self::Nested | Self::Thinking => true,
            Self::Label { read } => !read,
            Self::Number | Self::Sequence | Self::Count(_) | Self::Drop(_) => true,
            Self::Key | Self::Offset { .. } | Self::Signature { .. } => false,
        }
    }
}

/// A place of the event that is to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edited {
    pub(super) site: Site,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One of several within an event.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// As the event says; else its position, or none.
    index: u32,
    finished: bool,
}

/// The texts that agree with these indexes.
pub(super) type Pattern = [Option<u32>; AXES];

pub(super) const ALL: Pattern = [None; AXES];

/// Whether a text is one of the pattern's.
pub(super) fn agrees(pattern: &Pattern, at: &Indexes) -> bool {
    pattern.iter().zip(at).all(|(wanted, index)| wanted.is_none_or(|wanted| wanted == *index))
}

/// What the walk through one event noted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) sites: Vec<Edited>,
    items: [Vec<Item>; AXES],
    /// The items under way on each axis begin here: those before belong to another item of a lower axis.
    first: [usize; AXES],
    root: [Option<u32>; AXES],
    pieces: usize,
    /// What the event ends.
    pub(super) ends: Vec<Pattern>,
    /// What it gives a reason to stop of: that is the end too, but for servers that go on all the same.
    finishes: Vec<Pattern>,
    /// Whether it has offsets.
    pub(super) offsets: bool,
    ends_all: bool,
    ends_scope: bool,
    /// There is more in the event than may be.
    pub(super) full: bool,
    /// An index is no index.
    pub(super) astray: bool,
    /// Where the identifying values stand, quotes included.
    pub(super) envelope: [Option<(usize, usize)>; 4],
    pub(super) own: Option<(usize, usize)>,
    /// Where the value stands that was read last.
    read: Option<usize>,
}

impl Notes {
    pub(super) fn clear(&mut self) {
        self.sites.clear();
        self.sites.shrink_to(64);
        self.items.iter_mut().for_each(Vec::clear);
        self.first = [0; AXES];
        self.root = [None; AXES];
        self.pieces = 0;
        self.ends.clear();
        self.finishes.clear();
        self.offsets = false;
        self.ends_all = false;
        self.ends_scope = false;
        self.full = false;
        self.astray = false;
        self.envelope = [None; 4];
        self.own = None;
        self.read = None;
    }

    /// The walk is over: what ends is known.
    pub(super) fn finish(&mut self) {
        if self.ends_all {
            self.ends.push(ALL);
        }
        if self.ends_scope && self.root != ALL {
            self.ends.push(self.root);
        }
        for (axis, items) in self.items.iter().enumerate() {
            for item in items.iter().filter(|item| item.finished) {
                let mut pattern = self.root;
                if let Some(index) = pattern.get_mut(axis) {
                    *index = Some(item.index);
                }
                self.finishes.push(pattern);
            }
        }
    }

    /// Where the event says of which item it is on the first axis: that index, or none if it ends it.
    pub(super) fn scope(&self) -> Option<Option<u32>> {
        let [index, ..] = self.root;
        index.map(|index| (!self.ends_scope).then_some(index))
    }

    /// Whether the event ends any text.
    pub(super) fn ends_any(&self) -> bool {
        !self.ends.is_empty() || !self.finishes.is_empty()
    }

    /// Whether the event ends the texts of these indexes.
    pub(super) fn ends(&self, at: &Indexes) -> bool {
        self.ends.iter().any(|pattern| agrees(pattern, at))
    }

    /// Whether it gives a reason to stop of them.
    pub(super) fn finishes(&self, at: &Indexes) -> bool {
        self.finishes.iter().any(|pattern| agrees(pattern, at))
    }

    /// The indexes of a piece.
    pub(super) fn indexes(&self, at: &Positions) -> Indexes {
        let mut indexes = [NO_INDEX; AXES];
        let known = indexes.iter_mut().zip(at).zip(&self.items).zip(&self.root);
        for (((index, position), items), root) in known {
            let item = position.and_then(|position| items.get(usize::from(position)));
            *index = item.map(|item| item.index).or(*root).unwrap_or(NO_INDEX);
        }
        indexes
    }

    /// The item under way on an axis.
    fn item(&mut self, axis: usize) -> Option<&mut Item> {
        let first = self.first.get(axis).copied()?;
        let items = self.items.get_mut(axis)?;
        if items.len() > first { items.last_mut() } else { None }
    }

    fn positions(&self) -> Positions {
        let mut positions = [None; AXES];
        for ((position, items), first) in positions.iter_mut().zip(&self.items).zip(&self.first) {
            let last = items.len().checked_sub(1).filter(|last| last >= first);
            *position = last.and_then(|last| u16::try_from(last).ok());
        }
        positions
    }

    fn begin_item(&mut self, axis: usize, by_position: bool) {
        let first = self.first.get(axis).copied().unwrap_or_default();
        let Some(items) = self.items.get_mut(axis) else { return };
        if items.len() >= MAX_PIECES {
            self.full = true;
            return;
        }
        let position = u32::try_from(items.len().saturating_sub(first)).unwrap_or(NO_INDEX);
        items.push(Item { index: if by_position { position } else { NO_INDEX }, finished: false });
        for (first, items) in self.first.iter_mut().zip(&self.items).skip(axis.saturating_add(1)) {
            *first = items.len();
        }
    }

    fn set_index(&mut self, axis: usize, value: &[u8]) {
        let index = match value {
            b"true" => Some(1),
            b"false" => return,
            _ => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
        };
        let Some(index) = index.filter(|index| *index != NO_INDEX) else {
            self.astray = true;
            return;
        };
        self.set(axis, index);
    }

    fn set(&mut self, axis: usize, index: u32) {
        if let Some(item) = self.item(axis) {
            item.index = index;
        } else if let Some(root) = self.root.get_mut(axis) {
            *root = Some(index);
        }
    }

    fn push(&mut self, site: Site, part: &Part<'_>) -> bool {
        self.add(site, part.at, part.at.saturating_add(part.raw.bytes.len()));
        true
    }

    fn add(&mut self, site: Site, from: usize, to: usize) {
        let pieces = usize::from(matches!(site, Site::Piece { .. }));
        self.pieces = self.pieces.saturating_add(pieces);
        if self.sites.len() >= MAX_SITES || self.pieces > MAX_PIECES {
            self.full = true;
            return;
        }
        self.sites.push(Edited { site, from, to });
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
        match mark {
            Mark::Failure | Mark::EndAll => self.notes.ends_all = true,
            Mark::EndScope => self.notes.ends_scope = true,
            Mark::Item(axis) => self.notes.begin_item(axis, true),
            Mark::Part(axis) => self.notes.begin_item(axis, false),
        }
    }

    fn text(&mut self, on: OnText, path: u32, part: &Part<'_>) -> bool {
        let positions = self.notes.positions();
        let site = match on {
            OnText::Text(field) => Site::Piece { which: Which::Text(field), at: positions },
            OnText::Json(field) => Site::Piece { which: Which::Json(field), at: positions },
            OnText::Running => Site::Piece { which: Which::Path(path), at: positions },
            OnText::Nested => Site::Nested,
            OnText::Thinking => Site::Thinking,
            OnText::Signature => Site::Signature { at: positions },
            OnText::Link => Site::Label { read: false },
            OnText::Keep | OnText::Read(_) | OnText::Mask => Site::Text,
        };
        self.notes.push(site, part)
    }

    fn label(&mut self, part: &Part<'_>) -> bool {
        let read = self.notes.read == Some(part.at);
        self.notes.push(Site::Label { read }, part)
    }

    fn key(&mut self, part: &Part<'_>) -> bool {
        self.notes.push(Site::Key, part)
    }

    fn number(&mut self, part: &Part<'_>) -> bool {
        self.notes.push(Site::Number, part)
    }

    fn offset(&mut self, offset: &'static Offset, part: &Part<'_>) -> bool {
        let positions = self.notes.positions();
        self.notes.offsets = true;
        self.notes.push(Site::Offset { offset, at: positions }, part)
    }

    fn dropped(&mut self, with: &'static str, from: usize, to: usize) {
        self.notes.add(Site::Drop(with), from, to);
    }

    fn read(&mut self, fact: Fact, value: &[u8], at: usize) {
        self.notes.read = Some(at);
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
            Fact::Own => self.notes.own = span,
            Fact::Index(axis) => self.notes.set_index(axis, value),
            Fact::Named(axis) => self.notes.set(axis, number_of(value)),
            Fact::Sequence if !quoted => self.notes.add(Site::Sequence, at, to),
            fact if is_count(fact) && !quoted => self.notes.add(Site::Count(fact), at, to),
            Fact::Finish if is_end(value) => match self.notes.item(0) {
                Some(item) => item.finished = true,
                None => self.notes.ends_all = true,
            },
            Fact::Done => self.notes.ends_all |= value == b"true",
            _ => {}
        }
        self.facts.read(fact, value);
    }
}
