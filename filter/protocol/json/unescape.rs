//! The escapes of a JSON string, one character at a time, cut anywhere.
//!
//! The machine counts the raw bytes of each escape, so that whoever holds them can send them on as they came. It is
//! used at both levels of JSON inside JSON: at the inner one a single character may itself be several raw bytes.

/// What one character did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The escape goes on.
    More,
    /// An escape of `raw` bytes ended with this character and means `char`.
    Char { raw: usize, char: char },
    /// A surrogate without its partner, `raw` bytes, ended *before* this character: take it again.
    Lone { raw: usize },
    /// Not an escape of JSON; `raw` bytes came before this character. Take it again, as it suits the caller.
    Bad { raw: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Slash,
    Hex { digits: u8, value: u16 },
    High,
    HighSlash,
    LowHex { digits: u8, value: u16 },
}

/// State of one string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unescape {
    state: State,
    /// Raw bytes of the escape under way.
    raw: usize,
    /// A high surrogate that waits for its partner, and its raw bytes.
    high: u16,
    high_raw: usize,
}

impl Unescape {
    pub(crate) const fn new() -> Self {
        Self { state: State::Idle, raw: 0, high: 0, high_raw: 0 }
    }

    /// Whether no escape is under way: any character but a backslash is plain.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the escape is a backslash and nothing more yet.
    pub(crate) fn is_slash(&self) -> bool {
        self.state == State::Slash
    }

    /// Raw bytes taken and not yet given out.
    pub(crate) fn pending(&self) -> usize {
        self.raw.saturating_add(self.high_raw)
    }

    /// Takes a character of `raw` bytes while an escape is under way, or the backslash that opens one. `char` is its
    /// ASCII code; any other character is 0xFF.
    pub(crate) fn step(&mut self, char: u8, raw: usize) -> Step {
        match self.state {
            State::Idle => {
                self.raw = raw;
                self.state = State::Slash;
                Step::More
            }
            State::Slash => self.after_slash(char, raw),
            State::Hex { digits, value } => self.hex(char, raw, digits, value),
            State::High if char == b'\\' => {
                self.raw = raw;
                self.state = State::HighSlash;
                Step::More
            }
            State::High => self.lone(State::Idle),
            State::HighSlash if char == b'u' => {
                self.raw = self.raw.saturating_add(raw);
                self.state = State::LowHex { digits: 0, value: 0 };
                Step::More
            }
            State::HighSlash => self.lone(State::Slash),
            State::LowHex { digits, value } => self.low_hex(char, raw, digits, value),
        }
    }

    /// Ends the string: `Some` when a lone surrogate of so many raw bytes was left.
    pub(crate) fn finish(&mut self) -> Option<usize> {
        let left = self.pending();
        *self = Self::new();
        (left > 0).then_some(left)
    }

    fn after_slash(&mut self, char: u8, raw: usize) -> Step {
        if char == b'u' {
            self.raw = self.raw.saturating_add(raw);
            self.state = State::Hex { digits: 0, value: 0 };
            return Step::More;
        }
        let Some(means) = simple(char) else { return self.bad() };
        let raw = self.raw.saturating_add(raw);
        *self = Self::new();
        Step::Char { raw, char: char::from(means) }
    }

    fn hex(&mut self, char: u8, raw: usize, digits: u8, value: u16) -> Step {
        let Some(value) = append(value, char) else { return self.bad() };
        self.raw = self.raw.saturating_add(raw);
        if digits < 3 {
            self.state = State::Hex { digits: digits.saturating_add(1), value };
            return Step::More;
        }
        if (0xD800..0xDC00).contains(&value) {
            self.high = value;
            self.high_raw = self.raw;
            self.raw = 0;
            self.state = State::High;
            return Step::More;
        }
        let raw = self.raw;
        *self = Self::new();
        Step::Char { raw, char: char::from_u32(u32::from(value)).unwrap_or(char::REPLACEMENT_CHARACTER) }
    }

    fn low_hex(&mut self, char: u8, raw: usize, digits: u8, value: u16) -> Step {
        let Some(whole) = append(value, char) else { return self.lone(State::Hex { digits, value }) };
        if digits < 3 {
            self.raw = self.raw.saturating_add(raw);
            self.state = State::LowHex { digits: digits.saturating_add(1), value: whole };
            return Step::More;
        }
        let Some(Ok(char)) = char::decode_utf16([self.high, whole]).next() else {
            return self.lone(State::Hex { digits, value });
        };
        let raw = self.raw.saturating_add(raw).saturating_add(self.high_raw);
        *self = Self::new();
        Step::Char { raw, char }
    }

    fn lone(&mut self, then: State) -> Step {
        let raw = self.high_raw;
        self.high_raw = 0;
        self.state = then;
        Step::Lone { raw }
    }

    fn bad(&mut self) -> Step {
        let raw = self.pending();
        *self = Self::new();
        Step::Bad { raw }
    }
}

fn append(value: u16, digit: u8) -> Option<u16> {
    let digit = digit_of(digit);
    (digit != NO_DIGIT).then_some(value.wrapping_shl(4) | digit)
}

const NO_DIGIT: u16 = 0x100;

/// What each byte is as a hex digit.
const DIGITS: [u16; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut rest: &[u8] = b"0123456789abcdef";
    let mut value = 0u16;
    while let [digit, more @ ..] = rest {
        set(&mut digits, *digit, value);
        set(&mut digits, digit.to_ascii_uppercase(), value);
        value = value.wrapping_add(1);
        rest = more;
    }
    digits
};

const fn set(digits: &mut [u16; 256], byte: u8, value: u16) {
    if let Some((_, [digit, ..])) = digits.split_at_mut_checked(byte as usize) {
        *digit = value;
    }
}

