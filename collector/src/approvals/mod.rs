//! A human says yes or no to a call before it goes out (docs/approvals.md).
//!
//! | file | idea |
//! |---|---|
//! | [`asked`] | what a filter asks, within bounds |
//! | [`state`] | one approval as a state machine, pure |
//! | [`record`] | what happened, as a record |
//! | [`desk`] | deeds, handed over to the task that writes; who is told of them |
//! | [`waiting`] | readers that wait for a decision |
//! | [`filter`] | the addresses that the filter asks |
//! | [`people`] | the addresses that approvers use |
//! | [`view`] | approvals as they are shown |
//! | [`described`] | all of these, in the description of the collector's addresses |
//! | [`notices`] | notifications: to whom, and what they say |
//! | [`send`] | one request out |
//! | [`options`] | flags |

mod asked;
mod described;
mod desk;
pub mod filter;
mod notices;
mod options;
pub mod people;
mod record;
mod send;
mod state;
mod view;
mod waiting;

#[cfg(test)]
mod desk_test;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test may")]
mod laws_tests;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test may")]
#[path = "../../tests/support/place.rs"]
mod place;

pub use asked::{Asked, Binding, Exchange};
pub use described::described;
pub use desk::Deeds;
pub use options::{ApprovalOptions, Unfit};
pub use record::members;
pub use state::{Approval, Approver, Ballot, Event, Refusal, Spend, State};

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use portcullis::audit::signature::Signer;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::store::{Reader, Room, StoreError};

/// What the addresses share.
pub struct Service {
    desk: desk::Desk,
    reader: Reader,
    bell: Arc<waiting::Bell>,
    waiters: Arc<Semaphore>,
    key: Option<Signer>,
    room: Room,
}

/// Why approvals cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Flags that do not fit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Nobody's certificate would be believed.
    #[error(
        "notifications cannot be sent: {0}: install the system's certificates, or name some in SSL_CERT_FILE"
    )]
    Certificates(std::io::Error),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Service {
    /// With what works behind it; nothing is to be kept for longer than `keep`. What the writer takes deeds from, and tasks that look for decisions made elsewhere and
    /// deliver notifications.
    ///
    /// # Errors
    /// Flags that do not fit, or no database.
    pub async fn start(
        options: &ApprovalOptions,
        keep: Option<Duration>,
        reader: Reader,
        stopping: watch::Receiver<bool>,
    ) -> Result<(Self, Deeds, JoinSet<()>), ApprovalError> {
        let (receivers, key) = (options.receivers()?, options.key()?);
        let mut tasks = JoinSet::new();
        let mut notices = notices::Notices::default();
        if !receivers.is_empty() {
            let client = send::Client::new().map_err(ApprovalError::Certificates)?;
            let page = options.public_url.as_deref().unwrap_or_default();
            let (to, deliverers) = notices::Notices::to(receivers, page, &client);
            notices = to;
            deliverers.into_iter().for_each(|deliverer| _ = tasks.spawn(deliverer.run()));
        }
        let bell = Arc::new(waiting::Bell::default());
        let last = reader.last().await?;
        tasks.spawn(Arc::clone(&bell).watch(reader.clone(), last, stopping));
        let (desk, deeds) = desk::desk(
            desk::Herald { bell: Arc::clone(&bell), notices },
            keep.map_or(options.keep(), |keep| keep.min(options.keep())),
        );
        let waiters = Arc::new(Semaphore::new(options.max_approval_waits.min(Semaphore::MAX_PERMITS)));
        Ok((Self { desk, reader, bell, waiters, key, room: options.room() }, deeds, tasks))
    }
}

/// JSON, as every address here answers.
fn json_answer(body: Map<String, Value>) -> Response {
    ([(CONTENT_TYPE, "application/json")], Value::Object(body).to_string()).into_response()
}

/// An id that nobody can guess.
fn new_id() -> Result<String, getrandom::Error> {
    let mut chance = [0; 16];
    getrandom::fill(&mut chance)?;
    Ok(format!("apr_{}", portcullis::audit::trace::to_hex(&chance)))
}

/// Whether a text can be the id of an approval.
fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("apr_").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
