//! OpenAI's API: see [`crate::protocol::openai`], which reads its requests and answers.

use super::refusal::events;
use super::{Api, Body, Family, GET, Operation, POST, Root, Shape, row};
use crate::protocol::openai::{self, Operation as View};

/// OpenAI's API, and the many that copy it.
pub static OPENAI: Api = Api {
    name: "openai",
    title: "OpenAI, and the many that copy its API",
    family: Family::Model,
    root: Root::Version,
    token_headers: &[("authorization", "Bearer "), ("api-key", "")],
    operations: OPERATIONS,
    refusals: Shape {
        content_type: openai::CONTENT_TYPE,
        body: |told| openai::error_body(told.code, told.message),
        header: None,
        ending: events(|told| openai::error_event(told.code, told.message)),
        about: "`APIStatusError` and its kinds, by status",
    },
    answers: &openai::ANSWERS,
};

const fn read(path: &'static str, view: View, name: &'static str) -> Operation {
    Operation { view: Some(view), ..row(name, POST, path, Body::Json) }
}

const fn unread(path: &'static str, name: &'static str) -> Operation {
    Operation { uninspected: Some(name), ..row(name, super::ANY, path, Body::Any) }
}

const OPERATIONS: &[Operation] = &[
    read("chat/completions", View::Chat, "chat"),
    read("completions", View::Completions, "completions"),
    read("embeddings", View::Embedding, "embedding"),
    row("responses", POST, "responses", Body::Json),
    row("models", GET, "models", Body::None),
    row("models", GET, "models/{model}", Body::None),
    row("models", GET, "models/{owner}/{model}", Body::None),
    unread("images", "image"),
    unread("images/**", "image"),
    unread("audio", "audio"),
    unread("audio/**", "audio"),
];
