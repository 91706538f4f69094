//! Issuers: whose tokens are accepted, and where their keys come from.

use super::grammar;
use super::node::{Node, Value};
use super::problem::{Problem, shown};
use super::read;
use super::set::{Introspection, Issuer, JwksSource, JwtAuthn, Located, Proof};
use super::tables;

#[inline(never)]
pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Issuer> {
    let proof = proof(node, problems);
    identifier(node, problems);
    Some(Issuer {
        name: read::located(node, "name")?,
        issuer: read::located(node, "issuer")?,
        audiences: read::texts(node, "audiences"),
        proof: proof?,
        groups_claim: groups_claim(node),
        leeway: read::duration(node, "leeway", tables::LEEWAY),
    })
}

/// RFC 8414, 2, and OpenID Connect Core 1.0, 2: an issuer has neither a query nor a fragment. A `#` in one would leave open
/// where in `identity.id` the subject begins.
fn identifier(node: &Node, problems: &mut Vec<Problem>) {
    let Some(issuer) = node.get("issuer") else { return };
    let Some(text) = issuer.text() else { return };
    let url = text.starts_with("https://") || text.starts_with("http://");
    let what = match () {
        () if text.contains('#') => "holds a `#`, which parts issuer and subject in `identity.id`",
        () if url && text.contains('?') => "holds a query, which no issuer has",
        () => return,
    };
    let problem = Problem::error(&issuer.place, format!("{} {what}", shown(text)));
    problems.push(problem.help("write the token's `iss`"));
}

fn proof(node: &Node, problems: &mut Vec<Problem>) -> Option<Proof> {
    if read::text(node, "verified_by").as_deref() == Some(tables::MTLS) {
        certificate(node, problems);
        return Some(Proof::Certificate);
    }
    if let Some(asked) = node.get("introspection") {
        return introspection(asked, node, problems).map(Proof::Introspection);
    }
    if node.get("audiences").is_none() {
        let problem = Problem::error(&node.place, "needs the key `audiences`");
        problems.push(problem.help("the token's `aud` must hold one of them"));
    }
    let by_proxy = node.get("verified_by").is_some();
    let jwks = node.get("jwks").map(|jwks| keys(jwks, node, by_proxy, problems));
    if by_proxy {
        let payload = read::text(node, "payload_in_metadata").or_else(|| read::text(node, "name"))?;
        return Some(Proof::Proxy(JwtAuthn { payload, keys: jwks.flatten() }));
    }
    if let Some(payload) = node.get("payload_in_metadata") {
        let problem = Problem::error(&payload.place, "has no effect without `verified_by`");
        problems.push(problem.help("write `verified_by: envoy.filters.http.jwt_authn`, or take it out"));
    }
    if jwks.is_none() {
        let problem = Problem::error(&node.place, "does not say how its tokens are verified");
        problems
            .push(problem.help("give `jwks`, where its keys come from, `introspection`, or `verified_by`"));
    }
    jwks.flatten().map(Proof::Keys)
}

/// The issuer says itself what its tokens are worth: nothing else may seem to.
fn introspection(asked: &Node, issuer: &Node, problems: &mut Vec<Problem>) -> Option<Introspection> {
    for key in ["jwks", "verified_by", "payload_in_metadata"] {
        let Some(other) = issuer.get(key) else { continue };
        let message =
            format!("`{key}` does not go with `introspection`: one of them says what tokens are worth");
        problems.push(Problem::error(&other.place, message).help("take one of the two out"));
    }
    let client = match (asked.get("client_id"), asked.get("client_secret")) {
        (Some(_), Some(secret)) => read::text(asked, "client_id").zip(read::template(secret)),
        (None, None) => None,
        (Some(id), None) => {
            let problem = Problem::error(&id.place, "stands without `client_secret`");
            problems.push(problem.help("give the secret too, as `${env:NAME}`"));
            None
        }
        (None, Some(secret)) => {
            problems.push(Problem::error(&secret.place, "stands without `client_id`"));
            None
        }
    };
    if client.is_some()
        && let Some(headers) = asked.get("headers")
        && let Some(second) =
            headers.entries().iter().find(|entry| entry.key.eq_ignore_ascii_case("authorization"))
    {
        let message = "does not go with `client_id`, which is sent in that header";
        problems.push(Problem::error(&second.place, message).help("take one of the two out"));
    }
    let max_age = read::duration(asked, "max_age", tables::MAX_AGE);
    Some(Introspection { cluster: read::cluster(asked)?, client, max_age })
}

/// Callers with certificates have no tokens, and nothing that is said of tokens.
fn certificate(node: &Node, problems: &mut Vec<Problem>) {
    if let Some(issuer) = node.get("issuer")
        && let Some(text) = issuer.text()
        && let Err(fault) = grammar::trust_domain(text)
    {
        let problem = Problem::error(&issuer.place, format!("{} {}", shown(text), fault.message));
        problems.push(Problem { help: fault.help, ..problem });
    }
    for entry in node.entries() {
        if !matches!(entry.key.as_str(), "name" | "issuer" | "verified_by") {
            let message =
                format!("`{}` has no effect with `verified_by: mtls`, where there are no tokens", entry.key);
            problems.push(Problem::error(&entry.place, message).help("take one of the two out"));
        }
    }
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

fn keys(jwks: &Node, issuer: &Node, by_proxy: bool, problems: &mut Vec<Problem>) -> Option<JwksSource> {
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
    let foreign = ["authority", "headers"].into_iter().filter(|_| by_proxy);
    for key in foreign.filter_map(|key| jwks.get(key)) {
        let message = "does not go with `verified_by`: Envoy's filter asks by the URI alone";
        problems.push(Problem::error(&key.place, message));
    }
    let cluster = read::cluster(jwks);
    let refresh = read::duration(jwks, "refresh", tables::REFRESH);
    if jwks.get("uri").is_some() {
        if let Some(path) = jwks.get("path") {
            problems.push(Problem::error(&path.place, "does not go with `uri`, which has the path"));
        }
        return Some(JwksSource::Uri { cluster: cluster?, uri: read::text(jwks, "uri")?, refresh });
    }
    if by_proxy {
        let problem = Problem::error(&jwks.place, "names no key set, and `jwt_authn` discovers none");
        problems.push(problem.help("give `uri`, or `inline`"));
        return None;
    }
    discoverable(issuer, problems);
    Some(JwksSource::Discovery { cluster: cluster?, refresh })
}

/// Discovery builds its URI from the issuer's (OpenID Connect Discovery 1.0, 4).
fn discoverable(issuer: &Node, problems: &mut Vec<Problem>) {
    let Some(issuer) = issuer.get("issuer") else { return };
    let Some(text) = issuer.text() else { return };
    // What stands behind a host, and may not, is told of every issuer.
    if !text.contains(['?', '#']) && grammar::uri(text).is_err() {
        let message = format!("{} is not a URI from which keys can be discovered", shown(text));
        let help = "write the token's `iss`, `https://…`, or give `jwks.uri` or `jwks.inline`";
        problems.push(Problem::error(&issuer.place, message).help(help));
    }
}
