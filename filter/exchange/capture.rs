//! What an exchange keeps of prompt and answer for its records.
//!
//! The copy has masks of its own, and reads of its own: it is made from the bytes as they came, whatever the policy
//! makes of them, by the same tables that masks and rules go by. So whatever is forwarded, blocked or broken off, no
//! value that `audit.mask` names is in a record that its collector can read: with `capture: full` the texts are not masked
//! (but for the connection's credential), and sealed to auditors. It never changes, holds or refuses anything.
//!
//! Texts go out in `.part` records as soon as they fill one, so that an exchange holds no more of them than that, and the
//! piece that came last. Of an answer that is broken off, the last bytes are in no record where they may begin a value.

use sha2::{Digest as _, Sha256};

use super::captures::Capturing;
use super::lane::Lane;
use super::{Exchange, answer};
use crate::audit::captured::{MOST_PARTS, PART_BYTES};
use crate::audit::seal::Seal;
use crate::audit::trace::to_hex;
use crate::audit::{Captured, Part, PartRecord, Pieces, Record, Sealed, Text};
use crate::config::set::Kind;
use crate::host::Host;
use crate::mask::Way;
use crate::mask::kept::{Book, Keeping};
use crate::protocol::answers::EVERYTHING;
use crate::protocol::coding::Coding;
use crate::protocol::json::table::Table;
use crate::protocol::request::mask_prompt;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};

/// What was kept and is in no record yet.
#[derive(Default)]
pub(super) struct Capture {
    prompt: Kept,
    /// The prompt's bytes, while they come.
    came: Vec<u8>,
    answer: Kept,
    reader: Option<Box<ResponseRewriter<Way>>>,
    /// Part records so far.
    parts: u64,
    /// Seals what auditors alone may read, once there is something to seal.
    seal: Option<Seal>,
}

#[cfg(test)]
impl Capture {
    /// Bytes of texts that are in no record yet.
    pub(super) fn size(&self) -> usize {
        self.prompt.book.bytes().saturating_add(self.answer.book.bytes())
    }
}

/// Texts as a record has them: open, or sealed.
#[derive(Default)]
struct Written {
    open: Pieces,
    sealed: Option<Sealed>,
}

#[derive(Default)]
struct Kept {
    book: Book,
    /// Of what is not text.
    digest: Option<Sha256>,
    cut: Option<&'static str>,
}

impl Kept {
    fn digest(&mut self) -> Option<Text> {
        let digest = self.digest.take()?;
        Some(Text::from(format!("sha256:{}", to_hex(&digest.finalize()))))
    }
}

impl Exchange {
    fn capturing(&self) -> Option<&Capturing> {
        self.lane.as_ref().and_then(|lane| lane.capture.as_ref())
    }

    /// Whether prompts are kept on this connection.
    pub(super) fn captures(&self) -> bool {
        self.capturing().is_some() && !self.inquiry.tunnel
    }

    /// All of the request's body is shown again.
    pub(super) fn capture_again(&mut self) {
        self.capture.came.clear();
        self.capture.prompt.digest = None;
    }

    /// Takes a piece of the request's body.
    pub(super) fn capture_request(&mut self, piece: &[u8]) {
        if self.capture.prompt.cut.is_some() {
            return;
        }
        if request_kind(self).is_err() {
            self.capture.prompt.digest.get_or_insert_default().update(piece);
            return;
        }
        if self.over_limit(self.capture.came.len().saturating_add(piece.len())) {
            return self.capture_too_large();
        }
        self.capture.came.extend_from_slice(piece);
    }

    /// The request's body is larger than the policy reads.
    pub(super) fn capture_too_large(&mut self) {
        self.capture.came = Vec::new();
        self.capture.prompt.cut = Some("size");
    }

    /// The request's body is held, and whole.
    pub(super) fn capture_held(&mut self, host: &dyn Host) {
        if self.captures() && !self.inquiry.body.is_empty() {
            self.capture_early();
            self.capture_prompt(host);
        }
    }

