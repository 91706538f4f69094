//! The numbers that are checked by weights, a modulus and a date: one row each.
//!
//! Rows name the issuer's scheme. Good numbers in the tests are those that issuers and standard texts print.
use super::dates::{Built, Order};
use super::rule::{Check, Rule};

/// The check digit is the remainder itself; remainder ten has none.
const SAME: &[u8] = b"0123456789-";
/// The check digit is the remainder itself, and 0 where that is ten.
const SAME_OR_ZERO: &[u8] = b"01234567890";
/// The check digit makes the sum a multiple of ten.
const TENS: &[u8] = b"0987654321";
/// The check digit makes the sum a multiple of eleven; where that would be ten there is none.
const ELEVENS: &[u8] = b"0-987654321";
/// The same, but ten and eleven are written 0.
const ELEVENS_OR_ZERO: &[u8] = b"00987654321";
/// Eleven less the remainder, last digit only.
const ELEVEN_LESS: &[u8] = b"10987654321";
/// The letter of a Spanish number by its remainder.
const SPANISH: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

const fn luhn(weights: &'static [u32]) -> Check {
    Check::crossed(weights, 10, TENS)
}

const fn ymd(at: usize) -> Built {
    Built { at, year: 2, order: Order::Ymd, months: &[], days: &[] }
}

const fn dmy(at: usize) -> Built {
    Built { at, year: 2, order: Order::Dmy, months: &[], days: &[] }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $rule:expr;)*) => {
        $($(#[$doc])* pub fn $name(value: &[u8]) -> bool {
            const RULE: Rule = $rule;
            RULE.holds(value)
        })*

        /// Each row, by its name.
        #[cfg(test)]
        pub const ROWS: &[(&str, fn(&[u8]) -> bool)] = &[$((stringify!($name), $name)),*];
    };
}

