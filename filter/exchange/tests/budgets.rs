//! Budgets: who is let in, what is set aside, what is settled, and what callers are told.

use serde_json::{Value, json};

use super::{QUESTION, Rig, bundle, set};
use crate::config::Problem;
use crate::exchange::buckets::{self, Tune};
use crate::exchange::{Exchange, Worker};
use crate::host::memory::Memory;
use crate::host::{Flow, Side};
use crate::policy::budget::{Fingerprint, Rate};

const SSE: [(&str, &str); 1] = [("content-type", "text/event-stream")];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn rig(budgets: Value) -> Rig {
    with(budgets, |_| {})
}

fn with(budgets: Value, change: impl FnOnce(&mut Value)) -> Rig {
    Rig::with(|set| {
        let policy = &mut set["policies"][0];
        policy["budgets"] = budgets;
        policy["limits"] = json!({ "max_output_tokens": 100 });
        policy.as_object_mut().unwrap().remove("mask");
        change(set);
    })
}

fn tokens(limit: u64) -> Value {
    json!([{ "name": "mine", "key": "identity.id", "tokens": limit, "per": "1m" }])
}

impl Rig {
    /// A request with this body; none if it was let in, else the code of the refusal.
    fn tried(&self, body: &str) -> (Exchange, Option<String>) {
        let mut exchange = self.ask(&["rag-users"]);
        let mut flow = exchange.request_head(&self.host, false);
        if self.host.answers.borrow().is_empty() {
            flow = self.send(&mut exchange, body);
        }
        let refused = (flow == Flow::Pause).then(|| self.code());
        (exchange, refused)
    }

    fn admitted(&self, body: &str) -> Exchange {
        let (exchange, refused) = self.tried(body);
        assert_eq!(refused, None);
        exchange
    }

    /// What of the only budget can be taken.
    fn left(&self) -> u64 {
        self.host.answers.borrow_mut().clear();
        let policy = self.worker.guard.lanes[1].policy.as_ref().unwrap();
        let rate = policy.budgets.first_rate();
        let of = Fingerprint::of(&["p", "mine", &format!("{}#alice", super::ISSUER)]);
        buckets::change(&self.host, of, Tune::Kept(rate), |bucket| bucket.left()).unwrap()
    }

    fn ended(&self, exchange: &mut Exchange, status: &str, body: &str) {
        self.answer(exchange, status, &JSON);
        self.piece(exchange, body, true);
        exchange.finish(&self.host);
    }

    fn told(&self, name: &str) -> Option<String> {
        self.host.header(Side::Response, name)
    }

    fn sent_body(&self) -> Value {
        serde_json::from_slice(&self.host.request_body.borrow()).unwrap()
    }
}

fn answered(usage: Value) -> String {
    json!({ "choices": [{ "index": 0, "message": { "content": "four byte words" } }], "usage": usage })
        .to_string()
}

fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let key = jwt_simple::prelude::Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    change(&mut set);
    let host = Memory::default();
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    Worker::start(&host, &bundle(&set, true)).map_or_else(told, |_| Vec::new())
}

#[test]
fn requests_are_counted_and_refused_until_time_has_passed() {
    let rig = rig(json!([{ "name": "calls", "key": "identity.id", "requests": 2, "per": "1m" }]));
    for _ in 0..2 {
        let mut exchange = rig.admitted(QUESTION);
        rig.ended(&mut exchange, "200", &answered(json!({})));
    }
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("rate_limited"));
    let refusal = rig.refusal();
    let header = |name: &str| {
        let found = refusal.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    };
    assert_eq!(refusal.status, 429);
    assert_eq!(header("retry-after").as_deref(), Some("30"));
    assert_eq!(header("x-should-retry"), None);
    assert_eq!(header("ratelimit-policy").as_deref(), Some("\"calls\";q=2;w=60"));
    assert_eq!(header("ratelimit").as_deref(), Some("\"calls\";r=0;t=60"));
    assert_eq!(header("x-ratelimit-remaining-requests").as_deref(), Some("0"));
    rig.host.answers.borrow_mut().clear();
    rig.pass(29);
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("rate_limited"));
    rig.host.answers.borrow_mut().clear();
    rig.pass(1);
    rig.admitted(QUESTION);
}

