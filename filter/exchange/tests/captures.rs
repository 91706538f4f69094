//! What records hold of prompts and answers.

use super::answers::{EVENT, delta};
use super::records::delivered;
use super::*;
use crate::host::Reply;

const EMAIL: &str = "jane@example.com";
const CARD: &str = "4111 1111 1111 1111";

/// A set that keeps texts; nothing else masks or refuses but what `change` adds.
fn keeping(change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["audit"]["capture"] = json!("masked");
        set["policies"][0]["mask"] = json!({});
        set["policies"][0]["rules"] = json!([{ "name": "hello", "flag": "prompt.text.contains(\"Hello\")" }]);
        change(set);
    })
}

pub(super) fn question(text: &str) -> String {
    json!({"model": "gpt-4o", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]})
        .to_string()
}

fn asked(rig: &Rig, body: &str) -> Exchange {
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    rig.send(&mut exchange, body);
    exchange
}

/// All that records hold of one side, text by text in order; pieces of a text are put together.
pub(super) fn texts(records: &[Value], side: &str) -> Vec<String> {
    let name = format!("portcullis.{side}.texts");
    let mut texts: std::collections::BTreeMap<u64, String> = Default::default();
    for piece in records.iter().filter_map(|record| record[&name].as_array()).flatten() {
        texts.entry(piece["of"].as_u64().unwrap()).or_default().push_str(piece["text"].as_str().unwrap());
    }
    texts.into_values().collect()
}

/// Lets the collector take everything.
pub(super) fn take_batches(rig: &Rig, records: &mut Vec<Value>) {
    loop {
        let id = rig.host.calls.borrow().last().expect("a call").0;
        rig.host.calls.borrow_mut().clear();
        rig.worker.reply(&rig.host, id, &Reply::Answer { status: 200, headers: vec![], body: vec![] });
        rig.pass(1);
        rig.worker.tick(&rig.host);
        if rig.host.calls.borrow().is_empty() {
            return;
        }
        records.extend(delivered(rig));
    }
}

fn ended(rig: &Rig, exchange: &mut Exchange) -> Vec<Value> {
    rig.host.properties.borrow_mut().insert("response.code_details".into(), b"via_upstream".to_vec());
    exchange.finish(&rig.host);
    delivered(rig)
}

pub(super) fn json_answer(rig: &Rig, exchange: &mut Exchange, body: &str) -> Vec<Value> {
    rig.answer(exchange, "200", &[("content-type", "application/json")]);
    rig.piece(exchange, body, true);
    ended(rig, exchange)
}

pub(super) fn said(content: &str) -> String {
    json!({"id": "c", "model": "gpt-4o", "choices": [{"message": {"content": content}}]}).to_string()
}

#[test]
fn records_hold_the_texts_masked_though_they_were_forwarded_as_they_came() {
    let rig = keeping(|_| {});
    let body = question(&format!("Hello, I am {EMAIL}"));
    let mut exchange = asked(&rig, &body);
    assert_eq!(*rig.host.request_body.borrow(), body.as_bytes());
    let records = json_answer(&rig, &mut exchange, &said(&format!("pay {CARD} with {CREDENTIAL}")));
    assert_eq!(texts(&records, "prompt"), ["Be brief.", "Hello, I am <EMAIL_ADDRESS>"]);
    assert_eq!(texts(&records, "response"), ["pay <CREDIT_CARD> with <UPSTREAM_CREDENTIAL>"]);
    let [start, end] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        (&start["portcullis.capture"], &end["portcullis.capture"]),
        (&json!("masked"), &json!("masked"))
    );
    assert!(start["portcullis.prompt.texts"].is_array() && end["portcullis.prompt.texts"].is_null());
    assert_eq!(end["portcullis.parts"], Value::Null);
}

#[test]
fn without_capture_nothing_of_either_is_recorded() {
    let rig = keeping(|set| set["audit"]["capture"] = json!("none"));
    let mut exchange = asked(&rig, &question("Hello"));
    let records = json_answer(&rig, &mut exchange, &said("there"));
    let all = serde_json::to_string(&records).unwrap();
    assert!(
        !all.contains("Be brief") && !all.contains("there") && !all.contains("portcullis.capture"),
        "{all}"
    );
}

