//! A text read in two ways at once: as it is written, and as it is meant.
//!
//! `4111\u{200b}1111…` holds a card for whoever reads it, and `word\u{200b}4111…` holds one for whoever takes the
//! character for a boundary. So the text is read twice: as written, where a character beyond ASCII is a boundary, and as
//! meant (`disguise`), where such a character is the one that it stands for, or is not there. What either reading finds
//! is masked; where two finds overlap, they are one, named by the one that starts first (of those, the longer). That is
//! a function of the text alone again: each reading is, and they are put together only where both have decided.
//!
//! Text without such characters is read once. At the first of them the masker is copied, and the copy dropped as soon as
//! both are in the same state. A character that takes no room belongs to a value only between two of its own: at a
//! value's edges it is kept.
//!
//! A value as written that starts within an escape of JSON (`\\njane@…`) starts behind it: what is left of the escape would
//! make no JSON of the document around it.
//!
//! A value that is disguised and also glued to the word before it by an invisible character (`word\u{200b}4\u{200b}111…`)
//! is found by neither.
use std::collections::VecDeque;

use super::disguise::{self, MOST_INVISIBLE, Written};
use super::masker::Masker;
use super::text::{Entity, Sink, TextMask};

/// Bytes that both readings take before they are compared.
const STRETCH: usize = 256;

/// Masks one text, read in both ways.
#[derive(Clone)]
pub struct Views {
    written: Masker,
    meant: Option<Box<Meant>>,
}

impl Views {
    pub(super) fn new(masker: Masker) -> Self {
        Self { written: masker, meant: None }
    }
}

impl TextMask for Views {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let mut rest = text;
        loop {
            let Some(meant) = &mut self.meant else {
                let Some(at) = disguise::first(rest).filter(|_| !self.written.idle()) else {
                    return self.written.push(rest, end, sink);
                };
                let (plain, later) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                self.written.push(plain, false, sink);
                self.meant = Some(Box::new(Meant::new(&self.written)));
                rest = later;
                continue;
            };
            let (stretch, later) = rest.split_at_checked(STRETCH).unwrap_or((rest, &[]));
            rest = later;
            let last = end && rest.is_empty();
            meant.push(&mut self.written, stretch, last, sink);
            if last || meant.agrees(&self.written) {
                self.meant = None;
            }
            if rest.is_empty() {
                return;
            }
        }
    }

    fn held(&self) -> usize {
        self.meant.as_ref().map_or_else(|| self.written.held(), |meant| meant.undecided)
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// The second reading, and what both have decided.
#[derive(Clone)]
struct Meant {
    masker: Masker,
    /// How the bytes that it has not decided are written.
    units: VecDeque<Unit>,
    /// The start of a character whose end has not come.
    cut: Vec<u8>,
    /// Characters without room since the last other.
    invisible: usize,
    /// What each reading has decided and the other may not have: as written, as meant.
    tracks: [Track; 2],
    /// Bytes of which nothing has gone out.
    undecided: usize,
    /// Where among them escapes of JSON are written.
    escapes: VecDeque<Escape>,
}

/// Where an escape is written.
#[derive(Clone)]
struct Escape {
    /// `None`: its first bytes have gone out.
    start: Option<usize>,
    end: usize,
}

/// Bytes as meant, and as written.
#[derive(Clone)]
struct Unit {
    meant: usize,
    written: usize,
}

/// Decisions about the text as written, from the first byte of which nothing has gone out.
#[derive(Clone, Default)]
struct Track {
    decided: usize,
    values: VecDeque<Value>,
}

#[derive(Clone)]
struct Value {
    start: usize,
    end: usize,
    /// It goes on a value whose beginning has gone out.
    goes_on: bool,
    entity: Entity,
    then: Then,
}

/// What becomes of a value.
#[derive(Clone)]
enum Then {
    /// This stands for it.
    Replace(Vec<u8>),
    /// It is counted and stays.
    Flag,
    /// The text ends before it.
    Block,
}

impl Sink for Track {
    fn keep(&mut self, len: usize) {
        self.decided = self.decided.saturating_add(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.value(len, Some((entity, Then::Replace(with.to_vec()))));
    }

    fn flag(&mut self, len: usize, entity: Entity) {
        self.value(len, Some((entity, Then::Flag)));
    }

    fn block(&mut self, len: usize, entity: Entity) {
        self.value(len, Some((entity, Then::Block)));
    }

    fn swallow(&mut self, len: usize) {
        self.value(len, None);
    }
}

impl Track {
    fn value(&mut self, len: usize, named: Option<(Entity, Then)>) {
        let (start, end) = (self.decided, self.decided.saturating_add(len));
        let goes_on = named.is_none();
        let (entity, then) = named.unwrap_or((Entity(0), Then::Replace(Vec::new())));
        self.values.push_back(Value { start, end, goes_on, entity, then });
        self.decided = end;
    }

    /// Values that start within an escape start behind it.
    fn start_behind(&mut self, escapes: &VecDeque<Escape>) {
        for value in self.values.iter_mut().filter(|value| !value.goes_on) {
            let begun = |escape: &Escape| escape.start.is_none_or(|start| start < value.start);
            let escape = escapes.iter().find(|escape| begun(escape) && value.start < escape.end);
            if let Some(escape) = escape.filter(|escape| escape.end < value.end) {
                value.start = escape.end;
            }
        }
    }

    /// Forgets the first bytes, which have gone out.
    fn advance(&mut self, len: usize) {
        self.decided = self.decided.saturating_sub(len);
        self.values.retain_mut(|value| {
            value.goes_on |= value.start < len;
            value.start = value.start.saturating_sub(len);
            value.end = value.end.saturating_sub(len);
            value.end > 0
        });
    }
}

/// Takes decisions about the text as meant for the text as written.
struct Translated<'a> {
    units: &'a mut VecDeque<Unit>,
    track: &'a mut Track,
}

impl Translated<'_> {
    /// So many bytes as meant, with what is written between them.
    fn take(&mut self, meant: usize) -> usize {
        let (mut left, mut written) = (meant, 0usize);
        while left > 0 {
            let Some(unit) = self.units.front_mut() else { break };
            if unit.meant > left {
                // Only what stands for itself is put together, so it can be taken apart.
                unit.meant = unit.meant.saturating_sub(left);
                unit.written = unit.written.saturating_sub(left);
                return written.saturating_add(left);
            }
            left = left.saturating_sub(unit.meant);
            written = written.saturating_add(unit.written);
            self.units.pop_front();
        }
        written
    }

    /// The bytes of a value that starts right here.
    fn value(&mut self, meant: usize) -> usize {
        self.keep_invisible();
        self.take(meant)
    }

    /// What is written and means nothing, right here.
    fn keep_invisible(&mut self) {
        while let Some(unit) = self.units.front().filter(|unit| unit.meant == 0) {
            self.track.keep(unit.written);
            self.units.pop_front();
        }
    }
}

