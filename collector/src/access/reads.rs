//! Every read of a record is itself recorded, before the first byte of its answer goes out.

use axum::extract::Request;
use portcullis::audit::Text;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::caller::Caller;
use crate::store::{Appender, Note};

/// The event of such a record.
const READ: &str = "portcullis.collector.read";
/// Most reads that wait to be recorded.
const WAITING: usize = 1024;
/// Most reads of one commit.
const COMMIT: usize = 256;
/// Longest path and longest query that are kept of a request, in bytes.
const LONGEST: usize = 4096;

/// What an answer shows, where the handler knows it before the first byte: members of the record of its read. Handlers
/// leave it in the extensions of their answers.
#[derive(Debug, Clone, Default)]
pub struct Shown(pub Vec<(&'static str, Value)>);

/// Somebody asks.
pub struct Asking {
    members: Map<String, Value>,
}

/// Where reads are handed over.
#[derive(Clone)]
pub struct Ledger(mpsc::Sender<Job>);

/// Where they are taken from.
pub struct Reads(mpsc::Receiver<Job>);

/// A read, and who waits until it is recorded.
pub struct Job {
    note: Note,
    done: oneshot::Sender<bool>,
}

/// A ledger, and what is behind it.
pub fn ledger() -> (Ledger, Reads) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Ledger(sender), Reads(receiver))
}

impl Asking {
    /// Of a request.
    pub fn of(caller: &Caller, request: &Request) -> Self {
        let mut members = Map::new();
        let mut put = |name: &str, value: &str| {
            members.insert(format!("portcullis.read.{name}"), json!(Text::from(cut(value)).as_str()));
        };
        put("caller", &caller.id);
        put("address", request.uri().path());
        if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
            put("query", query);
        }
        Self { members }
    }
}

impl Ledger {
    /// Back when it is on the disk. False: it is not, and nothing may be shown.
    pub async fn keep(&self, asking: Asking, shown: Shown) -> bool {
        let mut members = asking.members;
        members.extend(shown.0.into_iter().map(|(name, value)| (format!("portcullis.read.{name}"), value)));
        let (done, kept) = oneshot::channel();
        let job = Job { note: Note { event: READ, members }, done };
        self.0.try_send(job).is_ok() && kept.await.unwrap_or(false)
    }
}

impl Reads {
    /// The next one.
    pub async fn next(&mut self) -> Option<Job> {
        self.0.recv().await
    }

    /// Records it, with those that wait behind it.
    pub async fn take(&mut self, appender: &mut Appender, first: Job) {
        let (mut notes, mut waiting) = (vec![first.note], vec![first.done]);
        while notes.len() < COMMIT
            && let Ok(job) = self.0.try_recv()
        {
            notes.push(job.note);
            waiting.push(job.done);
        }
        let kept = appender.note(notes).await;
        if let Err(error) = &kept {
            tracing::error!(%error, "reads were not recorded, and are refused");
        }
        for done in waiting {
            // Whoever waited may be gone.
            let _ = done.send(kept.is_ok());
        }
    }
}

fn cut(text: &str) -> &str {
    let mut end = LONGEST.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.split_at_checked(end).map_or("", |(head, _)| head)
}
