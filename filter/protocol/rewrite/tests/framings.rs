//! The framings beside server-sent events: the same documents go in, the same come out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::protocol::coding::Coding;
use crate::protocol::testing::recorded::{SSE, Wire};
use crate::protocol::testing::wires::{ARRAY, CHUNKS, LINES, chunk, event as named, frame, frames, packed};

const KINDS: [BodyKind; 3] = [BodyKind::JsonLines, BodyKind::JsonArray, BodyKind::AwsFrames];

fn wire(kind: BodyKind) -> Wire {
    match kind {
        BodyKind::JsonLines => LINES,
        BodyKind::JsonArray => ARRAY,
        BodyKind::AwsFrames => CHUNKS,
        _ => SSE,
    }
}

/// Documents in a framing.
fn framed(kind: BodyKind, documents: &[String]) -> Vec<u8> {
    let events: Vec<_> = documents.iter().map(|document| (String::new(), document.clone())).collect();
    (wire(kind).write)(&events)
}

/// And out of it.
fn unframed(kind: BodyKind, bytes: &[u8]) -> Vec<Value> {
    let events = (wire(kind).read)(bytes);
    events.iter().map(|(_, document)| serde_json::from_str(document).unwrap()).collect()
}

fn event(index: u64, delta: Value, finish: Option<&str>) -> String {
    json!({"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}).to_string()
}

fn text(text: &str) -> String {
    event(0, json!({ "content": text }), None)
}

fn story() -> Vec<String> {
    let call = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    vec![
        text("mail ja"),
        event(1, json!({"content": "SEC"}), None),
        text("ne@exam"),
        event(1, call("{\"n\":411"), None),
        text("ple.com, SEC"),
        event(1, call("11}"), None),
        text("R"),
        event(0, json!({}), Some("stop")),
        event(1, json!({"content": "RET 12"}), None),
    ]
}

#[test]
fn every_framing_carries_the_documents_that_events_would_at_every_cut() {
    let expected = unframed(
        BodyKind::EventStream,
        &rewrite(BodyKind::EventStream, &framed(BodyKind::EventStream, &story())).unwrap(),
    );
    assert_eq!(expected.len(), story().len() + 2, "one tail within, one at the end");
    for kind in KINDS {
        let bytes = framed(kind, &story());
        let whole = rewrite(kind, &bytes).unwrap();
        assert_eq!(unframed(kind, &whole), expected, "{kind:?}");
        for cut in 0..bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(rewrite_pieces(kind, &[a, b]).unwrap(), whole, "{kind:?} cut at {cut}");
        }
        assert_eq!(rewrite_pieces(kind, &bytes.chunks(1).collect::<Vec<_>>()).unwrap(), whole);
    }
}

#[test]
fn server_sent_events_are_masked_in_every_form_of_the_standard_at_every_cut() {
    let (first, second) = (text("to jane@ex"), text("ample.com SEC"));
    let broken = first.replace(",\"", ",\ndata:\"");
    for (form, form_of) in [
        ("LF", format!("data: {first}\n\ndata: {second}\n\n")),
        ("CRLF", format!("data: {first}\r\n\r\ndata: {second}\r\n\r\n")),
        ("CR", format!("data: {first}\r\rdata: {second}\r\r")),
        ("mixed", format!("data: {first}\r\n\ndata: {second}\n\r")),
        ("no blank", format!("data:{first}\n\ndata:{second}\n\n")),
        ("byte order mark", format!("\u{feff}data: {first}\n\ndata: {second}\n\n")),
        ("no end", format!("data: {first}\n\ndata: {second}")),
        ("no blank line at the end", format!("data: {first}\r\n\r\ndata: {second}\r\n")),
        (
            "comments",
            format!(": ping\n\n: a\ndata: {first}\n: b\nid: 1\n\nretry: 5\n\n:\ndata: {second}\n\n"),
        ),
        ("data on several lines", format!("data:{broken}\n\ndata: {second}\n\n")),
    ] {
        let bytes = form_of.as_bytes();
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            let out = String::from_utf8(rewrite_pieces(BodyKind::EventStream, &[a, b]).unwrap()).unwrap();
            let plain = out.replace("\r\n", "\n").replace('\r', "\n").replace('\u{feff}', "");
            assert_eq!(
                texts(plain.as_bytes())[&(0, 0, "content".into())],
                "to \"mail\\ SEC",
                "{form} cut at {cut}: {out}"
            );
        }
    }
}

