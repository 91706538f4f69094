//! What clients are told of a connection before they have a token: where it is described, and that description.
//!
//! RFC 9728: a challenge names the URL of a document, and the document names the authorization servers. Both speak of the
//! policy set alone; the document is the same for everyone and is answered here, so it contacts nobody and needs no token.

use serde_json::json;

use super::guard::Guard;
use super::head::Head;
use super::refusal::{Code, Refusal};
use super::request::REALM;
use super::{Exchange, route};
use crate::config::set::{self, Connection, Issuer, Proof};
use crate::host::LocalAnswer;
use crate::identity::bearer;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// Clients in browsers read it too, and it says nothing that others may not know.
const EVERYONE: (&str, &str) = ("access-control-allow-origin", "*");

/// A connection as a protected resource.
pub struct Resource {
    /// Where its description is, as clients find it.
    url: String,
    authority: String,
    /// The path of the description.
    path: String,
    scopes: Vec<String>,
    document: Vec<u8>,
}

impl Resource {
    /// Describes a connection.
    pub fn new(connection: &Connection, written: &set::Resource, issuers: &[Issuer]) -> Self {
        let (scheme, rest) = written.uri.split_once("://").unwrap_or(("https", &written.uri));
        let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some((authority, "/")) => (authority, ""),
            Some(parts) => parts,
            None => (rest, ""),
        };
        let accepts =
            |issuer: &&Issuer| connection.issuers.iter().any(|name| name.value == issuer.name.value);
        let with_tokens = issuers.iter().filter(|issuer| !matches!(issuer.proof, Proof::Certificate));
        let servers: Vec<&str> =
            with_tokens.filter(accepts).map(|issuer| issuer.issuer.value.as_str()).collect();
        let mut document = json!({
            "resource": written.uri,
            "authorization_servers": servers,
            "bearer_methods_supported": ["header"],
            "resource_name": connection.name.value,
        });
        if let (Some(document), false) = (document.as_object_mut(), written.scopes.is_empty()) {
            document.insert("scopes_supported".to_owned(), json!(written.scopes));
        }
        let path = format!("{WELL_KNOWN}{path}");
        Self {
            url: format!("{scheme}://{authority}{path}"),
            authority: authority.to_owned(),
            path,
            scopes: written.scopes.clone(),
            document: document.to_string().into_bytes(),
        }
    }
}

/// The answer to a request for the description of one of the connections.
pub(super) fn described(guard: &Guard, head: &Head, path: &str) -> Option<LocalAnswer> {
    let preflight = head.method == "OPTIONS";
    if !path.starts_with(WELL_KNOWN) || !preflight && !matches!(head.method.as_str(), "GET" | "HEAD") {
        return None;
    }
    let mut all = guard.lanes.iter().filter_map(|lane| lane.resource.as_deref());
    let resource =
        all.find(|one| one.path == path && route::same_authority(&one.authority, &head.authority))?;
    let headers: &[_] = match preflight {
        true => &[EVERYONE, ("access-control-allow-methods", "GET"), ("access-control-allow-headers", "*")],
        false => &[EVERYONE, ("content-type", "application/json"), ("cache-control", "max-age=300")],
    };
    Some(LocalAnswer {
        status: if preflight { 204 } else { 200 },
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        body: if preflight { Vec::new() } else { resource.document.clone() },
        grpc_status: None,
        details: "portcullis_resource_metadata".to_owned(),
    })
}

impl Exchange {
    /// `www-authenticate` of a refusal.
    pub(super) fn challenge(&self, refusal: &Refusal) -> Option<String> {
        let resource = self.lane.as_ref().and_then(|lane| lane.resource.as_ref());
        let identity = self.inquiry.identity.as_ref();
        let challenge = match (&refusal.challenge, resource, identity) {
            (Some(challenge), ..) => challenge.clone(),
            // Another token would not help against a rule, nor one of the same scopes.
            (None, Some(resource), Some(identity))
                if refusal.code == Code::Forbidden
                    && refusal.reason == "allow"
                    && resource.scopes.iter().any(|scope| !identity.has_scope(scope)) =>
            {
                bearer::insufficient(REALM)
            }
            _ => return None,
        };
        Some(match resource {
            Some(resource) => bearer::described(challenge, &resource.url, &resource.scopes),
            None => challenge,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::set::Protocol;

    fn resource(uri: &str) -> Resource {
        let connection = Connection {
            name: Default::default(),
            protocol: Protocol::OpenAi,
            matches: vec![],
            issuers: vec![],
            policy: None,
            credentials: vec![],
            token_headers: vec![],
            answers: Default::default(),
            resource: None,
        };
        Resource::new(&connection, &set::Resource { uri: uri.to_owned(), scopes: vec![] }, &[])
    }

    #[test]
    fn the_well_known_path_stands_between_host_and_path() {
        let url = |uri: &str| resource(uri).url;
        assert_eq!(url("https://h"), "https://h/.well-known/oauth-protected-resource");
        assert_eq!(url("https://h/"), "https://h/.well-known/oauth-protected-resource");
        assert_eq!(url("https://h:8443/a/b"), "https://h:8443/.well-known/oauth-protected-resource/a/b");
        assert_eq!(url("http://h/a"), "http://h/.well-known/oauth-protected-resource/a");
    }

    #[test]
    fn the_description_names_the_resource_as_it_was_written() {
        let document: Value = serde_json::from_slice(&resource("https://h/").document).unwrap();
        assert_eq!(document["resource"], "https://h/");
        assert_eq!(document.get("scopes_supported"), None);
    }
}
