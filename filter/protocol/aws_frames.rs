//! AWS event stream (`application/vnd.amazon.eventstream`), a stream of binary frames.
//!
//! ```text
//! length of all | length of headers | CRC-32 of both | headers | payload | CRC-32 of all before
//! ```
//!
//! Numbers are of 32 bits, big-endian. A header is its name (with a length of one byte), a type and a value; texts have
//! a length of two bytes. Source: <https://smithy.io/2.0/aws/amazon-eventstream.html>.
//!
//! A frame is given out whole. Both check sums are compared, and a length is believed only behind its own. A frame of
//! which nothing changes goes out as the same bytes; else its lengths and sums are made anew.

use super::Unreadable;
use super::sse::MAX_EVENT;

/// Room that is kept for the next frame, in bytes.
const ROOM: usize = 1 << 10;

/// Lengths and their sum.
const PRELUDE: usize = 12;
/// The sum at the end.
const SUM: usize = 4;
/// Most bytes of headers, as the format has it.
const MAX_HEADERS: usize = 128 << 10;

const fn broken(reason: &'static str) -> Unreadable {
    Unreadable::Frame { reason }
}

/// A whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// All its bytes.
    pub raw: &'a [u8],
    /// Its headers' bytes; [`Frame::headers`] reads them.
    headers: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

/// What a header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A text, in UTF-8.
    Text(&'a [u8]),
    /// Bytes of any kind.
    Bytes(&'a [u8]),
    /// A whole number of 1, 2, 4 or 8 bytes.
    Number(&'a [u8]),
    /// A flag, a time or a UUID.
    Other(&'a [u8]),
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub name: &'a [u8],
    /// The type's number.
    kind: u8,
    pub value: Value<'a>,
}

impl<'a> Frame<'a> {
    /// The headers, in their order. A name that comes twice is refused: readers differ in which they take.
    pub fn headers(&self) -> Result<Vec<Header<'a>>, Unreadable> {
        let mut headers: Vec<Header<'a>> = Vec::new();
        let mut rest = self.headers;
        while !rest.is_empty() {
            let header = header(&mut rest).ok_or(broken("its headers are damaged"))?;
            if headers.iter().any(|known| known.name == header.name) {
                return Err(broken("a header comes twice"));
            }
            headers.push(header);
        }
        Ok(headers)
    }

    fn read(raw: &'a [u8], headers: usize) -> Option<Self> {
        let (_, rest) = raw.split_at_checked(PRELUDE)?;
        let (headers, rest) = rest.split_at_checked(headers)?;
        let (payload, sum) = rest.split_last_chunk::<SUM>()?;
        let before = raw.get(..raw.len().checked_sub(SUM)?)?;
        (crc32fast::hash(before) == u32::from_be_bytes(*sum)).then_some(Self { raw, headers, payload })
    }
}

fn header<'a>(rest: &mut &'a [u8]) -> Option<Header<'a>> {
    let [len] = *take(rest, 1)? else { return None };
    let name = take(rest, usize::from(len))?;
    let [kind] = *take(rest, 1)? else { return None };
    let value = match kind {
        0 | 1 => Value::Other(&[]),
        2..=5 => Value::Number(take(rest, 1usize.wrapping_shl(u32::from(kind.wrapping_sub(2))))?),
        6 | 7 => {
            let len = u16::from_be_bytes(*take(rest, 2)?.first_chunk()?);
            let bytes = take(rest, usize::from(len))?;
            if kind == 6 { Value::Bytes(bytes) } else { Value::Text(bytes) }
        }
        8 => Value::Other(take(rest, 8)?),
        9 => Value::Other(take(rest, 16)?),
        _ => return None,
    };
    Some(Header { name, kind, value })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, more) = rest.split_at_checked(len)?;
    *rest = more;
    Some(taken)
}

