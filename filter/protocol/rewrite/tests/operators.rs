//! Operators in answers: in text, in arguments, in numbers, under every cut.

use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::mask::operators::restore::{Restoration, Restoring};
use crate::mask::operators::{Operator, Operators, Partial, Pseudonyms};
use crate::mask::{Catalogue, Plan};

fn known() -> Catalogue {
    Catalogue::built_in()
}

fn all() -> Vec<Operator> {
    vec![
        Operator::Replace,
        Operator::Mask(Partial { keep_last: 4, ..Partial::default() }),
        Operator::Pseudonym(Pseudonyms::new(b"0123456789abcdef", "s")),
        Operator::Redact,
        Operator::Flag,
    ]
}

fn plan(operator: Operator) -> Plan {
    Plan::new(&known(), known().usual(), Vec::new()).with_operators(Rc::new(Operators::new(operator)))
}

/// A blocking plan for cards; everything else is replaced.
fn blocking() -> Plan {
    let card = known().resolve("CREDIT_CARD").unwrap();
    let operators = Operators::new(Operator::Replace).except(card, Operator::Block);
    Plan::new(&known(), known().usual(), Vec::new()).with_operators(Rc::new(operators))
}

fn run<M: Masks>(masks: M, kind: BodyKind, bytes: &[u8], size: usize) -> (Vec<u8>, Result<(), Unreadable>) {
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, masks);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        if let Err(why) = rewriter.push(piece, false, &mut out) {
            return (out, Err(why));
        }
    }
    let result = rewriter.push(b"", true, &mut out);
    (out, result)
}

fn call(arguments: &str) -> String {
    chunk(0, json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}), None)
}

#[test]
fn arguments_stay_json_whatever_the_operator() {
    let arguments = r#"{"card":4111111111111111,"n":[-4111111111111111 , 7],"to":"jane\u0040example.com","jane@example.com":"536-90-4399 \"x\""}"#;
    for operator in all() {
        let mut seen: Option<String> = None;
        for size in 1..=arguments.len() {
            let pieces =
                arguments.as_bytes().chunks(size).map(|piece| call(std::str::from_utf8(piece).unwrap()));
            let stream = pieces.collect::<String>() + &chunk(0, json!({}), Some("tool_calls"));
            let (out, result) = run(plan(operator.clone()), BodyKind::EventStream, stream.as_bytes(), 4096);
            result.unwrap();
            let text = texts(&out)[&(0, 0, "arguments".into())].clone();
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert!(value["card"].is_u64() && value["n"][0].is_i64(), "{text}");
            assert_eq!(seen.get_or_insert(text.clone()), &text, "pieces of {size}");
        }
        let text = seen.unwrap();
        if !matches!(operator, Operator::Flag) {
            assert!(!text.contains("4111111111111111") && !text.contains("jane"), "{text}");
        } else {
            assert_eq!(text, arguments);
        }
    }
}

#[test]
fn a_blocked_stream_ends_with_a_whole_event_and_shows_nothing_of_the_value() {
    let value = "4111 1111 1111 1111";
    let text = format!("Your card is {value}, and more.");
    for cut in 0..=text.len() {
        for arguments in [false, true] {
            let piece = |text: &str| {
                if arguments { call(&format!("[\"{text}\"]")) } else { content(text) }
            };
            let stream = if arguments {
                content("first") + &piece(&text)
            } else {
                content("first ") + &piece(&text[..cut]) + &piece(&text[cut..])
            };
            let stream = stream + &chunk(0, json!({}), Some("stop")) + "data: [DONE]\n\n";
            let (out, result) = run(blocking(), BodyKind::EventStream, stream.as_bytes(), 1 + cut * 7);
            let Err(Unreadable::Blocked { entity }) = result else { panic!("{result:?}") };
            assert_eq!(known().name(entity), "CREDIT_CARD");
            assert!(out.is_empty() || out.ends_with(b"\n\n"), "{}", String::from_utf8_lossy(&out));
            let seen: String = texts(&out).into_values().collect();
            assert!("first Your card is ".starts_with(&seen) && !seen.contains('4'), "{seen}");
        }
    }
}

