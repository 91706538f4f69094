//! What can be told of a value before it is walked: that its checksum will fail, however it ends.
//!
//! In `DE89 DE89 DE89 …` every fifth byte starts what may be an IBAN of 34 characters. Walking to the end of each and
//! asking the validator for every place where it might stop costs a hundred times what reading costs. But the country
//! fixes the length, so that one sum over the characters tells; and of a card number one pass over its digits knows
//! all sums on the way.
//!
//! A gate looks at a text that starts where the value would, and may say that no value of its detector starts there,
//! whatever follows the text. It is asked after the first bytes fit. It may let pass what the validator will refuse,
//! never the other way round; so what is masked does not depend on gates, nor on how much of the text they see.
use super::validators::{self, bank_country, card_lengths, iban_length};
use super::walk::LIMIT;

/// Whether no value that starts where the text does passes the validator.
pub type Gate = fn(&[u8]) -> bool;

/// Of `iban`: the country's length leaves one end.
pub fn iban(text: &[u8]) -> bool {
    let Some(([a, b], behind)) = text.split_first_chunk::<2>() else { return false };
    let behind = behind.strip_prefix(b" ").unwrap_or(behind);
    let Some((check, account)) = behind.split_first_chunk::<2>() else { return false };
    let Some(length) = iban_length([a.to_ascii_uppercase(), b.to_ascii_uppercase()]) else { return true };
    let mut left = length.saturating_sub(4);
    let mut sum = 0u64;
    let mut joined = true;
    for &byte in account {
        match base_36(byte) {
            Some(value) => {
                sum = append(sum, value);
                left = left.wrapping_sub(1);
                joined = true;
                if left == 0 {
                    let moved = [a, b].into_iter().chain(check).filter_map(|&byte| base_36(byte));
                    return moved.fold(sum, append).wrapping_rem(97) != 1;
                }
            }
            // A separator stands alone.
            None if matches!(byte, b' ' | b'-') && joined => joined = false,
            None => return true,
        }
    }
    false
}

/// Appends a value's one or two decimal digits to a number of which the remainder modulo 97 counts.
#[inline(always)]
fn append(sum: u64, value: u64) -> u64 {
    let sum = if sum < 1 << 56 { sum } else { sum.wrapping_rem(97) };
    let scale = if value < 10 { 10 } else { 100 };
    sum.wrapping_mul(scale).wrapping_add(value)
}

/// `A` is 10, `Z` is 35.
#[inline(always)]
fn base_36(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some(u64::from(byte.wrapping_sub(b'0'))),
        b'A'..=b'Z' | b'a'..=b'z' => Some(u64::from((byte | 0x20).wrapping_sub(b'a').wrapping_add(10))),
        _ => None,
    }
}

/// Of `card`: lengths that the network issues, and the check digit at each.
pub fn card(text: &[u8]) -> bool {
    let Some(&[a, b]) = text.first_chunk::<2>() else { return false };
    let lengths = card_lengths(a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    if lengths == 0 {
        return true;
    }
    // The sums of ISO/IEC 7812-1 with the last digit as it is, and with the last one doubled.
    let (mut plain, mut doubled) = (0u32, 0u32);
    let mut count = 0u32;
    let mut joined = false;
    for &byte in text {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            if matches!(byte, b' ' | b'-') && joined {
                joined = false;
                continue;
            }
            return true;
        }
        joined = true;
        let twice = digit.wrapping_mul(2);
        let twice = if twice > 9 { twice.wrapping_sub(9) } else { twice };
        (plain, doubled) = (doubled.wrapping_add(digit), plain.wrapping_add(twice));
        count = count.wrapping_add(1);
        if lengths.wrapping_shr(count) & 1 == 1 && plain.is_multiple_of(10) {
            return false;
        }
        if lengths.wrapping_shr(count) < 2 {
            return true;
        }
    }
    false
}

/// An Italian fiscal code: letters, digits or what stands for them, the month's letter.
///
/// Its first six letters are those of any word; what comes behind them is not.
pub fn it_fiscal_code(text: &[u8]) -> bool {
    const SHAPE: &[u8; 16] = b"AAAAAA00M00A000A";
    let fits = |(byte, class): (&u8, &u8)| {
        let letter = byte.to_ascii_uppercase();
        match class {
            b'A' => letter.is_ascii_uppercase(),
            b'M' => matches!(letter, b'A'..=b'E' | b'H' | b'L' | b'M' | b'P' | b'R'..=b'T'),
            _ => matches!(letter, b'0'..=b'9' | b'L'..=b'N' | b'P'..=b'V'),
        }
    };
    !text.iter().zip(SHAPE).all(fits)
}

/// Of `bic`: letters, a country among them, and where the word ends.
pub fn bic(text: &[u8]) -> bool {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = text.iter().take(12).take_while(in_word).count();
    let over = length < text.len();
    let country = match text.get(4..6) {
        Some(&[a, b]) => bank_country([a.to_ascii_uppercase(), b.to_ascii_uppercase()]),
        _ => true,
    };
    !country || over && !matches!(length, 8 | 11)
}

