//! One verdict on a token's signature.
//!
//! RS* and ES* go to the proxy's own cryptography first ([`Native`]), which is ten to fifty times faster than ours
//! inside WebAssembly. What it cannot do (PS*, EdDSA, or everything on a proxy that has no such function) goes to
//! jwt-simple. Both see signatures of the right length only, and the same rules for the numbers in them, so that
//! a token's fate does not depend on the proxy it meets.
//!
//! jwt-simple has no call for a signature alone. The one it has reads the token again, so its other checks are
//! set to pass whatever [`super::token::parse`] let through: at the time 0, with futures allowed, nothing has expired.

use jwt_simple::Error;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, EdDSAPublicKeyLike as _, JWTClaims,
    NoCustomClaims, PS256PublicKey, PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey,
    RS512PublicKey, RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};

use super::algorithm::{Algorithm, Digest};
use super::keys::{Key, Material, RSA_EXPONENT};
use super::token::Token;

/// The proxy's own cryptography.
pub trait Native {
    /// Verifies an RSASSA-PKCS1-v1_5 or ECDSA signature (the latter in DER) under a DER SubjectPublicKeyInfo.
    /// `None`: the proxy cannot do it.
    fn verify(&self, digest: Digest, spki: &[u8], signature: &[u8], text: &[u8]) -> Option<bool>;
}

/// A proxy without cryptography.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNative;

impl Native for NoNative {
    fn verify(&self, _: Digest, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

/// Whether `key` made the token's signature. False also where the key is not for the token's algorithm.
pub fn holds(token: &Token<'_>, key: &Key, native: &dyn Native) -> bool {
    by_proxy(token.algorithm, key, &token.signature, token.signed.as_bytes(), native)
        .unwrap_or_else(|| ours(token, key))
}

/// The verdict on a signature over any bytes, as far as it needs nothing of ours: the shape of the signature, then
/// the proxy's cryptography. `None`: the proxy knows no such algorithm, or cannot do it.
pub fn by_proxy(
    algorithm: Algorithm,
    key: &Key,
    signature: &[u8],
    signed: &[u8],
    native: &dyn Native,
) -> Option<bool> {
    if !key.fits(algorithm) || signature.len() != length(key) {
        return Some(false);
    }
    let (digest, signature) = native_form(algorithm, signature)?;
    let Some(signature) = signature else { return Some(false) };
    native.verify(digest, key.spki(), &signature, signed)
}

/// The one length that a signature under this key has.
fn length(key: &Key) -> usize {
    match &key.material {
        Material::Rsa { modulus } => modulus.len(),
        Material::P256(_) | Material::Ed25519(_) => 64,
        Material::P384(_) => 96,
    }
}

/// What the proxy takes: `None` where it knows no such algorithm, `Some((_, None))` where no such signature can be.
fn native_form(algorithm: Algorithm, signature: &[u8]) -> Option<(Digest, Option<Vec<u8>>)> {
    let digest = match algorithm {
        Algorithm::Rs256 | Algorithm::Es256 => Digest::Sha256,
        Algorithm::Rs384 | Algorithm::Es384 => Digest::Sha384,
        Algorithm::Rs512 => Digest::Sha512,
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 | Algorithm::EdDsa => return None,
    };
    let signature = match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => ecdsa_to_der(signature),
        _ => Some(signature.to_vec()),
    };
    Some((digest, signature))
}

/// JOSE's `r || s` (RFC 7518 section 3.4) as DER `SEQUENCE { INTEGER, INTEGER }` (RFC 3279 section 2.2.3);
/// `None` where a number is zero, which no signature has.
pub(super) fn ecdsa_to_der(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(raw.len().checked_div(2)?)?;
    let content = [der_integer(r)?, der_integer(s)?].concat();
    der(0x30, &content)
}

fn der_integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.iter().position(|byte| *byte != 0)?;
    let (_, digits) = bytes.split_at_checked(start)?;
    // A first bit of one would make the number negative.
    let sign: &[u8] = if digits.first()? & 0x80 == 0 { &[] } else { &[0] };
    der(0x02, &[sign, digits].concat())
}

/// A DER value of fewer than 128 bytes: all that a signature on P-256 or P-384 needs.
fn der(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(content.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[tag, length][..], content].concat())
}

/// jwt-simple's verdict.
fn ours(token: &Token<'_>, key: &Key) -> bool {
    let text = token.text;
    match &key.material {
        Material::Rsa { modulus } => ours_rsa(token, modulus),
        Material::P256(key) => passes(|| key.verify_token(text, options())),
        Material::P384(key) => passes(|| key.verify_token(text, options())),
        Material::Ed25519(key) => passes(|| key.verify_token(text, options())),
    }
}

/// jwt-simple has a type of its own for each RSA algorithm.
fn ours_rsa(token: &Token<'_>, n: &[u8]) -> bool {
    let (text, e) = (token.text, &RSA_EXPONENT);
    match token.algorithm {
        Algorithm::Rs256 => passes(|| RS256PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Rs384 => passes(|| RS384PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Rs512 => passes(|| RS512PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Ps256 => passes(|| PS256PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Ps384 => passes(|| PS384PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Ps512 => passes(|| PS512PublicKey::from_components(n, e)?.verify_token(text, options())),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => false,
    }
}

/// Apart for each algorithm: together they would be a function of a size that is dear to compile (`tools/wasm_size.py`).
#[inline(never)]
fn passes(verify: impl FnOnce() -> Result<JWTClaims<NoCustomClaims>, Error>) -> bool {
    verify().is_ok()
}

/// Everything but the signature passes: [`super::verify`] judges the claims.
fn options() -> Option<VerificationOptions> {
    Some(VerificationOptions {
        accept_future: true,
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        time_tolerance: None,
        ..Default::default()
    })
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
