//! Requests of chat, generate and embed, and of what a model is.
//!
//! An answer is a stream unless the request says otherwise. Source:
//! <https://github.com/ollama/ollama/blob/main/docs/api.md> and the official client's types.

use crate::protocol::request::table::{
    ANY, ANYTHING, Bound, Fact, JSON, Kinds, LABEL, MODEL, Mark, NOTHING, NUMBER, NUMBERS, Object, OnNumber,
    OnString, Place, Request, Role, STREAM, TEMPERATURE, TEXT, TOOL_KIND, TOOL_NAME, WORD, any_or, array,
    bound, fields, marked, object, of, one_of, request, said_by, text_or,
};

/// `POST api/chat`.
pub static CHAT: Request = streaming(&CHAT_BODY);
/// `POST api/generate`.
pub static GENERATE: Request = streaming(&GENERATE_BODY);
/// `POST api/embed` and the older `api/embeddings`.
pub static EMBED: Request = request(&EMBED_BODY);
/// `POST api/show`.
pub static SHOW: Request = request(&SHOW_BODY);

const BOUNDED: &[Bound] = &[bound("", &["options", "num_predict"])];

const fn streaming(body: &'static Place) -> Request {
    Request { streams: true, bounded: BOUNDED, ..request(body) }
}

type Field = (&'static str, &'static Place);

static CHAT_BODY: Place = object(&CHAT_FIELDS);
static CHAT_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("messages", &MESSAGES),
    ("tools", &TOOLS),
    ("stream", &STREAM),
    ("format", &FORMAT),
    ("options", &OPTIONS),
    ("think", &WORD),
    ("keep_alive", &WORD),
    ("logprobs", &ANY),
    ("top_logprobs", &NUMBER),
]);
static FORMAT: Place = said_by(Role::Definition, Place { string: OnString::Word, ..ANYTHING });
static OPTIONS: Place = marked(Mark::Config, object(&OPTIONS_FIELDS));
static OPTIONS_FIELDS: Object = Object {
    other: &NUMBER,
    ..fields(&[
        ("num_predict", &NUM_PREDICT),
        ("temperature", &TEMPERATURE),
        ("stop", &ANY),
        ("num_ctx", &NUMBER),
        ("seed", &NUMBER),
        ("top_k", &NUMBER),
        ("top_p", &NUMBER),
    ])
};
/// A negative number takes the bound away, and 0 too: the runner counts only against what is greater.
static NUM_PREDICT: Place = Place { number: OnNumber::Read(Fact::MaxTokensOrNone), ..NOTHING };

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
    ("content", &TEXT),
    ("thinking", &TEXT),
    ("images", &IMAGES),
    ("tool_calls", &CALLS),
    ("tool_name", &LABEL),
    ("tool_call_id", &LABEL),
];
static SYSTEM: Object = of(Role::System, fields(MESSAGE_FIELDS));
static USER: Object = of(Role::User, fields(MESSAGE_FIELDS));
static ASSISTANT: Object = of(Role::Assistant, fields(MESSAGE_FIELDS));
static RESULT: Object = of(Role::Tool, fields(MESSAGE_FIELDS));
static IMAGES: Place = array(&PICTURE);
static PICTURE: Place = marked(Mark::Image, Place { string: OnString::Data, ..NOTHING });
static CALLS: Place = said_by(Role::Assistant, array(&CALL));
static CALL: Place = object(&CALL_FIELDS);
static CALL_FIELDS: Object = fields(&[("id", &LABEL), ("type", &WORD), ("function", &CALLED)]);
static CALLED: Place = any_or(&CALLED_FIELDS);
static CALLED_FIELDS: Object = fields(&[("index", &NUMBER), ("name", &ANY), ("arguments", &JSON)]);

static GENERATE_BODY: Place = object(&GENERATE_FIELDS);
static GENERATE_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("prompt", &INPUT),
    ("suffix", &INPUT),
    ("images", &IMAGES),
    ("system", &INSTRUCTION),
    ("template", &TEMPLATE),
    // An earlier conversation as token ids, which nobody else can read.
    ("context", &CONTEXT),
    ("stream", &STREAM),
    ("raw", &ANY),
    ("format", &FORMAT),
    ("options", &OPTIONS),
    ("think", &WORD),
    ("keep_alive", &WORD),
    ("width", &NUMBER),
    ("height", &NUMBER),
    ("steps", &NUMBER),
    ("top_logprobs", &NUMBER),
]);
static INPUT: Place = said_by(Role::User, text_or(&TEXT));
static INSTRUCTION: Place = said_by(Role::System, text_or(&TEXT));
static TEMPLATE: Place = said_by(Role::Definition, text_or(&TEXT));
static CONTEXT: Place = marked(Mark::Reference, Place { items: Some(&NUMBERS), ..NOTHING });

static EMBED_BODY: Place = object(&EMBED_FIELDS);
static EMBED_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("input", &INPUT),
    ("prompt", &INPUT),
    ("truncate", &ANY),
    ("dimensions", &NUMBER),
    ("options", &OPTIONS),
    ("keep_alive", &WORD),
]);

static SHOW_BODY: Place = object(&SHOW_FIELDS);
static SHOW_FIELDS: Object = fields(&[("model", &MODEL), ("verbose", &ANY)]);

#[cfg(test)]
mod tests;
