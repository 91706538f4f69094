//! Tokens as a case needs them. All are signed with Ed25519, by Alice's issuer or by Eve.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use ed25519_compact::{KeyPair, Seed};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis::identity::KeySet;
use serde_json::{Value, json};
use sha2::Sha256;

pub const ISSUER: &str = "https://idp.example.com";
/// The set knows it too, with a key of its own.
pub const OTHER: &str = "https://other.example.com";
/// 2023-11-14, in seconds.
pub const NOW: u64 = 1_700_000_000;
/// Seeds of keys.
const ALICE: u8 = 1;
pub const EVE: u8 = 2;

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

pub fn decoded(text: &str) -> Vec<u8> {
    BASE64URL.decode(text).unwrap()
}

pub fn key(seed: u8, kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(pair(seed).pk.as_ref())})
}

pub fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub fn keys() -> KeySet {
    key_set(&[key(ALICE, "alice")])
}

pub fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "alice"})
}

pub fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "alice", "aud": "rag", "exp": NOW + 300})
}

/// An object with members changed; `null` takes one out.
pub fn with(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

fn signed(seed: u8, header: &[u8], claims: &[u8]) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let signature = pair(seed).sk.sign(&text, None);
    format!("{text}.{}", encoded(signature.as_ref()))
}

pub fn bytes(header: &[u8], claims: &[u8]) -> String {
    signed(ALICE, header, claims)
}

pub fn raw(header: &str, claims: &str) -> String {
    signed(ALICE, header.as_bytes(), claims.as_bytes())
}

pub fn token(header: &Value, claims: &Value) -> String {
    raw(&header.to_string(), &claims.to_string())
}

/// Signed with another key.
pub fn by(seed: u8, header: &Value, claims: &Value) -> String {
    signed(seed, header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// The first token with the second's header.
pub fn with_header(first: &str, second: &str) -> String {
    let (header, rest) = (second.split('.').next().unwrap(), first.split_once('.').unwrap().1);
    format!("{header}.{rest}")
}

/// The first token with the second's claims.
pub fn with_claims(first: &str, second: &str) -> String {
    let part = |text: &str, place: usize| text.split('.').nth(place).unwrap().to_owned();
    format!("{}.{}.{}", part(first, 0), part(second, 1), part(first, 2))
}

/// The same 64 bytes, with another last letter: its last four bits mean nothing.
pub fn with_bits_over(signature: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (before, last) = signature.split_at(signature.len() - 1);
    format!("{before}{}", &alphabet[alphabet.find(last).unwrap() + 1..][..1])
}

/// HS256 under the public key.
pub fn authenticated() -> String {
    let text = format!("{}.{}", encoded(r#"{"alg":"HS256","kid":"alice"}"#), encoded(claims().to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(pair(ALICE).pk.as_ref()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", encoded(mac.finalize().into_bytes()))
}

pub fn unsigned(alg: &str) -> String {
    format!("{}.{}.", encoded(json!({ "alg": alg }).to_string()), encoded(claims().to_string()))
}

pub fn utf16(value: &Value) -> Vec<u8> {
    value.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A byte that UTF-8 has not in the place of a letter.
pub fn latin1(value: &Value) -> Vec<u8> {
    value.to_string().bytes().map(|byte| if byte == b'l' { 0xe9 } else { byte }).collect()
}
