//! What models take by InvokeModel: the documents of their makers.

use super::{Field, MESSAGES, SYSTEM, TOOL_CONFIG, anthropic};
use crate::protocol::cohere::request as cohere;
use crate::protocol::openai::request as openai;
use crate::protocol::request::table::{
    ANY, Body, Bound, CHOICES, MAX_TOKENS, Mark, NOTHING, NUMBER, NUMBERS, Object, OnString, Place, Role,
    TEMPERATURE, TEXT, WORD, WORDS, any_or, array, bound, fields, marked, object, said_by, text_or,
};

/// By maker; of any other every string is text.
pub(super) const BY_MAKER: Body = Body::ByMaker(
    &[
        ("anthropic", &anthropic::BODY),
        ("amazon", &AMAZON),
        ("meta", &LLAMA),
        ("mistral", &MISTRAL),
        ("cohere", &cohere::NATIVE),
        ("openai", &openai::CHAT_BODY),
        ("qwen", &openai::CHAT_BODY),
    ],
    &ANY,
);

/// What bounds a model's answer, by its name. Embeddings have no bound.
pub(super) const BOUNDED: &[Bound] = &[
    bound("embed", &[]),
    bound("rerank", &[]),
    bound("anthropic.", &["max_tokens"]),
    bound("canvas", &[]),
    bound("nova-reel", &[]),
    Bound { models: "amazon.nova", keys: &["inferenceConfig", "maxTokens"], also: &["max_new_tokens"] },
    bound("amazon.titan-text", &["textGenerationConfig", "maxTokenCount"]),
    bound("amazon.titan-tg1", &["textGenerationConfig", "maxTokenCount"]),
    bound("amazon.titan-image", &[]),
    bound("meta.", &["max_gen_len"]),
    bound("mistral.", &["max_tokens"]),
    bound("cohere.", &["max_tokens"]),
    bound("openai.", &["max_completion_tokens"]),
    bound("qwen.", &["max_tokens"]),
];

static INPUT: Place = said_by(Role::User, text_or(&TEXT));
static PICTURE: Place = marked(Mark::Image, Place { string: OnString::Data, ..NOTHING });
static PICTURES: Place = array(&PICTURE);

/// Titan's and Nova's.
static AMAZON: Place = object(&AMAZON_FIELDS);
static AMAZON_FIELDS: Object = fields(&[
    // Texts of Titan.
    ("inputText", &INPUT),
    ("textGenerationConfig", &TITAN),
    // Nova, as Converse has it.
    ("schemaVersion", &WORD),
    ("messages", &MESSAGES),
    ("system", &SYSTEM),
    ("toolConfig", &TOOL_CONFIG),
    ("inferenceConfig", &NOVA),
    // Embeddings and images.
    ("inputImage", &PICTURE),
    ("dimensions", &NUMBER),
    ("normalize", &ANY),
    ("embeddingTypes", &WORDS),
    ("embeddingConfig", &COUNTS),
    ("taskType", &WORD),
    ("imageGenerationConfig", &DRAWING),
]);
static TITAN: Place = marked(Mark::Config, object(&TITAN_FIELDS));
static TITAN_FIELDS: Object = fields(&[
    ("maxTokenCount", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("topP", &NUMBER),
    ("stopSequences", &ANY),
]);
static NOVA: Place = marked(Mark::Config, object(&NOVA_FIELDS));
static NOVA_FIELDS: Object = fields(&[
    ("max_new_tokens", &MAX_TOKENS),
    ("maxTokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("topP", &NUMBER),
    ("top_p", &NUMBER),
    ("topK", &NUMBER),
    ("top_k", &NUMBER),
    ("stopSequences", &ANY),
]);
static COUNTS: Place = any_or(&COUNTS_FIELDS);
static COUNTS_FIELDS: Object = Object { other: &NUMBERS, ..fields(&[]) };
static DRAWING: Place = any_or(&DRAWING_FIELDS);
static DRAWING_FIELDS: Object = fields(&[
    ("numberOfImages", &CHOICES),
    ("quality", &WORD),
    ("height", &NUMBER),
    ("width", &NUMBER),
    ("cfgScale", &NUMBER),
    ("seed", &NUMBER),
]);

static LLAMA: Place = object(&LLAMA_FIELDS);
static LLAMA_FIELDS: Object = fields(&[
    ("prompt", &INPUT),
    ("images", &PICTURES),
    ("max_gen_len", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("top_p", &NUMBER),
]);

/// One text, or a chat in OpenAI's form.
static MISTRAL: Place = object(&MISTRAL_FIELDS);
static MISTRAL_FIELDS: Object = fields(MISTRAL_ALL);
const MISTRAL_ALL: &[Field] = &[
    ("prompt", &INPUT),
    ("messages", &openai::MESSAGES),
    ("tools", &openai::TOOLS),
    ("tool_choice", &openai::TOOL_CHOICE),
    ("max_tokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("top_p", &NUMBER),
    ("top_k", &NUMBER),
    ("stop", &ANY),
];
