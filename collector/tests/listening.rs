//! Where it listens, by which names and certificates, and when it does not start.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use support::access::{BOOTSTRAP, PAGE, WRITER, get};
use support::http::{Answer, request};
use support::place::Place;
use support::{Collector, eventually};

#[test]
fn a_page_under_a_name_of_its_own_neither_reads_nor_writes() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &[]);
    let ask = |head: &str| {
        let mut stream = TcpStream::connect(collector.address).unwrap();
        let end = "connection: close\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}";
        stream.write_all(format!("{head}\r\n{end}").as_bytes()).unwrap();
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw);
        support::http::answer(&raw).unwrap().status
    };
    // As the filter asks, under the name of its cluster.
    assert_eq!(ask("POST /v1/logs HTTP/1.1\r\nhost: audit"), 200);
    for head in [
        "GET /api/records HTTP/1.1\r\nhost: evil.example",
        "GET /metrics HTTP/1.1\r\nhost: evil.example",
        "POST /v1/logs HTTP/1.1\r\nhost: evil.example:4318\r\norigin: http://evil.example:4318",
        "POST /v1/logs HTTP/1.1\r\nhost: 127.0.0.1:4318\r\norigin: http://evil.example",
        "POST /api/approvals/apr_x/approve HTTP/1.1\r\nhost: 127.0.0.1:4318\r\norigin: http://evil.example",
        "POST /api/approvals/apr_x/approve HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: cross-site",
    ] {
        assert_eq!(ask(head), 403, "{head}");
    }
    // What is no secret and what is one, and how many came in vain.
    assert_eq!(get(&collector, "/healthz", None).status, 200);
    assert_eq!(get(&collector, "/readyz", None).status, 200);
    let numbers = String::from_utf8(get(&collector, "/metrics", None).body).unwrap();
    assert!(numbers.contains("\nportcullis_collector_forbidden_total 6\n"), "{numbers}");
    assert!(numbers.contains("\nportcullis_collector_up 1\n"), "{numbers}");
}

/// How it ends that cannot start.
fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("audit.db").display());
    Command::new(env!("CARGO_BIN_EXE_portcullis-collector"))
        .args(["--database", &database])
        .args(if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] })
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// Flags, environment, what it says.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn what_would_not_ask_or_not_be_asked_does_not_start() {
    let issuer = "https://i.example,audience=a,auditor=b";
    let client = format!("{issuer},client_id=c");
    let token = [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", WRITER)];
    let cases: [Case; 9] = [
        (&["--allow-unauthenticated", "--issuer", issuer], &[], "leave one of them out"),
        (&["--allow-unauthenticated"], &token, "leave one of them out"),
        (&["--issuer", &client], &[], "--public-url"),
        (&["--issuer", &client, "--issuer", &client, "--public-url", PAGE], &[], "more than one --issuer"),
        (&["--issuer", "https://i.example,auditor=b"], &[], "names no audience"),
        (&[], &[("PORTCULLIS_COLLECTOR_WRITER_TOKEN", "short")], "can be guessed"),
        (&[], &[("PORTCULLIS_COLLECTOR_SESSION_KEY", "short"), token[0]], "PORTCULLIS_COLLECTOR_SESSION_KEY"),
        (&["--tls-certificate", "/no/such.pem", "--tls-key", "/no/such.pem"], &[], "/no/such.pem"),
        (&["--tls-certificate", "x.pem"], &[], "--tls-key"),
    ];
    for (arguments, environment, why) in cases {
        let output = start(arguments, environment);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
        assert!(!said.contains("short,"), "{said}");
    }
    let output = start(&["--listen", "0.0.0.0:0"], &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("can be reached by other machines"));
}

#[test]
fn with_access_it_listens_anywhere_under_any_name() {
    let environment = [("PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN", BOOTSTRAP)];
    let place = Place::sqlite();
    let collector = Collector::start_with(&place, &["--listen", "0.0.0.0:0"], &environment);
    let address = format!("127.0.0.1:{}", collector.address.port()).parse().unwrap();
    let bearer = format!("Bearer {BOOTSTRAP}");
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(request(address, "GET", "/api/me", &headers, b"").unwrap().status, 200);
    assert_eq!(support::http::request_as(address, "audit.example", "/api/me").unwrap().status, 401);
}

/// A certificate for `localhost`, and who vouches for it.
fn certify(directory: &Path, name: &str) -> rustls::pki_types::CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(directory.join("tls.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// `GET` over TLS; `None`: the certificate is not the one that is trusted.
fn over_tls(
    collector: &Collector,
    name: &str,
    trusted: &rustls::pki_types::CertificateDer<'static>,
    token: &str,
) -> Option<Answer> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = name.to_owned().try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), server).unwrap();
    let stream = TcpStream::connect(collector.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let head = format!(
        "GET /api/me HTTP/1.1\r\nhost: {name}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut raw = Vec::new();
    // Some end without saying so.
    let _ = stream.read_to_end(&mut raw);
    support::http::answer(&raw)
}

#[test]
fn it_speaks_tls_and_reads_its_certificate_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let first = certify(directory.path(), "audit.example");
    let environment = [("PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN", BOOTSTRAP)];
    let flags = ["--tls-certificate", &path("tls.pem"), "--tls-key", &path("tls.key")];
    let place = Place::sqlite();
    let mut collector = Collector::start_with(&place, &flags, &environment);
    let answer = over_tls(&collector, "audit.example", &first, BOOTSTRAP).unwrap();
    assert_eq!((answer.status, answer.json()["id"].as_str()), (200, Some("bootstrap")));
    // Without TLS there is no answer, and a connection that says nothing keeps nobody out.
    let idle = TcpStream::connect(collector.address).unwrap();
    assert!(request(collector.address, "GET", "/api/me", &[], b"").is_err());
    // A certificate that cannot be used changes nothing.
    std::fs::write(path("tls.key"), "no key").unwrap();
    collector.hangup();
    eventually(|| collector.said.lock().unwrap().join("\n"), |said| said.contains("stays as it was"));
    assert!(over_tls(&collector, "audit.example", &first, BOOTSTRAP).is_some());
    let second = certify(directory.path(), "audit.example");
    collector.hangup();
    eventually(|| collector.said.lock().unwrap().join("\n"), |said| said.contains("read anew"));
    assert!(over_tls(&collector, "audit.example", &first, BOOTSTRAP).is_none());
    assert_eq!(over_tls(&collector, "audit.example", &second, BOOTSTRAP).unwrap().status, 200);
    drop(idle);
    assert_eq!(collector.stop(), 0);
}

#[test]
fn an_address_is_told_how_it_is_written() {
    for address in ["4318", "localhost:4318"] {
        for flag in ["--listen", "--listen-grpc"] {
            let said = String::from_utf8(start(&[flag, address], &[]).stderr).unwrap();
            assert!(said.contains("expected ADDRESS:PORT with an IP address"), "{said}");
        }
    }
}

#[test]
fn the_help_names_what_stands_in_the_environment_alone() {
    let help = String::from_utf8(start(&["--help"], &[]).stdout).unwrap();
    for name in [
        "WRITER_TOKEN",
        "BOOTSTRAP_TOKEN",
        "CLIENT_SECRET",
        "SESSION_KEY",
        "APPROVALS_KEY",
        "APPROVALS_WEBHOOK_SECRET",
    ] {
        assert!(help.contains(&format!("PORTCULLIS_COLLECTOR_{name}")), "{name}");
    }
}
