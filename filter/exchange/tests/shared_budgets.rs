//! Budgets that a service counts: who waits, who is let in, what is given back, and what happens where it does not answer.

use super::*;
use crate::host::{CallError, CallId, Reply};
use crate::policy::budget::service::StandIn;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const BUDGETS: &str = r#"[
    { "name": "calls", "key": "identity.id", "requests": 2, "per": "1m", "scope": "global" },
    { "name": "words", "key": "all", "tokens": 1000, "per": "1h", "scope": "global" },
    { "name": "here", "key": "identity.id", "requests": 5, "per": "1h" }
]"#;

/// A rig beside a service that counts.
struct Fleet {
    rig: Rig,
    service: StandIn,
    seen: usize,
}

fn fleet(service: Value, change: impl FnOnce(&mut Value)) -> Fleet {
    let rig = Rig::with(|set| {
        let policy = &mut set["policies"][0];
        policy["budgets"] = serde_json::from_str(BUDGETS).unwrap();
        policy["limits"] = json!({ "max_output_tokens": 100 });
        policy.as_object_mut().unwrap().remove("mask");
        set["rate_limit_service"] = json!({ "cluster": "rates", "refunds": true });
        for (name, value) in service.as_object().unwrap() {
            set["rate_limit_service"][name] = value.clone();
        }
        change(set);
    });
    Fleet { rig, service: StandIn::default(), seen: 0 }
}

fn usual() -> Fleet {
    fleet(json!({}), |_| {})
}

fn granted(body: Vec<u8>) -> Reply {
    Reply::Answer { status: 200, headers: vec![header("grpc-status", "0")], body }
}

impl Fleet {
    /// Calls to the service since the last look.
    fn calls(&mut self) -> Vec<(CallId, Vec<u8>)> {
        let calls = self.rig.host.calls.borrow();
        let new = calls.iter().skip(self.seen).filter(|(_, call)| call.cluster == "rates");
        let new = new.map(|(id, call)| (*id, call.body.clone())).collect();
        self.seen = calls.len();
        new
    }

    fn now(&self) -> u64 {
        self.rig.host.now.get()
    }

    fn asked(&self) -> Exchange {
        self.rig.host.answers.borrow_mut().clear();
        self.rig.host.resumed.borrow_mut().clear();
        let mut exchange = self.rig.ask(&["rag-users"]);
        exchange.request_head(&self.rig.host, false);
        assert_eq!(self.rig.send(&mut exchange, QUESTION), Flow::Pause, "it waits");
        exchange
    }

    /// The service answers what it was asked.
    fn answer(&mut self, exchange: &mut Exchange) {
        for (id, body) in self.calls() {
            let now = self.now();
            let said = self.service.answer(&body, now).expect("a call of ours");
            exchange.reply(&self.rig.host, id, &granted(said));
        }
    }

    /// The same answer to every call.
    fn says(&mut self, exchange: &mut Exchange, reply: &Reply) {
        for (id, _) in self.calls() {
            exchange.reply(&self.rig.host, id, reply);
        }
    }

    /// What is owed is sent and counted.
    fn turn(&mut self) -> usize {
        self.rig.worker.tick(&self.rig.host);
        let calls = self.calls();
        for (id, body) in &calls {
            let now = self.now();
            let said = self.service.answer(body, now).expect("a call of ours");
            self.rig.worker.reply(&self.rig.host, *id, &granted(said));
        }
        calls.len()
    }

    fn went(&self) -> bool {
        self.rig.host.resumed.borrow().contains(&Side::Request)
    }

    fn settle(&self, exchange: &mut Exchange, usage: &Value) {
        self.rig.answer(exchange, "200", &JSON);
        let body = json!({ "choices": [{ "index": 0, "message": { "content": "hi" } }], "usage": usage });
        self.rig.piece(exchange, &body.to_string(), true);
        exchange.finish(&self.rig.host);
    }

