//! HTTP/1.1 as far as a load needs it: heads, bodies by length or in chunks, read from a blocking socket.
//!
//! Whatever is parsed stands whole in the buffer first, so that a read that times out loses nothing: call again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const FIRST_CAPACITY: usize = 64 * 1024;

/// What matters of a message's head.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head {
    /// Of an answer; 0 for a request.
    pub status: u16,
    pub length: usize,
    pub chunked: bool,
    /// Value of `x-bench-stream`: which prepared stream a request asks for.
    pub stream: Option<u64>,
}

/// A connection with what has been read of it and not yet been used.
pub struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; FIRST_CAPACITY], start: 0, end: 0 })
    }

    pub fn connect(port: u16) -> io::Result<Self> {
        Self::new(TcpStream::connect(("127.0.0.1", port))?)
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub fn patience(&self, limit: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(limit))
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    fn ready(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.buffer.len() {
                self.buffer.resize(self.end * 2, 0);
            }
        }
        match self.socket.read(&mut self.buffer[self.end..])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            more => {
                self.end += more;
                Ok(())
            }
        }
    }

    /// Reads a head, of a request or of an answer.
    pub fn head(&mut self) -> io::Result<Head> {
        let size = loop {
            if let Some(at) = self.ready().windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = parse(&self.ready()[..size])?;
        self.start += size;
        Ok(head)
    }

    /// Reads the whole body that follows `head` into `body`, which it empties first.
    pub fn body(&mut self, head: Head, body: &mut Vec<u8>) -> io::Result<()> {
        body.clear();
        if head.chunked {
            while self.chunk(body)? {}
            return Ok(());
        }
        while self.end - self.start < head.length {
            self.fill()?;
        }
        body.extend_from_slice(&self.ready()[..head.length]);
        self.start += head.length;
        Ok(())
    }

    /// Appends the next chunk; false for the one that ends the body (trailers are read and dropped).
    pub fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let (data, size) = loop {
            if let Some(found) = whole_chunk(self.ready())? {
                break found;
            }
            self.fill()?;
        };
        let (from, to) = (self.start + data.0, self.start + data.1);
        body.extend_from_slice(&self.buffer[from..to]);
        self.start += size;
        Ok(from < to)
    }
}

/// The place of a chunk's data, and the size of the chunk with its framing; `None` while it is not whole.
fn whole_chunk(ready: &[u8]) -> io::Result<Option<((usize, usize), usize)>> {
    let Some(line) = ready.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let digits = ready[..line].split(|byte| *byte == b';').next().unwrap_or_default();
    let size = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
    let size = size.ok_or_else(|| broken("a chunk without a size"))?;
    let data = line + 2;
    if size > 0 {
        let end = data + size;
        return Ok((ready.len() >= end + 2).then_some(((data, end), end + 2)));
    }
    if ready[data..].starts_with(b"\r\n") {
        return Ok(Some(((data, data), data + 2)));
    }
    let trailers = ready[data..].windows(4).position(|four| four == b"\r\n\r\n");
    Ok(trailers.map(|at| ((data, data), data + at + 4)))
}

fn parse(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| broken("a head that is not text"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut parsed = Head::default();
    if let Some(rest) = first.strip_prefix("HTTP/1.1 ") {
        parsed.status = rest.get(..3).and_then(|code| code.parse().ok()).ok_or_else(|| broken(first))?;
    }
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            parsed.length = value.parse().map_err(|_| broken(line))?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            parsed.chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("x-bench-stream") {
            parsed.stream = value.parse().ok();
        }
    }
    Ok(parsed)
}

/// An error of what came over the wire.
pub fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Whether a read only ran out of patience.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_taken_only_when_it_is_whole() {
        let bytes = b"3\r\nabc\r\n0\r\n\r\n";
        for cut in 0..8 {
            assert_eq!(whole_chunk(&bytes[..cut]).unwrap(), None, "cut at {cut}");
        }
        assert_eq!(whole_chunk(bytes).unwrap(), Some(((3, 6), 8)));
        assert_eq!(whole_chunk(&bytes[8..]).unwrap(), Some(((3, 3), 5)));
        assert!(whole_chunk(b"x\r\n").is_err());
    }

    #[test]
    fn a_head_tells_status_length_and_stream() {
        let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx-bench-stream: 7\r\n\r\n").unwrap();
        assert_eq!((head.status, head.length, head.chunked, head.stream), (200, 12, false, Some(7)));
    }
}
