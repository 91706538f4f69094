//! Digits, and the check digits that are schemes of their own.

/// The digits of a value, separators left out.
pub fn digits(value: &[u8]) -> impl DoubleEndedIterator<Item = u32> + Clone {
    value.iter().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b.wrapping_sub(b'0')))
}

/// The number that some digits write in base ten; the digits of at most nine are exact.
pub fn number(digits: impl Iterator<Item = u32>) -> u32 {
    digits.fold(0, |n, d| n.wrapping_mul(10).wrapping_add(d))
}

/// The remainder of a number of any length.
pub fn remainder(digits: impl Iterator<Item = u32>, modulus: u32) -> u32 {
    digits.fold(0, |n, d| n.wrapping_mul(10).wrapping_add(d).checked_rem(modulus).unwrap_or(0))
}

/// The sum of a product's digits, of which it has two at most in that base.
pub fn cross(product: u32, base: u32) -> u32 {
    let tens = product.checked_div(base).unwrap_or(0);
    tens.wrapping_add(product.checked_rem(base).unwrap_or(0))
}

/// The check digit of ISO/IEC 7812-1, annex B.
pub fn luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
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

/// ISO/IEC 7064, MOD 11,10.
pub fn mod_11_10(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let mut digits = digits;
    let Some(check) = digits.next_back() else { return false };
    let product = digits.fold(10u32, |product, d| {
        let sum = product.wrapping_add(d).wrapping_rem(10);
        if sum == 0 { 9 } else { sum.wrapping_mul(2).wrapping_rem(11) }
    });
    product.wrapping_add(check).wrapping_rem(10) == 1
}

/// Verhoeff's check digit (1969): over the group of a pentagon's symmetries, each digit permuted by its place.
pub fn verhoeff(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let sum = digits.rev().zip(0u32..).fold(0, |sum, (d, place)| turned(sum, permuted(d, place)));
    sum == 0
}

/// The product of two symmetries: 0 to 4 are turns, 5 to 9 are mirrored ones.
fn turned(a: u32, b: u32) -> u32 {
    let (turn, mirrored) = (b.wrapping_rem(5), b >= 5);
    match (a >= 5, mirrored) {
        (false, false) => a.wrapping_add(turn).wrapping_rem(5),
        (false, true) => a.wrapping_add(turn).wrapping_rem(5).wrapping_add(5),
        (true, false) => a.wrapping_add(5).wrapping_sub(turn).wrapping_rem(5).wrapping_add(5),
        (true, true) => a.wrapping_add(5).wrapping_sub(turn).wrapping_rem(5),
    }
}

/// Verhoeff's permutation, as often as the place says; after eight times it is the identity again.
fn permuted(digit: u32, place: u32) -> u32 {
    let once = |d: u32| match d {
        0 => 1,
        1 => 5,
        2 => 7,
        3 => 6,
        4 => 2,
        5 => 8,
        6 => 3,
        7 => 0,
        8 => 9,
        _ => 4,
    };
    (0..place & 7).fold(digit, |d, _| once(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every change of one digit is caught by these schemes, whatever the number.
    fn catches_every_single_wrong_digit(valid: impl Fn(&[u32]) -> bool, right: &[u8]) {
        let right: Vec<u32> = digits(right).collect();
        assert!(valid(&right));
        for at in 0..right.len() {
            for wrong in (0..10).filter(|&d| d != right[at]) {
                let mut digits = right.clone();
                digits[at] = wrong;
                assert!(!valid(&digits), "{digits:?}");
            }
        }
    }

    #[test]
    fn one_wrong_digit_is_always_caught() {
        catches_every_single_wrong_digit(|d| luhn(d.iter().copied()), b"4111111111111111");
        catches_every_single_wrong_digit(|d| verhoeff(d.iter().copied()), b"234123412346");
        catches_every_single_wrong_digit(|d| mod_11_10(d.iter().copied()), b"33392005961");
    }

    #[test]
    fn verhoeff_catches_every_swap_of_neighbours() {
        let right: Vec<u32> = digits(b"234123412346").collect();
        for at in 0..right.len() - 1 {
            let mut swapped = right.clone();
            swapped.swap(at, at + 1);
            assert_eq!(verhoeff(swapped.iter().copied()), swapped == right);
        }
    }

    #[test]
    fn nothing_is_no_number() {
        assert!(!mod_11_10(digits(b"")));
        assert_eq!(number(digits(b"0 1-2")), 12);
        assert_eq!(u64::from(remainder(digits(b"98765432109"), 97)), 98_765_432_109 % 97);
    }
}
