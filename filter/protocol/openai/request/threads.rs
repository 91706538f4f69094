//! Requests about what OpenAI keeps: assistants, threads with their messages and runs, conversations.
//!
//! Source: <https://platform.openai.com/docs/api-reference/assistants>, <https://platform.openai.com/docs/api-reference/conversations>
//! and the official clients' types. What they are about is a reference by its path already; further ones are told.

use super::responses::ITEMS;
use super::{
    ANY, ANYTHING, FORMAT, Field, IMAGE_PART, Kinds, LABEL, MAX_TOKENS, MODEL, Mark, NUMBER, OTHER_MODELS,
    Object, Place, REFERENCE, REFERENCES, REFUSAL_PART, Request, Role, STREAM, TEMPERATURE, TEXT_PART,
    TOOL_CHOICE, TOOLS, WORD, any_or, array, bound, bounded, fields, marked, object, of, one_of, request,
    required, said_by, text_or,
};

/// `POST threads`.
pub static THREAD: Request = request(&THREAD_BODY);
/// `POST threads/{thread}/messages`.
pub static MESSAGE: Request = request(&MESSAGE_BODY);
/// `POST threads/{thread}/runs`.
pub static RUN: Request = bounded(RUN_BOUND, later(&RUN_BODY));
/// `POST threads/runs`: a thread that is made and run.
pub static THREAD_RUN: Request = bounded(RUN_BOUND, later(&THREAD_RUN_BODY));
/// `POST …/submit_tool_outputs`: the run's own bound holds for what comes of it.
pub static OUTPUTS: Request = later(&OUTPUTS_BODY);
/// What of a thread, a message, a run or a conversation can be changed.
pub static CHANGE: Request = request(&CHANGE_BODY);
/// `POST assistants`, and of one.
pub static ASSISTANT: Request = request(&ASSISTANT_BODY);
/// `POST conversations`, and `POST conversations/{conversation}/items`.
pub static CONVERSATION: Request = request(&CONVERSATION_BODY);

/// A run goes on whether its caller waits or not.
const fn later(body: &'static Place) -> Request {
    Request { later: true, ..request(body) }
}

const RUN_BOUND: &[super::Bound] = &[bound("", &["max_completion_tokens"])];

static THREAD_BODY: Place = object(&THREAD_FIELDS);
static THREAD_FIELDS: Object =
    fields(&[("messages", &MESSAGES), ("tool_resources", &RESOURCES), ("metadata", &ANY)]);

static MESSAGES: Place = array(&MESSAGE_BODY);
static MESSAGE_BODY: Place = marked(Mark::Message, object(&MESSAGE_OF));
static MESSAGE_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[("user", &USER), ("assistant", &ASSISTANT_SAYS)],
    missing: None,
    why: "unknown role",
});
static USER: Object = of(Role::User, required(&["content"], fields(MESSAGE_FIELDS)));
static ASSISTANT_SAYS: Object = of(Role::Assistant, required(&["content"], fields(MESSAGE_FIELDS)));
const MESSAGE_FIELDS: &[Field] = &[
    ("role", &WORD),
    ("content", &CONTENT),
    ("attachments", &ATTACHMENTS),
    ("file_ids", &REFERENCES),
    ("metadata", &ANY),
];
static CONTENT: Place = text_or(&PART);
static PART: Place = object(&PART_OF);
static PART_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &TEXT_PART),
        ("refusal", &REFUSAL_PART),
        ("image_url", &IMAGE_PART),
        ("image_file", &IMAGE_FILE_PART),
    ],
    missing: None,
    why: "unknown kind of content",
});
static IMAGE_FILE_PART: Object =
    required(&["image_file"], fields(&[("type", &WORD), ("image_file", &IMAGE_FILE)]));
static IMAGE_FILE: Place = marked(Mark::Image, object(&IMAGE_FILE_FIELDS));
static IMAGE_FILE_FIELDS: Object =
    required(&["file_id"], fields(&[("file_id", &REFERENCE), ("detail", &WORD)]));
