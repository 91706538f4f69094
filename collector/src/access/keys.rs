//! The keys of an identity provider: got, and kept fresh by a task of their own.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis::identity::Provider;
use portcullis::identity::provider::{Failure, Outcome, Refetch, Source, State, Timing};
use tokio::sync::{Notify, watch};

use super::provider::Client;
use super::settings::AccessError;
use crate::store::now;

/// Between looks whether a call is due.
const TICK: Duration = Duration::from_millis(500);

/// The keys.
pub struct Keys {
    issuer: String,
    provider: RwLock<Provider>,
    /// Counts answers: whoever waits for keys looks again.
    answers: watch::Sender<u64>,
    /// Keys are wanted before their time.
    wanted: Notify,
}

/// Nanoseconds since 1970.
pub fn clock() -> u64 {
    u64::try_from(now()).unwrap_or_default()
}

impl Keys {
    /// Of an issuer; they come once the task runs.
    ///
    /// # Errors
    /// It is none.
    pub fn of(issuer: &str) -> Result<Arc<Self>, AccessError> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        let source = Source::Discovery { issuer: issuer.to_owned(), path: None };
        let provider = Provider::new(source, Timing::default(), clock(), u64::from_le_bytes(seed));
        let provider = provider.map_err(|_| AccessError::Issuer(issuer.to_owned()))?;
        let (answers, _) = watch::channel(0);
        let issuer = issuer.to_owned();
        Ok(Arc::new(Self { issuer, provider: RwLock::new(provider), answers, wanted: Notify::new() }))
    }

    /// What there is, as long as it is looked at.
    pub fn look<R>(&self, look: impl FnOnce(State<'_>) -> R) -> R {
        look(self.provider.read().unwrap_or_else(PoisonError::into_inner).state(clock()))
    }

    /// Tells of every answer that comes from now on.
    pub fn answers(&self) -> watch::Receiver<u64> {
        self.answers.subscribe()
    }

    /// A token that came at `since` names a key that is not there.
    pub fn refetch(&self, since: u64) -> Refetch {
        let refetch = self.change(|provider| provider.refetch(clock(), since));
        if refetch == Refetch::UnderWay {
            self.wanted.notify_one();
        }
        refetch
    }

    /// Keeps them fresh until the collector stops.
    pub async fn keep(self: Arc<Self>, client: Client, mut stopping: watch::Receiver<bool>) {
        loop {
            if let Some(fetch) = self.change(|provider| provider.wanted(clock())) {
                // What begins with TLS does not go on without.
                let answer = if self.issuer.starts_with("https:") && fetch.scheme != "https" {
                    Err(Failure::Unreachable)
                } else {
                    client.call(&fetch, None).await
                };
                self.take(answer);
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => (),
                () = self.wanted.notified() => (),
                _ = stopping.changed() => return,
            }
        }
    }

    fn take(&self, answer: Result<super::provider::Answer, Failure>) {
        let now = clock();
        let outcome = self.change(|provider| match &answer {
            Ok(answer) => {
                let outcome = provider.received(now, Ok((answer.status, &answer.body)));
                if matches!(outcome, Outcome::Keys { .. }) {
                    provider.usable_for(now, answer.max_age);
                }
                outcome
            }
            Err(failure) => provider.received(now, Err(*failure)),
        });
        match outcome {
            Outcome::Failed { error, retry_in } => {
                tracing::warn!(issuer = self.issuer, %error, ?retry_in, "no keys of an identity provider");
            }
            Outcome::Keys { changed: true } => {
                tracing::info!(issuer = self.issuer, "keys of an identity provider");
            }
            Outcome::Keys { .. } | Outcome::Next | Outcome::Ignored => (),
        }
        self.answers.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn change<R>(&self, change: impl FnOnce(&mut Provider) -> R) -> R {
        change(&mut self.provider.write().unwrap_or_else(PoisonError::into_inner))
    }
}
