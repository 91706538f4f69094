//! Values as they are compared: two spellings of one thing are one value.
//!
//! Which parts of a spelling mean nothing depends on the entity, and is a table: what is not in it is compared letter by
//! letter. Too little is safe (one thing then has two names), too much is not (two things would share one).
use std::net::IpAddr;

use crate::mask::validators::with_country_code;

/// How an entity's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Letter by letter.
    Exact,
    /// Without separators, letters in capitals: card and account numbers, identifiers of states.
    Compact,
    /// The domain in small letters (RFC 5321, 2.4: the part before it is the host's own affair).
    Email,
    /// Digits with their country code.
    Phone,
    /// The address that the text means (RFC 4291, RFC 5952); one of IPv4 as such, however it is wrapped.
    Ip,
    /// An address of a coin: hex digits in any case, and bech32, which alone is written in capitals too.
    Coin,
    /// Hex digits alone, small.
    Hex,
    /// In small letters.
    Lower,
}

/// Entities and their rules. An entity of a state, `XX_…`, is [`Rule::Compact`] unless it stands here, and telephone
/// numbers of all countries are [`Rule::Phone`].
const RULES: &[(&str, Rule)] = &[
    ("EMAIL_ADDRESS", Rule::Email),
    ("IBAN_CODE", Rule::Compact),
    ("CREDIT_CARD", Rule::Compact),
    ("VIN", Rule::Compact),
    ("SWIFT_CODE", Rule::Compact),
    ("BIC_CODE", Rule::Compact),
    ("ABA_ROUTING_NUMBER", Rule::Compact),
    ("IMEI", Rule::Compact),
    ("ICCID", Rule::Compact),
    ("IP_ADDRESS", Rule::Ip),
    ("MAC_ADDRESS", Rule::Hex),
    ("CRYPTO", Rule::Coin),
    ("DOMAIN_NAME", Rule::Lower),
];

fn rule(entity: &str) -> Rule {
    let listed = RULES.iter().find(|(name, _)| *name == entity).map(|(_, rule)| *rule);
    let state = || match entity.as_bytes() {
        [a, b, b'_', ..] => a.is_ascii_uppercase() && b.is_ascii_uppercase(),
        _ => false,
    };
    match listed {
        Some(rule) => rule,
        None if kind(entity) == PHONE_NUMBER => Rule::Phone,
        None if state() => Rule::Compact,
        None => Rule::Exact,
    }
}

const PHONE_NUMBER: &str = "PHONE_NUMBER";

/// What an entity's values are, whatever country's detector found them: one telephone number is one, written with its
/// country code or without.
pub(super) fn kind(entity: &str) -> &str {
    if region(entity).is_some() { PHONE_NUMBER } else { entity }
}

/// The country of `PHONE_NUMBER_XX`.
fn region(entity: &str) -> Option<&str> {
    entity.strip_prefix(PHONE_NUMBER)?.strip_prefix('_').filter(|region| region.len() == 2)
}

/// A value as its entity's values are compared.
pub(super) fn normal(entity: &str, value: &[u8]) -> Vec<u8> {
    let text: String = String::from_utf8_lossy(value).chars().filter_map(plain).collect();
    let normal = match rule(entity) {
        Rule::Exact => return value.to_vec(),
        Rule::Compact => compact(&text),
        Rule::Email => match text.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
            None => text,
        },
        Rule::Phone => phone(&text, region(entity)),
        Rule::Ip => {
            let address = unnamed(&text).parse::<IpAddr>();
            address.map_or(text, |address| address.to_canonical().to_string())
        }
        Rule::Coin => coin(text),
        Rule::Hex => {
            unnamed(&text).chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase()
        }
        Rule::Lower => text.to_ascii_lowercase(),
    };
    normal.into_bytes()
}

/// An address without the word before it.
fn unnamed(text: &str) -> &str {
    let named = text
        .split_once(':')
        .filter(|(name, _)| ["ipv6", "ip", "mac"].iter().any(|known| known.eq_ignore_ascii_case(name)));
    named.map_or(text, |(_, address)| address)
}

/// Base58 tells capitals from small letters and has both.
fn coin(text: String) -> String {
    let either = text.starts_with("0x") || !text.contains(|c: char| c.is_ascii_lowercase());
    if either { text.to_ascii_lowercase() } else { text }
}

/// Without what only parts a value. A plus stays: in some states' identifiers it tells the century.
fn compact(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')'));
    kept.map(|c| c.to_ascii_uppercase()).collect()
}

