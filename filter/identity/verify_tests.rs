use jwt_simple::prelude::{HS256Key, MACLike as _};
use proptest::prelude::*;
use serde_json::json;

use super::super::base64url;
use super::super::cache::Cache;
use super::super::testing::{
    DerNative, ED25519, ISSUER, NOW, NOW_NS, P256, RSA, RSA2, all_keys, claims, jwk, jwk_with, key_set,
    openssl, sign_token, token_with, with,
};
use super::*;
use crate::identity::signature::NoNative;

const LEEWAY: u64 = 30;

fn issuer(url: &str, audience: &str) -> Issuer {
    Issuer {
        issuer: url.to_owned(),
        audiences: vec!["other".to_owned(), audience.to_owned()],
        groups_claim: vec!["groups".to_owned()],
        leeway: Duration::from_secs(LEEWAY),
        proof: Proof::Signature,
    }
}

fn verifier() -> Verifier {
    Verifier::new(vec![issuer("https://else.example.com", "rag"), issuer(ISSUER, "rag")])
}

fn with_keys(text: &str, keys: &KeySet, now: u64) -> Result<Identity, Refusal> {
    let verdict = verifier().verify(text, &[0, 1], now, |_| State::Ready(keys), &DerNative);
    assert_eq!(verdict, verifier().verify(text, &[0, 1], now, |_| State::Ready(keys), &NoNative));
    verdict
}

fn verify(text: &str) -> Result<Identity, Refusal> {
    with_keys(text, &all_keys(), NOW_NS)
}

