use serde_json::{Value, json};

use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&MESSAGES, "");

fn user(content: Value) -> Value {
    json!({"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": content}]})
}

#[test]
fn all_that_rules_read_is_read() {
    let body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 99, "stream": true, "temperature": 0.5, "top_k": 3,
        "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        "stop_sequences": ["END"], "metadata": {"user_id": "u-1"}, "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tool_choice": {"type": "tool", "name": "db"}, "service_tier": "auto",
        "tools": [{"name": "db", "description": "asks", "input_schema": {"type": "object"}},
                  {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
                  {"type": "mcp_toolset", "mcp_server_name": "docs"}],
        "mcp_servers": [{"type": "url", "name": "docs", "url": "https://mcp.example", "authorization_token": "a b"}],
        "messages": [
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "Eq QB"},
                {"type": "redacted_thinking", "data": "x y"},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "toolu_1", "name": "db", "input": {"q": ["j@x", 4111]}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "found"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}]},
                {"type": "document", "title": "d", "source": {"type": "text", "media_type": "text/plain", "data": "in it"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "block"}]}},
                {"type": "search_result", "source": "s", "title": "st", "content": [{"type": "text", "text": "sc"}]},
                {"type": "image", "source": {"type": "url", "url": "https://x/cat"}},
            ]},
        ],
    });
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.stream), ("claude-sonnet-4-5", true));
    assert_eq!((view.messages, view.images, view.max_output_tokens), (3, 2, Some(99)));
    assert_eq!(view.temperature, Some(0.5));
    assert_eq!(view.tools, ["docs", "db", "web_search", "mcp_toolset"]);
    assert_eq!(view.references, [""; 0]);
    let said = ASKED.said(&body);
    for (role, text) in [
        (Role::System, "be kind"),
        (Role::Other, "END"),
        (Role::Other, "u-1"),
        (Role::Definition, "asks"),
        (Role::Definition, "https://mcp.example"),
        (Role::User, "u"),
        (Role::Assistant, "t"),
        (Role::Assistant, "a"),
        (Role::Assistant, "db"),
        (Role::Assistant, "j@x"),
        (Role::Assistant, "4111"),
        (Role::Tool, "found"),
        (Role::User, "d"),
        (Role::User, "in it"),
        (Role::User, "block"),
        (Role::User, "s"),
        (Role::User, "st"),
        (Role::User, "sc"),
        (Role::Other, "https://x/cat"),
    ] {
        assert!(said.contains(&(role, text.to_owned())), "{role:?} {text} in {said:?}");
    }
    for kept in ["Eq QB", "x y", "a b", "toolu_1", "iVBO", "ephemeral", "1024"] {
        assert!(said.iter().all(|(_, text)| text != kept), "{kept}");
    }
}

