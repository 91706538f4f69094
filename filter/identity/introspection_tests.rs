use std::time::Duration;

use serde_json::{Value, json};

use super::super::testing::{ISSUER, NOW, NOW_NS, with};
use super::super::verify::{Proof, Verifier};
use super::*;

fn verifier(audiences: &[&str]) -> Verifier {
    Verifier::new(vec![
        Issuer {
            issuer: "https://other.example.com".to_owned(),
            audiences: vec!["rag".to_owned()],
            groups_claim: vec!["groups".to_owned()],
            leeway: Duration::ZERO,
            proof: Proof::Signature,
        },
        Issuer {
            issuer: ISSUER.to_owned(),
            audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
            groups_claim: vec!["groups".to_owned()],
            leeway: Duration::from_secs(30),
            proof: Proof::Introspection,
        },
    ])
}

fn good() -> Value {
    json!({
        "active": true, "iss": ISSUER, "sub": "alice", "aud": "rag", "exp": NOW + 600, "scope": "rag.read",
        "username": "alice@example.com", "groups": ["rag-users"], "token_type": "Bearer"
    })
}

fn refused(change: &Value) -> Answered {
    let body = with(good(), change).to_string();
    let answered = verifier(&["rag"]).answered(1, NOW_NS, Ok((200, body.as_bytes())));
    answered.expect_err(&body)
}

#[test]
fn an_answer_gives_the_same_identity_as_a_token_of_those_claims() {
    let body = good().to_string();
    let identity = verifier(&["rag"]).answered(1, NOW_NS, Ok((200, body.as_bytes()))).unwrap();
    assert_eq!(identity.id, format!("{ISSUER}#alice"));
    assert_eq!((identity.issuer_index, identity.groups.as_slice()), (1, &["rag-users".to_owned()][..]));
    assert!(identity.has_scope("rag.read"));
    assert_eq!(identity.claims["username"], "alice@example.com");
    assert_eq!(identity.expires, (NOW + 600) * 1_000_000_000);
}

#[test]
fn an_answer_may_leave_out_its_issuer_and_its_end() {
    let body = with(good(), &json!({ "iss": null, "exp": null })).to_string();
    let identity = verifier(&["rag"]).answered(1, NOW_NS, Ok((200, body.as_bytes()))).unwrap();
    assert_eq!((identity.issuer.as_str(), identity.expires), (ISSUER, u64::MAX));
    let body = with(good(), &json!({ "aud": null })).to_string();
    assert!(verifier(&[]).answered(1, NOW_NS, Ok((200, body.as_bytes()))).is_ok(), "none is configured");
}

#[test]
fn what_is_said_of_a_token_that_does_not_count_refuses_it() {
    for (change, error) in [
        (json!({ "active": false }), TokenError::Inactive),
        (json!({ "sub": null }), TokenError::Claim("sub")),
        (json!({ "sub": "" }), TokenError::Claim("sub")),
        (json!({ "sub": 7 }), TokenError::Claim("sub")),
        (json!({ "sub": "alice\nroot" }), TokenError::Characters("sub")),
        (json!({ "exp": 1e18 }), TokenError::Date("exp")),
        (json!({ "iss": "https://evil.example.com" }), TokenError::Issuer),
        (json!({ "iss": 1 }), TokenError::Claim("iss")),
        (json!({ "aud": "other" }), TokenError::Audience),
        (json!({ "aud": null }), TokenError::Audience),
        (json!({ "exp": NOW - 31 }), TokenError::Expired),
        (json!({ "exp": "soon" }), TokenError::Claim("exp")),
        (json!({ "nbf": NOW + 31 }), TokenError::NotYetValid),
        (json!({ "token_type": "DPoP" }), TokenError::Type),
        (json!({ "token_type": "refresh_token" }), TokenError::Type),
        (json!({ "token_use": "refresh_token" }), TokenError::Type),
        (json!({ "typ": "Refresh" }), TokenError::Type),
        (json!({ "_claim_names": { "groups": "src1" } }), TokenError::GroupsElsewhere),
    ] {
        assert_eq!(refused(&change), Answered::Refused(error), "{change}");
    }
}

#[test]
fn an_answer_that_says_nothing_of_the_token_is_no_fault_of_its_caller() {
    for change in [json!({ "active": "true" }), json!({ "active": 1 }), json!({ "active": null })] {
        assert_eq!(refused(&change), Answered::Unknown(AnswerError::Active), "{change}");
    }
    let answered = |status, body: &[u8]| verifier(&["rag"]).answered(1, NOW_NS, Ok((status, body)));
    let body = good().to_string();
    for status in [201, 204, 302, 401, 403, 404, 500, 503] {
        let error = AnswerError::Status(status);
        assert_eq!(answered(status, body.as_bytes()), Err(error.into()));
    }
    let twice = body.replacen("\"active\":true", "\"active\":false,\"active\":true", 1);
    assert_ne!(twice, body);
    for body in ["", "<html>", "[]", "true", &twice, &body[..body.len() - 1]] {
        assert!(
            matches!(answered(200, body.as_bytes()), Err(Answered::Unknown(AnswerError::Json(_)))),
            "{body}"
        );
    }
    let mut huge = body.clone().into_bytes();
    huge.resize(MAX_ANSWER + 1, b' ');
    assert_eq!(answered(200, &huge), Err(AnswerError::TooLarge.into()));
    huge.truncate(MAX_ANSWER);
    assert!(answered(200, &huge).is_ok());
    let lost = verifier(&["rag"]).answered(1, NOW_NS, Err(Failure::Broken));
    assert_eq!(lost, Err(AnswerError::NoAnswer(Failure::Broken).into()));
}

#[test]
fn a_token_is_shown_to_its_own_issuer_alone() {
    let verifier = verifier(&[]);
    let jwt = |claims: &Value| {
        let part = |value: &Value| super::super::base64url::encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
    };
    assert_eq!(verifier.introspected("0a1b2c", &[0, 1]), Some(1), "opaque: it does not say");
    assert_eq!(verifier.introspected("a.b.c", &[0, 1]), Some(1), "opaque, with dots");
    assert_eq!(verifier.introspected(&jwt(&json!({ "iss": ISSUER })), &[0, 1]), Some(1));
    assert_eq!(verifier.introspected(&jwt(&json!({ "iss": "https://other.example.com" })), &[0, 1]), None);
    assert_eq!(verifier.introspected(&jwt(&json!({ "iss": "https://third.example.com" })), &[0, 1]), None);
    assert_eq!(verifier.introspected("0a1b2c", &[0]), None, "the connection accepts others only");
}

#[test]
fn a_token_stands_in_the_question_as_a_form_has_it() {
    assert_eq!(question("a-b_c.~"), "token=a-b_c.%7E&token_type_hint=access_token");
    assert_eq!(question("a+/=&b"), "token=a%2B%2F%3D%26b&token_type_hint=access_token");
    assert_eq!(encoded("a:b c\u{e9}"), "a%3Ab%20c%C3%A9");
}
