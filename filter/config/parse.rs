//! A tree to a policy set, or to everything that is wrong with it.

use std::collections::HashMap;

use super::node::{Node, Value};
use super::policies::MODES;
use super::problem::{Problem, elsewhere, shown};
use super::set::{Connection, Expose, Issuer, Located, Place, PolicySet, Unmatched};
use crate::order;

use super::{
    advice, approvals, audit, budgets, check, connections, detectors, issuers, policies, read, recognisers,
    secrets, tables,
};

const UNMATCHED: &[(&str, Unmatched)] =
    &[("deny", Unmatched::Deny), ("allow", Unmatched::Allow), ("monitor", Unmatched::Monitor)];
const EXPOSE: &[(&str, Expose)] = &[("id", Expose::Id), ("full", Expose::Full), ("none", Expose::None)];

/// Names that others may refer to, with the nodes that bear them.
pub(super) struct Names<'a> {
    pub issuers: Vec<(&'a str, &'a Node)>,
    pub policies: Vec<(&'a str, &'a Node)>,
    pub secrets: Vec<(&'a str, &'a Node)>,
    /// Whether the set describes issuers at all, well or badly.
    pub has_issuers: bool,
}

/// Reads a settled tree ([`Node::settle`]); with the set come warnings.
///
/// # Errors
/// Everything that is wrong with it.
pub fn policy_set(root: &Node) -> Result<(PolicySet, Vec<Problem>), Vec<Problem>> {
    let (set, problems) = draft(root)?;
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut warnings = advice::warnings(&set, root);
    sort(&mut warnings);
    Ok((set, warnings))
}

/// As much of a settled tree as can be read, and all that is wrong with the rest.
///
/// # Errors
/// The set is of another version, so that nothing of it can be read.
pub fn draft(root: &Node) -> Result<(PolicySet, Vec<Problem>), Vec<Problem>> {
    if let Some(problem) = from_the_future(root) {
        return Err(vec![problem]);
    }
    let mut problems = Vec::new();
    check::section(root, &tables::SET, &mut problems);
    let set = assemble(root, &mut problems);
    sort(&mut problems);
    Ok((set, problems))
}

/// Problems in the order of the files and lines, so that they read from the top.
pub fn sort(problems: &mut [Problem]) {
    let key = |problem: &Problem| {
        (std::rc::Rc::clone(&problem.place.file), problem.place.line, problem.place.column)
    };
    order::sort_by(problems, |a, b| key(a).cmp(&key(b)));
}

/// A set of another version is not ours to judge any further.
fn from_the_future(root: &Node) -> Option<Problem> {
    let version = root.get("version")?;
    let ours = tables::VERSION;
    match version.value {
        Value::Integer(number) if number == ours => None,
        Value::Integer(number) if number > ours => {
            let message = format!("the set is of version {number}; this release reads version {ours}");
            Some(Problem::error(&version.place, message).help("load it with a release that reads it"))
        }
        Value::Integer(number) => {
            let message = format!("there is no version {number} of the format");
            Some(Problem::error(&version.place, message).help(format!("write `version: {ours}`")))
        }
        _ => None,
    }
}

#[inline(never)]
fn assemble(root: &Node, problems: &mut Vec<Problem>) -> PolicySet {
    let section = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
    for (key, what) in [
        ("issuers", "issuer"),
        ("connections", "connection"),
        ("policies", "policy"),
        ("recognisers", "recogniser"),
        ("secrets", "secret"),
    ] {
        unique(section(key), what, problems);
    }
    let names = Names {
        issuers: named(section("issuers")),
        policies: named(section("policies")),
        secrets: named(section("secrets")),
        has_issuers: root.get("issuers").is_some(),
    };
    let set = PolicySet {
        mode: read::choice(root, "mode", MODES).unwrap_or_default(),
        issuers: section("issuers").iter().filter_map(|node| issuers::read(node, problems)).collect(),
        secrets: section("secrets").iter().filter_map(|node| secrets::read(node, problems)).collect(),
        connections: section("connections")
            .iter()
            .filter_map(|node| connections::read(node, &names, problems))
            .collect(),
        policies: section("policies").iter().filter_map(|node| policies::read(node, problems)).collect(),
        detectors: section("detectors").iter().filter_map(|node| detectors::read(node, problems)).collect(),
        recognisers: recognisers::read_all(section("recognisers"), problems),
        audit: root.get("audit").and_then(|node| audit::read(node, problems)),
        approvals: root.get("approvals").and_then(approvals::read),
        rate_limit_service: root.get("rate_limit_service").and_then(budgets::read_service),
        unmatched: read::choice(root, "unmatched", UNMATCHED).unwrap_or_default(),
        expose: read::choice(root, "expose", EXPOSE).unwrap_or_default(),
    };
    for connection in &set.connections {
        one_issuer_each(connection, &set.issuers, problems);
        one_introspection(connection, &set.issuers, problems);
    }
    connections::one_resource_each(section("connections"), problems);
    budgets::check_service(&set, root.get("rate_limit_service").is_some(), problems);
    set
}

/// A token names its issuer by `iss`: on one connection that must lead to one description.
#[inline(never)]
fn one_issuer_each(connection: &Connection, issuers: &[Issuer], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for reference in &connection.issuers {
        let Some(issuer) = issuers.iter().find(|issuer| issuer.name.value == reference.value) else {
            continue;
        };
        let Some(before) = seen.insert(&issuer.issuer.value, &reference.value) else { continue };
        if before != reference.value {
            let message = format!("has the same `issuer` as `{before}`, so a token could belong to both");
            let help = "give a connection one of them, or put their audiences together";
            problems.push(Problem::error(&reference.place, message).help(help));
        }
    }
}

/// An opaque token does not say whose it is, and is shown to its own issuer alone.
#[inline(never)]
fn one_introspection(connection: &Connection, issuers: &[Issuer], problems: &mut Vec<Problem>) {
    let asked = |reference: &&Located<String>| {
        let issuer = issuers.iter().find(|issuer| issuer.name.value == reference.value);
        issuer.is_some_and(|issuer| issuer.proof.introspection().is_some())
    };
    let mut all = connection.issuers.iter().filter(asked);
    if let (Some(first), Some(second)) = (all.next(), all.next()) {
        let message = format!(
            "is asked about opaque tokens as `{}` is, and a token does not say which of them it is of",
            first.value
        );
        let help = "give the connection one issuer with `introspection`, and make another connection";
        problems.push(Problem::error(&second.place, message).help(help));
    }
}

fn named(items: &[Node]) -> Vec<(&str, &Node)> {
    items.iter().filter_map(|node| Some((node.get("name")?.text()?, node))).collect()
}

/// Reports names that stand twice in a list.
#[inline(never)]
pub(super) fn unique(items: &[Node], what: &str, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    for name in items.iter().filter_map(|node| node.get("name")) {
        let Some(text) = name.text() else { continue };
        match seen.get(text) {
            None => {
                seen.insert(text, &name.place);
            }
            Some(first) => {
                let message = format!("the {what} {} stands already at {}", shown(text), elsewhere(first));
                problems
                    .push(Problem::error(&name.place, message).help("names are unique: rename one of them"));
            }
        }
    }
}
