//! OpenAI's API: see [`crate::protocol::openai`], which reads its requests and answers.

use super::refusal::events;
use super::{Api, Body, Family, GET, Operation, POST, Root, Shape, read, row};
use crate::protocol::openai;
use crate::protocol::openai::request::{self, media, responses, threads};
use crate::protocol::request::Request;

/// OpenAI's API, and the many that copy it.
pub static OPENAI: Api = Api {
    name: "openai",
    title: "OpenAI, and the many that copy its API",
    family: Family::Model,
    root: Root::Version,
    token_headers: &[("authorization", "Bearer "), ("api-key", "")],
    operations: OPERATIONS,
    asking_headers: &[],
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

/// What the provider keeps is read or taken away: nothing is said in the request.
const fn kept(name: &'static str, methods: &'static [&'static str], path: &'static str) -> Operation {
    Operation { kept: true, ..row(name, methods, path, Body::None) }
}

/// What the provider is to keep is said, and read.
const fn said(name: &'static str, path: &'static str, view: &'static Request) -> Operation {
    Operation { kept: true, ..read(name, POST, path, view) }
}

/// What the provider is to keep is said, and nobody reads it here: a kind of `uninspected` too.
const fn keeps(name: &'static str, path: &'static str, kind: &'static str) -> Operation {
    Operation { kept: true, uninspected: Some(kind), ..row(name, POST, path, Body::Any) }
}

const TAKE: &[&str] = &["GET", "DELETE"];

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
    kept("files", GET, "files"),
    keeps("files", "files", "multipart"),
    kept("files", TAKE, "files/{file}"),
    kept("files", GET, "files/{file}/content"),
    keeps("files", "uploads", "path"),
    keeps("files", "uploads/{upload}/parts", "multipart"),
    keeps("files", "uploads/{upload}/complete", "path"),
    keeps("files", "uploads/{upload}/cancel", "path"),
    kept("batches", GET, "batches"),
    keeps("batches", "batches", "batch_file"),
    kept("batches", GET, "batches/{batch}"),
    keeps("batches", "batches/{batch}/cancel", "path"),
    kept("assistants", GET, "assistants"),
    said("assistants", "assistants", &threads::ASSISTANT),
    kept("assistants", TAKE, "assistants/{assistant}"),
    said("assistants", "assistants/{assistant}", &threads::ASSISTANT),
    said("threads", "threads", &threads::THREAD),
    said("threads", "threads/runs", &threads::THREAD_RUN),
    said("threads", "threads/{thread}", &threads::CHANGE),
    kept("threads", TAKE, "threads/{thread}"),
    said("threads", "threads/{thread}/messages", &threads::MESSAGE),
    kept("threads", GET, "threads/{thread}/messages"),
    said("threads", "threads/{thread}/messages/{message}", &threads::CHANGE),
    kept("threads", TAKE, "threads/{thread}/messages/{message}"),
    said("threads", "threads/{thread}/runs", &threads::RUN),
    kept("threads", GET, "threads/{thread}/runs"),
    said("threads", "threads/{thread}/runs/{run}", &threads::CHANGE),
    kept("threads", GET, "threads/{thread}/runs/{run}"),
    said("threads", "threads/{thread}/runs/{run}/submit_tool_outputs", &threads::OUTPUTS),
    kept("threads", POST, "threads/{thread}/runs/{run}/cancel"),
    kept("threads", TAKE, "threads/**"),
    keeps("threads", "threads/**", "path"),
    kept("vector_stores", TAKE, "vector_stores"),
    keeps("vector_stores", "vector_stores", "path"),
    kept("vector_stores", TAKE, "vector_stores/**"),
    keeps("vector_stores", "vector_stores/**", "path"),
    said("conversations", "conversations", &threads::CONVERSATION),
    said("conversations", "conversations/{conversation}", &threads::CHANGE),
    kept("conversations", TAKE, "conversations/{conversation}"),
    said("conversations", "conversations/{conversation}/items", &threads::CONVERSATION),
    kept("conversations", GET, "conversations/{conversation}/items"),
    kept("conversations", TAKE, "conversations/**"),
    keeps("conversations", "conversations/**", "path"),
    kept("stored", TAKE, "responses/{response}"),
    kept("stored", GET, "responses/{response}/input_items"),
    keeps("stored", "responses/{response}/cancel", "path"),
    kept("stored", GET, "chat/completions"),
    kept("stored", TAKE, "chat/completions/{completion}"),
    kept("stored", GET, "chat/completions/{completion}/messages"),
];
