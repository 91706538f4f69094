#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
//! What one call costs in the filter, the proxy around it left out: the full guard of `policy.yaml` on a proxy of memory,
//! a chat of 1 KB answered with 2 KB that hold an address, a card and a key; and what each of its parts has in that.
//!
//! `cargo bench --bench exchange` (behind `--`, the name of one variant alone), and in Node's V8
//! `benches/masker-v8 build exchange && benches/masker-v8 run exchange`.
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use portcullis::config::json;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::exchange::{Exchange, Worker};
use portcullis::host::memory::Memory;
use portcullis::host::{Flow, Header, Host as _, Reply, Side};
use serde_json::{Value, json};

const HOST: HostPromises = HostPromises { body_before_headers: true };
const NOW: u64 = 1_790_000_000;
/// Calls in a turn, and turns.
const TIMES: u32 = 2_000;
const ROUNDS: u32 = 5;

/// The full guard, changed.
struct Variant {
    name: &'static str,
    /// Taken away.
    without: &'static [&'static str],
    /// Then put in.
    with: fn(&mut Value),
}

const fn without(name: &'static str, without: &'static [&'static str]) -> Variant {
    Variant { name, without, with: |_| () }
}

/// What is left without it: the token, its groups, the credential.
const BARE: &[&str] = &["mask", "rules", "audit", "uninspected"];

const VARIANTS: &[Variant] = &[
    without("full", &[]),
    without("no-mask", &["mask"]),
    without("no-rules", &["rules"]),
    without("no-audit", &["audit"]),
    without("none", BARE),
    Variant {
        name: "identity",
        without: BARE,
        with: |set| set["connections"][0]["protocol"] = json!("http"),
    },
    Variant {
        name: "budgets",
        without: BARE,
        with: |set| {
            set["policies"][0]["limits"] = json!({ "max_output_tokens": 4096 });
            set["policies"][0]["budgets"] = json!([
                { "name": "requests", "key": "identity.id", "requests": 100_000_000, "per": "1m" },
                { "name": "tokens", "key": "identity.id", "tokens": 1_000_000_000, "per": "1m" },
            ]);
        },
    },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|wanted| !wanted.starts_with("--")).collect();
    println!("{:<28} {:>8}", "a call", "µs");
    for variant in VARIANTS {
        let name = variant.name;
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("{name:<28} {:>8.1}", Guarded::new(variant).micros());
        }
    }
}

struct Guarded {
    worker: Rc<Worker>,
    host: Memory,
    asked: Vec<Header>,
    prompt: Vec<u8>,
    answered: Vec<Header>,
    answer: Vec<u8>,
}

fn header(name: &str, value: &str) -> Header {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

impl Guarded {
    fn new(variant: &Variant) -> Self {
        let pair = KeyPair::from_seed(Seed::new([7; 32]));
        let mut set = full(&URL_SAFE_NO_PAD.encode(*pair.pk));
        for part in variant.without {
            set.as_object_mut().expect("a set").remove(*part);
            set["policies"][0].as_object_mut().expect("a policy").remove(*part);
        }
        (variant.with)(&mut set);
        let mut root = json::read(set.to_string().as_bytes()).expect("JSON");
        assert_eq!(root.settle(), []);
        let (bundle, _) = Bundle::of(&root, "abc123", HOST).expect("a set");
        let host = Memory::default();
        host.now.set(NOW * 1_000_000_000);
        let env = [("BENCH_UPSTREAM_KEY".to_owned(), "sk-bench-0123456789abcdefghij".to_owned())];
        let host = Memory { env: env.into(), ..host };
        let worker = Rc::new(Worker::of(&host, &bundle).expect("a worker"));
        let prompt = chat();
        let answer = completion();
        let asked = vec![
            header(":method", "POST"),
            header(":path", "/v1/chat/completions"),
            header(":authority", "api.example.com"),
            header(":scheme", "http"),
            header("authorization", &format!("Bearer {}", token(&pair))),
            header("content-type", "application/json"),
            header("user-agent", "bench"),
            header("content-length", &prompt.len().to_string()),
            header("x-request-id", "0b0b0b0b-0000-4000-8000-0123456789ab"),
        ];
        let answered = vec![
            header(":status", "200"),
            header("content-type", "application/json"),
            header("content-length", &answer.len().to_string()),
        ];
        Self { worker, host, asked, prompt, answered, answer }
    }

    /// The best turn's time of one call.
    fn micros(&self) -> f64 {
        let masked = self.call(0);
        assert!(!masked.is_empty(), "the call was refused: {:?}", self.host.answers.borrow());
        let turns = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            for id in 0..TIMES {
                black_box(self.call(id));
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        });
        turns.fold(f64::INFINITY, f64::min)
    }

    /// One call, and what the caller gets.
    fn call(&self, id: u32) -> Vec<u8> {
        let host = &self.host;
        host.request.replace(self.asked.clone());
        host.request_body.borrow_mut().clear();
        host.response.replace(self.answered.clone());
        host.response_body.borrow_mut().clear();
        let mut exchange = Exchange::begin(Rc::clone(&self.worker), id);
        let mut flow = exchange.request_head(host, false);
        if !self.refused() {
            host.request_body.borrow_mut().extend_from_slice(&self.prompt);
            flow = exchange.request_body(host, self.prompt.len(), true);
        }
        if flow == Flow::Pause || self.refused() {
            return Vec::new();
        }
        exchange.response_head(host, false);
        host.response_body.borrow_mut().extend_from_slice(&self.answer);
        exchange.response_body(host, self.answer.len(), true);
        exchange.finish(host);
        if id.is_multiple_of(16) {
            self.worker.tick(host);
        }
        for (call, _) in host.calls.take() {
            let taken = Reply::Answer { status: 200, headers: Vec::new(), body: b"{}".to_vec() };
            self.worker.reply(host, call, &taken);
        }
        host.body(Side::Response, usize::MAX)
    }

    fn refused(&self) -> bool {
        !self.host.answers.borrow().is_empty()
    }
}

