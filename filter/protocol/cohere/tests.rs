//! Recorded streams of chat.

use super::ANSWERS;
use crate::protocol::testing::recorded::{Recorded, SSE};

const START: (&str, &str) = (
    "message-start",
    r#"{"id":"29f1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
);
const END: (&str, &str) = (
    "message-end",
    r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":17,"output_tokens":12},"tokens":{"input_tokens":215,"output_tokens":12}}}}"#,
);

fn laws(
    head: &'static [(&'static str, &'static str)],
    delta: (&'static str, &'static str),
    tail: &'static [(&'static str, &'static str)],
    at: &'static str,
    json: bool,
) {
    Recorded { table: &ANSWERS, wire: SSE, head, delta, tail, at, json }.laws();
}

#[test]
fn content_and_thinking_obey_the_laws() {
    laws(
        &[
            START,
            (
                "content-start",
                r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            ),
        ],
        (
            "content-delta",
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"?"}}}}"#,
        ),
        &[("content-end", r#"{"type":"content-end","index":0}"#), END],
        "/delta/message/content/text",
        false,
    );
    laws(
        &[START],
        (
            "content-delta",
            r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"thinking":"?"}}}}"#,
        ),
        &[END],
        "/delta/message/content/thinking",
        false,
    );
}

#[test]
fn plans_and_arguments_of_tools_obey_the_laws() {
    laws(
        &[START],
        ("tool-plan-delta", r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"?"}}}"#),
        &[END],
        "/delta/message/tool_plan",
        false,
    );
    laws(
        &[
            START,
            ("content-end", r#"{"type":"content-end","index":3}"#),
            (
                "tool-call-start",
                r#"{"type":"tool-call-start","index":3,"delta":{"message":{"tool_calls":{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}}}}"#,
            ),
        ],
        (
            "tool-call-delta",
            r#"{"type":"tool-call-delta","index":3,"delta":{"message":{"tool_calls":{"function":{"arguments":"?"}}}}}"#,
        ),
        &[("tool-call-end", r#"{"type":"tool-call-end","index":3}"#), END],
        "/delta/message/tool_calls/function/arguments",
        true,
    );
}
