//! Clusters of a rendered Envoy.

use std::net::IpAddr;

use super::quoted;

/// A service that Envoy reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// As the set names it.
    pub name: String,
    host: String,
    port: u16,
    /// The name that its certificate must bear.
    tls: Option<String>,
    http2: bool,
}

const SHAPE: &str = "expected NAME=HOST:PORT[,tls[,SERVER_NAME]][,h2]";

/// Reads `NAME=HOST:PORT[,tls[,SERVER_NAME]][,h2]`.
pub fn parse(text: &str) -> Result<Cluster, String> {
    let (name, rest) = text.split_once('=').ok_or(SHAPE)?;
    let mut parts = rest.split(',');
    let (host, port) = parts.next().and_then(|address| address.rsplit_once(':')).ok_or(SHAPE)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| format!("`{port}` is not a port; {SHAPE}"))?;
    if name.is_empty() || host.is_empty() {
        return Err(SHAPE.to_owned());
    }
    let (mut tls, mut server_name, mut http2) = (false, None, false);
    for option in parts {
        match option {
            "tls" => tls = true,
            "h2" => http2 = true,
            name if tls && server_name.is_none() && !name.is_empty() => server_name = Some(name.to_owned()),
            other => return Err(format!("`{other}` is not known here; {SHAPE}")),
        }
    }
    if tls && server_name.is_none() && host.parse::<IpAddr>().is_ok() {
        return Err(format!("an address bears no name to hold its certificate to; {SHAPE}"));
    }
    let tls = tls.then(|| server_name.unwrap_or_else(|| host.to_owned()));
    Ok(Cluster { name: name.to_owned(), host: host.to_owned(), port, tls, http2 })
}

impl Cluster {
    /// One item of `static_resources.clusters`.
    ///
    /// `grpc`: what is called on it is gRPC, which needs HTTP/2 whether the operator says so or not.
    pub fn render(&self, ca: &str, grpc: bool) -> String {
        let kind = if self.host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
        let http2 = self.http2 || grpc;
        let http = if http2 { "http2_protocol_options" } else { "http_protocol_options" };
        format!(
            r#"  - name: {name}
    type: {kind}
    connect_timeout: 5s
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {port} }} }} }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: {{ idle_timeout: 60s }}
        explicit_http_config: {{ {http}: {{}} }}
{tls}"#,
            name = quoted(&self.name),
            host = quoted(&self.host),
            port = self.port,
            tls = self.tls.as_ref().map(|name| transport(name, ca, http2)).unwrap_or_default(),
        )
    }
}

fn transport(server_name: &str, ca: &str, http2: bool) -> String {
    format!(
        r#"    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: {name}
        common_tls_context:
          alpn_protocols: [{alpn}]
          validation_context:
            trusted_ca: {{ filename: {ca} }}
            match_typed_subject_alt_names: [{{ san_type: DNS, matcher: {{ exact: {name} }} }}]
"#,
        name = quoted(server_name),
        alpn = if http2 { "h2" } else { "http/1.1" },
        ca = quoted(ca),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_read_as_documented() {
        let read = |text: &str| parse(text).unwrap();
        assert_eq!(
            read("idp=localhost:8080"),
            Cluster { name: "idp".into(), host: "localhost".into(), port: 8080, tls: None, http2: false }
        );
        assert_eq!(read("a=api.example.com:443,tls").tls.as_deref(), Some("api.example.com"));
        assert_eq!(read("a=10.0.0.1:443,tls,api.example.com,h2").tls.as_deref(), Some("api.example.com"));
        assert!(read("a=10.0.0.1:443,tls,api.example.com,h2").http2);
        assert_eq!(read("a=[::1]:80").host, "::1");
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        for text in
            ["", "idp", "idp=", "idp=host", "idp=host:", "idp=host:x", "=host:1", "a=:80", "a=h:70000"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("a=h:1,tsl").unwrap_err().contains("`tsl`"));
        assert!(parse("a=h:1,name").unwrap_err().contains("`name`"), "a server name needs tls");
        assert!(parse("a=10.0.0.1:443,tls").unwrap_err().contains("certificate"));
    }
}