#[test]
fn a_value_at_the_very_end_of_a_stream_blocks_it_too() {
    for end in ["", "data: [DONE]\n\n"] {
        let stream = content("card 4111111111111111") + end;
        let (out, result) = run(blocking(), BodyKind::EventStream, stream.as_bytes(), 4096);
        assert!(matches!(result, Err(Unreadable::Blocked { .. })), "{result:?}");
        assert!(!String::from_utf8_lossy(&out).contains("4111"));
    }
}

#[test]
fn whole_answers_numbers_keys_comments_and_texts_are_blocked() {
    for (kind, body) in [
        (BodyKind::Json, r#"{"choices":[{"message":{"content":"4111111111111111"}}]}"#),
        (BodyKind::Json, r#"{"x":4111111111111111}"#),
        (BodyKind::Json, r#"{"4111111111111111":1}"#),
        (
            BodyKind::Json,
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"[4111111111111111]"}}]}}]}"#,
        ),
        (BodyKind::Text, "card 4111111111111111"),
        (BodyKind::Text, r#"{"x":"41111111\u0031\u00311111\u00311"}"#),
        (BodyKind::EventStream, ": 4111111111111111\n\n"),
    ] {
        for size in [1, 1000] {
            let (_, result) = run(blocking(), kind, body.as_bytes(), size);
            let sniffed = kind == BodyKind::Text && size == 1 && body.starts_with('{');
            assert!(sniffed || matches!(result, Err(Unreadable::Blocked { .. })), "{body}: {result:?}");
        }
    }
}

