//! Flags of access. Secrets stand in the environment alone, where no list of processes shows them.

use clap::Args;
use portcullis::identity::provider::Fetch;

use super::caller::Role;
use super::secret::{Secret, SecretError};
use super::tls::{Tls, TlsError};

/// Whoever has it may do everything but break the glass.
const BOOTSTRAP: &str = "PORTCULLIS_COLLECTOR_BOOTSTRAP_TOKEN";
/// Whoever has one of them may bring records and open approvals.
const WRITERS: &str = "PORTCULLIS_COLLECTOR_WRITER_TOKEN";
/// What the provider knows the collector by, where people log in.
const CLIENT: &str = "PORTCULLIS_COLLECTOR_CLIENT_SECRET";
/// What cookies are sealed with.
const SESSIONS: &str = "PORTCULLIS_COLLECTOR_SESSION_KEY";

/// Who is let in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// An identity provider, and what its tokens grant: its address, then NAME=VALUE, each behind a comma. Names:
    /// audience, groups_claim (groups), roles_claim (the groups claim), auditor, approver, admin, writer, break_glass
    /// (each a value of the roles claim), client_id and scope (where people log in there). A name may stand several
    /// times. Several providers: the flag several times, in the environment with semicolons between them.
    #[arg(
        long = "issuer",
        env = "PORTCULLIS_COLLECTOR_ISSUERS",
        value_delimiter = ';',
        value_name = "URL,NAME=VALUE,…",
        value_parser = trusted
    )]
    pub issuers: Vec<Trusted>,
    /// How long a login lasts, in minutes.
    #[arg(
        long,
        env = "PORTCULLIS_COLLECTOR_SESSION_MINUTES",
        default_value_t = 480,
        value_name = "MINUTES",
        value_parser = clap::value_parser!(u32).range(1..=10_080)
    )]
    pub session_minutes: u32,
    /// Certificates to be shown, the collector's own first (PEM): it speaks TLS alone then. SIGHUP reads them anew.
    #[arg(long, env = "PORTCULLIS_COLLECTOR_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<std::path::PathBuf>,
    /// The private key of the certificate (PEM).
    #[arg(long, env = "PORTCULLIS_COLLECTOR_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<std::path::PathBuf>,
}

/// An identity provider, and what its tokens grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// `iss`, and where discovery begins.
    pub issuer: String,
    /// One of which a token must be for.
    pub audiences: Vec<String>,
    /// Path of the claim with the groups.
    pub groups_claim: Vec<String>,
    /// Path of the claim with the roles.
    pub roles_claim: Vec<String>,
    /// Which value of it grants which role.
    pub grants: Vec<(String, Role)>,
    /// As whom the collector asks the provider to log people in.
    pub client: Option<String>,
    /// What it asks for then.
    pub scopes: Vec<String>,
}

/// What stands in the environment alone.
pub struct Secrets {
    /// For demonstrations.
    pub bootstrap: Option<Secret>,
    /// Of filters; several, so that one can be replaced.
    pub writers: Vec<Secret>,
    /// Of the client.
    pub client: Option<String>,
    /// Of cookies.
    pub sessions: Option<[u8; 32]>,
}

/// Why flags of access do not fit.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Both at once.
    #[error(
        "--allow-unauthenticated lets everybody in, and --issuer, a bootstrap or a writer token asks who is there: leave one of them out"
    )]
    Both,
    /// Two of them.
    #[error("more than one --issuer has a client_id: people log in at one provider")]
    Clients,
    /// Nowhere to come back to.
    #[error("--issuer has a client_id, so people log in: --public-url has to say where they reach the page")]
    Page,
    /// Of no use.
    #[error("{CLIENT} is set, and no --issuer has a client_id")]
    Client,
    /// A token is none.
    #[error("{0} {1}")]
    Token(&'static str, SecretError),
    /// No key.
    #[error("{SESSIONS} is no key of 32 bytes in base64: make one with `openssl rand -base64 32`")]
    Key,
    /// No text.
    #[error("{0} is no text")]
    Text(&'static str),
    /// The provider's address.
    #[error("{0} is no address of an identity provider")]
    Issuer(String),
    /// No certificates.
    #[error("the system's certificates cannot be read: {0}; SSL_CERT_FILE can name others")]
    Roots(std::io::Error),
    /// No chance.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl AccessOptions {
    /// Certificates, where it is to speak TLS.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let files = self.tls_certificate.as_deref().zip(self.tls_key.as_deref());
        files.map(|(certificate, key)| Tls::read(certificate, key)).transpose()
    }
}