#[test]
fn each_key_has_its_own_bucket_and_all_is_one_for_everyone() {
    let rig =
        rig(json!([{ "name": "calls", "key": "request.headers[\"x-team\"]", "requests": 1, "per": "1h" }]));
    let ask = |team: &str| {
        rig.host.answers.borrow_mut().clear();
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        let more = [("authorization", &*bearer), ("content-type", "application/json"), ("x-team", team)];
        rig.head("POST", "/v1/chat/completions", &more);
        let mut exchange = Exchange::begin(std::rc::Rc::clone(&rig.worker), 7);
        exchange.request_head(&rig.host, false);
        let refused = !rig.host.answers.borrow().is_empty();
        (refused || rig.send(&mut exchange, QUESTION) == Flow::Pause).then(|| rig.code())
    };
    assert_eq!((ask("a"), ask("b")), (None, None));
    assert_eq!(ask("a").as_deref(), Some("rate_limited"));
    assert_eq!(ask("").as_deref(), Some("policy_error"), "nobody's budget is nobody's to use");
}

#[test]
fn a_key_that_is_not_there_refuses() {
    let rig = rig(json!([{ "name": "mine", "key": "identity.claims.team", "tokens": 1000, "per": "1m" }]));
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("policy_error"));
}

#[test]
fn the_prompt_and_the_bound_on_the_answer_are_set_aside_and_the_usage_settles_them() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    assert_eq!(exchange.spending.reserved.iter().map(|(_, count)| count.get()).sum::<u64>(), 101);
    assert_eq!(rig.left(), 899);
    rig.answer(&mut exchange, "200", &JSON);
    assert_eq!(rig.told("x-ratelimit-remaining-tokens").as_deref(), Some("899"));
    assert_eq!(rig.told("ratelimit-policy").as_deref(), Some("\"mine\";q=1000;w=60;qu=\"tokens\""));
    rig.piece(&mut exchange, &answered(json!({ "prompt_tokens": 8, "completion_tokens": 4 })), true);
    exchange.finish(&rig.host);
    assert_eq!(rig.left(), 988);
    assert_eq!(exchange.spending.settled_by, Some("usage"));
}

#[test]
fn several_answers_are_set_aside_together() {
    let rig = rig(tokens(1000));
    let exchange = rig.admitted(&QUESTION.replace("}]", "}],\"n\":3,\"max_tokens\":50"));
    assert_eq!(exchange.spending.reserved.iter().map(|(_, count)| count.get()).sum::<u64>(), 151);
}

#[test]
fn a_request_that_could_use_more_than_is_left_is_refused_and_takes_nothing() {
    let rig = rig(tokens(150));
    let _first = rig.admitted(QUESTION);
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("rate_limited"));
    assert_eq!(rig.left(), 49);
}

#[test]
fn a_budget_that_never_holds_so_much_says_so_and_asks_for_no_retry() {
    let rig = rig(tokens(50));
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("rate_limited"));
    let refusal = rig.refusal();
    let header = |name: &str| refusal.headers.iter().any(|(known, value)| known == name && value == b"false");
    assert!(header("x-should-retry"));
    assert!(!refusal.headers.iter().any(|(name, _)| name == "retry-after"));
    assert!(String::from_utf8_lossy(&refusal.body).contains("ever holds"));
}

