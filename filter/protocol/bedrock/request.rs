//! Requests of Converse and its stream, of InvokeModel and its, and of token counts.
//!
//! Converse is one API for all models. What InvokeModel takes is the document of the model's maker, whose name stands in
//! the model's: [`native`]; of a model whose maker is not known every string is text. Source: AWS's model of the API and
//! the pages of model parameters in Bedrock's user guide.

mod native;

use crate::protocol::anthropic::request as anthropic;
use crate::protocol::request::table::{
    ANY, ANYTHING, Body, Bound, DATA, JSON, Kinds, LABEL, MAX_TOKENS, Mark, NUMBER, Object, Place, REFERENCE,
    Request, Role, TEMPERATURE, TOOL_NAME, UNBOUNDED, WORD, WORDS, any_or, array, bound, bounded, fields,
    marked, object, of, one_of, refused, said_by,
};

/// `POST model/{model}/converse`.
pub static CONVERSE: Request = bounded(BOUNDED, request(Body::One(&BODY), false));
/// `POST model/{model}/converse-stream`.
pub static CONVERSE_STREAM: Request = bounded(BOUNDED, request(Body::One(&BODY), true));
/// `POST model/{model}/count-tokens`.
pub static COUNT: Request = request(Body::One(&COUNTED), false);
/// `POST model/{model}/invoke`.
pub static INVOKE: Request = bounded(native::BOUNDED, request(native::BY_MAKER, false));
/// `POST model/{model}/invoke-with-response-stream`.
pub static INVOKE_STREAM: Request = bounded(native::BOUNDED, request(native::BY_MAKER, true));

const BOUNDED: &[Bound] = &[bound("", &["inferenceConfig", "maxTokens"])];

const fn request(body: Body, streams: bool) -> Request {
    Request {
        body,
        path_model: true,
        streams,
        bounded: UNBOUNDED,
        kept: false,
        tells_if_asked: false,
        batch: false,
        later: false,
    }
}

type Field = (&'static str, &'static Place);

