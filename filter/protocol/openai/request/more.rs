//! Requests of the Responses API, of moderations, images and speech.

use serde_json::json;

use super::media::{IMAGES, MODERATIONS, SPEECH};
use super::responses::RESPONSES;
use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&RESPONSES, "");

#[test]
fn a_response_of_one_text_is_read() {
    let body = json!({"model": "gpt-5", "input": "Hi", "instructions": "Be kind.", "max_output_tokens": 9, "stream": true,
        "store": false, "temperature": 1, "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}, "verbosity": "low"},
        "include": ["reasoning.encrypted_content"], "truncation": "auto", "metadata": {"team": "red"}});
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.stream, view.max_output_tokens), ("gpt-5", true, Some(9)));
    assert_eq!((view.messages, view.temperature, view.references.len()), (0, Some(1.0), 0));
    ASKED.says(
        &body,
        &[(Role::User, "Hi"), (Role::System, "Be kind."), (Role::Other, "team"), (Role::Other, "red")],
    );
}

#[test]
fn the_items_of_a_conversation_are_read_with_who_says_them() {
    let body = json!({"model": "gpt-5", "input": [
        {"role": "developer", "content": "d"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "u"},
            {"type": "input_image", "detail": "low", "image_url": "https://x.example/cat"},
            {"type": "input_file", "file_id": "file-1"},
        ]},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
            {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "start_index": 0, "end_index": 1, "title": "t", "url": "l"}]},
            {"type": "refusal", "refusal": "r"},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "gAAAA B"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "send", "arguments": "{\"to\":\"j\\u0040x\"}", "status": "completed"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sent"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "code", "input": "print"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "printed"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{}", "output": "found"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBOR w0"},
    ]});
    let view = ASKED.view(&body);
    assert_eq!((view.messages, view.images), (3, 2));
    assert_eq!(view.references, ["input[1].content[2].file_id"]);
    ASKED.says(
        &body,
        &[
            (Role::System, "d"),
            (Role::User, "u"),
            (Role::Other, "https://x.example/cat"),
            (Role::Assistant, "a"),
            (Role::Assistant, "title"),
            (Role::Assistant, "t"),
            (Role::Assistant, "url"),
            (Role::Assistant, "l"),
            (Role::Assistant, "r"),
            (Role::Assistant, "s"),
            (Role::Assistant, "name"),
            (Role::Assistant, "send"),
            (Role::Assistant, "to"),
            (Role::Assistant, "j@x"),
            (Role::Tool, "sent"),
            (Role::Assistant, "name"),
            (Role::Assistant, "code"),
            (Role::Assistant, "input"),
            (Role::Assistant, "print"),
            (Role::Tool, "printed"),
            (Role::Assistant, "action"),
            (Role::Assistant, "type"),
            (Role::Assistant, "search"),
            (Role::Assistant, "query"),
            (Role::Assistant, "q"),
            (Role::Assistant, "name"),
            (Role::Assistant, "find"),
            (Role::Tool, "found"),
        ],
    );
}

#[test]
fn what_the_provider_keeps_for_responses_is_listed() {
    for (body, expected) in [
        (json!({"input": "x", "previous_response_id": "resp_1"}), vec!["previous_response_id"]),
        (json!({"input": "x", "conversation": {"id": "conv_1"}}), vec!["conversation.id"]),
        (json!({"input": "x", "conversation": "conv_1"}), vec!["conversation"]),
        (json!({"prompt": {"id": "pmpt_1", "variables": {"name": "x"}}}), vec!["prompt.id"]),
        (json!({"input": "x", "store": false}), vec![]),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), vec!["input[0].id"]),
        (json!({"input": [{"id": "msg_1"}]}), vec!["input[0].id"]),
        (
            json!({"input": [{"type": "compaction", "encrypted_content": "A A"}]}),
            vec!["input[0].encrypted_content"],
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a b.pdf"}]}]}),
            vec!["input[0].content[0].file_url"],
        ),
        (
            json!({"input": "x", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]},
                {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}},
                {"type": "code_interpreter", "container": "cntr_1"}]}),
            vec![
                "tools[0].vector_store_ids[0]",
                "tools[0].vector_store_ids[1]",
                "tools[1].container.file_ids[0]",
                "tools[2].container",
            ],
        ),
    ] {
        assert_eq!(ASKED.view(&body).references, expected, "{body}");
        assert!(!ASKED.view(&body).stored);
    }
    assert!(ASKED.view(&json!({"input": "x", "store": true})).stored);
}

