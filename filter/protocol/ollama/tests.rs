//! Recorded streams and answers.

use serde_json::{Value, json};

use super::ANSWERS;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::testing::doors::kept;
use crate::protocol::testing::recorded::Recorded;
use crate::protocol::testing::wires::LINES;
use crate::protocol::testing::{Simple, masked};

const CHAT_END: &str = r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:01.5Z","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}"#;
const GENERATE_END: &str = r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:01.5Z","response":"","done":true,"done_reason":"stop","total_duration":4883583458,"prompt_eval_count":26,"eval_count":282}"#;

fn recorded(delta: &'static str, end: &'static [(&'static str, &'static str)], at: &'static str) -> Recorded {
    Recorded { table: &ANSWERS, wire: LINES, head: &[], delta: ("", delta), tail: end, at, json: false }
}

#[test]
fn every_text_of_a_chat_obeys_the_laws() {
    for (delta, at) in [
        (
            r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":"?"},"done":false}"#,
            "/message/content",
        ),
        (
            r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":"","thinking":"?"},"done":false}"#,
            "/message/thinking",
        ),
        (
            r#"{"model":"llama3.2","message":{"role":"assistant","content":"","said":"?"},"done":false}"#,
            "/message/said",
        ),
    ] {
        recorded(delta, &[("", CHAT_END)], at).laws();
    }
}

#[test]
fn every_text_of_a_completion_obeys_the_laws() {
    for (delta, at) in [
        (
            r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:00Z","response":"?","done":false}"#,
            "/response",
        ),
        (
            r#"{"model":"llama3.2","created_at":"2025-01-01T00:00:00Z","response":"","thinking":"?","done":false}"#,
            "/thinking",
        ),
        (r#"{"model":"llama3.2","other":"?","done":false}"#, "/other"),
    ] {
        recorded(delta, &[("", GENERATE_END)], at).laws();
    }
}

fn rewrite(kind: BodyKind, body: &str) -> (String, ResponseRewriter<Simple>) {
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, Simple);
    let mut out = Vec::new();
    rewriter.push(body.as_bytes(), true, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), rewriter)
}

#[test]
fn a_whole_answer_is_masked_and_its_side_doors_are_closed() {
    let body = json!({
        "model": "llama3.2", "created_at": "2025-01-01T00:00:00Z", "response": "to SECRET", "thinking": "jane@example.com",
        "done": true, "done_reason": "stop", "context": [12345, 2, 3], "total_duration": 4883583458u64,
        "prompt_eval_count": 26, "eval_count": 12345,
        "logprobs": [{"token": "SECRET", "logprob": -1, "bytes": [83]}],
        "message": {"role": "assistant", "content": "SECRET", "tool_calls": [
            {"function": {"name": "send", "arguments": {"to": "jane@example.com", "n": 12345, "SECRET": [true]}}}]},
    });
    let (out, rewriter) = rewrite(BodyKind::Json, &body.to_string());
    let seen: Value = serde_json::from_str(&out).unwrap();
    let mut expected = body;
    expected["response"] = json!("to <S>");
    expected["thinking"] = json!(masked("jane@example.com"));
    expected["context"] = json!([]);
    expected["logprobs"] = Value::Null;
    expected["message"]["content"] = json!("<S>");
    let arguments = json!({"to": masked("jane@example.com"), "n": 0, "<S>": [true]});
    expected["message"]["tool_calls"][0]["function"]["arguments"] = arguments;
    assert_eq!(seen, expected);
    assert_eq!((rewriter.model(), rewriter.finish_reason()), ("llama3.2", "stop"));
    assert_eq!((rewriter.usage().prompt, rewriter.usage().completion), (Some(26), Some(12345)));
}

#[test]
fn the_last_line_of_a_stream_loses_its_context_too() {
    let stream = "{\"response\":\"a SEC\",\"done\":false}\n{\"response\":\"RET\",\"done\":true,\"context\":[12345,7]}\n";
    let (out, _) = rewrite(BodyKind::JsonLines, stream);
    assert_eq!(
        out,
        "{\"response\":\"a \",\"done\":false}\n{\"response\":\"<S>\",\"done\":true,\"context\":[]}\n"
    );
}

