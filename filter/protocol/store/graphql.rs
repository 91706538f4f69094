//! GraphQL's tokens, as strictly as is needed that every server cuts a text into the same ones.
//!
//! The text stands in a JSON string: what is found is told with its place among the bytes that came. Source of the grammar:
//! <https://spec.graphql.org/October2021/#sec-Appendix-Grammar-Summary.Lexical-Tokens>. What servers read otherwise than it
//! says is refused: block strings, half surrogates, control characters, a byte order mark, names right behind numbers.

use std::borrow::Cow;
use std::ops::Range;

use crate::protocol::request::strings::Raw;

/// A text, and where each of its bytes came from.
pub struct Source<'b> {
    text: Cow<'b, str>,
    /// Behind each escape: where in the text, and where in what came.
    steps: Vec<(usize, usize)>,
    from: usize,
}

impl<'b> Source<'b> {
    /// What stands between the quotes of a JSON string, which begins at `from` of its body.
    pub fn new(raw: &'b str, from: usize) -> Self {
        let mut source = Self { text: Cow::Borrowed(raw), steps: Vec::new(), from };
        if !raw.contains('\\') {
            return source;
        }
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((plain, escape)) = rest.find('\\').and_then(|slash| rest.split_at_checked(slash)) {
            text.push_str(plain);
            let len = escape_len(escape);
            let (one, behind) = escape.split_at_checked(len).unwrap_or((escape, ""));
            Raw { text: one, escaped: true, at: 0 }.append_to(&mut text);
            rest = behind;
            source.steps.push((text.len(), raw.len().saturating_sub(rest.len())));
        }
        text.push_str(rest);
        source.text = Cow::Owned(text);
        source
    }

    /// What it means.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a piece of the text came from.
    pub fn spot(&self, at: &Range<usize>) -> Range<usize> {
        self.place(at.start)..self.place(at.end)
    }

    fn place(&self, at: usize) -> usize {
        let step = self.steps.partition_point(|(behind, _)| *behind <= at).checked_sub(1);
        let (text, came) = step.and_then(|step| self.steps.get(step)).copied().unwrap_or_default();
        self.from.saturating_add(came).saturating_add(at.saturating_sub(text))
    }
}

/// Length of the escape that a text begins with; a pair of surrogates is one.
fn escape_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    match (bytes.get(1), bytes.get(2..4)) {
        (Some(b'u'), Some([b'd' | b'D', b'8' | b'9' | b'a' | b'A' | b'b' | b'B'])) => 12,
        (Some(b'u'), _) => 6,
        _ => 2,
    }
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'t> {
    /// A sign of one letter.
    Sign(u8),
    /// `...`
    Spread,
    /// A name, or a word of the language.
    Name(&'t str),
    /// A number.
    Number(&'t str),
    /// A string, as it means.
    Text(Cow<'t, str>),
    /// The end.
    End,
}

/// Why a text cannot be read.
pub type Fault = &'static str;

/// The tokens of a text, one by one.
pub struct Tokens<'t> {
    text: &'t str,
    /// The token that comes next.
    next: Token<'t>,
    /// Where it stands.
    at: Range<usize>,
    /// Where the one before it ends.
    behind: usize,
}

impl<'t> Tokens<'t> {
    /// Of this text, from its first.
    ///
    /// # Errors
    /// The first token is none.
    pub fn new(text: &'t str) -> Result<Self, Fault> {
        let mut tokens = Self { text, next: Token::End, at: 0..0, behind: 0 };
        tokens.read()?;
        Ok(tokens)
    }

    /// The next token.
    pub fn peek(&self) -> &Token<'t> {
        &self.next
    }

    /// Where the next token begins.
    pub fn start(&self) -> usize {
        self.at.start
    }

    /// Where the last token that was taken ends.
    pub fn behind(&self) -> usize {
        self.behind
    }

    /// A piece of the text.
    pub fn piece(&self, at: &Range<usize>) -> &'t str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// Takes the next token.
    ///
    /// # Errors
    /// What follows it is no token.
    pub fn take(&mut self) -> Result<Token<'t>, Fault> {
        let token = std::mem::replace(&mut self.next, Token::End);
        self.read()?;
        Ok(token)
    }

    /// Takes a sign, where it is the next token.
    ///
    /// # Errors
    /// What follows it is no token.
    pub fn eat(&mut self, sign: u8) -> Result<bool, Fault> {
        let is = self.next == Token::Sign(sign);
        if is {
            self.read()?;
        }
        Ok(is)
    }

    /// Takes a sign that must come next.
    ///
    /// # Errors
    /// It does not.
    pub fn expect(&mut self, sign: u8, why: Fault) -> Result<(), Fault> {
        if self.eat(sign)? { Ok(()) } else { Err(why) }
    }

    /// Takes a name that must come next.
    ///
    /// # Errors
    /// It does not.
    pub fn name(&mut self) -> Result<&'t str, Fault> {
        match self.take()? {
            Token::Name(name) => Ok(name),
            _ => Err("expected a name"),
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        self.behind = self.at.end;
        let bytes = self.text.as_bytes();
        let start = ignored(bytes, self.at.end)?;
        let rest = bytes.get(start..).unwrap_or_default();
        let (token, len) = match rest {
            [] => (Token::End, 0),
            [b'.', b'.', b'.', ..] => (Token::Spread, 3),
            [
                sign @ (b'!' | b'$' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'}' | b'|'
                | b'&'),
                ..,
            ] => (Token::Sign(*sign), 1),
            [b'"', b'"', b'"', ..] => return Err("a block string"),
            [b'"', ..] => {
                let len = string_len(rest)?;
                let inner =
                    self.piece(&(start.saturating_add(1)..start.saturating_add(len).saturating_sub(1)));
                (Token::Text(meaning(inner)), len)
            }
            [byte, ..] if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let len = rest.iter().take_while(|byte| is_name(**byte)).count();
                (Token::Name(self.piece(&(start..start.saturating_add(len)))), len)
            }
            [b'-' | b'0'..=b'9', ..] => {
                let len = number_len(rest)?;
                (Token::Number(self.piece(&(start..start.saturating_add(len)))), len)
            }
            _ => return Err("a character that stands in strings alone"),
        };
        self.next = token;
        self.at = start..start.saturating_add(len);
        Ok(())
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The place behind spaces, commas and comments.
fn ignored(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    let mut at = from;
    let mut comment = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' | b'\r' => comment = false,
            b'\t' => {}
            0..=0x1f | 0x7f => return Err("a control character"),
            _ if comment => {}
            b' ' | b',' => {}
            b'#' => comment = true,
            _ => break,
        }
        at = at.saturating_add(1);
    }
    Ok(at)
}

