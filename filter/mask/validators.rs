//! What a pattern cannot say: checksums, number plans, addresses that really parse.
//!
//! Each takes the whole value as it stands in the text, separators included.
use std::net::{Ipv4Addr, Ipv6Addr};

/// The digits of a value, separators left out.
fn digits(value: &[u8]) -> impl DoubleEndedIterator<Item = u32> + Clone {
    value.iter().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b.wrapping_sub(b'0')))
}

/// The number that some digits write in base ten.
fn number(digits: impl Iterator<Item = u32>) -> u32 {
    digits.fold(0, |n, d| n.wrapping_mul(10).wrapping_add(d))
}

/// At least two digits: what tells a random token from words joined with dashes.
pub fn two_digits(value: &[u8]) -> bool {
    digits(value).nth(1).is_some()
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let sum = digits.rev().enumerate().fold(0u32, |sum, (i, d)| {
        let doubled = d.wrapping_mul(2);
        let part = match (i & 1, doubled > 9) {
            (0, _) => d,
            (_, false) => doubled,
            (_, true) => doubled.wrapping_sub(9),
        };
        sum.wrapping_add(part)
    });
    sum.is_multiple_of(10)
}

/// The first six digits of each network's numbers (both ends in), and the lengths it issues, as bits.
const ISSUERS: &[(u32, u32, u32)] = &[
    (400000, 499999, lengths(&[13, 16, 19])),                     // Visa
    (222100, 272099, lengths(&[16])),                             // Mastercard
    (510000, 559999, lengths(&[16])),                             // Mastercard
    (340000, 349999, lengths(&[15])),                             // American Express
    (370000, 379999, lengths(&[15])),                             // American Express
    (300000, 305999, lengths(&[14, 16, 19])),                     // Diners Club
    (309500, 309599, lengths(&[14, 16, 19])),                     // Diners Club
    (360000, 369999, lengths(&[14, 16, 19])),                     // Diners Club
    (380000, 399999, lengths(&[14, 16, 19])),                     // Diners Club
    (352800, 358999, lengths(&[16, 17, 18, 19])),                 // JCB
    (601100, 601199, lengths(&[16, 17, 18, 19])),                 // Discover
    (622000, 622999, lengths(&[16, 17, 18, 19])),                 // UnionPay
    (624000, 626999, lengths(&[16, 17, 18, 19])),                 // UnionPay
    (628200, 628899, lengths(&[16, 17, 18, 19])),                 // UnionPay
    (620000, 621999, lengths(&[16, 17, 18, 19])),                 // UnionPay
    (644000, 659999, lengths(&[16, 17, 18, 19])),                 // Discover
    (500000, 509999, lengths(&[16, 17, 18, 19])),                 // Maestro, Verve, Elo
    (560000, 589999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (630000, 639999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (670000, 679999, lengths(&[12, 13, 14, 15, 16, 17, 18, 19])), // Maestro
    (220000, 220499, lengths(&[16, 17, 18, 19])),                 // Mir
    (810000, 817199, lengths(&[16, 17, 18, 19])),                 // RuPay
];

/// The lengths that networks issue whose numbers begin with two digits, as bits: those of their ranges, and more where
/// a range takes up a part of the numbers.
pub fn card_lengths(first: u8, second: u8) -> u32 {
    const BY_TWO: [u32; 100] = by_two();
    let at = usize::from(first).wrapping_mul(10).wrapping_add(second.into());
    if second > 9 { u32::MAX } else { BY_TWO.get(at).copied().unwrap_or(0) }
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs while compiling, on our own table"
)]
const fn by_two() -> [u32; 100] {
    let mut all = [0; 100];
    let mut row = 0;
    while row < ISSUERS.len() {
        let (first, last, lengths) = ISSUERS[row];
        let mut two = first / 10_000;
        while two <= last / 10_000 {
            all[two as usize] |= lengths;
            two += 1;
        }
        row += 1;
    }
    all
}

const fn lengths(of: &[u32]) -> u32 {
    match of {
        [] => 0,
        [first, rest @ ..] => 1u32.wrapping_shl(*first) | lengths(rest),
    }
}

/// A payment card: a network's range, a length that it issues, and the check digit.
pub fn card(value: &[u8]) -> bool {
    let prefix = number(digits(value).take(6));
    let length = 1u32.checked_shl(digits(value).count().try_into().unwrap_or(32)).unwrap_or(0);
    ISSUERS.iter().any(|&(first, last, lengths)| (first..=last).contains(&prefix) && lengths & length != 0)
        && luhn(digits(value))
}

/// The Social Security Administration's rules: no area 000, 666 or 9xx, no group 00, no serial 0000, and not the two
/// numbers that were printed in advertisements.
pub fn ssn(value: &[u8]) -> bool {
    let area = number(digits(value).take(3));
    let group = number(digits(value).skip(3).take(2));
    let serial = number(digits(value).skip(5));
    let advertised = [(78, 5, 1120), (219, 9, 9999)].contains(&(area, group, serial));
    !(area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 || advertised)
}

/// Total lengths by country, from the IBAN registry (SWIFT, release 99).
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The length of a country's IBANs.
pub fn iban_length([a, b]: [u8; 2]) -> Option<usize> {
    const BY_COUNTRY: [[u8; 26]; 26] = by_country();
    let row = BY_COUNTRY.get(usize::from(a.wrapping_sub(b'A')))?;
    let length = row.get(usize::from(b.wrapping_sub(b'A'))).copied()?;
    (length > 0).then_some(length.into())
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs while compiling, on our own table"
)]
const fn by_country() -> [[u8; 26]; 26] {
    let mut all = [[0; 26]; 26];
    let mut row = 0;
    while row < IBAN_LENGTHS.len() {
        let (&[a, b], length) = IBAN_LENGTHS[row];
        all[(a - b'A') as usize][(b - b'A') as usize] = length as u8;
        row += 1;
    }
    all
}