/// `policy.yaml`, with a key.
fn full(key: &str) -> Value {
    let key =
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "bench", "x": key });
    json!({
        "version": 1,
        "issuers": [{ "name": "corp", "issuer": "https://idp.example.com", "audiences": ["rag"],
            "jwks": { "inline": { "keys": [key] } }, "groups_claim": "groups" }],
        "connections": [{ "name": "chat", "protocol": "openai", "policy": "rag-chat", "match": { "path_prefix": "/v1" },
            "credential": { "header": "authorization", "value": "Bearer ${env:BENCH_UPSTREAM_KEY}" } }],
        "policies": [{
            "name": "rag-chat",
            "allow": "\"rag-users\" in identity.groups",
            "rules": [
                { "name": "models", "deny": "!(llm.model in [\"gpt-4o-mini\", \"gpt-4o\"])" },
                { "name": "prompt-length", "deny": "llm.prompt_chars > 20000" },
                { "name": "tools", "deny": "llm.tools.exists(t, t.startsWith(\"db_\"))" },
                { "name": "contractors", "deny": "\"contractors\" in identity.groups && llm.stream && llm.n > 1" },
                { "name": "injection", "flag": "prompt.text.matches(\"(?i)ignore (all|any|previous) .*instructions\")" },
            ],
            "mask": { "response": { "entities": ["PII", "SECRETS"] } },
            "uninspected": "deny",
        }],
        "audit": { "cluster": "audit", "delivery": "async" },
        "unmatched": "deny",
    })
}

fn token(pair: &KeyPair) -> String {
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"EdDSA","kid":"bench"}"#);
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "rag", "sub": "alice", "groups": ["rag-users", "engineering"],
        "iat": NOW - 60, "exp": NOW + 3600,
    });
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = pair.sk.sign(signed.as_bytes(), None);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(*signature))
}

const PROSE: &str = "Answer from the handbook alone and name the section. A colleague travels to a customer for four days, \
                     sleeps in two hotels, takes the train there and a flight back because the last train leaves before \
                     the meeting ends. One dinner was with three guests of the customer; the receipt names no one. ";

fn chat() -> Vec<u8> {
    let prompt: String = PROSE.chars().cycle().take(1024).collect();
    let messages = json!([
        { "role": "system", "content": "You answer questions." },
        { "role": "user", "content": prompt },
    ]);
    json!({ "model": "gpt-4o-mini", "stream": false, "messages": messages }).to_string().into_bytes()
}

fn completion() -> Vec<u8> {
    let values =
        "Write to ana.kovac@example.com, the card is 4111 1111 1111 1111, the key is AKIAIOSFODNN7EXAMPLE. ";
    let content: String = format!("{PROSE}{values}").chars().cycle().take(1700).collect();
    let message = json!({ "role": "assistant", "content": content, "refusal": Value::Null });
    json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_763_800_000, "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": message, "logprobs": Value::Null, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 230, "completion_tokens": 390, "total_tokens": 620 },
        "system_fingerprint": "fp_bench",
    })
    .to_string()
    .into_bytes()
}
