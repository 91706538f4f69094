//! Words before a value that tell what it is.
//!
//! Nine bare digits are anything, and a tax number after the word "tax". A detector with a context counts only where
//! one of its phrases stands within the [`REACH`] bytes of text before the value. Words are runs of letters and digits
//! (those of ASCII whatever their case) of one kind: those of alphabets, or those beyond, such as of Chinese, with quotes
//! and dashes. So a word in English ends where Chinese or a quotation mark begins. What is between the words of a phrase
//! does not matter. A word that begins before the reach is none, nor one that goes on into the value.
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

/// How far before a value its context may stand, in bytes.
pub const REACH: usize = 48;
/// The reach, and the two bytes before it: the first says of which kind the second is, and that whether the first word
/// is whole.
pub const KEPT: usize = REACH + 2;

/// Phrases, each of words in small letters; one of them must stand before the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context(pub Cow<'static, [Cow<'static, [Cow<'static, str>]>]>);

/// What stands before a value: the text that has passed, and the part of the present piece before it.
pub struct Before<'a> {
    past: &'a [u8],
    piece: &'a [u8],
    /// The value's first byte.
    next: Option<u8>,
    words: OnceCell<Words>,
}

/// The words within the reach, in small letters.
struct Words {
    text: [u8; KEPT],
    words: Vec<Range<usize>>,
}

impl Context {
    /// The words of a phrase, in small letters.
    pub fn phrase(text: &str) -> Vec<Cow<'static, str>> {
        let mut words: Vec<(Kind, String)> = Vec::new();
        let mut apart = true;
        for char in text.chars() {
            let kind = Kind::of(0, char.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or(0));
            match words.last_mut().filter(|(last, _)| !apart && *last == kind) {
                Some((_, word)) if kind != Kind::Apart => word.push(char.to_ascii_lowercase()),
                _ if kind != Kind::Apart => words.push((kind, char.to_ascii_lowercase().into())),
                _ => {}
            }
            apart = kind == Kind::Apart;
        }
        words.into_iter().map(|(_, word)| word.into()).collect()
    }
}

/// The last bytes of a text, as many as are kept.
pub fn last(text: &[u8]) -> &[u8] {
    text.get(text.len().saturating_sub(KEPT)..).unwrap_or(text)
}

/// The last bytes of what has passed and a text after it: they stand at the end of the array.
fn last_of_both(past: &[u8], text: &[u8]) -> ([u8; KEPT], usize) {
    let mut bytes = [0; KEPT];
    let (past, text) = (last(past), last(text));
    let old = past.len().min(KEPT.saturating_sub(text.len()));
    let (first, place) = bytes.split_at_mut(KEPT.saturating_sub(text.len()));
    place.copy_from_slice(text);
    if let (Some(place), Some(kept)) =
        (first.get_mut(first.len().saturating_sub(old)..), past.get(past.len().saturating_sub(old)..))
    {
        place.copy_from_slice(kept);
    }
    (bytes, text.len().saturating_add(old))
}

/// Copies bytes to a place of the same length. A few are copied without a call, which in WebAssembly costs as much as
/// dozens of them.
#[inline(always)]
pub fn copy(to: &mut [u8], from: &[u8]) {
    if from.len() >= 32 {
        to.iter_mut().zip(from).for_each(|(place, byte)| *place = *byte);
        return;
    }
    let (to, from) = copy_some::<16>(to, from);
    let (to, from) = copy_some::<8>(to, from);
    let (to, from) = copy_some::<4>(to, from);
    let (to, from) = copy_some::<2>(to, from);
    copy_some::<1>(to, from);
}

/// Copies so many bytes if there are as many: what is left.
#[inline(always)]
fn copy_some<'t, 'f, const SOME: usize>(to: &'t mut [u8], from: &'f [u8]) -> (&'t mut [u8], &'f [u8]) {
    let Some((bytes, rest)) = from.split_first_chunk::<SOME>() else { return (to, from) };
    let Some((place, later)) = to.split_first_chunk_mut::<SOME>() else { return (&mut [], rest) };
    *place = *bytes;
    (later, rest)
}

impl<'a> Before<'a> {
    /// What stands before the value that starts at a place of a piece, after the text that has passed.
    pub fn new(past: &'a [u8], piece: &'a [u8], at: usize) -> Self {
        let (before, value) = piece.split_at_checked(at).unwrap_or((piece, &[]));
        Self { past, piece: before, next: value.first().copied(), words: OnceCell::new() }
    }

    /// Whether one of the phrases stands there.
    pub fn holds(&self, context: &Context) -> bool {
        let words = self.words.get_or_init(|| self.read());
        context.0.iter().any(|phrase| words.hold(phrase))
    }

