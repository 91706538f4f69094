//! Whole answers and streams against an independent reference.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::protocol::openai::ANSWERS;
use crate::protocol::testing::{Nothing, Simple, masked, masked_value};

fn rewriter(kind: BodyKind) -> ResponseRewriter<Simple> {
    ResponseRewriter::new(kind, &ANSWERS, Simple)
}

fn rewrite_pieces(kind: BodyKind, pieces: &[&[u8]]) -> Result<Vec<u8>, Unreadable> {
    let mut rewriter = rewriter(kind);
    let mut out = Vec::new();
    for piece in pieces {
        rewriter.push(piece, false, &mut out)?;
    }
    rewriter.push(b"", true, &mut out)?;
    assert_eq!(rewriter.held(), 0);
    Ok(out)
}

fn rewrite(kind: BodyKind, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    rewrite_pieces(kind, &[bytes])
}

fn json_of(input: &str) -> String {
    String::from_utf8(rewrite(BodyKind::Json, input.as_bytes()).unwrap()).unwrap()
}

/// Texts of a stream, put together as a client does: (choice, tool, field) -> text.
type Texts = BTreeMap<(u64, u64, String), String>;

fn events(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| !event.trim().is_empty()) {
        let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        let data = data.join("\n");
        if !data.is_empty() && data.trim() != "[DONE]" {
            events.push(serde_json::from_str(&data).unwrap_or_else(|e| panic!("{e}: {data}")));
        }
    }
    events
}

fn texts(stream: &[u8]) -> Texts {
    let mut texts = Texts::new();
    let mut add = |choice: u64, tool: u64, field: &str, value: &Value| {
        if let Some(text) = value.as_str() {
            texts.entry((choice, tool, field.to_owned())).or_default().push_str(text);
        }
    };
    for event in events(stream) {
        for choice in event["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap();
            let delta = &choice["delta"];
            for field in ["content", "refusal", "reasoning", "reasoning_content"] {
                add(index, 0, field, &delta[field]);
            }
            add(index, 0, "text", &choice["text"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                add(index, call["index"].as_u64().unwrap(), "arguments", &call["function"]["arguments"]);
            }
        }
    }
    texts.retain(|_, text| !text.is_empty());
    texts
}

fn reference(input: &Texts) -> Texts {
    input
        .iter()
        .map(|(key, text)| {
            let masked = match serde_json::from_str::<Value>(text) {
                Ok(value) if key.2 == "arguments" => masked_value(&value).to_string(),
                _ => masked(text),
            };
            (key.clone(), masked)
        })
        .collect()
}

/// Arguments are compared as documents: their spaces are kept, which a parsed one has not.
fn canonical(texts: Texts) -> Texts {
    texts
        .into_iter()
        .map(|(key, text)| {
            let value = serde_json::from_str::<Value>(&text).ok().filter(|_| key.2 == "arguments");
            (key, value.map_or(text, |value| value.to_string()))
        })
        .collect()
}

fn assert_stream(stream: &str) -> Vec<u8> {
    let whole = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    let expected = canonical(reference(&texts(stream.as_bytes())));
    assert_eq!(canonical(texts(&whole)), expected, "{}", String::from_utf8_lossy(&whole));
    whole
}

fn chunk(index: u64, delta: Value, finish: Option<&str>) -> String {
    let event = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o",
        "choices": [{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}],
    });
    format!("data: {event}\n\n")
}

fn content(text: &str) -> String {
    chunk(0, json!({ "content": text }), None)
}

const FIRST: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;

const DOCUMENT: &str = r#"{"id":"chatcmpl-12345","object":"chat.completion","created":1700000000,"model":"gpt-4o",
 "choices":[{"index":0,"message":{"role":"assistant","content":"caf\u00e9 5\n12345 jane\u0040example.com \ud83d\ude00 \u0053ECRET SECRE\u0054.",
 "refusal":null,"reasoning":"A\nB","tool_calls":[{"id":"call_12345","type":"function","function":{"name":"find_1234",
 "arguments":"{\"to\":\"jane\\u0040ex\u0061mple.com\",\"n\":[41111,-4,true , 1e5],\"SECRET\":\"caf\\u00e9\"}"}}]},
 "logprobs":{"content":[{"token":"SECRET","bytes":[1,2]}]},"finish_reason":"stop"}],
 "usage":{"prompt_tokens":12345,"completion_tokens":7,"total_tokens":12352,"prompt_tokens_details":{"cached_tokens":3}},
 "extra":{"SECRET":"say SECRET","n":12345,"deep":[[{"x":"12345"}]]},"system_fingerprint":"fp_12345"}"#;

