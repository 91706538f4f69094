//! Bounds on what a request asks, put into it in place. Bytes outside of what is changed are the bytes that came.
//!
//! What a request gives beyond a bound is put down to it, wherever its API has a field for that. What it does not give in
//! a field that its model reads is set: the provider's own bound may be none, and a small number in a field that the
//! model passes over bounds nothing. A field that is `null` is one that is not given.

use std::ops::Range;

use super::reader::Event;
use super::strings;
use super::table::{Bound, Fact, Mark, OnFlag, OnNumber, Place, Request};
use super::{RequestError, RequestView};
use crate::protocol::patch::Patch;

/// What a policy bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Most tokens of an answer.
    pub max_output_tokens: Option<u64>,
    /// Whether the provider must keep nothing of the exchange for later.
    pub forget: bool,
    /// Whether a stream must report its usage.
    pub report_usage: bool,
}

/// What stands in `changed` where a stream is asked to report its usage.
pub const REPORTS: &str = "stream_options";

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
    /// What was changed: `max_output_tokens`, `store`, `stream_options`.
    pub changed: Vec<&'static str>,
}

/// Puts a body within bounds of which [`RequestView::read`] gave this view; `None`: it is.
///
/// # Errors
/// [`RequestError::Schema`]: nobody knows what bounds the answers of its model.
pub fn bound(
    request: &Request,
    view: &RequestView,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Option<Bounded>, RequestError> {
    let mut edits = Edits { patch: Patch::new(body), root: Vec::new() };
    let mut changed = Vec::new();
    for one in view.requests() {
        let mut note = |what| {
            if !changed.contains(&what) {
                changed.push(what);
            }
        };
        if let Some(most) = bounds.max_output_tokens
            && clamp(request, one, most, &mut edits)?
        {
            note("max_output_tokens");
        }
        if bounds.forget && forget(request, &one.places, &mut edits) {
            note("store");
        }
        if bounds.report_usage && request.tells_if_asked && report(one, &mut edits) {
            note(REPORTS);
        }
        let object = one.places.object.unwrap_or_else(|| strings::spaces(body, 0));
        if !edits.patch.enter(object, &std::mem::take(&mut edits.root)) {
            return Err(RequestError::Schema { path: "the body".to_owned(), reason: "expected an object" });
        }
    }
    Ok((!changed.is_empty()).then(|| Bounded { body: edits.patch.apply(), changed }))
}

struct Edits<'b> {
    patch: Patch<'b>,
    /// Fields of the request's own object.
    root: Vec<String>,
}

/// Puts down what is beyond the bound, and sets what is not given. Says whether something changes.
fn clamp(
    request: &Request,
    view: &RequestView,
    most: u64,
    edits: &mut Edits<'_>,
) -> Result<bool, RequestError> {
    let places = &view.places;
    let Some(bound) = request.bound_of(&view.model) else {
        let reason = "nobody knows what bounds the answers of this model";
        return Err(RequestError::Schema { path: "the body".to_owned(), reason });
    };
    let mut beyond = false;
    for limit in places.limits.iter().filter(|limit| limit.value.is_none_or(|given| given > most)) {
        edits.patch.put(limit.at.clone(), most.to_string());
        beyond = true;
    }
    let Some((field, outer)) = bound.keys.split_last() else { return Ok(beyond) };
    if places.is_given(bound) {
        return Ok(beyond);
    }
    set(places, outer.first().copied(), field, most, edits);
    Ok(true)
}

/// Sets a field that is not given, in the document or in an object of it.
fn set(places: &Places, outer: Option<&'static str>, field: &str, most: u64, edits: &mut Edits<'_>) {
    let pair = format!("\"{field}\":{most}");
    let null = |name: &str| places.nulls.iter().find(|null| null.field == name).map(|null| null.at.clone());
    if let Some(at) = null(field) {
        return edits.patch.put(at, most.to_string());
    }
    let Some(outer) = outer else { return edits.root.push(pair) };
    if let Some(config) = places.configs.iter().find(|config| config.field == outer)
        && edits.patch.enter(config.at.start, std::slice::from_ref(&pair))
    {
        return;
    }
    match null(outer) {
        Some(at) => edits.patch.put(at, format!("{{{pair}}}")),
        None => edits.root.push(format!("\"{outer}\":{{{pair}}}")),
    }
}

