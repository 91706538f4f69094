//! What a browser keeps for the collector and cannot read or change: sealed cookies.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a nonce: enough to be drawn by chance.
const NONCE: usize = 24;
/// Longest sealed text. Browsers keep cookies of 4096 bytes, with names and attributes.
const LONGEST: usize = 3800;
/// Longest text under a seal: a deflated cookie has no more.
const EXPANDED: u64 = 1 << 20;

/// What seals.
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// With a key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Seals something for a purpose. `None`: it is too long for a cookie.
    pub fn close<T: Serialize>(&self, purpose: &str, content: &T) -> Option<String> {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&serde_json::to_vec(content).ok()?).ok()?;
        let packed = packer.finish().ok()?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: &packed, aad: purpose.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).ok()?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        (text.len() <= LONGEST).then_some(text)
    }

    /// Opens it. `None`: it was not sealed here, for another purpose, or was changed.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let packed = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        let mut content = Vec::new();
        DeflateDecoder::new(packed.as_slice()).take(EXPANDED).read_to_end(&mut content).ok()?;
        serde_json::from_slice(&content).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_for_its_purpose_and_key_alone() {
        let seal = Seal::new([1; 32]);
        let content = vec!["groups".to_owned(); 100];
        let sealed = seal.close("session", &content).unwrap();
        assert_eq!(seal.open::<Vec<String>>("session", &sealed), Some(content.clone()));
        assert_eq!(seal.open::<Vec<String>>("login", &sealed), None);
        assert_eq!(Seal::new([2; 32]).open::<Vec<String>>("session", &sealed), None);
        assert_ne!(seal.close("session", &content).unwrap(), sealed);
        for at in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            // The last digit of base64 holds bits that count for nothing, which is refused too.
            assert_eq!(seal.open::<Vec<String>>("session", &other), None, "{at}");
        }
        for cut in 0..sealed.len() {
            assert_eq!(seal.open::<Vec<String>>("session", &sealed[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn what_no_browser_would_keep_is_not_sealed() {
        let groups: Vec<String> =
            (0..2000_u32).map(|n| crate::store::now().wrapping_mul(i64::from(n)).to_string()).collect();
        assert_eq!(Seal::new([1; 32]).close("session", &groups), None);
    }
}
