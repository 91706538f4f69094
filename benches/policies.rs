#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]
//! What policy costs: to load a set (time by steps, memory), to choose a request's connection, to read what a request
//! asks for, to evaluate a condition, to admit a request to a budget, to find a token that was verified before.
//!
//! `cargo bench --bench policies` (behind `--`, any of `load`, `choose`, `views`, `conditions`, `budgets` and `tokens` alone), and
//! in Node's V8 `benches/masker-v8 build policies && benches/masker-v8 run policies`.
//! The large set has 200 connections, 50 policies and 1,000 rules; the dictionary has 100,000 words.
mod sets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis::config::json;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::exchange::guard::Guard;
use portcullis::exchange::head::Head;
use portcullis::identity::{Cache, Identity};
use portcullis::policy::budget::{Bucket, Fingerprint, Rate, Slot};
use portcullis::policy::{Condition, Fact, Facts, Phase, Variable};
use portcullis::protocol::api::APIS;
use portcullis::protocol::request::RequestView;
use serde_json::{Value, json};
use sets::{dictionary, large, small};

const ROUNDS: usize = 3;
const HOST: HostPromises = HostPromises { body_before_headers: true };

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|wanted| !wanted.starts_with("--")).collect();
    let all: [(&str, fn()); 6] = [
        ("load", loads),
        ("choose", choose),
        ("views", views),
        ("conditions", conditions),
        ("budgets", budgets),
        ("tokens", tokens),
    ];
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure();
        }
    }
}

/// What sets of several sizes cost to load.
fn loads() {
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
        let best = best(TIMES, || _ = black_box(found()));
        println!("{:<28} {:>8.2}", format!("{} of 200", at + 1), best.as_secs_f64() * 1e6);
    }
}

/// Nanoseconds to evaluate a condition, in turns that are long enough for the clock.
fn conditions() {
    const TIMES: u32 = 20_000;
    println!("\n{:<28} {:>8}", "condition", "ns");
    let facts = Typical::default();
    for (name, source) in CONDITIONS {
        let condition = Condition::compile(source, Phase::Body).expect("a condition");
        condition.evaluate(&facts).expect("a verdict");
        let best = best(TIMES, || _ = black_box(black_box(&condition).evaluate(&facts)));
        println!("{name:<28} {:>8.0}", best.as_secs_f64() * 1e9);
    }
}

/// What it takes to admit a request to a local budget, and to settle it, but for the proxy's own shared data: the key's bucket
/// is found, the slot read, changed and written.
fn budgets() {
    const TIMES: u32 = 20_000;
    const MINUTE: u64 = 60_000_000_000;
    println!("\n{:<28} {:>8} {:>8}", "budget", "admit us", "settle us");
    let rate = Rate::new(1 << 30, MINUTE);
    let key = "https://idp.example.com#00u1a2b3c4d5e6f7g8h9";
    for (name, others) in [("alone in its slot", 0), ("in a slot with 23 others", 23)] {
        let own = Fingerprint::of(&["rag-chat", "user-tokens", key]);
        let mut slot = Slot::default();
        // What is told apart by keys of one slot is found by trying.
        let alike =
            (0_u64..).map(|n| Fingerprint::of(&[&n.to_string()])).filter(|other| other.slot == own.slot);
        for other in alike.take(others) {
            slot.bucket(other, rate, 0).expect("room").take(1 << 20);
        }
        let bytes = slot.write();
        let changed = |act: fn(&mut Bucket)| {
            best(TIMES, || {
                let of = Fingerprint::of(&["rag-chat", "user-tokens", black_box(key)]);
                let mut slot = Slot::read(black_box(&bytes), 1);
                act(slot.bucket(of, rate, 1).expect("room"));
                _ = black_box(slot.write());
            })
        };
        let admit = changed(|bucket| _ = bucket.take(1000));
        let settle = changed(|bucket| {
            bucket.charge(200);
            bucket.give_back(100);
        });
        println!("{name:<28} {:>8.2} {:>8.2}", admit.as_secs_f64() * 1e6, settle.as_secs_f64() * 1e6);
    }
}

/// What it takes to find the caller of a token that was verified a moment ago: the hash of the whole token, and the look-up.
fn tokens() {
    const TIMES: u32 = 20_000;
    const HOUR: u64 = 3_600_000_000_000;
    println!("\n{:<28} {:>8}", "token", "found us");
    for (name, length) in [("of 700 bytes, as RS256 has", 700), ("of 2 KB", 2048)] {
        let token = |number: usize| format!("{number:0>length$}");
        let mut cache = Cache::new([7; 16], portcullis::identity::cache::DEFAULT_ENTRIES);
        for number in 0..portcullis::identity::cache::DEFAULT_ENTRIES {
            cache.put(&token(number), Arc::new(caller(number)), 1);
        }
        let asked = token(500);
        let found = best(TIMES, || {
            let identity = cache.get(black_box(&asked), &[0], HOUR, |_| 1);
            _ = black_box(identity.expect("remembered"));
        });
        println!("{name:<28} {:>8.2}", found.as_secs_f64() * 1e6);
    }
}

fn caller(number: usize) -> Identity {
    Identity {
        id: format!("https://idp.example.com#{number}"),
        subject: number.to_string(),
        issuer: "https://idp.example.com".to_owned(),
        issuer_index: 0,
        groups: vec!["rag-users".to_owned()],
        groups_malformed: false,
        claims: serde_json::Map::new(),
        expires: u64::MAX,
    }
}