#[test]
fn a_long_wait_asks_for_no_retry() {
    let rig = rig(json!([{ "name": "calls", "key": "all", "requests": 1, "per": "1h" }]));
    let _first = rig.admitted(QUESTION);
    rig.tried(QUESTION);
    let refusal = rig.refusal();
    let header = |name: &str| refusal.headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!((header("retry-after"), header("x-should-retry")), (b"3600".to_vec(), b"false".to_vec()));
}

#[test]
fn where_the_second_budget_has_no_room_the_first_gets_back_what_it_gave() {
    let both = json!([
        { "name": "mine", "key": "identity.id", "requests": 10, "per": "1m" },
        { "name": "everyone", "key": "all", "requests": 1, "per": "1m" },
    ]);
    let rig = rig(both);
    let first = rig.admitted(QUESTION);
    assert_eq!(first.spending.levels[0].left, 9);
    for _ in 0..5 {
        let (refused, code) = rig.tried(QUESTION);
        assert_eq!(code.as_deref(), Some("rate_limited"));
        assert_eq!(refused.refusal.unwrap().rule.as_deref(), Some("everyone"));
        rig.host.answers.borrow_mut().clear();
    }
    rig.pass(60);
    assert_eq!(rig.admitted(QUESTION).spending.levels[0].left, 9);
}

#[test]
fn a_request_that_is_refused_for_another_reason_holds_nothing() {
    let rig = with(tokens(1000), |set| {
        set["policies"][0]["rules"] = json!([{ "name": "human", "approve": "true" }]);
    });
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("approval_pending"));
    assert_eq!(rig.left(), 1000);
}

#[test]
fn a_clamp_puts_the_answer_down_to_what_is_left() {
    let rig = rig(json!([
        { "name": "mine", "key": "identity.id", "tokens": 61, "per": "1m", "clamp": true },
        { "name": "wide", "key": "all", "tokens": 1000, "per": "1m" },
    ]));
    let exchange = rig.admitted(QUESTION);
    assert_eq!(rig.sent_body()["max_completion_tokens"], 60);
    let reserved: Vec<_> =
        exchange.spending.reserved.iter().map(|(name, count)| (name.to_owned(), count.get())).collect();
    assert_eq!(
        reserved,
        [("mine".to_owned(), 61), ("wide".to_owned(), 61)],
        "the wider one gets the rest back"
    );
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("rate_limited"), "nothing is left for even one token");
}

#[test]
fn a_clamp_is_shared_by_the_answers_of_a_request() {
    let rig =
        rig(json!([{ "name": "mine", "key": "identity.id", "tokens": 61, "per": "1m", "clamp": true }]));
    let _exchange = rig.admitted(&QUESTION.replace("}]", "}],\"n\":7"));
    assert_eq!(rig.sent_body()["max_completion_tokens"], 8);
    assert_eq!(rig.left(), 4);
}

#[test]
fn an_upstream_that_fails_or_refuses_costs_no_tokens_and_a_failure_no_request() {
    let both = json!([
        { "name": "tokens", "key": "identity.id", "tokens": 1000, "per": "1m" },
        { "name": "calls", "key": "identity.id", "requests": 10, "per": "1m" },
    ]);
    let rig = rig(both);
    for (status, calls) in [("400", 1), ("429", 0), ("500", 0), ("503", 0)] {
        let mut exchange = rig.admitted(QUESTION);
        rig.ended(&mut exchange, status, "{\"error\":{\"message\":\"no\"}}");
        let used: Vec<u64> = exchange.spending.used.iter().map(|(_, count)| count.get()).collect();
        assert_eq!(used, [calls, 0], "{status}");
        assert_eq!(exchange.spending.settled_by, Some("returned"));
    }
}

#[test]
fn without_a_report_what_was_delivered_settles() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    let body = json!({ "choices": [{ "index": 0, "message": { "content": "x".repeat(80) } }] }).to_string();
    rig.ended(&mut exchange, "200", &body);
    assert_eq!(exchange.spending.settled_by, Some("estimate"));
    assert_eq!(rig.left(), 1000 - 1 - 20);
}

