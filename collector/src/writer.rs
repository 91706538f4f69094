//! The one task that writes. What waits at the same time is committed together, so that many workers cost one wait for
//! the disk.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::access::Reads;
use crate::approvals::Deeds;
use crate::body::Held;
use crate::entry::Entry;
use crate::metrics;
use crate::otlp::answer::Failure;
use crate::retention::Removals;
use crate::store::{Appender, StoreError, now};

/// Most requests that wait.
const WAITING: usize = 1024;
/// Records that end a commit.
const COMMIT: usize = 4096;
/// Time between looks at the gaps.
const SWEEP: Duration = Duration::from_secs(1);

/// What one request brings.
struct Job {
    entries: Vec<Entry>,
    unreadable: usize,
    /// Of the budget for bodies, until the job is done; whoever waits may leave before.
    _held: Held,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// Where requests hand over what they bring.
#[derive(Clone)]
pub struct Inlet {
    jobs: mpsc::Sender<Job>,
    own: String,
}

/// The task.
pub struct Writer {
    appender: Appender,
    jobs: mpsc::Receiver<Job>,
    gap: Duration,
    turns: Turns,
}

/// What waits beside records.
pub struct Turns {
    /// Of approvals.
    pub deeds: Deeds,
    /// Of reads that are to be on record.
    pub reads: Reads,
    /// Of what is to go.
    pub removals: Removals,
}

/// A task that writes, and where it takes from. `gap`: how long a record that is not there is waited for.
pub fn writer(appender: Appender, gap: Duration, turns: Turns) -> (Inlet, Writer) {
    let (sender, jobs) = mpsc::channel(WAITING);
    let own = appender.own_chain().to_owned();
    (Inlet { jobs: sender, own }, Writer { appender, jobs, gap, turns })
}

impl Inlet {
    /// The chain that the collector itself writes.
    pub fn own_chain(&self) -> String {
        self.own.clone()
    }

    /// Back when everything is on the disk.
    ///
    /// # Errors
    /// Nothing of it is to be counted on.
    pub async fn keep(&self, entries: Vec<Entry>, unreadable: usize, held: Held) -> Result<(), Failure> {
        if entries.is_empty() && unreadable == 0 {
            return Ok(());
        }
        let (done, kept) = oneshot::channel();
        let job = Job { entries, unreadable, _held: held, done };
        self.jobs.try_send(job).map_err(|_| Failure::busy("too many requests wait already: come again"))?;
        kept.await.unwrap_or_else(|_| Err(Failure::busy("the collector is stopping: come again")))
    }
}

impl Writer {
    /// Writes until nobody can hand over any more.
    pub async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Turns { deeds, reads, removals } = &mut self.turns;
            tokio::select! {
                job = self.jobs.recv() => match job {
                    Some(job) => self.commit(job).await,
                    None => break,
                },
                // What people wait for is not behind what workers bring: of both, either comes next.
                Some(turn) = deeds.next() => deeds.take(&mut self.appender, turn).await,
                Some(read) = reads.next() => reads.take(&mut self.appender, read).await,
                Some(removal) = removals.next() => removals.take(&mut self.appender, removal).await,
                _ = sweep.tick() => {
                    self.sweep().await;
                    self.turns.deeds.expire(&mut self.appender).await;
                }
            }
        }
        self.appender.close().await;
    }

    async fn commit(&mut self, first: Job) {
        let mut records = first.entries.len();
        let mut jobs = vec![first];
        while records < COMMIT
            && let Ok(job) = self.jobs.try_recv()
        {
            records = records.saturating_add(job.entries.len());
            jobs.push(job);
        }
        match self.append(&jobs).await {
            // One request that the database refuses must not take the others with it.
            Err(error) if jobs.len() > 1 && error.is_of_content() => {
                for job in jobs {
                    let one = std::slice::from_ref(&job);
                    let done = self.append(one).await;
                    answer(job, &done);
                }
            }
            done => jobs.into_iter().for_each(|job| answer(job, &done)),
        }
    }

    async fn append(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        let entries: Vec<&Entry> = jobs.iter().flat_map(|job| &job.entries).collect();
        let unreadable = jobs.iter().fold(0_usize, |sum, job| sum.saturating_add(job.unreadable));
        let counts = self.appender.append(&entries, unreadable).await?;
        metrics::KEPT.add(counts.kept);
        metrics::DOUBLED.add(counts.doubled);
        metrics::ALERTS.add(counts.alerts);
        tracing::debug!(requests = jobs.len(), kept = counts.kept, doubled = counts.doubled, "committed");
        Ok(())
    }

    async fn sweep(&mut self) {
        let gap = i64::try_from(self.gap.as_nanos()).unwrap_or(i64::MAX);
        match self.appender.sweep(now().saturating_sub(gap)).await {
            Ok(counts) => metrics::ALERTS.add(counts.alerts),
            Err(error) => tracing::error!(%error, "gaps were not looked at"),
        }
    }
}

fn answer(job: Job, done: &Result<(), StoreError>) {
    let done = match done {
        Ok(()) => Ok(()),
        Err(error) => {
            metrics::FAILED.add(1);
            tracing::error!(%error, "records were not kept, and are asked for again");
            Err(Failure::busy("the records could not be kept: come again"))
        }
    };
    // Whoever waited may be gone; the records are kept all the same.
    let _ = job.done.send(done);
}
