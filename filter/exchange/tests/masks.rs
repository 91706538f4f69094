//! What the model gets to see, and what comes back.

use super::answers::{EVENT, delta, text_of};
use super::records::delivered;
use super::*;

const EMAIL: &str = "jane@example.com";

fn question(text: &str) -> String {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "temperature": 0.5})
        .to_string()
}

fn masked(side: &'static str, mask: Value) -> Rig {
    Rig::with(|set| set["policies"][0]["mask"] = json!({ side: mask }))
}

/// A chat request up to its body; `more` headers beside the usual ones.
fn asked(rig: &Rig, body: &str, more: &[(&str, &str)]) -> (Exchange, Flow) {
    let mut exchange = rig.ask(&["rag-users"]);
    let length = body.len().to_string();
    rig.host.request.borrow_mut().push(header("content-length", &length));
    rig.host.request.borrow_mut().extend(more.iter().map(|(name, value)| header(name, value)));
    exchange.request_head(&rig.host, false);
    let flow = rig.send(&mut exchange, body);
    (exchange, flow)
}

fn upstream(rig: &Rig) -> String {
    String::from_utf8(rig.host.request_body.borrow().clone()).unwrap()
}

fn end(rig: &Rig, exchange: &mut Exchange) -> Value {
    rig.host.properties.borrow_mut().insert("response.code_details".into(), b"via_upstream".to_vec());
    exchange.finish(&rig.host);
    delivered(rig).last().unwrap().clone()
}

#[test]
fn the_model_sees_the_masked_prompt_and_rules_the_one_that_came() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"prompt": {"entities": ["PII"], "overrides": {
            "CREDIT_CARD": {"operator": "mask", "keep_last": 4}}}});
        set["policies"][0]["rules"] = json!([{"name": "address", "flag": "prompt.text.contains(\"jane@\")"}]);
    });
    let body = question("I am jane@example.com, 4111 1111 1111 1111");
    let (mut exchange, flow) = asked(&rig, &body, &[("content-digest", "sha-256=:x:")]);
    assert_eq!(flow, Flow::Continue);
    let expected = body.replace(EMAIL, "<EMAIL_ADDRESS>").replace("4111 1111 1111 1", "**** **** **** 1");
    assert_eq!(upstream(&rig), expected);
    assert_eq!(rig.sent("content-length"), Some(expected.len().to_string()));
    assert_eq!(rig.sent("content-digest"), None);
    let record = end(&rig, &mut exchange);
    assert_eq!(record["portcullis.prompt.entities"], json!({"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}));
    assert_eq!(record["portcullis.prompt.operators"], json!({"mask": 1, "replace": 1}));
    assert_eq!(record["portcullis.flags"], json!(["address"]));
    assert_eq!(record["http.request.body.size"], body.len());
    let counts = rig.host.counts.borrow();
    let metric = "portcullis_masked_total{policy=p,side=prompt,entity=EMAIL_ADDRESS,operator=replace}";
    assert_eq!(counts.get(metric), Some(&1), "{counts:?}");
}

#[test]
fn a_prompt_that_grows_beyond_the_proxys_buffer_is_refused() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"prompt": {"entities": ["PII"]}});
        set["policies"][0]["limits"] = json!({"max_request_bytes": "64Ki"});
    });
    let body = question(&"a@b.co ".repeat(9000));
    assert!(body.len() < 64 << 10);
    let (_, flow) = asked(&rig, &body, &[]);
    assert_eq!(flow, Flow::Continue);
    assert!(upstream(&rig).len() > 128 << 10);
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] =
            json!({"prompt": {"entities": ["PII"], "operator": "pseudonym", "key": "${env:PSEUDONYMS}"}});
        set["policies"][0]["limits"] = json!({"max_request_bytes": "64Ki"});
    });
    let (_, flow) = asked(&rig, &body, &[]);
    assert_eq!((flow, rig.refusal().status, rig.code().as_str()), (Flow::Pause, 413, "too_large"));
}

#[test]
fn a_prompt_without_values_goes_on_untouched() {
    let rig = masked("prompt", json!({"entities": ["PII"], "restore": true}));
    let (mut exchange, _) = asked(&rig, QUESTION, &[("content-digest", "sha-256=:x:")]);
    assert_eq!(upstream(&rig), QUESTION);
    assert!(rig.sent("content-digest").is_some());
    // Nothing stands for anything, so the answer is not looked for names.
    let headers = [("content-type", EVENT), ("etag", "x")];
    rig.answer(&mut exchange, "200", &headers);
}

