//! Google's Gemini API, as Google AI Studio and Vertex AI serve it.
//!
//! Source: <https://ai.google.dev/api/generate-content>, <https://google.aip.dev/193>. The clients show `error.code`,
//! which is the HTTP status, `error.status` and `error.message`; our own code is the reason of the details.

use serde_json::Value;

use super::refusal::{JSON, bytes, event, events, object, rpc_status};
use super::{Api, Body, Family, GET, Operation, POST, Root, Shape, Told, read, row};
use crate::protocol::answers;
use crate::protocol::gemini::request;

/// Gemini's API.
pub static GEMINI: Api = Api {
    name: "gemini",
    title: "Google Gemini, on AI Studio and Vertex AI",
    family: Family::Model,
    root: Root::Version,
    token_headers: &[("x-goog-api-key", ""), ("authorization", "Bearer ")],
    operations: OPERATIONS,
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: None,
        ending: events(|told| event(None, &body(told))),
        about: "`ClientError` and `ServerError`, with Google's name of the status",
    },
    answers: answers::GEMINI,
};

/// The rows of a path below which models stand.
macro_rules! models {
    ($at:literal, $name:literal) => {
        [
            read("chat", POST, concat!($at, "{", $name, "}:generateContent"), &request::GENERATE),
            read("chat", POST, concat!($at, "{", $name, "}:streamGenerateContent"), &request::STREAM),
            read("count_tokens", POST, concat!($at, "{", $name, "}:countTokens"), &request::COUNT),
            read("embedding", POST, concat!($at, "{", $name, "}:embedContent"), &request::EMBED),
            read("embedding", POST, concat!($at, "{", $name, "}:batchEmbedContents"), &request::EMBED_MANY),
            row("models", GET, concat!($at, "{", $name, "}"), Body::None),
        ]
    };
}

const STUDIO: [Operation; 6] = models!("models/", "model");
const TUNED: [Operation; 6] = models!("tunedModels/", "tuned");
const VERTEX: [Operation; 6] =
    models!("projects/{project}/locations/{location}/publishers/{publisher}/models/", "model");
const EXPRESS: [Operation; 6] = models!("publishers/{publisher}/models/", "model");

const OPERATIONS: &[Operation] = &{
    let [a, b, c, d, e, f] = STUDIO;
    let [g, h, i, j, k, l] = TUNED;
    let [m, n, o, p, q, r] = VERTEX;
    let [s, t, u, v, w, x] = EXPRESS;
    let list = row("models", GET, "models", Body::None);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, list]
};

fn body(told: &Told<'_>) -> Vec<u8> {
    let reason = object([
        ("@type", "type.googleapis.com/google.rpc.ErrorInfo".into()),
        ("reason", told.code.to_ascii_uppercase().into()),
        ("domain", "portcullis".into()),
    ]);
    let error = object([
        ("code", told.status.into()),
        ("message", told.message.into()),
        ("status", rpc_status(told.code).into()),
        ("details", Value::Array(vec![reason])),
    ]);
    bytes([("error", error)])
}
