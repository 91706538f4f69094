//! What the values of an API's answers are, as data.
//!
//! A [`Place`] says what to do with whatever stands at one path of a document; its fields and items lead on to other
//! places. One engine reads the tables of all providers. Nothing is kept because it was forgotten: a table that ends
//! in [`MASK`] masks every string, number and unknown key that it does not name.
//!
//! # Writing a table
//!
//! A table is a file of statics beside the provider's other files (`anthropic/table.rs` is a short one to copy).
//! Go through a recorded answer key by key, and through a recorded stream event by event:
//!
//! 1. **Whole answers** ([`Table::root`]). Identifiers, enumerations and times are [`LABEL`] (kept, but for the injected
//!    credential); so are opaque and binary values (base64, signatures, encrypted reasoning). Counts: [`COUNTS`]. What is
//!    read for the record: [`fact`]. Texts need no entry: what is not named is masked as a whole text of its own. Token
//!    ids and log-probabilities tell a text again: [`drops`] writes a neutral value in their place. An address that leads
//!    back to the provider is a [`LINK`].
//! 2. **Events** ([`Table::event`]). Where the meaning of an event depends on its `type`, give its place
//!    [`Place::kinds`], and read the type with `fact(Fact::Kind)`; the kind's place then counts as the event's, whatever
//!    the order of the keys. A name that comes beside the document (SSE's `event:`, a header of AWS's framing) selects
//!    the kind too, and must not contradict it. An event of an unknown kind is read by the place that has the kinds.
//! 3. **Texts that stream** get a [`Field`] and `OnText::Text(&FIELD)`, or `OnText::Json(&FIELD)` where the text is
//!    itself JSON (tool arguments). The engine joins the pieces that have the same field and the same index on all
//!    [`AXES`]. An index is a number that is read (`fact(Fact::Index(axis))`, at the event's root or within an item, before
//!    or behind the text), or the position in an array whose items' place has [`Mark::Item`]. Use an axis for what readers
//!    keep apart: choice, output or block; part within it; tool call. What a boolean tells apart (Gemini's `thought`) is
//!    an index too: `true` is 1. `other: &RUNNING` on a delta makes running texts of the strings that it does not name.
//! 4. **Ends.** What a masker holds must go out before readers stop listening. [`Fact::Finish`] (a reason that is not
//!    null) ends the texts of its item, or where it stands outside of any, all of them; [`Fact::Done`] (`true`) ends all;
//!    [`Mark::EndScope`] on a kind's place ends the texts that agree with every index that the event gives (a block's
//!    stop), [`Mark::EndAll`] ends all, [`Mark::Failure`] too. A piece in the ending event itself takes the tail. Else the
//!    engine writes an event before it, from the field's [`Field::event`].
//! 5. **Repeats** of a text (`done`, `completed`) are not the field again, but whole texts: leave them masked. Masks do
//!    not depend on cuts, so that they equal the joined pieces.
//! 6. **Offsets** into a text (of citations, annotations): [`offset`].
//! 7. **Numbering.** `fact(Fact::Sequence)` on the event's number: it is counted on where the engine writes events.
//!
//! Then give the table its tests: `protocol::testing::recorded` checks every law for a recorded stream of each text.

use super::spans::Unit;

/// Indexes by which the texts of a stream are kept apart.
pub const AXES: usize = 3;

