//! Who may do what.
//!
//! | file | idea |
//! |---|---|
//! | [`caller`] | who asks, and what that one may do |
//! | [`table`] | which address needs which role |
//! | [`guard`] | every request passes it: finds the caller, lets through or refuses |
//! | [`here`] | requests that a page of somebody else had a browser make |

mod caller;
mod guard;
mod here;
mod table;

pub use caller::{Caller, Role, Roles};
pub use guard::guarded;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /api/me`: who asks, as the collector sees it.
pub async fn me(caller: Caller) -> Response {
    let roles: Vec<_> = caller.roles.names().collect();
    let body = json!({ "id": caller.id, "name": caller.name, "groups": caller.groups, "roles": roles });
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Whom the collector lets in.
#[derive(Debug)]
pub enum Access {
    /// Everybody: it does not ask. On a loopback address, or behind something that does the asking.
    Everybody {
        /// Whether only this machine is to ask.
        local: bool,
    },
}
