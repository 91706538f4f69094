//! Answers of messages, whole and streamed, of the older text completions, of models, and errors.
//!
//! What is not named here is masked: the arguments of tools that come whole, what servers' tools found, cited texts and
//! titles, names of tools, stop sequences, error messages. Offsets in citations are those of the caller's documents.

use crate::protocol::json::table::{
    COUNTS, Fact, Field, LABEL, MASKED, Mark, Part, Place, RUNNING, SIGNATURE, Table, array, fact, json,
    marked, object, text,
};

/// Every answer of the API.
pub static ANSWERS: Table = Table { root: &MESSAGE, event: &EVENT };

/// The axis of content blocks.
const BLOCK: usize = 0;

// Events.

pub(super) static EVENT: Place = Place {
    fields: &[("type", &KIND), ("index", &BLOCK_INDEX), ("delta", &DELTA), ("error", &FAILURE)],
    other: &RUNNING,
    kinds: &[
        ("content_block_delta", &BLOCK_DELTA),
        ("content_block_start", &BLOCK_START),
        ("content_block_stop", &BLOCK_STOP),
        ("message_start", &MESSAGE_START),
        ("message_delta", &MESSAGE_DELTA),
        ("message_stop", &MESSAGE_STOP),
        ("ping", &PING),
        ("error", &ERROR),
        ("completion", &TEXT_COMPLETION),
    ],
    ..MASKED
};
pub(in crate::protocol) static KIND: Place = fact(Fact::Kind);
static BLOCK_INDEX: Place = fact(Fact::Index(BLOCK));

pub(in crate::protocol) static BLOCK_DELTA: Place =
    object(&[("type", &KIND), ("index", &BLOCK_INDEX), ("delta", &DELTA)]);
pub(in crate::protocol) static BLOCK_START: Place =
    object(&[("type", &KIND), ("index", &BLOCK_INDEX), ("content_block", &CONTENT_BLOCK)]);
pub(in crate::protocol) static BLOCK_STOP: Place =
    marked(Mark::EndScope, &[("type", &KIND), ("index", &BLOCK_INDEX)]);
pub(in crate::protocol) static MESSAGE_START: Place = object(&[("type", &KIND), ("message", &MESSAGE)]);
pub(in crate::protocol) static MESSAGE_DELTA: Place =
    object(&[("type", &KIND), ("delta", &ENDING), ("usage", &USAGE)]);
pub(in crate::protocol) static MESSAGE_STOP: Place = marked(Mark::EndAll, &[("type", &KIND)]);
pub(in crate::protocol) static PING: Place = object(&[("type", &KIND)]);
pub(in crate::protocol) static ERROR: Place =
    marked(Mark::Failure, &[("type", &KIND), ("request_id", &LABEL)]);
pub(in crate::protocol) static TEXT_COMPLETION: Place = object(&[
    ("type", &KIND),
    ("id", &ID),
    ("completion", &COMPLETION_TEXT),
    ("stop_reason", &FINISH),
    ("model", &MODEL),
    ("log_id", &LABEL),
]);

static DELTA: Place = Place {
    fields: &[
        ("type", &LABEL),
        ("text", &TEXT_TEXT),
        ("partial_json", &INPUT_JSON),
        ("thinking", &THINKING_TEXT),
        ("signature", &SIGNATURE),
        ("citation", &CITATION),
        ("content", &COMPACTION_TEXT),
        ("encrypted_content", &LABEL),
    ],
    other: &RUNNING,
    ..MASKED
};
static ENDING: Place = object(&[("stop_reason", &FINISH), ("container", &CONTAINER)]);

// Messages.

static MESSAGE: Place = Place {
    fields: &[
        ("type", &LABEL),
        ("id", &ID),
        ("role", &LABEL),
        ("model", &MODEL),
        ("content", &CONTENT),
        ("stop_reason", &FINISH),
        ("usage", &USAGE),
        ("container", &CONTAINER),
        ("error", &FAILURE),
        ("request_id", &LABEL),
        ("completion", &COMPLETION_TEXT),
        ("log_id", &LABEL),
        ("input_tokens", &LABEL),
        ("data", &DATA),
        ("first_id", &LABEL),
        ("last_id", &LABEL),
        ("created_at", &LABEL),
    ],
    ..MASKED
};
static ID: Place = fact(Fact::Id);
static MODEL: Place = fact(Fact::Model);
static FINISH: Place = fact(Fact::Finish);
pub(super) static FAILURE: Place = marked(Mark::Failure, &[("type", &LABEL)]);
pub(super) static CONTAINER: Place = object(&[("id", &LABEL), ("expires_at", &LABEL)]);

