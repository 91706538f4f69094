//! Requests of chat completions, completions and embeddings. Those of the Responses API: [`responses`]; of moderations,
//! images and speech: [`media`].
//!
//! What is not named here is text: `suffix`, `stop`, `user`, `metadata`, and whatever the API has got since. Source:
//! <https://platform.openai.com/docs/api-reference/chat/create>, the official clients' types, and the fields that
//! compatible providers add.

#[cfg(test)]
mod kept;
#[cfg(test)]
mod masks;
pub mod media;
#[cfg(test)]
mod more;
pub mod responses;
#[cfg(test)]
mod tests;
pub mod threads;

use crate::protocol::request::table::{
    ANY, ANYTHING, Bound, CANDIDATES, CHOICES, DATA, Fact, IMAGE, JSON, Kinds, LABEL, LATER, MAX_TOKENS,
    MODEL, Mark, NOTHING, NUMBER, Object, OnFlag, OnNumber, OnString, Place, REFERENCE, REFERENCES, Request,
    Role, STREAM, TEMPERATURE, TEXT, TOOL_KIND, TOOL_NAME, WORD, WORDS, any_or, array, bound, bounded,
    fields, marked, object, of, one_of, refused, request, required, said_by, text_or,
};

/// `POST chat/completions`.
pub static CHAT: Request = bounded(BOUNDED, telling(&CHAT_BODY));
/// `POST completions`, the older form.
pub static COMPLETIONS: Request = bounded(&[bound("", &["max_tokens"])], telling(&COMPLETIONS_BODY));
/// `POST embeddings`.
pub static EMBEDDINGS: Request = request(&EMBEDDINGS_BODY);

/// OpenAI's own models read the newer field, and the older one or refuse it. Compatible providers know the older one, and
/// some pass over what they do not know.
///
/// So the newer one is for names that OpenAI gives. Of any other the older one is put: whoever does not read it refuses it
/// (a reasoning model that Azure deploys under another name), and nobody passes over it. Both at once OpenAI refuses.
const BOUNDED: &[Bound] = &[
    // Open weights, which others serve.
    older("gpt-oss"),
    older("^gpt-j"),
    older("^gpt-neo"),
    own("^gpt-"),
    own("^chatgpt-"),
    own("^ft:gpt-"),
    own("^ft:o4"),
    own("^o1"),
    own("^o3"),
    own("^o4"),
    // As gateways call them.
    own("^openai/"),
    own("^azure/"),
    older(""),
];

const fn older(models: &'static str) -> Bound {
    bound(models, &["max_tokens"])
}

const fn own(models: &'static str) -> Bound {
    Bound { models, keys: &["max_completion_tokens"], also: &["max_tokens"] }
}

/// Requests whose streams tell their usage only if they are asked.
const fn telling(body: &'static Place) -> Request {
    Request { tells_if_asked: true, ..request(body) }
}

type Field = (&'static str, &'static Place);

/// The fields that bodies have in common, and more of them.
macro_rules! body {
    ($($more:expr),* $(,)?) => {
        &[
            $($more,)*
            ("model", &MODEL),
            ("models", &OTHER_MODELS),
            ("stream", &STREAM),
            ("stream_options", &STREAM_OPTIONS),
            ("max_tokens", &MAX_TOKENS),
            ("max_completion_tokens", &MAX_TOKENS),
            ("n_predict", &N_PREDICT),
            ("n", &CHOICES),
            ("temperature", &TEMPERATURE),
            ("top_p", &NUMBER),
            ("seed", &NUMBER),
            ("frequency_penalty", &NUMBER),
            ("presence_penalty", &NUMBER),
            ("logprobs", &NUMBER),
            ("best_of", &CANDIDATES),
            ("logit_bias", &ANY),
            ("stop", &ANY),
            ("user", &ANY),
            ("metadata", &ANY),
        ]
    };
}

