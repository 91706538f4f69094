//! Readers that wait for a decision. They hold no thread. A change that this collector makes wakes them at once; one that
//! another makes does so once the database is looked at, for all that wait together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::store::Reader;

/// Between looks at the database.
const PAUSE: Duration = Duration::from_millis(400);

/// Wakes those who wait.
#[derive(Debug, Default)]
pub struct Bell(Mutex<HashMap<String, watch::Sender<()>>>);

/// Waits for one approval.
pub struct Listener {
    bell: Arc<Bell>,
    id: String,
    changes: watch::Receiver<()>,
}

impl Bell {
    /// From now on no change is missed: listen first, read then.
    pub fn listen(self: &Arc<Self>, id: &str) -> Listener {
        let mut waiting = self.waiting();
        let sender = waiting.entry(id.to_owned()).or_insert_with(|| watch::channel(()).0);
        Listener { bell: Arc::clone(self), id: id.to_owned(), changes: sender.subscribe() }
    }

    /// An approval changed.
    pub fn ring(&self, id: &str) {
        if let Some(sender) = self.waiting().get(id) {
            sender.send_replace(());
        }
    }

    fn is_heard(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// Looks at the database until the collector stops. `last` is the number of a change that nobody waits for any more.
    pub async fn watch(self: Arc<Self>, reader: Reader, mut last: i64, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopping.changed() => return,
                () = tokio::time::sleep(PAUSE) => (),
            }
            if !self.is_heard() {
                continue;
            }
            match reader.changed_approvals(last).await {
                Ok((ids, seen)) => {
                    ids.iter().for_each(|id| self.ring(id));
                    last = seen;
                }
                Err(error) => tracing::error!(%error, "decisions made elsewhere were not looked for"),
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        // Nothing that holds it can break off halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Back when it changed.
    pub async fn changed(&mut self) {
        // The sender stays as long as somebody listens.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.bell.waiting();
        if waiting.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_hears_and_whoever_left_costs_nothing() {
        let bell = Arc::new(Bell::default());
        let (mut one, mut other) = (bell.listen("a"), bell.listen("a"));
        bell.ring("b");
        bell.ring("a");
        one.changed().await;
        other.changed().await;
        drop(one);
        assert!(bell.is_heard());
        bell.ring("a");
        other.changed().await;
        drop(other);
        assert!(!bell.is_heard());
        bell.ring("a");
    }
}
