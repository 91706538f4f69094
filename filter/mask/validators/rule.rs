//! The one engine of the table of national numbers: length, leading digits, a date, and check characters that follow
//! from a sum and a modulus.
//!
//! A check character is looked up: a sum over the other characters, reduced by a modulus, is the place of the right
//! character in a row. That covers the complements (`0987654321`), the schemes that refuse a remainder (`-`), those that
//! write ten as `X`, `K` or `0`, and the letters of Spain, Finland or Ireland.
use super::dates::Built;

/// The longest value that a rule looks at, without separators.
const LONGEST: usize = 24;

/// How the other characters become one number.
#[derive(Debug, Clone, Copy)]
pub enum Sum {
    /// Each character's value times its weight.
    Weighted(&'static [u32]),
    /// The same, but each product as the sum of its digits in a base.
    Crossed(&'static [u32], u32),
    /// The number that the first characters write in base ten.
    Number(usize),
}

/// One check character.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The sum over the characters before the check character (or all others, where it stands among them).
    pub sum: Sum,
    /// What the sum is reduced by.
    pub modulus: u32,
    /// The right character for each remainder; `-` where there is none.
    pub to: &'static [u8],
    /// Where the check character stands; at the end where not said. Weights end just before it.
    pub at: Option<usize>,
}

/// What a number obeys.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Letters and digits, fewest and most.
    length: (usize, usize),
    /// What stands before the number itself, such as a country's code.
    prefix: &'static [u8],
    /// So many leading digits are within one of the ranges.
    leading: Option<(usize, &'static [(u32, u32)])>,
    date: Option<Built>,
    checks: &'static [Check],
    /// The value of a letter.
    letter: fn(u8) -> u32,
}

/// `A` is 10, `Z` is 35.
pub fn base_36(letter: u8) -> u32 {
    u32::from(letter.wrapping_sub(b'A').wrapping_add(10))
}

impl Rule {
    /// A number of so many characters.
    pub const fn of(length: usize) -> Self {
        Self::between(length, length)
    }

    /// A number of `least` to `most` characters.
    pub const fn between(least: usize, most: usize) -> Self {
        Self { length: (least, most), prefix: b"", leading: None, date: None, checks: &[], letter: base_36 }
    }

    /// With a prefix that takes no part, in any case; the value may leave it out.
    pub const fn after(self, prefix: &'static [u8]) -> Self {
        Self { prefix, ..self }
    }

    /// With leading digits in one of the ranges, both ends in.
    pub const fn leading(self, digits: usize, ranges: &'static [(u32, u32)]) -> Self {
        Self { leading: Some((digits, ranges)), ..self }
    }

    /// With a date built in.
    pub const fn dated(self, date: Built) -> Self {
        Self { date: Some(date), ..self }
    }

    /// With check characters.
    pub const fn checked(self, checks: &'static [Check]) -> Self {
        Self { checks, ..self }
    }

    /// With letters that count otherwise.
    pub const fn lettered(self, letter: fn(u8) -> u32) -> Self {
        Self { letter, ..self }
    }

    /// Whether a value obeys. All characters alike is never a number, whatever its check digit.
    pub fn holds(&self, value: &[u8]) -> bool {
        let Some(characters) = Characters::of(value) else { return false };
        let all = characters.get();
        let rest = all.strip_prefix(self.prefix).unwrap_or(all);
        let alike = rest.iter().all(|b| Some(b) == rest.first());
        let (least, most) = self.length;
        (least..=most).contains(&rest.len())
            && !alike
            && self.leads(rest)
            && self.date.is_none_or(|date| date.exists(values(rest, self.letter)))
            && self.checks.iter().all(|check| check.holds(rest, self.letter))
    }

    fn leads(&self, characters: &[u8]) -> bool {
        let Some((count, ranges)) = self.leading else { return true };
        let head = characters.get(..count).unwrap_or_default();
        if head.len() != count || !head.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let head = super::digits::number(super::digits::digits(head));
        ranges.iter().any(|&(first, last)| (first..=last).contains(&head))
    }
}

impl Check {
    /// The last character, by weights.
    pub const fn last(weights: &'static [u32], modulus: u32, to: &'static [u8]) -> Self {
        Self { sum: Sum::Weighted(weights), modulus, to, at: None }
    }

    /// The last character, by weights whose products count by their digits (Luhn and its kin).
    pub const fn crossed(weights: &'static [u32], modulus: u32, to: &'static [u8]) -> Self {
        Self { sum: Sum::Crossed(weights, modulus), modulus, to, at: None }
    }

    /// The character after the first digits, by the number they write.
    pub const fn number(digits: usize, modulus: u32, to: &'static [u8]) -> Self {
        Self { sum: Sum::Number(digits), modulus, to, at: None }
    }

