//! Retention: what is older than it is to be kept goes, and the oldest where there is more than there is room for.
//!
//! A task looks, and hands what is to go over to the one that writes, a little at a time: whatever else waits there has its
//! turn in between. Several collectors on one database may all do it; each commit locks the store.

use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::{mpsc, oneshot, watch};

use crate::metrics;
use crate::store::{Appender, Gone, Old, Reader, StoreError, Why, now};

/// Between looks.
const PAUSE: Duration = Duration::from_secs(10);
/// Records among which the oldest are; more, where none of them may go.
const STEP: i64 = 512;
/// Chains that one commit looks at.
const CHAINS: usize = 64;
/// Least room: tables that hold nothing need some.
const LEAST: u64 = 1 << 20;

/// How long, and how much.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Retention")]
pub struct KeepOptions {
    /// How long records are kept, in days since they arrived; left out: for ever.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_KEEP_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_days: Option<u32>,
    /// How many bytes are kept: of SQLite's file what is in use, of PostgreSQL the bodies of records; left out: any number.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_KEEP_BYTES", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(LEAST..))]
    pub keep_bytes: Option<u64>,
}

impl KeepOptions {
    /// How long, in nanoseconds.
    fn age(self) -> Option<i64> {
        self.keep().map(|keep| i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX))
    }

    /// How long anything is kept.
    pub fn keep(self) -> Option<Duration> {
        self.keep_days.map(|days| Duration::from_secs(u64::from(days).saturating_mul(24 * 60 * 60)))
    }
}

/// What is to go.
#[derive(Debug)]
pub struct Removal {
    chains: Vec<i64>,
    old: Old,
    done: oneshot::Sender<Result<Gone, StoreError>>,
}

/// Where the writer takes it from.
pub struct Removals(mpsc::Receiver<Removal>);

/// Looks for what is to go.
pub struct Retention {
    options: KeepOptions,
    reader: Reader,
    removals: mpsc::Sender<Removal>,
}

/// The one that looks, and where its findings go.
pub fn retention(options: KeepOptions, reader: Reader) -> (Retention, Removals) {
    let (removals, taken) = mpsc::channel(1);
    (Retention { options, reader, removals }, Removals(taken))
}

impl Removals {
    /// The next one.
    pub async fn next(&mut self) -> Option<Removal> {
        self.0.recv().await
    }

    /// Removes it.
    pub async fn take(&self, appender: &mut Appender, removal: Removal) {
        let Removal { chains, old, done } = removal;
        // Whoever looked may be gone by then.
        let _ = done.send(appender.remove(&chains, old).await);
    }
}

/// Why a look ends before its end.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the collector stops")]
    Stopping,
}

impl Retention {
    /// Looks again and again, until the collector stops.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        if self.options.keep_days.is_none() && self.options.keep_bytes.is_none() {
            return;
        }
        loop {
            tokio::select! {
                _ = stopping.changed() => return,
                looked = self.look() => match looked {
                    Ok(()) => (),
                    Err(Ended::Stopping) => return,
                    Err(Ended::Store(error)) => {
                        metrics::UNREMOVED.add(1);
                        tracing::error!(%error, "retention was broken off, and is tried again");
                    }
                },
            }
            tokio::select! {
                _ = stopping.changed() => return,
                () = tokio::time::sleep(PAUSE) => (),
            }
        }
    }

    async fn look(&self) -> Result<(), Ended> {
        let mut gone = Gone::default();
        if let Some(age) = self.options.age() {
            let before = now().saturating_sub(age);
            let until = self.reader.arrived_before(before).await?;
            gone.add(self.remove(Old { until, before, why: Why::Age }, None).await?);
        }
        if let Some(most) = self.options.keep_bytes {
            gone.add(self.shrink(i64::try_from(most).unwrap_or(i64::MAX)).await?);
        }
        if gone.records > 0 {
            tracing::info!(records = gone.records, bytes = gone.bytes, "removed by retention");
        }
        Ok(())
    }

    /// Removes the oldest until there is room.
    async fn shrink(&self, most: i64) -> Result<Gone, Ended> {
        let (mut all, mut step) = (Gone::default(), STEP);
        while self.reader.content().await? > most {
            let Some(first) = self.reader.first().await? else { break };
            let last = self.reader.last().await?;
            let until = first.saturating_add(step).min(last);
            let gone = self.remove(Old { until, before: i64::MAX, why: Why::Size }, Some(most)).await?;
            all.add(gone);
            if gone.records > 0 {
                step = STEP;
            } else if until == last {
                // All that is left is under way.
                break;
            } else {
                step = step.saturating_mul(2);
            }
        }
        Ok(all)
    }

    /// Removes what is old, as far as it may go, or until there is no more than so many bytes.
    async fn remove(&self, old: Old, most: Option<i64>) -> Result<Gone, Ended> {
        let (mut all, mut after) = (Gone::default(), 0);
        while let Some(oldest) = self.reader.oldest(after, old.until).await? {
            for chains in oldest.chains.chunks(CHAINS) {
                while !self.is_room(most).await? {
                    let gone = self.hand_over(chains.to_vec(), old).await?;
                    if gone.records == 0 {
                        break;
                    }
                    all.add(gone);
                }
            }
            after = oldest.seen;
        }
        Ok(all)
    }

    async fn is_room(&self, most: Option<i64>) -> Result<bool, Ended> {
        let Some(most) = most else { return Ok(false) };
        Ok(self.reader.content().await? <= most)
    }

    async fn hand_over(&self, chains: Vec<i64>, old: Old) -> Result<Gone, Ended> {
        let (done, removed) = oneshot::channel();
        let start = Instant::now();
        let removal = Removal { chains, old, done };
        self.removals.send(removal).await.map_err(|_| Ended::Stopping)?;
        let gone = removed.await.map_err(|_| Ended::Stopping)??;
        metrics::REMOVED.add(usize::try_from(gone.records).unwrap_or_default());
        metrics::REMOVED_BYTES.add(usize::try_from(gone.bytes).unwrap_or_default());
        // As long as it took: at least half of the time is for others.
        tokio::time::sleep(start.elapsed()).await;
        Ok(gone)
    }
}
