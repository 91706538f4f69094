//! Server-sent events, as they come.
//!
//! Source: WHATWG HTML, "Server-sent events": lines end in CR, LF or CRLF, a blank line ends an event, `data` lines are
//! joined by LF, one space behind the colon is not part of the value, a byte order mark may open the stream. An event
//! is given out whole with its raw bytes, so that one that needs no change passes byte for byte; comments and blank
//! lines between events pass at once.

use memchr::memchr2;

use super::Unreadable;

/// Longest event that is read, in bytes.
pub const MAX_EVENT: usize = 1 << 20;

/// Room that is kept for the next event, in bytes: many streams wait at once.
const ROOM: usize = 1 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Not part of an event: goes out as it is.
    Pass(&'a [u8]),
    /// A whole event.
    Event(Event<'a>),
}

/// A whole event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// All its bytes, the blank line too.
    pub raw: &'a [u8],
    /// Where the value of its first `data` line stands in `raw`.
    first: Option<(usize, usize)>,
    data_lines: usize,
}

impl<'a> Event<'a> {
    /// The value of its only `data` line, with the raw bytes before and behind it. `None` where there is none or more.
    pub fn single(&self) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let (from, to) = self.first.filter(|_| self.data_lines == 1)?;
        Some((self.raw.get(..from)?, self.raw.get(from..to)?, self.raw.get(to..)?))
    }

    /// Writes the values of all its `data` lines, joined by LF.
    pub fn data(&self, into: &mut Vec<u8>) {
        let mut first = true;
        for (_, line) in Lines(self.raw) {
            let Some(value) = data_value(line) else { continue };
            if !first {
                into.push(b'\n');
            }
            first = false;
            into.extend_from_slice(value);
        }
    }

    /// Writes the event with other data; `same`: with its own, as it came.
    pub fn write(&self, data: &[u8], same: bool, out: &mut Vec<u8>) {
        if same {
            out.extend_from_slice(self.raw);
            return;
        }
        let mut written = false;
        for (whole, line) in Lines(self.raw) {
            if data_value(line).is_none() {
                out.extend_from_slice(whole);
                continue;
            }
            if written {
                continue;
            }
            written = true;
            if line.starts_with(BOM) {
                out.extend_from_slice(BOM);
            }
            for part in data.split(|&byte| byte == b'\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(part);
                out.push(b'\n');
            }
        }
    }
}

/// The lines of an event: with and without their ends.
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let line = memchr2(b'\n', b'\r', self.0).unwrap_or(self.0.len());
        let whole = line.saturating_add(end_len(self.0.get(line..).unwrap_or_default()));
        let (item, rest) = self.0.split_at_checked(whole)?;
        self.0 = rest;
        Some((item, item.get(..line)?))
    }
}

/// Length of the line end that `bytes` begins with.
fn end_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// The value of a `data` line.
pub(super) fn data_value(line: &[u8]) -> Option<&[u8]> {
    field_value(line, b"data")
}

/// The value of a line that is this field's.
pub(super) fn field_value<'l>(line: &'l [u8], field: &[u8]) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(BOM).unwrap_or(line).strip_prefix(field)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Where the event under way stands; offsets count from its first byte.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    /// Looked at up to here.
    at: usize,
    /// Where the line under way began.
    line: usize,
    /// Lines with something in them.
    lines: usize,
    first: Option<(usize, usize)>,
    data_lines: usize,
}

/// Cuts a stream into events.
#[derive(Debug)]
pub struct Framer {
    /// The event under way, where it began in an earlier piece.
    buffer: Vec<u8>,
    /// What is in the buffer was given out as a whole.
    given: bool,
    scan: Scan,
    limit: usize,
    /// The last line ended in a CR that was the last byte that came: an LF still belongs to it.
    skip_lf: bool,
    /// The first line may open with a byte order mark.
    opening: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(MAX_EVENT)
    }
}

/// What is whole: so many bytes, and what they are.
struct Found {
    len: usize,
    /// Nothing but lines that are not part of an event if it has none.
    scan: Scan,
}

impl Found {
    fn frame<'b>(&self, bytes: &'b [u8]) -> Frame<'b> {
        let raw = bytes.get(..self.len).unwrap_or(bytes);
        if self.scan.lines == 0 {
            return Frame::Pass(raw);
        }
        Frame::Event(Event { raw, first: self.scan.first, data_lines: self.scan.data_lines })
    }
}

