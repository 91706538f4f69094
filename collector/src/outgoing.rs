//! Requests that the collector makes itself, to identity providers and to receivers of notifications: over HTTP/1.1, with
//! TLS where the address says `https`. No redirect is followed.

use axum::body::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Makes them.
pub type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// One that trusts the certificates of the system (`SSL_CERT_FILE` names others).
///
/// # Errors
/// There are none.
pub fn https() -> std::io::Result<Https> {
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    let connector = connector.https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}
