//! Telephone numbers: country codes, leading digits and lengths of the numbering plans (`phone_plans`).
use super::digits::{digits, number};
use super::phone_plans::PLANS;

/// What one country code's numbers look like.
pub struct Plan {
    /// The country code of ITU-T E.164.
    pub code: u32,
    /// What is dialled before a number within the country, if anything.
    pub trunk: &'static [u8],
    /// First two digits from, to (without the trunk), and the lengths such numbers have, as bits.
    pub numbers: &'static [(u8, u8, u16)],
}

impl Plan {
    fn of(code: u32) -> Option<&'static Self> {
        let at = PLANS.binary_search_by_key(&code, |plan| plan.code).ok()?;
        PLANS.get(at)
    }

    /// Whether a number, without code and trunk, can have been given out.
    fn holds(&self, digits: impl Iterator<Item = u32> + Clone) -> bool {
        if self.code == 1 {
            return north_american(digits);
        }
        let Ok(count) = u32::try_from(digits.clone().count()) else { return false };
        let length = 1u16.checked_shl(count).unwrap_or(0);
        let Ok(first) = u8::try_from(number(digits.take(2))) else { return false };
        self.numbers.iter().any(|&(from, to, lengths)| (from..=to).contains(&first) && lengths & length != 0)
    }
}

/// The number itself, without an extension.
fn main_number(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|b| b.is_ascii_alphabetic() || matches!(b, b'#' | b';' | b','));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default()
}

