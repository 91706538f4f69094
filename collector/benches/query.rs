//! How long the first page of a search takes: a store is filled through the server, as workers fill it, and then asked what
//! people ask. Each read is on record before it is answered, so a wait for the disk is in every figure.
//!
//! `make bench-store` builds the binary to ship and measures that one. `RECORDS=10000000` fills it with so many. `STORE=FILE`
//! keeps the store; where the file is there already it is searched as it is, and `RECORDS` must be what it was filled with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use portcullis::audit::record::Answered;
use portcullis::audit::{
    Captured, Decision, EndRecord, Facts, Limits, Outcome, Pieces, Record, StartRecord, Tally, Text,
};
use support::Collector;
use support::http::request;
use support::place::Place;
use support::worker::{START, Worker};

/// What a first page may take.
const TARGET: Duration = Duration::from_millis(100);
/// Workers that fill it.
const WORKERS: u64 = 4;
/// Exchanges in a batch.
const BATCH: u64 = 250;
/// Between two exchanges of one worker: an hour has some thousands.
const BETWEEN: u64 = 500_000_000;
/// How often each search is asked.
const TIMES: u64 = 40;

const MODELS: [&str; 6] =
    ["gpt-4o", "gpt-4o-mini", "claude-sonnet", "claude-opus", "gemini-pro", "llama-70b"];
const TOPICS: [&str; 12] = [
    "invoice", "contract", "handbook", "vacation", "server", "customer", "quarter", "salary", "release",
    "budget", "meeting", "incident",
];

/// Numbers that are the same in every run, and look like chance.
fn chance(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

fn text(text: impl Into<String>) -> Option<Text> {
    Some(Text::from(text.into()))
}

/// One exchange of a thousand people: one in twenty is denied, one in fifty has a card in it, one in a thousand is flagged.
fn facts(number: u64) -> Facts {
    let of = |n: u64, most: u64| chance(number ^ (n << 40)) % most;
    // Few people ask much, many ask little.
    let person = of(1, 1000) * of(2, 1000) / 1000;
    let denied = of(3, 20) == 0;
    let mut entities = Tally::default();
    if of(4, 10) == 0 {
        entities.add("EMAIL_ADDRESS", 1);
    }
    if of(5, 50) == 0 {
        entities.add("CREDIT_CARD", 1);
    }
    let flags = if of(6, 1000) == 0 { &["injection"][..] } else { &[] };
    Facts {
        exchange: Text::from(format!("{number:032x}")),
        user_id: text(format!("https://idp.example.com#user-{person}")),
        subject: text(format!("user-{person}")),
        issuer: text("https://idp.example.com"),
        groups: [["engineering", "sales", "support", "legal"][of(7, 4) as usize], "staff"]
            .into_iter()
            .collect(),
        client_address: text("10.1.2.3"),
        connection: text("chat"),
        policy: text("rag-chat"),
        mode: Some("enforce"),
        protocol: Some("openai"),
        method: text("POST"),
        operation: text("chat"),
        model: text(MODELS[of(8, 6) as usize]),
        decision: Some(if denied { Decision::Deny } else { Decision::Allow }),
        reason: denied.then_some("rule_denied"),
        rule: if denied { text("no-cards") } else { None },
        flags: flags.iter().copied().collect(),
        prompt_entities: entities,
        revision: text("3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345"),
        version: text("0.1.0"),
        ..Facts::default()
    }
}

fn words(number: u64) -> String {
    let topic = |n: u64| TOPICS[(chance(number ^ (n << 44)) % 12) as usize];
    // A word that a hundred exchanges of a million have.
    let rare = if chance(number ^ (9 << 44)).is_multiple_of(10_000) { " zebra" } else { "" };
    format!(
        "Please look at the {} and the {} of case {number}, and write a summary.{rare}",
        topic(1),
        topic(2)
    )
}

fn exchange(worker: &mut Worker, number: u64) {
    let facts = facts(number);
    let prompt = Captured {
        capture: Some("masked"),
        prompt: Pieces::new(vec![(1, words(number))]),
        ..Captured::default()
    };
    let answer = Captured {
        capture: Some("masked"),
        response: Pieces::new(vec![(
            1,
            format!("Here is the summary that you asked for. {}", words(!number)),
        )]),
        ..Captured::default()
    };
    let answered =
        Answered { outcome: Some(Outcome::Complete), status: Some(200.into()), ..Answered::default() };
    worker.now += BETWEEN;
    let start = StartRecord { facts: facts.clone(), captured: prompt };
    worker.recorder.record(worker.now, &Record::Start(Box::new(start)));
    let end = EndRecord { facts, answered, captured: answer };
    worker.recorder.record(worker.now, &Record::End(Box::new(end)));
}

fn fill(collector: &Collector, records: u64) {
    let batches = records.div_ceil(WORKERS * BATCH * 2);
    std::thread::scope(|scope| {
        for at in 0..WORKERS {
            scope.spawn(move || {
                let limits = Limits { batch_records: 2 * BATCH as usize, ..Limits::default() };
                let mut worker = Worker::with(at as u8 + 1, limits);
                for batch in 0..batches {
                    for n in 0..BATCH {
                        exchange(&mut worker, (batch * BATCH + n) * WORKERS + at);
                    }
                    while worker.recorder.stats().queued > 0 {
                        assert!(worker.send(collector.address), "the collector is busy");
                    }
                }
            });
        }
    });
}

/// The query of a turn.
type Query = Box<dyn Fn(u64) -> String>;

/// What is asked, by names.
fn searches(span: u64) -> Vec<(&'static str, Query)> {
    let time = |nanoseconds: u64| portcullis::audit::value::rfc3339(nanoseconds);
    vec![
        ("newest", Box::new(|_| String::new())),
        ("by subject, busy", Box::new(|n| format!("subject=user-{}", n % 20))),
        ("by subject, quiet", Box::new(|n| format!("subject=user-{}", 500 + n * 7 % 300))),
        ("by rule, of 5 %", Box::new(|_| "rule=no-cards".into())),
        ("by rule, of 0.1 %", Box::new(|_| "rule=injection".into())),
        ("by entity, of 10 %", Box::new(|_| "entity=EMAIL_ADDRESS".into())),
        ("by entity, of 2 %", Box::new(|_| "entity=CREDIT_CARD".into())),
        ("by model and decision", Box::new(|n| format!("model={}&decision=deny", MODELS[n as usize % 6]))),
        (
            "by subject, entity, rule",
            Box::new(|n| format!("subject=user-{}&entity=CREDIT_CARD&rule=no-cards", n % 20)),
        ),
        ("by full text, rare", Box::new(|_| "text=zebra".into())),
        ("by full text, common", Box::new(|n| format!("text={}", TOPICS[n as usize % 12]))),
        ("by full text, in all", Box::new(|_| "text=summary".into())),
        (
            "by full text and subject",
            Box::new(|n| format!("text={}&subject=user-{}", TOPICS[n as usize % 12], n % 20)),
        ),
        (
            "time range",
            Box::new(move |n| {
                let from = START + chance(n) % span;
                format!("since={}&until={}", time(from), time(from + 3_600_000_000_000))
            }),
        ),
        (
            "full text in a time range",
            Box::new(move |n| {
                let from = START + chance(n) % span;
                let until = time(from + 86_400_000_000_000);
                format!("text={}&since={}&until={until}", TOPICS[n as usize % 12], time(from))
            }),
        ),
    ]
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, it)| it));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores of {}, {} MiB of memory",
        model.unwrap_or("a machine without a name"),
        memory.unwrap_or(0) / 1024
    )
}

