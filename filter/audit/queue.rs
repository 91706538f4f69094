//! The recorder of one root context: chains records, queues them within bounds, hands out batches.
//!
//! One queue in the order of the chain, one batch on its way at a time: so records arrive in order, and a failing
//! collector is asked again by one call, not by many. What does not fit is lost newest first, keeps its sequence
//! number and is declared in the next record. Parts have bounds of their own, so that no long text costs another
//! exchange's start or end. Refusals before identity have bounds of their own within the queue;
//! beyond them they are only counted, by reason, into one summary record, so no flood of them costs another record.
//! A record counts against the bounds until the collector has taken it. Summaries and anchors are never lost to a full
//! queue: at most one of each waits in it.

use std::collections::VecDeque;
use std::time::Duration;

use super::chain::{Chain, Head};
use super::loss::{Losses, Range, Why};
use super::otlp::{Envelope, Resource, Wire};
use super::record::{Anchor, Content, EndRecord, Record, Summary};
use super::retry::{Answer, Backoff, Verdict};
use super::signature::Signer;
use super::value::{Count, Text, rfc3339};

/// Bounds and times.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most bytes of records in the queue and on their way, parts and refusals before identity apart.
    pub bytes: usize,
    /// Most records there, parts and refusals before identity apart.
    pub records: usize,
    /// Most bytes of parts of long texts.
    pub part_bytes: usize,
    /// Most of these parts.
    pub part_records: usize,
    /// Most bytes of refusals before identity.
    pub refusal_bytes: usize,
    /// Most refusals before identity.
    pub refusal_records: usize,
    /// A batch ends before it exceeds this many bytes of records; one record always fits.
    pub batch_bytes: usize,
    /// Most records in a batch.
    pub batch_records: usize,
    /// How long a record waits for others.
    pub batch_age: Duration,
    /// First wait after a failure.
    pub first_retry: Duration,
    /// Longest wait after a failure (`retry-after` may ask for more).
    pub longest_retry: Duration,
    /// Tries of a batch that the collector answers with an error of its own (500 and the like).
    pub tries: u32,
    /// After this a call without answer counts as broken.
    pub answer_within: Duration,
    /// Time between the first record after an anchor and the next anchor.
    pub anchor_every: Duration,
    /// Time over which refusals are summed up.
    pub summary_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            records: 4096,
            part_bytes: 4 << 20,
            part_records: 1024,
            refusal_bytes: 256 << 10,
            refusal_records: 128,
            batch_bytes: 512 << 10,
            batch_records: 512,
            batch_age: Duration::from_millis(200),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(30),
            tries: 8,
            answer_within: Duration::from_secs(60),
            anchor_every: Duration::from_secs(60),
            summary_every: Duration::from_secs(10),
        }
    }
}

/// Names one try of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// A batch to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// For [`Recorder::delivered`].
    pub ticket: Ticket,
    /// OTLP over HTTP.
    pub body: Vec<u8>,
    /// How it is encoded.
    pub wire: Wire,
    /// How many records it holds.
    pub records: usize,
}

/// What became of a record at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Chained and queued under this number.
    Queued(u64),
    /// The queue is full: lost, and declared under this number by the next record.
    Lost(u64),
    /// Counted into the next summary.
    Summed,
}

/// What became of the records of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The collector has them all, up to that of this number.
    Taken(u64),
    /// They wait for another try, or are lost: nobody may count on them.
    Failed,
    /// It was settled before.
    Settled,
}

/// Numbers for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records in the queue and on their way.
    pub queued: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records lost since the start.
    pub dropped_total: u64,
    /// Records that the collector took.
    pub delivered_total: u64,
    /// Tries that failed.
    pub failed_batches: u64,
    /// Refusals counted into summaries.
    pub summed_total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Exchange,
    Part,
    Refusal,
    Summary,
    Anchor,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    at: u64,
    lane: Lane,
    /// As it stands in a batch.
    log: Vec<u8>,
    declares: Vec<Range>,
}