#[test]
fn every_tool_of_a_response_is_named() {
    let body = json!({"input": [{"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]}],
    "tools": [
        {"type": "function", "name": "send", "parameters": {}},
        {"type": "web_search"},
        {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example", "authorization": "Bearer t", "headers": {"x-key": "a b"}},
        {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "find"}]},
    ]});
    assert_eq!(ASKED.view(&body).tools, ["late", "send", "web_search", "mcp", "crm", "find"]);
    let text = ASKED.view(&body).text;
    assert!(
        text.contains("https://mcp.example") && !text.contains("Bearer") && !text.contains("a b"),
        "{text}"
    );
}

#[test]
fn a_tool_with_two_names_has_both() {
    let tool = json!({"type": "function", "name": "harmless", "function": {"name": "db_drop"}});
    let view = Asked(&CHAT, "").view(&json!({"messages": [], "tools": [tool]}));
    assert_eq!(view.tools, ["db_drop", "harmless"]);
}

#[test]
fn shapes_of_responses_that_cannot_be_read_are_refused() {
    let item = |item: serde_json::Value| json!({ "input": [item] });
    for (body, path) in [
        (json!({"input": 5}), "input"),
        (json!({"input": {"role": "user"}}), "input"),
        (json!({"input": ["x"]}), "input[0]"),
        (item(json!({"type": "hologram"})), "input[0].type"),
        (item(json!({"role": "root", "content": "x"})), "input[0].role"),
        (item(json!({"role": "user", "content": [{"type": "input_video"}]})), "input[0].content[0].type"),
        (
            item(
                json!({"role": "user", "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,AA"}]}),
            ),
            "input[0].content[0].file_data",
        ),
        (item(json!({"type": "item_reference"})), "input[0].id"),
        (json!({"input": "x", "models": ["gpt-4"]}), "models"),
        (json!({"input": "x", "max_output_tokens": "9"}), "max_output_tokens"),
        (json!({"input": "x", "Previous_response_id": "r"}), "Previous_response_id"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
}

#[test]
fn moderations_images_and_speech_are_read() {
    let asked = Asked(&MODERATIONS, "");
    asked.says(&json!({"model": "m", "input": ["a", "b"]}), &[(Role::User, "a"), (Role::User, "b")]);
    let body = json!({"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]});
    asked.says(&body, &[(Role::User, "a")]);
    assert_eq!(asked.view(&body).images, 1);
    assert_eq!(asked.fault(&json!({"input": [[1, 2]]})), "input[0]");

    let asked = Asked(&IMAGES, "");
    let body =
        json!({"model": "gpt-image-1", "prompt": "a cat", "n": 2, "size": "1024x1024", "user": "jane"});
    asked.says(&body, &[(Role::User, "a cat"), (Role::Other, "jane")]);
    assert_eq!((asked.view(&body).model.as_str(), asked.view(&body).n), ("gpt-image-1", 2));
    assert_eq!(asked.fault(&json!({"model": "m"})), "prompt");

    let asked = Asked(&SPEECH, "");
    let body = json!({"model": "tts-1", "input": "Hello", "voice": "alloy", "instructions": "slowly"});
    asked.says(&body, &[(Role::User, "Hello"), (Role::System, "slowly")]);
}