#[test]
fn a_text_cut_between_events_is_masked_in_records_as_a_whole() {
    let text = format!("write to {EMAIL} or pay {CARD} 😀 soon");
    for size in [1, 3, 7, 1000] {
        let rig = keeping(|_| {});
        let mut exchange = asked(&rig, &question("Hello"));
        rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
        let chars: Vec<char> = text.chars().collect();
        let mut out = String::new();
        for piece in chars.chunks(size) {
            let piece: String = piece.iter().collect();
            out += &rig.piece(&mut exchange, &delta(&piece), false).unwrap();
        }
        out += &rig.piece(&mut exchange, "data: [DONE]\n\n", true).unwrap();
        assert!(!out.contains("<EMAIL"), "the answer itself goes out as it came");
        let records = ended(&rig, &mut exchange);
        let expected = text.replace(EMAIL, "<EMAIL_ADDRESS>").replace(CARD, "<CREDIT_CARD>");
        assert_eq!(texts(&records, "response"), [expected], "pieces of {size}");
    }
}

#[test]
fn what_the_policy_masks_restores_or_blocks_is_kept_as_it_came_but_for_the_audits_mask() {
    let rig = keeping(|set| {
        set["audit"]["mask"] = json!(["CREDIT_CARD"]);
        set["policies"][0]["mask"] = json!({
            "prompt": {"entities": ["EMAIL_ADDRESS"], "restore": true},
            "response": {"entities": ["EMAIL_ADDRESS", "CREDIT_CARD"], "overrides": {"CREDIT_CARD": {"operator": "block"}}},
        });
    });
    let mut exchange = asked(&rig, &question(&format!("Hello {EMAIL}")));
    let answer = said(&format!("<EMAIL_ADDRESS_1> has {CARD}, ask joe@example.com"));
    let records = json_answer(&rig, &mut exchange, &answer);
    assert_eq!(texts(&records, "prompt"), ["Be brief.".to_owned(), format!("Hello {EMAIL}")]);
    assert_eq!(texts(&records, "response"), ["<EMAIL_ADDRESS_1> has <CREDIT_CARD>, ask joe@example.com"]);
}

#[test]
fn a_refused_prompt_is_in_the_record_of_its_refusal() {
    let rig = keeping(|set| {
        set["policies"][0]["rules"] = json!([{"name": "no", "deny": "prompt.text.contains(\"Hello\")"}])
    });
    let mut exchange = asked(&rig, &question(&format!("Hello {EMAIL}")));
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(records.len(), 1);
    assert_eq!(texts(&records, "prompt"), ["Be brief.", "Hello <EMAIL_ADDRESS>"]);
}

#[test]
fn monitor_keeps_what_goes_by_in_pieces_and_changes_nothing() {
    let rig = keeping(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    let body = question(&format!("Hello {EMAIL}"));
    for (at, piece) in body.as_bytes().chunks(9).enumerate() {
        *rig.host.request_body.borrow_mut() = piece.to_vec();
        let end = (at + 1) * 9 >= body.len();
        assert_eq!(exchange.request_body(&rig.host, piece.len(), end), Flow::Continue);
        assert_eq!(*rig.host.request_body.borrow(), piece);
    }
    rig.answer(&mut exchange, "200", &[("content-type", "text/plain")]);
    assert_eq!(rig.piece(&mut exchange, "mail ja", false).as_deref(), Some("mail ja"));
    assert_eq!(rig.piece(&mut exchange, "ne@example.com", true).as_deref(), Some("ne@example.com"));
    let records = ended(&rig, &mut exchange);
    assert_eq!(texts(&records, "prompt"), ["Be brief.", "Hello <EMAIL_ADDRESS>"]);
    assert_eq!(texts(&records, "response"), ["mail <EMAIL_ADDRESS>"]);
}

#[test]
fn of_what_is_not_text_the_digest_is_kept() {
    let rig = keeping(|set| set["policies"][0]["uninspected"] = json!("allow"));
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head(
        "POST",
        "/v1/audio/transcriptions",
        &[("authorization", &bearer), ("content-type", "multipart/form-data; boundary=x")],
    );
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, false);
    for (piece, end) in [("ab", false), ("c", true)] {
        *rig.host.request_body.borrow_mut() = piece.as_bytes().to_vec();
        exchange.request_body(&rig.host, piece.len(), end);
    }
    rig.answer(&mut exchange, "200", &[("content-type", "audio/mpeg")]);
    assert_eq!(rig.piece(&mut exchange, "ab", false).as_deref(), Some("ab"));
    assert_eq!(rig.piece(&mut exchange, "c", true).as_deref(), Some("c"));
    let records = ended(&rig, &mut exchange);
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let told = |name: &str| records.iter().filter_map(|record| record[name].as_str()).collect::<Vec<_>>();
    assert_eq!(told("portcullis.prompt.digest"), [abc]);
    assert_eq!(told("portcullis.response.digest"), [abc]);
    assert_eq!((texts(&records, "prompt").len(), texts(&records, "response").len()), (0, 0));
}

