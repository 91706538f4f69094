//! What callers, records and operators are told of budgets.

use super::*;
use crate::config::Problem;

fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let key = jwt_simple::prelude::Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    change(&mut set);
    let host = Memory::default();
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    Worker::start(&host, &bundle(&set, true)).map_or_else(told, |_| Vec::new())
}

#[test]
fn what_the_upstream_tells_of_its_own_rates_gives_way_to_ours() {
    let rig = rig(json!([{ "name": "calls", "key": "identity.id", "requests": 9, "per": "1m" }]));
    let mut exchange = rig.admitted(QUESTION);
    let own = [
        ("x-ratelimit-remaining-tokens", "5"),
        ("x-ratelimit-remaining-requests", "1"),
        ("retry-after", "7"),
    ];
    rig.answer(&mut exchange, "200", &[JSON[0], own[0], own[1], own[2]]);
    assert_eq!(rig.told("x-ratelimit-remaining-tokens"), None);
    assert_eq!(rig.told("x-ratelimit-remaining-requests").as_deref(), Some("8"));
    assert_eq!(rig.told("retry-after").as_deref(), Some("7"));
}

#[test]
fn the_record_tells_budgets_by_name() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(&mut exchange, "200", &answered(json!({ "prompt_tokens": 8, "completion_tokens": 4 })));
    rig.pass(2);
    rig.worker.tick(&rig.host);
    let calls = rig.host.calls.borrow();
    let text = String::from_utf8(calls.last().unwrap().1.body.clone()).unwrap();
    for part in
        [r#"\"portcullis.budget.reserved\":{\"mine\":101}"#, r#"\"portcullis.budget.used\":{\"mine\":12}"#]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_wrong_with_a_budget_is_told_at_its_place() {
    let told = |budget: Value| problems(|set| set["policies"][0]["budgets"] = json!([budget])).join("\n");
    for (budget, fault) in [
        (
            json!({ "name": "b", "key": "identity.idd", "requests": 1, "per": "1m" }),
            "policies[0].budgets[0].key: ",
        ),
        (
            json!({ "name": "b", "key": "prompt.text", "requests": 1, "per": "1m" }),
            "policies[0].budgets[0].key: ",
        ),
        (json!({ "name": "b", "key": "llm.n", "requests": 1, "per": "1m" }), "policies[0].budgets[0].key: "),
        (
            json!({ "name": "b", "key": "all", "tokens": 1, "per": "1m" }),
            "policies[0].budgets[0].name: counts tokens, and nothing bounds how many an answer may have",
        ),
        (
            json!({ "name": "b", "key": "prompt.text", "requests": 1, "per": "1m" }),
            "policies[0].budgets[0].key: `prompt.text` has no place in a budget's key",
        ),
        (
            json!({ "name": "b", "key": "size(identity.groups)", "requests": 1, "per": "1m" }),
            "policies[0].budgets[0].key: gives int, and a budget's key must give string",
        ),
    ] {
        let told = told(budget);
        assert!(told.starts_with(fault), "{told}");
    }
    let store = problems(|set| {
        set["connections"][1]["protocol"] = json!("qdrant");
        set["policies"][0]["rules"] = json!([{ "name": "seen", "flag": "true" }]);
        set["policies"][0]["budgets"] =
            json!([{ "name": "b", "key": "all", "tokens": 1, "per": "1m", "clamp": true }]);
    });
    assert!(store.iter().any(|told| told.contains("leads to no language model")), "{store:?}");
    let watching = problems(|set| {
        set["policies"][0]["mode"] = json!("monitor");
        let budget =
            json!({ "name": "b", "key": "all", "tokens": 1, "per": "1m", "clamp": true, "mode": "enforce" });
        set["policies"][0]["budgets"] = json!([budget]);
    });
    assert!(watching.iter().any(|told| told.contains("budgets[0].clamp: changes requests")), "{watching:?}");
}

#[test]
fn a_budget_that_acts_in_a_policy_that_watches_tells_what_is_left() {
    let budget = json!([{ "name": "calls", "key": "all", "requests": 9, "per": "1m", "mode": "enforce" }]);
    let rig = with(budget, |set| set["policies"][0]["mode"] = json!("monitor"));
    let mut exchange = rig.admitted(QUESTION);
    rig.answer(&mut exchange, "200", &[JSON[0], ("x-ratelimit-remaining-requests", "5000")]);
    assert_eq!(rig.told("x-ratelimit-remaining-requests").as_deref(), Some("8"));
    assert_eq!(rig.told("ratelimit").as_deref(), Some("\"calls\";r=8;t=7"));
}