static ATTACHMENTS: Place = Place { items: Some(&ATTACHMENT), ..ANYTHING };
static ATTACHMENT: Place = any_or(&ATTACHMENT_FIELDS);
static ATTACHMENT_FIELDS: Object = fields(&[("file_id", &REFERENCE), ("tools", &USES)]);
static USES: Place = Place { items: Some(&USE), ..ANYTHING };
static USE: Place = any_or(&USE_FIELDS);
static USE_FIELDS: Object = fields(&[("type", &WORD)]);

/// Files and stores that tools may use.
static RESOURCES: Place = any_or(&RESOURCES_FIELDS);
static RESOURCES_FIELDS: Object = fields(&[("code_interpreter", &FILES), ("file_search", &STORES)]);
static FILES: Place = any_or(&FILES_FIELDS);
static FILES_FIELDS: Object = fields(&[("file_ids", &REFERENCES)]);
static STORES: Place = any_or(&STORES_FIELDS);
static STORES_FIELDS: Object = fields(&[("vector_store_ids", &REFERENCES), ("vector_stores", &NEW_STORES)]);
static NEW_STORES: Place = Place { items: Some(&FILES), ..ANYTHING };

/// What assistants and runs have in common, and more.
macro_rules! run {
    ($($more:expr),* $(,)?) => {
        &[
            $($more,)*
            ("model", &MODEL),
            ("models", &OTHER_MODELS),
            ("instructions", &INSTRUCTIONS),
            ("tools", &TOOLS),
            ("temperature", &TEMPERATURE),
            ("top_p", &NUMBER),
            ("response_format", &FORMAT),
            ("reasoning_effort", &WORD),
            ("metadata", &ANY),
        ]
    };
}
/// The same of runs alone.
macro_rules! running {
    ($($more:expr),* $(,)?) => {
        run!(
            $($more,)*
            ("assistant_id", &REFERENCE),
            ("stream", &STREAM),
            ("max_prompt_tokens", &NUMBER),
            ("max_completion_tokens", &MAX_TOKENS),
            ("truncation_strategy", &TRUNCATION),
            ("tool_choice", &TOOL_CHOICE),
            ("parallel_tool_calls", &ANY),
        )
    };
}
static INSTRUCTIONS: Place = said_by(Role::System, ANYTHING);
static TRUNCATION: Place = any_or(&TRUNCATION_FIELDS);
static TRUNCATION_FIELDS: Object = fields(&[("type", &WORD), ("last_messages", &NUMBER)]);

static RUN_BODY: Place = object(&RUN_FIELDS);
static RUN_FIELDS: Object =
    fields(running!(("additional_instructions", &INSTRUCTIONS), ("additional_messages", &MESSAGES),));
static THREAD_RUN_BODY: Place = object(&THREAD_RUN_FIELDS);
static THREAD_RUN_FIELDS: Object = fields(running!(("thread", &THREAD_BODY), ("tool_resources", &RESOURCES)));

static OUTPUTS_BODY: Place = object(&OUTPUTS_FIELDS);
static OUTPUTS_FIELDS: Object =
    required(&["tool_outputs"], fields(&[("tool_outputs", &RESULTS), ("stream", &STREAM)]));
static RESULTS: Place = said_by(Role::Tool, array(&RESULT));
static RESULT: Place = object(&RESULT_FIELDS);
static RESULT_FIELDS: Object = fields(&[("tool_call_id", &LABEL), ("output", &ANY)]);

static CHANGE_BODY: Place = object(&CHANGE_FIELDS);
static CHANGE_FIELDS: Object = fields(&[("metadata", &ANY), ("tool_resources", &RESOURCES)]);

static ASSISTANT_BODY: Place = object(&ASSISTANT_FIELDS);
static ASSISTANT_FIELDS: Object =
    fields(run!(("name", &ANY), ("description", &ANY), ("tool_resources", &RESOURCES)));

static CONVERSATION_BODY: Place = object(&CONVERSATION_FIELDS);
static CONVERSATION_FIELDS: Object = fields(&[("items", &ITEMS), ("metadata", &ANY)]);