#[test]
fn long_texts_go_out_in_parts_while_they_stream() {
    let rig = keeping(|_| {});
    let long = format!("{EMAIL} says hello. ");
    let mut exchange = asked(&rig, &question(&long.repeat(2000)));
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    let mut records = Vec::new();
    for _ in 0..2000 {
        rig.piece(&mut exchange, &delta(&long), false);
        assert!(exchange.capture.size() < 20 << 10, "no more is held than a part and a piece");
    }
    records.extend(delivered(&rig));
    let streamed = texts(&records, "response").concat().len();
    assert!(streamed > 40_000, "{streamed} bytes before the end");
    rig.piece(&mut exchange, "data: [DONE]\n\n", true);
    exchange.finish(&rig.host);
    take_batches(&rig, &mut records);
    let masked = "<EMAIL_ADDRESS> says hello. ".repeat(2000);
    assert_eq!(texts(&records, "prompt"), ["Be brief.".to_owned(), masked.clone()]);
    assert_eq!(texts(&records, "response"), [masked]);
    let numbers: Vec<u64> = records.iter().filter_map(|record| record["portcullis.part"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(records.last().unwrap()["portcullis.parts"], numbers.len());
}

#[test]
fn an_answer_that_is_broken_off_is_kept_as_far_as_it_is_certain() {
    let rig = keeping(|_| {});
    let mut exchange = asked(&rig, &question("Hello"));
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    rig.piece(&mut exchange, &delta("I know of jane@exa"), false);
    exchange.finish(&rig.host);
    let records = delivered(&rig);
    assert_eq!(texts(&records, "response"), ["I know of "]);
}

#[test]
fn an_answer_that_is_not_what_it_says_it_is_is_marked() {
    let rig = keeping(|_| {});
    let mut exchange = asked(&rig, &question("Hello"));
    let records = json_answer(&rig, &mut exchange, r#"{"choices":[{"message":{"content":"so far"}}],,}"#);
    assert_eq!(records.last().unwrap()["portcullis.response.cut"], "unreadable");
}

#[test]
fn a_prompt_larger_than_the_policy_reads_is_marked() {
    let rig = keeping(|set| {
        set["mode"] = json!("monitor");
        set["policies"][0]["limits"] = json!({ "max_request_bytes": 1024 });
    });
    let mut exchange = asked(&rig, &question(&"x".repeat(2000)));
    let records = json_answer(&rig, &mut exchange, &said("there"));
    let marks: Vec<_> =
        records.iter().filter_map(|record| record["portcullis.prompt.cut"].as_str()).collect();
    assert!(marks.contains(&"size"), "{records:?}");
    assert_eq!(texts(&records, "prompt").len(), 0);
}

#[test]
fn names_that_callers_and_upstreams_give_are_masked_in_records_too() {
    let rig = keeping(|_| {});
    let tool = json!({"type": "function", "function": {"name": "ask_jane@example.com", "parameters": {}}});
    let body = json!({"model": EMAIL, "messages": [{"role": "user", "content": "Hello"}], "tools": [tool]});
    let mut exchange = asked(&rig, &body.to_string());
    let answer = json!({"id": EMAIL, "model": EMAIL, "choices": [{"message": {"content": "x"}}]});
    let records = json_answer(&rig, &mut exchange, &answer.to_string());
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains(EMAIL), "{all}");
    assert_eq!(records[0]["gen_ai.request.model"], "<EMAIL_ADDRESS>");
}

#[test]
fn the_arguments_of_a_tool_are_texts_with_their_numbers() {
    let rig = keeping(|_| {});
    let mut exchange = asked(&rig, &question("Hello"));
    let arguments = r#"{"card":4111111111111111,"to":"jane@example.com","n":42}"#;
    let call = json!({"type": "function", "function": {"name": "pay", "arguments": arguments}});
    let answer = json!({"choices": [{"message": {"tool_calls": [call]}}]}).to_string();
    let records = json_answer(&rig, &mut exchange, &answer);
    assert_eq!(
        texts(&records, "response"),
        ["card", "<CREDIT_CARD>", "to", "<EMAIL_ADDRESS>", "n", "42", "name", "pay"]
    );
}
