//! Whether a table knows a key, and how it may be written.

use super::strings::Raw;
use super::table::{Naming, Object};

/// What a table knows of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The field of this number.
    Field(usize),
    /// A field that is written otherwise: a reader without regard for case takes it for the known one.
    InOtherLetters,
    /// Nothing.
    Not,
}

/// Looks a key up.
pub(super) fn known(object: &Object, key: &Raw<'_>) -> Known {
    if object.fields.is_empty() {
        return Known::Not;
    }
    let decoded = key.decoded();
    let find = |wanted: &str| object.fields.iter().position(|(name, _)| *name == wanted);
    if let Some(index) = find(&decoded) {
        return Known::Field(index);
    }
    let protobuf = object.naming == Naming::Protobuf;
    if protobuf
        && decoded.contains('_')
        && let Some(index) = find(&camel(&decoded))
    {
        return Known::Field(index);
    }
    let clash = object.fields.iter().any(|(name, _)| alike(name, &decoded, protobuf));
    if clash { Known::InOtherLetters } else { Known::Not }
}

/// Whether a key is the one of this name, as an object's keys may be written.
pub(super) fn is(key: &Raw<'_>, name: &str, naming: Naming) -> bool {
    let decoded = key.decoded();
    decoded == name || (naming == Naming::Protobuf && decoded.contains('_') && camel(&decoded) == name)
}

/// `max_output_tokens` as `maxOutputTokens`.
pub(super) fn camel(key: &str) -> String {
    let mut raise = false;
    key.chars()
        .filter_map(|char| {
            let raised = std::mem::replace(&mut raise, char == '_');
            match char {
                '_' => None,
                char if raised => Some(char.to_ascii_uppercase()),
                char => Some(char),
            }
        })
        .collect()
}

/// Whether a key differs from a name by the case of its letters alone, as Go's `encoding/json` folds them: the long s and
/// the Kelvin sign are letters too. `loose`: by underscores too.
fn alike(name: &str, key: &str, loose: bool) -> bool {
    if key.is_ascii() && !loose {
        return name.eq_ignore_ascii_case(key);
    }
    let fold = |char: char| match char {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    let kept = |char: &char| !(loose && *char == '_');
    name.chars().filter(kept).map(fold).eq(key.chars().filter(kept).map(fold))
}

#[cfg(test)]
mod tests {
    use super::super::table::{ANY, Place, UNKNOWN};
    use super::*;

    static PLACE: &Place = &ANY;
    static FIELDS: &[(&str, &Place)] = &[("maxOutputTokens", PLACE), ("stop_words", PLACE), ("k", PLACE)];
    static EXACT: Object = Object { fields: FIELDS, ..UNKNOWN };
    static PROTOBUF: Object = Object { naming: Naming::Protobuf, fields: FIELDS, ..UNKNOWN };

    fn of(object: &Object, text: &str) -> Known {
        known(object, &Raw { text, escaped: text.contains('\\'), at: 0 })
    }

    #[test]
    fn a_key_is_known_by_its_letters_however_they_are_escaped() {
        assert_eq!(of(&EXACT, "maxOutputTokens"), Known::Field(0));
        assert_eq!(of(&EXACT, "stop_w\\u006frds"), Known::Field(1));
        assert_eq!(of(&EXACT, "max_output_tokens"), Known::Not);
        assert_eq!(of(&EXACT, "other"), Known::Not);
    }

    #[test]
    fn a_key_that_another_reader_takes_for_a_known_one_is_told_apart() {
        for key in ["MaxOutputTokens", "\u{17F}top_words", "STOP_WORDS", "K", "\u{212A}"] {
            assert_eq!(of(&EXACT, key), Known::InOtherLetters, "{key}");
        }
    }

    #[test]
    fn protocol_buffers_json_takes_two_spellings_and_no_third() {
        assert_eq!(of(&PROTOBUF, "max_output_tokens"), Known::Field(0));
        assert_eq!(of(&PROTOBUF, "maxOutputTokens"), Known::Field(0));
        for key in
            ["Max_output_tokens", "max_outputTokens_", "max__output_tokens", "maxOutput_Tokens", "stopWords"]
        {
            assert_ne!(of(&PROTOBUF, key), Known::Not, "{key}");
        }
        assert_eq!(of(&PROTOBUF, "max_tokens"), Known::Not);
    }
}
