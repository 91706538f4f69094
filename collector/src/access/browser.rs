//! What browsers ask for: `/login`, `/login/callback`, `/logout`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::caller::{Caller, Role};
use super::login::{Back, Flow, LoginError, PATIENCE};
use super::sessions::{Purpose, Sessions};
use super::{Access, Door};

use crate::http::App;

/// Longest form.
const MOST: usize = 16 << 10;
/// Longest address to go to after the login.
const LONGEST: usize = 1024;
/// What these pages may do: nothing but to send their own form.
const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The addresses.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(page).post(with_token))
        .route("/login/callback", get(back))
        .route("/logout", post(out))
}

/// `GET /login`: to the provider, or to a form where there is another way too.
async fn page(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let Access::Door(door) = &*app.access else { return to("/") };
    let query = pairs(uri.query().unwrap_or_default());
    let aim = query.get("to").map_or_else(|| "/".to_owned(), |to| aim(to));
    let provider = door.login.as_ref().zip(door.tokens.login());
    match provider {
        Some((login, trusted)) if door.bootstrap.is_none() || query.contains_key("provider") => {
            match login.begin(trusted, aim).await {
                Ok((address, flow)) => away(&door.sessions, &address, &flow),
                Err(error) => failed(&error),
            }
        }
        _ => asking(StatusCode::OK, &aim, provider.is_some(), door.bootstrap.is_some(), ""),
    }
}

/// `POST /login`: with the bootstrap token.
async fn with_token(State(app): State<Arc<App>>, request: Request) -> Response {
    let Access::Door(door) = &*app.access else { return to("/") };
    let bytes = match app.bounds.up_to(MOST).read(request.into_body()).await {
        Ok((bytes, _)) => bytes,
        Err(failure) => return crate::http::problem(failure.status, &failure.message),
    };
    let form = pairs(std::str::from_utf8(&bytes).unwrap_or_default());
    let aim = form.get("to").map_or_else(|| "/".to_owned(), |to| aim(to));
    let given = form.get("token").map(|token| token.trim()).unwrap_or_default();
    if !door.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.is(given)) {
        let (provider, token) = (door.login.is_some(), door.bootstrap.is_some());
        return asking(StatusCode::UNAUTHORIZED, &aim, provider, token, "This is not the token.");
    }
    tracing::warn!("somebody logs in with the bootstrap token");
    begun(door, &Caller::of(Caller::BOOTSTRAP, [Role::Admin]), &aim)
}

/// `GET /login/callback`: back from the provider.
async fn back(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    let Access::Door(door) = &*app.access else { return to("/") };
    let Some(login) = &door.login else { return to("/login") };
    let mut query = pairs(uri.query().unwrap_or_default());
    let back = Back {
        code: query.remove("code"),
        state: query.remove("state"),
        issuer: query.remove("iss"),
        error: query.remove("error"),
    };
    let Some(flow) = door.sessions.read::<Flow>(Purpose::Login, &headers) else {
        return failed(&LoginError::Flow);
    };
    let mut response = match login.end(&door.tokens, &flow, &back).await {
        Ok(caller) => {
            tracing::info!(caller = caller.id, "logs in");
            begun(door, &caller, &flow.to)
        }
        Err(error) => {
            tracing::warn!(%error, "somebody could not log in");
            failed(&error)
        }
    };
    // A code and a state are good once.
    if let Some(cookie) = door.sessions.without(Purpose::Login) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// `POST /logout`: ends the session.
async fn out(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Access::Door(door) = &*app.access else { return to("/") };
    door.sessions.end(&headers);
    let mut response = said(StatusCode::OK, "<p>You are logged out.</p><p><a href=\"/login\">Log in</a></p>");
    if let Some(cookie) = door.sessions.without(Purpose::Session) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn begun(door: &Door, caller: &Caller, aim: &str) -> Response {
    let Some(cookie) = door.sessions.begin(caller) else {
        let detail = "<p>Your groups are too many for a cookie: have the provider's client give fewer of them, or \
             name another groups_claim.</p>";
        return said(StatusCode::FORBIDDEN, detail);
    };
    let mut response = to(aim);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

fn away(sessions: &Sessions, address: &str, flow: &Flow) -> Response {
    let Some(cookie) = sessions.cookie(Purpose::Login, flow, PATIENCE) else {
        return failed(&LoginError::Random);
    };
    let mut response = to(address);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

fn failed(error: &LoginError) -> Response {
    let status = match error {
        LoginError::Away | LoginError::Endpoints | LoginError::Random => StatusCode::SERVICE_UNAVAILABLE,
        LoginError::Flow | LoginError::Code(_) => StatusCode::BAD_REQUEST,
        LoginError::Denied(_) | LoginError::Token(_) => StatusCode::FORBIDDEN,
    };
    let text = escaped(&error.to_string());
    said(status, &format!("<p>{text}.</p><p><a href=\"/login\">Log in</a></p>"))
}

fn asking(status: StatusCode, aim: &str, provider: bool, token: bool, word: &str) -> Response {
    let mut body = format!("<p role=\"alert\">{word}</p>");
    if provider {
        let query = utf8_percent_encode(aim, NON_ALPHANUMERIC);
        body.push_str(&format!(
            "<p><a href=\"/login?provider&amp;to={query}\">Log in at the identity provider</a></p>"
        ));
    }
    if token {
        let aim = escaped(aim);
        body.push_str(&format!(
            "<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"to\" value=\"{aim}\">\
             <p><label>Bootstrap token <input type=\"password\" name=\"token\" autocomplete=\"current-password\" required>\
             </label> <button>Log in</button></p></form>"
        ));
    }
    if !provider && !token {
        body.push_str(
            "<p>Nobody logs in here: the collector takes tokens alone. See --issuer and client_id.</p>",
        );
    }
    said(status, &body)
}

fn said(status: StatusCode, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>Portcullis</title></head><body><h1>Portcullis</h1>{body}</body></html>"
    );
    let headers: [(HeaderName, &'static str); 6] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        // Their own form says where it comes from.
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, page).into_response()
}

fn to(address: &str) -> Response {
    let location = HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("/"));
    let kept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (StatusCode::SEE_OTHER, [(LOCATION, location), kept]).into_response()
}

/// Where to go after the login: an address of this collector, whatever was asked for.
pub fn aim(to: &str) -> String {
    let mut bytes = to.bytes();
    let begins = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if begins && plain && to.len() <= LONGEST { to.to_owned() } else { "/".to_owned() }
}

/// Names and values of a query or a form; of two of one name, the first.
fn pairs(text: &str) -> std::collections::BTreeMap<String, String> {
    let mut all = std::collections::BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        all.entry(decoded(name)).or_insert_with(|| decoded(value));
    }
    all
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_here() {
        for here in ["/", "/?view=exchange&id=x", "/#/exchanges/x-1"] {
            assert_eq!(aim(here), here);
        }
        for elsewhere in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a\r\nb",
            "/ü",
        ] {
            assert_eq!(aim(elsewhere), "/", "{elsewhere:?}");
        }
        assert_eq!(aim(&format!("/{}", "a".repeat(2000))), "/");
    }

    #[test]
    fn a_page_runs_nothing_of_what_was_asked() {
        assert_eq!(escaped("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(pairs("a=1&a=2&b=%3Cx+y%3E&c").len(), 3);
        assert_eq!(pairs("a=1&a=2&b=%3Cx+y%3E").get("b").unwrap(), "<x y>");
    }
}
