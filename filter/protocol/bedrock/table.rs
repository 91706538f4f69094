//! Answers of Converse and InvokeModel, whole and streamed, of token counts and models, and errors.
//!
//! Converse is one API for all models. What InvokeModel answers is the model's own document; which one it is shows by
//! its keys, so that one table reads all of them: Anthropic's, Nova's (which is Converse's, each event below its name),
//! Llama's, Titan's, Mistral's, Cohere's, AI21's, and the many that copy OpenAI's. Of a model that is none of these
//! every string is masked, in a stream as one running text for each path.
//!
//! What is not named here is masked: inputs of tools that come whole, citations, guardrails' traces with what they
//! matched, stop sequences, error messages.

use crate::protocol::anthropic::table as anthropic;
use crate::protocol::json::table::{
    COUNTS, DROP, Fact, Field, KEEP, LABEL, LABELS, MASK, MASKED, Mark, Part, Place, RUNNING, SIGNATURE,
    THINKING, Table, array, drops, fact, json, marked, object, text,
};
use crate::protocol::openai::table as openai;

/// Every answer of the API.
pub static ANSWERS: Table = Table { root: &ANSWER, event: &EVENT };

/// The axis of content blocks, and of the outputs of models that have several.
const BLOCK: usize = 0;

// Whole answers.

static ANSWER: Place = object(&[
    ("output", &OUTPUT),
    ("stopReason", &REASON),
    ("usage", &USAGE),
    ("metrics", &COUNTS),
    ("performanceConfig", &LABELLED),
    ("serviceTier", &LABELLED),
    ("trace", &TRACE),
    ("inputTokens", &LABEL),
    ("modelSummaries", &MODELS),
    ("modelDetails", &MODEL_ITEM),
    ("__type", &LABEL),
    // Models' own documents.
    ("id", &ID),
    ("object", &LABEL),
    ("created", &LABEL),
    ("type", &LABEL),
    ("role", &LABEL),
    ("model", &MODEL),
    ("content", &anthropic::CONTENT),
    ("stop_reason", &REASON),
    ("prompt_token_count", &PROMPT_TOKENS),
    ("generation_token_count", &COMPLETION_TOKENS),
    ("inputTextTokenCount", &PROMPT_TOKENS),
    ("results", &RESULTS),
    ("choices", &openai::CHOICES),
    ("finish_reason", &REASON),
    ("generation_id", &LABEL),
    ("response_id", &LABEL),
    ("generations", &GENERATIONS),
    ("completions", &COMPLETIONS),
    ("prompt", &PROMPT),
    ("embedding", &KEEP),
    ("embeddings", &KEEP),
    ("embeddingsByType", &KEEP),
    ("images", &LABELS),
    METRICS,
    ACTION,
]);
const METRICS: (&str, &Place) = ("amazon-bedrock-invocationMetrics", &COUNTS);
const ACTION: (&str, &Place) = ("amazon-bedrock-guardrailAction", &LABEL);

static ID: Place = fact(Fact::Id);
static MODEL: Place = fact(Fact::Model);
static REASON: Place = fact(Fact::Reason);
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static TOTAL_TOKENS: Place = fact(Fact::TotalTokens);
static CACHED_TOKENS: Place = fact(Fact::CachedTokens);
static LABELLED: Place = object(&[("type", &LABEL), ("latency", &LABEL)]);
static TRACE: Place = object(&[("promptRouter", &ROUTER)]);
static ROUTER: Place = object(&[("invokedModelId", &LABEL)]);
static USAGE: Place = Place {
    fields: &[
        ("inputTokens", &PROMPT_TOKENS),
        ("outputTokens", &COMPLETION_TOKENS),
        ("totalTokens", &TOTAL_TOKENS),
        ("cacheReadInputTokens", &CACHED_TOKENS),
        ("input_tokens", &PROMPT_TOKENS),
        ("output_tokens", &COMPLETION_TOKENS),
        ("cache_read_input_tokens", &CACHED_TOKENS),
        ("prompt_tokens", &PROMPT_TOKENS),
        ("completion_tokens", &COMPLETION_TOKENS),
        ("total_tokens", &TOTAL_TOKENS),
        ("service_tier", &LABEL),
    ],
    other: &COUNTS,
    ..MASKED
};
static MODELS: Place = array(&MODEL_ITEM);
static MODEL_ITEM: Place = object(&[("modelArn", &LABEL), ("modelId", &LABEL)]);

