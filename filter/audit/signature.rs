//! Signed anchors.
//!
//! A chain shows what was changed after it was written, unless all of it was written anew. An anchor says where the
//! chain stands; signed with a key that the collector does not have (Ed25519, RFC 8032), it proves every record up to
//! there to whoever knows the public key. Verdicts on approvals are signed the same way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};

/// Bytes of a seed, and of a public key.
const BYTES: usize = 32;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64.
    #[error("is not base64")]
    Base64,
    /// Too long or too short.
    #[error("does not hold {BYTES} bytes but {0}")]
    Length(usize),
    /// No point of the curve.
    #[error("is no public key")]
    Point,
}

/// Signs anchors, and verdicts on approvals.
pub struct Signer(KeyPair);

/// Never shows the key.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.public()).finish()
    }
}

impl Signer {
    /// Of a secret seed: 32 bytes of chance in base64 (`openssl rand -base64 32`).
    ///
    /// # Errors
    /// The text is no such seed.
    pub fn of_seed(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text)?;
        let seed = Seed::from_slice(&bytes).map_err(|_| KeyError::Length(bytes.len()))?;
        Ok(Self(KeyPair::from_seed(seed)))
    }

    /// The public key, in base64.
    pub fn public(&self) -> String {
        STANDARD.encode(*self.0.pk)
    }

    /// The signature of a chain's place, in base64.
    pub fn sign(&self, chain: &str, seq: u64, hash: &str) -> String {
        STANDARD.encode(*self.0.sk.sign(message(chain, seq, hash), None))
    }

    /// The signature of the verdict that an approval is spent, in base64.
    pub fn sign_spent(&self, id: &str, binding: &str, exchange: &str) -> String {
        STANDARD.encode(*self.0.sk.sign(spent(id, binding, exchange), None))
    }
}

/// Who signed, as a reader of records knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness(PublicKey);

impl Witness {
    /// Of a public key in base64.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn of_public(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text)?;
        PublicKey::from_slice(&bytes).map(Self).map_err(|_| KeyError::Point)
    }

    /// Whether it signed that a chain stands there.
    pub fn signed(&self, chain: &str, seq: u64, hash: &str, signature: &str) -> bool {
        self.verifies(&message(chain, seq, hash), signature)
    }

    /// Whether it signed that an exchange spent an approval.
    pub fn signed_spent(&self, id: &str, binding: &str, exchange: &str, signature: &str) -> bool {
        self.verifies(&spent(id, binding, exchange), signature)
    }

    fn verifies(&self, message: &str, signature: &str) -> bool {
        let Ok(bytes) = STANDARD.decode(signature) else { return false };
        let Ok(signature) = Signature::from_slice(&bytes) else { return false };
        self.0.verify(message, &signature).is_ok()
    }
}

/// What is signed: lines of ASCII, of which none can hold a line end.
fn message(chain: &str, seq: u64, hash: &str) -> String {
    format!("portcullis.chain.anchor\n{chain}\n{seq}\n{hash}\n")
}

/// The verdict on an approval: lines of ASCII, of which none can hold a line end.
fn spent(id: &str, binding: &str, exchange: &str) -> String {
    format!("portcullis.approval.spent.v1\n{id}\n{binding}\n{exchange}")
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::Base64)?;
    if bytes.len() == BYTES { Ok(bytes) } else { Err(KeyError::Length(bytes.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, the first test: seed and public key.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_seed_has_the_public_key_of_the_standard() {
        assert_eq!(Signer::of_seed(SEED).unwrap().public(), PUBLIC);
        assert_eq!(Signer::of_seed(&format!(" {SEED}\n")).unwrap().public(), PUBLIC);
    }

    #[test]
    fn a_signature_holds_for_its_place_alone() {
        let signer = Signer::of_seed(SEED).unwrap();
        let witness = Witness::of_public(PUBLIC).unwrap();
        let signature = signer.sign("c", 7, "h");
        assert!(witness.signed("c", 7, "h", &signature));
        for (chain, seq, hash) in [("d", 7, "h"), ("c", 8, "h"), ("c", 7, "i"), ("c\n7", 7, "h")] {
            assert!(!witness.signed(chain, seq, hash, &signature));
        }
        let other = Signer::of_seed(PUBLIC).unwrap();
        assert!(!witness.signed("c", 7, "h", &other.sign("c", 7, "h")));
        assert!(!witness.signed("c", 7, "h", "") && !witness.signed("c", 7, "h", "?"));
    }

    #[test]
    fn a_verdict_holds_for_its_exchange_alone() {
        let signer = Signer::of_seed(SEED).unwrap();
        let witness = Witness::of_public(PUBLIC).unwrap();
        let signature = signer.sign_spent("apr_1", "b", "e");
        assert!(witness.signed_spent("apr_1", "b", "e", &signature));
        for (id, binding, exchange) in [("apr_2", "b", "e"), ("apr_1", "c", "e"), ("apr_1", "b", "f")] {
            assert!(!witness.signed_spent(id, binding, exchange, &signature));
        }
        assert!(!witness.signed("apr_1", 1, "e", &signature) && !witness.signed_spent("apr_1", "b", "e", ""));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        assert_eq!(Signer::of_seed("not base64!").unwrap_err(), KeyError::Base64);
        assert_eq!(Signer::of_seed("AAAA").unwrap_err(), KeyError::Length(3));
        assert_eq!(Witness::of_public("").unwrap_err(), KeyError::Length(0));
    }

    #[test]
    fn the_secret_is_in_no_log() {
        let shown = format!("{:?}", Signer::of_seed(SEED).unwrap());
        assert!(shown.contains(PUBLIC) && !shown.contains(SEED), "{shown}");
    }
}
