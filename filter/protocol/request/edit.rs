//! Changing what a request asks, in place. Bytes outside of what is changed are the bytes that came.

use std::ops::Range;

use crate::mask::text::{Entity, Masks};
use crate::protocol::json::nested::Nested;
use crate::protocol::json::text::{End, Text};
use crate::protocol::json::{Edit, Tally, number};

use super::RequestError;
use super::reader::{Event, Visit, read};
use super::table::Request;

/// A request's body after its prompt was masked.
#[derive(Debug)]
pub struct MaskedPrompt {
    /// The body that goes upstream.
    pub body: Vec<u8>,
    /// Values by entity.
    pub found: Vec<(Entity, u64)>,
    /// The first value with which the request must not go on.
    pub blocked: Option<Entity>,
}

/// Masks the texts of a body that [`super::RequestView::read`] has read: each of those that it has read.
///
/// # Errors
/// [`RequestError`], where the view would have given it.
pub fn mask_prompt<M: Masks>(
    request: &Request,
    model: &str,
    body: &[u8],
    masks: &M,
) -> Result<MaskedPrompt, RequestError> {
    let (mut out, mut tally) = (Vec::with_capacity(body.len().saturating_add(64)), Tally::default());
    let mut writer = Writer { body, given: 0, edit: Edit { masks, out: &mut out, tally: &mut tally } };
    read(request, model, body, &mut writer)?;
    writer.pass(body.len());
    let (found, blocked) = (tally.found().to_vec(), tally.blocked());
    Ok(MaskedPrompt { body: out, found, blocked })
}

struct Writer<'a, M> {
    body: &'a [u8],
    /// Up to here everything has been written.
    given: usize,
    edit: Edit<'a, M>,
}

impl<M> Writer<'_, M> {
    fn pass(&mut self, to: usize) {
        self.edit.out.extend_from_slice(self.body.get(self.given..to).unwrap_or_default());
        self.given = to;
    }
}

impl<M: Masks> Visit for Writer<'_, M> {
    fn met(&mut self, event: Event<'_>, at: Range<usize>) {
        if !matches!(event, Event::Text(..) | Event::Json(..) | Event::Number(..)) {
            return;
        }
        self.pass(at.start);
        self.given = at.end;
        match event {
            Event::Text(_, text) => {
                Text::new(self.edit.masks.begin()).push(text.text.as_bytes(), End::Text, &mut self.edit);
            }
            Event::Json(_, text) => {
                Nested::new(self.edit.masks.begin()).push(text.text.as_bytes(), End::Text, &mut self.edit);
            }
            Event::Number(_, raw) => number(raw.as_bytes(), &mut self.edit),
            _ => {}
        }
    }
}
