//! OpenAI's API: see [`crate::protocol::openai`], which reads its requests and answers.

use super::refusal::events;
use super::{Api, Body, Family, GET, Operation, POST, Root, Shape, read, row};
use crate::protocol::openai;
use crate::protocol::openai::request::{self, media, responses};
use crate::protocol::request::Request;

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

const fn unread(path: &'static str, name: &'static str) -> Operation {
    Operation { uninspected: Some(name), ..row(name, super::ANY, path, Body::Any) }
}

/// What is asked can be read, what is answered cannot.
const fn half(path: &'static str, view: &'static Request, name: &'static str) -> Operation {
    Operation { uninspected: Some(name), ..read(name, POST, path, view) }
}

const OPERATIONS: &[Operation] = &[
    read("chat", POST, "chat/completions", &request::CHAT),
    read("completions", POST, "completions", &request::COMPLETIONS),
    read("embedding", POST, "embeddings", &request::EMBEDDINGS),
    read("responses", POST, "responses", &responses::RESPONSES),
    read("moderation", POST, "moderations", &media::MODERATIONS),
    row("models", GET, "models", Body::None),
    row("models", GET, "models/{model}", Body::None),
    row("models", GET, "models/{owner}/{model}", Body::None),
    half("images/generations", &media::IMAGES, "image"),
    unread("images", "image"),
    unread("images/**", "image"),
    half("audio/speech", &media::SPEECH, "audio"),
    unread("audio", "audio"),
    unread("audio/**", "audio"),
];
