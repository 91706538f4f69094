//! Workers that fetch an issuer's keys once for all of them.

use super::*;
use crate::host::{CallId, Reply};

struct Fleet {
    host: Memory,
    workers: Vec<Worker>,
    key: Ed25519KeyPair,
    set: Value,
}

fn fleet(count: usize) -> Fleet {
    let key = Ed25519KeyPair::generate().with_key_id("k1");
    let mut set = set(&key);
    set["issuers"][0]["jwks"] = json!({ "cluster": "idp", "uri": "https://idp.example.com/keys" });
    let host = Memory { env: [("KEY".to_owned(), CREDENTIAL.to_owned())].into(), ..Memory::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    host.now.set(u64::try_from(now.as_nanos()).unwrap());
    let start =
        |_| Worker::start(&host, &bundle(&set, true)).unwrap_or_else(|problems| panic!("{problems:?}"));
    let workers = (0..count).map(start).collect();
    Fleet { host, workers, key, set }
}

impl Fleet {
    /// Ticks every worker; gives the calls for keys that they made, with who made them.
    fn tick(&self) -> Vec<(usize, CallId)> {
        let mut made = Vec::new();
        for (at, worker) in self.workers.iter().enumerate() {
            let before = self.host.calls.borrow().len();
            worker.tick(&self.host);
            let calls = self.host.calls.borrow();
            let new = calls[before..].iter().filter(|(_, call)| call.cluster == "idp");
            made.extend(new.map(|(id, _)| (at, *id)));
        }
        made
    }

    fn answer(&self, (at, id): (usize, CallId), control: &str) {
        let body = jwks(&self.key).to_string().into_bytes();
        let headers = vec![header("cache-control", control)];
        self.workers[at].reply(&self.host, id, &Reply::Answer { status: 200, headers, body });
    }

    fn fail(&self, (at, id): (usize, CallId)) {
        self.workers[at].reply(&self.host, id, &Reply::Broken);
    }

    fn pass(&self, milliseconds: u64) {
        self.host.now.set(self.host.now.get() + milliseconds * 1_000_000);
    }

    fn ready(&self) -> usize {
        let token = self.token();
        let now = self.host.now.get();
        let known =
            |worker: &&Worker| worker.verify(&self.host, (&token, &String::new), &[0], now, true).is_ok();
        self.workers.iter().filter(known).count()
    }

    fn token(&self) -> String {
        let claims = Claims::create(Duration::from_hours(20)).with_issuer(ISSUER);
        self.key.sign(claims.with_subject("alice").with_audience("rag")).unwrap()
    }

    /// Ticks for so long, and answers every call.
    fn live(&self, seconds: u64, control: &str) -> usize {
        let mut calls = 0;
        for _ in 0..seconds {
            self.pass(1000);
            for call in self.tick() {
                calls += 1;
                self.answer(call, control);
            }
        }
        calls
    }
}

#[test]
fn one_worker_fetches_and_the_others_take_what_it_left() {
    let fleet = fleet(4);
    let calls = fleet.tick();
    assert_eq!(calls.len(), 1, "one for all");
    assert_eq!((fleet.tick().len(), fleet.ready()), (0, 0));
    fleet.answer(calls[0], "");
    assert_eq!((fleet.tick().len(), fleet.ready()), (0, 4));
    assert_eq!(fleet.live(600, ""), 1, "one for each refresh");
    assert!((9..=10).contains(&fleet.live(5400, "")));
}

#[test]
fn a_worker_that_asks_and_goes_holds_nobody_up_for_long() {
    let fleet = fleet(3);
    let gone = fleet.tick()[0];
    fleet.pass(10_000);
    assert_eq!(fleet.tick().len(), 0);
    fleet.pass(1_100);
    let calls = fleet.tick();
    assert_eq!(calls.len(), 1, "two timeouts and a second later");
    fleet.answer(calls[0], "");
    fleet.tick();
    assert_eq!(fleet.ready(), 2);
    fleet.fail(gone);
    fleet.pass(500);
    assert_eq!((fleet.tick().len(), fleet.ready()), (0, 3), "it finds what the others have");
}

#[test]
fn workers_fail_together() {
    let fleet = fleet(4);
    let mut calls = 0;
    for _ in 0..600 {
        for call in fleet.tick() {
            calls += 1;
            fleet.fail(call);
        }
        fleet.pass(50);
    }
    assert!((5..=9).contains(&calls), "as often in half a minute as one alone would: {calls}");
    let mut left = 600;
    while fleet.ready() < 4 && left > 0 {
        left -= 1;
        fleet.pass(50);
        fleet.tick().into_iter().for_each(|call| fleet.answer(call, ""));
    }
    assert_eq!(fleet.ready(), 4);
}

#[test]
fn keys_are_asked_for_again_when_their_provider_says_so_within_bounds() {
    let fleet = fleet(2);
    let calls = fleet.tick();
    fleet.answer(calls[0], "public, max-age=60");
    fleet.tick();
    assert_eq!(fleet.live(59, "max-age=60"), 0);
    assert_eq!(fleet.live(2, "max-age=0"), 1);
    assert_eq!(fleet.live(28, ""), 0, "never sooner than half a minute");
    assert_eq!(fleet.live(3, "max-age=86400"), 1);
    assert_eq!(fleet.live(500, ""), 0);
    assert_eq!(fleet.live(101, ""), 1, "and never later than `refresh`");
}

#[test]
fn what_workers_of_another_configuration_left_is_not_believed() {
    let mut fleet = fleet(1);
    let calls = fleet.tick();
    fleet.answer(calls[0], "");
    fleet.set["issuers"][0]["leeway"] = json!("1s");
    let other = Worker::start(&fleet.host, &bundle(&fleet.set, true)).ok().unwrap();
    fleet.workers = vec![other];
    assert_eq!(fleet.tick().len(), 1);
}

#[test]
fn a_proxy_that_shares_nothing_has_workers_that_fetch_for_themselves() {
    let fleet = fleet(2);
    fleet.host.shared.borrow_mut().clear();
    let calls = fleet.tick();
    assert_eq!(calls.len(), 2);
    calls.into_iter().for_each(|call| fleet.answer(call, ""));
    assert_eq!(fleet.ready(), 2);
}

#[test]
fn an_unknown_key_is_fetched_once_for_all() {
    let mut fleet = fleet(3);
    let calls = fleet.tick();
    fleet.answer(calls[0], "");
    fleet.tick();
    fleet.key = Ed25519KeyPair::generate().with_key_id("k2");
    let mut other = jwks(&fleet.key);
    other["keys"][0]["kid"] = json!("k2");
    fleet.pass(5000);
    let (token, now) = (fleet.token(), fleet.host.now.get());
    for worker in &fleet.workers {
        assert!(worker.verify(&fleet.host, (&token, &String::new), &[0], now, false).is_err());
    }
    let calls = fleet.tick();
    assert_eq!(calls.len(), 1);
    let body = other.to_string().into_bytes();
    fleet.workers[calls[0].0].reply(
        &fleet.host,
        calls[0].1,
        &Reply::Answer { status: 200, headers: vec![], body },
    );
    assert_eq!(fleet.tick().len(), 0);
    assert_eq!(fleet.ready(), 3);
}

#[test]
fn what_is_only_watched_waits_for_keys_where_it_would_go_without_its_credential() {
    for (credential, flow) in [(true, Flow::Pause), (false, Flow::Continue)] {
        let rig = Rig::with(|set| {
            set["mode"] = json!("monitor");
            set["issuers"][0]["jwks"] = json!({ "cluster": "idp", "uri": "https://idp.example.com/keys" });
            if !credential {
                set["connections"][1].as_object_mut().unwrap().remove("credential");
            }
        });
        let mut exchange = rig.ask(&["rag-users"]);
        assert_eq!(exchange.request_head(&rig.host, true), flow);
    }
}