#[derive(Debug, Default)]
struct Load {
    records: usize,
    bytes: usize,
}

impl Load {
    fn has_room(&self, bytes: usize, most_records: usize, most_bytes: usize) -> bool {
        self.records < most_records && self.bytes.saturating_add(bytes) <= most_bytes
    }
}

#[derive(Debug)]
enum Phase {
    Sent { ticket: Ticket, at: u64 },
    Waiting { since: u64, wait: Duration },
}

#[derive(Debug)]
struct Flight {
    entries: Vec<Entry>,
    failures: u32,
    phase: Phase,
}

/// Refusals counted, not yet recorded.
#[derive(Debug)]
struct Sum {
    since: u64,
    until: u64,
    summary: Summary,
}

/// The recorder of one root context; see the module.
#[derive(Debug)]
pub struct Recorder {
    chain: Chain,
    envelope: Envelope,
    limits: Limits,
    queue: VecDeque<Entry>,
    flight: Option<Flight>,
    exchanges: Load,
    parts: Load,
    refusals: Load,
    losses: Losses,
    sum: Option<Sum>,
    /// Since when something is to be anchored.
    unanchored: Option<u64>,
    /// Signs anchors.
    signer: Option<Signer>,
    closing: bool,
    /// Somebody waits for what is in the queue.
    hurried: bool,
    backoff: Backoff,
    tickets: u64,
    stats: Stats,
}

