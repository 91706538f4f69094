//! What an answer costs: the masker with the JSON and the events around its texts, as one response goes through.
//!
//! Every way is read back before it is timed: the texts of what came out, put together, are the masked whole.
use std::fmt::Write;
use std::hint::black_box;

use portcullis::mask::{Found, Plan, mask_whole};
use portcullis::protocol::Unreadable;
use portcullis::protocol::openai::ANSWERS;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};
use serde_json::Value;

use crate::texts::{ADVERSARIAL, Corpus, shown};
use crate::{best, quick};

/// What an event of one token weighs with OpenAI, its empty line included.
const EVENT: usize = 336;
/// What a proxy reads at once of a body that pours.
const READ: usize = 16 << 10;

/// How a text travels.
struct Way {
    head: &'static str,
    tail: &'static str,
    /// JSON strings within each other: the text is escaped as often.
    levels: usize,
    /// Bytes of text in an event.
    piece: usize,
    /// Bytes that an event is filled up to.
    event: usize,
    /// Whether every character is written as `\u0000`.
    escaped: bool,
}

const CONTENT: Way = Way {
    head: "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
           \"model\":\"gpt-4o-mini\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\
           \"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
    tail: "\"},\"logprobs\":null,\"finish_reason\":null}]",
    levels: 1,
    piece: 4,
    event: EVENT,
    escaped: false,
};

const SMALLEST: Way = Way {
    head: "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
    tail: "\"}}]",
    event: 0,
    piece: 1,
    ..CONTENT
};

const ARGUMENTS: Way = Way {
    head: "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"",
    tail: "\"}}]}}]",
    levels: 2,
    ..CONTENT
};

pub fn run(plan: &Plan, corpora: &[Corpus]) {
    let share = if quick() { 16 } else { 4 };
    println!(
        "== answers: text in events of {EVENT} bytes with 4 bytes of text each, and whole in one document"
    );
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "text", "events", "us/event", "MB/s", "document", "mean held"
    );
    for Corpus { name, text, .. } in corpora {
        row(plan, name, &cut(text, text.len() / share), &CONTENT);
    }
    println!("-- adversarial");
    let bytes = if quick() { 8 << 10 } else { 64 << 10 };
    for unit in ADVERSARIAL {
        row(plan, &shown(unit), &cut(&unit.repeat(bytes / unit.len()), bytes), &CONTENT);
    }
    let personal = &corpora[2].text;
    row(plan, "every-letter-escaped", &cut(personal, bytes), &Way { escaped: true, ..CONTENT });
    row(plan, "escapes-in-escapes", &cut(personal, bytes), &Way { escaped: true, ..ARGUMENTS });
    row(plan, "tool-arguments", &cut(personal, bytes), &ARGUMENTS);
    let tiny = if quick() { 100_000 } else { 1_000_000 };
    row(plan, &format!("{tiny}-tiny-deltas"), &cut(personal, tiny), &SMALLEST);
    endless(plan, personal);
}

/// The first `len` bytes, or somewhat less, for a character stays whole.
fn cut(text: &str, len: usize) -> String {
    text[..text.floor_char_boundary(len)].to_owned()
}

fn row(plan: &Plan, name: &str, text: &str, way: &Way) {
    let events = way.events(text);
    let document = way.document(text);
    let (streamed, held) = way.stream(plan, &events);
    let whole = rewrite(plan, BodyKind::Json, document.as_bytes()).expect("a document");
    let wanted = way.wanted(plan, text);
    assert_eq!(way.read(&streamed), wanted, "{name}: the stream's text is the masked whole");
    assert_eq!(way.read(&whole), wanted, "{name}: the document's text is the masked whole");
    let wire: usize = events.iter().map(String::len).sum();
    let time = best(|| way.stream(plan, black_box(&events)).0.len());
    let at_once = best(|| rewrite(plan, BodyKind::Json, document.as_bytes()).map_or(0, |out| out.len()));
    println!(
        "{name:<22} {:>9} {:>9.2} {:>9.0} {:>9.0} {:>9.2}",
        events.len(),
        time.as_secs_f64() * 1e6 / events.len() as f64,
        wire as f64 / 1e6 / time.as_secs_f64(),
        document.len() as f64 / 1e6 / at_once.as_secs_f64(),
        held as f64 / events.len() as f64,
    );
}

/// A whole body, poured.
fn rewrite(plan: &Plan, kind: BodyKind, body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut rewriter = ResponseRewriter::new(kind, &ANSWERS, plan.clone());
    let mut out = Vec::with_capacity(body.len());
    for part in body.chunks(READ) {
        rewriter.push(part, false, &mut out)?;
    }
    rewriter.push(b"", true, &mut out)?;
    Ok(out)
}

