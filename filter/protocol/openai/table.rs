//! Answers of chat completions, completions, embeddings, models, images and transcriptions: whole, streamed, and errors;
//! and what compatible providers add to them. The Responses API's events and object: [`super::responses`].
//!
//! What is not named here is masked: unknown fields, error messages, annotations, citations and search results
//! (Perplexity), filter results (Azure), names of tools. Unknown texts of a delta are followed over its events.

use crate::protocol::json::spans::Unit;
use crate::protocol::json::table::{
    COUNTS, DROP, Fact, Field, LABEL, LABELS, MASK, MASKED, Mark, Offset, OnNumber, Part, Place, RUNNING,
    SIGNATURE, Table, array, drops, fact, json, marked, object, offset, text,
};

use super::responses::{CONVERSATION, INCOMPLETE, KIND, KINDS, OUTPUTS, OWN, SEQUENCE};

/// Every answer of the API: its operations name different fields, so one table reads them all.
pub static ANSWERS: Table = Table { root: &ANSWER, event: &EVENT };

/// Axes of the texts.
const CHOICE_AXIS: usize = 0;
const PART_AXIS: usize = 1;
const TOOL_AXIS: usize = 2;

static EVENT: Place = Place { kinds: KINDS, ..answer!(&EVENT_CHOICES) };
static ANSWER: Place = answer!(&CHOICES);

/// An answer, whole or an event of one, with such choices.
macro_rules! answer {
    ($choices:expr) => {
        Place {
            fields: &[
                ("type", &KIND),
                ("id", &ID),
                ("object", &OBJECT),
                ("created", &CREATED),
                ("model", &MODEL),
                ("choices", $choices),
                ("usage", &USAGE),
                ("system_fingerprint", &LABEL),
                ("service_tier", &LABEL),
                ("error", &FAILURE),
                ("data", &DATA),
                ("x_groq", &X_GROQ),
                // Token ids, log-probabilities and llama.cpp's debugging output say the text again.
                ("prompt_logprobs", &DROP),
                ("prompt_token_ids", &DROP),
                ("__verbose", &DROP),
                // The Responses API.
                ("output", &OUTPUTS),
                ("created_at", &LABEL),
                ("completed_at", &LABEL),
                ("status", &STATUS),
                ("incomplete_details", &INCOMPLETE),
                ("previous_response_id", &LABEL),
                ("conversation", &CONVERSATION),
                ("tool_choice", &LABEL),
                ("truncation", &LABEL),
                // Events of it that are not known.
                ("delta", &RUNNING),
                ("sequence_number", &SEQUENCE),
                ("item_id", &OWN),
                // Transcriptions: the text again, cut into pieces, so that a value may be cut too.
                ("segments", &NO_PIECES),
                ("words", &NO_PIECES),
                ("logprobs", &NO_PIECES),
                ("task", &LABEL),
                ("language", &LABEL),
                ("duration", &LABEL),
            ],
            ..MASKED
        }
    };
}
use answer;

pub(super) static ID: Place = fact(Fact::Id);
pub(super) static OBJECT: Place = fact(Fact::Object);
static CREATED: Place = fact(Fact::Created);
pub(super) static MODEL: Place = fact(Fact::Model);
static FINISH: Place = fact(Fact::Finish);
static FAILURE: Place = marked(Mark::Failure, &[]);
pub(super) static STATUS: Place = fact(Fact::Status);
pub(super) static FINISH_REASON: Place = fact(Fact::Reason);

static X_GROQ: Place = object(&[("id", &LABEL), ("usage", &USAGE)]);

static NO_PIECES: Place = drops("[]");

