//! Requests that a page of somebody else had a browser make.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

/// A page from anywhere can point a name of its own at this machine, and have the reader's browser ask under that name.
/// Whether a request names this machine by an address or `localhost` instead.
pub fn is_local(headers: &HeaderMap) -> bool {
    is_local_host(text(headers, HOST.as_str()))
}

/// Whether no page of another origin can have had a browser make a request that changes something. A browser says where
/// such a request comes from; programs say nothing of that.
pub fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return true;
    }
    // No page can change it, and it is sent wherever browsers come over TLS or from this machine. The origin is
    // `null` where a page keeps it to itself.
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(text(headers, HOST.as_str())))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether a host, with or without a port, is an address or `localhost`.
fn is_local_host(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_local() {
        for host in ["127.0.0.1:4318", "localhost", "localhost:1", "[::1]:4318", "[::1]"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in ["", "evil.example:4318", "127.0.0.1.evil.example", "localhost.evil.example:80", ":80"] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    fn own(method: &Method, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()));
        is_own(method, &headers.collect())
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let host = ("host", "audit.example:8443");
        for headers in [
            &[host][..],
            &[host, ("origin", "https://audit.example:8443")],
            &[host, ("origin", "https://audit.example:8443"), ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(own(&Method::POST, headers), "{headers:?}");
        }
        for headers in [
            &[host, ("origin", "https://evil.example")][..],
            &[host, ("origin", "https://audit.example")],
            &[host, ("origin", "null")],
            &[host, ("origin", "")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("origin", "https://audit.example:8443"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://audit.example")],
        ] {
            assert!(!own(&Method::POST, headers), "{headers:?}");
            assert!(!own(&Method::DELETE, headers), "{headers:?}");
            assert!(own(&Method::GET, headers), "{headers:?}");
        }
    }
}