impl Way {
    /// The text as it stands within the strings of an event.
    fn escape(&self, text: &str) -> String {
        let once = |text: &str| {
            if !self.escaped {
                let quoted = Value::from(text).to_string();
                return quoted[1..quoted.len() - 1].to_owned();
            }
            text.encode_utf16().fold(String::new(), |mut out, unit| {
                let _ = write!(out, "\\u{unit:04x}");
                out
            })
        };
        (0..self.levels).fold(text.to_owned(), |text, _| once(&text))
    }

    fn wrap(&self, payload: &str) -> String {
        let (head, tail) = (self.head, self.tail);
        let filler = self.event.saturating_sub(head.len() + payload.len() + tail.len() + 27);
        let filler = if self.event == 0 {
            String::new()
        } else {
            format!(",\"obfuscation\":\"{}\"", "x".repeat(filler))
        };
        format!("data: {head}{payload}{tail}{filler}}}\n\n")
    }

    fn events(&self, text: &str) -> Vec<String> {
        let (mut events, mut rest) = (Vec::new(), text);
        let quotes = if self.levels > 1 { "\\\"" } else { "" };
        if !quotes.is_empty() {
            events.push(self.wrap(&format!("{{{quotes}a{quotes}:{quotes}")));
        }
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(self.piece.min(rest.len())));
            events.push(self.wrap(&self.escape(piece)));
            rest = after;
        }
        if !quotes.is_empty() {
            events.push(self.wrap(&format!("{quotes}}}")));
        }
        events
    }

    fn document(&self, text: &str) -> String {
        let payload = self.escape(text);
        let payload = if self.levels > 1 { format!("{{\\\"a\\\":\\\"{payload}\\\"}}") } else { payload };
        format!("{}{payload}{}}}", self.head, self.tail).replace("\"delta\"", "\"message\"")
    }

    /// One event a read, as behind a model; the output, and what was held after each event, added up.
    fn stream(&self, plan: &Plan, events: &[String]) -> (Vec<u8>, usize) {
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, plan.clone());
        let (mut out, mut held) = (Vec::with_capacity(events.iter().map(String::len).sum()), 0);
        for event in events {
            rewriter.push(event.as_bytes(), false, &mut out).expect("a stream");
            held += rewriter.held();
        }
        rewriter.push(b"", true, &mut out).expect("a stream's end");
        (out, held)
    }

    /// The texts of all documents in `answer`, put together.
    fn read(&self, answer: &[u8]) -> String {
        let answer = std::str::from_utf8(answer).expect("UTF-8");
        let documents = answer.split("\n\n").map(|event| event.strip_prefix("data: ").unwrap_or(event));
        let strings = documents.filter(|document| !document.is_empty()).map(|document| {
            let value: Value =
                serde_json::from_str(document).unwrap_or_else(|why| panic!("{why}: {document}"));
            let choice = &value["choices"][0];
            let message = choice.get("delta").or_else(|| choice.get("message")).cloned().unwrap_or_default();
            let text = message.get("content").unwrap_or(&message["tool_calls"][0]["function"]["arguments"]);
            text.as_str().unwrap_or_default().to_owned()
        });
        let text: String = strings.collect();
        if self.levels == 1 {
            return text;
        }
        let arguments: Value = serde_json::from_str(&text).expect("arguments are JSON");
        arguments["a"].as_str().unwrap_or_default().to_owned()
    }

    fn wanted(&self, plan: &Plan, text: &str) -> String {
        let masked = mask_whole(plan, text.as_bytes(), &mut Found::default());
        masked.map_or_else(|| text.to_owned(), |out| String::from_utf8(out).expect("UTF-8"))
    }
}

/// One event of 10 MB: refused when it is a megabyte, and what was held until then. A document may be as long.
fn endless(plan: &Plan, text: &str) {
    let long = text.repeat((10 << 20) / text.len() + 1);
    let event = SMALLEST.wrap(&SMALLEST.escape(&long));
    let refuse = || {
        let mut rewriter = ResponseRewriter::new(BodyKind::EventStream, &ANSWERS, plan.clone());
        let (mut out, mut taken, mut held) = (Vec::new(), 0, 0);
        for part in event.as_bytes().chunks(READ) {
            taken += part.len();
            if rewriter.push(part, false, &mut out).is_err() {
                return (taken, held, out.len());
            }
            held = held.max(rewriter.held());
        }
        panic!("an event of {} bytes was taken", event.len());
    };
    let (taken, held, given) = refuse();
    assert_eq!(given, 0, "nothing of an event goes out before it is whole");
    let time = best(|| refuse().0);
    let document = CONTENT.document(&long);
    let whole = best(|| rewrite(plan, BodyKind::Json, document.as_bytes()).map_or(0, |out| out.len()));
    println!(
        "-- one event of {} bytes: refused after {taken}, in {:.1} ms; held at most {held}",
        event.len(),
        time.as_secs_f64() * 1e3
    );
    println!(
        "-- one document of {} bytes: {:.0} MB/s",
        document.len(),
        document.len() as f64 / 1e6 / whole.as_secs_f64()
    );
}
