use serde_json::{Value, json};

use super::*;
use crate::protocol::testing::asked::Asked;

const ASKED: Asked = Asked(&GENERATE, "gemini-2.5-flash");

fn parts(parts: Value) -> Value {
    json!({"contents": [{"role": "user", "parts": parts}]})
}

#[test]
fn all_that_rules_read_is_read() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "be kind"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "u"}, {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}]},
            {"role": "model", "parts": [{"text": "t", "thought": true, "thoughtSignature": "a b"},
                {"functionCall": {"id": "c1", "name": "db", "args": {"q": "j@x", "n": 4111}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "db", "response": {"rows": ["r"]}}}]},
            {"parts": [{"executableCode": {"language": "PYTHON", "code": "print"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "printed"}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "db", "description": "asks", "parameters": {"type": "OBJECT"}}]},
                  {"google_search": {}}, {"codeExecution": {}}, {"tomorrows_tool": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["db"]}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "generationConfig": {"maxOutputTokens": 99, "candidateCount": 2, "temperature": 0.5, "topP": 0.9,
            "stopSequences": ["END"], "responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
    });
    let view = ASKED.view(&body);
    assert_eq!((view.model.as_str(), view.stream), ("gemini-2.5-flash", false));
    assert!(Asked(&STREAM, "m").view(&body).stream);
    assert_eq!((view.messages, view.images, view.audios), (4, 1, 1));
    assert_eq!((view.n, view.max_output_tokens, view.temperature), (2, Some(99), Some(0.5)));
    assert_eq!(view.tools, ["db", "googleSearch", "codeExecution", "tomorrowsTool"]);
    ASKED.says(
        &body,
        &[
            (Role::System, "be kind"),
            (Role::User, "u"),
            (Role::Assistant, "t"),
            (Role::Assistant, "db"),
            (Role::Assistant, "q"),
            (Role::Assistant, "j@x"),
            (Role::Assistant, "n"),
            (Role::Assistant, "4111"),
            (Role::Tool, "db"),
            (Role::Tool, "rows"),
            (Role::Tool, "r"),
            (Role::Assistant, "print"),
            (Role::Tool, "printed"),
            (Role::Definition, "db"),
            (Role::Definition, "asks"),
            (Role::Definition, "type"),
            (Role::Definition, "OBJECT"),
            (Role::Definition, "tomorrows_tool"),
            (Role::Other, "END"),
            (Role::Definition, "type"),
            (Role::Definition, "STRING"),
        ],
    );
}

#[test]
fn keys_may_be_written_with_underscores_and_one_may_stand_for_a_list() {
    let body = json!({
        "system_instruction": {"parts": {"text": "s"}},
        "contents": {"role": "user", "parts": {"inline_data": {"mime_type": "image/png", "data": "AA"}}},
        "tools": {"function_declarations": {"name": "db"}},
        "generation_config": {"max_output_tokens": 7},
    });
    let view = ASKED.view(&body);
    assert_eq!((view.messages, view.images, view.max_output_tokens), (1, 1, Some(7)));
    assert_eq!(view.tools, ["db"]);
    ASKED.says(&body, &[(Role::System, "s"), (Role::Definition, "db")]);
}

#[test]
fn two_spellings_of_one_key_are_one_key_twice_and_a_third_is_none() {
    let twice = br#"{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#;
    let error = crate::protocol::request::RequestView::read(&GENERATE, "m", twice).unwrap_err();
    assert!(error.to_string().contains("comes twice"), "{error}");
    for (body, path) in [
        (json!({"Contents": []}), "Contents"),
        (json!({"generationConfig": {"MaxOutputTokens": 1}}), "generationConfig.MaxOutputTokens"),
        (json!({"Generation_Config": {}}), "Generation_Config"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
}

#[test]
fn the_body_may_name_no_other_model_than_the_path() {
    let same = ["gemini-2.5-flash", "models/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"];
    for model in same {
        ASKED.view(&json!({"model": model, "contents": []}));
    }
    for model in ["gemini-pro", "models/gemini-pro", "", "tunedModels/gemini-2.5-flash"] {
        assert_eq!(ASKED.fault(&json!({"model": model, "contents": []})), "model");
    }
    let many = Asked(&EMBED_MANY, "e");
    let body = |model: &str| json!({"requests": [{"model": "models/e", "content": {"parts": [{"text": "x"}]}}, {"model": model}]});
    many.says(&body("models/e"), &[(Role::User, "x")]);
    assert_eq!(many.fault(&body("models/f")), "requests[1].model");
    assert_eq!(
        ASKED.fault(&json!({"generationConfig": {"routingConfig": {}}})),
        "generationConfig.routingConfig"
    );
}

#[test]
fn counts_and_embeddings_are_read() {
    let asked = Asked(&COUNT, "m");
    let body = json!({"contents": [{"parts": [{"text": "a"}]}]});
    asked.says(&body, &[(Role::User, "a")]);
    let body = json!({"generateContentRequest": {"model": "models/m", "contents": [{"parts": [{"text": "b"}]}],
        "systemInstruction": {"parts": [{"text": "s"}]}}});
    asked.says(&body, &[(Role::User, "b"), (Role::System, "s")]);
    let asked = Asked(&EMBED, "m");
    let body = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_DOCUMENT", "title": "t", "outputDimensionality": 8});
    asked.says(&body, &[(Role::User, "a"), (Role::User, "t")]);
}

#[test]
fn what_the_provider_keeps_is_listed() {
    for (body, expected) in [
        (json!({"cachedContent": "cachedContents/1"}), "cachedContent"),
        (
            parts(json!([{"fileData": {"mimeType": "image/png", "fileUri": "gs://b/c d"}}])),
            "contents[0].parts[0].fileData.fileUri",
        ),
        (
            json!({"tools": [{"fileSearch": {"fileSearchStoreNames": ["s"]}}]}),
            "tools[0].fileSearch.fileSearchStoreNames[0]",
        ),
        (json!({"tools": [{"retrieval": {"vertexAiSearch": {"datastore": "d"}}}]}), "tools[0].retrieval"),
    ] {
        assert_eq!(ASKED.view(&body).references, [expected], "{body}");
    }
    assert!(ASKED.view(&json!({"store": true})).stored);
}

#[test]
fn shapes_that_cannot_be_read_are_refused_with_their_path() {
    for (body, path) in [
        (json!([]), "the body"),
        (json!({"contents": "x"}), "contents"),
        (json!({"contents": ["x"]}), "contents[0]"),
        (json!({"contents": [{"role": "root", "parts": []}]}), "contents[0].role"),
        (parts(json!(["x"])), "contents[0].parts[0]"),
        (parts(json!([{"inlineData": {"data": "AA"}}])), "contents[0].parts[0].inlineData.mimeType"),
        (
            parts(json!([{"inlineData": {"mimeType": "application/pdf", "data": "AA"}}])),
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (
            parts(json!([{"inlineData": {"mimeType": "text/plain", "data": "AA"}}])),
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"description": "d"}]}]}),
            "tools[0].functionDeclarations[0]",
        ),
        (json!({"generationConfig": {"maxOutputTokens": "9"}}), "generationConfig.maxOutputTokens"),
    ] {
        assert_eq!(ASKED.fault(&body), path, "{body}");
    }
}
