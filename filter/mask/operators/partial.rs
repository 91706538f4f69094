//! Values of which a part may be seen: `**** **** **** 1111`.
use super::Form;

/// Which letters and digits of a value stay, and what covers the others. What is neither letter nor digit (the
/// separators of a card, the dots and the `@` of an address) stays: it shows the value's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// So many letters and digits stay at the value's start.
    pub keep_first: usize,
    /// So many at its end.
    pub keep_last: usize,
    /// Covers the others, each with one: printable ASCII, and no digit.
    pub character: u8,
}

/// The entities of which no part may be seen: a secret of a few characters, masked with its word. What a policy keeps of
/// it would be the secret.
const HIDDEN: &[&str] = &["CREDIT_CARD_CVV", "PIN", "PASSWORD"];

impl Default for Partial {
    fn default() -> Self {
        Self { keep_first: 0, keep_last: 0, character: b'*' }
    }
}

impl Partial {
    /// What of it holds for an entity.
    pub(super) fn of(self, entity: &str) -> Self {
        if HIDDEN.contains(&entity) { Self { keep_first: 0, keep_last: 0, ..self } } else { self }
    }

    /// Writes the covered value. Of one so short that all of it would stay, nothing does.
    ///
    /// In a number a covered digit is `0`; what is no digit there stays.
    pub(super) fn write(&self, value: &[u8], form: Form, out: &mut Vec<u8>) {
        // Bytes that are no UTF-8 are covered as a character that cannot be read.
        let text = String::from_utf8_lossy(value);
        let covers = |c: &char| c.is_alphanumeric() || *c == char::REPLACEMENT_CHARACTER;
        let count = text.chars().filter(covers).count();
        let kept = self.keep_first.saturating_add(self.keep_last);
        let (first, last) = if kept < count { (self.keep_first, self.keep_last) } else { (0, 0) };
        let cover = if form == Form::Number { b'0' } else { self.character };
        let mut at = 0usize;
        for c in text.chars() {
            let covered = covers(&c) && at >= first && at < count.saturating_sub(last);
            at = at.saturating_add(usize::from(covers(&c)));
            if covered && (form == Form::Text || c.is_ascii_digit()) {
                out.push(cover);
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str, keep_first: usize, keep_last: usize, form: Form) -> String {
        let mut out = Vec::new();
        Partial { keep_first, keep_last, character: b'*' }.write(value.as_bytes(), form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn letters_and_digits_are_covered_and_separators_stay() {
        let text = |value, first, last| written(value, first, last, Form::Text);
        assert_eq!(text("4111 1111 1111 1234", 0, 4), "**** **** **** 1234");
        assert_eq!(text("4111-1111-1111-1234", 4, 4), "4111-****-****-1234");
        assert_eq!(text("jane.doe@example.com", 1, 0), "j***.***@*******.***");
        assert_eq!(text("jane.doe@example.com", 0, 0), "****.***@*******.***");
        assert_eq!(text("caf\u{e9}1", 0, 1), "****1");
    }

    #[test]
    fn a_value_too_short_to_be_covered_shows_nothing() {
        assert_eq!(written("1234", 0, 4, Form::Text), "****");
        assert_eq!(written("12-34", 2, 2, Form::Text), "**-**");
        assert_eq!(written("12345", 2, 2, Form::Text), "12*45");
        assert_eq!(written("12", 9, 9, Form::Text), "**");
        assert_eq!(written("12", usize::MAX, usize::MAX, Form::Text), "**");
    }

    #[test]
    fn in_a_number_zeros_cover_digits() {
        assert_eq!(written("4111111111111234", 0, 4, Form::Number), "0000000000001234");
        assert_eq!(written("4111111111111234", 4, 0, Form::Number), "4111000000000000");
    }

    proptest! {
        #[test]
        fn as_many_characters_come_out_and_no_more_stay_than_asked_for(value in "[0-9A-Za-z @.-]{0,30}", first in 0usize..9, last in 0usize..9) {
            let out = written(&value, first, last, Form::Text);
            prop_assert_eq!(out.chars().count(), value.chars().count());
            prop_assert!(out.chars().filter(char::is_ascii_alphanumeric).count() <= first + last);
        }
    }
}
