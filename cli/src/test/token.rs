//! Tokens of the set's own issuers, for callers that exist in tests alone.
//!
//! A run makes a key, puts it in the place of every issuer's keys, and signs with it: so a caller of a test passes the
//! same verification as any, and no key of an identity provider is needed or asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Ed25519KeyPair, EdDSAKeyPairLike as _, JWTClaims};
use portcullis::config::set::{Bundle, Issuer, JwksSource, Located, Proof};
use serde_json::{Map, Value, json};

use super::case::Caller;

/// How long a token lives, in seconds.
const LIFE: u64 = 3600;

/// The key of one run.
pub struct Signer {
    key: Ed25519KeyPair,
}

impl Signer {
    /// A new key, which all issuers of the set then have.
    pub fn for_all(bundle: &mut Bundle) -> Self {
        let key = Ed25519KeyPair::generate().with_key_id("test");
        let x = URL_SAFE_NO_PAD.encode(key.public_key().to_bytes());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "test", "x": x }] });
        let with_tokens = |issuer: &&mut Issuer| !matches!(issuer.proof, Proof::Certificate);
        for issuer in bundle.set.issuers.iter_mut().filter(with_tokens) {
            let keys = Located { value: keys.to_string(), ..Located::default() };
            issuer.proof = Proof::Keys(JwksSource::Inline(keys));
        }
        Self { key }
    }

    /// The token of a caller at a time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// The set has no such issuer, or a claim is none that a token can hold.
    pub fn token(&self, issuers: &[Issuer], caller: &Caller, time: u64) -> Result<String, String> {
        let issuer = match &caller.issuer {
            Some(name) => issuers.iter().find(|issuer| issuer.name.value == *name),
            None => issuers.iter().find(|issuer| !matches!(issuer.proof, Proof::Certificate)),
        };
        let Some(issuer) = issuer else {
            let name = caller.issuer.as_deref().unwrap_or_default();
            return Err(format!("the set has no issuer `{name}`"));
        };
        if matches!(issuer.proof, Proof::Certificate) {
            let name = &issuer.name.value;
            return Err(format!(
                "the issuer `{name}` has no tokens: give the caller's SPIFFE id as `source.principal`"
            ));
        }
        let now = time.div_euclid(1_000_000_000);
        let mut claims = Map::new();
        let audience = issuer.audiences.first().map(String::as_str).unwrap_or_default();
        for (name, value) in [
            ("iss", json!(issuer.issuer.value)),
            ("sub", json!(caller.subject)),
            ("aud", json!(audience)),
            ("iat", json!(now)),
            ("exp", json!(now.saturating_add(LIFE))),
        ] {
            claims.insert(name.to_owned(), value);
        }
        if let Some(groups) = &caller.groups {
            put(&mut claims, &issuer.groups_claim, json!(groups));
        }
        for (name, value) in &caller.claims {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
        let signed = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: claims,
        };
        self.key.sign(signed).map_err(|error| format!("its token cannot be made: {error}"))
    }
}

/// Puts a value at a path of claims.
fn put(claims: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            claims.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = claims.entry(first.clone()).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
