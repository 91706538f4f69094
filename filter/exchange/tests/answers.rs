//! What the caller sees.

use super::*;

pub(super) const EVENT: &str = "text/event-stream";

pub(super) fn delta(text: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// The text of all deltas, joined.
pub(super) fn text_of(stream: &str) -> String {
    let events =
        stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    events
        .map(|data| serde_json::from_str::<Value>(data).unwrap())
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_value_cut_across_events_is_masked_and_the_rest_stays() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    let headers = [("content-type", EVENT), ("content-length", "99"), ("etag", "x")];
    assert_eq!(rig.answer(&mut exchange, "200", &headers), Flow::Continue);
    let mut seen = String::new();
    for text in ["Write to jane.d", "oe@exam", "ple.com today"] {
        seen += &rig.piece(&mut exchange, &delta(text), false).unwrap();
    }
    seen += &rig.piece(&mut exchange, "data: [DONE]\n\n", true).unwrap();
    assert_eq!(text_of(&seen), "Write to <EMAIL_ADDRESS> today");
    assert!(!seen.contains("jane") && !seen.contains("exam") && seen.ends_with("data: [DONE]\n\n"), "{seen}");
    for gone in ["content-length", "etag"] {
        assert_eq!(rig.host.header(Side::Response, gone), None);
    }
    assert_eq!(rig.host.header(Side::Response, "cache-control").as_deref(), Some("no-store"));
    assert_eq!(rig.host.header(Side::Response, "x-portcullis-policy").as_deref(), Some("p@c0ffee"));
}

#[test]
fn headers_errors_and_echoes_of_the_credential_are_masked() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    let headers =
        [("content-type", "application/json"), ("x-echo", "key sk-upstream-0123456789 of a@example.com")];
    rig.answer(&mut exchange, "429", &headers);
    let echo = rig.host.header(Side::Response, "x-echo").unwrap();
    assert!(!echo.contains(CREDENTIAL) && !echo.contains('@'), "{echo}");
    let body = format!("{{\"error\":{{\"message\":\"bad key {CREDENTIAL} for a@example.com\"}}}}");
    let seen = rig.piece(&mut exchange, &body, true).unwrap();
    assert!(!seen.contains(CREDENTIAL) && !seen.contains("a@"), "{seen}");
}

#[test]
fn an_upstream_that_refuses_our_credential_is_our_fault_not_the_callers() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "401", &[("content-type", "application/json")]), Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code().as_str()), (502, "upstream_credential"));
}

#[test]
fn an_answer_that_cannot_be_read_does_not_go_out() {
    for headers in [
        &[("content-type", "application/json"), ("content-encoding", "br")][..],
        &[("content-type", "application/octet-stream")],
        &[("content-type", "text/plain; charset=utf-16")],
    ] {
        let rig = Rig::new();
        let mut exchange = rig.allowed();
        assert_eq!(rig.answer(&mut exchange, "200", headers), Flow::Pause, "{headers:?}");
        assert_eq!((rig.refusal().status, rig.code().as_str()), (502, "upstream_unreadable"));
    }
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    assert_eq!(rig.answer(&mut exchange, "206", &[("content-type", "application/json")]), Flow::Pause);
}

#[test]
fn a_stream_that_turns_unreadable_ends_with_the_protocols_error() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    rig.piece(&mut exchange, &delta("fine"), false);
    let seen = rig.piece(&mut exchange, "data: {broken a@example.com\n\n", false).unwrap();
    assert!(seen.contains("upstream_unreadable") && !seen.contains("example.com"), "{seen}");
    assert_eq!(rig.piece(&mut exchange, &delta("more"), false).as_deref(), Some(""), "nothing after it");
}

#[test]
fn half_a_document_breaks_the_connection() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
    rig.piece(&mut exchange, "{\"choices\":[", true);
    assert_eq!(rig.host.resets.get(), 1);
}

#[test]
fn a_short_text_is_masked_to_its_end_even_before_trailers() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "500", &[("content-type", "text/plain")]);
    assert_eq!(rig.piece(&mut exchange, "ask a@example.com", false), None, "held while it is short");
    *rig.host.trailers.borrow_mut() = vec![header("x-who", "b@example.com")];
    assert_eq!(exchange.response_trailers(&rig.host), Flow::Continue);
    assert_eq!(*rig.host.response_body.borrow(), b"ask <EMAIL_ADDRESS>");
    assert_eq!(rig.host.trailers.borrow()[0].1, b"<EMAIL_ADDRESS>");
}

#[test]
fn what_is_held_when_trailers_come_is_not_let_out_unmasked() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    let seen = rig.piece(&mut exchange, &delta("mail a@example.co"), false).unwrap();
    assert!(!seen.contains("example"));
    assert_eq!(exchange.response_trailers(&rig.host), Flow::Pause);
    assert_eq!(rig.host.resets.get(), 1);
}

