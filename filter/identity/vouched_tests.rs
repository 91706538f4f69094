use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::testing::{ISSUER, NOW, NOW_NS, all_keys, claims, token_with, with};
use super::*;
use crate::identity::signature::NoNative;

const MESH: &str = "https://mesh.example.com";

fn issuer(url: &str, proof: Proof) -> Issuer {
    Issuer {
        issuer: url.to_owned(),
        audiences: vec!["rag".to_owned()],
        groups_claim: vec!["groups".to_owned()],
        leeway: Duration::from_secs(30),
        proof,
    }
}

fn by_proxy(payload: &str) -> Proof {
    Proof::Proxy { payload: payload.to_owned() }
}

/// Ours under `corp`, one by its keys, and two under the same name.
fn verifier() -> Verifier {
    Verifier::new(vec![
        issuer(ISSUER, by_proxy("corp")),
        issuer("https://keys.example.com", Proof::Signature),
        issuer(MESH, by_proxy("payload")),
        issuer("https://other.example.com", by_proxy("payload")),
    ])
}

fn judge(left: &Value, beside: Option<&str>, accepted: &[usize]) -> Result<Vouched, TokenError> {
    let left: BTreeMap<String, Map<String, Value>> = serde_json::from_value(left.clone()).unwrap();
    verifier().vouched(|name| left.get(name), beside, accepted, NOW_NS)
}

fn caller(left: &Value, beside: Option<&str>, accepted: &[usize]) -> Identity {
    match judge(left, beside, accepted) {
        Ok(Vouched::Caller(identity)) => identity,
        other => panic!("{other:?}"),
    }
}

#[test]
fn claims_that_the_proxy_verified_give_their_caller() {
    for beside in [None, Some(token_with(&json!({})))] {
        let identity = caller(&json!({ "corp": claims() }), beside.as_deref(), &[0, 1, 2]);
        assert_eq!((identity.id.as_str(), identity.issuer_index), ("https://idp.example.com#alice", 0));
        assert_eq!(identity.groups, ["rag-users"]);
    }
}

#[test]
fn claims_are_still_held_to_issuer_audience_and_time() {
    let error = |changes: Value| judge(&json!({ "corp": with(claims(), &changes) }), None, &[0]).unwrap_err();
    assert_eq!(error(json!({ "aud": "other" })), TokenError::Audience);
    assert_eq!(error(json!({ "aud": null })), TokenError::Audience);
    assert_eq!(error(json!({ "exp": NOW - 31 })), TokenError::Expired);
    assert_eq!(error(json!({ "exp": null })), TokenError::Claim("exp"));
    assert_eq!(error(json!({ "exp": "soon" })), TokenError::Claim("exp"));
    assert_eq!(error(json!({ "nbf": NOW + 31 })), TokenError::NotYetValid);
    assert_eq!(error(json!({ "sub": null })), TokenError::Claim("sub"));
    for iss in [json!("https://evil"), json!(null), json!([ISSUER])] {
        let left = json!({ "corp": with(claims(), &json!({ "iss": iss })) });
        assert_eq!(judge(&left, None, &[0]), Ok(Vouched::Foreign));
    }
}

#[test]
fn claims_count_under_their_issuers_own_name_alone() {
    assert_eq!(judge(&json!({ "payload": claims() }), None, &[0, 2]), Ok(Vouched::Foreign));
    assert_eq!(judge(&json!({ "else": claims() }), None, &[0, 2]), Ok(Vouched::Nobody));
    assert_eq!(judge(&json!({ "corp": claims() }), None, &[1, 2]), Ok(Vouched::Nobody), "not accepted here");
    let other = with(claims(), &json!({ "iss": "https://other.example.com" }));
    assert_eq!(caller(&json!({ "payload": other }), None, &[2, 3]).issuer_index, 3, "one name for two");
    assert_eq!(judge(&json!({ "payload": other }), None, &[2]), Ok(Vouched::Foreign));
}

#[test]
fn two_callers_are_none() {
    let mesh = with(claims(), &json!({ "iss": MESH }));
    let both = json!({ "corp": claims(), "payload": mesh });
    assert_eq!(judge(&both, None, &[0, 2]), Err(TokenError::Another));
    assert_eq!(caller(&both, None, &[2]).issuer, MESH, "of whom one is accepted");
}

