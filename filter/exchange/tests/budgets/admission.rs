//! Who is let in, and what is set aside for them.

use super::*;

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

const ELSEWHERE: [(&str, &str); 5] = [
    (
        "/v1/chat/completions",
        r#"{"model":"llama","messages":[{"role":"user","content":"Hello"}],"max_completion_tokens":1}"#,
    ),
    (
        "/v1/chat/completions",
        r#"{"model":"GPT-4O","messages":[{"role":"user","content":"Hello"}],"max_completion_tokens":1}"#,
    ),
    (
        "/v1/chat/completions",
        r#"{"model":"codex-mini","messages":[{"role":"user","content":"Hello"}],"max_completion_tokens":1}"#,
    ),
    (
        "/v1/chat/completions",
        r#"{"model":"llama","messages":[{"role":"user","content":"Hello"}],"max_tokens":0}"#,
    ),
    ("/v1/completions", r#"{"model":"gpt-4o","prompt":"Hello","max_completion_tokens":1}"#),
];

fn of_any_model(set: &mut Value) {
    set["policies"][0].as_object_mut().unwrap().remove("rules");
}

#[test]
fn a_bound_that_the_model_passes_over_is_not_what_is_set_aside() {
    for (path, body) in ELSEWHERE {
        let rig = with(tokens(1000), of_any_model);
        rig.posted(path, body);
        assert_eq!((rig.left(), &rig.sent_body()["max_tokens"]), (899, &json!(100)), "{body}");
    }
}

#[test]
fn a_clamp_bounds_what_gives_its_bound_where_the_model_does_not_look() {
    for (path, body) in ELSEWHERE {
        let mine =
            json!([{ "name": "mine", "key": "identity.id", "tokens": 61, "per": "1m", "clamp": true }]);
        let rig = with(mine, |set| {
            of_any_model(set);
            set["policies"][0].as_object_mut().unwrap().remove("limits");
        });
        rig.posted(path, body);
        assert_eq!((rig.left(), &rig.sent_body()["max_tokens"]), (0, &json!(60)), "{body}");
    }
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
