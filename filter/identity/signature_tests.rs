use std::cell::Cell;

use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike as _, ECDSAP384KeyPairLike as _, ES256KeyPair, ES384KeyPair,
    Ed25519KeyPair, EdDSAKeyPairLike as _, JWTClaims, PS256KeyPair, PS384KeyPair, PS512KeyPair, RS256KeyPair,
    RS384KeyPair, RS512KeyPair, RSAKeyPairLike as _,
};
use p256::ecdsa::signature::SignatureEncoding as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::base64url;
use super::super::keys::KeySet;
use super::super::testing::{
    DerNative, ED25519, P256, P384, RSA, RSA2, all_keys, claims, key_set, openssl, sign_token, token_with,
};
use super::super::token;
use super::*;

/// By ours and by the proxy's; they must agree.
fn verdict(text: &str, keys: &KeySet) -> bool {
    let token = token::parse(text).unwrap();
    let verdict = |native: &dyn Native| {
        let found = keys.find(token.algorithm, token.key_id.as_deref());
        found.is_ok_and(|keys| keys.iter().any(|key| holds(&token, key, native)))
    };
    let (ours, natively) = (verdict(&NoNative), verdict(&DerNative));
    assert_eq!(ours, natively, "{text}");
    ours
}

fn simple_claims() -> JWTClaims<NoCustomClaims> {
    Claims::create(Duration::from_mins(5)).with_issuer("i").with_subject("s")
}

