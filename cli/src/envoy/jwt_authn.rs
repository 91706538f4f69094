//! Envoy's own filter that verifies tokens, for issuers with `verified_by`: it stands before the module.
//!
//! It refuses nothing itself. A token that it does not verify leaves no claims, and the module refuses the request, in
//! the form that callers' SDKs read and with a record.

use std::fmt::Write;

use portcullis::config::Problem;
use portcullis::config::set::{Bundle, Issuer, JwksSource, JwtAuthn, PolicySet, Proof};
use portcullis::identity::bearer;

use super::quoted;

/// The issuers whose tokens it verifies.
fn verified(set: &PolicySet) -> impl Iterator<Item = (&Issuer, &JwtAuthn)> {
    set.issuers.iter().filter_map(|issuer| match &issuer.proof {
        Proof::Proxy(filter) => Some((issuer, filter)),
        _ => None,
    })
}

/// What of the set leaves open where it gets its keys, or through which cluster.
pub fn check(set: &PolicySet, given: &dyn Fn(&str) -> bool, problems: &mut Vec<Problem>) {
    for (issuer, filter) in verified(set) {
        let Some(keys) = &filter.keys else {
            let message = format!("the set does not say where the keys of `{}` come from", issuer.name.value);
            let help = "give `jwks.cluster` and `jwks.uri`, or `jwks.inline`: `render` writes them into Envoy's filter";
            problems.push(Problem::error(&issuer.name.place, message).help(help));
            continue;
        };
        if let Some(cluster) = keys.cluster().map(|cluster| &cluster.cluster)
            && !given(&cluster.value)
        {
            let problem =
                Problem::error(&cluster.place, format!("the cluster `{}` is not given", cluster.value));
            problems.push(problem.help(format!("add `--cluster {}=HOST:PORT`", cluster.value)));
        }
    }
}

/// The item of `http_filters`; empty where no issuer asks for it.
pub fn render(bundle: &Bundle) -> String {
    let set = &bundle.set;
    let mut providers = String::new();
    let mut requirements = String::new();
    for (issuer, filter) in verified(set) {
        providers.push_str(&provider(set, issuer, filter));
        let _ = writeln!(
            requirements,
            "                    - {{ provider_name: {} }}",
            quoted(&issuer.name.value)
        );
    }
    if providers.is_empty() {
        return String::new();
    }
    format!(
        r#"          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
{providers}              rules:
              - match: {{ prefix: "/" }}
                requires:
                  requires_any:
                    requirements:
{requirements}                    - {{ allow_missing_or_failed: {{}} }} # what is not verified the module refuses
"#
    )
}

fn provider(set: &PolicySet, issuer: &Issuer, filter: &JwtAuthn) -> String {
    let audiences: Vec<String> = issuer.audiences.iter().map(|audience| quoted(audience)).collect();
    format!(
        r#"                {name}:
                  issuer: {issuer}
                  audiences: [{audiences}]
                  require_expiration: true
                  clock_skew_seconds: {skew}
                  forward: true # the module takes it away
                  payload_in_metadata: {payload}
                  from_headers: [{headers}]
{keys}"#,
        name = quoted(&issuer.name.value),
        issuer = quoted(&issuer.issuer.value),
        audiences = audiences.join(", "),
        // None at all would be the default of a minute.
        skew = issuer.leeway.as_secs().max(1),
        payload = quoted(&filter.payload),
        headers = headers(set, issuer).join(", "),
        keys = filter.keys.as_ref().map(keys).unwrap_or_default(),
    )
}

/// Where the connections that accept the issuer find tokens.
fn headers(set: &PolicySet, issuer: &Issuer) -> Vec<String> {
    let accepts = |issuers: &[portcullis::config::set::Located<String>]| {
        issuers.iter().any(|name| name.value == issuer.name.value)
    };
    let connections = set.connections.iter().filter(|connection| accepts(&connection.issuers));
    let own = connections.flat_map(|connection| &connection.token_headers);
    let own = own.map(|header| (header.name.as_str(), header.prefix.as_str()));
    let usual = std::iter::once(("authorization", "Bearer "));
    let mut all: Vec<(&str, &str)> =
        usual.chain(bearer::SDK_HEADERS.into_iter().map(|name| (name, ""))).chain(own).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|header| seen.insert(*header));
    let written = |(name, prefix): (&str, &str)| match prefix {
        "" => format!("{{ name: {name} }}"),
        prefix => format!("{{ name: {name}, value_prefix: {} }}", quoted(prefix)),
    };
    all.into_iter().map(written).collect()
}

fn keys(keys: &JwksSource) -> String {
    match keys {
        JwksSource::Inline(text) => {
            format!("                  local_jwks: {{ inline_string: {} }}\n", quoted(&text.value))
        }
        JwksSource::Uri { cluster, uri, refresh } => format!(
            "                  remote_jwks:
                    http_uri: {{ uri: {uri}, cluster: {cluster}, timeout: {timeout} }}
                    cache_duration: {refresh}
                    async_fetch: {{}} # before the first request, and again in time
",
            uri = quoted(uri),
            cluster = quoted(&cluster.cluster.value),
            timeout = seconds(cluster.timeout),
            refresh = seconds(*refresh),
        ),
        // Refused where the set is read: `jwt_authn` discovers nothing.
        JwksSource::Discovery { .. } => String::new(),
    }
}

/// A duration as protobuf writes it.
fn seconds(duration: std::time::Duration) -> String {
    format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis())
}
