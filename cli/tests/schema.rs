//! The schema that editors get says what `check` says, as far as a schema can.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::panic, reason = "a test may")]

mod support;

#[path = "../../filter/pages.rs"]
#[allow(dead_code, reason = "the filter's own tests use the rest")]
mod pages;

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};
use support::{directory, run, text};

fn schema() -> String {
    let output = run(Path::new("."), &["schema"]);
    assert!(output.status.success());
    text(&output.stdout)
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(&schema()).unwrap()).unwrap()
}

#[test]
fn the_schema_that_is_kept_is_the_one_that_is_printed() {
    pages::whole("policy-set.schema.json", &schema());
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::meta::is_valid(&serde_json::from_str(&schema()).unwrap()));
}

/// A set in which nearly every kind of value stands.
fn set() -> Value {
    json!({
        "version": 1,
        "mode": "enforce",
        "issuers": [{
            "name": "i", "issuer": "https://i.example", "audiences": ["a"],
            "jwks": { "cluster": "idp", "refresh": "10m" }, "groups_claim": ["a", "b"],
        }],
        "connections": [{
            "name": "c", "protocol": "openai", "policy": "p", "match": [{ "path_prefix": "/v1" }],
            "credential": { "header": "x-key", "value": "k" },
        }],
        "policies": [{
            "name": "p", "allow": "true",
            "rules": [{ "name": "r", "deny": "false", "message": "m" }],
            "limits": { "max_request_bytes": "1Mi", "max_output_tokens": 10 },
            "mask": { "response": {
                "entities": ["PII"], "overrides": { "CREDIT_CARD": { "operator": "mask", "keep_last": 4 } },
            } },
            "uninspected": { "default": "deny", "allow": ["audio"] },
        }],
        "audit": { "cluster": "audit", "headers": { "x-a": "b" }, "timeout": "5s" },
    })
}

fn checked(set: &Value) -> bool {
    let directory = directory(&[("set.yaml", &set.to_string())]);
    run(directory.path(), &["check"]).status.success()
}

#[test]
fn what_check_takes_the_schema_takes() {
    let set = set();
    assert!(checked(&set));
    let faults: Vec<String> = validator().iter_errors(&set).map(|error| error.to_string()).collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn what_the_schema_refuses_check_refuses() {
    let validator = validator();
    for (pointer, wrong) in [
        ("/mode", json!("enforced")),
        ("/version", json!(2)),
        ("/issuers/0/audiences", json!([])),
        ("/issuers/0/jwks/refresh", json!("10 minutes")),
        ("/issuers/0/jwks", json!({ "clutser": "idp" })),
        ("/connections/0/protocol", json!("openia")),
        ("/connections/0/match/0", json!({ "path": "/v1" })),
        ("/connections/0/credential", json!({ "header": "x" })),
        ("/policies/0/rules/0", json!({ "deny": "false" })),
        ("/policies/0/limits/max_request_bytes", json!(1)),
        ("/policies/0/limits/max_output_tokens", json!("10")),
        ("/policies/0/mask/response/overrides/CREDIT_CARD", json!({ "operator": "hide" })),
        ("/policies/0/uninspected", json!("pass")),
        ("/audit/headers/x-a", json!(["b"])),
    ] {
        let mut set = set();
        *set.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&set), "{pointer}");
        assert!(!checked(&set), "{pointer}");
    }
}