/// Whether every parenthesis is closed.
fn closed(value: &[u8]) -> bool {
    let depth = value.iter().try_fold(0u32, |depth, b| match b {
        b'(' => depth.checked_add(1),
        b')' => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

/// An international number after `+` or `00`: an assigned country code, and leading digits and a length that its plan
/// has. A trunk prefix that people leave in is passed over: `+44 (0)20 7946 0958`.
pub fn phone_international(value: &[u8]) -> bool {
    let main = main_number(value);
    let main = main.strip_prefix(b"00").unwrap_or(main);
    let all = digits(main);
    let plan = (1..=3).find_map(|len| Some((len, Plan::of(number(all.clone().take(len)))?)));
    let Some((code, plan)) = plan else { return false };
    let national = all.clone().skip(code);
    let with_trunk = !plan.trunk.is_empty() && plan.trunk != b"1" && starts(national.clone(), plan.trunk);
    let without_trunk = national.clone().skip(plan.trunk.len());
    closed(main)
        && all.clone().count() <= 15
        && (plan.holds(national) || with_trunk && plan.holds(without_trunk))
}

fn starts(digits: impl Iterator<Item = u32>, prefix: &[u8]) -> bool {
    digits
        .map(|d| d.wrapping_add(u32::from(b'0')))
        .take(prefix.len())
        .eq(prefix.iter().map(|&b| u32::from(b)))
}

/// A number of the North American plan, without country code or after `1`.
pub fn phone_us(value: &[u8]) -> bool {
    let main = main_number(value);
    let skip = usize::from(digits(main).next() == Some(1));
    closed(main) && north_american(digits(main).skip(skip))
}

/// Ten digits: area code and exchange start with 2 to 9 and are not service codes such as 911.
fn north_american(digits: impl Iterator<Item = u32> + Clone) -> bool {
    let area = number(digits.clone().take(3));
    let exchange = number(digits.clone().skip(3).take(3));
    let service = |n: u32| n.wrapping_rem(100) == 11;
    area >= 200 && exchange >= 200 && !service(area) && !service(exchange) && digits.count() == 10
}

/// Whether the trunk prefix is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trunk {
    Always,
    Perhaps,
    None,
}

/// One point and no other separator, behind a digit that no trunk prefix begins with: a decimal, or money.
fn decimal(value: &[u8]) -> bool {
    !value.starts_with(b"0") && value.iter().filter(|b| !b.is_ascii_digit()).eq([&b'.'])
}

/// A date, or one with a time behind it: `2024-11-22 10`.
fn dated(value: &[u8]) -> bool {
    let day = value.get(..10).filter(|day| day.get(4) == Some(&b'-') && day.get(7) == Some(&b'-'));
    super::date(value) || day.is_some_and(super::date)
}

/// A number as it is dialled within a country. Not a date, a decimal nor a round number; where the trunk prefix may be
/// missing, ten digits at least stand without it.
fn national(value: &[u8], code: u32, trunk: Trunk) -> bool {
    let main = main_number(value);
    let Some(plan) = Plan::of(code) else { return false };
    let all = digits(main);
    let led = trunk != Trunk::None && starts(all.clone(), plan.trunk);
    let rest = all.clone().skip(if led { plan.trunk.len() } else { 0 });
    let round = main.ends_with(b"000 000") || main.ends_with(b"00 00 00");
    let enough = led || trunk == Trunk::None || trunk == Trunk::Perhaps && all.count() >= 10;
    closed(main) && !round && !decimal(main) && !dated(main) && enough && plan.holds(rest)
}

/// A number's digits with its country code, without what is dialled only within a country. `region`: the country whose
/// numbers it is written as, in small letters; without one, a number of ten digits is of the North American plan.
pub fn with_country_code(number: &str, region: Option<&str>) -> String {
    let all: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    let international = match number.trim_start_matches([' ', '(']).strip_prefix('+') {
        Some(_) => Some(all.as_slice()),
        None => all.strip_prefix(b"00"),
    };
    let known = |code: u32| Plan::of(code).map(|plan| (code.to_string(), plan));
    let (code, plan, rest) = match (international, region.and_then(region_code).and_then(known)) {
        (Some(digits), _) => {
            let of = |len: usize| {
                let (code, rest) = digits.split_at_checked(len)?;
                let code = std::str::from_utf8(code).ok()?;
                Some((code.to_owned(), Plan::of(code.parse().ok()?)?, rest))
            };
            match (1..=3).find_map(of) {
                Some(found) => found,
                None => return text(digits),
            }
        }
        (None, Some((code, plan))) => (code, plan, all.as_slice()),
        (None, None) if all.len() == 10 => return format!("1{}", text(&all)),
        (None, None) => return text(&all),
    };
    let holds = |digits: &[u8]| plan.holds(digits.iter().map(|byte| u32::from(byte.wrapping_sub(b'0'))));
    let short =
        rest.strip_prefix(plan.trunk).filter(|short| international.is_none() || !holds(rest) && holds(short));
    format!("{code}{}", text(short.unwrap_or(rest)))
}

fn text(digits: &[u8]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}

/// The country code of a region, in small letters.
fn region_code(region: &str) -> Option<u32> {
    let of = |(name, _): &&(&str, u32)| name.strip_prefix("phone_") == Some(region);
    REGIONS.iter().find(of).map(|(_, code)| *code)
}

macro_rules! national {
    ($($name:ident: $code:literal $trunk:ident;)*) => {
        /// The country codes of those below.
        const REGIONS: &[(&str, u32)] = &[$((stringify!($name), $code)),*];
        $(
            #[doc = concat!("A number as it is dialled within the country of +", stringify!($code), ".")]
            pub fn $name(value: &[u8]) -> bool {
                national(value, $code, Trunk::$trunk)
            }
        )*
    };
}

national! {
    phone_za: 27 Always;
    phone_nl: 31 Always;
    phone_be: 32 Always;
    phone_fr: 33 Always;
    phone_es: 34 None;
    phone_it: 39 None;
    phone_ch: 41 Always;
    phone_at: 43 Always;
    phone_gb: 44 Always;
    phone_dk: 45 None;
    phone_se: 46 Always;
    phone_no: 47 None;
    phone_pl: 48 None;
    phone_de: 49 Always;
    phone_mx: 52 None;
    phone_br: 55 Perhaps;
    phone_au: 61 Always;
    phone_au_service: 61 None;
    phone_nz: 64 Always;
    phone_sg: 65 None;
    phone_jp: 81 Always;
    phone_kr: 82 Always;
    phone_cn: 86 Perhaps;
    phone_tr: 90 Perhaps;
    phone_in: 91 Perhaps;
    phone_pt: 351 None;
    phone_ie: 353 Always;
    phone_ie_service: 353 None;
    phone_fi: 358 Always;
    phone_cz: 420 None;
    phone_il: 972 Always;
    phone_il_service: 972 None;
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn international_numbers_fit_their_countrys_plan() {
        let good = [
            "+4930123456",
            "+49 (0) 30 1234567",
            "+7 495 123-45-67",
            "+1 212 555 0123",
            "+358 9 123456",
            "+85221234567",
            "+971 50 123 4567",
            "+44 20 7946 0958 ext. 12",
            "+44 (0)7700 900123",
            "+39 06 698 12345",
            "+33612345678",
            "+61 412 345 678",
            "+800 1234 5678",
            "0049 30 1234567",
        ];
        let bad = [
            "+1 212 555 012",
            "+1 012 555 0123",
            "+1 212 155 0123",
            "+2101234567",
            "+491234",
            "+1 911 555 0123",
            "+4912345678901234",
            "+33 012 345 678 901",
            "+999 12345678",
            "+44 (20 7946 0958",
            "+34 123 456 789",
        ];
        table(phone_international, &good, &bad);
        table(
            phone_us,
            &["212-555-0123", "1 (212) 555-0123", "800.555.0100 x7"],
            &["211-555-0123", "212-055-0123", "212-411-0123", "212-555-01234"],
        );
    }

    #[test]
    fn national_numbers_fit_their_countrys_plan() {
        table(
            phone_gb,
            &["020 7946 0958", "(020) 7946 0958", "07700 900123"],
            &["20 7946 0958", "020 7946 095", "(020 79460958"],
        );
        table(
            phone_de,
            &["030 1234567", "0171/1234567", "089-123456", "089 / 123 456 - 0", "0800 1234567890"],
            &["30 1234567", "00 1234567"],
        );
        table(phone_it, &["347 1234567", "06.69812345"], &["347.1234567"]);
        table(phone_tr, &["532 123 45 67", "0532 123 45 67"], &["532 123 45 6"]);
        table(phone_au_service, &["1300 123 456"], &["1500 123 456"]);
        table(phone_ie_service, &["1800 123 456"], &["1900 123 456"]);
        table(phone_il_service, &["1-800-123-456"], &["1-300-123-456"]);
        table(phone_fr, &["01 23 45 67 89", "06.12.34.56.78"], &["1 23 45 67 89", "01 23 45 67"]);
        table(phone_es, &["612 345 678", "912345678"], &["112 345 678", "700 000 000"]);
        table(phone_br, &["(11) 91234-5678", "011 91234 5678"], &["(11) 1234"]);
        table(phone_in, &["98765 43210", "09876543210"], &["02345 6789", "2024-11-22 10"]);
        table(phone_jp, &["03-1234-5678", "090-1234-5678"], &["3-1234-5678"]);
        table(phone_dk, &["32 12 34 56"], &["12 34 56 78"]);
    }

    #[test]
    fn the_table_of_plans_is_in_order_and_no_code_starts_another() {
        assert!(PLANS.is_sorted_by_key(|plan| plan.code) && PLANS.len() > 200);
        for plan in PLANS.iter().filter(|plan| plan.code > 9) {
            assert!(
                Plan::of(plan.code / 10).is_none() && Plan::of(plan.code / 100).is_none(),
                "{}",
                plan.code
            );
            assert!(plan.numbers.iter().all(|&(from, to, lengths)| from <= to && to < 100 && lengths != 0));
        }
    }
}
