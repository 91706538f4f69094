//! What the values of an API's requests are, as data.
//!
//! A [`Place`] says what may stand at one path of a body and what that is: text and who says it, a word of the API, an
//! identifier, something that is counted. One engine reads the tables of all providers, and everything else is done by
//! what it tells: the view that rules judge, the mask of the prompt, the edits of bounds. So what a rule does not see is
//! not masked, and what is masked no rule overlooks.
//!
//! # Writing a table
//!
//! A table is a file of statics beside the provider's table of answers. Go through the reference of the API key by key:
//!
//! 1. **Texts** are [`TEXT`]; where an array of parts may stand too, a place with both. A text belongs to whoever says
//!    what is around it, unless its place names another [`Role`]. What is not named is text, and so is its key: a field
//!    that the API has got since is seen.
//! 2. **Words** of the API ([`WORD`]) and **identifiers** ([`LABEL`]) are no text, as long as they look like one: a word
//!    or an identifier with spaces in it is text after all. What is opaque or binary is [`DATA`].
//! 3. **Numbers** of the API are [`NUMBER`]; those of unknown fields are text, for a bare card number is a value too.
//! 4. **Shapes** in which text could hide from this table are refused: a place takes what it names and no more.
//! 5. Where a key tells what its object is (`type`, `role`), the object has [`Kinds`]; the key may stand anywhere in it.
//! 6. What the provider keeps for others is a [`REFERENCE`]: it hides prompts from rules.
//!
//! `request/tests/tables.rs` checks what holds for all tables.

use crate::protocol::store::Query;

/// Who says a part of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The application: system prompts, instructions.
    System,
    /// The user; the prompt of a completion, the input of an embedding.
    User,
    /// The model, earlier: its calls of tools included.
    Assistant,
    /// Results of tools.
    Tool,
    /// Definitions of tools and of the answer's form.
    Definition,
    /// Whoever wrote what no table knows, and what is text without being said.
    Other,
}

/// A place in a body. `null` may stand everywhere.
#[derive(Debug)]
pub struct Place {
    /// What a string is.
    pub string: OnString,
    /// What a number is.
    pub number: OnNumber,
    /// What a boolean is.
    pub flag: OnFlag,
    /// The place of an array's items; `None`: no array may stand here.
    pub items: Option<&'static Place>,
    /// Whether an object that is an item may stand for an array of it alone.
    pub single: bool,
    /// What an object is; `None`: none may stand here.
    pub object: Option<&'static Object>,
    /// Who says what stands here and below, where it is not whoever says what is around it.
    pub role: Option<Role>,
    /// What a value other than null means.
    pub mark: Option<Mark>,
    /// Why something else may not stand here; empty: because of what may.
    pub why: &'static str,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnString {
    /// Not taken.
    Refused,
    /// Text.
    Text,
    /// Text that is itself JSON.
    Json,
    /// A word of the API: kept, where it looks like one.
    Word,
    /// An identifier: kept, where it looks like one.
    Label,
    /// An identifier of something that the provider keeps for others, or looks up elsewhere.
    Reference,
    /// Opaque or binary: kept.
    Data,
    /// An address: an image in itself (`data:image/…`) is kept, any other address is text.
    Image,
    /// Read, and no text but for the name of a tool.
    Read(Fact),
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNumber {
    /// Not taken.
    Refused,
    /// Text.
    Text,
    /// Kept.
    Keep,
    /// Read.
    Read(Fact),
}

/// What a boolean is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFlag {
    /// Not taken.
    Refused,
    /// Kept.
    Keep,
    /// Read.
    Read(Fact),
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The model.
    Model,
    /// The model again, which the path has named; another one is refused.
    SameModel,
    /// Whether the answer is to come as a stream.
    Stream,
    /// Whether a stream is to report its usage.
    IncludeUsage,
    /// Bound on the answer, in tokens. 0 is none: some servers take it for a field that is not given, and the others
    /// refuse it.
    MaxTokens,
    /// The same, where a negative number means that there is none, too.
    MaxTokensOrNone,
    /// The same, where 0 is a bound like any other.
    MaxTokensFromZero,
    /// Answers asked for.
    Choices,
    /// Answers that are written, of which the best are told.
    Candidates,
    /// Sampling temperature.
    Temperature,
    /// The name of the tool that is defined here.
    ToolName,
    /// What the tool is, where it has no name.
    ToolKind,
    /// Whether the provider is to keep the exchange for later.
    Store,
    /// Whether the answer is worked out later, and this one only says so.
    Later,
    /// A collection of a vector store.
    Collection,
    /// Names of collections, parted by commas.
    Collections,
    /// The database that a collection is in.
    Database,
    /// A part of a collection: namespace, tenant, partition, shard key.
    Namespace,
    /// Most hits that are asked for.
    TopK,
    /// A condition on hits, written as text.
    Expression,
    /// A column that is asked for.
    Include,
    /// A collection whose name begins with a large letter, whatever letter it is written with.
    Class,
    /// The address of an object, which names its collection.
    Beacon,
    /// A step from an object's property to another object.
    Step,
    /// A document in GraphQL, with queries of its own.
    Graph,
}