static OUTPUT: Place = object(&[("message", &MESSAGE)]);
static MESSAGE: Place = object(&[("role", &LABEL), ("content", &BLOCKS)]);
static BLOCKS: Place = array(&BLOCK_ITEM);
static BLOCK_ITEM: Place = object(&[
    ("toolUse", &TOOL_USE),
    ("toolResult", &TOOL_RESULT),
    ("reasoningContent", &REASONING),
    ("image", &MEDIA),
    ("document", &MEDIA),
    ("video", &MEDIA),
    ("audio", &MEDIA),
    ("cachePoint", &LABELLED),
]);
static TOOL_USE: Place = object(&[("toolUseId", &LABEL), ("type", &LABEL)]);
static TOOL_RESULT: Place =
    object(&[("toolUseId", &LABEL), ("status", &LABEL), ("type", &LABEL), ("content", &BLOCKS)]);
static REASONING: Place = object(&[("reasoningText", &REASONING_TEXT), ("redactedContent", &LABEL)]);
static REASONING_TEXT: Place = object(&[("text", &THINKING), ("signature", &SIGNATURE)]);
static MEDIA: Place = object(&[("format", &LABEL), ("source", &MEDIA_SOURCE)]);
static MEDIA_SOURCE: Place = object(&[("bytes", &LABEL)]);

static RESULTS: Place = array(&RESULT);
static RESULT: Place = object(&[("tokenCount", &LABEL), ("completionReason", &REASON)]);
static GENERATIONS: Place = array(&GENERATION);
static GENERATION: Place =
    object(&[("id", &LABEL), ("finish_reason", &REASON), ("token_likelihoods", &NO_TOKENS)]);
static COMPLETIONS: Place = array(&COMPLETION);
static COMPLETION: Place = object(&[("data", &PROMPT)]);
/// The text, and again as tokens.
static PROMPT: Place = object(&[("tokens", &NO_TOKENS)]);
static NO_TOKENS: Place = drops("[]");

// Events.

static EVENT: Place = Place {
    fields: &[
        ("type", &anthropic::KIND),
        ("p", &MASK),
        // Nova: the events of Converse below their names.
        ("messageStart", &STARTED),
        ("contentBlockStart", &BLOCK_START),
        ("contentBlockDelta", &nova::EVENT),
        ("contentBlockStop", &BLOCK_STOP),
        ("messageStop", &STOPPED),
        ("metadata", &METADATA),
        // Llama, Titan, Mistral, Cohere.
        ("generation", &LLAMA_TEXT),
        ("stop_reason", &FINISH),
        ("prompt_token_count", &PROMPT_TOKENS),
        ("generation_token_count", &COMPLETION_TOKENS),
        ("outputText", &TITAN_TEXT),
        ("index", &LABEL),
        ("completionReason", &FINISH),
        ("totalOutputTextTokenCount", &COMPLETION_TOKENS),
        ("inputTextTokenCount", &PROMPT_TOKENS),
        ("outputs", &OUTPUTS),
        ("event_type", &LABEL),
        ("is_finished", &LABEL),
        ("text", &COHERE_TEXT),
        ("finish_reason", &FINISH),
        ("generation_id", &LABEL),
        ("response", &MASK),
        // Those that copy OpenAI's.
        ("id", &ID),
        ("object", &OBJECT),
        ("created", &CREATED),
        ("model", &MODEL),
        ("choices", &openai::CHOICES),
        ("usage", &USAGE),
        ("logprobs", &DROP),
        METRICS,
        ACTION,
    ],
    other: &RUNNING,
    kinds: &[
        ("contentBlockDelta", &converse::EVENT),
        ("contentBlockStart", &BLOCK_START),
        ("contentBlockStop", &BLOCK_STOP),
        ("messageStart", &STARTED),
        ("messageStop", &STOPPED),
        ("metadata", &METADATA),
        ("internalServerException", &FAILED),
        ("modelStreamErrorException", &FAILED),
        ("modelTimeoutException", &FAILED),
        ("serviceUnavailableException", &FAILED),
        ("throttlingException", &FAILED),
        ("validationException", &FAILED),
        // Anthropic's own.
        ("content_block_delta", &anthropic::BLOCK_DELTA),
        ("content_block_start", &anthropic::BLOCK_START),
        ("content_block_stop", &anthropic::BLOCK_STOP),
        ("message_start", &anthropic::MESSAGE_START),
        ("message_delta", &anthropic::MESSAGE_DELTA),
        ("message_stop", &anthropic::MESSAGE_STOP),
        ("ping", &anthropic::PING),
        ("error", &anthropic::ERROR),
        ("completion", &anthropic::TEXT_COMPLETION),
    ],
    ..MASKED
};
static OBJECT: Place = fact(Fact::Object);
static CREATED: Place = fact(Fact::Created);
static FINISH: Place = fact(Fact::Finish);
static INDEX: Place = fact(Fact::Index(BLOCK));
static FAILED: Place = marked(Mark::Failure, &[("originalStatusCode", &LABEL)]);

