//! Requests of chat, embed, rerank and tokenize.
//!
//! Source: <https://docs.cohere.com/reference/chat>, `embed`, `rerank` and `tokenize` beside it.

use crate::protocol::request::table::{
    ANY, ANYTHING, IMAGE, JSON, Kinds, LABEL, MAX_TOKENS, MODEL, Mark, NOTHING, NUMBER, Object, OnString,
    Place, Request, Role, STREAM, TEMPERATURE, TEXT, TOOL_KIND, TOOL_NAME, WORD, WORDS, any_or, array, bound,
    bounded, fields, marked, object, of, one_of, request, required, said_by, text_or,
};

/// `POST v2/chat`.
pub static CHAT: Request = bounded(&[bound("", &["max_tokens"])], request(&CHAT_BODY));
/// `POST v2/embed`.
pub static EMBED: Request = request(&EMBED_BODY);
/// `POST v2/rerank`.
pub static RERANK: Request = request(&RERANK_BODY);
/// `POST v1/tokenize`.
pub static TOKENIZE: Request = request(&TOKENIZE_BODY);

type Field = (&'static str, &'static Place);

static CHAT_BODY: Place = object(&CHAT_FIELDS);
static CHAT_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("messages", &MESSAGES),
    ("documents", &DOCUMENTS),
    ("tools", &TOOLS),
    ("tool_choice", &WORD),
    ("strict_tools", &ANY),
    ("citation_options", &CITATION_OPTIONS),
    ("response_format", &FORMAT),
    ("safety_mode", &WORD),
    ("stream", &STREAM),
    ("max_tokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("seed", &NUMBER),
    ("frequency_penalty", &NUMBER),
    ("presence_penalty", &NUMBER),
    ("k", &NUMBER),
    ("p", &NUMBER),
    ("priority", &NUMBER),
    ("logprobs", &ANY),
    ("stop_sequences", &ANY),
    ("thinking", &THINKING),
    ("reasoning_effort", &WORD),
]);
static CITATION_OPTIONS: Place = any_or(&CITATION_OPTIONS_FIELDS);
static CITATION_OPTIONS_FIELDS: Object = fields(&[("mode", &WORD)]);
static FORMAT: Place = said_by(Role::Definition, any_or(&FORMAT_FIELDS));
static FORMAT_FIELDS: Object = fields(&[("type", &WORD)]);
static THINKING: Place = any_or(&THINKING_FIELDS);
static THINKING_FIELDS: Object = fields(&[("type", &WORD), ("token_budget", &NUMBER)]);

/// What an answer is to rest on.
static DOCUMENTS: Place = said_by(Role::User, Place { items: Some(&DOCUMENT), ..NOTHING });
static DOCUMENT: Place = Place { object: Some(&DOCUMENT_FIELDS), ..TEXT_ALONE };
const TEXT_ALONE: Place = Place { string: OnString::Text, ..NOTHING };
static DOCUMENT_FIELDS: Object = fields(&[("id", &LABEL), ("data", &ANY)]);

static TOOLS: Place = said_by(Role::Definition, array(&TOOL));
static TOOL: Place = marked(Mark::Tool, object(&TOOL_FIELDS));
static TOOL_FIELDS: Object = fields(&[("type", &TOOL_KIND), ("function", &FUNCTION)]);
static FUNCTION: Place = any_or(&FUNCTION_FIELDS);
static FUNCTION_FIELDS: Object = fields(&[("name", &TOOL_NAME), ("description", &ANY), ("parameters", &ANY)]);

static MESSAGES: Place = array(&MESSAGE);
static MESSAGE: Place = marked(Mark::Message, object(&MESSAGE_OF));
static MESSAGE_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[
        ("system", &SYSTEM),
        ("developer", &SYSTEM),
        ("user", &USER),
        ("assistant", &ASSISTANT),
        ("tool", &RESULT),
    ],
    missing: None,
    why: "unknown role",
});
const MESSAGE_FIELDS: &[Field] = &[
    ("role", &WORD),
    ("content", &CONTENT),
    ("tool_calls", &CALLS),
    ("tool_plan", &TEXT),
    ("tool_call_id", &LABEL),
    ("citations", &CITATIONS),
];
static SYSTEM: Object = of(Role::System, fields(MESSAGE_FIELDS));
static USER: Object = of(Role::User, fields(MESSAGE_FIELDS));
static ASSISTANT: Object = of(Role::Assistant, fields(MESSAGE_FIELDS));
static RESULT: Object = of(Role::Tool, fields(MESSAGE_FIELDS));

static CONTENT: Place = text_or(&PART);
static PART: Place = object(&PART_OF);
static PART_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &TEXT_PART),
        ("thinking", &THINKING_PART),
        ("image_url", &IMAGE_PART),
        ("document", &DOCUMENT_PART),
    ],
    missing: None,
    why: "unknown kind of content",
});
static TEXT_PART: Object = required(&["text"], fields(&[("type", &WORD), ("text", &TEXT)]));
static THINKING_PART: Object = required(&["thinking"], fields(&[("type", &WORD), ("thinking", &TEXT)]));
static IMAGE_PART: Object = required(&["image_url"], fields(&[("type", &WORD), ("image_url", &IMAGE_AT)]));
static IMAGE_AT: Place = marked(Mark::Image, object(&IMAGE_FIELDS));
static IMAGE_FIELDS: Object = required(&["url"], fields(&[("url", &IMAGE), ("detail", &WORD)]));
static DOCUMENT_PART: Object = required(&["document"], fields(&[("type", &WORD), ("document", &DOCUMENT)]));