static BODY: Place = object(&BODY_FIELDS);
static BODY_FIELDS: Object = fields(&[
    ("messages", &MESSAGES),
    ("system", &SYSTEM),
    ("inferenceConfig", &INFERENCE),
    ("toolConfig", &TOOL_CONFIG),
    ("guardrailConfig", &GUARDRAIL),
    ("additionalModelRequestFields", &ADDITIONAL),
    ("additionalModelResponseFieldPaths", &ANY),
    ("promptVariables", &VARIABLES),
    ("requestMetadata", &ANY),
    ("performanceConfig", &WORDED),
    ("serviceTier", &WORDED),
    ("outputConfig", &OUTPUT),
]);
static INFERENCE: Place = marked(Mark::Config, object(&INFERENCE_FIELDS));
static INFERENCE_FIELDS: Object = fields(&[
    ("maxTokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("topP", &NUMBER),
    ("stopSequences", &ANY),
]);
static GUARDRAIL: Place = any_or(&GUARDRAIL_FIELDS);
static GUARDRAIL_FIELDS: Object = fields(&[
    ("guardrailIdentifier", &LABEL),
    ("guardrailVersion", &LABEL),
    ("trace", &WORD),
    ("streamProcessingMode", &WORD),
]);
/// Fields of the model's own document beside those of Converse; Anthropic's name tools.
static ADDITIONAL: Place = any_or(&ADDITIONAL_FIELDS);
static ADDITIONAL_FIELDS: Object = fields(&[
    ("tools", &anthropic::TOOLS),
    ("max_tokens", &MAX_TOKENS),
    ("top_k", &NUMBER),
    ("thinking", &anthropic::THINKING),
    ("anthropic_beta", &WORDS),
    ("reasoning_effort", &WORD),
]);
static VARIABLES: Place = said_by(Role::User, ANYTHING);
static WORDED: Place = any_or(&WORDED_FIELDS);
static WORDED_FIELDS: Object = fields(&[("type", &WORD), ("latency", &WORD), ("ttl", &WORD)]);
static OUTPUT: Place = said_by(Role::Definition, any_or(&OUTPUT_FIELDS));
static OUTPUT_FIELDS: Object = fields(&[("effort", &WORD), ("textFormat", &FORMAT)]);
static FORMAT: Place = any_or(&FORMAT_FIELDS);
static FORMAT_FIELDS: Object = fields(&[("type", &WORD), ("structure", &STRUCTURE)]);
static STRUCTURE: Place = any_or(&STRUCTURE_FIELDS);
static STRUCTURE_FIELDS: Object = fields(&[("jsonSchema", &SCHEMA)]);
static SCHEMA: Place = any_or(&SCHEMA_FIELDS);
static SCHEMA_FIELDS: Object = fields(&[("schema", &JSON)]);

static COUNTED: Place = object(&COUNTED_FIELDS);
static COUNTED_FIELDS: Object = fields(&[("input", &INPUT)]);
static INPUT: Place = object(&INPUT_FIELDS);
static INPUT_FIELDS: Object = fields(&[("converse", &BODY), ("invokeModel", &PACKED)]);
static PACKED: Place = refused("a body that is packed in base64 cannot be read");

// Tools.

static TOOL_CONFIG: Place = said_by(Role::Definition, object(&TOOL_CONFIG_FIELDS));
static TOOL_CONFIG_FIELDS: Object = fields(&[("tools", &TOOLS), ("toolChoice", &TOOL_CHOICE)]);
static TOOLS: Place = array(&TOOL);
static TOOL: Place = object(&TOOL_FIELDS);
static TOOL_FIELDS: Object = fields(&[("toolSpec", &SPEC), ("systemTool", &SPEC), ("cachePoint", &WORDED)]);
static SPEC: Place = marked(Mark::Tool, object(&SPEC_FIELDS));
static SPEC_FIELDS: Object =
    fields(&[("name", &TOOL_NAME), ("description", &ANY), ("inputSchema", &ANY), ("strict", &ANY)]);
static TOOL_CHOICE: Place = any_or(&TOOL_CHOICE_FIELDS);
static TOOL_CHOICE_FIELDS: Object = fields(&[("auto", &ANY), ("any", &ANY), ("tool", &CHOSEN)]);
static CHOSEN: Place = any_or(&CHOSEN_FIELDS);
static CHOSEN_FIELDS: Object = fields(&[("name", &LABEL)]);

// Messages.

static MESSAGES: Place = array(&MESSAGE);
static MESSAGE: Place = marked(Mark::Message, object(&MESSAGE_OF));
static MESSAGE_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[("user", &USER), ("assistant", &ASSISTANT), ("system", &SYSTEM_MESSAGE)],
    missing: None,
    why: "unknown role",
});
const MESSAGE_FIELDS: &[Field] = &[("role", &WORD), ("content", &CONTENT)];
static USER: Object = of(Role::User, fields(MESSAGE_FIELDS));
static ASSISTANT: Object = of(Role::Assistant, fields(MESSAGE_FIELDS));
static SYSTEM_MESSAGE: Object = of(Role::System, fields(MESSAGE_FIELDS));
static SYSTEM: Place = said_by(Role::System, array(&BLOCK));

