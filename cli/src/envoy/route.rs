//! Routes of a rendered Envoy: one for each match of each connection, in the set's order.
//!
//! Callers reach an API below a path prefix; the upstream may have it at its root, or below another. So an upstream may
//! say which path stands in the place of the prefix, as `proxy_pass` of other proxies does.
//!
//! A route carries the name of its connection as metadata, which overrides the module's own matching. So the upstream
//! that Envoy chooses and the policy and credential that the module chooses can never be of two connections.

use portcullis::config::Problem;
use portcullis::config::set::{Connection, Match, PolicySet, Unmatched};
use portcullis::protocol::api::APIS;

use super::{quoted, told};

/// The virtual host that routes are drawn in.
pub const VIRTUAL_HOST: &str = "portcullis";

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `None`: all that are not named.
    pub connection: Option<String>,
    /// Name of the cluster.
    pub cluster: String,
    /// What stands in the place of the connection's path prefix, without a slash at its end; `None`: the path stays.
    pub path: Option<String>,
}

/// Reads `CONNECTION=CLUSTER` or `CLUSTER`, either with a path behind it.
pub fn parse(text: &str) -> Result<Upstream, String> {
    let named = text.split_once('=').filter(|(connection, _)| !connection.contains('/'));
    let (connection, rest) = match named {
        Some((connection, rest)) => (Some(connection), rest),
        None => (None, text),
    };
    let (cluster, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
        Some((cluster, path)) => (cluster, Some(path)),
        None => (rest, None),
    };
    if cluster.is_empty() || connection == Some("") {
        return Err("expected CONNECTION=CLUSTER or CLUSTER, or either with /PATH behind it".to_owned());
    }
    if let Some(wrong) = path.filter(|path| !is_path(path)) {
        return Err(format!(
            "`{wrong}` is not a path: segments between single slashes, of ASCII and without `%`, `?` and `#`"
        ));
    }
    let path = path.map(|path| path.strip_suffix('/').unwrap_or(path).to_owned());
    Ok(Upstream { connection: connection.map(str::to_owned), cluster: cluster.to_owned(), path })
}

/// Whether a text that begins with a slash is a path as the module takes paths.
fn is_path(path: &str) -> bool {
    let segments = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest).split('/'));
    let is_segment = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(plain)
    };
    path == "/" || segments.is_some_and(|mut segments| segments.all(is_segment))
}