/// Length of a string with its quotes.
fn string_len(bytes: &[u8]) -> Result<usize, Fault> {
    let mut at = 1usize;
    loop {
        let len = match bytes.get(at..).unwrap_or_default() {
            [] | [b'\\'] => return Err("a string that is not closed"),
            [b'"', ..] => return Ok(at.saturating_add(1)),
            [0..=8 | 0x0a..=0x1f | 0x7f, ..] => return Err("a control character in a string"),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => {
                return Err("half a surrogate in a string");
            }
            [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|hex| hex.is_ascii_hexdigit()) => 6,
            [b'\\', ..] => return Err("an escape that is none"),
            _ => 1,
        };
        at = at.saturating_add(len);
    }
}

/// What a string means that [`string_len`] has measured: its escapes are JSON's.
fn meaning(inner: &str) -> Cow<'_, str> {
    Raw { text: inner, escaped: inner.contains('\\'), at: 0 }.decoded()
}

fn number_len(bytes: &[u8]) -> Result<usize, Fault> {
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    let mut at = usize::from(is(0, b"-"));
    let whole = digits(at);
    if whole == 0 || whole > 1 && is(at, b"0") {
        return Err("a number that is none");
    }
    at = at.saturating_add(whole);
    if is(at, b".") {
        let part = digits(at.saturating_add(1));
        if part == 0 {
            return Err("a number that is none");
        }
        at = at.saturating_add(1).saturating_add(part);
    }
    if is(at, b"eE") {
        let sign = usize::from(is(at.saturating_add(1), b"+-"));
        let from = at.saturating_add(1).saturating_add(sign);
        if digits(from) == 0 {
            return Err("a number that is none");
        }
        at = from.saturating_add(digits(from));
    }
    if bytes.get(at).is_some_and(|byte| is_name(*byte) || *byte == b'.') {
        return Err("a number that is none");
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<(String, String)>, Fault> {
        let mut tokens = Tokens::new(text)?;
        let mut all = Vec::new();
        while *tokens.peek() != Token::End {
            let from = tokens.start();
            let token = tokens.take()?;
            let came = tokens.piece(&(from..tokens.behind())).to_owned();
            let means = match token {
                Token::Sign(sign) => char::from(sign).to_string(),
                Token::Spread => "...".to_owned(),
                Token::Name(text) | Token::Number(text) => text.to_owned(),
                Token::Text(text) => text.into_owned(),
                Token::End => String::new(),
            };
            all.push((came, means));
        }
        Ok(all)
    }

    #[test]
    fn a_text_is_cut_where_every_server_cuts_it() {
        let text = "{a:b #c \" }\n(d:-1.5e+3,\"x\\u0022\\n\" \"\")...on}";
        let found = tokens(text).unwrap();
        let means: Vec<&str> = found.iter().map(|(_, means)| means.as_str()).collect();
        assert_eq!(means, ["{", "a", ":", "b", "(", "d", ":", "-1.5e+3", "x\"\n", "", ")", "...", "on", "}"]);
        assert_eq!(found[8].0, "\"x\\u0022\\n\"");
    }

    #[test]
    fn what_servers_cut_otherwise_is_refused() {
        for text in [
            "\"\"\"a\"\"\"",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\ud83d\\ude00\"",
            "\"\\u12\"",
            "\"\\",
            "\u{feff}{}",
            "{\u{a0}}",
            "{\u{c}}",
            "a.b",
            "01",
            "1.",
            "1a",
            "1.5.2",
            "-",
            "1e",
            "#\u{1}",
            "\u{0}",
            "%",
            "'a'",
            "\"\u{7f}\"",
        ] {
            assert!(tokens(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_place_is_found_again_among_escapes() {
        let raw = r#"a\n\"b\ud83d\ude00c\u0022 d"#;
        let source = Source::new(raw, 10);
        assert_eq!(source.text(), "a\n\"b\u{1f600}c\" d");
        let came = |piece: &str| {
            let at = source.text().find(piece).unwrap();
            let spot = source.spot(&(at..at + piece.len()));
            &raw[spot.start - 10..spot.end - 10]
        };
        for (piece, expected) in
            [("a", "a"), ("\"b", "\\\"b"), ("c\"", "c\\u0022"), ("d", "d"), ("\n", "\\n"), ("c", "c")]
        {
            assert_eq!(came(piece), expected, "{piece:?}");
        }
        assert_eq!(Source::new("abc", 4).spot(&(1..3)), 5..7);
    }
}
