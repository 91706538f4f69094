//! Requests of the Responses API: one text, or the items of a conversation.
//!
//! What models said and tools found comes back as items of many kinds. One that is not known is refused: it may hold
//! what the provider keeps. Source: <https://platform.openai.com/docs/api-reference/responses/create> and the official
//! clients' types.

use super::{
    ANY, ANYTHING, AUDIO_PART, CONTAINER, DATA, FILE_DATA, Field, IMAGE, IMAGE_PART, JSON, KEPT, Kinds,
    LABEL, LATER, MAX_TOKENS, MODEL, Mark, NUMBER, OTHER_MODELS, Object, OnString, Place, REFERENCE, Request,
    Role, STORE, STREAM, STREAM_OPTIONS, TEMPERATURE, TEXT, TEXT_PART, TOOL_CHOICE, TOOLS, WORD, WORDS,
    any_or, array, bound, bounded, fields, marked, object, of, one_of, request, required, said_by, text_or,
};

/// `POST responses`.
pub static RESPONSES: Request =
    bounded(&[bound("", &["max_output_tokens"])], Request { kept: true, ..request(&BODY) });

static BODY: Place = object(&BODY_FIELDS);
static BODY_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("models", &OTHER_MODELS),
    ("input", &INPUT),
    ("instructions", &INSTRUCTIONS),
    ("stream", &STREAM),
    ("stream_options", &STREAM_OPTIONS),
    ("max_output_tokens", &MAX_TOKENS),
    ("temperature", &TEMPERATURE),
    ("top_p", &NUMBER),
    ("top_logprobs", &NUMBER),
    ("max_tool_calls", &NUMBER),
    ("tools", &TOOLS),
    ("tool_choice", &TOOL_CHOICE),
    ("parallel_tool_calls", &ANY),
    ("store", &STORE),
    ("previous_response_id", &KEPT),
    ("conversation", &KEPT),
    ("prompt", &PROMPT),
    ("background", &LATER),
    ("background_options", &BACKGROUND),
    ("include", &WORDS),
    ("reasoning", &REASONING),
    ("text", &FORM),
    ("truncation", &WORD),
    ("service_tier", &WORD),
    ("prompt_cache_key", &ANY),
    ("prompt_cache_retention", &WORD),
    ("safety_identifier", &ANY),
    ("user", &ANY),
    ("metadata", &ANY),
]);
static INSTRUCTIONS: Place = said_by(Role::System, ANYTHING);
/// A prompt that the provider keeps, and what is put into it.
static PROMPT: Place = object(&PROMPT_FIELDS);
static PROMPT_FIELDS: Object = fields(&[("id", &REFERENCE), ("version", &LABEL), ("variables", &VARIABLES)]);
static VARIABLES: Place = said_by(Role::User, ANYTHING);
static BACKGROUND: Place = any_or(&BACKGROUND_FIELDS);
static BACKGROUND_FIELDS: Object = fields(&[("completion_window", &WORD), ("continuation_id", &REFERENCE)]);
static REASONING: Place = any_or(&REASONING_FIELDS);
static REASONING_FIELDS: Object =
    fields(&[("effort", &WORD), ("summary", &WORD), ("generate_summary", &WORD)]);
static FORM: Place = said_by(Role::Definition, any_or(&FORM_FIELDS));
static FORM_FIELDS: Object = fields(&[("format", &super::FORMAT), ("verbosity", &WORD)]);

