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
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
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
        let digit = byte.is_ascii_digit();
        let next = match self.at {
            At::Start => match byte {
                b't' => At::Word(b"rue"),
                b'f' => At::Word(b"alse"),
                b'n' => At::Word(b"ull"),
                b'-' => At::Minus,
                b'0' => At::Zero,
                _ if digit => At::Whole,
                _ => return false,
            },
            At::Word(rest) => match rest.split_first() {
                Some((first, rest)) if *first == byte => At::Word(rest),
                _ => return false,
            },
            At::Minus if byte == b'0' => At::Zero,
            At::Minus | At::Whole if digit => At::Whole,
            At::Zero | At::Whole if byte == b'.' => At::Point,
            At::Point | At::Fraction if digit => At::Fraction,
            At::Zero | At::Whole | At::Fraction if byte | 0x20 == b'e' => At::Exponent,
            At::Exponent if byte == b'+' || byte == b'-' => At::ExponentSign,
            At::Exponent | At::ExponentSign | At::ExponentDigits if digit => At::ExponentDigits,
            _ => return false,
        };
        self.at = next;
        true
    }

    /// Whether what came is a whole scalar.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self.at, At::Word([]) | At::Zero | At::Whole | At::Fraction | At::ExponentDigits)
    }

    /// Whether it is a number (or the beginning of one).
    pub(crate) fn is_number(self) -> bool {
        !matches!(self.at, At::Start | At::Word(_))
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the start of `bytes` are neither `"`, `\` nor a control character.
#[inline]
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut seen = 0usize;
    for word in words {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return seen.saturating_add(usize::try_from(special.trailing_zeros() / 8).unwrap_or(0));
        }
        seen = seen.saturating_add(8);
    }
    let tail = rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len());
    seen.saturating_add(tail)
}

/// The high bit of the first byte of `word` that is `"`, `\` or below 0x20 (bytes after it may be flagged wrongly).
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
    let quote = zero(word ^ ONES.wrapping_mul(0x22));
    let slash = zero(word ^ ONES.wrapping_mul(0x5c));
    (control | quote | slash) & HIGHS
}