/// Tokens that jwt-simple signs, one for each algorithm.
fn simple_tokens() -> Vec<(&'static str, String)> {
    let tokens = [
        ("RS256", RS256KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("RS384", RS384KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("RS512", RS512KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("PS256", PS256KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("PS384", PS384KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("PS512", PS512KeyPair::from_pem(RSA).unwrap().sign(simple_claims())),
        ("ES256", ES256KeyPair::from_pem(P256).unwrap().sign(simple_claims())),
        ("ES384", ES384KeyPair::from_pem(P384).unwrap().sign(simple_claims())),
        ("EdDSA", Ed25519KeyPair::from_pem(ED25519).unwrap().sign(simple_claims())),
    ];
    tokens.into_iter().map(|(name, token)| (name, token.unwrap())).collect()
}

fn with_signature(text: &str, signature: &[u8]) -> String {
    let (signed, _) = text.rsplit_once('.').unwrap();
    format!("{signed}.{}", base64url::encode(signature))
}

fn openssl_token(algorithm: &str) -> &'static str {
    openssl()["tokens"][algorithm].as_str().unwrap()
}

#[test]
fn every_algorithm_round_trips() {
    let keys = all_keys();
    for (name, token) in simple_tokens() {
        assert_eq!(token::parse(&token).unwrap().algorithm.name(), name);
        assert!(verdict(&token, &keys), "{name}");
    }
}

#[test]
fn tokens_that_openssl_signed_hold() {
    let keys = all_keys();
    for (name, token) in openssl()["tokens"].as_object().unwrap() {
        assert!(verdict(token.as_str().unwrap(), &keys), "{name}");
    }
}

#[test]
fn the_fully_specified_name_of_eddsa_holds_too() {
    let token = sign_token(ED25519, &json!({"alg": "Ed25519", "kid": "ed25519"}), &claims());
    assert!(verdict(&token, &all_keys()));
}

#[test]
fn a_changed_token_does_not_hold() {
    let keys = all_keys();
    for (name, token) in openssl()["tokens"].as_object().unwrap() {
        let token = token.as_str().unwrap();
        let [header, _, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let other = base64url::encode(claims().to_string());
        assert!(!verdict(&format!("{header}.{other}.{signature}"), &keys), "{name}");
        let mut bytes = base64url::decode(signature).unwrap();
        bytes[7] ^= 1;
        assert!(!verdict(&with_signature(token, &bytes), &keys), "{name}");
    }
}

#[test]
fn a_signature_under_another_key_does_not_hold() {
    let token = sign_token(RSA2, &json!({"alg": "RS256", "kid": "rsa"}), &claims());
    assert!(!verdict(&token, &all_keys()));
}

#[test]
fn the_key_decides_the_algorithm() {
    let keys = all_keys();
    // Each key's good signature under each other algorithm's name.
    for (pem, kid) in [(RSA, "rsa"), (P256, "p256"), (P384, "p384"), (ED25519, "ed25519")] {
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
            let own = matches!(
                (kid, alg),
                ("rsa", "RS256") | ("p256", "ES256") | ("p384", "ES384") | ("ed25519", "EdDSA")
            );
            let token = sign_token(pem, &json!({"alg": alg, "kid": kid}), &claims());
            assert_eq!(verdict(&token, &keys), own, "{kid} as {alg}");
            // Also for whoever skips the choice of keys.
            let token = token::parse(&token).unwrap();
            let key = keys.find(own_algorithm(kid), Some(kid)).unwrap()[0];
            assert_eq!(
                holds(&token, key, &Yes::default()),
                own || kid == "rsa" && alg.starts_with("RS"),
                "{kid} as {alg}"
            );
        }
    }
}

fn own_algorithm(kid: &str) -> Algorithm {
    match kid {
        "rsa" => Algorithm::Rs256,
        "p256" => Algorithm::Es256,
        "p384" => Algorithm::Es384,
        _ => Algorithm::EdDsa,
    }
}

#[test]
fn signatures_of_a_wrong_length_do_not_hold() {
    let keys = all_keys();
    for (name, token) in openssl()["tokens"].as_object().unwrap() {
        let token = token.as_str().unwrap();
        let good = base64url::decode(token.rsplit_once('.').unwrap().1).unwrap();
        let longer = [&good[..], &[0]].concat();
        let padded = [&[0], &good[..]].concat();
        for signature in
            [&good[..good.len() - 1], &good[1..], &longer, &padded, &good[..1], &[0; 64], &[0; 96]]
        {
            assert!(!verdict(&with_signature(token, signature), &keys), "{name} {}", signature.len());
        }
    }
}

#[test]
fn ecdsa_numbers_that_are_zero_or_too_large_do_not_hold() {
    let keys = all_keys();
    for (algorithm, half) in [("ES256", 32), ("ES384", 48)] {
        let token = openssl_token(algorithm);
        let good = base64url::decode(token.rsplit_once('.').unwrap().1).unwrap();
        let (r, s) = good.split_at(half);
        let (zero, ones) = (vec![0; half], vec![0xff; half]);
        for (r, s) in [(&zero[..], s), (r, &zero), (&zero, &zero), (&ones, s), (r, &ones), (&ones, &ones)] {
            assert!(!verdict(&with_signature(token, &[r, s].concat()), &keys), "{algorithm}");
        }
    }
}

#[test]
fn der_signatures_are_no_jose_signatures() {
    let token = openssl_token("ES256");
    let raw = base64url::decode(token.rsplit_once('.').unwrap().1).unwrap();
    assert!(!verdict(&with_signature(token, &ecdsa_to_der(&raw).unwrap()), &all_keys()));
}

/// Says yes to everything and counts.
#[derive(Default)]
struct Yes(Cell<u32>);

impl Native for Yes {
    fn verify(&self, _: Digest, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        self.0.set(self.0.get() + 1);
        Some(true)
    }
}

#[test]
fn the_proxy_is_asked_for_what_it_can_do_and_for_nothing_else() {
    let keys = all_keys();
    for (name, text) in openssl()["tokens"].as_object().unwrap() {
        let token = token::parse(text.as_str().unwrap()).unwrap();
        let key = keys.find(token.algorithm, token.key_id.as_deref()).unwrap()[0];
        let yes = Yes::default();
        assert!(holds(&token, key, &yes));
        assert_eq!(yes.0.get(), u32::from(name.starts_with("RS") || name.starts_with("ES")), "{name}");
    }
}

#[test]
fn the_proxys_no_is_final() {
    struct No;
    impl Native for No {
        fn verify(&self, _: Digest, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
            Some(false)
        }
    }
    let keys = all_keys();
    let token = token::parse(openssl_token("RS256")).unwrap();
    assert!(!holds(&token, keys.find(Algorithm::Rs256, Some("rsa")).unwrap()[0], &No));
}

#[test]
fn a_modulus_with_leading_zeros_is_the_same_key() {
    let mut jwk = super::super::testing::jwk("rsa");
    let n = base64url::decode(jwk["n"].as_str().unwrap()).unwrap();
    jwk["n"] = Value::from(base64url::encode([&[0, 0][..], &n].concat()));
    assert!(verdict(openssl_token("RS256"), &key_set(&[jwk])));
}

proptest! {
    #[test]
    fn the_der_of_an_ecdsa_signature_reads_back(raw in proptest::collection::vec(any::<u8>(), 64), zeros in 0_usize..40) {
        let mut raw = raw;
        raw[..zeros.min(64)].fill(0);
        if let Ok(expected) = p256::ecdsa::Signature::from_slice(&raw) {
            let der = ecdsa_to_der(&raw).unwrap();
            prop_assert_eq!(expected.to_der().to_vec(), der);
        }
    }

    #[test]
    fn any_signature_is_judged_without_a_panic(
        signature in proptest::collection::vec(any::<u8>(), 1..100),
        name in proptest::sample::select(&["RS256", "PS256", "ES256", "ES384", "EdDSA"][..]),
    ) {
        prop_assert!(!verdict(&with_signature(openssl_token(name), &signature), &all_keys()));
    }

    #[test]
    fn any_bytes_become_der_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ecdsa_to_der(&raw);
    }
}

#[test]
fn good_tokens_of_our_own_hold() {
    assert!(verdict(&token_with(&json!({})), &all_keys()));
}