#[test]
fn a_blocked_prompt_is_refused_by_its_entity_and_never_by_its_value() {
    let mask =
        json!({"entities": ["PII"], "operator": "flag", "overrides": {"CREDIT_CARD": {"operator": "block"}}});
    let rig = masked("prompt", mask.clone());
    let (mut exchange, flow) = asked(&rig, &question("pay 4111111111111111"), &[]);
    assert_eq!(flow, Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "forbidden"));
    let told = String::from_utf8(rig.refusal().body).unwrap();
    assert!(told.contains("CREDIT_CARD") && !told.contains("4111"), "{told}");
    let record = end(&rig, &mut exchange);
    assert_eq!(record["portcullis.prompt.operators"], json!({"block": 1}));
    assert_eq!(record["portcullis.decision"], "deny");
    // What is only flagged passes, and is counted.
    let rig = masked("prompt", mask);
    let body = question(EMAIL);
    let (mut exchange, flow) = asked(&rig, &body, &[]);
    assert_eq!((flow, upstream(&rig)), (Flow::Continue, body));
    assert_eq!(end(&rig, &mut exchange)["portcullis.prompt.operators"], json!({"flag": 1}));
}

#[test]
fn what_only_flags_holds_no_body() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"prompt": {"entities": ["PII"], "operator": "flag"}});
        set["policies"][0]["rules"] = json!([{"name": "x", "flag": "true"}]);
    });
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Continue);
    let body = question(EMAIL);
    assert_eq!(rig.send(&mut exchange, &body), Flow::Continue);
    assert_eq!(upstream(&rig), body);
    assert_eq!(end(&rig, &mut exchange)["portcullis.prompt.entities"], json!({"EMAIL_ADDRESS": 1}));
}

#[test]
fn monitor_masks_no_prompt_and_says_what_it_would_have_done() {
    let rig = Rig::with(|set| {
        set["mode"] = json!("monitor");
        set["policies"][0]["mask"] = json!({"prompt": {"entities": ["PII"], "restore": true,
            "overrides": {"CREDIT_CARD": {"operator": "block"}}}});
    });
    let body = question("jane@example.com 4111111111111111");
    let (mut exchange, flow) = asked(&rig, &body, &[]);
    assert_eq!((flow, upstream(&rig)), (Flow::Continue, body));
    let headers = [("content-type", "application/json"), ("content-length", "30")];
    rig.answer(&mut exchange, "200", &headers);
    let answer = r#"{"x":"<EMAIL_ADDRESS_1>"}"#;
    assert_eq!(rig.piece(&mut exchange, answer, true).as_deref(), Some(answer));
    let record = end(&rig, &mut exchange);
    assert_eq!(record["portcullis.prompt.entities"], json!({"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}));
    assert_eq!(record["portcullis.prompt.operators"], json!({"none": 2}));
    assert_eq!(
        (&record["portcullis.would"], &record["portcullis.would_reason"]),
        (&json!("deny"), &json!("forbidden"))
    );
}

#[test]
fn what_stood_for_values_is_taken_back_in_the_answer_and_the_rest_is_masked() {
    for (operator, key) in [("replace", Value::Null), ("pseudonym", json!("${env:PSEUDONYMS}"))] {
        let rig = Rig::with(|set| {
            let mut prompt = json!({"entities": ["PII"], "operator": operator, "restore": true});
            if !key.is_null() {
                prompt["key"] = key.clone();
            }
            set["policies"][0]["mask"] = json!({"prompt": prompt, "response": {"entities": ["PII"]}});
        });
        let (mut exchange, _) =
            asked(&rig, &question("write to jane@example.com"), &[("accept-encoding", "gzip")]);
        let sent = upstream(&rig);
        assert!(!sent.contains("jane"), "{sent}");
        let name = &sent[sent.find("<EMAIL").unwrap()..=sent.find('>').unwrap()];
        assert_eq!(rig.sent("accept-encoding").as_deref(), Some("identity"));
        rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
        let text = format!("Dear {name}, not joe@example.com or <EMAIL_ADDRESS_9>.");
        let mut seen = String::new();
        for letter in text.chars() {
            seen += &rig.piece(&mut exchange, &delta(&letter.to_string()), false).unwrap();
        }
        seen += &rig.piece(&mut exchange, "data: [DONE]\n\n", true).unwrap();
        assert_eq!(text_of(&seen), "Dear jane@example.com, not <EMAIL_ADDRESS> or <EMAIL_ADDRESS_9>.");
        let record = end(&rig, &mut exchange);
        assert_eq!(record["portcullis.response.entities"], json!({"EMAIL_ADDRESS": 1}));
        assert_eq!(record["portcullis.response.restored"], 1);
        assert_eq!(record["portcullis.prompt.operators"], json!({operator: 1}));
    }
}

#[test]
fn names_are_taken_back_where_the_answer_is_not_masked_and_only_in_their_own_exchange() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"prompt": {"entities": ["PII"], "restore": true}});
        set["connections"][1].as_object_mut().unwrap().remove("credential");
    });
    let answer =
        r#"{"choices":[{"message":{"content":"<EMAIL_ADDRESS_1> joe@example.com"},"logprobs":{"a":1}}]}"#;
    for (prompt, expected) in
        [(EMAIL, answer.replace("<EMAIL_ADDRESS_1>", EMAIL)), ("nobody", answer.to_owned())]
    {
        let (mut exchange, _) = asked(&rig, &question(prompt), &[]);
        rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
        assert_eq!(rig.piece(&mut exchange, answer, true), Some(expected));
        rig.host.request_body.borrow_mut().clear();
    }
}

