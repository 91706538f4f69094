//! Dates that exist, written by people or built into numbers.
use super::digits::number;

/// The order of the parts of a date within a number.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Year, month, day.
    Ymd,
    /// Day, month, year.
    Dmy,
}

/// A date built into a number.
#[derive(Debug, Clone, Copy)]
pub struct Built {
    /// The place of its first digit.
    pub at: usize,
    /// How many digits the year has.
    pub year: usize,
    /// The order of its parts.
    pub order: Order,
    /// What may have been added to the month: some countries tell the century or the sex by it.
    pub months: &'static [u32],
    /// What may have been added to the day: some tell the sex or a temporary number by it.
    pub days: &'static [u32],
}

impl Built {
    /// Whether the date within a number's digits exists.
    pub fn exists(&self, digits: impl Iterator<Item = u32> + Clone) -> bool {
        let part = |from: usize, len: usize| {
            let taken = digits.clone().skip(self.at.wrapping_add(from)).take(len);
            (taken.clone().count() == len).then(|| number(taken))
        };
        let (year, month, day) = match self.order {
            Order::Ymd => (part(0, self.year), part(self.year, 2), part(self.year.wrapping_add(2), 2)),
            Order::Dmy => (part(4, self.year), part(2, 2), part(0, 2)),
        };
        let (Some(year), Some(month), Some(day)) = (year, month, day) else { return false };
        let undone = |value: u32, added: &'static [u32]| {
            std::iter::once(value).chain(added.iter().filter_map(move |&a| value.checked_sub(a)))
        };
        let full = self.year == 4;
        let plausible = !full || (1850..2100).contains(&year);
        let leap = if full { leap(year) } else { year.is_multiple_of(4) };
        plausible && undone(month, self.months).any(|m| undone(day, self.days).any(|d| fits(leap, m, d)))
    }
}

/// The rule of Pope Gregory.
fn leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Whether a month has a day.
fn fits(leap: bool, month: u32, day: u32) -> bool {
    let last = match month {
        2 => 28u32.wrapping_add(leap.into()),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// A part of a written date: its number, and how many digits it has (none for the name of a month).
type Part = (u32, usize);

/// The parts of a written date, in the order they stand; at most three.
fn parts(value: &[u8]) -> Option<[Part; 3]> {
    let mut runs = value
        .split(|b| !b.is_ascii_alphanumeric())
        .filter(|run| !run.is_empty())
        .filter(|run| !matches!(run.to_ascii_lowercase().as_slice(), b"of" | b"the" | b"de" | b"del"))
        .map(part);
    let parts = [runs.next()??, runs.next()??, runs.next()??];
    runs.next().is_none().then_some(parts)
}

/// How the months' names begin, in English, Spanish and Portuguese.
const MONTHS: [&[&[u8]]; 12] = [
    &[b"jan", b"ene"],
    &[b"feb", b"fev"],
    &[b"mar"],
    &[b"apr", b"abr"],
    &[b"may", b"mai"],
    &[b"jun"],
    &[b"jul"],
    &[b"aug", b"ago"],
    &[b"sep", b"set"],
    &[b"oct", b"out"],
    &[b"nov"],
    &[b"dec", b"dic", b"dez"],
];

fn part(run: &[u8]) -> Option<Part> {
    if run.iter().all(u8::is_ascii_digit) {
        return Some((number(super::digits::digits(run)), run.len()));
    }
    let digits = run.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number_run, suffix) = run.split_at_checked(digits)?;
    if digits > 0 {
        let ordinal = [&b"st"[..], b"nd", b"rd", b"th"].iter().any(|o| suffix.eq_ignore_ascii_case(o));
        return ordinal.then(|| (number(super::digits::digits(number_run)), digits));
    }
    let name = run.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|names| names.contains(&name.as_slice()))?;
    Some((u32::try_from(month).ok()?.wrapping_add(1), 0))
}

/// The years a written date can mean, and whether they are leap years.
fn year(part: Part) -> Option<(u32, bool)> {
    match part {
        (year, 4) if (1800..2200).contains(&year) => Some((year, leap(year))),
        (year, 2) => Some((year.wrapping_add(2000), year.is_multiple_of(4))),
        _ => None,
    }
}

/// A date that exists, written as year-month-day, day-month-year, month-day-year, or with the month's name.
pub fn date(value: &[u8]) -> bool {
    let Some(parts) = parts(value) else { return false };
    let on = |y: Part, m: Part, d: Part| year(y).is_some_and(|(_, leap)| d.1 > 0 && fits(leap, m.0, d.0));
    let [a, b, c] = parts;
    match (a.1, b.1, c.1) {
        (4, _, _) => on(a, b, c),
        (0, _, _) => on(c, a, b),
        (_, 0, _) => on(c, b, a),
        (_, _, 0) => false,
        _ => on(c, b, a) || on(c, a, b),
    }
}

/// A date that exists, and somebody can have been born on: two digits for the year, or four from 1900 on.
pub fn birth_date(value: &[u8]) -> bool {
    let four = value.split(|b| !b.is_ascii_digit()).find(|run| run.len() == 4);
    let year = four.map(|run| number(super::digits::digits(run)));
    date(value) && year.is_none_or(|year| (1900..2100).contains(&year))
}

#[cfg(test)]
mod tests {
    use super::super::digits::digits;
    use super::super::table;
    use super::*;

    #[test]
    fn a_date_exists_or_is_none() {
        let good = [
            "2024-02-29",
            "29.02.2024",
            "12/31/1999",
            "31/12/1999",
            "1/2/99",
            "March 5, 1984",
            "5 March 1984",
            "5th of March 1984",
            "Sept 30 2001",
            "5 de marzo de 1984",
            "31 de outubro de 1984",
        ];
        let bad = [
            "2023-02-29",
            "1900-02-29",
            "31.04.2024",
            "13/13/1999",
            "00/01/2000",
            "March 32, 1984",
            "Foo 5, 1984",
            "31 de abril de 1984",
            "2024-13-01",
            "1.2.3",
            "2024-01",
            "2024-01-01-01",
            "",
        ];
        table(date, &good, &bad);
        table(birth_date, &["1984-03-05", "5.3.84"], &["1884-03-05", "1984-13-05"]);
    }

    #[test]
    fn folds_are_undone_before_a_built_in_date_is_tried() {
        let built = Built { at: 0, year: 2, order: Order::Ymd, months: &[20, 50], days: &[40] };
        let exists = |text: &[u8]| built.exists(digits(text));
        assert!(exists(b"840305") && exists(b"842305") && exists(b"845305") && exists(b"840345"));
        assert!(!exists(b"841305") && !exists(b"840332") && !exists(b"8403") && !exists(b"850229"));
        let full = Built { at: 2, year: 4, order: Order::Dmy, months: &[], days: &[] };
        assert!(full.exists(digits(b"99 29022024")) && !full.exists(digits(b"99 29021900")));
        assert!(!full.exists(digits(b"99 01010001")));
    }
}