/// The items of `routes`.
pub fn render(set: &PolicySet, upstreams: &[Upstream], problems: &mut Vec<Problem>) -> String {
    let mut routes = String::new();
    unknown(set, upstreams, problems);
    for connection in &set.connections {
        let Some(upstream) = leads_to(&connection.name.value, upstreams) else {
            let name = &connection.name;
            let problem =
                Problem::error(&name.place, format!("the upstream of `{}` is not given", name.value));
            problems.push(problem.help(format!("add `--upstream {}=CLUSTER`", name.value)));
            continue;
        };
        if connection.matches.is_empty() {
            problems.push(undrawable(connection, "has no `match`"));
        }
        for one in &connection.matches {
            match route(connection, one, upstream) {
                Ok(route) => routes.push_str(&route),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if let (Unmatched::Allow | Unmatched::Monitor, Some(upstream)) = (set.unmatched, leads_to("", upstreams))
    {
        routes.push_str(&write("unmatched", "prefix: \"/\"", None, &target(upstream, "")));
    }
    routes
}

fn unknown(set: &PolicySet, upstreams: &[Upstream], problems: &mut Vec<Problem>) {
    for name in upstreams.iter().filter_map(|upstream| upstream.connection.as_ref()) {
        if !set.connections.iter().any(|connection| connection.name.value == *name) {
            problems.push(told(&format!("--upstream: the set has no connection `{name}`")));
        }
    }
}

fn leads_to<'a>(connection: &str, upstreams: &'a [Upstream]) -> Option<&'a Upstream> {
    let named = upstreams.iter().find(|upstream| upstream.connection.as_deref() == Some(connection));
    let rest = || upstreams.iter().find(|upstream| upstream.connection.is_none());
    named.or_else(rest)
}

/// Connections whose API is below a prefix that is none of its own, and nobody has said where the upstream has it.
pub fn advice(set: &PolicySet, upstreams: &[Upstream]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for connection in &set.connections {
        let name = &connection.name;
        let Some(upstream) = leads_to(&name.value, upstreams).filter(|upstream| upstream.path.is_none())
        else {
            continue;
        };
        let Some(api) = APIS.into_iter().find(|api| api.name == connection.protocol.name()) else { continue };
        let mut prefixes = connection.matches.iter().filter_map(|one| one.path_prefix.as_deref());
        if let Some(prefix) = prefixes.find(|prefix| api.is_foreign(prefix)) {
            let message =
                format!("the upstream of `{}` gets paths below `{prefix}`, as callers send them", name.value);
            let cluster = &upstream.cluster;
            problems.push(Problem::warning(&name.place, message).help(format!(
                "where {} stands at the upstream's root, say `--upstream {}={cluster}/`; where it does stand below \
                 `{prefix}`, `--upstream {}={cluster}{prefix}`",
                api.title, name.value, name.value
            )));
        }
    }
    problems
}

fn undrawable(connection: &Connection, why: &str) -> Problem {
    let name = &connection.name;
    Problem::error(&name.place, format!("no route can be drawn for `{}`: it {why}", name.value)).help(
        "give it an authority, a path prefix or a method, or write the route yourself with the metadata \
         `filter_metadata: { portcullis: { connection: NAME } }`",
    )
}

fn route(connection: &Connection, one: &Match, upstream: &Upstream) -> Result<String, Problem> {
    let cluster = upstream.cluster.as_str();
    if one.authority.is_none() && one.path_prefix.is_none() && one.method.is_none() {
        return Err(undrawable(connection, "is known by what Envoy calls its routes, not by its requests"));
    }
    if one.virtual_host.as_ref().is_some_and(|name| name != VIRTUAL_HOST) {
        return Err(undrawable(connection, &format!("asks for a virtual host other than `{VIRTUAL_HOST}`")));
    }
    if one.cluster.as_ref().is_some_and(|name| name != cluster) {
        return Err(undrawable(
            connection,
            &format!("asks for a cluster other than its upstream `{cluster}`"),
        ));
    }
    let prefix = one.path_prefix.as_deref().map(|prefix| prefix.strip_suffix('/').unwrap_or(prefix));
    let prefix = prefix.unwrap_or_default();
    let mut condition = match prefix {
        "" => "prefix: \"/\"".to_owned(),
        prefix => format!("path_separated_prefix: {}", quoted(prefix)),
    };
    let headers: Vec<String> = [one.authority.as_deref().map(authority), one.method.as_deref().map(method)]
        .into_iter()
        .flatten()
        .collect();
    if !headers.is_empty() {
        condition.push_str(&format!(", headers: [{}]", headers.join(", ")));
    }
    let name = &connection.name.value;
    let target = target(upstream, prefix);
    Ok(write(one.route.as_deref().unwrap_or(name), &condition, Some(name), &target))
}

/// Where a route leads, in Envoy's words.
fn target(upstream: &Upstream, prefix: &str) -> String {
    let cluster = quoted(&upstream.cluster);
    let rewrite = match upstream.path.as_deref() {
        None => String::new(),
        Some(path) if path == prefix => String::new(),
        // What is behind the prefix begins with a slash; where nothing stands before it, nothing is left of a bare one.
        Some("") => format!(
            ", regex_rewrite: {{ pattern: {{ regex: {} }}, substitution: \"/\" }}",
            quoted(&format!("^{}(/|$)", literal(prefix)))
        ),
        Some(path) if prefix.is_empty() => format!(", prefix_rewrite: {}", quoted(&format!("{path}/"))),
        Some(path) => format!(", prefix_rewrite: {}", quoted(path)),
    };
    format!("{{ cluster: {cluster}{rewrite}, timeout: 0s, auto_host_rewrite: true }}")
}

/// A path as a regular expression that it alone matches.
fn literal(path: &str) -> String {
    let mut regex = String::new();
    for char in path.chars() {
        if !char.is_ascii_alphanumeric() && !matches!(char, '/' | '-' | '_' | '~') {
            regex.push('\\');
        }
        regex.push(char);
    }
    regex
}

fn write(name: &str, condition: &str, connection: Option<&str>, target: &str) -> String {
    let metadata = connection.map(|connection| {
        format!(
            "                metadata: {{ filter_metadata: {{ portcullis: {{ connection: {} }} }} }}\n",
            quoted(connection)
        )
    });
    format!(
        r#"              - name: {name}
                match: {{ {condition} }}
{metadata}                route: {target}
"#,
        name = quoted(name),
        metadata = metadata.unwrap_or_default(),
    )
}

fn method(method: &str) -> String {
    format!("{{ name: \":method\", string_match: {{ exact: {} }} }}", quoted(method))
}

/// Without case; without a port for any port.
fn authority(authority: &str) -> String {
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    // Of the characters of an authority these mean something else in a regex.
    let literal = authority.replace('.', r"\.").replace('[', r"\[").replace(']', r"\]");
    let port = if has_port { "" } else { "(:[0-9]+)?" };
    let regex = format!("(?i){literal}{port}");
    format!("{{ name: \":authority\", string_match: {{ safe_regex: {{ regex: {} }} }} }}", quoted(&regex))
}
