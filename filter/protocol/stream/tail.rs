//! Events of our own, for what is left of a text when it ends.

use crate::mask::text::Masks;
use crate::protocol::Unreadable;
use crate::protocol::json::spares::Spares;
use crate::protocol::json::table::{Field, Part};
use crate::protocol::json::{Edit, Raw, Tally};

use super::channel::{Channel, Until};
use super::notes::{Edited, Site};
use super::{Frames, NO_INDEX, Stream};

/// The identifying values of a stream, in the order of [`super::notes::Notes::envelope`].
const ENVELOPE: [&str; 4] = ["id", "object", "created", "model"];

/// Longest event that is kept to carry the tail of a text which the table does not know, without its texts.
const MAX_KEPT: usize = 1 << 16;

/// What a tail's event is made from.
pub(super) enum Carrier {
    /// As the table says.
    Field(&'static Field),
    /// As the event that carried the text last, without its texts.
    Event(Kept),
}

impl Carrier {
    pub(super) fn of(field: &'static Field) -> Self {
        if field.event.is_empty() { Self::none() } else { Self::Field(field) }
    }

    pub(super) fn none() -> Self {
        Self::Event(Kept::default())
    }
}

/// An event without its texts.
#[derive(Debug, Default)]
pub(super) struct Kept {
    name: Vec<u8>,
    document: Vec<u8>,
    /// Where the text stood, and the event's number.
    text: usize,
    sequence: Option<usize>,
}

impl<M: Masks> Stream<M> {
    /// Ends a text; if something was held of it, writes it in an event of its own.
    pub(super) fn tail(
        &mut self,
        mut channel: Channel<M::Text>,
        until: Until,
        frames: &mut dyn Frames,
        edit: &mut Edit<'_, M>,
    ) -> Result<(), Unreadable> {
        let mut tail = Vec::new();
        channel.edit(Raw::alone(&[]), until, &mut Edit::new(edit.masks, &mut tail, edit.tally))?;
        if !tail.is_empty() {
            self.carried(&channel, tail, frames, edit);
        }
        self.leave(channel);
        Ok(())
    }

    /// Writes the event of a tail.
    fn carried(
        &mut self,
        channel: &Channel<M::Text>,
        tail: Vec<u8>,
        frames: &mut dyn Frames,
        edit: &mut Edit<'_, M>,
    ) {
        match &channel.carrier {
            Carrier::Field(field) => {
                let document = self.document(field, channel, &tail, edit);
                frames.event(field.name.as_bytes(), &document, edit.out);
            }
            Carrier::Event(kept) => {
                let mut document = kept.document.clone();
                document.splice(kept.text..kept.text, tail);
                if let Some(at) = kept.sequence {
                    let number = self.count.next().to_string();
                    let shift =
                        if at > kept.text { document.len().saturating_sub(kept.document.len()) } else { 0 };
                    let at = at.saturating_add(shift);
                    document.splice(at..at, number.into_bytes());
                }
                frames.event(&kept.name, &document, edit.out);
            }
        }
    }

    fn document(
        &mut self,
        field: &Field,
        channel: &Channel<M::Text>,
        tail: &[u8],
        edit: &mut Edit<'_, M>,
    ) -> Vec<u8> {
        let mut document = b"{".to_vec();
        let index = |axis: usize| channel.key.at.get(axis).copied().filter(|index| *index != NO_INDEX);
        for part in field.event {
            match part {
                Part::Literal(literal) => document.extend_from_slice(literal.as_bytes()),
                Part::Text => document.extend_from_slice(tail),
                Part::Index(axis) => {
                    document.extend_from_slice(index(*axis).unwrap_or_default().to_string().as_bytes());
                }
                Part::If(axis, literal) if index(*axis).is_some() => {
                    document.extend_from_slice(literal.as_bytes());
                }
                Part::Indexed(axis, before, after) if let Some(index) = index(*axis) => {
                    let parts = [before.as_bytes(), index.to_string().as_bytes(), after.as_bytes()].concat();
                    document.extend_from_slice(&parts);
                }
                Part::If(..) | Part::Indexed(..) => {}
                Part::Sequence => document.extend_from_slice(self.count.next().to_string().as_bytes()),
                Part::Own if channel.own.is_empty() => document.extend_from_slice(b"\"\""),
                Part::Own => {
                    label(
                        &mut self.spares,
                        &channel.own,
                        &mut Edit::new(edit.masks, &mut document, edit.tally),
                    );
                }
                Part::Envelope => self.envelope(&mut Edit::new(edit.masks, &mut document, edit.tally)),
            }
        }
        document.push(b'}');
        document
    }

