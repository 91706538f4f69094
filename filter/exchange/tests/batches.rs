//! Batches: each request of one is judged, bounded, masked and counted; results are masked when they are fetched.

use serde_json::{Value, json};

use super::records::delivered;
use super::*;
use crate::exchange::buckets;
use crate::policy::budget::Fingerprint;

const PATH: &str = "/v1/messages/batches";

/// Anthropic's API, whose references may be used, with this in the policy.
fn rig(change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        set["connections"][1]["protocol"] = json!("anthropic");
        set["connections"][1]["match"] = json!({ "path_prefix": "/v1" });
        set["policies"][0]["llm"] = json!({ "references": "allow" });
        set["policies"][0]["rules"] = json!([
            { "name": "models", "deny": "!(llm.model in [\"\", \"haiku\", \"sonnet\"])" },
            { "name": "secrets", "deny": "\"EMAIL_ADDRESS\" in prompt.entities && llm.model == \"haiku\"" },
        ]);
        change(&mut set["policies"][0]);
    })
}

fn asks(model: &str, said: &str, most: u64) -> Value {
    json!({ "model": model, "max_tokens": most, "messages": [{ "role": "user", "content": said }] })
}

fn batch(params: &[Value]) -> String {
    let item = |(at, params): (usize, &Value)| json!({ "custom_id": format!("r-{at}"), "params": params });
    json!({ "requests": params.iter().enumerate().map(item).collect::<Vec<_>>() }).to_string()
}

impl Rig {
    fn batched(&self, params: &[Value]) -> (Exchange, Flow) {
        let body = batch(params);
        let (bearer, length) = (format!("Bearer {}", self.token(&["rag-users"])), body.len().to_string());
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
        ];
        self.head("POST", PATH, &headers);
        self.host.answers.borrow_mut().clear();
        let mut exchange = Exchange::begin(Rc::clone(&self.worker), 7);
        exchange.request_head(&self.host, false);
        let answered = !self.host.answers.borrow().is_empty();
        let flow = if answered { Flow::Pause } else { self.send(&mut exchange, &body) };
        (exchange, flow)
    }

    fn went(&self) -> Value {
        serde_json::from_slice(&self.host.request_body.borrow()).unwrap()
    }
}

#[test]
fn one_request_that_a_rule_denies_keeps_the_whole_batch_out() {
    let rig = rig(|_| {});
    assert_eq!(rig.batched(&[asks("haiku", "a", 9), asks("sonnet", "b", 9)]).1, Flow::Continue);
    assert_eq!(rig.batched(&[asks("haiku", "a", 9), asks("opus", "b", 9)]).1, Flow::Pause);
    assert_eq!(rig.code(), "forbidden");
    assert_eq!(rig.batched(&[asks("opus", "a", 9), asks("haiku", "b", 9)]).1, Flow::Pause);
}

#[test]
fn what_is_found_in_one_request_is_not_taken_to_be_in_another() {
    let rig = rig(|_| {});
    assert_eq!(
        rig.batched(&[asks("haiku", "a", 9), asks("sonnet", "j.doe@corp.example", 9)]).1,
        Flow::Continue
    );
    assert_eq!(rig.batched(&[asks("sonnet", "a", 9), asks("haiku", "j.doe@corp.example", 9)]).1, Flow::Pause);
}

#[test]
fn a_batch_is_kept_by_the_provider_and_passes_only_where_references_do() {
    let rig = rig(|policy| {
        policy["llm"] = json!({ "references": "deny" });
    });
    assert_eq!(rig.batched(&[asks("haiku", "a", 9)]).1, Flow::Pause);
    assert_eq!(rig.code(), "uninspectable");
}

#[test]
fn every_prompt_of_a_batch_is_masked_and_bounded_on_its_way() {
    let rig = rig(|policy| {
        policy.as_object_mut().unwrap().remove("rules");
        policy["limits"] = json!({ "max_output_tokens": 50 });
        policy["mask"]["prompt"] = json!({ "entities": ["PII"] });
    });
    let (_, flow) =
        rig.batched(&[asks("haiku", "to a@corp.example", 9), asks("opus", "to b@corp.example", 99)]);
    assert_eq!(flow, Flow::Continue);
    let params = |at: usize| rig.went()["requests"][at]["params"].clone();
    assert_eq!(params(0), asks("haiku", "to <EMAIL_ADDRESS>", 9));
    assert_eq!(params(1), asks("opus", "to <EMAIL_ADDRESS>", 50));
}