#[test]
fn a_blocked_stream_ends_with_the_protocols_error_and_the_record_says_so() {
    let rig =
        masked("response", json!({"entities": ["PII"], "overrides": {"CREDIT_CARD": {"operator": "block"}}}));
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", EVENT)]), Flow::Continue);
    let mut seen = rig.piece(&mut exchange, &delta("from joe@example.com: 4111 11"), false).unwrap();
    seen += &rig.piece(&mut exchange, &delta("11 1111 1111 and more"), false).unwrap();
    assert!(seen.ends_with("\n\n") && seen.contains("<EMAIL_ADDRESS>") && !seen.contains("4111"), "{seen}");
    let error: Value = serde_json::from_str(seen.trim_end().rsplit("data: ").next().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "forbidden");
    assert!(error["error"]["message"].as_str().unwrap().contains("CREDIT_CARD"), "{error}");
    assert_eq!(rig.piece(&mut exchange, &delta("more"), true).as_deref(), Some(""));
    let record = end(&rig, &mut exchange);
    assert_eq!(record["portcullis.outcome"], "broken_off");
    assert_eq!(
        (&record["portcullis.decision"], &record["portcullis.reason"]),
        (&json!("deny"), &json!("forbidden"))
    );
    assert_eq!(record["http.response.status_code"], 200);
    assert_eq!(record["portcullis.response.operators"], json!({"block": 1, "replace": 1}));
    assert!(!rig.host.counts.borrow().keys().any(|name| name.contains("upstream_unreadable")));
}

#[test]
fn a_whole_answer_that_is_blocked_is_refused_and_any_other_goes_out_at_its_end() {
    let mask = json!({"entities": ["PII"], "overrides": {"CREDIT_CARD": {"operator": "block"}}});
    for (value, blocked) in [("4111111111111111", true), (EMAIL, false)] {
        for content_type in ["application/json", "text/plain"] {
            let rig = masked("response", mask.clone());
            let mut exchange = rig.allowed();
            let flow = rig.answer(&mut exchange, "200", &[("content-type", content_type)]);
            assert_eq!(flow, Flow::Pause, "its head is held");
            let body = json!({"choices": [{"message": {"content": format!("it is {value}.")}}]}).to_string();
            let (first, second) = body.split_at(45);
            assert_eq!(rig.piece(&mut exchange, first, false), None);
            assert_eq!(*rig.host.response_body.borrow(), b"", "the module holds it, not the proxy");
            let out = rig.piece(&mut exchange, second, true);
            let record = end(&rig, &mut exchange);
            if !blocked {
                assert_eq!(out, Some(body.replace(EMAIL, "<EMAIL_ADDRESS>")));
                assert_eq!(
                    (&record["portcullis.outcome"], &record["http.response.body.size"]),
                    (&json!("complete"), &json!(body.len() - 1))
                );
                continue;
            }
            assert_eq!(out, None);
            assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "forbidden"));
            let told = String::from_utf8(rig.refusal().body).unwrap();
            assert!(told.contains("CREDIT_CARD") && !told.contains("4111"), "{told}");
            assert_eq!(
                (&record["portcullis.outcome"], &record["http.response.status_code"]),
                (&json!("broken_off"), &json!(403))
            );
        }
    }
}

