//! Where a text was changed, so that offsets into it can be told anew.
//!
//! Providers count in characters (Unicode code points) or in bytes of UTF-8; both are counted as the masker decides.

/// Most changes of one text that are remembered.
const MAX_SPANS: usize = 4096;

/// What an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode code points.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
}

/// A length in both units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Length {
    chars: u64,
    bytes: u64,
}

impl Length {
    /// Of whole characters.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self { chars: wide(text.len().saturating_sub(continuations(text))), bytes: wide(text.len()) }
    }

    /// Of so many characters with so many bytes.
    pub(crate) fn characters(chars: usize, bytes: usize) -> Self {
        Self { chars: wide(chars), bytes: wide(bytes) }
    }

    fn add(&mut self, other: Self) {
        self.chars = self.chars.saturating_add(other.chars);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn get(self, unit: Unit) -> u64 {
        match unit {
            Unit::Chars => self.chars,
            Unit::Bytes => self.bytes,
        }
    }
}

/// How many bytes go on a character.
fn continuations(text: &[u8]) -> usize {
    // A word at a time: byte by byte WebAssembly takes ten times as long.
    let (words, rest) = text.as_chunks::<8>();
    let ones = words.iter().fold(0u32, |sum, word| {
        let word = u64::from_le_bytes(*word);
        let continues = word.wrapping_shr(7) & (!word).wrapping_shr(6) & 0x0101_0101_0101_0101;
        sum.saturating_add(continues.count_ones())
    });
    let rest = rest.iter().filter(|byte| **byte & 0xC0 == 0x80).count();
    usize::try_from(ones).unwrap_or(usize::MAX).saturating_add(rest)
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[derive(Debug, Clone, Copy)]
struct Span {
    from: Length,
    to: Length,
    with: Length,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    decided: Length,
    spans: Vec<Span>,
    /// There were more changes than are remembered.
    full: bool,
}

impl Spans {
    /// A value begins to be replaced.
    pub(crate) fn begin(&mut self, with: &[u8]) {
        if self.spans.len() >= MAX_SPANS {
            self.full = true;
            return;
        }
        self.spans.push(Span { from: self.decided, to: self.decided, with: Length::of(with) });
    }

    /// So much text went out, or (`kept` false) belongs to the value replaced last.
    pub(crate) fn take(&mut self, length: Length, kept: bool) {
        self.decided.add(length);
        if let (Some(last), false) = (self.spans.last_mut(), kept) {
            last.to = self.decided;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty() && !self.full
    }

    /// How much of the text is decided.
    pub(crate) fn decided(&self, unit: Unit) -> u64 {
        self.decided.get(unit)
    }

    /// Where an offset into the text as it came stands in the text that went out. One within a masked value moves to its
    /// beginning, or as the `end` of something to its end. `None`: that is not known any more.
    pub(crate) fn map(&self, offset: u64, end: bool, unit: Unit) -> Option<u64> {
        if self.full {
            return None;
        }
        let (mut gone, mut come) = (0u64, 0u64);
        for span in &self.spans {
            let (from, to, with) = (span.from.get(unit), span.to.get(unit), span.with.get(unit));
            if offset <= from {
                break;
            }
            if offset < to {
                let start = from.saturating_add(come).saturating_sub(gone);
                return Some(if end { start.saturating_add(with) } else { start });
            }
            gone = gone.saturating_add(to.saturating_sub(from));
            come = come.saturating_add(with);
        }
        Some(offset.saturating_add(come).saturating_sub(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_moves_with_what_was_masked_before_it() {
        // "é SECRET x SECRET" -> "é <S> x <S>"
        let mut spans = Spans::default();
        spans.take(Length::of("é ".as_bytes()), true);
        spans.begin(b"<S>");
        spans.take(Length::of(b"S"), false);
        spans.take(Length::of(b"ECRET"), false);
        spans.take(Length::of(b" x "), true);
        spans.begin(b"<S>");
        spans.take(Length::of(b"SECRET"), false);
        assert_eq!((spans.decided(Unit::Chars), spans.decided(Unit::Bytes)), (17, 18));
        let map = |offset, end| spans.map(offset, end, Unit::Chars).unwrap();
        assert_eq!([0, 1, 2].map(|offset| map(offset, false)), [0, 1, 2]);
        assert_eq!([map(4, false), map(4, true)], [2, 5]);
        assert_eq!([8, 9, 11].map(|offset| map(offset, true)), [5, 6, 8]);
        assert_eq!([map(12, false), map(12, true), map(17, true), map(20, true)], [8, 11, 11, 14]);
        assert_eq!(spans.map(9, true, Unit::Bytes), Some(6));
    }

    #[test]
    fn characters_are_counted_wherever_they_stand() {
        let text = "a é 你好 😀 plain ascii of more than eight bytes ñ, и ещё".repeat(3);
        for (from, _) in text.char_indices() {
            for (to, _) in text.char_indices().filter(|(to, _)| *to >= from) {
                let part = &text[from..to];
                let length = Length { chars: wide(part.chars().count()), bytes: wide(part.len()) };
                assert_eq!(Length::of(part.as_bytes()), length, "{part}");
            }
        }
    }

    #[test]
    fn what_is_not_remembered_is_not_told() {
        let mut spans = Spans::default();
        (0..=MAX_SPANS).for_each(|_| spans.begin(b"x"));
        assert_eq!(spans.map(0, false, Unit::Chars), None);
    }
}