impl Secrets {
    /// Of the environment.
    ///
    /// # Errors
    /// One of them is of no use.
    pub fn of_environment() -> Result<Self, AccessError> {
        let token = |name, text: &str| Secret::of(text).map_err(|error| AccessError::Token(name, error));
        let bootstrap = environment(BOOTSTRAP)?.map(|text| token(BOOTSTRAP, &text)).transpose()?;
        let writers = environment(WRITERS)?.unwrap_or_default();
        let writers = writers.split(',').filter(|text| !text.is_empty()).map(|text| token(WRITERS, text));
        let writers = writers.collect::<Result<_, _>>()?;
        let sessions = environment(SESSIONS)?.map(|text| super::secret::key(&text).ok_or(AccessError::Key));
        Ok(Self { bootstrap, writers, client: environment(CLIENT)?, sessions: sessions.transpose()? })
    }
}

fn environment(name: &'static str) -> Result<Option<String>, AccessError> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(|value| value.into_string().map_err(|_| AccessError::Text(name))).transpose()
}

fn trusted(text: &str) -> Result<Trusted, String> {
    let mut pieces = text.split(',').map(str::trim);
    let issuer = pieces.next().unwrap_or_default().to_owned();
    if Fetch::document_of(&issuer).is_none() {
        return Err("begins with the address of an identity provider, as https://idp.example.com".to_owned());
    }
    let (mut groups_claim, mut roles_claim) = (None, None);
    let mut trusted = Trusted {
        issuer,
        audiences: Vec::new(),
        groups_claim: Vec::new(),
        roles_claim: Vec::new(),
        grants: Vec::new(),
        client: None,
        scopes: Vec::new(),
    };
    for piece in pieces {
        let pair = piece.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(_, value)| !value.is_empty()) else {
            return Err("has a piece that is not NAME=VALUE".to_owned());
        };
        match name {
            "audience" => trusted.audiences.push(value.to_owned()),
            "groups_claim" => groups_claim = Some(value),
            "roles_claim" => roles_claim = Some(value),
            "client_id" => trusted.client = Some(value.to_owned()),
            "scope" => trusted.scopes.push(value.to_owned()),
            _ => {
                let role = Role::named(name).ok_or_else(|| unknown(name))?;
                trusted.grants.push((value.to_owned(), role));
            }
        }
    }
    let path = |claim: &str| claim.split('.').map(str::to_owned).collect();
    let groups_claim = groups_claim.unwrap_or("groups");
    (trusted.groups_claim, trusted.roles_claim) =
        (path(groups_claim), path(roles_claim.unwrap_or(groups_claim)));
    if trusted.audiences.is_empty() && trusted.client.is_none() {
        return Err("names no audience (tokens are for somebody) and no client_id (people log in)".to_owned());
    }
    if trusted.grants.is_empty() {
        return Err("gives nobody a role: add auditor=GROUP, say".to_owned());
    }
    Ok(trusted)
}

fn unknown(name: &str) -> String {
    let roles: Vec<_> = Role::ALL.into_iter().map(Role::name).collect();
    format!(
        "does not know {name:?}: audience, groups_claim, roles_claim, client_id, scope, {}",
        roles.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_with_all_that_it_grants() {
        let text = "https://idp.example.com/realms/a,audience=audit,audience=b,roles_claim=realm_access.roles,\
             auditor=readers,admin=The Admins,break_glass=x=y,client_id=collector,scope=groups";
        let read = trusted(text).unwrap();
        assert_eq!(read.issuer, "https://idp.example.com/realms/a");
        assert_eq!(read.audiences, ["audit", "b"]);
        assert_eq!((read.groups_claim, read.roles_claim.len()), (vec!["groups".to_owned()], 2));
        let grants: Vec<_> = read.grants.iter().map(|(value, role)| (value.as_str(), *role)).collect();
        assert_eq!(
            grants,
            [("readers", Role::Auditor), ("The Admins", Role::Admin), ("x=y", Role::BreakGlass)]
        );
        assert_eq!((read.client.as_deref(), read.scopes), (Some("collector"), vec!["groups".to_owned()]));
    }

    #[test]
    fn what_would_let_in_nobody_or_anybody_is_refused() {
        for (text, why) in [
            ("", "begins with"),
            ("idp.example.com,audience=a,auditor=b", "begins with"),
            ("https://i.example,auditor=a", "no audience"),
            ("https://i.example,audience=a", "nobody a role"),
            ("https://i.example,audience=,auditor=a", "NAME=VALUE"),
            ("https://i.example,audience=a,auditer=b", "does not know \"auditer\""),
        ] {
            let error = trusted(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
