//! Events that are like the one before are not walked: that nobody can tell, whatever the events are.

use proptest::prelude::*;

use super::*;
use crate::mask::text::{Masks, Sink, TextMask};
use crate::protocol::json::table::Table;
use crate::protocol::testing::SimpleText;
use crate::protocol::{anthropic, cohere, gemini, ollama};

/// Documents of events: `?` stands for the inside of a text, `@` for that of a label, `#` for a number.
const DOCUMENTS: &[(&Table, &[&str])] = &[
    (
        &ANSWERS,
        &[
            r#"{"id":"c","created":1,"model":"m","system_fingerprint":"@","choices":[{"index":0,"delta":{"content":"?"},"logprobs":{"a":["SECRET"]},"finish_reason":null}],"obfuscation":"?","usage":null}"#,
            r#"{"id":"c","service_tier":"@","choices":[{"index":0,"delta":{"role":"@","content":"?"},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":#,"completion_tokens":#}}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"@","function":{"name":"?","arguments":"?"}}]}}],"unknown":#}"#,
            r#"{"choices":[{"index":1,"delta":{"unknown":"?","content":"?"}}],"sequence_number":#}"#,
            r#"{"choices":[{"delta":{"content":"?"},"index":0},{"index":0,"delta":{"content":"?"}}]}"#,
            r#"{"choices":[{"index":#,"delta":{"content":[{"type":"text","text":"?"}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"?"},"finish_reason":"@"}]}"#,
            r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"i","output_index":0,"content_index":0,"delta":"?","logprobs":[]}"#,
            r#"{"delta":"?","type":"response.function_call_arguments.delta","output_index":0,"item_id":"i","sequence_number":#}"#,
            r#"{"type":"@","delta":"?","sequence_number":#}"#,
            r#"{"choices":[{"index":0,"message":{"content":"?","annotations":[{"type":"url_citation","url_citation":{"start_index":#,"end_index":#,"title":"?"}}]}}]}"#,
            r#"{"12345":"?","zz\u0061":{"é":"?"},"n":[#,#,true],"e":{}}"#,
            r#"{"error":{"message":"?"}}"#,
            r#"["?",#]"#,
            r#""?""#,
            "#",
        ],
    ),
    (
        &anthropic::ANSWERS,
        &[
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"?"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"@"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"?"}}"#,
            r#"{"index":#,"delta":{"partial_json":"?","type":"input_json_delta"},"type":"content_block_delta"}"#,
            r#"{"type":"content_block_stop","index":#}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"@"},"usage":{"output_tokens":#}}"#,
            r#"{"type":"ping"}"#,
        ],
    ),
    (
        &gemini::ANSWERS,
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"?"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":#,"totalTokenCount":#},"createTime":"@"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"?","thought":true},{"text":"?"}]}}],"usageMetadata":{"thoughtsTokenCount":#}}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a","stringValue":"?"}]}}]}}]}"#,
        ],
    ),
    (
        &cohere::ANSWERS,
        &[r#"{"type":"content-delta","index":#,"delta":{"message":{"content":{"text":"?"}}}}"#],
    ),
    (
        &ollama::ANSWERS,
        &[
            r#"{"model":"m","created_at":"@","message":{"role":"assistant","content":"?"},"done":false,"eval_count":#}"#,
        ],
    ),
];

/// So many of what stands in places leave an event readable.
const GOOD: usize = 12;
const TEXTS: &[&str] = &[
    "SECRET",
    "SEC",
    "RET",
    "jane@ex",
    "ample.com",
    "é",
    "\\u0053EC",
    "123",
    "45",
    " a",
    "",
    "x",
    "caf",
    "\\n",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\\"",
    "\\\\",
    "\\/",
    "😀",
    "café",
    "{\\\"a\\\":\\\"SEC",
    "\\\"}",
    "\\",
    "\\x",
    "\\u12",
    "\u{1}",
    "\"",
    "\",\"content\":\"SECRET",
    "\"},\"delta\":{\"content\":\"x",
    "stop",
    "\n",
    "data: x",
    "<S>",
];
const NUMBERS: &[&str] = &[
    "0",
    "7",
    "12",
    "12345",
    "999999",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "8",
    "01",
    "-1",
    "-0",
    "1.5",
    "1e5",
    "1.",
    "true",
    "null",
    "",
    "99999999999999999999",
    "\"7\"",
    "4294967295",
    "1,\"index\":2",
    " 3",
    "3 ",
];
const HEADS: &[&str] = &[
    "data: ",
    "data:",
    "event: x\ndata: ",
    "event: content_block_delta\ndata: ",
    ": SECRET\ndata: ",
    "id: 1\r\ndata: ",
];
const TAILS: &[&str] = &["\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\nid: SECRET\n\n", "\n\n\n"];

