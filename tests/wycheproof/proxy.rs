//! A proxy's cryptography, played by crates that read keys and signatures from DER as Envoy does; and the calls
//! that jwt-simple makes of the same crates once it has cut a token in pieces.

use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use portcullis::identity::keys::Key;
use portcullis::identity::signature::Native;
use portcullis::identity::{Algorithm, Digest};
use rsa::sha2::{Sha256, Sha384, Sha512};
use rsa::signature::Verifier as _;
use rsa::{pkcs1v15, pss};

pub struct Proxy;

impl Native for Proxy {
    fn verify(&self, digest: Digest, spki: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(spki) {
            let signature = p256::ecdsa::Signature::from_der(signature);
            return Some(signature.is_ok_and(|signature| key.verify(text, &signature).is_ok()));
        }
        if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(spki) {
            let signature = p384::ecdsa::Signature::from_der(signature);
            return Some(signature.is_ok_and(|signature| key.verify(text, &signature).is_ok()));
        }
        let key = rsa_key(spki);
        let Ok(signature) = pkcs1v15::Signature::try_from(signature) else { return Some(false) };
        Some(match digest {
            Digest::Sha256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(text, &signature).is_ok(),
            Digest::Sha384 => pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(text, &signature).is_ok(),
            Digest::Sha512 => pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(text, &signature).is_ok(),
        })
    }
}

fn rsa_key(spki: &[u8]) -> rsa::RsaPublicKey {
    rsa::pkcs8::DecodePublicKey::from_public_key_der(spki).unwrap()
}

/// What no proxy does: PSS and EdDSA, as jwt-simple asks for them.
pub fn module(algorithm: Algorithm, key: &Key, signature: &[u8], text: &[u8]) -> bool {
    if algorithm == Algorithm::EdDsa {
        let key = key.spki();
        let key = ed25519_compact::PublicKey::from_slice(&key[key.len() - 32..]).unwrap();
        let signature = ed25519_compact::Signature::from_slice(signature);
        return signature.is_ok_and(|signature| key.verify(text, &signature).is_ok());
    }
    let key = rsa_key(key.spki());
    let Ok(signature) = pss::Signature::try_from(signature) else { return false };
    match algorithm {
        Algorithm::Ps256 => pss::VerifyingKey::<Sha256>::new(key).verify(text, &signature).is_ok(),
        Algorithm::Ps384 => pss::VerifyingKey::<Sha384>::new(key).verify(text, &signature).is_ok(),
        _ => pss::VerifyingKey::<Sha512>::new(key).verify(text, &signature).is_ok(),
    }
}