const MASKED: &str = r#"{"id":"chatcmpl-12345","object":"chat.completion","created":1700000000,"model":"gpt-4o",
 "choices":[{"index":0,"message":{"role":"assistant","content":"<C> 5\n<N> \"mail\\ <U> <S> <S>.",
 "refusal":null,"reasoning":"<L>","tool_calls":[{"id":"call_12345","type":"function","function":{"name":"find_<N>",
 "arguments":"{\"to\":\"\\\"mail\\\\\",\"n\":[0    ,-4,true , 1e5],\"<S>\":\"<C>\"}"}}]},
 "logprobs":null,"finish_reason":"stop"}],
 "usage":{"prompt_tokens":12345,"completion_tokens":7,"total_tokens":12352,"prompt_tokens_details":{"cached_tokens":3}},
 "extra":{"<S>":"say <S>","n":0    ,"deep":[[{"x":"<N>"}]]},"system_fingerprint":"fp_12345"}"#;

#[test]
fn a_whole_answer_is_masked_in_every_encoding_and_nothing_else_changes() {
    assert_eq!(json_of(DOCUMENT), MASKED);
    serde_json::from_str::<Value>(MASKED).unwrap();
}

#[test]
fn a_whole_answer_is_the_same_at_every_cut() {
    let bytes = DOCUMENT.as_bytes();
    for cut in 0..bytes.len() {
        let (a, b) = bytes.split_at(cut);
        let out = rewrite_pieces(BodyKind::Json, &[a, b]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), MASKED, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(rewrite_pieces(BodyKind::Json, &single).unwrap(), MASKED.as_bytes());
}

#[test]
fn an_answer_in_which_nothing_is_found_goes_out_unchanged() {
    for kind in [BodyKind::Json, BodyKind::Text] {
        let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Nothing).without_drops();
        let mut out = Vec::new();
        for piece in DOCUMENT.as_bytes().chunks(7) {
            rewriter.push(piece, false, &mut out).unwrap();
        }
        rewriter.push(b"", true, &mut out).unwrap();
        assert_eq!(out, DOCUMENT.as_bytes());
    }
}

#[test]
fn usage_model_and_finish_reason_are_read_on_the_way_at_any_cut() {
    for size in [1, 3, 1000] {
        let mut rewriter = rewriter(BodyKind::Json);
        let mut out = Vec::new();
        for piece in DOCUMENT.as_bytes().chunks(size) {
            rewriter.push(piece, false, &mut out).unwrap();
        }
        rewriter.push(b"", true, &mut out).unwrap();
        assert_eq!(rewriter.usage().prompt, Some(12345));
        assert_eq!(rewriter.usage().completion, Some(7));
        assert_eq!(rewriter.usage().total, Some(12352));
        assert_eq!(rewriter.usage().cached, Some(3));
        assert_eq!(rewriter.finish_reason(), "stop");
        assert_eq!(rewriter.model(), "gpt-4o");
        assert_eq!(rewriter.id(), "chatcmpl-12345");
        assert!(!rewriter.failed());
        let found: u64 = rewriter.found().iter().map(|(_, count)| count).sum();
        assert_eq!(found, 16);
    }
}

