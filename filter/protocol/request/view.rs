//! What a request asks for, as rules judge it.

use std::cell::RefCell;
use std::ops::Range;

use crate::mask::text::{Masks, Sink, TextMask};
use crate::protocol::json::nested::Nested;
use crate::protocol::json::text::{End, Windows};
use crate::protocol::json::{Edit, Tally};

use super::RequestError;
use super::bounds::Places;
use super::reader::{Event, Visit, read};
use super::strings::Raw;
use super::table::{Fact, Mark, Request, Role};

/// A text of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Who says it.
    pub role: Role,
    /// The text, without JSON's escapes.
    pub text: String,
}

/// A request as rules see it. What an operation lacks is empty or zero.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestView {
    /// The model; empty where the request names none.
    pub model: String,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Number of messages.
    pub messages: usize,
    /// All texts that are not empty, joined by line feeds: what `prompt.text` is.
    pub text: String,
    /// Unicode scalar values of all texts.
    pub prompt_chars: u64,
    /// Names of the tools that the model may call.
    pub tools: Vec<String>,
    /// Bound on the answer in tokens, the larger where the request gives two.
    pub max_output_tokens: Option<u64>,
    /// Answers that are written: to each of several prompts as many as are asked for, or as the best are chosen of.
    pub n: u64,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Images among the prompt; a video is one too.
    pub images: u64,
    /// Pieces of audio among the prompt; a video is one too.
    pub audios: u64,
    /// Whether a stream will report its usage.
    pub include_usage: bool,
    /// Paths of what the provider keeps for others or looks up elsewhere: ids of files, answers, conversations.
    pub references: Vec<String>,
    /// Whether the request asks the provider to keep the exchange.
    pub stored: bool,
    /// Whether the answer is to be worked out later.
    pub later: bool,
    /// The requests of a batch, each as rules see it; none where the request is one by itself. What the batch's own view
    /// tells is of all of them: sums, the largest bound, every name once; no text, for texts are theirs.
    pub items: Vec<RequestView>,
    /// Where stands what may be bounded.
    pub(super) places: Places,
}

/// Most requests of a batch: each is judged by every rule while the worker does nothing else.
const MAX_ITEMS: usize = 1024;

impl RequestView {
    /// Reads the body of a request; `model` is the one that its path names, if it names one.
    ///
    /// # Errors
    /// [`RequestError`]: not strict JSON, or of a shape that is not the API's where text could hide.
    pub fn read(request: &Request, model: &str, body: &[u8]) -> Result<Self, RequestError> {
        let draft = |room| Draft {
            view: Self::empty(request, model),
            joined: Joined { text: String::with_capacity(room), joints: 0 },
            prompts: 0,
            candidates: 0,
        };
        let mut viewer = Viewer {
            whole: draft(if request.batch { 0 } else { body.len() }),
            item: None,
            items: Vec::new(),
            beyond: false,
            draft: &draft,
        };
        read(request, model, body, &mut viewer)?;
        let Viewer { whole, items, beyond, .. } = viewer;
        let whole = whole.done();
        let fault = |reason| Err(RequestError::Schema { path: "the body".to_owned(), reason });
        match items.is_empty() {
            _ if beyond => fault("a batch of more than 1024 requests"),
            true => Ok(whole),
            // Rules are asked about requests: what stands beside them none would see.
            false if !whole.text.is_empty() => fault("text beside the requests of a batch"),
            false => Ok(whole.of(items)),
        }
    }

    /// What rules are asked about, one by one: the requests of a batch, or the one there is.
    pub fn requests(&self) -> &[Self] {
        if self.items.is_empty() { std::slice::from_ref(self) } else { &self.items }
    }