/// What a value other than null means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A message.
    Message,
    /// One of the requests of a batch. Its end is told too.
    Request,
    /// One of several prompts, each with answers of its own.
    Prompt,
    /// An image.
    Image,
    /// A piece of audio.
    Audio,
    /// Both at once.
    Video,
    /// A tool, with a name below.
    Tool,
    /// A tool, named by the key.
    ToolByKey,
    /// Something that the provider keeps for others, or that says what only it can read.
    Reference,
    /// How to answer: the bound on the answer stands in it.
    Config,
    /// Of a vector store: one query of a request. Its end is told too, as is that of the three next.
    Query(&'static Query),
    /// Of one: a condition on its hits.
    Filter,
    /// Of one: the parts of a collection that it means.
    Namespace,
    /// Of one: whether vectors come with its hits.
    Vectors,
    /// Of one: reads rows that no filter of it narrows.
    Unnarrowed,
    /// Of one: steps from property to collection to property.
    Steps,
}

impl Mark {
    /// Whether its end is told.
    pub(super) fn spans(self) -> bool {
        matches!(self, Self::Request | Self::Query(_) | Self::Filter | Self::Namespace | Self::Vectors)
    }
}

/// An object.
#[derive(Debug)]
pub struct Object {
    /// The known keys, at most 64.
    pub fields: &'static [(&'static str, &'static Place)],
    /// The place of all other keys' values.
    pub other: &'static Place,
    /// Whether other keys are themselves text.
    pub keys: OnKey,
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// Who says what stands below.
    pub role: Option<Role>,
    /// What it means.
    pub mark: Option<Mark>,
    /// What it is by one of its keys.
    pub kinds: Option<&'static Kinds>,
    /// How keys may be written.
    pub naming: Naming,
}

/// What the keys are that an object does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnKey {
    /// Text.
    Text,
    /// Identifiers.
    Label,
}

/// How the keys of an object may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// As they are named.
    Exact,
    /// Also with underscores (`max_output_tokens` for `maxOutputTokens`), as Protocol Buffers' JSON takes both.
    Protobuf,
}

/// What an object is by the string at one of its keys.
#[derive(Debug)]
pub struct Kinds {
    /// The key.
    pub key: &'static str,
    /// Objects by its value; one that ends in `*` stands for all that begin so.
    pub rows: &'static [(&'static str, &'static Object)],
    /// The object without the key; `None`: refused.
    pub missing: Option<&'static Object>,
    /// What another value is refused with.
    pub why: &'static str,
}

impl Place {
    /// What may stand here, in a few words.
    pub(super) fn expected(&self) -> &'static str {
        if !self.why.is_empty() {
            return self.why;
        }
        match self {
            Self { string: OnString::Refused, items: Some(_), .. } => "expected an array",
            Self { string: OnString::Refused, object: Some(_), .. } => "expected an object",
            Self { string: OnString::Refused, number: OnNumber::Read(Fact::Temperature), .. } => {
                "expected a number"
            }
            Self { string: OnString::Refused, number: OnNumber::Read(_), .. } => "expected a whole number",
            Self { string: OnString::Refused, flag: OnFlag::Read(_), .. } => "expected true or false",
            _ => "expected a string",
        }
    }
}

/// What places are built from that take only what they name.
pub const NOTHING: Place = Place {
    string: OnString::Refused,
    number: OnNumber::Refused,
    flag: OnFlag::Refused,
    items: None,
    single: false,
    object: None,
    role: None,
    mark: None,
    why: "",
};

/// What places are built from that take everything: what is not said otherwise is text.
pub const ANYTHING: Place = Place {
    string: OnString::Text,
    number: OnNumber::Text,
    flag: OnFlag::Keep,
    items: Some(&ANY),
    object: Some(&ANY_OBJECT),
    ..NOTHING
};

