//! National numbers with a scheme of their own, beyond weights and a modulus.
use super::dates::{Built, Order};
use super::digits::{cross, digits, luhn, mod_11_10, number, remainder, verhoeff};
use super::numbers::with_enye;
use super::rule::{Characters, base_36, values};

/// A date of six digits, year first, where only its existence counts.
const YMD: Built = Built { at: 0, year: 2, order: Order::Ymd, months: &[], days: &[] };
/// The same, day first.
const DMY: Built = Built { at: 0, year: 2, order: Order::Dmy, months: &[], days: &[] };

/// The digits of a value that has exactly so many.
fn exactly<const N: usize>(value: &[u8]) -> Option<[u32; N]> {
    let mut exact = [0; N];
    let mut found = digits(value);
    exact.iter_mut().try_for_each(|slot| found.next().map(|d| *slot = d))?;
    found.next().is_none().then_some(exact)
}

/// The sum of the products.
fn weighed(values: impl Iterator<Item = u32>, weights: &[u32]) -> u32 {
    values.zip(weights).fold(0, |sum, (value, weight)| sum.wrapping_add(value.wrapping_mul(*weight)))
}

/// The sum of the products' own digits.
fn crossed(values: impl Iterator<Item = u32>, weights: &[u32], base: u32) -> u32 {
    let products = values.zip(weights).map(|(value, weight)| value.wrapping_mul(*weight));
    products.fold(0, |sum, product| sum.wrapping_add(cross(product, base)))
}

/// Whether a letter or digit is what a row says for a remainder.
fn is(character: Option<&u8>, row: &[u8], at: u32) -> bool {
    usize::try_from(at).ok().and_then(|at| row.get(at)).is_some_and(|right| Some(right) == character)
}

// ---- United States

/// The Social Security Administration's rules: no area 000, 666 or 9xx, no group 00, no serial 0000, and not the two
/// numbers that were printed in advertisements.
pub fn ssn(value: &[u8]) -> bool {
    let Some(_) = exactly::<9>(value) else { return false };
    let area = number(digits(value).take(3));
    let group = number(digits(value).skip(3).take(2));
    let serial = number(digits(value).skip(5));
    let advertised = [(78, 5, 1120), (219, 9, 9999)].contains(&(area, group, serial));
    !(area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 || advertised)
}

/// A social security number without separators, which is no row of ascending or equal digits.
pub fn ssn_bare(value: &[u8]) -> bool {
    ssn(value) && value != b"123456789" && value.iter().any(|b| Some(b) != value.first())
}

/// Internal Revenue Service: area 9xx, and the groups it gives to individual taxpayers.
pub fn itin(value: &[u8]) -> bool {
    let group = number(digits(value).skip(3).take(2));
    let given = matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    exactly::<9>(value).is_some_and(|[first, ..]| first == 9) && given
}

/// Centers for Medicare & Medicaid Services: provider's number, Luhn under the prefix 80840.
pub fn us_npi(value: &[u8]) -> bool {
    let prefixed = digits(b"80840").chain(digits(value));
    exactly::<10>(value).is_some_and(|[first, ..]| first == 1 || first == 2) && luhn(prefixed)
}

/// Drug Enforcement Administration: registrant's letters, six digits and a check digit.
pub fn us_dea(value: &[u8]) -> bool {
    let Some(exact) = exactly::<7>(value) else { return false };
    weighed(exact.into_iter(), &[1, 2, 1, 2, 1, 2]).wrapping_rem(10) == exact[6] && number(digits(value)) != 0
}

// ---- Britain

