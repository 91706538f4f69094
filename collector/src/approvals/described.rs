//! The addresses of approvals, as `GET /api/openapi.json` describes them.

use serde_json::{Map, Value, json};

use super::people::PARAMETERS;

/// An address.
struct Address {
    path: &'static str,
    method: &'static str,
    what: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    /// Members of the body: name, what, whether it has to be there.
    body: Option<&'static [(&'static str, &'static str, bool)]>,
    /// Answers other than 200.
    failures: &'static [(&'static str, &'static str)],
    /// Media type of those.
    failure: &'static str,
}

const WAIT: [(&str, &str); 1] =
    [("wait", "Seconds, 0 to 60: the answer comes once the state is another than pending, or then.")];
const PROBLEM: &str = "application/problem+json";
const ERROR: &str = "application/json";
const VOTES: [(&str, &str); 5] = [
    ("400", "The body cannot be read, or a reason is missing"),
    ("403", "Not with these roles or groups, or one's own call"),
    ("404", "Not there"),
    ("409", "Decided already, or over, or voted already: `approval` says how it stands"),
    ("503", "Come again"),
];
const REASON: &[(&str, &str, bool)] = &[("reason", "Why, at most 1000 bytes.", true)];

const ADDRESSES: [Address; 8] = [
    Address {
        path: "/v1/approvals",
        method: "post",
        what: "The filter: the approval that answers for a call, or a new one. The protocol is in docs/approvals.md.",
        parameters: &[],
        body: Some(&[
            ("binding", "SHA-256 that names the call.", true),
            ("exchange", "The exchange that asks.", true),
            ("caller", "Who calls: `id` at least.", true),
            ("rules", "Rules that all must be satisfied: `rule`, `message`, `approvers`, `quorum`.", true),
            ("ttl", "Seconds that a new one lives.", true),
        ]),
        failures: &[("400", "Cannot be read"), ("413", "Too long"), ("503", "Come again")],
        failure: ERROR,
    },
    Address {
        path: "/v1/approvals/{id}",
        method: "get",
        what: "The filter: the state.",
        parameters: &WAIT,
        body: None,
        failures: &[("400", "Cannot be read"), ("404", "Not there"), ("503", "Come again")],
        failure: ERROR,
    },
    Address {
        path: "/v1/approvals/{id}/spend",
        method: "post",
        what: "The filter: lets one exchange through, once.",
        parameters: &[],
        body: Some(&[
            ("binding", "As it was opened.", true),
            ("exchange", "The exchange that is let through.", true),
        ]),
        failures: &[
            ("400", "Cannot be read"),
            ("404", "Not there"),
            ("409", "Not this exchange: how it stands"),
            ("503", "Come again"),
        ],
        failure: ERROR,
    },
    Address {
        path: "/api/approvals",
        method: "get",
        what: "Approvals, newest first.",
        parameters: &PARAMETERS,
        body: None,
        failures: &[("400", "A parameter cannot be read"), ("503", "Come again")],
        failure: PROBLEM,
    },
    Address {
        path: "/api/approvals/{id}",
        method: "get",
        what: "The whole of one: what is said too, masked.",
        parameters: &[],
        body: None,
        failures: &[("404", "Not there"), ("503", "Come again")],
        failure: PROBLEM,
    },
    Address {
        path: "/api/approvals/{id}/approve",
        method: "post",
        what: "A yes to every rule that asks a group of the caller.",
        parameters: &[],
        body: Some(&[("reason", "Why, at most 1000 bytes.", false)]),
        failures: &VOTES,
        failure: PROBLEM,
    },
    Address {
        path: "/api/approvals/{id}/deny",
        method: "post",
        what: "A no, which decides.",
        parameters: &[],
        body: Some(REASON),
        failures: &VOTES,
        failure: PROBLEM,
    },
    Address {
        path: "/api/approvals/{id}/break-glass",
        method: "post",
        what: "A yes to every rule at once, whoever else would have to say it. Recorded by itself.",
        parameters: &[],
        body: Some(REASON),
        failures: &VOTES,
        failure: PROBLEM,
    },
];

/// `paths` of the description.
pub fn described() -> Map<String, Value> {
    let described =
        |address: &Address| (address.path.to_owned(), json!({ address.method: operation(address) }));
    ADDRESSES.iter().map(described).collect()
}

fn operation(address: &Address) -> Value {
    let parameter = |name: &str, place: &str, what: &str| {
        json!({ "name": name, "in": place, "required": place == "path", "description": what,
            "schema": { "type": "string" } })
    };
    let path = address.path.contains("{id}").then(|| parameter("id", "path", "Of the approval"));
    let query = address.parameters.iter().map(|(name, what)| parameter(name, "query", what));
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "As it stands", "content": { ERROR: {} } }));
    for (status, what) in address.failures {
        let answer = json!({ "description": what, "content": { address.failure: {} } });
        responses.insert((*status).to_owned(), answer);
    }
    let mut operation = json!({
        "summary": address.what, "parameters": path.into_iter().chain(query).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let (Some(members), Some(operation)) = (address.body, operation.as_object_mut()) {
        let properties: Map<String, Value> = members
            .iter()
            .map(|(name, what, _)| ((*name).to_owned(), json!({ "description": what })))
            .collect();
        let required: Vec<&str> =
            members.iter().filter(|(_, _, must)| *must).map(|(name, _, _)| *name).collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}
