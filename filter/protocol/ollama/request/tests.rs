use serde_json::json;

use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&CHAT, "");

#[test]
fn all_that_rules_read_is_read() {
    let body = json!({
        "model": "llama3.2", "options": {"num_predict": 9, "temperature": 0.5, "stop": ["END"], "mirostat": 2}, "think": "high",
        "keep_alive": "5m", "format": "json",
        "tools": [{"type": "function", "function": {"name": "db", "description": "asks"}}],
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "u", "images": ["iVBO", "AA"]},
            {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [{"function": {"name": "db", "arguments": {"q": "j@x"}}}]},
            {"role": "tool", "tool_name": "db", "content": "rows"},
        ],
    });
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.max_output_tokens), ("llama3.2", Some(9)));
    assert_eq!((view.messages, view.images, view.temperature), (4, 2, Some(0.5)));
    assert_eq!(view.tools, ["db"]);
    let said = ASKED.said(&body);
    for (role, text) in [
        (Role::System, "be kind"),
        (Role::User, "u"),
        (Role::Assistant, "t"),
        (Role::Assistant, "j@x"),
        (Role::Tool, "rows"),
        (Role::Definition, "asks"),
        (Role::Other, "END"),
    ] {
        assert!(said.contains(&(role, text.to_owned())), "{role:?} {text} in {said:?}");
    }
}

#[test]
fn an_answer_is_a_stream_unless_the_request_says_otherwise() {
    let stream = |body: serde_json::Value| ASKED.view(&body).stream;
    assert!(stream(json!({"messages": []})));
    assert!(stream(json!({"messages": [], "stream": null})));
    assert!(!stream(json!({"messages": [], "stream": false})));
    assert!(!Asked(&EMBED, "").view(&json!({"input": "x"})).stream);
}

#[test]
fn a_bound_of_nothing_or_less_is_none() {
    for (number, expected) in [(json!(-1), None), (json!(-2), None), (json!(0), None), (json!(7), Some(7))] {
        let body = json!({"messages": [], "options": {"num_predict": number}});
        assert_eq!(ASKED.view(&body).max_output_tokens, expected, "{body}");
    }
    assert_eq!(ASKED.fault(&json!({"options": {"num_predict": 1.5}})), "options.num_predict");
}

#[test]
fn what_is_generated_embedded_and_shown_is_read() {
    let asked = Asked(&GENERATE, "");
    let body =
        json!({"model": "m", "prompt": "p", "suffix": "s", "system": "y", "template": "t", "images": ["AA"]});
    asked.says(&body, &[(Role::User, "p"), (Role::User, "s"), (Role::System, "y"), (Role::Definition, "t")]);
    assert_eq!(asked.view(&json!({"prompt": "p", "context": [1, 2]})).references, ["context"]);
    let asked = Asked(&EMBED, "");
    asked.says(&json!({"input": ["a", "b"]}), &[(Role::User, "a"), (Role::User, "b")]);
    asked.says(&json!({"prompt": "a"}), &[(Role::User, "a")]);
    assert_eq!(Asked(&SHOW, "").view(&json!({"model": "m"})).model, "m");
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    for (body, path) in [
        (json!({"messages": "x"}), "messages"),
        (json!({"messages": [{"role": "control"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": ["x"]}]}), "messages[0].content"),
        (json!({"messages": [{"role": "user", "images": [5]}]}), "messages[0].images[0]"),
        // Go reads keys without regard for case.
        (json!({"messages": [], "MODEL": "x"}), "MODEL"),
        (json!({"messages": [], "options": {"NUM_PREDICT": 5}}), "options.*"),
    ] {
        assert_eq!(ASKED.fault(&body).replace("NUM_PREDICT", "*"), path, "{body}");
    }
}
