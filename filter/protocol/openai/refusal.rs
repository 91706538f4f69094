//! Refusals in OpenAI's error shape, which its clients turn into their own typed errors.
//!
//! Source: <https://platform.openai.com/docs/guides/error-codes>. The clients choose the class by the status and show
//! `message`, `type` and `code`; in a stream any event with an `error` raises `APIError`.

use serde::Serialize;

/// Media type of [`error_body`].
pub const CONTENT_TYPE: &str = "application/json";

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

/// OpenAI's name for the kind of error that `code` is.
fn kind(code: &str) -> &'static str {
    match code {
        "unauthenticated" => "authentication_error",
        "forbidden" | "policy_error" | "approval_denied" => "permission_error",
        "rate_limited" => "rate_limit_error",
        "approval_pending" => "conflict_error",
        "invalid_request" | "too_large" | "uninspectable" => "invalid_request_error",
        _ => "server_error",
    }
}

/// The body of a refusal. `code` is one of the codes that the design names.
pub fn error_body(code: &str, message: &str) -> Vec<u8> {
    let error = Inner { message, r#type: kind(code), param: None, code };
    serde_json::to_vec(&Body { error }).unwrap_or_default()
}

/// The event that ends a stream which we break off. The stream ends with it: no `[DONE]` follows.
pub fn error_event(code: &str, message: &str) -> Vec<u8> {
    let mut event = b"data: ".to_vec();
    event.append(&mut error_body(code, message));
    event.extend_from_slice(b"\n\n");
    event
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_refusal_has_the_shape_that_the_clients_read() {
        let seen: Value = serde_json::from_slice(&error_body("forbidden", "rule \"models\"\n")).unwrap();
        let error = json!({"message": "rule \"models\"\n", "type": "permission_error", "param": null, "code": "forbidden"});
        assert_eq!(seen, json!({ "error": error }));
        for (code, kind) in [
            ("unauthenticated", "authentication_error"),
            ("invalid_request", "invalid_request_error"),
            ("rate_limited", "rate_limit_error"),
            ("guard_unavailable", "server_error"),
            ("upstream_unreadable", "server_error"),
        ] {
            let seen: Value = serde_json::from_slice(&error_body(code, "")).unwrap();
            assert_eq!(seen["error"]["type"], kind);
        }
    }

    #[test]
    fn the_event_of_a_broken_stream_is_one_line_of_data() {
        let event = String::from_utf8(error_event("upstream_unreadable", "a\n\nb")).unwrap();
        assert_eq!(event.lines().count(), 2);
        let data = event.strip_prefix("data: ").and_then(|e| e.strip_suffix("\n\n")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["error"]["message"], "a\n\nb");
    }
}