/// [`Simple`], which also looks into labels, and ends an answer at one of its literals.
struct Strict;

struct StrictText(SimpleText);

struct Ending<'s>(&'s mut dyn Sink);

impl Sink for Ending<'_> {
    fn keep(&mut self, len: usize) {
        self.0.keep(len);
    }
    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        match with {
            b"<C>" => self.0.block(len, entity),
            _ => self.0.replace(len, entity, with),
        }
    }
    fn swallow(&mut self, len: usize) {
        self.0.swallow(len);
    }
}

impl TextMask for StrictText {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        self.0.push(text, end, &mut Ending(sink));
    }
    fn held(&self) -> usize {
        self.0.held()
    }
}

impl Masks for Strict {
    type Text = StrictText;

    fn begin(&self) -> StrictText {
        StrictText(Simple.begin())
    }
    fn begin_label(&self) -> Option<StrictText> {
        Some(self.begin())
    }
    fn may_hold(&self, label: &[u8]) -> bool {
        String::from_utf8_lossy(label).contains("SECRET") || label.contains(&b'\\')
    }
}

/// One event more.
#[derive(Debug, Clone)]
struct Step {
    /// Which document, and how it is framed; none: as the one before.
    other: Option<[usize; 3]>,
    /// What stands in its places.
    values: Vec<usize>,
    /// Bytes that are changed.
    changes: Vec<(prop::sample::Index, u8)>,
}

/// `last`: what may break a stream comes at its end, or most streams would end early.
fn step(last: bool) -> impl Strategy<Value = Step> {
    let value = if last { any::<usize>().boxed() } else { (0usize..GOOD).boxed() };
    let byte = prop_oneof![
        Just(b'"'),
        Just(b'\\'),
        Just(b','),
        Just(b':'),
        Just(b'1'),
        Just(b'{'),
        Just(b'}'),
        Just(b']'),
        Just(b'\n'),
        Just(b'\r'),
        Just(b' '),
        Just(b'x'),
        Just(b'i'),
        Just(0xC3),
        Just(0xA9),
        any::<u8>(),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), byte), 1..3);
    let changes = prop::option::weighted(if last { 0.5 } else { 0.03 }, changes);
    let other = prop::option::weighted(0.15, any::<[usize; 3]>());
    (other, prop::collection::vec(value, 4), changes).prop_map(|(other, values, changes)| Step {
        other,
        values,
        changes: changes.unwrap_or_default(),
    })
}

fn of<'t>(all: &[&'t str], at: usize) -> &'t str {
    all[at % all.len()]
}

/// The bytes of each event.
fn wire(kind: BodyKind, documents: &[&str], steps: &[Step]) -> Vec<Vec<u8>> {
    let mut now = [0; 3];
    let event = |step: &Step| {
        now = step.other.unwrap_or(now);
        let mut values = step.values.iter().copied().cycle();
        let mut text = String::new();
        for char in of(documents, now[0]).chars() {
            let value = if "?@#".contains(char) { values.next().unwrap() } else { 0 };
            match char {
                '?' | '@' => text += of(TEXTS, value),
                '#' => text += of(NUMBERS, value),
                other => text.push(other),
            }
        }
        let mut bytes = match kind {
            BodyKind::EventStream => {
                format!("{}{text}{}", of(HEADS, now[1] % 9 / 2), of(TAILS, now[2] % 9 / 2))
            }
            _ => format!("{text}\n"),
        }
        .into_bytes();
        for (at, byte) in &step.changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes
    };
    steps.iter().map(event).collect()
}