#[test]
fn held_answers_go_out_before_trailers_are_bounded_and_must_be_readable() {
    let mask = json!({"entities": ["PII"], "operator": "block"});
    let rig = masked("response", mask.clone());
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
    assert_eq!(rig.piece(&mut exchange, "{\"x\":1}", false), None);
    *rig.host.trailers.borrow_mut() = vec![header("x-who", EMAIL), header("x-sum", "1")];
    assert_eq!(exchange.response_trailers(&rig.host), Flow::Continue);
    assert_eq!(*rig.host.response_body.borrow(), b"{\"x\":1}");
    assert_eq!(*rig.host.trailers.borrow(), [header("x-sum", "1")], "a blocked trailer is gone");

    for (piece, code) in
        [("{broken", "upstream_unreadable"), ("[\"0123456789abcdef\",", "upstream_unreadable")]
    {
        let rig = masked("response", mask.clone());
        let mut exchange = rig.allowed();
        rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
        let mut pieces = 0;
        while rig.host.answers.borrow().is_empty() {
            let large = if pieces == 0 { piece.to_owned() } else { "1,".repeat(1 << 20) };
            assert_eq!(rig.piece(&mut exchange, &large, false), None);
            pieces += 1;
        }
        assert_eq!((rig.refusal().status, rig.code().as_str()), (502, code));
        assert!(pieces < 3);
    }
}

#[test]
fn an_answer_is_not_held_by_a_proxy_that_has_not_shown_that_it_can() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"response": {"entities": ["PII"], "operator": "block"}});
        set["policies"][0]["rules"] = json!([{"name": "x", "flag": "true"}]);
    });
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    rig.head("GET", "/v1/models", &[("authorization", &bearer)]);
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    assert_eq!(exchange.request_head(&rig.host, true), Flow::Continue);
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", "application/json")]), Flow::Continue);
    let out = rig.piece(&mut exchange, r#"{"data":[{"x":"jane@example.com"}]}"#, true).unwrap();
    assert!(!out.contains("jane") && rig.host.resets.get() == 1, "{out}");
    assert_eq!(end(&rig, &mut exchange)["portcullis.outcome"], "broken_off");
    // A request with a body shows it.
    let mut exchange = rig.ask(&["rag-users"]);
    assert_eq!(exchange.request_head(&rig.host, false), Flow::Pause, "held, though no rule reads it");
    assert_eq!(rig.send(&mut exchange, QUESTION), Flow::Continue);
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", "application/json")]), Flow::Pause);
}

#[test]
fn a_header_that_holds_a_blocked_value_refuses_the_answer() {
    let rig = masked("response", json!({"entities": ["PII"], "operator": "block"}));
    let mut exchange = rig.allowed();
    let headers = [("content-type", EVENT), ("x-who", EMAIL)];
    assert_eq!(rig.answer(&mut exchange, "200", &headers), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "forbidden"));
}

#[test]
fn an_answer_of_which_everything_is_flagged_is_not_touched() {
    let rig = Rig::with(|set| {
        set["policies"][0]["mask"] = json!({"response": {"entities": ["PII"], "operator": "flag"}});
        set["connections"][1].as_object_mut().unwrap().remove("credential");
    });
    let mut exchange = rig.allowed();
    let headers = [("content-type", EVENT), ("content-length", "99"), ("etag", "x"), ("x-who", EMAIL)];
    rig.answer(&mut exchange, "200", &headers);
    assert!(["content-length", "etag"].iter().all(|name| rig.host.header(Side::Response, name).is_some()));
    let stream = delta("mail jane@example.c") + &delta("om now") + "data: [DONE]\n\n";
    assert_eq!(rig.piece(&mut exchange, &stream, true).as_deref(), Some(stream.as_str()));
    let record = end(&rig, &mut exchange);
    assert_eq!(record["portcullis.response.operators"], json!({"flag": 1}));
}

