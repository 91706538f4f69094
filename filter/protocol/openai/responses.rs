//! Answers of the Responses API: the object, and its stream's events by their type.
//!
//! The same text comes up to four times again: in its `done` event, with its part, its item and the whole response.
//! There it is a whole text, so that it equals the joined pieces. Source: the official clients' types.

use crate::protocol::json::spans::Unit;
use crate::protocol::json::table::{
    Fact, Field, LABEL, MASK, MASKED, Mark, NESTED, Offset, Part, Place, RUNNING, THINKING, array, drops,
    fact, json, marked, object, offset, text,
};

use super::table::{FINISH_REASON, ID, MODEL, OBJECT, STATUS, USAGE};

/// Axes of the texts.
const OUTPUT: usize = 0;
const CONTENT: usize = 1;
const SUMMARY: usize = 2;

pub(super) static KIND: Place = fact(Fact::Kind);
pub(super) static SEQUENCE: Place = fact(Fact::Sequence);
pub(super) static OWN: Place = fact(Fact::Own);
static OUTPUT_INDEX: Place = fact(Fact::Index(OUTPUT));
static CONTENT_INDEX: Place = fact(Fact::Index(CONTENT));
static SUMMARY_INDEX: Place = fact(Fact::Index(SUMMARY));
static NO_LOGPROBS: Place = drops("[]");

/// The fields that events have in common, and more of them.
macro_rules! fields {
    ($($more:expr),* $(,)?) => {
        &[
            ("type", &KIND),
            ("sequence_number", &SEQUENCE),
            ("item_id", &OWN),
            ("output_index", &OUTPUT_INDEX),
            ("content_index", &CONTENT_INDEX),
            ("command_index", &CONTENT_INDEX),
            ("summary_index", &SUMMARY_INDEX),
            ("logprobs", &NO_LOGPROBS),
            ("response_id", &LABEL),
            $($more),*
        ]
    };
}

/// The kinds of events.
pub(super) const KINDS: &[(&str, &Place)] = super::threads::kinds![
    ("response.output_text.delta", &OUTPUT_TEXT),
    ("response.function_call_arguments.delta", &FUNCTION_CALL),
    ("response.reasoning_summary_text.delta", &REASONING_SUMMARY),
    ("response.reasoning_text.delta", &REASONING),
    ("response.refusal.delta", &REFUSED),
    ("response.custom_tool_call_input.delta", &TOOL_INPUT),
    ("response.mcp_call_arguments.delta", &MCP_CALL),
    ("response.code_interpreter_call_code.delta", &CODE),
    ("response.shell_call_command.delta", &SHELL_COMMAND),
    ("response.shell_call_output_content.delta", &SHELL_OUTPUT),
    ("response.audio.transcript.delta", &AUDIO_TRANSCRIPT),
    ("response.audio.delta", &AUDIO_DATA),
    ("response.output_text.done", &DONE),
    ("response.function_call_arguments.done", &DONE),
    ("response.reasoning_summary_text.done", &THOUGHT_DONE),
    ("response.reasoning_text.done", &THOUGHT_DONE),
    ("response.refusal.done", &DONE),
    ("response.custom_tool_call_input.done", &DONE),
    ("response.mcp_call_arguments.done", &DONE),
    ("response.code_interpreter_call_code.done", &DONE),
    ("response.shell_call_command.done", &DONE),
    ("response.shell_call_output_content.done", &DONE),
    ("response.audio.transcript.done", &DONE),
    ("response.content_part.done", &DONE),
    ("response.reasoning_summary_part.done", &DONE),
    ("response.output_item.done", &DONE),
    ("response.content_part.added", &NOTICE),
    ("response.reasoning_summary_part.added", &NOTICE),
    ("response.output_item.added", &NOTICE),
    ("response.shell_call_command.added", &NOTICE),
    ("response.output_text.annotation.added", &NOTICE),
    ("response.image_generation_call.partial_image", &NOTICE),
    ("response.created", &NOTICE),
    ("response.queued", &NOTICE),
    ("response.in_progress", &NOTICE),
    ("response.completed", &END),
    ("response.incomplete", &END),
    ("response.failed", &END),
    ("error", &FAILURE),
    ("image_generation.partial_image", &IMAGE_PART),
    ("image_generation.completed", &IMAGE_PART),
    ("image_edit.partial_image", &IMAGE_PART),
    ("image_edit.completed", &IMAGE_PART),
    ("transcript.text.delta", &TRANSCRIPT),
    ("transcript.text.segment", &TRANSCRIPT_SEGMENT),
    ("transcript.text.done", &TRANSCRIPT_DONE),
];

