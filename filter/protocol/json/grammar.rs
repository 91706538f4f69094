//! JSON's grammar (RFC 8259) as two small machines that take one byte at a time: the structure between strings, and
//! the bare words and numbers.

/// Deepest nesting that is read.
pub const MAX_DEPTH: u8 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// What a byte between strings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Space,
    Open {
        object: bool,
    },
    Close,
    Comma,
    Colon,
    /// The opening quote of a key or of a string value.
    Quote {
        key: bool,
    },
    /// The first byte of a number, `true`, `false` or `null`.
    Scalar,
}

/// The structure of one document.
#[derive(Debug, Clone)]
pub(crate) struct Grammar {
    /// One bit a level, the innermost lowest: set for an object.
    objects: u128,
    depth: u8,
    expect: Expect,
}

impl Grammar {
    pub(crate) const fn new() -> Self {
        Self { objects: 0, depth: 0, expect: Expect::Value }
    }

    /// Whether a whole document has been read.
    pub(crate) fn is_done(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// Containers open now.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    /// Takes a byte that is not within a string or a scalar. After [`Token::Quote`] and [`Token::Scalar`] the value
    /// counts as read: its bytes are the caller's.
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) -> Result<Token, &'static str> {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => Ok(Token::Space),
            b'"' => self.quote(),
            b',' => self.comma(),
            b':' => self.colon(),
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'}' => self.close(true),
            b']' => self.close(false),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.value()?;
                Ok(Token::Scalar)
            }
            _ => Err("unexpected character"),
        }
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn after_value(&self) -> Expect {
        if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd }
    }

    fn value(&mut self) -> Result<(), &'static str> {
        if !matches!(self.expect, Expect::Value | Expect::ValueOrEnd) {
            return Err("a value where none may stand");
        }
        self.expect = self.after_value();
        Ok(())
    }

    fn quote(&mut self) -> Result<Token, &'static str> {
        if matches!(self.expect, Expect::Key | Expect::KeyOrEnd) {
            self.expect = Expect::Colon;
            return Ok(Token::Quote { key: true });
        }
        self.value()?;
        Ok(Token::Quote { key: false })
    }

    fn comma(&mut self) -> Result<Token, &'static str> {
        if self.expect != Expect::CommaOrEnd {
            return Err("unexpected comma");
        }
        self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
        Ok(Token::Comma)
    }

    fn colon(&mut self) -> Result<Token, &'static str> {
        if self.expect != Expect::Colon {
            return Err("unexpected colon");
        }
        self.expect = Expect::Value;
        Ok(Token::Colon)
    }

    fn open(&mut self, object: bool) -> Result<Token, &'static str> {
        self.value()?;
        if self.depth >= MAX_DEPTH {
            return Err("nested too deeply");
        }
        self.depth = self.depth.saturating_add(1);
        self.objects = self.objects.wrapping_shl(1) | u128::from(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(Token::Open { object })
    }

    fn close(&mut self, object: bool) -> Result<Token, &'static str> {
        let empty = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        let may = self.expect == empty || self.expect == Expect::CommaOrEnd;
        if self.depth == 0 || self.in_object() != object || !may {
            return Err("unexpected closing bracket");
        }
        self.depth = self.depth.saturating_sub(1);
        self.objects = self.objects.wrapping_shr(1);
        self.expect = self.after_value();
        Ok(Token::Close)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    /// So much of `true`, `false` or `null`.
    T,
    Tr,
    F,
    Fa,
    Fal,
    /// All of `true` or `false` but its last letter.
    E,
    N,
    Nu,
    Nul,
    WordEnd,
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// A number, `true`, `false` or `null`, byte by byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar {
    at: At,
}

impl Scalar {
    pub(crate) const fn new() -> Self {
        Self { at: At::Start }
    }

    /// Takes the next byte; false (and no change) when it cannot belong to the scalar.
    #[inline]
    pub(crate) fn step(&mut self, byte: u8) -> bool {
        let next = match (self.at, byte) {
            (At::Start, b'1'..=b'9') | (At::Minus, b'1'..=b'9') | (At::Whole, b'0'..=b'9') => At::Whole,
            (At::Start | At::Minus, b'0') => At::Zero,
            (At::Start, b'-') => At::Minus,
            (At::Zero | At::Whole, b'.') => At::Point,
            (At::Point | At::Fraction, b'0'..=b'9') => At::Fraction,
            (At::Zero | At::Whole | At::Fraction, b'e' | b'E') => At::Exponent,
            (At::Exponent, b'+' | b'-') => At::ExponentSign,
            (At::Exponent | At::ExponentSign | At::ExponentDigits, b'0'..=b'9') => At::ExponentDigits,
            (At::Start, b't') => At::T,
            (At::T, b'r') => At::Tr,
            (At::Start, b'f') => At::F,
            (At::F, b'a') => At::Fa,
            (At::Fa, b'l') => At::Fal,
            (At::Tr, b'u') | (At::Fal, b's') => At::E,
            (At::Start, b'n') => At::N,
            (At::N, b'u') => At::Nu,
            (At::Nu, b'l') => At::Nul,
            (At::E, b'e') | (At::Nul, b'l') => At::WordEnd,
            _ => return false,
        };
        self.at = next;
        true
    }

    /// Takes what of `bytes` belongs to the scalar; how much that is.
    #[inline]
    pub(crate) fn run(&mut self, bytes: &[u8]) -> usize {
        if self.at == At::Start && bytes.starts_with(b"null") {
            self.at = At::WordEnd;
            return 4;
        }
        let mut taken = 0usize;
        while let Some(rest) = bytes.get(taken..) {
            if matches!(self.at, At::Whole | At::Fraction) {
                taken = taken.saturating_add(rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
            }
            match bytes.get(taken) {
                Some(&byte) if self.step(byte) => taken = taken.saturating_add(1),
                _ => break,
            }
        }
        taken
    }

    /// Whether what came is a whole scalar.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self.at, At::WordEnd | At::Zero | At::Whole | At::Fraction | At::ExponentDigits)
    }

    /// Whether it is a number (or the beginning of one).
    pub(crate) fn is_number(self) -> bool {
        use At::{Exponent, ExponentDigits, ExponentSign, Fraction, Minus, Point, Whole, Zero};
        matches!(self.at, Minus | Zero | Whole | Point | Fraction | Exponent | ExponentSign | ExponentDigits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_json() {
        for text in [
            "0", "-0", "10", "-1.5", "0.0", "1e5", "1E+5", "2.25e-10", "true", "false", "null", "01", "-",
            "1.", ".5", "+1", "1e", "1e+", "1.e5", "tru", "nulll", "falsy", "trua", "truse", "nule", "--1",
            "0x1", "1_0", "NaN", "", "-true",
        ] {
            let mut scalar = Scalar::new();
            let mut bytewise = Scalar::new();
            let whole = scalar.run(text.as_bytes()) == text.len() && scalar.is_whole();
            assert_eq!(text.bytes().all(|byte| bytewise.step(byte)) && bytewise.is_whole(), whole, "{text}");
            let expected = serde_json::from_str::<serde_json::Value>(text);
            assert_eq!(whole, expected.is_ok(), "{text}");
            if let Ok(expected) = expected {
                assert_eq!(scalar.is_number(), expected.is_number(), "{text}");
            }
        }
    }
}
