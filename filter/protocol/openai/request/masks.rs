use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::mask::operators::prompt::{Names, PromptMask};
use crate::mask::operators::{Operator, Operators, Pseudonyms};
use crate::mask::text::Entity;
use crate::mask::{Catalogue, Plan};
use crate::protocol::request::{RequestView, mask_prompt};

fn plan() -> Plan {
    {
        let catalogue = Catalogue::built_in();
        Plan::new(&catalogue, catalogue.usual(), Vec::new())
    }
}

/// The request that a body is one of, by what it asks.
fn of(body: &str) -> &'static Request {
    let kinds = [("\"messages\"", &CHAT), ("\"prompt\"", &COMPLETIONS)];
    kinds.into_iter().find(|(key, _)| body.contains(key)).map_or(&EMBEDDINGS, |(_, request)| request)
}

fn masked(body: &str, operator: Operator, names: bool) -> (String, Vec<(Entity, u64)>) {
    let names = names.then(|| Rc::new(RefCell::new(Names::beside(body))));
    let mask = PromptMask::new(&plan(), Rc::new(Operators::new(operator)), names);
    let edited = mask_prompt(of(body), "", body.as_bytes(), &mask).unwrap();
    (String::from_utf8(edited.body).unwrap(), edited.found)
}

#[test]
fn every_text_that_the_view_reads_is_masked_and_the_rest_is_the_same_bytes() {
    let (email, card) = ("jane@example.com", "4111111111111111");
    let body = json!({
        "model": email, "stream": true, "temperature": 0.5, "seed": 4111111111111111u64, "user": email,
        "metadata": {"who": email, email: "x"}, "stop": [email], "unknown": {"deep": [email, 4111111111111111u64]},
        "tools": [{"type": "function", "function": {"name": "mail", "description": email,
            "parameters": {"properties": {"to": {"enum": [email]}}}}}],
        "tool_choice": {"type": "function", "function": {"name": "mail"}},
        "response_format": {"type": "json_schema", "json_schema": {"description": email}},
        "messages": [
            {"role": "system", "content": format!("I am {email}"), "name": email},
            {"role": "user", "content": [
                {"type": "text", "text": format!("card {card}, {email}")},
                {"type": "image_url", "image_url": {"url": format!("https://x.example/?q={email}"), "detail": "low"}},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{email}")}},
                {"type": "input_audio", "input_audio": {"data": email, "format": "wav"}},
                {"type": "file", "file": {"file_id": email}},
            ]},
            {"role": "assistant", "content": null, "refusal": email, "reasoning_content": email, "tool_calls": [
                {"id": email, "type": "function", "function": {"name": "mail",
                 "arguments": format!("{{\"to\":\"jane\\u0040example.com\",\"{email}\":[{card}]}}")}}]},
            {"role": "assistant", "function_call": {"name": "mail", "arguments": format!("not json {email}")}},
            {"role": "tool", "tool_call_id": email, "content": email},
        ],
    });
    let text = serde_json::to_string_pretty(&body).unwrap();
    assert!(RequestView::read(&CHAT, "", text.as_bytes()).is_ok());
    let (out, found) = masked(&text, Operator::Replace, false);
    let seen: Value = serde_json::from_str(&out).unwrap();
    let mut expected = body.clone();
    let replace = |value: &mut Value| {
        let text = value.as_str().unwrap().replace(email, "<EMAIL_ADDRESS>").replace(card, "<CREDIT_CARD>");
        *value = text.into();
    };
    for path in [
        "/user",
        "/metadata/who",
        "/stop/0",
        "/unknown/deep/0",
        "/tools/0/function/description",
        "/tools/0/function/parameters/properties/to/enum/0",
        "/response_format/json_schema/description",
        "/messages/0/content",
        "/messages/0/name",
        "/messages/1/content/0/text",
        "/messages/1/content/1/image_url/url",
        "/messages/2/refusal",
        "/messages/2/reasoning_content",
        "/messages/3/function_call/arguments",
        "/messages/4/content",
    ] {
        replace(expected.pointer_mut(path).unwrap());
    }
    let metadata = expected["metadata"].as_object_mut().unwrap();
    metadata.remove(email);
    metadata.insert("<EMAIL_ADDRESS>".into(), "x".into());
    expected["unknown"]["deep"][1] = 0.into();
    expected["messages"][2]["tool_calls"][0]["function"]["arguments"] =
        "{\"to\":\"<EMAIL_ADDRESS>\",\"<EMAIL_ADDRESS>\":[0               ]}".into();
    assert_eq!(seen, expected);
    let count: u64 = found.iter().map(|(_, count)| count).sum();
    assert_eq!(count, 21, "{found:?}");
    // Spaces, order and spelling of what is not masked are as they came.
    assert_eq!(out.lines().count(), text.lines().count());
}

#[test]
fn a_body_in_which_nothing_is_found_goes_on_as_it_came() {
    let body = "{ \"messages\" :[{\"role\":\"user\",\n \"content\":\"caf\\u00e9 \\ud83d\\ude00 \\/ é\"}] , \"n\":1 , \"top_p\":1.0 }";
    assert_eq!(masked(body, Operator::Replace, true), (body.to_owned(), vec![]));
}

#[test]
fn completions_and_embeddings_are_masked_alike() {
    for body in
        [r#"{"prompt":["a@b.co","x"]}"#, r#"{"input":"to a@b.co"}"#, r#"{"input":["a@b.co"],"dimensions":3}"#]
    {
        let (out, _) = masked(body, Operator::Redact, false);
        assert_eq!(out, body.replace("a@b.co", ""));
    }
}

#[test]
fn a_blocked_value_is_told() {
    let mask = PromptMask::new(&plan(), Rc::new(Operators::new(Operator::Block)), None);
    let edited = mask_prompt(&EMBEDDINGS, "", br#"{"input":"a@b.co"}"#, &mask).unwrap();
    assert_eq!(
        edited.blocked.map(|entity| Catalogue::built_in().name(entity).to_owned()).as_deref(),
        Some("EMAIL_ADDRESS")
    );
    assert!(!String::from_utf8(edited.body).unwrap().contains("a@b"));
}

proptest! {
    #[test]
    fn a_masked_request_stays_one_that_can_be_read(
        texts in prop::collection::vec(prop::sample::select(vec!["jane@example.com", "4111 1111 1111 1111", "x", "\"", "\\", "é", "<EMAIL_ADDRESS_1>", "\n"]), 0..6),
        which in 0usize..4, names: bool,
    ) {
        let text = texts.concat();
        let arguments = json!({"a": text, "n": 4111111111111111u64}).to_string();
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}, {"role": "assistant", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]}).to_string();
        let operator = [
            Operator::Replace, Operator::Redact, Operator::Mask(Default::default()),
            Operator::Pseudonym(Pseudonyms::new(b"0123456789abcdef", "")),
        ][which].clone();
        let (out, _) = masked(&body, operator, names);
        let view = RequestView::read(&CHAT, "", out.as_bytes()).unwrap();
        prop_assert_eq!(view.messages, 2);
        let seen: Value = serde_json::from_str(&out).unwrap();
        let inner: Value = serde_json::from_str(seen["messages"][1]["tool_calls"][0]["function"]["arguments"].as_str().unwrap()).unwrap();
        prop_assert_eq!(&inner["a"], &seen["messages"][0]["content"]);
        prop_assert!(!out.contains("jane") && !out.contains("4111111111111111"));
    }
}