    /// The view of a batch of these.
    fn of(self, items: Vec<Self>) -> Self {
        let mut whole = Self { n: 0, ..self };
        whole.model = items.first().map(|item| item.model.clone()).unwrap_or_default();
        for item in &items {
            if item.model != whole.model {
                whole.model.clear();
            }
            whole.stream |= item.stream;
            whole.messages = whole.messages.saturating_add(item.messages);
            whole.prompt_chars = whole.prompt_chars.saturating_add(item.prompt_chars);
            whole.max_output_tokens = whole.max_output_tokens.max(item.max_output_tokens);
            whole.n = whole.n.saturating_add(item.n);
            whole.images = whole.images.saturating_add(item.images);
            whole.audios = whole.audios.saturating_add(item.audios);
            whole.stored |= item.stored;
            whole.later |= item.later;
            whole.references.extend_from_slice(&item.references);
            for tool in &item.tools {
                if !whole.tools.contains(tool) {
                    whole.tools.push(tool.clone());
                }
            }
        }
        Self { items, ..whole }
    }

    /// The texts of a body one by one, each with who says it.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn parts(request: &Request, model: &str, body: &[u8]) -> Result<Vec<Part>, RequestError> {
        let mut parts = Parts::default();
        read(request, model, body, &mut parts)?;
        Ok(parts.0)
    }

    /// A view of a request without a body.
    pub fn empty(request: &Request, model: &str) -> Self {
        Self {
            model: if request.path_model { model.to_owned() } else { String::new() },
            stream: request.streams,
            messages: 0,
            text: String::new(),
            prompt_chars: 0,
            tools: Vec::new(),
            max_output_tokens: None,
            n: 1,
            temperature: None,
            images: 0,
            audios: 0,
            include_usage: false,
            references: Vec::new(),
            stored: false,
            later: request.later,
            items: Vec::new(),
            places: Places::default(),
        }
    }
}

/// Takes down a request, or each of a batch.
struct Viewer<'d> {
    whole: Draft,
    /// The request of a batch that is under way.
    item: Option<Draft>,
    items: Vec<RequestView>,
    /// Whether there were more than are taken down.
    beyond: bool,
    draft: &'d dyn Fn(usize) -> Draft,
}

impl Visit for Viewer<'_> {
    fn met(&mut self, event: Event<'_>, at: Range<usize>) {
        match event {
            Event::Marked(Mark::Request) if self.items.len() >= MAX_ITEMS => self.beyond = true,
            Event::Marked(Mark::Request) => {
                let mut draft = (self.draft)(0);
                draft.view.places.begin(at.start);
                self.item = Some(draft);
            }
            Event::Span(Mark::Request) => self.items.extend(self.item.take().map(Draft::done)),
            event => self.item.as_mut().unwrap_or(&mut self.whole).met(event, &at),
        }
    }
}

/// A view under way.
struct Draft {
    view: RequestView,
    joined: Joined,
    /// Prompts of a list.
    prompts: u64,
    /// Answers of which the best are told.
    candidates: u64,
}

impl Draft {
    fn done(self) -> RequestView {
        let n = self.answers();
        let Joined { mut text, joints } = self.joined;
        // Images leave much of it free.
        if text.len() < text.capacity() / 2 {
            text.shrink_to_fit();
        }
        let chars = text.chars().count().saturating_sub(joints);
        let prompt_chars = u64::try_from(chars).unwrap_or(u64::MAX);
        RequestView { text, prompt_chars, n, ..self.view }
    }

    /// How many answers are written, told or not.
    fn answers(&self) -> u64 {
        let each = self.view.n.max(self.candidates);
        match self.prompts {
            0 => each,
            prompts => each.max(1).saturating_mul(prompts),
        }
    }

