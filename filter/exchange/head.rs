//! The head of a request, copied while it can be read.
//!
//! Envoy forgets request headers and attributes once they went on, so everything that later steps need is taken here.

use crate::config::set::Kind;
use crate::host::{Header, Host, Side};

/// A request's head.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// `:method`.
    pub method: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`, with its query.
    pub path: String,
    /// All headers with the pseudo headers, names in lower case.
    pub headers: Vec<Header>,
    /// Envoy's name of the route; empty where it has none, and until somebody asks where its metadata names a connection.
    pub route: String,
    /// Envoy's name of the virtual host, where some connection asks for it.
    pub virtual_host: String,
    /// Envoy's name of the upstream cluster, unless the route's metadata names a connection.
    pub cluster: String,
    /// The connection that the route's metadata names.
    pub connection: Option<String>,
    /// Address of the caller, without its port; empty until somebody asks.
    pub source_address: String,
    /// First URI of the caller's verified certificate (its SPIFFE id); empty without one.
    pub source_principal: String,
}

impl Head {
    /// Takes the head from the proxy; only good in the request's head phase. Each attribute is a call into the proxy, dearer
    /// than most that a request costs here, so only those are taken that say which connection the request is on.
    /// `hosted`: the virtual host's name does.
    pub fn take(host: &dyn Host, hosted: bool) -> Self {
        let headers = host.headers(Side::Request);
        let pseudo = |name: &[u8]| {
            let value = headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice());
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        let connection = connection(host);
        // A route that names its connection leaves nothing to choose.
        let text = |name: &str, asked: bool| {
            let asked = asked && connection.is_none();
            if asked { text(host, &["xds", name]).unwrap_or_default() } else { String::new() }
        };
        Self {
            method: pseudo(b":method"),
            authority: pseudo(b":authority"),
            path: pseudo(b":path"),
            route: text(ROUTE, true),
            virtual_host: text("virtual_host_name", hosted),
            cluster: text(CLUSTER, true),
            source_principal: self::text(host, &["connection", "uri_san_peer_certificate"])
                .unwrap_or_default(),
            source_address: String::new(),
            connection,
            headers,
        }
    }

    /// Takes what conditions, records and the like ask for beside. Only good in the request's head phase.
    pub fn learn(&mut self, host: &dyn Host, address: bool, route: bool) {
        if address {
            self.source_address = source_address(host);
        }
        if route && self.connection.is_some() {
            self.route = text(host, &["xds", ROUTE]).unwrap_or_default();
        }
    }

    /// Whether the proxy's route, as it is now, leads where this head did: its metadata names the connection that was
    /// chosen, or none, as before, and it is the same route to the same cluster.
    pub fn leads_to(&self, chosen: &str, host: &dyn Host) -> bool {
        let now = |name: &str| text(host, &["xds", name]).unwrap_or_default();
        match connection(host) {
            Some(named) => named == chosen,
            None => self.connection.is_none() && now(ROUTE) == self.route && now(CLUSTER) == self.cluster,
        }
    }

    /// The caller's address, without its port; of the stream whose event is under way.
    pub fn address(&self, host: &dyn Host) -> String {
        if self.source_address.is_empty() { source_address(host) } else { self.source_address.clone() }
    }

    /// The values of a header, in order.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The name under which a request is matched and recorded.
    pub fn path_part(&self) -> &str {
        crate::urlpath::split(&self.path).0
    }

    /// Kinds of traffic that show in the head alone and are never held back.
    pub fn tunnel(&self) -> Option<Kind> {
        if self.method == "CONNECT" || self.values("upgrade").next().is_some() {
            return Some(Kind::Upgrade);
        }
        let grpc = self.values("content-type").any(|value| {
            value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
        });
        grpc.then_some(Kind::Grpc)
    }

    /// Whether the proxy itself takes this for gRPC, and so turns a refusal's status into `grpc-status`. Envoy does for
    /// `application/grpc` and `application/grpc+…`, in small letters; others that look like gRPC get plain HTTP.
    pub fn answered_as_grpc(&self) -> bool {
        self.method != "CONNECT"
            && self.values("content-type").any(|value| {
                value
                    .strip_prefix(b"application/grpc")
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
            })
    }

    /// The length that the request announces for its body.
    pub fn content_length(&self) -> Option<usize> {
        self.values("content-length").find_map(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
    }

    /// Whether the request's body is one that can be read: not encoded, and of a type that `is` accepts.
    pub fn body_kind(&self, is: fn(&[u8]) -> Result<(), Kind>) -> Result<(), Kind> {
        if self.values("content-encoding").any(|value| !value.eq_ignore_ascii_case(b"identity")) {
            return Err(Kind::Encoding);
        }
        let mut types = self.values("content-type");
        let (Some(value), None) = (types.next(), types.next()) else { return Err(Kind::ContentType) };
        is(value)
    }
}

const ROUTE: &str = "route_name";
const CLUSTER: &str = "cluster_name";

fn source_address(host: &dyn Host) -> String {
    without_port(&text(host, &["source", "address"]).unwrap_or_default())
}

/// The connection that the route's metadata names.
fn connection(host: &dyn Host) -> Option<String> {
    text(host, &["xds", "route_metadata", "filter_metadata", "portcullis", "connection"])
}

fn text(host: &dyn Host, attribute: &[&str]) -> Option<String> {
    host.property(attribute).map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// Whether a content type is JSON in UTF-8.
pub fn json_type(value: &[u8]) -> Result<(), Kind> {
    body_type(value, |media| media == "json" || media.ends_with("+json"))
}

/// Whether a content type is JSON in UTF-8, one document or documents in lines.
pub fn lines_type(value: &[u8]) -> Result<(), Kind> {
    let lines = |media: &str| matches!(media, "json" | "x-ndjson" | "ndjson" | "jsonl" | "x-jsonlines");
    body_type(value, |media| lines(media) || media.ends_with("+json") || media.ends_with("+x-ndjson"))
}

/// Whether a content type is `application/…` in UTF-8 with a second half that `is` accepts.
fn body_type(value: &[u8], is: impl Fn(&str) -> bool) -> Result<(), Kind> {
    let value = std::str::from_utf8(value).map_err(|_| Kind::ContentType)?;
    let mut parts = value.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if media.starts_with("multipart/") {
        return Err(Kind::Multipart);
    }
    if !media.strip_prefix("application/").is_some_and(is) || !utf8_charset(parts) {
        return Err(Kind::ContentType);
    }
    Ok(())
}

/// Whether a content type's parameters name no charset, or UTF-8.
pub fn utf8_charset<'a>(mut parameters: impl Iterator<Item = &'a str>) -> bool {
    parameters.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || value.eq_ignore_ascii_case("utf-8")
            || value.eq_ignore_ascii_case("utf8")
            || value.eq_ignore_ascii_case("us-ascii")
    })
}

fn without_port(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, _)) => host.trim_matches(['[', ']']).to_owned(),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_counts_as_readable() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/vnd.api+json;charset=\"utf-8\"",
        ] {
            assert_eq!(json_type(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=utf-16", "application/jsonx", ""] {
            assert_eq!(json_type(bad.as_bytes()), Err(Kind::ContentType), "{bad}");
        }
        assert_eq!(json_type(b"multipart/form-data; boundary=x"), Err(Kind::Multipart));
        assert_eq!(json_type(b"application/json\xff"), Err(Kind::ContentType));
    }

    #[test]
    fn two_content_types_are_not_one() {
        let header = |value: &str| (b"content-type".to_vec(), value.as_bytes().to_vec());
        let head =
            Head { headers: vec![header("application/json"), header("text/plain")], ..Head::default() };
        assert_eq!(head.body_kind(json_type), Err(Kind::ContentType));
    }

    #[test]
    fn tunnels_show_in_the_head() {
        let head = |name: &str, value: &str| Head {
            headers: vec![(name.as_bytes().to_vec(), value.as_bytes().to_vec())],
            ..Head::default()
        };
        assert_eq!(head("upgrade", "websocket").tunnel(), Some(Kind::Upgrade));
        assert_eq!(head("content-type", "application/gRPC+proto").tunnel(), Some(Kind::Grpc));
        assert_eq!(head("content-type", "application/json").tunnel(), None);
        assert_eq!(Head { method: "CONNECT".into(), ..Head::default() }.tunnel(), Some(Kind::Upgrade));
    }
}
