//! Keys and tokens for tests.
//!
//! `testdata/*.pem` are TEST ONLY keys made with OpenSSL; they protect nothing. `testdata/openssl.json` holds the
//! same keys as JWKs and as DER, and tokens that OpenSSL signed: an implementation that is not ours.

use std::sync::OnceLock;

use jwt_simple::prelude::{Ed25519KeyPair, EdDSAKeyPairLike as _};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use serde_json::{Value, json};

use super::algorithm::Digest;
use super::base64url;
use super::keys::KeySet;
use super::signature::Native;

pub(super) const ISSUER: &str = "https://idp.example.com";
/// 2023-11-14, in seconds and in nanoseconds.
pub(super) const NOW: u64 = 1_700_000_000;
pub(super) const NOW_NS: u64 = NOW * 1_000_000_000;

pub(super) const RSA: &str = include_str!("testdata/rsa.pem");
pub(super) const RSA2: &str = include_str!("testdata/rsa2.pem");
pub(super) const P256: &str = include_str!("testdata/p256.pem");
pub(super) const P384: &str = include_str!("testdata/p384.pem");
pub(super) const ED25519: &str = include_str!("testdata/ed25519.pem");

/// What OpenSSL made.
pub(super) fn openssl() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| serde_json::from_str(include_str!("testdata/openssl.json")).unwrap())
}

/// The JWK of one of the keys above: `rsa`, `p256`, `p384` or `ed25519`, which is also its `kid`.
pub(super) fn jwk(name: &str) -> Value {
    openssl()["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap().clone()
}

/// A JWK with members changed; `null` takes one out.
pub(super) fn jwk_with(name: &str, changes: &Value) -> Value {
    with(jwk(name), changes)
}

/// An object with members changed; `null` takes one out.
pub(super) fn with(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

pub(super) fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// All four keys.
pub(super) fn all_keys() -> KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| key_set(openssl()["keys"].as_array().unwrap())).clone()
}

/// Claims that hold at [`NOW`].
pub(super) fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "alice", "aud": "rag", "exp": NOW + 300, "iat": NOW, "groups": ["rag-users"]})
}

/// Signs two JSON texts as they stand.
pub(super) fn sign_text(pem: &str, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
    let signature = sign(pem, text.as_bytes());
    format!("{text}.{}", base64url::encode(signature))
}

pub(super) fn sign_token(pem: &str, header: &Value, claims: &Value) -> String {
    sign_text(pem, &header.to_string(), &claims.to_string())
}

/// A good token, signed with EdDSA, but for changes of its claims.
pub(super) fn token_with(changes: &Value) -> String {
    sign_token(ED25519, &json!({"alg": "EdDSA", "kid": "ed25519"}), &with(claims(), changes))
}

/// Signs as RS256, ES256, ES384 or EdDSA.
fn sign(pem: &str, text: &[u8]) -> Vec<u8> {
    match pem {
        P256 => {
            let signature: p256::ecdsa::Signature =
                p256::ecdsa::SigningKey::from_pkcs8_pem(pem).unwrap().sign(text);
            signature.to_bytes().to_vec()
        }
        P384 => {
            let signature: p384::ecdsa::Signature =
                p384::ecdsa::SigningKey::from_pkcs8_pem(pem).unwrap().sign(text);
            signature.to_bytes().to_vec()
        }
        ED25519 => {
            let pair = Ed25519KeyPair::from_pem(pem).unwrap();
            pair.key_pair().as_ref().sk.sign(text, None).to_vec()
        }
        _ => {
            let key = rsa::pkcs8::DecodePrivateKey::from_pkcs8_pem(pem).unwrap();
            rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(key).sign(text).to_vec()
        }
    }
}

/// The proxy's cryptography, played by crates that parse keys and signatures from DER as Envoy does.
pub(super) struct DerNative;

impl Native for DerNative {
    fn verify(&self, digest: Digest, spki: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(spki) {
            assert_eq!(digest, Digest::Sha256);
            let signature = p256::ecdsa::Signature::from_der(signature);
            return Some(signature.is_ok_and(|signature| key.verify(text, &signature).is_ok()));
        }
        if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(spki) {
            assert_eq!(digest, Digest::Sha384);
            let signature = p384::ecdsa::Signature::from_der(signature);
            return Some(signature.is_ok_and(|signature| key.verify(text, &signature).is_ok()));
        }
        let key: rsa::RsaPublicKey = rsa::pkcs8::DecodePublicKey::from_public_key_der(spki).ok()?;
        let Ok(signature) = rsa::pkcs1v15::Signature::try_from(signature) else { return Some(false) };
        use rsa::pkcs1v15::VerifyingKey;
        use rsa::sha2::{Sha256, Sha384, Sha512};
        Some(match digest {
            Digest::Sha256 => VerifyingKey::<Sha256>::new(key).verify(text, &signature).is_ok(),
            Digest::Sha384 => VerifyingKey::<Sha384>::new(key).verify(text, &signature).is_ok(),
            Digest::Sha512 => VerifyingKey::<Sha512>::new(key).verify(text, &signature).is_ok(),
        })
    }
}