#[test]
fn another_token_beside_the_one_that_was_verified_is_refused() {
    let left = json!({ "corp": claims() });
    for changes in [
        json!({ "sub": "bob" }),
        json!({ "exp": NOW + 301 }),
        json!({ "jti": "2" }),
        json!({ "iss": MESH }),
        json!({ "aud": ["rag", "x"] }),
    ] {
        assert_eq!(judge(&left, Some(&token_with(&changes)), &[0, 1]), Err(TokenError::Another), "{changes}");
    }
    for opaque in ["sk-1234", "a.b.c", ""] {
        assert_eq!(judge(&left, Some(opaque), &[0]), Err(TokenError::Another), "{opaque}");
    }
    let reshaped = json!({ "corp": with(claims(), &json!({ "groups": ["changed"] })) });
    assert_eq!(
        caller(&reshaped, Some(&token_with(&json!({}))), &[0]).groups,
        ["changed"],
        "what was verified"
    );
}

#[test]
fn a_token_that_the_proxy_did_not_verify_is_not_verified_here_either() {
    let keys = all_keys();
    let verdict =
        verifier().verify(&token_with(&json!({})), &[0], NOW_NS, |_| State::Ready(&keys), &NoNative);
    assert_eq!(verdict, Err(TokenError::Unvouched.into()), "whatever keys there are");
}

fn workloads() -> Verifier {
    let domain = |name: &str| Issuer { audiences: Vec::new(), ..issuer(name, Proof::Certificate) };
    Verifier::new(vec![
        issuer(ISSUER, Proof::Signature),
        domain("spiffe://cluster.local"),
        domain("spiffe://other.example"),
    ])
}

#[test]
fn a_spiffe_id_of_an_accepted_trust_domain_is_a_caller() {
    let identity = workloads().certified("spiffe://cluster.local/ns/a/sa/b", &[0, 1]).unwrap();
    assert_eq!(identity.id, "spiffe://cluster.local#spiffe://cluster.local/ns/a/sa/b");
    assert_eq!((identity.subject.as_str(), identity.issuer_index), ("spiffe://cluster.local/ns/a/sa/b", 1));
    assert!(identity.groups.is_empty());
    let long = format!("spiffe://cluster.local/{}", "a".repeat(2000));
    for stranger in [
        "",
        "spiffe://cluster.local",
        "spiffe://cluster.local/",
        "spiffe://cluster.local.evil/ns/a",
        "spiffe://cluster.localx",
        "spiffe://other.example/ns/a",
        "SPIFFE://cluster.local/ns/a",
        "https://idp.example.com/a",
        "spiffe://cluster.local/a\nb",
        &long,
    ] {
        assert_eq!(workloads().certified(stranger, &[0, 1]), None, "{stranger}");
    }
}

#[test]
fn no_token_speaks_for_a_workload() {
    assert!(workloads().only_certificates(&[1, 2]));
    assert!(!workloads().only_certificates(&[0, 1]) && !workloads().only_certificates(&[]));
    let keys = all_keys();
    let token = token_with(&json!({ "iss": "spiffe://cluster.local", "sub": "spiffe://cluster.local/ns/a" }));
    let verdict = workloads().verify(&token, &[0, 1], NOW_NS, |_| State::Ready(&keys), &NoNative);
    assert_eq!(verdict, Err(TokenError::Audience.into()));
}

#[test]
fn groups_that_are_elsewhere_refuse_the_token_whoever_verified_it() {
    let overage = json!({ "groups": null, "_claim_names": { "groups": "src1" } });
    let claims = with(claims(), &overage);
    assert_eq!(judge(&json!({ "corp": claims }), None, &[0]), Err(TokenError::GroupsElsewhere));
    let keys = all_keys();
    let verdict = workloads().verify(&token_with(&overage), &[0], NOW_NS, |_| State::Ready(&keys), &NoNative);
    assert_eq!(verdict, Err(TokenError::GroupsElsewhere.into()));
}

#[test]
fn scopes_are_read_from_either_claim_and_whole() {
    let with_claims = |more: Value| caller(&json!({ "corp": with(claims(), &more) }), None, &[0]);
    for granted in
        [json!({ "scope": "a rag.read" }), json!({ "scp": ["rag.read"] }), json!({ "scp": "rag.read" })]
    {
        assert!(with_claims(granted.clone()).has_scope("rag.read"), "{granted}");
    }
    for not in
        [json!({}), json!({ "scope": "rag.reads" }), json!({ "scope": 1 }), json!({ "scp": [["rag.read"]] })]
    {
        assert!(!with_claims(not.clone()).has_scope("rag.read"), "{not}");
    }
}
