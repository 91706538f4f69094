//! The usage of a stream, and streams that reach their budget.

use super::*;

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
