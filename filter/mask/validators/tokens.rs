//! What tells a token from other text.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::super::walk::LIMIT;

/// At least two digits: what tells a random token from words joined with dashes.
pub fn two_digits(value: &[u8]) -> bool {
    value.iter().filter(|b| b.is_ascii_digit()).nth(1).is_some()
}

/// The first names that stand in a JOSE header (RFC 7515, 7516, 7797, 9449 and what issuers put first).
const JOSE: &[&str] = &[
    "alg", "typ", "kid", "enc", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "crit", "zip", "epk", "apu", "apv",
    "b64", "iv", "tag", "p2s", "p2c", "iss", "ver", "nonce", "ppt",
];

/// A JSON Web Token: its header is an object that starts with a name of JOSE's. Where the header is longer than what
/// is decoded, its start decides.
pub fn jwt(value: &[u8]) -> bool {
    let header = value.split(|&b| b == b'.').next().unwrap_or_default();
    // A multiple of four characters decodes without a rest.
    let most = header.len().min(16) & !3;
    let mut decoded = [0u8; 16];
    let len = URL_SAFE_NO_PAD.decode_slice(header.get(..most).unwrap_or_default(), &mut decoded).unwrap_or(0);
    let Some(name) = decoded.get(..len).and_then(|start| start.strip_prefix(b"{\"")) else { return false };
    JOSE.iter().any(|known| name.starts_with(known.as_bytes()))
}

/// `Basic` and base64 of a user and a password (RFC 7617), in either of its alphabets.
pub fn basic_auth(value: &[u8]) -> bool {
    // A value is no longer than a walk.
    let mut decoded = [0u8; LIMIT];
    let encoded = value.rsplit(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
    let alphabets = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let len = alphabets.iter().find_map(|alphabet| alphabet.decode_slice(encoded, &mut decoded).ok());
    let decoded = decoded.get(..len.unwrap_or(0)).unwrap_or_default();
    let printable = std::str::from_utf8(decoded).is_ok_and(|text| !text.chars().any(char::is_control));
    printable && matches!(memchr::memchr(b':', decoded), Some(at) if at > 0)
}

/// Shannon's entropy in bits a character.
fn entropy(value: &[u8]) -> f32 {
    let mut counts = [0u16; 256];
    for &byte in value {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total = f32::from(u16::try_from(value.len()).unwrap_or(u16::MAX));
    let share = |&count: &u16| f32::from(count) / total;
    counts.iter().filter(|&&count| count > 0).map(share).fold(0.0, |sum, p| p.mul_add(-p.log2(), sum))
}

/// Whether small letters, capitals and digits all occur.
fn mixed(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_digit)
}

/// Forty characters of base64 that look random: small letters, capitals, digits, and four bits a character.
pub fn aws_secret(value: &[u8]) -> bool {
    mixed(value) && entropy(value) > 4.0
}

/// A random string: small letters, capitals and digits, and more entropy than words have.
pub fn random(value: &[u8]) -> bool {
    mixed(value) && entropy(value) > 4.0
}

/// A password in prose or configuration: not a stand-in, nor a reference to where it really stands.
pub fn password(value: &[u8]) -> bool {
    let value =
        value.iter().position(|b| matches!(b, b':' | b'=')).and_then(|at| value.get(at.wrapping_add(1)..));
    let trimmed = value.unwrap_or_default().trim_ascii();
    let bare = trimmed.strip_prefix(b"\"").or_else(|| trimmed.strip_prefix(b"'")).unwrap_or(trimmed);
    let reference = matches!(bare.first(), Some(b'$' | b'<' | b'{' | b'[' | b'(' | b'%' | b'*'));
    let known: &[&[u8]] =
        &[b"password", b"none", b"null", b"true", b"false", b"required", b"string", b"undefined"];
    !reference && !bare.is_empty() && !known.iter().any(|word| word.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn two_digits_tell_a_token_from_words() {
        table(two_digits, &["a1b2", "12"], &["a1b", "sk-fading-circle", ""]);
    }

    #[test]
    fn a_jwt_has_a_jose_header() {
        let good = [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.",
            "eyJraWQiOiIxIn0.a.b",
        ];
        table(jwt, &good, &["eyJpZCI6MTIzfQ.eyJpZCI6MTIzfQ.x", "eyJ.eyJ.x", "eyJhbG", ""]);
    }

    #[test]
    fn basic_credentials_decode_to_a_user_and_a_password() {
        table(
            basic_auth,
            &[
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                "basic dXNlcjpwYXNz",
                "BASIC amFuZTo-Pj4_Pz9-fg==",
                "Basic amFuw6k6aHVudGVyMg",
            ],
            &["Basic Authentication", "Basic instructions", "Basic OnBhc3M=", "Basic", "Basic AGE6Yg=="],
        );
    }

    #[test]
    fn random_strings_are_told_from_words_and_numbers() {
        table(
            aws_secret,
            &["wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKY"],
            &["da39a3ee5e6b4b0d3255bfef95601890afd80709", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAa1"],
        );
        table(
            random,
            &["x8Kq0Zr3Lm5Tn7Vb9Wc2"],
            &["thisIsALongCamelCase1", "AAAAAAAAAAAAAAAAAAAAAAAa1", "20240131235959000000"],
        );
        table(
            password,
            &["password: hunter2", "pwd='x9!kk'"],
            &["password: ${DB}", "password=<secret>", "password: None"],
        );
    }
}
