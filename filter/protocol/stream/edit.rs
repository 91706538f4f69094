//! Writing an event: what changes, between what stays.

use crate::mask::text::Masks;
use crate::protocol::facts::Facts;
use crate::protocol::json::nested::Nested;
use crate::protocol::json::table::Offset;
use crate::protocol::json::text::Text;
use crate::protocol::json::{Edit, Raw, Tally};
use crate::protocol::{Thinking, Unreadable};

use super::channel::{Channel, Lane, Until};
use super::notes::{Edited, Pattern, Site, Which, agrees};
use super::tail::Carrier;
use super::{Key, MAX_ENDS, MAX_TEXTS, Stream, is_thinking, parsed};

/// Bytes that came, most of which stay: what stays is written with the next thing that changes, in one go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Splice<'a> {
    came: &'a [u8],
    /// Up to here they are written, or something is in their place.
    given: usize,
}

impl<'a> Splice<'a> {
    pub(crate) fn new(came: &'a [u8]) -> Self {
        Self { came, given: 0 }
    }

    /// What stays before a place and is not written yet.
    fn before(&self, to: usize) -> &'a [u8] {
        self.came.get(self.given..to).unwrap_or_default()
    }

    /// A value that may change.
    fn raw(&self, from: usize, to: usize, plain: bool) -> Raw<'a> {
        Raw { before: self.before(from), bytes: self.came.get(from..to).unwrap_or_default(), plain }
    }

    /// Writes what stays up to a place.
    pub(crate) fn flush(&mut self, to: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before(to));
        self.given = to;
    }

    /// What comes next begins here.
    pub(crate) fn skip(&mut self, to: usize) {
        self.given = to;
    }
}

/// Longest piece that is compared with the next.
const MAX_LABEL: usize = 256;

/// What of a piece is compared.
fn label(bytes: &[u8]) -> &[u8] {
    if bytes.len() > MAX_LABEL { &[] } else { bytes }
}

impl<M: Masks> Stream<M> {
    /// Writes the document read last. `last`: the stream ends with it.
    pub(crate) fn edit(&mut self, data: &[u8], last: bool, edit: &mut Edit<'_, M>) -> Result<(), Unreadable> {
        let sites = std::mem::take(&mut self.notes.sites);
        let plain = !last && !self.notes.offsets && !self.notes.ends_any();
        let mut learns = self.shape.begin(data) && plain;
        let mut splice = Splice::new(data);
        let mut result = Ok(());
        for (position, edited) in sites.iter().enumerate() {
            let raw = splice.raw(edited.from, edited.to, false);
            let (delivered, key) = (edit.tally.delivered(), self.site_key(edited));
            let written = match (edited.site, key) {
                (Site::Piece { which, .. }, Some(key)) => {
                    let again = || {
                        let mut later = sites.iter().skip(position.saturating_add(1));
                        later.any(|later| self.site_key(later) == Some(key))
                    };
                    let until = self.until(key, last);
                    let until = if until != Until::More && again() { Until::More } else { until };
                    let written = self.piece(key, which, raw, until, edit);
                    written.unwrap_or_else(|why| {
                        result = Err(why);
                        false
                    })
                }
                (site, _) => self.value(site, raw, edit),
            };
            if result.is_err() {
                break;
            }
            if written {
                splice.skip(edited.to);
            }
            if !edited.site.is_free() {
                learns &= !written;
                let text = edit.tally.delivered().saturating_sub(delivered);
                self.shape.delivered =
                    self.shape.delivered.saturating_add(usize::try_from(text).unwrap_or(0));
            } else if learns && (written || !matches!(edited.site, Site::Drop(_))) {
                self.shape.carries |= matches!(edited.site, Site::Piece { which, .. } if which.is_carried());
                learns = self.shape.hole(data, edited, key);
            }
        }
        splice.flush(data.len(), edit.out);
        let result = result.and_then(|()| self.carry(data, &sites, edit.masks));
        self.notes.sites = sites;
        if learns && result.is_ok() {
            self.shape.finish(data);
        }
        result.and_then(|()| self.note_ends(last))
    }

    /// How many of `bytes` a document takes that means what the one read last meant but for its texts and numbers.
    /// `None`: they begin with no such document, or it is not known.
    pub(crate) fn resembles(&mut self, bytes: &[u8]) -> Option<usize> {
        self.shape.matches(bytes)
    }

    /// Whether events may be known by their likeness to the one read last.
    pub(crate) fn has_shape(&self) -> bool {
        self.shape.is_known()
    }

    #[cfg(test)]
    pub(crate) fn watched(&mut self) -> &mut super::shape::Watched {
        &mut self.shape.watched
    }