/// Asks a stream for its usage. Says whether something changes.
fn report(view: &RequestView, edits: &mut Edits<'_>) -> bool {
    const OUTER: &str = "stream_options";
    const PAIR: &str = "\"include_usage\":true";
    if !view.stream || view.include_usage {
        return false;
    }
    let places = &view.places;
    if let Some(at) = &places.usage {
        edits.patch.put(at.clone(), "true");
        return true;
    }
    if let Some(options) = places.configs.iter().find(|config| config.field == OUTER) {
        // What is no object the provider refuses.
        return edits.patch.enter(options.at.start, &[PAIR.to_owned()]);
    }
    match places.nulls.iter().find(|null| null.field == OUTER) {
        Some(null) => edits.patch.put(null.at.clone(), format!("{{{PAIR}}}")),
        None => edits.root.push(format!("\"{OUTER}\":{{{PAIR}}}")),
    }
    true
}

/// Says that nothing is to be kept. Says whether something changes.
fn forget(request: &Request, places: &Places, edits: &mut Edits<'_>) -> bool {
    match &places.store {
        Some(Spot { value: Some(false), .. }) => false,
        Some(Spot { value: None, .. }) | None if !request.kept => false,
        Some(Spot { at, .. }) => {
            edits.patch.put(at.clone(), "false");
            true
        }
        None => {
            edits.root.push("\"store\":false".to_owned());
            true
        }
    }
}

impl Request {
    /// Whether the answers of a model are texts of a length that is not known beforehand.
    pub fn generates(&self, model: &str) -> bool {
        self.bound_of(model).is_none_or(|bound| !bound.keys.is_empty())
    }

    /// The caller's own bound on one answer; `None`: there is none that holds, and what a policy sets is the only one.
    ///
    /// It holds where it stands in a field that the model reads. Of several the largest counts: a server may read those
    /// that others of its API pass over, and go by them.
    pub fn given(&self, view: &RequestView) -> Option<u64> {
        let places = &view.places;
        let read = self.bound_of(&view.model).is_some_and(|bound| places.is_given(bound));
        let most = places.limits.iter().map(|limit| limit.value).reduce(|one, other| Some(one?.max(other?)));
        most.flatten().filter(|_| read)
    }

    /// What bounds the answers of a model; `None`: nobody knows.
    fn bound_of(&self, model: &str) -> Option<&'static Bound> {
        self.bounded.iter().find(|bound| bound.fits(model))
    }
}

impl Bound {
    /// Whether it is of this model.
    fn fits(&self, model: &str) -> bool {
        match self.models.strip_prefix('^') {
            Some(start) => model.starts_with(start),
            None => model.contains(self.models),
        }
    }

    /// Whether its models read a field of this name.
    fn reads(&self, field: &str) -> bool {
        self.keys.last() == Some(&field) || self.also.contains(&field)
    }
}

/// A field, where its value stands, and what that is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot<T> {
    field: &'static str,
    at: Range<usize>,
    value: T,
}

/// Where in a body stands what may be bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Where the request's own object begins; `None`: with the body.
    object: Option<usize>,
    /// Bounds on the answer; `None`: one that takes the bound away.
    limits: Vec<Spot<Option<u64>>>,
    /// Objects in which bounds stand.
    configs: Vec<Spot<()>>,
    /// Fields of either kind that are `null`.
    nulls: Vec<Spot<()>>,
    /// Whether the exchange is to be kept; `None`: `null`.
    store: Option<Spot<Option<bool>>>,
    /// Where the request says that a stream is not to report its usage, or `null`.
    usage: Option<Range<usize>>,
}

impl Places {
    /// The request's own object begins here.
    pub(super) fn begin(&mut self, object: usize) {
        self.object = Some(object);
    }

    /// Whether there is a bound where the model looks, or one that is taken away there.
    fn is_given(&self, bound: &Bound) -> bool {
        self.limits.iter().any(|limit| bound.reads(limit.field))
    }

    /// Takes down what was met.
    pub(super) fn met(&mut self, event: &Event<'_>, at: &Range<usize>) {
        let at = at.clone();
        match *event {
            Event::Counted(fact, field, value) if fact.bounds_answer() => {
                self.limits.push(Spot { field, at, value });
            }
            Event::Config(field) => self.configs.push(Spot { field, at, value: () }),
            Event::Flagged(Fact::Store, value) => {
                self.store = Some(Spot { field: "store", at, value: Some(value) });
            }
            Event::Flagged(Fact::IncludeUsage, false)
            | Event::Null(Place { flag: OnFlag::Read(Fact::IncludeUsage), .. }, _) => self.usage = Some(at),
            Event::Null(Place { flag: OnFlag::Read(Fact::Store), .. }, field) => {
                self.store = Some(Spot { field, at, value: None });
            }
            Event::Null(Place { mark: Some(Mark::Config), .. }, field) => {
                self.nulls.push(Spot { field, at, value: () });
            }
            Event::Null(Place { number: OnNumber::Read(fact), .. }, field) if fact.bounds_answer() => {
                self.nulls.push(Spot { field, at, value: () });
            }
            _ => {}
        }
    }
}