/// A place in a document.
#[derive(Debug)]
pub struct Place {
    /// What a string here is.
    pub text: OnText,
    /// What a number or a boolean here is.
    pub number: OnNumber,
    /// The known keys of an object here. At most 64; a known key that comes twice makes the answer unreadable.
    pub fields: &'static [(&'static str, &'static Place)],
    /// The place of all other keys' values.
    pub other: &'static Place,
    /// Whether other keys are themselves masked.
    pub mask_keys: bool,
    /// The place of the items of an array here.
    pub items: &'static Place,
    /// What is written instead of the value, whatever it is.
    pub drop: Option<&'static str>,
    /// What of it a policy that leaves out vectors leaves out.
    pub vector: Vector,
    /// What a value other than null here means to the stream.
    pub mark: Option<Mark>,
    /// What the object is by its [`Fact::Kind`]: in an event at its root wherever that stands, else from the key on that
    /// says it, so that kinds within may only name what this place masks.
    pub kinds: &'static [(&'static str, &'static Place)],
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
    /// The same, and the text is JSON.
    Nested,
    /// A text of its own that is a model's thinking.
    Thinking,
    /// In a stream a piece of a text, else the whole of one.
    Text(&'static Field),
    /// The same, and the text is JSON.
    Json(&'static Field),
    /// In a stream a piece of the text that stands at this path, which no table knows; else the whole of one.
    Running,
    /// An address of the provider's own, kept but for its host.
    Link,
    /// What signs the thinking beside it, or in the events before: nothing once that was changed.
    Signature,
}

/// What of a value is a vector.
#[derive(Debug, Clone, Copy)]
pub enum Vector {
    /// Nothing.
    None,
    /// All of it; this is written instead.
    Whole(&'static str),
    /// A number: one of a vector's, for all that is known. `null` is written instead.
    Number,
}

/// What a number or a boolean is.
#[derive(Debug, Clone, Copy)]
pub enum OnNumber {
    /// Kept.
    Keep,
    /// Kept, and read.
    Read(Fact),
    /// A text of its own; booleans are kept.
    Mask,
    /// An offset into a text: it moves with what is masked before it.
    Offset(&'static Offset),
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
    /// What this object is: selects among [`Place::kinds`].
    Kind,
    /// Why an item (a choice) ended, and so that it did.
    Finish,
    /// Why the answer ended, where something else says that it did.
    Reason,
    /// Whether the answer ended.
    Done,
    /// How far the work on the answer is.
    Status,
    /// Which one this is, on an axis below [`AXES`].
    Index(usize),
    /// The same, where what tells one from the others is a name.
    Named(usize),
    /// What [`Part::Own`] writes: an identifier of the thing that the event's texts belong to.
    Own,
    /// The event's number; the next event's is greater by one.
    Sequence,
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
    /// One of several on an axis; its index is its position unless [`Fact::Index`] tells another.
    Item(usize),
    /// One of several on an axis without an index unless [`Fact::Index`] tells one: its position means nothing.
    Part(usize),
    /// The texts that agree with every index that the event's root gives end here; none, if it gives none.
    EndScope,
    /// All texts end here.
    EndAll,
    /// The answer ends here, for it failed.
    Failure,
}

/// A text that streams in pieces.
#[derive(Debug)]
pub struct Field {
    /// Distinct within its table, but for fields that are forms of one text.
    pub id: u8,
    /// Name of the event that carries a piece of this text (SSE's `event:`, AWS's `:event-type`); empty: it has none.
    pub name: &'static str,
    /// The inside of the object of the event that carries a piece of this text and nothing else, for a tail that has no
    /// event of its own. Empty: it is made from the event that carried the text last.
    pub event: &'static [Part],
    /// Whether it is a model's thinking, for which a policy may ask for something else.
    pub thinking: bool,
}

/// An offset into the text of a field that has the same indexes. In a stream it is told anew, and its event waits while it
/// points to text that is held; in a whole answer it is 0 once anything was masked.
#[derive(Debug)]
pub struct Offset {
    /// Whose text.
    pub field: &'static Field,
    /// What it counts.
    pub unit: Unit,
    /// Whether it is where something ends.
    pub end: bool,
}

/// A part of an event.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// These bytes.
    Literal(&'static str),
    /// `"key":value,` for each of id, object, created and model that the stream has shown.
    Envelope,
    /// The text's index on an axis; 0 where it has none.
    Index(usize),
    /// These bytes where the text has an index on the axis.
    If(usize, &'static str),
    /// The index on the axis between these bytes, where the text has one.
    Indexed(usize, &'static str, &'static str),
    /// The value read as [`Fact::Own`] with the text's last piece, quotes included.
    Own,
    /// The event's number.
    Sequence,
    /// The piece of text, escaped.
    Text,
}

/// An API's answers.
#[derive(Debug)]
pub struct Table {
    /// The place of a whole document.
    pub root: &'static Place,
    /// The place of an event's document.
    pub event: &'static Place,
}

/// What places are built from: whatever a table does not say is masked.
pub const MASKED: Place = Place {
    text: OnText::Mask,
    number: OnNumber::Mask,
    fields: &[],
    other: &MASK,
    mask_keys: true,
    items: &MASK,
    drop: None,
    vector: Vector::None,
    mark: None,
    kinds: &[],
};

/// Every string, number and key is masked as a text of its own.
pub static MASK: Place = Place {
    text: OnText::Mask,
    number: OnNumber::Mask,
    fields: &[],
    other: &MASK,
    mask_keys: true,
    items: &MASK,
    drop: None,
    vector: Vector::None,
    mark: None,
    kinds: &[],
};

/// The same, but strings are running texts of a stream.
pub static RUNNING: Place = Place { text: OnText::Running, other: &RUNNING, items: &RUNNING, ..MASKED };

/// Everything is kept.
pub static KEEP: Place = Place {
    text: OnText::Keep,
    number: OnNumber::Keep,
    other: &KEEP,
    mask_keys: false,
    items: &KEEP,
    ..MASKED
};

/// A kept string or number; containers in its place are masked.
pub static LABEL: Place = Place { text: OnText::Keep, number: OnNumber::Keep, ..MASKED };

/// An address of the provider's own: its scheme and host are left out, so that whoever follows it comes by the proxy
/// again. (A client that was given a base address joins the two.) Where nothing is masked it is kept.
pub static LINK: Place = Place { text: OnText::Link, ..MASKED };

/// Kept strings and numbers, one or an array of them.
pub static LABELS: Place = Place { text: OnText::Keep, number: OnNumber::Keep, items: &LABEL, ..MASKED };

/// Numbers are kept, texts masked.
pub static COUNTS: Place = Place { number: OnNumber::Keep, other: &COUNTS, items: &COUNTS, ..MASKED };

/// A vector, in whatever form: kept, or written `null`.
pub static VECTOR: Place = vectors("null");

/// The same, written as this value.
pub const fn vectors(without: &'static str) -> Place {
    Place { number: OnNumber::Keep, other: &COUNTS, items: &COUNTS, vector: Vector::Whole(without), ..MASKED }
}

/// Fields of which nobody knows the names, masked like any text. Of an array, the numbers may be a vector.
pub static FIELDS: Place = Place { other: &FIELDS, items: &COMPONENTS, ..MASKED };
/// Items of such an array.
pub static COMPONENTS: Place = Place { items: &COMPONENTS, other: &FIELDS, vector: Vector::Number, ..MASKED };

/// A whole text that is itself JSON.
pub static NESTED: Place = Place { text: OnText::Nested, ..MASKED };

/// A whole text that is a model's thinking.
pub static THINKING: Place = Place { text: OnText::Thinking, ..MASKED };

/// What signs thinking, or is thinking that only the provider reads.
pub static SIGNATURE: Place = Place { text: OnText::Signature, ..MASKED };

/// Written `null`.
pub static DROP: Place = drops("null");

/// Written as this value, whatever it is.
pub const fn drops(with: &'static str) -> Place {
    Place { drop: Some(with), ..MASKED }
}

/// A kept string or number that is read.
pub const fn fact(fact: Fact) -> Place {
    Place { text: OnText::Read(fact), number: OnNumber::Read(fact), ..MASKED }
}

/// An offset into a text.
pub const fn offset(offset: &'static Offset) -> Place {
    Place { number: OnNumber::Offset(offset), ..MASKED }
}

/// A text that streams, or an array of `items` each of which carries some of it.
pub const fn text(field: &'static Field, items: &'static Place) -> Place {
    Place { text: OnText::Text(field), items, ..MASKED }
}

/// A text that streams and is itself JSON.
pub const fn json(field: &'static Field) -> Place {
    Place { text: OnText::Json(field), ..MASKED }
}

/// An object of these fields; what it does not name is masked.
pub const fn object(fields: &'static [(&'static str, &'static Place)]) -> Place {
    Place { fields, ..MASKED }
}

/// An array of such items.
pub const fn array(items: &'static Place) -> Place {
    Place { items, ..MASKED }
}

/// An object that ends texts, fails or counts.
pub const fn marked(mark: Mark, fields: &'static [(&'static str, &'static Place)]) -> Place {
    Place { fields, mark: Some(mark), ..MASKED }
}
