//! Answers of the Assistants API: runs as streams, whose events are known by their name alone, and the objects in them.
//!
//! A stream may carry several messages and steps, each with an id of its own: that tells their texts apart. Source:
//! <https://platform.openai.com/docs/api-reference/assistants-streaming/events> and the official clients' types.

use crate::protocol::json::spans::Unit;
use crate::protocol::json::table::{
    Fact, Field, LABEL, LABELS, MASK, MASKED, Mark, NESTED, Offset, Place, RUNNING, array, fact, json,
    marked, object, offset, text,
};

use super::responses::FAILED;
use super::table::{FINISH_REASON, MODEL, OBJECT, STATUS, USAGE};

/// Axes of the texts: the message or the step, a part of it, a call of a tool.
const OF: usize = 0;
const PART: usize = 1;
const CALL: usize = 2;

/// The kinds of events, beside those of the Responses API: names of events, for their documents say no kind.
macro_rules! kinds {
    ($($more:expr),* $(,)?) => {
        &[
            $($more,)*
            ("thread.created", &crate::protocol::openai::threads::OBJECTS),
            ("thread.message.created", &crate::protocol::openai::threads::OBJECTS),
            ("thread.message.in_progress", &crate::protocol::openai::threads::OBJECTS),
            ("thread.message.delta", &crate::protocol::openai::threads::MESSAGE_DELTA),
            ("thread.message.completed", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.message.incomplete", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.run.step.created", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.step.in_progress", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.step.delta", &crate::protocol::openai::threads::STEP_DELTA),
            ("thread.run.step.completed", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.run.step.failed", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.run.step.cancelled", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.run.step.expired", &crate::protocol::openai::threads::OBJECTS_END),
            ("thread.run.created", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.queued", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.in_progress", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.cancelling", &crate::protocol::openai::threads::OBJECTS),
            ("thread.run.requires_action", &crate::protocol::openai::threads::RUN_ENDS),
            ("thread.run.completed", &crate::protocol::openai::threads::RUN_ENDS),
            ("thread.run.incomplete", &crate::protocol::openai::threads::RUN_ENDS),
            ("thread.run.failed", &crate::protocol::openai::threads::RUN_ENDS),
            ("thread.run.cancelled", &crate::protocol::openai::threads::RUN_ENDS),
            ("thread.run.expired", &crate::protocol::openai::threads::RUN_ENDS),
        ]
    };
}
pub(super) use kinds;

/// What a thread, a message, a run and a step of it have, behind their id.
macro_rules! fields {
    ($id:expr, $status:expr) => {
        &[
            ("id", $id),
            ("object", &OBJECT),
            ("type", &LABEL),
            ("created_at", &LABEL),
            ("started_at", &LABEL),
            ("completed_at", &LABEL),
            ("incomplete_at", &LABEL),
            ("cancelled_at", &LABEL),
            ("failed_at", &LABEL),
            ("expires_at", &LABEL),
            ("expired_at", &LABEL),
            ("thread_id", &LABEL),
            ("run_id", &LABEL),
            ("assistant_id", &LABEL),
            ("status", $status),
            ("role", &LABEL),
            ("model", &MODEL),
            ("content", &CONTENT),
            ("attachments", &ATTACHMENTS),
            ("step_details", &DETAILS),
            ("required_action", &ACTION),
            ("incomplete_details", &INCOMPLETE),
            ("last_error", &FAILED),
            ("usage", &USAGE),
            ("max_prompt_tokens", &LABEL),
            ("max_completion_tokens", &LABEL),
            ("temperature", &LABEL),
            ("top_p", &LABEL),
            ("tool_choice", &LABEL),
        ]
    };
}
/// An object of it.
pub(super) static OBJECTS: Place = object(fields!(&LABEL, &LABEL));
/// A message or a step that is over, and its texts with it.
pub(super) static OBJECTS_END: Place = marked(Mark::EndScope, fields!(&ITS_ID, &LABEL));
/// A run that is over.
pub(super) static RUN_ENDS: Place = marked(Mark::EndAll, fields!(&LABEL, &STATUS));
static ITS_ID: Place = fact(Fact::Named(OF));
static INCOMPLETE: Place = object(&[("reason", &FINISH_REASON)]);
static ATTACHMENTS: Place = array(&ATTACHMENT);
static ATTACHMENT: Place = object(&[("file_id", &LABEL)]);

// Messages.

/// What a message says.
pub(super) static CONTENT: Place = array(&PART_OF_MESSAGE);
static PART_OF_MESSAGE: Place = object(&[("type", &LABEL), ("text", &SAID), ("image_file", &IMAGE_FILE)]);
static SAID: Place = object(&[("value", &MASK), ("annotations", &NOTES)]);
static IMAGE_FILE: Place = object(&[("file_id", &LABEL), ("detail", &LABEL)]);
static NOTES: Place = array(&NOTE);
static NOTE: Place = object(&[
    ("type", &LABEL),
    ("index", &LABEL),
    ("start_index", &SAID_START),
    ("end_index", &SAID_END),
    ("file_citation", &IMAGE_FILE),
    ("file_path", &IMAGE_FILE),
]);
static SAID_START: Place = offset(&Offset { field: &VALUE, unit: Unit::Chars, end: false });
static SAID_END: Place = offset(&Offset { field: &VALUE, unit: Unit::Chars, end: true });

pub(super) static MESSAGE_DELTA: Place =
    object(&[("id", &ITS_ID), ("object", &OBJECT), ("delta", &MESSAGE_CHANGE)]);
static MESSAGE_CHANGE: Place = Place {
    fields: &[("role", &LABEL), ("content", &PARTS), ("file_ids", &LABELS)],
    other: &RUNNING,
    ..MASKED
};
static PARTS: Place = array(&PART_CHANGE);
static PART_CHANGE: Place = Place {
    fields: &[
        ("index", &PART_INDEX),
        ("type", &LABEL),
        ("text", &PIECE),
        ("image_file", &IMAGE_FILE),
        ("refusal", &REFUSED_PIECE),
    ],
    other: &RUNNING,
    mark: Some(Mark::Item(PART)),
    ..MASKED
};
static PART_INDEX: Place = fact(Fact::Index(PART));
static PIECE: Place =
    Place { fields: &[("value", &VALUE_PIECE), ("annotations", &NOTES)], other: &RUNNING, ..MASKED };
static VALUE_PIECE: Place = text(&VALUE, &MASK);
static REFUSED_PIECE: Place = text(&REFUSED, &MASK);

// Steps.

/// What a step did: calls of tools, as objects.
static DETAILS: Place = object(&[("type", &LABEL), ("message_creation", &MADE), ("tool_calls", &CALLS)]);
static MADE: Place = object(&[("message_id", &LABEL)]);
static ACTION: Place = object(&[("type", &LABEL), ("submit_tool_outputs", &ASKED)]);
static ASKED: Place = object(&[("tool_calls", &CALLS)]);
static CALLS: Place = array(&CALLED);
static CALLED: Place = object(&[("id", &LABEL), ("type", &LABEL), ("function", &FUNCTION)]);
static FUNCTION: Place = object(&[("arguments", &NESTED)]);

pub(super) static STEP_DELTA: Place =
    object(&[("id", &ITS_ID), ("object", &OBJECT), ("delta", &STEP_CHANGE)]);
static STEP_CHANGE: Place = Place { fields: &[("step_details", &DETAILS_CHANGE)], other: &RUNNING, ..MASKED };
static DETAILS_CHANGE: Place = Place {
    fields: &[("type", &LABEL), ("message_creation", &MADE), ("tool_calls", &CALL_CHANGES)],
    other: &RUNNING,
    ..MASKED
};
static CALL_CHANGES: Place = array(&CALL_CHANGE);
static CALL_CHANGE: Place = Place {
    fields: &[
        ("index", &CALL_INDEX),
        ("id", &LABEL),
        ("type", &LABEL),
        ("function", &FUNCTION_CHANGE),
        ("code_interpreter", &CODE_CHANGE),
    ],
    other: &RUNNING,
    mark: Some(Mark::Item(CALL)),
    ..MASKED
};
static CALL_INDEX: Place = fact(Fact::Index(CALL));
static FUNCTION_CHANGE: Place =
    Place { fields: &[("name", &MASK), ("arguments", &ARGUMENTS_PIECE)], other: &RUNNING, ..MASKED };
static ARGUMENTS_PIECE: Place = json(&ARGUMENTS);
static CODE_CHANGE: Place =
    Place { fields: &[("input", &CODE_PIECE), ("outputs", &LOG_CHANGES)], other: &RUNNING, ..MASKED };
static CODE_PIECE: Place = text(&CODE, &MASK);
static LOG_CHANGES: Place = array(&LOG_CHANGE);
static LOG_CHANGE: Place = Place {
    fields: &[("index", &PART_INDEX), ("type", &LABEL), ("logs", &LOG_PIECE), ("image", &IMAGE_FILE)],
    other: &RUNNING,
    mark: Some(Mark::Item(PART)),
    ..MASKED
};
static LOG_PIECE: Place = text(&LOGS, &MASK);

/// A text whose tail goes in an event like the one that carried it last.
const fn piece(id: u8, name: &'static str) -> Field {
    Field { id, name, thinking: false, event: &[] }
}
static VALUE: Field = piece(46, "thread.message.delta");
static REFUSED: Field = piece(47, "thread.message.delta");
static ARGUMENTS: Field = piece(48, "thread.run.step.delta");
static CODE: Field = piece(49, "thread.run.step.delta");
static LOGS: Field = piece(50, "thread.run.step.delta");
