//! As much of HTTP/1.1 as a test needs: one request on one connection.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    converse(address, &address.to_string(), method, path, headers, body)
}

/// `GET` under the name of another host.
pub fn request_as(address: SocketAddr, host: &str, path: &str) -> Result<Answer> {
    converse(address, host, "GET", path, &[], b"")
}

fn converse(
    address: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut out = head.into_bytes();
    out.extend_from_slice(body);
    // It may answer before it has read everything.
    let sent = stream.write_all(&out);
    let mut raw = Vec::new();
    let read = stream.read_to_end(&mut raw);
    answer(&raw).ok_or_else(|| {
        sent.and(read.map(drop))
            .err()
            .unwrap_or_else(|| Error::new(ErrorKind::UnexpectedEof, "no whole answer"))
    })
}

/// Of bytes; `None`: it is not there as a whole.
pub fn answer(raw: &[u8]) -> Option<Answer> {
    let split = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..split]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let body = &raw[split + 4..];
    let header =
        |name: &str| headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let body = match header("content-length") {
        Some(length) => {
            let length: usize = length.parse().ok()?;
            (body.len() == length).then(|| body.to_vec())?
        }
        None if header("transfer-encoding") == Some("chunked") => dechunked(body)?,
        None => body.to_vec(),
    };
    Some(Answer { status, headers, body })
}

fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(out);
        }
        out.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}
