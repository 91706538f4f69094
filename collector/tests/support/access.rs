//! Who asks: services by their tokens, people by their browsers.

use super::Collector;
use super::http::{Answer, request};
use super::place::Place;
use super::provider::{CLIENT, Provider, SECRET};
use super::worker::Worker;

pub const WRITER: &str = "writer-token-0123456789";
pub const BOOTSTRAP: &str = "bootstrap-token-0123456789";

/// As a person's browser reaches it.
pub const PAGE: &str = "http://audit.example";

pub fn issuer(provider: &Provider) -> String {
    format!(
        "{},audience=audit,auditor=readers,approver=deciders,admin=admins,writer=filters,break_glass=chiefs",
        provider.issuer()
    )
}

pub fn asking(place: &Place, provider: &Provider) -> Collector {
    let issuer = issuer(provider);
    let environment = [("PORTCULLIS_COLLECTOR_WRITER_TOKEN", WRITER)];
    Collector::start_with(place, &["--issuer", &issuer], &environment)
}

pub fn ask(collector: &Collector, method: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    request(collector.address, method, path, &headers, b"").unwrap()
}

pub fn get(collector: &Collector, path: &str, token: Option<&str>) -> Answer {
    ask(collector, "GET", path, token)
}

pub fn send(collector: &Collector, worker: &mut Worker, exchanges: usize, token: Option<&str>) -> u16 {
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

/// What a browser has.
#[derive(Default)]
pub struct Browser(pub std::collections::BTreeMap<String, String>);

impl Browser {
    pub fn ask(
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

    pub fn get(&mut self, collector: &Collector, path: &str) -> Answer {
        self.ask(collector, "GET", path, &[], "")
    }

    /// To the provider and back.
    pub fn log_in(&mut self, collector: &Collector, provider: &Provider, path: &str) -> Answer {
        let there = self.get(collector, path);
        assert_eq!(there.status, 303, "{there:?}");
        let back = provider.consent(there.header("location").unwrap());
        self.get(collector, &format!("/login/callback?{back}"))
    }
}

pub const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

pub fn with_logins(place: &Place, provider: &Provider, more: &[(&str, &str)]) -> Collector {
    let issuer = format!("{},client_id={CLIENT},scope=groups", issuer(provider));
    let mut environment = vec![("PORTCULLIS_COLLECTOR_CLIENT_SECRET", SECRET)];
    environment.extend(more);
    Collector::start_with(place, &["--issuer", &issuer, "--public-url", PAGE], &environment)
}
