//! Requests of generateContent and its stream, of token counts and embeddings.
//!
//! The API's JSON is Protocol Buffers': keys may be written with underscores too, and where a list belongs one element may
//! stand for it. Source: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/api/embeddings>, Vertex AI's
//! reference and the official client's types.

use crate::protocol::request::table::{
    self, ANY, ANYTHING, Bound, CHOICES, DATA, Fact, Kinds, LABEL, LABELS, MAX_TOKENS, Mark, NOTHING, NUMBER,
    Naming, Object, OnFlag, OnString, Place, REFERENCE, REFERENCES, Request, Role, TEMPERATURE, TOOL_NAME,
    WORD, WORDS, any_or, bound, bounded, fields, list, marked, object, of, one_of, refused, said_by,
};

/// `models/{model}:generateContent`.
pub static GENERATE: Request = bounded(BOUNDED, request(&BODY, false));
/// `models/{model}:streamGenerateContent`.
pub static STREAM: Request = bounded(BOUNDED, request(&BODY, true));
/// `models/{model}:countTokens`.
pub static COUNT: Request = request(&COUNTED, false);
/// `models/{model}:embedContent`.
pub static EMBED: Request = request(&EMBEDDED, false);
/// `models/{model}:batchEmbedContents`.
pub static EMBED_MANY: Request = request(&EMBEDDED_MANY, false);

const BOUNDED: &[Bound] = &[bound("", &["generationConfig", "maxOutputTokens"])];

const fn request(body: &'static Place, streams: bool) -> Request {
    Request { path_model: true, streams, ..table::request(body) }
}

type Field = (&'static str, &'static Place);

/// An object of the API.
const fn message(of: &'static [Field]) -> Object {
    Object { naming: Naming::Protobuf, ..fields(of) }
}

static BODY: Place = object(&BODY_FIELDS);
static BODY_FIELDS: Object = message(&[
    ("model", &SAME_MODEL),
    ("contents", &CONTENTS),
    ("systemInstruction", &INSTRUCTION),
    ("tools", &TOOLS),
    ("toolConfig", &TOOL_CONFIG),
    ("safetySettings", &SAFETY),
    ("generationConfig", &CONFIG),
    ("cachedContent", &REFERENCE),
    ("store", &STORE),
    ("labels", &ANY),
    ("serviceTier", &WORD),
]);
static SAME_MODEL: Place = Place { string: OnString::Read(Fact::SameModel), ..NOTHING };
static STORE: Place = Place { flag: OnFlag::Read(Fact::Store), ..NOTHING };

static COUNTED: Place = object(&COUNTED_FIELDS);
static COUNTED_FIELDS: Object = message(&[
    ("model", &SAME_MODEL),
    ("contents", &CONTENTS),
    ("generateContentRequest", &BODY),
    ("systemInstruction", &INSTRUCTION),
    ("tools", &TOOLS),
    ("generationConfig", &CONFIG),
]);

static EMBEDDED: Place = object(&EMBEDDED_FIELDS);
static EMBEDDED_FIELDS: Object = message(&[
    ("model", &SAME_MODEL),
    ("content", &CONTENT),
    ("taskType", &WORD),
    ("title", &TITLE),
    ("outputDimensionality", &NUMBER),
    ("autoTruncate", &ANY),
    ("embedContentConfig", &EMBEDDED_CONFIG),
]);
static TITLE: Place = said_by(Role::User, ANYTHING);
static EMBEDDED_CONFIG: Place = any_or(&EMBEDDED_CONFIG_FIELDS);
static EMBEDDED_CONFIG_FIELDS: Object =
    message(&[("taskType", &WORD), ("title", &TITLE), ("outputDimensionality", &NUMBER)]);
static EMBEDDED_MANY: Place = object(&EMBEDDED_MANY_FIELDS);
static EMBEDDED_MANY_FIELDS: Object = message(&[("requests", &EMBEDDED_LIST)]);
static EMBEDDED_LIST: Place = list(&EMBEDDED);

// How to answer.

