//! Changing what a request asks, in place. Bytes outside of what is changed are the bytes that came.

use std::ops::Range;

use crate::mask::text::{Entity, Masks};
use crate::protocol::json::spares::Spares;
use crate::protocol::json::{Edit, Raw, Tally};

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
    let edit = Edit { masks, out: &mut out, tally: &mut tally };
    let mut writer = Writer { body, given: 0, edit, spares: Spares::default() };
    read(request, model, body, &mut writer)?;
    let given = writer.given;
    out.extend_from_slice(body.get(given..).unwrap_or_default());
    let (found, blocked) = (tally.found().to_vec(), tally.blocked());
    Ok(MaskedPrompt { body: out, found, blocked })
}

struct Writer<'a, M: Masks> {
    body: &'a [u8],
    /// Up to here everything has been written.
    given: usize,
    edit: Edit<'a, M>,
    spares: Spares<M>,
}

impl<M: Masks> Visit for Writer<'_, M> {
    fn met(&mut self, event: Event<'_>, at: Range<usize>) {
        let Self { body, given, edit, spares } = self;
        let before = body.get(*given..at.start).unwrap_or_default();
        let raw = |text| Raw { before, bytes: text, plain: false };
        let taken = match event {
            Event::Text(_, text) => spares.edit_text(raw(text.text.as_bytes()), edit),
            Event::Json(_, text) => spares.edit_nested(raw(text.text.as_bytes()), edit),
            Event::Number(_, number) => spares.edit_number(raw(number.as_bytes()), edit),
            _ => false,
        };
        if taken {
            *given = at.end;
        }
    }
}
