//! People who logged in: what their browsers keep of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::caller::{Caller, Role};
use super::keys::clock;
use super::seal::Seal;
use super::secret;

/// Most logouts that are remembered; they are until the session would have ended.
const MOST: usize = 65_536;

/// Cookies.
pub struct Sessions {
    seal: Seal,
    age: Duration,
    /// Whether browsers come over TLS.
    secure: bool,
    /// Sessions that were ended before their time, and that time.
    ended: Mutex<BTreeMap<String, u64>>,
}

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To know somebody again.
    Session,
    /// To know that it is the same browser that comes back from the provider.
    Login,
}

/// A session.
#[derive(Serialize, Deserialize)]
struct Kept {
    session: String,
    until: u64,
    id: String,
    name: String,
    groups: BTreeSet<String>,
    roles: Vec<String>,
}

impl Purpose {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-portcullis-session",
            (Self::Session, false) => "portcullis-session",
            (Self::Login, true) => "__Host-portcullis-login",
            (Self::Login, false) => "portcullis-login",
        }
    }
}

impl Sessions {
    /// Sealed with a key.
    pub fn new(key: [u8; 32], age: Duration, secure: bool) -> Self {
        Self { seal: Seal::new(key), age, secure, ended: Mutex::default() }
    }

    /// The cookie of somebody's session. `None`: it has no room in one.
    pub fn begin(&self, caller: &Caller) -> Option<HeaderValue> {
        let kept = Kept {
            session: secret::random::<16>().ok()?,
            until: clock().saturating_add(u64::try_from(self.age.as_nanos()).unwrap_or(u64::MAX)),
            id: caller.id.clone(),
            name: caller.name.clone(),
            groups: caller.groups.clone(),
            roles: caller.roles.names().map(str::to_owned).collect(),
        };
        self.cookie(Purpose::Session, &kept, self.age)
    }

    /// Who is known by the cookies of a request.
    pub fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let kept: Kept = self.read(Purpose::Session, headers)?;
        if kept.until <= clock() || self.ended().contains_key(&kept.session) {
            return None;
        }
        let roles = kept.roles.iter().filter_map(|name| Role::named(name)).collect();
        Some(Caller { id: kept.id, name: kept.name, groups: kept.groups, roles })
    }

    /// Ends the session of a request: its cookie counts for nothing any more.
    pub fn end(&self, headers: &HeaderMap) {
        let Some(kept) = self.read::<Kept>(Purpose::Session, headers) else { return };
        let (mut ended, now) = (self.ended(), clock());
        ended.retain(|_, until| *until > now);
        if ended.len() < MOST {
            ended.insert(kept.session, kept.until);
        }
    }

    /// A cookie with something sealed.
    pub fn cookie<T: Serialize>(&self, purpose: Purpose, content: &T, age: Duration) -> Option<HeaderValue> {
        let sealed = self.seal.close(purpose.name(true), content)?;
        self.written(purpose, &sealed, age)
    }

    /// What takes a cookie away.
    pub fn without(&self, purpose: Purpose) -> Option<HeaderValue> {
        self.written(purpose, "", Duration::ZERO)
    }

    /// What a cookie of a request holds.
    pub fn read<T: serde::de::DeserializeOwned>(&self, purpose: Purpose, headers: &HeaderMap) -> Option<T> {
        let name = purpose.name(self.secure);
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut given = all
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(of, _)| *of == name);
        let (_, sealed) = given.next()?;
        // Of two nobody knows which is whose.
        given.next().is_none().then(|| self.seal.open(purpose.name(true), sealed)).flatten()
    }

    fn written(&self, purpose: Purpose, value: &str, age: Duration) -> Option<HeaderValue> {
        let (name, secure) = (purpose.name(self.secure), if self.secure { "; Secure" } else { "" });
        let age = age.as_secs();
        let cookie = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(age: u64, secure: bool) -> Sessions {
        Sessions::new([7; 32], Duration::from_secs(age), secure)
    }

    fn with(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, cookie.parse().unwrap())).collect()
    }

    fn begun(sessions: &Sessions) -> String {
        let mut caller = Caller::of("https://i.example#alice", [Role::Auditor]);
        caller.groups.insert("dba".to_owned());
        let cookie = sessions.begin(&caller).unwrap();
        cookie.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_session_is_known_until_it_is_ended_or_too_old() {
        let sessions = sessions(60, true);
        let cookie = begun(&sessions);
        assert!(
            cookie.starts_with("__Host-portcullis-session=")
                && cookie.contains("; HttpOnly; SameSite=Lax; Secure")
        );
        let pair = cookie.split(';').next().unwrap();
        let known = sessions.caller(&with(&["other=1; x", pair])).unwrap();
        assert_eq!((known.id.as_str(), known.groups.len()), ("https://i.example#alice", 1));
        assert!(known.roles.has(Role::Auditor) && !known.roles.has(Role::Admin));
        // Another one, with the same key, as another collector of the fleet has it.
        assert!(self::sessions(60, true).caller(&with(&[pair])).is_some());
        assert!(Sessions::new([8; 32], Duration::from_secs(60), true).caller(&with(&[pair])).is_none());
        sessions.end(&with(&[pair]));
        assert!(sessions.caller(&with(&[pair])).is_none());
        let old = self::sessions(0, true);
        assert!(old.caller(&with(&[begun(&old).split(';').next().unwrap()])).is_none());
    }

    #[test]
    fn a_cookie_of_another_name_or_beside_another_is_none() {
        let sessions = sessions(60, false);
        let cookie = begun(&sessions);
        assert!(cookie.starts_with("portcullis-session=") && !cookie.contains("Secure"));
        let pair = cookie.split(';').next().unwrap();
        assert!(sessions.caller(&with(&[pair])).is_some());
        assert!(sessions.caller(&with(&[pair, "portcullis-session=x"])).is_none());
        assert!(sessions.caller(&with(&[&pair.replace("session", "login")])).is_none());
        assert!(
            sessions
                .read::<serde_json::Value>(Purpose::Login, &with(&[&pair.replace("session", "login")]))
                .is_none()
        );
    }
}
