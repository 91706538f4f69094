//! What the targets share: how an input is cut into pieces, and the laws that hold for any cut.
//!
//! The first bytes of an input choose the cut, the rest is what is masked; so the fuzzer finds both.
use portcullis::mask::text::{Entity, Masks, Sink, TextMask};
use portcullis::mask::{Entities, Plan};
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

thread_local!(static EVERYTHING: Plan = Plan::new(Entities::all(), vec![CREDENTIAL.to_vec()]));

/// Everything that can be masked.
pub fn everything() -> Plan {
    EVERYTHING.with(Plan::clone)
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

/// The laws of an answer: any cut gives the same bytes, and a policy that masks nothing gives the bytes that came.
pub fn answer(kind: BodyKind, table: &'static Table, input: &[u8]) {
    let Some((seed, body)) = split(input) else { return };
    let cut = pieces(seed, body);
    let masking = || ResponseRewriter::new(kind, table, everything());
    let whole = rewrite(masking(), &[body]);
    assert_eq!(rewrite(masking(), &cut), whole, "the cut shows");
    let untouched = ResponseRewriter::new(kind, table, Plan::new(Entities::NONE, Vec::new())).without_drops();
    if let Some(out) = rewrite(untouched, &cut) {
        assert!(out == body, "a policy that masks nothing changes bytes");
    }
}

/// The same of an answer that comes in one piece.
pub fn whole_answer(kind: BodyKind, table: &'static Table, body: &[u8]) {
    let rewritten = |masks, drops| {
        let rewriter = ResponseRewriter::new(kind, table, masks);
        let mut rewriter = if drops { rewriter } else { rewriter.without_drops() };
        let mut out = Vec::new();
        rewriter.push(body, true, &mut out).ok().map(|()| out)
    };
    let _ = rewritten(everything(), true);
    if let Some(out) = rewritten(Plan::new(Entities::NONE, Vec::new()), false) {
        assert!(out == body, "a policy that masks nothing changes bytes");
    }
}
