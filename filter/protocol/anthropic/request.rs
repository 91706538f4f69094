//! Requests of messages, of batches of them and of token counts; on Bedrock, of InvokeModel too.
//!
//! Source: <https://docs.anthropic.com/en/api/messages> and the official clients' types, those of beta features too.

use crate::protocol::request::table::{
    ANY, ANYTHING, DATA, IMAGE, Kinds, LABEL, MAX_TOKENS_FROM_ZERO, MODEL, Mark, NOTHING, NUMBER, Object,
    OnString, Place, REFERENCE, Request, Role, STREAM, TEMPERATURE, TEXT, TOOL_KIND, TOOL_NAME, WORD, WORDS,
    any_or, array, batch, bound, bounded, fields, marked, object, of, one_of, refused, request, required,
    said_by, text_or,
};

/// `POST messages`.
pub static MESSAGES: Request = bounded(&[bound("", &["max_tokens"])], request(&BODY));
/// `POST messages/batches`.
pub static BATCH: Request = batch(&[bound("", &["params", "max_tokens"])], &BATCH_BODY);
/// `POST messages/count_tokens`.
pub static COUNT: Request = request(&BODY);

type Field = (&'static str, &'static Place);

/// Takes what it names alone: of what stands beside its requests, nobody would be asked whether it may pass.
static BATCH_BODY: Place = object(&BATCH_FIELDS);
static BATCH_FIELDS: Object =
    Object { other: &BESIDE, ..required(&["requests"], fields(&[("requests", &BATCHED)])) };
static BESIDE: Place = refused("unknown beside the requests of a batch");
static BATCHED: Place = array(&ITEM);
static ITEM: Place = marked(Mark::Request, object(&ITEM_FIELDS));
static ITEM_FIELDS: Object = Object {
    other: &BESIDE,
    // The name is the caller's, and comes back with the result. The provider takes letters, digits, `_` and `-` alone.
    ..required(&["custom_id", "params"], fields(&[("custom_id", &NAME), ("params", &PARAMS)]))
};
static NAME: Place = Place { string: OnString::Word, ..NOTHING };
static PARAMS: Place = marked(Mark::Config, object(&BODY_FIELDS));

pub(in crate::protocol) static BODY: Place = object(&BODY_FIELDS);
static BODY_FIELDS: Object = fields(&[
    ("model", &MODEL),
    ("messages", &MESSAGE_LIST),
    ("system", &SYSTEM),
    // 0 fills the cache of prompts and generates nothing.
    ("max_tokens", &MAX_TOKENS_FROM_ZERO),
    ("stream", &STREAM),
    ("temperature", &TEMPERATURE),
    ("top_k", &NUMBER),
    ("top_p", &NUMBER),
    ("stop_sequences", &ANY),
    ("tools", &TOOLS),
    ("tool_choice", &TOOL_CHOICE),
    ("thinking", &THINKING),
    ("output_config", &OUTPUT),
    ("output_format", &FORMAT),
    ("metadata", &ANY),
    ("service_tier", &WORD),
    ("speed", &WORD),
    ("inference_geo", &WORD),
    ("cache_control", &CACHE),
    ("container", &CONTAINER),
    ("mcp_servers", &SERVERS),
    ("context_management", &ANY),
    ("diagnostics", &ANY),
    ("thread", &THREAD),
    ("fallbacks", &OTHER_MODELS),
    ("betas", &WORDS),
    ("anthropic_version", &WORD),
    ("anthropic_beta", &WORDS),
]);
/// One of these answers where `model` cannot; a rule on the model would not see which.
static OTHER_MODELS: Place = refused("other models than `model`");
/// A conversation that the provider keeps.
static THREAD: Place = marked(Mark::Reference, ANYTHING);
pub(in crate::protocol) static THINKING: Place = any_or(&THINKING_FIELDS);
static THINKING_FIELDS: Object = fields(&[("type", &WORD), ("budget_tokens", &NUMBER), ("display", &WORD)]);
static OUTPUT: Place = any_or(&OUTPUT_FIELDS);
static OUTPUT_FIELDS: Object = fields(&[("effort", &WORD), ("format", &FORMAT)]);
static FORMAT: Place = said_by(Role::Definition, any_or(&FORMAT_FIELDS));
static FORMAT_FIELDS: Object = fields(&[("type", &WORD)]);
static CACHE: Place = any_or(&CACHE_FIELDS);
static CACHE_FIELDS: Object = fields(&[("type", &WORD), ("ttl", &WORD)]);
static CONTAINER: Place = Place { string: OnString::Reference, object: Some(&CONTAINER_FIELDS), ..ANYTHING };
static CONTAINER_FIELDS: Object = fields(&[("id", &REFERENCE), ("skills", &SKILLS)]);
static SKILLS: Place = Place { items: Some(&SKILL), ..ANYTHING };
static SKILL: Place = any_or(&SKILL_FIELDS);
static SKILL_FIELDS: Object = fields(&[("type", &WORD), ("skill_id", &REFERENCE), ("version", &LABEL)]);

