//! What reads and writes an answer, without the masker's search.
use std::hint::black_box;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use portcullis::mask::text::{Masks, Sink, TextMask};
use portcullis::protocol::openai;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};

/// The credential that labels are searched for.
pub const SECRET: &[u8] = b"pk-live-0123456789abcdef";

const READ: usize = 16 << 10;
const ROUNDS: usize = 60;

/// Finds nothing, and holds what a masker holds of prose: the word under way.
pub struct Words(Finder<'static>);

impl Default for Words {
    fn default() -> Self {
        Self(Finder::new(SECRET))
    }
}

#[derive(Default)]
pub struct Word {
    held: usize,
}

impl TextMask for Word {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        let near = &text[text.len().saturating_sub(16)..];
        let last = near.iter().rposition(|byte| *byte == b' ').map(|at| near.len() - at - 1);
        let all = self.held + text.len();
        let held = match last {
            _ if end => 0,
            Some(word) => word,
            None if all > 64 => 0,
            None => all,
        };
        if all > held {
            sink.keep(all - held);
        }
        self.held = held;
    }

    fn held(&self) -> usize {
        self.held
    }
}

impl Masks for Words {
    type Text = Word;

    fn begin(&self) -> Word {
        Word::default()
    }

    fn begin_label(&self) -> Option<Word> {
        Some(Word::default())
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        self.0.find(label).is_some()
    }
}

/// Documents of some hundred kilobytes, by what is in them.
pub fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let prose = "The committee met on Tuesday and agreed that the report, which had been late twice, should be read. ";
    let text = prose.repeat(2_500);
    let escaped: String = prose.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<String>().repeat(500);
    let twice: String = prose
        .bytes()
        .flat_map(|byte| format!("\\u{byte:04x}").into_bytes())
        .map(|byte| format!("\\u{byte:04x}"))
        .collect::<String>()
        .repeat(100);
    let quoted = "He said \\\"no\\\" twice.\\n".repeat(10_000);
    let arguments = |text: &str| {
        format!(
            "{{\"choices\":[{{\"index\":0,\"message\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{{\\\"a\\\":\\\"{text}\\\"}}\"}}}}]}}}}]}}"
        )
    };
    let content = |text: &str| {
        format!(
            "{{\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}]}}"
        )
    };
    let row = "{\"id\":\"a-17\",\"score\":0.8731,\"metadata\":{\"title\":\"Travel\",\"page\":12,\"text\":\"The office answers questions.\"}},";
    let rows = format!("{{\"matches\":[{}{{}}]}}", row.repeat(2_000));
    let floats = "0.0123456789,-0.987654321,".repeat(10_000);
    let vectors =
        format!("{{\"data\":[{{\"object\":\"embedding\",\"index\":0,\"embedding\":[{floats}0]}}]}}");
    [
        ("prose", content(&text)),
        ("quotes and line ends", content(&quoted)),
        ("every letter escaped", content(&escaped)),
        ("tool arguments", arguments(&text)),
        ("escapes in escapes", arguments(&twice)),
        ("small values", rows),
        ("numbers", vectors),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into()
}

/// MB/s of one document.
pub fn speed<M: Masks>(masks: impl Fn() -> M, document: &[u8]) -> f64 {
    let once = || {
        let mut rewriter = ResponseRewriter::new(BodyKind::Json, &openai::ANSWERS, masks());
        let mut out = Vec::with_capacity(document.len() * 2);
        let start = Instant::now();
        document.chunks(READ).for_each(|piece| rewriter.push(piece, false, &mut out).expect("readable"));
        rewriter.push(b"", true, &mut out).expect("readable");
        let spent = start.elapsed();
        black_box(out);
        spent
    };
    let best = (0..ROUNDS).map(|_| once()).min().unwrap_or(Duration::ZERO);
    document.len() as f64 / 1e6 / best.as_secs_f64()
}
