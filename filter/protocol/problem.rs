//! Refusals where no provider's protocol is known: problem details (RFC 9457).

use serde::Serialize;

/// Media type of [`body`].
pub const CONTENT_TYPE: &str = "application/problem+json";

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

/// The body of a refusal. `code` is one of the codes that the design names; `title` is told from it.
pub fn body(status: u16, code: &str, message: &str) -> Vec<u8> {
    let title = code.replace('_', " ");
    let problem = Problem { r#type: "about:blank", title: &title, status, detail: message, code };
    serde_json::to_vec(&problem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_problem_names_status_code_and_detail() {
        let seen: Value = serde_json::from_slice(&body(403, "policy_error", "say \"no\"\n")).unwrap();
        let expected = json!({
            "type": "about:blank", "title": "policy error", "status": 403,
            "detail": "say \"no\"\n", "code": "policy_error",
        });
        assert_eq!(seen, expected);
    }
}
