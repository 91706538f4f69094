//! Texts that auditors alone can read: sealed to their public keys as age files.
//!
//! Source: <https://c2sp.org/age> (the format, version 1, recipients of type X25519). This is its writing half: a file
//! begins with a random key, wrapped once for each recipient, and goes on with the text, encrypted under it. The files of
//! one exchange share their beginning, so that the curve is asked once an exchange and not once a record; each has a
//! nonce, and with it a key, of its own.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use ed25519_compact::x25519::{PublicKey, SecretKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

const VERSION: &str = "age-encryption.org/v1";
/// Bytes of a text that are encrypted at a time.
const CHUNK: usize = 64 << 10;
/// The part of a bech32 string that says what it is.
const PUBLIC: &str = "age";
const SECRET: &str = "age-secret-key-";

/// Fills with random bytes; false: there are none.
pub type Random<'r> = dyn Fn(&mut [u8]) -> bool + 'r;

/// Why a text is no recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// Nobody but the auditor may have it.
    #[error("is a secret key: whoever reads the set could open what is sealed to it")]
    Secret,
    /// Not bech32, or of something else.
    #[error("is no recipient of age: `age1` and 58 letters and digits, as `age-keygen` prints them")]
    Malformed,
    /// Everybody could open what is sealed to it.
    #[error("is a public key that seals nothing")]
    Weak,
}

/// Who can open what is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// Of its text (`age1…`).
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        if text.get(..SECRET.len()).is_some_and(|start| start.eq_ignore_ascii_case(SECRET)) {
            return Err(RecipientError::Secret);
        }
        let decoded = CheckedHrpstring::new::<Bech32>(text).map_err(|_| RecipientError::Malformed)?;
        let bytes: Vec<u8> = decoded.byte_iter().collect();
        let key: [u8; 32] = bytes.try_into().map_err(|_| RecipientError::Malformed)?;
        if !decoded.hrp().as_str().eq_ignore_ascii_case(PUBLIC) {
            return Err(RecipientError::Malformed);
        }
        PublicKey::new(key).clear_cofactor().map_err(|_| RecipientError::Weak)?;
        Ok(Self(key))
    }

    /// The file key, wrapped for this recipient: a stanza of the header.
    fn wrap(&self, file_key: &[u8; 16], random: &Random<'_>) -> Option<String> {
        let mut secret = [0; 32];
        if !random(&mut secret) {
            return None;
        }
        let secret = SecretKey::new(secret);
        let share = PublicKey::base_point().dh(&secret).ok()?;
        let shared = PublicKey::new(self.0).dh(&secret).ok()?;
        let salt = [&share[..], &self.0].concat();
        let key = derived(&salt, &shared[..], b"age-encryption.org/v1/X25519")?;
        // A key of its own each time, so that the nonce need be none.
        let body = ChaCha20Poly1305::new(&key.into()).encrypt(&Nonce::default(), file_key.as_slice()).ok()?;
        let (share, body) = (STANDARD_NO_PAD.encode(&share[..]), STANDARD_NO_PAD.encode(body));
        Some(format!("-> X25519 {share}\n{body}\n"))
    }
}

/// What seals the texts of one exchange.
pub struct Seal {
    file_key: [u8; 16],
    header: Vec<u8>,
}

impl Seal {
    /// Seals to each of these recipients; `None`: there is no chance to be had.
    pub fn new(recipients: &[Recipient], random: &Random<'_>) -> Option<Self> {
        let mut file_key = [0; 16];
        if !random(&mut file_key) {
            return None;
        }
        let mut header = format!("{VERSION}\n");
        for recipient in recipients {
            header.push_str(&recipient.wrap(&file_key, random)?);
        }
        header.push_str("---");
        let mut mac = Hmac::<Sha256>::new_from_slice(&derived(b"", &file_key, b"header")?).ok()?;
        mac.update(header.as_bytes());
        let mac = STANDARD_NO_PAD.encode(mac.finalize().into_bytes());
        header.push_str(&format!(" {mac}\n"));
        Some(Self { file_key, header: header.into_bytes() })
    }

