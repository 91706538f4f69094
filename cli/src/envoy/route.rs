//! Routes of a rendered Envoy: one for each match of each connection, in the set's order.
//!
//! A route carries the name of its connection as metadata, which overrides the module's own matching. So the upstream
//! that Envoy chooses and the policy and credential that the module chooses can never be of two connections.

use portcullis::config::Problem;
use portcullis::config::set::{Connection, Match, PolicySet, Unmatched};

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
}

/// Reads `CONNECTION=CLUSTER` or `CLUSTER`.
pub fn parse(text: &str) -> Result<Upstream, String> {
    let (connection, cluster) = match text.split_once('=') {
        Some((connection, cluster)) => (Some(connection), cluster),
        None => (None, text),
    };
    if cluster.is_empty() || connection == Some("") {
        return Err("expected CONNECTION=CLUSTER or CLUSTER".to_owned());
    }
    Ok(Upstream { connection: connection.map(str::to_owned), cluster: cluster.to_owned() })
}

/// The items of `routes`.
pub fn render(set: &PolicySet, upstreams: &[Upstream], problems: &mut Vec<Problem>) -> String {
    let mut routes = String::new();
    unknown(set, upstreams, problems);
    for connection in &set.connections {
        let Some(cluster) = leads_to(&connection.name.value, upstreams) else {
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
            match route(connection, one, cluster) {
                Ok(route) => routes.push_str(&route),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if let (Unmatched::Allow | Unmatched::Monitor, Some(cluster)) = (set.unmatched, leads_to("", upstreams)) {
        routes.push_str(&write("unmatched", "prefix: \"/\"", None, cluster));
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

fn leads_to<'a>(connection: &str, upstreams: &'a [Upstream]) -> Option<&'a str> {
    let named = upstreams.iter().find(|upstream| upstream.connection.as_deref() == Some(connection));
    let rest = || upstreams.iter().find(|upstream| upstream.connection.is_none());
    named.or_else(rest).map(|upstream| upstream.cluster.as_str())
}

fn undrawable(connection: &Connection, why: &str) -> Problem {
    let name = &connection.name;
    Problem::error(&name.place, format!("no route can be drawn for `{}`: it {why}", name.value)).help(
        "give it an authority, a path prefix or a method, or write the route yourself with the metadata \
         `filter_metadata: { portcullis: { connection: NAME } }`",
    )
}

fn route(connection: &Connection, one: &Match, cluster: &str) -> Result<String, Problem> {
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
    let mut condition = match one.path_prefix.as_deref() {
        None | Some("/") => "prefix: \"/\"".to_owned(),
        Some(prefix) => format!("path_separated_prefix: {}", quoted(prefix)),
    };
    let headers: Vec<String> = [one.authority.as_deref().map(authority), one.method.as_deref().map(method)]
        .into_iter()
        .flatten()
        .collect();
    if !headers.is_empty() {
        condition.push_str(&format!(", headers: [{}]", headers.join(", ")));
    }
    let name = &connection.name.value;
    Ok(write(one.route.as_deref().unwrap_or(name), &condition, Some(name), cluster))
}

fn write(name: &str, condition: &str, connection: Option<&str>, cluster: &str) -> String {
    let metadata = connection.map(|connection| {
        format!(
            "                metadata: {{ filter_metadata: {{ portcullis: {{ connection: {} }} }} }}\n",
            quoted(connection)
        )
    });
    format!(
        r#"              - name: {name}
                match: {{ {condition} }}
{metadata}                route: {{ cluster: {cluster}, timeout: 0s, auto_host_rewrite: true }}
"#,
        name = quoted(name),
        metadata = metadata.unwrap_or_default(),
        cluster = quoted(cluster),
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
