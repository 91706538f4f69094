//! Answers that are events.

use super::*;

const FIRST: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;

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

#[test]
fn an_empty_finish_reason_ends_nothing() {
    for reason in ["", "null"] {
        let stream = chunk(0, json!({"content": "SEC"}), Some(reason)) + &content("RET");
        let out = assert_stream(&stream);
        assert_eq!(texts(&out)[&(0, 0, "content".into())], "<S>");
    }
}

#[test]
fn text_behind_a_reason_to_stop_goes_on_as_if_there_had_been_none() {
    let stopping = |text: &str| chunk(0, json!({"content": text}), Some("stop"));
    let stream = stopping("mail ")
        + &stopping("SEC ")
        + &stopping("or SECRET 12")
        + &stopping("3 4567")
        + &stopping("89.");
    let mut rewriter = rewriter(BodyKind::EventStream);
    let mut out = Vec::new();
    rewriter.push(stream.as_bytes(), true, &mut out).unwrap();
    let pieces: Vec<_> =
        events(&out).iter().map(|event| event["choices"][0]["delta"]["content"].clone()).collect();
    // Each event has all of its text: nothing may be held where an answer may be over.
    assert_eq!(pieces, ["mail ", "SEC ", "or <S> 12", "3 <N>", "."]);
    // What is found again as the text goes on is counted once.
    assert_eq!(rewriter.found().iter().map(|(_, count)| count).sum::<u64>(), 2);
}

#[test]
fn text_that_begins_behind_a_reason_to_stop_is_masked_over_its_events() {
    // The choice had none before; what a text of another kind was, does not matter.
    for first in [chunk(0, json!({}), Some("stop")), chunk(0, json!({"refusal": "SEC"}), Some("stop"))] {
        let stream = first + &content("a SEC") + &content("RET") + "data: [DONE]\n\n";
        let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
        assert_eq!(texts(&out)[&(0, 0, "content".into())], "a <S>", "{stream}");
    }
}

#[test]
fn text_behind_the_end_of_its_choice_breaks_the_answer_off() {
    let end = chunk(0, json!({"content": "SEC"}), Some("stop"));
    for (first, then) in [
        (end.as_str(), content("RET")),
        ("data: [DONE]\n\n", content("RET")),
        ("data: {\"error\":{\"message\":\"x\"}}\n\n", content("RET")),
    ] {
        let seen = rewrite(BodyKind::EventStream, (first.to_owned() + &then).as_bytes());
        assert_eq!(seen, Err(Unreadable::TextAfterEnd), "{first}");
    }
    // An empty piece is no text, another choice has not ended, and usage may follow.
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    let more = end + &content("") + &chunk(1, json!({"content": "x"}), None) + usage;
    assert!(rewrite(BodyKind::EventStream, more.as_bytes()).is_ok());
}

#[test]
fn comments_and_unknown_fields_of_the_framing_are_no_side_door() {
    let stream = ": SECRET\n\nid: 12345\nfoo: SECRET\ndata: {}\nevent: SECRET\n\n";
    let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    let expected = ": <S>\n\nid: <N>\nfoo: <S>\ndata: {}\nevent: <S>\n\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn every_text_field_of_a_delta_is_followed_over_events_and_its_tail_is_valid() {
    for (field, pointer) in [
        (json!({"content": "?"}), "/delta/content"),
        (json!({"refusal": "?"}), "/delta/refusal"),
        (json!({"reasoning": "?"}), "/delta/reasoning"),
        (json!({"reasoning_content": "?"}), "/delta/reasoning_content"),
        (json!({"audio": {"transcript": "?"}}), "/delta/audio/transcript"),
        (json!({"function_call": {"arguments": "?"}}), "/delta/function_call/arguments"),
        (json!({"tool_calls": [{"index": 0, "custom": {"input": "?"}}]}), "/delta/tool_calls/0/custom/input"),
        (
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "?"}}]}),
            "/delta/tool_calls/0/function/arguments",
        ),
        (json!({"content": [{"type": "text", "text": "?"}]}), "/delta/content/0/text"),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "?"}]}]}),
            "/delta/content/0/thinking/0/text",
        ),
        (
            json!({"reasoning_details": [{"type": "reasoning.text", "text": "?"}]}),
            "/delta/reasoning_details/0/text",
        ),
        (
            json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "?"}]}),
            "/delta/reasoning_details/0/summary",
        ),
    ] {
        let piece =
            |text: &str| chunk(0, serde_json::from_str(&field.to_string().replace('?', text)).unwrap(), None);
        let stream = piece("x SEC") + &piece("RET SEC") + &chunk(0, json!({}), Some("stop"));
        let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
        let seen: Vec<Value> = events(&out).iter().map(|event| event["choices"][0].clone()).collect();
        let text: String = seen
            .iter()
            .filter_map(|choice| choice.pointer(pointer).or_else(|| choice.pointer("/delta/content")))
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(text, "x <S> SEC", "{field}: {}", String::from_utf8_lossy(&out));
        assert_eq!(seen.len(), 4);
    }
}

#[test]
fn the_older_completions_stream_is_masked() {
    let event = |text: &str, finish: Value| {
        let event = json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}]});
        format!("data: {event}\n\n")
    };
    let out =
        assert_stream(&(event("a SEC", Value::Null) + &event("RET SEC", Value::Null) + "data: [DONE]\n\n"));
    assert_eq!(events(&out)[2]["choices"][0]["text"], "SEC");
}

#[test]
fn a_key_that_changes_between_like_events_is_seen() {
    let event = |key: &str, text: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"{key}\":\"{text}\"}}}}]}}\n\n")
    };
    // The events differ in one letter of a key, the second only in its text.
    let stream = event("contenx", "abc")
        + &event("content", "SEC")
        + &event("content", "RET")
        + &event("contenx", "RET");
    let out = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    assert_eq!(texts(&out)[&(0, 0, "content".into())], "<S>");
}

#[test]
fn an_event_that_is_nothing_but_a_number_is_masked() {
    for (event, expected) in [
        ("data: 12345\n\n", "data: 0    \n\n"),
        ("data: 123\n\n", "data: 123\n\n"),
        ("data:  12345 \n\n", "data:  0     \n\n"),
    ] {
        let out = rewrite(BodyKind::EventStream, event.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    assert!(rewrite(BodyKind::EventStream, b"data: 1\n\ndata: 01\n\n").is_err());
}