#[test]
fn one_value_has_one_name_in_prompt_and_answer_and_another_in_another_scope() {
    let named = |scope: Value| {
        let rig = Rig::with(|set| {
            let mut mask = json!({"entities": ["PII"], "operator": "pseudonym", "key": "${env:PSEUDONYMS}"});
            if !scope.is_null() {
                mask["scope"] = scope.clone();
            }
            set["policies"][0]["mask"] = json!({"prompt": mask, "response": mask});
        });
        let (mut exchange, _) = asked(&rig, &question("jane@EXAMPLE.com"), &[]);
        rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
        let answer: Value =
            serde_json::from_str(&rig.piece(&mut exchange, r#"{"x":"jane@example.com"}"#, true).unwrap())
                .unwrap();
        let sent: Value = serde_json::from_str(&upstream(&rig)).unwrap();
        assert_eq!(sent["messages"][0]["content"], answer["x"]);
        answer["x"].as_str().unwrap().to_owned()
    };
    let names =
        [Value::Null, json!("a"), json!("${identity.subject}"), json!("a-${identity.subject}")].map(named);
    assert_eq!(names[0], named(Value::Null));
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), 4, "{names:?}");
}

#[test]
fn without_the_claim_of_its_scope_nothing_is_asked() {
    let mask = json!({"entities": ["PII"], "operator": "pseudonym", "key": "${env:PSEUDONYMS}", "scope": "${identity.claims.tenant}"});
    for side in ["prompt", "response"] {
        let rig = masked(side, mask.clone());
        let (_, flow) = asked(&rig, QUESTION, &[]);
        assert_eq!(flow, Flow::Pause);
        assert_eq!((rig.refusal().status, rig.code().as_str()), (403, "policy_error"));
        assert!(String::from_utf8(rig.refusal().body).unwrap().contains("tenant"));
    }
}

fn refused(masks: Value, body_before_headers: bool) -> Vec<String> {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    set["policies"][0]["rules"] = json!([{"name": "x", "flag": "true"}]);
    set["policies"][0]["mask"] = masks;
    let env =
        [("KEY", CREDENTIAL), ("SHORT", "short")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let host = Memory { env: env.into(), ..Memory::default() };
    match Worker::start(&host, &bundle(&set, body_before_headers)) {
        Ok(_) => vec![],
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn masks_that_cannot_be_are_refused_when_they_load() {
    let response = |mask: Value| refused(json!({ "response": mask }), true);
    let told = response(
        json!({"entities": ["EMAIL_ADDRESS"], "overrides": {"CREDIT_CARD": {"operator": "flag"}, "EMAIL": {"operator": "flag"}}}),
    );
    assert_eq!(
        told,
        [
            "policies[0].mask.response.overrides.CREDIT_CARD: `CREDIT_CARD` is not among the mask's `entities`, so nothing of it is found\n  help: add it there, or take the override out",
            "policies[0].mask.response.overrides.EMAIL: no detector finds EMAIL; did you mean EMAIL_ADDRESS?",
        ]
    );
    let told = response(
        json!({"entities": ["PII", "FINANCIAL"], "overrides": {"PII": {"operator": "flag"}, "FINANCIAL": {"operator": "redact"}}}),
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("both `FINANCIAL` and `PII` hold IBAN_CODE"), "{told:?}");
    assert_eq!(
        response(
            json!({"entities": ["PII", "FINANCIAL"], "overrides": {"PII": {"operator": "flag"}, "IBAN_CODE": {"operator": "redact"}}})
        ),
        [""; 0]
    );
    let pseudonym = |key: &str| response(json!({"entities": ["PII"], "operator": "pseudonym", "key": key}));
    assert!(
        pseudonym("${env:SHORT}")[0]
            .starts_with("policies[0].mask.response.key: is a key of 5 bytes, which can be guessed")
    );
    assert!(pseudonym("${env:NONE}")[0].contains("the environment variable `NONE` is not set"));
    for (masks, what) in [
        (json!({"prompt": {"entities": ["PII"]}}), "must read the body before a call goes on"),
        (
            json!({"response": {"entities": ["PII"], "operator": "block"}}),
            "must read answers before they go out",
        ),
    ] {
        let told = refused(masks, false);
        assert!(
            told.len() == 1 && told[0].contains(what) && told[0].contains("allow_on_headers_stop_iteration"),
            "{told:?}"
        );
    }
    assert_eq!(
        refused(
            json!({"prompt": {"entities": ["PII"], "operator": "flag"}, "response": {"entities": ["PII"]}}),
            false
        ),
        [""; 0]
    );
}
