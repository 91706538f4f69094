//! A stream of documents, one a line: NDJSON (<https://github.com/ndjson/ndjson-spec>), JSON Lines, and JSON text
//! sequences (RFC 7464), whose records begin with a record separator.
//!
//! A line ends in LF or CRLF; a CR alone is a space of the document. The last line may lack its end. Blank lines pass.
//! A document that is written over several lines is refused by whoever reads its first line.

use memchr::memchr;

use super::Unreadable;
use super::sse::MAX_EVENT;

/// Room that is kept for the next line, in bytes.
const ROOM: usize = 1 << 10;

/// Opens a record of a JSON text sequence.
pub(super) const SEPARATOR: u8 = 0x1e;

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Not part of a document: goes out as it is.
    Pass(&'a [u8]),
    /// A document's bytes.
    Document(&'a [u8]),
}

/// Cuts a stream into lines.
#[derive(Debug)]
pub(super) struct Framer {
    /// The line under way, where it began in an earlier piece.
    buffer: Vec<u8>,
    limit: usize,
    /// Whether records begin with a separator.
    pub(super) separated: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(MAX_EVENT)
    }
}

impl Framer {
    /// A framer that refuses lines of more than `limit` bytes.
    fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit, separated: false }
    }

    /// Bytes of the line under way.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next piece, cut anywhere, and gives out what is whole.
    pub(super) fn push(
        &mut self,
        mut piece: &[u8],
        each: &mut impl FnMut(Line<'_>, bool) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        while let Some(end) = memchr(b'\n', piece) {
            let (line, rest) = piece.split_at_checked(end.saturating_add(1)).unwrap_or((piece, &[]));
            piece = rest;
            if self.buffer.is_empty() {
                self.line(line, each)?;
                continue;
            }
            let mut whole = std::mem::take(&mut self.buffer);
            whole.extend_from_slice(line);
            self.line(&whole, each)?;
            whole.clear();
            whole.shrink_to(ROOM);
            self.buffer = whole;
        }
        self.buffer.extend_from_slice(piece);
        self.check(self.buffer.len())
    }

    /// Ends the stream: gives out a line that nothing ended.
    pub(super) fn finish(
        &mut self,
        each: &mut impl FnMut(Line<'_>, bool) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let line = std::mem::take(&mut self.buffer);
        self.line(&line, each)
    }

    fn check(&self, len: usize) -> Result<(), Unreadable> {
        if len > self.limit {
            return Err(Unreadable::EventTooLong { limit: self.limit });
        }
        Ok(())
    }

    /// A whole line; `each` is told whether the line's end is still missing.
    fn line(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(Line<'_>, bool) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.check(line.len())?;
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | &SEPARATOR);
        let open = line.last() != Some(&b'\n');
        let from = line.iter().position(|byte| !space(byte)).unwrap_or(line.len());
        let (head, rest) = line.split_at_checked(from).unwrap_or((line, &[]));
        let end = if rest.ends_with(b"\r\n") { 2 } else { usize::from(!open) };
        let (document, tail) = rest.split_at_checked(rest.len().saturating_sub(end)).unwrap_or((rest, &[]));
        self.separated |= head.contains(&SEPARATOR);
        for part in [Line::Pass(head), Line::Document(document), Line::Pass(tail)] {
            let (Line::Pass(bytes) | Line::Document(bytes)) = &part;
            if !bytes.is_empty() {
                each(part, open)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documents of a stream and all its bytes, put together again.
    fn lines(pieces: &[&[u8]]) -> Result<(Vec<String>, Vec<u8>), Unreadable> {
        let (mut documents, mut all) = (Vec::new(), Vec::new());
        let mut framer = Framer::new(40);
        let mut each = |line: Line<'_>, _: bool| {
            if let Line::Document(bytes) = line {
                documents.push(String::from_utf8(bytes.to_vec()).unwrap());
            }
            let (Line::Pass(bytes) | Line::Document(bytes)) = line;
            all.extend_from_slice(bytes);
            Ok(())
        };
        for piece in pieces {
            framer.push(piece, &mut each)?;
        }
        framer.finish(&mut each)?;
        assert_eq!(framer.held(), 0);
        Ok((documents, all))
    }

    const STREAM: &[u8] =
        b"{\"a\":1}\n\n \r\n{\"b\":\r 2}\r\n\x1e[3]\n\x1e\x1e\n \t4 \n\"\xc3\xa9\"\n{\"last\":\"\\n\"}";

    #[test]
    fn documents_are_the_same_at_every_cut_and_no_byte_is_lost() {
        let expected = ["{\"a\":1}", "{\"b\":\r 2}", "[3]", "4 ", "\"é\"", "{\"last\":\"\\n\"}"];
        for first in 0..=STREAM.len() {
            for second in first..=STREAM.len() {
                let pieces = [&STREAM[..first], &STREAM[first..second], &STREAM[second..]];
                let (documents, all) = lines(&pieces).unwrap();
                assert_eq!((documents, all), (expected.map(String::from).to_vec(), STREAM.to_vec()));
            }
        }
        let single: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(lines(&single).unwrap().0, expected);
    }

    #[test]
    fn a_line_goes_out_with_its_last_byte() {
        let mut framer = Framer::default();
        let mut seen = 0;
        let mut each = |_: Line<'_>, open: bool| {
            assert!(!open);
            seen += 1;
            Ok(())
        };
        framer.push(b"{}\n{}", &mut each).unwrap();
        assert_eq!((seen, framer.held()), (2, 2));
    }

    #[test]
    fn a_line_longer_than_the_bound_is_refused_at_any_cut() {
        let line = |len: usize| "x".repeat(len - 1) + "\n";
        for size in [1, 7, 100] {
            let pieces = |text: &str| text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let run = |text: &str| lines(&pieces(text).iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert!(run(&line(40)).is_ok());
            assert_eq!(run(&line(41)), Err(Unreadable::EventTooLong { limit: 40 }), "{size}");
            assert!(run(&"x".repeat(41)).is_err(), "{size}");
        }
    }
}