// Tools.

pub(in crate::protocol) static TOOLS: Place = said_by(Role::Definition, array(&TOOL));
static TOOL: Place = marked(Mark::Tool, object(&TOOL_FIELDS));
static TOOL_FIELDS: Object = fields(&[
    ("name", &TOOL_NAME),
    ("type", &TOOL_KIND),
    ("description", &ANY),
    ("input_schema", &ANY),
    ("tools", &TOOLS),
    ("allowed_callers", &WORDS),
    ("max_uses", &NUMBER),
    ("cache_control", &CACHE),
    ("mcp_server_name", &LABEL),
    ("display_width_px", &NUMBER),
    ("display_height_px", &NUMBER),
    ("display_number", &NUMBER),
]);
static TOOL_CHOICE: Place = any_or(&CHOSEN);
static CHOSEN: Object = fields(&[("type", &WORD), ("name", &LABEL)]);
static SERVERS: Place = said_by(Role::Definition, array(&SERVER));
/// A server of tools is one itself: it is not known which it offers.
static SERVER: Place = marked(Mark::Tool, object(&SERVER_FIELDS));
static SERVER_FIELDS: Object = fields(&[
    ("name", &TOOL_NAME),
    ("type", &TOOL_KIND),
    ("url", &ANY),
    // For the server, not for the model.
    ("authorization_token", &DATA),
    ("tool_configuration", &ANY),
]);

// Messages.

static MESSAGE_LIST: Place = array(&MESSAGE);
static MESSAGE: Place = marked(Mark::Message, object(&MESSAGE_OF));
static MESSAGE_OF: Object = one_of(&Kinds {
    key: "role",
    rows: &[("user", &USER), ("assistant", &ASSISTANT), ("system", &SYSTEM_MESSAGE)],
    missing: None,
    why: "unknown role",
});
static USER: Object = of(Role::User, fields(MESSAGE_FIELDS));
static ASSISTANT: Object = of(Role::Assistant, fields(MESSAGE_FIELDS));
static SYSTEM_MESSAGE: Object = of(Role::System, fields(MESSAGE_FIELDS));
const MESSAGE_FIELDS: &[Field] = &[("role", &WORD), ("content", &CONTENT)];
static SYSTEM: Place = said_by(Role::System, text_or(&SYSTEM_BLOCK));
static SYSTEM_BLOCK: Place = object(&SYSTEM_OF);
static SYSTEM_OF: Object =
    one_of(&Kinds { key: "type", rows: &[("text", &TEXT_BLOCK)], missing: None, why: UNKNOWN_BLOCK });
const UNKNOWN_BLOCK: &str = "unknown kind of content";

