//! Issuers: whose tokens are accepted, and where their keys come from.

use super::grammar;
use super::node::{Node, Value};
use super::problem::{Problem, shown};
use super::read;
use super::set::{Issuer, JwksSource, Located};
use super::tables;

pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Issuer> {
    let jwks = node.get("jwks").and_then(|jwks| keys(jwks, node, problems));
    Some(Issuer {
        name: read::located(node, "name")?,
        issuer: read::located(node, "issuer")?,
        audiences: read::texts(node, "audiences"),
        jwks: jwks?,
        groups_claim: groups_claim(node),
        leeway: read::duration(node, "leeway", tables::LEEWAY),
    })
}

/// A dotted path, or a list of names that are taken as they are.
fn groups_claim(node: &Node) -> Vec<String> {
    let Some(claim) = node.get("groups_claim") else {
        return vec!["groups".to_owned()];
    };
    match &claim.value {
        Value::List(_) | Value::Texts(_) => read::texts(node, "groups_claim"),
        _ => claim.text().and_then(|text| grammar::claim_path(text).ok()).unwrap_or_default(),
    }
}

fn keys(jwks: &Node, issuer: &Node, problems: &mut Vec<Problem>) -> Option<JwksSource> {
    if let Some(inline) = jwks.get("inline") {
        for entry in jwks.entries().iter().filter(|entry| entry.key != "inline") {
            let message = "does not go with `inline`: a set has its keys inline or fetches them";
            problems.push(Problem::error(&entry.place, message));
        }
        let text = serde_json::to_string(inline).ok()?;
        return Some(JwksSource::Inline(Located { value: text, place: inline.place.clone() }));
    }
    if jwks.get("cluster").is_none() {
        let problem = Problem::error(&jwks.place, "does not say where the keys come from");
        problems.push(problem.help("give `cluster` (OIDC discovery), `cluster` and `uri`, or `inline`"));
        return None;
    }
    let cluster = read::cluster(jwks);
    let refresh = read::duration(jwks, "refresh", tables::REFRESH);
    if jwks.get("uri").is_some() {
        if let Some(path) = jwks.get("path") {
            problems.push(Problem::error(&path.place, "does not go with `uri`, which has the path"));
        }
        return Some(JwksSource::Uri { cluster: cluster?, uri: read::text(jwks, "uri")?, refresh });
    }
    discoverable(issuer, problems);
    Some(JwksSource::Discovery { cluster: cluster?, refresh })
}

/// Discovery builds its URI from the issuer's (OpenID Connect Discovery 1.0, 4).
fn discoverable(issuer: &Node, problems: &mut Vec<Problem>) {
    let Some(issuer) = issuer.get("issuer") else { return };
    let Some(text) = issuer.text() else { return };
    if grammar::uri(text).is_err() || text.contains('?') {
        let message = format!("{} is not a URI from which keys can be discovered", shown(text));
        let help = "write the token's `iss`, `https://…`, or give `jwks.uri` or `jwks.inline`";
        problems.push(Problem::error(&issuer.place, message).help(help));
    }
}
