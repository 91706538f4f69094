//! An exchange that was recorded is judged again as it was.

use proptest::prelude::*;

use super::records::delivered;
use super::*;
use crate::exchange::guard::Guard;
use crate::exchange::replay::{Could, Objection, Recorded, Replay, replay};
use crate::host::Reply;

/// A set and its compiled form.
fn compiled(set: &Value) -> (Bundle, Guard) {
    let (bundle, _) = Bundle::parse(&bundle(set, true)).unwrap();
    let guard = Guard::compile(&bundle, None).unwrap();
    (bundle, guard)
}

/// What the rig's policy says of a request, as the record of its end tells it.
fn recorded(rig: &Rig, groups: &[&str], body: &str) -> Value {
    let mut exchange = rig.ask(groups);
    exchange.request_head(&rig.host, false);
    if rig.host.answers.borrow().is_empty() {
        rig.send(&mut exchange, body);
    }
    exchange.finish(&rig.host);
    let mut records = delivered(rig);
    records.retain(|record| record["event.name"] == "portcullis.exchange.end");
    records.pop().unwrap()
}

fn judged(record: &Value, change: impl FnOnce(&mut Value)) -> Replay {
    let mut set = set(&Ed25519KeyPair::generate().with_key_id("k1"));
    change(&mut set);
    let (bundle, guard) = compiled(&set);
    replay(&bundle.set, &guard, &Recorded::of(record.as_object().unwrap().clone()))
}

/// Conditions whose facts a record tells.
fn tellable(set: &mut Value) {
    set["policies"][0]["rules"] = json!([
        { "name": "models", "deny": "!(llm.model in [\"\", \"gpt-4o\"])" },
        { "name": "long", "deny": "llm.prompt_chars > 40" },
        { "name": "tools", "deny": "llm.tools.exists(t, t.startsWith(\"db_\"))", "mode": "monitor" },
        { "name": "short", "approve": "llm.prompt_chars < 4" },
        { "name": "shortish", "approve": "llm.prompt_chars < 8", "mode": "monitor" },
        { "name": "ratio", "approve": "100 / (llm.prompt_chars - 10) > 1000000", "mode": "monitor" },
        { "name": "named", "deny": "llm.max_output_tokens == 7", "message": "${identity.claims.absent}" },
        { "name": "many", "flag": "llm.messages > 1" },
        { "name": "streams", "flag": "llm.stream" },
        { "name": "bounded", "flag": "llm.max_output_tokens > 100" }
    ]);
    set["policies"][0]["limits"] = json!({ "max_request_bytes": 1200 });
}

fn requests() -> impl Strategy<Value = Value> {
    let message = ("(user|system)", "[a-z ]{0,30}");
    let messages = proptest::collection::vec(message, 1..3);
    let options = (any::<bool>(), proptest::option::of(1..200_u32), "(db_|web_)[a-z]{1,5}", 0..1500_usize);
    let kept = (any::<bool>(), any::<bool>());
    let parts = ("(gpt-4o|gpt-5)", messages, options, kept);
    parts.prop_map(|(model, messages, (stream, most, tool, padding), (refers, stored))| {
        let messages: Vec<Value> =
            messages.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect();
        let tools = json!([{ "type": "function", "function": { "name": tool } }]);
        let mut body = json!({ "model": model, "messages": messages, "stream": stream, "tools": tools });
        if let Some(most) = most {
            body["max_tokens"] = json!(most);
        }
        body["user"] = json!("x".repeat(padding));
        if refers {
            let file = json!([{ "type": "file", "file": { "file_id": "file-1" } }]);
            body["messages"].as_array_mut().unwrap().push(json!({ "role": "user", "content": file }));
        }
        if stored {
            body["store"] = json!(true);
        }
        body
    })
}

/// What a policy may say of references.
const REFERENCES: [&str; 3] = ["allow", "deny", "unsaid"];

/// A rig with its set, compiled for judging again: dear to make, so all requests of a law share it.
struct Court {
    rig: Rig,
    bundle: Bundle,
    guard: Guard,
}

