//! Recorded streams of messages.

use super::ANSWERS;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::Simple;
use crate::protocol::testing::recorded::{Recorded, SSE};
use crate::protocol::{Thinking, Unreadable};

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

/// A message with every kind of block.
const WHOLE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","stop_reason":"end_turn","stop_sequence":"x",
"container":{"id":"c","expires_at":"t"},"usage":{"input_tokens":1,"output_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":0},"service_tier":"standard","server_tool_use":{"web_search_requests":1}},
"content":[
{"type":"thinking","thinking":"x","signature":"s"},
{"type":"redacted_thinking","data":"d"},
{"type":"text","text":"x","citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":"x","start_char_index":0,"end_char_index":5,"file_id":"f"},{"type":"web_search_result_location","cited_text":"x","url":"x","title":"x","encrypted_index":"e"}]},
{"type":"tool_use","id":"t","name":"x","input":{"x":"x","n":1}},
{"type":"server_tool_use","id":"t","name":"x","input":{"query":"x"}},
{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","url":"x","title":"x","encrypted_content":"e","page_age":"x"}]},
{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","url":"x","retrieved_at":"t","content":{"type":"document","title":"x","source":{"type":"text","media_type":"text/plain","data":"x"}}}},
{"type":"web_fetch_tool_result","tool_use_id":"t","content":{"type":"web_fetch_result","url":"x","content":{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"binary"}}}},
{"type":"code_execution_tool_result","tool_use_id":"t","content":{"type":"code_execution_result","stdout":"x","stderr":"x","return_code":0,"content":[{"type":"code_execution_output","file_id":"f"}]}},
{"type":"mcp_tool_use","id":"t","name":"x","server_name":"x","input":{"q":"x"}},
{"type":"mcp_tool_result","tool_use_id":"t","is_error":false,"content":[{"type":"text","text":"x"}]},
{"type":"of_a_new_kind","said":"x","deep":{"data":"x"}}]}"#;

const KEPT: [&str; 17] = [
    "data",
    "encrypted_content",
    "encrypted_index",
    "expires_at",
    "file_id",
    "id",
    "media_type",
    "model",
    "retrieved_at",
    "role",
    "service_tier",
    "signature",
    "stop_reason",
    "tool_use_id",
    "type",
    "container",
    "",
];

#[test]
fn a_message_keeps_labels_and_nothing_else() {
    use crate::protocol::testing::doors::kept;
    let (strings, numbers) = kept(&ANSWERS, BodyKind::Json, &[WHOLE]);
    assert!(strings.iter().all(|key| KEPT.contains(&key.as_str())), "{strings:?}");
    assert_eq!(
        numbers,
        ["ephemeral_5m_input_tokens", "input_tokens", "output_tokens", "return_code", "web_search_requests"]
    );
    // Of data, only what the provider alone reads and what is binary.
    let of = |document: &str| kept(&ANSWERS, BodyKind::Json, &[document]).0;
    for opaque in [
        r#"{"content":[{"type":"redacted_thinking","data":"x"}]}"#,
        r#"{"content":[{"source":{"type":"base64","data":"x"}}]}"#,
    ] {
        assert_eq!(of(opaque), ["data", "type"]);
    }
    for text in [
        r#"{"content":[{"type":"of_a_new_kind","data":"x","deep":{"data":"x"}}]}"#,
        r#"{"content":[{"source":{"type":"text","data":"x"}}]}"#,
    ] {
        assert_eq!(of(text), ["type"]);
    }
}

#[test]
fn an_event_keeps_labels_and_nothing_else() {
    use crate::protocol::testing::doors::kept;
    let events = [
        START,
        END,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","url":"x","title":"x","encrypted_content":"e"}]}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"t","name":"x","input":{"query":"x"}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"x","document_title":"x"}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"x"},"request_id":"r"}"#,
        r#"{"type":"of_a_new_kind","index":0,"said":"x","delta":{"type":"t","text":"x","said":"x"}}"#,
    ];
    let (strings, _) = kept(&ANSWERS, BodyKind::EventStream, &events);
    let expected = [
        "encrypted_content",
        "id",
        "model",
        "request_id",
        "role",
        "service_tier",
        "signature",
        "stop_reason",
        "tool_use_id",
        "type",
    ];
    assert_eq!(strings, expected);
}

fn event(document: &str) -> String {
    let name = document.split('"').nth(3).unwrap();
    format!("event: {name}\ndata: {document}\n\n")
}

