//! Recorded streams: of chat with the fields of its dialects, and of responses.

use super::ANSWERS;
use crate::protocol::testing::recorded::{Recorded, SSE};

fn chat(delta: &'static str, at: &'static str, json: bool) {
    Recorded {
        table: &ANSWERS,
        wire: SSE,
        head: &[(
            "",
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        )],
        delta: ("", delta),
        tail: &[
            (
                "",
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
            ),
            (
                "",
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            ),
        ],
        at,
        json,
    }
    .laws();
}

macro_rules! event {
    ($delta:literal) => {
        concat!(
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":12,"model":"gpt-4o","choices":[{"index":1,"delta":{"#,
            $delta,
            r#"},"finish_reason":null}],"obfuscation":"xYz"}"#
        )
    };
}

#[test]
fn the_texts_of_chat_obey_the_laws() {
    chat(event!(r#""content":"?""#), "/choices/0/delta/content", false);
    chat(event!(r#""reasoning_content":"?""#), "/choices/0/delta/reasoning_content", false);
    chat(event!(r#""content":[{"type":"text","text":"?"}]"#), "/choices/0/delta/content/0/text", false);
}

#[test]
fn the_texts_of_dialects_obey_the_laws() {
    chat(
        event!(r#""reasoning_details":[{"type":"reasoning.text","index":2,"text":"?"}]"#),
        "/choices/0/delta/reasoning_details/0/text",
        false,
    );
    chat(event!(r#""new_reasoning":"?""#), "/choices/0/delta/new_reasoning", false);
    chat(event!(r#""new":[{"said":"?"}]"#), "/choices/0/delta/new/0/said", false);
    chat(
        event!(r#""tool_calls":[{"index":3,"function":{"arguments":"?"}}]"#),
        "/choices/0/delta/tool_calls/0/function/arguments",
        true,
    );
}

const CREATED: (&str, &str) = (
    "response.created",
    r#"{"type":"response.created","sequence_number":#,"response":{"id":"resp_1","object":"response","created_at":12,"status":"in_progress","error":null,"incomplete_details":null,"instructions":null,"model":"gpt-4o","output":[],"usage":null,"metadata":{}}}"#,
);

struct Response {
    head: &'static [(&'static str, &'static str)],
    delta: (&'static str, &'static str),
    tail: &'static [(&'static str, &'static str)],
    at: &'static str,
    json: bool,
}

impl Response {
    fn laws(self) {
        let Self { head, delta, tail, at, json } = self;
        Recorded { table: &ANSWERS, wire: SSE, head, delta, tail, at, json }.laws();
    }
}

#[test]
fn output_text_and_all_its_repeats_obey_the_laws() {
    Response {
        head: &[
            CREATED,
            ("response.output_item.added", r#"{"type":"response.output_item.added","sequence_number":#,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#),
            ("response.content_part.added", r#"{"type":"response.content_part.added","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}"#),
        ],
        delta: ("response.output_text.delta", r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"?","logprobs":[],"obfuscation":"aBc"}"#),
        tail: &[
            ("response.output_text.done", r#"{"type":"response.output_text.done","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"text":"?","logprobs":[]}"#),
            ("response.content_part.done", r#"{"type":"response.content_part.done","sequence_number":#,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":"?","annotations":[],"logprobs":[]}}"#),
            ("response.output_item.done", r#"{"type":"response.output_item.done","sequence_number":#,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"?","annotations":[],"logprobs":[]}]}}"#),
            ("response.completed", r#"{"type":"response.completed","sequence_number":#,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"?"}]}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}"#),
        ],
        at: "/delta",
        json: false,
    }
    .laws();
}

#[test]
fn arguments_of_functions_and_their_repeats_obey_the_laws() {
    Response {
        head: &[CREATED],
        delta: ("response.function_call_arguments.delta", r#"{"type":"response.function_call_arguments.delta","sequence_number":#,"item_id":"fc_1","output_index":0,"delta":"?"}"#),
        tail: &[
            ("response.function_call_arguments.done", r#"{"type":"response.function_call_arguments.done","sequence_number":#,"item_id":"fc_1","output_index":0,"arguments":"?"}"#),
            ("response.output_item.done", r#"{"type":"response.output_item.done","sequence_number":#,"output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"?","status":"completed"}}"#),
        ],
        at: "/delta",
        json: true,
    }
    .laws();
}

#[test]
fn reasoning_code_refusals_and_shells_obey_the_laws() {
    let all: [(&str, &str, &str); 5] = [
        (
            "response.reasoning_summary_text.delta",
            r#"{"delta":"?","type":"response.reasoning_summary_text.delta","sequence_number":#,"item_id":"rs_1","output_index":0,"summary_index":2}"#,
            "/delta",
        ),
        (
            "response.refusal.delta",
            r#"{"type":"response.refusal.delta","sequence_number":#,"item_id":"m","output_index":0,"content_index":0,"delta":"?"}"#,
            "/delta",
        ),
        (
            "response.code_interpreter_call_code.delta",
            r#"{"type":"response.code_interpreter_call_code.delta","sequence_number":#,"item_id":"ci","output_index":0,"delta":"?"}"#,
            "/delta",
        ),
        (
            "response.shell_call_output_content.delta",
            r#"{"type":"response.shell_call_output_content.delta","sequence_number":#,"item_id":"sh","output_index":0,"command_index":4,"delta":{"stdout":"?"}}"#,
            "/delta/stdout",
        ),
        (
            "response.of_a_new_kind.delta",
            r#"{"type":"response.of_a_new_kind.delta","sequence_number":#,"item_id":"sh","output_index":0,"delta":"?"}"#,
            "/delta",
        ),
    ];
    for (name, delta, at) in all {
        let tail = &[(
            "response.incomplete",
            r#"{"type":"response.incomplete","sequence_number":#,"response":{"id":"resp_1","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}}"#,
        )];
        Response { head: &[CREATED], delta: (name, delta), tail, at, json: false }.laws();
    }
}
