//! Every request passes here: the caller is found, and let through or refused.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;

use super::caller::Caller;
use super::table::{Needs, needs};
use super::{Access, here};
use crate::http::problem;

/// Addresses that the guard stands before. Those that are added to it later are not guarded.
pub fn guarded(router: Router, access: Arc<Access>) -> Router {
    router.route_layer(middleware::from_fn_with_state(access, guard))
}

async fn guard(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    match admitted(&access, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refused) => *refused,
    }
}

/// Who it is, where that matters.
fn admitted(access: &Access, request: &Request) -> Result<Caller, Box<Response>> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(needs) = path.and_then(|path| needs(request.method(), path)) else {
        return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "this address does not know the method"));
    };
    let Access::Everybody { local } = access;
    // What comes from the filter names the cluster as its host, and a page cannot read the answer.
    let is_page = !matches!(needs, Needs::Any([super::Role::Writer]));
    if *local && is_page && !here::is_local(request.headers()) {
        return Err(refused(
            StatusCode::FORBIDDEN,
            "records are read under the address of this machine, not under a name",
        ));
    }
    if !here::is_own(request.method(), request.headers()) {
        return Err(refused(StatusCode::FORBIDDEN, "a page of another origin asks for this"));
    }
    Ok(Caller::local())
}

fn refused(status: StatusCode, detail: &str) -> Box<Response> {
    Box::new(problem(status, detail))
}
