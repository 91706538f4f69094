//! Tokens that are the same on both sides.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Fewest bytes: whatever is shorter can be guessed.
const SHORTEST: usize = 16;

/// A token, as its hash: enough to know it again.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short.
    #[error("is shorter than {SHORTEST} bytes and can be guessed: `openssl rand -hex 32` makes one")]
    Short,
    /// Not to be sent in a header.
    #[error("holds characters that no header carries: `openssl rand -hex 32` makes one")]
    Unfit,
}

impl Secret {
    /// Of a text.
    ///
    /// # Errors
    /// It can be guessed, or not be sent.
    pub fn of(text: &str) -> Result<Self, SecretError> {
        if text.len() < SHORTEST {
            return Err(SecretError::Short);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Unfit);
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// Whether somebody has it. How long that takes tells nothing.
    pub fn is(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        self.0.ct_eq(&given).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A key in base64.
pub fn key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

/// So many random bytes, as a text for addresses and cookies.
///
/// # Errors
/// There is no chance.
pub fn random<const N: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a challenge is made of a verifier with (RFC 7636, S256).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_and_no_other_is() {
        let secret = Secret::of("0123456789abcdef").unwrap();
        assert!(secret.is("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"] {
            assert!(!secret.is(other), "{other}");
        }
        assert_eq!(Secret::of("short").unwrap_err(), SecretError::Short);
        assert_eq!(Secret::of("0123456789abcde\n").unwrap_err(), SecretError::Unfit);
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