#[test]
fn what_the_provider_keeps_is_listed() {
    for (body, expected) in [
        (
            user(json!([{"type": "document", "source": {"type": "file", "file_id": "f"}}])),
            "messages[0].content[0].source.file_id",
        ),
        (
            user(json!([{"type": "document", "source": {"type": "url", "url": "https://x/a"}}])),
            "messages[0].content[0].source.url",
        ),
        (user(json!([{"type": "container_upload", "file_id": "f"}])), "messages[0].content[0].file_id"),
        (json!({"messages": [], "container": "container_1"}), "container"),
        (
            json!({"messages": [], "container": {"skills": [{"type": "custom", "skill_id": "s"}]}}),
            "container.skills[0].skill_id",
        ),
        (json!({"messages": [], "thread": {"id": "t"}}), "thread"),
    ] {
        assert_eq!(ASKED.view(&body).references, [expected], "{body}");
    }
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    for (body, path) in [
        (json!({"messages": "x"}), "messages"),
        (json!({"messages": ["x"]}), "messages[0]"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].role"),
        (user(json!({"type": "text"})), "messages[0].content"),
        (user(json!([{"text": "x"}])), "messages[0].content[0].type"),
        (user(json!([{"type": "hologram"}])), "messages[0].content[0].type"),
        (user(json!([{"type": "text", "text": ["x"]}])), "messages[0].content[0].text"),
        (
            user(
                json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}}]),
            ),
            "messages[0].content[0].source.data",
        ),
        (user(json!([{"type": "document", "source": {"type": "s3"}}])), "messages[0].content[0].source.type"),
        (
            user(json!([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_use"}]}])),
            "messages[0].content[0].content[0].type",
        ),
        (json!({"messages": [], "system": [{"type": "image"}]}), "system[0].type"),
        (json!({"messages": [], "tools": [{"description": "d"}]}), "tools[0]"),
        (json!({"messages": [], "max_tokens": "9"}), "max_tokens"),
        (json!({"messages": [], "fallbacks": [{"model": "other"}]}), "fallbacks"),
        (json!({"messages": [], "Model": "x"}), "Model"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
}

#[test]
fn the_key_that_says_what_a_block_is_may_stand_behind_its_text() {
    let body = r#"{"messages":[{"content":[{"text":"x","type":"text"}],"role":"assistant"}]}"#;
    let body: Value = serde_json::from_str(body).unwrap();
    ASKED.says(&body, &[(Role::Assistant, "x")]);
}

#[test]
fn what_servers_tools_found_is_text_but_for_what_only_the_provider_reads() {
    let body = user(json!([
        {"type": "web_search_tool_result", "tool_use_id": "t", "content": [
            {"type": "web_search_result", "title": "T", "url": "U", "encrypted_content": "e e", "page_age": "1 day"}]},
        {"type": "code_execution_tool_result", "tool_use_id": "t", "content":
            {"type": "code_execution_result", "stdout": "O", "stderr": "", "return_code": 0, "content": [{"type": "code_execution_output", "file_id": "f"}]}},
        {"type": "web_fetch_tool_result", "tool_use_id": "t", "content": {"type": "web_fetch_result", "url": "V",
            "content": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "P"}}}},
    ]));
    let said = ASKED.said(&body);
    for text in ["T", "U", "1 day", "O", "V", "P"] {
        assert!(said.contains(&(Role::Tool, text.to_owned())), "{text} in {said:?}");
    }
    assert!(said.iter().all(|(_, text)| text != "e e" && text != "f"));
    assert_eq!(ASKED.view(&body).references, [""; 0]);
}

const BATCHED: Asked = Asked(&BATCH, "");

fn batch_of(params: &[Value]) -> Value {
    let item = |(at, params): (usize, &Value)| json!({"custom_id": format!("r-{at}"), "params": params});
    json!({"requests": params.iter().enumerate().map(item).collect::<Vec<_>>()})
}

#[test]
fn the_requests_of_a_batch_are_read_each_by_itself() {
    let mut second = user("two".into());
    second["model"] = "haiku".into();
    second["tools"] = json!([{"name": "db", "input_schema": {}}]);
    let view = BATCHED.view(&batch_of(&[user("one".into()), second]));
    let seen: Vec<_> = view
        .requests()
        .iter()
        .map(|one| {
            (one.model.as_str(), one.text.as_str(), one.messages, one.tools.len(), one.max_output_tokens)
        })
        .collect();
    assert_eq!(seen, [("claude", "one", 1, 0, Some(9)), ("haiku", "two\ndb", 1, 1, Some(9))]);
    assert_eq!((view.model.as_str(), view.text.as_str(), view.messages, view.n), ("", "", 2, 2));
    assert_eq!(view.tools, ["db"]);
    let alike = BATCHED.view(&batch_of(&[user("one".into()), user("two".into())]));
    assert_eq!(alike.model, "claude");
    assert_eq!(ASKED.view(&user("one".into())).requests().len(), 1);
}

#[test]
fn what_stands_beside_the_requests_of_a_batch_is_refused() {
    let mut beside = batch_of(&[user("one".into())]);
    beside["note"] = "SECRET".into();
    assert_eq!(BATCHED.fault(&beside), "note");
    let mut within = batch_of(&[user("one".into())]);
    within["requests"][0]["note"] = "SECRET".into();
    assert_eq!(BATCHED.fault(&within), "requests[0].note");
    let mut named = batch_of(&[user("one".into())]);
    named["requests"][0]["custom_id"] = "no word: a text".into();
    let view = BATCHED.view(&named);
    assert_eq!(view.requests()[0].text, "no word: a text\none", "it is judged, and masked");
    let mut null = batch_of(&[user("one".into())]);
    null["a text that nobody reads"] = Value::Null;
    assert_eq!(BATCHED.fault(&null), "the body");
    let mut empty = batch_of(&[user("one".into())]);
    empty["requests"][0]["params"] = Value::Null;
    assert_eq!(BATCHED.fault(&empty), "requests[0].params");
    assert_eq!(BATCHED.fault(&json!({"requests": null})), "requests");
}

#[test]
fn a_batch_is_bounded_in_how_many_requests_it_holds() {
    let many = |count| batch_of(&vec![user("x".into()); count]);
    assert_eq!(BATCHED.view(&many(1024)).requests().len(), 1024);
    assert_eq!(BATCHED.fault(&many(1025)), "the body");
}

#[test]
fn each_request_of_a_batch_is_put_within_the_bound() {
    use crate::protocol::request::{Bounds, RequestView, bound};
    let mut free = user("two".into());
    free.as_object_mut().unwrap().remove("max_tokens");
    let mut large = user("three".into());
    large["max_tokens"] = 4096.into();
    let body = batch_of(&[user("one".into()), free, large]).to_string();
    let view = RequestView::read(&BATCH, "", body.as_bytes()).unwrap();
    let bounds = Bounds { max_output_tokens: Some(50), forget: true, report_usage: true };
    let bounded = bound(&BATCH, &view, body.as_bytes(), &bounds).unwrap().unwrap();
    assert_eq!(bounded.changed, ["max_output_tokens"]);
    let sent: Value = serde_json::from_slice(&bounded.body).unwrap();
    let most = |at: usize| sent["requests"][at]["params"]["max_tokens"].as_u64();
    assert_eq!([most(0), most(1), most(2)], [Some(9), Some(50), Some(50)]);
    let within = RequestView::read(&BATCH, "", &bounded.body).unwrap();
    assert_eq!(bound(&BATCH, &within, &bounded.body, &bounds), Ok(None));
}
