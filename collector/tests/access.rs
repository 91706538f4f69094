//! Who may do what, as programs and browsers meet it.
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

use serde_json::json;
use support::http::{Answer, request};
use support::place::Place;
use support::provider::{CLIENT, Provider, SECRET, seconds};
use support::worker::Worker;
use support::{Collector, eventually, on_every_database};

on_every_database!(
    a_read_is_on_record_before_it_is_answered,
    reads_of_all_collectors_are_one_chain,
    looks_at_approvals_are_on_record_once_until_what_they_show_changes,
);

const WRITER: &str = "writer-token-0123456789";
const BOOTSTRAP: &str = "bootstrap-token-0123456789";

/// As a person's browser reaches it.
const PAGE: &str = "http://audit.example";

fn issuer(provider: &Provider) -> String {
    format!(
        "{},audience=audit,auditor=readers,approver=deciders,admin=admins,writer=filters,break_glass=chiefs",
        provider.issuer()
    )
}

fn asking(place: &Place, provider: &Provider) -> Collector {
    let issuer = issuer(provider);
    let environment = [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", WRITER)];
    Collector::start_with(place, &["--issuer", &issuer], &environment)
}

fn ask(collector: &Collector, method: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    request(collector.address, method, path, &headers, b"").unwrap()
}

fn get(collector: &Collector, path: &str, token: Option<&str>) -> Answer {
    ask(collector, "GET", path, token)
}

fn send(collector: &Collector, worker: &mut Worker, exchanges: usize, token: Option<&str>) -> u16 {
    let batch = worker.batch(exchanges);
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
    let status = collector.post(&headers, &batch.body).status;
    if status == 200 {
        worker.taken(&batch);
    }
    status
}

#[test]
fn a_role_opens_its_addresses_and_no_others() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let as_ = |group: &str| provider.bearer("somebody", &[group]);
    for (group, read, approvals, write) in [
        ("readers", 200, 200, 403),
        ("deciders", 403, 200, 403),
        ("admins", 200, 200, 200),
        ("filters", 403, 403, 200),
        ("chiefs", 403, 200, 403),
        ("strangers", 403, 403, 403),
    ] {
        let token = as_(group);
        assert_eq!(get(&collector, "/api/exchanges", Some(&token)).status, read, "{group} reads");
        assert_eq!(get(&collector, "/api/records", Some(&token)).status, read, "{group} exports");
        assert_eq!(
            get(&collector, "/api/exchanges/x", Some(&token)).status,
            if read == 200 { 404 } else { 403 }
        );
        assert_eq!(
            get(&collector, "/api/approvals", Some(&token)).status,
            approvals,
            "{group} sees approvals"
        );
        assert_eq!(send(&collector, &mut Worker::new(1), 1, Some(&token)), write, "{group} writes");
        let me = get(&collector, "/api/me", Some(&token));
        assert_eq!((me.status, me.json()["groups"].clone()), (200, json!([group])));
        // To break the glass takes its own role, which no admin has.
        let path = "/api/approvals/apr_x/break-glass";
        let broken = ask(&collector, "POST", path, Some(&token)).status;
        assert_eq!(broken == 403, group != "chiefs", "{group}: {broken}");
    }
    let refused = get(&collector, "/api/records", Some(&as_("deciders")));
    assert_eq!(refused.json()["detail"], "this takes the role auditor");
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
}