#[test]
fn an_error_body_is_masked_by_all_its_strings() {
    let out = json_of(
        r#"{"error":{"message":"key SECRET of jane@example.com","type":"x","param":null,"code":12345}}"#,
    );
    assert_eq!(out, r#"{"error":{"message":"key <S> of \"mail\\","type":"x","param":null,"code":0    }}"#);
}

#[test]
fn a_plain_text_body_is_masked_as_one_text() {
    let out = rewrite_pieces(BodyKind::Text, &[b"say SEC", b"RET to \"", b"12", b"345\xff"]).unwrap();
    assert_eq!(out, b"say <S> to \"<N>\xff");
}

#[test]
fn embeddings_and_models_pass_untouched() {
    let embeddings = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.12345,-1.23456e-05,12345]},
      {"object":"embedding","index":1,"embedding":"c2VjcmV0MTIzNDU="}],"model":"m","usage":{"prompt_tokens":12345,"total_tokens":12345}}"#;
    assert_eq!(json_of(embeddings), embeddings);
    let models = r#"{"object":"list","data":[{"id":"gpt-12345","object":"model","created":1686935002,"owned_by":"o"}]}"#;
    assert_eq!(json_of(models), models);
}

#[test]
fn a_value_cut_over_events_is_masked_and_every_event_stays() {
    let stream = format!(
        "{FIRST}\n\n{}{}{}{}{}data: [DONE]\n\n",
        content("mail ja"),
        content("ne@exam"),
        content("ple.com, SEC"),
        content("R"),
        chunk(0, json!({}), Some("stop")),
    );
    let out = assert_stream(&stream);
    // The first five events, the tail's own event, and the one that ends the choice.
    assert_eq!(events(&out).len(), 7);
    let tail = &events(&out)[5];
    assert_eq!(tail["choices"][0]["delta"], json!({"content": "SECR"}));
    assert_eq!(tail["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(tail["id"], "chatcmpl-1");
    assert_eq!(tail["object"], "chat.completion.chunk");
    assert_eq!(tail["created"], 1_700_000_000);
    assert_eq!(tail["model"], "gpt-4o");
    assert_eq!(events(&out)[6]["choices"][0]["finish_reason"], "stop");
    assert!(out.ends_with(b"data: [DONE]\n\n"));
}

#[test]
fn a_tail_goes_out_in_the_ending_event_itself_where_that_carries_the_text() {
    let stream = content("SEC") + &chunk(0, json!({"content": "R"}), Some("stop"));
    let out = assert_stream(&stream);
    assert_eq!(events(&out).len(), 2);
    assert_eq!(events(&out)[1]["choices"][0]["delta"]["content"], "SECR");
}

#[test]
fn a_tail_goes_out_before_done_before_a_failure_and_at_the_end() {
    for end in ["data: [DONE]\n\n", "", "data: {\"error\":{\"message\":\"SECRET\"}}\n\n"] {
        let out = assert_stream(&(content("12") + &content("3 SECRE") + end));
        let texts = texts(&out);
        assert_eq!(texts[&(0, 0, "content".into())], "123 SECRE");
        assert!(!String::from_utf8(out.clone()).unwrap().contains("SECRET"));
        if end.contains("error") {
            assert_eq!(events(&out).last().unwrap()["error"]["message"], "<S>");
        }
    }
}

#[test]
fn a_last_event_without_a_blank_line_is_masked_and_carries_the_tail() {
    let stream = content("a SEC") + content("RET SEC").trim_end();
    let out = assert_stream(&stream);
    assert_eq!(texts(&out)[&(0, 0, "content".into())], "a <S> SEC");
}

#[test]
fn choices_and_tool_calls_do_not_mix() {
    let call = |index: u64, arguments: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]});
    let stream = [
        chunk(0, json!({"content": "SEC"}), None),
        chunk(1, json!({"content": "RET SEC"}), None),
        chunk(0, json!({"content": "RET"}), None),
        chunk(1, json!({"reasoning": "SE"}), None),
        chunk(1, call(0, "{\"a\": \"jane@ex"), None),
        chunk(1, call(1, "{\"a\": 411"), None),
        chunk(1, call(0, "ample.com\"}"), None),
        chunk(1, call(1, "1, \"b\\"), None),
        chunk(1, call(1, "n\": 411"), None),
        chunk(0, json!({}), Some("stop")),
        chunk(1, call(1, "}"), None),
        chunk(1, json!({}), Some("tool_calls")),
    ];
    let out = assert_stream(&stream.concat());
    assert_eq!(texts(&out)[&(1, 0, "arguments".into())], r#"{"a": "\"mail\\"}"#);
    assert_eq!(texts(&out)[&(1, 1, "arguments".into())], r#"{"a": 0   , "b\n": 411}"#);
}

#[test]
fn two_choices_in_one_event_keep_their_texts() {
    let stream = r#"data: {"choices":[{"delta":{"content":"SEC"},"index":1},{"delta":{"content":"123"},"index":0}]}

data: {"choices":[{"delta":{"content":"45"},"index":0},{"delta":{"content":"RET"},"index":1}]}

"#;
    let out = assert_stream(stream);
    assert_eq!(texts(&out)[&(1, 0, "content".into())], "<S>");
    assert_eq!(texts(&out)[&(0, 0, "content".into())], "<N>");
}

#[test]
fn log_probabilities_are_gone_even_where_nothing_was_masked() {
    let stream = r#"data: {"choices":[{"index":0,"delta":{"content":"SEC"},"logprobs":{"content":[{"token":"SEC","bytes":[83],"top_logprobs":[{"token":"x"}]}]},"finish_reason":null}]}

"#;
    let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    assert_eq!(events(&out)[0]["choices"][0]["logprobs"], Value::Null);
    assert!(!String::from_utf8(out).unwrap().contains("token"));
}

#[test]
fn a_stream_without_finds_goes_out_byte_for_byte() {
    let stream = "\u{feff}: hi\n\nid: 7\r\nevent: x\r\nretry:3\r\ndata: {\"choices\" : [ {\"index\":0,\"delta\":{\"content\":\"h\\u0069 \\/ \\ud800 there\"}} ] }\r\n\r\n\rdata:[DONE]\r\r: bye";
    for size in 1..stream.len() {
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, Nothing);
        let mut out = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            rewriter.push(piece, false, &mut out).unwrap();
        }
        rewriter.push(b"", true, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), stream, "pieces of {size}");
    }
}