#[inline]
fn digit_of(byte: u8) -> u16 {
    DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
}

/// The value of four hex digits; above 0xFFFF: they are none.
#[inline]
pub(crate) fn hex(digits: [u8; 4]) -> u32 {
    let [a, b, c, d] = digits.map(|digit| u32::from(digit_of(digit)));
    // What is no digit sets a bit that no digit reaches.
    let none = (a | b | c | d) & u32::from(NO_DIGIT);
    a.wrapping_shl(12) | b.wrapping_shl(8) | c.wrapping_shl(4) | d | none.wrapping_shl(12)
}

/// Length of the escape that `bytes` begin with, if they begin with a whole one.
#[inline]
pub(crate) fn escape_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\\', b'u', a, b, c, d, ..] if hex([*a, *b, *c, *d]) <= 0xFFFF => 6,
        [b'\\', letter, ..] if simple(*letter).is_some() => 2,
        _ => 0,
    }
}

/// The escape that `bytes` begin with, where it is whole and a character of its own: its length, and what it means.
#[inline]
pub(crate) fn whole_escape(bytes: &[u8]) -> Option<(usize, char)> {
    let (&[b'\\', kind], rest) = bytes.split_first_chunk()? else { return None };
    if kind == b'u' {
        let char = char::from_u32(hex(*rest.first_chunk()?))?;
        return (char <= '\u{ffff}').then_some((6, char));
    }
    let means = simple(kind)?;
    Some((2, char::from(means)))
}

/// What a letter behind a backslash means.
#[inline]
fn simple(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// A string without its escapes, as far as `buffer` goes; one with a lone surrogate is given back as it is.
pub(crate) fn decoded<'a>(raw: &'a [u8], buffer: &'a mut [u8]) -> &'a [u8] {
    let mut escapes = Unescape::new();
    let mut len = 0usize;
    for &byte in raw {
        let mut one = [0u8; 4];
        let mut decoded: &[u8] = &[byte];
        if !escapes.is_idle() || byte == b'\\' {
            match escapes.step(byte, 1) {
                Step::More => continue,
                Step::Char { char, .. } => decoded = char.encode_utf8(&mut one).as_bytes(),
                Step::Lone { .. } | Step::Bad { .. } => return raw,
            }
        }
        for &byte in decoded {
            if let Some(slot) = buffer.get_mut(len) {
                *slot = byte;
                len = len.saturating_add(1);
            }
        }
    }
    buffer.get(..len).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each character with the raw bytes it came in; what is lone or bad is `?`.
    fn units(raw: &str) -> Vec<(usize, char)> {
        let mut escapes = Unescape::new();
        let mut units = Vec::new();
        let bytes = raw.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if escapes.is_idle() && bytes[at] != b'\\' {
                units.push((1, char::from(bytes[at])));
                at += 1;
                continue;
            }
            match escapes.step(bytes[at], 1) {
                Step::More => at += 1,
                Step::Char { raw, char } => {
                    units.push((raw, char));
                    at += 1;
                }
                Step::Lone { raw } | Step::Bad { raw } => units.push((raw, '?')),
            }
        }
        units.extend(escapes.finish().map(|raw| (raw, '?')));
        units
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let all = r#"\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE00\uffff"#;
        let expected: String = serde_json::from_str(&format!("\"{all}\"")).unwrap();
        assert_eq!(units(all).iter().map(|(_, char)| char).collect::<String>(), expected);
        assert_eq!(units(all).last(), Some(&(6, '\u{ffff}')));
        assert!(units(all).contains(&(12, '😀')));
    }

    #[test]
    fn a_whole_escape_is_read_at_once_as_it_is_character_by_character() {
        for raw in [
            r#"\""#,
            r"\\",
            r"\/",
            r"\b",
            r"\n",
            r"\u0041",
            r"\u00e9x",
            r"\uFfFf",
            r"\ude00",
            r"\ud83d\ude00",
            r"\ud83d",
            r"\u12",
            r"\u12g4",
            r"\ug234",
            r"\u123g",
            r"\x",
            r"\",
            r"\u",
            "",
            "a",
            "\\é",
        ] {
            let whole = whole_escape(raw.as_bytes());
            let first =
                units(raw).first().copied().filter(|(len, char)| *len > 1 && *char != '?' && *len < 12);
            let alone = first.filter(|(_, char)| *char != '\u{fffd}');
            assert_eq!(whole, alone, "{raw}");
        }
    }

    #[test]
    fn lone_surrogates_and_what_is_no_escape_keep_count_of_their_bytes() {
        for (raw, expected) in [
            (r"\ud83dx", vec![(6, '?'), (1, 'x')]),
            (r"\ud83d\n", vec![(6, '?'), (2, '\n')]),
            (r"\ud83d\u0041", vec![(6, '?'), (6, 'A')]),
            (r"\ud83d\ud83d\ude00", vec![(6, '?'), (12, '😀')]),
            (r"\ude00", vec![(6, '\u{fffd}')]),
            (r"\ud83d", vec![(6, '?')]),
            (r"\ud83d\u00", vec![(10, '?')]),
            (r"\ud83d\u00zz", vec![(6, '?'), (4, '?'), (1, 'z'), (1, 'z')]),
            (r"\x", vec![(1, '?'), (1, 'x')]),
            (r"\u12", vec![(4, '?')]),
            (r"\u12\n", vec![(4, '?'), (2, '\n')]),
        ] {
            let seen = units(raw);
            assert_eq!(seen, expected, "{raw}");
            assert_eq!(seen.iter().map(|(raw, _)| raw).sum::<usize>(), raw.len());
        }
    }
}
