//! The response's half of an exchange: what the caller may see.
//!
//! In enforce the bytes that go out are those that the rewriter gives. In monitor they go out as they came, and the
//! rewriter reads a copy for the record; only the injected credential is covered even then, byte for byte with stars,
//! so that no length changes.
//!
//! Trailers need care (Envoy never says `end` with the last piece of a body that has them, and takes no body in the
//! trailers' event unless the last piece was paused): text is held whole while it is short, and where a cut-off
//! JSON body or stream still holds bytes back when trailers come, the exchange is broken off rather than falsified.

use super::lane::Lane;
use super::recognition::Reading;
use super::refusal::{Code, Refusal};
use super::{Exchange, Stage, answer, blocked, metrics};
use crate::config::set::{Kind, Mode};
use crate::host::{Flow, Header, Host, LocalAnswer, Side};
use crate::mask::operators::restore::Restoring;
use crate::mask::text::{Masks, Sink, TextMask};
use crate::mask::{self, Found, Plan, Views, Way};
use crate::protocol::Unreadable;
use crate::protocol::api::{self, Api};
use crate::protocol::bytes::same;

use crate::protocol::coding::Coding;
use crate::protocol::json::table::Table;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};
use crate::protocol::usage;

/// A plain text answer up to this size is held whole where trailers may follow it, so that its end can be masked even
/// before them. It waits in the proxy's buffer, and what comes next is put there too, before we see it: so no text that
/// is known to be longer waits, nor one of HTTP/1, whose pieces may fill the buffer beyond what it takes.
const WHOLE_TEXT: usize = 64 * 1024;

/// What becomes of the answer's bytes.
#[derive(Default)]
enum Act {
    /// They go out as they came.
    #[default]
    Pass,
    /// What goes out is what the rewriter gives.
    Rewrite,
    /// Nothing more goes out.
    Cut,
}

/// An answer on its way to the caller.
#[derive(Default)]
pub(super) struct Answer {
    act: Act,
    /// Reads the answer; `None`: it cannot be read, and passes.
    pub(super) rewriter: Option<Box<ResponseRewriter<Way>>>,
    /// Whether it waits in the proxy's buffer while it is short (see `WHOLE_TEXT`).
    may_wait: bool,
    /// Its length as its head states it.
    pub(super) length: Option<usize>,
    /// Whether bytes of it wait in the proxy's buffer, through which they will go.
    pub(super) waits: bool,
    /// What it gave of an answer that goes out whole or not at all.
    pub(super) whole: Option<Vec<u8>>,
    /// Covers the credential where nothing else is changed.
    cover: Option<Views>,
    pub(super) kind: Option<BodyKind>,
    /// The coding its body came in.
    pub(super) coding: Option<Coding>,
    /// The upstream's status.
    pub(super) status: u16,
    /// When its first byte came, in nanoseconds since 1970.
    pub(super) first_byte: u64,
    /// Whether its end came.
    pub(super) ended: bool,
    /// Most bytes held back at once.
    pub(super) peak_held: usize,
    /// Bytes that went to the caller.
    pub(super) sent: u64,
    /// Why it was broken off.
    pub(super) cut: Option<String>,
    /// How far a recogniser is with it.
    pub(super) reading: Reading,
    /// Whether its trailers came.
    pub(super) trailers: bool,
}

impl Answer {
    /// Nothing more of it goes out.
    pub(super) fn cut(&mut self, why: String) {
        (self.act, self.cut, self.whole) = (Act::Cut, Some(why), None);
    }

    fn holds(&self) -> bool {
        let held = self.rewriter.as_ref().map_or(0, |rewriter| rewriter.held());
        let covered = self.cover.as_ref().map_or(0, TextMask::held);
        matches!(self.act, Act::Rewrite) && held > 0 || covered > 0
    }
}

