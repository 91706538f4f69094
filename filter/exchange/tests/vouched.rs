//! Callers for whom the proxy's own filter vouches.

use super::*;
use crate::identity::metadata::written;

/// A rig whose only issuer is verified by the proxy.
fn vouching() -> Rig {
    Rig::with(|set| {
        let issuer = &mut set["issuers"][0];
        issuer["verified_by"] = json!("envoy.filters.http.jwt_authn");
        issuer.as_object_mut().unwrap().remove("jwks");
    })
}

fn leave(rig: &Rig, name: &str, changes: Value) {
    let now = rig.host.now.get() / 1_000_000_000;
    let mut claims =
        json!({ "iss": ISSUER, "sub": "alice", "aud": "rag", "exp": now + 60, "groups": ["rag-users"] });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let metadata = written::metadata(&json!({ (name): claims }));
    rig.host.properties.borrow_mut().insert("metadata".to_owned(), metadata);
}

fn models(rig: &Rig, headers: &[(&str, &str)]) -> Flow {
    rig.head("GET", "/v1/models", headers);
    Exchange::begin(Rc::clone(&rig.worker), 7).request_head(&rig.host, true)
}

#[test]
fn claims_of_the_proxys_filter_let_their_caller_in() {
    let rig = vouching();
    leave(&rig, "corp", json!({}));
    assert_eq!(models(&rig, &[]), Flow::Continue);
    assert_eq!(rig.sent("authorization").as_deref(), Some("Bearer sk-upstream-0123456789"));
    assert_eq!(models(&rig, &[("authorization", "Basic eDp5")]), Flow::Continue, "no token of ours");
    leave(&rig, "corp", json!({ "groups": ["others"] }));
    assert_eq!(models(&rig, &[]), Flow::Pause);
    assert_eq!(rig.code(), "forbidden");
}

#[test]
fn without_such_claims_no_token_lets_anybody_in() {
    let rig = vouching();
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    assert_eq!(models(&rig, &[("authorization", &bearer)]), Flow::Pause);
    assert_eq!(rig.code(), "unauthenticated");
    let rig = vouching();
    rig.host.properties.borrow_mut().insert("metadata".to_owned(), b"\xff\xff".to_vec());
    assert_eq!(models(&rig, &[("authorization", &bearer)]), Flow::Pause);
    assert_eq!(rig.code(), "unauthenticated");
}

#[test]
fn claims_under_another_name_or_of_another_issuer_let_nobody_in() {
    for (name, changes) in
        [("other", json!({})), ("corp", json!({ "iss": "https://evil" })), ("corp", json!({ "exp": 1 }))]
    {
        let rig = vouching();
        leave(&rig, name, changes);
        assert_eq!(models(&rig, &[]), Flow::Pause);
        assert_eq!(rig.code(), "unauthenticated");
    }
}

#[test]
fn the_proxys_claims_count_for_nothing_where_keys_vouch() {
    let rig = Rig::new();
    leave(&rig, "corp", json!({}));
    assert_eq!(models(&rig, &[]), Flow::Pause);
    assert_eq!(rig.code(), "unauthenticated");
}

#[test]
fn a_token_beside_them_must_be_the_same() {
    let rig = vouching();
    leave(&rig, "corp", json!({ "sub": "bob" }));
    let bearer = format!("Bearer {}", rig.token(&["rag-users"]));
    assert_eq!(models(&rig, &[("authorization", &bearer)]), Flow::Pause);
    assert_eq!(rig.code(), "unauthenticated");
}