static CONTENT: Place = array(&BLOCK);
static BLOCK: Place = object(&BLOCK_FIELDS);
static BLOCK_FIELDS: Object = fields(&[
    ("text", &ANY),
    ("image", &PICTURE),
    ("audio", &SOUND),
    ("video", &FILM),
    ("document", &DOCUMENT),
    ("searchResult", &SEARCHED),
    ("toolUse", &USE),
    ("toolResult", &RESULT),
    ("reasoningContent", &REASONING),
    ("citationsContent", &CITED),
    ("guardContent", &GUARDED),
    ("cachePoint", &WORDED),
    ("json", &ANY),
]);
static PICTURE: Place = marked(Mark::Image, MEDIA);
static SOUND: Place = marked(Mark::Audio, MEDIA);
static FILM: Place = marked(Mark::Video, MEDIA);
const MEDIA: Place = object(&MEDIA_FIELDS);
static MEDIA_FIELDS: Object = fields(&[("format", &WORD), ("source", &MEDIA_SOURCE)]);
static MEDIA_SOURCE: Place = object(&MEDIA_SOURCE_FIELDS);
static MEDIA_SOURCE_FIELDS: Object = fields(&[("bytes", &DATA), ("s3Location", &STORED)]);
static STORED: Place = any_or(&STORED_FIELDS);
static STORED_FIELDS: Object = fields(&[("uri", &REFERENCE), ("bucketOwner", &LABEL)]);

static DOCUMENT: Place = object(&DOCUMENT_FIELDS);
static DOCUMENT_FIELDS: Object = fields(&[
    ("format", &WORD),
    ("name", &ANY),
    ("source", &DOCUMENT_SOURCE),
    ("context", &ANY),
    ("citations", &ANY),
]);
static DOCUMENT_SOURCE: Place = object(&DOCUMENT_SOURCE_FIELDS);
static DOCUMENT_SOURCE_FIELDS: Object =
    fields(&[("bytes", &FILE), ("s3Location", &STORED), ("text", &ANY), ("content", &ANY)]);
static FILE: Place = refused("the content of a file cannot be read");
static SEARCHED: Place = any_or(&SEARCHED_FIELDS);
static SEARCHED_FIELDS: Object =
    fields(&[("source", &ANY), ("title", &ANY), ("content", &ANY), ("citations", &ANY)]);

static USE: Place = said_by(Role::Assistant, any_or(&USE_FIELDS));
static USE_FIELDS: Object =
    fields(&[("toolUseId", &LABEL), ("type", &WORD), ("name", &ANY), ("input", &ANY)]);
static RESULT: Place = said_by(Role::Tool, any_or(&RESULT_FIELDS));
static RESULT_FIELDS: Object =
    fields(&[("toolUseId", &LABEL), ("type", &WORD), ("status", &WORD), ("content", &CONTENT)]);
static REASONING: Place = any_or(&REASONING_FIELDS);
static REASONING_FIELDS: Object = fields(&[("reasoningText", &REASONED), ("redactedContent", &DATA)]);
static REASONED: Place = any_or(&REASONED_FIELDS);
static REASONED_FIELDS: Object = fields(&[("text", &ANY), ("signature", &DATA)]);
static CITED: Place = any_or(&CITED_FIELDS);
static CITED_FIELDS: Object = fields(&[("content", &ANY), ("citations", &CITATIONS)]);
static CITATIONS: Place = Place { items: Some(&CITATION), ..ANYTHING };
static CITATION: Place = any_or(&CITATION_FIELDS);
static CITATION_FIELDS: Object = fields(&[("location", &LOCATION)]);
static LOCATION: Place = any_or(&LOCATION_FIELDS);
static LOCATION_FIELDS: Object = fields(&[
    ("documentChar", &COUNTS),
    ("documentPage", &COUNTS),
    ("documentChunk", &COUNTS),
    ("searchResultLocation", &COUNTS),
]);
static COUNTS: Place = any_or(&COUNTS_FIELDS);
static COUNTS_FIELDS: Object = Object { other: &NUMBER, ..fields(&[]) };
static GUARDED: Place = object(&GUARDED_FIELDS);
static GUARDED_FIELDS: Object = fields(&[("text", &GUARDED_TEXT), ("image", &PICTURE)]);
static GUARDED_TEXT: Place = any_or(&GUARDED_TEXT_FIELDS);
static GUARDED_TEXT_FIELDS: Object = fields(&[("text", &ANY), ("qualifiers", &WORDS)]);

#[cfg(test)]
mod tests;
