use proptest::prelude::*;
use serde_json::json;

use super::super::testing::{all_keys, jwk, jwk_with, key_set, openssl};
use super::*;

fn usable(keys: &[Value]) -> Result<usize, KeyError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map(|set| set.len())
}

fn skipped_alone(key: Value) {
    assert_eq!(usable(std::slice::from_ref(&key)), Err(KeyError::NoneUsable { skipped: 1 }), "{key}");
    assert_eq!(usable(&[key.clone(), jwk("p256")]), Ok(1), "{key}");
}

#[test]
fn a_key_becomes_the_same_der_as_openssls() {
    let keys = all_keys();
    assert_eq!((keys.len(), keys.skipped()), (4, 0));
    for (name, algorithm) in [
        ("rsa", Algorithm::Rs256),
        ("p256", Algorithm::Es256),
        ("p384", Algorithm::Es384),
        ("ed25519", Algorithm::EdDsa),
    ] {
        let spki = base64url::decode(openssl()["spki"][name].as_str().unwrap()).unwrap();
        assert_eq!(keys.find(algorithm, Some(name)).unwrap()[0].spki(), spki, "{name}");
    }
}

#[test]
fn keys_that_do_not_verify_signatures_are_skipped() {
    skipped_alone(jwk_with("rsa", &json!({"use": "enc"})));
    skipped_alone(jwk_with("rsa", &json!({"use": 1})));
    skipped_alone(jwk_with("rsa", &json!({"key_ops": ["sign", "encrypt"]})));
    skipped_alone(jwk_with("rsa", &json!({"key_ops": "verify"})));
    assert_eq!(usable(&[jwk_with("rsa", &json!({"use": null, "key_ops": ["verify"]}))]), Ok(1));
    assert_eq!(usable(&[jwk_with("rsa", &json!({"use": null}))]), Ok(1));
}

#[test]
fn symmetric_and_unknown_keys_are_never_taken() {
    skipped_alone(json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "x"}));
    skipped_alone(json!({"kty": "oct", "k": "AA", "alg": "RS256"}));
    skipped_alone(jwk_with("p256", &json!({"crv": "P-521"})));
    skipped_alone(jwk_with("p256", &json!({"crv": "secp256k1"})));
    skipped_alone(jwk_with("ed25519", &json!({"crv": "X25519"})));
    skipped_alone(jwk_with("p256", &json!({"kty": "OKP"})));
    skipped_alone(jwk_with("p256", &json!({"crv": "P-384"})));
    skipped_alone(jwk_with("rsa", &json!({"kty": null})));
    skipped_alone(jwk_with("rsa", &json!({"crv": "P-256"})));
    skipped_alone(json!(1));
}

#[test]
fn a_key_published_with_its_private_part_is_skipped() {
    for member in PRIVATE {
        skipped_alone(jwk_with("p384", &json!({member: "AA"})));
    }
}

#[test]
fn weak_and_faulty_keys_are_skipped() {
    let modulus = jwk("rsa")["n"].as_str().unwrap().to_owned();
    let mut short = base64url::decode(&modulus).unwrap();
    short.truncate(128);
    *short.last_mut().unwrap() |= 1;
    let large: Vec<u8> = [&[0xc1][..], &[0x55; 1023]].concat();
    for n in [short, large, vec![0; 256], vec![], vec![1]] {
        skipped_alone(jwk_with("rsa", &json!({"n": base64url::encode(n)})));
    }
    skipped_alone(jwk_with("rsa", &json!({"n": format!("{modulus}==")})));
    for e in ["AQ", "Aw", "AAAA", "", "AQABAA", "____________"] {
        skipped_alone(jwk_with("rsa", &json!({"e": e})));
    }
    let x = jwk("p256")["x"].clone();
    skipped_alone(jwk_with("p256", &json!({"y": x})));
    skipped_alone(jwk_with("p256", &json!({"x": "AQAB"})));
    skipped_alone(jwk_with("p384", &json!({"y": null})));
    skipped_alone(jwk_with("ed25519", &json!({"x": "AQAB"})));
    // The neutral point, under which anybody can sign.
    let neutral = base64url::encode([&[1][..], &[0; 31]].concat());
    skipped_alone(jwk_with("ed25519", &json!({"x": neutral})));
    skipped_alone(jwk_with("rsa", &json!({"kid": 1})));
}