fn error(text: &str) -> TokenError {
    match verify(text) {
        Err(Refusal::Unauthenticated(error)) => error,
        Err(Refusal::UnknownKey { error: error @ TokenError::Signature, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_token_gives_its_caller() {
    let identity = verify(&token_with(&json!({"tenant": {"a": 1}}))).unwrap();
    assert_eq!(identity.id, "https://idp.example.com#alice");
    assert_eq!((identity.subject.as_str(), identity.issuer.as_str()), ("alice", ISSUER));
    assert_eq!((identity.issuer_index, identity.groups), (1, vec!["rag-users".to_owned()]));
    assert_eq!(identity.claims["tenant"], json!({"a": 1}));
    assert_eq!(identity.expires, (NOW + 300) * 1_000_000_000);
}

#[test]
fn every_algorithm_of_openssl_gives_its_caller() {
    for (name, token) in openssl()["tokens"].as_object().unwrap() {
        assert_eq!(
            verify(token.as_str().unwrap()).map(|identity| identity.subject),
            Ok("openssl".to_owned()),
            "{name}"
        );
    }
}

#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let spki = base64url::decode(openssl()["spki"]["rsa"].as_str().unwrap()).unwrap();
    let der = rsa::pkcs8::DecodePublicKey::from_public_key_der(&spki).unwrap();
    let pem = rsa::pkcs8::EncodePublicKey::to_public_key_pem(&der as &rsa::RsaPublicKey, Default::default())
        .unwrap();
    let jwk = jwk("rsa").to_string();
    for secret in [&spki[..], pem.as_bytes(), pem.trim().as_bytes(), jwk.as_bytes()] {
        let simple = jwt_simple::prelude::Claims::create(jwt_simple::prelude::Duration::from_mins(5));
        let simple = simple.with_issuer(ISSUER).with_subject("eve").with_audience("rag");
        let token = HS256Key::from_bytes(secret).with_key_id("rsa").authenticate(simple).unwrap();
        assert_eq!(error(&token), TokenError::Algorithm);
        // The same tag under an algorithm that is accepted.
        let [_, claims, tag]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let header = base64url::encode(r#"{"alg":"RS256","kid":"rsa"}"#);
        let text = format!("{header}.{claims}.{tag}");
        let now = jwt_simple::prelude::Clock::now_since_epoch().as_secs() * 1_000_000_000;
        let refused = Err(Refusal::UnknownKey { issuer: 1, error: TokenError::Signature });
        assert_eq!(with_keys(&text, &all_keys(), now), refused);
    }
}

#[test]
fn a_token_under_a_key_of_another_kind_is_refused() {
    let token = sign_token(P256, &json!({"alg": "ES256", "kid": "rsa"}), &claims());
    assert_eq!(error(&token), TokenError::KeyAlgorithm);
    let token = sign_token(RSA, &json!({"alg": "RS256", "kid": "p256"}), &claims());
    assert_eq!(error(&token), TokenError::KeyAlgorithm);
    let token = sign_token(RSA, &json!({"alg": "PS256", "kid": "rsa"}), &claims());
    assert_eq!(error(&token), TokenError::Signature);
}

#[test]
fn an_unsigned_token_is_refused() {
    for alg in ["none", "NONE", "nOnE"] {
        let text = sign_token(ED25519, &json!({"alg": alg}), &claims());
        let (signed, _) = text.rsplit_once('.').unwrap();
        assert_eq!(error(&text), TokenError::Algorithm);
        assert_eq!(error(&format!("{signed}.")), TokenError::Malformed);
        assert_eq!(error(signed), TokenError::Malformed);
    }
    let good = token_with(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(error(&format!("{signed}.AA")), TokenError::Signature);
}

#[test]
fn a_token_holds_from_nbf_to_exp_with_leeway() {
    let text = token_with(&json!({"nbf": NOW, "exp": NOW + 100}));
    let at = |seconds: u64| {
        with_keys(&text, &all_keys(), seconds * 1_000_000_000).map(|identity| identity.subject)
    };
    assert_eq!(at(NOW - LEEWAY - 1), Err(TokenError::NotYetValid.into()));
    assert!(at(NOW - LEEWAY).is_ok());
    assert!(at(NOW + 100 + LEEWAY - 1).is_ok());
    assert_eq!(at(NOW + 100 + LEEWAY), Err(TokenError::Expired.into()));
    assert_eq!(at(u64::MAX / 1_000_000_000), Err(TokenError::Expired.into()));
    assert_eq!(error(&token_with(&json!({"exp": 0}))), TokenError::Expired);
    assert_eq!(error(&token_with(&json!({"nbf": 253_402_300_799_u64}))), TokenError::NotYetValid);
    assert_eq!(error(&token_with(&json!({"nbf": NOW as f64 + 30.5}))), TokenError::NotYetValid);
    let far = 253_402_300_799_u64;
    assert!(verify(&token_with(&json!({"exp": far, "nbf": 0, "iat": far}))).is_ok());
}

#[test]
fn a_token_of_another_issuer_is_refused() {
    for iss in ["https://idp.example.com/", "https://IDP.example.com", "https://evil", "x"] {
        assert_eq!(error(&token_with(&json!({"iss": iss}))), TokenError::Issuer, "{iss}");
    }
    // Known to the set, not to the connection.
    let keys = all_keys();
    for accepted in [&[0][..], &[], &[7]] {
        let verdict =
            verifier().verify(&token_with(&json!({})), accepted, NOW_NS, |_| State::Ready(&keys), &NoNative);
        assert_eq!(verdict, Err(TokenError::Issuer.into()));
    }
}

#[test]
fn the_keys_of_the_tokens_issuer_are_asked_and_no_others() {
    let keys = all_keys();
    let asked = std::cell::Cell::new(None);
    let lookup = |index| {
        asked.set(Some(index));
        State::Ready(&keys)
    };
    assert!(verifier().verify(&token_with(&json!({})), &[0, 1], NOW_NS, lookup, &NoNative).is_ok());
    assert_eq!(asked.get(), Some(1));
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    for aud in [json!("RAG"), json!("rag "), json!(["x", "y"]), json!([]), json!(""), json!(null)] {
        assert_eq!(error(&token_with(&json!({"aud": aud}))), TokenError::Audience, "{aud}");
    }
    assert!(verify(&token_with(&json!({"aud": ["x", "rag"]}))).is_ok());
    let deaf = Verifier::new(vec![Issuer { audiences: Vec::new(), ..issuer(ISSUER, "rag") }]);
    let verdict =
        deaf.verify(&token_with(&json!({})), &[0], NOW_NS, |_| panic!("no key is needed"), &NoNative);
    assert_eq!(verdict, Err(TokenError::Audience.into()));
}

#[test]
fn one_issuer_may_stand_twice_with_other_audiences() {
    let verifier = Verifier::new(vec![issuer(ISSUER, "a"), issuer(ISSUER, "rag")]);
    let keys = all_keys();
    let verdict =
        verifier.verify(&token_with(&json!({})), &[0, 1], NOW_NS, |_| State::Ready(&keys), &NoNative);
    assert_eq!(verdict.unwrap().issuer_index, 1);
}

#[test]
fn an_unknown_key_asks_for_newer_keys() {
    let unknown = Err(Refusal::UnknownKey { issuer: 1, error: TokenError::UnknownKey });
    let token = sign_token(RSA2, &json!({"alg": "RS256", "kid": "new"}), &claims());
    assert_eq!(verify(&token), unknown);
    // Without a key id a signature that does not hold may be the only sign of new keys.
    let token = sign_token(RSA2, &json!({"alg": "RS256"}), &claims());
    assert_eq!(verify(&token), Err(Refusal::UnknownKey { issuer: 1, error: TokenError::Signature }));
    // With one the issuer may have given its name to another key.
    let token = sign_token(RSA2, &json!({"alg": "RS256", "kid": "rsa"}), &claims());
    assert_eq!(verify(&token), Err(Refusal::UnknownKey { issuer: 1, error: TokenError::Signature }));
}

#[test]
fn a_token_without_key_id_holds_under_any_key_that_fits() {
    let keys = key_set(&[
        jwk_with("rsa", &json!({"n": base64url::encode([&[0xff; 255][..], &[1]].concat()), "kid": "old"})),
        jwk("p256"),
        jwk_with("rsa", &json!({"kid": null})),
    ]);
    let token = sign_token(RSA, &json!({"alg": "RS256"}), &claims());
    assert!(with_keys(&token, &keys, NOW_NS).is_ok());
}

#[test]
fn missing_keys_are_told_apart_from_bad_tokens() {
    let reason = FetchError::Status(500);
    let verify =
        |text: &str, state: State<'static>| verifier().verify(text, &[1], NOW_NS, |_| state, &NoNative);
    let good = token_with(&json!({}));
    assert_eq!(verify(&good, State::Pending), Err(Refusal::KeysPending(1)));
    assert_eq!(
        verify(&good, State::Unavailable { reason }),
        Err(Refusal::KeysUnavailable { issuer: 1, reason })
    );
    // A worthless token waits for nothing.
    for changes in [json!({"exp": 1}), json!({"iss": "x"}), json!({"aud": "x"}), json!({"sub": null})] {
        let verdict = verify(&token_with(&changes), State::Pending);
        assert!(matches!(verdict, Err(Refusal::Unauthenticated(_))), "{changes}");
    }
}

#[test]
fn a_groups_claim_of_a_wrong_shape_grants_nothing_and_shows() {
    let identity = verify(&token_with(&json!({"groups": {"rag-users": true}}))).unwrap();
    assert!(identity.groups.is_empty() && identity.groups_malformed);
    let identity = verify(&token_with(&json!({"groups": null}))).unwrap();
    assert!(identity.groups.is_empty() && !identity.groups_malformed);
}

#[test]
fn a_verified_token_comes_out_of_the_cache_as_it_went_in() {
    let text = token_with(&json!({}));
    let identity = std::sync::Arc::new(verify(&text).unwrap());
    let mut cache = Cache::new([1; 16], 8);
    cache.put(&text, std::sync::Arc::clone(&identity), 5);
    assert_eq!(cache.get(&text, &[1], NOW_NS, |_| 5), Some(identity));
    // Leeway is the verifier's: the cache keeps nothing beyond `exp`.
    assert_eq!(cache.get(&text, &[1], (NOW + 300) * 1_000_000_000, |_| 5), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// One changed character anywhere: nobody is let in.
    #[test]
    fn no_changed_token_lets_anybody_in(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = token_with(&json!({}));
        let mut text = good.clone().into_bytes();
        let place = place.index(text.len());
        text[place] = byte & 0x7f;
        let text = String::from_utf8(text).unwrap();
        prop_assume!(text != good);
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn any_claims_are_judged_without_a_panic(name in "[a-z]{3}|groups", number in any::<f64>(), text in ".{0,8}") {
        for value in [json!(number), json!(text), json!([text]), json!({"a": number})] {
            let token = sign_token(ED25519, &json!({"alg": "EdDSA"}), &with(claims(), &json!({&name: value})));
            let _ = verify(&token);
        }
    }
}
