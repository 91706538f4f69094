//! Who asks, and what that one may do.

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::http::problem;

/// Who asks. Handlers take it as an argument; the guard put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `issuer#subject`; [`Caller::BOOTSTRAP`], [`Caller::WRITER`]; [`Caller::LOCAL`] where nobody is asked.
    pub id: String,
    /// To be shown to people.
    pub name: String,
    /// Names from the groups claim.
    pub groups: BTreeSet<String>,
    /// What it may do.
    pub roles: Roles,
}

/// What one may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads records.
    Auditor,
    /// Decides approvals.
    Approver,
    /// Everything but to break the glass.
    Admin,
    /// Brings records and opens approvals: the filter.
    Writer,
    /// Lets a call through without the people that a rule asks for.
    BreakGlass,
}

/// What somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Caller {
    /// The id where nobody is asked.
    pub const LOCAL: &'static str = "local";
    /// The id of whoever has the bootstrap token.
    pub const BOOTSTRAP: &'static str = "bootstrap";
    /// The id of whoever has the writer token.
    pub const WRITER: &'static str = "writer";

    /// Where nobody is asked: may do everything.
    pub fn local() -> Self {
        Self::of(Self::LOCAL, Role::ALL)
    }

    /// Without a name of its own, and without groups.
    pub fn of(id: &str, roles: impl IntoIterator<Item = Role>) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            groups: BTreeSet::new(),
            roles: roles.into_iter().collect(),
        }
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Auditor, Self::Approver, Self::Admin, Self::Writer, Self::BreakGlass];

    /// As flags, answers and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Writer => "writer",
            Self::BreakGlass => "break_glass",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Roles {
    /// Whether a role is among them; the admin has every one but to break the glass.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role) || role != Role::BreakGlass && self.0.contains(&Role::Admin)
    }

    /// Their names, as they were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|role| role.name())
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        // An address that nobody guards has no caller: it answers nobody.
        let unguarded = || problem(StatusCode::INTERNAL_SERVER_ERROR, "this address is not guarded");
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_may_do_everything_but_break_the_glass() {
        let admin = Caller::of("a", [Role::Admin]).roles;
        for role in Role::ALL {
            assert_eq!(admin.has(role), role != Role::BreakGlass, "{role:?}");
        }
        let auditor = Caller::of("a", [Role::Auditor]).roles;
        for role in Role::ALL {
            assert_eq!(auditor.has(role), role == Role::Auditor, "{role:?}");
        }
        assert!(
            Role::ALL.iter().all(|role| !Roles::default().has(*role) && Caller::local().roles.has(*role))
        );
    }

    #[test]
    fn a_role_is_found_by_its_name() {
        assert!(Role::ALL.iter().all(|role| Role::named(role.name()) == Some(*role)));
        assert_eq!(Role::named("root"), None);
    }
}
