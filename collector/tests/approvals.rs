//! Approvals as filters and approvers meet them: the real binary, on both kinds of databases.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;

use portcullis::audit::signature::{Signer, Witness};
use serde_json::{Value, json};
use support::approval::{approve, binding, get, open, post, question, spend, vote};
use support::http::request;
use support::place::Place;
use support::{Collector, eventually, on_every_database};

on_every_database!(
    one_call_has_one_approval_however_many_ask_at_once,
    of_many_exchanges_one_is_let_through_and_hears_it_again,
    whoever_waits_hears_a_decision_wherever_it_is_made,
    what_is_over_is_opened_anew_and_lets_nothing_through,
    a_denial_says_why_and_stands_until_its_time_is_over,
    the_glass_is_broken_loudly,
    open_approvals_are_bounded_and_those_that_are_over_do_not_count,
    every_change_is_a_record_of_the_chain,
    pages_of_approvals_hold_each_once_though_more_come,
    another_call_spends_nothing,
    the_database_itself_refuses_to_go_on_from_an_end,
);

/// One or two collectors, as the database allows.
fn collectors(place: &Place, more: &[&str]) -> Vec<Collector> {
    let many = if matches!(place, Place::Sqlite(_)) { 1 } else { 2 };
    (0..many).map(|_| Collector::start(place, more)).collect()
}

/// Does something sixteen times at once, with the collectors by turns.
fn at_once<T: Send>(collectors: &[Collector], what: impl Fn(usize, SocketAddr) -> T + Sync) -> Vec<T> {
    let what = &what;
    thread::scope(|scope| {
        let turns: Vec<_> = (0..16)
            .map(|turn| {
                let address = collectors[turn % collectors.len()].address;
                scope.spawn(move || what(turn, address))
            })
            .collect();
        turns.into_iter().map(|turn| turn.join().unwrap()).collect()
    })
}

fn one_call_has_one_approval_however_many_ask_at_once(place: &Place) {
    let collectors = collectors(place, &[]);
    for call in 0..10 {
        let ids = at_once(&collectors, |turn, address| open(address, &question(call, &format!("x-{turn}"))));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
    }
    let all = get(collectors[0].address, "/api/approvals?state=pending").json();
    assert_eq!(all["approvals"].as_array().unwrap().len(), 10);
}

fn of_many_exchanges_one_is_let_through_and_hears_it_again(place: &Place) {
    let collectors = collectors(place, &[]);
    for call in 0..10 {
        let id = open(collectors[0].address, &question(call, "x"));
        let early = spend(collectors[0].address, &id, call, "x").unwrap();
        assert_eq!((early.status, &early.json()["state"]), (409, &json!("pending")));
        approve(collectors[0].address, &id);
        let answers = at_once(&collectors, |turn, address| {
            spend(address, &id, call, &format!("x-{}", turn / 2)).unwrap()
        });
        let through: BTreeSet<usize> =
            (0..16).filter(|turn| answers[*turn].status == 200).map(|turn| turn / 2).collect();
        assert_eq!(through.len(), 1, "let through: {through:?}");
        let exchange = format!("x-{}", through.first().unwrap());
        for answer in &answers {
            let body = answer.json();
            assert_eq!(
                (&body["state"], &body["exchange"]),
                (&json!("spent"), &json!(exchange)),
                "{answer:?}"
            );
            assert_eq!(body["by"], json!(["local"]));
        }
        assert_eq!(spend(collectors[0].address, &id, call, &exchange).unwrap().status, 200);
        // What is spent answers for nothing any more.
        assert_ne!(open(collectors[0].address, &question(call, "y")), id);
    }
}