    /// Takes what came of the request's body until it went on: no more of it is shown than what comes after.
    pub(super) fn capture_early(&mut self) {
        if self.captures() && !self.inquiry.body.is_empty() {
            let body = std::mem::take(&mut self.inquiry.body);
            self.capture_again();
            self.capture_request(&body);
            self.inquiry.body = body;
        }
    }

    /// The request's body is whole: keeps its texts.
    pub(super) fn capture_prompt(&mut self, host: &dyn Host) {
        let body = std::mem::take(&mut self.capture.came);
        let (Some(capturing), false) = (self.capturing(), body.is_empty()) else { return };
        let (plan, book) = (capturing.plan.clone(), self.capture.prompt.book.clone());
        let known = self.inquiry.operation.and_then(|operation| operation.view);
        let read = known.is_some_and(|request| {
            let texts = Book::default();
            let masks = Way::Keep(Keeping::new(plan.clone(), texts.clone()));
            let read = mask_prompt(request, &self.inquiry.path_model, &body, &masks).is_ok();
            if read {
                self.capture.prompt.book = texts;
            }
            read
        });
        // What the API has no table for is read as what it is said to be: every string of it.
        let unread = !read
            && request_kind(self).is_ok_and(|kind| {
                let masks = Way::Keep(Keeping::new(plan, book));
                let mut reader = ResponseRewriter::new(kind, &EVERYTHING, masks);
                reader.push(&body, true, &mut Vec::new()).is_err()
            });
        if unread {
            self.capture.prompt.cut = Some("unreadable");
        }
        self.record_parts(host);
    }

    /// An answer comes, of this kind or of one that cannot be read.
    pub(super) fn capture_begins(
        &mut self,
        lane: &Lane,
        kind: Result<(BodyKind, Option<Coding>), Kind>,
        table: &'static Table,
    ) {
        let Some(capturing) = &lane.capture else { return };
        match kind {
            Ok((kind, coding)) => {
                let masks = Way::Keep(Keeping::new(capturing.plan.clone(), self.capture.answer.book.clone()));
                let reader = ResponseRewriter::new(kind, table, masks).coded(coding);
                self.capture.reader = Some(Box::new(reader));
            }
            Err(_) => self.capture.answer.digest = Some(Sha256::default()),
        }
    }

    /// Whether the answer's bytes are asked for.
    pub(super) fn captures_answer(&self) -> bool {
        self.capture.reader.is_some() || self.capture.answer.digest.is_some()
    }

    /// Takes a piece of the answer as it came from upstream.
    pub(super) fn capture_answer(&mut self, host: &dyn Host, piece: &[u8], end: bool) {
        if let Some(digest) = &mut self.capture.answer.digest {
            return digest.update(piece);
        }
        let Some(reader) = &mut self.capture.reader else { return };
        if reader.push(piece, end, &mut Vec::new()).is_err() {
            self.capture.answer.cut = Some("unreadable");
            self.capture.reader = None;
        } else if end {
            self.capture.reader = None;
        }
        self.record_parts(host);
    }

    /// Records what fills a part.
    fn record_parts(&mut self, host: &dyn Host) {
        self.parts_of(host, |capture| &mut capture.prompt, put_prompt);
        self.parts_of(host, |capture| &mut capture.answer, put_answer);
    }

    /// Texts as records are to have them; `None`: they cannot be sealed, and so are not kept.
    fn written(&mut self, host: &dyn Host, pieces: Pieces) -> Option<Written> {
        let recipients = self.capturing().and_then(|capturing| capturing.recipients.clone());
        let Some(recipients) = recipients.filter(|_| !pieces.is_empty()) else {
            return Some(Written { open: pieces, sealed: None });
        };
        let random = |into: &mut [u8]| host.random(into);
        if self.capture.seal.is_none() {
            self.capture.seal = Seal::new(&recipients, &random);
        }
        let sealed = self.capture.seal.as_ref().and_then(|seal| Sealed::of(&pieces, seal, &random))?;
        Some(Written { open: Pieces::default(), sealed: Some(sealed) })
    }

