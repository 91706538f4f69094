//! An answer on its way through a recogniser.
//!
//! In enforce the answer is held, head and all, until it is whole; it is masked by the patterns first, what is left of
//! its texts goes to the recogniser, and its findings are masked in a second reading. In monitor a copy is kept while
//! the answer passes, and the worker asks once the exchange is over.

use std::rc::Rc;

use super::policy::Policy;
use super::recogniser::Recogniser;
use super::refusal::{Code, Refusal};
use super::{Exchange, blocked, metrics};
use crate::config::set::{Kind, Mode};
use crate::host::{CallId, Flow, Host, Reply, Side};
use crate::mask::Way;
use crate::mask::operators::restore::Restoring;
use crate::mask::recognised::{Recognised, Texts};
use crate::mask::text::Entity;
use crate::protocol::Thinking;
use crate::protocol::json::table::Table;
use crate::protocol::rewrite::{BodyKind, ResponseRewriter};

/// An answer that waits for its recogniser.
#[derive(Default)]
pub(super) enum Reading {
    /// No recogniser reads this answer.
    #[default]
    None,
    /// It is held until it is whole. So many bytes of it are buffered.
    Gathering(usize),
    /// It is whole, masked by the patterns, and the recogniser was asked.
    Asked { call: CallId, size: usize, kind: BodyKind, table: &'static Table, masked: Vec<u8>, texts: Texts },
    /// It passes, and a copy is kept for a question that nobody waits for.
    Copying(Vec<u8>),
}

impl Exchange {
    fn recogniser(&self) -> Option<Rc<Recogniser>> {
        self.policy().and_then(|policy| policy.recogniser.clone())
    }

    fn wanted(&self) -> impl Fn(Entity) -> bool + 'static {
        let entities = self.policy().map(Policy::masked_in_answers).unwrap_or_default();
        move |entity| entities.contains(entity)
    }

