//! Notifications as their receivers get them: a real server, real signatures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use support::approval::{approve, by_hand, open, question, vote};
use support::place::Place;
use support::{Collector, eventually};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const SECRETS: [(&str, &str); 1] = [("PORTCULLIS_COLLECTOR_APPROVALS_WEBHOOK_SECRET", SECRET)];

/// What came.
#[derive(Debug, Clone)]
struct Came {
    headers: Vec<(String, String)>,
    body: String,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that answers with these, then with 200.
struct Server {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    is_secure: bool,
}

impl Server {
    fn start(answers: &'static [&'static str]) -> Self {
        Self::serve(answers, None)
    }

    /// One that speaks TLS alone.
    fn secure(identity: rustls::ServerConfig) -> Self {
        Self::serve(&[], Some(Arc::new(identity)))
    }

    fn serve(answers: &'static [&'static str], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let is_secure = tls.is_some();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, came) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let all = Arc::clone(&came);
        // It ends with the test.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream: Box<dyn Stream> = match &tls {
                    None => Box::new(stream),
                    Some(tls) => {
                        let session = rustls::ServerConnection::new(Arc::clone(tls)).unwrap();
                        Box::new(rustls::StreamOwned::new(session, stream))
                    }
                };
                let Some(one) = read(&mut *stream) else { continue };
                let mut all = all.lock().unwrap();
                let status = answers.get(all.len()).unwrap_or(&"200 OK");
                all.push(one);
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, came, is_secure }
    }

    fn url(&self) -> String {
        match self.is_secure {
            true => format!("https://localhost:{}/hook?key=secret-key", self.address.port()),
            false => format!("http://{}/hook?key=secret-key", self.address),
        }
    }

    fn until(&self, count: usize) -> Vec<Came> {
        eventually(|| self.came.lock().unwrap().clone(), |came| came.len() >= count)
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A certificate for this machine's own name, and what its owner serves with.
fn certified() -> (String, rustls::ServerConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    (made.cert.pem(), config.unwrap())
}

fn read(stream: &mut dyn Stream) -> Option<Came> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Came { headers, body: String::from_utf8(body).ok()? })
}

/// As docs/approvals.md says to check it.
fn assert_signed(came: &Came) {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{}.{}", came.header("x-portcullis-timestamp"), came.body).as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(came.header("x-portcullis-signature"), format!("sha256={expected}"));
}

#[test]
fn a_webhook_is_signed_comes_again_after_a_failure_and_holds_no_prompt() {
    let place = Place::sqlite();
    let server = Server::start(&["503 Service Unavailable", "429 Too Many Requests"]);
    let more = ["--approvals-webhook", &server.url(), "--public-url", "https://audit.example.com/"];
    let collector = Collector::start_with(&place, &more, &SECRETS);
    let id = open(collector.address, &question(1, "x-1"));
    let came = server.until(3);
    for one in &came {
        assert_signed(one);
        assert_eq!(
            (one.header("x-portcullis-delivery"), &one.body),
            (&*format!("{id}-opened"), &came[0].body)
        );
        assert_eq!(one.header("content-type"), "application/json");
    }
    let told = came[0].json();
    assert_eq!(told["type"], "approval.opened");
    let approval = &told["approval"];
    assert_eq!(approval["url"], format!("https://audit.example.com/#/approvals/{id}"));
    assert_eq!(
        (&approval["caller"], &approval["state"]),
        (&json!("https://idp.example.com#alice"), &json!("pending"))
    );
    assert_eq!((&approval["rules"], &approval["id"]), (&json!(["db-tools"]), &json!(id)));
    approve(collector.address, &id);
    let came = server.until(4);
    assert_eq!(
        (&came[3].json()["type"], &came[3].json()["approval"]["by"]),
        (&json!("approval.approved"), &json!(["local"]))
    );
    let other = open(collector.address, &question(2, "x-2"));
    assert_eq!(vote(collector.address, &other, "deny", &json!({ "reason": "private words" })).status, 200);
    let third = open(collector.address, &question(3, "x-3"));
    assert_eq!(
        vote(collector.address, &third, "break-glass", &json!({ "reason": "private words" })).status,
        200
    );
    let came = server.until(9);
    let types: Vec<Value> = came[4..].iter().map(|one| one.json()["type"].clone()).collect();
    let wanted = ["opened", "denied", "opened", "broken_glass", "approved"]
        .map(|what| json!(format!("approval.{what}")));
    assert_eq!(types, wanted);
    for one in &came {
        assert!(!one.body.contains("secret-prompt") && !one.body.contains("private words"), "{}", one.body);
    }
    let said = collector.said.lock().unwrap().join("\n");
    assert!(
        said.contains("did not arrive") && !said.contains("secret-key") && !said.contains(SECRET),
        "{said}"
    );
}

#[test]
fn a_webhook_goes_over_tls_to_whom_the_trusted_certificates_name_and_to_nobody_else() {
    let (certificate, identity) = certified();
    let (_, of_another) = certified();
    let (server, impostor) = (Server::secure(identity), Server::secure(of_another));
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("trusted.pem");
    std::fs::write(&trusted, certificate).unwrap();
    let environment = [SECRETS[0], ("SSL_CERT_FILE", trusted.to_str().unwrap())];

    let place = Place::sqlite();
    let more = ["--approvals-webhook", &server.url(), "--public-url", "https://audit.example.com"];
    let collector = Collector::start_with(&place, &more, &environment);
    open(collector.address, &question(1, "x-1"));
    assert_signed(&server.until(1)[0]);

    let place = Place::sqlite();
    let more = ["--approvals-webhook", &impostor.url(), "--public-url", "https://audit.example.com"];
    let collector = Collector::start_with(&place, &more, &environment);
    open(collector.address, &question(2, "x-2"));
    let said = || collector.said.lock().unwrap().join("\n");
    let said = eventually(said, |said| said.contains("did not arrive"));
    assert!(!said.contains("secret-key") && !said.contains(SECRET), "{said}");
    assert!(impostor.came.lock().unwrap().is_empty());
}