fn whoever_waits_hears_a_decision_wherever_it_is_made(place: &Place) {
    let collectors = collectors(place, &[]);
    let (here, there) = (collectors[0].address, collectors[collectors.len() - 1].address);
    for (call, how, state) in [(0, "approve", "approved"), (1, "deny", "denied")] {
        let id = open(here, &question(call, "x"));
        // Longer than a test waits for an answer: only a decision ends it.
        let answers = thread::scope(|scope| {
            let waiting: Vec<_> = [here, there, here]
                .into_iter()
                .map(|address| {
                    let path = format!("/v1/approvals/{id}?wait=60");
                    scope.spawn(move || get(address, &path))
                })
                .collect();
            thread::sleep(std::time::Duration::from_millis(300));
            assert_eq!(vote(there, &id, how, &json!({ "reason": "because" })).status, 200);
            waiting.into_iter().map(|answer| answer.join().unwrap()).collect::<Vec<_>>()
        });
        for answer in answers {
            assert_eq!((answer.status, &answer.json()["state"]), (200, &json!(state)));
        }
    }
    // A short wait ends by itself, no wait at once.
    let id = open(here, &question(2, "x"));
    for wait in ["?wait=1", "", "?wait=0"] {
        let answer = get(here, &format!("/v1/approvals/{id}{wait}"));
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("pending")));
    }
    // So does the life of an approval.
    let mut short = question(3, "x");
    short["ttl"] = json!(1);
    let id = open(here, &short);
    assert_eq!(get(here, &format!("/v1/approvals/{id}?wait=60")).json()["state"], "expired");
}

fn what_is_over_is_opened_anew_and_lets_nothing_through(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut short = question(1, "x");
    short["ttl"] = json!(2);
    let id = open(collector.address, &short);
    assert_eq!(open(collector.address, &short), id);
    approve(collector.address, &id);
    eventually(
        || get(collector.address, &format!("/v1/approvals/{id}")).json()["state"].clone(),
        |state| state == "expired",
    );
    let late = spend(collector.address, &id, 1, "x").unwrap();
    assert_eq!((late.status, &late.json()["state"]), (409, &json!("expired")));
    assert_eq!(vote(collector.address, &id, "approve", &json!({})).status, 409);
    let again = open(collector.address, &short);
    assert_ne!(again, id);
    // It is noted once, whoever sees it first.
    eventually(
        || collector.records().approvals().into_iter().filter(|what| what == "expired").count(),
        |count| *count == 2,
    );
    assert_eq!(get(collector.address, "/api/approvals?state=expired").json()["approvals"][0]["id"], again);
}

fn a_denial_says_why_and_stands_until_its_time_is_over(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut short = question(1, "x");
    short["ttl"] = json!(3);
    let id = open(collector.address, &short);
    assert_eq!(vote(collector.address, &id, "deny", &json!({})).status, 400);
    assert_eq!(vote(collector.address, &id, "deny", &json!({ "reason": " \n " })).status, 400);
    let denied = vote(collector.address, &id, "deny", &json!({ "reason": "Not on\nFridays. \u{1f600}" }));
    assert_eq!(denied.status, 200);
    let told = post(collector.address, "/v1/approvals", &short).unwrap().json();
    assert_eq!((&told["id"], &told["state"]), (&json!(id), &json!("denied")));
    assert_eq!((&told["reason"], &told["by"]), (&json!("Not on Fridays. \u{1f600}"), &json!(["local"])));
    let more = vote(collector.address, &id, "approve", &json!({}));
    assert_eq!((more.status, &more.json()["approval"]["state"]), (409, &json!("denied")));
    assert_eq!(spend(collector.address, &id, 1, "x").unwrap().status, 409);
    let again = eventually(|| open(collector.address, &short), |again| *again != id);
    assert_eq!(get(collector.address, &format!("/v1/approvals/{again}")).json()["state"], "pending");
    assert_eq!(get(collector.address, &format!("/v1/approvals/{id}")).json()["state"], "denied");
}

