//! Credentials: which one goes upstream, where it stands, and what of the caller's goes in its place.

use super::*;

const OTHER: &str = "sk other/&=";

fn rig(credential: Value) -> Rig {
    Rig::with(|set| set["connections"][1]["credential"] = credential)
}

/// A whole request of a caller in these groups, by this path, with these headers beside the usual ones.
fn asked(rig: &Rig, groups: &[&str], path: &str, more: &[(&str, &str)]) -> (Exchange, Flow) {
    let bearer = format!("Bearer {}", rig.token(groups));
    let usual = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    rig.head("POST", path, &[&usual, more].concat());
    let mut exchange = Exchange::begin(Rc::clone(&rig.worker), 7);
    exchange.request_head(&rig.host, false);
    let flow = rig.send(&mut exchange, QUESTION);
    (exchange, flow)
}

const CHAT: &str = "/v1/chat/completions";

fn by_group() -> Value {
    json!([
        { "header": "authorization", "value": "Bearer ${env:SHORT}", "when": "\"research\" in identity.groups" },
        { "header": "authorization", "value": "Bearer ${env:KEY}", "when": "\"sales\" in identity.groups" },
        { "header": "x-org", "value": "${env:KEY}" },
    ])
}

#[test]
fn the_first_whose_condition_holds_goes_upstream_and_each_place_has_its_own() {
    for (group, sent) in [("research", "Bearer short"), ("sales", &*format!("Bearer {CREDENTIAL}"))] {
        let rig = rig(by_group());
        assert_eq!(asked(&rig, &["rag-users", group], CHAT, &[]).1, Flow::Continue);
        assert_eq!(rig.sent("authorization").as_deref(), Some(sent));
        assert_eq!(rig.sent("x-org").as_deref(), Some(CREDENTIAL));
    }
    let rig = rig(by_group());
    asked(&rig, &["rag-users", "sales", "research"], CHAT, &[]);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer short"));
}

#[test]
fn a_caller_for_whom_there_is_none_is_refused_and_not_sent_without() {
    let rig = rig(by_group());
    assert_eq!(asked(&rig, &["rag-users"], CHAT, &[]).1, Flow::Pause);
    assert_eq!((rig.refusal().status, rig.code()), (403, "forbidden".to_owned()));
    assert_ne!(rig.sent("x-org").as_deref(), Some(CREDENTIAL));
}

#[test]
fn a_condition_that_cannot_be_decided_refuses() {
    let rig =
        rig(json!([{ "header": "x-key", "value": "${env:KEY}", "when": "identity.claims.team == \"a\"" }]));
    assert_eq!(asked(&rig, &["rag-users"], CHAT, &[]).1, Flow::Pause);
    assert_eq!(rig.code(), "policy_error");
}

#[test]
fn a_condition_may_read_the_requests_headers() {
    let rig = rig(json!([
        { "header": "x-key", "value": "${env:SHORT}", "when": "request.headers[\"x-tier\"] == \"low\"" },
        { "header": "x-key", "value": "${env:KEY}" },
    ]));
    assert_eq!(asked(&rig, &["rag-users"], CHAT, &[("x-tier", "low")]).1, Flow::Continue);
    assert_eq!(rig.sent("x-key").as_deref(), Some("short"));
}

#[test]
fn in_a_query_it_is_encoded_and_the_callers_own_is_gone() {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    set["connections"][1]["credential"] = json!({ "query": "sig", "value": "${env:ODD}" });
    let mut rig = Rig::new();
    rig.host.env.insert("ODD".to_owned(), OTHER.to_owned());
    rig.key = key;
    rig.worker = Rc::new(Worker::start(&rig.host, &bundle(&set, true)).unwrap_or_else(|_| panic!("a set")));
    for (path, sent) in [
        (CHAT.to_owned(), format!("{CHAT}?sig=sk%20other%2F%26%3D")),
        (format!("{CHAT}?a=1&SIG=mine&%73ig=x"), format!("{CHAT}?a=1&sig=sk%20other%2F%26%3D")),
        (format!("{CHAT}?key=mine"), format!("{CHAT}?sig=sk%20other%2F%26%3D")),
    ] {
        let (mut exchange, flow) = asked(&rig, &["rag-users"], &path, &[]);
        assert_eq!((flow, rig.sent(":path")), (Flow::Continue, Some(sent)));
        rig.answer(
            &mut exchange,
            "200",
            &[("location", "/again?sig=sk%20other%2F%26%3D"), ("content-type", "text/plain")],
        );
        let location = rig.host.header(Side::Response, "location").unwrap();
        assert!(!location.contains("sk%20other"), "{location}");
        let out = rig.piece(&mut exchange, "you sent sk other/&= here", true).unwrap();
        assert!(!out.contains(OTHER), "{out}");
        exchange.finish(&rig.host);
        let records = super::records::delivered(&rig);
        assert!(records.iter().all(|record| !record.to_string().contains("sk%20other")), "{records:?}");
    }
}

#[test]
fn what_an_upstream_could_take_for_it_is_taken_out() {
    let rig = rig(json!([{ "header": "x-org-key", "value": "${env:KEY}" }]));
    let more = [("x_org_key", "mine"), ("x-org_key", "mine"), ("x-org-key", "mine"), ("x-org-keys", "kept")];
    assert_eq!(asked(&rig, &["rag-users"], CHAT, &more).1, Flow::Continue);
    assert_eq!(rig.sent("x-org-key").as_deref(), Some(CREDENTIAL));
    assert_eq!((rig.sent("x_org_key"), rig.sent("x-org_key")), (None, None));
    assert_eq!(rig.sent("x-org-keys").as_deref(), Some("kept"));
    assert_eq!(rig.sent("authorization"), None, "the caller's token goes nowhere");
}

#[test]
fn every_one_of_them_is_covered_in_every_answer() {
    let rig = rig(by_group());
    let (mut exchange, _) = asked(&rig, &["rag-users", "sales"], CHAT, &[]);
    rig.answer(&mut exchange, "200", &[("content-type", "text/plain")]);
    let out = rig.piece(&mut exchange, &format!("keys {CREDENTIAL} end"), true).unwrap();
    assert_eq!(out, "keys <UPSTREAM_CREDENTIAL> end");
}

#[test]
fn in_monitor_a_caller_for_whom_there_is_none_goes_on_with_none() {
    let rig = Rig::with(|set| {
        set["connections"][1]["credential"] = by_group();
        set["mode"] = json!("monitor");
    });
    let (mut exchange, flow) = asked(&rig, &["rag-users"], CHAT, &[("x_org", "mine")]);
    assert_eq!(flow, Flow::Continue);
    assert_eq!((rig.sent("authorization"), rig.sent("x-org"), rig.sent("x_org")), (None, None, None));
    exchange.finish(&rig.host);
    let end = super::records::delivered(&rig).pop().unwrap();
    assert_eq!(end["portcullis.would_reason"], "forbidden");
}
