//! Cohere's API, version 2.
//!
//! Source: <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/errors>. The clients choose the
//! class of an error by its status; a stream that failed ends with `message-end` and the reason `ERROR`.

use super::refusal::{JSON, bytes, event, events, object};
use super::{Api, Body, Family, GET, POST, Root, Shape, Told, read, row};
use crate::protocol::answers;
use crate::protocol::cohere::request;

/// Cohere's API.
pub static COHERE: Api = Api {
    name: "cohere",
    title: "Cohere, version 2 of its API",
    family: Family::Model,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer ")],
    operations: &[
        read("chat", POST, "v2/chat", &request::CHAT),
        read("embedding", POST, "v2/embed", &request::EMBED),
        read("rerank", POST, "v2/rerank", &request::RERANK),
        row("models", GET, "v1/models", Body::None),
        row("models", GET, "v1/models/{model}", Body::None),
        read("count_tokens", POST, "v1/tokenize", &request::TOKENIZE),
    ],
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: events(ending),
        about: "`ApiError` and its kinds, by status",
    },
    answers: answers::COHERE,
};

fn body(told: &Told<'_>) -> Vec<u8> {
    bytes([("message", told.message.into()), ("code", told.code.into())])
}

fn ending(told: &Told<'_>) -> Vec<u8> {
    let delta = object([("finish_reason", "ERROR".into()), ("error", told.message.into())]);
    event(Some("message-end"), &bytes([("type", "message-end".into()), ("delta", delta)]))
}