/// Items of a conversation.
pub(super) static ITEMS: Place = said_by(Role::User, array(&ITEM));
static INPUT: Place = said_by(Role::User, text_or(&ITEM));
static ITEM: Place = object(&ITEM_OF);
static ITEM_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("message", &MESSAGE),
        ("function_call", &CALL),
        ("custom_tool_call", &CALL),
        ("mcp_call", &CALL),
        ("mcp_approval_request", &CALL),
        ("tool_search_call", &CALL),
        ("web_search_call", &CALL),
        ("computer_call", &CALL),
        ("local_shell_call", &CALL),
        ("shell_call", &CALL),
        ("apply_patch_call", &CALL),
        ("code_interpreter_call", &CALL),
        ("program", &CALL),
        ("file_search_call", &CALL),
        ("reasoning", &THOUGHT),
        ("image_generation_call", &IMAGE_CALL),
        ("function_call_output", &RESULT),
        ("custom_tool_call_output", &RESULT),
        ("local_shell_call_output", &RESULT),
        ("shell_call_output", &RESULT),
        ("apply_patch_call_output", &RESULT),
        ("program_output", &RESULT),
        ("computer_call_output", &SCREEN),
        ("mcp_approval_response", &RESULT),
        ("mcp_list_tools", &TOOL_LIST),
        ("tool_search_output", &TOOL_LIST),
        ("additional_tools", &TOOL_LIST),
        ("item_reference", &KEPT_ITEM),
        ("compaction", &COMPACTED),
        ("compaction_trigger", &COMPACTED),
    ],
    missing: Some(&MESSAGE),
    why: "unknown kind of item",
});

// Messages.

static MESSAGE: Object = one_of(&Kinds {
    key: "role",
    rows: &[("system", &SYSTEM), ("developer", &SYSTEM), ("user", &USER), ("assistant", &ASSISTANT)],
    missing: Some(&KEPT_ITEM),
    why: "unknown role",
});
static SYSTEM: Object = of(Role::System, A_MESSAGE);
static USER: Object = of(Role::User, A_MESSAGE);
static ASSISTANT: Object = of(Role::Assistant, A_MESSAGE);
const A_MESSAGE: Object = Object { mark: Some(Mark::Message), ..fields(MESSAGE_FIELDS) };
const MESSAGE_FIELDS: &[Field] = &[
    ("type", &WORD),
    ("role", &WORD),
    ("id", &LABEL),
    ("status", &WORD),
    ("phase", &WORD),
    ("content", &CONTENT),
];
/// Nothing but the id of an item that the provider keeps.
static KEPT_ITEM: Object = required(&["id"], fields(&[("type", &WORD), ("role", &WORD), ("id", &REFERENCE)]));

static CONTENT: Place = text_or(&PART);
static PART: Place = object(&PART_OF);
static PART_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("input_text", &TEXT_PART),
        ("output_text", &SAID_PART),
        ("text", &TEXT_PART),
        ("summary_text", &TEXT_PART),
        ("reasoning_text", &TEXT_PART),
        ("refusal", &super::REFUSAL_PART),
        ("input_image", &IMAGE_OF),
        ("computer_screenshot", &IMAGE_OF),
        ("image_url", &IMAGE_PART),
        ("input_audio", &AUDIO_PART),
        ("input_file", &FILE_PART),
    ],
    missing: None,
    why: "unknown kind of content",
});
/// What the model said, with log-probabilities that say it again.
static SAID_PART: Object = required(
    &["text"],
    fields(&[("type", &WORD), ("text", &TEXT), ("annotations", &NOTES), ("logprobs", &ANY)]),
);
static NOTES: Place = Place { items: Some(&NOTE), ..ANYTHING };
static NOTE: Place = any_or(&NOTE_FIELDS);
static NOTE_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("file_id", &LABEL),
    ("container_id", &LABEL),
    ("index", &NUMBER),
    ("start_index", &NUMBER),
    ("end_index", &NUMBER),
]);
static IMAGE_OF: Object = Object { mark: Some(Mark::Image), ..fields(IMAGE_FIELDS) };
const IMAGE_FIELDS: &[Field] =
    &[("type", &WORD), ("detail", &WORD), ("image_url", &IMAGE), ("file_id", &REFERENCE)];
/// A file that the provider keeps, or that it gets elsewhere.
static FILE_PART: Object = fields(&[
    ("type", &WORD),
    ("detail", &WORD),
    ("file_data", &FILE_DATA),
    ("file_id", &REFERENCE),
    ("file_url", &REFERENCE),
    ("filename", &ANY),
]);

// What models did and what came of it.