static CONTENT: Place = text_or(&BLOCK);
static BLOCK: Place = object(&BLOCK_OF);
static BLOCK_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &TEXT_BLOCK),
        ("image", &IMAGE_BLOCK),
        ("document", &DOCUMENT),
        ("search_result", &SEARCHED),
        ("thinking", &THOUGHT),
        ("redacted_thinking", &REDACTED),
        ("tool_use", &USE),
        ("server_tool_use", &USE),
        ("mcp_tool_use", &USE),
        ("tool_result", &RESULT),
        ("mcp_tool_result", &RESULT),
        ("web_search_tool_result", &SERVED),
        ("web_fetch_tool_result", &FETCHED),
        ("advisor_tool_result", &SERVED),
        ("code_execution_tool_result", &SERVED),
        ("bash_code_execution_tool_result", &SERVED),
        ("text_editor_code_execution_tool_result", &SERVED),
        ("tool_search_tool_result", &SERVED),
        ("container_upload", &UPLOADED),
        ("compaction", &COMPACTED),
        ("mcp_tool_listing", &LISTED),
        ("tool_addition", &CHANGED),
        ("tool_removal", &CHANGED),
    ],
    missing: None,
    why: UNKNOWN_BLOCK,
});

static TEXT_BLOCK: Object = required(
    &["text"],
    fields(&[("type", &WORD), ("text", &TEXT), ("cache_control", &CACHE), ("citations", &CITATIONS)]),
);
/// Passages that an answer cited; or whether a document is to be cited.
static CITATIONS: Place = Place { items: Some(&CITATION), ..ANYTHING };
static CITATION: Place = any_or(&CITATION_FIELDS);
static CITATION_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("file_id", &LABEL),
    ("encrypted_index", &DATA),
    ("document_index", &NUMBER),
    ("search_result_index", &NUMBER),
    ("start_char_index", &NUMBER),
    ("end_char_index", &NUMBER),
    ("start_page_number", &NUMBER),
    ("end_page_number", &NUMBER),
    ("start_block_index", &NUMBER),
    ("end_block_index", &NUMBER),
]);

static IMAGE_BLOCK: Object = Object {
    mark: Some(Mark::Image),
    ..required(&["source"], fields(&[("type", &WORD), ("source", &IMAGE_SOURCE), ("cache_control", &CACHE)]))
};
static IMAGE_SOURCE: Place = object(&IMAGE_SOURCE_OF);
static IMAGE_SOURCE_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[("base64", &BINARY), ("url", &AT_URL), ("file", &IN_FILE)],
    missing: None,
    why: "unknown source",
});
static BINARY: Object = fields(&[("type", &WORD), ("media_type", &WORD), ("data", &DATA)]);
static AT_URL: Object = fields(&[("type", &WORD), ("url", &IMAGE)]);
static IN_FILE: Object = fields(&[("type", &WORD), ("file_id", &REFERENCE)]);

static DOCUMENT: Object = required(
    &["source"],
    fields(&[
        ("type", &WORD),
        ("source", &SOURCE),
        ("title", &ANY),
        ("context", &ANY),
        ("citations", &CITATIONS),
        ("cache_control", &CACHE),
    ]),
);
static SOURCE: Place = object(&SOURCE_OF);
static SOURCE_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &PLAIN),
        ("content", &OF_BLOCKS),
        ("file", &IN_FILE),
        ("url", &ELSEWHERE),
        ("base64", &UNREADABLE),
    ],
    missing: None,
    why: "unknown source",
});
static PLAIN: Object =
    required(&["data"], fields(&[("type", &WORD), ("media_type", &WORD), ("data", &TEXT)]));
static OF_BLOCKS: Object = required(&["content"], fields(&[("type", &WORD), ("content", &SIMPLE)]));
/// The provider gets it.
static ELSEWHERE: Object = fields(&[("type", &WORD), ("url", &REFERENCE)]);
static UNREADABLE: Object = fields(&[("type", &WORD), ("media_type", &WORD), ("data", &PDF)]);
static PDF: Place = refused("the content of a file cannot be read");
static SIMPLE: Place = text_or(&SIMPLE_BLOCK);
static SIMPLE_BLOCK: Place = object(&SIMPLE_OF);
static SIMPLE_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[("text", &TEXT_BLOCK), ("image", &IMAGE_BLOCK)],
    missing: None,
    why: UNKNOWN_BLOCK,
});
static SEARCHED: Object = fields(&[
    ("type", &WORD),
    ("source", &ANY),
    ("title", &ANY),
    ("content", &SIMPLE),
    ("citations", &CITATIONS),
    ("cache_control", &CACHE),
]);

// What models did and what came of it.

