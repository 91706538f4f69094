#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
//! How fast the masker reads, next to memchr and to the regex crate on the same texts in the same run.
//!
//! `cargo bench --bench masker` prints MB/s (best of some rounds, one thread) and the time of one 4-byte delta; with the
//! argument `own` alone, what a policy set's own detectors cost.
//! The texts are made here, from a fixed seed.
use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis::mask::text::{Entity, Masks, Sink, TextMask};
use portcullis::mask::{Catalogue, Finds, Found, OwnDetector, Plan, mask_whole};
use portcullis::protocol::openai::ANSWERS;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};

const SIZE: usize = 4 << 20;
const ROUNDS: usize = 5;

fn main() {
    if std::env::args().any(|argument| argument == "own") {
        return own();
    }
    let known = Catalogue::built_in();
    let plan = Plan::new(&known, known.usual(), vec![b"pk-live-0123456789abcdef".to_vec()]);
    let wall = Wall::new();
    println!("MB/s, one thread, best of {ROUNDS}; delta: ns a 4-byte piece");
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>9}",
        "text", "memchr", "scan", "mask", "4 B", "64 B", "1 KB", "regex", "delta", "values", "mean held"
    );
    for (name, text) in corpora() {
        row(name, &text, &plan, Some(&wall));
    }
    events(&plan);
    println!("-- adversarial");
    for unit in ADVERSARIAL {
        let text = unit.bytes().cycle().take(SIZE / 4).collect::<Vec<_>>();
        row(&unit.escape_default().to_string(), &text, &plan, None);
    }
}

/// A streamed answer in events of 336 bytes, each with a few letters of prose: how long one takes, framing and JSON
/// included.
fn events(plan: &Plan) {
    let (mut dice, mut text) = (Dice(7), String::new());
    while text.len() < 8192 {
        prose(&mut dice, &mut text);
    }
    let mut body = Vec::new();
    let mut count = 0u32;
    let mut letters = text.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).peekable();
    while letters.peek().is_some() {
        let piece: String = letters.by_ref().take(4).collect();
        let event = format!(
            "data: {{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"{piece}\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n"
        );
        body.extend_from_slice(event.as_bytes());
        count += 1;
    }
    for (name, size) in [("an event a piece", body.len() / count as usize), ("16 KB a piece", 16 << 10)] {
        let time = best(|| {
            let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, plan.clone());
            let mut out = Vec::new();
            let mut sum = 0;
            for piece in body.chunks(size) {
                rewriter.push(piece, false, &mut out).expect("a stream");
                sum += black_box(&out).len();
                out.clear();
            }
            rewriter.push(b"", true, &mut out).expect("its end");
            sum
        });
        println!(
            "events of {} bytes, {name}: {:.0} ns an event",
            body.len() / count as usize,
            time.as_nanos() as f64 / f64::from(count)
        );
    }
}

const ADVERSARIAL: &[&str] = &[
    "sk-sk-sk-",
    "a:b:",
    "00:1A:2b:",
    "4 1 4 1 ",
    "a@a@",
    "a.",
    "a@a.",
    "4111 ",
    "4111-1111-1111-1112 ",
    "1.1.1.",
    "aaaaaaaa",
    "eyJ",
    "eyJaaaaaaaaaa.",
    "+1 ",
    "+1 2 3 4 ",
    "AKIA",
    "-----BEGIN ",
    "DE89 ",
    "ghp_",
    "de12 abcd ",
    "a@aaa@aaa",
    "1-2 3.4/5:",
    "4111 1111 1111 1112 DE89 3704 a@b.c 1:2::",
    "%40%34%31",
    "\\u0034",
    "ssn 536904399 ",
    ":::",
    "536-90-",
    "0",
];

struct Count {
    values: u64,
    kept: usize,
}

impl Sink for Count {
    fn keep(&mut self, len: usize) {
        self.kept += len;
    }
    fn replace(&mut self, _: usize, _: Entity, _: &[u8]) {
        self.values += 1;
    }
    fn swallow(&mut self, _: usize) {}
}

fn stream(plan: &Plan, text: &[u8], piece: usize) -> (Count, u64) {
    let (mut masker, mut count, mut held) = (plan.begin(), Count { values: 0, kept: 0 }, 0);
    for piece in text.chunks(piece) {
        masker.push(piece, false, &mut count);
        held += masker.held() as u64;
    }
    masker.push(b"", true, &mut count);
    (count, held)
}

