//! Where deeds are handed over to the task that writes, and who is told once they are done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::notices::Notices;
use super::state::Event;
use super::waiting::Bell;
use crate::store::{Appender, Deed, Done, News, now};

/// Most deeds that wait.
const WAITING: usize = 256;

/// Nothing is to be counted on; the same can be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Too many wait.
    #[error("too many approvals are being asked for: come again")]
    Many,
    /// The database does not do it now.
    #[error("the database cannot say now: come again")]
    Database,
    /// The collector ends.
    #[error("the collector is stopping: come again")]
    Stopping,
}

struct Asking {
    deed: Deed,
    done: oneshot::Sender<Result<Done, Busy>>,
}

/// Where deeds are handed over.
#[derive(Clone)]
pub struct Desk(mpsc::Sender<Asking>);

/// Where they are taken from.
pub struct Deeds {
    asked: mpsc::Receiver<Asking>,
    herald: Herald,
    /// How long an approval that is over is known.
    keep: Duration,
}

/// Tells of what is on the disk: whoever waits here, and whoever is to be notified.
pub struct Herald {
    /// Whoever waits.
    pub bell: Arc<Bell>,
    /// Whoever is notified.
    pub notices: Notices,
}

/// A desk, and what is behind it.
pub fn desk(herald: Herald, keep: Duration) -> (Desk, Deeds) {
    let (sender, asked) = mpsc::channel(WAITING);
    (Desk(sender), Deeds { asked, herald, keep })
}

impl Desk {
    /// Back once it is done and on the disk.
    ///
    /// # Errors
    /// It may have happened, and may not.
    pub async fn ask(&self, deed: Deed) -> Result<Done, Busy> {
        let (done, answer) = oneshot::channel();
        self.0.try_send(Asking { deed, done }).map_err(|_| Busy::Many)?;
        answer.await.unwrap_or(Err(Busy::Stopping))
    }
}

impl Deeds {
    /// Does the next one once there is one. Whoever asked may be gone by then; it is done all the same. It can be dropped
    /// while it waits.
    pub async fn next(&mut self) -> Option<Turn> {
        self.asked.recv().await.map(Turn)
    }

    /// Does it.
    pub async fn take(&self, appender: &mut Appender, turn: Turn) {
        let Turn(Asking { deed, done }) = turn;
        let answer = match appender.approval(&deed).await {
            Ok((did, news)) => {
                news.iter().for_each(|one| self.herald.tell(one));
                Ok(did)
            }
            Err(error) => {
                tracing::error!(%error, "an approval could not be changed");
                Err(Busy::Database)
            }
        };
        let _ = done.send(answer);
    }

    /// Notes which approvals are over.
    pub async fn expire(&self, appender: &mut Appender) {
        let now = now();
        let keep = i64::try_from(self.keep.as_nanos()).unwrap_or(i64::MAX);
        match appender.expire_approvals(now, now.saturating_sub(keep)).await {
            Ok(news) => news.iter().for_each(|one| self.herald.tell(one)),
            Err(error) => tracing::error!(%error, "approvals that are over were not looked at"),
        }
    }
}

/// A deed whose turn it is.
pub struct Turn(Asking);

impl Herald {
    fn tell(&self, news: &News) {
        let News { approval, events } = news;
        self.bell.ring(&approval.id);
        for event in events {
            if let (Event::BrokenGlass, Some(vote)) = (event, approval.votes().last()) {
                // Both come from tokens: written so that they cannot pretend to be lines of the log.
                let (by, caller) = (&vote.by, &approval.asked.caller.id);
                tracing::warn!(approval = %approval.id, ?by, ?caller, "the glass was broken");
            }
            self.notices.tell(approval, *event);
        }
    }
}
