//! The engine: follows a body along a table, strictly, and tells what it meets.
//!
//! A rule judges what is told here, and the upstream acts on what its own parser reads. Where two parsers may differ (a
//! key that comes twice or in other letters, bytes behind the document, text that is no UTF-8, half a surrogate, nesting
//! that one of them refuses) the body is refused rather than judged.
//!
//! The body is read once, from its bytes; no document is built. Only what an object is by one of its keys is looked for
//! ahead: tables hold no such object within itself without end, so that this is done a few times at most.

use std::borrow::Cow;
use std::ops::Range;

use crate::protocol::json::grammar::Scalar;

use super::error::{RequestError, Step, Way};
use super::keys::{Keys, Open};
use super::known::{Known, camel, is, known};
use super::strings::{self, Raw, Sought};
use super::table::{
    ANY, ANY_OBJECT, Fact, Mark, Object, OnFlag, OnKey, OnNumber, OnString, Place, Request, Role,
};

/// Deepest nesting that is read; parsers in use refuse what is deeper.
const MAX_DEPTH: usize = 127;

/// Longest word and longest identifier.
const MAX_WORD: usize = 64;
const MAX_LABEL: usize = 512;

/// What is met on the way, in the order of the body, with the bytes where it stands: of strings those between the quotes.
pub(in crate::protocol) trait Visit {
    /// Something was met.
    fn met(&mut self, event: Event<'_>, at: Range<usize>);
}

/// What is met. Strings that are kept and read for nothing are not told.
#[derive(Debug)]
pub(in crate::protocol) enum Event<'b> {
    /// A text: a string or an unknown key.
    Text(Role, Raw<'b>),
    /// A text that is JSON.
    Json(Role, Raw<'b>),
    /// A number that is text.
    Number(Role, &'b str),
    /// A string that is read.
    Said(Fact, Cow<'b, str>),
    /// A whole number that is read, at this field; `None`: one that means that there is none.
    Counted(Fact, &'static str, Option<u64>),
    /// The object at this field says how to answer.
    Config(&'static str),
    /// A number that is read.
    Measured(f64),
    /// A boolean that is read.
    Flagged(Fact, bool),
    /// A message, an image, a piece of audio.
    Marked(Mark),
    /// A tool's name.
    Tool(Cow<'b, str>),
    /// The path of something that the provider keeps.
    Reference(String),
    /// What has this mark is over: the whole of it.
    Span(Mark),
    /// The path of something that no filter narrows.
    Unnarrowed(String),
    /// `null` at this field, where a number or a boolean is read, a [`Mark::Config`] may stand, or what a store's query says.
    Null(&'static Place, &'static str),
}

/// Reads a body along its table; `model` is the one that the path names, if it names one.
///
/// # Errors
/// [`RequestError`]. What was told until then means nothing.
pub(super) fn read(
    request: &Request,
    model: &str,
    body: &[u8],
    visit: &mut dyn Visit,
) -> Result<(), RequestError> {
    read_place(request.root(model), model, body, visit)
}

/// The same along a place.
///
/// # Errors
/// As for [`read`].
pub(in crate::protocol) fn read_place(
    root: &'static Place,
    model: &str,
    body: &[u8],
    visit: &mut dyn Visit,
) -> Result<(), RequestError> {
    let body = std::str::from_utf8(body)
        .map_err(|error| RequestError::Malformed { offset: error.valid_up_to(), reason: "not UTF-8" })?;
    if u32::try_from(body.len()).is_err() {
        return Err(RequestError::Malformed { offset: body.len(), reason: "too long" });
    }
    let (way, keys) = (Vec::new(), Keys::new(body));
    let mut reader = Reader { model, body, at: 0, way, keys, named: false, kind: None, fault: None, visit };
    reader.space();
    // Elsewhere `null` is what is not there; a body that is not there asks for nothing that could be judged.
    if reader.peek() == Some(b'n') && root.string == OnString::Refused {
        reader.fault(root.expected());
    }
    reader.value(root, Role::Other)?;
    reader.space();
    if reader.at < body.len() {
        return Err(reader.malformed("something behind the document"));
    }
    reader.fault.map_or(Ok(()), Err)
}

type Read = Result<(), RequestError>;

struct Reader<'b, 'v> {
    /// The model that the path names.
    model: &'v str,
    body: &'b str,
    at: usize,
    way: Vec<Step<'b>>,
    keys: Keys<'b>,
    /// Whether the tool under way has a name, and what it is.
    named: bool,
    kind: Option<Raw<'b>>,
    /// The first shape that is not the API's. The rest is read all the same: a body that is no JSON, or two, is that first.
    fault: Option<RequestError>,
    visit: &'v mut dyn Visit,
}

impl<'b> Reader<'b, '_> {
    fn value(&mut self, place: &'static Place, role: Role) -> Read {
        let byte = self.peek();
        let from = self.at;
        if byte == Some(b'n') {
            self.scalar()?;
            let read = matches!(place.number, OnNumber::Read(_)) || matches!(place.flag, OnFlag::Read(_));
            let marked =
                matches!(place.mark, Some(Mark::Config | Mark::Filter | Mark::Namespace | Mark::Vectors));
            if read || marked || place.string == OnString::Read(Fact::Expression) {
                self.tell(Event::Null(place, self.field_name()), from..self.at);
            }
            return Ok(());
        }
        let role = place.role.unwrap_or(role);
        if place.mark == Some(Mark::Tool) {
            return self.tool(place, role);
        }
        let Some(mark) = place.mark else { return self.unmarked(byte, place, role) };
        self.mark(mark);
        self.unmarked(byte, place, role)?;
        if mark.spans() {
            self.tell(Event::Span(mark), from..self.at);
        }
        Ok(())
    }

    fn unmarked(&mut self, byte: Option<u8>, place: &'static Place, role: Role) -> Read {
        match byte {
            Some(b'"') => {
                let text = self.string()?;
                self.on_string(text, place, role);
                Ok(())
            }
            Some(b'{') => {
                if let (true, Some(item)) = (place.single, place.items) {
                    return self.value(item, role);
                }
                let object = place.object.unwrap_or_else(|| {
                    self.fault(place.expected());
                    &ANY_OBJECT
                });
                self.object(object, role)
            }
            Some(b'[') => {
                let items = place.items.unwrap_or_else(|| {
                    self.fault(place.expected());
                    &ANY
                });
                self.array(items, role)
            }
            _ => {
                let from = self.at;
                let text = self.scalar()?;
                let at = from..self.at;
                match text {
                    "true" | "false" => self.on_flag(text == "true", place, at),
                    _ => self.on_number(text, place, role, at),
                }
                Ok(())
            }
        }
    }

    fn mark(&mut self, mark: Mark) {
        let at = self.at..self.at;
        match mark {
            Mark::Reference => self.reference(),
            Mark::Unnarrowed => {
                let path = Way(&self.way).to_string();
                self.tell(Event::Unnarrowed(path), at);
            }
            Mark::ToolByKey => {
                let name = match self.way.last() {
                    Some(Step::Key(key)) => camel(&key.decoded()).into(),
                    Some(Step::Field(name)) => Cow::Borrowed(*name),
                    _ => return,
                };
                self.tell(Event::Tool(name), at);
            }
            Mark::Config => self.tell(Event::Config(self.field_name()), at),
            mark => self.tell(Event::Marked(mark), at),
        }
    }

    /// The table's name of the field whose value is under way; empty where it has none.
    fn field_name(&self) -> &'static str {
        match self.way.last() {
            Some(Step::Field(name)) => name,
            _ => "",
        }
    }

    fn reference(&mut self) {
        let path = Way(&self.way).to_string();
        self.tell(Event::Reference(path), self.at..self.at);
    }

    /// A tool: it must say what it is called.
    fn tool(&mut self, place: &'static Place, role: Role) -> Read {
        let outer = (std::mem::take(&mut self.named), self.kind.take());
        self.unmarked(self.peek(), place, role)?;
        match (self.named, self.kind.take()) {
            (true, _) => {}
            (false, Some(kind)) => self.tell(Event::Tool(kind.decoded()), self.at..self.at),
            (false, None) => self.fault("a tool without a name"),
        }
        (self.named, self.kind) = outer;
        Ok(())
    }

    // Strings, numbers and booleans.

    fn on_string(&mut self, text: Raw<'b>, place: &'static Place, role: Role) {
        let at = text.at..text.at.saturating_add(text.text.len());
        match place.string {
            OnString::Refused => self.fault(place.expected()),
            OnString::Json => self.tell(Event::Json(role, text), at),
            OnString::Word if is_word(text.text) => {}
            OnString::Label if is_label(text.text) => {}
            OnString::Image if text.text.starts_with("data:image/") => {}
            OnString::Reference => self.reference(),
            OnString::Data => {}
            OnString::Read(fact) => self.on_fact(fact, text, role, at),
            OnString::Text | OnString::Word | OnString::Label | OnString::Image => {
                self.tell(Event::Text(role, text), at);
            }
        }
    }

    fn on_fact(&mut self, fact: Fact, text: Raw<'b>, role: Role, at: Range<usize>) {
        match fact {
            Fact::ToolName => {
                self.named = true;
                self.tell(Event::Text(role, text), at.clone());
                self.tell(Event::Tool(text.decoded()), at);
            }
            Fact::ToolKind => self.kind = Some(text),
            Fact::SameModel => {
                // As a resource it is `models/NAME`, and may stand below others.
                let named = text.decoded();
                let name = named.rsplit_once("models/").map_or(&*named, |(_, name)| name);
                if name != self.model && named != self.model {
                    self.fault("another model than the path names");
                }
            }
            fact => self.tell(Event::Said(fact, text.decoded()), at),
        }
    }

    fn on_number(&mut self, text: &'b str, place: &'static Place, role: Role, at: Range<usize>) {
        let fact = match place.number {
            OnNumber::Refused => return self.fault(place.expected()),
            OnNumber::Keep => return,
            OnNumber::Text => return self.tell(Event::Number(role, text), at),
            OnNumber::Read(fact) => fact,
        };
        if fact == Fact::Temperature {
            let number = text.parse().unwrap_or_default();
            return self.tell(Event::Measured(number), at);
        }
        match (text.parse(), fact) {
            (Ok(0), Fact::MaxTokens | Fact::MaxTokensOrNone) => {
                self.tell(Event::Counted(fact, self.field_name(), None), at);
            }
            (Ok(number), _) => self.tell(Event::Counted(fact, self.field_name(), Some(number)), at),
            (Err(_), Fact::MaxTokensOrNone) if text.parse::<i64>().is_ok() => {
                self.tell(Event::Counted(fact, self.field_name(), None), at);
            }
            _ => self.fault("expected a whole number"),
        }
    }

    fn on_flag(&mut self, value: bool, place: &'static Place, at: Range<usize>) {
        match place.flag {
            OnFlag::Refused => self.fault(place.expected()),
            OnFlag::Keep => {}
            OnFlag::Read(fact) => self.tell(Event::Flagged(fact, value), at),
        }
    }

    /// A string whose quote is here; the place behind it is gone to.
    fn string(&mut self) -> Result<Raw<'b>, RequestError> {
        let from = self.at.saturating_add(1);
        let (to, escaped) = strings::end(self.body.as_bytes(), from)
            .map_err(|(offset, reason)| RequestError::Malformed { offset, reason })?;
        self.at = to.saturating_add(1);
        Ok(Raw { text: self.body.get(from..to).unwrap_or_default(), escaped, at: from })
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<&'b str, RequestError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let mut scalar = Scalar::new();
        let text = rest.get(..scalar.run(rest.as_bytes())).unwrap_or_default();
        if !scalar.is_whole() {
            return Err(self.malformed(if rest.is_empty() {
                "the document is cut off"
            } else {
                "not a value"
            }));
        }
        // Only these can be beyond a double.
        let large = text.len() > 300 || text.bytes().any(|byte| matches!(byte, b'e' | b'E'));
        if scalar.is_number() && large && !text.parse().is_ok_and(f64::is_finite) {
            return Err(self.malformed("a number out of range"));
        }
        self.at = self.at.saturating_add(text.len());
        Ok(text)
    }

    // Objects and arrays.

    fn array(&mut self, items: &'static Place, role: Role) -> Read {
        self.enter()?;
        let mut index = 0usize;
        self.open();
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.way.push(Step::Index(index));
            self.value(items, role)?;
            self.way.pop();
            index = index.saturating_add(1);
            self.space();
            if self.eat(b']') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    fn object(&mut self, object: &'static Object, role: Role) -> Read {
        self.enter()?;
        let (object, role) = self.settle(object, role);
        // One bit for each of the object's fields: that came, and that came with a value.
        let (mut seen, mut given) = (0u64, 0u64);
        let open = self.keys.open();
        self.open();
        if self.eat(b'}') {
            self.require(object, given);
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.malformed("expected a key"));
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.malformed("expected a colon"));
            }
            self.space();
            self.way.push(Step::Key(key));
            let place = self.field(object, key, role, &open, (&mut seen, &mut given))?;
            self.value(place, role)?;
            self.way.pop();
            self.space();
            if self.eat(b'}') {
                break;
            }
            self.comma()?;
        }
        if let Some(key) = self.keys.close(&open).map_err(|reason| self.malformed(reason))? {
            self.way.push(Step::Key(key));
            return Err(self.duplicate());
        }
        self.require(object, given);
        Ok(())
    }

    /// The place of a key's value.
    fn field(
        &mut self,
        object: &'static Object,
        key: Raw<'b>,
        role: Role,
        open: &Open,
        (seen, given): (&mut u64, &mut u64),
    ) -> Result<&'static Place, RequestError> {
        let index = match known(object, &key) {
            Known::Field(index) => index,
            other => {
                if self.keys.came_before(open, key) {
                    return Err(self.duplicate());
                }
                if other == Known::InOtherLetters {
                    self.fault("a known key in other letters");
                }
                if object.keys == OnKey::Text || !is_label(key.text) {
                    let at = key.at..key.at.saturating_add(key.text.len());
                    self.tell(Event::Text(role, key), at);
                }
                return Ok(object.other);
            }
        };
        let bit = 1u64.wrapping_shl(u32::try_from(index).unwrap_or_default());
        if *seen & bit != 0 {
            return Err(self.duplicate());
        }
        *seen |= bit;
        let (name, place) = object.fields.get(index).copied().unwrap_or(("", &ANY));
        if let Some(step) = self.way.last_mut() {
            *step = Step::Field(name);
        }
        if self.peek() != Some(b'n') {
            *given |= bit;
        }
        Ok(place)
    }

    /// What an object is by its keys.
    fn settle(&mut self, mut object: &'static Object, role: Role) -> (&'static Object, Role) {
        while let Some(kinds) = object.kinds {
            object.mark.into_iter().for_each(|mark| self.mark(mark));
            let naming = object.naming;
            let is = |key: &Raw<'b>| is(key, kinds.key, naming);
            let found = match strings::value_of(self.body, self.at.saturating_add(1), is) {
                Sought::Text(text) => {
                    let kind = text.decoded();
                    let row = kinds.rows.iter().find(|(name, _)| match name.strip_suffix('*') {
                        Some(start) => kind.starts_with(start),
                        None => *name == kind,
                    });
                    row.map(|(_, object)| *object).ok_or(kinds.why)
                }
                Sought::Missing => kinds.missing.ok_or("expected a string"),
                Sought::Other => Err("expected a string"),
            };
            object = found.unwrap_or_else(|why| {
                self.fault_at(kinds.key, why);
                &ANY_OBJECT
            });
        }
        object.mark.into_iter().for_each(|mark| self.mark(mark));
        (object, object.role.unwrap_or(role))
    }

    fn require(&mut self, object: &'static Object, given: u64) {
        for name in object.required {
            let index = object.fields.iter().position(|(field, _)| field == name).unwrap_or(usize::MAX);
            let bit = u32::try_from(index).ok().and_then(|index| 1u64.checked_shl(index)).unwrap_or_default();
            if given & bit == 0 {
                self.fault_at(name, "missing");
            }
        }
    }

    fn enter(&self) -> Read {
        if self.way.len() >= MAX_DEPTH {
            return Err(self.malformed("nested too deeply"));
        }
        Ok(())
    }

    // Bytes.

    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.at = strings::spaces(self.body.as_bytes(), self.at);
        }
    }

    /// Behind a bracket, and the spaces behind that.
    fn open(&mut self) {
        self.at = self.at.saturating_add(1);
        self.space();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    fn comma(&mut self) -> Read {
        if !self.eat(b',') {
            return Err(self.malformed("expected a comma or a closing bracket"));
        }
        self.space();
        Ok(())
    }

    // What is told.

    fn tell(&mut self, event: Event<'b>, at: Range<usize>) {
        if self.fault.is_none() {
            self.visit.met(event, at);
        }
    }

    fn fault(&mut self, reason: &'static str) {
        if self.fault.is_none() {
            self.fault = Some(RequestError::Schema { path: Way(&self.way).to_string(), reason });
        }
    }

    /// The same of a key of the object that is under way.
    fn fault_at(&mut self, key: &'static str, reason: &'static str) {
        self.way.push(Step::Field(key));
        self.fault(reason);
        self.way.pop();
    }

    fn malformed(&self, reason: &'static str) -> RequestError {
        RequestError::Malformed { offset: self.at, reason }
    }

    /// The key at the end of the way comes twice.
    fn duplicate(&self) -> RequestError {
        RequestError::Duplicate { path: Way(&self.way).to_string() }
    }
}

/// Whether a string may be one of an API's words.
fn is_word(text: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/+-".contains(&byte);
    text.len() <= MAX_WORD && text.bytes().all(of_word)
}

/// Whether a string may be an identifier: whatever it is made of, it has no spaces.
fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}