    fn read(&self) -> Words {
        let (mut text, len) = last_of_both(self.past, self.piece);
        text.make_ascii_lowercase();
        let mut words: Vec<Range<usize>> = Vec::new();
        let first = KEPT.saturating_sub(len);
        let (mut before, mut last) = (0, Kind::Apart);
        for (at, &byte) in text.iter().enumerate().skip(first) {
            let kind = Kind::of(before, byte);
            match words.last_mut().filter(|_| kind == last) {
                _ if kind == Kind::Apart => {}
                Some(word) => word.end = at.saturating_add(1),
                None => words.push(at..at.saturating_add(1)),
            }
            (before, last) = (byte, kind);
        }
        let goes_on = last != Kind::Apart && self.next.is_some_and(|next| Kind::of(before, next) == last);
        words.retain(|word| word.start >= KEPT.saturating_sub(REACH) && !(goes_on && word.end == KEPT));
        Words { text, words }
    }
}

impl Words {
    fn hold(&self, phrase: &[Cow<'static, str>]) -> bool {
        let is = |(range, word): (&Range<usize>, &Cow<'static, str>)| {
            self.text.get(range.clone()).is_some_and(|text| text == word.as_bytes())
        };
        !phrase.is_empty() && self.words.windows(phrase.len()).any(|words| words.iter().zip(phrase).all(is))
    }
}

/// What a byte is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What parts words.
    Apart,
    /// A letter or digit of ASCII, or a letter of two bytes: of Latin with accents, Greek, Cyrillic, Hebrew, Arabic.
    Letter,
    /// A character of more bytes, or a sign of Latin-1.
    Beyond,
}

impl Kind {
    /// Of a byte behind another.
    #[inline(always)]
    pub const fn of(before: u8, byte: u8) -> Self {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0xc3..=0xdf => Self::Letter,
            0..0x80 => Self::Apart,
            0x80..=0xbf if matches!(before, 0xc3..=0xdf) => Self::Letter,
            _ => Self::Beyond,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(phrases: &[&str]) -> Context {
        Context(phrases.iter().map(|phrase| Context::phrase(phrase).into()).collect())
    }

    /// Whether one of the phrases stands before the byte that `|` stands before, wherever the text is cut.
    fn holds(text: &str, phrases: &[&str]) -> bool {
        let at = text.find('|').unwrap();
        let text = text.replace('|', "").into_bytes();
        let mut answers = Vec::new();
        for cut in 0..=at {
            let before = Before::new(last(&text[..cut]), &text[cut..], at - cut);
            answers.push(before.holds(&context(phrases)));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{text:?} depends on where it is cut");
        answers[0]
    }

    #[test]
    fn a_word_counts_whole_and_in_any_case() {
        assert!(holds("my SSN is |123", &["ssn"]));
        assert!(holds("{\"user_ssn\":|123", &["ssn"]));
        assert!(!holds("ssn|123", &["tax", "ssn"]), "it goes on into the value");
        assert!(holds("ssn|-123", &["ssn"]));
        assert!(!holds("assn |123", &["ssn"]));
        assert!(!holds("ssns |123", &["ssn"]));
        assert!(!holds("éssn |123", &["ssn"]), "letters beyond ASCII are letters");
        assert!(!holds("|ssn 123", &["ssn"]));
    }

    #[test]
    fn a_word_ends_where_another_kind_of_writing_begins() {
        for text in [
            "“SSN |1",
            "•SSN: |1",
            "—SSN |1",
            "…SSN|是1",
            "的SSN |1",
            "SSN是|1",
            "«SSN» |1",
            "\u{a0}ssn\u{a0}|1",
        ] {
            assert!(holds(text, &["ssn"]), "{text}");
        }
        assert!(holds("身份证|1", &["身份证"]));
        assert!(holds("numéro de série |1", &["numéro de série"]));
        assert!(!holds("身份证号 |1", &["身份证"]), "words are not parted where nothing stands between them");
        for distance in 0..6 {
            for (text, expected) in [("éssn", false), ("“ssn", true), ("是ssn", true)] {
                let filled = format!("{text}{}|1", " ".repeat(REACH - 3 - distance));
                assert_eq!(holds(&filled, &["ssn"]), expected, "{filled}");
            }
        }
    }

    #[test]
    fn the_words_of_a_phrase_follow_each_other() {
        let phrase = &["social security"];
        assert!(holds("Social Security: |1", phrase));
        assert!(holds("social-security_number=|1", phrase));
        assert!(holds("social \n\t security |1", phrase));
        assert!(!holds("social of security |1", phrase));
        assert!(!holds("security social |1", phrase));
        assert!(!holds("socialsecurity |1", phrase));
    }

    #[test]
    fn a_word_stands_within_forty_eight_bytes() {
        let after = |distance: usize| format!("x ssn{}|1", " ".repeat(distance));
        assert!(holds(&after(REACH - 3), &["ssn"]));
        assert!(!holds(&after(REACH - 2), &["ssn"]), "its first letter is out of reach");
        assert!(
            !holds(&format!("xssn{}|1", " ".repeat(REACH - 3)), &["ssn"]),
            "what is before the reach counts"
        );
        assert!(holds(&format!("ssn{}|1", " ".repeat(REACH - 3)), &["ssn"]), "the text starts with it");
        assert!(!holds(&format!("ssn{}|1", " ".repeat(400)), &["ssn"]));
    }
}
