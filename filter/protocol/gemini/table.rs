//! Answers of generateContent and its stream, of embeddings, token counts and models, and errors.
//!
//! An event of the stream is a whole answer that holds the next pieces. A candidate's text is what its text parts give
//! together, and its thinking what those parts give that are thoughts: readers join them so, for a part has no number.
//! What comes whole (a call's arguments, code and what it printed, what a search found) is masked part by part.
//!
//! A thought's signature is opaque: it holds the thinking itself, for the provider alone, and signs none of the words.
//! What is not named here is masked: grounding and citations with their addresses and titles, search queries, reasons
//! of a refusal, names of functions. Offsets of grounding and citations count bytes of the text.

use crate::protocol::json::spans::Unit;
use crate::protocol::json::table::{
    COUNTS, DROP, Fact, Field, KEEP, LABEL, LABELS, MASK, MASKED, Mark, Offset, Part, Place, RUNNING, Table,
    array, fact, marked, object, offset, text,
};

/// Every answer of the API; an event is one too.
pub static ANSWERS: Table = Table { root: &ANSWER, event: &ANSWER };

/// The axis of candidates.
const CANDIDATE: usize = 0;
/// The axis that tells thoughts from text.
const THOUGHT: usize = 1;
/// The axis of a call's arguments.
const ARGUMENT: usize = 2;

static ANSWER: Place = object(&[
    ("candidates", &CANDIDATES),
    ("promptFeedback", &FEEDBACK),
    ("usageMetadata", &USAGE),
    ("modelVersion", &MODEL),
    ("responseId", &ID),
    ("createTime", &LABEL),
    ("error", &FAILURE),
    // Embeddings, token counts and models.
    ("embedding", &EMBEDDING),
    ("embeddings", &EMBEDDINGS),
    ("totalTokens", &LABEL),
    ("totalBillableCharacters", &LABEL),
    ("cachedContentTokenCount", &LABEL),
    ("promptTokensDetails", &DETAILS),
    ("cacheTokensDetails", &DETAILS),
    ("models", &MODELS),
    ("tunedModels", &MODELS),
    ("nextPageToken", &LABEL),
    ("name", &LABEL),
    ("baseModelId", &LABEL),
    ("version", &LABEL),
    ("inputTokenLimit", &LABEL),
    ("outputTokenLimit", &LABEL),
    ("supportedGenerationMethods", &LABELS),
]);
static MODEL: Place = fact(Fact::Model);
static ID: Place = fact(Fact::Id);
static FAILURE: Place =
    marked(Mark::Failure, &[("code", &LABEL), ("status", &LABEL), ("details", &ERROR_DETAILS)]);
static ERROR_DETAILS: Place = array(&ERROR_DETAIL);
static ERROR_DETAIL: Place =
    object(&[("@type", &LABEL), ("reason", &LABEL), ("domain", &LABEL), ("retryDelay", &LABEL)]);

static FEEDBACK: Place = object(&[("blockReason", &LABEL), ("safetyRatings", &RATINGS)]);
static RATINGS: Place = array(&RATING);
static RATING: Place = object(&[
    ("category", &LABEL),
    ("probability", &LABEL),
    ("probabilityScore", &LABEL),
    ("severity", &LABEL),
    ("severityScore", &LABEL),
    ("blocked", &LABEL),
]);

static CANDIDATES: Place = array(&CANDIDATE_ITEM);
static CANDIDATE_ITEM: Place = marked(
    Mark::Item(CANDIDATE),
    &[
        ("index", &CANDIDATE_INDEX),
        ("content", &CONTENT),
        ("finishReason", &FINISH),
        ("safetyRatings", &RATINGS),
        ("tokenCount", &LABEL),
        ("avgLogprobs", &LABEL),
        ("logprobsResult", &DROP),
        ("groundingMetadata", &GROUNDING),
        ("citationMetadata", &CITATIONS),
        ("urlContextMetadata", &URLS),
    ],
);
static CANDIDATE_INDEX: Place = fact(Fact::Index(CANDIDATE));
static FINISH: Place = fact(Fact::Finish);

static CONTENT: Place = object(&[("role", &LABEL), ("parts", &PARTS)]);
static PARTS: Place = array(&PART);
static PART: Place = Place {
    fields: &[
        ("text", &TEXT_TEXT),
        ("thought", &IS_THOUGHT),
        ("thoughtSignature", &LABEL),
        ("inlineData", &BLOB),
        ("fileData", &FILE),
        ("functionCall", &CALL),
        ("functionResponse", &CALL),
        ("executableCode", &CODE),
        ("codeExecutionResult", &RESULT),
        ("videoMetadata", &MASK),
    ],
    other: &RUNNING,
    mark: Some(Mark::Part(THOUGHT)),
    ..MASKED
};
static IS_THOUGHT: Place = fact(Fact::Index(THOUGHT));
static TEXT_TEXT: Place = text(&TEXT, &RUNNING);
static BLOB: Place = object(&[("mimeType", &LABEL), ("data", &LABEL)]);
static FILE: Place = object(&[("mimeType", &LABEL)]);
static CALL: Place = object(&[("id", &LABEL), ("willContinue", &LABEL), ("partialArgs", &PARTIAL)]);
static CODE: Place = object(&[("id", &LABEL), ("language", &LABEL)]);
static RESULT: Place = object(&[("id", &LABEL), ("outcome", &LABEL)]);