    fn local_left(&self) -> String {
        self.rig
            .host
            .counts
            .borrow()
            .get("portcullis_budgets_total{policy=p,budget=here,outcome=admitted}")
            .copied()
            .unwrap_or(0)
            .to_string()
    }
}

#[test]
fn a_request_waits_for_the_service_and_goes_on_where_it_says_yes() {
    let mut fleet = usual();
    let mut exchange = fleet.asked();
    let calls = fleet.calls();
    assert_eq!(calls.len(), 2, "each of the global budgets is asked about, at once");
    for (at, (id, body)) in calls.iter().enumerate() {
        assert!(!fleet.went(), "not before all have answered: {at}");
        let said = fleet.service.answer(body, fleet.now()).unwrap();
        exchange.reply(&fleet.rig.host, *id, &granted(said));
    }
    assert!(fleet.went());
    assert_eq!(fleet.rig.sent("authorization").unwrap(), format!("Bearer {CREDENTIAL}"));
    fleet.rig.answer(&mut exchange, "200", &JSON);
    let told = fleet.rig.host.header(Side::Response, "ratelimit").unwrap();
    assert!(told.contains("\"calls\";r=1;t=") && told.contains("\"here\";r=4;t="), "{told}");
}

#[test]
fn a_question_names_the_policy_the_budget_and_the_key_last() {
    let mut fleet = usual();
    let _waits = fleet.asked();
    let calls = fleet.rig.host.calls.borrow();
    let (_, call) = calls.iter().find(|(_, call)| call.cluster == "rates").unwrap();
    let text = String::from_utf8_lossy(&call.body);
    let places: Vec<usize> = ["portcullis", "policy", "budget", "calls", "key", "#alice"]
        .iter()
        .map(|word| text.find(word).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let header =
        |name: &str| call.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header(":path"), Some("/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"));
    assert_eq!((header("content-type"), header("te")), (Some("application/grpc"), Some("trailers")));
    assert_eq!(call.timeout, std::time::Duration::from_millis(500));
    drop(calls);
    assert_eq!(fleet.calls().len(), 2);
}

#[test]
fn what_is_used_takes_the_place_of_what_was_set_aside() {
    let mut fleet = usual();
    let mut exchange = fleet.asked();
    fleet.answer(&mut exchange);
    let prompt = exchange.inquiry.prompt_tokens().unwrap();
    assert_eq!(fleet.service.total(), 1 + prompt + 100);
    fleet.settle(&mut exchange, &json!({ "prompt_tokens": 3, "completion_tokens": 4 }));
    assert_eq!(fleet.turn(), 1, "what was not used is given back");
    assert_eq!(fleet.service.total(), 1 + 7);
    let mut more = fleet.asked();
    fleet.answer(&mut more);
    fleet.settle(&mut more, &json!({ "prompt_tokens": 3, "completion_tokens": 400 }));
    fleet.turn();
    assert_eq!(fleet.service.total(), 2 + 7 + 403, "what was used beyond it is charged");
}

#[test]
fn a_service_that_takes_nothing_back_is_never_asked_to() {
    let mut fleet = fleet(json!({ "refunds": false }), |_| {});
    let mut exchange = fleet.asked();
    fleet.answer(&mut exchange);
    let before = fleet.service.total();
    fleet.settle(&mut exchange, &json!({ "prompt_tokens": 3, "completion_tokens": 4 }));
    assert_eq!((fleet.turn(), fleet.service.total()), (0, before));
}

#[test]
fn nothing_is_given_back_to_a_window_that_it_was_not_taken_from() {
    let mut fleet = usual();
    let mut exchange = fleet.asked();
    fleet.answer(&mut exchange);
    fleet.settle(&mut exchange, &json!({ "prompt_tokens": 3, "completion_tokens": 4 }));
    fleet.rig.pass(3600);
    assert_eq!(fleet.turn(), 0);
}