    /// The name of the event read last.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Writes the document of which [`Self::resembles`] told last; it stands there in what came. What stays behind the
    /// last thing that changes is not written.
    pub(crate) fn edit_alike(
        &mut self,
        (start, end): (usize, usize),
        splice: &mut Splice<'_>,
        facts: &mut Facts,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests count"))]
        let mut shape = std::mem::take(&mut self.shape);
        let mut result = Ok(());
        let document = splice.came.get(start..end).unwrap_or_default();
        for hole in &shape.holes {
            if let Site::Count(fact) = hole.site {
                facts.read(fact, document.get(hole.from..hole.to).unwrap_or_default());
            }
        }
        for hole in &shape.holes {
            let to = start.saturating_add(hole.to);
            let raw = splice.raw(start.saturating_add(hole.from), to, hole.plain);
            let written = match (hole.site, hole.key) {
                (Site::Piece { which, .. }, Some(key)) => self.piece(key, which, raw, Until::More, edit),
                (site, _) => Ok(self.value(site, raw, edit)),
            };
            match written {
                Ok(true) => splice.skip(to),
                Ok(false) => {}
                Err(why) => {
                    result = Err(why);
                    break;
                }
            }
        }
        #[cfg(test)]
        {
            shape.watched.known += 1;
        }
        if result.is_ok() {
            edit.tally.deliver(shape.delivered);
        }
        if shape.carries && result.is_ok() {
            let sites: Vec<Edited> = shape
                .holes
                .iter()
                .map(|hole| Edited { site: hole.site, from: hole.from, to: hole.to })
                .collect();
            result = self.carry(document, &sites, edit.masks);
        }
        self.shape = shape;
        result
    }