/// Pieces of a call's arguments (Vertex AI, where the request asks for them): each names the argument that it goes on
/// with.
static PARTIAL: Place = array(&PARTIAL_ITEM);
static PARTIAL_ITEM: Place = marked(
    Mark::Part(ARGUMENT),
    &[
        ("jsonPath", &ARGUMENT_PATH),
        ("stringValue", &ARGUMENT_TEXT),
        ("boolValue", &LABEL),
        ("nullValue", &LABEL),
        ("willContinue", &LABEL),
    ],
);
static ARGUMENT_PATH: Place = fact(Fact::Named(ARGUMENT));
static ARGUMENT_TEXT: Place = text(&ARGUMENT_FIELD, &MASK);

static GROUNDING: Place = object(&[
    ("searchEntryPoint", &ENTRY_POINT),
    ("groundingSupports", &SUPPORTS),
    ("retrievalMetadata", &COUNTS),
    ("googleMapsWidgetContextToken", &LABEL),
]);
static ENTRY_POINT: Place = object(&[("sdkBlob", &LABEL)]);
static SUPPORTS: Place = array(&SUPPORT);
static SUPPORT: Place =
    object(&[("segment", &SEGMENT), ("groundingChunkIndices", &LABELS), ("confidenceScores", &LABELS)]);
static SEGMENT: Place = object(&[("partIndex", &LABEL), ("startIndex", &START), ("endIndex", &END)]);
static START: Place = offset(&Offset { field: &TEXT, unit: Unit::Bytes, end: false });
static END: Place = offset(&Offset { field: &TEXT, unit: Unit::Bytes, end: true });
static CITATIONS: Place = object(&[("citationSources", &SOURCES), ("citations", &SOURCES)]);
static SOURCES: Place = array(&SOURCE);
static SOURCE: Place = object(&[("startIndex", &START), ("endIndex", &END), ("publicationDate", &COUNTS)]);
static URLS: Place = object(&[("urlMetadata", &URL_ITEMS)]);
static URL_ITEMS: Place = array(&URL);
static URL: Place = object(&[("urlRetrievalStatus", &LABEL)]);

static USAGE: Place = Place {
    fields: &[
        ("promptTokenCount", &PROMPT_TOKENS),
        ("candidatesTokenCount", &COMPLETION_TOKENS),
        ("totalTokenCount", &TOTAL_TOKENS),
        ("cachedContentTokenCount", &CACHED_TOKENS),
        ("thoughtsTokenCount", &REASONING_TOKENS),
        ("promptTokensDetails", &DETAILS),
        ("candidatesTokensDetails", &DETAILS),
        ("cacheTokensDetails", &DETAILS),
        ("toolUsePromptTokensDetails", &DETAILS),
        ("trafficType", &LABEL),
    ],
    other: &COUNTS,
    ..MASKED
};
static DETAILS: Place = array(&DETAIL);
static DETAIL: Place = object(&[("modality", &LABEL), ("tokenCount", &LABEL)]);
static PROMPT_TOKENS: Place = fact(Fact::PromptTokens);
static COMPLETION_TOKENS: Place = fact(Fact::CompletionTokens);
static TOTAL_TOKENS: Place = fact(Fact::TotalTokens);
static CACHED_TOKENS: Place = fact(Fact::CachedTokens);
static REASONING_TOKENS: Place = fact(Fact::ReasoningTokens);

static EMBEDDINGS: Place = array(&EMBEDDING);
static EMBEDDING: Place = object(&[("values", &KEEP)]);
static MODELS: Place = array(&MODEL_ITEM);
static MODEL_ITEM: Place = Place {
    fields: &[
        ("name", &LABEL),
        ("baseModelId", &LABEL),
        ("version", &LABEL),
        ("supportedGenerationMethods", &LABELS),
    ],
    other: &COUNTS,
    ..MASKED
};

/// Thinking is the same field with an index of its own.
static TEXT: Field = Field {
    id: 0,
    name: "",
    event: &[
        Part::Literal(r#""candidates":[{"content":{"role":"model","parts":[{"#),
        Part::If(THOUGHT, r#""thought":true,"#),
        Part::Literal(r#""text":""#),
        Part::Text,
        Part::Literal(r#""}]},"index":"#),
        Part::Index(CANDIDATE),
        Part::Literal("}]"),
    ],
    thinking: false,
};
static ARGUMENT_FIELD: Field = Field { id: 1, name: "", event: &[], thinking: false };
