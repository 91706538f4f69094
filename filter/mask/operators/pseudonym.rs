//! Names that stand for values: the same value gets the same name, whoever masks it and whenever.
//!
//! A name is `<EMAIL_ADDRESS_7f3a9c12ab34>`: 48 bits of HMAC-SHA256 (RFC 2104) over a scope, the entity and the value as
//! its entity's values are compared ([`normal`](super::normal)). No table is kept and none is shared, so workers, turns
//! and days agree. Without the key nobody can tell a name's value by trying all values, as could be done with a plain
//! hash of a telephone number. Another key or scope gives other names.
use std::fmt;

use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Form;
use super::normal::{kind, normal};

/// Says what the hash is of, so that the key serves nothing else by accident.
const PURPOSE: &[u8] = b"portcullis pseudonym 1";

/// Fewest bytes of a key: as many as nobody guesses.
pub const SHORTEST_KEY: usize = 16;

/// Gives names under one key and one scope. It shows neither.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// Names under this key (see [`SHORTEST_KEY`]) and scope: in another scope a value has another name.
    pub fn new(key: &[u8], scope: &str) -> Self {
        // RFC 2104: a key longer than a block is hashed first, a shorter one is filled with zeros.
        let hashed = (key.len() > Key::<Hmac<Sha256>>::default().len()).then(|| Sha256::digest(key));
        let mut block = Key::<Hmac<Sha256>>::default();
        for (byte, of_key) in block.iter_mut().zip(hashed.as_deref().unwrap_or(key)) {
            *byte = *of_key;
        }
        let mut names = Self(Hmac::new(&block));
        names.0.update(PURPOSE);
        names.part(scope.as_bytes());
        names
    }

    /// Takes in a part, so that no two lists of parts are the same text.
    fn part(&mut self, part: &[u8]) {
        self.0.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(part);
    }

    /// The 48 bits of a value.
    fn bits(&self, entity: &str, value: &[u8]) -> u64 {
        let mut names = self.clone();
        names.part(kind(entity).as_bytes());
        names.part(&normal(entity, value));
        let hash = names.0.finalize().into_bytes();
        hash.iter().take(6).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }

    /// Writes a value's name: in a text 12 hex digits behind its entity's name; in a number the same 48 bits, as a
    /// decimal (every double holds it exactly).
    pub(super) fn write(&self, entity: &str, value: &[u8], form: Form, out: &mut Vec<u8>) {
        let bits = self.bits(entity, value);
        let name = match form {
            Form::Text => format!("<{entity}_{bits:012x}>"),
            Form::Number => bits.to_string(),
        };
        out.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef";

    fn name(names: &Pseudonyms, entity: &str, value: &str) -> String {
        let mut out = Vec::new();
        names.write(entity, value.as_bytes(), Form::Text, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Had by other means: Python's `hmac`, over the parts with their lengths in eight bytes.
    #[test]
    fn a_name_is_the_hmac_of_scope_entity_and_value() {
        let names = Pseudonyms::new(KEY, "acme");
        assert_eq!(name(&names, "EMAIL_ADDRESS", "jane@example.com"), "<EMAIL_ADDRESS_883a6fbdd3a5>");
    }

    #[test]
    fn keys_of_any_length_are_taken_as_hmac_takes_them() {
        for len in [16, 63, 64, 65, 131] {
            let key = vec![0xaa; len];
            let mut theirs = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            theirs.update(PURPOSE);
            theirs.update(&0u64.to_be_bytes());
            let ours = Pseudonyms::new(&key, "").0.finalize().into_bytes();
            assert_eq!(ours, theirs.finalize().into_bytes(), "{len}");
        }
    }

    #[test]
    fn one_value_has_one_name_however_it_is_spelled() {
        let names = Pseudonyms::new(KEY, "");
        assert_eq!(
            name(&names, "EMAIL_ADDRESS", "jane@EXAMPLE.com"),
            name(&names, "EMAIL_ADDRESS", "jane@example.com")
        );
        assert_eq!(name(&names, "US_SSN", "536-90-4399"), name(&names, "US_SSN", "536 90 4399"));
    }

    #[test]
    fn key_scope_entity_and_value_each_change_the_name() {
        let one = name(&Pseudonyms::new(KEY, "a"), "X", "v");
        assert_eq!(one, name(&Pseudonyms::new(KEY, "a"), "X", "v"));
        assert_ne!(one, name(&Pseudonyms::new(b"fedcba9876543210", "a"), "X", "v"));
        assert_ne!(one, name(&Pseudonyms::new(KEY, "b"), "X", "v"));
        assert_ne!(one[2..], name(&Pseudonyms::new(KEY, "a"), "Y", "v")[2..]);
        assert_ne!(one, name(&Pseudonyms::new(KEY, "a"), "X", "w"));
        // Parts do not run into each other.
        assert_ne!(Pseudonyms::new(KEY, "ab").bits("C", b"d"), Pseudonyms::new(KEY, "a").bits("bC", b"d"),);
    }

    #[test]
    fn in_a_number_the_same_bits_stand_as_a_decimal() {
        let names = Pseudonyms::new(KEY, "");
        let mut number = Vec::new();
        names.write("CREDIT_CARD", b"4111111111111111", Form::Number, &mut number);
        let number: u64 = String::from_utf8(number).unwrap().parse().unwrap();
        assert_eq!(
            name(&names, "CREDIT_CARD", "4111 1111 1111 1111"),
            format!("<CREDIT_CARD_{number:012x}>")
        );
    }

    #[test]
    fn nothing_shows_the_key() {
        assert_eq!(format!("{:?}", Pseudonyms::new(KEY, "acme")), "Pseudonyms");
    }
}
