//! Answers of chat and generate, whole and as lines, of embeddings and models, of pulls, and errors.
//!
//! A line of a stream has the shape of a whole answer. `context` is the whole conversation as token ids: it goes, and
//! with it the older way to go on with a conversation. What is not named here is masked: arguments and names of tools,
//! templates, licences and system prompts of models.

use crate::protocol::json::table::{
    COUNTS, DROP, Fact, Field, KEEP, LABEL, LABELS, MASK, MASKED, Mark, Part, Place, RUNNING, Table, array,
    drops, fact, marked, object, text,
};

/// Every answer of the API.
pub static ANSWERS: Table = Table { root: &ANSWER, event: &EVENT };

const FIELDS: &[(&str, &Place)] = &[
    ("model", &MODEL),
    ("created_at", &LABEL),
    ("message", &MESSAGE),
    ("response", &RESPONSE_TEXT),
    ("thinking", &THINKING_TEXT),
    // Where a model of the cloud runs.
    ("remote_model", &MASK),
    ("remote_host", &MASK),
    ("done", &DONE),
    ("done_reason", &REASON),
    ("context", &NO_CONTEXT),
    ("logprobs", &DROP),
    ("image", &LABEL),
    ("tool_calls", &TOOL_CALLS),
    ("total_duration", &LABEL),
    ("load_duration", &LABEL),
    ("prompt_eval_count", &PROMPT_TOKENS),
    ("prompt_eval_duration", &LABEL),
    ("eval_count", &COMPLETION_TOKENS),
    ("eval_duration", &LABEL),
    ("error", &FAILURE),
    // Embeddings, models, pulls.
    ("embedding", &KEEP),
    ("embeddings", &KEEP),
    ("models", &MODELS),
    ("version", &LABEL),
    ("details", &DETAILS),
    ("model_info", &COUNTS),
    ("projector_info", &COUNTS),
    ("tensors", &COUNTS),
    ("capabilities", &LABELS),
    ("modified_at", &LABEL),
    ("digest", &LABEL),
    ("total", &LABEL),
    ("completed", &LABEL),
];

static ANSWER: Place = object(FIELDS);
static EVENT: Place = Place { fields: FIELDS, other: &RUNNING, ..MASKED };

static MODEL: Place = fact(Fact::Model);
static DONE: Place = fact(Fact::Done);
static REASON: Place = fact(Fact::Reason);
static NO_CONTEXT: Place = drops("[]");
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static FAILURE: Place = marked(Mark::Failure, &[]);

static MESSAGE: Place = Place {
    fields: &[
        ("role", &LABEL),
        ("content", &CONTENT_TEXT),
        ("thinking", &MESSAGE_THINKING_TEXT),
        ("tool_calls", &TOOL_CALLS),
        ("images", &LABELS),
    ],
    other: &RUNNING,
    ..MASKED
};
static TOOL_CALLS: Place = array(&TOOL_CALL);
static TOOL_CALL: Place = object(&[("id", &LABEL), ("type", &LABEL), ("function", &FUNCTION)]);
static FUNCTION: Place = object(&[("index", &LABEL)]);

static MODELS: Place = array(&MODEL_ITEM);
static MODEL_ITEM: Place = object(&[
    ("name", &LABEL),
    ("model", &LABEL),
    ("modified_at", &LABEL),
    ("expires_at", &LABEL),
    ("size", &LABEL),
    ("size_vram", &LABEL),
    ("context_length", &LABEL),
    ("digest", &LABEL),
    ("details", &DETAILS),
]);
static DETAILS: Place = object(&[
    ("parent_model", &LABEL),
    ("format", &LABEL),
    ("family", &LABEL),
    ("families", &LABELS),
    ("parameter_size", &LABEL),
    ("quantization_level", &LABEL),
]);

static CONTENT_TEXT: Place = text(&CONTENT, &MASK);
static MESSAGE_THINKING_TEXT: Place = text(&MESSAGE_THINKING, &MASK);
static RESPONSE_TEXT: Place = text(&RESPONSE, &MASK);
static THINKING_TEXT: Place = text(&THINKING, &MASK);

/// A text of the answer, and the line that carries a piece of it.
macro_rules! line {
    ($id:literal, $thinking:literal, $before:literal, $after:literal) => {
        Field {
            id: $id,
            name: "",
            event: &[
                Part::Envelope,
                Part::Literal($before),
                Part::Text,
                Part::Literal(concat!($after, r#","done":false"#)),
            ],
            thinking: $thinking,
        }
    };
}

static CONTENT: Field = line!(0, false, r#""message":{"role":"assistant","content":""#, r#""}"#);
static MESSAGE_THINKING: Field =
    line!(1, true, r#""message":{"role":"assistant","content":"","thinking":""#, r#""}"#);
static RESPONSE: Field = line!(2, false, r#""response":""#, "\"");
static THINKING: Field = line!(3, true, r#""response":"","thinking":""#, "\"");
