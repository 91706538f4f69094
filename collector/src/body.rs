//! Bodies within bounds: on the wire, expanded, and all that are being taken together.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::otlp::answer::Failure;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the budget is counted in.
const UNIT: usize = 1024;
/// Bytes that are expanded at a time.
const STEP: usize = 64 << 10;

/// Bounds of bodies.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Most bytes on the wire.
    pub wire: usize,
    /// Most bytes expanded.
    pub expanded: usize,
    budget: Arc<Semaphore>,
}

/// What a request holds of the budget; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// By gzip.
    Gzip,
}

impl Bounds {
    /// With a budget for all bodies together, in bytes.
    pub fn new(wire: usize, expanded: usize, pending: usize) -> Self {
        let units = pending.div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Self { wire, expanded, budget: Arc::new(Semaphore::new(units)) }
    }

    /// With a bound of their own on the wire, and the same budget.
    pub fn up_to(&self, wire: usize) -> Self {
        Self { wire: wire.min(self.wire), expanded: self.expanded, budget: Arc::clone(&self.budget) }
    }

    /// A body as it comes.
    ///
    /// # Errors
    /// It is too long, too slow, broke off, or too much is being taken already.
    pub async fn read(&self, body: Body) -> Result<(Vec<u8>, Held), Failure> {
        tokio::time::timeout(PATIENCE, self.collect(body)).await.unwrap_or_else(|_| {
            let message = format!("the body did not come within {} s", PATIENCE.as_secs());
            Err(Failure::new(StatusCode::REQUEST_TIMEOUT, message))
        })
    }

    async fn collect(&self, mut body: Body) -> Result<(Vec<u8>, Held), Failure> {
        let mut held = Held { budget: Arc::clone(&self.budget), permit: None, bytes: 0 };
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len().saturating_add(data.len()) > self.wire {
                return Err(too_large(self.wire, "the body"));
            }
            held.grow(data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, held))
    }

    /// The body itself. It takes the time that decompressing takes.
    ///
    /// # Errors
    /// It is not what it is said to be, too long, or too much is being taken already.
    pub fn expand(&self, coding: Coding, bytes: Vec<u8>, held: &mut Held) -> Result<Vec<u8>, Failure> {
        if coding == Coding::Identity {
            return Ok(bytes);
        }
        let mut reader = MultiGzDecoder::new(bytes.as_slice());
        let (mut out, mut step) = (Vec::new(), vec![0; STEP]);
        loop {
            let read = reader
                .read(&mut step)
                .map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the body is not gzip, as it says"))?;
            let Some(read) = step.get(..read).filter(|read| !read.is_empty()) else { return Ok(out) };
            if out.len().saturating_add(read.len()) > self.expanded {
                return Err(too_large(self.expanded, "the decompressed body"));
            }
            held.grow(read.len())?;
            out.extend_from_slice(read);
        }
    }
}

impl Held {
    fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        let before = self.bytes.div_ceil(UNIT);
        self.bytes = self.bytes.saturating_add(bytes);
        let units = self.bytes.div_ceil(UNIT).saturating_sub(before);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let busy = || Failure::busy("too many requests are being taken already: come again");
        let more = Arc::clone(&self.budget).try_acquire_many_owned(units).map_err(|_| busy())?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

impl Coding {
    /// Of a request.
    ///
    /// # Errors
    /// Another one, or several.
    pub fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut given = headers.get_all(CONTENT_ENCODING).iter();
        let coding = match (given.next().map(|value| value.as_bytes()), given.next()) {
            (None, _) => Some(Self::Identity),
            (Some(value), None) if value.eq_ignore_ascii_case(b"identity") => Some(Self::Identity),
            (Some(value), None) if value.eq_ignore_ascii_case(b"gzip") => Some(Self::Gzip),
            _ => None,
        };
        let wrong = "content-encoding is gzip, identity, or left out";
        coding.ok_or_else(|| Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wrong))
    }
}

fn too_large(most: usize, what: &str) -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{what} is longer than {most} bytes: send smaller batches"),
    )
}
