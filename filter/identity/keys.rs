//! An issuer's key set (JWKS, RFC 7517) and the choice of a key for a token.
//!
//! A key is taken only if its own words agree that it verifies signatures: `use`, `key_ops`, `alg`, `kty` and
//! `crv`. Keys of other kinds are skipped and counted, as RFC 7517 section 5 advises: one odd key does not take
//! the others down. A key published with its private part is skipped as well: anybody could sign with it.
//!
//! RSA moduli have 2048 to 4096 bits and the exponent 65537. The upper bound is jwt-simple's, and bounds the time
//! that one verification may hold a worker.

use jwt_simple::prelude::{ES256PublicKey, ES384PublicKey, Ed25519PublicKey, RS256PublicKey};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::base64url;
use super::json::{self, JsonError};
use super::token::MAX_KEY_ID;

/// Largest key set, in bytes.
pub const MAX_KEY_SET: usize = 256 * 1024;
/// Most keys in a set, those of other kinds among them.
pub const MAX_KEYS: usize = 64;
/// Most keys tried for a token that names none.
const MAX_CANDIDATES: usize = 4;

/// Why a key set is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Above [`MAX_KEY_SET`].
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// Above [`MAX_KEYS`].
    #[error("the key set holds more than 64 keys")]
    TooMany,
    /// Not strict JSON.
    #[error("the key set {0}")]
    Json(JsonError),
    /// `keys` is missing or not a list.
    #[error("the key set has no list `keys`")]
    NoList,
    /// No key of the set can verify a token.
    #[error("the key set holds no key that can verify a token ({skipped} skipped)")]
    NoneUsable {
        /// Keys of other kinds.
        skipped: usize,
    },
}

/// Why no key was found for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// The set has no such key: it may have changed since.
    Unknown,
    /// The key of that id is there and is not for that algorithm.
    Unfit,
}

/// A key set; never empty.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

/// A public key.
#[derive(Debug, Clone)]
pub struct Key {
    id: Option<String>,
    only: Option<Algorithm>,
    pub(super) material: Material,
    pub(super) spki: Vec<u8>,
}

/// What a key consists of.
#[derive(Debug, Clone)]
pub(super) enum Material {
    /// Modulus without leading zeros.
    Rsa { modulus: Vec<u8> },
    /// P-256.
    P256(ES256PublicKey),
    /// P-384.
    P384(ES384PublicKey),
    /// Ed25519.
    Ed25519(Ed25519PublicKey),
}

/// The only public exponent we take: 65537.
pub(super) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

impl KeySet {
    /// Parses a key set.
    pub fn parse(text: &[u8]) -> Result<KeySet, KeyError> {
        if text.len() > MAX_KEY_SET {
            return Err(KeyError::TooLarge);
        }
        let set = json::object(text).map_err(KeyError::Json)?;
        let list = set.get("keys").and_then(Value::as_array).ok_or(KeyError::NoList)?;
        if list.len() > MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        let keys: Vec<Key> = list.iter().filter_map(Value::as_object).filter_map(Key::read).collect();
        let skipped = list.len().saturating_sub(keys.len());
        if keys.is_empty() {
            return Err(KeyError::NoneUsable { skipped });
        }
        Ok(KeySet { keys, skipped })
    }

    /// Number of keys that can verify a token; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Number of keys of other kinds.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The keys that may have signed a token: with a key id those of that id, without one the first few that fit.
    pub fn find(&self, algorithm: Algorithm, key_id: Option<&str>) -> Result<Vec<&Key>, Miss> {
        let named = |key: &&Key| key_id.is_none() || key.id.as_deref() == key_id;
        if !self.keys.iter().any(|key| named(&key)) {
            return Err(Miss::Unknown);
        }
        let fitting: Vec<&Key> =
            self.keys.iter().filter(named).filter(|key| key.fits(algorithm)).take(MAX_CANDIDATES).collect();
        match (fitting.is_empty(), key_id) {
            (false, _) => Ok(fitting),
            (true, Some(_)) => Err(Miss::Unfit),
            (true, None) => Err(Miss::Unknown),
        }
    }
}

impl Key {
    /// DER SubjectPublicKeyInfo (RFC 5280 section 4.1), as the proxy's own verification takes it.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether this key may be used with that algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let kind = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Reads one JWK; `None`: of another kind, or faulty.
    fn read(jwk: &Map<String, Value>) -> Option<Key> {
        if !verifies(jwk) || PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return None;
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().filter(|id| id.len() <= MAX_KEY_ID)?.to_owned()),
        };
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name.as_str()?)?),
        };
        let (material, spki) = read_material(jwk)?;
        let key = Key { id, only, material, spki };
        // A key whose `alg` is not for its kind could never be used.
        key.only.is_none_or(|only| key.fits(only)).then_some(key)
    }
}

/// Private members of RFC 7518 section 6, and the symmetric key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn verifies(jwk: &Map<String, Value>) -> bool {
    let for_signatures = jwk.get("use").is_none_or(|purpose| purpose.as_str() == Some("sig"));
    let may_verify = jwk.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|list| list.iter().any(|operation| operation.as_str() == Some("verify")))
    });
    for_signatures && may_verify
}

fn read_material(jwk: &Map<String, Value>) -> Option<(Material, Vec<u8>)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    match (text("kty")?, text("crv")) {
        ("RSA", None) => read_rsa(&member(jwk, "n")?, &member(jwk, "e")?),
        ("EC", Some("P-256")) => {
            let key = ES256PublicKey::from_bytes(&point(jwk, 32)?).ok()?;
            let spki = key.to_der().ok()?;
            Some((Material::P256(key), spki))
        }
        ("EC", Some("P-384")) => {
            let key = ES384PublicKey::from_bytes(&point(jwk, 48)?).ok()?;
            let spki = key.to_der().ok()?;
            Some((Material::P384(key), spki))
        }
        ("OKP", Some("Ed25519")) => {
            let key = Ed25519PublicKey::from_bytes(&member(jwk, "x")?).ok()?;
            let spki = key.to_der();
            Some((Material::Ed25519(key), spki))
        }
        _ => None,
    }
}

fn read_rsa(n: &[u8], e: &[u8]) -> Option<(Material, Vec<u8>)> {
    let modulus: Vec<u8> = n.iter().copied().skip_while(|byte| *byte == 0).collect();
    // jwt-simple looks at the last byte of a modulus of the right size, so it needs one.
    if modulus.is_empty() || e != RSA_EXPONENT {
        return None;
    }
    let spki = RS256PublicKey::from_components(&modulus, &RSA_EXPONENT).ok()?.to_der().ok()?;
    Some((Material::Rsa { modulus }, spki))
}

fn member(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    base64url::decode(jwk.get(name)?.as_str()?)
}

/// An uncompressed point (SEC 1 section 2.3.3); both coordinates have their full length (RFC 7518 section 6.2.1).
fn point(jwk: &Map<String, Value>, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (member(jwk, "x")?, member(jwk, "y")?);
    (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