#[test]
fn one_budget_that_refuses_gives_back_what_others_took() {
    let mut fleet = usual();
    for _ in 0..2 {
        let mut exchange = fleet.asked();
        fleet.answer(&mut exchange);
        fleet.settle(&mut exchange, &json!({ "prompt_tokens": 1, "completion_tokens": 1 }));
        fleet.turn();
    }
    let before = fleet.service.total();
    let mut third = fleet.asked();
    fleet.answer(&mut third);
    assert!(!fleet.went());
    assert_eq!(fleet.rig.code(), "rate_limited");
    let refusal = fleet.rig.refusal();
    let told = |name: &str| {
        refusal
            .headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    };
    assert!((1..=60).contains(&told("retry-after").unwrap().parse::<u64>().unwrap()));
    assert!(told("ratelimit").unwrap().contains("\"calls\";r=0"));
    third.finish(&fleet.rig.host);
    fleet.turn();
    assert_eq!(
        fleet.service.total(),
        before + 1,
        "the tokens are back; the request that was too many stays counted"
    );
    assert_eq!(fleet.local_left(), "3");
    let mut exchange = fleet.asked();
    fleet.answer(&mut exchange);
    fleet.rig.pass(60);
    let mut fourth = fleet.asked();
    fleet.answer(&mut fourth);
    assert!(fleet.went(), "the bucket of this proxy had its part back, twice");
}

#[test]
fn a_request_that_needs_more_than_there_ever_is_asks_nobody() {
    let mut fleet = fleet(json!({}), |set| set["policies"][0]["budgets"][1]["tokens"] = json!(50));
    let mut exchange = fleet.rig.ask(&["rag-users"]);
    exchange.request_head(&fleet.rig.host, false);
    fleet.rig.send(&mut exchange, QUESTION);
    assert_eq!(fleet.rig.code(), "rate_limited");
    assert!(fleet.calls().is_empty());
}

#[test]
fn where_the_service_says_nothing_to_hold_to_the_set_says_what_happens() {
    let lies = [
        Reply::Broken,
        Reply::Answer { status: 503, headers: Vec::new(), body: Vec::new() },
        Reply::Answer {
            status: 200,
            headers: vec![header("grpc-status", "14")],
            body: StandIn::verdict(false),
        },
        Reply::Answer { status: 200, headers: Vec::new(), body: StandIn::verdict(false) },
        granted(b"OK".to_vec()),
        granted(Vec::new()),
        granted([StandIn::verdict(false), StandIn::verdict(false)].concat()),
    ];
    for lie in &lies {
        for (way, went) in [("deny", false), ("allow", true), ("local", true)] {
            let mut fleet = fleet(json!({ "on_failure": way }), |_| {});
            let mut exchange = fleet.asked();
            fleet.says(&mut exchange, lie);
            assert_eq!(fleet.went(), went, "{way}: {lie:?}");
            if !went {
                assert_eq!(fleet.rig.code(), "guard_unavailable", "{lie:?}");
            }
            let counts = fleet.rig.host.counts.borrow();
            assert_eq!(counts["portcullis_errors_total{kind=rate_limit_service}"], 2, "{way}: {lie:?}");
        }
    }
}

#[test]
fn a_service_that_cannot_be_called_holds_nobody() {
    for (error, way, flow) in [
        (CallError::UnknownCluster, "deny", Flow::Pause),
        (CallError::Unavailable, "allow", Flow::Continue),
        (CallError::Unavailable, "local", Flow::Continue),
    ] {
        let fleet = fleet(json!({ "on_failure": way }), |_| {});
        fleet.rig.host.refuse_calls.set(Some(error));
        let mut exchange = fleet.rig.ask(&["rag-users"]);
        exchange.request_head(&fleet.rig.host, false);
        assert_eq!(fleet.rig.send(&mut exchange, QUESTION), flow, "{way}");
        assert_eq!(fleet.rig.host.answers.borrow().len(), usize::from(way == "deny"));
    }
}