pub(in crate::protocol) static CHAT_BODY: Place = object(&CHAT_FIELDS);
static CHAT_FIELDS: Object = required(&["messages"], fields(CHAT_ALL));
const CHAT_ALL: &[Field] = body!(
    ("messages", &MESSAGES),
    ("tools", &TOOLS),
    ("functions", &TOOLS),
    ("tool_choice", &TOOL_CHOICE),
    ("function_call", &TOOL_CHOICE),
    ("parallel_tool_calls", &ANY),
    ("response_format", &FORMAT),
    ("prediction", &PREDICTION),
    ("modalities", &WORDS),
    ("audio", &SPOKEN),
    ("top_logprobs", &NUMBER),
    ("reasoning_effort", &WORD),
    ("verbosity", &WORD),
    ("service_tier", &WORD),
    ("store", &STORE),
    ("web_search_options", &ANY),
    ("prompt_cache_key", &ANY),
    ("prompt_cache_retention", &WORD),
    ("safety_identifier", &ANY),
    // Dialects.
    ("deferred", &LATER),
    ("instructions", &ANY),
    ("suffix", &ANY),
    ("previous_response_id", &KEPT),
    ("conversation", &KEPT),
    ("conversation_id", &KEPT),
    ("container", &KEPT),
    ("file_ids", &REFERENCES),
);

static COMPLETIONS_BODY: Place = object(&COMPLETIONS_FIELDS);
static COMPLETIONS_FIELDS: Object = required(&["prompt"], fields(COMPLETIONS_ALL));
const COMPLETIONS_ALL: &[Field] =
    body!(("prompt", &PROMPTS), ("suffix", &ANY), ("echo", &ANY), ("store", &STORE));

static EMBEDDINGS_BODY: Place = object(&EMBEDDINGS_FIELDS);
static EMBEDDINGS_FIELDS: Object = required(&["input"], fields(EMBEDDINGS_ALL));
const EMBEDDINGS_ALL: &[Field] =
    body!(("input", &PROMPT), ("dimensions", &NUMBER), ("encoding_format", &WORD));

/// llama.cpp goes by it before the others, and a negative number takes the bound away there.
static N_PREDICT: Place = Place { number: OnNumber::Read(Fact::MaxTokensOrNone), ..NOTHING };
/// OpenRouter takes one of these where `model` cannot answer; a rule on the model would not see which.
static OTHER_MODELS: Place = refused("other models than `model`");
static STREAM_OPTIONS: Place = marked(Mark::Config, any_or(&STREAM_OPTIONS_FIELDS));
static STREAM_OPTIONS_FIELDS: Object =
    fields(&[("include_usage", &INCLUDE_USAGE), ("include_obfuscation", &ANY)]);
static INCLUDE_USAGE: Place = Place { flag: OnFlag::Read(Fact::IncludeUsage), ..NOTHING };
static STORE: Place = Place { flag: OnFlag::Read(Fact::Store), ..NOTHING };
/// An id of what the provider keeps, or an object around one.
static KEPT: Place = Place { object: Some(&KEPT_FIELDS), string: OnString::Reference, ..ANYTHING };
static KEPT_FIELDS: Object = fields(&[("id", &REFERENCE)]);

/// Token ids are not text, and cannot be read.
static PROMPT: Place = said_by(Role::User, text_or(&TEXT));
/// The same, where each text of several is answered by itself.
static PROMPTS: Place = said_by(Role::User, text_or(&ONE_OF_THEM));
static ONE_OF_THEM: Place = marked(Mark::Prompt, Place { string: OnString::Text, ..NOTHING });

static FORMAT: Place = said_by(Role::Definition, any_or(&FORMAT_FIELDS));
static FORMAT_FIELDS: Object = fields(&[("type", &WORD)]);
static PREDICTION: Place = said_by(Role::Definition, any_or(&PREDICTED));
static PREDICTED: Object = fields(&[("type", &WORD), ("content", &ANY)]);
static SPOKEN: Place = any_or(&SPOKEN_FIELDS);
static SPOKEN_FIELDS: Object = fields(&[("voice", &VOICE), ("format", &WORD)]);
static VOICE: Place = Place { string: OnString::Word, object: Some(&KEPT_FIELDS), ..ANYTHING };