impl Framer {
    /// A framer that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let scan = Scan::default();
        Self { buffer: Vec::new(), given: false, scan, limit, skip_lf: false, opening: true }
    }

    /// Bytes of the event under way.
    pub fn held(&self) -> usize {
        if self.given { 0 } else { self.buffer.len() }
    }

    /// Whether an event begins with the next byte, whatever it is.
    pub(super) fn is_between(&self) -> bool {
        self.held() == 0 && self.scan.at == 0 && !self.skip_lf && !self.opening
    }

    /// Whether an event may be so long.
    pub(super) fn takes(&self, len: usize) -> bool {
        len <= self.limit
    }

    /// Takes the next piece, cut anywhere, and gives out what is whole.
    pub fn push(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(Frame<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        while let Some((frame, taken)) = self.next(piece)? {
            each(frame)?;
            piece = piece.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes as much of a piece as makes the next frame whole; says how much that was. `None`: all of it was taken, and
    /// nothing is whole.
    pub(super) fn next<'b>(&'b mut self, piece: &'b [u8]) -> Result<Option<(Frame<'b>, usize)>, Unreadable> {
        if std::mem::take(&mut self.given) {
            self.buffer.clear();
            self.buffer.shrink_to(ROOM);
        }
        if self.buffer.is_empty() {
            let Some(found) = self.find(piece)? else {
                self.buffer.extend_from_slice(piece);
                return Ok(None);
            };
            return Ok(Some((found.frame(piece), found.len)));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut rest, mut found) = (piece, None);
        while found.is_none() && !rest.is_empty() {
            // Line by line, so that nothing of the next event is copied.
            let line = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let line = line.saturating_add(end_len(rest.get(line..).unwrap_or_default()));
            let (line, behind) = rest.split_at_checked(line).unwrap_or((rest, &[]));
            buffer.extend_from_slice(line);
            rest = behind;
            found = self.find(&buffer)?;
        }
        self.buffer = buffer;
        self.given = found.is_some();
        Ok(found.map(|found| (found.frame(&self.buffer), piece.len().saturating_sub(rest.len()))))
    }

    /// Ends the stream: gives out an event that no blank line ended.
    pub fn finish(
        &mut self,
        mut each: impl FnMut(Frame<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let buffer = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.given) || buffer.is_empty() {
            return Ok(());
        }
        let line = self.scan.line;
        self.line(&buffer, line, buffer.len());
        let scan = std::mem::take(&mut self.scan);
        each(Found { len: buffer.len(), scan }.frame(&buffer))
    }

    /// What is whole at the beginning of `bytes`, which begin with the event under way.
    fn find(&mut self, bytes: &[u8]) -> Result<Option<Found>, Unreadable> {
        if self.skip_lf && bytes.len() > self.scan.at {
            self.skip_lf = false;
            if bytes.get(self.scan.at) == Some(&b'\n') {
                self.scan.at = self.scan.at.saturating_add(1);
                self.scan.line = self.scan.at;
                if self.scan.at == 1 {
                    self.scan = Scan::default();
                    return Ok(Some(Found { len: 1, scan: Scan::default() }));
                }
            }
        }
        loop {
            let unseen = bytes.get(self.scan.at..).unwrap_or_default();
            let Some(found) = memchr2(b'\n', b'\r', unseen) else {
                self.scan.at = bytes.len();
                self.check(bytes.len())?;
                return Ok(None);
            };
            let end = self.scan.at.saturating_add(found);
            let tail = bytes.get(end..).unwrap_or_default();
            self.skip_lf = tail == b"\r";
            let after = end.saturating_add(end_len(tail));
            let blank = self.line(bytes, self.scan.line, end);
            if blank || self.scan.lines == 0 {
                let scan = std::mem::take(&mut self.scan);
                self.check(after)?;
                return Ok(Some(Found { len: after, scan }));
            }
            self.scan.at = after;
            self.scan.line = after;
        }
    }

    fn check(&self, len: usize) -> Result<(), Unreadable> {
        if len > self.limit {
            return Err(Unreadable::EventTooLong { limit: self.limit });
        }
        Ok(())
    }

    /// Reads the line at `from..to` of the event; true when it is blank. A comment before an event's first line does
    /// not count as a line of it.
    fn line(&mut self, event: &[u8], from: usize, to: usize) -> bool {
        let mut line = event.get(from..to).unwrap_or_default();
        if std::mem::take(&mut self.opening) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        if line.is_empty() {
            return true;
        }
        if self.scan.lines == 0 && line.starts_with(b":") {
            return false;
        }
        self.scan.lines = self.scan.lines.saturating_add(1);
        if let Some(value) = data_value(line) {
            self.scan.data_lines = self.scan.data_lines.saturating_add(1);
            if self.scan.first.is_none() {
                self.scan.first = Some((to.saturating_sub(value.len()), to));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event's bytes and its data.
    type Whole = (Vec<u8>, Vec<u8>);

    /// What came of pieces: the bytes that passed, and each event.
    fn frames(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Whole>) {
        let (mut passed, mut events) = (Vec::new(), Vec::new());
        let mut framer = Framer::default();
        let mut each = |frame: Frame<'_>| {
            match frame {
                Frame::Pass(bytes) => passed.extend_from_slice(bytes),
                Frame::Event(event) => {
                    let mut data = Vec::new();
                    event.data(&mut data);
                    if let Some((head, value, tail)) = event.single() {
                        assert_eq!(value, data);
                        assert_eq!([head, value, tail].concat(), event.raw);
                    }
                    events.push((event.raw.to_vec(), data));
                }
            }
            Ok(())
        };
        pieces.iter().for_each(|piece| framer.push(piece, &mut each).unwrap());
        framer.finish(&mut each).unwrap();
        assert_eq!(framer.held(), 0);
        (passed, events)
    }

    /// An event source after the letter of the standard, on the whole text: the data of each event.
    fn reference(text: &str) -> Vec<String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut events = Vec::new();
        let mut data: Option<String> = None;
        for line in text.split('\n') {
            if line.is_empty() {
                events.extend(data.take());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            if field == "data" {
                let value = value.strip_prefix(' ').unwrap_or(value);
                data = Some(data.map_or_else(|| value.to_owned(), |data| data + "\n" + value));
            }
        }
        events.extend(data);
        events
    }

    const STREAM: &str = "\u{feff}data: a\n\n: comment\n\ndata:b\r\n\r\nevent: x\rdata:  c\rid: 1\r\r\n\n\ndata: d\ndata\ndata:e\n: in\n\nretry: 3\n\ndata:\n\ndatum: no\r\n\r\ndata: é\r\rdata: f\r\ndata: g\r\n\r\ndata: last";

    fn assert_frames(pieces: &[&[u8]]) {
        let (_, events) = frames(pieces);
        let with_data = |(raw, data): Whole| {
            let has = Lines(&raw).any(|(_, line)| data_value(line).is_some());
            has.then(|| String::from_utf8(data).unwrap())
        };
        let seen: Vec<String> = events.into_iter().filter_map(with_data).collect();
        assert_eq!(seen, reference(STREAM), "{pieces:?}");
    }

    #[test]
    fn events_are_what_the_standard_says_at_every_cut() {
        assert_eq!(reference(STREAM), ["a", "b", " c", "d\n\ne", "", "é", "f\ng", "last"]);
        let bytes = STREAM.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                assert_frames(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
            }
        }
        assert_frames(&bytes.chunks(1).collect::<Vec<_>>());
    }

    #[test]
    fn an_event_goes_out_with_its_last_byte_and_a_comment_with_its_line() {
        for (bytes, events, passed) in
            [("data: x\r\r", 1, 0), ("data: x\n\r", 1, 0), (": ping\r", 0, 7), (": a\n: b\ndata: x\n", 0, 8)]
        {
            let (mut seen_events, mut seen_passed) = (0, 0);
            let mut framer = Framer::default();
            framer
                .push(bytes.as_bytes(), |frame| {
                    match frame {
                        Frame::Pass(bytes) => seen_passed += bytes.len(),
                        Frame::Event(_) => seen_events += 1,
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!((seen_events, seen_passed), (events, passed), "{bytes:?}");
        }
    }

    #[test]
    fn no_byte_is_lost() {
        let (passed, events) = frames(&[STREAM.as_bytes()]);
        let total: usize = events.iter().map(|(raw, _)| raw.len()).sum();
        assert_eq!(total + passed.len(), STREAM.len());
    }

    #[test]
    fn an_event_longer_than_the_bound_is_refused_at_any_cut() {
        let event = format!("data: {}\n\n", "x".repeat(100));
        for size in [1, 50, 1000] {
            let mut pieces = event.as_bytes().chunks(size);
            let mut framer = Framer::new(80);
            let error = pieces.find_map(|piece| framer.push(piece, |_| Ok(())).err());
            assert_eq!(error, Some(Unreadable::EventTooLong { limit: 80 }), "{size}");
            let mut framer = Framer::new(event.len());
            assert!(event.as_bytes().chunks(size).all(|piece| framer.push(piece, |_| Ok(())).is_ok()));
        }
    }
}