pub(in crate::protocol) static CHOICES: Place = Place { items: &CHOICE, ..MASKED };
static CHOICE: Place = choice!(&MESSAGE);
static EVENT_CHOICES: Place = Place { items: &EVENT_CHOICE, ..MASKED };
/// Some providers repeat in each event all that was said so far (Perplexity): a value would come bit by bit.
static EVENT_CHOICE: Place = choice!(&SAID_AGAIN);
static SAID_AGAIN: Place = drops(r#"{"role":"assistant","content":""}"#);

macro_rules! choice {
    ($message:expr) => {
        Place {
            fields: &[
                ("index", &CHOICE_INDEX),
                ("delta", &MESSAGE),
                ("finish_reason", &FINISH),
                ("logprobs", &DROP),
                ("prompt_logprobs", &DROP),
                ("token_ids", &DROP),
                ("prompt_token_ids", &DROP),
                ("message", $message),
                ("text", &COMPLETION_TEXT),
            ],
            mark: Some(Mark::Item(CHOICE_AXIS)),
            ..MASKED
        }
    };
}
use choice;

static CHOICE_INDEX: Place = fact(Fact::Index(CHOICE_AXIS));

static MESSAGE: Place = Place {
    fields: &[
        ("content", &CONTENT_TEXT),
        ("role", &LABEL),
        ("tool_calls", &TOOL_CALLS),
        ("reasoning_content", &REASONING_CONTENT_TEXT),
        ("reasoning", &REASONING_TEXT),
        ("refusal", &REFUSAL_TEXT),
        ("function_call", &FUNCTION_CALL),
        ("audio", &AUDIO),
        ("reasoning_details", &REASONING_DETAILS),
        ("thinking_blocks", &REASONING_DETAILS),
        // What comes whole.
        ("annotations", &ANNOTATIONS),
        ("citations", &MASK),
        ("images", &MASK),
        ("executed_tools", &MASK),
        // Groq; Azure with data of its own; Gemini behind this API.
        ("channel", &MASK),
        ("context", &MASK),
        ("extra_content", &EXTRA),
        ("name", &MASK),
        ("tool_call_id", &LABEL),
    ],
    other: &RUNNING,
    ..MASKED
};
static EXTRA: Place = object(&[("google", &OF_GOOGLE)]);
static OF_GOOGLE: Place = object(&[("thought_signature", &LABEL)]);

static ANNOTATIONS: Place = array(&ANNOTATION);
static ANNOTATION: Place = object(&[("type", &LABEL), ("url_citation", &CITATION)]);
static CITATION: Place = object(&[("start_index", &CITED_START), ("end_index", &CITED_END)]);
static CITED_START: Place = offset(&Offset { field: &CONTENT, unit: Unit::Chars, end: false });
static CITED_END: Place = offset(&Offset { field: &CONTENT, unit: Unit::Chars, end: true });

/// OpenRouter's form of reasoning text, and LiteLLM's.
static REASONING_DETAILS: Place = Place { items: &REASONING_DETAIL, ..MASKED };
static REASONING_DETAIL: Place = Place {
    fields: &[
        ("type", &LABEL),
        ("id", &LABEL),
        ("format", &LABEL),
        ("index", &DETAIL_INDEX),
        ("text", &DETAIL_TEXT),
        ("summary", &SUMMARY_TEXT),
        ("thinking", &BLOCK_TEXT),
        ("signature", &SIGNATURE),
        ("data", &SIGNATURE),
    ],
    mark: Some(Mark::Part(PART_AXIS)),
    ..MASKED
};
static DETAIL_INDEX: Place = fact(Fact::Index(PART_AXIS));
static BLOCK_TEXT: Place = text(&BLOCK, &MASK);
static DETAIL_TEXT: Place = text(&DETAIL, &MASK);
static SUMMARY_TEXT: Place = text(&SUMMARY, &MASK);

static TOOL_CALLS: Place = Place { items: &TOOL_CALL, ..MASKED };
static TOOL_CALL: Place = Place {
    fields: &[
        ("index", &TOOL_INDEX),
        ("id", &LABEL),
        ("type", &LABEL),
        ("function", &TOOL_FUNCTION),
        ("custom", &TOOL_CUSTOM),
    ],
    mark: Some(Mark::Item(TOOL_AXIS)),
    ..MASKED
};
static TOOL_INDEX: Place = fact(Fact::Index(TOOL_AXIS));
static TOOL_FUNCTION: Place = Place { fields: &[("arguments", &TOOL_ARGUMENTS)], ..MASKED };
static TOOL_CUSTOM: Place = Place { fields: &[("input", &TOOL_INPUT)], ..MASKED };
static FUNCTION_CALL: Place = Place { fields: &[("arguments", &CALL_ARGUMENTS)], ..MASKED };

static AUDIO: Place = Place {
    fields: &[("id", &LABEL), ("data", &LABEL), ("expires_at", &LABEL), ("transcript", &TRANSCRIPT_TEXT)],
    ..MASKED
};

static CONTENT_TEXT: Place = text(&CONTENT, &CONTENT_PART);
static CONTENT_PART: Place = Place {
    fields: &[
        ("type", &LABEL),
        ("text", &PART_TEXT),
        ("refusal", &REFUSAL_TEXT),
        ("thinking", &THINKING_TEXT),
    ],
    ..MASKED
};
static PART_TEXT: Place = text(&PART, &MASK);
static THINKING_TEXT: Place = text(&THINKING, &THINKING_PART);
static THINKING_PART: Place = Place { fields: &[("type", &LABEL), ("text", &THINKING_TEXT)], ..MASKED };
static REFUSAL_TEXT: Place = text(&REFUSAL, &MASK);
static REASONING_CONTENT_TEXT: Place = text(&REASONING_CONTENT, &MASK);
static REASONING_TEXT: Place = text(&REASONING, &MASK);
static TRANSCRIPT_TEXT: Place = text(&TRANSCRIPT, &MASK);
static COMPLETION_TEXT: Place = text(&COMPLETION, &MASK);
static TOOL_INPUT: Place = text(&INPUT, &MASK);
static TOOL_ARGUMENTS: Place = json(&ARGUMENTS);
static CALL_ARGUMENTS: Place = json(&FUNCTION_ARGUMENTS);

pub(super) static USAGE: Place = Place {
    number: OnNumber::Keep,
    fields: &[
        ("prompt_tokens", &PROMPT_TOKENS),
        ("completion_tokens", &COMPLETION_TOKENS),
        ("total_tokens", &TOTAL_TOKENS),
        ("prompt_tokens_details", &PROMPT_DETAILS),
        ("completion_tokens_details", &COMPLETION_DETAILS),
        ("prompt_cache_hit_tokens", &CACHED_TOKENS),
        ("input_tokens", &PROMPT_TOKENS),
        ("output_tokens", &COMPLETION_TOKENS),
        ("input_tokens_details", &PROMPT_DETAILS),
        ("output_tokens_details", &COMPLETION_DETAILS),
    ],
    other: &COUNTS,
    ..MASKED
};
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static TOTAL_TOKENS: Place = fact(Fact::TotalTokens);
static CACHED_TOKENS: Place = fact(Fact::CachedTokens);
static REASONING_TOKENS: Place = fact(Fact::ReasoningTokens);
static PROMPT_DETAILS: Place =
    Place { fields: &[("cached_tokens", &CACHED_TOKENS)], other: &COUNTS, ..MASKED };
static COMPLETION_DETAILS: Place =
    Place { fields: &[("reasoning_tokens", &REASONING_TOKENS)], other: &COUNTS, ..MASKED };

/// Embeddings, models and images.
static DATA: Place = Place { items: &DATUM, ..MASKED };
static DATUM: Place = Place {
    fields: &[
        ("object", &LABEL),
        ("index", &LABEL),
        // Numbers, or all of them in one string of base64.
        ("embedding", &LABELS),
        ("id", &LABEL),
        ("created", &LABEL),
        ("owned_by", &LABEL),
        ("b64_json", &LABEL),
        ("created_at", &LABEL),
        ("status", &LABEL),
        ("role", &LABEL),
    ],
    ..MASKED
};

const HEAD: [Part; 3] = [Part::Envelope, Part::Literal(r#""choices":[{"index":"#), Part::Index(CHOICE_AXIS)];

/// The event of a text that is a field of the delta.
macro_rules! delta {
    ($id:literal, $before:literal, $after:literal $(, $thinking:literal)?) => {
        Field {
            id: $id,
            name: "",
            thinking: false $(|| $thinking)?,
            event: &[
                HEAD[0],
                HEAD[1],
                HEAD[2],
                Part::Literal(concat!(r#","delta":{"#, $before)),
                Part::Text,
                Part::Literal(concat!($after, r#"},"finish_reason":null}]"#)),
            ],
        }
    };
}

/// The event of a text of reasoning that is one of several.
macro_rules! detail {
    ($id:literal, $before:literal, $between:literal) => {
        Field {
            id: $id,
            name: "",
            thinking: true,
            event: &[
                HEAD[0],
                HEAD[1],
                HEAD[2],
                Part::Literal(concat!(r#","delta":{"#, $before)),
                Part::Indexed(PART_AXIS, r#","index":"#, ""),
                Part::Literal($between),
                Part::Text,
                Part::Literal(r#""}]},"finish_reason":null}]"#),
            ],
        }
    };
}

/// The event of a text that is a field of one of the delta's tool calls.
macro_rules! tool_delta {
    ($id:literal, $before:literal) => {
        Field {
            id: $id,
            name: "",
            thinking: false,
            event: &[
                HEAD[0],
                HEAD[1],
                HEAD[2],
                Part::Literal(r#","delta":{"tool_calls":[{"index":"#),
                Part::Index(TOOL_AXIS),
                Part::Literal($before),
                Part::Text,
                Part::Literal(r#""}}]},"finish_reason":null}]"#),
            ],
        }
    };
}

static CONTENT: Field = delta!(0, r#""content":""#, "\"");
static REFUSAL: Field = delta!(1, r#""refusal":""#, "\"");
static REASONING_CONTENT: Field = delta!(2, r#""reasoning_content":""#, "\"", true);
static REASONING: Field = delta!(3, r#""reasoning":""#, "\"", true);
static TRANSCRIPT: Field = delta!(4, r#""audio":{"transcript":""#, "\"}");
static FUNCTION_ARGUMENTS: Field = delta!(5, r#""function_call":{"arguments":""#, "\"}");
static ARGUMENTS: Field = tool_delta!(6, r#","function":{"arguments":""#);
static INPUT: Field = tool_delta!(7, r#","custom":{"input":""#);
static COMPLETION: Field = Field {
    id: 8,
    name: "",
    thinking: false,
    event: &[
        HEAD[0],
        HEAD[1],
        HEAD[2],
        Part::Literal(r#","text":""#),
        Part::Text,
        Part::Literal(r#"","finish_reason":null}]"#),
    ],
};
/// Mistral's form: the content is an array of parts.
static PART: Field = delta!(0, r#""content":[{"type":"text","text":""#, "\"}]");
static THINKING: Field =
    delta!(9, r#""content":[{"type":"thinking","thinking":[{"type":"text","text":""#, "\"}]}]", true);
static DETAIL: Field = detail!(10, r#""reasoning_details":[{"type":"reasoning.text""#, r#","text":""#);
static SUMMARY: Field = detail!(11, r#""reasoning_details":[{"type":"reasoning.summary""#, r#","summary":""#);
static BLOCK: Field = detail!(12, r#""thinking_blocks":[{"type":"thinking""#, r#","thinking":""#);
