#![allow(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::panic, clippy::string_slice)]
//! How fast the masker reads, next to memchr and to the regex crate on the same texts in the same run; and how fast an
//! answer is rewritten, with the JSON and the events around its texts.
//!
//! `cargo bench --bench masker` prints MB/s (best of some rounds, one thread) and the time of one 4-byte delta;
//! `-- --write FOLDER` writes the texts, the values put into them, and what is left after masking, for others to be
//! measured with; `-- own` alone says what a policy set's own detectors cost. The texts are made here, from a fixed seed. `BENCH_QUICK=1` takes small ones.
mod rewriter;
mod texts;
use texts::{ADVERSARIAL, Corpus, corpora, shown};

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use portcullis::mask::text::{Entity, Masks, Sink, TextMask};
use portcullis::mask::{Catalogue, Finds, Found, OwnDetector, Plan, mask_whole};

/// Bytes of each text.
fn size() -> usize {
    if quick() { 128 << 10 } else { 4 << 20 }
}

fn rounds() -> usize {
    if quick() { 2 } else { 5 }
}

fn quick() -> bool {
    std::env::var("BENCH_QUICK").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

fn main() {
    if std::env::args().any(|argument| argument == "own") {
        return own();
    }
    let known = Catalogue::built_in();
    let secret = || vec![b"pk-live-0123456789abcdef".to_vec()];
    let asked = ["PII", "SECRETS"].map(|set| known.resolve(set).expect("a set"));
    let plan = Plan::new(&known, asked[0].union(asked[1]), secret());
    let every = Plan::new(&known, known.usual(), secret());
    let wall = Wall::new();
    if let Some(folder) = std::env::args().skip_while(|word| word != "--write").nth(1) {
        return write(folder.as_ref(), &plan, &wall).expect("the folder takes files");
    }
    println!("MB/s, one thread, best of {}; delta: ns a 4-byte piece", rounds());
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>9}",
        "text", "memchr", "scan", "mask", "4 B", "64 B", "1 KB", "regex", "delta", "values", "mean held"
    );
    let corpora = corpora(size());
    for corpus in &corpora {
        row(corpus.name, corpus.text.as_bytes(), &plan, Some(&wall));
    }
    println!("-- with every set");
    for corpus in &corpora {
        row(&format!("{}, every", corpus.name), corpus.text.as_bytes(), &every, None);
    }
    println!("-- adversarial");
    for unit in ADVERSARIAL {
        let text = unit.bytes().cycle().take(size() / 4).collect::<Vec<_>>();
        row(&shown(unit), &text, &plan, None);
    }
    if only().is_none() {
        rewriter::run(&plan, &corpora);
    }
}

/// How much of each text is written for others: some of them read a tenth of a megabyte a second.
const WRITTEN: usize = 64 << 10;

fn write(folder: &Path, plan: &Plan, wall: &Wall) -> std::io::Result<()> {
    for Corpus { name, text, planted } in corpora(WRITTEN) {
        let masked = mask_whole(plan, text.as_bytes(), &mut Found::default());
        let masked = masked.unwrap_or_else(|| text.clone().into_bytes());
        for (end, bytes) in [
            ("txt", text.as_bytes()),
            ("values", planted.join("\n").as_bytes()),
            ("masked", &masked),
            ("regex", &wall.mask(text.as_bytes())),
        ] {
            std::fs::write(folder.join(format!("{name}.{end}")), bytes)?;
        }
    }
    Ok(())
}

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

/// The one text that is asked for: `cargo bench --bench masker -- only prose`.
fn only() -> Option<String> {
    std::env::args().skip_while(|word| word != "only").nth(1)
}

fn row(name: &str, text: &[u8], plan: &Plan, wall: Option<&Wall>) {
    if only().is_some_and(|only| only != name) {
        return;
    }
    let scan = |piece| best(|| black_box(stream(plan, text, piece).0.kept));
    let per_second = |time: Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
    let find = best(|| memchr::memchr_iter(0, black_box(text)).count());
    let mask = best(|| mask_whole(plan, text, &mut Found::default()).map_or(0, |out| out.len()));
    let small = scan(4);
    let (count, held) = stream(plan, text, 4);
    let pieces = text.len().div_ceil(4) as f64;
    let regex = wall.map_or("-".into(), |wall| format!("{:.3}", compared(wall, text)));
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

/// How much of a text the regex crate reads: with this many patterns a megabyte takes it many seconds.
const COMPARED: usize = 64 << 10;

/// The regex crate's MB/s on the beginning of a text, in one round.
fn compared(wall: &Wall, text: &[u8]) -> f64 {
    let part = &text[..text.len().min(COMPARED)];
    let start = Instant::now();
    black_box(wall.mask(part).len());
    part.len() as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn best(mut run: impl FnMut() -> usize) -> Duration {
    let once = |run: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        black_box(run());
        start.elapsed()
    };
    (0..rounds()).map(|_| once(&mut run)).min().unwrap_or_default()
}

/// What a set's own detectors take to load, to keep, and to look for.
fn own() {
    let texts = corpora(size());
    let prose = texts.iter().find(|corpus| corpus.name == "prose").expect("prose").text.as_bytes();
    let mut dice = texts::Dice::new(7);
    let mut name = || {
        let mut syllable =
            || dice.pick(&["ka", "ber", "lin", "to", "mar", "sel", "vi", "no", "ra", "dun", "es", "the"]);
        format!("{}{}{} {}{}{}", syllable(), syllable(), syllable(), syllable(), syllable(), syllable())
    };
    let names: Vec<String> = (0..100_000).map(|_| name()).collect();
    let words = |count: usize| {
        let words = Rc::new(names.get(..count).expect("names").iter().collect());
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
    // Names but for their last letter.
    let nearly = names.iter().map(|name| format!("{}q ", name.get(..name.len() - 1).unwrap_or_default()));
    let nearly: String = nearly.collect();
    let nearly = &nearly.as_bytes()[..nearly.len().min(size())];
    println!(
        "{:<24} {:>9} {:>9} {:>12} {:>11} {:>11}",
        "own detectors", "load ms", "KB", "prose MB/s", "alone MB/s", "nearly MB/s"
    );
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
        let rate = |plan: &Plan, text: &[u8]| {
            text.len() as f64 / 1e6 / best(|| stream(plan, text, text.len()).0.kept).as_secs_f64()
        };
        let alone = Plan::new(&known, known.all().without(Catalogue::built_in().all()), vec![]);
        println!(
            "{what:<24} {:>9.1} {:>9.1} {:>12.0} {:>11.0} {:>11.0}",
            load.as_secs_f64() * 1e3,
            known.own_bytes() as f64 / 1e3,
            rate(&Plan::new(&known, known.usual(), vec![]), prose),
            rate(&alone, prose),
            rate(&alone, nearly),
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
