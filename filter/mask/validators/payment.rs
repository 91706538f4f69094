//! What money moves by: cards, IBANs, BICs.
use super::digits::{digits, luhn, number};

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
    (606985, 607999, lengths(&[16])),                             // RuPay
    (606282, 606282, lengths(&[13, 16, 19])),                     // Hipercard
    (979200, 979299, lengths(&[16])),                             // Troy
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

/// A payment card's number, and the point of the abbreviation that it stands behind: `No.4111…`.
pub fn card_behind_a_point(value: &[u8]) -> bool {
    value.strip_prefix(b".").is_some_and(card)
}

/// Countries by the total length of their numbers, from the IBAN registry (SWIFT, release 99).
const IBAN_LENGTHS: &[(usize, &[u8])] = &[
    (15, b"NO"),
    (16, b"BE"),
    (18, b"DKFIFKFOGLNLSD"),
    (19, b"MKSI"),
    (20, b"ATBAEEKZLTLUMNXK"),
    (21, b"CHHRLILV"),
    (22, b"BGBHCRDEGBGEIEMERSVA"),
    (23, b"AEGIILIQOMSOTL"),
    (24, b"ADCZESMDPKROSASESKTNVG"),
    (25, b"LYPTST"),
    (26, b"ISTR"),
    (27, b"BIDJFRGRITMCMRSM"),
    (28, b"ALAZBYCYDOGTHNHULBNIPLSV"),
    (29, b"BREGPSQAUA"),
    (30, b"JOKWMUYE"),
    (31, b"MTSC"),
    (32, b"LC"),
    (33, b"RU"),
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
        let (length, countries) = IBAN_LENGTHS[row];
        let mut at = 0;
        while at < countries.len() {
            all[(countries[at] - b'A') as usize][(countries[at + 1] - b'A') as usize] = length as u8;
            at += 2;
        }
        row += 1;
    }
    all
}

/// Countries whose numbers have no letters behind the country's own, from the same registry.
const IBAN_DIGITS: &[u8] = b"AEATBABEBICRCZDEDJDKEEEGESFIFOGLHRHUILISLTLYMEMNMRNOPLPTRSSDSESISKSOSTTLTNVAXK";

/// Whether a country's IBANs have digits alone.
fn iban_of_digits([a, b]: [u8; 2]) -> bool {
    const BY_LETTERS: [u32; 26] = by_letters(IBAN_DIGITS);
    is_pair(&BY_LETTERS, a, b)
}

/// ISO 13616: the country's length, digits alone where it has no letters, and ISO 7064 MOD 97-10.
pub fn iban(value: &[u8]) -> bool {
    let characters = || value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase);
    let mut start = characters();
    let (Some(a), Some(b)) = (start.next(), start.next()) else { return false };
    let lettered = characters().skip(2).any(|c| c.is_ascii_alphabetic());
    if iban_length([a, b]) != Some(characters().count()) || lettered && iban_of_digits([a, b]) {
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

/// ISO 3166-1, and Kosovo's XK, which SWIFT uses too.
const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

/// Whether two capitals are a country of ISO 9362.
pub fn bank_country([a, b]: [u8; 2]) -> bool {
    const BY_LETTERS: [u32; 26] = by_letters(COUNTRIES);
    is_pair(&BY_LETTERS, a, b)
}

/// Whether two capitals are among those that a table was made of.
fn is_pair(by_letters: &[u32; 26], a: u8, b: u8) -> bool {
    let row = by_letters.get(usize::from(a.wrapping_sub(b'A'))).copied().unwrap_or(0);
    b.is_ascii_uppercase() && row.wrapping_shr(u32::from(b.wrapping_sub(b'A'))) & 1 == 1
}

/// For each first letter, the second ones, as bits.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs while compiling, on our own table"
)]
const fn by_letters(pairs: &[u8]) -> [u32; 26] {
    let mut all = [0; 26];
    let mut at = 0;
    while at < pairs.len() {
        all[(pairs[at] - b'A') as usize] |= 1 << (pairs[at + 1] - b'A');
        at += 2;
    }
    all
}

/// ISO 9362: the fifth and sixth letter are a country.
pub fn bic(value: &[u8]) -> bool {
    let country = match value.get(4..6) {
        Some(&[a, b]) => bank_country([a.to_ascii_uppercase(), b.to_ascii_uppercase()]),
        _ => false,
    };
    country && matches!(value.len(), 8 | 11)
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

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
        table(card_behind_a_point, &[".4111 1111 1111 1111"], &["4111111111111111", ".4111111111111112"]);
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
            "BE86-839bde82f0e5",
        ];
        table(iban, &good, &bad);
        let known = |pair: &[u8; 2]| iban_length(*pair).is_some();
        assert!(IBAN_DIGITS.as_chunks::<2>().0.iter().all(known));
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
    fn a_bic_names_a_country() {
        table(
            bic,
            &["DEUTDEFF", "DEUTDEFF500", "NEDSZAJJXXX", "nwbkgb2l"],
            &["DEUTXXFF", "DEUTDEFF5", "DEUT"],
        );
        assert!(COUNTRIES.len() == 2 * 250 && COUNTRIES.as_chunks::<2>().0.is_sorted());
    }
}
