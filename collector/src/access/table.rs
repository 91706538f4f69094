//! Which address needs which role. An address that does not stand here answers nobody.

use axum::http::Method;

use super::caller::Role;

/// What one must be to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: nobody is asked who they are.
    Nothing,
    /// To be known, whatever the roles.
    Known,
    /// One of these roles.
    Any(&'static [Role]),
}

/// A row: method (`GET` stands for `HEAD` too), path as the router has it.
type Row = (Method, &'static str, Needs);

const READS: Needs = Needs::Any(&[Role::Auditor]);
const SEES: Needs = Needs::Any(&[Role::Approver, Role::BreakGlass, Role::Auditor]);
const WRITES: Needs = Needs::Any(&[Role::Writer]);

/// The rows.
const TABLE: &[Row] = &[
    (Method::POST, "/v1/logs", WRITES),
    (Method::POST, crate::grpc::EXPORT, WRITES),
    (Method::GET, "/api/exchanges", READS),
    (Method::GET, "/api/exchanges/{id}", READS),
    (Method::GET, "/api/records", READS),
    (Method::GET, "/api/live", READS),
    (Method::GET, "/api/openapi.json", Needs::Known),
    // The filter opens approvals, waits for them and spends them.
    (Method::POST, "/v1/approvals", WRITES),
    (Method::GET, "/v1/approvals/{id}", WRITES),
    (Method::POST, "/v1/approvals/{id}/spend", WRITES),
    // Handlers look at the caller again: nobody approves their own, and rules name groups.
    (Method::GET, "/api/approvals", SEES),
    (Method::GET, "/api/approvals/{id}", SEES),
    (Method::POST, "/api/approvals/{id}/approve", Needs::Any(&[Role::Approver])),
    (Method::POST, "/api/approvals/{id}/deny", Needs::Any(&[Role::Approver])),
    (Method::POST, "/api/approvals/{id}/break-glass", Needs::Any(&[Role::BreakGlass])),
    // The page holds no record: what it shows it asks of the addresses above.
    (Method::GET, "/", Needs::Nothing),
    (Method::GET, "/assets/{*file}", Needs::Nothing),
    (Method::GET, "/api/me", Needs::Known),
    (Method::GET, "/api/overview", READS),
    (Method::GET, "/api/values", READS),
    // Numbers tell no record; probes know nobody.
    (Method::GET, "/metrics", Needs::Known),
    (Method::GET, "/healthz", Needs::Nothing),
    (Method::GET, "/readyz", Needs::Nothing),
    // Where one becomes known, and where that ends.
    (Method::GET, "/login", Needs::Nothing),
    (Method::POST, "/login", Needs::Nothing),
    (Method::GET, "/login/callback", Needs::Nothing),
    (Method::POST, "/logout", Needs::Nothing),
];

/// What an address needs; `None`: it does not stand in the table.
pub fn needs(method: &Method, path: &str) -> Option<Needs> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(of, at, _)| of == method && *at == path).map(|(_, _, needs)| *needs)
}

/// Whether it shows records, or approvals: then the read is recorded.
pub fn is_read(needs: Needs) -> bool {
    needs == READS || needs == SEES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_once_and_others_do_not() {
        for (method, path, wanted) in TABLE {
            assert_eq!(needs(method, path), Some(*wanted), "{method} {path}");
        }
        assert_eq!(needs(&Method::HEAD, "/api/records"), Some(READS));
        assert!(is_read(READS) && is_read(needs(&Method::GET, "/api/approvals/{id}").unwrap()));
        assert!(!is_read(needs(&Method::GET, "/v1/approvals/{id}").unwrap()), "the filter waits there");
        assert_eq!(needs(&Method::DELETE, "/api/records"), None);
        assert_eq!(needs(&Method::GET, "/api/secret"), None);
    }

    #[test]
    fn nothing_that_shows_or_changes_records_is_open() {
        for (method, path, needs) in
            TABLE.iter().filter(|(_, path, _)| path.starts_with("/api/") || path.starts_with("/v1/"))
        {
            assert_ne!(*needs, Needs::Nothing, "{method} {path}");
        }
    }
}