numbers! {
    // ---- United States, Canada

    /// American Bankers Association: routing number, Federal Reserve districts.
    aba_routing: Rule::of(9).leading(2, &[(0, 12), (21, 32), (61, 72), (80, 80)])
        .checked(&[Check::last(&[3, 7, 1, 3, 7, 1, 3, 7], 10, TENS)]);
    /// Internal Revenue Service: employer's number, by the prefixes its campuses give out.
    us_ein: Rule::of(9).leading(2, &[
        (1, 6), (10, 16), (20, 27), (30, 48), (50, 68), (71, 77), (80, 88), (90, 95), (98, 99),
    ]);
    /// Canada Revenue Agency: social insurance number.
    ca_sin: Rule::of(9).leading(1, &[(0, 7), (9, 9)]).checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2])]);
    /// Ontario: health number, perhaps with its version.
    ca_health: Rule::between(10, 12).leading(1, &[(1, 9)])
        .checked(&[luhn(&[2, 1, 2, 1, 2, 1, 2, 1, 2]).at(9)]);

    // ---- Britain, Ireland, Australia, New Zealand

    /// NHS Data Dictionary: NHS number.
    uk_nhs: Rule::of(10).checked(&[Check::last(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS)]);
    /// HMRC: unique taxpayer reference; its check digit stands first.
    uk_utr: Rule::of(10).checked(&[Check::last(&[6, 7, 8, 9, 10, 5, 4, 3, 2], 11, b"21987654321").at(0)]);
    /// Department of Social Protection: personal public service number.
    ie_pps: Rule::of(8).checked(&[Check::last(&[8, 7, 6, 5, 4, 3, 2], 23, b"WABCDEFGHIJKLMNOPQRSTUV")]);
    /// Australian Taxation Office: tax file number.
    au_tfn: Rule::of(9).checked(&[Check::last(&[1, 4, 3, 7, 5, 8, 6, 9], 11, SAME)]);
    /// Australian Securities and Investments Commission: company number.
    au_acn: Rule::of(9).checked(&[Check::last(&[8, 7, 6, 5, 4, 3, 2, 1], 10, TENS)]);
    /// Services Australia: Medicare number, perhaps with the person's own digit.
    au_medicare: Rule::between(10, 11).leading(1, &[(2, 6)])
        .checked(&[Check::last(&[1, 3, 7, 9, 1, 3, 7, 9], 10, b"0123456789").at(8)]);

    // ---- Germany, Austria, Switzerland

    /// Personalausweis: document number of nine characters and its check digit (ICAO 9303).
    de_id_card: Rule::of(10)
        .checked(&[Check::last(&[7, 3, 1, 7, 3, 1, 7, 3, 1], 10, b"0123456789")]);
    /// Kassenärztliche Bundesvereinigung: physician's number; the speciality follows the check digit.
    de_lanr: Rule::of(9).checked(&[Check::last(&[4, 9, 4, 9, 4, 9], 10, TENS).at(6)]);
    /// Kassenärztliche Bundesvereinigung: practice's number, by region.
    de_bsnr: Rule::of(9).leading(2, &[
        (1, 3), (17, 17), (20, 20), (35, 35), (38, 38), (46, 46), (51, 52), (71, 74), (78, 78), (83, 83), (88, 88),
        (93, 93), (98, 98),
    ]);
    /// Dachverband der Sozialversicherungsträger: insurance number, its check digit before the date of birth.
    at_svnr: Rule::of(10).leading(1, &[(1, 9)])
        .dated(Built { at: 4, year: 2, order: Order::Dmy, months: &[12], days: &[] })
        .checked(&[Check::last(&[3, 7, 9, 5, 8, 4, 2, 1, 6], 11, SAME).at(3)]);
    /// Zentrale Ausgleichsstelle: AHV number, an EAN-13 under 756.
    ch_ahv: Rule::of(13).leading(3, &[(756, 756)])
        .checked(&[Check::last(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3], 10, TENS)]);

    // ---- the other countries of western and southern Europe

    /// Documento nacional de identidad.
    es_nif: Rule::of(9).checked(&[Check::number(8, 23, SPANISH)]);
    /// Número de identidad de extranjero; X, Y and Z count 0, 1 and 2.
    es_nie: Rule::of(9).lettered(from_x).checked(&[Check::number(8, 23, SPANISH)]);
    /// Partita IVA.
    it_vat: Rule::of(11).after(b"IT").checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2])]);
    /// Número de identificação fiscal.
    pt_nif: Rule::of(9).leading(1, &[(1, 3), (5, 9)])
        .checked(&[Check::last(&[9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO)]);
    /// Burgerservicenummer: the eleven test.
    nl_bsn: Rule::of(9).checked(&[Check::last(&[9, 8, 7, 6, 5, 4, 3, 2], 11, SAME)]);
    /// AMKA: social security number.
    gr_amka: Rule::of(11).dated(dmy(0)).checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2])]);

    // ---- the north

    /// Fødselsnummer: two check digits; temporary numbers add to the day, the health service's to the month.
    no_fnr: Rule::of(11)
        .dated(Built { at: 0, year: 2, order: Order::Dmy, months: &[40], days: &[40] })
        .checked(&[
            Check::last(&[3, 7, 6, 1, 8, 9, 4, 5, 2], 11, ELEVENS).at(9),
            Check::last(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, ELEVENS),
        ]);
    /// CPR: the check digit is no longer kept to, so only the date is looked at.
    dk_cpr: Rule::of(10).dated(dmy(0));
    /// Kennitala; a company adds to the day, and the last digit is the century.
    is_kennitala: Rule::of(10)
        .dated(Built { at: 0, year: 2, order: Order::Dmy, months: &[], days: &[40] })
        .checked(&[Check::last(&[3, 2, 7, 6, 5, 4, 3, 2], 11, ELEVENS).at(8)]);

    // ---- central and eastern Europe

    /// PESEL: the century is added to the month.
    pl_pesel: Rule::of(11)
        .dated(Built { at: 0, year: 2, order: Order::Ymd, months: &[20, 40, 60, 80], days: &[] })
        .checked(&[Check::last(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3], 10, TENS)]);
    /// NIP: tax number.
    pl_nip: Rule::of(10).after(b"PL").checked(&[Check::last(&[6, 5, 7, 2, 3, 4, 5, 6, 7], 11, SAME)]);
    /// CNP: sex and century, date, county, serial.
    ro_cnp: Rule::of(13).leading(1, &[(1, 9)]).dated(ymd(1))
        .checked(&[Check::last(&[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9], 11, b"01234567891")]);
    /// EGN: the century is added to the month.
    bg_egn: Rule::of(10)
        .dated(Built { at: 0, year: 2, order: Order::Ymd, months: &[20, 40], days: &[] })
        .checked(&[Check::last(&[2, 4, 8, 5, 10, 9, 7, 3, 6], 11, SAME_OR_ZERO)]);
    /// Personas kods of those born before July 2017.
    lv_pk: Rule::of(11).dated(dmy(0))
        .checked(&[Check::last(&[10, 5, 8, 4, 2, 1, 6, 3, 7, 9], 11, b"12345678900")]);
    /// EMŠO and JMBG: of Slovenia, Serbia, Bosnia and their neighbours; the year has three digits.
    yu_jmbg: Rule::of(13)
        .dated(Built { at: 0, year: 3, order: Order::Dmy, months: &[], days: &[] })
        .checked(&[Check::last(&[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, ELEVENS)]);
    /// TAJ: social insurance number.
    hu_taj: Rule::of(9).checked(&[Check::last(&[3, 7, 3, 7, 3, 7, 3, 7], 10, b"0123456789")]);
    /// INN of a person (twelve digits).
    ru_inn: Rule::of(12).checked(&[
        Check::last(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 11, SAME_OR_ZERO).at(10),
        Check::last(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8], 11, SAME_OR_ZERO),
    ]);

    // ---- Asia and Africa

    /// T.C. kimlik numarası: two check digits, and no leading zero.
    tr_id: Rule::of(11).leading(1, &[(1, 9)]).checked(&[
        Check::last(&[7, 9, 7, 9, 7, 9, 7, 9, 7], 10, b"0123456789").at(9),
        Check::last(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 10, b"0123456789"),
    ]);
    /// Teudat zehut.
    il_id: Rule::of(9).checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2])]);
    /// Emirates ID, under 784 and with the year of birth.
    ae_id: Rule::of(15).leading(7, &[(7_841_900, 7_842_099)])
        .checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2])]);
    /// Saudi national id (1) and residence permit (2).
    sa_id: Rule::of(10).leading(1, &[(1, 2)]).checked(&[luhn(&[2, 1, 2, 1, 2, 1, 2, 1, 2])]);
    /// South Africa: date, sex, citizenship.
    za_id: Rule::of(13).dated(ymd(0)).checked(&[luhn(&[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2])]);
    /// GB 11643: division, date, serial, ISO 7064 MOD 11-2.
    cn_id: Rule::of(18)
        .leading(2, &[(11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83)])
        .dated(Built { at: 6, year: 4, order: Order::Ymd, months: &[], days: &[] })
        .checked(&[Check::last(
            &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], 11, b"10X98765432",
        )]);
    /// My Number.
    jp_my_number: Rule::of(12)
        .checked(&[Check::last(&[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO)]);
    /// Foreigners' registration: like residents', two more.
    kr_frn: Rule::of(13).dated(ymd(0))
        .checked(&[Check::last(&[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], 11, b"32109876543")]);
    /// Thai citizens.
    th_id: Rule::of(13).leading(1, &[(1, 8)])
        .checked(&[Check::last(&[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVEN_LESS)]);
    /// Malaysia: date, place of birth.
    my_nric: Rule::of(12).dated(ymd(0));
    /// Indonesia: district, date (40 more for women), serial.
    id_nik: Rule::of(16).leading(2, &[(11, 21), (31, 36), (51, 53), (61, 65), (71, 76), (81, 82), (91, 97)])
        .dated(Built { at: 6, year: 2, order: Order::Dmy, months: &[], days: &[40] });

    // ---- Latin America

    /// CPF of a person.
    br_cpf: Rule::of(11).checked(&[
        Check::last(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO).at(9),
        Check::last(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO),
    ]);
    /// CNPJ of a company, with letters from July 2026 on, which count by their place in ASCII.
    br_cnpj: Rule::of(14).lettered(from_ascii_zero).checked(&[
        Check::last(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO).at(12),
        Check::last(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 11, ELEVENS_OR_ZERO),
    ]);
    /// RUT.
    cl_rut: Rule::between(8, 9).checked(&[Check::last(&[3, 2, 7, 6, 5, 4, 3, 2], 11, b"0K987654321")]);
    /// CUIT and CUIL.
    ar_cuit: Rule::of(11).leading(2, &[(20, 20), (23, 27), (30, 30), (33, 34)])
        .checked(&[Check::last(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], 11, b"09987654321")]);
    /// NIT of Colombia.
    co_nit: Rule::of(10).checked(&[Check::last(&[41, 37, 29, 23, 19, 17, 13, 7, 3], 11, b"01987654321")]);
    /// Cédula of Ecuador, by province.
    ec_ci: Rule::of(10).leading(3, &[(10, 245), (300, 305)])
        .checked(&[luhn(&[2, 1, 2, 1, 2, 1, 2, 1, 2])]);
    /// CURP, whose letters after N count one more.
    mx_curp: Rule::of(18).lettered(with_enye).checked(&[Check::last(
        &[18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 10, TENS,
    )]);
}

/// X, Y and Z are 0, 1 and 2.
fn from_x(letter: u8) -> u32 {
    u32::from(letter.wrapping_sub(b'X'))
}

/// A is 17: the distance from the digit zero.
fn from_ascii_zero(letter: u8) -> u32 {
    u32::from(letter.wrapping_sub(b'0'))
}

/// An alphabet of A to N, one sign more, and O to Z.
pub fn with_enye(letter: u8) -> u32 {
    super::rule::base_36(letter).wrapping_add((letter > b'N').into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each row: numbers that its issuer or a standard text prints, and numbers that are none.
    const KNOWN: &[(&str, &[&str], &[&str])] = &[
        ("aba_routing", &["021000021", "122105155", "0110-0001-5"], &["021000022", "500000005"]),
        ("us_ein", &["12-3456789", "91-1144442"], &["07-1234567", "00-1234567"]),
        ("ca_sin", &["046 454 286", "130-692-544"], &["046 454 287", "800000002"]),
        ("ca_health", &["9876543217", "1234567897AB"], &["9876543218", "0123456789"]),
        ("uk_nhs", &["943 476 5919", "4010232137"], &["943 476 5918", "9434765"]),
        ("uk_utr", &["1955839661"], &["2955839661"]),
        ("ie_pps", &["6433435F"], &["6433435E"]),
        ("au_tfn", &["123 456 782", "876543210"], &["123 456 783"]),
        ("au_acn", &["004 085 616"], &["004 085 617"]),
        ("au_medicare", &["2123 45670 1", "2123456701 1"], &["2123 45680 1", "7123 45670 1"]),
        ("de_id_card", &["T220001293", "L01X00T471"], &["T220001294"]),
        ("de_lanr", &["123456601", "444444401"], &["123456701"]),
        ("de_bsnr", &["021234568", "721111100"], &["991234568"]),
        ("at_svnr", &["1237 010180", "1237010180"], &["2237 010180", "1237 320180"]),
        ("ch_ahv", &["756.9217.0769.85", "7569217076985"], &["756.9217.0769.84", "757.9217.0769.85"]),
        ("es_nif", &["54362315K", "12345678-Z"], &["54362315Z"]),
        ("es_nie", &["X2482300W", "Y-1234567-X", "Z8078221M"], &["X2482300A"]),
        ("it_vat", &["IT00743110157", "00743110157"], &["00743110158"]),
        ("pt_nif", &["501964843", "123456789"], &["501964842", "444444444"]),
        ("nl_bsn", &["111222333", "123456782"], &["111222334"]),
        ("gr_amka", &["01013099997"], &["01013099999", "32013099997"]),
        ("no_fnr", &["15108695088"], &["15108695077", "15138695088"]),
        ("dk_cpr", &["211062-5629"], &["311362-5629"]),
        ("is_kennitala", &["120174-3399", "450401-3150"], &["120174-3389"]),
        ("pl_pesel", &["44051401359"], &["44051401358", "44131401359"]),
        ("pl_nip", &["8567346215", "PL 856-734-62-15"], &["8567346216"]),
        ("ro_cnp", &["1630615123457"], &["1630615123458"]),
        ("bg_egn", &["7523169263", "752316 926 3"], &["7523169264"]),
        ("lv_pk", &["161175-19997"], &["161375-19997"]),
        ("yu_jmbg", &["0101006500006"], &["0101006500007"]),
        ("hu_taj", &["123456788"], &["123456789"]),
        ("ru_inn", &["500100732259", "123456789047"], &["500100732258"]),
        ("tr_id", &["17291716060", "10000000146"], &["17291716050", "07291716060"]),
        ("il_id", &["039337423"], &["039337422"]),
        ("ae_id", &["784-1968-6570305-0"], &["784-1968-6570305-1", "784-1768-6570305-6"]),
        ("sa_id", &["1000000008"], &["3000000004"]),
        ("za_id", &["8001015009087", "800101 5009 087"], &["8001015009088", "8013015009087"]),
        (
            "cn_id",
            &["11010519491231002X", "11010519491231002x", "440524188001010014"],
            &["110105194912310021"],
        ),
        ("jp_my_number", &["6214 9832 0257", "123456789018"], &["123456789019"]),
        ("kr_frn", &["971013-5123455"], &["971013-5123456"]),
        ("th_id", &["1-2345-45678-78-1"], &["1-2345-45678-78-2"]),
        ("my_nric", &["770305-02-1234"], &["771305-02-1234"]),
        ("id_nik", &["3171011708450001", "3171015708450001"], &["3171013208450001"]),
        ("br_cpf", &["390.533.447-05", "11144477735"], &["390.533.447-06", "111.111.111-11"]),
        ("br_cnpj", &["16.727.230/0001-97", "12.ABC.345/01DE-35"], &["16.727.230/0001-98"]),
        ("cl_rut", &["12.531.909-2", "76086428-5", "6265837-1"], &["12.531.909-3"]),
        ("ar_cuit", &["20-05536168-2"], &["20-05536168-3", "22-05536168-2"]),
        ("co_nit", &["213.123.432-1"], &["213.123.432-2"]),
        ("ec_ci", &["171430710-3"], &["171430710-4", "991430710-3"]),
        ("mx_curp", &["BOXW310820HNERXN09"], &["BOXW310820HNERXN08"]),
    ];

    fn row(name: &str) -> fn(&[u8]) -> bool {
        ROWS.iter().find(|(row, _)| *row == name).unwrap().1
    }

    #[test]
    fn each_row_takes_known_numbers_and_refuses_what_is_none() {
        let wrong = KNOWN.iter().flat_map(|&(name, good, bad)| {
            let refused = good.iter().filter(move |value| !row(name)(value.as_bytes()));
            let taken = bad.iter().filter(move |value| row(name)(value.as_bytes()));
            refused.chain(taken).map(move |value| (name, *value))
        });
        assert_eq!(wrong.collect::<Vec<_>>(), []);
        let untried: Vec<&str> =
            ROWS.iter().map(|(name, _)| *name).filter(|name| KNOWN.iter().all(|(k, ..)| k != name)).collect();
        assert_eq!(untried, [""; 0], "no known numbers for these");
    }

    /// The rows without a check digit: only their dates and first digits are looked at.
    const UNCHECKED: &[&str] = &["us_ein", "de_bsnr", "dk_cpr", "my_nric", "id_nik"];

    #[test]
    fn changing_one_digit_breaks_nearly_every_number() {
        for &(name, good, _) in KNOWN.iter().filter(|(name, ..)| !UNCHECKED.contains(name)) {
            let (mut tried, mut passed) = (0, 0);
            for value in good {
                for at in (0..value.len()).filter(|&at| value.as_bytes()[at].is_ascii_digit()) {
                    for other in (b'0'..=b'9').filter(|&d| d != value.as_bytes()[at]) {
                        let mut changed = value.as_bytes().to_vec();
                        changed[at] = other;
                        tried += 1;
                        passed += usize::from(row(name)(&changed));
                    }
                }
            }
            // Version digits, century digits and weights that share a factor with ten let some through.
            assert!(passed * 3 <= tried, "{name}: {passed} of {tried}");
        }
    }

    #[test]
    fn a_number_of_equal_digits_is_none() {
        for (name, valid) in ROWS {
            for digit in b'0'..=b'9' {
                assert!((7..=18).all(|len| !valid(&vec![digit; len])), "{name}");
            }
        }
    }
}
