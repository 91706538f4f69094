//! Recorded streams of messages.

use super::ANSWERS;
use crate::protocol::testing::recorded::{Recorded, SSE};

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1,"cache_read_input_tokens":0,"service_tier":"standard"}}}"#;
const PING: &str = r#"{"type": "ping"}"#;
const STOP: &str = r#"{"type":"content_block_stop","index":2}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#;
const TAIL: &[(&str, &str)] =
    &[("content_block_stop", STOP), ("message_delta", END), ("message_stop", r#"{"type":"message_stop"}"#)];

#[test]
fn every_text_of_a_block_obeys_the_laws() {
    type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str, bool);
    let texts: [Case; 4] = [
        (
            &[
                ("message_start", START),
                (
                    "content_block_start",
                    r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
                ),
                ("ping", PING),
            ],
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"?"}}"#,
            "/delta/text",
            false,
        ),
        (
            &[
                ("message_start", START),
                (
                    "content_block_start",
                    r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}"#,
                ),
            ],
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"?"}}"#,
            "/delta/partial_json",
            true,
        ),
        (
            &[("message_start", START)],
            r#"{"delta":{"thinking":"?","type":"thinking_delta"},"index":2,"type":"content_block_delta"}"#,
            "/delta/thinking",
            false,
        ),
        (
            &[("message_start", START)],
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","note":{"said":"?"}}}"#,
            "/delta/note/said",
            false,
        ),
    ];
    for (head, delta, at, json) in texts {
        let recorded = Recorded {
            table: &ANSWERS,
            wire: SSE,
            head,
            delta: ("content_block_delta", delta),
            tail: TAIL,
            at,
            json,
        };
        recorded.laws();
    }
}
