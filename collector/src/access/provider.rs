//! Calls to an identity provider, within bounds.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, USER_AGENT};
use axum::http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use portcullis::identity::provider::{Failure, Fetch};
use portcullis::identity::round::max_age;

use crate::outgoing::{Https, https};

/// How long an answer may take, to its end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer: what the reader of key sets and documents takes at most, and a byte for it to see that it is more.
const MOST: usize = (256 << 10) + 1;

/// Calls. The certificates that it trusts are the system's (`SSL_CERT_FILE` names others).
#[derive(Clone)]
pub struct Client(Https);

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// How long it may be used, as it says.
    pub max_age: Option<Duration>,
}

/// What is posted.
pub struct Form {
    /// Names and values.
    pub fields: String,
    /// As `authorization`.
    pub authorization: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// With the certificates of the system.
    ///
    /// # Errors
    /// There are none.
    pub fn new() -> std::io::Result<Self> {
        https().map(Self)
    }

    /// Gets something, or posts a form. No redirect is followed.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn call(&self, fetch: &Fetch, form: Option<Form>) -> Result<Answer, Failure> {
        let called = tokio::time::timeout(PATIENCE, self.answer(fetch, form)).await;
        called.unwrap_or(Err(Failure::Lost))
    }

    async fn answer(&self, fetch: &Fetch, form: Option<Form>) -> Result<Answer, Failure> {
        let request = request(fetch, form).ok_or(Failure::Unreachable)?;
        let answer = self.0.request(request).await.map_err(|_| Failure::Unreachable)?;
        let (status, age) = (answer.status().as_u16(), age(answer.headers()));
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|_| Failure::Broken)?.to_bytes().to_vec();
        Ok(Answer { status, body, max_age: age })
    }
}

fn request(fetch: &Fetch, form: Option<Form>) -> Option<Request<Full<Bytes>>> {
    let method = if form.is_some() { Method::POST } else { Method::GET };
    let uri = format!("{}://{}{}", fetch.scheme, fetch.authority, fetch.path);
    let request = Request::builder().method(method).uri(uri);
    let request = request.header(ACCEPT, "application/json").header(USER_AGENT, "portcullis-collector");
    let Some(form) = form else { return request.body(Full::default()).ok() };
    let mut request = request
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form.fields)))
        .ok()?;
    if let Some(authorization) = form.authorization {
        let mut authorization = HeaderValue::from_str(&authorization).ok()?;
        authorization.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    Some(request)
}

fn age(headers: &HeaderMap) -> Option<Duration> {
    let controls = headers.get_all(CACHE_CONTROL).iter();
    max_age(controls.map(|value| (CACHE_CONTROL.as_str().as_bytes(), value.as_bytes())))
}
