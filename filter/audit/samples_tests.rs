//! Records for tests and for the examples in the docs.

use super::captured::{Captured, Part, PartRecord, Pieces};
use super::otlp::Resource;
use super::queue::{Limits, Recorder};
use super::record::{Answered, Decision, EndRecord, Facts, Outcome, Record, StartRecord};
use super::trace::TraceParent;
use super::value::{Members, Path, Seconds, Tally, Text};

pub const START: u64 = 1_795_363_161_000_000_000;
pub const SECOND: u64 = 1_000_000_000;

pub fn resource() -> Resource {
    Resource {
        version: Text::from("0.1.0"),
        instance: Some(Text::from("gateway-1")),
        host: Some(Text::from("node-a")),
    }
}

pub fn recorder(limits: Limits) -> Recorder {
    Recorder::new(*b"\x5f\x0e\x8a\x11\x42\xc9\x4d\x7b\x90\x3a\x1c\xee\x27\x66\xb4\xd8", &resource(), limits)
}

fn text(text: &str) -> Option<Text> {
    Some(Text::from(text))
}

pub fn facts() -> Facts {
    let mut claims = Members::default();
    claims.insert("tenant", &serde_json::json!("acme"));
    claims.insert("level", &serde_json::json!(3));
    let mut conditions = Members::default();
    let condition = r#"prompt.text.matches("(?i)ignore previous instructions")"#;
    conditions.insert("injection", &serde_json::json!(condition));
    let mut prompt_entities = Tally::default();
    prompt_entities.add("EMAIL_ADDRESS", 1);
    let mut prompt_operators = Tally::default();
    prompt_operators.add("pseudonym", 1);
    let mut budget_reserved = Tally::default();
    budget_reserved.add("user-tokens", 630);
    Facts {
        budget_reserved,
        exchange: Text::from("018f3c1e6b7a4d21"),
        user_id: text("https://idp.example.com#alice"),
        subject: text("alice"),
        issuer: text("https://idp.example.com"),
        groups: ["engineering", "rag-users"].into_iter().collect(),
        client_address: text("10.1.2.3"),
        principal: text("spiffe://cluster.local/ns/apps/sa/assistant"),
        connection: text("chat"),
        policy: text("rag-chat"),
        mode: Some("enforce"),
        protocol: Some("openai"),
        method: text("POST"),
        path: Some(Path::of(b"/v1/chat/completions")),
        server_address: text("llm.example.com"),
        server_port: Some(8443.into()),
        request_bytes: Some(812.into()),
        operation: text("chat"),
        model: text("gpt-4o-mini"),
        stream: Some(true),
        messages: Some(2.into()),
        prompt_chars: Some(431.into()),
        tools: ["search_handbook"].into_iter().collect(),
        max_output_tokens: Some(512.into()),
        choices: Some(1.into()),
        images: Some(0.into()),
        decision: Some(Decision::Allow),
        flags: ["injection"].into_iter().collect(),
        conditions,
        prompt_entities,
        prompt_operators,
        claims,
        revision: text("3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345"),
        digest: text("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        policy_digest: text("sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"),
        version: text("0.1.0"),
        trace: TraceParent::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ..Facts::default()
    }
}

pub fn start() -> Record {
    let prompt = Pieces::new(vec![
        (1, "Who is ".into()),
        (2, "Answer briefly.".into()),
        (1, "<EMAIL_ADDRESS>?".into()),
    ]);
    let captured = Captured { capture: Some("masked"), prompt, ..Captured::default() };
    Record::Start(Box::new(StartRecord { facts: facts(), captured }))
}

pub fn part() -> Record {
    let response = Pieces::new(vec![(1, "She is in the handbook: ".into())]);
    let captured = Captured { capture: Some("masked"), response, ..Captured::default() };
    let (exchange, part) = (facts().exchange, Part { number: 1.into() });
    Record::Part(Box::new(PartRecord { exchange, part, captured }))
}

pub fn end() -> Record {
    ended(None)
}

/// The end of an exchange of so many parts.
pub fn ended(parts: Option<u64>) -> Record {
    let mut response_entities = Tally::default();
    response_entities.add("EMAIL_ADDRESS", 2);
    response_entities.add("CREDIT_CARD", 1);
    let mut response_operators = Tally::default();
    response_operators.add("replace", 2);
    response_operators.add("mask", 1);
    let mut budget_used = Tally::default();
    budget_used.add("user-tokens", 182);
    let answered = Answered {
        outcome: Some(Outcome::Complete),
        status: Some(200.into()),
        upstream_status: Some(200.into()),
        response_entities,
        response_operators,
        response_restored: Some(1.into()),
        response_bytes: Some(4096.into()),
        input_tokens: Some(118.into()),
        output_tokens: Some(64.into()),
        finish_reasons: ["stop"].into_iter().collect(),
        response_model: text("gpt-4o-mini-2024-07-18"),
        response_id: text("chatcmpl-123"),
        budget_used,
        budget_settled_by: Some("usage"),
        duration: Some(Seconds::from_nanos(1_204_500_000)),
        first_byte: Some(Seconds::from_nanos(180_250_000)),
    };
    let captured = Captured {
        capture: Some("masked"),
        response: Pieces::new(vec![(1, "ask <EMAIL_ADDRESS>.".into())]),
        parts: parts.map(Into::into),
        ..Captured::default()
    };
    Record::End(Box::new(EndRecord { facts: facts(), answered, captured }))
}

pub fn refusal() -> Record {
    let facts = Facts {
        exchange: Text::from("018f3c1e6b7a4d22"),
        client_address: text("10.1.2.9"),
        connection: text("chat"),
        decision: Some(Decision::Deny),
        reason: Some("unauthenticated"),
        method: text("POST"),
        path: Some(Path::of(b"/v1/chat/completions")),
        revision: text("3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345"),
        version: text("0.1.0"),
        ..Facts::default()
    };
    let answered =
        Answered { outcome: Some(Outcome::Refused), status: Some(401.into()), ..Answered::default() };
    Record::Refusal(Box::new(EndRecord { facts, answered, captured: Captured::default() }))
}

/// The log records of a batch.
pub fn log_records(batch: &[u8]) -> Vec<serde_json::Value> {
    let batch: serde_json::Value = serde_json::from_slice(batch).unwrap();
    batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone()
}

/// The bodies of a batch.
pub fn bodies(batch: &[u8]) -> Vec<String> {
    log_records(batch)
        .iter()
        .map(|record| record["body"]["stringValue"].as_str().unwrap().to_owned())
        .collect()
}