static STARTED: Place = object(&[("role", &LABEL)]);
static BLOCK_START: Place = object(&[("contentBlockIndex", &INDEX), ("start", &START)]);
static START: Place = object(&[("toolUse", &TOOL_USE), ("toolResult", &TOOL_RESULT), ("image", &MEDIA)]);
static BLOCK_STOP: Place = marked(Mark::EndScope, &[("contentBlockIndex", &INDEX)]);
static STOPPED: Place = marked(Mark::EndAll, &[("stopReason", &REASON)]);
static METADATA: Place = object(&[
    ("usage", &USAGE),
    ("metrics", &COUNTS),
    ("performanceConfig", &LABELLED),
    ("serviceTier", &LABELLED),
    ("trace", &TRACE),
]);

/// The deltas of Converse: under their name, and as Nova writes them.
macro_rules! deltas {
    ($delta:ident, $name:literal, $id:literal, $open:literal, $close:literal) => {
        pub(super) mod $delta {
            use super::*;

            pub static EVENT: Place = object(&[("contentBlockIndex", &INDEX), ("delta", &DELTA)]);
            static DELTA: Place = Place {
                fields: &[
                    ("text", &TEXT_TEXT),
                    ("toolUse", &TOOL),
                    ("reasoningContent", &REASONING),
                    ("image", &MEDIA),
                    ("citation", &CITATION),
                ],
                other: &RUNNING,
                ..MASKED
            };
            static TOOL: Place = object(&[("input", &INPUT_JSON)]);
            static REASONING: Place = Place {
                fields: &[
                    ("text", &THINKING_TEXT),
                    ("signature", &SIGNATURE),
                    ("redactedContent", &SIGNATURE),
                ],
                other: &RUNNING,
                ..MASKED
            };
            static TEXT_TEXT: Place = text(&TEXT, &MASK);
            static THINKING_TEXT: Place = text(&THINKING, &MASK);
            static INPUT_JSON: Place = json(&INPUT);
            static TEXT: Field = field($id, false, &part!(r#""text":""#, "\"}", $open, $close));
            static INPUT: Field =
                field($id + 1, false, &part!(r#""toolUse":{"input":""#, "\"}}", $open, $close));
            static THINKING: Field =
                field($id + 2, true, &part!(r#""reasoningContent":{"text":""#, "\"}}", $open, $close));

            const fn field(id: u8, thinking: bool, event: &'static [Part]) -> Field {
                Field { id, name: $name, event, thinking }
            }
        }
    };
}
macro_rules! part {
    ($before:literal, $after:literal, $open:literal, $close:literal) => {
        [
            Part::Literal(concat!($open, r#""contentBlockIndex":"#)),
            Part::Index(BLOCK),
            Part::Literal(concat!(r#","delta":{"#, $before)),
            Part::Text,
            Part::Literal(concat!($after, $close)),
        ]
    };
}
deltas!(converse, "contentBlockDelta", 100, "", "");
deltas!(nova, "", 110, r#""contentBlockDelta":{"#, "}");

/// A location counts in the caller's documents.
static CITATION: Place = object(&[("location", &LOCATION)]);
static LOCATION: Place = Place {
    fields: &[("documentChar", &COUNTS), ("documentChunk", &COUNTS), ("documentPage", &COUNTS)],
    ..MASKED
};

static LLAMA_TEXT: Place = text(&LLAMA, &MASK);
static TITAN_TEXT: Place = text(&TITAN, &MASK);
static MISTRAL_TEXT: Place = text(&MISTRAL, &MASK);
static COHERE_TEXT: Place = text(&COHERE, &MASK);
static OUTPUTS: Place = array(&OUTPUT_ITEM);
static OUTPUT_ITEM: Place = Place {
    fields: &[("text", &MISTRAL_TEXT), ("stop_reason", &FINISH)],
    other: &RUNNING,
    mark: Some(Mark::Item(BLOCK)),
    ..MASKED
};

/// A text of a model's own document, and the document that carries a piece of it.
macro_rules! native {
    ($id:literal, $before:literal, $after:literal) => {
        Field {
            id: $id,
            name: "",
            event: &[Part::Literal($before), Part::Text, Part::Literal($after)],
            thinking: false,
        }
    };
}
static LLAMA: Field = native!(
    120,
    r#""generation":""#,
    r#"","prompt_token_count":null,"generation_token_count":null,"stop_reason":null"#
);
static TITAN: Field = native!(121, r#""outputText":""#, r#"","index":0,"completionReason":null"#);
static MISTRAL: Field = native!(122, r#""outputs":[{"text":""#, r#"","stop_reason":null}]"#);
static COHERE: Field = native!(123, r#""event_type":"text-generation","is_finished":false,"text":""#, "\"");
