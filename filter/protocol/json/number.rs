//! Numbers in which something is to be masked.
//!
//! What stands there must be a number for every reader, and a whole one where a whole one was: neither `<US_SSN>` nor
//! `0000`, nor `0.00`. So masks write digits ([`Masks::begin_number`]); zeros in front, which no number has, become
//! spaces behind it; and where the operator leaves no number (a name, nothing) it is `0`. Spaces fill it up to the
//! length it had.

use crate::mask::text::{Entity, Sink, TextMask};

use super::Tally;
use super::grammar::Scalar;

/// What stands in the place of a number; `None`: the number itself. `mask` is one for numbers, and as new again.
pub(crate) fn masked<T: TextMask>(number: &[u8], mask: &mut T, tally: &mut Tally) -> Option<Vec<u8>> {
    let mut digits = Digits { number, at: 0, done: 0, out: Vec::new(), changed: false, zero: false, tally };
    mask.push(number, true, &mut digits);
    if !digits.changed {
        return None;
    }
    digits.flush();
    let mut written = significant(&digits.out);
    if digits.zero || !is_number(&written) {
        written = b"0".to_vec();
    }
    if written.len() < number.len() {
        written.resize(number.len(), b' ');
    }
    Some(written)
}

/// Without the zeros that no number begins with.
fn significant(number: &[u8]) -> Vec<u8> {
    let (sign, digits) = match number {
        [b'-', digits @ ..] => (&b"-"[..], digits),
        digits => (&b""[..], digits),
    };
    let zeros = digits.windows(2).take_while(|pair| matches!(pair, [b'0', b'0'..=b'9'])).count();
    [sign, digits.get(zeros..).unwrap_or_default()].concat()
}

fn is_number(text: &[u8]) -> bool {
    let mut scalar = Scalar::new();
    scalar.run(text) == text.len() && scalar.is_whole() && scalar.is_number()
}

/// Takes what a masker makes of a number.
struct Digits<'a> {
    number: &'a [u8],
    at: usize,
    /// So much of the number is in `out`, or gone.
    done: usize,
    out: Vec<u8>,
    changed: bool,
    /// Whether the whole is to be zero.
    zero: bool,
    tally: &'a mut Tally,
}

impl Digits<'_> {
    fn skip(&mut self, len: usize) {
        self.at = self.at.saturating_add(len).min(self.number.len());
    }

    fn flush(&mut self) {
        self.out.extend_from_slice(self.number.get(self.done..self.at).unwrap_or_default());
        self.done = self.at;
    }

    fn drop(&mut self, len: usize) {
        self.flush();
        self.skip(len);
        self.done = self.at;
    }
}

impl Sink for Digits<'_> {
    fn keep(&mut self, len: usize) {
        self.skip(len);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.tally.find(entity);
        self.changed = true;
        self.zero |= with.is_empty();
        self.flush();
        self.out.extend_from_slice(with);
        self.drop(len);
    }

    fn swallow(&mut self, len: usize) {
        self.drop(len);
    }

    fn flag(&mut self, len: usize, entity: Entity) {
        self.tally.find(entity);
        self.keep(len);
    }

    fn block(&mut self, len: usize, entity: Entity) {
        self.tally.block(entity);
        (self.changed, self.zero) = (true, true);
        self.drop(len);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::mask::operators::{Operator, Operators, Partial, Pseudonyms};
    use crate::mask::text::Masks;
    use crate::mask::{Catalogue, Plan};

    fn plan(operator: Operator) -> Plan {
        {
            let catalogue = Catalogue::built_in();
            Plan::new(&catalogue, catalogue.usual(), Vec::new())
        }
        .with_operators(Rc::new(Operators::new(operator)))
    }

    fn partial(keep_first: usize, keep_last: usize) -> Operator {
        Operator::Mask(Partial { keep_first, keep_last, character: b'*' })
    }

    fn written(operator: Operator, number: &str) -> String {
        let masked = masked(number.as_bytes(), &mut plan(operator).begin_number(), &mut Tally::default());
        masked.map_or_else(|| number.to_owned(), |masked| String::from_utf8(masked).unwrap())
    }

    #[test]
    fn each_operator_leaves_a_number() {
        let card = "4111111111111111";
        assert_eq!(written(Operator::Replace, card), "0               ");
        assert_eq!(written(Operator::Redact, card), "0               ");
        assert_eq!(written(partial(0, 4), card), "1111            ");
        assert_eq!(written(partial(0, 4), "6759649826438453"), "8453            ");
        assert_eq!(written(partial(0, 4), "4012888888880000"), "4012888888880000", "no card, so it stays");
        assert_eq!(written(partial(4, 0), card), "4111000000000000");
        assert_eq!(written(partial(0, 0), card), "0               ");
        assert_eq!(written(Operator::Flag, card), card);
        assert_eq!(written(Operator::Block, card), "0               ");
        assert_eq!(written(Operator::Replace, "12"), "12");
        let pseudonym = || Operator::Pseudonym(Pseudonyms::new(b"0123456789abcdef", ""));
        let name = written(pseudonym(), card);
        assert_eq!(name, written(pseudonym(), card));
        assert!(name.trim_end().parse::<u64>().unwrap() < 1 << 48, "{name}");
    }

    #[test]
    fn what_surrounds_a_value_in_a_number_stays_where_it_can() {
        assert_eq!(written(partial(0, 4), "-4111111111111111"), "-1111            ");
        assert_eq!(written(partial(0, 4), "4111111111111111.5"), "1111.5            ");
        assert_eq!(written(Operator::Replace, "4111111111111111.5"), "0                 ");
    }

    #[test]
    fn a_blocked_value_is_told_apart() {
        let mut tally = Tally::default();
        masked(b"4111111111111111", &mut plan(Operator::Block).begin_number(), &mut tally);
        assert_eq!(
            tally.blocked().map(|entity| Catalogue::built_in().name(entity).to_owned()).as_deref(),
            Some("CREDIT_CARD")
        );
    }

    proptest! {
        #[test]
        fn a_number_stays_a_number_whatever_the_operator(number in "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", card: bool, which in 0usize..6, first in 0usize..9, last in 0usize..9) {
            let number = if card { number.replacen(|c: char| c.is_ascii_digit(), "4111111111111111", 1) } else { number };
            prop_assume!(is_number(number.as_bytes()));
            let operator = [
                Operator::Replace, Operator::Redact, partial(first, last), Operator::Flag, Operator::Block,
                Operator::Pseudonym(Pseudonyms::new(b"0123456789abcdef", "")),
            ][which].clone();
            let out = written(operator, &number);
            prop_assert!(is_number(out.trim_end().as_bytes()), "{number} {out}");
            prop_assert!(out.len() >= number.len());
        }
    }
}
