use serde_json::{Value, json};

use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&CONVERSE, "anthropic.claude-3-haiku-20240307-v1:0");

fn user(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

#[test]
fn all_that_rules_read_of_converse_is_read() {
    let body = json!({
        "system": [{"text": "be kind"}, {"cachePoint": {"type": "default"}}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "toolConfig": {"tools": [{"toolSpec": {"name": "db", "description": "asks", "inputSchema": {"json": {"type": "object"}}}},
            {"systemTool": {"name": "nova_grounding"}}], "toolChoice": {"tool": {"name": "db"}}},
        "additionalModelRequestFields": {"tools": [{"type": "computer_20241022", "name": "computer"}], "top_k": 5},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "enabled"},
        "performanceConfig": {"latency": "optimized"}, "requestMetadata": {"team": "red"},
        "messages": [
            {"role": "user", "content": [{"text": "u"}, {"image": {"format": "png", "source": {"bytes": "iVBO"}}},
                {"document": {"format": "txt", "name": "n", "source": {"text": "in it"}}},
                {"guardContent": {"text": {"text": "g", "qualifiers": ["query"]}}}]},
            {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "t", "signature": "a b"}}},
                {"toolUse": {"toolUseId": "c1", "name": "db", "input": {"q": "j@x", "n": 4111}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"json": {"rows": ["r"]}}, {"text": "rt"}]}}]},
        ],
    });
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.stream), ("anthropic.claude-3-haiku-20240307-v1:0", false));
    assert!(Asked(&CONVERSE_STREAM, "m").view(&body).stream);
    assert_eq!(
        (view.messages, view.images, view.max_output_tokens, view.temperature),
        (3, 1, Some(9), Some(0.5))
    );
    let mut tools = view.tools;
    tools.sort();
    assert_eq!(tools, ["computer", "db", "nova_grounding"]);
    let said = ASKED.said(&body);
    for (role, text) in [
        (Role::System, "be kind"),
        (Role::User, "u"),
        (Role::User, "n"),
        (Role::User, "in it"),
        (Role::User, "g"),
        (Role::Assistant, "t"),
        (Role::Assistant, "db"),
        (Role::Assistant, "j@x"),
        (Role::Assistant, "4111"),
        (Role::Tool, "r"),
        (Role::Tool, "rt"),
        (Role::Definition, "asks"),
        (Role::Other, "END"),
        (Role::Other, "red"),
    ] {
        assert!(said.contains(&(role, text.to_owned())), "{role:?} {text} in {said:?}");
    }
    for kept in ["a b", "c1", "iVBO", "default", "optimized", "query"] {
        assert!(said.iter().all(|(_, text)| text != kept), "{kept}");
    }
}

