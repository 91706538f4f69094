//! Approvals as a filter and as approvers ask for them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Answer, request};

/// The binding of a call, by a number.
pub fn binding(call: usize) -> String {
    format!("{call:064x}")
}

/// A question that anybody may answer.
pub fn question(call: usize, exchange: &str) -> Value {
    json!({
        "binding": binding(call), "exchange": exchange,
        "caller": { "id": "https://idp.example.com#alice", "issuer": "https://idp.example.com",
            "subject": "alice", "groups": ["rag-users"] },
        "connection": "llm", "policy": "llm", "revision": "0b5c2e1", "digest": "d1",
        "request": { "method": "POST", "path": "/v1/chat/completions", "operation": "chat", "model": "gpt-4o" },
        "rules": [{ "rule": "db-tools", "message": "Tools on databases need a yes.", "approvers": [], "quorum": 1 }],
        "prompt": { "text": "user: drop \u{0} table 'secret-prompt'", "cut": false },
        "entities": { "EMAIL_ADDRESS": 1 }, "flags": ["injection"],
        "ignored": { "/metadata/request_time": "2026-11-01T00:00:00Z" }, "ttl": 900
    })
}

pub fn post(address: SocketAddr, path: &str, body: &Value) -> std::io::Result<Answer> {
    let headers = [("content-type", "application/json")];
    request(address, "POST", path, &headers, body.to_string().as_bytes())
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"").unwrap()
}

/// Opens one; gives its id.
pub fn open(address: SocketAddr, question: &Value) -> String {
    let answer = post(address, "/v1/approvals", question).unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["id"].as_str().unwrap().to_owned()
}

pub fn vote(address: SocketAddr, id: &str, how: &str, body: &Value) -> Answer {
    post(address, &format!("/api/approvals/{id}/{how}"), body).unwrap()
}

pub fn approve(address: SocketAddr, id: &str) {
    let answer = vote(address, id, "approve", &json!({}));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

pub fn spend(address: SocketAddr, id: &str, call: usize, exchange: &str) -> std::io::Result<Answer> {
    let body = json!({ "binding": binding(call), "exchange": exchange });
    post(address, &format!("/v1/approvals/{id}/spend"), &body)
}