#[test]
fn nobody_comes_in_without_showing_who_they_are() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let addresses = [
        ("GET", "/api/exchanges"),
        ("GET", "/api/exchanges/x"),
        ("GET", "/api/records"),
        ("GET", "/api/live"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/me"),
        ("GET", "/api/approvals"),
        ("POST", "/v1/logs"),
        ("POST", "/v1/approvals"),
        ("GET", "/v1/approvals/apr_x"),
        ("POST", "/v1/approvals/apr_x/spend"),
        ("POST", "/api/approvals/apr_x/approve"),
    ];
    for (method, path) in addresses {
        let answer = ask(&collector, method, path, None);
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"portcullis-collector\""));
    }
    let good = json!({ "sub": "a", "aud": "audit", "groups": ["admins"] });
    let with = |changes: serde_json::Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        provider.token(claims)
    };
    assert_eq!(get(&collector, "/api/me", Some(&with(json!({})))).status, 200);
    let mut forged = with(json!({})).into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let wrong = [
        (String::from_utf8(forged).unwrap(), "token_signature"),
        (with(json!({ "exp": seconds() - 60 })), "token_expired"),
        (with(json!({ "aud": "rag" })), "token_audience"),
        (with(json!({ "iss": "https://other.example" })), "token_issuer"),
        (WRITER.to_uppercase(), "token_malformed"),
        ("x.y.z".to_owned(), "token_malformed"),
    ];
    for (token, why) in wrong {
        let answer = get(&collector, "/api/me", Some(&token));
        assert_eq!(answer.status, 401, "{why}");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"), "{answer:?}");
        let said = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(said.contains("token_") && !said.contains(&token), "{said}");
    }
    // A scheme that we do not speak, and two tokens.
    let good = format!("Bearer {}", with(json!({})));
    for headers in
        [&[("authorization", "Basic eDp5")][..], &[("authorization", &good), ("authorization", &good)]]
    {
        assert_eq!(request(collector.address, "GET", "/api/me", headers, b"").unwrap().status, 401);
    }
    // What is not there is not told from what is not allowed by anything but the table.
    assert_eq!(get(&collector, "/api/secret", None).status, 404);
    assert_eq!(ask(&collector, "DELETE", "/api/records", Some(&with(json!({})))).status, 405);
}

#[test]
fn the_writers_token_writes_and_does_nothing_else() {
    let environment =
        [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", "an-older-token-0123456789,writer-token-0123456789")];
    let place = Place::sqlite();
    let collector = Collector::start_with(&place, &[], &environment);
    let mut worker = Worker::new(1);
    assert_eq!(send(&collector, &mut Worker::new(2), 1, None), 401);
    assert_eq!(send(&collector, &mut Worker::new(2), 1, Some("writer-token-0123456780")), 401);
    assert_eq!(send(&collector, &mut worker, 1, Some(WRITER)), 200);
    assert_eq!(send(&collector, &mut worker, 1, Some("an-older-token-0123456789")), 200);
    assert_eq!(get(&collector, "/api/records", Some(WRITER)).status, 403);
    assert_eq!(get(&collector, "/api/me", Some(WRITER)).json()["id"], "writer");
}

#[test]
fn a_key_that_comes_later_is_found_and_a_provider_that_is_away_is_said_to_be() {
    let provider = Provider::start();
    provider.publish(false);
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let token = provider.bearer("alice", &["readers"]);
    assert_eq!(get(&collector, "/api/me", Some(&token)).status, 401);
    provider.publish(true);
    let found = eventually(|| get(&collector, "/api/me", Some(&token)).status, |status| *status == 200);
    assert_eq!(found, 200);
    // Keys at hand go on being used.
    provider.away(true);
    assert_eq!(get(&collector, "/api/me", Some(&token)).status, 200);
    // A collector that never had any says that it is not the token's fault.
    let place = Place::sqlite();
    let fresh = asking(&place, &provider);
    let answer = get(&fresh, "/api/me", Some(&token));
    assert_eq!(answer.status, 503, "{answer:?}");
    provider.away(false);
    eventually(|| get(&fresh, "/api/me", Some(&token)).status, |status| *status == 200);
}

#[test]
fn tokens_that_name_unknown_keys_do_not_make_it_ask_again_and_again() {
    let provider = Provider::start();
    provider.publish(false);
    let place = Place::sqlite();
    let collector = asking(&place, &provider);
    let token = provider.bearer("alice", &["readers"]);
    let asking = |_| {
        let (address, bearer) = (collector.address, format!("Bearer {token}"));
        std::thread::spawn(move || {
            request(address, "GET", "/api/me", &[("authorization", &bearer)], b"").unwrap().status
        })
    };
    let threads: Vec<_> = (0..20).map(asking).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 401));
    assert!(provider.asked() <= 4, "{}", provider.asked());
}