    /// Edits a value that is no piece of a text. False: it stays, and is not written.
    pub(super) fn value(&mut self, site: Site, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> bool {
        let spares = &mut self.spares;
        match (site, self.thinking) {
            (Site::Number, _) => spares.edit_number(raw, edit),
            (Site::Label { .. }, _) | (Site::Thinking, Thinking::Exempt) => spares.edit_label(raw, edit),
            (Site::Text | Site::Key, _) | (Site::Thinking, Thinking::Mask) => spares.edit_text(raw, edit),
            (Site::Nested, _) => spares.edit_nested(raw, edit),
            (Site::Thinking, Thinking::Drop) => raw.drop(edit.out),
            (Site::Drop(with), _) => raw.instead(with.as_bytes(), edit.out),
            (Site::Offset { offset, at }, _) => {
                let key = self.key(Which::Text(offset.field), self.notes.indexes(&at));
                self.offset(key, offset, raw, edit.out)
            }
            (Site::Signature { at }, thinking) => {
                let [first, ..] = self.notes.indexes(&at);
                if thinking == Thinking::Drop || self.changed.contains(&first) {
                    return raw.drop(edit.out);
                }
                self.spares.edit_label(raw, edit)
            }
            (Site::Sequence, _) => self.count.write(raw, edit.out),
            (Site::Count(_) | Site::Piece { .. }, _) => false,
        }
    }

    /// A piece of a text of the stream, in the same way.
    fn piece(
        &mut self,
        key: Key,
        which: Which,
        raw: Raw<'_>,
        until: Until,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        if !is_thinking(which) {
            return self.push(key, which, raw, until, edit);
        }
        if self.thinking == Thinking::Drop {
            return Ok(raw.drop(edit.out));
        }
        let count = edit.tally.count();
        let result = self.push(key, which, raw, until, edit);
        let [first, ..] = key.at;
        if edit.tally.count() != count && !self.changed.contains(&first) && self.changed.len() < MAX_ENDS {
            self.changed.push(first);
        }
        result
    }

    fn push(
        &mut self,
        key: Key,
        which: Which,
        raw: Raw<'_>,
        until: Until,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        if edit.masks.finds_nothing() {
            edit.tally.deliver(raw.bytes.len());
            return Ok(false);
        }
        let masked = match which {
            Which::Path(_) if self.repeats(key, raw.bytes) => self.alone(raw, edit),
            _ => None,
        };
        let Some(masked) = masked else { return self.follow(key, which, raw, until, edit) };
        let piece = Raw { before: raw.before, bytes: &masked, plain: false };
        Ok(self.follow(key, which, piece, until, edit)? || raw.instead(&masked, edit.out))
    }

    /// Whether a piece of a text that nobody knows says what the one before it did: it may be a label that each event
    /// has, and of labels read as one text the values would be none.
    fn repeats(&mut self, key: Key, bytes: &[u8]) -> bool {
        let Some(channel) = self.channels.iter_mut().find(|channel| channel.key == key) else { return false };
        let same = channel.label == label(bytes);
        if !same {
            channel.label.clear();
            channel.label.extend_from_slice(label(bytes));
        }
        same && !channel.label.is_empty()
    }

    /// What such a piece is when it is masked by itself; `None`: the same.
    fn alone(&mut self, raw: Raw<'_>, edit: &mut Edit<'_, M>) -> Option<Vec<u8>> {
        let (mut out, mut aside) = (Vec::new(), Tally::default());
        let mut apart = Edit::new(edit.masks, &mut out, &mut aside);
        let written = self.spares.edit_text(Raw::alone(raw.bytes), &mut apart);
        edit.tally.add_found(&aside);
        (written && out != raw.bytes).then_some(out)
    }

    /// Reads on in the text that a piece is of.
    fn follow(
        &mut self,
        key: Key,
        which: Which,
        raw: Raw<'_>,
        until: Until,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        let open = self.channels.iter().position(|channel| channel.key == key);
        let at = match open {
            Some(at) => at,
            None if raw.bytes.is_empty() => return Ok(false),
            None => match self.open(key, which, raw, edit.masks)? {
                Some(at) => at,
                None => return Ok(false),
            },
        };
        let Some(channel) = self.channels.get_mut(at) else { return Ok(false) };
        if channel.own != self.own {
            channel.own.clone_from(&self.own);
        }
        if let (Carrier::Field(field), Which::Text(last) | Which::Json(last)) = (&mut channel.carrier, which)
        {
            *field = last;
        }
        let written = channel.edit(raw, until, edit)?;
        if until != Until::More {
            let channel = self.channels.swap_remove(at);
            self.leave(channel);
        }
        Ok(written)
    }

    /// Opens a text with its first piece, or one that was finished with the piece that goes on; says where it is. `None`:
    /// nothing of it is looked for.
    fn open(&mut self, key: Key, which: Which, raw: Raw<'_>, masks: &M) -> Result<Option<usize>, Unreadable> {
        let at = self.channels.len();
        if at >= MAX_TEXTS {
            return Err(Unreadable::TooManyTexts { limit: MAX_TEXTS });
        }
        let finished = self.finished.iter().position(|channel| channel.key == key);
        if let Some(finished) = finished.filter(|_| !self.all_ended) {
            let mut channel = self.finished.swap_remove(finished);
            channel.resume();
            self.channels.push(channel);
            self.spans.retain(|(over, _)| *over != key);
            return Ok(Some(at));
        }
        if self.all_ended || self.ended.iter().any(|pattern| agrees(pattern, &key.at)) {
            return Err(Unreadable::TextAfterEnd);
        }
        let exempt = self.thinking == Thinking::Exempt && is_thinking(which);
        let mask = if exempt { masks.begin_label() } else { Some(masks.begin()) };
        let Some(mask) = mask else { return Ok(None) };
        let (lane, carrier) = match which {
            Which::Json(field) => (Lane::Json(Nested::new(mask)), Carrier::of(field)),
            Which::Text(field) => (Lane::Text(Text::new(mask).tracked()), Carrier::of(field)),
            Which::Path(_) => (Lane::Text(Text::new(mask)), Carrier::none()),
        };
        let mut channel = Channel::new(key, lane, carrier);
        if let Which::Path(_) = which {
            channel.label = label(raw.bytes).to_vec();
        }
        self.channels.push(channel);
        Ok(Some(at))
    }

    /// Writes an offset into a text as the text went out.
    fn offset(&self, key: Key, offset: &Offset, raw: Raw<'_>, out: &mut Vec<u8>) -> bool {
        let open = self.channels.iter().find(|channel| channel.key == key);
        let open = open.and_then(Channel::spans);
        let over = || self.spans.iter().find(|(over, _)| *over == key).map(|(_, spans)| spans);
        let (Some(spans), Some(number)) = (open.or_else(over), parsed(raw.bytes)) else { return false };
        match spans.map(number, offset.end, offset.unit) {
            Some(same) if same == number => false,
            moved => raw.instead(moved.unwrap_or_default().to_string().as_bytes(), out),
        }
    }

    /// Remembers what ended with the event read last.
    fn note_ends(&mut self, last: bool) -> Result<(), Unreadable> {
        self.all_ended |= last;
        for new in self.closed.iter().chain(&self.notes.ends) {
            let covers = |known: &Pattern| known.iter().zip(new).all(|(a, b)| a.is_none() || a == b);
            if self.ended.iter().any(covers) {
                continue;
            }
            if self.ended.len() >= MAX_ENDS {
                return Err(Unreadable::TooManyTexts { limit: MAX_ENDS });
            }
            self.ended.push(*new);
        }
        self.closed.clear();
        Ok(())
    }
}