#[test]
fn an_event_with_data_on_many_lines_is_read_as_one_document() {
    let stream = "event: x\ndata: {\"choices\":[{\"index\":0,\ndata:\"delta\":{\"content\":\ndata: \"SECRET.\"}}]}\nid: 1\n\n";
    let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(text.starts_with("event: x\ndata: ") && text.ends_with("\nid: 1\n\n"), "{text}");
    assert_eq!(texts(&out)[&(0, 0, "content".into())], "<S>.");
}

#[test]
fn a_comment_passes_while_text_is_held() {
    let mut rewriter = rewriter(BodyKind::EventStream);
    let mut out = Vec::new();
    rewriter.push(content("SEC").as_bytes(), false, &mut out).unwrap();
    assert_eq!(rewriter.held(), 3);
    out.clear();
    rewriter.push(b": keep-alive\n\n", false, &mut out).unwrap();
    assert_eq!(out, b": keep-alive\n\n");
}

#[test]
fn what_is_no_json_breaks_the_answer_off() {
    for bad in [
        "data: hello\n\n",
        "data: {\"a\":1\n\n",
        "data: {} {}\n\n",
        "data: {\"a\":\"\u{1}\"}\n\n",
        "data: {\"a\":\"\\x\"}\n\n",
    ] {
        let mut rewriter = rewriter(BodyKind::EventStream);
        let mut out = Vec::new();
        let error = rewriter.push(bad.as_bytes(), false, &mut out).unwrap_err();
        assert!(matches!(error, Unreadable::Json { .. } | Unreadable::Truncated), "{bad}: {error}");
        out.clear();
        assert_eq!(rewriter.push(content("x").as_bytes(), true, &mut out), Err(error));
        assert!(out.is_empty());
    }
    for bad in ["", " "] {
        let empty = rewrite(BodyKind::Json, bad.as_bytes());
        assert_eq!(empty.is_ok(), bad.is_empty());
    }
    for bad in [
        "{",
        "[1,]",
        "{\"a\":01}",
        "nul",
        "{\"a\" 1}",
        "\"\\u12\"",
        "{\"a\":1}}",
        "[1}",
        "-",
        "1.",
        "\u{feff}{}",
        "'a'",
        "{\"error\":1,\"err\\u006fr\":2}",
    ] {
        assert!(rewrite(BodyKind::Json, bad.as_bytes()).is_err(), "{bad}");
    }
    assert_eq!(rewrite(BodyKind::Json, b"\"\xc1\x80\""), Err(Unreadable::Utf8));
    assert_eq!(rewrite(BodyKind::EventStream, b"data: \"\xff\"\n\n"), Err(Unreadable::Utf8));
}

