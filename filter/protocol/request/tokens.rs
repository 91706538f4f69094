//! How many tokens a text is, near enough: without any model's vocabulary.
//!
//! Tokenisers cut a text at much the same places (words, runs of digits and of signs) and need the more tokens for a word
//! the longer it is, and the rarer its script was in what they learnt from. So a text is counted by such features, and each
//! feature has a weight, fitted on the tokenisers of several makers. `tools/tokens/fit.mjs` fits them, and prints the weights
//! and the errors that stand in docs/protocols.md; `features.mjs` beside it counts as this file does.
//!
//! What holds: an estimate does not depend on how the text is cut into pieces, grows with the text, costs time in proportion to
//! it, and of two texts together is that of both, but for the word or run that goes on from one to the other.

/// Weights are of this part of a token.
const UNIT: u64 = 1024;

const WORD: u64 = 692;
const LETTERS_5_TO_8: u64 = 191;
const LETTERS_FROM_9: u64 = 762;
const CAPITALS_IN_ROW: u64 = 1105;
const MIXED: u64 = 849;
const ACCENTED: u64 = 1597;
const DIGITS_BY_3: u64 = 1396;
const PUNCTUATION: u64 = 642;
const MORE_PUNCTUATION: u64 = 291;
const LINE_ENDS: u64 = 319;
const INDENTS: u64 = 1046;
const BLANKS: u64 = 1672;
const SLAVIC_WORD: u64 = 2202;
const SLAVIC_LETTERS: u64 = 154;
const SEMITIC_WORD: u64 = 2694;
const SEMITIC_LETTERS: u64 = 229;
const INDIC_LETTERS: u64 = 932;
const KANA: u64 = 980;
const IDEOGRAPHS: u64 = 1046;
const HANGUL: u64 = 1143;
const SYMBOLS: u64 = 1045;
const OTHERS: u64 = 3958;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Accented,
    Digit,
    Space,
    /// Tabs.
    Blank,
    Line,
    Punctuation,
    /// Greek, Cyrillic, Armenian, Georgian.
    Slavic,
    /// Hebrew, Arabic and alike.
    Semitic,
    /// Of India and South-East Asia.
    Indic,
    Kana,
    Ideograph,
    Hangul,
    Symbol,
    Other,
}

/// The classes of ASCII, told at once.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static ASCII: [Class; 128] = {
    let mut all = [Class::Other; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        all[byte as usize] = match byte {
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            b'0'..=b'9' => Class::Digit,
            b' ' => Class::Space,
            b'\n' | b'\r' => Class::Line,
            b'\t' => Class::Blank,
            b'!'..=b'~' => Class::Punctuation,
            _ => Class::Other,
        };
        byte += 1;
    }
    all
};

impl Class {
    /// The class of a character beyond ASCII.
    fn of(char: char) -> Self {
        match char {
            '\u{c0}'..='\u{24f}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' => Self::Accented,
            '\u{370}'..='\u{58f}' | '\u{10a0}'..='\u{10ff}' | '\u{1f00}'..='\u{1fff}' => Self::Slavic,
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' => Self::Semitic,
            '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Self::Indic,
            '\u{3040}'..='\u{30ff}' => Self::Kana,
            '\u{3000}'..='\u{303f}' | '\u{3100}'..='\u{312f}' | '\u{3400}'..='\u{9fff}' => Self::Ideograph,
            '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' => Self::Ideograph,
            '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7af}' => Self::Hangul,
            '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{2fff}' => Self::Symbol,
            _ => Self::Other,
        }
    }

    fn is_letter(self) -> bool {
        matches!(self, Self::Lower | Self::Upper | Self::Accented)
    }

    fn is_blank(self) -> bool {
        matches!(self, Self::Space | Self::Blank)
    }
}

/// Counts a text, piece by piece.
#[derive(Debug, Clone)]
pub struct Tokens {
    sum: u64,
    last: Class,
    /// Characters of the run under way: of a word, of one class.
    run: u32,
}

impl Default for Tokens {
    fn default() -> Self {
        // As if a space were before: a text's first blank is none of a run.
        Self { sum: 0, last: Class::Space, run: 0 }
    }
}

impl Tokens {
    /// Takes the next piece.
    pub fn push(&mut self, text: &str) {
        let mut at = 0_usize;
        while let Some((byte, rest)) = text.as_bytes().get(at..).and_then(<[u8]>::split_first) {
            let mut len = 1_usize;
            let weight = match ASCII.get(usize::from(*byte)) {
                // Most text is small letters, and of those only the word's length counts.
                Some(Class::Lower) => {
                    let more = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
                    len = len.saturating_add(more);
                    self.letters(Class::Lower, len)
                }
                // And of a space behind a word, nothing does.
                Some(Class::Space) if !self.last.is_blank() => {
                    (self.last, self.run) = (Class::Space, 1);
                    0
                }
                Some(&class) => self.step(class),
                None => {
                    let char = text.get(at..).and_then(|text| text.chars().next());
                    len = char.map_or(1, char::len_utf8);
                    self.step(char.map_or(Class::Other, Class::of))
                }
            };
            self.sum = self.sum.saturating_add(weight);
            at = at.saturating_add(len);
        }
    }

