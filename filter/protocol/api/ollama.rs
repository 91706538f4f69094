//! Ollama's own API. Its copy of OpenAI's, below `/v1`, is `protocol: openai`.
//!
//! Source: <https://github.com/ollama/ollama/blob/main/docs/api.md>. Errors are `{"error": "…"}`, within a stream too.

use super::refusal::{Ending, JSON, bytes};
use super::{Api, Body, Family, GET, POST, Root, Shape, Told, read, row};
use crate::protocol::answers;
use crate::protocol::ollama::request;
use crate::protocol::rewrite::BodyKind;

/// Ollama's API.
pub static OLLAMA: Api = Api {
    name: "ollama",
    title: "Ollama's own API",
    family: Family::Model,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer ")],
    operations: &[
        read("chat", POST, "api/chat", &request::CHAT),
        read("completions", POST, "api/generate", &request::GENERATE),
        read("embedding", POST, "api/embed", &request::EMBED),
        read("embedding", POST, "api/embeddings", &request::EMBED),
        row("models", GET, "api/tags", Body::None),
        row("models", GET, "api/ps", Body::None),
        row("models", GET, "api/version", Body::None),
        read("models", POST, "api/show", &request::SHOW),
    ],
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: Some(Ending { framing: BodyKind::JsonLines, event: line }),
        about: "`ResponseError`, with the status",
    },
    answers: answers::OLLAMA,
};

fn body(told: &Told<'_>) -> Vec<u8> {
    bytes([("error", told.message.into()), ("code", told.code.into())])
}

fn line(told: &Told<'_>) -> Vec<u8> {
    let mut line = body(told);
    line.push(b'\n');
    line
}
