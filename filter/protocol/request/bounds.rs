//! Bounds on what a request asks, put into it in place. Bytes outside of what is changed are the bytes that came.
//!
//! What a request gives beyond a bound is put down to it, wherever its API has a field for that; what it does not give is
//! set, for the provider's own bound may be none. A field that is `null` is one that is not given.

use std::ops::Range;

use super::RequestError;
use super::reader::{Event, Visit, read};
use super::strings;
use super::table::{Fact, Mark, OnFlag, OnNumber, Place, Request};

/// What a policy bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Most tokens of an answer.
    pub max_output_tokens: Option<u64>,
    /// Whether the provider must keep nothing of the exchange for later.
    pub forget: bool,
}

impl Bounds {
    /// Whether nothing is bounded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A request's body within its bounds.
#[derive(Debug, PartialEq, Eq)]
pub struct Bounded {
    /// The body that goes upstream.
    pub body: Vec<u8>,
    /// What was changed: `max_output_tokens`, `store`.
    pub changed: Vec<&'static str>,
}

/// Puts a body that [`super::RequestView::read`] has read within bounds; `None`: it is.
///
/// # Errors
/// [`RequestError`], where the view would have given it, and of a model of which nobody knows what bounds its answers.
pub fn bound(
    request: &Request,
    model: &str,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Option<Bounded>, RequestError> {
    let mut met = Met::default();
    read(request, model, body, &mut met)?;
    let mut edits = Edits { body, all: Vec::new(), root: Vec::new() };
    let mut changed = Vec::new();
    if let Some(most) = bounds.max_output_tokens
        && clamp(request, model, &met, most, &mut edits)?
    {
        changed.push("max_output_tokens");
    }
    if bounds.forget && forget(request, &met, &mut edits) {
        changed.push("store");
    }
    Ok((!changed.is_empty()).then(|| Bounded { body: edits.apply(), changed }))
}

/// Puts down what is beyond the bound, and sets what is not given. Says whether something changes.
fn clamp(
    request: &Request,
    model: &str,
    met: &Met,
    most: u64,
    edits: &mut Edits<'_>,
) -> Result<bool, RequestError> {
    if !met.limits.is_empty() {
        let beyond = met.limits.iter().filter(|(_, given)| given.is_none_or(|given| given > most));
        let before = edits.all.len();
        beyond.for_each(|(at, _)| edits.all.push((at.clone(), most.to_string())));
        return Ok(edits.all.len() > before);
    }
    let model = if request.path_model { model } else { &met.model };
    let row = request.bounded.iter().find(|(part, _)| match part.strip_prefix('^') {
        Some(start) => model.starts_with(start),
        None => model.contains(part),
    });
    let Some((_, keys)) = row else {
        let reason = "nobody knows what bounds the answers of this model";
        return Err(RequestError::Schema { path: "the body".to_owned(), reason });
    };
    let (Some((last, outer)), null) = (keys.split_last(), met.null_limit.clone()) else { return Ok(false) };
    match (null, outer.first(), met.config, met.null_config.clone()) {
        (Some(null), ..) => edits.all.push((null, most.to_string())),
        (None, None, ..) => edits.root.push(format!("\"{last}\":{most}")),
        (None, Some(_), Some(config), _) => edits.enter(config, format!("\"{last}\":{most}")),
        (None, Some(_), None, Some(null)) => edits.all.push((null, format!("{{\"{last}\":{most}}}"))),
        (None, Some(outer), None, None) => edits.root.push(format!("\"{outer}\":{{\"{last}\":{most}}}")),
    }
    Ok(true)
}

/// Says that nothing is to be kept. Says whether something changes.
fn forget(request: &Request, met: &Met, edits: &mut Edits<'_>) -> bool {
    let kept = || request.kept.then(|| "false".to_owned());
    match &met.store {
        Some((_, Some(false))) => false,
        Some((at, Some(true))) => {
            edits.all.push((at.clone(), "false".to_owned()));
            true
        }
        Some((at, None)) => kept().map(|no| edits.all.push((at.clone(), no))).is_some(),
        None => kept().map(|no| edits.root.push(format!("\"store\":{no}"))).is_some(),
    }
}

/// What stands in a body of what may be bounded.
#[derive(Default)]
struct Met {
    model: String,
    /// Bounds on the answer, and where they stand; `None`: one that takes the bound away.
    limits: Vec<(Range<usize>, Option<u64>)>,
    /// A bound that is `null`.
    null_limit: Option<Range<usize>>,
    /// Where the object begins in which bounds stand, or the `null` in its place.
    config: Option<usize>,
    null_config: Option<Range<usize>>,
    /// Whether the exchange is to be kept, and where that stands.
    store: Option<(Range<usize>, Option<bool>)>,
}

impl Visit for Met {
    fn met(&mut self, event: Event<'_>, at: Range<usize>) {
        match event {
            Event::Counted(Fact::MaxTokens | Fact::MaxTokensOrNone, given) => self.limits.push((at, given)),
            Event::Said(Fact::Model, model) => self.model = model.into_owned(),
            Event::Flagged(Fact::Store, value) => self.store = Some((at, Some(value))),
            Event::Marked(Mark::Config) => self.config = Some(at.start),
            Event::Null(Place { flag: OnFlag::Read(Fact::Store), .. }) => self.store = Some((at, None)),
            Event::Null(Place { mark: Some(Mark::Config), .. }) => self.null_config = Some(at),
            Event::Null(Place {
                number: OnNumber::Read(Fact::MaxTokens | Fact::MaxTokensOrNone), ..
            }) => {
                self.null_limit.get_or_insert(at);
            }
            _ => {}
        }
    }
}

/// What is put in the place of what.
struct Edits<'b> {
    body: &'b [u8],
    all: Vec<(Range<usize>, String)>,
    /// Fields of the document itself.
    root: Vec<String>,
}

impl Edits<'_> {
    /// Puts fields first into the object that begins at a place.
    fn enter(&mut self, object: usize, mut fields: String) {
        let inside = object.saturating_add(1);
        let next = self.body.get(strings::spaces(self.body, inside));
        if next != Some(&b'}') {
            fields.push(',');
        }
        self.all.push((inside..inside, fields));
    }

    fn apply(mut self) -> Vec<u8> {
        if !self.root.is_empty() {
            let fields = self.root.join(",");
            self.enter(strings::spaces(self.body, 0), fields);
        }
        self.all.sort_by_key(|(at, _)| at.start);
        let mut out = Vec::with_capacity(self.body.len().saturating_add(64));
        let mut given = 0;
        for (at, text) in &self.all {
            out.extend_from_slice(self.body.get(given..at.start).unwrap_or_default());
            out.extend_from_slice(text.as_bytes());
            given = at.end;
        }
        out.extend_from_slice(self.body.get(given..).unwrap_or_default());
        out
    }
}