    /// A text as an age file, in base64; `None`: there is no chance to be had.
    pub fn seal(&self, text: &[u8], random: &Random<'_>) -> Option<String> {
        let mut nonce = [0; 16];
        if !random(&mut nonce) {
            return None;
        }
        let cipher = ChaCha20Poly1305::new(&derived(&nonce, &self.file_key, b"payload")?.into());
        let mut file = [&self.header[..], &nonce].concat();
        let mut chunks = text.chunks(CHUNK).peekable();
        let mut counter = 0u64;
        loop {
            // Of nothing there is one chunk, which is empty.
            let chunk = chunks.next().unwrap_or_default();
            let last = chunks.peek().is_none();
            file.extend(cipher.encrypt(&nonce_of(counter, last), chunk).ok()?);
            if last {
                return Some(STANDARD.encode(file));
            }
            counter = counter.checked_add(1)?;
        }
    }
}

/// The nonce of a chunk: its number in eleven bytes, and whether it is the last.
fn nonce_of(counter: u64, last: bool) -> Nonce {
    let [a, b, c, d, e, f, g, h] = counter.to_be_bytes();
    Nonce::from([0, 0, 0, a, b, c, d, e, f, g, h, u8::from(last)])
}

/// A key of 32 bytes (HKDF with SHA-256, RFC 5869).
fn derived(salt: &[u8], from: &[u8], what: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), from).expand(what, &mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};

    use super::*;

    /// The recipient of the format's own examples.
    const ALICE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn chance() -> impl Fn(&mut [u8]) -> bool {
        let state = Cell::new(7u8);
        move |into: &mut [u8]| {
            for byte in into {
                state.set(state.get().wrapping_mul(29).wrapping_add(3));
                *byte = state.get();
            }
            true
        }
    }

    #[test]
    fn a_recipient_is_what_age_keygen_prints_and_nothing_else() {
        assert!(Recipient::parse(ALICE).is_ok());
        assert!(Recipient::parse(&format!(" {ALICE}\n")).is_ok());
        assert_eq!(
            Recipient::parse("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"),
            Err(RecipientError::Secret)
        );
        for wrong in ["", "age1", &ALICE[..60], &ALICE.replace("ql3z", "ql3y"), "ssh-ed25519 AAAA"] {
            assert_eq!(Recipient::parse(wrong), Err(RecipientError::Malformed), "{wrong}");
        }
        let age = bech32::Hrp::parse("age").unwrap();
        let zero: String = [0; 32].into_iter().bytes_to_fes().with_checksum::<Bech32>(&age).chars().collect();
        assert_eq!(Recipient::parse(&zero), Err(RecipientError::Weak));
    }

    #[test]
    fn files_of_one_exchange_share_their_beginning_and_nothing_more() {
        let chance = chance();
        let seal = Seal::new(&[Recipient::parse(ALICE).unwrap()], &chance).unwrap();
        let file = |text: &[u8]| STANDARD.decode(seal.seal(text, &chance).unwrap()).unwrap();
        let (one, two) = (file(b"the same"), file(b"the same"));
        let header = seal.header.len();
        assert_eq!(one[..header], two[..header]);
        assert!(one[header..] != two[header..]);
        assert_eq!(one.len(), header + 16 + 8 + 16);
        assert!(!one.windows(8).any(|bytes| bytes == b"the same"));
        assert_eq!(file(b"").len(), header + 16 + 16);
        assert_eq!(file(&[0; 2 * CHUNK]).len(), header + 16 + 2 * (CHUNK + 16));
        assert_eq!(file(&[0; CHUNK + 1]).len(), header + 16 + CHUNK + 1 + 32);
    }

    #[test]
    fn without_chance_nothing_is_sealed() {
        let recipients = [Recipient::parse(ALICE).unwrap()];
        assert!(Seal::new(&recipients, &|_| false).is_none());
        let seal = Seal::new(&recipients, &chance()).unwrap();
        assert_eq!(seal.seal(b"a", &|_| false), None);
    }
}