#[test]
fn what_is_held_goes_out_before_an_error_line() {
    let stream = "{\"message\":{\"content\":\"SEC\"},\"done\":false}\n{\"error\":\"no SECRET left\"}\n";
    let (out, rewriter) = rewrite(BodyKind::JsonLines, stream);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["message"]["content"], "SEC");
    assert_eq!(lines[2], json!({"error": "no <S> left"}));
    assert!(rewriter.failed());
}

#[test]
fn models_and_embeddings_pass_untouched() {
    for body in [
        json!({"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest", "modified_at": "2025-05-04T17:37:44.706015396-07:00",
            "size": 3826793677u64, "digest": "f7b2123456", "details": {"parent_model": "", "format": "gguf", "family": "qwen2",
            "families": ["qwen2"], "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}}]}),
        json!({"model": "all-minilm", "embeddings": [[0.010071029, -0.0017594862, 12345.0]], "total_duration": 14143917, "prompt_eval_count": 8}),
        json!({"embedding": [0.12345, 12345]}),
        json!({"version": "0.12345.6"}),
        json!({"status": "pulling manifest", "digest": "sha256:12345", "total": 2142590208u64, "completed": 241970}),
        json!({"model_info": {"general.parameter_count": 8030261248u64}, "capabilities": ["completion"]}),
    ] {
        let body = body.to_string();
        assert_eq!(rewrite(BodyKind::Json, &body).0, body);
    }
}

#[test]
fn labels_are_kept_and_nothing_else() {
    let line = r#"{"model":"m","created_at":"t","response":"x","thinking":"x","done":false,"done_reason":"stop",
        "message":{"role":"assistant","content":"x","thinking":"x","images":["b"],"tool_name":"x","new":{"a":["x",1]},
            "tool_calls":[{"id":"c","type":"function","function":{"index":0,"name":"x","description":"x","arguments":{"a":"x","n":1,"l":["x",2]}}}]},
        "context":[1,2],"logprobs":[{"token":"x","logprob":-1,"bytes":[1],"top_logprobs":[{"token":"x"}]}],
        "total_duration":1,"load_duration":1,"prompt_eval_count":1,"prompt_eval_duration":1,"eval_count":1,"eval_duration":1,
        "error":"x","new":"x","newer":[{"a":"x","n":1}]}"#;
    let models = r#"{"models":[{"name":"n","model":"n","modified_at":"t","expires_at":"t","size":1,"size_vram":1,"context_length":1,"digest":"d","new":"x",
            "details":{"parent_model":"n","format":"f","family":"f","families":["f"],"parameter_size":"7B","quantization_level":"q","new":"x"}}],
        "license":"x","modelfile":"x","template":"x","system":"x","parameters":"x","messages":[{"role":"x","content":"x"}],
        "model_info":{"general.name":"x","n":1},"capabilities":["c"],"version":"1","status":"x","digest":"d","total":1,"completed":1}"#;
    for (kind, document) in [
        (BodyKind::Json, line.to_owned()),
        (BodyKind::Json, models.to_owned()),
        (BodyKind::EventStream, line.replace('\n', "")),
    ] {
        let (strings, numbers) = kept(&ANSWERS, kind, &[&document]);
        let labels = [
            "capabilities",
            "created_at",
            "digest",
            "done_reason",
            "expires_at",
            "families",
            "family",
            "format",
            "id",
            "images",
            "model",
            "modified_at",
            "name",
            "parameter_size",
            "parent_model",
            "quantization_level",
            "role",
            "type",
            "version",
        ];
        let strange: Vec<_> = strings.iter().filter(|key| !labels.contains(&key.as_str())).collect();
        assert!(strange.is_empty(), "{strange:?}");
        let counts = [
            "completed",
            "context_length",
            "eval_count",
            "eval_duration",
            "index",
            "load_duration",
            "n",
            "prompt_eval_count",
            "prompt_eval_duration",
            "size",
            "size_vram",
            "total",
            "total_duration",
        ];
        let strange: Vec<_> = numbers.iter().filter(|key| !counts.contains(&key.as_str())).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }
    // Of a tool call, and of what nobody knows, no number either; of a model's numbers, all.
    assert!(!kept(&ANSWERS, BodyKind::Json, &[line]).1.contains(&"n".to_owned()));
}
