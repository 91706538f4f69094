//! Who may do what, as programs meet it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use serde_json::json;
use support::access::{WRITER, ask, asking, get, send};
use support::http::request;
use support::place::Place;
use support::provider::{Provider, seconds};
use support::worker::Worker;
use support::{Collector, eventually};

#[test]
fn a_role_opens_its_addresses_and_no_others() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let as_ = |group: &str| provider.bearer("somebody", &[group]);
    for (group, read, approvals, write) in [
        ("readers", 200, 200, 403),
        ("deciders", 403, 200, 403),
        ("admins", 200, 200, 200),
        ("filters", 403, 403, 200),
        ("chiefs", 403, 200, 403),
        ("strangers", 403, 403, 403),
    ] {
        let token = as_(group);
        assert_eq!(get(&collector, "/api/exchanges", Some(&token)).status, read, "{group} reads");
        assert_eq!(get(&collector, "/api/records", Some(&token)).status, read, "{group} exports");
        assert_eq!(
            get(&collector, "/api/exchanges/x", Some(&token)).status,
            if read == 200 { 404 } else { 403 }
        );
        assert_eq!(
            get(&collector, "/api/approvals", Some(&token)).status,
            approvals,
            "{group} sees approvals"
        );
        assert_eq!(send(&collector, &mut Worker::new(1), 1, Some(&token)), write, "{group} writes");
        let me = get(&collector, "/api/me", Some(&token));
        assert_eq!((me.status, me.json()["groups"].clone()), (200, json!([group])));
        // To break the glass takes its own role, which no admin has.
        let path = "/api/approvals/apr_x/break-glass";
        let broken = ask(&collector, "POST", path, Some(&token)).status;
        assert_eq!(broken == 403, group != "chiefs", "{group}: {broken}");
    }
    let refused = get(&collector, "/api/records", Some(&as_("deciders")));
    assert_eq!(refused.json()["detail"], "this takes the role auditor");
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
}

#[test]
fn nobody_comes_in_without_showing_who_they_are() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let addresses = [
        ("GET", "/api/exchanges"),
        ("GET", "/api/exchanges/x"),
        ("GET", "/api/records"),
        ("GET", "/api/live"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/me"),
        ("GET", "/api/approvals"),
        ("POST", "/v1/logs"),
        ("POST", "/v1/approvals"),
        ("GET", "/v1/approvals/apr_x"),
        ("POST", "/v1/approvals/apr_x/spend"),
        ("POST", "/api/approvals/apr_x/approve"),
    ];
    for (method, path) in addresses {
        let answer = ask(&collector, method, path, None);
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"portcullis-collector\""));
    }
    let good = json!({ "sub": "a", "aud": "audit", "groups": ["admins"] });
    let with = |changes: serde_json::Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        provider.token(claims)
    };
    assert_eq!(get(&collector, "/api/me", Some(&with(json!({})))).status, 200);
    let mut forged = with(json!({})).into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let wrong = [
        (String::from_utf8(forged).unwrap(), "token_signature"),
        (with(json!({ "exp": seconds() - 60 })), "token_expired"),
        (with(json!({ "aud": "rag" })), "token_audience"),
        (with(json!({ "iss": "https://other.example" })), "token_issuer"),
        (WRITER.to_uppercase(), "token_malformed"),
        ("x.y.z".to_owned(), "token_malformed"),
    ];
    for (token, why) in wrong {
        let answer = get(&collector, "/api/me", Some(&token));
        assert_eq!(answer.status, 401, "{why}");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"), "{answer:?}");
        let said = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains("token_") && !said.contains(&token), "{said}");
    }
    // A scheme that we do not speak, and two tokens.
    let good = format!("Bearer {}", with(json!({})));
    for headers in
        [&[("authorization", "Basic eDp5")][..], &[("authorization", &good), ("authorization", &good)]]
    {
        assert_eq!(request(collector.address, "GET", "/api/me", headers, b"").unwrap().status, 401);
    }
    // What is not there is not told from what is not allowed by anything but the table.
    assert_eq!(get(&collector, "/api/secret", None).status, 404);
    assert_eq!(ask(&collector, "DELETE", "/api/records", Some(&with(json!({})))).status, 405);
}

#[test]
fn the_writers_token_writes_and_does_nothing_else() {
    let environment =
        [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", "an-older-token-0123456789,writer-token-0123456789")];
    let place = Place::sqlite();
    let collector = Collector::start_with(&place, &[], &environment);
    let mut worker = Worker::new(1);
    assert_eq!(send(&collector, &mut Worker::new(2), 1, None), 401);
    assert_eq!(send(&collector, &mut Worker::new(2), 1, Some("writer-token-0123456780")), 401);
    assert_eq!(send(&collector, &mut worker, 1, Some(WRITER)), 200);
    assert_eq!(send(&collector, &mut worker, 1, Some("an-older-token-0123456789")), 200);
    assert_eq!(get(&collector, "/api/records", Some(WRITER)).status, 403);
    assert_eq!(get(&collector, "/api/me", Some(WRITER)).json()["id"], "writer");
}

#[test]
fn a_key_that_comes_later_is_found_and_a_provider_that_is_away_is_said_to_be() {
    let provider = Provider::start();
    provider.publish(false);
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let token = provider.bearer("alice", &["readers"]);
    assert_eq!(get(&collector, "/api/me", Some(&token)).status, 401);
    provider.publish(true);
    let found = eventually(|| get(&collector, "/api/me", Some(&token)).status, |status| *status == 200);
    assert_eq!(found, 200);
    // Keys at hand go on being used.
    provider.away(true);
    assert_eq!(get(&collector, "/api/me", Some(&token)).status, 200);
    // A collector that never had any says that it is not the token's fault.
    let place = Place::sqlite();
    let fresh = asking(&place, &provider);
    let answer = get(&fresh, "/api/me", Some(&token));
    assert_eq!(answer.status, 503, "{answer:?}");
    provider.away(false);
    eventually(|| get(&fresh, "/api/me", Some(&token)).status, |status| *status == 200);
}

#[test]
fn tokens_that_name_unknown_keys_do_not_make_it_ask_again_and_again() {
    let provider = Provider::start();
    provider.publish(false);
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let token = provider.bearer("alice", &["readers"]);
    let asking = |_| {
        let (address, bearer) = (collector.address, format!("Bearer {token}"));
        std::thread::spawn(move || {
            request(address, "GET", "/api/me", &[("authorization", &bearer)], b"").unwrap().status
        })
    };
    let threads: Vec<_> = (0..20).map(asking).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 401));
    assert!(provider.asked() <= 4, "{}", provider.asked());
}