/// HMRC: prefixes that are never given out.
pub fn uk_nino(value: &[u8]) -> bool {
    let prefix = value.get(..2).unwrap_or_default().to_ascii_uppercase();
    ![b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"].iter().any(|never| **never == prefix.as_slice())
}

/// Driver and Vehicle Licensing Agency: the date of birth within (a woman's month is 50 more).
pub fn uk_driving_licence(value: &[u8]) -> bool {
    let Some(birth) = value.get(5..11) else { return false };
    let &[decade, m1, m2, d1, d2, year] = birth else { return false };
    let date = [decade, year, m1, m2, d1, d2];
    let built = Built { at: 0, year: 2, order: Order::Ymd, months: &[50], days: &[] };
    built.exists(digits(&date))
}

// ---- Australia, New Zealand

/// Australian Business Register: modulus 89, with one taken off the first digit.
pub fn au_abn(value: &[u8]) -> bool {
    let Some(exact) = exactly::<11>(value) else { return false };
    let sum = weighed(exact.into_iter(), &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    exact[0] != 0 && sum.wrapping_sub(10).is_multiple_of(89)
}

/// Inland Revenue: a second row of weights where the first gives ten.
pub fn nz_ird(value: &[u8]) -> bool {
    let number = number(digits(value));
    let count = digits(value).count();
    let padded = std::iter::repeat_n(0, 9usize.saturating_sub(count)).chain(digits(value));
    let check = |weights: &[u32]| {
        let rest = weighed(padded.clone(), weights).wrapping_rem(11);
        if rest == 0 { 0 } else { 11u32.wrapping_sub(rest) }
    };
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let right = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (8..=9).contains(&count)
        && (10_000_000..150_000_000).contains(&number)
        && digits(value).next_back() == Some(right)
}

// ---- Germany

/// Bundeszentralamt für Steuern: of the first ten digits one stands twice or three times, and no other repeats.
pub fn de_tax_id(value: &[u8]) -> bool {
    let Some(exact) = exactly::<11>(value) else { return false };
    let times = |digit: u32| exact.iter().take(10).filter(|&&d| d == digit).count();
    let repeated = (0..10).filter(|&digit| times(digit) > 1).count();
    let most = (0..10).map(times).max().unwrap_or(0);
    exact[0] != 0 && repeated == 1 && most <= 3 && mod_11_10(exact.into_iter())
}

/// Umsatzsteuer-Identifikationsnummer: ISO 7064 MOD 11,10.
pub fn de_vat(value: &[u8]) -> bool {
    exactly::<9>(value).is_some_and(|exact| exact[0] != 0 && mod_11_10(exact.into_iter()))
}

/// An identity card's number with its check digit, and two letters at least: with one it could be anything.
pub fn de_id_card_sure(value: &[u8]) -> bool {
    value.iter().filter(|b| b.is_ascii_alphabetic()).nth(1).is_some() && super::numbers::de_id_card(value)
}

/// A letter as the two digits of its place in the alphabet, then the digits after it.
fn with_letter(characters: &[u8]) -> impl Iterator<Item = u32> {
    characters.iter().flat_map(|&b| {
        let place = u32::from(b.wrapping_sub(b'A').wrapping_add(1));
        let digit = u32::from(b.wrapping_sub(b'0'));
        let (first, second) = if b.is_ascii_digit() {
            (None, digit)
        } else {
            (Some(place.wrapping_div(10)), place.wrapping_rem(10))
        };
        first.into_iter().chain([second])
    })
}

/// Deutsche Rentenversicherung: area, date of birth, letter, serial and check digit.
pub fn de_social_security(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let Some((rest, check)) = characters.get().split_at_checked(11) else { return false };
    let sum = crossed(with_letter(rest), &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1], 10).wrapping_rem(10);
    let born = Built { at: 2, days: &[], months: &[], ..DMY };
    let area = number(digits(rest).take(2));
    matches!(area, 2..=29 | 38..=82 | 89) && born.exists(digits(rest)) && digits(check).eq([sum])
}

/// GKV-Spitzenverband: the part of a health insurance number that stays with a person.
pub fn de_kvnr(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let Some((rest, check)) = characters.get().split_at_checked(9) else { return false };
    let sum = crossed(with_letter(rest), &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2], 10).wrapping_rem(10);
    digits(check).eq([sum]) && number(digits(rest)) != 0
}

// ---- France, Belgium, Italy, Portugal

/// INSEE: sex, year, month, department, commune, order, and the key of modulus 97; Corsica's letters count.
pub fn fr_nir(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let Some((body, key)) = characters.get().split_at_checked(13) else { return false };
    let corsica = match body.get(5..7) {
        Some(b"2A") => Some(*b"19"),
        Some(b"2B") => Some(*b"18"),
        _ => None,
    };
    let mut plain: Vec<u8> = body.to_vec();
    if let (Some(letters), Some(place)) = (corsica, plain.get_mut(5..7)) {
        place.copy_from_slice(&letters);
    }
    let month = number(digits(&plain).skip(3).take(2));
    let department = number(digits(&plain).skip(5).take(2));
    plain.iter().all(u8::is_ascii_digit)
        && matches!(plain.first(), Some(b'1'..=b'4' | b'7' | b'8'))
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && department != 0
        && key.len() == 2
        && number(digits(key)) == 97u32.wrapping_sub(remainder(digits(&plain), 97))
}

