//! Where an issuer's keys are: absolute URIs, and OpenID Connect Discovery 1.0.
//!
//! Calls go through a cluster that the operator chose, so a hostile document cannot send us elsewhere: it can
//! choose but the authority and the path that this cluster sees. Both are kept to characters that cannot end a
//! header.

use serde_json::Value;

use super::json::{self, JsonError};

/// Largest discovery document, in bytes.
pub const MAX_DOCUMENT: usize = 256 * 1024;
const MAX_URI: usize = 2048;
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// A call to make: `GET` of this path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host, with its port where the URI has one.
    pub authority: String,
    /// Begins with a slash; with the query, where there is one.
    pub path: String,
}

/// Why a discovery document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Above [`MAX_DOCUMENT`].
    #[error("is larger than 256 KiB")]
    TooLarge,
    /// Not strict JSON.
    #[error("{0}")]
    Json(JsonError),
    /// `issuer` is not the one configured, byte for byte.
    #[error("names another issuer than the policy set does")]
    Issuer,
    /// `jwks_uri` is missing, or no absolute http(s) URI.
    #[error("has no usable jwks_uri")]
    KeysUri,
}

impl Fetch {
    /// Reads an absolute http(s) URI without user information or fragment.
    pub fn absolute(uri: &str) -> Option<Fetch> {
        if uri.len() > MAX_URI
            || !uri.bytes().all(|byte| byte.is_ascii_graphic())
            || uri.contains(['#', '\\', '"'])
        {
            return None;
        }
        let (scheme, rest) = uri.split_once("://")?;
        let scheme = ["https", "http"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        if !is_authority(authority) {
            return None;
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Fetch { scheme, authority: authority.to_owned(), path })
    }

    /// The discovery document of an issuer (OpenID Connect Discovery 1.0 section 4).
    pub fn document_of(issuer: &str) -> Option<Fetch> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        // An issuer has no query, and one would swallow the well-known path.
        if base.contains('?') {
            return None;
        }
        Fetch::absolute(&format!("{base}{WELL_KNOWN}"))
    }
}

fn is_authority(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:[]".contains(&byte);
    text.bytes().any(|byte| byte.is_ascii_alphanumeric()) && text.bytes().all(known)
}

/// Reads a discovery document; gives the call for the key set.
pub(super) fn read(document: &[u8], issuer: &str) -> Result<Fetch, DocumentError> {
    if document.len() > MAX_DOCUMENT {
        return Err(DocumentError::TooLarge);
    }
    let document = json::object(document).map_err(DocumentError::Json)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(DocumentError::Issuer);
    }
    text("jwks_uri").and_then(Fetch::absolute).ok_or(DocumentError::KeysUri)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(uri: &str) -> Option<(&'static str, String, String)> {
        Fetch::absolute(uri).map(|fetch| (fetch.scheme, fetch.authority, fetch.path))
    }

    #[test]
    fn an_absolute_uri_gives_authority_and_path() {
        let expect =
            |scheme, authority: &str, path: &str| Some((scheme, authority.to_owned(), path.to_owned()));
        assert_eq!(parts("https://idp.example.com/jwks"), expect("https", "idp.example.com", "/jwks"));
        assert_eq!(parts("HTTP://127.0.0.1:8080"), expect("http", "127.0.0.1:8080", "/"));
        assert_eq!(parts("https://[::1]:1/a/b?c=d"), expect("https", "[::1]:1", "/a/b?c=d"));
        assert_eq!(parts("https://h?c=d"), expect("https", "h", "/?c=d"));
    }

    #[test]
    fn hostile_uris_are_refused() {
        let long = format!("https://h/{}", "a".repeat(3000));
        let hostile = [
            "/jwks",
            "jwks",
            "",
            "https://",
            "https:///x",
            "file:///etc/passwd",
            "ftp://h/",
            "https://u@h/",
            "https://u:p@h/",
            "https://h/a b",
            "https://h/\r\nx: y",
            "https://h\r\n/",
            "https://h/#f",
            "https://h\\@evil/",
            "https://h%0d/",
            "https://\u{e4}/",
            "javascript:alert(1)",
            "//h/x",
            ":",
            "https://./",
            &long,
        ];
        for uri in hostile {
            assert_eq!(Fetch::absolute(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn the_document_stands_below_the_issuers_path() {
        let path = |issuer| Fetch::document_of(issuer).map(|fetch| fetch.path);
        let well_known = "/.well-known/openid-configuration";
        assert_eq!(path("https://idp.example.com"), Some(well_known.to_owned()));
        assert_eq!(path("https://idp.example.com/"), Some(well_known.to_owned()));
        assert_eq!(path("https://idp.example.com/realms/a"), Some(format!("/realms/a{well_known}")));
        assert_eq!(path("https://idp.example.com/?a=b"), None);
        assert_eq!(path("corp"), None);
    }

    #[test]
    fn a_document_of_another_issuer_is_refused() {
        let document =
            |issuer: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://h/k"}}"#).into_bytes();
        assert!(read(&document("https://h"), "https://h").is_ok());
        for other in ["https://h/", "https://H", "", "https://evil"] {
            assert_eq!(read(&document(other), "https://h"), Err(DocumentError::Issuer), "{other}");
        }
        assert_eq!(read(br#"{"jwks_uri":"https://h/k"}"#, "https://h"), Err(DocumentError::Issuer));
    }

    #[test]
    fn a_document_without_a_usable_jwks_uri_is_refused() {
        for uri in
            ["", r#","jwks_uri":"/k""#, r#","jwks_uri":["https://h/k"]"#, r#","jwks_uri":"https://u@h/""#]
        {
            let document = format!(r#"{{"issuer":"https://h"{uri}}}"#);
            assert_eq!(read(document.as_bytes(), "https://h"), Err(DocumentError::KeysUri), "{document}");
        }
        let large = vec![b' '; MAX_DOCUMENT + 1];
        assert_eq!(read(&large, "https://h"), Err(DocumentError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_read_of_a_uri_can_end_no_header(uri in r"(?s)(https?://)?[a-z.:/?@#\[\]]{0,8}.{0,8}") {
            if let Some(fetch) = Fetch::absolute(&uri) {
                prop_assert!(fetch.path.starts_with('/'));
                prop_assert!(!fetch.authority.is_empty() && !fetch.authority.contains(['/', '@', '?']));
                let mut bytes = fetch.path.bytes().chain(fetch.authority.bytes());
                prop_assert!(bytes.all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
