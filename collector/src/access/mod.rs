//! Who may do what.
//!
//! | file | idea |
//! |---|---|
//! | [`caller`] | who asks, and what that one may do |
//! | [`table`] | which address needs which role |
//! | [`guard`] | every request passes it: finds the caller, lets through or refuses |
//! | [`here`] | requests that a page of somebody else had a browser make |
//! | [`settings`] | flags, and secrets of the environment |
//! | [`secret`] | tokens that are the same on both sides |
//! | [`tokens`] | tokens of identity providers, and what they grant |
//! | [`keys`] | their keys, kept fresh |
//! | [`provider`] | calls to them |
//! | [`login`] | people log in there: authorization code with PKCE |
//! | [`browser`] | `/login`, `/login/callback`, `/logout` |
//! | [`sessions`] | what browsers keep of a login |
//! | [`seal`] | so that they can neither read nor change it |
//! | [`reads`] | every read of a record is itself recorded |
//! | [`glances`] | and looks that come again and again, once |
//! | [`tls`] | certificates, and connections under them |
//!
//! What always holds: an address without a row in the table answers nobody; nothing is believed of a token before its
//! signature held; no log line and no answer repeats a token, a code or a cookie.

pub mod browser;
mod caller;
mod glances;
mod guard;
mod here;
mod keys;
mod login;
mod provider;
mod reads;
mod seal;
mod secret;
mod sessions;
mod settings;
mod table;
pub mod tls;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use caller::{Caller, Role};
pub use glances::Glance;
pub use guard::guarded;
use login::Login;
use provider::Client;
pub use reads::{Ledger, Reads, Shown, ledger};
use secret::Secret;
use sessions::Sessions;
use settings::Secrets;
pub use settings::{AccessError, AccessOptions};
use tokens::Tokens;

/// Whom the collector lets in.
pub enum Access {
    /// Everybody: it does not ask. On a loopback address, or behind something that does the asking.
    Everybody {
        /// Whether only this machine is to ask.
        local: bool,
    },
    /// Whoever shows who they are.
    Door(Box<Door>),
}

/// Where people and programs show who they are.
pub struct Door {
    /// Of identity providers.
    pub tokens: Tokens,
    /// Whose bearer may do everything but break the glass.
    pub bootstrap: Option<Secret>,
    /// Whose bearers bring records.
    pub writers: Vec<Secret>,
    /// Where people log in.
    pub login: Option<Login>,
    /// Of those who did.
    pub sessions: Sessions,
}

impl Access {
    /// As flags and environment say. `page`: the collector's address, as people reach it. The tasks keep keys fresh.
    ///
    /// # Errors
    /// They do not fit each other.
    pub fn of(
        options: &AccessOptions,
        everybody: bool,
        page: Option<&str>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<(Arc<Self>, JoinSet<()>), AccessError> {
        let secrets = Secrets::of_environment()?;
        if options.issuers.is_empty() && secrets.bootstrap.is_none() && secrets.writers.is_empty() {
            if secrets.client.is_some() {
                return Err(AccessError::Client);
            }
            return Ok((Arc::new(Self::Everybody { local: !everybody }), JoinSet::new()));
        }
        if everybody {
            return Err(AccessError::Both);
        }
        let door = Door::of(options, secrets, page)?;
        let tasks = match options.issuers.is_empty() {
            true => JoinSet::new(),
            false => door.tokens.keep(&Client::new().map_err(AccessError::Roots)?, stopping),
        };
        Ok((Arc::new(Self::Door(Box::new(door))), tasks))
    }

    /// Whether who asks is asked.
    pub fn asks(&self) -> bool {
        matches!(self, Self::Door(_))
    }
}

impl Door {
    fn of(options: &AccessOptions, secrets: Secrets, page: Option<&str>) -> Result<Self, AccessError> {
        let tokens = Tokens::of(&options.issuers)?;
        let login = match (tokens.login(), page) {
            (None, _) if secrets.client.is_some() => return Err(AccessError::Client),
            (None, _) => None,
            (Some(_), None) => return Err(AccessError::Page),
            (Some(_), Some(page)) => {
                Some(Login::new(Client::new().map_err(AccessError::Roots)?, secrets.client, page))
            }
        };
        if secrets.bootstrap.is_some() {
            tracing::warn!(
                "a bootstrap token is set: whoever has it may do everything but break the glass; for demonstrations only"
            );
        }
        for trusted in options.issuers.iter().filter(|trusted| trusted.issuer.starts_with("http:")) {
            tracing::warn!(
                issuer = trusted.issuer,
                "keys of an identity provider come without TLS: whoever sits in between can let anybody in"
            );
        }
        let key = match secrets.sessions {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                getrandom::fill(&mut key)?;
                key
            }
        };
        let age = Duration::from_secs(u64::from(options.session_minutes).saturating_mul(60));
        let secure = options.tls_certificate.is_some() || page.is_some_and(|page| page.starts_with("https:"));
        let sessions = Sessions::new(key, age, secure);
        Ok(Self { tokens, bootstrap: secrets.bootstrap, writers: secrets.writers, login, sessions })
    }
}

/// `GET /api/me`: who asks, as the collector sees it.
pub async fn me(caller: Caller) -> Response {
    let roles: Vec<_> = caller.roles.names().collect();
    let body = json!({ "id": caller.id, "name": caller.name, "groups": caller.groups, "roles": roles });
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