static CONFIG: Place = marked(Mark::Config, object(&CONFIG_FIELDS));
static CONFIG_FIELDS: Object = message(&[
    // 0 is no bound: in Protocol Buffers it is what a number is that is not given. Vertex AI refuses it.
    ("maxOutputTokens", &MAX_TOKENS),
    ("candidateCount", &CHOICES),
    ("temperature", &TEMPERATURE),
    ("topP", &NUMBER),
    ("topK", &NUMBER),
    ("seed", &NUMBER),
    ("presencePenalty", &NUMBER),
    ("frequencyPenalty", &NUMBER),
    ("responseLogprobs", &ANY),
    ("logprobs", &NUMBER),
    ("stopSequences", &ANY),
    ("responseMimeType", &WORD),
    ("responseModalities", &WORDS),
    ("responseSchema", &SCHEMA),
    ("responseJsonSchema", &SCHEMA),
    ("mediaResolution", &WORD),
    ("thinkingConfig", &THINKING),
    ("speechConfig", &SPEECH),
    ("imageConfig", &IMAGES),
    ("audioTimestamp", &ANY),
    ("routingConfig", &OTHER_MODELS),
]);
static SCHEMA: Place = said_by(Role::Definition, ANYTHING);
static THINKING: Place = any_or(&THINKING_FIELDS);
static THINKING_FIELDS: Object =
    message(&[("includeThoughts", &ANY), ("thinkingBudget", &NUMBER), ("thinkingLevel", &WORD)]);
static SPEECH: Place = any_or(&SPEECH_FIELDS);
static SPEECH_FIELDS: Object = message(&[("languageCode", &WORD)]);
static IMAGES: Place = any_or(&IMAGES_FIELDS);
static IMAGES_FIELDS: Object = message(&[("aspectRatio", &WORD), ("imageSize", &WORD)]);
/// A model that is none of the path's.
static OTHER_MODELS: Place = refused("other models than the path names");
static SAFETY: Place = list(&SAFETY_ITEM);
static SAFETY_ITEM: Place = object(&SAFETY_FIELDS);
static SAFETY_FIELDS: Object = message(&[("category", &WORD), ("threshold", &WORD), ("method", &WORD)]);

// Tools.

static TOOLS: Place = said_by(Role::Definition, list(&TOOL));
static TOOL: Place = object(&TOOL_FIELDS);
static TOOL_FIELDS: Object = Object {
    other: &BUILT_IN,
    ..message(&[
        ("functionDeclarations", &DECLARATIONS),
        ("googleSearch", &BUILT_IN),
        ("googleSearchRetrieval", &BUILT_IN),
        ("enterpriseWebSearch", &BUILT_IN),
        ("googleMaps", &BUILT_IN),
        ("codeExecution", &BUILT_IN),
        ("urlContext", &BUILT_IN),
        ("computerUse", &BUILT_IN),
        ("mcpServers", &BUILT_IN),
        ("fileSearch", &FILE_SEARCH),
        ("retrieval", &RETRIEVAL),
    ])
};
/// A tool of the provider's, which is called by its key.
static BUILT_IN: Place = marked(Mark::ToolByKey, ANYTHING);
static FILE_SEARCH: Place = marked(Mark::ToolByKey, any_or(&FILE_SEARCH_FIELDS));
static FILE_SEARCH_FIELDS: Object = message(&[("fileSearchStoreNames", &REFERENCES)]);
static RETRIEVAL: Place = marked(Mark::ToolByKey, any_or(&RETRIEVAL_FIELDS));
static RETRIEVAL_FIELDS: Object = Object { mark: Some(Mark::Reference), ..message(&[]) };
static DECLARATIONS: Place = list(&DECLARATION);
static DECLARATION: Place = marked(Mark::Tool, object(&DECLARATION_FIELDS));
static DECLARATION_FIELDS: Object = message(&[
    ("name", &TOOL_NAME),
    ("description", &ANY),
    ("parameters", &ANY),
    ("parametersJsonSchema", &ANY),
    ("response", &ANY),
    ("responseJsonSchema", &ANY),
    ("behavior", &WORD),
]);
static TOOL_CONFIG: Place = any_or(&TOOL_CONFIG_FIELDS);
static TOOL_CONFIG_FIELDS: Object = message(&[("functionCallingConfig", &CALLING)]);
static CALLING: Place = any_or(&CALLING_FIELDS);
static CALLING_FIELDS: Object = message(&[("mode", &WORD), ("allowedFunctionNames", &LABELS)]);

// Contents.