    /// The estimate for what came so far, rounded up.
    pub fn count(&self) -> u64 {
        self.sum.div_ceil(UNIT)
    }

    /// What a character of this class weighs, behind those that came.
    fn step(&mut self, now: Class) -> u64 {
        if now.is_letter() {
            return self.letters(now, 1);
        }
        let last = std::mem::replace(&mut self.last, now);
        let same = now == last;
        self.run = if same { self.run.wrapping_add(1) } else { 1 };
        let first = |first: u64, more: u64| if same { more } else { first };
        match now {
            Class::Digit if self.run % 3 == 1 => DIGITS_BY_3,
            Class::Punctuation => first(PUNCTUATION, MORE_PUNCTUATION),
            Class::Line if !same => LINE_ENDS,
            Class::Line if self.run % 8 == 1 => BLANKS,
            Class::Space | Class::Blank => self.blank(now, last),
            Class::Slavic => first(SLAVIC_WORD, 0).saturating_add(SLAVIC_LETTERS),
            Class::Semitic => first(SEMITIC_WORD, 0).saturating_add(SEMITIC_LETTERS),
            Class::Indic => INDIC_LETTERS,
            Class::Kana => KANA,
            Class::Ideograph => IDEOGRAPHS,
            Class::Hangul => HANGUL,
            Class::Symbol => SYMBOLS,
            Class::Other => OTHERS,
            Class::Digit | Class::Line | Class::Lower | Class::Upper | Class::Accented => 0,
        }
    }

    /// What letters of one class weigh; more than one of them are small.
    fn letters(&mut self, now: Class, count: usize) -> u64 {
        let last = std::mem::replace(&mut self.last, now);
        let turns = last == Class::Lower && now == Class::Upper;
        let begins = !last.is_letter() || turns;
        // A part of a word written together; and behind a digit it is mostly no word at all.
        let start = match begins {
            false => 0,
            true if turns || last == Class::Digit => MIXED,
            true => WORD,
        };
        let before = if begins { 0 } else { self.run };
        self.run = before.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let long = letters_weigh(self.run).saturating_sub(letters_weigh(before));
        let capitals = if now == Class::Upper && last == Class::Upper { CAPITALS_IN_ROW } else { 0 };
        let accent = if now == Class::Accented { ACCENTED } else { 0 };
        start.saturating_add(long).saturating_add(capitals).saturating_add(accent)
    }

    /// One space belongs to the word behind it; more of them, and tabs, are a token.
    fn blank(&mut self, now: Class, last: Class) -> u64 {
        if now != last && last.is_blank() {
            self.run = 2;
        }
        if self.run == 2 || now == Class::Blank && self.run == 1 {
            return INDENTS;
        }
        if self.run.is_multiple_of(16) { BLANKS } else { 0 }
    }
}

/// What a word of so many letters weighs for their number.
fn letters_weigh(letters: u32) -> u64 {
    if letters < 5 {
        return 0;
    }
    let (from_5, from_9) = (letters.clamp(4, 8).saturating_sub(4), letters.saturating_sub(8));
    let weight = u64::from(from_5).saturating_mul(LETTERS_5_TO_8);
    weight.saturating_add(u64::from(from_9).saturating_mul(LETTERS_FROM_9))
}