impl Court {
    fn new(monitor: bool, references: &str) -> Self {
        let change = |set: &mut Value| {
            tellable(set);
            if references != "unsaid" {
                set["policies"][0]["llm"] = json!({ "references": references });
            }
            set["mode"] = json!(if monitor { "monitor" } else { "enforce" });
        };
        let rig = Rig::with(change);
        let mut set = set(&rig.key);
        change(&mut set);
        let (bundle, guard) = compiled(&set);
        Self { rig, bundle, guard }
    }

    fn record(&self, body: &Value, group: &str) -> Value {
        self.rig.host.answers.borrow_mut().clear();
        let record = recorded(&self.rig, &[group], &body.to_string());
        // The collector takes the batch, so that the next may come.
        let call = self.rig.host.calls.borrow().last().map(|(id, _)| *id).unwrap();
        let reply = Reply::Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() };
        self.rig.worker.reply(&self.rig.host, call, &reply);
        record
    }

    fn judge(&self, record: &Value) -> Replay {
        replay(&self.bundle.set, &self.guard, &Recorded::of(record.as_object().unwrap().clone()))
    }

    fn decides_the_same(&self, body: &Value, group: &str) -> Result<(), TestCaseError> {
        let record = self.record(body, group);
        let replay = self.judge(&record);
        let refused = record["portcullis.decision"] != "allow";
        prop_assert_eq!(replay.refused.is_some(), refused, "{:?} {}", replay, record);
        let told = |objection: &Option<Objection>| objection.clone().map(|it| (it.reason, it.rule));
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let wanted = |reason: &str, rule: &str| record.get(reason).map(|_| (text(reason), text(rule)));
        prop_assert_eq!(told(&replay.refused), wanted("portcullis.reason", "portcullis.rule"));
        prop_assert_eq!(told(&replay.would), wanted("portcullis.would_reason", "portcullis.would_rule"));
        if !refused {
            prop_assert_eq!(
                record.get("portcullis.flags").cloned().unwrap_or(json!([])),
                json!(replay.flags)
            );
        }
        Ok(())
    }
}

#[test]
fn the_same_set_decides_the_same() {
    let courts: Vec<Court> =
        [false, true].iter().flat_map(|monitor| REFERENCES.map(|of| Court::new(*monitor, of))).collect();
    let mut runner = proptest::test_runner::TestRunner::default();
    let cases = (requests(), any::<bool>(), 0..courts.len());
    let law = |(body, member, court): (Value, bool, usize)| {
        courts[court].decides_the_same(&body, if member { "rag-users" } else { "others" })
    };
    runner.run(&cases, law).unwrap();
}

/// Each set judges what another recorded.
#[test]
fn what_the_provider_keeps_is_judged_by_the_set_that_judges() {
    let asks = |store: bool, file: bool| {
        let mut parts = vec![json!({ "type": "text", "text": "Hello there" })];
        if file {
            parts.push(json!({ "type": "file", "file": { "file_id": "f" } }));
        }
        json!({ "model": "gpt-4o", "store": store, "messages": [{ "role": "user", "content": parts }] })
    };
    let courts = REFERENCES.map(|references| (references, Court::new(false, references)));
    for (of, court) in &courts {
        for (store, file) in [(false, false), (false, true), (true, false), (true, true)] {
            let record = court.record(&asks(store, file), "rag-users");
            for (by, judge) in &courts {
                let refused = judge.judge(&record).refused.is_some();
                let wanted = match *by {
                    "allow" => false,
                    "deny" => file,
                    _ => file || store,
                };
                assert_eq!(refused, wanted, "recorded by {of}, judged by {by}: store {store}, file {file}");
            }
        }
    }
}

#[test]
fn an_approval_that_fails_for_one_part_comes_before_a_denial_of_the_next() {
    let record = json!({
        "http.request.method": "POST", "url.path": "/v1/chat", "portcullis.connection": "chat",
        "portcullis.identity.issuer": ISSUER, "portcullis.identity.groups": ["rag-users"],
        "portcullis.vector.collections": ["a", "b"], "time": "2026-01-01T00:00:00Z"
    });
    let replay = judged(&record, |set| {
        set["connections"][1]["protocol"] = json!("qdrant");
        set["policies"][0]["rules"] = json!([
            { "name": "second", "deny": "vector.collection == \"b\"" },
            { "name": "first", "approve": "1 / (vector.collection == \"a\" ? 0 : 1) > 5" }
        ]);
    });
    assert_eq!(
        replay.refused.map(|it| (it.reason, it.rule)),
        Some(("policy_error".to_owned(), "first".to_owned()))
    );
}