static CONTENTS: Place = list(&CONTENT);
static CONTENT: Place = object(&CONTENT_OF);
static CONTENT_OF: Object = Object {
    mark: Some(Mark::Message),
    naming: Naming::Protobuf,
    ..one_of(&Kinds {
        key: "role",
        rows: &[
            ("user", &USER),
            ("model", &MODEL),
            ("function", &FUNCTION),
            ("tool", &FUNCTION),
            ("system", &SYSTEM),
            ("", &USER),
        ],
        missing: Some(&USER),
        why: "unknown role",
    })
};
const CONTENT_FIELDS: &[Field] = &[("role", &WORD), ("parts", &PARTS)];
static USER: Object = of(Role::User, message(CONTENT_FIELDS));
static MODEL: Object = of(Role::Assistant, message(CONTENT_FIELDS));
static FUNCTION: Object = of(Role::Tool, message(CONTENT_FIELDS));
static SYSTEM: Object = of(Role::System, message(CONTENT_FIELDS));
/// Whatever role it names.
static INSTRUCTION: Place = said_by(Role::System, object(&INSTRUCTION_FIELDS));
static INSTRUCTION_FIELDS: Object = message(CONTENT_FIELDS);

static PARTS: Place = list(&PART);
static PART: Place = object(&PART_FIELDS);
static PART_FIELDS: Object = message(&[
    ("text", &ANY),
    ("thought", &ANY),
    ("thoughtSignature", &DATA),
    ("inlineData", &BLOB),
    ("fileData", &FILE),
    ("functionCall", &CALL),
    ("functionResponse", &RESPONSE),
    ("toolCall", &CALL),
    ("toolResponse", &RESPONSE),
    ("executableCode", &CODE),
    ("codeExecutionResult", &RESULT),
    ("videoMetadata", &CUT),
    ("mediaResolution", &RESOLUTION),
]);
static BLOB: Place = object(&BLOB_OF);
static BLOB_OF: Object = Object {
    naming: Naming::Protobuf,
    ..one_of(&Kinds {
        key: "mimeType",
        rows: &[("image/*", &PICTURE), ("audio/*", &SOUND), ("video/*", &FILM)],
        missing: None,
        why: "the content of a file cannot be read",
    })
};
const BLOB_FIELDS: &[Field] = &[("mimeType", &WORD), ("data", &DATA), ("displayName", &ANY)];
static PICTURE: Object = Object { mark: Some(Mark::Image), ..message(BLOB_FIELDS) };
static SOUND: Object = Object { mark: Some(Mark::Audio), ..message(BLOB_FIELDS) };
static FILM: Object = Object { mark: Some(Mark::Video), ..message(BLOB_FIELDS) };
static FILE: Place = object(&FILE_FIELDS);
static FILE_FIELDS: Object = message(&[("mimeType", &WORD), ("fileUri", &REFERENCE), ("displayName", &ANY)]);
static CALL: Place = said_by(Role::Assistant, any_or(&CALL_FIELDS));
static CALL_FIELDS: Object = message(&[("id", &LABEL), ("toolType", &WORD), ("name", &ANY), ("args", &ANY)]);
static RESPONSE: Place = said_by(Role::Tool, any_or(&RESPONSE_FIELDS));
static RESPONSE_FIELDS: Object = message(&[
    ("id", &LABEL),
    ("toolType", &WORD),
    ("name", &ANY),
    ("response", &ANY),
    ("scheduling", &WORD),
    ("willContinue", &ANY),
    ("parts", &RESPONSE_PARTS),
]);
static RESPONSE_PARTS: Place = list(&RESPONSE_PART);
static RESPONSE_PART: Place = object(&RESPONSE_PART_FIELDS);
static RESPONSE_PART_FIELDS: Object = message(&[("inlineData", &BLOB), ("fileData", &FILE)]);
static CODE: Place = said_by(Role::Assistant, any_or(&CODE_FIELDS));
static CODE_FIELDS: Object = message(&[("id", &LABEL), ("language", &WORD), ("code", &ANY)]);
static RESULT: Place = said_by(Role::Tool, any_or(&RESULT_FIELDS));
static RESULT_FIELDS: Object = message(&[("id", &LABEL), ("outcome", &WORD), ("output", &ANY)]);
static CUT: Place = any_or(&CUT_FIELDS);
static CUT_FIELDS: Object = message(&[("startOffset", &WORD), ("endOffset", &WORD), ("fps", &NUMBER)]);
static RESOLUTION: Place = any_or(&RESOLUTION_FIELDS);
static RESOLUTION_FIELDS: Object = message(&[("level", &WORD), ("numTokens", &NUMBER)]);

#[cfg(test)]
mod tests;