    fn parts_of(
        &mut self,
        host: &dyn Host,
        side: fn(&mut Capture) -> &mut Kept,
        put: fn(&mut Captured, Written),
    ) {
        let kept = side(&mut self.capture);
        if kept.book.bytes() <= PART_BYTES {
            return;
        }
        let mut portions = Pieces::new(kept.book.take()).portions(PART_BYTES);
        if let Some(rest) = portions.pop() {
            kept.book.put_back(rest.into_inner());
        }
        for pieces in portions {
            if self.capture.parts >= MOST_PARTS {
                return self.capture_no_more(side, "bound");
            }
            let Some(written) = self.written(host, pieces) else {
                return self.capture_no_more(side, "unsealed");
            };
            self.capture.parts = self.capture.parts.saturating_add(1);
            let mut captured = Captured { capture: self.captured_how(), ..Captured::default() };
            put(&mut captured, written);
            let part = PartRecord {
                exchange: Text::from(self.name.as_str()),
                part: Part { number: self.capture.parts.into() },
                captured,
            };
            self.worker.record(host, &Record::Part(Box::new(part)));
        }
    }

    fn capture_no_more(&mut self, side: fn(&mut Capture) -> &mut Kept, why: &'static str) {
        let kept = side(&mut self.capture);
        kept.book.take();
        kept.cut = Some(why);
        self.capture.reader = None;
    }

    fn captured_how(&self) -> Option<&'static str> {
        self.capturing().map(|capturing| capturing.how)
    }

    /// The answer ended, where no piece of it said so.
    pub(super) fn capture_ends(&mut self, host: &dyn Host) {
        if self.answer.ended {
            self.capture_answer(host, &[], true);
        }
    }

    /// What goes into the next record: all that is in none yet. `last`: there will be no other.
    pub(super) fn captured(&mut self, host: &dyn Host, last: bool) -> Captured {
        let (whole, how) = (self.inquiry.complete, self.captured_how());
        let prompt = self.take_texts(host, |capture| &mut capture.prompt);
        let answer = self.take_texts(host, |capture| &mut capture.answer);
        let Capture { prompt: kept, answer: kept_answer, parts, came, .. } = &mut self.capture;
        if last && !whole && (kept.digest.is_some() || !came.is_empty()) {
            kept.cut = Some("unfinished");
        }
        let mut captured = Captured {
            capture: how,
            prompt_digest: if whole || last { kept.digest() } else { None },
            prompt_cut: kept.cut,
            response_digest: kept_answer.digest(),
            response_cut: kept_answer.cut,
            parts: (*parts > 0).then(|| (*parts).into()),
            ..Captured::default()
        };
        put_prompt(&mut captured, prompt);
        put_answer(&mut captured, answer);
        captured
    }

    fn take_texts(&mut self, host: &dyn Host, side: fn(&mut Capture) -> &mut Kept) -> Written {
        let pieces = Pieces::new(side(&mut self.capture).book.take());
        self.written(host, pieces).unwrap_or_else(|| {
            side(&mut self.capture).cut = Some("unsealed");
            Written::default()
        })
    }
}

fn put_prompt(captured: &mut Captured, written: Written) {
    (captured.prompt, captured.prompt_sealed) = (written.open, written.sealed);
}

fn put_answer(captured: &mut Captured, written: Written) {
    (captured.response, captured.response_sealed) = (written.open, written.sealed);
}

/// The kind of body that a request says it has.
fn request_kind(exchange: &Exchange) -> Result<BodyKind, Kind> {
    answer::body_kind(0, &exchange.inquiry.head.headers, false)
}
