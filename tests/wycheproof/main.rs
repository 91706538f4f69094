//! One verdict on a signature, whoever gives it: Project Wycheproof's vectors, which hold the faults that
//! implementations of RSA, ECDSA and EdDSA were found to overlook.
//!
//! Each vector is judged as it is, at the call that verifies a signature, and moved into a token (see `tokens`), read
//! and verified as a caller's would be. `write.rs` writes the tokens down for a real proxy, which must agree.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::string_slice, clippy::panic)]

mod proxy;
mod tokens;
mod vectors;

use std::collections::{BTreeMap, BTreeSet};

use portcullis::identity::signature::{Native, NoNative, by_proxy, holds};
use portcullis::identity::{KeySet, TokenError, token};
use proxy::Proxy;
use serde_json::json;
use tokens::Case;
use vectors::Vector;
use wycheproof::TestResult;

/// Vectors that Wycheproof leaves to us. A PKCS#1 v1.5 digest without its NULL parameter is legal in old certificates;
/// RFC 8017 section 8.2.2 has verifiers compare with what they would write themselves, and Envoy's library does so. So
/// it is refused: else a token's fate would depend on who looks at it.
const ACCEPTABLE: &str = "MissingNull";

fn key_set(jwk: &serde_json::Value) -> Option<KeySet> {
    KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).ok()
}

/// The verdict on a vector as it stands; `None` where its key is none of ours.
fn judged(vector: &Vector) -> Option<bool> {
    let keys = key_set(&vector.jwk)?;
    let key = keys.find(vector.algorithm, None).unwrap()[0];
    let verdict = by_proxy(vector.algorithm, key, &vector.signature, &vector.message, &Proxy);
    Some(verdict.unwrap_or_else(|| proxy::module(vector.algorithm, key, &vector.signature, &vector.message)))
}

#[test]
fn every_vector_has_wycheproofs_verdict() {
    let mut judged_in = BTreeMap::new();
    for vector in vectors::all() {
        let Some(verdict) = judged(&vector) else { continue };
        assert_eq!(verdict, vector.holds(), "{}", vector.name);
        let counts: &mut [usize; 2] = judged_in.entry(vector.algorithm.name()).or_default();
        counts[usize::from(verdict)] += 1;
    }
    // Refused and accepted of each: a set that is not read any more would show.
    let expected = BTreeMap::from([
        ("ES256", [89, 173]),
        ("ES384", [87, 193]),
        ("EdDSA", [63, 88]),
        ("PS256", [468, 317]),
        ("PS384", [150, 192]),
        ("PS512", [548, 266]),
        ("RS256", [752, 21]),
        ("RS384", [755, 21]),
        ("RS512", [755, 21]),
    ]);
    assert_eq!(judged_in, expected);
}

/// RSA of another exponent than 65537, or beyond 4096 bits.
#[test]
fn keys_that_are_not_taken_have_their_reason() {
    let small = |vector: &Vector| vector.jwk["kty"] == "RSA" && vector.jwk["e"] != "AQAB";
    let long = |vector: &Vector| vector.name.starts_with("Rsa8192");
    for vector in vectors::all() {
        assert_eq!(key_set(&vector.jwk).is_none(), small(&vector) || long(&vector), "{}", vector.name);
    }
}

#[test]
fn what_is_acceptable_is_refused() {
    let acceptable = vectors::all().into_iter().filter(|vector| vector.result == TestResult::Acceptable);
    let flags: Vec<(Vec<String>, bool)> =
        acceptable.filter_map(|vector| Some((vector.flags.clone(), judged(&vector)?))).collect();
    assert_eq!(flags.len(), 9);
    assert!(flags.iter().all(|(flags, verdict)| flags[..] == [ACCEPTABLE] && !verdict), "{flags:?}");
}

/// By the proxy's cryptography and by ours; they must agree.
fn verdict(case: &Case) -> bool {
    let verdict = |native: &dyn Native| {
        let token = match token::parse(&case.token) {
            Ok(token) => token,
            // An empty signature.
            Err(TokenError::Malformed) => return false,
            Err(error) => panic!("{}: {error}", case.name),
        };
        assert_eq!(token.algorithm, case.algorithm);
        let keys = key_set(&case.jwk).unwrap();
        let found = keys.find(token.algorithm, token.key_id.as_deref()).unwrap();
        found.iter().any(|key| holds(&token, key, native))
    };
    let (ours, natively) = (verdict(&NoNative), verdict(&Proxy));
    assert_eq!(ours, natively, "{}", case.name);
    ours
}

/// The kinds of faults that were judged, by Wycheproof's names.
fn judged_as_tokens(vectors: Vec<Vector>) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for vector in vectors {
        let Some(case) = tokens::of(&vector) else { continue };
        assert_eq!(verdict(&case), case.holds, "{}", case.name);
        kinds.extend(case.flags);
    }
    kinds
}

#[test]
fn vectors_of_pkcs1_have_the_same_verdict_as_tokens() {
    let kinds = judged_as_tokens(vectors::pkcs1());
    assert_eq!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "BerEncodedPadding",
            "EdgeCaseSignature",
            "InvalidAsnInPadding",
            "InvalidPadding",
            "InvalidSignature",
            "MissingNull",
            "ModifiedPadding",
            "NoHash",
            "ShortPadding",
            "SignatureMalleability",
            "SmallPublicKey",
            "SmallSignature",
            "WrongHash",
            "WrongPrimitive"
        ]
    );
}

#[test]
fn vectors_of_pss_have_the_same_verdict_as_tokens() {
    let kinds = judged_as_tokens(vectors::pss());
    assert_eq!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "DistinctHash",
            "Mgf1Sha1",
            "ModifiedSignature",
            "Normal",
            "ParameterTest",
            "SpecialCaseHash",
            "SpecifyPkcs1Algorithm",
            "WrongPrimitive"
        ]
    );
}

#[test]
fn vectors_of_ecdsa_have_the_same_verdict_as_tokens() {
    let kinds = judged_as_tokens(vectors::ecdsa());
    assert_eq!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "ArithmeticError",
            "EdgeCasePublicKey",
            "EdgeCaseShamirMultiplication",
            "IntegerOverflow",
            "InvalidSignature",
            "ModifiedInteger",
            "ModularInverse",
            "PointDuplication",
            "RangeCheck",
            "SignatureSize",
            "SmallRandS",
            "SpecialCaseHash",
            "ValidSignature"
        ]
    );
}

#[test]
fn faults_of_eddsa_have_wycheproofs_verdict_as_tokens() {
    let cases = tokens::edwards();
    for case in &cases {
        assert_eq!(verdict(case), case.holds, "{}", case.name);
    }
    assert_eq!(cases.iter().filter(|case| case.holds).count(), 1);
}

/// Under such a key anybody could make a signature that holds for many messages.
#[test]
fn keys_of_small_order_are_not_taken() {
    for point in tokens::small_points() {
        use base64::Engine as _;
        let x = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(point);
        assert!(key_set(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).is_none(), "{point:x?}");
    }
}