/// A telephone number behind a plus, with its country code. An extension stays.
fn phone(text: &str, region: Option<&str>) -> String {
    let (number, extension) = match text.find(['x', 'X', 'e', 'E']) {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => (text, ""),
    };
    let region = region.map(str::to_ascii_lowercase);
    let number = with_country_code(number, region.as_deref());
    let extension: String = extension.chars().filter(char::is_ascii_digit).collect();
    let mark = if extension.is_empty() { "" } else { "x" };
    format!("+{number}{mark}{extension}")
}

/// A character without its disguise: full-width forms (U+FF01 and on) are the ASCII they look like, dashes and spaces of
/// all kinds are the plain ones, and what nobody sees is not there.
fn plain(c: char) -> Option<char> {
    match c {
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Some('-'),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c).saturating_sub(0xfee0)),
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(entity: &str, values: &[&str]) {
        let all: Vec<_> = values.iter().map(|value| normal(entity, value.as_bytes())).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{entity}: {values:?} {all:?}");
    }

    fn different(entity: &str, a: &str, b: &str) {
        assert_ne!(normal(entity, a.as_bytes()), normal(entity, b.as_bytes()), "{entity}: {a} {b}");
    }

    #[test]
    fn spellings_of_one_thing_are_one_value() {
        same("EMAIL_ADDRESS", &["jane@Example.COM", "jane@example.com"]);
        same("CREDIT_CARD", &["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"]);
        same("IBAN_CODE", &["DE89370400440532013000", "de89 3704 0044 0532 0130 00"]);
        same(
            "US_SSN",
            &["536-90-4399", "536 90 4399", "536.90.4399", "\u{ff15}36-90-4399", "536\u{2011}90-4399"],
        );
        same("PHONE_NUMBER", &["+1 415 555 2671", "(415) 555-2671", "1-415-555-2671", "415.555.2671"]);
        same("PHONE_NUMBER", &["415-555-2671 x12", "+14155552671 ext. 12"]);
        let british = [
            "020 7946 0958",
            "02079460958",
            "(020) 7946 0958",
            "+44 20 7946 0958",
            "+44 (0)20 7946 0958",
            "0044 20 7946 0958",
        ];
        same("PHONE_NUMBER_GB", &british);
        assert_eq!(
            normal("PHONE_NUMBER", british[3].as_bytes()),
            normal("PHONE_NUMBER_GB", british[0].as_bytes())
        );
        same("PHONE_NUMBER", &["+49 30 1234567", "(+49) 30 1234567", "+ 49 30 1234567", "+(49) 30 1234567"]);
        same("PHONE_NUMBER_IT", &["06 698 12345", "+39 06 698 12345"]);
        same("PHONE_NUMBER_IN", &["98765 43210", "098765 43210", "+91 98765 43210"]);
        same("PHONE_NUMBER_US", &["(415) 555-2671", "+14155552671"]);
        same("IP_ADDRESS", &["2001:db8::1", "2001:0DB8:0:0::0:1"]);
        same("IP_ADDRESS", &["2001:db8::1", "IPv6:2001:db8::1"]);
        same("IP_ADDRESS", &["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"]);
        same("MAC_ADDRESS", &["00:1A:2b:3C:4D:5E", "00-1a-2b-3c-4d-5e", "MAC:00:1A:2b:3C:4D:5E"]);
        same("CREDIT_CARD", &["4111111111111111", ".4111 1111 1111 1111"]);
        same(
            "CRYPTO",
            &["BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
        );
        same(
            "CRYPTO",
            &["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"],
        );
    }

    #[test]
    fn different_things_are_different_values() {
        different("EMAIL_ADDRESS", "Jane@example.com", "jane@example.com");
        different("PHONE_NUMBER", "+49 415 555 2671", "+1 415 555 2671");
        different("PHONE_NUMBER", "415-555-2671 x12", "415-555-2671");
        different("FI_PERSONAL_IDENTITY_CODE", "131052-308T", "131052+308T");
        different("GITHUB_TOKEN", "ghp_aB", "ghp_ab");
        different("EMPLOYEE_ID", "EMP-1 2", "EMP-12");
        different("IP_ADDRESS", "10.0.0.1", "10.0.0.2");
        different("CRYPTO", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1boatSLRHtKNngkdXEeobR76b53LETtpyT");
    }
}