fn run(kind: BodyKind, input: &str, thinking: Thinking) -> Result<String, Unreadable> {
    let mut out = Vec::new();
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Simple).with_thinking(thinking);
    rewriter.push(input.as_bytes(), true, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn thinking_and_its_signature_go_as_the_policy_says() {
    let block = |index: u32, thinking: &[&str]| {
        let deltas = thinking.iter().map(|piece| {
            event(&format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"thinking_delta","thinking":"{piece}"}}}}"#))
        });
        let signature = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"signature_delta","signature":"sig{index}"}}}}"#
        );
        let stop = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        deltas.chain([event(&signature), event(&stop)]).collect::<String>()
    };
    let stream = block(0, &["a SEC", "RET b"]) + &block(1, &["calm"]);
    for (thinking, texts, signatures) in [
        (Thinking::Mask, "a <S> bcalm", [false, true]),
        (Thinking::Exempt, "a SECRET bcalm", [true, true]),
        (Thinking::Drop, "", [false, false]),
    ] {
        let out = run(BodyKind::EventStream, &stream, thinking).unwrap();
        let joined: String =
            out.split(r#""thinking":""#).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(joined, texts);
        assert_eq!([out.contains("sig0"), out.contains("sig1")], signatures, "{out}");
    }
    let whole = r#"{"content":[{"type":"thinking","thinking":"a SECRET b","signature":"sig0"},{"type":"thinking","thinking":"calm","signature":"sig1"},{"type":"redacted_thinking","data":"red"}]}"#;
    let masked = whole.replace("SECRET", "<S>").replace("sig0", "");
    assert_eq!(run(BodyKind::Json, whole, Thinking::Mask).unwrap(), masked);
    assert_eq!(run(BodyKind::Json, whole, Thinking::Exempt).unwrap(), whole);
    let dropped = r#"{"content":[{"type":"thinking","thinking":"","signature":""},{"type":"thinking","thinking":"","signature":""},{"type":"redacted_thinking","data":""}]}"#;
    assert_eq!(run(BodyKind::Json, whole, Thinking::Drop).unwrap(), dropped);
}

#[test]
fn an_event_that_is_called_by_two_names_breaks_the_answer_off() {
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#;
    for bad in [
        format!("event: ping\ndata: {delta}\n\n"),
        format!("event: content_block_delta\nevent: ping\ndata: {delta}\n\n"),
        format!("data: {delta}\nevent: ping\n\n"),
        "event: ping\ndata: {\"type\":\"other\"}\n\n".to_owned(),
    ] {
        let seen = run(BodyKind::EventStream, &(event(delta) + &bad), Thinking::Mask);
        assert_eq!(seen, Err(Unreadable::TwoNames), "{bad}");
    }
    for good in [
        format!("data: {delta}\nevent: content_block_delta\n\n"),
        format!("event:content_block_delta\r\ndata: {delta}\r\n\r\n"),
        "event: ping\ndata: {}\n\n".to_owned(),
        format!("event: message\ndata: {delta}\n\n"),
    ] {
        assert_eq!(run(BodyKind::EventStream, &good, Thinking::Mask).unwrap(), good);
    }
    // What has no type is what its name says.
    let unnamed = "event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"text\":\"SEC\"}}\n\n";
    let out =
        run(BodyKind::EventStream, &(unnamed.to_owned() + &unnamed.replace("SEC", "RET")), Thinking::Mask);
    assert!(!out.unwrap().contains("RET"));
}

#[test]
fn blocks_do_not_mix_and_an_index_that_is_none_breaks_the_answer_off() {
    let delta = |index: &str, text: &str| {
        event(&format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":"{text}"}}}}"#
        ))
    };
    let out = run(
        BodyKind::EventStream,
        &[delta("0", "SEC"), delta("1", "RET"), delta("0", "RET")].concat(),
        Thinking::Mask,
    )
    .unwrap();
    assert_eq!(out.matches("<S>").count(), 1);
    for index in ["1.0", "-1", "99999999999", "1e0"] {
        let seen = run(BodyKind::EventStream, &delta(index, "x"), Thinking::Mask);
        assert!(matches!(seen, Err(Unreadable::Json { .. })), "{index}");
    }
    let stop = event(r#"{"type":"content_block_stop","index":0}"#);
    let seen = run(BodyKind::EventStream, &(delta("0", "x") + &stop + &delta("0", "x")), Thinking::Mask);
    assert_eq!(seen, Err(Unreadable::TextAfterEnd));
}
