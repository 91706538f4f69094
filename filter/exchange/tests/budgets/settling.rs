//! What an answer costs in the end, however it ends.

use super::*;

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
fn an_answer_that_is_not_what_its_head_says_costs_what_was_set_aside() {
    let rig = rig(tokens(1000));
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(&mut exchange, "200", "not json");
    assert_eq!((exchange.spending.settled_by, rig.left()), (Some("reservation"), 899));
    // What refuses the request by such a body costs nothing, as with any other.
    let mut exchange = rig.admitted(QUESTION);
    rig.ended(&mut exchange, "400", "not json");
    assert_eq!((exchange.spending.settled_by, rig.left()), (Some("returned"), 899));
}

#[test]
fn a_stream_that_becomes_unreadable_costs_what_was_set_aside_or_what_came_of_it_where_that_is_more() {
    for (came, used) in [("few words", 101), (&*"word ".repeat(160), 201)] {
        let rig = rig(tokens(1000));
        let mut exchange = rig.admitted(&QUESTION.replace("}]", "}],\"stream\":true"));
        rig.answer(&mut exchange, "200", &SSE);
        let choice = json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": came } }] });
        rig.piece(&mut exchange, &format!("data: {choice}\n\n"), false);
        rig.piece(&mut exchange, "data: not json\n\n", false);
        exchange.finish(&rig.host);
        assert_eq!(exchange.spending.settled_by, Some("reservation"));
        let left = 1000 - rig.left();
        assert!(left.abs_diff(used) <= 2, "{left} of {used}");
    }
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
    let of = Fingerprint::of(&["p", "mine", &format!("{}#alice", ISSUER)]);
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