fn the_glass_is_broken_loudly(place: &Place) {
    let collector = Collector::start(place, &[]);
    let mut strict = question(1, "x");
    strict["rules"] = json!([{ "rule": "db-tools", "approvers": ["dba"], "quorum": 2 }]);
    let id = open(collector.address, &strict);
    assert_eq!(vote(collector.address, &id, "approve", &json!({})).status, 403);
    assert_eq!(vote(collector.address, &id, "break-glass", &json!({})).status, 400);
    let broken = vote(collector.address, &id, "break-glass", &json!({ "reason": "the site is down" }));
    assert_eq!((broken.status, &broken.json()["state"]), (200, &json!("approved")));
    assert_eq!(spend(collector.address, &id, 1, "x").unwrap().status, 200);
    let records = collector.records();
    let loud =
        records.bodies().find(|body| body["event.name"] == "portcullis.collector.break_glass").unwrap();
    assert_eq!(loud["portcullis.approval.reason"], "the site is down");
    assert_eq!(loud["portcullis.approval.approver"], "local");
    records.assert_whole();
    let said = || collector.said.lock().unwrap().clone();
    eventually(said, |said| {
        said.iter()
            .any(|line| line.contains("WARN") && line.contains("the glass was broken") && line.contains(&id))
    });
}

fn open_approvals_are_bounded_and_those_that_are_over_do_not_count(place: &Place) {
    let collector = Collector::start(place, &["--max-approvals-per-caller", "2", "--max-approvals", "3"]);
    let asked = |call: usize, caller: &str, ttl: u32| {
        let mut question = question(call, "x");
        question["caller"]["id"] = json!(caller);
        question["ttl"] = json!(ttl);
        post(collector.address, "/v1/approvals", &question).unwrap()
    };
    assert_eq!((asked(1, "alice", 900).status, asked(2, "alice", 1).status), (200, 200));
    let full = asked(3, "alice", 900);
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert!(full.json()["error"].as_str().unwrap().contains("this caller has too many"));
    // What is there already is found all the same.
    assert_eq!(asked(1, "alice", 900).status, 200);
    assert_eq!(asked(4, "bob", 900).status, 200);
    eventually(|| asked(3, "alice", 900).status, |status| *status == 200);
    let full = asked(5, "carol", 900);
    assert!(full.json()["error"].as_str().unwrap().contains("there are too many"), "{full:?}");
    // A decision makes room.
    let id = asked(4, "bob", 900).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(vote(collector.address, &id, "deny", &json!({ "reason": "no" })).status, 200);
    assert_eq!(asked(5, "carol", 900).status, 200);
}

fn every_change_is_a_record_of_the_chain(place: &Place) {
    let collector = Collector::start(place, &[]);
    let id = open(collector.address, &question(1, "x-1"));
    approve(collector.address, &id);
    assert_eq!(spend(collector.address, &id, 1, "x-2").unwrap().status, 200);
    // What changes nothing is no record.
    assert_eq!(spend(collector.address, &id, 1, "x-2").unwrap().status, 200);
    assert_eq!(spend(collector.address, &id, 1, "x-3").unwrap().status, 409);
    assert_eq!(vote(collector.address, &id, "approve", &json!({})).status, 409);
    let records = collector.records();
    assert_eq!(records.approvals(), ["opened", "voted", "approved", "spent"]);
    records.assert_whole();
    let shown: BTreeSet<String> =
        records.bodies().map(|body| body["portcullis.approval.shown"].to_string()).collect();
    assert_eq!(shown.len(), 1);
    for body in records.bodies() {
        assert_eq!(body["portcullis.approval"], *id);
        assert_eq!(body["user.id"], "https://idp.example.com#alice");
        assert_eq!(body["portcullis.approval.rules"], json!(["db-tools"]));
        let exchange = if body["portcullis.approval.what"] == "spent" { "x-2" } else { "x-1" };
        assert_eq!(body["portcullis.exchange"], exchange);
        assert!(!Value::Object(body).to_string().contains("secret-prompt"));
    }
}

