//! Policy sets of several sizes.

use serde_json::{Value, json};

fn issuers() -> Value {
    json!([{ "name": "corp", "issuer": "https://idp.example.com", "audiences": ["rag"], "jwks": { "cluster": "idp" } }])
}

pub fn small() -> Value {
    json!({
        "version": 1,
        "issuers": issuers(),
        "connections": [{ "name": "chat", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/v1" },
            "credential": { "header": "authorization", "value": "Bearer ${env:KEY}" } }],
        "policies": [{ "name": "p", "allow": "\"rag-users\" in identity.groups",
            "mask": { "response": { "entities": ["PII", "SECRETS"] } } }],
    })
}

pub fn dictionary(words: usize) -> Value {
    let syllables = ["ka", "ber", "lin", "to", "mar", "sel", "vi", "no", "ra", "dun", "es", "the"];
    let name = |at: usize| {
        // Each number below 12 to the sixth once, in no order.
        let mut left = at * 1_234_577 % 2_985_984;
        let mut name = String::new();
        for part in 0..6 {
            name.push_str(syllables[left % 12]);
            left /= 12;
            name.push_str(if part == 2 { " " } else { "" });
        }
        name
    };
    let names: Vec<String> = (0..words).map(name).collect();
    let mut set = small();
    set["detectors"] = json!([{ "name": "CUSTOMER", "words": names, "ignore_case": true }]);
    set["policies"][0]["mask"]["response"]["entities"] = json!(["PII", "SECRETS", "CUSTOMER"]);
    set
}

/// 200 connections, 50 policies with 20 rules each.
pub fn large(own_keys: bool) -> Value {
    let connection = |at: usize| {
        let key = if own_keys { format!("KEY_{at}") } else { "KEY".to_owned() };
        json!({
            "name": format!("c{at}"), "protocol": "openai", "policy": format!("p{}", at % 50),
            "match": [
                { "authority": format!("team-{at}.llm.example.com"), "path_prefix": format!("/v1/team-{at}") },
                { "route": format!("route-{at}"), "method": "POST" },
            ],
            "credential": { "header": "authorization", "value": format!("Bearer ${{env:{key}}}") },
        })
    };
    let rule = |policy: usize, at: usize| {
        let name = format!("r{at}");
        let limit = 1000 + policy * 20 + at;
        match at % 5 {
            0 => {
                json!({ "name": name, "deny": format!("!(llm.model in [\"\", \"gpt-4o-mini\", \"gpt-4o-{policy}-{at}\"])") })
            }
            1 => {
                json!({ "name": name, "deny": format!("llm.prompt_chars > {limit}"), "message": "Prompts are limited." })
            }
            2 => {
                json!({ "name": name, "deny": format!("\"CREDIT_CARD\" in prompt.entities && !(\"g{limit}\" in identity.groups)") })
            }
            3 => {
                json!({ "name": name, "flag": format!("llm.tools.exists(t, t.startsWith(\"db_{limit}\")) || identity.claims.team == \"t{at}\"") })
            }
            _ => {
                json!({ "name": name, "flag": format!("prompt.text.matches(\"(?i)ignore (all|any|previous) .*instructions {limit}\")") })
            }
        }
    };
    let policy = |at: usize| {
        json!({
            "name": format!("p{at}"),
            "allow": format!("\"rag-users\" in identity.groups && identity.claims.tenant == \"t{at}\""),
            "rules": (0..20).map(|rule_at| rule(at, rule_at)).collect::<Vec<_>>(),
            "mask": { "response": { "entities": ["PII", "SECRETS"], "overrides": { "CREDIT_CARD": { "operator": "mask", "keep_last": 4 } } } },
        })
    };
    json!({
        "version": 1,
        "issuers": issuers(),
        "connections": (0..200).map(connection).collect::<Vec<_>>(),
        "policies": (0..50).map(policy).collect::<Vec<_>>(),
    })
}