fn row(name: &str, text: &[u8], plan: &Plan, wall: Option<&Wall>) {
    let scan = |piece| best(|| black_box(stream(plan, text, piece).0.kept));
    let per_second = |time: Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
    let find = best(|| memchr::memchr_iter(0, black_box(text)).count());
    let mask = best(|| mask_whole(plan, text, &mut Found::default()).map_or(0, |out| out.len()));
    let small = scan(4);
    let (count, held) = stream(plan, text, 4);
    let pieces = text.len().div_ceil(4) as f64;
    let regex = wall.map_or("-".into(), |wall| format!("{:.0}", per_second(best(|| wall.mask(text).len()))));
    println!(
        "{name:<12} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {regex:>8} {:>7.1} {:>8} {:>9.2}",
        per_second(find),
        per_second(scan(text.len())),
        per_second(mask),
        per_second(small),
        per_second(scan(64)),
        per_second(scan(1024)),
        small.as_nanos() as f64 / pieces,
        count.values,
        held as f64 / pieces,
    );
}

fn best(mut run: impl FnMut() -> usize) -> Duration {
    let once = |run: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        black_box(run());
        start.elapsed()
    };
    (0..ROUNDS).map(|_| once(&mut run)).min().unwrap_or_default()
}

/// What a set's own detectors take to load, to keep, and to look for.
fn own() {
    let texts = corpora();
    let prose = &texts.iter().find(|(name, _)| *name == "prose").expect("prose").1;
    let mut dice = Dice(7);
    let mut name = || {
        let mut syllable =
            || dice.pick(&["ka", "ber", "lin", "to", "mar", "sel", "vi", "no", "ra", "dun", "es", "the"]);
        format!("{}{}{} {}{}{}", syllable(), syllable(), syllable(), syllable(), syllable(), syllable())
    };
    let names: Vec<String> = (0..100_000).map(|_| name()).collect();
    let words = |count: usize| {
        let words = names.get(..count).expect("names").to_vec();
        vec![OwnDetector {
            name: "NAME".into(),
            finds: Finds::Words { words, ignore_case: true },
            context: vec![],
        }]
    };
    let patterns = |count: usize, of: &dyn Fn(usize) -> String| -> Vec<OwnDetector> {
        let finds = |at| Finds::Pattern { pattern: of(at), not_after: None, not_before: None };
        (0..count).map(|at| OwnDetector { name: "ID".into(), finds: finds(at), context: vec![] }).collect()
    };
    let plain = |at: usize| format!("ID{at}-[0-9]{{6}}|[A-Z]{{2}}{at}[0-9]{{8}}");
    let worst = |at: usize| format!("{at}:[ab]*a[ab]{{8}}c");
    println!("{:<24} {:>9} {:>9} {:>12}", "own detectors", "load ms", "KB", "prose MB/s");
    for (what, own) in [
        ("none", vec![]),
        ("1000 words", words(1000)),
        ("100000 words", words(100_000)),
        ("1 pattern", patterns(1, &plain)),
        ("128 patterns", patterns(128, &plain)),
        ("1 large pattern", patterns(1, &worst)),
        ("28 large patterns", patterns(28, &worst)),
        ("128 refused", patterns(128, &worst)),
    ] {
        let start = Instant::now();
        let (known, _) = Catalogue::with_own(&own);
        let load = start.elapsed();
        let plan = Plan::new(&known, known.usual(), vec![]);
        let scan = best(|| stream(&plan, prose, prose.len()).0.kept);
        println!(
            "{what:<24} {:>9.1} {:>9.1} {:>12.0}",
            load.as_secs_f64() * 1e3,
            known.own_bytes() as f64 / 1e3,
            prose.len() as f64 / 1e6 / scan.as_secs_f64()
        );
    }
}

/// What one would write with the regex crate: a set that says which patterns are there, and a replacement of each.
/// It has no validators, no streams and no order between overlapping values.
struct Wall {
    set: regex::bytes::RegexSet,
    each: Vec<regex::bytes::Regex>,
}

impl Wall {
    fn new() -> Self {
        let table: toml::Table =
            include_str!("../filter/mask/detectors.toml").parse().expect("the table is TOML");
        let rows = table["detector"].as_array().expect("rows");
        let patterns: Vec<String> = rows
            .iter()
            .map(|row| {
                let flags = if row.get("verbose").is_some() { "x-u" } else { "-u" };
                format!("(?{flags}:{})", row["pattern"].as_str().expect("a pattern").trim())
            })
            .collect();
        let set =
            regex::bytes::RegexSetBuilder::new(&patterns).size_limit(1 << 28).dfa_size_limit(1 << 26).build();
        let each = patterns.iter().map(|p| regex::bytes::Regex::new(p).expect("a pattern"));
        Self { set: set.expect("patterns"), each: each.collect() }
    }

    fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for part in text.chunks(1 << 16) {
            let mut part = std::borrow::Cow::Borrowed(part);
            for hit in self.set.matches(&part).iter() {
                part = self.each[hit].replace_all(&part, &b"<X>"[..]).into_owned().into();
            }
            out.extend_from_slice(&part);
        }
        out
    }
}

/// A fixed pseudo-random sequence (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.roll(10) as u8)).collect()
    }

    fn token(&mut self, count: usize) -> String {
        let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        (0..count).map(|_| char::from(alphabet[self.roll(alphabet.len())])).collect()
    }
}