/// Every string, key and number is text.
pub static ANY: Place = Place {
    string: OnString::Text,
    number: OnNumber::Text,
    flag: OnFlag::Keep,
    items: Some(&ANY),
    single: false,
    object: Some(&ANY_OBJECT),
    role: None,
    mark: None,
    why: "",
};
/// An object of which no key is known.
pub static ANY_OBJECT: Object = Object {
    fields: &[],
    other: &ANY,
    keys: OnKey::Text,
    required: &[],
    role: None,
    mark: None,
    kinds: None,
    naming: Naming::Exact,
};

/// What objects are built from: all keys are unknown.
pub const UNKNOWN: Object = Object {
    fields: &[],
    other: &ANY,
    keys: OnKey::Text,
    required: &[],
    role: None,
    mark: None,
    kinds: None,
    naming: Naming::Exact,
};

/// A text.
pub static TEXT: Place = Place { string: OnString::Text, ..NOTHING };
/// One text or several.
pub static TEXTS: Place = Place { items: Some(&TEXT), ..TEXT };
/// A text that is JSON, or the JSON itself.
pub static JSON: Place = Place { string: OnString::Json, ..ANYTHING };
/// A word of the API; whatever else stands there is text.
pub static WORD: Place = Place { string: OnString::Word, number: OnNumber::Keep, ..ANYTHING };
/// One word or several.
pub static WORDS: Place = Place { items: Some(&WORD), ..WORD };
/// An identifier; whatever else stands there is text.
pub static LABEL: Place = Place { string: OnString::Label, ..ANYTHING };
/// One identifier or several.
pub static LABELS: Place = Place { items: Some(&LABEL), ..LABEL };
/// Opaque or binary data; whatever else stands there is text.
pub static DATA: Place = Place { string: OnString::Data, ..ANYTHING };
/// A number of the API; whatever else stands there is text.
pub static NUMBER: Place = Place { number: OnNumber::Keep, ..ANYTHING };
/// Numbers of the API, one or many.
pub static NUMBERS: Place = Place { items: Some(&NUMBERS), ..NUMBER };
/// An identifier of something that the provider keeps; whatever else stands there is text.
pub static REFERENCE: Place = Place { string: OnString::Reference, ..ANYTHING };
/// One of them or several.
pub static REFERENCES: Place = Place { items: Some(&REFERENCE), ..REFERENCE };
/// An address of an image: `data:image/…` is the image itself, any other is text.
pub static IMAGE: Place = Place { string: OnString::Image, role: Some(Role::Other), ..NOTHING };

/// The model.
pub static MODEL: Place = Place { string: OnString::Read(Fact::Model), ..NOTHING };
/// Whether the answer is to come as a stream.
pub static STREAM: Place = Place { flag: OnFlag::Read(Fact::Stream), ..NOTHING };
/// Whether the answer is worked out later.
pub static LATER: Place = Place { flag: OnFlag::Read(Fact::Later), ..NOTHING };
/// The bound on the answer.
pub static MAX_TOKENS: Place = Place { number: OnNumber::Read(Fact::MaxTokens), ..NOTHING };
/// The same, of an API whose providers generate nothing where it is 0.
pub static MAX_TOKENS_FROM_ZERO: Place = Place { number: OnNumber::Read(Fact::MaxTokensFromZero), ..NOTHING };
/// Answers asked for.
pub static CHOICES: Place = Place { number: OnNumber::Read(Fact::Choices), ..NOTHING };
/// Answers that are written, of which the best are told.
pub static CANDIDATES: Place = Place { number: OnNumber::Read(Fact::Candidates), ..NOTHING };
/// Sampling temperature.
pub static TEMPERATURE: Place = Place { number: OnNumber::Read(Fact::Temperature), ..NOTHING };
/// The name of a tool.
pub static TOOL_NAME: Place = Place { string: OnString::Read(Fact::ToolName), ..NOTHING };
/// What a tool is.
pub static TOOL_KIND: Place = Place { string: OnString::Read(Fact::ToolKind), ..NOTHING };

/// An object and nothing else.
pub const fn object(object: &'static Object) -> Place {
    Place { object: Some(object), ..NOTHING }
}

/// An object; whatever else stands there is text.
pub const fn any_or(object: &'static Object) -> Place {
    Place { object: Some(object), ..ANYTHING }
}

/// An array of such items and nothing else.
pub const fn array(items: &'static Place) -> Place {
    Place { items: Some(items), ..NOTHING }
}

/// An array of such items, or one of them.
pub const fn list(items: &'static Place) -> Place {
    Place { single: true, ..array(items) }
}

