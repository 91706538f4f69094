//! Answers of chat, whole and streamed, of embed and rerank, and errors.
//!
//! What is not named here is masked: sources of citations and their texts, documents, names of tools, error messages.

use crate::protocol::json::spans::Unit;
use crate::protocol::json::table::{
    COUNTS, DROP, Fact, Field, KEEP, LABEL, MASKED, Mark, Offset, Part, Place, RUNNING, Table, array, fact,
    json, marked, object, offset, text,
};

/// Every answer of the API.
pub static ANSWERS: Table = Table { root: &ANSWER, event: &EVENT };

/// Axes of the texts: parts of the content and tool calls are counted apart.
const CONTENT: usize = 0;
const TOOL: usize = 1;

// Events.

static EVENT: Place = Place {
    fields: &[("type", &KIND), ("id", &ID), ("delta", &RUNNING)],
    other: &RUNNING,
    kinds: &[
        ("content-delta", &CONTENT_PIECE),
        ("tool-call-delta", &TOOL_PIECE),
        ("tool-plan-delta", &CONTENT_PIECE),
        ("content-start", &CONTENT_PIECE),
        ("content-end", &CONTENT_END),
        ("tool-call-start", &TOOL_PIECE),
        ("tool-call-end", &TOOL_END),
        ("citation-start", &CITED),
        ("citation-end", &CITED),
        ("message-start", &CONTENT_PIECE),
        ("message-end", &END),
        ("debug", &DEBUG),
    ],
    ..MASKED
};
static KIND: Place = fact(Fact::Kind);
static CONTENT_INDEX: Place = fact(Fact::Index(CONTENT));
static TOOL_INDEX: Place = fact(Fact::Index(TOOL));

static CONTENT_PIECE: Place = object(&[
    ("type", &KIND),
    ("id", &ID),
    ("index", &CONTENT_INDEX),
    ("delta", &DELTA),
    ("logprobs", &DROP),
]);
static CONTENT_END: Place = marked(Mark::EndScope, &[("type", &KIND), ("index", &CONTENT_INDEX)]);
static TOOL_PIECE: Place = object(&[("type", &KIND), ("index", &TOOL_INDEX), ("delta", &DELTA)]);
static TOOL_END: Place = marked(Mark::EndScope, &[("type", &KIND), ("index", &TOOL_INDEX)]);
static CITED: Place = object(&[("type", &KIND), ("index", &LABEL), ("delta", &DELTA)]);
static END: Place =
    marked(Mark::EndAll, &[("type", &KIND), ("id", &ID), ("delta", &ENDING), ("usage", &USAGE)]);
static DEBUG: Place = object(&[("type", &KIND)]);
static DELTA: Place = object(&[("message", &PIECE)]);
static ENDING: Place = object(&[("finish_reason", &FINISH), ("usage", &USAGE)]);

static PIECE: Place = Place {
    fields: &[
        ("role", &LABEL),
        ("content", &PART),
        ("tool_plan", &PLAN_TEXT),
        ("tool_calls", &CALL),
        ("citations", &CITATION),
    ],
    other: &RUNNING,
    ..MASKED
};
/// A part, or an array of them.
static PART: Place = Place {
    fields: &[("type", &LABEL), ("text", &TEXT_TEXT), ("thinking", &THINKING_TEXT)],
    items: &PART,
    other: &RUNNING,
    ..MASKED
};
static CALL: Place =
    Place { fields: &[("id", &LABEL), ("type", &LABEL), ("function", &FUNCTION)], items: &CALL, ..MASKED };
static FUNCTION: Place = object(&[("arguments", &ARGUMENTS_JSON)]);
static CITATION: Place = Place {
    fields: &[
        ("start", &CITED_START),
        ("end", &CITED_END),
        ("type", &LABEL),
        ("content_index", &CONTENT_INDEX),
        ("sources", &SOURCES),
    ],
    items: &CITATION,
    ..MASKED
};
static CITED_START: Place = offset(&Offset { field: &TEXT, unit: Unit::Chars, end: false });
static CITED_END: Place = offset(&Offset { field: &TEXT, unit: Unit::Chars, end: true });
static SOURCES: Place = array(&SOURCE);
static SOURCE: Place = object(&[("type", &LABEL)]);