#[test]
fn a_caller_who_leaves_pays_for_what_came() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
    rig.answer(&mut exchange, "200", &SSE);
    let event = |text: &str| {
        let choice = json!({ "index": 0, "delta": { "content": text } });
        format!("data: {}\n\n", json!({ "id": "c", "choices": [choice], "usage": null }))
    };
    rig.piece(&mut exchange, &event(&"x".repeat(40)), false);
    exchange.finish(&rig.host);
    assert_eq!(exchange.spending.settled_by, Some("estimate"));
    assert_eq!(rig.left(), 1000 - 1 - 10);
}

#[test]
fn an_answer_that_cannot_be_read_costs_what_was_set_aside() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.answer(&mut exchange, "200", &[("content-type", "application/octet-stream")]);
    rig.piece(&mut exchange, "??", true);
    exchange.finish(&rig.host);
    assert_eq!(exchange.spending.settled_by, Some("reservation"));
    assert_eq!(rig.left(), 899);
}

#[test]
fn an_upstream_that_reports_the_incredible_takes_a_bucket_no_further_than_its_own_size_below_empty() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(
        &mut exchange,
        "200",
        &answered(json!({ "prompt_tokens": u64::MAX, "completion_tokens": u64::MAX })),
    );
    assert_eq!(rig.left(), 0);
    rig.pass(66);
    assert_eq!(rig.left(), 100);
}

#[test]
fn a_stream_is_asked_for_its_usage_and_its_caller_sees_none() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
    assert_eq!(rig.sent_body()["stream_options"], json!({ "include_usage": true }));
    rig.answer(&mut exchange, "200", &SSE);
    let delta = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]";
    let out = rig.piece(&mut exchange, &format!("{delta},\"usage\":null}}\n\n"), false);
    assert_eq!(out.unwrap(), format!("{delta}}}\n\n"));
    let usage = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n";
    assert_eq!(rig.piece(&mut exchange, usage, false).unwrap(), "");
    assert_eq!(rig.piece(&mut exchange, "data: [DONE]\n\n", true).unwrap(), "data: [DONE]\n\n");
    exchange.finish(&rig.host);
    assert_eq!((exchange.spending.settled_by, rig.left()), (Some("usage"), 991));
}

#[test]
fn usage_is_hidden_wherever_a_stream_is_cut() {
    let delta = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]";
    let usage = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n";
    let came = format!("{delta},\"usage\":null}}\n\n{delta},\"usage\":null}}\n\n{usage}data: [DONE]\n\n");
    let wanted = format!("{delta}}}\n\n{delta}}}\n\ndata: [DONE]\n\n");
    let rig = rig(tokens(Rate::MAX_LIMIT));
    for at in 1..came.len() {
        let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
        rig.answer(&mut exchange, "200", &SSE);
        let mut out = rig.piece(&mut exchange, &came[..at], false).unwrap();
        out += &rig.piece(&mut exchange, &came[at..], true).unwrap();
        assert_eq!(out, wanted, "cut at {at}");
        exchange.finish(&rig.host);
    }
}

#[test]
fn a_stream_that_is_ended_gives_out_what_was_held_of_its_text_first() {
    let ends =
        json!([{ "name": "mine", "key": "identity.id", "tokens": 120, "per": "1h", "at_limit": "end" }]);
    let rig = with(ends, |set| {
        set["policies"][0]["mask"] = json!({ "response": { "entities": ["PII"] } });
    });
    let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
    rig.answer(&mut exchange, "200", &SSE);
    let delta = |text: &str| {
        let choice = json!({ "index": 0, "delta": { "content": text } });
        format!("data: {}\n\n", json!({ "id": "c", "model": "m", "choices": [choice] }))
    };
    let words = "word ".repeat(140) + "to alice.smith@exam";
    let out = rig.piece(&mut exchange, &delta(&words), false).unwrap();
    let mut text = String::new();
    let mut reasons = Vec::new();
    for line in out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|line| *line != "[DONE]") {
        let event: Value = serde_json::from_str(line).unwrap();
        text += event["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        reasons.push(event["choices"][0]["finish_reason"].as_str().map(str::to_owned));
    }
    assert_eq!(text, words);
    assert!(reasons.len() > 2, "{out}");
    assert_eq!(reasons.pop().unwrap().as_deref(), Some("length"));
    assert!(reasons.iter().all(Option::is_none));
}

