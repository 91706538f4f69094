//! Tool arguments: JSON within JSON.

use super::*;

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
        ("12345, x", "<N>, x"),
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