#[test]
fn a_batch_sets_aside_what_all_its_requests_may_use_and_keeps_it() {
    let budget = |name: &str| json!([{ "name": "mine", "key": "identity.id", name: 1000, "per": "1m" }]);
    let left = |rig: &Rig| {
        let policy = rig.worker.guard.lanes[1].policy.as_ref().unwrap();
        let of = Fingerprint::of(&["p", "mine", &format!("{ISSUER}#alice")]);
        let rate = policy.budgets.first_rate();
        buckets::change(&rig.host, of, buckets::Tune::Kept(rate), |bucket| bucket.left()).unwrap()
    };
    let answered = r#"{"id":"b","type":"message_batch","processing_status":"in_progress"}"#;
    for (unit, used) in [("requests", 3), ("tokens", 300)] {
        let rig = rig(|policy| {
            policy["budgets"] = budget(unit);
            policy["limits"] = json!({ "max_output_tokens": 100 });
        });
        let three = [asks("haiku", "a", 400), asks("haiku", "b", 100), asks("haiku", "c", 100)];
        let (mut exchange, flow) = rig.batched(&three);
        assert_eq!(flow, Flow::Continue);
        let held = 1000 - left(&rig);
        assert!((used..used + 20).contains(&held), "{unit}: {held}");
        rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
        rig.piece(&mut exchange, answered, true);
        exchange.finish(&rig.host);
        assert_eq!(1000 - left(&rig), held, "{unit}: nobody knows yet what the answers come to");
        let (mut exchange, _) = rig.batched(&three);
        rig.answer(&mut exchange, "500", &[("content-type", "application/json")]);
        rig.piece(&mut exchange, r#"{"type":"error"}"#, true);
        exchange.finish(&rig.host);
        assert_eq!(1000 - left(&rig), held, "{unit}: what failed costs nothing");
    }
}

#[test]
fn a_batch_whose_requests_count_for_several_keys_is_refused() {
    let rig = rig(|policy| {
        policy["budgets"] = json!([{ "name": "mine", "key": "llm.model", "requests": 10, "per": "1m" }]);
    });
    assert_eq!(rig.batched(&[asks("haiku", "a", 9), asks("haiku", "b", 9)]).1, Flow::Continue);
    assert_eq!(rig.batched(&[asks("haiku", "a", 9), asks("sonnet", "b", 9)]).1, Flow::Pause);
    assert_eq!(rig.code(), "forbidden");
}

#[test]
fn the_record_of_a_batch_tells_how_many_requests_and_which_models() {
    let rig = rig(|_| {});
    rig.batched(&[asks("haiku", "a", 9), asks("sonnet", "bc", 70)]);
    let records = delivered(&rig);
    let start = records
        .iter()
        .find(|record| record["event.name"] == "portcullis.exchange.start")
        .unwrap_or_else(|| panic!("{records:?}"));
    assert_eq!(start["portcullis.llm.operation"], "batches");
    assert_eq!(start["portcullis.llm.requests"], 2);
    assert_eq!(start["portcullis.llm.models"], json!(["haiku", "sonnet"]));
    assert_eq!(start["gen_ai.request.model"], Value::Null);
    assert_eq!(
        (&start["portcullis.llm.prompt_chars"], &start["gen_ai.request.max_tokens"]),
        (&json!(3), &json!(70))
    );
}

#[test]
fn results_are_masked_line_by_line_whatever_vague_type_they_have() {
    for vague in ["application/x-jsonl", "application/octet-stream", "application/binary"] {
        let rig = rig(|_| {});
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        rig.head("GET", &format!("{PATH}/msgbatch_1/results"), &[("authorization", &bearer)]);
        let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
        assert_eq!(exchange.request_head(&rig.host, true), Flow::Continue);
        rig.answer(&mut exchange, "200", &[("content-type", vague)]);
        let line = |id: &str, text: &str| {
            let content = json!([{ "type": "text", "text": text }]);
            let message = json!({ "type": "message", "content": content });
            json!({ "custom_id": id, "result": { "type": "succeeded", "message": message } }).to_string()
                + "\n"
        };
        let came = line("a", "j.doe@corp.example") + &line("b", "fine");
        let went: String = [&came[..came.len() / 3], &came[came.len() / 3..]]
            .iter()
            .enumerate()
            .filter_map(|(at, piece)| rig.piece(&mut exchange, piece, at == 1))
            .collect();
        assert_eq!(went, line("a", "<EMAIL_ADDRESS>") + &line("b", "fine"), "{vague}");
    }
}