/// Signed, and taken back only as it was given out.
static THOUGHT: Object = fields(&[("type", &WORD), ("thinking", &TEXT), ("signature", &DATA)]);
static REDACTED: Object = fields(&[("type", &WORD), ("data", &DATA)]);
static USE: Object = of(
    Role::Assistant,
    fields(&[
        ("type", &WORD),
        ("id", &LABEL),
        ("name", &ANY),
        ("server_name", &LABEL),
        ("input", &ANY),
        ("caller", &CALLER),
        ("cache_control", &CACHE),
    ]),
);
static CALLER: Place = any_or(&CALLER_FIELDS);
static CALLER_FIELDS: Object = fields(&[("type", &WORD), ("tool_id", &LABEL)]);
static RESULT: Object = of(
    Role::Tool,
    fields(&[
        ("type", &WORD),
        ("tool_use_id", &LABEL),
        ("content", &FOUND),
        ("is_error", &ANY),
        ("cache_control", &CACHE),
    ]),
);
static FOUND: Place = text_or(&FOUND_BLOCK);
static FOUND_BLOCK: Place = object(&FOUND_OF);
static FOUND_OF: Object = one_of(&Kinds {
    key: "type",
    rows: &[
        ("text", &TEXT_BLOCK),
        ("image", &IMAGE_BLOCK),
        ("document", &DOCUMENT),
        ("search_result", &SEARCHED),
        ("tool_reference", &NAMED),
        ("browser_state", &ANY_BLOCK),
    ],
    missing: None,
    why: UNKNOWN_BLOCK,
});
static NAMED: Object = fields(&[("type", &WORD), ("tool_name", &LABEL), ("cache_control", &CACHE)]);
static ANY_BLOCK: Object = fields(&[("type", &WORD)]);
/// What the provider's own tools found: results, or lists of them, or why there are none.
static SERVED: Object = of(
    Role::Tool,
    fields(&[
        ("type", &WORD),
        ("tool_use_id", &LABEL),
        ("content", &SERVED_CONTENT),
        ("caller", &CALLER),
        ("cache_control", &CACHE),
    ]),
);
static SERVED_CONTENT: Place =
    Place { object: Some(&SERVED_FIELDS), items: Some(&SERVED_CONTENT), ..ANYTHING };
static SERVED_FIELDS: Object = fields(&[
    ("type", &WORD),
    ("file_id", &LABEL),
    ("tool_name", &LABEL),
    ("error_code", &WORD),
    ("return_code", &NUMBER),
    ("encrypted_content", &DATA),
    ("encrypted_stdout", &DATA),
    ("content", &SERVED_CONTENT),
    ("tool_references", &SERVED_CONTENT),
]);
static FETCHED: Object = of(
    Role::Tool,
    fields(&[
        ("type", &WORD),
        ("tool_use_id", &LABEL),
        ("content", &FETCHED_PAGE),
        ("caller", &CALLER),
        ("cache_control", &CACHE),
    ]),
);
static FETCHED_PAGE: Place = any_or(&FETCHED_FIELDS);
static FETCHED_FIELDS: Object =
    fields(&[("type", &WORD), ("error_code", &WORD), ("url", &ANY), ("content", &FETCHED_DOCUMENT)]);
static FETCHED_DOCUMENT: Place = object(&FETCHED_OF);
static FETCHED_OF: Object =
    one_of(&Kinds { key: "type", rows: &[("document", &DOCUMENT)], missing: None, why: UNKNOWN_BLOCK });
static UPLOADED: Object = fields(&[("type", &WORD), ("file_id", &REFERENCE), ("cache_control", &CACHE)]);
/// A conversation summed up: readable, or for the provider alone.
static COMPACTED: Object = fields(&[
    ("type", &WORD),
    ("content", &ANY),
    ("encrypted_content", &REFERENCE),
    ("signature", &DATA),
    ("tool_changes", &ANY),
    ("cache_control", &CACHE),
]);
static LISTED: Object = fields(&[("type", &WORD), ("mcp_server_name", &LABEL), ("tools", &TOOLS)]);
static CHANGED: Object = of(Role::Definition, fields(&[("type", &WORD), ("cache_control", &CACHE)]));

#[cfg(test)]
mod tests;