impl Exchange {
    /// The answer's head came; `end` says that it has no body.
    pub fn response_head(&mut self, host: &dyn Host, end: bool) -> Flow {
        if self.stage != Stage::Forwarded {
            return self.proxy_answers(host);
        }
        self.record_start(host);
        let headers = host.headers(Side::Response);
        let status = status_of(&headers);
        self.answer = Answer { status, first_byte: host.now(), ended: end, ..Answer::default() };
        match self.read_answer(host, &headers, end).and_then(|()| self.begin_reading()) {
            Ok(flow) if self.answer.whole.is_none() => flow,
            Ok(_) => Flow::Pause,
            Err(refusal) => {
                self.answer.cut(refusal.reason.clone());
                self.refuse(host, &refusal);
                Flow::Pause
            }
        }
    }

    /// An answer that did not come from upstream: ours, or the proxy's own. Where a body outgrows the proxy's buffer, its
    /// plain 413 may come while we still hold the request, or overtake a refusal of ours; the caller gets the refusal.
    /// Whatever else the proxy answers (timeouts and the like) is its own affair.
    fn proxy_answers(&mut self, host: &dyn Host) -> Flow {
        let headers = host.headers(Side::Response);
        let ours = headers.iter().any(|(name, value)| name == b"cache-control" && value == b"no-store");
        if ours || status_of(&headers) != 413 {
            return Flow::Continue;
        }
        let refusal = match self.stage {
            Stage::AwaitKeys
            | Stage::AwaitBody
            | Stage::AwaitApproval
            | Stage::AwaitRates
            | Stage::AwaitRecord(_) => {
                self.inquiry.uninspected.insert(Kind::Size);
                Some(Refusal::uninspected(Kind::Size))
            }
            Stage::Refused => self.refusal.clone(),
            Stage::New | Stage::Off | Stage::Forwarded => None,
        };
        let Some(refusal) = refusal else { return Flow::Continue };
        self.refuse(host, &refusal);
        Flow::Pause
    }

    /// Whether an answer opens the tunnel that was asked for (RFC 9110, 7.8 and 9.3.6; gRPC answers as gRPC). One that
    /// refuses it, or passes over it, is an answer like any other.
    fn opens_tunnel(&self, headers: &[Header]) -> bool {
        let grpc = || {
            let types = headers.iter().filter(|(name, _)| name == b"content-type");
            types.map(|(_, value)| value).any(|value| {
                value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
            })
        };
        match self.answer.status {
            101 => true,
            200..300 if self.inquiry.head.method == "CONNECT" => true,
            _ => grpc(),
        }
    }

