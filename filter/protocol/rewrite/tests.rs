//! Whole answers and streams against an independent reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::protocol::openai::ANSWERS;
use crate::protocol::testing::{Nothing, Simple, masked, masked_value};

fn rewriter(kind: BodyKind) -> ResponseRewriter<Simple> {
    ResponseRewriter::new(kind, &ANSWERS, Simple)
}

fn rewrite_pieces(kind: BodyKind, pieces: &[&[u8]]) -> Result<Vec<u8>, Unreadable> {
    let mut rewriter = rewriter(kind);
    let mut out = Vec::new();
    for piece in pieces {
        rewriter.push(piece, false, &mut out)?;
    }
    rewriter.push(b"", true, &mut out)?;
    assert_eq!(rewriter.held(), 0);
    Ok(out)
}

fn rewrite(kind: BodyKind, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    rewrite_pieces(kind, &[bytes])
}

fn json_of(input: &str) -> String {
    String::from_utf8(rewrite(BodyKind::Json, input.as_bytes()).unwrap()).unwrap()
}

/// Texts of a stream, put together as a client does: (choice, tool, field) -> text.
type Texts = BTreeMap<(u64, u64, String), String>;

fn events(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| !event.trim().is_empty()) {
        let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        let data = data.join("\n");
        if !data.is_empty() && data.trim() != "[DONE]" {
            events.push(serde_json::from_str(&data).unwrap_or_else(|e| panic!("{e}: {data}")));
        }
    }
    events
}

fn texts(stream: &[u8]) -> Texts {
    let mut texts = Texts::new();
    let mut add = |choice: u64, tool: u64, field: &str, value: &Value| {
        if let Some(text) = value.as_str() {
            texts.entry((choice, tool, field.to_owned())).or_default().push_str(text);
        }
    };
    for event in events(stream) {
        for choice in event["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap();
            let delta = &choice["delta"];
            for field in ["content", "refusal", "reasoning", "reasoning_content"] {
                add(index, 0, field, &delta[field]);
            }
            add(index, 0, "text", &choice["text"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                add(index, call["index"].as_u64().unwrap(), "arguments", &call["function"]["arguments"]);
            }
        }
    }
    texts.retain(|_, text| !text.is_empty());
    texts
}

fn reference(input: &Texts) -> Texts {
    input
        .iter()
        .map(|(key, text)| {
            let masked = match serde_json::from_str::<Value>(text) {
                Ok(value) if key.2 == "arguments" => masked_value(&value).to_string(),
                _ => masked(text),
            };
            (key.clone(), masked)
        })
        .collect()
}

/// Arguments are compared as documents: their spaces are kept, which a parsed one has not.
fn canonical(texts: Texts) -> Texts {
    texts
        .into_iter()
        .map(|(key, text)| {
            let value = serde_json::from_str::<Value>(&text).ok().filter(|_| key.2 == "arguments");
            (key, value.map_or(text, |value| value.to_string()))
        })
        .collect()
}

fn assert_stream(stream: &str) -> Vec<u8> {
    let whole = rewrite(BodyKind::EventStream, stream.as_bytes()).unwrap();
    let expected = canonical(reference(&texts(stream.as_bytes())));
    assert_eq!(canonical(texts(&whole)), expected, "{}", String::from_utf8_lossy(&whole));
    whole
}

fn chunk(index: u64, delta: Value, finish: Option<&str>) -> String {
    let event = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o",
        "choices": [{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}],
    });
    format!("data: {event}\n\n")
}

fn content(text: &str) -> String {
    chunk(0, json!({ "content": text }), None)
}

mod arguments;
mod bounds;
mod framings;
mod laws;
mod likeness;
mod operators;
mod stream;
mod vectors;
mod whole;