#[test]
fn depth_width_and_length_are_bounded() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(rewrite(BodyKind::Json, deep(128).as_bytes()).is_ok());
    assert!(rewrite(BodyKind::Json, deep(129).as_bytes()).is_err());
    assert!(rewrite(BodyKind::Json, "[".repeat(1_000_000).as_bytes()).is_err());
    let digits = |n: usize| format!("[{}]", "7".repeat(n));
    assert!(rewrite(BodyKind::Json, digits(1024).as_bytes()).is_ok());
    for size in [1, 700, 5000] {
        let mut rewriter = rewriter(BodyKind::Json);
        let text = digits(3000);
        let result: Result<(), Unreadable> =
            text.as_bytes().chunks(size).try_for_each(|piece| rewriter.push(piece, false, &mut Vec::new()));
        assert!(result.is_err());
    }
    let many: String = (0..65).map(|choice| chunk(choice, json!({"content": "SEC"}), None)).collect();
    assert_eq!(rewrite(BodyKind::EventStream, many.as_bytes()), Err(Unreadable::TooManyTexts { limit: 64 }));
    let parts = vec![json!({"type": "text", "text": "x"}); 2000];
    let many = content("x") + &chunk(0, json!({ "content": parts }), None);
    assert!(rewrite(BodyKind::EventStream, many.as_bytes()).is_err());
    let long = format!("data: \"{}\"\n\n", "x".repeat(2 << 20));
    let error = Err(Unreadable::EventTooLong { limit: 1 << 20 });
    assert_eq!(rewrite(BodyKind::EventStream, long.as_bytes()), error);
    let mut rewriter = rewriter(BodyKind::EventStream);
    let mut pieces = long.as_bytes().chunks(4000);
    assert_eq!(pieces.try_for_each(|piece| rewriter.push(piece, false, &mut Vec::new())).err(), error.err());
}