    fn read_answer(&mut self, host: &dyn Host, headers: &[Header], end: bool) -> Result<(), Refusal> {
        let enforce = self.mode() == Mode::Enforce;
        let Some(lane) = self.lane.clone() else { return Ok(()) };
        if enforce {
            self.check_route(host, &lane.connection.name.value)?;
            self.expose(host, headers);
        }
        self.tell_rates(host, headers);
        if self.credentialed && self.answer.status == 401 {
            self.worker.doubt_secrets(host, &lane, &self.credentials);
        }
        if self.credentialed && enforce && self.answer.status == 401 {
            host.count(&metrics::error("upstream_credential"), 1);
            return Err(Refusal::new(
                Code::UpstreamCredential,
                "the upstream refused the connection's credential",
            ));
        }
        let plan = self.answer_plan(&lane);
        let tunnel = self.inquiry.tunnel && self.opens_tunnel(headers);
        if self.masks_answer() && !tunnel {
            self.cover_headers(host, headers, &plan)?;
        } else if self.credentialed {
            self.cover_headers(host, headers, &lane.cover)?;
        }
        if tunnel {
            return Ok(());
        }
        let masks = if self.masks_answer() || self.edits_stream() { &plan } else { &lane.watch };
        if end {
            return Ok(());
        }
        let lines = self.inquiry.operation.is_some_and(|operation| operation.lines);
        let kind = answer::body_kind(self.answer.status, headers, lines);
        let table = self.answers(&lane);
        let coding = answer::coding(headers).unwrap_or_default();
        self.capture_begins(&lane, kind.map(|kind| (framing(kind, lane.api), coding)), table);
        match kind {
            Ok(kind) => {
                let kind = framing(kind, lane.api);
                self.answer.kind = Some(kind);
                self.answer.coding = coding;
                self.answer.length = answer::length(headers);
                self.answer.may_wait = kind == BodyKind::Text
                    && answer::trailers_may_follow(headers)
                    && self.answer.length.is_none_or(|length| length <= WHOLE_TEXT);
                let masks = Way::Answer(Restoring::new(masks.clone(), std::rc::Rc::clone(&self.names)));
                let rewriter = ResponseRewriter::new(kind, table, masks).coded(coding);
                // Where nothing but the credential is masked, nothing is dropped either.
                let keeps_all = !self.masks_answer() || !lane.masks_entities;
                let thinking = self.policy().map(|policy| policy.thinking).unwrap_or_default();
                let rewriter = rewriter.with_thinking(thinking);
                let rewriter = if keeps_all { rewriter.without_drops() } else { rewriter };
                let vectors = self.masks_answer() && lane.drops_vectors;
                let rewriter = if vectors { rewriter.without_vectors() } else { rewriter };
                self.answer.rewriter = Some(Box::new(rewriter));
            }
            Err(kind) => {
                self.inquiry.uninspected.insert(kind);
                let allowed = self.policy().is_some_and(|policy| policy.uninspected.allows(kind));
                // What may pass unread may not pass with vectors in it.
                if self.masks_answer() && (!allowed || lane.drops_vectors) {
                    host.count(&metrics::error("upstream_unreadable"), 1);
                    return Err(Refusal::new(
                        Code::UpstreamUnreadable,
                        "what the upstream answered cannot be looked into, so it cannot be masked",
                    )
                    .because(format!("upstream_{}", kind.name())));
                }
            }
        }
        let edits = self.edits_stream() && self.answer.kind == Some(BodyKind::EventStream);
        if (self.masks_answer() || edits) && self.answer.rewriter.is_some() {
            self.answer.act = Act::Rewrite;
            // Where no body came yet while a head was held, this proxy may give none: an answer is then broken off at a
            // blocked value rather than held for good.
            let holds = plan.blocks() && self.worker.bodies_come();
            if holds && self.answer.kind != Some(BodyKind::EventStream) {
                self.answer.whole = Some(Vec::new());
            }
            for name in answer::STALE {
                // To ask the proxy to take off what is not there costs as much as taking it off.
                if headers.iter().any(|(known, _)| known == name.as_bytes()) {
                    host.remove_header(Side::Response, name);
                }
            }
            host.set_header(Side::Response, "cache-control", b"no-store");
        } else if self.credentialed && !lane.cover.is_empty() {
            self.answer.cover = Some(lane.cover.begin());
        }
        Ok(())
    }