#[test]
fn names_of_the_prompt_are_taken_back_where_they_stand_and_escaped_as_it_needs() {
    let value = "\"Jane\" \\ <jane@example.com>";
    let names = Restoration::new([(b"<EMAIL_ADDRESS_1>".to_vec(), value.as_bytes().to_vec())]);
    let names = Rc::new(names);
    let masks = || Restoring::new(plan(Operator::Replace), Rc::clone(&names));
    let text = "to <EMAIL_ADDRESS_1>, not joe@example.com";
    let expected = format!("to {value}, not <EMAIL_ADDRESS>");
    let arguments = json!({"to": text, "<EMAIL_ADDRESS_1>": ["\u{e9}", 1]}).to_string();
    for size in 1..=text.len() {
        let pieces = text.as_bytes().chunks(size).map(|piece| content(std::str::from_utf8(piece).unwrap()));
        let stream = pieces.collect::<String>() + &chunk(0, json!({}), Some("stop"));
        let (out, result) = run(masks(), BodyKind::EventStream, stream.as_bytes(), 1 + 13 * size);
        result.unwrap();
        assert_eq!(texts(&out)[&(0, 0, "content".into())], expected);
        let chars: Vec<char> = arguments.chars().collect();
        let pieces = chars.chunks(size).map(|piece| call(&piece.iter().collect::<String>()));
        let stream = pieces.collect::<String>() + &chunk(0, json!({}), Some("tool_calls"));
        let (out, result) = run(masks(), BodyKind::EventStream, stream.as_bytes(), 1 + 13 * size);
        result.unwrap();
        let seen: Value = serde_json::from_str(&texts(&out)[&(0, 0, "arguments".into())]).unwrap();
        assert_eq!(seen, json!({"to": expected, value: ["\u{e9}", 1]}));
    }
    let mut rewriter = ResponseRewriter::new(BodyKind::Json, &ANSWERS, masks());
    let mut out = Vec::new();
    rewriter
        .push(json!({"id": "<EMAIL_ADDRESS_1>", "x": text}).to_string().as_bytes(), true, &mut out)
        .unwrap();
    let seen: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(seen, json!({"id": "<EMAIL_ADDRESS_1>", "x": expected}));
    assert_eq!((rewriter.restored(), rewriter.found().len()), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_string_that_comes_again_is_judged_again(
        which in 0usize..5,
        words in prop::collection::vec(prop::sample::select(vec!["jane@example.com", "ssn 536-90-4399", "536-90-4399", "<A_1>", "x", "Travel", "é", "\"", "page"]), 0..40),
        size in 1usize..9,
    ) {
        let rows: Vec<Value> = words.iter().map(|word| json!({"id": word, "k": {*word: word}})).collect();
        let bytes = json!({ "matches": rows }).to_string();
        let names = Rc::new(Restoration::new([(b"<A_1>".to_vec(), b"\"v\\".to_vec())]));
        let told = |size: usize| {
            let masks = Restoring::new(plan(all()[which].clone()), Rc::clone(&names));
            let mut rewriter = ResponseRewriter::new(BodyKind::Json, &ANSWERS, masks);
            let mut out = Vec::new();
            bytes.as_bytes().chunks(size).for_each(|piece| rewriter.push(piece, false, &mut out).unwrap());
            rewriter.push(b"", true, &mut out).unwrap();
            let mut found = rewriter.found().to_vec();
            found.sort_unstable();
            (String::from_utf8(out).unwrap(), found, rewriter.restored(), rewriter.delivered())
        };
        let whole = told(bytes.len());
        prop_assert_eq!(&told(size), &whole);
        // As many as one by one: a value that was found is found each time.
        let one = |word: &&str| {
            let masks = Restoring::new(plan(all()[which].clone()), Rc::clone(&names));
            let mut rewriter = ResponseRewriter::new(BodyKind::Json, &ANSWERS, masks);
            let row = json!({ "matches": [{"id": word, "k": {*word: word}}] }).to_string();
            rewriter.push(row.as_bytes(), true, &mut Vec::new()).unwrap();
            rewriter.found().iter().map(|(_, count)| count).sum::<u64>()
        };
        prop_assert_eq!(whole.1.iter().map(|(_, count)| count).sum::<u64>(), words.iter().map(one).sum::<u64>());
    }

    #[test]
    fn a_document_is_read_alike_in_any_pieces_under_any_operator(
        which in 0usize..5,
        words in prop::collection::vec(prop::sample::select(vec!["jane@example.com", "4111111111111111", "536-90-4399", " ", "é", "\"", "<A_1>", "x"]), 0..6),
        number in prop::sample::select(vec![4_111_111_111_111_111i64, -4_111_111_111_111_111, 7, 0]),
        size in 1usize..40,
    ) {
        let text = words.concat();
        let inner = json!({"n": number, "t": text}).to_string();
        let document = json!({"x": text, "n": number, "choices": [{"message": {"content": text, "tool_calls": [{"function": {"arguments": inner}}]}}]});
        let bytes = document.to_string();
        let names = Rc::new(Restoration::new([(b"<A_1>".to_vec(), b"\"v\\".to_vec())]));
        let masks = || Restoring::new(plan(all()[which].clone()), Rc::clone(&names));
        let (whole, result) = run(masks(), BodyKind::Json, bytes.as_bytes(), bytes.len());
        result.unwrap();
        let (pieces, result) = run(masks(), BodyKind::Json, bytes.as_bytes(), size);
        result.unwrap();
        prop_assert_eq!(&pieces, &whole);
        let seen: Value = serde_json::from_slice(&whole).unwrap();
        prop_assert!(seen["n"].is_i64());
        let arguments = seen["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        let inner: Value = serde_json::from_str(arguments).unwrap();
        prop_assert_eq!(&inner["t"], &seen["x"]);
        prop_assert_eq!(&inner["n"], &seen["n"]);
        prop_assert_eq!(&seen["choices"][0]["message"]["content"], &seen["x"]);
    }
}
