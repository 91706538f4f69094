//! What the values of an API's answers are, as data.
//!
//! A [`Place`] says what to do with whatever stands at one path of a document; its fields and items lead on to other
//! places. One engine reads the tables of all providers. Nothing is kept because it was forgotten: a table that ends
//! in [`MASK`] masks every string, number and unknown key that it does not name.

/// A place in a document.
#[derive(Debug)]
pub struct Place {
    /// What a string here is.
    pub text: OnText,
    /// What a number here is.
    pub number: OnNumber,
    /// The known keys of an object here. At most 64; a known key that comes twice makes the answer unreadable.
    pub fields: &'static [(&'static str, &'static Place)],
    /// The place of all other keys' values.
    pub other: &'static Place,
    /// Whether other keys are themselves masked.
    pub mask_keys: bool,
    /// The place of the items of an array here.
    pub items: &'static Place,
    /// Whether the value is written `null`, whatever it is.
    pub drop: bool,
    /// What a value other than null here means to the stream.
    pub mark: Option<Mark>,
}

/// What a string is.
#[derive(Debug, Clone, Copy)]
pub enum OnText {
    /// Kept.
    Keep,
    /// Kept, and read.
    Read(Fact),
    /// A text of its own.
    Mask,
    /// In a stream a piece of a text, else the whole of one.
    Text(&'static Field),
    /// The same, and the text is JSON.
    Json(&'static Field),
}

/// What a number is.
#[derive(Debug, Clone, Copy)]
pub enum OnNumber {
    /// Kept.
    Keep,
    /// Kept, and read.
    Read(Fact),
    /// A text of its own.
    Mask,
}

/// What is read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Identifier of the answer.
    Id,
    /// Kind of the answer.
    Object,
    /// When it was made.
    Created,
    /// Model that made it.
    Model,
    /// Why a choice ended; a string here ends the choice.
    Finish,
    /// Which choice this is.
    Choice,
    /// Which tool call of its choice this is.
    Tool,
    /// Tokens read.
    PromptTokens,
    /// Tokens written.
    CompletionTokens,
    /// Both.
    TotalTokens,
    /// Of the tokens read, those from the provider's cache.
    CachedTokens,
    /// Of the tokens written, those of hidden reasoning.
    ReasoningTokens,
}

/// What a value other than null means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// One of the answer's choices.
    Choice,
    /// One of the choice's tool calls.
    Tool,
    /// The answer ends here, for it failed.
    Failure,
}

/// A text of a choice that streams in pieces.
#[derive(Debug)]
pub struct Field {
    /// Distinct within its table.
    pub id: u8,
    /// The event that carries a piece of this text and nothing else, for a tail that has no event of its own.
    pub event: &'static [Part],
}

/// A part of an event.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// These bytes.
    Literal(&'static str),
    /// `"key":value,` for each of id, object, created and model that the stream has shown.
    Envelope,
    /// The choice's index.
    Choice,
    /// The tool call's index.
    Tool,
    /// The piece of text, escaped.
    Text,
}

/// An API's answers.
#[derive(Debug)]
pub struct Table {
    /// The place of the whole document.
    pub root: &'static Place,
}

/// Every string, number and key is masked as a text of its own.
pub static MASK: Place = Place {
    text: OnText::Mask,
    number: OnNumber::Mask,
    fields: &[],
    other: &MASK,
    mask_keys: true,
    items: &MASK,
    drop: false,
    mark: None,
};

/// Everything is kept.
pub static KEEP: Place = Place {
    text: OnText::Keep,
    number: OnNumber::Keep,
    other: &KEEP,
    mask_keys: false,
    items: &KEEP,
    ..MASKED
};

/// Written `null`.
pub static DROP: Place = Place { drop: true, ..MASKED };

/// What places are built from: whatever a table does not say is masked.
pub const MASKED: Place = Place {
    text: OnText::Mask,
    number: OnNumber::Mask,
    fields: &[],
    other: &MASK,
    mask_keys: true,
    items: &MASK,
    drop: false,
    mark: None,
};

/// A kept string or number that is read.
pub const fn fact(fact: Fact) -> Place {
    Place { text: OnText::Read(fact), number: OnNumber::Read(fact), ..MASKED }
}

/// A kept string or number; containers in its place are masked.
pub static LABEL: Place = Place { text: OnText::Keep, number: OnNumber::Keep, ..MASKED };