    fn met(&mut self, event: Event<'_>, at: &Range<usize>) {
        let view = &mut self.view;
        view.places.met(&event, at);
        match event {
            Event::Text(_, text) => self.joined.text(text),
            Event::Json(_, text) => json(text, |piece, begins| self.joined.piece(piece, begins)),
            Event::Number(_, number) => self.joined.piece(number, true),
            Event::Said(Fact::Model, model) => view.model = model.into_owned(),
            Event::Said(..) => {}
            Event::Counted(Fact::Choices, _, number) => view.n = number.unwrap_or(1),
            Event::Counted(Fact::Candidates, _, number) => self.candidates = number.unwrap_or(0),
            Event::Counted(_, _, number) => view.max_output_tokens = view.max_output_tokens.max(number),
            Event::Measured(number) => view.temperature = Some(number),
            Event::Flagged(Fact::Stream, value) => view.stream = value,
            Event::Flagged(Fact::IncludeUsage, value) => view.include_usage = value,
            Event::Flagged(Fact::Store, value) => view.stored = value,
            Event::Flagged(Fact::Later, value) => view.later = value,
            Event::Flagged(..) => {}
            Event::Marked(Mark::Message) => view.messages = view.messages.saturating_add(1),
            Event::Marked(Mark::Prompt) => self.prompts = self.prompts.saturating_add(1),
            Event::Marked(Mark::Image) => view.images = view.images.saturating_add(1),
            Event::Marked(Mark::Audio) => view.audios = view.audios.saturating_add(1),
            Event::Marked(Mark::Video) => {
                view.images = view.images.saturating_add(1);
                view.audios = view.audios.saturating_add(1);
            }
            Event::Marked(_) | Event::Config(_) | Event::Null(..) => {}
            Event::Tool(name) => view.tools.push(name.into_owned()),
            Event::Reference(path) => view.references.push(path),
            Event::Span(_) | Event::Unnarrowed(_) => {}
        }
    }
}

/// Texts with line feeds between.
#[derive(Default)]
struct Joined {
    text: String,
    joints: usize,
}

impl Joined {
    fn text(&mut self, text: Raw<'_>) {
        if text.text.is_empty() {
            return;
        }
        self.join();
        text.append_to(&mut self.text);
    }

    /// A piece of a text; `begins`: its first.
    fn piece(&mut self, piece: &str, begins: bool) {
        if begins {
            self.join();
        }
        self.text.push_str(piece);
    }

    fn join(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
            self.joints = self.joints.saturating_add(1);
        }
    }
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Visit for Parts {
    fn met(&mut self, event: Event<'_>, _at: Range<usize>) {
        let mut push = |role, text: &str, begins: bool| match self.0.last_mut().filter(|_| !begins) {
            Some(part) => part.text.push_str(text),
            None => self.0.push(Part { role, text: text.to_owned() }),
        };
        match event {
            Event::Text(role, text) if !text.text.is_empty() => push(role, &text.decoded(), true),
            Event::Json(role, text) => json(text, |piece, begins| push(role, piece, begins)),
            Event::Number(role, number) => push(role, number, true),
            _ => {}
        }
    }
}

/// Gives the texts of a JSON string that is JSON itself, piece by piece (true: a text's first): those that a mask would be
/// given, for it is the mask's own reader that finds them.
fn json(text: Raw<'_>, mut take: impl FnMut(&str, bool)) {
    let take: RefCell<Take<'_>> = RefCell::new(&mut take);
    let listener = Listener { take: &take, begun: false };
    let mut nested = Nested::new(listener);
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    for (window, end) in Windows::new(text.text.as_bytes(), End::Text) {
        nested.push(window, end, &mut Edit { masks: &listener, out: &mut out, tally: &mut tally });
        out.clear();
    }
}

type Take<'t> = &'t mut dyn FnMut(&str, bool);

/// A mask that keeps everything, and one of its texts.
#[derive(Clone, Copy)]
struct Listener<'l, 't> {
    take: &'l RefCell<Take<'t>>,
    begun: bool,
}

impl Masks for Listener<'_, '_> {
    type Text = Self;

    fn begin(&self) -> Self {
        *self
    }
}

impl TextMask for Listener<'_, '_> {
    fn push(&mut self, text: &[u8], _end: bool, sink: &mut dyn Sink) {
        if !text.is_empty() {
            (self.take.borrow_mut())(&String::from_utf8_lossy(text), !self.begun);
            self.begun = true;
        }
        sink.keep(text.len());
    }

    fn held(&self) -> usize {
        0
    }
}