impl<'a> Header<'a> {
    /// The same header with another name or another value of its type.
    pub fn with(self, name: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Self {
        let value = match (self.value, value) {
            (old, None) => old,
            (Value::Text(_), Some(new)) => Value::Text(new),
            (Value::Bytes(_), Some(new)) => Value::Bytes(new),
            (Value::Number(_), Some(new)) => Value::Number(new),
            (Value::Other(_), Some(new)) => Value::Other(new),
        };
        Self { name: name.unwrap_or(self.name), value, ..self }
    }

    /// A header whose value is a text.
    pub fn text(name: &'a str, value: &'a str) -> Self {
        Self { name: name.as_bytes(), kind: 7, value: Value::Text(value.as_bytes()) }
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        const LONG: Unreadable = broken("a header is too long");
        out.push(u8::try_from(self.name.len()).map_err(|_| LONG)?);
        out.extend_from_slice(self.name);
        out.push(self.kind);
        match self.value {
            Value::Text(bytes) | Value::Bytes(bytes) => {
                out.extend_from_slice(&u16::try_from(bytes.len()).map_err(|_| LONG)?.to_be_bytes());
                out.extend_from_slice(bytes);
            }
            Value::Number(bytes) | Value::Other(bytes) => out.extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// Writes a frame.
pub(super) fn write(headers: &[Header<'_>], payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let start = out.len();
    out.resize(start.saturating_add(PRELUDE), 0);
    for header in headers {
        header.write(out)?;
    }
    let headers = out.len().saturating_sub(start).saturating_sub(PRELUDE);
    let all = PRELUDE.saturating_add(headers).saturating_add(payload.len()).saturating_add(SUM);
    let len = |len: usize| u32::try_from(len).map(u32::to_be_bytes).map_err(|_| broken("it is too long"));
    let mut prelude = [len(all)?, len(headers)?].concat();
    prelude.extend_from_slice(&crc32fast::hash(&prelude).to_be_bytes());
    if let Some(place) = out.get_mut(start..).and_then(|frame| frame.get_mut(..PRELUDE)) {
        place.copy_from_slice(&prelude);
    }
    out.extend_from_slice(payload);
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
    Ok(())
}

/// The frame of an error that ends a stream: the SDKs raise it as Bedrock's own.
pub fn exception(message: &str) -> Vec<u8> {
    let headers = [
        Header::text(":exception-type", "modelStreamErrorException"),
        Header::text(":content-type", "application/json"),
        Header::text(":message-type", "exception"),
    ];
    let payload = serde_json::json!({ "message": message }).to_string();
    let mut out = Vec::new();
    let written = write(&headers, payload.as_bytes(), &mut out);
    // Half a frame would be worse than none: an SDK then misses the end.
    if written.is_ok() { out } else { Vec::new() }
}

/// Cuts a stream into frames.
#[derive(Debug)]
pub(super) struct Framer {
    /// The frame under way, where it began in an earlier piece.
    buffer: Vec<u8>,
    limit: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self { buffer: Vec::new(), limit: MAX_EVENT }
    }
}

impl Framer {
    /// Bytes of the frame under way.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next piece, cut anywhere, and gives out what is whole.
    pub fn push(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            let done = self.run(piece, each)?;
            buffer.extend_from_slice(piece.get(done..).unwrap_or_default());
        } else {
            buffer.extend_from_slice(piece);
            let done = self.run(&buffer, each)?;
            buffer.drain(..done.min(buffer.len()));
        }
        buffer.shrink_to(ROOM);
        self.buffer = buffer;
        Ok(())
    }

    /// The bytes are all here.
    pub fn finish(&self) -> Result<(), Unreadable> {
        if self.buffer.is_empty() { Ok(()) } else { Err(broken("it is not whole")) }
    }

    fn run(
        &self,
        bytes: &[u8],
        each: &mut impl FnMut(Frame<'_>) -> Result<(), Unreadable>,
    ) -> Result<usize, Unreadable> {
        let mut start = 0usize;
        loop {
            let rest = bytes.get(start..).unwrap_or_default();
            let Some(prelude) = rest.first_chunk::<PRELUDE>() else { return Ok(start) };
            let (all, headers) = self.lengths(prelude)?;
            let Some(raw) = rest.get(..all) else { return Ok(start) };
            each(Frame::read(raw, headers).ok_or(broken("its check sum is wrong"))?)?;
            start = start.saturating_add(all);
        }
    }

    /// The lengths of the frame and of its headers.
    fn lengths(&self, prelude: &[u8; PRELUDE]) -> Result<(usize, usize), Unreadable> {
        let [a, b, c, d, e, f, g, h, sum @ ..] = *prelude;
        if crc32fast::hash(&[a, b, c, d, e, f, g, h]) != u32::from_be_bytes(sum) {
            return Err(broken("its prelude's check sum is wrong"));
        }
        let long = || Unreadable::EventTooLong { limit: self.limit };
        let all = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| long())?;
        let headers = usize::try_from(u32::from_be_bytes([e, f, g, h])).map_err(|_| long())?;
        if all > self.limit {
            return Err(long());
        }
        if headers > MAX_HEADERS || headers.saturating_add(PRELUDE).saturating_add(SUM) > all {
            return Err(broken("its lengths are wrong"));
        }
        Ok((all, headers))
    }
}

#[cfg(test)]
mod tests;
