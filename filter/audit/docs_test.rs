//! `docs/audit-record.md` shows what the code does: its tables and examples are made here and compared.
//!
//! To write them anew: `UPDATE_DOCS=1 cargo test`.

use super::captured::{Captured, Part};
use super::queue::Limits;
use super::record::{Anchor, Answered, DERIVED, Facts, Link, Summary};
use super::samples_tests::{self as samples, SECOND, START, bodies, log_records};
use super::value::Name;
use crate::pages;

fn table(title: &str, fields: &[(Name, Name)]) -> String {
    let rows = fields.iter().map(|(name, meaning)| format!("| `{name}` | {} |\n", meaning.trim()));
    format!("{title}:\n\n| name | meaning |\n|---|---|\n{}\n", rows.collect::<String>())
}

fn fields() -> String {
    [
        table("In every record", Link::FIELDS),
        table("Also there, or following from other fields", DERIVED),
        table("Start and end: who, what, decision", Facts::FIELDS),
        table("End: what came back", Answered::FIELDS),
        table("Start, part and end, where `audit.capture` asks for it", Captured::FIELDS),
        table("Part", Part::FIELDS),
        table("Summary", Summary::FIELDS),
        table("Anchor", Anchor::FIELDS),
    ]
    .concat()
}

/// One chain with every event in it, and a loss.
fn chain() -> Vec<u8> {
    let limits = Limits { refusal_records: 1, records: 2, ..Limits::default() };
    let mut recorder = samples::recorder(limits);
    recorder.record(START, &samples::start());
    recorder.record(START + SECOND / 2, &samples::part());
    recorder.record(START + SECOND, &samples::ended(Some(1)));
    recorder.record(START + 2 * SECOND, &samples::start());
    recorder.record(START + 2 * SECOND, &samples::refusal());
    recorder.record(START + 3 * SECOND, &samples::refusal());
    recorder.record(START + 4 * SECOND, &samples::refusal());
    recorder.close(START + 13 * SECOND);
    recorder.next_batch(START + 13 * SECOND).unwrap().body
}

#[test]
fn the_docs_show_what_the_code_does() {
    let chain = chain();
    let examples = bodies(&chain).join("\n");
    let first = serde_json::to_string_pretty(&log_records(&chain)[0]).unwrap();
    let parts = [
        ("fields", fields()),
        ("examples", format!("```json\n{examples}\n```\n")),
        ("otlp", format!("```json\n{first}\n```\n")),
    ];
    pages::keep("audit-record.md", &parts);
}

#[test]
fn a_batch_is_an_otlp_request() {
    let batch: serde_json::Value = serde_json::from_slice(&chain()).unwrap();
    let resource = &batch["resourceLogs"][0];
    let text = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    assert_eq!(
        resource["resource"]["attributes"],
        serde_json::json!([
            text("service.name", "portcullis"),
            text("service.version", "0.1.0"),
            text("service.instance.id", "gateway-1"),
            text("host.name", "node-a"),
        ])
    );
    assert_eq!(resource["schemaUrl"], super::otlp::SCHEMA_URL);
    assert_eq!(
        resource["scopeLogs"][0]["scope"],
        serde_json::json!({"name": "portcullis", "version": "0.1.0"})
    );
    let end = &resource["scopeLogs"][0]["logRecords"][2];
    assert_eq!(end["timeUnixNano"], "1795363162000000000");
    assert_eq!(end["observedTimeUnixNano"], "1795363162000000000");
    assert_eq!((&end["severityNumber"], &end["severityText"]), (&9.into(), &"INFO".into()));
    assert_eq!(end["eventName"], "portcullis.exchange.end");
    assert_eq!(end["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(end["spanId"], "00f067aa0ba902b7");
    assert_eq!(end["flags"], 1);
    let attribute = |key: &str| {
        let attributes = end["attributes"].as_array().unwrap();
        attributes.iter().find(|attribute| attribute["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(attribute("gen_ai.usage.input_tokens"), serde_json::json!({"intValue": "118"}));
    assert_eq!(attribute("gen_ai.request.stream"), serde_json::json!({"boolValue": true}));
    assert_eq!(attribute("portcullis.duration"), serde_json::json!({"doubleValue": 1.2045}));
    assert_eq!(
        attribute("portcullis.response.entities"),
        serde_json::json!({"arrayValue": {"values": [{"stringValue": "CREDIT_CARD"}, {"stringValue": "EMAIL_ADDRESS"}]}})
    );
}