    pub(super) fn envelope(&mut self, edit: &mut Edit<'_, M>) {
        let Self { envelope, spares, .. } = self;
        for (key, value) in ENVELOPE.iter().zip(&*envelope).filter(|(_, value)| !value.is_empty()) {
            for part in [b"\"", key.as_bytes(), b"\":"] {
                edit.out.extend_from_slice(part);
            }
            label(spares, value, edit);
            edit.out.push(b',');
        }
    }

    /// Keeps the event for those of its texts that the table does not know and of which something is held.
    pub(super) fn carry(&mut self, data: &[u8], sites: &[Edited], masks: &M) -> Result<(), Unreadable> {
        for (position, site) in sites.iter().enumerate() {
            let Site::Piece { which, .. } = site.site else { continue };
            if !which.is_carried() {
                continue;
            }
            let key = self.site_key(site);
            let open = self.channels.iter().position(|channel| Some(channel.key) == key);
            let Some(open) = open.filter(|at| self.channels.get(*at).is_some_and(|c| c.held() > 0)) else {
                continue;
            };
            let kept = self.strip(data, sites, position, masks)?;
            if let Some(channel) = self.channels.get_mut(open) {
                channel.carrier = Carrier::Event(kept);
            }
        }
        Ok(())
    }

    /// The event without its texts.
    fn strip(
        &mut self,
        data: &[u8],
        sites: &[Edited],
        position: usize,
        masks: &M,
    ) -> Result<Kept, Unreadable> {
        let mut kept = Kept { name: self.name.clone(), ..Kept::default() };
        let (mut document, mut given, mut tally) = (Vec::new(), 0usize, Tally::default());
        for (at, site) in sites.iter().enumerate() {
            document.extend_from_slice(data.get(given..site.from).unwrap_or_default());
            given = site.to;
            let raw = data.get(site.from..site.to).unwrap_or_default();
            let mut edit = Edit::new(masks, &mut document, &mut tally);
            match site.site {
                Site::Sequence => kept.sequence = Some(document.len()),
                Site::Piece { .. } if at == position => kept.text = document.len(),
                Site::Piece { .. } | Site::Text | Site::Nested | Site::Thinking | Site::Signature { .. } => {}
                Site::Offset { .. } | Site::Count(_) => document.extend_from_slice(raw),
                Site::Number | Site::Label { .. } | Site::Key | Site::Drop(_) => {
                    if !self.value(site.site, Raw::alone(raw), &mut edit) {
                        document.extend_from_slice(raw);
                    }
                }
            }
            if document.len() > MAX_KEPT {
                return Err(Unreadable::EventTooLong { limit: MAX_KEPT });
            }
        }
        document.extend_from_slice(data.get(given..).unwrap_or_default());
        if document.len() > MAX_KEPT {
            return Err(Unreadable::EventTooLong { limit: MAX_KEPT });
        }
        kept.document = document;
        Ok(kept)
    }
}

/// Writes a whole label.
fn label<M: Masks>(spares: &mut Spares<M>, raw: &[u8], edit: &mut Edit<'_, M>) {
    if !spares.edit_label(Raw::alone(raw), edit) {
        edit.out.extend_from_slice(raw);
    }
}