/// A text, or an array of such items.
pub const fn text_or(items: &'static Place) -> Place {
    Place { items: Some(items), ..TEXT }
}

/// A place with a mark.
pub const fn marked(mark: Mark, place: Place) -> Place {
    Place { mark: Some(mark), ..place }
}

/// A place whose texts another says.
pub const fn said_by(role: Role, place: Place) -> Place {
    Place { role: Some(role), ..place }
}

/// A value that cannot be read, whatever it is.
pub const fn refused(why: &'static str) -> Place {
    Place { why, ..NOTHING }
}

/// An object of these fields; what it does not name is text.
pub const fn fields(fields: &'static [(&'static str, &'static Place)]) -> Object {
    Object { fields, ..UNKNOWN }
}

/// The same, with fields that must be there.
pub const fn required(required: &'static [&'static str], object: Object) -> Object {
    Object { required, ..object }
}

/// The same, whose texts another says.
pub const fn of(role: Role, object: Object) -> Object {
    Object { role: Some(role), ..object }
}

/// An object that is one of several by a key.
pub const fn one_of(kinds: &'static Kinds) -> Object {
    Object { kinds: Some(kinds), ..UNKNOWN }
}

/// An operation's requests.
#[derive(Debug)]
pub struct Request {
    /// What the body is.
    pub body: Body,
    /// Whether the path names the model, not the body.
    pub path_model: bool,
    /// Whether the answer is a stream where the body does not say it.
    pub streams: bool,
    /// What bounds the answer, the first row that fits the model. No row: nobody knows.
    pub bounded: &'static [Bound],
    /// Whether the provider keeps the exchange unless the request says `"store": false`.
    pub kept: bool,
    /// Whether a stream reports its usage only where the request says `"stream_options": {"include_usage": true}`.
    pub tells_if_asked: bool,
    /// Whether it holds requests that are answered later, each marked [`Mark::Request`].
    pub batch: bool,
    /// Whether the work goes on behind the answer unless it comes as a stream, whatever becomes of the call.
    pub later: bool,
}

impl Fact {
    /// Whether it bounds the answer.
    pub(super) fn bounds_answer(self) -> bool {
        matches!(self, Self::MaxTokens | Self::MaxTokensOrNone | Self::MaxTokensFromZero)
    }
}

/// What bounds the answers of some models.
#[derive(Debug)]
pub struct Bound {
    /// A part of their names, or with `^` the beginning.
    pub models: &'static str,
    /// Where the bound is put, key by key; the place of a key that is not the last has [`Mark::Config`]. No keys: their
    /// answers are no generated text.
    pub keys: &'static [&'static str],
    /// Other fields that they read it from, or refuse.
    pub also: &'static [&'static str],
}

/// What a body is.
#[derive(Debug)]
pub enum Body {
    /// The same for all models.
    One(&'static Place),
    /// A document of the model's maker: by the maker, whose name stands in the model's; else the last.
    ByMaker(&'static [(&'static str, &'static Place)], &'static Place),
}

impl Request {
    /// The body's place, where the path names this model.
    pub(super) fn root(&self, model: &str) -> &'static Place {
        match self.body {
            Body::One(place) => place,
            // `anthropic.claude-3`, or by way of a region's profile `eu.anthropic.claude-3`.
            Body::ByMaker(makers, other) => {
                let names = model.split('.').take(2);
                let found = names.filter_map(|name| makers.iter().find(|(maker, _)| *maker == name)).next();
                found.map_or(other, |(_, place)| *place)
            }
        }
    }
}

/// Requests whose body is the same for all models and names the model.
pub const fn request(body: &'static Place) -> Request {
    Request {
        body: Body::One(body),
        path_model: false,
        streams: false,
        bounded: UNBOUNDED,
        kept: false,
        tells_if_asked: false,
        batch: false,
        later: false,
    }
}

/// Requests in batches, whose items bound their answers as the rows say.
pub const fn batch(bounded: &'static [Bound], body: &'static Place) -> Request {
    Request { batch: true, bounded, ..request(body) }
}

/// No generated text is asked for.
pub const UNBOUNDED: &[Bound] = &[bound("", &[])];

/// A bound at these keys and nowhere else.
pub const fn bound(models: &'static str, keys: &'static [&'static str]) -> Bound {
    Bound { models, keys, also: &[] }
}

/// The same requests, whose answer is bounded so.
pub const fn bounded(bounded: &'static [Bound], request: Request) -> Request {
    Request { bounded, ..request }
}
