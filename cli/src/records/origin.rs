//! Where records come from: a file, the standard input, or a collector.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::ReadError;

/// The variable that holds a bearer token for collectors.
const TOKEN: &str = "PORTCULLIS_TOKEN";
/// Where collectors give all of their records.
const RECORDS: &str = "/api/records";
/// How long a connection, and then the head of an answer, may take. A body may take as long as it is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes that are shown of an answer that refuses.
const SHOWN: u64 = 2048;

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `-`.
    Input,
    /// A file.
    File(PathBuf),
    /// An address that gives them a line each.
    Url(String),
}

impl FromStr for Origin {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "-" {
            return Ok(Self::Input);
        }
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_http(scheme)) else {
            return Ok(Self::File(text.into()));
        };
        let path = rest.split_once('/').map(|(_, path)| path).unwrap_or_default();
        Ok(Self::Url(match path.is_empty() && !rest.contains('?') {
            true => format!("{scheme}://{}{RECORDS}", rest.trim_end_matches('/')),
            false => text.to_owned(),
        }))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("the standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl Origin {
    /// Its lines.
    ///
    /// # Errors
    /// It cannot be read, or a collector gives none.
    pub fn open(&self) -> Result<Box<dyn BufRead>, ReadError> {
        Ok(match self {
            Self::Input => Box::new(io::stdin().lock()),
            Self::File(path) => Box::new(BufReader::new(File::open(path)?)),
            Self::Url(url) => Box::new(BufReader::new(fetch(url)?.into_reader())),
        })
    }
}

fn is_http(scheme: &str) -> bool {
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn fetch(url: &str) -> Result<Body, ReadError> {
    // Certificates that the system trusts: a collector of one's own has one of one's own authority.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        // A token goes nowhere but where it was sent.
        .max_redirects(0)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .build()
        .into();
    let mut request = agent.get(url);
    if let Ok(token) = std::env::var(TOKEN) {
        if travels_readable(url) {
            return Err(ReadError::Readable);
        }
        request = request.header("authorization", format!("Bearer {}", token.trim()));
    }
    let answer = request.call().map_err(|error| ReadError::Call(Box::new(error)))?;
    let status = answer.status();
    if status.as_u16() == 200 {
        return Ok(answer.into_body());
    }
    Err(ReadError::Status {
        status: status.as_u16(),
        said: said(answer.into_body()),
        help: help(status.as_u16()),
    })
}

/// Whether what is sent there can be read on the way: without TLS, to another machine.
fn travels_readable(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return true };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme_str() != Some("https") && !here
}

/// What a refusal says, on one line.
fn said(body: Body) -> String {
    let mut bytes = Vec::new();
    // What cannot be read to its end is shown as far as it came.
    let _ = body.into_reader().take(SHOWN).read_to_end(&mut bytes);
    let problem: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let member = |name| problem.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let text = member("detail").or_else(|| member("title"));
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
    text.split_whitespace().map(|word| word.replace(char::is_control, "")).collect::<Vec<_>>().join(" ")
}

fn help(status: u16) -> &'static str {
    match status {
        401 => "set PORTCULLIS_TOKEN to a token of somebody who may read records",
        403 => "the token in PORTCULLIS_TOKEN lacks the role of an auditor",
        300..=399 => "give the address that it leads to",
        404 => "give the collector's address, or that of its `/api/records`",
        _ => "see the collector's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_readable_on_its_way_to_another_machine_without_tls() {
        for url in [
            "https://audit.example.com/api/records",
            "http://localhost:4318/",
            "http://127.8.0.1/",
            "http://[::1]:1/",
        ] {
            assert!(!travels_readable(url), "{url}");
        }
        for url in [
            "http://audit.example.com/",
            "http://localhost.example.com/",
            "http://10.0.0.1:4318/",
            "http://127.0.0.1@a.example/",
        ] {
            assert!(travels_readable(url), "{url}");
        }
    }

    #[test]
    fn an_address_is_told_from_a_file_and_a_collectors_from_that_of_its_records() {
        let url = |text: &str| Origin::Url(text.to_owned());
        for (text, expected) in [
            ("-", Origin::Input),
            ("records.jsonl", Origin::File("records.jsonl".into())),
            ("./http://x", Origin::File("./http://x".into())),
            ("ftp://x/y", Origin::File("ftp://x/y".into())),
            ("https://audit.example.com", url("https://audit.example.com/api/records")),
            ("http://localhost:4318/", url("http://localhost:4318/api/records")),
            ("HTTPS://a/api/records?after=7", url("HTTPS://a/api/records?after=7")),
            ("https://a/audit/api/records", url("https://a/audit/api/records")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }
}