impl Recorder {
    /// A recorder with a chain of its own; `chain_id` must be random, for it is what tells chains apart.
    pub fn new(chain_id: [u8; 16], resource: &Resource, limits: Limits) -> Self {
        let seed = chain_id.iter().fold(0_u64, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte));
        Self {
            chain: Chain::new(chain_id),
            envelope: Envelope::new(Wire::default(), resource),
            backoff: Backoff::new(limits.first_retry, limits.longest_retry, seed),
            limits,
            queue: VecDeque::new(),
            flight: None,
            exchanges: Load::default(),
            parts: Load::default(),
            refusals: Load::default(),
            losses: Losses::default(),
            sum: None,
            unanchored: None,
            signer: None,
            closing: false,
            hurried: false,
            tickets: 0,
            stats: Stats::default(),
        }
    }

    /// The same, with batches that are encoded so.
    #[must_use]
    pub fn speaking(self, wire: Wire, resource: &Resource) -> Self {
        Self { envelope: Envelope::new(wire, resource), ..self }
    }

    /// The same, with anchors that are signed.
    #[must_use]
    pub fn signing(self, signer: Signer) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// The id of the chain, 32 hex digits.
    pub fn chain_id(&self) -> &str {
        self.chain.id()
    }

    /// Whether the chain has a record.
    pub fn has_begun(&self) -> bool {
        self.chain.head().is_some()
    }

    /// The last record of the chain; `None`: there is none yet.
    pub fn head(&self) -> Option<Head> {
        let hash = self.chain.head()?.to_owned();
        Some(Head { chain: self.chain.id().to_owned(), seq: self.chain.last_chained(), hash })
    }

    /// Has the next record name a chain that ended.
    pub fn succeed(&mut self, ended: Head) {
        self.chain.succeed(ended);
    }

    /// Whether an anchor comes with the next batch.
    pub fn anchor_is_due(&self, now: u64) -> bool {
        self.unanchored.is_some_and(|since| is_due(now, since, self.limits.anchor_every))
    }

    /// Chains and queues a record of this moment, or says what became of it.
    pub fn record(&mut self, now: u64, record: &Record) -> Recorded {
        match record {
            Record::Start(start) => self.exchange(now, Lane::Exchange, Content::Start(start)),
            Record::Part(part) => self.exchange(now, Lane::Part, Content::Part(part)),
            Record::End(end) => self.exchange(now, Lane::Exchange, Content::End(end)),
            Record::Refusal(end) => self.refusal(now, end),
        }
    }

    fn exchange(&mut self, now: u64, lane: Lane, content: Content<'_>) -> Recorded {
        if let Some(seq) = self.append(now, lane, content) {
            return Recorded::Queued(seq);
        }
        let seq = self.chain.skip();
        self.lose(now, seq, Why::QueueFull);
        Recorded::Lost(seq)
    }

    fn refusal(&mut self, now: u64, end: &EndRecord) -> Recorded {
        if let Some(seq) = self.append(now, Lane::Refusal, Content::End(end)) {
            return Recorded::Queued(seq);
        }
        let sum = self.sum.get_or_insert_with(|| Sum { since: now, until: now, summary: Summary::default() });
        sum.until = now;
        sum.summary.count = Count::from(sum.summary.count.get().saturating_add(1));
        sum.summary.reasons.add(end.facts.reason.unwrap_or("unknown"), 1);
        self.stats.summed_total = self.stats.summed_total.saturating_add(1);
        Recorded::Summed
    }

    /// Chains and queues a record, where its lane has room.
    fn append(&mut self, now: u64, lane: Lane, content: Content<'_>) -> Option<u64> {
        if !self.has_room(lane, 0) {
            return None;
        }
        let link = self.chain.link(&self.losses);
        let draft = Chain::draft(&link, now, content);
        let log = self.envelope.log_record(&draft, now, content);
        if !self.has_room(lane, log.len()) {
            return None;
        }
        let (seq, hash) = (draft.seq, draft.hash);
        self.chain.commit(seq, hash);
        let declares = std::mem::take(&mut self.losses).ranges().to_vec();
        if lane == Lane::Anchor {
            self.unanchored = None;
        } else {
            self.unanchored.get_or_insert(now);
        }
        if let Some(load) = self.load(lane) {
            load.records = load.records.saturating_add(1);
            load.bytes = load.bytes.saturating_add(log.len());
        }
        self.stats.queued = self.stats.queued.saturating_add(1);
        self.stats.bytes = self.stats.bytes.saturating_add(size(&log));
        self.queue.push_back(Entry { seq, at: now, lane, log, declares });
        Some(seq)
    }

    fn has_room(&self, lane: Lane, bytes: usize) -> bool {
        let limits = &self.limits;
        match lane {
            Lane::Exchange => self.exchanges.has_room(bytes, limits.records, limits.bytes),
            Lane::Part => self.parts.has_room(bytes, limits.part_records, limits.part_bytes),
            Lane::Refusal => self.refusals.has_room(bytes, limits.refusal_records, limits.refusal_bytes),
            Lane::Summary | Lane::Anchor => !self.waits(lane),
        }
    }

    fn load(&mut self, lane: Lane) -> Option<&mut Load> {
        match lane {
            Lane::Exchange => Some(&mut self.exchanges),
            Lane::Part => Some(&mut self.parts),
            Lane::Refusal => Some(&mut self.refusals),
            Lane::Summary | Lane::Anchor => None,
        }
    }

    /// Whether a record of this lane is still in the queue. Asked for summaries and anchors alone, when one is due.
    fn waits(&self, lane: Lane) -> bool {
        self.queue.iter().any(|entry| entry.lane == lane)
    }

    fn lose(&mut self, now: u64, seq: u64, why: Why) {
        self.losses.add(seq, why);
        self.unanchored.get_or_insert(now);
        self.stats.dropped_total = self.stats.dropped_total.saturating_add(1);
    }

    /// The next batch to post, if one is due. Call it when [`Self::wake_at`] has come and after each answer.
    pub fn next_batch(&mut self, now: u64) -> Option<Batch> {
        self.write_summary(now);
        self.write_anchor(now);
        self.expire(now);
        if let Some(flight) = &self.flight {
            let Phase::Waiting { since, wait } = flight.phase else { return None };
            if !is_due(now, since, wait) {
                return None;
            }
            return self.send(now);
        }
        if !self.batch_is_due(now) {
            return None;
        }
        let entries = self.take();
        self.flight =
            Some(Flight { entries, failures: 0, phase: Phase::Waiting { since: now, wait: Duration::ZERO } });
        self.send(now)
    }

    fn write_summary(&mut self, now: u64) {
        let Some(sum) = &self.sum else { return };
        if self.waits(Lane::Summary) || !(self.closing || is_due(now, sum.since, self.limits.summary_every)) {
            return;
        }
        let Some(mut sum) = self.sum.take() else { return };
        sum.summary.since = Text::from(rfc3339(sum.since));
        sum.summary.until = Text::from(rfc3339(sum.until));
        self.append(now, Lane::Summary, Content::Summary(&sum.summary));
    }

    fn write_anchor(&mut self, now: u64) {
        if self.anchor_is_due(now) {
            self.anchor(now);
        }
    }

    fn anchor(&mut self, now: u64) {
        if self.waits(Lane::Anchor) {
            return;
        }
        let Some(hash) = self.chain.head() else {
            // Everything was lost so far; the first record that gets through declares it.
            return;
        };
        let seq = self.chain.last_chained();
        let sign = |signer: &Signer| Text::from(signer.sign(self.chain.id(), seq, hash));
        let signature = self.signer.as_ref().map(sign);
        let anchor = Anchor { seq: Count::from(seq), hash: Text::from(hash), signature };
        self.append(now, Lane::Anchor, Content::Anchor(&anchor));
    }

    fn batch_is_due(&self, now: u64) -> bool {
        let Some(oldest) = self.queue.front() else { return false };
        self.closing || self.hurried || self.has_full_batch() || is_due(now, oldest.at, self.limits.batch_age)
    }

    fn has_full_batch(&self) -> bool {
        self.queue.len() >= self.limits.batch_records || self.stats.bytes >= bytes(self.limits.batch_bytes)
    }

    fn take(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut size = 0_usize;
        while let Some(entry) = self.queue.pop_front() {
            size = size.saturating_add(entry.log.len());
            if !entries.is_empty()
                && (size > self.limits.batch_bytes || entries.len() >= self.limits.batch_records)
            {
                self.queue.push_front(entry);
                break;
            }
            entries.push(entry);
        }
        self.hurried &= !self.queue.is_empty();
        entries
    }

    /// Somebody waits until what is in the queue has been taken: it waits for no other records.
    pub fn hurry(&mut self) {
        self.hurried = !self.queue.is_empty();
    }

    fn send(&mut self, now: u64) -> Option<Batch> {
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = Ticket(self.tickets);
        let flight = self.flight.as_mut()?;
        flight.phase = Phase::Sent { ticket, at: now };
        let body = self.envelope.seal(flight.entries.iter().map(|entry| entry.log.as_slice()));
        Some(Batch { ticket, body, wire: self.envelope.wire(), records: flight.entries.len() })
    }

    /// Tells how a batch fared. An answer to a try that is over is ignored.
    pub fn delivered(&mut self, ticket: Ticket, now: u64, answer: &Answer<'_>) -> Fate {
        let current =
            |flight: &Flight| matches!(flight.phase, Phase::Sent { ticket: sent, .. } if sent == ticket);
        if !self.flight.as_ref().is_some_and(current) {
            return Fate::Settled;
        }
        match answer.verdict() {
            Verdict::Accepted => return self.accept(),
            Verdict::Rejected => self.reject(now),
            Verdict::Retry(wait) => self.retry(now, wait),
            Verdict::RetryFew => {
                let tried = self.flight.as_ref().map_or(0, |flight| flight.failures.saturating_add(1));
                if tried >= self.limits.tries { self.reject(now) } else { self.retry(now, Duration::ZERO) }
            }
        }
        Fate::Failed
    }

    fn accept(&mut self) -> Fate {
        let mut last = 0;
        for entry in self.land() {
            self.release(&entry);
            last = entry.seq;
            self.stats.delivered_total = self.stats.delivered_total.saturating_add(1);
        }
        Fate::Taken(last)
    }

    fn reject(&mut self, now: u64) {
        self.stats.failed_batches = self.stats.failed_batches.saturating_add(1);
        for entry in self.land() {
            self.release(&entry);
            self.lose(now, entry.seq, Why::Rejected);
            // What this record declared nobody has read.
            for range in entry.declares {
                self.losses.merge(range);
            }
        }
    }

    fn land(&mut self) -> Vec<Entry> {
        self.flight.take().map(|flight| flight.entries).unwrap_or_default()
    }

    fn release(&mut self, entry: &Entry) {
        if let Some(load) = self.load(entry.lane) {
            load.records = load.records.saturating_sub(1);
            load.bytes = load.bytes.saturating_sub(entry.log.len());
        }
        self.stats.queued = self.stats.queued.saturating_sub(1);
        self.stats.bytes = self.stats.bytes.saturating_sub(size(&entry.log));
    }

    fn retry(&mut self, now: u64, at_least: Duration) {
        self.stats.failed_batches = self.stats.failed_batches.saturating_add(1);
        let Some(flight) = self.flight.as_mut() else { return };
        flight.failures = flight.failures.saturating_add(1);
        let wait = self.backoff.after(flight.failures).max(at_least);
        flight.phase = Phase::Waiting { since: now, wait };
    }

    /// A call whose answer never comes must not hold the queue for ever.
    fn expire(&mut self, now: u64) {
        let Some(Flight { phase: Phase::Sent { at, .. }, .. }) = &self.flight else { return };
        if is_due(now, *at, self.limits.answer_within) {
            self.retry(now, Duration::ZERO);
        }
    }

    /// When [`Self::next_batch`] has something to do, should nothing else happen; `None`: not before a record comes.
    pub fn wake_at(&self) -> Option<u64> {
        let after = |since: u64, wait: Duration| {
            since.saturating_add(nanos(if self.closing { Duration::ZERO } else { wait }))
        };
        let flight = match &self.flight {
            Some(Flight { phase: Phase::Sent { at, .. }, .. }) => {
                Some(at.saturating_add(nanos(self.limits.answer_within)))
            }
            Some(Flight { phase: Phase::Waiting { since, wait }, .. }) => {
                Some(since.saturating_add(nanos(*wait)))
            }
            None if self.hurried || self.has_full_batch() => self.queue.front().map(|entry| entry.at),
            None => self.queue.front().map(|entry| after(entry.at, self.limits.batch_age)),
        };
        let summary = self.sum.as_ref().filter(|_| !self.waits(Lane::Summary));
        let summary = summary.map(|sum| after(sum.since, self.limits.summary_every));
        let anchor = self.unanchored.filter(|_| self.chain.head().is_some() && !self.waits(Lane::Anchor));
        let anchor = anchor.map(|since| since.saturating_add(nanos(self.limits.anchor_every)));
        [flight, summary, anchor].into_iter().flatten().min()
    }

    /// The root context is going away: sums up and anchors at once; from now on batches wait for nothing.
    pub fn close(&mut self, now: u64) {
        self.closing = true;
        self.write_summary(now);
        if self.unanchored.is_some() {
            self.anchor(now);
        }
    }

    /// Whether nothing is left to deliver.
    pub fn is_idle(&self) -> bool {
        self.stats.queued == 0 && self.sum.is_none()
    }

    /// Numbers for metrics.
    pub fn stats(&self) -> Stats {
        self.stats
    }
}

/// A clock that was set back makes things due at once rather than much later.
fn is_due(now: u64, since: u64, wait: Duration) -> bool {
    now.checked_sub(since).is_none_or(|passed| passed >= nanos(wait))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn size(log: &[u8]) -> u64 {
    bytes(log.len())
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