/// The estimate for a whole text.
pub fn estimate(text: &str) -> u64 {
    let mut tokens = Tokens::default();
    tokens.push(text);
    tokens.count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Most tokens by which the seam of two texts counts, where a line end parts them; else for each character at it.
    const SEAM: u64 = 5;

    #[test]
    fn what_is_counted_is_what_was_fitted() {
        // As `tools/tokens/fit.mjs` prints them.
        let cases = [
            ("Universal Declaration of Human Rights\nPreamble\nWhereas recog", 13),
            ("Die Allgemeine Erklärung der Menschenrechte\nPräambel\nDa die ", 19),
            ("Déclaration universelle des droits de l’homme\nPréambule\nCons", 19),
            ("Declaración Universal de Derechos Humanos\nPreámbulo\nConsider", 17),
            ("POWSZECHNA DEKLARACJA PRAW CZŁOWIEKA\nPreambuła\nZWAŻYWSZY, że", 57),
            ("İnsan hakları evrensel beyannamesi\nÖnsöz\nİnsanlık ailesinin ", 22),
            ("Tuyên ngôn toàn thế giới về nhân quyền của Liên Hợp Q", 34),
            ("Всеобщая декларация прав человека\nПРЕАМБУЛА\nПринимая во вним", 26),
            ("ΟΙΚΟΥΜΕΝΙΚΗ ΔΙΑΚΗΡΥΞΗ ΓΙΑ ΤΑ ΑΝΘΡΩΠΙΝΑ ΔΙΚΑΙΩΜΑΤΑ\nΠΡΟΟΙΜΙΟ\nΕ", 26),
            ("الإعلان العالمي لحقوق الإنسان\nالديباجة\nلمّا كان الاعتراف بال", 36),
            ("הכרזה לכל באי עולם בדבר זכויות האדם\nהואיל והכרה בכבוד הטבעי ", 41),
            ("मानव अधिकारों की सार्वभौम घोषणा\nप्रस्तावना\nचूंकि मानव परिवार", 48),
            ("ปฏิญญาสากลว่าด้วยสิทธิมนุษยชน\nคำปรารภ\nโดยที่การยอมรับนับถือเ", 54),
            (
                "『世界人権宣言』\n〈前文〉\n人類社会のすべての構成員の固有の尊厳と平等で譲ることのできない権利とを承認することは、世界に",
                59,
            ),
            (
                "世界人权宣言\n序言\n鉴于对人类家庭所有成员的固有尊严及其平等的和不移的权利的承认,乃是世界自由、正义与和平的基础,\n鉴于",
                59,
            ),
            (
                "세 계 인 권 선 언\n전 문\n모든 인류 구성원의 천부의 존엄성과 동등하고 양도할 수 없는 권리를 인정하는 것",
                47,
            ),
            ("# Anthropic TypeScript Tokenizer\n\n[![NPM version](https://im", 17),
            ("//! What a working set may not mean: warnings.\n\nuse super::n", 13),
            ("\"\"\"`make demo`: starts everything on free ports, plays the s", 13),
            ("import { DEFAULT_MERGE_CACHE_SIZE } from \"./constants.js\";\ni", 34),
            ("# A model that never sees whom a prompt speaks of. Callers g", 12),
            ("{\n  \"name\": \"portcullis-test-parts\",\n  \"lockfileVersion\": 3,", 20),
            ("[{\"id\":11704,\"name\":\"Alice\",\"active\":true,\"score\":69.9,\"tags", 21),
            ("987401 78468562 6749 84975 7681 8640281 14 209 8 5411 56 0 7", 30),
            ("[-0.82758244, -0.48789793, 0.32742386, -0.94435334, 0.910592", 34),
            ("p7ZdsiFhlIfImCwFjaMKGFAClzHe0wPSqpZsl0/gP2rGUyG3L0pqYjRutBzo", 36),
            ("next “ works ✓ see ☃ — ship see next 👍 done done ✓ ship plan", 16),
            ("1f5ad92ba6943cc0f4ad2415f9324d94\nac4ba6beee042afb0a4020182ea", 38),
        ];
        for (text, tokens) in cases {
            assert_eq!(estimate(text), tokens, "{text}");
        }
    }

    #[test]
    fn no_long_text_counts_for_nothing() {
        for piece in [
            " ", "\n", "\t", " \t", "=", "a", "A", "7", "я", "ش", "น", "あ", "漢", "한", "\u{a0}", "\u{1}",
            "\u{300}", "😀",
        ] {
            let least = 100_000_u64.div_ceil(24);
            assert!(estimate(&piece.repeat(100_000)) >= least, "{piece:?}");
        }
        assert_eq!(estimate(""), 0);
        assert_eq!(estimate("Hello world"), 2);
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z]{1,12}",
            "[0-9]{1,7}",
            "[ \\t\\n]{1,20}",
            "[-=.,{}\"]{1,6}",
            "[éüñяшבشกあ漢한→😀\u{1}]{1,5}",
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_text_counts_the_same_however_it_is_cut(text in text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let mut tokens = Tokens::default();
            for pair in at.windows(2) {
                tokens.push(&text[pair[0]..pair[1]]);
            }
            prop_assert_eq!(tokens.count(), estimate(&text));
        }

        #[test]
        fn more_text_is_not_fewer_tokens(text in text(), more in text()) {
            let longer = format!("{text}{more}");
            prop_assert!(estimate(&longer) >= estimate(&text));
        }

        #[test]
        fn two_texts_are_both_but_for_the_seam(one in text(), other in text()) {
            let (apart, together) = (estimate(&one) + estimate(&other), estimate(&format!("{one}{other}")));
            prop_assert!(together <= apart + one.len().min(other.len()) as u64 * SEAM);
            let lines = estimate(&format!("{one}\n{other}"));
            prop_assert!(lines.abs_diff(apart) <= SEAM, "{lines} {apart}");
        }
    }
}
