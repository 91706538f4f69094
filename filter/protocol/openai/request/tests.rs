use serde_json::{Value, json};

use super::*;
use crate::protocol::request::{Part, RequestError, RequestView};

fn chat(body: &str) -> Result<RequestView, RequestError> {
    RequestView::read(&CHAT, "", body.as_bytes())
}

fn schema(body: &Value) -> String {
    match chat(&body.to_string()) {
        Err(RequestError::Schema { path, .. }) => path,
        other => panic!("{body}: {other:?}"),
    }
}

fn parts(request: &Request, body: &Value) -> Vec<Part> {
    RequestView::parts(request, "", body.to_string().as_bytes()).unwrap()
}

fn texts(parts: &[Part]) -> Vec<(Role, &str)> {
    parts.iter().map(|part| (part.role, part.text.as_str())).collect()
}

#[test]
fn all_that_rules_read_is_read() {
    let body = json!({
        "model": "gpt-4o", "stream": true, "stream_options": {"include_usage": true}, "n": 2, "temperature": 0.5,
        "max_tokens": 10, "max_completion_tokens": 20, "tool_choice": "auto", "store": true,
        "tools": [{"type": "function", "function": {"name": "db_query", "description": "asks"}},
                  {"type": "custom", "custom": {"name": "code"}}, {"type": "web_search"}],
        "messages": [
            {"role": "developer", "content": "be kind"},
            {"role": "user", "name": "bob", "content": [
                {"type": "text", "text": "héllo"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "db_query", "arguments": "{\"q\":\"j\\u0040x\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
        ],
    });
    let view = chat(&body.to_string()).unwrap();
    assert_eq!((view.model.as_str(), view.stream, view.include_usage), ("gpt-4o", true, true));
    assert_eq!((view.n, view.temperature, view.max_output_tokens), (2, Some(0.5), Some(20)));
    assert_eq!((view.messages, view.images, view.audios), (4, 1, 1));
    assert_eq!(view.tools, ["db_query", "code", "web_search"]);
    assert_eq!(view.references, ["messages[1].content[3].file.file_id"]);
    assert!(view.stored);
    let parts = parts(&CHAT, &body);
    let seen = texts(&parts);
    for expected in [
        (Role::System, "be kind"),
        (Role::User, "bob"),
        (Role::User, "héllo"),
        (Role::Assistant, "db_query"),
        (Role::Assistant, "j@x"),
        (Role::Tool, "42"),
        (Role::Definition, "asks"),
    ] {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
}

#[test]
fn characters_are_counted_as_unicode_scalar_values() {
    let view = chat(r#"{"messages":[{"role":"user","content":"h\u00e9 \ud83d\ude00你"}]}"#).unwrap();
    assert_eq!(view.prompt_chars, 5);
    assert_eq!(view.text, "hé 😀你");
    assert_eq!((view.model.as_str(), view.n), ("", 1));
}

#[test]
fn text_in_fields_that_nobody_knows_is_part_of_the_prompt() {
    let body = json!({"messages": [{"role": "user", "content": "x", "extra": [{"k": "hidden"}]}], "suffix": "s",
        "chat_template": "t", "prediction": {"type": "content", "content": "p"}});
    let parts = parts(&CHAT, &body);
    let seen = texts(&parts);
    for expected in [(Role::User, "hidden"), (Role::Other, "s"), (Role::Other, "t"), (Role::Definition, "p")]
    {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    let message = |message: Value| json!({ "messages": [message] });
    for (body, path) in [
        (json!({}), "messages"),
        (json!({"messages": "hi"}), "messages"),
        (json!({"messages": {"0": {}}}), "messages"),
        (json!({"messages": ["hi"]}), "messages[0]"),
        (message(json!({"content": "x"})), "messages[0].role"),
        (message(json!({"role": "root", "content": "x"})), "messages[0].role"),
        (message(json!({"role": "user", "content": 5})), "messages[0].content"),
        (message(json!({"role": "user", "content": {"text": "x"}})), "messages[0].content"),
        (
            message(json!({"role": "user", "content": [{"type": "video", "video": "x"}]})),
            "messages[0].content[0].type",
        ),
        (message(json!({"role": "user", "content": [{"text": "x"}]})), "messages[0].content[0].type"),
        (message(json!({"role": "user", "content": ["x"]})), "messages[0].content[0]"),
        (
            message(json!({"role": "user", "content": [{"type": "file", "file": {"file_data": "AA"}}]})),
            "messages[0].content[0].file.file_data",
        ),
        (json!({"messages": [], "model": 5}), "model"),
        (json!({"messages": [], "stream": "true"}), "stream"),
        (json!({"messages": [], "stream": 1}), "stream"),
        (json!({"messages": [], "max_tokens": -1}), "max_tokens"),
        (json!({"messages": [], "max_tokens": 1.5}), "max_tokens"),
        (json!({"messages": [], "n": "2"}), "n"),
        (json!({"messages": [], "tools": [{}]}), "tools[0]"),
        (json!({"messages": [], "tools": "x"}), "tools"),
        (json!([]), "the body"),
        (json!("x"), "the body"),
    ] {
        assert_eq!(schema(&body), path, "{body}");
    }
}

#[test]
fn a_known_key_in_other_letters_is_refused() {
    for (body, path) in [
        (json!({"messages": [], "Model": "x"}), "Model"),
        (json!({"messages": [], "MESSAGES": []}), "MESSAGES"),
        (json!({"messages": [], "me\u{17F}sages": []}), "*"),
        (json!({"messages": [], "previous_re\u{17F}ponse_id": "x"}), "*"),
        (json!({"messages": [{"role": "user", "Content": "x"}]}), "messages[0].Content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "Text": "x"}]}]}),
            "messages[0].content[0].Text",
        ),
        (json!({"messages": [], "\u{212A}": "x", "stream_Options": {}}), "stream_Options"),
    ] {
        assert_eq!(schema(&body), path, "{body}");
    }
}

#[test]
fn keys_that_come_twice_bytes_behind_and_broken_json_are_refused() {
    let twice = chat(r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#);
    assert_eq!(twice, Err(RequestError::Duplicate { path: "messages[0].content".into() }));
    for body in [r#"{"messages":[]} {"model":"x"}"#, r#"{"messages":["#, "", "\u{feff}{}"] {
        assert!(matches!(chat(body), Err(RequestError::Malformed { .. })), "{body}");
    }
}

#[test]
fn what_the_provider_keeps_is_listed() {
    let body = json!({"messages": [{"role": "assistant", "audio": {"id": "a"}}], "previous_response_id": "r",
        "store": false, "conversation": null});
    assert_eq!(chat(&body.to_string()).unwrap().references, ["messages[0].audio.id", "previous_response_id"]);
}

#[test]
fn completions_and_embeddings_are_read_and_token_ids_are_not_text() {
    let body = json!({"model": "m", "prompt": ["a", "b"], "suffix": "c"});
    let seen = parts(&COMPLETIONS, &body);
    assert_eq!(texts(&seen), [(Role::User, "a"), (Role::User, "b"), (Role::Other, "c")]);
    let seen = parts(&EMBEDDINGS, &json!({"model": "m", "input": "text"}));
    assert_eq!(texts(&seen), [(Role::User, "text")]);
    for (request, body, path) in [
        (&EMBEDDINGS, json!({"input": [1, 2]}), "input[0]"),
        (&EMBEDDINGS, json!({"input": [[1, 2]]}), "input[0]"),
        (&EMBEDDINGS, json!({"model": "m"}), "input"),
        (&COMPLETIONS, json!({"prompt": [1]}), "prompt[0]"),
        (&COMPLETIONS, json!({"prompt": null}), "prompt"),
    ] {
        match RequestView::read(request, "", body.to_string().as_bytes()) {
            Err(RequestError::Schema { path: seen, .. }) => assert_eq!(seen, path),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_prompt_of_a_list_has_answers_of_its_own() {
    let answers =
        |body: Value| RequestView::read(&COMPLETIONS, "", body.to_string().as_bytes()).map(|view| view.n);
    for (body, expected) in [
        (json!({"prompt": "a"}), 1),
        (json!({"prompt": ["a"]}), 1),
        (json!({"prompt": ["a", "b", "c"]}), 3),
        (json!({"prompt": ["a", "b"], "n": 4}), 8),
        (json!({"n": 4, "prompt": ["a", "b"]}), 8),
        (json!({"prompt": "a", "n": 2, "best_of": 20}), 20),
        (json!({"prompt": ["a", "b"], "best_of": 5, "n": null}), 10),
        (json!({"prompt": ["a", "b"], "n": 0}), 2),
        (json!({"prompt": ["a", "b"], "n": u64::MAX}), u64::MAX),
    ] {
        assert_eq!(answers(body.clone()), Ok(expected), "{body}");
    }
    // Ids of tokens cannot be read, be they of one prompt or of many.
    for body in [
        json!({"prompt": [1, 2, 3]}),
        json!({"prompt": [[1, 2], [3]]}),
        json!({"prompt": "a", "best_of": "9"}),
    ] {
        assert!(matches!(answers(body.clone()), Err(RequestError::Schema { .. })), "{body}");
    }
    let inputs = RequestView::read(&EMBEDDINGS, "", br#"{"input":["a","b"]}"#).unwrap();
    assert_eq!(inputs.n, 1, "vectors are no answers");
}

#[test]
fn what_is_to_be_worked_out_later_is_told() {
    let later = |request: &Request, body: Value| {
        RequestView::read(request, "", body.to_string().as_bytes()).unwrap().later
    };
    assert!(later(&CHAT, json!({"messages": [], "deferred": true})));
    assert!(!later(&CHAT, json!({"messages": [], "deferred": false})));
    assert!(later(&responses::RESPONSES, json!({"input": "x", "background": true})));
    assert!(!later(&responses::RESPONSES, json!({"input": "x", "background": null})));
    assert!(later(&threads::RUN, json!({"assistant_id": "a"})));
    assert!(later(&threads::OUTPUTS, json!({"tool_outputs": []})));
    let body = json!({"input": "x", "background": "true"});
    assert!(RequestView::read(&responses::RESPONSES, "", body.to_string().as_bytes()).is_err());
}