/// An event that carries whole texts, if any.
macro_rules! whole {
    ($mark:expr) => {
        Place {
            fields: fields![
                ("arguments", &NESTED),
                ("part", &PART),
                ("item", &ITEM),
                ("annotation", &ANNOTATION),
                ("annotation_index", &LABEL),
                ("response", &RESPONSE),
                ("partial_image_b64", &LABEL),
                ("partial_image_index", &LABEL),
            ],
            mark: $mark,
            ..MASKED
        }
    };
}
static NOTICE: Place = whole!(None);
static DONE: Place = whole!(Some(Mark::EndScope));
static END: Place = whole!(Some(Mark::EndAll));
static THOUGHT_DONE: Place = marked(Mark::EndScope, fields![("text", &THINKING)]);
static FAILURE: Place = marked(Mark::Failure, fields![("code", &LABEL)]);

static OUTPUT_TEXT: Place = object(fields![("delta", &DELTA_TEXT)]);
static FUNCTION_CALL: Place = object(fields![("delta", &DELTA_ARGUMENTS)]);
static REASONING_SUMMARY: Place = object(fields![("delta", &DELTA_SUMMARY)]);
static REASONING: Place = object(fields![("delta", &DELTA_REASONING)]);
static REFUSED: Place = object(fields![("delta", &DELTA_REFUSAL)]);
static TOOL_INPUT: Place = object(fields![("delta", &DELTA_INPUT)]);
static MCP_CALL: Place = object(fields![("delta", &DELTA_MCP)]);
static CODE: Place = object(fields![("delta", &DELTA_CODE)]);
static SHELL_COMMAND: Place = object(fields![("delta", &DELTA_COMMAND)]);
static SHELL_OUTPUT: Place = object(fields![("delta", &DELTA_OUTPUT)]);
static AUDIO_TRANSCRIPT: Place = object(fields![("delta", &DELTA_TRANSCRIPT)]);
static AUDIO_DATA: Place = object(fields![("delta", &LABEL)]);

static DELTA_TEXT: Place = text(&TEXT, &RUNNING);
static DELTA_ARGUMENTS: Place = json(&ARGUMENTS);
static DELTA_SUMMARY: Place = text(&SUMMARY_TEXT, &RUNNING);
static DELTA_REASONING: Place = text(&REASONING_TEXT, &RUNNING);
static DELTA_REFUSAL: Place = text(&REFUSAL, &RUNNING);
static DELTA_INPUT: Place = text(&INPUT, &RUNNING);
static DELTA_MCP: Place = json(&MCP_ARGUMENTS);
static DELTA_CODE: Place = text(&CODE_TEXT, &RUNNING);
static DELTA_COMMAND: Place = text(&COMMAND, &RUNNING);
static DELTA_OUTPUT: Place =
    Place { fields: &[("stdout", &STDOUT_TEXT), ("stderr", &STDERR_TEXT)], other: &RUNNING, ..MASKED };
static STDOUT_TEXT: Place = text(&STDOUT, &RUNNING);
static STDERR_TEXT: Place = text(&STDERR, &RUNNING);
static DELTA_TRANSCRIPT: Place = text(&AUDIO_TEXT, &RUNNING);