#[test]
fn a_caller_who_asks_for_the_usage_gets_it() {
    let rig = rig(tokens(1000));
    let body = QUESTION.replace("}]", "}],\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    let mut exchange = rig.admitted(&body);
    rig.answer(&mut exchange, "200", &SSE);
    let event = "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\n";
    assert_eq!(rig.piece(&mut exchange, event, true).unwrap(), event);
}

#[test]
fn a_stream_that_reaches_its_budget_ends_as_at_the_models_limit() {
    let rig =
        rig(json!([{ "name": "mine", "key": "identity.id", "tokens": 150, "per": "1h", "at_limit": "end" }]));
    let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
    rig.answer(&mut exchange, "200", &SSE);
    let delta = |text: &str| {
        let choice = json!({ "index": 0, "delta": { "content": text } });
        format!("data: {}\n\n", json!({ "id": "c", "model": "m", "choices": [choice] }))
    };
    let words = "word ".repeat(80);
    assert_eq!(rig.piece(&mut exchange, &delta(&words), false).unwrap(), delta(&words));
    let out = rig.piece(&mut exchange, &delta(&words), false).unwrap();
    assert!(out.starts_with(&delta(&words)), "what was over came with the event that told it");
    let end = &out[delta(&words).len()..];
    assert!(end.contains("\"finish_reason\":\"length\"") && end.ends_with("data: [DONE]\n\n"), "{end}");
    assert_eq!(rig.piece(&mut exchange, &delta(&words), false).unwrap(), "");
    exchange.finish(&rig.host);
    assert_eq!(exchange.answer.cut.as_deref(), Some("budget"));
    assert_eq!(rig.left(), 0);
}

#[test]
fn a_stream_that_may_finish_goes_on_and_its_bucket_owes() {
    let rig = rig(json!([{ "name": "mine", "key": "identity.id", "tokens": 150, "per": "1h" }]));
    let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
    rig.answer(&mut exchange, "200", &SSE);
    let choice = json!({ "index": 0, "delta": { "content": "word ".repeat(200) } });
    let event = format!("data: {}\n\n", json!({ "id": "c", "choices": [choice] }));
    assert_eq!(rig.piece(&mut exchange, &event, true).unwrap(), event);
    exchange.finish(&rig.host);
    assert_eq!(rig.left(), 0);
    rig.pass(2400);
    assert_eq!(rig.left(), 0, "251 were used of 150: 101 are owed, and 100 have come back");
}

#[test]
fn monitor_refuses_nothing_changes_nothing_and_says_what_it_would() {
    for policy in [true, false] {
        let mode = |budget: &mut Value| budget["mode"] = json!("monitor");
        let mut budgets = json!([{ "name": "mine", "key": "identity.id", "tokens": 120, "per": "1m" }]);
        if !policy {
            mode(&mut budgets[0]);
        }
        let rig = with(budgets, |set| {
            if policy {
                mode(&mut set["policies"][0]);
            }
            set["policies"][0].as_object_mut().unwrap().remove("limits");
            set["policies"][0]["limits"] = json!({ "max_output_tokens": 100 });
        });
        let body = QUESTION.replace("}]", "}],\"stream\":true,\"max_tokens\":100");
        for would in [None, Some("mine")] {
            let mut exchange = rig.admitted(&body);
            assert_eq!(*rig.host.request_body.borrow(), body.as_bytes());
            let rule = exchange.inquiry.would.as_ref().and_then(|would| would.rule.as_deref());
            assert_eq!(rule, would);
            rig.answer(&mut exchange, "200", &SSE);
            assert_eq!(rig.told("ratelimit"), None);
        }
        assert!(rig.host.answers.borrow().is_empty());
    }
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
fn what_asks_no_model_costs_no_tokens_and_what_cannot_be_read_is_kept_out_by_an_empty_budget() {
    let rig = with(tokens(101), |set| {
        set["policies"][0]["uninspected"] = json!({ "default": "allow" });
    });
    let asks = |method: &str, path: &str| {
        let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
        rig.head(method, path, &[("authorization", &bearer)]);
        let mut exchange = Exchange::begin(std::rc::Rc::clone(&rig.worker), 7);
        exchange.request_head(&rig.host, true)
    };
    let _all = rig.admitted(QUESTION);
    assert_eq!(asks("GET", "/v1/models"), Flow::Continue);
    assert_eq!(asks("POST", "/v1/audio/transcriptions"), Flow::Pause);
    assert_eq!(rig.code(), "rate_limited");
}

#[test]
fn workers_share_a_bucket() {
    let mut one = rig(tokens(250));
    let host = std::mem::take(&mut one.host);
    let worker = Worker::start(&host, &{
        let mut set = set(&one.key);
        set["policies"][0]["budgets"] = tokens(250);
        set["policies"][0]["limits"] = json!({ "max_output_tokens": 100 });
        bundle(&set, true)
    })
    .unwrap();
    one.host = host;
    let other = Rig { host: Memory::default(), worker: std::rc::Rc::new(worker), key: one.key.clone() };
    let _first = one.admitted(QUESTION);
    let other = Rig { host: std::mem::take(&mut one.host), ..other };
    let _second = other.admitted(QUESTION);
    assert_eq!(other.tried(QUESTION).1.as_deref(), Some("rate_limited"));
}

#[test]
fn a_bucket_that_cannot_be_changed_lets_nobody_in() {
    let rig = rig(tokens(1000));
    rig.host.raced.set(1000);
    assert_eq!(rig.tried(QUESTION).1.as_deref(), Some("guard_unavailable"));
    let refused = rig.host.counts.borrow().keys().any(|name| name.contains("outcome=error"));
    assert!(refused);
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

impl Rig {
    /// A request to another path than that of chat, with this body.
    fn posted(&self, path: &str, body: &str) -> Exchange {
        let bearer = format!("Bearer {}", self.token(&["rag-users"]));
        self.head("POST", path, &[("authorization", &bearer), ("content-type", "application/json")]);
        let mut exchange = Exchange::begin(std::rc::Rc::clone(&self.worker), 7);
        exchange.request_head(&self.host, false);
        assert_eq!(self.send(&mut exchange, body), Flow::Continue, "{:?}", self.host.answers.borrow());
        exchange
    }

    /// The same set with other budgets, on the same proxy.
    fn updated(self, budgets: Value) -> Self {
        let mut set = set(&self.key);
        let policy = &mut set["policies"][0];
        policy["budgets"] = budgets;
        policy["limits"] = json!({ "max_output_tokens": 100 });
        policy.as_object_mut().unwrap().remove("mask");
        let worker = Worker::start(&self.host, &bundle(&set, true)).unwrap();
        Self { worker: std::rc::Rc::new(worker), ..self }
    }
}

#[test]
fn each_prompt_of_a_list_is_set_aside_and_bounded() {
    let rig =
        rig(json!([{ "name": "mine", "key": "identity.id", "tokens": 64, "per": "1m", "clamp": true }]));
    let body = json!({ "model": "gpt-4o", "prompt": vec!["a"; 10], "n": 2, "max_tokens": 100 }).to_string();
    let exchange = rig.posted("/v1/completions", &body);
    let each = rig.sent_body()["max_tokens"].as_u64().unwrap();
    let reserved = exchange.spending.reserved.iter().map(|(_, count)| count.get()).sum::<u64>();
    assert!(each > 0 && each * 20 < reserved && reserved <= 64, "{each} tokens each, {reserved} in all");
    assert!(rig.left() < 20);
}

#[test]
fn what_is_worked_out_later_keeps_what_was_set_aside() {
    let queued = r#"{"id":"r","object":"response","status":"queued","output":[],"instructions":"Be kind.","usage":null}"#;
    let begun = r#"{"id":"r","object":"response","status":"in_progress","output":[],"usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0}}"#;
    let run =
        r#"{"id":"run_1","object":"thread.run","status":"queued","instructions":"Be kind.","usage":null}"#;
    let cases = [
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "Hi", "background": true }), queued),
        // The provider answers so of its own accord.
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "Hi" }), queued),
        // A usage of work that goes on is none.
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "Hi", "background": true }), begun),
        ("/v1/threads/t/runs", json!({ "model": "gpt-4o", "assistant_id": "a" }), run),
        (
            "/v1/chat/completions",
            json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }], "deferred": true }),
            r#"{"request_id":"d"}"#,
        ),
    ];
    for (path, body, answer) in cases {
        let rig = with(tokens(1000), |set| set["policies"][0]["llm"] = json!({ "references": "allow" }));
        let mut exchange = rig.posted(path, &body.to_string());
        let before = rig.left();
        assert!(before <= 900, "{path}: {before}");
        rig.ended(&mut exchange, "200", answer);
        assert_eq!((exchange.spending.settled_by, rig.left()), (Some("reservation"), before), "{path}");
    }
}

