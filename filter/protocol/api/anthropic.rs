//! Anthropic's API.
//!
//! Source: <https://docs.anthropic.com/en/api/errors> and the official Python and TypeScript clients, which choose the
//! class of an error by its status; in a stream an event named `error` raises.

use serde_json::Value;

use super::refusal::{JSON, bytes, event, events, object};
use super::{Api, Body, Family, GET, Operation, POST, Root, Shape, Told, read, row};
use crate::protocol::answers;
use crate::protocol::anthropic::{BATCHES, RESULTS, request};

/// Anthropic's API.
pub static ANTHROPIC: Api = Api {
    name: "anthropic",
    title: "Anthropic",
    family: Family::Model,
    root: Root::Host,
    token_headers: &[("x-api-key", ""), ("authorization", "Bearer ")],
    operations: &[
        read("chat", POST, "v1/messages", &request::MESSAGES),
        read("count_tokens", POST, "v1/messages/count_tokens", &request::COUNT),
        Operation {
            kept: true,
            answers: Some(&BATCHES),
            ..read("batches", POST, "v1/messages/batches", &request::BATCH)
        },
        kept(GET, "v1/messages/batches"),
        kept(TAKE, "v1/messages/batches/{batch}"),
        kept(POST, "v1/messages/batches/{batch}/cancel"),
        Operation {
            answers: Some(&RESULTS),
            lines: true,
            ..kept(GET, "v1/messages/batches/{batch}/results")
        },
        row("models", GET, "v1/models", Body::None),
        row("models", GET, "v1/models/{model}", Body::None),
    ],
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: events(|told| event(Some("error"), &body(told))),
        about: "`APIStatusError` and its kinds, by status",
    },
    answers: answers::ANTHROPIC,
};

const TAKE: &[&str] = &["GET", "DELETE"];

/// An operation on batches, which the provider keeps for whoever holds its key.
const fn kept(methods: &'static [&'static str], path: &'static str) -> Operation {
    Operation { kept: true, answers: Some(&BATCHES), ..row("batches", methods, path, Body::None) }
}

fn body(told: &Told<'_>) -> Vec<u8> {
    let error = object([
        ("type", kind(told.code).into()),
        ("message", told.message.into()),
        ("code", told.code.into()),
    ]);
    bytes([("type", "error".into()), ("error", error), ("request_id", Value::Null)])
}

/// Anthropic's name for the kind of error that `code` is.
fn kind(code: &str) -> &'static str {
    match code {
        "unauthenticated" => "authentication_error",
        "forbidden" | "policy_error" | "approval_denied" => "permission_error",
        "too_large" => "request_too_large",
        "invalid_request" | "uninspectable" | "approval_pending" => "invalid_request_error",
        "rate_limited" => "rate_limit_error",
        "guard_unavailable" => "overloaded_error",
        _ => "api_error",
    }
}