    fn table(&self) -> Option<&'static Table> {
        self.lane.as_ref().map(|lane| self.answers(lane))
    }

    /// What the policy makes of a model's thinking: what it exempts is neither sent nor changed.
    fn thinking(&self) -> Thinking {
        self.policy().map(|policy| policy.thinking).unwrap_or_default()
    }

    /// Decides by an answer's head whether a recogniser shall read it.
    pub(super) fn begin_reading(&mut self) -> Result<Flow, Refusal> {
        let Some(recogniser) = self.recogniser() else { return Ok(Flow::Continue) };
        let enforce = self.mode() == Mode::Enforce;
        let too_long = self.answer.length.is_some_and(|length| length > recogniser.max_bytes);
        match self.answer.kind {
            // Held until it outgrew what is given, it could fill the proxy's buffer first.
            Some(BodyKind::Json | BodyKind::Text) if too_long => {
                self.unread(Kind::Size).map(|()| Flow::Continue)
            }
            Some(BodyKind::Json | BodyKind::Text) if enforce => {
                self.answer.reading = Reading::Gathering(0);
                // It is held here already, and what blocks is seen before anything goes out.
                self.answer.whole = None;
                Ok(Flow::Pause)
            }
            Some(BodyKind::Json | BodyKind::Text) => {
                self.answer.reading = Reading::Copying(Vec::new());
                Ok(Flow::Continue)
            }
            None => Ok(Flow::Continue),
            Some(_) => self.unread(Kind::Stream).map(|()| Flow::Continue),
        }
    }

    /// An answer that no recogniser can read: passes as far as the patterns go, where the policy says so.
    fn unread(&mut self, kind: Kind) -> Result<(), Refusal> {
        self.inquiry.uninspected.insert(kind);
        let allowed = self.policy().is_some_and(|policy| policy.uninspected.allows(kind));
        if allowed || self.mode() == Mode::Monitor {
            return Ok(());
        }
        let message = match kind {
            Kind::Stream => "a streamed answer cannot be given to the recogniser that the policy asks for",
            _ => "the answer is larger than what the recogniser that the policy asks for is given",
        };
        let reason = format!("upstream_{}", kind.name());
        Err(Refusal::new(Code::UpstreamUnreadable, message).because(reason))
    }

    /// Whether the answer is held for its recogniser.
    pub(super) fn is_held_for_reading(&self) -> bool {
        matches!(self.answer.reading, Reading::Gathering(_) | Reading::Asked { .. })
    }

    /// A piece of an answer that is held came, or its end.
    pub(super) fn hold_for_reading(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        if matches!(self.answer.reading, Reading::Asked { .. }) {
            return Flow::Pause;
        }
        let most = self.recogniser().map_or(0, |recogniser| recogniser.max_bytes);
        let outcome = if size > most {
            self.answer.reading = Reading::None;
            self.unread(Kind::Size).map(|()| self.rewrite(host, size, end))
        } else if end {
            self.ask(host, size)
        } else {
            (self.answer.reading, self.answer.waits) = (Reading::Gathering(size), size > 0);
            Ok(Flow::Pause)
        };
        outcome.unwrap_or_else(|refusal| {
            self.reading_failed(host, &refusal);
            Flow::Pause
        })
    }

    fn reading_failed(&mut self, host: &dyn Host, refusal: &Refusal) {
        self.answer.reading = Reading::None;
        self.answer.cut = Some(refusal.reason.clone());
        self.refuse(host, refusal);
    }

    /// The answer is whole: masks what the patterns know and asks about the rest.
    fn ask(&mut self, host: &dyn Host, size: usize) -> Result<Flow, Refusal> {
        let (Some(recogniser), Some(kind)) = (self.recogniser(), self.answer.kind) else {
            return Ok(self.rewrite(host, size, true));
        };
        let body = host.body(Side::Response, size);
        self.capture_answer(host, &body, true);
        let mut masked = Vec::with_capacity(body.len());
        if let Some(rewriter) = &mut self.answer.rewriter {
            rewriter.push(&body, true, &mut masked).map_err(|why| {
                let refusal = blocked::refusal(&self.worker.guard.catalogue, &why);
                if refusal.code == Code::UpstreamUnreadable {
                    host.count(&metrics::error("upstream_unreadable"), 1);
                }
                refusal
            })?;
        }
        fits(&masked)?;
        let texts = Texts::default();
        let Some(table) = self.table() else { return Ok(self.release(host, size, &masked)) };
        read_again(kind, table, self.thinking(), &masked, Way::Collect(texts.clone()));
        let joined = texts.joined();
        if joined.is_empty() {
            self.answer.reading = Reading::None;
            return Ok(self.release(host, size, &masked));
        }
        match host.call(&recogniser.ask(&joined, &self.wanted())) {
            Ok(call) => {
                self.answer.reading = Reading::Asked { call, size, kind, table, masked, texts };
                Ok(Flow::Pause)
            }
            Err(error) => Err(silent(host, &recogniser, &error.to_string())),
        }
    }

    /// The recogniser's reply came, if this is one.
    pub(super) fn recogniser_said(&mut self, host: &dyn Host, call: CallId, reply: &Reply) {
        let (Reading::Asked { call: asked, .. }, Some(recogniser)) =
            (&self.answer.reading, self.recogniser())
        else {
            return;
        };
        if *asked != call {
            return;
        }
        let Reading::Asked { size, kind, table, masked, texts, .. } =
            std::mem::take(&mut self.answer.reading)
        else {
            return;
        };
        let findings = match recogniser.findings(reply, &self.wanted()) {
            Ok(findings) => findings,
            Err(silence) => {
                let refusal = silent(host, &recogniser, &silence.to_string());
                return self.reading_failed(host, &refusal);
            }
        };
        for finding in &findings {
            self.found.add(finding.entity);
        }
        let plan = self.lane.clone().map(|lane| self.answer_plan(&lane));
        let Some(plan) = plan else { return };
        if let Some(entity) = plan.blocking(&self.found) {
            let refusal = blocked::blocked(&self.worker.guard.catalogue, entity);
            return self.reading_failed(host, &refusal);
        }
        let out = match findings.is_empty() {
            true => masked,
            false => {
                let found = Recognised::new(&texts, &findings, &plan);
                read_again(kind, table, self.thinking(), &masked, Way::Recognised(found))
            }
        };
        if let Err(refusal) = fits(&out) {
            return self.reading_failed(host, &refusal);
        }
        self.release(host, size, &out);
        if self.answer.trailers {
            self.mask_trailers(host);
        }
        host.resume(Side::Response);
    }

    /// Puts the masked answer in the place of the one that came.
    fn release(&mut self, host: &dyn Host, size: usize, masked: &[u8]) -> Flow {
        self.answer.sent = u64::try_from(masked.len()).unwrap_or(u64::MAX);
        if !host.set_body(Side::Response, size, masked) {
            // The bytes as they came must not go out.
            host.reset();
        }
        Flow::Continue
    }

    /// Monitor: keeps a copy of an answer that passes.
    pub(super) fn copy(&mut self, piece: &[u8]) {
        let most = self.recogniser().map_or(0, |recogniser| recogniser.max_bytes);
        let Reading::Copying(copy) = &mut self.answer.reading else { return };
        if copy.len().saturating_add(piece.len()) > most {
            self.answer.reading = Reading::None;
            self.inquiry.uninspected.insert(Kind::Size);
            return;
        }
        copy.extend_from_slice(piece);
    }

    /// Monitor: whether something may have to be asked once the exchange is over.
    pub(super) fn is_copying(&self) -> bool {
        matches!(self.answer.reading, Reading::Copying(_))
    }

    /// Monitor: what is to be asked now that the exchange is over, without what the patterns know.
    pub(super) fn question(&mut self) -> Option<(Rc<Recogniser>, String)> {
        let Reading::Copying(copy) = std::mem::take(&mut self.answer.reading) else { return None };
        let (recogniser, kind, lane) = (self.recogniser()?, self.answer.kind?, self.lane.clone()?);
        let table = self.answers(&lane);
        let coded =
            ResponseRewriter::new(kind, table, Way::Answer(Restoring::new(lane.plan.clone(), Rc::default())))
                .coded(self.answer.coding)
                .with_thinking(self.thinking());
        let masked = finish(coded, &copy);
        let texts = Texts::default();
        read_again(kind, table, self.thinking(), &masked, Way::Collect(texts.clone()));
        let joined = texts.joined();
        (self.answer.ended && !joined.is_empty()).then_some((recogniser, joined))
    }
}