#[test]
fn a_last_line_without_its_end_carries_its_tail_itself() {
    let stream = format!("{}\n{}", text("a SEC"), text("R"));
    let out = rewrite(BodyKind::JsonLines, stream.as_bytes()).unwrap();
    assert!(!out.ends_with(b"\n"));
    assert_eq!(unframed(BodyKind::JsonLines, &out)[1]["choices"][0]["delta"]["content"], "SECR");
    // The text held is of another choice: its tail goes before the last line.
    let stream = format!("{}\n{}", text("a SEC"), event(1, json!({"content": "x"}), None));
    let out = unframed(BodyKind::JsonLines, &rewrite(BodyKind::JsonLines, stream.as_bytes()).unwrap());
    let contents: Vec<&Value> = out.iter().map(|event| &event["choices"][0]["delta"]["content"]).collect();
    assert_eq!(contents, ["a ", "SEC", "x"]);
}

#[test]
fn records_of_a_sequence_stay_records() {
    let stream: String = story().iter().map(|document| format!("\u{1e}{document}\n")).collect();
    let out = String::from_utf8(rewrite(BodyKind::JsonLines, stream.as_bytes()).unwrap()).unwrap();
    assert_eq!(out.matches('\u{1e}').count(), story().len() + 2);
    assert!(out.lines().all(|line| line.starts_with("\u{1e}{") && line.ends_with('}')), "{out}");
}

#[test]
fn a_stream_without_finds_goes_out_byte_for_byte_in_every_framing() {
    let lines = "{\"choices\" : [ {\"index\":0,\"delta\":{\"content\":\"h\\u0069 \\/\"}} ] }\r\n\n\u{1e} {}\n[1 , 2]\n{}";
    let array = " [ {\"choices\" : [{\"delta\":{\"content\":\"h\\u0069\"}} ] }\n,\r\n{} , [ ] ]\n";
    let other = frame(&[("x", "y"), (":event-type", "messageStop")], b"{ \"stopReason\" : \"end\" }");
    let binary = [chunk(&text("hi \\")), other, frame(&[], b"")].concat();
    for (kind, bytes) in [
        (BodyKind::JsonLines, lines.as_bytes()),
        (BodyKind::JsonArray, array.as_bytes()),
        (BodyKind::AwsFrames, &binary),
    ] {
        for size in [1, 2, 7, 1000] {
            let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Nothing).without_drops();
            let mut out = Vec::new();
            for piece in bytes.chunks(size) {
                rewriter.push(piece, false, &mut out).unwrap();
            }
            rewriter.push(b"", true, &mut out).unwrap();
            assert_eq!(out, bytes, "{kind:?} {size}");
        }
        // Nor does one change of which nothing is found by a masker that looks.
        assert_eq!(rewrite(kind, bytes).unwrap(), bytes);
    }
}

#[test]
fn a_document_goes_out_with_its_last_byte() {
    for kind in KINDS {
        let bytes = framed(kind, &[text("hello"), text("x")]);
        let end = match kind {
            BodyKind::JsonArray => text("hello").len() + 1,
            _ => framed(kind, &[text("hello")]).len(),
        };
        let mut rewriter = rewriter(kind);
        let mut out = Vec::new();
        rewriter.push(&bytes[..end], false, &mut out).unwrap();
        assert_eq!(out, &bytes[..end], "{kind:?}");
        assert_eq!(rewriter.held(), 0);
    }
}

#[test]
fn what_is_cut_short_is_refused_and_gives_out_nothing_that_was_held() {
    for kind in KINDS {
        let bytes = framed(kind, &[text("a"), text("SEC"), text("RET")]);
        for len in 1..bytes.len() {
            let mut rewriter = rewriter(kind);
            let mut out = Vec::new();
            let result = rewriter
                .push(&bytes[..len], false, &mut out)
                .and_then(|()| rewriter.push(b"", true, &mut out));
            let whole = match kind {
                BodyKind::JsonArray => false,
                BodyKind::JsonLines => matches!(bytes[len - 1], b'\n' | b'}') && result.is_ok(),
                _ => result.is_ok(),
            };
            assert_eq!(result.is_ok(), whole, "{kind:?} {len}");
            assert!(!String::from_utf8_lossy(&out).contains("SECRET"));
        }
    }
}

