//! Answers that are one document, or plain text.

use super::*;

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
fn long_strings_are_masked_across_the_windows_they_are_worked_on_in() {
    let text = "é你😀 SECRET 12345 x\\n\\ud83d\\ude00 ".repeat(2000);
    let plain = text.replace("\\n", "\n").replace("\\ud83d\\ude00", "😀");
    let body = |text: &str| format!("{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}}}}]}}");
    let seen: Value = serde_json::from_str(&json_of(&body(&text))).unwrap();
    assert_eq!(seen["choices"][0]["message"]["content"].as_str().unwrap(), masked(&plain));
    for shift in 0..64 {
        let text = format!("{}SECRET", "y".repeat(4096 - shift));
        let seen = json_of(&body(&text));
        assert_eq!(seen, body(&text.replace("SECRET", "<S>")), "{shift}");
    }
}

#[test]
fn keys_of_any_length_are_masked_where_no_table_knows_them() {
    let long = "k".repeat(400) + "SECRET";
    let body = format!("{{\"{long}\":1,\"x\\u0053ECRET\":2,\"choices\":[{{\"{long}\":\"12345\"}}]}}");
    let expected = body.replace("SECRET", "<S>").replace("\\u0053ECRET", "<S>").replace("12345", "<N>");
    for size in [1, 7, 100, 257, 5000] {
        let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        let out = rewrite_pieces(BodyKind::Json, &pieces).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}");
    }
}

#[test]
fn an_escaped_key_is_the_key_it_spells() {
    let body = r#"{"ch\u006fices":[{"l\u006fgprobs":{"content":[1]},"message":{"r\u006fle":"12345"}}]}"#;
    assert_eq!(json_of(body), r#"{"ch\u006fices":[{"l\u006fgprobs":null,"message":{"r\u006fle":"12345"}}]}"#);
}