#[test]
fn monitor_changes_no_byte_but_covers_the_credential() {
    let rig = Rig::with(|set| set["mode"] = json!("monitor"));
    let mut exchange = rig.allowed();
    let headers = [("content-type", "application/json"), ("content-length", "70"), ("x-echo", CREDENTIAL)];
    rig.answer(&mut exchange, "200", &headers);
    assert_eq!(rig.host.header(Side::Response, "content-length").as_deref(), Some("70"));
    assert_ne!(rig.host.header(Side::Response, "x-echo").as_deref(), Some(CREDENTIAL));
    assert_eq!(rig.host.header(Side::Response, "x-portcullis-exchange"), None);
    let body = format!("{{\"a\":\"a@example.com {CREDENTIAL}\"}}");
    let (first, second) = body.split_at(25);
    let seen =
        rig.piece(&mut exchange, first, false).unwrap() + &rig.piece(&mut exchange, second, true).unwrap();
    assert_eq!(seen, body.replace(CREDENTIAL, &"*".repeat(CREDENTIAL.len())));
}

#[test]
fn a_request_that_went_another_way_than_it_was_judged_gets_no_answer() {
    let rig = Rig::new();
    rig.host.properties.borrow_mut().insert("xds.route_name".into(), b"judged".to_vec());
    let mut exchange = rig.allowed();
    rig.host.properties.borrow_mut().insert("xds.route_name".into(), b"other".to_vec());
    assert_eq!(rig.answer(&mut exchange, "200", &[("content-type", "application/json")]), Flow::Pause);
    assert_eq!(rig.refusal().status, 503);
}

#[test]
fn a_request_may_go_by_any_route_that_names_its_connection_and_by_no_other() {
    const NAMED: &str = "xds.route_metadata.filter_metadata.portcullis.connection";
    let ways = [
        (Some("chat"), Some("chat"), true),
        (Some("chat"), Some("other"), false),
        (Some("chat"), None, false),
        (None, Some("chat"), true),
        (None, Some("other"), false),
    ];
    for (before, now, allowed) in ways {
        let rig = Rig::new();
        let route = |name: &str, value: &str| {
            rig.host.properties.borrow_mut().insert(name.into(), value.into());
        };
        before.into_iter().for_each(|before| route(NAMED, before));
        route("xds.cluster_name", "judged");
        let mut exchange = rig.allowed();
        rig.host.properties.borrow_mut().remove(NAMED);
        now.into_iter().for_each(|now| route(NAMED, now));
        route("xds.cluster_name", "another");
        let flow = rig.answer(&mut exchange, "200", &[("content-type", "application/json")]);
        assert_eq!(flow == Flow::Continue, allowed, "{before:?} {now:?}");
        assert_eq!(
            rig.host.answers.borrow().iter().any(|answer| answer.status == 503),
            !allowed,
            "{before:?} {now:?}"
        );
    }
}

#[test]
fn the_credential_is_masked_where_an_identifier_belongs_and_identifiers_stay() {
    let document = format!(
        r#"{{"id":"{CREDENTIAL}","model":"\u0073{}","object":"a@example.com","choices":[]}}"#,
        &CREDENTIAL[1..]
    );
    for content_type in ["application/json", EVENT] {
        let rig = Rig::new();
        let mut exchange = rig.allowed();
        rig.answer(&mut exchange, "200", &[("content-type", content_type)]);
        let body = if content_type == EVENT { format!("data: {document}\n\n") } else { document.clone() };
        let (first, second) = body.split_at(20);
        let seen = rig.piece(&mut exchange, first, false).unwrap()
            + &rig.piece(&mut exchange, second, true).unwrap();
        assert!(!seen.contains(&CREDENTIAL[1..]), "{seen}");
        assert_eq!(seen.matches("<UPSTREAM_CREDENTIAL>").count(), 2, "{seen}");
        assert!(seen.contains("a@example.com"), "an identifier is kept but for the credential: {seen}");
    }
}

#[test]
fn an_event_made_for_held_text_does_not_carry_the_credential() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", EVENT)]);
    let event = format!(
        "data: {{\"id\":\"{CREDENTIAL}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"jane.d\"}}}}]}}\n\n"
    );
    let seen = rig.piece(&mut exchange, &event, true).unwrap();
    assert_eq!(text_of(&seen), "jane.d");
    assert!(!seen.contains(CREDENTIAL), "{seen}");
}

#[test]
fn a_header_that_comes_several_times_keeps_its_other_values() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    let headers = [
        ("content-type", "application/json; x=a@example.com"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=a@example.com"),
        ("set-cookie", "c=3"),
    ];
    rig.answer(&mut exchange, "200", &headers);
    let all = crate::host::Host::headers(&rig.host, Side::Response);
    let cookies: Vec<_> =
        all.iter().filter(|(name, _)| name == b"set-cookie").map(|(_, value)| value.as_slice()).collect();
    assert_eq!(cookies, [&b"a=1"[..], b"b=<EMAIL_ADDRESS>", b"c=3"]);
    assert!(!rig.host.header(Side::Response, "content-type").unwrap().contains('@'));
}