fn pages_of_approvals_hold_each_once_though_more_come(place: &Place) {
    let collector = Collector::start(place, &[]);
    let opened: Vec<String> = (0..7).map(|call| open(collector.address, &question(call, "x"))).collect();
    approve(collector.address, &opened[3]);
    let mut seen: Vec<String> = Vec::new();
    let mut cursor = String::new();
    for turn in 0.. {
        let page = get(collector.address, &format!("/api/approvals?limit=2{cursor}")).json();
        seen.extend(
            page["approvals"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        open(collector.address, &question(100 + turn, "x"));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, opened.iter().rev().cloned().collect::<Vec<_>>());
    let pending = get(collector.address, "/api/approvals?state=approved").json();
    let one = &pending["approvals"][0];
    assert_eq!((&one["id"], &one["rules"][0]["approved_by"]), (&json!(opened[3]), &json!(["local"])));
    assert!(one.get("prompt").is_none());
    let whole = get(collector.address, &format!("/api/approvals/{}", opened[2])).json();
    assert_eq!(whole["prompt"]["text"], "user: drop \u{0} table 'secret-prompt'");
    assert_eq!(whole["may"], json!({ "approve": true, "deny": true, "break_glass": true, "why_not": null }));
    assert_eq!(whole["ignored"]["/metadata/request_time"], "2026-11-01T00:00:00Z");
    for query in ["state=secret", "limit=0", "limit=201", "cursor=x", "cursor=-1", "secret=1"] {
        let wrong = get(collector.address, &format!("/api/approvals?{query}"));
        assert!(wrong.status == 400 && !String::from_utf8_lossy(&wrong.body).contains("secret"), "{query}");
    }
}

fn another_call_spends_nothing(place: &Place) {
    let collector = Collector::start(place, &[]);
    let id = open(collector.address, &question(1, "x"));
    approve(collector.address, &id);
    let other = spend(collector.address, &id, 2, "x").unwrap();
    assert_eq!((other.status, &other.json()["state"]), (409, &json!("approved")));
    assert_eq!(spend(collector.address, &id, 1, "x").unwrap().status, 200);
    assert_eq!(spend(collector.address, &id, 2, "x").unwrap().status, 409);
}

fn the_database_itself_refuses_to_go_on_from_an_end(place: &Place) {
    let collector = Collector::start(place, &[]);
    let id = open(collector.address, &question(1, "x"));
    approve(collector.address, &id);
    assert_eq!(spend(collector.address, &id, 1, "x").unwrap().status, 200);
    for change in [
        "UPDATE approvals SET state = 'approved', exchange = NULL",
        "UPDATE approvals SET exchange = 'y'",
        "UPDATE approvals SET state = 'lost'",
    ] {
        assert!(!place.sql(change), "{change}");
    }
    open(collector.address, &question(2, "x"));
    open(collector.address, &question(3, "x"));
    assert!(!place.sql("UPDATE approvals SET standing = 'same' WHERE state = 'pending'"));
    assert!(place.sql("UPDATE approvals SET standing = NULL WHERE state = 'pending'"));
}

#[test]
fn a_verdict_is_signed_and_proves_itself() {
    let seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let place = Place::sqlite();
    let key = [("PORTCULLIS_COLLECTOR_APPROVALS_KEY", seed)];
    let collector = Collector::start_with(&place, &[], &key);
    let id = open(collector.address, &question(1, "x"));
    approve(collector.address, &id);
    let verdict = spend(collector.address, &id, 1, "x").unwrap().json();
    // As `portcullis audit public-key` prints it.
    let witness = Witness::of_public(&Signer::of_seed(seed).unwrap().public()).unwrap();
    let signature = verdict["signature"].as_str().unwrap();
    assert!(witness.signed_spent(&id, &binding(1), "x", signature));
    assert!(!witness.signed_spent(&id, &binding(1), "y", signature));
    let again = spend(collector.address, &id, 1, "x").unwrap().json();
    assert_eq!(again["signature"], verdict["signature"]);
    let refused = spend(collector.address, &id, 1, "y").unwrap().json();
    assert!(refused.get("signature").is_none());
}

#[test]
fn what_cannot_be_asked_is_refused_with_the_reason() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &[]);
    let id = open(collector.address, &question(1, "x"));
    let send = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = request(collector.address, "POST", path, headers, body).unwrap();
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    let spend = format!("/v1/approvals/{id}/spend");
    let nowhere = format!("/v1/approvals/apr_{}/spend", "0".repeat(32));
    let json = [("content-type", "application/json")];
    let good = json!({ "binding": binding(1), "exchange": "x" }).to_string();
    let long = vec![b' '; 2 << 20];
    for (path, headers, body, status, told) in [
        ("/v1/approvals", &json[..], &b"secret"[..], 400, "no JSON"),
        ("/v1/approvals", &json, b"{}", 400, "missing field"),
        ("/v1/approvals", &json, &long, 413, "longer than"),
        ("/v1/approvals", &[("content-encoding", "gzip")], b"", 415, "content-encoding"),
        (&spend, &json, b"{\"binding\":\"secret\",\"exchange\":\"x\"}", 400, "64 hexadecimal digits"),
        (&spend, &json, b"{\"exchange\":\"secret\"}", 400, "64 hexadecimal digits"),
        (&nowhere, &json, good.as_bytes(), 404, "no such approval"),
        ("/v1/approvals/%00/spend", &json, good.as_bytes(), 404, "no such approval"),
    ] {
        let (answered, body) = send(path, headers, body);
        assert_eq!(answered, status, "{path}: {body}");
        let error: Value = serde_json::from_str(&body).unwrap();
        let error = error["error"].as_str().unwrap().to_owned();
        assert!(error.contains(told) && !body.contains("secret"), "{path}: {body}");
    }
    for (query, status) in [("wait=61", 400), ("wait=-1", 400), ("wait=x", 400), ("other=1", 400), ("", 200)]
    {
        assert_eq!(get(collector.address, &format!("/v1/approvals/{id}?{query}")).status, status, "{query}");
    }
    assert_eq!(get(collector.address, "/v1/approvals/apr_x").status, 404);
    let approve = format!("/api/approvals/{id}/approve");
    let reason = json!({ "reason": "x".repeat(1001) }).to_string();
    for (headers, body, status) in [
        (&[][..], &b"{}"[..], 415),
        (&[("content-type", "text/plain")], b"{}", 415),
        (&json, b"[1]", 400),
        (&json, b"{\"reasons\":\"x\"}", 400),
        (&json, reason.as_bytes(), 400),
        (&json, &vec![b' '; 20 << 10], 413),
        (&json, b"", 200),
    ] {
        assert_eq!(send(&approve, headers, body).0, status, "{:?}", body.get(..20));
    }
    assert_eq!(vote(collector.address, "apr_x", "approve", &json!({})).status, 404);
}

#[test]
fn those_who_wait_are_bounded_and_a_stop_ends_their_wait() {
    let place = Place::sqlite();
    let mut collector = Collector::start(&place, &["--max-approval-waits", "2"]);
    let address = collector.address;
    let id = open(address, &question(1, "x"));
    thread::scope(|scope| {
        let wait = |scope: &thread::Scope<'_, '_>| {
            let path = format!("/v1/approvals/{id}?wait=60");
            let _ = scope;
            move || get(address, &path)
        };
        let waiting: Vec<_> = (0..2).map(|_| scope.spawn(wait(scope))).collect();
        let full =
            eventually(|| get(address, &format!("/v1/approvals/{id}?wait=1")), |full| full.status == 503);
        assert_eq!(full.header("retry-after"), Some("1"));
        // Whoever does not wait takes no place.
        assert_eq!(get(address, &format!("/v1/approvals/{id}")).status, 200);
        collector.terminate();
        for one in waiting {
            let answer = one.join().unwrap();
            assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("pending")));
        }
    });
    assert_eq!(collector.wait(), 0);
}
