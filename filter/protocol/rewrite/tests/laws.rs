//! What holds for any answer.

use proptest::prelude::*;

use super::*;

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
    fn a_text_with_a_reason_to_stop_in_every_event_is_its_masked_whole_or_broken_off(
        text in prose(),
        sizes in prop::collection::vec(1usize..9, 1..8),
    ) {
        let chars: Vec<char> = text.chars().collect();
        let mut rest = chars.as_slice();
        let mut pieces: Vec<String> = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece.iter().collect());
            rest = more;
        }
        let stream: String =
            pieces.iter().map(|piece| chunk(0, json!({"content": piece}), Some("stop"))).collect();
        let (mut rewriter, mut out) = (rewriter(BodyKind::EventStream), Vec::new());
        let result = rewriter.push(stream.as_bytes(), true, &mut out);
        let seen = texts(&out).remove(&(0, 0, "content".into())).unwrap_or_default();
        let apart: String = pieces.iter().map(|piece| masked(piece)).collect();
        match result {
            Ok(_) => prop_assert_eq!(seen, masked(&text)),
            Err(why) => {
                prop_assert_eq!(why, Unreadable::TextAfterEnd);
                prop_assert!(apart != masked(&text), "no value is cut, yet it is broken off");
                prop_assert!(!seen.contains("SECRET"), "{seen:?} is out");
            }
        }
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
    fn an_event_is_read_alike_whatever_came_before_it(
        value in value(),
        ways: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), Just(b'1'), Just(b'}'), b'a'..b'f']), 0..3),
    ) {
        // No text of it goes on in the next event: each is masked for itself.
        let event = format!("data: {{\"zz\":{value},\"y\":\"{}\"}}\n\n", spelled("SECRET x", ways));
        let mut changed = event.clone().into_bytes();
        for (at, byte) in changes {
            let at = 6 + at.index(changed.len() - 8);
            changed[at] = byte;
        }
        let alone = rewrite(BodyKind::EventStream, &changed);
        let mut rewriter = rewriter(BodyKind::EventStream);
        rewriter.push(event.as_bytes(), false, &mut Vec::new()).unwrap();
        let mut out = Vec::new();
        let after = rewriter.push(&changed, false, &mut out).map(|()| out);
        prop_assert_eq!(after, alone);
    }

    #[test]
    fn no_more_is_held_than_the_masker_holds(text in prose(), size in 1usize..6, ways: u64, nested: bool) {
        use crate::mask::text::{Entity, Masks, Sink, TextMask};
        struct Ignore;
        impl Sink for Ignore {
            fn keep(&mut self, _: usize) {}
            fn replace(&mut self, _: usize, _: Entity, _: &[u8]) {}
            fn swallow(&mut self, _: usize) {}
        }
        let mut mask = Simple.begin();
        let mut rewriter = rewriter(BodyKind::EventStream);
        let mut push = |piece: &str| {
            let delta = if nested {
                format!("{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{piece}\"}}}}]}}")
            } else {
                format!("{{\"content\":\"{piece}\"}}")
            };
            let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
            rewriter.push(event.as_bytes(), false, &mut Vec::new()).unwrap();
            rewriter.held()
        };
        if nested {
            prop_assert_eq!(push("[\\\""), 0);
        }
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            let piece: String = piece.iter().collect();
            mask.push(piece.as_bytes(), false, &mut Ignore);
            // Raw bytes are at most twelve for a character (a pair of surrogates), at both levels one backslash more.
            let raw = if nested { spelled(&spelled(&piece, ways), 1) } else { spelled(&piece, ways) };
            let held = push(&raw);
            prop_assert_eq!(held == 0, mask.held() == 0);
            prop_assert!(held <= mask.held() * 72);
        }
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