// Tools, of the Responses API too.

pub(in crate::protocol) static TOOLS: Place = said_by(Role::Definition, array(&TOOL));
static TOOL: Place = marked(Mark::Tool, object(&TOOL_FIELDS));
static TOOL_FIELDS: Object = fields(&[
    ("type", &TOOL_KIND),
    ("name", &TOOL_NAME),
    ("function", &FUNCTION),
    ("custom", &FUNCTION),
    ("description", &ANY),
    ("parameters", &ANY),
    ("tools", &TOOLS),
    ("allowed_callers", &WORDS),
    ("vector_store_ids", &REFERENCES),
    ("container", &CONTAINER),
    ("environment", &CONTAINER),
    ("input_image_mask", &MASKED_IMAGE),
    ("server_label", &LABEL),
    ("connector_id", &WORD),
    // For the server that the tool stands for, not for the model.
    ("authorization", &DATA),
    ("headers", &CREDENTIALS),
    ("search_context_size", &WORD),
    ("size", &WORD),
    ("quality", &WORD),
    ("output_format", &WORD),
]);
static FUNCTION: Place = any_or(&FUNCTION_FIELDS);
static FUNCTION_FIELDS: Object =
    fields(&[("name", &TOOL_NAME), ("description", &ANY), ("parameters", &ANY), ("strict", &ANY)]);
/// Where tools run: one that the provider keeps, or what a new one gets.
static CONTAINER: Place = Place { string: OnString::Reference, object: Some(&CONTAINER_FIELDS), ..ANYTHING };
static CONTAINER_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("file_ids", &REFERENCES),
    ("container_id", &REFERENCE),
    ("memory_limit", &WORD),
]);
static MASKED_IMAGE: Place = any_or(&MASKED_IMAGE_FIELDS);
static MASKED_IMAGE_FIELDS: Object = fields(&[("file_id", &REFERENCE), ("image_url", &IMAGE)]);
static CREDENTIALS: Place = any_or(&CREDENTIALS_FIELDS);
static CREDENTIALS_FIELDS: Object = Object { other: &DATA, ..fields(&[]) };

pub(in crate::protocol) static TOOL_CHOICE: Place =
    Place { string: OnString::Word, object: Some(&CHOSEN), ..ANYTHING };
static CHOSEN: Object = fields(&[
    ("type", &WORD),
    ("mode", &WORD),
    ("name", &LABEL),
    ("server_label", &LABEL),
    ("function", &CHOSEN_FUNCTION),
    ("custom", &CHOSEN_FUNCTION),
    ("tools", &CHOSEN_TOOLS),
    ("allowed_tools", &CHOSEN_TOOL),
]);
static CHOSEN_FUNCTION: Place = any_or(&CHOSEN_FIELDS);
static CHOSEN_FIELDS: Object = fields(&[("name", &LABEL)]);
static CHOSEN_TOOLS: Place = Place { items: Some(&CHOSEN_TOOL), ..ANYTHING };
static CHOSEN_TOOL: Place = any_or(&CHOSEN);

// Messages.

pub(in crate::protocol) static MESSAGES: Place = array(&MESSAGE);
static MESSAGE: Place = marked(Mark::Message, object(&MESSAGE_OF));
static MESSAGE_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[
        ("system", &SYSTEM),
        ("developer", &SYSTEM),
        ("user", &USER),
        ("assistant", &ASSISTANT),
        ("tool", &TOOL_RESULT),
        ("function", &TOOL_RESULT),
    ],
    missing: None,
    why: "unknown role",
});
static SYSTEM: Object = of(Role::System, fields(MESSAGE_FIELDS));
static USER: Object = of(Role::User, fields(MESSAGE_FIELDS));
static ASSISTANT: Object = of(Role::Assistant, fields(MESSAGE_FIELDS));
static TOOL_RESULT: Object = of(Role::Tool, fields(MESSAGE_FIELDS));
const MESSAGE_FIELDS: &[Field] = &[
    ("role", &WORD),
    ("content", &CONTENT),
    ("name", &TEXT),
    ("refusal", &TEXT),
    ("reasoning_content", &TEXT),
    ("reasoning", &TEXT),
    ("reasoning_details", &REASONING),
    ("thinking_blocks", &REASONING),
    ("tool_calls", &CALLS),
    ("tool_call_id", &LABEL),
    ("function_call", &FUNCTION_CALL),
    ("audio", &AUDIO),
];

