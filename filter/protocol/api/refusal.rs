//! Refusals in a protocol's own shape, which its SDKs turn into their own typed errors.

use serde_json::{Map, Value};

use crate::protocol::rewrite::BodyKind;

/// What a caller is told, before it takes a shape.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// One of the codes that the design names.
    pub code: &'a str,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// For people; never holds what was found in a text.
    pub message: &'a str,
}

/// The word for a refusal in an API's own header.
pub type Word = fn(&Told<'_>) -> &'static str;

/// The end of a broken stream.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// The framing of the API's streams.
    pub framing: BodyKind,
    /// The event that says what happened, in that framing.
    pub event: fn(&Told<'_>) -> Vec<u8>,
}

/// One in server-sent events.
pub(super) const fn events(event: fn(&Told<'_>) -> Vec<u8>) -> Option<Ending> {
    Some(Ending { framing: BodyKind::EventStream, event })
}

/// The shape of an API's refusals.
#[derive(Debug)]
pub struct Shape {
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: fn(&Told<'_>) -> Vec<u8>,
    /// A header that goes with it: its name, and its value.
    pub header: Option<(&'static str, Word)>,
    /// What ends a stream that we break off; `None`: the API has no streams in which that could be said.
    pub ending: Option<Ending>,
    /// What the SDKs make of it, for the documentation.
    pub about: &'static str,
}

pub(super) const JSON: &str = "application/json";

/// An object of these entries, as bytes.
pub(super) fn bytes<const N: usize>(entries: [(&str, Value); N]) -> Vec<u8> {
    serde_json::to_vec(&object(entries)).unwrap_or_default()
}

pub(super) fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    // Collected, each number of entries would be sorted by code of its own.
    let mut object = Map::new();
    for (key, value) in entries {
        object.insert(key.to_owned(), value);
    }
    Value::Object(object)
}

/// An event with one line of data; `name`: its `event` field.
pub(super) fn event(name: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(data.len().saturating_add(32));
    if let Some(name) = name {
        for part in ["event: ", name, "\n"] {
            event.extend_from_slice(part.as_bytes());
        }
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event
}

/// The name of a status as Google's APIs have it (`google/rpc/code.proto`).
pub(super) fn rpc_status(code: &str) -> &'static str {
    match code {
        "unauthenticated" => "UNAUTHENTICATED",
        "forbidden" | "policy_error" | "approval_denied" => "PERMISSION_DENIED",
        "invalid_request" | "too_large" | "uninspectable" => "INVALID_ARGUMENT",
        "rate_limited" => "RESOURCE_EXHAUSTED",
        "approval_pending" => "ABORTED",
        "guard_unavailable" => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}