/// Puts the file that is to be kept where the store of this run is. Whether it is there already.
fn keep(place: &Place) -> bool {
    let Some(kept) = std::env::var_os("STORE") else { return false };
    let url = place.url();
    let file = url.strip_prefix("sqlite:").expect("a file");
    std::os::unix::fs::symlink(&kept, file).expect("a new folder");
    std::path::Path::new(&kept).exists()
}

fn main() {
    let records: u64 =
        std::env::var("RECORDS").map_or(1_000_000, |text| text.parse().expect("RECORDS is a number"));
    let place = Place::sqlite();
    let is_filled = keep(&place);
    let collector = Collector::start(&place, &["--max-connections", "64"]);
    println!("{}", machine());
    let start = Instant::now();
    if !is_filled {
        fill(&collector, records);
    }
    let took = start.elapsed().as_secs_f64();
    let file = place.url().strip_prefix("sqlite:").map(std::fs::metadata).expect("a file").expect("a file");
    let filled = if is_filled {
        "kept".to_owned()
    } else {
        format!("in {took:.0} s ({:.0} a second)", records as f64 / took)
    };
    println!("{records} records {filled}, a file of {} MiB", file.len() >> 20);
    let span = (records / 2 / WORKERS * BETWEEN).max(1);
    println!(
        "{:<28} {:>10} {:>10} {:>6}   target {} ms",
        "first page",
        "median",
        "worst",
        "hits",
        TARGET.as_millis()
    );
    let mut slow = 0;
    for (name, query) in searches(span) {
        let mut all = Vec::new();
        let mut hits = 0;
        for n in 0..TIMES {
            let path = format!("/api/exchanges?{}", query(n));
            let start = Instant::now();
            let answer = request(collector.address, "GET", &path, &[], b"").unwrap();
            all.push(start.elapsed());
            assert_eq!(answer.status, 200, "{path}");
            hits = hits.max(answer.json()["exchanges"].as_array().unwrap().len());
        }
        all.sort_unstable();
        let (median, worst) = (all[all.len() / 2], all[all.len() - 1]);
        let verdict = if median > TARGET { "   SLOW" } else { "" };
        slow += usize::from(median > TARGET);
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        println!("{name:<28} {:>10} {:>10} {hits:>6}{verdict}", ms(median), ms(worst));
    }
    println!("{slow} searches beyond the target");
}
