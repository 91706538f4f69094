//! Connections: what callers may reach, by which requests it is known, and what guards it.

use super::grammar;
use super::node::{Node, Value};
use super::parse::Names;
use super::problem::{Problem, elsewhere, near, one_of, shown};
use super::read;
use super::set::{
    Answers, Connection, Credential, Located, Match, Protocol, Resource, Seat, TemplatePart, TokenHeader,
};

#[inline(never)]
pub(super) fn read(node: &Node, names: &Names<'_>, problems: &mut Vec<Problem>) -> Option<Connection> {
    let protocol = read::choice(node, "protocol", &Protocol::ALL);
    let matches = matches(node, problems);
    if protocol == Some(Protocol::None) {
        unguarded(node, problems);
    }
    if let (Some(protocol), Some(answers)) = (protocol, node.get("answers"))
        && !matches!(protocol, Protocol::Http | Protocol::None)
    {
        let name = protocol.name();
        let message = format!("goes with `protocol: http` only: what answers of `{name}` hold is known");
        problems.push(Problem::error(&answers.place, message).help("take it out"));
    }
    let guarded = protocol != Some(Protocol::None);
    let issuers = if guarded { issuers(node, names, problems) } else { Vec::new() };
    if guarded && protocol.is_some() && node.get("policy").is_none() {
        let problem = Problem::error(&node.place, "needs the key `policy`");
        problems
            .push(problem.help("it names what guards the connection; only `protocol: none` goes without"));
    }
    let policy = read::located(node, "policy");
    if let Some(policy) = &policy {
        refers(policy, "policy", &names.policies, problems);
    }
    Some(Connection {
        name: read::located(node, "name")?,
        protocol: protocol?,
        matches,
        issuers,
        policy,
        credentials: credentials(node, names, problems),
        token_headers: token_headers(node, problems),
        answers: node.get("answers").map(answers).unwrap_or_default(),
        resource: node.get("resource").and_then(resource),
    })
}

/// With `protocol: none` nobody looks at a request: what would guard it must not seem to.
fn unguarded(node: &Node, problems: &mut Vec<Problem>) {
    for entry in node.entries() {
        if matches!(
            entry.key.as_str(),
            "policy" | "issuers" | "credential" | "token" | "answers" | "resource"
        ) {
            let message =
                format!("`{}` has no effect with `protocol: none`, which passes untouched", entry.key);
            problems.push(Problem::error(&entry.place, message).help("take one of the two out"));
        }
    }
}

fn issuers(node: &Node, names: &Names<'_>, problems: &mut Vec<Problem>) -> Vec<Located<String>> {
    if node.get("issuers").is_some() {
        let named = read::located_texts(node, "issuers");
        for issuer in &named {
            refers(issuer, "issuer", &names.issuers, problems);
        }
        return named;
    }
    match names.issuers.as_slice() {
        [(only, _)] => vec![Located { value: (*only).to_owned(), place: node.place.clone() }],
        [] if names.has_issuers => Vec::new(),
        [] => {
            let problem = Problem::error(&node.place, "has nobody whose tokens it could accept");
            problems.push(problem.help("describe the identity provider under `issuers`"));
            Vec::new()
        }
        several => {
            let names = one_of(several.iter().map(|(name, _)| *name));
            let problem = Problem::error(&node.place, "needs the key `issuers`, as the set has several");
            problems.push(problem.help(format!("name those whose tokens it accepts: {names}")));
            Vec::new()
        }
    }
}

fn refers(name: &Located<String>, what: &str, known: &[(&str, &Node)], problems: &mut Vec<Problem>) {
    let names = || known.iter().map(|(name, _)| *name);
    if names().any(|known| known == name.value) || grammar::name(&name.value).is_err() {
        return;
    }
    let problem = Problem::error(&name.place, format!("there is no {what} {}", shown(&name.value)));
    let help = match near(&name.value, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("the set has no {what} at all"),
        None => format!("use {}", one_of(names())),
    };
    problems.push(problem.help(help));
}

fn matches(node: &Node, problems: &mut Vec<Problem>) -> Vec<Match> {
    let Some(node) = node.get("match") else { return Vec::new() };
    let all = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for empty in all.iter().filter(|node| matches!(&node.value, Value::Map(entries) if entries.is_empty())) {
        let problem = Problem::error(&empty.place, "is an empty match");
        problems.push(problem.help("write `{ path_prefix: / }` for every request"));
    }
    all.iter().map(one_match).collect()
}

