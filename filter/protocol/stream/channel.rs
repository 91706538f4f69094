//! One text of the stream, and its end.
//!
//! What is held of a text goes out with its end: with the end of its block, of the stream, or with a reason to stop. Some
//! servers (early Gemini models) give such a reason with every event, and go on. So a text that is finished is kept as it
//! was before, should it go on: what it then writes must begin with what is out already ([`Channel::given`]), which is
//! left out. Where it does not, a value reaches over the place and part of it is out: nothing more may follow.

use crate::mask::text::{Masks, TextMask};
use crate::protocol::Unreadable;
use crate::protocol::json::nested::Nested;
use crate::protocol::json::spans::Spans;
use crate::protocol::json::text::{End, Text};
use crate::protocol::json::{Edit, Raw, Tally};

use super::Key;
use super::tail::Carrier;

/// How far a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// It goes on.
    More,
    /// There is a reason to stop: that is its end, as far as anyone knows.
    Finish,
    End,
}

/// How a text of the stream is masked.
pub(super) enum Lane<T> {
    Text(Text<T>),
    Json(Nested<T>),
}

impl<T: TextMask> Lane<T> {
    /// False: the piece stays, and is not written.
    fn edit<M: Masks<Text = T>>(&mut self, raw: Raw<'_>, end: End, edit: &mut Edit<'_, M>) -> bool {
        match self {
            Self::Text(text) => text.edit(raw, end, edit),
            Self::Json(nested) => {
                edit.out.extend_from_slice(raw.before);
                nested.push(raw.bytes, end, edit);
                true
            }
        }
    }

    /// The same text once more, at the same place.
    fn again(&self) -> Option<Self> {
        match self {
            Self::Text(text) => text.again().map(Self::Text),
            // Half a document within a document, and then the rest of it, is no document to anyone.
            Self::Json(_) => None,
        }
    }
}

pub(super) struct Channel<T> {
    pub(super) key: Key,
    /// What a tail's event is made from.
    pub(super) carrier: Carrier,
    /// The value read as the text's own, as written.
    pub(super) own: Vec<u8>,
    lane: Lane<T>,
    /// Of a text that nobody knows, its last piece as it came.
    pub(super) label: Vec<u8>,
    /// Of one that is finished, how it would go on.
    later: Option<Lane<T>>,
    /// What is out already of what it writes next, and what was counted of it.
    given: Vec<u8>,
    counted: Tally,
}

impl<T: TextMask> Channel<T> {
    pub(super) fn new(key: Key, lane: Lane<T>, carrier: Carrier) -> Self {
        let (own, label, given) = Default::default();
        Self { key, carrier, own, lane, label, later: None, given, counted: Tally::default() }
    }

    /// Raw bytes held.
    pub(super) fn held(&self) -> usize {
        match &self.lane {
            Lane::Text(text) => text.held(),
            Lane::Json(nested) => nested.held(),
        }
    }

    pub(super) fn spans(&self) -> Option<&Spans> {
        match &self.lane {
            Lane::Text(text) => text.spans(),
            Lane::Json(_) => None,
        }
    }

    /// Whether it may go on, now that it is finished.
    pub(super) fn goes_on(&self) -> bool {
        self.later.is_some()
    }

    /// Goes on.
    pub(super) fn resume(&mut self) {
        if let Some(later) = self.later.take() {
            self.lane = later;
        }
    }

    /// Writes the next piece. False: it stays, and is not written.
    pub(super) fn edit<M: Masks<Text = T>>(
        &mut self,
        raw: Raw<'_>,
        until: Until,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        let end = match until {
            Until::Finish => return self.finish(raw, edit),
            Until::More => End::String,
            Until::End => End::Text,
        };
        if self.given.is_empty() {
            return Ok(self.lane.edit(raw, end, edit));
        }
        let written = self.rest(raw, end, edit)?;
        // The whole may be shorter than what is out.
        if until == Until::End {
            self.all_given()?
        }
        Ok(written)
    }

    /// Writes the next piece, but for what is out already.
    fn rest<M: Masks<Text = T>>(
        &mut self,
        raw: Raw<'_>,
        end: End,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let piece = Raw { before: &[], ..raw };
        if !self.lane.edit(piece, end, &mut Edit::new(edit.masks, &mut out, &mut tally)) {
            out.extend_from_slice(raw.bytes);
        }
        self.count(tally, edit);
        let new = unseen(&mut self.given, &out)?;
        Ok(raw.instead(new, edit.out))
    }

    /// Writes the last piece, and keeps the text as it would go on.
    fn finish<M: Masks<Text = T>>(
        &mut self,
        raw: Raw<'_>,
        edit: &mut Edit<'_, M>,
    ) -> Result<bool, Unreadable> {
        let written = self.edit(raw, Until::More, edit)?;
        self.later = self.lane.again();
        let (mut tail, mut counted) = (Vec::new(), Tally::default());
        let nothing = Raw::alone(&[]);
        self.lane.edit(nothing, End::Text, &mut Edit::new(edit.masks, &mut tail, &mut counted));
        self.count(counted.clone(), edit);
        let new = unseen(&mut self.given, &tail)?.len();
        self.all_given()?;
        if new > 0 && !written {
            edit.out.extend_from_slice(raw.before);
            edit.out.extend_from_slice(raw.bytes);
        }
        edit.out.extend_from_slice(tail.get(tail.len().saturating_sub(new)..).unwrap_or_default());
        (self.given, self.counted) = (tail, counted);
        Ok(written || new > 0)
    }

    /// Counts what was not counted when it went out.
    fn count<M: Masks<Text = T>>(&mut self, mut tally: Tally, edit: &mut Edit<'_, M>) {
        tally.offset(&mut self.counted);
        edit.tally.add(&tally);
    }

    /// Refuses a text that is over before all that is out of it has been written once more.
    fn all_given(&self) -> Result<(), Unreadable> {
        if self.given.is_empty() { Ok(()) } else { Err(Unreadable::TextAfterEnd) }
    }
}

/// What of `out` is not out yet.
fn unseen<'o>(given: &mut Vec<u8>, out: &'o [u8]) -> Result<&'o [u8], Unreadable> {
    let (same, new) = out.split_at_checked(given.len()).unwrap_or((out, &[]));
    if !given.starts_with(same) {
        return Err(Unreadable::TextAfterEnd);
    }
    given.drain(..same.len());
    Ok(new)
}