/// What a browser has.
#[derive(Default)]
struct Browser(std::collections::BTreeMap<String, String>);

impl Browser {
    fn ask(
        &mut self,
        collector: &Collector,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str()), ("accept", "text/html")];
        headers.extend(more);
        let answer = request(collector.address, method, path, &headers, body.as_bytes()).unwrap();
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            assert!(cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("; Path=/;"), "{cookie}");
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn get(&mut self, collector: &Collector, path: &str) -> Answer {
        self.ask(collector, "GET", path, &[], "")
    }

    /// To the provider and back.
    fn log_in(&mut self, collector: &Collector, provider: &Provider, path: &str) -> Answer {
        let there = self.get(collector, path);
        assert_eq!(there.status, 303, "{there:?}");
        let back = provider.consent(there.header("location").unwrap());
        self.get(collector, &format!("/login/callback?{back}"))
    }
}

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

fn with_logins(place: &Place, provider: &Provider, more: &[(&str, &str)]) -> Collector {
    let issuer = format!("{},client_id={CLIENT},scope=groups", issuer(provider));
    let mut environment = vec![("PORTCULLIS_COLLECTOR_CLIENT_SECRET", SECRET)];
    environment.extend(more);
    Collector::start_with(place, &["--issuer", &issuer, "--public-url", PAGE], &environment)
}

#[test]
fn a_browser_logs_in_reads_and_logs_out() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = with_logins(&place, &provider, &[]);
    let mut browser = Browser::default();
    // Whoever looks at something is sent to log in, and comes back to it.
    let sent = browser.get(&collector, "/api/exchanges?limit=1");
    assert_eq!(sent.status, 303);
    let login = sent.header("location").unwrap().to_owned();
    assert!(login.starts_with("/login?to="), "{login}");
    let back = browser.log_in(&collector, &provider, &login);
    assert_eq!((back.status, back.header("location")), (303, Some("/api/exchanges?limit=1")), "{back:?}");
    let me = browser.get(&collector, "/api/me").json();
    assert_eq!(me["id"], format!("{}#alice", provider.issuer()));
    assert_eq!((&me["name"], &me["roles"]), (&json!("Alice"), &json!(["auditor"])));
    assert_eq!(browser.get(&collector, "/api/exchanges").status, 200);
    assert_eq!(browser.get(&collector, "/v1/approvals/apr_x").status, 403);
    // No page of somebody else acts for this browser.
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(browser.ask(&collector, "POST", "/logout", &[foreign], "").status, 403, "{foreign:?}");
    }
    let stolen = browser.0.clone();
    assert_eq!(browser.ask(&collector, "POST", "/logout", &[OWN], "").status, 200);
    assert!(!browser.0.contains_key("portcullis-session"));
    // The cookie that was is worth nothing, whoever kept it.
    let mut thief = Browser(stolen);
    assert_eq!(thief.ask(&collector, "GET", "/api/me", &[("accept", "*/*")], "").status, 303);
    assert_eq!(collector.said.lock().unwrap().iter().filter(|line| line.contains("code-0")).count(), 0);
}