fn one_match(node: &Node) -> Match {
    Match {
        authority: read::text(node, "authority"),
        path_prefix: read::text(node, "path_prefix"),
        route: read::text(node, "route"),
        virtual_host: read::text(node, "virtual_host"),
        cluster: read::text(node, "cluster"),
        method: read::text(node, "method"),
    }
}

fn credentials(node: &Node, names: &Names<'_>, problems: &mut Vec<Problem>) -> Vec<Credential> {
    let Some(node) = node.get("credential") else { return Vec::new() };
    let nodes = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut all: Vec<Credential> = Vec::new();
    for node in nodes {
        let Some(credential) = credential(node, problems) else { continue };
        for part in &credential.value.parts {
            if let TemplatePart::Secret(name) = part {
                let name = Located { value: name.clone(), place: credential.value.place.clone() };
                refers(&name, "secret", &names.secrets, problems);
            }
        }
        if all.iter().any(|before| before.seat == credential.seat && before.when.is_none()) {
            let problem = Problem::error(
                &node.place,
                "is never used: one before it stands in the same place for everyone",
            );
            problems.push(problem.help("put the one without `when` last"));
        }
        all.push(credential);
    }
    all
}

fn credential(node: &Node, problems: &mut Vec<Problem>) -> Option<Credential> {
    let seat = match (node.get("header"), node.get("query")) {
        (Some(header), None) => Seat::Header(grammar::header(header.text()?).ok()?),
        (None, Some(query)) => Seat::Query(query.text()?.to_owned()),
        (Some(_), Some(query)) => {
            let problem =
                Problem::error(&query.place, "stands beside `header`: a credential stands in one place");
            problems.push(problem.help("make two of it: a connection may have several"));
            return None;
        }
        (None, None) => {
            let problem = Problem::error(&node.place, "stands nowhere");
            problems.push(problem.help("give the credential a `header`, or a parameter of the `query`"));
            return None;
        }
    };
    Some(Credential {
        seat,
        value: read::credential(node.get("value")?)?,
        when: read::verbatim(node, "when"),
    })
}

fn resource(node: &Node) -> Option<Resource> {
    Some(Resource { uri: read::text(node, "uri")?, scopes: read::texts(node, "scopes") })
}

/// The description of a resource is found by its authority and path, and is of one connection.
#[inline(never)]
pub(super) fn one_resource_each(connections: &[Node], problems: &mut Vec<Problem>) {
    let mut seen: Vec<(String, &str, &Node)> = Vec::new();
    for uri in connections.iter().filter_map(|node| node.get("resource")?.get("uri")) {
        let Some((host, path)) = uri.text().and_then(|text| grammar::resource(text).ok()) else { continue };
        let (host, path) = (host.to_ascii_lowercase(), if path == "/" { "" } else { path });
        if let Some((.., first)) = seen.iter().find(|(known, way, _)| *known == host && *way == path) {
            let message =
                format!("is the resource of another connection too, at {}", elsewhere(&first.place));
            let help = "clients are told of one connection there: give each a base URL of its own";
            problems.push(Problem::error(&uri.place, message).help(help));
            continue;
        }
        seen.push((host, path, uri));
    }
}

fn answers(node: &Node) -> Answers {
    Answers { text: read::located_texts(node, "text"), keep: read::located_texts(node, "keep") }
}

fn token_headers(node: &Node, problems: &mut Vec<Problem>) -> Vec<TokenHeader> {
    let Some(headers) = node.get("token").and_then(|token| token.get("headers")) else { return Vec::new() };
    let mut all: Vec<TokenHeader> = Vec::new();
    for node in headers.items() {
        let Some(name) = node.get("name").and_then(Node::text).and_then(|name| grammar::header(name).ok())
        else {
            continue;
        };
        if let Some(before) =
            all.iter().position(|header| header.name == name).and_then(|at| headers.items().get(at))
        {
            let message =
                format!("the header `{name}` is given twice, first at {}", elsewhere(&before.place));
            problems.push(Problem::error(&node.place, message));
        }
        all.push(TokenHeader { name, prefix: read::text(node, "prefix").unwrap_or_default() });
    }
    all
}