static IMAGE_PART: Place = object(&[
    ("type", &KIND),
    ("b64_json", &LABEL),
    ("created_at", &LABEL),
    ("partial_image_index", &LABEL),
    ("usage", &USAGE),
]);

// The object.

static RESPONSE: Place = object(&[
    ("id", &ID),
    ("object", &OBJECT),
    ("created_at", &LABEL),
    ("completed_at", &LABEL),
    ("status", &STATUS),
    ("model", &MODEL),
    ("output", &OUTPUTS),
    ("usage", &USAGE),
    ("error", &FAILED),
    ("incomplete_details", &INCOMPLETE),
    ("previous_response_id", &LABEL),
    ("conversation", &CONVERSATION),
    ("tool_choice", &LABEL),
    ("truncation", &LABEL),
    ("service_tier", &LABEL),
    ("temperature", &LABEL),
    ("top_p", &LABEL),
]);
pub(super) static FAILED: Place = marked(Mark::Failure, &[("code", &LABEL)]);
pub(super) static INCOMPLETE: Place = object(&[("reason", &FINISH_REASON)]);
pub(super) static CONVERSATION: Place = object(&[("id", &LABEL)]);

pub(super) static OUTPUTS: Place = array(&OUTPUT_ITEM);
static OUTPUT_ITEM: Place = Place { mark: Some(Mark::Item(OUTPUT)), ..ANY_ITEM };
static ITEM: Place = ANY_ITEM;
const ANY_ITEM: Place = Place {
    fields: &[
        ("type", &KIND),
        ("id", &LABEL),
        ("call_id", &LABEL),
        ("status", &LABEL),
        ("role", &LABEL),
        ("content", &CONTENTS),
        ("summary", &SUMMARIES),
        ("arguments", &NESTED),
        ("encrypted_content", &LABEL),
        ("approval_request_id", &LABEL),
        ("container_id", &LABEL),
        ("results", &RESULTS),
        ("outputs", &LOGS),
    ],
    kinds: &[("image_generation_call", &IMAGE)],
    ..MASKED
};
static IMAGE: Place = object(&[
    ("type", &KIND),
    ("id", &LABEL),
    ("status", &LABEL),
    ("result", &LABEL),
    ("background", &LABEL),
    ("output_format", &LABEL),
    ("quality", &LABEL),
    ("size", &LABEL),
]);

static CONTENTS: Place = array(&CONTENT_PART);
static CONTENT_PART: Place = Place { mark: Some(Mark::Item(CONTENT)), ..ANY_PART };
static SUMMARIES: Place = array(&PART);
static PART: Place = ANY_PART;
const ANY_PART: Place = Place {
    fields: &[("type", &KIND), ("logprobs", &NO_LOGPROBS), ("annotations", &ANNOTATIONS), ("text", &MASK)],
    kinds: &[("reasoning_text", &THOUGHT), ("summary_text", &THOUGHT)],
    ..MASKED
};
static THOUGHT: Place = object(&[("type", &KIND), ("text", &THINKING)]);

static ANNOTATIONS: Place = array(&ANNOTATION);
static ANNOTATION: Place = object(&[
    ("type", &LABEL),
    ("file_id", &LABEL),
    ("container_id", &LABEL),
    ("index", &LABEL),
    ("start_index", &TEXT_START),
    ("end_index", &TEXT_END),
]);
static TEXT_START: Place = offset(&Offset { field: &TEXT, unit: Unit::Chars, end: false });
static TEXT_END: Place = offset(&Offset { field: &TEXT, unit: Unit::Chars, end: true });
static RESULTS: Place = array(&RESULT);
static RESULT: Place = object(&[("file_id", &LABEL), ("score", &LABEL)]);
static LOGS: Place = array(&LOG);
static LOG: Place = object(&[("type", &LABEL)]);

// Texts.