#[test]
fn an_answer_that_is_no_array_is_read_as_one_document() {
    let error = " \n{\"error\":{\"message\":\"SECRET\"}}";
    for size in [1, 2, 100] {
        let out =
            rewrite_pieces(BodyKind::JsonArray, &error.as_bytes().chunks(size).collect::<Vec<_>>()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), error.replace("SECRET", "<S>"), "{size}");
    }
    assert_eq!(rewrite(BodyKind::JsonArray, b"").unwrap(), b"");
    assert_eq!(rewrite(BodyKind::JsonArray, b"  \n[]").unwrap(), b"  \n[]");
    let spaced = format!("  {}", String::from_utf8(framed(BodyKind::JsonArray, &story())).unwrap());
    let out = rewrite_pieces(BodyKind::JsonArray, &[b" ", &spaced.as_bytes()[1..]]).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("example"));
}

#[test]
fn headers_of_frames_are_no_side_door() {
    let stream = [
        frame(&[(":event-type", "SECRET"), ("jane@example.com", "x")], b"{}"),
        frame(&[(":message-type", "error"), (":error-code", "500"), (":error-message", "key 12345")], b""),
    ]
    .concat();
    let seen = frames(&rewrite(BodyKind::AwsFrames, &stream).unwrap());
    assert_eq!(seen[0].0, [(":event-type".into(), "<S>".into()), ("\"mail\\".into(), "x".into())]);
    assert_eq!(seen[1].0[2], (":error-message".into(), "key <N>".into()));
    // Of other types: a whole number, bytes.
    let mut header = b"\x01n\x04".to_vec();
    header.extend(41111i32.to_be_bytes());
    header.extend(b"\x01b\x06\x00\x06SECRET\x01t\x00");
    let bytes = packed(&header, b"");
    let out = rewrite(BodyKind::AwsFrames, &bytes).unwrap();
    assert_eq!(out[12..out.len() - 4], *b"\x01n\x04\0\0\0\0\x01b\x06\x00\x03<S>\x01t\x00");
}

#[test]
fn what_is_held_goes_out_before_an_exception_and_text_behind_it_is_refused() {
    let exception = frame(
        &[(":exception-type", "throttlingException"), (":message-type", "exception")],
        b"{\"message\":\"slow down, SECRET\"}",
    );
    let stream = [chunk(&text("a SEC")), exception.clone()].concat();
    let mut rewriter = rewriter(BodyKind::AwsFrames);
    let mut out = Vec::new();
    rewriter.push(&stream, true, &mut out).unwrap();
    assert!(rewriter.failed());
    let seen = frames(&out);
    assert_eq!(seen.len(), 3);
    assert_eq!(
        unframed(BodyKind::AwsFrames, &chunk(&text("SEC")))[0],
        unframed(BodyKind::AwsFrames, &frame(&named("chunk"), &seen[1].1))[0]
    );
    assert_eq!(seen[1].0[0], (":event-type".into(), "chunk".into()));
    assert_eq!(seen[2].1, b"{\"message\":\"slow down, <S>\"}");
    let stream = [exception, chunk(&text("SECRET"))].concat();
    assert_eq!(rewrite(BodyKind::AwsFrames, &stream), Err(Unreadable::TextAfterEnd));
}

#[test]
fn payloads_that_are_no_single_object_are_refused() {
    let event = [(":event-type", "x")];
    for bad in
        ["[]", "1", "{} {}", "{},\"contentBlockDelta\":{}", "{", "x", "{}}", "\"a\"", "{\"a\":\"\\x\"}"]
    {
        assert!(rewrite(BodyKind::AwsFrames, &frame(&event, bad.as_bytes())).is_err(), "{bad}");
    }
    for bad in [
        "{\"bytes\":\"*\"}",
        "{\"bytes\":\"eyJ9\"}",
        "{\"bytes\":\"e30=\",\"bytes\":\"e30=\"}",
        "{\"bytes\":\"e30\"}",
    ] {
        assert!(rewrite(BodyKind::AwsFrames, &frame(&named("chunk"), bad.as_bytes())).is_err(), "{bad}");
    }
    let masked = |payload: &str| {
        let out = rewrite(BodyKind::AwsFrames, &frame(&named("chunk"), payload.as_bytes())).unwrap();
        String::from_utf8(frames(&out).remove(0).1).unwrap()
    };
    assert_eq!(masked("{\"bytes\":\"\",\"p\":\"SECRET\"}"), "{\"bytes\":\"\",\"p\":\"<S>\"}");
    assert_eq!(masked("{\"x\":\"SECRET\",\"n\":12345}"), "{\"x\":\"<S>\",\"n\":0    }");
    let document = STANDARD.encode("{\"x\":\"SECRET???>>>\"}").replace('/', "\\/");
    assert!(document.contains("\\/"));
    let expected = STANDARD.encode("{\"x\":\"<S>???>>>\"}");
    assert_eq!(masked(&format!("{{\"bytes\":\"{document}\"}}")), format!("{{\"bytes\":\"{expected}\"}}"));
}

