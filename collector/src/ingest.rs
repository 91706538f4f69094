//! `POST /v1/logs`: read, decode, hand over, answer once it is kept. What comes over gRPC is decoded here too.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::body::{Coding, Held};
use crate::entry::{Entry, Rejected};
use crate::http::App;
use crate::otlp::answer::{self, Failure};
use crate::otlp::{DecodeError, Encoding};

/// What a request holds.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    foreign: usize,
    unreadable: usize,
    pretended: usize,
}

/// Takes the records of one request.
pub async fn logs(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(encoding) = Encoding::of(request.headers()) else {
        let message = "content-type is application/json or application/x-protobuf";
        return Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).answer(Encoding::Json);
    };
    match take(app, encoding, request).await {
        Ok((rejected, message)) => answer::taken(encoding, rejected, message),
        Err(failure) => failure.answer(encoding),
    }
}

async fn take(app: Arc<App>, encoding: Encoding, request: Request) -> Result<(usize, String), Failure> {
    let coding = Coding::of(request.headers())?;
    let (bytes, held) = app.bounds.read(request.into_body()).await?;
    keep(app, encoding, coding, bytes, held).await
}

/// Decodes a body and hands it over. Gives how many records are not kept, and why.
///
/// # Errors
/// Nothing of it is to be counted on.
pub async fn keep(
    app: Arc<App>,
    encoding: Encoding,
    coding: Coding,
    bytes: Vec<u8>,
    mut held: Held,
) -> Result<(usize, String), Failure> {
    let (bounds, own) = (app.bounds.clone(), app.inlet.own_chain());
    let decoding = tokio::task::spawn_blocking(move || {
        let bytes = bounds.expand(coding, bytes, &mut held)?;
        Batch::of(encoding, &bytes, &own).map(|batch| (batch, held))
    });
    let (batch, held) = decoding.await.map_err(|_| Failure::busy("the request could not be decoded"))??;
    let (rejected, message) = batch.rejections();
    app.inlet.keep(batch.entries, batch.unreadable.saturating_add(batch.pretended), held).await?;
    Ok((rejected, message))
}

impl Batch {
    fn of(encoding: Encoding, bytes: &[u8], own: &str) -> Result<Self, Failure> {
        let mut batch = Self::default();
        encoding.decode(bytes, |log| match Entry::of(log, own) {
            Ok(entry) => batch.entries.push(entry),
            Err(rejected) => batch.reject(rejected),
        })?;
        Ok(batch)
    }

    fn reject(&mut self, rejected: Rejected) {
        let count = match rejected {
            Rejected::Foreign => &mut self.foreign,
            Rejected::Unreadable => &mut self.unreadable,
            Rejected::Pretended => &mut self.pretended,
        };
        *count = count.saturating_add(1);
    }

    /// How many are not kept, and why, in words.
    fn rejections(&self) -> (usize, String) {
        let whys = [
            (self.foreign, "are no audit records of Portcullis, which is all that this store keeps"),
            (
                self.unreadable,
                "are audit records whose body cannot be read: it must come as the text that was sent",
            ),
            (self.pretended, "pretend to be the collector's own"),
        ];
        let some = whys.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = some.map(|(count, why)| format!("{count} {why}")).collect();
        let all = self.foreign.saturating_add(self.unreadable).saturating_add(self.pretended);
        (all, told.join("; "))
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let status = match error {
            DecodeError::Malformed(_) => StatusCode::BAD_REQUEST,
            DecodeError::TooMany | DecodeError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Self::new(status, error.to_string())
    }
}