#[test]
fn a_login_counts_in_the_browser_that_began_it_once() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = with_logins(&place, &provider, &[]);
    let begin = |browser: &mut Browser| {
        let there = browser.get(&collector, "/login?to=//evil.example");
        provider.consent(there.header("location").unwrap())
    };
    // An attacker's code and state in somebody else's browser.
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let back = begin(&mut attacker);
    assert_eq!(victim.get(&collector, &format!("/login/callback?{back}")).status, 400);
    begin(&mut victim);
    assert_eq!(victim.get(&collector, &format!("/login/callback?{back}")).status, 400);
    // Another state, another issuer, no code, what the provider says.
    for changed in [
        back.replace("state=", "state=x"),
        format!("{back}&iss=https%3A%2F%2Fevil.example"),
        back.split_once('&').unwrap().1.to_owned(),
        back.replace("code-", "code-x"),
    ] {
        let mut browser = Browser(attacker.0.clone());
        let answer = browser.get(&collector, &format!("/login/callback?{changed}"));
        assert_eq!(answer.status, 400, "{changed}");
        assert!(!browser.0.contains_key("portcullis-session"));
    }
    let state = back.split_once('&').unwrap().1;
    let mut browser = Browser(attacker.0.clone());
    let denied = browser.get(&collector, &format!("/login/callback?error=%3Cscript%3E&{state}"));
    assert_eq!(denied.status, 403);
    assert!(!String::from_utf8_lossy(&denied.body).contains("<script"));
    // The same again goes well, once, and leads nowhere else.
    let mut again = Browser(attacker.0.clone());
    let good = attacker.get(&collector, &format!("/login/callback?{back}"));
    assert_eq!((good.status, good.header("location")), (303, Some("/")), "{good:?}");
    assert_eq!(again.get(&collector, &format!("/login/callback?{back}")).status, 400);
}