    /// The table that reads the answer.
    pub(super) fn answers(&self, lane: &Lane) -> &'static Table {
        self.inquiry.operation.and_then(|operation| operation.answers).unwrap_or(lane.answers)
    }

    /// The request must have gone the way that was judged: a header written since may have moved it.
    fn check_route(&self, host: &dyn Host, chosen: &str) -> Result<(), Refusal> {
        if self.inquiry.head.leads_to(chosen, host) || self.answer.status >= 500 {
            return Ok(());
        }
        host.count(&metrics::error("rerouted"), 1);
        Err(Refusal::new(Code::GuardUnavailable, "the request went another way than the one that was judged")
            .because("rerouted"))
    }

    /// Masks what an answer's headers hold. A name may come several times, and its values keep their order.
    fn cover_headers(&mut self, host: &dyn Host, headers: &[Header], plan: &Plan) -> Result<(), Refusal> {
        let mut masked: Vec<Option<Vec<u8>>> = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let searched = answer::is_searched(name);
            masked.push(if searched { mask::mask_whole(plan, value, &mut self.found) } else { None });
        }
        if let Some(entity) = plan.blocking(&self.found) {
            return Err(blocked::blocked(&self.worker.guard.catalogue, entity));
        }
        let values = || headers.iter().zip(&masked);
        for (at, ((name, _), changed)) in values().enumerate() {
            let first = changed.is_some()
                && !values().take(at).any(|((other, _), changed)| changed.is_some() && other == name);
            let (true, Ok(text)) = (first, std::str::from_utf8(name)) else { continue };
            host.remove_header(Side::Response, text);
            for ((_, value), changed) in values().filter(|((other, _), _)| other == name) {
                host.add_header(Side::Response, text, changed.as_deref().unwrap_or(value));
            }
        }
        Ok(())
    }

    /// A piece of the answer came; `size` bytes are buffered.
    pub fn response_body(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        if self.stage != Stage::Forwarded {
            return Flow::Continue;
        }
        self.answer.ended |= end;
        if self.is_held_for_reading() {
            return self.hold_for_reading(host, size, end);
        }
        match self.answer.act {
            Act::Cut => {
                host.set_body(Side::Response, size, &[]);
                Flow::Continue
            }
            Act::Pass => self.pass(host, size, end),
            Act::Rewrite if self.answer.whole.is_some() => self.gather(host, size, end),
            Act::Rewrite => {
                if self.answer.may_wait && self.answer.sent == 0 && !end && size <= WHOLE_TEXT {
                    self.answer.waits = size > 0;
                    return Flow::Pause;
                }
                self.rewrite(host, size, end)
            }
        }
    }

    fn pass(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        let added = u64::try_from(size).unwrap_or(u64::MAX);
        self.answer.sent = self.answer.sent.saturating_add(added);
        if self.answer.rewriter.is_none() && self.answer.cover.is_none() && !self.captures_answer() {
            return Flow::Continue;
        }
        let body = host.body(Side::Response, size);
        self.capture_answer(host, &body, end);
        self.copy(&body);
        if let Some(rewriter) = &mut self.answer.rewriter {
            let mut unused = Vec::with_capacity(body.len().saturating_add(64));
            if rewriter.push(&body, end, &mut unused).is_err() {
                self.answer.rewriter = None;
                self.inquiry.uninspected.insert(Kind::Schema);
            }
        }
        if let Some(cover) = &mut self.answer.cover {
            let held = cover.held();
            let mut came = std::mem::take(&mut self.covered);
            came.extend_from_slice(&body);
            let mut stars = Stars { text: Vec::with_capacity(came.len()), at: 0, came: &came };
            cover.push(&body, end, &mut stars);
            self.covered = came.get(stars.at..).unwrap_or_default().to_vec();
            if held > 0 || !self.covered.is_empty() || !same(&stars.text, &body) {
                host.set_body(Side::Response, size, &stars.text);
            }
        }
        Flow::Continue
    }

    pub(super) fn rewrite(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        let body = host.body(Side::Response, size);
        self.capture_answer(host, &body, end);
        let mut out = Vec::with_capacity(body.len().saturating_add(64));
        // What waited there goes through the proxy's buffer, and no more may than that takes (see `blocked`).
        let waited = std::mem::take(&mut self.answer.waits);
        let mut outcome = match &mut self.answer.rewriter {
            Some(rewriter) => {
                let outcome = rewriter.push(&body, end, &mut out);
                self.answer.peak_held = self.answer.peak_held.max(rewriter.held());
                outcome
            }
            None => Ok(()),
        };
        if outcome.is_ok() && !end {
            outcome = self.end_at_limit(host, &mut out);
        }
        if self.spending.hides_usage {
            usage::hide(&mut out);
        }
        if let Err(error) = outcome {
            self.cut(host, &error, &mut out);
        }
        if waited && out.len() > blocked::MOST {
            out.clear();
            self.answer.cut("upstream_size".to_owned());
            host.count(&metrics::error("upstream_unreadable"), 1);
            host.reset();
        }
        let added = u64::try_from(out.len()).unwrap_or(u64::MAX);
        self.answer.sent = self.answer.sent.saturating_add(added);
        // What comes out as it came lies in the proxy's buffer already.
        if !same(&out, &body) && !host.set_body(Side::Response, size, &out) {
            // The bytes as they came must not go out.
            host.reset();
        }
        Flow::Continue
    }

    /// Ends an answer that cannot be read further: a stream with the protocol's own error event, anything else by
    /// breaking the connection, for half a JSON document must not look like a whole one.
    fn cut(&mut self, host: &dyn Host, why: &Unreadable, out: &mut Vec<u8>) {
        let refusal = blocked::refusal(&self.worker.guard.catalogue, why);
        self.answer.cut(refusal.reason.clone());
        if refusal.code == Code::UpstreamUnreadable {
            host.count(&metrics::error("upstream_unreadable"), 1);
            host.log(
                crate::host::Level::Warn,
                &format!("exchange {}: the answer was broken off: {why}", self.name),
            );
        }
        let ending = self.lane.as_ref().and_then(|lane| lane.api).and_then(|api| api.refusals.ending);
        match ending.filter(|ending| self.answer.kind == Some(ending.framing)) {
            Some(ending) => out.extend((ending.event)(&refusal.told())),
            None => host.reset(),
        }
        if refusal.code != Code::UpstreamUnreadable {
            self.note_state(host, super::ledger::decision_of(refusal.code).name());
            self.refusal = Some(refusal);
        }
    }

    /// The answer's trailers came.
    pub fn response_trailers(&mut self, host: &dyn Host) -> Flow {
        if self.stage != Stage::Forwarded {
            return Flow::Continue;
        }
        self.answer.ended = true;
        self.answer.trailers = true;
        if self.lane.is_none() {
            return Flow::Continue;
        }
        if let Reading::Gathering(size) = self.answer.reading
            && self.hold_for_reading(host, size, true) == Flow::Pause
        {
            return Flow::Pause;
        }
        self.finish_text(host);
        if self.stage != Stage::Forwarded {
            return Flow::Pause;
        }
        if self.answer.holds() {
            self.answer.ended = false;
            self.answer.cut = Some("trailers".to_owned());
            host.count(&metrics::error("cut_at_trailers"), 1);
            host.reset();
            return Flow::Pause;
        }
        self.mask_trailers(host);
        Flow::Continue
    }

    pub(super) fn mask_trailers(&mut self, host: &dyn Host) {
        let Some(lane) = self.lane.clone() else { return };
        let plan = if self.masks_answer() { self.answer_plan(&lane) } else { lane.cover.clone() };
        for (name, value) in host.trailers(Side::Response) {
            let mut found = Found::default();
            let masked = mask::mask_whole(&plan, &value, &mut found);
            if let (Some(masked), Ok(name)) = (masked, std::str::from_utf8(&name)) {
                match plan.blocking(&found) {
                    // The answer is out already; of this nothing goes.
                    Some(_) => host.remove_trailer(Side::Response, name),
                    None => host.set_trailer(Side::Response, name, &masked),
                }
            }
            self.found.merge(&found);
        }
    }

    /// A short text was held whole; now that it is whole it can be masked and go.
    fn finish_text(&mut self, host: &dyn Host) {
        if self.answer.whole.is_some() {
            self.gather(host, WHOLE_TEXT, true);
            return;
        }
        if matches!(self.answer.act, Act::Rewrite) && self.answer.waits {
            self.rewrite(host, WHOLE_TEXT, true);
        }
    }

    /// Sets our headers; an upstream must not speak in our name.
    fn expose(&self, host: &dyn Host, headers: &[Header]) {
        for (name, _) in headers.iter().filter(|(name, _)| name.starts_with(b"x-portcullis-")) {
            if let Ok(name) = std::str::from_utf8(name) {
                host.remove_header(Side::Response, name);
            }
        }
        for (name, value) in self.exposed() {
            host.set_header(Side::Response, name, value.as_bytes());
        }
    }

    /// Answers the caller in the upstream's stead.
    pub(super) fn refuse(&mut self, host: &dyn Host, refusal: &Refusal) {
        if self.stage != Stage::Forwarded {
            self.give_back_budgets(host);
        }
        self.stage = Stage::Refused;
        let code = refusal.code;
        let grpc = self.inquiry.head.answered_as_grpc();
        let (mut headers, body) = match grpc {
            // Envoy frames it: status and message are trailers.
            true => (Vec::new(), refusal.message.clone().into_bytes()),
            false => refusal.shaped(self.lane.as_ref().and_then(|lane| lane.api)),
        };
        headers.push(("cache-control".to_owned(), b"no-store".to_vec()));
        headers.extend(self.exposed().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())));
        if let Some(id) = self.asking.id.as_ref().filter(|_| code.of_approval()) {
            headers.push(("x-portcullis-approval".to_owned(), id.clone().into_bytes()));
        }
        if !grpc {
            headers.extend(self.told_to_http(host, refusal));
        }
        host.respond(&LocalAnswer {
            status: if grpc { 200 } else { code.status() },
            headers,
            body,
            grpc_status: grpc.then(|| code.grpc_status()),
            details: format!("portcullis_{}", code.name()),
        });
        self.refusal = Some(refusal.clone());
        self.note_state(host, super::ledger::decision_of(code).name());
    }

    /// What clients that speak HTTP read beside status and body: how to prove who they are, and when to come again.
    fn told_to_http(&mut self, host: &dyn Host, refusal: &Refusal) -> Vec<(String, Vec<u8>)> {
        let mut headers = Vec::new();
        if let Some(challenge) = self.challenge(refusal) {
            headers.push(("www-authenticate".to_owned(), challenge.into_bytes()));
        }
        if refusal.code == Code::RateLimited {
            let rates = self.rates(host).into_iter();
            headers.extend(rates.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        }
        if let Some(retry) = refusal.should_retry() {
            headers.push(("x-should-retry".to_owned(), retry.to_string().into_bytes()));
        }
        if let Some(seconds) = refusal.retry_after() {
            headers.push(("retry-after".to_owned(), seconds.to_string().into_bytes()));
        }
        headers
    }
}