#[test]
fn what_no_record_tells_is_unsure_and_never_guessed() {
    let record = recorded(&Rig::new(), &["rag-users"], QUESTION);
    let replay = judged(&record, |set| {
        set["policies"][0]["rules"] = json!([
            { "name": "text", "deny": "prompt.text.contains(\"x\")" },
            { "name": "decided", "deny": "llm.model == \"other\" && prompt.text.contains(\"x\")" },
            { "name": "header", "flag": "has(request.headers.beta)" }
        ]);
    });
    assert_eq!(replay.refused, None);
    let unsure: Vec<_> = replay.unsure.iter().map(|unsure| (unsure.rule.as_str(), unsure.could)).collect();
    assert_eq!(unsure, [("text", Could::Refuse), ("header", Could::Flag)]);
    assert_eq!(replay.unsure[0].needs, ["prompt.text"]);
}

#[test]
fn a_request_whose_body_was_never_read_leaves_rules_on_it_unsure() {
    let record = recorded(&Rig::new(), &["others"], QUESTION);
    let replay = judged(&record, |set| set["policies"][0]["allow"] = json!("true"));
    assert_eq!(replay.refused, None);
    assert_eq!(replay.unsure[0].rule, "models");
}

#[test]
fn another_set_decides_otherwise() {
    let record = recorded(&Rig::new(), &["rag-users"], QUESTION);
    let reason = |replay: Replay| replay.refused.map(|it| (it.reason, it.rule));
    let named = |reason: &str, rule: &str| Some((reason.to_owned(), rule.to_owned()));
    let with = |change: fn(&mut Value)| reason(judged(&record, change));
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|set| set["policies"][0]["allow"] = json!("false")), named("forbidden", ""));
    assert_eq!(
        with(|set| set["policies"][0]["allow"] = json!("identity.claims.tenant == \"a\"")),
        None,
        "claims are told only where a rule read them"
    );
    assert_eq!(
        with(|set| set["connections"][1]["match"]["path_prefix"] = json!("/v2")),
        named("forbidden", "")
    );
    assert_eq!(
        with(|set| set["issuers"][0]["issuer"] = json!("https://other.example")),
        named("unauthenticated", "")
    );
    assert_eq!(
        with(|set| set["policies"][0]["llm"] = json!({ "operations": ["embedding"] })),
        named("forbidden", "")
    );
    assert_eq!(
        with(|set| set["policies"][0]["rules"] = json!([{ "name": "r", "deny": "llm.messages == 1" }])),
        named("forbidden", "r")
    );
}

#[test]
fn bounds_and_masks_that_would_act_are_told() {
    let rig = Rig::with(|set| {
        set["policies"][0]["rules"] =
            json!([{ "name": "mail", "flag": "\"EMAIL_ADDRESS\" in prompt.entities" }])
    });
    let record = recorded(&rig, &["rag-users"], &QUESTION.replace("Hello", "a@example.com"));
    let replay = judged(&record, |set| set["policies"][0]["limits"] = json!({ "max_output_tokens": 100 }));
    assert_eq!(
        (&replay.refused, &replay.bounded[..]),
        (&None, &["max_output_tokens"][..]),
        "{record} {replay:?}"
    );
    assert_eq!(replay.passed, [("prompt", "EMAIL_ADDRESS".to_owned(), 1)]);
    let masked = |operator: &str| {
        judged(&record, |set| {
            set["policies"][0]["mask"]["prompt"] = json!({ "entities": ["PII"], "operator": operator })
        })
    };
    assert_eq!(masked("replace").passed, []);
    assert_eq!(masked("flag").passed.len(), 1);
    assert_eq!(masked("block").refused.unwrap().reason, "forbidden");
}