/// ISO 13616: the country's length, and ISO 7064 MOD 97-10.
pub fn iban(value: &[u8]) -> bool {
    let characters = || value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    let mut start = characters();
    let (Some(a), Some(b)) = (start.next(), start.next()) else { return false };
    if iban_length([a, b]) != Some(characters().count()) {
        return false;
    }
    let rotated = characters().skip(4).chain(characters().take(4));
    let remainder = rotated.fold(0u32, |n, c| {
        let (scale, digit) = match c {
            b'0'..=b'9' => (10, c.wrapping_sub(b'0')),
            _ => (100, c.wrapping_sub(b'A').wrapping_add(10)),
        };
        n.wrapping_mul(scale).wrapping_add(u32::from(digit)).wrapping_rem(97)
    });
    remainder == 1
}

/// Country codes of ITU-T E.164 of two digits; codes 1 and 7 have one digit.
const TWO_DIGIT_CODES: &[u32] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
/// Tens of three-digit codes that are assigned, at least in part.
const THREE_DIGIT_TENS: &[u32] =
    &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];
/// Three-digit codes under those tens that are not assigned.
const UNASSIGNED: &[u32] = &[
    210, 214, 215, 217, 219, 259, 292, 293, 294, 295, 296, 384, 388, 422, 424, 425, 426, 427, 428, 429, 671,
    684, 693, 694, 695, 696, 697, 698, 699, 801, 802, 803, 804, 805, 806, 807, 809, 851, 854, 857, 858, 859,
    871, 872, 873, 874, 875, 876, 877, 879, 884, 885, 887, 889, 969, 978, 990, 991, 997, 999,
];

/// An international number after a plus: an assigned country code, and at most 15 digits; the North American plan's
/// own rules where it is theirs.
pub fn phone_international(value: &[u8]) -> bool {
    let count = digits(value).count();
    let code = |length| number(digits(value).take(length));
    if code(1) == 1 {
        return count == 11 && north_american(digits(value).skip(1));
    }
    let assigned = code(1) == 7
        || TWO_DIGIT_CODES.contains(&code(2))
        || THREE_DIGIT_TENS.contains(&code(2)) && !UNASSIGNED.contains(&code(3));
    assigned && (8..=15).contains(&count)
}

/// A number of the North American plan, without country code or after `1`.
pub fn phone_us(value: &[u8]) -> bool {
    let skip = usize::from(value.first() == Some(&b'1'));
    north_american(digits(value).skip(skip))
}

/// Area code and exchange start with 2 to 9 and are not service codes such as 911.
fn north_american(mut digits: impl Iterator<Item = u32>) -> bool {
    let area = number(digits.by_ref().take(3));
    let exchange = number(digits.by_ref().take(3));
    let service = |n: u32| n.wrapping_rem(100) == 11;
    area >= 200 && exchange >= 200 && !service(area) && !service(exchange) && digits.nth(3).is_some()
}