#[test]
fn a_long_string_takes_no_more_memory_than_the_masker_holds() {
    let mut rewriter = rewriter(BodyKind::Json);
    let mut out = Vec::new();
    rewriter.push(br#"{"choices":[{"message":{"content":""#, false, &mut out).unwrap();
    for _ in 0..10_000 {
        out.clear();
        rewriter.push(br"some words \u0041 and \ud83d", false, &mut out).unwrap();
        assert!(rewriter.held() <= 12, "{}", rewriter.held());
    }
}

#[test]
fn parts_of_a_content_array_are_masked() {
    let stream = chunk(
        0,
        json!({"content": [{"type": "text", "text": "a SEC"}, {"type": "text", "text": "RET"}]}),
        None,
    );
    let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    let parts = &events(&out)[0]["choices"][0]["delta"]["content"];
    assert_eq!(parts, &json!([{"type": "text", "text": "a "}, {"type": "text", "text": "<S>"}]));
}

/// Cuts a string of JSON's raw characters anywhere into events; `{}` in `frame` stands for the raw piece.
fn cut_into_events(raw: &str, cuts: &[usize], frame: impl Fn(&str) -> String) -> String {
    let mut from = 0;
    let mut stream = String::new();
    for &cut in cuts {
        stream.push_str(&frame(&raw[from..cut]));
        from = cut;
    }
    stream + &frame(&raw[from..])
}

#[test]
fn tool_arguments_are_masked_at_every_cut_of_their_text() {
    let arguments = "{\"caf\\u00e9\": \"jane\\u0040example.com\", \"k\": [\"\\ud83d\\ude00 😀 \\\"SECRET\\\"\", 12345, -7.5e3 , \"\\ud83dx\", true]}";
    let expected = r#"{"<C>": "\"mail\\", "k": ["<U> <U> \"<S>\"", 0    , -7.5e3 , "\ud83dx", true]}"#;
    let cuts: Vec<usize> = (0..=arguments.len()).filter(|&at| arguments.is_char_boundary(at)).collect();
    let call =
        |piece: &str| chunk(0, json!({"tool_calls": [{"index": 3, "function": {"arguments": piece}}]}), None);
    let check = |cuts: &[usize]| {
        let stream = cut_into_events(arguments, cuts, call) + &chunk(0, json!({}), Some("tool_calls"));
        let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
        assert_eq!(texts(&out)[&(0, 3, "arguments".into())], expected, "cut at {cuts:?}");
    };
    cuts.iter().for_each(|&cut| check(&[cut]));
    check(&cuts);
}

#[test]
fn arguments_that_are_no_json_are_masked_as_text() {
    let cases = [
        ("jane@example.com", "\"mail\\"),
        ("call 12345", "call <N>"),
        ("12345", "0    "),
        ("1234 5678 x", "<N> <N> x"),
        ("{\"a\": SECRET}", "{\"a\": <S>}"),
        ("{\"a\": 12345 67", "{\"a\": <N> 67"),
        ("{\"a\": true12345}", "{\"a\": true<N>}"),
        ("{\"a\": \"SEC\\RET SECRET", "{\"a\": \"SEC\\RET <S>"),
        ("{\"a\": \"SECRE", "{\"a\": \"SECRE"),
        ("{\"a\": \"12345", "{\"a\": \"<N>"),
        ("{\"a\": 12345", "{\"a\": 0    "),
        ("x \\u0053ECRET \\n", "x <S> \\n"),
        ("{}{\"a\":\"\\u0053ECRET\"}", "{}{\"a\":\"<S>\"}"),
        ("{\"a\":\"x\ny 12345\"}", "{\"a\":\"x\ny <N>\"}"),
    ];
    for (arguments, expected) in cases {
        for size in 1..=arguments.len() {
            let mut stream = String::new();
            for piece in arguments.as_bytes().chunks(size) {
                let piece = std::str::from_utf8(piece).unwrap();
                stream +=
                    &chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), None);
            }
            stream += &chunk(0, json!({}), Some("stop"));
            let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
            let seen = &texts(&out)[&(0, 0, "arguments".into())];
            let expected = if expected.starts_with("\"mail") { "\\\"mail\\\\" } else { expected };
            assert_eq!(seen, expected, "{arguments} in pieces of {size}");
        }
    }
}

#[test]
fn escapes_of_escapes_are_seen_through() {
    // The outer string spells the inner backslash as \u005c and the inner quotes as \u0022.
    let raw = r#"{\u0022a\u0022:\u0022jane\u005cu0040example.com \u0031\u0032345\u0022}"#;
    let frame = |piece: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{piece}\"}}}}]}}}}]}}\n\n"
        )
    };
    let out = rewrite(BodyKind::EventStream, frame(raw).as_bytes()).unwrap();
    assert_eq!(texts(&out)[&(0, 0, "arguments".into())], r#"{"a":"\"mail\\ <N>"}"#);
    // Nothing of it was rewritten but the values.
    assert!(String::from_utf8(out).unwrap().contains(r#"{\u0022a\u0022:\u0022"#));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("SECRET".to_owned()),
        Just("SECRE".to_owned()),
        Just("jane@example.com".to_owned()),
        Just("jane@".to_owned()),
        Just("café".to_owned()),
        Just("caf".to_owned()),
        Just("😀".to_owned()),
        Just("A\nB".to_owned()),
        Just("\"\\\u{7}/ ".to_owned()),
        "[0-9]{1,6}",
        "[a-z ,.é你]{0,5}",
    ]
}

fn prose() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 0..12).prop_map(|words| words.concat())
}