/// A text that is its event's `delta`: between these bytes, behind this index.
macro_rules! delta {
    ($id:literal, $kind:literal, $index:expr, $thinking:literal, $before:literal, $after:literal) => {
        Field {
            id: $id,
            name: $kind,
            event: &[
                Part::Literal(concat!(r#""type":""#, $kind, r#"","sequence_number":"#)),
                Part::Sequence,
                Part::Literal(r#","item_id":"#),
                Part::Own,
                Part::Indexed(OUTPUT, r#","output_index":"#, ""),
                $index,
                Part::Literal(concat!(r#","delta":"#, $before)),
                Part::Text,
                Part::Literal($after),
            ],
            thinking: $thinking,
        }
    };
}
const OF_CONTENT: Part = Part::Indexed(CONTENT, r#","content_index":"#, "");
const OF_SUMMARY: Part = Part::Indexed(SUMMARY, r#","summary_index":"#, "");
const OF_COMMAND: Part = Part::Indexed(CONTENT, r#","command_index":"#, "");

static TEXT: Field = delta!(32, "response.output_text.delta", OF_CONTENT, false, "\"", "\",\"logprobs\":[]");
static REFUSAL: Field = delta!(33, "response.refusal.delta", OF_CONTENT, false, "\"", "\"");
static REASONING_TEXT: Field = delta!(34, "response.reasoning_text.delta", OF_CONTENT, true, "\"", "\"");
static SUMMARY_TEXT: Field =
    delta!(35, "response.reasoning_summary_text.delta", OF_SUMMARY, true, "\"", "\"");
static ARGUMENTS: Field = delta!(36, "response.function_call_arguments.delta", OF_CONTENT, false, "\"", "\"");
static INPUT: Field = delta!(37, "response.custom_tool_call_input.delta", OF_CONTENT, false, "\"", "\"");
static MCP_ARGUMENTS: Field = delta!(38, "response.mcp_call_arguments.delta", OF_CONTENT, false, "\"", "\"");
static CODE_TEXT: Field =
    delta!(39, "response.code_interpreter_call_code.delta", OF_CONTENT, false, "\"", "\"");
static COMMAND: Field = delta!(40, "response.shell_call_command.delta", OF_COMMAND, false, "\"", "\"");
static STDOUT: Field =
    delta!(41, "response.shell_call_output_content.delta", OF_COMMAND, false, "{\"stdout\":\"", "\"}");
static STDERR: Field =
    delta!(42, "response.shell_call_output_content.delta", OF_COMMAND, false, "{\"stderr\":\"", "\"}");
static AUDIO_TEXT: Field = delta!(43, "response.audio.transcript.delta", OF_CONTENT, false, "\"", "\"");

// Transcriptions.

static TRANSCRIPT: Place =
    object(&[("type", &KIND), ("delta", &TRANSCRIPT_DELTA), ("logprobs", &NO_LOGPROBS)]);
static TRANSCRIPT_SEGMENT: Place = object(&[
    ("type", &KIND),
    ("id", &LABEL),
    ("start", &LABEL),
    ("end", &LABEL),
    ("speaker", &MASK),
    ("text", &SEGMENT_TEXT),
    ("tokens", &NO_LOGPROBS),
]);
static TRANSCRIPT_DONE: Place =
    marked(Mark::EndAll, &[("type", &KIND), ("logprobs", &NO_LOGPROBS), ("usage", &USAGE)]);
static TRANSCRIPT_DELTA: Place = text(&TRANSCRIPT_TEXT, &RUNNING);
static SEGMENT_TEXT: Place = text(&SEGMENT, &RUNNING);
static TRANSCRIPT_TEXT: Field = Field {
    id: 44,
    name: "",
    event: &[Part::Literal(r#""type":"transcript.text.delta","delta":""#), Part::Text, Part::Literal("\"")],
    thinking: false,
};
static SEGMENT: Field = Field {
    id: 45,
    name: "",
    event: &[
        Part::Literal(r#""type":"transcript.text.segment","id":"","start":0,"end":0,"speaker":"","text":""#),
        Part::Text,
        Part::Literal("\""),
    ],
    thinking: false,
};
