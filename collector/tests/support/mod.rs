//! What the tests share: the real binary on real sockets, workers that send, readers that judge.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    unused_macros,
    unused_imports,
    reason = "a test may; not every test uses all of it"
)]

pub mod access;
pub mod approval;
pub mod http;
pub mod otlp;
pub mod place;
pub mod provider;
pub mod worker;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis::audit::verify::{Knowledge, Report, Stored, verify};
use serde_json::{Map, Value};

use http::{Answer, request};
use place::Place;

/// A collector that runs; killed when it is dropped.
pub struct Collector {
    process: Child,
    pub address: SocketAddr,
    /// What it logged since.
    pub said: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    /// Starts one and waits until it listens.
    pub fn start(place: &Place, more: &[&str]) -> Self {
        Self::start_with(place, more, &[])
    }

    /// With this in its environment.
    pub fn start_with(place: &Place, more: &[&str], environment: &[(&str, &str)]) -> Self {
        // A benchmark names the one to be measured.
        let built = env!("CARGO_BIN_EXE_portcullis-collector");
        let program = std::env::var("COLLECTOR").unwrap_or_else(|_| built.to_owned());
        let mut process = Command::new(program)
            .args(["--database", &place.url()])
            .args(if more.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .args(more)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(line) = lines.next() else {
                panic!("the collector did not start: {said:?}: {:?}", process.wait())
            };
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("listening address=") {
                break address.parse().unwrap();
            }
            said.push(line);
        };
        // What it says later must not fill the pipe.
        let since = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&since);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line));
        });
        Self { process, address, said: since }
    }

    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.address, "POST", "/v1/logs", headers, body).unwrap()
    }

    pub fn json(&self, body: &[u8]) -> Answer {
        self.post(&[("content-type", "application/json")], body)
    }

    /// The export, to the byte.
    pub fn export(&self) -> String {
        let answer = request(self.address, "GET", "/api/records", &[], b"").unwrap();
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    }

    pub fn records(&self) -> Records {
        Records::of(&self.export())
    }

    /// Kills it at once, as a machine that loses its power does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same, while others still use it.
    pub fn signal(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }

    /// Asks it to stop; gives its exit code.
    pub fn stop(&mut self) -> i32 {
        self.terminate();
        self.process.wait().unwrap().code().unwrap()
    }

    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Asks it to read its certificate anew.
    pub fn hangup(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> i32 {
        self.process.wait().unwrap().code().unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the collector said: {:#?}", self.said.lock().unwrap());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A body and its attributes.
pub type Line = (String, Vec<(String, Value)>);

/// What an export holds.
pub struct Records(pub Vec<Line>);

impl Records {
    pub fn of(export: &str) -> Self {
        let line = |line: &str| {
            let log: Value = serde_json::from_str(line).unwrap();
            let attributes = log["attributes"].as_array().unwrap().iter();
            let attributes =
                attributes.map(|one| (one["key"].as_str().unwrap().into(), one["value"].clone()));
            (log["body"]["stringValue"].as_str().unwrap().to_owned(), attributes.collect())
        };
        Self(export.lines().map(line).collect())
    }

    /// What `portcullis audit verify` would say.
    pub fn report(&self) -> Report {
        let stored = self.0.iter().map(|(body, attributes)| Stored { body, attributes });
        verify(stored, &Knowledge::default())
    }

    /// Every chain is whole, nothing is there twice.
    pub fn assert_whole(&self) {
        let findings = self.report().findings;
        assert!(findings.is_empty(), "{findings:?}");
    }

    pub fn bodies(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.0.iter().map(|(body, _)| serde_json::from_str(body).unwrap())
    }

    /// Bodies of others than the collector itself.
    pub fn of_workers(&self) -> Vec<&str> {
        let all = self.0.iter().map(|(body, _)| body.as_str());
        all.filter(|body| !body.contains(r#""event.name":"portcullis.collector."#)).collect()
    }

    /// Records of reads.
    pub fn reads(&self) -> Vec<Map<String, Value>> {
        self.bodies().filter(|body| body["event.name"] == "portcullis.collector.read").collect()
    }

    /// Alarms: what, and the numbers that they are about.
    pub fn alerts(&self) -> Vec<(String, u64, u64)> {
        let alerts = self.bodies().filter(|body| body["event.name"] == "portcullis.collector.alert");
        let number =
            |body: &Map<_, Value>, name: &str| body.get(name).and_then(Value::as_u64).unwrap_or_default();
        let alert = |body: Map<String, Value>| {
            let what = body["portcullis.alert.what"].as_str().unwrap().to_owned();
            (what, number(&body, "portcullis.alert.first"), number(&body, "portcullis.alert.last"))
        };
        alerts.map(alert).collect()
    }

    /// What happened to approvals, in its order.
    pub fn approvals(&self) -> Vec<String> {
        let of = self.bodies().filter(|body| body.contains_key("portcullis.approval"));
        of.map(|body| body["portcullis.approval.what"].as_str().unwrap().to_owned()).collect()
    }

    /// Records of others than the collector itself.
    pub fn taken(&self) -> usize {
        self.of_workers().len()
    }
}

/// Waits until something holds; `panic`s with what it looks like should it not.
pub fn eventually<T: std::fmt::Debug>(look: impl Fn() -> T, holds: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = look();
        if holds(&seen) {
            return seen;
        }
        assert!(Instant::now() < until, "it did not come to hold: {seen:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same tests on each kind of database.
macro_rules! on_every_database {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&crate::support::place::Place::sqlite()); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&crate::support::place::Place::postgres()); })*
        }
    };
}
pub(crate) use on_every_database;