/// Writes stars over what is replaced, as many as there were bytes.
struct Stars<'c> {
    text: Vec<u8>,
    /// Bytes that came, now or before, and were not decided till now.
    came: &'c [u8],
    /// How many of them are decided.
    at: usize,
}

impl<'c> Stars<'c> {
    fn take(&mut self, len: usize) -> &'c [u8] {
        let end = self.at.saturating_add(len).min(self.came.len());
        let taken = self.came.get(self.at..end).unwrap_or_default();
        self.at = end;
        taken
    }
}

impl Sink for Stars<'_> {
    fn keep(&mut self, len: usize) {
        let taken = self.take(len);
        self.text.extend_from_slice(taken);
    }

    fn replace(&mut self, len: usize, _: mask::text::Entity, _: &[u8]) {
        let taken = self.take(len).len();
        self.text.resize(self.text.len().saturating_add(taken), b'*');
    }

    fn swallow(&mut self, len: usize) {
        self.replace(len, mask::text::Entity(0), &[]);
    }
}

/// How an API's events are framed in a body of this kind.
fn framing(kind: BodyKind, api: Option<&Api>) -> BodyKind {
    match (kind, api) {
        // Unless it is asked for events, a stream is one array of them.
        (BodyKind::Json, Some(api)) if api.name == api::GEMINI.name => BodyKind::JsonArray,
        _ => kind,
    }
}

fn status_of(headers: &[Header]) -> u16 {
    let value = headers.iter().find(|(name, _)| name == b":status").map(|(_, value)| value.as_slice());
    value.and_then(|value| std::str::from_utf8(value).ok()).and_then(|value| value.parse().ok()).unwrap_or(0)
}
