//! One request out, over HTTP or HTTPS.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, InvalidHeaderValue, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::outgoing::{Https, https};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends. The certificates that it trusts are the system's (`SSL_CERT_FILE` names others).
#[derive(Clone)]
pub struct Client(Https);

/// Why something was not sent. It never repeats the address, which can be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// Nobody is there, or it took too long.
    #[error("the receiver cannot be reached within {} s", PATIENCE.as_secs())]
    Away,
    /// It answered something else than 2xx.
    #[error("the receiver answers {0}")]
    Refused(StatusCode),
    /// There is no such request.
    #[error("the request cannot be made: {0}")]
    Request(#[from] axum::http::Error),
}

impl Unsent {
    /// Whether it may go well another time.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Refused(status) => {
                status.is_server_error()
                    || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Request(_) => false,
        }
    }
}

impl From<InvalidHeaderValue> for Unsent {
    fn from(error: InvalidHeaderValue) -> Self {
        Self::Request(error.into())
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

    /// Posts JSON. No redirect is followed.
    ///
    /// # Errors
    /// It did not arrive, or was not taken.
    pub async fn post(&self, url: &str, headers: &[(&'static str, &str)], body: &str) -> Result<(), Unsent> {
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let mut request = Request::builder().method(Method::POST).uri(url).body(body)?;
        let given = request.headers_mut();
        given.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        given.insert(USER_AGENT, HeaderValue::from_static("portcullis-collector"));
        for (name, value) in headers {
            given.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        let answer = tokio::time::timeout(PATIENCE, self.0.request(request)).await;
        let status = answer.map_err(|_| Unsent::Away)?.map_err(|_| Unsent::Away)?.status();
        if status.is_success() { Ok(()) } else { Err(Unsent::Refused(status)) }
    }
}

/// An address to send to.
///
/// # Errors
/// It is none.
pub fn address(text: &str) -> Result<String, String> {
    let uri: Option<Uri> = text.parse().ok();
    let good = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if good { Ok(text.to_owned()) } else { Err("is no address as https://hooks.example.com/path".to_owned()) }
}