/// The rules of a chat for a team, by what they do.
const CONDITIONS: &[(&str, &str)] = &[
    ("a group", "\"rag-users\" in identity.groups"),
    ("a model of four", "!(llm.model in [\"\", \"gpt-4o-mini\", \"gpt-4o\", \"o3\"])"),
    ("a length", "llm.prompt_chars > 20000"),
    ("an entity", "\"CREDIT_CARD\" in prompt.entities"),
    ("a claim", "has(identity.claims.tenant) && identity.claims.tenant == \"acme\""),
    ("a network", "!cidr(\"10.0.0.0/8\").containsIP(source.address)"),
    ("four tools", "llm.tools.exists(t, t.startsWith(\"db_\"))"),
    ("a pattern on 1 KB", "prompt.text.matches(\"(?i)ignore (all|any|previous) .*instructions\")"),
];

/// What the conditions read.
struct Typical {
    groups: Vec<String>,
    tools: Vec<String>,
    claims: serde_json::Map<String, Value>,
    prompt: String,
}

impl Default for Typical {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let claims = json!({ "tenant": "acme", "level": 3, "iss": "https://idp.example.com" });
        Self {
            groups: texts(&["engineering", "search", "on-call", "rag-users"]),
            tools: texts(&["search", "read_file", "write_file", "browse"]),
            claims: claims.as_object().cloned().unwrap_or_default(),
            prompt: PROSE.repeat(8)[..1024].to_owned(),
        }
    }
}

impl Facts for Typical {
    fn fact(&self, variable: Variable) -> Fact<'_> {
        match variable {
            Variable::IdentityGroups => Fact::List(&self.groups),
            Variable::IdentityClaims => Fact::Json(&self.claims),
            Variable::SourceAddress => Fact::Str("10.1.2.3"),
            Variable::LlmModel => Fact::Str("gpt-4o"),
            Variable::LlmPromptChars => Fact::Int(1024),
            Variable::LlmTools => Fact::List(&self.tools),
            Variable::PromptText => Fact::Str(&self.prompt),
            Variable::PromptEntities => Fact::List(&[]),
            _ => Fact::Missing,
        }
    }
}

const PROSE: &str = "The committee met on Tuesday and agreed that the report, which had been late twice, should be \
                     read by everyone before the next meeting. Nobody asked why it was late. ";

/// Microseconds to read what a chat asks for, and what memory that takes at most, in times of the body.
fn views() {
    println!("\n{:<28} {:>8} {:>8} {:>8}", "request", "bytes", "µs", "memory");
    let chat = |turns: usize, each: usize, more: Value| {
        let message = |at: usize| {
            let role = if at.is_multiple_of(2) { "user" } else { "assistant" };
            json!({ "role": role, "content": PROSE.repeat(each / PROSE.len() + 1)[..each] })
        };
        let mut body = json!({ "model": "gpt-4o", "stream": true, "messages": (0..turns).map(message).collect::<Vec<_>>() });
        if !more.is_null() {
            body["tools"] = more;
        }
        body.to_string()
    };
    let tool = json!({ "type": "function", "function": { "name": "search", "description": PROSE,
        "parameters": { "type": "object", "properties": { "query": { "type": "string", "description": PROSE } } } } });
    let escaped =
        json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "é\n\"\u{1}".repeat(6_000) }] });
    let ascii = escaped.to_string().replace('é', "\\u00e9");
    let views = [
        ("chat of 1 KB", "openai", "/v1/chat/completions", chat(3, 300, Value::Null)),
        ("chat of 100 KB", "openai", "/v1/chat/completions", chat(100, 970, Value::Null)),
        ("one message of 100 KB", "openai", "/v1/chat/completions", chat(1, 100_000, Value::Null)),
        ("100 KB of tools", "openai", "/v1/chat/completions", chat(1, 300, json!(vec![tool; 200]))),
        ("100 KB of escapes", "openai", "/v1/chat/completions", ascii),
        ("messages of 100 KB", "anthropic", "/v1/messages", chat(100, 970, Value::Null)),
    ];
    for (name, protocol, path, body) in views {
        let api = APIS.iter().find(|api| api.name == protocol).expect("an API");
        let operation = api.operation("POST", path, std::iter::empty());
        let request = operation.view.expect("it is read");
        let read = || RequestView::read(request, "", black_box(body.as_bytes())).expect("a view");
        assert!(!read().text.is_empty());
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        black_box(read());
        // The body itself is held too.
        let held = PEAK.load(Ordering::Relaxed) - before + body.len();
        let best = best(if body.len() > 10_000 { 100 } else { 2_000 }, || _ = black_box(read()));
        let times = held as f64 / body.len() as f64;
        println!("{name:<28} {:>8} {:>8.1} {times:>8.2}", body.len(), best.as_secs_f64() * 1e6);
    }
}

/// The shortest of some turns, each of so many times.
fn best(times: u32, mut run: impl FnMut()) -> Duration {
    let turns = (0..ROUNDS * 5).map(|_| {
        let start = Instant::now();
        (0..times).for_each(|_| run());
        start.elapsed() / times
    });
    turns.min().unwrap_or_default()
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