/// Of `aws_secret`: forty characters of base64.
pub fn aws_secret(text: &[u8]) -> bool {
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !text.iter().take(40).all(of_base64) || text.get(40).is_some_and(|byte| of_base64(byte) || *byte == b'=')
}

/// Of `jwt`: a header that is none of JOSE's, where the token is over before it would count as found for its length.
pub fn jwt(text: &[u8]) -> bool {
    const DECODED: usize = 16;
    let seen = text.get(..LIMIT).unwrap_or(text);
    let header = seen.get(..DECODED).unwrap_or(seen);
    if header.len() < DECODED && !header.contains(&b'.') || validators::jwt(header) {
        return false;
    }
    let mut dots = 0u32;
    seen.iter().any(|byte| {
        dots = dots.wrapping_add(u32::from(*byte == b'.'));
        let within = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !within || dots > 4
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Text of which each beginning is a value as its pattern allows, or none.
    fn runs(bytes: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(select(bytes), 0..40)
    }

    fn keeps_what_is_valid(gate: Gate, valid: impl Fn(&[u8]) -> bool, text: &[u8]) {
        let doubled = |text: &[u8]| text.windows(2).any(|two| two.iter().all(|b| b" -".contains(b)));
        for end in 1..=text.len() {
            let value = &text[..end];
            if valid(value) && !doubled(value) && value[end - 1].is_ascii_alphanumeric() {
                for seen in 0..=text.len() {
                    assert!(!gate(&text[..seen]), "{} in {}", value.escape_ascii(), text.escape_ascii());
                }
            }
        }
    }

    /// The validator passes over letters and what stands before the first digit, which the pattern does not know.
    fn valid_card(value: &[u8]) -> bool {
        let digits_first = value.first().is_some_and(u8::is_ascii_digit);
        digits_first && !value.iter().any(u8::is_ascii_alphabetic) && validators::card(value)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_valid_card_is_gated(first in select(vec!["4", "51", "34", "6304", "62", "30", ""]), rest in runs(b"0123456789 -a")) {
            keeps_what_is_valid(card, valid_card, &[first.as_bytes(), &rest].concat());
        }

        #[test]
        fn no_valid_iban_is_gated(country in select(vec!["DE", "no", "BE", "XX", "NO "]), check in 0u8..99, rest in runs(b"0123456789 -aZ")) {
            keeps_what_is_valid(iban, validators::iban, &[country.as_bytes(), format!("{check:02}").as_bytes(), &rest].concat());
        }
    }

    #[test]
    fn tokens_pass_and_what_is_no_header_does_not() {
        let token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4 and";
        (0..=token.len()).for_each(|seen| assert!(!jwt(&token[..seen]), "{seen}"));
        let other = b"eyJaaaaaaaaaa.eyJaaaaaaaaaa.eyJaaaaaaaaaa and";
        let told: Vec<usize> = (0..=other.len()).filter(|&seen| jwt(&other[..seen])).collect();
        assert_eq!(told, (42..=other.len()).collect::<Vec<_>>(), "once it is over");
        assert!(jwt(b"eyJaaaaaaaaaa.a.b.c.d.e"), "it has too many parts");
        // What goes on for so long counts as found, whatever its header.
        let long = [b"eyJaaaaaaaaaa.eyJ", "a".repeat(LIMIT).as_bytes(), b" "].concat();
        assert!(!jwt(&long));
        assert!(!jwt(&long[..LIMIT]));
        assert!(jwt(&[&long[..LIMIT - 1], b" "].concat()));
    }

    #[test]
    fn fiscal_codes_pass_and_words_do_not() {
        for text in ["RCCMNL83S18D969H", "rccmnl83s18d969h.", "RCCMNL8", "abcdefuvdlmapqrx"] {
            (0..=text.len()).for_each(|seen| assert!(!it_fiscal_code(&text.as_bytes()[..seen]), "{text}"));
        }
        for text in ["a word", "another one", "RCCMNL83F18D969H", "international"] {
            assert!(it_fiscal_code(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn real_values_pass_and_hopeless_ones_do_not() {
        for text in ["4111 1111 1111 1111 and", "378282246310005", "41", "4111 1111 1111 1111 1111 x"] {
            keeps_what_is_valid(card, valid_card, text.as_bytes());
            assert!(!card(text.as_bytes()), "{text}");
        }
        for text in ["4111 4111 4111 4111 4111 ", "9999", "4111x", "4111  1111 1111 1111"] {
            assert!(card(text.as_bytes()), "{text}");
        }
        for text in [
            "DE89 3704 0044 0532 0130 00",
            "DE 89 3704 0044 0532 0130 00",
            "gb82west12345698765432",
            "DE89",
            "NO9386011117947 and",
        ] {
            keeps_what_is_valid(iban, validators::iban, text.as_bytes());
            assert!(!iban(text.as_bytes()), "{text}");
        }
        for text in ["DE89 DE89 DE89 DE89 DE89 DE89 DE89", "XX12", "DE89 3704.", "DE89370400440532013001"] {
            assert!(iban(text.as_bytes()), "{text}");
        }
    }
}
