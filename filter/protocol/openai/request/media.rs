//! Requests of moderations, image generations and speech: what is asked is text. What comes with forms (edits of images,
//! transcriptions) is not read.
//!
//! Source: <https://platform.openai.com/docs/api-reference> and the official clients' types.

use super::{
    ANY, CHOICES, IMAGE_PART, Kinds, MODEL, NOTHING, NUMBER, Object, OnString, Place, Request, Role, STREAM,
    TEXT, TEXT_PART, VOICE, WORD, fields, object, one_of, request, required, said_by, text_or,
};

/// `POST moderations`.
pub static MODERATIONS: Request = request(&MODERATION);
/// `POST images/generations`.
pub static IMAGES: Request = request(&DRAWING);
/// `POST audio/speech`.
pub static SPEECH: Request = request(&SPOKEN);

static MODERATION: Place = object(&MODERATION_FIELDS);
static MODERATION_FIELDS: Object = required(&["input"], fields(&[("model", &MODEL), ("input", &INPUT)]));
/// A text, texts, or parts.
static INPUT: Place = said_by(Role::User, text_or(&INPUT_ITEM));
static INPUT_ITEM: Place = Place { object: Some(&PART), ..A_TEXT };
const A_TEXT: Place = Place { string: OnString::Text, ..NOTHING };
static PART: Object = one_of(&Kinds {
    key: "type",
    rows: &[("text", &TEXT_PART), ("image_url", &IMAGE_PART)],
    missing: None,
    why: "unknown kind of content",
});

static DRAWING: Place = object(&DRAWING_FIELDS);
static DRAWING_FIELDS: Object = required(
    &["prompt"],
    fields(&[
        ("model", &MODEL),
        ("prompt", &PROMPT),
        ("n", &CHOICES),
        ("stream", &STREAM),
        ("background", &WORD),
        ("moderation", &WORD),
        ("output_compression", &NUMBER),
        ("output_format", &WORD),
        ("partial_images", &NUMBER),
        ("quality", &WORD),
        ("response_format", &WORD),
        ("size", &WORD),
        ("style", &WORD),
        ("user", &ANY),
    ]),
);
static PROMPT: Place = said_by(Role::User, text_or(&TEXT));

static SPOKEN: Place = object(&SPOKEN_FIELDS);
static SPOKEN_FIELDS: Object = required(
    &["input"],
    fields(&[
        ("model", &MODEL),
        ("input", &PROMPT),
        ("instructions", &INSTRUCTIONS),
        ("voice", &VOICE),
        ("response_format", &WORD),
        ("speed", &NUMBER),
        ("stream_format", &WORD),
    ]),
);
static INSTRUCTIONS: Place = said_by(Role::System, text_or(&TEXT));