static CALLS: Place = said_by(Role::Assistant, array(&CALL));
static CALL: Place = object(&CALL_FIELDS);
static CALL_FIELDS: Object = fields(&[("id", &LABEL), ("type", &WORD), ("function", &CALLED)]);
static CALLED: Place = any_or(&CALLED_FIELDS);
static CALLED_FIELDS: Object = fields(&[("name", &ANY), ("arguments", &JSON)]);

static CITATIONS: Place = Place { items: Some(&CITATION), ..ANYTHING };
static CITATION: Place = any_or(&CITATION_FIELDS);
static CITATION_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("start", &NUMBER),
    ("end", &NUMBER),
    ("content_index", &NUMBER),
    ("sources", &SOURCES),
]);
static SOURCES: Place = Place { items: Some(&SOURCE), ..ANYTHING };
static SOURCE: Place = any_or(&SOURCE_FIELDS);
static SOURCE_FIELDS: Object = fields(&[("type", &WORD), ("id", &LABEL)]);

// Embeddings, ranks and tokens.

static EMBED_BODY: Place = object(&EMBED_FIELDS);
static EMBED_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("texts", &TEXTS),
    ("images", &IMAGES),
    ("inputs", &INPUTS),
    ("input_type", &WORD),
    ("embedding_types", &WORDS),
    ("output_dimension", &NUMBER),
    // Of each text, not of an answer.
    ("max_tokens", &NUMBER),
    ("priority", &NUMBER),
    ("truncate", &WORD),
]);
pub(in crate::protocol) static TEXTS: Place = said_by(Role::User, text_or(&TEXT));
pub(in crate::protocol) static IMAGES: Place = array(&EMBEDDED_IMAGE);
static EMBEDDED_IMAGE: Place = marked(Mark::Image, Place { string: OnString::Image, ..NOTHING });
static INPUTS: Place = said_by(Role::User, array(&INPUT));
static INPUT: Place = object(&INPUT_FIELDS);
static INPUT_FIELDS: Object = fields(&[("content", &CONTENT)]);

static RERANK_BODY: Place = object(&RERANK_FIELDS);
static RERANK_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("query", &TEXTS),
    ("documents", &RANKED),
    ("top_n", &NUMBER),
    ("max_tokens_per_doc", &NUMBER),
    ("priority", &NUMBER),
    ("rank_fields", &WORDS),
]);
pub(in crate::protocol) static RANKED: Place = said_by(Role::User, ANYTHING);

static TOKENIZE_BODY: Place = object(&TOKENIZE_FIELDS);
static TOKENIZE_FIELDS: Object = fields(&[("model", &MODEL), ("text", &TEXTS)]);

// On Bedrock: version 1 of the API, a document for each of its operations.

pub(in crate::protocol) static NATIVE: Place = object(&NATIVE_FIELDS);
static NATIVE_FIELDS: Object = fields(&[
    ("message", &TEXTS),
    ("prompt", &TEXTS),
    ("preamble", &PREAMBLE),
    ("chat_history", &HISTORY),
    ("documents", &RANKED),
    ("query", &TEXTS),
    ("texts", &TEXTS),
    ("images", &IMAGES),
    ("inputs", &INPUTS),
    ("messages", &MESSAGES),
    ("tools", &NATIVE_TOOLS),
    ("tool_results", &FOUND),
    ("max_tokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("k", &NUMBER),
    ("p", &NUMBER),
    ("seed", &NUMBER),
    ("frequency_penalty", &NUMBER),
    ("presence_penalty", &NUMBER),
    ("num_generations", &crate::protocol::request::table::CHOICES),
    ("top_n", &NUMBER),
    ("api_version", &NUMBER),
    ("output_dimension", &NUMBER),
    ("stop_sequences", &ANY),
    ("stream", &ANY),
    ("input_type", &WORD),
    ("embedding_types", &WORDS),
    ("truncate", &WORD),
    ("return_likelihoods", &WORD),
    ("prompt_truncation", &WORD),
    ("thinking", &THINKING),
    ("response_format", &FORMAT),
    ("logit_bias", &ANY),
]);
static PREAMBLE: Place = said_by(Role::System, ANYTHING);
static FOUND: Place = said_by(Role::Tool, ANYTHING);
static HISTORY: Place = array(&TURN);
static TURN: Place = marked(Mark::Message, object(&TURN_OF));
static TURN_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[("USER", &TURN_USER), ("CHATBOT", &TURN_MODEL), ("SYSTEM", &TURN_SYSTEM), ("TOOL", &TURN_TOOL)],
    missing: None,
    why: "unknown role",
});
const TURN_FIELDS: &[Field] = &[("role", &WORD), ("message", &TEXT)];
static TURN_USER: Object = of(Role::User, fields(TURN_FIELDS));
static TURN_MODEL: Object = of(Role::Assistant, fields(TURN_FIELDS));
static TURN_SYSTEM: Object = of(Role::System, fields(TURN_FIELDS));
static TURN_TOOL: Object = of(Role::Tool, fields(TURN_FIELDS));
static NATIVE_TOOLS: Place = said_by(Role::Definition, array(&NATIVE_TOOL));
static NATIVE_TOOL: Place = marked(Mark::Tool, object(&NATIVE_TOOL_FIELDS));
static NATIVE_TOOL_FIELDS: Object = fields(&[
    ("name", &TOOL_NAME),
    ("type", &TOOL_KIND),
    ("description", &ANY),
    ("parameter_definitions", &ANY),
    ("function", &FUNCTION),
]);

#[cfg(test)]
mod tests;
