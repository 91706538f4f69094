//! What is refused.

use super::*;

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
