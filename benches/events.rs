#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]
//! What one event of a stream costs, by provider: framing, reading, masking and writing it.
//!
//! `cargo bench --bench events` prints nanoseconds an event (best of some rounds, one thread). The events carry a few
//! letters of prose each, as providers send them; OpenAI's are padded to 336 bytes.
use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis::mask::{Catalogue, Plan};
use portcullis::protocol::json::table::Table;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};
use portcullis::protocol::{anthropic, cohere, openai};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 100;

const PROSE: &str = "The committee met on Tuesday and agreed that the report, which had been late twice, should be \
                     read by everyone before the next meeting. Nobody asked why it was late. ";

type Make = fn(usize, &str) -> String;

fn main() {
    let known = Catalogue::built_in();
    let asked = ["PII", "SECRETS"].map(|set| known.resolve(set).expect("a set"));
    let plan = Plan::new(&known, asked[0].union(asked[1]), vec![b"pk-live-0123456789abcdef".to_vec()]);
    println!("ns an event, one thread, best of {ROUNDS}");
    println!("{:<24} {:>7} {:>9} {:>9} {:>12}", "stream", "bytes", "4 letters", "1 word", "changed each");
    let rows: [(&str, &Table, Make); 5] = [
        ("openai chat", &openai::ANSWERS, chat),
        ("openai chat, 336 bytes", &openai::ANSWERS, padded),
        ("openai responses", &openai::ANSWERS, responses),
        ("anthropic messages", &anthropic::ANSWERS, messages),
        ("cohere chat", &cohere::ANSWERS, content),
    ];
    for (name, table, make) in rows {
        let bytes = make(0, "The ").len();
        let four = time(table, &plan, &stream(make, 4, false));
        let word = time(table, &plan, &stream(make, 6, false));
        let changed = time(table, &plan, &stream(make, 4, true));
        println!("{name:<24} {bytes:>7} {four:>9.0} {word:>9.0} {changed:>12.0}");
    }
}

/// `changed`: every event has one more key, so that none is like the one before.
fn stream(make: Make, size: usize, changed: bool) -> Vec<u8> {
    let text: Vec<char> = PROSE.chars().cycle().take(size * EVENTS).collect();
    let event = |(number, piece): (usize, &[char])| {
        let event = make(number, &piece.iter().collect::<String>());
        if changed {
            event.replacen("data: {", &format!("data: {{\"k{}\":1,", number % 10), 1)
        } else {
            event
        }
    };
    text.chunks(size).enumerate().map(event).collect::<String>().into_bytes()
}

fn time(table: &'static Table, plan: &Plan, stream: &[u8]) -> f64 {
    let once = || {
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, table, plan.clone());
        let mut out = Vec::with_capacity(stream.len() * 2);
        let start = Instant::now();
        // As a proxy gives them: an event or two at a time.
        stream.chunks(500).for_each(|piece| rewriter.push(piece, false, &mut out).expect("readable"));
        rewriter.push(b"", true, &mut out).expect("readable");
        let spent = start.elapsed();
        black_box(out);
        spent
    };
    let best = (0..ROUNDS).map(|_| once()).min().unwrap_or(Duration::ZERO);
    best.as_secs_f64() * 1e9 / EVENTS as f64
}

fn chat(_: usize, text: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKl\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

fn padded(number: usize, text: &str) -> String {
    let event = chat(number, text);
    let missing = 336usize.saturating_sub(event.len() + 34);
    let more = format!(
        ",\"obfuscation\":\"{}\",\"usage\":null}}\n\n",
        "xYzAbC12".chars().cycle().skip(number % 8).take(missing).collect::<String>()
    );
    event.replacen("}\n\n", &more, 1)
}

fn responses(number: usize, text: &str) -> String {
    format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c501b8b0ad29361486\",\"output_index\":0,\"content_index\":0,\"delta\":\"{text}\",\"logprobs\":[],\"obfuscation\":\"{}\"}}\n\n",
        &"xYzAbC12dEfG"[..1 + number % 11]
    )
}

fn messages(_: usize, text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
    )
}

fn content(_: usize, text: &str) -> String {
    format!(
        "event: content-delta\ndata: {{\"type\":\"content-delta\",\"index\":0,\"delta\":{{\"message\":{{\"content\":{{\"text\":\"{text}\"}}}}}}}}\n\n"
    )
}