#[test]
fn slack_is_told_in_its_own_format_and_nothing_from_outside_is_markup() {
    let place = Place::sqlite();
    let server = Server::start(&[]);
    let more = ["--approvals-slack", &server.url(), "--public-url", "https://audit.example.com"];
    let collector = Collector::start(&place, &more);
    let mut asked = question(1, "x");
    asked["caller"]["id"] = json!("<!channel>`&");
    let id = open(collector.address, &asked);
    let told = server.until(1)[0].json();
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("`&lt;!channel&gt;'&amp;`") && !text.contains("<!channel>"), "{text}");
    assert!(text.contains("`db-tools`") && text.contains("<!date^"), "{text}");
    assert!(text.ends_with(&format!("<https://audit.example.com/#/approvals/{id}|Look at it>")), "{text}");
    assert!(!text.contains("secret-prompt"));
}

#[test]
fn whoever_waited_is_told_once_that_nobody_decided_in_time() {
    let place = Place::postgres();
    let server = Server::start(&[]);
    let hooks = Server::start(&[]);
    let (slack, hook) = (server.url(), hooks.url());
    let more = [
        "--approvals-slack",
        &slack,
        "--approvals-webhook",
        &hook,
        "--public-url",
        "https://audit.example.com",
    ];
    // A fleet: each of them looks for what is over.
    let fleet: Vec<Collector> = (0..3).map(|_| Collector::start_with(&place, &more, &SECRETS)).collect();
    let mut asked = question(1, "x-1");
    asked["ttl"] = json!(3600);
    asked["rules"][0]["quorum"] = json!(2);
    let undecided = open(fleet[0].address, &asked);
    // One yes of two is no decision.
    approve(fleet[1].address, &undecided);
    let mut asked = question(2, "x-2");
    asked["ttl"] = json!(3600);
    let approved = open(fleet[1].address, &asked);
    approve(fleet[2].address, &approved);
    hooks.until(3);
    // Both are over now.
    assert!(by_hand(&place, "UPDATE approvals SET expires = expires - 7200000000000"));
    let expired = || {
        let came = hooks.came.lock().unwrap().clone();
        came.into_iter().filter(|one| one.json()["type"] == "approval.expired").collect::<Vec<_>>()
    };
    eventually(expired, |came| !came.is_empty());
    // Each is on record once; only of one of them is there something to tell.
    let records = eventually(
        || fleet[0].records().approvals(),
        |all| all.iter().filter(|what| *what == "expired").count() == 2,
    );
    assert_eq!(records.iter().filter(|what| *what == "expired").count(), 2);
    let last = open(fleet[0].address, &question(3, "x-3"));
    // Notifications of one collector come in their order, and every collector looked since.
    hooks.until(5);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let came = expired();
    assert_eq!(came.len(), 1, "{came:?}");
    assert_signed(&came[0]);
    let told = came[0].json();
    assert_eq!((&told["approval"]["id"], &told["approval"]["state"]), (&json!(undecided), &json!("expired")));
    assert_eq!(told["approval"].get("by"), None);
    assert_eq!(came[0].header("x-portcullis-delivery"), format!("{undecided}-expired"));
    let texts: Vec<String> = server.came.lock().unwrap().iter().map(|one| one.body.clone()).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("Nobody decided in time")).count(), 1, "{texts:?}");
    assert!(texts.iter().any(|text| text.contains(&last)));
}

#[test]
fn a_receiver_that_refuses_or_is_not_there_holds_nothing_up() {
    let place = Place::sqlite();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(&["400 Bad Request"]);
    let (gone, refuses) = (format!("http://{gone}/hook"), server.url());
    let more = [
        "--approvals-webhook",
        &gone,
        "--approvals-slack",
        &refuses,
        "--public-url",
        "https://audit.example.com",
    ];
    let mut collector = Collector::start_with(&place, &more, &SECRETS);
    for call in 0..50 {
        let mut asked = question(call, "x");
        asked["caller"]["id"] = json!(format!("caller-{call}"));
        open(collector.address, &asked);
    }
    // What is refused is given up at once, and what comes behind it is not.
    let came = server.until(50);
    assert_eq!(came.len(), 50);
    assert_eq!(collector.stop(), 0);
}

#[test]
fn flags_that_do_not_fit_are_refused_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let refused = |flags: &[&str], environment: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis-collector"))
            .current_dir(place.path())
            .args(["--listen", "127.0.0.1:0", "--database", "sqlite:refused.db"])
            .args(flags)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let hook = ["--approvals-webhook", "http://127.0.0.1:9/h?key=secret-key"];
    let page = ["--public-url", "https://audit.example.com"];
    for (flags, environment, told) in [
        (&hook[..], &SECRETS[..], "--public-url"),
        (&[hook, page].concat(), &[][..], "openssl rand -hex 32"),
        (&[hook, page].concat(), &[(SECRETS[0].0, "short")], "at least 16 bytes"),
        (&[], &[("PORTCULLIS_COLLECTOR_APPROVALS_KEY", "secret-key")], "openssl rand -base64 32"),
        (&["--approvals-slack", "hooks.slack.com/secret-key"], &[], "is no address"),
    ] {
        let said = refused(flags, environment);
        assert!(said.contains(told), "{said}");
        assert!(!said.contains("secret-key") || flags.contains(&"--approvals-slack"), "{said}");
    }
}