/// Everything that can be told of a rewriter that was given these pieces.
fn run(mut rewriter: ResponseRewriter<Strict>, pieces: &[&[u8]]) -> (Vec<u8>, Vec<usize>, String) {
    let (mut out, mut held) = (Vec::new(), Vec::new());
    let mut result = Ok(());
    for piece in pieces {
        result = rewriter.push(piece, false, &mut out);
        if result.is_err() {
            break;
        }
        held.push(rewriter.held());
    }
    let result = result.and_then(|()| rewriter.push(b"", true, &mut out));
    let facts = format!(
        "{result:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
        rewriter.found(),
        // Of an event that is refused nothing goes out, however far it was read.
        result.is_ok().then_some(rewriter.delivered()),
        rewriter.usage(),
        rewriter.finish_reason(),
        rewriter.model(),
        rewriter.id(),
        rewriter.failed(),
    );
    (out, held, facts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn what_is_known_by_its_likeness_is_read_as_if_it_were_not(
        provider in prop_oneof![0..DOCUMENTS.len(), Just(0)],
        first: [usize; 3],
        steps in prop::collection::vec(step(false), 1..8),
        last in step(true),
        lines: bool,
        drops: bool,
        thinking in prop_oneof![Just(Thinking::Mask), Just(Thinking::Exempt), Just(Thinking::Drop)],
        cuts in prop::collection::vec(1usize..400, 1..5),
        at_events: bool,
    ) {
        let (table, documents) = DOCUMENTS[provider];
        let kind = if lines { BodyKind::JsonLines } else { BodyKind::EventStream };
        let mut steps = steps;
        steps[0].other = Some(first);
        steps.push(last);
        let events = wire(kind, documents, &steps);
        let stream = events.concat();
        let rewriter = || {
            let rewriter = ResponseRewriter::new(kind, table, Strict).with_thinking(thinking);
            if drops { rewriter } else { rewriter.without_drops() }
        };
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = stream.as_slice();
        for size in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = more;
            if rest.is_empty() { break; }
        }
        if at_events {
            pieces = events.iter().map(Vec::as_slice).collect();
        }
        let quick = run(rewriter(), &pieces);
        let slow = run(rewriter().unlike(), &pieces);
        prop_assert_eq!(String::from_utf8_lossy(&quick.0), String::from_utf8_lossy(&slow.0), "{}", String::from_utf8_lossy(&stream));
        prop_assert_eq!(&quick.1, &slow.1);
        prop_assert_eq!(&quick.2, &slow.2, "{}", String::from_utf8_lossy(&stream));
        // Nor does it matter how the bytes were cut.
        let whole = run(rewriter(), &[&stream]);
        // A line's end that is cut between CR and LF passes before an event that waits.
        let lines = |out: &[u8]| String::from_utf8_lossy(out).replace(['\r', '\n'], "");
        prop_assert_eq!(lines(&quick.0), lines(&whole.0), "{}", String::from_utf8_lossy(&stream));
        prop_assert_eq!(quick.2, whole.2);
    }
}

/// How many of a provider's usual events are known by their likeness.
fn known(table: &'static Table, kind: BodyKind, document: &str) -> usize {
    let step = |value| Step { other: None, values: vec![value; 4], changes: vec![] };
    let events = wire(kind, &[document], &[step(1), step(2), step(0), step(3)]);
    let mut rewriter = ResponseRewriter::new(kind, table, Simple);
    events.iter().for_each(|event| rewriter.push(event, false, &mut Vec::new()).unwrap());
    rewriter.alike()
}

#[test]
fn the_usual_events_of_every_provider_are_known_by_their_likeness() {
    for (provider, documents) in [(0, &[0, 1, 2, 3, 4, 7, 8][..]), (1, &[0, 2][..]), (2, &[0, 1]), (4, &[0])]
    {
        let (table, all) = DOCUMENTS[provider];
        for document in documents {
            for kind in [BodyKind::EventStream, BodyKind::JsonLines] {
                let alike = known(table, kind, all[*document]);
                assert_eq!(alike, 3, "{kind:?}: {}", all[*document]);
            }
        }
    }
}
