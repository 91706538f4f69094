#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
//! What it takes to load a policy set: time by steps and memory; and to choose a request's connection.
//!
//! `cargo bench --bench loading`, and in Node's V8 `benches/masker-v8 build loading && benches/masker-v8 run loading`.
//! The large set has 200 connections, 50 policies and 1,000 rules; the dictionary has 100,000 words.
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis::config::json;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::exchange::guard::Guard;
use portcullis::exchange::head::Head;
use serde_json::{Value, json};

const ROUNDS: usize = 3;
const HOST: HostPromises = HostPromises { body_before_headers: true };

fn main() {
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "set", "KB", "parse ms", "comp. ms", "all ms", "kept KB", "peak KB"
    );
    for (name, set) in [
        ("small", small()),
        ("100 words", dictionary(100)),
        ("100000 words", dictionary(100_000)),
        ("200/50/1000", large(false)),
        ("200/50/1000, own keys", large(true)),
    ] {
        load(name, &set);
    }
    choose();
}

/// The plugin configuration of a set, as the module gets it.
fn bundled(set: &Value) -> String {
    let mut root = json::read(set.to_string().as_bytes()).expect("JSON");
    assert_eq!(root.settle(), []);
    let (bundle, _) = Bundle::of(&root, "abc123", HOST).expect("a set");
    bundle.encode(&root).expect("a bundle")
}

fn started(configuration: &str) -> (Guard, Duration) {
    let env = |name: &str| Some(format!("sk-0123456789abcdef-{name}"));
    let start = Instant::now();
    let (bundle, _) = Bundle::parse(configuration.as_bytes()).expect("a bundle");
    let parsed = start.elapsed();
    let guard = Guard::compile(&bundle, Some(&env));
    (guard.map_err(|problems| problems.len()).expect("a guard"), parsed)
}

fn load(name: &str, set: &Value) {
    let configuration = bundled(set);
    let (mut parse, mut all) = (Duration::MAX, Duration::MAX);
    let (mut kept, mut peak) = (0, 0);
    for _ in 0..ROUNDS {
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = Instant::now();
        let (guard, parsed) = started(&configuration);
        all = all.min(start.elapsed());
        parse = parse.min(parsed);
        kept = NOW.load(Ordering::Relaxed) - before;
        peak = PEAK.load(Ordering::Relaxed) - before;
        black_box(&guard);
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<28} {:>8} {:>8.1} {:>8.1} {:>8.1} {:>9} {:>9}",
        configuration.len() / 1000,
        ms(parse),
        ms(all) - ms(parse),
        ms(all),
        kept / 1000,
        peak / 1000
    );
}

/// Microseconds to find the connection of a request, by how far behind it stands.
fn choose() {
    const TIMES: u32 = 20_000;
    let (guard, _) = started(&bundled(&large(false)));
    println!("\n{:<28} {:>8}", "connection", "choose µs");
    for at in [0, 100, 199] {
        let head = Head {
            method: "POST".into(),
            authority: format!("team-{at}.llm.example.com"),
            path: format!("/v1/team-{at}/chat/completions"),
            ..Head::default()
        };
        let path = head.path.clone();
        let found = || black_box(&guard.routes).choose(&head, &path);
        assert_eq!(found(), Some(at));
        let best = (0..ROUNDS * 3).map(|_| {
            let start = Instant::now();
            (0..TIMES).for_each(|_| _ = black_box(found()));
            start.elapsed() / TIMES
        });
        let best = best.min().unwrap_or_default();
        println!("{:<28} {:>8.2}", format!("{} of 200", at + 1), best.as_secs_f64() * 1e6);
    }
}

fn issuers() -> Value {
    json!([{ "name": "corp", "issuer": "https://idp.example.com", "audiences": ["rag"], "jwks": { "cluster": "idp" } }])
}

fn small() -> Value {
    json!({
        "version": 1,
        "issuers": issuers(),
        "connections": [{ "name": "chat", "protocol": "openai", "policy": "p", "match": { "path_prefix": "/v1" },
            "credential": { "header": "authorization", "value": "Bearer ${env:KEY}" } }],
        "policies": [{ "name": "p", "allow": "\"rag-users\" in identity.groups",
            "mask": { "response": { "entities": ["PII", "SECRETS"] } } }],
    })
}

fn dictionary(words: usize) -> Value {
    let syllables = ["ka", "ber", "lin", "to", "mar", "sel", "vi", "no", "ra", "dun", "es", "the"];
    let name = |at: usize| {
        // Each number below 12 to the sixth once, in no order.
        let mut left = at * 1_234_577 % 2_985_984;
        let mut name = String::new();
        for part in 0..6 {
            name.push_str(syllables[left % 12]);
            left /= 12;
            name.push_str(if part == 2 { " " } else { "" });
        }
        name
    };
    let names: Vec<String> = (0..words).map(name).collect();
    let mut set = small();
    set["detectors"] = json!([{ "name": "CUSTOMER", "words": names, "ignore_case": true }]);
    set["policies"][0]["mask"]["response"]["entities"] = json!(["PII", "SECRETS", "CUSTOMER"]);
    set
}

/// 200 connections, 50 policies with 20 rules each.
fn large(own_keys: bool) -> Value {
    let connection = |at: usize| {
        let key = if own_keys { format!("KEY_{at}") } else { "KEY".to_owned() };
        json!({
            "name": format!("c{at}"), "protocol": "openai", "policy": format!("p{}", at % 50),
            "match": [
                { "authority": format!("team-{at}.llm.example.com"), "path_prefix": format!("/v1/team-{at}") },
                { "route": format!("route-{at}"), "method": "POST" },
            ],
            "credential": { "header": "authorization", "value": format!("Bearer ${{env:{key}}}") },
        })
    };
    let rule = |policy: usize, at: usize| {
        let name = format!("r{at}");
        let limit = 1000 + policy * 20 + at;
        match at % 5 {
            0 => {
                json!({ "name": name, "deny": format!("!(llm.model in [\"\", \"gpt-4o-mini\", \"gpt-4o-{policy}-{at}\"])") })
            }
            1 => {
                json!({ "name": name, "deny": format!("llm.prompt_chars > {limit}"), "message": "Prompts are limited." })
            }
            2 => {
                json!({ "name": name, "deny": format!("\"CREDIT_CARD\" in prompt.entities && !(\"g{limit}\" in identity.groups)") })
            }
            3 => {
                json!({ "name": name, "flag": format!("llm.tools.exists(t, t.startsWith(\"db_{limit}\")) || identity.claims.team == \"t{at}\"") })
            }
            _ => {
                json!({ "name": name, "flag": format!("prompt.text.matches(\"(?i)ignore (all|any|previous) .*instructions {limit}\")") })
            }
        }
    };
    let policy = |at: usize| {
        json!({
            "name": format!("p{at}"),
            "allow": format!("\"rag-users\" in identity.groups && identity.claims.tenant == \"t{at}\""),
            "rules": (0..20).map(|rule_at| rule(at, rule_at)).collect::<Vec<_>>(),
            "mask": { "response": { "entities": ["PII", "SECRETS"], "overrides": { "CREDIT_CARD": { "operator": "mask", "keep_last": 4 } } } },
        })
    };
    json!({
        "version": 1,
        "issuers": issuers(),
        "connections": (0..200).map(connection).collect::<Vec<_>>(),
        "policies": (0..50).map(policy).collect::<Vec<_>>(),
    })
}

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is done by the system's own allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