/// What the model said, which the provider keeps.
static AUDIO: Place = object(&AUDIO_FIELDS);
static AUDIO_FIELDS: Object = required(&["id"], fields(&[("id", &REFERENCE)]));

/// OpenRouter's form of reasoning, and LiteLLM's: signed, and some of it for the provider alone.
static REASONING: Place = Place { items: Some(&REASONING_ITEM), ..ANYTHING };
static REASONING_ITEM: Place = any_or(&REASONING_FIELDS);
static REASONING_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("id", &LABEL),
    ("format", &WORD),
    ("index", &NUMBER),
    ("signature", &DATA),
    ("data", &DATA),
]);

static CALLS: Place = said_by(Role::Assistant, array(&CALL));
static CALL: Place = object(&CALL_FIELDS);
static CALL_FIELDS: Object = fields(&[
    ("id", &LABEL),
    ("type", &WORD),
    ("index", &NUMBER),
    ("function", &CALLED),
    ("custom", &CALLED),
]);
static FUNCTION_CALL: Place = said_by(Role::Assistant, object(&CALLED_FIELDS));
static CALLED: Place = object(&CALLED_FIELDS);
static CALLED_FIELDS: Object = fields(&[("name", &ANY), ("arguments", &JSON), ("input", &ANY)]);

// Parts of a content.

static CONTENT: Place = text_or(&PART);
static PART: Place = object(&PART_OF);
static PART_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &TEXT_PART),
        ("refusal", &REFUSAL_PART),
        ("thinking", &THINKING_PART),
        ("image_url", &IMAGE_PART),
        ("input_audio", &AUDIO_PART),
        ("file", &FILE_PART),
    ],
    missing: None,
    why: "unknown kind of content",
});
static TEXT_PART: Object = required(&["text"], fields(&[("type", &WORD), ("text", &TEXT)]));
static REFUSAL_PART: Object = required(&["refusal"], fields(&[("type", &WORD), ("refusal", &TEXT)]));
/// Mistral's.
static THINKING_PART: Object =
    required(&["thinking"], fields(&[("type", &WORD), ("thinking", &THOUGHTS), ("closed", &ANY)]));
static THOUGHTS: Place = text_or(&THOUGHT);
static THOUGHT: Place = object(&TEXT_PART);
static IMAGE_PART: Object = required(&["image_url"], fields(&[("type", &WORD), ("image_url", &IMAGE_AT)]));
static IMAGE_AT: Place = marked(Mark::Image, Place { object: Some(&IMAGE_FIELDS), ..AN_IMAGE });
const AN_IMAGE: Place = Place { string: OnString::Image, role: Some(Role::Other), ..NOTHING };
static IMAGE_FIELDS: Object = required(&["url"], fields(&[("url", &IMAGE), ("detail", &WORD)]));
static AUDIO_PART: Object =
    required(&["input_audio"], fields(&[("type", &WORD), ("input_audio", &AUDIO_DATA)]));
static AUDIO_DATA: Place = marked(Mark::Audio, any_or(&AUDIO_DATA_FIELDS));
static AUDIO_DATA_FIELDS: Object = fields(&[("data", &DATA), ("format", &WORD)]);
static FILE_PART: Object = required(&["file"], fields(&[("type", &WORD), ("file", &FILE)]));
static FILE: Place = object(&FILE_FIELDS);
static FILE_FIELDS: Object =
    required(&["file_id"], fields(&[("file_data", &FILE_DATA), ("file_id", &REFERENCE), ("filename", &ANY)]));
static FILE_DATA: Place = refused("the content of a file cannot be read");