/// Models.
static DATA: Place = array(&DATUM);
static DATUM: Place = object(&[("type", &LABEL), ("id", &LABEL), ("created_at", &LABEL)]);

pub(in crate::protocol) static CONTENT: Place = array(&CONTENT_ITEM);
static CONTENT_ITEM: Place = Place { mark: Some(Mark::Item(BLOCK)), ..ANY_BLOCK };
static CONTENT_BLOCK: Place = ANY_BLOCK;
const ANY_BLOCK: Place = Place {
    fields: BLOCK_FIELDS,
    kinds: &[("redacted_thinking", &REDACTED), ("compaction", &COMPACTED)],
    ..MASKED
};
const BLOCK_FIELDS: &[(&str, &Place)] = &[
    ("type", &KIND),
    ("id", &LABEL),
    ("tool_use_id", &LABEL),
    ("file_id", &LABEL),
    ("text", &TEXT_TEXT),
    ("thinking", &THINKING_TEXT),
    ("signature", &SIGNATURE),
    ("citations", &CITATIONS),
    ("content", &RESULT),
    ("source", &SOURCE),
    ("encrypted_content", &LABEL),
    ("encrypted_stdout", &LABEL),
    ("retrieved_at", &LABEL),
    ("return_code", &LABEL),
];
/// Thinking that only the provider reads.
static REDACTED: Place = object(&[("type", &KIND), ("data", &SIGNATURE)]);
static COMPACTED: Place =
    object(&[("type", &KIND), ("content", &COMPACTION_TEXT), ("encrypted_content", &LABEL)]);

static CITATIONS: Place = array(&CITATION);
static CITATION: Place = object(&[("type", &LABEL), ("file_id", &LABEL), ("encrypted_index", &LABEL)]);

/// What a server's tool found: blocks again, or results with blocks within.
static RESULT: Place = Place {
    fields: &[
        ("type", &LABEL),
        ("file_id", &LABEL),
        ("encrypted_content", &LABEL),
        ("encrypted_stdout", &LABEL),
        ("retrieved_at", &LABEL),
        ("return_code", &LABEL),
        ("error_code", &LABEL),
        ("content", &RESULT),
        ("source", &SOURCE),
    ],
    items: &RESULT,
    ..MASKED
};
/// A document's: text, unless it says before that it is none.
static SOURCE: Place =
    Place { fields: &[("type", &KIND), ("media_type", &LABEL)], kinds: &[("base64", &BINARY)], ..MASKED };
static BINARY: Place = object(&[("type", &KIND), ("media_type", &LABEL), ("data", &LABEL)]);

static USAGE: Place = Place {
    fields: &[
        ("input_tokens", &PROMPT_TOKENS),
        ("output_tokens", &COMPLETION_TOKENS),
        ("cache_read_input_tokens", &CACHED_TOKENS),
        ("service_tier", &LABEL),
    ],
    ..COUNTED
};
pub(super) const COUNTED: Place = Place { other: &COUNTS, ..MASKED };
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static CACHED_TOKENS: Place = fact(Fact::CachedTokens);

// Texts.

static TEXT_TEXT: Place = text(&TEXT, &RUNNING);
static THINKING_TEXT: Place = text(&THINKING, &RUNNING);
static INPUT_JSON: Place = json(&INPUT);
static COMPACTION_TEXT: Place = text(&COMPACTION, &RUNNING);
pub(in crate::protocol) static COMPLETION_TEXT: Place = text(&COMPLETION, &RUNNING);

/// A text that is a field of a block's delta.
macro_rules! delta {
    ($id:literal, $thinking:literal, $before:literal) => {
        Field {
            id: $id,
            name: "content_block_delta",
            event: &[
                Part::Literal(r#""type":"content_block_delta","index":"#),
                Part::Index(BLOCK),
                Part::Literal(concat!(r#","delta":{"#, $before)),
                Part::Text,
                Part::Literal("\"}"),
            ],
            thinking: $thinking,
        }
    };
}

static TEXT: Field = delta!(0, false, r#""type":"text_delta","text":""#);
static INPUT: Field = delta!(1, false, r#""type":"input_json_delta","partial_json":""#);
static THINKING: Field = delta!(2, true, r#""type":"thinking_delta","thinking":""#);
static COMPACTION: Field = delta!(3, false, r#""type":"compaction_delta","content":""#);
static COMPLETION: Field = Field {
    id: 4,
    name: "completion",
    event: &[
        Part::Literal(r#""type":"completion","completion":""#),
        Part::Text,
        Part::Literal(r#"","stop_reason":null"#),
    ],
    thinking: false,
};