#[test]
fn a_compressed_answer_is_masked_at_every_cut_and_a_damaged_one_refused() {
    let stream = framed(BodyKind::EventStream, &story());
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&stream, 6);
    let expected = rewrite(BodyKind::EventStream, &stream).unwrap();
    let run = |pieces: &[&[u8]], end: bool| {
        let mut rewriter = rewriter(BodyKind::EventStream).coded(Some(Coding::Deflate));
        let mut out = Vec::new();
        for piece in pieces {
            rewriter.push(piece, false, &mut out)?;
        }
        assert!(rewriter.held() > 0 || end);
        rewriter.push(b"", true, &mut out).map(|()| out)
    };
    for cut in 0..packed.len() {
        let (a, b) = packed.split_at(cut);
        assert_eq!(run(&[a, b], true).as_ref(), Ok(&expected), "{cut}");
        if cut > 0 {
            assert!(matches!(run(&[a], false), Err(Unreadable::Coding { .. })), "{cut}");
        }
    }
    let json = r#"{"zz":"SECRET"}"#;
    let packed = miniz_oxide::deflate::compress_to_vec(json.as_bytes(), 6);
    let mut rewriter = rewriter(BodyKind::Text).coded(Some(Coding::Deflate));
    let mut out = Vec::new();
    rewriter.push(&packed, true, &mut out).unwrap();
    assert_eq!(out, br#"{"zz":"<S>"}"#);
}

proptest! {
    #[test]
    fn any_texts_in_any_framing_equal_their_masked_whole(
        contents in prop::collection::vec("(SECRET|SECRE|jane@example.com|jane@|café|😀|[0-9]{1,6}|[a-z ,\"\\\\é]{0,5}){0,10}", 1..3),
        order in prop::collection::vec((any::<u16>(), 1usize..9), 100),
        ends: bool,
        sizes in prop::collection::vec(1usize..200, 1..5),
    ) {
        let mut rest: Vec<(usize, String)> = contents.iter().cloned().enumerate().collect();
        let mut documents = Vec::new();
        for (pick, size) in order {
            rest.retain(|(_, text)| !text.is_empty());
            if rest.is_empty() { break; }
            let at = usize::from(pick) % rest.len();
            let (choice, text) = &mut rest[at];
            let cut = text.char_indices().map(|(at, _)| at).nth(size).unwrap_or(text.len());
            let piece: String = text.drain(..cut).collect();
            documents.push(event(*choice as u64, json!({ "content": piece }), None));
        }
        if ends {
            documents.push(event(0, json!({}), Some("stop")));
        }
        let expected = unframed(BodyKind::EventStream, &rewrite(BodyKind::EventStream, &framed(BodyKind::EventStream, &documents)).unwrap());
        for kind in KINDS {
            let bytes = framed(kind, &documents);
            let mut pieces = Vec::new();
            let mut left = &bytes[..];
            for size in sizes.iter().cycle() {
                if left.is_empty() { break; }
                let (piece, more) = left.split_at((*size).min(left.len()));
                pieces.push(piece);
                left = more;
            }
            prop_assert_eq!(unframed(kind, &rewrite_pieces(kind, &pieces).unwrap()), expected.clone());
        }
        for (choice, content) in contents.iter().enumerate() {
            let seen: String = expected.iter().filter(|event| event["choices"][0]["index"] == choice as u64)
                .filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
            let given: String = documents.iter().map(|event| serde_json::from_str::<Value>(event).unwrap())
                .filter(|event| event["choices"][0]["index"] == choice as u64)
                .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
            prop_assert!(content.starts_with(&given));
            prop_assert_eq!(seen, masked(&given));
        }
    }

    #[test]
    fn no_bytes_make_any_framing_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(prop_oneof![
        Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b':'), Just(b','), Just(b'\n'), Just(0x1e), Just(b'1'), any::<u8>()
    ], 0..100)) {
        for kind in KINDS {
            let _ = rewrite(kind, &bytes);
        }
        let _ = rewrite(BodyKind::AwsFrames, &frame(&named("chunk"), &bytes));
        let _ = rewrite(BodyKind::AwsFrames, &frame(&[(":event-type", "x")], &bytes));
        let _ = rewrite(BodyKind::AwsFrames, &chunk(&String::from_utf8_lossy(&bytes)));
    }
}
