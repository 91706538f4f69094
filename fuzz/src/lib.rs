//! What the targets share: how an input is cut into pieces, and the laws that hold for any cut.
//!
//! The first bytes of an input choose the cut, the rest is what is masked; so the fuzzer finds both.
pub mod asked;

use portcullis::mask::text::{Entity, Masks, Sink, TextMask};
use portcullis::mask::{Catalogue, Entities, Plan};
use portcullis::protocol::api::APIS;
use portcullis::protocol::coding::Coding;
use portcullis::protocol::json::table::Table;
use portcullis::protocol::rewrite::{BodyKind, ResponseRewriter};

/// Bytes of an input that choose its cut.
const SEED: usize = 8;

/// A secret that is known by its very bytes.
pub const CREDENTIAL: &[u8] = b"Zq8!literal-Zq8!";

/// Splits an input into the seed of its cut and its payload.
pub fn split(input: &[u8]) -> Option<(u64, &[u8])> {
    let (seed, payload) = input.split_first_chunk::<SEED>()?;
    Some((u64::from_le_bytes(*seed), payload))
}

/// The payload in pieces of 1 to 64 bytes, as the seed has it.
pub fn pieces(mut seed: u64, payload: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut pieces) = (payload, Vec::new());
    while !rest.is_empty() {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let longest = 1 << (seed >> 61);
        let (piece, later) = rest.split_at(rest.len().min(1 + (seed >> 33) as usize % longest));
        pieces.push(piece);
        rest = later;
    }
    pieces
}

thread_local!(static EVERYTHING: Plan = {
    let catalogue = Catalogue::built_in();
    Plan::new(&catalogue, catalogue.all(), vec![CREDENTIAL.to_vec()])
});

/// Everything that can be masked.
pub fn everything() -> Plan {
    EVERYTHING.with(Plan::clone)
}

/// Nothing that can be masked.
fn nothing() -> Plan {
    Plan::new(&Catalogue::built_in(), Entities::NONE, Vec::new())
}

/// The table of answers that a byte chooses, among those of all operations of all APIs.
fn table(choice: u8) -> &'static Table {
    let own = APIS.iter().map(|api| api.answers);
    let tables =
        own.chain(APIS.iter().flat_map(|api| api.operations).filter_map(|operation| operation.answers));
    let mut distinct: Vec<&'static Table> = Vec::new();
    for table in tables {
        if !distinct.iter().any(|known| std::ptr::eq(*known, table)) {
            distinct.push(table);
        }
    }
    distinct[usize::from(choice) % distinct.len()]
}

/// What a masker decided, byte for byte.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// The text as it goes out.
    pub out: Vec<u8>,
    /// Values, by entity and place.
    pub values: Vec<(Entity, usize)>,
    taken: usize,
}

struct Taking<'a> {
    text: &'a [u8],
    decided: Decided,
}

impl Sink for Taking<'_> {
    fn keep(&mut self, len: usize) {
        let at = self.decided.taken;
        self.decided.out.extend_from_slice(&self.text[at..at + len]);
        self.decided.taken += len;
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.decided.values.push((entity, self.decided.taken));
        self.decided.out.extend_from_slice(with);
        self.decided.taken += len;
    }

    fn swallow(&mut self, len: usize) {
        self.decided.taken += len;
    }
}

/// Masks a text that comes in pieces.
///
/// # Panics
/// Where not every byte is decided exactly once.
pub fn mask(plan: &Plan, text: &[u8], pieces: &[&[u8]]) -> Decided {
    let mut sink = Taking { text, decided: Decided::default() };
    let mut masker = plan.begin();
    for piece in pieces {
        masker.push(piece, false, &mut sink);
    }
    masker.push(b"", true, &mut sink);
    assert_eq!(sink.decided.taken, text.len(), "every byte is decided once");
    assert_eq!(masker.held(), 0, "nothing is held after the end");
    sink.decided
}

/// What an answer comes out as; `None` where it cannot be read.
fn rewrite(mut rewriter: ResponseRewriter<Plan>, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for piece in pieces {
        rewriter.push(piece, false, &mut out).ok()?;
    }
    rewriter.push(b"", true, &mut out).ok()?;
    assert_eq!(rewriter.held(), 0, "nothing is held after the end");
    Some(out)
}

/// The laws of an answer: any cut gives the same bytes, and a policy that masks nothing gives the bytes that came. The
/// input's first byte chooses whose answer it is.
pub fn answer(kind: BodyKind, input: &[u8]) {
    let Some((&choice, input)) = input.split_first() else { return };
    let Some((seed, body)) = split(input) else { return };
    let (table, cut) = (table(choice), pieces(seed, body));
    let masking = || ResponseRewriter::new(kind, table, everything());
    let whole = rewrite(masking(), &[body]);
    assert_eq!(rewrite(masking(), &cut), whole, "the cut shows");
    let untouched = ResponseRewriter::new(kind, table, nothing()).without_drops();
    if let Some(out) = rewrite(untouched, &cut) {
        assert!(out == body, "a policy that masks nothing changes bytes");
    }
}

/// The same of an answer that comes in one piece.
pub fn whole_answer(kind: BodyKind, input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let rewritten = |rewriter: ResponseRewriter<Plan>| {
        let (mut rewriter, mut out) = (rewriter, Vec::new());
        rewriter.push(body, true, &mut out).ok().map(|()| out)
    };
    let _ = rewritten(ResponseRewriter::new(kind, table(choice), everything()));
    let untouched = ResponseRewriter::new(kind, table(choice), nothing()).without_drops();
    if let Some(out) = rewritten(untouched) {
        assert!(out == body, "a policy that masks nothing changes bytes");
    }
}

/// A compressed text: any cut gives the same.
pub fn coded_answer(coding: Coding, input: &[u8]) {
    let Some((seed, body)) = split(input) else { return };
    let rewriter = || ResponseRewriter::new(BodyKind::Json, table(0), everything()).coded(Some(coding));
    assert_eq!(rewrite(rewriter(), &pieces(seed, body)), rewrite(rewriter(), &[body]), "the cut shows");
}

/// AWS event frames of the pieces of an input between record separators, each with its event's type by its first byte:
/// mutated bytes seldom have the right check sums.
pub fn framed(input: &[u8]) -> Vec<u8> {
    const KINDS: [&str; 8] = [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
        "chunk",
        "other",
    ];
    let mut out = Vec::new();
    for record in input.split(|&byte| byte == 0x1e) {
        let Some((&choice, payload)) = record.split_first() else { continue };
        let mut headers = Vec::new();
        let kind = KINDS[usize::from(choice) % KINDS.len()];
        for (name, value) in
            [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
        {
            headers.push(name.len() as u8);
            headers.extend_from_slice(name.as_bytes());
            headers.push(7);
            headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
            headers.extend_from_slice(value.as_bytes());
        }
        let mut frame = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
        frame.extend_from_slice(&headers);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
        out.extend_from_slice(&frame);
    }
    out
}

/// A gzip member (RFC 1952) of a text.
pub fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    out.extend(miniz_oxide::deflate::compress_to_vec(text, 6));
    out.extend_from_slice(&crc32fast::hash(text).to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out
}
