//! The console: the page that people read records with, as `make console` built it.

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::http::problem;

/// Addresses and bytes.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The address of the page among them.
const PAGE: &str = "/index.html";

/// What the page may do: run its own script, ask its own collector, nothing else. What callers and models said can be
/// shown by mistake, never run. Markup is made by Svelte's own templates alone, which the browser holds it to as well.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types svelte-trusted-html";

/// Said where there is no console.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Portcullis</title>\
     <h1>Portcullis collector</h1><p>This collector was built without the console: run <code>make console</code>, \
     then build it again.</p><p>What it keeps can be read at <a href=\"/api/openapi.json\">the addresses described \
     here</a>.</p></html>";

/// Its addresses.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(page))
        .route("/assets/{*file}", get(asset))
        .layer(middleware::from_fn(guarded))
}

/// It names the files of this build, so it is asked for anew.
async fn page() -> Response {
    match bytes(PAGE) {
        Some(page) => ([(CONTENT_TYPE, media(PAGE)), (CACHE_CONTROL, "no-cache")], page).into_response(),
        None => Html(WITHOUT).into_response(),
    }
}

/// Its name changes with its bytes.
async fn asset(Path(file): Path<String>) -> Response {
    let address = format!("/assets/{file}");
    let Some(bytes) = bytes(&address) else {
        return problem(StatusCode::NOT_FOUND, "there is no such file: load the page anew");
    };
    let kept = "public, max-age=31536000, immutable";
    ([(CONTENT_TYPE, media(&address)), (CACHE_CONTROL, kept)], bytes).into_response()
}

fn bytes(address: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == address).map(|(_, bytes)| *bytes)
}

fn media(address: &str) -> &'static str {
    match address.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Its forms have to say where they come from.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