#[test]
fn what_is_worked_out_at_once_is_settled_by_its_usage_whatever_was_asked() {
    let rig = with(tokens(1000), |set| set["policies"][0]["llm"] = json!({ "references": "allow" }));
    let body = json!({ "model": "gpt-4o", "input": "Hi", "background": true }).to_string();
    let mut exchange = rig.posted("/v1/responses", &body);
    let answer = r#"{"id":"r","object":"response","status":"completed","output":[],"usage":{"input_tokens":8,"output_tokens":4,"total_tokens":12}}"#;
    rig.ended(&mut exchange, "200", answer);
    assert_eq!((exchange.spending.settled_by, rig.left()), (Some("usage"), 988));
}

#[test]
fn a_stream_of_a_set_that_was_replaced_forgives_nobody_what_was_used_since() {
    let (old, new) = (tokens(150), tokens(100_000));
    let rig = rig(old);
    let mut exchange = rig.admitted(QUESTION);
    let rig = rig.updated(new);
    let other = json!({ "prompt_tokens": 50_000, "completion_tokens": 0 });
    rig.ended(&mut rig.admitted(QUESTION), "200", &answered(other));
    assert_eq!(rig.left(), 100_000 - 101 - 50_000);
    rig.ended(&mut exchange, "200", &answered(json!({ "prompt_tokens": 8, "completion_tokens": 4 })));
    assert_eq!(rig.left(), 100_000 - 12 - 50_000);
}