const WORDS: &[&str] = &[
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "this",
    "are",
    "or",
    "his",
    "from",
    "at",
    "which",
    "but",
    "have",
    "an",
    "had",
    "they",
    "you",
    "were",
    "their",
    "one",
    "all",
    "we",
    "can",
    "her",
    "has",
    "there",
    "been",
    "if",
    "more",
    "when",
    "will",
    "would",
    "who",
    "so",
    "no",
    "model",
    "retrieval",
    "document",
    "answer",
    "question",
    "context",
    "because",
    "policy",
    "however",
    "therefore",
    "increase",
    "decade",
    "feedback",
    "database",
    "facade",
    "language",
    "customer",
    "agreement",
    "section",
    "quarter",
    "revenue",
    "approximately",
    "significant",
    "skeleton",
    "disk",
    "task",
    "I'd",
    "don't",
    "well-known",
    "state-of-the-art",
    "café",
    "naïve",
    "Zürich",
    "“quoted”",
    "—",
    "Additionally,",
    "Beef",
    "Abba",
];

fn prose(dice: &mut Dice, out: &mut String) {
    for _ in 0..dice.roll(14) + 5 {
        out.push_str(dice.pick(WORDS));
        out.push_str(if dice.roll(12) == 0 { ", " } else { " " });
    }
    out.push_str(if dice.roll(5) == 0 { "\n\n" } else { "of course. " });
    if dice.roll(20) == 0 {
        out.push_str(&format!(
            "In {} it was {}% of ${}. ",
            1900 + dice.roll(130),
            dice.roll(100),
            dice.roll(100_000)
        ));
    }
}

fn docs(dice: &mut Dice, out: &mut String) {
    match dice.roll(8) {
        0 => out.push_str(&format!(
            "let {} = std::fs::read_to_string(\"{}.rs\")?;\n",
            dice.pick(WORDS),
            dice.pick(WORDS)
        )),
        1 => out.push_str(&format!(
            "2024-0{}-1{}T12:34:56.{}Z INFO {}: took {} ms\n",
            dice.roll(9) + 1,
            dice.roll(9),
            dice.digits(3),
            dice.pick(WORDS),
            dice.roll(900)
        )),
        2 => out.push_str(&format!(
            "| {} | {} | v{}.{}.{} |\n",
            dice.pick(WORDS),
            dice.digits(5),
            dice.roll(9),
            dice.roll(30),
            dice.roll(20)
        )),
        3 => out.push_str(&format!("{{\"id\": \"{}\", \"score\": 0.{}}}\n", dice.token(22), dice.digits(9))),
        4 => out.push_str(&format!(
            "See https://docs.example/{}/{}#{} for more.\n",
            dice.pick(WORDS),
            dice.pick(WORDS),
            dice.token(6)
        )),
        5 => out.push_str(&format!(
            "commit {}\n",
            (0..40).map(|_| dice.pick(&["0", "1", "7", "a", "c", "f"])).collect::<String>()
        )),
        _ => prose(dice, out),
    }
}

fn personal(dice: &mut Dice, out: &mut String) {
    prose(dice, out);
    out.push_str(&value(dice));
    out.push(' ');
}

fn dense(dice: &mut Dice, out: &mut String) {
    out.push_str(&format!("{}: {}\n", dice.pick(WORDS), value(dice)));
}

fn value(dice: &mut Dice) -> String {
    match dice.roll(10) {
        0 | 1 => format!("{}.{}@{}.example.com", dice.pick(WORDS), dice.token(5), dice.token(8)),
        2 => format!("({}) {}-{}", 212 + dice.roll(500), 212 + dice.roll(700), dice.digits(4)),
        3 => format!("{}-{}-{}", 100 + dice.roll(500), 10 + dice.roll(80), 1000 + dice.roll(8000)),
        4 => "4111 1111 1111 1111".into(),
        5 => format!("10.{}.{}.{}", dice.roll(256), dice.roll(256), dice.roll(256)),
        6 => format!("2001:db8:{:x}::{:x}:{:x}", dice.roll(65536), dice.roll(65536), dice.roll(65536)),
        7 => format!("ghp_{}", dice.token(36)),
        8 => "DE89 3704 0044 0532 0130 00".into(),
        _ => format!("+44 20 7946 0{}", dice.digits(3)),
    }
}

fn corpora() -> Vec<(&'static str, Vec<u8>)> {
    type Fill = fn(&mut Dice, &mut String);
    let made: [(&'static str, Fill); 4] =
        [("prose", prose), ("docs", docs), ("personal", personal), ("dense", dense)];
    let make = |fill: Fill| {
        let (mut dice, mut out) = (Dice(7), String::new());
        while out.len() < SIZE {
            fill(&mut dice, &mut out);
        }
        out.into_bytes()
    };
    made.into_iter().map(|(name, fill)| (name, make(fill))).collect()
}