/// Belgium: date, serial, and 97 less the remainder; a two before it for those born since 2000.
pub fn be_nn(value: &[u8]) -> bool {
    let Some(exact) = exactly::<11>(value) else { return false };
    let body = exact.into_iter().take(9);
    let check = number(exact.into_iter().skip(9));
    let right = |digits: &mut dyn Iterator<Item = u32>| 97u32.wrapping_sub(remainder(digits, 97)) == check;
    let before = right(&mut body.clone());
    let since = right(&mut std::iter::once(2).chain(body.clone()));
    let folded = Built { months: &[20, 40], ..YMD };
    let unknown = number(body.clone().skip(2).take(4)) == 0;
    (before || since) && (unknown || folded.exists(body))
}

/// Agenzia delle Entrate: name, date (a woman's day is 40 more), place, check letter; digits may be written as letters
/// where two people would have one code.
pub fn it_fiscal_code(value: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some(characters) = Characters::of(value) else { return false };
    let Some((body, check)) = characters.get().split_at_checked(15) else { return false };
    let place =
        |b: u8| u32::from(if b.is_ascii_digit() { b.wrapping_sub(b'0') } else { b.wrapping_sub(b'A') });
    let sum = body.iter().zip([true, false].into_iter().cycle()).fold(0u32, |sum, (&b, odd)| {
        let odd = odd.then(|| usize::try_from(place(b)).ok().and_then(|p| ODD.get(p)).copied()).flatten();
        sum.wrapping_add(odd.unwrap_or_else(|| place(b)))
    });
    let Some(&[y1, y2, letter, d1, d2]) = body.get(6..11) else { return false };
    let Some(month) = b"ABCDEHLMPRST".iter().position(|&m| m == letter) else { return false };
    let month = u32::try_from(month).unwrap_or(0).wrapping_add(1);
    let (tens, ones) = (month.wrapping_div(10), month.wrapping_rem(10));
    let date = [it_digit(y1), it_digit(y2), tens, ones, it_digit(d1), it_digit(d2)];
    let born = Built { days: &[40], ..YMD };
    check.len() == 1
        && is(check.first(), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", sum.wrapping_rem(26))
        && born.exists(date.into_iter())
}

/// A digit, perhaps written as a letter.
fn it_digit(b: u8) -> u32 {
    let letter = b"LMNPQRSTUV".iter().position(|&l| l == b).and_then(|at| u32::try_from(at).ok());
    letter.unwrap_or_else(|| u32::from(b.wrapping_sub(b'0')))
}

/// Cartão de cidadão: Luhn over letters and digits in base 36.
pub fn pt_cc(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let all = characters.get();
    let sum = values(all, base_36).rev().zip([1u32, 2].into_iter().cycle()).fold(0u32, |sum, (v, weight)| {
        let product = v.wrapping_mul(weight);
        sum.wrapping_add(if weight == 2 && product > 9 { product.wrapping_sub(9) } else { product })
    });
    all.len() == 12 && sum.is_multiple_of(10)
}

// ---- Sweden, Finland, Estonia, Lithuania

/// Henkilötunnus: date, century sign, serial, and the remainder by 31 as a character.
pub fn fi_hetu(value: &[u8]) -> bool {
    let (Some(date), Some(serial)) = (value.get(..6), value.get(7..10)) else { return false };
    let number = digits(date).chain(digits(serial));
    let check = value.get(10).map(u8::to_ascii_uppercase);
    let right = is(check.as_ref(), b"0123456789ABCDEFHJKLMNPRSTUVWXY", remainder(number.clone(), 31));
    right && number.count() == 9 && DMY.exists(digits(date))
}

/// Personnummer and samordningsnummer (60 more on the day), of ten or twelve digits.
pub fn se_personnummer(value: &[u8]) -> bool {
    let count = digits(value).count();
    let century = number(digits(value).take(2));
    let last = digits(value).skip(count.saturating_sub(10));
    let built = Built { days: &[60], ..YMD };
    (count == 10 || count == 12 && (18..=20).contains(&century))
        && built.exists(last.clone())
        && luhn(last.collect::<Vec<u32>>().into_iter())
}

/// Organisationsnummer: like a person's, but the middle pair is no month.
pub fn se_organisationsnummer(value: &[u8]) -> bool {
    exactly::<10>(value)
        .is_some_and(|exact| matches!(exact[0], 1..=3 | 5..=9) && exact[2] >= 2 && luhn(exact.into_iter()))
}

/// Isikukood and asmens kodas: sex and century, date, serial; a second row of weights where the first gives ten.
pub fn ee_ik(value: &[u8]) -> bool {
    let Some(exact) = exactly::<11>(value) else { return false };
    let sum = |weights: &[u32]| weighed(exact.into_iter(), weights).wrapping_rem(11);
    let first = sum(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
    let check = if first == 10 { sum(&[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]).wrapping_rem(10) } else { first };
    let born = Built { at: 1, ..YMD };
    matches!(exact[0], 1..=8) && born.exists(exact.into_iter()) && exact[10] == check
}

// ---- Czechia and Slovakia, Croatia, Russia

/// Rodné číslo: date (a woman's month is 50 more, and 20 where a day ran out), a multiple of eleven since 1954.
pub fn cz_rc(value: &[u8]) -> bool {
    let count = digits(value).count();
    let born = Built { months: &[50, 20, 70], ..YMD };
    let rest = remainder(digits(value).take(9), 11).wrapping_rem(10);
    let old = count == 9 && number(digits(value).take(2)) < 54 && number(digits(value).skip(6)) != 0;
    let new = count == 10 && digits(value).next_back() == Some(rest);
    born.exists(digits(value)) && (old || new)
}

/// OIB: ISO 7064 MOD 11,10.
pub fn hr_oib(value: &[u8]) -> bool {
    exactly::<11>(value).is_some_and(|exact| mod_11_10(exact.into_iter())) && number(digits(value)) != 0
}

/// SNILS: modulus 101 of a weighted sum; a hundred is written 00.
pub fn ru_snils(value: &[u8]) -> bool {
    let Some(exact) = exactly::<11>(value) else { return false };
    let sum = weighed(exact.into_iter(), &[9, 8, 7, 6, 5, 4, 3, 2, 1]);
    number(exact.into_iter().skip(9)) == sum.wrapping_rem(101).wrapping_rem(100) && sum != 0
}

// ---- Asia and Africa

/// Unique Identification Authority of India: Verhoeff, and no leading 0 or 1.
pub fn in_aadhaar(value: &[u8]) -> bool {
    exactly::<12>(value).is_some_and(|exact| exact[0] > 1 && verhoeff(exact.into_iter()))
}

/// Goods and services tax: state, PAN, entity, Z and a check character of modulus 36.
pub fn in_gstin(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let Some((body, check)) = characters.get().split_at_checked(14) else { return false };
    let sum = crossed(values(body, base_36), &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], 36);
    let right = 36u32.wrapping_sub(sum.wrapping_rem(36)).wrapping_rem(36);
    matches!(number(digits(body).take(2)), 1..=38 | 97 | 99) && values(check, base_36).eq([right])
}

/// National Identity Management Commission: Verhoeff.
pub fn ng_nin(value: &[u8]) -> bool {
    exactly::<11>(value).is_some_and(|exact| verhoeff(exact.into_iter())) && number(digits(value)) != 0
}

/// Residents' registration: date, sex and century; the check digit is random since October 2020.
pub fn kr_rrn(value: &[u8]) -> bool {
    let Some(exact) = exactly::<13>(value) else { return false };
    let sum = weighed(exact.into_iter(), &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]).wrapping_rem(11);
    let checked = exact[12] == 11u32.wrapping_sub(sum).wrapping_rem(10);
    let recent = matches!(exact[6], 3 | 4) && number(exact.into_iter().take(4)) >= 2010;
    (checked || recent) && matches!(exact[6], 0..=4 | 9) && YMD.exists(exact.into_iter())
}