#[test]
fn a_key_that_names_an_algorithm_is_for_that_alone() {
    let keys = key_set(&[jwk_with("rsa", &json!({"alg": "RS256"}))]);
    assert!(keys.find(Algorithm::Rs256, Some("rsa")).is_ok());
    assert_eq!(keys.find(Algorithm::Ps256, Some("rsa")).unwrap_err(), Miss::Unfit);
    for alg in ["HS256", "none", "ES256", "RSA-OAEP", ""] {
        skipped_alone(jwk_with("rsa", &json!({"alg": alg})));
    }
    assert_eq!(usable(&[jwk_with("ed25519", &json!({"alg": "Ed25519"}))]), Ok(1));
}

#[test]
fn a_token_finds_the_key_of_its_id_and_kind() {
    let keys = all_keys();
    assert_eq!(keys.find(Algorithm::Es256, Some("rsa")).unwrap_err(), Miss::Unfit);
    assert_eq!(keys.find(Algorithm::Es256, Some("P256")).unwrap_err(), Miss::Unknown);
    assert_eq!(keys.find(Algorithm::Es256, None).unwrap().len(), 1);
    let nameless = key_set(&[jwk_with("rsa", &json!({"kid": null}))]);
    assert_eq!(nameless.find(Algorithm::Rs256, Some("rsa")).unwrap_err(), Miss::Unknown);
    assert_eq!(nameless.find(Algorithm::Rs256, None).unwrap().len(), 1);
    assert_eq!(nameless.find(Algorithm::EdDsa, None).unwrap_err(), Miss::Unknown);
    let same_id = key_set(&[jwk_with("rsa", &json!({"kid": "k"})), jwk_with("p256", &json!({"kid": "k"}))]);
    assert_eq!(same_id.find(Algorithm::Es256, Some("k")).unwrap().len(), 1);
}

#[test]
fn a_token_without_key_id_tries_a_few_keys() {
    let many: Vec<Value> = (0..20).map(|n| jwk_with("ed25519", &json!({"kid": format!("{n}")}))).collect();
    assert_eq!(key_set(&many).find(Algorithm::EdDsa, None).unwrap().len(), MAX_CANDIDATES);
}

#[test]
fn hostile_sets_are_refused_whole() {
    let parse = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.len());
    assert_eq!(parse(&" ".repeat(MAX_KEY_SET + 1)), Err(KeyError::TooLarge));
    assert_eq!(usable(&vec![json!({}); MAX_KEYS + 1]), Err(KeyError::TooMany));
    assert_eq!(usable(&vec![jwk("p256"); MAX_KEYS]), Ok(MAX_KEYS));
    for text in ["{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#] {
        assert_eq!(parse(text), Err(KeyError::NoList), "{text}");
    }
    assert_eq!(parse(r#"{"keys":[]}"#), Err(KeyError::NoneUsable { skipped: 0 }));
    assert_eq!(parse(r#"{"keys":[],"keys":[]}"#), Err(KeyError::Json(JsonError::Duplicate)));
    assert_eq!(parse("<html>"), Err(KeyError::Json(JsonError::Syntax)));
    assert_eq!(parse("[]"), Err(KeyError::Json(JsonError::NotAnObject)));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let _ = KeySet::parse(&bytes);
    }

    #[test]
    fn any_key_material_is_taken_or_skipped_without_a_panic(
        kind in proptest::sample::select(&["rsa", "p256", "p384", "ed25519"][..]),
        member in proptest::sample::select(&["n", "e", "x", "y"][..]),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = usable(&[jwk_with(kind, &json!({member: base64url::encode(bytes)}))]);
    }
}
