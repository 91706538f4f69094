use serde_json::json;

use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&CHAT, "");

#[test]
fn all_that_rules_read_is_read() {
    let body = json!({
        "model": "command-a", "stream": true, "max_tokens": 9, "temperature": 0.5, "k": 3, "stop_sequences": ["END"],
        "documents": ["plain", {"id": "d1", "data": {"title": "T"}}, {"data": "D"}],
        "tools": [{"type": "function", "function": {"name": "db", "description": "asks", "parameters": {}}}],
        "response_format": {"type": "json_object"}, "citation_options": {"mode": "FAST"}, "safety_mode": "STRICT",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "u"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
            {"role": "assistant", "tool_plan": "p", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "db", "arguments": "{\"q\":\"j\\u0040x\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"id": "1", "data": "rows"}}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "h"}, {"type": "text", "text": "a"}],
             "citations": [{"start": 0, "end": 1, "text": "c", "sources": [{"type": "tool", "id": "s"}]}]},
        ],
    });
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.stream, view.max_output_tokens), ("command-a", true, Some(9)));
    assert_eq!((view.messages, view.images), (5, 1));
    assert_eq!(view.tools, ["db"]);
    let said = ASKED.said(&body);
    for (role, text) in [
        (Role::User, "plain"),
        (Role::User, "T"),
        (Role::User, "D"),
        (Role::Definition, "asks"),
        (Role::System, "be kind"),
        (Role::User, "u"),
        (Role::Assistant, "p"),
        (Role::Assistant, "db"),
        (Role::Assistant, "j@x"),
        (Role::Tool, "rows"),
        (Role::Assistant, "h"),
        (Role::Assistant, "a"),
        (Role::Assistant, "c"),
        (Role::Other, "END"),
    ] {
        assert!(said.contains(&(role, text.to_owned())), "{role:?} {text} in {said:?}");
    }
}

#[test]
fn embeddings_ranks_and_tokens_are_read() {
    let asked = Asked(&EMBED, "");
    let body = json!({"model": "embed-v4", "input_type": "search_document", "texts": ["a", "b"], "embedding_types": ["float"], "max_tokens": 5});
    asked.says(&body, &[(Role::User, "a"), (Role::User, "b")]);
    assert_eq!((asked.view(&body).model.as_str(), asked.view(&body).max_output_tokens), ("embed-v4", None));
    let body = json!({"images": ["data:image/png;base64,AA"], "inputs": [{"content": [{"type": "text", "text": "c"}]}]});
    asked.says(&body, &[(Role::User, "c")]);
    assert_eq!(asked.view(&body).images, 1);
    let asked = Asked(&RERANK, "");
    let body = json!({"model": "rerank-v3.5", "query": "q", "documents": ["d", {"text": "e"}], "top_n": 2});
    asked.says(&body, &[(Role::User, "q"), (Role::User, "d"), (Role::User, "text"), (Role::User, "e")]);
    Asked(&TOKENIZE, "").says(&json!({"model": "m", "text": "t"}), &[(Role::User, "t")]);
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    for (body, path) in [
        (json!({"messages": "x"}), "messages"),
        (json!({"messages": [{"role": "root"}]}), "messages[0].role"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]}),
            "messages[0].content[0].type",
        ),
        (json!({"messages": [], "documents": [5]}), "documents[0]"),
        (json!({"messages": [], "tools": [{"function": {}}]}), "tools[0]"),
        (json!({"messages": [], "Stream": true}), "Stream"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
}