#[test]
fn json_under_a_wrong_label_is_read_as_json_and_prose_stays_text() {
    for (body, expected) in [
        (r#"{"a":"a\u0040example.com"}"#, r#"{"a":"<EMAIL_ADDRESS>"}"#),
        (r#"{"a" is no JSON: a@example.com"#, r#"{"a" is no JSON: <EMAIL_ADDRESS>"#),
        ("[INFO] a@example.com", "[INFO] <EMAIL_ADDRESS>"),
    ] {
        let rig = Rig::new();
        let mut exchange = rig.allowed();
        rig.answer(&mut exchange, "500", &[("content-type", "text/plain")]);
        assert_eq!(rig.piece(&mut exchange, body, true).as_deref(), Some(expected));
    }
}

#[test]
pub(super) fn text_of_wide_characters_is_not_let_through() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "500", &[("content-type", "text/plain")]);
    let wide: String = "a@example.com".chars().flat_map(|letter| [letter, '\0']).collect();
    assert_eq!(rig.piece(&mut exchange, &wide, true).as_deref(), Some(""));
    assert_eq!(rig.host.resets.get(), 1);
}

#[test]
fn the_proxys_own_413_does_not_overtake_our_refusal() {
    let rig = Rig::with(|set| set["policies"][0]["limits"] = json!({ "max_request_bytes": "1Ki" }));
    let mut exchange = rig.ask(&["rag-users"]);
    exchange.request_head(&rig.host, false);
    assert_eq!(exchange.request_body(&rig.host, 2000, false), Flow::Pause);
    let ours = rig.host.answers.borrow_mut().pop().unwrap();
    assert_eq!(rig.answer(&mut exchange, "413", &[("content-type", "text/plain")]), Flow::Pause);
    assert_eq!(rig.refusal(), ours);
    let headers: Vec<(&str, &str)> = ours
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(rig.answer(&mut exchange, "413", &headers), Flow::Continue, "ours goes out");
}

#[test]
fn a_held_text_that_grows_beyond_the_proxys_buffer_is_broken_off_before_it_is_put_there() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "text/plain"), ("content-encoding", "gzip")]);
    let text = vec![b'a'; 2 << 20];
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    body.extend(miniz_oxide::deflate::compress_to_vec(&text, 6));
    body.extend(crc32fast::hash(&text).to_le_bytes());
    body.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    assert!(body.len() < 64 << 10, "held while it comes");
    *rig.host.response_body.borrow_mut() = body[..100].to_vec();
    assert_eq!(exchange.response_body(&rig.host, 100, false), Flow::Pause);
    *rig.host.response_body.borrow_mut() = body.clone();
    exchange.response_body(&rig.host, body.len(), true);
    assert!(rig.host.response_body.borrow().is_empty());
    assert_eq!(rig.host.resets.get(), 1);
}

#[test]
fn a_large_text_that_comes_in_one_piece_never_was_in_the_proxys_buffer_and_goes_out() {
    let rig = Rig::new();
    let mut exchange = rig.allowed();
    rig.answer(&mut exchange, "200", &[("content-type", "text/plain")]);
    let text = vec![b'a'; 2 << 20];
    *rig.host.response_body.borrow_mut() = text.clone();
    assert_eq!(exchange.response_body(&rig.host, text.len(), true), Flow::Continue);
    assert_eq!(*rig.host.response_body.borrow(), text);
    assert_eq!(rig.host.resets.get(), 0);
}

#[test]
fn a_text_that_may_outgrow_the_proxys_buffer_does_not_wait_there() {
    for head in [("content-length", "5242880"), ("transfer-encoding", "chunked")] {
        let rig = Rig::new();
        let mut exchange = rig.allowed();
        rig.answer(&mut exchange, "500", &[("content-type", "text/plain"), head]);
        assert_eq!(rig.piece(&mut exchange, "call a@example", false).as_deref(), Some("call "), "{head:?}");
        assert_eq!(
            rig.piece(&mut exchange, ".com now", true).as_deref(),
            Some("<EMAIL_ADDRESS> now"),
            "{head:?}"
        );
    }
}

#[test]
fn a_packed_text_that_ends_early_before_trailers_is_broken_off() {
    for waits in [true, false] {
        let rig = Rig::new();
        let mut exchange = rig.allowed();
        let framing = ("transfer-encoding", "chunked");
        let head = [("content-type", "text/plain"), ("content-encoding", "gzip"), framing];
        rig.answer(&mut exchange, "200", if waits { &head[..2] } else { &head });
        let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        body.extend(miniz_oxide::deflate::compress_to_vec(b"nothing to mask here, and it goes on", 6));
        *rig.host.response_body.borrow_mut() = body.clone();
        exchange.response_body(&rig.host, body.len(), false);
        exchange.response_trailers(&rig.host);
        assert_eq!(rig.host.resets.get(), 1, "waits: {waits}");
    }
}
