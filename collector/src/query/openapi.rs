//! `GET /api/openapi.json`: the description of the addresses, written from the tables that read requests.
//!
//! A table of our own, for the parameters need one anyway: a generator would describe types beside it, and could differ.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::parameters::{EXCHANGES, LIVE, OVERVIEW, Parameter, RECORDS, VALUES};

/// An address.
struct Endpoint {
    path: &'static str,
    what: &'static str,
    parameters: &'static [Parameter],
    content: &'static [&'static str],
}

const ENDPOINTS: [Endpoint; 7] = [
    Endpoint {
        path: "/api/exchanges",
        what: "Exchanges that are searched for, newest first.",
        parameters: &EXCHANGES,
        content: &["application/json", "application/x-ndjson"],
    },
    Endpoint {
        path: "/api/exchanges/{id}",
        what: "All records of one exchange, in the order of their arrival.",
        parameters: &[],
        content: &["application/json"],
    },
    Endpoint {
        path: "/api/records",
        what: "All records in the order of their arrival, one a line, as `portcullis audit verify` reads them.",
        parameters: &RECORDS,
        content: &["application/x-ndjson"],
    },
    Endpoint {
        path: "/api/live",
        what: "Records as they come, as server-sent events: the id is the number of arrival, the data the record.",
        parameters: &LIVE,
        content: &["text/event-stream"],
    },
    Endpoint {
        path: "/api/overview",
        what: "A time in numbers: decisions, rules, entities, budgets, alarms. At most 100,000 exchanges are counted, the newest; `from` says since when. `read` is what the end records of at most 1000 of them say.",
        parameters: &OVERVIEW,
        content: &["application/json"],
    },
    Endpoint {
        path: "/api/values",
        what: "Values that exchanges can be searched by, for whoever begins to type one: at most 20.",
        parameters: &VALUES,
        content: &["application/json"],
    },
    Endpoint {
        path: "/api/openapi.json",
        what: "This description.",
        parameters: &[],
        content: &["application/json"],
    },
];

/// The description.
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], description().to_string()).into_response()
}

fn description() -> Value {
    let read =
        ENDPOINTS.iter().map(|endpoint| (endpoint.path.to_owned(), json!({ "get": operation(endpoint) })));
    let paths: Map<String, Value> = read.chain(crate::approvals::described()).collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "portcullis-collector", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let query = endpoint.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": "query", "required": false, "description": parameter.what,
            "schema": { "type": "string" },
        })
    });
    let path = endpoint.path.contains("{id}").then(|| {
        json!({ "name": "id", "in": "path", "required": true, "description": "`portcullis.exchange`",
            "schema": { "type": "string" } })
    });
    let content: Map<String, Value> =
        endpoint.content.iter().map(|media| ((*media).to_owned(), json!({}))).collect();
    let problem = |what: &str| json!({ "description": what, "content": { "application/problem+json": {} } });
    json!({
        "summary": endpoint.what,
        "parameters": path.into_iter().chain(query).collect::<Vec<_>>(),
        "responses": {
            "200": { "description": "Found", "content": content },
            "400": problem("A parameter cannot be read"),
            "401": problem("Nobody says who asks, or the token does not hold"),
            "403": problem("A role is missing"),
            "404": problem("Not there"),
            "503": problem("The store cannot be read, or the read not be recorded, now"),
        },
    })
}