static CALL: Object = of(Role::Assistant, fields(CALL_FIELDS));
const CALL_FIELDS: &[Field] = &[
    ("type", &WORD),
    ("id", &LABEL),
    ("call_id", &LABEL),
    ("status", &WORD),
    ("caller", &CALLER),
    ("approval_request_id", &LABEL),
    ("container_id", &LABEL),
    ("server_label", &LABEL),
    ("fingerprint", &DATA),
    ("environment", &CONTAINER),
    ("arguments", &JSON),
    ("output", &OUTPUT),
    ("results", &RESULTS),
    ("outputs", &LOGS),
];
static CALLER: Place = any_or(&CALLER_FIELDS);
static CALLER_FIELDS: Object = fields(&[("type", &WORD), ("caller_id", &LABEL)]);
static RESULTS: Place = said_by(Role::Tool, Place { items: Some(&FOUND), ..ANYTHING });
static FOUND: Place = any_or(&FOUND_FIELDS);
static FOUND_FIELDS: Object = fields(&[("file_id", &LABEL), ("score", &NUMBER)]);
static LOGS: Place = said_by(Role::Tool, Place { items: Some(&LOG), ..ANYTHING });
static LOG: Place = any_or(&LOG_FIELDS);
static LOG_FIELDS: Object = fields(&[("type", &WORD), ("url", &IMAGE)]);

static RESULT: Object = of(Role::Tool, fields(RESULT_FIELDS));
const RESULT_FIELDS: &[Field] = &[
    ("type", &WORD),
    ("id", &LABEL),
    ("call_id", &LABEL),
    ("status", &WORD),
    ("caller", &CALLER),
    ("approval_request_id", &LABEL),
    ("max_output_length", &NUMBER),
    ("output", &OUTPUT),
];
/// A text, parts, or what a shell printed.
static OUTPUT: Place = said_by(Role::Tool, Place { items: Some(&OUTPUT_ITEM), ..ANYTHING });
static OUTPUT_ITEM: Place = Place { object: Some(&OUTPUT_OF), ..ANYTHING };
static OUTPUT_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("input_text", &TEXT_PART),
        ("output_text", &SAID_PART),
        ("text", &TEXT_PART),
        ("input_image", &IMAGE_OF),
        ("input_file", &FILE_PART),
    ],
    missing: Some(&PRINTED),
    why: "unknown kind of content",
});
static PRINTED: Object = fields(&[("type", &WORD), ("outcome", &OUTCOME)]);
static OUTCOME: Place = any_or(&OUTCOME_FIELDS);
static OUTCOME_FIELDS: Object = fields(&[("type", &WORD), ("exit_code", &NUMBER)]);
static SCREEN: Object = of(
    Role::Tool,
    fields(&[
        ("type", &WORD),
        ("id", &LABEL),
        ("call_id", &LABEL),
        ("status", &WORD),
        ("output", &SCREENSHOT),
        ("acknowledged_safety_checks", &ANY),
    ]),
);
static SCREENSHOT: Place = marked(Mark::Image, object(&SCREENSHOT_FIELDS));
static SCREENSHOT_FIELDS: Object = fields(IMAGE_FIELDS);

static THOUGHT: Object = of(
    Role::Assistant,
    fields(&[
        ("type", &WORD),
        ("id", &LABEL),
        ("status", &WORD),
        ("summary", &PARTS),
        ("content", &PARTS),
        ("encrypted_content", &DATA),
    ]),
);
static PARTS: Place = array(&PART);
static IMAGE_CALL: Object = Object {
    mark: Some(Mark::Image),
    ..of(
        Role::Assistant,
        fields(&[
            ("type", &WORD),
            ("id", &LABEL),
            ("status", &WORD),
            ("result", &DATA),
            ("action", &WORD),
            ("background", &WORD),
            ("output_format", &WORD),
            ("quality", &WORD),
            ("size", &WORD),
        ]),
    )
};
static TOOL_LIST: Object = fields(&[
    ("type", &WORD),
    ("id", &LABEL),
    ("call_id", &LABEL),
    ("role", &WORD),
    ("status", &WORD),
    ("execution", &WORD),
    ("server_label", &LABEL),
    ("tools", &TOOLS),
    ("error", &ANY),
]);
/// A conversation that only the provider can read.
static COMPACTED: Object = fields(&[("type", &WORD), ("id", &LABEL), ("encrypted_content", &OPAQUE)]);
static OPAQUE: Place = Place { string: OnString::Reference, ..ANYTHING };