#[test]
fn a_token_for_another_login_or_another_client_logs_nobody_in() {
    let provider = Provider::start();
    let place = Place::sqlite();
    let collector = with_logins(&place, &provider, &[]);
    for (claims, why) in [
        (json!({ "sub": "a", "nonce": "another" }), "token_nonce"),
        (json!({ "sub": "a", "aud": "audit" }), "token_audience"),
        (json!({ "sub": "a", "aud": [CLIENT, "other"], "azp": "other" }), "token_party"),
        (json!({ "sub": "a", "exp": seconds() - 600 }), "token_expired"),
    ] {
        provider.user(claims);
        let answer = Browser::default().log_in(&collector, &provider, "/login");
        assert_eq!(answer.status, 403);
        let said = String::from_utf8(answer.body).unwrap();
        assert!(said.contains(why), "{why}: {said}");
    }
    // What the provider gives for logins is no bearer token of the collector.
    let token = provider.token(json!({ "sub": "a", "aud": CLIENT, "groups": ["admins"] }));
    assert_eq!(get(&collector, "/api/me", Some(&token)).status, 401);
    // More groups than a cookie holds: said, not cut.
    let groups: Vec<String> =
        (0..3000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    provider.user(json!({ "sub": "a", "groups": groups }));
    let answer = Browser::default().log_in(&collector, &provider, "/login");
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[test]
fn the_bootstrap_token_opens_the_page_and_is_told_loudly() {
    let place = Place::sqlite();
    let collector =
        Collector::start_with(&place, &[], &[("PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN", BOOTSTRAP)]);
    assert_eq!(get(&collector, "/api/exchanges", Some(BOOTSTRAP)).status, 200);
    let mut browser = Browser::default();
    let page = browser.get(&collector, "/login?to=/%22%3E%3Cscript%3E");
    let said = String::from_utf8(page.body.clone()).unwrap();
    assert!(said.contains("Bootstrap token") && !said.contains("<script>"), "{said}");
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let wrong = browser.ask(&collector, "POST", "/login", &[OWN], "token=bootstrap-token-0123456780");
    assert_eq!((wrong.status, browser.0.len()), (401, 0));
    let foreign = [("sec-fetch-site", "cross-site")];
    let form = format!("token={BOOTSTRAP}&to=%2F%23live");
    assert_eq!(browser.ask(&collector, "POST", "/login", &foreign, &form).status, 403);
    let right = browser.ask(&collector, "POST", "/login", &[OWN], &form);
    assert_eq!((right.status, right.header("location")), (303, Some("/#live")));
    assert_eq!(browser.get(&collector, "/api/me").json()["id"], "bootstrap");
    eventually(|| collector.said.lock().unwrap().join("\n"), |said| said.contains("bootstrap token"));
    assert!(!collector.said.lock().unwrap().join("\n").contains(BOOTSTRAP));
}

#[test]
fn collectors_of_one_fleet_know_each_others_sessions() {
    let provider = Provider::start();
    let key = [("PORTCULLIS_COLLECTOR_SESSION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
    let places = [Place::sqlite(), Place::sqlite(), Place::sqlite()];
    let (one, other) = (with_logins(&places[0], &provider, &key), with_logins(&places[1], &provider, &key));
    let alone = with_logins(&places[2], &provider, &[]);
    let mut browser = Browser::default();
    assert_eq!(browser.log_in(&one, &provider, "/login").status, 303);
    assert_eq!(browser.get(&other, "/api/me").status, 200);
    assert_eq!(browser.get(&alone, "/api/me").status, 303);
}

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
fn cookies_of_people_who_come_by_tls_are_bound_to_it() {
    let provider = Provider::start();
    let issuer = format!("{},client_id={CLIENT}", issuer(&provider));
    let flags = ["--issuer", &issuer, "--public-url", "https://audit.example/"];
    let environment = [("PORTCULLIS_COLLECTOR_CLIENT_SECRET", SECRET)];
    let place = Place::sqlite();
    let collector = Collector::start_with(&place, &flags, &environment);
    let mut browser = Browser::default();
    assert_eq!(browser.log_in(&collector, &provider, "/login").status, 303);
    assert_eq!(browser.0.keys().collect::<Vec<_>>(), ["__Host-portcullis-session"]);
}

fn a_read_is_on_record_before_it_is_answered(place: &Place) {
    let provider = Provider::start();
    let collector = asking(place, &provider);
    assert_eq!(send(&collector, &mut Worker::new(1), 3, Some(WRITER)), 200);
    let alice = provider.bearer("alice", &["readers"]);
    let bob = provider.bearer("bob", &["admins"]);
    assert_eq!(get(&collector, "/api/exchanges?limit=2&text=x%00%20y", Some(&alice)).status, 200);
    let list = get(&collector, "/api/exchanges?limit=2", Some(&alice)).json();
    let id = list["exchanges"][0]["portcullis.exchange"].as_str().unwrap().to_owned();
    assert_eq!(get(&collector, &format!("/api/exchanges/{id}"), Some(&bob)).status, 200);
    // What shows nothing is no read.
    assert_eq!(get(&collector, "/api/exchanges/none", Some(&bob)).status, 404);
    assert_eq!(get(&collector, "/api/exchanges?limit=x", Some(&bob)).status, 400);
    assert_eq!(get(&collector, "/api/openapi.json", Some(&bob)).status, 200);
    assert_eq!(get(&collector, "/api/records", None).status, 401);
    // A tail is on record at its beginning.
    let mut tail = TcpStream::connect(collector.address).unwrap();
    let head = format!("GET /api/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\n\r\n");
    tail.write_all(head.as_bytes()).unwrap();
    assert!(tail.read(&mut [0; 16]).unwrap() > 0);
    assert_eq!(get(&collector, "/api/records?after=1", Some(&bob)).status, 200);

    let export = get(&collector, "/api/records", Some(&bob));
    let records = support::Records::of(std::str::from_utf8(&export.body).unwrap());
    records.assert_whole();
    let reads = records.reads();
    let seen: Vec<_> = reads
        .iter()
        .map(|read| {
            let text =
                |name: &str| read.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            let caller = text("portcullis.read.caller");
            (
                caller.rsplit('#').next().unwrap().to_owned(),
                text("portcullis.read.address"),
                text("portcullis.read.query"),
            )
        })
        .collect();
    let read =
        |caller: &str, address: &str, query: &str| (caller.to_owned(), address.to_owned(), query.to_owned());
    assert_eq!(
        seen,
        [
            read("alice", "/api/exchanges", "limit=2&text=x%00%20y"),
            read("alice", "/api/exchanges", "limit=2"),
            read("bob", &format!("/api/exchanges/{id}"), ""),
            read("alice", "/api/live", ""),
            read("bob", "/api/records", "after=1"),
        ]
    );
    assert_eq!(reads[0]["portcullis.read.exchanges"], 0);
    assert_eq!(reads[1]["portcullis.read.exchanges"], 2);
    assert_eq!(reads[2]["portcullis.read.exchange"], id.as_str());
    assert_eq!(
        (&reads[4]["portcullis.read.after"], reads[4]["portcullis.read.last"].as_u64() > Some(6)),
        (&json!(1), true)
    );
    // One record for each, that of the export before among them.
    let again = get(&collector, "/api/records", Some(&bob));
    assert_eq!(
        support::Records::of(std::str::from_utf8(&again.body).unwrap()).reads().len(),
        reads.len() + 1
    );
}

fn looks_at_approvals_are_on_record_once_until_what_they_show_changes(place: &Place) {
    use support::approval::{approve, open, question};
    let collector = Collector::start(place, &[]);
    let (list, pending) = ("/api/approvals", "/api/approvals?state=pending");
    // As a page does that is open.
    let look = |path: &str| (0..20).for_each(|_| assert_eq!(get(&collector, path, None).status, 200));
    look(list);
    let id = open(collector.address, &question(1, "x-1"));
    let one = format!("/api/approvals/{id}");
    look(list);
    look(pending);
    look(&one);
    assert_eq!(get(&collector, "/api/approvals/apr_00000000000000000000000000000000", None).status, 404);
    // The filter's own waits are no looks.
    assert_eq!(get(&collector, &format!("/v1/approvals/{id}"), None).status, 200);
    approve(collector.address, &id);
    look(&one);
    look(list);
    let records = collector.records();
    records.assert_whole();
    let text = |read: &serde_json::Map<_, serde_json::Value>, name: &str| {
        read.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let seen: Vec<_> = records
        .reads()
        .iter()
        .map(|read| {
            let count = read.get("portcullis.read.approvals").and_then(serde_json::Value::as_u64);
            let query = text(read, "portcullis.read.query");
            (text(read, "portcullis.read.address"), query, text(read, "portcullis.read.approval"), count)
        })
        .collect();
    let of =
        |path: &str, query: &str, id: &str, count| (path.to_owned(), query.to_owned(), id.to_owned(), count);
    assert_eq!(
        seen,
        [
            of(list, "", "", Some(0)),
            of(list, "", "", Some(1)),
            of(list, "state=pending", "", Some(1)),
            of(&one, "", &id, None),
            of(&one, "", &id, None),
            of(list, "", "", Some(1)),
        ]
    );
}

fn reads_of_all_collectors_are_one_chain(place: &Place) {
    let collectors = [Collector::start(place, &[]), Collector::start(place, &[])];
    let mut worker = Worker::new(1);
    assert_eq!(send(&collectors[0], &mut worker, 2, None), 200);
    let threads: Vec<_> = (0..40)
        .map(|n| {
            let address = collectors[n % 2].address;
            std::thread::spawn(move || request(address, "GET", "/api/exchanges", &[], b"").unwrap().status)
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 200));
    let records = collectors[1].records();
    records.assert_whole();
    assert_eq!(records.reads().len(), 40);
    assert!(records.reads().iter().all(|read| read["portcullis.read.caller"] == "local"));
}

#[test]
fn a_read_that_cannot_be_recorded_is_refused() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &[]);
    assert_eq!(send(&collector, &mut Worker::new(1), 1, None), 200);
    assert_eq!(get(&collector, "/api/exchanges", None).status, 200);
    // Another program holds the database for longer than the collector waits.
    let file = place.url().strip_prefix("sqlite:").unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lock = runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};
        sqlx::any::install_default_drivers();
        let mut lock = sqlx::AnyConnection::connect(&format!("sqlite:{file}")).await.unwrap();
        lock.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.unwrap();
        lock
    });
    for path in ["/api/exchanges", "/api/records", "/api/live", "/api/approvals"] {
        let answer = get(&collector, path, None);
        assert_eq!(answer.status, 503, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("portcullis.exchange"), "{answer:?}");
    }
    drop(lock);
    eventually(|| get(&collector, "/api/exchanges", None).status, |status| *status == 200);
}