#[test]
fn what_a_smaller_bucket_no_longer_owes_is_not_put_back() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(&mut rig.admitted(QUESTION), "200", &answered(json!({ "prompt_tokens": 800 })));
    let rig = rig.updated(tokens(10));
    let of = Fingerprint::of(&["p", "mine", &format!("{}#alice", super::ISSUER)]);
    let small = rig.worker.guard.lanes[1].policy.as_ref().unwrap().budgets.first_rate();
    buckets::change(&rig.host, of, Tune::To(small), |bucket| bucket.give_back(1)).unwrap();
    rig.ended(&mut exchange, "200", &answered(json!({ "prompt_tokens": 1, "completion_tokens": 1 })));
    assert_eq!(rig.left(), 0);
}

#[test]
fn an_answer_that_is_not_whole_costs_the_larger_of_what_was_told_and_what_came() {
    let words = "word ".repeat(80);
    let event = |document: Value| format!("data: {document}\n\n");
    let delta = |usage: Value| {
        event(
            json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": words } }], "usage": usage }),
        )
    };
    let begun = json!({ "prompt_tokens": 8, "completion_tokens": 1 });
    let failed = event(json!({ "error": { "message": "no" } }));
    let over =
        event(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": begun }));
    for (came, by, used) in [
        // It breaks off, though its body has an end.
        (delta(begun.clone()), "estimate", 108),
        (delta(begun.clone()) + &failed, "estimate", 110),
        (delta(Value::Null) + &over, "usage", 9),
    ] {
        let rig = rig(tokens(1000));
        let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
        rig.answer(&mut exchange, "200", &SSE);
        rig.piece(&mut exchange, &came, true);
        exchange.finish(&rig.host);
        let left = 1000 - rig.left();
        assert_eq!(exchange.spending.settled_by, Some(by), "{came}");
        assert!(left.abs_diff(used) <= 2, "{left} of {used}: {came}");
    }
}

#[test]
fn a_usage_that_tells_the_prompt_alone_tells_no_answer() {
    let words = json!({ "choices": [{ "index": 0, "message": { "content": "x".repeat(400) } }], "usage": { "prompt_tokens": 8 } });
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(&mut exchange, "200", &words.to_string());
    assert_eq!((exchange.spending.settled_by, rig.left()), (Some("estimate"), 1000 - 108));
    let rig = self::rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    let huge = r#"{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":99999999999999999999999}}"#;
    rig.ended(&mut exchange, "200", huge);
    assert_eq!(rig.left(), 0);
}

#[test]
fn a_completion_that_reaches_its_budget_ends_as_one() {
    let rig =
        rig(json!([{ "name": "mine", "key": "identity.id", "tokens": 150, "per": "1h", "at_limit": "end" }]));
    let body = json!({ "model": "gpt-4o", "prompt": "Hello", "stream": true }).to_string();
    let mut exchange = rig.posted("/v1/completions", &body);
    rig.answer(&mut exchange, "200", &SSE);
    let choice = json!({ "index": 0, "text": "word ".repeat(160) });
    let event = format!("data: {}\n\n", json!({ "id": "c", "model": "m", "choices": [choice] }));
    let out = rig.piece(&mut exchange, &event, false).unwrap();
    let end = &out[event.len()..];
    assert!(
        end.contains(r#""text":"","finish_reason":"length""#) && end.ends_with("data: [DONE]\n\n"),
        "{end}"
    );
}

#[test]
fn a_batch_beyond_a_budget_of_requests_is_told_so_in_requests() {
    let rig = with(json!([{ "name": "calls", "key": "all", "requests": 2, "per": "1m" }]), |set| {
        set["connections"][1]["protocol"] = json!("anthropic");
        set["connections"][1]["match"] = json!({ "path_prefix": "/v1" });
        set["policies"][0]["llm"] = json!({ "references": "allow" });
        set["policies"][0]["rules"] = json!([{ "name": "seen", "flag": "true" }]);
    });
    let one = |id: u32| {
        let params =
            json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "a" }] });
        json!({ "custom_id": id.to_string(), "params": params })
    };
    let body = json!({ "requests": [one(1), one(2), one(3)] }).to_string();
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    let head = [("authorization", &*bearer), ("content-type", "application/json")];
    rig.head("POST", "/v1/messages/batches", &head);
    let mut exchange = Exchange::begin(std::rc::Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, false);
    assert_eq!(rig.send(&mut exchange, &body), Flow::Pause);
    let told = String::from_utf8(rig.refusal().body).unwrap();
    assert!(told.contains("the request counts as 3 requests, more than the budget"), "{told}");
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