#[test]
fn counted_by_itself_a_proxy_holds_callers_to_the_same_numbers() {
    let mut fleet = fleet(json!({ "on_failure": "local" }), |_| {});
    let mut went = Vec::new();
    for _ in 0..3 {
        let mut exchange = fleet.asked();
        fleet.says(&mut exchange, &Reply::Broken);
        went.push(fleet.went());
        if fleet.went() {
            fleet.settle(&mut exchange, &json!({ "prompt_tokens": 1, "completion_tokens": 1 }));
        }
    }
    assert_eq!(went, [true, true, false]);
    assert_eq!(fleet.rig.code(), "rate_limited");
}

#[test]
fn a_failure_is_in_the_record() {
    let mut fleet = fleet(json!({ "on_failure": "allow" }), |_| {});
    let mut exchange = fleet.asked();
    fleet.says(&mut exchange, &Reply::Broken);
    fleet.settle(&mut exchange, &json!({}));
    let end = super::records::delivered(&fleet.rig).pop().unwrap();
    let errors = end["portcullis.rule_errors"].to_string();
    assert!(errors.contains("calls: the rate limit service: its answer broke off"), "{errors}");
}

#[test]
fn monitor_waits_for_nobody_and_records_what_the_service_would_refuse() {
    let mut fleet = fleet(json!({}), |set| set["policies"][0]["mode"] = json!("monitor"));
    let mut exchange = fleet.rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&fleet.rig.host, false), Flow::Continue);
    assert_eq!(fleet.rig.send(&mut exchange, QUESTION), Flow::Continue);
    fleet.says(&mut exchange, &granted(StandIn::verdict(true)));
    fleet.settle(&mut exchange, &json!({}));
    assert!(fleet.rig.host.answers.borrow().is_empty());
    let end = super::records::delivered(&fleet.rig).pop().unwrap();
    assert_eq!(end["portcullis.would_reason"], "rate_limited");
    assert_eq!(fleet.rig.host.header(Side::Response, "ratelimit"), None);
}

#[test]
fn a_caller_who_leaves_while_the_service_thinks_is_forgotten() {
    let mut fleet = usual();
    let mut exchange = fleet.asked();
    exchange.finish(&fleet.rig.host);
    for (id, _) in fleet.calls() {
        assert_eq!(fleet.rig.worker.asker(id), None);
        exchange.reply(&fleet.rig.host, id, &granted(StandIn::verdict(false)));
    }
    assert!(!fleet.went());
}

#[test]
fn the_record_of_its_start_comes_after_the_services_yes() {
    let mut fleet = fleet(json!({}), |set| set["audit"]["delivery"] = json!("before_forward"));
    let mut exchange = fleet.asked();
    fleet.rig.worker.tick(&fleet.rig.host);
    let recorded =
        |fleet: &Fleet| fleet.rig.host.calls.borrow().iter().any(|(_, call)| call.cluster == "audit");
    assert!(!recorded(&fleet), "what may still be refused has no start");
    fleet.answer(&mut exchange);
    assert!(!fleet.went());
    fleet.rig.worker.tick(&fleet.rig.host);
    assert!(recorded(&fleet));
}

#[test]
fn a_piece_of_the_body_that_comes_while_the_service_thinks_starts_no_record() {
    let mut fleet = fleet(json!({}), |set| {
        set["policies"][0]["budgets"] =
            json!([{ "name": "calls", "key": "identity.id", "requests": 2, "per": "1m", "scope": "global" }]);
        set["policies"][0].as_object_mut().unwrap().remove("rules");
        set["policies"][0].as_object_mut().unwrap().remove("limits");
    });
    let mut exchange = fleet.rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&fleet.rig.host, false), Flow::Pause);
    assert_eq!(fleet.rig.send(&mut exchange, QUESTION), Flow::Pause);
    assert!(!exchange.start_recorded);
    fleet.answer(&mut exchange);
    assert!(fleet.went() && exchange.start_recorded);
}
