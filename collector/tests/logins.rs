//! How people come in by their browsers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use serde_json::json;
use support::access::{BOOTSTRAP, Browser, OWN, get, issuer, with_logins};
use support::place::Place;
use support::provider::{CLIENT, Provider, SECRET, seconds};
use support::{Collector, eventually};

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