/// A JSON string of `text`, each character written in one of the ways JSON has.
fn spelled(text: &str, mut ways: u64) -> String {
    let mut out = String::new();
    for char in text.chars() {
        ways = ways.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if ways.is_multiple_of(4) || char == '"' || char == '\\' || char < ' ' {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out += &if ways % 8 < 4 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
            }
        } else {
            out.push(char);
        }
    }
    out
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prose().prop_map(Value::String),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_equals_its_masked_self_in_any_pieces(value in value(), ways: u64, sizes in prop::collection::vec(1usize..30, 1..8)) {
        fn write(value: &Value, ways: u64, out: &mut String) {
            match value {
                Value::String(text) => { out.push('"'); *out += &spelled(text, ways); out.push('"'); }
                Value::Array(items) => {
                    out.push('[');
                    for (at, item) in items.iter().enumerate() { if at > 0 { *out += " ,"; } write(item, ways ^ at as u64, out); }
                    out.push(']');
                }
                Value::Object(fields) => {
                    out.push('{');
                    for (at, (key, item)) in fields.iter().enumerate() {
                        if at > 0 { *out += ", "; }
                        *out += &format!("\"{}\" :\n", spelled(key, ways));
                        write(item, ways.wrapping_add(at as u64), out);
                    }
                    out.push('}');
                }
                other => *out += &other.to_string(),
            }
        }
        let mut input = String::new();
        // Under a key that no table names, so that every value is masked.
        write(&json!({"zz": value}), ways, &mut input);
        let mut rewriter = rewriter(BodyKind::Json);
        let mut out = Vec::new();
        let mut rest = input.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            rewriter.push(piece, false, &mut out).unwrap();
            rest = more;
        }
        rewriter.push(b"", true, &mut out).unwrap();
        let seen: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(seen, masked_value(&json!({"zz": value})));
        prop_assert_eq!(out, rewrite(BodyKind::Json, input.as_bytes()).unwrap());
    }

    #[test]
    fn any_stream_equals_its_masked_whole(
        contents in prop::collection::vec(prose(), 1..3),
        arguments in prop::collection::vec(value(), 0..3),
        ways: u64,
        done: bool,
        order in prop::collection::vec((any::<u16>(), 1usize..9), 200),
        sizes in prop::collection::vec(1usize..200, 1..5),
    ) {
        // Texts of several choices and tool calls, dealt out in random pieces in random order.
        let mut rest: Vec<(String, Option<u64>, u64)> = Vec::new();
        for (choice, text) in contents.iter().enumerate() {
            rest.push((text.clone(), None, choice as u64));
        }
        for (tool, value) in arguments.iter().enumerate() {
            rest.push((value.to_string(), Some(tool as u64), 0));
        }
        let mut stream = String::new();
        for (pick, size) in order {
            rest.retain(|(text, _, _)| !text.is_empty());
            if rest.is_empty() { break; }
            let at = usize::from(pick) % rest.len();
            let (text, tool, choice) = &mut rest[at];
            let cut = text.char_indices().map(|(at, _)| at).nth(size).unwrap_or(text.len());
            let piece = spelled(&text[..cut], ways ^ u64::from(pick));
            text.drain(..cut);
            let delta = match tool {
                None => format!("{{\"content\":\"{piece}\"}}"),
                Some(tool) => format!("{{\"tool_calls\":[{{\"index\":{tool},\"function\":{{\"arguments\":\"{piece}\"}}}}]}}"),
            };
            stream += &format!("data: {{\"choices\":[{{\"index\":{choice},\"delta\":{delta},\"finish_reason\":null}}]}}\n\n");
        }
        if done {
            stream += &chunk(0, json!({}), Some("stop"));
            stream += "data: [DONE]\n\n";
        }
        let whole = assert_stream(&stream);
        let mut rewriter = rewriter(BodyKind::EventStream);
        let mut out = Vec::new();
        let mut bytes = stream.as_bytes();
        for size in sizes.iter().cycle() {
            if bytes.is_empty() { break; }
            let (piece, more) = bytes.split_at((*size).min(bytes.len()));
            rewriter.push(piece, false, &mut out).unwrap();
            bytes = more;
        }
        rewriter.push(b"", true, &mut out).unwrap();
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(prop_oneof![
        Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b':'), Just(b','), Just(b'\n'), Just(b'u'), Just(b'1'), any::<u8>()
    ], 0..200)) {
        for kind in [BodyKind::Json, BodyKind::EventStream, BodyKind::Text] {
            let _ = rewrite(kind, &bytes);
            let mut framed = b"data: ".to_vec();
            framed.extend_from_slice(&bytes);
            let _ = rewrite(kind, &framed);
            // As tool arguments, where nothing is refused.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let stream = chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}), None);
            if kind == BodyKind::EventStream {
                rewrite(kind, stream.as_bytes()).unwrap();
            }
        }
    }
}