/// Four decimal octets without leading zeros.
pub fn ipv4(value: &[u8]) -> bool {
    text(value).is_some_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// An address of RFC 4291 that names somebody: two groups, five hex digits and one decimal digit at least.
pub fn ipv6(value: &[u8]) -> bool {
    let hex = value.iter().filter(|b| b.is_ascii_hexdigit()).count();
    let groups = value.split(|&b| b == b':').filter(|group| !group.is_empty()).count();
    hex >= 5
        && groups >= 2
        && digits(value).next().is_some()
        && text(value).is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(valid: fn(&[u8]) -> bool, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|value| assert!(valid(value.as_bytes()), "{value} is good"));
        bad.iter().for_each(|value| assert!(!valid(value.as_bytes()), "{value} is bad"));
    }

    #[test]
    fn cards_need_a_network_its_length_and_the_check_digit() {
        let good = [
            "4111111111111111",
            "4222222222222",
            "5105105105105100",
            "2223003122003222",
            "2720990000000007",
            "371449635398431",
            "6011000990139424",
            "30569309025904",
            "3530 1113 3330 0000",
            "6200000000000005",
            "6759649826438453",
        ];
        let bad = [
            "4111111111111112",
            "411111111111116",
            "1111111111111117",
            "2720999999999996".get(1..).unwrap(),
            "0000000000000000",
            "51051051051051000",
            "37144963539843",
            "9999999999999995",
            "",
            "4",
        ];
        table(card, &good, &bad);
    }

    #[test]
    fn the_check_digit_catches_every_single_wrong_digit() {
        let right: Vec<u32> = digits(b"4111111111111111").collect();
        for at in 0..right.len() {
            for wrong in (0..10).filter(|&d| d != right[at]) {
                let mut digits = right.clone();
                digits[at] = wrong;
                assert!(!luhn(digits.into_iter()));
            }
        }
    }

    #[test]
    fn social_security_numbers_obey_area_group_and_serial() {
        let good = ["001-01-0001", "665-99-9999", "667 10 1234", "899.10.1234"];
        let bad = [
            "000-10-1234",
            "666-10-1234",
            "900-10-1234",
            "999-10-1234",
            "123-00-1234",
            "123-10-0000",
            "219-09-9999",
        ];
        table(ssn, &good, &bad);
    }

    #[test]
    fn ibans_have_their_countrys_length_and_the_remainder_one() {
        let good = [
            "AL47212110090000000235698741",
            "BE68 5390 0754 7034",
            "CH9300762011623852957",
            "NL91ABNA0417164300",
            "NO9386011117947",
            "gb29nwbk60161331926819",
            "SE45-5000-0000-0583-9825-7466",
            "LC55HEMM000100010012001200023015",
        ];
        let bad = [
            "BE68539007547035",
            "BE6853900754703",
            "ZZ68539007547034",
            "NO93860111179470",
            "",
            "N",
            "GB29NWBK60161331926818",
        ];
        table(iban, &good, &bad);
    }

    #[test]
    fn every_swap_of_two_neighbours_in_an_iban_is_caught() {
        let right = b"DE89370400440532013000";
        for at in 2..right.len() - 1 {
            let mut swapped = *right;
            swapped.swap(at, at + 1);
            assert_eq!(iban(&swapped), swapped == *right, "{}", swapped.escape_ascii());
        }
    }

    #[test]
    fn phone_numbers_have_an_assigned_country_and_a_fitting_length() {
        let good = [
            "+4930123456",
            "+7 495 123-45-67",
            "+1 212 555 0123",
            "+3581234567",
            "+85212345678",
            "+971 50 123 4567",
        ];
        let bad = [
            "+1 212 555 012",
            "+1 012 555 0123",
            "+1 212 155 0123",
            "+2101234567",
            "+491234",
            "+1 911 555 0123",
            "+4912345678901234",
        ];
        table(phone_international, &good, &bad);
        table(
            phone_us,
            &["212-555-0123", "1 (212) 555-0123", "800.555.0100 x7"],
            &["211-555-0123", "212-055-0123", "212-411-0123"],
        );
    }

    #[test]
    fn addresses_really_parse() {
        table(
            ipv4,
            &["0.0.0.0", "255.255.255.255", "127.0.0.1"],
            &["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", ""],
        );
        let good = ["2001:db8::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "2001:db8::"];
        let bad = [
            "::1",
            "::",
            "1:2:3:4:5:6:7",
            "1::2",
            "a::b",
            "dead::beef",
            "12:34:56",
            "2001::db8::1",
            "2001:db8::12345",
            "fe80:::1",
        ];
        table(ipv6, &good, &bad);
    }

    #[test]
    fn two_digits_tell_a_token_from_words() {
        table(two_digits, &["a1b2", "12"], &["a1b", "sk-fading-circle", ""]);
    }
}
