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
//! letters of prose each, as providers send them; some of OpenAI's are padded to 336 bytes. *Layer* is all but the
//! masker's search: in its place stands one that holds the word under way and finds nothing. *Poured* is the same with
//! many events a read. Behind the streams come documents, in MB/s. `-- layer` leaves the masker out.
mod layer;

use std::hint::black_box;
use std::time::{Duration, Instant};

use layer::Words;
use portcullis::mask::text::Masks;
use portcullis::mask::{Catalogue, Plan};
use portcullis::protocol::json::table::Table;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};
use portcullis::protocol::{anthropic, cohere, gemini, ollama, openai};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 100;
/// What a proxy reads at once: behind a model an event or two, however cut, and of a body that pours.
const READ: usize = 500;
const POUR: usize = 16 << 10;

const PROSE: &str = "The committee met on Tuesday and agreed that the report, which had been late twice, should be \
                     read by everyone before the next meeting. Nobody asked why it was late. ";

type Make = fn(usize, &str) -> String;

fn main() {
    let alone = std::env::args().any(|argument| argument == "layer");
    let known = Catalogue::built_in();
    let asked = ["PII", "SECRETS"].map(|set| known.resolve(set).expect("a set"));
    let plan = Plan::new(&known, asked[0].union(asked[1]), vec![layer::SECRET.to_vec()]);
    println!("ns an event, one thread, best of {ROUNDS}");
    println!(
        "{:<26} {:>6} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "stream", "bytes", "layer", "poured", "4 bytes", "1 word", "changed"
    );
    let sse = BodyKind::EventStream;
    let rows: [(&str, BodyKind, &Table, Make); 10] = [
        ("openai chat", sse, &openai::ANSWERS, chat),
        ("openai chat, 336 bytes", sse, &openai::ANSWERS, padded),
        ("openai chat, new label", sse, &openai::ANSWERS, labelled),
        ("openai chat, tool call", sse, &openai::ANSWERS, arguments),
        ("openai chat, tiny", sse, &openai::ANSWERS, tiny),
        ("openai responses", sse, &openai::ANSWERS, responses),
        ("anthropic messages", sse, &anthropic::ANSWERS, messages),
        ("cohere chat", sse, &cohere::ANSWERS, content),
        ("gemini", sse, &gemini::ANSWERS, candidates),
        ("ollama", BodyKind::JsonLines, &ollama::ANSWERS, line),
    ];
    for (name, kind, table, make) in rows {
        let bytes = make(1, "The ").len();
        let fours = stream(make, 4, false);
        let layer = |read| time(kind, table, Words::default, &fours, read);
        print!("{name:<26} {bytes:>6} {:>8.0} {:>8.0}", layer(READ), layer(POUR));
        if !alone {
            let masked = |stream: &[u8]| time(kind, table, || plan.clone(), stream, READ);
            let words = masked(&stream(make, 6, false));
            print!(" {:>8.0} {words:>8.0} {:>10.0}", masked(&fours), masked(&stream(make, 4, true)));
        }
        println!();
    }
    println!("\n{:<26} {:>9} {:>9}", "document", "layer MB/s", "MB/s");
    for (name, document) in layer::documents() {
        let layer = layer::speed(Words::default, &document);
        print!("{name:<26} {layer:>9.0}");
        if !alone {
            print!(" {:>9.0}", layer::speed(|| plan.clone(), &document));
        }
        println!();
    }
}

/// `changed`: every event has one more key, so that none is like the one before.
fn stream(make: Make, size: usize, changed: bool) -> Vec<u8> {
    let text: Vec<char> = PROSE.chars().cycle().take(size * EVENTS).collect();
    let event = |(number, piece): (usize, &[char])| {
        let event = make(number, &piece.iter().collect::<String>());
        if changed { event.replacen('{', &format!("{{\"k{}\":1,", number % 10), 1) } else { event }
    };
    text.chunks(size).enumerate().map(event).collect::<String>().into_bytes()
}

fn time<M: Masks>(
    kind: BodyKind,
    table: &'static Table,
    masks: impl Fn() -> M,
    stream: &[u8],
    read: usize,
) -> f64 {
    let once = || {
        let mut rewriter = ResponseRewriter::new(kind, table, masks());
        let mut out = Vec::with_capacity(stream.len() * 2);
        let start = Instant::now();
        stream.chunks(read).for_each(|piece| rewriter.push(piece, false, &mut out).expect("readable"));
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

/// With a label that is another one in each event.
fn labelled(number: usize, text: &str) -> String {
    let letters: String =
        (0..6).map(|place| char::from(b'a' + ((number >> (4 * place)) & 15) as u8)).collect();
    let event = padded(number, text).replacen(
        "\"choices\"",
        &format!("\"system_fingerprint\":\"fp_{letters}\",\"choices\""),
        1,
    );
    event.replacen(&"xYzAbC12xYzAbC12xYzAbC12xYzAbC12"[..32], "", 1)
}

fn arguments(number: usize, text: &str) -> String {
    let text = if number == 0 { "{\\\"a\\\":\\\"" } else { text };
    format!(
        "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKl\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{text}\"}}}}]}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}

fn tiny(_: usize, text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", &text[..1])
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

fn candidates(number: usize, text: &str) -> String {
    format!(
        "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": \"{text}\"}}],\"role\": \"model\"}},\"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": 8,\"candidatesTokenCount\": {number},\"totalTokenCount\": {}}},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"hY4AaMnjNpGAkdUP\"}}\n\n",
        number + 8
    )
}

fn line(number: usize, text: &str) -> String {
    format!(
        "{{\"model\":\"llama3.2\",\"created_at\":\"2026-01-12T09:{:02}:{:02}.{:06}Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n",
        number / 60 % 60,
        number % 60,
        number * 317
    )
}
