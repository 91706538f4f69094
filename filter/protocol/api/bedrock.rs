//! Amazon Bedrock's runtime API.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>. The SDKs read the kind of an
//! error from the header `x-amzn-errortype`, before they look into the body. Callers bring their token where the SDKs
//! put a Bedrock API key (`AWS_BEARER_TOKEN_BEDROCK`); signatures of requests (SigV4) are not made here.

use super::refusal::{Ending, JSON, bytes};
use super::{Api, Body, Family, GET, POST, Root, Shape, Told, read, row};
use crate::protocol::bedrock::request;
use crate::protocol::rewrite::BodyKind;
use crate::protocol::{answers, aws_frames};

/// Bedrock's API.
pub static BEDROCK: Api = Api {
    name: "bedrock",
    title: "Amazon Bedrock, with API keys",
    family: Family::Model,
    root: Root::Host,
    token_headers: &[("authorization", "Bearer ")],
    operations: &[
        read("chat", POST, "model/{model}/converse", &request::CONVERSE),
        read("chat", POST, "model/{model}/converse-stream", &request::CONVERSE_STREAM),
        read("invoke", POST, "model/{model}/invoke", &request::INVOKE),
        read("invoke", POST, "model/{model}/invoke-with-response-stream", &request::INVOKE_STREAM),
        read("count_tokens", POST, "model/{model}/count-tokens", &request::COUNT),
        row("models", GET, "foundation-models", Body::None),
        row("models", GET, "foundation-models/{model}", Body::None),
    ],
    asking_headers: &[],
    refusals: Shape {
        content_type: JSON,
        body,
        header: Some(("x-amzn-errortype", |told: &Told<'_>| kind(told.code))),
        ending: Some(Ending {
            framing: BodyKind::AwsFrames,
            event: |told| aws_frames::exception(told.message),
        }),
        about: "`ClientError` with the code that Bedrock would give, such as `AccessDeniedException`",
    },
    answers: answers::BEDROCK,
};

fn body(told: &Told<'_>) -> Vec<u8> {
    bytes([("message", told.message.into()), ("code", told.code.into())])
}

/// Bedrock's name for the kind of error that `code` is.
fn kind(code: &str) -> &'static str {
    match code {
        "unauthenticated" => "UnrecognizedClientException",
        "forbidden" | "policy_error" | "approval_denied" => "AccessDeniedException",
        "invalid_request" | "too_large" | "uninspectable" => "ValidationException",
        "rate_limited" => "ThrottlingException",
        "approval_pending" => "ConflictException",
        "guard_unavailable" => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}