/// Whether an answer may be put into the proxy's buffer at once. Masks make it longer, and so does a coding that is undone;
/// filled beyond what it takes, the buffer would make the proxy answer by itself, from within our own call.
fn fits(masked: &[u8]) -> Result<(), Refusal> {
    if masked.len() <= blocked::MOST {
        return Ok(());
    }
    let message =
        format!("the answer, masked, is larger than {} bytes, the most that is held", blocked::MOST);
    Err(Refusal::new(Code::UpstreamUnreadable, message).because("upstream_size"))
}

/// Reads a whole answer; nothing where it cannot be read.
fn read_again(kind: BodyKind, table: &'static Table, thinking: Thinking, body: &[u8], masks: Way) -> Vec<u8> {
    finish(ResponseRewriter::new(kind, table, masks).with_thinking(thinking), body)
}

fn finish(rewriter: ResponseRewriter<Way>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rewriter = rewriter.without_drops();
    match rewriter.push(body, true, &mut out) {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

fn silent(host: &dyn Host, recogniser: &Recogniser, why: &str) -> Refusal {
    host.count(&metrics::error("recogniser"), 1);
    host.log(crate::host::Level::Warn, &format!("the recogniser {} is of no use: {why}", recogniser.name));
    Refusal::new(Code::GuardUnavailable, "what the policy wants recognised cannot be at the moment")
        .because("recogniser")
}