impl Sink for Translated<'_> {
    fn keep(&mut self, len: usize) {
        let written = self.take(len);
        self.track.keep(written);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        let written = self.value(len);
        self.track.replace(written, entity, with);
    }

    fn flag(&mut self, len: usize, entity: Entity) {
        let written = self.value(len);
        self.track.flag(written, entity);
    }

    fn block(&mut self, len: usize, entity: Entity) {
        let written = self.value(len);
        self.track.block(written, entity);
    }

    fn swallow(&mut self, len: usize) {
        let written = self.take(len);
        self.track.swallow(written);
    }
}

/// How many characters without room so many bytes count for.
fn room(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

impl Meant {
    /// Another reading of what the first one holds, and of all that comes.
    fn new(written: &Masker) -> Self {
        let held = written.held();
        Self {
            masker: written.clone(),
            units: VecDeque::from([Unit { meant: held, written: held }]),
            cut: Vec::new(),
            invisible: 0,
            tracks: [Track::default(), Track::default()],
            undecided: held,
            escapes: VecDeque::new(),
        }
    }

    fn push(&mut self, written: &mut Masker, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let meaning = self.read(text, end);
        self.undecided = self.undecided.saturating_add(text.len());
        let Self { masker, units, tracks: [as_written, as_meant], .. } = self;
        written.push(text, end, as_written);
        as_written.start_behind(&self.escapes);
        let mut translated = Translated { units, track: as_meant };
        masker.push(&meaning, end, &mut translated);
        if end {
            translated.keep_invisible();
        }
        self.emit(sink);
    }

    /// The text as it is meant, but for a character at its end that is not whole.
    fn read(&mut self, text: &[u8], end: bool) -> Vec<u8> {
        let mut joined = std::mem::take(&mut self.cut);
        let first = self.undecided.saturating_sub(joined.len());
        joined.extend_from_slice(text);
        let (mut meaning, mut rest) = (Vec::with_capacity(joined.len()), joined.as_slice());
        while !rest.is_empty() {
            let plain = disguise::first(rest).unwrap_or(rest.len());
            if let Some(bytes) = rest.get(..plain).filter(|bytes| !bytes.is_empty()) {
                meaning.extend_from_slice(bytes);
                self.plain(plain);
                rest = rest.get(plain..).unwrap_or_default();
                continue;
            }
            let len = match disguise::read(rest) {
                Written::For(byte, len) => {
                    self.invisible = 0;
                    meaning.push(byte);
                    self.units.push_back(Unit { meant: 1, written: len });
                    if rest.first() == Some(&b'\\') {
                        let start = first.saturating_add(joined.len()).saturating_sub(rest.len());
                        self.escapes.push_back(Escape { start: Some(start), end: start.saturating_add(len) });
                    }
                    len
                }
                Written::Nothing(len) if self.invisible.saturating_add(room(len)) <= MOST_INVISIBLE => {
                    self.invisible = self.invisible.saturating_add(room(len));
                    self.units.push_back(Unit { meant: 0, written: len });
                    len
                }
                Written::Cut if !end => {
                    self.cut = rest.to_vec();
                    return meaning;
                }
                _ => {
                    meaning.extend(rest.first());
                    self.plain(1);
                    1
                }
            };
            rest = rest.get(len..).unwrap_or_default();
        }
        meaning
    }

    /// Bytes that stand for themselves.
    fn plain(&mut self, len: usize) {
        self.invisible = 0;
        match self.units.back_mut().filter(|unit| unit.meant == unit.written) {
            Some(unit) => {
                unit.meant = unit.meant.saturating_add(len);
                unit.written = unit.written.saturating_add(len);
            }
            None => self.units.push_back(Unit { meant: len, written: len }),
        }
    }

    /// Gives out what both readings have decided.
    fn emit(&mut self, sink: &mut dyn Sink) {
        loop {
            let [written, meant] = &self.tracks;
            let limit = written.decided.min(meant.decided);
            let start = written.values.iter().chain(&meant.values).map(|value| value.start).min();
            let len = match start.unwrap_or(limit).min(limit) {
                0 if limit == 0 => return,
                0 => match self.value(limit, sink) {
                    Some(len) => len,
                    None => return,
                },
                kept => {
                    sink.keep(kept);
                    kept
                }
            };
            self.tracks.iter_mut().for_each(|track| track.advance(len));
            self.undecided = self.undecided.saturating_sub(len);
            self.escapes.retain_mut(|escape| {
                escape.start = escape.start.and_then(|start| start.checked_sub(len));
                escape.end = escape.end.saturating_sub(len);
                escape.end > 0
            });
        }
    }

    /// Gives out the value that starts right here, with all that overlap it; `None`: not all of them are decided.
    fn value(&self, limit: usize, sink: &mut dyn Sink) -> Option<usize> {
        let values = || self.tracks.iter().flat_map(|track| &track.values);
        let here = || values().filter(|value| value.start == 0);
        let mut end = here().map(|value| value.end).max()?;
        while let Some(more) = values().filter(|value| value.start < end).map(|value| value.end).max()
            && more > end
        {
            end = more;
        }
        if here().any(|value| value.goes_on) {
            let len = end.min(limit);
            sink.swallow(len);
            return Some(len);
        }
        if end > limit {
            return None;
        }
        // What ends the text counts first, then what hides a value. Of those the one that starts first, the longer; of
        // equals the one as written, which is the first.
        let all = || values().filter(|value| value.start < end);
        let first = |of: fn(&Then) -> bool| {
            let some = all().filter(|value| of(&value.then));
            some.reduce(
                |best, value| {
                    if (value.start, best.end) < (best.start, value.end) { value } else { best }
                },
            )
        };
        if let Some(value) = first(|then| matches!(then, Then::Block)) {
            sink.block(end, value.entity);
        } else if let Some(value) = first(|then| matches!(then, Then::Replace(_)))
            && let Then::Replace(with) = &value.then
        {
            sink.replace(end, value.entity, with);
        } else {
            let value = first(|_| true)?;
            sink.flag(end, value.entity);
        }
        Some(end)
    }

    /// Whether both readings are in the same state, and will decide the same from here on.
    fn agrees(&self, written: &Masker) -> bool {
        let same = self.units.iter().all(|unit| unit.meant == unit.written);
        let out = self.undecided == written.held() && self.tracks.iter().all(|track| track.decided == 0);
        same && out && self.invisible == 0 && self.cut.is_empty() && self.masker.agrees(written)
    }
}