    /// A character that stands elsewhere.
    pub const fn at(self, at: usize) -> Self {
        Self { at: Some(at), ..self }
    }

    fn holds(&self, characters: &[u8], letter: fn(u8) -> u32) -> bool {
        let (at, skipped) = match (self.at, self.sum) {
            (Some(at), _) => (at, 0),
            (None, Sum::Number(count)) => (count, 0),
            (None, Sum::Weighted(weights) | Sum::Crossed(weights, _)) => {
                let at = weights.len().min(characters.len().saturating_sub(1));
                (at, weights.len().saturating_sub(at))
            }
        };
        let others = values(characters, letter).enumerate().filter(|&(place, _)| place != at).map(|(_, v)| v);
        let sum = match self.sum {
            Sum::Weighted(weights) => weigh(weights, skipped, others, |product| product),
            Sum::Crossed(weights, base) => {
                weigh(weights, skipped, others, |product| super::digits::cross(product, base))
            }
            Sum::Number(count) => super::digits::remainder(others.take(count), self.modulus),
        };
        let right = sum.checked_rem(self.modulus).and_then(|sum| self.to.get(usize::try_from(sum).ok()?));
        right.is_some_and(|right| characters.get(at) == Some(right))
    }
}

fn weigh(weights: &[u32], skipped: usize, values: impl Iterator<Item = u32>, of: impl Fn(u32) -> u32) -> u32 {
    let weights = weights.iter().skip(skipped);
    weights.zip(values).fold(0, |sum, (weight, value)| sum.wrapping_add(of(weight.wrapping_mul(value))))
}

/// What each character counts.
pub fn values(characters: &[u8], letter: fn(u8) -> u32) -> impl DoubleEndedIterator<Item = u32> + Clone {
    characters
        .iter()
        .map(move |&b| if b.is_ascii_digit() { u32::from(b.wrapping_sub(b'0')) } else { letter(b) })
}

/// A value's letters and digits, letters in upper case, separators left out.
pub struct Characters {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Characters {
    /// `None` where there are more than any number has.
    pub fn of(value: &[u8]) -> Option<Self> {
        let mut characters = Self { bytes: [0; LONGEST], len: 0 };
        for byte in value.iter().filter(|b| b.is_ascii_alphanumeric()) {
            *characters.bytes.get_mut(characters.len)? = byte.to_ascii_uppercase();
            characters.len = characters.len.wrapping_add(1);
        }
        Some(characters)
    }

    /// The characters.
    pub fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEVEN: &[Check] =
        &[Check { sum: Sum::Weighted(&[4, 3, 2]), modulus: 11, to: b"0X987654321", at: None }];

    #[test]
    fn a_check_character_is_looked_up_by_the_remainder() {
        let rule = Rule::of(4).checked(ELEVEN);
        // 4*1 + 3*2 + 2*3 = 16, which is 5 more than eleven: the sixth of the row.
        assert!(rule.holds(b"1236") && rule.holds(b"1-2-3-6") && !rule.holds(b"1237"));
        // 4*0 + 3*0 + 2*6 = 12: a remainder of one is an X, in any case.
        assert!(rule.holds(b"006X") && rule.holds(b"006x") && !rule.holds(b"0060"));
        assert!(!rule.holds(b"12365") && !rule.holds(b"123") && !rule.holds(b"") && !rule.holds(&[b'1'; 99]));
    }

    #[test]
    fn weights_end_just_before_the_check_character_of_a_shorter_number() {
        let rule = Rule::between(3, 4).checked(ELEVEN);
        // 3*2 + 2*3 = 12.
        assert!(rule.holds(b"23X") && !rule.holds(b"236"));
    }

    #[test]
    fn a_check_digit_may_stand_among_the_others() {
        let check = &[Check { sum: Sum::Weighted(&[1, 2, 3]), modulus: 10, to: b"0123456789", at: Some(1) }];
        let rule = Rule::of(4).checked(check);
        // 1*1 + 2*2 + 3*1 = 8
        assert!(rule.holds(b"1821") && !rule.holds(b"1721"));
    }

    #[test]
    fn prefixes_ranges_and_sameness_are_told() {
        let rule = Rule::of(3).after(b"AB").leading(2, &[(10, 12), (90, 99)]);
        assert!(rule.holds(b"AB 123") && rule.holds(b"ab991") && rule.holds(b"123"));
        assert!(!rule.holds(b"AB133") && !rule.holds(b"AB1X3") && !rule.holds(b"AB999"));
    }

    #[test]
    fn products_may_be_summed_by_their_digits() {
        let check = &[Check { sum: Sum::Crossed(&[2, 1], 10), modulus: 10, to: b"0987654321", at: None }];
        // 2*9 = 18, so nine; and one.
        assert!(Rule::of(3).checked(check).holds(b"910"));
    }
}
