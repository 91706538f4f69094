//! Every request passes here: the caller is found, and let through or refused.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis::identity::bearer::{challenge, insufficient};

use super::caller::{Caller, Role};
use super::glances::{Glance, Glances, Look, look};
use super::reads::{Asking, Ledger, Shown};
use super::table::{Needs, is_read, needs};
use super::tokens::Refused;
use super::{Access, Door, here};
use crate::http::problem;
use crate::metrics;

/// As challenges name it.
const REALM: &str = "portcullis-collector";

/// Addresses that the guard stands before. Those that are added to it later are not guarded.
pub fn guarded(router: Router, access: Arc<Access>, ledger: Ledger) -> Router {
    router
        .route_layer(middleware::from_fn_with_state(Gate { access, ledger, glances: Arc::default() }, guard))
}

#[derive(Clone)]
struct Gate {
    access: Arc<Access>,
    ledger: Ledger,
    glances: Arc<Glances>,
}

/// Why somebody is not let in.
enum Shut {
    /// The address does not know the method.
    Method,
    /// Somebody else's page asks.
    Foreign(&'static str),
    /// Nobody says who asks.
    Unknown,
    /// The token does not hold.
    Token(&'static str),
    /// Nobody can say now.
    Unavailable,
    /// Known, and may not.
    Role(&'static [Role]),
}

async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let wanted = path.and_then(|path| needs(request.method(), path));
    let admitted = match wanted {
        None => Err(Shut::Method),
        Some(needs) => admitted(&gate.access, needs, request.method(), request.headers()).await,
    };
    match admitted {
        Ok(Some(caller)) => {
            let asking = wanted
                .filter(|needs| is_read(*needs))
                .map(|_| (Asking::of(&caller, &request), look(&caller.id, request.uri())));
            request.extensions_mut().insert(caller);
            let answer = next.run(request).await;
            match asking {
                Some((asking, look)) if answer.status().is_success() => {
                    recorded(&gate, asking, look, answer).await
                }
                _ => answer,
            }
        }
        Ok(None) => next.run(request).await,
        Err(Shut::Unknown) if is_page(&request) => to_login(&request),
        Err(shut) => {
            shut.count();
            shut.response()
        }
    }
}

/// The answer, once its read is on the disk; none of its bytes went out.
async fn recorded(gate: &Gate, asking: Asking, look: Look, mut answer: Response) -> Response {
    let shown = answer.extensions_mut().remove::<Shown>().unwrap_or_default();
    let glance = answer.extensions_mut().remove::<Glance>();
    if glance.is_some_and(|glance| gate.glances.is_told(&look, glance)) {
        return answer;
    }
    if gate.ledger.keep(asking, shown).await {
        if let Some(glance) = glance {
            gate.glances.tell(look, glance);
        }
        return answer;
    }
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "this read cannot be recorded now, so nothing is shown: come again",
    )
}

/// Who it is; `None` where that does not matter.
async fn admitted(
    access: &Access,
    needs: Needs,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Shut> {
    // What comes from the filter names the cluster as its host, and says nothing of pages.
    let from_filter = needs == Needs::Any(&[Role::Writer]) && !here::is_of_page(headers);
    if let Access::Everybody { local: true } = access
        && !from_filter
        && !here::is_local(headers)
    {
        return Err(Shut::Foreign("records are read under the address of this machine, not under a name"));
    }
    // A page of somebody else has neither token nor header of its own to send.
    if !headers.contains_key(AUTHORIZATION) && !here::is_own(method, headers) {
        return Err(Shut::Foreign("a page of another origin asks for this"));
    }
    let Access::Door(door) = access else { return Ok(Some(Caller::local())) };
    match needs {
        Needs::Nothing => Ok(None),
        Needs::Known => door.caller(headers).await.map(Some),
        Needs::Any(roles) => {
            let caller = door.caller(headers).await?;
            if roles.iter().any(|role| caller.roles.has(*role)) {
                return Ok(Some(caller));
            }
            Err(Shut::Role(roles))
        }
    }
}

impl Door {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Shut> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => self.sessions.caller(headers).ok_or(Shut::Unknown),
            (Some(one), None) => self.bearer(token(one).ok_or(Shut::Token("token_malformed"))?).await,
            (Some(_), Some(_)) => Err(Shut::Token("token_conflict")),
        }
    }

    async fn bearer(&self, token: &str) -> Result<Caller, Shut> {
        if self.writers.iter().any(|writer| writer.is(token)) {
            return Ok(Caller::of(Caller::WRITER, [Role::Writer]));
        }
        if self.bootstrap.as_ref().is_some_and(|bootstrap| bootstrap.is(token)) {
            return Ok(Caller::of(Caller::BOOTSTRAP, [Role::Admin]));
        }
        self.tokens.bearer(token).await.map_err(|refused| match refused {
            Refused::Token(error) => Shut::Token(error.word()),
            Refused::Unavailable => Shut::Unavailable,
        })
    }
}

impl Shut {
    fn count(&self) {
        match self {
            Self::Unknown | Self::Token(_) => metrics::STRANGERS.add(1),
            Self::Role(_) | Self::Foreign(_) => metrics::FORBIDDEN.add(1),
            Self::Unavailable => metrics::BUSY.add(1),
            Self::Method => (),
        }
    }

    fn response(self) -> Response {
        match self {
            Self::Method => problem(StatusCode::METHOD_NOT_ALLOWED, "this address does not know the method"),
            Self::Foreign(detail) => problem(StatusCode::FORBIDDEN, detail),
            Self::Unknown => challenged(
                StatusCode::UNAUTHORIZED,
                "say who you are: a bearer token, or /login",
                &challenge(REALM, None),
            ),
            Self::Token(word) => challenged(
                StatusCode::UNAUTHORIZED,
                &format!("the token does not hold: {word}"),
                &challenge(REALM, Some(word)),
            ),
            Self::Unavailable => problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "the identity provider's keys cannot be had now: come again",
            ),
            Self::Role(roles) => {
                let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
                let detail = format!("this takes the role {}", names.join(" or "));
                challenged(StatusCode::FORBIDDEN, &detail, &insufficient(REALM))
            }
        }
    }
}

fn challenged(status: StatusCode, detail: &str, challenge: &str) -> Response {
    let mut response = problem(status, detail);
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn token(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether a person looks at an address, rather than a program.
fn is_page(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let navigates = request.headers().get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    request.method() == Method::GET && navigates && accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn to_login(request: &Request) -> Response {
    let to = request.uri().path_and_query().map_or("/", |to| to.as_str());
    let address = format!("/login?to={}", utf8_percent_encode(to, NON_ALPHANUMERIC));
    let Ok(address) = HeaderValue::from_str(&address) else { return Shut::Unknown.response() };
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}