#[test]
fn each_makers_own_document_is_read() {
    let invoke = |model: &'static str| Asked(&INVOKE, model);
    for (model, body, expected, bound) in [
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "system": "s", "messages": [{"role": "user", "content": "u"}]}),
            vec![(Role::System, "s"), (Role::User, "u")],
            Some(9),
        ),
        (
            "eu.anthropic.claude-sonnet-4-20250514-v1:0",
            json!({"max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}]}),
            vec![(Role::User, "u")],
            Some(9),
        ),
        (
            "amazon.titan-text-express-v1",
            json!({"inputText": "u", "textGenerationConfig": {"maxTokenCount": 9, "temperature": 0, "stopSequences": []}}),
            vec![(Role::User, "u")],
            Some(9),
        ),
        (
            "amazon.titan-embed-text-v2:0",
            json!({"inputText": "u", "dimensions": 256, "normalize": true}),
            vec![(Role::User, "u")],
            None,
        ),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"schemaVersion": "messages-v1", "system": [{"text": "s"}], "inferenceConfig": {"max_new_tokens": 9},
                "messages": [{"role": "user", "content": [{"text": "u"}]}]}),
            vec![(Role::System, "s"), (Role::User, "u")],
            Some(9),
        ),
        (
            "meta.llama3-8b-instruct-v1:0",
            json!({"prompt": "u", "max_gen_len": 9, "temperature": 0.5}),
            vec![(Role::User, "u")],
            Some(9),
        ),
        (
            "mistral.mistral-large-2402-v1:0",
            json!({"prompt": "u", "max_tokens": 9, "stop": ["END"]}),
            vec![(Role::User, "u"), (Role::Other, "END")],
            Some(9),
        ),
        (
            "mistral.mistral-large-2407-v1:0",
            json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}),
            vec![(Role::System, "s"), (Role::User, "u")],
            None,
        ),
        (
            "cohere.command-r-v1:0",
            json!({"message": "u", "preamble": "s", "max_tokens": 9, "chat_history": [{"role": "CHATBOT", "message": "a"}],
                "documents": [{"title": "d"}]}),
            vec![
                (Role::User, "u"),
                (Role::System, "s"),
                (Role::Assistant, "a"),
                (Role::User, "title"),
                (Role::User, "d"),
            ],
            Some(9),
        ),
        (
            "cohere.embed-english-v3",
            json!({"texts": ["a"], "input_type": "search_query", "truncate": "NONE"}),
            vec![(Role::User, "a")],
            None,
        ),
        (
            "openai.gpt-oss-20b-1:0",
            json!({"messages": [{"role": "user", "content": "u"}], "max_completion_tokens": 9}),
            vec![(Role::User, "u")],
            Some(9),
        ),
        (
            "somebody.model-v1",
            json!({"prompt": "u", "max_tokens": 9, "x": [{"y": "z"}]}),
            vec![
                (Role::Other, "prompt"),
                (Role::Other, "u"),
                (Role::Other, "max_tokens"),
                (Role::Other, "9"),
                (Role::Other, "x"),
                (Role::Other, "y"),
                (Role::Other, "z"),
            ],
            None,
        ),
    ] {
        let asked = invoke(model);
        asked.says(&body, &expected);
        let view = asked.view(&body);
        assert_eq!(
            (view.model.as_str(), view.max_output_tokens, view.stream),
            (model, bound, false),
            "{body}"
        );
        assert!(Asked(&INVOKE_STREAM, model).view(&body).stream);
    }
}

#[test]
fn what_the_provider_keeps_is_listed() {
    let stored = json!({"s3Location": {"uri": "s3://b/a key"}});
    for (body, expected) in [
        (
            user(json!([{"image": {"format": "png", "source": stored}}])),
            "messages[0].content[0].image.source.s3Location.uri",
        ),
        (
            user(json!([{"document": {"format": "pdf", "name": "n", "source": stored}}])),
            "messages[0].content[0].document.source.s3Location.uri",
        ),
    ] {
        assert_eq!(ASKED.view(&body).references, [expected], "{body}");
    }
    let film = user(json!([{"video": {"format": "mp4", "source": {"bytes": "AA"}}}]));
    assert_eq!((ASKED.view(&film).images, ASKED.view(&film).audios), (1, 1));
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    for (body, path) in [
        (json!({"messages": "x"}), "messages"),
        (user(json!("x")), "messages[0].content"),
        (user(json!(["x"])), "messages[0].content[0]"),
        (json!({"messages": [{"role": "root"}]}), "messages[0].role"),
        (
            user(json!([{"document": {"format": "pdf", "name": "n", "source": {"bytes": "AA"}}}])),
            "messages[0].content[0].document.source.bytes",
        ),
        (json!({"toolConfig": {"tools": [{"toolSpec": {}}]}}), "toolConfig.tools[0].toolSpec"),
        (json!({"inferenceConfig": {"maxTokens": "9"}}), "inferenceConfig.maxTokens"),
        (json!({"InferenceConfig": {}}), "InferenceConfig"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
    let count = Asked(&COUNT, "m");
    count.says(
        &json!({"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "u"}]}]}}}),
        &[(Role::User, "u")],
    );
    assert_eq!(count.fault(&json!({"input": {"invokeModel": {"body": "e30="}}})), "input.invokeModel");
}