/// Business registration: the ninth digit's product counts its tens as well.
pub fn kr_brn(value: &[u8]) -> bool {
    let Some(exact) = exactly::<10>(value) else { return false };
    let sum = weighed(exact.into_iter(), &[1, 3, 7, 1, 3, 7, 1, 3, 5]);
    let tens = exact[8].wrapping_mul(5).wrapping_div(10);
    let rest = sum.wrapping_add(tens).wrapping_rem(10);
    number(exact.into_iter().take(3)) > 100 && exact[9] == 10u32.wrapping_sub(rest).wrapping_rem(10)
}

/// NRIC and FIN: those of T and G count four more, those of M three.
pub fn sg_nric(value: &[u8]) -> bool {
    let upper = value.to_ascii_uppercase();
    let &[series, .., check] = upper.as_slice() else { return false };
    let (more, row): (u32, &[u8]) = match series {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let sum = weighed(digits(&upper), &[2, 7, 6, 5, 4, 3, 2]).wrapping_add(more);
    exactly::<7>(&upper).is_some() && is(Some(&check), row, sum.wrapping_rem(11))
}

/// Taiwan: the letter of the place of birth counts as two digits.
pub fn tw_id(value: &[u8]) -> bool {
    const PLACES: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let upper = value.to_ascii_uppercase();
    let place = upper.first().and_then(|letter| PLACES.iter().position(|p| p == letter));
    let Some(place) = place.and_then(|place| u32::try_from(place).ok()) else { return false };
    let place = place.wrapping_add(10);
    let all = [place.wrapping_div(10), place.wrapping_rem(10)].into_iter().chain(digits(&upper));
    let sum = weighed(all, &[1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]);
    exactly::<9>(&upper).is_some() && sum.is_multiple_of(10)
}

/// Hong Kong: one letter or two; a lone one stands after a space, which counts 36.
pub fn hk_id(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let all = characters.get();
    let Some((&check, body)) = all.split_last() else { return false };
    let check = if check == b'A' { 10 } else { u32::from(check.wrapping_sub(b'0')) };
    let blank = (all.len() == 8).then_some(36);
    let sum = weighed(blank.into_iter().chain(values(body, base_36)), &[9, 8, 7, 6, 5, 4, 3, 2]);
    (8..=9).contains(&all.len()) && sum.wrapping_add(check).is_multiple_of(11)
}

// ---- Ireland, Mexico

/// The longer form of the Irish number: its second letter counts nine times.
pub fn ie_pps_long(value: &[u8]) -> bool {
    let Some(characters) = Characters::of(value) else { return false };
    let &[.., check, second] = characters.get() else { return false };
    let second = if second == b'W' { 0 } else { u32::from(second.wrapping_sub(b'A')).wrapping_add(1) };
    let sum = weighed(digits(characters.get()), &[8, 7, 6, 5, 4, 3, 2]).wrapping_add(second.wrapping_mul(9));
    exactly::<7>(value).is_some() && is(Some(&check), b"WABCDEFGHIJKLMNOPQRSTUV", sum.wrapping_rem(23))
}

/// Servicio de Administración Tributaria: date and check character; a company's name has three letters, and the blank
/// before it counts.
pub fn mx_rfc(value: &[u8]) -> bool {
    const BLANK: u32 = 37;
    let Some(characters) = Characters::of(value) else { return false };
    let all = characters.get();
    let Some((check, body)) = all.split_last() else { return false };
    let blank = (body.len() == 11).then_some(BLANK);
    let counted = blank.into_iter().chain(values(body, with_enye));
    let sum = weighed(counted, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]).wrapping_rem(11);
    let born = body.get(body.len().saturating_sub(8)..).unwrap_or_default();
    (11..=12).contains(&body.len()) && YMD.exists(digits(born)) && is(Some(check), b"0A987654321", sum)
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

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
            "078-05-1120",
        ];
        table(ssn, &good, &bad);
        table(ssn_bare, &["536904399"], &["123456789", "111111111", "000101234"]);
    }

    #[test]
    fn each_scheme_takes_what_its_issuer_prints_and_refuses_a_wrong_digit() {
        type Case = (fn(&[u8]) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: &[Case] = &[
            (
                itin,
                &["912-70-1234", "900 88 1234", "999501234"],
                &["912-69-1234", "812-70-1234", "912-93-1234"],
            ),
            (us_npi, &["1234567893", "1245319599"], &["1234567890", "3234567893", "123456789"]),
            (us_dea, &["BB1388568", "AB1234563"], &["BB1388567", "BB138856"]),
            (uk_nino, &["AB123456C", "QQ 12 34 56 C"], &["BG123456C", "zz123456c"]),
            (uk_driving_licence, &["MORGA657054SM9IJ", "SMITH801010AB9CD"], &["MORGA677054SM9IJ"]),
            (au_abn, &["51 824 753 556", "83914571673"], &["51 824 753 557", "51824753"]),
            (
                nz_ird,
                &["49-091-850", "136-410-132", "35901981", "49098576"],
                &["49-091-851", "9125568", "136410133"],
            ),
            (
                de_tax_id,
                &["36574261809", "36 574 261 809", "86095742719", "65929970489"],
                &["36574261808", "36554266806", "12345678901"],
            ),
            (de_vat, &["DE136695976", "DE 136 695 976"], &["DE136695978", "DE036695976"]),
            (
                de_social_security,
                &["15070649C103", "65 180539 W 001"],
                &["15070649C104", "15073249C103", "65180539W002"],
            ),
            (de_kvnr, &["A123456780", "T012345678"], &["A123456781", "A12345678"]),
            (
                fr_nir,
                &["2 95 10 99 126 111 93", "253072B07300470", "255081416802538"],
                &["2 95 10 99 126 111 94", "295139912611193", "253072C07300470"],
            ),
            (
                be_nn,
                &["85.07.30-033 28", "85.07.30-033.28", "17 07 30 033 84"],
                &["85.07.30-033 29", "85.13.30-033 28"],
            ),
            (
                it_fiscal_code,
                &["RCCMNL83S18D969H", "MRTMTT91D08F205J", "RCCMNL83S18D9SVI"],
                &["RCCMNL83S18D969I", "RCCMNL83F18D969H"],
            ),
            (pt_cc, &["00000000 0 ZZ4", "000000000ZZ4"], &["00000000 0 ZZ3"]),
            (
                se_personnummer,
                &["811218-9876", "19811218-9876", "880320-0016", "701063-2391"],
                &["811218-9875", "811318-9876", "17811218-9876"],
            ),
            (se_organisationsnummer, &["556036-0793", "212000-0142"], &["556036-0794", "811218-9876"]),
            (fi_hetu, &["131052-308T", "131052A308T"], &["131052-308U", "131352-308T", "131052-308"]),
            (ee_ik, &["36805280109", "33309240064", "38703181745"], &["36805280108", "36813280109"]),
            (cz_rc, &["710319/2745", "530622123", "7103192745"], &["710319/2746", "711319/2745"]),
            (hr_oib, &["33392005961", "HR33392005961"], &["33392005962", "3339200596"]),
            (ru_snils, &["112-233-445 95"], &["112-233-445 96", "000-000-000 00"]),
            (in_aadhaar, &["2341 2341 2346", "234123412346"], &["234123412347", "134123412346"]),
            (in_gstin, &["27AAPFU0939F1ZV"], &["27AAPFU0939F1ZO", "40AAPFU0939F1ZV"]),
            (
                kr_rrn,
                &["971013-9019902", "201101-3123456"],
                &["971013-9019903", "971313-9019902", "971013-8019902"],
            ),
            (kr_brn, &["116-82-00276", "1168200276"], &["116-82-00277"]),
            (
                sg_nric,
                &["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"],
                &["S1234567E", "A1234567D", "S123456D"],
            ),
            (tw_id, &["A123456789", "A223456781"], &["A123456788", "A12345678"]),
            (hk_id, &["A123456(3)", "AB987654(3)", "G123456(A)"], &["A123456(4)", "1"]),
            (ie_pps_long, &["6433435OA", "6433435IH"], &["6433435OB", "643343OA"]),
            (
                mx_rfc,
                &["GODE561231GR8", "MAB-930714-8T4"],
                &["GODE561231GR9", "GODE561331GR8", "VACE460910SX6"],
            ),
        ];
        let wrong = cases.iter().flat_map(|&(valid, good, bad)| {
            let refused = good.iter().filter(move |value| !valid(value.as_bytes()));
            let taken = bad.iter().filter(move |value| valid(value.as_bytes()));
            refused.map(|v| ("refused", *v)).chain(taken.map(|v| ("taken", *v)))
        });
        assert_eq!(wrong.collect::<Vec<_>>(), []);
    }

    #[test]
    fn nothing_makes_them_fail() {
        for valid in [ssn, us_dea, it_fiscal_code, fr_nir, hk_id, mx_rfc, sg_nric, de_kvnr, ie_pps_long] {
            for value in [&b""[..], b"A", b"\xff\xfe", b"999999999999999999999999999999999999"] {
                assert!(!valid(value));
            }
        }
    }
}