// Whole answers.

static ANSWER: Place = object(&[
    ("id", &ID),
    ("finish_reason", &FINISH),
    ("message", &MESSAGE),
    ("usage", &USAGE),
    ("logprobs", &DROP),
    ("meta", &COUNTS),
    ("response_type", &LABEL),
    ("results", &RESULTS),
    ("embeddings", &EMBEDDINGS),
]);
/// Also the message of an error, which is a string.
static MESSAGE: Place =
    object(&[("role", &LABEL), ("content", &PARTS), ("tool_calls", &CALLS), ("citations", &CITATION)]);
static PARTS: Place = array(&WHOLE_PART);
static WHOLE_PART: Place = Place {
    fields: &[("type", &LABEL), ("text", &TEXT_TEXT), ("thinking", &THINKING_TEXT)],
    mark: Some(Mark::Item(CONTENT)),
    ..MASKED
};
static CALLS: Place = array(&WHOLE_CALL);
static WHOLE_CALL: Place = Place {
    fields: &[("id", &LABEL), ("type", &LABEL), ("function", &FUNCTION)],
    mark: Some(Mark::Item(TOOL)),
    ..MASKED
};
static RESULTS: Place = array(&RESULT);
static RESULT: Place = object(&[("index", &LABEL), ("relevance_score", &LABEL)]);
/// Numbers, or base64, by type; the older form is the numbers alone.
static EMBEDDINGS: Place = Place {
    fields: &[
        ("float", &KEEP),
        ("int8", &KEEP),
        ("uint8", &KEEP),
        ("binary", &KEEP),
        ("ubinary", &KEEP),
        ("base64", &KEEP),
    ],
    items: &KEEP,
    ..MASKED
};

static ID: Place = fact(Fact::Id);
static FINISH: Place = fact(Fact::Finish);
static USAGE: Place = Place { fields: &[("tokens", &TOKENS), ("cached_tokens", &CACHED_TOKENS)], ..COUNTED };
static TOKENS: Place =
    Place { fields: &[("input_tokens", &PROMPT_TOKENS), ("output_tokens", &COMPLETION_TOKENS)], ..COUNTED };
const COUNTED: Place = Place { other: &COUNTS, ..MASKED };
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static CACHED_TOKENS: Place = fact(Fact::CachedTokens);

// Texts.

static TEXT_TEXT: Place = text(&TEXT, &RUNNING);
static THINKING_TEXT: Place = text(&THINKING, &RUNNING);
static PLAN_TEXT: Place = text(&PLAN, &RUNNING);
static ARGUMENTS_JSON: Place = json(&ARGUMENTS);

/// The event of a text within the delta's message.
macro_rules! delta {
    ($id:literal, $kind:literal, $index:expr, $thinking:literal, $before:literal, $after:literal) => {
        Field {
            id: $id,
            name: $kind,
            event: &[
                Part::Literal(concat!(r#""type":""#, $kind, "\"")),
                $index,
                Part::Literal(concat!(r#","delta":{"message":{"#, $before)),
                Part::Text,
                Part::Literal(concat!($after, "}}")),
            ],
            thinking: $thinking,
        }
    };
}
const OF_CONTENT: Part = Part::Indexed(CONTENT, r#","index":"#, "");
const OF_TOOL: Part = Part::Indexed(TOOL, r#","index":"#, "");

static TEXT: Field = delta!(0, "content-delta", OF_CONTENT, false, r#""content":{"text":""#, "\"}");
static THINKING: Field = delta!(1, "content-delta", OF_CONTENT, true, r#""content":{"thinking":""#, "\"}");
static PLAN: Field = delta!(2, "tool-plan-delta", OF_CONTENT, true, r#""tool_plan":""#, "\"");
static ARGUMENTS: Field =
    delta!(3, "tool-call-delta", OF_TOOL, false, r#""tool_calls":{"function":{"arguments":""#, "\"}}");
